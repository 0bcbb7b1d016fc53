"""
One MQTT connection as the bridge sees it.

The bridge is no broker: topics are paths of the API, a PUBLISH is a write request, a SUBSCRIBE is a
subscription to a feed or datastream. So this session turns packets into API requests and leaves it to the
transport to have them answered::

    NEW ──CONNECT──> WAITING ──accept()──> OPEN ──DISCONNECT──> CLOSED
                        └──refuse()──> CLOSED <──violation──┘ (from any state)

While it waits for the verdict about the key, nothing further is read.
The transport sends what `data_to_send` has after each call, and closes the connection when `closed`.
When the connection is gone it asks `connection_lost` for the will.

Nothing tells a client that a topic leads nowhere, that a filter with ``+`` or ``#`` gets no messages, or that
a request failed: MQTT has no way to say so. The transport is told with `Ignored`, to count it.

A message with quality of service 1 or 2 is acknowledged when its request has been carried out, whatever
came of it, and in the order in which the messages came.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from txpachube.api.messages import Request
from txpachube.wire.mqtt_decode import PacketReader
from txpachube.wire.mqtt_encode import (
    PINGRESP_PACKET,
    encode,
    encode_acknowledgement,
    encode_publish,
    encode_suback,
    encode_unsuback,
)
from txpachube.wire.mqtt_events import (
    ConnectRequest,
    Event,
    Goodbye,
    Ignored,
    SubscribeRequest,
    UnsubscribeRequest,
    WriteRequest,
)
from txpachube.wire.mqtt_packets import (
    CONNECT,
    LEVEL_311,
    MAX_FILTERS,
    MAX_PACKET,
    PROTOCOL_NAMES,
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
    Publish,
    Subscribe,
    Unsubscribe,
    Violation,
)
from txpachube.wire.mqtt_topics import has_wildcard, read_topic
from txpachube.wire.resources import subscription_target

__all__ = ["BAD_USER_NAME", "NOT_AUTHORIZED", "SERVER_UNAVAILABLE", "Session"]

MAX_CONNECT: Final = 128 * 1024
"""Bytes of a CONNECT: a will of full length and more than enough for the rest."""

MAX_HELD: Final = 128 * 1024
"""Bytes a client may send before it knows whether it is accepted."""

MAX_SUBSCRIPTIONS: Final = MAX_FILTERS
"""Topics one connection can be subscribed to at a time."""

MAX_UNRELEASED: Final = 1000
"""Messages of quality of service 2 that may be between PUBLISH and PUBREL; clients have 20 at a time."""

ACCEPTED, BAD_LEVEL, BAD_CLIENT_ID, SERVER_UNAVAILABLE, BAD_USER_NAME, NOT_AUTHORIZED = range(6)

KEEP_ALIVE_FACTOR: Final = 1.5
"""How much longer than its keep-alive time a client may be silent."""


class Session:
    """
    The state of one connection.

    Attributes:
        connect: the client's first packet, once there is one.
        closed: whether the connection is to be closed when all output has been sent.
    """

    __slots__ = ("_accepted", "_max_packet", "_max_subscriptions", "_output", "_peer", "_pending", "_reader",
                 "_scheme", "_topics", "_unreleased", "_will", "closed", "connect")  # fmt: skip

    def __init__(
        self,
        peer: str = "",
        scheme: str = "http",
        max_packet: int = MAX_PACKET,
        max_subscriptions: int = MAX_SUBSCRIPTIONS,
    ) -> None:
        self._peer = peer
        self._scheme = scheme
        self._max_packet = max_packet
        self._max_subscriptions = max_subscriptions
        self._reader = PacketReader(min(MAX_CONNECT, max_packet), first_type=CONNECT)
        self._output: list[bytes] = []
        self._pending: deque[WriteRequest] = deque()  # to be acknowledged, in this order
        # Identifiers of quality of service 2 before their PUBREL, and whether their PUBREC was sent.
        self._unreleased: dict[int, bool] = {}
        self._topics: set[str] = set()  # subscribed, and worth an UnsubscribeRequest
        self._will: Request | None = None
        self._accepted = False
        self.connect: Connect | None = None
        self.closed = False

    @property
    def key(self) -> str | None:
        """The key that was given as user name, or None."""
        name = self.connect.user_name if self.connect is not None else None
        return name.strip() or None if name is not None else None

    @property
    def identity(self) -> tuple[str, str] | None:
        """
        The key and the client id: a second connection with the same ones closes the first.

        None without a key or an id: then nobody can say that it is the same client.
        """
        if self.connect is None or self.key is None or not self.connect.client_id:
            return None
        return self.key, self.connect.client_id

    @property
    def packets(self) -> int:
        """How many packets of the client were complete so far."""
        return self._reader.packets

    @property
    def waiting(self) -> int:
        """How many bytes there are of what has not been read yet."""
        return self._reader.waiting

    @property
    def keep_alive_timeout(self) -> float | None:
        """After how many seconds of silence the client counts as gone; None for never."""
        if self.connect is None or self.connect.keep_alive == 0:
            return None
        return self.connect.keep_alive * KEEP_ALIVE_FACTOR

    def receive(self, data: bytes) -> list[Event]:
        """Take received bytes, return what is to be done, in order."""
        if self.closed:
            return []
        self._reader.feed(data)
        return self._read()

    def accept(self) -> list[Event]:
        """Let the client in. Returns what is to be done about what it sent in the meantime."""
        if self.closed or self.connect is None or self._accepted:
            return []
        self._accepted = True
        self._reader.max_packet = self._max_packet
        self._output.append(encode(Connack(ACCEPTED)))
        will = self.connect.will
        if will is not None and will.payload and not has_wildcard(will.topic):
            topic = read_topic(will.topic)
            if topic is not None and topic.writes is not None:
                self._will = topic.request(topic.writes, self.key, will.payload, self._peer, self._scheme)
        return self._read()

    def refuse(self, code: int = BAD_USER_NAME) -> None:
        """Turn the client away."""
        if not self.closed and not self._accepted:
            self._output.append(encode(Connack(code)))
            self._close()

    def acknowledge(self, write: WriteRequest) -> None:
        """Note that a write request has been carried out, whether or not it succeeded."""
        write._done = True
        while self._pending and self._pending[0]._done:
            done = self._pending.popleft()
            kind = PUBACK
            if done._qos == 2:
                kind = PUBREC
                if done._packet_id in self._unreleased:
                    self._unreleased[done._packet_id] = True
            self._output.append(encode_acknowledgement(kind, done._packet_id))

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a message. For many subscribers with the same topic, encode it once and send that."""
        if not self.closed:
            self._output.append(encode_publish(topic, payload))

    def data_to_send(self) -> bytes:
        """Return what is to be sent, and forget it."""
        if not self._output:
            return b""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def connection_lost(self) -> Request | None:
        """Note that the connection has ended. Returns the will, if it is to be executed."""
        will, self._will = self._will, None
        self._close()
        return will

    def _read(self) -> list[Event]:
        events: list[Event] = []
        while not self.closed:
            if self.connect is not None and not self._accepted:
                if self._reader.waiting > MAX_HELD:
                    self._violate(f"more than {MAX_HELD} bytes before the connection was accepted", events)
                break
            packet = self._reader.next_packet()
            if packet is None:
                break
            if isinstance(packet, Publish):
                self._read_publish(packet, events)
            elif isinstance(packet, Violation):
                self._close()
                events.append(packet)
            else:
                self._read_other(packet, events)
        return events

    def _read_other(self, packet: Packet, events: list[Event]) -> None:
        if isinstance(packet, Connect):
            self._read_connect(packet, events)
        elif isinstance(packet, Acknowledgement):
            if packet.kind == PUBREL:
                self._unreleased.pop(packet.packet_id, None)
                self._output.append(encode_acknowledgement(PUBCOMP, packet.packet_id))
            # The others acknowledge what was never sent with more than quality of service 0.
        elif isinstance(packet, Subscribe):
            self._read_subscribe(packet, events)
        elif isinstance(packet, Unsubscribe):
            self._output.append(encode_unsuback(packet.packet_id))
            for text in packet.filters:
                if text in self._topics:
                    self._topics.remove(text)
                    events.append(UnsubscribeRequest(text))
        elif isinstance(packet, Pingreq):
            self._output.append(PINGRESP_PACKET)
        elif isinstance(packet, Disconnect):
            self._will = None
            self._close()
            events.append(Goodbye())
        else:
            self._violate("a packet that only a server sends", events)

    def _read_connect(self, packet: Connect, events: list[Event]) -> None:
        if self.connect is not None:
            self._violate("a second CONNECT", events)
        elif packet.level not in PROTOCOL_NAMES.values():
            self._output.append(encode(Connack(BAD_LEVEL)))
            self._violate("a version of MQTT that is not 3.1 or 3.1.1", events)
        elif not packet.client_id and not (packet.level == LEVEL_311 and packet.clean_session):
            self._output.append(encode(Connack(BAD_CLIENT_ID)))
            self._violate("no client id, where one is needed", events)
        else:
            self.connect = packet
            events.append(ConnectRequest(self.key, packet.client_id))

    def _read_publish(self, packet: Publish, events: list[Event]) -> None:
        if has_wildcard(packet.topic):
            self._violate("a wildcard in the topic of a message", events)
            return
        if packet.qos == 2:
            if packet.packet_id in self._unreleased:
                if self._unreleased[packet.packet_id]:
                    self._output.append(encode_acknowledgement(PUBREC, packet.packet_id))
                return
            if len(self._unreleased) == MAX_UNRELEASED:
                self._violate(f"more than {MAX_UNRELEASED} messages that were not released", events)
                return
            self._unreleased[packet.packet_id] = False
        topic = read_topic(packet.topic)
        if topic is not None and topic.writes is not None and packet.payload:
            request = topic.request(topic.writes, self.key, packet.payload, self._peer, self._scheme)
            write = WriteRequest(request, packet.qos, packet.packet_id)
            events.append(write)
            if packet.qos:
                self._pending.append(write)
            return
        if topic is None:
            reason = "no resource"
        else:
            reason = "empty payload" if topic.writes is not None else "method override"
        events.append(Ignored(reason))
        if packet.qos:
            ignored = WriteRequest(Request("GET", ""), packet.qos, packet.packet_id)
            self._pending.append(ignored)
            self.acknowledge(ignored)

    def _read_subscribe(self, packet: Subscribe, events: list[Event]) -> None:
        # Quality of service 0 for each, also for what doesn't exist or isn't allowed.
        self._output.append(encode_suback(packet.packet_id, (0,) * len(packet.filters)))
        for text, _ in packet.filters:
            topic = None if has_wildcard(text) else read_topic(text)
            if topic is None:
                events.append(Ignored("wildcard" if has_wildcard(text) else "no resource"))
                continue
            target = subscription_target(topic.path)
            if target is not None:
                if len(self._topics) >= self._max_subscriptions and text not in self._topics:
                    self._violate(f"more than {self._max_subscriptions} subscriptions", events)
                    return
                self._topics.add(text)
            request = topic.request("GET", self.key, b"", self._peer, self._scheme)
            events.append(SubscribeRequest(text, request, target))

    def _violate(self, reason: str, events: list[Event]) -> None:
        self._close()
        events.append(Violation(reason))

    def _close(self) -> None:
        self.closed = True
