"""
Which format a request's body is in, and which one its answer shall be in.

The answer, in this order: the extension of the path (or one glued to the end of the query), the
``Accept`` header, the default. The body: the extension, the ``Content-Type`` header, the default.
The default is JSON, in version 1 XML.

The extension always wins: an official library sends JSON to ``….json`` and calls it
``text/csv``. Some types say nothing about a body, because clients send them without thinking.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from txpachube.api import problems
from txpachube.api.messages import Request
from txpachube.api.params import glued_extension
from txpachube.api.routes import IMAGES, Match

__all__ = ["CONTENT_TYPES", "JAVASCRIPT", "asks_for_image", "body_format", "error_format", "response_format"]

CONTENT_TYPES: Final = {
    "json": "application/json; charset=utf-8",
    "xml": "application/xml; charset=utf-8",
    "csv": "text/plain; charset=utf-8",
    "png": "image/png",
    "svg": "image/svg+xml",
}
"""What an answer in a format calls itself."""

JAVASCRIPT: Final = "application/javascript; charset=utf-8"
"""What a JSON answer wrapped in a callback calls itself."""

MAX_REMEMBERED_LENGTH: Final = 500
"""Longer ``Accept`` headers are not read; browsers send about 150 characters."""

_FORMATS: Final = {
    "application/json": "json",
    "text/json": "json",
    "text/javascript": "json",
    "application/xml": "xml",
    "text/xml": "xml",
    "text/csv": "csv",
    "text/plain": "csv",
    "application/csv": "csv",
    "image/png": "png",
}
# Sketches and form libraries send text/plain with everything.
_BODY_FORMATS: Final = {name: kind for name, kind in _FORMATS.items() if name != "text/plain"}
_ERROR_FORMATS: Final = ("json", "xml", "csv")
_DEFAULTS: Final = {1: "xml", 2: "json"}
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def response_format(request: Request, match: Match) -> str:
    """
    Return the format of a successful answer.

    Raises:
        Problem: 406, the resource does not exist in the format that was asked for.
    """
    route = match.route
    assert route is not None, "only a request with a route has an answer"
    formats = route.formats
    extension = match.extension or (glued_extension(request) if route.method == "GET" else None)
    if extension is not None:
        if extension in formats:
            return extension
        if formats:
            raise _not_offered(extension, formats)
    default = _DEFAULTS[match.version]
    if not formats:
        return extension if extension in _ERROR_FORMATS else _accepted(request, _ERROR_FORMATS, default)[0]
    chosen, refused = _accepted(request, formats, default if default in formats else formats[0])
    # Answers to anything but a GET have no body that could be in a wrong format.
    if refused and route.method == "GET":
        raise _not_offered(refused, formats)
    return chosen


def asks_for_image(request: Request, match: Match) -> bool:
    """Return whether a request wants something drawn."""
    route = match.route
    if route is None or route.method != "GET" or IMAGES[0] not in route.formats:
        return False
    try:
        return response_format(request, match) in IMAGES
    except problems.Problem:
        return False


def body_format(request: Request, match: Match) -> str:
    """
    Return the format of a request's body.

    Raises:
        Problem: 406, the resource can't be written in that format.
    """
    assert match.route is not None, "only a request with a route has a body to read"
    chosen = match.extension
    if chosen is None:
        content_type = request.headers.get("content-type")
        if content_type is not None:
            # A header sent twice arrives joined by a comma.
            named = content_type.partition(";")[0].partition(",")[0].strip().lower()
            chosen = _BODY_FORMATS.get(named)
    if chosen is None:
        chosen = _DEFAULTS[match.version]
        if chosen != "xml" and request.body.removeprefix(_BYTE_ORDER_MARK).lstrip()[:1] == b"<":
            chosen = "xml"
    if chosen not in match.route.formats:
        raise _not_offered(chosen, match.route.formats)
    return chosen


def error_format(request: Request, match: Match) -> str:
    """
    Return the format of an error: ``json``, ``xml`` or ``csv``, which stands for plain text.

    When what was asked for is itself the problem, it is JSON.
    """
    route = match.route
    extension = match.extension or glued_extension(request)
    if extension is not None:
        if route is not None and route.formats and extension not in route.formats:
            return "json"
        return extension if extension in _ERROR_FORMATS else "csv"
    formats = route.formats if route is not None and route.formats else _ERROR_FORMATS
    default = _DEFAULTS[match.version]
    chosen, refused = _accepted(request, formats, default if default in formats else "json")
    if refused:
        return "json"
    return chosen if chosen in _ERROR_FORMATS else "csv"


def _not_offered(wanted: str, formats: tuple[str, ...]) -> problems.Problem:
    offered = " or ".join(formats) if formats else "no format"
    return problems.not_acceptable(f"This resource is available as {offered}, not as {wanted}")


def _accepted(request: Request, formats: tuple[str, ...], default: str) -> tuple[str, str | None]:
    accept = request.headers.get("accept")
    if accept is None or accept == "*/*" or len(accept) > MAX_REMEMBERED_LENGTH:
        return default, None
    return _chosen(accept, formats, default)


@lru_cache(maxsize=512)
def _chosen(accept: str, formats: tuple[str, ...], default: str) -> tuple[str, str | None]:
    """Return the format an ``Accept`` header chooses, and the one it wants when that isn't offered."""
    ranked: list[tuple[float, str]] = []
    for item in accept.split(","):
        name, *options = (part.strip().lower() for part in item.split(";"))
        quality = 1.0
        for option in options:
            if option.startswith("q="):
                quality = _quality(option[2:])
        if quality > 0:
            ranked.append((quality, name))
    # Sorting is stable: of equal quality the first one wins.
    ranked.sort(key=lambda pair: -pair[0])
    refused = None
    for _, name in ranked:
        if name == "*/*":
            return default, None
        known = _FORMATS.get(name)
        if known in formats:
            return known, None
        refused = refused or known
    return default, refused


def _quality(text: str) -> float:
    try:
        quality = float(text)
    except ValueError:
        return 1.0
    return quality if 0 <= quality <= 1 else 1.0
