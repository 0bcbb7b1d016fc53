"""
The MQTT door under load, as ratios.

    python -m bench.mqtt [SECONDS]

- publishes per second against HTTP PUTs per second, with the same documents, on the same service: on as many
  connections as HTTP has, each waiting for its acknowledgement before the next, and with 32 in flight;
- one writer and 1000 subscribers of a feed against Mosquitto that hands the same payload to 1000
  subscribers, with one update in flight and with 32, and the delay that 99 of 100 messages stay within.

The service stores every update before it tells anybody of it; Mosquitto stores nothing. The load is on a core
of its own, and the rounds alternate, so that what else the machine does falls on both alike; what counts is
the median. Ratios by processor time are printed too, since they hold also on a busy machine.
Mosquitto is the Debian package of that name.
"""

from __future__ import annotations

import json
import os
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
from bench.load import LOAD_CORE, SERVER_CORE, Load, NoLoadGenerator, Server, ask, binder
from bench.service import FEEDS, Report, checked, prepare, update

ROUNDS = 5
SUBSCRIBERS = 1000
CONNECTIONS = 32
IN_FLIGHT = 32
LOOPBACK = "tcp:0:interface=127.0.0.1"
STREAMS = 5


@attrs.frozen
class Target:
    """A server that speaks MQTT: its port, its process and what lets in."""

    port: int
    pid: int
    key: str


@attrs.frozen
class Round:
    """What one round of load measured; delays in seconds by percentile."""

    rate: float
    cpu: float
    delays: dict[str, float]

    def __str__(self) -> str:
        delays = "".join(f"  p{p} {delay * 1e3:.1f} ms" for p, delay in self.delays.items())
        return f"{self.rate:,.0f}/s  cpu {self.cpu * 1e6:.2f} us{delays}"


def load(kind: str, target: Target, seconds: float, *arguments: object) -> Round:
    """Run one round of load in a process of its own."""
    command = [sys.executable, "-m", "bench.mqtt_load", kind, target.port, target.pid, target.key, seconds]
    done = subprocess.run(
        [str(word) for word in [*command, *arguments]],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        preexec_fn=binder(LOAD_CORE),
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return Round(found["count"] / found["seconds"], found["cpu"] / found["count"], found["delays"])


@contextmanager
def service(folder: Path) -> Iterator[tuple[Server, Target]]:
    """Run a fresh service with feeds in it."""
    key = prepare(folder)
    command = [
        *(sys.executable, "-m", "txpachube.cli", "serve", "--data", str(folder)),
        *("--http", LOOPBACK, "--mqtt", LOOPBACK, "--no-paws", "--no-websocket"),
        *("--log", str(folder / "log")),
    ]
    with Server(command) as server:
        port = int(server.urls["mqtt"].rpartition(":")[2])
        yield server, Target(port, server.process.pid, key)


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
        yield Target(port, process.pid, "anybody")
    finally:
        process.terminate()
        process.wait()


def publishing(report: Report, seconds: float) -> None:
    """Measure publishes against PUTs."""
    with tempfile.TemporaryDirectory(prefix="txpachube-bench-") as folder, service(Path(folder)) as running:
        server, target = running
        puts: list[Round] = []
        alone: list[Round] = []
        many: list[Round] = []
        for _ in range(ROUNDS):
            measured = checked(server, update(target.key, CONNECTIONS, seconds))
            puts.append(Round(measured.rate, (measured.cpu or 0) / measured.requests, {}))
            alone.append(load("publish", target, seconds, CONNECTIONS, 1, FEEDS))
            many.append(load("publish", target, seconds, CONNECTIONS, IN_FLIGHT, FEEDS))
    put = median(puts)
    print(f"{'HTTP PUT':58} {put}")
    for in_flight, rounds in ((1, alone), (IN_FLIGHT, many)):
        found = median(rounds)
        what = f"publish, {CONNECTIONS} connections, {in_flight} in flight / HTTP PUT"
        report.at_least(what, found.rate / put.rate, 1, found)
        report.at_least(f"{what}, by cpu", put.cpu / found.cpu, 1)


def fan_out(report: Report, seconds: float) -> None:
    """Measure one writer and many subscribers against Mosquitto."""
    with tempfile.TemporaryDirectory(prefix="txpachube-bench-") as name:
        folder = Path(name)
        payload = folder / "payload"
        with service(folder / "service") as (server, target), mosquitto(folder) as broker:
            for value in ("10.0", "99.9"):  # the limits of what follows, so that all messages are as long
                streams = [{"id": f"stream{n}", "current_value": value} for n in range(STREAMS)]
                body = json.dumps({"datastreams": streams})
                headers = {"X-ApiKey": target.key}
                status, _ = ask(
                    server.url, Load(method="PUT", path="/v2/feeds/1.json", headers=headers, body=body)
                )
                assert status == 200
            status, document = ask(server.url, Load(path="/v2/feeds/1.json", headers=headers))
            assert status == 200
            payload.write_bytes(document)
            for in_flight, wanted in ((1, 1), (IN_FLIGHT, 2)):
                ours: list[Round] = []
                theirs: list[Round] = []
                for _ in range(ROUNDS):
                    ours.append(load("fan-out", target, seconds, SUBSCRIBERS, in_flight))
                    theirs.append(load("fan-out", broker, seconds, SUBSCRIBERS, in_flight, payload))
                found, compared = median(ours), median(theirs)
                what = f"{SUBSCRIBERS} subscribers, {in_flight} in flight / Mosquitto"
                report.at_least(what, found.rate / compared.rate, wanted, found)
                report.at_least(f"{what}, by cpu", compared.cpu / found.cpu, wanted, compared)
                report.at_most(f"{what}, p99 delay", found.delays["99"] / compared.delays["99"], 1)


def median(rounds: list[Round]) -> Round:
    """Return the median of each figure."""
    return Round(
        statistics.median(each.rate for each in rounds),
        statistics.median(each.cpu for each in rounds),
        {p: statistics.median(each.delays[p] for each in rounds) for p in rounds[0].delays},
    )


def main() -> None:
    """Measure everything; the exit status is 0 also when a target is missed: the machine may be busy."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    report = Report()
    try:
        publishing(report, seconds)
    except NoLoadGenerator as missing:
        print(missing)
    if find_mosquitto() is None:
        print("skipped: Mosquitto is missing (apt-get install mosquitto)")
    else:
        fan_out(report, seconds)
    print(f"missed: {', '.join(report.missed)}" if report.missed else "all targets reached")


if __name__ == "__main__":
    main()
