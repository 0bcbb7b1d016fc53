"""
Answers as bytes, in the form that devices with small fixed buffers read.

One answer is one piece of bytes with a status line that always says HTTP/1.1, headers in canonical
capitals and in a fixed order, ``Date`` first and ``Vary`` last, always a ``Content-Length``, never a coding.
Without `Response.extra` there are at most ten headers, none longer than 31 + 63 bytes except a
``Location``, whose length is decided by whoever chose the base URL and the id; with a
body of 150 bytes the whole stays under 512.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final

import msgspec

from txpachube.api.messages import Response
from txpachube.api.problems import Problem
from txpachube.server.observe import RequestIds
from txpachube.server.transports.http_request import CLOSE, KEEP, KEEP_OLD

__all__ = ["CONTINUE", "AnswerWriter", "problem_response"]

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

# The phrases of these two were renamed in later standards; clients compare the whole line.
_PHRASES: Final = {413: "Payload Too Large", 422: "Unprocessable Entity"}
_NOT_MODIFIED: Final = 304
_SECOND: Final = 1_000_000
_FRESH: Final = b"\r\nCache-Control: max-age=0"
_CONNECTION: Final = {CLOSE: b"\r\nConnection: close", KEEP: b"", KEEP_OLD: b"\r\nConnection: keep-alive"}
_MAX_STARTS: Final = 100
"""Beginnings of answers kept for a second: statuses times content types, of which there are few."""


class AnswerWriter:
    """
    Turns responses into bytes.

    Args:
        clock: the time in microseconds since 1970.
        random: returns so many random bytes.
    """

    def __init__(self, clock: Callable[[], int], random: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._date = b""
        self._date_from = self._date_until = 0
        self._starts: dict[tuple[int, str], bytes] = {}
        self._request_ids = RequestIds(random)

    def encode(self, response: Response, keep: int, without_body: bool = False) -> bytes:
        """
        Return the whole answer.

        Args:
            response: what is to be said. A 304 may bring the body that a 200 would have: it gives
                the length and is not sent.
            keep: CLOSE, KEEP or KEEP_OLD.
            without_body: the request was a HEAD.

        Raises:
            ValueError: a header value can't be sent, because of a line end in it for example.
        """
        now = self._clock()
        if not self._date_from <= now < self._date_until:
            self._begin_second(now)
        body = response.body
        status = response.status
        start = self._starts.get((status, response.content_type))
        if start is None:
            start = self._begin_answer(status, response.content_type)
        request_id = response.request_id or self._request_ids.take()
        return b"%b%d\r\nX-Request-Id: %b%b\r\nVary: Accept-Encoding\r\n\r\n%b" % (
            start,
            len(body),
            request_id.encode("ascii"),
            _special_headers(response) + _CONNECTION[keep],
            b"" if without_body or status == _NOT_MODIFIED else body,
        )

    def _begin_second(self, now: int) -> None:
        second = now // _SECOND
        self._date = _http_date(second)
        self._date_from = second * _SECOND
        self._date_until = self._date_from + _SECOND
        self._starts.clear()

    def _begin_answer(self, status: int, content_type: str) -> bytes:
        phrase = _PHRASES.get(status) or HTTPStatus(status).phrase
        start = b"HTTP/1.1 %d %b\r\nDate: %b\r\nContent-Type: %b\r\nContent-Length: " % (
            status,
            phrase.encode("ascii"),
            self._date,
            _sendable(content_type),
        )
        if len(self._starts) < _MAX_STARTS:
            self._starts[status, content_type] = start
        return start


def problem_response(problem: Problem) -> Response:
    """Return a problem as a response in JSON, the format of every answer for which none could be chosen."""
    return Response(problem.status, msgspec.json.encode({"title": problem.title, "errors": problem.errors}))


def _special_headers(response: Response) -> bytes:
    """Return what this response has beyond the headers of all, beginning with a line end."""
    extra = response.extra
    lines = b"" if extra and any(name == "Cache-Control" for name, _ in extra) else _FRESH
    if response.etag is not None:
        lines += b"\r\nETag: " + _sendable(response.etag)
    if response.last_modified is not None:
        lines += b"\r\nLast-Modified: " + _http_date(response.last_modified // _SECOND)
    if response.location is not None:
        lines += b"\r\nLocation: " + _sendable(response.location)
    for name, value in extra:
        lines += b"\r\n%b: %b" % (_sendable(name), _sendable(value))
    return lines


def _sendable(value: str) -> bytes:
    """
    Return a header's name or value in bytes.

    Raises:
        ValueError: it would end the line, or can't be written.
    """
    if not value.isprintable() or not value.isascii():
        raise ValueError("a header holds a character that can't be sent")
    return value.encode("ascii")


@lru_cache(maxsize=1024)
def _http_date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode("ascii")
