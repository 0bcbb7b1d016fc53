"""
Moving one account: out into an archive, and in from one.

The file itself is described in `archivefile`, what belongs to an account in `tables`, and how an import is
all or nothing although it is done in slices in `importing`.

What is not taken along: which account made it, the log of its requests, and notifications that wait to be
sent.
"""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib import metadata
from itertools import islice
from pathlib import Path

import attrs

from txpachube.server.administration import DATABASE_FILE, upgrade_unless_running
from txpachube.server.archivefile import (
    FORMAT,
    SLICE,
    VERSION,
    BadArchive,
    Manifest,
    Part,
    Progress,
    ReadArchive,
    open_archive,
    write_history,
    write_manifest,
    write_rows,
)
from txpachube.server.storage import importing
from txpachube.server.storage.copying import open_existing
from txpachube.server.storage.database import connect, version_of
from txpachube.server.storage.exporting import find_account
from txpachube.server.storage.failures import StorageFailed, translated
from txpachube.server.storage.importing import Incoming, Unfit, import_lock, transaction
from txpachube.server.storage.tables import TABLES
from txpachube.server.wholefile import whole_file
from txpachube.times import format_micros, format_seconds

__all__ = ["BadArchive", "Imported", "InTheWay", "NoAccount", "export_account", "import_account"]


class NoAccount(StorageFailed):
    """There is no such account."""


class InTheWay(StorageFailed):
    """
    Something is there already that the archive would bring.

    Attributes:
        conflicts: what, in words.
    """

    def __init__(self, conflicts: list[str]) -> None:
        self.conflicts = conflicts
        super().__init__("; ".join(conflicts))


@attrs.frozen
class Imported:
    """
    What came of an archive.

    Attributes:
        login: of the account.
        rows: how many rows of each kind there were.
        left_out: what could not be taken along, in words.
    """

    login: str
    rows: dict[str, int]
    left_out: list[str]


def export_account(
    data: Path, login: str, target: Path, now: int, *, replace: bool, progress: Progress
) -> dict[str, int]:
    """
    Write everything that belongs to an account into one file, while the service runs or while it does not.

    Args:
        data: the data directory.
        login: of the account.
        target: the file; it is there when it is complete.
        now: the time in microseconds since 1970.
        replace: an older file of this name may go.
        progress: gets how many datapoints are done, and how many there are, more or less.

    Returns:
        How many rows of each kind are in it.

    Raises:
        NoAccount: there is none with this login.
        FileExistsError: there is a file of this name.
        StorageFailed: the disk or the database failed.
    """
    database = data / DATABASE_FILE
    if not database.exists():
        raise NoAccount(f"there is no database in {data}")
    with _translated(target), closing(open_existing(database)) as db:
        db.execute("BEGIN")  # what is committed from now on is not seen
        account = find_account(db, login)
        if account is None:
            raise NoAccount(f"there is no account {login} in {data}")
        with (
            whole_file(target, replace=replace) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            parts = [write_rows(archive, f"{table.name}.jsonl", account.rows(table)) for table in TABLES]
            done, total = 0, account.estimated_points()
            by_feed: dict[int, list[tuple[int, str]]] = {}
            for stream, feed, name in account.streams:
                by_feed.setdefault(feed, []).append((stream, name))
            for feed, streams in by_feed.items():
                rows = (
                    (name, format_micros(at), value)
                    for stream, name in streams
                    for at, value in account.points(stream)
                )
                parts.append(write_history(archive, f"history/{feed}.csv", rows, done, total, progress))
                done += parts[-1].rows
            progress(total, total)
            manifest = Manifest(
                FORMAT,
                VERSION,
                metadata.version("txpachube"),
                version_of(db),
                login,
                format_seconds(now),
                parts,
            )
            write_manifest(archive, manifest)
    return _summary(parts)


def import_account(
    data: Path,
    file: Path,
    clock: Callable[[], int],
    *,
    login: str | None,
    progress: Progress,
) -> Imported:
    """
    Bring an account in, all of it or nothing, while the service runs or while it does not.

    Args:
        data: the data directory; it is created when it does not exist.
        file: what `export_account` has written.
        clock: returns the time in microseconds since 1970.
        login: what the account shall be called; None keeps its name.
        progress: gets how many datapoints are done, and how many there are.

    Raises:
        BadArchive: the file is not what it should be.
        InTheWay: something is there already.
        StorageFailed: the disk or the database failed, or another import is running.
    """
    with _translated(file), open_archive(file) as archive:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = data / DATABASE_FILE
        with import_lock(path), closing(connect(path)) as connection:
            upgrade_unless_running(connection, path)
            importing.abandon(connection)
            try:
                return _import(ReadArchive(archive, login), connection, progress)
            except Unfit as problem:
                raise BadArchive(f"{file}: {problem}") from None
            finally:
                importing.abandon(connection)


def _import(archive: ReadArchive, connection: sqlite3.Connection, progress: Progress) -> Imported:
    found = archive.conflicts(connection)
    if found:
        raise InTheWay(found)
    streams = archive.streams()
    if streams:
        with transaction(connection) as txn:
            first = importing.set_apart(txn, len(streams))
        streams = {stream: first + place for place, stream in enumerate(streams)}
    done, total = 0, max(1, archive.total_points)
    points = archive.points(streams)
    while batch := list(islice(points, SLICE)):
        with transaction(connection) as txn:
            importing.add_points(txn, batch)
        done += len(batch)
        progress(done, total)
    with transaction(connection) as txn:
        found = archive.conflicts(txn)  # somebody may have been faster
        if found:
            raise InTheWay(found)
        incoming = Incoming(txn, streams)
        for table in TABLES:
            incoming.add(table, archive.rows(table))
        incoming.finish()
    progress(total, total)
    return Imported(archive.login, _summary(archive.manifest.parts), incoming.left_out)


def _summary(parts: list[Part]) -> dict[str, int]:
    rows = {part.file.removesuffix(".jsonl"): part.rows for part in parts if part.file.endswith(".jsonl")}
    points = sum(part.rows for part in parts if part.file.startswith("history/"))
    kinds = ("feeds", "datastreams", "waypoints", "keys", "triggers")
    return {**{kind: rows.get(kind, 0) for kind in kinds}, "datapoints": points}


@contextmanager
def _translated(place: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise
    except (sqlite3.Error, OSError) as problem:
        failure = translated(problem)
        raise type(failure)(f"{place}: {failure}") from problem
