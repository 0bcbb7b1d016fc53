"""
A day's work in minutes: memory and files stay what they were.

The service's clock runs ahead a minute at a time, and in each minute every device reports once, through its
own door. Every hour all of them connect anew, histories and graphs are read, somebody subscribes and leaves,
strangers are refused. Then files are counted, which must be exactly as many as at the first hour, and
memory is looked at.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from tests.soak.clocks import WrongClock
from tests.soak.services import DOORS, PATIENCE, AllDoors, ask, ask_json, files_at_rest, memory_of, port_of
from tests.soak.sizes import size
from tests.soak.writers import open_writer

from txpachube.times import SECOND, format_micros

HOURS = size(4, 24)
MINUTES = size(20, 60)
"""Of an hour in which there is work."""

EACH = size(2, 10)
"""Devices at each door."""

WARM = size(2, 12)
"""Hours after which caches are full, of which each of five connections to the database has one of 8 MiB."""

MOST_GROWTH = 8 * 1024 * 1024
"""Bytes of memory it may have more at the end than when it was warm; allocators are not exact."""

MINUTE = 60 * SECOND


def read_everything(service: AllDoors, feeds: int) -> None:
    """Read as people do, and knock as strangers do."""
    for feed in range(1, feeds + 1):
        path = f"/v2/feeds/{feed}/datastreams/t"
        for query in (
            ".json?duration=1hour&interval=60",
            ".csv?duration=1day&interval=300",
            ".xml?limit=100",
        ):
            assert ask(service, "GET", path + query)[0] == 200
        assert ask(service, "GET", f"/v2/feeds/{feed}.json", key=f"nobody-{feed}")[0] == 401
    assert ask(service, "GET", "/v2/feeds/1/datastreams/t.png?duration=1hour")[0] == 200
    subscription = {"method": "subscribe", "resource": "/feeds/1", "headers": {"X-ApiKey": service.api_key}}
    with socket.create_connection(("127.0.0.1", port_of(service, "paws")), PATIENCE) as line:
        line.sendall(json.dumps(subscription).encode())
        assert b'"status":200' in line.recv(65536)


@pytest.mark.slow
@pytest.mark.timeout(size(180, 3600))
def test_a_day_leaves_nothing_behind(tmp_path: Path) -> None:
    """Files are exactly as many after each hour, memory is what it was, and every minute is there."""
    clock = WrongClock(tmp_path / "clock")
    devices = [(door, number) for number in range(EACH) for door in DOORS]
    moments: list[int] = []
    with AllDoors(tmp_path / "data", clock.odd) as service:
        for _ in devices:
            streams = [{"id": "t"}, {"id": "h"}]
            assert ask(service, "POST", "/v2/feeds", {"title": "T", "datastreams": streams})[0] == 201
        files: list[int] = []
        memory: list[int] = []
        for _ in range(HOURS):
            writers = [open_writer(service, door) for door, _ in devices]
            for _ in range(MINUTES):
                clock.set_by(MINUTE)
                now = clock.now
                moments.append(now)
                for feed, writer in enumerate(writers, 1):
                    writer.write(feed, {"t": f"{len(moments)}.50", "h": "48"}, now)
            for writer in writers:
                writer.close()
            clock.set_by((60 - MINUTES) * MINUTE)
            read_everything(service, len(devices))
            files.append(files_at_rest(service))
            memory.append(memory_of(service))
        shown = [round(size / 2**20, 1) for size in memory]
        print(len(moments) * len(devices), "requests; files", files, "MiB", shown)  # noqa: T201
        assert set(files[WARM - 1 :]) == {files[WARM - 1]}
        assert memory[-1] - memory[WARM - 1] < MOST_GROWTH, shown
        for feed in range(1, len(devices) + 1):
            path = f"/v2/feeds/{feed}/datastreams/t/datapoints"
            for place in {0, len(moments) // 2, len(moments) - 1}:
                found = ask_json(service, f"{path}/{format_micros(moments[place])}.json")
                assert found["value"] == f"{place + 1}.50"
        assert "Traceback" not in service.log
        assert service.stop() == 0
