"""
The one thread that writes, and commits in groups.

Updates wait in a queue. The thread takes all that wait, runs them in one transaction, commits once
(which asks the disk once), and only then tells the reactor's thread that each of them is done. While
the disk works, the next group gathers.

There are two kinds of work. An `Append` adds datapoints to the journal; all of a group go in with
one statement. A `Call` runs any function of a `Transaction` in a savepoint of its own, so that one
that fails harms nobody. They keep their order.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

from txpachube.server.storage.failures import StorageFailed, translated

__all__ = ["Append", "Call", "Transaction", "Work", "Writer"]

LARGEST_GROUP: Final = 1024
"""Pieces of work in one transaction: bounds how long the first of them waits."""

WATCH_SECONDS: Final = 0.5
"""How often an idle writer looks whether another process changed the database."""

_INSERT: Final = (
    "INSERT INTO journal (seq, datastream, at, value, arrived, through_feed) VALUES (?, ?, ?, ?, ?, ?)"
)


class Transaction:
    """
    What a storage function may use: the connection inside a transaction, and the journal's numbers.

    Attributes:
        execute: runs one statement.
        executemany: runs one statement for many rows.
        seq: the last number given to a row of the journal.
    """

    def __init__(self, connection: sqlite3.Connection, seq: int = 0) -> None:
        self.execute = connection.execute
        self.executemany = connection.executemany
        self.seq = seq

    def append(self, points: Sequence[tuple[int, int, str]], arrived: int, through_feed: bool) -> int:
        """
        Add datapoints to the journal.

        Args:
            points: (datastream row, at, value) in the order in which they count.
            arrived: arrival time of the request that brought them.
            through_feed: whether it was a PUT on the feed.

        Returns:
            The number of the first row; the others follow it without gaps.
        """
        first = self.seq + 1
        self.executemany(
            _INSERT,
            [
                (seq, pk, at, value, arrived, through_feed)
                for seq, (pk, at, value) in enumerate(points, start=first)
            ],
        )
        self.seq += len(points)
        return first


class Work:
    """
    A piece of work; its outcome is read on the reactor's thread, after the commit.

    Attributes:
        done: called on the reactor's thread with the work itself.
        failure: why nothing of it was stored, or None.
    """

    __slots__ = ("done", "failure")

    done: Callable[[Any], None]
    failure: BaseException | None


class Append(Work):
    """
    Add datapoints to the journal.

    Attributes:
        points: (datastream row, at, value) in the order in which they count.
        first_seq: the journal number of the first point, once done.
    """

    __slots__ = ("arrived", "first_seq", "points", "through_feed")

    def __init__(
        self,
        points: Sequence[tuple[int, int, str]],
        arrived: int,
        through_feed: bool,
        done: Callable[[Append], None],
    ) -> None:
        self.points = points
        self.arrived = arrived
        self.through_feed = through_feed
        self.done = done
        self.first_seq = 0
        self.failure = None


class Call(Work):
    """
    Run a function of a transaction.

    Attributes:
        result: what the function returned, once done.
    """

    __slots__ = ("arguments", "function", "result")

    def __init__(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], done: Callable[[Call], None]
    ) -> None:
        self.function = function
        self.arguments = arguments
        self.done = done
        self.result: Any = None
        self.failure = None


class _Deliver(Protocol):
    def __call__(self, group: list[Work]) -> None: ...


class Writer:
    """
    The writing thread.

    Args:
        connection: the writing connection; nobody else may use it while the thread runs.
        seq: the last number the journal gave away.
        deliver: called in the thread with each finished group; must hand it to the reactor's thread.
        noticed: called in the thread, without a transaction open, when another process has changed
            the database.
        largest_group: pieces of work in one transaction; 1 commits each update alone.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        seq: int,
        deliver: _Deliver,
        noticed: Callable[[], None],
        largest_group: int = LARGEST_GROUP,
    ) -> None:
        self._connection = connection
        self._transaction = Transaction(connection, seq)
        self._deliver = deliver
        self._noticed = noticed
        self._largest_group = largest_group
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="txpachube-writer", daemon=True)
        self._data_version = 0

    def start(self) -> None:
        """Start the thread."""
        self._data_version = self._read_data_version()
        self._thread.start()

    def submit(self, work: Work) -> None:
        """Put a piece of work into the queue; any thread may."""
        self._queue.put(work)

    def stop(self) -> None:
        """Finish what is in the queue and end; `join` waits for that."""
        self._queue.put(None)

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def waiting(self) -> int:
        """Return about how much work is in the queue."""
        return self._queue.qsize()

    def _run(self) -> None:
        running = True
        while running:
            group: list[Work] = []
            try:
                work = self._queue.get(timeout=WATCH_SECONDS)
                while work is not None:
                    group.append(work)
                    if len(group) >= self._largest_group:
                        break
                    work = self._queue.get_nowait()
                else:
                    running = False
            except Empty:
                pass
            if group:
                self._commit(group)
                self._deliver(group)
            self._watch()

    def _watch(self) -> None:
        try:
            version = self._read_data_version()
        except sqlite3.Error:
            return
        if version != self._data_version:
            self._data_version = version
            self._noticed()

    def _read_data_version(self) -> int:
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    def _commit(self, group: list[Work]) -> None:
        seq = self._transaction.seq
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._perform(group)
            self._connection.execute("COMMIT")
        except BaseException as problem:  # whatever it is, every waiting request must hear of it
            failure = translated(problem)
            if not isinstance(failure, StorageFailed):
                failure = StorageFailed(f"unexpected {type(problem).__name__}")
                failure.__cause__ = problem
            self._transaction.seq = seq
            for work in group:
                work.failure = failure
            self._abandon()

    def _abandon(self) -> None:
        # SQLite has ended the transaction itself after some errors, not after others.
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            pass

    def _perform(self, group: list[Work]) -> None:
        appends: list[Append] = []
        for work in group:
            if type(work) is Append:
                appends.append(work)
                continue
            if appends:
                self._append_all(appends)
                appends = []
            assert isinstance(work, Call)
            self._alone(work, work.function, work.arguments)
        if appends:
            self._append_all(appends)

    def _append_all(self, appends: list[Append]) -> None:
        transaction = self._transaction
        seq = transaction.seq
        rows = []
        for work in appends:
            work.first_seq = seq + 1
            arrived, through_feed = work.arrived, work.through_feed
            for pk, at, value in work.points:
                seq += 1
                rows.append((seq, pk, at, value, arrived, through_feed))
        try:
            self._connection.execute("SAVEPOINT appends")
            self._connection.executemany(_INSERT, rows)
            self._connection.execute("RELEASE appends")
            transaction.seq = seq
        except sqlite3.OperationalError:
            raise  # the disk: it concerns the whole group
        except Exception:  # one of them can't be stored; find it without harming the others
            self._connection.execute("ROLLBACK TO appends")
            self._connection.execute("RELEASE appends")
            for work in appends:
                work.first_seq = transaction.seq + 1
                self._alone(work, Transaction.append, (work.points, work.arrived, work.through_feed))

    def _alone(self, work: Work, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._connection.execute("SAVEPOINT work")
        seq = self._transaction.seq
        try:
            result = function(self._transaction, *arguments)
        except sqlite3.OperationalError:
            raise
        except Exception as problem:  # the caller gets it, whatever it is
            self._connection.execute("ROLLBACK TO work")
            self._connection.execute("RELEASE work")
            self._transaction.seq = seq
            work.failure = translated(problem)
        else:
            self._connection.execute("RELEASE work")
            if isinstance(work, Call):
                work.result = result
