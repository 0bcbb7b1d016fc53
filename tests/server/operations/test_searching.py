"""What a search asks for, and whether a feed fits that a key sees a part of."""

from __future__ import annotations

import math

import pytest

from txpachube.api.problems import Problem
from txpachube.server.operations import searching
from txpachube.server.storage.filters import FeedFilter, phrases
from txpachube.server.storage.records import Feed, Stream

STREAM = Stream(pk=1, id="flow", tags=["Water"], unit={"label": "Litre", "symbol": "l", "type": "derivedSI"})
FEED = Feed(
    1,
    1,
    "rosa",
    False,
    {"title": "Brook", "description": "behind the Mill"},
    0,
    0,
    tags=["Out door"],
    streams={"flow": STREAM},
)


def _fits(streams: list[Stream], q: str = "", tag: str | None = None, unit: str | None = None) -> bool:
    wanted = FeedFilter(phrases=phrases(q), tag=tag, unit=unit)
    return searching.fits(wanted, searching.description(FEED, streams))


@pytest.mark.parametrize(
    "words",
    [
        *(
            "brook",
            "MILL brook",
            "flow",
            "water",
            "litre",
            "rosa",
            "out",
            "door",
            "behind the",
            "l",
            "",
            "   ",
        ),
        *("derivedsi", "out-door", "& brook"),
    ],
)
def test_every_word_must_occur_somewhere(words: str) -> None:
    """In title, description, tags, datastreams, units or the creator's login, whatever the case."""
    assert _fits([STREAM], q=words)
    assert not _fits([STREAM], q=words + " absent")


@pytest.mark.parametrize(
    "words", ["bro", "brookbehind", "brook-behind", "door-water", "the-behind", "rosa-flow"]
)
def test_words_are_whole_and_what_has_no_blank_stands_together(words: str) -> None:
    """A part of a word is not found, and words of two texts don't stand side by side."""
    assert not _fits([STREAM], q=words)


def test_a_tag_is_whole() -> None:
    """On the feed or a datastream, without regard to case."""
    assert _fits([STREAM], tag="water")
    assert _fits([STREAM], tag="OUT DOOR")
    assert not _fits([STREAM], tag="door")


def test_a_unit_is_found_by_label_or_symbol() -> None:
    """Without regard to case, and not by its type."""
    assert _fits([STREAM], unit="LITRE")
    assert _fits([STREAM], unit="L")
    assert not _fits([STREAM], unit="Lit")
    assert not _fits([STREAM], unit="derivedSI")


@pytest.mark.parametrize("words", ["flow", "water", "litre"])
def test_hidden_datastreams_are_not_found_by(words: str) -> None:
    """What a key may not see does not make a feed fit, or it could be guessed letter by letter."""
    assert _fits([STREAM], q=words)
    assert not _fits([], q=words)
    assert not _fits([], tag="water")
    assert not _fits([], unit="litre")


def test_what_a_title_says_is_more_relevant() -> None:
    """All that has to occur must do so in the title."""
    described = searching.description(FEED, [STREAM])
    assert searching.says_in_title(FeedFilter(phrases=phrases("brook")), described)
    assert not searching.says_in_title(FeedFilter(phrases=phrases("brook mill")), described)


@pytest.mark.parametrize(
    ("distance", "unit", "kilometres"),
    [
        (None, None, 10),
        ("", "", 10),
        ("5", "kms", 5),
        ("5", "MILES", 8.04672),
        ("5", "parsecs", 5),
        ("-1", "kms", -1),
        ("1e3", "kms", 1000),
    ],
)
@pytest.mark.parametrize("spelling", ["distance_units", "distance_unit"])
def test_a_radius_is_in_kilometres_or_miles(
    distance: str | None, unit: str | None, kilometres: float, spelling: str
) -> None:
    """10 km when nothing is said of it."""
    query = {"lat": "52.5", "lon": " -9 "}
    if distance is not None and unit is not None:
        query |= {"distance": distance, spelling: unit}
    found = searching.near(query)
    assert found is not None
    assert (found.lat, found.lon) == (52.5, -9.0)
    assert math.isclose(found.angle * 6371.0088, kilometres, rel_tol=1e-6)


@pytest.mark.parametrize(
    "query", [{}, {"lat": "1"}, {"lon": "1"}, {"lat": " ", "lon": "1"}, {"distance": "far"}]
)
def test_one_half_of_a_place_asks_nothing(query: dict[str, str]) -> None:
    """Nor does a distance from nowhere."""
    assert searching.near(query) is None


@pytest.mark.parametrize(
    "query",
    [
        {"lat": "x", "lon": "0"},
        {"lat": "0", "lon": "nan"},
        {"lat": "0", "lon": "1e999"},
        {"lat": "0", "lon": "0", "distance": "far"},
    ],
)
def test_a_place_is_made_of_numbers(query: dict[str, str]) -> None:
    """Anything else is a bad request."""
    with pytest.raises(Problem) as refused:
        searching.near(query)
    assert refused.value.status == 400


def test_a_text_that_is_searched_for_has_a_limit() -> None:
    """One that no URL could hold is a bad request."""
    limit = searching.MAX_TEXT
    assert searching.wanted_phrases({"q": "x" * limit}) == ("x" * limit,)
    with pytest.raises(Problem) as refused:
        searching.wanted_phrases({"q": "x" * (limit + 1)})
    assert refused.value.status == 400
