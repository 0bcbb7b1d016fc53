"""The values' axis."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.server.graphs import scale

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
MOST = st.integers(1, 12)


@given(NUMBERS, NUMBERS, MOST)
def test_the_data_are_on_the_axis(one: float, other: float, most: int) -> None:
    """Whatever the numbers are, the axis holds them and has no absurd number of ticks."""
    low, high = min(one, other), max(one, other)
    axis = scale.fitting(low, high, most)
    assert math.isfinite(axis.low)
    assert axis.low < axis.high < math.inf
    assert -1e-6 <= axis.part(low) <= axis.part(high) <= 1 + 1e-6
    assert 1 <= axis.count <= 2 * most + 3
    assert len(axis.labels) == len(axis.ticks) == axis.count
    assert all(-1e-6 <= axis.part(tick) <= 1 + 1e-6 for tick in axis.ticks)
    assert all(len(label) < 40 for label in axis.labels)


@given(NUMBERS, NUMBERS, MOST)
def test_given_ends_stay(one: float, other: float, most: int) -> None:
    """An axis whose ends are given ends there, in whatever order they were given."""
    axis = scale.fixed(one, other, most)
    low, high = min(one, other), max(one, other)
    assert axis == scale.fixed(other, one, most)
    assert axis.low < axis.high
    largest = max(abs(low), abs(high))
    if 1e-299 < largest < 1e300 and high - low > largest * 1e-6:
        assert (axis.low, axis.high) == (low, high)
    assert axis.count <= most + 1


@given(st.floats(-1e6, 1e6), st.floats(0.001, 1e6), MOST)
def test_labels_say_where_the_ticks_are(low: float, span: float, most: int) -> None:
    """Each label, read as a number, is its tick's value; no two are the same."""
    axis = scale.fitting(low, low + span, most)
    read = [
        float(label.replace("\N{MINUS SIGN}", "-").replace("\N{THIN SPACE}", "")) * 10.0**axis.exponent
        for label in axis.labels
    ]
    assert read == pytest.approx(axis.ticks, rel=1e-9, abs=axis.step * 1e-6)
    assert len(set(read)) == len(read)


@pytest.mark.parametrize(
    ("low", "high", "labels", "factor"),
    [
        (0, 1, ["0.0", "0.5", "1.0"], ""),
        (19.5, 22.3, ["19", "20", "21", "22"], ""),
        (-3, 4, ["-4", "-2", "0", "2", "4"], ""),
        (1013.2, 1013.9, ["1013.2", "1013.4", "1013.6", "1013.8", "1014.0"], ""),
        (123456, 987654, ["0", "200 000", "400 000", "600 000", "800 000", "1 000 000"], ""),
        (-0.02, 0.01, ["-0.02", "-0.01", "0.00", "0.01"], ""),
        (0, 2.5e6, ["0", "1", "2", "3"], "x10⁶"),
        (1e-9, 3e-9, ["1.0", "1.5", "2.0", "2.5", "3.0"], "x10⁻⁹"),
    ],
)
def test_ticks_are_round(low: float, high: float, labels: list[str], factor: str) -> None:
    """Ticks stand at ones, twos and fives; large and small numbers leave a power of ten to the axis."""
    axis = scale.fitting(low, high, 5)
    written = [label.replace("\N{THIN SPACE}", " ").replace("\N{MINUS SIGN}", "-") for label in axis.labels]
    assert written == labels
    assert axis.factor.replace("\N{MULTIPLICATION SIGN}", "x") == factor


@pytest.mark.parametrize(("low", "high"), [(0, 7), (0.1, 7), (2, 50)])
def test_no_room_is_given_to_values_that_do_not_exist(low: float, high: float) -> None:
    """Numbers that are never negative get an axis that isn't, and the other way round."""
    assert scale.fitting(low, high, 5).low >= 0
    assert scale.fitting(-high, -low, 5).high <= 0


@pytest.mark.parametrize("value", [0.0, 21.5, -4.0, 1e-310, 1e20, 1.7e308, -1.7e308, 99999999999.25])
def test_one_value_lies_in_the_middle(value: float) -> None:
    """A constant is drawn in the middle of an axis whose ticks say how large it is."""
    axis = scale.fitting(value, value, 5)
    assert axis.part(value) == pytest.approx(0.5, abs=0.25)
    assert axis.count >= 2
