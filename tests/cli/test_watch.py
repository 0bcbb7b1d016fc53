"""``txpachube watch``, in a process of its own, with the real service."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click
import pytest

from txpachube import Datastream, Environment
from txpachube.cli.watch import key_in, resource
from txpachube.testing.service import LOOPBACK, ServiceProcess

PATIENCE = 60
COMMAND = [sys.executable, "-m", "txpachube.cli", "watch"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Return a service with feed 504, which has the datastreams temp and door."""
    doors = {"http": LOOPBACK, "paws": LOOPBACK, "websocket": LOOPBACK}
    with ServiceProcess(tmp_path_factory.mktemp("watched"), doors) as running:
        feed = Environment(
            title="Greenhouse",
            datastreams=[
                Datastream(id="temp", current_value="20", unit={"symbol": "C"}),
                Datastream(id="door"),
            ],
        )
        running.run_json("feed", "add", "--owner", "admin", "--id", "504")
        put(running, "/v2/feeds/504.json", feed.encode())
        yield running


def put(service: ServiceProcess, path: str, body: str) -> None:
    """Write over HTTP."""
    request = urllib.request.Request(service.url + path, body.encode(), method="PUT")
    request.add_header("X-ApiKey", service.api_key)
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def write(service: ServiceProcess, stream: str, value: str) -> None:
    put(service, f"/v2/feeds/504/datastreams/{stream}.csv", value)


def environ(service: ServiceProcess, **more: str) -> dict[str, str]:
    base = {name: value for name, value in os.environ.items() if not name.startswith("PACHUBE_")}
    return {**base, "PACHUBE_API_KEY": service.api_key, "PACHUBE_PAWS": service.urls["paws"], **more}


class Watching:
    """The command, running, that has subscribed."""

    def __init__(self, service: ServiceProcess, *arguments: str, **variables: str) -> None:
        self.service = service
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environ(service, **variables),
        )
        assert self.process.stdout is not None
        self.output = self.process.stdout

    def first_line(self, stream: str) -> str:
        """Write until the command has printed a line: it doesn't say when it begins."""
        number = 0
        while not select_ready(self.output):
            number += 1
            write(self.service, stream, f"try {number}")
        return self.output.readline()

    def end(self) -> tuple[int, str]:
        """End it as a person does; return its status and what it said about errors."""
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors


def select_ready(stream: IO[str]) -> bool:
    """Whether there is something to read within a moment."""
    import select

    return bool(select.select([stream], [], [], 0.2)[0])


@pytest.mark.parametrize("door", ["paws", "websocket"])
def test_json_lines(service: ServiceProcess, door: str) -> None:
    """Each value is an object in a line of its own, and only what was written is printed."""
    watching = Watching(service, "504", "--json", "--url", service.urls[door], PACHUBE_PAWS="tcp://nowhere")
    watching.first_line("temp")
    write(service, "door", "öffen")
    for line in watching.output:
        facts = json.loads(line)
        if facts["datastream"] == "door":
            break
    assert facts == {"feed": 504, "datastream": "door", "at": facts["at"], "value": "öffen"}
    assert watching.end() == (0, "")


def test_lines_of_text(service: ServiceProcess) -> None:
    """Without a terminal a value is a line that a person can read."""
    watching = Watching(service, "504/temp")
    line = watching.first_line("temp")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z  temp  try \d+ C\n", line)
    assert watching.end() == (0, "")


def test_so_many_values(service: ServiceProcess) -> None:
    """After --count values it ends, and prints no more than that."""
    watching = Watching(service, "504", "--json", "--count", "3")
    lines = [watching.first_line("temp")]
    put(service, "/v2/feeds/504.csv", "temp,1\ndoor,2\n")
    put(service, "/v2/feeds/504.csv", "temp,3\ndoor,4\n")
    rest, errors = watching.process.communicate(timeout=PATIENCE)
    assert len(lines + rest.splitlines()) == 3
    assert (watching.process.returncode, errors) == (0, "")


def test_a_reader_that_has_seen_enough(service: ServiceProcess) -> None:
    """When the other program of a pipeline ends, this one does, without a complaint."""
    watching = Watching(service, "504", "--json")
    watching.first_line("temp")
    watching.output.close()
    for number in range(3):
        write(service, "temp", str(number))
    assert watching.process.wait(PATIENCE) == 1
    assert watching.process.stderr is not None
    assert watching.process.stderr.read() == ""
    watching.process.stderr.close()


def test_a_table(service: ServiceProcess) -> None:
    """In a terminal there is a table of the present state."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "504"],
        stdout=theirs,
        stderr=theirs,
        env=environ(service, COLUMNS="100", LINES="30", TERM="xterm"),
    )
    os.close(theirs)
    seen = ""
    while "Greenhouse" not in seen or "temp" not in seen:
        seen += os.read(ours, 65536).decode()
    assert "connected; 0 values. Ctrl-C ends." in seen
    write(service, "door", "[red]\x1b[2J ajar")
    while "ajar" not in seen:
        seen += os.read(ours, 65536).decode()
    assert "[red]" in seen
    assert "\x1b[2J" not in seen
    assert "Greenhouse (live)" in seen
    process.send_signal(signal.SIGINT)
    try:
        while data := os.read(ours, 65536):
            seen += data.decode()
    except OSError:
        pass  # the end of a terminal
    os.close(ours)
    assert process.wait(PATIENCE) == 0
    assert service.api_key not in seen


def test_what_was_missed_is_marked(tmp_path: Path) -> None:
    """After a restart of the service the values written meanwhile come first, marked."""
    paws = ServiceProcess(tmp_path, {"http": LOOPBACK, "paws": LOOPBACK})
    paws.start()
    port = int(paws.urls["paws"].rpartition(":")[2])
    paws.run_json("feed", "add", "--owner", "admin", "--id", "504")
    put(paws, "/v2/feeds/504.json", '{"datastreams":[{"id":"temp"}]}')
    watching = Watching(paws, "504/temp", "--json")
    watching.first_line("temp")
    paws.stop()
    without = ServiceProcess(tmp_path, {"http": LOOPBACK})
    with without:
        write(without, "temp", "missed")
    again = ServiceProcess(tmp_path, {"http": LOOPBACK, "paws": f"tcp:{port}:interface=127.0.0.1"})
    with again:
        lines: list[str] = []
        while not lines or '"missed": true' not in lines[-1]:
            lines.append(watching.output.readline())
        assert json.loads(lines[-1])["value"] == "missed"
        assert watching.end()[0] == 0


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (["504"], {"PACHUBE_API_KEY": "unknown"}, "does not know this key (401)"),
        (["504"], {"PACHUBE_API_KEY": ""}, "there is no key: set PACHUBE_API_KEY"),
        (["505"], {}, "there is no feed 505 at tcp://127.0.0.1:"),
        (["504/none"], {}, "there is no datastream none of feed 504 at tcp://127.0.0.1:"),
        (["x"], {}, "'x' is not a whole number"),
        (["504/"], {}, "does not name a datastream"),
        (["504", "--url", "http://x"], {}, "url must be"),
        (["504", "--key-file", "/nonexistent"], {}, "does not exist"),
    ],
)
def test_errors(service: ServiceProcess, arguments: list[str], variables: dict[str, str], said: str) -> None:
    """What is wrong is said in a line, without a key, and the status is not 0."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=environ(service, **variables),
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert service.api_key not in done.stderr


def test_names_of_resources() -> None:
    """A feed and a datastream are named in short, or as the API does."""
    assert resource("504") == resource("/feeds/504") == "/feeds/504"
    assert resource("504/a.b") == resource("/feeds/504/datastreams/a.b") == "/feeds/504/datastreams/a.b"


@pytest.mark.parametrize(
    "text",
    ["the-key\n", "X-ApiKey: the-key\n", 'login = "admin"\npassword = "x"\napi_key = "the-key"\n'],
)
def test_key_files(tmp_path: Path, text: str) -> None:
    """A key can be in a file, by itself, as a header, or as the service wrote it down."""
    file = tmp_path / "key"
    file.write_text(text)
    assert key_in(file) == "the-key"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = 1", b"a = ["])
def test_files_without_a_key(tmp_path: Path, content: bytes) -> None:
    """Any other file is refused, and its content is not shown."""
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(click.ClickException, match="there is no key in"):
        key_in(file)
