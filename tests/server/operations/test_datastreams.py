"""Datastreams: create, read, update, delete."""

from __future__ import annotations

import json
from typing import Any

import pytest

from txpachube.server.storage.failures import Conflict
from txpachube.testing.inprocess import InProcess

TEMP = "/v2/feeds/1/datastreams/temp"
FLOW = '<eeml><environment><data id="flow"><current_value>34</current_value></data></environment></eeml>'


async def _read(garden: InProcess, stream_id: str = "temp", query: str = "") -> dict[str, Any]:
    answer = await garden.ask(f"GET /v2/feeds/1/datastreams/{stream_id}.json{query}")
    assert answer.status == 200, answer.body
    document: dict[str, Any] = json.loads(answer.body)
    return document


async def _put(garden: InProcess, body: str, line: str = f"PUT {TEMP}.json") -> None:
    answer = await garden.ask(line, body)
    assert (answer.status, answer.body) == (200, b""), answer.body


# Create


@pytest.mark.parametrize(
    ("extension", "body"),
    [
        ("json", '{"version":"1.0.0","datastreams":[{"id":"flow","current_value":"34"}]}'),
        ("json", '{"id":"flow","current_value":34}'),
        (
            "xml",
            FLOW,
        ),
        ("csv", "flow,34"),
    ],
)
async def test_a_datastream_is_created_in_every_format(garden: InProcess, extension: str, body: str) -> None:
    """A feed around the datastream, or the bare datastream; the location has no extension."""
    answer = await garden.ask(f"POST /v2/feeds/1/datastreams.{extension}", body)
    assert (answer.status, answer.body) == (201, b"")
    assert answer.location == "http://api.example/v2/feeds/1/datastreams/flow"
    assert (await _read(garden, "flow"))["current_value"] == "34"


async def test_of_several_the_first_is_named(garden: InProcess) -> None:
    """All are created; the location is that of the first one of the body, escaped where needed."""
    body = '{"datastreams":[{"id":"Öl+1"},{"id":"b","current_value":"2"}]}'
    answer = await garden.ask("POST /v2/feeds/1/datastreams/", body)
    assert answer.location == "http://api.example/v2/feeds/1/datastreams/%C3%96l%2B1"
    assert (await garden.ask("GET /v2/feeds/1/datastreams/%C3%96l+1")).status == 200
    assert (await _read(garden, "b"))["current_value"] == "2"


async def test_a_datastream_that_somebody_else_just_made_is_taken(
    garden: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When two requests make the same datastream, the second one is told as if it had come later."""

    async def conflict(*_: object) -> None:
        raise Conflict("flow")

    monkeypatch.setattr(garden.store, "change_feed", conflict)
    answer = await garden.ask("POST /v2/feeds/1/datastreams.json", '{"id":"flow"}')
    assert answer.status == 422
    assert json.loads(answer.body)["errors"] == ["Stream ID has already been taken"]


async def test_a_key_limited_to_a_datastream_that_is_not_there_may_create_it(garden: InProcess) -> None:
    """A device whose datastream was deleted can make it again, and no other."""
    await garden.ask(f"DELETE {TEMP}")
    assert (
        await garden.ask("POST /v2/feeds/1/datastreams.json", '{"id":"temp"}', key="thermometer")
    ).status == 201
    assert (
        await garden.ask("POST /v2/feeds/1/datastreams.json", '{"id":"more"}', key="thermometer")
    ).status == 403


# Read


async def test_a_datastream_alone_ends_with_the_version(common_garden: InProcess) -> None:
    """It is written without metadata of its feed."""
    answer = await common_garden.ask(f"GET {TEMP}.json")
    assert answer.body == (
        b'{"id":"temp","current_value":"21.50","at":"2013-06-01T10:00:00.000000Z","max_value":"21.5",'
        b'"min_value":"19.0","tags":["air"],"unit":{"type":"derivedSI","symbol":"C","label":"Celsius"},'
        b'"version":"1.0.0"}'
    )


async def test_a_datastream_without_value_is_its_id(common_garden: InProcess) -> None:
    """Nothing is invented; in CSV time and value are empty, the value in quotes."""
    assert await _read(common_garden, "door") == {"id": "door", "version": "1.0.0"}
    assert (await common_garden.ask("GET /v2/feeds/1/datastreams/door.csv")).body == b',""'


async def test_xml_says_something_of_the_feed(common_garden: InProcess) -> None:
    """The environment has attributes and no other children than the datastream."""
    body = (await common_garden.ask(f"GET {TEMP}.xml?timezone=Tokyo")).body.decode()
    assert (
        '<environment updated="2013-06-01T21:00:00.000000+09:00" created="2013-06-01T21:00:00.000000+09:00"'
        ' id="1" creator="http://api.example/users/rosa">\n    <data id="temp">' in body
    )
    assert '<current_value at="2013-06-01T19:00:00.000000+09:00">21.50</current_value>' in body


async def test_history_of_a_datastream(common_garden: InProcess) -> None:
    """Datapoints beside the present value; in CSV they replace it."""
    stream = await _read(common_garden, query="?start=2013-06-01T09:00:00Z&end=2013-06-01T09:30:00Z")
    assert stream["current_value"] == "21.50"
    assert [point["value"] for point in stream["datapoints"]] == ["19.0", "20"]
    csv = await common_garden.ask(f"GET {TEMP}.csv?duration=6hours&limit=1&page=2")
    assert csv.body == b"2013-06-01T09:30:00.000000Z,20"


async def test_history_without_points_in_csv_is_the_current_line(common_garden: InProcess) -> None:
    """A range without datapoints still answers with the present value."""
    csv = await common_garden.ask(f"GET {TEMP}.csv?end=2013-05-01&duration=1hour")
    assert csv.body == b"2013-06-01T10:00:00.000000Z,21.50"


async def test_a_snapshot_of_a_datastream(common_garden: InProcess) -> None:
    """``time`` shows the value of a moment."""
    stream = await _read(common_garden, query="?time=2013-06-01T09:29:59.999999Z")
    assert (stream["current_value"], stream["at"]) == ("19.0", "2013-06-01T09:00:00.000000Z")


async def test_the_collection_reads_like_the_feed(common_garden: InProcess) -> None:
    """Clients look for datastreams in the feed's document."""
    for extension in ("json", "xml", "csv"):
        collection = await common_garden.ask(f"GET /v2/feeds/1/datastreams/.{extension}?datastreams=temp")
        feed = await common_garden.ask(f"GET /v2/feeds/1.{extension}?datastreams=temp")
        if collection.status == 200:
            assert collection.body == feed.body
        plain = await common_garden.ask(f"GET /v2/feeds/1/datastreams.{extension}?datastreams=temp")
        assert plain.body == feed.body


# Update


@pytest.mark.parametrize(
    ("extension", "body"),
    [
        ("json", '{"current_value":"294"}'),
        ("json", '{"id":"door","current_value":"294"}'),
        ("json", '{"datastreams":[{"id":"door","current_value":"294"}]}'),
        ("json", '{"datastreams":[{"id":"door","current_value":"1"},{"id":"temp","current_value":"294"}]}'),
        ("xml", "<eeml><environment><data><current_value>294</current_value></data></environment></eeml>"),
        ("csv", "294"),
        ("csv", "2013-06-01T12:00:00Z,294"),
    ],
)
async def test_a_datastream_is_updated_in_every_shape(garden: InProcess, extension: str, body: str) -> None:
    """Bare, or in a feed, of which the one with the right id counts; another id is ignored."""
    await _put(garden, body, f"PUT {TEMP}.{extension}")
    stream = await _read(garden)
    assert (stream["current_value"], stream["at"]) == ("294", "2013-06-01T12:00:00.000000Z")
    assert await _read(garden, "door") == {"id": "door", "version": "1.0.0"}


async def test_the_time_of_a_feed_around_the_datastream_counts(garden: InProcess) -> None:
    """``updated`` of the wrapper is the default time of the value."""
    await _put(garden, '{"updated":"2013-06-01T11:00:00Z","datastreams":[{"current_value":"5"}]}')
    assert (await _read(garden))["at"] == "2013-06-01T11:00:00.000000Z"


async def test_several_rows_of_csv_are_history(garden: InProcess) -> None:
    """Each row has its time, and the newest becomes current."""
    await _put(garden, "2013-06-01T11:00:00Z,1\n2013-06-01T11:30:00Z,2\n", f"PUT {TEMP}.csv")
    stream = await _read(garden, query="?start=2013-06-01T11:00:00Z")
    assert [point["value"] for point in stream["datapoints"]] == ["1", "2"]
    assert stream["current_value"] == "2"


async def test_metadata_of_a_datastream(garden: InProcess) -> None:
    """Absent is left, empty is cleared, and a unit is replaced as a whole."""
    await _put(garden, '{"tags":"b, a","unit":{"label":"Kelvin","type":""},"max_value":300}')
    stream = await _read(garden)
    assert (stream["tags"], stream["unit"], stream["max_value"]) == (["a", "b"], {"label": "Kelvin"}, "300.0")
    assert stream["current_value"] == "21.50"
    await _put(garden, '{"tags":[],"unit":{}}')
    assert not (await _read(garden)).keys() & {"tags", "unit"}


async def test_an_empty_update_changes_nothing(garden: InProcess) -> None:
    """``{}`` is fine; the feed's document stays the same to the byte."""
    before = await garden.ask("GET /v2/feeds/1.json")
    garden.now += 1_000_000
    await _put(garden, "{}")
    assert (await garden.ask("GET /v2/feeds/1.json")).body == before.body


async def test_a_null_value_is_as_if_it_were_absent(garden: InProcess) -> None:
    """A Java library sends every field."""
    await _put(garden, '{"current_value":null,"at":null,"datapoints":null,"tags":["x"]}')
    stream = await _read(garden)
    assert (stream["current_value"], stream["tags"]) == ("21.50", ["x"])


# Delete


async def test_a_deleted_datastream_is_gone_with_its_history(garden: InProcess) -> None:
    """A second deletion finds nothing, and a new one of that name begins without a past."""
    assert (await garden.ask(f"DELETE {TEMP}.json")).status == 200
    assert (await garden.ask(f"DELETE {TEMP}")).status == 404
    await garden.ask("POST /v2/feeds/1/datastreams.json", '{"id":"temp"}')
    assert await _read(garden, query="?duration=6hours") == {"id": "temp", "version": "1.0.0"}
