"""Values: when a text is a number, and how limits are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.codecs.values import format_limit, numeric, plain_text


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("21.5", 21.5),
        ("0000017", 17.0),
        ("+4", 4.0),
        ("-0", 0.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1E5", 1e5),
        ("1e-3", 1e-3),
        ("  42\t", 42.0),
    ],
)
def test_numeric(text: str, number: float) -> None:
    """Decimal notation with a sign, a point and an exponent is numeric; blanks around it don't count."""
    assert numeric(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "JEBEL ALI",
        "1,5",
        "0x10",
        "NaN",
        "inf",
        "-Infinity",
        "1e",
        "e5",
        ".",
        "1 2",
        "1_000",
        "٣",
        "--1",
    ],
)
def test_not_numeric(text: str) -> None:
    """Anything else is text, also what Python itself would take for a number."""
    assert numeric(text) is None


def test_beyond_floats_is_text() -> None:
    """A number too large to be compared counts as text."""
    assert numeric("1e999") is None


def test_very_long_text_is_quick() -> None:
    """Whether a text is numeric is found out in one pass, however long it is."""
    assert numeric("1" * 100_000 + "x") is None


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (333, "333.0"),
        (-10.0, "-10.0"),
        (10000.0, "10000.0"),
        (0.0, "0.0"),
        (1e15, "1000000000000000.0"),
        (1e16, "1.0e+16"),
        (1e20, "1.0e+20"),
        (0.0001, "0.0001"),
        (1e-5, "1.0e-05"),
        (1.25e-7, "1.25e-07"),
        (-2.5e300, "-2.5e+300"),
    ],
)
def test_limits_always_have_a_point(number: float, text: str) -> None:
    """Maximum and minimum are written as decimals with a point, and with exponents only far from 1."""
    assert format_limit(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_limits_are_read_back(number: float) -> None:
    """A limit that was written is the same number when it is read."""
    text = format_limit(number)
    assert "." in text
    read = numeric(text)
    assert read == number


@pytest.mark.parametrize(
    ("given_value", "text"), [("0017", "0017"), (21.5, "21.5"), (3, "3"), (True, "true"), (False, "false")]
)
def test_plain_text(given_value: object, text: str) -> None:
    """What a program gives for a value becomes the text it stands for; a text is not touched."""
    assert plain_text(given_value) == text


def test_there_is_one_zero() -> None:
    """A negative zero counts as zero, since a database would forget its sign."""
    number = numeric("-0.0")
    assert number is not None
    assert format_limit(number) == "0.0"
