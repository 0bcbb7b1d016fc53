"""Feeds: list, create, read, update, delete."""

from __future__ import annotations

import json
from typing import Any

import pytest

from txpachube.testing.inprocess import NOON, InProcess
from txpachube.times import SECOND, format_micros

MINUTE = 60 * SECOND


async def _feed(garden: InProcess, feed_id: int = 1, query: str = "", **options: Any) -> dict[str, Any]:
    answer = await garden.ask(f"GET /v2/feeds/{feed_id}.json{query}", **options)
    assert answer.status == 200, answer.body
    document: dict[str, Any] = json.loads(answer.body)
    return document


async def _stream(garden: InProcess, stream_id: str, feed_id: int = 1, query: str = "") -> dict[str, Any]:
    feed = await _feed(garden, feed_id, query)
    found: dict[str, Any] = next(stream for stream in feed["datastreams"] if stream["id"] == stream_id)
    return found


async def _put(garden: InProcess, body: str, line: str = "PUT /v2/feeds/1.json", **options: Any) -> None:
    answer = await garden.ask(line, body, **options)
    assert (answer.status, answer.body) == (200, b""), answer.body


# Create


async def test_a_feed_needs_only_a_title(garden: InProcess) -> None:
    """The answer is 201 without a body; the location has no extension whatever the request had."""
    answer = await garden.ask(
        "POST /v2/feeds.xml", "<eeml><environment><title>Porch</title></environment></eeml>"
    )
    assert (answer.status, answer.body) == (201, b"")
    assert answer.location == "http://api.example/v2/feeds/5"
    assert answer.content_type == "application/xml; charset=utf-8"
    assert answer.etag is None


async def test_a_new_feed_is_public_frozen_and_physical(garden: InProcess) -> None:
    """These are the defaults, and the owner is the key's."""
    await garden.ask("POST /v2/feeds.json", '{"title":"Porch"}')
    assert await _feed(garden, 5) == {
        "id": 5,
        "title": "Porch",
        "private": "false",
        "feed": "http://api.example/v2/feeds/5.json",
        "status": "frozen",
        "updated": "2013-06-01T12:00:00.000000Z",
        "created": "2013-06-01T12:00:00.000000Z",
        "creator": "http://api.example/users/rosa",
        "version": "1.0.0",
        "location": {"domain": "physical"},
    }


async def test_a_feed_is_created_with_its_datastreams_values_and_history(garden: InProcess) -> None:
    """Everything a PUT could say afterwards can be in the body that creates a feed."""
    body = """{"title":"Porch","private":true,"tags":"a, b","datastreams":[
        {"id":"t","current_value":20.50,"unit":{"label":"Celsius"},"datapoints":[{"at":"2013-06-01T08:00:00Z","value":"9"}]},
        {"id":"u"}]}"""
    await garden.ask("POST /v2/feeds.json", body)
    feed = await _feed(garden, 5, "?duration=6hours")
    assert (feed["private"], feed["tags"], feed["status"]) == ("true", ["a", "b"], "live")
    assert feed["datastreams"] == [
        {
            "id": "t",
            "current_value": "20.50",
            "at": "2013-06-01T12:00:00.000000Z",
            "max_value": "20.5",
            "min_value": "9.0",
            "unit": {"label": "Celsius"},
            "datapoints": [
                {"value": "9", "at": "2013-06-01T08:00:00.000000Z"},
                {"value": "20.50", "at": "2013-06-01T12:00:00.000000Z"},
            ],
        },
        {"id": "u"},
    ]


async def test_ids_of_feeds_are_never_used_again(garden: InProcess) -> None:
    """After a deletion the next feed gets a new number."""
    await garden.ask("POST /v2/feeds.json", '{"title":"One"}')
    await garden.ask("DELETE /v2/feeds/5")
    answer = await garden.ask("POST /v2/feeds.json", '{"title":"Two"}')
    assert answer.location == "http://api.example/v2/feeds/6"


async def test_read_only_members_are_ignored(garden: InProcess) -> None:
    """A feed that was read can be written back, its read-only members without effect."""
    body = """{"title":"Porch","id":99,"feed":"http://x/","status":"live","created":"2001-01-01T00:00:00Z",
        "creator":"http://x/users/otto","user":{"login":"otto"},"product_id":"p","device_serial":"s"}"""
    assert (await garden.ask("POST /v2/feeds.json", body)).location == "http://api.example/v2/feeds/5"
    feed = await _feed(garden, 5)
    assert feed["creator"] == "http://api.example/users/rosa"
    assert feed["created"] == "2013-06-01T12:00:00.000000Z"
    assert not feed.keys() & {"product_id", "device_serial", "user"}


# Read


async def test_a_feed_is_read_with_its_present_values(garden: InProcess) -> None:
    """Datastreams that are all digits come first, then code points; no datapoints unless asked for."""
    feed = await _feed(garden)
    assert [stream["id"] for stream in feed["datastreams"]] == ["7", "door", "log.csv", "temp"]
    assert feed["datastreams"][0]["current_value"] == "0000017"
    assert feed["datastreams"][1] == {"id": "door"}
    assert feed["datastreams"][3] == {
        "id": "temp",
        "current_value": "21.50",
        "at": "2013-06-01T10:00:00.000000Z",
        "max_value": "21.5",
        "min_value": "19.0",
        "tags": ["air"],
        "unit": {"type": "derivedSI", "symbol": "C", "label": "Celsius"},
    }
    assert feed["location"] == {
        "name": "Hut 3",
        "exposure": "outdoor",
        "domain": "physical",
        "ele": "41.0",
        "lat": 52.1,
        "lon": 9.36,
    }


async def test_a_feed_read_twice_comes_from_memory_and_is_the_same(garden: InProcess) -> None:
    """The kept document is as true as a fresh one, in each format, and goes with every change."""
    for extension in ("json", "xml", "csv"):
        first = await garden.ask(f"GET /v2/feeds/1.{extension}")
        again = await garden.ask(f"GET /v2/feeds/1.{extension}")
        assert (again.body, again.etag) == (first.body, first.etag)
    await _put(garden, '{"current_value":"99"}', "PUT /v2/feeds/1/datastreams/temp.json")
    assert (await _stream(garden, "temp"))["current_value"] == "99"
    await garden.ask("DELETE /v2/feeds/1/datastreams/door")
    assert [stream["id"] for stream in (await _feed(garden))["datastreams"]] == ["7", "log.csv", "temp"]


async def test_documents_are_kept_for_a_few_hosts_only(garden: InProcess) -> None:
    """Nobody can fill the memory by asking under ever new names."""
    for number in range(50):
        feed = await _feed(garden, headers={"host": f"h{number}.example"})
        assert feed["feed"] == f"http://h{number}.example/v2/feeds/1.json"
    record = await garden.store.find_feed(1)
    assert record is not None
    assert len(record.documents) <= 9


async def test_a_feed_is_live_for_fifteen_minutes(garden: InProcess) -> None:
    """The status flips by the clock alone, also of a document that is kept."""
    await _put(garden, '{"datastreams":[{"id":"temp","current_value":"1"}]}')
    for passed, status in ((0, "live"), (15 * MINUTE - 1, "live"), (15 * MINUTE, "frozen"), (0, "live")):
        garden.now = NOON + passed
        assert (await _feed(garden))["status"] == status


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("?datastreams=temp,7", ["7", "temp"]),
        ("?datastreams=[temp, 7]", ["7", "temp"]),
        ("?datastreams=temp%2Cdoor", ["door", "temp"]),
        ("?datastreams=unknown,temp", ["temp"]),
        ("?datastream=door", ["door"]),
        ("?datastreams=log.csv", ["log.csv"]),
        ("?datastreams=", ["7", "door", "log.csv", "temp"]),
    ],
)
async def test_only_the_datastreams_named_are_shown(
    common_garden: InProcess, query: str, ids: list[str]
) -> None:
    """Unknown ids are ignored; blanks, brackets and escapes don't matter."""
    feed = await _feed(common_garden, 1, query.replace(" ", "%20"))
    assert [stream["id"] for stream in feed["datastreams"]] == ids


async def test_no_datastream_that_is_named_is_known(common_garden: InProcess) -> None:
    """A feed without datastreams to show has no such member."""
    assert "datastreams" not in await _feed(common_garden, 1, "?datastreams=unknown")


async def test_the_creators_login_is_shown_on_demand(common_garden: InProcess) -> None:
    """``show_user=true`` adds it, in JSON and XML."""
    assert (await _feed(common_garden, 1, "?show_user=true"))["user"] == {"login": "rosa"}
    assert "user" not in await _feed(common_garden, 1, "?show_user=false")
    xml = await common_garden.ask("GET /v2/feeds/1.xml?show_user=true")
    assert b"<login>rosa</login>" in xml.body


async def test_a_summary_has_no_datastreams(common_garden: InProcess) -> None:
    """``content=summary`` leaves them out."""
    feed = await _feed(common_garden, 1, "?content=summary")
    assert "datastreams" not in feed
    assert feed["title"] == "Greenhouse"


async def test_history_is_shown_when_a_range_is_asked_for(common_garden: InProcess) -> None:
    """Datastreams without points in the range are there without ``datapoints``."""
    streams = (await _feed(common_garden, 1, "?start=2013-06-01T09:00:00Z&end=2013-06-01T09:59:00Z"))[
        "datastreams"
    ]
    assert [(stream["id"], len(stream.get("datapoints", ()))) for stream in streams] == [
        ("7", 0),
        ("door", 0),
        ("log.csv", 0),
        ("temp", 2),
    ]
    assert streams[3]["current_value"] == "21.50"


async def test_history_in_csv_is_sorted_by_time(common_garden: InProcess) -> None:
    """Rows of all datastreams, ascending; those without points are left out."""
    answer = await common_garden.ask("GET /v2/feeds/1.csv?duration=6hours&datastreams=temp,7,door")
    assert answer.body.decode().splitlines() == [
        "temp,2013-06-01T09:00:00.000000Z,19.0",
        "temp,2013-06-01T09:30:00.000000Z,20",
        "temp,2013-06-01T10:00:00.000000Z,21.50",
        "7,2013-06-01T11:00:00.000000Z,0000017",
    ]


async def test_an_aggregate_names_its_function(common_garden: InProcess) -> None:
    """The answer says which function its points are the result of."""
    query = "?duration=6hours&interval=3600&function=max&datastreams=temp"
    (stream,) = (await _feed(common_garden, 1, query))["datastreams"]
    assert stream["datapoints_function"] == "max"
    assert stream["datapoints"] == [
        {"value": "19", "at": "2013-06-01T09:00:00.000000Z"},
        {"value": "21.5", "at": "2013-06-01T10:00:00.000000Z"},
    ]


async def test_a_snapshot_shows_the_values_of_a_moment(common_garden: InProcess) -> None:
    """Datastreams without a value then are left out; limits are the present ones."""
    (stream,) = (await _feed(common_garden, 1, "?time=2013-06-01T09:45:00Z"))["datastreams"]
    assert (stream["id"], stream["current_value"], stream["at"]) == (
        "temp",
        "20",
        "2013-06-01T09:30:00.000000Z",
    )
    assert stream["max_value"] == "21.5"


async def test_a_range_beats_a_snapshot(common_garden: InProcess) -> None:
    """``time`` beside range parameters is ignored."""
    feed = await _feed(common_garden, 1, "?time=2013-06-01T09:45:00Z&duration=6hours")
    assert len(feed["datastreams"]) == 4


async def test_everybody_reads_public_feeds_and_only_private_access_private_ones(
    common_garden: InProcess,
) -> None:
    """Reading needs any key for public feeds, and the owner's with private access for private ones."""
    for key, feed_id, status in (
        ("master-of-otto", 1, 200),
        ("master-of-otto", 2, 403),
        ("master-of-rosa", 2, 200),
        ("public-of-rosa", 2, 403),
        ("reader-of-rosa", 2, 200),
    ):
        assert (await common_garden.ask(f"GET /v2/feeds/{feed_id}", key=key)).status == status


async def test_a_key_limited_to_a_datastream_sees_only_that_one(common_garden: InProcess) -> None:
    """A feed read with such a key has the permitted datastreams, also in its history."""
    await _feed(common_garden)
    for query in ("", "?duration=6hours", "?time=2013-06-01T11:30:00Z", "?datastreams=temp,7"):
        feed = await _feed(common_garden, 1, query, key="thermometer")
        assert [stream["id"] for stream in feed["datastreams"]] == ["temp"]
    assert len((await _feed(common_garden))["datastreams"]) == 4


async def test_a_key_with_a_minimum_interval_gets_no_finer_history(common_garden: InProcess) -> None:
    """An automatic interval is raised to the key's, an explicit one below it is refused."""
    stream = (await _feed(common_garden, 1, "?duration=6hours&datastreams=temp", key="hourly"))[
        "datastreams"
    ][0]
    assert [point["at"] for point in stream["datapoints"]] == [
        "2013-06-01T09:00:00.000000Z",
        "2013-06-01T10:00:00.000000Z",
    ]
    allowed = await common_garden.ask("GET /v2/feeds/1?interval=3600", key="hourly")
    refused = await common_garden.ask("GET /v2/feeds/1?interval=1800", key="hourly")
    assert (allowed.status, refused.status) == (200, 403)


# Update


async def test_values_are_stored_at_their_time_the_feeds_time_or_the_arrival(garden: InProcess) -> None:
    """A value's time is its own, else the feed's ``updated``, else when the request arrived."""
    await _put(garden, '{"datastreams":[{"id":"a","current_value":"1"},{"id":"b","current_value":"2"}]}')
    await _put(
        garden,
        """{"updated":"2013-06-01T08:00:00Z","datastreams":[{"id":"c","current_value":"3"},
        {"id":"d","current_value":"4","at":"2013-06-01T07:00:00+01:00"}]}""",
    )
    feed = await _feed(garden, 1, "?datastreams=a,b,c,d")
    assert {stream["id"]: stream["at"] for stream in feed["datastreams"]} == {
        "a": "2013-06-01T12:00:00.000000Z",
        "b": "2013-06-01T12:00:00.000000Z",
        "c": "2013-06-01T08:00:00.000000Z",
        "d": "2013-06-01T06:00:00.000000Z",
    }


async def test_an_update_never_deletes_datastreams(garden: InProcess) -> None:
    """What the body does not name stays as it was; what is missing is created."""
    await _put(garden, "new,1", "PUT /v2/feeds/1.csv")
    ids = [stream["id"] for stream in (await _feed(garden))["datastreams"]]
    assert ids == ["7", "door", "log.csv", "new", "temp"]


async def test_an_older_value_goes_into_the_history_only(garden: InProcess) -> None:
    """The current value is that of the newest datapoint by time, whenever it came."""
    await _put(garden, "temp,2013-06-01T08:00:00Z,5", "PUT /v2/feeds/1.csv")
    stream = await _stream(garden, "temp", query="?duration=6hours")
    assert (stream["current_value"], stream["min_value"]) == ("21.50", "5.0")
    assert stream["datapoints"][0] == {"value": "5", "at": "2013-06-01T08:00:00.000000Z"}


async def test_limits_are_set_first_and_then_widened_by_the_values(garden: InProcess) -> None:
    """Given limits replace the kept ones, and the values of the same request count after that."""
    await _put(
        garden, '{"datastreams":[{"id":"temp","current_value":"211","max_value":"20.0","min_value":"0"}]}'
    )
    stream = await _stream(garden, "temp")
    assert (stream["max_value"], stream["min_value"]) == ("211.0", "0.0")
    await _put(garden, '{"datastreams":[{"id":"temp","max_value":"","min_value":null}]}')
    assert "max_value" not in await _stream(garden, "temp")


async def test_a_value_and_history_can_come_together(garden: InProcess) -> None:
    """Datapoints without a time don't overwrite the value or each other."""
    body = '{"datastreams":[{"id":"n","current_value":"1","datapoints":[{"value":"2"},{"value":"3"}]}]}'
    await _put(garden, body)
    stream = await _stream(garden, "n", query="?start=2013-06-01T12:00:00Z&duration=1hour")
    assert [(point["value"], point["at"][-7:]) for point in stream["datapoints"]] == [
        ("1", "000000Z"),
        ("2", "000001Z"),
        ("3", "000002Z"),
    ]


async def test_metadata_is_replaced_and_what_is_absent_stays(garden: InProcess) -> None:
    """A tag list is replaced, an empty text clears, and nothing else changes."""
    await _put(garden, '{"tags":["new","Old","new"],"description":"","website":"http://garden.example/"}')
    feed = await _feed(garden)
    assert (feed["tags"], feed["website"], feed["title"]) == (
        ["new", "Old"],
        "http://garden.example/",
        "Greenhouse",
    )
    assert "description" not in feed
    await _put(garden, '{"tags":[],"website":null}')
    assert not (await _feed(garden)).keys() & {"tags", "website"}


async def test_a_location_is_merged_part_by_part(garden: InProcess) -> None:
    """New coordinates keep the name; an empty part is cleared, and so is the whole by null."""
    await _put(garden, '{"location":{"lat":"-1.5","lon":2,"exposure":""}}')
    assert (await _feed(garden))["location"] == {
        "name": "Hut 3",
        "domain": "physical",
        "ele": "41.0",
        "lat": -1.5,
        "lon": 2.0,
    }
    await _put(garden, '{"location":null}')
    assert (await _feed(garden))["location"] == {"domain": "physical"}


async def test_a_mobile_feed_remembers_where_it_was(garden: InProcess) -> None:
    """A move turns the old place into a waypoint with the time it had; nothing else does."""
    await _put(garden, '{"location":{"disposition":"mobile"}}')
    garden.now += MINUTE
    await _put(garden, '{"location":{"lat":53,"lon":10}}')
    garden.now += MINUTE
    await _put(garden, '{"location":{"name":"On the road"}}')
    await _put(garden, '{"location":{"lat":54,"ele":""},"updated":"2013-06-01T12:10:00Z"}')
    garden.now += MINUTE
    await _put(garden, '{"location":{"lat":55}}')
    location = (await _feed(garden))["location"]
    assert location["lat"] == 55.0
    assert location["waypoints"] == [
        {"at": "2013-06-01T12:00:00.000000Z", "lat": 52.1, "lon": 9.36, "ele": "41.0"},
        {"at": "2013-06-01T12:01:00.000000Z", "lat": 53.0, "lon": 10.0, "ele": "41.0"},
        {"at": "2013-06-01T12:10:00.000000Z", "lat": 54.0, "lon": 10.0},
    ]
    part = (await _feed(garden, 1, "?start=2013-06-01T12:00:30Z&end=2013-06-01T12:05:00Z"))["location"]
    assert [place["at"] for place in part["waypoints"]] == ["2013-06-01T12:01:00.000000Z"]
    await _put(garden, '{"location":{"disposition":"fixed"}}')
    assert "waypoints" not in (await _feed(garden))["location"]


async def test_a_mobile_feed_that_never_moved_has_an_empty_list_in_xml(garden: InProcess) -> None:
    """XML has the empty element, JSON leaves the member out."""
    await _put(garden, '{"location":{"disposition":"mobile"}}')
    assert "waypoints" not in (await _feed(garden))["location"]
    assert b"<waypoints/>" in (await garden.ask("GET /v2/feeds/1.xml")).body


async def test_every_put_on_the_feed_sets_updated(garden: InProcess) -> None:
    """Also an empty one; writes through the datastream and datapoint paths don't."""
    garden.now += MINUTE
    await _put(garden, "{}")
    first = format_micros(NOON + MINUTE)
    assert (await _feed(garden))["updated"] == first
    garden.now += MINUTE
    await _put(garden, "5", "PUT /v2/feeds/1/datastreams/temp.csv")
    await garden.ask("POST /v2/feeds/1/datastreams/temp/datapoints.csv", "2013-06-01T09:00:00Z,1")
    feed = await _feed(garden)
    assert (feed["updated"], feed["status"]) == (first, "live")


async def test_metadata_alone_does_not_make_a_feed_live(garden: InProcess) -> None:
    """Only data that is written does, at any level."""
    garden.now += 20 * MINUTE
    await _put(garden, '{"title":"Glasshouse"}')
    await _put(garden, "{}", "PUT /v2/feeds/1/datastreams/temp.json")
    await _put(garden, '{"tags":["x"]}', "PUT /v2/feeds/1/datastreams/temp.json")
    assert (await _feed(garden))["status"] == "frozen"
    await _put(garden, '{"value":"1"}', "PUT /v2/feeds/1/datastreams/temp/datapoints/2013-06-01T09:00:00Z")
    assert (await _feed(garden))["status"] == "live"


async def test_an_id_in_the_body_is_ignored(garden: InProcess) -> None:
    """The path says which feed it is."""
    await _put(garden, '{"id":"2","title":"Renamed"}')
    assert (await _feed(garden, 1))["title"] == "Renamed"
    assert (await _feed(garden, 2))["title"] == "Cellar"


async def test_old_layouts_are_taken_on_the_new_path(garden: InProcess) -> None:
    """JSON 0.6-alpha and EEML 5 are recognised by their version mark."""
    await _put(garden, '{"version":"0.6-alpha","datastreams":[{"id":"7","values":[{"value":"5"}]}]}')
    assert (await _stream(garden, "7"))["current_value"] == "5"
    garden.now += 1
    body = '<eeml version="5"><environment><data id="7"><value>6</value></data></environment></eeml>'
    await _put(garden, body, "PUT /v2/feeds/1.xml")
    assert (await _stream(garden, "7"))["current_value"] == "6"


async def test_exactly_five_hundred_datapoints_are_taken(garden: InProcess) -> None:
    """Current values don't count against the limit."""
    points = [{"at": f"2013-06-01T08:{n // 60:02}:{n % 60:02}Z", "value": str(n)} for n in range(500)]
    body = {
        "datastreams": [
            {"id": "n", "current_value": "1", "datapoints": points},
            {"id": "m", "current_value": "1"},
        ]
    }
    await _put(garden, json.dumps(body))
    stream = await _stream(garden, "n", query="?duration=6hours&limit=1000")
    assert len(stream["datapoints"]) == 501


async def test_values_of_exactly_the_limit_are_taken(garden: InProcess) -> None:
    """255 characters of any script are a value; so is the empty text."""
    await _put(
        garden, json.dumps({"title": "ü" * 255, "datastreams": [{"id": "7", "current_value": "ü" * 255}]})
    )
    garden.now += 1
    await _put(garden, '{"datastreams":[{"id":"door","current_value":""}]}')
    assert (await _stream(garden, "7"))["current_value"] == "ü" * 255
    assert (await _stream(garden, "door"))["current_value"] == ""


async def test_a_limited_key_may_write_its_datastream_through_the_feed(garden: InProcess) -> None:
    """Official device libraries write through the feed, with keys for single datastreams."""
    await _put(garden, "temp,7", "PUT /v2/feeds/1.csv", key="thermometer")
    assert (await _stream(garden, "temp"))["current_value"] == "7"


async def test_a_feed_can_become_private(garden: InProcess) -> None:
    """Booleans and the words and digits for them are understood."""
    for word, private in (
        ("true", "true"),
        ('"0"', "false"),
        ('"true"', "true"),
        ("1", "true"),
        ("false", "false"),
    ):
        await _put(garden, f'{{"private":{word}}}')
        assert (await _feed(garden))["private"] == private


# Delete


async def test_a_deleted_feed_is_gone_with_the_keys_limited_to_it(garden: InProcess) -> None:
    """A second deletion finds nothing."""
    assert (await garden.ask("DELETE /v2/feeds/1.json")).status == 200
    assert (await garden.ask("GET /v2/feeds/1")).status == 404
    assert (await garden.ask("DELETE /v2/feeds/1")).status == 404
    assert (await garden.ask("GET /v2/keys/greenhouse", key="greenhouse")).status == 401


async def test_a_body_on_a_deletion_is_no_matter(garden: InProcess) -> None:
    """A browser library sends one."""
    assert (await garden.ask("DELETE /v2/feeds/1.json", "{")).status == 200
