"""
What the service takes of a machine: memory, disk, and time to start.

    python -m bench.footprint [DATAPOINTS]

The service is a child process with all its doors open, as the command starts it. Memory is what the
kernel says is resident; disk is the database file after a clean stop, without what it had before
the datapoints came.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from socket import create_connection, socket
from urllib.parse import urlsplit

from bench.load import Server
from bench.service import Report, prepare

from txpachube.server.administration import DATABASE_FILE
from txpachube.times import SECOND, format_micros, parse

FEEDS = 500  # of two datastreams each, so there are 1000 of those
SUBSCRIBERS = 1000
AT_ONCE = 500
FIRST = parse("2013-01-01T00:00:00Z")
MIB = 1024 * 1024


@contextmanager
def running(folder: Path) -> Iterator[tuple[Server, float]]:
    """Run the service with all doors; hand out its process and how long it took until it was ready."""
    doors = [f"--{door}=tcp:0:interface=127.0.0.1" for door in ("http", "paws", "websocket", "mqtt")]
    command = [sys.executable, "-m", "txpachube.cli", "serve", "--data", str(folder), *doors]
    began = time.monotonic()
    with Server([*command, "--log", str(folder / "log")]) as server:
        yield server, time.monotonic() - began


def resident(server: Server) -> float:
    """Return the memory of a process in MiB."""
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel does not say what the process takes")


def write(server: Server, key: str, datapoints: int) -> None:
    """Give each datastream its share, five seconds apart, as a device does that saves up its readings."""
    url = urlsplit(server.url)
    connection = HTTPConnection(url.hostname or "", url.port)
    each = datapoints // (2 * FEEDS)
    for feed in range(1, FEEDS + 1):
        for name, base in (("temperature", 20), ("humidity", 45)):
            for begin in range(0, each, AT_ONCE):
                numbers = range(begin, min(begin + AT_ONCE, each))
                points = [
                    {"at": format_micros(FIRST + n * 5 * SECOND), "value": f"{base + n % 97 / 10:.1f}"}
                    for n in numbers
                ]
                path = f"/v2/feeds/{feed}/datastreams/{name}/datapoints.json"
                connection.request("POST", path, json.dumps({"datapoints": points}), {"X-ApiKey": key})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"the service answered {answer.status}")
    connection.close()


def subscribe(server: Server, key: str) -> list[socket]:
    """Open that many connections, each to another feed, and wait for their answers."""
    url = urlsplit(server.urls["paws"])
    sockets = [create_connection((url.hostname or "", url.port or 0)) for _ in range(SUBSCRIBERS)]
    for number, connection in enumerate(sockets):
        message = {
            "method": "subscribe",
            "resource": f"/feeds/{number % FEEDS + 1}",
            "headers": {"X-ApiKey": key},
            "token": "t",
        }
        connection.sendall(json.dumps(message).encode() + b"\n")
    for connection in sockets:
        if b'"status":200' not in connection.recv(4096):
            raise RuntimeError("a subscription was refused")
    return sockets


def read_all(server: Server, key: str) -> None:
    """Have every feed in memory, as it is when all of them are in use."""
    url = urlsplit(server.url)
    connection = HTTPConnection(url.hostname or "", url.port)
    for feed in range(1, FEEDS + 1):
        connection.request("GET", f"/v2/feeds/{feed}.json", headers={"X-ApiKey": key})
        connection.getresponse().read()
    connection.close()


def main() -> None:
    """Measure everything; the exit status is 0 also when a target is missed."""
    datapoints = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    report = Report()
    with tempfile.TemporaryDirectory(prefix="txpachube-bench-") as name:
        folder = Path(name)
        key = prepare(folder)
        database = folder / DATABASE_FILE
        with running(folder) as (server, _):
            report.at_most("idle memory in MiB", resident(server), 60)
        before = database.stat().st_size
        with running(folder) as (server, _):
            write(server, key, datapoints)
        stored = (database.stat().st_size - before) / datapoints
        report.at_most("bytes on the disk per datapoint", stored, 40, f"{datapoints:,} datapoints")
        starts = []
        for _ in range(3):
            with running(folder) as (server, seconds):
                starts.append(seconds)
        report.at_most("seconds to start with that database", min(starts), 1)
        with running(folder) as (server, _):
            read_all(server, key)
            sockets = subscribe(server, key)
            full = resident(server)
            for connection in sockets:
                connection.close()
        report.at_most("memory in MiB, all feeds and 1000 subscribers", full, 200)
    print(f"missed: {', '.join(report.missed)}" if report.missed else "all targets reached")


if __name__ == "__main__":
    main()
