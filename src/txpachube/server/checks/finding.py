"""What a check finds."""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ["Finding", "Level", "fine", "note", "trouble", "warning"]

Level = Literal["ok", "note", "warning", "trouble"]
"""Everything is as it should be; good to know; will be trouble some day; does not work."""


@attrs.frozen
class Finding:
    """
    What a check finds.

    Attributes:
        check: which check.
        level: see `Level`.
        text: what is found, in a sentence without its end.
        advice: what to do about it; empty when there is nothing to do.
    """

    check: str
    level: Level
    text: str
    advice: str = ""


def fine(check: str, text: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(check, "ok", text)


def note(check: str, text: str, advice: str = "") -> Finding:
    """Return something that is good to know."""
    return Finding(check, "note", text, advice)


def warning(check: str, text: str, advice: str) -> Finding:
    """Return what will be trouble some day."""
    return Finding(check, "warning", text, advice)


def trouble(check: str, text: str, advice: str) -> Finding:
    """Return what does not work."""
    return Finding(check, "trouble", text, advice)
