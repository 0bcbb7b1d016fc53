"""
Reading and deleting datapoints.

A read gets the datapoints that wait in the journal from memory (``pending``, in the order of writing)
and merges them over what the history table has. Memory is asked first: a fold in between moves rows
from the one to the other, and so they are seen at least once.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

import msgspec

from txpachube.server.storage.journal import keep_times, save_state, true_state
from txpachube.server.storage.records import StreamState
from txpachube.server.storage.writer import Transaction

__all__ = ["delete_points", "last_point", "points", "points_at", "replace_point"]

Pending = Sequence[tuple[int, int, str]]

DELETE_SLICE: Final = 20_000
"""Datapoints one transaction deletes at the most: bounds how long everybody else waits."""


def points(
    db: sqlite3.Connection, pk: int, pending: Pending, start: int, end: int, limit: int, offset: int
) -> list[tuple[int, str]]:
    """Return (at, value) of a range, both ends inclusive, ascending; ``offset`` are skipped first."""
    fresh = {at: value for _, at, value in pending if start <= at <= end}
    sql = (
        "SELECT at, value FROM history WHERE datastream = ? AND at BETWEEN ? AND ?"
        " ORDER BY at LIMIT ? OFFSET ?"
    )
    if not fresh:
        return db.execute(sql, (pk, start, end, limit, offset)).fetchall()
    merged = dict(db.execute(sql, (pk, start, end, limit + offset, 0)).fetchall())
    merged.update(fresh)
    return sorted(merged.items())[offset : offset + limit]


def last_point(
    db: sqlite3.Connection, pk: int, pending: Pending, at: int, after: int | None
) -> tuple[int, str] | None:
    """Return the newest (at, value) not after ``at`` and, unless that is None, later than ``after``."""
    floor = -(1 << 62) if after is None else after
    row: tuple[int, str] | None = db.execute(
        "SELECT at, value FROM history WHERE datastream = ? AND at <= ? AND at > ? ORDER BY at DESC LIMIT 1",
        (pk, at, floor),
    ).fetchone()
    fresh = {moment: value for _, moment, value in pending if floor < moment <= at}
    if fresh:
        newest = max(fresh)
        if row is None or newest >= row[0]:
            return newest, fresh[newest]
    return row


def points_at(
    db: sqlite3.Connection, pk: int, pending: Pending, lines: Sequence[int], first_after: int | None
) -> list[tuple[int, str] | None]:
    """
    Return for each moment the newest datapoint that is not after it, but after the previous moment.

    One seek for each moment, however many datapoints lie between them.

    Args:
        db: the connection.
        pk: the datastream's row.
        pending: see the module.
        lines: ascending moments.
        first_after: what the first moment's datapoint must be later than; None when anything will do.
    """
    rows: list[tuple[int | None, str | None]] = db.execute(
        "SELECT history.at, history.value FROM ("
        "  SELECT line.key AS position, (SELECT at FROM history WHERE datastream = :pk AND at <= line.value"
        "    ORDER BY at DESC LIMIT 1) AS at FROM json_each(:lines) AS line"
        ") AS grid LEFT JOIN history ON history.datastream = :pk AND history.at = grid.at ORDER BY position",
        {"pk": pk, "lines": msgspec.json.encode(lines).decode()},
    ).fetchall()
    fresh = {at: value for _, at, value in pending}
    times = sorted(fresh)
    found: list[tuple[int, str] | None] = []
    floor = -(1 << 62) if first_after is None else first_after
    for line, (at, value) in zip(lines, rows, strict=True):
        best = None if at is None or value is None or at <= floor else (at, value)
        position = bisect_right(times, line)
        if position and times[position - 1] > floor:
            newest = times[position - 1]
            if best is None or newest >= best[0]:
                best = newest, fresh[newest]
        found.append(best)
        floor = line
    return found


def replace_point(txn: Transaction, pk: int, at: int, value: str, arrived: int) -> int | None:
    """
    Give the datapoint of a time another value.

    Returns:
        The journal number of the new value, or None when there is no datapoint at that time.
    """
    exists = txn.execute(
        "SELECT EXISTS (SELECT 1 FROM history WHERE datastream = :pk AND at = :at)"
        " OR EXISTS (SELECT 1 FROM journal WHERE datastream = :pk AND at = :at)",
        {"pk": pk, "at": at},
    ).fetchone()[0]
    return txn.append([(pk, at, value)], arrived, False) if exists else None


def delete_points(
    txn: Transaction, pk: int, start: int, end: int, known: StreamState, known_seq: int
) -> tuple[int, int, StreamState]:
    """
    Delete the datapoints of a range, both ends inclusive, or the first of them.

    If the current value goes, the next older datapoint becomes current. Maximum and minimum stay.

    Returns:
        How many went, up to what time, and the state afterwards.
    """
    state = true_state(txn, pk, known, known_seq)
    cut = txn.execute(
        "SELECT at FROM history WHERE datastream = ? AND at BETWEEN ? AND ? ORDER BY at LIMIT 1 OFFSET ?",
        (pk, start, end, DELETE_SLICE - 1),
    ).fetchone()
    upto = end if cut is None else cut[0]
    keep_times(txn, pk, start, upto)
    # While a fold is under way, a datapoint may be in both.
    gone = {
        at
        for table in ("journal", "history")
        for (at,) in txn.execute(
            f"DELETE FROM {table} WHERE datastream = ? AND at BETWEEN ? AND ? RETURNING at", (pk, start, upto)
        ).fetchall()
    }
    if state.at is not None and start <= state.at <= upto:
        newest = txn.execute(
            "SELECT at, value FROM (SELECT at, value, 0 AS seq FROM history WHERE datastream = :pk"
            "  AND at = (SELECT max(at) FROM history WHERE datastream = :pk)"
            " UNION ALL SELECT at, value, seq FROM journal WHERE datastream = :pk)"
            " ORDER BY at DESC, seq DESC LIMIT 1",
            {"pk": pk},
        ).fetchone()
        state.at, state.value = newest or (None, None)
    save_state(txn, pk, state)
    return len(gone), upto, state
