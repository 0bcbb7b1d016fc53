"""The disk, asked now and then in a thread: how much room there is, and whether it can be written."""

from __future__ import annotations

import os
from pathlib import Path

import attrs

from txpachube.server.storage.counts import CommitCounts
from txpachube.server.storage.writer import Transaction

__all__ = ["DiskState", "Figures", "look", "try_to_write"]


@attrs.frozen
class DiskState:
    """
    Bytes on the disk.

    Attributes:
        free: that the service may still use.
        database: of the database file.
        log: of the write-ahead log beside it.
    """

    free: int
    database: int
    log: int


@attrs.frozen
class Figures:
    """
    Numbers about a store that cost nothing to read.

    Attributes:
        commits: what the writer counted.
        unsent: pieces of work that go to the writer at the end of this turn of the reactor.
        batches: of work, that wait for the writer.
        reads: that wait for a thread.
        journal_rows: that are to be folded.
        folds: so far.
        fold_seconds: that these took, from the first step to the last, with others' work between them.
    """

    commits: CommitCounts
    unsent: int
    batches: int
    reads: int
    journal_rows: int
    folds: int
    fold_seconds: float


def look(path: Path) -> DiskState:
    """
    Return what is on the disk of a database.

    Raises:
        OSError: the disk does not answer.
    """
    system = os.statvfs(path.parent)
    return DiskState(
        system.f_bavail * system.f_frsize, _size(path), _size(path.with_name(f"{path.name}-wal"))
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def try_to_write(txn: Transaction) -> None:
    """Write a row that changes nothing: whether the disk takes it shows when this is committed."""
    txn.execute("UPDATE counters SET value = value WHERE name = 'journal'")
