"""How the file is opened, and how an older one comes up to date."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from txpachube.server.storage import database
from txpachube.server.storage.database import (
    connect,
    connect_reader,
    latest_version,
    lock,
    upgrade,
    version_of,
)
from txpachube.server.storage.failures import DatabaseTooNew

FIRST = (1, "CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('kept');")
SECOND = (2, "-- A comment.\nALTER TABLE notes ADD COLUMN at INTEGER;\nUPDATE notes SET at = 7;")
THIRD = (3, "CREATE TABLE more (x);")
BROKEN = (3, "CREATE TABLE half (x); INSERT INTO nowhere VALUES (1);")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "pachube.sqlite3"


def steps(monkeypatch: pytest.MonkeyPatch, *known: tuple[int, str]) -> None:
    """Let the program know these steps of the schema."""
    monkeypatch.setattr(database, "_steps", lambda: list(known))


def at_version(file: Path, monkeypatch: pytest.MonkeyPatch, *known: tuple[int, str]) -> sqlite3.Connection:
    """Return a connection to a database that a program with these steps has made."""
    steps(monkeypatch, *known)
    connection = connect(file)
    upgrade(connection, file)
    return connection


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_every_file_is_for_its_owner_only(file: Path) -> None:
    """Whatever the umask allows, others can't read keys out of the database or what stands beside it."""
    umask = os.umask(0)
    try:
        connection = connect(file)
        upgrade(connection, file)
        locked = lock(file)
    finally:
        os.umask(umask)
    beside = {found.name: mode(found) for found in file.parent.iterdir()}
    assert beside == {f"{file.name}{end}": 0o600 for end in ("", "-wal", "-shm", ".lock")}
    connection.close()
    assert locked is not None
    os.close(locked)


def test_a_commit_is_on_the_disk_before_it_returns(file: Path) -> None:
    """The settings that a power cut puts to the test."""
    connection = connect(file)
    settings = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint")
    }
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "wal_autocheckpoint": database.CHECKPOINT_PAGES,
    }
    assert not connection.in_transaction
    connection.close()


def test_a_reader_cant_write(file: Path) -> None:
    """A connection for reading changes nothing, not even its own temporary tables."""
    writer = connect(file)
    upgrade(writer, file)
    reader = connect_reader(file)
    assert reader.execute("SELECT count(*) FROM feeds").fetchone() == (0,)
    for sql in ("DELETE FROM feeds", "CREATE TEMP TABLE t (x)"):
        with pytest.raises(sqlite3.OperationalError):
            reader.execute(sql)
    reader.close()
    writer.close()


def test_a_reader_makes_no_file(tmp_path: Path) -> None:
    """Reading a database that is not there is an error, and it is still not there."""
    with pytest.raises(sqlite3.OperationalError):
        connect_reader(tmp_path / "none%20there?.sqlite3")
    assert list(tmp_path.iterdir()) == []


def test_odd_names_of_directories_are_no_trouble(tmp_path: Path) -> None:
    """What means something in a URI stands for itself in a path."""
    folder = tmp_path / "50% #1?mode=rw&x"
    folder.mkdir()
    writer = connect(folder / "db")
    upgrade(writer, folder / "db")
    reader = connect_reader(folder / "db")
    assert version_of(reader) == latest_version()
    reader.close()
    writer.close()


def test_what_is_no_database_is_refused_and_left_alone(file: Path) -> None:
    """A file of another kind is not opened, and nothing in it changes."""
    file.write_bytes(b"something else " * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        connect(file)
    assert file.read_bytes() == b"something else " * 1000


def test_only_one_can_have_the_lock(file: Path) -> None:
    """The lock is free again when who had it closes it."""
    mine = lock(file)
    assert mine is not None
    assert lock(file) is None
    os.close(mine)
    again = lock(file)
    assert again is not None
    os.close(again)


def test_where_there_are_no_locks_it_is_said(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without them is an error of its own, not another service; and no file stays open."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(OSError, match="No locks available"):
        lock(file)
    assert len(os.listdir("/dev/fd")) == before


def test_a_new_database_gets_every_step(file: Path) -> None:
    """The shipped steps are numbered without gaps, and a new file needs no copy."""
    numbers = [number for number, _ in database._steps()]
    assert numbers == list(range(1, latest_version() + 1))
    connection = connect(file)
    assert version_of(connection) == 0
    upgrade(connection, file)
    assert version_of(connection) == latest_version()
    assert {"users", "keys", "feeds", "datastreams", "journal", "history"} <= tables(connection)
    connection.close()
    assert [found.name for found in file.parent.iterdir()] == [file.name]


def test_an_upgrade_keeps_a_copy_of_what_was_there(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is copied, for its owner only, with what is not yet moved out of the log."""
    connection = at_version(file, monkeypatch, FIRST)
    connection.execute("INSERT INTO notes VALUES ('written last')")
    steps(monkeypatch, FIRST, SECOND, THIRD)
    umask = os.umask(0)
    try:
        upgrade(connection, file)
    finally:
        os.umask(umask)
    assert version_of(connection) == 3
    assert connection.execute("SELECT text, at FROM notes").fetchall() == [("kept", 7), ("written last", 7)]
    connection.close()
    copy = file.with_name("pachube.sqlite3.v1-before-v3")
    assert mode(copy) == 0o600
    before = sqlite3.connect(copy)
    assert version_of(before) == 1
    assert before.execute("SELECT * FROM notes").fetchall() == [("kept",), ("written last",)]
    assert before.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    before.close()


def test_a_database_that_is_up_to_date_is_left_alone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No step runs twice, and nothing is copied."""
    connection = at_version(file, monkeypatch, FIRST, SECOND)
    upgrade(connection, file)
    assert connection.execute("SELECT count(*) FROM notes").fetchone() == (1,)
    connection.close()
    assert [found.name for found in file.parent.iterdir()] == [file.name]


def test_a_step_that_fails_leaves_nothing_of_itself(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps before it count, the next try begins with it, and the first copy stays as it was."""
    connection = at_version(file, monkeypatch, FIRST)
    steps(monkeypatch, FIRST, SECOND, BROKEN)
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        upgrade(connection, file)
    connection.close()
    connection = connect(file)
    assert version_of(connection) == 2
    assert tables(connection) == {"notes"}
    steps(monkeypatch, FIRST, SECOND, THIRD)
    upgrade(connection, file)
    assert version_of(connection) == 3
    assert tables(connection) == {"notes", "more"}
    connection.close()
    copies = sorted(found.name for found in file.parent.iterdir() if "before" in found.name)
    assert copies == ["pachube.sqlite3.v1-before-v3", "pachube.sqlite3.v2-before-v3"]
    first = sqlite3.connect(file.with_name(copies[0]))
    assert version_of(first) == 1
    first.close()


def test_a_database_from_the_future_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text says which versions there are, and the file does not change."""
    connection = at_version(file, monkeypatch, FIRST, SECOND)
    steps(monkeypatch, FIRST)
    before = file.read_bytes()
    with pytest.raises(DatabaseTooNew, match=r"schema version 2; this program knows versions up to 1"):
        upgrade(connection, file)
    assert file.read_bytes() == before
    assert version_of(connection) == 2
    connection.close()
    assert [found.name for found in file.parent.iterdir()] == [file.name]
