"""Connections of the MQTT door on a transport in memory: letting in, order, pressure, time, wills, ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import implementer

from txpachube.api.messages import Request, Response
from txpachube.api.problems import unauthorized, unavailable
from txpachube.server.app import Grant
from txpachube.server.events import Events
from txpachube.server.storage.appended import Appended
from txpachube.server.transports.mqtt import MqttFactory, MqttLimits
from txpachube.wire.mqtt_decode import PacketReader
from txpachube.wire.mqtt_encode import encode
from txpachube.wire.mqtt_packets import (
    PUBACK,
    PUBCOMP,
    PUBREC,
    PUBREL,
    Acknowledgement,
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
    Violation,
    Will,
)
from txpachube.wire.mqtt_session import BAD_USER_NAME, SERVER_UNAVAILABLE

KEY = "a-key-that-is-never-shown"
FEED = "/v2/feeds/504.csv"
LIMITS = MqttLimits(connect_timeout=20, write_timeout=40, sweep_interval=1)
Handle = Callable[[Request], Awaitable[Response]]


class Recorder:
    """A handler that answers at once."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.asked: list[Request] = []

    async def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        return Response(self.status, b"body of " + request.path.encode())

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request in self.asked]


class Later(Recorder):
    """A handler that answers when the test says so; ``append`` says what its requests wait for."""

    def __init__(self, *, append: bool = False) -> None:
        super().__init__()
        self.append = append
        self.waiting: list[Deferred[None]] = []

    async def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        wait = Appended() if self.append else Deferred()
        self.waiting.append(wait)
        await wait
        return Response(self.status)

    def answer(self, *numbers: int) -> None:
        for number in numbers:
            self.waiting[number].callback(None)


async def knows(key: str) -> bool:
    """Know one key."""
    return key == KEY


async def admits_nobody(request: Request, *, again: bool = False) -> Grant:
    """Turn everybody away."""
    raise unauthorized()


class Door:
    """A factory in memory, its clock, and connections to it."""

    def __init__(self, handle: Handle | None = None, **options: Any) -> None:
        self.clock = Clock()
        self.recorder = Recorder()
        options = {"authorise": admits_nobody, "knows": knows, "limits": LIMITS, **options}
        self.factory = MqttFactory(
            handle or self.recorder, events=Events(), reactor=self.clock, clock=lambda: 0, **options
        )

    def connect(self) -> Line:
        return Line(self)

    def opened(self, **fields: Any) -> Line:
        """Return a connection that was let in."""
        line = self.connect()
        line.send(Connect(4, "MQTT", **{"client_id": "device", "user_name": KEY, **fields}))
        assert line.received() == [Connack(0)]
        return line

    def wait(self, seconds: float) -> None:
        """Let time pass as a reactor does, in small steps."""
        self.clock.pump([0.5] * round(seconds * 2))


class Wire(StringTransport):
    """A transport that remembers how it was closed."""

    def __init__(self) -> None:
        super().__init__(  # type: ignore[no-untyped-call] # Twisted does not say
            peerAddress=IPv4Address("TCP", "192.0.2.7", 4711)
        )
        self.broken_off = False

    def abortConnection(self) -> None:
        self.broken_off = True
        self.disconnecting = True


class Line:
    """One client's connection."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.transport: Any = Wire()
        self.protocol = door.factory.buildProtocol(None)
        assert self.protocol is not None
        self.protocol.makeConnection(self.transport)

    def send(self, *packets: Packet) -> Line:
        """Send packets in one piece."""
        return self.send_bytes(b"".join(map(encode, packets)))

    def send_bytes(self, data: bytes) -> Line:
        self.protocol.dataReceived(data)
        return self

    def received(self) -> list[Packet | Violation]:
        """Return what has come since the last time, at the end of the turn."""
        self.door.clock.advance(0)
        data = self.transport.value()
        self.transport.clear()
        return PacketReader().receive(data)

    @property
    def closed(self) -> Any:  # Any, because what it was says nothing of what it is
        return self.transport.disconnecting

    def lose(self) -> None:
        """Let the connection end, as it also does when it was closed."""
        self.protocol.connectionLost()

    def stop_reading(self) -> None:
        self.transport.producer.pauseProducing()

    def go_on_reading(self) -> None:
        self.transport.producer.resumeProducing()

    @property
    def held(self) -> Any:
        """Whether the client is not read any more."""
        return str(self.transport.producerState) == "paused"


def write(body: bytes, qos: int = 0, packet_id: int = 0, topic: str = FEED) -> Publish:
    return Publish(topic, body, qos, packet_id=packet_id)


class TestLettingIn:
    """The user name is a key, or there is none."""

    def test_a_valid_key(self) -> None:
        """CONNACK 0, whatever the password; its requests carry the key and the client's address."""
        door = Door()
        line = door.opened(password=b"anything").send(write(b"0,29"))
        (request,) = door.recorder.asked
        assert (request.method, request.path, request.body) == ("PUT", "/v2/feeds/504.csv", b"0,29")
        assert (request.headers["x-apikey"], request.peer, request.scheme) == (KEY, "192.0.2.7", "http")
        assert not line.closed

    def test_an_unknown_key(self) -> None:
        """CONNACK 4, then the connection is closed, and nothing that follows is carried out."""
        door = Door()
        line = door.connect().send(Connect(4, "MQTT", "d", user_name="no-key"), write(b"1"))
        assert line.received() == [Connack(BAD_USER_NAME)]
        assert line.closed
        line.lose()
        assert door.recorder.asked == []
        assert door.factory.connection_count == 0

    def test_no_user_name(self) -> None:
        """CONNACK 0; the key comes with the topic."""
        door = Door()
        door.opened(user_name=None).send(write(b"0,29", topic=f"{KEY}/v2/feeds/504.csv"))
        assert door.recorder.asked[0].headers["x-apikey"] == KEY

    def test_a_storage_that_fails(self) -> None:
        """CONNACK 3: it isn't the client's fault."""

        async def broken(key: str) -> bool:
            raise unavailable("no")

        line = Door(knows=broken).connect().send(Connect(3, "MQIsdp", "d", user_name=KEY))
        assert line.received() == [Connack(SERVER_UNAVAILABLE)]
        assert line.closed

    @pytest.mark.parametrize("lost_first", [False, True])
    def test_what_was_sent_with_the_connect(self, lost_first: bool) -> None:
        """It is carried out once the key is known, even if the client is gone by then."""
        known: Deferred[bool] = Deferred()
        door = Door(knows=lambda key: known)
        line = door.connect().send(Connect(4, "MQTT", "d", user_name=KEY), write(b"1"), write(b"2"))
        line.send(write(b"3"), Disconnect())
        assert line.received() == []
        assert door.recorder.asked == []
        if lost_first:
            line.lose()
        known.callback(True)
        assert door.recorder.bodies == [b"1", b"2", b"3"]
        assert line.received() == ([] if lost_first else [Connack(0)])
        if not lost_first:
            line.lose()
        assert door.factory.connection_count == 0

    def test_too_many_connections(self) -> None:
        """They are not taken; the others are not disturbed."""
        door = Door(limits=MqttLimits(connections=1))
        line = door.opened()
        assert door.factory.buildProtocol(None) is None
        line.send(Pingreq())
        assert line.received() == [Pingresp()]

    def test_rubbish(self) -> None:
        """Bytes that are no packet end the connection."""
        door = Door()
        line = door.connect().send_bytes(b"GET / HTTP/1.1\r\n\r\n")
        assert line.closed
        assert line.received() == []
        assert door.factory.without_effect == {"violation": 1}


class TestOrder:
    """Messages are carried out in their order, and acknowledged when they have been."""

    def test_quality_of_service(self) -> None:
        """0 is not acknowledged, 1 by PUBACK, 2 by PUBREC and PUBCOMP."""
        door = Door()
        line = door.opened().send(write(b"a"), write(b"b", 1, 7), write(b"c", 2, 8))
        assert line.received() == [Acknowledgement(PUBACK, 7), Acknowledgement(PUBREC, 8)]
        line.send(Acknowledgement(PUBREL, 8))
        assert line.received() == [Acknowledgement(PUBCOMP, 8)]
        assert door.recorder.bodies == [b"a", b"b", b"c"]

    def test_a_failure_is_acknowledged(self) -> None:
        """MQTT cannot tell: who may not write gets the same PUBACK. It is counted."""
        door = Door(Recorder(403))
        line = door.opened().send(write(b"a", 1, 7))
        assert line.received() == [Acknowledgement(PUBACK, 7)]
        assert door.factory.without_effect == {"403": 1}

    def test_a_handler_that_raises(self) -> None:
        """It is acknowledged too, and the next message is carried out."""

        async def broken(request: Request) -> Response:
            asked.append(request.body)
            raise RuntimeError("no")

        asked: list[bytes] = []
        line = Door(broken).opened().send(write(b"a", 1, 7), write(b"b", 1, 8))
        assert line.received() == [Acknowledgement(PUBACK, 7), Acknowledgement(PUBACK, 8)]
        assert asked == [b"a", b"b"]

    def test_what_is_ignored(self) -> None:
        """Topics that lead nowhere and empty payloads are acknowledged and counted, not carried out."""
        door = Door()
        line = door.opened().send(write(b"", 1, 7), write(b"x", 1, 8, topic="weather/today"))
        assert line.received() == [Acknowledgement(PUBACK, 7), Acknowledgement(PUBACK, 8)]
        assert door.recorder.asked == []
        assert door.factory.without_effect == {"empty payload": 1, "no resource": 1}

    def test_a_write_that_may_change_anything(self) -> None:
        """The next message waits until it is through, so that it sees its effects."""
        handle = Later()
        line = Door(handle).opened().send(write(b"a", 1, 7), write(b"b", 1, 8))
        assert handle.bodies == [b"a"]
        assert line.received() == []
        handle.answer(0)
        assert handle.bodies == [b"a", b"b"]
        assert line.received() == [Acknowledgement(PUBACK, 7)]
        handle.answer(1)
        assert line.received() == [Acknowledgement(PUBACK, 8)]

    def test_a_write_that_only_adds_datapoints(self) -> None:
        """The next one need not wait for the disk; what was acknowledged together leaves in one write."""
        handle = Later(append=True)
        line = Door(handle).opened().send(*(write(b"%d" % n, 1, n) for n in range(1, 5)))
        assert handle.bodies == [b"1", b"2", b"3", b"4"]
        writes: list[bytes] = []
        line.transport.write = writes.append
        handle.answer(1, 0, 2, 3)
        line.door.clock.advance(0)
        (written,) = writes
        assert PacketReader().receive(written) == [Acknowledgement(PUBACK, n) for n in (1, 2, 3, 4)]

    def test_only_so_many_wait_for_the_disk(self) -> None:
        """Past the limits, by number or by bytes, the next one waits for one to be through."""
        for limits in (MqttLimits(overlapping=2), MqttLimits(overlapping_bytes=10)):
            handle = Later(append=True)
            line = Door(handle, limits=limits).opened()
            line.send(*(write(b"value%d" % n) for n in range(4)))
            assert handle.bodies == [b"value0", b"value1"]
            handle.answer(1)
            assert handle.bodies == [b"value0", b"value1", b"value2"]
            handle.answer(0, 2)
            assert handle.bodies == [b"value0", b"value1", b"value2", b"value3"]

    def test_a_single_message_waits_for_what_was_written_before(self) -> None:
        """A subscription to something that is no feed gives one message, after the writes before it."""
        handle = Later()
        line = Door(handle).opened().send(write(b"a"), Subscribe(3, (("/v2/keys.json", 1),)))
        assert [request.method for request in handle.asked] == ["PUT"]
        assert line.received() == [Suback(3, (0,))]
        handle.answer(0)
        assert [request.method for request in handle.asked] == ["PUT", "GET"]
        handle.answer(1)
        assert line.received() == [Publish("/v2/keys.json", b"")]

    def test_cut_anywhere(self) -> None:
        """However the network cuts the packets, they have the same effect."""
        packets = [Connect(4, "MQTT", "d", user_name=KEY), write(b"a", 1, 7), Pingreq(), write(b"b", 2, 8)]
        data = b"".join(map(encode, packets))
        for at in range(1, len(data)):
            door = Door()
            line = door.connect().send_bytes(data[:at]).send_bytes(data[at:])
            received = line.received()
            received.remove(Pingresp())
            assert received == [Connack(0), Acknowledgement(PUBACK, 7), Acknowledgement(PUBREC, 8)]
            assert door.recorder.bodies == [b"a", b"b"]

    def test_more_than_is_read_at_a_time(self) -> None:
        """A message may be much larger than a slice of the input, and so may what follows it."""
        large = b"x" * 1_000_000
        door = Door()
        line = door.opened().send(write(large, 1, 7), *(write(b"%d" % n) for n in range(5000)))
        assert line.received() == [Acknowledgement(PUBACK, 7)]
        assert door.recorder.bodies == [large, *(b"%d" % n for n in range(5000))]
        assert not line.held


class TestSubscribing:
    """What the client is told about subscriptions, which is nothing."""

    @pytest.mark.parametrize("topic", [FEED, "/v2/feeds/#", "/v2/feeds/+", "weather"])
    def test_granted_always(self, topic: str) -> None:
        """SUBACK says quality of service 0, also where nothing will ever come; so does UNSUBACK."""
        line = Door().opened().send(Subscribe(3, ((topic, 2),)))
        assert line.received() == [Suback(3, (0,))]
        line.send(Unsubscribe(4, (topic,)))
        assert line.received() == [Unsuback(4)]

    def test_a_single_message(self) -> None:
        """Its payload is the body of the GET, its topic that of the subscription, with its key."""
        door = Door()
        topic = f"{KEY}/v2/triggers.json"
        line = door.opened(user_name=None).send(Subscribe(3, ((topic, 0),)))
        assert line.received() == [Suback(3, (0,)), Publish(topic, b"body of /v2/triggers.json")]

    def test_a_single_message_that_fails(self) -> None:
        """There is none."""
        line = Door(Recorder(404)).opened().send(Subscribe(3, (("/v2/triggers/7.json", 0),)))
        assert line.received() == [Suback(3, (0,))]


class TestPressure:
    """A client that does not read is not read for long, and one that floods has to wait."""

    def test_a_client_that_floods(self) -> None:
        """While one message is being carried out only so much is taken in behind it."""
        handle = Later()
        line = Door(handle, limits=MqttLimits(held_bytes=1000)).opened().send(write(b"first"))
        line.send(write(b"x" * 900))
        assert not line.held
        line.send(write(b"y" * 900))
        assert line.held
        handle.answer(0)
        handle.answer(1)
        assert not line.held
        assert [body[:1] for body in handle.bodies] == [b"f", b"x", b"y"]

    def test_a_client_that_does_not_read(self) -> None:
        """What it asks for waits until it reads, and past a limit it is not read either."""
        door = Door(limits=MqttLimits(held_bytes=1000))
        line = door.opened()
        line.stop_reading()
        line.send(write(b"a", 1, 7))
        assert line.received() == []
        line.send(write(b"b" * 1000, 1, 8))
        assert line.held
        assert door.recorder.asked == []
        line.go_on_reading()
        assert line.received() == [Acknowledgement(PUBACK, 7), Acknowledgement(PUBACK, 8)]
        assert not line.held

    def test_what_it_subscribed_to_before_it_was_lost(self) -> None:
        """Nobody is there to hear it, so nothing is asked for it."""
        handle = Later()
        line = Door(handle).opened().send(write(b"a"), Subscribe(3, (("/v2/keys.json", 0),)), write(b"b"))
        line.lose()
        handle.answer(0)
        assert [request.method for request in handle.asked] == ["PUT", "PUT"]

    def test_what_it_sent_before_it_was_lost(self) -> None:
        """A client that never read, and is gone, is still heard."""
        door = Door()
        line = door.opened()
        line.stop_reading()
        line.send(write(b"a"), write(b"b"))
        line.lose()
        assert door.recorder.bodies == [b"a", b"b"]


class TestTime:
    """One timer looks after all connections."""

    @pytest.mark.parametrize("keep_alive", [2, 10, 60])
    def test_silence(self, keep_alive: int) -> None:
        """A client that is silent for one and a half times as long as it promised is cut off."""
        door = Door()
        line = door.opened(keep_alive=keep_alive)
        door.wait(keep_alive * 1.5)
        assert not line.closed
        door.wait(3)
        assert line.closed
        assert line.transport.broken_off
        assert door.factory.without_effect == {"silent client": 1}

    def test_signs_of_life(self) -> None:
        """Anything that comes counts: a PINGREQ, or part of a message."""
        door = Door()
        line = door.opened(keep_alive=10)
        message = encode(write(b"slow"))
        for data in (encode(Pingreq()), message[:3], message[3:9], message[9:]):
            door.wait(14)
            line.send_bytes(data)
        assert not line.closed
        assert line.received() == [Pingresp()]
        assert door.recorder.bodies == [b"slow"]

    @pytest.mark.parametrize("keep_alive", [0, 30])
    def test_a_packet_that_never_ends(self, keep_alive: int) -> None:
        """Whoever sends a byte now and then is no client; the packets before it are no excuse."""
        door = Door()
        line = door.opened(keep_alive=keep_alive)
        message = encode(write(b"x" * 500))
        line.send_bytes(encode(Pingreq()) + message[:10])
        for at in range(10, 15):
            door.wait(10)
            line.send_bytes(message[at : at + 1])
            assert not line.closed
        door.wait(15)
        assert line.closed
        assert door.factory.without_effect == {"slow client": 1}

    def test_a_large_packet_has_its_time(self) -> None:
        """On a line of 1000 bytes in a second, a packet of a minute and a half is none that never ends."""
        door = Door()
        line = door.opened(keep_alive=0)
        message = encode(write(b"x" * 100_000))
        for at in range(0, len(message), 1000):
            line.send_bytes(message[at : at + 1000])
            door.wait(1)
        assert not line.closed
        assert len(door.recorder.bodies) == 1

    def test_a_connect_that_never_ends(self) -> None:
        """The time for it is that of the whole, not of each byte."""
        door = Door()
        line = door.connect()
        message = encode(Connect(4, "MQTT", client_id="device"))
        for at in range(10):
            line.send_bytes(message[at : at + 1])
            door.wait(2)
        assert not line.closed
        door.wait(3)
        assert line.closed
        assert door.factory.without_effect == {"silent client": 1}

    def test_a_client_that_does_not_read(self) -> None:
        """It may be away for ten minutes, and is gone after that; each progress is one."""
        door = Door()
        line = door.opened(keep_alive=0)
        line.stop_reading()
        door.wait(590)
        line.go_on_reading()
        line.stop_reading()
        door.wait(599)
        assert not line.closed
        door.wait(5)
        assert line.closed
        assert door.factory.without_effect == {"client that does not read": 1}

    def test_no_promise(self) -> None:
        """Keep-alive 0 is silence for ever."""
        door = Door()
        line = door.opened(keep_alive=0)
        door.wait(100_000)
        assert not line.closed

    def test_a_client_we_do_not_read(self) -> None:
        """Its silence is ours; when we read again it has the whole time again."""
        handle = Later()
        door = Door(handle, limits=MqttLimits(held_bytes=10))
        line = door.opened(keep_alive=10).send(write(b"a"), write(b"b" * 100))
        line.send(Pingreq(), Pingreq(), Pingreq(), Pingreq(), Pingreq(), Pingreq())
        assert line.held
        door.wait(100)
        assert not line.closed
        handle.answer(0)
        handle.answer(1)
        assert not line.held
        door.wait(14)
        assert not line.closed
        door.wait(4)
        assert line.closed

    def test_no_connect(self) -> None:
        """Who does not say who it is has only so long."""
        door = Door()
        line = door.connect().send_bytes(encode(Connect(4, "MQTT", "d"))[:5])
        door.wait(20)
        assert not line.closed
        door.wait(3)
        assert line.closed

    def test_a_client_that_does_not_take_the_end(self) -> None:
        """A connection that ends is broken off when its last bytes do not leave."""
        door = Door()
        line = door.opened()
        line.stop_reading()
        line.go_on_reading()
        line.send(Subscribe(3, (("/v2/keys.json", 0),)))
        line.stop_reading()
        door.factory.shutdown(grace=1000)
        assert not line.closed
        door.wait(39)
        assert not line.closed
        door.wait(4)
        assert line.transport.broken_off

    def test_the_timer_rests(self) -> None:
        """Without connections there is nothing to look at."""
        door = Door()
        door.opened().lose()
        door.wait(2)
        assert door.clock.getDelayedCalls() == []

    def test_what_had_no_effect_is_logged(self, logged: list[str]) -> None:
        """MQTT cannot tell the client, so the log does, now and then and without any topic."""
        door = Door(Recorder(403))
        line = door.opened().send(write(b"a", topic=f"{KEY}/v2/feeds/504.csv"), write(b""))
        door.wait(3)
        assert logged == ["MQTT, without effect so far: 403: 1, empty payload: 1"]
        line.send(write(b"b"))
        door.wait(50)
        assert len(logged) == 1
        door.wait(20)
        assert logged[1:] == ["MQTT, without effect so far: 403: 2, empty payload: 1"]
        door.wait(200)
        assert len(logged) == 2


class TestWills:
    """A will is a message that is carried out when the connection ends without a DISCONNECT."""

    WILL = Will("/v2/feeds/12345/datastreams/0.csv", b"0")

    def test_a_lost_connection(self) -> None:
        """It is the last of the client's messages."""
        handle = Later()
        door = Door(handle)
        line = door.opened(will=self.WILL).send(write(b"1"), write(b"2"))
        line.lose()
        handle.answer(0)
        handle.answer(1)
        assert handle.bodies == [b"1", b"2", b"0"]
        assert (handle.asked[2].method, handle.asked[2].path) == ("PUT", "/v2/feeds/12345/datastreams/0.csv")
        assert handle.asked[2].headers["x-apikey"] == KEY
        assert door.factory.connection_count == 1
        handle.answer(2)
        assert door.factory.connection_count == 0

    def test_a_disconnect(self) -> None:
        """It is dropped, and the connection is closed."""
        door = Door()
        line = door.opened(will=self.WILL).send(write(b"1"), Disconnect())
        assert line.closed
        line.lose()
        assert door.recorder.bodies == [b"1"]

    def test_a_disconnect_that_was_not_read_yet(self) -> None:
        """It counts, also when the connection is lost before its turn comes."""
        handle = Later()
        line = Door(handle).opened(will=self.WILL).send(write(b"1"))
        line.send(write(b"2"), Disconnect())
        line.lose()
        handle.answer(0)
        handle.answer(1)
        assert handle.bodies == [b"1", b"2"]

    def test_silence(self) -> None:
        """A client that gives no sign of life any more has left its will."""
        door = Door()
        line = door.opened(will=self.WILL, keep_alive=10)
        door.wait(20)
        assert line.closed
        line.lose()
        assert door.recorder.bodies == [b"0"]

    def test_a_violation(self) -> None:
        """Who is thrown out did not say goodbye."""
        door = Door()
        line = door.opened(will=self.WILL).send_bytes(b"\xff")
        assert line.closed
        line.lose()
        assert door.recorder.bodies == [b"0"]

    def test_a_key_in_its_topic(self) -> None:
        """The will of a client without a user name brings its own key."""
        door = Door()
        will = Will(f"{KEY}/v2/feeds/1.csv", b"0,0")
        door.opened(will=will, user_name=None).lose()
        assert door.recorder.asked[0].headers["x-apikey"] == KEY

    def test_who_was_not_let_in_has_none(self) -> None:
        """Also not when the connection is lost while the key is looked up."""
        known: Deferred[bool] = Deferred()
        door = Door(knows=lambda key: known)
        line = door.connect().send(Connect(4, "MQTT", "d", user_name="no-key", will=self.WILL))
        line.lose()
        known.callback(False)
        assert door.recorder.asked == []
        assert door.factory.connection_count == 0

    def test_it_fails(self) -> None:
        """Then it is counted."""
        door = Door(Recorder(404))
        door.opened(will=self.WILL).lose()
        assert door.factory.without_effect == {"404": 1}
        assert door.factory.connection_count == 0


class TestTakeover:
    """A client that connects again takes the place of its former connection."""

    def test_same_id_and_key(self) -> None:
        """The first connection is closed and its will carried out before anything of the second."""
        handle = Later()
        door = Door(handle)
        first = door.opened(will=TestWills.WILL).send(write(b"1"))
        second = door.connect()
        second.send(Connect(4, "MQTT", "device", user_name=KEY), write(b"2"))
        assert first.closed
        assert second.received() == []
        first.lose()
        handle.answer(0)
        assert handle.bodies == [b"1", b"0"]
        assert second.received() == []
        handle.answer(1)
        assert second.received() == [Connack(0)]
        assert handle.bodies == [b"1", b"0", b"2"]
        assert not second.closed
        door.connect().send(Connect(4, "MQTT", "device", user_name=KEY))
        assert second.closed

    def test_a_third_one(self) -> None:
        """It waits for both."""
        door = Door()
        first = door.opened(will=Will(FEED, b"first"))
        second = door.connect().send(Connect(4, "MQTT", "device", user_name=KEY, will=Will(FEED, b"second")))
        third = door.connect().send(Connect(4, "MQTT", "device", user_name=KEY), write(b"third"))
        assert first.closed
        assert second.closed
        second.lose()
        assert third.received() == []
        first.lose()
        assert door.recorder.bodies == [b"first", b"second", b"third"]
        assert third.received() == [Connack(0)]

    def test_one_that_was_lost_before_its_key_was_found(self) -> None:
        """It takes nobody's place any more."""
        waiting: list[Deferred[bool]] = []

        def slow(key: str) -> Deferred[bool]:
            waiting.append(Deferred())
            return waiting[-1]

        door = Door(knows=slow)
        first = door.connect().send(Connect(4, "MQTT", "device", user_name=KEY))
        waiting[0].callback(True)
        second = door.connect().send(Connect(4, "MQTT", "device", user_name=KEY))
        second.lose()
        waiting[1].callback(True)
        assert not first.closed
        assert first.received() == [Connack(0)]

    @pytest.mark.parametrize(
        "fields",
        [
            {"client_id": "other"},
            {"user_name": None},
            {"client_id": ""},
        ],
    )
    def test_other_clients(self, fields: dict[str, Any]) -> None:
        """Another id, no key or no id is another client."""
        door = Door()
        lines = [door.opened(), door.opened(**fields), door.opened(user_name=None), door.opened(client_id="")]
        assert not any(line.closed for line in lines)

    def test_other_keys(self) -> None:
        """Ids of different keys are different clients."""

        async def knows_all(key: str) -> bool:
            return True

        door = Door(knows=knows_all)
        lines = [door.opened(), door.opened(user_name="another-key")]
        assert [line.closed for line in lines] == [False, False]

    def test_one_that_has_gone(self) -> None:
        """A connection that ended leaves its place free, and nothing behind."""
        door = Door()
        door.opened().lose()
        line = door.opened()
        line.lose()
        assert door.factory._present == {}
        assert door.factory.without_effect == {}


class TestShutdown:
    """The service ends: what has come is carried out, then the connections are closed."""

    def test_idle(self) -> None:
        """It is closed at once, and its will is carried out."""
        door = Door()
        line = door.opened(will=TestWills.WILL)
        finished: Any = door.factory.shutdown()
        assert line.closed
        assert not line.transport.broken_off
        assert not finished.called
        line.lose()
        assert door.recorder.bodies == [b"0"]
        assert finished.called
        assert door.factory.buildProtocol(None) is None

    def test_busy(self) -> None:
        """What had come is carried out and acknowledged; nothing more is read."""
        handle = Later()
        door = Door(handle)
        line = door.opened().send(write(b"a", 1, 7), write(b"b", 1, 8))
        finished: Any = door.factory.shutdown()
        assert line.held
        assert not line.closed
        handle.answer(0)
        assert not line.closed
        handle.answer(1)
        assert line.closed
        assert line.received() == [Acknowledgement(PUBACK, 7), Acknowledgement(PUBACK, 8)]
        line.lose()
        assert finished.called

    def test_waiting_for_the_disk(self) -> None:
        """Datapoints that are being committed are acknowledged first."""
        handle = Later(append=True)
        door = Door(handle)
        line = door.opened().send(write(b"a", 1, 7))
        door.factory.shutdown()
        assert not line.closed
        handle.answer(0)
        assert line.closed
        assert line.received() == [Acknowledgement(PUBACK, 7)]

    def test_what_does_not_end(self) -> None:
        """After the grace it is broken off, and its will begun but not waited for."""
        handle = Later()
        door = Door(handle)
        line = door.opened(will=TestWills.WILL).send(write(b"a"))
        finished: Any = door.factory.shutdown(grace=4)
        door.wait(5)
        assert line.transport.broken_off
        assert not finished.called
        line.lose()
        assert handle.bodies == [b"a", b"0"]
        assert finished.called
        handle.answer(0, 1)

    def test_a_lost_one_that_does_not_end(self) -> None:
        """Nobody waits for it after the grace."""
        handle = Later()
        door = Door(handle)
        line = door.opened().send(write(b"a"))
        line.lose()
        finished: Any = door.factory.shutdown(grace=4)
        assert not finished.called
        door.wait(5)
        assert finished.called
        handle.answer(0)

    def test_before_the_connect(self) -> None:
        """A connection that has said nothing yet is closed."""
        door = Door()
        line = door.connect()
        door.factory.shutdown()
        assert line.closed


@pytest.fixture
def logged() -> Any:
    """Collect what the door logs for people."""
    lines: list[str] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        if event["log_level"] >= LogLevel.info and event["log_namespace"].startswith("txpachube"):
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)
