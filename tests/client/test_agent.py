"""The client over an agent that the program brings along."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_twisted import blockon
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.task import Clock
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.iweb import IAgent
from zope.interface import implementer

from txpachube import errors
from txpachube.client import Client, RetryPolicy
from txpachube.testing.scripted import ScriptedServer, answer, cut, silence

FEED = answer(200, b'{"id":504,"title":"Greenhouse"}')


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Client]:
    """Return a client over Twisted's own agent."""
    pool = HTTPConnectionPool(reactor)
    yield Client(
        "the-key",
        504,
        base_url=server.url,
        agent=Agent(reactor, pool=pool),
        retry=RetryPolicy(first_delay=0, longest_delay=0),
        max_response_size=100_000,
        environ={},
    )
    blockon(pool.closeCachedConnections())


async def test_requests_are_the_same(server: ScriptedServer, client: Client) -> None:
    """Path, query, key, content type and body go out through an agent as they do without."""
    server.play(FEED, answer(200), answer(201, headers={"Location": "http://h/v2/feeds/7"}), answer(200))
    assert (await client.read_feed(parameters={"q": "a b"})).title == "Greenhouse"
    assert await client.update_feed(data='{"title":"é"}') is True
    assert await client.create_feed(data="") == "7"
    assert await client.delete_feed() is True
    assert [f"{request.method} {request.target}" for request in server.requests] == [
        "GET /v2/feeds/504.json?q=a+b",
        "PUT /v2/feeds/504.json",
        "POST /v2/feeds.json",
        "DELETE /v2/feeds/504",
    ]
    assert {request.headers["x-apikey"] for request in server.requests} == {"the-key"}
    assert server.requests[1].headers["content-type"] == "application/json"
    assert server.requests[1].body == b'{"title":"\xc3\xa9"}'
    assert server.requests[2].headers["content-length"] == "0"
    assert "content-length" not in server.requests[3].headers
    await client.close()


async def test_errors_are_the_same(server: ScriptedServer, client: Client) -> None:
    """Error answers become the same typed errors."""
    server.play(answer(404, b'{"title":"Not found","errors":"no"}'))
    with pytest.raises(errors.NotFound, match="no") as caught:
        await client.read_feed()
    assert caught.value.request == f"GET {client.base_url}/v2/feeds/504.json"


async def test_cut_answers_are_asked_for_again(server: ScriptedServer, client: Client) -> None:
    """What breaks off is repeated when that is safe, and fails when it is not."""
    for length in range(0, len(FEED), 10):
        server.play(cut(FEED[:length]), FEED)
        assert (await client.read_feed()).title == "Greenhouse"
        server.play(cut(FEED[:length]))
        with pytest.raises(errors.ConnectionFailed):
            await client.create_feed(data="{}")


async def test_overload_is_waited_for(server: ScriptedServer, client: Client) -> None:
    """503 with Retry-After is honoured."""
    server.play(answer(503, headers={"Retry-After": "0"}), FEED)
    assert (await client.read_feed()).title == "Greenhouse"


async def test_too_large(server: ScriptedServer, client: Client) -> None:
    """The limit on the size of an answer holds, and the connection is closed."""
    server.play(answer(200, b" " * 200_000))
    with pytest.raises(errors.UnexpectedResponse, match="larger than 100000 bytes"):
        await client.read_feed()
    await server.lines[0].lost


@pytest.mark.parametrize("step", [silence, FEED[:60]])
async def test_cancelling_closes(server: ScriptedServer, client: Client, step: Any) -> None:
    """Cancelling before or within the answer closes the connection."""
    server.play(step)
    arrival = server.next_request()
    call = client.read_feed()
    request = await arrival
    for _ in range(10):
        turn: Deferred[None] = Deferred()
        reactor.callLater(0, turn.callback, None)
        await turn
    call.cancel()
    with pytest.raises(CancelledError):
        await call
    await request.line.lost


@implementer(IAgent)
class FailingAgent:
    """Fails with what it is given, then never answers."""

    def __init__(self, *problems: Exception) -> None:
        self.problems = list(problems)
        self.requests: list[tuple[bytes, bytes]] = []
        self.cancelled = 0

    def request(self, method: bytes, uri: bytes, headers: Any = None, bodyProducer: Any = None) -> Any:
        """Note the request."""
        self.requests.append((method, uri))
        if self.problems:
            return fail(self.problems.pop(0))

        def cancel(deferred: Deferred[Any]) -> None:
            self.cancelled += 1
            deferred.errback(DNSLookupError("because it was cancelled"))

        return Deferred(cancel)


def test_no_connection_is_tried_again() -> None:
    """When the agent could not connect nothing was sent, so that even a POST is made again."""
    clock = Clock()
    agent = FailingAgent(ConnectError(), DNSLookupError(), ConnectError())
    client = Client(agent=agent, reactor=clock, retry=RetryPolicy(3, 1, 1), environ={})
    results: list[Any] = []
    client.create_feed(data="{}").addBoth(results.append)
    clock.pump([1, 1, 1])
    assert results[0].check(errors.ConnectionFailed)
    assert agent.requests == [(b"POST", b"http://127.0.0.1:8000/v2/feeds.json")] * 3


def test_a_cancelled_agent_is_not_asked_again() -> None:
    """An agent that is cancelled may fail like a bad line; the call ends all the same."""
    clock = Clock()
    agent = FailingAgent()
    client = Client(agent=agent, reactor=clock, timeout=5, environ={})
    results: list[Any] = []
    client.create_feed(data="{}").addBoth(results.append)
    clock.advance(5)
    assert results[0].check(errors.RequestTimeout)
    clock.advance(100)
    assert (len(agent.requests), agent.cancelled) == (1, 1)
