"""
Programs of all kinds in one room: each is subscribed to what each of the others writes.

Paho at both levels of MQTT, the tools of Mosquitto likewise, the ``websockets`` library, a page in Chromium,
``nc``, and HTTP, which can only write. Of what is not installed here the tests are skipped, and the others
do without it: ``make judges`` installs everything.
"""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import IO, Any, Protocol, cast
from urllib.request import Request, urlopen

import pytest
from paho.mqtt.client import Client as Paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from websockets.sync.client import ClientConnection, connect

from txpachube.testing.browser import Browser, find_browser
from txpachube.testing.service import LOOPBACK, ServiceProcess

PATIENCE = 30.0
"""Seconds after which a test gives up; never reached when all is well."""

PAGE = Path(__file__).parents[2] / "examples" / "websocket_page.html"
DOORS = ("http", "paws", "websocket", "mqtt")


class Writer(Protocol):
    """Somebody in the room."""

    def write(self, value: str) -> None:
        """Write the value of the datastream."""


class Reader(Writer, Protocol):
    """Somebody in the room who listens as well."""

    def heard(self) -> str:
        """Return the next value that came by itself."""


class Room:
    """
    The service, a feed in it with the datastream ``0``, and who is there.

    Attributes:
        people: by name.
    """

    def __init__(self, service: ServiceProcess) -> None:
        self.key = service.api_key
        self.urls = service.urls
        self.people: dict[str, Writer] = {}
        body = {"title": "A room", "datastreams": [{"id": "0", "current_value": "first"}]}
        made = self.ask("POST", "/v2/feeds.json", json.dumps(body))
        self.number = made.headers["Location"].rpartition("/")[2]
        self.stream = f"/feeds/{self.number}/datastreams/0"
        self.topic = f"/v2{self.stream}.csv"

    def ask(self, method: str, path: str, body: str) -> Any:
        """Make a request over HTTP."""
        headers = {"X-ApiKey": self.key}
        return urlopen(
            Request(self.urls["http"] + path, body.encode(), headers, method=method), timeout=PATIENCE
        )

    def port(self, door: str) -> str:
        """Return the port of a door."""
        return self.urls[door].rstrip("/").rpartition(":")[2]

    def message(self, method: str, **members: Any) -> str:
        """Return a message to the socket server."""
        return json.dumps(
            {"method": method, "resource": self.stream, "headers": {"X-ApiKey": self.key}, **members}
        )


def of_csv(line: str | bytes) -> str:
    """Return the value in a datastream as CSV."""
    text = line if isinstance(line, str) else line.decode()
    return text.strip().partition(",")[2]


class Lines:
    """What a program prints, line by line, as it does."""

    def __init__(self, output: IO[str] | None) -> None:
        assert output is not None
        self._lines: queue.Queue[str] = queue.Queue()
        Thread(target=self._read, args=(output,), daemon=True).start()

    def _read(self, output: IO[str]) -> None:
        for line in output:
            self._lines.put(line)

    def next(self) -> str:
        """Return the next line."""
        return self._lines.get(timeout=PATIENCE)


class OverHTTP:
    """A program that writes with plain PUTs."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def write(self, value: str) -> None:
        assert self._room.ask("PUT", self._room.topic, value).status == 200


class WithPaho:
    """A program that uses paho."""

    def __init__(self, room: Room, level: int, *, key_in_topic: bool) -> None:
        self._topic = room.key + room.topic if key_in_topic else room.topic
        self._heard: queue.Queue[str] = queue.Queue()
        subscribed: queue.Queue[bool] = queue.Queue()
        self._paho = Paho(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion(level))
        if not key_in_topic:
            self._paho.username_pw_set(room.key)
        self._paho.on_message = lambda client, data, message: self._heard.put(of_csv(bytes(message.payload)))
        self._paho.on_subscribe = lambda *_: subscribed.put(True)
        self._paho.connect("127.0.0.1", int(room.port("mqtt")))
        self._paho.loop_start()
        self._paho.subscribe(self._topic)
        assert subscribed.get(timeout=PATIENCE)
        assert self.heard() == "first"

    def write(self, value: str) -> None:
        self._paho.publish(self._topic, value, qos=1).wait_for_publish(PATIENCE)

    def heard(self) -> str:
        return self._heard.get(timeout=PATIENCE)

    def close(self) -> None:
        self._paho.disconnect()
        self._paho.loop_stop()


class WithMosquitto:
    """Somebody who types ``mosquitto_pub`` in one terminal and has ``mosquitto_sub`` in the other."""

    def __init__(self, room: Room, version: str, *, key_in_topic: bool) -> None:
        topic = room.key + room.topic if key_in_topic else room.topic
        self._options = ["-h", "127.0.0.1", "-p", room.port("mqtt"), "-V", version, "-t", topic]
        if not key_in_topic:
            self._options += ["-u", room.key]
        self._process = subprocess.Popen(
            ["mosquitto_sub", *self._options], stdout=subprocess.PIPE, text=True
        )  # fmt: skip
        self._lines = Lines(self._process.stdout)
        assert self.heard() == "first"

    def write(self, value: str) -> None:
        subprocess.run(["mosquitto_pub", *self._options, "-m", value], check=True, timeout=PATIENCE)

    def heard(self) -> str:
        return of_csv(self._lines.next())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class WithWebsockets:
    """A program that uses the library."""

    def __init__(self, room: Room, line: ClientConnection) -> None:
        self._room = room
        self._line = line
        self._heard: list[str] = []
        self._ask("subscribe", token="T")

    def _ask(self, method: str, **members: Any) -> None:
        self._line.send(self._room.message(method, **members))
        while "status" not in (message := self._message()):
            self._heard.append(message["body"]["current_value"])
        assert message["status"] == 200

    def _message(self) -> Any:
        return json.loads(self._line.recv(timeout=PATIENCE))

    def write(self, value: str) -> None:
        self._ask("put", body={"current_value": value})

    def heard(self) -> str:
        if self._heard:
            return self._heard.pop(0)
        value: str = self._message()["body"]["current_value"]
        return value


class InChromium:
    """Somebody who looks at the page of the examples, and a script in it that writes."""

    def __init__(self, room: Room, browser: Browser) -> None:
        fragment = f"feed={room.number}&key={room.key}&service={room.urls['websocket']}/"
        self._page = browser.open(f"{PAGE.as_uri()}#{fragment}")
        self._page.until("document.getElementById('values').innerText.includes('first')")
        # From now on each value is noted that the table shows.
        self._page.evaluate("""
            globalThis.shown = [];
            new MutationObserver(() => shown.push(document.querySelector('#values td + td').innerText))
                .observe(document.getElementById('values'), { childList: true });
            0""")

    def write(self, value: str) -> None:
        body = json.dumps({"datastreams": [{"id": "0", "current_value": value}]})
        status = self._page.evaluate(f"""new Promise(done => {{
            const socket = new WebSocket(settings.get("service"));
            socket.onopen = () => socket.send(JSON.stringify({{ method: "put", ...request, body: {body} }}));
            socket.onmessage = ({{ data }}) => {{ done(JSON.parse(data).status); socket.close(); }};
        }})""")
        assert status == 200

    def heard(self) -> str:
        self._page.until("shown.length")
        return str(self._page.evaluate("shown.shift()"))


class WithNetcat:
    """Somebody who types JSON into ``nc``."""

    def __init__(self, room: Room) -> None:
        self._room = room
        command = ["nc", "127.0.0.1", room.port("paws")]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._lines = Lines(self._process.stdout)
        self._heard: list[str] = []
        self._type("subscribe")

    def _type(self, method: str, **members: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(self._room.message(method, **members) + "\n")
        while "status" not in (message := json.loads(self._lines.next())):
            self._heard.append(message["body"]["current_value"])
        assert message["status"] == 200

    def write(self, value: str) -> None:
        self._type("put", body={"current_value": value})

    def heard(self) -> str:
        if self._heard:
            return self._heard.pop(0)
        value: str = json.loads(self._lines.next())["body"]["current_value"]
        return value

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()


PROGRAMS = {"mosquitto": "mosquitto_sub", "nc": "nc"}
PACKAGES = {"mosquitto": "mosquitto-clients", "nc": "netcat-openbsd", "chromium": "chromium"}
NAMES = (
    *("http", "paho 3.1", "paho 3.1.1", "mosquitto 3.1", "mosquitto 3.1.1"),
    *("websockets", "chromium", "nc"),
)


def is_here(name: str) -> bool:
    """Say whether there is what somebody needs."""
    if name == "chromium":
        return find_browser() is not None
    program = PROGRAMS.get(name.partition(" ")[0])
    return program is None or shutil.which(program) is not None


@contextmanager
def entered(name: str, room: Room, folder: Path) -> Iterator[Writer]:
    """Let somebody into the room."""
    kind, _, level = name.partition(" ")
    with ExitStack() as stack:
        made: Any
        # The older programs have the key in their user name, the newer ones in front of the topic.
        if kind == "http":
            made = OverHTTP(room)
        elif kind == "paho":
            number = MQTTProtocolVersion.MQTTv31 if level == "3.1" else MQTTProtocolVersion.MQTTv311
            made = WithPaho(room, number, key_in_topic=level == "3.1.1")
        elif kind == "mosquitto":
            version = "mqttv31" if level == "3.1" else "mqttv311"
            made = WithMosquitto(room, version, key_in_topic=level == "3.1.1")
        elif kind == "websockets":
            made = WithWebsockets(room, stack.enter_context(connect(room.urls["websocket"])))
        elif kind == "chromium":
            made = InChromium(room, stack.enter_context(Browser(folder / "profile")))
        else:
            made = WithNetcat(room)
        if hasattr(made, "close"):
            stack.callback(made.close)
        yield made


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """Return a room with all of them in it."""
    folder = tmp_path_factory.mktemp("room")
    with ServiceProcess(folder / "data", dict.fromkeys(DOORS, LOOPBACK)) as service, ExitStack() as stack:
        room = Room(service)
        for name in filter(is_here, NAMES):
            room.people[name] = stack.enter_context(entered(name, room, folder))
        yield room
    assert "Traceback" not in service.log
    assert service.api_key not in service.log


def readers(room: Room) -> dict[str, Reader]:
    return {
        name: cast(Reader, person) for name, person in room.people.items() if not isinstance(person, OverHTTP)
    }


@pytest.mark.parametrize("name", NAMES)
def test_everybody_hears_what_one_writes(room: Room, name: str) -> None:
    """Everybody, the writer too, hears each value, once and in order."""
    if name not in room.people:
        package = PACKAGES[name.partition(" ")[0]]
        pytest.skip(f"{name} is missing (apt-get install {package}, or: make judges)")
    values = [f"{name} wrote {number}" for number in range(3)]
    for value in values:
        room.people[name].write(value)
    for reader in readers(room).values():
        assert [reader.heard() for _ in values] == values


def test_all_write_at_once(room: Room) -> None:
    """However their values meet, all hear the same ones in the same order."""

    def write(name: str, person: Writer) -> None:
        for number in range(5):
            person.write(f"{name}: {number}")

    writing = [Thread(target=write, args=each) for each in room.people.items()]
    for thread in writing:
        thread.start()
    for thread in writing:
        thread.join(PATIENCE)
    expected = [f"{name}: {number}" for name in room.people for number in range(5)]
    heard = {name: [reader.heard() for _ in expected] for name, reader in readers(room).items()}
    order = heard["websockets"]
    assert sorted(order) == sorted(expected)
    for name, values in heard.items():
        assert values == order, name
