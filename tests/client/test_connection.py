"""One connection, in memory: whatever arrives, in whatever pieces, is an answer or a documented failure."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from txpachube.api.messages import Request, Response
from txpachube.client.address import ServiceAddress
from txpachube.client.connection import HttpConnection, StaleConnection, request_bytes
from txpachube.client.exchange import Interrupted, Unreadable
from txpachube.testing.scripted import answer

ANSWER = answer(201, b'{"id":504}', headers={"Location": "http://host/v2/feeds/504", "Retry-After": "3"})


class Keeper:
    """Notes what a connection tells."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def released(self, connection: HttpConnection) -> None:
        """Note it."""
        self.notes.append("released")

    def retired(self, connection: HttpConnection) -> None:
        """Note it."""
        self.notes.append("retired")

    def lost(self, connection: HttpConnection) -> None:
        """Note it."""
        self.notes.append("lost")


def connected() -> tuple[HttpConnection, Keeper, StringTransport]:
    """Return a connection that stands, who keeps it, and its transport."""
    keeper, transport = Keeper(), StringTransport()
    connection = HttpConnection(keeper, 1_000_000)
    protocol: Any = connection
    protocol.makeConnection(transport)
    return connection, keeper, transport


def sent(connection: HttpConnection) -> list[Any]:
    """Send a request; return a list that will hold the answer or the failure."""
    results: list[Any] = []
    connection.send(b"GET / HTTP/1.1\r\n\r\n").addBoth(results.append)
    return results


def feed(connection: HttpConnection, data: bytes, size: int) -> None:
    """Let data arrive in pieces, as long as the connection stands."""
    transport: Any = connection.transport
    for start in range(0, len(data), size):
        if transport.disconnecting or transport.disconnected:
            return
        connection.dataReceived(data[start : start + size])


@pytest.mark.parametrize("size", [1, 2, 3, 50, 10_000])
def test_an_answer_in_any_pieces(size: int) -> None:
    """The same answer comes out whole, byte by byte, and twice on one connection."""
    connection, keeper, transport = connected()
    for _ in range(2):
        results = sent(connection)
        feed(connection, ANSWER, size)
        (response,) = results
        assert isinstance(response, Response)
        assert (response.status, response.body) == (201, b'{"id":504}')
        assert response.content_type == "application/json; charset=utf-8"
        assert response.location == "http://host/v2/feeds/504"
        assert response.extra == (("Retry-After", "3"),)
    assert keeper.notes == ["released"] * 2
    assert not transport.disconnecting


@given(st.binary(max_size=200), st.integers(1, 50), st.booleans(), st.integers(0, len(ANSWER)))
def test_only_documented_failures_come_out(noise: bytes, size: int, clean: bool, kept: int) -> None:
    """An answer with anything in it ends in an answer or in one of the two failures, once."""
    connection, keeper, _ = connected()
    results = sent(connection)
    feed(connection, ANSWER[:kept] + noise + ANSWER[kept:], size)
    connection.connectionLost(Failure(ConnectionDone() if clean else ConnectionLost()))
    (result,) = results
    if not isinstance(result, Response):
        assert result.check(Interrupted, Unreadable)
    assert keeper.notes[-1] == "lost"


def test_the_order_of_losing_a_connection() -> None:
    """Who keeps connections hears that one is unfit, then its call fails, then it is gone."""
    connection, keeper, _ = connected()
    connection.send(b"").addErrback(lambda _: keeper.notes.append("failed"))
    connection.connectionLost(Failure(ConnectionLost()))
    assert keeper.notes == ["retired", "failed", "lost"]


def test_a_connection_that_ends_instead_of_answering_again() -> None:
    """The first time that is an interruption; after an answer it is a stale connection."""
    connection, _, _ = connected()
    results = sent(connection)
    connection.connectionLost(Failure(ConnectionDone()))
    assert type(results[0].value) is Interrupted
    connection, _, _ = connected()
    sent(connection)
    connection.dataReceived(ANSWER)
    results = sent(connection)
    connection.connectionLost(Failure(ConnectionDone()))
    assert type(results[0].value) is StaleConnection


def test_the_next_request_can_be_sent_from_the_answer() -> None:
    """When an answer is handed out its connection is free already."""
    connection, keeper, transport = connected()
    nested: list[Deferred[Response]] = []

    def again(response: Response) -> None:
        assert keeper.notes == ["released"]
        nested.append(connection.send(b"second"))

    connection.send(b"first").addCallback(again)
    connection.dataReceived(ANSWER)
    assert transport.value() == b"firstsecond"
    connection.dataReceived(ANSWER)
    assert nested[0].called


def test_a_request_in_bytes() -> None:
    """Head and body are one piece; names are in canonical capitals, and a body always has its length."""
    address = ServiceAddress.from_url("http://pachube.example:8000/house")
    request = Request(
        "PUT",
        "/v2/feeds/1.json",
        "timezone=2",
        {"x-apikey": "k", "content-type": "application/json"},
        b"{}",
    )
    assert request_bytes(request, address) == (
        b"PUT /house/v2/feeds/1.json?timezone=2 HTTP/1.1\r\nHost: pachube.example:8000\r\n"
        b"User-Agent: txpachube\r\nX-ApiKey: k\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    )
    assert b"Content-Length: 0\r\n" in request_bytes(Request("POST", "/v2/keys/k/regenerate"), address)
    assert b"Content-Length" not in request_bytes(Request("DELETE", "/v2/feeds/1"), address)
