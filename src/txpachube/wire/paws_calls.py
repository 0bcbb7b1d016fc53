"""
The messages of the socket server (PAWS), as a client sees them.

`encode_call` writes a request. What comes back are answers, which have a ``status``, and pushes, which have
none; `ReplyReader` finds them in a TCP stream and `read_reply` reads a single one from a WebSocket frame.
Answers may come in any order, so a client gives each call a token of its own.

A service may send what is neither, or what isn't JSON at all: an old one answers a line it didn't
understand without token and resource. That becomes an `Answer` without token, or an `Unreadable`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import attrs
import msgspec

from txpachube.api.messages import Response
from txpachube.wire.jsonstream import Garbage, HttpRequest, JsonSplitter

__all__ = ["Answer", "Push", "Reply", "ReplyReader", "Unreadable", "encode_call", "read_reply"]

MAX_REPLY: Final = 32 * 1024 * 1024
"""Bytes of one message from the service; a page of a thousand full feeds has a few million."""

_JSON_TYPE: Final = "application/json; charset=utf-8"
_TEXT_TYPE: Final = "text/plain; charset=utf-8"


@attrs.frozen
class Answer:
    """
    What became of a call.

    Attributes:
        token: the token of the call, None when the service doesn't say.
        resource: as sent, None when the service doesn't say.
        response: the same as an HTTP response: status, body, content type, location, entity tag.
    """

    token: str | None
    resource: str | None = attrs.field(repr=False)  # its query can hold a key
    response: Response = attrs.field(repr=False)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status


@attrs.frozen
class Push:
    """
    News of something subscribed.

    Attributes:
        token: the token of the subscription, None when it had none.
        resource: the resource as it was subscribed.
        document: the bytes of the JSON document.
    """

    token: str | None
    resource: str | None = attrs.field(repr=False)
    document: bytes = attrs.field(repr=False)


@attrs.frozen
class Unreadable:
    """
    Something that isn't a message.

    Attributes:
        reason: what is wrong with it.
        fatal: nothing can be read from this connection any more.
    """

    reason: str
    fatal: bool = False


Reply: TypeAlias = Answer | Push | Unreadable
"""What a message of the service turns out to be."""


class _Message(msgspec.Struct):
    status: Any = None
    resource: Any = None
    headers: Any = None
    body: msgspec.Raw = msgspec.Raw()
    token: Any = None


_decode: Final = msgspec.json.Decoder(_Message).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
_encode: Final = msgspec.json.Encoder().encode
_PARSER_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class ReplyReader:
    """Reads what the service sends on one TCP connection."""

    __slots__ = ("_splitter",)

    def __init__(self, max_reply: int = MAX_REPLY) -> None:
        self._splitter = JsonSplitter(max_reply)

    def receive(self, data: bytes) -> list[Reply]:
        """Take received bytes, return what they hold, in order. After a fatal one comes nothing."""
        replies: list[Reply] = []
        for event in self._splitter.receive(data):
            if isinstance(event, bytes):
                replies.append(read_reply(event))
            elif isinstance(event, Garbage):
                replies.append(Unreadable(event.reason))
            elif isinstance(event, HttpRequest):
                replies.append(Unreadable("the other side speaks HTTP", fatal=True))
            else:
                replies.append(Unreadable(f"a message has more than {event.limit} bytes", fatal=True))
        return replies


def read_reply(text: bytes) -> Reply:
    """Read one message of the service."""
    try:
        message = _decode(text)
        body, came_as_text = _read_body(bytes(message.body))
    except _PARSER_ERRORS:
        return Unreadable("a message is not a JSON object")
    token = _text(message.token)
    resource = _text(message.resource)
    if message.status is None:
        if came_as_text or not body.startswith(b"{"):
            return Unreadable("a message has neither a status nor a document")
        return Push(token, resource, body)
    if not isinstance(message.status, int) or isinstance(message.status, bool):
        return Unreadable("the status of a message is not a number")
    headers = _read_headers(message.headers)
    content_type = headers.get("content-type", _TEXT_TYPE if came_as_text else _JSON_TYPE)
    if came_as_text and headers.get("content-transfer-encoding") == "base64":
        try:
            body = base64.b64decode(body, validate=True)
        except binascii.Error:
            return Unreadable("the body of a message is not base64")
    retry_after = headers.get("retry-after")
    response = Response(
        message.status,
        body,
        content_type,
        headers.get("location"),
        headers.get("etag"),
        extra=() if retry_after is None else (("Retry-After", retry_after),),
    )
    return Answer(token, resource, response)


def encode_call(
    method: str,
    resource: str,
    *,
    key: str,
    token: str | None = None,
    parameters: Mapping[str, str] | None = None,
    body: bytes = b"",
    content_type: str = "",
) -> bytes:
    """
    Write a request, without the LF that ends it on TCP.

    Args:
        method: one of HTTP's, or ``subscribe``, ``unsubscribe``.
        resource: the path below the version: ``/feeds/504``.
        key: the API key; empty for none.
        token: comes back with the answer and with pushes.
        parameters: the query parameters.
        body: a document.
        content_type: what the document is. JSON is put into the message as it is, in one line. What only
            claims to be JSON is put in as text, like anything else: it would break the message.

    Raises:
        ValueError: the document isn't in UTF-8, and a message can't carry anything else.
    """
    headers = {"X-ApiKey": key} if key else {}
    if content_type:
        headers["Content-Type"] = content_type
    members = [
        b'"method":' + _encode(method.lower()),
        b'"resource":' + _encode(resource),
        b'"params":' + _encode(dict(parameters or {})),
        b'"headers":' + _encode(headers),
    ]
    if body:
        document = _in_one_line(body) if content_type.startswith("application/json") else b""
        members.append(b'"body":' + (document or _encode(body.decode("utf-8"))))
    if token is not None:
        members.append(b'"token":' + _encode(token))
    return b"{" + b",".join(members) + b"}"


def _in_one_line(document: bytes) -> bytes:
    """Return a JSON document that can stand inside a message, or nothing when this one can't."""
    if not document.lstrip().startswith((b"{", b"[")):
        return b""  # a JSON string would be taken for the text of a document
    inside = b'{"body":%b}' % document
    try:
        msgspec.json.decode(document)
        if JsonSplitter(len(inside)).receive(inside) != [inside]:
            return b""  # nested so deeply that the other side would not find the end of the message
        one_line = b"\n" not in document and b"\r" not in document
        return document if one_line else msgspec.json.format(document, indent=-1)
    except _PARSER_ERRORS:
        return b""


def _read_body(raw: bytes) -> tuple[bytes, bool]:
    """Return the bytes of a body and whether it came as text."""
    if raw.startswith(b'"'):
        return _decode_text(raw).encode(), True
    return (b"" if raw == b"null" else raw), False


def _read_headers(given: object) -> dict[str, str]:
    """Return the headers by lower-case name, as HTTP spells them."""
    if not isinstance(given, dict):
        return {}
    return {
        name.replace("_", "-").lower(): value if isinstance(value, str) else str(value)
        for name, value in given.items()
        if isinstance(value, str | int | float)
    }


def _text(value: object) -> str | None:
    """Return a token as text; some services give a number back for a number."""
    return str(value) if isinstance(value, str | int | float) else None
