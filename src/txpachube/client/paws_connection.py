"""
A connection to the socket server that comes back: one line at a time, a new one when it breaks.

Twisted's `ClientService` does the connecting; how long it waits from one attempt to the next is the retry
policy's, jittered, and grows until a line has been of use. A line that is only accepted and closed again
counts as a failed attempt.

Reading stops while a consumer of news lags behind, so that the service, and not this program's memory, holds
what is still to come. It goes on while a call is under way, since its answer comes on the same line: a
consumer may make calls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from typing import Protocol as Interface

from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from txpachube.api.messages import Request, Response
from txpachube.client.exchange import NotSent
from txpachube.client.paws_line import LineEndpoint
from txpachube.client.paws_session import Session
from txpachube.wire.paws_calls import Push

__all__ = ["DISCONNECTED", "LastingConnection", "NewsConsumer"]

SILENT_SECONDS: Final = 60.0
"""After so long without a word somebody who waits for news asks whether the service is still there."""

PROBE_SECONDS: Final = 20.0
"""How long the service may take to say so. A line that a router forgot would never say anything again."""

DISCONNECTED: Final = "the client has been disconnected"
"""Why what was under way fails when the program closes the connection."""

_log = Logger()


class NewsConsumer(Interface):
    """Who subscribes on the connection."""

    def opened(self, session: Session) -> None:
        """Hear that there is a new line: subscribe again."""
        ...

    def broken(self) -> None:
        """Hear that the line is gone."""
        ...

    def pushed(self, push: Push) -> None:
        """Take news."""
        ...

    def probe(self, session: Session) -> Deferred[Any] | None:
        """Ask something on a line that was silent; None when nobody waits for news."""
        ...


class LastingConnection:
    """
    Carries calls over one line at a time; see `Carrier`.

    Args:
        make_endpoint: makes what connects lines; each `connect` after a `close` wants one of its own.
        clock: the reactor's.
        delay: gives the seconds to wait after so many failed attempts.
        consumer: subscribes on it.

    Attributes:
        session: the open line, or None.
    """

    def __init__(
        self,
        make_endpoint: Callable[[], LineEndpoint],
        clock: IReactorTime,
        delay: Callable[[int], float],
        consumer: NewsConsumer,
    ) -> None:
        self.session: Session | None = None
        self._make_endpoint = make_endpoint
        self._endpoint = make_endpoint()
        self._clock = clock
        self._delay = delay
        self._consumer = consumer
        self._service: ClientService | None = None
        self._closing: Deferred[None] = succeed(None)
        self._failures = 0
        self._connecting: list[Deferred[bool]] = []
        self._in_line: list[Deferred[Session]] = []
        self._new: Session | None = None
        self._congested = False
        self._held = False
        self._watch: IDelayedCall | None = None

    # Beginning and end

    @property
    def started(self) -> bool:
        """Whether there is a line or one is being made."""
        return self._service is not None

    @property
    def obstacle(self) -> str:
        """Why there is no line; empty when there is one."""
        if self.session is not None:
            return ""
        return f"no connection: {self._endpoint.last_failure or 'it is being made'}"

    def connect(self) -> Deferred[bool]:
        """
        Connect, and again whenever the line breaks; fires with whether the present attempt succeeds.

        Cancelling it closes the connection, unless there is a line by then.
        """
        if self.session is not None:
            return succeed(True)
        result: Deferred[bool] = Deferred(self._cancelled)
        self._connecting.append(result)
        if self._service is None:
            self._failures = 0
            self._endpoint = endpoint = self._make_endpoint()
            service = ClientService(endpoint, _SessionFactory(self), self._wait, self._clock)
            endpoint.settled = lambda: self._settled(service)
            self._service = service
            service.startService()
        return result

    def close(self) -> Deferred[None]:
        """End the line, or the making of one; what is under way fails. Fires when nothing is left of it."""
        service, self._service = self._service, None
        if service is not None:
            session, self.session = self.session, None
            closed: Deferred[None] = Deferred()
            before, self._closing = self._closing, closed
            if session is not None:
                self._ended(session)
                session.fail(DISCONNECTED)
            stopped = service.stopService()
            before.addCallback(lambda _: stopped)
            before.addCallback(closed.callback)
            self._connected(False)
            in_line, self._in_line = self._in_line, []
            for waiting in in_line:
                waiting.errback(_closed())
        done: Deferred[None] = Deferred()

        def pass_on(_: None) -> None:
            if not done.called:
                done.callback(None)

        self._closing.addCallback(pass_on)
        return done

    # Calls

    async def exchange(self, request: Request) -> Response:
        """Send a request on the line, or on the next one, return its answer; see `Carrier`."""
        session = self.session or await self.next_session()
        return await session.exchange(request)

    def next_session(self) -> Deferred[Session]:
        """Return a Deferred that fires when there is a line; fails with `NotSent` when that is not tried."""
        waiting: Deferred[Session] = Deferred(self._in_line.remove)
        if self._service is None:
            waiting.errback(_closed())
        else:
            self._in_line.append(waiting)
        return waiting

    # Reading

    def set_congested(self, congested: bool) -> None:
        """Note whether a consumer of news lags behind."""
        self._congested = congested
        self._adjust()

    def _adjust(self) -> None:
        session = self.session
        if session is None:
            return
        held = self._congested and not session.busy
        if held != self._held:
            self._held = held
            session.hold(held)

    def _listen(self) -> None:
        """Look now and then whether a silent line is a dead one."""
        session = self.session
        if session is None:
            return
        silent = self._clock.seconds() - session.heard_at
        if silent < SILENT_SECONDS or self._held:
            wait = SILENT_SECONDS if self._held else SILENT_SECONDS - silent
            self._watch = self._clock.callLater(wait, self._listen)
            return
        self._watch = self._clock.callLater(SILENT_SECONDS, self._listen)
        question = self._consumer.probe(session)
        if question is not None:
            question.addTimeout(PROBE_SECONDS, self._clock)
            question.addErrback(lambda _: session.abort())

    # What sessions tell

    def session_opened(self, session: Session) -> None:
        """Keep a new line until `ClientService` knows of it, too."""
        self._new = session

    def _settled(self, service: ClientService) -> None:
        """Let everybody who waits for a line go on, when there is one."""
        if service is not self._service:
            return  # an attempt of the time before `close`
        session, self._new = self._new, None
        if session is None:
            self._connected(False)
            return
        self.session = session
        self._held = False
        self._watch = self._clock.callLater(SILENT_SECONDS, self._listen)
        self._consumer.opened(session)
        self._adjust()
        in_line, self._in_line = self._in_line, []
        for waiting in in_line:
            waiting.callback(session)
        self._connected(True)

    def _connected(self, success: bool) -> None:
        connecting, self._connecting = self._connecting, []
        for result in connecting:
            result.callback(success)

    def session_lost(self, session: Session, reason: str) -> None:
        """Wait for the next line."""
        if session is not self.session:
            return
        self.session = None
        self._endpoint.last_failure = reason
        if session.productive:
            self._failures = 0
        self._ended(session)
        _log.info("{url} {reason}", url=self._endpoint, reason=reason)

    def pushed(self, push: Push) -> None:
        """Give news on."""
        self._consumer.pushed(push)

    def calls_changed(self, session: Session) -> None:
        """Read while calls are under way."""
        if session is self.session:
            self._adjust()

    def _ended(self, session: Session) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._consumer.broken()

    # Attempts

    def _wait(self, attempt: int) -> float:
        self._failures += 1
        return self._delay(self._failures)

    def _cancelled(self, result: Deferred[bool]) -> None:
        self._connecting.remove(result)
        self.close()


def _closed() -> NotSent:
    return NotSent("the client is not connected: call connect() first", lasting=True)


class _SessionFactory(Factory):
    noisy = False

    def __init__(self, connection: LastingConnection) -> None:
        self._connection = connection

    def buildProtocol(self, addr: IAddress | None) -> Session:
        return Session(self._connection, self._connection._clock)
