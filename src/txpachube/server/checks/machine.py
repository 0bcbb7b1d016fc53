"""The machine: versions, the clock, open files, the disk and how quickly it writes."""

from __future__ import annotations

import ctypes
import os
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from txpachube.server.checks.finding import Finding, fine, trouble, warning
from txpachube.times import SECOND, format_seconds, parse

__all__ = ["clock", "disk", "existing", "files", "is_synchronised", "sync", "versions"]

OLDEST_PYTHON: Final = (3, 11)
OLDEST_SQLITE: Final = (3, 35, 0)
"""The first with RETURNING."""

BUILT: Final = parse("2026-01-01T00:00:00Z")
"""No clock that is right is before this program was written."""

CLOCK_SLACK: Final = 5 * 60 * SECOND
"""How far a clock may be behind the newest data before somebody has to look at it."""

FEW_FILES: Final = 4096
"""Below so many open files, which connections are, the limits of the doors mean nothing."""

LITTLE_ROOM: Final = 1_000_000_000
NO_ROOM: Final = 100_000_000
"""Bytes of the disk; the second are less than the write-ahead log, a fold and a copy can need."""

FEW_INODES: Final = 1_000

SYNC_TRIES: Final = 9
SLOW_SYNC: Final = 0.1
"""Seconds to have a page on the disk; a good SD card takes 0.01, and each update waits for one."""

_ERROR: Final = 5  # of adjtimex: the clock is not synchronised


def versions() -> Iterator[Finding]:
    """Look at the versions of Python and SQLite."""
    python = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        yield trouble("python", f"Python {python} is too old", "install Python 3.11 or later")
    else:
        yield fine("python", f"Python {python}")
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        yield trouble(
            "sqlite",
            f"SQLite {sqlite3.sqlite_version} is too old",
            "install a Python with SQLite 3.35 or later",
        )
    else:
        yield fine("sqlite", f"SQLite {sqlite3.sqlite_version}")


def clock(now: int, newest: int, synchronised: bool | None) -> Iterator[Finding]:
    """
    Look at the clock.

    Args:
        now: what it says, in microseconds since 1970.
        newest: when data arrived last, by what it said then; 0 for never.
        synchronised: what the system says of it; None when it says nothing.
    """
    said = format_seconds(max(now, 0))
    set_it = "set the clock, with `timedatectl set-ntp true` where there is systemd"
    if now < BUILT:
        yield trouble("clock", f"the clock says {said}, which cannot be", set_it)
    elif now < newest - CLOCK_SLACK:
        yield trouble(
            "clock",
            f"the clock says {said}, and data has come at {format_seconds(newest)} already",
            f"{set_it}; if it was ahead before, what was written then stays current until that time",
        )
    elif synchronised is False:
        yield warning("clock", f"the clock says {said}, and nobody keeps it right", set_it)
    else:
        yield fine("clock", f"the clock says {said}")


def is_synchronised() -> bool | None:
    """Return whether the system keeps the clock right by the network; None when it doesn't say."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _ERROR


def files(most: int | None = None) -> Iterator[Finding]:
    """Look at how many files the service may have open."""
    if most is None:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most not in (-1, resource.RLIM_INFINITY) and most < FEW_FILES:
        yield warning(
            "open files",
            f"a process may have {most} files open, connections included",
            "raise it: LimitNOFILE= in the unit, or nofile in /etc/security/limits.conf",
        )
    else:
        yield fine("open files", "a process may have enough files open")


def existing(path: Path) -> Path:
    """Return the directory, or the one nearest above it that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())


def disk(path: Path, need: int = 0) -> Iterator[Finding]:
    """
    Look at the room on the disk.

    Args:
        path: the data directory.
        need: bytes of the database, which an upgrade copies.
    """
    state = os.statvfs(existing(path))
    free = state.f_bavail * state.f_frsize
    text = f"{free / 1e9:.1f} GB are free where the data is"
    if free < NO_ROOM:
        yield trouble(
            "disk", text, "make room: the service answers 503 to every update when the disk is full"
        )
    elif free < max(LITTLE_ROOM, need):
        yield warning("disk", text, "make room, or keep less: `txpachube feed size` says what takes it")
    else:
        yield fine("disk", text)
    if state.f_files and state.f_favail < FEW_INODES:
        yield trouble(
            "disk", f"only {state.f_favail} more files can be made there", "remove files you don't need"
        )


def sync(path: Path) -> Iterator[Finding]:
    """Look at how long the disk takes until a page is written for good."""
    try:
        with tempfile.TemporaryFile(dir=path) as file:
            taken = []
            for _ in range(SYNC_TRIES):
                begun = time.perf_counter()
                file.write(bytes(4096))
                file.flush()
                os.fsync(file.fileno())
                taken.append(time.perf_counter() - begun)
    except OSError as problem:
        yield trouble(
            "disk speed",
            f"nothing can be written to {path}: {problem.strerror}",
            "run this as the user that the service runs as, or give the directory to that user",
        )
        return
    middle = statistics.median(taken)
    text = f"the disk takes {middle * 1000:.1f} ms to write something for good"
    if middle > SLOW_SYNC:
        yield warning(
            "disk speed",
            text,
            "updates that come together share one such write, so many devices are no trouble, but each waits"
            " so long; a disk of another kind would help",
        )
    else:
        yield fine("disk speed", text)
