"""How wide texts are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.server.graphs import letters


def test_figures_have_one_width() -> None:
    """Numbers below each other line up."""
    assert len({letters.width_of(digit, 10) for digit in "0123456789"}) == 1


def test_widths_are_those_of_the_font() -> None:
    """A wide letter is wide and a narrow one narrow, and twice the size is twice as wide."""
    assert letters.width_of("W", 10) > 2.5 * letters.width_of("i", 10)
    assert letters.width_of("Wien", 20) == pytest.approx(2 * letters.width_of("Wien", 10))
    assert letters.width_of("Hamburg", 10, bold=True) > letters.width_of("Hamburg", 10)
    assert letters.width_of("", 10) == 0


def test_ideographs_fill_squares_and_accents_nothing() -> None:
    """What the font does not have is guessed well enough to leave room for it."""
    assert letters.width_of("温度", 10) == 20
    assert letters.width_of("e\u0483", 10) <= letters.width_of("e", 10) + 6.1
    assert letters.width_of("\U0001f321", 10) == pytest.approx(8, abs=2)


@pytest.mark.parametrize(
    "text",
    [
        "Température °C",
        "Ωμέγα",
        "Привет",
        "Nhiệt độ",
        "m³/h µS €",
        "\N{MINUS SIGN}5\N{MULTIPLICATION SIGN}10⁻⁹ …",
        "",
    ],
)
def test_the_font_has_the_letters_of_europe(text: str) -> None:
    """Latin, Greek and Cyrillic letters and the signs of units can be written."""
    assert letters.covers(text)


@pytest.mark.parametrize("text", ["温度", "نور", "🌡"])
def test_what_the_font_lacks_is_known(text: str) -> None:
    """For other letters the system's fonts are asked."""
    assert not letters.covers(text)


@given(st.text(max_size=30), st.floats(0, 300), st.booleans())
def test_a_shortened_text_fits(text: str, room: float, bold: bool) -> None:
    """A text that is too long ends with an ellipsis where there is no more room."""
    short = letters.shorten(text, 11, room, bold=bold)
    assert letters.width_of(short, 11, bold=bold) <= room + 1e-9 or not short
    if letters.width_of(text, 11, bold=bold) <= room:
        assert short == text
    elif short:
        assert short.endswith("…")
        assert text.startswith(short[:-1])
