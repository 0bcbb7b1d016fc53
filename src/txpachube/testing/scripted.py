"""
A server that does what a test tells it, faults included.

It listens on a free port of this machine. Each request that arrives, on whatever connection, takes the
next step of the script: bytes to send, or a function that does with the connection what it likes::

    server = ScriptedServer(reactor)
    server.play(answer(503, headers={"Retry-After": "1"}), cut(answer(200)[:40]), answer(200, b"{}"))
    await server.start()
    client = Client(base_url=server.url)

So a program can be shown how it behaves when a service is overloaded, slow, or dies in mid-sentence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import attrs
from httptools import HttpRequestParser
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IAddress, IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

__all__ = ["Line", "ReceivedRequest", "ScriptedServer", "Step", "answer", "cut", "silence"]


@attrs.frozen
class ReceivedRequest:
    """
    What arrived.

    Attributes:
        method: in capitals.
        target: path and query as sent.
        headers: by lower-case name.
        body: its bytes.
        line: the connection it came on.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    line: Line = attrs.field(repr=False)


class Line(Protocol):
    """
    One connection, seen from the server.

    Attributes:
        number: 1 for the first connection.
        lost: fires when the connection is closed, with the reason's exception.
    """

    def __init__(self, server: ScriptedServer, number: int) -> None:
        self.number = number
        self.lost: Deferred[BaseException | None] = Deferred()
        self._server = server
        self._parser = HttpRequestParser(self)
        self._begin()

    def _begin(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body = b""

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._stream.write(data)

    def close(self) -> None:
        """Close after everything is sent."""
        self._stream.loseConnection()

    def abort(self) -> None:
        """Close now; the other side sees a reset."""
        self._stream.abortConnection()

    @property
    def _stream(self) -> Any:
        return self.transport

    def connectionMade(self) -> None:
        """Count."""
        self._server.lines.append(self)

    def dataReceived(self, data: bytes) -> None:
        """Read requests."""
        self._parser.feed_data(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell who waits for it."""
        self.lost.callback(reason.value)

    def on_url(self, url: bytes) -> None:
        """Collect the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        """Collect the body."""
        self._body += data

    def on_message_complete(self) -> None:
        """Take the next step of the script."""
        method = self._parser.get_method().decode("ascii")
        request = ReceivedRequest(method, self._target.decode("latin-1"), self._headers, self._body, self)
        self._begin()
        self._server.received(request)


Step = bytes | Callable[[Line], object]
"""What is done at a request: bytes are sent, a function is called with the connection."""


class ScriptedServer(Factory):
    """
    Plays a script.

    Args:
        reactor: to listen with.
        endpoint: where, as an endpoint's string description.

    Attributes:
        requests: what has arrived.
        lines: the connections there have been, closed ones too.
        always: the step for requests after the end of the script; without one the connection is aborted.
    """

    noisy = False

    def __init__(self, reactor: Any, endpoint: str = "tcp:0:interface=127.0.0.1") -> None:
        self.requests: list[ReceivedRequest] = []
        self.lines: list[Line] = []
        self.always: Step | None = None
        self._reactor = reactor
        self._endpoint = endpoint
        self._script: deque[Step] = deque()
        self._expecting: list[Deferred[ReceivedRequest]] = []
        self._port: IListeningPort | None = None

    def play(self, *steps: Step) -> None:
        """Add steps to the script."""
        self._script.extend(steps)

    async def start(self) -> None:
        """Listen."""
        endpoint: IStreamServerEndpoint = serverFromString(self._reactor, self._endpoint)
        self._port = await endpoint.listen(self)

    async def stop(self) -> None:
        """Stop listening, close what is open, wait until it is."""
        if self._port is not None:
            port, self._port = self._port, None
            await maybeDeferred(port.stopListening)
        open_lines = [line for line in self.lines if not line.lost.called]
        for line in open_lines:
            line.abort()
        await DeferredList([line.lost for line in open_lines])

    @property
    def port(self) -> int:
        """The TCP port."""
        assert self._port is not None, "not started"
        host: Any = self._port.getHost()
        number: int = host.port
        return number

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return f"http://127.0.0.1:{self.port}"

    def next_request(self) -> Deferred[ReceivedRequest]:
        """Return a Deferred that fires with the next request that arrives, after its step was taken."""
        arrival: Deferred[ReceivedRequest] = Deferred()
        self._expecting.append(arrival)
        return arrival

    def buildProtocol(self, addr: IAddress | None) -> Line:
        """Take a connection."""
        return Line(self, len(self.lines) + 1)

    def received(self, request: ReceivedRequest) -> None:
        """Take the next step."""
        self.requests.append(request)
        step = self._script.popleft() if self._script else self.always
        if step is None:
            request.line.abort()
        elif isinstance(step, bytes):
            request.line.write(step)
        else:
            step(request.line)
        expecting, self._expecting = self._expecting, []
        for arrival in expecting:
            arrival.callback(request)


def answer(
    status: int = 200,
    body: bytes = b"",
    content_type: str = "application/json; charset=utf-8",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return a complete answer as the service would send it."""
    fields = {"Content-Type": content_type, "Content-Length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{head}\r\n".encode("latin-1") + body


def cut(data: bytes) -> Step:
    """Return a step that sends bytes and closes the connection."""

    def step(line: Line) -> None:
        line.write(data)
        line.close()

    return step


def silence(line: Line) -> None:
    """Be a step that sends nothing and leaves the connection open."""
