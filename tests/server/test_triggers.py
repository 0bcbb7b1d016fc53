"""When a trigger fires."""

from __future__ import annotations

import pytest

from txpachube.server.triggers import FROZEN_AFTER, fulfils, is_frozen, may_fire, revives
from txpachube.times import SECOND


@pytest.mark.parametrize(
    ("kind", "threshold", "value", "expected"),
    [
        ("gt", "15.0", "15.1", True),
        ("gt", "15.0", "15", False),
        ("gte", "15.0", "15", True),
        ("gte", "15.0", "14.9", False),
        ("lt", "15.0", "-20", True),
        ("lt", "15.0", "15.00", False),
        ("lte", "15.0", "15.00", True),
        ("lte", "15.0", "1e3", False),
        ("gt", "9", "10", True),
        ("gt", "1", "open", False),
        ("lt", "1", "open", False),
        ("gte", "1", "open", False),
        ("lte", "1", "open", False),
        ("lt", "1", "", False),
        ("lt", "1", "nan", False),
        ("eq", "44", "44.0", True),
        ("eq", "44", "0044", True),
        ("eq", "open", "open", True),
        ("eq", "open", "Open", False),
        ("eq", "44", "44 C", False),
    ],
)
def test_conditions(kind: str, threshold: str, value: str, expected: bool) -> None:
    """Numbers are compared as numbers, and a text fulfils nothing but being equal."""
    assert fulfils(kind, threshold, value) is expected


@pytest.mark.parametrize(
    ("fired_at", "now", "expected"),
    [
        (None, 0, True),
        (100 * SECOND, 105 * SECOND, True),
        (100 * SECOND, 105 * SECOND - 1, False),
        (100 * SECOND, 100 * SECOND, False),
        (100 * SECOND, 99 * SECOND, True),
    ],
)
def test_notifications_are_five_seconds_apart(fired_at: int | None, now: int, expected: bool) -> None:
    """Five seconds are enough, less is not, and a clock that was set back hinders nothing."""
    assert may_fire(fired_at, now) is expected


@pytest.mark.parametrize(
    ("data_at", "now", "expected"),
    [(1, FROZEN_AFTER, False), (1, 1 + FROZEN_AFTER, True), (0, 2 * FROZEN_AFTER, False)],
)
def test_frozen_is_fifteen_minutes_without_data(data_at: int, now: int, expected: bool) -> None:
    """A datastream freezes to the microsecond, and one that never had data does not."""
    assert is_frozen(data_at, now) is expected
    assert revives(data_at, now) is expected
