"""
The socket door on TCP: JSON objects in any packing from the client, one line with each write to it.

A client that closes its half of the connection (``echo … | nc``) still gets its answers, and news as long
as it is subscribed. That looks the same as one that has gone altogether, until something is sent to it;
so the system is told to ask soon.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from txpachube.server.events import Events
from txpachube.server.transports.asking import Authorise, Handle
from txpachube.server.transports.http_output import Outlet
from txpachube.server.transports.listener import ListenerFactory
from txpachube.server.transports.paws_limits import PawsLimits
from txpachube.server.transports.paws_session import PawsSession
from txpachube.server.transports.slowness import Slowness
from txpachube.wire.paws import MessageReader
from txpachube.wire.paws_answers import LINE_END
from txpachube.wire.paws_subscriptions import Subscription

__all__ = ["PawsFactory", "PawsTCPConnection", "PawsTCPFactory", "address_text", "tune_socket"]

SHARED_PUSHES: Final = 16
"""Messages with one document that are kept for further subscribers: as many spellings of the resource and
tokens as the subscribers to the same thing usually have together."""

OPEN, ENDING, LINGERING, CLOSING, GONE = range(5)


class PawsFactory(ListenerFactory):
    """
    What the connections of a listener for sockets share; it is their sessions' surroundings.

    Args:
        handle: answers requests.
        authorise: judges subscriptions.
        events: tells of updates.
        reactor: for the timeouts.
        clock: the time of day in microseconds since 1970.
        http_port: where HTTP is, for the URLs in documents; None when it is nowhere.
        http_scheme: ``http`` or ``https``, for the same; None takes what fits the connection.
        limits: see there.

    Attributes:
        skipped: steps that slow clients did not get, so far.
    """

    def __init__(
        self,
        handle: Handle,
        authorise: Authorise,
        events: Events,
        *,
        reactor: IReactorTime,
        clock: Callable[[], int],
        http_port: int | None = None,
        http_scheme: str | None = None,
        limits: PawsLimits | None = None,
    ) -> None:
        self.limits = limits or PawsLimits()
        super().__init__(reactor, self.limits.connections, self.limits.sweep_interval)
        self.handle = handle
        self.authorise = authorise
        self.events = events
        self.clock = clock
        self.http_port = http_port
        self.http_scheme = http_scheme
        self.skipped = 0
        self._document: bytes | None = None
        self._pushes: dict[bytes, bytes] = {}

    def scheme(self, transport: Any) -> str:
        """Return what URLs begin with in the documents that a client gets."""
        return self.http_scheme or ("https" if ISSLTransport.providedBy(transport) else "http")

    def wire(self, message: bytes) -> bytes:
        """Return the bytes in which a message is sent."""
        raise NotImplementedError

    def pushed(self, subscription: Subscription, document: bytes) -> bytes:
        """
        Return the bytes that push a document to a subscriber.

        Those of the last document are kept, because the next subscriber's are mostly the same.
        """
        if document is not self._document:
            self._document = document
            self._pushes.clear()
        pushed = self._pushes.get(subscription.ending)
        if pushed is None:
            pushed = self.wire(subscription.push(document))
            if len(self._pushes) < SHARED_PUSHES:
                self._pushes[subscription.ending] = pushed
        return pushed

    def host(self, name: str) -> str:
        """Return the ``Host`` of HTTP on the machine that goes by a name."""
        if not name or self.http_port is None:
            return name
        return f"[{name}]:{self.http_port}" if ":" in name else f"{name}:{self.http_port}"


class PawsTCPFactory(PawsFactory):
    """Makes the connections of a listener on TCP."""

    def make(self) -> PawsTCPConnection:
        """Return the protocol of a new connection."""
        return PawsTCPConnection(self)

    def wire(self, message: bytes) -> bytes:
        """Return a message as a line."""
        return message + LINE_END


@implementer(IHalfCloseableProtocol)
class PawsTCPConnection(Protocol):
    """One connection; made by the factory of its listener."""

    factory: PawsTCPFactory
    transport: Any

    def __init__(self, factory: PawsTCPFactory) -> None:
        self.factory = factory
        self._state = OPEN
        self._half_closed = False
        self._reading_held = False
        self._lingered = 0
        self._since = 0.0  # when the connection began to end, or the last progress in sending was made
        self._finished = 0  # how often messages were complete
        self._slowness = Slowness(factory.limits.message_timeout, factory.limits.message_rate)
        self._outlet: Outlet
        self._reader: MessageReader
        self._session: PawsSession
        self._write: Callable[[bytes], None]

    # --- what the transport calls -----------------------------------------------------------------

    def connectionMade(self) -> None:
        """Begin to read."""
        transport = self.transport
        self._outlet = Outlet(transport, self._moved, self._free, self.give_up)
        self._write = self._outlet.write
        tune_socket(transport, self.factory.limits.probe_interval)
        self._reader = MessageReader(
            address_text(transport.getPeer()),
            self.factory.scheme(transport),
            self.factory.limits.message_bytes,
        )
        host = self.factory.host(address_text(transport.getHost()))
        self._session = PawsSession(self.factory, self, host)
        self.factory.opened(self)

    def dataReceived(self, data: bytes) -> None:
        """Read messages and answer them."""
        if self._state == OPEN:
            incoming = self._reader.receive(data)
            if incoming:
                self._finished += 1
            self._session.take(incoming, len(data))
        else:
            self._lingered += len(data)
            if self._lingered > self.factory.limits.linger_bytes:
                self._close()

    def readConnectionLost(self) -> None:
        """Answer what was asked for; nothing more will come, but the client may still be reading."""
        self._half_closed = True
        tune_socket(self.transport, self.factory.limits.half_closed_probe)
        if self._state == LINGERING:
            self._close()
        elif self._state == OPEN:
            self._session.input_ended()

    def writeConnectionLost(self) -> None:
        """Our half was closed, as we wished."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget everything."""
        self._state = GONE
        self._session.gone()
        self._outlet.forget()
        self.factory.closed(self)

    # --- what the session calls -------------------------------------------------------------------

    @property
    def congested(self) -> bool:
        """Whether the client does not read what was sent already."""
        return self._outlet.congested

    def send(self, message: bytes) -> None:
        """Send a message: a line in one write, for clients that take each packet for a message."""
        if self._state == OPEN:
            self._write(message + LINE_END)

    def push(self, subscription: Subscription, document: bytes) -> None:
        """Send a document to a subscriber, likewise."""
        if self._state == OPEN:
            self._write(self.factory.pushed(subscription, document))

    def hold_reading(self, hold: bool) -> None:
        """Stop to read, or go on with it."""
        if hold != self._reading_held and not self._half_closed and self._state == OPEN:
            self._reading_held = hold
            if hold:
                self.transport.pauseProducing()
            else:
                self._slowness.start_again(self.factory.now)
                self.transport.resumeProducing()

    def end(self, *, linger: bool) -> None:
        """Close the connection when all is sent; with ``linger``, let the client notice first."""
        if self._state not in (OPEN, ENDING):
            return
        self.hold_reading(False)
        self._since = self.factory.now
        if self._outlet.congested:
            self._state = ENDING
        elif linger and self._outlet.direct and not self._half_closed:
            # The half-open state is for plain sockets; TLS has a farewell of its own.
            self._state = LINGERING
            self.transport.loseWriteConnection()
        else:
            self._close()

    # --- housekeeping -----------------------------------------------------------------------------

    @property
    def subscription_count(self) -> int:
        """How many subscriptions the client has."""
        return self._session.subscription_count

    def look_at_clock(self) -> None:
        """Close the connection if it waited too long for its client and has nothing to wait for."""
        limits, factory = self.factory.limits, self.factory
        waited = factory.now - self._since - limits.sweep_interval
        if self._state == OPEN:
            if self._session.abandoned():
                self._close()
            elif self._outlet.congested:
                if waited > limits.stalled_timeout:
                    self.give_up()
            elif not self._reading_held and self._slowness.is_too_slow(
                factory.now - limits.sweep_interval, self._finished, self._reader.waiting
            ):
                self._close()
            elif self._half_closed and _is_broken(self.transport):
                self.give_up()
        elif self._state == LINGERING:
            if waited > limits.linger_timeout:
                self._close()
        elif waited > limits.write_timeout:
            self.give_up()

    def finish(self) -> None:
        """Close when what is being answered has been answered."""
        if self._state == OPEN:
            self._session.finish()

    def give_up(self) -> None:
        """Close at once."""
        if self._state != GONE:
            self._state = CLOSING
            self.transport.abortConnection()

    def _moved(self) -> None:
        self._since = self.factory.now

    def _free(self) -> None:
        if self._state == OPEN:
            self._session.way_is_free()
        elif self._state == ENDING:
            self._close()

    def _close(self) -> None:
        if self._state in (CLOSING, GONE):
            return
        self._state = CLOSING
        self._since = self.factory.now
        if self._outlet.congested:
            self.transport.abortConnection()
        else:
            self._outlet.let_go()
            self.transport.loseConnection()


def tune_socket(transport: Any, probe_interval: int) -> None:
    """Have small messages sent at once, and the system ask whether the other side is still there."""
    if not ITCPTransport.providedBy(transport) or not isinstance(
        transport.getPeer(), IPv4Address | IPv6Address
    ):
        return
    transport.setTcpNoDelay(True)
    transport.setTcpKeepAlive(True)
    handle = _handle(transport)
    if hasattr(socket, "TCP_KEEPIDLE") and hasattr(handle, "setsockopt"):
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, probe_interval)
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, probe_interval // 4))


def address_text(address: IAddress) -> str:
    """Return an address without zone, IPv4 in its own spelling; empty when there is none."""
    host: str = getattr(address, "host", "") or ""
    host = host.partition("%")[0]
    if host.startswith("::ffff:") and "." in host:
        return host.removeprefix("::ffff:")
    return host


def _is_broken(transport: Any) -> bool:
    # A socket that is neither read nor written tells nobody that it was reset.
    handle = _handle(transport)
    return hasattr(handle, "getsockopt") and handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def _handle(transport: Any) -> Any:
    return transport.getHandle() if hasattr(transport, "getHandle") else None
