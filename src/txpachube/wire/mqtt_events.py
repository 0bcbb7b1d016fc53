"""
What an MQTT session tells its transport to do.

Each event is a fact about the client; which of them must be answered says their docstring. None shows a key
in its ``repr``, although user names are keys and topics can hold one.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from txpachube.api.messages import Request
from txpachube.wire.mqtt_packets import Violation
from txpachube.wire.resources import Target

__all__ = [
    "ConnectRequest",
    "Event",
    "Goodbye",
    "Ignored",
    "SubscribeRequest",
    "UnsubscribeRequest",
    "WriteRequest",
]


@attrs.frozen
class ConnectRequest:
    """
    A client wants in: `Session.accept` or `Session.refuse` must be called.

    Attributes:
        key: the user name, or None when there was none and each topic must bring its own key.
        client_id: the name the client gave itself.
    """

    key: str | None = attrs.field(repr=False)
    client_id: str


# Not frozen: one is made for each value a device writes.
@attrs.define(eq=False)
class WriteRequest:
    """
    A message that is a write request. `Session.acknowledge` must be called when it has been carried out.

    Attributes:
        request: a PUT for an item, a POST for a collection.
    """

    request: Request
    _qos: int = attrs.field(default=0, repr=False)
    _packet_id: int = attrs.field(default=0, repr=False)
    _done: bool = attrs.field(default=False, init=False, repr=False)


@attrs.frozen
class SubscribeRequest:
    """
    A wish for the present state of something and, if it is a feed or datastream, for each update.

    Attributes:
        topic: the topic of the messages: that of the subscription, byte for byte.
        request: the GET whose answer is the message; if it fails there is none.
        target: the feed or datastream, or None for a resource that gives one single message.
    """

    topic: str = attrs.field(repr=False)
    request: Request
    target: Target | None


@attrs.frozen
class UnsubscribeRequest:
    """
    The end of a subscription that there was.

    Attributes:
        topic: as it was subscribed.
    """

    topic: str = attrs.field(repr=False)


@attrs.frozen
class Ignored:
    """
    Something that has no effect, and about which MQTT can't tell the client.

    Attributes:
        reason: a word for counting: ``no resource``, ``empty payload``, ``wildcard``, ``method override``.
    """

    reason: str


@attrs.frozen
class Goodbye:
    """The client has disconnected properly; there is no will."""


Event: TypeAlias = (
    ConnectRequest | WriteRequest | SubscribeRequest | UnsubscribeRequest | Ignored | Goodbye | Violation
)
