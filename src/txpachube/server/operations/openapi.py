"""
The description of the API for programs, at ``/v2/openapi.json``.

It is made when it is asked for first, in some milliseconds, and kept. Since it says where the service is,
which in answers is what the client called it, it is kept without that, and with it for a few addresses.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Final

import msgspec

from txpachube.api.messages import Response
from txpachube.api.negotiation import CONTENT_TYPES
from txpachube.api.openapi import document
from txpachube.api.routes import ROUTES, Route
from txpachube.server.answers import entity_tag
from txpachube.server.operations.call import Call, Operation

__all__ = ["describing"]

MAX_KEPT: Final = 4
"""Addresses for which the document is kept. A service has one or two; more are somebody inventing them."""

_SOMEWHERE: Final = "http://address.invalid"


def describing(is_served: Callable[[Route], bool]) -> Operation:
    """
    Return the operation that describes the routes which are served.

    Args:
        is_served: says so of a route; asked when the document is made.
    """

    @cache
    def described() -> bytes:
        return msgspec.json.encode(document(filter(is_served, ROUTES), _SOMEWHERE))

    @lru_cache(maxsize=MAX_KEPT)
    def described_at(base: str) -> tuple[bytes, str]:
        body = described().replace(msgspec.json.encode(_SOMEWHERE), msgspec.json.encode(base))
        return body, entity_tag(body)

    async def read(call: Call) -> Response:
        body, tag = described_at(call.base)
        return Response(200, body, CONTENT_TYPES["json"], etag=tag)

    return read
