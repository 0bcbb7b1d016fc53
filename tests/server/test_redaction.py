"""Requests as they are shown: everything that helps, and no secret."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.api.messages import Request
from txpachube.server.redaction import (
    HIDDEN,
    MAX_HEADERS,
    MAX_TARGET,
    MAX_VALUE,
    redacted,
    secrets_of,
    shown_headers,
    shown_target,
)

KEY = "S0meKey_aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789-_ab"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"X-PachubeApiKey: {KEY}\r\ntemp,21", f"X-PachubeApiKey: {HIDDEN}\r\ntemp,21"),
        (f"x-apikey:{KEY}", f"x-apikey:{HIDDEN}"),
        (f'{{"headers":{{"X-ApiKey":"{KEY}"}},"a":1}}', f'{{"headers":{{"X-ApiKey":"{HIDDEN}"}},"a":1}}'),
        (f"http://a.example/x?y=1&key={KEY}&z=2", f"http://a.example/x?y=1&key={HIDDEN}&z=2"),
        (f"/a?key={KEY}#f", f"/a?key={HIDDEN}#f"),
        (f"a?amp;key={KEY}", f"a?amp;key={HIDDEN}"),
        (f"api_key = '{KEY}'", f"api_key = '{HIDDEN}'"),
        (f"<api-key>{KEY}</api-key>", f"<api-key>{HIDDEN}</api-key>"),
        (f"GET /v2/keys/{KEY}.json HTTP/1.1", f"GET /v2/keys/{HIDDEN} HTTP/1.1"),
        (f"/v2/devices/{KEY}/activate", f"/v2/devices/{HIDDEN}/activate"),
        ("Authorization: Basic cm9zYTpw", f"Authorization: {HIDDEN}"),
        ('"password":"rosebud"', f'"password":"{HIDDEN}"'),
        ("temp,21.5\nkeyboard,3", "temp,21.5\nkeyboard,3"),
        ('{"id":"key","current_value":"1"}', '{"id":"key","current_value":"1"}'),
    ],
)
def test_what_is_behind_the_name_of_a_secret_is_hidden(text: str, shown: str) -> None:
    """In the manner of a header, of JSON, of XML, of a query or of a path; the rest stays."""
    assert redacted(text) == shown


WAYS = [
    Request("GET", "/", headers={"x-apikey": f" {KEY} "}),
    Request("GET", "/", headers={"x-pachubeapikey": f"{KEY}, other"}),
    Request("GET", "/", f"key={KEY}"),
    Request("GET", "/", f"api_key={quote(KEY, safe='')}"),
    Request("GET", "/", headers={"authorization": "Basic " + b64encode(f"rosa:{KEY}".encode()).decode()}),
    Request("GET", "/", headers={"authorization": "Basic " + b64encode(f"{KEY}:".encode()).decode()}),
]


@pytest.mark.parametrize("request_", WAYS)
def test_the_text_of_the_key_is_hidden_wherever_it_stands(request_: Request) -> None:
    """However a request shows its key, the same text is shown nowhere else."""
    assert KEY not in redacted(f"so it said {KEY}, and then again {KEY}!", secrets_of(request_))


@given(st.text(), st.dictionaries(st.text(), st.text()), st.text(), st.text())
def test_any_request_can_be_shown(path: str, headers: dict[str, str], query: str, body: str) -> None:
    """Whatever a client sends is shown within bounds, and its key is not."""
    sent = {**{name.lower(): value for name, value in headers.items()}, "x-apikey": KEY}
    request = Request("GET", path + KEY, f"{query}{KEY}", sent, body.encode("utf-8", "replace"))
    secrets = secrets_of(request)
    target = shown_target(request, secrets)
    shown = shown_headers({**sent, "user-agent": f"I am {KEY}"}, secrets)
    assert len(target) <= MAX_TARGET
    assert len(shown) <= MAX_HEADERS
    assert all(len(value) <= MAX_VALUE for value in shown.values())
    assert KEY not in target + repr(shown) + redacted(body + KEY, secrets)


def test_what_is_empty_is_told_as_that() -> None:
    """A header for the key without one is a mistake that its owner wants to see."""
    shown = shown_headers({"x-apikey": " ", "cookie": "c", "user-agent": "a" * 999, "host": "x"})
    assert shown == {
        "x-apikey": " ",
        "cookie": HIDDEN,
        "user-agent": "a" * (MAX_VALUE - 1) + "…",
        "host": "x",
    }


def test_a_path_that_hides_its_words() -> None:
    """Escaping the name of what holds a secret, or the first parameter, does not help."""
    assert shown_target(Request("GET", f"/v2/%6beys/{KEY}")) == f"/v2/keys/{HIDDEN}"
    assert shown_target(Request("GET", "/v2/feeds/1.csv", f"k%65y={KEY}&a=%20")) == (
        f"/v2/feeds/1.csv?key={HIDDEN}&a= "
    )
    assert shown_target(Request("GET", "/v2/feeds/1.csv", "a=%20b")) == "/v2/feeds/1.csv?a=%20b"
