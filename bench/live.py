"""
The doors for live data under load, as ratios: PAWS over TCP and WebSocket, and MQTT.

    python -m bench.live [SECONDS] [PART ...]

- *updates*: updates per second through each door against HTTP PUTs, with the same documents on the same
  service, each stored before it is answered: on one connection, alone and with 32 in flight, and on 32;
- *fan-out*: one writer and 1000 subscribers of a feed, through each door, against Mosquitto that hands the
  same payload to 1000 subscribers, with one update in flight and with 32, and the delay that 99 of 100
  messages stay within;
- *idle*: what 10 000 connections cost that do nothing, and what they cost others;
- *deaf*: what subscribers cost that never read, while 100 000 updates pass, and what they cost others.

The service stores every update before it tells anybody of it; Mosquitto stores nothing. The load is on a core
of its own, and the rounds alternate, so that what else the machine does falls on both alike; what counts is
the median. Ratios by processor time are printed too, since they hold also on a busy machine.
Mosquitto is the Debian package of that name.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
from bench.load import LOAD_CORE, SERVER_CORE, Load, Server, ask, binder
from bench.service import FEEDS, Report, prepare

ROUNDS = 5
SUBSCRIBERS = 1000
CONNECTIONS = 32
IN_FLIGHT = 32
IDLE = 10_000
DEAF = 30
UPDATES_PASSING = 100_000
LOOPBACK = "tcp:0:interface=127.0.0.1"
STREAMS = 5
LIVE_DOORS = ("paws", "websocket", "mqtt")
DOORS = ("http", *LIVE_DOORS)


@attrs.frozen
class Target:
    """
    A server: its ports by door, its process and what lets in.

    Attributes:
        url: of HTTP.
    """

    ports: dict[str, int]
    pid: int
    key: str
    url: str = ""

    def memory(self) -> int:
        """Return the bytes of memory that it has."""
        found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text(), re.M)
        assert found is not None
        return int(found[1]) * 1024


@attrs.frozen
class Round:
    """What one round of load measured; delays in seconds by percentile."""

    rate: float
    cpu: float
    delays: dict[str, float]

    def __str__(self) -> str:
        delays = "".join(f"  p{p} {delay * 1e3:.1f} ms" for p, delay in self.delays.items())
        return f"{self.rate:,.0f}/s  cpu {self.cpu * 1e6:.2f} us{delays}"


def command(kind: str, door: str, target: Target, *arguments: object) -> list[str]:
    """Return how load is made in a process of its own."""
    words = [sys.executable, "-m", "bench.live_load", kind, door, target.ports[door.removesuffix("+")]]
    return [str(word) for word in [*words, target.pid, target.key, *arguments]]


def load(kind: str, door: str, target: Target, *arguments: object) -> Round:
    """Run one round of load."""
    done = subprocess.run(
        command(kind, door, target, *arguments),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        preexec_fn=binder(LOAD_CORE),
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return Round(found["count"] / found["seconds"], found["cpu"] / found["count"], found["delays"])


@contextmanager
def held(door: str, target: Target, count: int) -> Iterator[None]:
    """Have so many connections for as long as the block lasts; see `bench.live_load`."""
    process = subprocess.Popen(
        command("hold", door, target, count), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


@contextmanager
def service() -> Iterator[Target]:
    """Run a fresh service with feeds in it and all doors open."""
    with tempfile.TemporaryDirectory(prefix="txpachube-bench-") as name:
        folder = Path(name)
        key = prepare(folder)
        words = [sys.executable, "-m", "txpachube.cli", "serve", "--data", str(folder)]
        for door in DOORS:
            words += [f"--{door}", LOOPBACK]
        with Server([*words, "--log", str(folder / "log")]) as server:
            ports = {door: int(server.urls[door].rstrip("/").rpartition(":")[2]) for door in DOORS}
            yield Target(ports, server.process.pid, key, server.url)


def find_mosquitto() -> str | None:
    """Return where Mosquitto is, which Debian puts where only the superuser looks."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def mosquitto(folder: Path) -> Iterator[Target]:
    """Run Mosquitto without anything that costs it time."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = folder / "mosquitto.conf"
    settings.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nlog_type none\n"
        "persistence false\nmax_queued_messages 0\nmax_inflight_messages 0\n"
    )
    program = find_mosquitto()
    assert program is not None
    process = subprocess.Popen([program, "-c", str(settings)], preexec_fn=binder(SERVER_CORE))  # noqa: PLW1509 - as above
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield Target({"mqtt": port}, process.pid, "anybody")
    finally:
        process.terminate()
        process.wait()


def updates(report: Report, seconds: float) -> None:
    """Measure updates through each door against PUTs."""
    cases = ((1, 1), (1, IN_FLIGHT), (CONNECTIONS, 1), (CONNECTIONS, IN_FLIGHT))
    measured: dict[tuple[str, int, int], list[Round]] = {}
    with service() as target:
        for _ in range(ROUNDS):
            for connections, depth in cases:
                for door in DOORS:
                    done = load("put", door, target, seconds, connections, depth, FEEDS)
                    measured.setdefault((door, connections, depth), []).append(done)
    for connections, depth in cases:
        base = median(measured["http", connections, depth])
        what = f"{connections} connection{'s' * (connections > 1)}, {depth} in flight"
        print(f"{f'HTTP PUT, {what}':58} {base}")
        for door in LIVE_DOORS:
            found = median(measured[door, connections, depth])
            report.at_least(f"{door}, {what} / HTTP PUT", found.rate / base.rate, 1, found)
            report.at_least(f"{door}, {what}, by cpu", base.cpu / found.cpu, 1)


def fan_out(report: Report, seconds: float) -> None:
    """Measure one writer and many subscribers against Mosquitto."""
    if find_mosquitto() is None:
        print("skipped: Mosquitto is missing (apt-get install mosquitto)")
        return
    with tempfile.TemporaryDirectory(prefix="txpachube-bench-") as name:
        folder = Path(name)
        payload = folder / "payload"
        with service() as target, mosquitto(folder) as broker:
            payload.write_bytes(filled(target))
            for in_flight, wanted in ((1, 1), (IN_FLIGHT, 2)):
                rounds: dict[str, list[Round]] = {}
                for _ in range(ROUNDS):
                    for door in LIVE_DOORS:
                        done = load("fan-out", door, target, seconds, SUBSCRIBERS, in_flight)
                        rounds.setdefault(door, []).append(done)
                    done = load("fan-out", "mqtt", broker, seconds, SUBSCRIBERS, in_flight, payload)
                    rounds.setdefault("mosquitto", []).append(done)
                compared = median(rounds["mosquitto"])
                print(f"{f'Mosquitto, {SUBSCRIBERS} subscribers, {in_flight} in flight':58} {compared}")
                for door in LIVE_DOORS:
                    # Over TCP each message is a write of its own, for clients that count on it.
                    aim = 1 if door == "paws" else wanted
                    found = median(rounds[door])
                    what = f"{door}, {SUBSCRIBERS} subscribers, {in_flight} in flight / Mosquitto"
                    report.at_least(what, found.rate / compared.rate, aim, found)
                    report.at_least(f"{what}, by cpu", compared.cpu / found.cpu, aim)
                    report.at_most(f"{what}, p99 delay", found.delays["99"] / compared.delays["99"], 1)


def filled(target: Target) -> bytes:
    """Give feed 1 values and return its document. They are the limits of what follows: all are as long."""
    headers = {"X-ApiKey": target.key}
    for value in ("10.0", "99.9"):
        streams = [{"id": f"stream{n}", "current_value": value} for n in range(STREAMS)]
        body = json.dumps({"datastreams": streams})
        status, _ = ask(target.url, Load(method="PUT", path="/v2/feeds/1.json", headers=headers, body=body))
        assert status == 200
    status, document = ask(target.url, Load(path="/v2/feeds/1.json", headers=headers))
    assert status == 200
    return document


def idle(report: Report, seconds: float) -> None:
    """Measure what idle connections cost."""
    for door in LIVE_DOORS:
        without: list[Round] = []
        beside: list[Round] = []
        with service() as target:
            load("put", "http", target, seconds, CONNECTIONS, 1, FEEDS)
            before = target.memory()
            with held(door, target, IDLE):
                taken = (target.memory() - before) / IDLE
            for _ in range(ROUNDS):
                without.append(load("put", "http", target, seconds, CONNECTIONS, 1, FEEDS))
                with held(door, target, IDLE):
                    beside.append(load("put", "http", target, seconds, CONNECTIONS, 1, FEEDS))
        report.at_most(f"{door}: KiB for each of {IDLE} idle connections", taken / 1024, 12)
        found, compared = median(beside), median(without)
        what = f"HTTP PUT beside {IDLE} idle {door} connections / without"
        report.at_least(what, found.rate / compared.rate, 0.95, found)
        report.at_least(f"{what}, by cpu", compared.cpu / found.cpu, 0.95, compared)


def deaf(report: Report, seconds: float) -> None:
    """Measure what subscribers cost that do not read."""
    for door in LIVE_DOORS:
        without: list[Round] = []
        beside: list[Round] = []
        with service() as target:
            filled(target)
            # Once through the journal and its folding, so that all memory has been used that ever is.
            rate = load("fan-out", door, target, seconds, 1, IN_FLIGHT).rate
            load("fan-out", door, target, UPDATES_PASSING / rate, 1, IN_FLIGHT)
            before = target.memory()
            with held(f"{door}+", target, DEAF):
                passing = 0.0
                while passing < UPDATES_PASSING:
                    passing += seconds * load("fan-out", door, target, seconds, 1, IN_FLIGHT).rate
                grown = (target.memory() - before) / 2**20
                for _ in range(ROUNDS):
                    beside.append(load("fan-out", door, target, seconds, 1, 1))
            for _ in range(ROUNDS):
                without.append(load("fan-out", door, target, seconds, 1, 1))
        what = f"{door}: {DEAF} subscribers that never read"
        report.at_most(f"{what}, {UPDATES_PASSING} updates: MiB more", grown, 16)
        found, compared = median(beside), median(without)
        report.at_most(f"{what}: p99 of another / without", found.delays["99"] / compared.delays["99"], 1.2)
        report.at_least(f"{what}: updates / without", found.rate / compared.rate, 0.9, found)


def median(rounds: list[Round]) -> Round:
    """Return the median of each figure."""
    return Round(
        statistics.median(each.rate for each in rounds),
        statistics.median(each.cpu for each in rounds),
        {p: statistics.median(each.delays[p] for each in rounds) for p in rounds[0].delays},
    )


PARTS = {"updates": updates, "fan-out": fan_out, "idle": idle, "deaf": deaf}


def main() -> None:
    """Measure everything; the exit status is 0 also when a target is missed: the machine may be busy."""
    wanted = [word for word in sys.argv[1:] if word in PARTS]
    seconds = [float(word) for word in sys.argv[1:] if word not in PARTS]
    report = Report()
    for name in wanted or PARTS:
        PARTS[name](report, seconds[0] if seconds else 3.0)
    print(f"missed: {', '.join(report.missed)}" if report.missed else "all targets reached")


if __name__ == "__main__":
    main()
