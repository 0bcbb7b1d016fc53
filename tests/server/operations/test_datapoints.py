"""Datapoints: write many, read, correct and delete one, delete a range."""

from __future__ import annotations

import json

import pytest

from txpachube.testing.inprocess import InProcess

POINTS = "/v2/feeds/1/datastreams/temp/datapoints"
NINE = f"{POINTS}/2013-06-01T09:00:00Z"


async def _values(garden: InProcess) -> list[str]:
    """Return "hh:mm value" of all points."""
    answer = await garden.ask(f"GET {POINTS}.json?start=2013-06-01T08:00:00Z&duration=6hours&limit=1000")
    document = json.loads(answer.body)
    return [f"{point['at'][11:16]} {point['value']}" for point in document.get("datapoints", ())]


ELEVEN, HALF_PAST = "2013-06-01T11:00:00Z", "2013-06-01T11:30:00Z"
WRAPPED = '{"at":"2013-06-01T11:00Z","value":"294"},{"at":"20130601T113000Z","value":"295"}'
XML = (
    "<eeml><environment><data><datapoints>"
    f'<value at="{ELEVEN}">294</value><value at="{HALF_PAST}"> 295 </value>'
    "</datapoints></data></environment></eeml>"
)


@pytest.mark.parametrize(
    ("extension", "body"),
    [
        ("json", f'{{"datapoints":[{{"at":"{ELEVEN}","value":"294"}},{{"at":"{HALF_PAST}","value":295}}]}}'),
        ("json", f'[{{"at":"{ELEVEN}","value":294}},{{"at":"2013-06-01T13:30:00+02:00","value":"295"}}]'),
        ("json", f'{{"datastreams":[{{"datapoints":[{WRAPPED}]}}]}}'),
        ("xml", XML),
        ("csv", f"{ELEVEN},294\r\n{HALF_PAST},295"),
    ],
)
async def test_datapoints_are_created_in_every_shape(garden: InProcess, extension: str, body: str) -> None:
    """The answer is 200 without a location; the newest becomes current."""
    answer = await garden.ask(f"POST {POINTS}.{extension}", body)
    assert (answer.status, answer.body, answer.location) == (200, b"", None)
    assert await _values(garden) == ["09:00 19.0", "09:30 20", "10:00 21.50", "11:00 294", "11:30 295"]
    assert b",295" in (await garden.ask("GET /v2/feeds/1.csv?datastreams=temp")).body


async def test_a_single_datapoint_needs_no_list(garden: InProcess) -> None:
    """An object with time and value is one datapoint."""
    assert (await garden.ask(f"POST {POINTS}", '{"at":"2013-06-01T09:10:00Z","value":"5"}')).status == 200
    assert "09:10 5" in await _values(garden)


async def test_the_same_time_again_overwrites(garden: InProcess) -> None:
    """A stored point is replaced, and within one request the last one wins."""
    body = "2013-06-01T09:00:00Z,1\n2013-06-01T09:00:00.000000Z,2"
    await garden.ask(f"POST {POINTS}.csv", body)
    assert await _values(garden) == ["09:00 2", "09:30 20", "10:00 21.50"]


async def test_datapoints_without_time_get_the_arrival_and_do_not_collide(garden: InProcess) -> None:
    """Each one is a microsecond after the one before."""
    await garden.ask(f"POST {POINTS}.json", '[{"value":"1"},{"value":"2"},{"value":"3"}]')
    answer = await garden.ask(f"GET {POINTS}.csv?start=2013-06-01T12:00:00Z&duration=1hour")
    assert answer.body.decode().splitlines() == [
        "2013-06-01T12:00:00.000000Z,1",
        "2013-06-01T12:00:00.000001Z,2",
        "2013-06-01T12:00:00.000002Z,3",
    ]


async def test_a_point_in_the_future_is_stored_as_sent(garden: InProcess) -> None:
    """Clocks of devices are wrong, and their times are kept all the same."""
    await garden.ask(f"POST {POINTS}.csv", "2100-12-31T23:59:59.999999Z,1\n1970-01-01T00:00:00Z,2")
    answer = await garden.ask("GET /v2/feeds/1/datastreams/temp.csv")
    assert answer.body == b"2100-12-31T23:59:59.999999Z,1"
    assert (await garden.ask(f"GET {POINTS}/1970-01-01T00:00:00Z.csv")).body == b"2"


async def test_no_datapoints_are_no_fault(garden: InProcess) -> None:
    """An empty list stores nothing."""
    assert (await garden.ask(f"POST {POINTS}", '{"datapoints":[]}')).status == 200


@pytest.mark.parametrize(
    "at",
    [
        "2013-06-01T09:00:00Z",
        "2013-06-01T09:00:00.000000Z",
        "2013-06-01T09:00:00",
        "2013-06-01T11:00:00+02:00",
        "2013-06-01T11:00:00%2B02:00",
        "2013-06-01T11:00:00%2002:00",
        "2013-06-01%2009:00:00Z",
        "20130601T090000Z",
        "2013-06-01T05:30:00-0330",
    ],
)
async def test_one_datapoint_is_found_by_its_moment(common_garden: InProcess, at: str) -> None:
    """Any spelling of the same microsecond finds it; plus signs may be escaped, or blanks."""
    answer = await common_garden.ask(f"GET {POINTS}/{at}.json")
    assert answer.body == b'{"at":"2013-06-01T09:00:00.000000Z","value":"19.0"}'


async def test_one_datapoint_in_other_formats(common_garden: InProcess) -> None:
    """CSV is the bare value; XML has the point inside of elements without attributes."""
    assert (await common_garden.ask(f"GET {NINE}.csv")).body == b"19.0"
    xml = (await common_garden.ask(f"GET {NINE}.xml")).body.decode()
    assert (
        '<environment>\n    <data>\n      <datapoints>\n        <value at="2013-06-01T09:00:00.000000Z">19.0'
        in xml
    )
    zoned = await common_garden.ask(f"GET {POINTS}/2013-06-01T11:00:00.json?timezone=Berlin")
    assert zoned.body == b'{"at":"2013-06-01T11:00:00.000000+02:00","value":"19.0"}'


@pytest.mark.parametrize(
    ("extension", "body"),
    [
        ("json", '{"value":"297"}'),
        ("json", '{"at":"2001-01-01T00:00:00Z","value":297}'),
        ("csv", "297"),
        (
            "xml",
            "<eeml><environment><data><datapoints><value>297</value></datapoints></data></environment></eeml>",
        ),
    ],
)
async def test_a_datapoint_is_corrected_in_every_format(garden: InProcess, extension: str, body: str) -> None:
    """A time in the body is ignored; the value at the path's moment changes."""
    assert (await garden.ask(f"PUT {NINE}.{extension}", body)).status == 200
    assert await _values(garden) == ["09:00 297", "09:30 20", "10:00 21.50"]


async def test_correcting_the_newest_changes_the_current_value(garden: InProcess) -> None:
    """The current value is that of the newest datapoint."""
    await garden.ask(f"PUT {POINTS}/2013-06-01T10:00:00Z.csv", "-5")
    assert (await garden.ask("GET /v2/feeds/1/datastreams/temp.csv")).body.endswith(b",-5")


async def test_deleting_the_newest_makes_the_next_older_current(garden: InProcess) -> None:
    """With none left the datastream has no value, but its limits stay."""
    for at, current in (
        ("10:00", b"09:30:00.000000Z,20"),
        ("09:30", b"09:00:00.000000Z,19.0"),
        ("09:00", b',""'),
    ):
        assert (await garden.ask(f"DELETE {POINTS}/2013-06-01T{at}:00Z.json")).status == 200
        assert (await garden.ask("GET /v2/feeds/1/datastreams/temp.csv")).body.endswith(current)
    stream = json.loads((await garden.ask("GET /v2/feeds/1/datastreams/temp.json")).body)
    assert (stream["max_value"], stream["min_value"]) == ("21.5", "19.0")
    assert "current_value" not in stream
    assert (await garden.ask(f"DELETE {NINE}")).status == 404


async def test_deleting_one_leaves_its_neighbours(garden: InProcess) -> None:
    """A microsecond before or after is another datapoint."""
    beside = ["2013-06-01T08:59:59.999999Z", "2013-06-01T09:00:00.000001Z"]
    await garden.ask(f"POST {POINTS}.csv", "".join(f"{at},1\n" for at in beside))
    assert (await garden.ask(f"DELETE {NINE}")).status == 200
    assert [(await garden.ask(f"GET {POINTS}/{at}.csv")).body for at in beside] == [b"1", b"1"]
    assert (await garden.ask(f"GET {NINE}")).status == 404


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("start=2013-06-01T09:30:00Z", ["09:00 19.0"]),
        ("end=2013-06-01T09:30:00Z", ["10:00 21.50"]),
        ("start=2013-06-01T09:30:00Z&end=2013-06-01T09:30:00Z", ["09:00 19.0", "10:00 21.50"]),
        ("start=2013-06-01T09:00:00Z&duration=30minutes", ["10:00 21.50"]),
        ("end=2013-06-01T10:00:00Z&duration=30minutes", ["09:00 19.0"]),
        ("duration=2hours", ["09:00 19.0", "09:30 20"]),
        ("start=2014-01-01", ["09:00 19.0", "09:30 20", "10:00 21.50"]),
        ("start=2013-06-01T11:30:00&timezone=Berlin", ["09:00 19.0"]),
    ],
)
async def test_a_range_is_deleted_both_ends_included(garden: InProcess, query: str, left: list[str]) -> None:
    """Start, end and duration give the range; deleting nothing is no fault."""
    assert (await garden.ask(f"DELETE {POINTS}?{query}")).status == 200
    assert await _values(garden) == left


@pytest.mark.parametrize(
    "body",
    [
        "end=2013-06-01T09%3A30%3A00Z",
        '{"end":"2013-06-01T09:30:00Z"}',
        ' {"end":"2013-06-01T09:30:00Z","x":1}',
    ],
)
async def test_a_range_may_be_in_the_body(garden: InProcess, body: str) -> None:
    """A browser library sends the parameters as form text or JSON, and calls both JSON."""
    headers = {"content-type": "application/json"}
    assert (await garden.ask(f"DELETE {POINTS}", body, headers)).status == 200
    assert await _values(garden) == ["10:00 21.50"]


async def test_a_range_in_the_query_beats_the_body(garden: InProcess) -> None:
    """The body is only read when the query says nothing."""
    await garden.ask(f"DELETE {POINTS}?start=2013-06-01T10:00:00Z", "start=2013-01-01")
    assert await _values(garden) == ["09:00 19.0", "09:30 20"]


async def test_the_collection_is_the_last_six_hours(garden: InProcess) -> None:
    """Without a range, the datastream with its recent history; with one, that."""
    await garden.ask(f"POST {POINTS}.csv", "2013-06-01T05:59:59Z,1\n2013-06-01T06:00:00Z,2")
    stream = json.loads((await garden.ask(f"GET {POINTS}.json")).body)
    assert [point["value"] for point in stream["datapoints"]] == ["2", "19.0", "20", "21.50"]
    assert stream["id"] == "temp"
    answer = await garden.ask(f"GET {POINTS}.csv?end=2013-06-01T06:00:00Z&duration=1hour")
    assert answer.body == b"2013-06-01T05:59:59.000000Z,1\n2013-06-01T06:00:00.000000Z,2"


async def test_a_limited_key_writes_points_of_its_datastream_only(garden: InProcess) -> None:
    """A datastream resource covers the datastream and its points."""
    line = "POST /v2/feeds/1/datastreams/{}/datapoints.csv"
    for stream_id, status in (("temp", 200), ("door", 403)):
        answer = await garden.ask(line.format(stream_id), "2013-06-01T09:00:00Z,1", key="thermometer")
        assert answer.status == status
