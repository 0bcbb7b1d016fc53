"""Every method of the client: what it sends and what it makes of the answer."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import txpachube
from txpachube.client import Client
from txpachube.client.methods import Methods
from txpachube.testing.scripted import ScriptedServer, answer

AT = "2013-06-01T10:15:02.001200Z"
FEED = b'{"id":504,"title":"Greenhouse","datastreams":[{"id":"temp","current_value":"21.50"}]}'
FEED_XML = (
    b'<eeml><environment id="504"><title>Greenhouse</title>'
    b'<data id="temp"><current_value>21.50</current_value></data></environment></eeml>'
)
STREAM = b'{"id":"temp","current_value":"21.50","at":"%s","version":"1.0.0"}' % AT.encode()
TRIGGER = (
    b'{"id":14,"url":"http://hooks.example/a","trigger_type":"lt","environment_id":504,"stream_id":"temp",'
    b'"threshold_value":"15.0"}'
)
KEY = b'{"api_key":"other-key","label":"door","permissions":[{"access_methods":["get"]}]}'
PNG = b"\x89PNG\r\n\x1a\n..."

SIGNATURES = {
    "list_feeds": "api_key format parameters",
    "create_feed": "api_key format data",
    "read_feed": "api_key feed_id format parameters",
    "update_feed": "api_key feed_id format data",
    "delete_feed": "api_key feed_id",
    "create_datastream": "api_key feed_id format data",
    "read_datastream": "api_key feed_id datastream_id format parameters",
    "update_datastream": "api_key feed_id datastream_id format data",
    "delete_datastream": "api_key feed_id datastream_id",
    "create_datapoints": "api_key feed_id datastream_id format data",
    "read_datapoint": "api_key feed_id datastream_id format timestamp",
    "update_datapoint": "api_key feed_id datastream_id format timestamp data",
    "delete_datapoint": "api_key feed_id datastream_id timestamp",
    "delete_datapoints": "api_key feed_id datastream_id parameters",
    "list_triggers": "api_key format parameters",
    "create_trigger": "api_key format data",
    "read_trigger": "api_key trigger_id format",
    "update_trigger": "api_key trigger_id format data",
    "delete_trigger": "api_key trigger_id",
    "list_users": "api_key format parameters",
    "create_user": "api_key format data",
    "read_user": "api_key user_id format",
    "update_user": "api_key user_id format data",
    "delete_user": "api_key user_id",
    "list_api_keys": "api_key format parameters",
    "create_api_key": "api_key format data",
    "read_api_key": "api_key key_id format",
    "update_api_key": "api_key key_id format data",
    "regenerate_api_key": "api_key key_id",
    "delete_api_key": "api_key key_id",
}


def test_the_methods_and_their_arguments() -> None:
    """The methods are those of the old package and two more; their arguments are keywords in this order."""
    found = {
        name: inspect.signature(method)
        for name, method in inspect.getmembers(Methods, inspect.isfunction)
        if not name.startswith("_")
    }
    assert found.keys() == SIGNATURES.keys()
    for name, signature in found.items():
        arguments = list(signature.parameters.values())[1:]
        assert " ".join(argument.name for argument in arguments) == SIGNATURES[name]
        for argument in arguments:
            assert argument.default == ("json" if argument.name == "format" else None)


STREAM_ARGUMENTS = {"datastream_id": "temp"}
POINT_ARGUMENTS = {"datastream_id": "temp", "timestamp": AT}

CASES: list[tuple[str, dict[str, Any], str, bytes, Any]] = [
    (
        "list_feeds",
        {},
        "GET /v2/feeds.json",
        answer(200, b'{"totalResults":1,"startIndex":0,"itemsPerPage":50,"results":[%s]}' % FEED),
        txpachube.EnvironmentList(total_results=1, start_index=0, items_per_page=50, feeds=[{}]),
    ),
    (
        "create_feed",
        {"data": "{}"},
        "POST /v2/feeds.json",
        answer(201, headers={"Location": "http://host/v2/feeds/2424"}),
        "2424",
    ),
    ("read_feed", {}, "GET /v2/feeds/504.json", answer(200, FEED), txpachube.Environment()),
    ("read_feed", {"feed_id": 7, "format": "xml"}, "GET /v2/feeds/7.xml", answer(200, FEED_XML), None),
    ("read_feed", {"format": "csv"}, "GET /v2/feeds/504.csv", answer(200, b"temp,,21.50"), None),
    ("update_feed", {"data": "{}"}, "PUT /v2/feeds/504.json", answer(200), True),
    ("update_feed", {"data": "temp,1", "format": "csv"}, "PUT /v2/feeds/504.csv", answer(200, b" "), True),
    ("delete_feed", {}, "DELETE /v2/feeds/504", answer(200), True),
    (
        "create_datastream",
        {"data": "{}"},
        "POST /v2/feeds/504/datastreams.json",
        answer(201, headers={"Location": "http://host/v2/feeds/504/datastreams/a%2Bb.1"}),
        "a+b.1",
    ),
    (
        "read_datastream",
        STREAM_ARGUMENTS,
        "GET /v2/feeds/504/datastreams/temp.json",
        answer(200, STREAM),
        None,
    ),
    (
        "read_datastream",
        {**STREAM_ARGUMENTS, "format": "png", "parameters": {"width": 600}},
        "GET /v2/feeds/504/datastreams/temp.png?width=600",
        answer(200, PNG, "image/png"),
        PNG,
    ),
    (
        "update_datastream",
        {**STREAM_ARGUMENTS, "data": "{}"},
        "PUT /v2/feeds/504/datastreams/temp.json",
        answer(200),
        True,
    ),
    ("delete_datastream", STREAM_ARGUMENTS, "DELETE /v2/feeds/504/datastreams/temp", answer(200), True),
    (
        "create_datapoints",
        {**STREAM_ARGUMENTS, "data": "{}"},
        "POST /v2/feeds/504/datastreams/temp/datapoints.json",
        answer(200),
        True,
    ),
    (
        "read_datapoint",
        POINT_ARGUMENTS,
        f"GET /v2/feeds/504/datastreams/temp/datapoints/{AT}.json",
        answer(200, b'{"at":"%s","value":"21.50"}' % AT.encode()),
        txpachube.Datapoint(at=AT, value="21.50"),
    ),
    (
        "read_datapoint",
        POINT_ARGUMENTS,
        f"GET /v2/feeds/504/datastreams/temp/datapoints/{AT}.json",
        answer(404, b'{"title":"Not found","errors":"no"}'),
        None,
    ),
    (
        "update_datapoint",
        {**POINT_ARGUMENTS, "data": "{}"},
        f"PUT /v2/feeds/504/datastreams/temp/datapoints/{AT}.json",
        answer(200),
        True,
    ),
    (
        "delete_datapoint",
        POINT_ARGUMENTS,
        f"DELETE /v2/feeds/504/datastreams/temp/datapoints/{AT}",
        answer(200),
        True,
    ),
    (
        "delete_datapoints",
        {**STREAM_ARGUMENTS, "parameters": {"start": "2013-06-01T10:15:02Z", "duration": "1day"}},
        "DELETE /v2/feeds/504/datastreams/temp/datapoints?start=2013-06-01T10%3A15%3A02Z&duration=1day",
        answer(200),
        True,
    ),
    ("list_triggers", {}, "GET /v2/triggers.json", answer(200, b"[%s]" % TRIGGER), None),
    (
        "create_trigger",
        {"data": "{}"},
        "POST /v2/triggers.json",
        answer(201, headers={"Location": "/v2/triggers/14"}),
        "14",
    ),
    ("read_trigger", {"trigger_id": 14}, "GET /v2/triggers/14.json", answer(200, TRIGGER), None),
    ("update_trigger", {"trigger_id": "14", "data": "{}"}, "PUT /v2/triggers/14.json", answer(200), True),
    ("delete_trigger", {"trigger_id": 14}, "DELETE /v2/triggers/14", answer(200), True),
    ("list_users", {}, "GET /v2/users.json", answer(200, b'[{"user":{"login":"rosa"}}]'), None),
    (
        "create_user",
        {"data": "{}"},
        "POST /v2/users.json",
        answer(201, headers={"Location": "http://host/v2/users/rosa"}),
        "rosa",
    ),
    (
        "read_user",
        {"user_id": "rosa"},
        "GET /v2/users/rosa.json",
        answer(200, b'{"user":{"login":"rosa"}}'),
        txpachube.User(login="rosa"),
    ),
    ("update_user", {"user_id": "rosa", "data": "{}"}, "PUT /v2/users/rosa.json", answer(200), True),
    ("delete_user", {"user_id": "rosa"}, "DELETE /v2/users/rosa", answer(200), True),
    ("list_api_keys", {}, "GET /v2/keys.json", answer(200, b'{"keys":[%s]}' % KEY), None),
    (
        "create_api_key",
        {"data": "{}"},
        "POST /v2/keys.json",
        answer(201, headers={"Location": "http://host/v2/keys/new_key"}),
        "new_key",
    ),
    (
        "read_api_key",
        {"key_id": "other-key"},
        "GET /v2/keys/other-key.json",
        answer(200, b'{"key":%s}' % KEY),
        None,
    ),
    (
        "update_api_key",
        {"key_id": "other-key", "data": "{}"},
        "PUT /v2/keys/other-key.json",
        answer(200),
        True,
    ),
    (
        "regenerate_api_key",
        {"key_id": "other-key"},
        "POST /v2/keys/other-key/regenerate",
        answer(200, headers={"Location": "http://host/v2/keys/new-key"}),
        "new-key",
    ),
    ("delete_api_key", {"key_id": "other-key"}, "DELETE /v2/keys/other-key", answer(200), True),
]

KINDS = {
    "list_feeds": txpachube.EnvironmentList,
    "read_feed": txpachube.Environment,
    "read_datastream": txpachube.Datastream,
    "list_triggers": txpachube.TriggerList,
    "read_trigger": txpachube.Trigger,
    "list_users": txpachube.UserList,
    "list_api_keys": txpachube.KeyList,
    "read_api_key": txpachube.Key,
}


@pytest.mark.parametrize(("name", "arguments", "line", "reply", "result"), CASES)
async def test_calls(
    server: ScriptedServer,
    client: Client,
    name: str,
    arguments: dict[str, Any],
    line: str,
    reply: bytes,
    result: Any,
) -> None:
    """Each call sends one request, with the key in its header only, and fires with what the contract says."""
    server.play(reply)
    fired = await getattr(client, name)(**arguments)
    (request,) = server.requests
    assert f"{request.method} {request.target}" == line
    assert request.headers["x-apikey"] == "the-key"
    assert "the-key" not in request.target
    assert ("content-length" in request.headers) == (request.method in {"PUT", "POST"})
    if isinstance(result, bool | str | bytes | txpachube.Datapoint | txpachube.User):
        assert fired == result
    elif b" 404 " in reply:
        assert fired is None
    else:
        assert type(fired) is KINDS[name]
        assert fired != KINDS[name]()


def test_every_method_is_tried() -> None:
    """No method is missing from the cases above."""
    assert {name for name, *_ in CASES} == SIGNATURES.keys()


@pytest.mark.parametrize(("kind", "body"), [("json", FEED), ("xml", FEED_XML), ("csv", b"temp,,21.50")])
async def test_a_feed_in_each_format(server: ScriptedServer, client: Client, kind: str, body: bytes) -> None:
    """The structure is the same whatever the format was; CSV carries the values only."""
    server.play(answer(200, body))
    feed = await client.read_feed(format=kind)
    assert feed.datastreams is not None
    assert feed.datastreams["temp"].current_value == "21.50"
    assert feed.title == (None if kind == "csv" else "Greenhouse")


@pytest.mark.parametrize(
    ("kind", "content_type", "body"),
    [
        ("json", "application/json", b'{"datastreams":[{"id":"temp","current_value":"21.50"}]}'),
        ("csv", "text/csv", b"temp,21.50"),
    ],
)
async def test_a_structure_is_encoded(
    server: ScriptedServer,
    client: Client,
    kind: str,
    content_type: str,
    body: bytes,
) -> None:
    """``data`` can be a structure; it goes out in the format of the call, with its content type."""
    server.play(answer(200))
    feed = txpachube.Environment()
    feed.setCurrentValue("temp", "21.50")
    await client.update_feed(format=kind, data=feed)
    (request,) = server.requests
    assert request.headers["content-type"] == content_type
    assert request.body == body
    assert request.headers["content-length"] == str(len(body))


async def test_xml_of_a_structure(server: ScriptedServer, client: Client) -> None:
    """EEML goes out as UTF-8."""
    server.play(answer(200))
    await client.update_feed(format="xml", data=txpachube.Environment(title="Gärtnerei"))
    (request,) = server.requests
    assert request.headers["content-type"] == "application/xml"
    assert "<title>Gärtnerei</title>".encode() in request.body


@pytest.mark.parametrize(
    "data", ['{"title":"é"}', b'{"title":"\xc3\xa9"}', bytearray(b'{"title":"\xc3\xa9"}')]
)
async def test_text_and_bytes_go_out_as_they_are(server: ScriptedServer, client: Client, data: Any) -> None:
    """A hand-written document is not touched; text is sent as UTF-8."""
    server.play(answer(200))
    await client.update_feed(data=data)
    assert server.requests[0].body == b'{"title":"\xc3\xa9"}'


async def test_a_datastream_is_put_into_a_feed_to_create_it(server: ScriptedServer, client: Client) -> None:
    """The API creates datastreams from a feed; one datastream, a list of them and a feed will all do."""
    stream = txpachube.Datastream(id="temp")
    created = answer(201, headers={"Location": "http://host/v2/feeds/504/datastreams/temp"})
    for data in (stream, [stream], txpachube.Environment(datastreams=[stream])):
        server.play(created)
        assert await client.create_datastream(data=data) == "temp"
    assert {request.body for request in server.requests} == {b'{"datastreams":[{"id":"temp"}]}'}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("json", b'{"datapoints":[{"at":"%s","value":"1"}]}' % AT.encode()),
        ("csv", f"{AT},1".encode()),
    ],
)
async def test_datapoints_as_structures(
    server: ScriptedServer, client: Client, kind: str, body: bytes
) -> None:
    """Datapoints can be given as a datastream that has them, as a list, or as a single one."""
    point = txpachube.Datapoint(at=AT, value=1)
    stream = txpachube.Datastream(id="temp", datapoints=[point])
    several: list[Any] = [point, [point], [{"at": AT, "value": 1}], stream]
    for data in several:
        server.play(answer(200))
        assert await client.create_datapoints(datastream_id="temp", format=kind, data=data) is True
    assert {request.body for request in server.requests} == {body}


async def test_a_moment_can_be_a_datetime(server: ScriptedServer, client: Client) -> None:
    """Timestamps and parameters take a datetime as well as a text."""
    from datetime import UTC, datetime

    server.play(answer(200), answer(200))
    moment = datetime(2013, 6, 1, 10, 15, 2, 1200, UTC)
    await client.delete_datapoint(datastream_id="temp", timestamp=moment)
    await client.delete_datapoints(datastream_id="temp", parameters={"start": moment})
    assert server.requests[0].target.endswith(AT)
    assert server.requests[1].target.endswith("?start=2013-06-01T10%3A15%3A02.001200Z")
