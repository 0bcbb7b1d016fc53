"""
The messages the service sends to a client of the socket server (PAWS).

An answer has a ``status``, a push has none; that is how clients tell them apart.
Each is compact and has no line end inside, because old clients search it for texts such as
``"status":200``; the transport adds the LF where it needs one and sends all in one piece.
A JSON document is put in as it is, without being parsed and encoded again, so that one encoding of a
document serves every subscriber.
"""

from __future__ import annotations

import base64
from email.utils import formatdate
from typing import Final

import attrs
import msgspec

from txpachube.api.messages import Response
from txpachube.times import SECOND

__all__ = [
    "LINE_END",
    "PUSH_START",
    "SUBSCRIBE_ERRORS",
    "Envelope",
    "answer",
    "answer_to_http",
    "plain_answer",
    "push",
    "statement",
]

LINE_END: Final = b"\n"
"""What ends a message on TCP; nothing does on WebSocket."""

SUBSCRIBE_ERRORS: Final = {
    401: "Unauthorized: You are not authorized",
    403: "Forbidden: You are not authorized",
    404: "Not Found",
}
"""The texts of a refused subscription, word for word: old programs search for them."""

_JSON_TYPE: Final = "application/json"
_encode: Final = msgspec.json.Encoder().encode


# Not frozen, which would make it twice as slow: one is made for every message.
@attrs.define(unsafe_hash=True)
class Envelope:
    """
    What is given back with every message about a request.

    Attributes:
        resource: the JSON text of the resource as sent; empty when there was none.
        token: the JSON text of the token as sent; empty when there was none.
    """

    resource: bytes = attrs.field(default=b"", repr=False)  # its query can hold a key
    token: bytes = b""

    @property
    def members(self) -> bytes:
        """The members of the message, joined by a comma: ``"resource":"/feeds/1","token":"T"``."""
        if not self.token:
            return b'"resource":' + self.resource if self.resource else b""
        if not self.resource:
            return b'"token":' + self.token
        return b'"resource":' + self.resource + b',"token":' + self.token


def answer(envelope: Envelope, method: str, response: Response, now: int) -> bytes:
    """
    Write the answer to a get, put, post or delete.

    Headers are sent with the answer to a get, and whenever there is a ``Location``. A picture, which
    JSON can't hold, is sent as base64 and says so in ``CONTENT_TRANSFER_ENCODING``.

    Args:
        envelope: of the call.
        method: of the call.
        response: what the API answers.
        now: microseconds since 1970, for the ``DATE``.
    """
    body = response.body
    about = envelope.members
    if not body and about and method != "GET" and response.location is None:
        return b'{%b,"status":%d}' % (about, response.status)
    members: list[bytes] = []
    binary = response.content_type.startswith("image/")
    if body:
        members.append(b'"body":' + _body_text(body, response.content_type, binary))
    if method == "GET" or response.location is not None:
        members.append(b'"headers":' + _encode(_headers(response, now, binary)))
    if about:
        members.append(about)
    members.append(b'"status":%d' % response.status)
    return b"{" + b",".join(members) + b"}"


def plain_answer(envelope: Envelope, status: int, body: str = "") -> bytes:
    """Write an answer with a text instead of a document, or with neither: that to a subscription."""
    members = [b'"body":' + _encode(body)] if body else []
    if about := envelope.members:
        members.append(about)
    members.append(b'"status":%d' % status)
    return b"{" + b",".join(members) + b"}"


def statement(status: int, body: str) -> bytes:
    """Write a message about something that wasn't a request: without resource and token."""
    return b'{"status":%d,"body":%b}' % (status, _encode(body))


PUSH_START: Final = b'{"body":'
"""What every push begins with: it is this, the document, a comma, the members of the envelope, a brace."""


def push(envelope: Envelope, document: bytes) -> bytes:
    """Write a push: the news for one subscription. The document is compact JSON."""
    return b"%b%b,%b}" % (PUSH_START, document, envelope.members)


def answer_to_http() -> bytes:
    """Write an answer that an HTTP client understands; the transport adds the LF that is counted in."""
    body = statement(400, "Bad Request: this port takes JSON messages, not HTTP requests")
    return (
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json; charset=utf-8\r\n"
        b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body) + len(LINE_END), body)
    )


def _body_text(body: bytes, content_type: str, binary: bool) -> bytes:
    if content_type.startswith(_JSON_TYPE):
        if b"\n" not in body and b"\r" not in body:
            return body
        try:
            return msgspec.json.format(body, indent=-1)
        except (msgspec.DecodeError, RecursionError):
            pass  # not JSON after all: a text
    if binary:
        return _encode(base64.b64encode(body).decode())
    return _encode(body.decode("utf-8", "replace"))


def _headers(response: Response, now: int, binary: bool) -> dict[str, str]:
    headers = {
        "CONTENT_LENGTH": str(len(response.body)),
        "CONTENT_TYPE": response.content_type,
        "DATE": formatdate(now // SECOND, usegmt=True),
    }
    if binary:
        headers["CONTENT_TRANSFER_ENCODING"] = "base64"
    if response.etag is not None:
        headers["ETAG"] = response.etag
    if response.last_modified is not None:
        headers["LAST_MODIFIED"] = formatdate(response.last_modified // SECOND, usegmt=True)
    if response.location is not None:
        headers["LOCATION"] = response.location
    for name, value in response.extra:
        headers[name.upper().replace("-", "_")] = value
    return headers
