"""Datastreams, through the client and the real service, in every format."""

from __future__ import annotations

import pytest
from pytest_twisted import blockon

from txpachube import (
    DataFormats,
    Datapoint,
    Datastream,
    Environment,
    InvalidValue,
    NotFound,
    Unit,
    Unprocessable,
)
from txpachube.client import Client

DOCUMENT_FORMATS = [DataFormats.JSON, DataFormats.XML]
ALL_FORMATS = [*DOCUMENT_FORMATS, DataFormats.CSV]
AT = "2013-06-01T10:15:02.001200Z"
ODD_ID = "Ünïts+more_1.csv"


@pytest.fixture
def feed_id(client: Client) -> str:
    """Return a feed without datastreams."""
    return str(blockon(client.create_feed(data=Environment(title="streams"))))


@pytest.mark.parametrize("format_", DOCUMENT_FORMATS)
async def test_a_datastream_is_created_with_everything_it_has(
    client: Client, feed_id: str, format_: str
) -> None:
    """What a program says of a new datastream is what it reads afterwards, in both document formats."""
    said = Datastream(
        id="flow",
        current_value="0034",
        at=AT,
        max_value="50.5",
        min_value="-1",
        tags=["water", "b,c"],
        unit=Unit(type=Unit.Basic_Si, symbol="l", label="Litre"),
        datapoints=[Datapoint(at="2013-06-01T09:00:00Z", value="33")],
    )
    assert await client.create_datastream(feed_id=feed_id, format=format_, data=said) == "flow"
    for read in DOCUMENT_FORMATS:
        stream = await client.read_datastream(feed_id=feed_id, datastream_id="flow", format=read)
        assert (stream.current_value, stream.at) == ("0034", AT)
        assert (stream.max_value, stream.min_value) == ("50.5", "-1.0")
        assert (stream.tags, stream.unit) == (["b,c", "water"], said.unit)
        assert stream.datapoints is None
    point = await client.read_datapoint(
        feed_id=feed_id, datastream_id="flow", timestamp="2013-06-01T09:00:00Z"
    )
    assert point == Datapoint(at="2013-06-01T09:00:00.000000Z", value="33")


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_several_datastreams_are_created_at_once(client: Client, feed_id: str, format_: str) -> None:
    """A list makes several; the id that comes back is the first one's."""
    said = [Datastream(id=f"s{n}", current_value=str(n)) for n in range(3)]
    assert await client.create_datastream(feed_id=feed_id, format=format_, data=said) == "s0"
    feed = await client.read_feed(feed_id=feed_id, format=format_)
    found = {stream.id: stream.current_value for stream in (feed.datastreams or {}).values()}
    assert found == {"s0": "0", "s1": "1", "s2": "2"}


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_a_datastream_without_a_value(client: Client, feed_id: str, format_: str) -> None:
    """A datastream can be made before it has a value, and reads so in every format."""
    created = DataFormats.JSON if format_ == DataFormats.CSV else format_
    await client.create_datastream(feed_id=feed_id, format=created, data=Datastream(id="door"))
    stream = await client.read_datastream(feed_id=feed_id, datastream_id="door", format=format_)
    assert stream.current_value is None
    assert stream.at is None


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_an_id_with_every_kind_of_character(client: Client, feed_id: str, format_: str) -> None:
    """Letters of any language, ``+``, and what looks like an extension work in every call."""
    created = await client.create_datastream(
        feed_id=feed_id, format=format_, data=Datastream(id=ODD_ID, current_value="1")
    )
    assert created == ODD_ID
    await client.update_datastream(
        feed_id=feed_id, datastream_id=ODD_ID, format=format_, data=Datastream(current_value="2", at=AT)
    )
    stream = await client.read_datastream(feed_id=feed_id, datastream_id=ODD_ID, format=format_)
    points = await client.read_datastream(
        feed_id=feed_id, datastream_id=ODD_ID, format=format_, parameters={"start": AT, "end": AT}
    )
    await client.delete_datastream(feed_id=feed_id, datastream_id=ODD_ID)
    assert stream.current_value == "1"  # the second value is older
    if format_ == DataFormats.CSV:
        assert points.current_value == "2"
    else:
        assert points.datapoints == [Datapoint(at=AT, value="2")]
    feed = await client.read_feed(feed_id=feed_id)
    assert not feed.datastreams


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_an_update_writes_the_value(client: Client, feed_id: str, format_: str) -> None:
    """A value with its time becomes current, with its text as it is."""
    await client.create_datastream(feed_id=feed_id, data=Datastream(id="t", tags=["kept"]))
    change = Datastream(id="ignored", current_value="1.50", at="2013-06-01T12:15:02.0012+02:00")
    updated = await client.update_datastream(feed_id=feed_id, datastream_id="t", format=format_, data=change)
    assert updated is True
    stream = await client.read_datastream(feed_id=feed_id, datastream_id="t", format=format_)
    assert (stream.current_value, stream.at) == ("1.50", AT)
    if format_ != DataFormats.CSV:
        assert (stream.id, stream.tags) == ("t", ["kept"])


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_an_update_with_a_history(client: Client, feed_id: str, format_: str) -> None:
    """Datapoints and a current value go in one update."""
    await client.create_datastream(feed_id=feed_id, data=Datastream(id="t"))
    change = Datastream(current_value="3", at="2013-06-01T10:03:00Z")
    change.addDatapoint("2013-06-01T10:01:00Z", 1)
    change.addDatapoint("2013-06-01T10:02:00Z", 2)
    await client.update_datastream(feed_id=feed_id, datastream_id="t", format=format_, data=change)
    found = await client.read_datastream(
        feed_id=feed_id,
        datastream_id="t",
        format=format_,
        parameters={"start": "2013-06-01T10:00:00Z", "duration": "1hour", "interval": 0},
    )
    assert [point.value for point in found.datapoints or []] == ["1", "2", "3"]
    assert (await client.read_datastream(feed_id=feed_id, datastream_id="t")).current_value == "3"


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_history_parameters(client: Client, feed_id: str, format_: str) -> None:
    """Intervals, the point before the range, limits and pages go through the client."""
    points = [Datapoint(at=f"2013-06-01T10:{minute:02}:30Z", value=str(minute)) for minute in range(60)]
    await client.create_datastream(feed_id=feed_id, data=Datastream(id="t", datapoints=points))

    async def values(**parameters: object) -> list[str | None]:
        asked = {"start": "2013-06-01T10:00:00Z", "end": "2013-06-01T11:00:00Z", **parameters}
        stream = await client.read_datastream(
            feed_id=feed_id, datastream_id="t", format=format_, parameters=asked
        )
        return [point.value for point in stream.datapoints or []]

    assert await values(interval=900) == ["14", "29", "44", "59"]
    assert await values(interval=0, limit=3) == ["0", "1", "2"]
    assert await values(interval=0, per_page=3, page=2) == ["3", "4", "5"]
    assert await values(interval=1800, function="average") == ["14.5", "44.5"]
    start = "2013-06-01T10:58:00Z"
    assert await values(interval=0, start=start, find_previous=True) == ["57", "58", "59"]
    assert await values(interval=60, start=start, interval_type="discrete") == ["57", "58", "59"]


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_the_value_of_a_moment(client: Client, feed_id: str, format_: str) -> None:
    """``time`` gives the value that was current then; before the first one there is nothing."""
    points = [
        {"at": "2013-06-01T10:00:00Z", "value": "old"},
        {"at": "2013-06-01T11:00:00Z", "value": "new"},
    ]
    await client.create_datastream(feed_id=feed_id, data=Datastream(id="t", datapoints=points))
    then = await client.read_datastream(
        feed_id=feed_id, datastream_id="t", format=format_, parameters={"time": "2013-06-01T10:30:00Z"}
    )
    assert (then.current_value, then.at) == ("old", "2013-06-01T10:00:00.000000Z")
    with pytest.raises(NotFound):
        await client.read_datastream(
            feed_id=feed_id, datastream_id="t", format=format_, parameters={"time": "2013-06-01T09:00:00Z"}
        )


async def test_an_update_creates_nothing(client: Client, feed_id: str) -> None:
    """Only a feed's update creates datastreams; their own needs one that is there."""
    with pytest.raises(NotFound):
        await client.update_datastream(
            feed_id=feed_id, datastream_id="none", data=Datastream(current_value="1")
        )


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_an_id_can_be_taken_once(client: Client, feed_id: str, format_: str) -> None:
    """Creating a datastream that exists fails, and creates none of the others with it."""
    await client.create_datastream(
        feed_id=feed_id, format=format_, data="a,1" if format_ == "csv" else _one("a")
    )
    both = Environment(datastreams=[{"id": "b", "current_value": "2"}, {"id": "a", "current_value": "2"}])
    with pytest.raises(Unprocessable) as caught:
        await client.create_datastream(feed_id=feed_id, format=format_, data=both)
    assert caught.value.errors == ["Stream ID has already been taken"]
    feed = await client.read_feed(feed_id=feed_id)
    assert {stream.id: stream.current_value for stream in (feed.datastreams or {}).values()} == {"a": "1"}


def _one(stream_id: str) -> Environment:
    return Environment(datastreams=[{"id": stream_id, "current_value": "1"}])


async def test_a_deleted_datastream_is_gone_with_its_history(client: Client, feed_id: str) -> None:
    """A datastream of the same name made again begins with nothing."""
    await client.create_datastream(feed_id=feed_id, data=Datastream(id="t", current_value="1", at=AT))
    assert await client.delete_datastream(feed_id=feed_id, datastream_id="t") is True
    for call in (client.read_datastream, client.delete_datastream):
        with pytest.raises(NotFound):
            await call(feed_id=feed_id, datastream_id="t")
    await client.create_datastream(feed_id=feed_id, data=Datastream(id="t"))
    stream = await client.read_datastream(
        feed_id=feed_id, datastream_id="t", parameters={"start": AT, "end": AT}
    )
    assert stream == Datastream(id="t")


async def test_arguments_that_are_missing_are_named(client: Client) -> None:
    """A call without an id fails without asking the service."""
    with pytest.raises(InvalidValue, match="datastream_id"):
        await client.read_datastream(feed_id=1)
    with pytest.raises(InvalidValue, match="feed_id"):
        await client.read_feed()
