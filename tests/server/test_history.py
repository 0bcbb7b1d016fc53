"""What a history query asks for."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone, tzinfo
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube import times
from txpachube.api.parameters import MAX_LIMIT
from txpachube.api.problems import Problem
from txpachube.server import history
from txpachube.server.history import FUNCTIONS, INTERVALS, Cells, HistoryQuery, grid_lines

NOW = times.parse("2013-06-15T12:00:00Z")
SECOND = times.SECOND
HOUR = 3600 * SECOND
DAY = 24 * HOUR
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = (
    UTC,
    BERLIN,
    # Summer time begins at midnight; the hour before midnight comes twice.
    ZoneInfo("America/Sao_Paulo"),
    # The hour after midnight comes twice.
    ZoneInfo("America/Havana"),
    # Half an hour of summer time.
    ZoneInfo("Australia/Lord_Howe"),
    ZoneInfo("Asia/Kathmandu"),
    # Skipped the 30th of December 2011.
    ZoneInfo("Pacific/Apia"),
    timezone(timedelta(hours=-3, minutes=-30)),
)


def at(text: str) -> int:
    """The moment of a timestamp."""
    return times.parse(text)


def resolved(zone: tzinfo | None = None, minimum_interval: int | None = None, **query: str) -> HistoryQuery:
    """The history query of these parameters."""
    result = history.resolve(query, NOW, zone, minimum_interval)
    assert result is not None
    return result


def refused(zone: tzinfo | None = None, minimum_interval: int | None = None, **query: str) -> Problem:
    """The problem that these parameters are."""
    with pytest.raises(Problem) as caught:
        history.resolve(query, NOW, zone, minimum_interval)
    return caught.value


def reference_lines(start: int, end: int, interval: int, zone: tzinfo) -> list[int]:
    """
    All grid lines from three days before the start to three days after the end.

    Found by walking: a midnight is where the local date is another one than a quarter of an hour ago.
    """
    quarter = 900 * SECOND
    moment = (start - 3 * DAY) // quarter * quarter
    midnights = []
    last = times.to_datetime(moment, zone).date()
    while moment < end + 4 * DAY:
        moment += quarter
        day = times.to_datetime(moment, zone).date()
        if day != last:
            midnights.append(moment)
        last = day
    lines = []
    for midnight, following in pairwise(midnights):
        line = midnight
        while line < following:
            lines.append(line)
            line += interval * SECOND
    return lines


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"key": "K", "timezone": "+2"},
        {"time": "2013-06-01"},
        {"page": "2", "per_page": "10"},
        {"interval_type": "discrete"},
        {"start": "", "end": "", "duration": "", "interval": "", "limit": "", "function": ""},
    ],
)
def test_these_parameters_are_no_history_query(query: dict[str, str]) -> None:
    """Without a range, an interval, a limit, a function or find_previous there is no history."""
    assert history.resolve(query, NOW) is None


@pytest.mark.parametrize(
    ("query", "start", "end"),
    [
        ({"start": "2013-06-15T09:00:00Z"}, "2013-06-15T09:00:00Z", "2013-06-15T12:00:00Z"),
        ({"end": "2013-06-01T12:00:00Z"}, "2013-06-01T06:00:00Z", "2013-06-01T12:00:00Z"),
        ({"start": "2013-06-01", "end": "2013-06-02"}, "2013-06-01", "2013-06-02"),
        ({"start": "2013-06-01", "end": "2013-06-01"}, "2013-06-01", "2013-06-01"),
        ({"start": "2013-06-01", "duration": "90minutes"}, "2013-06-01", "2013-06-01T01:30:00Z"),
        ({"end": "2013-06-01", "duration": "1month"}, "2013-05-01", "2013-06-01"),
        ({"duration": "1day"}, "2013-06-14T12:00:00Z", "2013-06-15T12:00:00Z"),
        ({"duration": "1800"}, "2013-06-15T11:30:00Z", "2013-06-15T12:00:00Z"),
        ({"limit": "5"}, "2013-06-15T06:00:00Z", "2013-06-15T12:00:00Z"),
        ({"find_previous": ""}, "2013-06-15T06:00:00Z", "2013-06-15T12:00:00Z"),
        ({"function": "sum"}, "2013-06-15T06:00:00Z", "2013-06-15T12:00:00Z"),
        ({"interval": "0"}, "2013-06-15T06:00:00Z", "2013-06-15T12:00:00Z"),
        ({"interval": "60"}, "2013-06-14T12:00:00Z", "2013-06-15T12:00:00Z"),
        ({"interval": "900", "end": "2013-06-15"}, "2013-06-01", "2013-06-15"),
        ({"interval": "86400", "end": "2013-06-15"}, "2012-06-15", "2013-06-15"),
    ],
)
def test_range(query: dict[str, Any], start: str, end: str) -> None:
    """Any two of start, end and duration give the range; what is missing is the present or a default."""
    result = resolved(**query)
    assert (result.start, result.end) == (at(start), at(end))


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"start": "2013-06-01", "end": "2013-06-02", "duration": "1day"}, "start, end and duration"),
        ({"start": "2013-06-02", "end": "2013-06-01"}, "start is after end"),
        ({"start": "2013-06-15T12:00:01Z"}, "start is after end"),
        ({"start": "yesterday"}, "start is not a timestamp"),
        ({"end": "2013-02-30"}, "end is not a timestamp"),
        ({"duration": "a while"}, "duration must be"),
        ({"duration": "-1day"}, "duration must be"),
        ({"interval": "-1"}, "interval must be"),
        ({"interval": "often"}, "interval must be"),
        ({"interval": "1e3"}, "interval must be"),
        ({"interval": "nan"}, "interval must be"),
        ({"function": "median"}, "function must be one of average, sum, min, max, count"),
        ({"function": "sum", "interval": "0"}, "function needs an interval"),
        ({"start": "1000-01-01"}, "start must be in the years"),
        ({"duration": "9000years"}, "duration is too long"),
    ],
)
def test_contradictions_and_nonsense(query: dict[str, Any], reason: str) -> None:
    """A query that can't be meant is 400, with the parameter's name in the text."""
    problem = refused(**query)
    assert problem.status == 400
    assert str(problem.errors).startswith(reason)


@pytest.mark.parametrize(
    ("asked", "interval"),
    [
        ("0", 0),
        ("1", 30),
        ("30", 30),
        ("31", 60),
        ("299.5", 300),
        ("3600", 3600),
        ("3601", 10800),
        ("86400", 86400),
        ("86401", 86400),
        ("9" * 400, 86400),
        (" 60 ", 60),
        ("+60", 60),
        ("0.0", 0),
        ("60.", 60),
    ],
)
def test_interval_is_rounded_up(asked: str, interval: int) -> None:
    """There are eleven intervals; a request for another gets the next longer one."""
    assert resolved(interval=asked, duration="1hour").interval == interval
    assert history.asked_interval({"interval": asked}) == interval


@pytest.mark.parametrize(
    ("duration", "interval"),
    [
        ("1minute", 0),
        ("6hours", 0),
        ("21601", 30),
        ("12hours", 30),
        ("1day", 60),
        ("25hours", 300),
        ("5days", 300),
        ("2weeks", 900),
        ("1month", 1800),
        ("32days", 10800),
        ("90days", 10800),
        ("180days", 21600),
        ("1year", 43200),
        ("366days", 43200),
    ],
)
def test_automatic_interval(duration: str, interval: int) -> None:
    """Without an interval it is the shortest one that allows the range."""
    assert resolved(duration=duration).interval == interval


@pytest.mark.parametrize(("interval", "longest"), INTERVALS.items())
def test_longest_range_of_an_interval(interval: int, longest: int) -> None:
    """Each interval has a longest range; one microsecond more is refused."""
    start = at("2013-01-01")
    fits = times.format_micros(start + longest)
    result = resolved(start="2013-01-01", end=fits, interval=str(interval))
    assert (result.start, result.end) == (start, start + longest)
    problem = refused(
        start="2013-01-01", end=times.format_micros(start + longest + 1), interval=str(interval)
    )
    assert (problem.status, problem.errors) == (400, "The requested range is too long for the interval")


def test_more_than_a_year_is_too_long_for_any_interval() -> None:
    """Without an interval too, a range has at most a year."""
    assert refused(duration="367days").errors == "The requested range is too long for the interval"
    assert refused(duration="100years").errors == "The requested range is too long for the interval"


def test_leap_year_is_a_year() -> None:
    """A year of 366 days is one year."""
    assert resolved(start="2012-01-01", duration="1year", interval="86400").end == at("2013-01-01")


def test_month_across_the_end_of_summer_time_is_a_month() -> None:
    """The hour that comes twice does not make a range too long, nor the missing one."""
    result = resolved(BERLIN, start="2012-10-10", duration="1month", interval="3600")
    assert result.end - result.start == 31 * DAY + HOUR
    result = resolved(BERLIN, start="2013-03-31T00:00", end="2013-03-31T07:00", interval="0")
    assert result.end - result.start == 6 * HOUR


def test_times_without_offset_belong_to_the_zone() -> None:
    """A time without an offset is read in the zone of the request."""
    assert resolved(BERLIN, start="2013-06-01", duration="1hour").start == at("2013-05-31T22:00:00Z")


@pytest.mark.parametrize(
    ("query", "limit", "offset"),
    [
        ({"interval": "0"}, 100, 0),
        ({"limit": "7"}, 7, 0),
        ({"limit": "1000"}, 1000, 0),
        ({"limit": "5000"}, 1000, 0),
        ({"limit": "0"}, 100, 0),
        ({"limit": "many"}, 100, 0),
        ({"interval": "0", "per_page": "20"}, 20, 0),
        ({"interval": "0", "per_page": "20", "page": "3"}, 20, 40),
        ({"limit": "7", "per_page": "20"}, 7, 0),
        ({"limit": "7", "per_page": "20", "page": "2"}, 7, 7),
        ({"limit": "7", "page": "0"}, 7, 0),
        ({"limit": "1000", "page": "9" * 99}, 1000, (10**9 - 1) * 1000),
    ],
)
def test_limit_and_paging(query: dict[str, Any], limit: int, offset: int) -> None:
    """A limit too large is cut, ``limit`` wins over ``per_page``, and pages count from one."""
    result = resolved(**query)
    assert (result.limit, result.offset) == (limit, offset)


def test_switches() -> None:
    """The kinds of history are chosen by their parameters."""
    plain = resolved(interval="60", duration="1hour")
    assert (plain.discrete, plain.find_previous, plain.function) == (False, False, None)
    assert resolved(interval="60", interval_type="discrete").discrete
    assert not resolved(interval="60", interval_type="continuous").discrete
    assert resolved(find_previous="true").find_previous
    assert resolved(find_previous="").find_previous
    assert not resolved(find_previous="false").find_previous
    assert resolved(interval="60", function="Average").function == "average"


def test_what_needs_a_grid_gets_one() -> None:
    """A function or discrete points without an interval don't get interval 0, which has no lines."""
    assert resolved(function="average", duration="1hour").interval == 30
    assert resolved(interval_type="discrete", duration="1hour").interval == 30
    assert not resolved(interval_type="discrete", interval="0").discrete


def test_minimum_interval_of_a_key() -> None:
    """A key bound to an interval gets no finer history; an automatic interval is raised to it."""
    assert resolved(minimum_interval=300, duration="1hour").interval == 300
    assert resolved(minimum_interval=45, duration="1hour").interval == 60
    assert resolved(minimum_interval=30, duration="1year").interval == 43200
    assert resolved(minimum_interval=300, duration="1hour", interval="250").interval == 300
    assert resolved(minimum_interval=0, duration="1hour").interval == 0
    assert refused(minimum_interval=300, duration="1hour", interval="60").status == 403
    assert refused(minimum_interval=86401, duration="1hour").status == 403


def test_history_by_itself_needs_no_parameters() -> None:
    """The collection of datapoints is a history without any parameter: of the last six hours."""
    result = history.resolve({}, NOW, always=True)
    assert result is not None
    assert (result.start, result.end, result.interval) == (NOW - 6 * HOUR, NOW, 0)


def test_snapshot_time() -> None:
    """``time`` asks for the values of a moment, unless it is a history query anyway."""
    assert history.snapshot_time({"time": "2013-06-01"}) == at("2013-06-01")
    assert history.snapshot_time({"time": "2013-06-01"}, BERLIN) == at("2013-05-31T22:00:00Z")
    assert history.snapshot_time({"time": "2013-06-01", "duration": "1day"}) is None
    assert history.snapshot_time({"time": ""}) is None
    assert history.snapshot_time({}) is None
    with pytest.raises(Problem, match=r"400.*time is not a timestamp"):
        history.snapshot_time({"time": "noon"})


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ({}, "2013-06-14T12:00Z", "2013-06-15T12:00Z"),
        ({"duration": "6hours"}, "2013-06-15T06:00Z", "2013-06-15T12:00Z"),
        ({"end": "2013-06-01"}, "2013-05-31", "2013-06-01"),
        ({"end": "2013-06-01", "duration": "1month"}, "2013-05-01", "2013-06-01"),
        ({"start": "2013-06-15"}, "2013-06-15", "2013-06-15T12:00Z"),
        ({"start": "2013-06-01", "duration": "1day"}, "2013-06-01", "2013-06-02"),
        ({"start": "2013-06-01", "end": "2013-06-03"}, "2013-06-01", "2013-06-03"),
    ],
)
def test_drawn_range(query: dict[str, str], first: str, last: str) -> None:
    """A graph shows the last day, or what its parameters say."""
    assert history.drawn_range(query, NOW, None, 600) == (at(first), at(last))


@given(
    st.integers(1, 2000), st.integers(0, 10**9), st.sampled_from(["30minutes", "24hours", "1week", "1month"])
)
def test_a_range_that_ends_now_ends_at_the_edge_of_a_column(columns: int, passed: int, duration: str) -> None:
    """The end is now or at most a column later, and lies where it would for any other moment near."""
    start, end = history.drawn_range({"duration": duration}, NOW + passed, None, columns)
    edge = (end - start) // columns
    assert NOW + passed <= end
    if duration != "1month":  # whose length depends on where it ends
        assert end < NOW + passed + edge
        assert end % edge == 0
        assert history.drawn_range({"duration": duration}, end, None, columns) == (start, end)


@pytest.mark.parametrize(
    "query", [{"start": "2012-06-14"}, {"duration": "367days"}, {"start": "x"}, {"start": "2014-01-01"}]
)
def test_a_range_too_long_to_draw_is_refused(query: dict[str, str]) -> None:
    """More than a year, what can't be read, and what begins after its end are refused."""
    with pytest.raises(Problem) as caught:
        history.drawn_range(query, NOW, None, 600)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ({"start": "2013-06-01"}, at("2013-06-01"), times.LATEST),
        ({"end": "2013-06-01"}, times.EARLIEST, at("2013-06-01")),
        ({"start": "2013-06-01", "end": "2013-06-02"}, at("2013-06-01"), at("2013-06-02")),
        ({"start": "2013-06-01", "duration": "1day"}, at("2013-06-01"), at("2013-06-02")),
        ({"end": "2013-06-02", "duration": "1day"}, at("2013-06-01"), at("2013-06-02")),
        ({"duration": "1hour"}, NOW - HOUR, NOW),
        ({"end": "2013-06-01", "duration": "20years"}, at("1993-06-01"), at("2013-06-01")),
    ],
)
def test_deletion_range(query: dict[str, str], first: int, last: int) -> None:
    """A range of any length can be deleted, open at either side."""
    assert history.deletion_range(query, NOW) == (first, last)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"start": ""},
        {"limit": "5"},
        {"start": "2013-06-01", "end": "2013-06-02", "duration": "1day"},
        {"start": "2013-06-02", "end": "2013-06-01"},
        {"start": "x"},
        {"duration": "x"},
    ],
)
def test_deletion_without_a_clear_range_is_refused(query: dict[str, str]) -> None:
    """Rather than guess what shall be deleted, nothing is."""
    with pytest.raises(Problem, match="400"):
        history.deletion_range(query, NOW)


def test_grid_starts_at_midnight() -> None:
    """Lines stand at whole multiples of the interval after midnight, around the whole range."""
    query = HistoryQuery(at("2013-06-01T14:00:01Z"), at("2013-06-01T15:00:00Z"), 900)
    assert [times.format_seconds(line) for line in grid_lines(query)] == [
        "2013-06-01T14:15:00Z",
        "2013-06-01T14:30:00Z",
        "2013-06-01T14:45:00Z",
        "2013-06-01T15:00:00Z",
    ]
    assert history.cell_begin(query) == at("2013-06-01T14:00:00Z")


def test_unfinished_cell_has_a_line() -> None:
    """The cell in which the range ends is complete only after it; discrete points stay in the range."""
    query = HistoryQuery(at("2013-06-01T14:00:00Z"), at("2013-06-01T14:20:00Z"), 900)
    assert grid_lines(query)[-1] == at("2013-06-01T14:30:00Z")
    discrete = HistoryQuery(query.start, query.end, 900, discrete=True)
    assert grid_lines(discrete) == [at("2013-06-01T14:00:00Z"), at("2013-06-01T14:15:00Z")]
    between = HistoryQuery(query.start + 1, query.start + 2, 900, discrete=True)
    assert grid_lines(between) == []


def test_grid_starts_anew_at_each_local_midnight() -> None:
    """On days of 23 and 25 hours the lines of the next day are at their usual local times."""
    query = HistoryQuery(at("2013-03-30T23:00:00Z"), at("2013-04-01T10:00:00Z"), 43200, zone=BERLIN)
    assert [times.format_seconds(line, BERLIN) for line in grid_lines(query)] == [
        "2013-03-31T00:00:00+01:00",
        "2013-03-31T13:00:00+02:00",
        "2013-04-01T00:00:00+02:00",
        "2013-04-01T12:00:00+02:00",
    ]
    query = HistoryQuery(at("2013-10-26T22:00:00Z"), at("2013-10-28T00:00:00Z"), 43200, zone=BERLIN)
    assert [times.format_seconds(line, BERLIN) for line in grid_lines(query)] == [
        "2013-10-27T00:00:00+02:00",
        "2013-10-27T11:00:00+01:00",
        "2013-10-27T23:00:00+01:00",
        "2013-10-28T00:00:00+01:00",
        "2013-10-28T12:00:00+01:00",
    ]


@given(
    zone=st.sampled_from(ZONES),
    interval=st.sampled_from([interval for interval in INTERVALS if interval >= 900]),
    # Each of these days is near a change of some zone's clocks.
    day=st.sampled_from(["2011-12-29", "2012-02-25", "2012-10-20", "2013-03-10", "2013-04-06", "2013-10-26"]),
    shift=st.integers(0, 4 * DAY),
    length=st.integers(0, 5 * DAY),
    whole=st.booleans(),
    discrete=st.booleans(),
)
def test_grid_is_the_one_found_by_walking(
    zone: tzinfo, interval: int, day: str, shift: int, length: int, whole: bool, discrete: bool
) -> None:
    """The lines are those that a walk through the local days finds."""
    start = at(day) + (shift // (900 * SECOND) * 900 * SECOND if whole else shift)
    query = HistoryQuery(start, start + length, interval, discrete=discrete, zone=zone)
    lines = reference_lines(query.start, query.end, interval, zone)
    if discrete:
        expected = [line for line in lines if query.start <= line <= query.end]
    else:
        expected = [line for line in lines if query.start <= line < query.end]
        expected.append(min(line for line in lines if line >= query.end))
    assert grid_lines(query) == expected
    assert history.cell_begin(query) == max(line for line in lines if line < query.start)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("interval", [interval for interval in INTERVALS if interval])
def test_grid_of_the_longest_range_is_bounded(interval: int, zone: tzinfo) -> None:
    """No query that is allowed has many lines."""
    start = at("2012-10-01T00:00:00.000001Z")
    lines = grid_lines(HistoryQuery(start, start + INTERVALS[interval], interval, zone=zone))
    assert INTERVALS[interval] / SECOND / interval <= len(lines) < 1600


@pytest.mark.parametrize(("length", "interval"), [(365 * DAY, 30), (HOUR, 0)])
def test_grid_without_end_is_refused(length: int, interval: int) -> None:
    """A query that no request can make does not fill the memory."""
    with pytest.raises(ValueError, match="no grid"):
        grid_lines(HistoryQuery(0, length, interval))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "start": st.sampled_from(["2013-06-15T11:00:00Z", "2013-01-01", "1900-01-02", "x", ""]),
            "end": st.sampled_from(["2013-06-15T12:30:00Z", "2013-01-02", "2200-12-30", "x"]),
            "duration": st.sampled_from(["6hours", "1month", "12 months", "999999999999years", "0", "x"]),
            "interval": st.sampled_from(["0", "60", "86400", "7", "-1", "x"]),
            "limit": st.sampled_from(["1", "10", "9999", "x"]),
            "page": st.sampled_from(["1", "3", "x"]),
            "function": st.sampled_from([*FUNCTIONS, "x"]),
            "interval_type": st.sampled_from(["discrete", "x"]),
            "find_previous": st.sampled_from(["true", "x"]),
        },
    ),
    st.sampled_from(ZONES),
    st.sampled_from([None, 0, 45, 3600, 100_000]),
)
def test_any_query_is_resolved_or_refused(
    query: dict[str, str], zone: tzinfo, minimum_interval: int | None
) -> None:
    """Whatever is combined, the result is a query that can be carried out, or a 400 or 403."""
    try:
        result = history.resolve(query, NOW, zone, minimum_interval)
    except Problem as problem:
        status: int | None = problem.status
        result = None
    else:
        status = None
    assert status in {None, 400, 403}
    if result is None:
        return
    assert result.start <= result.end
    assert result.interval in INTERVALS
    assert result.interval >= (minimum_interval or 0)
    assert 1 <= result.limit <= MAX_LIMIT
    if result.interval:
        lines = grid_lines(result)
        assert lines == sorted(set(lines))
        assert len(lines) <= history.MAX_LINES
    else:
        assert not result.discrete
        assert result.function is None


def aggregates(function: str, *points: tuple[str, str], pieces: int = 1) -> list[tuple[str, str]]:
    """The result of a function over points (at time of day, value) in quarters of an hour."""
    cells = Cells(
        HistoryQuery(at("2013-06-01T10:00:00Z"), at("2013-06-01T11:05:00Z"), 900, function=function)
    )
    moments = [(at(f"2013-06-01T{clock}Z"), value) for clock, value in points]
    found = []
    for position in range(0, len(moments), pieces):
        found += cells.add(moments[position : position + pieces])
    return [(times.format_seconds(line)[11:19], text) for line, text in found + cells.finish()]


@pytest.mark.parametrize("pieces", [1, 2, 100])
@pytest.mark.parametrize(
    ("function", "results"),
    [
        ("average", ["2.5", "10", "-1.5", "7"]),
        ("sum", ["5", "10", "-3", "7"]),
        ("min", ["1", "10", "-2", "7"]),
        ("max", ["4", "10", "-1", "7"]),
        ("count", ["2", "1", "2", "1"]),
    ],
)
def test_functions(function: str, results: list[str], pieces: int) -> None:
    """Each cell gives one point at its line; texts don't count, and cells without numbers give none."""
    found = aggregates(
        function,
        ("10:00:00", "1"),
        ("09:59:00", "4"),
        ("10:00:01", "on"),
        ("10:15:00", "10.0"),
        ("10:20:00", "n/a"),
        ("10:30:01", " -1e0 "),
        ("10:45:00", "-2.00"),
        ("11:01:00", "0007"),
        pieces=pieces,
    )
    # The unfinished cell's point stands at its line, after the end of the range.
    assert found == list(zip(["10:00:00", "10:15:00", "10:45:00", "11:15:00"], results, strict=True))


@pytest.mark.parametrize(
    ("function", "values", "result"),
    [
        ("sum", ["0.1", "0.2"], "0.3"),
        ("average", ["0.1", "0.2"], "0.15"),
        ("average", ["1", "1", "2"], "1.3333333333333333"),
        ("max", ["1e3", "5"], "1000"),
        ("min", ["-.5", "+5."], "-0.5"),
        ("max", ["12345678901234567890"], "1.2345678901234567e+19"),
        ("min", ["-0"], "0"),
        ("sum", ["1e300", "1"], "1e+300"),
        ("sum", ["1.7e308"] * 3, "5.1000000000000000e+308"),
        ("average", ["1.7e308"] * 3, "1.7e+308"),
        ("sum", ["1e-320", "1e-9999999999999999999999"], "1e-320"),
        ("max", ["1e999", "2"], "2"),
        ("count", ["1e999", "2"], "1"),
    ],
)
def test_numbers_are_written_in_their_shortest_form(function: str, values: list[str], result: str) -> None:
    """Aggregates are exact for decimal fractions and as short as can be; what is no number is skipped."""
    points = [(f"10:00:{second:02}", value) for second, value in enumerate(values, 1)]
    assert aggregates(function, *points) == [("10:15:00", result)]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nothing_gives_nothing(function: str) -> None:
    """Without any number there is no point, not even a zero."""
    assert aggregates(function) == []
    assert aggregates(function, ("10:01:00", "off"), ("10:31:00", "")) == []
