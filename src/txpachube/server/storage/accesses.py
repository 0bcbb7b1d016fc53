"""
How many requests the keys of each account have made.

A request is counted in memory. Now and then, and at the end, what came together is added to the rows of
the accounts, so that the disk is asked once for many. What a crash finds in memory is not counted: these
numbers are for people to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from txpachube.server.storage.writer import Transaction
from txpachube.times import SECOND

__all__ = ["DAY", "SAVE_SECONDS", "Accesses", "add_accesses"]

SAVE_SECONDS: Final = 300.0
"""How long a request is counted in memory only, at the most."""

DAY: Final = 86_400 * SECOND
"""Microseconds of a day."""

Row = tuple[int, int, int]
"""An account's row number, a day, and how many requests it made on that day."""


def add_accesses(txn: Transaction, rows: Sequence[Row]) -> None:
    """Add requests to the rows of accounts; those of accounts that are gone go with them."""
    txn.executemany(
        "UPDATE users SET accesses = accesses + :count,"
        " accesses_that_day = CASE WHEN accesses_day = :day THEN accesses_that_day + :count"
        " WHEN accesses_day < :day THEN :count ELSE accesses_that_day END,"
        " accesses_day = max(accesses_day, :day) WHERE id = :account",
        [{"account": account, "day": day, "count": count} for account, day, count in rows],
    )


class Accesses:
    """
    Counts requests.

    Args:
        write: runs a function of a transaction, and what shall follow its commit.
        clock: tells when it is time to write the numbers down.
    """

    _log = Logger()

    def __init__(self, write: Callable[..., Deferred[Any]], clock: IReactorTime) -> None:
        self._write = write
        self._clock = clock
        self._days: dict[int, dict[int, int]] = {}
        self._day = -1
        self._counts: dict[int, int] = {}
        self._call: IDelayedCall | None = None
        self._stopped = False

    def count(self, account: int, now: int) -> None:
        """
        Count a request.

        Args:
            account: the row of the account whose key made it.
            now: microseconds since 1970.
        """
        day = now // DAY
        if day != self._day:
            self._day = day
            self._counts = self._days.setdefault(day, {})
        counts = self._counts
        counts[account] = counts.get(account, 0) + 1
        if self._call is None and not self._stopped:
            self._call = self._clock.callLater(SAVE_SECONDS, self._save_in_time)

    def unsaved(self, account: int) -> dict[int, int]:
        """Return the requests of an account that its row does not know yet, by day."""
        return {day: counts[account] for day, counts in self._days.items() if account in counts}

    async def stop(self) -> None:
        """Write everything down, if the disk allows, and look at the clock no more."""
        self._stopped = True
        if self._call is not None:
            self._call.cancel()
            self._call = None
            await self._save().addErrback(self._not_saved)

    def _save_in_time(self) -> None:
        # Until the next request there is nothing to do.
        self._call = None
        self._save().addErrback(self._not_saved)

    def _save(self) -> Deferred[None]:
        rows = [(account, day, n) for day, counts in self._days.items() for account, n in counts.items()]
        self._take({}, [])
        return self._write(_done, add_accesses, rows).addErrback(self._back, rows)

    def _back(self, failure: Failure, rows: Sequence[Row]) -> Failure:
        self._take(self._days, rows)
        return failure

    def _take(self, days: dict[int, dict[int, int]], rows: Sequence[Row]) -> None:
        for account, day, n in rows:
            counts = days.setdefault(day, {})
            counts[account] = counts.get(account, 0) + n
        self._days, self._day = days, -1

    def _not_saved(self, failure: Failure) -> None:
        self._log.warn("requests were not counted on the disk: {failure}", failure=failure.value)


def _done(_: None) -> None:
    """There is nothing to be taken into memory."""
