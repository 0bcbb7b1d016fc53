"""Which feeds turn live or frozen, and when it is told, with a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.server import statuses as module
from txpachube.server.events import Update
from txpachube.server.operations.documents import LIVE_FOR, is_live
from txpachube.server.statuses import MOST_AT_ONCE, Statuses
from txpachube.server.storage.records import Feed
from txpachube.testing.inprocess import NOON, InProcess
from txpachube.times import SECOND

MINUTE = 60 * SECOND


class World:
    """Feeds in memory, and the time."""

    def __init__(self, *ids: int) -> None:
        self.now = NOON
        self.feeds = {number: Feed(number, 1, "rosa", False, {}, 0, NOON) for number in ids}
        self.statuses = Statuses(self.feeds.get, lambda: self.now)

    def data(self, feed_id: int) -> bool:
        """Let data arrive in a feed; return whether that made it live."""
        feed = self.feeds[feed_id]
        feed.data_at = self.now
        return self.statuses.revived(feed)

    def turned(self, minutes: float = 0) -> list[int]:
        """Return the ids of the feeds that turned, some minutes later."""
        self.now += round(minutes * MINUTE)
        return [feed.id for feed in self.statuses.turned()]


def live(*ids: int) -> World:
    """Return feeds that have just got data and are watched."""
    world = World(*ids)
    for number in ids:
        world.data(number)
        world.statuses.watch(number)
    return world


def test_a_feed_freezes_a_quarter_of_an_hour_after_its_last_data() -> None:
    """It is told once, neither early nor again."""
    world = live(1)
    assert world.turned(14) == []
    assert not world.data(1)
    assert world.turned(14.99) == []
    assert world.turned(0.01) == [1]
    assert world.turned(60) == []


def test_data_make_it_live_again() -> None:
    """Only the first data after the silence do, and then it can freeze again."""
    world = live(1)
    assert world.turned(15) == [1]
    assert [world.data(1), world.data(1)] == [True, False]
    assert world.turned(14.5) == []
    assert world.turned(0.5) == [1]


def test_a_feed_that_is_frozen_when_it_is_watched() -> None:
    """That is no news; what never had data is frozen, too."""
    world = World(1)
    world.statuses.watch(1)
    assert world.turned(100) == []
    assert world.data(1)
    assert world.turned(15) == [1]


def test_a_feed_that_nobody_watches_any_more() -> None:
    """It is not told of, and whoever comes back begins with what it is then."""
    world = live(1, 2)
    world.statuses.forget(1)
    world.statuses.forget(99)
    assert world.turned(20) == [2]
    world.statuses.watch(1)
    assert world.turned() == []
    assert world.data(1)


def test_coming_and_going_leaves_nothing_behind() -> None:
    """However often a feed is watched and left, it has one place in the queue, and that goes in the end."""
    world = live(1)
    for _ in range(100):
        world.statuses.forget(1)
        world.statuses.watch(1)
    assert len(world.statuses._queue) == 1
    world.statuses.forget(1)
    assert world.turned(15) == []
    assert (len(world.statuses), world.statuses._queue, world.statuses._queued) == (0, [], set())


def test_a_feed_that_memory_does_not_have() -> None:
    """It is not watched; one that has gone meanwhile is forgotten."""
    world = live(1)
    world.statuses.watch(7)
    del world.feeds[1]
    assert world.turned(15) == []
    assert len(world.statuses) == 0


def test_a_clock_that_is_set_forward() -> None:
    """Everything freezes, told in portions, so that nobody waits for all of them."""
    world = live(*range(1, MOST_AT_ONCE * 2 + 2))
    portions = [world.turned(minutes) for minutes in (60 * 24 * 365, 0, 0, 0)]
    assert [len(portion) for portion in portions] == [MOST_AT_ONCE, MOST_AT_ONCE, 1, 0]
    assert len({number for portion in portions for number in portion}) == MOST_AT_ONCE * 2 + 1


def test_a_clock_that_is_set_back() -> None:
    """What had frozen is live again, as a GET says, and freezes when its time comes once more."""
    world = live(1, 2)
    world.now += 10 * MINUTE
    world.data(2)
    assert world.turned(5) == [1]
    assert world.turned(-10) == [1]
    assert world.turned(9.9) == []
    assert world.turned(0.1) == [1]
    assert world.turned(10) == [2]


def test_data_after_the_clock_was_set_back() -> None:
    """A feed does not stay live until the time from which it was set back."""
    world = live(1)
    assert world.turned(-60) == []
    world.now += 5 * MINUTE
    world.data(1)
    assert world.turned(14.9) == []
    assert world.turned(0.1) == [1]


@given(
    st.lists(
        st.tuples(st.sampled_from(["data", "pass", "watch", "forget", "set"]), st.integers(1, 3)),
        max_size=60,
    ),
    st.integers(1, 4),
)
def test_what_is_told_is_what_a_get_would_say(steps: list[tuple[str, int]], portion: int) -> None:
    """After enough looks listeners know the status of each feed, whatever happened to data and clock."""
    world = World(1, 2, 3)
    known: dict[int, bool] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_AT_ONCE", portion)
        for what, number in steps:
            if what == "data":
                if world.data(number) and number in known:
                    known[number] = True
            elif what == "watch":
                if number not in known:
                    known[number] = is_live(world.feeds[number], world.now)
                world.statuses.watch(number)
            elif what == "forget":
                world.statuses.forget(number)
                known.pop(number, None)
            else:
                world.now += (number * 7 if what == "pass" else -number * 20) * MINUTE
                for _ in range(12):  # more than there are feeds, however small the portions
                    for turned in world.statuses.turned():
                        assert turned.id in known
                        known[turned.id] = not known[turned.id]
            for each, status in known.items():
                assert status is is_live(world.feeds[each], world.now)
    assert len(world.statuses._queue) <= 3


class Ear:
    """A listener that writes down the status that a document would show."""

    def __init__(self, garden: InProcess) -> None:
        self.garden = garden
        self.heard: list[tuple[str, bool]] = []

    def updated(self, update: Update) -> None:
        status = "live" if is_live(update.feed, self.garden.now) else "frozen"
        self.heard.append((status, update.status_only))

    def ended(self) -> None:
        self.heard.append(("ended", False))


@pytest.fixture
def ear(garden: InProcess) -> Callable[..., Ear]:
    """Return a function that subscribes a new listener."""

    def subscribe(feed_id: int = 1, stream_id: str | None = None) -> Ear:
        made = Ear(garden)
        garden.events.subscribe(feed_id, stream_id, made)
        return made

    return subscribe


async def ask(garden: InProcess, line: str, body: str, key: str | None = None) -> None:
    assert (await garden.ask(line, body, key=key)).status == 200


async def test_listeners_hear_what_the_clock_does(garden: InProcess, ear: Any) -> None:
    """Those of the feed do, once; those of its datastreams and of other feeds do not."""
    feed, also, stream, other = ear(), ear(), ear(1, "temp"), ear(3)
    await ask(garden, "PUT /v2/feeds/3/datastreams/wind.csv", "4", "master-of-otto")
    garden.now += LIVE_FOR - 1
    garden.events.look_at_the_clock()
    assert (feed.heard, other.heard) == ([], [("live", False)])
    await ask(garden, "PUT /v2/feeds/3/datastreams/wind.csv", "4", "master-of-otto")
    garden.now += 1
    for _ in range(3):
        garden.events.look_at_the_clock()
    assert feed.heard == also.heard == [("frozen", True)]
    assert stream.heard == []
    assert other.heard == [("live", False)] * 2


async def test_old_data_make_a_frozen_feed_live(garden: InProcess, ear: Any) -> None:
    """They are no news by themselves; that the feed is live again is."""
    feed, stream = ear(), ear(1, "temp")
    past = "2012-01-01T00:00:00Z,1"
    await ask(garden, "POST /v2/feeds/1/datastreams/temp/datapoints.csv", past)
    assert feed.heard == []
    garden.now += LIVE_FOR
    garden.events.look_at_the_clock()
    for _ in range(2):
        await ask(garden, "POST /v2/feeds/1/datastreams/temp/datapoints.csv", past)
    assert feed.heard == [("frozen", True), ("live", True)]
    garden.now += LIVE_FOR
    await ask(garden, "PUT /v2/feeds/1.json", '{"title": "Cold frame"}')
    garden.events.look_at_the_clock()
    await ask(garden, "PUT /v2/feeds/1/datastreams/temp.csv", "22")
    assert feed.heard[2:] == [("frozen", False), ("frozen", True), ("live", False)]
    assert stream.heard == [("live", False)]


async def test_nothing_is_kept_of_feeds_without_listeners(garden: InProcess, ear: Any) -> None:
    """When the last listener goes, or the feed, its status is forgotten."""
    first, second, third = ear(), ear(), ear(3)
    statuses = garden.events._statuses
    assert statuses is not None
    assert len(statuses) == 2
    garden.events.unsubscribe(1, None, first)
    assert len(statuses) == 2
    garden.events.unsubscribe(1, None, second)
    assert len(statuses) == 1
    deleted = await garden.ask("DELETE /v2/feeds/3", key="master-of-otto")
    assert deleted.status == 200
    assert (len(statuses), third.heard) == (0, [("ended", False)])
    garden.now += LIVE_FOR
    garden.events.look_at_the_clock()
    assert first.heard == second.heard == []
