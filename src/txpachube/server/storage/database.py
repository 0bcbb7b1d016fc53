"""
The SQLite file: how it is opened, and how its schema comes up to date.

The schema is the numbered SQL files in ``schema/``; the database remembers in ``user_version``
which of them it has seen. An upgrade copies the database first and runs one transaction a file.
A database from the future is refused: an old program could harm it.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from importlib import resources
from pathlib import Path
from typing import Final

from txpachube.server.storage.failures import DatabaseTooNew

__all__ = [
    "BUSY_SECONDS",
    "LOCK_PAUSE",
    "LOCK_TRIES",
    "connect",
    "connect_reader",
    "latest_version",
    "lock",
    "upgrade",
    "version_of",
]

BUSY_SECONDS: Final = 30.0
"""How long to wait for another process (the command line, a backup) to finish its transaction."""

LOCK_TRIES: Final = 50
"""How often to try for the lock: an upgrade by another process keeps it for a moment, a running
service for good."""

LOCK_PAUSE: Final = 0.02
"""Seconds between two tries for the lock."""

PAGE_CACHE_KIB: Final = 8 * 1024
"""Memory each connection may use for pages; with it a thousand datastreams' newest pages stay warm."""

CHECKPOINT_PAGES: Final = 4_000
"""Pages in the write-ahead log before they move to the database file: 16 MB, so that a page that
changes with every commit moves rarely."""


def connect(path: Path) -> sqlite3.Connection:
    """
    Open the database for writing, creating it for its owner only.

    Every commit is on the disk before it returns (``synchronous=FULL``): what is acknowledged
    survives a power cut. Transactions are begun and ended by the caller.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _use_log(connection)
        for pragma in (
            "synchronous = FULL",
            "foreign_keys = ON",
            f"cache_size = -{PAGE_CACHE_KIB}",
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _use_log(connection: sqlite3.Connection) -> None:
    # Of several processes that make a new database together, SQLite lets one turn the log on and
    # refuses the others at once, however long they are ready to wait.
    for tries_left in reversed(range(LOCK_TRIES)):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as problem:
            if not tries_left or problem.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
        time.sleep(LOCK_PAUSE)  # in a thread of its own, or on the command line


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open the database for reading only."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{PAGE_CACHE_KIB}")
    return connection


def lock(path: Path) -> int | None:
    """
    Take the lock that a running service holds on its database.

    Returns:
        An open file; closing it gives the lock back. None when another process has it.
    """
    file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException as problem:
        os.close(file)
        if isinstance(problem, BlockingIOError):
            return None
        raise
    return file


def _steps() -> list[tuple[int, str]]:
    folder = resources.files("txpachube.server.storage") / "schema"
    return sorted(
        (int(file.name.split("_")[0]), file.read_text("utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    )


def latest_version() -> int:
    """Return the schema version this program writes."""
    return _steps()[-1][0]


def version_of(connection: sqlite3.Connection) -> int:
    """Return the schema version of a database; 0 when it is empty."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """
    Bring the schema up to date, keeping a copy of what was there.

    The copy is ``NAME.vM-before-vN`` beside the database, M being the version it had and N the one it
    is upgraded to. (With both, an upgrade that failed half-way and is tried again keeps the first copy.)
    Only one process at a time may upgrade: see `lock`.

    Raises:
        DatabaseTooNew: the database has a version this program does not know.
    """
    version = version_of(connection)
    steps = _steps()
    latest = steps[-1][0]
    if version > latest:
        raise DatabaseTooNew(
            f"{path} has schema version {version}; this program knows versions up to {latest}. "
            "Install the version of txpachube that wrote it, or a later one."
        )
    if 0 < version < latest:
        _copy(connection, path.with_name(f"{path.name}.v{version}-before-v{latest}"))
    for number, script in steps:
        if number > version:
            # executescript would commit an open transaction first, so the script carries its own.
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")


def _copy(connection: sqlite3.Connection, target: Path) -> None:
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
    copy = sqlite3.connect(target)
    try:
        connection.backup(copy)
    finally:
        copy.close()
