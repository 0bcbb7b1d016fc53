"""
The packets of MQTT 3.1 and 3.1.1 as values.

Version 3.1 (protocol name ``MQIsdp``, level 3) and 3.1.1 (``MQTT``, 4) have the same packets, so there is
one class for each. They serve both directions; who may send what is for the session to judge.
`txpachube.wire.mqtt_encode` turns them into bytes and `txpachube.wire.mqtt_decode` finds them in bytes.

Topics can hold an API key and user names are API keys, so neither is ever shown in a ``repr``.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import attrs

from txpachube.errors import DecodeError

__all__ = [
    "LEVEL_31",
    "LEVEL_311",
    "MAX_PACKET",
    "PROTOCOL_NAMES",
    "PUBACK",
    "PUBCOMP",
    "PUBREC",
    "PUBREL",
    "Acknowledgement",
    "Connack",
    "Connect",
    "Disconnect",
    "MalformedPacket",
    "Packet",
    "Pingreq",
    "Pingresp",
    "Publish",
    "Suback",
    "Subscribe",
    "Unsuback",
    "Unsubscribe",
    "Violation",
    "Will",
]

MAX_PACKET: Final = 1024 * 1024 + 65_535 + 4
"""Bytes of a packet behind its length: the longest topic and as much payload as an HTTP body may have."""

MAX_FILTERS: Final = 1000
"""Topic filters in one SUBSCRIBE or UNSUBSCRIBE; as many as one connection can be subscribed to."""

LEVEL_31: Final = 3
LEVEL_311: Final = 4
PROTOCOL_NAMES: Final = {"MQIsdp": LEVEL_31, "MQTT": LEVEL_311}

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = range(8, 15)


class MalformedPacket(DecodeError):
    """Bytes that are not a packet of MQTT 3.1 or 3.1.1."""

    def __init__(self, reason: str) -> None:
        super().__init__("mqtt", reason)
        self.args = (reason,)


@attrs.frozen
class Violation:
    """
    The peer broke the rules so that the connection can only be closed; always the last event.

    Attributes:
        reason: which rule, in a sentence without anything the peer sent.
    """

    reason: str


@attrs.frozen
class Will:
    """What the server is to publish when the connection ends without a goodbye."""

    topic: str = attrs.field(repr=False)  # can hold a key
    payload: bytes = attrs.field(repr=False)
    qos: int = 0
    retain: bool = False


@attrs.frozen
class Connect:
    """
    The first packet of a client.

    Attributes:
        level: 3 for MQTT 3.1, 4 for 3.1.1. Of any other level nothing else is read.
        protocol: the name of the protocol that was asked for.
        client_id: the name the client gave itself, can be empty.
        clean_session: whether the server shall forget what it knows of the client.
        keep_alive: seconds between two packets that the client promises; 0 promises nothing.
        will: see `Will`.
        user_name: None when none was given.
        password: None when none was given.
    """

    level: int
    protocol: str
    client_id: str = ""
    clean_session: bool = True
    keep_alive: int = 0
    will: Will | None = None
    user_name: str | None = attrs.field(default=None, repr=False)
    password: bytes | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Connack:
    """The answer to a CONNECT: 0 accepts it."""

    code: int
    session_present: bool = False


# Not frozen: there is one for each value a device writes.
@attrs.define
class Publish:
    """A message. ``packet_id`` is 0 when the quality of service is 0."""

    topic: str = attrs.field(repr=False)  # can hold a key
    payload: bytes = attrs.field(repr=False)
    qos: int = 0
    retain: bool = False
    duplicate: bool = False
    packet_id: int = 0


@attrs.frozen
class Acknowledgement:
    """A step in handing over a message: ``kind`` is `PUBACK`, `PUBREC`, `PUBREL` or `PUBCOMP`."""

    kind: int
    packet_id: int


@attrs.frozen
class Subscribe:
    """A wish for messages: pairs of a topic filter and the quality of service that is wanted."""

    packet_id: int
    filters: tuple[tuple[str, int], ...] = attrs.field(repr=False)


@attrs.frozen
class Suback:
    """The answer to a SUBSCRIBE: for each filter the quality of service, or 128 for a failure."""

    packet_id: int
    codes: tuple[int, ...]


@attrs.frozen
class Unsubscribe:
    """The end of a wish for messages."""

    packet_id: int
    filters: tuple[str, ...] = attrs.field(repr=False)


@attrs.frozen
class Unsuback:
    """The answer to an UNSUBSCRIBE."""

    packet_id: int


@attrs.frozen
class Pingreq:
    """The client is alive and wants to know whether the server is."""


@attrs.frozen
class Pingresp:
    """The server is alive."""


@attrs.frozen
class Disconnect:
    """The client says goodbye."""


Packet: TypeAlias = (
    Connect
    | Connack
    | Publish
    | Acknowledgement
    | Subscribe
    | Suback
    | Unsubscribe
    | Unsuback
    | Pingreq
    | Pingresp
    | Disconnect
)
