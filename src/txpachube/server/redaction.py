"""
Showing a request without its secrets. Pure.

A key can be in a header, in the query, in the path of a key, in the referer, and, because sketches send an
empty line too early, in the body: everything behind a name that is one of a key's is replaced, and so is the
text that the request itself authenticates with, wherever else it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote, unquote

from txpachube.api import credentials
from txpachube.api.messages import Request

__all__ = ["HIDDEN", "redacted", "secrets_of", "shown_headers", "shown_target"]

HIDDEN: Final = "***"
"""Stands for what is not shown."""

SHORTEST_SECRET: Final = 6
"""Characters of a secret that is looked for in other places; shorter ones are parts of ordinary words."""

MAX_HEADERS: Final = 30
"""Headers that are shown of one request; devices send five to ten."""

MAX_VALUE: Final = 200
"""Characters that are shown of a header's value, as devices send some tens."""

MAX_TARGET: Final = 500
"""Characters that are shown of a path with its query."""

_SECRET_HEADERS: Final = frozenset(
    ("x-apikey", "x-pachubeapikey", "authorization", "proxy-authorization", "cookie", "set-cookie")
)

_PATTERNS: Final = (
    # In the manner of a header, of JSON, or of a program's own spelling of either.
    re.compile(
        r"""((?:x-)?(?:pachube)?[_-]?api[_-]?key\b|(?:proxy-)?authorization\b|cookie\b|password\b|secret\b)"""
        r"""(["']?\s*[:=]\s*["']?)([^\r\n"'&<>]+)""",
        re.IGNORECASE,
    ),
    # In a query. The word alone is too common to stand for a key elsewhere.
    re.compile(r"""([?&;](?:amp;)?key)(=)([^\s"'&<>#]*)""", re.IGNORECASE),
    # In XML.
    re.compile(r"""(<(?:api-?_?key|password|secret))([^>]*>)([^<]*)""", re.IGNORECASE),
    # In the path of a key, or of an activation.
    re.compile(r"""(/+(?:keys|devices))(/+)([^/\s?#"']+)""", re.IGNORECASE),
)


def secrets_of(request: Request) -> tuple[str, ...]:
    """Return what a request authenticates itself with, in all the spellings in which it may come again."""
    headers = request.headers
    found = [headers.get("x-apikey", ""), headers.get("x-pachubeapikey", "")]
    authorization = headers.get("authorization", "")
    found.append(authorization.partition(" ")[2])
    sent = credentials.find(request)
    if isinstance(sent, credentials.Credentials):
        found.append(sent.key)
    basic = credentials.find(Request("GET", "/", headers={"authorization": authorization}))
    if isinstance(basic, credentials.Basic):
        found += [basic.login, basic.password]
    if request.query_text:
        found += [request.query.get(name, "") for name in ("key", "apikey", "api_key")]
    plain = {text.strip() for text in found if len(text.strip()) >= SHORTEST_SECRET}
    every = plain | {quote(text, safe="") for text in plain}
    return tuple(sorted(every, key=len, reverse=True))


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """
    Return a text without what may be a key or a password.

    Args:
        text: anything a client sent, or that quotes it.
        secrets: texts that are known to be secret.
    """
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\1\2{HIDDEN}", text)
    return text


def shown_headers(headers: Mapping[str, str], secrets: Iterable[str] = ()) -> dict[str, str]:
    """Return the headers of a request without their secrets."""
    shown: dict[str, str] = {}
    for name, value in headers.items():
        if len(shown) >= MAX_HEADERS:
            break
        hidden = name in _SECRET_HEADERS
        # What is empty is told as that: it is a mistake that is hard to see.
        text = HIDDEN if hidden and value.strip() else redacted(value, secrets)
        shown[redacted(name[:MAX_VALUE], secrets)] = _cut(text, MAX_VALUE)
    return shown


def shown_target(request: Request, secrets: Iterable[str] = ()) -> str:
    """Return path and query of a request without their secrets."""
    path = request.path
    if "%" in path and _PATTERNS[-1].search(unquote(path)):
        path = unquote(path)
    if request.query_text:
        # A parameter at the beginning is one like those that follow.
        query = redacted("?" + unquote(request.query_text), secrets)
        if query == "?" + unquote(request.query_text):
            query = "?" + request.query_text
        return _cut(redacted(path, secrets) + query, MAX_TARGET)
    return _cut(redacted(path, secrets), MAX_TARGET)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
