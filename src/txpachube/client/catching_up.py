"""
What a subscriber missed while the line was broken, found out from the history.

`Marks` remember the newest point of each datastream that the subscriber was given. Compared with the present
state they say which datastreams have points that are owed, and from when to when; `missed_points` reads
those, oldest first, in pages.

The history gives every stored point only in ranges of six hours. Longer breaks are read window by window;
where a window is empty, one question at an interval of a day finds the next day that has points, so a
sensor that spoke once in a month costs a few questions and not a hundred and twenty.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from txpachube.structures import Datapoint, Datastream, Environment
from txpachube.times import EARLIEST, SECOND, format_micros, parse

__all__ = ["Marks", "Owed", "ReadPoints", "State", "micros", "missed_points", "streams_of"]

State: TypeAlias = Environment | Datastream
"""What can be subscribed, as it is at some moment."""

ReadPoints: TypeAlias = Callable[[list[str], dict[str, Any]], Awaitable[Mapping[str, list[Datapoint]]]]
"""Reads the points of datastreams with the parameters of a history query."""

PAGE: Final = 1000
"""Points of one datastream that one question gives at most."""

TOGETHER: Final = 50
"""Datastreams that are read with one question: an answer stays below a few megabytes."""

_WINDOW: Final = 6 * 3600 * SECOND
_DAY: Final = 86400 * SECOND
_YEAR: Final = 365 * _DAY


def streams_of(state: State) -> list[Datastream]:
    """Return the datastreams of a feed, or the datastream itself."""
    return list((state.datastreams or {}).values()) if isinstance(state, Environment) else [state]


def micros(text: str | None) -> int | None:
    """Return a timestamp in microseconds since 1970; None when there is none that can be read."""
    try:
        return None if text is None else parse(text)
    except ValueError:
        return None


@attrs.frozen
class Owed:
    """
    Points of one datastream that a subscriber has yet to be given.

    Attributes:
        id: of the datastream.
        start: the time of the last one it was given.
        end: the time of the newest there is.
        value: the value of the last one it was given; None when it was given none.
    """

    id: str
    start: int
    end: int
    value: str | None

    def includes(self, at: int, value: str | None) -> bool:
        """Whether a point is owed: it is newer, or it was overwritten, or it is the first."""
        if at == self.start:
            return value != self.value
        return self.start < at <= self.end


class Marks:
    """
    The newest point of each datastream that a subscriber was given, or that was there before.

    Attributes:
        known: whether there is anything to compare with.
    """

    def __init__(self) -> None:
        self.known = False
        self._points: dict[str, tuple[int | None, str | None]] = {}
        self._updated: int | None = None
        self._status: str | None = None

    def begin(self, state: State) -> None:
        """Take a state as that from which on points are owed. News that came before it stay."""
        known = self._points
        if not self.known:
            self.note(state)
            return
        for stream in streams_of(state):
            known.setdefault(stream.id or "", (micros(stream.at), stream.current_value))

    def note(self, state: State) -> None:
        """Take a state that was given to the subscriber."""
        self.known = True
        self._points = {
            stream.id or "": (micros(stream.at), stream.current_value) for stream in streams_of(state)
        }
        if isinstance(state, Environment):
            self._updated = micros(state.updated)
            self._status = state.status

    def is_news(self, state: State) -> bool:
        """Whether a state is later than what the subscriber was given, as far as one can tell."""
        updated = micros(state.updated) if isinstance(state, Environment) else None
        if updated is not None and self._updated is not None and updated > self._updated:
            return True
        if isinstance(state, Environment) and self._status is not None and state.status != self._status:
            return True  # a feed freezes without being written to
        for stream in streams_of(state):
            if stream.id not in self._points and stream.id is not None:
                return True
            before, value = self._points.get(stream.id or "", (None, None))
            at = micros(stream.at)
            if at is not None and (
                before is None or at > before or (at == before and stream.current_value != value)
            ):
                return True
        return False

    def owed(self, state: State) -> list[Owed]:
        """Return what is missing of a state, by datastream; a new one is looked at a year back."""
        found = []
        for stream in streams_of(state):
            before, value = self._points.get(stream.id or "", (None, None))
            at = micros(stream.at)
            if at is None:
                continue
            if before is None:
                found.append(Owed(stream.id or "", max(EARLIEST, at - _YEAR), at, None))
            elif at > before or (at == before and stream.current_value != value):
                found.append(Owed(stream.id or "", before, at, value))
        return found

    def last(self, stream_id: str) -> tuple[int | None, str | None]:
        """Return time and value of the last point of a datastream that the subscriber was given."""
        return self._points.get(stream_id, (None, None))


async def missed_points(read: ReadPoints, owed: Iterable[Owed]) -> AsyncIterator[dict[str, list[Datapoint]]]:
    """
    Read what is owed, in pages: points by datastream, those of one datastream in order.

    Args:
        read: asks for the history.
        owed: what is missing.

    Raises:
        ValueError: the history contradicts itself.
    """
    owed = sorted(owed, key=lambda each: each.start, reverse=True)
    while owed:
        # Those that were silent for about as long are asked for together.
        newest = max(each.end for each in owed)
        group = [each for each in owed[:TOGETHER] if newest - each.start <= _WINDOW] or owed[:1]
        owed = [each for each in owed if each not in group]
        walk = _Walk(read, group)
        async for page in walk.pages():
            yield page


class _Walk:
    """Goes through the history of datastreams from the earliest point that is owed to the latest."""

    def __init__(self, read: ReadPoints, group: list[Owed]) -> None:
        self._read = read
        self._owed = {each.id: each for each in group}
        self._given: dict[str, int] = {}

    async def pages(self) -> AsyncIterator[dict[str, list[Datapoint]]]:
        start = min(each.start for each in self._owed.values())
        end = max(each.end for each in self._owed.values())
        expected = start  # there is a point at this time or before
        while True:
            stop = min(start + _WINDOW, end)
            empty = True
            async for page in self._window(start, stop):
                empty = False
                yield page
            if stop == end:
                return
            start = stop
            if empty and start >= expected:
                start, expected = await self._next_day_with_points(start, end)

    async def _window(self, start: int, stop: int) -> AsyncIterator[dict[str, list[Datapoint]]]:
        ids = list(self._owed)
        while ids:
            found = await self._read(ids, _range(start, stop, 0, PAGE))
            page: dict[str, list[Datapoint]] = {}
            unfinished: dict[str, int] = {}
            for stream_id in ids:
                points = found.get(stream_id, [])
                fresh = [point for point in points if self._is_fresh(stream_id, point)]
                if fresh:
                    page[stream_id] = fresh
                    self._given[stream_id] = micros(fresh[-1].at) or 0
                if len(points) >= PAGE:
                    unfinished[stream_id] = micros(points[-1].at) or 0
            if page:
                yield page
            ids = list(unfinished)
            if ids:
                before, start = start, min(unfinished.values())
                if start <= before:
                    raise ValueError("the history goes backwards")

    def _is_fresh(self, stream_id: str, point: Datapoint) -> bool:
        at = micros(point.at)
        if at is None or at <= self._given.get(stream_id, -1):
            return False
        return self._owed[stream_id].includes(at, point.value)

    async def _next_day_with_points(self, start: int, end: int) -> tuple[int, int]:
        """Return where to go on, before the next point there is, and when one comes at the latest."""
        while start < end:
            stop = min(start + _YEAR, end)
            found = await self._read(list(self._owed), _range(start, stop, 86400, 1))
            times = [at for points in found.values() for point in points if (at := micros(point.at))]
            later = [at for at in times if at > start]
            if later:
                # It is the last point of its day, which begins right after midnight.
                return max(start, (min(later) - 1) // _DAY * _DAY), min(later)
            start = stop
        return end, end


def _range(start: int, end: int, interval: int, limit: int) -> dict[str, Any]:
    return {
        "start": format_micros(start),
        "end": format_micros(end),
        "interval": interval,
        "limit": limit,
        "timezone": None,  # the grid of days is that of UTC
    }
