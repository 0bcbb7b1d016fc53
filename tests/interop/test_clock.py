"""The clock of a running service is set, as it is on a small computer that finds the network."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import blockon
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from txpachube import Datastream, Environment
from txpachube.client import Client, PAWSClient, RetryPolicy
from txpachube.testing.proxy import Proxy
from txpachube.testing.service import LOOPBACK, ServiceProcess

QUARTER = 900.0
NOBODY = 1
"""A port behind which there is nothing."""

# Runs in the service before anything else; its clock differs from ours by as many seconds as a file says.
WRONG_CLOCK = """
import time

def ahead(real=time.time):
    with open({offset!r}) as file:
        return real() + float(file.read())

time.time = ahead
time.time_ns = lambda: int(ahead() * 1e9)
"""


class Clock:
    """The clock of the service."""

    def __init__(self, folder: Path) -> None:
        self._offset = folder / "offset"
        self.set(0)
        (folder / "sitecustomize.py").write_text(WRONG_CLOCK.format(offset=str(self._offset)))
        self.environ = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }

    def set(self, seconds: float) -> None:
        """Let the clock show so many seconds more than ours."""
        new = self._offset.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self._offset)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """Return the clock that the service goes by."""
    return Clock(tmp_path)


@pytest.fixture
def service(tmp_path: Path, clock: Clock) -> Iterator[ServiceProcess]:
    """Return a service of one's own."""
    doors = {"http": LOOPBACK, "paws": LOOPBACK}
    with ServiceProcess(tmp_path / "data", doors, environ=clock.environ) as running:
        yield running
    assert "Traceback" not in running.log


@pytest.fixture
def writer(service: ServiceProcess) -> Iterator[Client]:
    """Return a client of a new feed."""
    client = Client(service.api_key, base_url=service.url, environ={})
    feed = Environment(title="Greenhouse", datastreams=[{"id": "temp", "current_value": "20"}])
    client.feed_id = blockon(client.create_feed(data=feed))
    yield client
    blockon(client.close())


class Ear:
    """Notes status and value of what a subscriber gets."""

    def __init__(self) -> None:
        self.heard: list[tuple[str | None, str | None]] = []
        self._awaited: tuple[int, Deferred[None]] | None = None

    def __call__(self, feed: Environment) -> None:
        self.heard.append((feed.status, (feed.datastreams or {})["temp"].current_value))
        if self._awaited is not None and len(self.heard) >= self._awaited[0]:
            awaited, self._awaited = self._awaited[1], None
            awaited.callback(None)

    def until(self, count: int) -> Deferred[None]:
        """Return a Deferred that fires when so much was heard."""
        heard: Deferred[None] = Deferred()
        if len(self.heard) >= count:
            heard.callback(None)
        else:
            self._awaited = count, heard
        return heard


async def test_a_clock_that_is_set_forward_and_back(
    service: ServiceProcess, writer: Client, clock: Clock
) -> None:
    """Subscribers hear that a feed freezes and that it is live again, while connections stay open."""
    client = PAWSClient(service.api_key, url=service.urls["paws"], environ={})
    await client.connect()
    ear = Ear()
    await client.subscribe(f"/feeds/{writer.feed_id}", ear)
    for count, offset in enumerate([QUARTER + 1, 0.0, 30 * 86400.0, 0.0], 1):
        clock.set(offset)
        await ear.until(count)
        feed = await writer.read_feed()
        assert feed.status == ear.heard[-1][0]
    assert ear.heard == [("frozen", "20"), ("live", "20")] * 2
    await writer.update_datastream(datastream_id="temp", data=Datastream(current_value="21"))
    await ear.until(5)
    assert ear.heard[4:] == [("live", "21")]
    await client.disconnect()


async def test_a_feed_that_freezes_while_the_line_is_broken(
    service: ServiceProcess, writer: Client, clock: Clock
) -> None:
    """The subscriber learns of it when there is a line again, although no point was missed."""
    port = int(service.urls["paws"].rpartition(":")[2])
    proxy = Proxy(reactor, port)
    await proxy.start()
    client = PAWSClient(
        service.api_key,
        url=f"tcp://127.0.0.1:{proxy.port}",
        retry=RetryPolicy(first_delay=0, longest_delay=0.05),
        environ={},
    )
    await client.connect()
    ear = Ear()
    await client.subscribe(f"/feeds/{writer.feed_id}", ear)
    await writer.update_datastream(datastream_id="temp", data=Datastream(current_value="21"))
    await ear.until(1)
    proxy.target = NOBODY
    proxy.cut()
    await until(lambda: not client.connected)
    clock.set(QUARTER + 60)
    proxy.target = port
    await ear.until(2)
    assert ear.heard == [("live", "21"), ("frozen", "21")]
    await client.disconnect()
    await proxy.stop()


async def until(condition: Callable[[], Any]) -> None:
    """Let the reactor go round until something is so; the test's own time limit ends it."""
    while not condition():
        await deferLater(reactor, 0.001)
