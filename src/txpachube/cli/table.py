"""
The present state of a feed as a table in a terminal, and what its numbers were before, as bars.

A value is cut where the line ends, because a device can write a long text; a row is always one line.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.table import Table

    from txpachube import Datastream

__all__ = ["FeedTable", "bars", "local_time", "printable", "unit_of"]

BARS: Final = "▁▂▃▄▅▆▇█"

MOST_BARS: Final = 60
"""Values of a datastream that are drawn at most: a minute of them, where one comes each second."""

LONGEST_VALUE: Final = 24
"""Characters of a value that are shown at most; numbers have less."""

SHORTEST_VALUE: Final = 8
"""Characters of a value that are shown also where the line is short."""

BETWEEN: Final = 3
"""Blanks between two columns, as they are drawn."""


class FeedTable:
    """
    A table that knows what was written since it is there.

    Args:
        now: the time of day in seconds since 1970.
        times: there is a column that says when a value is from.
    """

    def __init__(self, now: Callable[[], float] = time.time, *, times: bool = True) -> None:
        self._now = now
        self._times = times
        self._values: dict[str, deque[float]] = {}

    def note(self, stream_id: str, value: str | None) -> None:
        """Take a value that was written; texts have no bars."""
        from txpachube.codecs.values import numeric

        number = None if value is None else numeric(value)
        if number is not None:
            self._values.setdefault(stream_id, deque(maxlen=MOST_BARS)).append(number)

    def draw(
        self,
        streams: Iterable[Datastream],
        width: int,
        *,
        title: str | None = None,
        caption: str | None = None,
        new: frozenset[str] = frozenset(),
    ) -> Table:
        """
        Return the table.

        Args:
            streams: as they are.
            width: characters of a line.
            title: above it.
            caption: below it.
            new: ids of the datastreams that stand out.
        """
        from rich.box import SIMPLE
        from rich.table import Table
        from rich.text import Text

        rows = [(stream, self._cells(stream)) for stream in streams]
        heads = ["datastream", "now", "unit", "min", "max", *(["at"] if self._times else [])]
        lengths = [
            max([len(head), *(len(cells[place]) for _, cells in rows)]) for place, head in enumerate(heads)
        ]
        longest = min(lengths[1], LONGEST_VALUE)
        room = width - sum(lengths) + lengths[1] - longest - BETWEEN * (len(heads) + 1)
        if room < 0:  # what a device says at length gives way first
            longest = max(longest + room, SHORTEST_VALUE)
        table = Table(
            box=SIMPLE,
            title=None if title is None else Text(printable(title)),
            title_justify="left",
            caption=caption,
            caption_justify="left",
            pad_edge=False,
        )
        for head in heads:
            right = head in ("now", "min", "max")
            table.add_column(head, justify="right" if right else "left", no_wrap=True, overflow="ellipsis")
        drawn = min(room, MOST_BARS)
        if drawn > 0 and any(self._values.values()):
            table.add_column("lately", min_width=min(drawn, len("lately")), no_wrap=True)
        for stream, cells in rows:
            style = "bold" if stream.id in new else ""
            if len(cells[1]) > longest:
                cells[1] = cells[1][: longest - 1] + "…"
            # Text, since what a device wrote is no markup.
            texts = [Text(cell, style) for cell in cells]
            if len(table.columns) > len(texts):
                texts.append(Text(bars(list(self._values.get(stream.id or "", ()))[-drawn:])))
            table.add_row(*texts)
        return table

    def _cells(self, stream: Datastream) -> list[str]:
        texts = (stream.id or "", stream.current_value or "-", unit_of(stream))
        cells = [printable(text) for text in texts]
        # Limits are numbers to the service, which writes 1183 as 1183.0.
        cells += [(limit or "").removesuffix(".0") for limit in (stream.min_value, stream.max_value)]
        if self._times:
            cells.append(local_time(stream.at, self._now()))
        return cells


def local_time(timestamp: str | None, now: float) -> str:
    """Return a timestamp as a clock on the wall shows it; with the day, unless that is today."""
    from txpachube.times import SECOND, parse

    if timestamp is None:
        return ""
    try:
        moment = datetime.fromtimestamp(parse(timestamp) / SECOND).astimezone()
    except (ValueError, OverflowError, OSError):
        return printable(timestamp)
    if moment.date() == datetime.fromtimestamp(now).astimezone().date():
        return f"{moment:%H:%M:%S}"
    return f"{moment:%Y-%m-%d %H:%M}"


def bars(values: list[float]) -> str:
    """Return numbers as bars between the least and the greatest of them."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    span = high - low
    # Halves, because the difference of two very large numbers is none.
    if not span or span == float("inf"):
        return BARS[0] * len(values)
    return "".join(BARS[int((value - low) / span * (len(BARS) - 1))] for value in values)


def unit_of(stream: Datastream) -> str:
    """Return the sign of a datastream's unit, or its name."""
    return "" if stream.unit is None else stream.unit.symbol or stream.unit.label or ""


def printable(text: str) -> str:
    """Return a text without what would move the cursor; a device can write anything."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
