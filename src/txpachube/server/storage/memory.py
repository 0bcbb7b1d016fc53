"""
What is kept in memory, and how a committed change gets there.

Everything here runs on the reactor's thread and touches no disk. The store calls one method after
each commit, in the order of the commits; so memory is always the state of the disk as of one
moment, a little in the past.

A feed has one record however many ask for it, as long as anybody holds it: a change that is
under way when the feed is forgotten must meet the same record again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from operator import itemgetter
from typing import Final
from weakref import WeakValueDictionary

import attrs

from txpachube.server.storage.feeds import Changed, stream_order
from txpachube.server.storage.journal import LAST_ROW, StateRow
from txpachube.server.storage.records import (
    UNCHANGED,
    Feed,
    FeedChange,
    Key,
    Stream,
    StreamState,
    Unchanged,
    location_after,
)

__all__ = [
    "KEPT_WAYPOINTS",
    "Folding",
    "Memory",
    "Part",
    "adds_points_only",
    "state_of",
    "without_idle_parts",
]

CACHED_FEEDS: Final = 20_000
"""Feeds kept in memory without being in use."""

CACHED_KEYS: Final = 20_000
"""Keys kept in memory, unknown texts included: a device with a wrong key asks again and again."""

KEPT_WAYPOINTS: Final = 100
"""Former places of a mobile feed that are kept in memory when somebody needs them often, and shown when
no range is asked for."""


@attrs.frozen
class Part:
    """
    The datastreams whose rows a fold moves in one transaction.

    Attributes:
        after: the number of the last datastream of the part before.
        upto: the number of the last datastream of this one.
        streams: those of them that have datapoints to move.
    """

    after: int
    upto: int
    streams: list[Stream]

    def states(self) -> list[StateRow]:
        """Return (value, at, max_value, min_value, data_at, row number) of the datastreams as of now."""
        return [
            (stream.value, stream.at, stream.max_value, stream.min_value, stream.data_at, stream.pk)
            for stream in self.streams
        ]

    def moved(self, through: int) -> None:
        """Forget the pending datapoints up to a journal number: they are in the history now."""
        for stream in self.streams:
            # They stand in the order of their journal numbers.
            del stream.pending[: bisect_right(stream.pending, through, key=_seq)]


@attrs.frozen
class Folding:
    """
    What a fold of the journal moves.

    Attributes:
        through: the last journal number that belongs to it.
        rows: how many journal rows there are up to that number.
        feeds: the feeds concerned, by id.
    """

    through: int
    rows: int
    feeds: dict[int, Feed]

    def parts(self, rows: Callable[[], int]) -> Iterator[Part]:
        """
        Divide all datastreams there can be into parts with about so many datapoints to move.

        How many is asked for each part. A datastream is never divided. The parts have no gaps: rows
        of the journal that memory knows nothing of are moved as well.
        """
        streams = sorted(
            (stream for feed in self.feeds.values() for stream in feed.streams.values() if stream.pending),
            key=_row,
        )
        after, part, count, enough = 0, list[Stream](), 0, rows()
        for stream in streams:
            if count >= enough:
                yield Part(after, part[-1].pk, part)
                after, part, count, enough = part[-1].pk, [], 0, rows()
            part.append(stream)
            count += len(stream.pending)
        yield Part(after, LAST_ROW, part)

    def feed_rows(self) -> list[tuple[int, int, int]]:
        """Return (updated, data_at, id) of the feeds concerned, as of now."""
        return [(feed.updated, feed.data_at, feed.id) for feed in self.feeds.values()]


class Memory:
    """
    Keys, feeds and current values.

    Attributes:
        applied_seq: the journal number as of which memory is true.
        journal_rows: rows in the journal that no fold has been started for.
    """

    def __init__(self, applied_seq: int = 0) -> None:
        self.applied_seq = applied_seq
        self.journal_rows = 0
        self._feeds: WeakValueDictionary[int, Feed] = WeakValueDictionary()
        self._recent: OrderedDict[int, Feed] = OrderedDict()
        self._dirty: dict[int, Feed] = {}
        self._folding: dict[int, Feed] = {}
        self._keys: OrderedDict[bytes, Key | None] = OrderedDict()

    # --- keys -------------------------------------------------------------------------------------

    def key(self, hashed: bytes) -> Key | None:
        """
        Return the key with this hash, or None when there is none.

        Raises:
            KeyError: memory does not know.
        """
        return self._keys[hashed]

    def keep_key(self, hashed: bytes, key: Key | None) -> None:
        """Remember a key, or that there is none."""
        self._keys[hashed] = key
        while len(self._keys) > CACHED_KEYS:
            self._keys.popitem(last=False)

    def forget_keys(self, pks: Collection[int]) -> None:
        """Forget the keys in these rows, and all unknown texts: one may be a known one from now on."""
        for hashed in [h for h, key in self._keys.items() if key is None or key.pk in pks]:
            del self._keys[hashed]

    # --- feeds ------------------------------------------------------------------------------------

    def feed(self, feed_id: int) -> Feed | None:
        """Return the feed's record if memory has it."""
        return self._feeds.get(feed_id)

    def enter(self, feed: Feed) -> Feed:
        """Take a feed just loaded into memory; return its record, which may be an older one."""
        known = self._feeds.get(feed.id)
        if known is not None:
            return known
        self._feeds[feed.id] = self._recent[feed.id] = feed
        while len(self._recent) > CACHED_FEEDS:
            self._recent.popitem(last=False)
        return feed

    def drop(self, feed: Feed) -> None:
        """Forget a feed that was deleted; who still holds it finds it empty."""
        self._feeds.pop(feed.id, None)
        self._recent.pop(feed.id, None)
        self._dirty.pop(feed.id, None)
        self._folding.pop(feed.id, None)
        feed.streams.clear()
        feed.documents.clear()

    def drop_stream(self, feed: Feed, stream: Stream) -> None:
        """Forget a datastream that was deleted."""
        if feed.streams.get(stream.id) is stream:
            del feed.streams[stream.id]
        feed.documents.clear()

    def refresh(self, feed: Feed, fresh: Feed) -> None:
        """Take over what another process changed of a feed: what it is, never its values."""
        for name in ("owner_id", "owner", "private", "fields", "tags", "location", "location_at"):
            setattr(feed, name, getattr(fresh, name))
        feed.streams = {
            name: old if (old := feed.streams.get(name)) is not None and old.pk == stream.pk else stream
            for name, stream in fresh.streams.items()
        }
        feed.documents.clear()

    def last_data(self) -> dict[int, int]:
        """Return the time of the last data of every feed whose row does not know it yet, by id."""
        return {feed.id: feed.data_at for feeds in (self._folding, self._dirty) for feed in feeds.values()}

    # --- changes ----------------------------------------------------------------------------------

    def appended(self, feed: Feed, streams: Sequence[Stream], change: FeedChange, first_seq: int) -> None:
        """Take over a change that only added datapoints; ``streams`` are those of the change."""
        seq = first_seq
        arrived = change.arrived
        for stream, wanted in zip(streams, change.streams, strict=True):
            pending = stream.pending
            for at, value in wanted.points:
                pending.append((seq, at, value))
                stream.take(at, value)
                seq += 1
            if wanted.points:
                stream.data_at = arrived
        feed.documents.clear()
        if change.through_feed:
            feed.updated = arrived
        if seq != first_seq:
            feed.data_at = arrived
            self._grew(feed, seq - 1, seq - first_seq)

    def changed(self, feed: Feed, change: FeedChange, done: Changed) -> None:
        """Take over any change."""
        for name, text in change.fields.items():
            if text is None:
                feed.fields.pop(name, None)
            else:
                feed.fields[name] = text
        if not isinstance(change.private, Unchanged):
            feed.private = change.private
        if not isinstance(change.tags, Unchanged):
            feed.tags = change.tags
        if not isinstance(change.location, Unchanged):
            feed.location = location_after(feed.location, change.location)
            feed.location_at = done.location_at
            if done.left is not None and feed.waypoints is not None:
                places = {place[0]: place for place in (*feed.waypoints, done.left)}
                feed.waypoints = sorted(places.values(), key=itemgetter(0))[-KEPT_WAYPOINTS:]
        streams = dict(feed.streams)
        for name in done.dropped:
            streams.pop(name, None)
        for wanted in change.streams:
            stream = streams.get(wanted.id)
            if stream is None or stream.pk != done.pks[wanted.id]:
                stream = streams[wanted.id] = Stream(pk=done.pks[wanted.id], id=wanted.id)
            if not isinstance(wanted.tags, Unchanged):
                stream.tags = wanted.tags
            if not isinstance(wanted.unit, Unchanged):
                stream.unit = wanted.unit
        feed.streams = dict(sorted(streams.items(), key=lambda item: stream_order(item[0])))
        self.appended(feed, [streams[wanted.id] for wanted in change.streams], change, done.first_seq)
        for stream in streams.values():
            if stream.pk in done.states:
                _set_state(stream, done.states[stream.pk])

    def replaced(self, feed: Feed, stream: Stream, seq: int, at: int, value: str, arrived: int) -> None:
        """Take over the new value of one datapoint."""
        stream.pending.append((seq, at, value))
        stream.take(at, value)
        stream.data_at = feed.data_at = arrived
        feed.documents.clear()
        self._grew(feed, seq, 1)

    def deleted(self, feed: Feed, stream: Stream, start: int, end: int, state: StreamState) -> None:
        """Take over the deletion of the datapoints of a range."""
        stream.pending = [point for point in stream.pending if not start <= point[1] <= end]
        stream.epoch += 1
        _set_state(stream, state)
        feed.documents.clear()

    def _grew(self, feed: Feed, seq: int, rows: int) -> None:
        self.applied_seq = seq
        self.journal_rows += rows
        self._dirty[feed.id] = feed

    # --- folding ----------------------------------------------------------------------------------

    def start_folding(self) -> Folding:
        """Return what a fold has to write; from now on new rows count for the next one."""
        folding = Folding(self.applied_seq, self.journal_rows, self._dirty)
        self._folding = self._dirty
        self._dirty, self.journal_rows = {}, 0
        return folding

    def folded(self) -> None:
        """Take note that the fold is done: every row says what memory says."""
        self._folding = {}

    def not_folded(self, folding: Folding) -> None:
        """Take a fold that failed back, for the next one to do."""
        self._dirty = {**folding.feeds, **self._dirty}
        self._folding = {}
        self.journal_rows += folding.rows


def _seq(point: tuple[int, int, str]) -> int:
    return point[0]


def _row(stream: Stream) -> int:
    return stream.pk


def state_of(stream: Stream) -> StreamState:
    """Return a copy of a datastream's state."""
    return StreamState(stream.value, stream.at, stream.max_value, stream.min_value, stream.data_at)


def _set_state(stream: Stream, state: StreamState) -> None:
    stream.value, stream.at = state.value, state.at
    stream.max_value, stream.min_value = state.max_value, state.min_value
    stream.data_at = state.data_at


def without_idle_parts(feed: Feed, change: FeedChange) -> FeedChange:
    """
    Take out of a change what says nothing new, and return it.

    Many devices send title, tags and units with every update; so those go the fast way as well.
    """
    if change.fields:
        change.fields = {n: text for n, text in change.fields.items() if feed.fields.get(n) != text}
    if change.private == feed.private:
        change.private = UNCHANGED
    if change.tags == feed.tags:
        change.tags = UNCHANGED
    if not isinstance(change.location, Unchanged) and (
        location_after(feed.location, change.location) == feed.location
    ):
        change.location = UNCHANGED
    for wanted in change.streams:
        stream = feed.streams.get(wanted.id)
        if stream is not None:
            if wanted.tags == stream.tags:
                wanted.tags = UNCHANGED
            if wanted.unit == stream.unit:
                wanted.unit = UNCHANGED
    return change


def adds_points_only(feed: Feed, change: FeedChange) -> bool:
    """Return whether a change does nothing but add datapoints to datastreams that exist."""
    if (
        change.fields
        or change.private is not UNCHANGED
        or change.tags is not UNCHANGED
        or change.location is not UNCHANGED
        or change.drop_other_streams
        or change.existing == "must not"
    ):
        return False
    for wanted in change.streams:
        if (
            wanted.id not in feed.streams
            or wanted.tags is not UNCHANGED
            or wanted.unit is not UNCHANGED
            or wanted.max_value is not UNCHANGED
            or wanted.min_value is not UNCHANGED
        ):
            return False
    return True
