"""What programs may give for an attribute, and what becomes of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

import pytest

from txpachube import InvalidValue
from txpachube.structures import convert


@pytest.mark.parametrize(
    ("given", "held"),
    [
        (None, None),
        ("", ""),
        ("0000017", "0000017"),
        (" kept ", " kept "),
        (0, "0"),
        (21.5, "21.5"),
        (1e22, "1e+22"),
        (True, "true"),
        (False, "false"),
        (Decimal("1.50"), "1.50"),
        (Fraction(1, 2), "1/2"),
        (b"21.5", "21.5"),
        ("grün".encode(), "grün"),
    ],
)
def test_a_text_stays_and_a_number_becomes_its_text(given: convert.Scalar | None, held: str | None) -> None:
    """A value is kept as it was written; a number that a program gives becomes its text."""
    assert convert.text(given) == held
    assert type(convert.text(given)) in {str, type(None)}


def test_a_subclass_of_text_becomes_plain_text() -> None:
    """A text that an XML library made does not keep its whole document alive."""

    class Special(str):
        __slots__ = ()

    assert type(convert.text(Special("x"))) is str
    assert type(convert.moment(Special("2013"))) is str


@pytest.mark.parametrize("given", [[], {}, object(), b"\xff"])
def test_what_is_no_text_is_refused(given: object) -> None:
    """A list, a dict or bytes that are not UTF-8 can't be meant as a value."""
    with pytest.raises(InvalidValue):
        convert.text(given)  # type: ignore[arg-type] # wrong on purpose


@pytest.mark.parametrize(
    ("given", "held"), [(None, None), (0, 0), ("0", 0), (" 504 ", 504), (504.0, 504), ("-3", -3), ("", None)]
)
def test_an_id_is_a_number(given: int | str | float | None, held: int | None) -> None:
    """The id of a feed is the same number, whether a document wrote it as a number or as text."""
    assert convert.whole(given) == held


@pytest.mark.parametrize("given", [True, "5x", "1.5", 1.5, float("nan"), [], "9" * 5000, "٣"])
def test_what_is_no_whole_number_is_refused(given: object) -> None:
    """An id that is not a whole number is refused, quickly even when it is very long."""
    with pytest.raises(InvalidValue, match="whole number"):
        convert.whole(given)  # type: ignore[arg-type] # wrong on purpose


def test_infinity_is_no_whole_number() -> None:
    """Infinity is refused like any other number that is not whole."""
    with pytest.raises(InvalidValue, match="whole number"):
        convert.whole(float("inf"))


@pytest.mark.parametrize(
    ("given", "held"),
    [
        *[(given, True) for given in (True, "true", "True", " 1 ", 1)],
        *[(given, False) for given in (False, "false", "FALSE", "0", 0)],
        *[(given, None) for given in ("", None)],
    ],
)
def test_a_flag_is_read_in_all_its_spellings(given: bool | str | int | None, held: bool | None) -> None:
    """``private`` is the text "false" in documents, and must not count as true for that."""
    assert convert.flag(given) is held


@pytest.mark.parametrize("given", ["yes", 2, 1.5, [], "truefalse"])
def test_other_flags_are_refused(given: object) -> None:
    """A word that is neither true nor false is refused instead of guessed at."""
    with pytest.raises(InvalidValue, match="true, false"):
        convert.flag(given)  # type: ignore[arg-type] # wrong on purpose


@pytest.mark.parametrize(
    ("given", "held"),
    [(None, None), (0.0, 0.0), (0, 0.0), ("52.1043", 52.1043), (Decimal("1.5"), 1.5), ("", ""), (" ", "")],
)
def test_a_coordinate_is_a_number(given: convert.Scalar | None, held: object) -> None:
    """Coordinates are numbers, also when they came as text; zero is one of them, empty text clears."""
    assert convert.latitude(given) == held
    assert convert.longitude(given) == held


@pytest.mark.parametrize(
    "given", [90.5, "-91", "north", float("nan"), float("inf"), "1_0", True, [], "1e999"]
)
def test_a_place_that_is_nowhere_is_refused(given: object) -> None:
    """A latitude beyond the poles, or one that is no number, is refused."""
    with pytest.raises(InvalidValue):
        convert.latitude(given)  # type: ignore[arg-type] # wrong on purpose


def test_a_longitude_goes_further_than_a_latitude() -> None:
    """180 degrees east is a longitude, 181 is not."""
    assert convert.longitude(-180) == -180.0
    with pytest.raises(InvalidValue, match="from -180 to 180"):
        convert.longitude(181)


@pytest.mark.parametrize(
    ("given", "held"),
    [
        (None, None),
        ("2013-06-01 10:15", "2013-06-01 10:15"),
        (datetime(2013, 6, 1, 10, 15, 2, 1200, tzinfo=UTC), "2013-06-01T10:15:02.001200Z"),
        (datetime(2013, 6, 1, 10, 15, tzinfo=timezone(timedelta(hours=2))), "2013-06-01T08:15:00.000000Z"),
        (datetime(2013, 6, 1, 10, 15), "2013-06-01T10:15:00.000000Z"),
        (date(2013, 6, 1), "2013-06-01"),
    ],
)
def test_a_moment_is_text(given: convert.Moment | None, held: str | None) -> None:
    """A datetime becomes text in UTC with six fraction digits; one without a zone is taken as UTC."""
    assert convert.moment(given) == held


def test_a_number_is_no_moment() -> None:
    """Seconds since 1970 are not a timestamp of this API."""
    with pytest.raises(InvalidValue, match="datetime"):
        convert.moment(1370081702)  # type: ignore[arg-type] # wrong on purpose


def test_tags_are_a_list_or_one_text_with_commas() -> None:
    """Tags given as one text are taken apart, tags given as a list keep their commas."""
    assert convert.tag_list('air, "a, b"') == ["air", "a, b"]
    assert convert.tag_list(["a, b", 5, None]) == ["a, b", "5"]  # type: ignore[list-item] # None is dropped
    assert convert.tag_list("") == []
    assert convert.tag_list(None) is None


def test_a_single_text_is_a_list_of_one() -> None:
    """A role or method given alone is a list of one, not a list of letters."""
    assert convert.texts("default") == ["default"]
    assert convert.texts(b"default") == ["default"]
    assert convert.lower_texts(("GET", "put")) == ["get", "put"]
    assert convert.lower_texts(None) is None
    with pytest.raises(InvalidValue):
        convert.texts({"a": 1})


@pytest.mark.parametrize(("given", "held"), [(["1.0.0", "x"], "1.0.0"), ([], None), (1, "1"), ("5", "5")])
def test_the_version_may_be_odd(given: object, held: str | None) -> None:
    """One old program wrote a list as the version; that is no reason to refuse its document."""
    assert convert.version(given) == held
