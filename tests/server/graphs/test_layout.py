"""Which parts fit into a picture."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.server.graphs.layout import arrange
from txpachube.server.graphs.look import Look

FULL = Look(title="Kitchen", legend="Celsius", labels=True, grid=True)


@given(st.integers(1, 2000), st.integers(1, 2000), st.floats(0.25, 100), st.booleans(), st.booleans())
def test_all_parts_are_in_the_picture(
    width: int, height: int, stroke: float, labels: bool, unit: bool
) -> None:
    """In a picture of any size the plot has room, and all texts stand in it, one below the other."""
    look = attrs.evolve(FULL, width=width, height=height, stroke=stroke, labels=labels)
    frame = arrange(look, unit=unit).with_labels(30)
    plot = frame.plot
    assert 0 <= plot.left < plot.right <= width
    assert 0 <= plot.top < plot.bottom <= height
    places = [frame.title, frame.unit, plot.top, plot.bottom, frame.times, frame.days]
    found = [place for place in places if place is not None]
    assert found == sorted(found)
    assert 0 <= found[0] < found[-1] <= height
    assert 0 < frame.stroke <= max(1, min(width, height) / 4)


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        ((600, 250), {"title", "unit", "times", "days", "values", "dot"}),
        ((300, 150), {"title", "unit", "times", "days", "values", "dot"}),
        ((200, 120), {"title", "unit", "times", "values", "dot"}),
        ((200, 80), {"title", "times", "values", "dot"}),
        ((80, 80), {"title", "dot"}),
        ((100, 40), {"dot"}),
        ((16, 16), set()),
    ],
)
def test_the_least_important_goes_first(size: tuple[int, int], parts: set[str]) -> None:
    """The smaller the picture, the less stands in it beside the line."""
    frame = arrange(attrs.evolve(FULL, width=size[0], height=size[1]), unit=True)
    assert {
        name for name in ("title", "unit", "times", "days", "values", "dot") if getattr(frame, name)
    } == parts


def test_labels_that_are_too_wide_are_left_out() -> None:
    """The data keep two thirds of the width."""
    frame = arrange(FULL, unit=True)
    assert frame.with_labels(60).plot.left > frame.plot.left
    assert frame.with_labels(60).values
    wide = frame.with_labels(400)
    assert (wide.values, wide.unit, wide.plot) == (False, None, frame.plot)
