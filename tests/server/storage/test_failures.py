"""What SQLite and the system say, in the service's words."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from txpachube.server.storage.failures import (
    Conflict,
    StorageError,
    StorageFailed,
    StorageFull,
    concerns_everybody,
    translated,
)


def raised(sql: str, *values: object) -> sqlite3.Error:
    """Return what SQLite raises."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (x INTEGER PRIMARY KEY, y NOT NULL DEFAULT 0)")
    connection.execute("PRAGMA max_page_count = 3")
    with pytest.raises(sqlite3.Error) as caught:
        connection.execute(sql, values)
    return caught.value


def full() -> sqlite3.Error:
    """Return what SQLite raises when there is no room."""
    return raised("INSERT INTO t VALUES (1, ?)", "x" * 100_000)


def test_a_full_disk_has_a_name_of_its_own() -> None:
    """Whether SQLite or the system finds no room, or the user's share is used up, is the same to a client."""
    for problem in (full(), OSError(errno.ENOSPC, "No space"), OSError(errno.EDQUOT, "Quota")):
        found = translated(problem)
        assert isinstance(found, StorageFull)
        assert str(found) == "the disk is full"


def test_other_failures_are_failures_of_storage() -> None:
    """What else SQLite or the system say is kept as the text."""
    for problem, text in (
        (raised("SELECT nonsense"), "no such column: nonsense"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (OSError("odd"), "the disk failed"),
        (sqlite3.ProgrammingError("closed"), "closed"),
    ):
        found = translated(problem)
        assert type(found) is StorageFailed
        assert str(found) == text


def test_what_is_no_trouble_of_storage_stays_what_it_is() -> None:
    """Other exceptions pass untouched."""
    problem = ValueError()
    assert translated(problem) is problem


def test_the_disk_concerns_everybody_and_a_statement_only_who_sent_it(tmp_path: Path) -> None:
    """One request's impossible values must not fail its neighbours, a broken disk must."""
    locked = sqlite3.connect(tmp_path / "db", timeout=0)
    other = sqlite3.connect(tmp_path / "db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError) as busy:
        locked.execute("CREATE TABLE t (x)")
    other.close()
    locked.close()
    for problem in (full(), busy.value, sqlite3.OperationalError("without a code")):
        assert concerns_everybody(problem)
    for mine in (
        raised("SELECT nonsense"),
        raised("INSERT INTO t VALUES (1, NULL)"),
        raised("SELECT json(?)", "{"),
        ValueError(),
        OverflowError(),
    ):
        assert not concerns_everybody(mine)


def test_a_conflict_says_what_is_taken() -> None:
    """The name that exists already is at hand for the message."""
    assert Conflict("temp").what == str(Conflict("temp")) == "temp"
    assert isinstance(Conflict("temp"), StorageError)
