"""The threads that read: each has a connection of its own, so slow reads don't wait for each other."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from txpachube.server.storage.database import connect_reader
from txpachube.server.storage.failures import StorageFailed, translated

__all__ = ["Readers"]

T = TypeVar("T")

READER_THREADS: Final = 4
"""So many reads run at the same time; the others wait."""


class _Thread(threading.Thread):
    """A thread that may be broken off at any moment, so a store that nobody closed keeps no process alive."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named, daemon=True)


class Readers:
    """
    A pool of threads for reading the database and for other work that would block the reactor.

    Args:
        path: the database file.
        reactor: the reactor whose thread calls, and is called back.
    """

    def __init__(self, path: Path, reactor: IReactorFromThreads) -> None:
        self._path = path
        self._reactor = reactor
        self._pool = ThreadPool(0, READER_THREADS, name="txpachube-readers")
        self._pool.threadFactory = _Thread
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._open = 0

    @property
    def waiting(self) -> int:
        """How many reads wait for a thread."""
        return max(0, self._open - READER_THREADS)

    def start(self) -> None:
        """Start the pool."""
        self._pool.start()

    def stop(self) -> None:
        """Wait for what runs, end the threads and close their connections."""
        self._pool.stop()
        for connection in self._connections:
            connection.close()

    def run(self, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        """
        Run a function in a thread.

        Raises:
            StorageFailed: the disk or the database failed, or the pool is stopped.
        """
        if self._pool.joined:  # it would forget the function without a word
            return fail(StorageFailed("the store is closed"))
        self._open += 1
        running = deferToThreadPool(self._reactor, self._pool, self._translating, function, *arguments)
        return running.addBoth(self._ended)

    def _ended(self, result: Any) -> Any:
        self._open -= 1
        return result

    def read(self, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        """
        Run a storage function in a thread, with a reading connection as its first argument.

        Raises:
            StorageFailed: the disk or the database failed.
        """
        return self.run(self._with_connection, function, *arguments)

    def _with_connection(self, function: Callable[..., T], *arguments: Any) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect_reader(self._path)
            self._connections.append(connection)
        return function(connection, *arguments)

    def _translating(self, function: Callable[..., T], *arguments: Any) -> T:
        try:
            return function(*arguments)
        except (sqlite3.Error, OSError) as problem:
            raise translated(problem) from problem
