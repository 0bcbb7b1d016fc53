"""
One connection to the socket server: messages go out, replies come in, whatever carries them.

::

    connecting ──TLS stands, WebSocket agreed──> open ──close──> closing ──> lost
         └──refused, cut, cancelled, too late──────────────────────────────────┘

`Line` is a TCP connection, plain or under TLS, with a message in each line; the one that speaks WebSocket
is in `txpachube.client.websocket`. `LineEndpoint` makes lines for Twisted's `ClientService` and tells it of
those only that are open, so that a connection which is refused in its handshake counts as a failed attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    ISSLTransport,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txpachube.client.connection import described, tls_reason
from txpachube.client.exchange import NotSent, cancellable
from txpachube.wire.paws_calls import MAX_REPLY, Reply, ReplyReader

__all__ = ["Line", "LineEndpoint"]

CLOSE_SECONDS: Final = 5.0
"""How long a connection may take to close in good order: then it is cut, or it might stay forever."""

HANDSHAKE_SECONDS: Final = 30.0
"""How long TLS and WebSocket may take to agree; as long as Twisted waits for the connection itself."""


_log = Logger()


@implementer(IHandshakeListener)
class Line(Protocol):
    """
    A connection that carries a message in each line.

    To the session on it (what the factory of `LineEndpoint` builds) it is the transport.

    Args:
        clock: the reactor's.
        max_reply: bytes a message of the service may have.

    Attributes:
        opened: fires when messages can be sent; fails with `NotSent` when that will never be.
        lost: fires when the connection is closed.
    """

    def __init__(self, clock: IReactorTime, max_reply: int = MAX_REPLY) -> None:
        self.opened: Deferred[None] = Deferred()
        self.lost: Deferred[None] = Deferred()
        self._clock = clock
        self._reader = ReplyReader(max_reply)
        self._session: Any = None
        self._connected = False
        self._closing = False
        self._grace: IDelayedCall | None = None

    # What the session does with it

    def attach(self, session: Any) -> None:
        """Give replies, and the end, to a session."""
        self._session = session
        session.makeConnection(self)

    def send(self, message: bytes) -> None:
        """Send a message, in one piece with its line end."""
        if self._connected and not self._closing:
            self._stream.write(message + b"\n")

    def hold(self, held: bool) -> None:
        """Stop reading, or go on."""
        if self._connected and not self._closing:
            if held:
                self._stream.pauseProducing()
            else:
                self._stream.resumeProducing()

    def loseConnection(self) -> None:
        """Send what is waiting and close; cut the connection when that takes too long."""
        if not self._connected or self._closing:
            return
        self.hold(False)  # the end of TLS, too, has to be read
        self._closing = True
        self._grace = self._clock.callLater(CLOSE_SECONDS, self.abort)
        self._say_goodbye()

    def abort(self) -> None:
        """Close now, whatever is on its way."""
        self._closing = True
        if self._connected:
            self._stream.abortConnection()

    # What Twisted tells

    def connectionMade(self) -> None:
        """Wait for TLS, when there is any; keep the connection alive through routers that forget."""
        self._connected = True
        if ITCPTransport.providedBy(self.transport):
            self._stream.setTcpNoDelay(True)
            self._stream.setTcpKeepAlive(True)
        if not ISSLTransport.providedBy(self.transport):
            self._begin()

    def handshakeCompleted(self) -> None:
        """TLS stands."""
        self._begin()

    def dataReceived(self, data: bytes) -> None:
        """Hand over the replies in it."""
        self._deliver(self._reader.receive(data))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell whoever waits for the beginning, the replies, or the end."""
        self._connected = False
        self._closing = True
        if self._grace is not None and self._grace.active():
            self._grace.cancel()
        if not self.opened.called:
            self.opened.errback(NotSent(self._why_not_opened(reason.value)))
        if self._session is not None:
            self._session.connectionLost(reason)
        self.lost.callback(None)

    # What differs with WebSocket

    def _begin(self) -> None:
        """Be open."""
        self.opened.callback(None)

    def _say_goodbye(self) -> None:
        """Close in good order."""
        self._stream.loseConnection()

    def _why_not_opened(self, problem: BaseException | None) -> str:
        """Return why the connection was lost before it was open."""
        return f"the connection broke before it was ready: {tls_reason(problem)}"

    # For both

    @property
    def _stream(self) -> Any:
        # Every stream transport of Twisted has the methods used here, TLS and UNIX sockets included.
        return self.transport

    def _deliver(self, replies: list[Reply]) -> None:
        for reply in replies:
            if self._closing or self._session is None:
                return  # nobody listens any more, or the service spoke before it was asked
            self._session.received(reply)


@implementer(IStreamClientEndpoint)
class LineEndpoint:
    """
    Connects lines; an endpoint for Twisted's `ClientService`.

    Args:
        endpoint: makes the connections.
        make_line: makes the protocol of a connection.
        clock: the reactor's.
        url: where to, as logs show it.

    Attributes:
        last_failure: why the last attempt failed.
        settled: is called after each attempt, when who asked for it has got its result.
    """

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        make_line: Callable[[], Line],
        clock: IReactorTime,
        url: str,
    ) -> None:
        self._endpoint = endpoint
        self._make_line = make_line
        self._clock = clock
        self._url = url
        self.last_failure = ""
        self.settled: Callable[[], object] = lambda: None
        self._attempt: Deferred[IProtocol] | None = None

    def __repr__(self) -> str:
        return f"<{self._url}>"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect; fires with the factory's protocol when the line is open.

        When it fails, or is cancelled, nothing of the connection is left by then.
        """
        self._attempt = None
        self._attempt = attempt = Deferred.fromCoroutine(self._try_to_connect(protocolFactory))
        return attempt

    async def _try_to_connect(self, factory: IProtocolFactory) -> IProtocol:
        try:
            return await self._connect(factory)
        except Exception as problem:
            self.last_failure = problem.reason if isinstance(problem, NotSent) else described(problem)
            if not isinstance(problem, CancelledError):
                _log.info("{url} no connection: {reason}", url=self._url, reason=self.last_failure)
            raise
        finally:
            # `ClientService` must not be told anything by whom it has just told something. Its own callbacks
            # are on the Deferred by now, unless the endpoint was so quick that it does not have it yet.
            if self._attempt is not None:
                self._attempt.addBoth(self._tell_settled)
            else:
                self._clock.callLater(0, self.settled)

    def _tell_settled(self, result: Any) -> Any:
        self.settled()
        return result

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        lines = _LineFactory(self._make_line)
        line = await cancellable(self._endpoint.connect(lines), _discard)
        assert isinstance(line, Line)
        try:
            await line.opened.addTimeout(HANDSHAKE_SECONDS, self._clock)
        except BaseException as problem:
            line.abort()
            await line.lost
            if isinstance(problem, defer.TimeoutError):
                raise NotSent(f"no agreement about the protocol in {HANDSHAKE_SECONDS:g} s") from None
            raise
        session: Any = factory.buildProtocol(lines.address)
        assert session is not None
        line.attach(session)
        made: IProtocol = session
        return made


def _discard(line: IProtocol) -> None:
    assert isinstance(line, Line)
    line.opened.addErrback(lambda _: None)
    line.abort()


class _LineFactory(Factory):
    noisy = False

    def __init__(self, make_line: Callable[[], Line]) -> None:
        self._make_line = make_line
        self.address: Any = None

    def buildProtocol(self, addr: Any) -> Line:
        self.address = addr
        return self._make_line()
