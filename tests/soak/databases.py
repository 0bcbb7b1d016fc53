"""Looks into the files of a database, without the service."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

__all__ = ["DATABASE", "stored_points"]

DATABASE = "pachube.sqlite3"


def stored_points(file: Path) -> Callable[[str, int], str | None]:
    """
    Return what tells the value of a datastream at a moment, in a database that must be sound.

    The names of the datastreams must differ over all feeds.
    """
    connection = sqlite3.connect(file)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        names = dict(connection.execute("SELECT id, name FROM datastreams"))
        rows = [
            *connection.execute("SELECT datastream, at, value FROM history"),
            *connection.execute("SELECT datastream, at, value FROM journal ORDER BY seq"),
        ]
    finally:
        connection.close()
    points = {(names[datastream], at): value for datastream, at, value in rows if datastream in names}
    return lambda name, at: points.get((name, at))
