"""
Reading a range of datapoints for a graph: however many there are, at most four numbers a column of pixels.

The database does the work, without Python's global lock: one seek for each column, and its lowest and
highest number are found on the way to the next. Values that are no numbers are left out there,
too. The datapoints that wait in the journal are added from memory; see `datapoints` for the reason why
memory is asked first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from txpachube.codecs.values import numeric
from txpachube.server.graphs.columns import Column, Grid, Samples, merge, sort_in
from txpachube.server.graphs.scale import LARGEST
from txpachube.server.storage.datapoints import Pending, last_point

__all__ = ["samples"]

# A text is a number exactly when it equals what it is cast to: the comparison casts it as well, but
# only if all of it can be read. Numbers too large for a float count as texts, as everywhere.
_NUMERIC: Final = "CAST(value AS NUMERIC) = value AND abs(CAST(value AS REAL)) <= 1.7976931348623157e308"
_NUMBER: Final = "CAST(value AS REAL)"
# No axis goes further, and JSON's 15 digits could round a larger number up to one that is none.
_BOUNDED: Final = f"min(max({{}}({_NUMBER}), {-LARGEST}), {LARGEST})"
_IN_COLUMN: Final = (
    "FROM history WHERE datastream = :pk AND at >= :start + (grid.place * :span + :count - 1) / :count"
    " AND at < :start + ((grid.place + 1) * :span + :count - 1) / :count AND " + _NUMERIC
)
_REPLACED: Final = " AND at NOT IN (SELECT value FROM json_each(:replaced))"


def samples(db: sqlite3.Connection, pk: int, pending: Pending, grid: Grid) -> Samples:
    """Return what a graph of a range is drawn from."""
    fresh = {at: value for _, at, value in pending if grid.start <= at <= grid.end}
    # One state of the database for all questions.
    db.execute("BEGIN")
    try:
        before = last_point(db, pk, pending, grid.start - 1, None)
        stored = _stored(db, pk, grid, _replaced(db, pk, fresh))
    finally:
        db.execute("ROLLBACK")
    waiting = ((at, number) for at, value in fresh.items() if (number := numeric(value)) is not None)
    columns = merge(stored, sort_in(waiting, grid))
    return Samples(
        tuple(columns[place] for place in sorted(columns)), None if before is None else numeric(before[1])
    )


def _replaced(db: sqlite3.Connection, pk: int, fresh: Mapping[int, str]) -> Sequence[int]:
    """Return the times of the datapoints whose values in the history are not the latest."""
    if not fresh:
        return ()
    rows = db.execute(
        "SELECT at FROM history WHERE datastream = ? AND at IN (SELECT value FROM json_each(?))",
        (pk, msgspec.json.encode(list(fresh)).decode()),
    )
    return [at for (at,) in rows]


def _stored(db: sqlite3.Connection, pk: int, grid: Grid, replaced: Sequence[int]) -> dict[int, Column]:
    within = _IN_COLUMN + (_REPLACED if replaced else "")
    low_and_high = f"{_BOUNDED.format('min')}, {_BOUNDED.format('max')}"
    rows = db.execute(
        "WITH RECURSIVE grid(place) AS"
        " (SELECT 0 UNION ALL SELECT place + 1 FROM grid WHERE place < :count - 1)"
        " SELECT place,"
        f" (SELECT json_array({low_and_high}, min(at), max(at)) {within}),"
        f" (SELECT {_NUMBER} {within} ORDER BY at LIMIT 1),"
        f" (SELECT {_NUMBER} {within} ORDER BY at DESC LIMIT 1)"
        " FROM grid",
        {
            "pk": pk,
            "start": grid.start,
            "span": grid.span,
            "count": grid.count,
            "replaced": msgspec.json.encode(replaced).decode(),
        },
    )
    columns = {}
    for place, found, first, last in rows:
        if first is not None:
            low, high, first_at, last_at = msgspec.json.decode(found)
            # JSON is written with 15 digits; the ends are exact.
            columns[place] = Column(
                first_at, first, min(low, first, last), max(high, first, last), last_at, last
            )
    return columns
