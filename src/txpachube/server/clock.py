"""The time of day, as the service counts it."""

from __future__ import annotations

import time

__all__ = ["now_in_microseconds"]


def now_in_microseconds() -> int:
    """Return the time of day in microseconds since 1970."""
    return time.time_ns() // 1000
