"""
How much the MQTT door takes, and how long it waits.

Every number has its reason beside it. How much of a connection
is kept before it is let in is a limit of the session: see `txpachube.wire.mqtt_session`.
"""

from __future__ import annotations

import attrs

from txpachube.server.transports.backlog import MAX_STEP_BYTES, MAX_STEPS
from txpachube.wire.mqtt_packets import MAX_PACKET
from txpachube.wire.mqtt_session import MAX_SUBSCRIPTIONS

__all__ = ["MqttLimits"]


@attrs.frozen(kw_only=True)
class MqttLimits:
    """
    The limits of one MQTT listener.

    Times are in seconds and kept to within two of `sweep_interval`: never early, a little late.

    Attributes:
        packet_bytes: of one packet: as much payload as the body of an HTTP request may have.
        subscriptions: of one connection.
        slice_bytes: of what a client sent that are read at a time. A hundred bytes can hold ten messages, and
            each takes half a kilobyte while it waits to be carried out.
        held_bytes: of what a client sent and what waits behind a message that is being carried out, before
            the connection is not read any more and the client has to wait.
        overlapping: messages of a connection that wait for the disk together: what a busy gateway sends
            while the disk writes once.
        overlapping_bytes: of those messages together.
        steps: updates that wait, each by itself, for a client that reads slowly ...
        step_bytes: ... and how many bytes their messages may have together; past either, the client gets
            the newest state of each topic instead.
        checked_pushes: updates that wait for a key that is being looked up again, before only the newest
            is kept.
        joined_bytes: of messages that are joined into one write.
        connect_timeout: until the CONNECT is complete. Modules on GPRS need tens of seconds.
        packet_timeout: from the beginning of a later packet to its end ...
        packet_rate: ... and one more second for so many bytes that did come.
        stalled_timeout: without any progress in sending to a client that does not read. It may be behind a
            line that is broken for a while.
        write_timeout: without any progress in sending the last bytes of a connection that is being closed.
        probe_interval: without a byte on a connection, before the system asks whether the other side is
            still there, for clients that promise no sign of life. Home routers forget connections after some
            minutes.
        connections: open at a time; each costs some kilobytes.
        sweep_interval: time between two looks at all connections for any that waited too long.
        report_interval: time between two lines of the log about messages that had no effect, of which MQTT
            cannot tell their clients.
    """

    packet_bytes: int = MAX_PACKET
    subscriptions: int = MAX_SUBSCRIPTIONS
    slice_bytes: int = 8 * 1024
    held_bytes: int = 64 * 1024
    overlapping: int = 256
    overlapping_bytes: int = 256 * 1024
    steps: int = MAX_STEPS
    step_bytes: int = MAX_STEP_BYTES
    checked_pushes: int = 64
    joined_bytes: int = 64 * 1024
    connect_timeout: float = 60.0
    packet_timeout: float = 60.0
    packet_rate: int = 512
    stalled_timeout: float = 600.0
    write_timeout: float = 60.0
    probe_interval: int = 120
    connections: int = 20_000
    sweep_interval: float = 1.0
    report_interval: float = 60.0
