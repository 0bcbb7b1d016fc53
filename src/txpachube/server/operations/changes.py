"""
Decoded documents -> what storage is to do.

Decoders have checked that a document has the right shape. Here its meaning is checked: every fault
is collected and the whole request refused with 422, or a `FeedChange` comes out that storage can
carry out as it is. What is absent in a document stays as it was, what is present and empty is
cleared.

A device sends the same few values again and again, so that case (known datastreams, nothing but
``id``, ``current_value`` and ``at``) takes no function call per datastream beyond building its
change.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any, Final

from txpachube import times
from txpachube.api.problems import Problem, unprocessable
from txpachube.server.operations import metadata
from txpachube.server.storage.records import UNCHANGED, Feed, FeedChange, Stream, StreamChange

__all__ = [
    "MAX_POINTS",
    "MAX_VALUE",
    "STREAM_TAKEN",
    "moment",
    "new_streams",
    "of_datapoints",
    "of_feed",
    "of_stream",
    "point_value",
    "touches_only",
]

MAX_POINTS: Final = 500
"""Datapoints one request may write, over all its datastreams; current values don't count."""

MAX_VALUE: Final = 255
"""Characters of a value."""

VALUE_TOO_LONG: Final = f"Value is too long (maximum is {MAX_VALUE} characters)"
CURRENT_VALUE_TOO_LONG: Final = f"Current value is too long (maximum is {MAX_VALUE} characters)"
NO_VALUE: Final = "Value can't be blank"
BAD_TIMESTAMP: Final = "Timestamp is invalid"
STREAM_TAKEN: Final = "Stream ID has already been taken"
TOO_MANY_POINTS: Final = f"Too many datapoints (maximum is {MAX_POINTS})"

Document = Mapping[str, Any]


def of_feed(document: Document, feed: Feed | None, arrived: int, zone: tzinfo | None = None) -> FeedChange:
    """
    Return the change that the body of a PUT on a feed, or of the creation of one, asks for.

    Args:
        document: the decoded feed.
        feed: the feed it is about, or None when it is to be created; then it needs a title.
        arrived: when the request arrived.
        zone: where times without offset belong.

    Raises:
        Problem: 422 with everything that is wrong.
    """
    faults: list[str] = []
    change = FeedChange(arrived, True)
    default = _moment(document.get("updated"), arrived, zone, faults) if "updated" in document else arrived
    metadata.change_feed(document, change, feed, default, faults)
    entries = document.get("datastreams")
    if entries:
        known: Mapping[str, Stream] = {} if feed is None else feed.streams
        change.streams = _streams(entries, known, arrived, default, zone, faults)
    if faults:
        raise _refused(faults)
    return change


def of_stream(document: Document, stream: Stream, arrived: int, zone: tzinfo | None = None) -> FeedChange:
    """
    Return the change that the body of a PUT on a datastream asks for.

    The body is the datastream itself or a feed around it. The id in a bare datastream, or in the only
    one of a feed, is ignored; of several the one with the right id counts.

    Raises:
        Problem: 422 with everything that is wrong.
    """
    faults: list[str] = []
    default = (
        _moment(document.get("updated"), arrived, zone, faults) if "datastreams" in document else arrived
    )
    entry = _own_entry(document, stream.id)
    change = StreamChange(stream.id)
    _fill(change, entry, arrived, default, zone, faults)
    if len(entry.get("datapoints") or ()) > MAX_POINTS:
        faults.append(TOO_MANY_POINTS)
    if faults:
        raise _refused(faults)
    return FeedChange(arrived, False, streams=[change], existing="must")


def new_streams(
    entries: Sequence[Document], feed: Feed, arrived: int, zone: tzinfo | None = None
) -> FeedChange:
    """
    Return the change that the body of a POST of datastreams asks for.

    Raises:
        Problem: 422 with everything that is wrong, also when one of them exists.
    """
    if not entries:
        raise unprocessable("Datastreams can't be blank")
    faults: list[str] = []
    streams = _streams(entries, {}, arrived, arrived, zone, faults)
    if any(stream.id in feed.streams for stream in streams):
        faults.append(STREAM_TAKEN)
    if faults:
        raise _refused(faults)
    return FeedChange(arrived, False, streams=streams, existing="must not")


def of_datapoints(
    entries: Sequence[Document], stream: Stream, arrived: int, zone: tzinfo | None = None
) -> FeedChange:
    """
    Return the change that the body of a POST of datapoints asks for.

    Raises:
        Problem: 422 with everything that is wrong.
    """
    faults: list[str] = []
    if len(entries) > MAX_POINTS:
        faults.append(TOO_MANY_POINTS)
    change = StreamChange(stream.id)
    _add_points(change, entries, arrived, zone, faults)
    if faults:
        raise _refused(faults)
    return FeedChange(arrived, False, streams=[change], existing="must")


def touches_only(change: FeedChange, streams: Collection[str]) -> bool:
    """Say whether a change is about nothing but these datastreams."""
    return (
        not change.fields
        and change.private is UNCHANGED
        and change.tags is UNCHANGED
        and change.location is UNCHANGED
        and all(stream.id in streams for stream in change.streams)
    )


def point_value(document: Document) -> str:
    """
    Return the value in the body of a PUT on one datapoint.

    Raises:
        Problem: 422 when there is none or it is too long.
    """
    value = document.get("value")
    if value is None:
        raise unprocessable(NO_VALUE)
    if len(value) > MAX_VALUE:
        raise unprocessable(VALUE_TOO_LONG)
    text: str = value
    return text


def moment(text: object, zone: tzinfo | None = None) -> int:
    """
    Return the time a text in a body stands for.

    Raises:
        ValueError: it is unreadable, or not within the years that are stored.
    """
    if not isinstance(text, str):
        raise ValueError("a timestamp is a text")
    at = times.parse(text, zone or UTC)
    if not times.EARLIEST <= at <= times.LATEST:
        raise ValueError("not within the years that are stored")
    return at


def _refused(faults: list[str]) -> Problem:
    # A thousand datastreams with the same fault are told once.
    return unprocessable(*dict.fromkeys(faults))


def _moment(text: object, default: int, zone: tzinfo | None, faults: list[str]) -> int:
    if text is None or text == "":
        return default
    try:
        return moment(text, zone)
    except ValueError:
        faults.append(BAD_TIMESTAMP)
        return default


def _streams(
    entries: Sequence[Document],
    known: Container[str],
    arrived: int,
    default: int,
    zone: tzinfo | None,
    faults: list[str],
) -> list[StreamChange]:
    """Return the changes of several datastreams and note what is wrong with them."""
    changes: list[StreamChange] = []
    ids: set[str] = set()
    duplicates: list[str] = []
    count = 0
    for entry in entries:
        stream_id: Any = entry.get("id")
        if stream_id not in known:
            fault = metadata.stream_id_fault(stream_id)
            if fault is not None:
                faults.append(fault)
                continue
        if stream_id in ids:
            duplicates.append(stream_id)
            continue
        ids.add(stream_id)
        change = StreamChange(stream_id)
        changes.append(change)
        value = entry.get("current_value")
        if len(entry) == 2 and value is not None:  # the usual case: an id and a value
            if len(value) > MAX_VALUE:
                faults.append(CURRENT_VALUE_TOO_LONG)
            change.points.append((default, value))
            continue
        _fill(change, entry, arrived, default, zone, faults)
        count += len(entry.get("datapoints") or ())
    if duplicates:
        faults.append(f"Datastreams can't have duplicate IDs: {','.join(dict.fromkeys(duplicates))}")
    if count > MAX_POINTS:
        faults.append(TOO_MANY_POINTS)
    return changes


def _fill(
    change: StreamChange,
    entry: Document,
    arrived: int,
    default: int,
    zone: tzinfo | None,
    faults: list[str],
) -> None:
    """Put everything a datastream's document says into its change."""
    at = _moment(entry.get("at"), default, zone, faults)
    value = entry.get("current_value")
    if value is not None:
        if len(value) > MAX_VALUE:
            faults.append(CURRENT_VALUE_TOO_LONG)
        change.points.append((at, value))
    metadata.change_stream(entry, change, faults)
    points = entry.get("datapoints")
    if points:
        _add_points(change, points, arrived, zone, faults)


def _add_points(
    change: StreamChange, entries: Sequence[Document], arrived: int, zone: tzinfo | None, faults: list[str]
) -> None:
    """
    Put datapoints into a datastream's change.

    Those without a time get the arrival time, and each one a microsecond more than the one before,
    lest they overwrite each other or a current value of the same request.
    """
    untimed = arrived + 1 if any(at == arrived for at, _ in change.points) else arrived
    for entry in entries:
        value = entry.get("value")
        if value is None:
            faults.append(NO_VALUE)
            continue
        if len(value) > MAX_VALUE:
            faults.append(VALUE_TOO_LONG)
        text = entry.get("at")
        if text is None or text == "":
            at = untimed
            untimed += 1
        else:
            at = _moment(text, arrived, zone, faults)
        change.points.append((at, value))


def _own_entry(document: Document, stream_id: str) -> Document:
    if "datastreams" not in document:
        return document
    entries: Sequence[Document] = document["datastreams"] or ()
    if len(entries) == 1:
        return entries[0]
    for entry in entries:
        if entry.get("id") == stream_id:
            return entry
    raise unprocessable("Datastreams must include the datastream that is updated")
