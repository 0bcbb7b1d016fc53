"""
Bringing an account in from elsewhere: all of it or nothing, beside a running service.

A history can be longer than anybody would wait for one transaction, so it comes first and in slices. Its
rows belong to numbers of datastreams that were set apart beforehand, and that no datastream has yet: nobody
can see them. Everything else comes last, in one transaction, and with it the datastreams with these
numbers; at this moment the whole account is there. If anything fails before, the numbers are given to the
purge, which is what removes the history of deleted datastreams, too.

The numbers that are set apart stand in the database (as the counters `FIRST` and `LAST`), so what the end of
the process or a power cut leaves behind is found by the next import, or the next start of the service.
Only one import at a time may run on a database; see `import_lock`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from txpachube.server.storage import accounts, feeds, search
from txpachube.server.storage.database import lock
from txpachube.server.storage.exporting import columns_of
from txpachube.server.storage.failures import AlreadyRunning
from txpachube.server.storage.tables import Row, Table
from txpachube.server.storage.writer import Transaction

__all__ = [
    "FIRST",
    "LAST",
    "Incoming",
    "Unfit",
    "abandon",
    "abandon_at_start",
    "add_points",
    "conflicts",
    "import_lock",
    "set_apart",
    "transaction",
]

FIRST: Final = "import first"
"""Name of the counter with the first of the numbers that are set apart."""

LAST: Final = "import last"
"""Name of the counter with the last of them."""


class Unfit(Exception):
    """A row that cannot be in the database; the text says which and why, for people."""


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[Transaction]:
    """Run what is in the block in a transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield Transaction(connection)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def import_lock(path: Path) -> Iterator[None]:
    """
    Be the only one who imports.

    Raises:
        AlreadyRunning: another import is running.
    """
    held = lock(path.with_name(f"{path.name}.import"))
    if held is None:
        raise AlreadyRunning(f"another import is running on {path}")
    try:
        yield
    finally:
        os.close(held)


def set_apart(txn: Transaction, count: int) -> int:
    """Set numbers of datastreams apart; return the first."""
    txn.execute(
        "INSERT INTO sqlite_sequence (name, seq) SELECT 'datastreams', 0 WHERE NOT EXISTS"
        " (SELECT 1 FROM sqlite_sequence WHERE name = 'datastreams')"
    )
    last: int = txn.execute(
        "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'datastreams' RETURNING seq", (count,)
    ).fetchone()[0]
    txn.executemany(
        "INSERT INTO counters (name, value) VALUES (?, ?)", [(FIRST, last - count + 1), (LAST, last)]
    )
    return last - count + 1


def add_points(txn: Transaction, points: Sequence[tuple[int, int, str]]) -> None:
    """Add (datastream row, at, value) to the history."""
    txn.executemany("INSERT OR REPLACE INTO history (datastream, at, value) VALUES (?, ?, ?)", points)


def abandon(connection: sqlite3.Connection) -> bool:
    """
    Remove what an import has left behind that came to no end; the caller has the lock.

    Returns:
        Whether there was anything.
    """
    with transaction(connection) as txn:
        if not _give_to_purge(txn):
            return False
    more = True
    while more:
        with transaction(connection) as txn:
            more = feeds.purge_slice(txn)
    return True


def abandon_at_start(connection: sqlite3.Connection, path: Path) -> None:
    """Have what an import left behind purged, unless it is still running."""
    with suppress(AlreadyRunning), import_lock(path), transaction(connection) as txn:
        _give_to_purge(txn)


def _give_to_purge(txn: Transaction) -> bool:
    numbers = dict(
        txn.execute("SELECT name, value FROM counters WHERE name IN (?, ?)", (FIRST, LAST)).fetchall()
    )
    if not numbers:
        return False
    txn.execute(
        "INSERT OR IGNORE INTO purges (datastream) WITH RECURSIVE n (i) AS (SELECT :first UNION ALL"
        " SELECT i + 1 FROM n WHERE i < :last) SELECT i FROM n",
        {"first": numbers[FIRST], "last": numbers[LAST]},
    )
    txn.execute("DELETE FROM counters WHERE name IN (?, ?)", (FIRST, LAST))
    return True


def conflicts(db: sqlite3.Connection | Transaction, table: Table, row: Row) -> Iterator[str]:
    """Yield what stands in the way of a row."""
    for column, text in table.unique.items():
        make = table.made.get(column)
        value = _stored(table, column, row.get(column), "") if make is None else make(row)
        # Capitals alone tell no logins apart.
        same = "= ? COLLATE NOCASE" if table.name == "users" else "= ?"
        sql = f"SELECT 1 FROM {table.name} WHERE {column} {same}"
        if db.execute(sql, (value,)).fetchone() is not None:
            yield text.format_map(row)


class Incoming:
    """
    Puts the rows of an account into their tables, in one transaction.

    Args:
        txn: the transaction.
        streams: the numbers set apart, by (feed, name) of the datastreams.

    Attributes:
        left_out: what could not be taken along, in words.
    """

    def __init__(self, txn: Transaction, streams: Mapping[tuple[int, str], int]) -> None:
        self.left_out: list[str] = []
        self._txn = txn
        self._streams = streams
        self._numbers: dict[str, dict[int, int]] = {}
        self._seq: int = txn.execute(
            "SELECT max((SELECT value FROM counters WHERE name = 'journal'),"
            " coalesce((SELECT max(seq) FROM journal), 0))"
        ).fetchone()[0]
        self._triggers: set[int] = set()

    def add(self, table: Table, rows: Iterable[Row]) -> int:
        """
        Add the rows of a table; return how many there were.

        Raises:
            Unfit: a row cannot be in the database.
        """
        columns = columns_of(self._txn, table.name)  # type: ignore[arg-type]  # both execute
        count = 0
        for row in rows:
            count += 1
            try:
                self._add(table, columns, row)
            except (KeyError, TypeError, ValueError, IndexError):
                raise Unfit(f"row {count} of {table.name} is incomplete, or of the wrong types") from None
        return count

    def finish(self) -> None:
        """
        Leave notices for a running service, forget that numbers were set apart, and look at it all.

        Raises:
            Unfit: something is not as the service needs it.
        """
        txn = self._txn
        (owner,) = self._numbers["users"].values()
        try:
            keys = accounts.keys_of(txn, owner)
            owned = feeds.feeds_of(txn, owner)
        except (ValueError, TypeError, AttributeError, KeyError, msgspec.DecodeError) as problem:
            raise Unfit(f"a key or a feed is not as it must be: {problem}") from None
        notices = [("key", key.pk) for key in keys] + [("feed", feed.id) for feed in owned]
        notices += [("trigger", number) for number in sorted(self._triggers)]
        txn.executemany("INSERT INTO notices (kind, subject) VALUES (?, ?)", notices)
        txn.execute("DELETE FROM counters WHERE name IN (?, ?)", (FIRST, LAST))
        search.refresh(txn)

    def _add(self, table: Table, columns: Mapping[str, str], row: Row) -> None:
        number = row.get("id")
        values = {name: value for name, value in row.items() if name not in table.made}
        if table.numbered:
            values.pop("id", None)
        if table.name == "datastreams":
            values["id"] = self._streams[values["feed"], values["name"]]
            values["state_seq"] = self._seq
        elif table.name == "triggers":
            stream = self._stream_of(row["datastream"])
            if stream is None:
                self.left_out.append(
                    f"trigger {number}, which watches datastream {row['datastream'][1]} of feed"
                    f" {row['datastream'][0]}, which is not here"
                )
                return
            values["datastream"] = stream
            self._triggers.add(row["id"])
        elif table.name == "attempts" and row.get("trigger_id") not in self._triggers:
            return
        for name, other in table.links.items():
            if values.get(name) is not None and other != "datastreams":
                values[name] = self._numbers.get(other, {}).get(values[name])
                if values[name] is None:
                    raise Unfit(f"a row of {table.name} belongs to one of {other} that is not there")
        for name in [name for name in values if name not in columns]:
            if values.pop(name) is not None:
                raise Unfit(
                    f"a later version has made the archive: {table.name} has {name}, which is unknown here"
                )
        stored = {name: _stored(table, name, value, columns[name]) for name, value in values.items()}
        stored.update({name: make(row) for name, make in table.made.items()})
        try:
            made = self._txn.execute(
                f"INSERT INTO {table.name} ({', '.join(stored)}) VALUES ({', '.join('?' * len(stored))})",
                tuple(stored.values()),
            ).lastrowid
        except sqlite3.IntegrityError as problem:
            raise Unfit(f"a row of {table.name} does not fit: {problem}") from None
        if table.numbered and isinstance(number, int) and made is not None:
            self._numbers.setdefault(table.name, {})[number] = made

    def _stream_of(self, named: Any) -> int | None:
        feed, name = named
        if (feed, name) in self._streams:
            return self._streams[feed, name]
        row = self._txn.execute(
            "SELECT id FROM datastreams WHERE feed = ? AND name = ?", (feed, name)
        ).fetchone()
        return None if row is None else int(row[0])


_FITTING: Final[Mapping[str, tuple[type, ...]]] = {
    "INTEGER": (int, bool),
    "REAL": (int, float),
    "TEXT": (str,),
    "BLOB": (bytes,),
}


def _stored(table: Table, column: str, value: Any, kind: str) -> Any:
    """
    Return a value as the database has it.

    Raises:
        Unfit: it is of another type than the column.
    """
    if value is None:
        return None
    if isinstance(value, dict) and value.keys() == {"hex"} and column not in table.json:
        try:
            value = bytes.fromhex(value["hex"])
        except (ValueError, TypeError):
            raise Unfit(f"{table.name}: {column} is no text of hexadecimal digits") from None
    if column in table.json:
        value = msgspec.json.encode(value).decode()
    if kind and not isinstance(value, _FITTING.get(kind, ())):
        raise Unfit(f"{table.name}: {column} is of the wrong type")
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise Unfit(f"{table.name}: {column} is too large")
    return value
