"""
Feeds and their datastreams: loading, changing, deleting, listing.

What the rows say of current values lags behind the journal, so a change hands back what it did and
memory is brought up to date from that, not from the rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import msgspec

from txpachube.server.storage.accounts import forget_feed
from txpachube.server.storage.failures import Conflict, Gone
from txpachube.server.storage.journal import keep_times, save_state, true_state
from txpachube.server.storage.quotas import require_feed, require_streams
from txpachube.server.storage.records import (
    UNCHANGED,
    Feed,
    FeedChange,
    Stream,
    StreamChange,
    StreamState,
    Unchanged,
    Waypoint,
    location_after,
)
from txpachube.server.storage.writer import Transaction
from txpachube.times import EARLIEST, LATEST

__all__ = [
    "Changed",
    "change_feed",
    "create_feed",
    "delete_feed",
    "delete_stream",
    "feeds_of",
    "load_feed",
    "load_feeds",
    "purge_slice",
    "stream_order",
    "waypoints",
]

_TEXTS: Final = (
    "title",
    "description",
    "website",
    "email",
    "icon",
    "auto_feed_url",
    "product_id",
    "device_serial",
)

PURGE_SLICE: Final = 5_000
"""Datapoints of deleted datastreams removed in one transaction."""


@attrs.define
class Changed:
    """
    What a change did, for memory to repeat.

    Attributes:
        pks: row number of every datastream of the change, by id.
        first_seq: journal number of the first datapoint; the others follow without gaps.
        states: state by row number of the datastreams whose limits were set; for the others the
            points say it all.
        dropped: ids of datastreams that were deleted.
        location_at: since when the location holds.
        left: the place that a mobile feed left with this change, as `waypoints` returns it, or None.
    """

    pks: dict[str, int]
    first_seq: int
    states: dict[int, StreamState]
    dropped: list[str]
    location_at: int | None
    left: Waypoint | None


def feeds_of(db: sqlite3.Connection | Transaction, owner_id: int | None) -> list[Feed]:
    """Return the feeds of an account, or all, as their rows have them, by id."""
    rows = db.execute(
        "SELECT id FROM feeds WHERE owner = coalesce(?, owner) ORDER BY id", (owner_id,)
    ).fetchall()
    return load_feeds(db, [feed_id for (feed_id,) in rows])


def stream_order(stream_id: str) -> tuple[int, int, str]:
    """Return what datastreams are sorted by: ids of digits first, as numbers, then by code point."""
    if stream_id.isascii() and stream_id.isdigit():
        return 0, int(stream_id), stream_id
    return 1, 0, stream_id


def load_feed(db: sqlite3.Connection | Transaction, feed_id: int) -> Feed | None:
    """Return a feed as its rows have it, or None."""
    found = load_feeds(db, [feed_id])
    return found[0] if found else None


def load_feeds(db: sqlite3.Connection | Transaction, feed_ids: Sequence[int]) -> list[Feed]:
    """Return those of some feeds that exist, as their rows have them, by id."""
    ids = msgspec.json.encode(feed_ids).decode()
    streams: dict[int, list[Stream]] = {}
    for feed_id, pk, name, tags, unit, value, at, max_value, min_value, data_at in db.execute(
        "SELECT feed, id, name, tags, unit, value, at, max_value, min_value, data_at FROM datastreams"
        " WHERE feed IN (SELECT value FROM json_each(?))",
        (ids,),
    ).fetchall():
        stream = Stream(
            pk=pk,
            id=name,
            tags=msgspec.json.decode(tags),
            unit=msgspec.json.decode(unit),
            value=value,
            at=at,
            max_value=max_value,
            min_value=min_value,
            data_at=data_at,
        )
        streams.setdefault(feed_id, []).append(stream)
    found = []
    for row in db.execute(
        "SELECT feeds.id, feeds.owner, login, feeds.private, feeds.created, listed.updated, tags, location,"
        f" location_at, listed.data_at, {', '.join(f'feeds.{name}' for name in _TEXTS)} FROM feeds"
        " JOIN listed ON listed.feed = feeds.id JOIN users ON users.id = feeds.owner"
        " WHERE feeds.id IN (SELECT value FROM json_each(?)) ORDER BY feeds.id",
        (ids,),
    ).fetchall():
        feed_id, owner_id, owner, private, created, updated, tags, location, location_at, data_at, *texts = (
            row
        )
        own = sorted(streams.get(feed_id, ()), key=lambda stream: stream_order(stream.id))
        feed = Feed(
            id=feed_id,
            owner_id=owner_id,
            owner=owner,
            private=bool(private),
            fields={name: text for name, text in zip(_TEXTS, texts, strict=True) if text is not None},
            created=created,
            updated=updated,
            tags=msgspec.json.decode(tags),
            location=msgspec.json.decode(location),
            location_at=location_at,
            data_at=data_at,
            streams={stream.id: stream for stream in own},
        )
        found.append(feed)
    return found


def create_feed(
    txn: Transaction, owner_id: int, change: FeedChange, feed_id: int | None
) -> tuple[Feed, Changed]:
    """
    Create a feed with its datastreams.

    Args:
        txn: the transaction.
        owner_id: the account's row.
        change: what the feed shall be; needs a title.
        feed_id: the id it must have, or None for the next one.

    Returns:
        The empty feed, and the change that fills it.

    Raises:
        Conflict: there is a feed with this id.
        OverQuota: the account may not have one more feed, or so many datastreams.
    """
    require_feed(txn, owner_id)
    if feed_id is not None and load_feed(txn, feed_id) is not None:
        raise Conflict(str(feed_id))
    new_id: int = txn.execute(
        "INSERT INTO feeds (id, owner, private, title, tags, location, created, updated, data_at)"
        " VALUES (?, ?, 0, '', '[]', '{}', ?, ?, 0) RETURNING id",
        (feed_id, owner_id, change.arrived, change.arrived),
    ).fetchone()[0]
    feed = load_feed(txn, new_id)
    assert feed is not None
    return feed, change_feed(txn, new_id, change, {}, 0)


def change_feed(
    txn: Transaction, feed_id: int, change: FeedChange, known: dict[int, StreamState], known_seq: int
) -> Changed:
    """
    Do to a feed what a request wants, all of it or nothing.

    Args:
        txn: the transaction.
        feed_id: which feed.
        change: what to do.
        known: the states memory has of the feed's datastreams, by row number.
        known_seq: the journal number as of which they are true.

    Raises:
        Gone: the feed, or a datastream that must exist, was deleted meanwhile.
        Conflict: a datastream that must be new exists.
        OverQuota: the account may not have so many datastreams.
    """
    location_at, left = _change_row(txn, feed_id, change)
    rows = dict(txn.execute("SELECT name, id FROM datastreams WHERE feed = ?", (feed_id,)).fetchall())
    dropped: list[str] = []
    if change.drop_other_streams:
        kept = {stream.id for stream in change.streams}
        dropped = [name for name in rows if name not in kept]
        for name in dropped:
            delete_stream(txn, rows.pop(name))
    if change.existing != "must":
        require_streams(txn, feed_id, sum(stream.id not in rows for stream in change.streams))
    pks: dict[str, int] = {}
    points: list[tuple[int, int, str]] = []
    for stream in change.streams:
        pk = rows.get(stream.id)
        if pk is None:
            if change.existing == "must":
                raise Gone
            pk = _add_stream(txn, feed_id, stream.id)
        elif change.existing == "must not":
            raise Conflict(stream.id)
        pks[stream.id] = pk
        _change_stream(txn, pk, stream)
        points.extend((pk, at, value) for at, value in stream.points)
    states = {
        pks[stream.id]: true_state(txn, pks[stream.id], known.get(pks[stream.id], StreamState()), known_seq)
        for stream in change.streams
        if stream.max_value is not UNCHANGED or stream.min_value is not UNCHANGED
    }
    first_seq = txn.append(points, change.arrived, change.through_feed)
    for stream in change.streams:
        state = states.get(pks[stream.id])
        if state is not None:
            _set_limits(state, stream, change.arrived)
            save_state(txn, pks[stream.id], state)
    return Changed(pks, first_seq, states, dropped, location_at, left)


def _change_row(txn: Transaction, feed_id: int, change: FeedChange) -> tuple[int | None, Waypoint | None]:
    """Change a feed's row; return since when its location holds, and the place it left."""
    row = txn.execute("SELECT location, location_at FROM feeds WHERE id = ?", (feed_id,)).fetchone()
    if row is None:
        raise Gone
    columns: dict[str, object] = dict(change.fields)
    location_at: int | None = row[1]
    left: Waypoint | None = None
    if change.private is not UNCHANGED:
        columns["private"] = change.private
    if change.tags is not UNCHANGED:
        columns["tags"] = msgspec.json.encode(change.tags).decode()
    if not isinstance(change.location, Unchanged):
        old = msgspec.json.decode(row[0])
        new = location_after(old, change.location)
        moved = any(old.get(part) != new.get(part) for part in ("lat", "lon", "ele"))
        if new.get("disposition") == "mobile" and moved and "lat" in old and "lon" in old:
            since = change.arrived if location_at is None else location_at
            left = (since, old["lat"], old["lon"], old.get("ele"))
            txn.execute(
                "INSERT OR REPLACE INTO waypoints (feed, at, lat, lon, ele) VALUES (?, ?, ?, ?, ?)",
                (feed_id, *left),
            )
        columns["location"] = msgspec.json.encode(new).decode()
        if moved or location_at is None:
            location_at = change.location_at if change.location_at is not None else change.arrived
            columns["location_at"] = location_at
    times = {}
    if change.through_feed:
        times["updated"] = change.arrived
    if any(stream.points for stream in change.streams):
        times["data_at"] = change.arrived
    _set(txn, "feeds", "id", feed_id, columns)
    _set(txn, "listed", "feed", feed_id, times)
    return location_at, left


def _set(txn: Transaction, table: str, key: str, number: int, columns: Mapping[str, object]) -> None:
    if columns:
        txn.execute(
            f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in columns)} WHERE {key} = ?",
            (*columns.values(), number),
        )


def _add_stream(txn: Transaction, feed_id: int, name: str) -> int:
    row = txn.execute(
        "INSERT INTO datastreams (feed, name, tags, unit, data_at, state_seq) VALUES (?, ?, '[]', '{}', 0, ?)"
        " RETURNING id",
        (feed_id, name, txn.seq),
    ).fetchone()
    return int(row[0])


def _change_stream(txn: Transaction, pk: int, stream: StreamChange) -> None:
    if stream.tags is not UNCHANGED:
        txn.execute(
            "UPDATE datastreams SET tags = ? WHERE id = ?", (msgspec.json.encode(stream.tags).decode(), pk)
        )
    if stream.unit is not UNCHANGED:
        txn.execute(
            "UPDATE datastreams SET unit = ? WHERE id = ?", (msgspec.json.encode(stream.unit).decode(), pk)
        )


def _set_limits(state: StreamState, stream: StreamChange, arrived: int) -> None:
    if not isinstance(stream.max_value, Unchanged):
        state.max_value = stream.max_value
    if not isinstance(stream.min_value, Unchanged):
        state.min_value = stream.min_value
    for at, value in stream.points:
        state.take(at, value)
        state.data_at = arrived


def delete_feed(txn: Transaction, feed_id: int) -> list[int]:
    """
    Delete a feed with everything that belongs to it.

    Returns:
        The rows of the keys that were limited to it.
    """
    txn.execute("INSERT INTO purges (datastream) SELECT id FROM datastreams WHERE feed = ?", (feed_id,))
    txn.execute("DELETE FROM feeds WHERE id = ?", (feed_id,))
    return forget_feed(txn, feed_id)


def delete_stream(txn: Transaction, pk: int) -> None:
    """Delete a datastream; its history goes later, a slice at a time."""
    keep_times(txn, pk, EARLIEST, LATEST)
    txn.execute("INSERT OR IGNORE INTO purges (datastream) SELECT id FROM datastreams WHERE id = ?", (pk,))
    txn.execute("DELETE FROM datastreams WHERE id = ?", (pk,))


def purge_slice(txn: Transaction) -> bool:
    """Remove some of the history of deleted datastreams; return whether there is more to do."""
    row = txn.execute("SELECT datastream FROM purges LIMIT 1").fetchone()
    if row is None:
        return False
    gone = txn.execute(
        "DELETE FROM history WHERE datastream = :pk AND at IN"
        " (SELECT at FROM history WHERE datastream = :pk LIMIT :slice)",
        {"pk": row[0], "slice": PURGE_SLICE},
    ).rowcount
    if gone < PURGE_SLICE:
        txn.execute("DELETE FROM purges WHERE datastream = ?", row)
    return True


def waypoints(
    db: sqlite3.Connection | Transaction, feed_id: int, start: int | None, end: int | None, limit: int
) -> list[Waypoint]:
    """
    Return former locations as (at, lat, lon, ele), oldest first.

    Args:
        db: the connection.
        feed_id: which feed.
        start: the first moment, or None for the newest ``limit`` of all.
        end: the last moment; given with ``start``.
        limit: how many at the most.
    """
    if start is None:
        newest: list[Waypoint] = db.execute(
            "SELECT at, lat, lon, ele FROM waypoints WHERE feed = ? ORDER BY at DESC LIMIT ?",
            (feed_id, limit),
        ).fetchall()
        return newest[::-1]
    return db.execute(
        "SELECT at, lat, lon, ele FROM waypoints WHERE feed = ? AND at BETWEEN ? AND ? ORDER BY at LIMIT ?",
        (feed_id, start, end, limit),
    ).fetchall()
