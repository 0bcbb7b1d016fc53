"""Reading and deleting datapoints, from history and journal at once, against plain lists."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from txpachube.server.storage import datapoints, feeds, journal
from txpachube.server.storage.database import upgrade
from txpachube.server.storage.records import FeedChange, StreamChange, StreamState
from txpachube.server.storage.writer import Transaction

Point = tuple[int, str]

TIMES = st.integers(-5, 40)
"""Few enough that writes often meet."""

WRITES = st.lists(st.tuples(TIMES, st.text("ab", max_size=2)), max_size=25)


class Streams:
    """Two datastreams in a database in memory; the second is there to be left alone."""

    def __init__(self, folded: Sequence[Point] = (), fresh: Sequence[Point] = ()) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        upgrade(self.db, None)  # type: ignore[arg-type]  # a new one is not copied, so its path is not asked for
        self.txn = Transaction(self.db)
        self.db.execute("INSERT INTO users (login, created) VALUES ('rosa', 0)")
        change = FeedChange(1, True, fields={"title": "T"}, streams=[StreamChange("a"), StreamChange("b")])
        self.pk, self.other = feeds.create_feed(self.txn, 1, change, None)[1].pks.values()
        self.neighbours = [(at, "not mine") for at in range(-5, 41)]
        self.txn.append([(self.other, *point) for point in self.neighbours], 1, False)
        self.txn.append([(self.pk, *point) for point in folded], 1, False)
        journal.recover(self.txn)
        first = self.txn.append([(self.pk, *point) for point in fresh], 1, False)
        self.pending = [(seq, at, value) for seq, (at, value) in enumerate(fresh, first)]
        self.truth = dict([*folded, *fresh])

    def points(self, start: int, end: int, limit: int, offset: int) -> list[Point]:
        return datapoints.points(self.db, self.pk, self.pending, start, end, limit, offset)

    def everything(self, pk: int | None = None) -> list[Point]:
        """Return what a start of the service would find."""
        journal.recover(self.txn)
        return self.db.execute(
            "SELECT at, value FROM history WHERE datastream = ? ORDER BY at", (pk or self.pk,)
        ).fetchall()


@given(WRITES, WRITES, TIMES, TIMES, st.integers(0, 9), st.integers(0, 9))
def test_a_range_is_read_in_order_across_both_tables(
    folded: list[Point], fresh: list[Point], start: int, end: int, limit: int, offset: int
) -> None:
    """Both ends are in it, the latest write of each time is given, and pages don't overlap."""
    streams = Streams(folded, fresh)
    expected = [point for point in sorted(streams.truth.items()) if start <= point[0] <= end]
    assert streams.points(start, end, 1000, 0) == expected
    assert streams.points(start, end, limit, offset) == expected[offset : offset + limit]


@given(WRITES, WRITES, TIMES, st.one_of(st.none(), TIMES))
def test_the_last_datapoint_before_a_moment_is_found(
    folded: list[Point], fresh: list[Point], at: int, after: int | None
) -> None:
    """It is not after the moment, later than the bound, and the newest of those."""
    streams = Streams(folded, fresh)
    fitting = [p for p in streams.truth.items() if p[0] <= at and (after is None or p[0] > after)]
    found = datapoints.last_point(streams.db, streams.pk, streams.pending, at, after)
    assert found == max(fitting, default=None)


@given(WRITES, WRITES, st.lists(TIMES, unique=True, max_size=12).map(sorted), st.one_of(st.none(), TIMES))
def test_each_line_of_a_grid_shows_the_last_datapoint_since_the_line_before(
    folded: list[Point], fresh: list[Point], lines: list[int], first_after: int | None
) -> None:
    """A datapoint counts for one line only; lines without one show nothing."""
    streams = Streams(folded, fresh)
    floors = [-(1 << 62) if first_after is None else first_after, *lines]
    assert datapoints.points_at(streams.db, streams.pk, streams.pending, lines, first_after) == [
        max((p for p in streams.truth.items() if floor < p[0] <= line), default=None)
        for floor, line in zip(floors, lines, strict=False)
    ]


@given(WRITES, WRITES, TIMES, TIMES)
def test_deleting_a_range_deletes_it_everywhere(
    folded: list[Point], fresh: list[Point], start: int, end: int
) -> None:
    """From both tables, each time counted once; the newest that is left becomes current, the limits stay."""
    streams = Streams(folded, fresh)
    known = StreamState(max_value=9.0, min_value=-9.0, data_at=77)
    if streams.truth:
        known.at, known.value = max(streams.truth.items())
    count, upto, state = datapoints.delete_points(streams.txn, streams.pk, start, end, known, streams.txn.seq)
    left = {at: value for at, value in streams.truth.items() if not start <= at <= end}
    assert (count, upto) == (len(streams.truth) - len(left), end)
    assert (state.at, state.value) == max(left.items(), default=(None, None))
    assert (state.max_value, state.min_value, state.data_at) == (9.0, -9.0, 77)
    assert streams.everything() == sorted(left.items())
    assert streams.everything(streams.other) == streams.neighbours
    stored = "SELECT at, value, max_value, min_value, data_at FROM datastreams WHERE id = ?"
    assert streams.db.execute(stored, (streams.pk,)).fetchone() == (state.at, state.value, 9.0, -9.0, 77)


def test_a_long_range_is_deleted_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each says how far it went, and the current value is right after each."""
    monkeypatch.setattr(datapoints, "DELETE_SLICE", 10)
    streams = Streams([(at, str(at)) for at in range(25)], [(at, "fresh") for at in range(20, 30)])
    state = StreamState("fresh", 29)
    counts = []
    upto = 1
    while upto < 29:
        count, upto, state = datapoints.delete_points(
            streams.txn, streams.pk, upto + 1, 29, state, streams.txn.seq
        )
        counts.append(count)
        left = (
            "SELECT max(at) FROM (SELECT * FROM history UNION ALL SELECT datastream, at, value FROM journal)"
        )
        left += " WHERE datastream = ?"
        assert state.at == streams.db.execute(left, (streams.pk,)).fetchone()[0]
    assert len(counts) == 3
    assert sum(counts) == 28, "what is in both the journal and the history counts once"
    assert streams.everything() == [(0, "0"), (1, "1")]
    assert (state.at, state.value) == (1, "1")


@pytest.mark.parametrize("at", [3, 13])
def test_a_datapoint_gets_another_value(at: int) -> None:
    """Whether it is in the history already or still in the journal; the new value is the later write."""
    streams = Streams([(3, "folded")], [(13, "fresh")])
    before = streams.txn.seq
    assert datapoints.replace_point(streams.txn, streams.pk, at, "new", 50) == before + 1
    assert dict(streams.everything()) == {3: "folded", 13: "fresh", at: "new"}


@pytest.mark.parametrize("at", [2, 4, 14])
def test_a_datapoint_that_is_not_there_gets_no_value(at: int) -> None:
    """Nothing is written, although another datastream has a datapoint at that time."""
    streams = Streams([(3, "folded")], [(13, "fresh")])
    before = streams.txn.seq
    assert datapoints.replace_point(streams.txn, streams.pk, at, "new", 50) is None
    assert streams.txn.seq == before
    assert streams.everything() == [(3, "folded"), (13, "fresh")]


def test_a_grid_is_read_without_reading_what_lies_between() -> None:
    """Each line is one search in the index, however long the history is."""
    streams = Streams()
    plan: list[str] = []
    streams.db.set_trace_callback(plan.append)
    datapoints.points_at(streams.db, streams.pk, [], [1, 2], None)
    (statement,) = plan
    details = [row[3] for row in streams.db.execute(f"EXPLAIN QUERY PLAN {statement}")]
    assert any("SEARCH history USING PRIMARY KEY (datastream=? AND at<?)" in detail for detail in details)
    assert not any(detail.startswith("SCAN history") for detail in details)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(WRITES)
def test_what_waits_hides_what_it_replaces(writes: list[Point]) -> None:
    """A fold between the look at memory and the read of the history changes nothing of the answer."""
    streams = Streams([(at, "old") for at in range(5)], writes)
    before = streams.points(-10, 50, 1000, 0)
    journal.recover(streams.txn)
    assert streams.points(-10, 50, 1000, 0) == before
