"""
Clients that send or read so slowly that they only cost, on the doors for sockets.

Those of the HTTP and MQTT doors are tried where the rest of these doors is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet import reactor as installed_reactor
from twisted.internet.task import deferLater
from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.uri import parse_uri

from txpachube.server.transports.paws_limits import PawsLimits
from txpachube.server.transports.paws_tcp import PawsTCPFactory
from txpachube.server.transports.paws_websocket import PawsWebSocketFactory
from txpachube.server.transports.slowness import Slowness
from txpachube.testing.inprocess import InProcess

reactor: Any = installed_reactor

PATIENCE = 20.0
"""Seconds that something may take on a busy machine."""

LIMITS = PawsLimits(message_timeout=20, handshake_timeout=20, stalled_timeout=100, sweep_interval=1)

MESSAGE = json.dumps(
    {"method": "get", "resource": "/feeds/1", "headers": {"X-ApiKey": "master-of-rosa"}, "token": "T"}
).encode()


async def until(condition: Callable[[], object]) -> None:
    """Let the reactor run until something is true, or fail after a while."""
    end = reactor.seconds() + PATIENCE
    while not condition():
        assert reactor.seconds() < end, "it did not come true"
        await deferLater(reactor, 0.005)


def only(door: Any) -> Any:
    """Return the server's side of the only connection."""
    (connection,) = door.factory._connections
    return connection


async def pass_time(door: Any, seconds: int) -> None:
    """Let the listener's time pass."""
    for _ in range(seconds):
        door.clock.advance(1)
    await deferLater(reactor, 0.01)


def opened(door: Callable[..., Any], kind: str) -> Any:
    """Return an open door."""
    return door(PawsTCPFactory if kind == "tcp" else PawsWebSocketFactory, http_port=8000, limits=LIMITS)


async def connected(opening: Any, kind: str) -> tuple[Any, bytes]:
    """Return a client and the bytes of a message, in the way of the door."""
    client = await opening.client()
    if kind == "tcp":
        await until(lambda: opening.factory.connection_count)
        return client, MESSAGE
    protocol = ClientProtocol(parse_uri("ws://127.0.0.1/"))
    protocol.send_request(protocol.connect())
    client.send(b"".join(protocol.data_to_send()))
    await until(lambda: client.pieces)
    protocol.receive_data(b"".join(client.pieces))
    client.pieces.clear()
    protocol.send_text(MESSAGE)
    return client, b"".join(protocol.data_to_send())


def read_so_far(connection: Any) -> int:
    """Return how many bytes of an unfinished message a connection has."""
    waiting = connection._reader.waiting if hasattr(connection, "_reader") else connection._unread
    assert isinstance(waiting, int)
    return waiting


@pytest.mark.parametrize("kind", ["tcp", "websocket"])
async def test_a_message_that_never_ends(garden: InProcess, door: Callable[..., Any], kind: str) -> None:
    """A byte now and then is no sign of life; also not of a client that is subscribed."""
    opening = opened(door, kind)
    client, message = await connected(opening, kind)
    connection = only(opening)
    for at in range(6):
        client.send(message[at : at + 1])
        await until(lambda at=at: read_so_far(connection) == at + 1)  # type: ignore[misc]  # its default
        await pass_time(opening, 3)
        assert not client.closed
    await pass_time(opening, 12)
    await until(lambda: client.closed)


@pytest.mark.parametrize("kind", ["tcp", "websocket"])
async def test_a_message_that_comes_slowly(garden: InProcess, door: Callable[..., Any], kind: str) -> None:
    """It is answered, and the next one has its time again."""
    opening = opened(door, kind)
    client, message = await connected(opening, kind)
    connection = only(opening)
    for _ in range(3):
        half = len(message) // 2
        client.send(message[:half])
        await until(lambda half=half: read_so_far(connection) == half)  # type: ignore[misc]  # its default
        await pass_time(opening, 18)
        client.send(message[half:])
        await until(lambda: client.pieces)
        await until(lambda: b'"token":"T"' in b"".join(client.pieces))
        client.pieces.clear()
        await pass_time(opening, 18)
    assert not client.closed


async def test_a_handshake_that_never_ends(door: Callable[..., Any]) -> None:
    """The time for it is that of the whole, not of each byte."""
    opening = opened(door, "websocket")
    client = await opening.client()
    await until(lambda: opening.factory.connection_count)
    for letter in b"GET / HTTP":
        client.send(bytes([letter]))
        await pass_time(opening, 2)
    assert not client.closed
    await pass_time(opening, 3)
    await until(lambda: client.closed)


async def test_a_message_in_many_frames_that_never_ends(door: Callable[..., Any]) -> None:
    """Each frame is complete, and the message is not."""
    opening = opened(door, "websocket")
    client, _ = await connected(opening, "websocket")
    connection = only(opening)
    masked = bytes([Opcode.TEXT, 0x81, 0, 0, 0, 0, 0x7B]), bytes([Opcode.CONT, 0x81, 0, 0, 0, 0, 0x20])
    for number in range(5):
        client.send(masked[min(number, 1)])
        await until(lambda number=number: len(connection._parts) == number + 1)  # type: ignore[misc]  # its default
        await pass_time(opening, 4)
        assert not client.closed
    await pass_time(opening, 5)
    await until(lambda: client.pieces)  # a goodbye, which this client does not return
    await pass_time(opening, 8)
    await until(lambda: client.closed)


@pytest.mark.parametrize("kind", ["tcp", "websocket"])
async def test_a_client_that_does_not_read(garden: InProcess, door: Callable[..., Any], kind: str) -> None:
    """It may be behind a broken line for a while, and is cut off after that."""
    opening = opened(door, kind)
    client, message = await connected(opening, kind)
    connection = only(opening)
    client.stop_reading()
    while not connection._outlet.congested:
        client.send(message * 50)
        await deferLater(reactor, 0.005)
    await pass_time(opening, 98)
    assert opening.factory.connection_count == 1
    await pass_time(opening, 6)
    assert opening.factory.connection_count == 0


def test_how_long_a_message_may_take() -> None:
    """A timeout for any, and more for what did arrive; each finished message begins a new count."""
    slowness = Slowness(20, 10)
    assert not slowness.is_too_slow(100, 1, 0)
    assert not slowness.is_too_slow(200, 1, 0)
    assert not slowness.is_too_slow(220, 1, 5)
    assert slowness.is_too_slow(220.6, 1, 5)
    assert not slowness.is_too_slow(220.6, 1, 10)
    assert not slowness.is_too_slow(230, 2, 5)
    assert not slowness.is_too_slow(250, 2, 5)
    slowness.start_again(251)
    assert not slowness.is_too_slow(271, 2, 5)
    assert slowness.is_too_slow(272, 2, 5)
