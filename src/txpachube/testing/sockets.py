"""
A bare client of a TCP port: it sends the bytes it is given and hands out what comes back line by line.

That is what ``nc`` does for a person, so tests can show to the byte what a client program sees::

    client = await SocketClient.connect(reactor, port)
    client.send(b'{"method":"get","resource":"/feeds/1","headers":{"X-ApiKey":"KEY"}}')
    answer = await client.message()
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any, Self

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

__all__ = ["Closed", "SocketClient"]


class Closed(Exception):
    """The other side has closed the connection, and everything it sent has been handed out."""


class SocketClient(Protocol):
    """
    One connection.

    Attributes:
        pieces: the data as they arrived.
    """

    transport: Any

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self._lines: deque[bytes] = deque()
        self._rest = b""
        self._waiting: Deferred[None] | None = None
        self._closed = False

    @classmethod
    async def connect(cls, reactor: Any, port: int, host: str = "127.0.0.1") -> Self:
        """Return a client that is connected."""
        client = cls()
        await connectProtocol(TCP4ClientEndpoint(reactor, host, port), client)
        client.transport.setTcpNoDelay(True)
        return client

    @property
    def port(self) -> int:
        """The port on this side, by which the other side knows the connection."""
        return int(self.transport.getHost().port)

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self._closed

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.transport.write(data)

    def close(self) -> None:
        """Close the connection."""
        self.transport.loseConnection()

    def stop_reading(self) -> None:
        """Let what comes pile up in the system, and then at the other side."""
        self.transport.pauseProducing()

    def go_on_reading(self) -> None:
        """Take what has piled up."""
        self.transport.resumeProducing()

    async def line(self) -> bytes:
        """
        Return the next line without its end.

        Raises:
            Closed: there will be none.
        """
        while not self._lines:
            if self._closed:
                raise Closed
            self._waiting = Deferred()
            await self._waiting
        return self._lines.popleft()

    async def message(self) -> Any:
        """
        Return the next line as JSON.

        Raises:
            Closed: there will be none.
        """
        return json.loads(await self.line())

    async def end(self) -> bytes:
        """Wait until the connection has ended and return everything that was not handed out."""
        lines = []
        while True:
            try:
                lines.append(await self.line())
            except Closed:
                return b"".join(line + b"\n" for line in lines) + self._rest

    def dataReceived(self, data: bytes) -> None:
        """Take what comes."""
        self.pieces.append(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._lines.extend(lines)
        if lines:
            self._wake()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell who waits for more."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)
