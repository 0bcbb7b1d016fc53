"""``txpachube log``, in a process of its own, with the real service."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner

from txpachube.cli.log import log
from txpachube.cli.logged import JsonObjects, Told
from txpachube.testing.service import ServiceProcess

PATIENCE = 60
COMMAND = [sys.executable, "-m", "txpachube.cli", "log"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Return a service with the feeds 504, to which nothing comes, and 505."""
    with ServiceProcess(tmp_path_factory.mktemp("logged")) as running:
        for feed in ("504", "505"):
            running.run_json("feed", "add", "--owner", "admin", "--id", feed, "--datastream", "temp")
        yield running


def put(service: ServiceProcess, body: str, key: str | None = None, feed: int = 505) -> None:
    """Try to write over HTTP."""
    url = f"{service.url}/v2/feeds/{feed}.csv?x=1"
    request = urllib.request.Request(url, body.encode(), method="PUT")
    request.add_header("X-ApiKey", key or service.api_key)
    with suppress(urllib.error.HTTPError), urllib.request.urlopen(request):
        pass


def environ(service: ServiceProcess, **more: str) -> dict[str, str]:
    base = {name: value for name, value in os.environ.items() if not name.startswith("PACHUBE_")}
    return {**base, "PACHUBE_API_KEY": service.api_key, "PACHUBE_URL": service.url, **more}


def run(service: ServiceProcess, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=environ(service, **variables),
        timeout=PATIENCE,
        check=False,
    )


def test_a_feed_to_which_nothing_comes(service: ServiceProcess) -> None:
    """It says what that means."""
    done = run(service, "504")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "No request has come for feed 504: the device does not reach this service,"
        " or it names another feed.\n"
    )


def test_what_came_and_why_it_was_refused(service: ServiceProcess) -> None:
    """A line for each request, another one for the reason; the key is nowhere."""
    put(service, "temp,1")
    put(service, "temp,2", "not-the-key-of-anybody")
    put(service, 'temp,"')
    put(service, "\x1b[31mtemp")
    done = run(service, "505", "--full")
    assert done.returncode == 0
    text = done.stdout
    moment = r"^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"
    place = r"PUT /v2/feeds/505\.csv\?x=1"
    assert re.search(moment + rf"  200  {place}  \(master key; http 127\.0\.0\.1\)$", text, re.MULTILINE)
    assert re.search(moment + rf"  401  {place}  \(no known key; http 127\.0\.0\.1\)$", text, re.MULTILINE)
    assert "    the key in X-ApiKey, 22 characters long, is not known here\n" in text
    assert "    the body is not CSV: " in text
    assert "    x-apikey: ***\n" in text
    assert "    6 bytes of body:\n" in text
    assert "    | temp,1\n" in text
    assert "\x1b" not in text
    assert service.api_key not in text
    assert "not-the-key" not in text


def test_json(service: ServiceProcess) -> None:
    """Each request is an object in a line of its own."""
    put(service, "temp,7")
    done = run(service, "505", "--json", "--url", f"{service.url}/v2/", PACHUBE_URL="http://127.0.0.1:1")
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    assert entries[-1]["feed"] == 505
    assert entries[-1]["body"] == "temp,7"
    assert entries[-1]["status"] == 200


def test_following(service: ServiceProcess) -> None:
    """What comes is shown as it comes, each once; Ctrl-C ends it."""
    put(service, "temp,first")
    process = subprocess.Popen(
        [*COMMAND, "505", "--follow", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ(service, PYTHONUNBUFFERED="1"),
    )
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(json.loads(line)["body"])
        if seen[-1] == "temp,first":
            put(service, "temp,second")
        if seen[-1] == "temp,second":
            break
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, rest, errors) == (0, "", "")
    assert seen.count("temp,first") == seen.count("temp,second") == 1


def test_a_key_in_a_file(service: ServiceProcess) -> None:
    """As for the other commands; the account file of the service will do."""
    done = run(service, "504", "--key-file", str(service.data / "admin.toml"), PACHUBE_API_KEY="nonsense")
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "variables", "error"),
    [
        (["999"], {}, "404: I'm sorry we are unable to find the resource you are looking for."),
        (["505"], {"PACHUBE_API_KEY": "nonsense"}, "401: You must be authenticated to access this resource"),
        (["505"], {"PACHUBE_API_KEY": ""}, "no key: give --key-file, or the variable PACHUBE_API_KEY"),
        (["505", "--url", "http://127.0.0.1:1"], {}, "no answer from http://127.0.0.1:1: "),
        (["505", "--url", "ftp://127.0.0.1"], {}, "'ftp://127.0.0.1' is not an address of HTTP"),
        (
            ["505"],
            {"PACHUBE_API_KEY": "a\nb"},
            "the answer is not one of this service, or the key",
        ),
    ],
)
def test_what_does_not_work_is_said(
    service: ServiceProcess, arguments: list[str], variables: dict[str, str], error: str
) -> None:
    """In one line, with a status that scripts see."""
    done = run(service, *arguments, **variables)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"Error: {error}")
    assert len(done.stderr.splitlines()) == 1


def test_a_redirect_is_not_followed() -> None:
    """The key goes to the service that was named, and to nobody else."""
    asked = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", "/other")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = Thread(target=server.handle_request)
    thread.start()
    done = CliRunner().invoke(
        log, ["5", "--url", f"http://127.0.0.1:{server.server_port}"], env={"PACHUBE_API_KEY": "k"}
    )
    thread.join()
    server.server_close()
    assert done.exit_code == 1
    assert done.output.startswith("Error: 302: ")
    assert asked == ["/v2/feeds/5/debug.json?after=0"]


WEBHOOK: dict[str, Any] = {
    "trigger": 14,
    "feed": 5,
    "datastream": "t",
    "url": "http://hooks.example/",
    "waiting": 2,
    "next_attempt_at": "2013-06-01T12:05:00.000000Z",
    "attempts": [
        {"at": "2013-06-01T12:00:00.000000Z", "status": 200, "fault": None},
        {"at": "2013-06-01T12:00:01.000000Z", "status": None, "fault": "connection refused\x1b"},
    ],
}


def document(attempts: int) -> dict[str, Any]:
    """Return what the service tells of a feed to which nothing came, after so many attempts."""
    return {"feed": 5, "requests": [], "webhooks": [{**WEBHOOK, "attempts": WEBHOOK["attempts"][:attempts]}]}


def test_webhooks(capsys: pytest.CaptureFixture[str]) -> None:
    """Attempts are told once, with what became of them, and what waits at first."""
    told = Told(5, full=False)
    told.take(document(1))
    told.take(document(2))
    told.take(document(2))
    assert capsys.readouterr().out.splitlines()[1:] == [
        "2013-06-01 12:00:00  200  webhook of trigger 14 to http://hooks.example/",
        "2 notifications of trigger 14 wait; the next attempt is at 2013-06-01 12:05:00",
        "2013-06-01 12:00:01    -  webhook of trigger 14 to http://hooks.example/",
        "                     connection refused\N{REPLACEMENT CHARACTER}",
    ]
    objects = JsonObjects()
    objects.take(document(2))
    objects.take(document(2))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["status"] for line in lines] == [200, None]
    assert {line["trigger"] for line in lines} == {14}


def test_a_service_that_is_away_for_a_while(tmp_path: Path) -> None:
    """Who follows waits until it is there again, and sees what comes then."""
    with ServiceProcess(tmp_path / "data") as service:
        service.run_json("feed", "add", "--owner", "admin", "--id", "505", "--datastream", "temp")
        put(service, "temp,before")
        process = subprocess.Popen(
            [*COMMAND, "505", "--follow", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environ(service, PYTHONUNBUFFERED="1"),
        )
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["body"] == "temp,before"
        port = service.port
        service.stop()
        assert process.stderr.readline().startswith("No answer from ")
        with ServiceProcess(tmp_path / "data", {"http": f"tcp:{port}:interface=127.0.0.1"}) as again:
            put(again, "temp,after")
            assert json.loads(process.stdout.readline())["body"] == "temp,after"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
