"""
Nothing that was acknowledged at any door is lost when the service is killed, however often.

Fifteen devices, three at each door, write at the same time. At a random moment the service is
killed; its files are looked at, it is started again, and now and then everything is read back over HTTP.
Every other service folds its journal and moves its log all the time, so that many kills hit that.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from random import Random

import pytest
from tests.soak.databases import DATABASE, stored_points
from tests.soak.fleet import Fleet, differences
from tests.soak.services import PATIENCE, AllDoors, ask_json
from tests.soak.sizes import size

from txpachube.times import format_micros, parse

ROUNDS = size(4, 200)
LAST_MOMENT = size(400, 1500)
"""Acknowledged requests after which a round ends at the latest."""

READ_EVERY = size(4, 20)
"""Rounds between two readings of everything through the service."""

BUSY = {"ODD_FOLD_ROWS": "30", "ODD_CHECKPOINT": "40"}
PAGE = 1000


def check_files(service: AllDoors, fleet: Fleet, scratch: Path, seen: dict[str, int]) -> None:
    """Compare the files, as they were left, with what the devices know."""
    scratch.mkdir()
    for end in ("", "-wal"):
        shutil.copy(service.data / f"{DATABASE}{end}", scratch)
    found = stored_points(scratch / DATABASE)
    shutil.rmtree(scratch)
    for device in fleet.devices:
        assert differences(device.requests, found) == [], device.door
        seen[device.door] = len(device.requests)


def check_answers(service: AllDoors, fleet: Fleet) -> None:
    """Compare what the service answers with what the devices know."""
    for device in fleet.devices:
        points: dict[tuple[str, int], str] = {}
        for name in device.streams:
            start = device.requests[0].at
            while start <= device.requests[-1].at:
                path = f"/v2/feeds/{device.feed}/datastreams/{name}.json"
                query = f"?start={format_micros(start)}&end={format_micros(start + PAGE * 1000 - 1)}"
                page = ask_json(service, f"{path}{query}&interval=0&limit={PAGE}")
                for point in page.get("datapoints", []):
                    points[name, parse(point["at"])] = point["value"]
                start += PAGE * 1000
        assert differences(device.requests, partial(_find, points)) == []


def _find(points: dict[tuple[str, int], str], name: str, at: int) -> str | None:
    return points.get((name, at))


@pytest.mark.slow
@pytest.mark.timeout(size(180, 3600))
@pytest.mark.parametrize("odd", [{}, BUSY], ids=["usual", "busy"])
def test_what_any_door_acknowledged_survives_a_kill(odd: dict[str, str], tmp_path: Path) -> None:
    """Both values of every acknowledged request are there to the letter, and of others both or none."""
    seed = Random().getrandbits(32)
    print("seed", seed)  # noqa: T201 - shown when the test fails
    random = Random(seed)
    rounds = ROUNDS // 2
    answered: dict[str, int] = {}
    with AllDoors(tmp_path / "data", odd) as service:
        fleet = Fleet(service, random)
        for number in range(rounds):
            work = fleet.write()
            work.wait(random.randrange(1, LAST_MOMENT), PATIENCE)
            service.kill()
            work.end(PATIENCE)
            check_files(service, fleet, tmp_path / "copy", answered)
            service.start()
            if (number + 1) % READ_EVERY == 0 or number == rounds - 1:
                check_answers(service, fleet)
        assert service.stop() == 0
    assert fleet.answered > rounds
    print(rounds, "kills,", fleet.answered, "acknowledged:", answered)  # noqa: T201 - for who reads along
