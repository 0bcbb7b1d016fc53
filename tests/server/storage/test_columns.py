"""Reading the columns of a graph: the database's answers against a naive reading of all datapoints."""

from __future__ import annotations

import math
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.codecs.values import numeric
from txpachube.server.graphs.columns import Grid, Samples, sort_in
from txpachube.server.graphs.scale import LARGEST
from txpachube.server.storage.columns import samples
from txpachube.server.storage.records import FeedChange, StreamChange
from txpachube.server.storage.store import Store
from txpachube.times import SECOND

VALUES = st.one_of(
    st.floats().map(repr),
    st.integers().map(str),
    st.from_regex(r" ?[+-]?\d{0,3}\.?\d{0,3}([eE][+-]?\d{1,4})? ?", fullmatch=True),
    st.sampled_from(
        ["", "on", "12abc", "0x10", "1_0", "1e999", "inf", "nan", "9007199254740993", "--1", "1 2"]
    ),
)
POINTS = st.dictionaries(st.integers(0, 300), VALUES, max_size=40)


def database(points: dict[int, str]) -> sqlite3.Connection:
    """Return a database with a history and, around it, those of two others."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute(
        "CREATE TABLE history (datastream INTEGER NOT NULL, at INTEGER NOT NULL, value TEXT NOT NULL,"
        " PRIMARY KEY (datastream, at)) WITHOUT ROWID"
    )
    for other in (1, 3):
        db.executemany("INSERT INTO history VALUES (?, ?, '77')", [(other, at) for at in range(0, 300, 7)])
    db.executemany("INSERT INTO history VALUES (2, ?, ?)", points.items())
    return db


def naive(points: dict[int, str], grid: Grid) -> Samples:
    """Return what `samples` must return, by looking at every datapoint."""
    inside = [
        (at, number)
        for at, value in sorted(points.items())
        if grid.start <= at <= grid.end and (number := numeric(value)) is not None
    ]
    columns = sort_in(inside, grid)
    before = [value for at, value in sorted(points.items()) if at < grid.start]
    return Samples(tuple(columns[n] for n in sorted(columns)), numeric(before[-1]) if before else None)


def same(one: Samples, other: Samples) -> bool:
    """Return whether two samples are the same, up to the digits that a picture can't show."""

    def close(a: float, b: float) -> bool:
        bounded = (min(max(number, -LARGEST), LARGEST) for number in (a, b))
        return math.isclose(*bounded, rel_tol=1e-14, abs_tol=1e-300)

    return (
        len(one.columns) == len(other.columns)
        and all(
            close(a, b)
            for x, y in zip(one.columns, other.columns, strict=True)
            for a, b in zip(x, y, strict=True)
        )
        and ((one.previous is None) == (other.previous is None))
        and close(one.previous or 0.0, other.previous or 0.0)
    )


@given(POINTS, POINTS, st.integers(0, 320), st.integers(0, 320), st.integers(1, 400))
def test_the_database_sees_what_a_naive_reading_sees(
    stored: dict[int, str], waiting: dict[int, str], start: int, length: int, count: int
) -> None:
    """Texts are left out, what waits in the journal replaces what is stored, the rest is in its column."""
    grid = Grid(start, start + length, count)
    pending = [(number, at, value) for number, (at, value) in enumerate(waiting.items())]
    db = database(stored)
    assert same(samples(db, 2, pending, grid), naive({**stored, **waiting}, grid))
    assert not db.in_transaction
    db.close()


def test_a_failure_ends_the_transaction() -> None:
    """A reader's connection is as before when a question fails."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        samples(db, 2, [], Grid(0, 1, 1))
    assert not db.in_transaction
    db.close()


async def test_a_store_reads_journal_and_history(store: Store) -> None:
    """Before and after the journal is folded, the samples are the same."""
    feed_id = await store.create_feed(
        1, FeedChange(0, True, fields={"title": "f"}, streams=[StreamChange("a")])
    )
    feed = await store.find_feed(feed_id)
    assert feed is not None
    points = [(n * SECOND, "text" if n % 7 == 0 else str(n % 13)) for n in range(1, 200)]
    for part in (points[:150], points[100:]):
        await store.change_feed(feed, FeedChange(1, True, streams=[StreamChange("a", points=part)]))
    grid = Grid(50 * SECOND, 180 * SECOND, 20)
    expected = naive(dict(points), grid)
    assert expected.previous is None or expected.previous == 49 % 13
    assert await store.samples(feed.streams["a"], grid) == expected
    store._folder.fold()
    await store._write(lambda txn: None)
    assert feed.streams["a"].pending == []
    assert await store.samples(feed.streams["a"], grid) == expected
