"""The settings that are limits, at the doors that keep them."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest

from txpachube.server.config import Settings, load_settings
from txpachube.server.limits import admission, http_limits, mqtt_limits, paws_limits
from txpachube.server.transports.http_limits import Limits
from txpachube.server.transports.mqtt_limits import MqttLimits
from txpachube.server.transports.paws_limits import PawsLimits
from txpachube.testing.service import LOOPBACK, ServiceProcess

FIRST = Settings.__struct_fields__.index("http_connections")
NAMES = [name for name in Settings.__struct_fields__[FIRST:] if name != "commit_alone"]


def all_limits(settings: Settings) -> dict[str, Any]:
    """Return every limit of every door."""
    doors = admission(settings, lambda: 0.0)
    return {
        **{f"http {name}": value for name, value in attrs.asdict(http_limits(settings)).items()},
        **{f"paws {name}": value for name, value in attrs.asdict(paws_limits(settings)).items()},
        **{f"mqtt {name}": value for name, value in attrs.asdict(mqtt_limits(settings)).items()},
        "connections": doors._connections,
        "per minute": doors._per_minute,
    }


def test_the_defaults_are_those_of_the_doors() -> None:
    """Nobody who sets nothing gets other limits than those with their reasons beside them."""
    settings = load_settings({}, {})
    assert http_limits(settings) == Limits()
    assert paws_limits(settings) == PawsLimits()
    assert mqtt_limits(settings) == MqttLimits()


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_changes_a_limit(name: str) -> None:
    """None is read and forgotten."""
    usual = load_settings({}, {})
    other = msgspec.structs.replace(usual, **{name: getattr(usual, name) + 1})
    before, after = all_limits(usual), all_limits(other)
    changed = {key for key in before if before[key] != after[key]}
    assert changed
    assert all(after[key] == before[key] + 1 for key in changed)


def _is_served(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", "/v2/feeds.json")
        return connection.getresponse().status == 401
    except (http.client.HTTPException, OSError):
        return False
    finally:
        connection.close()


def test_a_service_keeps_them(tmp_path: Path) -> None:
    """Set in a file as an operator would, and met at a real door."""
    file = tmp_path / "pachube.toml"
    file.write_text("largest_body = 2000\nmost_headers = 12\nhttp_connections = 2\n")
    service = ServiceProcess(tmp_path / "data", {"http": LOOPBACK}, ("--config", str(file)))
    with service:
        others = [socket.create_connection(("127.0.0.1", service.port), 20) for _ in range(4)]
        turned_away = 0
        for one in others:
            one.settimeout(1)
            try:
                turned_away += one.recv(1) == b""
            except TimeoutError:
                pass
            except ConnectionResetError:
                turned_away += 1
        assert turned_away == 2
        for one in others:
            one.close()
        while not _is_served(service.port):
            pass  # those that were closed may still be counted
        key = {"X-ApiKey": service.api_key}
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
        connection.request("POST", "/v2/feeds.json", b'{"title": "%s"}' % (b"x" * 100), key)
        assert connection.getresponse().read() is not None
        connection.request("POST", "/v2/feeds.json", b" " * 2001, key)
        answer = connection.getresponse()
        assert answer.status == 413
        connection.close()
        connection.request("GET", "/v2/feeds.json", headers={f"X-{n}": "x" for n in range(13)})
        assert connection.getresponse().status == 431
        connection.close()
