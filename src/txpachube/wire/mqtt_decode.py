"""
Finds and reads the packets of MQTT 3.1 and 3.1.1 in a stream of bytes.

A packet is one byte with its type (upper half) and flags (lower half), a length of one to four bytes, seven
bits in each, and so many bytes. What is wrong with the first byte or the length is noticed before anything
of the packet is kept.

Where 3.1.1 forbids what 3.1 left open (reserved flags, a password without a user name) `PacketReader`
goes by the level that the CONNECT named. A stream that breaks the rules ends with a `Violation`, since
what follows can't be found in it.
"""

from __future__ import annotations

from typing import Final

from txpachube.wire.mqtt_packets import (
    CONNACK,
    CONNECT,
    DISCONNECT,
    LEVEL_31,
    LEVEL_311,
    MAX_FILTERS,
    MAX_PACKET,
    PINGREQ,
    PINGRESP,
    PROTOCOL_NAMES,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBACK,
    SUBSCRIBE,
    UNSUBACK,
    UNSUBSCRIBE,
    Acknowledgement,
    Connack,
    Connect,
    Disconnect,
    MalformedPacket,
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

__all__ = ["PacketReader", "decode_packet"]

_REQUIRED_FLAGS: Final = {PUBREL: 2, SUBSCRIBE: 2, UNSUBSCRIBE: 2}
_ACKNOWLEDGEMENTS: Final = frozenset((PUBACK, PUBREC, PUBREL, PUBCOMP))
_SUBACK_CODES: Final = frozenset((0, 1, 2, 128))


class PacketReader:
    """
    Finds packets in received bytes.

    `receive` gives all there are; a session that must not look ahead uses `feed` and `next_packet`.

    Attributes:
        max_packet: bytes a packet may have behind its length; can be changed between packets.
        level: 3 for MQTT 3.1, 4 for 3.1.1; set by a CONNECT that is read.
        packets: how many there were so far.
    """

    __slots__ = ("_at", "_data", "_first_type", "_violation", "level", "max_packet", "packets")

    def __init__(
        self, max_packet: int = MAX_PACKET, level: int = LEVEL_311, first_type: int | None = None
    ) -> None:
        self.max_packet = max_packet
        self.level = level
        self._first_type = first_type  # what the first packet must be, if that matters
        self._data: bytes | bytearray = b""
        self._at = 0
        self._violation = False
        self.packets = 0

    @property
    def waiting(self) -> int:
        """How many bytes have been fed and not been read yet."""
        return len(self._data) - self._at

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        if self._violation:
            return
        if self._at == len(self._data):
            self._data = data
        else:
            if isinstance(self._data, bytes):
                self._data = bytearray(memoryview(self._data)[self._at :])
            else:
                del self._data[: self._at]
            self._data += data
        self._at = 0

    def next_packet(self) -> Packet | Violation | None:
        """Return the next packet, or None when it isn't complete. After a violation there is only None."""
        data, at = self._data, self._at
        available = len(data) - at
        if not available:
            return None
        first = data[at]
        if (fault := self._fault_of(first)) is not None:
            return self._break(fault)
        length = shift = 0
        at += 1
        while True:
            if shift == 28:
                return self._break("the length of a packet has more than four bytes")
            if at == len(data):
                return None
            byte = data[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if length > self.max_packet:
            return self._break(f"a packet has more than {self.max_packet} bytes")
        end = at + length
        if len(data) < end:
            return None
        try:
            packet = decode_packet(first, bytes(data[at:end]), self.level)
        except MalformedPacket as problem:
            return self._break(problem.reason)
        self.packets += 1
        if end == len(data):
            self._data, self._at = b"", 0
        else:
            self._at = end
        self._first_type = None
        if isinstance(packet, Connect):
            self.level = packet.level
        return packet

    def receive(self, data: bytes) -> list[Packet | Violation]:
        """Take received bytes, return all packets that are complete."""
        self.feed(data)
        packets: list[Packet | Violation] = []
        while (packet := self.next_packet()) is not None:
            packets.append(packet)
        return packets

    def _fault_of(self, first: int) -> str | None:
        kind = first >> 4
        if kind in (0, 15):
            return "a packet is of a reserved type"
        if self._first_type is not None and kind != self._first_type:
            return "the first packet is not the one that begins a connection"
        if kind == PUBLISH:
            return "the quality of service of a message is 3" if first & 6 == 6 else None
        if kind != CONNECT and self.level != LEVEL_31 and first & 15 != _REQUIRED_FLAGS.get(kind, 0):
            return "the flags of a packet are not those of its type"
        return None

    def _break(self, reason: str) -> Violation:
        self._violation = True
        self._data, self._at = b"", 0
        return Violation(reason)


def decode_packet(first: int, body: bytes, level: int = LEVEL_311) -> Packet:
    """
    Read one packet.

    Args:
        first: its first byte.
        body: what follows its length.
        level: 3 for MQTT 3.1, 4 for 3.1.1. A CONNECT is read by the level it names.

    Raises:
        MalformedPacket: it isn't a packet of this level.
    """
    kind = first >> 4
    if kind == PUBLISH:
        return _read_publish(first, body)
    fields = _Fields(body)
    packet: Packet
    if kind in _ACKNOWLEDGEMENTS:
        packet = Acknowledgement(kind, fields.identifier())
    elif kind == CONNECT:
        packet = _read_connect(first, fields)
        if packet.level not in (LEVEL_31, LEVEL_311):
            return packet
    elif kind == CONNACK:
        present, code = fields.byte(), fields.byte()
        if present > 1 and level != LEVEL_31:
            raise MalformedPacket("a reserved flag of a CONNACK is set")
        packet = Connack(code, level != LEVEL_31 and present == 1)
    elif kind == SUBSCRIBE:
        packet = _read_subscribe(fields, level)
    elif kind == SUBACK:
        packet_id, codes = fields.identifier(), tuple(fields.rest())
        if not codes or not _SUBACK_CODES.issuperset(codes):
            raise MalformedPacket("the codes of a SUBACK are missing or unknown")
        packet = Suback(packet_id, codes)
    elif kind == UNSUBSCRIBE:
        packet = _read_unsubscribe(fields)
    elif kind == UNSUBACK:
        packet = Unsuback(fields.identifier())
    elif kind == PINGREQ:
        packet = Pingreq()
    elif kind == PINGRESP:
        packet = Pingresp()
    elif kind == DISCONNECT:
        packet = Disconnect()
    else:
        raise MalformedPacket("a packet is of a reserved type")
    fields.end()
    return packet


def _read_publish(first: int, body: bytes) -> Publish:
    # Without _Fields: this is the packet there are millions of.
    qos = first >> 1 & 3
    if qos == 3:
        raise MalformedPacket("the quality of service of a message is 3")
    start = 2 + int.from_bytes(body[:2])
    if len(body) < max(start, 2):
        raise MalformedPacket("a packet ends too early")
    topic = _decoded(body[2:start])
    if not topic:
        raise MalformedPacket("a message has no topic")
    packet_id = 0
    if qos:
        packet_id = int.from_bytes(body[start : start + 2])
        if len(body) < start + 2:
            raise MalformedPacket("a packet ends too early")
        if packet_id == 0:
            raise MalformedPacket("a packet identifier is 0")
        start += 2
    return Publish(topic, body[start:], qos, bool(first & 1), bool(first & 8), packet_id)


def _read_connect(first: int, fields: _Fields) -> Connect:
    protocol = fields.text()
    if protocol not in PROTOCOL_NAMES:
        raise MalformedPacket("the protocol is not MQTT")
    level = fields.byte()
    if PROTOCOL_NAMES[protocol] != level:
        return Connect(level if level not in (LEVEL_31, LEVEL_311) else 0, protocol)
    flags = fields.byte()
    strict = level == LEVEL_311
    if strict and (flags & 1 or first & 15):
        raise MalformedPacket("a reserved flag of a CONNECT is set")
    keep_alive = fields.number()
    client_id = fields.text()
    will = None
    if flags & 0x04:
        qos = flags >> 3 & 3
        if qos == 3:
            raise MalformedPacket("the quality of service of a will is 3")
        will = Will(fields.text(), fields.binary(), qos, bool(flags & 0x20))
        if not will.topic:
            raise MalformedPacket("a will has no topic")
    elif strict and flags & 0x38:
        raise MalformedPacket("there are flags for a will, but there is no will")
    if strict and flags & 0xC0 == 0x40:
        raise MalformedPacket("there is a password without a user name")
    # 3.1: the length takes precedence over the flags, so the last texts may be missing.
    user_name = fields.text() if flags & 0x80 and (strict or fields.more) else None
    password = fields.binary() if flags & 0x40 and (strict or fields.more) else None
    return Connect(level, protocol, client_id, bool(flags & 2), keep_alive, will, user_name, password)


def _read_subscribe(fields: _Fields, level: int) -> Subscribe:
    packet_id = fields.identifier()
    filters: list[tuple[str, int]] = []
    while fields.more or not filters:
        text, options = fields.text(), fields.byte()
        if level == LEVEL_31:
            options &= 3
        if options > 2:
            raise MalformedPacket("the quality of service of a subscription is not 0, 1 or 2")
        _check_filter(text, len(filters))
        filters.append((text, options))
    return Subscribe(packet_id, tuple(filters))


def _read_unsubscribe(fields: _Fields) -> Unsubscribe:
    packet_id = fields.identifier()
    filters: list[str] = []
    while fields.more or not filters:
        text = fields.text()
        _check_filter(text, len(filters))
        filters.append(text)
    return Unsubscribe(packet_id, tuple(filters))


def _check_filter(text: str, before: int) -> None:
    if not text:
        raise MalformedPacket("a topic filter is empty")
    if before == MAX_FILTERS:
        raise MalformedPacket(f"a packet has more than {MAX_FILTERS} topic filters")


class _Fields:
    """The fields of a packet, read one after the other."""

    __slots__ = ("_at", "_body")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    @property
    def more(self) -> bool:
        return self._at < len(self._body)

    def take(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._body):
            raise MalformedPacket("a packet ends too early")
        taken = self._body[self._at : end]
        self._at = end
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        return int.from_bytes(self.take(2))

    def identifier(self) -> int:
        packet_id = self.number()
        if packet_id == 0:
            raise MalformedPacket("a packet identifier is 0")
        return packet_id

    def binary(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        return _decoded(self.binary())

    def rest(self) -> bytes:
        return self.take(len(self._body) - self._at)

    def end(self) -> None:
        if self.more:
            raise MalformedPacket("a packet is longer than what is in it")


def _decoded(text: bytes) -> str:
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        raise MalformedPacket("a text is not UTF-8") from None
    if "\0" in decoded:
        raise MalformedPacket("a text holds the character U+0000")
    return decoded
