"""
From the settings to the limits of the doors.

The doors have more limits than there are settings: what an operator can have a reason to change is a setting,
the rest follows from it or is what the protocols need. One setting stands for the same limit at all doors,
because a client that is turned away at one goes to the next.
"""

from __future__ import annotations

from collections.abc import Callable

from txpachube.server.config import MIB, Settings
from txpachube.server.transports.admission import Admission
from txpachube.server.transports.http_limits import Limits
from txpachube.server.transports.mqtt_limits import MqttLimits
from txpachube.server.transports.paws_limits import PawsLimits
from txpachube.wire.mqtt_packets import MAX_PACKET

__all__ = ["admission", "http_limits", "mqtt_limits", "paws_limits"]


def admission(settings: Settings, seconds: Callable[[], float]) -> Admission:
    """Return what decides about new connections at all doors together."""
    return Admission(settings.connections_per_address, settings.new_connections_per_minute, seconds)


def http_limits(settings: Settings) -> Limits:
    """Return the limits of a door for HTTP."""
    return Limits(
        target_bytes=min(Limits().target_bytes, settings.largest_head),
        head_bytes=settings.largest_head,
        header_count=settings.most_headers,
        body_bytes=settings.largest_body,
        idle_timeout=settings.idle_timeout,
        head_timeout=settings.request_timeout,
        body_timeout=settings.request_timeout,
        body_rate=settings.slowest_sender,
        write_timeout=settings.write_timeout,
        connections=settings.http_connections,
    )


def paws_limits(settings: Settings) -> PawsLimits:
    """Return the limits of a door for sockets."""
    return PawsLimits(
        message_bytes=settings.largest_body,
        subscriptions=settings.subscriptions_per_connection,
        steps=settings.waiting_updates,
        step_bytes=settings.waiting_update_bytes,
        idle_timeout=settings.socket_idle_timeout,
        handshake_timeout=settings.request_timeout,
        message_timeout=settings.request_timeout,
        message_rate=settings.slowest_sender,
        write_timeout=settings.write_timeout,
        stalled_timeout=settings.stalled_timeout,
        connections=settings.socket_connections,
    )


def mqtt_limits(settings: Settings) -> MqttLimits:
    """Return the limits of the door for MQTT."""
    return MqttLimits(
        packet_bytes=settings.largest_body + MAX_PACKET - MIB,  # its topic comes with it
        subscriptions=settings.subscriptions_per_connection,
        steps=settings.waiting_updates,
        step_bytes=settings.waiting_update_bytes,
        connect_timeout=settings.request_timeout,
        packet_timeout=settings.request_timeout,
        packet_rate=settings.slowest_sender,
        write_timeout=settings.write_timeout,
        stalled_timeout=settings.stalled_timeout,
        connections=settings.socket_connections,
    )
