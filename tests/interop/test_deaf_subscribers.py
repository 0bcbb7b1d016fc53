"""Subscribers that never read, while a hundred thousand updates pass: nobody else notices."""

from __future__ import annotations

import json
import re
import socket
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

import pytest
from websockets.frames import Frame, Opcode

from txpachube.testing.service import LOOPBACK, ServiceProcess
from txpachube.wire.mqtt_encode import encode
from txpachube.wire.mqtt_packets import Connect, Subscribe

UPDATES = 100_000
DEAF = 5
"""Subscribers of each door that never read."""

IN_FLIGHT = 64
FLAT = 48 * 2**20
"""Bytes that memory may grow by: what the journal holds until it is folded comes and goes. One copy of all
the documents that pass, for all subscribers together, would have ten times as many."""

PATIENCE = 100.0
TEXT = "x" * 200

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to see memory in"),
]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ServiceProcess]:
    """Return a service of one's own."""
    doors = {"http": LOOPBACK, "paws": LOOPBACK, "websocket": LOOPBACK, "mqtt": LOOPBACK}
    with ServiceProcess(tmp_path, doors) as running:
        yield running
    assert "Traceback" not in running.log


def memory(service: ServiceProcess) -> int:
    assert service.process is not None
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{service.process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def connected(service: ServiceProcess, door: str) -> socket.socket:
    port = int(service.urls[door].rstrip("/").rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def message(service: ServiceProcess, method: str, resource: str, **members: Any) -> bytes:
    headers = {"X-ApiKey": service.api_key}
    return json.dumps({"method": method, "resource": resource, "headers": headers, **members}).encode()


def deaf(service: ServiceProcess, door: str) -> socket.socket:
    """Return a connection that is subscribed to feed 1 and will not read any more."""
    line = connected(service, door)
    subscribe = message(service, "subscribe", "/feeds/1")
    answer, end = b"", b'"status":200'
    if door == "websocket":
        key = b64encode(bytes(16)).decode()
        handshake = (
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        )
        subscribe = handshake.encode() + Frame(Opcode.TEXT, subscribe).serialize(mask=True)
    elif door == "mqtt":
        subscribe = encode(Connect(4, "MQTT", "", user_name=service.api_key, keep_alive=0))
        subscribe += encode(Subscribe(1, (("/v2/feeds/1.json", 0),)))
        end = b'"version":"1.0.0"'  # the present state comes at once
    line.sendall(subscribe)
    while end not in answer:
        answer += line.recv(4096)
    return line


class Listener(Thread):
    """A subscriber that reads everything, and sees whether it is everything."""

    def __init__(self, service: ServiceProcess) -> None:
        super().__init__(daemon=True)
        self._lines = connected(service, "paws").makefile("rwb")
        self._lines.write(message(service, "subscribe", "/feeds/1/datastreams/count"))
        self._lines.flush()
        assert b'"status":200' in self._lines.readline()
        self.heard = 0

    def run(self) -> None:
        for line in self._lines:
            if b'"current_value":"%d"' % (self.heard + 1) not in line:
                return  # something is missing, or out of order
            self.heard += 1
            if self.heard == UPDATES:
                return


def write(service: ServiceProcess, first: int, last: int) -> None:
    """Write all numbers from one to another, with some writes in flight."""
    with connected(service, "paws") as line, line.makefile("rb") as answers:
        for number in range(first, last + 1):
            body = {"current_value": str(number)}
            line.sendall(message(service, "put", "/feeds/1/datastreams/count", body=body))
            if number - first >= IN_FLIGHT:
                assert b'"status":200' in answers.readline()
        for _ in range(min(IN_FLIGHT, last - first + 1)):
            assert b'"status":200' in answers.readline()


def test_memory_stays_flat_and_nobody_misses_anything(service: ServiceProcess) -> None:
    """What passes those who do not read takes no memory; another subscriber hears each value, in order."""
    streams = [{"id": f"text{number}", "current_value": TEXT} for number in range(20)]
    body = {"title": "Busy", "datastreams": [{"id": "count", "current_value": "0"}, *streams]}
    made = Request(service.url + "/v2/feeds.json", json.dumps(body).encode(), {"X-ApiKey": service.api_key})
    assert urlopen(made, timeout=PATIENCE).status == 201
    listener = Listener(service)
    listener.start()
    lines = [deaf(service, door) for door in ("paws", "websocket", "mqtt") for _ in range(DEAF)]
    write(service, 1, UPDATES // 5)
    before = memory(service)
    write(service, UPDATES // 5 + 1, UPDATES)
    grown = memory(service) - before
    listener.join(PATIENCE)
    assert listener.heard == UPDATES
    assert grown < FLAT, f"{grown / 2**20:.1f} MiB"
    for line in lines:
        line.close()
