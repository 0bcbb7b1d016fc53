"""
What a service did to the files of its database, and what a power cut could have left of it.

The service runs under strace, which notes every system call that changes these files, with its data, when it
began and how long it took; nothing between SQLite and the kernel is replaced. `Disk` then plays a machine
that lost its power at some moment:

- what a *finished* ``fsync`` or ``fdatasync`` covered is on the disk;
- of every other write any sectors of 512 bytes may be there and any not, each by itself, so writes are lost,
  torn and out of order; a truncation may have happened or not;
- a file that was made or removed may be there or not until its directory was synced.

The shared memory of the log (``-shm``) is written without system calls; it does not survive a restart and
SQLite makes it anew, so it is left out. What a drive does that lies about having written cannot be seen here.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Final

import attrs
from tests.soak.databases import DATABASE
from tests.soak.services import AllDoors

__all__ = ["Disk", "Event", "RecordedService", "after_the_cut", "read_log"]

SECTOR: Final = 512
ACCOUNT: Final = "admin.toml"
NAMES: Final = (DATABASE, f"{DATABASE}-wal", ACCOUNT)
CALLS: Final = (
    "pwrite64,pwritev,pwritev2,write,writev,fsync,fdatasync,ftruncate,fallocate,openat,unlink,unlinkat,rename,"
    "renameat,renameat2"
)
LINE: Final = re.compile(r"^([\d.]+) (\w+)\((.*)\) += (-?\d+)(.*) <([\d.]+)>$")
ON_FILE: Final = re.compile(r"^\d+<([^>]*)>(?:, (.*))?$", re.DOTALL)
WAYS: Final = (0.0, 0.1, 0.5, 0.9, 1.0)
"""How likely a sector is there that need not be: a disk may be quick or slow."""


class RecordedService(AllDoors):
    """
    A service under strace.

    Attributes:
        log: where strace writes, a file for each thread.
    """

    def __init__(self, data: Path, log: Path, odd: Mapping[str, str] | None = None) -> None:
        log.mkdir()
        self.recorded = log
        strace = shutil.which("strace") or "strace"
        options = (
            "-ff",
            "--seccomp-bpf",
            "-qq",
            "-ttt",
            "-T",
            "-y",
            "-xx",
            "-s",
            "70000",
            "-e",
            "signal=none",
        )
        super().__init__(data, odd, (strace, *options, "-e", f"trace={CALLS}", "-o", str(log / "of")))

    def stop(self) -> int:
        """Tell the service, which is the child of our child, to finish."""
        assert self.process is not None
        pid = self.process.pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(child), signal.SIGTERM)
        return self._ended()


@attrs.frozen
class Event:
    """
    A system call.

    Attributes:
        began: seconds since 1970.
        ended: likewise.
        kind: ``write``, ``truncate``, ``sync``, ``create``, ``remove`` or ``sync-directory``.
        name: of the file.
        data: that was written.
        offset: where it was written, or the length it was cut to.
    """

    began: float
    ended: float
    kind: str
    name: str
    data: bytes = b""
    offset: int = 0


def _text(hexadecimal: str) -> bytes:
    return bytes.fromhex(hexadecimal.strip('"').replace("\\x", ""))


def _event(line: str, folder: Path) -> Event | None:
    """Return what a line of strace says about the files of the database, if it does."""
    matched = LINE.match(line)
    if matched is None:
        assert not line or line.endswith("?") or "= ?" in line or "+++" in line, line[:200]
        return None
    began, call, arguments, result, _, took = matched.groups()
    moments = float(began), float(began) + float(took)
    if int(result) < 0:
        return None
    if call in ("openat", "unlink", "unlinkat", "rename", "renameat", "renameat2"):
        for text in re.findall(r'"[^"]*"', arguments):
            path = Path(_text(text).decode())
            if path.parent == folder and path.name in NAMES:
                assert not call.startswith("rename"), line
                if call.startswith("unlink"):
                    return Event(*moments, "remove", path.name)
                if "O_CREAT" in arguments:
                    return Event(*moments, "create", path.name)
        return None
    on_file = ON_FILE.match(arguments)
    if on_file is None:
        return None
    # With -xx the paths of descriptors are hexadecimal as well.
    path = Path(_text(on_file[1]).decode() if on_file[1].startswith("\\x") else on_file[1])
    if path == folder and call in ("fsync", "fdatasync"):
        return Event(*moments, "sync-directory", "")
    if path.parent != folder or path.name not in NAMES:
        return None
    if call in ("fsync", "fdatasync"):
        return Event(*moments, "sync", path.name)
    rest = on_file[2]
    if call == "ftruncate":
        return Event(*moments, "truncate", path.name, offset=int(rest))
    if path.name == ACCOUNT:
        assert call == "write"
        rest += ", 0"  # it is written at once
    else:
        assert call == "pwrite64", f"SQLite is not known to use {call}"
    text, length, offset = rest.rsplit(", ", 2)
    data = _text(text)
    assert len(data) == int(length) == int(result)
    return Event(*moments, "write", path.name, data, int(offset))


def read_log(recorded: Path, folder: Path) -> list[Event]:
    """Return what was done to the database in a folder, in the order in which it began."""
    events = []
    for file in recorded.iterdir():
        for line in file.read_text("ascii").splitlines():
            if (event := _event(line, folder)) is not None:
                events.append(event)
    return sorted(events, key=lambda event: event.began)


class _File:
    """
    A file as it is on the disk for certain, and what may have come to it.

    Attributes:
        certain: its bytes.
        pending: writes and truncations since the last sync, with when each began.
        certainly_there: whether its name is in the directory; None: nobody knows.
    """

    def __init__(self) -> None:
        self.certain = bytearray()
        self.pending: list[Event] = []
        self.there = False
        self.certainly_there: bool | None = False

    def sync(self, began: float) -> None:
        for event in self.pending:
            if event.ended <= began:
                _apply(self.certain, event)
        self.pending = [event for event in self.pending if event.ended > began]


def _apply(content: bytearray, event: Event) -> None:
    if event.kind == "truncate":
        content[event.offset :] = b""
        content.extend(bytes(event.offset - len(content)))
        return
    content.extend(bytes(max(0, event.offset - len(content))))
    content[event.offset : event.offset + len(event.data)] = event.data


def _apply_torn(content: bytearray, event: Event, likely: float, random: Random) -> None:
    if event.kind == "truncate":
        if random.random() < likely:
            _apply(content, event)
        return
    first = event.offset // SECTOR
    last = (event.offset + len(event.data) - 1) // SECTOR
    for sector in range(first, last + 1):
        if random.random() < likely:
            begin = max(event.offset, sector * SECTOR)
            end = min(event.offset + len(event.data), (sector + 1) * SECTOR)
            piece = event.data[begin - event.offset : end - event.offset]
            _apply(content, attrs.evolve(event, data=piece, offset=begin))


class Disk:
    """A disk on which things happen, and which can lose its power at any moment."""

    def __init__(self, events: list[Event]) -> None:
        self._events = events
        self._files = {name: _File() for name in NAMES}

    def cuts(self, moments: list[float]) -> Iterator[tuple[float, dict[str, _File]]]:
        """Go through what happened, and stop at each of the moments, which must ascend."""
        place = 0
        waiting: list[Event] = []  # syncs that have begun
        for moment in moments:
            while place < len(self._events) and self._events[place].began <= moment:
                event = self._events[place]
                place += 1
                self._finish(waiting, event.began)
                if event.kind.startswith("sync"):
                    waiting.append(event)
                else:
                    self._happens(event)
            self._finish(waiting, moment)
            yield moment, self._files

    def _happens(self, event: Event) -> None:
        file = self._files[event.name]
        if event.kind in ("create", "remove"):
            there = event.kind == "create"
            if file.there != there:
                file.there = there
                file.certainly_there = None
        else:
            file.pending.append(event)

    def _finish(self, waiting: list[Event], now: float) -> None:
        for event in [event for event in waiting if event.ended <= now]:
            waiting.remove(event)
            if event.kind == "sync":
                self._files[event.name].sync(event.began)
            else:
                for file in self._files.values():
                    file.certainly_there = file.there


def after_the_cut(files: Mapping[str, _File], folder: Path, random: Random) -> None:
    """Put into a folder what a disk may have of files that were in the middle of things."""
    likely = random.choice(WAYS)
    for name, file in files.items():
        there = file.certainly_there
        if there is None:
            there = random.random() < 0.5
        if not there:
            continue
        content = bytearray(file.certain)
        pending = list(file.pending)
        if random.random() < 0.5:  # with writes in another order the older of two may win
            random.shuffle(pending)
        for event in pending:
            _apply_torn(content, event, likely, random)
        (folder / name).write_bytes(content)
