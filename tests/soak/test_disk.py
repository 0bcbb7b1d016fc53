"""
A disk that fails: writes are refused in words, reads go on, and afterwards all is as if nothing had been.

MQTT has no way to refuse: there an acknowledgement says that the message has arrived, whatever became of it,
so none is believed while the disk fails.

A disk that fills is in ``tests/durability/test_full_disk.py``, for real; here is one that returns errors, all
the time or now and then, and one that is read-only. How that is done is told in ``faults.py``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.soak.databases import DATABASE, stored_points
from tests.soak.faults import CAN_FAIL, FAULTS, failing
from tests.soak.fleet import FIRST, Written, differences
from tests.soak.services import DOORS, AllDoors, ask, ask_json
from tests.soak.sizes import size
from tests.soak.writers import Refused, open_writer

from txpachube.testing.service import ServiceProcess

ROUNDS = size(1, 25)
WRITES = size(4, 40)
"""At each door, before the fault, under it and after it."""

NO_ROOM = "There is no room left to store anything; nothing of this request was stored"
DISK_FAILED = "Storage does not work at the moment; nothing of this request was stored"

pytestmark = pytest.mark.slow


class Notebook:
    """
    Writes through all doors and remembers what came of it.

    Attributes:
        requests: all that were made.
        refused: what was said to those that were refused, by door.
    """

    def __init__(self, service: ServiceProcess) -> None:
        streams = [{"id": f"{door}{end}"} for door in DOORS for end in "ab"]
        assert ask(service, "POST", "/v2/feeds", {"title": "T", "datastreams": streams})[0] == 201
        self._service = service
        self.requests: list[Written] = []
        self.refused: dict[str, object] = {}

    def write(self, times: int, *, failing: bool = False) -> int:
        """Write so many times at each door; return how many requests were stored, as the doors say."""
        acknowledged = 0
        self.refused = {}
        for door in DOORS:
            writer = open_writer(self._service, door)
            for _ in range(times):
                at = FIRST + 1000 * len(self.requests)
                values = {f"{door}{end}": f"{len(self.requests)}.50" for end in "ab"}
                known = None
                try:
                    writer.write(1, values, at)
                    if not failing or door != "mqtt":
                        known = 0.0
                        acknowledged += 1
                except Refused as refused:
                    self.refused[door] = refused
                self.requests.append(Written(values, at, known))
            writer.close()
        return acknowledged

    def check(self) -> None:
        """Compare what is stored with what was acknowledged."""
        assert differences(self.requests, stored_points(self._service.data / DATABASE)) == []


@pytest.mark.skipif(not CAN_FAIL, reason="strace is needed (make judges installs it), and must be allowed")
@pytest.mark.timeout(size(180, 3600))
@pytest.mark.parametrize("fault", FAULTS)
def test_a_disk_that_fails_loses_nothing(fault: str, tmp_path: Path) -> None:
    """Who writes is told so at every door, who reads the present is answered; then it works again."""
    with AllDoors(tmp_path / "data") as service:
        notebook = Notebook(service)
        everything = WRITES * len(DOORS)
        for _ in range(ROUNDS):
            assert notebook.write(WRITES) == everything
            with failing(service, fault):
                acknowledged = notebook.write(WRITES, failing=True)
                status, text, _ = ask(service, "PUT", "/v2/feeds/1.json", {"title": "New"})
                assert "current_value" in ask_json(service, "/v2/feeds/1.json")["datastreams"][0]
            if fault in ("every-third", "reading"):
                assert status in (200, 503)
            else:
                assert acknowledged == 0
                assert set(notebook.refused) == {*DOORS} - {"mqtt"}
                assert status == 503
                assert json.loads(text)["errors"] == (NO_ROOM if fault == "full" else DISK_FAILED)
            assert notebook.write(WRITES) == everything, "it works again without a restart"
            assert ask(service, "PUT", "/v2/feeds/1.json", {"title": "T"})[0] == 200
            notebook.check()
            service.kill()
            service.start()
            notebook.check()
        assert "Traceback" not in service.log
        assert service.stop() == 0


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own."""
    folder = tmp_path / "card"
    folder.mkdir()
    mount = shutil.which("mount") or "mount"
    command = [mount, "-t", "tmpfs", "-o", "size=20m,mode=700", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("file systems can't be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_read_only_is_told_of_at_the_start(mounted: Path) -> None:
    """The service does not start and says why; when the disk can be written, it has everything."""

    def remount(how: str) -> int:
        command = ["mount", "-o", f"remount,{how}", str(mounted)]
        return subprocess.run(command, capture_output=True, check=False).returncode

    with AllDoors(mounted / "data") as service:
        notebook = Notebook(service)
        assert notebook.write(WRITES) == WRITES * len(DOORS)
        assert remount("ro") != 0, "the system does not take the disk from a service that writes to it"
        assert notebook.write(WRITES) == WRITES * len(DOORS)
        assert service.stop() == 0
    assert remount("ro") == 0
    # Its log is on the same disk, so it is asked as a person would.
    said = service.run("serve", "--http", "off", "--no-paws", "--no-websocket", "--no-mqtt")
    assert said.returncode == 1
    assert "Read-only" in said.stderr or "read-only" in said.stderr or "readonly" in said.stderr, said.stderr
    assert "Traceback" not in said.stderr
    assert remount("rw") == 0
    service.start()
    notebook.check()
    assert notebook.write(WRITES) == WRITES * len(DOORS)
    assert service.stop() == 0
    notebook.check()
