"""
JSON 1.0.0, the API's main format.

Reading goes one of two ways. A document in which everything has the type that well-made programs send
is read by one call of the parser into dicts that are right as they are; that is nearly every document,
and it costs little more than reading it without looking. Whatever is unusual (numbers as values, nulls,
tags as one text, the old layout, a mistake) makes that call fail, and the document is read again,
leniently, part by part. Both ways give the same for a document that both can read.

Writing puts the members in the order of the API, because sketches read answers at fixed places, and
leaves out what is empty, as the API's answers do. (A request that clears something has to say so;
structures write their own JSON for that.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from txpachube.codecs import json_v06, jsonusual
from txpachube.codecs.jsonparts import (
    DATAPOINT,
    LOCATION,
    STREAM,
    UNIT,
    WAYPOINT,
    is_old_layout,
    read_datapoints,
    read_feed,
    read_version,
    written_location,
    written_unit,
)
from txpachube.codecs.jsontext import (
    Readers,
    checked,
    encode,
    fault,
    integer_or_text,
    kind_of,
    members,
    optional,
    read,
    read_elements,
    read_members,
)
from txpachube.codecs.values import plain_text

__all__ = [
    "VERSION",
    "decode_datapoint",
    "decode_datapoints",
    "decode_datastream",
    "decode_feed",
    "decode_feed_list",
    "decode_location",
    "decode_new_datastreams",
    "decode_unit",
    "decode_waypoint",
    "encode_datapoint",
    "encode_datapoints",
    "encode_datastream",
    "encode_feed",
    "encode_feed_list",
]

VERSION: Final = "1.0.0"


# Feeds


def decode_feed(body: bytes) -> dict[str, Any]:
    """
    Read a feed: an answer of the service, or what a program wants to be changed.

    A document whose version is 0.6-alpha is read in that layout.

    Returns:
        The members that were given, in the spelling of 1.0.0. ``private`` and the coordinates stay the
        type they came as.

    Raises:
        DecodeError: it is not JSON, or something in it is not of its type.
    """
    body = checked(body)
    feed = jsonusual.feed(body)
    if feed is None or is_old_layout(feed.get("version")):
        return read(body, _read_feed)
    return cast("dict[str, Any]", feed)


def _read_feed(raw: bytes) -> dict[str, Any]:
    given = members(raw)
    return json_v06.read_feed(given) if is_old_layout(read_version(given)) else read_feed(given, STREAM)


def decode_feed_list(body: bytes) -> dict[str, Any]:
    """
    Read a page of a search's results.

    Raises:
        DecodeError: as for `decode_feed`.
    """
    body = checked(body)
    page = jsonusual.feed_list(body)
    if page is not None and not any(is_old_layout(feed.get("version")) for feed in page.get("results", ())):
        return cast("dict[str, Any]", page)
    return read(body, _read_feed_list)


def _read_feed_list(raw: bytes) -> dict[str, Any]:
    return read_members(members(raw), _FEED_LIST)


_FEED_LIST: Final[Readers] = {
    "totalResults": optional(integer_or_text),
    "startIndex": optional(integer_or_text),
    "itemsPerPage": optional(integer_or_text),
    "results": optional(lambda raw: read_elements(raw, _read_feed)),
}

_HEAD: Final = (
    "title",
    "private",
    "icon",
    "website",
    "tags",
    "description",
    "feed",
    "auto_feed_url",
    "status",
    "updated",
    "created",
    "email",
    "creator",
    "user",
)
_ALWAYS: Final = frozenset({"title", "private", "feed", "status", "updated", "created", "creator"})


def encode_feed(feed: Mapping[str, Any]) -> bytes:
    """Write a feed. With a ``location``, even an empty one, the location's domain is written too."""
    return encode(_written_feed(feed))


def _written_feed(feed: Mapping[str, Any]) -> dict[str, Any]:
    get = feed.get
    written: dict[str, Any] = {}
    if get("id") is not None:
        written["id"] = _integer(feed["id"])
    for name in _HEAD:
        given = get(name)
        if given or (given is not None and name in _ALWAYS):
            written[name] = given if name != "private" else plain_text(given)
    written["version"] = VERSION
    if get("datastreams"):
        written["datastreams"] = [_written_stream(stream) for stream in feed["datastreams"]]
    location = get("location")
    if location is not None:
        written["location"] = written_location({**location, "domain": location.get("domain") or "physical"})
    for name in ("product_id", "device_serial"):
        if get(name):
            written[name] = feed[name]
    return written


def _integer(given: object) -> object:
    """Write an id or a count as a number, also when it comes as text."""
    return int(given) if isinstance(given, str) and given.isascii() and given.isdigit() else given


def encode_feed_list(page: Mapping[str, Any]) -> bytes:
    """Write a page of a search's results; the list of results is there even when it is empty."""
    written: dict[str, Any] = {
        name: _integer(page[name])
        for name in ("totalResults", "startIndex", "itemsPerPage")
        if page.get(name) is not None
    }
    written["results"] = [_written_feed(feed) for feed in page.get("results") or ()]
    return encode(written)


# Datastreams


def decode_datastream(body: bytes) -> dict[str, Any]:
    """
    Read one datastream.

    Returns:
        The datastream; or, when the body is a feed that wraps datastreams, that feed, to be told
        apart by its member ``datastreams``.

    Raises:
        DecodeError: as for `decode_feed`.
    """
    body = checked(body)
    stream = jsonusual.datastream(body)
    if stream is None or "datastreams" in stream or is_old_layout(stream.get("version")):
        return read(body, _read_stream_document)
    return cast("dict[str, Any]", stream)


def _read_stream_document(raw: bytes) -> dict[str, Any]:
    given = members(raw)
    if given.get("datastreams", b"null") != b"null":
        return _read_feed(raw)
    version = read_version(given)
    stream = json_v06.read_stream(given) if is_old_layout(version) else read_members(given, STREAM)
    return stream if version is None else {**stream, "version": version}


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
        return [document] if any(name in STREAM for name in document) else []
    streams: list[dict[str, Any]] = document["datastreams"]
    if "updated" in document:
        for stream in streams:
            if "current_value" in stream:
                stream.setdefault("at", document["updated"])
    return streams


def encode_datastream(
    stream: Mapping[str, Any], environment: Mapping[str, Any] | None = None, *, versioned: bool = True
) -> bytes:
    """
    Write one datastream as a document.

    Args:
        stream: what there is.
        environment: the feed it belongs to; of use in other formats only.
        versioned: say which version of the format this is; pushes over sockets don't.
    """
    written = _written_stream(stream)
    if versioned:
        written["version"] = VERSION
    return encode(written)


def _written_stream(stream: Mapping[str, Any]) -> dict[str, Any]:
    get = stream.get
    written: dict[str, Any] = {}
    for name in _VALUES:
        given = get(name)
        # An empty text is a value like any other, while an empty time or limit is none.
        if given or (given is not None and (given != "" or name == "current_value")):
            written[name] = given if type(given) is str else plain_text(given)
    if get("tags"):
        written["tags"] = stream["tags"]
    unit = get("unit")
    if unit:
        unit = written_unit(unit)
        if unit:
            written["unit"] = unit
    if get("datapoints_function"):
        written["datapoints_function"] = stream["datapoints_function"]
    if get("datapoints"):
        written["datapoints"] = _written_points(stream["datapoints"])
    return written


_VALUES: Final = ("id", "current_value", "at", "max_value", "min_value")


def _written_points(points: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    # Inside a datastream the value comes before its time; in a datapoint of its own it comes after.
    # Whoever wrote the first in this order wrote them all so, and copying a thousand takes time.
    if points and list(points[0]) == ["value", "at"] and set(map(len, points)) == {2}:
        return points
    try:
        return [{"value": point["value"], "at": point["at"]} for point in points]
    except KeyError:
        return [
            {name: point[name] for name in ("value", "at") if point.get(name) is not None} for point in points
        ]


# Datapoints


def decode_datapoints(body: bytes) -> list[dict[str, Any]]:
    """
    Read datapoints in any of the shapes that programs send.

    These are an object with ``datapoints``, an array of datapoints, a single datapoint, and a feed
    wrapping one datastream that has them.

    Raises:
        DecodeError: as for `decode_feed`; also when several datastreams are wrapped.
    """
    body = checked(body)
    document = jsonusual.datapoints(body)
    if isinstance(document, list):
        return cast("list[dict[str, Any]]", document)
    if document is not None and "datapoints" in document and "datastreams" not in document:
        return cast("list[dict[str, Any]]", document["datapoints"])
    return read(body, _read_datapoints)


def _read_datapoints(raw: bytes) -> list[dict[str, Any]]:
    if kind_of(raw) == "an array":
        return cast("list[dict[str, Any]]", read_datapoints(raw))
    given = members(raw)
    if given.get("datastreams", b"null") != b"null":
        streams = read_feed(given, STREAM)["datastreams"]
        if len(streams) > 1:
            raise fault(f"expected one datastream, got {len(streams)}", "$.datastreams")
        return [point for stream in streams for point in stream.get("datapoints", ())]
    if "datapoints" in given:
        history = read_members(given, {"datapoints": read_datapoints})
        return cast("list[dict[str, Any]]", history.get("datapoints", []))
    return [read_members(given, DATAPOINT)]


def encode_datapoints(points: Sequence[Mapping[str, Any]]) -> bytes:
    """Write the datapoints that are to be stored."""
    return encode({"datapoints": [_written_point(point) for point in points]})


def decode_datapoint(body: bytes) -> dict[str, Any]:
    """
    Read one datapoint.

    Raises:
        DecodeError: as for `decode_feed`.
    """
    body = checked(body)
    point = jsonusual.datapoint(body)
    if point is None:
        return read(body, lambda raw: read_members(members(raw), DATAPOINT))
    return cast("dict[str, Any]", point)


def encode_datapoint(point: Mapping[str, Any]) -> bytes:
    """Write one datapoint as a document."""
    return encode(_written_point(point))


def _written_point(point: Mapping[str, Any]) -> dict[str, Any]:
    return {name: plain_text(point[name]) for name in ("at", "value") if point.get(name) is not None}


# Parts, which are documents of their own only in programs


def decode_unit(body: bytes) -> dict[str, Any]:
    """
    Read a unit.

    Raises:
        DecodeError: as for `decode_feed`.
    """
    return read(checked(body), lambda raw: read_members(members(raw), UNIT))


def decode_location(body: bytes) -> dict[str, Any]:
    """
    Read a location.

    Raises:
        DecodeError: as for `decode_feed`.
    """
    return read(checked(body), lambda raw: read_members(members(raw), LOCATION))


def decode_waypoint(body: bytes) -> dict[str, Any]:
    """
    Read a waypoint.

    Raises:
        DecodeError: as for `decode_feed`.
    """
    return read(checked(body), lambda raw: read_members(members(raw), WAYPOINT))
