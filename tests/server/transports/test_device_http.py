"""The device door on a transport in memory: it forgives, and otherwise does what the HTTP door does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from txpachube.api.messages import Request, Response
from txpachube.server.transports.device_http import DeviceHTTPFactory, DeviceReader
from txpachube.server.transports.http import HTTPFactory, Limits
from txpachube.server.transports.http_request import BODY, HEAD, IDLE
from txpachube.testing.chunks import byte_by_byte, cut
from txpachube.wire.sloppy_http import MAX_HEAD

LIMITS = Limits(idle_timeout=100, head_timeout=20, body_timeout=30, body_rate=10, linger_timeout=5)
GET = b"GET /a HTTP/1.1\n\n"
PUT = b"PUT /v2/feeds/1.csv HTTP/1.1\r\nHost: api.pachube.com\r\nContent-Length: 4\r\n\r\n0,21"


async def echo(request: Request) -> Response:
    """Answer with what was asked."""
    return Response(200, f"{request.method} {request.path}?{request.query_text} ".encode() + request.body)


class Later:
    """A handler that answers when the test says so."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.waiting: list[Deferred[str]] = []

    async def __call__(self, request: Request) -> Response:
        self.asked.append(request.path)
        self.waiting.append(Deferred())
        return Response(200, (await self.waiting[-1]).encode())


class Door:
    """A listener in memory, and its clock."""

    def __init__(
        self,
        handle: Callable[[Request], Awaitable[Response]] = echo,
        kind: Callable[..., HTTPFactory] = DeviceHTTPFactory,
        limits: Limits = LIMITS,
    ) -> None:
        self.clock = Clock()
        self.factory = kind(
            handle,
            reactor=self.clock,
            clock=lambda: 0,
            random=lambda width: b"\xab" * width,
            limits=limits,
        )

    def connect(self) -> Line:
        return Line(self)

    def wait(self, seconds: float) -> None:
        """Let time pass as a reactor does, in small steps."""
        self.clock.pump([0.5] * round(seconds * 2))


class Line:
    """One device's connection."""

    def __init__(self, door: Door) -> None:
        transport: Any = StringTransport
        self.transport = transport()
        self.writes: list[bytes] = []
        write = self.transport.write

        def noted(data: bytes) -> None:
            self.writes.append(data)
            write(data)

        self.transport.write = noted
        self.protocol = door.factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)

    def send(self, *chunks: bytes) -> Line:
        for chunk in chunks:
            self.protocol.dataReceived(chunk)
        return self

    @property
    def said(self) -> bytes:
        received: bytes = self.transport.value()
        return received

    @property
    def closed(self) -> bool:
        return bool(self.transport.disconnecting)

    def bodies(self) -> list[bytes]:
        """Return the bodies of the answers so far, finding them by Content-Length."""
        found, data = [], self.said
        while data:
            head, _, rest = data.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 "), head
            length = int(dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])[b"Content-Length"])
            found.append(rest[:length])
            data = rest[length:]
        return found


def session(chunks: Iterable[bytes], kind: Callable[..., HTTPFactory] = DeviceHTTPFactory) -> Line:
    return Door(kind=kind).connect().send(*chunks)


SLOPPY = b"".join([
    b"\r\nput http://api.pachube.com/v2/feeds/1.csv HTTP/1.0 \nUser Agent: x\nConnection: keep-alive\n",
    b"Content-Length: 4\n\r\n0,21\r\n",
    PUT + b".57\x1a",
    b"\nGET /v2/feeds/1.json?key=my key HTTP/1.1\r\nAccept:*/*\n\n",
    b"PUT /c HTTP/1.1\nTransfer-Encoding: chunked\n\n3;x\nabc\n0\n\n",
    b"DELETE /d\nConnection: close\n\nGET /never HTTP/1.1\n\n",
])  # fmt: skip
ANSWERED = [
    b"PUT /v2/feeds/1.csv? 0,21",
    b"PUT /v2/feeds/1.csv? 0,21",
    b"GET /v2/feeds/1.json?key=my%20key ",
    b"PUT /c? abc",
    b"DELETE /d? ",
]


@pytest.mark.parametrize("chunks", [[SLOPPY], list(byte_by_byte(SLOPPY))])
def test_what_devices_send_is_understood(chunks: list[bytes]) -> None:
    """Sloppy requests, in one packet or a byte in each, are answered in order, and the last one ends it."""
    line = session(chunks)
    assert line.bodies() == ANSWERED
    assert line.closed


@given(st.lists(st.integers(1, 60)))
def test_packets_make_no_difference(sizes: list[int]) -> None:
    """However the network cuts what a device sends, the answers are the same, byte for byte."""
    assert session(cut(SLOPPY, sizes)).said == session([SLOPPY]).said


STRICT = [
    PUT,
    PUT + PUT,
    GET.replace(b"\n", b"\r\n") * 3,
    PUT.replace(b"1.1", b"1.0") + PUT,
    PUT.replace(b"Host", b"Connection: close\r\nHost"),
    PUT.replace(b"Host", b"Expect: 100-continue\r\nHost"),
    b"HEAD /a HTTP/1.1\r\n\r\nOPTIONS /a HTTP/1.1\r\n\r\n",
    PUT.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked").replace(
        b"0,21", b"2\r\n0,\r\n2\r\n21\r\n0\r\n\r\n"
    ),
    PUT.replace(b": 4", b": 1048577"),
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n\r\n",
    b"PUT /a HTTP/1.1\r\nContent-Length: x\r\n\r\n".replace(b"x", b"2") + b"ab",
]


@pytest.mark.parametrize("data", STRICT)
def test_strict_programs_notice_nothing(data: bytes) -> None:
    """A program that keeps to the standard is answered with the same bytes at this door as at the other."""
    for chunks in ([data], list(byte_by_byte(data))):
        ordinary, device = session(chunks, HTTPFactory), session(chunks)
        assert (device.said, device.closed) == (ordinary.said, ordinary.closed)


def test_each_answer_is_one_write() -> None:
    """An answer is written at once, since devices take the first packet for all of it."""
    line = session([*byte_by_byte(PUT), b"\r\n", *byte_by_byte(PUT)])
    assert len(line.writes) == 2
    assert all(len(write) <= 512 for write in line.writes)


def test_expect_is_answered_at_once() -> None:
    """A program that waits before it sends four bytes is told to go on when its head is complete."""
    line = Door().connect()
    head, _, body = PUT.replace(b"Host:", b"Expect: 100-continue\nHost:").partition(b"0,")
    line.send(*byte_by_byte(head))
    assert line.said == b"HTTP/1.1 100 Continue\r\n\r\n"
    line.transport.clear()
    line.send(b"0," + body)
    assert line.bodies() == [b"PUT /v2/feeds/1.csv? 0,21"]


@pytest.mark.parametrize(
    ("data", "status", "told"),
    [
        (
            PUT.replace(b"Content-L", b"Content-Length: 5\r\nContent-L"),
            b"400 Bad Request",
            "There are two different lengths of the body",
        ),
        (
            PUT.replace(b"Content-L", b"Transfer-Encoding: chunked\r\nContent-L"),
            b"400 Bad Request",
            "There is a length of the body and a transfer coding",
        ),
        (
            b"GET / HTTP/1.1\n" + b"a: b\n" * MAX_HEAD,
            b"431 Request Header Fields Too Large",
            "The head has more than 100 lines",
        ),
    ],
)
def test_doubt_about_the_body_is_refused(data: bytes, status: bytes, told: str) -> None:
    """Where a body ends must be clear: otherwise the connection ends, after the answers to all before."""
    for chunks in ([PUT + data + PUT], list(byte_by_byte(PUT + data + PUT))):
        line = session(chunks)
        assert line.said.startswith(b"HTTP/1.1 200 OK\r\n")
        rest = line.said.partition(b"0,21")[2]
        assert rest.startswith(b"HTTP/1.1 " + status + b"\r\n")
        assert line.bodies()[1:] == [f'{{"title":"{status[4:].decode()}","errors":"{told}"}}'.encode()]
        assert b"Connection: close\r\n" in rest
        assert line.closed


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\x16\x03\x01\x02\n\n" + GET, "The request line has no target"),
        (b"\x01 \x02\n\n" + GET, "The request line does not begin with a method"),
        (b"HELLO device\n\n" + GET, "Invalid method encountered"),
        (b" \r\n" * 40_000, "There is nothing but white space"),
    ],
)
def test_what_is_no_http_at_all_is_refused(data: bytes, told: str) -> None:
    """A connection that begins with something else gets 400 and is closed."""
    for chunks in ([data], list(cut(data, [1] * 100))):
        line = session(chunks)
        assert line.bodies() == [f'{{"title":"Bad Request","errors":"{told}"}}'.encode()]
        assert line.closed


def test_a_refusal_waits_for_its_turn() -> None:
    """A request that can't be understood is refused after the one before it was answered."""
    later = Later()
    line = Door(later).connect().send(GET, b"PUT /\nContent-Length: -1\n\n")
    assert line.said == b""
    later.waiting[0].callback("x")
    assert line.bodies()[0] == b"x"
    assert b"HTTP/1.1 400 Bad Request\r\n" in line.said
    assert line.closed


def test_a_broken_chunk_is_refused() -> None:
    """A chunk that isn't one ends the connection in the middle of the body, without carrying anything out."""
    later = Later()
    line = Door(later).connect().send(b"PUT / HTTP/1.1\nTransfer-Encoding: chunked\n\n2\nab\n", b"x\n")
    assert later.asked == []
    assert line.bodies() == [b'{"title":"Bad Request","errors":"The size of a chunk is not a number"}']
    assert line.closed


def test_many_requests_in_one_packet_wait_unread() -> None:
    """Requests that wait behind a slow one are held back as bytes, and the socket is not read for more."""
    later = Later()
    line = Door(later, limits=Limits(held_bytes=1000)).connect().send(GET * 1000)
    assert later.asked == ["/a"]
    assert len(line.protocol._reader.ready) < 300
    line.send(GET)
    assert line.transport.producerState == "paused"
    for number in range(1001):
        later.waiting[number].callback(str(number))
    assert line.transport.producerState == "producing"
    assert line.bodies() == [b"%d" % number for number in range(1001)]


def test_a_slow_head_has_its_time_from_the_first_byte_on() -> None:
    """A head that comes too slowly gets 408, though nothing of it has reached the parser yet."""
    door = Door()
    line = door.connect().send(PUT)
    door.wait(50)
    head = iter(byte_by_byte(PUT))
    seconds = 0
    while not line.closed and seconds < 60:
        line.send(next(head))
        door.wait(1)
        seconds += 1
    assert 20 + 3 <= seconds <= 20 + 6  # that a request begins is clear only when "PUT /" is there
    assert line.bodies()[1:] == [
        b'{"title":"Request Timeout","errors":"The request was not complete in time"}'
    ]


def test_a_slow_body_has_the_time_of_a_body() -> None:
    """A body that stays incomplete, because its length was given too large, gets 408 as well."""
    door = Door()
    line = door.connect().send(PUT.replace(b": 4", b": 40"))
    door.wait(29)
    assert not line.closed
    door.wait(5)
    assert b"HTTP/1.1 408 Request Timeout\r\n" in line.said
    assert line.closed


def test_surplus_is_no_sign_of_life() -> None:
    """A device that sends nothing but noise after its request is closed as an idle one is."""
    door = Door()
    line = door.connect().send(PUT)
    for _ in range(103):
        line.send(b"\x1a\r\n")
        door.wait(1)
    assert line.closed
    assert len(line.bodies()) == 1


def test_nobody_says_for_whom_a_request_comes() -> None:
    """The header with which proxies name a client's address is not believed here."""
    asked: list[Request] = []

    async def handle(request: Request) -> Response:
        asked.append(request)
        return Response(200)

    Door(handle).connect().send(b"GET / HTTP/1.1\nX-Forwarded-For: 203.0.113.9\nX-Forwarded-Proto: https\n\n")
    assert (asked[0].peer, asked[0].scheme) == ("192.168.1.1", "http")


def test_a_service_that_stops_closes_idle_devices_and_answers_the_others() -> None:
    """At the end a device in the middle of a request still gets its answer, the others are closed."""
    door = Door()
    idle, busy = door.connect().send(PUT + b"\r\n"), door.connect().send(PUT[:30])
    door.factory.shutdown()
    assert (idle.closed, busy.closed) == (True, False)
    busy.send(PUT[30:])
    assert busy.bodies() == [b"PUT /v2/feeds/1.csv? 0,21"]
    assert b"Connection: close\r\n" in busy.said
    assert busy.closed


def test_the_phase_of_a_reader() -> None:
    """The reader is in a head from its first byte, in a body from the head's end, and idle in between."""
    reader = DeviceReader(LIMITS)
    phases = []
    for chunk in (b"\r\n", b"P", PUT[1:40], PUT[40:-4], b"0,", b"21", b"9\r\n", b"GET", b" /a"):
        assert reader.feed(chunk) == b""
        phases.append((reader.phase, reader.body_size))
    assert phases == [(IDLE, 0), (HEAD, 0), (HEAD, 0), (BODY, 0), (BODY, 2), (IDLE, 4), (IDLE, 4), (IDLE, 4),
                      (HEAD, 4)]  # fmt: skip
    assert len(reader.ready) == 1
