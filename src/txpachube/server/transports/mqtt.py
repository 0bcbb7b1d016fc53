"""
The MQTT door: a factory for any stream endpoint, in front of ``handle(request)``, ``authorise`` and events.

This is no broker. A topic is a path of the API, a message of a client is a write request, and what a client
subscribes to is the state of a feed or a datastream: it comes at once, and again with every update
that is written through any door. Clients never hear each other, only what was stored.

The work is done in modules beside this one: the session in ``wire`` turns packets into requests,
`mqtt_connection` has them carried out in their order, `mqtt_channel` listens to events, and `mqtt_outbox`
gets it all out. Here is what the connections of a listener have in common: who is the present
connection of which client, what leaves at the end of a turn of the reactor, and the count of all that
had no effect, since MQTT has no way to tell a client that its message was refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable

from twisted.internet.interfaces import IReactorTime, ISSLTransport
from twisted.logger import Logger

from txpachube.server.events import Events
from txpachube.server.transports.asking import Authorise, Handle
from txpachube.server.transports.listener import ListenerFactory
from txpachube.server.transports.mqtt_channel import Channels
from txpachube.server.transports.mqtt_connection import MqttConnection
from txpachube.server.transports.mqtt_limits import MqttLimits
from txpachube.server.transports.mqtt_outbox import Turn

__all__ = ["Knows", "MqttFactory", "MqttLimits"]

Knows = Callable[[str], Awaitable[bool]]
"""Says whether a key is valid; may raise a `Problem` when the storage fails."""

log = Logger()


class MqttFactory(ListenerFactory):
    """
    Makes the connections of one listener and looks after them.

    Args:
        handle: answers requests.
        authorise: judges subscriptions.
        knows: looks up the keys that clients give as user name.
        events: tells of updates.
        reactor: for the time.
        clock: the time of day in microseconds since 1970.
        http_port: where HTTP is, for the URLs in documents; None when it is nowhere.
        http_scheme: ``http`` or ``https``, for the same; None takes what fits the connection.
        limits: see there.

    Attributes:
        turn: what leaves at the end of this turn of the reactor.
        channels: what clients are subscribed to.
        without_effect: how often what happened so far: messages by why they were ignored or by the
            status of their request, connections by why they were closed.
    """

    def __init__(
        self,
        handle: Handle,
        authorise: Authorise,
        knows: Knows,
        events: Events,
        *,
        reactor: IReactorTime,
        clock: Callable[[], int],
        http_port: int | None = None,
        http_scheme: str | None = None,
        limits: MqttLimits | None = None,
    ) -> None:
        self.limits = limits or MqttLimits()
        super().__init__(reactor, self.limits.connections, self.limits.sweep_interval)
        self.handle = handle
        self.authorise = authorise
        self.knows = knows
        self.events = events
        self.clock = clock
        self.turn = Turn(reactor)
        self.channels = Channels(self)
        self.without_effect: Counter[str] = Counter()
        self._http_port = http_port
        self._http_scheme = http_scheme
        self._present: dict[tuple[str, str], MqttConnection] = {}
        self._next_report = self.now
        self._reported = 0

    def make(self) -> MqttConnection:
        """Return the protocol of a new connection."""
        return MqttConnection(self)

    @property
    def checked_pushes(self) -> int:
        """See `MqttLimits`."""
        return self.limits.checked_pushes

    @property
    def skipped(self) -> int:
        """Updates so far of which slow clients did not hear."""
        return self.turn.skipped

    def host(self, name: str) -> str:
        """Return the ``Host`` of HTTP on the machine that goes by a name."""
        if not name or self._http_port is None:
            return name
        return f"[{name}]:{self._http_port}" if ":" in name else f"{name}:{self._http_port}"

    def scheme(self, transport: object) -> str:
        """Return what URLs begin with in the documents that a client gets."""
        return self._http_scheme or ("https" if ISSLTransport.providedBy(transport) else "http")

    # --- one connection for each client -----------------------------------------------------------

    def take_place(self, identity: tuple[str, str], connection: MqttConnection) -> MqttConnection | None:
        """Note the present connection of a client; return the one before, which is to be closed."""
        before = self._present.get(identity)
        self._present[identity] = connection
        return before

    def leave_place(self, identity: tuple[str, str], connection: MqttConnection) -> None:
        """Note that a connection has ended."""
        if self._present.get(identity) is connection:
            del self._present[identity]

    # --- what clients are not told ----------------------------------------------------------------

    def count(self, what: str) -> None:
        """Count something that had no effect, or ended a connection."""
        self.without_effect[what] += 1

    def _sweep(self) -> None:
        super()._sweep()
        if self.now >= self._next_report and (total := self.without_effect.total()) != self._reported:
            self._reported = total
            self._next_report = self.now + self.limits.report_interval
            log.info(
                "MQTT, without effect so far: {counts}",
                counts=", ".join(f"{what}: {count}" for what, count in sorted(self.without_effect.items())),
            )
