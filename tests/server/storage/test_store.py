"""The store as the service uses it: what is said to be done is in memory and on the disk."""

from __future__ import annotations

import gc
import os
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults

from txpachube.server.storage import accounts, datapoints, feeds, folding, journal, passwords
from txpachube.server.storage import store as store_module
from txpachube.server.storage.database import connect, connect_reader, lock
from txpachube.server.storage.failures import (
    AlreadyRunning,
    Conflict,
    DatabaseTooNew,
    Gone,
    StorageFailed,
    StorageFull,
)
from txpachube.server.storage.filters import FeedFilter
from txpachube.server.storage.records import (
    Feed,
    FeedChange,
    Permission,
    Resource,
    Stream,
    StreamChange,
)
from txpachube.server.storage.store import Store

Until = Callable[[Callable[[], object]], Awaitable[None]]

ROSA = 1
GET = (Permission(("get",)),)
MASTER = (Permission(("get", "put", "post", "delete")),)
PATIENCE = 20.0


def store_at(path: Path, **options: Any) -> Store:
    from twisted.internet import reactor

    clock: Any = reactor
    return Store(path, clock, **options)


async def make(store: Store, *streams: str, **fields: str) -> Feed:
    """Create a feed and return its record."""
    change = FeedChange(
        100, True, fields={"title": "T", **fields}, streams=[StreamChange(name) for name in streams]
    )
    return await find(store, await store.create_feed(ROSA, change))


async def find(store: Store, feed_id: int) -> Feed:
    feed = await store.find_feed(feed_id)
    assert feed is not None
    return feed


def write(store: Store, feed: Feed, name: str, *points: tuple[int, str], **limits: Any) -> Deferred[None]:
    """Begin to write datapoints, and return what fires when it is done."""
    change = FeedChange(200, False, streams=[StreamChange(name, points=list(points), **limits)])
    return Deferred.fromCoroutine(store.change_feed(feed, change))


async def all_points(store: Store, stream: Stream) -> list[tuple[int, str]]:
    return await store.points(stream, -1000, 1000, 100_000)


def on_disk(store: Store, sql: str) -> list[tuple[Any, ...]]:
    """Return what another process sees."""
    reader = connect_reader(store.path)
    try:
        return reader.execute(sql).fetchall()
    finally:
        reader.close()


class Pause:
    """A piece of work that holds the writer up until it may go on."""

    def __init__(self, store: Store) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

        def hold(_: object) -> None:
            self.begun.set()
            assert self.go_on.wait(PATIENCE)

        self.over: Deferred[None] = store._write(hold)


# --- opening and closing ----------------------------------------------------------------------------


async def test_a_new_store_makes_its_directory_for_its_owner_only(path: Path) -> None:
    """Nobody else may look into it, whatever the umask allows."""
    umask = os.umask(0)
    try:
        store = store_at(path)
        await store.open()
        await store.close()
    finally:
        os.umask(umask)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


async def test_only_one_store_can_have_a_database_open(store: Store) -> None:
    """The second is refused and does no harm; it can open it when the first is closed."""
    second = store_at(store.path)
    with pytest.raises(AlreadyRunning, match="another service is running"):
        await second.open()
    feed = await make(store, "a")
    await write(store, feed, "a", (1, "1"))
    assert await store.find_feed(feed.id) is feed


async def test_a_store_waits_for_an_administrator_to_finish(path: Path) -> None:
    """Who has the lock only for a moment is no other service."""
    path.parent.mkdir()
    taken = lock(path)
    assert taken is not None
    store = store_at(path)
    threading.Timer(0.1, os.close, [taken]).start()
    await store.open()
    await store.close()


async def test_a_store_can_be_opened_again_after_it_was_closed(path: Path) -> None:
    """Everything is there, the journal is folded, and no number is given twice."""
    store = store_at(path)
    await store.open()
    await store._write(accounts.add_user, "rosa", None, 0)
    feed = await make(store, "a")
    await write(store, feed, "a", (1, "1.0"), (2, "2"))
    assert await store.points(feed.streams["a"], 0, 9, 9) == [(1, "1.0"), (2, "2")]
    await store.close()
    assert not path.with_name(f"{path.name}-wal").exists(), "closed in order, so nothing waits in the log"
    again = store_at(path)
    await again.open()
    assert on_disk(again, "SELECT count(*) FROM journal") == [(0,)]
    feed = await find(again, feed.id)
    stream = feed.streams["a"]
    assert (stream.value, stream.at, stream.max_value, feed.data_at) == ("2", 2, 2.0, 200)
    await write(again, feed, "a", (3, "3"))
    assert on_disk(again, "SELECT seq FROM journal") == [(3,)]
    assert await all_points(again, stream) == [(1, "1.0"), (2, "2"), (3, "3")]
    await again.close()


async def test_a_database_from_the_future_is_not_opened(path: Path) -> None:
    """And the directory is free for the program that can."""
    store = store_at(path)
    await store.open()
    await store.close()
    connection = connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(DatabaseTooNew):
        await store_at(path).open()
    free = lock(path)
    assert free is not None
    os.close(free)


async def test_what_is_no_database_is_not_opened(path: Path) -> None:
    """The failure is one of storage, and nothing is left open."""
    path.parent.mkdir()
    path.write_bytes(b"something else " * 100)
    with pytest.raises(StorageFailed, match="not a database"):
        await store_at(path).open()
    free = lock(path)
    assert free is not None
    os.close(free)


async def test_work_for_a_closed_store_fails(path: Path) -> None:
    """Whether it is reading or writing, who asks is told."""
    store = store_at(path)
    await store.open()
    await store._write(accounts.add_user, "rosa", None, 0)
    feed = await make(store, "a")
    await store.close()
    with pytest.raises(StorageFailed, match="closed"):
        await write(store, feed, "a", (1, "1"))
    with pytest.raises(StorageFailed, match="closed"):
        await store.points(feed.streams["a"], 0, 1, 1)


async def test_closing_finishes_what_was_begun(path: Path) -> None:
    """Writes that wait when the store is closed are stored and answered."""
    store = store_at(path, fold_rows=3)
    await store.open()
    await store._write(accounts.add_user, "rosa", None, 0)
    feed = await make(store, "a")
    pause = Pause(store)
    writes = gatherResults([write(store, feed, "a", (at, str(at))) for at in range(10)])
    closing = Deferred.fromCoroutine(store.close())
    pause.go_on.set()
    await closing
    assert writes.called
    await writes
    assert on_disk(store, "SELECT at FROM history ORDER BY at") == [(at,) for at in range(10)]


async def test_a_disk_that_fails_at_the_end_loses_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the last fold fails, the store closes all the same, and the next start folds the journal."""
    store = store_at(path)
    await store.open()
    await store._write(accounts.add_user, "rosa", None, 0)
    feed = await make(store, "a")
    await write(store, feed, "a", (1, "1"))

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(journal, "move", fail)
        await store.close()
    again = store_at(path)
    await again.open()
    assert await all_points(again, (await find(again, feed.id)).streams["a"]) == [(1, "1")]
    await again.close()


# --- writes -----------------------------------------------------------------------------------------


async def test_who_is_told_sees_it_in_memory_and_on_the_disk(store: Store) -> None:
    """When a write is done, another process finds it, and so does the next read."""
    feed = await make(store, "a")
    await write(store, feed, "a", (5, "0005"))
    assert feed.streams["a"].value == "0005"
    assert on_disk(store, "SELECT at, value FROM journal") == [(5, "0005")]
    assert await all_points(store, feed.streams["a"]) == [(5, "0005")]


async def test_nobody_sees_what_is_not_stored_yet(store: Store) -> None:
    """While a write waits, memory shows what was before."""
    feed = await make(store, "a")
    pause = Pause(store)
    waiting = write(store, feed, "a", (5, "x"))
    named = Deferred.fromCoroutine(store.change_feed(feed, FeedChange(200, True, fields={"title": "New"})))
    assert (feed.streams["a"].value, feed.fields["title"]) == (None, "T")
    pause.go_on.set()
    await waiting
    await named
    assert (feed.streams["a"].value, feed.fields["title"]) == ("x", "New")


async def test_a_request_that_fails_changes_nothing(store: Store) -> None:
    """Neither in memory nor on the disk, and those that waited with it are stored."""
    feed = await make(store, "a")
    conflict = FeedChange(
        200,
        True,
        fields={"title": "New"},
        streams=[StreamChange("b"), StreamChange("a")],
        existing="must not",
    )
    good = write(store, feed, "a", (1, "1"))
    bad = Deferred.fromCoroutine(store.change_feed(feed, conflict))
    impossible = write(store, feed, "a", (2, "\ud800"))
    also_good = write(store, feed, "a", (3, "3"))
    with pytest.raises(Conflict):
        await bad
    with pytest.raises(UnicodeEncodeError):
        await impossible
    await good
    await also_good
    assert (feed.fields["title"], list(feed.streams)) == ("T", ["a"])
    assert await all_points(store, feed.streams["a"]) == [(1, "1"), (3, "3")]


async def test_changes_that_wait_together_count_one_after_the_other(store: Store) -> None:
    """Two deletions and a reset in one transaction: each sees what the one before left."""
    feed = await make(store, "a")
    await write(store, feed, "a", (1, "1"), (2, "20"), (3, "3"))
    stream = feed.streams["a"]
    waiting: list[Deferred[Any]] = [
        Deferred.fromCoroutine(store.delete_points(feed, stream, 3, 3)),
        Deferred.fromCoroutine(store.delete_points(feed, stream, 2, 2)),
        write(store, feed, "a", max_value=None),
        Deferred.fromCoroutine(store.replace_point(feed, stream, 1, "9", 300)),
        Deferred.fromCoroutine(store.replace_point(feed, stream, 2, "gone", 300)),
    ]
    assert await gatherResults(waiting) == [1, 1, None, True, False]
    assert (stream.value, stream.at, stream.max_value, stream.min_value) == ("9", 1, 9.0, 1.0)


async def test_a_fold_that_waits_undoes_no_deletion(store: Store) -> None:
    """The state a fold remembers is older than a deletion that was begun before it and is done by then."""
    feed = await make(store, "a")
    await write(store, feed, "a", (1, "1"), (2, "2"))
    deletion = Deferred.fromCoroutine(store.delete_points(feed, feed.streams["a"], 2, 2))
    store._folder.fold()
    await deletion
    await store._write(lambda _: None)
    assert on_disk(store, "SELECT value, at FROM datastreams") == [("1", 1)]
    assert (feed.streams["a"].value, await all_points(store, feed.streams["a"])) == ("1", [(1, "1")])


async def test_who_is_too_late_hears_that_it_is_gone(store: Store) -> None:
    """A write to a feed that was deleted while it waited fails; deleting it twice is no trouble."""
    feed = await make(store, "a")
    stream = feed.streams["a"]
    first = Deferred.fromCoroutine(store.delete_feed(feed))
    again = Deferred.fromCoroutine(store.delete_feed(feed))
    change = FeedChange(200, True, fields={"title": "New"})
    late = Deferred.fromCoroutine(store.change_feed(feed, change))
    must = FeedChange(200, False, streams=[StreamChange("a", points=[(1, "1")])], existing="must")
    fast = Deferred.fromCoroutine(store.change_feed(feed, must))
    await first
    await again
    with pytest.raises(Gone):
        await late
    await fast  # it was under way when the feed went, and went with it
    assert await store.find_feed(feed.id) is None
    assert feed.streams == {}
    assert await store.delete_points(feed, stream, 0, 10) == 1
    store._folder.fold()
    await store._folder.ended()
    assert on_disk(store, "SELECT count(*) FROM history") == [(0,)]


async def test_a_datastream_that_was_deleted_meanwhile_is_not_made_again(store: Store) -> None:
    """An update that must find it fails; one that may create it does so, without the old datapoints."""
    feed = await make(store, "a")
    await write(store, feed, "a", (1, "old"))
    old = feed.streams["a"]
    deletion = Deferred.fromCoroutine(store.delete_stream(feed, old))
    must = FeedChange(200, False, streams=[StreamChange("a", tags=["x"])], existing="must")
    late = Deferred.fromCoroutine(store.change_feed(feed, must))
    await deletion
    with pytest.raises(Gone):
        await late
    await write(store, feed, "a", (2, "new"))
    assert feed.streams["a"].pk != old.pk
    assert await all_points(store, feed.streams["a"]) == [(2, "new")]


async def test_two_that_create_one_datastream_meet(store: Store) -> None:
    """The second write goes into the datastream of the first."""
    feed = await make(store)
    both = [
        write(store, feed, "a", (1, "1"), max_value=5.0),
        write(store, feed, "a", (2, "2"), min_value=0.5),
    ]
    for one in both:
        await one
    (stream,) = feed.streams.values()
    assert await all_points(store, stream) == [(1, "1"), (2, "2")]
    assert (stream.value, stream.max_value, stream.min_value) == ("2", 5.0, 0.5)


async def test_a_feed_id_can_be_had_once(store: Store) -> None:
    """The second who asks for it hears of the conflict."""
    change = FeedChange(1, True, fields={"title": "T"})
    wanted = [Deferred.fromCoroutine(store.create_feed(ROSA, change, 504)) for _ in range(2)]
    assert await wanted[0] == 504
    with pytest.raises(Conflict):
        await wanted[1]


@pytest.mark.parametrize("feed_id", [0, -1, 99, 1 << 63, 1 << 100])
async def test_there_is_no_such_feed(store: Store, feed_id: int) -> None:
    """Also for numbers that no row can have."""
    assert await store.find_feed(feed_id) is None


async def test_a_full_disk_stores_nothing_and_forgets_nothing(store: Store) -> None:
    """Who waits is told that there is no room; with room again, writing goes on."""
    feed = await make(store, "a")
    await write(store, feed, "a", (1, "kept"))
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageFull):
        await write(store, feed, "a", (2, "x" * 100_000))
    with pytest.raises(StorageFull):
        await store.change_feed(feed, FeedChange(200, True, fields={"description": "y" * 100_000}))
    assert (feed.streams["a"].value, feed.fields) == ("kept", {"title": "T"})
    assert await all_points(store, feed.streams["a"]) == [(1, "kept")]
    store._connection.execute("PRAGMA max_page_count = 1000000")
    await write(store, feed, "a", (2, "x" * 100_000))
    assert len(feed.streams["a"].value or "") == 100_000


async def test_trouble_of_one_request_keeps_nobody_waiting(store: Store) -> None:
    """When a committed change can't be taken over, the others of its group still hear of theirs."""
    feed = await make(store, "a")
    change = FeedChange(200, False, streams=[StreamChange("a", points=[(1, "1")])])
    broken = Deferred.fromCoroutine(store.change_feed(feed, change))
    change.streams = None  # type: ignore[assignment]  # nobody should do this
    fine = write(store, feed, "a", (2, "2"))
    await fine
    assert not broken.called


# --- folding ----------------------------------------------------------------------------------------


async def test_the_journal_is_folded_when_it_is_long(path: Path, until: Until) -> None:
    """So memory and the next start after a crash have a bounded amount to hold and to read."""
    store = store_at(path, fold_rows=10)
    await store.open()
    await store._write(accounts.add_user, "rosa", None, 0)
    feed = await make(store, "a")
    for at in range(25):
        await write(store, feed, "a", (at, str(at)))
    await until(lambda: on_disk(store, "SELECT count(*) FROM history")[0][0] >= 20)
    await until(lambda: len(feed.streams["a"].pending) < 10)
    assert on_disk(store, "SELECT count(*) FROM journal")[0][0] < 10
    assert await all_points(store, feed.streams["a"]) == [(at, str(at)) for at in range(25)]
    await store.close()


async def test_the_journal_is_folded_when_it_is_old(
    path: Path, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    """Even a single datapoint does not wait for ever, and the next one does not either."""
    monkeypatch.setattr(folding, "FOLD_SECONDS", 0.02)
    store = store_at(path)
    await store.open()
    await store._write(accounts.add_user, "rosa", None, 0)
    feed = await make(store, "a")
    for at in (1, 2):
        await write(store, feed, "a", (at, str(at)))
        await until(lambda: not feed.streams["a"].pending)
        assert on_disk(store, "SELECT count(*) FROM history") == [(at,)]
    await store.close()


async def test_a_fold_that_fails_is_made_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost from memory meanwhile, and the next fold moves everything and writes every state."""
    feed, other = await make(store, "a"), await make(store, "b")
    await write(store, feed, "a", (1, "1"))

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(journal, "move", fail)
        store._folder.fold()
        await write(store, other, "b", (2, "2"))
        await store._folder.ended()
    assert await all_points(store, feed.streams["a"]) == [(1, "1")]
    assert on_disk(store, "SELECT count(*) FROM history") == [(0,)]
    store._folder.fold()
    await store._folder.ended()
    assert on_disk(store, "SELECT at, value FROM history") == [(1, "1"), (2, "2")]
    assert on_disk(store, "SELECT value, data_at FROM datastreams ORDER BY id") == [("1", 200), ("2", 200)]
    assert feed.streams["a"].pending == other.streams["b"].pending == []


async def test_a_fold_that_failed_is_not_tried_again_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    While the disk has trouble, each further update would else begin another one; the last attempt is
    made when the store is closed.
    """
    store = store_at(path, fold_rows=2)
    await store.open()
    await store._write(accounts.add_user, "rosa", None, 0)
    feed = await make(store, "a")
    tried = []

    def fail(*_: object) -> None:
        tried.append(1)
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(journal, "move", fail)
        for at in range(10):
            await write(store, feed, "a", (at, str(at)))
            await store._folder.ended()
    assert tried == [1]
    await store.close()
    assert on_disk(store, "SELECT count(*) FROM history") == [(10,)]


async def test_a_fold_keeps_up_with_those_who_write_the_most(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though more is written between two of its steps than a usual step moves, the journal stays short."""
    monkeypatch.setattr(folding, "SLICE_ROWS", 10)
    store = store_at(path, fold_rows=100)
    await store.open()
    await store._write(accounts.add_user, "rosa", None, 0)
    feed = await make(store, *(str(number) for number in range(20)))
    longest = 0
    for begin in range(0, 300, 3):
        await gatherResults(
            write(store, feed, str(number % 20), *((at, "1") for at in range(begin * 20, begin * 20 + 20)))
            for number in range(begin, begin + 3)
        )
        longest = max(longest, on_disk(store, "SELECT count(*) FROM journal")[0][0])
    assert longest < 1000, "of 6000"
    await store.close()


async def test_times_are_not_forgotten_with_the_datapoints_that_brought_them(path: Path) -> None:
    """What is deleted leaves behind when its feed had its last data, whatever happens to the process then."""
    store = store_at(path)
    await store.open()
    await store._write(accounts.add_user, "rosa", None, 0)
    by_range, by_stream, dropped = [await make(store, "a", "b") for _ in range(3)]
    for feed in (by_range, by_stream, dropped):
        await store.change_feed(feed, FeedChange(900, True, streams=[StreamChange("a", points=[(1, "1")])]))
    await store.delete_points(by_range, by_range.streams["a"], 0, 10)
    await store.delete_stream(by_stream, by_stream.streams["a"])
    await store.change_feed(
        dropped, FeedChange(800, False, streams=[StreamChange("b")], drop_other_streams=True)
    )
    assert on_disk(store, "SELECT updated, data_at FROM listed") == [(900, 900)] * 3
    await store.close()


async def test_a_deletion_that_fails_half_way_leaves_what_it_did_not_reach(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the history nor the current value says that more went than did."""
    monkeypatch.setattr(datapoints, "DELETE_SLICE", 3)
    feed = await make(store, "a")
    await write(store, feed, "a", *((at, str(at)) for at in range(6)))
    store._folder.fold()
    await store._folder.ended()
    await write(store, feed, "a", (8, "8"), (9, "9"))

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    first = datapoints.delete_points

    def once(*arguments: Any) -> Any:
        monkeypatch.setattr(datapoints, "delete_points", fail)
        return first(*arguments)

    monkeypatch.setattr(datapoints, "delete_points", once)
    with pytest.raises(StorageFailed):
        await store.delete_points(feed, feed.streams["a"], 0, 20)
    left = [(at, str(at)) for at in (3, 4, 5, 8, 9)]
    assert await all_points(store, feed.streams["a"]) == left
    assert (feed.streams["a"].at, feed.streams["a"].value) == (9, "9")
    store._folder.fold()
    await store._folder.ended()
    assert on_disk(store, "SELECT at, value FROM history") == left


async def test_a_feed_read_again_knows_what_was_folded(store: Store) -> None:
    """When nobody holds a record any more, it comes back from the rows, with its values."""
    feed = await make(store, "a")
    await write(store, feed, "a", (1, "1"))
    feed_id, first = feed.id, id(feed)
    store._memory._recent.clear()
    assert id(await find(store, feed_id)) == first, "its datapoints wait, so memory holds it"
    store._folder.fold()
    await store._folder.ended()
    await store._write(lambda _: None)  # the writer holds the last group until the next
    del feed
    gc.collect()
    assert store._memory.feed(feed_id) is None
    again = await find(store, feed_id)
    assert (again.streams["a"].value, again.streams["a"].pending, again.data_at) == ("1", [], 200)


# --- reading ----------------------------------------------------------------------------------------


async def test_reads_merge_what_is_folded_and_what_waits(store: Store) -> None:
    """Ranges, pages, single datapoints and grids show the later write of each moment."""
    feed = await make(store, "a")
    stream = feed.streams["a"]
    await write(store, feed, "a", (1, "a"), (3, "c"), (5, "e"))
    store._folder.fold()
    await write(store, feed, "a", (3, "C"), (4, "D"))
    assert await store.points(stream, 1, 4, 10) == [(1, "a"), (3, "C"), (4, "D")]
    assert await store.points(stream, 1, 5, 2, 1) == [(3, "C"), (4, "D")]
    assert await store.last_point(stream, 4) == (4, "D")
    assert await store.last_point(stream, 4, 4) is None
    assert await store.points_at(stream, [2, 3, 6, 9], None) == [(1, "a"), (3, "C"), (5, "e"), None]
    assert await store.points_at(stream, [2], 1) == [None]


async def test_a_read_that_ran_across_a_deletion_is_made_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its look at memory was older than its look at the disk, so it must not count."""
    feed = await make(store, "a")
    stream = feed.streams["a"]
    await write(store, feed, "a", (1, "1"), (2, "2"))
    store._folder.fold()
    await write(store, feed, "a", (3, "3"))
    looked, go_on = threading.Event(), threading.Event()
    reads = []
    original = datapoints.points

    def slow(*arguments: Any) -> list[tuple[int, str]]:
        reads.append(arguments)
        looked.set()
        assert go_on.wait(PATIENCE)
        return original(*arguments)

    monkeypatch.setattr(datapoints, "points", slow)
    reading = Deferred.fromCoroutine(all_points(store, stream))
    deletion = Deferred.fromCoroutine(store.delete_points(feed, stream, 1, 3))
    assert looked.wait(PATIENCE)
    await deletion
    go_on.set()
    assert await reading == []
    assert len(reads) == 2
    assert len(reads[0][2]) == 1, "the first look had what waited"


async def test_a_long_deletion_lets_others_in_between(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes in several transactions, and tells how many there were altogether."""
    monkeypatch.setattr(datapoints, "DELETE_SLICE", 10)
    feed = await make(store, "a", "b")
    await write(store, feed, "a", *[(at, str(at)) for at in range(35)])
    store._folder.fold()
    deletion = Deferred.fromCoroutine(store.delete_points(feed, feed.streams["a"], 0, 33))
    await write(store, feed, "b", (1, "1"))
    assert not deletion.called
    assert await deletion == 34
    assert feed.streams["a"].value == "34"
    assert await all_points(store, feed.streams["a"]) == [(34, "34")]


async def test_the_history_of_what_is_deleted_goes_away(
    store: Store, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    """In the background, slice by slice, other datastreams untouched."""
    monkeypatch.setattr(feeds, "PURGE_SLICE", 10)
    feed, other = await make(store, "a", "b"), await make(store, "c")
    for name in "ab":
        await write(store, feed, name, *[(at, "x") for at in range(35)])
    await write(store, other, "c", *[(at, "x") for at in range(5)])
    store._folder.fold()
    await store.delete_stream(feed, feed.streams["a"])
    await until(lambda: on_disk(store, "SELECT count(*) FROM history") == [(40,)])
    await store.delete_feed(feed)
    await until(lambda: on_disk(store, "SELECT count(*) FROM purges") == [(0,)])
    assert await all_points(store, other.streams["c"]) == [(at, "x") for at in range(5)]
    assert on_disk(store, "SELECT count(*) FROM history") == [(5,)]


async def test_the_history_of_what_an_update_drops_goes_away(store: Store, until: Until) -> None:
    """An update of the old kind, that says all there is, deletes as thoroughly as a DELETE."""
    feed = await make(store, "a", "b")
    await write(store, feed, "a", (1, "x"))
    store._folder.fold()
    change = FeedChange(200, True, streams=[StreamChange("b")], drop_other_streams=True)
    await store.change_feed(feed, change)
    assert list(feed.streams) == ["b"]
    await until(lambda: on_disk(store, "SELECT count(*) FROM history") == [(0,)])
    await until(lambda: on_disk(store, "SELECT count(*) FROM purges") == [(0,)])


async def test_a_start_goes_on_with_what_was_to_be_removed(path: Path, until: Until) -> None:
    """A stop in the middle leaves no history behind for ever."""
    store = store_at(path)
    await store.open()
    await store.close()
    connection = connect(path)
    connection.executemany("INSERT INTO history VALUES (7, ?, 'x')", [(at,) for at in range(10)])
    connection.execute("INSERT INTO purges VALUES (7)")
    connection.close()
    again = store_at(path)
    await again.open()
    await until(lambda: on_disk(again, "SELECT count(*) FROM purges") == [(0,)])
    assert on_disk(again, "SELECT count(*) FROM history") == [(0,)]
    await again.close()


async def test_lists_load_what_memory_has_forgotten(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some feeds at a time, in the order of the list, and each has one record however it is asked for."""
    monkeypatch.setattr(store_module, "LOADED_TOGETHER", 3)
    store = store_at(path)
    await store.open()
    await store._write(accounts.add_user, "rosa", None, 0)
    made = [(await make(store, "b", "a")).id for _ in range(8)]
    await store.close()
    again = store_at(path)
    await again.open()
    known = await again.find_feed(made[3])
    total, found = await again.list_feeds(FeedFilter(limit=7))
    assert (total, [feed.id for feed in found]) == (8, made[:0:-1])
    assert found[4] is known
    assert [list(feed.streams) for feed in found] == [["a", "b"]] * 7
    assert (await again.list_feeds(FeedFilter(limit=7)))[1] == found
    await again.close()


async def test_lists_know_what_waits_in_the_journal(store: Store) -> None:
    """The order by last data is that of memory, and the feeds are the records of memory."""
    first, second = await make(store, "a"), await make(store, "a")
    await write(store, first, "a", (1, "1"))
    total, found = await store.list_feeds(FeedFilter(order="retrieved_at", limit=1))
    assert (total, found) == (2, [first])
    assert await store.list_feeds(FeedFilter()) == (2, [second, first])
    await store.delete_feed(second)
    assert await store.list_feeds(FeedFilter()) == (1, [first])


async def test_former_places_are_read(store: Store) -> None:
    """From the disk for a range, and from memory once somebody asked for that."""
    feed = await make(store)
    for at in range(4):
        location: dict[str, str | float | None] = {"disposition": "mobile", "lat": float(at), "lon": 1.0}
        await store.change_feed(feed, FeedChange(at, True, location=location, location_at=at))
    assert await store.waypoints(feed, 1, 5, 10) == [(1, 1.0, 1.0, None), (2, 2.0, 1.0, None)]
    assert feed.waypoints is None
    await store.keep_waypoints(feed)
    await store.keep_waypoints(feed)
    location = {"disposition": "mobile", "lat": 9.0, "lon": 1.0}
    await store.change_feed(feed, FeedChange(9, True, location=location, location_at=9))
    kept: Any = feed.waypoints
    assert [place[0] for place in kept] == [0, 1, 2, 3]


async def test_parts_of_a_place_that_come_together_are_all_kept(store: Store) -> None:
    """Two updates that wait in the queue together, each with its part of the location, lose nothing."""
    feed = await make(store)
    both = [
        Deferred.fromCoroutine(
            store.change_feed(feed, FeedChange(5, True, location={"lat": 1.0, "lon": 2.0}))
        ),
        Deferred.fromCoroutine(store.change_feed(feed, FeedChange(6, True, location={"name": "Hut"}))),
    ]
    for deferred in both:
        await deferred
    assert feed.location == {"lat": 1.0, "lon": 2.0, "name": "Hut"}
    assert on_disk(store, "SELECT location FROM feeds") == [('{"lat":1.0,"lon":2.0,"name":"Hut"}',)]


# --- keys and accounts ------------------------------------------------------------------------------


async def test_a_key_is_asked_of_the_disk_once(store: Store) -> None:
    """Known and unknown texts alike."""
    made = await store.create_key(ROSA, "label", True, GET, None, "known")
    assert await store.find_key("known") == made
    assert await store.find_key("unknown") is None
    pause = Pause(store)
    assert await store.find_key("known") == made
    assert await store.find_key("unknown") is None
    assert not pause.over.called
    pause.go_on.set()
    await pause.over


async def test_a_changed_key_counts_at_once(store: Store) -> None:
    """A change, another text, a deletion: the next request meets the key as it is then."""
    assert await store.find_key("later") is None
    made = await store.create_key(ROSA, "label", True, GET, None, "later")
    assert await store.find_key("later") == made
    changed = await store.change_key(
        made, label="new", private_access=False, permissions=MASTER, expires_at=9
    )
    assert await store.find_key("later") == changed
    assert (changed.label, changed.private_access, changed.permissions, changed.expires_at) == (
        "new",
        False,
        MASTER,
        9,
    )
    renewed = await store.regenerate_key(changed)
    assert await store.find_key("later") is None
    assert await store.find_key(renewed.text) == renewed
    await store.delete_key(renewed)
    assert await store.find_key(renewed.text) is None
    for late in (
        store.change_key(made, label="x", private_access=True, permissions=GET, expires_at=None),
        store.regenerate_key(made),
    ):
        with pytest.raises(Gone):
            await late


async def test_new_keys_are_random(path: Path) -> None:
    """Their texts are made of the random bytes given; a text that is taken is a conflict."""
    # The first bytes are for what nobody sees: how passwords are remembered for a while.
    given = iter([b"\x00" * 36, b"\x01" * 36, b"\x02" * 36, b"\x02" * 36])
    store = store_at(path, random=lambda count: next(given)[:count])
    await store.open()
    await store._write(accounts.add_user, "rosa", None, 0)
    texts = [(await store.create_key(ROSA, "", True, GET, None)).text for _ in range(2)]
    assert texts == ["AQEB" * 12, "AgIC" * 12]
    with pytest.raises(Conflict):
        await store.create_key(ROSA, "", True, GET, None)
    assert [key.text for key in await store.keys_of(ROSA)] == texts
    await store.close()


async def test_keys_lose_the_feed_that_is_deleted(store: Store) -> None:
    """In memory as well: the next request with such a key finds it changed or gone."""
    one, two = await make(store), await make(store)
    only = (Permission(("get",), resources=(Resource(one.id),)),)
    both = (Permission(("get",), resources=(Resource(one.id), Resource(two.id))),)
    await store.create_key(ROSA, "", True, only, None, "only")
    await store.create_key(ROSA, "", True, both, None, "both")
    assert await store.find_key("only") is not None
    assert await store.find_key("both") is not None
    await store.delete_feed(one)
    assert await store.find_key("only") is None
    found = await store.find_key("both")
    assert found is not None
    assert found.permissions[0].resources == (Resource(two.id),)


async def test_a_password_stands_for_the_master_key(store: Store) -> None:
    """The right one, of an account that has one and a master key."""
    hashed = passwords.hash_password("right")
    otto = await store._write(accounts.add_user, "otto", hashed, 0)
    assert await store.check_password("otto", "right") is None, "there is no master key"
    await store.create_key(otto, "", True, GET, None, "reader")
    master = await store.create_key(otto, "", True, MASTER, None, "master")
    assert await store.check_password("otto", "right") == master
    assert await store.check_password("otto", "wrong") is None
    assert await store.check_password("rosa", "") is None, "she has no password"
    assert await store.check_password("nobody", "right") is None


# --- the queue --------------------------------------------------------------------------------------


async def test_work_of_one_turn_goes_to_the_writer_together(store: Store) -> None:
    """However many requests arrive at once, they are one batch, in order."""
    feed = await make(store, "a")
    pause = Pause(store)
    store._hand_over()
    assert pause.begun.wait(PATIENCE)
    writes = [write(store, feed, "a", (at, str(at))) for at in range(50)]
    assert store.waiting() == 0
    store._hand_over()
    assert store.waiting() == 1
    pause.go_on.set()
    await gatherResults(writes)
    seqs = [seq for seq, _, _ in feed.streams["a"].pending]
    assert all(after == before + 1 for before, after in pairwise(seqs))
    assert [value for _, _, value in feed.streams["a"].pending] == [str(at) for at in range(50)]
