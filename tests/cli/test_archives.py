"""``txpachube export`` and ``import``: from one running service into another."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from txpachube.testing.service import ServiceProcess

PRIVATE = ("--webhook-private-addresses",)


@pytest.fixture
def receiver() -> Iterator[tuple[str, threading.Event]]:
    """Return the address of somebody who waits for notifications, and what says that one came."""
    came = threading.Event()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.end_headers()
            came.set()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", came
    server.shutdown()
    thread.join()
    server.server_close()


def ask(service: ServiceProcess, line: str, key: str, body: str = "") -> tuple[int, bytes]:
    """Return status and body of the answer to a request."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    try:
        method, _, path = line.partition(" ")
        connection.request(method, path, body or None, {"X-ApiKey": key, "Host": "example.test"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_an_account_moves_house(tmp_path: Path, receiver: tuple[str, threading.Event]) -> None:
    """Beside running services: devices go on with their keys, reads are equal, and triggers fire."""
    url, came = receiver
    file = tmp_path / "rosa.zip"
    with (
        ServiceProcess(tmp_path / "old") as old,
        ServiceProcess(tmp_path / "new", arguments=PRIVATE) as new,
    ):
        key = old.run_json("user", "add", "rosa")["api_key"]
        assert old.run("adopt", "--owner", "rosa", "--feed", "504", "--key", "Burnt-in").returncode == 0
        deadline = time.monotonic() + 10
        while ask(old, "GET /v2/feeds/504.json", "Burnt-in")[0] != 200:
            assert time.monotonic() < deadline, "the service does not notice"
        for value in range(5):
            assert ask(old, "PUT /v2/feeds/504.csv", "Burnt-in", f"temp,{value}")[0] == 200
        trigger = {
            "environment_id": 504,
            "stream_id": "temp",
            "trigger_type": "gt",
            "threshold_value": "30",
            "url": url,
        }
        assert ask(old, "POST /v2/triggers.json", key, json.dumps({"trigger": trigger}))[0] == 201
        reads = ("GET /v2/feeds/504.json?duration=1hour&interval=0", "GET /v2/triggers.json")
        before = [ask(old, line, key) for line in reads]
        facts = old.run_json("export", "rosa", str(file))
        assert (facts["feeds"], facts["keys"], facts["triggers"], facts["datapoints"]) == (1, 2, 1, 5)

        assert ask(new, "PUT /v2/feeds/504.csv", "Burnt-in", "temp,1")[0] == 401
        done = new.run("import", str(file))
        assert done.stdout == "Imported 1 feed, 2 keys, 1 trigger and 5 datapoints of rosa.\n"
        deadline = time.monotonic() + 10
        while ask(new, "GET /v2/feeds/504.json", "Burnt-in")[0] != 200:
            assert time.monotonic() < deadline, "the service does not notice"
        assert [ask(new, line, key) for line in reads] == before
        while not came.wait(0.05):  # the notice of the trigger comes last
            assert time.monotonic() < deadline, "the trigger does not fire"
            for value in (20, 31):
                assert ask(new, "PUT /v2/feeds/504.csv", "Burnt-in", f"temp,{value}")[0] == 200

        again = new.run("import", str(file))
        assert (again.returncode, again.stdout) == (1, "")
        assert again.stderr == (
            "Error: nothing was imported, because this is in the way:\n  there is an account rosa\n"
            "  there is a key with the text of the key 'master key'\n"
            "  there is a key with the text of the key 'feed 504'\n"
            "  there is a feed 504\n  there is a trigger 1\n"
        )
        assert "Burnt-in" not in again.stderr


def test_what_stands_in_the_way_is_said(tmp_path: Path) -> None:
    """In a sentence, without a traceback."""
    service = ServiceProcess(tmp_path / "data")
    file = tmp_path / "rosa.zip"
    service.run_json("user", "add", "rosa")
    assert service.run("export", "rosa", str(file)).returncode == 0
    for arguments, text in (
        (("export", "rosa", str(file)), f"Error: {file} exists already; --replace replaces it\n"),
        (("export", "fritz", str(file), "--replace"), "Error: there is no account fritz in "),
        (("import", str(tmp_path / "none")), "does not exist"),
        (("import", str(tmp_path / "data" / "admin.toml")), "is no whole archive"),
        (("import", str(file), "--as", "a b"), "3 to 40 letters"),
    ):
        done = service.run(*arguments)
        assert done.returncode in (1, 2)
        assert text in done.stderr
        assert "Traceback" not in done.stderr
    other = ServiceProcess(tmp_path / "other")
    other.run_json("user", "add", "rosa")
    assert other.run_json("import", str(file), "--as", "rosalind")["login"] == "rosalind"
    assert [user["login"] for user in other.run_json("user", "list")] == ["admin", "rosa", "rosalind"]
