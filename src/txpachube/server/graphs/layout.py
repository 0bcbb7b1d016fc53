"""
Which parts of a graph fit into its picture, and where they are.

A picture may be a wall's or an icon's size. What there is no room for is left out, the least important
first: the line with the days and the zone, the time's labels, the values' labels, the title. The line
itself stays, down to a picture of one pixel.
"""

from __future__ import annotations

from typing import Final

import attrs

from txpachube.server.graphs.look import Look

__all__ = ["Box", "Frame", "arrange"]

_ORDINARY_AREA: Final = 600 * 250
_ORDINARY_SIZE: Final = 11.0
_SMALLEST_SIZE: Final = 9.0
_LARGEST_SIZE: Final = 22.0

# Wherever its middle is, some pixel is all covered by it, and has the colour that was asked for.
_SMALLEST_DOT: Final = 1.6

# Heights in font sizes.
TITLE_SIZE: Final = 1.2
"""The title's letters, compared with the labels'."""

_TITLE_ROW: Final = 2.1
_UNIT_ROW: Final = 1.35
_LABEL_ROW: Final = 1.95
_DAYS_ROW: Final = 1.45

WIDEST_LABELS: Final = 0.35
"""Part of the width that the values' labels may take; wider ones are left out."""


@attrs.frozen
class Box:
    """
    A rectangle.

    Attributes:
        left: its edges, in pixels from the picture's upper left corner.
        top: likewise.
        right: likewise.
        bottom: likewise.
    """

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """How wide it is."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """How high it is."""
        return self.bottom - self.top


@attrs.frozen
class Frame:
    """
    Where the parts of a graph are.

    Attributes:
        plot: where the data are drawn; without room for the values' labels, which `with_labels` makes.
        size: of the labels' letters, in pixels.
        stroke: the line's width, not more than the picture can take.
        dot: radius of the dot at the line's end; 0 where there is no room for one.
        edge: blank around everything.
        title: where the title's letters stand, or None when there is no title.
        unit: where the unit's letters stand, or None.
        times: where the time's labels stand, or None.
        days: where the days and the zone stand, or None.
        values: whether the values' labels fit in height.
    """

    plot: Box
    size: float
    stroke: float
    dot: float
    edge: float
    title: float | None = None
    unit: float | None = None
    times: float | None = None
    days: float | None = None
    values: bool = False

    def with_labels(self, width: float) -> Frame:
        """Return the frame with room for values' labels of a width; unchanged when they are too wide."""
        taken = width + self.size * 0.7
        if not self.values or taken > self.plot.right * WIDEST_LABELS:
            return attrs.evolve(self, values=False, unit=None)
        left = max(self.plot.left, round(self.edge * 0.7 + taken))
        return attrs.evolve(self, plot=attrs.evolve(self.plot, left=float(left)))


def arrange(look: Look, *, unit: bool) -> Frame:
    """
    Return where the parts of a graph are.

    Args:
        look: what is asked for.
        unit: whether there is something to write above the values' labels.
    """
    width, height = look.width, look.height
    short = min(width, height)
    size = _ORDINARY_SIZE * (width * height / _ORDINARY_AREA) ** 0.17
    size = round(2 * min(max(size, _SMALLEST_SIZE), _LARGEST_SIZE)) / 2
    edge = min(max(short * 0.04, 0.0), size)
    stroke = min(look.stroke, max(1.0, short / 4))
    dot = max(_SMALLEST_DOT, stroke / 2 + min(stroke, size) / 4 + size * 0.1) if short >= 40 else 0.0
    # Neither the line nor the dot may be cut off at the edges.
    around = min(max(edge, stroke / 2 + 1, dot + 1), short * 0.3)
    top, bottom = around, height - around
    frame = Frame(Box(0, 0, 0, 0), size, stroke, dot, edge)
    if look.title and height >= size * 7 and width >= size * 6:
        top = edge * 0.6 + size * _TITLE_ROW
        frame = attrs.evolve(frame, title=edge * 0.6 + size * TITLE_SIZE)
    if look.labels:
        roomy = width >= size * 11
        if roomy and height >= size * 16:
            bottom -= size * _DAYS_ROW
            frame = attrs.evolve(frame, days=height - max(edge, 3) * 0.8)
        if roomy and height >= size * 8:
            times = (frame.days or height - max(edge, 3) * 0.8 + size * _DAYS_ROW) - size * _DAYS_ROW
            bottom = times - size * (_LABEL_ROW - 0.55)
            frame = attrs.evolve(frame, times=times)
        if unit and roomy and height >= size * 12:
            top += size * _UNIT_ROW
            frame = attrs.evolve(frame, unit=top - size * 0.75)
        frame = attrs.evolve(frame, values=roomy and height >= size * 6)
    # Whole pixels, so that the lines of the grid are sharp.
    plot = Box(
        *(float(round(side)) if short >= 20 else side for side in (around, top, width - around, bottom))
    )
    return attrs.evolve(frame, plot=plot)
