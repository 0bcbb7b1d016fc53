"""
Copies of the database, made while others write to it, and the examination of such copies.

A copy is made inside one read transaction: it is the database as of one moment, with what is in the
journal, however many updates are committed meanwhile. In the mode in which the service runs SQLite, a
reader holds up no writer. Only the write-ahead log cannot be emptied until the copy is made.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from txpachube.server.storage.database import BUSY_SECONDS, latest_version, version_of
from txpachube.server.storage.failures import DatabaseTooNew, StorageFailed

__all__ = ["Contents", "Damaged", "copy_database", "examine", "open_existing"]

COPY_PAGES: Final = 1024
"""Pages that are copied between two reports of the progress: 4 MB."""

_TABLES: Final = frozenset({"users", "keys", "feeds", "datastreams", "journal", "history"})


class Damaged(StorageFailed):
    """A file that is no sound database of this program; the text says why."""


@attrs.frozen
class Contents:
    """
    What is in a database.

    Attributes:
        version: of its schema.
        rows: how many rows each table has, by name.
        datapoints: in the journal or the history, or for a while in both.
    """

    version: int
    rows: dict[str, int]
    datapoints: int

    def facts(self) -> dict[str, int]:
        """Return what people want to know of it."""
        rows = self.rows
        return {
            "accounts": rows["users"],
            "keys": rows["keys"],
            "feeds": rows["feeds"],
            "datastreams": rows["datastreams"],
            "datapoints": self.datapoints,
            "triggers": rows.get("triggers", 0),
        }


def copy_database(source: Path, target: Path, progress: Callable[[int, int], None]) -> Contents:
    """
    Copy a database into an empty file, as one file that needs no other beside it.

    Args:
        source: the database; others may write to it meanwhile.
        target: an empty file.
        progress: gets how many pages are done, and how many there are.

    Returns:
        What was in the database at the moment of the copy.

    Raises:
        Damaged: the source is no sound database of this program.
        DatabaseTooNew: it was written by a later version.
        sqlite3.Error: the disk failed.
    """
    origin = open_existing(source)
    try:
        origin.execute("BEGIN")
        contents = _contents(origin, source)
        copy = sqlite3.connect(target, isolation_level=None)
        try:
            copy.execute("PRAGMA synchronous = OFF")  # who gives the file its name sees to that
            _copy_pages(origin, copy, source, progress)
            copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()
    finally:
        origin.close()
    return contents


def _copy_pages(
    origin: sqlite3.Connection, copy: sqlite3.Connection, source: Path, progress: Callable[[int, int], None]
) -> None:
    try:
        origin.backup(
            copy,
            pages=COPY_PAGES,
            progress=lambda _, remaining, total: progress(total - remaining, total),
        )
    except sqlite3.DatabaseError as problem:
        if problem.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CORRUPT:
            raise Damaged(f"{source} is damaged: {problem}") from None
        raise


def examine(path: Path) -> Contents:
    """
    Return what is in a database that nobody uses, after looking at each of its pages.

    Raises:
        Damaged: it is no sound database of this program.
        DatabaseTooNew: it was written by a later version.
    """
    database = open_existing(path)
    try:
        try:
            faults = [text for (text,) in database.execute("PRAGMA integrity_check(3)")]
            orphans = database.execute("PRAGMA foreign_key_check").fetchall()
        except sqlite3.Error as problem:
            raise Damaged(f"{path} is damaged: {problem}") from None
        if faults != ["ok"]:
            raise Damaged(f"{path} is damaged: {'; '.join(faults)}")
        if orphans:
            raise Damaged(f"{path} is damaged: rows of {orphans[0][0]} belong to nothing")
        return _contents(database, path)
    finally:
        database.close()


def open_existing(path: Path) -> sqlite3.Connection:
    """Open a database that is there; it is read only where the file may not be written."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )


def _contents(database: sqlite3.Connection, path: Path) -> Contents:
    try:
        version = version_of(database)
        tables = [
            name
            for (name,) in database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite#_%' ESCAPE '#'"
            )
        ]
        if version > latest_version():
            raise DatabaseTooNew(
                f"{path} has schema version {version}; this program knows versions up to {latest_version()}"
            )
        if not version or not set(tables) >= _TABLES:
            raise Damaged(f"{path} is no database of this program")
        rows = {
            name: int(database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]) for name in tables
        }
        waiting = database.execute(
            "SELECT count(*) FROM (SELECT DISTINCT datastream, at FROM journal AS new"
            " WHERE NOT EXISTS (SELECT 1 FROM history WHERE datastream = new.datastream AND at = new.at))"
        ).fetchone()[0]
    except sqlite3.Error as problem:
        raise Damaged(f"{path} cannot be read: {problem}") from None
    return Contents(version, rows, rows["history"] + waiting)
