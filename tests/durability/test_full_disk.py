"""
No room left: writes are refused in words, reads go on, and nothing that was acknowledged is lost.

The disk is full in two ways. Where the tests may mount, the database is on a small file system of its
own, as on a device's card. And everywhere, a limit on the size of files stops the log that SQLite writes to;
SQLite takes that for a disk that fails, so the words are others.
"""

from __future__ import annotations

import http.client
import json
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from txpachube.testing.service import ServiceNotReady, ServiceProcess
from txpachube.times import format_micros, parse

PATIENCE = 30.0
DISK = "6m"
"""Size of the small file system: the database of an empty service takes a twentieth of it."""

RESERVE = 3_000_000
"""Bytes that a file takes up that is removed to make room."""

ROOM = 400_000
"""Bytes a file may grow by where there is a limit instead."""

POINTS = 100
"""Datapoints in a request: with 64 bytes each, some pages of the database."""

BEGIN = parse("2013-06-01T00:00:00Z")
NO_ROOM = "There is no room left to store anything; nothing of this request was stored"
DISK_FAILED = "Storage does not work at the moment; nothing of this request was stored"


@attrs.frozen
class Disk:
    """
    A service whose disk can be filled.

    Attributes:
        service: the service, with feed 1 that has the datastream ``temp``.
        shrink: takes room away.
        grow: gives it back to the service that runs.
        make_room: gives it back to the next one.
        message: what the service says when there is no room.
    """

    service: ServiceProcess
    shrink: Callable[[], None]
    grow: Callable[[], None]
    make_room: Callable[[], None]
    message: str

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes, str]:
        """Return status, body and content type of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=PATIENCE)
        sent = b"" if body is None else json.dumps(body).encode()
        connection.request(method, path, sent, {"X-ApiKey": self.service.api_key})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, text, answer.getheader("Content-Type", "")

    def write(self, number: int) -> tuple[int, bytes, str]:
        """Write the datapoints of a number."""
        points = [{"at": format_micros(at), "value": value} for at, value in points_of(number).items()]
        return self.ask("POST", "/v2/feeds/1/datastreams/temp/datapoints.json", {"datapoints": points})

    def fill(self, number: int) -> int:
        """Write until there is no room; return the number that was refused."""
        while True:
            status, text, kind = self.write(number)
            if status != 200:
                break
            number += 1
            assert number < 10_000, "the disk does not get full"
        assert status == 503
        assert kind.partition(";")[0] == "application/json"
        assert json.loads(text) == {"title": "Service Unavailable", "errors": self.message}
        return number

    def read(self, number: int) -> dict[int, str]:
        """Return what is stored of the datapoints of a number."""
        times = sorted(points_of(number))
        status, text, _ = self.ask(
            "GET",
            "/v2/feeds/1/datastreams/temp.json"
            f"?start={format_micros(times[0])}&end={format_micros(times[-1])}&interval=0&limit=1000",
        )
        assert status == 200, text
        found = json.loads(text).get("datapoints", [])
        return {parse(point["at"]): point["value"] for point in found}

    def check(self, stored: range, refused: list[int]) -> None:
        """Look whether all of the one and nothing of the other is there, and the database is sound."""
        for number in stored:
            assert self.read(number) == points_of(number), number
        for number in refused:
            assert self.read(number) == {}
        database = sqlite3.connect(f"file:{self.service.data / 'pachube.sqlite3'}?mode=ro", uri=True)
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        database.close()


def points_of(number: int) -> dict[int, str]:
    begin = BEGIN + number * 1_000_000
    return {begin + place: f"{number:020d}.{place:043d}" for place in range(POINTS)}


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A small file system."""
    folder = tmp_path / "card"
    folder.mkdir()
    mount = shutil.which("mount")
    done = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={DISK},mode=700", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if not done or done.returncode != 0:
        pytest.skip("file systems can't be mounted here; the limit on the size of files is tested instead")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small(mounted: Path) -> Iterator[Disk]:
    """A service on a small file system."""
    reserve = mounted / "reserve"
    with ServiceProcess(mounted / "data") as service:

        def shrink() -> None:
            reserve.write_bytes(b"\0" * RESERVE)

        yield prepared(Disk(service, shrink, reserve.unlink, reserve.unlink, NO_ROOM))


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Disk]:
    """A service whose files may not grow."""
    if not hasattr(resource, "prlimit"):
        pytest.skip("this system can't limit another process")
    with ServiceProcess(tmp_path / "data") as service:

        def limit(size: int) -> None:
            # Python programs ignore the signal that comes with the limit, so a write just fails.
            assert service.process is not None
            resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

        def shrink() -> None:
            size = (service.data / "pachube.sqlite3-wal").stat().st_size
            limit(size + ROOM)

        yield prepared(
            Disk(service, shrink, lambda: limit(resource.RLIM_INFINITY), lambda: None, DISK_FAILED)
        )


@pytest.fixture(params=["small", "limited"])
def disk(request: pytest.FixtureRequest) -> Disk:
    """A service whose disk can be filled, in both ways."""
    found: Disk = request.getfixturevalue(request.param)
    return found


def prepared(disk: Disk) -> Disk:
    assert disk.ask("POST", "/v2/feeds", {"title": "T", "datastreams": [{"id": "temp"}]})[0] == 201
    return disk


def test_a_full_disk_refuses_writes_in_words_and_loses_nothing(disk: Disk) -> None:
    """Reads go on; with room again, writing works without a restart; all that was acknowledged is there."""
    disk.shrink()
    assert disk.write(0)[0] == 200
    refused = disk.fill(1)
    assert refused > 1, "there was room for something"
    title = disk.ask("PUT", "/v2/feeds/1.json", {"title": "New", "description": "x" * 250_000})
    assert (title[0], json.loads(title[1])["errors"]) == (503, disk.message)
    status, text, _ = disk.ask("GET", "/v2/feeds/1.json")
    assert (status, json.loads(text)["title"]) == (200, "T")
    disk.check(range(refused), [refused])
    disk.grow()
    assert disk.write(refused + 1)[0] == 200
    assert disk.ask("PUT", "/v2/feeds/1.json", {"title": "New"})[0] == 200
    disk.check(range(refused), [refused])
    assert disk.read(refused + 1) == points_of(refused + 1)
    assert disk.service.stop() == 0
    disk.service.start()
    disk.check(range(refused), [refused])


def test_a_service_that_is_killed_on_a_full_disk_loses_nothing(disk: Disk) -> None:
    """Started again where there is room, it has all that was acknowledged."""
    disk.shrink()
    refused = disk.fill(0)
    disk.service.kill()
    disk.make_room()
    disk.service.start()
    disk.check(range(refused), [refused])
    assert disk.write(refused)[0] == 200


def test_a_service_that_is_stopped_on_a_full_disk_loses_nothing(disk: Disk) -> None:
    """It can't tidy up, but it ends well, and the next one does it."""
    disk.shrink()
    refused = disk.fill(0)
    assert disk.service.stop() == 0
    disk.make_room()
    disk.service.start()
    disk.check(range(refused), [refused])
    assert disk.write(refused)[0] == 200


def test_a_service_that_cant_start_on_a_full_disk_says_why(small: Disk) -> None:
    """It ends with the reason, and starts when there is room."""
    small.shrink()
    refused = small.fill(0)
    small.service.kill()
    with pytest.raises(ServiceNotReady, match="the disk is full"):
        small.service.start()
    small.grow()
    small.service.start()
    small.check(range(refused), [refused])
