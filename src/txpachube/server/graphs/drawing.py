"""
The picture: a graph's numbers, axes and texts as SVG.

Quiet surroundings, a strong line: the grid is as pale as it can be seen, the letters are grey, and only
the data have a colour. The dot at the line's end is where the newest number is. Everything is
drawn on whole pixels where that makes it sharp.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, tzinfo
from itertools import pairwise
from typing import Final

import attrs

from txpachube.server.graphs import letters, scale, timeaxis
from txpachube.server.graphs.columns import EMPTY, Column, Grid, Samples
from txpachube.server.graphs.layout import TITLE_SIZE, Box, Frame, arrange
from txpachube.server.graphs.look import Look
from txpachube.server.graphs.scale import Scale
from txpachube.server.graphs.svg import element, group, number
from txpachube.server.graphs.timeaxis import Tick

__all__ = ["Graph", "draw"]

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

NO_DATA: Final = "No data in this range"

MAX_UNIT: Final = 12
"""Characters of a unit that are shown; it stands above the values' labels and is not wider than they."""

MAX_VALUES: Final = 12
"""Steps of the values' axis about, however high the picture is: more are no help for the eye."""

BEYOND: Final = 50.0
"""How many heights of the plot above or below it a line is followed at the most; pixels have limits."""

# Distances in font sizes.
_HALF_LETTER: Final = 0.36
_BETWEEN_TIMES: Final = 1.9
_PER_VALUE: Final = 3.1
_LEGEND_PADDING: Final = 0.55
_SWATCH: Final = 1.5

Point = tuple[float, float]


@attrs.frozen
class Graph:
    """
    What is to be drawn.

    Attributes:
        look: what it shall look like.
        grid: the range of time.
        samples: the numbers in it.
        zone: of the time's axis.
        unit: of the numbers; empty for none.
        low: the datastream's minimum, or None.
        high: the datastream's maximum, or None.
    """

    look: Look
    grid: Grid
    samples: Samples = EMPTY
    zone: tzinfo = UTC
    unit: str = ""
    low: float | None = None
    high: float | None = None


def draw(graph: Graph) -> str:
    """Return a graph as an SVG document."""
    look = graph.look
    frame = arrange(look, unit=True)
    values = _values(graph, min(MAX_VALUES, max(1, int(frame.plot.height / (_PER_VALUE * frame.size)))))
    above = " ".join(filter(None, (values.factor, graph.unit[:MAX_UNIT])))
    if not (above and graph.samples.columns):
        frame = arrange(look, unit=False)
    if graph.samples.columns:
        frame = frame.with_labels(max((letters.width_of(t, frame.size) for t in values.labels), default=0.0))
    else:
        frame = attrs.evolve(frame, values=False)
    times = _times(graph, frame)
    parts = [element("rect", width=look.width, height=look.height, fill=PAPER)]
    parts += _grid(graph, frame, values, times)
    parts += _value_labels(frame, values, above)
    parts += _time_labels(graph, frame, times)
    if frame.title is not None:
        size = frame.size * TITLE_SIZE
        title = letters.shorten(look.title, size, look.width - 2 * frame.edge, bold=True)
        parts.append(
            element(
                "text",
                title,
                x=look.width / 2,
                y=frame.title,
                font_size=size,
                font_weight=letters.SEMIBOLD,
                fill=INK,
                text_anchor="middle",
            )
        )
    parts += _data(graph, frame, values)
    named = [element("title", look.title)] if look.title else []
    return group(
        "svg",
        named + parts,
        xmlns="http://www.w3.org/2000/svg",
        width=look.width,
        height=look.height,
        viewBox=f"0 0 {look.width} {look.height}",
        font_family=FONTS,
        role="img",
    )


def _values(graph: Graph, most: int) -> Scale:
    """Return the values' axis."""
    look = graph.look
    numbers = [number for column in graph.samples.columns for number in (column.low, column.high)]
    if graph.samples.previous is not None:
        numbers.append(graph.samples.previous)
    if look.scale != "auto":
        low = graph.low if look.low is None else look.low
        high = graph.high if look.high is None else look.high
        # Where no limit is known, the data give it.
        low = min(numbers, default=high) if low is None else low
        high = max(numbers, default=low) if high is None else high
        if low is not None and high is not None:
            return scale.fixed(low, high, most)
    return scale.fitting(min(numbers, default=0.0), max(numbers, default=1.0), most)


def _times(graph: Graph, frame: Frame) -> list[Tick]:
    """Return the ticks of the time's axis."""
    size, width = frame.size, frame.plot.width

    def room(label: str) -> float:
        return (letters.width_of(label, size) + _BETWEEN_TIMES * size) / max(width, 1.0)

    start, end = graph.grid.start, graph.grid.end
    return timeaxis.ticks(start, end, graph.zone, room) if end > start else []


def _x(at: int, graph: Graph, plot: Box) -> float:
    return plot.left + plot.width * (at - graph.grid.start) / max(1, graph.grid.end - graph.grid.start)


def _y(value: float, values: Scale, plot: Box) -> float:
    part = min(max(values.part(value), -BEYOND), 1 + BEYOND)
    return plot.bottom - plot.height * part


def _sharp(place: float) -> float:
    """Return the middle of a pixel: a line of one pixel's width is sharp there."""
    return round(place - 0.5) + 0.5


def _horizontal(y: float, left: float, right: float, colour: str) -> str:
    return element("path", d=f"M{number(left)} {number(_sharp(y))}H{number(right)}", stroke=colour)


def _vertical(x: float, top: float, bottom: float, colour: str) -> str:
    return element("path", d=f"M{number(_sharp(x))} {number(top)}V{number(bottom)}", stroke=colour)


def _grid(graph: Graph, frame: Frame, values: Scale, times: Sequence[Tick]) -> list[str]:
    """Return the lines behind the data."""
    plot, detailed = frame.plot, graph.look.grid
    if plot.height < 2 * frame.size or plot.width < 2 * frame.size:
        return []
    lines = []
    if detailed:
        halves = (values.step * (values.first + part - 0.5) for part in range(values.count + 1))
        lines += [
            _horizontal(_y(half, values, plot), plot.left, plot.right, FINE_GRID)
            for half in halves
            if values.low < half < values.high
        ]
        lines += [
            _vertical(_x(tick.at, graph, plot), plot.top, plot.bottom, STRONG_GRID if tick.strong else GRID)
            for tick in times
        ]
    lines += [
        _horizontal(_y(tick, values, plot), plot.left, plot.right, AXIS if tick == 0 else GRID)
        for tick in values.ticks
    ]
    if detailed:
        lines.append(_vertical(plot.left, plot.top, plot.bottom, STRONG_GRID))
        lines.append(_vertical(plot.right, plot.top, plot.bottom, GRID))
    elif frame.times is not None:
        lines += [
            _vertical(
                _x(tick.at, graph, plot),
                plot.bottom,
                plot.bottom + frame.size * (0.6 if tick.strong else 0.35),
                AXIS,
            )
            for tick in times
        ]
    lines.append(_horizontal(plot.bottom, plot.left, plot.right, AXIS))
    return [group("g", lines, fill="none")]


def _label(text: str, x: float, y: float, frame: Frame, **attributes: str | float | None) -> str:
    return element("text", text, x=x, y=y, font_size=frame.size, **attributes)


def _value_labels(frame: Frame, values: Scale, above: str) -> list[str]:
    plot, size = frame.plot, frame.size
    if not frame.values:
        return []
    right = plot.left - size * 0.6
    parts = [
        _label(text, right, _y(tick, values, plot) + _HALF_LETTER * size, frame, text_anchor="end", fill=GREY)
        for tick, text in zip(values.ticks, values.labels, strict=True)
    ]
    if frame.unit is not None and above:
        parts.append(_label(above, max(frame.edge * 0.7, 2.0), frame.unit, frame, fill=GREY))
    return parts


def _time_labels(graph: Graph, frame: Frame, times: Sequence[Tick]) -> list[str]:
    plot, size = frame.plot, frame.size
    parts = []
    if frame.times is not None:
        taken: list[tuple[float, float]] = []
        # Days among hours go first where two labels would touch.
        for tick in sorted(times, key=lambda tick: not tick.strong):
            half = letters.width_of(tick.label, size, bold=tick.strong) / 2
            x = min(max(_x(tick.at, graph, plot), half + 2), graph.look.width - half - 2)
            if any(x - half - size / 2 < right and left < x + half + size / 2 for left, right in taken):
                continue
            taken.append((x - half, x + half))
            parts.append(
                _label(
                    tick.label,
                    x,
                    frame.times,
                    frame,
                    text_anchor="middle",
                    font_weight=letters.SEMIBOLD if tick.strong else None,
                    fill=INK if tick.strong else GREY,
                )
            )
    if frame.days is not None:
        start, end = graph.grid.start, graph.grid.end
        zone = timeaxis.describe_zone(start, end, graph.zone)
        days = timeaxis.describe_range(start, end, graph.zone)
        parts.append(_label(zone, plot.right, frame.days, frame, text_anchor="end", fill=FAINT))
        if letters.width_of(days + zone, size) + 2 * size <= plot.width:
            parts.append(_label(days, plot.left, frame.days, frame, fill=FAINT))
    return parts


def _data(graph: Graph, frame: Frame, values: Scale) -> list[str]:
    """Return the line, its end, and the legend."""
    look, plot = graph.look, frame.plot
    columns = graph.samples.columns
    colour = f"#{look.colour}"
    if not columns:
        return [*_no_data(frame), *_legend(look, frame, [], colour)]
    points = list(_line(graph, values, plot))
    line = element(
        "path",
        d="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points),
        fill="none",
        stroke=colour,
        stroke_width=frame.stroke,
        stroke_linejoin="round",
        stroke_linecap="round",
    )
    parts = [line] if len(points) > 1 else []
    x, y = points[-1]
    within = plot.top - 1 <= y <= plot.bottom + 1
    if within and (frame.dot or len(points) == 1):
        radius = frame.dot or max(frame.stroke / 2, 0.75)
        parts.append(element("circle", cx=x, cy=y, r=radius, fill=colour))
    if look.scale != "auto":
        # Half of the line's width more, so that one along the limit is not cut lengthwise.
        more, beside = frame.stroke / 2, max(frame.stroke / 2, frame.dot)
        bounds = element(
            "rect",
            x=plot.left - beside,
            y=plot.top - more,
            width=plot.width + 2 * beside,
            height=plot.height + 2 * more,
        )
        parts = [
            group("clipPath", [bounds], id="plot"),
            group("g", parts, clip_path="url(#plot)"),
        ]
    return [*parts, *_legend(look, frame, points, colour)]


def _line(graph: Graph, values: Scale, plot: Box) -> Iterator[Point]:
    """Return the points that the line goes through."""
    if graph.samples.previous is not None:
        yield plot.left, _y(graph.samples.previous, values, plot)
    for column in graph.samples.columns:
        yield _x(column.first_at, graph, plot), _y(column.first, values, plot)
        if column.last_at != column.first_at:
            middle = _x((column.first_at + column.last_at) // 2, graph, plot)
            for extreme in _extremes(column):
                yield middle, _y(extreme, values, plot)
            yield _x(column.last_at, graph, plot), _y(column.last, values, plot)


def _extremes(column: Column) -> list[float]:
    """Return the lowest and the highest number of a column unless its ends are them, the nearer first."""
    low, high = sorted((column.first, column.last))
    extremes = []
    if column.low < low:
        extremes.append(column.low)
    if column.high > high:
        extremes.append(column.high)
    return extremes[::-1] if column.first > column.last else extremes


def _no_data(frame: Frame) -> list[str]:
    plot, size = frame.plot, frame.size
    if letters.width_of(NO_DATA, size) > plot.width * 0.9 or plot.height < 2 * size:
        return []
    x, y = (plot.left + plot.right) / 2, (plot.top + plot.bottom) / 2 + _HALF_LETTER * size
    return [_label(NO_DATA, x, y, frame, text_anchor="middle", fill=FAINT)]


def _legend(look: Look, frame: Frame, points: Sequence[Point], colour: str) -> list[str]:
    """Return the legend, in the corner where it hides least of the line."""
    plot, size = frame.plot, frame.size
    padding, swatch = _LEGEND_PADDING * size, _SWATCH * size
    text = letters.shorten(look.legend, size, plot.width * 0.7 - 3 * padding - swatch)
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
        _label(text, box.left + 2 * padding + swatch, middle + _HALF_LETTER * size, frame, fill=INK),
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
