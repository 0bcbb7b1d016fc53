"""The socket doors: JSON messages on TCP and on WebSocket."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import msgspec
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from txpachube.testing.doors.base import HOST, OF_PACKING, OF_TRANSPORT
from txpachube.testing.doors.lines import Line
from txpachube.testing.exchanges import Answer, Given, Question

__all__ = ["Frames", "Lines", "Paws"]


class _Message(msgspec.Struct):
    status: int
    resource: str | None = None
    token: str | None = None
    headers: dict[str, str] | None = None
    body: msgspec.Raw = msgspec.Raw()


class Paws:
    """A socket door, on TCP or WebSocket."""

    def __init__(self, line: Line, wire: Lines | Frames, closing: Callable[[], Any]) -> None:
        self._line = line
        self._wire = wire
        self._closing = closing
        self._count = 0

    @staticmethod
    def carries(question: Question, answer: Answer) -> bool:
        """Carry the four methods, below version 2, with a body that is text."""
        names = {name.lower() for name, _ in question.headers}
        return (
            question.raw is None
            and question.method in ("GET", "PUT", "POST", "DELETE")
            and question.target.startswith("/v2/")
            and not names & {*OF_PACKING, "connection", "content-length", "expect"}
            and len(names) == len(question.headers)
            and _is_text(question.body)
        )

    async def ask(self, question: Question | None, expected: Answer) -> Given:
        """Send a request as JSON and read its answer."""
        assert question is not None
        self._count += 1
        token = f"t{self._count}"
        resource = question.target.removeprefix("/v2")
        self._line.write(self._wire.pack(_paws_request(question, resource, token)))
        text = await self._line.until(self._wire.take)
        assert b"\n" not in text
        assert text.endswith(b'"status":%d}' % json.loads(text)["status"]), text
        message = msgspec.json.decode(text, type=_Message)
        assert (message.token, message.resource) == (token, resource)
        headers = message.headers
        assert headers is not None or question.method in ("PUT", "DELETE", "POST"), text
        found = None
        if headers is not None:
            found = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        body = bytes(message.body)
        if body.startswith(b'"'):
            text_body = msgspec.json.decode(body, type=str)
            packed = found is not None and found.get("content-transfer-encoding") == "base64"
            body = base64.b64decode(text_body) if packed else text_body.encode()
        else:
            assert not body or found is None or found["content-type"].startswith("application/json")
        return Given(message.status, found, body, OF_TRANSPORT - {"content-length", "date"})

    async def close(self) -> None:
        """Close the connection and the door."""
        self._line.drop()
        await self._closing()


def _paws_request(question: Question, resource: str, token: str) -> bytes:
    headers = {"Host": HOST, **dict(question.headers)}
    message: dict[str, Any] = {
        "method": question.method.lower(),
        "resource": resource,
        "headers": headers,
        "token": token,
    }
    if question.body:
        stated = question.header("content-type")
        as_json = stated is None or stated.partition(";")[0] == "application/json"
        message["body"] = question.body.decode()
        if as_json and question.body.startswith((b"{", b"[")):
            try:
                message["body"] = msgspec.Raw(msgspec.json.format(question.body, indent=-1))
                return msgspec.json.encode(message)
            except (msgspec.DecodeError, RecursionError):
                pass  # no JSON: it travels as text
    return msgspec.json.encode(message)


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


class Lines:
    """Messages on TCP."""

    def __init__(self) -> None:
        self._data = b""

    def pack(self, message: bytes) -> bytes:
        return message

    def take(self, data: bytes) -> bytes | None:
        self._data += data
        line, end, rest = self._data.partition(b"\n")
        if not end:
            return None
        self._data = rest
        return line


class Frames:
    """Messages on WebSocket."""

    def __init__(self, port: int) -> None:
        self._machine = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}/"))
        self._machine.send_request(self._machine.connect())

    def greeting(self) -> bytes:
        """Return what opens the connection."""
        return b"".join(self._machine.data_to_send())

    def opened(self, data: bytes) -> bool | None:
        """Return True as soon as the connection is open."""
        self._machine.receive_data(data)
        return bool(self._machine.events_received()) or None

    def pack(self, message: bytes) -> bytes:
        self._machine.send_text(message)
        return b"".join(self._machine.data_to_send())

    def take(self, data: bytes) -> bytes | None:
        self._machine.receive_data(data)
        for event in self._machine.events_received():
            assert isinstance(event, Frame)
            assert event.opcode is Opcode.TEXT
            return bytes(event.data)
        return None
