"""
What the connections of one listener have in common, whatever they speak: a limit on their number, one
timer for all that looks for those which waited too long, and the end of them all.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from txpachube.server.transports.admission import Admission

__all__ = ["Connection", "ListenerFactory"]

log = Logger()


class Connection(Protocol):
    """What a listener needs of its connections."""

    @property
    def subscription_count(self) -> int:
        """How many subscriptions it has."""

    def look_at_clock(self) -> None:
        """Close, or send a sign of life, if the connection waited long enough for that."""

    def finish(self) -> None:
        """Close when what is under way has been answered; at once when nothing is."""

    def give_up(self) -> None:
        """Close at once, whatever is under way."""


class ListenerFactory(Factory):
    """
    Makes the connections of one listener and looks after them. Subclasses say how to `make` one.

    Args:
        reactor: for the time.
        connections: how many there may be at a time.
        sweep_interval: seconds between two looks at all connections.

    Attributes:
        admission: decides about new connections by their addresses; without it all may come.
        now: the reactor's time at the last look at it, at most a sweep interval old.
        shutting_down: no further connections are taken.
        refused: connections that were turned away because there were too many.
    """

    noisy = False

    def __init__(self, reactor: IReactorTime, connections: int, sweep_interval: float) -> None:
        self.admission: Admission | None = None
        self.now = reactor.seconds()
        self.shutting_down = False
        self.refused = 0
        self._refused_before = 0
        self._reactor = reactor
        self._limit = connections
        self._sweep_interval = sweep_interval
        self._connections: set[Connection] = set()
        self._visitors: dict[Connection, str] = {}
        self._sweep_call: IDelayedCall | None = None
        self._all_closed: list[Deferred[None]] | None = None
        self._grace_call: IDelayedCall | None = None

    @property
    def connection_count(self) -> int:
        """How many connections there are now."""
        return len(self._connections)

    @property
    def subscription_count(self) -> int:
        """How many subscriptions all of them have; any thread may ask."""
        return sum(connection.subscription_count for connection in tuple(self._connections))

    def make(self) -> Any:
        """Return the protocol of a new connection."""
        raise NotImplementedError

    # Any, because what Twisted says of the protocol's own factory changes from release to release.
    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Take a connection, unless there are too many or we are going to stop."""
        if self.shutting_down:
            return None
        if len(self._connections) >= self._limit:
            self.refused += 1
            return None
        if self.admission is None:
            return self.make()
        who = self.admission.admit(addr)
        if who is None:
            self.refused += 1
            return None
        connection = self.make()
        if who:
            self._visitors[connection] = who
        return connection

    def opened(self, connection: Connection) -> None:
        """Look after a connection from now on."""
        self._connections.add(connection)
        if self._sweep_call is None:
            self.now = self._reactor.seconds()
            self._sweep_call = self._reactor.callLater(self._sweep_interval, self._sweep)

    def closed(self, connection: Connection) -> None:
        """Look after a connection no longer."""
        self._connections.discard(connection)
        if connection in self._visitors and self.admission is not None:
            self.admission.leave(self._visitors.pop(connection))
        if not self._connections and self._all_closed is not None:
            self._finish_shutdown(self._all_closed)

    def shutdown(self, grace: float = 4.0) -> Deferred[None]:
        """
        Let all connections finish. Stop listening before.

        Args:
            grace: seconds after which whatever is still open is broken off.

        Returns:
            a Deferred that fires when no connection is left.
        """
        finished: Deferred[None] = Deferred()
        if self._all_closed is not None:
            self._all_closed.append(finished)
            return finished
        self.shutting_down = True
        self._all_closed = waiting = [finished]
        for connection in tuple(self._connections):
            connection.finish()
        if self._connections:
            self._grace_call = self._reactor.callLater(grace, self._break_off)
        elif self._all_closed is not None:
            self._finish_shutdown(waiting)
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
            self._sweep_call = self._reactor.callLater(self._sweep_interval, self._sweep)

    def _break_off(self) -> None:
        self._grace_call = None
        for connection in tuple(self._connections):
            connection.give_up()

    def _finish_shutdown(self, waiting: list[Deferred[None]]) -> None:
        for call in (self._grace_call, self._sweep_call):
            if call is not None:
                call.cancel()
        self._grace_call = self._sweep_call = None
        self._all_closed = None
        for finished in waiting:
            finished.callback(None)
