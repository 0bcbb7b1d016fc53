"""
How many feeds and datastreams an account may have.

The limits are the service's, unless the row of the account has others. They are looked at where a feed or
a datastream is made, in the transaction that makes it: so two requests at once can't pass them together,
whichever doors they come through, and an update of what exists already never asks. Nothing limits the
command line, whose transactions have no quotas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from txpachube.server.storage.failures import Gone, OverQuota

if TYPE_CHECKING:
    from txpachube.server.storage.writer import Transaction

__all__ = ["NO_QUOTAS", "UNLIMITED", "Quotas", "require_feed", "require_streams"]

UNLIMITED: Final = -1
"""Stands in an account's row for "as many as it likes"."""


@attrs.frozen
class Quotas:
    """
    What an account may have whose row says nothing else.

    Attributes:
        feeds: how many feeds; None: as many as it likes.
        datastreams: how many datastreams, over all its feeds; likewise.
    """

    feeds: int | None = None
    datastreams: int | None = None

    def feeds_of(self, allowed: int | None) -> int | None:
        """Return how many feeds an account may have with this in its row; None: as many as it likes."""
        return _limit(allowed, self.feeds)

    def datastreams_of(self, allowed: int | None) -> int | None:
        """Return how many datastreams an account may have with this in its row; None likewise."""
        return _limit(allowed, self.datastreams)


NO_QUOTAS: Final = Quotas()
"""Everybody may have as much as he likes, whose row says nothing else."""


def _limit(allowed: int | None, usual: int | None) -> int | None:
    if allowed is None:
        return usual
    return None if allowed == UNLIMITED else allowed


def require_feed(txn: Transaction, owner_id: int) -> None:
    """
    Refuse one more feed of an account.

    Raises:
        OverQuota: it has as many as it may have.
        Gone: there is no such account any more.
    """
    quotas = txn.quotas
    if quotas is None:
        return
    row = txn.execute("SELECT feeds_allowed FROM users WHERE id = ?", (owner_id,)).fetchone()
    if row is None:
        raise Gone
    most = quotas.feeds_of(row[0])
    if most is None:
        return
    # Counted no further than it matters.
    count = txn.execute(
        "SELECT count(*) FROM (SELECT 1 FROM feeds WHERE owner = ? LIMIT ?)", (owner_id, most)
    ).fetchone()[0]
    if count >= most:
        raise OverQuota("feeds", most)


def require_streams(txn: Transaction, feed_id: int, more: int) -> None:
    """
    Refuse some more datastreams of a feed, if the account whose it is would have too many then.

    Raises:
        OverQuota: it would.
        Gone: there is no such feed any more.
    """
    quotas = txn.quotas
    if quotas is None or not more:
        return
    row = txn.execute(
        "SELECT owner, datastreams_allowed FROM feeds JOIN users ON users.id = owner WHERE feeds.id = ?",
        (feed_id,),
    ).fetchone()
    if row is None:
        raise Gone
    owner_id, allowed = row
    most = quotas.datastreams_of(allowed)
    if most is None:
        return
    count = txn.execute(
        "SELECT count(*) FROM (SELECT 1 FROM feeds JOIN datastreams ON datastreams.feed = feeds.id"
        " WHERE owner = ? LIMIT ?)",
        (owner_id, most + 1),
    ).fetchone()[0]
    if count + more > most:
        raise OverQuota("datastreams", most)
