"""
The service put together: the only module that knows all the others.

It opens the store, makes the app, opens the doors that the settings name, and closes everything in
the opposite order.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.web.client import Agent

from txpachube.server.access_log import AccessLog
from txpachube.server.administration import ADMIN_FILE, DATABASE_FILE, FIRST_LOGIN, first_start
from txpachube.server.app import App
from txpachube.server.clock import now_in_microseconds
from txpachube.server.config import CLOSED, LOCAL, BadSettings, Settings
from txpachube.server.events import Events
from txpachube.server.graphs.studio import Studio
from txpachube.server.health import Health
from txpachube.server.instruments import Instruments
from txpachube.server.limits import admission, http_limits, mqtt_limits, paws_limits
from txpachube.server.metrics import Metrics, Sources
from txpachube.server.observe import Observations
from txpachube.server.public_endpoint import PublicEndpoints
from txpachube.server.ratelimit import RateLimit
from txpachube.server.request_log import RequestLog
from txpachube.server.statuses import Statuses
from txpachube.server.storage.quotas import Quotas
from txpachube.server.storage.store import Store
from txpachube.server.storage.writer import LARGEST_GROUP
from txpachube.server.transports.asking import Abandoned, Authorise, Handle
from txpachube.server.transports.device_http import DeviceHTTPFactory
from txpachube.server.transports.http import HTTPFactory
from txpachube.server.transports.mqtt import MqttFactory
from txpachube.server.transports.paws_tcp import PawsTCPFactory
from txpachube.server.transports.paws_websocket import PawsWebSocketFactory
from txpachube.server.trigger_watch import TriggerWatch
from txpachube.server.webhooks import Webhooks

__all__ = ["Door", "Service"]

GRACE: Final = 3.0
"""Seconds that clients have to finish what they began when the service is told to end: of the five in which
it promises to be gone, the rest is for writing everything down."""

STATUS_INTERVAL: Final = 1.0
"""Seconds between two looks for feeds that have frozen; where none has, a look costs a microsecond."""


EXPIRY_INTERVAL: Final = 3600.0
"""Seconds between two looks for datapoints that were kept long enough. The first comes after as long: the
clock of a small computer has been set by then."""


@attrs.frozen
class Door:
    """
    A door that is open.

    Attributes:
        name: ``http``, …
        url: where it is, with the real port.
    """

    name: str
    url: str


@attrs.frozen
class _Parts:
    """
    What the doors are in front of.

    Attributes:
        door: the name of the one that is being made.
        http_port: where the HTTP door is, if it is open and has a port.
        http_scheme: ``http`` or ``https`` of that door, if it is open.
    """

    app: App
    events: Events
    settings: Settings
    reactor: Any
    clock: Callable[[], int]
    random: Callable[[int], bytes]
    instruments: Instruments
    door: str = ""
    http_port: int | None = None
    http_scheme: str | None = None

    @property
    def handle(self) -> Handle:
        """What answers the requests of the door."""
        return partial(self.app.handle, door=self.door)

    @property
    def abandoned(self) -> Abandoned:
        """What is told of the door's requests that could not be read."""
        return partial(self.app.abandoned, door=self.door)

    @property
    def authorise(self) -> Authorise:
        """What judges the subscriptions of the door."""
        return partial(self.app.authorise, door=self.door)


@attrs.frozen
class _DoorKind:
    """
    A kind of door.

    Attributes:
        name: of the door.
        make: returns the factory of its connections; it has a ``shutdown`` that returns a Deferred.
        scheme: what its URL begins with.
        secure_scheme: what it begins with under TLS.
        ending: what follows the port in its URL.
    """

    name: str
    make: Callable[[_Parts], Any]
    scheme: str
    secure_scheme: str
    ending: str = ""

    @property
    def setting(self) -> str:
        """Name of the setting that holds its endpoint."""
        return self.name.replace("-", "_")


def _http(parts: _Parts) -> HTTPFactory:
    return HTTPFactory(
        parts.handle,
        reactor=parts.reactor,
        clock=parts.clock,
        random=parts.random,
        limits=http_limits(parts.settings),
        trust_forwarded=parts.settings.trust_forwarded,
        abandoned=parts.abandoned,
    )


def _device_http(parts: _Parts) -> DeviceHTTPFactory:
    return DeviceHTTPFactory(
        parts.handle,
        reactor=parts.reactor,
        clock=parts.clock,
        random=parts.random,
        limits=http_limits(parts.settings),
        abandoned=parts.abandoned,
    )


def _paws(
    factory: type[PawsTCPFactory | PawsWebSocketFactory], parts: _Parts
) -> PawsTCPFactory | PawsWebSocketFactory:
    return factory(
        parts.handle,
        parts.authorise,
        parts.events,
        reactor=parts.reactor,
        clock=parts.clock,
        http_port=parts.http_port,
        http_scheme=parts.http_scheme,
        limits=paws_limits(parts.settings),
    )


def _mqtt(parts: _Parts) -> MqttFactory:
    return MqttFactory(
        parts.handle,
        parts.authorise,
        parts.app.knows,
        parts.events,
        reactor=parts.reactor,
        clock=parts.clock,
        http_port=parts.http_port,
        http_scheme=parts.http_scheme,
        limits=mqtt_limits(parts.settings),
    )


def _metrics(parts: _Parts) -> HTTPFactory:
    return HTTPFactory(
        parts.instruments.handle, reactor=parts.reactor, clock=parts.clock, random=parts.random
    )


# HTTP comes first: the others' documents have URLs of it.
_DOORS: Final = (
    _DoorKind("http", _http, "http", "https", "/"),
    _DoorKind("device-http", _device_http, "http", "https", "/"),
    _DoorKind("paws", partial(_paws, PawsTCPFactory), "tcp", "tls"),
    _DoorKind("websocket", partial(_paws, PawsWebSocketFactory), "ws", "wss"),
    _DoorKind("mqtt", _mqtt, "mqtt", "mqtts"),
    _DoorKind("metrics", _metrics, "http", "https", "/metrics"),
)


class Service:
    """
    The whole service.

    Args:
        settings: see there.
        reactor: a Twisted reactor with threads, time and TCP.
        clock: returns the time of day in microseconds since 1970.
        random: returns so many random bytes.

    Attributes:
        first_account: the file with the first account's secrets if this start created it, else None.
    """

    _log = Logger()

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        clock: Callable[[], int] = now_in_microseconds,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._settings = settings
        self._reactor = reactor
        self._clock = clock
        self._random = random
        self._data = Path(settings.data)
        self._admission = admission(settings, reactor.seconds)
        self._store: Store | None = None
        self._studio = Studio(reactor)
        self._ports: list[IListeningPort] = []
        self._factories: list[Any] = []
        self._webhooks: Webhooks | None = None
        self._watch: TriggerWatch | None = None
        self._health: Health | None = None
        self._request_log: RequestLog | None = None
        self._sources: Sources | None = None
        self._clock_watch: LoopingCall | None = None
        self._expiry: LoopingCall | None = None
        self.first_account: Path | None = None

    async def start(self) -> list[Door]:
        """
        Open everything; when something does not open, close what is open and raise.

        Raises:
            StorageError: the database does not open, or another service has it.
            BadSettings: an endpoint cannot be understood, or its address is taken.
        """
        if await deferToThread(first_start, self._data, self._clock):
            self.first_account = self._data / ADMIN_FILE
            self._log.info("created the account {login}", login=FIRST_LOGIN)
        store = Store(
            self._data / DATABASE_FILE,
            self._reactor,
            self._random,
            1 if self._settings.commit_alone else LARGEST_GROUP,
            quotas=Quotas(
                self._settings.feeds_per_account or None, self._settings.datastreams_per_account or None
            ),
        )
        await store.open()
        self._store = store
        store.observer = events = Events(Statuses(store.feed_in_memory, self._clock))
        observations = Observations(self._random)
        if self._settings.access_log:
            observations.witnesses.append(AccessLog())
        self._health = Health(store, self._reactor)
        await self._health.start()
        self._sources = Sources(store, self._health, observations, events)
        kept = self._settings.request_log
        if kept:
            log = RequestLog(store.requests, self._reactor, store.feed_in_memory, kept)
            observations.witnesses.append(log)
            self._request_log = log
            self._sources.unseen = lambda: log.omitted
        instruments = Instruments(
            self._health,
            Metrics(self._sources),
            deferToThread,
            self._request_log,
            local_metrics=self._settings.metrics == LOCAL,
            behind_proxy=self._settings.trust_forwarded,
        )
        per_minute = self._settings.requests_per_minute
        app = App(
            store,
            self._clock,
            self._settings.base_url or None,
            self._random,
            self._studio,
            RateLimit(per_minute) if per_minute else None,
            observations,
            instruments,
        )
        parts = _Parts(app, events, self._settings, self._reactor, self._clock, self._random, instruments)
        doors = []
        try:
            await self._start_triggers(store, events)
            self._clock_watch = LoopingCall(events.look_at_the_clock)
            self._clock_watch.clock = self._reactor
            self._clock_watch.start(STATUS_INTERVAL)
            self._expiry = LoopingCall(self._expire, store)
            self._expiry.clock = self._reactor
            self._expiry.start(EXPIRY_INTERVAL, now=False)
            for kind in _DOORS:
                endpoint = getattr(self._settings, kind.setting)
                if endpoint not in (CLOSED, LOCAL):
                    door, host = await self._open(kind, attrs.evolve(parts, door=kind.name), endpoint)
                    doors.append(door)
                    if kind.name == "http":
                        scheme = door.url.partition("://")[0] if hasattr(host, "port") else None
                        parts = attrs.evolve(parts, http_port=getattr(host, "port", None), http_scheme=scheme)
        except BaseException:
            await self.stop()
            raise
        return doors

    def _expire(self, store: Store) -> Deferred[None]:
        """Remove what is older than it is to be kept."""

        async def expire() -> None:
            removed = await store.retention.expire(self._clock(), self._settings.keep_days)
            if removed:
                self._log.info("removed {count} datapoints that were kept long enough", count=removed)

        def failed(failure: object) -> None:
            self._log.warn("what was kept long enough was not removed: {failure}", failure=failure)

        return Deferred.fromCoroutine(expire()).addErrback(failed)

    async def _start_triggers(self, store: Store, events: Events) -> None:
        settings = self._settings
        endpoints = PublicEndpoints(self._reactor, private_addresses=settings.webhook_private_addresses)
        agent = Agent.usingEndpointFactory(self._reactor, endpoints)
        webhooks = self._webhooks = Webhooks(store.triggers, agent, self._reactor, self._clock)
        if self._sources is not None:
            self._sources.webhooks = webhooks
        await webhooks.start()
        watch = TriggerWatch(store, events, self._clock, settings.base_url or None, webhooks.queued)
        self._watch = watch
        await watch.start(self._reactor)

    async def _open(self, kind: _DoorKind, parts: _Parts, text: str) -> tuple[Door, Any]:
        """Open a door; return it and the address it listens on."""
        try:
            endpoint = serverFromString(self._reactor, text)
        except (ValueError, TypeError, KeyError, IndexError) as problem:
            raise BadSettings(f"{kind.name}: {text!r} is not a Twisted endpoint: {problem}") from None
        factory = kind.make(parts)
        if kind.name != "http" or not self._settings.trust_forwarded:
            factory.admission = self._admission
        try:
            port = await endpoint.listen(factory)
        except CannotListenError as problem:
            raise BadSettings(
                f"{kind.name}: {problem} Another endpoint can be given with --{kind.name};"
                f" --no-{kind.name} keeps the door closed"
            ) from None
        self._ports.append(port)
        self._factories.append(factory)
        if self._sources is not None:
            self._sources.doors[kind.name] = factory
        host = port.getHost()
        secure = text.partition(":")[0] in ("ssl", "tls")
        return Door(kind.name, _url(kind.secure_scheme if secure else kind.scheme, host, kind.ending)), host

    async def stop(self) -> None:
        """Stop listening, finish what is in flight, write everything down and close the database."""
        if self._health is not None:
            self._health.stop()
        ports, self._ports = self._ports, []
        for port in ports:
            await maybeDeferred(port.stopListening)
        factories, self._factories = self._factories, []
        finished: Deferred[list[None]] = gatherResults([factory.shutdown(GRACE) for factory in factories])
        await finished
        for looking in (self._clock_watch, self._expiry):
            if looking is not None and looking.running:
                looking.stop()
        if self._watch is not None:
            self._watch.stop()
        if self._webhooks is not None:
            self._webhooks.stop()
        self._studio.close()
        if self._request_log is not None:
            await self._request_log.stop()
        store, self._store = self._store, None
        if store is not None:
            await store.close()


def _url(scheme: str, host: Any, ending: str) -> str:
    name = getattr(host, "name", None)
    if name is not None:
        return f"unix:{name.decode() if isinstance(name, bytes) else name}"
    address = f"[{host.host}]" if ":" in host.host else host.host
    return f"{scheme}://{address}:{host.port}{ending}"
