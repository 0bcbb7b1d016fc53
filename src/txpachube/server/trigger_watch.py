"""
Watches the datastreams that have triggers, and puts into the outbox what is to be sent.

It follows the feeds with triggers in them, and nobody else's writes cost anything. A write of the
current value is compared with the thresholds at once, on the way of its commit; only what turns true or
false goes to the disk. What is frozen, the clock tells.

If the process ends between a write and the record of what it made fire, the next start notices:
a condition that is true, was not told, and came true by data that is younger than the trigger, fires then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from txpachube.server.events import Events, Update
from txpachube.server.notifications import notification
from txpachube.server.storage.failures import StorageFailed
from txpachube.server.storage.observer import StreamUpdate
from txpachube.server.storage.records import Feed, Stream
from txpachube.server.storage.store import Store
from txpachube.server.storage.triggers import Firing, Notification, Trigger
from txpachube.server.triggers import (
    NEEDS_THRESHOLD,
    fulfils,
    is_frozen,
    may_fire,
    revives,
)
from txpachube.server.watched import Watched

__all__ = ["TriggerWatch"]

LOOK_EVERY: Final = 10.0
"""Seconds between two looks for frozen datastreams; half a minute is promised."""


class TriggerWatch:
    """
    Decides which triggers fire.

    Args:
        store: has the triggers, and takes what fired.
        events: tells of the writes.
        clock: returns the time in microseconds since 1970.
        base_url: what URLs in notifications start with; without it the address at which a trigger was made.
        queued: is called with what has come into the outbox.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        events: Events,
        clock: Callable[[], int],
        base_url: str | None,
        queued: Callable[[Sequence[Notification]], None],
    ) -> None:
        self._store = store
        self._events = events
        self._clock = clock
        self._base_url = base_url.rstrip("/") if base_url else None
        self._queued = queued
        self._feeds: dict[int, dict[str, Watched]] = {}
        self._looking: LoopingCall | None = None

    async def start(self, reactor: IReactorTime) -> None:
        """Take up all triggers there are, see what was missed, and begin to look at the clock."""
        triggers = self._store.triggers
        triggers.observer = self
        for trigger in await triggers.all():
            feed = await self._store.find_feed(trigger.feed_id)
            stream = None if feed is None else feed.streams.get(trigger.stream_id)
            if feed is None or stream is None:
                continue
            self.changed(trigger, stream.data_at)
            self._catch_up(trigger, feed, stream)
        looking = LoopingCall(self.look_at_the_clock)
        looking.clock = reactor
        self._looking = looking
        looking.start(LOOK_EVERY)

    def stop(self) -> None:
        """Look no more."""
        if self._looking is not None and self._looking.running:
            self._looking.stop()
        for feed_id in self._feeds:
            self._events.unfollow(feed_id, self)
        self._feeds.clear()
        self._store.triggers.observer = None

    def _catch_up(self, trigger: Trigger, feed: Feed, stream: Stream) -> None:
        if trigger.kind not in NEEDS_THRESHOLD or stream.value is None:
            return
        true = fulfils(trigger.kind, trigger.threshold or "", stream.value)
        if true is trigger.fulfilled:
            return
        if not true:
            trigger.fulfilled = False
            self._record([trigger], [])
        elif stream.data_at > trigger.changed and may_fire(trigger.fired_at, stream.data_at):
            self._fire([trigger], [], feed, stream)

    # --- what triggers there are -------------------------------------------------------------------

    def changed(self, trigger: Trigger, data_at: int) -> None:
        """Watch for a new trigger, or for one as it is now."""
        streams = self._feeds.get(trigger.feed_id)
        if streams is None:
            streams = self._feeds[trigger.feed_id] = {}
            self._events.follow(trigger.feed_id, self)
        watched = streams.get(trigger.stream_id)
        if watched is None:
            watched = streams[trigger.stream_id] = Watched()
        watched.data_at = max(watched.data_at, data_at)
        watched.put(trigger)

    def removed(self, trigger: Trigger) -> None:
        """Watch no more for a trigger."""
        watched = self._feeds.get(trigger.feed_id, {}).get(trigger.stream_id)
        if watched is not None:
            watched.remove(trigger.id)
            if not watched.by_id:
                self.stream_deleted(trigger.feed_id, trigger.stream_id)

    def owner_removed(self, owner_id: int) -> None:
        """Watch no more for the triggers of an account."""
        for streams in tuple(self._feeds.values()):
            for watched in tuple(streams.values()):
                for trigger in [t for t in watched.by_id.values() if t.owner_id == owner_id]:
                    self.removed(trigger)

    def stream_deleted(self, feed_id: int, stream_id: str) -> None:
        """Forget the triggers of a datastream; the database has done so already."""
        streams = self._feeds.get(feed_id)
        if streams is not None:
            streams.pop(stream_id, None)
            if not streams:
                del self._feeds[feed_id]
                self._events.unfollow(feed_id, self)

    def ended(self, feed_id: int) -> None:
        """Forget the triggers of a feed; the database has done so already."""
        self._feeds.pop(feed_id, None)

    # --- what happens --------------------------------------------------------------------------------

    def written(self, update: Update) -> None:
        """Let triggers fire for which a write made the condition true."""
        streams = self._feeds.get(update.feed.id)
        if streams is None:
            return
        for change in update.streams:
            watched = streams.get(change.stream.id)
            if watched is not None and change.wrote:
                self._judge(watched, update.feed, change, update.arrived)

    def _judge(self, watched: Watched, feed: Feed, change: StreamUpdate, arrived: int) -> None:
        stream, before = change.stream, change.before
        watched.data_at = max(watched.data_at, arrived)
        now = self._clock()
        calm: list[Trigger] = []
        hot: list[Trigger] = []
        changed: Sequence[Trigger] = ()
        if watched.told_frozen:
            calm += [t for t in watched.others.get("frozen", ()) if t.fulfilled]
            watched.told_frozen = False
        if change.current and stream.value is not None:
            turned = watched.turned(stream.value, now)
            calm += [t for t in turned if t.fulfilled]
            hot += [t for t in turned if not t.fulfilled]
            if before.value is not None and before.value != stream.value:
                changed = watched.changed(now)
                hot += changed
        if revives(before.data_at, arrived):
            hot += watched.others.get("live", ())
        for trigger in calm:
            trigger.fulfilled = False
        if calm or hot:
            self._fire(hot, calm, feed, stream)
        if changed:
            watched.told()

    def look_at_the_clock(self) -> None:
        """Let triggers fire whose datastream is frozen by now."""
        now = self._clock()
        for feed_id, streams in tuple(self._feeds.items()):
            for stream_id, watched in tuple(streams.items()):
                if is_frozen(watched.data_at, now):
                    hot = [
                        t
                        for t in watched.others.get("frozen", ())
                        if not t.fulfilled and may_fire(t.fired_at, now)
                    ]
                    if hot:
                        freezing = self._freeze(watched, feed_id, stream_id, hot)
                        Deferred.fromCoroutine(freezing).addErrback(self._failed)

    async def _freeze(self, watched: Watched, feed_id: int, stream_id: str, hot: list[Trigger]) -> None:
        feed = await self._store.find_feed(feed_id)
        stream = None if feed is None else feed.streams.get(stream_id)
        # Meanwhile data may have come, or another look have been faster.
        if feed is not None and stream is not None and is_frozen(stream.data_at, self._clock()):
            watched.told_frozen = True
            self._fire([trigger for trigger in hot if not trigger.fulfilled], [], feed, stream)

    def _fire(self, hot: Collection[Trigger], calm: list[Trigger], feed: Feed, stream: Stream) -> None:
        now = self._clock()
        firings, fired = [], []
        for trigger in hot:
            # Whoever may not see the feed any more hears nothing of it either.
            if feed.private and feed.owner_id != trigger.owner_id:
                continue
            if not may_fire(trigger.fired_at, now):
                continue
            fired.append((trigger, trigger.fired_at))
            trigger.fired_at = now
            trigger.fulfilled = trigger.kind not in ("change", "live")
            body = notification(trigger, feed, stream, self._base_url or trigger.base, now)
            firings.append(Firing(trigger.id, now, trigger.fulfilled, body))
        if calm or firings:
            self._record(calm, firings, fired)

    def _record(
        self,
        calm: list[Trigger],
        firings: list[Firing],
        fired: Sequence[tuple[Trigger, int | None]] = (),
    ) -> None:
        async def recorded() -> None:
            try:
                waiting = await self._store.triggers.record([trigger.id for trigger in calm], firings)
            except StorageFailed:
                # As if nothing had been true, so that the next write tries again.
                for trigger, fired_at in fired:
                    trigger.fulfilled, trigger.fired_at = False, fired_at
                    watched = self._feeds.get(trigger.feed_id, {}).get(trigger.stream_id)
                    if watched is not None:
                        watched.reconsider()
                raise
            self._queued(waiting)

        Deferred.fromCoroutine(recorded()).addErrback(self._failed)

    def _failed(self, failure: object) -> None:
        self._log.error("what triggers did could not be stored: {failure}", failure=failure)
