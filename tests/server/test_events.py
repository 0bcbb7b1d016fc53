"""Who is told of what: on a real store, asked as a transport would."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher

from txpachube.server.administration import DATABASE_FILE, open_administration
from txpachube.server.events import Events, Update
from txpachube.server.storage.observer import SILENCE
from txpachube.server.storage.records import Feed, Permission
from txpachube.testing.inprocess import ALL_METHODS, InProcess


class Ear:
    """A listener that writes down what it hears: the value of a datastream at that moment."""

    def __init__(self, stream_id: str = "temp") -> None:
        self.stream_id = stream_id
        self.heard: list[str | None] = []
        self.updates: list[Update] = []

    def updated(self, update: Update) -> None:
        self.updates.append(update)
        stream = update.feed.streams.get(self.stream_id)
        self.heard.append(None if stream is None else stream.value)

    def ended(self) -> None:
        self.heard.append("ended")


class Shadow:
    """A follower that writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.updates: list[Update] = []

    def written(self, update: Update) -> None:
        self.updates.append(update)
        self.heard.append({
            change.stream.id: (change.before.value, change.stream.value, change.wrote, change.current)
            for change in update.streams
        })  # fmt: skip

    def stream_deleted(self, feed_id: int, stream_id: str) -> None:
        self.heard.append(("deleted", feed_id, stream_id))

    def ended(self, feed_id: int) -> None:
        self.heard.append(("ended", feed_id))


def listen(garden: InProcess, feed_id: int, stream_id: str | None, shown: str | None = None) -> Ear:
    """Subscribe a new listener."""
    ear = Ear(shown or stream_id or "temp")
    garden.events.subscribe(feed_id, stream_id, ear)
    return ear


def follow(garden: InProcess, feed_id: int) -> Shadow:
    """Let a new follower follow."""
    shadow = Shadow()
    garden.events.follow(feed_id, shadow)
    return shadow


async def put(garden: InProcess, body: str, path: str = "/v2/feeds/1.json", status: int = 200) -> None:
    """PUT something and check the status."""
    answer = await garden.ask(f"PUT {path}", body)
    assert answer.status == status, answer.body


TEMP = "/v2/feeds/1/datastreams/temp.json"


async def test_a_write_to_a_feed_is_told_to_those_concerned_and_once(garden: InProcess) -> None:
    """The feed's listeners hear of it once, however many datastreams; of a datastream those of it alone."""
    feed, temp, door, other = (
        listen(garden, 1, None),
        listen(garden, 1, "temp"),
        listen(garden, 1, "door"),
        listen(garden, 3, None, "wind"),
    )
    await put(
        garden,
        '{"datastreams": [{"id": "temp", "current_value": "22"}, {"id": "7", "current_value": "8"}]}',
    )
    assert (feed.heard, temp.heard, door.heard, other.heard) == (["22"], ["22"], [], [])
    await put(garden, '{"current_value": "23"}', TEMP)
    await put(garden, '{"current_value": "shut"}', "/v2/feeds/1/datastreams/door.json")
    assert (feed.heard, temp.heard, door.heard) == (["22", "23", "23"], ["22", "23"], ["shut"])


async def test_memory_is_up_to_date_and_the_writer_not_answered_yet(garden: InProcess) -> None:
    """What is told is already there for a GET, and told before the answer."""
    order: list[str] = []

    class First(Ear):
        def updated(self, update: Update) -> None:
            super().updated(update)
            order.append("told")

    ear = First()
    garden.events.subscribe(1, "temp", ear)
    await put(garden, '{"current_value": "23"}', TEMP)
    order.append("answered")
    assert (order, ear.heard) == (["told", "answered"], ["23"])


async def test_a_value_that_stays_the_same_is_told(garden: InProcess) -> None:
    """Writing the same value again is an update."""
    ear = listen(garden, 1, "temp")
    for _ in range(3):
        await put(garden, '{"current_value": "21.50"}', TEMP)
    assert ear.heard == ["21.50"] * 3


async def test_history_alone_is_no_news_but_a_sign_of_life(garden: InProcess) -> None:
    """A write older than the current value is told to followers and not to listeners."""
    feed, temp, shadow = listen(garden, 1, None), listen(garden, 1, "temp"), follow(garden, 1)
    await put(garden, '{"current_value": "1", "at": "2013-06-01T09:59:59.999999Z"}', TEMP)
    answer = await garden.ask(
        "POST /v2/feeds/1/datastreams/temp/datapoints.json",
        '{"datapoints": [{"at": "2012-01-01T00:00:00Z", "value": "1"}]}',
    )
    assert answer.status == 200
    await put(
        garden,
        '{"datastreams": [{"id": "temp", "datapoints": [{"at": "2012-01-01T00:00:01Z", "value": "1"}]}]}',
    )
    assert (feed.heard, temp.heard) == ([], [])
    assert shadow.heard == [{"temp": ("21.50", "21.50", True, False)}] * 3


async def test_the_time_of_the_current_value_counts_as_current(garden: InProcess) -> None:
    """A value at exactly the time of the current one replaces it, which is news."""
    ear = listen(garden, 1, "temp")
    await put(garden, '{"current_value": "5", "at": "2013-06-01T10:00:00Z"}', TEMP)
    assert ear.heard == ["5"]


async def test_a_change_of_the_feed_itself_concerns_its_listeners_only(garden: InProcess) -> None:
    """A new title is news of the feed and of none of its datastreams; also when it is the old one."""
    feed, temp = listen(garden, 1, None), listen(garden, 1, "temp")
    for title in ("Winter garden", "Winter garden"):
        await put(garden, f'{{"title": "{title}"}}')
    assert (len(feed.heard), temp.heard) == (2, [])


async def test_a_change_of_a_datastreams_description_concerns_it_and_the_feed(garden: InProcess) -> None:
    """A new unit is news of the datastream, the same unit again is none."""
    feed, temp, door = listen(garden, 1, None), listen(garden, 1, "temp"), listen(garden, 1, "door")
    for _ in range(2):
        await put(garden, '{"unit": {"symbol": "K"}}', TEMP)
    assert (len(feed.heard), len(temp.heard), door.heard) == (1, 1, [])


async def test_what_is_made_is_told_to_who_waited_for_it(garden: InProcess) -> None:
    """A subscription may come before the datastream, or the feed."""
    early, feed = listen(garden, 1, "new"), listen(garden, 1, None, "new")
    unborn = listen(garden, 5, None, "x")
    await put(garden, '{"datastreams": [{"id": "new", "current_value": "1"}]}')
    await garden.ask("POST /v2/feeds/1/datastreams.json", '{"datastreams": [{"id": "newer"}]}')
    made = await garden.ask(
        "POST /v2/feeds.json", '{"title": "N", "datastreams": [{"id": "x", "current_value": "4"}]}'
    )
    assert made.status == 201
    assert (early.heard, feed.heard, unborn.heard) == (["1"], ["1", "1"], ["4"])


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("PUT /v2/feeds/1.json", '{"datastreams": [{"id": "temp", "current_value": "', 400),
        ("PUT /v2/feeds/1.json", '{"datastreams": [{"id": "a b", "current_value": "1"}]}', 422),
        ("POST /v2/feeds/1/datastreams.json", '{"datastreams": [{"id": "temp", "current_value": "1"}]}', 422),
        ("PUT /v2/feeds/1/datastreams/none.json", '{"current_value": "1"}', 404),
        ("PUT /v2/feeds/1/datastreams/temp/datapoints/2001-01-01T00:00:00Z.json", '{"value": "1"}', 404),
    ],
)
async def test_what_fails_is_not_told(garden: InProcess, path: str, body: str, status: int) -> None:
    """Nobody hears of a request that was refused."""
    feed, shadow = listen(garden, 1, None), follow(garden, 1)
    assert (await garden.ask(path, body)).status == status
    assert (feed.heard, shadow.heard) == ([], [])


async def test_what_the_disk_refuses_is_not_told(garden: InProcess) -> None:
    """When the commit fails nobody hears of it; of the next one that works everybody does."""
    feed, shadow = listen(garden, 1, None), follow(garden, 1)
    await garden.store._write(lambda txn: txn.execute("PRAGMA query_only = 1") and None)
    await put(garden, '{"current_value": "1"}', TEMP, 503)
    await put(garden, '{"title": "x"}', status=503)
    assert (feed.heard, shadow.heard) == ([], [])
    await garden.store._readers.run(garden.store._connection.execute, "PRAGMA query_only = 0")
    await put(garden, '{"current_value": "2"}', TEMP)
    assert feed.heard == ["2"]


async def test_a_write_that_meets_a_deletion_is_not_told(garden: InProcess) -> None:
    """When the datastream is deleted while the write is under way, its listener only hears of the end."""
    temp, feed = listen(garden, 1, "temp"), listen(garden, 1, None)
    both = gatherResults([
        Deferred.fromCoroutine(garden.ask("DELETE /v2/feeds/1/datastreams/temp")),
        Deferred.fromCoroutine(garden.ask(f"PUT {TEMP}", '{"current_value": "1"}')),
    ])  # fmt: skip
    await both
    assert (temp.heard, feed.heard) == (["ended"], [None])


async def test_the_order_is_that_of_the_commits(garden: InProcess) -> None:
    """Of many writes under way at once, of different kinds, each is told once and in the order stored."""
    ear, shadow = listen(garden, 1, "temp"), follow(garden, 1)
    asked = []
    for number in range(300):
        body = f'{{"current_value": "{number}"'
        if number % 7 == 0:
            body += f', "unit": {{"symbol": "{number}"}}'
        asked.append(Deferred.fromCoroutine(garden.ask(f"PUT {TEMP}", body + "}")))
        garden.now += 1
    answers = await gatherResults(asked)
    assert {answer.status for answer in answers} == {200}
    assert ear.heard == [str(number) for number in range(300)]
    assert len(shadow.heard) == 300
    afterwards = [heard["temp"][1] for heard in shadow.heard]
    assert [heard["temp"][0] for heard in shadow.heard] == ["21.50", *afterwards[:-1]]


async def test_the_current_value_corrected_or_deleted_is_news(garden: InProcess) -> None:
    """Whoever shows the current value must hear that it is another one now; older ones don't matter."""
    ear, shadow = listen(garden, 1, "temp"), follow(garden, 1)
    point = "/v2/feeds/1/datastreams/temp/datapoints/2013-06-01T{}Z.json"
    await put(garden, '{"value": "20.5"}', point.format("09:30:00"))
    await put(garden, '{"value": "22.5"}', point.format("10:00:00"))
    assert (await garden.ask("DELETE " + point.format("09:00:00"))).status == 200
    assert (await garden.ask("DELETE " + point.format("10:00:00"))).status == 200
    assert ear.heard == ["22.5", "20.5"]
    assert shadow.heard == [
        {"temp": ("21.50", "21.50", True, False)},
        {"temp": ("21.50", "22.5", True, True)},
        {"temp": ("22.5", "20.5", False, True)},
    ]
    everything = "start=2013-01-01T00:00:00Z&end=2014-01-01T00:00:00Z"
    answer = await garden.ask(f"DELETE /v2/feeds/1/datastreams/temp/datapoints?{everything}")
    assert (answer.status, ear.heard[2:]) == (200, [None])


async def test_a_deleted_feed_ends_everything(garden: InProcess) -> None:
    """All its listeners and followers are told and forgotten; those of other feeds are not."""
    feed, temp, shadow = listen(garden, 1, None), listen(garden, 1, "temp"), follow(garden, 1)
    other = listen(garden, 2, None, "wine")
    assert (await garden.ask("DELETE /v2/feeds/1")).status == 200
    assert (feed.heard, temp.heard, shadow.heard, other.heard) == (["ended"], ["ended"], [("ended", 1)], [])
    assert list(garden.events.watched) == [2]


async def test_a_deleted_datastream_ends_its_listeners(garden: InProcess) -> None:
    """Those of the feed hear that it has changed; the followers which one it was."""
    feed, temp, shadow = listen(garden, 1, None), listen(garden, 1, "temp"), follow(garden, 1)
    assert (await garden.ask("DELETE /v2/feeds/1/datastreams/temp")).status == 200
    assert (feed.heard, temp.heard, shadow.heard) == ([None], ["ended"], [("deleted", 1, "temp"), {}])
    await put(garden, '{"datastreams": [{"id": "temp", "current_value": "1"}]}')
    assert (temp.heard, feed.heard) == (["ended"], [None, "1"])


async def test_nobody_is_told_after_unsubscribing(garden: InProcess) -> None:
    """When the last one has gone, the feed is not watched any more."""
    feed, temp, shadow = listen(garden, 1, None), listen(garden, 1, "temp"), follow(garden, 1)
    garden.events.subscribe(1, None, feed)  # twice is once
    garden.events.unsubscribe(1, None, feed)
    garden.events.unsubscribe(1, "temp", temp)
    garden.events.unsubscribe(1, "temp", temp)
    garden.events.unsubscribe(9, None, feed)
    assert list(garden.events.watched) == [1]
    garden.events.unfollow(1, shadow)
    assert list(garden.events.watched) == []
    await put(garden, '{"current_value": "1"}', TEMP)
    assert (feed.heard, temp.heard, shadow.heard, garden.events.published) == ([], [], [], 0)


async def test_one_listeners_trouble_is_not_the_others(garden: InProcess) -> None:
    """A listener that raises, or unsubscribes others, keeps nobody from hearing, nor the writer waiting."""
    logged: list[LogEvent] = []
    observer = cast(ILogObserver, logged.append)

    class Troubled(Ear):
        def updated(self, update: Update) -> None:
            garden.events.unsubscribe(1, "temp", before)
            raise ZeroDivisionError

    before, after = Ear(), Ear()
    for ear in (before, Troubled(), after):
        garden.events.subscribe(1, "temp", ear)
    globalLogPublisher.addObserver(observer)
    try:
        await put(garden, '{"current_value": "1"}', TEMP)
        await put(garden, '{"current_value": "2"}', TEMP)
    finally:
        globalLogPublisher.removeObserver(observer)
    assert (before.heard, after.heard) == (["1"], ["1", "2"])
    assert [event["log_failure"].type for event in logged if "log_failure" in event] == [
        ZeroDivisionError
    ] * 2


def test_something_is_made_once_for_all_that_hear_of_an_update() -> None:
    """The same place gives the same thing without making it again; other places are made apart."""
    update = Update(Feed(1, 1, "rosa", False, {}, 0, 0), 0)
    made: list[int] = []

    def make() -> int:
        made.append(1)
        return len(made)

    assert [update.once(place, make) for place in ("a", "a", ("b", None), "a")] == [1, 1, 2, 1]


async def test_doors_can_wait_for_the_end_of_a_commit(garden: InProcess) -> None:
    """What was asked for while a commit was told is called once, after all of it."""
    heard: list[str] = []

    class Joining(Ear):
        def updated(self, update: Update) -> None:
            assert garden.events.telling
            super().updated(update)
            heard.append(self.heard[-1] or "")
            if len(self.heard) == 1:
                garden.events.at_end_of_commit(lambda: heard.append("end"))

    garden.events.subscribe(1, "temp", Joining())
    await gatherResults([
        Deferred.fromCoroutine(garden.ask(f"PUT {TEMP}", f'{{"current_value": "{number}"}}'))
        for number in range(3)
    ])  # fmt: skip
    await put(garden, '{"current_value": "x"}', TEMP)
    assert sorted(heard) == ["0", "1", "2", "end", "x"]
    assert heard.index("end") > heard.index("0")
    assert not garden.events.telling


async def test_changed_keys_change_the_rights(garden: InProcess) -> None:
    """A key that is changed, renewed or deleted does, a new one does not; nor does an update."""
    rights = garden.events.rights
    key = await garden.store.create_key(1, "k", False, (Permission(ALL_METHODS),), None, "some-key")
    await put(garden, '{"current_value": "x"}', TEMP)
    assert garden.events.rights == rights
    key = await garden.store.change_key(
        key, label="l", private_access=False, permissions=key.permissions, expires_at=None
    )
    assert garden.events.rights == rights + 1
    key = await garden.store.regenerate_key(key)
    assert garden.events.rights == rights + 2
    await garden.store.delete_key(key)
    assert garden.events.rights == rights + 3


async def test_privacy_changes_the_rights_before_it_is_told(garden: InProcess) -> None:
    """Who is told of an update that makes the feed private can know that it is the time to check."""
    rights: list[int] = []

    class Checking(Ear):
        def updated(self, update: Update) -> None:
            rights.append(garden.events.rights)

    garden.events.subscribe(1, None, Checking())
    await put(garden, '{"title": "x"}')
    await put(garden, '{"private": true}')
    assert rights[1] > rights[0]


async def test_what_another_process_changes_is_told(garden: InProcess) -> None:
    """A feed that an administrator deletes at the command line ends its subscriptions."""
    feed = listen(garden, 1, None)
    await garden.store.find_feed(1)
    path: Path = garden.store.path
    assert path.name == DATABASE_FILE

    def remove() -> None:
        with open_administration(path.parent, lambda: garden.now) as administration:
            removed = administration.find_feed(1)
            assert removed is not None
            administration.remove_feed(removed)

    ended: Deferred[None] = Deferred()
    feed.ended = lambda: ended.callback(None)  # type: ignore[method-assign]  # to wait for it
    await deferToThread(remove)
    await ended
    assert await garden.store.find_feed(1) is None


async def test_the_former_places_in_memory_are_those_on_the_disk(garden: InProcess) -> None:
    """Once asked for, they are kept true by every move, and ready without a read."""
    feed = await garden.store.find_feed(1)
    assert feed is not None
    move = '{{"location": {{"disposition": "{}", "lat": {}, "lon": 1}}, "updated": "2013-06-0{}T00:00:00Z"}}'
    await put(garden, move.format("mobile", 1, 1))
    await put(garden, move.format("mobile", 2, 2))
    await garden.store.keep_waypoints(feed)
    for number, disposition in enumerate(["mobile", "fixed", "fixed", "mobile", "mobile", "mobile"], 3):
        await put(garden, move.format(disposition, number // 2, number))
        assert feed.waypoints == await garden.store.waypoints(feed, None, None, 100)
    assert feed.waypoints
    assert len(feed.waypoints) >= 3


def test_silence_hears_nothing() -> None:
    """A store without an observer watches nothing, and takes everything that may be told."""
    feed = Feed(1, 1, "rosa", False, {}, 0, 0)
    assert 1 not in SILENCE.watched
    SILENCE.changed(feed, 0, [], described=True)
    SILENCE.dropped(feed, ["a"])
    SILENCE.gone(feed)
    SILENCE.rights_changed()
    SILENCE.settled()


def test_events_that_nobody_watches_cost_no_update() -> None:
    """What is told of a feed that nobody watches leads to nothing."""
    events = Events()
    feed = Feed(1, 1, "rosa", False, {}, 0, 0)
    events.changed(feed, 0, [], described=True)
    events.dropped(feed, ["a"])
    events.gone(feed)
    assert events.published == 0
