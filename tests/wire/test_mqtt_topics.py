"""Topics are paths of the API, with or without a key in front."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.wire.mqtt_topics import has_wildcard, read_topic


@pytest.mark.parametrize(
    ("text", "path", "query", "key", "writes"),
    [
        ("/v2/feeds/504.json", "/v2/feeds/504.json", "", None, "PUT"),
        ("v2/feeds/504.json", "/v2/feeds/504.json", "", None, "PUT"),
        ("KEY/v2/feeds/504.json", "/v2/feeds/504.json", "", "KEY", "PUT"),
        ("/KEY/v2/feeds/504.csv", "/v2/feeds/504.csv", "", "KEY", "PUT"),
        ("a-B_9//v2/feeds/504", "/v2/feeds/504", "", "a-B_9", "PUT"),
        ("/v1/feeds/504/datastreams/0.csv", "/v1/feeds/504/datastreams/0.csv", "", None, "PUT"),
        ("/v2/feeds/504/datastreams/0.csv", "/v2/feeds/504/datastreams/0.csv", "", None, "PUT"),
        (
            "/v2/feeds/504/datastreams/0/datapoints",
            "/v2/feeds/504/datastreams/0/datapoints",
            "",
            None,
            "POST",
        ),
        ("/v2/feeds/504/datastreams.csv", "/v2/feeds/504/datastreams.csv", "", None, "POST"),
        ("/v2/triggers", "/v2/triggers", "", None, "POST"),
        ("/v2/triggers/5", "/v2/triggers/5", "", None, "PUT"),
        ("/v2/keys/OTHER", "/v2/keys/OTHER", "", None, "PUT"),
        ("/v2/feeds", "/v2/feeds", "", None, "POST"),
        ("/v2/feeds/1?duration=1day&x=a b", "/v2/feeds/1", "duration=1day&x=a%20b", None, "PUT"),
        ("/v2/feeds/1/datastreams/wohn zimmer", "/v2/feeds/1/datastreams/wohn%20zimmer", "", None, "PUT"),
        ("/v2/feeds/1/datastreams?_method=delete", "/v2/feeds/1/datastreams", "_method=delete", None, None),
        ("/v2/feeds?amp;_method=delete", "/v2/feeds", "amp;_method=delete", None, None),
    ],
)
def test_a_topic_names_a_path(text: str, path: str, query: str, key: str | None, writes: str | None) -> None:
    """The version begins the path, the key stands before it, and items are updated while collections grow."""
    topic = read_topic(text)
    assert topic is not None
    assert (topic.path, topic.query_text, topic.key, topic.writes) == (path, query, key, writes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "feeds/504",
        "/feeds/504",
        "KEY",
        "KEY/feeds",
        "$SYS/broker",
        "KEY/KEY/v2/feeds",
        "schlüssel/v2/feeds",
        "a b/v2/feeds",
        "v3/feeds",
        "KEY/v22/feeds",
        "x" * 129 + "/v2/feeds",
        "/v2/" + "x" * 5000,
    ],
)
def test_other_topics_name_nothing(text: str) -> None:
    """Without a version there is no path of the API."""
    assert read_topic(text) is None


def test_the_key_of_the_topic_wins() -> None:
    """A request carries the key of its topic, else that of the connection, else none."""
    own, other = read_topic("KEY/v2/feeds/1"), read_topic("/v2/feeds/1")
    assert own is not None
    assert other is not None
    assert own.request("PUT", "USER", b"0,1", "192.0.2.7").headers == {"x-apikey": "KEY"}
    assert other.request("GET", "USER").headers == {"x-apikey": "USER"}
    assert other.request("GET", None).headers == {}
    assert "KEY" not in repr(own)


@given(st.text(max_size=60) | st.text("/?#+v2feds_KE", max_size=40))
def test_any_text_is_a_topic_or_not(text: str) -> None:
    """Nothing is raised, and a path always begins with its version."""
    topic = read_topic(text)
    if topic is not None:
        assert topic.path.split("/")[1] in ("v1", "v2")
    assert has_wildcard(text) == any(character in "+#" for character in text)
