r"""
The messages of the socket server (PAWS), as the service sees them.

Each message is one JSON object. A client sends requests, which are HTTP requests in other clothes, and
two methods of its own::

    {"method":"put","resource":"/feeds/504","headers":{"X-ApiKey":KEY},"params":{…},"body":{…},"token":T}
    {"method":"subscribe","resource":"/feeds/504","headers":{"X-ApiKey":KEY},"token":T}

``resource`` and ``token`` are given back with the very bytes they came with; together they are the
`Envelope` of the request.

A message that can't be acted on becomes a `Refusal` that holds the answer; nothing here raises because of
what a client sent. `MessageReader` joins this with the splitter for a TCP connection; a WebSocket hands
each text frame to `read_message`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, TypeAlias
from urllib.parse import quote_plus

import attrs
import msgspec

from txpachube.api.messages import MAX_PARAMETERS, Request
from txpachube.wire.jsonstream import MAX_OBJECT, Garbage, HttpRequest, JsonSplitter
from txpachube.wire.paws_answers import Envelope, answer_to_http, plain_answer, statement
from txpachube.wire.resources import MAX_RESOURCE, Target, split_resource, subscription_target

__all__ = ["Call", "Incoming", "MessageReader", "Refusal", "read_message"]

MAX_TOKEN: Final = 1024
"""Bytes of a token as it was sent. It is kept with each subscription and given back with each push."""

MAX_HEADERS: Final = 64
"""Headers of one request that are looked at, several times what any client sends."""

METHODS: Final = frozenset(("GET", "PUT", "POST", "DELETE", "SUBSCRIBE", "UNSUBSCRIBE"))

_SUBSCRIBING: Final = frozenset(("SUBSCRIBE", "UNSUBSCRIBE"))
_WITH_BODY: Final = frozenset(("PUT", "POST", "DELETE"))  # the last for a range of datapoints

# What describes the transport of a body. Here the body arrives as text inside of JSON.
_HEADERS_OF_TRANSPORT: Final = frozenset(
    ("accept-encoding", "connection", "content-encoding", "content-length", "transfer-encoding")
)
_JSON_TYPE: Final = "application/json"


# Not frozen, like the request inside: one is made for every message.
@attrs.define(eq=False)
class Call:
    """
    A message that asks for something.

    Attributes:
        method: ``GET``, ``PUT``, ``POST``, ``DELETE``, ``SUBSCRIBE`` or ``UNSUBSCRIBE``.
        request: the same as a request to the API; for the last two a GET of the resource.
        envelope: what to give back.
        target: what a subscription is about; None for the first four methods, and when there is nothing
            of the kind to unsubscribe.
    """

    method: str
    request: Request
    envelope: Envelope
    target: Target | None = None


@attrs.frozen
class Refusal:
    """
    Something that came in and can only be answered with an error.

    Attributes:
        reply: the message to send.
        close: whether to close the connection after it.
    """

    reply: bytes = attrs.field(repr=False)
    close: bool = False


Incoming: TypeAlias = Call | Refusal
"""What a message of a client turns out to be."""


class _Message(msgspec.Struct):
    """The members of a request, typed so loosely that a wrong one doesn't hide the others."""

    method: Any = None
    resource: msgspec.Raw = msgspec.Raw()
    headers: Any = None
    params: Any = None
    parameters: Any = None
    body: msgspec.Raw = msgspec.Raw()
    token: msgspec.Raw = msgspec.Raw()


_decode: Final = msgspec.json.Decoder(_Message).decode
_decode_any: Final = msgspec.json.Decoder().decode
_decode_text: Final = msgspec.json.Decoder(str).decode
_PARSER_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class MessageReader:
    """
    Reads the messages of one TCP connection.

    Attributes:
        peer: the client's address, for the requests.
        scheme: ``https`` when the connection is under TLS.
    """

    __slots__ = ("_splitter", "peer", "scheme")

    def __init__(self, peer: str = "", scheme: str = "http", max_object: int = MAX_OBJECT) -> None:
        self.peer = peer
        self.scheme = scheme
        self._splitter = JsonSplitter(max_object)

    @property
    def waiting(self) -> int:
        """How many bytes of an unfinished message there are."""
        return self._splitter.waiting

    def receive(self, data: bytes) -> list[Incoming]:
        """Take received bytes, return what they hold, in order. After a refusal that closes comes nothing."""
        splitter = self._splitter
        if (
            data.startswith(b"{")
            and len(data) <= splitter.max_object
            and data.count(b"{") <= splitter.max_depth
            and (message := _whole(data)) is not None
            and splitter.take_whole()
        ):
            return [_understood(message, self.peer, self.scheme)]
        incoming: list[Incoming] = []
        for event in splitter.receive(data):
            if isinstance(event, bytes):
                incoming.append(read_message(event, self.peer, self.scheme))
            elif isinstance(event, Garbage):
                incoming.append(Refusal(statement(400, f"Syntax Error: {event.reason}")))
            elif isinstance(event, HttpRequest):
                incoming.append(Refusal(answer_to_http(), close=True))
            else:
                incoming.append(_too_long(event.limit))
        return incoming


def read_message(
    text: bytes,
    peer: str = "",
    scheme: str = "http",
    *,
    forgiving: bool = False,
    max_object: int = MAX_OBJECT,
) -> Incoming:
    """
    Read one message.

    Args:
        text: the JSON object.
        peer: the client's address.
        scheme: ``https`` when the connection is under TLS.
        forgiving: accept a message that lacks its last brace, as old browser pages send it on WebSocket.
        max_object: bytes the message may have.
    """
    if len(text) > max_object:
        return _too_long(max_object)
    try:
        message = _decode(text)
    except _PARSER_ERRORS as problem:
        again = _whole(text + b"}") if forgiving else None
        if again is None:
            return Refusal(statement(400, f"Syntax Error: {_reason(problem)}"))
        message = again
    return _understood(message, peer, scheme)


def _understood(message: _Message, peer: str, scheme: str) -> Incoming:
    fault, token, resource = "", b"", bytes(message.resource)
    path = query = None
    if message.token:
        fault, token = _read_token(bytes(message.token))
    if len(resource) <= MAX_RESOURCE:
        path, query = _path_and_query(resource)
    if path is None or query is None:
        fault = fault or "Bad Request: unknown resource"
        resource = resource if query is not None else b""
    envelope = Envelope(resource, token)
    method = message.method.upper() if isinstance(message.method, str) else ""
    if not fault and method not in METHODS:
        fault = "Bad Request: unknown method"
    if fault or path is None or query is None:
        return Refusal(plain_answer(envelope, 400, fault))
    headers = _read_headers(message.headers)
    target = None
    body = b""
    subscribing = method in _SUBSCRIBING
    if subscribing:
        target = subscription_target(path)
        if target is None and method == "SUBSCRIBE":
            return Refusal(
                plain_answer(envelope, 400, "Bad Request: only feeds and datastreams can be subscribed")
            )
    elif method in _WITH_BODY and message.body:
        try:
            body, is_json = _read_body(bytes(message.body))
        except _PARSER_ERRORS as problem:
            return Refusal(plain_answer(envelope, 400, f"Syntax Error: {_reason(problem)}"))
        if is_json:
            headers["content-type"] = _JSON_TYPE
    if message.params or message.parameters:
        query = _with_parameters(query, message.params, message.parameters)
    request = Request("GET" if subscribing else method, path, query, headers, body, peer, scheme)
    return Call(method, request, envelope, target)


def _whole(text: bytes) -> _Message | None:
    """Return what the text is when it is one message and nothing else, but for white space around it."""
    try:
        return _decode(text)
    except _PARSER_ERRORS:
        return None


# A device names the same few resources again and again.
@lru_cache(maxsize=1024)
def _path_and_query(raw: bytes) -> tuple[str | None, str | None]:
    """
    Return the path and the query of a resource's JSON text.

    No path when the text is empty, neither of them when it is no text.
    """
    try:
        resource = _decode_text(raw)
    except _PARSER_ERRORS:
        return None, None
    if not resource:
        return None, ""
    path, query = split_resource(resource)
    if not path.startswith("/"):
        path = "/" + path
    if path != "/v2" and not path.startswith("/v2/"):
        path = "/v2" + path
    return path, query


def _read_token(raw: bytes) -> tuple[str, bytes]:
    """Return what is wrong with a token, and the token as it is to be given back."""
    if len(raw) > MAX_TOKEN:
        return f"Bad Request: the token has more than {MAX_TOKEN} bytes", b""
    if raw[1:-1].isalnum() or raw == b"null":
        return "", b"" if raw == b"null" else raw
    try:
        _decode_any(raw)
    except _PARSER_ERRORS:
        return "Bad Request: the token is not valid JSON", b""
    if raw.startswith((b"{", b"[")):
        return "", msgspec.json.format(raw, indent=-1)  # there may be line ends inside
    return "", raw


def _read_headers(given: object) -> dict[str, str]:
    headers: dict[str, str] = {}
    if isinstance(given, dict):
        for name, value in given.items():
            text = value if isinstance(value, str) else _parameter_text(value)
            lowered = name.strip().lower()
            if text is not None and lowered not in _HEADERS_OF_TRANSPORT:
                headers[lowered] = text
                if len(headers) == MAX_HEADERS:
                    break
    return headers


def _read_body(raw: bytes) -> tuple[bytes, bool]:
    """Return the bytes of a body and whether it came as JSON instead of as text."""
    if raw.startswith(b'"'):
        return _decode_any(raw).encode(), False
    if raw == b"null":
        return b"", False
    return raw, True


def _with_parameters(query: str, *given: object) -> str:
    """Add what came beside the resource; it wins, because of a name given twice the last value counts."""
    pairs = [query] if query else []
    for parameters in given:
        if isinstance(parameters, str):
            pairs.append(split_resource("?" + parameters.lstrip("?"))[1])
        elif isinstance(parameters, dict):
            for name, value in parameters.items():
                text = _parameter_text(value)
                if text is not None:
                    pairs.append(f"{quote_plus(name)}={quote_plus(text)}")
                if len(pairs) >= MAX_PARAMETERS:
                    break
    return "&".join(pairs)


def _parameter_text(value: object) -> str | None:
    """Return what a JSON value is as text in a URL; None for what has no such form."""
    if isinstance(value, list):
        texts = [text for item in value if (text := _scalar_text(item)) is not None]
        return ",".join(texts) if texts else None
    return _scalar_text(value)


def _scalar_text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return None


def _reason(problem: Exception) -> str:
    if isinstance(problem, RecursionError):
        return "the message is nested too deeply"
    if isinstance(problem, UnicodeDecodeError):
        return "the message is not valid UTF-8"
    return str(problem)


def _too_long(limit: int) -> Refusal:
    return Refusal(statement(400, f"Bad Request: a message may have at most {limit} bytes"), close=True)
