"""
Who wants to know what was stored.

The store tells its observer of every committed change, on the reactor's thread: in the order of the
commits, after memory is up to date, before the request that made the change is answered, once. What
failed is never told. A store without an observer uses `SILENCE`, and one whose observer is not
interested in a feed does nothing more for it than look whether the feed is in `watched`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol

import attrs

from txpachube.server.storage.memory import state_of
from txpachube.server.storage.records import UNCHANGED, Feed, FeedChange, Stream, StreamState

__all__ = ["SILENCE", "Observer", "StreamUpdate", "states_before", "tell_change", "tell_point"]


@attrs.frozen(eq=False)
class StreamUpdate:
    """
    What a write did to one datastream.

    Attributes:
        stream: the record, as it is after the write.
        before: its state before; an empty one when the write created it.
        wrote: datapoints came, however old.
        current: the current value was written, maybe to what it was, or is another one because it was
            deleted; not so when all that came was older.
        described: something else of it changed: it is new, or its tags, unit or limits are.
    """

    stream: Stream
    before: StreamState
    wrote: bool
    current: bool
    described: bool


class Observer(Protocol):
    """
    Is told what was stored. No method may raise.

    Attributes:
        watched: ids of the feeds whose changes it wants to hear of.
    """

    @property
    def watched(self) -> Collection[int]: ...

    def changed(self, feed: Feed, arrived: int, streams: Sequence[StreamUpdate], *, described: bool) -> None:
        """
        Hear of a write.

        Args:
            feed: the record, as it is after the write.
            arrived: when the request arrived.
            streams: what it did to datastreams.
            described: something of the feed itself changed, or there was nothing in the write at all.
        """

    def dropped(self, feed: Feed, stream_ids: Collection[str]) -> None:
        """Hear that datastreams were deleted; what else the same write did is told next."""

    def gone(self, feed: Feed) -> None:
        """Hear that a feed was deleted."""

    def rights_changed(self) -> None:
        """Hear that somebody may do less or more than before: a key changed, or a feed's owner or privacy."""

    def settled(self) -> None:
        """Hear that all changes of one commit have been told."""


class _Silence:
    watched: Collection[int] = frozenset()

    def changed(self, feed: Feed, arrived: int, streams: Sequence[StreamUpdate], *, described: bool) -> None:
        """Do nothing."""

    def dropped(self, feed: Feed, stream_ids: Collection[str]) -> None:
        """Do nothing."""

    def gone(self, feed: Feed) -> None:
        """Do nothing."""

    def rights_changed(self) -> None:
        """Do nothing."""

    def settled(self) -> None:
        """Do nothing."""


SILENCE: Final = _Silence()
"""The observer that wants to hear nothing."""


def states_before(feed: Feed, change: FeedChange) -> dict[str, StreamState]:
    """Return the states of the datastreams that a change is about, to be taken just before memory changes."""
    streams = feed.streams
    return {
        wanted.id: state_of(stream)
        for wanted in change.streams
        if (stream := streams.get(wanted.id)) is not None
    }


def tell_change(
    observer: Observer,
    feed: Feed,
    change: FeedChange,
    before: Mapping[str, StreamState],
    dropped: Collection[str] = (),
) -> None:
    """
    Tell an observer what a change did, once memory is up to date.

    Args:
        observer: who wants to know.
        feed: the record.
        change: what was done.
        before: see `states_before`.
        dropped: ids of the datastreams that it deleted.
    """
    told = []
    wrote = False
    for wanted in change.streams:
        stream = feed.streams.get(wanted.id)
        if stream is None:
            continue  # deleted while the write was under way
        old = before.get(wanted.id)
        wrote = wrote or bool(wanted.points)
        told.append(
            StreamUpdate(
                stream,
                StreamState() if old is None else old,
                bool(wanted.points),
                any(at == stream.at for at, _ in wanted.points),
                old is None
                or wanted.tags is not UNCHANGED
                or wanted.unit is not UNCHANGED
                or wanted.max_value is not UNCHANGED
                or wanted.min_value is not UNCHANGED,
            )
        )
    described = (
        bool(change.fields or dropped)
        or change.private is not UNCHANGED
        or change.tags is not UNCHANGED
        or change.location is not UNCHANGED
        or (change.through_feed and not wrote)
    )
    if change.private is not UNCHANGED:
        observer.rights_changed()
    if dropped:
        observer.dropped(feed, dropped)
    if told or described:
        observer.changed(feed, change.arrived, told, described=described)


def tell_point(
    observer: Observer, feed: Feed, stream: Stream, before: StreamState, arrived: int, *, current: bool
) -> None:
    """Tell an observer that one datapoint was written, or that the current one went with its value."""
    if feed.streams.get(stream.id) is stream:
        wrote = arrived != 0
        observer.changed(
            feed, arrived, [StreamUpdate(stream, before, wrote, current, False)], described=False
        )
