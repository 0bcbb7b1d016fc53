"""
The one thread that writes, and commits in groups.

Updates wait in a queue. The thread takes all that wait, runs them in one transaction, commits once
(which asks the disk once), and only then tells the reactor's thread that each of them is done. While
the disk works, the next group gathers.

Python runs one thread at a time, and handing over between two costs more than a statement does. So
the queue takes whole batches, and datapoints go into the journal many rows to a statement.

There are two kinds of work. An `Append` adds datapoints to the journal. A `Call` runs any function of
a `Transaction` in a savepoint of its own, so that one that fails harms nobody. They keep their order.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

from txpachube.server.storage.counts import CommitCounts
from txpachube.server.storage.failures import StorageFailed, concerns_everybody, translated
from txpachube.server.storage.quotas import Quotas

__all__ = ["Append", "Call", "Transaction", "Work", "Writer"]

LARGEST_GROUP: Final = 1024
"""Pieces of work in one transaction: bounds how long the first of them waits."""

WATCH_SECONDS: Final = 0.5
"""How often an idle writer looks whether another process changed the database."""

_ROWS_PER_STATEMENT: Final = (256, 32, 4, 1)
_INSERTS: Final = {
    rows: "INSERT INTO journal (seq, datastream, at, value, arrived, through_feed) VALUES "
    + ", ".join(["(?, ?, ?, ?, ?, ?)"] * rows)
    for rows in _ROWS_PER_STATEMENT
}
_COLUMNS: Final = 6


class Transaction:
    """
    What a storage function may use: the connection inside a transaction, and the journal's numbers.

    Attributes:
        execute: runs one statement.
        executemany: runs one statement for many rows.
        seq: the last number given to a row of the journal.
        quotas: what accounts may have; None: nobody is limited.
    """

    def __init__(self, connection: sqlite3.Connection, seq: int = 0, quotas: Quotas | None = None) -> None:
        self.execute = connection.execute
        self.executemany = connection.executemany
        self.seq = seq
        self.quotas = quotas

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
        values: list[int | str] = []
        for seq, (pk, at, value) in enumerate(points, start=first):
            values += (seq, pk, at, value, arrived, through_feed)
        self.insert(values)
        self.seq += len(points)
        return first

    def insert(self, values: list[int | str]) -> None:
        """Add rows to the journal, given as the values of one after the other."""
        begin, left = 0, len(values) // _COLUMNS
        for rows in _ROWS_PER_STATEMENT:
            while left >= rows:
                end = begin + rows * _COLUMNS
                self.execute(_INSERTS[rows], values[begin:end])
                begin, left = end, left - rows


class Work:
    """
    A piece of work; its outcome is read on the reactor's thread, after the commit.

    Attributes:
        done: called on the reactor's thread with the work itself.
        failure: why nothing of it was stored, or None.
        apart: it gets a transaction of its own, so that nobody waits for it who came before, and nobody
            fails with it.
    """

    __slots__ = ("done", "failure")

    done: Callable[[Any], None]
    failure: BaseException | None
    apart: bool


class Append(Work):
    """
    Add datapoints to the journal.

    Attributes:
        points: (datastream row, at, value) in the order in which they count.
        first_seq: the journal number of the first point, once done.
    """

    __slots__ = ("arrived", "first_seq", "points", "through_feed")
    apart = False

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

    __slots__ = ("apart", "arguments", "function", "result")

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        done: Callable[[Call], None],
        apart: bool = False,
    ) -> None:
        self.apart = apart
        self.function = function
        self.arguments = arguments
        self.done = done
        self.result: Any = None
        self.failure = None


def _groups(waiting: list[Work], largest: int) -> Iterator[list[Work]]:
    """Divide what waits into what goes into one transaction each; the order stays."""
    group: list[Work] = []
    for work in waiting:
        if group and (work.apart or group[-1].apart or len(group) == largest):
            yield group
            group = []
        group.append(work)
    if group:
        yield group


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
        monotonic: returns seconds since some moment.
        quotas: what accounts may have; None: nobody is limited.

    Attributes:
        counts: what it has done so far.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        seq: int,
        deliver: _Deliver,
        noticed: Callable[[], None],
        largest_group: int = LARGEST_GROUP,
        monotonic: Callable[[], float] = time.monotonic,
        quotas: Quotas | None = None,
    ) -> None:
        self._connection = connection
        self._transaction = Transaction(connection, seq, quotas)
        self._deliver = deliver
        self._noticed = noticed
        self._largest_group = largest_group
        self._monotonic = monotonic
        self.counts = CommitCounts()
        self._watched = 0.0
        self._queue: SimpleQueue[list[Work] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="txpachube-writer", daemon=True)
        self._ended = False
        self._data_version = 0

    def start(self) -> None:
        """Start the thread."""
        self._data_version = self._read_data_version()
        self._thread.start()

    def submit(self, batch: list[Work]) -> None:
        """
        Put work into the queue, in order; any thread may. The list is the queue's from now on.

        Work that comes after the end fails.
        """
        self._queue.put(batch)
        if self._ended:
            self._refuse_the_rest()

    def stop(self) -> None:
        """Finish what is in the queue and end; `join` waits for that."""
        self._queue.put(None)

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def waiting(self) -> int:
        """Return about how many batches are in the queue."""
        return self._queue.qsize()

    def _run(self) -> None:
        running = True
        while running:
            waiting: list[Work] = []
            try:
                batch = self._queue.get(timeout=WATCH_SECONDS)
                while batch is not None:
                    waiting += batch
                    if len(waiting) >= self._largest_group:
                        break
                    batch = self._queue.get_nowait()
                else:
                    running = False
            except Empty:
                pass
            for group in _groups(waiting, self._largest_group):
                self._commit(group)
                self._deliver(group)
            now = self._monotonic()
            if now - self._watched >= WATCH_SECONDS:
                self._watched = now
                self._watch()
        # In this order: work that is put into the queue from now on is refused by who puts it there.
        self._ended = True
        self._refuse_the_rest()

    def _refuse_the_rest(self) -> None:
        """Let work that came too late fail: who waits for it must not wait for ever."""
        late: list[Work] = []
        try:
            while True:
                late += self._queue.get_nowait() or ()
        except Empty:
            pass
        for work in late:
            work.failure = StorageFailed("the store is closed")
        if late:
            self._deliver(late)

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
        began = self._monotonic()
        changes = self._connection.total_changes
        failed = False
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._perform(group)
            self._connection.execute("COMMIT")
        except BaseException as problem:  # whatever it is, every waiting request must hear of it
            failed = True
            failure = translated(problem)
            if not isinstance(failure, StorageFailed):
                failure = StorageFailed(f"unexpected {type(problem).__name__}")
                failure.__cause__ = problem
            self._transaction.seq = seq
            for work in group:
                work.failure = failure
            self._abandon()
        wrote = self._connection.total_changes != changes
        self.counts.group(len(group), self._monotonic() - began, failed=failed, wrote=wrote)

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
        values: list[int | str] = []
        for work in appends:
            work.first_seq = seq + 1
            arrived, through_feed = work.arrived, work.through_feed
            for pk, at, value in work.points:
                seq += 1
                values += (seq, pk, at, value, arrived, through_feed)
        try:
            self._connection.execute("SAVEPOINT appends")
            transaction.insert(values)
            self._connection.execute("RELEASE appends")
            transaction.seq = seq
        except Exception as problem:
            if concerns_everybody(problem):
                raise
            # One of them can't be stored: find it without harming the others.
            self._connection.execute("ROLLBACK TO appends")
            self._connection.execute("RELEASE appends")
            for work in appends:
                work.first_seq = transaction.seq + 1
                self._alone(work, Transaction.append, (work.points, work.arrived, work.through_feed))

    def _alone(self, work: Work, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._connection.execute("SAVEPOINT work")
        seq = self._transaction.seq
        began = self._monotonic()
        try:
            result = function(self._transaction, *arguments)
        except Exception as problem:
            if concerns_everybody(problem):
                raise
            self._connection.execute("ROLLBACK TO work")
            self._connection.execute("RELEASE work")
            self._transaction.seq = seq
            work.failure = translated(problem)
        else:
            self._connection.execute("RELEASE work")
            if isinstance(work, Call):
                work.result = result
        # What runs another function is known by that one's name.
        named = arguments[0] if arguments and callable(arguments[0]) else function
        self.counts.function(getattr(named, "__name__", "a function"), self._monotonic() - began)
