"""Services in processes of their own, with all doors open, and what is asked of them to see how they are."""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from txpachube.testing.service import LOOPBACK, ServiceProcess

__all__ = [
    "DOORS",
    "PATIENCE",
    "AllDoors",
    "ask",
    "ask_json",
    "files_at_rest",
    "files_of",
    "memory_of",
    "port_of",
]

DOORS: Final = ("http", "device-http", "paws", "websocket", "mqtt")

MOST_DATABASE_FILES: Final = 12
"""What a service has open of its database at the most: of two files each thread, and their shared memory."""

PATIENCE: Final = 60.0
"""Seconds an answer may take on a busy machine."""


class AllDoors(ServiceProcess):
    """
    A service with all doors open.

    Args:
        data: the data directory.
        odd: in what it is odd, by the variables of ``odd_service.py``.
        before: what the command begins with, another program that runs it.
        arguments: further arguments of ``txpachube serve``.
    """

    def __init__(
        self,
        data: Path,
        odd: Mapping[str, str] | None = None,
        before: tuple[str, ...] = (),
        arguments: tuple[str, ...] = (),
    ) -> None:
        super().__init__(data, dict.fromkeys(DOORS, LOOPBACK), arguments, {**os.environ, **(odd or {})})
        self._before = before

    def _command(self) -> list[str]:
        program = Path(__file__).with_name("odd_service.py")
        usual = super()._command()
        return [*self._before, sys.executable, str(program), *usual[usual.index("serve") :]]


def port_of(service: ServiceProcess, door: str) -> int:
    """Return the port of a door."""
    return int(service.urls[door].rpartition(":")[2])


def ask(
    service: ServiceProcess, method: str, path: str, body: object = None, key: str | None = None
) -> tuple[int, bytes, str]:
    """Return status, body and Location of an answer of the HTTP door."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
    sent = b"" if body is None else json.dumps(body).encode()
    connection.request(method, path, sent, {"X-ApiKey": service.api_key if key is None else key})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text, answer.getheader("Location", "")


def ask_json(service: ServiceProcess, path: str) -> Any:
    """Return what is at a path."""
    status, text, _ = ask(service, "GET", path)
    assert status == 200, (path, status, text)
    return json.loads(text)


def _pid(service: ServiceProcess) -> int:
    assert service.process is not None
    return service.process.pid


def files_of(service: ServiceProcess) -> int:
    """Return how many files and connections a service has open."""
    return len(os.listdir(f"/proc/{_pid(service)}/fd"))


def files_at_rest(service: ServiceProcess) -> int:
    """
    Return how many files and connections a service has open when nobody is connected but who asks here.

    What threads that read have open of the database is left out: each opens it when it first has to.
    """
    folder = Path(f"/proc/{_pid(service)}/fd")
    counts = []
    line = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
    for _ in range(20):  # whoever has just left is gone when one of these is answered
        line.request("GET", "/v2/feeds.json", headers={"X-ApiKey": service.api_key})
        assert line.getresponse().read()
        names = [os.readlink(file) for file in folder.iterdir()]
        databases = [name for name in names if "pachube.sqlite3" in name and not name.endswith(".lock")]
        assert len(databases) <= MOST_DATABASE_FILES
        counts.append(len(names) - len(databases))
    line.close()
    return min(counts)


def memory_of(service: ServiceProcess) -> int:
    """Return the bytes of memory a service has."""
    pages = int(Path(f"/proc/{_pid(service)}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
