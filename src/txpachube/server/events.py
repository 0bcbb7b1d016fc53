"""
Who wants to hear of a feed or a datastream, and who is told what.

The store tells `Events` of every committed change to a feed that somebody watches; `Events` tells

- the *listeners* of a datastream when its current value was written or its description changed,
- the *listeners* of a feed when any of its datastreams was updated so, or the feed itself,
- the *followers* of a feed whenever anything was written to it, also what is older than the current value.

A listener is one subscription of one client: what is behind PAWS, WebSocket and MQTT. A value that is
written again unchanged counts as written. What is written into the past only, counts for followers
(triggers, which must know that a device is alive) and not for listeners, unless it makes a frozen feed
live. Deleting the current value, or a datastream, is news for the listeners, whose picture would be wrong
otherwise. When a feed freezes, the clock does what a write does elsewhere: the feed's listeners hear of it.

Each committed write is told once, in the order of the commits, after memory is up to date and before the
writer is answered; so who subscribes after an answer never hears of the write behind it. Nothing is
told of what failed. Telling happens at once, within the settling of the commit: a listener must not
wait, nor raise, and anything slow (a reader that does not read) is its own affair.
`at_end_of_commit` is for doors that join what one commit has for a connection into one write.

When a feed or a datastream is deleted, its listeners and followers are told with ``ended`` and
forgotten. When keys or the privacy of a feed change, `rights` gets another value: whoever delivers
compares it with the one at the time of the last check, and checks again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar, cast

from twisted.logger import Logger

from txpachube.server.statuses import Statuses
from txpachube.server.storage.observer import StreamUpdate
from txpachube.server.storage.records import Feed

__all__ = ["Events", "Follower", "Listener", "StreamUpdate", "Update"]

T = TypeVar("T")


class Update:
    """
    One committed write, as those who hear of it get it, or what the clock did.

    Attributes:
        feed: the record, which goes on changing: use it now, or keep what you made of it.
        arrived: when the request arrived, in microseconds since 1970; 0 when it was a deletion, or none.
        streams: what the write did to datastreams, all of them.
        described: the feed itself changed.
        status_only: nothing is new for listeners but that the feed is live now, or frozen.
    """

    __slots__ = ("_made", "arrived", "described", "feed", "status_only", "streams")

    def __init__(
        self,
        feed: Feed,
        arrived: int,
        streams: Sequence[StreamUpdate] = (),
        *,
        described: bool = False,
        status_only: bool = False,
    ) -> None:
        self.feed = feed
        self.arrived = arrived
        self.streams = streams
        self.described = described
        self.status_only = status_only
        self._made: dict[object, object] = {}

    def once(self, place: object, make: Callable[[], T]) -> T:
        """
        Return what ``make`` returned the first time that somebody asked for ``place``.

        So a document is encoded once for an update, however many subscribers get it. The place must name
        all that the result depends on: what is shown, format, base of URLs.
        """
        try:
            return cast(T, self._made[place])
        except KeyError:
            made = make()
            self._made[place] = made
            return made

    def __repr__(self) -> str:
        return f"<Update of feed {self.feed.id}>"


class Listener(Protocol):
    """A subscription to a feed or a datastream. No method may raise or take long."""

    def updated(self, update: Update) -> None:
        """Hear that what is subscribed has a new state."""

    def ended(self) -> None:
        """Hear that what is subscribed was deleted; the subscription is forgotten."""


class Follower(Protocol):
    """Somebody who must know of all that is written to a feed. No method may raise or take long."""

    def written(self, update: Update) -> None:
        """Hear of a write; the states before it are in ``update.streams``."""

    def stream_deleted(self, feed_id: int, stream_id: str) -> None:
        """Hear that a datastream of the feed was deleted."""

    def ended(self, feed_id: int) -> None:
        """Hear that the feed was deleted; the follower is forgotten."""


class _Watchers:
    """Everybody who wants to hear of one feed, in the order in which they came."""

    __slots__ = ("followers", "listeners", "of_streams")

    def __init__(self) -> None:
        self.listeners: dict[Listener, None] = {}
        self.of_streams: dict[str, dict[Listener, None]] = {}
        self.followers: dict[Follower, None] = {}

    def __bool__(self) -> bool:
        return bool(self.listeners or self.of_streams or self.followers)


class Events:
    """
    The subscriptions of all doors.

    Args:
        statuses: knows which feeds turn live or frozen; without it listeners hear of writes alone.

    Attributes:
        telling: a write is being told at this moment, so a call of `at_end_of_commit` will come to pass.
        rights: changes whenever somebody may have lost the right to what is subscribed.
        published: how many updates were told to anybody since the start.
    """

    _log = Logger()

    def __init__(self, statuses: Statuses | None = None) -> None:
        self.telling = False
        self.rights = 0
        self.published = 0
        self._by_feed: dict[int, _Watchers] = {}
        self._at_end: list[Callable[[], None]] = []
        self._statuses = statuses

    @property
    def watched(self) -> Mapping[int, object]:
        """The feeds anybody watches, by id."""
        return self._by_feed

    # --- subscribing ------------------------------------------------------------------------------

    def subscribe(self, feed_id: int, stream_id: str | None, listener: Listener) -> None:
        """
        Let a listener hear of a feed, or of one of its datastreams.

        It need not exist; then nothing is heard until it does. Subscribing twice changes nothing.
        """
        watchers = self._watchers(feed_id)
        if stream_id is None:
            watchers.listeners[listener] = None
            if self._statuses is not None:
                self._statuses.watch(feed_id)
        else:
            watchers.of_streams.setdefault(stream_id, {})[listener] = None

    def unsubscribe(self, feed_id: int, stream_id: str | None, listener: Listener) -> None:
        """
        Let a listener hear no more. It is not told ``ended``.

        While an update is being told it may still hear of that one.
        """
        watchers = self._by_feed.get(feed_id)
        if watchers is None:
            return
        if stream_id is None:
            watchers.listeners.pop(listener, None)
            self._forget_status_if_unheard(feed_id, watchers)
        elif (listeners := watchers.of_streams.get(stream_id)) is not None:
            listeners.pop(listener, None)
            if not listeners:
                del watchers.of_streams[stream_id]
        self._forget_if_idle(feed_id, watchers)

    def follow(self, feed_id: int, follower: Follower) -> None:
        """Let a follower hear of all writes to a feed. Following twice changes nothing."""
        self._watchers(feed_id).followers[follower] = None

    def unfollow(self, feed_id: int, follower: Follower) -> None:
        """Let a follower hear no more."""
        watchers = self._by_feed.get(feed_id)
        if watchers is not None:
            watchers.followers.pop(follower, None)
            self._forget_if_idle(feed_id, watchers)

    def at_end_of_commit(self, function: Callable[[], None]) -> None:
        """Call a function once, when all that the present commit has to tell has been told; see `telling`."""
        self._at_end.append(function)

    def _watchers(self, feed_id: int) -> _Watchers:
        watchers = self._by_feed.get(feed_id)
        if watchers is None:
            watchers = self._by_feed[feed_id] = _Watchers()
        return watchers

    def _forget_status_if_unheard(self, feed_id: int, watchers: _Watchers) -> None:
        if self._statuses is not None and not watchers.listeners:
            self._statuses.forget(feed_id)

    def _forget_if_idle(self, feed_id: int, watchers: _Watchers) -> None:
        if not watchers and self._by_feed.get(feed_id) is watchers:
            del self._by_feed[feed_id]

    # --- what the store tells ---------------------------------------------------------------------

    def changed(self, feed: Feed, arrived: int, streams: Sequence[StreamUpdate], *, described: bool) -> None:
        """Tell of a write those whom it concerns."""
        watchers = self._by_feed.get(feed.id)
        if watchers is None:
            return
        update = Update(feed, arrived, streams, described=described)
        self.published += 1
        self.telling = True
        for follower in tuple(watchers.followers):
            self._tell(follower.written, update)
        news = described
        for change in streams:
            if change.current or change.described:
                news = True
                listeners = watchers.of_streams.get(change.stream.id)
                if listeners:
                    self._tell_all(listeners, update)
        if watchers.listeners:
            revived = self._statuses is not None and self._statuses.revived(feed)
            if revived and not news:
                update.status_only = news = True
            if news:
                self._tell_all(watchers.listeners, update)
        self.telling = False

    def dropped(self, feed: Feed, stream_ids: Collection[str]) -> None:
        """Tell those concerned that datastreams were deleted, and forget the listeners of those."""
        watchers = self._by_feed.get(feed.id)
        if watchers is None:
            return
        for stream_id in stream_ids:
            for follower in tuple(watchers.followers):
                self._tell(follower.stream_deleted, feed.id, stream_id)
            self._end(watchers.of_streams.pop(stream_id, {}))
        self._forget_if_idle(feed.id, watchers)

    def gone(self, feed: Feed) -> None:
        """Tell those concerned that a feed was deleted, and forget them."""
        watchers = self._by_feed.pop(feed.id, None)
        if watchers is None:
            return
        if self._statuses is not None:
            self._statuses.forget(feed.id)
        for follower in watchers.followers:
            self._tell(follower.ended, feed.id)
        for listeners in watchers.of_streams.values():
            self._end(listeners)
        self._end(watchers.listeners)

    def rights_changed(self) -> None:
        """Let everybody who delivers check again whether the subscriber still may hear it."""
        self.rights += 1

    def settled(self) -> None:
        """Let the doors send what they have joined."""
        while self._at_end:
            functions, self._at_end = self._at_end, []
            for function in functions:
                self._tell(function)

    # --- what the clock tells ---------------------------------------------------------------------

    def look_at_the_clock(self) -> None:
        """Tell the listeners of feeds that have become frozen, or live because the clock was set back."""
        if self._statuses is None:
            return
        for feed in self._statuses.turned():
            watchers = self._by_feed.get(feed.id)
            if watchers is not None:
                self.published += 1
                self.telling = True
                self._tell_all(watchers.listeners, Update(feed, 0, status_only=True))
                self.telling = False
        self.settled()

    # --- telling ----------------------------------------------------------------------------------

    def _tell_all(self, listeners: Iterable[Listener], update: Update) -> None:
        for listener in tuple(listeners):
            try:
                listener.updated(update)
            except Exception:  # one subscriber's trouble must not keep the news from the others
                self._log.failure("a subscriber could not be told")

    def _end(self, listeners: Iterable[Listener]) -> None:
        for listener in tuple(listeners):
            self._tell(listener.ended)

    def _tell(self, told: Callable[..., None], *arguments: object) -> None:
        try:
            told(*arguments)
        except Exception:
            self._log.failure("a subscriber could not be told")
