"""
Reading the query: texts in, typed values out.

Query parameters come from address bars, sketches and twenty libraries, so reading them is
forgiving wherever the API can guess what was meant, and says 400 only where guessing could give
the wrong data (times, durations, intervals).

One quirk concerns the whole query: several libraries glue the extension to the end of the last
value instead of the path (``?start=…&end=2013-06-01T10:00:00Z.csv``). `query_of` gives the
parameters without it and `glued_extension` the format it stands for.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Final
from urllib.parse import unquote

import attrs
import msgspec

from txpachube import times
from txpachube.api import problems
from txpachube.api.messages import Request, parse_query
from txpachube.api.routes import EXTENSIONS

__all__ = [
    "Duration",
    "Page",
    "boolean",
    "callback",
    "csv_depth",
    "deletion_parameters",
    "duration",
    "glued_extension",
    "identifiers",
    "method_of",
    "page",
    "query_of",
    "timestamp",
    "wanted_streams",
    "whole_number",
]

MAX_PER_PAGE: Final = 1000
"""Things on one page of a list; larger numbers are cut, because known clients ask for 2000."""

MAX_PAGE: Final = 1_000_000_000
"""Number of a page; with the largest page it still fits the integers of a database."""

MAX_IDENTIFIERS: Final = 1000
"""Ids in one comma-separated list; the rest is ignored. A URL holds hardly more."""

MAX_CSV_DEPTH: Final = 4
"""Columns of a row of CSV: feed, datastream, time, value."""

MAX_CALLBACK: Final = 256
"""Characters of a callback's name; the rest is ignored. Generated names have about 30."""

MAX_DURATION_DIGITS: Final = 12
"""Digits of a duration's number before the point: 30 000 years in seconds, no work to convert."""

_GLUED: Final = tuple("." + extension for extension in EXTENSIONS)

# In these a dot is part of what people write.
_FREE_TEXTS: Final = frozenset(
    {
        *("q", "tag", "user", "units", "datastream", "datastreams", "serial"),
        *("callback", "t", "title", "l", "legend"),
    }
)

_CSV_DEPTHS: Final = frozenset(str(depth) for depth in range(1, MAX_CSV_DEPTH + 1))
_METHODS: Final = frozenset(["GET", "PUT", "POST", "DELETE"])


def method_of(request: Request) -> str:
    """
    Return the method that is meant, in capitals.

    Clients that can't send PUT or DELETE send a POST with ``_method`` in the query or the header
    ``X-HTTP-Method-Override``. Nothing but a POST can be overridden.
    """
    if request.method != "POST":
        return request.method
    wanted = query_of(request).get("_method", "") if "_method" in request.query_text else ""
    wanted = (wanted or request.headers.get("x-http-method-override", "")).strip().upper()
    return wanted if wanted in _METHODS else "POST"


def glued_extension(request: Request) -> str | None:
    """Return the format whose extension is glued to the end of the query's last value, or None."""
    # Nearly every request is told here, without looking at its parameters.
    if not request.query_text.rstrip("&").endswith(_GLUED):
        return None
    name, value = next(reversed(request.query.items()), ("", ""))
    _, dot, ending = value.rpartition(".")
    return ending if dot and ending in EXTENSIONS and name not in _FREE_TEXTS else None


def query_of(request: Request) -> Mapping[str, str]:
    """Return the query parameters by name, without an extension glued to the last one."""
    extension = glued_extension(request)
    if extension is None:
        return request.query
    name, value = next(reversed(request.query.items()))
    return {**request.query, name: value.removesuffix("." + extension)}


def boolean(text: str | None) -> bool:
    """Return whether a switch is on: ``true``, ``1``, ``yes`` in any case, or there without a value."""
    return text is not None and text.strip().lower() in {"true", "1", "yes", ""}


def whole_number(text: str | None, default: int, maximum: int) -> int:
    """Return a number from 1 on; a larger one is cut to the maximum, anything else is the default."""
    stripped = text.strip() if text else ""
    if not stripped.isdecimal() or not stripped.isascii():
        return default
    digits = stripped.lstrip("0")
    # Compared by length first: converting a million digits would take minutes.
    number = maximum if len(digits) > len(str(maximum)) else int(digits or "0")
    return min(number, maximum) if number else default


@attrs.frozen
class Page:
    """
    A part of a list.

    Attributes:
        number: from 1 on.
        size: how many things are on it.
    """

    number: int
    size: int

    @property
    def offset(self) -> int:
        """How many things come before it."""
        return (self.number - 1) * self.size


def page(query: Mapping[str, str], default_size: int) -> Page:
    """Return the part of a list that ``page`` and ``per_page`` ask for."""
    return Page(
        whole_number(query.get("page"), 1, MAX_PAGE),
        whole_number(query.get("per_page"), default_size, MAX_PER_PAGE),
    )


def identifiers(text: str | None) -> list[str]:
    """
    Return the ids of a comma-separated list, in order.

    One client sends a printed list, so brackets and blanks around are dropped; others escape the ids
    twice, and since no id contains a percent sign the second escaping can be undone.
    """
    if not text:
        return []
    if "%" in text:
        text = unquote(text)
    ids = (part.strip() for part in text.strip().removeprefix("[").removesuffix("]").split(","))
    return [identifier for identifier in ids if identifier][:MAX_IDENTIFIERS]


def wanted_streams(query: Mapping[str, str]) -> list[str] | None:
    """Return the ids of the datastreams that are asked for, or None when it is all of them."""
    if "datastreams" not in query and "datastream" not in query:
        return None
    wanted = identifiers(query.get("datastreams")) + identifiers(query.get("datastream"))
    # An empty list is a form field left empty, not the wish to see nothing.
    return wanted or None


def csv_depth(query: Mapping[str, str]) -> int | None:
    """
    Return how many columns CSV shall have, None when nothing is said of that.

    ``depth`` counts them from the right: the value, its time, the datastream, the feed; ``full`` means all.
    """
    if "full" in query and boolean(query["full"]):
        return MAX_CSV_DEPTH
    text = query.get("depth", "").strip()
    return int(text) if text in _CSV_DEPTHS else None


def callback(query: Mapping[str, str]) -> str | None:
    """Return the name of the function that a JSON answer is wrapped in, or None."""
    name = query.get("callback")
    # "Only letters, digits and _ are kept"; the rest could be a program.
    return re.sub(r"[^A-Za-z0-9_]", "", name)[:MAX_CALLBACK] or None if name else None


def timestamp(query: Mapping[str, str], name: str, zone: tzinfo) -> int | None:
    """
    Return a time among the parameters, or None when it isn't there or is empty.

    Args:
        query: the parameters.
        name: of the parameter.
        zone: where a time without an offset belongs.

    Raises:
        Problem: 400, it isn't a time, or one in a year that nobody stores.
    """
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        moment = times.parse(text, zone)
    except ValueError:
        raise problems.bad_request(f"{name} is not a timestamp") from None
    # The years around the storable ones stay allowed, so that "since the beginning" can be written.
    if not _EARLIEST_ASKED <= moment <= _LATEST_ASKED:
        raise problems.bad_request(f"{name} must be in the years 1900 to 2200")
    return moment


_EARLIEST_ASKED: Final = times.parse("1900-01-02")
_LATEST_ASKED: Final = times.parse("2200-12-30")


@attrs.frozen
class Duration:
    """
    A length of time.

    Attributes:
        micros: the part of fixed length.
        months: calendar steps, whose length depends on where they begin.
    """

    micros: int
    months: int = 0

    def after(self, moment: int, zone: tzinfo) -> int:
        """
        Return the moment this long after another.

        Raises:
            Problem: 400, it would be beyond the calendar.
        """
        return self._shifted(moment, zone, 1)

    def before(self, moment: int, zone: tzinfo) -> int:
        """
        Return the moment this long before another.

        Raises:
            Problem: 400, it would be beyond the calendar.
        """
        return self._shifted(moment, zone, -1)

    def _shifted(self, moment: int, zone: tzinfo, sign: int) -> int:
        try:
            anchor = times.to_datetime(moment, zone)
            if self.months:
                anchor = _months_later(anchor, sign * self.months)
            shifted = times.from_datetime(anchor) + sign * self.micros
            times.to_datetime(shifted, zone)
        except (ValueError, OverflowError):
            raise problems.bad_request("duration is too long") from None
        return shifted


def _months_later(moment: datetime, months: int) -> datetime:
    """Return the same day of a later month, or that month's last day when it is shorter."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    last = monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last))


_DURATION: Final = re.compile(
    rf"(?P<whole>\d{{1,{MAX_DURATION_DIGITS}}})(?:\.(?P<part>\d{{1,6}})\d*)?\s*(?P<unit>[a-z]*)",
    re.ASCII | re.IGNORECASE,
)
_MICROS: Final = {
    "": times.SECOND,
    "second": times.SECOND,
    "minute": 60 * times.SECOND,
    "hour": 3600 * times.SECOND,
    "day": 86400 * times.SECOND,
    "week": 7 * 86400 * times.SECOND,
}
_MONTHS: Final = {"month": 1, "year": 12}


def duration(text: str) -> Duration:
    """
    Read ``6hours``, ``1 day``, ``30Minutes``, or a bare number of seconds.

    Months and years are steps in the calendar and come in whole numbers only.

    Raises:
        Problem: 400, it is something else.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise problems.bad_request("duration must be a number and a unit, such as 6hours")
    unit = match["unit"].lower()
    if len(unit) > 1:
        unit = unit.removesuffix("s")
    number, part = int(match["whole"]), match["part"]
    if unit in _MONTHS and not (part and part.strip("0")):
        return Duration(0, number * _MONTHS[unit])
    if unit not in _MICROS:
        raise problems.bad_request(
            "duration must be in seconds, minutes, hours, days, weeks, or whole months or years"
        )
    size = _MICROS[unit]
    return Duration(number * size + (size * int(part) // 10 ** len(part) if part else 0))


class _RangeInBody(msgspec.Struct):
    start: str | int | float | None = None
    end: str | int | float | None = None
    duration: str | int | float | None = None


def deletion_parameters(request: Request) -> Mapping[str, str]:
    """
    Return the parameters of a deletion of datapoints.

    A browser library sends them in the body of the DELETE, as form text or as a JSON object,
    whatever the content type says; they count when the query has none of them.

    Raises:
        Problem: 400, the body begins like a JSON object and isn't one.
    """
    query = query_of(request)
    body = request.body.strip()
    if not body or not query.keys().isdisjoint(("start", "end", "duration")):
        return query
    if not body.startswith(b"{"):
        return {**parse_query(body.decode("utf-8", "replace")), **query}
    try:
        given = msgspec.json.decode(body, type=_RangeInBody)
    except (ValueError, RecursionError) as problem:
        # msgspec lets RecursionError out for deep nesting, and its own errors are ValueErrors.
        raise problems.broken_body("json", str(problem)) from None
    return {**{name: str(value) for name, value in msgspec.structs.asdict(given).items() if value}, **query}
