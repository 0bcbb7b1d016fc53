"""
What a search asks for: from the parameters of a request to a filter of the storage.

Searches are the database's work. Only for a key that may see some datastreams of a feed and not others is
each feed that was found looked at again here, without what the key may not see: what is found by, in
which order and how often must not tell of it, or it could be guessed letter by letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from txpachube.api.problems import bad_request
from txpachube.codecs.values import numeric
from txpachube.server.storage.filters import FeedFilter, Near, phrases
from txpachube.server.storage.records import Feed, Stream
from txpachube.server.storage.search import Description, describe
from txpachube.server.storage.words import folded

__all__ = ["description", "fits", "near", "says_in_title", "wanted_phrases"]

DEFAULT_DISTANCE: Final = 10.0
"""How far from a place a feed may be, when a search doesn't say."""

MAX_TEXT: Final = 16_384
"""Characters of a text that is searched for: more than a URL holds, and some milliseconds of work."""

_EARTH_RADIUS: Final = {"kms": 6371.0088, "miles": 3958.7613}


def wanted_phrases(query: Mapping[str, str]) -> tuple[str, ...]:
    """
    Return what has to occur.

    Raises:
        Problem: 400 when it is too much.
    """
    text = query.get("q", "")
    if len(text) > MAX_TEXT:
        raise bad_request(f"q is too long (maximum is {MAX_TEXT} characters)")
    return phrases(text)


def near(query: Mapping[str, str]) -> Near | None:
    """
    Return where feeds have to be, or None when it doesn't matter: one half of a place is none.

    Raises:
        Problem: 400 when a place or a distance is not a number.
    """
    if not query.get("lat", "").strip() or not query.get("lon", "").strip():
        return None
    lat, lon = _number(query, "lat"), _number(query, "lon")
    distance = _number(query, "distance") if query.get("distance", "").strip() else DEFAULT_DISTANCE
    unit = query.get("distance_units") or query.get("distance_unit") or "kms"
    radius = _EARTH_RADIUS.get(unit.strip().lower(), _EARTH_RADIUS["kms"])
    return Near(lat, lon, distance / radius)


def _number(query: Mapping[str, str], name: str) -> float:
    number = numeric(query[name])
    if number is None:
        raise bad_request(f"{name} is not a number")
    return number


def description(feed: Feed, streams: Iterable[Stream]) -> Description:
    """Return what a search would know of a feed that had these datastreams only."""
    return describe(
        feed.fields.get("title", ""),
        feed.fields.get("description", ""),
        feed.owner,
        feed.tags,
        [(stream.id, stream.tags, stream.unit) for stream in streams],
    )


def fits(wanted: FeedFilter, described: Description) -> bool:
    """Return whether a filter's phrases, tag and unit find a feed of this description."""
    return (
        all(any(_occurs(phrase, text) for text in described.texts) for phrase in wanted.phrases)
        and (wanted.tag is None or folded(wanted.tag) in described.tags)
        and (wanted.unit is None or folded(wanted.unit) in described.units)
    )


def says_in_title(wanted: FeedFilter, described: Description) -> bool:
    """Return whether all that has to occur does so in the title, which makes a feed more relevant."""
    return all(_occurs(phrase, described.texts[0]) for phrase in wanted.phrases)


def _occurs(phrase: str, text: str) -> bool:
    return f" {phrase} " in f" {text} "
