"""
Carrying out a history query against the storage.

Only the points an answer will hold are asked for: a grid is looked up in pieces, and no further than
the limit needs; every stored point is counted and cut by the storage itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from txpachube.api import problems
from txpachube.server.history import Cells, HistoryQuery, cell_begin, grid_lines
from txpachube.server.storage.records import Stream

__all__ = ["PointSource", "read"]

FEWEST_LINES: Final = 64
"""Lines looked up at once, at least: a sparse stream must not cost one question per point."""

POINTS_AT_ONCE: Final = 2000
"""Points a function takes at once: about two milliseconds of work, then others have their turn."""

MAX_POINTS_OF_A_FUNCTION: Final = 10_000_000
"""Points a function looks at in one query: a year at one in three seconds, some ten seconds of work."""


class PointSource(Protocol):
    """The part of a store that a history is read from."""

    async def points(
        self, stream: Stream, start: int, end: int, limit: int, offset: int = 0
    ) -> list[tuple[int, str]]:
        """Return points in order, both ends inclusive."""

    async def last_point(self, stream: Stream, at: int, after: int | None = None) -> tuple[int, str] | None:
        """Return the newest point at or before a moment, and after another."""

    async def points_at(
        self, stream: Stream, lines: Sequence[int], first_after: int | None
    ) -> list[tuple[int, str] | None]:
        """Return for each line the last point at or before it and after the line before."""


async def read(store: PointSource, stream: Stream, query: HistoryQuery) -> list[tuple[int, str]]:
    """
    Return the datapoints that a query asks for, as (time, value) in the order of their times.

    Raises:
        Problem: 400, a function would have to look at too many points.
    """
    previous = []
    if query.find_previous:
        point = await store.last_point(stream, query.start - 1)
        if point is not None:
            previous = [point]
    if not query.interval:
        return await _stored(store, stream, query, previous)
    # "It counts against the limit": the previous point is the first of the pages' common list.
    wanted = query.offset + query.limit - len(previous)
    if query.function is not None:
        found = await _aggregated(store, stream, query, wanted)
    elif query.discrete:
        found = await _discrete(store, stream, query, wanted)
    else:
        found = await _sampled(store, stream, query, wanted)
    return (previous + found)[query.offset : query.offset + query.limit]


async def _stored(
    store: PointSource, stream: Stream, query: HistoryQuery, previous: list[tuple[int, str]]
) -> list[tuple[int, str]]:
    if query.offset and previous:
        return await store.points(stream, query.start, query.end, query.limit, query.offset - 1)
    limit = query.limit - len(previous)
    if limit:
        previous = previous + await store.points(stream, query.start, query.end, limit, query.offset)
    return previous


async def _sampled(
    store: PointSource, stream: Stream, query: HistoryQuery, wanted: int
) -> list[tuple[int, str]]:
    lines = grid_lines(query)
    # The last cell may be unfinished; its value is the one at the end of the range.
    lines[-1] = min(lines[-1], query.end)
    found: list[tuple[int, str]] = []
    after, position = query.start - 1, 0
    while position < len(lines) and len(found) < wanted:
        piece = lines[position : position + max(FEWEST_LINES, wanted - len(found))]
        found += [point for point in await store.points_at(stream, piece, after) if point is not None]
        after, position = piece[-1], position + len(piece)
    return found


async def _discrete(
    store: PointSource, stream: Stream, query: HistoryQuery, wanted: int
) -> list[tuple[int, str]]:
    lines = grid_lines(query)
    found: list[tuple[int, str]] = []
    value: str | None = None
    after: int | None = None
    position = 0
    while position < len(lines) and len(found) < wanted:
        piece = lines[position : position + max(FEWEST_LINES, wanted - len(found))]
        for line, point in zip(piece, await store.points_at(stream, piece, after), strict=True):
            if point is not None:
                value = point[1]
            if value is not None:
                found.append((line, value))
        after, position = piece[-1], position + len(piece)
    return found


async def _aggregated(
    store: PointSource, stream: Stream, query: HistoryQuery, wanted: int
) -> list[tuple[int, str]]:
    cells = Cells(query)
    found: list[tuple[int, str]] = []
    begin, seen = cell_begin(query) + 1, 0
    while len(found) < wanted:
        points = await store.points(stream, begin, query.end, POINTS_AT_ONCE)
        found += cells.add(points)
        if len(points) < POINTS_AT_ONCE:
            return found + cells.finish()
        begin, seen = points[-1][0] + 1, seen + len(points)
        if seen >= MAX_POINTS_OF_A_FUNCTION:
            raise problems.bad_request("The range holds too many datapoints for a function")
    return found
