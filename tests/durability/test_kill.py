"""
Nothing that was acknowledged is lost when the service is killed.

Sixteen devices write at the same time to a real service, each as fast as it is answered: current values,
several at once, history, corrections and deletions, in JSON and CSV. At a random moment the service is
killed; it is started again on the same directory, and every datastream is read back. What was answered must
be there to the letter. The one request of each device that had no answer yet must be there wholly or not at
all.

Half of the rounds are made with a service that folds its journal every thirty rows, so that many kills
hit a fold.
"""

from __future__ import annotations

import http.client
import json
import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from txpachube.testing.service import ServiceProcess
from txpachube.times import SECOND, format_micros, parse

ROUNDS = 14
"""Of each kind."""

CONNECTIONS = 16
FEEDS = 4
PATIENCE = 30.0
LAST_MOMENT = 1200
"""Acknowledged requests after which a round ends at the latest."""

FIRST_DAY = parse("2013-06-01T00:00:00Z")
HOUR = 3600 * SECOND

Points = dict[int, str]
Change = dict[tuple[str, int], str | None]
"""New value by datastream and time; None: it is deleted."""


class FoldingServiceProcess(ServiceProcess):
    """A service that folds its journal all the time."""

    def _command(self) -> list[str]:
        program = Path(__file__).with_name("folding_service.py")
        usual = super()._command()
        return [sys.executable, str(program), *usual[usual.index("serve") :]]


class Device:
    """
    One of those that write, with what it knows to be stored.

    Attributes:
        known: the datapoints of its datastreams that were acknowledged.
        unanswered: what the request that is under way would change.
        fault: an answer that should not have come.
    """

    def __init__(self, feed_id: int, number: int, api_key: str, seed: int) -> None:
        self.feed_id = feed_id
        self.streams = (f"d{number}-a", f"d{number}-b")
        self.known: dict[str, Points] = {name: {} for name in self.streams}
        self.unanswered: Change = {}
        self.fault: str | None = None
        self._headers = {"X-ApiKey": api_key}
        self._random = Random(seed)
        self._count = 0
        self._begin = 0

    def work(self, port: int, begin: int, acknowledged: Callable[[], None]) -> None:
        """Write until the service is gone, from the time ``begin`` on."""
        self._begin, self._count = begin, 0
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            while self.fault is None:
                method, path, body, self.unanswered = self._request()
                connection.request(method, path, body, self._headers)
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != 200:
                    self.fault = f"{method} {path}: {answer.status} {text!r}"
                self.learn(self.unanswered)
                self.unanswered = {}
                acknowledged()
        except (OSError, http.client.HTTPException):
            pass  # that is what a killed service looks like
        finally:
            connection.close()

    def learn(self, change: Change) -> None:
        """Take a change for done."""
        for (name, at), value in change.items():
            if value is None:
                self.known[name].pop(at, None)
            else:
                self.known[name][at] = value

    def allowed(self) -> list[dict[str, Points]]:
        """Return what may be stored: with the unanswered request, or without it."""
        without = {name: dict(points) for name, points in self.known.items()}
        self.learn(self.unanswered)
        self.unanswered = {}
        return [without, self.known]

    def _request(self) -> tuple[str, str, bytes, Change]:
        feed, name = f"/v2/feeds/{self.feed_id}", self._random.choice(self.streams)
        stream = f"{feed}/datastreams/{name}"
        recent = [at for at in self.known[name] if at >= self._begin]
        kind = self._random.choice(["one", "two", "csv", "history", "correction", "deletion", "range"])
        if not recent and kind in ("correction", "deletion", "range"):
            kind = "one"
        if kind == "one":
            at, value = self._point()
            body: Any = {"current_value": value, "at": format_micros(at)}
            return "PUT", f"{stream}.json", _json(body), {(name, at): value}
        if kind in ("two", "csv"):
            points = [(name, *self._point()) for name in self.streams]
            if kind == "csv":
                lines = "\n".join(f"{name},{format_micros(at)},{value}" for name, at, value in points)
                return "PUT", f"{feed}.csv", lines.encode(), {(name, at): value for name, at, value in points}
            body = {
                "datastreams": [
                    {"id": name, "current_value": value, "at": format_micros(at)}
                    for name, at, value in points
                ]
            }
            return "PUT", f"{feed}.json", _json(body), {(name, at): value for name, at, value in points}
        if kind == "history":
            history = [self._point() for _ in range(self._random.randint(2, 6))]
            body = {"datapoints": [{"at": format_micros(at), "value": value} for at, value in history]}
            return (
                "POST",
                f"{stream}/datapoints.json",
                _json(body),
                {(name, at): value for at, value in history},
            )
        at = self._random.choice(recent)
        point = f"{stream}/datapoints/{format_micros(at)}"
        if kind == "correction":
            value = self._point()[1]
            return "PUT", f"{point}.json", _json({"value": value}), {(name, at): value}
        if kind == "deletion":
            return "DELETE", point, b"", {(name, at): None}
        end = at + 3000
        query = f"{stream}/datapoints?start={format_micros(at)}&end={format_micros(end)}"
        return "DELETE", query, b"", {(name, moment): None for moment in recent if at <= moment <= end}

    def _point(self) -> tuple[int, str]:
        self._count += 1
        spelling = self._random.choice(["{:07d}", "{}.50", "-0{}", "n°{}", "{}e-3"])
        return self._begin + 1000 * self._count, spelling.format(self._count)


def _json(body: object) -> bytes:
    return json.dumps(body).encode()


def ask(service: ServiceProcess, method: str, path: str, body: bytes = b"") -> tuple[int, bytes, str]:
    """Return status, body and Location of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
    connection.request(method, path, body, {"X-ApiKey": service.api_key})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text, answer.getheader("Location", "")


def read(service: ServiceProcess, device: Device, name: str, hour: int) -> tuple[Points, dict[str, Any]]:
    """Return the datapoints of a datastream within an hour, and the rest of what the service says of it."""
    begin = FIRST_DAY + hour * HOUR
    status, text, _ = ask(
        service,
        "GET",
        f"/v2/feeds/{device.feed_id}/datastreams/{name}.json"
        f"?start={format_micros(begin)}&end={format_micros(begin + HOUR - 1)}&interval=0&limit=1000",
    )
    assert status == 200, text
    document = json.loads(text)
    points = {parse(point["at"]): point["value"] for point in document.get("datapoints", [])}
    assert len(points) < 1000, "there may be more than one page of them"
    return points, document


def check_files(data: Path, scratch: Path) -> None:
    """Look whether the files as they are now make a sound database, without touching them."""
    scratch.mkdir()
    for end in ("", "-wal"):
        shutil.copy(data / f"pachube.sqlite3{end}", scratch)
    connection = sqlite3.connect(scratch / "pachube.sqlite3")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    shutil.rmtree(scratch)


def make_devices(service: ServiceProcess, random: Random) -> list[Device]:
    devices: list[Device] = []
    for number in range(CONNECTIONS):
        if number < FEEDS:
            status, _, location = ask(service, "POST", "/v2/feeds.json", b'{"title": "Kill me"}')
            assert status == 201
            feed_id = int(location.rpartition("/")[2])
        else:
            feed_id = devices[number % FEEDS].feed_id
        device = Device(feed_id, number, service.api_key, random.getrandbits(64))
        streams = _json({"datastreams": [{"id": name} for name in device.streams]})
        assert ask(service, "POST", f"/v2/feeds/{feed_id}/datastreams.json", streams)[0] == 201
        devices.append(device)
    return devices


def write_until_killed(service: ServiceProcess, devices: list[Device], hour: int, moment: int) -> None:
    """Let all devices write, and kill the service when so many requests were acknowledged."""
    acknowledged = threading.Semaphore(0)
    threads = [
        threading.Thread(
            target=device.work, args=(service.port, FIRST_DAY + hour * HOUR, acknowledged.release)
        )
        for device in devices
    ]
    for thread in threads:
        thread.start()
    for _ in range(moment):
        assert acknowledged.acquire(timeout=PATIENCE), [device.fault for device in devices]
    service.kill()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert [device.fault for device in devices if device.fault] == []


@pytest.fixture(params=[ServiceProcess, FoldingServiceProcess])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceProcess]:
    """A service in a process of its own."""
    with request.param(tmp_path / "data") as process:
        yield process


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_was_acknowledged_survives_a_kill(service: ServiceProcess, tmp_path: Path) -> None:
    """Every update answered with 200 is there afterwards, verbatim, and the database is sound."""
    seed = Random().getrandbits(32)
    print("seed", seed)  # noqa: T201 - shown when the test fails
    random = Random(seed)
    devices = make_devices(service, random)
    everything: dict[tuple[Device, str], Points] = {
        (device, name): {} for device in devices for name in device.streams
    }
    answered = 0
    for hour in range(ROUNDS):
        moment = random.randrange(1, LAST_MOMENT)
        write_until_killed(service, devices, hour, moment)
        answered += moment
        check_files(service.data, tmp_path / "copy")
        service.start()
        for device in devices:
            found = {name: read(service, device, name, hour)[0] for name in device.streams}
            assert found in device.allowed(), (hour, device.streams)
            device.known = {name: {} for name in device.streams}
            for name, points in found.items():
                everything[device, name].update(points)
    for (device, name), expected in everything.items():
        found_all: Points = {}
        for hour in range(ROUNDS):
            points, document = read(service, device, name, hour)
            found_all.update(points)
        assert found_all == expected
        newest = max(expected)
        assert (parse(document["at"]), document["current_value"]) == (newest, expected[newest])
    assert answered > ROUNDS
    assert sum(map(len, everything.values())) > answered / 2
    assert service.stop() == 0
