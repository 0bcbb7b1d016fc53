"""The writing thread alone, on a real database; what it delivers is taken from a queue."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from txpachube.server.storage.database import connect, connect_reader, upgrade
from txpachube.server.storage.failures import Conflict, StorageFailed, StorageFull
from txpachube.server.storage.writer import Append, Call, Transaction, Work, Writer

PATIENCE = 20.0
MANY = 700
"""Rows that don't fit into the largest statement, nor into a round number of any."""


class Bench:
    """A writer with what it is connected to."""

    def __init__(self, path: Path, seq: int = 0, largest_group: int = 1024) -> None:
        self.path = path
        self.connection = connect(path)
        upgrade(self.connection, path)
        self.delivered: SimpleQueue[list[Work]] = SimpleQueue()
        self.noticed = threading.Event()
        self.told: list[Work] = []
        self.now = 0.0
        self.writer = Writer(
            self.connection,
            seq,
            self.deliver,
            self.noticed.set,
            largest_group,
            monotonic=lambda: self.now,
        )
        self.running = False

    def deliver(self, group: list[Work]) -> None:
        self.delivered.put(group)

    def start(self) -> None:
        self.writer.start()
        self.running = True

    def stop(self) -> None:
        if self.running:
            self.writer.stop()
            self.writer.join()
            self.running = False

    def append(self, *points: tuple[int, int, Any], arrived: int = 7, through_feed: bool = False) -> Append:
        return Append(points, arrived, through_feed, self.told.append)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Call:
        return Call(function, arguments, self.told.append)

    def group(self) -> list[Work]:
        """Return the next group that is delivered."""
        return self.delivered.get(timeout=PATIENCE)

    def write(self, *work: Work) -> list[Work]:
        """Let the writer do work that waits together, and return it as delivered."""
        self.writer.submit(list(work))
        return self.group()

    def journal(self) -> list[tuple[Any, ...]]:
        """Return what anybody else sees in the journal: what is committed."""
        reader = connect_reader(self.path)
        rows = reader.execute("SELECT seq, datastream, at, value FROM journal ORDER BY seq").fetchall()
        reader.close()
        return rows


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A writer that runs."""
    made = Bench(tmp_path / "db")
    made.start()
    yield made
    made.stop()
    made.connection.close()


def fail(txn: Transaction, problem: BaseException) -> None:
    """Store something, then fail."""
    txn.append([(9, 9, "never")], 0, False)
    raise problem


def last_seq(txn: Transaction) -> int:
    return txn.seq


def test_work_is_done_in_the_order_in_which_it_was_submitted(bench: Bench) -> None:
    """Datapoints and calls keep their order, and each sees what was done before it."""
    before = bench.append((1, 10, "a"), (1, 11, "b"))
    between = bench.call(lambda txn: txn.execute("SELECT group_concat(value) FROM journal").fetchone()[0])
    after = bench.append((2, 12, "c"))
    assert bench.write(before, between, after) == [before, between, after]
    assert [work.failure for work in (before, between, after)] == [None] * 3
    assert between.result == "a,b"
    assert (before.first_seq, after.first_seq) == (1, 3)
    assert bench.journal() == [(1, 1, 10, "a"), (2, 1, 11, "b"), (3, 2, 12, "c")]


def test_everything_of_a_datapoint_is_stored(bench: Bench) -> None:
    """Arrival time and the way it came go into the journal, and the text stays what it was."""
    text = "0.100\x00é\U0001f321"
    bench.write(bench.append((4, -5, text), arrived=99, through_feed=True), bench.append((5, 1 << 60, "")))
    rows = bench.connection.execute("SELECT datastream, at, value, arrived, through_feed FROM journal")
    assert rows.fetchall() == [(4, -5, text, 99, 1), (5, 1 << 60, "", 7, 0)]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 37, 256, MANY])
def test_any_number_of_datapoints_is_stored_without_gaps(bench: Bench, count: int) -> None:
    """However many rows go together, all are stored, in order, under following numbers."""
    first = bench.append(*[(1, at, str(at)) for at in range(count)])
    second = bench.append((2, 0, "end"))
    bench.write(first, second)
    assert (first.first_seq, second.first_seq) == (1, count + 1)
    assert bench.journal() == [(at + 1, 1, at, str(at)) for at in range(count)] + [(count + 1, 2, 0, "end")]


def test_nothing_is_told_before_it_is_committed(bench: Bench) -> None:
    """When a group is delivered, another connection sees all of it."""
    bench.write(bench.append((1, 1, "x")), bench.call(lambda txn: txn.append([(2, 2, "y")], 0, False)))
    assert [row[3] for row in bench.journal()] == ["x", "y"]
    assert bench.told == [], "telling is the receiver's business"


def test_a_call_that_fails_harms_nobody(bench: Bench) -> None:
    """What a failing call did is taken back; its neighbours are stored and the numbers have no gap."""
    before, after = bench.append((1, 1, "before")), bench.append((1, 2, "after"))
    ours = bench.call(fail, Conflict("x"))
    theirs = bench.call(fail, ValueError("odd"))
    bench.write(before, ours, theirs, after)
    assert isinstance(ours.failure, Conflict)
    assert isinstance(theirs.failure, ValueError)
    assert (before.failure, after.failure) == (None, None)
    assert bench.journal() == [(1, 1, 1, "before"), (2, 1, 2, "after")]
    assert after.first_seq == 2


@pytest.mark.parametrize("bad", [(1, 1 << 63, "late"), (1, 3, "\ud800"), (1, 3, object()), (1, 3, None)])
def test_datapoints_that_cant_be_stored_harm_nobody(bench: Bench, bad: tuple[int, int, Any]) -> None:
    """Of datapoints that go into one statement, the impossible ones fail alone, with all of their request."""
    first = bench.append((1, 1, "first"))
    wrong = bench.append((1, 2, "good, but of the same request"), bad)
    last = bench.append((1, 4, "last"), (2, 4, "too"))
    bench.write(first, wrong, last)
    assert wrong.failure is not None
    assert (first.failure, last.failure) == (None, None)
    assert bench.journal() == [(1, 1, 1, "first"), (2, 1, 4, "last"), (3, 2, 4, "too")]
    assert (first.first_seq, last.first_seq) == (1, 2)


def test_numbers_go_on_after_a_failure(bench: Bench) -> None:
    """The next group begins where the last stored row ended."""
    bench.write(bench.append((1, 1, "a")), bench.call(fail, ValueError()))
    bench.write(bench.call(fail, ValueError()))
    (work,) = bench.write(bench.append((1, 2, "b")))
    assert isinstance(work, Append)
    assert work.first_seq == 2
    assert [row[0] for row in bench.journal()] == [1, 2]


@pytest.mark.parametrize("seq", [0, 41])
def test_a_commit_that_fails_fails_everything_and_loses_nothing(tmp_path: Path, seq: int) -> None:
    """All of the group hear of it, none of it is stored, and the next group is."""
    bench = Bench(tmp_path / "db", seq)
    bench.connection.execute("CREATE TABLE late (x REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED)")
    bench.start()
    bench.write(bench.append((1, 1, "kept")))
    spoil = bench.call(lambda txn: txn.execute("INSERT INTO late VALUES (77)") and None)
    work = [bench.append((1, 2, "a")), spoil, bench.append((1, 3, "b"))]
    assert bench.write(*work) == work
    assert all(isinstance(one.failure, StorageFailed) for one in work)
    (again,) = bench.write(bench.append((1, 4, "c")))
    assert again.failure is None
    assert bench.journal() == [(seq + 1, 1, 1, "kept"), (seq + 2, 1, 4, "c")]
    bench.stop()


def test_a_full_disk_fails_the_group_and_the_next_one_is_stored(bench: Bench) -> None:
    """When SQLite has no room, everybody in the group is told so; with room again all is well."""
    bench.write(bench.append((1, 1, "kept")))
    pages = bench.connection.execute("PRAGMA page_count").fetchone()[0]
    bench.connection.execute(f"PRAGMA max_page_count = {pages}")
    small, large = bench.append((1, 2, "small")), bench.append((1, 3, "x" * 100_000))
    bench.write(small, large, bench.call(last_seq))
    assert isinstance(small.failure, StorageFull)
    assert small.failure is large.failure
    bench.connection.execute("PRAGMA max_page_count = 1000000")
    bench.write(bench.append((1, 4, "y" * 100_000)))
    assert [(row[0], row[2]) for row in bench.journal()] == [(1, 1), (2, 4)]


def test_a_call_that_meets_a_full_disk_fails_its_group(bench: Bench) -> None:
    """A full disk concerns everybody, so it is not taken for the fault of one piece of work."""
    pages = bench.connection.execute("PRAGMA page_count").fetchone()[0]
    bench.connection.execute(f"PRAGMA max_page_count = {pages}")
    first = bench.append((1, 1, "small"))
    call = bench.call(Transaction.append, [(1, 2, "x" * 100_000)], 0, False)
    bench.write(first, call)
    assert isinstance(first.failure, StorageFull)
    assert isinstance(call.failure, StorageFull)
    assert bench.journal() == []


def test_another_process_that_writes_for_too_long_is_a_storage_failure(bench: Bench) -> None:
    """Work that can't get at the database fails; when it can again, it is stored."""
    bench.connection.execute("PRAGMA busy_timeout = 1")
    other = connect(bench.path)
    other.execute("BEGIN IMMEDIATE")
    (work,) = bench.write(bench.append((1, 1, "a")))
    assert isinstance(work.failure, StorageFailed)
    assert not isinstance(work.failure, StorageFull)
    other.execute("ROLLBACK")
    other.close()
    (work,) = bench.write(bench.append((1, 1, "a")))
    assert work.failure is None


def test_an_interruption_fails_the_group_and_not_the_thread(bench: Bench) -> None:
    """Even what is no ordinary exception reaches who waits, as a failure of storage without details."""
    with_it = bench.append((1, 1, "a"))
    call = bench.call(fail, KeyboardInterrupt())
    bench.write(with_it, call)
    for work in (with_it, call):
        assert isinstance(work.failure, StorageFailed)
        assert str(work.failure) == "unexpected KeyboardInterrupt"
    bench.write(bench.append((1, 2, "b")))
    assert [row[3] for row in bench.journal()] == ["b"]


def test_a_transaction_that_sqlite_ended_itself_is_no_trouble(bench: Bench) -> None:
    """A rollback under our feet fails the group; the next one is stored."""
    first = bench.append((1, 1, "a"))
    bench.write(first, bench.call(lambda txn: txn.execute("ROLLBACK") and None))
    assert isinstance(first.failure, StorageFailed)
    (work,) = bench.write(bench.append((1, 2, "b")))
    assert work.failure is None
    assert bench.journal() == [(1, 1, 2, "b")]


def test_what_waits_together_is_committed_together(bench: Bench) -> None:
    """While one group is at work the next gathers, and goes in one transaction."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(txn: Transaction) -> None:
        begun.set()
        assert go_on.wait(PATIENCE)

    held = bench.call(hold)
    bench.writer.submit([held])
    assert begun.wait(PATIENCE)
    gathered: list[Work] = [bench.append((1, at, "x")) for at in range(5)]
    for work in gathered:
        bench.writer.submit([work])
    assert bench.writer.waiting() == 5
    go_on.set()
    assert bench.group() == [held]
    assert bench.group() == gathered
    assert bench.writer.waiting() == 0


@pytest.mark.parametrize(("largest", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (100, [5])])
def test_no_group_is_larger_than_allowed(tmp_path: Path, largest: int, sizes: list[int]) -> None:
    """A long queue goes in several transactions, in order."""
    bench = Bench(tmp_path / "db", largest_group=largest)
    work: list[Work] = [bench.append((1, at, "x")) for at in range(5)]
    bench.writer.submit(work)
    bench.start()
    groups = [bench.group() for _ in sizes]
    assert [len(group) for group in groups] == sizes
    assert [one for group in groups for one in group] == work
    bench.stop()


def test_stopping_finishes_what_waits(tmp_path: Path) -> None:
    """What was submitted before the stop is stored."""
    bench = Bench(tmp_path / "db")
    work: list[Work] = [bench.append((1, at, str(at))) for at in range(10)]
    for one in work:
        bench.writer.submit([one])
    bench.start()
    bench.stop()
    assert [row[3] for row in bench.journal()] == [str(at) for at in range(10)]
    assert bench.group() == work


def test_work_that_comes_after_the_stop_is_refused(bench: Bench) -> None:
    """Who is too late hears of it, whether the thread is ending or has ended."""
    behind, later = bench.append((1, 1, "a")), bench.append((1, 2, "b"))
    bench.writer.stop()
    bench.writer.submit([behind])
    bench.writer.join()
    assert bench.group() == [behind]
    bench.writer.submit([later])
    assert bench.group() == [later]
    for work in (behind, later):
        assert isinstance(work.failure, StorageFailed)
        assert str(work.failure) == "the store is closed"
    assert bench.journal() == []


def test_changes_by_another_process_are_noticed(bench: Bench) -> None:
    """A commit of another connection is noticed at the next look, once; our own are not."""
    bench.now = 100.0
    bench.write(bench.append((1, 1, "a")))
    bench.write(bench.append((1, 2, "a")))
    assert not bench.noticed.is_set()
    other = connect(bench.path)
    other.execute("INSERT INTO notices (kind, subject) VALUES ('key', 1)")
    bench.now = 200.0
    bench.write(bench.call(last_seq))
    assert bench.noticed.wait(PATIENCE)
    bench.noticed.clear()
    bench.now = 300.0
    bench.write(bench.call(last_seq))
    bench.write(bench.call(last_seq))
    assert not bench.noticed.is_set()
    other.close()


def test_an_idle_writer_notices_changes_too(tmp_path: Path) -> None:
    """Nothing has to be written for a change of another process to be seen."""
    bench = Bench(tmp_path / "db")
    bench.now = 100.0
    bench.start()
    other = connect(bench.path)
    other.execute("INSERT INTO notices (kind, subject) VALUES ('key', 1)")
    bench.now = 200.0
    assert bench.noticed.wait(PATIENCE)
    other.close()
    bench.stop()


def test_a_look_that_fails_is_made_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trouble in asking whether something changed does not end the thread."""
    looks: list[int] = []

    def failing() -> int:
        looks.append(1)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(bench.writer, "_read_data_version", failing)
    bench.now = 100.0
    bench.write(bench.append((1, 1, "a")))
    bench.write(bench.append((1, 2, "b")))
    assert looks
    assert not bench.noticed.is_set()
