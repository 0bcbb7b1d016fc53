"""
The graph of a datastream: its history as a picture, for a URL that somebody puts into a page.

What a picture shows depends on the state of its feed, on the range, and on the parameters; its entity
tag is made of these, so whether a browser has it already is known before anything is read or drawn.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, tzinfo
from typing import Final

from txpachube.api.messages import Response
from txpachube.api.negotiation import CONTENT_TYPES
from txpachube.api.problems import not_acceptable, unavailable
from txpachube.server import history
from txpachube.server.answers import has_version
from txpachube.server.graphs import look
from txpachube.server.graphs.columns import Grid, last_only
from txpachube.server.graphs.drawing import Graph
from txpachube.server.graphs.look import Look
from txpachube.server.graphs.painter import PaintingFailed
from txpachube.server.graphs.studio import Studio, TooBusy
from txpachube.server.operations.call import Call
from txpachube.server.storage.records import Stream
from txpachube.times import SECOND

__all__ = ["read"]

LAST_DAY: Final = {"duration": "24hours"}
"""The range of a graph that has no say in it."""

_NOTHING_DRAWN: Final = "Graphs are not drawn here"
_NOT_INSTALLED: Final = (
    "PNG graphs are not installed here: the operator of this service has to install txpachube[graphs]. "
    "The same graph is there as .svg"
)
_BUSY: Final = "Too many graphs are being drawn at the moment"
_FAILED: Final = "The graph could not be painted"

# Whoever opens the SVG by itself opens a document of this service: nothing in it may run.
_HARMLESS: Final = (("Content-Security-Policy", "default-src 'none'"), ("X-Content-Type-Options", "nosniff"))

# States of feeds are counted from the start of the process on, so tags of another one mean nothing.
_PROCESS: Final = secrets.token_hex(8)


async def read(call: Call, *, last_day: bool = False) -> Response:
    """
    Answer a GET of a datastream's graph.

    Args:
        call: the request.
        last_day: draw the last 24 hours, whatever range is asked for.

    Raises:
        Problem: 400 for a wrong range, 404, 406 when nothing can be drawn in this format, 503.
    """
    studio = _studio(call)
    stream, zone = call.stream(), call.zone or UTC
    asked = look.read(call.query)
    start, end = history.drawn_range(LAST_DAY if last_day else call.query, call.now, zone, asked.width)
    grid = Grid(start, end, _columns(asked.width, end - start, call.minimum_interval))
    tag = _tag(call, stream, asked, grid, zone)
    response = Response(200, b"", CONTENT_TYPES[call.format], etag=tag)
    if call.format == "svg":
        response.extra = _HARMLESS
    if has_version(call.request, tag):
        return response  # which becomes "304 Not Modified"

    async def graph() -> Graph:
        samples = await call.store.samples(stream, grid)
        if call.minimum_interval is not None:
            samples = last_only(samples)
        unit = stream.unit.get("symbol") or stream.unit.get("label") or ""
        return Graph(asked, grid, samples, zone, unit, stream.min_value, stream.max_value)

    try:
        response.body = await studio.picture(tag, call.format, graph)
    except TooBusy:
        raise unavailable(_BUSY) from None
    except PaintingFailed:
        raise unavailable(_FAILED) from None
    return response


def _studio(call: Call) -> Studio:
    if call.studio is None:
        raise not_acceptable(_NOTHING_DRAWN)
    if call.format == "png" and not call.studio.paints:
        raise not_acceptable(_NOT_INSTALLED)
    return call.studio


def _columns(width: int, span: int, minimum: int | None) -> int:
    """Return how many columns are looked at: one for each pixel, or as few as the key may see."""
    return width if minimum is None else max(1, min(width, span // (minimum * SECOND)))


def _tag(call: Call, stream: Stream, asked: Look, grid: Grid, zone: tzinfo) -> str:
    """Return what tells a picture from all others."""
    state = call.versions.mark(call.feed, call.now).number
    parts = (
        *(_PROCESS, state, call.feed.id, stream.pk, call.format),
        *(asked, grid, str(zone), call.minimum_interval is not None),
    )
    return f'"{hashlib.md5(repr(parts).encode(), usedforsecurity=False).hexdigest()}"'
