"""
The documents of JSON 1.0.0 as most programs send them, for reading one with a single call.

There are two kinds of usual: all values are texts, as the API writes them, or values (and ids) are
numbers, as programs like to. In the second kind they are left unread and replaced afterwards by the
text they are, so that ``1.50`` stays ``1.50``. A document that fits neither is no error, it is only
read with more patience then (see `txpachube.codecs.json_v1`). Members not named here are skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, TypedDict

import msgspec
from msgspec import Raw, ValidationError

from txpachube.codecs.jsontext import broken

__all__ = ["datapoint", "datapoints", "datastream", "feed", "feed_list"]

_Count = Annotated[int, msgspec.Meta(ge=0, lt=10**18)]
"""An id or a number of things; the patient way leaves every other number a text."""


class _Unit(TypedDict, total=False):
    type: str | None
    symbol: str | None
    label: str | None


class _Datapoint(TypedDict, total=False):
    at: str
    value: str


class _UnreadDatapoint(TypedDict, total=False):
    at: str
    value: Raw


class _StreamMetadata(TypedDict, total=False):
    at: str
    tags: list[str]
    unit: _Unit | None
    datapoints_function: str
    updated: str


class _Stream(_StreamMetadata, total=False):
    id: str
    current_value: str
    max_value: str
    min_value: str
    datapoints: list[_Datapoint]


class _UnreadStream(_StreamMetadata, total=False):
    id: Raw
    current_value: Raw
    max_value: Raw
    min_value: Raw
    datapoints: list[_UnreadDatapoint]


class _Waypoint(TypedDict, total=False):
    at: str
    lat: float | int | str | None
    lon: float | int | str | None
    ele: str


class _Location(TypedDict, total=False):
    disposition: str | None
    name: str | None
    exposure: str | None
    domain: str | None
    ele: str | None
    lat: float | int | str | None
    lon: float | int | str | None
    waypoints: list[_Waypoint]


class _User(TypedDict, total=False):
    login: str


class _FeedMetadata(TypedDict, total=False):
    id: _Count
    title: str | None
    private: bool | str | None
    icon: str | None
    website: str | None
    tags: list[str]
    description: str | None
    feed: str | None
    auto_feed_url: str | None
    status: str | None
    updated: str
    created: str
    email: str | None
    creator: str | None
    user: _User
    version: str
    location: _Location | None
    product_id: str | None
    device_serial: str | None


class _Feed(_FeedMetadata, total=False):
    datastreams: list[_Stream]


class _UnreadFeed(_FeedMetadata, total=False):
    datastreams: list[_UnreadStream]


class _Page(TypedDict, total=False):
    totalResults: _Count
    startIndex: _Count
    itemsPerPage: _Count


class _FeedList(_Page, total=False):
    results: list[_Feed]


class _UnreadFeedList(_Page, total=False):
    results: list[_UnreadFeed]


class _StreamDocument(_Stream, total=False):
    version: str
    datastreams: Raw


class _UnreadStreamDocument(_UnreadStream, total=False):
    version: str
    datastreams: Raw


class _DatapointsDocument(TypedDict, total=False):
    datapoints: list[_Datapoint]
    datastreams: Raw


class _UnreadDatapointsDocument(TypedDict, total=False):
    datapoints: list[_UnreadDatapoint]
    datastreams: Raw


_decode_string = msgspec.json.Decoder(str).decode


class _Unusual(Exception):
    """What stands in the place of a value is neither a text nor a number nor a boolean."""


def _read_values(members: Any, names: tuple[str, ...]) -> None:
    for name in names:
        unread = members.get(name)
        if unread is not None:
            literal = bytes(unread)
            if literal[0] == 0x22:
                members[name] = _decode_string(literal)
            elif literal[0] in b"{[n":
                raise _Unusual
            else:
                members[name] = literal.decode()


def _read_stream(stream: Any) -> None:
    _read_values(stream, ("id", "current_value", "max_value", "min_value"))
    _read_points(stream)


def _read_streams(feed: Any) -> None:
    for stream in feed.get("datastreams", ()):
        _read_stream(stream)


def _read_results(page: Any) -> None:
    for result in page.get("results", ()):
        _read_streams(result)


def _read_points(document: Any) -> None:
    for point in document if isinstance(document, list) else document.get("datapoints", ()):
        _read_values(point, ("value",))


def _read_point(point: Any) -> None:
    _read_values(point, ("value",))


_NUL: Final = b"\\u0000"


def _quickly(usual: Any, unread: Any, read_values: Callable[[Any], None]) -> Callable[[bytes], Any]:
    decode = msgspec.json.Decoder(usual).decode
    decode_unread = msgspec.json.Decoder(unread).decode

    def read(body: bytes) -> Any:
        if _NUL in body:  # only the patient way sees whether it is a NUL character, and one that counts
            return None
        try:
            try:
                return decode(body)
            except ValidationError:
                document = decode_unread(body)
                read_values(document)
                return document
        except (ValidationError, _Unusual):
            return None
        except (msgspec.MsgspecError, RecursionError) as problem:
            raise broken(problem, body) from None

    return read


# Each takes a checked body and returns the document, or None when that is not of the usual types, and
# raises a `DecodeError` when it is not JSON at all.
feed: Final = _quickly(_Feed, _UnreadFeed, _read_streams)
datastream: Final = _quickly(_StreamDocument, _UnreadStreamDocument, _read_stream)
datapoint: Final = _quickly(_Datapoint, _UnreadDatapoint, _read_point)
datapoints: Final = _quickly(
    _DatapointsDocument | list[_Datapoint], _UnreadDatapointsDocument | list[_UnreadDatapoint], _read_points
)
feed_list: Final = _quickly(_FeedList, _UnreadFeedList, _read_results)
