"""
Converters: from what a program or a document gives to what an attribute holds.

A converter takes everything that has one obvious meaning (a number for a text, a ``datetime`` for a
timestamp, a dict for a structure) and refuses the rest with `InvalidValue`. ``None`` always means
"not given" and passes. Texts pass untouched: ``"0000017"`` stays ``"0000017"``.

A converter does not know the name of the attribute it serves. It leaves the field of its error
empty, and the structure, which knows, fills it in (see `txpachube.structures.base`). The error of a
value of the wrong *type* shows the type and not the value, because the value may be a key.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from numbers import Number
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar

from txpachube import times
from txpachube.codecs import tags, values
from txpachube.errors import InvalidValue

if TYPE_CHECKING:
    from txpachube.structures.base import Structure

__all__ = [
    "Coordinate",
    "Moment",
    "Scalar",
    "flag",
    "latitude",
    "longitude",
    "lower_texts",
    "moment",
    "part",
    "parts",
    "tag_list",
    "text",
    "texts",
    "version",
    "whole",
    "word",
]

Scalar: TypeAlias = str | bytes | int | float | Decimal
"""What may be given for a text; a number becomes its decimal text, a boolean ``true`` or ``false``."""

Moment: TypeAlias = str | date
"""What may be given for a timestamp: its text, or a ``datetime`` or ``date``."""

Coordinate: TypeAlias = float | Literal[""]
"""What a latitude or longitude is: degrees, or the empty text, which clears the stored one."""

_S = TypeVar("_S", bound="Structure")

_ONLY_TEXTS: Final = frozenset({str})

# 2**63 has 19 digits; longer texts are not ids, and int() on very long ones is slow.
_MOST_DIGITS = 18


def text(value: Scalar | None) -> str | None:
    """Return a text as it is, a number or boolean as its text, bytes read as UTF-8."""
    if value is None or type(value) is str:
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidValue("", value, "text in UTF-8") from None
    if isinstance(value, Number):
        return str(value)
    raise _wrong_type(value, "a text or a number")


def whole(value: int | str | float | None) -> int | None:
    """Return an id or a count as an integer; its decimal text is taken too, and ``""`` means not given."""
    if value is None or type(value) is int:
        return value
    if isinstance(value, str):
        stripped = value.strip()
        if not stripped:
            return None
        digits = stripped.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS:
            return int(stripped)
        raise InvalidValue("", value, "a whole number")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(value, "a whole number")
    if not math.isfinite(value) or int(value) != value:
        raise InvalidValue("", value, "a whole number")
    return int(value)


def flag(value: bool | str | int | None) -> bool | None:
    """Return a boolean, also of ``"true"``, ``"false"``, ``"1"``, ``"0"``, 1 and 0; ``""`` is not given."""
    if value is None or isinstance(value, bool):
        return value
    meaning = str(value).strip().lower()
    if not meaning:
        return None
    if meaning not in _FLAGS:
        given: object = value
        raise InvalidValue("", given if isinstance(given, str | int) else type(given), ("true", "false"))
    return _FLAGS[meaning]


_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def latitude(value: Scalar | None) -> Coordinate | None:
    """Return degrees north as a number; ``""`` stays and clears."""
    return _degrees(value, 90)


def longitude(value: Scalar | None) -> Coordinate | None:
    """Return degrees east as a number; ``""`` stays and clears."""
    return _degrees(value, 180)


def _degrees(value: Scalar | None, most: int) -> Coordinate | None:
    if value is None:
        return None
    allowed = f"a number from -{most} to {most}"
    if isinstance(value, bool):
        raise InvalidValue("", value, allowed)
    written = text(value)
    if written is None or not written.strip():
        return ""
    number = float(value) if isinstance(value, int | float) else values.numeric(written)
    if number is None or not -most <= number <= most:
        raise InvalidValue("", value, allowed)
    return number


def moment(value: Moment | None) -> str | None:
    """
    Return a timestamp as text.

    A text passes as it is. A ``datetime`` is written in UTC with six fraction digits, the form every
    old program reads; one without a zone is taken as UTC. A ``date`` is written as a date.
    """
    if value is None or type(value) is str:
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return times.format_micros(times.from_datetime(aware))
    if isinstance(value, date):
        return value.isoformat()
    raise _wrong_type(value, "a timestamp as text or a datetime")


def version(value: object) -> str | None:
    """Return the mark of a document; some old clients wrote a list of it, or a number."""
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    return value if value is None or isinstance(value, str) else str(value)


def word(value: str | None, allowed: Iterable[str], field: str) -> str | None:
    """Return a word that must be one of those allowed, or empty, which clears it."""
    if value is None or value == "" or value in allowed:
        return value
    raise InvalidValue(field, value, list(allowed))


def texts(value: Iterable[Scalar] | str | None) -> list[str] | None:
    """Return a list of texts; a single text is a list of one, an empty one an empty list."""
    if value is None:
        return None
    if type(value) is list and _ONLY_TEXTS.issuperset(map(type, value)):
        return value.copy()
    if isinstance(value, str | bytes):
        single = text(value)
        return [single] if single else []
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        raise _wrong_type(value, "a list of texts")
    return [element for element in map(text, value) if element is not None]


def lower_texts(value: Iterable[Scalar] | str | None) -> list[str] | None:
    """Return a list of texts in lower case."""
    found = texts(value)
    return None if found is None else [element.lower() for element in found]


def tag_list(value: Iterable[Scalar] | str | None) -> list[str] | None:
    """Return tags as a list, in the order given; one text is a comma-separated list of them."""
    if isinstance(value, str):
        return tags.split(value)
    return texts(value)


def part(kind: type[_S], value: object) -> _S | None:
    """Return a nested structure, made from a dict of its fields when it is not one already."""
    if value is None or isinstance(value, kind):
        return value
    if type(value) is dict or isinstance(value, Mapping):  # asking for the type first is much quicker
        return kind._of(value)
    if value == "":  # an empty element or text: everything in it is cleared
        return kind()
    raise _wrong_type(value, f"a {kind.__name__} or a dict of its fields")


def parts(kind: type[_S], value: object) -> list[_S] | None:
    """Return a list of nested structures, made from dicts where they are not structures already."""
    if value is None:
        return None
    if value == "":
        return []
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise _wrong_type(value, f"a list of {kind.__name__} or of dicts of its fields")
    found = []
    for element in value:
        made = part(kind, element)
        if made is None:
            raise _wrong_type(element, f"a list of {kind.__name__} or of dicts of its fields")
        found.append(made)
    return found


def _wrong_type(value: object, allowed: str) -> InvalidValue:
    return InvalidValue("", type(value), allowed)
