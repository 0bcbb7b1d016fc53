"""Where a request's key is found."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.api import credentials
from txpachube.api.credentials import Basic, Credentials
from txpachube.api.messages import Request

KEY = "S0meKey_aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789-_ab"


def found(query_text: str = "", **headers: str) -> Credentials | Basic | None:
    """What is found in a request with this query and these headers."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return credentials.find(Request("GET", "/v2/feeds/1", query_text, sent))


def basic(text: str, charset: str = "utf-8") -> str:
    """The value of a header that carries this login and password."""
    return "Basic " + b64encode(text.encode(charset)).decode()


@pytest.mark.parametrize(
    ("query_text", "headers"),
    [
        ("", {"x_apikey": KEY}),
        ("", {"x_apikey": f"  {KEY} "}),
        ("", {"x_pachubeapikey": KEY}),
        ("", {"x_apikey": "", "x_pachubeapikey": KEY}),
        ("", {"x_apikey": f"{KEY}, {KEY}"}),
        (f"key={KEY}", {}),
        (f"apikey={KEY}", {}),
        (f"api_key={KEY}", {}),
        (f"key=%20{KEY}+", {}),
        (f"key={KEY}.csv", {}),
        (f"end=x&amp;key={KEY}", {}),
        ("key=other", {"x_apikey": KEY}),
        ("", {"x_apikey": KEY, "x_pachubeapikey": "other", "authorization": basic("a:b")}),
        (f"key={KEY}", {"authorization": basic("a:b")}),
        (f"key={KEY}&apikey=other", {}),
        (f"key={KEY}", {"x_apikey": " "}),
    ],
)
def test_key_is_found(query_text: str, headers: dict[str, str]) -> None:
    """The header wins, then the older header, then the query; blanks around the key don't count."""
    assert found(query_text, **headers) == Credentials(KEY)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_apikey": ""},
        {"authorization": ""},
        {"authorization": "Basic"},
        {"authorization": "Bearer abc"},
        {"authorization": "Basic !!!"},
        {"authorization": "Basic YQ"},
        {"authorization": basic(":secret")},
        {"authorization": "Basic ü"},
    ],
)
def test_nothing_is_found(headers: dict[str, str]) -> None:
    """An empty key, or an authorization that can't be read, is as good as none."""
    assert found("", **headers) is None


@pytest.mark.parametrize(
    ("header", "login", "password"),
    [
        (basic("rosa:secret"), "rosa", "secret"),
        (basic("rosa:se:cret"), "rosa", "se:cret"),
        (basic(KEY), KEY, ""),
        (basic(f"{KEY}:"), KEY, ""),
        (basic("rosa:pässword"), "rosa", "pässword"),
        (basic("rosa:pässword", "latin-1"), "rosa", "pässword"),
        (basic("rosa:x").replace("Basic", "basic "), "rosa", "x"),
    ],
)
def test_basic_authentication(header: str, login: str, password: str) -> None:
    """Old scripts send the account's login and password, or the key as user name."""
    assert found("", authorization=header) == Basic(login, password)


def test_secrets_are_not_shown() -> None:
    """What was found can be logged by accident without harm."""
    assert KEY not in repr(Credentials(KEY))
    assert "rosa" not in repr(Basic("rosa", "secret"))
    assert "secret" not in repr(Basic("rosa", "secret"))


def test_overlong_key_stays_too_long() -> None:
    """An endless key is cut to a length at which it still fits no stored one."""
    result = found("", x_apikey="k" * 100_000)
    assert isinstance(result, Credentials)
    assert len(result.key) == credentials.MAX_LENGTH + 1


@given(st.text(max_size=60))
def test_any_authorization_header_is_safe(text: str) -> None:
    """No header makes the search fail."""
    found("", authorization=text)
    found("", authorization="Basic " + text)
