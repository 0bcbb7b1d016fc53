"""
What a topic means to the bridge.

A topic is ``[KEY]/v2/PATH[.fmt]``: a path of the API, with a key in front for clients that connected
without one or want to use another. ``v1`` is served as well, a slash in front of it all may be there or not,
and query parameters may follow a ``?``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import attrs

from txpachube.api.messages import Request, parse_query
from txpachube.wire.resources import MAX_RESOURCE, is_collection, split_resource

__all__ = ["Topic", "has_wildcard", "read_topic"]

_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_VERSIONS: Final = frozenset(("v1", "v2"))


@attrs.frozen
class Topic:
    """
    A path of the API that a topic names.

    Attributes:
        path: beginning with the version, percent-encoded.
        query_text: the query parameters, percent-encoded.
        key: the key in front, None when there is none.
        writes: the method a message is: POST adds to a collection, PUT updates an item. None when a
            parameter asks for another method, which MQTT doesn't offer.
    """

    path: str
    query_text: str = attrs.field(repr=False)
    key: str | None = attrs.field(repr=False)
    writes: str | None

    def request(
        self, method: str, key: str | None, body: bytes = b"", peer: str = "", scheme: str = "http"
    ) -> Request:
        """
        Make the request to the API.

        Args:
            method: ``GET`` or what `writes` says.
            key: the key of the connection; that of the topic wins.
            body: the payload.
            peer: the client's address.
            scheme: ``https`` when the connection is under TLS.
        """
        chosen = self.key if self.key is not None else key
        headers = {} if chosen is None else {"x-apikey": chosen}
        return Request(method, self.path, self.query_text, headers, body, peer, scheme)


def has_wildcard(text: str) -> bool:
    """Whether a topic filter stands for several topics, which the bridge doesn't offer."""
    return "+" in text or "#" in text


def read_topic(text: str) -> Topic | None:
    """Return what a topic names, or None when it is no path of the API."""
    return _read_topic(text) if len(text) <= MAX_RESOURCE else None


@lru_cache(maxsize=1024)
def _read_topic(text: str) -> Topic | None:
    path, query_text = split_resource(text)
    path = path.lstrip("/")
    first, _, rest = path.partition("/")
    key = None
    if first not in _VERSIONS:
        key, path = first, rest.lstrip("/")
        if _KEY.fullmatch(key) is None or path.partition("/")[0] not in _VERSIONS:
            return None
    path = "/" + path
    writes: str | None = "POST" if is_collection(path) else "PUT"
    if "_method" in parse_query(query_text):
        writes = None
    return Topic(path, query_text, key, writes)
