"""The examples, each run as the program it is, against the real service."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_twisted import blockon

from txpachube import DataFormats, Datapoint, Datastream, Environment, Key, Location, NotFound, Trigger, Unit
from txpachube.client import Client
from txpachube.testing.service import ServiceProcess

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE = 60
"""Seconds an example may take on a busy machine."""

Example = Callable[..., str]


@pytest.fixture
def feed_id(client: Client) -> str:
    """Return a feed without anything."""
    return str(blockon(client.create_feed(data=Environment(title="Greenhouse"))))


@pytest.fixture
def environ(service: ServiceProcess, feed_id: str) -> dict[str, str]:
    """Return the environment of somebody who set up address, key and feed, as the examples say."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PACHUBE_")}
    return {
        **kept,
        "PACHUBE_URL": service.url,
        "PACHUBE_API_KEY": service.api_key,
        "PACHUBE_FEED_ID": feed_id,
    }


@pytest.fixture
def example(environ: dict[str, str]) -> Example:
    """Return a function that runs an example to its end and returns what it printed."""

    def run(name: str, *arguments: str, **variables: str) -> str:
        command = [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]
        found = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env={**environ, **variables},
            check=False,
        )
        assert (found.returncode, found.stderr) == (0, "")
        return found.stdout

    return run


async def test_create_feed(example: Example, client: Client) -> None:
    """The feed that the example made has its title, its place, its datastreams and the first value."""
    feed = await client.read_feed(feed_id=example("create_feed").strip())
    assert (feed.title, feed.tags, feed.status) == ("Greenhouse", ["glass", "tomato"], "live")
    assert feed.location == Location(
        name="Hut 3", exposure="outdoor", domain="physical", lat=52.1043, lon=9.3612
    )
    streams = feed.datastreams or {}
    assert {name: stream.current_value for name, stream in streams.items()} == {"door": None, "temp": "21.50"}
    assert streams["temp"].unit == Unit(label="Celsius", symbol="C")


async def test_list_feeds(example: Example, client: Client) -> None:
    """The newest feeds come first, and it says how many there are."""
    newest = await client.create_feed(data=Environment(title="Newest of all"))
    first, *_, last = example("list_feeds").splitlines()
    assert first == f"{newest}  frozen  Newest of all"
    assert re.fullmatch(r"(\d+) of \d+ feeds", last)


async def test_update_feed(example: Example, client: Client, feed_id: str) -> None:
    """EEML written by hand arrives, with its unit."""
    assert example("update_feed") == "updated\n"
    feed = await client.read_feed(feed_id=feed_id)
    streams = feed.datastreams or {}
    assert {name: stream.current_value for name, stream in streams.items()} == {
        "door": "open",
        "temp": "19.75",
    }
    assert streams["temp"].unit == Unit(type="derivedSI", symbol="C", label="Celsius")
    assert streams["temp"].at == streams["door"].at
    assert feed.status == "live"


async def test_read_feed(example: Example, client: Client, feed_id: str) -> None:
    """All datastreams are read, or those that are named."""
    at = "2013-06-01T10:15:02.001200Z"
    streams = [
        Datastream(id="temp", current_value="21.50", at=at, unit=Unit(symbol="C")),
        Datastream(id="door", current_value="open", at=at),
        Datastream(id="light", current_value="7", at=at),
    ]
    await client.update_feed(feed_id=feed_id, data=Environment(datastreams=streams))
    door, light, temp = f"door: open  ({at})\n", f"light: 7  ({at})\n", f"temp: 21.50 C ({at})\n"
    assert example("read_feed") == "Greenhouse is live\n" + door + light + temp
    assert example("read_feed", "temp", "door") == "Greenhouse is live\n" + door + temp


async def test_delete_feed(example: Example, client: Client, feed_id: str) -> None:
    """The feed is gone, and no other."""
    other = await client.create_feed(data=Environment(title="stays"))
    assert example("delete_feed", feed_id) == f"deleted feed {feed_id}\n"
    with pytest.raises(NotFound):
        await client.read_feed(feed_id=feed_id)
    assert (await client.read_feed(feed_id=other)).title == "stays"


async def test_view_datapoints(example: Example, client: Client, feed_id: str) -> None:
    """Every datapoint of the last ten minutes is shown, and no older one."""
    old = Datapoint(at="2013-06-01T10:00:00Z", value="old")
    await client.create_datastream(feed_id=feed_id, data=Datastream(id="temp", datapoints=[old]))
    for value in ("20.1", "20.2", "20.3"):
        await client.update_datastream(
            feed_id=feed_id, datastream_id="temp", format=DataFormats.CSV, data=value
        )
    await client.create_datastream(feed_id=feed_id, data=Datastream(id="door"))
    lines = example("view_datapoints").splitlines()
    assert lines[:2] == ["door: 0 datapoints", "temp: 3 datapoints"]
    assert [line.split() for line in lines[2:]] == sorted(line.split() for line in lines[2:])
    assert [line.split()[1] for line in lines[2:]] == ["20.1", "20.2", "20.3"]


async def test_view_keys(example: Example, client: Client, feed_id: str) -> None:
    """Each key is shown with what it may, and never its text."""
    permissions = [{"access_methods": ["get", "put"], "resources": [{"feed_id": int(feed_id)}]}]
    text = await client.create_api_key(
        data=Key(label="the door", private_access=True, permissions=permissions)
    )
    printed = example("view_keys")
    assert f"the door (private)\n  get put  feed {feed_id}\n" in printed
    assert "master key (private)\n  get put post delete  everything\n" in printed
    assert text not in printed


# The meter

READING = (
    b"<msg><src>CC128-v0.11</src><dsb>00089</dsb><time>13:02:39</time><tmpr>18.7</tmpr><sensor>0</sensor>"
    b"<id>01234</id><type>1</type><ch1><watts>00345</watts></ch1></msg>"
)
HISTORY = (
    b"<msg><src>CC128-v0.11</src><dsb>00089</dsb><time>13:10:50</time><hist><dsw>00032</dsw><type>1</type>"
    b"<units>kwhr</units><data><sensor>0</sensor><h024>001.1</h024><h022>000.9</h022></data></hist></msg>"
)


class Monitor:
    """The Current Cost monitor in a child process, and the meter at the other end of its line."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._meter, programs_end = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, str(EXAMPLES / "current_cost.py"), os.ttyname(programs_end)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environ,
            text=True,
        )
        self.prints("listening on")  # before this end is closed, lest the line seem cut
        os.close(programs_end)

    def hears(self, data: bytes) -> None:
        os.write(self._meter, data + b"\r\n")

    def prints(self, wanted: str) -> None:
        """Wait until it prints a line that begins so, and fail when it prints another."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith(wanted), line

    def unplug(self) -> str:
        """Cut the line and return the last it says."""
        os.close(self._meter)
        rest, _ = self.process.communicate(timeout=PATIENCE)
        return rest

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def monitor(environ: dict[str, str]) -> Iterator[Monitor]:
    """Return the monitor, listening."""
    started = Monitor(environ)
    yield started
    if started.process.poll() is None:
        started.end()


async def test_the_meter(monitor: Monitor, client: Client, feed_id: str) -> None:
    """What the meter measured is in the feed; history, cut and garbled messages are not, and stop nothing."""
    sent = []
    for number in range(5):
        watts, degrees = 345 + number, f"18.{number}"
        message = READING.replace(b"00345", b"%05d" % watts).replace(b"18.7", degrees.encode())
        noise = (b"", HISTORY, READING[:97], READING.replace(b"<watts>", b"<wa\xfftts>"), b"\x00</msg>")[
            number
        ]
        monitor.hears(noise + message)
        monitor.prints(f"temperature={degrees} watts={watts}\n")
        sent.append((degrees, str(watts)))
    feed = await client.read_feed(feed_id=feed_id, parameters={"duration": "5minutes", "interval": 0})
    streams = feed.datastreams or {}
    assert list(streams) == ["temperature", "watts"]
    stored = [[point.value for point in stream.datapoints or []] for stream in streams.values()]
    assert list(zip(*stored, strict=True)) == sent
    assert streams["watts"].max_value == "349.0"
    assert monitor.unplug() == "the meter is gone\n"


async def test_the_meter_outlives_the_service(
    tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]
) -> None:
    """While the service is away the monitor goes on listening, and uploads again when it is back."""
    data = tmp_path_factory.mktemp("meter")
    with ServiceProcess(data) as service:
        client = Client(service.api_key, base_url=service.url, environ={})
        feed_id = await client.create_feed(data=Environment(title="meter"))
        variables = {
            "PACHUBE_URL": service.url,
            "PACHUBE_API_KEY": service.api_key,
            "PACHUBE_FEED_ID": feed_id,
        }
        monitor = Monitor({**environ, **variables})
        try:
            monitor.hears(READING)
            monitor.prints("temperature=18.7 watts=345\n")
            port = service.port
            service.kill()
            monitor.hears(READING.replace(b"00345", b"00346"))
            monitor.prints(f"PUT {service.url}/v2/feeds/{feed_id}.json: ")
            with ServiceProcess(data, doors={"http": f"tcp:{port}:interface=127.0.0.1"}):
                monitor.hears(READING.replace(b"00345", b"00347"))
                monitor.prints("temperature=18.7 watts=347\n")
                stream = await client.read_datastream(feed_id=feed_id, datastream_id="watts")
                assert (stream.current_value, stream.max_value) == ("347", "347.0")
                await client.close()
        finally:
            monitor.end()


async def test_view_triggers(example: Example, client: Client, feed_id: str) -> None:
    """Each trigger is listed with its condition and its receiver."""
    await client.create_datastream(feed_id=feed_id, data=Datastream(id="temp"))
    trigger = Trigger(
        url="http://hooks.example/a",
        trigger_type="lt",
        environment_id=feed_id,
        stream_id="temp",
        threshold_value="15.0",
    )
    number = await client.create_trigger(data=trigger)
    assert f"{number}: feed {feed_id}, temp lt 15.0 -> http://hooks.example/a\n" in example("view_triggers")


def test_every_example_over_http_is_tried() -> None:
    """No example that speaks HTTP is without its test."""
    tried = set(re.findall(r'example\("(\w+)"', Path(__file__).read_text("utf-8")))
    over_http = {path.stem for path in EXAMPLES.glob("*.py") if "import Client\n" in path.read_text("utf-8")}
    assert over_http == tried | {"current_cost"}
