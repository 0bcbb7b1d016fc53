"""
An operator's walk: start by the unit, bring a device home, back up, lose everything, restore, compare.

The unit is systemd's business where there is systemd; here its lines are done by hand, as they stand there.
"""

from __future__ import annotations

import http.client
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNIT = Path(__file__).resolve().parents[2] / "deploy/systemd/pachube.service"
PATIENCE = 60
KEY = "Burnt-into-the-firmware"


def entries(name: str) -> list[str]:
    """Return the values of an entry of the unit."""
    lines = UNIT.read_text("utf-8").splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{name}=")]


def in_root(text: str, root: Path) -> str:
    """Return a text of the unit with its places below a directory of the test."""
    return text.replace("/var/lib/pachube", str(root / "var/lib/pachube"))


class Machine:
    """A machine whose root is a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "var/lib/pachube"
        variables = dict(entry.split("=", 1) for entry in entries("Environment"))
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PACHUBE_")},
            **{name: in_root(value, root) for name, value in variables.items()},
            # What the operator wrote into /etc/pachube.env.
            **{f"PACHUBE_{door}": "off" for door in ("PAWS", "WEBSOCKET", "MQTT")},
            "PACHUBE_HTTP": "tcp:0:interface=127.0.0.1",
        }

    def run(self, *arguments: str) -> str:
        """Run a command as the operator; return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "txpachube.cli", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def service(self) -> Iterator[int]:
        """Start the service as the unit says, until it has said that it is ready; yield its port."""
        (directory,) = entries("StateDirectory")
        (mode,) = entries("StateDirectoryMode")
        (self.root / "var/lib" / directory).mkdir(parents=True, exist_ok=True)
        self.data.chmod(int(mode, 8))
        (command,) = entries("ExecStart")
        address = str(self.root / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(address)
            manager.settimeout(PATIENCE)
            process = subprocess.Popen(
                [sys.executable, "-m", "txpachube.cli", *shlex.split(command)[1:]],
                env={**self.environ, "NOTIFY_SOCKET": address},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            try:
                assert entries("Type") == ["notify"]
                assert manager.recv(100) == b"READY=1"
                assert process.stdout is not None
                url = next(line.split()[1] for line in process.stdout if line.startswith("http "))
                yield int(url.rstrip("/").rpartition(":")[2])
            finally:
                process.terminate()
                process.communicate(timeout=PATIENCE)
                os.unlink(address)
        assert process.returncode == 0


def ask(port: int, line: str, body: str = "") -> tuple[int, bytes]:
    """Return status and body of the answer to a request of the device."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        method, _, path = line.partition(" ")
        connection.request(method, path, body or None, {"X-ApiKey": KEY, "Host": "feeds.example"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_an_operators_walk(tmp_path: Path) -> None:
    """What was written before the loss is what is read after it, by the same device with the same key."""
    machine = Machine(tmp_path / "root")
    reads = [
        "GET /v2/feeds/504.json?duration=1hour&interval=0",
        "GET /v2/feeds/504.csv",
        "GET /v2/feeds/504.xml",
    ]
    machine.root.mkdir()
    backup = str(tmp_path / "other-disk.sqlite3")
    with machine.service() as port:
        machine.run("adopt", "--feed", "504", "--key", KEY, "--datastream", "temperature")
        while ask(port, "GET /v2/feeds/504.json")[0] != 200:
            pass  # the service notices within a second
        for value in range(30):
            assert ask(port, "PUT /v2/feeds/504.csv", f"temperature,{value}.50")[0] == 200
        machine.run("backup", backup)
        before = [ask(port, line) for line in reads]
    assert {status for status, _ in before} == {200}
    shutil.rmtree(machine.data)
    machine.run("restore", backup)
    with machine.service() as port:
        assert [ask(port, line) for line in reads] == before
        assert ask(port, "PUT /v2/feeds/504.csv", "temperature,31.50")[0] == 200
    assert not (machine.data / "admin.toml").exists()
