"""
When a feed was changed last, precisely enough for ``If-Modified-Since``.

HTTP dates have whole seconds, and not every change of a feed moves one of its times: deleting a
datastream does not. So each version of a feed that is read gets a mark among the feed's cached
documents, which every change empties: no mark means a new version. Two versions within
one second can't be told apart by a date, and then the date is given but not believed.
"""

from __future__ import annotations

from itertools import count
from typing import Final
from weakref import WeakKeyDictionary

import attrs

from txpachube.server.operations.documents import LIVE_FOR
from txpachube.server.storage.records import Feed
from txpachube.times import SECOND

__all__ = ["Version", "Versions"]

_MARK: Final = "version"


@attrs.frozen(eq=False)
class Version:
    """
    A state of a feed.

    Attributes:
        modified: since when it is as it is.
        told_apart: no earlier version that was read has a date with the same second.
        number: no other version of any feed has it, as long as the process runs.
    """

    modified: int
    told_apart: bool
    number: int


class Versions:
    """The versions of feeds that have been read."""

    def __init__(self) -> None:
        self._last: WeakKeyDictionary[Feed, Version] = WeakKeyDictionary()
        self._numbers = count()

    def mark(self, feed: Feed, now: int) -> Version:
        """Return the object that stands for a feed's state until it is changed."""
        version = feed.documents.get(_MARK)
        return version if isinstance(version, Version) else self._new(feed, now)

    def of(self, feed: Feed, now: int) -> Version:
        """Return the version that a feed is in now, its status included."""
        version = self.mark(feed, now)
        frozen_at = feed.data_at + LIVE_FOR
        if feed.data_at and version.modified < frozen_at <= now:  # its status changed by the clock alone
            version = Version(frozen_at, True, version.number)
        return version

    def _new(self, feed: Feed, now: int) -> Version:
        modified = max(feed.updated, feed.data_at, feed.created)
        last = self._last.get(feed)
        if last is not None and last.modified >= modified:
            modified = now  # something was changed that has no time of its own
        version = Version(
            modified, last is None or last.modified // SECOND < modified // SECOND, next(self._numbers)
        )
        self._last[feed] = feed.documents[_MARK] = version
        return version
