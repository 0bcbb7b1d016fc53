"""
Structures in CSV, which carries values and nothing else.

Reading is the codec's. Writing differs from the service's answers in two things, because programs
*send* these documents: a value without a time is a row without a time, and datapoints and current
values of one feed may stand together, so that nothing is left out. What has no place at all (a datapoint
without a time) is refused instead of dropped.

A datastream that never got a value is the row ``door,,""`` in answers, and is read and written so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from txpachube.codecs import csv_v2
from txpachube.codecs.csvtext import join_lines, quoted, rows
from txpachube.errors import InvalidValue

__all__ = [
    "read_datapoint",
    "read_datastream",
    "read_feed",
    "read_feed_list",
    "write_datapoint",
    "write_datastream",
    "write_feed",
    "write_feed_list",
]

read_datapoint = csv_v2.decode_datapoint


def write_datapoint(point: Any) -> bytes:
    """Write the value of a datapoint; its time has no place."""
    if point.value is None:
        raise InvalidValue("value", None, "given, since CSV has nothing else")
    return csv_v2.encode_datapoint(point.toDict())


def write_datastream(stream: Any) -> bytes:
    """Write the datapoints of a datastream with its current value, or that value alone."""
    fields = stream.toDict()
    if fields.get("datapoints"):
        return csv_v2.encode_datapoints(_points(fields))
    return join_lines([",".join(_current(fields))])


def read_datastream(body: bytes) -> dict[str, Any]:
    """Read the value or the datapoints of a datastream."""
    stream = csv_v2.decode_datastream(body)
    if _is_empty(stream) and len(rows(body)[0]) > 1:
        _drop_values([stream])
    return stream


def write_feed(feed: Any) -> bytes:
    """Write the current values of a feed; when there are datapoints, all values sorted by time."""
    streams: list[dict[str, Any]] = feed.toDict().get("datastreams", [])
    if not any(stream.get("datapoints") for stream in streams):
        return join_lines(_named(stream) for stream in streams)
    histories = [{"id": stream["id"], "datapoints": _points(stream)} for stream in streams]
    dated = csv_v2.encode_feed({"datastreams": histories}, history=True)
    undated = join_lines(
        _named(stream)
        for stream in streams
        if stream.get("current_value") is not None and not (stream.get("datapoints") or stream.get("at"))
    )
    return b"\n".join(part for part in (dated, undated) if part)


def read_feed(body: bytes) -> dict[str, Any]:
    """Read the values of a feed; an empty body is the service's answer when there are none."""
    if not body.strip():
        return {"datastreams": []}
    feed = csv_v2.decode_feed(body)
    if any(map(_is_empty, feed["datastreams"])):
        valueless = {row[0] for row in rows(body) if row[1:] == ["", ""]}
        _drop_values(stream for stream in feed["datastreams"] if stream["id"] in valueless)
    return feed


def write_feed_list(page: Any) -> bytes:
    """Write the current values of several feeds."""
    return csv_v2.encode_feed_list(page.toDict())


def read_feed_list(body: bytes) -> dict[str, Any]:
    """Read the current values of several feeds."""
    page = csv_v2.decode_feed_list(body)
    for feed in page["results"]:
        _drop_values(feed["datastreams"])
    return page


def _named(stream: Mapping[str, Any]) -> str:
    return ",".join([quoted(stream["id"]), *_current(stream)])


def _current(stream: Mapping[str, Any]) -> list[str]:
    """Return the columns of a current value: with its time, without one, or the sign that there is none."""
    value = stream.get("current_value")
    if value is None:
        return ["", quoted("")]
    return [quoted(stream["at"]), quoted(value)] if stream.get("at") else [quoted(value)]


def _points(stream: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the datapoints of a datastream and its current value, which is one of them or one more."""
    points = list(stream.get("datapoints", ()))
    if any(not point.get("at") or point.get("value") is None for point in points):
        raise InvalidValue(
            "datapoints", None, "datapoints with a time and a value each, to be carried by CSV"
        )
    at, value = stream.get("at"), stream.get("current_value")
    if value is None or {"at": at, "value": value} in points:
        return points
    if at:
        return [*points, {"at": at, "value": value}]
    if points:
        raise InvalidValue("at", at, "given for a current value that stands beside datapoints in CSV")
    return points


def _is_empty(stream: Mapping[str, Any]) -> bool:
    return stream.get("current_value") == "" and "at" not in stream


def _drop_values(streams: Iterable[dict[str, Any]]) -> None:
    """Take away the empty text that stands for "never got a value"."""
    for stream in streams:
        if _is_empty(stream):
            del stream["current_value"]
