"""
One request type and one response type for every door.

A transport turns its bytes into a `Request` and a `Response` back into bytes.
Nothing behind the transport learns who carried them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, quote, unquote

import attrs

__all__ = ["Request", "Response"]

MAX_PARAMETERS = 200
"""Query parameters a request may have; a generous multiple of all that the API knows."""

_SECRET: Final = re.compile("/+(keys|devices)/")


# Not frozen: one is made for every request, and freezing makes that four times as slow.
@attrs.define(slots=True, eq=False)
class Request:
    """
    What a client asks.

    Attributes:
        method: in capitals, as sent; an override is not applied here.
        path: the path as sent, still percent-encoded, without the query: ``/v2/feeds/504.json``.
        query_text: what follows the ``?``, still encoded; empty when there is none.
        headers: by lower-case name; a name sent twice has its values joined with ``, ``.
        body: the bytes of the body, unpacked from any transfer coding (but not from gzip).
        peer: the client's address as text, such as ``192.0.2.7``.
        scheme: ``http`` or ``https``.
    """

    method: str
    path: str
    query_text: str = ""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    peer: str = ""
    scheme: str = "http"
    _query: dict[str, str] | None = attrs.field(default=None, init=False, repr=False)

    @property
    def query(self) -> dict[str, str]:
        """
        The query parameters by name, decoded; of a name given twice the last value.

        Parameters without a name are left out, and ``&amp;`` written where ``&`` was meant is
        forgiven, because several old libraries send both. At most `MAX_PARAMETERS` are read.
        """
        if self._query is None:
            self._query = parse_query(self.query_text) if self.query_text else {}
        return self._query

    def __repr__(self) -> str:
        # Headers and the query can hold the key; the paths of a key and of an activation are secrets.
        before, *secret = _SECRET.split(unquote(self.path), 1)
        shown = f"{quote(before)}/{secret[0]}/***" if secret else self.path
        return f"<Request {self.method} {shown} from {self.peer}>"


def parse_query(text: str) -> dict[str, str]:
    """Return the parameters of an encoded query text by name."""
    pairs = parse_qsl(
        "&".join(text.split("&", MAX_PARAMETERS)[:MAX_PARAMETERS]),
        keep_blank_values=True,
        encoding="utf-8",
        errors="replace",
    )
    return {name.removeprefix("amp;"): value for name, value in pairs if name.removeprefix("amp;")}


@attrs.define(slots=True, eq=False)
class Response:
    """
    What the service answers.

    Attributes:
        status: the HTTP status code.
        body: the bytes of the body, not packed.
        content_type: of the body; also sent when the body is empty.
        location: URL of what was created, or None.
        etag: entity tag including its quotes, or None.
        last_modified: microseconds since 1970, or None.
        extra: further headers in canonical capitals, in order.
        request_id: what the answer calls the request, where somebody wrote it down under that name.
    """

    status: int
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    location: str | None = None
    etag: str | None = None
    last_modified: int | None = None
    extra: tuple[tuple[str, str], ...] = ()
    request_id: str | None = None
