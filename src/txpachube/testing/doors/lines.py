"""Both ends of a TCP connection: a bare client, and the listener that it connects to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Self, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, serverFromString
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

__all__ = ["PATIENCE", "Line", "Listening"]

T = TypeVar("T")

PATIENCE: Final = 30.0
"""Seconds that an answer may take, on a busy machine."""


class Line(Protocol):
    """A client's side of a TCP connection."""

    transport: Any

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.closed = False
        self._unread = b""
        self._waiting: Deferred[None] | None = None

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self.transport.write(data)

    def drop(self) -> None:
        """Close the connection."""
        self.transport.loseConnection()

    async def until(self, take: Callable[[bytes], T | None]) -> T:
        """
        Hand what comes to a function until it returns something.

        Raises:
            TimeoutError: it did not, for `PATIENCE` seconds.
        """
        found = take(b"")
        while found is None:
            if not self._unread:
                assert not self.closed, "the service closed the connection"
                self._waiting = Deferred()
                self._waiting.addTimeout(PATIENCE, self._reactor)
                await self._waiting
            data, self._unread = self._unread, b""
            found = take(data)
        return found

    def dataReceived(self, data: bytes) -> None:
        """Take what comes."""
        self._unread += data
        self._wake()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell who waits for more."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)


class Listening:
    """A door's factory on a free port."""

    def __init__(self, factory: Any, reactor: Any, clock: Clock | None = None) -> None:
        self.factory = factory
        self._clock = clock
        self._reactor = reactor
        self._port: Any = None

    @property
    def port(self) -> int:
        number: int = self._port.getHost().port
        return number

    async def open(self) -> Self:
        self._port = await serverFromString(self._reactor, "tcp:0:interface=127.0.0.1").listen(self.factory)
        return self

    async def connect(self) -> Line:
        line: Line = await connectProtocol(
            TCP4ClientEndpoint(self._reactor, "127.0.0.1", self.port), Line(self._reactor)
        )
        line.transport.setTcpNoDelay(True)
        return line

    async def close(self) -> None:
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)
        finished = self.factory.shutdown()
        if self._clock is not None:
            self._clock.advance(60)  # whoever is still connected is not waited for
        await finished
