"""
How much the socket doors take, and how long they wait.

Every number has its reason beside it. Old clients of these doors stop or go wild when they are
disconnected, so hardly any of them ends a connection.
"""

from __future__ import annotations

import attrs

from txpachube.server.transports.backlog import MAX_STEP_BYTES, MAX_STEPS
from txpachube.wire.jsonstream import MAX_OBJECT
from txpachube.wire.paws_subscriptions import MAX_SUBSCRIPTIONS

__all__ = ["PawsLimits"]


@attrs.frozen(kw_only=True)
class PawsLimits:
    """
    The limits of one listener for sockets.

    Times are in seconds and kept to within two of `sweep_interval`: never early, a little late.

    Attributes:
        message_bytes: of one message of a client, unpacked: the same as the body of an HTTP request.
        subscriptions: of one connection; each costs about a kilobyte.
        steps: updates that wait, each by itself, for a client that reads slowly ...
        step_bytes: ... and how many bytes their documents may have together; past either, the client
            gets the newest state instead.
        held_bytes: of requests that wait behind one that is being answered, before the connection is not
            read any more and the client has to wait.
        overlapping: writes of one connection that wait for the disk together.
        checked_pushes: updates that wait for a key that is being looked up again, before only the newest
            is kept.
        joined_bytes: of messages that are joined into one write on WebSocket.
        idle_timeout: without a request, and without a subscription.
        ping_interval: without a byte from a WebSocket client. Proxies in between give up after a minute.
        probe_interval: without a byte on a TCP connection, before the system asks whether the other side is
            still there. Home routers forget connections after some minutes.
        half_closed_probe: the same when the client has closed its half: it may have closed both.
        write_timeout: without any progress in sending the last answer of a connection that ends.
        linger_timeout: how long input is thrown away after an error was sent that ends the connection, so
            that a client which is still sending reads it instead of a connection reset.
        linger_bytes: how much input is thrown away then.
        handshake_timeout: for the head of a WebSocket connection, from its first byte to its last.
        message_timeout: from the beginning of a message to its end ...
        message_rate: ... and one more second for so many bytes that did come.
        stalled_timeout: without any progress in sending to a client that does not read. It may be behind a
            line that is broken for a while.
        connections: open at a time; each costs some kilobytes.
        sweep_interval: time between two looks at all connections for any that waited too long.
    """

    message_bytes: int = MAX_OBJECT
    subscriptions: int = MAX_SUBSCRIPTIONS
    steps: int = MAX_STEPS
    step_bytes: int = MAX_STEP_BYTES
    held_bytes: int = 64 * 1024
    overlapping: int = 64
    checked_pushes: int = 64
    joined_bytes: int = 64 * 1024
    idle_timeout: float = 600.0
    ping_interval: float = 45.0
    probe_interval: int = 120
    half_closed_probe: int = 15
    write_timeout: float = 60.0
    linger_timeout: float = 5.0
    linger_bytes: int = 8 * 1024 * 1024
    handshake_timeout: float = 60.0
    message_timeout: float = 60.0
    message_rate: int = 512
    stalled_timeout: float = 600.0
    connections: int = 20_000
    sweep_interval: float = 2.0
