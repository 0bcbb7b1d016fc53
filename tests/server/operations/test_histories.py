"""Histories read from a store: a small one in memory, and the real one."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from txpachube import times
from txpachube.api.problems import Problem
from txpachube.server.history import HistoryQuery
from txpachube.server.operations import histories
from txpachube.server.storage import accounts
from txpachube.server.storage.records import FeedChange, Stream, StreamChange
from txpachube.server.storage.store import Store

T = TypeVar("T")
Point = tuple[int, str]

SECOND = times.SECOND
HOUR = 3600 * SECOND
BERLIN = ZoneInfo("Europe/Berlin")
STREAM = Stream(pk=1, id="temp")


class PointsInMemory:
    """A store of one datastream that keeps its points in a list, and counts the questions."""

    def __init__(self, points: Sequence[Point]) -> None:
        self.kept = sorted(points)
        self.questions = 0

    async def points(self, stream: Stream, start: int, end: int, limit: int, offset: int = 0) -> list[Point]:
        """Return points in order, both ends inclusive."""
        assert limit > 0
        assert offset >= 0
        self.questions += 1
        return [point for point in self.kept if start <= point[0] <= end][offset : offset + limit]

    async def last_point(self, stream: Stream, at: int, after: int | None = None) -> Point | None:
        """Return the newest point at or before a moment, and after another."""
        self.questions += 1
        found = [point for point in self.kept if point[0] <= at and (after is None or point[0] > after)]
        return found[-1] if found else None

    async def points_at(
        self, stream: Stream, lines: Sequence[int], first_after: int | None
    ) -> list[Point | None]:
        """Return for each line the last point at or before it and after the line before."""
        assert lines
        assert list(lines) == sorted(lines)
        found, after = [], first_after
        for line in lines:
            found.append(await self.last_point(stream, line, after))
            after = line
        self.questions -= len(lines) - 1
        return found


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("the coroutine waits")


def read(points: Sequence[Point], query: HistoryQuery) -> list[Point]:
    """The history of these points."""
    return run(histories.read(PointsInMemory(points), STREAM, query))


def at(text: str) -> int:
    """The moment of a timestamp."""
    return times.parse(text)


def clock(points: Sequence[Point]) -> list[str]:
    """The times of day of points."""
    return [times.format_seconds(point[0])[11:19] for point in points]


def midnight(day: date, zone: tzinfo) -> int:
    """The beginning of a local day."""
    return times.from_datetime(datetime(day.year, day.month, day.day, tzinfo=zone))


def line_of(moment: int, query: HistoryQuery) -> int:
    """The line that ends the cell of a moment."""
    day = times.to_datetime(moment, query.zone).date()
    begin, end = midnight(day, query.zone), midnight(day + timedelta(days=1), query.zone)
    step = query.interval * SECOND
    return min(begin - (begin - moment) // step * step, end)


def reference(points: Sequence[Point], query: HistoryQuery) -> list[Point]:
    """The history of these points, found by looking at each of them."""
    points = sorted(points)
    inside = [point for point in points if query.start <= point[0] <= query.end]
    if not query.interval:
        found = inside
    elif query.function == "count":
        cells = [
            point for point in points if point[0] <= query.end and line_of(point[0], query) >= query.start
        ]
        numbers = [line_of(moment, query) for moment, value in cells if value != "text"]
        found = [(line, str(len(list(cell)))) for line, cell in groupby(numbers)]
    elif query.discrete:
        found = []
        line = line_of(query.start, query)
        while line <= query.end:
            before = [value for moment, value in points if moment <= line]
            found += [(line, before[-1])] if before else []
            line = line_of(line + 1, query)
    else:
        found = [list(cell)[-1] for _, cell in groupby(inside, lambda point: line_of(point[0], query))]
    if query.find_previous:
        found = [point for point in points if point[0] < query.start][-1:] + found
    return found[query.offset : query.offset + query.limit]


RECORDED = [
    (at(f"2013-01-01T{hour:02}:{minute}:55Z"), f"{hour}.{minute}")
    for hour in range(12, 18)
    for minute in (14, 29, 44, 59)
]


def test_recorded_answer() -> None:
    """A recorded answer of the old service: two hours in quarters, written shortly before each line."""
    query = HistoryQuery(at("2013-01-01T14:00:00Z"), at("2013-01-01T16:00:00Z"), 900)
    assert clock(read(RECORDED, query)) == [
        "14:14:55",
        "14:29:55",
        "14:44:55",
        "14:59:55",
        "15:14:55",
        "15:29:55",
        "15:44:55",
        "15:59:55",
    ]


def test_point_on_a_line_belongs_to_the_cell_before() -> None:
    """A cell includes the line at its end; both ends of the range are inclusive."""
    points = [(at(f"2013-01-01T14:{minute:02}:00Z"), "1") for minute in range(0, 60, 5)]
    query = HistoryQuery(at("2013-01-01T14:00:00Z"), at("2013-01-01T14:30:00Z"), 900)
    assert clock(read(points, query)) == ["14:00:00", "14:15:00", "14:30:00"]


def test_unfinished_cell_gives_the_value_at_the_end() -> None:
    """The last cell ends after the range; its point is the last one in the range."""
    points = [(at(f"2013-01-01T14:{minute:02}:00Z"), "1") for minute in range(0, 60, 5)]
    query = HistoryQuery(at("2013-01-01T14:01:00Z"), at("2013-01-01T14:23:00Z"), 900)
    assert clock(read(points, query)) == ["14:15:00", "14:20:00"]


def test_discrete_points_stand_on_the_lines() -> None:
    """Each line in the range has the value that was valid then, even one from long before."""
    points = [
        (at("2012-12-24T00:00:00Z"), "old"),
        (at("2013-01-01T14:20:00Z"), "new"),
        (at("2013-01-01T14:45:01Z"), "newer"),
    ]
    query = HistoryQuery(at("2013-01-01T14:00:00Z"), at("2013-01-01T15:10:00Z"), 900, discrete=True)
    assert [value for _, value in read(points, query)] == ["old", "old", "new", "new", "newer"]
    assert clock(read(points, query)) == ["14:00:00", "14:15:00", "14:30:00", "14:45:00", "15:00:00"]
    assert clock(read(points[1:], query)) == ["14:30:00", "14:45:00", "15:00:00"]


@pytest.mark.parametrize(
    ("find_previous", "limit", "offset", "expected"),
    [
        (False, 3, 0, ["14:00:00", "14:01:00", "14:02:00"]),
        (True, 3, 0, ["13:59:00", "14:00:00", "14:01:00"]),
        (True, 1, 0, ["13:59:00"]),
        (True, 3, 3, ["14:02:00", "14:03:00", "14:04:00"]),
        (True, 3, 9, ["14:08:00", "14:09:00", "14:10:00"]),
        (False, 3, 10, ["14:10:00"]),
        (False, 3, 11, []),
        (True, 3, 12, []),
    ],
)
@pytest.mark.parametrize("interval", [0, 60])
def test_previous_point_counts(
    interval: int, find_previous: bool, limit: int, offset: int, expected: list[str]
) -> None:
    """The previous point is the first of the first page, and the pages go on after it without a gap."""
    points = [(at("2013-01-01T13:50:00Z") + minute * 60 * SECOND, "1") for minute in range(60)]
    query = HistoryQuery(
        at("2013-01-01T14:00:00Z"),
        at("2013-01-01T14:10:00Z"),
        interval,
        find_previous=find_previous,
        limit=limit,
        offset=offset,
    )
    assert clock(read(points, query)) == expected


def test_there_may_be_no_previous_point() -> None:
    """Without a point before the range, find_previous changes nothing."""
    query = HistoryQuery(RECORDED[0][0], RECORDED[-1][0], 0, find_previous=True)
    assert read(RECORDED, query) == RECORDED


@pytest.mark.parametrize("interval", [0, 300])
@pytest.mark.parametrize("discrete", [False, True])
@pytest.mark.parametrize("function", [None, "count"])
def test_empty_stream_has_an_empty_history(interval: int, discrete: bool, function: str | None) -> None:
    """Where nothing was written there is nothing, however one asks."""
    query = HistoryQuery(
        0, HOUR, interval, discrete and interval > 0, True, function=function if interval else None
    )
    assert read([], query) == []


def test_going_on_from_the_last_time_loses_nothing() -> None:
    """A program that walks on from the last timestamp it got sees each cell, the boundary twice."""
    points = [(n * 7 * SECOND, str(n)) for n in range(4000)]
    for function in (None, "average"):
        whole = HistoryQuery(0, 6 * HOUR, 30, limit=1000, function=function)
        expected = read(points, whole)
        seen: dict[int, str] = {}
        start = 0
        while True:
            page = read(points, HistoryQuery(start, 6 * HOUR, 30, limit=50, function=function))
            for moment, value in page:
                assert seen.setdefault(moment, value) == value
            if len(page) < 50:
                break
            start = page[-1][0]
        assert sorted(seen.items()) == expected


def test_few_questions_are_asked() -> None:
    """A full grid is looked up once and no further than the limit; an empty one in a few pieces."""
    dense = PointsInMemory([(n * 30 * SECOND, "1") for n in range(3000)])
    query = HistoryQuery(SECOND, 12 * HOUR, 30, limit=100)
    assert len(run(histories.read(dense, STREAM, query))) == 100
    assert dense.questions == 1
    sparse = PointsInMemory([])
    assert run(histories.read(sparse, STREAM, query)) == []
    assert sparse.questions <= 1440 // 100 + 1


def test_function_stops_at_the_limit() -> None:
    """Not more points are read than the cells of the answer need."""
    points = PointsInMemory([(n * SECOND, "1") for n in range(40_000)])
    query = HistoryQuery(0, 10 * HOUR, 60, limit=10, function="count")
    found = run(histories.read(points, STREAM, query))
    assert [value for _, value in found] == ["1"] + ["60"] * 9
    assert points.questions == 1


def test_function_over_too_many_points_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that would have to look at endless points says so."""
    monkeypatch.setattr(histories, "MAX_POINTS_OF_A_FUNCTION", 4000)
    points = [(n * SECOND, "text") for n in range(7000)]
    with pytest.raises(Problem, match=r"400.*too many datapoints"):
        read(points, HistoryQuery(0, 10 * HOUR, 60, function="count"))


POINTS = st.lists(
    st.tuples(
        # Around the days on which the clocks of Berlin change, often exactly on a line.
        st.one_of(
            st.integers(-12 * 4, 60 * 4).map(lambda quarters: at("2013-10-26") + quarters * 900 * SECOND),
            st.integers(at("2013-10-25"), at("2013-10-29")),
        ),
        st.sampled_from(["1", "2", "text"]),
    ),
    unique_by=lambda point: point[0],
    max_size=60,
)


@given(
    points=POINTS,
    start=st.integers(0, 60 * 4).map(lambda quarters: at("2013-10-26") + quarters * 900 * SECOND),
    odd=st.sampled_from([0, 0, 1, -1, 100 * SECOND]),
    length=st.integers(0, 48 * 4).map(lambda quarters: quarters * 900 * SECOND + 1),
    interval=st.sampled_from([0, 300, 900, 3600, 43200]),
    kind=st.sampled_from(["sampled", "discrete", "count"]),
    find_previous=st.booleans(),
    limit=st.sampled_from([1, 2, 5, 1000]),
    page=st.integers(0, 2),
    zone=st.sampled_from([UTC, BERLIN]),
)
def test_history_is_the_one_found_by_looking_at_each_point(
    points: list[Point],
    start: int,
    odd: int,
    length: int,
    interval: int,
    kind: str,
    find_previous: bool,
    limit: int,
    page: int,
    zone: tzinfo,
) -> None:
    """Any query gives what a naive reading of the rules gives."""
    query = HistoryQuery(
        start + odd,
        start + odd + length,
        interval,
        discrete=kind == "discrete" and interval > 0,
        find_previous=find_previous,
        limit=limit,
        offset=page * limit,
        function="count" if kind == "count" and interval else None,
        zone=zone,
    )
    assert read(points, query) == reference(points, query)


def wait_for(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that needs the reactor."""
    result: T = pytest_twisted.blockon(Deferred.fromCoroutine(coroutine))
    return result


async def opened(path: Path) -> Store:
    """An open store with an account in row 1."""
    from twisted.internet import reactor

    store = Store(path, reactor)  # type: ignore[arg-type]  # the module's type is that of no reactor
    await store.open()
    await store._write(accounts.add_user, "rosa", None, 0)
    return store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An open store with an account in row 1."""
    store = wait_for(opened(tmp_path / "pachube.sqlite3"))
    yield store
    wait_for(store.close())


async def written(store: Store, points: list[Point]) -> Stream:
    """A datastream of the store with these points, written in two halves."""
    new = FeedChange(0, True, {"title": "Greenhouse"}, streams=[StreamChange("temp")])
    feed = await store.find_feed(await store.create_feed(1, new))
    assert feed is not None
    middle = len(points) // 2
    for half in (points[:middle], points[middle:]):
        await store.change_feed(feed, FeedChange(0, False, streams=[StreamChange("temp", points=half)]))
    return feed.streams["temp"]


def test_real_store_gives_the_same(store: Store) -> Deferred[None]:
    """The store on disk and the one in memory answer every kind of query alike."""
    return Deferred.fromCoroutine(compare_with_memory(store))


async def compare_with_memory(store: Store) -> None:
    """Ask both stores the same questions."""
    begin = at("2013-10-26T12:00:00Z")
    # With gaps of hours, runs of seconds, texts between numbers, and points on lines.
    points = [
        (begin + (n // 40) * 5 * HOUR + (n % 40) * 90 * SECOND - n % 3, "text" if n % 7 == 0 else str(n))
        for n in range(200)
    ]
    stream = await written(store, points)
    memory = PointsInMemory(points)
    queries = [
        HistoryQuery(
            begin + first * HOUR,
            begin + first * HOUR + length,
            interval,
            discrete=discrete and interval > 0 and function is None,
            find_previous=find_previous,
            limit=limit,
            offset=offset,
            function=function if interval else None,
            zone=zone,
        )
        for first, length in ((-1, 26 * HOUR), (4, HOUR), (5, 0), (100, HOUR))
        for interval in (0, 300, 3600)
        for discrete in (False, True)
        for function in (None, "average", "max")
        for find_previous in (False, True)
        for limit, offset in ((1000, 0), (3, 0), (3, 3))
        for zone in (UTC, BERLIN)
    ]
    for query in dict.fromkeys(queries):
        expected = run(histories.read(memory, STREAM, query))
        assert await histories.read(store, stream, query) == expected, query
