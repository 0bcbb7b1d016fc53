"""What clients of the socket server send becomes requests, however they write it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.testing.chunks import byte_by_byte, cut
from txpachube.wire.paws import Call, Incoming, MessageReader, Refusal, read_message
from txpachube.wire.resources import Target

KEY = "KEY-that-must-never-be-shown"

EXAMPLE = (
    b'{"method":"put","resource":"/feeds/2424","params":{},"headers":{"X-ApiKey":"' + KEY.encode() + b'"},'
    b'"body":{"version":"1.0.0","datastreams":[{"id":"temp","current_value":"21.5"}]},"token":"0x12345"}'
)


def call(text: bytes | dict[str, Any], **options: Any) -> Call:
    incoming = read_message(text if isinstance(text, bytes) else json.dumps(text).encode(), **options)
    assert isinstance(incoming, Call), incoming
    return incoming


def refusal(text: bytes | dict[str, Any], **options: Any) -> Refusal:
    incoming = read_message(text if isinstance(text, bytes) else json.dumps(text).encode(), **options)
    assert isinstance(incoming, Refusal), incoming
    return incoming


def facts(incoming: Incoming) -> object:
    """Return what is worth comparing of an incoming message."""
    if isinstance(incoming, Refusal):
        return incoming
    request = incoming.request
    return (
        incoming.method,
        incoming.envelope,
        incoming.target,
        (request.method, request.path, request.query_text, request.headers, request.body, request.peer),
    )


def test_a_put_becomes_a_request_to_the_api() -> None:
    """Method, path, key and body are those of the HTTP request that does the same."""
    made = call(EXAMPLE, peer="192.0.2.7", scheme="https")
    request = made.request
    assert (made.method, request.method, request.path, request.query_text) == (
        "PUT",
        "PUT",
        "/v2/feeds/2424",
        "",
    )
    assert request.headers == {"x-apikey": KEY, "content-type": "application/json"}
    assert request.body == b'{"version":"1.0.0","datastreams":[{"id":"temp","current_value":"21.5"}]}'
    assert (request.peer, request.scheme) == ("192.0.2.7", "https")
    assert (made.envelope.resource, made.envelope.token) == (b'"/feeds/2424"', b'"0x12345"')
    assert made.target is None


def test_a_body_keeps_its_literal_bytes() -> None:
    """Numbers are not rounded on their way to the API."""
    made = call(b'{"method":"PUT","resource":"/feeds/1","body": {"current_value": 1.50} }')
    assert made.request.body == b'{"current_value": 1.50}'


def test_a_body_can_be_text() -> None:
    """CSV and XML come as a text, with the content type the client gave or none."""
    made = call({"method": "put", "resource": "/feeds/1.csv", "body": "a,1\nü,2"})
    assert made.request.body == "a,1\nü,2".encode()
    assert "content-type" not in made.request.headers
    typed = call(
        {"method": "post", "resource": "/feeds", "headers": {"Content-Type": "text/xml"}, "body": "<eeml/>"}
    )
    assert typed.request.headers == {"content-type": "text/xml"}
    assert typed.request.body == b"<eeml/>"


def test_the_body_of_a_delete_is_passed_on() -> None:
    """It can hold the range of datapoints to delete, as over HTTP."""
    made = call({"method": "delete", "resource": "/feeds/1", "body": {"start": "2013-06-01"}})
    assert json.loads(made.request.body) == {"start": "2013-06-01"}


@pytest.mark.parametrize("method", ["get", "subscribe", "unsubscribe"])
def test_an_empty_body_is_ignored_where_none_belongs(method: str) -> None:
    """Clients add ``"body":{}`` to everything."""
    made = call({"method": method, "resource": "/feeds/1", "body": {}})
    assert made.request.body == b""
    assert "content-type" not in made.request.headers


@pytest.mark.parametrize("body", [None, ""])
def test_an_empty_body_of_a_put_is_empty(body: object) -> None:
    """Null and the empty text are no body."""
    assert call({"method": "put", "resource": "/feeds/1", "body": body}).request.body == b""


@pytest.mark.parametrize(
    ("resource", "path", "query"),
    [
        ("/feeds/504", "/v2/feeds/504", ""),
        ("/v2/feeds/504", "/v2/feeds/504", ""),
        ("feeds/504", "/v2/feeds/504", ""),
        (
            "/feeds/1/datastreams/5.json?start=2013-01-01",
            "/v2/feeds/1/datastreams/5.json",
            "start=2013-01-01",
        ),
        ("/v2feeds", "/v2/v2feeds", ""),
    ],
)
def test_the_resource_is_a_path_below_the_version(resource: str, path: str, query: str) -> None:
    """With or without the version, with extension and query."""
    request = call({"method": "get", "resource": resource}).request
    assert (request.path, request.query_text) == (path, query)


@pytest.mark.parametrize("name", ["params", "parameters"])
def test_parameters_are_those_of_the_query(name: str) -> None:
    """Both names of the member are read, and any value that has a form in a URL."""
    given_parameters = {
        "start": "a b&c",
        "limit": 10,
        "find_previous": True,
        "ids": ["x", 2],
        "f": 1.5,
        "no": None,
    }
    request = call({"method": "get", "resource": "/feeds/1?limit=5", name: given_parameters}).request
    assert request.query == {
        "limit": "10",
        "start": "a b&c",
        "find_previous": "true",
        "ids": "x,2",
        "f": "1.5",
    }


def test_parameters_can_be_a_text() -> None:
    """A query text in place of the object is understood."""
    assert call({"method": "get", "resource": "/feeds/1", "params": "?a=1&b=x y"}).request.query == {
        "a": "1",
        "b": "x y",
    }


def test_the_key_can_be_a_parameter() -> None:
    """A client without headers puts the key into the parameters."""
    assert call({"method": "get", "resource": "/feeds/1", "params": {"key": KEY}}).request.query["key"] == KEY


def test_headers_of_the_transport_are_left_out() -> None:
    """What HTTP says about the coding of a body isn't true for text inside of JSON."""
    headers = {
        "X-PachubeApiKey": KEY,
        "Content-Encoding": "gzip",
        "Content-Length": 9,
        "User-Agent": "x",
        "n": None,
    }
    made = call({"method": "put", "resource": "/feeds/1", "headers": headers, "body": "a,1"})
    assert made.request.headers == {"x-pachubeapikey": KEY, "user-agent": "x"}


@pytest.mark.parametrize("headers", [[], "X-ApiKey: x", 5, None])
def test_headers_that_are_no_object_are_none(headers: object) -> None:
    """Such a request goes on without a key, and gets what a request without a key gets."""
    assert call({"method": "get", "resource": "/feeds/1", "headers": headers}).request.headers == {}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b'"T"', b'"T"'),
        (b'"\\u0041\\/"', b'"\\u0041\\/"'),
        (b"12345678901234567890123", b"12345678901234567890123"),
        (b"1.50", b"1.50"),
        (b"true", b"true"),
        (b'{"a":\n [1, 2]}', b'{"a":[1,2]}'),
        (b"null", b""),
    ],
)
def test_a_token_is_given_back_as_it_came(sent: bytes, kept: bytes) -> None:
    """Any JSON value can be a token; only line ends between its parts disappear."""
    assert call(b'{"method":"get","resource":"/feeds/1","token":' + sent + b"}").envelope.token == kept


@pytest.mark.parametrize("method", ["SUBSCRIBE", "Subscribe", "unsubscribe"])
def test_a_subscription_is_about_a_feed_or_datastream(method: str) -> None:
    """The method may be in any case, and the request is the GET that needs the same rights."""
    made = call({"method": method, "resource": "/feeds/1/datastreams/temp.json?x=1", "token": "T"})
    assert made.method == method.upper()
    assert made.target == Target(1, "temp")
    assert made.request.method == "GET"


def test_other_resources_cannot_be_subscribed() -> None:
    """A subscription to triggers is refused; ending one that can't exist is not."""
    assert json.loads(refusal({"method": "subscribe", "resource": "/triggers", "token": 7}).reply) == {
        "body": "Bad Request: only feeds and datastreams can be subscribed",
        "resource": "/triggers",
        "token": 7,
        "status": 400,
    }
    assert call({"method": "unsubscribe", "resource": "/triggers"}).target is None


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ({"resource": "/feeds/1", "token": "T"}, {"resource": "/feeds/1", "token": "T"}),
        ({"method": "brew", "resource": "/feeds/1"}, {"resource": "/feeds/1"}),
        ({"method": 5, "resource": "/feeds/1"}, {"resource": "/feeds/1"}),
        ({"method": "get", "token": "T"}, {"token": "T"}),
        ({"method": "get", "resource": ""}, {"resource": ""}),
        ({"method": "get", "resource": 5, "token": 1}, {"token": 1}),
        ({"method": "get", "resource": "/" + "x" * 5000}, {}),
        ({"method": "get", "resource": "/feeds/1", "token": "t" * 2000}, {"resource": "/feeds/1"}),
        ({}, {}),
    ],
)
def test_a_message_without_method_or_resource_is_refused(
    message: dict[str, Any], answer: dict[str, Any]
) -> None:
    """The answer has status 400 and what is known of resource and token, and the connection stays open."""
    refused = refusal(message)
    assert not refused.close
    told = json.loads(refused.reply)
    assert told.pop("status") == 400
    assert told.pop("body").startswith("Bad Request: ")
    assert told == answer


@pytest.mark.parametrize(
    "text",
    [
        b"keepalive",
        b"{",
        b'{"method"}',
        b"[]",
        b'{"method":"\xff"}',
        b'{"x":' + b"[" * 5000,
        b"",
        b'{"token":"\xff"}',
    ],
)
def test_text_that_is_not_json_is_answered(text: bytes) -> None:
    """The answer is one line with status 400, and the connection stays open."""
    refused = refusal(text)
    assert not refused.close
    assert b"\n" not in refused.reply
    assert json.loads(refused.reply)["status"] == 400


def test_the_recorded_form_of_a_syntax_error() -> None:
    """Without token and resource, because nobody knows them."""
    assert refusal(b"keepalive").reply.startswith(b'{"status":400,"body":"Syntax Error: ')


def test_a_missing_last_brace_is_forgiven_on_websocket() -> None:
    """Old browser pages send a subscription without its last brace; only there is it added."""
    text = b'{"method":"subscribe","resource":"/feeds/1","headers":{"X-ApiKey":"K"}'
    assert call(text, forgiving=True).target == Target(1)
    assert refusal(text).reply.startswith(b'{"status":400,"body":"Syntax Error')
    assert refusal(b'{"method":"subscribe', forgiving=True).reply.startswith(b'{"status":400')


def test_a_message_has_a_largest_size() -> None:
    """A frame beyond the limit is answered, and the connection closed."""
    refused = refusal(EXAMPLE, max_object=len(EXAMPLE) - 1)
    assert refused.close
    assert json.loads(refused.reply)["status"] == 400
    assert call(EXAMPLE, max_object=len(EXAMPLE)).method == "PUT"


def test_the_key_is_in_no_repr() -> None:
    """What ends up in a log doesn't hold the key."""
    made = call({"method": "subscribe", "resource": f"/feeds/1?key={KEY}", "headers": {"X-ApiKey": KEY}})
    refused = refusal({"method": "x", "resource": f"/feeds/1?key={KEY}"})
    assert KEY not in repr(made) + repr(refused)


def read(chunks: Iterable[bytes], max_object: int = 1000) -> list[object]:
    reader = MessageReader("192.0.2.7", max_object=max_object)
    return [facts(incoming) for chunk in chunks for incoming in reader.receive(chunk)]


def test_a_connection_is_read_the_same_however_it_is_cut() -> None:
    """Requests, garbage and half a request, whole and byte by byte."""
    stream = (
        EXAMPLE + b'\r\nkeepalive\n{"method":"subscribe",\r\n\r\n "resource":"/feeds/1"}' + EXAMPLE + b'{"met'
    )
    whole = read([stream])
    assert read(byte_by_byte(stream)) == whole
    first, garbage, second, third = whole
    assert first == third == facts(read_message(EXAMPLE, "192.0.2.7"))
    assert isinstance(garbage, Refusal)
    assert (
        garbage.reply
        == b'{"status":400,"body":"Syntax Error: unexpected character \'k\' outside of an object"}'
    )
    assert isinstance(second, tuple)


def test_a_stream_beyond_the_limit_is_closed() -> None:
    """An object that never ends is answered once, and the connection closed."""
    (refused,) = read([b'{"a":"' + b"x" * 2000, b'"}{"method":"get","resource":"/feeds"}'])
    assert isinstance(refused, Refusal)
    assert refused.close
    assert json.loads(refused.reply)["status"] == 400


def test_an_http_request_gets_an_http_answer() -> None:
    """A browser on the wrong port shows what is wrong, and whoever looks for the message finds it too."""
    (refused,) = read([b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
    assert isinstance(refused, Refusal)
    assert refused.close
    head, _, body = (refused.reply + b"\n").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert json.loads(body)["status"] == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(["method", "resource", "headers", "params", "parameters", "body", "token", "other"])
METHODS = st.sampled_from(["get", "PUT", "subscribe", "unsubscribe", "post", "delete"])
RESOURCES = st.sampled_from(["/feeds/1", "/feeds/1/datastreams/a b?x=1", "/triggers", "x"])


@given(st.dictionaries(MEMBERS, JSON | METHODS | RESOURCES))
def test_any_object_is_a_call_or_a_refusal_of_one_line(message: dict[str, Any]) -> None:
    """Whatever types the members have, the result is usable, and the answer is one line of JSON."""
    incoming = read_message(json.dumps(message).encode())
    if isinstance(incoming, Refusal):
        assert b"\n" not in incoming.reply
        assert json.loads(incoming.reply)["status"] == 400
    else:
        assert incoming.request.path.startswith("/v2")
        assert b"\n" not in incoming.envelope.members
        echoed = json.loads(b"{" + incoming.envelope.members + b"}")
        assert echoed["resource"] == message["resource"]
        assert echoed.get("token") == message.get("token")
        for name, value in incoming.request.headers.items():
            assert isinstance(name, str)
            assert isinstance(value, str)


@given(
    st.binary(max_size=60)
    | st.text(max_size=40).map(lambda text: b'{"method":"' + text.encode("utf-8", "replace"))
)
def test_arbitrary_bytes_only_ever_give_an_answer(text: bytes) -> None:
    """No bytes make the reader raise."""
    for forgiving in (False, True):
        incoming = read_message(text, forgiving=forgiving)
        if isinstance(incoming, Refusal):
            json.loads(incoming.reply)


@given(
    st.lists(st.sampled_from([EXAMPLE, b"keepalive", b"\r\n", b"{", b"}", b'"', b'{"method":"get"}'])),
    st.lists(st.integers(1, 60)),
)
def test_chunks_never_matter(parts: list[bytes], sizes: list[int]) -> None:
    """Any stream in any chunks is read the same."""
    stream = b"".join(parts)
    assert read(cut(stream, sizes)) == read([stream])
