"""
The service without its doors: requests in, answers out, in one process.

`InProcess` puts an `App` on a real store and asks it as a transport would, with a clock that stands
still until it is moved. Nothing is mocked but the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from twisted.internet.threads import deferToThread

from txpachube.api.messages import Request, Response
from txpachube.server.app import App
from txpachube.server.events import Events
from txpachube.server.graphs.studio import Studio
from txpachube.server.health import Health
from txpachube.server.instruments import Instruments
from txpachube.server.metrics import Metrics, Sources
from txpachube.server.observe import Observations
from txpachube.server.ratelimit import RateLimit
from txpachube.server.request_log import RequestLog
from txpachube.server.statuses import Statuses
from txpachube.server.storage import accounts
from txpachube.server.storage.quotas import NO_QUOTAS, Quotas
from txpachube.server.storage.records import Permission
from txpachube.server.storage.store import Store
from txpachube.times import parse

__all__ = ["ALL_METHODS", "NOON", "InProcess"]

NOON: Final = parse("2013-06-01T12:00:00Z")
"""What the clock says at first."""

ALL_METHODS: Final = ("get", "put", "post", "delete")


class InProcess:
    """
    A service that is asked directly.

    Args:
        path: where the database goes.
        reactor: a running Twisted reactor.
        base_url: what URLs in answers start with; None takes the request's own host.
        requests_per_minute: how many a key may make, averaged over three minutes; 0 for no limit.
        quotas: what an account may have.

    Attributes:
        app: what answers.
        store: what it stores in.
        events: who is told of what was stored.
        studio: what draws its graphs.
        observations: what it notices of its requests.
        request_log: what it remembers of them.
        now: the time, in microseconds since 1970; set it to move the clock.
        key: the text of the key that requests carry, unless they name another one.
    """

    def __init__(
        self,
        path: Path,
        reactor: Any,
        base_url: str | None = None,
        requests_per_minute: int = 0,
        quotas: Quotas = NO_QUOTAS,
    ) -> None:
        self.now = NOON
        self.key = ""
        self.store = Store(path, reactor, quotas=quotas)
        statuses = Statuses(self.store.feed_in_memory, lambda: self.now)
        self.store.observer = self.events = Events(statuses)
        self.studio = Studio(reactor)
        self.observations = Observations(lambda count: b"\x5a" * count)
        self.request_log = RequestLog(self.store.requests, reactor, self.store.feed_in_memory)
        self.observations.witnesses.append(self.request_log)
        self._health = health = Health(self.store, reactor)
        metrics = Metrics(Sources(self.store, health, self.observations, self.events))
        instruments = Instruments(health, metrics, deferToThread, self.request_log)
        self.app = App(
            self.store,
            lambda: self.now,
            base_url,
            lambda count: b"\x5a" * count,
            self.studio,
            RateLimit(requests_per_minute) if requests_per_minute else None,
            self.observations,
            instruments,
        )

    async def open(self) -> None:
        """Open the store."""
        await self.store.open()
        await self._health.start()

    async def close(self) -> None:
        """Close the store."""
        self.studio.close()
        self._health.stop()
        await self.request_log.stop()
        await self.store.close()

    async def add_user(self, login: str, password_hash: str | None = None) -> int:
        """Create an account; return its row number."""
        row: int = await self.store._write(accounts.add_user, login, password_hash, self.now)
        return row

    async def add_key(
        self,
        owner_id: int,
        *permissions: Permission,
        text: str | None = None,
        private_access: bool = False,
        expires_at: int | None = None,
    ) -> str:
        """Create a key; without permissions it may do everything. Return its text."""
        allowed = permissions or (Permission(ALL_METHODS),)
        key = await self.store.create_key(owner_id, "a key", private_access, allowed, expires_at, text)
        return key.text

    async def ask(
        self,
        line: str,
        body: str | bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        key: str | None = None,
        peer: str = "192.0.2.7",
    ) -> Response:
        """
        Return the answer to a request.

        Args:
            line: method and target, ``PUT /v2/feeds/1.json?x=y``.
            body: the body.
            headers: by lower-case name.
            key: the key's text instead of the usual one; empty for none.
            peer: the client's address.
        """
        method, _, target = line.partition(" ")
        path, _, query = target.partition("?")
        sent = {"host": "api.example", **(headers or {})}
        text = self.key if key is None else key
        if text:
            sent["x-apikey"] = text
        request = Request(
            method=method,
            path=path,
            query_text=query,
            headers=sent,
            body=body.encode() if isinstance(body, str) else body,
            peer=peer,
        )
        return await self.app.handle(request)
