"""
The MQTT door as real clients see it: paho and the tools of Mosquitto, with HTTP and the socket server beside.

Mosquitto's tools are the Debian package ``mosquitto-clients``; where they are absent their tests are skipped.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.client import Client as Paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from txpachube.testing.service import LOOPBACK, ServiceProcess

PATIENCE = 20.0
"""Seconds after which a test gives up; never reached when all is well."""

EXAMPLE = Path(__file__).parents[2] / "examples" / "mqtt_device.py"
LEVELS = [MQTTProtocolVersion.MQTTv31, MQTTProtocolVersion.MQTTv311]
BY_USER_NAME, BY_TOPIC = "user name", "topic"

tools = pytest.mark.skipif(
    shutil.which("mosquitto_pub") is None or shutil.which("mosquitto_sub") is None,
    reason="mosquitto_pub and mosquitto_sub are missing (apt-get install mosquitto-clients)",
)


class World:
    """
    A service with HTTP, sockets and MQTT, and a feed of one's own.

    Attributes:
        service: the service.
        feed: path of the feed.
        stream: path of its datastream ``0``.
        host, port: where MQTT is.
        certificate: what MQTT shows under TLS; None without.
    """

    def __init__(self, service: ServiceProcess, certificate: Path | None = None) -> None:
        self.service = service
        self.certificate = certificate
        self.key = service.api_key
        self.host = "127.0.0.1" if certificate is None else "localhost"
        self.port = int(service.urls["mqtt"].rpartition(":")[2])
        body = {"title": "A feed", "datastreams": [{"id": "0", "current_value": "first"}]}
        made = self._ask("POST", "/v2/feeds.json", json.dumps(body).encode())
        self.feed = "/v2/feeds/" + made.headers["Location"].rpartition("/")[2]
        self.stream = f"{self.feed}/datastreams/0"

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        headers = {"X-ApiKey": self.key}
        return urlopen(
            Request(self.service.url + path, body, headers, method=method),
            timeout=PATIENCE,
        )

    def put(self, value: str) -> None:
        """Write the datastream's value over HTTP."""
        self._ask("PUT", f"{self.stream}.csv", value.encode())

    def get(self, path: str) -> bytes:
        """Read something over HTTP."""
        body: bytes = self._ask("GET", path).read()
        return body

    @property
    def value(self) -> str:
        """What HTTP says that the datastream's value is."""
        return self.get(f"{self.stream}.csv").decode().partition(",")[2]

    def topic(self, authentication: str, path: str) -> str:
        """Return a topic as a client uses it that authenticates itself in this way."""
        return path if authentication == BY_USER_NAME else f"{self.key}{path}"


class Device:
    """A paho client that collects its messages."""

    def __init__(self, world: World, level: int, authentication: str, **options: Any) -> None:
        self.world = world
        self.authentication = authentication
        self.messages: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.events: queue.Queue[object] = queue.Queue()
        will = options.pop("will", None)
        self.paho = Paho(
            CallbackAPIVersion.VERSION2,
            client_id=options.pop("client_id", f"device{id(self)}"),
            protocol=MQTTProtocolVersion(level),
            reconnect_on_failure=False,
        )
        if authentication == BY_USER_NAME:
            self.paho.username_pw_set(options.pop("key", world.key), "anything")
        if will is not None:
            self.paho.will_set(self.topic(will[0]), will[1], qos=1)
        self.paho.on_message = lambda client, data, message: self.messages.put(
            (message.topic, bytes(message.payload))
        )
        self.paho.on_connect = lambda client, data, flags, reason, properties: self.events.put(reason.value)
        self.paho.on_disconnect = lambda client, data, flags, reason, properties: self.events.put("gone")
        self.paho.on_subscribe = lambda client, data, number, reasons, properties: self.events.put(
            [reason.value for reason in reasons]
        )
        if world.certificate is not None:
            self.paho.tls_set(str(world.certificate))
        self.paho.connect(world.host, world.port, keepalive=60)
        self.paho.loop_start()
        self.reason = self.event()

    def event(self) -> object:
        """Return what happened to the connection next."""
        return self.events.get(timeout=PATIENCE)

    def topic(self, path: str) -> str:
        return self.world.topic(self.authentication, path)

    def subscribe(self, *paths: str, qos: int = 0) -> None:
        self.paho.subscribe([(self.topic(path), qos) for path in paths])
        assert self.event() == [0] * len(paths)

    def publish(self, path: str, payload: str, qos: int = 0) -> None:
        sent = self.paho.publish(self.topic(path), payload, qos)
        sent.wait_for_publish(PATIENCE)
        assert sent.is_published()

    def message(self) -> tuple[str, bytes]:
        return self.messages.get(timeout=PATIENCE)

    def value(self) -> str:
        """Return the value in the next message, which is a datastream as CSV."""
        topic, payload = self.message()
        assert topic == self.topic(f"{self.world.stream}.csv")
        return payload.decode().partition(",")[2]

    def kill(self) -> None:
        """End the connection without a word, as a power cut does."""
        self.paho.loop_stop()
        line = self.paho.socket()
        assert line is not None
        line.close()

    def close(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()


class Watcher:
    """A client of the socket server that is subscribed to the datastream."""

    def __init__(self, world: World) -> None:
        self._world = world
        host, _, port = world.service.urls["paws"].removeprefix("tcp://").rpartition(":")
        self._socket = socket.create_connection((host, int(port)), PATIENCE)
        self._lines = self._socket.makefile("rb")
        assert self._ask("subscribe")["status"] == 200

    def _ask(self, method: str, **members: Any) -> Any:
        resource = self._world.stream.removeprefix("/v2")
        request = {"method": method, "resource": resource, "headers": {"X-ApiKey": self._world.key}}
        self._socket.sendall(json.dumps({**request, **members}).encode())
        return self._message()

    def _message(self) -> Any:
        return json.loads(self._lines.readline())

    def put(self, value: str) -> None:
        """Write the datastream's value; the push of it comes before or after the answer."""
        messages = [self._ask("put", body={"current_value": value}), self._message()]
        assert sorted("status" in message for message in messages) == [False, True]

    def value(self) -> str:
        """Return the value of the next push."""
        pushed: str = self._message()["body"]["current_value"]
        return pushed

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Return a service with the doors for it."""
    doors = {"http": LOOPBACK, "paws": LOOPBACK, "mqtt": LOOPBACK}
    with ServiceProcess(tmp_path_factory.mktemp("mqtt"), doors) as service:
        yield service
    assert "Traceback" not in service.log
    assert service.api_key not in service.log


@pytest.fixture
def world(running: ServiceProcess) -> World:
    """Return the service with a feed of one's own."""
    return World(running)


@pytest.fixture
def device(world: World) -> Iterator[Callable[..., Device]]:
    """Return a function that connects a paho client."""
    devices: list[Device] = []

    def connect(
        level: int = MQTTProtocolVersion.MQTTv311, authentication: str = BY_USER_NAME, **options: Any
    ) -> Device:
        devices.append(Device(world, level, authentication, **options))
        return devices[-1]

    yield connect
    for each in devices:
        each.close()


@pytest.fixture
def watcher(world: World) -> Iterator[Watcher]:
    """Return a client of the socket server."""
    made = Watcher(world)
    yield made
    made.close()


# --- paho -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("authentication", [BY_USER_NAME, BY_TOPIC])
def test_paho_hears_and_is_heard(
    world: World, watcher: Watcher, device: Callable[..., Device], level: int, authentication: str
) -> None:
    """What is written through any door is heard through all others, with each quality of service."""
    paho = device(level, authentication)
    assert paho.reason == 0
    paho.subscribe(f"{world.stream}.csv")
    assert paho.value() == "first"
    world.put("by HTTP")
    assert paho.value() == watcher.value() == "by HTTP"
    watcher.put("by socket")
    assert paho.value() == world.value == "by socket"
    for qos in (0, 1, 2):
        paho.publish(f"{world.stream}.csv", f"by MQTT {qos}", qos)
        assert paho.value() == watcher.value() == world.value == f"by MQTT {qos}"


@pytest.mark.parametrize("extension", ["json", "xml", "csv"])
def test_paho_gets_what_a_get_answers(world: World, device: Callable[..., Device], extension: str) -> None:
    """The payload is the body of a GET, for the feed and for the datastream."""
    paho = device()
    for path in (f"{world.feed}.{extension}", f"{world.stream}.{extension}"):
        paho.subscribe(path, qos=2)
        assert paho.message() == (path, world.get(path))
    world.put("new")
    for path in sorted(dict([paho.message(), paho.message()])):
        assert world.get(path).count(b"new") == 1


def test_paho_writes_as_programs_of_that_time_do(world: World, device: Callable[..., Device]) -> None:
    """Blanks after the comma, several lines, numbers instead of texts, no slash in front."""
    paho = device(MQTTProtocolVersion.MQTTv31)
    paho.subscribe(f"{world.stream}.csv")
    paho.value()
    for path, payload in [
        (f"{world.feed}.csv", "0, 29"),
        (f"{world.feed}.csv", "0,30\nlight, 1"),
        (f"{world.stream}.csv", "31"),
        (f"{world.feed}.json", '{"version":"1.0.0","datastreams":[{"id":"0","current_value":32}]}'),
        (world.feed.removeprefix("/") + ".csv", "0,33"),
    ]:
        paho.publish(path, payload)
    assert [paho.value() for _ in range(5)] == ["29", "30", "31", "32", "33"]
    assert world.get(f"{world.feed}/datastreams/light.csv").endswith(b",1")


def test_an_unknown_key(world: World, device: Callable[..., Device]) -> None:
    """The client is told that its user name is bad."""
    assert device(key="no-key-at-all").reason == 134  # what paho calls code 4 of CONNACK


def test_what_may_not_be_written(world: World, device: Callable[..., Device]) -> None:
    """It is acknowledged all the same, and has no effect; the connection goes on."""
    paho = device()
    paho.publish("/v2/feeds/99999.csv", "0,1", 1)
    paho.publish(f"{world.stream}.json", "{", 2)
    paho.publish("weather/today", "nice", 1)
    paho.publish(f"{world.stream}.csv", "at last", 1)
    assert world.value == "at last"


def test_unsubscribing(world: World, device: Callable[..., Device]) -> None:
    """Nothing more comes."""
    paho = device()
    paho.subscribe(f"{world.stream}.csv", f"{world.feed}.csv")
    assert {paho.message()[0], paho.message()[0]} == {f"{world.stream}.csv", f"{world.feed}.csv"}
    done: queue.Queue[int] = queue.Queue()
    paho.paho.on_unsubscribe = lambda client, data, number, reasons, properties: done.put(number)
    paho.paho.unsubscribe(f"{world.stream}.csv")
    done.get(timeout=PATIENCE)
    world.put("new")
    assert paho.message()[0] == f"{world.feed}.csv"
    world.put("newer")
    assert paho.message()[0] == f"{world.feed}.csv"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("authentication", [BY_USER_NAME, BY_TOPIC])
def test_the_will_of_a_client_that_is_killed(
    world: World, watcher: Watcher, device: Callable[..., Device], level: int, authentication: str
) -> None:
    """It is written when the connection ends without a goodbye."""
    paho = device(level, authentication, will=(f"{world.stream}.csv", "0"))
    paho.publish(f"{world.stream}.csv", "1", 1)
    assert watcher.value() == "1"
    paho.kill()
    assert watcher.value() == world.value == "0"


def test_a_goodbye_has_no_will(world: World, watcher: Watcher, device: Callable[..., Device]) -> None:
    """A client that disconnects in good order is not dead."""
    paho = device(will=(f"{world.stream}.csv", "0"))
    paho.publish(f"{world.stream}.csv", "1", 1)
    paho.paho.disconnect()
    assert paho.event() == "gone"
    world.put("2")
    assert [watcher.value(), watcher.value()] == ["1", "2"]


def test_the_same_client_again(world: World, watcher: Watcher, device: Callable[..., Device]) -> None:
    """The second connection closes the first; the first one's will is written before the second is in."""
    first = device(client_id="the-same", will=(f"{world.stream}.csv", "first is gone"))
    second = device(client_id="the-same")
    assert second.reason == 0
    assert first.event() == "gone"
    second.publish(f"{world.stream}.csv", "second is there", 1)
    assert [watcher.value(), watcher.value()] == ["first is gone", "second is there"]


def test_many_messages_arrive_in_their_order(
    world: World, watcher: Watcher, device: Callable[..., Device]
) -> None:
    """Hundreds of messages sent at once, with every quality of service, are written in their order."""
    paho = device()
    paho.subscribe(f"{world.stream}.csv")
    paho.value()
    for number in range(300):
        paho.paho.publish(f"{world.stream}.csv", str(number), qos=0)
    values = [paho.value() for _ in range(300)]
    assert values == [str(number) for number in range(300)]
    assert [watcher.value() for _ in range(300)] == values
    sent = [paho.paho.publish(f"{world.stream}.csv", str(number), qos=number % 3) for number in range(300)]
    for each in sent:
        each.wait_for_publish(PATIENCE)
    values = [paho.value() for _ in range(300)]
    assert sorted(map(int, values)) == list(range(300))
    for qos in (1, 2):
        ours = [int(value) for value in values if int(value) % 3 == qos]
        assert ours == sorted(ours)


# --- the tools of Mosquitto -------------------------------------------------------------------------


def mosquitto(world: World, tool: str, authentication: str, path: str, *arguments: str) -> list[str]:
    """Return the command line of a tool."""
    key = ["-u", world.key] if authentication == BY_USER_NAME else []
    topic = world.topic(authentication, path)
    return [f"mosquitto_{tool}", "-h", world.host, "-p", str(world.port), *key, "-t", topic, *arguments]


def say(world: World, path: str, *arguments: str, authentication: str = BY_USER_NAME, text: str = "") -> None:
    """Publish with mosquitto_pub."""
    command = mosquitto(world, "pub", authentication, path, *arguments)
    subprocess.run(command, input=text, text=True, check=True, timeout=PATIENCE)


@contextmanager
def listening(
    world: World, path: str, *arguments: str, authentication: str = BY_USER_NAME
) -> Iterator[Callable[[], str]]:
    """Subscribe with mosquitto_sub and return a function that waits for its next line."""
    command = mosquitto(world, "sub", authentication, path, *arguments)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield lambda: process.stdout.readline().rstrip("\n")  # type: ignore[union-attr] # it is a pipe
    finally:
        process.terminate()
        process.wait(PATIENCE)
        process.stdout.close()


@tools
@pytest.mark.parametrize("version", ["mqttv31", "mqttv311"])
@pytest.mark.parametrize("authentication", [BY_USER_NAME, BY_TOPIC])
def test_mosquitto_hears_and_is_heard(
    world: World, watcher: Watcher, authentication: str, version: str
) -> None:
    """What the tools write is heard everywhere, and they hear what is written anywhere."""
    path = f"{world.stream}.csv"
    with listening(world, path, "-v", "-V", version, authentication=authentication) as line:

        def heard() -> str:
            topic, _, payload = line().partition(" ")
            assert topic == world.topic(authentication, path)
            return payload.partition(",")[2]

        assert heard() == "first"
        world.put("by HTTP")
        assert heard() == watcher.value() == "by HTTP"
        watcher.put("by socket")
        assert heard() == "by socket"
        for qos in ("0", "1", "2"):
            say(world, path, "-m", f"q{qos}", "-q", qos, "-V", version, authentication=authentication)
            assert heard() == watcher.value() == f"q{qos}"
        assert world.value == "q2"


@tools
def test_mosquitto_and_paho(world: World, device: Callable[..., Device]) -> None:
    """They hear each other, which is to say what the other wrote."""
    paho = device()
    paho.subscribe(f"{world.stream}.csv")
    assert paho.value() == "first"
    with listening(world, f"{world.stream}.csv") as line:
        assert line().endswith(",first")
        say(world, f"{world.feed}.csv", "-m", "0,29")
        assert paho.value() == "29"
        assert line().endswith(",29")
        paho.publish(f"{world.stream}.csv", "30")
        assert line().endswith(",30")


@tools
def test_lines_from_a_pipe(world: World, watcher: Watcher) -> None:
    """One message for each line, as a shell script sends them; and a message that is a whole file."""
    say(world, f"{world.stream}.csv", "-l", text="1\n2\n3\n")
    assert [watcher.value() for _ in range(3)] == ["1", "2", "3"]
    say(world, f"{world.feed}.csv", "-s", text="0,4\nlight,5")
    assert watcher.value() == "4"


@tools
def test_what_mosquitto_gets_of_the_rest(world: World) -> None:
    """Other resources give a single message, wildcards and what does not exist none."""
    command = mosquitto(
        world, "sub", BY_USER_NAME, "/v2/keys.json", "-t", "/v2/feeds/#", "-t", "/v2/feeds/0.csv"
    )
    done = subprocess.run([*command, "-C", "1", "-W", "20"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == json.loads(world.get("/v2/keys.json"))


@tools
def test_an_unknown_key_of_mosquitto(world: World) -> None:
    """The tool says so and ends."""
    command = mosquitto(world, "pub", BY_TOPIC, f"{world.stream}.csv", "-m", "1", "-u", "no-key")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode != 0
    assert "bad user name" in done.stderr


@tools
def test_the_will_of_mosquitto(world: World, watcher: Watcher) -> None:
    """A program that is killed leaves its will."""
    will = ["--will-topic", f"{world.stream}.csv", "--will-payload", "0"]
    process = subprocess.Popen(
        mosquitto(world, "sub", BY_USER_NAME, f"{world.stream}.csv", *will), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline().endswith(b",first\n")
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE)
    process.stdout.close()
    assert watcher.value() == world.value == "0"


# --- the example and the end ------------------------------------------------------------------------


def example(world: World, *arguments: str) -> list[str]:
    return [sys.executable, "-u", str(EXAMPLE), *arguments]


def environ(world: World) -> dict[str, str]:
    return {
        **os.environ,
        "PACHUBE_API_KEY": world.key,
        "PACHUBE_FEED_ID": world.feed.rpartition("/")[2],
        "PACHUBE_MQTT": world.service.urls["mqtt"],
    }


def test_the_example(world: World) -> None:
    """The device of the examples reports, obeys its switch, and says goodbye."""
    done = subprocess.run(
        example(world, "3", "0"), capture_output=True, text=True, env=environ(world), timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    readings = [line for line in done.stdout.splitlines() if line.startswith("temperature ")]
    assert len(readings) == 3
    stream = world.get(f"{world.feed}/datastreams/temperature.csv").decode()
    assert stream.partition(",")[2] == readings[-1].removeprefix("temperature ")
    assert world.get(f"{world.feed}/datastreams/online.csv").endswith(b",0")


def test_the_example_when_it_is_killed(world: World, device: Callable[..., Device]) -> None:
    """Its switch is turned over another connection; when it is killed its will says so."""
    paho = device()
    paho.publish(f"{world.feed}.csv", "switch,0\nonline,0", 1)
    paho.subscribe(f"{world.feed}/datastreams/online.csv")
    assert paho.message()[1].endswith(b",0")
    process = subprocess.Popen(example(world), stdout=subprocess.PIPE, text=True, env=environ(world))
    assert process.stdout is not None
    seen = ""
    while "switch 0" not in seen:
        seen += process.stdout.readline()
    assert paho.message()[1].endswith(b",1")
    paho.publish(f"{world.feed}.csv", "switch,1", 1)
    while "switch 1" not in seen:
        seen += process.stdout.readline()
    process.kill()
    process.wait(PATIENCE)
    process.stdout.close()
    assert paho.message()[1].endswith(b",0")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a file with a key and a certificate for ``localhost``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "door.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_under_tls(tmp_path: Path, certificate: Path) -> None:
    """An endpoint string is all it takes: everything works as without, also the will and the end."""
    doors = {
        "http": LOOPBACK,
        "paws": LOOPBACK,
        "mqtt": f"ssl:0:privateKey={certificate}:interface=127.0.0.1",
    }
    with ServiceProcess(tmp_path / "data", doors) as service:
        assert service.urls["mqtt"].startswith("mqtts://127.0.0.1:")
        world = World(service, certificate)
        watcher = Watcher(world)
        paho = Device(world, MQTTProtocolVersion.MQTTv311, BY_USER_NAME, will=(f"{world.stream}.csv", "0"))
        paho.subscribe(f"{world.stream}.csv", f"{world.feed}.json")
        assert paho.value() == "first"
        assert paho.message()[1] == world.get(f"{world.feed}.json")
        paho.publish(f"{world.feed}.json", json.dumps({"description": "x" * 500_000}), 2)
        assert len(paho.message()[1]) > 500_000
        paho.kill()
        assert watcher.value() == "0"
        watcher.close()
        other = Device(world, MQTTProtocolVersion.MQTTv31, BY_USER_NAME)
        other.publish(f"{world.stream}.csv", "1", 1)
        assert service.stop() == 0
        assert other.event() == "gone"
        other.close()


def test_a_service_that_ends(tmp_path: Path) -> None:
    """What was acknowledged is stored, wills are written, and the service ends well."""
    doors = {"http": LOOPBACK, "paws": LOOPBACK, "mqtt": LOOPBACK}
    with ServiceProcess(tmp_path, doors) as service:
        world = World(service)
        paho = Device(world, MQTTProtocolVersion.MQTTv311, BY_USER_NAME, will=(f"{world.feed}.csv", "will,1"))
        paho.publish(f"{world.stream}.csv", "stored", 1)
        assert service.stop() == 0
        assert paho.event() == "gone"
        service.start()
        assert world.value == "stored"
        assert world.get(f"{world.feed}/datastreams/will.csv").endswith(b",1")
        paho.close()
