"""What may be in the parts of feeds and datastreams that are not data."""

from __future__ import annotations

from typing import Any

import pytest

from txpachube.server.operations import metadata
from txpachube.server.storage.records import UNCHANGED, Feed, FeedChange, StreamChange, location_after

PLACE: dict[str, str | float] = {
    "name": "Hut 3",
    "lat": 52.1,
    "lon": 9.36,
    "ele": "41.0",
    "exposure": "outdoor",
}


def _feed(document: dict[str, Any], *, new: bool = False) -> tuple[FeedChange, list[str]]:
    change, faults = FeedChange(0, True), list[str]()
    feed = Feed(1, 1, "rosa", False, {"title": "Greenhouse"}, 0, 0, location=dict(PLACE))
    metadata.change_feed(document, change, None if new else feed, 7, faults)
    return change, faults


def _stream(document: dict[str, Any]) -> tuple[StreamChange, list[str]]:
    change, faults = StreamChange("temp"), list[str]()
    metadata.change_stream(document, change, faults)
    return change, faults


def test_texts_are_set_and_cleared() -> None:
    """Empty and null clear; a description may be long."""
    document = {"title": " T ", "website": "", "icon": None, "email": "a@b", "description": "x" * 5000}
    change, faults = _feed({**document, "auto_feed_url": ""})
    assert faults == []
    assert change.fields == {
        "title": " T ",
        "website": None,
        "icon": None,
        "email": "a@b",
        "description": "x" * 5000,
        "auto_feed_url": None,
    }


def test_what_is_not_there_is_not_changed() -> None:
    """An empty document changes nothing, and unknown or read-only members neither."""
    change, faults = _feed({"id": 5, "creator": "x", "status": "live", "unknown": [], "product_id": "p"})
    assert (change.fields, change.private, change.tags, change.location, faults) == (
        {},
        UNCHANGED,
        UNCHANGED,
        UNCHANGED,
        [],
    )
    stream, faults = _stream({"id": "x", "at": "y", "datapoints_function": "z"})
    assert (stream.tags, stream.unit, stream.max_value, stream.min_value) == (UNCHANGED,) * 4
    assert faults == []


def test_only_a_new_feed_needs_a_title() -> None:
    """But no feed may have an empty one."""
    assert _feed({})[1] == []
    assert _feed({}, new=True)[1] == ["Title can't be blank"]
    assert _feed({"title": ""})[1] == ["Title can't be blank"]


def test_texts_that_are_none_are_refused() -> None:
    """A title or a description is a text."""
    assert _feed({"title": 5})[1] == ["Title is invalid"]
    assert _feed({"description": 5})[1] == ["Description is invalid"]


@pytest.mark.parametrize("value", [True, "true", "1", 1, " TRUE "])
def test_words_for_private(value: object) -> None:
    """A boolean, or a word or digit for it."""
    assert _feed({"private": value})[0].private is True


@pytest.mark.parametrize("value", [False, "false", "0", 0])
def test_words_for_public(value: object) -> None:
    """The opposite boolean, word or digit."""
    assert _feed({"private": value})[0].private is False


@pytest.mark.parametrize("value", ["", None])
def test_blank_does_not_publish(value: object) -> None:
    """A program that sends every field it knows does not make its owner's feed public."""
    change, faults = _feed({"private": value})
    assert change.private is UNCHANGED
    assert faults == []


def test_tags_are_normalised() -> None:
    """A list or a comma-separated text; sorted without case, without duplicates and quotes."""
    assert _feed({"tags": ["b", "A", "b", "", 'c"']})[0].tags == ["A", "b", "c"]
    assert _feed({"tags": 'b, "x, y",A'})[0].tags == ["A", "b", "x, y"]
    assert _feed({"tags": None})[0].tags == []
    assert _feed({"tags": "a" * 255})[1] == []
    assert _feed({"tags": [5]})[1] == ["Tags is invalid"]


def test_a_location_is_merged_into_the_old_one() -> None:
    """Given parts replace, empty ones go, others stay; the moment since when it holds is passed on."""
    change, faults = _feed({"location": {"lat": "-1.5", "ele": 3, "exposure": "", "waypoints": [1]}})
    assert (change.location, change.location_at, faults) == (
        {"lat": -1.5, "ele": "3", "exposure": None},
        7,
        [],
    )
    assert isinstance(change.location, dict)
    assert location_after(PLACE, change.location) == {"name": "Hut 3", "lat": -1.5, "lon": 9.36, "ele": "3"}
    for document, after in (({"location": {}}, PLACE), ({"location": None}, {})):
        given = _feed(document)[0].location
        assert isinstance(given, dict)
        assert location_after(PLACE, given) == after


@pytest.mark.parametrize(
    ("part", "value"), [("lat", 90), ("lat", "-90.0"), ("lon", 180), ("lon", "-1.8e2"), ("lat", 0)]
)
def test_the_ends_of_the_world_are_places(part: str, value: object) -> None:
    """The poles and the date line are allowed, and zero is a coordinate."""
    change, faults = _feed({"location": {part: value}})
    assert faults == []
    assert isinstance(change.location, dict)
    assert change.location[part] == float(str(value))


@pytest.mark.parametrize("value", [[], {}, "x"])
def test_a_location_is_an_object(value: object) -> None:
    """Anything else is refused, unless it is empty text."""
    assert _feed({"location": [1] if value == [] else value})[1] == (
        [] if value == {} else ["Location is invalid"]
    )


def test_a_unit_is_replaced_as_a_whole() -> None:
    """Empty parts are left out; each type of the list is one."""
    assert _stream({"unit": {"label": "Watt", "symbol": "", "type": None}})[0].unit == {"label": "Watt"}
    assert _stream({"unit": None})[0].unit == {}
    for kind in metadata.UNIT_TYPES:
        assert _stream({"unit": {"type": kind}})[1] == []
    assert _stream({"unit": "Watt"})[1] == ["Unit is invalid"]


def test_limits_are_numbers_or_reset() -> None:
    """Numbers, numeric texts, and empty for none."""
    assert _stream({"max_value": "300", "min_value": -1.5})[0].max_value == 300.0
    assert _stream({"min_value": "-1.5e1"})[0].min_value == -15.0
    for nothing in ("", None):
        assert _stream({"max_value": nothing})[0].max_value is None
    wrongs: list[object] = [True, [], 10**400, "1e999"]
    for wrong in wrongs:
        assert _stream({"max_value": wrong})[1] == ["Max value is not a number"]


def test_ids_of_datastreams() -> None:
    """Letters and digits of any script, and four signs, up to 255."""
    for good in ("a", "0", "é", "ß", "Ж", "温", "_-+.", "x" * 255):
        assert metadata.stream_id_fault(good) is None
    bads: list[object] = [" ", "a b", "a/b", "a\n", "\n", "x" * 256, "a\0", "🌡", 5, []]
    for bad in bads:
        assert metadata.stream_id_fault(bad) == "Stream ID is invalid"
    for blank in ("", None):
        assert metadata.stream_id_fault(blank) == "Stream ID can't be blank"
