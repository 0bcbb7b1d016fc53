"""What is kept for some days only."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from txpachube.server.storage import feeds, retention
from txpachube.server.storage.records import FeedChange, StreamChange
from txpachube.server.storage.retention import DAY, days_of, expire_slice, keep
from txpachube.server.storage.store import Store
from txpachube.server.storage.writer import Transaction

NOW = 1000 * DAY


def feed_with(txn: Transaction, days: int | None, *ages: int) -> tuple[int, int]:
    """Return the id of a feed kept for some days, and its datastream with values of these ages in days."""
    change = FeedChange(
        arrived=NOW, through_feed=True, fields={"title": "x"}, streams=[StreamChange(id="temp")]
    )
    feed, done = feeds.create_feed(txn, 1, change, None)
    pk = done.pks["temp"]
    if days is not None:
        keep(txn, feed.id, days)
    txn.executemany("INSERT INTO history VALUES (?, ?, 'x')", [(pk, NOW - age * DAY) for age in ages])
    return feed.id, pk


def ages(txn: Transaction, pk: int) -> list[int]:
    """Return the ages of the values that are there."""
    rows = txn.execute("SELECT at FROM history WHERE datastream = ? ORDER BY at DESC", (pk,))
    return [(NOW - at) // DAY for (at,) in rows.fetchall()]


def expire(txn: Transaction, usual_days: int = 0) -> tuple[int, int]:
    """Remove everything in slices; return how many there were, and how many datapoints went."""
    after: int | None = 0
    slices = total = 0
    while after is not None:
        after, gone = expire_slice(txn, after, NOW, usual_days)
        slices, total = slices + 1, total + gone
    return slices, total


def test_what_is_older_goes_and_the_rest_stays(txn: Transaction) -> None:
    """For each feed as long as it says, for the others as the settings say."""
    kept = [feed_with(txn, days, 1, 9, 10, 11, 99)[1] for days in (10, None, retention.FOR_EVER, 50)]
    assert expire(txn) == (1, 3)
    everything = [1, 9, 10, 11, 99]
    assert [ages(txn, pk) for pk in kept] == [[1, 9, 10], everything, everything, [1, 9, 10, 11]]
    assert expire(txn, usual_days=5) == (1, 4)
    assert [ages(txn, pk) for pk in kept] == [[1, 9, 10], [1], [1, 9, 10, 11, 99], [1, 9, 10, 11]]
    assert expire(txn, usual_days=5) == (1, 0)


def test_the_newest_stays_however_old_it_is(txn: Transaction) -> None:
    """It is the current value."""
    _, pk = feed_with(txn, 10, 300, 400)
    expire(txn)
    assert ages(txn, pk) == [300]


def test_much_goes_in_slices(txn: Transaction, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them removes more, or looks at more datastreams, than others should wait for."""
    monkeypatch.setattr(retention, "POINTS_AT_ONCE", 10)
    monkeypatch.setattr(retention, "STREAMS_AT_ONCE", 3)
    kept = [feed_with(txn, 10, *range(1, 31))[1] for _ in range(7)]
    after: int | None = 0
    total = 0
    while after is not None:
        after, gone = expire_slice(txn, after, NOW, 0)
        assert gone <= 10
        total += gone
    assert total == 7 * 20
    assert [ages(txn, pk) for pk in kept] == [list(range(1, 11))] * 7


def test_how_long_a_feed_is_kept_goes_with_it(txn: Transaction) -> None:
    """And can be changed, or left to the settings again."""
    feed_id, _ = feed_with(txn, 10)
    assert days_of(txn, feed_id) == 10
    keep(txn, feed_id, 0)
    assert days_of(txn, feed_id) == 0
    keep(txn, feed_id, None)
    assert days_of(txn, feed_id) is None
    keep(txn, feed_id, 3)
    feeds.delete_feed(txn, feed_id)
    assert txn.execute("SELECT count(*) FROM retention").fetchone() == (0,)


async def test_values_that_wait_in_the_journal_go_when_they_are_in_the_history(
    store: Store, until: Callable[[Callable[[], object]], object]
) -> None:
    """A device that sends old values gets them stored, and they are removed with the next look."""
    feed_id = await store.create_feed(
        1, FeedChange(arrived=NOW, through_feed=True, fields={"title": "x"}, streams=[])
    )
    feed = await store.find_feed(feed_id)
    assert feed is not None
    points = [(NOW - age * DAY, str(age)) for age in (99, 50, 2)]
    change = FeedChange(arrived=NOW, through_feed=False, streams=[StreamChange(id="temp", points=points)])
    await store.change_feed(feed, change)
    assert await store.retention.expire(NOW, 10) == 0
    stream = feed.streams["temp"]
    assert len(await store.points(stream, 0, NOW, 10)) == 3
    store._folder.fold()
    await until(lambda: not stream.pending)  # type: ignore[misc]  # it is awaitable
    assert await store.retention.expire(NOW, 10) == 2
    assert await store.points(stream, 0, NOW, 10) == [(NOW - 2 * DAY, "2")]
    assert (stream.value, store.retention.removed) == ("2", 2)
