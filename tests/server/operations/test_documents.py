"""Records to documents."""

from __future__ import annotations

from datetime import timedelta, timezone

from txpachube.server.operations import documents
from txpachube.server.operations.documents import LIVE_FOR, Spelling
from txpachube.server.storage.records import Feed, Stream
from txpachube.times import parse

NOON = parse("2013-06-01T12:00:00Z")
SPELLING = Spelling("https://api.example")
EAST = timezone(timedelta(hours=9))


def _feed(**parts: object) -> Feed:
    return Feed(7, 1, "rosa & co", False, {"title": "T"}, NOON, NOON, **parts)  # type: ignore[arg-type]  # test's own


def test_a_feed_has_its_urls_and_defaults() -> None:
    """The feed's own URL ends like its format, logins are escaped, and a place is physical."""
    document = documents.feed_document(_feed(), Spelling("https://api.example", "xml"), NOON, streams=[])
    assert document["feed"] == "https://api.example/v2/feeds/7.xml"
    assert document["creator"] == "https://api.example/users/rosa%20%26%20co"
    assert document["location"] == {"domain": "physical"}
    assert (document["private"], document["status"], document["version"]) == ("false", "frozen", "1.0.0")
    assert "user" not in document


def test_a_feed_is_live_until_fifteen_minutes_after_its_data() -> None:
    """A feed that never had data is frozen."""
    assert not documents.is_live(_feed(), NOON)
    feed = _feed(data_at=NOON)
    assert documents.is_live(feed, NOON + LIVE_FOR - 1)
    assert not documents.is_live(feed, NOON + LIVE_FOR)


def test_a_summary_has_no_datastreams() -> None:
    """None instead of a list leaves the member out."""
    assert "datastreams" not in documents.feed_document(_feed(), SPELLING, NOON, streams=None)


def test_waypoints_are_shown_for_mobile_feeds_only() -> None:
    """A fixed feed keeps them to itself; the elevation is never invented."""
    places = documents.waypoint_documents([(NOON, 1.0, 2.0, None), (NOON, 1.0, 2.0, "3")], None)
    assert places == [
        {"at": "2013-06-01T12:00:00.000000Z", "lat": 1.0, "lon": 2.0},
        {"at": "2013-06-01T12:00:00.000000Z", "lat": 1.0, "lon": 2.0, "ele": "3"},
    ]
    for disposition, shown in (("mobile", True), ("fixed", False)):
        feed = _feed(location={"disposition": disposition})
        document = documents.feed_document(feed, SPELLING, NOON, streams=[], waypoints=places)
        assert ("waypoints" in document["location"]) is shown
    assert feed.location == {"disposition": "fixed"}


def test_a_datastream_without_value_is_its_id() -> None:
    """Limits that were set are shown all the same."""
    assert documents.stream_document(Stream(pk=1, id="door"), SPELLING) == {"id": "door"}
    stream = Stream(pk=1, id="door", max_value=5.0, unit={"label": "x"})
    assert documents.stream_document(stream, SPELLING) == {
        "id": "door",
        "max_value": "5.0",
        "unit": {"label": "x"},
    }


def test_an_empty_value_is_a_value() -> None:
    """It is shown with its time."""
    stream = Stream(pk=1, id="door", value="", at=NOON)
    document = documents.stream_document(stream, SPELLING)
    assert (document["current_value"], document["at"]) == ("", "2013-06-01T12:00:00.000000Z")


def test_another_moment_replaces_value_and_time_only() -> None:
    """Limits are those of now."""
    stream = Stream(pk=1, id="t", value="9", at=NOON, max_value=9.0)
    document = documents.stream_document(stream, SPELLING, current=(0, "1"))
    assert document == {
        "id": "t",
        "current_value": "1",
        "at": "1970-01-01T00:00:00.000000Z",
        "max_value": "9.0",
    }


def test_every_time_is_local_in_a_zone() -> None:
    """The zone reaches all times of a document."""
    spelling = Spelling("https://api.example", zone=EAST)
    stream = documents.stream_document(
        Stream(pk=1, id="t", value="9", at=NOON), spelling, points=[(NOON, "9")]
    )
    feed = documents.feed_document(_feed(), spelling, NOON, streams=[stream])
    environment = documents.stream_environment(_feed(), spelling)
    wanted = "2013-06-01T21:00:00.000000+09:00"
    times = [stream["at"], stream["datapoints"][0]["at"], feed["updated"], feed["created"]]
    assert {*times, environment["updated"], environment["created"]} == {wanted}
