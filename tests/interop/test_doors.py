"""The client and the service on other lines than TCP with IPv4, and many calls at a time."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.defer import gatherResults

from txpachube import Datastream, Environment
from txpachube.client import Client
from txpachube.testing.service import ServiceProcess


async def _works(client: Client) -> None:
    feed_id = await client.create_feed(data=Environment(title="x", datastreams=[{"id": "t"}]))
    await client.update_datastream(feed_id=feed_id, datastream_id="t", data=Datastream(current_value="1"))
    stream = await client.read_datastream(feed_id=feed_id, datastream_id="t")
    assert stream.current_value == "1"
    await client.close()


async def test_a_unix_socket(tmp_path: Path) -> None:
    """Both ends take an endpoint: a socket in the file system needs no port."""
    endpoint = f"unix:{tmp_path}/socket"
    with ServiceProcess(tmp_path / "data", {"http": endpoint}) as service:
        assert service.urls == {"http": endpoint}
        client = Client(service.api_key, endpoint=endpoint, environ={})
        await _works(client)


async def test_ipv6(tmp_path: Path) -> None:
    """The URL that the service prints is one that the client takes."""
    with ServiceProcess(tmp_path, {"http": r"tcp6:0:interface=\:\:1"}) as service:
        assert service.url.startswith("http://[::1]:")
        await _works(Client(service.api_key, base_url=service.url, environ={}))


@pytest.mark.parametrize("count", [200])
async def test_many_calls_at_a_time(client: Client, count: int) -> None:
    """Calls made without waiting for one another all get their own answers."""
    feed_id = await client.create_feed(data=Environment(title="busy"))
    streams = [Datastream(id=f"s{n}", current_value=str(n)) for n in range(count)]
    made = await gatherResults([client.create_datastream(feed_id=feed_id, data=stream) for stream in streams])
    assert made == [stream.id for stream in streams]
    read = await gatherResults(
        [client.read_datastream(feed_id=feed_id, datastream_id=stream.id) for stream in streams]
    )
    assert [stream.current_value for stream in read] == [stream.current_value for stream in streams]
