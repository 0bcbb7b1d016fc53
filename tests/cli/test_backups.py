"""``txpachube backup`` and ``restore``, beside a service that has real work."""

from __future__ import annotations

import http.client
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

from txpachube.testing.service import ServiceProcess


def ask(service: ServiceProcess, line: str, body: str = "") -> tuple[int, bytes]:
    """Return status and body of the answer to a request with the master key."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    try:
        method, _, path = line.partition(" ")
        connection.request(method, path, body or None, {"X-ApiKey": service.api_key, "Host": "example.test"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_what_a_running_service_has_is_backed_up_and_comes_back(tmp_path: Path) -> None:
    """Also what was only just written; a new machine answers as the old one did."""
    file = tmp_path / "backup"
    reads = ("GET /v2/feeds/504.json", "GET /v2/feeds/504/datastreams/temp.json?duration=6hours&interval=0")
    with ServiceProcess(tmp_path / "old") as old:
        assert old.run("feed", "add", "--id", "504", "--title", "Roof").returncode == 0
        while ask(old, "PUT /v2/feeds/504.csv", "temp,21.5")[0] != 200:
            pass  # the service notices the new feed within a second
        for value in range(20):
            assert ask(old, "PUT /v2/feeds/504.csv", f"temp,{value}")[0] == 200
        facts = old.run_json("backup", str(file))
        before = [ask(old, line) for line in reads]
        refused = old.run("restore", str(file), "--replace")
        assert refused.returncode == 1
        assert "stop it first" in refused.stderr
        assert ask(old, "PUT /v2/feeds/504.csv", "temp,lost")[0] == 200
    assert (facts["feeds"], facts["datapoints"]) == (1, 21)
    new = ServiceProcess(tmp_path / "new")
    done = new.run("restore", str(file))
    assert done.stdout == f"Restored 1 account, 1 feed and 21 datapoints to {tmp_path / 'new'}.\n"
    (tmp_path / "new" / "admin.toml").write_bytes((tmp_path / "old" / "admin.toml").read_bytes())
    with new:
        assert [ask(new, line) for line in reads] == before
        assert ask(new, "PUT /v2/feeds/504.csv", "temp,22")[0] == 200


def test_what_stands_in_the_way_is_said(tmp_path: Path) -> None:
    """With the option that helps, and without a traceback."""
    service = ServiceProcess(tmp_path / "data")
    absent = service.run("backup", str(tmp_path / "file"))
    assert (absent.returncode, absent.stderr) == (
        1,
        f"Error: there is no database in {tmp_path / 'data'}\n",
    )
    assert not (tmp_path / "data").exists()
    service.run_json("user", "list")
    assert "the copy is sound" in service.run("backup", str(tmp_path / "file")).stdout
    again = service.run("backup", str(tmp_path / "file"))
    assert (again.returncode, again.stderr) == (
        1,
        f"Error: {tmp_path / 'file'} exists already; --replace replaces it\n",
    )
    assert service.run("backup", str(tmp_path / "file"), "--replace").returncode == 0
    there = service.run("restore", str(tmp_path / "file"))
    assert (there.returncode, "--replace puts it aside" in there.stderr) == (1, True)
    put = service.run_json("restore", str(tmp_path / "file"), "--replace")
    assert (Path(put["aside"]) / "pachube.sqlite3").exists()
    assert service.run_json("user", "list")[0]["login"] == "admin"


def test_a_terminal_shows_how_far_it_is(tmp_path: Path) -> None:
    """And is clean again afterwards."""
    service = ServiceProcess(tmp_path / "data")
    service.run_json("user", "list")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "txpachube.cli", "backup", str(tmp_path / "file"), "--json"]
    try:
        done = subprocess.run(
            [*command, "--data", str(service.data)],
            stdout=subprocess.PIPE,
            stderr=theirs,
            check=True,
            timeout=60,
        )
        shown = os.read(ours, 10_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "Copying: 100 %" in shown
    assert shown.endswith(" \r")
    assert json.loads(done.stdout)["accounts"] == 1


def test_an_end_by_signal_leaves_no_half_file(tmp_path: Path) -> None:
    """SIGTERM ends it as Ctrl-C does."""
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from txpachube.cli.backups import finishing\n"
        "from txpachube.server.wholefile import whole_file\n"
        "with finishing(), whole_file(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    signal.pause()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path / "file")], check=False, timeout=60)
    assert ended.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
