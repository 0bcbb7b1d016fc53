"""
A line between a client and a service that can be cut wherever a test wants.

It listens on a port of its own, which stays the same while services behind it come and go::

    proxy = Proxy(reactor, service_port)
    await proxy.start()
    client = PAWSClient(url=f"tcp://127.0.0.1:{proxy.port}")
    proxy.cut_after(17)     # what the service sends from now on, to all clients together
    proxy.cut_sent_after(9)     # what clients send from now on

Both count once; afterwards everything passes again. What was before the cut arrives.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

__all__ = ["Proxy"]


class _Side(Protocol):
    """One of the two connections of a line."""

    transport: Any

    def __init__(self, proxy: Proxy, client: _Side | None = None) -> None:
        self.proxy = proxy
        self.other: _Side | None = client
        self.lost: Deferred[None] = Deferred()
        self.early: list[bytes] = []
        self._is_client = client is None

    def connectionMade(self) -> None:
        """Connect on, or pass what came meanwhile."""
        self.proxy.open_sides.append(self)
        self.transport.setTcpNoDelay(True)
        if self._is_client:
            self.proxy.connect_on(self)
            return
        assert self.other is not None
        self.other.other = self
        if self.other.lost.called:
            self.transport.abortConnection()
        for data in self.other.early:
            self.proxy.pass_on(self, data)
        self.transport.registerProducer(self.other.transport, True)
        self.other.transport.registerProducer(self.transport, True)

    def dataReceived(self, data: bytes) -> None:
        """Pass it on."""
        if self.other is None:
            self.early.append(data)
        elif self._is_client:
            self.proxy.pass_on(self.other, data)
        else:
            self.proxy.pass_to(self.other, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Close the other side, too."""
        self.proxy.open_sides.remove(self)
        self.lost.callback(None)
        if self.other is not None and not self.other.lost.called:
            self.other.transport.unregisterProducer()
            self.other.transport.loseConnection()


class _Factory(Factory):
    noisy = False

    def __init__(self, make: Any) -> None:
        self._make = make

    def buildProtocol(self, addr: IAddress | None) -> _Side:
        side: _Side = self._make()
        return side


class Proxy:
    """
    Passes bytes on, until told otherwise.

    Args:
        reactor: to listen and connect with.
        target: the port on this machine to connect to; it may be changed.

    Attributes:
        passed: bytes from the service that clients got.
        sent: bytes from clients that the service got.
        open_sides: the connections that are open, two for each line.
    """

    def __init__(self, reactor: Any, target: int) -> None:
        self.target = target
        self.passed = 0
        self.sent = 0
        self.open_sides: list[_Side] = []
        self._reactor = reactor
        self._left: int | None = None
        self._left_to_send: int | None = None
        self._port: IListeningPort | None = None

    async def start(self) -> None:
        """Listen."""
        endpoint = TCP4ServerEndpoint(self._reactor, 0, interface="127.0.0.1")
        self._port = await endpoint.listen(_Factory(lambda: _Side(self)))

    async def stop(self) -> None:
        """Stop listening and cut everything."""
        if self._port is not None:
            port, self._port = self._port, None
            await maybeDeferred(port.stopListening)
        waiting = [side.lost for side in self.open_sides]
        self.cut()
        await DeferredList(waiting)

    @property
    def port(self) -> int:
        """Where clients connect to."""
        assert self._port is not None, "not started"
        host: Any = self._port.getHost()
        number: int = host.port
        return number

    def cut(self) -> None:
        """Cut all lines now."""
        for side in list(self.open_sides):
            side.transport.abortConnection()

    def cut_after(self, count: int) -> None:
        """Cut all lines when the service has sent so many bytes more."""
        self._left = count
        if count == 0:
            self._left = None
            self.cut()

    def cut_sent_after(self, count: int) -> None:
        """Cut all lines when clients have sent so many bytes more."""
        self._left_to_send = count
        if count == 0:
            self._left_to_send = None
            self.cut()

    def pass_to(self, client: _Side, data: bytes) -> None:
        """Give a client what the service sent, or as much of it as it may still have."""
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        self.passed += len(data)
        client.transport.write(data)
        if self._left == 0:
            self._left = None
            self._end_all(gently=client)

    def pass_on(self, service: _Side, data: bytes) -> None:
        """Give the service what a client sent, or as much of it as it may still have."""
        if self._left_to_send is not None:
            data = data[: self._left_to_send]
            self._left_to_send -= len(data)
        self.sent += len(data)
        service.transport.write(data)
        if self._left_to_send == 0:
            self._left_to_send = None
            self._end_all(gently=service)

    def _end_all(self, gently: _Side) -> None:
        for side in list(self.open_sides):
            # This side is to get the bytes before the end.
            if side._is_client is gently._is_client:
                side.transport.unregisterProducer()
                side.transport.loseConnection()
            else:
                side.transport.abortConnection()

    def connect_on(self, client: _Side) -> None:
        """Connect a new line to the service."""
        endpoint = TCP4ClientEndpoint(self._reactor, "127.0.0.1", self.target)
        made = endpoint.connect(_Factory(lambda: _Side(self, client)))
        made.addErrback(lambda _: client.transport.abortConnection())
