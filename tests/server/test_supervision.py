"""What the init system is told."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from txpachube.server.supervision import Supervisor


class Manager:
    """An init system that listens."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.setblocking(False)
        self.environ = {"NOTIFY_SOCKET": address, "HOME": "/nowhere"}

    def heard(self) -> list[str]:
        """Return what it was told since it was asked last."""
        found = []
        while True:
            try:
                found.append(self._socket.recv(1000).decode())
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["a file", "an abstract name"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """Return an init system, with both kinds of addresses."""
    found = Manager(str(tmp_path / "notify") if request.param == "a file" else f"@txpachube-{os.getpid()}")
    yield found
    found.close()


def test_it_hears_of_the_beginning_and_the_end(manager: Manager) -> None:
    """And of nothing in between, when it asks for nothing; children learn nothing of it."""
    clock = Clock()
    supervisor = Supervisor(manager.environ, clock)
    assert manager.environ == {"HOME": "/nowhere"}
    assert manager.heard() == []
    supervisor.ready()
    assert manager.heard() == ["READY=1"]
    clock.pump([60] * 5)
    assert manager.heard() == []
    supervisor.stopping()
    assert manager.heard() == ["STOPPING=1"]


def test_it_hears_that_the_reactor_turns(manager: Manager) -> None:
    """Twice in each period that it allows, from the beginning to the end."""
    clock = Clock()
    manager.environ |= {"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid())}
    supervisor = Supervisor(manager.environ, clock)
    clock.pump([10] * 3)
    assert manager.heard() == []
    supervisor.ready()
    assert manager.heard() == ["READY=1", "WATCHDOG=1"]
    clock.pump([9.9, 0.2, 10])
    assert manager.heard() == ["WATCHDOG=1"] * 2
    supervisor.stopping()
    clock.pump([10] * 3)
    assert manager.heard() == ["STOPPING=1"]


@pytest.mark.parametrize(
    "watchdog",
    [{"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "x"}],
)
def test_a_watchdog_of_somebody_else_is_none(manager: Manager, watchdog: dict[str, str]) -> None:
    """A shell that was started with a watchdog has children that know nothing of it."""
    clock = Clock()
    manager.environ |= watchdog
    supervisor = Supervisor(manager.environ, clock)
    supervisor.ready()
    clock.pump([10] * 3)
    assert manager.heard() == ["READY=1"]
    assert manager.environ.keys() == {"HOME"}


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "/nowhere/notify"}, {"NOTIFY_SOCKET": "@nobody"}])
def test_without_an_init_system_nothing_happens(environ: dict[str, str]) -> None:
    """Neither without one nor with one that is gone."""
    supervisor = Supervisor(environ, Clock())
    supervisor.ready()
    supervisor.stopping()
