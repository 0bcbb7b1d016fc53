"""The bytes of answers: order, spelling and size of what devices with small buffers read."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from txpachube.api.messages import Response
from txpachube.api.problems import not_found, payload_too_large, unprocessable
from txpachube.server.transports.http_request import CLOSE, KEEP, KEEP_OLD
from txpachube.server.transports.http_response import AnswerWriter, problem_response

NOW = 1_367_800_245_694_188  # 2013-05-06T00:30:45.694188Z


class Clock:
    """A time of day that is set by hand."""

    now = NOW

    def __call__(self) -> int:
        return self.now


def counted(width: int) -> bytes:
    """Stand in for randomness: bytes that tell where they are."""
    return bytes(at % 251 for at in range(width))


def writer(clock: Clock | None = None) -> AnswerWriter:
    return AnswerWriter(clock or Clock(), counted)


def split(answer: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return the status line, the headers in order, and the body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("ascii").split("\r\n")
    return status, [(name, value) for name, _, value in (line.partition(": ") for line in lines)], body


FULL = Response(
    201,
    b'{"id":1}',
    location="http://127.0.0.1:8000/v2/feeds/504",
    etag='"' + "0" * 32 + '"',
    last_modified=NOW,
    extra=(("Access-Control-Allow-Origin", "*"),),
)


def test_the_whole_answer() -> None:
    """An answer is a status line, the headers in their fixed order, and the body."""
    assert writer().encode(Response(200, b"{}"), KEEP) == (
        b"HTTP/1.1 200 OK\r\n"
        b"Date: Mon, 06 May 2013 00:30:45 GMT\r\n"
        b"Content-Type: application/json; charset=utf-8\r\n"
        b"Content-Length: 2\r\n"
        b"X-Request-Id: " + counted(5120)[-20:].hex().encode() + b"\r\n"
        b"Cache-Control: max-age=0\r\n"
        b"Vary: Accept-Encoding\r\n"
        b"\r\n"
        b"{}"
    )


def test_order_of_headers() -> None:
    """Date is first and Vary last, whatever else there is."""
    _, headers, _ = split(writer().encode(FULL, CLOSE))
    assert [name for name, _ in headers] == [
        "Date",
        "Content-Type",
        "Content-Length",
        "X-Request-Id",
        "Cache-Control",
        "ETag",
        "Last-Modified",
        "Location",
        "Access-Control-Allow-Origin",
        "Connection",
        "Vary",
    ]
    assert dict(headers)["Last-Modified"] == "Mon, 06 May 2013 00:30:45 GMT"


def test_sizes() -> None:
    """Headers fit the fixed buffers of the C library, and a device's answer fits 512 bytes."""
    answer = writer().encode(FULL, KEEP_OLD)
    _, headers, _ = split(answer)
    assert len(headers) <= 16
    assert all(len(name) <= 31 and len(value) <= 63 for name, value in headers)
    typical = Response(200, b"x" * 150, etag=FULL.etag, last_modified=NOW)
    assert len(writer().encode(typical, CLOSE)) <= 512


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, "HTTP/1.1 200 OK"),
        (201, "HTTP/1.1 201 Created"),
        (304, "HTTP/1.1 304 Not Modified"),
        (400, "HTTP/1.1 400 Bad Request"),
        (401, "HTTP/1.1 401 Unauthorized"),
        (403, "HTTP/1.1 403 Forbidden"),
        (404, "HTTP/1.1 404 Not Found"),
        (406, "HTTP/1.1 406 Not Acceptable"),
        (408, "HTTP/1.1 408 Request Timeout"),
        (413, "HTTP/1.1 413 Payload Too Large"),
        (422, "HTTP/1.1 422 Unprocessable Entity"),
        (500, "HTTP/1.1 500 Internal Server Error"),
        (503, "HTTP/1.1 503 Service Unavailable"),
    ],
)
def test_status_lines(status: int, line: str) -> None:
    """Clients compare the whole status line, so the phrases do not change with Python's version."""
    assert split(writer().encode(Response(status), KEEP))[0] == line


@pytest.mark.parametrize(("keep", "connection"), [(KEEP, None), (CLOSE, "close"), (KEEP_OLD, "keep-alive")])
def test_connection_header(keep: int, connection: str | None) -> None:
    """Connection is said only where the client could not know it."""
    _, headers, _ = split(writer().encode(Response(200), keep))
    assert dict(headers).get("Connection") == connection


def test_no_body() -> None:
    """An empty answer says so; 304 and the answer to HEAD tell the length of a body they do not send."""
    write = writer().encode
    for answer, length in (
        (write(Response(200), KEEP), "0"),
        (write(Response(304, b"abc"), KEEP), "3"),
        (write(Response(404, b"abcd"), KEEP, True), "4"),
    ):
        _, headers, body = split(answer)
        assert dict(headers)["Content-Length"] == length
        assert body == b""
        assert headers[-1][0] == "Vary"


def test_cache_control_can_be_chosen() -> None:
    """A response with a rule for caches of its own has no second one."""
    _, headers, _ = split(writer().encode(Response(200, extra=(("Cache-Control", "max-age=300"),)), KEEP))
    assert [value for name, value in headers if name == "Cache-Control"] == ["max-age=300"]


def test_date_follows_the_clock() -> None:
    """The date is right in each second, also when the clock is set back."""
    clock = Clock()
    write = writer(clock).encode
    dates = []
    for clock.now in (NOW, NOW + 300_000, NOW + 310_000, NOW - 5_000_000):
        dates.append(dict(split(write(Response(200), KEEP))[1])["Date"][-6:-4])
    assert dates == ["45", "45", "46", "40"]


def test_request_ids() -> None:
    """Each answer has 40 hexadecimal digits of its own, also when the supply is renewed."""
    calls = itertools.count()

    def random(width: int) -> bytes:
        call = next(calls)
        return b"".join((call * 1000 + at).to_bytes(20, "big") for at in range(width // 20))

    write = AnswerWriter(Clock(), random).encode
    found = {dict(split(write(Response(200), KEEP))[1])["X-Request-Id"] for _ in range(600)}
    assert len(found) == 600
    assert all(re.fullmatch("[0-9a-f]{40}", text) for text in found)


@pytest.mark.parametrize(
    "response",
    [
        Response(201, location="http://a/\r\nX-Evil: 1"),
        Response(200, etag='"\n"'),
        Response(200, extra=(("A", "b\r\n\r\nc"),)),
        Response(200, extra=(("A\r\nB", "c"),)),
        Response(200, content_type="text/html\r\nA: b"),
        Response(201, location="http://a/\u20ac"),
    ],
)
def test_no_injection(response: Response) -> None:
    """A value that would end its line is not sent."""
    with pytest.raises(ValueError, match="can't be sent"):
        writer().encode(response, KEEP)


@settings(deadline=None)
@given(st.text())
def test_headers_are_lines(value: str) -> None:
    """Whatever a value is, it stays one header or is refused."""
    try:
        answer = writer().encode(Response(200, extra=(("A", value),)), KEEP)
    except ValueError:
        return
    _, headers, body = split(answer)
    assert ("A", value) in headers
    assert len(headers) == 7
    assert body == b""


def test_problems() -> None:
    """A problem becomes JSON without blanks: one text, or a list of them for validation."""
    assert problem_response(not_found("gone")).body == b'{"title":"Not found","errors":"gone"}'
    assert problem_response(payload_too_large(5)).status == 413
    assert (
        problem_response(unprocessable("a", "b")).body
        == b'{"title":"Unprocessable Entity","errors":["a","b"]}'
    )
