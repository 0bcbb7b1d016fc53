"""
Backing a data directory up, and putting a backup back.

A backup is one SQLite file with everything the service has stored, the journal included. The account file
of the first start is not in it.

Putting one back happens in an order in which the directory has a whole database at every moment: the backup
is copied beside the database and examined, the write-ahead log of the old database is emptied, the old
database gets a second name in a directory of its own, and the copy takes its place.
"""

from __future__ import annotations

import os
import sqlite3
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

import attrs

from txpachube.server.administration import ADMIN_FILE, DATABASE_FILE
from txpachube.server.storage import accounts
from txpachube.server.storage.copying import Contents, copy_database, examine
from txpachube.server.storage.database import connect, lock
from txpachube.server.storage.failures import AlreadyRunning, StorageFailed, translated
from txpachube.server.wholefile import sync_directory, whole_file
from txpachube.times import format_seconds

__all__ = ["NothingThere", "Restored", "TargetExists", "back_up", "restore"]

_BESIDE: Final = ("-wal", "-shm")


class NothingThere(StorageFailed):
    """There is no database in the data directory."""


class TargetExists(StorageFailed):
    """What would be written is there already."""


@attrs.frozen
class Restored:
    """
    What became of a backup.

    Attributes:
        contents: what is in the database now.
        aside: the directory with what was there before; None when there was nothing.
        account_file_moved: the account file did not fit what is in the database now, and was moved, too.
    """

    contents: Contents
    aside: Path | None
    account_file_moved: bool = False


def back_up(
    data: Path, target: Path, *, replace: bool, progress: Callable[[int, int], None]
) -> tuple[Contents, int]:
    """
    Write everything that is stored into one file, while the service runs or while it does not.

    Args:
        data: the data directory.
        target: the file; it is there when it is whole and was examined, and not before.
        replace: an older file of this name may go.
        progress: gets how many pages are done, and how many there are.

    Returns:
        What is in the file, and how many bytes it has.

    Raises:
        NothingThere: there is no database.
        TargetExists: there is a file of this name.
        StorageFailed: the disk or the database failed, or the copy is not what was copied.
    """
    source = data / DATABASE_FILE
    with _translated(target):
        if not source.exists():
            raise NothingThere(f"there is no database in {data}")
        if target.exists() and target.samefile(source):
            raise TargetExists(f"{target} is the database itself")
        with whole_file(target, replace=replace) as temporary:
            contents = copy_database(source, temporary, progress)
            copied = examine(temporary)
            if copied != contents:
                raise StorageFailed(f"the copy of {source} is not what was copied")
            size = temporary.stat().st_size
    return contents, size


def restore(
    backup: Path, data: Path, now: int, *, replace: bool, progress: Callable[[int, int], None]
) -> Restored:
    """
    Put a backup into a data directory on which no service runs.

    Args:
        backup: a file that `back_up` has written.
        data: the data directory; it is created when it does not exist.
        now: the time in microseconds since 1970, after which the old data is called.
        replace: there may be a database, which is put aside.
        progress: gets how many pages are done, and how many there are.

    Raises:
        NothingThere: there is no such backup.
        AlreadyRunning: a service is running on the directory.
        TargetExists: there is a database, and it may not be replaced.
        DatabaseTooNew: the backup is of a later version.
        StorageFailed: the backup is damaged, or the disk failed; everything is as it was.
    """
    database = data / DATABASE_FILE
    if not backup.is_file():
        raise NothingThere(f"there is no file {backup}")
    with _translated(data):
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if database.exists() and backup.samefile(database):
            raise TargetExists(f"{backup} is the database itself")
        locked = lock(database)
        if locked is None:
            raise AlreadyRunning(f"a service is running on {data}; stop it first")
        try:
            if database.exists() and not replace:
                raise TargetExists(f"there is a database in {data} already")
            with whole_file(database, replace=True) as temporary:
                copy_database(backup, temporary, progress)
                contents = examine(temporary)
                _give_to_owner(temporary, data)
                aside = _put_aside(database, data, now)
            moved = _put_account_file_aside(data, database, aside)
        finally:
            os.close(locked)
    return Restored(contents, aside, moved)


def _put_aside(database: Path, data: Path, now: int) -> Path | None:
    """Give the old database a second name; return the directory in which it is."""
    beside = [database.with_name(database.name + ending) for ending in _BESIDE]
    if not (database.exists() or any(path.exists() for path in beside)):
        return None
    # The last connection to close takes the write-ahead log along. If the database is past opening, the
    # log goes with it as it is.
    with suppress(sqlite3.Error), closing(connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    aside = _new_directory(data, now)
    for path in beside:
        if path.exists():
            os.replace(path, aside / path.name)
    if database.exists():
        try:
            os.link(database, aside / database.name)
        except OSError:  # a file system without links
            os.replace(database, aside / database.name)
    sync_directory(aside)
    return aside


def _new_directory(data: Path, now: int) -> Path:
    moment = format_seconds(now).replace("-", "").replace(":", "")
    name, number = f"before-restore-{moment}", 1
    while (data / name).exists():
        number += 1
        name = f"before-restore-{moment}-{number}"
    path = data / name
    path.mkdir(mode=0o700)
    return path


def _put_account_file_aside(data: Path, database: Path, aside: Path | None) -> bool:
    """Move the account file away if its key opens nothing any more; it would mislead whoever reads it."""
    file = data / ADMIN_FILE
    if aside is None or not file.exists():
        return False
    try:
        text = str(tomllib.loads(file.read_text("utf-8"))["api_key"])
    except (OSError, KeyError, ValueError):
        return False
    with closing(sqlite3.connect(database)) as connection:
        if accounts.find_key(connection, text) is not None:
            return False
    os.replace(file, aside / ADMIN_FILE)
    return True


def _give_to_owner(path: Path, data: Path) -> None:
    """Let the user whose directory it is own a file that root has made there."""
    if os.geteuid() == 0:
        status = data.stat()
        os.chown(path, status.st_uid, status.st_gid)


@contextmanager
def _translated(place: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as problem:
        raise TargetExists(str(problem)) from None
    except (sqlite3.Error, OSError) as problem:
        failure = translated(problem)
        raise type(failure)(f"{place}: {failure}") from problem
