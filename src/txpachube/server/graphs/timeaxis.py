"""
The time's axis: ticks where clock and calendar have them.

A tick's step is one that clocks and calendars know: fractions of a second, seconds, minutes, hours,
days, weeks, months, years. Ticks stand at round local times of a zone: six o'clock is six o'clock on
both sides of the night when summer time begins, so a step of six hours is five or seven hours long
there, and midnights stay midnights.

Times from the second up to the hour are written as the clock shows them, and the midnights among them
as the day that begins, in a stronger type; months as their names, and Januaries as the year.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

import attrs

from txpachube.times import SECOND, from_datetime, to_datetime

__all__ = ["Tick", "describe_range", "describe_zone", "ticks"]

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""The months' names, as short as they are understood; written here, so that no locale changes them."""

_MINUTE: Final = 60 * SECOND
_HOUR: Final = 3600 * SECOND
_DAY: Final = 86400 * SECOND
_EN_DASH: Final = "\N{EN DASH}"

# Moments of a range at which it is asked what the clocks are called; one a month finds each summer.
_LOOKS: Final = 12


@attrs.frozen
class Tick:
    """
    A place on the axis.

    Attributes:
        at: the moment.
        label: what is written there.
        strong: something larger than the step begins here: a day among hours, a year among months.
    """

    at: int
    label: str
    strong: bool = False


@attrs.frozen
class _Step:
    """
    A distance between ticks.

    Attributes:
        length: about how long it is, in microseconds.
        sample: a label as wide as they get.
        ticks: returns those of a range.
    """

    length: int
    sample: str
    ticks: Callable[[int, int, tzinfo], Iterator[Tick]]


def ticks(start: int, end: int, zone: tzinfo, room: Callable[[str], float]) -> list[Tick]:
    """
    Return the ticks of a range, as many as there is room for.

    Args:
        start: the first moment.
        end: the last one, after it.
        zone: whose clock and calendar it is.
        room: the part of the axis that a label takes, with the blank around it.
    """
    for step in _STEPS:
        if (end - start) * room(step.sample) <= step.length:
            return list(step.ticks(start, end, zone))
    return []


def _offset(at: int, zone: tzinfo) -> int:
    shift = to_datetime(at, zone).utcoffset()
    assert shift is not None, "a moment in a zone has an offset"
    return shift // timedelta(microseconds=1)


def _clock_times(step: int, start: int, end: int, zone: tzinfo) -> Iterator[int]:
    """Return the moments at which local clocks show multiples of a step, which is shorter than a day."""
    at = start - 1
    while True:
        before = _offset(at, zone)
        wanted = ((at + before) // step + 1) * step
        at = _moment_of(wanted, at, before, step, zone)
        if at > end:
            return
        yield at


def _moment_of(wanted: int, after: int, before: int, step: int, zone: tzinfo) -> int:
    """Return when a local time comes next, or the first multiple of the step that does, as clocks change."""
    at = wanted - before
    now = _offset(at, zone)
    if now == before or (at + now) % step == 0:
        return at
    # The clocks were changed in between, and do not show a multiple then: look where one is.
    while (at := wanted - now) <= after or _offset(at, zone) != now:
        wanted += step
    return at


def _clock(step: int, sample: str) -> _Step:
    def find(start: int, end: int, zone: tzinfo) -> Iterator[Tick]:
        for at in _clock_times(step, start, end, zone):
            moment = to_datetime(at, zone)
            if moment.hour == moment.minute == moment.second == moment.microsecond == 0:
                yield Tick(at, _day(moment), strong=True)
            elif moment.microsecond or step < SECOND:
                yield Tick(at, f"{moment:%H:%M:%S}.{moment.microsecond:06d}"[: len(sample)])
            else:
                yield Tick(at, f"{moment:%H:%M:%S}"[: len(sample)])

    return _Step(step, sample, find)


def _days(step: int) -> _Step:
    def find(start: int, end: int, zone: tzinfo) -> Iterator[Tick]:
        for day in _dates(start, end, zone):
            # Day 1 of the calendar is a Monday, so weeks begin on Mondays.
            if (day.toordinal() - 1) % step == 0:
                yield from _within(start, end, Tick(_midnight(day, zone), _day(day), day.day == 1))

    return _Step(step * _DAY, "28 Mar", find)


def _months(step: int) -> _Step:
    def find(start: int, end: int, zone: tzinfo) -> Iterator[Tick]:
        first, last = _first_and_last(start, end, zone)
        for number in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
            if number % step == 0:
                day = date(number // 12, number % 12 + 1, 1)
                year = day.month == 1
                tick = Tick(_midnight(day, zone), str(day.year) if year else MONTHS[day.month - 1], year)
                yield from _within(start, end, tick)

    return _Step(step * 30 * _DAY, "2013", find)


def _within(start: int, end: int, tick: Tick) -> Iterator[Tick]:
    if start <= tick.at <= end:
        yield tick


def _first_and_last(start: int, end: int, zone: tzinfo) -> tuple[date, date]:
    return to_datetime(start, zone).date(), to_datetime(end, zone).date()


def _dates(start: int, end: int, zone: tzinfo) -> Iterator[date]:
    first, last = _first_and_last(start, end, zone)
    return (date.fromordinal(number) for number in range(first.toordinal(), last.toordinal() + 1))


def _midnight(day: date, zone: tzinfo) -> int:
    # Where summer time begins at midnight there is none; this is then the first moment of the day.
    return from_datetime(datetime(day.year, day.month, day.day, tzinfo=zone))


def _day(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]}"


_STEPS: Final = (
    *(
        _clock(factor * 10**power, "00:00:00." + "0" * (6 - power))
        for power in range(6)
        for factor in (1, 2, 5)
    ),
    *(_clock(number * SECOND, "00:00:00") for number in (1, 2, 5, 10, 15, 30)),
    *(_clock(number * _MINUTE, "00:00") for number in (1, 2, 5, 10, 15, 30)),
    *(_clock(number * _HOUR, "00:00") for number in (1, 2, 3, 6, 12)),
    *(_days(number) for number in (1, 2, 7, 14)),
    *(_months(number) for number in (1, 2, 3, 6, 12, 24, 60, 120, 240, 600)),
)


def describe_range(start: int, end: int, zone: tzinfo) -> str:
    """Return the days of a range as a text, with the year, which the ticks may leave out."""
    first, last = _first_and_last(start, max(start, end - 1), zone)
    if first == last:
        return f"{_day(first)} {first.year}"
    if first.year != last.year:
        return f"{_day(first)} {first.year} {_EN_DASH} {_day(last)} {last.year}"
    if first.month != last.month:
        return f"{_day(first)} {_EN_DASH} {_day(last)} {last.year}"
    return f"{first.day}{_EN_DASH}{_day(last)} {last.year}"


def describe_zone(start: int, end: int, zone: tzinfo) -> str:
    """Return what the clocks of a range are called there: ``UTC``, ``CEST``, ``CET/CEST``, ``UTC-03:30``."""
    names: list[str] = []
    for number in range(_LOOKS + 1):
        moment = to_datetime(start + (end - start) * number // _LOOKS, zone)
        name = moment.tzname() or ""
        # Places where nobody has letters for the time have only hours, which may be all digits.
        if name[:1] in "+-":
            name = f"UTC{moment.isoformat()[-6:].removesuffix(':00')}"
        if name not in names:
            names.append(name)
    return "/".join(names[:2])
