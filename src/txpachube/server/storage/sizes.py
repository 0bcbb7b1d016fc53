"""
How much room feeds take, and how quickly that grows.

Bytes are counted by what a row of the history costs, its value and what SQLite adds to it; so they are an
estimate, good to some percent. The growth is that of the last week.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

import attrs

from txpachube.server.storage.retention import DAY, days_of

__all__ = ["FeedSize", "feed_sizes"]

WEEK: Final = 7

ROW_BYTES: Final = 20
"""What a row costs besides its value: its key, its head and its share of what is empty in a page."""

SAMPLE: Final = 1_000
"""Values whose length is looked at, the newest ones."""


@attrs.frozen
class FeedSize:
    """
    How much room a feed takes.

    Attributes:
        id: of the feed.
        owner: login of its account.
        datapoints: how many there are.
        bytes: what they take, about.
        per_day: bytes that come in a day, about.
        days: how long they are kept; None: as long as the settings say; 0: for ever.
    """

    id: int
    owner: str
    title: str
    datapoints: int
    bytes: int
    per_day: int
    days: int | None

    def growth(self, usual_days: int) -> int:
        """Return by how many bytes a day it grows; not at all when as much goes as comes."""
        days = usual_days if self.days is None else self.days
        return 0 if days and self.bytes >= 0.9 * days * self.per_day else self.per_day


def feed_sizes(db: sqlite3.Connection, now: int, feed_id: int | None = None) -> Iterator[FeedSize]:
    """
    Yield the sizes of all feeds, or of one; to be run in one transaction.

    Args:
        db: a connection.
        now: the time in microseconds since 1970.
        feed_id: which feed; None for all.
    """
    waiting: dict[int, list[int]] = {}
    for pk, at in db.execute("SELECT datastream, at FROM journal"):
        waiting.setdefault(pk, []).append(at)
    feeds = db.execute(
        "SELECT feeds.id, login, title FROM feeds JOIN users ON users.id = owner"
        " WHERE feeds.id = coalesce(?, feeds.id) ORDER BY feeds.id",
        (feed_id,),
    ).fetchall()
    for number, owner, title in feeds:
        points = size = week = 0
        oldest = now
        streams = db.execute("SELECT id FROM datastreams WHERE feed = ?", (number,)).fetchall()
        for (pk,) in streams:
            fresh = waiting.get(pk, [])
            count, first = db.execute(
                "SELECT count(*), min(at) FROM history WHERE datastream = ?", (pk,)
            ).fetchone()
            recent = db.execute(
                "SELECT count(*) FROM history WHERE datastream = ? AND at BETWEEN ? AND ?",
                (pk, now - WEEK * DAY, now),
            ).fetchone()[0]
            length = db.execute(
                "SELECT avg(length(CAST(value AS BLOB))) FROM"
                " (SELECT value FROM history WHERE datastream = ? ORDER BY at DESC LIMIT ?)",
                (pk, SAMPLE),
            ).fetchone()[0]
            each = ROW_BYTES + round(length or 4)
            count += len(fresh)
            recent += sum(now - WEEK * DAY <= at <= now for at in fresh)
            oldest = min([oldest, *fresh, *([first] if first is not None else [])])
            points += count
            size += count * each
            week += recent * each
        # What is younger than a week has had less time.
        lived = min(WEEK * DAY, max(now - oldest, DAY))
        yield FeedSize(number, owner, title, points, size, round(week * DAY / lived), days_of(db, number))
