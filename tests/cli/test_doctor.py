"""``txpachube doctor``, typed as a person would."""

from __future__ import annotations

import socket
from pathlib import Path

from txpachube.testing.service import LOOPBACK, ServiceProcess

CHECKS = {
    "python",
    "sqlite",
    "data",
    "database",
    "clock",
    "disk",
    "disk speed",
    "open files",
    "port of http",
    "names",
}


def doctor(service: ServiceProcess, http: str, *arguments: str) -> tuple[int, str]:
    """Run it for a service whose only door is HTTP; return the exit status and what it printed."""
    service._environ |= {"PACHUBE_HTTP": http}
    service._environ |= {f"PACHUBE_{door}": "off" for door in ("PAWS", "WEBSOCKET", "MQTT")}
    done = service.run("doctor", *arguments)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_a_running_service_is_well(tmp_path: Path) -> None:
    """Every check says something, for people and for programs; the status is 0."""
    with ServiceProcess(tmp_path / "data", {"http": LOOPBACK}) as service:
        http = f"tcp:{service.port}:interface=127.0.0.1"
        status, text = doctor(service, http)
        assert status == 0, text
        assert text.endswith("Nothing is wrong.\n")
        assert "the service answers there" in text
        found = service.run_json("doctor")
    assert {finding["check"] for finding in found} >= CHECKS
    assert all(finding["text"] in text for finding in found if finding["check"] in ("python", "data"))


def test_trouble_is_said_with_what_to_do(tmp_path: Path) -> None:
    """The exit status tells programs."""
    service = ServiceProcess(tmp_path / "data")
    assert service.run("user", "list").returncode == 0
    (tmp_path / "data" / "admin.toml").chmod(0o644)
    (tmp_path / "data").chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as other:
        status, text = doctor(service, f"tcp:{other.getsockname()[1]}:interface=127.0.0.1")
    assert status == 1
    assert "✗ data: others can read data, and there are keys in it\n    chmod -R go= " in text
    assert "another program has port" in text
    assert text.endswith("2 things to be put right.\n")


def test_a_bad_setting_is_said(tmp_path: Path) -> None:
    """As the service itself says it."""
    service = ServiceProcess(tmp_path / "data")
    file = tmp_path / "pachube.toml"
    file.write_text("htpp = 'tcp:1'\n")
    done = service.run("doctor", "--config", str(file))
    assert (done.returncode, "htpp" in done.stderr) == (1, True)
