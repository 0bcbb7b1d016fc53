"""The list of feeds: who sees which, filters, order, pages."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from txpachube.server.storage import listing
from txpachube.server.storage.records import Permission, Resource
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


ODD: Final = [
    *(
        '"',
        "'",
        '"greenhouse',
        "greenhouse*",
        "*",
        "-glass",
        "NOT",
        "NOT greenhouse",
        "OR",
        "AND AND",
        "NEAR(",
    ),
    *(
        "title:greenhouse",
        "{title}:x",
        "^",
        "^greenhouse",
        "(",
        ")",
        "((((",
        "a+b",
        "\\",
        ";",
        "--",
        "/*",
        "%",
        "_",
    ),
    *(
        "\0",
        "a\0b",
        "\ud800",
        "🌡",
        "é\u0301",
        "\u202e",
        "?1",
        ":words",
        "x" * 10_000,
        "x " * 5_000,
        "'; DROP TABLE feeds",
    ),
]


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("name", ["q", "tag", "units", "user", "order", "status", "ids"])
async def test_whatever_is_typed_is_just_searched_for(common_garden: InProcess, name: str, text: str) -> None:
    """What means something to a database means nothing here."""
    query = urlencode({name: text}, errors="surrogatepass")
    found = await _list(common_garden, "?" + query)
    assert found["totalResults"] == len(found["results"])


async def test_many_words_are_all_asked_for(common_garden: InProcess) -> None:
    """Hundreds of them, of which the last counts as well as the first."""
    many = "+".join(["greenhouse", *(f"w{number}" for number in range(800))])
    assert await _ids(common_garden, f"?q={many}") == []
    words = [
        "Greenhouse",
        "South",
        "bed",
        "glass",
        "Tomato",
        "temp",
        "air",
        "Celsius",
        "door",
        "7",
        "log.csv",
    ]
    assert await _ids(common_garden, "?q=" + "+".join(words * 20)) == [1]
    assert await _ids(common_garden, "?q=" + "+".join([*words * 20, "absent"])) == []


async def test_too_long_a_text_is_refused(common_garden: InProcess) -> None:
    """A door other than HTTP can bring any length."""
    assert (await common_garden.ask("GET /v2/feeds?q=" + "x" * 20_000)).status == 400


async def test_what_is_acknowledged_is_found_at_once(garden: InProcess) -> None:
    """A new feed, a new datastream, a new title, and nothing of what was before."""
    made = await garden.ask("POST /v2/feeds.json", '{"title": "Brook", "tags": "wet"}')
    assert made.location is not None
    number = int(made.location.rpartition("/")[2])
    assert await _ids(garden, "?q=brook&tag=wet") == [number]
    await garden.ask(f"PUT /v2/feeds/{number}.json", '{"title": "Rill", "location": {"lat": 1, "lon": 2}}')
    assert await _ids(garden, "?q=rill&lat=1&lon=2&distance=1") == [number]
    assert await _ids(garden, "?q=brook") == []
    await garden.ask(
        f"POST /v2/feeds/{number}/datastreams.json", '{"id": "flow", "unit": {"label": "Litre"}}'
    )
    assert await _ids(garden, "?q=flow&units=litre") == [number]
    await garden.ask(f"DELETE /v2/feeds/{number}/datastreams/flow")
    assert await _ids(garden, "?q=flow") == await _ids(garden, "?units=litre") == []
    await garden.ask(f"DELETE /v2/feeds/{number}")
    assert await _ids(garden, "?q=rill") == await _ids(garden, "?tag=wet") == []


async def test_a_feed_that_becomes_private_is_hidden_at_once(garden: InProcess) -> None:
    """From everybody but its owner; numbers don't tell of it either."""
    await garden.ask("PUT /v2/feeds/1.json", '{"private": true}')
    for query in (
        "?q=greenhouse",
        "?tag=glass",
        "?units=celsius",
        "?mapped=true",
        "?lat=52.1&lon=9.36",
        "?id=1",
    ):
        assert (await _list(garden, query, key="master-of-otto"))["totalResults"] == 0
        assert (await _list(garden, query, key="public-of-rosa"))["totalResults"] == 0
        assert await _ids(garden, query) == [1]


async def test_a_feed_that_became_private_meanwhile_is_not_shown(
    common_garden: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the search and its answer somebody may have hidden what was found."""
    monkeypatch.setattr(listing, "find_feeds", lambda *_: (2, [4, 3]))
    assert await _ids(common_garden) == [3]
    assert await _ids(common_garden, key="master-of-otto") == [4, 3]


async def test_a_key_finds_nothing_by_what_it_may_not_see(garden: InProcess) -> None:
    """Limited to a datastream, it finds by that, by its feed, and by no other datastream."""
    for query, found in (
        ("?q=temp", [1]),
        ("?q=greenhouse+celsius+air+rosa", [1]),
        ("?tag=tomato&units=C", [1]),
        ("?q=door", []),
        ("?q=log.csv", []),
        ("?q=greenhouse+door", []),
    ):
        listed = await _list(garden, query, key="thermometer")
        assert ([feed["id"] for feed in listed["results"]], listed["totalResults"]) == (found, len(found))
    await garden.ask("PUT /v2/feeds/1/datastreams/door.json", '{"tags": "oak", "unit": {"label": "Angle"}}')
    for query in ("?tag=oak", "?units=angle", "?q=oak", "?q=angle"):
        assert await _ids(garden, query, key="thermometer") == []
        assert await _ids(garden, query, key="greenhouse") == [1]


async def test_order_does_not_tell_a_key_what_it_may_not_see(garden: InProcess) -> None:
    """Only what the key sees makes a feed relevant; pages of a limited key are pages like others."""
    for number in range(5, 8):
        body = f'{{"title": "Shed {number}", "datastreams": [{{"id": "temp"}}, {{"id": "hidden"}}]}}'
        assert (await garden.ask("POST /v2/feeds.json", body)).status == 201
    await garden.ask("PUT /v2/feeds/5.json", '{"title": "temp"}')
    await garden.ask("PUT /v2/feeds/6/datastreams/hidden.json", '{"tags": "temp, shed"}')
    only = tuple(Resource(number, "temp") for number in (5, 6, 7))
    key = await garden.add_key(1, Permission(("get",), resources=only))
    assert await _ids(garden, "?q=temp", key=key) == [5, 7, 6]
    assert await _ids(garden, "?q=temp&order=created_at", key=key) == [7, 6, 5]
    second = await _list(garden, "?q=temp&per_page=2&page=2", key=key)
    assert (second["totalResults"], [feed["id"] for feed in second["results"]]) == (3, [6])


async def test_how_common_a_word_is_in_private_feeds_is_not_told(garden: InProcess) -> None:
    """Whatever others hide, the order of what is public is the same."""
    for title in ("mill mill brook", "mill brook brook", *("other",) * 8):
        await garden.ask("POST /v2/feeds.json", f'{{"title": "{title}"}}')
    before = await _ids(garden, "?q=mill+brook")
    for _ in range(9):
        body = '{"title": "brook", "private": true}'
        await garden.ask("POST /v2/feeds.json", body, key="master-of-otto")
    assert await _ids(garden, "?q=mill+brook") == before


async def test_what_is_relevant_comes_first(garden: InProcess) -> None:
    """The title counts more than the description; one's own private feeds come first of all."""
    for body in (
        '{"title": "Mill"}',
        '{"title": "Brook", "description": "behind the mill, and a long way from anything else"}',
        '{"title": "Beside the mill", "private": true, "description": "secret"}',
    ):
        assert (await garden.ask("POST /v2/feeds.json", body)).status == 201
    assert await _ids(garden, "?q=mill") == [7, 5, 6]
    assert await _ids(garden, "?q=mill&order=relevance", key="master-of-otto") == [5, 6]
    assert await _ids(garden, "?q=mill&order=created_at", key="master-of-otto") == [6, 5]
    assert await _ids(garden, "?order=relevance", key="master-of-otto") == [6, 5, 4, 3, 1]


async def test_the_latest_data_comes_first_in_a_search_too(garden: InProcess) -> None:
    """Though the disk has not been told of it yet."""
    assert await _ids(garden, "?q=rosa&order=retrieved_at&per_page=1") == [1]
    garden.now += SECOND
    await garden.ask("PUT /v2/feeds/2.csv", "wine,1")
    assert await _ids(garden, "?q=rosa&order=retrieved_at") == [2, 1]
    assert await _ids(garden, "?q=rosa&status=live&order=retrieved_at&per_page=1&page=2") == [1]


@pytest.mark.parametrize("query", ["lat=x&lon=1", "lat=1&lon=north", "lat=1&lon=1&distance=far"])
async def test_a_place_must_be_numbers(common_garden: InProcess, query: str) -> None:
    """What is no number is a bad request."""
    assert (await common_garden.ask(f"GET /v2/feeds?{query}")).status == 400
