"""Which feeds a list shows: visibility, filters, order, pages."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import attrs
import msgspec

__all__ = ["FeedFilter", "find_feeds"]

_ORDERS: Final = {
    "created_at": "feeds.created DESC, feeds.id DESC",
    "retrieved_at": "fresh DESC, feeds.id DESC",
    "id": "feeds.id",
}


@attrs.frozen
class FeedFilter:
    """
    What a list of feeds is limited to.

    Attributes:
        private_of: account whose private feeds are shown too; None: public feeds only.
        ids: only these feeds; None: all.
        owner: only feeds of this login.
        live_since: only feeds with data since this moment.
        frozen_since: only feeds without data since this moment.
        order: newest first by creation or by last update, or ascending by id.
        limit: feeds on the page.
        offset: feeds before it.
    """

    private_of: int | None = None
    ids: Sequence[int] | None = None
    owner: str | None = None
    live_since: int | None = None
    frozen_since: int | None = None
    order: Literal["created_at", "retrieved_at", "id"] = "created_at"
    limit: int = 50
    offset: int = 0


def find_feeds(
    db: sqlite3.Connection, wanted: FeedFilter, fresher: Mapping[int, int]
) -> tuple[int, list[int]]:
    """
    Return how many feeds pass the filter, and the ids of the page.

    Args:
        db: the connection.
        wanted: the filter.
        fresher: time of the last data of the feeds whose rows don't know it yet, by id.
    """
    conditions = ["(NOT private OR owner = :private_of)"]
    if wanted.ids is not None:
        conditions.append("feeds.id IN (SELECT value FROM json_each(:ids))")
    if wanted.owner is not None:
        conditions.append("owner = (SELECT id FROM users WHERE login = :owner)")
    if wanted.live_since is not None:
        conditions.append("fresh >= :live_since")
    if wanted.frozen_since is not None:
        conditions.append("fresh < :frozen_since")
    source = (
        "FROM (SELECT feeds.*, max(data_at, coalesce(fresher.at, 0)) AS fresh FROM feeds"
        " LEFT JOIN fresher ON fresher.id = feeds.id) AS feeds"
        f" WHERE {' AND '.join(conditions)}"
    )
    values = {
        "private_of": wanted.private_of,
        "ids": None if wanted.ids is None else msgspec.json.encode(list(wanted.ids)).decode(),
        "owner": wanted.owner,
        "live_since": wanted.live_since,
        "frozen_since": wanted.frozen_since,
        "fresher": msgspec.json.encode({str(feed): at for feed, at in fresher.items()}).decode(),
        "limit": wanted.limit,
        "offset": wanted.offset,
    }
    # A table expression, because SQLite makes an index for one and not for json_each itself.
    fresh = (
        "WITH fresher AS MATERIALIZED"
        " (SELECT CAST(key AS INTEGER) AS id, value AS at FROM json_each(:fresher))"
    )
    total: int = db.execute(f"{fresh} SELECT count(*) {source}", values).fetchone()[0]
    page = db.execute(
        f"{fresh} SELECT feeds.id {source} ORDER BY {_ORDERS[wanted.order]} LIMIT :limit OFFSET :offset",
        values,
    ).fetchall()
    return total, [feed_id for (feed_id,) in page]
