"""The HTTP door on real sockets: what only a kernel, or TLS, can show."""

from __future__ import annotations

import datetime as dt
import os
import socket
import ssl
import struct
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread

from txpachube.api.messages import Request, Response
from txpachube.server.transports.http import HTTPFactory, Limits

reactor: Any = installed_reactor
GET = b"GET /a HTTP/1.1\r\n\r\n"
PATIENCE = 20.0
"""Seconds after which a client of these tests gives up; never reached when all is well."""


Test = TypeVar("Test", bound=Callable[..., Any])


def in_reactor(test: Test) -> Test:
    """Run a coroutine as a test while the reactor runs."""
    wrapped: Test = pytest_twisted.ensureDeferred(test)
    return wrapped


async def echo(request: Request) -> Response:
    """Answer with what was asked, and by whom."""
    return Response(200, f"{request.method} {request.scheme} {request.peer} {len(request.body)}".encode())


class Listener:
    """A factory that listens on a free port, with a clock of its own for the timeouts."""

    def __init__(self, handle: Callable[[Request], Awaitable[Response]], **options: Any) -> None:
        self.clock = Clock()
        self.factory = HTTPFactory(
            handle, reactor=self.clock, clock=lambda: time.time_ns() // 1000, random=os.urandom, **options
        )
        self.port: Any = None

    async def start(self, endpoint: str = "tcp:0:interface=127.0.0.1") -> Listener:
        self.port = await serverFromString(reactor, endpoint).listen(self.factory)
        return self

    async def stop(self) -> None:
        await maybeDeferred(self.port.stopListening)
        finished = self.factory.shutdown(grace=0)
        self.clock.advance(0)
        await finished

    @property
    def address(self) -> Any:
        return self.port.getHost()

    def connect(self) -> socket.socket:
        """Connect, in a thread."""
        client = socket.create_connection((self.address.host, self.address.port), PATIENCE)
        client.settimeout(PATIENCE)
        return client


@pytest.fixture
def listening() -> Any:
    """Give a function that starts a listener, which ends with the test."""
    started: list[Listener] = []

    async def start(
        handle: Callable[[Request], Awaitable[Response]] = echo, endpoint: str = "", **options: Any
    ) -> Listener:
        listener = Listener(handle, **options)
        await listener.start(*([endpoint] if endpoint else []))
        started.append(listener)
        return listener

    yield start
    for listener in started:
        pytest_twisted.blockon(Deferred.fromCoroutine(listener.stop()))


def read_answer(client: socket.socket) -> tuple[bytes, bytes]:
    """Read one answer as a device does: up to the empty line, then by Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(65536)
        assert more, f"closed within a head: {data!r}"
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        more = client.recv(65536)
        assert more, "closed within a body"
        body += more
    assert len(body) == length
    return head, body


def read_all(client: socket.socket) -> bytes:
    data = b""
    while more := client.recv(65536):
        data += more
    return data


@in_reactor
async def test_keep_alive(listening: Any) -> None:
    """One connection carries many requests; each answer arrives in one piece, without Nagle's delay."""
    listener = await listening()

    def client() -> list[bytes]:
        with listener.connect() as line:
            found = []
            for _ in range(50):
                line.sendall(GET)
                found.append(line.recv(65536).partition(b"\r\n\r\n")[2])
            return found

    assert await deferToThread(client) == [b"GET http 127.0.0.1 0"] * 50


@in_reactor
async def test_ipv6(listening: Any) -> None:
    """Over IPv6 all is the same."""
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6 here")
    listener = await listening(endpoint="tcp6:0:interface=\\:\\:1")

    def client() -> bytes:
        with listener.connect() as line:
            line.sendall(GET)
            return read_answer(line)[1]

    assert await deferToThread(client) == b"GET http ::1 0"


@in_reactor
async def test_unix_sockets(listening: Any, tmp_path: Path) -> None:
    """A local socket works too; its clients have no address."""
    await listening(endpoint=f"unix:{tmp_path / 'door'}")

    def client() -> bytes:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(PATIENCE)
            line.connect(str(tmp_path / "door"))
            line.sendall(GET)
            return read_answer(line)[1]

    assert await deferToThread(client) == b"GET http  0"


@in_reactor
async def test_close_is_prompt(listening: Any) -> None:
    """A device that reads until the end gets the end right behind the answer."""
    listener = await listening()

    def client() -> bytes:
        with listener.connect() as line:
            line.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return read_all(line)

    assert (await deferToThread(client)).endswith(b"GET http 127.0.0.1 0")


@in_reactor
async def test_half_closed_clients_are_answered(listening: Any) -> None:
    """``printf … | nc`` closes its sending side at once and still reads the answers, slow as they are."""

    async def slow(request: Request) -> Response:
        moment: Deferred[None] = Deferred()
        reactor.callLater(0, reactor.callLater, 0, moment.callback, None)
        await moment
        return await echo(request)

    listener = await listening(slow)

    def client() -> bytes:
        with listener.connect() as line:
            line.sendall(GET + GET)
            line.shutdown(socket.SHUT_WR)
            return read_all(line)

    assert (await deferToThread(client)).count(b"GET http 127.0.0.1 0") == 2


@in_reactor
async def test_a_refusal_arrives_although_the_client_sends_on(listening: Any) -> None:
    """413 reaches a client that sends its whole body before it reads; closing at once would reset it away."""
    listener = await listening()

    def client() -> bytes:
        with listener.connect() as line:
            line.sendall(b"PUT / HTTP/1.1\r\nContent-Length: 4000000\r\n\r\n")
            line.sendall(b"x" * 4_000_000)
            return read_all(line)

    answer = await deferToThread(client)
    assert answer.startswith(b"HTTP/1.1 413 Payload Too Large\r\n")
    assert answer.endswith(
        b'{"title":"Payload Too Large","errors":"The body may have at most 1048576 bytes"}'
    )


@in_reactor
async def test_draining_has_an_end(listening: Any) -> None:
    """A client that never stops sending after its refusal is cut off."""
    listener = await listening(limits=Limits(linger_bytes=100_000))

    def client() -> int:
        sent = 0
        with listener.connect() as line:
            line.sendall(b"rubbish\r\n\r\n")
            try:
                while sent < 100_000_000:
                    sent += line.send(b"x" * 50_000)
            except OSError:
                pass
        return sent

    assert await deferToThread(client) < 100_000_000


@in_reactor
async def test_lingering_has_an_end(listening: Any) -> None:
    """A client that neither reads on nor closes after its refusal is closed after a while."""
    listener = await listening(limits=Limits(linger_timeout=5))

    def refused() -> socket.socket:
        line: socket.socket = listener.connect()
        line.sendall(b"rubbish\r\n\r\n")
        assert read_all(line).startswith(b"HTTP/1.1 400 ")
        return line

    line = await deferToThread(refused)
    assert listener.factory.connection_count == 1
    listener.clock.pump([1] * 8)
    while listener.factory.connection_count:
        await turn()
    line.close()


async def turn() -> None:
    """Let the reactor run once."""
    moment: Deferred[None] = Deferred()
    reactor.callLater(0, moment.callback, None)
    await moment


BIG = bytes(range(256)) * 40_000  # 10 MB, more than any kernel buffers


@in_reactor
async def test_slow_readers_get_everything(listening: Any) -> None:
    """An answer larger than all buffers arrives whole at a client that begins late, and so do the next."""
    asked = 0

    async def handle(request: Request) -> Response:
        nonlocal asked
        asked += 1
        return Response(200, BIG if asked == 1 else b"small")

    listener = await listening(handle)

    def ask() -> socket.socket:
        line: socket.socket = listener.connect()
        line.sendall(GET * 3)
        return line

    line = await deferToThread(ask)
    for _ in range(50):
        await turn()
    assert asked == 1

    def read() -> tuple[bytes, bytes]:
        with line:
            line.sendall(b"GET / HTTP/1.0\r\n\r\n")
            data = read_all(line)
        rest = data.partition(b"\r\n\r\n")[2]
        return rest[: len(BIG)], rest[len(BIG) :]

    first, others = await deferToThread(read)
    assert first == BIG
    assert asked == 4
    assert others.count(b"small") == 3


@in_reactor
async def test_dead_readers_are_dropped(listening: Any) -> None:
    """A client that stops reading is dropped when nothing moved for long enough."""

    async def handle(request: Request) -> Response:
        return Response(200, BIG)

    listener = await listening(handle, limits=Limits(write_timeout=30))

    def ask() -> socket.socket:
        line: socket.socket = listener.connect()
        line.sendall(GET)
        line.recv(1000)
        return line

    line = await deferToThread(ask)
    for _ in range(50):
        await turn()
    listener.clock.pump([1] * 29)
    await turn()
    assert listener.factory.connection_count == 1
    while listener.factory.connection_count:
        listener.clock.advance(1)
        await turn()
    line.close()


@in_reactor
async def test_resets(listening: Any) -> None:
    """A client that breaks off in the middle of anything harms nobody."""
    later: list[Deferred[None]] = []

    async def handle(request: Request) -> Response:
        if request.path == "/later":
            later.append(Deferred())
            await later[-1]
        return Response(200, BIG)

    listener = await listening(handle)

    def break_off(data: bytes) -> None:
        line = listener.connect()
        line.sendall(data)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()

    for data in (b"", GET[:5], GET, GET * 100, b"rubbish\r\n", b"GET /later HTTP/1.1\r\n\r\n"):
        await deferToThread(break_off, data)
    for moment in later:
        moment.callback(None)
    while listener.factory.connection_count:
        await turn()

    def client() -> int:
        with listener.connect() as line:
            line.sendall(GET)
            return len(read_answer(line)[1])

    assert await deferToThread(client) == len(BIG)


@in_reactor
async def test_shutdown(listening: Any) -> None:
    """When the listener shuts down, what is in flight is answered and idle clients see the end."""
    waiting: list[Deferred[None]] = []

    async def handle(request: Request) -> Response:
        if request.path == "/slow":
            waiting.append(Deferred())
            await waiting[-1]
        return await echo(request)

    listener = await listening(handle)

    def prepare() -> tuple[socket.socket, socket.socket]:
        idle, busy = listener.connect(), listener.connect()
        idle.sendall(GET)
        read_answer(idle)
        busy.sendall(b"GET /slow HTTP/1.1\r\n\r\n")
        return idle, busy

    idle, busy = await deferToThread(prepare)
    while not waiting:
        await turn()
    finished: list[None] = []
    await listener.port.stopListening()
    listener.factory.shutdown().addCallback(finished.append)
    waiting[0].callback(None)

    def read() -> tuple[bytes, bytes]:
        with idle, busy:
            return read_all(idle), read_all(busy)

    rest, answer = await deferToThread(read)
    assert rest == b""
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"GET http 127.0.0.1 0")
    while not finished:
        await turn()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a key and a certificate for one test."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "door.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@in_reactor
async def test_tls(listening: Any, certificate: Path) -> None:
    """Over TLS requests are answered in order, large answers arrive whole, and the end is orderly."""

    async def handle(request: Request) -> Response:
        return Response(200, BIG if request.path == "/big" else request.scheme.encode())

    listener = await listening(handle, f"ssl:0:interface=127.0.0.1:privateKey={certificate}")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    def client() -> tuple[list[bytes], bytes]:
        with context.wrap_socket(listener.connect()) as line:
            found = []
            for path in (b"/", b"/big", b"/"):
                line.sendall(b"GET " + path + b" HTTP/1.1\r\n\r\n")
                found.append(read_answer(line)[1])
            line.sendall(b"rubbish\r\n\r\n")
            return found, read_all(line)

    found, last = await deferToThread(client)
    assert found == [b"https", BIG, b"https"]
    assert last.startswith(b"HTTP/1.1 400 Bad Request\r\n")
