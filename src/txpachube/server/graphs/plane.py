"""Where moments and values are in the picture."""

from __future__ import annotations

from typing import Final

import attrs

from txpachube.server.graphs.columns import Grid
from txpachube.server.graphs.layout import Box
from txpachube.server.graphs.scale import Scale

__all__ = ["Plane"]

BEYOND: Final = 50.0
"""How many heights of the plot above or below it a value is placed at the most; pixels have limits."""


@attrs.frozen
class Plane:
    """
    The part of the picture in which the data are.

    Attributes:
        box: where it is.
        times: the range of time from its left to its right.
        values: the axis from its bottom to its top.
    """

    box: Box
    times: Grid
    values: Scale

    def x(self, at: int) -> float:
        """Return where a moment is."""
        length = max(1, self.times.end - self.times.start)
        return self.box.left + self.box.width * (at - self.times.start) / length

    def y(self, value: float) -> float:
        """Return where a value is."""
        part = min(max(self.values.part(value), -BEYOND), 1 + BEYOND)
        return self.box.bottom - self.box.height * part
