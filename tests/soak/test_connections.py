"""
Thousands of connections that begin to ask and then stop, at every door.

Each comes from an address of its own, as if from all over the world. While they are there, a device writes
through each of the doors; when they have gone, not one file of them is left in the service.
"""

from __future__ import annotations

import resource
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.soak.services import DOORS, PATIENCE, AllDoors, ask, files_at_rest, files_of, memory_of, port_of
from tests.soak.sizes import LONG, size
from tests.soak.writers import open_writer

from txpachube.times import parse

CONNECTIONS = size(250, 2000)
ROUNDS = size(1, 10)
SOON = 5.0
"""Seconds in which a write must be acknowledged on a busy machine while they are all there."""

MOST_EACH = 24 * 1024
"""Bytes of memory one of them may cost."""

LONGEST_SILENCE = 900.0
"""Seconds after which no door still waits for who begins a request and does not end it."""

AT = parse("2013-06-01T00:00:00Z")

BEGINNINGS = {
    "http": b"PUT /v2/feeds/1.json HTTP/1.1\r\nHost: x\r\nContent-Le",
    "device-http": b"PUT /v2/feeds/1.csv HTTP/1.1\nHost: x\nX-Pach",
    "paws": b'{"method":"put","resource":"/feeds/1","bo',
    "websocket": b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: webs",
    "mqtt": b"\x10\x20\x00\x04MQ",
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(size(180, 3600))]


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """Let this process have as many connections as it may."""
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    if usual[1] < 2 * CONNECTIONS:
        pytest.skip("the system does not allow so many connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (usual[1], usual[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, usual)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[AllDoors]:
    """A service with a feed."""
    with AllDoors(tmp_path / "data") as process:
        streams = [{"id": door} for door in DOORS]
        assert ask(process, "POST", "/v2/feeds", {"title": "T", "datastreams": streams})[0] == 201
        yield process
        assert "Traceback" not in process.log
        assert process.stop() == 0


def connect(service: AllDoors, door: str, number: int) -> socket.socket:
    """Open a connection from an address of its own, and begin to ask, or not even that."""
    line = socket.socket()
    line.settimeout(PATIENCE)
    line.bind((f"127.1.{number // 250}.{1 + number % 250}", 0))
    line.connect(("127.0.0.1", port_of(service, door)))
    if number % 4:
        line.sendall(BEGINNINGS[door])
    return line


def until_closed(service: AllDoors, files: int) -> int:
    """Ask until the service has no more files open than that, or for too long; return how many it has."""
    end = time.monotonic() + PATIENCE
    while (found := files_at_rest(service)) > files and time.monotonic() < end:
        pass
    return found


@pytest.mark.parametrize("door", DOORS)
def test_connections_that_stop_are_no_trouble(service: AllDoors, door: str) -> None:
    """Devices are served at every door meanwhile, and nothing of the connections is kept when they end."""
    for name in DOORS:  # what is made once is there before files are counted
        writer = open_writer(service, name)
        writer.write(1, {name: "0"}, AT)
        writer.close()
    files = files_at_rest(service)
    for number in range(ROUNDS):
        memory = memory_of(service)
        with ExitStack() as opened:
            for place in range(CONNECTIONS):
                opened.enter_context(connect(service, door, place))
            slowest = 0.0
            for name in DOORS:
                began = time.monotonic()
                writer = open_writer(service, name)
                writer.write(1, {name: f"{number}"}, AT + number)
                writer.close()
                slowest = max(slowest, time.monotonic() - began)
            assert files_of(service) > files + CONNECTIONS - 5, "they are all there"
            assert slowest < SOON
            assert memory_of(service) - memory < MOST_EACH * CONNECTIONS
        assert until_closed(service, files) == files


@pytest.mark.skipif(not LONG, reason="the limits of time are waited for by make soak only")
def test_connections_that_stop_are_ended(service: AllDoors) -> None:
    """Whoever does not go on is disconnected at every door, in the end."""
    files = files_at_rest(service)
    waiting: dict[int, socket.socket] = {}
    poll = select.poll()
    for door in DOORS:
        for number in range(200):
            line = connect(service, door, 4 * number + 1)
            waiting[line.fileno()] = line
            poll.register(line, select.POLLIN)
    end = time.monotonic() + LONGEST_SILENCE
    while waiting:
        assert time.monotonic() < end, sorted({line.getpeername() for line in waiting.values()})
        for file, _ in poll.poll(1000):
            try:
                over = not waiting[file].recv(65536)
            except OSError:
                over = True
            if over:
                poll.unregister(file)
                waiting.pop(file).close()
    assert until_closed(service, files) == files
