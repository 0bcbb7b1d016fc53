"""
Does a feed fit what a search asks for? A pure question about one record, and about those of its
datastreams that the asker may see: what is found by must not tell of others.

These are the conditions the database has no index for yet. They are asked of feeds in memory, so the
list that uses them looks at a limited number of feeds only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from txpachube.api import params
from txpachube.api.problems import bad_request
from txpachube.codecs.values import numeric
from txpachube.server.storage.records import Feed, Stream

__all__ = ["CONDITIONS", "conditions"]

CONDITIONS: Final = frozenset(["q", "tag", "units", "lat", "lon", "mapped"])
"""Parameters that are judged here."""

DEFAULT_DISTANCE: Final = 10.0
"""How far from a place a feed may be, when a search doesn't say."""

MAX_WORDS: Final = 20
"""Words of a full-text search that count."""

_EARTH_RADIUS: Final = {"kms": 6371.0088, "miles": 3958.7613}

Condition = Callable[[Feed, Sequence[Stream]], bool]


def conditions(query: Mapping[str, str]) -> list[Condition]:
    """
    Return what the parameters ask of each feed; none of them, no conditions.

    Raises:
        Problem: 400 when a place or a distance is not a number.
    """
    asked: list[Condition] = []
    words = query.get("q", "").lower().split()[:MAX_WORDS]
    if words:
        asked.append(lambda feed, streams: all(word in _text_of(feed, streams) for word in words))
    tag = query.get("tag", "").strip().lower()
    if tag:
        asked.append(lambda feed, streams: any(tag == known.lower() for known in _tags_of(feed, streams)))
    unit = query.get("units", "").strip().lower()
    if unit:
        asked.append(lambda _, streams: any(unit == known.lower() for known in _units_of(streams)))
    if "mapped" in query and params.boolean(query["mapped"]):
        asked.append(lambda feed, _: "lat" in feed.location and "lon" in feed.location)
    if query.get("lat", "").strip() and query.get("lon", "").strip():
        asked.append(_near(query))
    return asked


def _near(query: Mapping[str, str]) -> Condition:
    lat, lon = _number(query, "lat"), _number(query, "lon")
    distance = _number(query, "distance") if query.get("distance", "").strip() else DEFAULT_DISTANCE
    unit = query.get("distance_units") or query.get("distance_unit") or "kms"
    radius = _EARTH_RADIUS.get(unit.strip().lower(), _EARTH_RADIUS["kms"])

    def is_near(feed: Feed, _: Sequence[Stream]) -> bool:
        there = feed.location.get("lat"), feed.location.get("lon")
        if not isinstance(there[0], (int, float)) or not isinstance(there[1], (int, float)):
            return False
        return radius * _angle(lat, lon, there[0], there[1]) <= distance

    return is_near


def _number(query: Mapping[str, str], name: str) -> float:
    number = numeric(query[name])
    if number is None:
        raise bad_request(f"{name} is not a number")
    return number


def _angle(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Return the angle between two places as seen from the middle of the Earth, in radians."""
    a, b = math.radians(lat), math.radians(other_lat)
    half = (
        math.sin((b - a) / 2) ** 2
        + math.cos(a) * math.cos(b) * math.sin(math.radians(other_lon - lon) / 2) ** 2
    )
    return 2 * math.asin(math.sqrt(min(1.0, max(0.0, half))))


def _text_of(feed: Feed, streams: Sequence[Stream]) -> str:
    texts = [feed.fields.get("title", ""), feed.fields.get("description", ""), feed.owner]
    texts += feed.tags
    for stream in streams:
        texts += [stream.id, *stream.tags, *stream.unit.values()]
    return "\n".join(texts).lower()


def _tags_of(feed: Feed, streams: Sequence[Stream]) -> list[str]:
    return [*feed.tags, *(tag for stream in streams for tag in stream.tags)]


def _units_of(streams: Sequence[Stream]) -> list[str]:
    return [stream.unit[part] for stream in streams for part in ("label", "symbol") if part in stream.unit]
