"""
The service put together: the only module that knows all the others.

It opens the store, makes the app, opens the doors that the settings name, and closes everything in
the opposite order.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from txpachube.server.administration import ADMIN_FILE, DATABASE_FILE, FIRST_LOGIN, first_start
from txpachube.server.app import App
from txpachube.server.clock import now_in_microseconds
from txpachube.server.config import CLOSED, BadSettings, Settings
from txpachube.server.storage.store import Store
from txpachube.server.storage.writer import LARGEST_GROUP
from txpachube.server.transports.http import HTTPFactory

__all__ = ["Door", "Service"]


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
        self._store: Store | None = None
        self._ports: list[IListeningPort] = []
        self._factories: list[HTTPFactory] = []
        self.first_account: Path | None = None

    async def start(self) -> list[Door]:
        """
        Open everything; when something does not open, close what is open and raise.

        Raises:
            StorageError: the database does not open, or another service has it.
            BadSettings: an endpoint cannot be understood.
            CannotListenError: an address is taken.
        """
        if await deferToThread(first_start, self._data, self._clock):
            self.first_account = self._data / ADMIN_FILE
            self._log.info("created the account {login}", login=FIRST_LOGIN)
        store = Store(
            self._data / DATABASE_FILE,
            self._reactor,
            self._random,
            1 if self._settings.commit_alone else LARGEST_GROUP,
        )
        await store.open()
        self._store = store
        app = App(store, self._clock, self._settings.base_url or None, self._random)
        try:
            return [await self._open_http(app)] if self._settings.http != CLOSED else []
        except BaseException:
            await self.stop()
            raise

    async def _open_http(self, app: App) -> Door:
        factory = HTTPFactory(
            app.handle,
            reactor=self._reactor,
            clock=self._clock,
            random=self._random,
            trust_forwarded=self._settings.trust_forwarded,
        )
        text = self._settings.http
        try:
            endpoint = serverFromString(self._reactor, text)
        except (ValueError, TypeError, KeyError, IndexError) as problem:
            raise BadSettings(f"http: {text!r} is not a Twisted endpoint: {problem}") from None
        port = await endpoint.listen(factory)
        self._ports.append(port)
        self._factories.append(factory)
        secure = text.partition(":")[0] in ("ssl", "tls")
        return Door("http", _url("https" if secure else "http", port.getHost()))

    async def stop(self) -> None:
        """Stop listening, finish what is in flight, write everything down and close the database."""
        ports, self._ports = self._ports, []
        for port in ports:
            await maybeDeferred(port.stopListening)
        factories, self._factories = self._factories, []
        finished: Deferred[list[None]] = gatherResults([factory.shutdown() for factory in factories])
        await finished
        store, self._store = self._store, None
        if store is not None:
            await store.close()


def _url(scheme: str, host: Any) -> str:
    name = getattr(host, "name", None)
    if name is not None:
        return f"unix:{name.decode() if isinstance(name, bytes) else name}"
    address = f"[{host.host}]" if ":" in host.host else host.host
    return f"{scheme}://{address}:{host.port}/"
