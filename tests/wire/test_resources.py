"""The texts that name a resource are read as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.wire.resources import Target, is_collection, segments, split_resource, subscription_target


@pytest.mark.parametrize(
    ("text", "path", "query"),
    [
        ("/feeds/504", "/feeds/504", ""),
        ("/feeds/1/datastreams/5.json?start=2013&x=%20", "/feeds/1/datastreams/5.json", "start=2013&x=%20"),
        ("/feeds/1/datastreams/living room", "/feeds/1/datastreams/living%20room", ""),
        ("/feeds?q=küche&user=a b", "/feeds", "q=k%C3%BCche&user=a%20b"),
        ("?", "", ""),
    ],
)
def test_a_resource_is_encoded_where_it_must_be(text: str, path: str, query: str) -> None:
    """What is encoded already stays as it is, blanks and letters beyond ASCII get encoded."""
    assert split_resource(text) == (path, query)


@given(st.text())
def test_any_text_becomes_plain(text: str) -> None:
    """The result never has anything in it that a URL can't have."""
    for part in split_resource(text):
        assert part.isascii()
        assert all("!" <= character <= "~" for character in part)


@pytest.mark.parametrize(
    ("path", "collection"),
    [
        ("/v2/feeds", True),
        ("/v2/feeds/504.json", False),
        ("/v2/feeds/504/datastreams", True),
        ("/v2/feeds/504/datastreams/0.csv", False),
        ("/v2/feeds/504/datastreams/0/datapoints", True),
        ("/v2//feeds/504/datastreams/0/datapoints/", True),
        ("/v2/feeds/504/datastreams/0/datapoints/2013-01-01T00:00:00Z", False),
        ("/v2/triggers.json", True),
        ("/v2/triggers/7", False),
        ("/api/v2/keys", True),
        ("/v1/feeds/504", False),
    ],
)
def test_collections_are_told_from_items(path: str, collection: bool) -> None:
    """Names of collections and ids alternate."""
    assert is_collection(path) is collection


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/v2/feeds/504", Target(504)),
        ("/v2/feeds/504.json", Target(504)),
        ("/v2//feeds/504/", Target(504)),
        ("/v1/feeds/504.xml", Target(504)),
        ("/v2/feeds/504/datastreams/temp", Target(504, "temp")),
        ("/v2/feeds/504/datastreams/temp.1.csv", Target(504, "temp.1")),
        ("/v2/feeds/504/datastreams/a%20b", Target(504, "a b")),
        ("/v2/feeds/504/datastreams/.csv", Target(504, ".csv")),
        ("/v2/feeds", None),
        ("/v2/feeds/garden", None),
        ("/v2/feeds/-1", None),
        ("/v2/feeds/1234567890123456789", None),
        ("/v2/feeds/٣", None),
        ("/v2/feeds/504/datastreams", None),
        ("/v2/feeds/504/streams/0", None),
        ("/v2/feeds/504/datastreams/0/datapoints", None),
        ("/v2/triggers/5", None),
        ("", None),
    ],
)
def test_only_feeds_and_datastreams_can_be_subscribed(path: str, target: Target | None) -> None:
    """The target is the same with and without version, extension and doubled slashes."""
    assert subscription_target(path) == target


def test_what_may_be_an_extension_is_kept() -> None:
    """A datastream whose id ends like a format can still be found."""
    target = subscription_target("/v2/feeds/1/datastreams/log.csv")
    assert target is not None
    assert (target.datastream_id, target.verbatim, target.extension) == ("log", "log.csv", "csv")


def test_segments_are_what_is_below_the_version() -> None:
    """The version and empty parts are left out."""
    assert segments("/api/v2//feeds/1/") == ["feeds", "1"]
    assert segments("feeds/1") == ["feeds", "1"]
