"""
EEML 5 (namespace ``…/005``), the XML of API v1.

A program says that it writes version 5 by the version or the namespace of its root element; the path
it sends to does not matter. What differs from 0.5.1:

- a datastream's value and limits are one element, ``<value minValue="0.0" maxValue="34.0">22.3</value>``,
  without a time;
- there is no privacy, no tag of a feed, no creation time, no user and no history: these are neither
  written nor read;
- the location is left out when there is none, and one of its words that nobody knows is ignored;
- the creator is always the company of that time, and times have no fraction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from lxml import etree

from txpachube.codecs import eeml_reader
from txpachube.codecs.eeml_reader import unit_dict
from txpachube.codecs.eeml_writer import write_attributes
from txpachube.codecs.xmlnames import COUNTS, EEML_5, OPENSEARCH, XSI
from txpachube.codecs.xmltext import BLANKS, DECLARATION, attribute, elements, line, text, text_of

__all__ = [
    "CREATOR",
    "VERSION",
    "data_dict",
    "encode_datastream",
    "encode_feed",
    "encode_feed_list",
    "environment_dict",
    "is_version_5",
]

VERSION: Final = "5"

CREATOR: Final = "http://www.haque.co.uk"
"""What the attribute ``creator`` says in every document of this version."""

_MARKS: Final = f'version="{VERSION}" xsi:schemaLocation="{EEML_5} {EEML_5}/005.xsd">\n'
_HEAD: Final = f'{DECLARATION}<eeml xmlns="{EEML_5}" xmlns:xsi="{XSI}" {_MARKS}'
_LIST_HEAD: Final = (
    f'{DECLARATION}<eeml xmlns="{EEML_5}" xmlns:xsi="{XSI}" xmlns:opensearch="{OPENSEARCH}" {_MARKS}'
)

_TEXTS: Final = ("title", "feed", "status", "description", "icon", "website", "email")
_NOT_READ: Final = ("private", "tags", "user", "auto_feed_url", "product_id", "device_serial", "created")
_WORDS: Final = {
    "domain": {"physical", "virtual", ""},
    "exposure": {"indoor", "outdoor", ""},
    "disposition": {"fixed", "mobile", ""},
}
_FRACTION: Final = re.compile(r"\.\d+")


# Reading


def is_version_5(root: etree._Element) -> bool:
    """Say whether a document is of this version, by its root element."""
    return (root.get("version") or "").strip(BLANKS) == VERSION or root.tag.startswith(f"{{{EEML_5}}}")


def environment_dict(element: etree._Element) -> dict[str, Any]:
    """Read a feed from an ``environment`` element of this version."""
    feed = eeml_reader.environment_dict(element, data_dict)
    for name in _NOT_READ:
        feed.pop(name, None)
    location = feed.get("location")
    if location:
        feed["location"] = {
            name: part
            for name, part in location.items()
            if part in _WORDS.get(name, (part,)) and name != "waypoints"
        }
    return feed


def data_dict(element: etree._Element) -> dict[str, Any]:
    """Read a datastream from a ``data`` element of this version."""
    stream: dict[str, Any] = {}
    identifier = element.get("id")
    if identifier is not None:
        stream["id"] = identifier.strip(BLANKS)
    for name, child in elements(element):
        if name == "tag":
            tag = text_of(child)
            stream.setdefault("tags", []).extend([tag] if tag else ())
        elif name == "value":
            stream["current_value"] = text_of(child)
            for limit, spelling in (("max_value", "maxValue"), ("min_value", "minValue")):
                given = child.get(spelling)
                if given is not None:
                    stream[limit] = given.strip(BLANKS)
        elif name == "unit":
            stream["unit"] = unit_dict(child) or None
    return stream


# Writing


def encode_feed(feed: Mapping[str, Any]) -> bytes:
    """Write a feed as v1 answers with it."""
    return (_HEAD + _environment(feed) + "</eeml>\n").encode()


def encode_feed_list(page: Mapping[str, Any]) -> bytes:
    """Write a page of a search's results as v1 answers with it."""
    counts = [line("  ", f"opensearch:{name}", page[name]) for name in COUNTS if page.get(name) is not None]
    feeds = [_environment(feed) for feed in page.get("results") or ()]
    return (_LIST_HEAD + "".join(counts + feeds) + "</eeml>\n").encode()


def encode_datastream(stream: Mapping[str, Any], environment: Mapping[str, Any] | None = None) -> bytes:
    """
    Write one datastream as a document.

    Args:
        stream: what there is.
        environment: the feed it belongs to, of which the attributes are written.
    """
    head = f"  <environment{_attributes(environment or {})}>\n"
    return (_HEAD + head + _data(stream) + "  </environment>\n</eeml>\n").encode()


def _environment(feed: Mapping[str, Any]) -> str:
    lines = [line("    ", name, feed[name]) for name in _TEXTS if feed.get(name) not in (None, "")]
    lines.append(_location(feed.get("location") or {}))
    lines.extend(_data(stream) for stream in feed.get("datastreams") or ())
    return f"  <environment{_attributes(feed)}>\n{''.join(lines)}  </environment>\n"


def _attributes(feed: Mapping[str, Any]) -> str:
    updated = feed.get("updated")
    return write_attributes(
        {
            "updated": _FRACTION.sub("", updated) if updated else None,
            "id": feed.get("id"),
            "creator": CREATOR,
        },
        ("updated", "id", "creator"),
    )


def _location(location: Mapping[str, Any]) -> str:
    # The domain alone is no location: every feed has that one, as its default.
    if not any(part not in (None, "", []) for name, part in location.items() if name != "domain"):
        return ""
    attributes = write_attributes(location, ("domain", "exposure", "disposition"))
    place = [
        line("      ", name, location[name])
        for name in ("name", "lat", "lon", "ele")
        if location.get(name) not in (None, "")
    ]
    if not place:
        return f"    <location{attributes}/>\n"
    return f"    <location{attributes}>\n{''.join(place)}    </location>\n"


def _data(stream: Mapping[str, Any]) -> str:
    inner = "".join(line("      ", "tag", tag) for tag in stream.get("tags") or ())
    inner += _value(stream) + _unit(stream.get("unit") or {})
    head = f'    <data id="{attribute(stream.get("id", ""))}"'
    return f"{head}>\n{inner}    </data>\n" if inner else head + "/>\n"


def _value(stream: Mapping[str, Any]) -> str:
    limits = write_attributes(
        {"minValue": stream.get("min_value"), "maxValue": stream.get("max_value")}, ("minValue", "maxValue")
    )
    value = stream.get("current_value")
    if value is None:
        return f"      <value{limits}/>\n" if limits else ""
    return f"      <value{limits}>{text(value)}</value>\n"


def _unit(unit: Mapping[str, Any]) -> str:
    attributes, label = write_attributes(unit, ("symbol", "type")), unit.get("label")
    if not label:
        return f"      <unit{attributes}/>\n" if attributes else ""
    return f"      <unit{attributes}>{text(label)}</unit>\n"
