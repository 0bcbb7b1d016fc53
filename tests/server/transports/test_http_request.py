"""The reader of HTTP requests: what it takes, what it refuses, and that packets make no difference."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from txpachube.api.messages import Request
from txpachube.api.problems import Problem
from txpachube.server.transports.http_limits import Limits
from txpachube.server.transports.http_request import (
    BODY,
    CLOSE,
    HEAD,
    IDLE,
    KEEP,
    KEEP_OLD,
    PIECE,
    RequestReader,
)

PUT = (
    b"PUT /v2/feeds/504.json?x=1 HTTP/1.1\r\nHost: a\r\nX-ApiKey: k\r\nContent-Type: application/json\r\n"
    b'Content-Length: 14\r\n\r\n{"title":"a"}\n'
)
GET = b"GET /v2/feeds HTTP/1.1\r\n\r\n"
CHUNKED = (
    b"POST /v2/feeds HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n5;name=value\r\ndefgh\r\n0\r\nX-ApiKey: smuggled\r\n\r\n"
)
CHUNKED_HEAD = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


def seen(reader: RequestReader) -> list[Any]:
    """Take what is ready, in a form that can be compared."""
    found: list[Any] = []
    while reader.ready:
        what, keep = reader.ready.popleft()
        if isinstance(what, Problem):
            found.append((what.status, what.title, what.errors, keep))
        else:
            found.append((what.method, what.path, what.query_text, dict(what.headers), what.body, keep))
    return found


def read(parts: Iterable[bytes], limits: Limits | None = None, **options: Any) -> list[Any]:
    """Feed a reader as a connection does, and return all that came out."""
    reader = RequestReader(limits or Limits(), **options)
    found = []
    for part in parts:
        rest = part
        while rest:
            rest = reader.feed(rest)
            found += seen(reader)
    return found


def one(data: bytes, limits: Limits | None = None, **options: Any) -> Request:
    """Return the only request in the data."""
    reader = RequestReader(limits or Limits(), **options)
    assert reader.feed(data) == b""
    ((request, _),) = reader.ready
    assert isinstance(request, Request), request
    return request


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize("data", [PUT, GET, CHUNKED])
def test_three_ways(data: bytes) -> None:
    """A request is the same when it comes whole, byte by byte, and with another one behind it."""
    whole = read([data])
    assert len(whole) == 1
    assert read(bytewise(data)) == whole
    assert read([data + PUT]) == whole + read([PUT])
    assert read(bytewise(data + PUT)) == whole + read([PUT])


def test_a_request() -> None:
    """Method, path, query, headers by lower-case name, and body arrive as they were sent."""
    request = one(PUT, peer="192.0.2.7", scheme="https")
    assert (request.method, request.path, request.query_text) == ("PUT", "/v2/feeds/504.json", "x=1")
    assert request.headers == {
        "host": "a",
        "x-apikey": "k",
        "content-type": "application/json",
        "content-length": "14",
    }
    assert request.body == b'{"title":"a"}\n'
    assert (request.peer, request.scheme) == ("192.0.2.7", "https")


def test_chunked_bodies_are_joined_and_trailers_dropped() -> None:
    """A client may send its body in chunks; what it calls headers behind them is not believed."""
    request = one(CHUNKED)
    assert request.body == b"abcdefgh"
    assert request.headers == {"transfer-encoding": "chunked"}


# What decides where a request ends is read strictly: each of these is refused, and the connection ends.
SMUGGLING = {
    "bare LF everywhere": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare LF after the request line": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    "bare LF after a header": b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "bare LF as the end of the head": b"GET / HTTP/1.1\r\nHost: a\r\n\n",
    "head ended by LF CR LF": b"GET / HTTP/1.1\r\nHost: a\n\r\n",
    "bare CR after a header": b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
    "CR CR LF": b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
    "CR at the end of the head": b"GET / HTTP/1.1\r\nHost: a\r\n\rX",
    "folded header": b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
    "folded header with a tab": b"GET / HTTP/1.1\r\nX: a\r\n\tb\r\n\r\n",
    "blank before the first header": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "blank before the colon": b"POST / HTTP/1.1\r\nContent-Length : 2\r\n\r\nab",
    "tab before the colon": b"POST / HTTP/1.1\r\nContent-Length\t: 2\r\n\r\nab",
    "blank in a name": b"GET / HTTP/1.1\r\nUser Agent: a\r\n\r\n",
    "empty name": b"GET / HTTP/1.1\r\n: a\r\n\r\n",
    "header without colon": b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    "NUL in a name": b"GET / HTTP/1.1\r\nHo\0st: a\r\n\r\n",
    "bracket in a name": b"GET / HTTP/1.1\r\nHo(st: a\r\n\r\n",
    "high byte in a name": b"GET / HTTP/1.1\r\nHo\xffst: a\r\n\r\n",
    "NUL in a value": b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
    "control character in a value": b"GET / HTTP/1.1\r\nHost: a\x01b\r\n\r\n",
    "DEL in a value": b"GET / HTTP/1.1\r\nHost: a\x7fb\r\n\r\n",
    "two equal lengths": b"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
    "two different lengths": b"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab",
    "lengths as a list": b"POST / HTTP/1.1\r\nContent-Length: 2, 2\r\n\r\nab",
    "length with plus": b"POST / HTTP/1.1\r\nContent-Length: +2\r\n\r\nab",
    "length with minus": b"POST / HTTP/1.1\r\nContent-Length: -2\r\n\r\nab",
    "length in hexadecimal": b"POST / HTTP/1.1\r\nContent-Length: 0x2\r\n\r\nab",
    "length with a blank": b"POST / HTTP/1.1\r\nContent-Length: 1 2\r\n\r\nab",
    "length with a point": b"POST / HTTP/1.1\r\nContent-Length: 2.0\r\n\r\nab",
    "empty length": b"POST / HTTP/1.1\r\nContent-Length:\r\n\r\nab",
    "length of 23 digits": b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\nab",
    "length, then coding": (
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "coding, then length": (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n"
    ),
    "empty coding beside a length": (b"POST / HTTP/1.1\r\nTransfer-Encoding:\r\nContent-Length: 2\r\n\r\nab"),
    "coding identity": b"POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "coding gzip": b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
    "coding gzip, chunked": b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "coding gzip, chunked in two lines": (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "coding chunked twice": (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "coding chunked, identity": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    "coding xchunked": b"POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding chunked behind a vertical tab": (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"
    ),
    "coding with a parameter": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    "coding in quotes": b'POST / HTTP/1.1\r\nTransfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "coding with a comma": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked,\r\n\r\n0\r\n\r\n",
    "coding under HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding under HTTP/1.0, kept": (
        b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "chunk size ended by LF": CHUNKED_HEAD + b"3\nabc\r\n0\r\n\r\n",
    "chunk size ended by CR": CHUNKED_HEAD + b"3\rabc\r\n0\r\n\r\n",
    "chunk ended by LF": CHUNKED_HEAD + b"3\r\nabc\n0\r\n\r\n",
    "chunk ended by CR": CHUNKED_HEAD + b"3\r\nabc\r0\r\n\r\n",
    "chunk longer than it says": CHUNKED_HEAD + b"3\r\nabcd\r\n0\r\n\r\n",
    "chunk without line end": CHUNKED_HEAD + b"3\r\nabc0\r\n\r\n",
    "chunk size 0x3": CHUNKED_HEAD + b"0x3\r\nabc\r\n0\r\n\r\n",
    "chunk size -3": CHUNKED_HEAD + b"-3\r\nabc\r\n0\r\n\r\n",
    "chunk size and a blank": CHUNKED_HEAD + b"3 \r\nabc\r\n0\r\n\r\n",
    "blank before a chunk size": CHUNKED_HEAD + b" 3\r\nabc\r\n0\r\n\r\n",
    "no chunk size": CHUNKED_HEAD + b"\r\nabc\r\n0\r\n\r\n",
    "chunk size that overflows": CHUNKED_HEAD + b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "LF in a chunk extension": CHUNKED_HEAD + b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "NUL in a chunk extension": CHUNKED_HEAD + b"3;a\0b\r\nabc\r\n0\r\n\r\n",
    "length among the trailers": CHUNKED_HEAD + b"0\r\nContent-Length: 5\r\n\r\n",
    "coding among the trailers": CHUNKED_HEAD + b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "trailer ended by LF": CHUNKED_HEAD + b"0\r\nA: b\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "HTTP/0.9": b"GET / HTTP/0.9\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\n\r\n",
    "HTTP/2.0": b"GET / HTTP/2.0\r\n\r\n",
    "HTTP/2.0, kept": b"GET / HTTP/2.0\r\nConnection: keep-alive\r\n\r\n",
    "HTTP/2.0, kept for a proxy": b"GET / HTTP/2.0\r\nProxy-Connection: keep-alive\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "blank after the version": b"GET / HTTP/1.1 \r\n\r\n",
    "tab after the method": b"GET\t/ HTTP/1.1\r\n\r\n",
    "blank before the method": b" GET / HTTP/1.1\r\n\r\n",
    "small letters": b"get / HTTP/1.1\r\n\r\n",
    "unknown method": b"FROB / HTTP/1.1\r\n\r\n",
    "proxy request": b"CONNECT a:80 HTTP/1.1\r\n\r\n",
    "no slash": b"GET feeds HTTP/1.1\r\n\r\n",
    "NUL in the target": b"GET /\0 HTTP/1.1\r\n\r\n",
    "tab in the target": b"GET /a\tb HTTP/1.1\r\n\r\n",
    "high byte in the target": b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n",
    "TLS to a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "surplus after a body": b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab\x1a",
}


@pytest.mark.parametrize("data", SMUGGLING.values(), ids=SMUGGLING.keys())
def test_smuggling(data: bytes) -> None:
    """Bytes that two readers could cut apart in two ways get 400, and nothing behind them is read."""
    for parts in ([data], bytewise(data), [data + GET], bytewise(data + GET)):
        *before, last = read(parts)
        assert last[0] == 400
        assert last[1] == "Bad Request"
        assert last[2]
        assert last[-1] == CLOSE
        assert all(what[0] in ("POST", "PUT") and what[4] == b"ab" for what in before)


LENIENT = {
    "no Host": (b"GET /x HTTP/1.1\r\n\r\n", "/x", KEEP),
    "absolute target": (b"GET http://api.xively.com/x?y HTTP/1.1\r\n\r\n", "/x", KEEP),
    "absolute target with port": (b"GET http://api.xively.com:80/x HTTP/1.1\r\n\r\n", "/x", KEEP),
    "absolute target without path": (b"GET http://api.xively.com HTTP/1.1\r\n\r\n", "/", KEEP),
    "absolute target with only a query": (b"GET http://h?a=/b HTTP/1.1\r\n\r\n", "/", KEEP),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\n\r\n", "*", KEEP),
    "doubled slashes": (b"GET //x HTTP/1.1\r\n\r\n", "//x", KEEP),
    "fragment": (b"GET /x#y?z HTTP/1.1\r\n\r\n", "/x", KEEP),
    "blanks around the target": (b"GET  /x  HTTP/1.1\r\n\r\n", "/x", KEEP),
    "empty lines before": (b"\r\n\r\nGET /x HTTP/1.1\r\n\r\n", "/x", KEEP),
    "line ends after": (b"GET /x HTTP/1.1\r\n\r\n\r\n\n", "/x", KEEP),
    "HTTP/1.0": (b"GET /x HTTP/1.0\r\n\r\n", "/x", CLOSE),
    "HTTP/1.0, kept": (b"GET /x HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "/x", KEEP_OLD),
    "HTTP/1.1, kept": (b"GET /x HTTP/1.1\r\nConnection: Keep-Alive\r\n\r\n", "/x", KEEP),
    "closed": (b"GET /x HTTP/1.1\r\nConnection: Close\r\n\r\n", "/x", CLOSE),
    "closed among others": (b"GET /x HTTP/1.1\r\nConnection: a, close\r\n\r\n", "/x", CLOSE),
    "upgrade": (b"GET /x HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "/x", KEEP),
    "half an upgrade": (b"GET /x HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", "/x", KEEP),
}


@pytest.mark.parametrize(("data", "path", "keep"), LENIENT.values(), ids=LENIENT.keys())
def test_leniency(data: bytes, path: str, keep: int) -> None:
    """What moves no boundary is taken as programs send it."""
    for parts in ([data], bytewise(data)):
        (found,) = read(parts)
        assert found[1] == path
        assert found[-1] == keep


def test_header_values() -> None:
    """Blanks around a value do not count, of a name sent twice both values do, and high bytes pass."""
    request = one(b"GET / HTTP/1.1\r\nUser-Agent:  a \t\r\nuser-agent: b\r\nX:\r\nY: \xe9\r\n\r\n")
    assert request.headers == {"user-agent": "a, b", "x": "", "y": "é"}


@pytest.mark.parametrize(
    "framed", [b"Content-Length: 3\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"]
)
def test_upgrade_with_body(framed: bytes) -> None:
    """A wish to upgrade does not turn the body into the next request."""
    data = b"PUT /x HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nA: b\r\n" + framed
    for parts in ([data + GET], bytewise(data + GET), [data, GET]):
        first, second = read(parts)
        assert (first[0], first[1], first[4], first[-1]) == ("PUT", "/x", b"abc", KEEP)
        assert first[3]["a"] == "b"
        assert second == read([GET])[0]
    last = data.replace(b"Upgrade\r\n", b"Upgrade, close\r\n", 1)
    for parts in ([last + GET], bytewise(last + GET), [last, GET]):
        assert [(what[4], what[-1]) for what in read(parts)] == [(b"abc", CLOSE)]
    hidden = data.replace(b"abc", b"GET")
    assert [what[0] for what in read([hidden])] == ["PUT"]


def test_nothing_is_read_after_close() -> None:
    """What comes behind a request that ends the connection is noticed but not read."""
    reader = RequestReader(Limits())
    states = []
    for data in (GET, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", GET):
        reader.feed(data)
        states.append((reader.ended, reader.surplus, len(reader.ready)))
    assert states == [(False, False, 1), (True, False, 2), (True, True, 2)]


def test_phases_and_continue() -> None:
    """The reader says what it waits for, and when the client waits for permission to send the body."""
    reader = RequestReader(Limits())
    states = []
    for data in (
        b"\r\n",
        b"P",
        b"UT / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n",
        b"ab",
        b"cd",
    ):
        reader.feed(data)
        states.append((reader.phase, reader.wants_continue, reader.body_size, len(reader.ready)))
    assert states == [
        (IDLE, False, 0, 0),
        (HEAD, False, 0, 0),
        (BODY, True, 0, 0),
        (BODY, False, 2, 0),
        (IDLE, False, 4, 1),
    ]


@pytest.mark.parametrize(
    "head",
    [
        b"PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
        b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
        b"PUT / HTTP/1.1\r\nExpect: something\r\nContent-Length: 4\r\n\r\n",
    ],
)
def test_no_continue(head: bytes) -> None:
    """HTTP/1.0 has no 100, an empty body needs none, and other expectations are not known."""
    reader = RequestReader(Limits())
    reader.feed(head)
    assert not reader.wants_continue


SMALL = Limits(target_bytes=100, head_bytes=6000, header_count=5, body_bytes=1000)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /" + b"x" * 99 + b" HTTP/1.1\r\n\r\n", 200),
        (b"GET /" + b"x" * 100 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5 + b"\r\n", 200),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 6 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 5900 + b"\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 6000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 50000, 431),
        (b"GET /" + b"x" * 50000, 431),
        (b"GET / HTTP/1.1\r\n" + b"x" * 50000, 431),
        (b"PUT / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000, 200),
        (b"PUT / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413),
        (b"PUT / HTTP/1.1\r\nContent-Length: 9223372036854775808\r\n\r\n", 413),
        (b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n", 413),
        (CHUNKED_HEAD + b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n", 200),
        (CHUNKED_HEAD + b"3e8\r\n" + b"x" * 1000 + b"\r\n1\r\nx", 413),
        (CHUNKED_HEAD + b"1;" + b"x" * 50000, 431),
        (CHUNKED_HEAD + b"0\r\nA: " + b"x" * 50000, 431),
    ],
)
def test_limits(data: bytes, status: int) -> None:
    """Each part of a request has a limit, which is the same however the request comes in."""
    for parts in ([data], bytewise(data), [data[:20], data[20:]]):
        (found,) = read(parts, SMALL)
        assert (found[0] if isinstance(found[0], int) else 200) == status
        assert (found[-1] == CLOSE) is (status != 200)


def test_body_limit_names_itself() -> None:
    """The refusal of a body says how long it may be."""
    ((status, title, errors, _),) = read([b"PUT / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n"])
    assert (status, title, errors) == (413, "Payload Too Large", "The body may have at most 1048576 bytes")


def test_reading_stops_behind_a_request() -> None:
    """Of many requests in one packet only so many are taken at a time as fit into a piece."""
    reader = RequestReader(Limits())
    rest = reader.feed(GET * 1000)
    assert 0 < len(reader.ready) <= PIECE // len(GET)
    assert len(rest) == len(GET) * 1000 - PIECE


@pytest.mark.parametrize(
    ("headers", "peer", "scheme"),
    [
        (b"", "10.0.0.1", "http"),
        (b"X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1", "http"),
        (b"X-Forwarded-For: 203.0.113.9, 192.0.2.1\r\nX-Forwarded-Proto: HTTPS\r\n", "192.0.2.1", "https"),
        (b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 2001:DB8::1\r\n", "2001:db8::1", "http"),
        (b"X-Forwarded-For: unknown\r\nX-Forwarded-Proto: gopher\r\n", "10.0.0.1", "http"),
    ],
)
def test_forwarded(headers: bytes, peer: str, scheme: str) -> None:
    """Behind a trusted proxy the client is whom the proxy names last, and otherwise who connects."""
    data = b"GET / HTTP/1.1\r\n" + headers + b"\r\n"
    trusting = one(data, peer="10.0.0.1", trust_forwarded=True)
    assert (trusting.peer, trusting.scheme) == (peer, scheme)
    wary = one(data, peer="10.0.0.1")
    assert (wary.peer, wary.scheme) == ("10.0.0.1", "http")


def test_repeated_heads() -> None:
    """A head that comes again is understood again, with the body that follows it this time."""
    head = b"PUT /x?y HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\n"
    other = b"PUT /x?z HTTP/1.1\r\nContent-Length: 4\r\n\r\n"
    found = read([head + b"aaaa", head + b"bbbb", other[:9], other[9:] + b"cccc", head + b"\r\n\r\n", head])
    assert [(what[2], what[4], what[-1]) for what in found] == [
        ("y", b"aaaa", KEEP_OLD),
        ("y", b"bbbb", KEEP_OLD),
        ("z", b"cccc", KEEP),
        ("y", b"\r\n\r\n", KEEP_OLD),
    ]


def test_repeated_heads_keep_boundaries() -> None:
    """Line ends around a body of line ends do not shift what is taken for the head the next time."""
    head = b"PUT / HTTP/1.1\r\nContent-Length: 4\r\n\r\n"
    found = read(
        [head + b"\r\n\r\n\r\n", head + b"\r\nab\r\n", b"\r\n\r\n" + head + b"\r\n\r\n", head + b"abcd"]
    )
    assert [what[4] for what in found] == [b"\r\n\r\n", b"\r\nab", b"\r\n\r\n", b"abcd"]


tokens = st.text("abcdefgXYZ-_!", min_size=1, max_size=8).map(str.encode)
values = st.text("abc 019;,=/", max_size=12).map(str.encode)
bodies = st.one_of(st.binary(max_size=40), st.sampled_from([b"", b"\r\n\r\n", GET]))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Valid requests as bytes."""
    method = draw(st.sampled_from([b"GET", b"PUT", b"POST", b"DELETE", b"HEAD"]))
    target = b"/" + draw(tokens) + draw(st.sampled_from([b"", b"?", b"?a=b&c"]))
    version = draw(st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0"]))
    # The marker keeps these clear of the headers that mean something here.
    lines = [
        b"Q" + name + b": " + value for name, value in draw(st.lists(st.tuples(tokens, values), max_size=4))
    ]
    if draw(st.booleans()):
        lines.append(b"Connection: " + draw(st.sampled_from([b"keep-alive", b"upgrade\r\nUpgrade: h2c"])))
    body = draw(bodies)
    if version == b"HTTP/1.1" and draw(st.booleans()):
        lines.append(b"Transfer-Encoding: chunked")
        cut = draw(st.integers(0, len(body)))
        chunks = [part for part in (body[:cut], body[cut:]) if part]
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in chunks) + b"0\r\n\r\n"
    elif body or draw(st.booleans()):
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([method + b" " + target + b" " + version, *lines, b"", body])


streams = st.lists(
    st.one_of(requests(), st.sampled_from([PUT, PUT, GET, CHUNKED, b"\r\n", *SMUGGLING.values()])), max_size=6
).map(b"".join)


def cut_up(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(places)]


@settings(deadline=None)
@given(streams, st.lists(st.integers(0, 10_000), max_size=12))
def test_packets_make_no_difference(data: bytes, cuts: list[int]) -> None:
    """However a stream of requests is cut into packets, the same requests and refusals come out."""
    assert read(cut_up(data, cuts)) == read([data]) == read(bytewise(data))


@settings(deadline=None)
@given(st.lists(requests(), max_size=5))
def test_every_valid_request_is_read(sent: list[bytes]) -> None:
    """A stream of valid requests is read to its end, or to the first that ends the connection."""
    found = read([b"".join(sent)])
    assert all(isinstance(what[0], str) for what in found)
    assert len(found) == len(sent) or found[-1][-1] == CLOSE
    # Each by itself, and again at once, where the head is known already.
    for data in sent:
        first, *again = read([data, data])
        assert again == ([] if first[-1] == CLOSE else [first])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([PUT[:40], CHUNKED[:70], GET])), max_size=6)
)
def test_arbitrary_bytes(parts: list[bytes]) -> None:
    """Whatever comes, nothing but requests and refusals comes out, and after a refusal nothing."""
    found = read(parts)
    refusals = [what for what in found if isinstance(what[0], int)]
    assert refusals in ([], found[-1:])
