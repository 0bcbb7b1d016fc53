"""Reading with dates: Last-Modified and If-Modified-Since."""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import Any

import pytest

from txpachube.testing.inprocess import NOON, InProcess
from txpachube.times import SECOND

FEED, STREAM = "GET /v2/feeds/1.json", "GET /v2/feeds/1/datastreams/temp.json"


def _since(micros: int) -> dict[str, str]:
    return {"if-modified-since": formatdate(micros // SECOND, usegmt=True)}


@pytest.mark.parametrize(
    "line", [FEED, STREAM, "GET /v2/feeds/1.xml?show_user=true", "GET /v2/feeds/1/datastreams"]
)
async def test_a_document_says_when_it_was_changed(garden: InProcess, line: str) -> None:
    """With that date a client gets 304 until something changes, be it only a datastream's tags."""
    assert (await garden.ask(line)).last_modified == NOON
    garden.now += 5 * SECOND
    assert (await garden.ask(line, headers=_since(NOON))).status == 304
    await garden.ask("PUT /v2/feeds/1/datastreams/temp.json", '{"tags":["new"]}')
    answer = await garden.ask(line, headers=_since(NOON))
    assert (answer.status, answer.last_modified) == (200, garden.now)
    assert (await garden.ask(line, headers=_since(garden.now))).status == 304


async def test_a_write_within_the_same_second_is_not_missed(garden: InProcess) -> None:
    """The date of both versions is the same, so the client gets the document."""
    first = await garden.ask(FEED)
    garden.now += 1000
    await garden.ask("PUT /v2/feeds/1.csv", "temp,99")
    answer = await garden.ask(FEED, headers=_since(first.last_modified or 0))
    assert answer.status == 200
    assert b'"99"' in answer.body


async def test_freezing_is_not_missed(garden: InProcess) -> None:
    """The status changes without a write, and the date with it."""
    garden.now += 900 * SECOND
    answer = await garden.ask(FEED, headers=_since(NOON))
    assert (answer.status, json.loads(answer.body)["status"]) == (200, "frozen")
    assert (await garden.ask(FEED, headers=_since(garden.now))).status == 304


@pytest.mark.parametrize("query", ["?duration=1hour", "?time=2013-06-01T11:00:00Z"])
async def test_what_moves_with_the_clock_has_no_date(garden: InProcess, query: str) -> None:
    """A history until now changes without a write, so only its entity tag tells versions apart."""
    answer = await garden.ask(FEED + query, headers=_since(NOON + 10**9 * SECOND))
    assert (answer.status, answer.last_modified) == (200, None)
    assert answer.etag is not None


async def test_a_mobile_feed_is_read_whole(garden: InProcess) -> None:
    """At most the newest hundred former places are shown, oldest first."""
    await garden.ask("PUT /v2/feeds/1.json", '{"location":{"disposition":"mobile"}}')
    for number in range(105):
        garden.now += SECOND
        await garden.ask("PUT /v2/feeds/1.json", f'{{"location":{{"lat":{number / 10}}}}}')
    places = json.loads((await garden.ask(FEED)).body)["location"]["waypoints"]
    assert len(places) == 100
    assert (places[0]["lat"], places[-1]["lat"]) == (0.4, 10.3)


async def test_a_document_that_a_write_overtook_is_not_kept(
    garden: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that is carried out while the former places are read is in the next answer."""
    await garden.ask("PUT /v2/feeds/1.json", '{"location":{"disposition":"mobile"}}')
    waypoints = garden.store.waypoints

    async def overtaken(*arguments: Any) -> Any:
        places = await waypoints(*arguments)
        monkeypatch.undo()
        await garden.ask("PUT /v2/feeds/1.json", '{"location":{"lat":1}}')
        return places

    monkeypatch.setattr(garden.store, "waypoints", overtaken)
    assert (await garden.ask(FEED)).status == 200
    location = json.loads((await garden.ask(FEED)).body)["location"]
    assert (location["lat"], len(location["waypoints"])) == (1.0, 1)


AT = "2013-06-01T10:00:00.000000Z"


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("feeds/1.csv?datastreams=temp", f"temp,{AT},21.50"),
        ("feeds/1.csv?datastreams=temp&depth=1", "21.50"),
        ("feeds/1.csv?datastreams=temp&depth=2", f"{AT},21.50"),
        ("feeds/1.csv?datastreams=temp&depth=3", f"temp,{AT},21.50"),
        ("feeds/1.csv?datastreams=temp&depth=4", f"1,temp,{AT},21.50"),
        ("feeds/1.csv?datastreams=temp&depth=7", f"temp,{AT},21.50"),
        ("feeds/1.csv?full=true&datastreams=door", '1,door,,""'),
        ("feeds/3.csv?depth=1", "3"),
        ("feeds/1.csv?full=true&datastreams=temp&start=2013-06-01T09:50:00Z", f"1,temp,{AT},21.50"),
        ("feeds/1/datastreams/temp.csv?full=true", f"1,temp,{AT},21.50"),
        ("feeds/1/datastreams/temp.csv?depth=3", f"temp,{AT},21.50"),
        ("feeds/1/datastreams/temp.csv?depth=1", "21.50"),
        ("feeds/1/datastreams/temp/datapoints.csv?depth=1&start=2013-06-01T09:10:00Z", "20\n21.50"),
        ("feeds.csv?ids=3&depth=1", "3"),
        ("feeds.csv?ids=3&depth=2", "2013-06-01T12:00:00.000000Z,3"),
    ],
)
async def test_columns_of_csv_can_be_chosen(common_garden: InProcess, target: str, text: str) -> None:
    """``depth`` counts columns from the right, ``full`` means all; other formats don't mind."""
    answer = await common_garden.ask(f"GET /v2/{target}")
    assert (answer.status, answer.body.decode()) == (200, text)
    plain, _, query = target.partition("?")
    document = await common_garden.ask(f"GET /v2/{plain.replace('csv', 'json')}?{query}")
    without = query.replace("full=true", "").replace("depth=", "_=")
    assert (
        document.body == (await common_garden.ask(f"GET /v2/{plain.replace('csv', 'json')}?{without}")).body
    )
