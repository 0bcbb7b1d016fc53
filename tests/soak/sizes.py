"""How much is done: little among the other tests, much with ``make soak``, and the same code in both."""

from __future__ import annotations

import os
from typing import Final, TypeVar

__all__ = ["LONG", "VARIABLE", "size"]

T = TypeVar("T")

VARIABLE: Final = "TXPACHUBE_SOAK"
"""The environment variable that asks for the long forms, when it is ``long``."""

LONG: Final = os.environ.get(VARIABLE) == "long"


def size(short: T, long: T) -> T:
    """Return the one that is asked for."""
    return long if LONG else short
