"""Checks of the data directory and the database."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from txpachube.server.administration import DATABASE_FILE, first_start, open_administration
from txpachube.server.checks import data
from txpachube.server.checks.data import Seen
from txpachube.server.storage.database import latest_version, lock

NOW = 1_370_088_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a data directory with an account in it."""
    path = tmp_path / "data"
    first_start(path, lambda: NOW)
    return path


def names(folder: Path) -> set[str]:
    """Return the files of a directory."""
    return {path.name for path in folder.iterdir()}


def test_a_directory_as_the_service_makes_it_is_fine(folder: Path) -> None:
    """And is as it was afterwards: not even the file for the lock is made."""
    (folder / f"{DATABASE_FILE}.lock").unlink(missing_ok=True)
    before = names(folder)
    seen = Seen()
    (here,) = data.directory(folder)
    (sound,) = data.database(folder, seen)
    assert (here.level, sound.level) == ("ok", "ok")
    assert "no service runs on it" in sound.text
    assert seen == Seen(False, 0, (folder / DATABASE_FILE).stat().st_size)
    assert names(folder) == before


def test_what_does_not_exist_yet_is_no_trouble(tmp_path: Path) -> None:
    """The first start makes it."""
    (found,) = data.directory(tmp_path / "absent")
    assert found.level == "note"
    assert list(data.database(tmp_path / "absent", Seen())) == []
    assert list(data.leftovers(tmp_path / "absent")) == []
    assert not (tmp_path / "absent").exists()


def test_what_others_can_read_is_trouble(folder: Path) -> None:
    """With the command that changes it."""
    (folder / DATABASE_FILE).chmod(0o644)
    (found,) = data.directory(folder)
    assert found.level == "ok"  # nobody else comes so far
    folder.chmod(0o755)
    (found,) = data.directory(folder)
    assert (found.level, found.advice) == ("trouble", f"chmod -R go= {folder} {folder / DATABASE_FILE}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_trouble(folder: Path) -> None:
    """As it is left by a command that was run as root."""
    os.chown(folder / DATABASE_FILE, 4711, -1)
    (found,) = data.directory(folder)
    assert found.level == "trouble"
    assert f"{DATABASE_FILE} belongs to 4711" in found.text
    assert found.advice.startswith("chown -R ")


def test_a_running_service_is_seen(folder: Path) -> None:
    """By the lock that it holds; when data came last is noted, too."""
    with open_administration(folder, lambda: NOW) as administration:
        feed = administration.add_feed(1, "Roof", ["wind"])
        administration._txn.append([(feed.streams["wind"].pk, NOW, "3")], NOW + 5, False)
    held = lock(folder / DATABASE_FILE)
    assert held is not None
    seen = Seen()
    (found,) = data.database(folder, seen)
    os.close(held)
    assert "a service runs on it" in found.text
    assert (seen.running, seen.newest) == (True, NOW + 5)


@pytest.mark.parametrize(
    ("change", "level", "text"),
    [
        (f"PRAGMA user_version = {latest_version() + 1}", "trouble", "of a later version"),
        (f"PRAGMA user_version = {latest_version() - 1}", "note", "an earlier version"),
    ],
)
def test_another_version(folder: Path, change: str, level: str, text: str) -> None:
    """A later one does not work, an earlier one will be brought up to date."""
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as database:
        database.execute(change)
    found = list(data.database(folder, Seen()))[-1]
    assert found.level == level
    assert text in found.text


def test_a_damaged_database_is_trouble(folder: Path) -> None:
    """Whether a page is broken or all of it is."""
    database = folder / DATABASE_FILE
    content = bytearray(database.read_bytes())
    content[4096 * 3 : 4096 * 8] = b"\xff" * 4096 * 5
    for broken in (bytes(content), b"rubbish" * 1000):
        database.write_bytes(broken)
        (found,) = data.database(folder, Seen())
        assert found.level == "trouble"
        assert "txpachube restore" in found.advice


def test_copies_that_can_go_are_named(folder: Path) -> None:
    """Of upgrades and of restored backups."""
    assert list(data.leftovers(folder)) == []
    (folder / f"{DATABASE_FILE}.v1-before-v2").write_bytes(bytes(1_000_000))
    (folder / "before-restore-20130601T120000Z").mkdir()
    (folder / "before-restore-20130601T120000Z" / DATABASE_FILE).write_bytes(bytes(500_000))
    (found,) = data.leftovers(folder)
    assert (found.level, "1.5 MB" in found.text) == ("note", True)


def test_the_file_system_is_known() -> None:
    """That of a directory is that of the longest mount point above it."""
    assert data._file_system(Path("/proc/self")) == "proc"
    assert data._file_system(Path("/")) != ""
