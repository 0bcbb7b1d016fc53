"""Points in time."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from txpachube import times

BERLIN = ZoneInfo("Europe/Berlin")
MICROS = st.integers(times.EARLIEST, times.LATEST)
ZONES = st.sampled_from([UTC, BERLIN, ZoneInfo("Asia/Kathmandu"), timezone(timedelta(hours=-3, minutes=-30))])
SIGNS = st.sampled_from([*"0123456789-+:.,TtZz /W", "\N{ARABIC-INDIC DIGIT THREE}", "\x00", "\ud800"])

MOMENT = 1_368_144_045_694_188
"""2013-05-10T00:00:45.694188Z."""


def micros(text: str) -> int:
    """The moment of a plain timestamp in UTC, by the standard library."""
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    "text",
    [
        "2013-05-10T00:00:45.694188Z",
        "2013-05-10 00:00:45.694188Z",
        "2013-05-10t00:00:45.694188z",
        "2013-05-10T00:00:45,694188Z",
        "2013-05-10T00:00:45.694188",
        "2013-05-10T00:00:45.6941889Z",
        "2013-05-10T00:00:45.694188999Z",
        "2013-05-10T02:00:45.694188+02:00",
        "2013-05-10T02:00:45.694188 02:00",
        "2013-05-10T02:00:45.694188+0200",
        "2013-05-10T02:00:45.694188+02",
        "2013-05-09T14:30:45.694188-09:30",
        "2013-05-10T09:30:45.694188+09:30",
        "2013-05-10T00:00:45.694188-00:00",
        "2013-05-10T00:00:45.694188 Z",
        "  2013-05-10T00:00:45.694188Z\r\n",
        "20130510T000045.694188Z",
        "20130510T020045.694188+0200",
        "20130510000045.694188Z",
    ],
)
def test_forms_of_a_moment(text: str) -> None:
    """All of these are the same moment."""
    assert times.parse(text) == MOMENT


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("2013-05-06", "2013-05-06T00:00:00"),
        ("20130506", "2013-05-06T00:00:00"),
        ("20130506T003045Z", "2013-05-06T00:30:45"),
        ("20130506T0030Z", "2013-05-06T00:30:00"),
        ("2012-11-10T10:30:00+06:30", "2012-11-10T04:00:00"),
        ("2012-05-21T07:48.014326Z", "2012-05-21T07:48:00.859560"),
        ("2012-05-21T07:48.5", "2012-05-21T07:48:30"),
        ("2013-05-06T00:30Z", "2013-05-06T00:30:00"),
        ("2013-05-06T00:30:45.1Z", "2013-05-06T00:30:45.1"),
        ("2013-05-06T00:30:45.123Z", "2013-05-06T00:30:45.123"),
        ("2013-05-06T00:30:45Z", "2013-05-06T00:30:45"),
        ("2012-02-29T00:00:00Z", "2012-02-29T00:00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999"),
    ],
)
def test_other_forms(text: str, plain: str) -> None:
    """A part that is missing is zero; a minute may have a fraction."""
    assert times.parse(text) == micros(plain)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "now",
        "2013",
        "2013-05",
        "2013-5-6",
        "13-05-06",
        "2013-13-01",
        "2013-02-30",
        "2013-02-29T00:00:00Z",
        "0000-01-01",
        "2013-05-06T",
        "2013-05-06T10",
        "2013-05-06T10Z",
        "2013-05-06T24:00:00Z",
        "2013-05-06T24:00:00.000Z",
        "2013-05-06T24:00:00.000000Z",
        "2013-05-06T23:60:00Z",
        "2013-05-06T23:59:60Z",
        "2013-05-06T10:00:00.Z",
        "2013-05-06T10:00:00.1234567890Z",
        "2013-05-06T10:00:00+2:00",
        "2013-05-06T10:00:00+02:60",
        "2013-05-06T10:00:00+24:00",
        "2013-05-06T10:00:00+02:00Z",
        "2013-05-06T10:00:00ZZ",
        "2013-05-06T10:00:00Z and more",
        "2013-05-06X10:00:00Z",
        "2013-05-06-10:00:00Z",
        "2013-W19-1T10:00:00Z",
        "2013-126T10:00:00Z",
        "2013/05/06 10:00:00",
        "06.05.2013 10:00",
        "Mon, 06 May 2013 10:00:00 GMT",
        "1367834445",
        "2013-05-06T10:00:0\N{ARABIC-INDIC DIGIT THREE}Z",
        "2013-05-06T10:00:00Z" + " " * 100,
    ],
)
def test_what_is_no_timestamp(text: str) -> None:
    """Everything else is refused, with what was given in the text unless it is endless."""
    with pytest.raises(ValueError, match="not a timestamp"):
        times.parse(text)


def test_time_without_offset_belongs_to_the_zone() -> None:
    """Only a time that doesn't say where it belongs is read in the given zone."""
    assert times.parse("2013-06-01T12:00:00", BERLIN) == times.parse("2013-06-01T10:00:00Z")
    assert times.parse("2013-06-01", BERLIN) == times.parse("2013-05-31T22:00:00Z")
    assert times.parse("2013-06-01T12:00:00Z", BERLIN) == times.parse("2013-06-01T12:00:00Z")
    assert times.parse("2013-06-01T12:00:00+00:00", BERLIN) == times.parse("2013-06-01T12:00:00Z")


def test_written_form_has_six_digits() -> None:
    """Old clients parse exactly this pattern."""
    assert times.format_micros(MOMENT) == "2013-05-10T00:00:45.694188Z"
    assert times.format_micros(MOMENT // times.SECOND * times.SECOND) == "2013-05-10T00:00:45.000000Z"
    assert times.format_micros(times.EARLIEST) == "1970-01-01T00:00:00.000000Z"
    assert times.format_micros(times.LATEST) == "2100-12-31T23:59:59.999999Z"
    assert times.format_micros(-1) == "1969-12-31T23:59:59.999999Z"


def test_written_form_in_a_zone() -> None:
    """In a zone the offset stands instead of the Z; the six digits stay."""
    assert times.format_micros(MOMENT, BERLIN) == "2013-05-10T02:00:45.694188+02:00"
    assert times.format_micros(0, timezone(timedelta(hours=-3.5))) == "1969-12-31T20:30:00.000000-03:30"
    assert times.format_micros(0, UTC) == "1970-01-01T00:00:00.000000+00:00"


def test_written_form_without_a_fraction() -> None:
    """Where no fraction belongs it is cut off, not rounded."""
    assert times.format_seconds(MOMENT) == "2013-05-10T00:00:45Z"
    assert times.format_seconds(MOMENT + 305_811) == "2013-05-10T00:00:45Z"
    assert times.format_seconds(MOMENT, BERLIN) == "2013-05-10T02:00:45+02:00"
    assert times.format_seconds(-1) == "1969-12-31T23:59:59Z"


@given(MICROS, st.none() | ZONES)
def test_what_is_written_is_read(moment: int, zone: tzinfo | None) -> None:
    """Writing and reading a moment gives the same microsecond, in any zone."""
    text = times.format_micros(moment, zone)
    assert times.parse(text) == moment
    assert len(text) == 27 if zone is None else len(text) == 32


@given(MICROS, ZONES)
def test_seconds_are_read_too(moment: int, zone: tzinfo) -> None:
    """Without a fraction a moment is cut to its second."""
    whole = moment - moment % times.SECOND
    assert times.parse(times.format_seconds(moment)) == whole
    assert times.parse(times.format_seconds(moment, zone)) == whole


@given(MICROS, ZONES)
def test_datetimes(moment: int, zone: tzinfo) -> None:
    """A moment becomes an aware datetime and comes back."""
    assert times.from_datetime(times.to_datetime(moment, zone)) == moment
    assert times.to_datetime(moment, zone).tzinfo is zone


@example("2013-06-01T10:15:02.001200Z", [(19, ",")])
@example("2013-06-01T10:15:02Z", [(5, "W")])
@example("2013-06-01T10:15:02Z", [(16, ".")])
@example("2013-06-01T10:15:02Z", [(16, ",")])
@example("2013-06-01T10:15:02.001200Z", [(19, ":")])
@example("2013-06-01T10:15:02.001Z", [(16, "+"), (19, ":")])
@given(
    st.sampled_from(["2013-06-01T10:15:02Z", "2013-06-01T10:15:02.001Z", "2013-06-01T10:15:02.001200Z"]),
    st.lists(st.tuples(st.integers(0, 26), SIGNS), max_size=4),
)
def test_the_quick_way_reads_what_the_careful_one_reads(text: str, changes: list[tuple[int, str]]) -> None:
    """However a usual timestamp is garbled, it is read or refused as if there were no short cut."""
    signs = list(text)
    for position, sign in changes:
        if position < len(signs):
            signs[position] = sign
    garbled = "".join(signs)
    try:
        expected = times._parse_any(garbled, UTC)
    except ValueError:
        with pytest.raises(ValueError, match="not a timestamp"):
            times.parse(garbled)
    else:
        assert times.parse(garbled) == expected


@given(st.text(max_size=70))
def test_any_text_is_a_timestamp_or_a_value_error(text: str) -> None:
    """Nothing but the documented error leaves the reader."""
    with suppress(ValueError):
        times.parse(text)


def test_limits() -> None:
    """The service stores 1970 to 2100."""
    assert times.format_micros(times.EARLIEST).startswith("1970-01-01T00:00:00.000000")
    assert times.format_micros(times.LATEST + 1).startswith("2101-01-01T00:00:00.000000")


@given(
    st.lists(st.integers(times.EARLIEST, times.LATEST), max_size=20),
    st.sampled_from([None, UTC, ZoneInfo("Asia/Kolkata")]),
)
def test_many_times_are_written_as_each_alone(moments: list[int], zone: tzinfo | None) -> None:
    """Writing many times at once gives what writing each of them gives, sorted or not."""
    assert times.format_all(moments, zone) == [times.format_micros(moment, zone) for moment in moments]
