"""
What leaves an MQTT connection.

What one turn of the reactor has for a connection, acknowledgements and messages, leaves in one write: a
commit of thirty updates is one packet on the network for each subscriber instead of thirty. Connections
that get the same messages get the same bytes, which are joined only once.

While the client does not read, messages go into its backlog; see there. What answers the client itself stays
with its session meanwhile, and no more of what it sends is read than the connection's limits allow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from txpachube.server.transports.backlog import Backlog
from txpachube.server.transports.http_output import Outlet
from txpachube.server.transports.mqtt_limits import MqttLimits

__all__ = ["Outbox", "Recipient", "Turn"]


class Recipient(Protocol):
    """What the connection has subscribed to."""

    def __hash__(self) -> int: ...

    def send_present(self, outbox: Outbox) -> None:
        """Send the newest state, for all the updates that were skipped."""


class Turn:
    """
    What is to be sent at the end of this turn of the reactor.

    Args:
        reactor: for the end of its turn.

    Attributes:
        skipped: updates so far of which slow clients did not hear.
    """

    __slots__ = ("_outboxes", "_reactor", "skipped")

    def __init__(self, reactor: IReactorTime) -> None:
        self.skipped = 0
        self._reactor = reactor
        self._outboxes: list[Outbox] = []

    def add(self, outbox: Outbox) -> None:
        """Send what an outbox holds at the end of the turn."""
        if not self._outboxes:
            self._reactor.callLater(0, self._end)
        self._outboxes.append(outbox)

    def _end(self) -> None:
        outboxes, self._outboxes = self._outboxes, []
        shared: list[bytes] = []
        joined = b""
        for outbox in outboxes:
            packets = outbox.packets
            if packets != shared:
                shared = packets
                joined = packets[0] if len(packets) == 1 else b"".join(packets)
            if packets:
                outbox.send(joined)


class Outbox:
    """
    The way out of one connection.

    Args:
        outlet: sends bytes.
        turn: of the listener.
        limits: see there.

    Attributes:
        packets: what will leave at the end of the turn; a new list after each time it was sent.
        open: it has not been closed.
    """

    __slots__ = ("_backlog", "_bytes", "_limits", "_outlet", "_turn", "open", "packets")

    def __init__(self, outlet: Outlet, turn: Turn, limits: MqttLimits) -> None:
        self._outlet = outlet
        self._turn = turn
        self._limits = limits
        self._backlog: Backlog[Recipient] | None = None
        self._bytes = 0
        self.open = True
        self.packets: list[bytes] = []

    @property
    def congested(self) -> bool:
        """Whether the client does not read what was sent already."""
        return self._outlet.congested

    def push(self, recipient: Recipient, packet: bytes) -> None:
        """Send a message at the end of the turn, or when the client reads again."""
        if self._backlog is None and not self._outlet.congested:
            self.post(packet)
        elif self.open:
            backlog = self._backlog
            if backlog is None:
                backlog = self._backlog = Backlog(self._limits.steps, self._limits.step_bytes)
            before = backlog.skipped
            backlog.add(recipient, packet)
            self._turn.skipped += backlog.skipped - before

    def post(self, packet: bytes) -> None:
        """Send a packet at the end of the turn."""
        packets = self.packets
        if not packets:
            if not self.open:
                return
            self._turn.add(self)
        packets.append(packet)
        self._bytes += len(packet)
        if self._bytes > self._limits.joined_bytes:
            self.flush()

    def flush(self) -> None:
        """Send what there is now."""
        packets = self.packets
        if packets:
            self.send(packets[0] if len(packets) == 1 else b"".join(packets))

    def send(self, joined: bytes) -> None:
        """Send what `packets` are when joined, and forget them."""
        self.packets = []
        self._bytes = 0
        self._outlet.write(joined)

    def catch_up(self, answer: Callable[[], None]) -> None:
        """
        Send what has waited, now that the client reads again.

        Args:
            answer: sends what answers the client itself, which comes first.
        """
        answer()
        self.flush()
        backlog = self._backlog
        while backlog is not None and not self._outlet.congested:
            found = backlog.next()
            if found is None:
                self._backlog = None
                break
            recipient, packet = found
            if packet is not None:
                self.post(packet)
            else:
                self._backlog = None  # what is sent now is ahead of what waits
                recipient.send_present(self)
                self._backlog = backlog
        self.flush()

    def forget(self, recipient: Recipient) -> None:
        """Send nothing of this that waits."""
        if self._backlog is not None:
            self._backlog.forget(recipient)

    def close(self) -> None:
        """Send nothing any more."""
        self.open = False
        self.packets = []
        self._backlog = None
