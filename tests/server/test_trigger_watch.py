"""What fires when something is written, and when nothing is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest_twisted

from txpachube.server.notifications import form
from txpachube.server.storage.triggers import Notification
from txpachube.server.trigger_watch import TriggerWatch
from txpachube.testing.inprocess import InProcess
from txpachube.times import SECOND


class Watched:
    """A garden whose triggers are watched, and what they fired."""

    def __init__(self, garden: InProcess) -> None:
        self.garden = garden
        self.fired: list[Notification] = []
        self.watch = self.new_watch()

    def new_watch(self) -> TriggerWatch:
        """Return a watch that tells this."""
        garden = self.garden
        return TriggerWatch(garden.store, garden.events, lambda: garden.now, None, self.fired.extend)

    async def trigger(self, kind: str, threshold: str = "", feed: int = 1, stream: str = "temp") -> int:
        """Make a trigger and return its id."""
        document = {
            "url": "http://hooks.example/a",
            "trigger_type": kind,
            "environment_id": feed,
            "stream_id": stream,
            "threshold_value": threshold,
        }
        answer = await self.garden.ask("POST /v2/triggers", json.dumps(document))
        assert answer.status == 201, answer.body
        return int(str(answer.location).rpartition("/")[2])

    async def write(self, value: str, seconds: float = 6, key: str | None = None, path: str = "") -> int:
        """Write a value after some seconds; return how many triggers fired."""
        self.garden.now += round(seconds * SECOND)
        path = path or "/v2/feeds/1/datastreams/temp"
        answer = await self.garden.ask(f"PUT {path}.csv", value, key=key)
        assert answer.status == 200, answer.body
        return await self.count()

    async def count(self) -> int:
        """Return how many triggers fired since the last time."""
        await self.garden.store.triggers.record([], [])  # waits its turn behind what fired
        count = len(self.fired)
        self.fired.clear()
        return count


@pytest_twisted.async_yield_fixture
async def watched(garden: InProcess) -> AsyncIterator[Watched]:
    """A garden whose triggers are watched."""
    from twisted.internet import reactor

    made = Watched(garden)
    running: Any = reactor
    await made.watch.start(running)
    yield made
    made.watch.stop()


async def test_an_edge_fires_once(watched: Watched) -> None:
    """A condition that stays true is told once, and again after it was false."""
    await watched.trigger("gt", "30")
    fired = [await watched.write(value) for value in ("29", "31", "32", "30", "31", "x", "31")]
    assert fired == [0, 1, 0, 0, 1, 0, 1]


async def test_an_edge_within_five_seconds_is_dropped(watched: Watched) -> None:
    """What comes too early is not told later by itself, but the next write that fulfils the condition is."""
    await watched.trigger("gt", "30")
    assert await watched.write("31") == 1
    assert await watched.write("29", 1) == 0
    assert await watched.write("31", 1) == 0
    assert await watched.write("32", 2) == 0
    assert await watched.write("33", 1) == 1


async def test_change(watched: Watched) -> None:
    """A change is one of the text."""
    await watched.trigger("change")
    assert [await watched.write(value) for value in ("21.50", "21.5", "21.5", "x")] == [0, 1, 0, 1]


async def test_a_put_resets(watched: Watched) -> None:
    """After an update of the trigger its condition counts as not yet true."""
    number = await watched.trigger("gt", "30")
    assert await watched.write("31") == 1
    assert (await watched.garden.ask(f"PUT /v2/triggers/{number}", '{"threshold_value": 20}')).status == 200
    assert await watched.write("21") == 1
    assert (await watched.garden.ask(f"DELETE /v2/triggers/{number}")).status == 200
    assert await watched.write("0") == 0
    assert await watched.write("100") == 0
    assert watched.garden.events.watched == {}


async def test_triggers_end_with_their_account(watched: Watched) -> None:
    """Those of an account that is deleted fire no more, and those of others go on."""
    garden = watched.garden
    await watched.trigger("change")
    hook = {"url": "http://h.example/", "trigger_type": "change", "environment_id": 1, "stream_id": "temp"}
    for stream in ("temp", "7"):
        body = json.dumps({**hook, "stream_id": stream})
        assert (await garden.ask("POST /v2/triggers", body, key="master-of-otto")).status == 201
    assert await watched.write("1") == 2
    assert (await garden.ask("DELETE /v2/users/otto", key="master-of-otto")).status == 200
    assert await watched.write("2") == 1
    assert await watched.write("3", path="/v2/feeds/1/datastreams/7") == 0


async def test_only_the_current_value_counts(watched: Watched) -> None:
    """A value of the past is no current value, and another datastream's is none of this one."""
    await watched.trigger("gt", "30")
    answer = await watched.garden.ask(
        "POST /v2/feeds/1/datastreams/temp/datapoints.csv", "2012-01-01T00:00:00Z,99"
    )
    assert answer.status == 200
    assert await watched.count() == 0
    assert await watched.write("99", path="/v2/feeds/1/datastreams/door") == 0


async def test_many_values_in_one_write(watched: Watched) -> None:
    """A write is judged once, by the value that is current afterwards."""
    await watched.trigger("gt", "30")
    points = "2014-01-01T00:00:00Z,99\n2014-01-01T00:00:01Z,10"
    assert (
        await watched.garden.ask("POST /v2/feeds/1/datastreams/temp/datapoints.csv", points)
    ).status == 200
    assert await watched.count() == 0


async def test_frozen_and_live(watched: Watched) -> None:
    """Fifteen minutes of silence fire once, and the first data after that."""
    await watched.trigger("frozen")
    await watched.trigger("live")
    assert await watched.write("1") == 0
    for seconds, expected in ((899, 0), (1, 1), (60, 0)):
        watched.garden.now += seconds * SECOND
        watched.watch.look_at_the_clock()
        assert await watched.count() == expected
    assert await watched.write("1") == 1
    assert await watched.write("1") == 0
    watched.garden.now += 900 * SECOND
    watched.watch.look_at_the_clock()
    assert await watched.count() == 1


async def test_a_feed_that_became_private(watched: Watched) -> None:
    """Whoever may not see a feed any more is not told of it."""
    await watched.trigger("gt", "30", 3, "wind")
    otto, path = "master-of-otto", "/v2/feeds/3/datastreams/wind"
    assert await watched.write("31", key=otto, path=path) == 1
    assert await watched.write("0", key=otto, path=path) == 0
    answer = await watched.garden.ask("PUT /v2/feeds/3.json", '{"private": true}', key=otto)
    assert answer.status == 200
    assert await watched.write("31", key=otto, path=path) == 0


async def test_the_state_outlives_the_watch(watched: Watched) -> None:
    """After a restart a condition that stayed true is not told again, and one missed by a crash is."""
    await watched.trigger("gt", "30")
    assert await watched.write("31") == 1
    watched.watch.stop()
    from twisted.internet import reactor

    again: Any = reactor
    watched.watch = watched.new_watch()
    await watched.watch.start(again)
    assert await watched.count() == 0
    assert await watched.write("32") == 0
    assert await watched.write("1") == 0
    watched.watch.stop()
    assert await watched.write("33") == 0  # nobody watches
    watched.watch = watched.new_watch()
    await watched.watch.start(again)
    assert await watched.count() == 1


async def test_what_is_sent(watched: Watched) -> None:
    """The notification has the fields of both historical shapes, in one field of a form."""
    number = await watched.trigger("lt", "15.0")
    watched.garden.now += 6 * SECOND
    await watched.garden.ask("PUT /v2/feeds/1/datastreams/temp.csv", "14.2")
    await watched.garden.store.triggers.record([], [])
    [waiting] = await watched.garden.store.triggers.waiting()
    found = await watched.garden.store.triggers.notification(waiting.id)
    assert found is not None
    assert found[0] == "http://hooks.example/a"
    document = json.loads(found[1])
    stream = "http://api.example/v2/feeds/1/datastreams/temp"
    assert document == {
        "environment": {
            "description": "South bed",
            "feed": "http://api.example/v2/feeds/1",
            "id": 1,
            "location": {"lat": 52.1, "lon": 9.36, "lng": 9.36, "name": "Hut 3"},
            "title": "Greenhouse",
        },
        "id": number,
        "threshold_value": "15.0",
        "timestamp": "2013-06-01T12:00:06.000000Z",
        "triggering_datastream": {
            "at": "2013-06-01T12:00:06.000000Z",
            "id": "temp",
            "units": {"label": "Celsius", "symbol": "C", "type": "derivedSI"},
            "url": stream,
            "value": {"current_value": "14.2", "max_value": 21.5, "min_value": 14.2, "value": "14.2"},
        },
        "type": "lt",
        "url": f"http://api.example/v2/triggers/{number}",
    }
    sent = form('{"a": "ü+ ~"}')
    assert sent == b"body=%7B%22a%22%3A%20%22%C3%BC%2B%20~%22%7D"
