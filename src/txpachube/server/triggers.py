"""
When a trigger fires. Pure: values, states and times are arguments.

A trigger fires when its condition *turns* true, not while it stays so; after it was false it can fire
again. ``change`` is true at the moment of a change only, ``live`` at the moment of the first data after a
silence. Two notifications of a trigger are at least five seconds apart: what would come earlier is
dropped, and the trigger goes on as if its condition had not been true, so the next write after that counts.
"""

from __future__ import annotations

import math
from typing import Final

from txpachube.codecs.values import numeric
from txpachube.times import SECOND

__all__ = [
    "COMPARING",
    "FROZEN_AFTER",
    "KINDS",
    "NEEDS_THRESHOLD",
    "QUIET_FOR",
    "comparable",
    "equal",
    "fulfils",
    "is_frozen",
    "may_fire",
    "revives",
]

COMPARING: Final = frozenset({"gt", "gte", "lt", "lte"})
"""Types that compare numbers."""

NEEDS_THRESHOLD: Final = COMPARING | {"eq"}
"""Types that compare the value with something."""

KINDS: Final = NEEDS_THRESHOLD | {"change", "frozen", "live"}
"""All types."""

FROZEN_AFTER: Final = 900 * SECOND
"""A datastream is frozen when no data arrived for so long."""

QUIET_FOR: Final = 5 * SECOND
"""Two notifications of one trigger are at least so far apart."""


def comparable(text: str) -> float:
    """Return the number of a value; for a text the one that no comparison is true of."""
    number = numeric(text)
    return math.nan if number is None else number


def equal(value: str, threshold: str) -> bool:
    """Return whether a value is the threshold: as numbers if both are, else as texts."""
    left, right = numeric(value), numeric(threshold)
    if left is not None and right is not None:
        return left == right
    return value == threshold


def fulfils(kind: str, threshold: str, value: str) -> bool:
    """Return whether a value fulfils the condition of a type of `NEEDS_THRESHOLD`."""
    if kind == "eq":
        return equal(value, threshold)
    left, right = comparable(value), comparable(threshold)
    if kind == "gt":
        return left > right
    if kind == "gte":
        return left >= right
    return left < right if kind == "lt" else left <= right


def may_fire(fired_at: int | None, now: int) -> bool:
    """Return whether the last time is long enough ago; a clock that was set back hinders nothing."""
    return fired_at is None or not 0 <= now - fired_at < QUIET_FOR


def is_frozen(data_at: int, now: int) -> bool:
    """Return whether a datastream is frozen. One that never had data is not: there is nothing to stop."""
    return data_at != 0 and now - data_at >= FROZEN_AFTER


def revives(data_at: int, arrived: int) -> bool:
    """Return whether data that arrives makes a datastream live whose last data arrived at ``data_at``."""
    return is_frozen(data_at, arrived)
