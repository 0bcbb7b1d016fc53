"""The service as init systems start it: with sockets that are open, and told when it is ready."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PATIENCE = 60
"""Seconds; a start takes one, unless the machine is busy."""

REPOSITORY = Path(__file__).resolve().parents[2]

ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("PACHUBE_")}

CLOSED = ["--no-paws", "--no-websocket", "--no-mqtt"]

ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_FDNAMES="pachube.socket", LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""
"""What systemd does: the socket becomes descriptor 3 of the process that the variables name."""


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Return a list of processes that are ended with the test."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def status_of(port: int) -> int:
    """Return the status of the answer to a request without a key."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/v2/feeds.json")
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_socket_that_is_open_already_is_taken_over(
    tmp_path: Path, processes: list[subprocess.Popen[str]]
) -> None:
    """Who connects before the service is there waits, and is answered."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        early = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        early.request("GET", "/v2/feeds.json")
        command = ["-m", "txpachube.cli", "serve", "--data", str(tmp_path), *CLOSED]
        service = subprocess.Popen(
            [
                *(sys.executable, "-c", ACTIVATE, str(listening.fileno())),
                *(*command, "--http", "systemd:domain=INET:index=0"),
            ],
            pass_fds=[listening.fileno()],
            stdout=subprocess.PIPE,
            env=ENVIRON,
            text=True,
        )
        processes.append(service)
    assert early.getresponse().status == 401
    early.close()
    assert service.stdout is not None
    lines = [service.stdout.readline().strip() for _ in range(3)]
    assert lines[1:] == [f"http http://127.0.0.1:{port}/", "ready"]
    assert status_of(port) == 401
    service.terminate()
    assert service.wait(PATIENCE) == 0


def test_a_socket_that_is_not_there_is_missed(tmp_path: Path) -> None:
    """Without systemd the service says which door has no socket, and ends."""
    command = [sys.executable, "-m", "txpachube.cli", "serve", "--data", str(tmp_path), *CLOSED]
    ended = subprocess.run(
        [*command, "--http", "systemd:domain=INET:index=0"],
        capture_output=True,
        env=ENVIRON,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 1
    assert "Error: http: 'systemd:domain=INET:index=0' is not a Twisted endpoint" in ended.stderr


def test_the_init_system_is_told(tmp_path: Path, processes: list[subprocess.Popen[str]]) -> None:
    """That it is ready when the doors are open, that the reactor turns, and that it ends."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        service = subprocess.Popen(
            [
                *(sys.executable, "-m", "txpachube.cli", "serve", "--data", str(tmp_path / "data")),
                *("--http", "tcp:0:interface=127.0.0.1", *CLOSED),
            ],
            stdout=subprocess.PIPE,
            env={**ENVIRON, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"},
            text=True,
        )
        processes.append(service)
        assert manager.recv(100) == b"READY=1"
        assert service.stdout is not None
        doors = dict(service.stdout.readline().split() for _ in range(2))
        assert status_of(int(doors["http"].rstrip("/").rpartition(":")[2])) == 401
        assert {manager.recv(100) for _ in range(3)} == {b"WATCHDOG=1"}
        service.send_signal(signal.SIGTERM)
        while (told := manager.recv(100)) == b"WATCHDOG=1":
            pass
        assert told == b"STOPPING=1"
    assert service.wait(PATIENCE) == 0


def twist(*arguments: str) -> list[str]:
    """Return the command that runs ``twist`` with its plugin as it lies in the wheel."""
    return [sys.executable, "-m", "twisted", "--log-format=text", *arguments]


def environ_with_plugin() -> dict[str, str]:
    path = [str(REPOSITORY / "plugins"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**ENVIRON, "PYTHONPATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1"}


def test_twist_runs_it(tmp_path: Path, processes: list[subprocess.Popen[str]]) -> None:
    """With the same options and variables; it ends with everything closed."""
    service = subprocess.Popen(
        twist("pachube", "--data", str(tmp_path), *CLOSED),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**environ_with_plugin(), "PACHUBE_HTTP": "tcp:0:interface=127.0.0.1"},
        text=True,
    )
    processes.append(service)
    assert service.stdout is not None
    url = ""
    for line in service.stdout:
        if "http://127.0.0.1:" in line:
            url = line.split()[-1]
        if line.endswith(" ready\n"):
            break
    assert status_of(int(url.rstrip("/").rpartition(":")[2])) == 401
    service.terminate()
    assert "Traceback" not in service.stdout.read()
    assert not (tmp_path / "pachube.sqlite3-wal").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--htp", "tcp:0"], "No such option"),
        (["--requests-per-minute", "-1"], "requests_per_minute"),
        (["--http", "nonsense", *CLOSED], "'nonsense' is not a Twisted endpoint"),
    ],
)
def test_twist_says_what_is_wrong(tmp_path: Path, arguments: list[str], text: str) -> None:
    """And the exit status is not that of an end in peace."""
    ended = subprocess.run(
        twist("pachube", "--data", str(tmp_path), *arguments),
        capture_output=True,
        env=environ_with_plugin(),
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode not in (0, None)
    assert text in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


def test_twist_has_a_help() -> None:
    """All options of ``txpachube serve`` are in it."""
    helped = subprocess.run(
        twist("pachube", "--help"),
        capture_output=True,
        env=environ_with_plugin(),
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    for option in ("--data", "--http", "--no-mqtt", "--config", "--base-url"):
        assert option in helped.stdout
