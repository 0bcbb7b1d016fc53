"""
EEML elements to dicts.

Elements are found by their local names, whatever their namespace. Text is trimmed. An element that is
there and empty gives an empty text (or an empty list, or None for a part with parts), which clears the
field; an absent one gives nothing. A time that is an empty attribute counts as absent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from lxml import etree

from txpachube.codecs.xmltext import BLANKS, KNOWN_TAGS, elements, integer_or_text, local_name, text_of

__all__ = [
    "data_dict",
    "environment_dict",
    "location_dict",
    "unit_dict",
    "user_dict",
    "value_dict",
    "waypoint_dict",
]

_Dict = dict[str, Any]

_TEXTS: Final = frozenset({
    "title",
    "feed",
    "auto_feed_url",
    "status",
    "description",
    "icon",
    "website",
    "email",
    "product_id",
    "device_serial",
    "private",
})  # fmt: skip


def data_dict(element: etree._Element) -> _Dict:
    """Read a datastream from a ``data`` element."""
    stream: _Dict = {}
    identifier = element.get("id")
    if identifier is None:
        identifier = element.get("datastream_id")  # as one client spells it
    if identifier is not None:
        stream["id"] = identifier.strip(BLANKS)
    for child in element:  # nearly all of a large document passes through here
        name = KNOWN_TAGS.get(child.tag) or local_name(child)
        if name == "current_value":
            stream["current_value"] = text_of(child)
            at = child.get("at")
            if at:
                _take_time(at, "at", stream)
        elif name == "max_value" or name == "min_value":  # noqa: PLR1714 - a set costs more here
            stream[name] = text_of(child)
        elif name == "tag":
            _take_tag(child, stream)
        elif name == "unit":
            stream["unit"] = unit_dict(child) or None
        elif name == "datapoints":
            function = child.get("function")
            if function:
                stream["datapoints_function"] = function.strip(BLANKS)
            stream["datapoints"] = [value_dict(point) for kind, point in elements(child) if kind == "value"]
    return stream


def unit_dict(element: etree._Element) -> _Dict:
    """Read a ``unit`` element; an empty one gives an empty dict."""
    unit: _Dict = {}
    kind, symbol, label = element.get("type"), element.get("symbol"), text_of(element)
    if kind is not None:
        unit["type"] = kind.strip(BLANKS)
    if symbol is not None:
        unit["symbol"] = symbol.strip(BLANKS)
    if label:
        unit["label"] = label
    return unit


def value_dict(element: etree._Element) -> _Dict:
    """Read a datapoint from a ``value`` element."""
    point: _Dict = {}
    _take_time(element.get("at"), "at", point)
    point["value"] = text_of(element)
    return point


def environment_dict(
    element: etree._Element, read_data: Callable[[etree._Element], _Dict] = data_dict
) -> _Dict:
    """
    Read a feed from an ``environment`` element.

    Only the service states a ``status``. In such a document the location's empty parts say that there is
    nothing, and are left out as they are in JSON; elsewhere they clear.
    """
    feed: _Dict = {}
    identifier = element.get("id")
    if identifier:
        feed["id"] = integer_or_text(identifier.strip(BLANKS))
    for name in ("updated", "created", "creator"):
        _take_time(element.get(name), name, feed)
    for name, child in elements(element):
        if name == "data":
            feed.setdefault("datastreams", []).append(read_data(child))
        elif name in _TEXTS:
            feed[name] = text_of(child)
        elif name == "tag":
            _take_tag(child, feed)
        elif name == "location":
            feed["location"] = location_dict(child) or None
        elif name == "user":
            feed["user"] = user_dict(child)
    if feed.get("location") and "status" in feed:
        feed["location"] = {name: part for name, part in feed["location"].items() if part not in ("", [])}
    return feed


def user_dict(element: etree._Element) -> _Dict:
    """Read the ``user`` element of a feed, which has the login of whoever made it."""
    return {name: text_of(child) for name, child in elements(element) if name == "login"}


def location_dict(element: etree._Element) -> _Dict:
    """Read a ``location`` element; coordinates stay texts."""
    location: _Dict = {
        name: given.strip(BLANKS)
        for name in ("domain", "exposure", "disposition")
        if (given := element.get(name)) is not None
    }
    for name, child in elements(element):
        if name in {"name", "lat", "lon", "ele"}:
            location[name] = text_of(child)
        elif name == "waypoints":
            location["waypoints"] = [
                waypoint_dict(point) for kind, point in elements(child) if kind == "waypoint"
            ]
    return location


def waypoint_dict(element: etree._Element) -> _Dict:
    """Read a ``waypoint`` element."""
    waypoint: _Dict = {}
    _take_time(element.get("at"), "at", waypoint)
    for name, child in elements(element):
        if name in {"lat", "lon", "ele"}:
            waypoint[name] = text_of(child)
    return waypoint


def _take_time(given: str | None, name: str, into: _Dict) -> None:
    stripped = given.strip(BLANKS) if given else ""
    if stripped:
        into[name] = stripped


def _take_tag(element: etree._Element, into: _Dict) -> None:
    tags = into.setdefault("tags", [])
    tag = text_of(element)
    if tag:
        tags.append(tag)
