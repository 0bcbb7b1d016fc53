"""Feeds and datastreams in the database."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.server.storage import accounts, feeds, journal
from txpachube.server.storage.failures import Conflict, Gone
from txpachube.server.storage.feeds import Changed, stream_order
from txpachube.server.storage.records import Feed, FeedChange, Stream, StreamChange, StreamState
from txpachube.server.storage.writer import Transaction

ROSA = 1


def create(txn: Transaction, *streams: StreamChange, feed_id: int | None = None, **more: Any) -> int:
    """Create a feed and return its id."""
    change = FeedChange(100, True, fields={"title": "T"}, streams=list(streams), **more)
    feed, _ = feeds.create_feed(txn, ROSA, change, feed_id)
    return feed.id


def change(txn: Transaction, feed_id: int, arrived: int = 200, **what: Any) -> Changed:
    """Change a feed as if memory knew nothing."""
    return feeds.change_feed(txn, feed_id, FeedChange(arrived, False, **what), {}, 0)


def load(txn: Transaction, feed_id: int) -> Feed:
    found = feeds.load_feed(txn, feed_id)
    assert found is not None
    return found


def all_waypoints(txn: Transaction, feed_id: int) -> list[tuple[int, float, float, str | None]]:
    return feeds.waypoints(txn, feed_id, None, None, 1000)


def place(lat: float, lon: float, ele: str | None = None, **more: str) -> dict[str, str | float]:
    location: dict[str, str | float] = {"disposition": "mobile", "lat": lat, "lon": lon, **more}
    if ele is not None:
        location["ele"] = ele
    return location


def test_a_feed_comes_back_as_it_was_stored(txn: Transaction) -> None:
    """Every part of a feed and its datastreams survives."""
    texts: dict[str, str | None] = {
        "title": "Tomatö",
        "description": "",
        "website": "http://example/",
        "email": "a@example",
        "icon": "i",
        "auto_feed_url": "u",
        "product_id": "p",
        "device_serial": "s",
    }
    temp = StreamChange(
        "temp", tags=["a", "b"], unit={"type": "basicSI", "symbol": "°"}, points=[(5, "21.50")]
    )
    made = feeds.create_feed(
        txn,
        ROSA,
        FeedChange(
            100,
            True,
            fields=texts,
            private=True,
            tags=["x", "y"],
            location={"lat": 1.5, "lon": -2.25, "ele": "3.0"},
            location_at=90,
            streams=[temp, StreamChange("10"), StreamChange("9")],
        ),
        None,
    )[0]
    assert journal.recover(txn) == 1
    feed = load(txn, made.id)
    assert (feed.owner_id, feed.owner, feed.private, feed.fields) == (ROSA, "rosa", True, texts)
    assert (feed.tags, feed.location, feed.location_at) == (
        ["x", "y"],
        {"lat": 1.5, "lon": -2.25, "ele": "3.0"},
        90,
    )
    assert (feed.created, feed.updated, feed.data_at) == (100, 100, 100)
    assert list(feed.streams) == ["9", "10", "temp"]
    stream = feed.streams["temp"]
    assert (stream.tags, stream.unit) == (["a", "b"], {"type": "basicSI", "symbol": "°"})
    assert (stream.value, stream.at, stream.max_value, stream.min_value, stream.data_at) == (
        "21.50",
        5,
        21.5,
        21.5,
        100,
    )
    assert (feed.streams["9"].value, feed.streams["9"].tags, feed.streams["9"].unit) == (None, [], {})


def test_there_is_no_feed_where_there_is_none(txn: Transaction) -> None:
    """Loading one finds nothing."""
    assert feeds.load_feed(txn, 1) is None


def test_an_id_never_comes_back(txn: Transaction) -> None:
    """Neither that of a deleted feed nor that of a deleted datastream is given to another one."""
    first = create(txn, StreamChange("a"))
    pk = load(txn, first).streams["a"].pk
    feeds.delete_feed(txn, first)
    second = create(txn, StreamChange("a"))
    assert second > first
    again = load(txn, second).streams["a"].pk
    assert again > pk
    feeds.delete_stream(txn, again)
    assert change(txn, second, streams=[StreamChange("a")]).pks["a"] > again


def test_a_feed_can_have_the_id_it_always_had(txn: Transaction) -> None:
    """The id asked for is taken once, and new ones come after the highest."""
    assert create(txn, feed_id=504) == 504
    with pytest.raises(Conflict, match="504"):
        create(txn, feed_id=504)
    assert create(txn) == 505
    assert create(txn, feed_id=7) == 7
    assert create(txn) == 506


def test_a_change_touches_nothing_else(txn: Transaction) -> None:
    """What a request does not name stays; None clears a text."""
    feed_id = create(txn, StreamChange("a", tags=["t"], unit={"label": "L"}), tags=["one"])
    change(txn, feed_id, fields={"website": "w", "email": "e"})
    change(txn, feed_id, fields={"email": None}, streams=[StreamChange("a", tags=[]), StreamChange("b")])
    feed = load(txn, feed_id)
    assert feed.fields == {"title": "T", "website": "w"}
    assert (feed.tags, feed.private) == (["one"], False)
    assert (feed.streams["a"].tags, feed.streams["a"].unit) == ([], {"label": "L"})
    assert feed.updated == 100, "only a PUT on the feed itself moves it"
    change(txn, feed_id, private=True, tags=[])
    feed = load(txn, feed_id)
    assert (feed.private, feed.tags) == (True, [])


def test_a_change_through_the_feed_moves_its_time(txn: Transaction) -> None:
    """A PUT on the feed counts as an update of it even when it says nothing."""
    feed_id = create(txn)
    feeds.change_feed(txn, feed_id, FeedChange(300, True), {}, 0)
    assert load(txn, feed_id).updated == 300


def test_a_deleted_feed_cant_be_changed(txn: Transaction) -> None:
    """Who is too late hears that it is gone, and nothing of it comes back."""
    feed_id = create(txn, StreamChange("a"))
    feeds.delete_feed(txn, feed_id)
    for what in ({}, {"fields": {"title": "T"}}, {"streams": [StreamChange("a", points=[(1, "1")])]}):
        with pytest.raises(Gone):
            change(txn, feed_id, **what)
    assert txn.execute("SELECT count(*) FROM datastreams").fetchone() == (0,)


def test_a_datastream_that_must_be_there_may_be_gone(txn: Transaction) -> None:
    """An update of a datastream that was deleted meanwhile does not create it again."""
    feed_id = create(txn, StreamChange("a"))
    with pytest.raises(Gone):
        change(txn, feed_id, streams=[StreamChange("b")], existing="must")
    assert list(load(txn, feed_id).streams) == ["a"]
    assert change(txn, feed_id, streams=[StreamChange("a")], existing="must").pks["a"] > 0


def test_a_datastream_that_must_be_new_may_be_there(txn: Transaction) -> None:
    """Of two that create the same one, the second hears of it."""
    feed_id = create(txn, StreamChange("a"))
    with pytest.raises(Conflict, match="a"):
        change(txn, feed_id, streams=[StreamChange("new"), StreamChange("a")], existing="must not")


def test_datastreams_that_are_not_named_can_be_dropped(txn: Transaction) -> None:
    """The old kind of update says all there is; the history of the others goes too."""
    feed_id = create(txn, StreamChange("a"), StreamChange("b", points=[(1, "x")]))
    done = change(txn, feed_id, streams=[StreamChange("a"), StreamChange("c")], drop_other_streams=True)
    assert done.dropped == ["b"]
    assert list(load(txn, feed_id).streams) == ["a", "c"]
    assert txn.execute("SELECT count(*) FROM purges").fetchone() == (1,)


def test_limits_are_set_before_the_datapoints_of_the_same_request_count(txn: Transaction) -> None:
    """A new maximum, or a reset, holds for what was there; what comes with it is counted in."""
    feed_id = create(txn, StreamChange("a", points=[(1, "50"), (2, "-50")]))
    done = change(txn, feed_id, streams=[StreamChange("a", max_value=5.0, min_value=None, points=[(3, "7")])])
    state = done.states[done.pks["a"]]
    assert (state.value, state.at, state.max_value, state.min_value, state.data_at) == (
        "7",
        3,
        7.0,
        7.0,
        200,
    )
    stream = load(txn, feed_id).streams["a"]
    assert (stream.value, stream.max_value, stream.min_value) == ("7", 7.0, 7.0)


def test_limits_are_set_on_top_of_what_memory_had_not_heard_of(txn: Transaction) -> None:
    """Datapoints that were written while the request waited are counted in."""
    feed_id = create(txn, StreamChange("a", points=[(1, "5")]))
    pk, seq = load(txn, feed_id).streams["a"].pk, txn.seq
    known = StreamState("5", 1, 5.0, 5.0, 100)
    txn.append([(pk, 2, "9")], 150, False)
    wanted = FeedChange(200, False, streams=[StreamChange("a", max_value=6.0)])
    done = feeds.change_feed(txn, feed_id, wanted, {pk: known}, seq)
    state = done.states[pk]
    assert (state.value, state.max_value, state.min_value, state.data_at) == ("9", 6.0, 5.0, 150)


def test_a_mobile_feed_remembers_where_it_was(txn: Transaction) -> None:
    """Each move writes down the place it left, with the time from which it held."""
    feed_id = create(txn, location=place(1.0, 2.0, "3"), location_at=10)
    change(txn, feed_id, 300, location=place(1.0, 2.5, "3"), location_at=20)
    assert change(txn, feed_id, 400, location=place(4.0, 5.0)).location_at == 400
    assert all_waypoints(txn, feed_id) == [(10, 1.0, 2.0, "3"), (20, 1.0, 2.5, "3")]
    assert load(txn, feed_id).location_at == 400


def test_only_a_move_counts_as_one(txn: Transaction) -> None:
    """A new name for the same place, a place for the first time, or a fixed feed leave no waypoint."""
    feed_id = create(txn)
    assert change(txn, feed_id, location={"disposition": "mobile", "name": "somewhere"}).location_at == 200
    change(txn, feed_id, 300, location=place(1.0, 2.0))
    assert change(txn, feed_id, 400, location=place(1.0, 2.0, name="here"), location_at=33).location_at == 300
    assert all_waypoints(txn, feed_id) == []
    fixed = create(txn, location={"lat": 1.0, "lon": 2.0})
    change(txn, fixed, location={"lat": 3.0, "lon": 2.0, "disposition": "fixed"})
    assert all_waypoints(txn, fixed) == []
    assert load(txn, fixed).location_at == 200


def test_waypoints_are_read_by_time(txn: Transaction) -> None:
    """A range has both ends in it and begins with the oldest; without one the newest are given."""
    feed_id = create(txn, location=place(0.0, 0.0), location_at=0)
    for at in range(1, 6):
        change(txn, feed_id, location=place(float(at), 0.0), location_at=at)

    def times(start: int | None, end: int | None, limit: int) -> list[int]:
        return [row[0] for row in feeds.waypoints(txn, feed_id, start, end, limit)]

    assert times(None, None, 3) == [2, 3, 4]
    assert times(1, 3, 10) == [1, 2, 3]
    assert times(1, 3, 2) == [1, 2]
    assert times(9, 10, 10) == []


def test_a_deleted_feed_leaves_nothing(txn: Transaction) -> None:
    """Datastreams and waypoints go at once, the history is written down for later."""
    keep = create(txn, StreamChange("a"), location=place(0.0, 0.0))
    feed_id = create(txn, StreamChange("a"), StreamChange("b"), location=place(0.0, 0.0))
    pks = {stream.pk for stream in load(txn, feed_id).streams.values()}
    change(txn, feed_id, location=place(1.0, 0.0))
    assert feeds.delete_feed(txn, feed_id) == []
    assert feeds.load_feed(txn, feed_id) is None
    assert {pk for (pk,) in txn.execute("SELECT datastream FROM purges")} == pks
    assert txn.execute("SELECT count(*) FROM waypoints").fetchone() == (0,)
    assert list(load(txn, keep).streams) == ["a"]
    assert feeds.delete_feed(txn, feed_id) == [], "twice is once"
    feeds.delete_stream(txn, min(pks))
    assert txn.execute("SELECT count(*) FROM purges").fetchone() == (2,)


def test_history_of_deleted_datastreams_goes_slice_by_slice(
    txn: Transaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each transaction removes at most a slice, and nothing of the datastreams that stay."""
    monkeypatch.setattr(feeds, "PURGE_SLICE", 10)
    feed_id = create(txn, StreamChange("a"), StreamChange("b"), StreamChange("c"), StreamChange("d"))
    pks = [stream.pk for stream in load(txn, feed_id).streams.values()]
    for pk, many in zip(pks, (25, 10, 0, 7), strict=True):
        rows = [(pk, at, "x") for at in range(many)]
        txn.executemany("INSERT INTO history (datastream, at, value) VALUES (?, ?, ?)", rows)
    for pk in pks[:3]:
        feeds.delete_stream(txn, pk)
    left = [42]
    while feeds.purge_slice(txn):
        left.append(txn.execute("SELECT count(*) FROM history").fetchone()[0])
    assert all(before - after <= 10 for before, after in pairwise(left))
    assert left[-1] == 7
    assert txn.execute("SELECT DISTINCT datastream FROM history").fetchall() == [(pks[3],)]
    assert txn.execute("SELECT count(*) FROM purges").fetchone() == (0,)


def test_an_account_lists_its_feeds(txn: Transaction) -> None:
    """By id; without an account all feeds are given."""
    otto = accounts.add_user(txn, "otto", None, 0)
    mine = [create(txn), create(txn)]
    his = feeds.create_feed(txn, otto, FeedChange(1, True, fields={"title": "T"}), 1000)[0].id
    assert [feed.id for feed in feeds.feeds_of(txn, ROSA)] == mine
    assert [feed.id for feed in feeds.feeds_of(txn, otto)] == [his]
    assert [feed.id for feed in feeds.feeds_of(txn, None)] == [*mine, his]


def test_datastreams_are_ordered_as_people_expect() -> None:
    """Numbers come first, by size; then texts by code point."""
    ids = ["b", "10", "a", "9", "B", "007", "1a", "-1", "_"]
    assert sorted(ids, key=stream_order) == ["007", "9", "10", "-1", "1a", "B", "_", "a", "b"]


@given(st.lists(st.text("0123456789abAB_-+.²", min_size=1, max_size=4), unique=True))
def test_any_two_ids_have_an_order(ids: list[str]) -> None:
    """The order does not depend on where one begins, whatever counts as a digit elsewhere."""
    backwards = ids[::-1]
    assert sorted(ids, key=stream_order) == sorted(backwards, key=stream_order)


def test_a_new_record_has_no_state() -> None:
    """A datastream without datapoints has no current value and no limits."""
    stream = Stream(pk=1, id="a")
    assert (stream.value, stream.at, stream.max_value, stream.min_value, stream.data_at) == (
        None,
        None,
        None,
        None,
        0,
    )
