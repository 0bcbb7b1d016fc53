"""
The picture: a graph's numbers, axes and texts as SVG.

The dot at the line's end is where the newest number is. Everything is drawn on whole pixels where that
makes it sharp.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, tzinfo
from typing import Final

import attrs

from txpachube.server.graphs import axes, letters, scale, timeaxis
from txpachube.server.graphs.columns import EMPTY, Column, Grid, Samples
from txpachube.server.graphs.layout import TITLE_SIZE, Frame, arrange
from txpachube.server.graphs.legend import Point, legend
from txpachube.server.graphs.look import Look
from txpachube.server.graphs.plane import Plane
from txpachube.server.graphs.scale import Scale
from txpachube.server.graphs.style import FAINT, FONTS, HALF_LETTER, INK, PAPER, label
from txpachube.server.graphs.svg import element, group
from txpachube.server.graphs.timeaxis import Tick

__all__ = ["Graph", "draw"]

NO_DATA: Final = "No data in this range"

MAX_UNIT: Final = 12
"""Characters of a unit that are shown; it stands above the values' labels and is not wider than they."""

MAX_VALUES: Final = 12
"""Steps of the values' axis about, however high the picture is: more are no help for the eye."""

# In font sizes.
_BETWEEN_TIMES: Final = 1.9
_PER_VALUE: Final = 3.1


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
    plane = Plane(frame.plot, graph.grid, values)
    parts += axes.lines(plane, frame, times, detailed=look.grid)
    parts += axes.value_labels(plane, frame, above)
    parts += axes.time_labels(plane, frame, times, graph.zone, look.width)
    if frame.title is not None:
        size = frame.size * TITLE_SIZE
        title = letters.shorten(look.title, size, look.width - 2 * frame.edge, bold=True)
        parts.append(
            label(
                title,
                look.width / 2,
                frame.title,
                size,
                font_weight=letters.SEMIBOLD,
                fill=INK,
                text_anchor="middle",
            )
        )
    parts += _data(graph, frame, plane)
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


def _data(graph: Graph, frame: Frame, plane: Plane) -> list[str]:
    """Return the line, its end, and the legend."""
    look, plot = graph.look, frame.plot
    columns = graph.samples.columns
    colour = f"#{look.colour}"
    if not columns:
        return [*_no_data(frame), *legend(look.legend, frame, [], colour)]
    points = list(_line(graph.samples, plane))
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
    return [*parts, *legend(look.legend, frame, points, colour)]


def _line(samples: Samples, plane: Plane) -> Iterator[Point]:
    """Return the points that the line goes through."""
    if samples.previous is not None:
        yield plane.box.left, plane.y(samples.previous)
    for column in samples.columns:
        yield plane.x(column.first_at), plane.y(column.first)
        if column.last_at != column.first_at:
            middle = plane.x((column.first_at + column.last_at) // 2)
            for extreme in _extremes(column):
                yield middle, plane.y(extreme)
            yield plane.x(column.last_at), plane.y(column.last)


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
    x, y = (plot.left + plot.right) / 2, (plot.top + plot.bottom) / 2 + HALF_LETTER * size
    return [label(NO_DATA, x, y, size, text_anchor="middle", fill=FAINT)]
