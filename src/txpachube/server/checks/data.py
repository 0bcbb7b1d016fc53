"""The data: who may read it, and whether the database is sound."""

from __future__ import annotations

import os
import pwd
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import attrs

from txpachube.server.administration import DATABASE_FILE
from txpachube.server.checks.finding import Finding, fine, note, trouble, warning
from txpachube.server.storage.copying import open_existing
from txpachube.server.storage.database import latest_version, lock, version_of

__all__ = ["Seen", "database", "directory", "leftovers"]

NETWORK_SYSTEMS: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs"})
"""File systems over which SQLite's write-ahead log does not work between machines."""


@attrs.define
class Seen:
    """
    What later checks want to know of the database.

    Attributes:
        running: a service has the data directory.
        newest: when data arrived last, in microseconds since 1970; 0 for never.
        size: its bytes.
    """

    running: bool = False
    newest: int = 0
    size: int = 0


def directory(data: Path) -> Iterator[Finding]:
    """Look at the data directory and the files in it."""
    if not data.is_dir():
        yield note("data", f"{data} does not exist", "the first start of the service makes it")
        return
    owner = data.stat().st_uid
    closed = not data.stat().st_mode & 0o077  # then it does not matter what is in it
    open_, foreign = [], []
    for path in [data, *sorted(data.iterdir())]:
        status = path.lstat()
        if not closed and not stat.S_ISLNK(status.st_mode) and status.st_mode & 0o077:
            open_.append(path)
        if status.st_uid != owner:
            foreign.append(path)
    if open_:
        names = " ".join(str(path) for path in open_[:5])
        yield trouble(
            "data",
            f"others can read {open_[0].name}, and there are keys in it",
            f"chmod -R go= {names}",
        )
    if foreign:
        other = _name(foreign[0].lstat().st_uid)
        yield trouble(
            "data",
            f"{foreign[0].name} belongs to {other}, and the directory to {_name(owner)}",
            f"chown -R {_name(owner)} {data}, and run the commands as that user",
        )
    if os.geteuid() not in (0, owner):
        yield warning(
            "data",
            f"{data} belongs to {_name(owner)}, and this is {_name(os.geteuid())}",
            "run this as that user",
        )
    kind = _file_system(data)
    if kind in NETWORK_SYSTEMS:
        yield warning(
            "data",
            f"{data} is on the network ({kind})",
            "keep the data on a disk of this machine: what is there can get lost or damaged",
        )
    if not open_ and not foreign:
        yield fine("data", f"{data} is for {_name(owner)} only")


def database(data: Path, seen: Seen) -> Iterator[Finding]:
    """Look at the database, and note what others want to know of it."""
    path = data / DATABASE_FILE
    if not path.exists():
        return
    try:
        # To make the file for the lock would be a change, and perhaps as another user than the service's.
        held = lock(path) if Path(f"{path}.lock").exists() else None
        seen.running = held is None and Path(f"{path}.lock").exists()
    except OSError as problem:
        yield trouble("database", f"{path}.lock: {problem.strerror}", f"look at who owns {data}")
        return
    if held is not None:
        os.close(held)
    try:
        with closing(open_existing(path)) as db:
            yield from _database(db, path, seen)
    except sqlite3.Error as problem:
        yield trouble("database", f"{path}: {problem}", _RESTORE)


_RESTORE: Final = "stop the service, keep a copy of the directory, and restore a backup: `txpachube restore`"


def _database(db: sqlite3.Connection, path: Path, seen: Seen) -> Iterator[Finding]:
    version = version_of(db)
    faults = [text for (text,) in db.execute("PRAGMA quick_check(3)")]
    if faults != ["ok"]:
        yield trouble("database", f"{path} is damaged: {'; '.join(faults)}", _RESTORE)
        return
    if version > latest_version():
        yield trouble(
            "database",
            f"{path} is of a later version (schema {version}; this program knows {latest_version()})",
            "install that version, or a later one",
        )
        return
    seen.size = path.stat().st_size
    if version:
        seen.newest = max(
            db.execute(f"SELECT coalesce(max(data_at), 0) FROM {_dated(db)}").fetchone()[0],  # noqa: S608 - two names
            db.execute("SELECT coalesce(max(arrived), 0) FROM journal").fetchone()[0],
        )
        counts = [
            db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - two names
            for table in ("users", "feeds")
        ]
        state = "a service runs on it" if seen.running else "no service runs on it"
        yield fine(
            "database",
            f"sound, {seen.size / 1e6:.1f} MB, accounts: {counts[0]}, feeds: {counts[1]}; {state}",
        )
    if 0 < version < latest_version():
        yield note(
            "database",
            f"it is of an earlier version (schema {version}; this program writes {latest_version()})",
            "the next start of the service keeps a copy and brings it up to date",
        )


def _dated(db: sqlite3.Connection) -> str:
    """Return the table that has the times of the data, which is another one in earlier versions."""
    found = db.execute("SELECT name FROM sqlite_master WHERE name = 'listed'").fetchone()
    return "feeds" if found is None else "listed"


def leftovers(data: Path) -> Iterator[Finding]:
    """Look for copies that nobody may need any more."""
    if not data.is_dir():
        return
    old = [path for path in data.iterdir() if path.name.startswith(("before-restore-", f"{DATABASE_FILE}.v"))]
    if old:
        size = sum(
            file.stat().st_size for path in old for file in ([path] if path.is_file() else path.iterdir())
        )
        yield note(
            "copies",
            f"{len(old)} copies of older data take {size / 1e6:.1f} MB",
            f"remove what you don't need: {' '.join(sorted(str(path) for path in old)[:5])}",
        )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _file_system(path: Path) -> str:
    """Return the kind of file system that a directory is on; empty when it cannot be told."""
    try:
        lines = Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    best, kind = "", ""
    for line in lines:
        before, _, behind = line.partition(" - ")
        point = before.split()[4]
        inside = point == "/" or f"{path.absolute()}/".startswith(f"{point}/")
        if inside and len(point) >= len(best):
            best, kind = point, behind.split()[0]
    return kind
