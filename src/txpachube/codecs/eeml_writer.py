"""
Dicts to EEML 0.5.1 text.

Two kinds of document are written. An *answer* of the service leaves out what is empty, but has the
parts that old clients count on: the mark of privacy, and a location with all three attributes. A
*request* (``keep_empty``) says what is to change: it has exactly what was given, for an empty element
clears a field and an absent one leaves it alone.

Each function returns whole lines, beginning with ``pad`` and ending with a line feed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from txpachube.codecs.xmltext import attribute, line, text

__all__ = [
    "ATTRIBUTES",
    "LISTED_ATTRIBUTES",
    "write_attributes",
    "write_data",
    "write_environment",
    "write_location",
    "write_unit",
    "write_user",
    "write_value",
    "write_waypoint",
]

_Fields = Mapping[str, Any]

ATTRIBUTES: Final = ("updated", "created", "id", "creator")
"""The attributes of an ``environment``, in order."""

LISTED_ATTRIBUTES: Final = ("created", "updated", "id", "creator")
"""Their order in the results of a search."""

_BEFORE_PRIVATE: Final = (
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
)
_PLACE: Final = ("name", "lat", "lon", "ele")


def write_attributes(given: _Fields, names: Iterable[str]) -> str:
    """Write those of the named attributes that there are, each with a blank before it."""
    return "".join(
        f' {name}="{attribute(given[name])}"' for name in names if given.get(name) not in (None, "")
    )


def write_environment(
    feed: _Fields, pad: str, *, keep_empty: bool, attributes: Iterable[str] = ATTRIBUTES
) -> str:
    """
    Write a feed.

    A feed with a ``status`` is one that the service describes: in an answer it gets its ``private`` and
    ``location`` even when the dict has none. Without, they could undo what a request never meant to touch.
    """
    inner = pad + "  "
    described = not keep_empty and "status" in feed
    lines = []
    for name in _BEFORE_PRIVATE:
        given = feed.get(name)
        if given or (given is not None and (keep_empty or given != "")):
            lines.append(line(inner, name, given))
    private = feed.get("private")
    if private is not None or described:
        lines.append(line(inner, "private", private or False))
    lines.append(_tags(feed.get("tags"), inner, keep_empty))
    location = feed.get("location")
    if location is not None or described:
        lines.append(write_location(location or {}, inner, keep_empty=keep_empty))
    user = feed.get("user")
    if user:
        lines.append(write_user(user, inner))
    lines.extend(write_data(stream, inner, keep_empty=keep_empty) for stream in feed.get("datastreams") or ())
    return _element(pad, "environment", write_attributes(feed, attributes), "".join(lines))


def write_user(user: _Fields, pad: str) -> str:
    """Write who made a feed."""
    login = user.get("login")
    return _element(pad, "user", "", "" if login is None else line(pad + "  ", "login", login))


def write_data(stream: _Fields, pad: str, *, keep_empty: bool) -> str:
    """Write a datastream."""
    get = stream.get
    inner = pad + "  "
    written = _tags(get("tags"), inner, keep_empty)
    value = get("current_value")
    if value is not None:
        at = get("at")
        at = f' at="{attribute(at)}"' if at else ""
        written += f"{inner}<current_value{at}>{text(value)}</current_value>\n"
    for name in ("max_value", "min_value"):
        limit = get(name)
        if limit is not None and (keep_empty or limit != ""):
            written += f"{inner}<{name}>{text(limit)}</{name}>\n"
    unit = get("unit")
    if unit or (unit is not None and keep_empty):
        written += write_unit(unit, inner, keep_empty=keep_empty)
    points = get("datapoints")
    if points or (points is not None and keep_empty):
        function = get("datapoints_function")
        values = "".join([write_value(point, inner + "  ") for point in points])
        written += _element(
            inner, "datapoints", f' function="{attribute(function)}"' if function else "", values
        )
    identifier = get("id")
    return _element(pad, "data", "" if identifier is None else f' id="{attribute(identifier)}"', written)


def write_unit(unit: _Fields, pad: str, *, keep_empty: bool) -> str:
    """Write a unit; nothing when all of it is empty and that is not to be kept."""
    written = pad + "<unit"
    for name in ("type", "symbol"):
        part = unit.get(name)
        if part is not None and (keep_empty or part != ""):
            written += f' {name}="{attribute(part)}"'
    label = unit.get("label")
    if label is not None and label != "":
        return f"{written}>{text(label)}</unit>\n"
    return written + "/>\n" if keep_empty or written.endswith('"') else ""


def write_value(point: _Fields, pad: str) -> str:
    """Write a datapoint."""
    at, value = point.get("at"), point.get("value")
    written = f'{pad}<value at="{attribute(at)}"' if at else f"{pad}<value"
    return written + ("/>\n" if value is None else f">{text(value)}</value>\n")


def write_location(location: _Fields, pad: str, *, keep_empty: bool) -> str:
    """Write a location; in an answer with all attributes, and for a mobile feed with its waypoints."""
    get = location.get
    if keep_empty:
        attributes = "".join(
            f' {name}="{attribute(location[name])}"'
            for name in ("domain", "exposure", "disposition")
            if get(name) is not None
        )
    else:
        attributes = (
            f' domain="{attribute(get("domain") or "physical")}"'
            f' exposure="{attribute(get("exposure") or "")}"'
            f' disposition="{attribute(get("disposition") or "")}"'
        )
    written = _place(location, _PLACE, pad + "  ", keep_empty)
    waypoints = get("waypoints")
    shown = waypoints is not None if keep_empty else bool(waypoints) or get("disposition") == "mobile"
    if shown:
        points = "".join(
            write_waypoint(point, pad + "    ", keep_empty=keep_empty) for point in waypoints or ()
        )
        written += _element(pad + "  ", "waypoints", "", points)
    return _element(pad, "location", attributes, written)


def write_waypoint(waypoint: _Fields, pad: str, *, keep_empty: bool) -> str:
    """Write a former location of a mobile feed."""
    inner = _place(waypoint, ("lat", "lon", "ele"), pad + "  ", keep_empty)
    return _element(pad, "waypoint", write_attributes(waypoint, ("at",)), inner)


def _place(given: _Fields, names: Iterable[str], pad: str, keep_empty: bool) -> str:
    parts = ((name, given.get(name)) for name in names)
    return "".join(
        line(pad, name, part) for name, part in parts if part is not None and (keep_empty or part != "")
    )


def _tags(tags: Iterable[str] | None, pad: str, keep_empty: bool) -> str:
    if tags:
        return "".join([f"{pad}<tag>{text(tag)}</tag>\n" for tag in tags])
    return f"{pad}<tag/>\n" if keep_empty and tags is not None else ""


def _element(pad: str, name: str, attributes: str, inner: str) -> str:
    if not inner:
        return f"{pad}<{name}{attributes}/>\n"
    return f"{pad}<{name}{attributes}>\n{inner}{pad}</{name}>\n"
