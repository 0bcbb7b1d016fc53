"""What subscribers of the MQTT door hear, on real sockets, with a real store behind it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest
from pytest_twisted import blockon
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, serverFromString
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from txpachube.api.problems import unavailable
from txpachube.server.app import Grant
from txpachube.server.ratelimit import RateLimit
from txpachube.server.storage.records import Permission, Resource
from txpachube.server.transports.asking import Authorise
from txpachube.server.transports.mqtt import MqttFactory, MqttLimits
from txpachube.testing.inprocess import NOON, InProcess
from txpachube.times import SECOND
from txpachube.wire.mqtt_decode import PacketReader
from txpachube.wire.mqtt_encode import encode, encode_publish
from txpachube.wire.mqtt_packets import (
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
)

reactor: Any = installed_reactor
KEY = "master-of-rosa"
STREAM = "/v2/feeds/1/datastreams/temp.csv"
HOST = "127.0.0.1:8000"


class Client(Protocol):
    """An MQTT client that hands out packets."""

    transport: Any

    def __init__(self) -> None:
        self.pieces = 0
        self._reader = PacketReader(max_packet=10_000_000)
        self._packets: deque[Any] = deque()
        self._waiting: Deferred[None] | None = None
        self.closed = False

    @classmethod
    async def connect(cls, port: int, **fields: Any) -> Self:
        client = cls()
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), client)
        client.send(Connect(4, "MQTT", **{"user_name": KEY, **fields}))
        assert await client.packet() == Connack(0)
        return client

    def send(self, *packets: Packet) -> None:
        self.transport.write(b"".join(map(encode, packets)))

    async def packet(self) -> Any:
        """Return the next packet; None when the connection has ended."""
        while not self._packets:
            if self.closed:
                return None
            self._waiting = Deferred()
            await self._waiting
        return self._packets.popleft()

    async def message(self) -> Publish:
        packet = await self.packet()
        assert isinstance(packet, Publish), packet
        return packet

    async def payload(self) -> bytes:
        return (await self.message()).payload

    async def subscribe(self, *topics: str) -> None:
        self.send(Subscribe(1, tuple((topic, 0) for topic in topics)))
        assert await self.packet() == Suback(1, (0,) * len(topics))

    async def quiet(self) -> list[Any]:
        """Return what has come, and comes until the service has nothing more to say."""
        await deferLater(reactor, 0, lambda: None)
        self.send(Pingreq())
        packets = []
        while not isinstance(packet := await self.packet(), Pingresp):
            packets.append(packet)
        return packets

    def dataReceived(self, data: bytes) -> None:
        self.pieces += 1
        self._packets.extend(self._reader.receive(data))
        self._wake()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)


class Door:
    """An open door in front of a garden."""

    def __init__(self, garden: InProcess, **options: Any) -> None:
        self.authorised = 0
        self.judge: Authorise = garden.app.authorise
        self.factory = MqttFactory(
            garden.app.handle,
            self.authorise,
            garden.app.knows,
            garden.events,
            reactor=reactor,
            clock=lambda: garden.now,
            http_port=8000,
            **options,
        )
        ports: list[Any] = []
        serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(self.factory).addCallback(ports.append)
        [self.listening] = ports
        self.clients: list[Client] = []

    async def authorise(self, request: Any, *, again: bool = False) -> Grant:
        self.authorised += 1
        return await self.judge(request, again=again)

    async def client(self, **fields: Any) -> Client:
        self.clients.append(await Client.connect(self.listening.getHost().port, **fields))
        return self.clients[-1]


@pytest.fixture
def door(garden: InProcess) -> Iterator[Callable[..., Door]]:
    """Return a function that opens a door."""
    opened: list[Door] = []

    def open_door(**options: Any) -> Door:
        opened.append(Door(garden, **options))
        return opened[-1]

    yield open_door
    for each in opened:
        for client in each.clients:
            client.transport.abortConnection()
        blockon(maybeDeferred(each.listening.stopListening))
        blockon(each.factory.shutdown())


@pytest.fixture
def mqtt(door: Callable[..., Door]) -> Door:
    """Return an open door."""
    return door()


async def put(garden: InProcess, value: object, stream: str = "temp", *, key: str | None = None) -> None:
    """Give a datastream of feed 1 a value, through another door."""
    body = json.dumps({"current_value": str(value)})
    answer = await garden.ask(f"PUT /v2/feeds/1/datastreams/{stream}.json", body, key=key)
    assert answer.status == 200


async def got(garden: InProcess, topic: str, *, key: str = KEY) -> bytes:
    """Return the body that a GET is answered with now."""
    answer = await garden.ask(f"GET {topic}", headers={"host": HOST}, key=key)
    assert answer.status == 200
    return answer.body


# --- the state ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "topic",
    [
        "/v2/feeds/1",
        "/v2/feeds/1.json",
        "/v2/feeds/1.xml",
        "/v2/feeds/1.csv",
        "/v2/feeds/2.json",
        "/v2/feeds/1/datastreams/temp",
        "/v2/feeds/1/datastreams/temp.json",
        "/v2/feeds/1/datastreams/temp.xml",
        "/v2/feeds/1/datastreams/temp.csv",
        "/v2/feeds/1/datastreams/log.csv",
        "/v2/feeds/1/datastreams/log.csv.csv",
        "/v2/feeds/1.json?datastreams=temp,7",
        "/v2/feeds/1.csv?datastreams=temp",
        "/v2/feeds/1/datastreams/temp.csv?start=2013-06-01T08:00:00Z&duration=6hours&interval=0",
        "/v2/feeds/1/datastreams/temp.json?timezone=Berlin",
        f"/v2/feeds/1.xml?key={KEY}",
        "/v2/feeds/1/datastreams/temp.png",
        "/v1/feeds/1",
        "/v1/feeds/1.json",
        "/v1/feeds/1/datastreams/temp.csv",
        "/v1/feeds/1/datastreams/log.csv",
    ],
)
async def test_messages_are_what_a_get_answers(garden: InProcess, mqtt: Door, topic: str) -> None:
    """The present state at once, and the new one with every update, byte for byte the body of a GET."""
    client = await mqtt.client()
    await client.subscribe(topic)
    assert await client.message() == Publish(topic, await got(garden, topic))
    stream = "log.csv" if "log.csv" in topic else "temp"
    feed = 2 if "feeds/2" in topic else 1
    for value in (22, 22):
        garden.now += SECOND
        if feed == 1:
            await put(garden, value, stream)
        else:
            await garden.ask("PUT /v2/feeds/2/datastreams/wine.csv", str(value))
        assert await client.message() == Publish(topic, await got(garden, topic))
    assert await client.quiet() == []


@pytest.mark.parametrize("format_", ["json", "xml", "csv"])
async def test_a_limited_key_hears_of_its_datastreams_only(
    garden: InProcess, mqtt: Door, format_: str
) -> None:
    """A feed shows to a key what a GET with it shows."""
    topic = f"/v2/feeds/1.{format_}"
    client = await mqtt.client(user_name="thermometer")
    await client.subscribe(topic)
    assert await client.payload() == await got(garden, topic, key="thermometer")
    await put(garden, 23)
    assert await client.payload() == await got(garden, topic, key="thermometer")
    assert b"log.csv" not in await got(garden, topic, key="thermometer")


@pytest.mark.parametrize(
    "topic",
    ["v2/feeds/1/datastreams/temp.csv", f"{KEY}/v2/feeds/1/datastreams/temp.csv", f"/{KEY}//v2/feeds/1.csv"],
)
async def test_the_topic_comes_back_byte_for_byte(garden: InProcess, mqtt: Door, topic: str) -> None:
    """With the key in front, without a slash, however the client wrote it: it compares."""
    client = await mqtt.client(user_name=None if KEY in topic else KEY)
    await client.subscribe(topic)
    await client.message()
    await put(garden, 24)
    message = await client.message()
    assert (message.topic, message.qos, message.retain) == (topic, 0, False)
    assert message.payload.endswith(b",24")


async def test_the_key_of_the_topic_wins(garden: InProcess, mqtt: Door) -> None:
    """A user name is for the topics that bring no key."""
    client = await mqtt.client(user_name="master-of-otto")
    topics = (f"{KEY}/v2/feeds/2.json", "/v2/feeds/2.json", "/v2/feeds/4.json")
    await client.subscribe(*topics)
    assert [(await client.message()).topic for _ in range(2)] == [topics[0], topics[2]]
    assert await client.quiet() == []


@pytest.mark.parametrize(
    ("topic", "key"),
    [
        ("/v2/feeds/99.json", KEY),
        ("/v2/feeds/1/datastreams/none.csv", KEY),
        ("/v2/feeds/4.json", KEY),
        ("/v2/feeds/2.json", "public-of-rosa"),
        ("/v2/feeds/1.json", None),
        ("no-key/v2/feeds/1.json", KEY),
        ("/v2/feeds/1.png", KEY),
        ("/v2/feeds/1.json?start=nonsense", KEY),
        ("/v2/feeds/+.json", KEY),
        ("/v2/feeds/#", KEY),
        ("#", KEY),
        ("greenhouse/temperature", KEY),
    ],
)
async def test_what_may_not_be_heard_is_granted_and_silent(
    garden: InProcess, mqtt: Door, topic: str, key: str | None
) -> None:
    """SUBACK 0 and no message, neither now nor with an update, and the connection goes on."""
    client = await mqtt.client(user_name=key)
    await client.subscribe(topic)
    await put(garden, 25)
    assert await client.quiet() == []
    assert list(garden.events.watched) == []


async def test_other_resources_give_one_message(garden: InProcess, mqtt: Door) -> None:
    """A list or a key is sent once, and never again."""
    client = await mqtt.client()
    for topic in ("/v2/feeds.json", "/v2/keys.json", "/v2/keys/thermometer.xml"):
        await client.subscribe(topic)
        assert await client.message() == Publish(topic, await got(garden, topic))
    await garden.ask("DELETE /v2/keys/thermometer")
    await put(garden, 25)
    assert await client.quiet() == []


# --- updates ------------------------------------------------------------------------------------------


async def test_a_datastream_is_silent_about_the_others(garden: InProcess, mqtt: Door) -> None:
    """Only its own updates; the feed's subscriber hears of all."""
    client = await mqtt.client()
    await client.subscribe(STREAM, "/v2/feeds/1.csv")
    await client.message()
    await client.message()
    await put(garden, "open", "door")
    message = await client.message()
    assert message.topic == "/v2/feeds/1.csv"
    assert b"open" in message.payload
    assert await client.quiet() == []


async def test_a_write_comes_back(garden: InProcess, mqtt: Door) -> None:
    """A client that writes to what it subscribed to hears of it, also when both come in one piece."""
    client = await mqtt.client()
    client.send(
        Subscribe(1, ((STREAM, 0),)), Publish(STREAM, b"26"), Publish(STREAM, b" 27 ", qos=1, packet_id=5)
    )
    packets = [await client.packet() for _ in range(5)]
    messages = [packet.payload for packet in packets if isinstance(packet, Publish)]
    assert [payload.partition(b",")[2] for payload in messages] == [b"21.50", b"26", b"27"]


async def test_writing_in_every_format(garden: InProcess, mqtt: Door) -> None:
    """What is published is a PUT of an item or a POST to a collection, exactly as over HTTP."""
    client = await mqtt.client()
    await client.subscribe("/v2/feeds/1.csv")
    await client.message()
    client.send(
        Publish("/v2/feeds/1.csv", b"temp, 1\n7,2"),
        Publish("/v2/feeds/1.json", b'{"version":"1.0.0","datastreams":[{"id":"temp","current_value":3}]}'),
        Publish(
            "v2/feeds/1/datastreams/temp.xml",
            b'<eeml><environment><data id="temp"><current_value>4</current_value></data></environment>'
            b"</eeml>",
        ),
        Publish("/v2/feeds/1/datastreams", b'{"version":"1.0.0","datastreams":[{"id":"new"}]}'),
        Publish("/v2/feeds/1/datastreams/new.csv", b"5"),
        Publish("/v2/feeds/1/datastreams/new/datapoints.csv", b"2013-06-01T11:00:00Z,6\n"),
        Publish("/v2/feeds/1/datastreams/new/datapoints/2013-06-01T11:00:00Z.csv", b"7"),
        Publish("/v2/feeds/1/datastreams/temp.csv", b"8", qos=1, packet_id=1),
    )
    states = []
    while not isinstance(packet := await client.packet(), Publish) or b",8\n" not in packet.payload + b"\n":
        states.append(packet)
    points = await got(garden, "/v2/feeds/1/datastreams/new.csv?start=2013-06-01T10:00:00Z&interval=0")
    assert points.split() == [b"2013-06-01T11:00:00.000000Z,7", b"2013-06-01T12:00:00.000000Z,5"]


async def test_every_update_in_its_order(garden: InProcess, mqtt: Door) -> None:
    """Of a hundred writes sent at once each is heard of, in their order; and few pieces bring them."""
    client = await mqtt.client()
    await client.subscribe(STREAM)
    await client.message()
    writer = await mqtt.client()
    client.pieces = 0
    writer.send(*(Publish(STREAM, b"%d" % n) for n in range(100)))
    values = [(await client.payload()).partition(b",")[2] for _ in range(100)]
    assert values == [b"%d" % n for n in range(100)]
    assert client.pieces < 50  # what one commit has for a connection is one write
    assert await client.quiet() == []


async def test_a_message_is_encoded_once(
    garden: InProcess, mqtt: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many subscribers a topic has, an update of it is encoded once; each other topic once more."""
    clients = [await mqtt.client() for _ in range(5)]
    for client in clients:
        await client.subscribe(STREAM, "/v2/feeds/1/datastreams/temp.json")
        await client.message()
        await client.message()
    encoded: list[str] = []

    def counting(topic: str, payload: bytes) -> bytes:
        encoded.append(topic)
        return encode_publish(topic, payload)

    monkeypatch.setattr("txpachube.server.transports.mqtt_channel.encode_publish", counting)
    await put(garden, 28)
    for client in clients:
        assert {(await client.message()).topic for _ in range(2)} == set(encoded)
    assert len(encoded) == 2


async def test_history_is_no_news(garden: InProcess, mqtt: Door) -> None:
    """A write older than the current value is not heard of."""
    client = await mqtt.client()
    await client.subscribe(STREAM, "/v2/feeds/1.json")
    await client.message()
    await client.message()
    path = "POST /v2/feeds/1/datastreams/temp/datapoints.csv"
    assert (await garden.ask(path, "2013-06-01T08:00:00Z,1")).status == 200
    assert await client.quiet() == []


# --- ending -------------------------------------------------------------------------------------------


async def test_unsubscribing(garden: InProcess, mqtt: Door) -> None:
    """It ends that topic and no other, and is always acknowledged."""
    client = await mqtt.client()
    await client.subscribe(STREAM, "/v2/feeds/1/datastreams/7.csv")
    await client.message()
    await client.message()
    client.send(Unsubscribe(9, (STREAM, "/v2/feeds/3.csv")))
    assert await client.packet() == Unsuback(9)
    await put(garden, 29)
    await put(garden, 30, "7")
    assert (await client.message()).topic == "/v2/feeds/1/datastreams/7.csv"
    assert await client.quiet() == []


async def test_subscribing_again(garden: InProcess, mqtt: Door) -> None:
    """The same topic again brings the state once more, and updates as before: once."""
    client = await mqtt.client()
    for _ in range(2):
        await client.subscribe(STREAM)
        assert (await client.payload()).endswith(b",21.50")
    await put(garden, 31)
    assert (await client.payload()).endswith(b",31")
    assert await client.quiet() == []


@pytest.mark.parametrize("how", ["disconnect", "close"])
async def test_a_client_that_goes_leaves_nothing(garden: InProcess, mqtt: Door, how: str) -> None:
    """Nobody listens for it any more."""
    client = await mqtt.client()
    await client.subscribe(STREAM, "/v2/feeds/1.json")
    assert list(garden.events.watched) == [1]
    if how == "disconnect":
        client.send(Disconnect())
        while await client.packet() is not None:
            pass
    else:
        client.transport.abortConnection()
    while mqtt.factory.connection_count:
        await deferLater(reactor, 0.01, lambda: None)
    assert list(garden.events.watched) == []


async def test_a_deleted_feed_or_datastream(garden: InProcess, mqtt: Door) -> None:
    """The subscription ends in silence; a deleted datastream is news of its feed."""
    client = await mqtt.client()
    await client.subscribe(STREAM, "/v2/feeds/1.csv")
    await client.message()
    await client.message()
    await garden.ask("DELETE /v2/feeds/1/datastreams/temp")
    message = await client.message()
    assert message.topic == "/v2/feeds/1.csv"
    assert b"temp" not in message.payload
    await garden.ask("DELETE /v2/feeds/1")
    assert await client.quiet() == []
    assert list(garden.events.watched) == []


# --- rights -------------------------------------------------------------------------------------------


async def change_key(garden: InProcess, text: str, **fields: Any) -> None:
    key = await garden.store.find_key(text)
    assert key is not None
    await garden.store.change_key(
        key,
        **{
            "label": key.label,
            "private_access": key.private_access,
            "permissions": key.permissions,
            "expires_at": key.expires_at,
            **fields,
        },
    )


async def test_a_key_that_loses_its_right(garden: InProcess, mqtt: Door) -> None:
    """The subscription ends with the next update, without a word; those of other keys go on."""
    losing = await mqtt.client(user_name="reader-of-rosa")
    other = await mqtt.client()
    for client in (losing, other):
        await client.subscribe(STREAM)
        await client.message()
    await change_key(garden, "reader-of-rosa", permissions=(Permission(("put",)),))
    await put(garden, 32)
    assert (await other.payload()).endswith(b",32")
    assert await losing.quiet() == []
    await put(garden, 33)
    assert (await other.payload()).endswith(b",33")
    assert await losing.quiet() == []
    assert not losing.closed


async def test_a_key_that_was_deleted(garden: InProcess, mqtt: Door) -> None:
    """The same; and what it publishes is no longer carried out."""
    client = await mqtt.client(user_name="greenhouse")
    await client.subscribe(STREAM)
    await client.message()
    await garden.ask("DELETE /v2/keys/greenhouse")
    client.send(Publish(STREAM, b"34", qos=1, packet_id=1))
    await client.packet()
    await put(garden, 35)
    assert await client.quiet() == []
    assert (await got(garden, STREAM)).endswith(b",35")


async def test_a_key_that_is_limited_afterwards(garden: InProcess, mqtt: Door) -> None:
    """What it may no longer see is not sent, also not from the update that waited for the judgement."""
    client = await mqtt.client(user_name="public-of-rosa")
    await client.subscribe("/v2/feeds/1.csv")
    assert b"log.csv" in await client.payload()
    only = Permission(("get",), resources=(Resource(1, "temp"),))
    await change_key(garden, "public-of-rosa", permissions=(only,))
    await put(garden, 36)
    assert (await client.payload()).startswith(b"temp,")
    await put(garden, 37)
    payload = await client.payload()
    assert payload.startswith(b"temp,")
    assert payload.endswith(b",37")


async def test_other_changes_of_keys_cost_no_update(garden: InProcess, mqtt: Door) -> None:
    """When any key changes every subscription is judged once more, and misses nothing meanwhile."""
    client = await mqtt.client()
    await client.subscribe(STREAM, f"{STREAM}?duration=1hour", "/v2/feeds/1.json")
    for _ in range(3):
        await client.message()
    assert mqtt.authorised == 3
    await change_key(garden, KEY, label="renamed")
    writer = await mqtt.client(user_name="greenhouse")
    writer.send(*(Publish(STREAM, b"%d" % n) for n in range(20)))
    values: list[bytes] = []
    while values[-1:] != [b"19"]:
        message = await client.message()
        if message.topic == STREAM:
            values.append(message.payload.partition(b",")[2])
    assert values == [b"%d" % n for n in range(20)]
    await put(garden, 20)
    assert mqtt.authorised == 6


async def test_more_updates_than_can_wait_for_a_judgement(
    garden: InProcess, door: Callable[..., Door]
) -> None:
    """The newest of them is sent."""
    mqtt = door(limits=MqttLimits(checked_pushes=3))
    client = await mqtt.client()
    await client.subscribe(STREAM)
    await client.message()
    judgement: Deferred[None] = Deferred()
    real = mqtt.judge

    async def slow(request: Any, *, again: bool = False) -> Grant:
        await judgement
        return await real(request, again=again)

    mqtt.judge = slow
    await change_key(garden, KEY, label="renamed")
    for n in range(10):
        await put(garden, n)
    assert await client.quiet() == []
    judgement.callback(None)
    assert (await client.payload()).endswith(b",9")
    assert await client.quiet() == []


async def test_judging_again_is_no_request_of_the_key(garden: InProcess, mqtt: Door) -> None:
    """A subscription does not end because its key has made as many requests as it may."""
    client = await mqtt.client(user_name="greenhouse")
    await client.subscribe(STREAM)
    await client.message()
    garden.app._rate_limit = limit = RateLimit(1)
    key = await garden.store.find_key("greenhouse")
    assert key is not None
    while limit.admit(key.pk, garden.now):
        pass
    await change_key(garden, "thermometer", label="renamed")
    await put(garden, 40)
    assert (await client.payload()).endswith(b",40")


async def test_a_storage_that_fails_while_judging(garden: InProcess, mqtt: Door) -> None:
    """The subscription is not lost: the next update asks again."""
    client = await mqtt.client()
    await client.subscribe(STREAM)
    await client.message()
    real = mqtt.judge

    async def broken(request: Any, *, again: bool = False) -> Grant:
        raise unavailable("no")

    await change_key(garden, "thermometer", label="renamed")
    mqtt.judge = broken
    await put(garden, 41)
    assert await client.quiet() == []
    mqtt.judge = real
    await put(garden, 42)
    assert (await client.payload()).endswith(b",42")


async def test_a_feed_that_freezes(garden: InProcess, mqtt: Door) -> None:
    """Who gets a document with the status in it gets it anew; CSV, which has none, is not repeated."""
    client = await mqtt.client()
    topics = ["/v2/feeds/1.json", "/v2/feeds/1.xml", "/v1/feeds/1", "/v2/feeds/1?datastreams=temp"]
    silent = ["/v2/feeds/1.csv", "/v1/feeds/1.csv", STREAM, "/v2/feeds/1?x=1.csv"]
    await client.subscribe(*topics, *silent)
    for _ in topics + silent:
        await client.message()
    garden.now += 900 * SECOND
    garden.events.look_at_the_clock()
    heard = [await client.message() for _ in topics]
    assert {message.topic for message in heard} == set(topics)
    for message in heard:
        assert message.payload.count(b"frozen") == 1
        assert message.payload == await got(garden, message.topic)
    assert await client.quiet() == []
    await put(garden, 50)
    heard = [await client.message() for _ in topics + silent]
    assert {message.topic for message in heard if b"live" in message.payload} == set(topics)


async def test_a_feed_that_the_past_makes_live(garden: InProcess, mqtt: Door) -> None:
    """Old values are no news but where they turn the status, and then only where it can be seen."""
    client = await mqtt.client()
    await client.subscribe("/v2/feeds/1.json", "/v2/feeds/1.csv")
    await client.message(), await client.message()
    garden.now += 900 * SECOND
    garden.events.look_at_the_clock()
    assert b"frozen" in await client.payload()
    for _ in range(2):
        points = '{"datapoints": [{"at": "2012-01-01T00:00:00Z", "value": "1"}]}'
        made = await garden.ask("POST /v2/feeds/1/datastreams/temp/datapoints.json", points)
        assert made.status == 200
    [message] = await client.quiet()
    assert (message.topic, message.payload.count(b"live")) == ("/v2/feeds/1.json", 1)


async def test_a_shaped_topic_that_fails_for_a_while(garden: InProcess, mqtt: Door) -> None:
    """An update whose GET is refused is not sent; the next one is."""
    topic = f"{STREAM}?duration=1hour"
    client = await mqtt.client()
    await client.subscribe(topic)
    assert await client.payload() == await got(garden, topic)
    garden.app._rate_limit = limit = RateLimit(1)
    key = await garden.store.find_key(KEY)
    assert key is not None
    while limit.admit(key.pk, garden.now):
        pass
    await put(garden, 43, key="greenhouse")
    assert await client.quiet() == []
    garden.app._rate_limit = None
    await put(garden, 44)
    assert (await client.payload()).endswith(b",44")


async def test_updates_while_a_shaped_message_is_made(garden: InProcess, mqtt: Door) -> None:
    """However many there are, the last message shows the newest state."""
    topic = f"{STREAM}?start=2013-06-01T08:00:00Z&interval=0&limit=1000"
    client, writer = await mqtt.client(), await mqtt.client()
    await client.subscribe(topic)
    last = await client.payload()
    writer.send(*(Publish(STREAM, b"%d" % n) for n in range(100, 150)))
    seen = 0
    while not last.endswith(b",149"):
        last = await client.payload()
        seen += 1
    assert seen <= 50
    assert last == await got(garden, topic)


async def test_unsubscribing_while_a_shaped_message_is_made(garden: InProcess, mqtt: Door) -> None:
    """It is not sent."""
    topic = f"{STREAM}?start=2013-06-01T08:00:00Z&interval=0"
    staying, client = await mqtt.client(), await mqtt.client()
    await staying.subscribe(topic)
    await staying.message()
    client.send(Subscribe(1, ((topic, 0),)), Unsubscribe(2, (topic,)))
    assert await client.packet() == Suback(1, (0,))
    assert await client.packet() == Unsuback(2)
    await put(garden, 46)
    assert (await staying.payload()).endswith(b",46")
    assert await client.quiet() == []


async def test_subscribers_from_different_addresses(garden: InProcess, mqtt: Door) -> None:
    """A key that is limited to an address is judged for each of them."""
    await garden.add_key(1, Permission(("get",), source_ip="127.0.0.2"), text="one-address")
    near, far = Client(), Client()
    for client, address in ((near, "127.0.0.2"), (far, "127.0.0.3")):
        port = mqtt.listening.getHost().port
        await connectProtocol(
            TCP4ClientEndpoint(reactor, "127.0.0.1", port, bindAddress=(address, 0)), client
        )
        mqtt.clients.append(client)
        client.send(Connect(4, "MQTT", user_name="one-address"))
        assert await client.packet() == Connack(0)
        await client.subscribe(STREAM)
    assert (await near.payload()).endswith(b",21.50")
    await put(garden, 47)
    assert (await near.payload()).endswith(b",47")
    assert await far.quiet() == []


async def test_subscribers_that_are_alike(garden: InProcess, mqtt: Door) -> None:
    """They are judged together, also those who come while that is going on; each gets everything."""
    waiting: list[Deferred[None]] = []
    real = mqtt.judge

    async def slow(request: Any, *, again: bool = False) -> Grant:
        waiting.append(Deferred())
        await waiting[-1]
        return await real(request, again=again)

    mqtt.judge = slow
    clients = [await mqtt.client() for _ in range(5)]
    for client in clients:
        await client.subscribe(STREAM)
    gone = clients.pop()
    gone.transport.abortConnection()
    connections: Any = mqtt.factory._connections
    while all(connection._outbox.open for connection in connections):
        await deferLater(reactor, 0.01, lambda: None)
    [judgement] = waiting
    judgement.callback(None)
    for client in clients:
        assert (await client.payload()).endswith(b",21.50")
    await put(garden, 45)
    for client in clients:
        assert (await client.payload()).endswith(b",45")
    assert len(mqtt.factory.channels) == 1
    other = await mqtt.client(user_name="greenhouse")
    await other.subscribe(STREAM)
    assert len(waiting) == 2  # another key is judged by itself
    for client in clients:
        client.send(Disconnect())
        while await client.packet() is not None:
            pass
    waiting[1].callback(None)
    assert (await other.payload()).endswith(b",45")
    while mqtt.factory.connection_count > 1:
        await deferLater(reactor, 0.01, lambda: None)
    assert len(mqtt.factory.channels) == 1
    other.send(Unsubscribe(2, (STREAM,)))
    await other.packet()
    assert len(mqtt.factory.channels) == 0
    assert list(garden.events.watched) == []


async def test_an_expired_key(garden: InProcess, mqtt: Door) -> None:
    """Its subscriptions end when it expires, and it cannot connect any more."""
    await garden.add_key(1, text="short", expires_at=NOON + 60 * SECOND)
    client = await mqtt.client(user_name="short")
    await client.subscribe(STREAM)
    await client.message()
    garden.now = NOON + 59 * SECOND
    await put(garden, 38)
    assert (await client.payload()).endswith(b",38")
    garden.now = NOON + 60 * SECOND
    await put(garden, 39)
    assert await client.quiet() == []
    late = Client()
    port = mqtt.listening.getHost().port
    await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), late)
    late.send(Connect(4, "MQTT", "late", user_name="short"))
    assert await late.packet() == Connack(4)
    assert await late.packet() is None


# --- slow readers and lost ones -----------------------------------------------------------------------


async def test_a_client_that_does_not_read(garden: InProcess, door: Callable[..., Door]) -> None:
    """Others are not held up, little is kept for it, and it gets the newest state in the end."""
    mqtt = door(limits=MqttLimits(steps=5, joined_bytes=1))
    lazy, other = await mqtt.client(), await mqtt.client()
    topics = ("/v2/feeds/1.json", "/v2/feeds/1.csv?datastreams=temp")
    for client in (lazy, other):
        await client.subscribe(*topics)
        for _ in range(2):
            await client.message()
    big = json.dumps({"description": "x" * 100_000})
    assert (await garden.ask("PUT /v2/feeds/1.json", big)).status == 200
    lazy.transport.pauseProducing()
    for n in range(150):
        await put(garden, n)
        for _ in range(2):
            await other.message()
    assert mqtt.factory.skipped > 0
    lazy.transport.resumeProducing()
    seen = []
    last: dict[str, bytes] = {}
    while len(last) < 2 or not all(b"149" in payload for payload in last.values()):
        message = await lazy.message()
        last[message.topic] = message.payload
        seen.append(message)
    assert len(seen) < 300
    assert await lazy.quiet() == []
    await put(garden, 150)
    assert b"150" in await lazy.payload()


async def test_the_will_of_a_client_that_is_killed(garden: InProcess, mqtt: Door) -> None:
    """It is heard of by those who subscribed to its topic."""
    watcher = await mqtt.client()
    await watcher.subscribe(STREAM)
    await watcher.message()
    device = await mqtt.client(will=Will(STREAM, b"0"))
    device.send(Publish(STREAM, b"1"))
    assert (await watcher.payload()).endswith(b",1")
    device.transport.abortConnection()
    assert (await watcher.payload()).endswith(b",0")


async def test_a_client_that_sends_and_goes(garden: InProcess, mqtt: Door) -> None:
    """What it sent before it closed is stored, also without waiting for anything."""
    watcher = await mqtt.client()
    await watcher.subscribe(STREAM)
    await watcher.message()
    hasty = Client()
    await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", mqtt.listening.getHost().port), hasty)
    hasty.send(Connect(3, "MQIsdp", "hasty", user_name="thermometer"))
    hasty.send(*(Publish(STREAM, b"%d" % n) for n in range(10)), Disconnect())
    hasty.transport.loseConnection()
    values = [(await watcher.payload()).partition(b",")[2] for _ in range(10)]
    assert values == [b"%d" % n for n in range(10)]


async def test_shutting_down(garden: InProcess, mqtt: Door) -> None:
    """Connections are closed when what they sent has been stored."""
    client = await mqtt.client()
    await client.subscribe(STREAM)
    await client.message()
    client.send(Publish(STREAM, b"40", qos=1, packet_id=1))
    await client.packet()
    await maybeDeferred(mqtt.listening.stopListening)
    await mqtt.factory.shutdown()
    while await client.packet() is not None:
        pass
    assert (await got(garden, STREAM)).endswith(b",40")
    assert list(garden.events.watched) == []
