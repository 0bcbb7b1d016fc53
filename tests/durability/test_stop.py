"""
A service that is told to end answers what is in flight, and ends soon.

A request is in flight here in three ways: its body is not complete; it waits for a disk that somebody
else keeps busy; or nobody knows, because sixteen devices write as fast as they can.
"""

from __future__ import annotations

import http.client
import json
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from txpachube.testing.service import ServiceProcess
from txpachube.times import format_micros, parse

CONNECTIONS = 16
PATIENCE = 30.0
SOON = 5.0
"""Seconds a service may take to end."""

BEGIN = parse("2013-06-01T00:00:00Z")
KIND = "application/json; charset=utf-8"


def connect(service: ServiceProcess) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)


def ask(service: ServiceProcess, method: str, path: str, body: str = "") -> http.client.HTTPResponse:
    """Return an answer that has been read."""
    connection = connect(service)
    connection.request(method, path, body, {"X-ApiKey": service.api_key})
    answer = connection.getresponse()
    answer.msg.set_payload(answer.read())
    connection.close()
    return answer


def body_of(number: int) -> bytes:
    return f'{{"current_value": "00{number}"}}'.encode()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ServiceProcess]:
    """A service with feed 1, whose datastreams are called d0 to d15."""
    with ServiceProcess(tmp_path / "data") as process:
        streams = [{"id": f"d{number}"} for number in range(CONNECTIONS)]
        made = ask(process, "POST", "/v2/feeds", json.dumps({"title": "T", "datastreams": streams}))
        assert made.status == 201
        yield process


class Ending:
    """A service that has been told to end; how it ends is seen in the ``with`` block's end."""

    def __init__(self, service: ServiceProcess) -> None:
        self._process = service.process

    def __enter__(self) -> None:
        assert self._process is not None
        self._begin = time.monotonic()
        self._process.terminate()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._process is not None
        if kind is None:
            assert self._process.wait(PATIENCE) == 0
            assert time.monotonic() - self._begin < SOON


def values(service: ServiceProcess) -> list[str | None]:
    """Return the current values of all datastreams, as a service says that is started for the purpose."""
    service.start()
    connection = connect(service)
    found = []
    for number in range(CONNECTIONS):
        connection.request(
            "GET", f"/v2/feeds/1/datastreams/d{number}.json", headers={"X-ApiKey": service.api_key}
        )
        found.append(json.loads(connection.getresponse().read()).get("current_value"))
    connection.close()
    return found


def test_requests_that_are_not_complete_are_waited_for(service: ServiceProcess) -> None:
    """Whoever has begun to send may finish, is answered, and told that the connection ends."""
    sockets = []
    for number in range(CONNECTIONS):
        line = socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE)
        line.sendall(
            f"PUT /v2/feeds/1/datastreams/d{number} HTTP/1.1\r\nHost: x\r\nX-ApiKey: {service.api_key}\r\n"
            f"Content-Length: {len(body_of(number))}\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert line.recv(1000).startswith(b"HTTP/1.1 100 "), "now the service is surely in the middle of it"
        sockets.append(line)
    idle = socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE)
    idle.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
    assert idle.recv(10_000).startswith(b"HTTP/1.1 ")
    with Ending(service):
        assert idle.recv(1000) == b"", "who asks nothing need not be waited for"
        for number, line in enumerate(sockets):
            line.sendall(body_of(number))
            answer = http.client.HTTPResponse(line, method="PUT")
            answer.begin()
            assert (answer.status, answer.getheader("Connection")) == (200, "close")
            assert answer.read() == b""
            assert line.recv(1000) == b""
    for line in [*sockets, idle]:
        line.close()
    assert values(service) == [f"00{number}" for number in range(CONNECTIONS)]


def test_requests_that_wait_for_the_disk_are_answered(service: ServiceProcess) -> None:
    """What was begun is stored and acknowledged, though the service was told to end before it could be."""
    database = sqlite3.connect(service.data / "pachube.sqlite3", isolation_level=None)
    other = connect(service)
    other.request("GET", "/v2/feeds/1.json", headers={"X-ApiKey": service.api_key})
    assert other.getresponse().read()
    database.execute("BEGIN IMMEDIATE")
    connections = [connect(service) for _ in range(CONNECTIONS)]
    for number, connection in enumerate(connections):
        path = f"/v2/feeds/1/datastreams/d{number}.json"
        connection.request("PUT", path, body_of(number), {"X-ApiKey": service.api_key})
    for _ in range(2):  # the answer to the second is sent after all of those have been read
        other.request("GET", "/v2/feeds/1.json", headers={"X-ApiKey": service.api_key})
        assert b"current_value" not in other.getresponse().read()
    with Ending(service):
        assert other.sock is not None
        assert other.sock.recv(1) == b"", "the service is about to end"
        database.execute("COMMIT")
        for connection in connections:
            answer = connection.getresponse()
            assert (answer.status, answer.getheader("Connection"), answer.read()) == (200, "close", b"")
            connection.close()
    database.close()
    other.close()
    assert values(service) == [f"00{number}" for number in range(CONNECTIONS)]


def test_no_write_is_stored_without_being_answered(service: ServiceProcess) -> None:
    """Under full load: what is stored afterwards is what was acknowledged, no more and no less."""
    acknowledged = threading.Semaphore(0)
    stored: list[list[int]] = [[] for _ in range(CONNECTIONS)]
    faults: list[object] = []

    def work(number: int) -> None:
        connection = connect(service)
        path = f"/v2/feeds/1/datastreams/d{number}.json"
        key = {"X-ApiKey": service.api_key}
        try:
            for count in range(1_000_000):
                at = BEGIN + count * 1000
                body = json.dumps({"current_value": str(count), "at": format_micros(at)})
                connection.request("PUT", path, body, key)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    faults.append(answer.status)
                stored[number].append(at)
                acknowledged.release()
                if answer.getheader("Connection") == "close":
                    break
        except (OSError, http.client.HTTPException):
            pass  # a connection on which nothing was asked has been closed
        connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        assert acknowledged.acquire(timeout=PATIENCE)
    with Ending(service):
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
    assert faults == []
    database = sqlite3.connect(service.data / "pachube.sqlite3")
    for number in range(CONNECTIONS):
        rows = database.execute(
            "SELECT history.at FROM history JOIN datastreams ON datastream = id WHERE name = ? ORDER BY 1",
            (f"d{number}",),
        )
        assert [at for (at,) in rows] == stored[number]
    assert database.execute("SELECT count(*) FROM journal").fetchone() == (0,)
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()
    assert not (service.data / "pachube.sqlite3-wal").exists()


def test_who_never_finishes_is_not_waited_for(service: ServiceProcess) -> None:
    """A request that is not completed is given up in time, and the service ends as if nothing were."""
    line = socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE)
    line.sendall(
        f"PUT /v2/feeds/1/datastreams/d0 HTTP/1.1\r\nHost: x\r\nX-ApiKey: {service.api_key}\r\n"
        "Content-Length: 100\r\nExpect: 100-continue\r\n\r\n".encode()
    )
    assert line.recv(1000).startswith(b"HTTP/1.1 100 ")
    with Ending(service):
        pass
    line.close()
    assert values(service)[0] is None
