"""The socket client over WebSocket and over TLS."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import blockon
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.internet.task import Clock, deferLater
from websockets.frames import Frame, Opcode

from txpachube import Environment, errors
from txpachube.client import PAWSClient, RetryPolicy
from txpachube.client.paws_line import CLOSE_SECONDS
from txpachube.testing.certificates import self_signed
from txpachube.testing.scripted import Line, silence
from txpachube.testing.scripted_socket import ScriptedSocket, push, reply, says
from txpachube.testing.scripted_websocket import ScriptedWebSocket, WebSocketServerLine

FEED = {"id": 504, "title": "Greenhouse"}


@pytest.fixture
def server() -> Iterator[ScriptedWebSocket]:
    """Return a server that listens and has an empty script."""
    server = ScriptedWebSocket(reactor)
    blockon(Deferred.fromCoroutine(server.start()))
    yield server
    blockon(Deferred.fromCoroutine(server.stop()))


def make_client(server: ScriptedSocket, **arguments: Any) -> PAWSClient:
    given = {
        "url": server.url,
        "timeout": 20,
        "replay": False,
        "retry": RetryPolicy(first_delay=0, longest_delay=0),
        "environ": {},
        **arguments,
    }
    return PAWSClient("the-key", 504, **given)


@pytest.fixture
def client(server: ScriptedWebSocket) -> Iterator[PAWSClient]:
    """Return a client that is connected and repeats without waiting."""
    client = make_client(server)
    assert blockon(client.connect()) is True
    yield client
    blockon(client.disconnect())


async def turns(count: int = 10) -> None:
    """Let the reactor go round a few times."""
    for _ in range(count):
        await deferLater(reactor, 0)


async def until(condition: Callable[[], Any]) -> None:
    """Let the reactor go round until something is so; the test's own time limit ends it."""
    while not condition():
        await turns(1)


def last_line(server: ScriptedWebSocket) -> WebSocketServerLine:
    line = server.lines[-1]
    assert isinstance(line, WebSocketServerLine)
    return line


def in_frames(*frames: Frame) -> bytes:
    return b"".join(frame.serialize(mask=False) for frame in frames)


async def test_calls_and_pushes(server: ScriptedWebSocket) -> None:
    """Messages are the same in frames; the path of the URL is asked for."""
    client = make_client(server, url=server.url + "/any/path")
    assert await client.connect() is True
    server.play(says(200, FEED), says(200))
    assert (await client.read_feed()).title == "Greenhouse"
    given: list[Environment] = []
    await client.subscribe("/feeds/504", given.append)
    line = last_line(server)
    assert line.path == "/any/path"
    line.write(push(line.message, FEED))
    await until(lambda: given)
    assert given[0].title == "Greenhouse"
    assert await client.disconnect() is True
    await line.lost
    assert [frame.opcode for frame in line.frames] == [Opcode.CLOSE]


async def test_a_message_in_pieces(server: ScriptedWebSocket, client: PAWSClient) -> None:
    """A message may come in several frames with others between, and frames in several packets."""

    def fragments(line: Line) -> None:
        assert isinstance(line, WebSocketServerLine)
        text = reply(line.message, 200, FEED)
        data = in_frames(
            Frame(Opcode.BINARY, b"not ours"),
            Frame(Opcode.TEXT, text[:10], fin=False),
            Frame(Opcode.PING, b"!"),
            Frame(Opcode.CONT, text[10:20], fin=False),
            Frame(Opcode.CONT, text[20:]),
        )

        def dribble(rest: bytes) -> None:
            line.write_raw(rest[:1])
            if rest[1:]:
                reactor.callLater(0, dribble, rest[1:])

        dribble(data)

    server.play(fragments)
    assert (await client.read_feed()).title == "Greenhouse"
    await until(lambda: last_line(server).frames)
    assert [(frame.opcode, bytes(frame.data)) for frame in last_line(server).frames] == [(Opcode.PONG, b"!")]


async def test_a_service_that_says_goodbye(server: ScriptedWebSocket, client: PAWSClient) -> None:
    """It is answered in good order, and the client comes back."""
    server.play(says(200, FEED))
    await client.read_feed()
    last_line(server).say_goodbye()
    await server.lines[0].lost
    server.play(says(200, FEED))
    await client.read_feed()
    assert len(server.lines) == 2


async def test_a_service_that_says_goodbye_and_stays(server: ScriptedWebSocket) -> None:
    """A service that does not close after its goodbye is left."""
    clock = Clock()
    endpoint = HostnameEndpoint(reactor, "127.0.0.1", server.port)
    client = make_client(server, endpoint=endpoint, reactor=clock)
    await client.connect()
    line = last_line(server)
    line.flush = lambda: None  # type: ignore[method-assign] # it does not answer any more
    line.write_raw(in_frames(Frame(Opcode.CLOSE, b"\x03\xe9")))
    await until(lambda: len(clock.getDelayedCalls()) == 2)
    await turns()
    clock.advance(CLOSE_SECONDS)
    await line.lost
    await client.disconnect()
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\xff\xff\xff\xff",
        in_frames(Frame(Opcode.CONT, b"{}")),
        b"\x81\x7f\x00\x00\x00\x00\x40\x00\x00\x00",
        b'{"status":200}\n',
    ],
)
async def test_what_is_not_a_frame(server: ScriptedWebSocket, client: PAWSClient, rubbish: bytes) -> None:
    """After rubbish, and after the beginning of a frame that is too large, there is a new connection."""

    def spoil(line: Line) -> None:
        assert isinstance(line, WebSocketServerLine)
        line.write_raw(rubbish)

    server.play(spoil, says(200, FEED))
    assert (await client.read_feed()).title == "Greenhouse"
    await server.lines[0].lost
    assert len(server.lines) == 2


async def test_frames_that_are_no_messages(server: ScriptedWebSocket, client: PAWSClient) -> None:
    """A frame with something else in it is skipped."""

    def noise(line: Line) -> None:
        assert isinstance(line, WebSocketServerLine)
        line.write(b"hello")
        line.write(b"[]")
        line.write_raw(in_frames(Frame(Opcode.TEXT, b"\xff")))
        line.write(reply(line.message, 200, FEED))

    server.play(noise)
    assert (await client.read_feed()).title == "Greenhouse"
    assert len(server.lines) == 1


class HttpLine(Line):
    """A connection that sends something in answer to the handshake, or to a part of it."""

    def dataReceived(self, data: bytes) -> None:
        """Answer once."""
        self._headers["request"] = self._headers.get("request", "") + data.decode("latin-1")
        if data.endswith(b"\r\n\r\n"):
            self._server.received(self)  # type: ignore[arg-type] # the script is played in another way


class HttpServer(ScriptedWebSocket):
    """Answers handshakes with what the test says."""

    def __init__(self, answers: list[bytes], closes: bool) -> None:
        super().__init__(reactor)
        self.answers = answers
        self.closes = closes

    def buildProtocol(self, addr: Any) -> Line:
        return HttpLine(self, len(self.lines) + 1)

    def received(self, request: Any) -> None:
        line: Line = request
        line.write(self.answers[min(len(self.lines), len(self.answers)) - 1])
        if self.closes:
            line.close()


def accepted(line: Line) -> bytes:
    """Return the answer that accepts a handshake."""
    key = re.search(r"Sec-WebSocket-Key: (\S+)", line._headers["request"])
    assert key is not None
    digest = hashlib.sha1((key[1] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )


REFUSED_KEY = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: AAAA\r\n\r\n"
)


@pytest.mark.parametrize(
    ("answer", "closes", "reason"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", False, "404"),
        (b"HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\n\r\nno", True, "426"),
        (b'{"status":400,"body":"Syntax Error"}\n', False, "no WebSocket there"),
        (REFUSED_KEY, False, "Sec-WebSocket-Accept"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", False, "200"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", False, "no WebSocket there"),
        (b"", True, "broke before it was ready"),
        (b"HTTP/1.1 101 Switch", True, "broke before it was ready"),
        (b"x" * 100_000, False, "no WebSocket there"),
    ],
)
async def test_a_handshake_that_fails(answer: bytes, closes: bool, reason: str) -> None:
    """Who does not speak WebSocket is no connection; the error of a call tells why."""
    server = HttpServer([answer], closes)
    await server.start()
    client = make_client(server, timeout=0.3, retry=RetryPolicy(first_delay=0.1))
    assert await client.connect() is False
    assert not client.connected
    with pytest.raises(errors.RequestTimeout, match=reason):
        await client.read_feed()
    assert await client.disconnect() is True
    await server.stop()


async def test_a_handshake_cut_anywhere() -> None:
    """Wherever the handshake breaks off, the next attempt is made, and the call goes through."""
    server = ScriptedWebSocket(reactor)
    await server.start()
    length = len(accepted_example())
    for cut_at in range(0, length, 5):
        client = make_client(server)
        build = server.buildProtocol

        def broken(addr: Any, cut_at: int = cut_at) -> Line:
            line = CutHandshake(server, len(server.lines) + 1)
            line.cut_at = cut_at
            return line

        server.buildProtocol = broken  # type: ignore[method-assign] # for one connection
        assert await client.connect() is False
        server.buildProtocol = build  # type: ignore[method-assign] # back again
        server.play(says(200, FEED))
        assert (await client.read_feed()).id == 504
        await client.disconnect()
    await server.stop()


def accepted_example() -> bytes:
    line = HttpLine(ScriptedWebSocket(reactor), 1)
    line._headers["request"] = "Sec-WebSocket-Key: x"
    return accepted(line)


class CutHandshake(HttpLine):
    """Accepts a handshake, but not to the end."""

    cut_at = 0

    def dataReceived(self, data: bytes) -> None:
        """Answer and close."""
        self._headers["request"] = data.decode("latin-1")
        self.write(accepted(self)[: self.cut_at])
        self.close()


async def test_a_cut_push(server: ScriptedWebSocket) -> None:
    """Wherever the frame of a push breaks off, nothing half is given, and what was missed is read."""
    client = make_client(server, replay=True)
    await client.connect()
    given: list[Environment] = []
    number = 0

    def state() -> dict[str, Any]:
        point = {"at": f"2013-06-01T00:{number // 60:02}:{number % 60:02}.000000Z", "value": str(number)}
        stream = {"id": "a", "at": point["at"], "current_value": point["value"], "datapoints": [point]}
        return {"id": 504, "datastreams": [stream]}

    def always(line: Line) -> None:
        assert isinstance(line, WebSocketServerLine)
        body = state() if line.message["method"] == "get" else None
        line.write(reply(line.message, 200, body))

    server.always = always
    await client.subscribe("/feeds/504", given.append)
    subscription = last_line(server).message
    frame = in_frames(Frame(Opcode.TEXT, push(subscription, state()).rstrip()))
    for cut_at in range(len(frame)):
        line = last_line(server)
        number += 1
        frame = in_frames(Frame(Opcode.TEXT, push(subscription, state()).rstrip()))
        line.write_raw(frame[:cut_at])
        line.close()
        await until(lambda: len(given) == number)  # noqa: B023 - it is called at once
    seen = [str(each.datastreams["a"].current_value) for each in given if each.datastreams]
    assert seen == [str(n + 1) for n in range(number)]
    await client.disconnect()


async def test_a_slow_service_at_the_end(server: ScriptedWebSocket) -> None:
    """A service that does not answer the goodbye is left after a while."""
    clock = Clock()
    client = make_client(server, endpoint=HostnameEndpoint(reactor, "127.0.0.1", server.port), reactor=clock)
    await client.connect()
    last_line(server).dataReceived = lambda data: None  # type: ignore[method-assign] # it is deaf
    done: list[bool] = []
    client.disconnect().addCallback(done.append)
    await turns()
    assert done == []
    clock.advance(CLOSE_SECONDS)
    await until(lambda: done)
    assert clock.getDelayedCalls() == []


def test_without_the_library() -> None:
    """Without websockets the error says what to install, and TCP works."""
    program = (
        "import sys; sys.modules['websockets'] = None; sys.modules['websockets.client'] = None\n"
        "from txpachube.client import PAWSClient\n"
        "from txpachube import Error\n"
        "PAWSClient(environ={})\n"
        "try: PAWSClient(url='ws://127.0.0.1', environ={})\n"
        "except Error as problem: print(problem)\n"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert "pip install 'txpachube[websocket]'" in printed.stdout


# TLS


@pytest.mark.parametrize("kind", [ScriptedSocket, ScriptedWebSocket])
async def test_tls(tmp_path: Path, kind: type[ScriptedSocket]) -> None:
    """Over TLS everything is the same: calls, a break, a consumer that lags, the end."""
    pem = tmp_path / "server.pem"
    self_signed(pem)
    server = kind(reactor, f"ssl:0:interface=127.0.0.1:privateKey={pem}:certKey={pem}")
    await server.start()
    trust = trustRootFromCertificates([Certificate.loadPEM(pem.read_bytes())])
    endpoint = wrapClientTLS(
        optionsForClientTLS("127.0.0.1", trustRoot=trust), HostnameEndpoint(reactor, "127.0.0.1", server.port)
    )
    scheme = "wss" if kind is ScriptedWebSocket else "tls"
    client = make_client(server, url=f"{scheme}://127.0.0.1:{server.port}", endpoint=endpoint)
    assert await client.connect() is True
    server.play(says(200, FEED), lambda line: line.abort(), says(200, FEED), says(200))
    assert (await client.read_feed()).id == 504
    assert (await client.read_feed()).id == 504
    subscription = client.subscribe("/feeds/504")
    await subscription
    line: Any = server.lines[-1]
    for _ in range(300):
        line.write(push(line.message, {**FEED, "description": "x" * 20_000}))
    await until(lambda: subscription.congested)
    count = 0
    async for _ in subscription:
        count += 1
        if count == 300:
            break
    assert await client.disconnect() is True
    await line.lost
    await server.stop()


@pytest.mark.parametrize("scheme", ["tls", "wss"])
async def test_a_certificate_that_is_not_trusted(tmp_path: Path, scheme: str) -> None:
    """A service that cannot prove who it is gets no key."""
    pem = tmp_path / "server.pem"
    self_signed(pem)
    server = ScriptedSocket(reactor, f"ssl:0:interface=127.0.0.1:privateKey={pem}:certKey={pem}")
    server.always = silence
    await server.start()
    client = make_client(
        server, url=f"{scheme}://127.0.0.1:{server.port}", timeout=0.5, retry=RetryPolicy(first_delay=0.1)
    )
    assert await client.connect() is False
    with pytest.raises(errors.RequestTimeout, match="certificate"):
        await client.read_feed()
    assert server.requests == []
    await client.disconnect()
    await server.stop()
