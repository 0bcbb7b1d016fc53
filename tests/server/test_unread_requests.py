"""Requests that are broken off, or that cannot be read: their feeds' owners are told, by a whole service."""

from __future__ import annotations

import json
import socket
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import blockon
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from txpachube.server.config import CLOSED, Settings
from txpachube.server.service import _DOORS, Service

reactor: Any = installed_reactor
LOOPBACK = "tcp:0:interface=127.0.0.1"


class Running:
    """A service with its two HTTP doors open, and a feed in it."""

    def __init__(self, folder: Path) -> None:
        closed = {kind.setting: CLOSED for kind in _DOORS}
        doors = {**closed, "http": LOOPBACK, "device_http": LOOPBACK}
        self.service = Service(Settings(data=str(folder), **doors), reactor)  # type: ignore[arg-type]  # texts all
        self.urls: dict[str, str] = {}
        self._folder = folder

    async def start(self) -> None:
        """Open the doors and make feed 1."""
        self.urls = {door.name: door.url for door in await self.service.start()}
        await self.ask("/v2/feeds", b'{"title":"x","datastreams":[{"id":"t"}]}')

    @property
    def key(self) -> str:
        """The master key."""
        return str(tomllib.loads((self._folder / "admin.toml").read_text())["api_key"])

    async def ask(self, path: str, body: bytes | None = None) -> bytes:
        """Return the body of an answer."""
        request = urllib.request.Request(self.urls["http"].rstrip("/") + path, body, {"X-ApiKey": self.key})

        def talk() -> bytes:
            with urllib.request.urlopen(request, timeout=30) as answer:
                found: bytes = answer.read()
                return found

        return await deferToThread(talk)

    async def send(self, door: str, text: str, *, reset: bool = False, read: bool = False) -> bytes:
        """Send bytes through a door and close the connection; ``{key}`` is the master key."""
        port = int(self.urls[door].rstrip("/").rpartition(":")[2])

        def talk() -> bytes:
            with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
                client.sendall(text.replace("{key}", self.key).encode("latin-1"))
                if reset:
                    linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return client.recv(65536) if read else b""

        return await deferToThread(talk)

    async def told(self) -> dict[str, Any]:
        """Return what is told of the first request of which anything is."""
        while True:
            found = json.loads(await self.ask("/v2/feeds/1/debug"))["requests"]
            if entries := [entry for entry in found if entry["kind"] not in ("written", "read")]:
                (entry,) = entries
                told: dict[str, Any] = entry
                return told


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """Return a service, running."""
    found = Running(tmp_path / "data")
    blockon(Deferred.fromCoroutine(found.start()))
    yield found
    blockon(Deferred.fromCoroutine(found.service.stop()))


HEAD = "PUT /v2/feeds/1.csv HTTP/1.1\r\nHost: x\r\nX-ApiKey: {key}\r\n"
SHORT = f"{HEAD}Content-Length: 9\r\n\r\nt,1"
READ = "the request could not be read: "
BROKEN = "the client closed the connection before the request was complete"


@pytest.mark.parametrize("door", ["http", "device-http"])
@pytest.mark.parametrize("reset", [False, True])
async def test_a_body_that_is_shorter_than_announced(running: Running, door: str, reset: bool) -> None:
    """A sketch that counted wrongly, and gave up waiting, leaves behind why: both numbers."""
    await running.send(door, SHORT, reset=reset)
    entry = await running.told()
    assert entry["reason"] == f"{BROKEN}: Content-Length announced 9 bytes of body, and 3 came"
    assert (entry["kind"], entry["status"], entry["door"]) == ("refused", None, door)
    assert (entry["key"], entry["body"], entry["method"]) == ("master key", "t,1", "PUT")
    assert entry["target"] == "/v2/feeds/1.csv"


@pytest.mark.parametrize("door", ["http", "device-http"])
async def test_a_head_without_an_end(running: Running, door: str) -> None:
    """Without an empty line the service goes on waiting for headers."""
    await running.send(door, f"{HEAD}Content-Length: 3\r\n")
    entry = await running.told()
    assert entry["reason"] == f"{BROKEN}: its head has no end, which is an empty line"


async def test_line_ends_that_are_refused(running: Running) -> None:
    """The ordinary door names what it stumbled over, and the door that would not have."""
    answer = await running.send("http", SHORT.replace("\r\n", "\n"), read=True)
    assert answer.startswith(b"HTTP/1.1 400 ")
    entry = await running.told()
    assert entry["status"] == 400
    assert entry["reason"].startswith("the request could not be read: ")
    assert entry["reason"].endswith("; the door for old devices, --device-http, may understand it")


async def test_a_body_that_is_longer_than_announced(running: Running) -> None:
    """What follows the body is no request; it is told of the feed of the request before."""
    answer = await running.send("http", f"{HEAD}Content-Length: 3\r\n\r\nt,12.5 and more", read=True)
    assert answer.startswith(b"HTTP/1.1 200 ")
    entry = await running.told()
    assert (entry["status"], entry["target"]) == (400, "/v2/feeds/1.csv")


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (
            "Content-Length: 3x\n\nt,1",
            "the request could not be read: The length of the body is not a number",
        ),
        (
            "Content-Length: 3\nContent-Length: 4\n\nt,1",
            READ + "There are two different lengths of the body",
        ),
        ("X: y\n" * 200 + "\n", READ + "The head has more than 100 lines"),
        (
            "Transfer-Encoding: chunked\n\nzz\n",
            READ + "The size of a chunk is not a number",
        ),
    ],
)
async def test_heads_that_no_door_understands(running: Running, head: str, reason: str) -> None:
    """The door for old devices tells whose feed it was, as far as the head goes."""
    answer = await running.send("device-http", HEAD.replace("\r\n", "\n") + head, read=True)
    assert answer.startswith(b"HTTP/1.1 4")
    entry = await running.told()
    assert entry["reason"] == reason
    assert (entry["kind"], entry["target"]) == ("refused", "/v2/feeds/1.csv")
    assert entry["headers"]["x-apikey"] == "***"


async def test_what_names_no_feed_is_nobodys(running: Running) -> None:
    """A broken request for something else is told to nobody, and no harm is done."""
    await running.send("http", "GET /v2/keys/{key} HTTP/1.1\r\nHost:")
    await running.send("http", "\x00\x01")
    await running.send("device-http", "HELLO")
    await running.send("http", SHORT)
    entry = await running.told()
    assert entry["target"] == "/v2/feeds/1.csv"
