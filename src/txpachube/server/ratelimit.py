"""
How many requests a key may make: so many a minute, averaged over three minutes.

The average is a moving one, so a device may send what it kept while its network was down at once, and a
program that never stops is held to the limit. Only requests that were admitted count: who is refused is
let in again when the average has fallen, however often he asks meanwhile.

Times are whole seconds, which bounds what is remembered: at most one number for each second of the window,
and nothing of keys that were silent for as long. Pure: the time is an argument.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from txpachube.times import SECOND

__all__ = ["WINDOW", "RateLimit"]

WINDOW: Final = 180
"""Seconds the average is taken over."""


@attrs.define(eq=False)
class _Record:
    """The requests of one key: for each second that had any, how many; and how many these are together."""

    seconds: deque[tuple[int, int]] = attrs.field(factory=deque)
    total: int = 0


class RateLimit:
    """
    Counts requests by key.

    Args:
        per_minute: how many a key may make, on average.
    """

    def __init__(self, per_minute: int) -> None:
        self._most = per_minute * WINDOW // 60
        self._records: dict[int, _Record] = {}
        self._tidied = 0

    def admit(self, key: int, now: int) -> bool:
        """
        Count a request and say whether it may be made; one that may not does not count.

        Args:
            key: the key's number.
            now: microseconds since 1970.
        """
        second = now // SECOND
        if not self._tidied <= second < self._tidied + WINDOW:
            self._tidy(second)
        record = self._records.get(key)
        if record is None:
            record = self._records[key] = _Record()
        seconds = record.seconds
        if seconds and second < seconds[-1][0]:  # somebody set the clock back
            seconds.clear()
            record.total = 0
        while seconds and seconds[0][0] <= second - WINDOW:
            record.total -= seconds.popleft()[1]
        if record.total >= self._most:
            return False
        record.total += 1
        if seconds and seconds[-1][0] == second:
            seconds[-1] = (second, seconds[-1][1] + 1)
        else:
            seconds.append((second, 1))
        return True

    def _tidy(self, second: int) -> None:
        """Forget the keys that made no request for as long as the window, once for each window."""
        self._tidied = second
        self._records = {
            key: record
            for key, record in self._records.items()
            if record.seconds and second - WINDOW < record.seconds[-1][0] <= second
        }
