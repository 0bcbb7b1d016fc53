"""Feeds and lists of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from txpachube import Datapoint, Datastream, Environment, EnvironmentList, InvalidValue, Location, User


def streams(feed: Environment) -> dict[str, Datastream]:
    """Return the datastreams of a feed that has some."""
    assert feed.datastreams is not None
    return feed.datastreams


def test_datastreams_are_a_dict_in_the_order_given() -> None:
    """Datastreams are given as a list or a dict and found by their ids."""
    listed = Environment(datastreams=[{"id": "b"}, Datastream(id="a"), {"id": 0}])
    assert list(streams(listed)) == ["b", "a", "0"]
    given: dict[str, Any] = {"b": {}, "a": Datastream(id="a"), "0": {"id": "0"}}
    by_id = Environment(datastreams=given)
    assert by_id == listed
    assert listed.toDict() == {"datastreams": [{"id": "b"}, {"id": "a"}, {"id": "0"}]}


def test_a_datastream_without_an_id_gets_that_of_its_place() -> None:
    """A datastream that a program puts into the dict is written with the id it has there."""
    feed = Environment(datastreams=[])
    streams(feed)["temp"] = Datastream(current_value="1")
    assert feed.toDict() == {"datastreams": [{"id": "temp", "current_value": "1"}]}


@pytest.mark.parametrize("given", [[{}], [{"id": "a"}, {"id": "a"}], [{"id": 1}, {"id": "1"}]])
def test_datastreams_need_ids_of_their_own(given: list[dict[str, object]]) -> None:
    """Two datastreams with one id, or one without any, would be lost in a dict."""
    with pytest.raises(InvalidValue, match="datastreams must be"):
        Environment(datastreams=given)


def test_setting_a_value_creates_the_datastream() -> None:
    """The value becomes text, the datastream is made when it is missing and kept when it is not."""
    feed = Environment(datastreams=[{"id": "temp", "unit": {"label": "Celsius"}}])
    feed.setCurrentValue("temp", 18.7)
    feed.setCurrentValue("watts", "00345")
    feed.setCurrentValue(3, 0)
    assert [(stream.id, stream.current_value) for stream in streams(feed).values()] == [
        ("temp", "18.7"),
        ("watts", "00345"),
        ("3", "0"),
    ]
    assert streams(feed)["temp"].unit is not None


def test_a_new_value_drops_the_time_of_the_old_one() -> None:
    """A value set on a datastream that was read is not sent with the time of the value before."""
    feed = Environment(datastreams=[{"id": "temp", "current_value": "1", "at": "2013-06-01T10:00:00Z"}])
    feed.setCurrentValue("temp", 2)
    assert streams(feed)["temp"] == Datastream(id="temp", current_value="2")
    feed.setCurrentValue("temp", 3, at=datetime(2013, 6, 1, tzinfo=UTC))
    assert streams(feed)["temp"].at == "2013-06-01T00:00:00.000000Z"


def test_adding_a_datapoint_creates_the_datastream() -> None:
    """Datapoints are kept in the order in which they were added."""
    feed = Environment()
    feed.addDatapoint("temp", datetime(2013, 6, 1, tzinfo=UTC), 1)
    feed.addDatapoint("temp", "2013-06-02", "2")
    feed.addDatapoint(datastream_id="temp", at=None, value=3.0)
    assert streams(feed)["temp"].datapoints == [
        Datapoint(at="2013-06-01T00:00:00.000000Z", value="1"),
        Datapoint(at="2013-06-02", value="2"),
        Datapoint(value="3.0"),
    ]
    streams(feed)["temp"].clear()
    assert streams(feed)["temp"] == Datastream(id="temp")


def test_setting_a_location() -> None:
    """Zero is a coordinate like any other; what is not given is left out."""
    feed = Environment()
    feed.setLocation("Hut", "indoor", "physical", "fixed", 0.0, 0, 41.5)
    assert feed.toDict() == {
        "location": {
            "disposition": "fixed",
            "name": "Hut",
            "exposure": "indoor",
            "domain": "physical",
            "ele": "41.5",
            "lat": 0.0,
            "lon": 0.0,
        }
    }
    feed.setLocation(latitude="52.1", longitude=9)
    assert feed.location == Location(lat=52.1, lon=9.0)
    with pytest.raises(InvalidValue, match="exposure"):
        feed.setLocation(exposure="inside")
    assert feed.location == Location(lat=52.1, lon=9.0)


def test_the_user_of_a_feed() -> None:
    """The user is a structure, also when only a login was given."""
    assert Environment(user={"login": "rosa"}).user == User(login="rosa")
    assert Environment(user="rosa").toDict() == {"user": {"login": "rosa"}}
    assert Environment(user="").user == User()


def test_a_list_is_built_from_either_names() -> None:
    """The names of the JSON document and those of the attributes mean the same."""
    feeds: list[Any] = [{"id": 1}, Environment(id=2)]
    document: dict[str, Any] = {"totalResults": "2", "startIndex": 0, "itemsPerPage": 50, "results": feeds}
    page = EnvironmentList(**document)
    assert page == EnvironmentList(total_results=2, start_index="0", items_per_page=50, feeds=feeds)
    assert page.toDict() == {
        "totalResults": 2,
        "startIndex": 0,
        "itemsPerPage": 50,
        "results": [{"id": 1}, {"id": 2}],
    }
    assert (page.total_results, page.start_index, page.items_per_page, len(page.feeds)) == (2, 0, 50, 2)


def test_an_attributes_own_name_comes_first() -> None:
    """When both names are given, the attribute's own counts."""
    document: dict[str, Any] = {"totalResults": 1, "total_results": 2}
    assert EnvironmentList(**document).total_results == 2


def test_a_new_value_or_place_is_not_dated_back() -> None:
    """In a feed that was read, what is set without a time is of now and not of the feed's last change."""
    earlier = "2013-06-01T10:00:00Z"
    feed = Environment(updated=earlier, datastreams=[{"id": "temp", "current_value": "20", "at": earlier}])
    feed.setCurrentValue("temp", "21", earlier)
    assert feed.updated == earlier
    feed.setCurrentValue("temp", "22")
    assert feed.toDict() == {"datastreams": [{"id": "temp", "current_value": "22"}]}
    feed.updated = earlier
    feed.setLocation(latitude=1, longitude=2)
    assert feed.updated is None
