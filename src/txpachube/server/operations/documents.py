"""
Records in memory -> the dicts that codecs write.

The dicts have the JSON spelling; times and values are the texts of the wire. Nothing here is
left out for being empty unless leaving it out means something else: that is the encoders' work.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import Any, Final
from urllib.parse import quote

import attrs

from txpachube.api.routes import PREFIXES
from txpachube.codecs.values import format_limit
from txpachube.server.storage.records import Feed, Stream
from txpachube.times import SECOND, format_all, format_micros

__all__ = [
    "LIVE_FOR",
    "Document",
    "Spelling",
    "datapoints",
    "feed_document",
    "feed_list_document",
    "is_live",
    "stream_document",
    "stream_environment",
    "version",
    "waypoint_documents",
]

Document = dict[str, Any]
"""A decoded or to be encoded document in the JSON spelling."""

LIVE_FOR: Final = 900 * SECOND
"""A feed is live for this long after data arrived."""

version: Final = "1.0.0"
"""What every document says its version is."""


@attrs.frozen
class Spelling:
    """
    How an answer is to be written, beyond what it says.

    Attributes:
        base: what generated URLs start with, such as ``https://api.example``.
        extension: of the URL a feed has in its own document: ``json`` or ``xml``.
        zone: times are written as local times of this zone; None for UTC and ``Z``.
        prefix: of the paths of the API's version.
    """

    base: str
    extension: str = "json"
    zone: tzinfo | None = None
    prefix: str = PREFIXES[2]


def is_live(feed: Feed, now: int) -> bool:
    """Say whether data arrived in the feed within the last 15 minutes, at any level."""
    return feed.data_at > now - LIVE_FOR


def datapoints(points: Iterable[tuple[int, str]], zone: tzinfo | None = None) -> list[Document]:
    """Return stored points as the dicts of a document."""
    points = list(points)
    times = format_all([at for at, _ in points], zone)
    return [{"value": value, "at": at} for (_, value), at in zip(points, times, strict=True)]


def stream_document(
    stream: Stream,
    spelling: Spelling,
    *,
    points: Sequence[tuple[int, str]] = (),
    function: str | None = None,
    current: tuple[int, str] | None = None,
) -> Document:
    """
    Return a datastream as a document.

    Args:
        stream: the record.
        spelling: how times are written.
        points: datapoints of a history query.
        function: the aggregate they are, if they are one.
        current: what to show as the current value instead of the present one.
    """
    document: Document = {"id": stream.id}
    if current is not None:
        document["current_value"] = current[1]
        document["at"] = format_micros(current[0], spelling.zone)
    elif stream.value is not None and stream.at is not None:
        document["current_value"] = stream.value
        document["at"] = format_micros(stream.at, spelling.zone)
    if stream.max_value is not None:
        document["max_value"] = format_limit(stream.max_value)
    if stream.min_value is not None:
        document["min_value"] = format_limit(stream.min_value)
    if stream.tags:
        document["tags"] = stream.tags
    if stream.unit:
        document["unit"] = stream.unit
    if function is not None:
        document["datapoints_function"] = function
    if points:
        document["datapoints"] = datapoints(points, spelling.zone)
    return document


def stream_environment(feed: Feed, spelling: Spelling) -> Document:
    """Return what the XML document of a single datastream says about its feed."""
    return {
        "id": feed.id,
        "updated": format_micros(feed.updated, spelling.zone),
        "created": format_micros(feed.created, spelling.zone),
        "creator": _creator(feed, spelling),
    }


def feed_document(
    feed: Feed,
    spelling: Spelling,
    now: int,
    *,
    streams: Sequence[Document] | None,
    waypoints: Sequence[Document] = (),
    show_user: bool = False,
) -> Document:
    """
    Return a feed as a document.

    Args:
        feed: the record.
        spelling: how URLs and times are written.
        now: decides between live and frozen.
        streams: the documents of its datastreams, or None for a summary without them.
        waypoints: former places of a mobile feed, oldest first.
        show_user: add the creator's login.
    """
    zone = spelling.zone
    document: Document = {
        "id": feed.id,
        **feed.fields,
        "private": "true" if feed.private else "false",
        "feed": f"{spelling.base}{spelling.prefix}/feeds/{feed.id}.{spelling.extension}",
        "status": "live" if is_live(feed, now) else "frozen",
        "updated": format_micros(feed.updated, zone),
        "created": format_micros(feed.created, zone),
        "creator": _creator(feed, spelling),
        "version": version,
        "location": _location(feed, waypoints),
    }
    if feed.tags:
        document["tags"] = feed.tags
    if show_user:
        document["user"] = {"login": feed.owner}
    if streams is not None:
        document["datastreams"] = list(streams)
    return document


def _creator(feed: Feed, spelling: Spelling) -> str:
    return f"{spelling.base}/users/{quote(feed.owner, safe='')}"


def _location(feed: Feed, waypoints: Sequence[Document]) -> Document:
    # A feed without any location still shows its domain.
    location: Document = {"domain": "physical", **feed.location}
    if waypoints and location.get("disposition") == "mobile":
        location["waypoints"] = list(waypoints)
    return location


def waypoint_documents(
    places: Iterable[tuple[int, float, float, str | None]], zone: tzinfo | None
) -> list[Document]:
    """Return former places as documents; the elevation only where it was given."""
    return [
        {"at": format_micros(at, zone), "lat": lat, "lon": lon, **({} if ele is None else {"ele": ele})}
        for at, lat, lon, ele in places
    ]


def feed_list_document(total: int, start: int, per_page: int, feeds: Sequence[Document]) -> Document:
    """Return one page of feeds as a document."""
    return {"totalResults": total, "startIndex": start, "itemsPerPage": per_page, "results": list(feeds)}
