"""The examples over a socket, each run as the program it is, against the real service."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import blockon
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from txpachube import Datastream, Environment
from txpachube.client import Client
from txpachube.testing.service import LOOPBACK, ServiceProcess

EXAMPLES = Path(__file__).parents[2] / "examples"
PAGE = EXAMPLES / "websocket_page.html"

# As much of a browser as the page needs.
BROWSER = """
const cells = {};
globalThis.location = { hash: process.argv[1] };
globalThis.document = {
  getElementById: id => cells[id] ??= {
    set textContent(text) { console.log(`${id}: ${text}`); },
    replaceChildren(...rows) { console.log(rows.map(row => row.cells.join(" ")).join(", ")); },
  },
  createElement: () => ({
    cells: [],
    insertCell() { const { cells } = this; return { set textContent(text) { cells.push(text); } }; },
  }),
};
"""


class Program(ProcessProtocol):
    """A program that is running."""

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()
        self.printed = ""
        self._expected: list[tuple[str, Deferred[None]]] = []

    def prints(self, text: str) -> Deferred[None]:
        """Return a Deferred that fires when the program has printed a text, which counts once."""
        said: Deferred[None] = Deferred()
        self._expected.append((text, said))
        self.childDataReceived(1, b"")
        return said

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Collect both outputs."""
        self.printed += data.decode()
        for text, said in list(self._expected):
            if text in self.printed:
                self.printed = self.printed.partition(text)[2]
                self._expected.remove((text, said))
                said.callback(None)

    def processEnded(self, reason: Failure) -> None:
        """Fail what is still expected."""
        for text, said in self._expected:
            said.errback(AssertionError(f"ended without printing {text!r}, but {self.printed!r}"))
        self.ended.callback(None)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Return a service with the doors for it."""
    doors = {"http": LOOPBACK, "paws": LOOPBACK, "websocket": LOOPBACK}
    with ServiceProcess(tmp_path_factory.mktemp("examples"), doors) as running:
        yield running


@pytest.fixture
def writer(service: ServiceProcess) -> Iterator[Client]:
    """Return a client of a new feed with two datastreams."""
    client = Client(service.api_key, base_url=service.url, environ={})
    feed = Environment(title="Greenhouse", datastreams=[{"id": "temp", "current_value": "20"}, {"id": "fan"}])
    client.feed_id = blockon(client.create_feed(data=feed))
    yield client
    blockon(client.close())


def start(service: ServiceProcess, writer: Client, name: str, *arguments: str) -> tuple[Program, Any]:
    program = Program()
    environ = {
        **os.environ,
        "PACHUBE_PAWS": service.urls["paws"],
        "PACHUBE_API_KEY": service.api_key,
        "PACHUBE_FEED_ID": str(writer.feed_id),
    }
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    return program, reactor.spawnProcess(program, sys.executable, command, environ)


async def write(writer: Client, value: str) -> None:
    await writer.update_datastream(datastream_id="temp", data=Datastream(current_value=value))


@pytest.mark.parametrize("what", ["feed", "datastream"])
async def test_subscribe(service: ServiceProcess, writer: Client, what: str) -> None:
    """Each change is printed."""
    arguments = [f"/feeds/{writer.feed_id}/datastreams/temp"] if what == "datastream" else []
    program, process = start(service, writer, "subscribe.py", *arguments)
    await program.prints(f"watching {arguments[0] if arguments else f'/feeds/{writer.feed_id}'}\n")
    await write(writer, "21.50")
    await program.prints("temp is 21.50 (20")
    process.signalProcess("INT")
    await program.ended


async def test_subscribe_async(service: ServiceProcess, writer: Client) -> None:
    """The fan follows the temperature."""
    program, process = start(service, writer, "subscribe_async.py", "temp", "fan")
    await program.prints("following temp\n")
    for value, speed in (("24", "0"), ("25.5", "1"), ("19", "0")):
        await write(writer, value)
        await program.prints(f"{value}: fan {speed}\n")
        fan = await writer.read_datastream(datastream_id="fan")
        assert fan.current_value == speed
    process.signalProcess("INT")
    await program.ended


def test_the_page_is_short() -> None:
    """Thirty lines are enough for a live feed in a browser."""
    assert len(PAGE.read_text("utf-8").splitlines()) <= 30


def has_websocket(node: str) -> bool:
    command = [node, "--experimental-websocket", "-p", "typeof WebSocket"]
    asked = subprocess.run(command, check=False, capture_output=True)
    return asked.stdout.strip() == b"function"


async def test_the_page(service: ServiceProcess, writer: Client, tmp_path: Path) -> None:
    """The page shows the feed as it is, and then each update."""
    node = shutil.which("node")
    if node is None or not has_websocket(node):
        pytest.skip("no Node with WebSocket to run the page's script")
    script = re.search(r"<script>(.*)</script>", PAGE.read_text("utf-8"), re.DOTALL)
    assert script is not None
    program = Program()
    hash_text = f"#feed={writer.feed_id}&key={service.api_key}&service={service.urls['websocket']}/"
    command = [node, "--experimental-websocket", "--no-warnings", "-e", BROWSER + script[1], hash_text]
    process: Any = reactor.spawnProcess(program, node, command, os.environ)
    await program.prints("status: Greenhouse is live\nfan , temp 20\n")
    await write(writer, "21.50")
    await program.prints("status: Greenhouse is live\nfan , temp 21.50\n")
    process.signalProcess("KILL")
    await program.ended
