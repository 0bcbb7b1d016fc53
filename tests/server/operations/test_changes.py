"""Decoded documents to changes: what is read how, without any storage."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import pytest

from txpachube.api.problems import Problem
from txpachube.server.operations import changes
from txpachube.server.storage.records import UNCHANGED, Feed, FeedChange, Stream
from txpachube.times import SECOND, parse

NOW = parse("2013-06-01T12:00:00Z")
TEMP = Stream(pk=1, id="temp")


def _feed(**parts: Any) -> Feed:
    known: dict[str, Any] = {"title": "Greenhouse"}
    streams = {"temp": TEMP, "door": Stream(pk=2, id="door")}
    return Feed(1, 1, "rosa", False, known, created=0, updated=0, streams=streams, **parts)


def _of(document: dict[str, Any], **parts: Any) -> FeedChange:
    return changes.of_feed(document, _feed(**parts), NOW)


def test_a_device_s_usual_update_becomes_points_at_the_arrival() -> None:
    """Ids and values and nothing else change nothing else."""
    streams = [{"id": "temp", "current_value": "21.5"}, {"id": "door", "current_value": "open"}]
    change = _of({"version": "1.0.0", "datastreams": streams})
    assert (change.arrived, change.through_feed, change.fields, change.existing) == (NOW, True, {}, "may")
    assert [(stream.id, stream.points) for stream in change.streams] == [
        ("temp", [(NOW, "21.5")]),
        ("door", [(NOW, "open")]),
    ]
    assert all(stream.tags is stream.unit is stream.max_value is UNCHANGED for stream in change.streams)
    assert change.private is change.tags is change.location is UNCHANGED


def test_an_unknown_datastream_is_created_by_its_change() -> None:
    """A change names new datastreams like known ones, when their ids are allowed."""
    ids = ["a", "7", "Öl_1-+.x", "x" * 255, "温度", "."]
    change = _of({"datastreams": [{"id": stream_id} for stream_id in ids]})
    assert [stream.id for stream in change.streams] == ids


def test_a_value_s_time_is_its_own_then_the_feed_s_then_the_arrival() -> None:
    """The first that is given counts; an empty one is not given."""
    document = {
        "updated": "2013-06-01T10:00:00Z",
        "datastreams": [
            {"id": "temp", "current_value": "1", "at": "2013-06-01T09:00:00Z"},
            {"id": "door", "current_value": "2"},
            {"id": "c", "current_value": "3", "at": ""},
        ],
    }
    times = [stream.points[0][0] for stream in _of(document).streams]
    assert times == [NOW - 3 * 3600 * SECOND, NOW - 2 * 3600 * SECOND, NOW - 2 * 3600 * SECOND]
    document["updated"] = ""
    assert _of(document).streams[1].points == [(NOW, "2")]


def test_times_without_offset_belong_to_the_zone() -> None:
    """An offset in the text beats the zone of the request."""
    zone = timezone(timedelta(hours=2))
    points = [{"at": "2013-06-01T14:00:00", "value": "1"}, {"at": "2013-06-01T12:00:00Z", "value": "2"}]
    change = changes.of_datapoints(points, TEMP, NOW, zone)
    assert change.streams[0].points == [(NOW, "1"), (NOW, "2")]


def test_a_value_comes_before_datapoints_of_its_request() -> None:
    """So a datapoint of the same time, which is written later, wins."""
    entry = {"current_value": "1", "datapoints": [{"at": "2013-06-01T12:00:00Z", "value": "2"}]}
    assert changes.of_stream(entry, TEMP, NOW).streams[0].points == [(NOW, "1"), (NOW, "2")]


def test_datapoints_without_time_count_up_from_the_arrival() -> None:
    """And start one later beside a value that has the arrival time itself."""
    points = [{"value": "a"}, {"value": "b", "at": "2013-06-01T09:00:00Z"}, {"value": "c", "at": ""}]
    alone = changes.of_datapoints(points, TEMP, NOW).streams[0].points
    assert [at - NOW for at, _ in alone] == [0, -3 * 3600 * SECOND, 1]
    beside = changes.of_stream({"current_value": "x", "datapoints": points}, TEMP, NOW).streams[0].points
    assert [at - NOW for at, _ in beside] == [0, 1, -3 * 3600 * SECOND, 2]


def test_a_datastream_must_exist_or_must_not() -> None:
    """Each path says what it expects, for storage to check once more."""
    assert changes.of_stream({}, TEMP, NOW).existing == "must"
    assert changes.of_datapoints([], TEMP, NOW).existing == "must"
    assert changes.new_streams([{"id": "new"}], _feed(), NOW).existing == "must not"
    assert not changes.of_stream({}, TEMP, NOW).through_feed


def test_of_several_datastreams_the_one_in_the_path_counts() -> None:
    """A single one counts whatever its id is."""
    several = {"datastreams": [{"id": "door", "current_value": "1"}, {"id": "temp", "current_value": "2"}]}
    assert changes.of_stream(several, TEMP, NOW).streams[0].points == [(NOW, "2")]
    single = {"datastreams": [{"id": "door", "current_value": "1"}]}
    change = changes.of_stream(single, TEMP, NOW).streams[0]
    assert (change.id, change.points) == ("temp", [(NOW, "1")])


@pytest.mark.parametrize("count", [500, 501])
def test_the_limit_counts_datapoints_over_all_datastreams(count: int) -> None:
    """Values on their own don't count, and one datapoint too many refuses all."""
    points = [{"value": "1"}] * (count // 2)
    rest = [{"value": "1"}] * (count - count // 2)
    document = {
        "datastreams": [
            {"id": "temp", "current_value": "0", "datapoints": points},
            {"id": "door", "current_value": "0", "datapoints": rest},
        ]
    }
    if count == 500:
        assert sum(len(stream.points) for stream in _of(document).streams) == 502
    else:
        with pytest.raises(Problem) as refused:
            _of(document)
        assert refused.value.errors == ["Too many datapoints (maximum is 500)"]


def test_every_kind_of_fault_is_told_once() -> None:
    """A thousand datastreams with the same fault give one message."""
    with pytest.raises(Problem) as refused:
        _of({"datastreams": [{"id": f"bad id {number}"} for number in range(1000)]})
    assert (refused.value.status, refused.value.errors) == (422, ["Stream ID is invalid"])


def test_a_change_may_touch_only_some_datastreams() -> None:
    """Metadata of any kind, or another datastream, is more than that."""
    value = {"datastreams": [{"id": "temp", "current_value": "1"}]}
    assert changes.touches_only(_of(value), {"temp"})
    assert changes.touches_only(_of({}), {"temp"})
    mores: tuple[dict[str, Any], ...] = (
        {"title": "x"},
        {"private": True},
        {"tags": []},
        {"location": {}},
        {"icon": ""},
    )
    for more in mores:
        assert not changes.touches_only(_of({**value, **more}), {"temp"})
    assert not changes.touches_only(_of(value), {"door"})


@pytest.mark.parametrize("text", ["1970-01-01T00:00:00Z", "2100-12-31T23:59:59.999999Z", "2013-06-01"])
def test_times_of_the_stored_years_are_taken(text: str) -> None:
    """From the first microsecond of 1970 to the last one of 2100."""
    assert changes.moment(text) == parse(text)


@pytest.mark.parametrize(
    "text", ["1969-12-31T23:59:59.999999Z", "2101-01-01T00:00:00Z", "noon", "", None, 5, True]
)
def test_other_times_are_not(text: object) -> None:
    """Neither other years nor what is no text."""
    with pytest.raises(ValueError, match=r"time|years"):
        changes.moment(text)


def test_an_empty_text_is_a_value() -> None:
    """Only a missing one is none."""
    assert changes.point_value({"value": ""}) == ""
    assert changes.of_datapoints([{"value": ""}], TEMP, NOW).streams[0].points == [(NOW, "")]
