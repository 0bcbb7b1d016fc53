"""What old devices send comes out as HTTP that a strict parser takes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.testing.chunks import byte_by_byte, cut
from txpachube.wire.sloppy_head import BadHead, strict_head
from txpachube.wire.sloppy_http import MAX_HEAD, MAX_LINES, MAX_SURPLUS, DeviceHttp, Refused


def run(chunks: Iterable[bytes]) -> tuple[bytes, Refused | None]:
    device = DeviceHttp()
    return b"".join(device.receive(chunk) for chunk in chunks), device.refused


def strict(data: bytes) -> bytes:
    """Return what comes out for ``data``, having tried it whole and byte by byte."""
    whole = run([data])
    assert run(byte_by_byte(data)) == whole
    output, refused = whole
    assert refused is None
    return output


def refused(data: bytes) -> Refused:
    """Return why ``data`` is refused, having tried it whole, byte by byte and with something behind it."""
    whole = run([data])
    assert run(byte_by_byte(data)) == whole
    assert run([data + b"GET / HTTP/1.1\r\n\r\n"]) == whole
    reason = whole[1]
    assert reason is not None
    return reason


class StrictParser:
    """The parser of the service, noting what it is given."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, bytes, str, list[tuple[bytes, bytes]], bytes]] = []
        self.parser = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        self.url, self.body = b"", b""
        self.headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        parser: Any = self.parser
        self.requests.append(
            (parser.get_method(), self.url, parser.get_http_version(), self.headers, self.body)
        )


def parsed(data: bytes) -> list[tuple[bytes, bytes, str, list[tuple[bytes, bytes]], bytes]]:
    parser = StrictParser()
    parser.parser.feed_data(data)
    return parser.requests


STRICT_PUT = (
    b"PUT /v2/feeds/1.csv HTTP/1.1\r\nHost: api.pachube.com\r\nX-PachubeApiKey: KEY\r\n"
    b"Content-Length: 4\r\n\r\n0,21"
)
ABSOLUTE_PUT = STRICT_PUT.replace(b"/v2", b"http://api.pachube.com/v2")


@pytest.mark.parametrize(
    "data",
    [
        STRICT_PUT,
        # bare LF, and a mixture
        STRICT_PUT.replace(b"\r\n", b"\n"),
        STRICT_PUT.replace(b"\r\n", b"\n").replace(b"\n\n", b"\n\r\n"),
        STRICT_PUT.replace(b"\r\n", b"\r\r\n"),
        STRICT_PUT.replace(b"\r\n", b"\n", 3),
        # blank lines before, and blanks in the request line
        b"\r\n\n \r\n" + STRICT_PUT,
        STRICT_PUT.replace(b" HTTP/1.1", b"  HTTP/1.1 ").replace(b"PUT ", b"PUT  "),
        STRICT_PUT.replace(b"PUT", b"put"),
        STRICT_PUT.replace(b"HTTP/1.1", b"http/1.1"),
        # an absolute target
        ABSOLUTE_PUT,
        ABSOLUTE_PUT.replace(b"http://", b"HTTPS://user@").replace(b"Host: api.pachube.com", b"Host: other"),
        # header lines
        STRICT_PUT.replace(b"Content-L", b"User Agent: Arduino\r\nContent-L"),
        STRICT_PUT.replace(b"Content-L", b"nonsense\r\nContent-L"),
        STRICT_PUT.replace(b"Content-L", b": nameless\r\nContent-L"),
        STRICT_PUT.replace(b": ", b":"),
        STRICT_PUT.replace(b": ", b" :\t ").replace(b"KEY", b"KEY  "),
        STRICT_PUT.replace(b"KEY", b"\x00KEY\x07"),
        STRICT_PUT.replace(b"X-Pachube", b"X-PachubeApiKey: KEY\r\nX-Pachube"),
        STRICT_PUT.replace(b"Content-L", b"Content-Length: 4\r\nContent-L"),
        STRICT_PUT.replace(b": 4", b": 4, 4"),
        STRICT_PUT.replace(b": KEY", b":\r\n KEY"),
        STRICT_PUT.replace(b"\r\n\r\n", b"\r\n \r\n\r\n"),
        # things behind
        STRICT_PUT + b"\r\n",
        STRICT_PUT + b"\n\x1a",
        STRICT_PUT + b".57\r\n",
        STRICT_PUT.replace(b"Content-L", b"Upgrade: h2c\r\nHTTP2-Settings: AAA\r\nContent-L"),
        STRICT_PUT.replace(b"Content-L", b"Expect: something\r\nContent-L"),
        STRICT_PUT.replace(b"Content-L", b"Transfer-Encoding: identity\r\nContent-L"),
    ],
)  # fmt: skip
def test_sloppy_requests_become_this_strict_one(data: bytes) -> None:
    """Whole, byte by byte, and with another request behind it."""
    expected = STRICT_PUT
    assert strict(data) == expected
    assert strict(data + STRICT_PUT) == expected * 2
    assert strict(data + b"\r\n\r\n5 \x1a" + STRICT_PUT) == expected * 2


def test_missing_hosts() -> None:
    """An empty Host is the strict way to say that there is none; HTTP/1.0 needs none."""
    assert strict(b"GET /v2/feeds HTTP/1.1\n\n") == b"GET /v2/feeds HTTP/1.1\r\nHost: \r\n\r\n"
    assert strict(b"GET /v2/feeds HTTP/1.0\n\n") == b"GET /v2/feeds HTTP/1.0\r\n\r\n"
    assert strict(b"GET /v2/feeds HTTP/1.1\nHost: a b\n\n") == b"GET /v2/feeds HTTP/1.1\r\nHost: \r\n\r\n"


@pytest.mark.parametrize(
    ("line", "strict_line"),
    [
        (b"GET /v2/feeds?q=two words HTTP/1.1", b"GET /v2/feeds?q=two%20words HTTP/1.1"),
        ("GET /v2/feeds?q=küche HTTP/1.1".encode(), b"GET /v2/feeds?q=k%C3%BCche HTTP/1.1"),
        (b"GET http://api.cosm.com HTTP/1.1", b"GET / HTTP/1.1"),
        (b"GET http://api.cosm.com?key=x HTTP/1.1", b"GET /?key=x HTTP/1.1"),
        (b"GET v2/feeds HTTP/1.1", b"GET /v2/feeds HTTP/1.1"),
        (b"OPTIONS * HTTP/1.1", b"OPTIONS * HTTP/1.1"),
        (b"GET /v2/feeds", b"GET /v2/feeds HTTP/1.0"),
        (b"GET /v2/feeds HTTP/0.9", b"GET /v2/feeds HTTP/1.0"),
        (b"GET /v2/feeds HTTP/2.0", b"GET /v2/feeds HTTP/1.1"),
        (b"GET /v2/feeds HTTP/1", b"GET /v2/feeds HTTP/1.1"),
    ],
)
def test_request_lines(line: bytes, strict_line: bytes) -> None:
    """Targets are encoded and made relative, versions are 1.0 or 1.1."""
    output = strict(line + b"\n\n")
    assert output.split(b"\r\n")[0] == strict_line
    ((_, _, version, _, _),) = parsed(output)
    assert strict_line.endswith(version.encode())


def test_a_body_shorter_than_its_length_is_waited_for() -> None:
    """What came is passed on, and what is missing is still to come."""
    device = DeviceHttp()
    assert device.receive(STRICT_PUT[:-2]) == STRICT_PUT[:-2]
    assert device.in_request
    assert device.receive(b"2") == b"2"
    assert device.receive(b"1") == b"1"
    assert not device.in_request


def test_a_body_longer_than_its_length_is_cut() -> None:
    """So many bytes are taken, and the rest is ignored up to the next request."""
    data = STRICT_PUT.replace(b"0,21", b'0,21.5\nvoltage,"PUTTY /x"\n\x1a') + STRICT_PUT
    assert strict(data) == STRICT_PUT * 2


def test_a_body_without_a_length_is_no_body() -> None:
    """The strict parser gets a request with an empty one."""
    data = b"PUT /v2/feeds/1.csv HTTP/1.1\nHost: x\n\n0,21\n" + STRICT_PUT
    assert (
        strict(data) == b"PUT /v2/feeds/1.csv HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" + STRICT_PUT
    )


def test_expect_is_passed_on_before_the_body_comes() -> None:
    """The parser behind must see the head at once to answer 100."""
    device = DeviceHttp()
    head = STRICT_PUT[:-8].replace(b"Content-L", b"expect: 100-Continue\r\nContent-L")
    assert device.receive(head + b"\r\n\r\n") == STRICT_PUT[:-8] + b"\r\nExpect: 100-continue\r\n\r\n"
    assert device.receive(b"0,21") == b"0,21"


def test_expect_means_nothing_in_the_older_version() -> None:
    """Such a client wouldn't understand the answer 100."""
    assert b"xpect" not in strict(
        STRICT_PUT.replace(b"1.1", b"1.0").replace(b"\r\nC", b"\r\nExpect: 100-continue\r\nC")
    )


@pytest.mark.parametrize(
    ("head", "goes_on"),
    [
        (b"GET / HTTP/1.1\n", True),
        (b"GET / HTTP/1.1\nConnection: Close\n", False),
        (b"GET / HTTP/1.1\nConnection: te , close\n", False),
        (b"GET / HTTP/1.0\n", False),
        (b"GET / HTTP/1.0\nConnection: Keep-Alive\n", True),
    ],
)
def test_nothing_is_read_after_the_last_request(head: bytes, goes_on: bool) -> None:
    """The client expects the connection to be closed, so whatever it sends on is surplus."""
    device = DeviceHttp()
    device.receive(head + b"\n")
    assert device.ended is not goes_on
    assert (device.receive(STRICT_PUT) == STRICT_PUT) is goes_on
    assert device.refused is None


def test_chunks_are_made_strict() -> None:
    """Extensions, bare line ends and trailers of a chunked body disappear."""
    head = b"PUT /v2/feeds/1 HTTP/1.1\nHost: x\nTransfer-Encoding: Chunked\n\n"
    output = strict(head + b"3;ext=1\nabc\r\n00A \r\n0123456789\n0\nTrailer: x\n\n" + STRICT_PUT)
    assert output == (
        b"PUT /v2/feeds/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n" + STRICT_PUT
    )
    first, second = parsed(output)
    assert first[4] == b"abc0123456789"
    assert second[4] == b"0,21"


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\n\n",
        b"G3T / HTTP/1.1\n\n",
        b"PUT / HTTP/1.1\nContent-Length: 4\nContent-Length: 5\n\n",
        b"PUT / HTTP/1.1\nContent-Length: 4, 5\n\n",
        b"PUT / HTTP/1.1\nContent-Length: -4\n\n",
        b"PUT / HTTP/1.1\nContent-Length: 4 5\n\n",
        b"PUT / HTTP/1.1\nContent-Length: 0x4\n\n",
        b"PUT / HTTP/1.1\nContent-Length: 1234567890123456\n\n",
        b"PUT / HTTP/1.1\nContent-Length: 4\nTransfer-Encoding: chunked\n\n",
        b"PUT / HTTP/1.1\nTransfer-Encoding: chunked\nTransfer-Encoding: identity, chunked\n\n",
        b"PUT / HTTP/1.1\nTransfer-Encoding: gzip\n\n",
        b"PUT / HTTP/1.0\nTransfer-Encoding: chunked\n\n",
        b"PUT / HTTP/1.1\nTransfer-Encoding: chunked\n\nx\n",
        b"PUT / HTTP/1.1\nTransfer-Encoding: chunked\n\n\n",
        b"PUT / HTTP/1.1\nTransfer-Encoding: chunked\n\n1\nabc\n",
        b"PUT / HTTP/1.1\nTransfer-Encoding: chunked\n\n" + b"1" * 300,
    ],
)
def test_doubt_about_the_body_is_refused(data: bytes) -> None:
    """With 400, and nothing behind it is read."""
    assert refused(data).status == 400


def test_a_head_has_a_largest_size() -> None:
    """The limit is met exactly, in one line or in many, also in a trailer."""
    start = b"GET / HTTP/1.1\nHost: x\nX-Long: "
    fitting = start + b"x" * (MAX_HEAD - len(start) - 2) + b"\n\n"
    assert len(fitting) == MAX_HEAD
    assert strict(fitting)
    assert refused(start + b"x" * (MAX_HEAD - len(start) - 1) + b"\n\n").status == 431
    assert refused(b"x" * (MAX_HEAD + 1)).status == 431
    chunked = b"PUT / HTTP/1.1\nTransfer-Encoding: chunked\n\n0\n"
    assert refused(chunked + b"a: b\n" * MAX_HEAD).status == 431


def test_a_head_has_a_largest_number_of_lines() -> None:
    """The request line counts."""
    assert strict(b"GET / HTTP/1.1\n" + b"a: b\n" * (MAX_LINES - 1) + b"\n")
    assert refused(b"GET / HTTP/1.1\n" + b"a: b\n" * MAX_LINES).status == 431


def test_surplus_has_a_largest_size() -> None:
    """A stream that never becomes a request again is ended; so is one that never begins."""
    assert strict(STRICT_PUT + b"x" * (MAX_SURPLUS - 5) + b"\n" + STRICT_PUT[:0]) == STRICT_PUT
    assert refused(STRICT_PUT + b"x" * (MAX_SURPLUS + 1)).status == 400
    assert refused(b"\r\n" * (MAX_SURPLUS // 2 + 1)).status == 400


def test_words_in_surplus_are_no_requests() -> None:
    """A method is in capitals, stands alone, and a target follows it."""
    for words in (b"xPUT /v2", b"ABCDEFGHIJKLMNOPQRSTUVW /x", b"put /v2", b"PUT v2", b"PU /", b"GET      /"):
        assert strict(STRICT_PUT + words + b"\n" + STRICT_PUT) == STRICT_PUT * 2


def test_the_key_is_in_no_repr() -> None:
    """What ends up in a log doesn't hold the key."""
    head = strict_head([b"GET /?key=SECRET HTTP/1.1", b"X-ApiKey: SECRET"])
    assert "SECRET" not in repr(head)


PIECES = st.sampled_from(
    [
        STRICT_PUT, STRICT_PUT.replace(b"\r\n", b"\n"), b"\r\n", b"\n", b" ", b"\x1a", b"GET / HTTP/1.1",
        b"GET /", b"Content-Length: 3\n", b"Transfer-Encoding: chunked\r\n", b"3\n", b"0\r\n", b"abc",
        b"X: y", b":", b"A" * 20, b"AAGET /", b"PUT /AAA", b"AAAAAAAAAAAAAAAA /", b"\x00", b"\xff",
        b"PUT http://h/x HTTP/1.0\n\n", b"Connection: close\n",
    ]
)  # fmt: skip
STREAMS = st.lists(PIECES, max_size=14).map(b"".join) | st.binary(max_size=60)


@given(STREAMS, st.lists(st.integers(1, 40)))
def test_chunks_never_matter(stream: bytes, sizes: list[int]) -> None:
    """Any stream in any chunks gives the same, and the strict parser agrees about where requests end."""
    whole = run([stream])
    assert run(byte_by_byte(stream)) == whole
    assert run(cut(stream, sizes)) == whole
    parser = StrictParser()
    with suppress(httptools.HttpParserInvalidMethodError):  # any word can be a method here, but not there
        parser.parser.feed_data(whole[0])


@given(st.lists(PIECES, max_size=6).map(b"".join))
def test_what_is_behind_never_changes_what_was(stream: bytes) -> None:
    """Output for the beginning of a stream is the beginning of the output for all of it."""
    assert run([stream + b"\n" + STRICT_PUT])[0].startswith(run([stream])[0])


@given(
    st.sampled_from([b"GET", b"PUT", b"DELETE"]),
    st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=6),
    st.binary(max_size=20),
)
def test_any_head_that_gets_through_is_strict(method: bytes, lines: list[bytes], target: bytes) -> None:
    """Whatever the lines hold, the strict parser finds one request, with no line more than were sent."""
    try:
        head = strict_head([method + b" /" + target.replace(b"\n", b"") + b" HTTP/1.1", *lines])
    except BadHead:
        return
    body = b"" if head.length is None else bytes(min(head.length, 1000))
    if head.length is None:
        body = b"0\r\n\r\n"
    parser = StrictParser()
    parser.parser.feed_data(head.text + body)
    if head.length is None or head.length <= 1000:
        ((found, url, _, headers, _),) = parser.requests
        assert found == method
        assert url.startswith(b"/")
        assert len(headers) <= len(lines) + 2


@pytest.mark.parametrize(
    "data",
    [b"X" * 60_000, b"GET / HTTP/1.1\n" + b"a:b\n" * 90, STRICT_PUT + b"A" * 60_000, b"\n" * 60_000,
     STRICT_PUT + b"AB " * 20_000],
    ids=["line", "lines", "letters", "empty", "words"],
)  # fmt: skip
def test_time_is_linear(data: bytes) -> None:
    """No byte costs more than some microseconds, wherever the machine is."""
    began = time.process_time()
    run(byte_by_byte(data))
    assert time.process_time() - began < 3
