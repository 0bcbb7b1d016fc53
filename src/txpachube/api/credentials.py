"""
Finding out who asks: where in a request the key may be.

In this order: the header ``X-ApiKey``, the older ``X-PachubeApiKey``, the query parameter ``key``
(or ``apikey`` or ``api_key``), and HTTP Basic with an account's login and password or with the key
as user name. An empty one counts as not sent. Whether the key exists is not looked at here.
"""

from __future__ import annotations

from base64 import b64decode

import attrs

from txpachube.api.messages import Request
from txpachube.api.params import query_of

__all__ = ["Basic", "Credentials", "find"]

MAX_LENGTH = 256
"""Characters of a key, login or password that are looked at; keys have 43 to 86, longer ones fit nobody."""


@attrs.frozen
class Credentials:
    """An API key's text, as the client sent it."""

    key: str = attrs.field(repr=False)


@attrs.frozen
class Basic:
    """
    What HTTP Basic carried.

    Attributes:
        login: an account's, or the text of a key; then the password is anything.
        password: as sent.
    """

    login: str = attrs.field(repr=False)
    password: str = attrs.field(repr=False)


def find(request: Request) -> Credentials | Basic | None:
    """Return what a request authenticates itself with, or None when it doesn't."""
    headers = request.headers
    text = headers.get("x-apikey") or headers.get("x-pachubeapikey")
    if text:
        # A header sent twice arrives joined by a comma, which no key contains.
        text = text.partition(",")[0].strip()
    if not text and request.query_text:
        query = query_of(request)
        for name in ("key", "apikey", "api_key"):
            text = query.get(name, "").strip()
            if text:
                break
    if text:
        return Credentials(text[: MAX_LENGTH + 1])
    authorization = headers.get("authorization")
    return _basic(authorization) if authorization else None


def _basic(header: str) -> Basic | None:
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = b64decode(encoded.strip(), validate=True)
    except ValueError:
        return None
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        # What browsers of that time sent.
        text = decoded.decode("latin-1")
    login, _, password = text.partition(":")
    return Basic(login[: MAX_LENGTH + 1], password[: MAX_LENGTH + 1]) if login else None
