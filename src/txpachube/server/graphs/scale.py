"""The values' axis: from where to where it goes, and which round numbers stand beside it."""

from __future__ import annotations

import math
from typing import Final

import attrs

__all__ = ["Scale", "fitting", "fixed"]

LARGEST: Final = 1e300
"""Larger numbers are drawn as if they were this one, so that sums and differences stay finite."""

FINEST: Final = 1e-11
"""How much of the larger end the axis spans at least: below that it would show floats' rounding."""

PLAIN_BELOW: Final = 2e6
"""Ticks from here on are written with a power of ten, which stands once above the axis."""

PLAIN_FROM: Final = 1e-4
"""Axes with finer steps, likewise."""

GROUPED_FROM: Final = 10_000
"""Numbers from here on have a thin space between their thousands."""

_PADDING: Final = 0.06
_SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_TIMES: Final = "\N{MULTIPLICATION SIGN}"
_MINUS: Final = "\N{MINUS SIGN}"
_THIN_SPACE: Final = "\N{THIN SPACE}"


@attrs.frozen
class Scale:
    """
    An axis of values.

    Attributes:
        low: the value at its lower end.
        high: the value at its upper end.
        step: from one tick to the next.
        first: the lowest tick's number: it is at ``first * step``.
        count: how many ticks there are.
    """

    low: float
    high: float
    step: float
    first: int
    count: int

    @property
    def ticks(self) -> list[float]:
        """The values of the ticks."""
        return [(self.first + number) * self.step for number in range(self.count)]

    def part(self, value: float) -> float:
        """Return how far up a value is: 0 at the lower end, 1 at the upper."""
        return (_bounded(value) - self.low) / (self.high - self.low)

    @property
    def exponent(self) -> int:
        """The power of ten that the labels leave out: 0, or a multiple of 3."""
        largest = max(abs(self.low), abs(self.high))
        if largest < PLAIN_BELOW and (self.step >= PLAIN_FROM or largest >= 1):
            return 0
        return 3 * math.floor(math.log10(largest) / 3)

    @property
    def factor(self) -> str:
        """What stands above the axis when the labels leave out a power of ten; empty when not."""
        exponent = self.exponent
        return f"{_TIMES}10{str(exponent).translate(_SUPERSCRIPTS)}" if exponent else ""

    @property
    def labels(self) -> list[str]:
        """The texts of the ticks: all with as many decimals as the step needs."""
        exponent = self.exponent
        decimals = max(0, exponent - _magnitude(self.step))
        return [_written(_shifted(tick, exponent), decimals) for tick in self.ticks]


def fitting(low: float, high: float, most: int) -> Scale:
    """
    Return an axis for data: a little longer than they need, and ending at halves of its steps.

    It does not go beyond zero only for the beauty of it, since most quantities have no values there.

    Args:
        low: the lowest value.
        high: the highest one.
        most: ticks there may be about.
    """
    low, high = _usable(low, high)
    padding = (high - low) * _PADDING
    half = _step(high - low + 2 * padding, most) / 2
    below, above = low - padding, high + padding
    if low >= 0 > below:
        below = 0.0
    if high <= 0 < above:
        above = 0.0
    # The tolerance keeps an end that is a half already where it is.
    below = math.floor(below / half + 1e-6) * half
    above = math.ceil(above / half - 1e-6) * half
    return _with_ticks(below, above, 2 * half)


def fixed(low: float, high: float, most: int) -> Scale:
    """Return an axis with given ends, in any order."""
    low, high = _usable(min(low, high), max(low, high))
    return _with_ticks(low, high, _step(high - low, most))


def _usable(low: float, high: float) -> tuple[float, float]:
    """Return two ends that are far enough from each other to be an axis."""
    low, high = _bounded(low), _bounded(high)
    largest = max(abs(low), abs(high))
    if largest < 1 / LARGEST:
        return -1.0, 1.0
    if high - low < largest * FINEST:
        # One value: it lies in the middle, and the ticks around say how large it is.
        middle = low / 2 + high / 2
        half = 10.0 ** (_magnitude(largest) - 1) * (2 if largest < 5 * 10.0 ** _magnitude(largest) else 5)
        return middle - half, middle + half
    return low, high


def _bounded(value: float) -> float:
    return min(max(value, -LARGEST), LARGEST)


def _with_ticks(low: float, high: float, step: float) -> Scale:
    first = math.ceil(low / step - 1e-6)
    last = math.floor(high / step + 1e-6)
    return Scale(low, high, step, first, max(0, last - first + 1))


def _step(span: float, most: int) -> float:
    """Return the smallest of 1, 2, 5, 10, 20, 50, … that is needed no more than so many times."""
    least = span / max(1, most)
    power = 10.0 ** _magnitude(least)
    # What misses a step by a rounding error has reached it.
    return next(power * factor for factor in (1, 2, 5, 10, 20) if power * factor >= least * (1 - 1e-9))


def _magnitude(number: float) -> int:
    """Return the power of ten of a number's first digit."""
    return math.floor(math.log10(number) + 1e-9)


def _shifted(number: float, exponent: int) -> float:
    # In two steps, since no float is the power itself when the exponent is beyond theirs.
    half = exponent // 2
    return number / 10.0**half / 10.0 ** (exponent - half)


def _written(number: float, decimals: int) -> str:
    text = f"{abs(number):.{decimals}f}"
    sign = _MINUS if number < 0 and text.strip("0.") else ""
    if abs(number) < GROUPED_FROM:
        return sign + text
    whole, point, rest = text.partition(".")
    return sign + f"{int(whole):,}".replace(",", _THIN_SPACE) + point + rest
