"""
How storage fails, in words the rest of the service understands.

::

    StorageError
    ├── StorageFailed         the disk or the database did not do what was asked; nothing was stored
    │   └── StorageFull       because there is no room
    ├── Conflict              what should be new exists already
    ├── Gone                  what should exist was deleted meanwhile
    ├── OverQuota             an account has as many of something as it may have
    ├── DatabaseTooNew        written by a later version of this program
    └── AlreadyRunning        another service has this data directory open
"""

from __future__ import annotations

import errno
import sqlite3

__all__ = [
    "AlreadyRunning",
    "Conflict",
    "DatabaseTooNew",
    "Gone",
    "OverQuota",
    "StorageError",
    "StorageFailed",
    "StorageFull",
    "concerns_everybody",
    "translated",
]


class StorageError(Exception):
    """Base of what storage raises on purpose."""


class StorageFailed(StorageError):
    """The disk or the database failed; nothing of the request was stored."""


class StorageFull(StorageFailed):
    """There is no room left; nothing of the request was stored."""


class Conflict(StorageError):
    """
    What should be new exists already.

    Attributes:
        what: the name that is taken.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)


class Gone(StorageError):
    """What should exist was deleted meanwhile."""


class OverQuota(StorageError):
    """
    An account has as many of something as it may have.

    Attributes:
        what: of which, such as ``feeds``.
        most: how many it may have.
    """

    def __init__(self, what: str, most: int) -> None:
        self.what = what
        self.most = most
        super().__init__(f"This account may have no more than {most} {what}")


class DatabaseTooNew(StorageError):
    """The database was written by a later version; opening it could harm it."""


class AlreadyRunning(StorageError):
    """Another service has this data directory open."""


_OF_ONE_STATEMENT = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE)


def concerns_everybody(problem: Exception) -> bool:
    """Return whether a failure is the disk's or the database's, not that of one statement and its values."""
    code = getattr(problem, "sqlite_errorcode", None)
    return isinstance(problem, sqlite3.OperationalError) and (
        code is None or code & 0xFF not in _OF_ONE_STATEMENT
    )


def translated(problem: BaseException) -> BaseException:
    """Return the storage error for what SQLite or the system raised, or the problem itself."""
    if isinstance(problem, sqlite3.Error):
        code = getattr(problem, "sqlite_errorcode", None)
        if code is not None and code & 0xFF == sqlite3.SQLITE_FULL:
            return StorageFull("the disk is full")
        return StorageFailed(str(problem))
    if isinstance(problem, OSError):
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            return StorageFull("the disk is full")
        return StorageFailed(problem.strerror or "the disk failed")
    return problem
