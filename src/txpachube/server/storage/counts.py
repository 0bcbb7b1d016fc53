"""
What the writing thread counts of its own work: groups, commits, and how long each storage function takes.

Only that thread counts; others read the numbers whenever they like. A number more or less does not
matter to them, so there is no lock.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

__all__ = ["SECONDS", "SIZES", "CommitCounts"]

SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
"""Pieces of work that divide groups by their size."""

SECONDS: Final = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds that divide groups by how long they took: an SSD syncs within the first ones, an SD card that is
cleaning up within the last."""


class CommitCounts:
    """
    The counts of one writer.

    Attributes:
        sizes: groups by size, the last for those larger than all of `SIZES`.
        work: pieces of work in all of them.
        times: groups by seconds, the last for those longer than all of `SECONDS`.
        seconds: of all of them.
        failed: groups that were not committed.
        works: the last group that had something to write was committed; True before the first.
        functions: by name, how often a storage function ran, and for how many seconds.
    """

    __slots__ = ("failed", "functions", "seconds", "sizes", "times", "work", "works")

    def __init__(self) -> None:
        self.sizes = [0] * (len(SIZES) + 1)
        self.work = 0
        self.times = [0] * (len(SECONDS) + 1)
        self.seconds = 0.0
        self.failed = 0
        self.works = True
        self.functions: dict[str, list[float]] = {}

    def group(self, size: int, seconds: float, *, failed: bool, wrote: bool) -> None:
        """
        Count a group.

        Args:
            size: pieces of work in it.
            seconds: from its first statement to the end of its commit.
            failed: nothing of it was stored.
            wrote: it changed anything; what only reads says nothing about the disk.
        """
        self.sizes[bisect_left(SIZES, size)] += 1
        self.work += size
        self.times[bisect_left(SECONDS, seconds)] += 1
        self.seconds += seconds
        if failed:
            self.failed += 1
            self.works = False
        elif wrote:
            self.works = True

    def function(self, name: str, seconds: float) -> None:
        """Count a run of a storage function."""
        tally = self.functions.get(name)
        if tally is None:
            tally = self.functions[name] = [0, 0.0]
        tally[0] += 1
        tally[1] += seconds
