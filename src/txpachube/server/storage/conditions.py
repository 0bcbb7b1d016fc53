"""
A filter of feeds as conditions in SQL.

A statement takes feeds from one *source*, the condition that presumably leaves the fewest, and asks the
others of each row of ``listed`` that belongs to one of them. Full-text search is not here: see `listing`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import attrs
import msgspec

from txpachube.server.storage.filters import FeedFilter, Near
from txpachube.server.storage.search import direction
from txpachube.server.storage.words import folded

__all__ = ["VISIBLE", "Conditions", "as_json"]

VISIBLE: Final = "(NOT listed.private OR listed.owner = :private_of)"
"""The condition that a feed may be seen."""

_ROUNDING: Final = 1e-11
"""Distances are exact to this part of the Earth's radius: less than a tenth of a millimetre."""

_NEAR: Final = (
    "place.z BETWEEN :z - :chord AND :z + :chord AND place.x BETWEEN :x - :chord AND :x + :chord"
    " AND place.y BETWEEN :y - :chord AND :y + :chord AND (place.x - :x) * (place.x - :x)"
    " + (place.y - :y) * (place.y - :y) + (place.z - :z) * (place.z - :z) <= :chord * :chord"
)


def as_json(value: object) -> str:
    """Return a value as the text that `json_each` reads."""
    return msgspec.json.encode(value).decode()


@attrs.frozen
class _Indexed:
    """
    A condition that an index answers.

    Attributes:
        table: has a column ``feed``, and a name in the statement.
        fits: what its row must fulfil.
    """

    table: str
    fits: str

    @property
    def source(self) -> str:
        """The feeds that fulfil it, joined with their rows of ``listed``."""
        # CROSS JOIN, because of that SQLite keeps the order.
        return f"{self.table} CROSS JOIN listed ON listed.feed = {self.table.rpartition(' ')[2]}.feed"

    @property
    def test(self) -> str:
        """The same, asked of one row of ``listed``."""
        name = self.table.rpartition(" ")[2]
        return f"EXISTS (SELECT 1 FROM {self.table} WHERE {name}.feed = listed.feed AND {self.fits})"


class Conditions:
    """
    The conditions of a filter.

    Args:
        wanted: the filter.
        fresher: time of the last data of the feeds whose rows don't know it yet, by id.

    Attributes:
        values: of the parameters in the texts.
        tests: what a row of ``listed`` must fulfil; whether it may be seen and has the words is not among it.
        source: where to take feeds from, when no words lead to them.
        source_tests: what they must fulfil then.
    """

    def __init__(self, wanted: FeedFilter, fresher: Mapping[int, int]) -> None:
        self.values: dict[str, Any] = {
            "private_of": wanted.private_of,
            "limit": wanted.limit,
            "offset": wanted.offset,
        }
        of_rows = self._of_rows(wanted, fresher)
        indexed = self._by_size(wanted)
        self.tests = of_rows + [condition.test for condition in indexed]
        self.source, self.source_tests = "listed", [VISIBLE, *self.tests]
        if indexed and wanted.ids is None:
            self.source = indexed[0].source
            others = [condition.test for condition in indexed[1:]]
            self.source_tests = [indexed[0].fits, VISIBLE, *of_rows, *others]

    def _by_size(self, wanted: FeedFilter) -> list[_Indexed]:
        """Return the conditions that have an index, what leaves the fewest feeds probably first."""
        found = []
        if wanted.near is not None:
            found.append(_Indexed("search_places AS place", self._near(wanted.near)))
        if wanted.unit is not None:
            self.values["unit"] = folded(wanted.unit)
            found.append(_Indexed("search_units AS measured", "measured.unit = :unit"))
        if wanted.tag is not None:
            self.values["tag"] = folded(wanted.tag)
            found.append(_Indexed("search_tags AS tagged", "tagged.tag = :tag"))
        if wanted.mapped:
            found.append(_Indexed("search_places AS mapped", "true"))
        return found

    def _near(self, near: Near) -> str:
        if near.angle < 0:
            return "false"
        place = direction(near.lat, math.remainder(near.lon, 360))
        # The straight line through the Earth: two places are as far from each other as their angle wants
        # exactly when they are as far as this.
        chord = 2 * math.sin(min(near.angle, math.pi) / 2) + _ROUNDING
        self.values |= {**dict(zip("xyz", place, strict=True)), "chord": chord}
        return _NEAR

    def _of_rows(self, wanted: FeedFilter, fresher: Mapping[int, int]) -> list[str]:
        """Return the conditions that the rows of ``listed`` answer."""
        tests = []
        if wanted.ids is not None:
            self.values["ids"] = as_json(list(wanted.ids))
            tests.append("listed.feed IN (SELECT value FROM json_each(:ids))")
        if wanted.owner is not None:
            self.values["login"] = wanted.owner
            tests.append("listed.owner = (SELECT id FROM users WHERE login = :login)")
        if wanted.live_since is not None:
            tests.append(self._live("live", wanted.live_since, fresher))
        if wanted.frozen_since is not None:
            tests.append("NOT " + self._live("frozen", wanted.frozen_since, fresher))
        return tests

    def _live(self, name: str, since: int, fresher: Mapping[int, int]) -> str:
        self.values[name] = since
        self.values[f"{name}_by_memory"] = as_json([feed for feed, at in fresher.items() if at >= since])
        return (
            f"(listed.data_at >= :{name} OR listed.feed IN (SELECT value FROM json_each(:{name}_by_memory)))"
        )
