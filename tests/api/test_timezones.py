"""The ``timezone`` parameter."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube import times
from txpachube.api import timezones

WINTER = times.to_datetime(times.parse("2013-01-15T12:00:00Z"))
SUMMER = times.to_datetime(times.parse("2013-07-15T12:00:00Z"))


def offset(text: str, summer: bool = False) -> float | None:
    """The offset in hours of a zone, or None when there is no such zone."""
    zone = timezones.find(text)
    if zone is None:
        return None
    shift = (SUMMER if summer else WINTER).astimezone(zone).utcoffset()
    assert shift is not None
    return shift / timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("8", 8),
        ("+8", 8),
        (" 8", 8),
        ("-3.5", -3.5),
        ("5.75", 5.75),
        ("0", 0),
        ("14", 14),
        ("-12", -12),
        ("8 ", 8),
        ("0.0166", 1 / 60),
    ],
)
def test_number_of_hours(text: str, hours: float) -> None:
    """A zone can be a number of hours; the plus may have become a blank on the way."""
    assert offset(text) == pytest.approx(hours)


@pytest.mark.parametrize(
    "text",
    [
        *("14.5", "15", "-12.5", "99", "8:00", "1e1", "nan", "+", "٣", "", " "),
        *("Nowhere", "Europe", "europe/london", "localtime", "posix/Europe/London", "Europe/../London"),
        *("/etc/passwd", "../etc/passwd", "x" * 5000),
    ],
)
def test_unknown_zone_is_none(text: str) -> None:
    """Whatever is no zone is none, without an error."""
    assert timezones.find(text) is None


def test_no_parameter_is_no_zone() -> None:
    """Without the parameter there is no zone."""
    assert timezones.find(None) is None


@pytest.mark.parametrize("place", timezones.PLACES)
def test_every_place_has_a_zone(place: str) -> None:
    """Each published name is known to the zone database."""
    assert timezones.find(place) is not None


@pytest.mark.parametrize(
    ("place", "winter", "summer"),
    [
        ("Copenhagen", 1, 2),
        ("London", 0, 1),
        ("Pacific Time (US & Canada)", -8, -7),
        ("Arizona", -7, -7),
        ("Newfoundland", -3.5, -2.5),
        ("Kathmandu", 5.75, 5.75),
        ("Chennai", 5.5, 5.5),
        ("Osaka", 9, 9),
        ("Darwin", 9.5, 9.5),
        ("Kyev", 2, 3),
        ("Nuku'alofa", 13, 13),
        ("International Date Line West", -11, -11),
        ("Hong Kong", 8, 8),
        ("St. Petersburg", 4, 4),
        ("UTC", 0, 0),
    ],
)
def test_places_have_summer_time(place: str, winter: float, summer: float) -> None:
    """A place stands for a zone with its own summer time, not for an offset."""
    assert offset(place) == winter
    assert offset(place, summer=True) == summer


def test_the_published_table_is_complete() -> None:
    """As many names as the table has."""
    assert len(timezones.PLACES) >= 140
    assert {"Samoa", "Lima", "Quito", "La Paz", "Ulaan Bataar", "Solomon Is.", "Edinburgh"} <= set(
        timezones.PLACES
    )


def test_database_names_are_taken() -> None:
    """The names of the IANA database work too."""
    assert offset("Europe/Paris") == 1
    assert offset("America/Argentina/Buenos_Aires") == -3


def test_utc_is_a_zone_with_an_offset() -> None:
    """Asked for by name, UTC is written as an offset like any other zone."""
    zone = timezones.find("UTC")
    assert zone is not None
    assert times.format_micros(0, zone) == "1970-01-01T00:00:00.000000+00:00"


@given(st.text(max_size=80))
def test_any_text_is_safe(text: str) -> None:
    """No text makes the look-up fail."""
    timezones.find(text)
