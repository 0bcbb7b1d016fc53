"""The axes: the lines behind the data, and what is written beside them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from txpachube.server.graphs import letters, timeaxis
from txpachube.server.graphs.layout import Frame
from txpachube.server.graphs.plane import Plane
from txpachube.server.graphs.style import (
    AXIS,
    FAINT,
    FINE_GRID,
    GREY,
    GRID,
    HALF_LETTER,
    INK,
    STRONG_GRID,
    label,
)
from txpachube.server.graphs.svg import element, group, number
from txpachube.server.graphs.timeaxis import Tick

__all__ = ["lines", "time_labels", "value_labels"]


def _sharp(place: float) -> float:
    """Return the middle of a pixel: a line of one pixel's width is sharp there."""
    return round(place - 0.5) + 0.5


def _horizontal(y: float, left: float, right: float, colour: str) -> str:
    return element("path", d=f"M{number(left)} {number(_sharp(y))}H{number(right)}", stroke=colour)


def _vertical(x: float, top: float, bottom: float, colour: str) -> str:
    return element("path", d=f"M{number(_sharp(x))} {number(top)}V{number(bottom)}", stroke=colour)


def lines(plane: Plane, frame: Frame, times: Sequence[Tick], *, detailed: bool) -> list[str]:
    """Return the lines behind the data."""
    plot, values = plane.box, plane.values
    if plot.height < 2 * frame.size or plot.width < 2 * frame.size:
        return []
    found = []
    if detailed:
        halves = (values.step * (values.first + part - 0.5) for part in range(values.count + 1))
        found += [
            _horizontal(plane.y(half), plot.left, plot.right, FINE_GRID)
            for half in halves
            if values.low < half < values.high
        ]
        found += [
            _vertical(plane.x(tick.at), plot.top, plot.bottom, STRONG_GRID if tick.strong else GRID)
            for tick in times
        ]
    found += [
        _horizontal(plane.y(tick), plot.left, plot.right, AXIS if tick == 0 else GRID)
        for tick in values.ticks
    ]
    if detailed:
        found.append(_vertical(plot.left, plot.top, plot.bottom, STRONG_GRID))
        found.append(_vertical(plot.right, plot.top, plot.bottom, GRID))
    elif frame.times is not None:
        found += [
            _vertical(
                plane.x(tick.at),
                plot.bottom,
                plot.bottom + frame.size * (0.6 if tick.strong else 0.35),
                AXIS,
            )
            for tick in times
        ]
    found.append(_horizontal(plot.bottom, plot.left, plot.right, AXIS))
    return [group("g", found, fill="none")]


def value_labels(plane: Plane, frame: Frame, above: str) -> list[str]:
    """Return what stands beside the values' axis, and above it."""
    values, size = plane.values, frame.size
    if not frame.values:
        return []
    right = plane.box.left - size * 0.6
    parts = [
        label(text, right, plane.y(tick) + HALF_LETTER * size, size, text_anchor="end", fill=GREY)
        for tick, text in zip(values.ticks, values.labels, strict=True)
    ]
    if frame.unit is not None and above:
        parts.append(label(above, max(frame.edge * 0.7, 2.0), frame.unit, size, fill=GREY))
    return parts


def time_labels(plane: Plane, frame: Frame, times: Sequence[Tick], zone: tzinfo, width: float) -> list[str]:
    """
    Return what stands below the time's axis.

    Args:
        plane: where the data are.
        frame: where the texts are.
        times: the ticks.
        zone: of the times.
        width: of the picture.
    """
    plot, size = plane.box, frame.size
    parts = []
    if frame.times is not None:
        taken: list[tuple[float, float]] = []
        # Days among hours go first where two labels would touch.
        for tick in sorted(times, key=lambda tick: not tick.strong):
            half = letters.width_of(tick.label, size, bold=tick.strong) / 2
            x = min(max(plane.x(tick.at), half + 2), width - half - 2)
            if any(x - half - size / 2 < right and left < x + half + size / 2 for left, right in taken):
                continue
            taken.append((x - half, x + half))
            parts.append(
                label(
                    tick.label,
                    x,
                    frame.times,
                    size,
                    text_anchor="middle",
                    font_weight=letters.SEMIBOLD if tick.strong else None,
                    fill=INK if tick.strong else GREY,
                )
            )
    if frame.days is not None:
        start, end = plane.times.start, plane.times.end
        clocks = timeaxis.describe_zone(start, end, zone)
        days = timeaxis.describe_range(start, end, zone)
        parts.append(label(clocks, plot.right, frame.days, size, text_anchor="end", fill=FAINT))
        if letters.width_of(days + clocks, size) + 2 * size <= plot.width:
            parts.append(label(days, plot.left, frame.days, size, fill=FAINT))
    return parts
