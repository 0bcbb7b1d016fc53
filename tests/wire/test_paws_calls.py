"""A client's messages are read by the service, and the other way round."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.api.messages import Response
from txpachube.testing.chunks import byte_by_byte, cut
from txpachube.wire.paws import Call, MessageReader, read_message
from txpachube.wire.paws_answers import Envelope, answer, plain_answer, push
from txpachube.wire.paws_calls import Answer, Push, Reply, ReplyReader, Unreadable, encode_call, read_reply

KEY = "KEY-that-must-never-be-shown"


def read(chunks: Iterable[bytes], max_reply: int = 10_000) -> list[Reply]:
    reader = ReplyReader(max_reply)
    return [reply for chunk in chunks for reply in reader.receive(chunk)]


def facts(reply: Reply) -> object:
    if not isinstance(reply, Answer):
        return reply
    response = reply.response
    return (
        reply.token,
        reply.resource,
        response.status,
        response.body,
        response.content_type,
        response.location,
    )


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@given(
    st.sampled_from(["GET", "put", "subscribe"]),
    st.text(st.characters(codec="utf-8", exclude_characters="/?"), max_size=20),
    TEXT | st.none(),
    st.dictionaries(st.text("abc_", min_size=1), TEXT, max_size=3),
    TEXT,
)
def test_the_service_understands_what_the_client_writes(
    method: str, stream: str, token: str | None, parameters: dict[str, str], csv: str
) -> None:
    """Method, resource, key, token, parameters and a text arrive unchanged."""
    resource = "/feeds/1/datastreams/x" + stream
    call = read_message(
        encode_call(
            method,
            resource,
            key=KEY,
            token=token,
            parameters=parameters,
            body=csv.encode(),
            content_type="text/csv",
        )
    )
    assert isinstance(call, Call)
    assert call.method == method.upper()
    assert json.loads(call.envelope.resource) == resource
    assert (json.loads(call.envelope.token) if call.envelope.token else None) == token
    assert call.request.headers["x-apikey"] == KEY
    assert call.request.query == parameters
    assert call.request.body == (csv.encode() if method == "put" else b"")


def test_a_json_document_is_put_in_as_it_is() -> None:
    """It isn't encoded twice."""
    text = encode_call("put", "/feeds/1", key=KEY, body=b'{"a":1.50}', content_type="application/json")
    assert b'"body":{"a":1.50}' in text
    call = read_message(text)
    assert isinstance(call, Call)
    assert call.request.body == b'{"a":1.50}'


@pytest.mark.parametrize(
    "response",
    [
        Response(200, b'{"id":1}'),
        Response(200, "a,ü\nb,2".encode(), "text/plain; charset=utf-8"),
        Response(200, b"\x89PNG\r\n\x00\xff", "image/png"),
        Response(404, b'{"title":"Not found","errors":"x"}'),
        Response(200, b'{"x":1}', etag='"abc"'),
    ],
)
def test_the_client_gets_the_response_of_the_service(response: Response) -> None:
    """Status, body, content type and entity tag of the answer to a get are those of the API."""
    reply = read_reply(answer(Envelope(b'"/feeds/1"', b'"T"'), "GET", response, 0))
    assert isinstance(reply, Answer)
    assert (reply.token, reply.resource, reply.status) == ("T", "/feeds/1", response.status)
    received = reply.response
    assert (received.body, received.content_type, received.etag) == (
        response.body,
        response.content_type,
        response.etag,
    )


def test_an_answer_without_headers_says_what_its_body_is() -> None:
    """A document is JSON, a text is plain text, and nothing is nothing."""
    refused = read_reply(plain_answer(Envelope(), 403, "Forbidden: You are not authorized"))
    assert isinstance(refused, Answer)
    assert refused.response.body == b"Forbidden: You are not authorized"
    assert refused.response.content_type.startswith("text/plain")
    assert refused.token is None
    done = read_reply(b'{"resource":"/feeds/1","token":5,"status":200}')
    assert isinstance(done, Answer)
    assert (done.response.body, done.token) == (b"", "5")


def test_a_location_is_found() -> None:
    """What was created is named by ``headers.LOCATION``."""
    reply = read_reply(answer(Envelope(), "POST", Response(201, location="http://h/v2/feeds/7"), 0))
    assert isinstance(reply, Answer)
    assert reply.response.location == "http://h/v2/feeds/7"


def test_a_push_is_told_from_an_answer() -> None:
    """It has no status; its document is given as bytes."""
    assert read_reply(push(Envelope(b'"/feeds/1"', b'"T"'), b'{"id":1}')) == Push(
        "T", "/feeds/1", b'{"id":1}'
    )


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{",
        b"{}",
        b'{"body":"text"}',
        b'{"body":5}',
        b'{"status":"200"}',
        b'{"status":true}',
        b'{"status":200,"body":"\xff"}',
        b'{"status":200,"body":"!","headers":{"CONTENT_TRANSFER_ENCODING":"base64"}}',
        b'{"token":' + b"[" * 5000,
    ],
)
def test_what_is_no_message_is_unreadable(text: bytes) -> None:
    """It is told, not raised, and the connection can go on."""
    reply = read_reply(text)
    assert isinstance(reply, Unreadable)
    assert not reply.fatal


def test_a_connection_is_read_the_same_however_it_is_cut() -> None:
    """Answers, pushes and garbage, whole, byte by byte and with half a message behind."""
    stream = (
        b'{"status":200,"token":"A"}\n{"body":{"id":1},"resource":"/feeds/1"}\nhello\n{"status":404}\n{"sta'
    )
    whole = [facts(reply) for reply in read([stream])]
    assert [facts(reply) for reply in read(byte_by_byte(stream))] == whole
    assert len(whole) == 4
    assert whole[1] == Push(None, "/feeds/1", b'{"id":1}')
    assert isinstance(whole[2], Unreadable)


def test_endless_messages_and_http_end_the_connection() -> None:
    """Nothing can be read any more after either."""
    (endless,) = read([b"{" + b" " * 30, b"}"], max_reply=20)
    assert isinstance(endless, Unreadable)
    assert endless.fatal


@given(
    st.lists(st.sampled_from([b'{"status":200}', b"{", b"}", b'"', b"\n", b"x", b'{"body":{}}'])),
    st.lists(st.integers(1, 9)),
)
def test_chunks_never_matter(parts: list[bytes], sizes: list[int]) -> None:
    """Any stream in any chunks is read the same, and nothing is raised."""
    stream = b"".join(parts)
    assert [facts(reply) for reply in read(cut(stream, sizes))] == [facts(reply) for reply in read([stream])]


def test_the_key_is_in_no_repr() -> None:
    """A resource can hold a key in its query."""
    resource = f'"/feeds/1?key={KEY}"'.encode()
    replies = [read_reply(push(Envelope(resource), b"{}")), read_reply(plain_answer(Envelope(resource), 200))]
    assert KEY not in repr(replies)


@pytest.mark.parametrize(
    ("document", "sent"),
    [
        (b'{"a": 1.50}', b'{"a": 1.50}'),
        (b'[\n  {"a": "x\\ny"}\r\n]', b'[{"a":"x\\ny"}]'),
        (b'{"a":', b'"{\\"a\\":"'),
        (b"temp,21.5", b'"temp,21.5"'),
        (b'"text"', b'"\\"text\\""'),
        (b"[" * 100_000, b'"' + b"[" * 100_000 + b'"'),
        (b'{"a":' * 64 + b"1" + b"}" * 64, None),
    ],
)
def test_json_that_would_break_the_message(document: bytes, sent: bytes | None) -> None:
    """A document stands in a message as JSON if it is JSON, in one line; anything else as text."""
    text = encode_call("put", "/feeds/1", key="", body=document, content_type="application/json")
    if sent is not None:
        assert b'"body":' + sent + b"}" in text
    assert b"\n" not in text
    assert b"X-ApiKey" not in text
    (call,) = MessageReader().receive(text)
    assert isinstance(call, Call)
    if sent != b'[{"a":"x\\ny"}]':
        assert call.request.body == document


def test_a_document_that_is_not_utf_8() -> None:
    """A message can't carry it, so it isn't sent with other characters in it."""
    with pytest.raises(UnicodeDecodeError):
        encode_call("put", "/feeds/1", key="k", body=b"\xff", content_type="application/xml")


def test_the_time_a_service_asks_for() -> None:
    """An answer that says when to come back keeps that."""
    reply = read_reply(b'{"status":503,"token":"1","headers":{"RETRY_AFTER":"5"}}')
    assert isinstance(reply, Answer)
    assert reply.response.extra == (("Retry-After", "5"),)
