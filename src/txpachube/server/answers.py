"""
From what an operation found out to what goes over the wire.

Here a `Problem` becomes an error body in the format the client asked for, and a finished answer
gets what HTTP adds to it: the JSONP wrapping, the entity tag, "304 Not Modified", gzip, and the
headers that let pages of other origins read it. The transport adds the rest (date, length,
request id).

Error bodies: JSON ``{"title":…,"errors":…}`` with one text or, for validation, a list of texts;
XML ``<errors><title/><error/>…</errors>``; everything else the bare texts, one per line, and for
404 just ``Not Found``, which is what the C library of that time was tested against.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final
from xml.sax.saxutils import escape

import msgspec

from txpachube.api import params
from txpachube.api.messages import Request, Response
from txpachube.api.negotiation import CONTENT_TYPES, JAVASCRIPT
from txpachube.api.problems import Problem
from txpachube.server.packing import MIN_PACKED, accepts_gzip, pack
from txpachube.times import SECOND, from_datetime

__all__ = ["entity_tag", "finish", "has_version", "of_problem", "preflight"]

_ORIGIN_HEADERS: Final = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "Location, X-Request-Id"),
)
_PREFLIGHT_HEADERS: Final = (
    ("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS"),
    ("Access-Control-Allow-Headers", "X-ApiKey, X-PachubeApiKey, Content-Type, Accept, X-Requested-With"),
    ("Access-Control-Max-Age", "86400"),
)

_NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITY_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


def of_problem(problem: Problem, format: str = "json") -> Response:  # noqa: A002 - the field's own word
    """Return the answer that tells a client why its request failed."""
    if format == "json":
        body = msgspec.json.encode({"title": problem.title, "errors": problem.errors})
        return Response(problem.status, body)
    if format == "xml":
        return Response(problem.status, _error_document(problem), CONTENT_TYPES["xml"])
    text = "Not Found" if problem.status == 404 else "\n".join(problem.messages)
    return Response(problem.status, text.encode("utf-8", "replace"), CONTENT_TYPES["csv"])


def _error_document(problem: Problem) -> bytes:
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<errors>"]
    lines.append(f"  <title>{escape(problem.title)}</title>")
    # Messages may quote what the client sent, which need not be sayable in XML.
    lines += [f"  <error>{escape(_NOT_IN_XML.sub('?', text))}</error>" for text in problem.messages]
    lines += ["</errors>", ""]
    return "\n".join(lines).encode()


def preflight(request: Request) -> Response:
    """Answer ``OPTIONS``: browsers ask without the key, so nothing is checked."""
    return Response(200, extra=_PREFLIGHT_HEADERS + (_ORIGIN_HEADERS if "origin" in request.headers else ()))


def entity_tag(body: bytes) -> str:
    """Return the entity tag of a body: its MD5 in quotes, which tells versions apart and protects nothing."""
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def finish(
    request: Request, response: Response, *, reading: bool, by_date: bool = False, once: bool = False
) -> Response:
    """
    Complete an answer with what depends on the request's headers rather than on its meaning.

    Args:
        request: what was asked.
        response: the operation's answer or an error; it is changed in place or replaced.
        reading: the request is a GET, so that it can be wrapped and conditional.
        by_date: ``If-Modified-Since`` may be believed, because ``last_modified`` tells this version
            from all earlier ones.
        once: the answer is not given again, so it must not be left out for a client that claims to have it.
    """
    headers = request.headers
    if reading:
        if "callback" in request.query_text and response.content_type == CONTENT_TYPES["json"]:
            name = params.callback(params.query_of(request))
            if name is not None:
                _wrap(response, name)
        if response.status == 200 and not once:
            if response.etag is None:
                response.etag = entity_tag(response.body)
            if _is_known(headers, response, by_date):
                response.status = 304
                response.body = b""
    if (
        len(response.body) >= MIN_PACKED
        and response.content_type != CONTENT_TYPES["png"]
        and accepts_gzip(headers.get("accept-encoding", ""))
    ):
        response.body = pack(response.body)
        response.extra = (*response.extra, ("Content-Encoding", "gzip"))
    if "origin" in headers:
        response.extra = (*response.extra, *_ORIGIN_HEADERS)
    return response


def _wrap(response: Response, name: str) -> None:
    # These two separate lines in JavaScript texts of that time, but are ordinary in JSON texts.
    body = response.body.replace(b"\xe2\x80\xa8", rb"\u2028").replace(b"\xe2\x80\xa9", rb"\u2029")
    response.body = b"%s(%s)" % (name.encode("ascii"), body)
    response.content_type = JAVASCRIPT
    response.etag = None


def _is_known(headers: Mapping[str, str], response: Response, by_date: bool) -> bool:
    """Say whether the client has this very version, as its conditional headers claim."""
    tags = headers.get("if-none-match")
    if tags is not None:  # beats the date when both were sent
        return _is_among(response.etag, tags)
    since = headers.get("if-modified-since")
    if since is None or not by_date or response.last_modified is None:
        return False
    moment = _read_date(since) if len(since) <= _LONGEST_DATE else None
    return moment is not None and response.last_modified // SECOND <= moment // SECOND


def _is_among(tag: str | None, tags: str) -> bool:
    return tags.strip() == "*" or tag in _ENTITY_TAG.findall(tags)


def has_version(request: Request, tag: str) -> bool:
    """Return whether the client has a version with this tag already, so that nobody needs to make it."""
    return _is_among(tag, request.headers.get("if-none-match", ""))


_LONGEST_DATE: Final = 64  # characters: what is remembered must not grow with what strangers send


@lru_cache(maxsize=256)
def _read_date(text: str) -> int | None:
    try:
        return from_datetime(parsedate_to_datetime(text))
    except (ValueError, TypeError, OverflowError):  # not a date, or one without a zone
        return None
