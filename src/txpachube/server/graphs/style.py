"""
The hand that draws: colours, letters, and how a text is set.

Quiet surroundings, a strong line: the grid is as pale as can be seen, the letters are grey, and only the
data have a colour.
"""

from __future__ import annotations

from typing import Final

from txpachube.server.graphs import letters
from txpachube.server.graphs.svg import element

__all__ = [
    "AXIS",
    "FAINT",
    "FINE_GRID",
    "FONTS",
    "GREY",
    "GRID",
    "HALF_LETTER",
    "INK",
    "PAPER",
    "STRONG_GRID",
    "label",
]

PAPER: Final = "#ffffff"
INK: Final = "#2b3540"
GREY: Final = "#66717d"
FAINT: Final = "#9aa4ae"
GRID: Final = "#e6e9ed"
FINE_GRID: Final = "#f1f3f5"
STRONG_GRID: Final = "#d3d9df"
AXIS: Final = "#bcc4cc"

FONTS: Final = f"{letters.FAMILY}, 'Helvetica Neue', Arial, sans-serif"
"""Who looks at the SVG itself need not have our font."""

HALF_LETTER: Final = 0.36
"""Half of a capital's height, in font sizes: so far below the middle a text that is centred stands."""


def label(text: str, x: float, y: float, size: float, **attributes: str | float | None) -> str:
    """Return a text whose letters stand at a height."""
    return element("text", text, x=x, y=y, font_size=size, **attributes)
