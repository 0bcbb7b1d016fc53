"""Does a feed fit a search?"""

from __future__ import annotations

import pytest

from txpachube.api.problems import Problem
from txpachube.server.operations.searching import conditions
from txpachube.server.storage.records import Feed, Stream

STREAM = Stream(pk=1, id="flow", tags=["Water"], unit={"label": "Litre", "symbol": "l"})
FEED = Feed(
    1,
    1,
    "rosa",
    False,
    {"title": "Brook", "description": "behind the Mill"},
    0,
    0,
    tags=["Out door"],
    location={"lat": 0.0, "lon": 0.0},
    streams={"flow": STREAM},
)
NOWHERE = Feed(2, 1, "otto", False, {"title": "Nowhere"}, 0, 0)


def _fits(feed: Feed = FEED, **query: str) -> bool:
    return all(fits(feed, list(feed.streams.values())) for fits in conditions(query))


@pytest.mark.parametrize(
    "words",
    ["brook", "MILL brook", "flow", "water", "litre", "rosa", "out", "door", "behind the", "l", "", "   "],
)
def test_every_word_must_occur_somewhere(words: str) -> None:
    """In title, description, tags, datastreams, units or the creator's login, whatever the case."""
    assert _fits(q=words)
    assert not _fits(q=words + " absent")


def test_a_tag_is_whole() -> None:
    """On the feed or a datastream, without regard to case."""
    assert _fits(tag="water")
    assert _fits(tag="OUT DOOR")
    assert not _fits(tag="door")


def test_a_unit_is_found_by_label_or_symbol() -> None:
    """Without regard to case."""
    assert _fits(units="LITRE")
    assert _fits(units="L")
    assert not _fits(units="Lit")


@pytest.mark.parametrize(
    ("lat", "lon", "distance", "unit", "near"),
    [
        ("0", "0", "0", "kms", True),
        ("0", "1", "111.3", "kms", True),
        ("0", "1", "111.1", "kms", False),
        ("0", "1", "69.2", "miles", True),
        ("0", "1", "69.0", "miles", False),
        ("0", "1", "112", "parsecs", True),
        ("0", "-0.05", "", "", True),
        ("0", "0.1", "", "", False),
        ("0", "360", "1", "kms", True),
        ("90", "77", "10008", "kms", True),
        ("0", "180", "20016", "kms", True),
    ],
)
def test_the_radius_is_a_great_circle(lat: str, lon: str, distance: str, unit: str, near: bool) -> None:
    """In kilometres or miles, 10 km when nothing is said; over poles and the date line."""
    assert _fits(lat=lat, lon=lon, distance=distance, distance_units=unit) is near
    assert _fits(lat=lat, lon=lon, distance=distance, distance_unit=unit) is near


def test_a_feed_without_place_is_nowhere_near() -> None:
    """And not mapped; one half of a place asks nothing."""
    assert not _fits(NOWHERE, lat="0", lon="0", distance="99999")
    assert not _fits(NOWHERE, mapped="true")
    assert _fits(NOWHERE, mapped="false")
    assert _fits(NOWHERE, lat="0")
    assert _fits(FEED, mapped="true")


@pytest.mark.parametrize(
    "query", [{"lat": "x", "lon": "0"}, {"lat": "0", "lon": "nan"}, {"lat": "0", "lon": "1e999"}]
)
def test_a_place_is_made_of_numbers(query: dict[str, str]) -> None:
    """Anything else is a bad request."""
    with pytest.raises(Problem) as refused:
        conditions(query)
    assert refused.value.status == 400


@pytest.mark.parametrize("query", [{"q": "flow"}, {"tag": "water"}, {"units": "litre"}])
def test_hidden_datastreams_are_not_found_by(query: dict[str, str]) -> None:
    """What a key may not see does not make a feed fit, or it could be guessed letter by letter."""
    assert all(fits(FEED, [STREAM]) for fits in conditions(query))
    assert not all(fits(FEED, []) for fits in conditions(query))
