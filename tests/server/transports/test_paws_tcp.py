"""The socket door on TCP, on real sockets, to the byte."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from txpachube.api.problems import unavailable
from txpachube.server.ratelimit import RateLimit
from txpachube.server.transports.paws_limits import PawsLimits
from txpachube.server.transports.paws_tcp import PawsTCPFactory
from txpachube.testing.inprocess import InProcess
from txpachube.testing.sockets import SocketClient
from txpachube.times import SECOND

reactor: Any = installed_reactor
KEY = "master-of-rosa"


def request(method: str, resource: str, *, key: str = KEY, **members: Any) -> bytes:
    """Write a request as most clients do."""
    return json.dumps(
        {"method": method, "resource": resource, "headers": {"X-ApiKey": key}, **members}
    ).encode()


def subscribe(resource: str, token: Any = None, *, key: str = KEY) -> bytes:
    """Write a subscription."""
    return request("subscribe", resource, key=key, **({} if token is None else {"token": token}))


async def subscribed(client: SocketClient, resource: str, token: Any = None, *, key: str = KEY) -> None:
    """Subscribe and see that it is answered."""
    client.send(subscribe(resource, token, key=key))
    assert (await client.message())["status"] == 200


async def write(garden: InProcess, value: Any, stream: str = "temp") -> None:
    """Give a datastream of feed 1 a value, through another door."""
    answer = await garden.ask(
        f"PUT /v2/feeds/1/datastreams/{stream}.json", json.dumps({"current_value": value})
    )
    assert answer.status == 200


async def quiet(client: SocketClient) -> list[bytes]:
    """Return what has come until the answer to a question that is asked now."""
    client.send(request("get", "/feeds/3/datastreams/wind", token="quiet"))
    lines = []
    while b'"quiet"' not in (line := await client.line()):
        lines.append(line)
    return lines


@pytest.fixture
def paws(door: Callable[..., Any]) -> Any:
    """Return an open door."""
    return door(PawsTCPFactory, http_port=8000)


# --- answers ----------------------------------------------------------------------------------------


async def test_a_put_is_answered_with_token_resource_and_status(garden: InProcess, paws: Any) -> None:
    """The answer to a write has nothing else; it is one line."""
    client = await paws.client()
    body = {"version": "1.0.0", "datastreams": [{"id": "temp", "current_value": "21.5"}]}
    client.send(request("put", "/feeds/1", params={}, body=body, token="0x12345"))
    assert await client.line() == b'{"resource":"/feeds/1","token":"0x12345","status":200}'
    assert client.pieces == [b'{"resource":"/feeds/1","token":"0x12345","status":200}\n']
    answer = await garden.ask("GET /v2/feeds/1/datastreams/temp.json")
    assert b'"current_value":"21.5"' in answer.body


async def test_a_get_is_answered_with_the_document_and_headers(garden: InProcess, paws: Any) -> None:
    """The body is the very object of HTTP, headers are in capitals, and the status stands last."""
    client = await paws.client()
    client.send(request("get", "/feeds/1/datastreams/temp", token="0xabcdef"))
    line = await client.line()
    message = json.loads(line)
    over_http = await garden.ask("GET /v2/feeds/1/datastreams/temp.json")
    assert message["body"] == json.loads(over_http.body)
    assert message["headers"]["CONTENT_TYPE"] == "application/json; charset=utf-8"
    assert message["headers"]["ETAG"] == over_http.etag
    assert (message["resource"], message["token"]) == ("/feeds/1/datastreams/temp", "0xabcdef")
    assert line.endswith(b',"status":200}')


async def test_urls_in_documents_lead_to_http(garden: InProcess, paws: Any) -> None:
    """A feed's own URL names the HTTP door of the address that the client has connected to."""
    client = await paws.client()
    client.send(request("get", "/feeds/1"))
    assert (await client.message())["body"]["feed"] == "http://127.0.0.1:8000/v2/feeds/1.json"
    client.send(request("post", "/feeds", body={"title": "New"}))
    answer = await client.message()
    assert (answer["status"], answer["headers"]["LOCATION"]) == (201, "http://127.0.0.1:8000/v2/feeds/5")


@pytest.mark.parametrize(
    "spelling",
    [
        b'{"method":"get","resource":"/feeds/1","headers":{"X-ApiKey":"%s"}}',
        b'{"method":"GET","resource":"/v2/feeds/1","headers":{"X-PachubeApiKey":"%s"}}\r\n',
        b'{\r\n "method" : "get",\r\n "resource" : "/feeds/1.json",\r\n "params":{"key":"%s"}\r\n}\r\n\r\n',
        b'{"method":"get","resource":"/feeds/1","headers":{"X-ApiKey":"%s"},"body":{},"more":[{"a":1}]}\n',
        b'{"method":"get","resource":"/feeds/1?key=%s"}',
    ],
)
async def test_a_request_cut_at_every_byte(
    garden: InProcess, door: Callable[..., Any], spelling: bytes
) -> None:
    """Wherever the network cuts a request, the answer is the same; with or without a line end."""
    paws = door(PawsTCPFactory)
    data = spelling % KEY.encode()
    client = await paws.client()
    answers = set()
    for cut in range(1, len(data)):
        client.send(data[:cut])
        await deferLater(reactor, 0, lambda: None)
        client.send(data[cut:])
        answer = await client.message()
        answers.add((answer["status"], answer["body"]["title"]))
    assert answers == {(200, "Greenhouse")}


async def test_many_requests_in_one_packet_are_answered_in_order(garden: InProcess, paws: Any) -> None:
    """They see each other's effects: what was written is read by the next one."""
    client = await paws.client()
    packet = b""
    for number in range(40):
        packet += request(
            "put", "/feeds/1/datastreams/temp", body={"current_value": str(number)}, token=number
        )
        packet += b"\r\n" if number % 2 else b""
        packet += request("get", "/feeds/1/datastreams/temp.csv", token=f"r{number}")
    client.send(packet)
    for number in range(40):
        assert (await client.message())["token"] == number
        answer = await client.message()
        assert answer["token"] == f"r{number}"
        assert answer["body"].endswith(f",{number}")


async def test_answers_keep_the_order_of_the_requests(garden: InProcess, paws: Any) -> None:
    """Also where writes wait for the disk together and some of them fail at once; deletions see them done."""
    client = await paws.client()
    packet, statuses = b"", []
    for number in range(200):
        kind = number % 10
        if kind == 3:
            packet += request(
                "put", "/feeds/1/datastreams/temp", body={"current_value": "x" * 300}, token=number
            )
        elif kind == 5:
            packet += b'{"method":"fly","resource":"/feeds/1","token":%d}' % number
        elif kind == 7:
            path = f"/feeds/1/datastreams/temp/datapoints/2014-01-01T00:{number // 60:02}:{number % 60:02}Z"
            packet += request("put", path, body={"value": "corrected"}, token=number)
        elif kind == 8:
            path = (
                f"/feeds/1/datastreams/temp/datapoints/2014-01-01T00:{number // 60:02}:{number % 60 - 1:02}Z"
            )
            packet += request("get", path + ".csv", token=number)
        else:
            at = f"2014-01-01T00:{(number + 1) // 60:02}:{(number + 1) % 60:02}Z"
            packet += request(
                "put", "/feeds/1/datastreams/temp", body={"current_value": "1", "at": at}, token=number
            )
        statuses.append({3: 422, 5: 400}.get(kind, 200))
    client.send(packet)
    answers = [await client.message() for _ in range(200)]
    assert [answer["token"] for answer in answers] == list(range(200))
    assert [answer["status"] for answer in answers] == statuses
    assert [answer["body"].rpartition(",")[2] for answer in answers[8::10]] == ["corrected"] * 20


async def test_the_exchange_is_that_of_http(garden: InProcess, paws: Any) -> None:
    """Status and body of the same requests are the same through both doors."""
    client = await paws.client()
    for method, resource, key, body in [
        ("get", "/feeds/1.json", KEY, None),
        ("get", "/feeds/1.csv", KEY, None),
        ("get", "/feeds/1.xml", "reader-of-rosa", None),
        ("get", "/feeds/4.json", KEY, None),
        ("get", "/feeds/99.json", KEY, None),
        ("get", "/feeds/1.json", "nobody", None),
        ("get", "/nonsense", KEY, None),
        ("put", "/feeds/1.json", KEY, '{"datastreams": [{"id": "a b"}]}'),
        ("put", "/feeds/1.json", KEY, '{"datastreams": '),
        ("put", "/feeds/1.csv", KEY, "temp,17\ndoor,open\n"),
        ("put", "/feeds/3.json", KEY, '{"title": "mine"}'),
        ("delete", "/feeds/1/datastreams/none", KEY, None),
        ("get", "/keys.json", KEY, None),
        ("get", "/feeds/1/datastreams/temp.json?start=2013-06-01T00:00:00Z&interval=0", KEY, None),
    ]:
        answer = await garden.ask(
            f"{method.upper()} /v2{resource}", body or b"", {"host": "127.0.0.1:8000"}, key=key
        )
        client.send(request(method, resource, key=key, **({} if body is None else {"body": body})))
        message = await client.message()
        assert message["status"] == answer.status, resource
        expected = answer.body.decode()
        if expected and answer.content_type.startswith("application/json"):
            assert message["body"] == json.loads(expected), resource
        else:
            assert message.get("body", "") == expected, resource


# --- pushes -----------------------------------------------------------------------------------------


async def test_a_subscription_is_answered_without_state_and_then_fed(garden: InProcess, paws: Any) -> None:
    """The answer has no body; each update has the document, the resource as sent, the token, no status."""
    client = await paws.client()
    client.send(subscribe("/feeds/1/datastreams/temp", "0xA"))
    assert await client.line() == b'{"resource":"/feeds/1/datastreams/temp","token":"0xA","status":200}'
    await write(garden, "22.75")
    assert await client.line() == (
        b'{"body":{"id":"temp","current_value":"22.75","at":"2013-06-01T12:00:00.000000Z",'
        b'"max_value":"22.75","min_value":"19.0","tags":["air"],'
        b'"unit":{"type":"derivedSI","symbol":"C","label":"Celsius"}},'
        b'"resource":"/feeds/1/datastreams/temp","token":"0xA"}'
    )


async def test_a_feed_is_pushed_with_all_its_datastreams(garden: InProcess, paws: Any) -> None:
    """The body is what a GET of the feed answers at that moment, version included."""
    client = await paws.client()
    await subscribed(client, "/feeds/1")
    await write(garden, "22.75")
    push = await client.message()
    client.send(request("get", "/feeds/1"))
    assert push == {"body": (await client.message())["body"], "resource": "/feeds/1"}
    assert (push["body"]["version"], push["body"]["status"]) == ("1.0.0", "live")
    assert [stream["id"] for stream in push["body"]["datastreams"]] == ["7", "door", "log.csv", "temp"]


async def test_a_mobile_feed_is_pushed_with_its_former_places(garden: InProcess, paws: Any) -> None:
    """Each push has the way up to that moment, as a GET has."""
    client = await paws.client()
    await subscribed(client, "/feeds/1")
    for lat in (1, 2, 3):
        garden.now += SECOND
        body = f'{{"location": {{"disposition": "mobile", "lat": {lat}, "lon": 0}}}}'
        await garden.ask("PUT /v2/feeds/1.json", body)
    lats = []
    for _ in range(3):
        push = await client.message()
        lats.append([place["lat"] for place in push["body"]["location"].get("waypoints", [])])
    assert lats == [[52.1], [52.1, 1.0], [52.1, 1.0, 2.0]]
    client.send(request("get", "/feeds/1"))
    assert (await client.message())["body"] == push["body"]


async def test_each_update_is_pushed_once_and_in_order(garden: InProcess, paws: Any) -> None:
    """Many writers at once, through two doors: every subscriber gets every step, as stored."""
    readers = [await paws.client() for _ in range(5)]
    for reader in readers:
        await subscribed(reader, "/feeds/1/datastreams/temp")
    writers = [await paws.client() for _ in range(4)]
    for number in range(100):
        for index, writer in enumerate(writers):
            body = {"current_value": f"{index}.{number}"}
            writer.send(request("put", "/feeds/1/datastreams/temp", body=body))
    await gatherResults([
        Deferred.fromCoroutine(write(garden, f"9.{number}")) for number in range(100)
    ])  # fmt: skip
    for writer in writers:
        assert [(await writer.message())["status"] for _ in range(100)] == [200] * 100
    seen = [[(await reader.message())["body"]["current_value"] for _ in range(500)] for reader in readers]
    assert all(each == seen[0] for each in seen)
    assert len(set(seen[0])) == 500
    for writer_name in "01239":
        assert [value for value in seen[0] if value[0] == writer_name] == [
            f"{writer_name}.{number}" for number in range(100)
        ]
    assert await quiet(readers[0]) == []


async def test_what_is_no_update_is_not_pushed(garden: InProcess, paws: Any) -> None:
    """The past, other datastreams, other feeds, a title: none of that concerns a datastream's subscriber."""
    client = await paws.client()
    await subscribed(client, "/feeds/1/datastreams/temp")
    path = "PUT /v2/feeds/1/datastreams/temp.json"
    await garden.ask(path, '{"current_value": "1", "at": "2013-01-01T00:00:00Z"}')
    await write(garden, "x", "door")
    await garden.ask("PUT /v2/feeds/1.json", '{"title": "Winter garden"}')
    await garden.ask("PUT /v2/feeds/3.csv", "temp,3", key="master-of-otto")
    assert await quiet(client) == []


async def test_every_token_gets_its_own_push(garden: InProcess, paws: Any) -> None:
    """The same resource under two tokens and without one is pushed three times; twice the same is once."""
    client = await paws.client()
    for token in ("a", "b", None, "a", None, 7):
        await subscribed(client, "/feeds/1/datastreams/temp", token)
    await write(garden, "1")
    tokens = [(await client.message()).get("token") for _ in range(4)]
    assert tokens == ["a", "b", None, 7]
    assert await quiet(client) == []


async def test_the_spelling_of_the_resource_is_given_back_and_does_not_matter(
    garden: InProcess, paws: Any
) -> None:
    """Extension, parameters and version make no other subscription; the first spelling is pushed."""
    client = await paws.client()
    await subscribed(client, "/v2/feeds/1/datastreams/temp.json?x=1", "T")
    await subscribed(client, "/feeds/1/datastreams/temp", "T")
    await write(garden, "1")
    assert (await client.message())["resource"] == "/v2/feeds/1/datastreams/temp.json?x=1"
    client.send(request("unsubscribe", "/feeds/1/datastreams/temp.xml", token="T"))
    assert (await client.message())["status"] == 200
    await write(garden, "2")
    assert await quiet(client) == []


async def test_a_datastream_that_looks_like_a_file(garden: InProcess, paws: Any) -> None:
    """The id ``log.csv`` can be subscribed to and unsubscribed from."""
    client = await paws.client()
    await subscribed(client, "/feeds/1/datastreams/log.csv")
    await write(garden, "1", "log.csv")
    assert (await client.message())["body"]["id"] == "log.csv"
    client.send(request("unsubscribe", "/feeds/1/datastreams/log.csv"))
    assert (await client.message())["status"] == 200
    await write(garden, "2", "log.csv")
    assert await quiet(client) == []


async def test_unsubscribing_needs_the_token_and_is_always_answered(garden: InProcess, paws: Any) -> None:
    """Only the subscription of that token ends; where there is none, 200 is the answer as well."""
    client = await paws.client()
    await subscribed(client, "/feeds/1/datastreams/temp", "a")
    await subscribed(client, "/feeds/1/datastreams/temp")
    for token, tokens in (("b", ["a", None]), (None, ["a"]), ("a", [])):
        about = {} if token is None else {"token": token}
        client.send(request("unsubscribe", "/feeds/1/datastreams/temp", **about))
        assert await client.message() == {"resource": "/feeds/1/datastreams/temp", "status": 200, **about}
        await write(garden, "1")
        assert [json.loads(line).get("token") for line in await quiet(client)] == tokens


# --- what is refused --------------------------------------------------------------------------------


UNKNOWN = "Unauthorized: You are not authorized", 401
FORBIDDEN = "Forbidden: You are not authorized", 403
MISSING = "Not Found", 404


@pytest.mark.parametrize(
    ("resource", "key", "refusal"),
    [
        ("/feeds/1", "", UNKNOWN),
        ("/feeds/1", "nobody", UNKNOWN),
        ("/feeds/1", "expired", UNKNOWN),
        ("/feeds/99", "nobody", UNKNOWN),
        ("/feeds/99", KEY, MISSING),
        ("/feeds/1/datastreams/none", KEY, MISSING),
        ("/feeds/4", KEY, FORBIDDEN),
        ("/feeds/2", "public-of-rosa", FORBIDDEN),
        ("/feeds/3", "greenhouse", FORBIDDEN),
        ("/feeds/1", "at-home", FORBIDDEN),
        ("/feeds/1", "page", FORBIDDEN),
        ("/feeds/1/datastreams/door", "thermometer", FORBIDDEN),
    ],
)
async def test_a_refused_subscription(
    garden: InProcess, paws: Any, resource: str, key: str, refusal: tuple[str, int]
) -> None:
    """The texts are those that old programs search for; nothing is subscribed."""
    client = await paws.client()
    client.send(subscribe(resource, "T", key=key))
    text, status = refusal
    expected = f'{{"body":"{text}","resource":"{resource}","token":"T","status":{status}}}'
    assert await client.line() == expected.encode()
    assert list(garden.events.watched) == []


@pytest.mark.parametrize(
    "resource", ["/feeds", "/keys", "/feeds/1/datastreams", "/feeds/x", "/feeds/1/datastreams/7/datapoints"]
)
async def test_only_feeds_and_datastreams_can_be_subscribed(paws: Any, resource: str) -> None:
    """Anything else is 400, with token and resource."""
    client = await paws.client()
    client.send(subscribe(resource, "T"))
    answer = await client.message()
    assert (answer["status"], answer["resource"], answer["token"]) == (400, resource, "T")


async def test_a_key_limited_to_a_datastream_hears_of_nothing_else(garden: InProcess, paws: Any) -> None:
    """It may subscribe to the feed and then sees its datastream of it, as with a GET."""
    client = await paws.client()
    await subscribed(client, "/feeds/1", key="thermometer")
    await write(garden, "1")
    assert [stream["id"] for stream in (await client.message())["body"]["datastreams"]] == ["temp"]


async def test_garbage_is_answered_and_survived(garden: InProcess, paws: Any) -> None:
    """Words, broken objects, wrong members: each is told, and the subscription goes on."""
    client = await paws.client()
    await subscribed(client, "/feeds/1/datastreams/temp")
    client.send(b"keepalive\n")
    answer = await client.message()
    assert answer["status"] == 400
    assert answer["body"].startswith("Syntax Error: ")
    assert set(answer) == {"status", "body"}
    for text, status, members in [
        (b"{}", 400, set()),
        (b'{"method":"fly","resource":"/feeds/1","token":"T"}', 400, {"resource", "token"}),
        (b'{"method":"get","token":7}', 400, {"token"}),
        (b'{"method":"get","resource":}', 400, set()),
        (b"\xff\xfe{]}", 400, set()),
        (b'{"method":"get","resource":"/feeds/1"}', 401, {"resource"}),
    ]:
        client.send(text + b"\n")
        answers = [await client.message()]
        if text.startswith(b"\xff"):
            answers.append(await client.message())
        for answer in answers:
            assert answer["status"] == status, text
            assert set(answer) - {"status", "body", "headers"} == members, text
    await write(garden, "1")
    assert (await client.message())["body"]["current_value"] == "1"


async def test_an_http_request_is_answered_in_its_own_language(paws: Any) -> None:
    """It gets an HTTP answer that says what this port takes, and the connection is closed."""
    client = await paws.client()
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Pad: %s\r\n" % (b"x" * 4000) * 20 + b"\r\n")
    text = await client.end()
    assert text.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    head, _, body = text.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in head


async def test_a_message_without_end_is_the_end(door: Callable[..., Any]) -> None:
    """Past the limit there is one 400, which arrives although the client is still sending."""
    paws = door(PawsTCPFactory, limits=PawsLimits(message_bytes=1000))
    client = await paws.client()
    client.send(b'{"method":"' + b"x" * 300_000)
    text = await client.end()
    assert text == b'{"status":400,"body":"Bad Request: a message may have at most 1000 bytes"}\n'


async def test_more_subscriptions_than_a_connection_may_have(door: Callable[..., Any]) -> None:
    """The one too many is refused and says why; the others are left alone, and one that ends makes room."""
    paws = door(PawsTCPFactory, limits=PawsLimits(subscriptions=3))
    client = await paws.client()
    for token in (1, 2, 3, 3):
        await subscribed(client, "/feeds/1", token)
    client.send(subscribe("/feeds/1", 4))
    answer = await client.message()
    assert answer["status"] == 400
    assert "at most 3 subscriptions" in answer["body"]
    client.send(request("unsubscribe", "/feeds/1", token=2))
    await client.message()
    await subscribed(client, "/feeds/1", 4)


# --- rights that are lost ---------------------------------------------------------------------------


async def rights_are_lost(garden: InProcess, how: str) -> None:
    """Take a right away."""
    key = await garden.store.find_key("greenhouse")
    assert key is not None
    if how == "key deleted":
        await garden.store.delete_key(key)
    elif how == "key regenerated":
        await garden.store.regenerate_key(key)
    elif how == "key limited":
        answer = await garden.ask(
            "PUT /v2/keys/greenhouse.json",
            '{"key": {"label": "x", "permissions":'
            ' [{"access_methods": ["get"], "resources": [{"feed_id": 2}]}]}}',
        )
        assert answer.status == 200, answer.body
    elif how == "key expired":
        garden.now += 10 * SECOND
    else:
        answer = await garden.ask("PUT /v2/feeds/1.json", '{"private": true}')
        assert answer.status == 200


@pytest.mark.parametrize(
    "how", ["key deleted", "key regenerated", "key limited", "key expired", "feed private"]
)
async def test_pushes_end_with_the_right_to_them(garden: InProcess, paws: Any, how: str) -> None:
    """When the key is changed or deleted, or the feed becomes private, nothing more comes, without a word."""
    if how == "key expired":
        key = await garden.store.find_key("greenhouse")
        assert key is not None
        await garden.store.change_key(
            key,
            label="x",
            private_access=False,
            permissions=key.permissions,
            expires_at=garden.now + 5 * SECOND,
        )
    client, other = await paws.client(), await paws.client()
    for token in ("a", "b"):
        await subscribed(client, "/feeds/1/datastreams/temp", token, key="greenhouse")
    await subscribed(client, "/feeds/1", "c", key="greenhouse")
    await subscribed(other, "/feeds/1/datastreams/temp")
    await write(garden, "1")
    assert [(await client.message())["token"] for _ in range(3)] == ["a", "b", "c"]
    await rights_are_lost(garden, how)
    await write(garden, "2")
    assert await quiet(client) == []
    values = [(await other.message())["body"]["current_value"] for _ in range(2)]
    assert values == ["1", "2"]
    while len(garden.events._by_feed[1].of_streams["temp"]) > 1 or garden.events._by_feed[1].listeners:
        await deferLater(reactor, 0, lambda: None)  # the key is being read again
    assert await quiet(client) == []


async def test_a_key_that_is_changed_and_still_allows_it(garden: InProcess, paws: Any) -> None:
    """The subscription goes on, and no step is missing or out of order, although the key has to be read."""
    client = await paws.client()
    await subscribed(client, "/feeds/1/datastreams/temp", key="greenhouse")
    key = await garden.store.find_key("greenhouse")
    assert key is not None
    writes = []
    for number in range(60):
        writes.append(Deferred.fromCoroutine(write(garden, str(number))))
        if number % 20 == 10:
            writes.append(
                Deferred.fromCoroutine(
                    garden.store.change_key(  # type: ignore[arg-type]  # whatever it returns
                        key,
                        label=str(number),
                        private_access=False,
                        permissions=key.permissions,
                        expires_at=None,
                    )
                )
            )
    await gatherResults(writes)
    seen = [(await client.message())["body"]["current_value"] for _ in range(60)]
    assert seen == [str(number) for number in range(60)]


async def other_key_changes(garden: InProcess) -> None:
    """Change a key that nobody here uses, so that all rights are judged again."""
    key = await garden.store.find_key("thermometer")
    assert key is not None
    await garden.store.change_key(
        key, label="renamed", private_access=False, permissions=key.permissions, expires_at=None
    )


async def test_judging_again_is_no_request_of_the_key(garden: InProcess, paws: Any) -> None:
    """A subscription does not end because its key has made as many requests as it may."""
    client = await paws.client()
    await subscribed(client, "/feeds/1/datastreams/temp", "a", key="greenhouse")
    await subscribed(client, "/feeds/1", "b", key="greenhouse")
    garden.app._rate_limit = limit = RateLimit(1)
    key = await garden.store.find_key("greenhouse")
    assert key is not None
    while limit.admit(key.pk, garden.now):
        pass
    for value in ("40", "41"):
        await other_key_changes(garden)
        await write(garden, value)
        pushes = [await client.message() for _ in range(2)]
        assert [push["token"] for push in pushes] == ["a", "b"]
        assert pushes[0]["body"]["current_value"] == value
    client.send(subscribe("/feeds/1", "c", key="greenhouse"))
    assert (await client.message())["status"] == 403


async def test_a_storage_that_fails_while_judging(garden: InProcess, door: Callable[..., Any]) -> None:
    """What cannot be judged is not pushed, but the subscription is not lost: the next update asks again."""
    paws = door(PawsTCPFactory)
    client = await paws.client()
    await subscribed(client, "/feeds/1/datastreams/temp", "a")

    async def broken(request: Any, *, again: bool = False) -> Any:
        raise unavailable("no")

    [connection] = paws.factory._connections
    real, connection._session.authorise = connection._session.authorise, broken
    await other_key_changes(garden)
    await write(garden, "41")
    assert await quiet(client) == []
    connection._session.authorise = real
    await write(garden, "42")
    assert (await client.message())["body"]["current_value"] == "42"


async def test_what_is_deleted_ends_its_subscriptions(garden: InProcess, paws: Any) -> None:
    """Of a deleted datastream or feed nothing more is heard; the connection stays."""
    client = await paws.client()
    await subscribed(client, "/feeds/1/datastreams/temp", "a")
    await subscribed(client, "/feeds/1", "b")
    await subscribed(client, "/feeds/2", "c")
    await garden.ask("DELETE /v2/feeds/1/datastreams/temp")
    push = await client.message()
    assert (push["token"], [stream["id"] for stream in push["body"]["datastreams"]]) == (
        "b",
        ["7", "door", "log.csv"],
    )
    await garden.ask("PUT /v2/feeds/1.json", '{"datastreams": [{"id": "temp", "current_value": "1"}]}')
    assert (await client.message())["token"] == "b"
    await garden.ask("DELETE /v2/feeds/1")
    assert await quiet(client) == []
    assert list(garden.events.watched) == [2]


# --- the clock --------------------------------------------------------------------------------------


async def test_a_feed_that_freezes(garden: InProcess, paws: Any) -> None:
    """After a quarter of an hour without data its subscribers get it as it is then; no datastream changed."""
    client = await paws.client()
    await subscribed(client, "/feeds/1", "feed")
    await subscribed(client, "/feeds/1/datastreams/temp", "stream")
    garden.now += 900 * SECOND
    garden.events.look_at_the_clock()
    line = await client.line()
    push = json.loads(line)
    assert list(push) == ["body", "resource", "token"]
    assert (push["token"], push["body"]["status"]) == ("feed", "frozen")
    over_http = await garden.ask("GET /v2/feeds/1.json", headers={"host": "127.0.0.1:8000"})
    assert push["body"] == json.loads(over_http.body)
    await write(garden, "22")
    pushes = [await client.message() for _ in range(2)]
    assert [push["token"] for push in pushes] == ["stream", "feed"]
    assert pushes[1]["body"]["status"] == "live"
    assert await quiet(client) == []


# --- readers that are slow --------------------------------------------------------------------------


async def test_a_client_that_does_not_read(garden: InProcess, door: Callable[..., Any]) -> None:
    """It costs a bounded amount, holds nobody up, and catches up with the newest state when it reads."""
    paws = door(PawsTCPFactory, limits=PawsLimits(steps=50, step_bytes=20_000))
    slow, swift = await paws.client(), await paws.client()
    for client in (slow, swift):
        await subscribed(client, "/feeds/1/datastreams/temp", "s")
    await subscribed(slow, "/feeds/1/datastreams/door", "d")
    slow.stop_reading()
    [session] = [each._session for each in paws.factory._connections if len(each._session._subscribers) == 2]
    pad = "x" * 200
    number = 0
    while number < 3000 or session._backlog is None or paws.factory.skipped < 2000:
        await gatherResults([
            Deferred.fromCoroutine(write(garden, f"{pad}{number + step}")) for step in range(100)
        ])  # fmt: skip
        for step in range(100):
            assert (await swift.message())["body"]["current_value"] == f"{pad}{number + step}"
        number += 100
        await write(garden, str(number), "door")
        assert number < 100_000
    backlog = session._backlog
    assert len(backlog._steps) <= 50
    assert backlog._bytes <= 20_000
    assert len(backlog._behind) == 2
    slow.go_on_reading()
    seen: dict[str, list[str]] = {"s": [], "d": []}
    while (
        not (seen["s"] and seen["d"]) or seen["s"][-1] != f"{pad}{number - 1}" or seen["d"][-1] != str(number)
    ):
        push = await slow.message()
        seen[push["token"]].append(push["body"]["current_value"])
    steps = [int(value.removeprefix(pad)) for value in seen["s"]]
    assert steps == sorted(set(steps))
    assert steps[:-1] == list(range(len(steps) - 1))
    assert steps[-1] == number - 1
    await write(garden, "last")
    assert (await slow.message())["body"]["current_value"] == "last"
    assert session._backlog is None


async def test_each_message_is_one_write(garden: InProcess, paws: Any) -> None:
    """Answers and pushes, also of one commit, are sent each by itself, for old clients that count on it."""
    client = await paws.client()
    await subscribed(client, "/feeds/1/datastreams/temp", "a")
    await subscribed(client, "/feeds/1/datastreams/temp", "b")
    [connection] = paws.factory._connections
    sent: list[bytes] = []
    send = connection._outlet._send

    def recorded(data: bytes) -> int:
        sent.append(bytes(data))
        return int(send(data))

    connection._outlet._send = recorded
    client.send(request("get", "/feeds/1", token=1) * 2)
    await gatherResults([Deferred.fromCoroutine(write(garden, str(number))) for number in range(10)])
    lines = [await client.line() for _ in range(22)]
    assert sent == [line + b"\n" for line in lines]


async def test_a_push_cut_at_every_byte(garden: InProcess, paws: Any) -> None:
    """However much of a push the system takes at first, the client gets all of it, and then the next."""
    client, other = await paws.client(), await paws.client()
    for each in (client, other):
        await subscribed(each, "/feeds/1/datastreams/temp", "a")
    await write(garden, "0")
    whole = await client.line()
    connection = next(
        each for each in paws.factory._connections if each.transport.getPeer().port == client.port
    )
    send = connection._outlet._send
    for cut in range(len(whole) + 1):

        def once(data: bytes, cut: int = cut) -> int:
            connection._outlet._send = send
            if cut == 0:
                raise BlockingIOError
            return int(send(data[:cut]))

        connection._outlet._send = once
        await gatherResults([Deferred.fromCoroutine(write(garden, value)) for value in "12"])
        assert [await client.line(), await client.line()] == [
            whole.replace(b'"0"', b'"%d"' % value, 1) for value in (1, 2)
        ]
    assert len([await other.line() for _ in range(1 + 2 * (len(whole) + 1))]) == 1 + 2 * (len(whole) + 1)


async def test_a_client_that_asks_and_does_not_read(garden: InProcess, door: Callable[..., Any]) -> None:
    """Its requests wait, it is not read any more, and gets every answer in the end."""
    paws = door(PawsTCPFactory, limits=PawsLimits(held_bytes=4096))
    client = await paws.client()
    client.stop_reading()
    asked = 4000
    client.send(b"".join(request("get", "/feeds/1", token=number) for number in range(asked)))
    connection = None
    while connection is None or not connection._reading_held:
        await deferLater(reactor, 0.01, lambda: None)
        connection = next(iter(paws.factory._connections), None)
    client.go_on_reading()
    assert [(await client.message())["token"] for _ in range(asked)] == list(range(asked))


# --- the life of a connection -----------------------------------------------------------------------


async def test_an_idle_connection_is_closed_and_a_subscribed_one_never(garden: InProcess, paws: Any) -> None:
    """After ten minutes without a request, and not a moment before."""
    idle, subscriber = await paws.client(), await paws.client()
    await subscribed(subscriber, "/feeds/1")
    idle.send(request("get", "/feeds/3/datastreams/wind"))
    await idle.message()
    for _ in range(290):
        paws.clock.advance(2)
    idle.send(request("get", "/feeds/3/datastreams/wind"))
    await idle.message()
    for _ in range(299):
        paws.clock.advance(2)
    await quiet(subscriber)
    assert not idle.closed
    for _ in range(10):
        paws.clock.advance(2)
    assert await idle.end() == b""
    for _ in range(2000):
        paws.clock.advance(2)
    await write(garden, "1")
    assert (await subscriber.message())["resource"] == "/feeds/1"


async def test_a_client_that_has_closed_its_half(garden: InProcess, paws: Any) -> None:
    """It gets its answers; if it is subscribed it goes on getting pushes, otherwise that was all."""
    asking, subscriber = await paws.client(), await paws.client()
    asking.send(request("get", "/feeds/1", token=1) + request("put", "/feeds/1/datastreams/temp", body="4"))
    asking.transport.loseWriteConnection()
    assert [json.loads(line)["status"] for line in (await asking.end()).splitlines()] == [200, 400]
    subscriber.send(subscribe("/feeds/1/datastreams/temp"))
    subscriber.transport.loseWriteConnection()
    assert (await subscriber.message())["status"] == 200
    await write(garden, "1")
    assert (await subscriber.message())["body"]["current_value"] == "1"


async def test_a_connection_that_ends_leaves_nothing_behind(garden: InProcess, paws: Any) -> None:
    """Its subscriptions are gone, also that which was being made."""
    client = await paws.client()
    await subscribed(client, "/feeds/1")
    client.send(subscribe("/feeds/2") + subscribe("/feeds/1/datastreams/temp"))
    client.transport.abortConnection()
    while paws.factory.connection_count or garden.events.watched:
        await deferLater(reactor, 0.01, lambda: None)


async def test_the_service_ends_when_what_is_under_way_is_answered(garden: InProcess, paws: Any) -> None:
    """The write that was begun is answered, then everybody is disconnected."""
    writer, subscriber = await paws.client(), await paws.client()
    await subscribed(subscriber, "/feeds/1/datastreams/temp")
    writer.send(request("put", "/feeds/1/datastreams/temp", body={"current_value": "5"}))
    while not any(connection._session._open for connection in paws.factory._connections):
        await deferLater(reactor, 0, lambda: None)
    finished = paws.factory.shutdown()
    assert (await writer.message())["status"] == 200
    await finished
    assert await writer.end() == b""
    await subscriber.end()
    late = await paws.client()
    assert await late.end() == b""


async def test_too_many_connections(door: Callable[..., Any]) -> None:
    """The one too many is turned away, and counted."""
    paws = door(PawsTCPFactory, limits=PawsLimits(connections=2))
    first, second = await paws.client(), await paws.client()
    await quiet(first)
    await quiet(second)
    third = await paws.client()
    assert await third.end() == b""
    assert paws.factory.refused == 1
    await quiet(first)


async def test_anything_at_all_keeps_the_door_open(garden: InProcess, paws: Any) -> None:
    """Whatever bytes come, in whatever pieces, the request behind a line end after them is answered."""
    chance = random.Random(504)
    for _ in range(60):
        client = await paws.client()
        for _ in range(chance.randrange(12)):
            odd = (chance.randbytes(chance.randrange(40)), b'{"', b"}", b"{", b'"', b"\n", b"GET", b"\\")
            client.send(chance.choice(odd))
        client.send(b'\n{"method":"get"\n')  # ends a string, and is an object without end itself
        client.send(request("get", "/feeds/1", token="after") + b"}" * 3)
        while (answer := await client.message()).get("token") != "after":
            assert answer["status"] == 400
        assert answer["status"] == 200
        client.close()
