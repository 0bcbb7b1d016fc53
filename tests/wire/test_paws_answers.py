"""What the service sends over sockets is what old clients search it for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.api.messages import Response
from txpachube.wire.paws_answers import (
    SUBSCRIBE_ERRORS,
    Envelope,
    answer,
    plain_answer,
    push,
    statement,
)

FEED = Envelope(b'"/feeds/2424"', b'"0x12345"')
NOW = 1_370_081_703_000_000


def test_the_answer_to_a_put_has_no_body_and_no_headers() -> None:
    """The documented form, byte for byte."""
    assert (
        answer(FEED, "PUT", Response(200), NOW)
        == b'{"resource":"/feeds/2424","token":"0x12345","status":200}'
    )


def test_the_answer_to_a_get_has_headers_and_the_document() -> None:
    """The document is put in as it is, and ``status`` comes last."""
    document = b'{"id":"temp","current_value":"21.50","at":"2013-06-01T10:15:02.001200Z","version":"1.0.0"}'
    response = Response(200, document, etag='"0b1f"', last_modified=NOW - 1)
    assert answer(FEED, "GET", response, NOW) == (
        b'{"body":'
        + document
        + b',"headers":{"CONTENT_LENGTH":"90","CONTENT_TYPE":"application/json; charset=utf-8",'
        b'"DATE":"Sat, 01 Jun 2013 10:15:03 GMT","ETAG":"\\"0b1f\\"",'
        b'"LAST_MODIFIED":"Sat, 01 Jun 2013 10:15:02 GMT"},'
        b'"resource":"/feeds/2424","token":"0x12345","status":200}'
    )


def test_an_answer_with_a_location_has_headers() -> None:
    """A client that created something reads the id from ``headers.LOCATION``."""
    made = json.loads(answer(FEED, "POST", Response(201, location="http://h/v2/feeds/7"), NOW))
    assert made["headers"]["LOCATION"] == "http://h/v2/feeds/7"
    assert "body" not in made
    assert "headers" not in json.loads(answer(FEED, "POST", Response(200), NOW))


def test_a_text_is_a_text() -> None:
    """CSV is given as a JSON text, and further headers with their names in capitals."""
    response = Response(200, "a,ü\nb,2".encode(), "text/plain; charset=utf-8", extra=(("X-Odd-Name", "v"),))
    made = json.loads(answer(FEED, "GET", response, NOW))
    assert made["body"] == "a,ü\nb,2"
    assert made["headers"]["X_ODD_NAME"] == "v"


def test_a_picture_is_base64() -> None:
    """JSON can't hold bytes, so a picture is coded and says so."""
    made = json.loads(answer(FEED, "GET", Response(200, b"\x89PNG", "image/png"), NOW))
    assert made["body"] == "iVBORw=="
    assert made["headers"]["CONTENT_TRANSFER_ENCODING"] == "base64"


def test_an_error_of_a_put_is_its_object() -> None:
    """Programs look for ``"status":40`` without a blank."""
    body = b'{"title":"Not found","errors":"..."}'
    made = answer(FEED, "PUT", Response(404, body), NOW)
    assert b'"status":40' in made
    assert json.loads(made)["body"]["title"] == "Not found"


@pytest.mark.parametrize("body", [b'{\n "a": [1.50]\r\n}', b'{"a":[1.50]}'])
def test_an_indented_document_becomes_one_line(body: bytes) -> None:
    """No message has a line end inside."""
    assert answer(Envelope(), "PUT", Response(200, body), NOW) == b'{"body":{"a":[1.50]},"status":200}'


def test_what_only_claims_to_be_json_is_a_text() -> None:
    """A message stays valid even if the body isn't."""
    assert json.loads(answer(FEED, "PUT", Response(200, b"{\n"), NOW))["body"] == "{\n"


def test_the_recorded_refusal_of_a_subscription() -> None:
    """The body is a plain text, word for word."""
    envelope = Envelope(b'"/feeds/77"', b'"T"')
    assert plain_answer(envelope, 403, SUBSCRIBE_ERRORS[403]) == (
        b'{"body":"Forbidden: You are not authorized","resource":"/feeds/77","token":"T","status":403}'
    )
    assert SUBSCRIBE_ERRORS[401] == "Unauthorized: You are not authorized"
    assert SUBSCRIBE_ERRORS[404] == "Not Found"


def test_the_answer_to_a_subscription() -> None:
    """No body: the present state is not sent."""
    assert plain_answer(Envelope(b'"/feeds/2424"', b'"T"'), 200) == (
        b'{"resource":"/feeds/2424","token":"T","status":200}'
    )
    assert plain_answer(Envelope(), 200) == b'{"status":200}'


def test_a_push_has_no_status() -> None:
    """That is how clients tell pushes from answers; a missing token is left out."""
    assert push(FEED, b'{"id":1}') == b'{"body":{"id":1},"resource":"/feeds/2424","token":"0x12345"}'
    assert push(Envelope(b'"/feeds/1"'), b"{}") == b'{"body":{},"resource":"/feeds/1"}'


@given(st.text(), st.integers(100, 599))
def test_statements_are_one_line_of_json(text: str, status: int) -> None:
    """Any text is escaped as JSON wants it."""
    text = text.encode("utf-8", "replace").decode()
    made = statement(status, text)
    assert b"\n" not in made
    assert json.loads(made) == {"status": status, "body": text}
