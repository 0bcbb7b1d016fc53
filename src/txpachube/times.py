"""
Points in time as the API writes them.

Inside, a time is an integer: microseconds since 1970-01-01T00:00:00Z.
Two timestamps are the same datapoint exactly when these integers are equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final

__all__ = [
    "EARLIEST",
    "LATEST",
    "SECOND",
    "format_all",
    "format_micros",
    "format_seconds",
    "from_datetime",
    "parse",
    "to_datetime",
]

SECOND: Final = 1_000_000
"""Microseconds in a second."""

EARLIEST: Final = 0
"""1970-01-01T00:00:00Z, the first moment the service stores."""

LATEST: Final = 4_133_980_800 * SECOND - 1
"""The last microsecond of 2100, the last moment the service stores."""

_MINUTE: Final = 60 * SECOND
_SECONDS: Final = tuple(f"{second:02d}." for second in range(60))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

# Long enough for every form below with a generous fraction; more is not a timestamp but an attack.
_LONGEST: Final = 64

# Of 2013-06-01T10:15:02Z, and with three and six fraction digits.
_USUAL_LENGTHS: Final = frozenset({20, 24, 27})

_EXTENDED: Final = re.compile(
    r"""
    (?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})
    (?: (?:[Tt]|[ ]+)
        (?P<hour>\d{2}):(?P<minute>\d{2})
        (?: :(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))? | [.](?P<minute_fraction>\d{1,9}) )?
        [ ]?(?P<offset>[Zz] | [+\- ]?\d{2}:\d{2} | [+\-]\d{4} | [+\-]\d{2} )?
    )?
    """,
    re.VERBOSE | re.ASCII,
)
_BASIC: Final = re.compile(
    r"""
    (?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})
    (?: [Tt]?(?P<hour>\d{2})(?P<minute>\d{2})
        (?: (?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))? )?
        (?P<offset>[Zz] | [+\- ]?\d{2}:\d{2} | [+\-]\d{4} | [+\-]\d{2} )?
    )?
    """,
    re.VERBOSE | re.ASCII,
)


def parse(text: str, zone: tzinfo = UTC) -> int:
    """
    Read a timestamp in any of the forms the API accepts.

    A date, then optionally ``T`` or a blank, the time with up to nine fraction digits (more than six
    are cut off), and ``Z``, an offset or nothing. The basic form without separators, a date alone
    (midnight) and a decimal minute (``07:48.5``) are read too. A blank before the offset is read as
    the ``+`` that an unescaped query string turned into a blank.

    Args:
        text: the timestamp.
        zone: where a time without an offset belongs.

    Returns:
        Microseconds since 1970, UTC. May lie outside of `EARLIEST` to `LATEST`.

    Raises:
        ValueError: the text is not such a timestamp.
    """
    if (
        text[-1:] == "Z"
        and len(text) in _USUAL_LENGTHS
        and text[4] == text[7] == "-"
        and text[10] == "T"
        and text[13] == text[16] == ":"
        and text[19] in ".Z"
        and text[11:13] != "24"
    ):
        # Most timestamps there are. The library's own reader takes a sixth of the time, and with the
        # signs above in their places, and midnight not called 24, it takes nothing that isn't allowed.
        try:
            return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND
        except ValueError:
            pass
    return _parse_any(text, zone)


def _parse_any(text: str, zone: tzinfo) -> int:
    if len(text) > _LONGEST:
        raise ValueError("not a timestamp: longer than any timestamp")
    stripped = text.strip()
    match = _EXTENDED.fullmatch(stripped) or _BASIC.fullmatch(stripped)
    if match is None:
        raise ValueError(f"not a timestamp: {text!r}")
    part = match.groupdict()
    seconds, micros = int(part["second"] or 0), 0
    if part["fraction"]:
        micros = int(part["fraction"][:6].ljust(6, "0"))
    elif part.get("minute_fraction"):
        digits = part["minute_fraction"]
        seconds, micros = divmod(60 * SECOND * int(digits) // 10 ** len(digits), SECOND)
    try:
        moment = datetime(
            int(part["year"]),
            int(part["month"]),
            int(part["day"]),
            int(part["hour"] or 0),
            int(part["minute"] or 0),
            seconds,
            micros,
            tzinfo=_zone_of(part["offset"], zone),
        )
        return from_datetime(moment)
    except (ValueError, OverflowError) as problem:
        raise ValueError(f"not a timestamp: {text!r} ({problem})") from None


def _zone_of(offset: str | None, zone: tzinfo) -> tzinfo:
    if offset is None:
        return zone
    if offset in "Zz":
        return UTC
    digits = offset.lstrip("+- ").replace(":", "")
    minutes = int(digits[2:] or 0)
    if minutes > 59:
        raise ValueError("an offset has at most 59 minutes")
    shift = timedelta(hours=int(digits[:2]), minutes=minutes)
    return timezone(-shift if offset[0] == "-" else shift)


def from_datetime(moment: datetime) -> int:
    """Return the microseconds since 1970 of an aware ``datetime``."""
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(micros: int, zone: tzinfo = UTC) -> datetime:
    """Return the aware ``datetime`` of a moment, in a zone."""
    return (_EPOCH + timedelta(microseconds=micros)).astimezone(zone)


@lru_cache(maxsize=4096)
def _to_the_minute(minute: int) -> str:
    return (_EPOCH + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:")


def format_micros(micros: int, zone: tzinfo | None = None) -> str:
    """
    Write a moment with exactly six fraction digits, as every v2 answer does.

    Old clients parse this pattern and no other.

    Args:
        micros: microseconds since 1970.
        zone: write the local time of this zone and its offset instead of ``Z``.
    """
    if zone is not None:
        return to_datetime(micros, zone).isoformat(timespec="microseconds")
    minute, rest = divmod(micros, 60 * SECOND)
    second, fraction = divmod(rest, SECOND)
    return f"{_to_the_minute(minute)}{second:02d}.{fraction:06d}Z"


def format_all(moments: Iterable[int], zone: tzinfo | None = None) -> list[str]:
    """Write many moments, each as `format_micros` does, in half the time; best when they are sorted."""
    if zone is not None:
        return [format_micros(micros, zone) for micros in moments]
    minute, begin, prefix = -1, 0, ""
    texts = []
    for micros in moments:
        if micros // _MINUTE != minute:
            minute = micros // _MINUTE
            begin, prefix = minute * _MINUTE, _to_the_minute(minute)
        rest = micros - begin
        texts.append(f"{prefix}{_SECONDS[rest // SECOND]}{rest % SECOND:06d}Z")
    return texts


def format_seconds(micros: int, zone: tzinfo | None = None) -> str:
    """Write a moment without a fraction, as v1 and some fields of keys and devices do."""
    if zone is not None:
        return to_datetime(micros - micros % SECOND, zone).isoformat(timespec="seconds")
    minute, rest = divmod(micros, 60 * SECOND)
    return f"{_to_the_minute(minute)}{rest // SECOND:02d}Z"
