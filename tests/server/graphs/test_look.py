"""The parameters of a graph."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.server.graphs.look import Look, read

LONG = {
    "w": ["width"],
    "h": ["height"],
    "c": ["colour", "color"],
    "t": ["title"],
    "l": ["legend"],
    "s": ["stroke_size", "stroke"],
    "b": ["show_axis_labels"],
    "g": ["detailed_grid"],
}
EXAMPLES = {
    "w": ("300", {"width": 300}),
    "h": ("400", {"height": 400}),
    "c": ("FFCC33", {"colour": "ffcc33"}),
    "t": ("Kitchen", {"title": "Kitchen"}),
    "l": ("Celsius", {"legend": "Celsius"}),
    "s": ("2.5", {"stroke": 2.5}),
    "b": ("true", {"labels": True}),
    "g": ("1", {"grid": True}),
}


def test_defaults() -> None:
    """Without parameters a graph is 600 by 250 pixels with an orange line of four and nothing else."""
    assert read({}) == Look(600, 250, "f15a24", "", "", 4.0, False, False, "auto", None, None)


@pytest.mark.parametrize("short", LONG)
def test_both_spellings(short: str) -> None:
    """Each parameter has a short and a long name, and the long one wins."""
    text, expected = EXAMPLES[short]
    assert read({short: text}) == Look(**expected)  # type: ignore[arg-type]  # of various types
    other = {"t": "x", "l": "x", "b": "false", "g": "no", "c": "000000"}.get(short, "7")
    for long in LONG[short]:
        assert read({long: text}) == Look(**expected)  # type: ignore[arg-type]  # of various types
        assert read({long: text, short: other}) == Look(**expected)  # type: ignore[arg-type]  # of various types


@pytest.mark.parametrize(
    ("text", "pixels"),
    [
        ("1", 1),
        ("0", 1),
        ("-5", 1),
        ("2000", 2000),
        ("2001", 2000),
        ("9" * 5000, 2000),
        ("-" + "9" * 5000, 1),
        (" 300 ", 300),
        ("300.9", 300),
        ("007", 7),
        *((text, 600) for text in ("", "x", "nan", "inf", "1e3", "6oo", "300px", "٣٠٠", "--1", "0x10")),
    ],
)
def test_sizes_are_cut(text: str, pixels: int) -> None:
    """Sides have between 1 and 2000 pixels; what is no number is as if it weren't there."""
    assert read({"w": text}).width == pixels


@pytest.mark.parametrize(
    ("text", "stroke"),
    [
        ("1", 1.0),
        ("0.5", 0.5),
        ("0.001", 0.25),
        ("1e9", 100.0),
        *((text, 4.0) for text in ("0", "-3", "nan", "inf", "1e999", "", "x")),
    ],
)
def test_strokes_are_bounded(text: str, stroke: float) -> None:
    """The line has a width that can be seen and is still a line."""
    assert read({"s": text}).stroke == stroke


@pytest.mark.parametrize("text", ["FFCC33", "ffcc33", "#FFCC33", " ffCC33 "])
def test_colours(text: str) -> None:
    """Six hexadecimal digits, with or without the sign in front."""
    assert read({"c": text}).colour == "ffcc33"


@pytest.mark.parametrize(
    "text", ["", "red", "FFF", "FFCC3", "FFCC333", "GGCC33", "##FFCC33", 'FFCC33"/>', "\uff26\uff26CC33"]
)
def test_no_colours(text: str) -> None:
    """Anything else is orange."""
    assert read({"c": text}).colour == "f15a24"


@pytest.mark.parametrize(
    ("text", "on"),
    [
        *((text, True) for text in ("true", "1", "YES", "")),
        *((text, False) for text in ("false", "0", "2", "on")),
    ],
)
def test_switches(text: str, on: bool) -> None:
    """A switch is on when it says so, or is there and says nothing."""
    assert (read({"b": text}).labels, read({"detailed_grid": text}).grid) == (on, on)


@pytest.mark.parametrize(
    ("given_text", "title"),
    [
        ('"Kitchen"', "Kitchen"),
        ('"', '"'),
        ('say "x"', 'say "x"'),
        ("two\nlines\x00and\ttabs", "two lines and tabs"),
        ("\ud800\ufffe\u2028x", "x"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("x" * 1000, "x" * 200),
    ],
)
def test_titles(given_text: str, title: str) -> None:
    """Surrounding quotes, control characters and what no picture has room for are dropped."""
    assert read({"t": given_text}).title == title


@pytest.mark.parametrize(
    ("text", "name"),
    [("auto", "auto"), ("DataStream", "datastream"), (" MANUAL", "manual"), ("x", "auto"), ("", "auto")],
)
def test_scales(text: str, name: str) -> None:
    """The scale's name is read without regard to case."""
    assert read({"scale": text}).scale == name


def test_manual_limits() -> None:
    """Limits count for the manual scale only; what is no number gives none."""
    assert read({"scale": "manual", "min": "-5", "max": "1e3"}) == Look(scale="manual", low=-5.0, high=1000.0)
    assert read({"scale": "manual", "min": "nan", "max": ""}) == Look(scale="manual")
    assert read({"scale": "auto", "min": "1", "max": "2"}) == Look()


NAMES = [*LONG, *(name for names in LONG.values() for name in names), "scale", "min", "max"]


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=30)))
def test_nothing_is_an_error(query: dict[str, str]) -> None:
    """Whatever is sent, there is a look within the limits."""
    look = read(query)
    assert 1 <= look.width <= 2000
    assert 1 <= look.height <= 2000
    assert 0.25 <= look.stroke <= 100
    assert len(look.colour) == 6
    int(look.colour, 16)
    assert (look.title + look.legend).isprintable() or not (look.title + look.legend).isascii()
