"""``/health`` and ``/metrics``, asked of a whole service."""

from __future__ import annotations

import json
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pytest_twisted import blockon
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from txpachube.server import health
from txpachube.server.config import CLOSED, Settings
from txpachube.server.service import _DOORS, Service
from txpachube.testing.sockets import SocketClient

reactor: Any = installed_reactor
LOOPBACK = "tcp:0:interface=127.0.0.1"


@attrs.frozen
class Answer:
    """What a service answered."""

    status: int
    body: bytes
    headers: Any

    @property
    def document(self) -> dict[str, Any]:
        """The body, as JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class Running:
    """A service whose doors are on free ports of this machine."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        closed = {kind.setting: CLOSED for kind in _DOORS}
        values = {**closed, "http": LOOPBACK, "metrics": "local", **settings}
        self.service = Service(Settings(data=str(folder), **values), reactor)
        self.urls: dict[str, str] = {}
        self._folder = folder

    async def start(self) -> None:
        """Open the doors."""
        self.urls = {door.name: door.url for door in await self.service.start()}

    @property
    def key(self) -> str:
        """The master key."""
        return str(tomllib.loads((self._folder / "admin.toml").read_text())["api_key"])

    async def ask(
        self, path: str, body: bytes | None = None, method: str = "GET", door: str = "http", **headers: str
    ) -> Answer:
        """Return the answer to a request."""
        url = self.urls[door].removesuffix("/metrics").rstrip("/") + path
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, body, named, method=method)

        def talk() -> Answer:
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return Answer(answer.status, answer.read(), answer.headers)
            except urllib.error.HTTPError as problem:
                with problem:
                    return Answer(problem.code, problem.read(), problem.headers)

        return await deferToThread(talk)

    async def numbers(self, path: str = "/metrics", door: str = "http") -> dict[str, dict[str, float]]:
        """Return what the service counted, by name, and by the values of its labels."""
        answer = await self.ask(path, door=door)
        assert answer.status == 200
        found: dict[str, dict[str, float]] = {}
        for family in text_string_to_metric_families(answer.body.decode()):
            for sample in family.samples:
                labels = " ".join(value for name, value in sorted(sample.labels.items()))
                found.setdefault(sample.name, {})[labels] = sample.value
        return found


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Return a function that makes a service; it is stopped when the test is over."""
    made: list[Running] = []

    def make(**settings: Any) -> Running:
        made.append(Running(tmp_path / "data", **settings))
        return made[-1]

    yield make
    for each in made:
        blockon(Deferred.fromCoroutine(each.service.stop()))


async def test_a_service_that_is_well(run: Callable[..., Running]) -> None:
    """It says so without a key, and also to who sends one that nobody knows."""
    running = run()
    await running.start()
    for headers in ({}, {"X_ApiKey": "nonsense"}, {"Authorization": "Basic cm9zYTpyb3Nh"}):
        answer = await running.ask("/health", None, "GET", "http", **headers)
        assert answer.status == 200
        found = answer.document
        assert (found["alive"], found["ready"], found["last_commit"], found["reasons"]) == (
            True,
            True,
            "ok",
            [],
        )
        assert found["schema"] > 1
        assert found["disk_free"] > 0
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_disk_that_takes_nothing(
    run: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a commit that failed it is not ready; it tries by itself, and is ready when the disk is again."""
    monkeypatch.setattr(health, "LOOK_SECONDS", 0.01)
    running = run()
    await running.start()
    store = running.service._store
    assert store is not None
    made = await running.ask("/v2/feeds", b'{"title":"x"}', "POST", X_ApiKey=running.key)
    assert made.status == 201
    connection = store._connection

    connection.execute("PRAGMA query_only = ON")
    failed = await running.ask("/v2/feeds", b'{"title":"y"}', "POST", X_ApiKey=running.key)
    assert failed.status == 503
    sick = await running.ask("/health")
    assert sick.status == 503
    assert (sick.document["ready"], sick.document["last_commit"]) == (False, "failed")
    assert sick.document["reasons"] == ["the last commit failed"]
    numbers = await running.numbers()
    assert numbers["txpachube_ready"] == {"": 0}
    assert numbers["txpachube_commits_failed_total"][""] >= 1
    connection.execute("PRAGMA query_only = OFF")
    while (await running.ask("/health")).status != 200:
        pass


async def test_a_disk_that_is_nearly_full(run: Callable[..., Running]) -> None:
    """It is not ready when there is no room for what comes, and when the disk has not answered for long."""
    running = run()
    await running.start()
    looked = running.service._health
    assert looked is not None
    assert looked.disk is not None
    looked._min_free = looked.disk.free + 1
    answer = await running.ask("/health")
    assert answer.status == 503
    assert answer.document["reasons"] == [f"there are less than {looked._min_free} bytes free on the disk"]
    looked._min_free = 0
    looked._looked -= health.OLDEST_LOOK + 1
    answer = await running.ask("/health")
    assert answer.status == 503
    assert (answer.document["reasons"], answer.document["disk_free"]) == (["the disk does not answer"], None)


async def test_a_service_that_ends(run: Callable[..., Running]) -> None:
    """From the moment it is told to end it wants no more work."""
    running = run()
    await running.start()
    looked = running.service._health
    assert looked is not None
    looked.stop()
    assert (await running.ask("/health")).document["reasons"] == ["the service is about to end"]


async def test_the_numbers(run: Callable[..., Running]) -> None:
    """Requests, commits, queues, doors and files are counted under names of their own."""
    running = run(paws=LOOPBACK)
    await running.start()
    key = running.key
    feed = b'{"title":"x","datastreams":[{"id":"t","current_value":"1"}]}'
    assert (await running.ask("/v2/feeds", feed, "POST", X_ApiKey=key)).status == 201
    for _ in range(3):
        assert (await running.ask("/v2/feeds/1.csv", b"t,2", "PUT", X_ApiKey=key)).status == 200
    assert (await running.ask("/v2/feeds/1.csv", b"t,2", "PUT", X_ApiKey="nobody's")).status == 401
    assert (await running.ask("/nowhere")).status == 404
    client = await SocketClient.connect(reactor, int(running.urls["paws"].rpartition(":")[2]))
    message = {"method": "subscribe", "resource": "/feeds/1", "headers": {"X-ApiKey": key}}
    client.send(json.dumps(message).encode())
    assert (await client.message())["status"] == 200
    numbers = await running.numbers()
    assert numbers["txpachube_requests_total"] == {
        "feeds.create 201": 1,
        "feeds.update 200": 3,
        "feeds.update 401": 1,
        "none 404": 1,
    }
    seconds = numbers["txpachube_request_seconds_bucket"]
    assert seconds["+Inf feeds.update"] == numbers["txpachube_request_seconds_count"]["feeds.update"] == 4
    assert 0 < numbers["txpachube_request_seconds_sum"]["feeds.update"] < 60
    assert numbers["txpachube_subscriptions_judged_total"] == {"200": 1}
    assert numbers["txpachube_subscriptions"] == {"paws": 1}
    assert numbers["txpachube_connections"]["paws"] == 1
    assert numbers["txpachube_connections"]["http"] >= 1
    assert numbers["txpachube_connections_refused_total"] == {"http": 0, "paws": 0}
    assert numbers["txpachube_commit_group_size_sum"][""] >= 4
    assert numbers["txpachube_commit_seconds_count"][""] == numbers["txpachube_commit_group_size_count"][""]
    assert numbers["txpachube_storage_calls_total"]["create_feed"] == 1
    assert numbers["txpachube_journal_rows"] == {"": 4}
    assert set(numbers["txpachube_queue_length"]) == {"writer_next", "writer_batches", "reads", "webhooks"}
    assert numbers["txpachube_database_bytes"]["database"] > 0
    assert numbers["txpachube_disk_free_bytes"][""] > 0
    assert numbers["process_resident_memory_bytes"][""] > 0
    client.close()


@pytest.mark.parametrize(
    "headers",
    [{"X_Forwarded_For": "192.0.2.1"}, {"Forwarded": "for=192.0.2.1"}, {"Origin": "http://a.example"}],
)
async def test_numbers_are_not_for_others(run: Callable[..., Running], headers: dict[str, str]) -> None:
    """What a proxy passed on, and what a page in a browser asks, is not from this machine."""
    running = run()
    await running.start()
    answer = await running.ask("/metrics", None, "GET", "http", **headers)
    assert answer.status == 403
    assert b"txpachube_" not in answer.body


async def test_numbers_behind_a_trusted_proxy(run: Callable[..., Running]) -> None:
    """With a proxy whose word counts, it is the client's address that is judged."""
    running = run(trust_forwarded=True)
    await running.start()
    assert (await running.ask("/metrics", X_Forwarded_For="192.0.2.1")).status == 403
    assert (await running.ask("/metrics", X_Forwarded_For="127.0.0.1")).status == 200


async def test_numbers_at_an_endpoint_of_their_own(run: Callable[..., Running]) -> None:
    """Then they are there alone, with the state, and nothing of the API is."""
    running = run(metrics=LOOPBACK)
    await running.start()
    assert running.urls["metrics"].endswith("/metrics")
    assert (await running.ask("/metrics")).status == 404
    assert "txpachube_ready" in await running.numbers(door="metrics")
    assert (await running.ask("/health", door="metrics")).status == 200
    assert (await running.ask("/health")).status == 200
    assert (await running.ask("/v2/feeds", door="metrics", X_ApiKey=running.key)).status == 404


async def test_numbers_for_nobody(run: Callable[..., Running]) -> None:
    """They can be switched off."""
    running = run(metrics=CLOSED)
    await running.start()
    assert list(running.urls) == ["http"]
    assert (await running.ask("/metrics")).status == 404
