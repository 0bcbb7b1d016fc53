"""
A clock that jumps, as that of a small computer does when it finds the network, or that somebody sets wrong.

The service runs for real with all doors, and only its time of day is moved. What it must keep: every value
that was acknowledged, at the time that the clock showed; answers at every door; feeds that are live or frozen
by the clock as it is now; triggers that fire; and a key that may ask again, at the latest when the
average is taken anew.
"""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from urllib.parse import unquote_plus

import pytest
from tests.soak.clocks import WrongClock
from tests.soak.services import DOORS, PATIENCE, AllDoors, ask, ask_json
from tests.soak.sizes import size
from tests.soak.writers import open_writer

from txpachube.times import SECOND, format_micros, parse

DAY = 86400 * SECOND
YEAR = 365 * DAY

JUMPS = size(
    [DAY, -DAY, 12 * YEAR, -12 * YEAR, -3 * DAY],
    [DAY, -DAY, 12 * YEAR, -12 * YEAR, -3 * DAY, -30 * YEAR, 60 * YEAR, -30 * YEAR, 1, 3600 * SECOND] * 5,
)
PER_MINUTE = 60

pytestmark = [pytest.mark.slow, pytest.mark.timeout(size(180, 1800))]


@pytest.fixture
def clock(tmp_path: Path) -> WrongClock:
    """The service's clock."""
    return WrongClock(tmp_path / "clock")


@pytest.fixture
def receiver() -> Iterator[tuple[str, Queue[str]]]:
    """Where webhooks go: its URL, and the types of the triggers that fired."""
    fired: Queue[str] = Queue()

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            fired.put(body.decode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", fired
    server.shutdown()
    server.server_close()


def test_a_clock_that_jumps_breaks_nothing(
    clock: WrongClock, tmp_path: Path, receiver: tuple[str, Queue[str]]
) -> None:
    """Whatever the clock did: values are stored at its time, histories answered, triggers fire."""
    url, fired = receiver
    private = ("--webhook-private-addresses",)
    streams = [{"id": name} for name in (*DOORS, "arrival")]
    with AllDoors(tmp_path / "data", clock.odd, arguments=private) as service:
        assert ask(service, "POST", "/v2/feeds", {"title": "T", "datastreams": streams})[0] == 201
        writers = {door: open_writer(service, door) for door in DOORS}
        stored: dict[tuple[str, int], str] = {}
        for number, jump in enumerate([0, *JUMPS]):
            clock.set_by(jump)
            for door in DOORS:
                at = clock.now
                stored[door, at] = f"{number}.50"
                writers[door].write(1, {door: stored[door, at]}, at)
            check_arrival(service, clock, number)
            check_trigger(service, f"new-{number}", url, fired)
        for (door, at), value in stored.items():
            found = ask_json(service, f"/v2/feeds/1/datastreams/{door}/datapoints/{format_micros(at)}.json")
            assert found["value"] == value
        for writer in writers.values():
            writer.close()
        assert "Traceback" not in service.log
        assert service.stop() == 0
        service.start()
        assert ask_json(service, "/v2/feeds/1.json")["title"] == "T"


def check_arrival(service: AllDoors, clock: WrongClock, number: int) -> None:
    """Write a value without a time, which gets that of its arrival, and look for it in histories."""
    before = clock.now
    body = {"datastreams": [{"id": "arrival", "current_value": f"{number}"}]}
    assert ask(service, "PUT", "/v2/feeds/1.json", body)[0] == 200
    after = clock.now
    feed = ask_json(service, "/v2/feeds/1.json")
    assert feed["status"] == "live"
    assert before <= parse(feed["updated"]) <= after
    path = "/v2/feeds/1/datastreams/arrival.json"
    for query in (
        "?duration=1hour",
        "?duration=1day&interval=300",
        "?limit=10",
        "?duration=1year&interval=86400",
    ):
        assert ask_json(service, f"{path}?{query}")["id"] == "arrival"
    points = ask_json(service, f"{path}?duration=1minute&interval=0")["datapoints"]
    assert [f"{number}"] == [point["value"] for point in points if before <= parse(point["at"]) <= after]


def check_trigger(service: AllDoors, name: str, url: str, fired: Queue[str]) -> None:
    """Have a new datastream with a trigger, and change its value."""
    streams = {"datastreams": [{"id": name, "current_value": "1"}]}
    assert ask(service, "POST", "/v2/feeds/1/datastreams.json", streams)[0] == 201
    trigger = {"environment_id": 1, "stream_id": name, "trigger_type": "change", "url": url}
    assert ask(service, "POST", "/v2/triggers.json", {"trigger": trigger})[0] == 201
    assert ask(service, "PUT", f"/v2/feeds/1/datastreams/{name}.json", {"current_value": "2"})[0] == 200
    assert name in unquote_plus(fired.get(timeout=PATIENCE))


def test_a_trigger_fires_that_waits_for_silence(
    clock: WrongClock, tmp_path: Path, receiver: tuple[str, Queue[str]]
) -> None:
    """A datastream that is frozen because the clock was set forward is told of, as by any silence."""
    url, fired = receiver
    with AllDoors(tmp_path / "data", clock.odd, arguments=("--webhook-private-addresses",)) as service:
        streams = [{"id": "quiet", "current_value": "1"}]
        assert ask(service, "POST", "/v2/feeds", {"title": "T", "datastreams": streams})[0] == 201
        trigger = {"environment_id": 1, "stream_id": "quiet", "trigger_type": "frozen", "url": url}
        assert ask(service, "POST", "/v2/triggers.json", {"trigger": trigger})[0] == 201
        clock.set_by(DAY)
        assert "quiet" in unquote_plus(fired.get(timeout=PATIENCE))


def test_feeds_freeze_and_thaw_by_the_clock_as_it_is(clock: WrongClock, tmp_path: Path) -> None:
    """A feed is frozen as soon as the clock says so, live when it was set back, and live with new data."""
    with AllDoors(tmp_path / "data", clock.odd) as service:
        streams = [{"id": "t", "current_value": "1"}]
        assert ask(service, "POST", "/v2/feeds", {"title": "T", "datastreams": streams})[0] == 201

        def status() -> str:
            return str(ask_json(service, "/v2/feeds/1.json")["status"])

        assert status() == "live"
        for jump in (DAY, 12 * YEAR):
            clock.set_by(jump)
            assert status() == "frozen"
            clock.set_by(-jump)
            assert status() == "live"
        clock.set_by(DAY)
        assert ask(service, "PUT", "/v2/feeds/1/datastreams/t.json", {"current_value": "2"})[0] == 200
        assert status() == "live"
        assert "Traceback" not in service.log


def test_no_key_is_shut_out_by_a_jump(clock: WrongClock, tmp_path: Path) -> None:
    """A key that has used up its requests may ask again after any jump, and is limited again after it."""
    limit = ("--requests-per-minute", str(PER_MINUTE))
    with AllDoors(tmp_path / "data", clock.odd, arguments=limit) as service:
        for jump in (0, DAY, -DAY, -12 * YEAR, 24 * YEAR):
            clock.set_by(jump)
            statuses = [ask(service, "GET", "/v2/feeds.json")[0] for _ in range(3 * PER_MINUTE + 2)]
            assert statuses[:PER_MINUTE] == [200] * PER_MINUTE
            assert statuses[-1] == 403
        assert "Traceback" not in service.log
