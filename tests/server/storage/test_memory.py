"""What is kept in memory, without a disk."""

from __future__ import annotations

import gc
import weakref

import pytest

from txpachube.server.storage import memory as module
from txpachube.server.storage.feeds import Changed
from txpachube.server.storage.journal import LAST_ROW
from txpachube.server.storage.memory import Memory, adds_points_only, without_idle_parts
from txpachube.server.storage.records import Feed, FeedChange, Key, Stream, StreamChange, StreamState


def feed_of(number: int, *streams: str) -> Feed:
    """Return a feed with empty datastreams, numbered from 1."""
    made = {name: Stream(pk=pk, id=name) for pk, name in enumerate(streams, 1)}
    return Feed(number, 1, "rosa", False, {"title": "T"}, created=10, updated=10, streams=made)


def key_of(pk: int) -> Key:
    return Key(pk, "text", 1, "rosa", "label", False, ())


def write(memory: Memory, feed: Feed, name: str, *points: tuple[int, str], arrived: int = 50) -> None:
    """Let memory hear of datapoints that were committed next."""
    change = FeedChange(arrived, False, streams=[StreamChange(name, points=list(points))])
    memory.appended(feed, [feed.streams[name]], change, memory.applied_seq + 1)


def test_memory_says_what_it_does_not_know() -> None:
    """That there is no such key is something else than not to know."""
    memory = Memory()
    with pytest.raises(KeyError):
        memory.key(b"a")
    memory.keep_key(b"a", None)
    memory.keep_key(b"b", key_of(1))
    assert memory.key(b"a") is None
    found = memory.key(b"b")
    assert found is not None
    assert found.pk == 1


def test_forgetting_a_key_forgets_all_unknown_ones() -> None:
    """A text that was nobody's may be the changed key's new one; other keys are kept."""
    memory = Memory()
    for hashed, key in ((b"a", None), (b"b", key_of(1)), (b"c", key_of(2))):
        memory.keep_key(hashed, key)
    memory.forget_keys([1])
    for hashed in (b"a", b"b"):
        with pytest.raises(KeyError):
            memory.key(hashed)
    assert memory.key(b"c") is not None


def test_wrong_keys_cant_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many are kept and no more; the oldest goes first."""
    monkeypatch.setattr(module, "CACHED_KEYS", 3)
    memory = Memory()
    for number in range(5):
        memory.keep_key(bytes([number]), None)
    for number in (0, 1):
        with pytest.raises(KeyError):
            memory.key(bytes([number]))
    assert [memory.key(bytes([number])) for number in (2, 3, 4)] == [None] * 3


def test_a_feed_has_one_record() -> None:
    """Who loads it a second time gets the first record."""
    memory = Memory()
    first = memory.enter(feed_of(1))
    assert memory.enter(feed_of(1)) is first
    assert memory.feed(1) is first
    assert memory.feed(2) is None


def test_a_feed_that_somebody_holds_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory forgets the oldest feeds, but a record in use is found as long as it is."""
    monkeypatch.setattr(module, "CACHED_FEEDS", 2)
    memory = Memory()
    held = memory.enter(feed_of(1))
    unheld = weakref.ref(memory.enter(feed_of(2)))
    for number in (3, 4):
        memory.enter(feed_of(number))
    gc.collect()
    assert memory.feed(1) is held
    assert unheld() is None
    assert memory.feed(2) is None
    assert memory.feed(3) is not None
    assert memory.enter(feed_of(1)) is held


def test_a_feed_whose_datapoints_wait_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows don't know the truth until the fold is done, so it must not be read from them."""
    monkeypatch.setattr(module, "CACHED_FEEDS", 1)
    memory = Memory()
    write(memory, memory.enter(feed_of(1, "a")), "a", (5, "x"))
    memory.enter(feed_of(2))
    gc.collect()
    folding = memory.start_folding()
    gc.collect()
    waiting = memory.feed(1)
    assert waiting is not None
    assert waiting.streams["a"].value == "x"
    for part in folding.parts(lambda: 1):
        part.moved(folding.through)
    memory.folded()
    del folding, waiting, part
    gc.collect()
    assert memory.feed(1) is None


def test_datapoints_count_when_they_are_stored() -> None:
    """The newest is the current value, numbers move the limits, and everything waits for the fold."""
    memory = Memory(100)
    feed = memory.enter(feed_of(1, "a"))
    feed.documents["x"] = b"old"
    write(memory, feed, "a", (5, "7"), (9, "open"), (3, "-1.5"), arrived=60)
    stream = feed.streams["a"]
    assert (stream.value, stream.at, stream.max_value, stream.min_value) == ("open", 9, 7.0, -1.5)
    assert stream.pending == [(101, 5, "7"), (102, 9, "open"), (103, 3, "-1.5")]
    assert (stream.data_at, feed.data_at, feed.updated) == (60, 60, 10)
    assert (memory.applied_seq, memory.journal_rows) == (103, 3)
    assert memory.last_data() == {1: 60}
    assert feed.documents == {}


def test_a_value_at_the_same_time_replaces_the_current_one() -> None:
    """The later write of one moment wins; an older moment never becomes current."""
    memory = Memory()
    feed = memory.enter(feed_of(1, "a"))
    write(memory, feed, "a", (5, "first"))
    write(memory, feed, "a", (5, "second"), (4, "old"))
    assert (feed.streams["a"].value, feed.streams["a"].at) == ("second", 5)


def test_a_put_on_the_feed_without_datapoints_moves_only_its_time() -> None:
    """There is nothing to fold then."""
    memory = Memory(7)
    feed = memory.enter(feed_of(1, "a"))
    memory.appended(feed, [], FeedChange(60, True), 8)
    assert (feed.updated, feed.data_at, memory.applied_seq, memory.journal_rows) == (60, 0, 7, 0)


def test_a_fold_takes_what_there_was_when_it_began() -> None:
    """What is written while it runs waits for the next one."""
    memory = Memory()
    feed, idle = memory.enter(feed_of(1, "a", "b")), memory.enter(feed_of(2, "c"))
    write(memory, feed, "a", (5, "1"), (6, "2"), arrived=60)
    folding = memory.start_folding()
    assert (folding.through, folding.rows) == (2, 2)
    [part] = folding.parts(lambda: 100)
    assert part.states() == [("2", 6, 2.0, 1.0, 60, 1)]
    assert folding.feed_rows() == [(10, 60, 1)]
    write(memory, feed, "a", (7, "3"), arrived=70)
    part.moved(folding.through)
    memory.folded()
    assert feed.streams["a"].pending == [(3, 7, "3")]
    assert memory.last_data() == {1: 70}
    assert memory.journal_rows == 1
    assert idle.id not in folding.feeds


def test_the_parts_of_a_fold_leave_no_gap() -> None:
    """Each has about so many datapoints, and every datastream there can be is in exactly one."""
    memory = Memory()
    feed = memory.enter(feed_of(1, "a", "b", "c", "d", "e"))
    for name, count in (("e", 1), ("b", 2), ("a", 1), ("d", 5)):
        write(memory, feed, name, *((at, "1") for at in range(count)))
    parts = list(memory.start_folding().parts(lambda: 3))
    assert [(part.after, part.upto) for part in parts] == [(0, 2), (2, 4), (4, LAST_ROW)]
    assert [[stream.id for stream in part.streams] for part in parts] == [["a", "b"], ["d"], ["e"]]


def test_a_fold_that_failed_is_done_by_the_next_one() -> None:
    """Nothing of it is forgotten."""
    memory = Memory()
    one, two = memory.enter(feed_of(1, "a")), memory.enter(feed_of(2, "a"))
    write(memory, one, "a", (5, "1"))
    failed = memory.start_folding()
    write(memory, two, "a", (5, "2"))
    memory.not_folded(failed)
    again = memory.start_folding()
    assert (again.through, again.rows, sorted(again.feeds)) == (2, 2, [1, 2])
    assert one.streams["a"].pending == [(1, 5, "1")]
    for part in again.parts(lambda: 1):
        part.moved(again.through)
    assert memory.last_data() == {1: 50, 2: 50}, "until it is done, the rows don't know"
    memory.folded()
    assert one.streams["a"].pending == two.streams["a"].pending == []
    assert memory.last_data() == {}


def test_deleted_datapoints_wait_no_longer() -> None:
    """The range goes from what waits, the state is what the deletion found, and readers can notice."""
    memory = Memory()
    feed = memory.enter(feed_of(1, "a"))
    stream = feed.streams["a"]
    write(memory, feed, "a", (5, "5"), (6, "6"), (7, "7"))
    before = stream.epoch
    memory.deleted(feed, stream, 6, 7, StreamState("5", 5, 7.0, 5.0, 50))
    assert stream.pending == [(1, 5, "5")]
    assert (stream.value, stream.at, stream.max_value, stream.epoch) == ("5", 5, 7.0, before + 1)


def test_a_replaced_datapoint_is_a_later_write() -> None:
    """It waits for the fold like any other."""
    memory = Memory(10)
    feed = memory.enter(feed_of(1, "a"))
    memory.replaced(feed, feed.streams["a"], 11, 5, "9", 70)
    assert feed.streams["a"].pending == [(11, 5, "9")]
    assert (feed.streams["a"].value, feed.data_at, memory.applied_seq, memory.journal_rows) == (
        "9",
        70,
        11,
        1,
    )


def test_a_deleted_feed_is_empty_for_who_still_holds_it() -> None:
    """And a new one with the same id is another record."""
    memory = Memory()
    feed = memory.enter(feed_of(1, "a"))
    write(memory, feed, "a", (5, "1"))
    memory.drop(feed)
    assert (feed.streams, memory.feed(1), memory.last_data()) == ({}, None, {})
    assert memory.enter(feed_of(1, "a")) is not feed


def test_only_the_datastream_that_was_deleted_is_forgotten() -> None:
    """Not a new one that got its id meanwhile."""
    memory = Memory()
    feed = memory.enter(feed_of(1, "a"))
    old = feed.streams["a"]
    new = feed.streams["a"] = Stream(pk=9, id="a")
    memory.drop_stream(feed, old)
    assert feed.streams == {"a": new}
    memory.drop_stream(feed, new)
    assert feed.streams == {}


def test_what_another_process_changed_is_taken_over_without_values() -> None:
    """Texts and rights are new, values stay, new datastreams come and deleted ones go."""
    memory = Memory()
    feed = memory.enter(feed_of(1, "a", "b", "c"))
    write(memory, feed, "a", (5, "1"))
    kept = feed.streams["a"]
    fresh = feed_of(1, "a", "x")
    fresh.fields, fresh.private, fresh.owner = {"title": "New"}, True, "otto"
    fresh.streams["c"] = Stream(pk=77, id="c")
    memory.refresh(feed, fresh)
    assert (feed.fields, feed.private, feed.owner, feed.created) == ({"title": "New"}, True, "otto", 10)
    assert list(feed.streams) == ["a", "x", "c"]
    assert feed.streams["a"] is kept
    assert kept.pending == [(1, 5, "1")]
    assert feed.streams["c"].pk == 77


def test_a_change_is_repeated_in_memory() -> None:
    """Texts are set and cleared, datastreams are made, changed and dropped, in the order of the answers."""
    memory = Memory(5)
    feed = memory.enter(feed_of(1, "b", "10"))
    feed.fields["email"] = "e"
    wanted = FeedChange(
        60,
        True,
        fields={"email": None, "website": "w"},
        private=True,
        tags=["t"],
        location={"lat": 1.0},
        streams=[
            StreamChange("b", tags=["x"], unit={"label": "L"}, max_value=3.0, points=[(5, "9")]),
            StreamChange("9"),
        ],
    )
    memory.changed(
        feed, wanted, Changed({"b": 1, "9": 3}, 6, {1: StreamState("9", 5, 9.0, 1.0, 60)}, ["10"], 44, None)
    )
    assert (feed.fields, feed.private, feed.tags) == ({"title": "T", "website": "w"}, True, ["t"])
    assert (feed.location, feed.location_at, feed.updated, feed.data_at) == ({"lat": 1.0}, 44, 60, 60)
    assert [(stream.id, stream.pk) for stream in feed.streams.values()] == [("9", 3), ("b", 1)]
    stream = feed.streams["b"]
    assert (stream.tags, stream.unit, stream.value, stream.max_value, stream.min_value) == (
        ["x"],
        {"label": "L"},
        "9",
        9.0,
        1.0,
    )
    assert stream.pending == [(6, 5, "9")]


def test_a_datastream_made_anew_has_a_new_record() -> None:
    """When a deletion and a creation of one id cross, memory follows the rows."""
    memory = Memory()
    feed = memory.enter(feed_of(1, "a"))
    write(memory, feed, "a", (5, "1"))
    change = FeedChange(60, False, streams=[StreamChange("a")])
    memory.changed(feed, change, Changed({"a": 8}, 2, {}, [], None, None))
    assert (feed.streams["a"].pk, feed.streams["a"].value, feed.streams["a"].pending) == (8, None, [])


def test_former_places_are_kept_for_who_asked() -> None:
    """Only then, in order, one for each time, and not more than so many."""
    memory = Memory()
    feed = memory.enter(feed_of(1))
    moved = FeedChange(60, False, location={"lat": 1.0})
    memory.changed(feed, moved, Changed({}, 1, {}, [], 5, (5, 1.0, 2.0, None)))
    assert feed.waypoints is None
    feed.waypoints = [(at, 0.0, 0.0, None) for at in range(module.KEPT_WAYPOINTS)]
    memory.changed(feed, moved, Changed({}, 1, {}, [], 5, (5, 1.0, 2.0, "3")))
    memory.changed(feed, moved, Changed({}, 1, {}, [], 5, (5000, 1.0, 2.0, None)))
    memory.changed(feed, moved, Changed({}, 1, {}, [], 5, None))
    assert len(feed.waypoints) == module.KEPT_WAYPOINTS
    assert [place[0] for place in feed.waypoints] == [*range(1, module.KEPT_WAYPOINTS), 5000]
    assert feed.waypoints[4] == (5, 1.0, 2.0, "3")


def test_what_says_nothing_new_is_left_out() -> None:
    """A device that sends title, tags and units each time goes the fast way."""
    feed = feed_of(1, "a")
    feed.tags, feed.location = ["t"], {"lat": 1.0}
    feed.streams["a"].tags, feed.streams["a"].unit = ["x"], {"label": "L"}
    known = StreamChange("a", tags=["x"], unit={"label": "L"}, points=[(1, "1")])
    change = FeedChange(
        60, True, {"title": "T"}, private=False, tags=["t"], location={"lat": 1.0}, streams=[known]
    )
    assert not adds_points_only(feed, change)
    assert without_idle_parts(feed, change) is change
    assert adds_points_only(feed, change)


@pytest.mark.parametrize(
    "change",
    [
        FeedChange(60, True, fields={"title": "Other"}),
        FeedChange(60, True, fields={"website": "w"}),
        FeedChange(60, True, private=True),
        FeedChange(60, True, tags=["new"]),
        FeedChange(60, True, location={"lat": 2.0}),
        FeedChange(60, True, drop_other_streams=True),
        FeedChange(60, True, existing="must not"),
        FeedChange(60, True, streams=[StreamChange("new")]),
        FeedChange(60, True, streams=[StreamChange("a", tags=["new"])]),
        FeedChange(60, True, streams=[StreamChange("a", unit={"label": "new"})]),
        FeedChange(60, True, streams=[StreamChange("a", max_value=None)]),
        FeedChange(60, True, streams=[StreamChange("a", min_value=1.0)]),
    ],
)
def test_whatever_is_new_goes_the_long_way(change: FeedChange) -> None:
    """Each part that says something new is kept, and is more than datapoints."""
    assert not adds_points_only(feed_of(1, "a"), without_idle_parts(feed_of(1, "a"), change))
