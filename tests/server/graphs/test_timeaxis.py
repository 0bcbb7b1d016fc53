"""The time's axis."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.server.graphs.timeaxis import describe_range, describe_zone, ticks
from txpachube.times import SECOND, parse, to_datetime

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = (
    UTC,
    BERLIN,
    ZoneInfo("America/Sao_Paulo"),  # had its summer time begin at midnight
    ZoneInfo("Australia/Lord_Howe"),  # half an hour of summer time
    ZoneInfo("Asia/Kathmandu"),
    ZoneInfo("Pacific/Apia"),  # skipped a day
    timezone(timedelta(hours=-3, minutes=-30)),
)


SPLIT_SECONDS = "10:00:02.25 10:00:02.30 10:00:02.35 10:00:02.40 10:00:02.45 10:00:02.50 10:00:02.55"


def room(part: float) -> Callable[[str], float]:
    """Return a measure by which each label needs a part of the axis."""
    return lambda label: part


def labels(start: str, end: str, zone: tzinfo = UTC, most: int = 8) -> list[str]:
    """Return the labels of a range, the strong ones with a star."""
    found = ticks(parse(start), parse(end), zone, room(1 / most))
    return ["*" * tick.strong + tick.label for tick in found]


@given(
    st.integers(parse("1971-01-01"), parse("2100-01-01")),
    st.integers(1, 400 * 86400 * SECOND) | st.integers(1, 10**6),
    st.sampled_from(ZONES),
    st.integers(1, 40),
)
def test_ticks_are_in_order_and_not_too_many(start: int, length: int, zone: tzinfo, most: int) -> None:
    """Whatever the range and the zone, the ticks lie in it, in order, and there is room for them."""
    found = ticks(start, start + length, zone, room(1 / most))
    moments = [tick.at for tick in found]
    assert moments == sorted(set(moments))
    assert all(start <= at <= start + length for at in moments)
    # Months are not all of one length, and a clock that is set back shows an hour twice.
    assert len(found) <= most + 2 + (most + 1) // 4
    for tick in found:
        moment = to_datetime(tick.at, zone)
        if ":" in tick.label:
            assert moment.isoformat(timespec="microseconds")[11:].startswith(tick.label)
        else:
            # A day, a month or a year begins; at midnight, unless there is none that day.
            assert moment.hour <= 1


@pytest.mark.parametrize(
    ("start", "end", "zone", "expected"),
    [
        ("2013-06-01T10:00Z", "2013-06-02T10:00Z", UTC, "12:00 15:00 18:00 21:00 *2_Jun 03:00 06:00 09:00"),
        ("2013-06-01T10:00Z", "2013-06-01T10:00:44Z", UTC, "10:00:00 10:00:10 10:00:20 10:00:30 10:00:40"),
        ("2013-06-01T10:00Z", "2013-06-01T10:30Z", UTC, "10:00 10:05 10:10 10:15 10:20 10:25 10:30"),
        ("2013-06-01T10:00Z", "2013-06-01T11:00Z", ZONES[4], "15:50 16:00 16:10 16:20 16:30 16:40"),
        ("2013-06-01T10:00:02.21Z", "2013-06-01T10:00:02.55Z", UTC, SPLIT_SECONDS),
        ("2013-05-29T10:00Z", "2013-06-04T10:00Z", UTC, "30_May 31_May *1_Jun 2_Jun 3_Jun 4_Jun"),
        ("2013-05-02T10:00Z", "2013-06-02T10:00Z", UTC, "6_May 13_May 20_May 27_May"),
        ("2012-10-01T22:00Z", "2013-10-01T04:00Z", BERLIN, "Nov *2013 Mar May Jul Sep"),
    ],
)  # fmt: skip
def test_ticks_stand_where_clock_and_calendar_have_them(
    start: str, end: str, zone: tzinfo, expected: str
) -> None:
    """Round clock times, midnights with their days, Mondays, firsts of a month, and years."""
    assert [label.replace(" ", "_") for label in labels(start, end, zone)] == expected.split()


def test_the_night_when_summer_time_begins() -> None:
    """The hour that does not exist has no tick, and six o'clock stays six o'clock."""
    assert labels("2013-03-30T22:00Z", "2013-03-31T04:00Z", BERLIN) == [
        *("23:00", "*31 Mar", "01:00", "03:00", "04:00", "05:00", "06:00")
    ]
    assert labels("2013-03-30T11:00Z", "2013-03-31T22:00Z", BERLIN) == [
        *("12:00", "18:00", "*31 Mar", "06:00", "12:00", "18:00", "*1 Apr")
    ]


def test_the_night_when_summer_time_ends() -> None:
    """The hour that exists twice has its ticks twice."""
    assert labels("2013-10-26T22:00Z", "2013-10-27T03:00Z", BERLIN) == [
        *("*27 Oct", "01:00", "02:00", "02:00", "03:00", "04:00")
    ]


def test_a_day_without_midnight_begins_later() -> None:
    """Where clocks go from midnight to one o'clock, the day's tick is at one o'clock."""
    zone = ZoneInfo("America/Sao_Paulo")
    found = ticks(parse("2012-10-19T12:00Z"), parse("2012-10-23T12:00Z"), zone, room(1 / 6))
    hours = {tick.label: to_datetime(tick.at, zone).hour for tick in found}
    assert hours == {"20 Oct": 0, "21 Oct": 1, "22 Oct": 0, "23 Oct": 0}


def test_no_ticks_without_room() -> None:
    """An axis too short for any label has no ticks, however long its time is."""
    assert ticks(0, 200 * 365 * 86400 * SECOND, UTC, room(1e9)) == []


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2013-06-01T10:00Z", "2013-06-01T12:00Z", "1 Jun 2013"),
        ("2013-06-01T00:00Z", "2013-06-02T00:00Z", "1 Jun 2013"),
        ("2013-06-01T10:00Z", "2013-06-02T12:00Z", "1-2 Jun 2013"),
        ("2013-05-31T10:00Z", "2013-06-02T12:00Z", "31 May - 2 Jun 2013"),
        ("2012-12-31T10:00Z", "2013-01-02T12:00Z", "31 Dec 2012 - 2 Jan 2013"),
        ("2013-06-01T10:00Z", "2013-06-01T10:00Z", "1 Jun 2013"),
    ],
)
def test_the_range_in_words(start: str, end: str, expected: str) -> None:
    """The days are named as shortly as possible, and a day that only just begins is none."""
    assert describe_range(parse(start), parse(end), UTC) == expected.replace("-", "\N{EN DASH}")


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (UTC, "UTC"),
        (BERLIN, "CET/CEST"),
        (ZoneInfo("Asia/Kathmandu"), "UTC+05:45"),
        (timezone(timedelta(hours=-3)), "UTC-03:00"),
    ],
)
def test_the_zone_in_words(zone: tzinfo, expected: str) -> None:
    """It is told what the clocks are called, in winter and in summer."""
    assert describe_zone(parse("2013-01-01"), parse("2013-12-31"), zone) == expected
