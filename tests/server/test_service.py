"""The service put together, with its doors open on this machine."""

from __future__ import annotations

import datetime as dt
import json
import socket
import sqlite3
import ssl
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_twisted import blockon
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from websockets.sync.client import connect

from txpachube.server.administration import open_administration
from txpachube.server.config import CLOSED, BadSettings, Settings
from txpachube.server.service import _DOORS, Service
from txpachube.server.storage.retention import DAY
from txpachube.testing.sockets import SocketClient

reactor: Any = installed_reactor
LOOPBACK = "tcp:0:interface=127.0.0.1"


class Running:
    """A service with some doors open, all others closed."""

    def __init__(self, folder: Path, doors: dict[str, str]) -> None:
        self.folder = folder
        closed = {kind.setting: CLOSED for kind in _DOORS}
        self.service = Service(Settings(data=str(folder), **{**closed, **doors}), reactor)  # type: ignore[arg-type]  # texts all
        self.urls: dict[str, str] = {}

    async def start(self) -> None:
        """Open the doors."""
        self.urls = {door.name: door.url for door in await self.service.start()}

    def port(self, name: str) -> int:
        """Return the port of a door."""
        return int(self.urls[name].rstrip("/").rpartition(":")[2])

    def request(self, method: str, resource: str, **members: Any) -> bytes:
        """Write a message with the master key."""
        key = tomllib.loads((self.folder / "admin.toml").read_text())["api_key"]
        return json.dumps(
            {"method": method, "resource": resource, "headers": {"X-ApiKey": key}, **members}
        ).encode()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Return a function that starts a service; it is stopped when the test is over."""
    started: list[Running] = []

    def begin(**doors: str) -> Running:
        started.append(Running(tmp_path / "data", doors))
        return started[-1]

    yield begin
    for each in started:
        blockon(Deferred.fromCoroutine(each.service.stop()))


FEED = {"title": "t", "datastreams": [{"id": "temp", "current_value": "1"}]}


async def test_what_one_door_takes_all_doors_show(run: Callable[..., Running]) -> None:
    """A feed made over TCP has HTTP's URL, is read over WebSocket, and each hears of the other's writes."""
    running = run(http=LOOPBACK, paws=LOOPBACK, websocket=LOOPBACK)
    await running.start()
    assert running.urls["http"] == f"http://127.0.0.1:{running.port('http')}/"
    assert running.urls["paws"] == f"tcp://127.0.0.1:{running.port('paws')}"
    assert running.urls["websocket"] == f"ws://127.0.0.1:{running.port('websocket')}"
    client = await SocketClient.connect(reactor, running.port("paws"))
    client.send(running.request("post", "/feeds", body=FEED))
    made = await client.message()
    assert made["headers"]["LOCATION"] == running.urls["http"] + "v2/feeds/1"
    client.send(running.request("subscribe", "/feeds/1/datastreams/temp", token="T"))
    assert (await client.message())["status"] == 200

    def talk() -> list[Any]:
        with connect(running.urls["websocket"]) as websocket:
            heard = []
            for message in (
                running.request("get", "/feeds/1/datastreams/temp"),
                running.request("subscribe", "/feeds/1"),
                running.request("put", "/feeds/1/datastreams/temp", body={"current_value": "2"}),
            ):
                websocket.send(message.decode())
                heard.append(json.loads(websocket.recv(timeout=30)))
            heard.append(json.loads(websocket.recv(timeout=30)))
            return heard

    heard = await deferToThread(talk)
    assert heard[0]["body"]["current_value"] == "1"
    pushes = [message["body"] for message in heard if "status" not in message]
    assert [push["datastreams"][0]["current_value"] for push in pushes] == ["2"]
    assert pushes[0]["feed"] == running.urls["http"] + "v2/feeds/1.json"
    assert (await client.message())["body"]["current_value"] == "2"
    client.close()


@pytest.mark.parametrize("name", ["http", "paws", "websocket"])
async def test_a_busy_port_names_the_option(run: Callable[..., Running], name: str) -> None:
    """The message says which door it was, and how to give another port or none; nothing stays open."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        doors = {"http": LOOPBACK, "paws": LOOPBACK, "websocket": LOOPBACK}
        running = run(**{**doors, name: f"tcp:{port}:interface=127.0.0.1"})
        with pytest.raises(BadSettings) as raised:
            await running.start()
    text = str(raised.value)
    assert f"127.0.0.1:{port}" in text
    assert f"--{name} " in text.replace(";", " ")
    assert f"--no-{name} " in text
    assert running.service._ports == []
    assert running.service._store is None


async def test_an_endpoint_that_is_none(run: Callable[..., Running]) -> None:
    """What Twisted cannot understand is told with the door's name."""
    running = run(paws="tcp:x")
    with pytest.raises(BadSettings, match=r"^paws: 'tcp:x' is not a Twisted endpoint: "):
        await running.start()


async def test_a_service_without_http(run: Callable[..., Running]) -> None:
    """The other doors work; URLs have the address that the client used."""
    running = run(paws=LOOPBACK)
    await running.start()
    assert list(running.urls) == ["paws"]
    client = await SocketClient.connect(reactor, running.port("paws"))
    client.send(running.request("post", "/feeds", body=FEED))
    assert (await client.message())["headers"]["LOCATION"] == "http://127.0.0.1/v2/feeds/1"
    client.close()


async def test_urls_have_the_scheme_of_http(run: Callable[..., Running], certificate: Path) -> None:
    """When HTTP is under TLS, so are the URLs that a plain socket gets."""
    running = run(http=f"ssl:0:privateKey={certificate}:interface=127.0.0.1", paws=LOOPBACK)
    await running.start()
    client = await SocketClient.connect(reactor, running.port("paws"))
    client.send(running.request("post", "/feeds", body=FEED))
    location = (await client.message())["headers"]["LOCATION"]
    assert location == f"https://127.0.0.1:{running.port('http')}/v2/feeds/1"
    client.close()


async def test_a_socket_in_the_file_system(run: Callable[..., Running], tmp_path: Path) -> None:
    """The endpoint may be a Unix socket, which has no address to tell."""
    running = run(paws=f"unix:{tmp_path / 'paws.sock'}")
    await running.start()
    assert running.urls == {"paws": f"unix:{tmp_path / 'paws.sock'}"}

    def talk() -> list[Any]:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(str(tmp_path / "paws.sock"))
            lines = client.makefile("rb")
            client.sendall(running.request("post", "/feeds", body=FEED))
            client.sendall(running.request("subscribe", "/feeds/1"))
            client.sendall(running.request("put", "/feeds/1/datastreams/temp", body={"current_value": "2"}))
            return [json.loads(lines.readline()) for _ in range(4)]

    answers = await deferToThread(talk)
    assert [answer.get("status") for answer in answers if "status" in answer] == [201, 200, 200]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
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
    path = tmp_path_factory.mktemp("tls") / "door.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


async def test_doors_under_tls(run: Callable[..., Running], certificate: Path) -> None:
    """An endpoint string is all it takes; a reader that pauses under TLS gets everything in order as well."""
    endpoint = f"ssl:0:privateKey={certificate}:interface=127.0.0.1"
    running = run(paws=endpoint, websocket=endpoint)
    await running.start()
    assert running.urls["paws"].startswith("tls://127.0.0.1:")
    assert running.urls["websocket"].startswith("wss://127.0.0.1:")
    context = ssl.create_default_context(cafile=str(certificate))

    def talk() -> tuple[list[str], Any]:
        plain = socket.create_connection(("127.0.0.1", running.port("paws")), timeout=30)
        with context.wrap_socket(plain, server_hostname="localhost") as client:
            lines = client.makefile("rb")
            client.sendall(running.request("post", "/feeds", body=FEED))
            assert json.loads(lines.readline())["headers"]["LOCATION"].startswith("https://")
            client.sendall(running.request("subscribe", "/feeds/1/datastreams/temp"))
            assert json.loads(lines.readline())["status"] == 200
            packet = b"".join(
                running.request("put", "/feeds/1/datastreams/temp", body={"current_value": str(number)})
                for number in range(300)
            )
            client.sendall(packet)
            messages = [json.loads(lines.readline()) for _ in range(600)]
            url = f"wss://localhost:{running.port('websocket')}/"
            with connect(url, ssl=context) as websocket:
                websocket.send(running.request("get", "/feeds/1").decode())
                return (
                    [message["body"]["current_value"] for message in messages if "status" not in message],
                    json.loads(websocket.recv(timeout=30))["body"]["feed"],
                )

    values, url = await deferToThread(talk)
    assert values == [str(number) for number in range(300)]
    assert url.startswith("https://localhost/")


async def test_what_was_kept_long_enough_is_removed(tmp_path: Path) -> None:
    """As the settings say, or the feed; the look comes an hour after the start, and each hour again."""
    now = 20_000 * DAY
    closed = {kind.setting: CLOSED for kind in _DOORS}
    settings = Settings(data=str(tmp_path), keep_days=10, **closed)  # type: ignore[arg-type]  # texts all
    with open_administration(tmp_path, lambda: now) as administration:
        owner = administration.add_user("rosa", None)
        for feed_id, days in ((1, None), (2, 0), (3, 50)):
            pk = administration.add_feed(owner, "Roof", ["wind"], feed_id).streams["wind"].pk
            administration.keep_feed(feed_id, days)
            for age in (1, 20, 60):
                administration._txn.execute("INSERT INTO history VALUES (?, ?, 'x')", (pk, now - age * DAY))
    service = Service(settings, reactor, clock=lambda: now)
    await service.start()
    store, expiry = service._store, service._expiry
    assert store is not None
    assert expiry is not None
    (call,) = [call for call in reactor.getDelayedCalls() if call.func is expiry]
    assert 3500 < call.getTime() - reactor.seconds() <= 3600
    await service._expire(store)
    await service.stop()
    with closing(sqlite3.connect(tmp_path / "pachube.sqlite3")) as database:
        left = database.execute(
            "SELECT feed, count(*) FROM history JOIN datastreams ON id = datastream GROUP BY feed"
        ).fetchall()
    assert left == [(1, 1), (2, 3), (3, 2)]
