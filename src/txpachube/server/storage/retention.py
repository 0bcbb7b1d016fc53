"""
Feeds whose datapoints are kept for some days only.

Once an hour everything is looked through, a slice at a time, between the writes of others. What is too
old goes from the history; the journal is left alone, since a fold brings what is in it to the history soon.
The newest datapoint of a datastream stays, however old it is: it is the current value.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred

from txpachube.server.storage.writer import Transaction
from txpachube.times import SECOND

__all__ = ["DAY", "FOR_EVER", "MOST_DAYS", "Retention", "days_of", "expire_slice", "keep"]

DAY: Final = 86_400 * SECOND

FOR_EVER: Final = 0
"""Days of a feed that forgets nothing."""

MOST_DAYS: Final = 36_500
"""A hundred years; more is for ever."""

STREAMS_AT_ONCE: Final = 200
POINTS_AT_ONCE: Final = 5_000
"""Datastreams that are looked at, and datapoints that are removed, in one transaction: either takes some
milliseconds, in which others wait."""


def keep(txn: Transaction, feed_id: int, days: int | None) -> None:
    """Keep the datapoints of a feed for so many days, for ever, or (None) as long as the settings say."""
    if days is None:
        txn.execute("DELETE FROM retention WHERE feed = ?", (feed_id,))
    else:
        txn.execute("INSERT OR REPLACE INTO retention (feed, days) VALUES (?, ?)", (feed_id, days))


def days_of(db: sqlite3.Connection | Transaction, feed_id: int) -> int | None:
    """Return for how many days the datapoints of a feed are kept; None: as long as the settings say."""
    row = db.execute("SELECT days FROM retention WHERE feed = ?", (feed_id,)).fetchone()
    return None if row is None else int(row[0])


def expire_slice(txn: Transaction, after: int, now: int, usual_days: int) -> tuple[int | None, int]:
    """
    Remove some of what is too old.

    Args:
        txn: the transaction.
        after: where the slice before has stopped; 0 at first.
        now: the time in microseconds since 1970.
        usual_days: how long is kept what has no other number of days; 0: for ever.

    Returns:
        Where this slice has stopped, None when it was the last; and how many datapoints went.
    """
    streams = txn.execute(
        "SELECT datastreams.id, coalesce(retention.days, :usual) AS kept FROM datastreams"
        " LEFT JOIN retention ON retention.feed = datastreams.feed"
        " WHERE datastreams.id > :after AND kept > 0 ORDER BY datastreams.id LIMIT :most",
        {"usual": usual_days, "after": after, "most": STREAMS_AT_ONCE},
    ).fetchall()
    gone = 0
    for pk, days in streams:
        gone += txn.execute(
            "DELETE FROM history WHERE datastream = :pk AND at IN (SELECT at FROM history"
            " WHERE datastream = :pk AND at < :limit"
            " AND at < (SELECT max(at) FROM history WHERE datastream = :pk) LIMIT :most)",
            {"pk": pk, "limit": now - days * DAY, "most": POINTS_AT_ONCE - gone},
        ).rowcount
        if gone >= POINTS_AT_ONCE:
            return pk - 1, gone
    return (streams[-1][0] if len(streams) == STREAMS_AT_ONCE else None), gone


class Retention:
    """
    What is kept for some days only, of a store.

    Args:
        write: runs a function of a transaction, and what shall follow its commit.

    Attributes:
        removed: datapoints that went so far.
    """

    def __init__(self, write: Callable[..., Deferred[Any]]) -> None:
        self.removed = 0
        self._write = write

    async def expire(self, now: int, usual_days: int) -> int:
        """
        Remove everything that is too old; return how many datapoints that were.

        Raises:
            StorageFailed: the disk or the database failed; what went before is gone.
        """
        total = 0
        after: int | None = 0
        while after is not None:
            after, gone = await self._write(_as_it_is, expire_slice, after, now, usual_days)
            total += gone
            self.removed += gone
        return total


def _as_it_is(result: Any) -> Any:
    return result
