"""Checks of ports, certificates and names."""

from __future__ import annotations

import os
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from txpachube.server.checks import network
from txpachube.server.checks.network import certificates, names, parts_of, ports, resolve
from txpachube.server.config import CLOSED, Settings
from txpachube.testing.certificates import self_signed
from txpachube.testing.service import ServiceProcess

CLOSED_DOORS = Settings(
    data="/nowhere", http=CLOSED, device_http=CLOSED, paws=CLOSED, websocket=CLOSED, mqtt=CLOSED
)


def settings(**doors: str) -> Settings:
    """Return settings with these doors only."""
    return msgspec.structs.replace(CLOSED_DOORS, **doors)


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("tcp:8000:interface=127.0.0.1", ("tcp", ["8000"], {"interface": "127.0.0.1"})),
        (r"tcp:80:interface=\:\:1", ("tcp", ["80"], {"interface": "::1"})),
        ("ssl:port=443:privateKey=a.pem", ("ssl", [], {"port": "443", "privateKey": "a.pem"})),
        ("unix:/run/x", ("unix", ["/run/x"], {})),
    ],
)
def test_endpoints_are_taken_apart(endpoint: str, expected: tuple[str, list[str], dict[str, str]]) -> None:
    """As Twisted does."""
    assert parts_of(endpoint) == expected


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def test_a_free_port() -> None:
    """It is free, unless a service runs that should have it."""
    wanted = settings(paws=f"tcp:{free_port()}:interface=127.0.0.1")
    (free,) = ports(wanted, running=False)
    (closed,) = ports(wanted, running=True)
    assert (free.level, closed.level) == ("ok", "warning")


@pytest.mark.parametrize("running", [True, False])
def test_a_port_of_another_program(running: bool) -> None:
    """Somebody listens there who does not speak as we do."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(20)
        wanted = settings(http=f"tcp:{other.getsockname()[1]}:interface=127.0.0.1")
        other.listen(0)
        original, network.PATIENCE = network.PATIENCE, 0.2  # type: ignore[misc]  # a test has less
        try:
            (found,) = ports(wanted, running)
        finally:
            network.PATIENCE = original  # type: ignore[misc]  # likewise
    assert found.level == "trouble"
    assert "ss -ltnp" in found.advice


def test_a_port_that_is_ours(tmp_path: Path) -> None:
    """The service answers there."""
    with ServiceProcess(tmp_path) as service:
        (found,) = ports(settings(http=f"tcp:{service.port}:interface=127.0.0.1"), running=True)
    assert (found.level, "the service answers" in found.text) == ("ok", True)


@pytest.mark.parametrize(
    ("endpoint", "level"),
    [
        ("tcp:8000:interface=192.0.2.1", "trouble"),
        ("systemd:domain=INET:index=0", "note"),
        ("nonsense", "note"),
    ],
)
def test_other_addresses(endpoint: str, level: str) -> None:
    """One that this machine does not have, and those that are none of the network's."""
    (found,) = ports(settings(http=endpoint), running=False)
    assert found.level == level


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every port")
def test_a_port_that_this_user_may_not_open() -> None:
    """With the ways to allow it."""
    (found,) = ports(settings(http="tcp:80:interface=127.0.0.1"), running=False)
    assert (found.level, "systemd" in found.advice) == ("trouble", True)


@pytest.mark.parametrize(
    ("later", "level"),
    [(timedelta(days=-30), "ok"), (timedelta(), "warning"), (timedelta(days=2), "trouble")],
)
def test_how_long_a_certificate_is_good(tmp_path: Path, later: timedelta, level: str) -> None:
    """It is said some weeks before the end. (That of the tests is good for a day.)"""
    file = tmp_path / "cert.pem"
    self_signed(file)
    file.chmod(0o600)
    wanted = settings(http=f"ssl:443:privateKey={file}:certKey={file}")
    (found,) = certificates(wanted, datetime.now(UTC) + later)
    assert found.level == level


def test_bad_certificates(tmp_path: Path) -> None:
    """One that is missing, one that is none, one whose key everybody can read."""
    file = tmp_path / "cert.pem"
    wanted = settings(mqtt=f"ssl:8883:privateKey={file}")
    (found,) = certificates(wanted)
    assert (found.level, "cannot be read" in found.text) == ("trouble", True)
    file.write_text("no certificate")
    file.chmod(0o600)
    (found,) = certificates(wanted)
    assert (found.level, "do not fit" in found.text) == ("trouble", True)
    self_signed(file)
    file.chmod(0o644)
    found, _ = certificates(wanted)
    assert (found.level, found.advice) == ("trouble", f"chmod o= {file}")


def test_doors_without_tls_have_no_certificates() -> None:
    """Nothing is found where nothing is named."""
    assert list(certificates(Settings(data="/nowhere"))) == []


def test_where_the_old_names_lead() -> None:
    """To this machine, elsewhere, nowhere, or nobody knows."""
    found = names({"a": ["127.0.0.1"], "b": ["192.0.2.1"], "c": [], "d": None, "e": ["::1"]})
    assert [finding.level for finding in found][:4] == ["ok", "note", "note", "warning"]


def test_names_are_asked_for_together() -> None:
    """A DNS that does not answer is waited for once, and no longer than people wait."""

    def lookup(name: str, *_: Any) -> list[Any]:
        if name == "none":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        if name == "busy":
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        if name.startswith("slow"):
            time.sleep(5)  # in a thread that nobody waits for
        return [(0, 0, 0, "", ("192.0.2.7", 0))]

    original, network.PATIENCE = network.PATIENCE, 0.3  # type: ignore[misc]  # a test has less
    try:
        begun = time.monotonic()
        found = resolve(["here", "none", "busy", "slow1", "slow2"], lookup)
        assert time.monotonic() - begun < 4
    finally:
        network.PATIENCE = original  # type: ignore[misc]  # likewise
    assert found == {"here": ["192.0.2.7"], "none": [], "busy": None, "slow1": None, "slow2": None}
