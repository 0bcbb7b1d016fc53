"""
Connections to one service, kept open between calls.

A connection that is free is used again, the latest first, so that the rest grow old and are closed. There
are never more than a stated number; who comes when all are busy waits in line, and the wait is part of
the call's deadline.

The service may close a free connection at any moment, also in the one in which a request is put on it.
Then the request is sent once more on a new connection, at once, if doing it twice is harmless. A ``POST``
is not; so it is given only a connection that was in use a moment ago, or a new one.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocol, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory

from txpachube.api.messages import Request, Response
from txpachube.client.address import ServiceAddress
from txpachube.client.connection import HttpConnection, StaleConnection, described, request_bytes
from txpachube.client.exchange import MAX_RESPONSE_SIZE, NotSent, cancellable
from txpachube.client.retry import REPEATABLE_METHODS

__all__ = ["ConnectionPool"]

MAX_CONNECTIONS: Final = 32
"""Connections of one client at a time: enough to keep a service busy, too few to run out of descriptors."""

IDLE_SECONDS: Final = 60.0
"""How long a connection is kept that nobody uses; a sensor that writes every minute finds it open or not."""

TRUSTED_SECONDS: Final = 1.0
"""How long ago a connection may have been in use to carry a request that must not be sent twice."""


class ConnectionPool:
    """
    Carries requests over connections of its own.

    Args:
        endpoint: makes the connections.
        address: whom the requests are for.
        clock: the reactor's.
        max_response_size: bytes of an answer.
        max_connections: open at the same time.
    """

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        address: ServiceAddress,
        clock: IReactorTime,
        max_response_size: int = MAX_RESPONSE_SIZE,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._endpoint = endpoint
        self._address = address
        self._clock = clock
        self._max_connections = max_connections
        self._factory = _ConnectionFactory(self, max_response_size)
        self._usable: set[HttpConnection] = set()
        self._closing: set[HttpConnection] = set()
        self._idle: list[HttpConnection] = []
        self._connecting = 0
        self._in_line: deque[Deferred[HttpConnection | None]] = deque()
        self._sweep: IDelayedCall | None = None
        self._closed: Deferred[None] | None = None

    async def exchange(self, request: Request) -> Response:
        """Send a request on a free or a new connection, return its answer; see `Carrier`."""
        data = request_bytes(request, self._address)
        repeatable = request.method in REPEATABLE_METHODS
        connection = self._take_idle(None if repeatable else TRUSTED_SECONDS) or await self._connection()
        try:
            return await connection.send(data)
        except StaleConnection:
            if not repeatable:
                raise
        # The others may have been closed in the same moment: this time a new one.
        connection = await self._connection()
        return await connection.send(data)

    def close(self) -> Deferred[None]:
        """Close all connections; what is waiting for an answer fails. Fires when all are closed."""
        if self._closed is None:
            self._closed = Deferred()
            if self._sweep is not None:
                self._sweep.cancel()
                self._sweep = None
            while self._in_line:
                self._in_line.popleft().callback(None)
            for connection in [*self._usable, *self._closing]:
                connection.abort()
            self._note_closed()
        done: Deferred[None] = Deferred()
        self._closed.addCallback(lambda _: done.callback(None))
        return done

    # What connections tell

    def released(self, connection: HttpConnection) -> None:
        """Give a free connection to the next in line, or keep it."""
        if self._in_line:
            self._in_line.popleft().callback(connection)
            return
        connection.idle_since = self._clock.seconds()
        self._idle.append(connection)
        if self._sweep is None and self._closed is None:
            self._sweep = self._clock.callLater(IDLE_SECONDS, self._close_unused)

    def retired(self, connection: HttpConnection) -> None:
        """Never use a connection again; its place is free."""
        if connection in self._idle:
            self._idle.remove(connection)
        if connection in self._usable:
            self._usable.remove(connection)
            self._closing.add(connection)
            self._call_next_in_line()

    def lost(self, connection: HttpConnection) -> None:
        """Forget a connection that is closed."""
        self.retired(connection)
        self._closing.discard(connection)
        self._note_closed()

    # Finding one

    def _take_idle(self, trusted_seconds: float | None) -> HttpConnection | None:
        if not self._idle:
            return None
        if (
            trusted_seconds is not None
            and self._clock.seconds() - self._idle[-1].idle_since > trusted_seconds
        ):
            return None
        return self._idle.pop()

    async def _connection(self) -> HttpConnection:
        """Open a connection, or wait in line for one when there are as many as there may be."""
        while self._closed is None:
            if self._has_room():
                return await self._open()
            if self._idle:
                self._drop(self._idle[0])  # an old one makes room for a new one
                continue
            turn: Deferred[HttpConnection | None] = Deferred(self._in_line.remove)
            self._in_line.append(turn)
            connection = await turn
            if connection is not None:
                return connection
        raise _closed_client()

    async def _open(self) -> HttpConnection:
        self._connecting += 1
        try:
            connection = await cancellable(self._endpoint.connect(self._factory), _abort)
        except Exception as problem:
            self._connecting -= 1
            self._call_next_in_line()
            self._note_closed()
            if isinstance(problem, CancelledError):
                raise
            raise NotSent(f"no connection: {described(problem)}") from problem
        assert isinstance(connection, HttpConnection)
        self._connecting -= 1
        self._usable.add(connection)
        if self._closed is not None:
            connection.abort()
            raise _closed_client()
        handshake = connection.ready()
        if handshake is not None:
            await handshake
        return connection

    def _has_room(self) -> bool:
        return len(self._usable) + self._connecting < self._max_connections

    def _call_next_in_line(self) -> None:
        if self._in_line and self._has_room():
            self._in_line.popleft().callback(None)

    # Letting go

    def _drop(self, connection: HttpConnection) -> None:
        self.retired(connection)
        connection.close()

    def _close_unused(self) -> None:
        self._sweep = None
        oldest_kept = self._clock.seconds() - IDLE_SECONDS
        for connection in [each for each in self._idle if each.idle_since <= oldest_kept]:
            self._drop(connection)
        if self._idle:
            wait = self._idle[0].idle_since - oldest_kept
            self._sweep = self._clock.callLater(wait, self._close_unused)

    def _note_closed(self) -> None:
        if self._closed is None or self._closed.called:
            return
        if not (self._usable or self._closing or self._connecting):
            self._closed.callback(None)


def _abort(connection: IProtocol) -> None:
    assert isinstance(connection, HttpConnection)
    connection.abort()


def _closed_client() -> NotSent:
    return NotSent("the client has been closed", lasting=True)


class _ConnectionFactory(Factory):
    noisy = False

    def __init__(self, pool: ConnectionPool, max_response_size: int) -> None:
        self._pool = pool
        self._max_response_size = max_response_size

    def buildProtocol(self, addr: IAddress | None) -> HttpConnection:
        return HttpConnection(self._pool, self._max_response_size)
