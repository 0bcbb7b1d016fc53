"""
Values: texts that may be numbers.

A value is kept exactly as it was sent; only minimum, maximum, thresholds, graphs and aggregate
functions look at the number in it.
"""

from __future__ import annotations

import math
import re
from typing import Final

__all__ = ["format_limit", "numeric", "plain_text"]

_NUMERIC: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def numeric(text: str) -> float | None:
    """
    Return the number a value stands for, or None when it is not numeric.

    Numeric is decimal notation with an optional exponent, blanks around it ignored. A number too
    large for a float (``1e999``) counts as text: nothing could be compared with it.
    """
    stripped = text.strip()
    if _NUMERIC.fullmatch(stripped) is None:
        return None
    # Adding zero makes one zero of the two that floats have: no database keeps them apart.
    number = float(stripped) + 0.0
    return number if math.isfinite(number) else None


def format_limit(number: float) -> str:
    """
    Write a maximum or minimum as the API does: always with a point, ``333.0`` or ``1.0e+20``.

    Exponents appear from 1e16 up and below 1e-4, with at least two digits.
    """
    text = repr(float(number))
    mantissa, e, exponent = text.partition("e")
    if not e:
        return text
    if "." not in mantissa:
        mantissa += ".0"
    return f"{mantissa}e{exponent}"


def plain_text(given: object) -> str:
    """Write what a program gave for a value as the text it stands for; a text stays as it is."""
    if isinstance(given, str):
        return given
    if isinstance(given, bool):
        return "true" if given else "false"
    return str(given)
