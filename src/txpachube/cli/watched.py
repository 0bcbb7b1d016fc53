"""
What ``txpachube watch`` shows of a feed or a datastream: lines, JSON or a table.

Each value is shown once. A feed is pushed with all its datastreams, and after a break come structures with
what was missed; here they become single points.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import attrs
import click

from txpachube.cli.table import FeedTable, printable, unit_of

if TYPE_CHECKING:
    from rich.live import Live

    from txpachube import Datastream, Environment

__all__ = ["JsonLines", "LiveTable", "Shown", "TextLines"]

REFRESH_SECONDS: Final = 1.0
"""How often the table says whether there is a connection."""


@attrs.define
class Point:
    """
    A value that was written.

    Attributes:
        missed: it comes from the history, because the connection was broken.
    """

    stream: Datastream
    at: str | None
    value: str | None
    missed: bool


@attrs.define
class Shown:
    """
    What is shown of a subscription; a base of the ways to show it.

    Attributes:
        limit: how many values are wanted; None for all.
        count: values so far.
    """

    limit: int | None = None
    count: int = 0
    _feed: int | None = None
    _last: dict[str, tuple[str | None, str | None]] = attrs.field(factory=dict)

    @property
    def complete(self) -> bool:
        """Whether there were as many values as are wanted."""
        return self.limit is not None and self.count >= self.limit

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, *_: object) -> None:
        """End."""

    def begin(self, state: Environment | Datastream) -> None:
        """Take the state at the beginning, which is no news."""
        self._points(state)
        self.show(state, [])

    def take(self, state: Environment | Datastream) -> None:
        """Take news."""
        points = self._points(state)
        if self.limit is not None:
            points = points[: self.limit - self.count]
        self.count += len(points)
        self.show(state, points)
        for point in points:
            self.show_point(point)

    def show(self, state: Environment | Datastream, points: list[Point]) -> None:
        """Show a state and the points that are new in it."""

    def show_point(self, point: Point) -> None:
        """Show a point."""

    def _points(self, state: Environment | Datastream) -> list[Point]:
        """Return the points that were not there before; a feed always comes with all its datastreams."""
        from txpachube import Environment

        streams = list((state.datastreams or {}).values()) if isinstance(state, Environment) else [state]
        if isinstance(state, Environment):
            self._feed = state.id
        found = []
        for stream in streams:
            now = (stream.at, stream.current_value)
            if stream.datapoints:
                found += [Point(stream, point.at, point.value, True) for point in stream.datapoints]
            elif stream.current_value is not None and self._last.get(stream.id or "") != now:
                found.append(Point(stream, *now, False))
            self._last[stream.id or ""] = now
        return found


class JsonLines(Shown):
    """A JSON object in a line for each point."""

    def show_point(self, point: Point) -> None:
        """Print it."""
        facts: dict[str, Any] = {"datastream": point.stream.id, "at": point.at, "value": point.value}
        if self._feed is not None:
            facts = {"feed": self._feed, **facts}
        if point.missed:
            facts["missed"] = True
        click.echo(json.dumps(facts, ensure_ascii=False))


class TextLines(Shown):
    """A line of text for each point."""

    def show_point(self, point: Point) -> None:
        """Print it."""
        unit = unit_of(point.stream)
        text = f"{point.at or '-'}  {point.stream.id}  {point.value}{' ' if unit else ''}{unit}"
        click.echo(printable(text))


class LiveTable(Shown):
    """A table in a terminal, always of the present state."""

    def __init__(self, limit: int | None, reactor: Any, what: str, is_connected: Callable[[], bool]) -> None:
        super().__init__(limit)
        self._is_connected = is_connected
        self._clock = reactor
        self._what = what
        self._title = what
        self._rows: list[Datastream] = []
        self._table = FeedTable()
        self._new: frozenset[str] = frozenset()
        self._missed = 0
        self._live: Live | None = None
        self._ticking: Any = None

    def __enter__(self) -> None:
        """Begin to draw."""
        from rich.live import Live
        from twisted.internet.task import LoopingCall

        self._live = Live(auto_refresh=False)
        self._live.start()
        self._ticking = LoopingCall(self._draw)
        self._ticking.clock = self._clock
        self._ticking.start(REFRESH_SECONDS, now=False)

    def __exit__(self, *_: object) -> None:
        """Leave the last table where it is."""
        self._ticking.stop()
        assert self._live is not None
        self._draw(over=True)
        self._live.stop()

    def show(self, state: Environment | Datastream, points: list[Point]) -> None:
        """Draw it."""
        from txpachube import Environment

        if isinstance(state, Environment):
            status = f" ({state.status})" if state.status else ""
            self._title = f"{state.title or self._what}{status}"
            self._rows = list((state.datastreams or {}).values())
        else:
            self._rows = [state]
        if points:
            self._new = frozenset(point.stream.id or "" for point in points)
        for point in points:
            self._table.note(point.stream.id or "", point.value)
        self._missed += sum(point.missed for point in points)
        self._draw()

    def _draw(self, *, over: bool = False) -> None:
        live = self._live
        if live is None:
            return
        news = f"{self.count} value{'' if self.count == 1 else 's'}"
        if self._missed:
            news += f", {self._missed} of them missed at first"
        line = "connected" if self._is_connected() else "no connection, trying again"
        drawn = self._table.draw(
            self._rows,
            live.console.width,
            title=self._title,
            caption=f"{news}." if over else f"{line}; {news}. Ctrl-C ends.",
            new=self._new,
        )
        live.update(drawn, refresh=True)
