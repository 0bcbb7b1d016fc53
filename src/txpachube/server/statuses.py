"""
Whether the feeds that somebody listens to are live or frozen, and when that turns.

A feed is live for a quarter of an hour after data arrived in it, so it freezes without anybody doing
anything. All feeds that somebody listens to stand in one queue, by the moment at which each may freeze; who
looks at the queue learns which of them have. A write costs nothing here: a feed that got data stays where it
stands, and when its moment comes it is put back to the next one.

The clock is the time of day, which can be set. When it was set forward, feeds freeze; when it was set back,
all of them are looked at anew, and some may be live again. However many turn at once, a look tells of a
bounded number, and the next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Final

from txpachube.server.operations.documents import LIVE_FOR, is_live
from txpachube.server.storage.records import Feed

__all__ = ["MOST_AT_ONCE", "Statuses"]

MOST_AT_ONCE: Final = 500
"""Feeds that are looked at in one go. Each that turned is encoded and sent while everything else waits, and a
clock that is set forward, as on a small computer that finds the network, makes all of them turn at once."""


class Statuses:
    """
    The status of each feed that somebody listens to, as the listeners know it.

    Args:
        find: returns the record of a feed that is in memory, as those are that are listened to.
        clock: returns the time in microseconds since 1970.
    """

    def __init__(self, find: Callable[[int], Feed | None], clock: Callable[[], int]) -> None:
        self._find = find
        self._clock = clock
        self._live: dict[int, bool] = {}
        self._queue: list[tuple[int, int]] = []  # (moment, feed id), a heap
        self._queued: set[int] = set()
        self._looked_at = clock()

    def __len__(self) -> int:
        return len(self._live)

    def watch(self, feed_id: int) -> None:
        """Begin with a feed as it is now, unless it is watched already."""
        if feed_id not in self._live:
            feed = self._find(feed_id)
            if feed is not None:
                self._note(feed, self._clock())

    def forget(self, feed_id: int) -> None:
        """Leave a feed that nobody listens to any more; its place in the queue goes when it comes up."""
        self._live.pop(feed_id, None)

    def revived(self, feed: Feed) -> bool:
        """Say whether a feed that got data was frozen until then, as far as the listeners know."""
        if self._live.get(feed.id, True):
            return False
        return self._note(feed, self._clock())

    def turned(self) -> list[Feed]:
        """Return feeds that are not any more what they were, each once; not all when there are very many."""
        now = self._clock()
        if now < self._looked_at:
            self._queue = [(now, feed_id) for feed_id in self._live]
            heapify(self._queue)
            self._queued = set(self._live)
        self._looked_at = now
        queue, turned = self._queue, []
        for _ in range(MOST_AT_ONCE):
            if not queue or queue[0][0] > now:
                break
            feed_id = heappop(queue)[1]
            self._queued.discard(feed_id)
            was_live = self._live.get(feed_id)
            if was_live is None:
                continue
            feed = self._find(feed_id)
            if feed is None:
                del self._live[feed_id]
            elif self._note(feed, now) is not was_live:
                turned.append(feed)
        return turned

    def _note(self, feed: Feed, now: int) -> bool:
        """Take down what a feed is now, and return whether that is live."""
        live = self._live[feed.id] = is_live(feed, now)
        if live and feed.id not in self._queued:
            # Data can seem to come from the future when the clock was set back; but whatever comes after
            # that, the feed cannot freeze before a quarter of an hour from now without being looked at.
            self._queued.add(feed.id)
            heappush(self._queue, (min(feed.data_at, now) + LIVE_FOR, feed.id))
        return live
