"""
The parts of feeds and datastreams that are not data: what may be in them.

Each function puts the allowed parts of a document into a change and appends a text to ``faults``
for each part that is not allowed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from txpachube.codecs import tags
from txpachube.codecs.values import numeric
from txpachube.server.storage.records import Feed, FeedChange, StreamChange

__all__ = [
    "MAX_TEXT",
    "UNIT_TYPES",
    "change_feed",
    "change_stream",
    "read_boolean",
    "stream_id_fault",
    "text_fault",
]

MAX_TEXT: Final = 255
"""Characters of a title, URL, name, unit field, or of all tags of one object joined by commas."""

UNIT_TYPES: Final = (
    "basicSI",
    "derivedSI",
    "conversionBasedUnits",
    "derivedUnits",
    "contextDependentUnits",
)

LOCATION_WORDS: Final = {
    "disposition": ("fixed", "mobile"),
    "exposure": ("indoor", "outdoor"),
    "domain": ("physical", "virtual"),
}

MAX_STREAM_ID: Final = 255

_STREAM_ID: Final = re.compile(rf"[\w+.-]{{1,{MAX_STREAM_ID}}}")
_BLANK: Final = (None, "")
_TRUE: Final = (True, 1, "true", "1")
_FALSE: Final = (False, 0, "false", "0")

Document = Mapping[str, Any]
Faults = list[str]


def stream_id_fault(stream_id: object) -> str | None:
    """Return what is wrong with a datastream's id: letters and digits of any script, ``_ - + .``."""
    if stream_id in _BLANK:
        return "Stream ID can't be blank"
    if not isinstance(stream_id, str) or _STREAM_ID.fullmatch(stream_id) is None:
        return "Stream ID is invalid"
    return None


def text_fault(name: str, value: object) -> str | None:
    """Return what is wrong with a short text; ``name`` is how the message calls it."""
    if not isinstance(value, str):
        return f"{name} is invalid"
    if len(value) > MAX_TEXT:
        return f"{name} is too long (maximum is {MAX_TEXT} characters)"
    return None


def read_boolean(value: object) -> bool | None:
    """Return the truth value that a boolean or one of the words for it means, None for all others."""
    if isinstance(value, str):
        value = value.strip().lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    return None


def change_feed(
    document: Document, change: FeedChange, feed: Feed | None, location_at: int, faults: Faults
) -> None:
    """
    Put a feed's metadata into a change.

    Args:
        document: the decoded feed.
        change: takes what is allowed.
        feed: the feed as it is; None when it is to be created, which needs a title.
        location_at: since when a new location holds.
        faults: takes what is not allowed.
    """
    for name in document:
        read = _FEED_FIELDS.get(name)
        if read is not None:
            read(name, document[name], change, faults)
    if "location" in document:
        change.location = _location(document["location"], faults)
        change.location_at = location_at
    if feed is None and document.get("title") is None:
        faults.append("Title can't be blank")


def change_stream(document: Document, change: StreamChange, faults: Faults) -> None:
    """Put a datastream's metadata into a change."""
    if "tags" in document:
        change.tags = _tags(document["tags"], faults)
    if "unit" in document:
        change.unit = _unit(document["unit"], faults)
    if "max_value" in document:
        change.max_value = _limit("Max value", document["max_value"], faults)
    if "min_value" in document:
        change.min_value = _limit("Min value", document["min_value"], faults)


def _title(name: str, value: object, change: FeedChange, faults: Faults) -> None:
    # A program that sends every field it knows sends null for those it has nothing to say of. A title
    # can't be cleared, so that is no fault.
    if value is None:
        return
    if isinstance(value, str) and not value.strip():
        faults.append("Title can't be blank")
    else:
        _short_text(name, value, change, faults)


def _short_text(name: str, value: object, change: FeedChange, faults: Faults) -> None:
    fault = None if value is None else text_fault(name.capitalize(), value)
    if fault is not None:
        faults.append(fault)
    else:
        change.fields[name] = str(value) if value else None


def _long_text(name: str, value: object, change: FeedChange, faults: Faults) -> None:
    # Bounded by the size of a request alone.
    if value is None or isinstance(value, str):
        change.fields[name] = value or None
    else:
        faults.append(f"{name.capitalize()} is invalid")


def _private(name: str, value: object, change: FeedChange, faults: Faults) -> None:
    # Blank clears other fields; here that would publish the feed of a program that sends every field it
    # knows, so blank says nothing.
    if value in _BLANK:
        return
    private = read_boolean(value)
    if private is None:
        faults.append("Private must be true or false")
    else:
        change.private = private


def _feed_tags(name: str, value: object, change: FeedChange, faults: Faults) -> None:
    change.tags = _tags(value, faults)


_FEED_FIELDS: Final[dict[str, Callable[[str, object, FeedChange, Faults], None]]] = {
    "title": _title,
    "website": _short_text,
    "icon": _short_text,
    "email": _short_text,
    "description": _long_text,
    "auto_feed_url": _long_text,
    "private": _private,
    "tags": _feed_tags,
}


def _tags(value: Any, faults: Faults) -> list[str]:
    if value in _BLANK:
        return []
    if isinstance(value, str):
        value = tags.split(value)
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        faults.append("Tags is invalid")
        return []
    found = tags.normalise(value)
    if len(",".join(found)) > MAX_TEXT:
        faults.append(f"Tags is too long (maximum is {MAX_TEXT} characters)")
    return found


def _unit(value: Any, faults: Faults) -> dict[str, str]:
    if value in _BLANK:
        return {}
    if not isinstance(value, dict):
        faults.append("Unit is invalid")
        return {}
    unit: dict[str, str] = {}
    for part in ("type", "symbol", "label"):
        text = value.get(part)
        if text in _BLANK:
            continue
        fault = text_fault(f"Unit {part}", text)
        if fault is None and part == "type" and text not in UNIT_TYPES:
            fault = (
                f"Unit type is not a valid unit_type (pick one from {', '.join(UNIT_TYPES)} or leave blank)"
            )
        if fault is not None:
            faults.append(fault)
        else:
            unit[part] = text
    return unit


def _limit(name: str, value: object, faults: Faults) -> float | None:
    if value in _BLANK:
        return None
    number = _number(value)
    if number is None:
        faults.append(f"{name} is not a number")
    return number


def _number(value: object) -> float | None:
    if isinstance(value, str):
        return numeric(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _location(value: Any, faults: Faults) -> dict[str, str | float | None]:
    """Return the parts of a location that are given, None where one is cleared."""
    if value in _BLANK:
        return dict.fromkeys(_LOCATION_PARTS)
    if not isinstance(value, dict):
        faults.append("Location is invalid")
        return {}
    return {
        part: None if value[part] in _BLANK else check(part, value[part], faults)
        for part, check in _LOCATION_PARTS.items()
        if part in value
    }


def _location_word(part: str, value: object, faults: Faults) -> str | None:
    if isinstance(value, str) and value in LOCATION_WORDS[part]:
        return value
    words = ", ".join(LOCATION_WORDS[part])
    faults.append(f"Location {part} is not valid (pick one from {words} or leave blank)")
    return None


def _location_name(part: str, value: object, faults: Faults) -> str | None:
    fault = text_fault("Location name", value)
    if fault is not None:
        faults.append(fault)
        return None
    return str(value)


def _elevation(part: str, value: object, faults: Faults) -> str | None:
    fault = text_fault("Location ele", str(value))
    if fault is None and _number(value) is None:
        fault = "Location ele is not a number"
    if fault is not None:
        faults.append(fault)
        return None
    return str(value).strip()


def _latitude(part: str, value: object, faults: Faults) -> float | None:
    return _degrees(part, value, 90, faults)


def _longitude(part: str, value: object, faults: Faults) -> float | None:
    return _degrees(part, value, 180, faults)


def _degrees(part: str, value: object, most: int, faults: Faults) -> float | None:
    number = _number(value)
    if number is None:
        faults.append(f"Location {part} is not a number")
    elif not -most <= number <= most:
        faults.append(f"Location {part} must be between -{most} and {most}")
    return number


_LOCATION_PARTS: Final[dict[str, Callable[[str, Any, Faults], str | float | None]]] = {
    "disposition": _location_word,
    "name": _location_name,
    "exposure": _location_word,
    "domain": _location_word,
    "ele": _elevation,
    "lat": _latitude,
    "lon": _longitude,
}
