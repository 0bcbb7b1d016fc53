"""
What a history query asks for: which range, at which interval, how many points. Pure.

A query names a range (``start``, ``end``, ``duration``, in any pair) and an interval. With interval
0 it wants every stored point. With any other it lays a grid of lines over the time, beginning anew at
each midnight of the request's time zone, and looks at the cells between the lines::

        t0          t1          t2          t3
    ────┼───────────┼───────────┼───────────┼──
           x    x a │  x      b │           │c x

    sampled      a and b, with their own times: the last point at or before a line, after the line before
    discrete     a at t1, b at t2, b at t3: what was valid at each line
    function     (x, x, a) at t1, (x, b) at t2: an aggregate of each cell's numbers; c is in the next one

A cell includes the line at its end and not the one at its beginning. Sampled points lie in the range.
The last cell may be unfinished: its line is after the end of the range. The first one may have begun
before the range: a function still takes all of its numbers, so that a program which goes on from the
last line it got gets the same result for that line again; sampling leaves out what is before the start.

`resolve` reads the parameters, `grid_lines` gives the lines, `Cells` sorts points into them.
Asking the storage is left to others.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Context, Decimal
from typing import Final

import attrs

from txpachube import times
from txpachube.api import params, problems
from txpachube.api.parameters import DEFAULT_LIMIT, FUNCTIONS, MAX_LIMIT
from txpachube.codecs.values import numeric

__all__ = [
    "FUNCTIONS",
    "INTERVALS",
    "Cells",
    "HistoryQuery",
    "asked_interval",
    "cell_begin",
    "deletion_range",
    "drawn_range",
    "grid_lines",
    "resolve",
    "snapshot_time",
]

MAX_LINES: Final = 9000
"""Lines of a grid. The longest range of an interval has about 1500; more is a mistake of ours."""

_DAY: Final = 86400 * times.SECOND
_YEAR: Final = params.Duration(0, months=12)
_LONGEST_YEAR: Final = 366 * _DAY
_DEFAULT_LENGTH: Final = params.Duration(6 * 3600 * times.SECOND)
_DRAWN_LENGTH: Final = params.Duration(_DAY)

INTERVALS: Final[Mapping[int, int]] = {
    0: _DAY // 4,
    30: _DAY // 2,
    60: _DAY,
    300: 5 * _DAY,
    900: 14 * _DAY,
    1800: 31 * _DAY,
    3600: 31 * _DAY,
    10800: 90 * _DAY,
    21600: 180 * _DAY,
    43200: _LONGEST_YEAR,
    86400: _LONGEST_YEAR,
}
"""The intervals in seconds, and the longest range in microseconds that one query may have at each."""

_RANGE_TOO_LONG: Final = "The requested range is too long for the interval"
_ASKING: Final = ("start", "end", "duration", "interval", "limit", "function")
_NUMBER: Final = re.compile(r"\+?\d+(\.\d*)?", re.ASCII)


@attrs.frozen
class HistoryQuery:
    """
    A history query whose every question is answered.

    Attributes:
        start: the first moment of the range, in microseconds.
        end: the last one; both belong to the range.
        interval: seconds, one of `INTERVALS`; 0 asks for every stored point.
        discrete: one point per grid line, at its time.
        find_previous: begin with the last point before the range.
        limit: points in the answer, the previous one included.
        offset: points to leave out before.
        function: one of `FUNCTIONS`, or None.
        zone: whose midnights the grid begins at.
    """

    start: int
    end: int
    interval: int
    discrete: bool = False
    find_previous: bool = False
    limit: int = DEFAULT_LIMIT
    offset: int = 0
    function: str | None = None
    zone: tzinfo = UTC


def resolve(
    query: Mapping[str, str],
    now: int,
    zone: tzinfo | None = None,
    minimum_interval: int | None = None,
    *,
    always: bool = False,
) -> HistoryQuery | None:
    """
    Read a history query, or return None when the parameters don't make one.

    Args:
        query: the query parameters.
        now: the time of the request.
        zone: of the request; None is UTC.
        minimum_interval: seconds the key is bound to. An automatic interval is raised to it.
        always: the resource is a history by itself; without parameters it is the last six hours.

    Raises:
        Problem: 400, a parameter can't be read or contradicts another, or the range is too long for
            the interval; 403, the interval is below the key's minimum.
    """
    if not (always or _asks(query)):
        return None
    zone = zone or UTC
    interval = asked_interval(query)
    start, end = _range(query, now, zone, _default_length(interval))
    function = _function(query)
    discrete = query.get("interval_type", "").strip().lower() == "discrete"
    length = _length(start, end, zone)
    if interval is None:
        interval = _automatic(length, minimum_interval or 0, needs_grid=discrete or function is not None)
    elif interval < (minimum_interval or 0):
        raise _too_fine(minimum_interval or 0)
    elif length > INTERVALS[interval]:
        raise problems.bad_request(_RANGE_TOO_LONG)
    elif function is not None and not interval:
        raise problems.bad_request("function needs an interval greater than 0")
    size = params.whole_number(query.get("per_page"), DEFAULT_LIMIT, MAX_LIMIT)
    limit = params.whole_number(query.get("limit"), size, MAX_LIMIT)
    return HistoryQuery(
        start=start,
        end=end,
        interval=interval,
        # Every stored point has a time of its own; there is no line to move it to.
        discrete=discrete and interval > 0 and function is None,
        find_previous=params.boolean(query.get("find_previous")),
        limit=limit,
        offset=(params.whole_number(query.get("page"), 1, params.MAX_PAGE) - 1) * limit,
        function=function,
        zone=zone,
    )


def _asks(query: Mapping[str, str]) -> bool:
    # A form sends its empty fields too; only find_previous means something by being there.
    return "find_previous" in query or any(query.get(name, "").strip() for name in _ASKING)


def asked_interval(query: Mapping[str, str]) -> int | None:
    """
    Return the interval a query names, rounded up to the next one there is, or None.

    Raises:
        Problem: 400, it is negative or no number.
    """
    text = query.get("interval", "").strip()
    if not text:
        return None
    if _NUMBER.fullmatch(text) is None:
        raise problems.bad_request("interval must be a number of seconds, 0 or more")
    seconds = Decimal(text)
    return next((interval for interval in INTERVALS if interval >= seconds), max(INTERVALS))


def snapshot_time(query: Mapping[str, str], zone: tzinfo | None = None) -> int | None:
    """
    Return the moment whose values ``time`` asks for, or None; a history query knows no ``time``.

    Raises:
        Problem: 400, it is no timestamp.
    """
    return None if _asks(query) else params.timestamp(query, "time", zone or UTC)


def deletion_range(query: Mapping[str, str], now: int, zone: tzinfo | None = None) -> tuple[int, int]:
    """
    Return the first and the last moment whose datapoints are to be deleted.

    Raises:
        Problem: 400, no range is given, or a wrong one; rather than guess, nothing is deleted.
    """
    zone = zone or UTC
    start, end, duration = _given(query, zone)
    if start is None and end is None and duration is None:
        raise problems.bad_request("start, end or duration is needed to say which datapoints to delete")
    if duration is None:
        first = times.EARLIEST if start is None else start
        last = times.LATEST if end is None else end
    elif start is not None:
        first, last = start, duration.after(start, zone)
    else:
        last = now if end is None else end
        first = duration.before(last, zone)
    if first > last and start is not None and end is not None:
        raise problems.bad_request("start is after end")
    return first, last


def drawn_range(query: Mapping[str, str], now: int, zone: tzinfo | None, columns: int) -> tuple[int, int]:
    """
    Return the first and the last moment of a graph: the last day, unless the parameters say otherwise.

    A range that ends now ends at the next edge of a column instead. So the columns stay where they are
    while time goes by, and a picture stays good until the next column begins.

    Args:
        query: the query parameters.
        now: the time of the request.
        zone: of the request; None is UTC.
        columns: how many there are in the range.

    Raises:
        Problem: 400, a parameter can't be read or contradicts another, or the range is too long.
    """
    zone = zone or UTC
    first, last = _range(query, now, zone, _DRAWN_LENGTH)
    if _length(first, last, zone) > _LONGEST_YEAR:
        raise problems.bad_request(_RANGE_TOO_LONG)
    start, end, duration = _given(query, zone)
    if end is None and (start is None or duration is None):
        edge = max(1, (last - first) // columns)
        first, last = _range(query, -(-now // edge) * edge, zone, _DRAWN_LENGTH)
    return first, last


def _given(query: Mapping[str, str], zone: tzinfo) -> tuple[int | None, int | None, params.Duration | None]:
    start = params.timestamp(query, "start", zone)
    end = params.timestamp(query, "end", zone)
    text = query.get("duration", "").strip()
    duration = params.duration(text) if text else None
    if start is not None and end is not None and duration is not None:
        raise problems.bad_request("start, end and duration can't be given together")
    return start, end, duration


def _range(query: Mapping[str, str], now: int, zone: tzinfo, default: params.Duration) -> tuple[int, int]:
    start, end, duration = _given(query, zone)
    if start is None:
        end = now if end is None else end
        return (duration or default).before(end, zone), end
    if duration is not None:
        return start, duration.after(start, zone)
    end = now if end is None else end
    if start > end:
        raise problems.bad_request("start is after end")
    return start, end


def _default_length(interval: int | None) -> params.Duration:
    """Return how long a range is of which only the end is known."""
    if not interval:
        return _DEFAULT_LENGTH
    longest = INTERVALS[interval]
    return _YEAR if longest == _LONGEST_YEAR else params.Duration(longest)


def _length(start: int, end: int, zone: tzinfo) -> int:
    """
    Return how long a range is, by the clock on the wall if that says less.

    A month across the end of summer time has an hour more than a month, which must not make it too
    long for an interval that allows a month.
    """
    elapsed = end - start
    if zone is UTC or elapsed > _LONGEST_YEAR + _DAY:
        return elapsed
    first, last = (times.to_datetime(moment, zone).replace(tzinfo=UTC) for moment in (start, end))
    return min(elapsed, times.from_datetime(last) - times.from_datetime(first))


def _automatic(length: int, minimum: int, *, needs_grid: bool) -> int:
    least = max(minimum, 1 if needs_grid else 0)
    if least > max(INTERVALS):
        raise _too_fine(minimum)
    for interval, longest in INTERVALS.items():
        if interval >= least and length <= longest:
            return interval
    raise problems.bad_request(_RANGE_TOO_LONG)


def _too_fine(minimum: int) -> problems.Problem:
    return problems.forbidden(f"This key may read history at intervals of {minimum} seconds or more only")


def _function(query: Mapping[str, str]) -> str | None:
    name = query.get("function", "").strip().lower()
    if not name:
        return None
    if name not in FUNCTIONS:
        raise problems.bad_request("function must be one of " + ", ".join(FUNCTIONS))
    return name


def grid_lines(query: HistoryQuery) -> list[int]:
    """
    Return the moments of the lines that end the query's cells, in order.

    The first is at or after the start. The last is the first at or after the end; discrete points
    have to lie in the range, so for them it is the last at or before the end.
    """
    lines = _lines_around(query)[1:]
    if query.discrete:
        while lines and lines[-1] > query.end:
            lines.pop()
    return lines


def cell_begin(query: HistoryQuery) -> int:
    """Return the line before the first of `grid_lines`, after which the first cell begins."""
    return _lines_around(query)[0]


def _lines_around(query: HistoryQuery) -> list[int]:
    """Return the lines from the last one before the start to the first one at or after the end."""
    step = query.interval * times.SECOND
    if not step or (query.end - query.start) // step > MAX_LINES:
        raise ValueError(f"no grid for {query}")
    if query.zone is UTC:
        # Every interval divides a day, and 1970 began at midnight.
        first = (query.start - 1) // step * step
        return list(range(first, query.end + step, step))
    lines = [query.start]
    # Two days back, since a zone that moved across the date line has skipped one.
    day = times.to_datetime(query.start, query.zone).date() - timedelta(days=2)
    midnight = _midnight(day, query.zone)
    while lines[-1] < query.end or len(lines) == 1:
        day += timedelta(days=1)
        next_midnight = _midnight(day, query.zone)
        for line in range(midnight, next_midnight, step):
            if line < query.start:
                lines[0] = line
            else:
                lines.append(line)
                if line >= query.end:
                    break
        midnight = next_midnight
    return lines


def _midnight(day: date, zone: tzinfo) -> int:
    # Where summer time begins at midnight there is none; this is then the first moment of the day.
    return times.from_datetime(datetime(day.year, day.month, day.day, tzinfo=zone))


# More digits than a float has, so that adding up decimal fractions shows no binary dirt, and never
# an error: the exponents of floats are far inside this context's.
_EXACT: Final = Context(prec=50)


class Cells:
    """
    The cells of a query with a function, being filled.

    Points come in the order of their times, in pieces of any size; a cell's aggregate comes out as
    soon as a later point shows that the cell is complete.
    """

    def __init__(self, query: HistoryQuery) -> None:
        assert query.function is not None, "only a function has something to collect"
        self._function = query.function
        self._adds_up = query.function in {"sum", "average"}
        self._lines = grid_lines(query)
        self._cell = 0
        self._reset()

    def _reset(self) -> None:
        self._count = 0
        self._total = Decimal(0)
        self._lowest = float("inf")
        self._highest = float("-inf")

    def add(self, points: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
        """Sort points into their cells; return the aggregates of the cells that are complete now."""
        complete = []
        for at, value in points:
            if at > self._lines[self._cell]:
                complete += self.finish()
                self._cell = bisect_left(self._lines, at, self._cell)
            number = numeric(value)
            if number is not None:
                self._count += 1
                if self._adds_up:
                    self._total = _EXACT.add(self._total, Decimal(repr(number)))
                elif number < self._lowest or number > self._highest:
                    self._lowest = min(self._lowest, number)
                    self._highest = max(self._highest, number)
        return complete

    def finish(self) -> list[tuple[int, str]]:
        """Return the aggregate of the cell that was being filled, if it has any number."""
        if not self._count:
            return []
        text = self._result()
        self._reset()
        return [(self._lines[self._cell], text)]

    def _result(self) -> str:
        if self._function == "count":
            return str(self._count)
        if self._function == "sum":
            return _shortest(float(self._total)) if abs(self._total) < _HUGE else f"{self._total:.17g}"
        if self._function == "average":
            return _shortest(float(_EXACT.divide(self._total, Decimal(self._count))))
        return _shortest(self._lowest if self._function == "min" else self._highest)


_HUGE: Final = Decimal("1.7e308")


def _shortest(number: float) -> str:
    """Write a number with as few characters as tell it from every other."""
    return str(int(number)) if number.is_integer() and abs(number) < 1e16 else repr(number)
