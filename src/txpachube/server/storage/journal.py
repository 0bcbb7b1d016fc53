"""
From the journal into the history.

An update appends to the ``journal`` table, in the order of arrival; reading wants the ``history``
table, clustered by datastream and time. Folding moves the rows over, sorted, many at once, so that
each page of the history is touched once for many datapoints.

Of several datapoints with the same datastream and time, the one with the higher journal number is
the later write and wins, over the history as well.

What a datastream's row says of its current value is true as of journal number ``state_seq``; the
rows after it have to be counted in. Everything that writes such a row keeps to that, so after a
crash the truth is always found again. A state that changes without a new datapoint (by a deletion, or
because limits are set) gets a journal number that no datapoint has, or it would look no newer than
what memory, or a fold that is waiting, took for true before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

import attrs

from txpachube.server.storage.records import StreamState
from txpachube.server.storage.writer import Transaction

__all__ = ["LAST_ROW", "date_feeds", "forget", "keep_times", "move", "recover", "save_state", "true_state"]

StateRow: TypeAlias = tuple[str | None, int | None, float | None, float | None, int, int]

LAST_ROW: Final = (1 << 63) - 1
"""No row's number is higher."""


def true_state(txn: Transaction, pk: int, known: StreamState, known_seq: int) -> StreamState:
    """
    Return a datastream's state as of now, inside the transaction.

    Args:
        txn: the transaction.
        pk: the datastream's row.
        known: its state as memory knew it when the work was submitted.
        known_seq: the journal number up to which memory knew everything.
    """
    row = txn.execute(
        "SELECT value, at, max_value, min_value, data_at, state_seq FROM datastreams WHERE id = ?", (pk,)
    ).fetchone()
    state, seq = attrs.evolve(known), known_seq
    if row is not None and row[5] > known_seq:
        state, seq = StreamState(*row[:5]), row[5]
    for at, value, arrived in txn.execute(
        "SELECT at, value, arrived FROM journal WHERE seq > ? AND datastream = ? ORDER BY seq", (seq, pk)
    ):
        state.take(at, value)
        state.data_at = max(state.data_at, arrived)
    return state


def save_state(txn: Transaction, pk: int, state: StreamState) -> None:
    """Write a datastream's state, true as of a journal number of its own."""
    txn.seq += 1
    txn.execute(
        "UPDATE datastreams SET value = ?, at = ?, max_value = ?, min_value = ?, data_at = ?, state_seq = ?"
        " WHERE id = ?",
        (state.value, state.at, state.max_value, state.min_value, state.data_at, txn.seq, pk),
    )
    # No row of the journal tells a later start that this number is taken.
    _remember_numbers(txn, txn.seq)


def move(
    txn: Transaction,
    through: int,
    after: int,
    upto: int,
    states: Iterable[StateRow],
    states_seq: int,
) -> None:
    """
    Copy journal rows into the history, and write the states that memory holds.

    The rows stay in the journal until `forget`. To move them again changes nothing, as long as the
    later writes of the same times are moved again as well.

    Args:
        txn: the transaction.
        through: the last journal number to move.
        after: of datastreams whose rows come after this one ...
        upto: ... up to this one.
        states: (value, at, max_value, min_value, data_at, datastream row) of those that changed.
        states_seq: the journal number as of which these are true.
    """
    # The join drops what was written to a datastream that is deleted by now. Sorting by seq last
    # makes the later write of one time overwrite the earlier.
    txn.execute(
        "INSERT OR REPLACE INTO history (datastream, at, value)"
        " SELECT datastream, journal.at, journal.value FROM journal"
        " JOIN datastreams ON datastreams.id = journal.datastream"
        " WHERE seq <= ? AND datastream > ? AND datastream <= ? ORDER BY datastream, journal.at, seq",
        (through, after, upto),
    )
    txn.executemany(
        "UPDATE datastreams SET value = ?, at = ?, max_value = ?, min_value = ?, data_at = ?,"
        " state_seq = ? WHERE id = ? AND state_seq <= ?",
        [(*state, states_seq, pk, states_seq) for *state, pk in states],
    )


def keep_times(txn: Transaction, pk: int, start: int, end: int) -> None:
    """
    Write the times of a datastream's feed that rows of the journal tell, which are going to be deleted.

    Args:
        txn: the transaction.
        pk: the datastream's row.
        start: of datapoints from this time on ...
        end: ... up to this one.
    """
    txn.execute(
        "UPDATE listed SET data_at = max(listed.data_at, told.data_at),"
        "  updated = max(listed.updated, told.updated)"
        " FROM (SELECT coalesce(max(arrived), 0) AS data_at,"
        "  coalesce(max(CASE WHEN through_feed THEN arrived END), 0) AS updated"
        "  FROM journal WHERE datastream = :pk AND at BETWEEN :start AND :end) AS told"
        " WHERE listed.feed = (SELECT feed FROM datastreams WHERE id = :pk)",
        {"pk": pk, "start": start, "end": end},
    )


def date_feeds(txn: Transaction, feeds: Iterable[tuple[int, int, int]]) -> None:
    """Write (updated, data_at, feed id) of feeds whose data was moved; times never go back."""
    txn.executemany(
        "UPDATE listed SET updated = max(updated, ?), data_at = max(data_at, ?) WHERE feed = ?", feeds
    )


def forget(txn: Transaction, through: int, at_once: int) -> bool:
    """
    Delete the oldest rows of the journal up to a number; all of them must be in the history.

    Args:
        txn: the transaction.
        through: the last journal number to delete.
        at_once: how many rows to delete at the most.

    Returns:
        Whether there may be more.
    """
    _remember_numbers(txn, through)
    deleted: int = txn.execute(
        "DELETE FROM journal WHERE seq <= ? AND seq < (SELECT min(seq) FROM journal) + ?",
        (through, at_once),
    ).rowcount
    return deleted > 0


def recover(txn: Transaction) -> int:
    """
    Fold the whole journal after a start, counting its rows into the states of their datastreams.

    Returns:
        How many rows the journal had: 0 after a clean stop.
    """
    txn.seq = txn.execute(
        "SELECT max((SELECT value FROM counters WHERE name = 'journal'),"
        " coalesce((SELECT max(seq) FROM journal), 0))"
    ).fetchone()[0]
    rows: int = txn.execute("SELECT count(*) FROM journal").fetchone()[0]
    if not rows:
        return 0
    states: dict[int, StreamState] = {}
    for pk, value, at, max_value, min_value, data_at in txn.execute(
        "SELECT id, value, at, max_value, min_value, data_at FROM datastreams"
        " WHERE id IN (SELECT datastream FROM journal)"
    ):
        states[pk] = StreamState(value, at, max_value, min_value, data_at)
    for pk, at, value, arrived in txn.execute(
        "SELECT journal.datastream, journal.at, journal.value, arrived"
        " FROM journal JOIN datastreams ON datastreams.id = journal.datastream"
        " WHERE seq > state_seq ORDER BY seq"
    ):
        states[pk].take(at, value)
        states[pk].data_at = max(states[pk].data_at, arrived)
    feeds = txn.execute(
        "SELECT max(CASE WHEN through_feed THEN arrived ELSE 0 END), max(arrived), feed"
        " FROM journal JOIN datastreams ON datastreams.id = journal.datastream GROUP BY feed"
    ).fetchall()
    move(
        txn,
        txn.seq,
        0,
        LAST_ROW,
        [(s.value, s.at, s.max_value, s.min_value, s.data_at, pk) for pk, s in states.items()],
        txn.seq,
    )
    date_feeds(txn, feeds)
    forget(txn, txn.seq, txn.seq)
    return rows


def _remember_numbers(txn: Transaction, through: int) -> None:
    txn.execute("UPDATE counters SET value = max(value, ?) WHERE name = 'journal'", (through,))
