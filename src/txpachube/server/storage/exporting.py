"""
Reading everything that belongs to an account, as of one moment.

What a row says of current values lags behind the journal, so the journal's rows are counted in here, and
its datapoints merged over the history. All functions must run in one read transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from txpachube.server.storage.records import StreamState
from txpachube.server.storage.tables import TABLES, Row, Table

__all__ = ["Account", "columns_of", "find_account"]

Point = tuple[int, str]


def columns_of(db: sqlite3.Connection, table: str) -> dict[str, str]:
    """Return the types of a table's columns by name; empty when there is no such table."""
    return dict(db.execute("SELECT name, type FROM pragma_table_info(?)", (table,)).fetchall())


def find_account(db: sqlite3.Connection, login: str) -> Account | None:
    """Return what belongs to the account of a login, or None when there is no such account."""
    row = db.execute("SELECT id FROM users WHERE login = ?", (login,)).fetchone()
    return None if row is None else Account(db, row[0])


class Account:
    """
    What belongs to an account.

    Args:
        db: a connection in a read transaction.
        pk: the account's row number.

    Attributes:
        streams: (row number, feed, name) of its datastreams.
    """

    def __init__(self, db: sqlite3.Connection, pk: int) -> None:
        self._db = db
        self._pk = pk
        self.streams: list[tuple[int, int, str]] = db.execute(
            "SELECT datastreams.id, feed, name FROM datastreams JOIN feeds ON feeds.id = feed"
            " WHERE owner = ? ORDER BY feed, datastreams.id",
            (pk,),
        ).fetchall()
        feed_of = {stream: feed for stream, feed, _ in self.streams}
        # When data came last for a feed, and with a request for the feed itself.
        self._dated: dict[int, tuple[int, int]] = {}
        # As many rows as are folded together at the most, and as memory holds in a running service.
        self._fresh: dict[int, list[tuple[int, int, str, int, bool]]] = {}
        for stream, *row in db.execute(
            "SELECT journal.datastream, seq, journal.at, journal.value, arrived, through_feed FROM journal"
            " JOIN datastreams ON datastreams.id = journal.datastream JOIN feeds ON feeds.id = feed"
            " WHERE owner = ? ORDER BY seq",
            (pk,),
        ):
            self._fresh.setdefault(stream, []).append(tuple(row))
            feed, (_, _, _, arrived, through_feed) = feed_of[stream], row
            data_at, updated = self._dated.get(feed, (0, 0))
            self._dated[feed] = max(data_at, arrived), max(updated, arrived if through_feed else 0)

    def rows(self, table: Table) -> Iterator[Row]:
        """Yield the account's rows of a table, as the archive has them."""
        db = self._db
        columns = [
            name
            for name in columns_of(db, table.name)
            if name not in table.left_out and name not in table.made
        ]
        if not columns:
            return
        sql = f"SELECT {', '.join(columns)} FROM {table.name} WHERE {table.where} ORDER BY {table.order}"
        complete = _COMPLETE.get(table.name)
        for values in db.execute(sql, {"account": self._pk}):
            row = dict(zip(columns, values, strict=True))
            if complete is not None:
                complete(self, row)
            yield {name: _spelled(table, name, value) for name, value in row.items()}

    def points(self, stream: int) -> Iterator[Point]:
        """Yield (at, value) of a datastream, by time; of two writes of one time the later counts."""
        waiting = sorted({at: value for _, at, value, _, _ in self._fresh.get(stream, ())}.items())
        position = 0
        for at, value in self._db.execute(
            "SELECT at, value FROM history WHERE datastream = ? ORDER BY at", (stream,)
        ):
            while position < len(waiting) and waiting[position][0] < at:
                yield waiting[position]
                position += 1
            if position == len(waiting) or waiting[position][0] != at:
                yield at, value
        yield from waiting[position:]

    def estimated_points(self) -> int:
        """Return about how many datapoints there are, at least one; for showing the progress."""
        stored: int = self._db.execute(
            "SELECT count(*) FROM history WHERE datastream IN (SELECT datastreams.id FROM datastreams"
            " JOIN feeds ON feeds.id = feed WHERE owner = ?)",
            (self._pk,),
        ).fetchone()[0]
        return max(1, stored + sum(map(len, self._fresh.values())))

    def _complete_stream(self, row: Row) -> None:
        state = StreamState(*(row[name] for name in _STATE))
        counted: int = self._db.execute(
            "SELECT state_seq FROM datastreams WHERE id = ?", (row["id"],)
        ).fetchone()[0]
        for seq, at, value, arrived, _ in self._fresh.get(row["id"], ()):
            if seq > counted:
                state.take(at, value)
                state.data_at = max(state.data_at, arrived)
        row.update({name: getattr(state, name) for name in _STATE})

    def _complete_feed(self, row: Row) -> None:
        data_at, updated = self._dated.get(row["id"], (0, 0))
        known = self._db.execute(
            "SELECT data_at, updated FROM listed WHERE feed = ?", (row["id"],)
        ).fetchone()
        row["data_at"] = max(known[0], data_at)
        row["updated"] = max(known[1], updated)

    def _complete_trigger(self, row: Row) -> None:
        # Not a number, since it may be another account's datastream, which is not in the archive.
        row["datastream"] = list(
            self._db.execute(
                "SELECT feed, name FROM datastreams WHERE id = ?", (row["datastream"],)
            ).fetchone()
        )


_STATE: Final = ("value", "at", "max_value", "min_value", "data_at")

_COMPLETE: Final = {
    "datastreams": Account._complete_stream,
    "feeds": Account._complete_feed,
    "triggers": Account._complete_trigger,
}


def _spelled(table: Table, name: str, value: Any) -> Any:
    """Return a value as JSON can have it."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    return msgspec.json.decode(value) if name in table.json and value is not None else value


assert set(_COMPLETE) <= {table.name for table in TABLES}
