"""What a list of feeds is limited to, in the words of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs

from txpachube.server.storage.words import words

__all__ = ["FeedFilter", "Near", "Order", "phrases"]

Order = Literal["created_at", "retrieved_at", "id", "relevance"]
"""What of a list comes first."""


@attrs.frozen
class Near:
    """A place, and how far away from it a feed may be, as the angle between both in radians."""

    lat: float
    lon: float
    angle: float


@attrs.frozen(kw_only=True)
class FeedFilter:
    """
    What a list of feeds is limited to.

    Attributes:
        private_of: account whose private feeds are shown too; None: public feeds only.
        ids: only these feeds; None: all.
        owner: only feeds of this login.
        live_since: only feeds with data since this moment.
        frozen_since: only feeds without data since this moment.
        phrases: only feeds in which each of these occurs; see `phrases`.
        tag: only feeds with this tag, on themselves or on a datastream.
        unit: only feeds with a datastream that has this unit's label or symbol.
        near: only feeds that are near a place.
        mapped: only feeds of which the place is known.
        order: newest first by creation or by last data; ascending by id; or the most relevant for
            ``phrases`` first.
        limit: feeds on the page.
        offset: feeds before it.
    """

    private_of: int | None = None
    ids: Sequence[int] | None = None
    owner: str | None = None
    live_since: int | None = None
    frozen_since: int | None = None
    phrases: Sequence[str] = ()
    tag: str | None = None
    unit: str | None = None
    near: Near | None = None
    mapped: bool = False
    order: Order = "created_at"
    limit: int = 50
    offset: int = 0

    @property
    def asks_for_data(self) -> bool:
        """Whether it matters when data arrived last, of which the rows know less than memory."""
        return self.order == "retrieved_at" or self.live_since is not None or self.frozen_since is not None

    @property
    def looks_at_streams(self) -> bool:
        """Whether it matters what the datastreams of a feed are called, among other things."""
        return bool(self.phrases) or self.tag is not None or self.unit is not None


def phrases(text: str) -> tuple[str, ...]:
    """
    Return what must occur, of a text with several words.

    What stands between two blanks can be several words, such as ``log.csv``; they must stand side
    by side. What has no word in it, such as an ampersand, needn't occur.
    """
    found = (" ".join(words(part)) for part in text.split())
    return tuple(dict.fromkeys(phrase for phrase in found if phrase))
