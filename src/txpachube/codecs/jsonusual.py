"""
The documents of JSON 1.0.0 as well-made programs send them, for reading one with a single call.

A document in which something is of another type does not fit here; that is no error, it is only
read with more patience then (see `txpachube.codecs.json_v1`). Members not named here are skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, TypedDict

import msgspec
from msgspec import Raw, ValidationError

from txpachube.codecs.jsontext import broken

__all__ = [
    "Count",
    "Datapoint",
    "DatapointsDocument",
    "Feed",
    "FeedList",
    "Location",
    "Stream",
    "StreamDocument",
    "Unit",
    "User",
    "Waypoint",
    "datapoint",
    "datapoints",
    "datastream",
    "feed",
    "feed_list",
]

Count = Annotated[int, msgspec.Meta(ge=0, lt=10**18)]
"""An id or a number of things; the patient way leaves every other number a text."""


class Unit(TypedDict, total=False):
    type: str | None
    symbol: str | None
    label: str | None


class Datapoint(TypedDict, total=False):
    at: str
    value: str


class Stream(TypedDict, total=False):
    id: str
    current_value: str
    at: str
    max_value: str
    min_value: str
    tags: list[str]
    unit: Unit | None
    datapoints_function: str
    datapoints: list[Datapoint]


class Waypoint(TypedDict, total=False):
    at: str
    lat: float | int | str | None
    lon: float | int | str | None
    ele: str


class Location(TypedDict, total=False):
    disposition: str | None
    name: str | None
    exposure: str | None
    domain: str | None
    ele: str | None
    lat: float | int | str | None
    lon: float | int | str | None
    waypoints: list[Waypoint]


class User(TypedDict, total=False):
    login: str


class Feed(TypedDict, total=False):
    id: Count
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
    user: User
    version: str
    datastreams: list[Stream]
    location: Location | None
    product_id: str | None
    device_serial: str | None


class FeedList(TypedDict, total=False):
    totalResults: Count
    startIndex: Count
    itemsPerPage: Count
    results: list[Feed]


class StreamDocument(Stream, total=False):
    version: str
    datastreams: Raw


class DatapointsDocument(TypedDict, total=False):
    datapoints: list[Datapoint]
    datastreams: Raw


_NUL: Final = b"\\u0000"


def _quickly(kind: Any) -> Callable[[bytes], Any]:
    decode = msgspec.json.Decoder(kind).decode

    def read(body: bytes) -> Any:
        if _NUL in body:  # only the patient way sees whether it is a NUL character, and one that counts
            return None
        try:
            return decode(body)
        except ValidationError:
            return None
        except (msgspec.MsgspecError, RecursionError, ValueError) as problem:
            raise broken(problem) from None

    return read


# Each takes a checked body and returns the document, or None when that is not of the usual types, and
# raises a `DecodeError` when it is not JSON at all.
feed: Final = _quickly(Feed)
feed_list: Final = _quickly(FeedList)
datastream: Final = _quickly(StreamDocument)
datapoint: Final = _quickly(Datapoint)
datapoints: Final = _quickly(DatapointsDocument | list[Datapoint])
