"""Connections of the HTTP door on a transport in memory: order, pressure, time, and ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from zope.interface import implementer

from txpachube.api.messages import Request, Response
from txpachube.api.problems import bad_request
from txpachube.server.transports.http import HTTPFactory, Limits

GET = b"GET /a HTTP/1.1\r\n\r\n"
LIMITS = Limits(
    idle_timeout=100, head_timeout=20, body_timeout=30, body_rate=10, write_timeout=40, linger_timeout=5
)


def put(path: str, body: bytes = b"", headers: bytes = b"") -> bytes:
    return b"PUT %b HTTP/1.1\r\nContent-Length: %d\r\n%b\r\n%b" % (path.encode(), len(body), headers, body)


async def echo(request: Request) -> Response:
    """Answer with what was asked."""
    return Response(200, f"{request.method} {request.path} ".encode() + request.body)


class Later:
    """A handler that answers when the test says so."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.waiting: list[Deferred[str]] = []

    async def __call__(self, request: Request) -> Response:
        self.asked.append(request.path)
        self.waiting.append(Deferred())
        first = await self.waiting[-1]
        return Response(200, first.encode())


class Door:
    """A factory in memory, its clock, and connections to it."""

    def __init__(self, handle: Callable[[Request], Awaitable[Response]] = echo, **options: Any) -> None:
        self.clock = Clock()
        options.setdefault("limits", LIMITS)
        self.factory = HTTPFactory(
            handle, reactor=self.clock, clock=lambda: 0, random=lambda width: b"\xab" * width, **options
        )

    def connect(self, address: Any = None) -> Line:
        return Line(self, address)

    def wait(self, seconds: float) -> None:
        """Let time pass as a reactor does, in small steps."""
        self.clock.pump([0.5] * round(seconds * 2))


class Line:
    """One client's connection."""

    def __init__(self, door: Door, address: Any = None) -> None:
        self.transport: Any = StringTransport(peerAddress=address)
        self.protocol = door.factory.buildProtocol(None)
        assert self.protocol is not None
        self.protocol.makeConnection(self.transport)

    def send(self, data: bytes) -> Line:
        self.protocol.dataReceived(data)
        return self

    @property
    def closed(self) -> bool:
        return bool(self.transport.disconnecting)

    def lose(self) -> None:
        self.protocol.connectionLost()

    def answers(self) -> list[tuple[int, dict[str, str], bytes]]:
        """Take what was received apart, trusting nothing but Content-Length."""
        return parsed(self.transport.value())

    def bodies(self) -> list[bytes]:
        return [body for _, _, body in self.answers()]


def parsed(data: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    found = []
    while data:
        head, end, rest = data.partition(b"\r\n\r\n")
        assert end
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        length = int(headers.get("Content-Length", 0))
        assert len(rest) >= length
        found.append((int(status.split()[1]), headers, rest[:length]))
        data = rest[length:]
    return found


@pytest.fixture
def logged() -> Any:
    """Collect what is logged as an error, by the text or with the exception."""
    events: list[Any] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        if event["log_level"] >= LogLevel.error:
            events.append(event["log_failure"].value if "log_failure" in event else event["log_format"])

    globalLogPublisher.addObserver(observe)
    yield events
    globalLogPublisher.removeObserver(observe)


def test_requests_are_answered_in_one_write_each() -> None:
    """A request gets its answer, the connection stays, and so does the next one's."""
    line = Door().connect()
    writes: list[bytes] = []
    write = line.transport.write

    def noted(data: bytes) -> None:
        writes.append(data)
        write(data)

    line.transport.write = noted
    line.send(put("/x", b"1"))
    line.send(GET)
    assert line.bodies() == [b"PUT /x 1", b"GET /a "]
    assert len(writes) == 2
    assert not line.closed


def test_pipelined_requests_are_answered_in_order() -> None:
    """Many requests in one packet are answered in order, in few writes."""
    line = Door().connect().send(b"".join(put(f"/{number}", b"x" * number) for number in range(300)))
    assert line.bodies() == [b"PUT /%d " % number + b"x" * number for number in range(300)]


def test_slow_answers_keep_the_order() -> None:
    """The next request is not begun before the one before it was answered, however they are answered."""
    later = Later()
    line = Door(later).connect().send(put("/1") + put("/2")).send(put("/3") + put("/4")[:5])
    assert later.asked == ["/1"]
    later.waiting[0].callback("one")
    assert later.asked == ["/1", "/2"]
    later.waiting[1].callback("two")
    line.send(put("/4")[5:])
    later.waiting[2].callback("three")
    assert later.asked == ["/1", "/2", "/3", "/4"]
    assert line.bodies() == [b"one", b"two", b"three"]


def test_one_slow_line_does_not_hold_up_another() -> None:
    """A request that waits is in nobody's way but its own connection's."""
    later = Later()
    door = Door(later)
    first, second = door.connect().send(GET), door.connect().send(GET)
    later.waiting[1].callback("second")
    assert second.bodies() == [b"second"]
    assert first.bodies() == []


def test_a_coroutine_may_wait_often() -> None:
    """Deferreds that have fired, and that fire later, with results and with failures, are all awaited."""
    steps: list[Deferred[int]] = [Deferred(), Deferred()]

    async def handle(request: Request) -> Response:
        total = await succeed(1) + await steps[0]
        try:
            await steps[1]
        except KeyError:
            total += 10
        return Response(200, b"%d" % (total + await succeed(100)))

    line = Door(handle).connect().send(GET)
    steps[0].callback(5)
    steps[1].errback(KeyError())
    assert line.bodies() == [b"116"]


def test_a_deferred_will_do() -> None:
    """The handler may return a Deferred as well as a coroutine."""
    answer: Deferred[Response] = Deferred()
    line = Door(lambda request: answer).connect().send(GET + GET)
    answer.callback(Response(200, b"x"))
    assert line.bodies()[0] == b"x"


async def _raise(request: Request) -> Response:
    raise KeyError("the handler is broken")


async def _raise_later(request: Request) -> Response:
    await Deferred.fromCoroutine(_raise(request))
    return Response(200)


def _raise_at_once(request: Request) -> Awaitable[Response]:
    raise KeyError("broken before it began")


async def _inject(request: Request) -> Response:
    return Response(201, location="a\r\nb: c")


async def _nothing(request: Request) -> Any:
    return None


class _Foreign:
    def __await__(self) -> Any:
        yield "what is this?"


async def _await_foreign(request: Request) -> Any:
    await _Foreign()


async def _raise_much_later(request: Request) -> Response:
    moments.append(Deferred())
    await moments[-1]
    raise KeyError("broken behind a wait")


async def _await_foreign_later(request: Request) -> Any:
    moments.append(Deferred())
    await moments[-1]
    await _Foreign()


moments: list[Deferred[None]] = []


@pytest.mark.parametrize(
    "handle",
    [
        _raise,
        _raise_later,
        _raise_at_once,
        _inject,
        _nothing,
        _await_foreign,
        _await_foreign_later,
        _raise_much_later,
    ],
)
def test_a_broken_handler(handle: Any, logged: list[Exception]) -> None:
    """When answering fails the client gets 500 and nothing else, the log gets the rest, and life goes on."""
    line = Door(handle).connect().send(GET + GET).send(GET)
    while moments:
        moments.pop().callback(None)
    answers = line.answers()
    assert [status for status, _, _ in answers] == [500, 500, 500]
    assert answers[0][2] == (
        b'{"title":"Internal Server Error","errors":"The service failed to answer this request"}'
    )
    assert not line.closed
    assert len(logged) == 3


def test_refusals() -> None:
    """A broken request gets 400 with the JSON error body and the end of the connection."""
    line = Door().connect().send(GET + b"GET /a HTTP/1.1\nHost: a\n\n" + GET)
    (first, _, _), (status, headers, body) = line.answers()
    assert (first, status) == (200, 400)
    assert headers["Connection"] == "close"
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert body == b'{"title":"Bad Request","errors":"Expected CRLF after version"}'
    assert line.closed
    line.send(GET * 10)
    assert len(line.answers()) == 2


def test_refusal_waits_for_its_turn() -> None:
    """A broken request behind one that is being answered is refused after that answer."""
    later = Later()
    line = Door(later).connect().send(GET + b"rubbish\r\n\r\n")
    assert line.answers() == []
    later.waiting[0].callback("x")
    assert [status for status, _, _ in line.answers()] == [200, 400]
    assert line.closed


def test_too_long_a_body() -> None:
    """A body that is announced too long gets 413 before any of it came, and no 100."""
    line = Door().connect()
    line.send(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1048577\r\n\r\n")
    assert [status for status, _, _ in line.answers()] == [413]
    assert line.closed


@pytest.mark.parametrize(
    ("request_bytes", "connection", "closed"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", None, False),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "close", True),
        (b"GET / HTTP/1.0\r\n\r\n", "close", True),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive", False),
    ],
)
@pytest.mark.parametrize("slow", [False, True])
def test_keep_alive(request_bytes: bytes, connection: str | None, closed: bool, slow: bool) -> None:
    """The connection stays or ends as the client wishes, and the answer says so where it must."""
    later = Later()
    line = Door(later if slow else echo).connect().send(request_bytes)
    if slow:
        later.waiting[0].callback("")
    ((_, headers, _),) = line.answers()
    assert headers.get("Connection") == connection
    assert line.closed is closed


def test_head_requests() -> None:
    """HEAD gets the head alone, so that the next answer is where the client looks for it."""
    line = Door().connect().send(b"HEAD /a HTTP/1.1\r\n\r\n" + GET)
    first, _, rest = line.transport.value().partition(b"\r\n\r\n")
    assert b"Content-Length: 8\r\n" in first
    assert [body for _, _, body in parsed(rest)] == [b"GET /a "]


def test_expect_is_answered_at_once() -> None:
    """A client that waits for permission to send its body gets it, after all answers before."""
    later = Later()
    line = Door(later).connect()
    line.send(GET + put("/x", b"abcd", b"Expect: 100-continue\r\n")[:-4])
    assert line.transport.value() == b""
    later.waiting[0].callback("first")
    assert line.transport.value().endswith(b"first" + b"HTTP/1.1 100 Continue\r\n\r\n")
    line.transport.clear()
    line.send(b"abcd")
    later.waiting[1].callback("second")
    assert line.bodies() == [b"second"]


def test_back_pressure() -> None:
    """A client that sends on while its request is being answered is not read beyond a limit."""
    later = Later()
    limits = Limits(held_bytes=1000)
    line = Door(later, limits=limits).connect().send(GET)
    line.send(GET * 50)
    assert line.transport.producerState == "producing"
    line.send(GET * 50)
    assert line.transport.producerState == "paused"
    for number in range(101):
        later.waiting[number].callback(str(number))
    assert line.transport.producerState == "producing"
    assert line.bodies() == [b"%d" % number for number in range(101)]


def never_read(line: Line) -> None:
    """Make the transport say after each write that it has more than enough."""
    write = line.transport.write

    def congested(data: bytes) -> None:
        write(data)
        line.transport.producer.pauseProducing()

    line.transport.write = congested


def test_a_client_that_does_not_read() -> None:
    """While a client does not read its answers no more of its requests are begun."""
    asked: list[str] = []

    async def handle(request: Request) -> Response:
        asked.append(request.path)
        return Response(200, b"x" * 200_000)

    line = Door(handle).connect()
    never_read(line)
    line.send(GET * 3)
    assert len(asked) == 1
    assert len(line.transport.value()) == 65536
    line.send(GET)
    assert len(asked) == 1
    while len(asked) < 4:
        before = len(line.transport.value())
        line.transport.producer.resumeProducing()
        assert len(line.transport.value()) - before <= 2 * 65536
    for _ in range(4):
        line.transport.producer.resumeProducing()
    assert line.bodies() == [b"x" * 200_000] * 4


@pytest.mark.parametrize("last", [b"GET / HTTP/1.0\r\n\r\n", b"rubbish\r\n\r\n"])
def test_the_end_waits_for_the_reader(last: bytes) -> None:
    """The last answer of a connection is sent to its end before the connection is closed."""

    async def handle(request: Request) -> Response:
        return Response(200, b"x" * 200_000)

    line = Door(handle).connect()
    never_read(line)
    line.send((GET if last.startswith(b"rubbish") else b"") + last + GET)
    steps = 0
    while not line.closed:
        line.send(b"thrown away")
        line.transport.producer.resumeProducing()
        steps += 1
    assert steps > 3
    statuses = [status for status, _, _ in line.answers()]
    assert statuses == ([200, 400] if last.startswith(b"rubbish") else [200])


def test_large_pipelined_answers_are_not_piled_up() -> None:
    """Answers to many requests of one packet are written as they come when they are large."""

    async def handle(request: Request) -> Response:
        return Response(200, b"x" * 30_000)

    line = Door(handle).connect()
    never_read(line)
    line.send(GET * 20)
    assert 0 < len(line.transport.value()) < 200_000
    for _ in range(40):
        line.transport.producer.resumeProducing()
    assert line.bodies() == [b"x" * 30_000] * 20


def test_slow_readers_are_dropped() -> None:
    """A client that takes nothing of its answer for too long is dropped; one that takes a little is not."""

    async def handle(request: Request) -> Response:
        return Response(200, b"x" * 200_000)

    door = Door(handle)
    slow, dead = door.connect(), door.connect()
    for line in (slow, dead):
        never_read(line)
        line.send(GET)
    for _ in range(3):
        door.wait(35)
        slow.transport.producer.resumeProducing()
    assert dead.transport.disconnected
    assert not slow.transport.disconnecting


def test_idle_connections_are_closed() -> None:
    """A connection without requests is closed without a word, and each answer starts the wait anew."""
    door = Door()
    silent, used = door.connect(), door.connect()
    door.wait(90)
    used.send(GET)
    door.wait(12)
    assert silent.closed
    assert silent.transport.value() == b""
    door.wait(80)
    states = [used.closed]
    door.wait(12)
    assert [*states, used.closed] == [False, True]
    assert len(used.answers()) == 1


def test_empty_lines_do_not_keep_a_connection() -> None:
    """Line ends between requests are no sign of life."""
    door = Door()
    line = door.connect()
    for _ in range(103):
        line.send(b"\r\n")
        door.wait(1)
    assert line.closed


def test_slow_heads() -> None:
    """A head that comes too slowly gets 408, though each byte comes in time."""
    door = Door()
    line = door.connect()
    seen = []
    for byte in b"GET / HTTP/1.1\r\nX: yyyyyy":
        line.send(bytes([byte]))
        seen.append(line.closed)
        door.wait(1)
    assert seen == [False] * 22 + [True] * 3
    ((status, headers, body),) = line.answers()
    assert status == 408
    assert headers["Connection"] == "close"
    assert body == b'{"title":"Request Timeout","errors":"The request was not complete in time"}'
    assert line.closed


def test_slow_heads_of_devices() -> None:
    """A device may take its time for each byte as long as the whole comes in time."""
    door = Door()
    line = door.connect()
    for _ in range(10):
        for byte in b"GET / HTTP/1.1\r\n\r\n":
            line.send(bytes([byte]))
            door.wait(1)
    assert len(line.answers()) == 10


def test_slow_bodies() -> None:
    """A body may take its time, and longer the more of it came; one that stops coming gets 408."""
    door = Door()
    stopped, steady = door.connect(), door.connect()
    stopped.send(put("/", b"x" * 1000)[:-1000])
    steady.send(put("/", b"x" * 1000)[:-1000])
    for _ in range(100):
        door.wait(1)
        steady.send(b"x" * 10)
    assert [status for status, _, _ in stopped.answers()] == [408]
    assert [status for status, _, _ in steady.answers()] == [200]


def test_our_own_slowness_is_no_timeout() -> None:
    """A request that is being answered is never timed out, and neither is what waits behind it."""
    later = Later()
    door = Door(later)
    line = door.connect().send(GET + GET[:5])
    door.wait(500)
    assert not line.closed
    later.waiting[0].callback("x")
    assert line.bodies() == [b"x"]
    door.wait(23)
    assert line.answers()[-1][0] == 408


def test_a_connection_that_will_not_close_is_broken_off() -> None:
    """When the last bytes of a closing connection are not taken it is dropped."""
    door = Door()
    line = door.connect().send(b"GET / HTTP/1.0\r\n\r\n")
    assert line.closed
    door.wait(42)
    assert line.transport.disconnected


def test_no_timer_without_connections() -> None:
    """A listener without connections leaves nothing in the reactor."""
    door = Door()
    lines = [door.connect() for _ in range(3)]
    assert len(door.clock.getDelayedCalls()) == 1
    for line in lines:
        line.lose()
    door.wait(2)
    assert door.clock.getDelayedCalls() == []
    assert door.factory.connection_count == 0


def test_lost_connections() -> None:
    """When the client is gone its request is finished for nobody, and what waited behind it is not begun."""
    later = Later()
    line = Door(later).connect().send(GET + GET)
    line.lose()
    later.waiting[0].callback("x")
    assert later.asked == ["/a"]
    assert line.transport.value() == b""


@pytest.mark.parametrize("slow", [False, True])
def test_half_closed_by_the_client(slow: bool) -> None:
    """A program that closes its sending side behind its requests still gets all answers."""
    later = Later()
    line = Door(later if slow else echo).connect().send(GET + GET)
    line.protocol.readConnectionLost()
    for number in range(2 if slow else 0):
        assert not line.closed
        later.waiting[number].callback("x")
    assert len(line.answers()) == 2
    assert line.closed


def test_too_many_connections() -> None:
    """Beyond the limit connections are turned away and counted in the log, until one ends."""
    warnings: list[Any] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        if event["log_level"] == LogLevel.warn:
            warnings.append(event["count"])

    door = Door(limits=Limits(connections=2))
    first, _ = door.connect(), door.connect()
    globalLogPublisher.addObserver(observe)
    try:
        assert door.factory.buildProtocol(None) is None
        assert door.factory.buildProtocol(None) is None
        door.wait(5)
    finally:
        globalLogPublisher.removeObserver(observe)
    assert warnings == [2]
    first.lose()
    assert door.connect().send(GET).bodies() == [b"GET /a "]


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        (IPv4Address("TCP", "192.0.2.7", 1234), "192.0.2.7"),
        (IPv6Address("TCP", "2001:db8::7", 1234), "2001:db8::7"),
        (IPv6Address("TCP", "fe80::7%eth0", 1234), "fe80::7"),
        (IPv6Address("TCP", "::ffff:192.0.2.7", 1234), "192.0.2.7"),
        (UNIXAddress("/run/x"), ""),
    ],
)
def test_peers(address: Any, peer: str) -> None:
    """The handler learns the client's address in the spelling that permissions are written in."""
    seen: list[Request] = []

    async def handle(request: Request) -> Response:
        seen.append(request)
        return Response(200)

    Door(handle).connect(address).send(GET)
    assert (seen[0].peer, seen[0].scheme) == (peer, "http")


def test_trusted_proxies() -> None:
    """Only a listener that was told so believes what a proxy says."""
    seen: list[str] = []

    async def handle(request: Request) -> Response:
        seen.append(f"{request.scheme} {request.peer}")
        return Response(200)

    data = b"GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n\r\n"
    address = IPv4Address("TCP", "10.0.0.1", 1234)
    Door(handle).connect(address).send(data)
    Door(handle, trust_forwarded=True).connect(address).send(data)
    assert seen == ["http 10.0.0.1", "https 192.0.2.7"]


def test_shutdown() -> None:
    """Idle connections end at once, the others after their answer, which says so; new ones are not taken."""
    later = Later()
    door = Door(later)
    idle, busy, sending = door.connect(), door.connect().send(GET + GET), door.connect().send(GET[:5])
    finished: list[None] = []
    door.factory.shutdown().addCallback(finished.append)
    assert idle.closed
    idle.lose()
    assert door.factory.buildProtocol(None) is None
    assert not busy.closed
    assert not sending.closed
    sending.send(GET[5:])
    for deferred in later.waiting:
        deferred.callback("x")
    for line in (busy, sending):
        ((status, headers, body),) = line.answers()
        assert (status, headers["Connection"], body) == (200, "close", b"x")
        assert line.closed
        assert finished == []
        line.lose()
    assert finished == [None]
    assert door.clock.getDelayedCalls() == []


def test_shutdown_has_an_end() -> None:
    """What is not finished after the time of grace is broken off."""
    later = Later()
    door = Door(later)
    line = door.connect().send(GET)
    finished: list[None] = []
    door.factory.shutdown(grace=3).addCallback(finished.append)
    door.factory.shutdown(grace=3).addCallback(finished.append)
    door.wait(2.5)
    states = [line.transport.disconnected]
    door.wait(1)
    assert [*states, line.transport.disconnected] == [False, True]
    later.waiting[0].callback("too late")
    assert line.transport.value() == b""
    line.lose()
    assert finished == [None, None]


def test_shutdown_of_nothing() -> None:
    """A listener without connections is finished at once."""
    finished: list[None] = []
    Door().factory.shutdown().addCallback(finished.append)
    assert finished == [None]


streams = st.lists(
    st.sampled_from(
        [
            GET,
            GET,
            put("/x", b"abc"),
            put("/y", b"x" * 5000),
            put("/z", b"abc", b"Expect: 100-continue\r\n"),
            b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            b"HEAD /h HTTP/1.1\r\n\r\n",
            b"\r\n",
            b"GET /o HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            b"GET /b HTTP/1.1\r\nConnection: close\r\n\r\n",
            b"GET /b\n",
            b"PUT /l HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n",
        ]
    ),
    max_size=8,
).map(b"".join)


@settings(deadline=None)
@given(streams, st.lists(st.integers(0, 30_000), max_size=12), st.integers(0, 3))
def test_packets_make_no_difference(data: bytes, cuts: list[int], slow: int) -> None:
    """Cut into whatever packets, and however slowly answered, the same requests get the same answers."""

    def run(parts: list[bytes], every: int) -> tuple[bytes, bool]:
        waiting: list[Deferred[None]] = []
        count = 0

        async def handle(request: Request) -> Response:
            nonlocal count
            count += 1
            if every and count % every == 0:
                waiting.append(Deferred())
                await waiting[-1]
            return await echo(request)

        line = Door(handle).connect()
        for part in parts:
            line.send(part)
            if waiting and len(part) % 2:
                waiting.pop().callback(None)
        while waiting:
            waiting.pop().callback(None)
        # A 100 is left out when the body came along with the head.
        return line.transport.value().replace(b"HTTP/1.1 100 Continue\r\n\r\n", b""), line.closed

    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    parts = [data[start:end] for start, end in pairwise(places)]
    assert run(parts, slow) == run([data] if data else [], 0)


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(st.binary(max_size=80), st.sampled_from([GET, put("/", b"12345678")[:-3]])), max_size=8
    )
)
def test_arbitrary_bytes(parts: list[bytes]) -> None:
    """Whatever a client sends, nothing is raised and the next client is served."""
    door = Door()
    line = door.connect()
    for part in parts:
        line.send(part)
    door.wait(200)
    for status, _, _ in line.answers():
        assert status in (200, 400, 408)
    assert door.connect().send(GET).bodies() == [b"GET /a "]


def test_problem_texts_are_not_echoes() -> None:
    """A refusal never repeats what was sent, which may hold a key."""
    for data in (b"GET /?key=SECRET\x01 HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nX-ApiKey: SECRET\x01\r\n\r\n"):
        line = Door().connect().send(data)
        assert line.answers()[0][0] == bad_request("").status
        assert b"SECRET" not in line.transport.value()
