"""
Devices at all doors at once, each writing as fast as it is answered, and what they know to be stored.

Each request of a device gives two datastreams of its own a value at a moment that no other request has. So
what must be found afterwards is simple: both values of every request that was acknowledged, to the letter,
and of the one request that was not answered any more both or none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from random import Random
from typing import Final

import attrs
from tests.soak.services import DOORS, ask
from tests.soak.writers import GONE, Refused, open_writer

from txpachube.testing.service import ServiceProcess
from txpachube.times import parse

__all__ = ["FEEDS", "FIRST", "Device", "Fleet", "Written", "differences"]

FEEDS: Final = 4
EACH: Final = 3
"""Devices at each door."""

FIRST: Final = parse("2013-06-01T00:00:00Z")
SPELLINGS: Final = ("{:07d}", "{}.50", "-0{}", "n°{}", "{}e-3")

Point = tuple[str, int]
"""Datastream and moment."""


@attrs.frozen
class Written:
    """
    What one request was about.

    Attributes:
        values: its values by datastream.
        at: their moment, microseconds since 1970.
        known: when the device had the acknowledgement, seconds since 1970; None: it never had one.
    """

    values: dict[str, str]
    at: int
    known: float | None


class Device:
    """
    One of those that write.

    Attributes:
        feed: the id of its feed.
        door: the door it writes through.
        requests: what it asked for, oldest first.
        fault: an answer that should not have come.
    """

    def __init__(self, feed: int, door: str, number: int, seed: int) -> None:
        self.feed = feed
        self.door = door
        self.streams = (f"{door}-{number}-a", f"{door}-{number}-b")
        self.requests: list[Written] = []
        self.fault: Refused | None = None
        self._random = Random(seed)
        self._count = 0

    def work(self, service: ServiceProcess, acknowledged: Callable[[], None], most: int = 1 << 60) -> None:
        """Write until the service is gone, or so many requests were made."""
        try:
            writer = open_writer(service, self.door)
            try:
                for _ in range(most):
                    self._count += 1
                    at = FIRST + 1000 * self._count
                    values = {
                        name: self._random.choice(SPELLINGS).format(self._count) for name in self.streams
                    }
                    self.requests.append(Written(values, at, None))
                    writer.write(self.feed, values, at)
                    self.requests[-1] = Written(values, at, time.time())
                    acknowledged()
            finally:
                writer.close()
        except GONE:
            pass
        except Refused as refused:
            self.fault = refused


def differences(
    requests: Iterable[Written], found: Callable[[str, int], str | None], before: float = float("inf")
) -> list[str]:
    """
    Say what is not as it must be.

    Args:
        requests: of a device.
        found: returns the value that is stored for a datastream at a moment, if there is one.
        before: what was acknowledged later may be missing.
    """
    wrong = []
    for written in requests:
        stored = {name: value for name in written.values if (value := found(name, written.at)) is not None}
        if stored != written.values and (stored or (written.known is not None and written.known <= before)):
            wrong.append(f"{written}: {stored} is stored")
    return wrong


class Fleet:
    """
    The devices of a service.

    Args:
        service: it runs.
        random: what they write, and in which order.

    Attributes:
        devices: all of them.
    """

    def __init__(self, service: ServiceProcess, random: Random, doors: Iterable[str] = DOORS) -> None:
        self.devices: list[Device] = []
        self._service = service
        feeds = [
            int(ask(service, "POST", "/v2/feeds", {"title": "T"})[2].rpartition("/")[2]) for _ in range(FEEDS)
        ]
        for door in doors:
            for number in range(EACH):
                device = Device(random.choice(feeds), door, number, random.getrandbits(64))
                self.devices.append(device)
                streams = {"datastreams": [{"id": name} for name in device.streams]}
                path = f"/v2/feeds/{device.feed}/datastreams.json"
                assert ask(service, "POST", path, streams)[0] == 201

    @property
    def answered(self) -> int:
        """How many requests were acknowledged."""
        return sum(written.known is not None for device in self.devices for written in device.requests)

    def write(self, most: int = 1 << 60) -> _Work:
        """Let all devices write from now on, until the service is gone or each has made so many requests."""
        return _Work(self._service, self.devices, most)


class _Work:
    """Devices at work."""

    def __init__(self, service: ServiceProcess, devices: list[Device], most: int) -> None:
        self._acknowledged = threading.Semaphore(0)
        self._devices = devices
        self._threads = [
            threading.Thread(target=device.work, args=(service, self._acknowledged.release, most))
            for device in devices
        ]
        for thread in self._threads:
            thread.start()

    def wait(self, moment: int, patience: float) -> None:
        """Wait until so many requests were acknowledged."""
        for _ in range(moment):
            assert self._acknowledged.acquire(timeout=patience), [device.fault for device in self._devices]

    def end(self, patience: float) -> None:
        """Wait until no device writes any more."""
        for thread in self._threads:
            thread.join(patience)
            assert not thread.is_alive()
        assert [device.fault for device in self._devices if device.fault] == []
