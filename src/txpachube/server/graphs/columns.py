"""
Many datapoints, few pixels: what is kept of them.

The range is cut into as many columns as the picture has pixels across. Of the datapoints in a column
the first, the last, the lowest and the highest are kept. A line through these four covers the
same pixels as a line through all of them: neither a spike of one datapoint among a hundred thousand
is lost, nor does the line enter or leave a column at a wrong height.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import attrs

__all__ = ["EMPTY", "Column", "Grid", "Samples", "last_only", "merge", "sort_in"]


class Column(NamedTuple):
    """
    What is kept of the datapoints in one column of pixels.

    Attributes:
        first_at: time of the first one.
        first: its number.
        low: the lowest number.
        high: the highest number.
        last_at: time of the last one.
        last: its number.
    """

    first_at: int
    first: float
    low: float
    high: float
    last_at: int
    last: float


@attrs.frozen
class Grid:
    """
    A range of time in columns.

    Attributes:
        start: the first moment of the range, in microseconds.
        end: the last one; both belong to it.
        count: how many columns there are. Some have no moment in them if the range is very short.
    """

    start: int
    end: int
    count: int

    @property
    def span(self) -> int:
        """How many moments there are."""
        return self.end - self.start + 1

    def column_of(self, at: int) -> int:
        """Return the number of the column in which a moment of the range is."""
        return (at - self.start) * self.count // self.span

    def begin_of(self, column: int) -> int:
        """Return the first moment of a column; that of the column after the last is the range's end."""
        return self.start - -column * self.span // self.count


@attrs.frozen
class Samples:
    """
    What a graph is drawn from.

    Attributes:
        columns: of those with any numbers, from left to right.
        previous: the number that was valid when the range began, or None.
    """

    columns: tuple[Column, ...] = ()
    previous: float | None = None


EMPTY: Final = Samples()
"""Nothing to draw."""


def sort_in(points: Iterable[tuple[int, float]], grid: Grid) -> dict[int, Column]:
    """Return the columns of datapoints, by number; they come in any order but lie in the range."""
    columns: dict[int, Column] = {}
    for at, number in points:
        place = grid.column_of(at)
        known = columns.get(place)
        one = Column(at, number, number, number, at, number)
        columns[place] = one if known is None else _joined(known, one)
    return columns


def merge(one: Mapping[int, Column], other: Mapping[int, Column]) -> dict[int, Column]:
    """Return the columns of two sets of datapoints of different times."""
    columns = dict(one)
    for place, column in other.items():
        known = columns.get(place)
        columns[place] = column if known is None else _joined(known, column)
    return columns


def _joined(one: Column, other: Column) -> Column:
    first = one if one.first_at <= other.first_at else other
    last = one if one.last_at > other.last_at else other
    return Column(
        first.first_at,
        first.first,
        min(one.low, other.low),
        max(one.high, other.high),
        last.last_at,
        last.last,
    )


def last_only(samples: Samples) -> Samples:
    """Return the samples with one datapoint a column, for a reader who may not see them finer."""
    return Samples(
        tuple(
            Column(column.last_at, column.last, column.last, column.last, column.last_at, column.last)
            for column in samples.columns
        ),
        samples.previous,
    )
