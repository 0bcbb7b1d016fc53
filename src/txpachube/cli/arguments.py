"""The numbers that commands take, each with its range, and a sentence for what is none of them."""

from __future__ import annotations

from typing import Final

import click

__all__ = ["ALLOWANCE_WORDS", "allowance", "feed_id", "port", "seconds"]

LARGEST_FEED_ID: Final = 2**53
"""Larger whole numbers are not exact in the JavaScript of pages that show feeds."""

LARGEST_PORT: Final = 65535
"""Of TCP."""

LARGEST_ALLOWANCE: Final = 999_999_999
"""Feeds or datastreams of an account; more than any disk holds."""

ALLOWANCE_WORDS: Final = ("unlimited", "default")


def allowance(text: str) -> int | str:
    """Return how many of something an account may have: a number or a word."""
    return text if text in ALLOWANCE_WORDS else _whole(text, 0, LARGEST_ALLOWANCE)


def feed_id(text: str) -> int:
    """Return the id of a feed."""
    return _whole(text, 1, LARGEST_FEED_ID)


def port(text: str | int) -> int:
    """Return a TCP port; 0 stands for a free one."""
    return _whole(text, 0, LARGEST_PORT)


def seconds(text: str) -> float:
    """Return how long something goes on."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value >= 1:  # neither is "nan"
        raise click.BadParameter(f"{text!r} is not a number from 1 on")
    return value


def _whole(text: str | int, lowest: int, highest: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not lowest <= number <= highest:
        raise click.BadParameter(f"{text!r} is not a whole number from {lowest} to {highest}")
    return number
