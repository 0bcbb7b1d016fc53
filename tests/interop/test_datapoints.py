"""Datapoints, through the client and the real service, in every format."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pytest_twisted import blockon

from txpachube import DataFormats, Datapoint, Datastream, Environment, NotFound, Unprocessable
from txpachube.client import Client

ALL_FORMATS = [DataFormats.JSON, DataFormats.XML, DataFormats.CSV]
HOUR = {"start": "2013-06-01T09:00:00Z", "duration": "1hour", "interval": 0, "limit": 1000}


@pytest.fixture
def feed_id(client: Client) -> str:
    """Return a feed with a datastream ``t`` that has three datapoints."""
    points = [Datapoint(at=f"2013-06-01T09:0{minute}:00Z", value=f"0{minute}") for minute in range(3)]
    feed = Environment(title="points", datastreams=[Datastream(id="t", datapoints=points)])
    return str(blockon(client.create_feed(data=feed)))


async def _values(client: Client, feed_id: str) -> dict[str | None, str | None]:
    stream = await client.read_datastream(feed_id=feed_id, datastream_id="t", parameters=HOUR)
    return {point.at: point.value for point in stream.datapoints or []}


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_datapoints_are_added(client: Client, feed_id: str, format_: str) -> None:
    """New ones are added, one of a known time is replaced, and of a time given twice the last one counts."""
    points = [
        Datapoint(at="2013-06-01T09:01:00.000000Z", value="replaced"),
        Datapoint(at="2013-06-01T10:05:00.5+01:00", value="first"),
        Datapoint(at="2013-06-01T09:05:00.500000Z", value="-12,5"),
    ]
    created = await client.create_datapoints(feed_id=feed_id, datastream_id="t", format=format_, data=points)
    assert created is True
    assert await _values(client, feed_id) == {
        "2013-06-01T09:00:00.000000Z": "00",
        "2013-06-01T09:01:00.000000Z": "replaced",
        "2013-06-01T09:02:00.000000Z": "02",
        "2013-06-01T09:05:00.500000Z": "-12,5",
    }
    stream = await client.read_datastream(feed_id=feed_id, datastream_id="t")
    assert (stream.current_value, stream.at) == ("-12,5", "2013-06-01T09:05:00.500000Z")


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_ways_to_hand_over_datapoints(client: Client, feed_id: str, format_: str) -> None:
    """A datastream's points, a list of points or dicts, or a single point are all taken."""
    at = "2013-06-01T09:1{}:00.000000Z"
    stream = Datastream(id="t")
    stream.addDatapoint(at.format(0), 10)
    for data in (
        stream,
        [Datapoint(at=at.format(1), value=11)],
        [{"at": at.format(2), "value": "12"}],
        Datapoint(at=at.format(3), value="13"),
    ):
        await client.create_datapoints(feed_id=feed_id, datastream_id="t", format=format_, data=data)
    found = await _values(client, feed_id)
    assert [found.get(at.format(n)) for n in range(4)] == ["10", "11", "12", "13"]


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_five_hundred_datapoints_and_one_more(client: Client, feed_id: str, format_: str) -> None:
    """500 datapoints are taken, of 501 none is."""
    start = datetime(2013, 6, 1, 9, 20, tzinfo=UTC)
    points = [Datapoint(at=start + timedelta(seconds=n), value=n) for n in range(501)]
    with pytest.raises(Unprocessable) as caught:
        await client.create_datapoints(feed_id=feed_id, datastream_id="t", format=format_, data=points)
    assert caught.value.errors == ["Too many datapoints (maximum is 500)"]
    assert len(await _values(client, feed_id)) == 3
    await client.create_datapoints(feed_id=feed_id, datastream_id="t", format=format_, data=points[1:])
    assert len(await _values(client, feed_id)) == 503


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_one_datapoint_is_read(client: Client, feed_id: str, format_: str) -> None:
    """Its time can be given in any zone, with or without a fraction; in CSV the answer is the value."""
    for moment in (
        "2013-06-01T09:01:00Z",
        "2013-06-01T09:01:00.000000Z",
        "2013-06-01T18:31:00+09:30",
        datetime(2013, 6, 1, 9, 1, tzinfo=UTC),
        datetime(2013, 6, 1, 11, 1, tzinfo=timezone(timedelta(hours=2))),
    ):
        point = await client.read_datapoint(
            feed_id=feed_id, datastream_id="t", format=format_, timestamp=moment
        )
        at = None if format_ == DataFormats.CSV else "2013-06-01T09:01:00.000000Z"
        assert point == Datapoint(at=at, value="01")


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_a_moment_without_a_datapoint(client: Client, feed_id: str, format_: str) -> None:
    """There is none a microsecond later: reading gives None, changing and deleting fail."""
    late = "2013-06-01T09:01:00.000001Z"
    found = await client.read_datapoint(feed_id=feed_id, datastream_id="t", format=format_, timestamp=late)
    assert found is None
    with pytest.raises(NotFound):
        await client.update_datapoint(
            feed_id=feed_id, datastream_id="t", format=format_, timestamp=late, data=Datapoint(value="1")
        )
    with pytest.raises(NotFound):
        await client.delete_datapoint(feed_id=feed_id, datastream_id="t", timestamp=late)


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_a_datapoint_is_corrected(client: Client, feed_id: str, format_: str) -> None:
    """A correction keeps the time; that of the newest point is the new current value."""
    for minute in (1, 2):
        at = f"2013-06-01T09:0{minute}:00Z"
        point = Datapoint(at="2013-06-01T00:00:00Z", value=f"right {minute}")
        updated = await client.update_datapoint(
            feed_id=feed_id, datastream_id="t", format=format_, timestamp=at, data=point
        )
        assert updated is True
    assert list((await _values(client, feed_id)).values()) == ["00", "right 1", "right 2"]
    stream = await client.read_datastream(feed_id=feed_id, datastream_id="t")
    assert stream.current_value == "right 2"


async def test_a_datapoint_is_deleted(client: Client, feed_id: str) -> None:
    """After the newest is deleted the one before is current, and with the last one the value is gone."""
    currents = []
    for minute in (2, 0, 1):
        at = datetime(2013, 6, 1, 9, minute, tzinfo=UTC)
        assert await client.delete_datapoint(feed_id=feed_id, datastream_id="t", timestamp=at) is True
        currents.append((await client.read_datastream(feed_id=feed_id, datastream_id="t")).current_value)
    assert currents == ["01", "01", None]
    assert await _values(client, feed_id) == {}


async def test_a_range_of_datapoints_is_deleted(client: Client, feed_id: str) -> None:
    """Both ends belong to the range; a range without points is no failure."""
    at = "2013-06-01T09:01:00Z"
    for parameters in ({"start": at, "end": at}, {"start": at, "duration": "30seconds"}):
        deleted = await client.delete_datapoints(feed_id=feed_id, datastream_id="t", parameters=parameters)
        assert deleted is True
        assert list((await _values(client, feed_id)).values()) == ["00", "02"]
    before = datetime(2013, 6, 1, 9, 1, tzinfo=UTC)
    await client.delete_datapoints(feed_id=feed_id, datastream_id="t", parameters={"end": before})
    assert list((await _values(client, feed_id)).values()) == ["02"]


async def test_datapoints_need_a_datastream(client: Client, feed_id: str) -> None:
    """Datapoints of a datastream that is not there are refused."""
    with pytest.raises(NotFound):
        await client.create_datapoints(
            feed_id=feed_id, datastream_id="none", data=[Datapoint(at="2013-06-01T09:00:00Z", value=1)]
        )


async def test_datapoints_without_a_time(client: Client, feed_id: str) -> None:
    """Points without a time are all kept, in their order, with the time of their arrival."""
    data = [Datapoint(value=str(n)) for n in range(3)]
    await client.create_datapoints(feed_id=feed_id, datastream_id="t", data=data)
    stream = await client.read_datastream(
        feed_id=feed_id, datastream_id="t", parameters={"duration": "5minutes", "interval": 0}
    )
    assert [point.value for point in stream.datapoints or []] == ["0", "1", "2"]
