"""
Files that are either there and whole, or not there.

What is written goes to a temporary file beside the place where it shall be, for its owner only. It gets
its name when it is complete and on the disk; whatever happens before that, a power cut included, nobody
takes half a file for a whole one.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["sync_directory", "whole_file"]


@contextmanager
def whole_file(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """
    Give a file its name when it is complete.

    Yields:
        The name of an empty file to write to. What SQLite leaves beside it is removed as well.

    Raises:
        FileExistsError: there is a file with this name, and ``replace`` is false.
        OSError: the directory does not exist, or the disk failed.
    """
    if not replace and os.path.lexists(path):
        raise FileExistsError(f"{path} exists already")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield temporary
        _sync(temporary)
        if replace:
            os.replace(temporary, path)
        else:
            _name(temporary, path)
        sync_directory(path.parent)
    finally:
        for ending in ("", "-journal", "-wal", "-shm"):
            temporary.with_name(temporary.name + ending).unlink(missing_ok=True)


def _name(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)  # which never replaces a file that came meanwhile
    except FileExistsError:
        raise FileExistsError(f"{path} exists already") from None
    except OSError:  # a file system without links
        os.replace(temporary, path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Have the names in a directory on the disk, where the system knows how to do that."""
    with suppress(OSError):
        _sync(path)
