"""
Nothing that was acknowledged is lost when the power goes, whatever a disk may lose then.

How that is played, and what it can't show, is told in ``disklog.py``. Half of the moments are those at which
a device has just read its acknowledgement, which are the most dangerous ones. A service that does not
wait for its disk must be found out in the same way, or the play would prove nothing.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest
from tests.soak.databases import DATABASE, stored_points
from tests.soak.disklog import Disk, Event, RecordedService, after_the_cut, read_log
from tests.soak.fleet import FEEDS, Fleet, differences
from tests.soak.services import PATIENCE, AllDoors, ask_json
from tests.soak.sizes import size

from txpachube.times import format_micros

CUTS = size(60, 1500)
REQUESTS = size(15, 150)
"""Of each device."""

STARTS = size(2, 20)
"""Cuts after which the service itself is started on what is left, besides looking into the files."""

FIRST_STARTS = size(4, 40)

BUSY = {"ODD_FOLD_ROWS": "30", "ODD_CHECKPOINT": "40"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("strace"), reason="strace is needed (make judges installs it)"),
]


def record(tmp_path: Path, odd: dict[str, str], random: Random) -> tuple[list[Event], Fleet, float]:
    """Run a service that writes a lot; return what it did to its files, and when it was told to end."""
    watched = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    if watched.returncode != 0:
        pytest.skip("strace may not watch another program here")
    with RecordedService(tmp_path / "data", tmp_path / "log", odd) as service:
        fleet = Fleet(service, random)
        began = max(file.stat().st_mtime for file in service.data.iterdir())
        fleet.write(REQUESTS).end(PATIENCE)
        assert fleet.answered == REQUESTS * len(fleet.devices)
        assert service.stop() == 0
    return read_log(tmp_path / "log", tmp_path / "data"), fleet, began


def moments(events: list[Event], fleet: Fleet, began: float, random: Random) -> list[float]:
    """Return when to cut the power, since the devices began to write."""
    known = [w.known for device in fleet.devices for w in device.requests if w.known is not None]
    after = [random.choice(known) for _ in range(CUTS // 2)]
    return sorted(after + [random.uniform(began, events[-1].ended) for _ in range(CUTS - CUTS // 2)])


def lost(folder: Path, fleet: Fleet, moment: float) -> list[str]:
    """Say what is wrong in what a cut left."""
    found = stored_points(folder / DATABASE)
    return [wrong for device in fleet.devices for wrong in differences(device.requests, found, before=moment)]


@pytest.mark.timeout(size(180, 3600))
@pytest.mark.parametrize("odd", [{}, BUSY], ids=["usual", "busy"])
def test_what_was_acknowledged_survives_a_power_cut(odd: dict[str, str], tmp_path: Path) -> None:
    """The database is sound after every cut and has everything acknowledged before it, to the letter."""
    seed = Random().getrandbits(32)
    print("seed", seed)  # noqa: T201 - shown when the test fails
    random = Random(seed)
    events, fleet, began = record(tmp_path, odd, random)
    start_at = set(random.sample(range(CUTS), STARTS))
    before = 0
    for number, (moment, files) in enumerate(Disk(events).cuts(moments(events, fleet, began, random))):
        left = tmp_path / "left"
        left.mkdir()
        after_the_cut(files, left, random)
        if number in start_at:
            check_start(left, tmp_path, fleet, moment)
        assert lost(left, fleet, moment) == [], moment
        shutil.rmtree(left)
        before += sum(w.known is not None and w.known <= moment for d in fleet.devices for w in d.requests)
    assert before > CUTS
    syncs = sum(event.kind == "sync" for event in events)
    print(CUTS, "cuts among", len(events), "calls,", syncs, "of them syncs;", fleet.answered, "requests")  # noqa: T201


def check_start(left: Path, tmp_path: Path, fleet: Fleet, moment: float) -> None:
    """Start the service itself on what is left, and ask it."""
    shutil.copytree(left, tmp_path / "started")
    shutil.copy(tmp_path / "data" / "admin.toml", tmp_path / "started")
    with AllDoors(tmp_path / "started") as service:
        for device in fleet.devices:
            known = [w for w in device.requests if w.known is not None and w.known <= moment]
            for written in known[-1:]:
                for name, value in written.values.items():
                    at = format_micros(written.at)
                    path = f"/v2/feeds/{device.feed}/datastreams/{name}/datapoints/{at}.json"
                    assert ask_json(service, path)["value"] == value
        assert service.stop() == 0
    shutil.rmtree(tmp_path / "started")


@pytest.mark.timeout(size(180, 3600))
def test_a_first_start_that_is_cut_short_can_be_made_again(tmp_path: Path) -> None:
    """Whatever is left of it, the next start ends with an account whose secrets are in their file."""
    random = Random()
    events, fleet, began = record(tmp_path, {}, random)
    assert fleet.devices
    first = [event.ended for event in events if event.ended < began]
    for _moment, files in Disk(events).cuts(sorted(random.choices(first, k=FIRST_STARTS))):
        left = tmp_path / "left"
        left.mkdir(mode=0o700)
        after_the_cut(files, left, random)
        with AllDoors(left) as service:
            assert ask_json(service, "/v2/feeds.json")["totalResults"] <= FEEDS
            assert service.stop() == 0
        shutil.rmtree(left)


@pytest.mark.timeout(180)
def test_a_service_that_does_not_wait_for_its_disk_is_found_out(tmp_path: Path) -> None:
    """Without syncs, cuts lose what was acknowledged, and that is seen."""
    random = Random(1)
    events, fleet, began = record(tmp_path, {"ODD_SYNCHRONOUS": "OFF"}, random)
    found_out = 0
    for moment, files in Disk(events).cuts(moments(events, fleet, began, random)):
        left = tmp_path / "left"
        left.mkdir()
        after_the_cut(files, left, random)
        try:
            found_out += bool(lost(left, fleet, moment))
        except Exception:  # so broken that not even SQLite can read it
            found_out += 1
        shutil.rmtree(left)
    assert found_out > CUTS // 2
