"""The pool, in memory: connections that come late, or when nobody wants them any more."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import directlyProvides

from txpachube.api.messages import Request, Response
from txpachube.client.address import ServiceAddress
from txpachube.client.connection import HttpConnection
from txpachube.client.exchange import Interrupted, NotSent
from txpachube.client.pool import TRUSTED_SECONDS, ConnectionPool
from txpachube.testing.scripted import answer

GET = Request("GET", "/v2/feeds/1.json")
POST = Request("POST", "/v2/feeds.json")
OK = answer(200)


class Stubborn(Deferred[Any]):
    """A Deferred that does not care for being cancelled."""

    factory: Any = None

    def cancel(self) -> None:
        """Do nothing."""


class Network:
    """An endpoint whose connections stand when the test says so."""

    def __init__(self, tls: bool = False) -> None:
        self.tls = tls
        self.attempts: list[Stubborn] = []
        self.made: list[tuple[HttpConnection, StringTransport]] = []

    def connect(self, factory: Any) -> Deferred[Any]:
        """Begin to connect; cancelling is not listened to."""
        attempt = Stubborn()
        attempt.factory = factory
        self.attempts.append(attempt)
        return attempt

    def stand(self, number: int = -1) -> tuple[HttpConnection, StringTransport]:
        """Let an attempt succeed."""
        attempt = self.attempts[number]
        connection: Any = attempt.factory.buildProtocol(None)
        transport = StringTransport()
        if self.tls:
            directlyProvides(transport, ISSLTransport)
        connection.makeConnection(transport)
        self.made.append((connection, transport))
        attempt.callback(connection)
        return connection, transport


@pytest.fixture
def network() -> Network:
    """Return a network that is plain."""
    return Network()


def pool_of(network: Any, clock: Clock | None = None, limit: int = 2) -> ConnectionPool:
    """Return a pool of at most so many connections."""
    address = ServiceAddress.from_url("http://pachube.example")
    return ConnectionPool(network, address, clock or Clock(), max_connections=limit)


def outcome(pool: ConnectionPool, request: Request = GET) -> tuple[Deferred[Response], list[Any]]:
    """Begin an exchange; return it and a list that will hold its result."""
    results: list[Any] = []
    call = Deferred.fromCoroutine(pool.exchange(request))
    call.addBoth(results.append)
    return call, results


def test_a_connection_that_comes_after_the_call_was_cancelled(network: Network) -> None:
    """It is closed and never used, although the endpoint would not stop."""
    pool = pool_of(network)
    call, results = outcome(pool)
    call.cancel()
    assert results[0].check(CancelledError)
    _, transport = network.stand()
    assert transport.disconnected or transport.disconnecting
    assert transport.value() == b""


def test_a_connection_that_comes_after_the_pool_was_closed(network: Network) -> None:
    """It is closed at once; the pool is closed when it is gone, and its call fails."""
    pool = pool_of(network)
    _, results = outcome(pool)
    closed: list[Any] = []
    pool.close().addCallback(closed.append)
    assert closed == []
    connection, transport = network.stand()
    assert results[0].check(NotSent)
    assert transport.disconnected or transport.disconnecting
    connection.connectionLost(Failure(ConnectionAborted()))
    assert closed == [None]


def test_closing_sends_everybody_home(network: Network) -> None:
    """Who waits in line learns that the client was closed, who waits for an answer that the line broke."""
    pool = pool_of(network, limit=1)
    _, first = outcome(pool)
    connection, _ = network.stand()
    _, second = outcome(pool)
    closed: list[Any] = []
    pool.close().addCallback(closed.append)
    assert second[0].check(NotSent)
    assert second[0].value.lasting
    connection.connectionLost(Failure(ConnectionAborted()))
    assert first[0].check(Interrupted)
    assert closed == [None]


def test_a_failed_attempt_lets_the_next_in_line_try(network: Network) -> None:
    """When a connection can't be made its place is free for who waits."""
    pool = pool_of(network, limit=1)
    _, first = outcome(pool)
    _, second = outcome(pool)
    assert len(network.attempts) == 1
    network.attempts[0].errback(ConnectionLost())
    assert first[0].check(NotSent)
    assert len(network.attempts) == 2
    connection, _ = network.stand()
    connection.dataReceived(OK)
    assert second[0].status == 200


def test_a_freed_connection_goes_to_the_next_in_line(network: Network) -> None:
    """With no room for more connections the next request goes out on the one that became free."""
    pool = pool_of(network, limit=1)
    _, first = outcome(pool)
    _, second = outcome(pool)
    connection, transport = network.stand()
    connection.dataReceived(OK)
    assert first[0].status == 200
    assert transport.value().count(b"GET ") == 2
    connection.dataReceived(OK)
    assert second[0].status == 200
    assert len(network.attempts) == 1


def test_an_old_connection_makes_room(network: Network) -> None:
    """A request that must not meet a dying connection gets a new one even when there are enough."""
    clock = Clock()
    pool = pool_of(network, clock, limit=1)
    outcome(pool)
    connection, transport = network.stand()
    connection.dataReceived(OK)
    clock.advance(TRUSTED_SECONDS * 2)
    _, results = outcome(pool, POST)
    assert transport.disconnecting
    fresh, _ = network.stand()
    fresh.dataReceived(OK)
    assert results[0].status == 200


def test_tls_comes_before_the_request() -> None:
    """Nothing is written until the handshake is over; when it fails, nothing was sent."""
    network = Network(tls=True)
    pool = pool_of(network)
    _, first = outcome(pool, POST)
    connection, transport = network.stand()
    assert transport.value() == b""
    connection.handshakeCompleted()
    assert transport.value().startswith(b"POST ")
    connection.dataReceived(OK)
    assert first[0].status == 200
    _, second = outcome(pool, POST)
    connection.dataReceived(OK)
    assert second[0].status == 200


@pytest.mark.parametrize(
    ("problem", "lasting"),
    [
        (ConnectionLost(), False),
        (Exception([("SSL routines", "", "certificate verify failed")]), True),
        (Exception("no match"), True),
    ],
)
def test_a_handshake_that_fails(problem: Exception, lasting: bool) -> None:
    """A broken line may be better next time, a certificate that is not trusted will not be."""
    network = Network(tls=True)
    pool = pool_of(network)
    _, results = outcome(pool)
    connection, _ = network.stand()
    connection.connectionLost(Failure(problem))
    assert results[0].check(NotSent)
    assert results[0].value.lasting is lasting


def test_cancelling_during_the_handshake() -> None:
    """The connection is closed, and its end is no surprise."""
    network = Network(tls=True)
    pool = pool_of(network)
    call, results = outcome(pool)
    connection, transport = network.stand()
    call.cancel()
    assert results[0].check(CancelledError)
    assert transport.disconnected or transport.disconnecting
    connection.connectionLost(Failure(ConnectionAborted()))
