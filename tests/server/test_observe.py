"""What is noticed of requests: counts, ids, and the events of the access log."""

from __future__ import annotations

import json
from io import StringIO
from random import Random

import pytest
from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel
from zope.interface import implementer

from txpachube.api.messages import Request, Response
from txpachube.cli.logs import observer_for
from txpachube.server.access_log import AccessLog
from txpachube.server.observe import BOUNDS, Observations, Visit
from txpachube.testing.inprocess import InProcess


class Steps:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def noticed(observations: Observations, clock: Steps, seconds: float, status: int = 200) -> Response:
    """Let a request without a route take so long; return its answer."""
    visit = Visit(Request("GET", "/"), "http", 0, clock.now)
    clock.now += seconds
    response = Response(status)
    observations.answered(visit, response)
    return response


def test_times_fall_between_their_bounds() -> None:
    """A request that took as long as a bound says belongs below it."""
    clock = Steps()
    observations = Observations(bytes, clock)
    for seconds in (0.0, BOUNDS[0], BOUNDS[0] * 1.01, 99.0):
        noticed(observations, clock, seconds)
        clock.now = 0.0
    tally = observations.tallies()["none", 200]
    assert tally[:-1] == [2, 1, *[0] * (len(BOUNDS) - 2), 1]
    assert tally[-1] == pytest.approx(99 + BOUNDS[0] * 2.01)


def test_each_status_is_counted_apart() -> None:
    """What is answered alike is counted together, and nothing else."""
    clock = Steps()
    observations = Observations(bytes, clock)
    for status in (200, 404, 404):
        noticed(observations, clock, 0.0, status)
    assert {place: sum(tally) for place, tally in observations.tallies().items()} == {
        ("none", 200): 1,
        ("none", 404): 2,
    }


def test_an_id_is_given_where_somebody_writes_it_down() -> None:
    """The witness and the answer get the same id, each request another one."""
    observations = Observations(Random(1).randbytes, Steps())
    assert noticed(observations, Steps(), 0.0).request_id is None
    seen: list[str] = []
    observations.witnesses.append(lambda visit, status, seconds, request_id: seen.append(request_id))
    answers = [noticed(observations, Steps(), 0.0).request_id for _ in range(300)]
    assert answers == seen
    assert len(set(seen)) == 300
    assert {len(text) for text in seen} == {40}


@pytest.fixture(params=["json", "text"])
def written(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """Return what the access log wrote, in one of the formats."""
    output = StringIO()
    monkeypatch.setattr(AccessLog, "log", Logger(observer=observer_for(request.param, output)))
    return output


SECRETS = ("master-of-rosa", "k3y", "cm9zYQ", "pass", "c0de", "nobodys")


async def test_the_access_log_tells_no_secret(garden: InProcess, written: StringIO) -> None:
    """Neither keys in headers, paths and queries, nor passwords, nor activation codes are in it."""
    garden.app._observations.witnesses.append(AccessLog())
    await garden.ask("PUT /v2/feeds/1.csv", "temp,1")
    await garden.ask("PUT /v2/feeds/1.csv?key=k3y", "temp,1", key="")
    await garden.ask("GET /v2/keys/k3y")
    await garden.ask("GET /k3y/v2")
    await garden.ask("GET /v2/devices/c0de/activate", key="")
    await garden.ask("GET /v2/feeds", headers={"authorization": "Basic cm9zYTpwYXNz"}, key="")
    await garden.ask("GET /v2/feeds/1", key="nobodys")
    await garden.ask("K3Y%0A /v2/feeds/1")
    text = written.getvalue()
    lines = text.splitlines()
    assert len(lines) == 8
    assert "PUT /v2/feeds/{feed_id} 200 " in lines[0]
    assert "'a key'" in lines[0]
    for secret in SECRETS:
        assert secret not in text


async def test_an_event_has_its_parts_by_name(garden: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program finds id, label, route, status and time without reading the text."""
    events: list[LogEvent] = []

    @implementer(ILogObserver)
    def take(event: LogEvent) -> None:
        events.append(event)

    monkeypatch.setattr(AccessLog, "log", Logger(observer=take))
    garden.app._observations.witnesses.append(AccessLog())
    answer = await garden.ask("GET /v2/feeds/1/datastreams/temp.csv?x=1")
    (event,) = events
    assert event["request_id"] == answer.request_id
    assert (event["method"], event["route"]) == ("GET", "/v2/feeds/{feed_id}/datastreams/{datastream_id}")
    assert (event["status"], event["feed"], event["key"]) == (200, 1, "a key")
    assert event["milliseconds"] >= 0
    assert event["peer"] == "192.0.2.7"


def test_json_lines() -> None:
    """Each event is an object in one line, whatever is in it; a failure has its traceback in the message."""
    output = StringIO()
    log = Logger("place", observer=observer_for("json", output))
    log.warn("two\nlines {n}", n=1, odd=object())
    try:
        raise ValueError("reason")
    except ValueError:
        log.failure("it failed")
    first, second = [json.loads(line) for line in output.getvalue().splitlines()]
    assert first["message"] == "two\nlines 1"
    assert (first["level"], first["source"], first["n"]) == ("warn", "place", 1)
    assert "odd" not in first
    assert first["time"].endswith("+00:00")
    assert second["level"] == LogLevel.critical.name
    assert "ValueError: reason" in second["message"]
