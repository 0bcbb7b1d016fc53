"""
The request log in the database: for each feed the newest requests that concern it, in rings.

A ring keeps so many and forgets the oldest. What a feed's owner wrote, read and was refused, and what
strangers sent, are rings of their own, so none of them pushes out another; and of strangers there is
a bound over all feeds, since they cost nothing to be had.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
import msgspec
from twisted.internet.defer import Deferred

from txpachube.server.storage.writer import Transaction

__all__ = ["ASTRAY", "READ", "REFUSED", "STRANGER", "WRITTEN", "LoggedRequest", "Requests"]

WRITTEN, READ, REFUSED, STRANGER, ASTRAY = range(1, 6)
"""The rings; see the schema."""

MAX_STRANGERS: Final = 2_000
"""Requests of strangers that are kept over all feeds: some megabytes that anybody can have us store."""

MAX_SHOWN: Final = 500
"""Requests in one answer: more than the rings of a feed hold, unless somebody made them much larger."""


@attrs.frozen
class LoggedRequest:
    """
    A request as it is logged.

    Attributes:
        feed_id: which it concerns; None when it named none that exists.
        owner_id: whose key it carried, when it named no feed.
        ring: what it is kept with.
        at: when it came.
        times: how many like it came; then it is the first of them, and ``at`` the time of the last.
        status: of the answer; 0 when there was none.
        reason: why it was refused, or None.
        facts: how it came and what was sent, without secrets, as JSON has it.
        id: its number; 0 before it is stored.
    """

    feed_id: int | None
    owner_id: int | None
    ring: int
    at: int
    times: int
    status: int
    reason: str | None
    facts: dict[str, Any]
    id: int = 0


def add(txn: Transaction, entries: Sequence[LoggedRequest], kept: int) -> None:
    """
    Add requests, and forget what is too many.

    What concerns a feed or an account that does not exist is passed over.

    Args:
        txn: the transaction.
        entries: the requests, oldest first.
        kept: how many a ring holds.
    """
    places: dict[tuple[int | None, int | None, int], None] = {}
    for entry in entries:
        txn.execute(
            "INSERT INTO requests (feed, owner, ring, at, times, status, reason, facts)"
            " SELECT :feed, :owner, :ring, :at, :times, :status, :reason, :facts"
            " WHERE (:feed IS NULL OR EXISTS (SELECT 1 FROM feeds WHERE id = :feed))"
            " AND (:owner IS NULL OR EXISTS (SELECT 1 FROM users WHERE id = :owner))",
            {
                "feed": entry.feed_id,
                "owner": entry.owner_id,
                "ring": entry.ring,
                "at": entry.at,
                "times": entry.times,
                "status": entry.status,
                "reason": entry.reason,
                "facts": msgspec.json.encode(entry.facts).decode(),
            },
        )
        places[entry.feed_id, entry.owner_id, entry.ring] = None
    for feed_id, owner_id, ring in places:
        where, subject = ("feed", feed_id) if feed_id is not None else ("owner", owner_id)
        txn.execute(
            f"DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE {where} = ? AND ring = ?"
            " ORDER BY id DESC LIMIT -1 OFFSET ?)",
            (subject, ring, kept),
        )
    if any(ring == STRANGER for _, _, ring in places):
        txn.execute(
            "DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE ring = 4"
            " ORDER BY id DESC LIMIT -1 OFFSET ?)",
            (MAX_STRANGERS,),
        )


def requests_of(
    db: sqlite3.Connection, feed_id: int, owner_id: int | None, after: int
) -> list[LoggedRequest]:
    """
    Return what is logged of a feed, and of its owner's requests that named none, the newest last.

    Args:
        db: a connection.
        feed_id: the feed.
        owner_id: its owner; None leaves out what named no feed.
        after: only what has a larger number.
    """
    rows = db.execute(
        "SELECT feed, owner, ring, at, times, status, reason, facts, id FROM ("
        "SELECT * FROM requests WHERE feed = :feed AND id > :after"
        " UNION ALL SELECT * FROM requests WHERE owner = :owner AND id > :after)"
        " ORDER BY id DESC LIMIT :limit",
        {"feed": feed_id, "owner": owner_id, "after": after, "limit": MAX_SHOWN},
    ).fetchall()
    found = [
        LoggedRequest(feed, owner, ring, at, times, status, reason, msgspec.json.decode(facts), number)
        for feed, owner, ring, at, times, status, reason, facts, number in rows
    ]
    found.sort(key=lambda entry: (entry.at, entry.id))
    return found


class Requests:
    """
    The request log of a store.

    Args:
        write: runs a function of a transaction, and what shall follow its commit.
        read: runs a function of a connection.
    """

    def __init__(self, write: Callable[..., Deferred[Any]], read: Callable[..., Deferred[Any]]) -> None:
        self._write = write
        self._read = read

    async def add(self, entries: Sequence[LoggedRequest], kept: int) -> None:
        """Add requests, and forget what is too many; see `add`."""
        await self._write(_as_it_is, add, entries, kept)

    async def of(self, feed_id: int, owner_id: int | None, after: int = 0) -> list[LoggedRequest]:
        """Return what is logged of a feed, and of its owner's requests that named none; see `requests_of`."""
        found: list[LoggedRequest] = await self._read(requests_of, feed_id, owner_id, after)
        return found


def _as_it_is(result: Any) -> Any:
    return result
