"""
The HTTP doors, on a socket, and in memory byte by byte.

Whatever is asked, `AnswerReader` checks of each answer what devices with small fixed buffers rely on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from txpachube.server.transports.http import HTTPFactory
from txpachube.server.transports.http_output import PIECE
from txpachube.testing.chunks import byte_by_byte
from txpachube.testing.doors.base import HOST, unpacked
from txpachube.testing.doors.lines import PATIENCE, Line
from txpachube.testing.exchanges import Answer, Given, Question

__all__ = ["AnswerReader", "HttpBytes", "HttpSocket", "request_bytes"]

MAX_NAME: Final = 31
"""Bytes of a header's name that the buffers of an official C library hold."""

MAX_VALUE: Final = 63
"""Bytes of its value."""

MAX_HEADERS: Final = 16
"""How many of them."""


def request_bytes(question: Question) -> bytes:
    """Write a request as a well-behaved client does."""
    if question.raw is not None:
        return question.raw
    lines = [f"{question.method} {question.target} HTTP/1.1"]
    if question.header("host") is None:
        lines.append(f"Host: {HOST}")
    lines += [f"{name}: {value}" for name, value in question.headers]
    if question.header("content-length") is None and (question.body or question.method in ("PUT", "POST")):
        lines.append(f"Content-Length: {len(question.body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + question.body


class AnswerReader:
    """
    Reads answers and checks what is true of all of them, whatever was asked.

    Attributes:
        over: the service has said that it closes the connection.
    """

    def __init__(self) -> None:
        self.over = False
        self._data = b""

    def next(self, data: bytes, question: Question, expected: Answer) -> Given | None:
        """Take received bytes, return the next answer, or None when it is not complete."""
        self._data += data
        while True:
            head, end, rest = self._data.partition(b"\r\n\r\n")
            if not end:
                return None
            start, *lines = head.decode("latin-1").split("\r\n")
            version, status, phrase = start.split(" ", 2)
            assert version == "HTTP/1.1", start
            assert phrase, start
            if status != "100":
                break
            self._data = rest
            if expected.status == 100:
                return Given(100, {}, b"")
            # Whoever sends all at once has no use for this word.
        pairs = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        found = {name.lower(): value for name, value in pairs}
        bodiless = question.method == "HEAD" or status == "304"
        length = 0 if bodiless else int(found["content-length"])
        if len(rest) < length:
            return None
        self._data = rest[length:]
        self.over = found.get("connection") == "close"
        _check_headers(pairs, question)
        return Given(int(status), found, unpacked(rest[:length], found))


def _check_headers(pairs: list[tuple[str, str]], question: Question) -> None:
    names = [name for name, _ in pairs]
    found = dict(pairs)
    assert names[0] == "Date", names
    assert names[-1] == "Vary", names
    assert found["Vary"] == "Accept-Encoding", found
    assert found["Cache-Control"] in ("max-age=0", "no-store"), found
    assert re.fullmatch("[0-9a-f]{40}", found["X-Request-Id"]), found
    assert len(set(names)) == len(names), names
    assert {"Content-Type", "Content-Length"} <= set(names), names
    assert not {"Server", "Set-Cookie", "Transfer-Encoding"} & set(names), names
    if question.raw is None and question.header("origin") is None and question.method != "OPTIONS":
        assert len(names) <= MAX_HEADERS, names
        for name, value in pairs:
            assert name == "-".join(part.capitalize() for part in name.split("-")) or name in (
                "ETag",
                "WWW-Authenticate",
            ), name
            own = name in ("Location", "Content-Security-Policy")  # as long as what they name
            assert len(name) <= MAX_NAME, name
            assert own or len(value) <= MAX_VALUE, value


class HttpSocket:
    """An HTTP door on a socket; one connection, for as long as the service keeps it."""

    def __init__(self, line: Line, open_line: Callable[[], Any], closing: Callable[[], Any]) -> None:
        self._line = line
        self._open_line = open_line
        self._closing = closing
        self._reader = AnswerReader()
        self._question: Question | None = None

    @staticmethod
    def carries(question: Question, answer: Answer) -> bool:
        """Carry everything."""
        return True

    async def ask(self, question: Question | None, expected: Answer) -> Given:
        """Send a request and read its answer."""
        if question is not None:
            if self._line.closed or self._reader.over:
                self._line.drop()
                self._line, self._reader = await self._open_line(), AnswerReader()
            self._question = question
            self._line.write(request_bytes(question))
        asked = self._question
        assert asked is not None
        return await self._line.until(lambda data: self._reader.next(data, asked, expected))

    async def close(self) -> None:
        """Close the connection and the door."""
        self._line.drop()
        await self._closing()


class HttpBytes:
    """An HTTP door in memory that gets each byte by itself, and must begin an answer with each write."""

    def __init__(self, factory: HTTPFactory, reactor: Any, closing: Callable[[], Any]) -> None:
        self._factory = factory
        self._reactor = reactor
        self._closing = closing
        self._transport = _Memory(reactor)
        self._protocol: Any = None
        self._reader = AnswerReader()
        self._question: Question | None = None

    @staticmethod
    def carries(question: Question, answer: Answer) -> bool:
        """Carry everything."""
        return True

    async def ask(self, question: Question | None, expected: Answer) -> Given:
        """Send a request in single bytes and read its answer."""
        if question is not None:
            if self._protocol is None or self._reader.over:
                self._connect()
            self._question = question
            for byte in byte_by_byte(request_bytes(question)):
                self._protocol.dataReceived(byte)
        assert self._question is not None
        given = self._reader.next(b"", self._question, expected)
        while given is None:
            given = self._reader.next(await self._transport.written(), self._question, expected)
        return given

    def _connect(self) -> None:
        self._disconnect()
        address = IPv4Address("TCP", "127.0.0.1", 8000)
        self._reader = AnswerReader()
        self._transport = _Memory(self._reactor)
        self._protocol = self._factory.buildProtocol(address)
        self._protocol.makeConnection(self._transport)

    async def close(self) -> None:
        """Close the connection and the door."""
        self._disconnect()
        await self._closing()

    def _disconnect(self) -> None:
        if self._protocol is not None:
            self._protocol.connectionLost(Failure(connectionDone.value))


class _Memory(StringTransport):
    """A transport that tells when something is written."""

    def __init__(self, reactor: Any) -> None:
        start: Any = super().__init__  # Twisted's is not typed
        start(peerAddress=IPv4Address("TCP", "127.0.0.1", 40000))
        self._reactor = reactor
        self._goes_on = False  # answers that are too long for one piece
        self._unread = b""
        self._waiting: Deferred[None] | None = None

    def write(self, data: bytes) -> None:
        assert data.startswith(b"HTTP/1.1 ") or self._goes_on, "an answer is one write"
        self._goes_on = len(data) == PIECE
        self._unread += data
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def written(self) -> bytes:
        """Return what was written, as soon as there is something."""
        if not self._unread:
            assert not self.disconnecting, "the service closed the connection"
            self._waiting = Deferred()
            self._waiting.addTimeout(PATIENCE, self._reactor)
            await self._waiting
        data, self._unread = self._unread, b""
        return data
