"""Feeds, through the client and the real service, in every format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_twisted import ensureDeferred

from txpachube import DataFormats, Datastream, Environment, Location, NotFound, Unit
from txpachube.client import Client
from txpachube.testing.strategies import datastream_ids, texts, timestamps

DOCUMENT_FORMATS = [DataFormats.JSON, DataFormats.XML]
ALL_FORMATS = [*DOCUMENT_FORMATS, DataFormats.CSV]
AT, LATER = "2013-06-01T10:15:02.001200Z", "2013-06-01T10:20:00.000000Z"


def greenhouse(**more: Any) -> Environment:
    """Return a feed that has everything a program can say of one."""
    fields: dict[str, Any] = {
        "title": "Greenhouse № 3 <&>",
        "description": "South bed\nunder glass",
        "website": "http://garden.example/?a=1&b=2",
        "icon": "http://garden.example/i.png",
        "email": "rosa@garden.example",
        "tags": ["Tomato", "glass", "a, b"],
        "private": False,
        "location": Location(
            name="Hut 3",
            exposure=Location.Outdoor,
            domain=Location.Physical,
            disposition=Location.Fixed,
            lat=52.1043,
            lon=9.3612,
            ele="41.0",
        ),
        "datastreams": [
            Datastream(
                id="temp",
                current_value="0000017",
                at=AT,
                tags=["air"],
                unit=Unit(type=Unit.Derived_Si, symbol="C", label="Celsius"),
            ),
            Datastream(id="door", current_value="JEBEL ALI", at=AT),
            Datastream(id="7"),
        ],
        **more,
    }
    return Environment(**fields)


@pytest.mark.parametrize("written", DOCUMENT_FORMATS)
@pytest.mark.parametrize("read", DOCUMENT_FORMATS)
async def test_everything_said_of_a_feed_comes_back(client: Client, written: str, read: str) -> None:
    """A feed created in one format is the same feed read in the other."""
    said = greenhouse()
    feed_id = await client.create_feed(format=written, data=said)
    feed = await client.read_feed(feed_id=feed_id, format=read)
    assert feed.id == int(feed_id)
    assert feed.feed == f"{client.base_url}/v2/feeds/{feed_id}.{read}"
    assert feed.creator == f"{client.base_url}/users/admin"
    assert (feed.status, feed.version) == ("live", "1.0.0" if read == "json" else feed.version)
    assert feed.created == feed.updated
    for name in ("title", "description", "website", "icon", "email", "private", "location"):
        assert getattr(feed, name) == getattr(said, name)
    assert feed.tags == ["a, b", "glass", "Tomato"]
    assert list(feed.datastreams or {}) == ["7", "door", "temp"]
    streams = feed.datastreams or {}
    assert streams["temp"] == Datastream(
        id="temp",
        current_value="0000017",
        at=AT,
        max_value="17.0",
        min_value="17.0",
        tags=["air"],
        unit=Unit(type="derivedSI", symbol="C", label="Celsius"),
    )
    assert streams["door"] == Datastream(id="door", current_value="JEBEL ALI", at=AT)
    assert streams["7"] == Datastream(id="7")


async def test_a_feed_in_csv_has_the_values(client: Client) -> None:
    """CSV gives a feed too, with its values alone; a stream without one is there without one."""
    feed_id = await client.create_feed(data=greenhouse())
    feed = await client.read_feed(feed_id=feed_id, format=DataFormats.CSV)
    assert feed == Environment(
        datastreams=[
            {"id": "7"},
            {"id": "door", "current_value": "JEBEL ALI", "at": AT},
            {"id": "temp", "current_value": "0000017", "at": AT},
        ]
    )


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_an_update_writes_values_and_creates_streams(client: Client, format_: str) -> None:
    """What an update does not name stays, streams that were not there are made, a value keeps its text."""
    feed_id = await client.create_feed(data=greenhouse())
    change = Environment()
    change.setCurrentValue("temp", "1.50")
    change.setCurrentValue("new.stream", ' "quoted", ')
    assert await client.update_feed(feed_id=feed_id, format=format_, data=change) is True
    feed = await client.read_feed(feed_id=feed_id)
    streams = feed.datastreams or {}
    assert list(streams) == ["7", "door", "new.stream", "temp"]
    assert streams["temp"].current_value == "1.50"
    assert streams["temp"].unit == Unit(type="derivedSI", symbol="C", label="Celsius")
    expected = ' "quoted", ' if format_ == DataFormats.JSON else '"quoted",'
    assert streams["new.stream"].current_value == expected
    assert streams["door"].current_value == "JEBEL ALI"
    assert feed.title == greenhouse().title
    assert streams["temp"].at == streams["new.stream"].at
    assert feed.created is not None
    assert feed.updated is not None
    assert feed.created < feed.updated


@pytest.mark.parametrize("format_", DOCUMENT_FORMATS)
async def test_what_is_given_empty_is_cleared(client: Client, format_: str) -> None:
    """An empty field clears, an absent one leaves."""
    feed_id = await client.create_feed(data=greenhouse())
    change = Environment(
        description="", tags=[], datastreams=[{"id": "temp", "tags": [], "unit": {"label": ""}}]
    )
    await client.update_feed(feed_id=feed_id, format=format_, data=change)
    feed = await client.read_feed(feed_id=feed_id)
    assert (feed.description, feed.tags, feed.website) == (None, None, greenhouse().website)
    stream = (feed.datastreams or {})["temp"]
    assert (stream.tags, stream.unit, stream.current_value) == (None, None, "0000017")


@pytest.mark.parametrize("format_", DOCUMENT_FORMATS)
async def test_a_private_feed_is_a_boolean_on_both_sides(client: Client, format_: str) -> None:
    """Privacy survives, although documents write it as text."""
    feed_id = await client.create_feed(format=format_, data=greenhouse(private=True))
    assert (await client.read_feed(feed_id=feed_id, format=format_)).private is True
    await client.update_feed(feed_id=feed_id, format=format_, data=Environment(private=False))
    assert (await client.read_feed(feed_id=feed_id, format=format_)).private is False


@pytest.mark.parametrize("format_", DOCUMENT_FORMATS)
async def test_a_feed_that_was_read_can_be_sent_back(client: Client, format_: str) -> None:
    """Sending a feed as it was read changes nothing but the time of its update."""
    feed_id = await client.create_feed(data=greenhouse())
    before = await client.read_feed(feed_id=feed_id, format=format_)
    await client.update_feed(feed_id=feed_id, format=format_, data=before)
    after = await client.read_feed(feed_id=feed_id, format=format_)
    after.updated = before.updated
    assert after == before


@pytest.mark.parametrize("format_", DOCUMENT_FORMATS)
async def test_a_value_set_in_a_feed_that_was_read_is_new(client: Client, format_: str) -> None:
    """Read a feed, set a value, send it back: that is the current value, measured now and not back then."""
    feed_id = await client.create_feed(data=greenhouse())
    await client.update_datastream(feed_id=feed_id, datastream_id="temp", data='{"current_value":"20"}')
    feed = await client.read_feed(feed_id=feed_id, format=format_)
    feed.setCurrentValue("temp", "21")
    await client.update_feed(feed_id=feed_id, format=format_, data=feed)
    stream = await client.read_datastream(feed_id=feed_id, datastream_id="temp")
    assert stream.current_value == "21"
    assert str(stream.at) > str(feed.created)


async def test_a_feed_can_be_deleted_once(client: Client) -> None:
    """A deleted feed is not found any more, and not deleted again."""
    feed_id = await client.create_feed(data=Environment(title="short"))
    assert await client.delete_feed(feed_id=feed_id) is True
    with pytest.raises(NotFound):
        await client.read_feed(feed_id=feed_id)
    with pytest.raises(NotFound):
        await client.delete_feed(feed_id=feed_id)


async def test_a_client_has_a_feed_of_its_own(connect: Callable[..., Client], client: Client) -> None:
    """The feed a client was made for is the one of calls that name none."""
    feed_id = await client.create_feed(data=Environment(title="mine"))
    own = connect(feed_id=feed_id)
    await own.update_feed(data=Environment(title="still mine"))
    assert (await own.read_feed()).title == "still mine"


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_a_list_of_feeds(client: Client, format_: str) -> None:
    """A search gives one page of what it found, the newest first, and says how much there is."""
    tag = uuid4().hex
    ids = [
        await client.create_feed(data=Environment(title=f"n {n}", tags=[tag], datastreams=[{"id": "x"}]))
        for n in range(3)
    ]
    page = await client.list_feeds(format=format_, parameters={"tag": tag, "per_page": 2, "page": 1})
    assert [str(feed.id) for feed in page.feeds] == [ids[2], ids[1]]
    assert [list(feed.datastreams or {}) for feed in page.feeds] == [["x"], ["x"]]
    if format_ != DataFormats.CSV:
        assert (page.total_results, page.start_index, page.items_per_page) == (3, 0, 2)
        assert [feed.title for feed in page.feeds] == ["n 2", "n 1"]
    rest = await client.list_feeds(format=format_, parameters={"tag": tag, "per_page": 2, "page": 2})
    assert [str(feed.id) for feed in rest.feeds] == [ids[0]]
    none = await client.list_feeds(format=format_, parameters={"tag": tag, "per_page": 2, "page": 3})
    assert none.feeds == []
    if format_ != DataFormats.CSV:
        summary = await client.list_feeds(format=format_, parameters={"tag": tag, "content": "summary"})
        assert [feed.datastreams for feed in summary.feeds] == [None] * 3


async def test_parameters_of_reading_a_feed(client: Client) -> None:
    """Parameters go out as Python values: lists, booleans."""
    feed_id = await client.create_feed(data=greenhouse())
    some = await client.read_feed(
        feed_id=feed_id, parameters={"datastreams": ["temp", "7"], "show_user": True}
    )
    assert list(some.datastreams or {}) == ["7", "temp"]
    assert some.user is not None
    assert some.user.login == "admin"


@pytest.mark.parametrize("format_", DOCUMENT_FORMATS)
async def test_times_in_another_zone(connect: Callable[..., Client], format_: str) -> None:
    """A client with a time zone gets times of that zone."""
    for zone, local in (("-3.5", "06:45:02.001200-03:30"), ("New Delhi", "15:45:02.001200+05:30")):
        client = connect(timezone=zone)
        feed_id = await client.create_feed(data=greenhouse())
        feed = await client.read_feed(feed_id=feed_id, format=format_)
        assert (feed.datastreams or {})["temp"].at == f"2013-06-01T{local}"


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_the_history_of_a_feed(client: Client, format_: str) -> None:
    """A range gives each datastream's points, in the order of their times."""
    feed = Environment(title="history")
    for minute in range(5):
        feed.addDatapoint("a", f"2013-06-01T10:0{minute}:00Z", minute)
    feed.addDatapoint("b", "2013-06-01T10:02:30Z", "x")
    feed.addDatapoint("b", "2013-06-01T12:00:00Z", "y")
    feed_id = await client.create_feed(data=feed)
    found = await client.read_feed(
        feed_id=feed_id,
        format=format_,
        parameters={"start": "2013-06-01T10:01:00Z", "end": "2013-06-01T11:00:00Z", "interval": 0},
    )
    streams = found.datastreams or {}
    points = [(point.at, point.value) for point in streams["a"].datapoints or []]
    assert points == [(f"2013-06-01T10:0{minute}:00.000000Z", str(minute)) for minute in range(1, 5)]
    if format_ == DataFormats.CSV:  # one point of a stream reads as its value
        assert (streams["b"].at, streams["b"].current_value) == ("2013-06-01T10:02:30.000000Z", "x")
    else:
        assert [point.value for point in streams["b"].datapoints or []] == ["x"]
        assert streams["b"].current_value == "y"


_NAMES = ("title", "description", "website", "icon", "email", "auto_feed_url")


_READABLE = texts(DataFormats.XML)  # what no XML can say is not asked for in it
_FEEDS = st.builds(
    lambda title, fields, streams: Environment(
        title=title,
        **fields,
        datastreams=[{"id": name, "at": at, "current_value": value} for name, at, value in streams],
    ),
    _READABLE.filter(bool),
    st.fixed_dictionaries({}, optional=dict.fromkeys(_NAMES[1:], _READABLE)),
    st.lists(
        st.tuples(datastream_ids(), timestamps(), _READABLE), unique_by=lambda found: found[0], max_size=3
    ),
)


def _values(feed: Environment) -> dict[str | None, tuple[str | None, str | None]]:
    return {stream.id: (stream.at, stream.current_value) for stream in (feed.datastreams or {}).values()}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_FEEDS, st.sampled_from(DOCUMENT_FORMATS))
@ensureDeferred
async def test_any_feed_comes_back(client: Client, said: Environment, written: str) -> None:
    """Whatever texts a feed has, they come back in every format as they were sent."""
    feed_id = await client.create_feed(format=written, data=said)
    for format_ in DOCUMENT_FORMATS:
        feed = await client.read_feed(feed_id=feed_id, format=format_)
        for name in _NAMES:
            assert getattr(feed, name) == (getattr(said, name) or None)
        assert _values(feed) == _values(said)
    assert _values(await client.read_feed(feed_id=feed_id, format=DataFormats.CSV)) == _values(said)
    assert await client.delete_feed(feed_id=feed_id) is True
