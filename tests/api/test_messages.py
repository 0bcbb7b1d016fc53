"""Requests and responses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.api import messages
from txpachube.api.messages import Request, Response


def query(text: str) -> dict[str, str]:
    """The parameters of a request with this query."""
    return Request("GET", "/v2/feeds", text).query


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("", {}),
        ("&", {}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=1&a=2", {"a": "2"}),
        ("a=1&amp;b=2", {"a": "1", "b": "2"}),
        ("a=1&", {"a": "1"}),
        ("a", {"a": ""}),
        ("a=", {"a": ""}),
        ("=1", {}),
        ("amp;=1", {}),
        ("a=b=c", {"a": "b=c"}),
        ("timezone=Pacific+Time+%28US+%26+Canada%29", {"timezone": "Pacific Time (US & Canada)"}),
        ("q=%C3%BC", {"q": "ü"}),
        ("q=%FF", {"q": "\N{REPLACEMENT CHARACTER}"}),
        ("q=100%", {"q": "100%"}),
        ("a=1;b=2", {"a": "1;b=2"}),
    ],
)
def test_query(text: str, parameters: dict[str, str]) -> None:
    """A query is read as leniently as old libraries need it."""
    assert query(text) == parameters


def test_query_is_read_once() -> None:
    """The parameters are kept, so that asking twice costs nothing."""
    request = Request("GET", "/v2/feeds", "a=1")
    assert request.query is request.query


def test_number_of_parameters_is_limited() -> None:
    """A query with endless parameters is not read to its end."""
    parameters = query("&".join(f"p{n}=1" for n in range(messages.MAX_PARAMETERS + 50)))
    assert len(parameters) == messages.MAX_PARAMETERS
    assert "p0" in parameters


@given(st.text(max_size=200))
def test_any_query_can_be_read(text: str) -> None:
    """No query text makes the reading fail."""
    assert "" not in query(text)


def test_request_does_not_show_its_secrets() -> None:
    """A request can be logged: the key in its headers or query does not appear."""
    request = Request("GET", "/v2/feeds/1", "key=S0meKey", {"x-apikey": "S0meKey"}, b"S0meKey", "192.0.2.7")
    assert "S0meKey" not in repr(request)
    assert repr(request) == "<Request GET /v2/feeds/1 from 192.0.2.7>"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/v2/keys/S0meKey.json", "/v2/keys/***"),
        ("/v2/keys/S0meKey/regenerate", "/v2/keys/***"),
        ("/v2/devices/S0meKey/activate", "/v2/devices/***"),
        ("/devices/S0meKey/activate.csv", "/devices/***"),
        ("/v2//devices/devices/S0meKey", "/v2/devices/***"),
        ("/v2/%64evices/S0meKey/activate", "/v2/devices/***"),
        ("/v2%0a/keys/S0meKey", "/v2%0A/keys/***"),
        ("/v2/keys", "/v2/keys"),
        ("/v2/feeds/1%0a", "/v2/feeds/1%0a"),
    ],
)
def test_request_does_not_show_secrets_in_its_path(path: str, shown: str) -> None:
    """Keys and activation codes stand in paths; however they are written, they are hidden."""
    assert repr(Request("GET", path, peer="192.0.2.7")) == f"<Request GET {shown} from 192.0.2.7>"


def test_requests_and_responses_are_complete_from_the_start() -> None:
    """What a door doesn't know stays at its default."""
    request = Request("GET", "/v2/feeds")
    assert (request.headers, request.body, request.peer, request.scheme) == ({}, b"", "", "http")
    response = Response(200)
    assert (response.body, response.location, response.etag, response.extra) == (b"", None, None, ())
    assert response.content_type == "application/json; charset=utf-8"
