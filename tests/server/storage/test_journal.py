"""From the journal into the history, and what a start finds out from both."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from txpachube.server.storage import feeds, journal
from txpachube.server.storage.records import FeedChange, StreamChange, StreamState
from txpachube.server.storage.writer import Transaction

NOTHING = StreamState()


@pytest.fixture
def pks(txn: Transaction) -> list[int]:
    """Rows of the datastreams ``a`` and ``b`` of feed 1."""
    change = FeedChange(100, True, fields={"title": "T"}, streams=[StreamChange("a"), StreamChange("b")])
    _, changed = feeds.create_feed(txn, 1, change, None)
    return list(changed.pks.values())


def rows(txn: Transaction, sql: str) -> list[tuple[Any, ...]]:
    return txn.execute(sql).fetchall()


def history(txn: Transaction) -> list[tuple[Any, ...]]:
    return rows(txn, "SELECT datastream, at, value FROM history ORDER BY datastream, at")


def fold(
    txn: Transaction,
    through: int,
    states: list[tuple[Any, ...]] | None = None,
    feeds: list[tuple[int, int, int]] | None = None,
) -> None:
    """Do at once what a fold does in steps."""
    journal.move(txn, through, 0, journal.LAST_ROW, states or [], through)
    journal.date_feeds(txn, feeds or [])
    while journal.forget(txn, through, 2):
        pass


def left(txn: Transaction) -> list[int]:
    """Return the numbers of the journal's rows."""
    return [seq for (seq,) in rows(txn, "SELECT seq FROM journal ORDER BY seq")]


def states(txn: Transaction) -> list[tuple[Any, ...]]:
    return rows(txn, "SELECT value, at, max_value, min_value, data_at FROM datastreams ORDER BY id")


def test_a_fold_moves_datapoints_into_the_history(txn: Transaction, pks: list[int]) -> None:
    """Each is there once, and the journal keeps only what came after the fold was started."""
    a, b = pks
    txn.append([(a, 30, "late"), (b, 5, "x"), (a, 10, "early")], 7, False)
    txn.append([(a, 40, "next fold's")], 8, False)
    fold(txn, 3)
    assert history(txn) == [(a, 10, "early"), (a, 30, "late"), (b, 5, "x")]
    assert left(txn) == [4]


def test_the_later_write_of_one_time_wins(txn: Transaction, pks: list[int]) -> None:
    """Within the journal the higher number wins, and over the history as well."""
    a, b = pks
    txn.append([(a, 1, "first"), (b, 1, "b"), (a, 1, "second")], 7, False)
    fold(txn, 3)
    assert history(txn) == [(a, 1, "second"), (b, 1, "b")]
    txn.append([(a, 1, "third")], 8, False)
    fold(txn, 4)
    assert history(txn) == [(a, 1, "third"), (b, 1, "b")]


def test_what_was_written_to_a_deleted_datastream_does_not_come_back(
    txn: Transaction, pks: list[int]
) -> None:
    """Its rows leave the journal and get nowhere."""
    a, b = pks
    txn.append([(a, 1, "x"), (b, 1, "y")], 7, False)
    feeds.delete_stream(txn, a)
    fold(txn, 2)
    assert history(txn) == [(b, 1, "y")]
    assert left(txn) == []


def test_a_fold_may_end_after_any_of_its_steps(txn: Transaction, pks: list[int]) -> None:
    """What a start finds then is what was written, the later writes of the same times included."""
    a, b = pks
    txn.append([(a, 1, "1"), (b, 1, "10"), (a, 1, "2"), (b, 2, "30"), (a, 3, "-1")], 107, True)
    through = txn.seq
    txn.append([(b, 1, "20"), (a, 2, "5")], 108, False)
    steps: list[Callable[[], object]] = [
        partial(journal.move, txn, through, 0, a, [("-1", 3, 2.0, -1.0, 107, a)], through),
        # The second part is moved later, when memory knows more.
        partial(journal.move, txn, through, a, journal.LAST_ROW, [("30", 2, 30.0, 10.0, 108, b)], txn.seq),
        partial(journal.date_feeds, txn, [(107, 108, 1)]),
        *[partial(journal.forget, txn, through, 2)] * 4,
    ]
    for done in range(len(steps) + 1):
        txn.execute("SAVEPOINT start")
        for step in steps[:done]:
            step()
        journal.recover(Transaction(txn, 0))  # type: ignore[arg-type]  # what a new process begins with
        assert history(txn) == [(a, 1, "2"), (a, 2, "5"), (a, 3, "-1"), (b, 1, "20"), (b, 2, "30")]
        assert states(txn) == [("-1", 3, 5.0, -1.0, 108), ("30", 2, 30.0, 10.0, 108)]
        assert rows(txn, "SELECT updated, data_at FROM listed") == [(107, 108)]
        assert left(txn) == []
        txn.execute("ROLLBACK TO start")
        txn.execute("RELEASE start")


def test_a_fold_writes_what_memory_knows(txn: Transaction, pks: list[int]) -> None:
    """Current values and limits, and when the feed had its last data; times never go back."""
    a, _ = pks
    first = txn.append([(a, 1, "5")], 200, True)
    fold(txn, first, [("5", 1, 5.0, 5.0, 200, a)], [(200, 200, 1)])
    assert states(txn)[0] == ("5", 1, 5.0, 5.0, 200)
    assert rows(txn, "SELECT updated, data_at FROM listed") == [(200, 200)]
    fold(txn, first, [], [(150, 150, 1)])
    assert rows(txn, "SELECT updated, data_at FROM listed") == [(200, 200)]


def test_a_fold_leaves_a_newer_state_alone(txn: Transaction, pks: list[int]) -> None:
    """A deletion that came while the fold waited is not undone by what the fold remembers."""
    a, _ = pks
    through = txn.append([(a, 1, "5")], 200, False)
    journal.save_state(txn, a, NOTHING)
    fold(txn, through, [("5", 1, 5.0, 5.0, 200, a)])
    assert states(txn)[0] == (None, None, None, None, 0)


def test_a_state_without_a_new_datapoint_is_newer_than_any_before(txn: Transaction, pks: list[int]) -> None:
    """Each saved state has a number of its own, so an older opinion is recognised as older."""
    a, _ = pks
    known_seq = txn.append([(a, 1, "5")], 200, False)
    known = StreamState("5", 1, 5.0, 5.0, 200)
    journal.save_state(txn, a, StreamState(max_value=5.0, min_value=5.0, data_at=200))
    assert txn.seq == known_seq + 1
    found = journal.true_state(txn, a, known, known_seq)
    assert (found.value, found.at, found.max_value) == (None, None, 5.0)
    journal.save_state(txn, a, StreamState("7", 9, 7.0, 7.0, 200))
    assert journal.true_state(txn, a, known, known_seq).value == "7"


def test_the_true_state_counts_in_what_memory_had_not_heard_of(txn: Transaction, pks: list[int]) -> None:
    """Rows of the journal after the number that memory knew are taken in order, those of others are not."""
    a, b = pks
    known_seq = txn.append([(a, 5, "5")], 200, False)
    txn.append([(a, 6, "-3.5"), (b, 99, "99"), (a, 4, "80")], 201, False)
    known = StreamState("5", 5, 5.0, 5.0, 200)
    found = journal.true_state(txn, a, known, known_seq)
    assert (found.value, found.at, found.max_value, found.min_value, found.data_at) == (
        "-3.5",
        6,
        80.0,
        -3.5,
        201,
    )
    assert (known.value, known.max_value) == ("5", 5.0), "what memory knew is not touched"


def test_the_true_state_of_a_deleted_datastream_is_what_memory_knew(txn: Transaction, pks: list[int]) -> None:
    """There is no row to ask, and no need to fail."""
    feeds.delete_stream(txn, pks[0])
    assert journal.true_state(txn, pks[0], StreamState("x", 3), 0).value == "x"


def test_a_start_after_a_crash_folds_and_counts_everything(txn: Transaction, pks: list[int]) -> None:
    """Current values, limits and times of the feed are found again from the journal."""
    a, b = pks
    txn.append([(a, 10, "3"), (a, 12, "open"), (b, 9, "1")], 300, True)
    txn.append([(a, 11, "-4")], 400, False)
    crashed = Transaction(txn, 0)  # type: ignore[arg-type]  # what a new process begins with
    assert journal.recover(crashed) == 4
    assert crashed.seq == 4
    assert states(txn) == [("open", 12, 3.0, -4.0, 400), ("1", 9, 1.0, 1.0, 300)]
    assert history(txn) == [(a, 10, "3"), (a, 11, "-4"), (a, 12, "open"), (b, 9, "1")]
    assert rows(txn, "SELECT updated, data_at FROM listed") == [(300, 400)]
    assert left(txn) == []
    assert journal.recover(crashed) == 0
    assert crashed.seq == 4, "numbers go on although the journal is empty"


def test_a_start_counts_no_datapoint_twice(txn: Transaction, pks: list[int]) -> None:
    """Rows that a saved state contains already don't count again, such as a maximum that was reset."""
    a, _ = pks
    txn.append([(a, 10, "90")], 300, False)
    journal.save_state(txn, a, StreamState("90", 10, None, None, 300))
    txn.append([(a, 11, "5")], 301, False)
    crashed = Transaction(txn, 0)  # type: ignore[arg-type]
    journal.recover(crashed)
    assert states(txn)[0] == ("5", 11, 5.0, 5.0, 301)


def test_a_start_knows_numbers_that_no_row_has(txn: Transaction, pks: list[int]) -> None:
    """After a saved state and a crash, new datapoints count; their numbers are higher than the state's."""
    a, _ = pks
    txn.append([(a, 10, "90")], 300, False)
    for _ in range(5):
        journal.save_state(txn, a, NOTHING)
    txn.execute("DELETE FROM journal")
    second = Transaction(txn, 0)  # type: ignore[arg-type]
    journal.recover(second)
    second.append([(a, 11, "7")], 301, False)
    third = Transaction(txn, 0)  # type: ignore[arg-type]
    journal.recover(third)
    assert states(txn)[0] == ("7", 11, 7.0, 7.0, 301)


def test_a_start_drops_what_belongs_to_nobody(txn: Transaction, pks: list[int]) -> None:
    """Datapoints of datastreams that were deleted before the crash are no trouble."""
    a, b = pks
    txn.append([(a, 10, "1"), (b, 10, "2")], 300, False)
    feeds.delete_stream(txn, a)
    crashed = Transaction(txn, 0)  # type: ignore[arg-type]
    assert journal.recover(crashed) == 2
    assert history(txn) == [(b, 10, "2")]
    assert left(txn) == []
