"""``txpachube serve``, as a person or an init system starts it: in a process of its own."""

from __future__ import annotations

import http.client
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import pytest

PATIENCE = 60
"""Seconds; a start takes one, unless the machine is busy."""

ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("PACHUBE_")}


class Serve:
    """A service that was started with these arguments, up to the line "ready" or its end."""

    def __init__(self, folder: Path, arguments: tuple[str, ...], variables: dict[str, str]) -> None:
        self._errors = folder / "stderr.txt"
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "txpachube.cli", "serve", *arguments],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**ENVIRON, "HOME": str(folder), **variables},
            )
        self.lines: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line == "ready\n":
                break

    @property
    def errors(self) -> str:
        """What stands on standard error."""
        return self._errors.read_text()

    @property
    def url(self) -> str:
        """Where its HTTP door is."""
        return dict(line.split(" ", 1) for line in self.lines if " " in line)["http"]

    def status_of(self, path: str, key: str = "") -> int:
        """Return the status that a GET is answered with."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE)
        try:
            connection.request("GET", path, headers={"X-ApiKey": key} if key else {})
            return connection.getresponse().status
        finally:
            connection.close()

    def end(self, *signals: signal.Signals) -> int:
        """Send signals and return the exit status."""
        for number in signals:
            self.process.send_signal(number)
        assert self.process.stdout is not None
        self.lines += self.process.stdout.read().splitlines()
        self.process.stdout.close()
        return self.process.wait(PATIENCE)


class Starter(Protocol):
    """Starts services."""

    def __call__(self, *arguments: str, **variables: str) -> Serve: ...


@pytest.fixture
def start(tmp_path: Path, free_ports: dict[str, str]) -> Iterator[Starter]:
    """Return what starts a service on free ports, and ends it when the test is over."""
    services: list[Serve] = []

    def start_one(*arguments: str, **variables: str) -> Serve:
        folder = tmp_path / f"start-{len(services)}"
        folder.mkdir()
        services.append(Serve(folder, arguments, {**free_ports, **variables}))
        return services[-1]

    yield start_one
    for service in services:
        if service.process.poll() is None:
            service.process.kill()
            service.end()


def test_it_says_where_its_doors_are_and_that_it_is_ready(tmp_path: Path, start: Starter) -> None:
    """One line a door with its name and the real port, and last the line "ready"; the door is open."""
    service = start("--data", str(tmp_path / "data"))
    assert service.lines[-1] == "ready"
    doors = [line.split(" ") for line in service.lines[:-1]]
    assert {"admin", "http"} <= {name for name, _ in doors}
    url = urlsplit(service.url)
    assert (url.scheme, url.hostname, url.path) == ("http", "127.0.0.1", "/")
    assert url.port
    assert service.status_of("/v2/feeds.json") == 401


def test_the_first_start_makes_an_account_and_keeps_its_secrets(tmp_path: Path, start: Starter) -> None:
    """The account's file is for its owner's eyes only, works, and nothing of it is printed or logged."""
    data, log = tmp_path / "data", tmp_path / "service.log"
    service = start("--data", str(data), "--log", str(log))
    file = data / "admin.toml"
    assert service.lines[0] == f"admin {file}"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in data.iterdir()} == {0}
    account = tomllib.loads(file.read_text())
    assert account.keys() == {"login", "password", "api_key"}
    assert account["login"] == "admin"
    assert service.status_of("/v2/feeds.json", account["api_key"]) == 200
    assert service.end(signal.SIGTERM) == 0
    printed = "\n".join(service.lines) + service.errors + log.read_text()
    assert "created the account admin" in log.read_text()
    assert account["password"] not in printed
    assert account["api_key"] not in printed


def test_a_later_start_leaves_the_account_alone(tmp_path: Path, start: Starter) -> None:
    """The second start creates nothing, and the key of the first still works."""
    data = tmp_path / "data"
    first = start("--data", str(data))
    assert first.end(signal.SIGTERM) == 0
    content = (data / "admin.toml").read_text()
    second = start("--data", str(data))
    assert second.lines[0].startswith("http ")
    assert (data / "admin.toml").read_text() == content
    assert second.status_of("/v2/feeds.json", tomllib.loads(content)["api_key"]) == 200


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGTERM,), (signal.SIGINT,), (signal.SIGINT, signal.SIGINT, signal.SIGTERM)],
    ids=["SIGTERM", "Ctrl-C", "an impatient person"],
)
def test_it_ends_when_it_is_told_to(
    tmp_path: Path, start: Starter, signals: tuple[signal.Signals, ...]
) -> None:
    """It ends with status 0, without a complaint, and has closed its database."""
    service = start("--data", str(tmp_path / "data"))
    assert service.end(*signals) == 0
    assert "Traceback" not in service.errors
    assert not (tmp_path / "data" / "pachube.sqlite3-wal").exists()


def test_a_port_that_is_taken(tmp_path: Path, start: Starter) -> None:
    """It says which port it was, without a traceback, and ends with status 1."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        service = start("--data", str(tmp_path / "data"), "--http", f"tcp:{port}:interface=127.0.0.1")
        assert service.end() == 1
    assert "ready" not in service.lines
    assert f"127.0.0.1:{port}" in service.errors
    assert "Address already in use" in service.errors
    assert "Traceback" not in service.errors


def test_a_second_service_on_the_same_data_is_refused(tmp_path: Path, start: Starter) -> None:
    """Two writers would harm each other: the second says so and ends; the first goes on."""
    data = str(tmp_path / "data")
    first = start("--data", data)
    second = start("--data", data)
    assert second.end() == 1
    assert "another service is running on" in second.errors
    assert "Traceback" not in second.errors
    assert first.status_of("/v2/feeds.json") == 401


@pytest.mark.parametrize(
    ("arguments", "variables", "complaint"),
    [
        (["--http", "tcp:x"], {}, "http: 'tcp:x' is not a Twisted endpoint"),
        (["--http", "nonsense:8000"], {}, "http: 'nonsense:8000' is not a Twisted endpoint"),
        (["--config", "absent.toml"], {}, "absent.toml: No such file or directory"),
        (["--log", "absent/service.log"], {}, "log: absent/service.log: No such file or directory"),
        ([], {"PACHUBE_TRUST_FORWARDED": "perhaps"}, "PACHUBE_TRUST_FORWARDED: Expected `bool`"),
        (["--nonsense"], {}, "No such option"),
    ],
    ids=["port", "endpoint", "config", "log", "variable", "flag"],
)
def test_settings_that_cannot_be(
    tmp_path: Path,
    start: Starter,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    variables: dict[str, str],
    complaint: str,
) -> None:
    """It says what is wrong with which setting, without a traceback, and does not start."""
    monkeypatch.chdir(tmp_path)
    service = start("--data", str(tmp_path / "data"), *arguments, **variables)
    assert service.end() in (1, 2)
    assert complaint in service.errors
    assert "Traceback" not in service.errors


def test_a_flag_wins_over_a_variable_which_wins_over_the_file(tmp_path: Path, start: Starter) -> None:
    """The data goes where the strongest of those who speak of it says."""
    file = tmp_path / "pachube.toml"
    file.write_text(f'data = "{tmp_path}/by-file"\nlog = "{tmp_path}/by-file.log"\n')
    for name, arguments, variables in [
        ("by-file", ["--config", str(file)], {}),
        ("by-variable", ["--config", str(file)], {"PACHUBE_DATA": f"{tmp_path}/by-variable"}),
        (
            "by-flag",
            ["--data", f"{tmp_path}/by-flag"],
            {"PACHUBE_DATA": f"{tmp_path}/by-variable-again", "PACHUBE_CONFIG": str(file)},
        ),
    ]:
        service = start(*arguments, **variables)
        assert service.lines[0] == f"admin {tmp_path}/{name}/admin.toml"
        assert service.end(signal.SIGTERM) == 0
    assert not (tmp_path / "by-variable-again").exists()
    assert (tmp_path / "by-file.log").read_text().count("created the account admin") == 3


def test_a_closed_door_is_not_opened(tmp_path: Path, start: Starter) -> None:
    """``--no-http`` opens no HTTP door, although a variable names one; the others are open."""
    service = start("--data", str(tmp_path / "data"), "--no-http")
    names = [line.partition(" ")[0] for line in service.lines]
    assert names[0] == "admin"
    assert names[-1] == "ready"
    assert "http" not in names
    assert {"paws", "websocket"} <= set(names)


def test_as_many_connections_as_the_system_lets(tmp_path: Path, start: Starter) -> None:
    """The usual limit of open files of a shell is raised to what the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
    try:
        service = start("--data", str(tmp_path / "data"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    limits = Path(f"/proc/{service.process.pid}/limits")
    if limits.exists():
        [line] = [line for line in limits.read_text().splitlines() if line.startswith("Max open files")]
        assert line.split()[3] == line.split()[4]
