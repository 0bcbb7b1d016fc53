"""
When the journal is folded, and in what steps.

Folding tens of thousands of rows in one transaction would keep every update waiting that comes
meanwhile, and folding fewer at once would write each page of the history more often. So one fold goes
in many short transactions, with room for others between them: the rows of some datastreams at a
time, then the times of the feeds, and last, when everything is in the history, the journal's rows
are deleted.

Wherever that is interrupted, nothing is lost and nothing is counted twice: the rows are still in
the journal, moving them once more changes nothing, and each datastream's row says as of which
number its state is true.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from txpachube.server.storage import journal
from txpachube.server.storage.memory import Memory

__all__ = ["FOLD_ROWS", "Folder"]

T = TypeVar("T")

FOLD_ROWS: Final = 65_536
"""Journal rows that are folded together. The more, the fewer pages are written for each; a start
after a crash has to read them all, and memory holds them."""

FOLD_SECONDS: Final = 300.0
"""How long a row waits in the journal at the most: after that it is folded even alone."""

SLICE_ROWS: Final = 4096
"""Rows, or feeds, in one transaction of a usual fold: what others wait for."""

FORGOTTEN_PER_MOVED: Final = 4
"""How many rows are deleted from the journal in the time that it takes to move one."""

RETRY_SECONDS: Final = 10.0
"""How long a fold that failed is not tried again: the disk has trouble, and updates may still fit."""


class _Write(Protocol):
    def __call__(self, function: Callable[..., T], *arguments: object) -> Deferred[T]: ...


class Folder:
    """
    Folds the journal when it is long or old.

    Args:
        memory: knows what is in the journal, and the state of everything.
        write: runs a function of a transaction and tells its result.
        clock: tells when a row is old.
        rows: see `FOLD_ROWS`.

    Attributes:
        folds: that have ended well, so far.
        seconds: that these took.
    """

    _log = Logger()

    def __init__(self, memory: Memory, write: _Write, clock: IReactorTime, rows: int) -> None:
        self._memory = memory
        self._write = write
        self._clock = clock
        self._rows = rows
        self.folds = 0
        self.seconds = 0.0
        self._running: Deferred[None] | None = None
        self._not_before = 0.0
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Fold every now and then from now on."""
        self._call = self._clock.callLater(FOLD_SECONDS, self._in_time)

    async def stop(self) -> None:
        """Fold what there is, or what the disk allows, and stop."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        await self.ended()
        self.fold()
        await self.ended()

    def fold_if_long(self) -> None:
        """Begin a fold if the journal is long enough for one."""
        if self._memory.journal_rows >= self._rows and self._clock.seconds() >= self._not_before:
            self.fold()

    def fold(self) -> None:
        """Begin a fold, unless one is under way or there is nothing to fold."""
        if self._running is None and self._memory.journal_rows:
            self._running = Deferred()
            Deferred.fromCoroutine(self._fold())

    async def ended(self) -> None:
        """Wait until no fold is under way."""
        if self._running is not None:
            # Several may wait for one end, and a Deferred is awaited by one of them.
            waiting: Deferred[None] = Deferred()
            self._running.addCallback(waiting.callback)
            await waiting

    def _in_time(self) -> None:
        self.fold()
        self.start()

    async def _fold(self) -> None:
        folding = self._memory.start_folding()
        began = self._clock.seconds()

        def size() -> int:
            # Between two steps others write. If they write more than a step moves, the journal would
            # never get shorter, so the further it is behind, the fewer steps a fold has.
            behind = max(1.0, (folding.rows + self._memory.journal_rows) / self._rows)
            return round(SLICE_ROWS * behind * behind)

        try:
            for part in folding.parts(size):
                await self._write(
                    journal.move,
                    folding.through,
                    part.after,
                    part.upto,
                    part.states(),
                    self._memory.applied_seq,
                )
                part.moved(folding.through)
            feeds = folding.feed_rows()
            while feeds:
                count = size()
                some, feeds = feeds[:count], feeds[count:]
                await self._write(journal.date_feeds, some)
            while await self._write(journal.forget, folding.through, FORGOTTEN_PER_MOVED * size()):
                pass
            self._memory.folded()
            self.folds += 1
            self.seconds += self._clock.seconds() - began
        except Exception as problem:  # whatever it is, the next fold has to do it all
            self._memory.not_folded(folding)
            self._not_before = self._clock.seconds() + RETRY_SECONDS
            self._log.warn("the journal was not folded: {problem}", problem=problem)
        finally:
            running, self._running = self._running, None
            if running is not None:
                running.callback(None)
