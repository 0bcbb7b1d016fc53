"""Checks of the machine."""

from __future__ import annotations

import os
import resource
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest

from txpachube.server.checks import machine
from txpachube.times import SECOND, parse

NOW = parse("2026-06-01T12:00:00Z")
DAY = 86_400 * SECOND


def test_these_versions_are_fine() -> None:
    """The tests run where the service runs."""
    assert [finding.level for finding in machine.versions()] == ["ok", "ok"]


def test_old_versions_are_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install instead."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 31, 1))
    found = list(machine.versions())[1]
    assert (found.level, "3.35" in found.advice) == ("trouble", True)


@pytest.mark.parametrize(
    ("now", "newest", "synchronised", "level"),
    [
        (NOW, NOW - DAY, True, "ok"),
        (NOW, NOW + 60 * SECOND, None, "ok"),
        (NOW, 0, False, "warning"),
        (NOW, NOW + DAY, True, "trouble"),
        (0, 0, None, "trouble"),
        (-DAY, 0, None, "trouble"),
    ],
)
def test_the_clock(now: int, newest: int, synchronised: bool | None, level: str) -> None:
    """It cannot be before this program was written, nor before data that is there."""
    (found,) = machine.clock(now, newest, synchronised)
    assert found.level == level
    assert bool(found.advice) == (level != "ok")


def test_the_system_says_something_about_its_clock_or_nothing() -> None:
    """Asking changes nothing, and needs no right."""
    assert machine.is_synchronised() in (True, False, None)


@pytest.mark.parametrize(
    ("most", "level"), [(1024, "warning"), (65536, "ok"), (resource.RLIM_INFINITY, "ok"), (-1, "ok")]
)
def test_open_files(most: int, level: str) -> None:
    """A thousand connections are few."""
    (found,) = machine.files(most)
    assert found.level == level


@pytest.mark.parametrize(
    ("free", "need", "inodes", "levels"),
    [
        (50_000_000_000, 0, 10_000, ["ok"]),
        (500_000_000, 0, 10_000, ["warning"]),
        (5_000_000_000, 9_000_000_000, 10_000, ["warning"]),
        (50_000_000, 0, 10_000, ["trouble"]),
        (50_000_000_000, 0, 10, ["ok", "trouble"]),
    ],
)
def test_room(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    free: int,
    need: int,
    inodes: int,
    levels: list[str],
) -> None:
    """Also for the copy that an upgrade makes; of a directory that is not there, the one above counts."""
    state = SimpleNamespace(f_bavail=free, f_frsize=1, f_files=100_000, f_favail=inodes)
    monkeypatch.setattr(os, "statvfs", lambda path: state if path == tmp_path else 1 / 0)
    assert [found.level for found in machine.disk(tmp_path / "not" / "yet", need)] == levels


def test_how_quickly_the_disk_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured with real writes, and nothing is left of them."""
    (found,) = machine.sync(tmp_path)
    assert found.level in ("ok", "warning")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(machine, "SLOW_SYNC", 0.0)
    (found,) = machine.sync(tmp_path)
    assert found.level == "warning"
    (found,) = machine.sync(tmp_path / "absent")
    assert found.level == "trouble"
