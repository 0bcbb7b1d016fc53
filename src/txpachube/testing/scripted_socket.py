"""
A socket server that does what a test tells it, faults included.

It is like `txpachube.testing.scripted.ScriptedServer`, for the messages of the socket protocol: each that
arrives takes the next step of the script. `says` makes the usual steps::

    server = ScriptedSocket(reactor)
    server.play(says(200), says(404, "Not Found"), cut(b'{"status":200,'))
    server.always = says(200)
    await server.start()
    client = PAWSClient(url=server.url)

A step that is a function finds the message it answers in ``line.message``.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.interfaces import IAddress

from txpachube.testing.scripted import Line, ReceivedRequest, ScriptedServer, Step
from txpachube.wire.jsonstream import JsonSplitter

__all__ = ["ScriptedSocket", "SocketLine", "push", "reply", "says"]


class SocketLine(Line):
    """
    One connection, seen from the server.

    Attributes:
        message: the last one that arrived.
    """

    def __init__(self, server: ScriptedSocket, number: int) -> None:
        super().__init__(server, number)
        self.message: dict[str, Any] = {}
        self._splitter = JsonSplitter()

    def dataReceived(self, data: bytes) -> None:
        """Read messages."""
        for event in self._splitter.receive(data):
            assert isinstance(event, bytes), event
            self.message_received(event)

    def message_received(self, text: bytes) -> None:
        """Take a message to the script."""
        message: dict[str, Any] = json.loads(text)
        self.message = message
        body = message.get("body", "")
        self._server.received(
            ReceivedRequest(
                message["method"].upper(),
                message["resource"],
                message["headers"],
                (body if isinstance(body, str) else json.dumps(body)).encode(),
                self,
            )
        )


class ScriptedSocket(ScriptedServer):
    """Plays a script over TCP."""

    @property
    def url(self) -> str:
        """The URL for a client."""
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def messages(self) -> list[str]:
        """What has arrived: method and resource of each message."""
        return [f"{request.method} {request.target}" for request in self.requests]

    def buildProtocol(self, addr: IAddress | None) -> Line:
        """Take a connection."""
        return SocketLine(self, len(self.lines) + 1)


def reply(message: dict[str, Any], status: int, body: Any = None, headers: Any = None) -> bytes:
    """Return the answer to a message, with its line end."""
    members: dict[str, Any] = {} if body is None else {"body": body}
    if headers is not None:
        members["headers"] = headers
    for name in ("resource", "token"):
        if name in message:
            members[name] = message[name]
    members["status"] = status
    return json.dumps(members, separators=(",", ":")).encode() + b"\n"


def push(message: dict[str, Any], document: Any) -> bytes:
    """Return a push for the subscription that a message asked for, with its line end."""
    members = {"body": document, "resource": message["resource"], "token": message["token"]}
    return json.dumps(members, separators=(",", ":")).encode() + b"\n"


def says(status: int = 200, body: Any = None, headers: Any = None) -> Step:
    """Return a step that answers."""

    def step(line: Line) -> None:
        assert isinstance(line, SocketLine)
        line.write(reply(line.message, status, body, headers))

    return step
