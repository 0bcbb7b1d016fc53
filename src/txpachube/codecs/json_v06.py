"""
JSON 0.6-alpha, the layout of version 1 of the API.

A datastream's value stands in an array of its own, which has one element::

    {"id": "0", "values": [{"recorded_at": "2011-02-22T14:28:50Z", "value": "21.5",
                            "max_value": "38.2", "min_value": "-1.0"}], "tags": ["air"]}

Feeds have no tags, no ``private`` and no ``created`` here, and times of values have no fraction. Bodies
in this layout also arrive on the paths of version 2, where they are known by their version; the decoders
of `txpachube.codecs.json_v1` see to that, and so read every body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from txpachube.codecs import jsonparts
from txpachube.codecs.jsonparts import written_location, written_unit
from txpachube.codecs.jsontext import (
    ABSENT,
    Readers,
    checked,
    encode,
    kind_of,
    members,
    read,
    read_elements,
    read_members,
    value,
)
from txpachube.codecs.values import plain_text

__all__ = [
    "VERSION",
    "decode_datastream",
    "decode_feed",
    "decode_new_datastreams",
    "encode_datastream",
    "encode_feed",
    "encode_feed_list",
    "read_feed",
    "read_stream",
]

VERSION: Final = "0.6-alpha"

_VALUE: Final[Readers] = {"recorded_at": value, "value": value, "max_value": value, "min_value": value}
_FRACTION: Final = re.compile(r"[.,]\d+")


def _read_values(raw: bytes) -> Any:
    """Read the first of the values; the array may be missing, empty, or an object instead."""
    if kind_of(raw) == "an array":
        found = read_elements(raw, _read_value)
        return found[0] if found else ABSENT
    return _read_value(raw)


def _read_value(raw: bytes) -> Any:
    return ABSENT if raw == b"null" else read_members(members(raw), _VALUE)


# What belongs to the newer layout is understood as well.
_STREAM: Final[Readers] = {**jsonparts.STREAM, "values": _read_values}


def _flattened(stream: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = stream.pop("values", {})
    for name, newer in (("value", "current_value"), ("recorded_at", "at")):
        if name in values:
            values[newer] = values.pop(name)
    return stream | values


def read_feed(given: Mapping[str, bytes]) -> dict[str, Any]:
    """Read the members of a feed into the spelling of 1.0.0."""
    feed = jsonparts.read_feed(given, _STREAM)
    if "datastreams" in feed:
        feed["datastreams"] = [_flattened(stream) for stream in feed["datastreams"]]
    return feed


def read_stream(given: Mapping[str, bytes]) -> dict[str, Any]:
    """Read the members of a datastream into the spelling of 1.0.0."""
    return _flattened(read_members(given, _STREAM))


def decode_feed(body: bytes) -> dict[str, Any]:
    """
    Read a feed in this layout, whatever its version says.

    Raises:
        DecodeError: it is not JSON, or something in it is not of its type.
    """
    return read(checked(body), lambda raw: read_feed(members(raw)))


def decode_datastream(body: bytes) -> dict[str, Any]:
    """
    Read one datastream in this layout; a feed that wraps datastreams is returned as that feed.

    Raises:
        DecodeError: as for `decode_feed`.
    """
    return read(checked(body), lambda raw: _read_stream_or_feed(members(raw)))


def decode_new_datastreams(body: bytes) -> list[dict[str, Any]]:
    """
    Read the datastreams that are to be created: a feed that wraps them, or a single one.

    A time given for the whole feed becomes that of the values that have none of their own.

    Returns:
        The datastreams; none when the body is an object that says nothing of any.

    Raises:
        DecodeError: as for `decode_feed`.
    """
    document = decode_datastream(body)
    if "datastreams" not in document:
        return [document] if any(name in jsonparts.STREAM for name in document) else []
    streams: list[dict[str, Any]] = document["datastreams"]
    if "updated" in document:
        for stream in streams:
            if "current_value" in stream:
                stream.setdefault("at", document["updated"])
    return streams


def _read_stream_or_feed(given: Mapping[str, bytes]) -> dict[str, Any]:
    return read_feed(given) if given.get("datastreams", b"null") != b"null" else read_stream(given)


def encode_feed(feed: Mapping[str, Any]) -> bytes:
    """Write a feed."""
    return encode(_written_feed(feed))


def _written_feed(feed: Mapping[str, Any]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for name in ("id", "title", "icon", "website", "description", "feed", "status", "updated", "email"):
        given = feed.get(name)
        if given or (given == "" and name == "title"):
            written[name] = given
    written["version"] = VERSION
    if feed.get("datastreams"):
        written["datastreams"] = [_written_stream(stream) for stream in feed["datastreams"]]
    location = {**(feed.get("location") or {}), "waypoints": None}  # they came with 1.0.0
    parts = written_location(location)
    if parts:
        written["location"] = parts
    return written


def encode_datastream(stream: Mapping[str, Any], environment: Mapping[str, Any] | None = None) -> bytes:
    """
    Write one datastream as a document.

    Args:
        stream: what there is.
        environment: the feed it belongs to; of use in other formats only.
    """
    return encode({**_written_stream(stream), "version": VERSION})


def _written_stream(stream: Mapping[str, Any]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if stream.get("id") is not None:
        written["id"] = stream["id"]
    newest = {}
    if stream.get("at"):
        newest["recorded_at"] = _FRACTION.sub("", stream["at"], count=1)
    if stream.get("current_value") is not None:
        newest["value"] = plain_text(stream["current_value"])
    for name in ("max_value", "min_value"):
        if stream.get(name):
            newest[name] = plain_text(stream[name])
    if newest:
        written["values"] = [newest]
    if stream.get("tags"):
        written["tags"] = stream["tags"]
    unit = written_unit(stream.get("unit") or {})
    if unit:
        written["unit"] = unit
    return written


def encode_feed_list(page: Mapping[str, Any]) -> bytes:
    """Write a page of a search's results; the list of results is there even when it is empty."""
    written: dict[str, Any] = {
        name: page[name]
        for name in ("totalResults", "startIndex", "itemsPerPage")
        if page.get(name) is not None
    }
    written["results"] = [_written_feed(feed) for feed in page.get("results") or ()]
    return encode(written)
