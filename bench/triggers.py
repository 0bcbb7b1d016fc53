"""
What triggers cost the updates of the datastreams they watch, as ratios.

    python -m bench.triggers [SECONDS]

- 1000 triggers on one datastream, that stay calm or that the values cross all the time: the same updates take
  less than twice the time of those of a feed without triggers;
- webhooks whose receiver takes the request and is silent: updates of the same feed, and of others, are as
  fast as with a receiver that answers at once.

The service runs on one core, the load generator (wrk) and the receivers on another. The rounds alternate,
so that what else the machine does falls on all alike; what counts is the median. Ratios by processor time
are printed too, since they hold also on a busy machine.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import attrs
from bench.load import LOAD_CORE, Load, Measured, NoLoadGenerator, Server, ask, binder
from bench.service import Report, checked, service

ROUNDS = 5
TRIGGERS = 1000
WEBHOOKS = 100
CONNECTIONS = 32
PLAIN, CALM, BUSY, HANGING, ANSWERED = 1, 2, 3, 4, 5
"""The feeds: without triggers, with calm ones, with busy ones, with webhooks of the two receivers."""

_ANSWERING = """
import socketserver
class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def updates(feed: int, key: str, seconds: float) -> Load:
    """Return a load of updates of one feed, whose first value changes from 0 to 99 and again."""
    return Load(
        method="PUT",
        path=f"/v2/feeds/{feed}.json",
        headers={"X-ApiKey": key, "Content-Type": "application/json"},
        body='{"version":"1.0.0","datastreams":[{"id":"temperature","current_value":"%d.5"},'
        '{"id":"humidity","current_value":"48"}]}',
        vary=100,
        connections=CONNECTIONS,
        seconds=seconds,
    )


def add_trigger(server: Server, key: str, feed: int, kind: str, threshold: float, url: str) -> None:
    """Make a trigger on a feed's first datastream."""
    body = {
        "environment_id": feed,
        "stream_id": "temperature",
        "url": url,
        "trigger_type": kind,
        "threshold_value": str(threshold),
    }
    headers = {"X-ApiKey": key, "Content-Type": "application/json"}
    status, answer = ask(
        server.url,
        Load(method="POST", path="/v2/triggers.json", headers=headers, body=json.dumps({"trigger": body})),
    )
    assert status == 201, answer


@contextmanager
def silent() -> Iterator[str]:
    """Take connections and never say a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)  # the kernel takes them, and nobody reads
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/silent"


@contextmanager
def answering() -> Iterator[str]:
    """Answer every request with 200, in a process on the core of the load."""
    process = subprocess.Popen(
        [sys.executable, "-c", _ANSWERING],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=binder(LOAD_CORE),  # noqa: PLW1509 - this program has no threads
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/answering"
    finally:
        process.kill()
        process.wait()


@attrs.frozen
class Cost:
    """The medians of the rounds: updates per second, and processor time of one."""

    rate: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.rate:,.0f}/s  cpu {self.cpu * 1e6:.1f} us"


def costs(feeds: list[int], measure: Callable[[int], Measured]) -> dict[int, Cost]:
    """Return what the updates of feeds cost, one after the other in every round."""
    found: dict[int, list[Measured]] = {feed: [] for feed in feeds}
    for _ in range(ROUNDS):
        for feed in feeds:
            found[feed].append(measure(feed))
    return {
        feed: Cost(
            statistics.median(each.rate for each in rounds),
            statistics.median((each.cpu or 0) / each.requests for each in rounds),
        )
        for feed, rounds in found.items()
    }


def watched(report: Report, server: Server, key: str, measure: Callable[[int], Measured], url: str) -> None:
    """Measure updates of a datastream with many triggers."""
    for number in range(TRIGGERS):
        kind = ("gt", "gte", "lt", "lte", "eq", "change", "frozen", "live")[number % 8]
        add_trigger(server, key, BUSY, kind, number % 100, url)
        add_trigger(server, key, CALM, ("gt", "gte")[number % 2], 1000 + number, url)
    cost = costs([PLAIN, CALM, BUSY], measure)
    print(f"{'PUT, no triggers':58} {cost[PLAIN]}")
    for feed, what in ((CALM, "calm"), (BUSY, "all types, crossed all the time")):
        name = f"PUT, {TRIGGERS} triggers, {what}, time / none"
        report.at_most(name, cost[PLAIN].rate / cost[feed].rate, 2, cost[feed])
        report.at_most(f"{name}, by cpu", cost[feed].cpu / cost[PLAIN].cpu, 2)


def notified(
    report: Report,
    server: Server,
    key: str,
    measure: Callable[[int], Measured],
    silent_: str,
    answering_: str,
) -> None:
    """Measure updates while webhooks are sent, and while their receiver is silent."""
    for _ in range(WEBHOOKS):
        add_trigger(server, key, ANSWERED, "change", 0, answering_)
        add_trigger(server, key, HANGING, "change", 0, silent_)
    measure(HANGING)  # from now on the receiver has all the connections it can have
    cost = costs([ANSWERED, HANGING, PLAIN], measure)
    print(f"{f'PUT, {WEBHOOKS} webhooks that are answered':58} {cost[ANSWERED]}")
    name = f"PUT, {WEBHOOKS} webhooks that hang, time / answered"
    report.at_most(name, cost[ANSWERED].rate / cost[HANGING].rate, 1.1, cost[HANGING])
    report.at_most(f"{name}, by cpu", cost[HANGING].cpu / cost[ANSWERED].cpu, 1.1)
    print(f"{'PUT to another feed meanwhile':58} {cost[PLAIN]}")


def main() -> None:
    """Measure everything; the exit status is 0 also when a target is missed: the machine may be busy."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    report = Report()
    try:
        with silent() as hanging, answering() as answered:
            with service("--webhook-private-addresses") as (server, key):
                watched(
                    report, server, key, lambda feed: checked(server, updates(feed, key, seconds)), answered
                )
            with service("--webhook-private-addresses") as (server, key):
                measure = lambda feed: checked(server, updates(feed, key, seconds))  # noqa: E731 - short
                before = costs([PLAIN], measure)[PLAIN]
                notified(report, server, key, measure, hanging, answered)
                print(f"{'PUT to another feed before all that':58} {before}")
    except NoLoadGenerator as missing:
        print(missing)
    print(f"missed: {', '.join(report.missed)}" if report.missed else "all targets reached")


if __name__ == "__main__":
    main()
