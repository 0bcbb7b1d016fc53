"""
CSV version 2: values and nothing else.

The columns are, from the right: the value, its time, the datastream, the feed. A document shows as
many of them as its place leaves open:

====================  ===================
a list of feeds       FEED,ID,AT,VALUE
a feed                ID,AT,VALUE
a datastream          AT,VALUE
a datapoint           VALUE
====================  ===================

Input may leave the time out. Several rows of one datastream are its history and then each needs a time.
A datastream without a value is written with an empty time and a quoted empty value: ``door,,""``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from txpachube import times
from txpachube.codecs.csvtext import fault, join_lines, quoted, rows
from txpachube.codecs.values import plain_text

__all__ = [
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
]

# Old programs know these by their text.
_FEED_EMPTY: Final = "Submitted CSV is empty."
_FEED_FIELDS: Final = "CSV is invalid. Incorrect number of fields"
_FEED_TIMES: Final = "CSV is invalid. If multiple values given they must include a timestamp for all values"
_STREAM_EMPTY: Final = "CSV is invalid. Submitted data appears to be empty"
_STREAM_FIELDS: Final = (
    "CSV is invalid. Too many fields; must only be a single value, or a timestamp and a value"
)
_STREAM_TIMES: Final = (
    "CSV is invalid. If multiple values are included, then a timestamp and value must be submitted"
    " for every row"
)


# Feeds


def decode_feed(body: bytes) -> dict[str, Any]:
    """
    Read rows ``ID,VALUE`` or ``ID,AT,VALUE``.

    Returns:
        A feed with only its ``datastreams``, in the order of their first rows. One row gives a current
        value, several rows give datapoints.

    Raises:
        DecodeError: it is empty, not CSV, or not such rows.
    """
    return {"datastreams": _streams(_rows_of(body, at_least=2))}


def decode_new_datastreams(body: bytes) -> list[dict[str, Any]]:
    """
    Read the datastreams that are to be created: rows as for a feed, or only an id.

    Raises:
        DecodeError: as for `decode_feed`.
    """
    return _streams(_rows_of(body, at_least=1))


def _rows_of(body: bytes, at_least: int) -> list[list[str]]:
    found = rows(body)
    if not found:
        raise fault(_FEED_EMPTY)
    if any(not at_least <= len(row) <= 3 for row in found):
        raise fault(_FEED_FIELDS)
    return found


def _streams(found: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    by_id: dict[str, list[Sequence[str]]] = {}
    for identifier, *point in found:
        by_id.setdefault(identifier, []).append(point)
    return [{"id": identifier, **_values(points, _FEED_TIMES)} for identifier, points in by_id.items()]


def _values(points: Sequence[Sequence[str]], without_times: str) -> dict[str, Any]:
    """Return what the rows of one datastream say: its value, or its history."""
    if len(points) == 1:
        point = points[0]
        if not point:
            return {}
        if len(point) == 1 or not point[0]:
            return {"current_value": point[-1]}
        return {"current_value": point[1], "at": point[0]}
    if any(len(point) != 2 or not point[0] for point in points):
        raise fault(without_times)
    return {"datapoints": [{"at": at, "value": value} for at, value in points]}


def encode_feed(feed: Mapping[str, Any], *, history: bool = False, depth: int = 3) -> bytes:
    """
    Write a feed: a row per datastream, or per datapoint.

    Args:
        feed: of which the ``datastreams`` and their values count.
        history: write all datapoints of all datastreams, sorted by time, instead of current values.
        depth: how many columns, counted from the right.
    """
    return join_lines(_feed_lines(feed, history, depth))


def _feed_lines(feed: Mapping[str, Any], history: bool, depth: int) -> list[str]:
    feed_id = plain_text(feed.get("id", ""))
    streams: Sequence[Mapping[str, Any]] = feed.get("datastreams") or ()
    if not history:
        return [_current_line(feed_id, stream, depth) for stream in streams]
    points = [
        (point, _front(feed_id, stream, depth))
        for stream in streams
        for point in stream.get("datapoints") or ()
    ]
    in_utc = all(point.get("at", "").endswith("Z") for point, _ in points)
    points.sort(key=lambda pair: _by_text(pair[0]) if in_utc else _by_moment(pair[0]))
    return [front + _point_columns(point, depth) for point, front in points]


def _by_text(point: Mapping[str, Any]) -> tuple[int, str]:
    # Answers write every time in one pattern, so that texts in UTC sort as the times do.
    return 0, point.get("at", "")


def _by_moment(point: Mapping[str, Any]) -> tuple[int, str]:
    # With a time zone, offsets differ around a change of the clocks.
    at = point.get("at", "")
    try:
        return times.parse(at), ""
    except ValueError:
        return times.EARLIEST, at


def _current_line(feed_id: str, stream: Mapping[str, Any], depth: int) -> str:
    return _front(feed_id, stream, depth) + _columns(stream.get("at"), stream.get("current_value"), depth)


def _front(feed_id: str, stream: Mapping[str, Any], depth: int) -> str:
    """Return the columns in front of the time, with the comma that ends them."""
    if depth < 3:
        return ""
    stream_id = stream.get("id")
    front = (quoted(plain_text(stream_id)) if stream_id else "") + ","
    return f"{quoted(feed_id) if feed_id else ''},{front}" if depth > 3 else front


def _point_columns(point: Mapping[str, Any], depth: int) -> str:
    return _columns(point.get("at"), point.get("value"), depth)


def _columns(at: str | None, value: Any, depth: int) -> str:
    last = quoted(plain_text("" if value is None else value))
    if depth < 2:
        return last
    return f"{quoted(at)},{last}" if at else f",{last}"


def decode_feed_list(body: bytes) -> dict[str, Any]:
    """
    Read rows ``FEED,ID,AT,VALUE``.

    Returns:
        A list with only its ``results``, which is empty for an empty body. Feeds without datastreams don't
        appear in this format, and neither do totals.

    Raises:
        DecodeError: it is not CSV, or not such rows.
    """
    by_feed: dict[str, list[Sequence[str]]] = {}
    for row in rows(body):
        if len(row) != 4:
            raise fault(_FEED_FIELDS)
        by_feed.setdefault(row[0], []).append(row[1:])
    return {
        "results": [
            {"id": int(feed_id) if _is_id(feed_id) else feed_id, "datastreams": _streams(found)}
            for feed_id, found in by_feed.items()
        ]
    }


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def encode_feed_list(page: Mapping[str, Any], *, depth: int = 4) -> bytes:
    """Write the current values of a list of feeds: a row per datastream."""
    return join_lines(
        line for feed in page.get("results") or () for line in _feed_lines(feed, history=False, depth=depth)
    )


# Datastreams


def decode_datastream(body: bytes) -> dict[str, Any]:
    """
    Read ``VALUE`` or ``AT,VALUE``, or several rows of the latter.

    Returns:
        A datastream with its current value or its datapoints, without an id.

    Raises:
        DecodeError: it is empty, not CSV, or not such rows.
    """
    return _values(_points_of(body), _STREAM_TIMES)


def _points_of(body: bytes) -> list[list[str]]:
    found = rows(body)
    if not found:
        raise fault(_STREAM_EMPTY)
    if any(len(row) > 2 for row in found):
        raise fault(_STREAM_FIELDS)
    return found


def encode_datastream(
    stream: Mapping[str, Any],
    environment: Mapping[str, Any] | None = None,
    *,
    history: bool = False,
    depth: int = 2,
) -> bytes:
    """
    Write a datastream: one row, or one per datapoint.

    Args:
        stream: what there is.
        environment: the feed it belongs to, for its id.
        history: write the datapoints; when there are none, the current value after all.
        depth: how many columns, counted from the right.
    """
    feed_id = plain_text((environment or {}).get("id", ""))
    if history and stream.get("datapoints"):
        front = _front(feed_id, stream, depth)
        return join_lines([front + _point_columns(point, depth) for point in stream["datapoints"]])
    return join_lines([_current_line(feed_id, stream, depth)])


# Datapoints


def decode_datapoints(body: bytes) -> list[dict[str, Any]]:
    """
    Read rows ``AT,VALUE``; a single row may leave the time out.

    Raises:
        DecodeError: as for `decode_datastream`.
    """
    values = decode_datastream(body)
    if "datapoints" in values:
        points: list[dict[str, Any]] = values["datapoints"]
        return points
    return [_point(values)]


def _point(values: Mapping[str, Any]) -> dict[str, Any]:
    point = {"value": values["current_value"]}
    return {"at": values["at"], **point} if "at" in values else point


def encode_datapoints(points: Sequence[Mapping[str, Any]]) -> bytes:
    """Write the datapoints that are to be stored."""
    return join_lines([_point_columns(point, 2) for point in points])


def decode_datapoint(body: bytes) -> dict[str, Any]:
    """
    Read ``VALUE``; a time in front of it is understood.

    Raises:
        DecodeError: as for `decode_datastream`; also for several rows.
    """
    found = _points_of(body)
    if len(found) > 1:
        raise fault(f"expected one value, got {len(found)} rows")
    return _point(_values(found, _STREAM_TIMES))


def encode_datapoint(point: Mapping[str, Any]) -> bytes:
    """Write one datapoint: its value alone."""
    return join_lines([_point_columns(point, 1)])
