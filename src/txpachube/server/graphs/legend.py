"""The legend: a piece of the line and what it means, where it is least in the way."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from txpachube.server.graphs import letters
from txpachube.server.graphs.layout import Box, Frame
from txpachube.server.graphs.style import HALF_LETTER, INK, PAPER, label
from txpachube.server.graphs.svg import element, number

__all__ = ["Point", "legend"]

Point = tuple[float, float]
"""A place in the picture, in pixels from its upper left corner."""

# In font sizes.
_PADDING: Final = 0.55
_SWATCH: Final = 1.5


def legend(text: str, frame: Frame, points: Sequence[Point], colour: str) -> list[str]:
    """
    Return the legend, in the corner where it hides least of the line.

    Args:
        text: what it says; without one, or without room for it, there is no legend.
        frame: where everything is.
        points: the line's.
        colour: the line's.
    """
    plot, size = frame.plot, frame.size
    padding, swatch = _PADDING * size, _SWATCH * size
    text = letters.shorten(text, size, plot.width * 0.7 - 3 * padding - swatch)
    height = 2 * size
    if not text or height > plot.height / 3 or swatch > plot.width / 3:
        return []
    width = letters.width_of(text, size) + 3 * padding + swatch
    left, right = plot.left + padding, plot.right - padding - width
    top, bottom = plot.top + padding, plot.bottom - padding - height
    corners = [
        Box(x, y, x + width, y + height)
        for x, y in ((left, top), (right, top), (left, bottom), (right, bottom))
    ]
    box = min(corners, key=lambda corner: _hidden(corner, points, frame.stroke))
    middle = (box.top + box.bottom) / 2
    return [
        element(
            "rect",
            x=box.left,
            y=box.top,
            width=width,
            height=height,
            rx=size * 0.35,
            fill=PAPER,
            fill_opacity=0.85,
        ),
        element(
            "path",
            d=f"M{number(box.left + padding)} {number(middle)}h{number(swatch)}",
            stroke=colour,
            stroke_width=min(frame.stroke, size * 0.6),
            stroke_linecap="round",
        ),
        label(text, box.left + 2 * padding + swatch, middle + HALF_LETTER * size, size, fill=INK),
    ]


def _hidden(box: Box, points: Sequence[Point], stroke: float) -> float:
    """Return how many pixels across a box would hide of a line."""
    left, right = box.left - stroke, box.right + stroke
    top, bottom = box.top - stroke, box.bottom + stroke
    hidden = 0.0
    for (x, y), (next_x, next_y) in pairwise(points):
        if next_x < left or x > right:
            continue
        begin, end = max(x, left), min(next_x, right)
        slope = (next_y - y) / (next_x - x) if next_x > x else 0.0
        ends = sorted((y + slope * (begin - x), y + slope * (end - x) if slope else next_y))
        if ends[0] <= bottom and ends[1] >= top:
            hidden += end - begin + 0.1
    return hidden
