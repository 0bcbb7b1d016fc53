"""
EEML 0.5.1: the API's documents in XML.

The elements are read and written elsewhere (`eeml_reader`, `eeml_writer`); here are the documents around
them, and what other packages use:

- ``decode_*`` and ``encode_*``: bytes to dicts in the JSON spelling and back. Input of version 5 is
  recognised by its version or its namespace and read as well (`eeml_5`). What says nothing of its version is
  read as 0.5.1, or as whatever the caller knows to be ``unmarked`` where it comes from.
- for each element a pair of functions, lxml element to dict and back: ``environment_dict`` and
  ``environment_element``, and likewise ``data_…``, ``unit_…``, ``location_…``, ``waypoint_…`` and
  ``value_…``. The elements they make have no namespace, and hold exactly what the dict holds.

The URL in ``feed`` is written as it comes; it is the caller who knows whether it ends in ``.xml``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from lxml import etree

from txpachube.codecs import eeml_5
from txpachube.codecs.eeml_reader import (
    data_dict,
    environment_dict,
    location_dict,
    unit_dict,
    value_dict,
    waypoint_dict,
)
from txpachube.codecs.eeml_writer import (
    ATTRIBUTES,
    LISTED_ATTRIBUTES,
    write_attributes,
    write_data,
    write_environment,
    write_location,
    write_unit,
    write_value,
    write_waypoint,
)
from txpachube.codecs.xmlnames import COUNTS, EEML, OPENSEARCH, XSI
from txpachube.codecs.xmlsafe import parse
from txpachube.codecs.xmltext import (
    DECLARATION,
    element_of,
    elements,
    integer_or_text,
    line,
    local_name,
    text_of,
)
from txpachube.errors import DecodeError

__all__ = [
    "VERSION",
    "data_dict",
    "data_element",
    "decode_datapoint",
    "decode_datapoints",
    "decode_datastream",
    "decode_feed",
    "decode_feed_list",
    "decode_new_datastreams",
    "encode_datapoint",
    "encode_datapoints",
    "encode_datastream",
    "encode_feed",
    "encode_feed_list",
    "environment_dict",
    "environment_element",
    "location_dict",
    "location_element",
    "unit_dict",
    "unit_element",
    "value_dict",
    "value_element",
    "waypoint_dict",
    "waypoint_element",
]

VERSION: Final = "0.5.1"

_MARKS: Final = f'version="{VERSION}" xsi:schemaLocation="{EEML} {EEML}/{VERSION}.xsd">\n'
_HEAD: Final = f'{DECLARATION}<eeml xmlns="{EEML}" xmlns:xsi="{XSI}" {_MARKS}'
_LIST_HEAD: Final = (
    f'{DECLARATION}<eeml xmlns="{EEML}" xmlns:xsi="{XSI}" xmlns:opensearch="{OPENSEARCH}" {_MARKS}'
)
_FOOT: Final = "</eeml>\n"


# Feeds


def decode_feed(body: bytes, *, unmarked: str = VERSION) -> dict[str, Any]:
    """
    Read a feed: an answer of the service, or what a program wants to be changed.

    The attribute ``updated`` of the environment gives the member of that name; elements called
    ``updated``, ``created`` or ``creator`` are ignored.

    Args:
        body: the document.
        unmarked: the version of a document that doesn't say it.

    Raises:
        DecodeError: it is not XML, or has no environment.
    """
    root = parse(body)
    return _read_environment(root, _environment(root), unmarked)


def _read_environment(
    root: etree._Element, element: etree._Element, unmarked: str = VERSION
) -> dict[str, Any]:
    return eeml_5.environment_dict(element) if _is_version_5(root, unmarked) else environment_dict(element)


def _is_version_5(root: etree._Element, unmarked: str) -> bool:
    if eeml_5.is_version_5(root):
        return True
    marked = (root.get("version") or "").strip() == VERSION or root.tag.startswith(f"{{{EEML}}}")
    return not marked and unmarked == eeml_5.VERSION


def _environment(root: etree._Element) -> etree._Element:
    if local_name(root) == "eeml":
        for name, child in elements(root):
            if name == "environment":
                return child
    raise DecodeError("xml", "Missing 'environment' node from base node")


def encode_feed(feed: Mapping[str, Any], *, keep_empty: bool = False) -> bytes:
    """
    Write a feed.

    Args:
        feed: what there is.
        keep_empty: write a request, with exactly what was given: what is empty clears something. Without,
            an answer is written, which leaves it out.
    """
    return _finished(_HEAD, write_environment(feed, "  ", keep_empty=keep_empty))


def decode_feed_list(body: bytes) -> dict[str, Any]:
    """
    Read a page of a search's results.

    Raises:
        DecodeError: it is not XML, or not EEML.
    """
    root = parse(body)
    if local_name(root) != "eeml":
        raise DecodeError("xml", "Missing 'eeml' node at the root of the document")
    page: dict[str, Any] = {"results": []}
    for name, child in elements(root):
        if name == "environment":
            page["results"].append(_read_environment(root, child))
        elif name in COUNTS:
            page[name] = integer_or_text(text_of(child))
    return page


def encode_feed_list(page: Mapping[str, Any], *, keep_empty: bool = False) -> bytes:
    """Write a page of a search's results; ``keep_empty`` as in `encode_feed`."""
    counts = [line("  ", f"opensearch:{name}", page[name]) for name in COUNTS if page.get(name) is not None]
    feeds = [
        write_environment(feed, "  ", keep_empty=keep_empty, attributes=LISTED_ATTRIBUTES)
        for feed in page.get("results") or ()
    ]
    return _finished(_LIST_HEAD, "".join(counts + feeds))


# Datastreams


def decode_datastream(body: bytes, *, unmarked: str = VERSION) -> dict[str, Any]:
    """
    Read one datastream. A value without a time gets that of the environment, if it has one.

    Args:
        body: the document.
        unmarked: see `decode_feed`.

    Raises:
        DecodeError: it is not XML, or does not hold exactly one datastream.
    """
    root = parse(body)
    environment = _environment(root)
    return _read_data(root, environment, [_only_data(environment, "Datastream")], unmarked)[0]


def decode_new_datastreams(body: bytes, *, unmarked: str = VERSION) -> list[dict[str, Any]]:
    """
    Read the datastreams that are to be created; times as in `decode_datastream`.

    Args:
        body: the document.
        unmarked: see `decode_feed`.

    Raises:
        DecodeError: it is not XML, or has no environment.
    """
    root = parse(body)
    environment = _environment(root)
    return _read_data(root, environment, _children(environment, "data"), unmarked)


def _read_data(
    root: etree._Element, environment: etree._Element, found: Sequence[etree._Element], unmarked: str
) -> list[dict[str, Any]]:
    read: Callable[[etree._Element], dict[str, Any]] = (
        eeml_5.data_dict if _is_version_5(root, unmarked) else data_dict
    )
    streams = [read(element) for element in found]
    updated = (environment.get("updated") or "").strip()
    if updated:
        for stream in streams:
            if "current_value" in stream:
                stream.setdefault("at", updated)
    return streams


def encode_datastream(
    stream: Mapping[str, Any], environment: Mapping[str, Any] | None = None, *, keep_empty: bool = False
) -> bytes:
    """
    Write one datastream as a document.

    Args:
        stream: what there is.
        environment: the feed it belongs to, of which the attributes are written.
        keep_empty: see `encode_feed`.
    """
    attributes = write_attributes(environment or {}, ATTRIBUTES)
    data = write_data(stream, "    ", keep_empty=keep_empty)
    return _finished(_HEAD, f"  <environment{attributes}>\n{data}  </environment>\n")


# Datapoints


def decode_datapoints(body: bytes) -> list[dict[str, Any]]:
    """
    Read the datapoints of one datastream.

    Raises:
        DecodeError: it is not XML, or does not hold exactly one datastream with a ``datapoints`` element.
    """
    return [value_dict(element) for element in _values(parse(body))]


def decode_datapoint(body: bytes) -> dict[str, Any]:
    """
    Read one datapoint.

    Raises:
        DecodeError: it is not XML, or does not hold exactly one value.
    """
    found = _values(parse(body))
    if not found:
        raise DecodeError("xml", "Missing 'value' node from source document")
    if len(found) > 1:
        raise DecodeError("xml", "Multiple 'value' nodes are not permitted for Datapoint level XML")
    return value_dict(found[0])


def _values(root: etree._Element) -> list[etree._Element]:
    parents = _children(_only_data(_environment(root), "Datapoint"), "datapoints")
    if not parents:
        raise DecodeError("xml", "Missing 'datapoints' node from source document")
    return [value for parent in parents for value in _children(parent, "value")]


def encode_datapoints(points: Sequence[Mapping[str, Any]]) -> bytes:
    """Write the datapoints that are to be stored."""
    values = "".join([write_value(point, "        ") for point in points])
    datapoints = f"      <datapoints>\n{values}      </datapoints>\n" if values else "      <datapoints/>\n"
    return _finished(_HEAD, f"  <environment>\n    <data>\n{datapoints}    </data>\n  </environment>\n")


def encode_datapoint(point: Mapping[str, Any]) -> bytes:
    """Write one datapoint as a document."""
    return encode_datapoints([point])


def _only_data(environment: etree._Element, level: str) -> etree._Element:
    found = _children(environment, "data")
    if not found:
        raise DecodeError("xml", "Missing 'data' node from source document")
    if len(found) > 1:
        raise DecodeError("xml", f"Multiple 'data' nodes are not permitted for {level} level XML")
    return found[0]


def _children(parent: etree._Element, wanted: str) -> list[etree._Element]:
    return [child for name, child in elements(parent) if name == wanted]


def _finished(head: str, inner: str) -> bytes:
    return (head + inner + _FOOT).encode()


# Elements


def environment_element(feed: Mapping[str, Any]) -> etree._Element:
    """Make an ``environment`` element of a feed."""
    return element_of(write_environment(feed, "", keep_empty=True))


def data_element(stream: Mapping[str, Any]) -> etree._Element:
    """Make a ``data`` element of a datastream."""
    return element_of(write_data(stream, "", keep_empty=True))


def unit_element(unit: Mapping[str, Any]) -> etree._Element:
    """Make a ``unit`` element."""
    return element_of(write_unit(unit, "", keep_empty=True))


def location_element(location: Mapping[str, Any]) -> etree._Element:
    """Make a ``location`` element."""
    return element_of(write_location(location, "", keep_empty=True))


def waypoint_element(waypoint: Mapping[str, Any]) -> etree._Element:
    """Make a ``waypoint`` element."""
    return element_of(write_waypoint(waypoint, "", keep_empty=True))


def value_element(point: Mapping[str, Any]) -> etree._Element:
    """Make a ``value`` element of a datapoint."""
    return element_of(write_value(point, ""))
