"""Version 1 of the API: its documents, its paths, and what PUT means there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lxml import etree

from txpachube.server.storage.records import Permission, Resource
from txpachube.testing.inprocess import NOON, InProcess
from txpachube.times import EARLIEST, LATEST, SECOND

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<eeml xmlns="http://www.eeml.org/xsd/005" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' version="5" xsi:schemaLocation="http://www.eeml.org/xsd/005 http://www.eeml.org/xsd/005/005.xsd">\n'
)
GREENHOUSE = (
    HEAD
    + """\
  <environment updated="2013-06-01T12:00:00Z" id="1" creator="http://www.haque.co.uk">
    <title>Greenhouse</title>
    <feed>http://api.example/v1/feeds/1.xml</feed>
    <status>live</status>
    <description>South bed</description>
    <location domain="physical" exposure="outdoor">
      <name>Hut 3</name>
      <lat>52.1</lat>
      <lon>9.36</lon>
      <ele>41.0</ele>
    </location>
    <data id="7">
      <value minValue="17.0" maxValue="17.0">0000017</value>
    </data>
    <data id="door"/>
    <data id="log.csv">
      <value>x</value>
    </data>
    <data id="temp">
      <tag>air</tag>
      <value minValue="19.0" maxValue="21.5">21.50</value>
      <unit symbol="C" type="derivedSI">Celsius</unit>
    </data>
  </environment>
</eeml>
"""
)
TEMP_JSON = (
    b'{"id":"temp","values":[{"recorded_at":"2013-06-01T10:00:00Z","value":"21.50","max_value":"21.5",'
    b'"min_value":"19.0"}],"tags":["air"],"unit":{"type":"derivedSI","symbol":"C","label":"Celsius"},'
    b'"version":"0.6-alpha"}'
)
XML, CSV, JSON = (
    "application/xml; charset=utf-8",
    "text/plain; charset=utf-8",
    "application/json; charset=utf-8",
)


def eeml(inner: str, root: str = '<eeml xmlns="http://www.eeml.org/xsd/005" version="5">') -> str:
    return f"{root}<environment>{inner}</environment></eeml>"


async def _feed(garden: InProcess, feed_id: int = 1) -> dict[str, Any]:
    answer = await garden.ask(f"GET /v2/feeds/{feed_id}.json")
    assert answer.status == 200, answer.body
    document: dict[str, Any] = json.loads(answer.body)
    return document


async def _values(garden: InProcess, feed_id: int = 1) -> dict[str, str | None]:
    feed = await _feed(garden, feed_id)
    return {stream["id"]: stream.get("current_value") for stream in feed.get("datastreams", [])}


async def _done(garden: InProcess, line: str, body: str, **options: Any) -> None:
    answer = await garden.ask(line, body, **options)
    assert (answer.status, answer.body, answer.location) == (200, b"", None), answer.body


# Reading


@pytest.mark.parametrize(
    "path",
    [
        "/v1/feeds/1",
        "/v1/feeds/1.xml",
        "/v1/feeds/1/",
        "/api/feeds/1.xml",
        "/api/1.xml",
        "/api/1",
        "//api//1",
        "/v1/1",
        "/v1/feeds/1/datastreams",
        "/api/feeds/1/datastreams.xml",
    ],
)
async def test_a_feed_is_eeml_5_unless_something_else_is_asked_for(garden: InProcess, path: str) -> None:
    """Every path of version 1 leads to the same document, which says that it is version 5."""
    answer = await garden.ask(f"GET {path}")
    assert (answer.status, answer.content_type) == (200, XML)
    assert answer.body.decode() == GREENHOUSE
    assert answer.etag is not None


async def test_a_feed_in_json_is_0_6_alpha(garden: InProcess) -> None:
    """By extension or by header; values stand in an array, and there are no tags of the feed."""
    answer = await garden.ask("GET /v1/feeds/1.json")
    assert (answer.status, answer.content_type) == (200, JSON)
    document = json.loads(answer.body)
    assert list(document) == [
        *("id", "title", "description", "feed", "status", "updated", "version", "datastreams", "location")
    ]
    assert document["version"] == "0.6-alpha"
    assert document["feed"] == "http://api.example/v1/feeds/1.json"
    assert document["datastreams"][3] == {
        "id": "temp",
        "values": [
            {
                "recorded_at": "2013-06-01T10:00:00Z",
                "value": "21.50",
                "max_value": "21.5",
                "min_value": "19.0",
            }
        ],
        "tags": ["air"],
        "unit": {"type": "derivedSI", "symbol": "C", "label": "Celsius"},
    }
    by_header = await garden.ask("GET /api/1", headers={"accept": "application/json"})
    assert by_header.body == answer.body


async def test_a_feed_in_csv_is_one_line_of_values(garden: InProcess) -> None:
    """The values stand in the order of the datastreams, with nothing where there is no value."""
    for path in ("/v1/feeds/1.csv", "/api/1.csv", "/api/feeds/1.csv"):
        answer = await garden.ask(f"GET {path}")
        assert (answer.status, answer.content_type) == (200, CSV)
        assert answer.body == b"0000017,,x,21.50"


@pytest.mark.parametrize(
    ("extension", "body"),
    [
        ("csv", b"21.50"),
        (
            "json",
            TEMP_JSON,
        ),
    ],
)
async def test_a_datastream_alone(garden: InProcess, extension: str, body: bytes) -> None:
    """A datastream is a bare value in CSV, and says its version in JSON."""
    answer = await garden.ask(f"GET /v1/feeds/1/datastreams/temp.{extension}")
    assert (answer.status, answer.body) == (200, body)


async def test_a_datastream_in_xml_stands_in_its_environment(garden: InProcess) -> None:
    """The environment has attributes and one datastream, and no fraction in its time."""
    answer = await garden.ask("GET /api/feeds/1/datastreams/7")
    assert answer.body.decode() == (
        HEAD
        + """\
  <environment updated="2013-06-01T12:00:00Z" id="1" creator="http://www.haque.co.uk">
    <data id="7">
      <value minValue="17.0" maxValue="17.0">0000017</value>
    </data>
  </environment>
</eeml>
"""
    )


async def test_a_datastream_without_a_value_is_an_empty_text(garden: InProcess) -> None:
    """Nothing was written, so nothing is told."""
    answer = await garden.ask("GET /v1/feeds/1/datastreams/door.csv")
    assert (answer.status, answer.body) == (200, b"")


async def test_a_datastream_may_be_called_like_a_file(garden: InProcess) -> None:
    """The full text of the path is tried as an id first, as in version 2."""
    answer = await garden.ask("GET /v1/feeds/1/datastreams/log.csv")
    assert b'<data id="log.csv">' in answer.body


async def test_parameters_of_feeds(garden: InProcess) -> None:
    """Datastreams can be chosen and times converted; a history that is asked for is not there."""
    chosen = await garden.ask("GET /v1/feeds/1.csv?datastreams=temp,7&duration=6hours")
    assert chosen.body == b"0000017,21.50"
    zone = await garden.ask("GET /v1/feeds/1.xml?timezone=8")
    assert b'updated="2013-06-01T20:00:00+08:00"' in zone.body


async def test_a_limited_key_sees_its_datastreams(garden: InProcess) -> None:
    """As in version 2."""
    answer = await garden.ask("GET /v1/feeds/1.csv", key="thermometer")
    assert answer.body == b"21.50"


@pytest.mark.parametrize("path", ["/v1/feeds", "/api/feeds.xml", "/api.xml", "/api"])
async def test_the_list_of_feeds(garden: InProcess, path: str) -> None:
    """The list is paged as in version 2 and holds documents of version 5."""
    answer = await garden.ask(f"GET {path}?per_page=2")
    root = etree.fromstring(answer.body)
    assert root.get("version") == "5"
    counts = {child.tag.partition("}")[2]: child.text for child in root if not len(child)}
    assert counts == {"totalResults": "3", "startIndex": "0", "itemsPerPage": "2"}
    environments = [child for child in root if len(child)]
    assert [environment.get("id") for environment in environments] == ["3", "2"]
    assert environments[0].findtext("{*}feed") == "http://api.example/v1/feeds/3.xml"


async def test_the_list_of_feeds_in_json(garden: InProcess) -> None:
    """The feeds are in the layout of that time."""
    answer = await garden.ask("GET /v1/feeds.json?per_page=1")
    document = json.loads(answer.body)
    assert document["totalResults"] == 3
    assert [feed["version"] for feed in document["results"]] == ["0.6-alpha"]


async def test_what_has_not_changed_is_not_sent_again(garden: InProcess) -> None:
    """Entity tags and dates work as in version 2, and differ from those of its documents."""
    first = await garden.ask("GET /v1/feeds/1")
    assert first.etag is not None
    again = await garden.ask("GET /v1/feeds/1", headers={"if-none-match": first.etag})
    assert (again.status, again.body) == (304, b"")
    newer = await garden.ask("GET /v2/feeds/1.xml", headers={"if-none-match": first.etag})
    assert newer.status == 200


# Creating


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/v1/feeds", "/v1/feeds/5"),
        ("/v1/feeds/", "/v1/feeds/5"),
        ("/v1/feeds.xml", "/v1/feeds/5.xml"),
        ("/api/feeds", "/api/feeds/5"),
        ("/api/feeds.xml", "/api/feeds/5.xml"),
        ("/api.xml", "/api/5.xml"),
        ("/api", "/api/5"),
        ("//api/", "/api/5"),
    ],
)
async def test_the_location_is_like_the_request(garden: InProcess, path: str, location: str) -> None:
    """Programs of that time look for their feed under the path, and the extension, that they know."""
    body = eeml('<title>Porch</title><data id="0"><tag>a</tag><value maxValue="9">1.50</value></data>')
    answer = await garden.ask(f"POST {path}", body)
    assert (answer.status, answer.body, answer.content_type) == (201, b"", XML)
    assert answer.location == f"http://api.example{location}"
    assert (await garden.ask(f"GET {location}")).status == 200
    feed = await _feed(garden, 5)
    assert feed["title"] == "Porch"
    assert feed["datastreams"] == [
        {
            "id": "0",
            "current_value": "1.50",
            "at": "2013-06-01T12:00:00.000000Z",
            "max_value": "9.0",
            "min_value": "1.5",
            "tags": ["a"],
        }
    ]


async def test_a_feed_is_created_from_json(garden: InProcess) -> None:
    """The first of the values counts, with its time; the extension stays."""
    body = (
        '{"title":"Porch","datastreams":[{"id":"0","values":[{"value":"1","recorded_at":"2013-06-01T11:00:00Z"}'
        ',{"value":"2"}]}]}'
    )
    answer = await garden.ask("POST /v1/feeds.json", body)
    assert answer.location == "http://api.example/v1/feeds/5.json"
    feed = await _feed(garden, 5)
    assert feed["datastreams"][0]["current_value"] == "1"
    assert feed["datastreams"][0]["at"] == "2013-06-01T11:00:00.000000Z"


async def test_datastreams_are_created(garden: InProcess) -> None:
    """The location names the first one, like the request; all are there."""
    body = eeml('<data id="flow"><value>34</value><unit type="furlongs">l</unit></data><data id="x"/>')
    answer = await garden.ask("POST /v1/feeds/1/datastreams.xml", body)
    assert (answer.status, answer.location) == (201, "http://api.example/v1/feeds/1/datastreams/flow.xml")
    answer = await garden.ask("POST /api/feeds/1/datastreams", '{"id":"y","values":{"value":7}}', {
        "content-type": "application/json"
    })  # fmt: skip
    assert answer.location == "http://api.example/api/feeds/1/datastreams/y"
    values = await _values(garden)
    assert (values["flow"], values["x"], values["y"]) == ("34", None, "7")
    assert (await _feed(garden))["datastreams"][2]["unit"] == {"label": "l"}


async def test_a_key_limited_to_datastreams_creates_only_those(garden: InProcess) -> None:
    """As in version 2."""
    body = eeml('<data id="flow"/>')
    answer = await garden.ask("POST /v1/feeds/1/datastreams", body, key="thermometer")
    assert answer.status == 403


# Updating


async def test_put_replaces_the_set_of_datastreams(garden: InProcess) -> None:
    """What the body names is created or updated, all other datastreams are deleted with their history."""
    body = eeml('<data id="temp"><value>22.1</value></data><data id="new"><value>1</value></data>')
    await _done(garden, "PUT /v1/feeds/1", body)
    assert await _values(garden) == {"temp": "22.1", "new": "1"}
    feed = await _feed(garden)
    assert feed["title"] == "Greenhouse"  # what the body does not say stays
    assert feed["datastreams"][1]["tags"] == ["air"]
    assert feed["status"] == "live"
    record = await garden.store.find_feed(1)
    assert record is not None
    points = await garden.store.points(record.streams["temp"], EARLIEST, LATEST, 10)
    assert [value for _, value in points] == ["19.0", "20", "21.50", "22.1"]


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("PUT /v1/feeds/1.json", '{"datastreams":[{"id":"temp","values":[{"value":"22.1"}]}]}'),
        ("PUT /api/feeds/1.json", '{"datastreams":[{"id":"temp","values":{"value":22.1}}],"version":"0.6"}'),
        (
            "PUT /api/1.json",
            '{"version":"1.0.0","datastreams":[{"id":"temp","current_value":"22.1"}]}',
        ),
        ("PUT /api/1.xml", eeml('<data id="temp"><value>22.1</value></data>', "<eeml>")),
        (
            "PUT /api/1",
            eeml('<data id="temp"><current_value>22.1</current_value></data>', '<eeml version="0.5.1">'),
        ),
        ("POST /api/1?_method=put", eeml('<data id="temp"><value>22.1</value></data>')),
    ],
)
async def test_bodies_of_every_kind_replace_it(garden: InProcess, line: str, body: str) -> None:
    """Without a version a body is of the version of its path; a newer document is understood, too."""
    await _done(garden, line, body)
    assert await _values(garden) == {"temp": "22.1"}


async def test_the_extension_and_the_header_tell_the_format(garden: InProcess) -> None:
    """The extension wins over the content type, which wins over XML."""
    csv = {"content-type": "text/csv"}
    await _done(garden, "PUT /v1/feeds/3.csv", "1,2", key="master-of-otto")
    await _done(garden, "PUT /v1/feeds/3", "3,4", key="master-of-otto", headers=csv)
    body = eeml('<data id="0"><value>5</value></data>')
    await _done(garden, "PUT /v1/feeds/3.xml", body, key="master-of-otto", headers=csv)
    assert await _values(garden, 3) == {"0": "5"}


async def test_a_line_of_values_goes_to_numbered_datastreams(garden: InProcess) -> None:
    """The n-th value goes to the datastream n, counted from 0, which is created when it is missing."""
    await _done(garden, "PUT /api/3.csv", "21.5, 0,open\r\n", key="master-of-otto")
    assert await _values(garden, 3) == {"0": "21.5", "1": "0", "2": "open"}
    garden.now += 60 * SECOND
    await _done(garden, "PUT /api/3.csv", "21.7,,shut", key="master-of-otto")
    assert (await garden.ask("GET /api/3.csv")).body == b'21.7,"",shut'
    record = await garden.store.find_feed(3)
    assert record is not None
    assert await garden.store.points(record.streams["0"], EARLIEST, LATEST, 10) == [
        (NOON, "21.5"),
        (NOON + 60 * SECOND, "21.7"),
    ]
    await _done(garden, "PUT /v1/feeds/3.csv", "9", key="master-of-otto")
    assert await _values(garden, 3) == {"0": "9"}


async def test_eleven_values_stay_in_order(garden: InProcess) -> None:
    """Datastreams that are numbers are in the order of numbers, so that the line comes back as it went."""
    line = ",".join(str(number * 10) for number in range(11))
    await _done(garden, "PUT /api/3.csv", line, key="master-of-otto")
    assert (await garden.ask("GET /api/3.csv")).body.decode() == line


@pytest.mark.parametrize(
    ("extension", "body"),
    [
        ("xml", eeml("<title>Glasshouse</title>")),
        ("xml", eeml("")),
        ("json", '{"title":"Glasshouse"}'),
        ("json", "{}"),
    ],
)
async def test_who_says_nothing_of_datastreams_deletes_none(
    garden: InProcess, extension: str, body: str
) -> None:
    """A body with metadata alone, or with nothing, leaves all datastreams as they are."""
    before = await _values(garden)
    await _done(garden, f"PUT /v1/feeds/1.{extension}", body)
    assert await _values(garden) == before
    assert (await _feed(garden))["title"] == ("Glasshouse" if "Glass" in body else "Greenhouse")


async def test_an_empty_set_empties_the_feed(garden: InProcess) -> None:
    """A list of datastreams that is there and empty clears, as everything that is there and empty does."""
    await _done(garden, "PUT /v1/feeds/1.json", '{"datastreams":[]}')
    assert await _values(garden) == {}


async def test_a_datastream_that_was_replaced_begins_anew(garden: InProcess) -> None:
    """One that is dropped and comes back has no history, and its old rows leave the disk."""
    await _done(garden, "PUT /v1/feeds/1", eeml('<data id="door"/>'))
    await _done(garden, "PUT /v1/feeds/1", eeml('<data id="temp"/><data id="door"/>'))
    record = await garden.store.find_feed(1)
    assert record is not None
    assert await garden.store.points(record.streams["temp"], EARLIEST, LATEST, 10) == []
    for _ in range(100):  # it goes a slice at a time, between the writes of others
        left: int = await garden.store._write(
            lambda txn: txn.execute("SELECT count(*) FROM purges").fetchone()[0]
        )
        if not left:
            break
    assert left == 0


async def test_a_refused_body_deletes_nothing(garden: InProcess) -> None:
    """All or nothing: a wrong part keeps the datastreams, too."""
    before = await _values(garden)
    answer = await garden.ask("PUT /v1/feeds/1", eeml('<data id="temp"/><data id="a b"/>'))
    assert answer.status == 422
    assert await _values(garden) == before


async def test_words_that_no_list_knows_are_ignored(garden: InProcess) -> None:
    """An unknown word is as if it were absent, whatever the format; version 2 refuses it."""
    body = (
        '{"location":{"domain":"mobile","exposure":"indoors","disposition":"mobile","name":"Hut 4"},'
        '"datastreams":[{"id":"temp","unit":{"type":"metric","label":"Kelvin"}}]}'
    )
    await _done(garden, "PUT /v1/feeds/1.json", body)
    feed = await _feed(garden)
    assert feed["location"]["exposure"] == "outdoor"
    assert feed["location"]["domain"] == "physical"
    assert (feed["location"]["disposition"], feed["location"]["name"]) == ("mobile", "Hut 4")
    assert feed["datastreams"][0]["unit"] == {"label": "Kelvin"}
    assert (await garden.ask("PUT /v2/feeds/1.json", body)).status == 422
    xml = eeml(
        '<location domain="mobile" exposure=""><name>Hut 5</name></location>'
        '<data id="temp"><unit type="metric">R</unit></data>'
    )
    await _done(garden, "PUT /api/1.xml", xml)
    feed = await _feed(garden)
    assert "exposure" not in feed["location"]
    assert (feed["location"]["name"], feed["datastreams"][0]["unit"]) == ("Hut 5", {"label": "R"})


@pytest.mark.parametrize(
    ("extension", "body"),
    [
        ("csv", "22.1"),
        ("json", '{"values":[{"value":"22.1"}],"unit":{"type":"metric"}}'),
        ("json", '{"datastreams":[{"id":"temp","values":[{"value":"22.1"}]}]}'),
        ("xml", eeml('<data id="temp"><value>22.1</value></data>')),
        ("xml", eeml("<data><value>22.1</value></data>", "<eeml>")),
    ],
)
async def test_one_datastream_is_updated(garden: InProcess, extension: str, body: str) -> None:
    """PUT on a datastream changes that one and deletes nothing."""
    before = await _values(garden)
    await _done(garden, f"PUT /v1/feeds/1/datastreams/temp.{extension}", body)
    assert await _values(garden) == {**before, "temp": "22.1"}


# Deleting


@pytest.mark.parametrize("path", ["/v1/feeds/1", "/api/1", "/api/feeds/1.csv", "/api/1.xml"])
async def test_a_feed_is_deleted(garden: InProcess, path: str) -> None:
    """A second time it is not there, which is said in XML."""
    await _done(garden, f"DELETE {path}", "")
    assert (await garden.ask("GET /v2/feeds/1")).status == 404
    assert (await garden.ask("GET /v1/feeds/1")).body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<errors>\n  <title>Not found</title>\n'
        "  <error>I'm sorry we are unable to find the resource you are looking for.</error>\n</errors>\n"
    )


async def test_a_datastream_is_deleted(garden: InProcess) -> None:
    """As in version 2."""
    await _done(garden, "DELETE /v1/feeds/1/datastreams/temp", "")
    assert "temp" not in await _values(garden)


# Triggers


async def test_triggers_are_made_and_read_under_the_old_paths(garden: InProcess) -> None:
    """The documents are those of version 2, in XML by default; the location ends in a number."""
    body = (
        "<datastream-trigger><environment-id>1</environment-id><stream-id>temp</stream-id>"
        "<trigger-type>gt</trigger-type><threshold-value>30</threshold-value>"
        "<url>http://garden.example/hook</url></datastream-trigger>"
    )
    made = await garden.ask("POST /api/triggers.xml", body)
    assert (made.status, made.body) == (201, b"")
    assert made.location is not None
    assert made.location.startswith("http://api.example/api/triggers/")
    assert made.location.rpartition("/")[2].isdecimal()
    path = made.location.removeprefix("http://api.example")
    read = await garden.ask(f"GET {path}")
    assert read.content_type == XML
    assert read.body == (await garden.ask(f"GET {path.replace('api', 'v2')}.xml")).body
    await _done(garden, f"PUT {path}.json", '{"threshold_value":"31"}')
    listed = await garden.ask("GET /v1/triggers")
    assert etree.fromstring(listed.body).findtext(".//threshold-value") == "31"
    await _done(garden, f"DELETE {path.replace('api', 'v1')}", "")
    assert (await garden.ask(f"GET {path}")).status == 404
    again = await garden.ask("POST /v1/triggers", body)
    assert again.status == 201
    await _done(garden, "PUT /v1/feeds/1", eeml('<data id="door"/>'))  # what it watched is gone
    assert json.loads((await garden.ask("GET /v2/triggers.json")).body) == []


# Rights


async def test_who_may_not_delete_can_not_replace(garden: InProcess) -> None:
    """A key that may only put updates what is there and adds to it, but loses nobody's history."""
    key = await garden.add_key(1, Permission(("get", "put")), private_access=True)
    before = await _values(garden)
    refused = await garden.ask("PUT /v1/feeds/1", eeml('<data id="temp"><value>9</value></data>'), key=key)
    assert refused.status == 403
    assert b"<title>Forbidden</title>" in refused.body
    assert await _values(garden) == before
    everything = "".join(f'<data id="{name}"/>' for name in (*before, "more"))
    await _done(garden, "PUT /v1/feeds/1", eeml(everything), key=key)
    assert await _values(garden) == {**before, "more": None}


async def test_a_key_limited_to_a_datastream_deletes_no_other(garden: InProcess) -> None:
    """The key of one datastream can't take the feed from the others, nor name them."""
    for body in (
        '<data id="temp"><value>9</value></data>',
        "".join(f'<data id="{name}"/>' for name in await _values(garden)),
    ):
        refused = await garden.ask("PUT /v1/feeds/1", eeml(body), key="thermometer")
        assert refused.status == 403
    assert (await _values(garden))["temp"] == "21.50"
    made = await garden.ask("POST /v1/feeds", eeml('<title>Lone</title><data id="temp"/><data id="old"/>'))
    number = int((made.location or "").rpartition("/")[2])
    both = tuple(Resource(number, name) for name in ("temp", "old"))
    key = await garden.add_key(1, Permission(("get", "put", "delete"), resources=both), private_access=True)
    await _done(garden, f"PUT /v1/feeds/{number}", eeml('<data id="temp"><value>9</value></data>'), key=key)
    assert await _values(garden, number) == {"temp": "9"}


async def test_the_old_header_carries_the_key(garden: InProcess) -> None:
    """Programs of that time know no other header."""
    body = "1,2"
    answer = await garden.ask("PUT /api/3.csv", body, {"x-pachubeapikey": "master-of-otto"}, key="")
    assert answer.status == 200


async def test_an_update_of_a_device_goes_the_fast_way(
    garden: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line of values for datastreams that are all there only appends datapoints, as in version 2."""
    appended: list[int] = []
    append = garden.store._append

    def counted(feed: Any, streams: Any, change: Any, rows: Any) -> Any:
        appended.append(len(rows))
        return append(feed, streams, change, rows)

    monkeypatch.setattr(garden.store, "_append", counted)
    await _done(garden, "PUT /api/3.csv", "1,2", key="master-of-otto")
    assert appended == []  # datastreams were made, and one was dropped
    await _done(garden, "PUT /api/3.csv", "3,4", key="master-of-otto")
    assert appended == [2]
