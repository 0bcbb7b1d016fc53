"""
Is the service well? What ``/health`` answers.

*Alive* is whoever answers at all. *Ready* is a service that can do what it is there for: the last group of
updates that had something to write was committed, and there is room for more. The disk is looked at
every few seconds in a thread, so a question costs nothing, and when the disk itself hangs, the question is
still answered: with a look that is too old.

After a commit that failed nobody may come with another update, because a balancer turns them all away.
So as long as the last one failed, something is written now and then that changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txpachube.server.storage.database import latest_version
from txpachube.server.storage.disk import DiskState
from txpachube.server.storage.store import Store

__all__ = ["MIN_FREE", "Health", "HealthState"]

LOOK_SECONDS: Final = 5.0
"""Between two looks at the disk."""

OLDEST_LOOK: Final = 60.0
"""Seconds after which a look says nothing any more: a disk that does not answer for so long hangs."""

MIN_FREE: Final = 32 * 1024 * 1024
"""Bytes that must be free: twice the size that the write-ahead log grows to before it is emptied."""


@attrs.frozen
class HealthState:
    """
    How the service is.

    Attributes:
        ready: it can store what comes.
        schema: number of the database's last schema file.
        disk_free: bytes; None when that is not known.
        last_commit: ``ok`` or ``failed``.
        reasons: why it is not ready, in words.
    """

    ready: bool
    schema: int
    disk_free: int | None
    last_commit: str
    reasons: tuple[str, ...]


class Health:
    """
    Looks after a store's health.

    Args:
        store: an open one.
        reactor: for the time.
        min_free: see `MIN_FREE`.

    Attributes:
        disk: what the last look at the disk found; None before the first, or when it failed.
        stopping: the service is about to end.
    """

    def __init__(self, store: Store, reactor: IReactorTime, min_free: int = MIN_FREE) -> None:
        self.disk: DiskState | None = None
        self.stopping = False
        self._store = store
        self._reactor = reactor
        self._min_free = min_free
        self._schema = latest_version()
        self._looked = 0.0
        self._call: IDelayedCall | None = None

    async def start(self) -> None:
        """Look at the disk now, and every now and then."""
        await self._look()

    def stop(self) -> None:
        """Look no more."""
        self.stopping = True
        if self._call is not None and self._call.active():
            self._call.cancel()

    def state(self) -> HealthState:
        """Return how the service is."""
        works = self._store.figures().commits.works
        age = self._reactor.seconds() - self._looked
        disk = self.disk if age <= OLDEST_LOOK else None
        reasons = []
        if self.stopping:
            reasons.append("the service is about to end")
        if not works:
            reasons.append("the last commit failed")
        if disk is None:
            reasons.append("the disk does not answer")
        elif disk.free < self._min_free:
            reasons.append(f"there are less than {self._min_free} bytes free on the disk")
        return HealthState(
            not reasons,
            self._schema,
            None if disk is None else disk.free,
            "ok" if works else "failed",
            tuple(reasons),
        )

    async def _look(self) -> None:
        await _in_any_case(self._store.look_at_disk(), self._seen)
        if not self.stopping and not self._store.figures().commits.works:
            await _in_any_case(self._store.try_to_write(), _ignore)
        if not self.stopping:
            self._call = self._reactor.callLater(LOOK_SECONDS, self._look_again)

    def _look_again(self) -> None:
        Deferred.fromCoroutine(self._look())

    def _seen(self, disk: DiskState | None) -> None:
        self.disk = disk
        self._looked = self._reactor.seconds()


async def _in_any_case(deferred: Deferred[Any], then: Callable[[Any], None]) -> None:
    """Hand a result over, or None when there is none."""
    try:
        result = await deferred
    except Exception:  # what failed is told by the state; nobody waits for this
        result = None
    then(result)


def _ignore(_: object) -> None:
    pass
