"""Whoever wants to know what was stored is told, by a real store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred

from txpachube.server.administration import Administration, open_administration
from txpachube.server.storage import datapoints, feeds
from txpachube.server.storage.failures import Conflict
from txpachube.server.storage.observer import SILENCE, StreamUpdate
from txpachube.server.storage.records import Feed, FeedChange, Permission, StreamChange
from txpachube.server.storage.store import Store
from txpachube.server.storage.writer import Transaction

Until = Callable[[Callable[[], object]], Awaitable[None]]

MASTER = (Permission(("get", "put", "post", "delete")),)


@attrs.define
class Witness:
    """
    An observer that writes down what it is told.

    Attributes:
        told: ``("changed", feed, arrived, {stream: facts}, described)`` and the like, facts being
            (current value, current value before, wrote, current, described).
        settlements: how often a commit was through.
    """

    watched: Collection[int] = (1,)
    told: list[tuple[Any, ...]] = attrs.field(factory=list)
    settlements: int = 0

    def changed(self, feed: Feed, arrived: int, streams: Sequence[StreamUpdate], *, described: bool) -> None:
        facts = {
            update.stream.id: (
                update.stream.value,
                update.before.value,
                update.wrote,
                update.current,
                update.described,
            )
            for update in streams
        }
        self.told.append(("changed", feed.id, arrived, facts, described))

    def dropped(self, feed: Feed, stream_ids: Collection[str]) -> None:
        self.told.append(("dropped", feed.id, list(stream_ids)))

    def gone(self, feed: Feed) -> None:
        self.told.append(("gone", feed.id))

    def rights_changed(self) -> None:
        self.told.append(("rights",))

    def settled(self) -> None:
        self.settlements += 1

    def news(self) -> list[tuple[Any, ...]]:
        """Return what was told since the last time."""
        told, self.told = self.told, []
        return told


async def begin(store: Store, *streams: str) -> tuple[Feed, Witness]:
    """Create feed 1 and watch it."""
    change = FeedChange(100, True, fields={"title": "T"}, streams=[StreamChange(name) for name in streams])
    feed = await store.find_feed(await store.create_feed(1, change))
    assert feed is not None
    store.observer = witness = Witness()
    return feed, witness


def points(name: str, *given: tuple[int, str], **more: Any) -> StreamChange:
    return StreamChange(name, points=list(given), **more)


async def write(store: Store, feed: Feed, *streams: StreamChange, **more: Any) -> None:
    await store.change_feed(
        feed, FeedChange(200, more.pop("through_feed", False), streams=list(streams), **more)
    )


async def test_a_write_is_told_with_what_was_before(store: Store) -> None:
    """Datastream by datastream, with the value it has now and the one it had."""
    feed, witness = await begin(store, "a", "b")
    await write(store, feed, points("a", (5, "1")))
    assert witness.news() == [("changed", 1, 200, {"a": ("1", None, True, True, False)}, False)]
    await write(store, feed, points("a", (6, "2")), points("b", (6, "3")))
    assert witness.news() == [
        ("changed", 1, 200, {"a": ("2", "1", True, True, False), "b": ("3", None, True, True, False)}, False)
    ]


async def test_history_is_no_news_of_the_current_value(store: Store) -> None:
    """Older datapoints are told as written; the same value again is told as current."""
    feed, witness = await begin(store, "a")
    await write(store, feed, points("a", (5, "1")))
    witness.news()
    await write(store, feed, points("a", (3, "old")))
    await write(store, feed, points("a", (5, "1")))
    assert [told[3]["a"] for told in witness.news()] == [
        ("1", "1", True, False, False),
        ("1", "1", True, True, False),
    ]


async def test_a_description_that_changes_is_told_as_one(store: Store) -> None:
    """Of the feed, or of a datastream: new, its tags, its unit, its limits; what says nothing new is not."""
    feed, witness = await begin(store, "a")
    for change in (
        StreamChange("new"),
        StreamChange("a", tags=["t"]),
        StreamChange("a", unit={"label": "L"}),
        StreamChange("a", max_value=3.0),
        StreamChange("a", min_value=None),
    ):
        await write(store, feed, change)
        ((_, _, _, facts, described),) = witness.news()
        assert (facts[change.id][2:], described) == ((False, False, True), False)
    await write(store, feed, points("a", (5, "1"), tags=["t"], unit={"label": "L"}))
    assert witness.news() == [("changed", 1, 200, {"a": ("1", None, True, True, False)}, False)]
    for more in ({"fields": {"title": "New"}}, {"tags": ["t"]}, {"location": {"name": "here"}}):
        await write(store, feed, **more)
        assert witness.news() == [("changed", 1, 200, {}, True)]
    await write(store, feed, through_feed=True)
    assert witness.news() == [("changed", 1, 200, {}, True)], "it moves the feed's time"


async def test_rights_are_told_of(store: Store) -> None:
    """When a feed becomes private, and when a key changes in any way."""
    feed, witness = await begin(store)
    await write(store, feed, private=True)
    assert witness.news() == [("rights",), ("changed", 1, 200, {}, True)]
    key = await store.create_key(1, "", True, MASTER, None)
    assert witness.news() == [], "nobody could do less before"
    await store.change_key(key, label="x", private_access=False, permissions=MASTER, expires_at=None)
    key = await store.regenerate_key(key)
    await store.delete_key(key)
    assert witness.news() == [("rights",)] * 3


async def test_deletions_are_told(store: Store) -> None:
    """Of the current value, of datastreams and feeds; of older datapoints there is nothing to tell."""
    feed, witness = await begin(store, "a", "b", "c")
    await write(store, feed, points("a", (5, "1"), (6, "2")))
    witness.news()
    await store.delete_points(feed, feed.streams["a"], 6, 6)
    assert witness.news() == [("changed", 1, 0, {"a": ("1", "2", False, True, False)}, False)]
    await write(store, feed, points("a", (4, "0")))
    witness.news()
    await store.delete_points(feed, feed.streams["a"], 4, 4)
    assert witness.news() == []
    stream = feed.streams["b"]
    await store.delete_stream(feed, stream)
    assert witness.news() == [("dropped", 1, ["b"]), ("changed", 1, 0, {}, True)]
    await store.delete_stream(feed, stream)
    assert witness.news() == [], "it was gone"
    await write(store, feed, StreamChange("a"), drop_other_streams=True)
    news = witness.news()
    assert news[0] == ("dropped", 1, ["c"])
    assert (news[1][0], news[1][4]) == ("changed", True)
    await store.delete_feed(feed)
    assert witness.news() == [("gone", 1)]


async def test_a_write_meanwhile_is_not_taken_for_a_deletion(store: Store) -> None:
    """The current value that another write brought was not deleted, so it is told once."""
    feed, witness = await begin(store, "a")
    await write(store, feed, points("a", (5, "1"), (4, "0")))
    witness.news()
    writing = Deferred.fromCoroutine(write(store, feed, points("a", (6, "2"))))
    await store.delete_points(feed, feed.streams["a"], 4, 4)
    await writing
    assert [told[3]["a"] for told in witness.news()] == [("2", "1", True, True, False)]


async def test_a_datastream_that_was_deleted_meanwhile_is_not_told_of(store: Store) -> None:
    """A write or a deletion that was under way concerns nobody any more."""
    feed, witness = await begin(store, "a")
    stream = feed.streams["a"]
    await write(store, feed, points("a", (5, "1")))
    witness.news()
    deletion = Deferred.fromCoroutine(store.delete_stream(feed, stream))
    writing = Deferred.fromCoroutine(write(store, feed, points("a", (6, "2"))))
    correction = Deferred.fromCoroutine(store.replace_point(feed, stream, 5, "3", 300))
    await deletion
    await writing
    await correction
    assert witness.news() == [("dropped", 1, ["a"]), ("changed", 1, 0, {}, True)]


async def test_a_deletion_in_slices_is_told_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """When all of it is done, with the value that was current before the first slice."""
    monkeypatch.setattr(datapoints, "DELETE_SLICE", 3)
    feed, witness = await begin(store, "a")
    await write(store, feed, points("a", *[(at, str(at)) for at in range(10)]))
    store._folder.fold()
    witness.news()
    await store.delete_points(feed, feed.streams["a"], 2, 9)
    assert witness.news() == [("changed", 1, 0, {"a": ("1", "9", False, True, False)}, False)]


async def test_a_corrected_datapoint_is_told(store: Store) -> None:
    """As current only if it is the newest."""
    feed, witness = await begin(store, "a")
    await write(store, feed, points("a", (5, "1"), (6, "2")))
    witness.news()
    await store.replace_point(feed, feed.streams["a"], 6, "9", 300)
    await store.replace_point(feed, feed.streams["a"], 5, "8", 300)
    await store.replace_point(feed, feed.streams["a"], 7, "none", 300)
    assert witness.news() == [
        ("changed", 1, 300, {"a": ("9", "2", True, True, False)}, False),
        ("changed", 1, 300, {"a": ("9", "9", True, False, False)}, False),
    ]


async def test_what_fails_is_never_told(store: Store) -> None:
    """Nor what nobody watches."""
    feed, witness = await begin(store, "a")
    with pytest.raises(Conflict):
        await write(store, feed, StreamChange("a"), existing="must not")
    with pytest.raises(UnicodeEncodeError):
        await write(store, feed, points("a", (5, "\ud800")))
    witness.watched = ()
    await write(store, feed, points("a", (5, "1")), fields={"title": "New"})
    assert witness.news() == []
    store.observer = SILENCE
    await write(store, feed, points("a", (6, "1")))
    await store.delete_points(feed, feed.streams["a"], 0, 9)
    await store.delete_stream(feed, feed.streams["a"])
    await store.delete_feed(feed)


async def test_telling_comes_before_the_answer_and_once_for_each_write(store: Store) -> None:
    """In the order of the commits; and when all of a commit are told, that is told too."""
    feed, witness = await begin(store, "a")
    before = witness.settlements
    answered = []
    for number in range(20):
        change = FeedChange(number, False, streams=[points("a", (number, str(number)))])
        deferred = Deferred.fromCoroutine(store.change_feed(feed, change))
        deferred.addCallback(lambda _: answered.append(len(witness.told)))
    await deferred
    assert [told[2] for told in witness.news()] == list(range(20))
    assert answered == list(range(1, 21))
    await store._write(lambda _: None)
    assert before < witness.settlements <= before + 21


async def test_changes_of_an_administrator_are_told(store: Store, until: Until) -> None:
    """New datastreams, deleted feeds, keys: whoever did it, the observer hears of it."""
    _, witness = await begin(store, "a")

    def administer(work: Callable[[Administration, Feed], object]) -> None:
        with open_administration(store.path.parent, lambda: 5) as administration:
            found = administration.find_feed(1)
            assert found is not None
            work(administration, found)

    administer(lambda admin, found: admin.add_streams(found, ["b"]))
    await until(lambda: witness.told)
    assert witness.news() == [("rights",), ("changed", 1, 0, {}, True)]
    administer(lambda admin, _: admin.add_master_key(1, ""))
    await until(lambda: witness.told)
    assert witness.news() == [("rights",)]
    administer(lambda admin, found: admin.remove_feed(found))
    await until(lambda: witness.told)
    assert witness.news() == [("gone", 1)]


async def test_a_datastream_that_an_administrator_replaced_is_told_as_dropped(store: Store) -> None:
    """Its id may be the same, the datastream is another one."""
    feed, witness = await begin(store, "a", "b")
    old = feed.streams["a"].pk

    def replace(txn: Transaction) -> None:
        txn.execute("DELETE FROM datastreams WHERE id = ?", (old,))
        feeds.change_feed(txn, 1, FeedChange(5, False, streams=[StreamChange("a")]), {}, 0)
        txn.execute("INSERT INTO notices (kind, subject) VALUES ('feed', 1)")

    await store._write(replace)
    store._look_for_notices()
    await store._write(lambda _: None)
    assert witness.news() == [("rights",), ("dropped", 1, ["a"]), ("changed", 1, 0, {}, True)]
    assert feed.streams["a"].pk != old
