"""
When a call that failed is made again, and after how long.

A call is repeated only when that cannot do twice what was asked once:

- nothing of the request was sent, because no connection could be made: any call;
- the line broke before the answer was complete, or the service said 503: ``GET``, ``PUT``, ``DELETE``.

All of it happens inside the one deadline of the call. A wait that would end after the deadline is
not begun: the caller gets the failure at once instead of a later and less telling one.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

import attrs
from twisted.application.internet import backoffPolicy

__all__ = ["NO_RETRIES", "RetryPolicy", "seconds_from_retry_after"]

REPEATABLE_METHODS: Final = frozenset({"GET", "PUT", "DELETE"})
"""Doing them twice leaves the service as doing them once does."""


@attrs.frozen
class RetryPolicy:
    """
    How often and how patiently a failed call is made again.

    The waits grow by `factor` from `first_delay` to `longest_delay`. Of each the second half is left to
    chance, so that a thousand devices that lost the service together do not come back together.

    Attributes:
        attempts: how often the request is made at most; 1 means that nothing is ever repeated.
        first_delay: seconds before the second attempt.
        longest_delay: seconds between two attempts at most, unless the service asks for more.
        factor: by which the wait grows from one attempt to the next.
    """

    attempts: int = attrs.field(default=4, validator=attrs.validators.ge(1))
    first_delay: float = attrs.field(default=0.25, validator=attrs.validators.ge(0))
    longest_delay: float = attrs.field(default=10.0, validator=attrs.validators.ge(0))
    factor: float = attrs.field(default=2.0, validator=attrs.validators.ge(1))

    def delay(self, failures: int, random: Callable[[], float]) -> float:
        """
        Return the seconds to wait after so many failed attempts.

        Args:
            failures: attempts that have failed so far, from 1.
            random: gives a number from 0 to 1.
        """
        growing = backoffPolicy(self.first_delay, self.longest_delay, self.factor, jitter=lambda: 0.0)
        return growing(failures - 1) * (1 + random()) / 2


NO_RETRIES: Final = RetryPolicy(attempts=1)
"""For callers that repeat on their own terms."""


def seconds_from_retry_after(value: str | None, now: float) -> float | None:
    """
    Read a ``Retry-After`` header.

    Args:
        value: seconds, or a date; None when there was no such header.
        now: seconds since 1970.

    Returns:
        Seconds to wait, never negative; None when the header says nothing that can be read.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        # More digits than this is longer than anybody waits; int() of thousands of them is slow.
        return float(text) if len(text) < 10 else float("inf")
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
