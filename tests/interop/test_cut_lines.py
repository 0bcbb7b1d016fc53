"""Lines that break at every byte, seen by the service: nothing happens by half, and nothing stays behind."""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import attrs
import pytest
from websockets.frames import Frame, Opcode

from txpachube.testing.service import LOOPBACK, ServiceProcess
from txpachube.wire.mqtt_encode import encode
from txpachube.wire.mqtt_packets import Connect, Publish, Subscribe

PATIENCE = 20.0
"""Seconds after which a test gives up; never reached when all is well."""

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc to count sockets in")

DOORS = ("http", "device-http", "paws", "websocket", "mqtt")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Return a service with all its doors."""
    with ServiceProcess(tmp_path_factory.mktemp("cut"), dict.fromkeys(DOORS, LOOPBACK)) as running:
        yield running
    assert "Traceback" not in running.log
    assert "failed" not in running.log


class World:
    """The service and a feed of one's own."""

    def __init__(self, service: ServiceProcess) -> None:
        self.service = service
        body = {"title": "Cut", "datastreams": [{"id": "0", "current_value": "first"}]}
        made = self._ask("POST", "/v2/feeds.json", json.dumps(body).encode())
        self.feed = "/feeds/" + made.headers["Location"].rpartition("/")[2]
        self.stream = f"{self.feed}/datastreams/0"

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        headers = {"X-ApiKey": self.service.api_key}
        return urlopen(
            Request(self.service.url + path, body, headers, method=method), timeout=PATIENCE
        )  # fmt: skip

    def put(self, value: str) -> None:
        """Write the datastream's value."""
        self._ask("PUT", f"/v2{self.stream}.csv", value.encode())

    @property
    def value(self) -> str:
        """The datastream's value."""
        text: bytes = self._ask("GET", f"/v2{self.stream}.csv").read()
        return text.decode().partition(",")[2]

    def connect(self, door: str) -> socket.socket:
        """Return a connection to a door."""
        port = int(self.service.urls[door].rstrip("/").rpartition(":")[2])
        return socket.create_connection(("127.0.0.1", port), PATIENCE)

    def paws(self, method: str, **members: Any) -> bytes:
        """Write a message of the socket server."""
        headers = {"X-ApiKey": self.service.api_key}
        return json.dumps({"method": method, "resource": self.stream, "headers": headers, **members}).encode()


@pytest.fixture
def world(service: ServiceProcess) -> World:
    """Return the service with a feed of one's own."""
    return World(service)


def open_sockets(service: ServiceProcess) -> int:
    assert service.process is not None
    found = 0
    for file in Path(f"/proc/{service.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            found += os.readlink(file).startswith("socket:")
    return found


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < PATIENCE
        os.sched_yield()


# --- what clients of each door send -----------------------------------------------------------------


@attrs.frozen
class Spoken:
    """
    What a client of a door says, all in one go, and whether the service answers it.

    Attributes:
        write: a write of the value ``last``.
        subscribe: a subscription to the datastream; empty where there is none.
        subscribed: what it can be told by that the service has taken it.
        pushed: how a push begins.
    """

    write: bytes
    subscribe: bytes = b""
    subscribed: bytes = b""
    pushed: bytes = b""


def of_http(world: World) -> Spoken:
    head = f"PUT /v2{world.stream}.csv HTTP/1.1\r\nHost: x\r\nX-ApiKey: {world.service.api_key}\r\n"
    return Spoken(f"{head}Content-Length: 4\r\n\r\nlast".encode())


def of_paws(world: World) -> Spoken:
    put = world.paws("put", body={"current_value": "last"})
    return Spoken(put, world.paws("subscribe"), b'"status":200}\n', b'{"body":')


def of_websocket(world: World) -> Spoken:
    handshake = (
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {b64encode(bytes(16)).decode()}\r\n\r\n"
    ).encode()

    def framed(text: bytes) -> bytes:
        return handshake + Frame(Opcode.TEXT, text).serialize(mask=True)

    paws = of_paws(world)
    return Spoken(framed(paws.write), framed(paws.subscribe), b'"status":200}', b"\x81")


def of_mqtt(world: World) -> Spoken:
    connect = encode(Connect(4, "MQTT", "", user_name=world.service.api_key, keep_alive=0))
    topic = f"/v2{world.stream}.csv"
    return Spoken(
        connect + encode(Publish(topic, b"last", 1, packet_id=1)),
        connect + encode(Subscribe(1, ((topic, 0),))),
        b"Z,first",  # the present state comes at once
        b"\x30",
    )


SPOKEN = {
    "http": of_http,
    "device-http": of_http,
    "paws": of_paws,
    "websocket": of_websocket,
    "mqtt": of_mqtt,
}


def reset(line: socket.socket) -> None:
    """End a connection as a computer does that has crashed and come back."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


@pytest.mark.parametrize("end", [socket.socket.close, reset])
@pytest.mark.parametrize("door", DOORS)
def test_a_request_that_ends_at_any_byte(world: World, door: str, end: Callable[..., None]) -> None:
    """Until its last byte is there it has no effect, and the connection leaves nothing behind."""
    write = SPOKEN[door](world).write
    before = open_sockets(world.service)
    for count in range(len(write)):
        line = world.connect(door)
        line.sendall(write[:count])
        end(line)
    until(lambda: open_sockets(world.service) <= before)
    assert world.value == "first"
    with world.connect(door) as line:
        line.sendall(write)
        assert line.recv(1)
        until(lambda: world.value == "last")
    until(lambda: open_sockets(world.service) <= before)


@pytest.mark.parametrize("door", ["paws", "websocket", "mqtt"])
def test_a_push_that_ends_at_any_byte(world: World, door: str) -> None:
    """A subscriber that goes in the middle of a push is forgotten, and the others hear everything."""
    spoken = SPOKEN[door](world)
    before = open_sockets(world.service)
    calm = subscribed(world, door, spoken)
    world.put("first")
    length = len(pushed(calm, spoken, b"first"))
    assert 30 < length < 200
    for count in range(length + 1):
        hasty = subscribed(world, door, spoken)
        value = f"v{count:04}"
        world.put(value)
        read = b""
        while len(read) < count:
            read += hasty.recv(count - len(read))
        reset(hasty)
        push = pushed(calm, spoken, value.encode())
        assert push.startswith(read)
        world.put("first")
        pushed(calm, spoken, b"first")
    until(lambda: open_sockets(world.service) <= before + 1)
    reset(calm)  # who only closes his half of a subscribed line may still be listening
    until(lambda: open_sockets(world.service) <= before)


def subscribed(world: World, door: str, spoken: Spoken) -> socket.socket:
    """Return a connection that is subscribed to the datastream, whose value is ``first``."""
    line = world.connect(door)
    line.sendall(spoken.subscribe)
    answer = b""
    while not answer.endswith(spoken.subscribed):
        answer += line.recv(4096)
    return line


def pushed(line: socket.socket, spoken: Spoken, value: bytes) -> bytes:
    """Return the next push, which has a value in it."""
    push = b""
    while value not in push:
        push += line.recv(4096)
    assert push.startswith(spoken.pushed)
    return push
