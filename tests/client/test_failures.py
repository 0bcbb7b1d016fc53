"""Error answers become typed errors, whatever they are worded in."""

from __future__ import annotations

import pytest

from txpachube import errors
from txpachube.api.messages import Response
from txpachube.client.failures import MAX_ERROR_BODY, contradiction, response_error

SORRY = "I'm sorry we are unable to find the resource you are looking for."


@pytest.mark.parametrize(
    ("body", "title", "messages"),
    [
        (b'{"title":"Not found","errors":"%s"}' % SORRY.encode(), "Not found", [SORRY]),
        (b'{"title":"Not found","errors":["a","b"]}', "Not found", ["a", "b"]),
        (b'{"title":"Not found"}', "Not found", []),
        (b'{"errors":{"title":"blank"}}', "Not Found", ["title: blank"]),
        (b'{"error":"gone"}', "Not Found", ["gone"]),
        (b'{"title":null,"errors":[null,1,""]}', "Not Found", ["1"]),
        (b'["a"]', "Not Found", ["a"]),
        (b'"a"', "Not Found", ["a"]),
        (b"{broken", "Not Found", ["{broken"]),
        (b"[" * 5000, "Not Found", ["[" * 1000]),
        (b"\xef\xbb\xbf{}", "Not Found", []),
        (
            b'<?xml version="1.0"?><errors><title>Not found</title><error>a</error><error>b</error></errors>',
            "Not found",
            ["a", "b"],
        ),
        (b"<!DOCTYPE html><html><head><title>404</title></head></html>", "Not Found", []),
        (b"<html><p>unclosed", "Not Found", []),
        (b"Not Found", "Not Found", ["Not Found"]),
        (b"one\r\n\r\ntwo\n", "Not Found", ["one", "two"]),
        (b" ", "Not Found", []),
        (b"", "Not Found", []),
        (b"\xff\xfe", "Not Found", ["\ufffd\ufffd"]),
        (b"x" * (MAX_ERROR_BODY + 1), "Not Found", []),
    ],
)
def test_bodies(body: bytes, title: str, messages: list[str]) -> None:
    """JSON with a text or a list, XML, plain text, HTML and rubbish are understood as far as they go."""
    error = response_error(Response(404, body), "GET http://host/v2/feeds/1.json", ())
    assert isinstance(error, errors.NotFound)
    assert (error.status, error.title, error.errors) == (404, title, messages)
    assert error.request == "GET http://host/v2/feeds/1.json"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequest),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (406, errors.NotAcceptable),
        (413, errors.PayloadTooLarge),
        (422, errors.Unprocessable),
        (500, errors.ServerError),
        (502, errors.ServerError),
        (503, errors.ServiceUnavailable),
        (302, errors.UnexpectedResponse),
        (418, errors.UnexpectedResponse),
        (799, errors.ServerError),
    ],
)
def test_kinds(status: int, kind: type[errors.ResponseError]) -> None:
    """Each status has its class."""
    assert type(response_error(Response(status), "", ())) is kind


def test_a_key_that_the_service_repeats_is_not_shown() -> None:
    """Error texts name the path that was not found, and the path of a key holds the key."""
    body = b'{"title":"No s3cret","errors":"No route matches [GET] \\"/api/v2/keys/s3cret\\""}'
    error = response_error(Response(404, body), "GET http://host/v2/keys/***", ("s3cret", ""))
    assert "s3cret" not in str(error) + repr(error)
    assert error.errors == ['No route matches [GET] "/api/v2/keys/***"']


def test_a_contradiction_says_what_does_not_fit() -> None:
    """An answer that says success and is not one is an error of its own."""
    error = contradiction(Response(200), "GET http://host/", "no s3cret text", ("s3cret",))
    assert str(error) == "GET http://host/: 200 the answer does not fit its status: no *** text"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'"Unauthorized: You are not authorized"', "401 Unauthorized: You are not authorized"),
        (b'"Unauthorized"', "401 Unauthorized"),
        (b'{"title":"Unauthorized","errors":"You must"}', "401 Unauthorized: You must"),
        (b"", "401 Unauthorized"),
    ],
)
def test_a_text_says_nothing_twice(body: bytes, text: str) -> None:
    """The socket server's refusals begin with what is the title of others."""
    assert str(response_error(Response(401, body), "GET x", [])) == f"GET x: {text}"
