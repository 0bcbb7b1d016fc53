"""The list of feeds: who sees which, filters, order, pages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from txpachube.server.operations import lists
from txpachube.server.storage.records import Permission
from txpachube.testing.inprocess import InProcess
from txpachube.times import SECOND


async def _list(garden: InProcess, query: str = "", key: str | None = None) -> dict[str, Any]:
    answer = await garden.ask(f"GET /v2/feeds.json{query}", key=key)
    assert answer.status == 200, answer.body
    document: dict[str, Any] = json.loads(answer.body)
    return document


async def _ids(garden: InProcess, query: str = "", key: str | None = None) -> list[int]:
    return [feed["id"] for feed in (await _list(garden, query, key))["results"]]


@pytest.mark.parametrize(
    ("key", "ids"),
    [
        ("master-of-rosa", [3, 2, 1]),
        ("public-of-rosa", [3, 1]),
        ("master-of-otto", [4, 3, 1]),
        ("greenhouse", [1]),
        ("thermometer", [1]),
    ],
)
async def test_a_key_sees_public_feeds_and_those_it_may_read(
    common_garden: InProcess, key: str, ids: list[int]
) -> None:
    """Public ones of everybody, private ones with private access; a limited key sees only its feeds."""
    assert sorted(await _ids(common_garden, key=key), reverse=True) == ids


async def test_ids_do_not_widen_what_a_limited_key_sees(common_garden: InProcess) -> None:
    """Feeds outside of its resources are not there, named or not."""
    assert await _ids(common_garden, "?ids=1,3", key="greenhouse") == [1]
    assert await _ids(common_garden, "?id=3", key="greenhouse") == []


async def test_a_key_limited_to_a_datastream_sees_only_that_in_lists(common_garden: InProcess) -> None:
    """The other datastreams of the feed are left out."""
    (feed,) = (await _list(common_garden, key="thermometer"))["results"]
    assert [stream["id"] for stream in feed["datastreams"]] == ["temp"]


async def test_a_key_that_may_not_read_gets_no_list(garden: InProcess) -> None:
    """Without GET among its methods the list is forbidden."""
    key = await garden.add_key(1, Permission(("put",)))
    assert (await garden.ask("GET /v2/feeds", key=key)).status == 403


async def test_a_list_says_what_it_is_a_part_of(common_garden: InProcess) -> None:
    """Total, start and page size are numbers; a page past the end is empty with the right total."""
    first = await _list(common_garden, "?per_page=2")
    assert (first["totalResults"], first["startIndex"], first["itemsPerPage"]) == (3, 0, 2)
    second = await _list(common_garden, "?per_page=2&page=2")
    assert (second["totalResults"], second["startIndex"], len(second["results"])) == (3, 2, 1)
    assert await _list(common_garden, "?page=9&per_page=2") == {
        "totalResults": 3,
        "startIndex": 16,
        "itemsPerPage": 2,
        "results": [],
    }


@pytest.mark.parametrize(
    ("query", "per_page"),
    [("", 50), ("?per_page=2000", 1000), ("?per_page=0", 50), ("?per_page=-1", 50), ("?per_page=x", 50)],
)
async def test_the_page_size_has_bounds(common_garden: InProcess, query: str, per_page: int) -> None:
    """Too large is cut, and what is no size is the default."""
    assert (await _list(common_garden, query))["itemsPerPage"] == per_page


async def test_an_enormous_page_number_is_just_empty(common_garden: InProcess) -> None:
    """No number is too large to ask for."""
    assert (await _list(common_garden, "?page=" + "9" * 40))["results"] == []


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("?user=otto", [3]),
        ("?user=nobody", []),
        ("?id=1", [1]),
        ("?ids=1,3,4,999,x,-1,99999999999999999999", [1, 3]),
        ("?ids=x", []),
        ("?ids=", [1, 2, 3]),
        ("?q=greenhouse", [1]),
        ("?q=SOUTH%20glass", [1]),
        ("?q=south%20otto", []),
        ("?q=wind", [3]),
        ("?q=celsius&user=rosa", [1]),
        ("?tag=AIR", [1]),
        ("?tag=tomato", [1]),
        ("?tag=tom", []),
        ("?units=celsius", [1]),
        ("?units=c", [1]),
        ("?mapped=true", [1]),
        ("?lat=52.1&lon=9.4", [1]),
        ("?lat=52.1&lon=9.4&distance=1", []),
        ("?lat=52.1&lon=9.4&distance=2&distance_units=miles", [1]),
        ("?lat=52.1", [1, 2, 3]),
        ("?unknown=1", [1, 2, 3]),
    ],
)
async def test_filters(common_garden: InProcess, query: str, ids: list[int]) -> None:
    """Each filter leaves the feeds that fit, together they leave those that fit all."""
    assert sorted(await _ids(common_garden, query)) == ids


async def test_live_and_frozen_feeds_add_up(garden: InProcess) -> None:
    """The status in the list is the status in the document, to the microsecond."""
    garden.now += 600 * SECOND
    await garden.ask("PUT /v2/feeds/2.csv", "wine,1")
    for passed, live in ((0, [1, 2, 3]), (300 * SECOND - 1, [1, 2, 3]), (300 * SECOND, [2]), (10**9, [])):
        garden.now = garden.now + passed if passed < 10**9 else garden.now + 900 * SECOND
        found = await _list(garden, "?status=live")
        assert sorted(feed["id"] for feed in found["results"]) == live
        assert {feed["status"] for feed in found["results"]} <= {"live"}
        assert len(await _ids(garden, "?status=frozen")) == 3 - len(live)
        assert len(await _ids(garden, "?status=all")) == 3
        garden.now -= passed if passed < 10**9 else 0


async def test_the_order_is_newest_first(garden: InProcess) -> None:
    """By creation, or by the last data."""
    assert await _ids(garden) == [3, 2, 1]
    garden.now += SECOND
    await garden.ask("PUT /v2/feeds/1.csv", "temp,1")
    assert (await _ids(garden, "?order=retrieved_at"))[0] == 1
    assert await _ids(garden, "?order=created_at") == [3, 2, 1]


async def test_what_a_feed_of_the_list_shows(common_garden: InProcess) -> None:
    """A summary has no datastreams, filters choose among them, and the creator comes on demand."""
    (feed,) = (await _list(common_garden, "?id=1&content=summary&show_user=true"))["results"]
    assert "datastreams" not in feed
    assert feed["user"] == {"login": "rosa"}
    (feed,) = (await _list(common_garden, "?id=1&datastreams=temp,7&duration=6hours"))["results"]
    assert [stream["id"] for stream in feed["datastreams"]] == ["7", "temp"]
    assert "datapoints" not in feed["datastreams"][1]


async def test_the_list_in_csv_and_xml(common_garden: InProcess) -> None:
    """CSV has a row per datastream; XML has the numbers in their own namespace."""
    csv = (await common_garden.ask("GET /v2/feeds.csv?ids=2,3")).body.decode().splitlines()
    assert csv == ["3,wind,2013-06-01T12:00:00.000000Z,3", '2,wine,,""']
    xml = (await common_garden.ask("GET /v2/feeds.xml?id=1")).body
    assert b"<opensearch:totalResults>1</opensearch:totalResults>" in xml


async def test_a_search_in_memory_has_a_bound(
    common_garden: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than leave feeds out silently, a search among too many is refused."""
    monkeypatch.setattr(lists, "MAX_SEARCHED", 2)
    answer = await common_garden.ask("GET /v2/feeds?q=greenhouse")
    assert answer.status == 400
    assert (await common_garden.ask("GET /v2/feeds?q=greenhouse&ids=1,2")).status == 200


@pytest.mark.parametrize("query", ["lat=x&lon=1", "lat=1&lon=north", "lat=1&lon=1&distance=far"])
async def test_a_place_must_be_numbers(common_garden: InProcess, query: str) -> None:
    """What is no number is a bad request."""
    assert (await common_garden.ask(f"GET /v2/feeds?{query}")).status == 400
