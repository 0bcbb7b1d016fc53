"""Backups of a data directory: whole, checked, and put back without losing what was there."""

from __future__ import annotations

import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from txpachube.server import backups
from txpachube.server.administration import ADMIN_FILE, DATABASE_FILE, first_start, open_administration
from txpachube.server.backups import NothingThere, TargetExists, back_up, restore
from txpachube.server.storage import copying
from txpachube.server.storage.copying import Damaged, examine
from txpachube.server.storage.database import connect, latest_version, lock
from txpachube.server.storage.failures import AlreadyRunning, DatabaseTooNew, StorageFailed

NOW = 1_370_088_000_000_000


def quietly(done: int, total: int) -> None:
    """Show nothing."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data directory with an account, a feed, and datapoints in journal and history."""
    path = tmp_path / "data"
    first_start(path, lambda: NOW)
    with open_administration(path, lambda: NOW) as administration:
        owner = administration.find_user("admin")
        assert owner is not None
        feed = administration.add_feed(owner, "Roof", ["wind"], 504)
    pk = feed.streams["wind"].pk
    with closing(connect(path / DATABASE_FILE)) as database:
        database.execute("INSERT INTO history VALUES (?, 1, '3'), (?, 2, '4')", (pk, pk))
        database.execute("INSERT INTO journal VALUES (9, ?, 3, '5', 3, 0)", (pk,))
    return path


@pytest.fixture
def backup(data: Path, tmp_path: Path) -> Path:
    """Return a backup of it."""
    path = tmp_path / "backup"
    back_up(data, path, replace=False, progress=quietly)
    return path


def dump(path: Path) -> list[str]:
    """Return everything in a database."""
    with closing(sqlite3.connect(path)) as database:
        return list(database.iterdump())


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a directory, but for the lock."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}


def test_everything_is_in_a_backup(data: Path, tmp_path: Path) -> None:
    """Journal included; the file needs no other beside it, and is for its owner only."""
    path = tmp_path / "backup"
    found, size = back_up(data, path, replace=False, progress=quietly)
    assert found.facts() == {
        "accounts": 1,
        "keys": 1,
        "feeds": 1,
        "datastreams": 1,
        "datapoints": 3,
        "triggers": 0,
    }
    assert dump(path) == dump(data / DATABASE_FILE)
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_size) == (0o600, size)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["backup", "data"]


def test_a_backup_is_the_state_of_one_moment(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is committed while it is made is not in it, not even in part, and has not to wait for it."""
    monkeypatch.setattr(copying, "COPY_PAGES", 1)
    committed = 0

    def write(done: int, total: int) -> None:
        nonlocal committed
        committed += 1
        with closing(connect(data / DATABASE_FILE)) as database:
            database.execute("UPDATE history SET value = 'later'")
            database.execute("INSERT INTO history VALUES (77, ?, ?)", (committed, "x" * 9000))

    back_up(data, tmp_path / "backup", replace=False, progress=write)
    assert committed > 20
    with closing(sqlite3.connect(tmp_path / "backup")) as database:
        assert database.execute("SELECT value FROM history").fetchall() == [("3",), ("4",)]


def test_the_progress_goes_from_nothing_to_all(data: Path, tmp_path: Path) -> None:
    """Whoever watches sees the end."""
    seen: list[tuple[int, int]] = []
    back_up(data, tmp_path / "backup", replace=False, progress=lambda *step: seen.append(step))
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] > 0


def test_a_copy_that_is_not_what_was_copied_is_no_backup(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that forgets shows at once, and no file is left that pretends to be a backup."""

    def forget(path: Path) -> copying.Contents:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("DELETE FROM history")
        return examine(path)

    monkeypatch.setattr(backups, "examine", forget)
    with pytest.raises(StorageFailed, match="not what was copied"):
        back_up(data, tmp_path / "backup", replace=False, progress=quietly)
    assert [found.name for found in tmp_path.iterdir()] == ["data"]


def test_a_damaged_database_makes_no_backup(data: Path, tmp_path: Path) -> None:
    """Better no new backup than one that cannot be put back."""
    database = data / DATABASE_FILE
    with closing(sqlite3.connect(database)) as connection:
        page: int = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'history'"
        ).fetchone()[0]
    content = bytearray(database.read_bytes())
    content[(page - 1) * 4096 : (page - 1) * 4096 + 100] = b"\xff" * 100
    database.write_bytes(content)
    with pytest.raises(StorageFailed, match=r"damaged|malformed"):
        back_up(data, tmp_path / "backup", replace=False, progress=quietly)
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_where_there_is_no_database_there_is_no_backup(tmp_path: Path, name: str) -> None:
    """And none is made."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingThere, match="there is no database"):
        back_up(tmp_path / name, tmp_path / "backup", replace=False, progress=quietly)
    assert [found.name for found in tmp_path.iterdir()] == ["empty"]


def test_the_database_is_not_overwritten_by_its_own_backup(data: Path) -> None:
    """Whatever the other options say."""
    before = contents(data)
    with pytest.raises(TargetExists, match="is the database itself"):
        back_up(data, data / DATABASE_FILE, replace=True, progress=quietly)
    assert contents(data) == before


def test_a_backup_where_nothing_can_be_written_names_the_place(data: Path, tmp_path: Path) -> None:
    """The text is for the person at the terminal."""
    with pytest.raises(StorageFailed, match=r"absent/backup: No such file or directory"):
        back_up(data, tmp_path / "absent" / "backup", replace=False, progress=quietly)


def test_a_backup_is_put_into_a_new_directory(data: Path, backup: Path, tmp_path: Path) -> None:
    """For its owner only, and exactly as it was."""
    fresh = tmp_path / "fresh"
    restored = restore(backup, fresh, NOW, replace=False, progress=quietly)
    assert (restored.aside, restored.contents.rows["feeds"]) == (None, 1)
    assert dump(fresh / DATABASE_FILE) == dump(data / DATABASE_FILE)
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o700
    assert stat.S_IMODE((fresh / DATABASE_FILE).stat().st_mode) == 0o600


def test_old_data_is_put_aside(data: Path, backup: Path) -> None:
    """With what its write-ahead log had; a second time there is a second directory."""
    writer = connect(data / DATABASE_FILE)
    writer.execute("INSERT INTO history VALUES (77, 1, 'in the log')")
    for name in ("before-restore-20130601T120000Z", "before-restore-20130601T120000Z-2"):
        restored = restore(backup, data, NOW, replace=True, progress=quietly)
        assert restored.aside == data / name
        assert not restored.account_file_moved
    writer.close()
    assert "in the log" not in "".join(dump(data / DATABASE_FILE))
    old = data / "before-restore-20130601T120000Z" / DATABASE_FILE
    assert "in the log" in "".join(dump(old))
    assert (data / ADMIN_FILE).exists()


def test_a_database_past_opening_is_put_aside_as_it_is(data: Path, backup: Path) -> None:
    """That is what backups are for; its log must not be taken for that of the new one."""
    (data / DATABASE_FILE).write_bytes(b"rubbish" * 1000)
    (data / f"{DATABASE_FILE}-wal").write_bytes(b"more of it")
    restored = restore(backup, data, NOW, replace=True, progress=quietly)
    assert restored.aside is not None
    assert contents(restored.aside)[DATABASE_FILE] == b"rubbish" * 1000
    assert not (data / f"{DATABASE_FILE}-wal").exists()
    assert examine(data / DATABASE_FILE).rows["feeds"] == 1


def test_an_account_file_that_opens_nothing_any_more_goes_along(
    data: Path, backup: Path, tmp_path: Path
) -> None:
    """A password that does not fit is worse than none."""
    other = tmp_path / "other"
    first_start(other, lambda: NOW)
    restored = restore(backup, other, NOW, replace=True, progress=quietly)
    assert restored.account_file_moved
    assert restored.aside is not None
    assert (restored.aside / ADMIN_FILE).exists()
    assert not (other / ADMIN_FILE).exists()


@pytest.mark.parametrize("replace", [True, False])
def test_nothing_is_restored_under_a_running_service(data: Path, backup: Path, replace: bool) -> None:
    """A service would go on writing what it holds in memory."""
    held = lock(data / DATABASE_FILE)
    assert held is not None
    before = contents(data)
    with pytest.raises(AlreadyRunning, match="stop it first"):
        restore(backup, data, NOW, replace=replace, progress=quietly)
    assert contents(data) == before


def test_data_is_not_replaced_unasked(data: Path, backup: Path) -> None:
    """Whoever typed the wrong directory loses nothing."""
    before = contents(data)
    with pytest.raises(TargetExists, match="there is a database"):
        restore(backup, data, NOW, replace=False, progress=quietly)
    assert contents(data) == before


def spoil(path: Path, how: str) -> None:
    """Make something of a backup that is none."""
    if how == "half":
        path.write_bytes(path.read_bytes()[:20_000])
    elif how == "rubbish":
        path.write_bytes(b"rubbish" * 1000)
    elif how == "empty":
        path.write_bytes(b"")
    else:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            if how == "another program's":
                database.execute("DROP TABLE feeds")
            elif how == "an orphan":
                database.execute("INSERT INTO waypoints VALUES (9999, 1, 1, 1, NULL)")
            else:
                database.execute(f"PRAGMA user_version = {latest_version() + 1}")


@pytest.mark.parametrize(
    ("how", "failure", "text"),
    [
        ("half", Damaged, r"damaged|cannot be read"),
        ("rubbish", Damaged, "not a database"),
        ("empty", Damaged, "no database of this program"),
        ("another program's", Damaged, "no database of this program"),
        ("an orphan", Damaged, "rows of waypoints belong to nothing"),
        ("the future's", DatabaseTooNew, "knows versions up to"),
    ],
)
def test_what_is_no_sound_backup_is_refused(
    data: Path, backup: Path, how: str, failure: type[Exception], text: str
) -> None:
    """And everything is as it was."""
    spoil(backup, how)
    before = contents(data)
    with pytest.raises(failure, match=text):
        restore(backup, data, NOW, replace=True, progress=quietly)
    assert contents(data) == before


def test_backups_and_the_database_itself_are_told_apart(data: Path, tmp_path: Path) -> None:
    """Restoring the database onto itself is a slip of the fingers, and so is a file that is not there."""
    with pytest.raises(TargetExists, match="is the database itself"):
        restore(data / DATABASE_FILE, data, NOW, replace=True, progress=quietly)
    with pytest.raises(NothingThere, match="there is no file"):
        restore(tmp_path / "absent", data, NOW, replace=True, progress=quietly)


def test_an_end_in_the_middle_leaves_everything_as_it_was(
    data: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the backup is copied or examined changes nothing."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    before = contents(data)
    with pytest.raises(KeyboardInterrupt):
        restore(backup, data, NOW, replace=True, progress=interrupted)
    assert contents(data) == before


def test_a_writer_that_never_rests_does_not_hinder_a_backup(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy does not begin anew with each commit."""
    monkeypatch.setattr(copying, "COPY_PAGES", 1)
    enough = threading.Event()
    begun = threading.Event()

    def write() -> None:
        with closing(connect(data / DATABASE_FILE)) as database:
            at = 0
            while not enough.is_set():
                at += 1
                database.execute("INSERT INTO history VALUES (77, ?, 'x')", (at,))
                begun.set()

    writing = threading.Thread(target=write)
    writing.start()
    steps: list[int] = []

    def watch(done: int, total: int) -> None:
        steps.append(done)

    try:
        assert begun.wait(20)
        back_up(data, tmp_path / "backup", replace=False, progress=watch)
    finally:
        enough.set()
        writing.join()
    assert len(steps) == len(set(steps))
