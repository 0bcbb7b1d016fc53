"""
The parts that the old and the new JSON layout share, read leniently and written strictly.

Readers take what devices send: numbers and booleans where texts belong, one comma-separated text
where a list of tags belongs, a number as an id, ``null`` anywhere. A value that is ``null`` counts as
left out; metadata that is ``null`` is None, which clears it. Only what can't be meant at all (an array for
a title, a string for a datastream) is refused. Whether a time is a time or a word is one of the
allowed ones is not asked here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from txpachube.codecs import tags
from txpachube.codecs.jsontext import (
    ABSENT,
    Reader,
    Readers,
    elements,
    fault,
    integer_or_text,
    kind_of,
    members,
    optional,
    read_elements,
    read_members,
    text,
    text_or_none,
    value,
)
from txpachube.codecs.values import plain_text

__all__ = [
    "DATAPOINT",
    "FEED",
    "LOCATION",
    "STREAM",
    "UNIT",
    "WAYPOINT",
    "is_old_layout",
    "read_datapoints",
    "read_feed",
    "read_streams",
    "read_version",
    "written_location",
    "written_unit",
]

_decode_number = msgspec.json.Decoder(float | int).decode


def read_private(raw: bytes) -> Any:
    """
    Read the mark of a private feed: a boolean stays one, a text a text.

    Anything else becomes a text that means neither yes nor no, except the numbers 1 and 0, so that it
    is refused for its value and not as an unreadable document.
    """
    if raw in {b"true", b"false"}:
        return raw == b"true"
    return raw.decode() if raw[0] in b"{[" else text_or_none(raw)


def read_tags(raw: bytes) -> list[str]:
    """Read tags: an array of texts, or one text with commas; null is the empty list."""
    if raw == b"null":
        return []
    if kind_of(raw) != "an array":
        return tags.split(text(raw))
    return [tag for tag in read_elements(raw, text_or_none) if tag is not None]


def read_coordinate(raw: bytes) -> Any:
    """Read a latitude or longitude: a number if it was one, else the text."""
    found = text_or_none(raw)
    if found is None or kind_of(raw) != "a number":
        return found
    try:
        return _decode_number(raw)
    except (msgspec.MsgspecError, ValueError):
        return found  # too large for a number; whoever checks the range says so


def _cleared(raw: bytes) -> bool:
    """Whether an object is cleared instead of given: ``null``, ``""`` or an empty array."""
    return raw in {b"null", b'""'} or (kind_of(raw) == "an array" and not elements(raw))


UNIT: Final[Readers] = {"type": text_or_none, "symbol": text_or_none, "label": text_or_none}


def read_unit(raw: bytes) -> dict[str, Any] | None:
    """Read a unit; None clears it."""
    return None if _cleared(raw) else read_members(members(raw), UNIT)


WAYPOINT: Final[Readers] = {"at": value, "lat": read_coordinate, "lon": read_coordinate, "ele": value}


def _objects(readers: Readers) -> Reader:
    return optional(lambda raw: read_elements(raw, lambda element: read_members(members(element), readers)))


LOCATION: Final[Readers] = {
    "disposition": text_or_none,
    "name": text_or_none,
    "exposure": text_or_none,
    "domain": text_or_none,
    "ele": text_or_none,
    "lat": read_coordinate,
    "lon": read_coordinate,
    "waypoints": _objects(WAYPOINT),
}


def read_location(raw: bytes) -> dict[str, Any] | None:
    """Read a location; None clears it."""
    return None if _cleared(raw) else read_members(members(raw), LOCATION)


DATAPOINT: Final[Readers] = {"at": value, "value": value}


read_datapoints: Final = _objects(DATAPOINT)
"""Reads the history of a datastream."""

STREAM: Final[Readers] = {
    "id": value,
    "current_value": value,
    "at": value,
    "max_value": value,
    "min_value": value,
    "tags": read_tags,
    "unit": read_unit,
    "datapoints_function": value,
    "updated": value,
    "datapoints": read_datapoints,
}


def read_feed(given: Mapping[str, bytes], stream: Readers) -> dict[str, Any]:
    """Read a feed whose datastreams are in a given layout."""
    return read_members(given, {**FEED, "datastreams": optional(lambda raw: read_streams(raw, stream))})


def read_streams(raw: bytes, stream: Readers) -> list[dict[str, Any]]:
    """
    Read the datastreams of a feed.

    Raises:
        DecodeError: it is not an array; old programs know that error by its text.
    """
    if kind_of(raw) != "an array":
        raise fault('"datastreams" must be an array')
    return read_elements(raw, lambda element: read_members(members(element), stream))


def read_version(given: Mapping[str, bytes]) -> str | None:
    """Read a document's version; anything but a text says nothing (one program sends a list)."""
    version = _version(given.get("version", b"null"))
    return None if version is ABSENT else version


def _version(raw: bytes) -> Any:
    return text(raw) if kind_of(raw) == "a string" else ABSENT


def _user(raw: bytes) -> Any:
    return ABSENT if _cleared(raw) else read_members(members(raw), {"login": value})


FEED: Final[Readers] = {
    "id": integer_or_text,
    "title": text_or_none,
    "private": read_private,
    "icon": text_or_none,
    "website": text_or_none,
    "tags": read_tags,
    "description": text_or_none,
    "feed": text_or_none,
    "auto_feed_url": text_or_none,
    "status": text_or_none,
    "updated": value,
    "created": value,
    "email": text_or_none,
    "creator": text_or_none,
    "user": _user,
    "version": _version,
    "location": read_location,
    "product_id": text_or_none,
    "device_serial": text_or_none,
}
"""All of a feed but its datastreams, in which the layouts differ."""


def is_old_layout(version: object) -> bool:
    """Whether a document's version says that it is in the layout of 0.6-alpha."""
    return version in {"0.6-alpha", "0.6"} if isinstance(version, str) else False


def written_unit(unit: Mapping[str, Any]) -> dict[str, str]:
    """Return the parts of a unit that are set, in order."""
    return {name: unit[name] for name in ("type", "symbol", "label") if unit.get(name)}


def written_location(location: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a location that are set, in order; coordinates as numbers, elevations as text."""
    written = _written_parts(location, ("disposition", "name", "exposure", "domain", "ele", "lat", "lon"))
    if location.get("waypoints"):
        written["waypoints"] = [
            _written_parts(point, ("at", "lat", "lon", "ele")) for point in location["waypoints"]
        ]
    return written


def _written_parts(given: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for name in names:
        part = given.get(name)
        if part is not None and part != "":
            written[name] = _number(part) if name in {"lat", "lon"} else plain_text(part)
    return written


def _number(given: object) -> object:
    """Write a coordinate that is a text as the number it stands for, if it does."""
    if not isinstance(given, str):
        return given
    try:
        number = float(given)
    except ValueError:
        return given
    return number if math.isfinite(number) else given  # NaN and infinity have no JSON
