"""How long to wait before a call is made again."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.client.retry import RetryPolicy, seconds_from_retry_after

POLICY = RetryPolicy(attempts=10, first_delay=1, longest_delay=8, factor=2)


def test_waits_grow_up_to_the_longest() -> None:
    """The waits double from the first to the longest, when chance adds all it may."""
    assert [POLICY.delay(failures, lambda: 1.0) for failures in range(1, 7)] == [1, 2, 4, 8, 8, 8]


def test_chance_decides_the_second_half() -> None:
    """Without luck the wait is half as long, never none."""
    assert [POLICY.delay(failures, lambda: 0.0) for failures in range(1, 4)] == [0.5, 1, 2]


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_no_wait_leaves_its_bounds(failures: int, luck: float) -> None:
    """However often it failed, the wait is between half of the first and the longest."""
    assert 0.5 <= POLICY.delay(failures, lambda: luck) <= 8


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"first_delay": -1}, {"longest_delay": -1}, {"factor": 0.5}]
)
def test_impossible_policies_are_refused(wrong: dict[str, float]) -> None:
    """At least one attempt, no negative waits, no shrinking ones."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RetryPolicy(**wrong)  # type: ignore[arg-type] # that is the point


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 120 ", 120),
        ("9" * 5000, float("inf")),
        ("-1", None),
        ("1.5", None),
        ("", None),
        ("soon", None),
        ("٣", None),
        (formatdate(1030, usegmt=True), 30),
        (formatdate(10, usegmt=True), 0),
        ("Sat, 99 Jun 2013 10:00:00 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    """The header holds seconds or a date; what can't be read counts as not there."""
    assert seconds_from_retry_after(value, now=1000) == seconds
