"""
Writes the packets of MQTT 3.1 and 3.1.1.

A packet is one byte with its type (upper half) and flags (lower half), a length of one to four bytes, seven
bits in each, and so many bytes. Texts are UTF-8 with a length of two bytes.
What goes to many is encoded once: `encode_publish` depends on the topic and the payload alone.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from functools import singledispatch
from typing import Final

from txpachube.errors import InvalidValue
from txpachube.wire.mqtt_packets import (
    CONNACK,
    CONNECT,
    DISCONNECT,
    LEVEL_311,
    PINGREQ,
    PINGRESP,
    PUBLISH,
    PUBREL,
    SUBACK,
    SUBSCRIBE,
    UNSUBACK,
    UNSUBSCRIBE,
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
)

__all__ = [
    "PINGRESP_PACKET",
    "encode",
    "encode_acknowledgement",
    "encode_publish",
    "encode_suback",
    "encode_unsuback",
]

MAX_TEXT: Final = 65_535
"""Bytes of a text; its length has two bytes."""

MAX_LENGTH: Final = 268_435_455
"""The largest length that four bytes of seven bits can say."""

PINGRESP_PACKET: Final = bytes((PINGRESP << 4, 0))


@singledispatch
def encode(packet: Packet) -> bytes:
    """
    Write a packet.

    Raises:
        InvalidValue: a text, an identifier or the whole is too long, or a number is out of its range.
    """
    raise TypeError(f"not a packet: {packet!r}")


@encode.register
def _(packet: Publish) -> bytes:
    return encode_publish(
        packet.topic,
        packet.payload,
        qos=packet.qos,
        retain=packet.retain,
        duplicate=packet.duplicate,
        packet_id=packet.packet_id,
    )


@encode.register
def _(packet: Acknowledgement) -> bytes:
    return encode_acknowledgement(packet.kind, packet.packet_id)


@encode.register
def _(packet: Connack) -> bytes:
    if not 0 <= packet.code <= 255:
        raise InvalidValue("code", packet.code, "0 to 255")
    return bytes((CONNACK << 4, 2, packet.session_present, packet.code))


@encode.register
def _(packet: Connect) -> bytes:
    flags = packet.clean_session << 1
    parts = [_text("client_id", packet.client_id)]
    if packet.will is not None:
        flags |= 0x04 | _checked_qos(packet.will.qos) << 3 | packet.will.retain << 5
        parts += _text("will topic", packet.will.topic), _binary("will payload", packet.will.payload)
    if packet.user_name is not None:
        flags |= 0x80
        parts.append(_text("user name", packet.user_name))
    if packet.password is not None:
        if packet.user_name is None and packet.level >= LEVEL_311:
            raise InvalidValue("password", "…", "given together with a user name")
        flags |= 0x40
        parts.append(_binary("password", packet.password))
    if not 0 <= packet.keep_alive <= 65_535:
        raise InvalidValue("keep_alive", packet.keep_alive, "0 to 65535")
    head = _text("protocol", packet.protocol) + bytes((packet.level, flags))
    return _packet(CONNECT << 4, head, packet.keep_alive.to_bytes(2), *parts)


@encode.register
def _(packet: Subscribe) -> bytes:
    _at_least_one_filter(packet.filters)
    parts = [_text("topic filter", text) + bytes((_checked_qos(qos),)) for text, qos in packet.filters]
    return _packet(SUBSCRIBE << 4 | 2, _identifier(packet.packet_id), *parts)


@encode.register
def _(packet: Suback) -> bytes:
    return encode_suback(packet.packet_id, packet.codes)


@encode.register
def _(packet: Unsubscribe) -> bytes:
    _at_least_one_filter(packet.filters)
    parts = [_text("topic filter", text) for text in packet.filters]
    return _packet(UNSUBSCRIBE << 4 | 2, _identifier(packet.packet_id), *parts)


@encode.register
def _(packet: Unsuback) -> bytes:
    return encode_unsuback(packet.packet_id)


@encode.register(Pingreq)
def _(packet: Pingreq) -> bytes:
    return bytes((PINGREQ << 4, 0))


@encode.register(Pingresp)
def _(packet: Pingresp) -> bytes:
    return PINGRESP_PACKET


@encode.register(Disconnect)
def _(packet: Disconnect) -> bytes:
    return bytes((DISCONNECT << 4, 0))


def encode_publish(
    topic: str,
    payload: bytes,
    *,
    qos: int = 0,
    retain: bool = False,
    duplicate: bool = False,
    packet_id: int = 0,
) -> bytes:
    """
    Write a PUBLISH.

    Raises:
        InvalidValue: the topic is empty, too long or holds a wildcard, or the whole is too long.
    """
    if not topic or "+" in topic or "#" in topic:
        raise InvalidValue("topic", "…", "a text without + and #")
    first = PUBLISH << 4 | duplicate << 3 | _checked_qos(qos) << 1 | retain
    if qos:
        return _packet(first, _text("topic", topic), _identifier(packet_id), payload)
    return _packet(first, _text("topic", topic), payload)


def encode_acknowledgement(kind: int, packet_id: int) -> bytes:
    """Write a PUBACK, PUBREC, PUBREL or PUBCOMP."""
    return bytes((kind << 4 | (2 if kind == PUBREL else 0), 2)) + _identifier(packet_id)


def encode_suback(packet_id: int, codes: Sequence[int]) -> bytes:
    """Write a SUBACK with one code for each filter of the SUBSCRIBE."""
    return _packet(SUBACK << 4, _identifier(packet_id), bytes(codes))


def encode_unsuback(packet_id: int) -> bytes:
    """Write an UNSUBACK."""
    return bytes((UNSUBACK << 4, 2)) + _identifier(packet_id)


def _packet(first: int, *parts: bytes) -> bytes:
    length = sum(map(len, parts))
    if length < 128:
        return b"".join((bytes((first, length)), *parts))
    if length > MAX_LENGTH:
        raise InvalidValue("packet", f"{length} bytes", f"at most {MAX_LENGTH} bytes long")
    head = bytearray((first,))
    rest = length
    while rest:
        rest, seven_bits = divmod(rest, 128)
        head.append(seven_bits | (0x80 if rest else 0))
    return b"".join((head, *parts))


def _text(field: str, text: str) -> bytes:
    try:
        return _binary(field, text.encode())
    except UnicodeEncodeError:
        raise InvalidValue(field, "…", "a text that UTF-8 can express") from None


def _binary(field: str, data: bytes) -> bytes:
    if len(data) > MAX_TEXT:
        raise InvalidValue(field, f"{len(data)} bytes", f"at most {MAX_TEXT} bytes long")
    return len(data).to_bytes(2) + data


def _identifier(packet_id: int) -> bytes:
    if not 1 <= packet_id <= 65_535:
        raise InvalidValue("packet_id", packet_id, "1 to 65535")
    return packet_id.to_bytes(2)


def _checked_qos(qos: int) -> int:
    if not 0 <= qos <= 2:
        raise InvalidValue("qos", qos, "0, 1 or 2")
    return qos


def _at_least_one_filter(filters: Sized) -> None:
    if not filters:
        raise InvalidValue("filters", "nothing", "at least one topic filter")
