"""The picture as SVG: read back as a document, and looked at through its elements."""

from __future__ import annotations

import re
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from txpachube.server.graphs.columns import Grid, Samples, sort_in
from txpachube.server.graphs.drawing import NO_DATA, Graph, draw
from txpachube.server.graphs.look import Look, ScaleName
from txpachube.times import SECOND, parse

NOON = parse("2013-06-01T12:00Z")
DAY = 86400 * SECOND
EN_DASH = "\N{EN DASH}"
SVG = "{http://www.w3.org/2000/svg}"
EVERYTHING = Look(title="Kitchen", legend="Celsius", labels=True, grid=True)


def graph(look: Look, numbers: Sequence[float], previous: float | None = None, **more: object) -> Graph:
    """Return a graph of a day with numbers at equal distances, the last one at its end."""
    grid = Grid(NOON, NOON + DAY - 1, look.width)
    step = (DAY - 1) / max(1, len(numbers) - 1)
    columns = sort_in(((NOON + round(n * step), number) for n, number in enumerate(numbers)), grid)
    return Graph(look, grid, Samples(tuple(columns[n] for n in sorted(columns)), previous), **more)  # type: ignore[arg-type]  # any field's


def document(picture: Graph) -> etree._Element:
    """Return the drawing as a document."""
    return etree.fromstring(draw(picture).encode())


def texts(root: etree._Element) -> list[str]:
    """Return what is written in a drawing."""
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def line(root: etree._Element) -> list[tuple[float, float]]:
    """Return the points of the line."""
    paths = [element for element in root.iter(f"{SVG}path") if element.get("stroke-linejoin")]
    assert len(paths) == 1
    pairs = re.findall(r"(-?[\d.]+) (-?[\d.]+)", paths[0].get("d", ""))
    return [(float(x), float(y)) for x, y in pairs]


def test_a_plain_graph_has_no_letters() -> None:
    """Without parameters there is the line, its end and a few pale lines behind it."""
    root = document(graph(Look(), [1, 2, 3]))
    assert texts(root) == []
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("600", "250", "0 0 600 250")
    points = line(root)
    assert len(points) == 3
    assert points[0][1] > points[1][1] > points[2][1]
    end = next(root.iter(f"{SVG}circle"))
    assert end.get("fill") == "#f15a24"
    assert float(end.get("cx", "")) == pytest.approx(points[-1][0], abs=0.1)


def test_a_graph_with_everything() -> None:
    """Title, legend, labels of both axes, the unit, the days and the zone are written."""
    root = document(graph(EVERYTHING, [15, 22, 17], zone=ZoneInfo("Europe/Berlin"), unit="°C"))
    assert texts(root) == [
        *("14", "16", "18", "20", "22"),
        "°C",
        *("2 Jun", "15:00", "18:00", "21:00", "03:00", "06:00", "09:00", "12:00"),
        *("CEST", f"1{EN_DASH}2 Jun 2013", "Kitchen", "Celsius"),
    ]
    assert root.findtext(f"{SVG}title") == "Kitchen"


def test_the_detailed_grid_has_more_lines() -> None:
    """With the detailed grid there are lines at times and between the ticks."""
    counts = [
        len(list(document(graph(Look(grid=grid), [15, 22, 17])).iter(f"{SVG}path"))) for grid in (False, True)
    ]
    assert counts[1] > counts[0] + 8


def test_a_spike_reaches_its_height() -> None:
    """One number among a hundred thousand is as high in the picture as it is."""
    numbers = [10.0] * 100_000
    numbers[33_333], numbers[70_000] = 1000.0, -1000.0
    points = line(document(graph(Look(), numbers)))
    heights = [y for _, y in points]
    level = heights[0]
    assert level - min(heights) > 90
    assert max(heights) - level > 90
    assert len(points) <= 4 * 600


def test_the_number_before_the_range_begins_the_line() -> None:
    """The line starts at the left edge with the number that was valid there."""
    grid = Grid(NOON, NOON + DAY - 1, 600)
    columns = sort_in([(NOON + DAY // 2, 5.0)], grid)
    samples = Samples(tuple(columns.values()), 9.0)
    (left, high), (middle, low) = line(document(Graph(Look(), grid, samples)))
    assert (left < 20, 280 < middle < 320, high < low) == (True, True, True)


def test_one_number_is_a_dot() -> None:
    """A single datapoint can be seen although there is no line."""
    root = document(graph(Look(), [21.5]))
    assert [element.get("fill") for element in root.iter(f"{SVG}circle")] == ["#f15a24"]
    assert not [element for element in root.iter(f"{SVG}path") if element.get("stroke-linejoin")]


def test_no_data_is_an_empty_frame() -> None:
    """Without numbers there is a frame, its times, and a word about it; no line, no values."""
    root = document(graph(EVERYTHING, [], previous=3.0, unit="°C"))
    assert NO_DATA in texts(root)
    assert "°C" not in texts(root)
    assert "18:00" in texts(root)
    assert not list(root.iter(f"{SVG}circle"))


@pytest.mark.parametrize(
    ("scale", "expected"),
    [("auto", ["20.0", "20.5", "21.0"]), ("datastream", ["0", "20", "40"]), ("manual", ["0", "20"])],
)
def test_scales(scale: ScaleName, expected: list[str]) -> None:
    """The values' axis fits the data, or ends where the datastream's limits or those asked for are."""
    look = Look(height=150, labels=True, scale=scale, low=-10.0 if scale == "manual" else None, high=None)
    root = document(graph(look, [20, 21], low=0.0, high=40.0 if scale == "datastream" else 25.0))
    assert [text for text in texts(root) if ":" not in text and "J" not in text] == expected


def test_what_is_beyond_the_limits_is_cut() -> None:
    """With given limits the line is followed a little beyond them and cut at the frame."""
    look = Look(scale="manual", low=0.0, high=10.0)
    root = document(graph(look, [5, 1e300, 5, -1e300, 5]))
    assert root.find(f"{SVG}clipPath") is not None
    assert all(abs(y) < 20_000 for _, y in line(root))
    assert len(list(root.iter(f"{SVG}circle"))) == 1
    assert not list(document(graph(look, [5, 11])).iter(f"{SVG}circle"))


def test_the_legend_avoids_the_line() -> None:
    """The legend stands in the corner where it hides nothing."""
    corners = []
    for numbers in ([9, 1, 1, 1], [1, 1, 1, 9]):
        root = document(graph(Look(legend="Celsius"), numbers))
        box = next(element for element in root.iter(f"{SVG}rect") if element.get("rx"))
        corners.append((float(box.get("x", "")) < 300, float(box.get("y", "")) < 125))
    assert corners == [(False, True), (True, True)]


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '"/><a href="javascript:x">', "]]>&amp;<!--", "a&b", "%s"]
)
def test_texts_stay_texts(text: str) -> None:
    """Whatever stands in a title, a legend or a unit is written and never becomes an element."""
    look = Look(width=2000, title=text, legend=text, labels=True)
    root = document(graph(look, [1, 2], unit=text))
    names = {etree.QName(element).localname for element in root.iter()}
    assert names <= {"svg", "title", "g", "path", "rect", "text", "circle"}
    assert texts(root).count(text) >= 2
    assert any(written and text.startswith(written) for written in texts(root)[:5])


def test_a_unit_may_hold_anything() -> None:
    """What a device says its unit is can't break the document."""
    root = document(graph(Look(labels=True), [1, 2], unit="m\x00\ud800<\uffff³"))
    assert "m<³" in texts(root)


LOOKS = st.builds(
    Look,
    width=st.integers(1, 700),
    height=st.integers(1, 700),
    stroke=st.floats(0.25, 100),
    title=st.sampled_from(["", "T", "A rather long title for such a picture", "温度"]),
    legend=st.sampled_from(["", "Celsius", "x" * 200]),
    labels=st.booleans(),
    grid=st.booleans(),
    scale=st.sampled_from(["auto", "datastream", "manual"]),
    low=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    high=st.none() | st.floats(allow_nan=False, allow_infinity=False),
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(LOOKS, st.lists(NUMBERS, max_size=12), st.none() | NUMBERS, st.none() | NUMBERS, st.none() | NUMBERS)
def test_everything_can_be_drawn(
    look: Look, numbers: list[float], previous: float | None, low: float | None, high: float | None
) -> None:
    """Whatever the size, the look and the numbers, a drawing comes out, with no number that is none."""
    picture = draw(graph(look, numbers, previous, low=low, high=high, unit="°C"))
    root = etree.fromstring(picture.encode())
    assert not re.search(r"[\" ](nan|-?inf)", picture)
    if look.scale == "auto" and len(numbers) > 1:
        for x, y in line(root):
            assert -1 <= x <= look.width + 1
            assert -1 <= y <= look.height + 1


@pytest.mark.parametrize("length", [0, 1, 10, 1000, SECOND, 60 * SECOND, 366 * DAY])
def test_ranges_of_any_length(length: int) -> None:
    """A moment, a microsecond and a year can be drawn."""
    grid = Grid(NOON, NOON + length, 600)
    samples = Samples(tuple(sort_in([(NOON, 1.0)], grid).values()))
    root = document(Graph(EVERYTHING, grid, samples))
    assert len(list(root.iter(f"{SVG}circle"))) == 1
