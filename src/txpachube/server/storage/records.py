"""
What the service keeps in memory: keys, feeds and datastreams as plain records.

The store owns these objects and changes them only on the reactor's thread, and only after the
change was committed. Everybody else reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

import attrs

from txpachube.codecs.values import numeric

__all__ = [
    "UNCHANGED",
    "Feed",
    "FeedChange",
    "Key",
    "Permission",
    "Resource",
    "Stream",
    "StreamChange",
    "StreamState",
    "Unchanged",
    "Waypoint",
]


Waypoint = tuple[int, float, float, str | None]
"""A former place of a feed: since when it was there, latitude, longitude, and elevation if one was given."""


@attrs.frozen
class Resource:
    """What a permission is limited to: a feed, one of its datastreams, or a trigger."""

    feed_id: int | None = None
    datastream_id: str | None = None
    datastream_trigger_id: int | None = None


@attrs.frozen
class Permission:
    """
    One way in which a key may be used.

    Attributes:
        access_methods: among ``get put post delete``, in the order given.
        source_ip: the text as given.
        source_network: ``source_ip`` parsed; None when not limited.
        referer: the domain as given, or None.
        minimum_interval: seconds, or None.
    """

    access_methods: tuple[str, ...]
    source_ip: str | None = None
    source_network: IPv4Network | IPv6Network | None = None
    referer: str | None = None
    minimum_interval: int | None = None
    label: str | None = None
    resources: tuple[Resource, ...] = ()


@attrs.frozen
class Key:
    """
    An API key.

    Attributes:
        pk: the row's number.
        text: the secret itself; never shown in a repr.
        owner_id: the account's row number.
        owner: the account's login.
        expires_at: microseconds since 1970, or None.
    """

    pk: int
    text: str = attrs.field(repr=False)
    owner_id: int
    owner: str
    label: str
    private_access: bool
    permissions: tuple[Permission, ...]
    expires_at: int | None = None

    @property
    def is_master(self) -> bool:
        """Private, and one permission with all four methods and no restriction."""
        return self.private_access and any(
            set(p.access_methods) >= {"get", "put", "post", "delete"}
            and not p.resources
            and p.source_ip is None
            and p.referer is None
            and p.minimum_interval is None
            for p in self.permissions
        )


@attrs.define(eq=False)
class StreamState:
    """
    What counts of a datastream's values.

    Attributes:
        value: the newest datapoint's value, or None.
        at: the newest datapoint's time, or None.
        max_value: the highest numeric value since the last reset, or None.
        min_value: the lowest one, or None.
        data_at: arrival time of the last data, 0 when there was none.
    """

    value: str | None = None
    at: int | None = None
    max_value: float | None = None
    min_value: float | None = None
    data_at: int = 0

    def take(self, at: int, value: str) -> None:
        """Let a stored datapoint count: as the current value if none is newer, and in max and min."""
        if self.at is None or at >= self.at:
            self.at = at
            self.value = value
        number = numeric(value)
        if number is not None:
            if self.max_value is None or number > self.max_value:
                self.max_value = number
            if self.min_value is None or number < self.min_value:
                self.min_value = number


@attrs.define(eq=False, kw_only=True)
class Stream(StreamState):
    """
    A datastream: what is known of it without asking the disk, its state included.

    Attributes:
        pk: the row's number.
        id: the text id inside its feed.
        tags: as stored, sorted without case.
        unit: ``type``, ``symbol``, ``label``, only the ones that are set.
        pending: datapoints that are committed to the journal but not folded into the history
            yet, as (sequence number, at, value) in the order in which they were written.
        epoch: counts deletions, so that a read that ran across one can notice.
    """

    pk: int
    id: str
    tags: list[str] = attrs.field(factory=list)
    unit: dict[str, str] = attrs.field(factory=dict)
    pending: list[tuple[int, int, str]] = attrs.field(factory=list, repr=False)
    epoch: int = attrs.field(default=0, repr=False)


@attrs.define(eq=False)
class Feed:
    """
    A feed with its datastreams.

    Attributes:
        id: the public number, which is also the row's.
        owner_id: the account's row number.
        owner: the account's login.
        private: whether only the owner's keys with private access see it.
        fields: the texts that are set, by JSON name: title description icon website email
            auto_feed_url product_id device_serial.
        tags: sorted without case.
        location: the parts that are set, by JSON name; lat and lon are floats, ele is text.
        location_at: when that location was set, or None.
        created: microseconds since 1970.
        updated: arrival time of the last PUT on the feed itself.
        data_at: arrival time of the last data write at any level, 0 when there was none.
        streams: by id, in the order of the answers.
        waypoints: the newest former places of the feed, oldest first, if somebody asked that they be kept
            in memory; None until then.
        documents: encoded bodies that are still true, by whatever the encoder needs to tell them
            apart; emptied by every change.
    """

    id: int
    owner_id: int
    owner: str
    private: bool
    fields: dict[str, str]
    created: int
    updated: int
    tags: list[str] = attrs.field(factory=list)
    location: dict[str, str | float] = attrs.field(factory=dict)
    location_at: int | None = None
    data_at: int = 0
    streams: dict[str, Stream] = attrs.field(factory=dict)
    waypoints: list[Waypoint] | None = attrs.field(default=None, repr=False)
    documents: dict[object, object] = attrs.field(factory=dict, repr=False)


class Unchanged:
    """The type of `UNCHANGED`."""

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED = Unchanged()
"""Stands for "leave as it is" where None means "clear"."""


@attrs.define(eq=False)
class StreamChange:
    """
    What a request wants done to one datastream, already checked.

    Attributes:
        id: which one; it is created when it does not exist (the operation forbids where it must not).
        tags: the new list, or UNCHANGED.
        unit: the new unit's set parts, or UNCHANGED.
        max_value: new maximum, None to reset, or UNCHANGED; applied before the points count.
        min_value: likewise.
        points: (at, value) in the order in which they are written; the last one of a time wins.
    """

    id: str
    tags: list[str] | Unchanged = UNCHANGED
    unit: dict[str, str] | Unchanged = UNCHANGED
    max_value: float | Unchanged | None = UNCHANGED
    min_value: float | Unchanged | None = UNCHANGED
    points: list[tuple[int, str]] = attrs.field(factory=list)


@attrs.define(eq=False)
class FeedChange:
    """
    What a request wants done to one feed, already checked.

    Attributes:
        arrived: arrival time of the request.
        through_feed: the request was a PUT on the feed (or creates it), so ``updated`` moves.
        fields: texts to set by JSON name; None clears.
        private: the new state, or UNCHANGED.
        tags: the new list, or UNCHANGED.
        location: the parts of the location that are given, None where one is cleared, or UNCHANGED.
        location_at: the time the new location holds from.
        streams: datastreams to create or change, each id once.
        drop_other_streams: delete the datastreams that are not in ``streams`` (v1).
        existing: whether the datastreams named may, must or must not exist already.
    """

    arrived: int
    through_feed: bool
    fields: dict[str, str | None] = attrs.field(factory=dict)
    private: bool | Unchanged = UNCHANGED
    tags: list[str] | Unchanged = UNCHANGED
    location: dict[str, str | float | None] | Unchanged = UNCHANGED
    location_at: int | None = None
    streams: list[StreamChange] = attrs.field(factory=list)
    drop_other_streams: bool = False
    existing: Literal["may", "must", "must not"] = "may"


def location_after(
    old: Mapping[str, str | float], given: Mapping[str, str | float | None]
) -> dict[str, str | float]:
    """Return a location after the parts that are given have replaced the old ones; None clears one."""
    return {part: value for part, value in {**old, **given}.items() if value is not None}
