"""
The HTTP door: a factory for any stream endpoint, in front of ``handle(request)``.

The work is done in modules beside this one: `http_request` turns bytes into requests, `http_response` answers
into bytes, `http_output` gets them out, and `http_connection` brings it all together on a transport.
Here is what the connections of a listener have in common: their limits, one timer for all that
looks for those which waited too long (a timer for each request would cost more than reading it),
and the end of them all.

This listener is strict about where a request ends and lenient about the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from txpachube.server.transports.admission import Admission
from txpachube.server.transports.asking import Abandoned, Handle, nobody_cares
from txpachube.server.transports.http_connection import HTTPConnection
from txpachube.server.transports.http_limits import Limits
from txpachube.server.transports.http_request import Reader, RequestReader
from txpachube.server.transports.http_response import AnswerWriter

__all__ = ["HTTPFactory", "Limits"]

log = Logger()


class HTTPFactory(Factory):
    """
    Makes the connections of one listener and looks after them.

    Args:
        handle: answers requests.
        reactor: for the timeouts.
        clock: the time of day in microseconds since 1970, for the answers.
        random: returns so many random bytes, for the ids of requests.
        limits: see there.
        trust_forwarded: believe what a proxy in front of us says of the client's address. Only
            for a listener that nobody but the proxy can reach.
        abandoned: is told of requests that could not be read to their ends.

    Attributes:
        admission: decides about new connections by their addresses; without it all may come.
        advice: what is added for the owner of a device to the reason why a request could not be read.
        now: the reactor's time at the last look at it, at most a sweep interval old.
        shutting_down: answers say ``Connection: close`` from now on.
        refused: connections that were turned away because there were too many.
    """

    noisy = False
    advice = "; the door for old devices, --device-http, may understand it"

    def __init__(
        self,
        handle: Handle,
        *,
        reactor: IReactorTime,
        clock: Callable[[], int],
        random: Callable[[int], bytes],
        limits: Limits | None = None,
        trust_forwarded: bool = False,
        abandoned: Abandoned = nobody_cares,
    ) -> None:
        self.handle = handle
        self.abandoned = abandoned
        self.limits = limits or Limits()
        self.trust_forwarded = trust_forwarded
        self.writer = AnswerWriter(clock, random)
        self.admission: Admission | None = None
        self.now = reactor.seconds()
        self.shutting_down = False
        self.refused = 0
        self._refused_before = 0
        self._reactor = reactor
        self._connections: set[HTTPConnection] = set()
        self._visitors: dict[HTTPConnection, str] = {}
        self._sweep_call: IDelayedCall | None = None
        self._all_closed: Deferred[None] | None = None
        self._grace_call: IDelayedCall | None = None

    @property
    def connection_count(self) -> int:
        """How many connections there are now."""
        return len(self._connections)

    # Any, because what Twisted says of the protocol's own factory changes from release to release.
    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Take a connection, unless there are too many or we are going to stop."""
        if self.shutting_down:
            return None
        if len(self._connections) >= self.limits.connections:
            self.refused += 1
            return None
        if self.admission is None:
            return HTTPConnection(self)
        who = self.admission.admit(addr)
        if who is None:
            self.refused += 1
            return None
        connection = HTTPConnection(self)
        if who:
            self._visitors[connection] = who
        return connection

    def reader(self, peer: str, scheme: str) -> Reader:
        """Return what reads the requests of a new connection."""
        return RequestReader(self.limits, peer, scheme, self.trust_forwarded)

    def opened(self, connection: HTTPConnection) -> None:
        """Look after a connection from now on."""
        self._connections.add(connection)
        if self._sweep_call is None:
            self.now = self._reactor.seconds()
            self._sweep_call = self._reactor.callLater(self.limits.sweep_interval, self._sweep)

    def closed(self, connection: HTTPConnection) -> None:
        """Look after a connection no longer."""
        self._connections.discard(connection)
        if connection in self._visitors and self.admission is not None:
            self.admission.leave(self._visitors.pop(connection))
        if not self._connections and self._all_closed is not None:
            self._finish_shutdown()

    def shutdown(self, grace: float = 4.0) -> Deferred[None]:
        """
        Close idle connections now, the others after their next answer. Stop listening before.

        Args:
            grace: seconds after which whatever is still open is broken off.

        Returns:
            a Deferred that fires when no connection is left.
        """
        finished: Deferred[None] = Deferred()
        if self._all_closed is not None:
            self._all_closed.addCallback(_pass_on, finished)
            return finished
        self.shutting_down = True
        self._all_closed = Deferred()
        self._all_closed.addCallback(_pass_on, finished)
        for connection in tuple(self._connections):
            connection.close_if_idle()
        if self._connections:
            self._grace_call = self._reactor.callLater(grace, self._break_off)
        else:
            self._finish_shutdown()
        return finished

    def _sweep(self) -> None:
        self._sweep_call = None
        self.now = self._reactor.seconds()
        if self.refused != self._refused_before:
            log.warn("Too many connections: {count} turned away so far", count=self.refused)
            self._refused_before = self.refused
        for connection in tuple(self._connections):
            connection.look_at_clock()
        if self._connections:
            self._sweep_call = self._reactor.callLater(self.limits.sweep_interval, self._sweep)

    def _break_off(self) -> None:
        self._grace_call = None
        for connection in tuple(self._connections):
            connection.give_up()

    def _finish_shutdown(self) -> None:
        for call in (self._grace_call, self._sweep_call):
            if call is not None:
                call.cancel()
        self._grace_call = self._sweep_call = None
        finished, self._all_closed = self._all_closed, None
        if finished is not None:
            finished.callback(None)


def _pass_on(result: None, finished: Deferred[None]) -> None:
    finished.callback(None)
