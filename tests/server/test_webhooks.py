"""Sending notifications to receivers that answer, late, wrongly, never, or die."""

from __future__ import annotations

import json
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.web.client import Agent

from txpachube import Datastream, Environment, Trigger
from txpachube.client import Client
from txpachube.server.config import Settings
from txpachube.server.public_endpoint import PublicEndpoints
from txpachube.server.service import Service
from txpachube.server.storage.store import Store
from txpachube.server.storage.triggers import Attempt, Firing
from txpachube.server.webhooks import MAX_PER_RECEIVER, Webhooks
from txpachube.testing.inprocess import NOON, InProcess
from txpachube.times import SECOND

PATIENCE = 20.0
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Let the reactor run until a condition is true, or fail after a while."""
    from twisted.internet import reactor

    running: Any = reactor
    end = running.seconds() + PATIENCE
    while not await condition():
        assert running.seconds() < end, "it did not come true"
        await deferLater(running, 0.005)


class Receiver:
    """A receiver on loopback: what came, and what is answered; None is silence, and nothing hangs up."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.open: list[Protocol] = []
        self.most = 0
        from twisted.internet import reactor

        running: Any = reactor
        self.port: Any = running.listenTCP(0, _Made(self._protocol), interface="127.0.0.1")
        self.url = f"http://127.0.0.1:{self.port.getHost().port}/hook?a=b"

    def _protocol(self) -> Protocol:
        return _Receiving(self)

    async def close(self) -> None:
        """Listen no more."""
        for protocol in tuple(self.open):
            protocol.transport.abortConnection()  # type: ignore[union-attr]  # it is connected
        await self.port.stopListening()


class _Made(Factory):
    noisy = False

    def __init__(self, make: Callable[[], Protocol]) -> None:
        self._make = make

    def buildProtocol(self, addr: object) -> Protocol:
        return self._make()


class _Receiving(Protocol):
    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.got = b""

    def connectionMade(self) -> None:
        self.receiver.open.append(self)
        self.receiver.most = max(self.receiver.most, len(self.receiver.open))

    def connectionLost(self, reason: object = None) -> None:
        self.receiver.open.remove(self)

    def dataReceived(self, data: bytes) -> None:
        self.got += data
        head, end, body = self.got.partition(b"\r\n\r\n")
        if not end or b"content-length: %d" % len(body) not in head.lower():
            return
        self.receiver.requests.append(self.got)
        answer = self.receiver.answers.pop(0) if self.receiver.answers else OK
        transport: Any = self.transport
        if answer is not None:
            transport.write(answer)
            if not answer:
                transport.loseConnection()


class Sending:
    """Webhooks on a garden with triggers."""

    def __init__(self, garden: InProcess) -> None:
        from twisted.internet import reactor

        self.garden = garden
        self._reactor: Any = reactor
        self.webhooks = self.new()

    @property
    def triggers(self) -> Any:
        """The outbox."""
        return self.garden.store.triggers

    def new(
        self, *, timeout: float = 5.0, pauses: tuple[float, ...] = (0.0, 0.0), private: bool = True
    ) -> Webhooks:
        """Return new webhooks on the same outbox."""
        endpoints = PublicEndpoints(self._reactor, private_addresses=private)
        agent = Agent.usingEndpointFactory(self._reactor, endpoints)
        garden = self.garden
        self.webhooks = Webhooks(
            garden.store.triggers, agent, self._reactor, lambda: garden.now, timeout, pauses
        )
        return self.webhooks

    async def trigger(self, url: str) -> int:
        """Make a trigger and return its id."""
        document = {"url": url, "trigger_type": "change", "environment_id": 1, "stream_id": "temp"}
        answer = await self.garden.ask("POST /v2/triggers", json.dumps(document))
        return int(str(answer.location).rpartition("/")[2])

    async def put(self, number: int, body: str = '{"a": "b c"}') -> None:
        """Put a notification into the outbox, and tell the webhooks."""
        self.webhooks.queued(await self.triggers.record([], [Firing(number, NOON, False, body)]))

    async def attempts(self, number: int, count: int) -> list[tuple[int | None, str | None]]:
        """Wait for so many attempts and return what became of them."""

        async def enough() -> bool:
            return len(await self.log(number)) >= count

        await until(enough)
        return [(attempt.status, attempt.fault) for attempt in await self.log(number)]

    async def log(self, number: int) -> list[Attempt]:
        """Return the log of a trigger."""
        log: list[Attempt] = await self.triggers.attempts(await self.triggers.find(number))
        return log

    async def notified_at(self, number: int) -> int | None:
        """Return when a trigger's last notification was sent."""
        at: int | None = (await self.triggers.find(number)).notified_at
        return at


@pytest_twisted.async_yield_fixture
async def sending(garden: InProcess) -> AsyncIterator[Sending]:
    """Webhooks on a garden."""
    made = Sending(garden)
    yield made
    made.webhooks.stop()


async def test_the_request(sending: Sending) -> None:
    """It is a POST of a form with one field, and its time is that of the trigger's notification."""
    receiver = Receiver()
    number = await sending.trigger(receiver.url)
    sending.garden.now += 3 * SECOND
    await sending.put(number)
    assert await sending.attempts(number, 1) == [(204, None)]
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /hook?a=b HTTP/1.1\r\n")
    assert b"content-type: application/x-www-form-urlencoded" in head.lower()
    assert body == b"body=%7B%22a%22%3A%20%22b%20c%22%7D"
    assert await sending.notified_at(number) == NOON + 3 * SECOND
    assert await sending.triggers.waiting() == []
    await receiver.close()


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\nnever all of it", 200),
        (b"HTTP/1.0 201 Created\r\n\r\n", 201),
        (b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", 302),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", 500),
    ],
)
async def test_any_answer_ends_the_matter(sending: Sending, answer: bytes, status: int) -> None:
    """Errors are not repeated, redirects not followed, and nobody waits for the rest of a body."""
    receiver = Receiver(answer)
    number = await sending.trigger(receiver.url)
    await sending.put(number)
    assert await sending.attempts(number, 1) == [(status, None)]
    assert await sending.triggers.waiting() == []
    assert len(receiver.requests) == 1
    await receiver.close()


async def test_rubbish_is_an_answer(sending: Sending) -> None:
    """What is no HTTP is not asked for again."""
    receiver = Receiver(b"220 mail.example ESMTP\r\n\r\n")
    number = await sending.trigger(receiver.url)
    await sending.put(number)
    [(status, fault)] = await sending.attempts(number, 1)
    assert status is None
    assert fault
    assert await sending.triggers.waiting() == []
    await receiver.close()


async def test_a_receiver_that_dies_is_asked_again(sending: Sending) -> None:
    """A connection that breaks before the answer is tried again, until there is an answer."""
    receiver = Receiver(b"", b"", OK)
    number = await sending.trigger(receiver.url)
    await sending.put(number)
    outcome = await sending.attempts(number, 3)
    assert [status for status, _ in outcome] == [None, None, 204]
    assert outcome[0][1]
    assert await sending.triggers.waiting() == []
    await receiver.close()


async def test_a_receiver_that_is_not_there_is_given_up(sending: Sending) -> None:
    """After as many pauses as there are, nothing more is tried, and nothing was sent."""
    receiver = Receiver()
    await receiver.close()
    number = await sending.trigger(receiver.url)
    await sending.put(number)
    outcome = await sending.attempts(number, 3)
    assert [status for status, _ in outcome] == [None] * 3
    assert await sending.triggers.waiting() == []
    assert await sending.notified_at(number) is None


async def test_silence_ends_and_hinders_nobody(sending: Sending) -> None:
    """A receiver that never answers has a few connections, and others are served at once."""
    sending.new(timeout=60.0)
    silent, quick = Receiver(*[None] * 50), Receiver()
    hanging, fast = await sending.trigger(silent.url), await sending.trigger(quick.url)
    for _ in range(20):
        await sending.put(hanging)
    await sending.put(fast)
    assert await sending.attempts(fast, 1) == [(204, None)]
    assert silent.most <= MAX_PER_RECEIVER
    assert await sending.log(hanging) == []
    sending.webhooks.stop()
    await silent.close()
    await quick.close()


async def test_silence_is_not_asked_twice(sending: Sending) -> None:
    """Who took the request and says nothing may have got it."""
    sending.new(timeout=0.2)
    receiver = Receiver(None)
    number = await sending.trigger(receiver.url)
    await sending.put(number)
    assert await sending.attempts(number, 1) == [(None, "no answer within 0.2 seconds")]
    assert await sending.triggers.waiting() == []
    await receiver.close()


async def test_private_addresses_need_permission(sending: Sending) -> None:
    """Without the setting nothing is sent to this machine, and the log says why."""
    sending.new(private=False)
    receiver = Receiver()
    number = await sending.trigger(receiver.url)
    await sending.put(number)
    assert await sending.attempts(number, 1) == [(None, "the receiver is at a private address")]
    assert receiver.requests == []
    assert await sending.notified_at(number) is None
    await receiver.close()


async def test_the_outbox_survives_a_restart(tmp_path: Path) -> None:
    """What could not be sent before the end is sent after the next start, from the same file."""
    from twisted.internet import reactor

    running: Any = reactor
    path = tmp_path / "pachube.sqlite3"
    before = InProcess(path, running)
    await before.open()
    before.key = await before.add_key(await before.add_user("rosa"), text="k", private_access=True)
    made = await before.ask(
        "POST /v2/feeds.json", '{"title": "A", "datastreams": [{"id": "temp", "current_value": "1"}]}'
    )
    assert made.status == 201
    receiver = Receiver(None)
    first = Sending(before)
    number = await first.trigger(receiver.url)
    await first.put(number)

    async def hangs() -> bool:
        return len(receiver.requests) == 1

    await until(hangs)
    first.webhooks.stop()
    await before.close()
    after = InProcess(path, running)
    await after.open()
    assert isinstance(after.store, Store)
    second = Sending(after)
    await second.webhooks.start()
    assert await second.attempts(number, 1) == [(204, None)]
    assert receiver.requests[0] == receiver.requests[1]
    second.webhooks.stop()
    await after.close()
    await receiver.close()


async def test_the_whole_service_notifies(tmp_path: Path) -> None:
    """From a write at the HTTP door to the receiver, once it is allowed to be on this machine."""
    from twisted.internet import reactor

    settings = Settings(
        data=str(tmp_path),
        http="tcp:0:interface=127.0.0.1",
        paws="off",
        websocket="off",
        mqtt="off",
        webhook_private_addresses=True,
    )
    service = Service(settings, reactor)
    [door] = await service.start()
    assert service.first_account is not None
    key = tomllib.loads(service.first_account.read_text("utf-8"))["api_key"]
    client = Client(key, base_url=door.url.rstrip("/"), environ={})
    feed = Environment(title="A", datastreams=[Datastream(id="temp", current_value="1")])
    feed_id = await client.create_feed(data=feed)
    receiver = Receiver()
    trigger = Trigger(
        url=receiver.url,
        trigger_type="gt",
        environment_id=feed_id,
        stream_id="temp",
        threshold_value="30",
    )
    await client.create_trigger(data=trigger)
    feed.setCurrentValue("temp", "31")
    await client.update_feed(feed_id=feed_id, data=feed)

    async def came() -> bool:
        return len(receiver.requests) == 1

    await until(came)
    assert b"%22value%22%3A%2231%22" in receiver.requests[0]
    await client.close()
    await service.stop()
    await receiver.close()
