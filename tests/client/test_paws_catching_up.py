"""What is owed after a break, and how it is read from a history that has limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from txpachube import Datapoint, Datastream, Environment
from txpachube.client.catching_up import PAGE, Marks, Owed, micros, missed_points
from txpachube.times import SECOND, format_micros, parse

NOON = parse("2013-06-01T12:00:00Z")
HOUR = 3600 * SECOND
DAY = 24 * HOUR

Points = dict[int, str]
"""A datastream's points: values by time."""


class History:
    """Answers history queries about points as the service does, and refuses what it refuses."""

    def __init__(self, streams: Mapping[str, Points]) -> None:
        self.streams = streams
        self.questions = 0

    async def read(self, ids: list[str], parameters: dict[str, Any]) -> Mapping[str, list[Datapoint]]:
        self.questions += 1
        start, end = parse(parameters["start"]), parse(parameters["end"])
        interval = parameters["interval"]
        assert 0 <= start <= end
        assert end - start <= (6 * HOUR if interval == 0 else 366 * DAY)
        assert parameters["limit"] <= 1000
        found = {}
        for stream_id in ids:
            points = sorted((at, v) for at, v in self.streams[stream_id].items() if start <= at <= end)
            if interval:
                points = list({(at - 1) // (interval * SECOND): (at, v) for at, v in points}.values())
            found[stream_id] = [
                Datapoint(at=format_micros(at), value=v) for at, v in points[: parameters["limit"]]
            ]
        return found


async def collect(history: History, owed: list[Owed]) -> dict[str, list[tuple[int, str]]]:
    """Return all points that are found to be missing, in the order in which they are given."""
    given: dict[str, list[tuple[int, str]]] = {}
    async for page in missed_points(history.read, owed):
        assert page
        for stream_id, points in page.items():
            assert points
            given.setdefault(stream_id, []).extend((micros(p.at) or 0, p.value or "") for p in points)
    return given


def stream(stream_id: str, points: Points) -> Datastream:
    """Return a datastream as it is after these points."""
    if not points:
        return Datastream(id=stream_id)
    at = max(points)
    return Datastream(id=stream_id, at=format_micros(at), current_value=points[at])


times_near = st.integers(0, 3 * 86400).map(lambda seconds: NOON + seconds * SECOND)
times_far = st.integers(0, 700).map(lambda days: NOON + days * DAY)
streams = st.dictionaries(times_near | times_far, st.sampled_from(["1", "2.50", "x"]), max_size=25)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from("abcdefg"), st.tuples(streams, st.integers(0, 25)), min_size=1))
def test_every_missed_point_once_and_in_order(feeds: dict[str, tuple[Points, int]]) -> None:
    """Whatever the subscriber has seen of whatever history, it gets the rest, each point once, in order."""
    before = {i: dict(sorted(points.items())[:seen]) for i, (points, seen) in feeds.items()}
    after = {i: points for i, (points, _) in feeds.items()}
    marks = Marks()
    marks.begin(Environment(datastreams=[stream(i, points) for i, points in before.items()]))
    state = Environment(datastreams=[stream(i, points) for i, points in after.items()])
    history = History(after)
    given = run(collect(history, marks.owed(state)))
    for stream_id, points in after.items():
        expected = sorted(points.items() - before[stream_id].items())
        if expected and not before[stream_id]:  # it is looked at one year back
            expected = [point for point in expected if point[0] >= expected[-1][0] - 365 * DAY]
        assert given.get(stream_id, []) == expected
    asked_days = sum(len({at // DAY for at, _ in points}) for points in given.values())
    assert history.questions <= 10 * asked_days + 4


def run(work: Any) -> Any:
    """Run a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


def test_many_points_come_in_pages() -> None:
    """More points than one answer holds are asked for again from the last one on."""
    points = {NOON + n * SECOND: str(n) for n in range(3 * PAGE + 5)}
    few = {NOON + n * 60 * SECOND: str(n) for n in range(5)}
    history = History({"a": points, "b": few})
    owed = [Owed("a", NOON, max(points), "0"), Owed("b", NOON, max(few), "0")]
    given = run(collect(history, owed))
    assert given["a"] == sorted(points.items())[1:]
    assert given["b"] == sorted(few.items())[1:]
    assert history.questions == 4


def test_datastreams_that_were_silent_for_long() -> None:
    """One value after a month costs a few questions."""
    history = History({"a": {NOON: "1", NOON + 30 * DAY + 5 * HOUR: "2"}})
    given = run(collect(history, [Owed("a", NOON, NOON + 30 * DAY + 5 * HOUR, "1")]))
    assert given == {"a": [(NOON + 30 * DAY + 5 * HOUR, "2")]}
    assert history.questions <= 6


def test_a_value_that_was_overwritten() -> None:
    """The last point seen, if it has another value now, is given again with that."""
    history = History({"a": {NOON: "new", NOON + SECOND: "2"}})
    marks = Marks()
    marks.begin(stream("a", {NOON: "old"}))
    assert run(collect(history, marks.owed(stream("a", {NOON: "new"})))) == {"a": [(NOON, "new")]}
    both = run(collect(history, marks.owed(stream("a", {NOON: "new", NOON + SECOND: "2"}))))
    assert both == {"a": [(NOON, "new"), (NOON + SECOND, "2")]}


def test_points_after_the_state_are_left_to_the_pushes() -> None:
    """What was written after the state was read will be pushed, and is not given from the history too."""
    history = History({"a": {NOON: "0", NOON + SECOND: "1", NOON + 2 * SECOND: "2"}})
    assert run(collect(history, [Owed("a", NOON, NOON + SECOND, "0")])) == {"a": [(NOON + SECOND, "1")]}


def test_a_history_that_lacks_the_current_value() -> None:
    """A current value that is in no history ends the search, also when it is years away."""
    history = History({"a": {}})
    assert run(collect(history, [Owed("a", NOON, NOON + 1500 * DAY, "0")])) == {}
    assert history.questions < 10


def test_a_history_that_makes_no_progress() -> None:
    """A service that repeats a full page for ever is not asked for ever."""

    async def read(ids: list[str], parameters: dict[str, Any]) -> Mapping[str, list[Datapoint]]:
        return {"a": [Datapoint(at=format_micros(NOON), value="x")] * PAGE}

    async def consume() -> None:
        async for _ in missed_points(read, [Owed("a", NOON, NOON + HOUR, "0")]):
            pass

    with pytest.raises(ValueError, match="backwards"):
        run(consume())


def test_news() -> None:
    """News are newer points, other values, other datastreams and a feed that was changed later."""
    marks = Marks()
    seen = Environment(updated=format_micros(NOON), datastreams=[stream("a", {NOON: "1"}), stream("b", {})])
    marks.begin(seen)

    def feed(updated: int, *streams: Datastream) -> Environment:
        return Environment(updated=format_micros(updated), datastreams=list(streams))

    same = stream("a", {NOON: "1"})
    assert not marks.is_news(seen)
    assert not marks.is_news(feed(NOON, stream("a", {NOON - 1: "0"}), stream("b", {})))
    assert not marks.is_news(feed(NOON - 1, same))
    assert marks.is_news(feed(NOON + 1, same))
    assert marks.is_news(feed(NOON, stream("a", {NOON + 1: "1"})))
    assert marks.is_news(feed(NOON, stream("a", {NOON: "2"})))
    assert marks.is_news(feed(NOON, same, stream("b", {NOON - HOUR: "1"})))
    assert marks.is_news(feed(NOON, same, stream("c", {})))
    marks.note(stream("a", {NOON + 5: "3"}))
    assert not marks.is_news(stream("a", {NOON + 4: "2"}))
    assert marks.is_news(stream("a", {NOON + 6: "2"}))


def test_a_beginning_does_not_undo_what_was_given() -> None:
    """A push that came before the state at the beginning was read counts."""
    marks = Marks()
    marks.note(stream("a", {NOON + 5: "5"}))
    marks.begin(Environment(datastreams=[stream("a", {NOON + 9: "9"}), stream("b", {NOON: "1"})]))
    assert marks.last("a") == (NOON + 5, "5")
    assert marks.last("b") == (NOON, "1")


@pytest.mark.parametrize("text", [None, "", "yesterday", "2013-13-01T00:00:00Z"])
def test_timestamps_that_cannot_be_read(text: str | None) -> None:
    """A service's odd timestamp is none."""
    assert micros(text) is None
    marks = Marks()
    state = Environment(datastreams=[{"id": "a", "current_value": "1", "at": text}])
    marks.begin(state)
    assert marks.owed(state) == []
    assert not marks.is_news(state)
