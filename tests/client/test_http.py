"""The client's behaviour on a line without faults: arguments, environment, answers and their errors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import Clock

from txpachube import DecodeError, errors
from txpachube.client import Client
from txpachube.structures import Environment
from txpachube.testing.scripted import ScriptedServer, answer

FEED = answer(200, b'{"id":504,"title":"Greenhouse"}')


async def test_a_request_is_small_and_complete(server: ScriptedServer, client: Client) -> None:
    """A request names its host and program, and carries the key in its own header."""
    server.play(FEED)
    await client.read_feed()
    assert server.requests[0].headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": "txpachube",
        "x-apikey": "the-key",
    }


async def test_connections_are_kept(server: ScriptedServer, client: Client) -> None:
    """Calls one after the other share one connection, whatever they are."""
    server.play(FEED, answer(200), answer(404, b"{}"), answer(201, headers={"Location": "/v2/feeds/1"}), FEED)
    await client.read_feed()
    await client.update_feed(data="{}")
    with pytest.raises(errors.NotFound):
        await client.delete_feed()
    await client.create_feed(data="{}")
    await client.read_feed()
    assert len(server.lines) == 1


async def test_arguments_win_over_those_of_the_client(server: ScriptedServer, client: Client) -> None:
    """A key and a feed given to a call are used for it alone."""
    server.play(FEED, FEED)
    await client.read_feed(api_key="another", feed_id="7")
    await client.read_feed()
    assert [(request.target, request.headers["x-apikey"]) for request in server.requests] == [
        ("/v2/feeds/7.json", "another"),
        ("/v2/feeds/504.json", "the-key"),
    ]


async def test_the_environment_fills_in(server: ScriptedServer) -> None:
    """Address, key and feed come from the environment when they are not given."""
    environ = {"PACHUBE_URL": server.url, "PACHUBE_API_KEY": "env-key\n", "PACHUBE_FEED_ID": "9"}
    server.play(FEED, FEED)
    for client in (Client(environ=environ), Client("own", 1, base_url=server.url, environ=environ)):
        await client.read_feed()
        await client.close()
    assert [(request.target, request.headers["x-apikey"]) for request in server.requests] == [
        ("/v2/feeds/9.json", "env-key"),
        ("/v2/feeds/1.json", "own"),
    ]
    assert Client(environ={}).base_url == "http://127.0.0.1:8000"
    assert Client(environ={"PACHUBE_URL": "https://h"}, use_http=True).base_url == "http://h"
    assert Client(environ={"PACHUBE_URL": "", "PACHUBE_FEED_ID": ""}).feed_id is None


async def test_without_a_key_none_is_sent(server: ScriptedServer) -> None:
    """Public graphs need no key; an empty header would be one."""
    client = Client(feed_id=1, base_url=server.url, environ={})
    server.play(FEED)
    await client.read_feed()
    assert "x-apikey" not in server.requests[0].headers
    await client.close()


async def test_a_prefix_in_the_base_url_is_kept(server: ScriptedServer) -> None:
    """A service may live below a path."""
    client = Client(feed_id=1, base_url=server.url + "/house/", environ={})
    server.play(FEED)
    await client.read_feed()
    assert server.requests[0].target == "/house/v2/feeds/1.json"
    await client.close()


async def test_the_time_zone_is_asked_for_when_reading(server: ScriptedServer) -> None:
    """Every reading call asks for the client's zone, unless it names its own; writing calls do not."""
    client = Client("k", 1, timezone=-3.5, base_url=server.url, environ={})
    server.play(FEED, FEED, answer(200))
    await client.read_feed()
    await client.read_feed(parameters={"timezone": "St. Petersburg"})
    await client.update_feed(data="{}")
    assert [request.target for request in server.requests] == [
        "/v2/feeds/1.json?timezone=-3.5",
        "/v2/feeds/1.json?timezone=St.+Petersburg",
        "/v2/feeds/1.json",
    ]
    await client.close()


async def test_parameters_are_written_as_the_api_reads_them(server: ScriptedServer, client: Client) -> None:
    """Truth values, lists and moments have a form in queries; None is left out; the rest is escaped."""
    server.play(FEED)
    await client.read_feed(
        parameters={
            "show_user": True,
            "find_previous": False,
            "datastreams": ["a", "b+c"],
            "start": datetime(2013, 6, 1, tzinfo=UTC),
            "end": None,
            "limit": 10,
            "q": "a&b=c d",
        }
    )
    assert server.requests[0].target == (
        "/v2/feeds/504.json?show_user=true&find_previous=false&datastreams=a%2Cb%2Bc"
        "&start=2013-06-01T00%3A00%3A00.000000Z&limit=10&q=a%26b%3Dc+d"
    )


@pytest.mark.parametrize(
    ("name", "arguments", "field"),
    [
        ("read_feed", {"feed_id": ""}, "feed_id"),
        ("read_datastream", {}, "datastream_id"),
        ("read_datapoint", {"datastream_id": "temp"}, "timestamp"),
        ("read_trigger", {}, "trigger_id"),
        ("read_user", {}, "user_id"),
        ("read_api_key", {}, "key_id"),
        ("read_feed", {"format": "yaml"}, "format"),
        ("update_feed", {}, "data"),
        ("update_feed", {"data": 5}, "data"),
        ("update_feed", {"data": "\ud800"}, "data"),
        ("create_datapoints", {"datastream_id": "temp", "data": [1]}, "data"),
        ("read_feed", {"parameters": {"key": "s3cret"}}, "key"),
        ("read_feed", {"api_key": "s3cret\r\nX: y"}, "api_key"),
    ],
)
async def test_impossible_arguments_fail_the_call(
    server: ScriptedServer, client: Client, name: str, arguments: dict[str, Any], field: str
) -> None:
    """The Deferred fails with an error that names the argument, and nothing is sent."""
    call: Deferred[object] = getattr(client, name)(**arguments)
    with pytest.raises(errors.InvalidValue) as caught:
        await call
    assert caught.value.field == field
    assert not server.requests
    assert "s3cret" not in str(caught.value)


async def test_a_missing_feed_is_named(server: ScriptedServer) -> None:
    """Neither call nor client know a feed: the error says so before anything is sent."""
    client = Client("k", base_url=server.url, environ={})
    with pytest.raises(errors.InvalidValue, match="feed_id must be given"):
        await client.read_feed()
    assert not server.lines


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"id":', b"<eeml/>", b"\xff" * 10])
async def test_a_success_without_its_document(server: ScriptedServer, client: Client, body: bytes) -> None:
    """A 200 whose body is no feed is an UnexpectedResponse; what was wrong with the body is its cause."""
    server.play(answer(200, body))
    with pytest.raises(errors.UnexpectedResponse) as caught:
        await client.read_feed()
    assert caught.value.status == 200
    assert isinstance(caught.value.__cause__, DecodeError)
    assert caught.value.request == f"GET {client.base_url}/v2/feeds/504.json"


@pytest.mark.parametrize(
    ("kind", "body"), [("xml", b"<eeml>"), ("xml", b"{}"), ("csv", b'"'), ("csv", b"1,2,3,4,5")]
)
async def test_the_same_in_the_other_formats(
    server: ScriptedServer,
    client: Client,
    kind: str,
    body: bytes,
) -> None:
    """EEML and CSV that can't be read are the same error."""
    server.play(answer(200, body))
    with pytest.raises(errors.UnexpectedResponse):
        await client.read_feed(format=kind)


@pytest.mark.parametrize("location", [None, "", "http://host", "http://host/"])
async def test_a_creation_without_the_new_id(
    server: ScriptedServer, client: Client, location: str | None
) -> None:
    """201 without a Location that names something is an UnexpectedResponse: the id would be lost."""
    server.play(answer(201, headers={} if location is None else {"Location": location}))
    with pytest.raises(errors.UnexpectedResponse, match="Location"):
        await client.create_feed(data="{}")


async def test_a_picture_that_is_none(server: ScriptedServer, client: Client) -> None:
    """A graph that is not a PNG image is an UnexpectedResponse."""
    server.play(answer(200, b"<html>"))
    with pytest.raises(errors.UnexpectedResponse, match="PNG"):
        await client.read_datastream(datastream_id="temp", format="png")


async def test_redirects_are_not_followed(server: ScriptedServer, client: Client) -> None:
    """The key goes to the service it is for, and to nobody that service may name."""
    server.play(answer(302, headers={"Location": server.url + "/elsewhere"}))
    with pytest.raises(errors.UnexpectedResponse) as caught:
        await client.read_feed()
    assert caught.value.status == 302
    assert len(server.requests) == 1


async def test_errors_say_which_call_failed(server: ScriptedServer, client: Client) -> None:
    """An error carries the method and the URL, without the query."""
    server.play(answer(422, b'{"title":"Unprocessable Entity","errors":["Title can\'t be blank"]}'))
    with pytest.raises(errors.Unprocessable) as caught:
        await client.delete_datapoints(datastream_id="temp", parameters={"start": "x"})
    error = caught.value
    where = f"DELETE {client.base_url}/v2/feeds/504/datastreams/temp/datapoints"
    assert (error.request, error.errors) == (where, ["Title can't be blank"])
    assert str(error) == f"{where}: 422 Unprocessable Entity: Title can't be blank"


async def test_a_call_has_begun_when_the_method_returns(server: ScriptedServer, client: Client) -> None:
    """Nobody needs to await a call for it to be made."""
    server.play(FEED)
    arrival = server.next_request()
    call = client.read_feed()
    await arrival
    await call


async def test_it_works_with_inline_callbacks(server: ScriptedServer, client: Client) -> None:
    """Programs written with generators get the same results."""

    @inlineCallbacks
    def program() -> Any:
        feed = yield client.read_feed()
        return feed

    server.play(FEED)
    feed = await program()
    assert isinstance(feed, Environment)
    assert feed.title == "Greenhouse"


async def test_an_endpoint_can_be_given(server: ScriptedServer) -> None:
    """An endpoint, or its string description, says how to connect; the base URL still names the service."""
    from twisted.internet.endpoints import TCP4ClientEndpoint

    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", server.port)
    for given in (endpoint, f"tcp:127.0.0.1:{server.port}"):
        client = Client(feed_id=1, base_url="http://pachube.example", endpoint=given, environ={})
        server.play(FEED)
        await client.read_feed()
        await client.close()
    assert {request.headers["host"] for request in server.requests} == {"pachube.example"}


async def test_a_unix_socket_will_do(tmp_path: Any) -> None:
    """A service on the same machine can be reached without a port."""
    server = ScriptedServer(reactor, f"unix:{tmp_path}/s")
    await server.start()
    client = Client(feed_id=1, endpoint=f"unix:{tmp_path}/s", environ={})
    server.play(FEED)
    feed = await client.read_feed()
    assert feed.id == 504
    await client.close()
    await server.stop()


async def test_nothing_is_left_in_the_reactor(server: ScriptedServer) -> None:
    """After close() the client holds no connection and no timer."""
    from twisted.internet.endpoints import TCP4ClientEndpoint

    clock = Clock()
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", server.port)
    client = Client(feed_id=1, endpoint=endpoint, reactor=clock, environ={})
    server.play(FEED)
    await client.read_feed()
    await client.close()
    await client.close()
    assert clock.getDelayedCalls() == []
    await server.lines[0].lost


async def test_addresses_of_every_kind(server: ScriptedServer) -> None:
    """A service is found by name, by IPv4 and by IPv6 address."""
    from twisted.internet.error import CannotListenError

    six = ScriptedServer(reactor, r"tcp6:0:interface=\:\:1")
    try:
        await six.start()
    except CannotListenError:
        pytest.skip("this machine has no IPv6")
    for listening, host in ((server, "localhost"), (server, "127.0.0.1"), (six, "[::1]")):
        listening.play(FEED)
        client = Client(feed_id=1, base_url=f"http://{host}:{listening.port}", environ={})
        await client.read_feed()
        await client.close()
        assert listening.requests[-1].headers["host"] == f"{host}:{listening.port}"
    await six.stop()
