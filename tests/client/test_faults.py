"""
What goes wrong on the line, over real sockets, and what the client makes of it.

Where time matters the client gets a clock that the test moves, while its sockets are real.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_twisted import blockon
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import Clock

from txpachube import errors
from txpachube.client import NO_RETRIES, Client, RetryPolicy
from txpachube.client.pool import IDLE_SECONDS, MAX_CONNECTIONS, TRUSTED_SECONDS
from txpachube.testing.scripted import Line, ScriptedServer, answer, cut, silence

FEED = answer(200, b'{"id":504,"title":"Greenhouse"}')
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CREATED = answer(201, headers={"Location": "/v2/feeds/1"})


@pytest.fixture
def clock() -> Clock:
    """Return the clock of `timed`."""
    return Clock()


@pytest.fixture
def timed(server: ScriptedServer, clock: Clock) -> Iterator[Client]:
    """Return a client whose time stands still unless the test moves it; no chance in its waits."""
    client = Client(
        "the-key",
        504,
        base_url=server.url,
        endpoint=TCP4ClientEndpoint(reactor, "127.0.0.1", server.port),
        reactor=clock,
        timeout=30,
        retry=RetryPolicy(attempts=3, first_delay=1, longest_delay=4),
        random=lambda: 1.0,
        now=clock.seconds,
        environ={},
    )
    yield client
    blockon(client.close())


def outcome(call: Deferred[Any]) -> list[Any]:
    """Return a list that the call's result or failure will be put into."""
    results: list[Any] = []
    call.addBoth(results.append)
    return results


async def until_idle() -> None:
    """Let the reactor go round a few times, so that what is under way arrives."""
    from twisted.internet.task import deferLater

    for _ in range(10):
        await deferLater(reactor, 0)


async def wait_for(condition: Any) -> None:
    """Let the reactor go round until something is so; the test's own time limit ends it."""
    while not condition():
        await until_idle()


# An answer that is cut


async def test_an_answer_cut_anywhere_is_asked_for_again(server: ScriptedServer, client: Client) -> None:
    """Wherever the answer to a GET, PUT or DELETE breaks off, the call is repeated and succeeds."""
    calls: list[Callable[[], Deferred[Any]]] = [
        client.read_feed,
        client.delete_feed,
        lambda: client.update_feed(data="{}"),
    ]
    for length in range(len(FEED)):
        server.play(cut(FEED[:length]), FEED)
        assert await calls[length % 3]()
    assert len(server.requests) == 2 * len(FEED)


async def test_a_post_is_never_sent_twice(server: ScriptedServer, client: Client) -> None:
    """Wherever the answer to a POST breaks off, the call fails: the service may have done it already."""
    for length in range(len(CREATED)):
        server.play(cut(CREATED[:length]))
        with pytest.raises(errors.ConnectionFailed) as caught:
            await client.create_feed(data="{}")
        assert caught.value.request == f"POST {client.base_url}/v2/feeds.json"
    assert len(server.requests) == len(CREATED)


async def test_it_gives_up_in_the_end(server: ScriptedServer, client: Client) -> None:
    """After as many attempts as the policy says the last failure is the result."""
    server.always = cut(b"")
    with pytest.raises(errors.ConnectionFailed):
        await client.read_feed()
    assert len(server.requests) == RetryPolicy().attempts


async def test_repeating_can_be_switched_off(server: ScriptedServer) -> None:
    """With NO_RETRIES a request on a new connection is made once."""
    client = Client("k", 1, base_url=server.url, retry=NO_RETRIES, environ={})
    server.play(cut(FEED[:20]), FEED)
    with pytest.raises(errors.ConnectionFailed):
        await client.read_feed()
    assert len(server.requests) == 1
    await client.close()


async def test_a_deletion_whose_answer_was_lost(server: ScriptedServer, client: Client) -> None:
    """A repeated DELETE that finds nothing has done its work the first time; a first one has not."""
    server.play(cut(b"HTTP/1.1 200"), answer(404, b"{}"), answer(404, b"{}"))
    assert await client.delete_feed() is True
    with pytest.raises(errors.NotFound):
        await client.delete_feed()


# Answers that are odd


@pytest.mark.parametrize("size", [1, 2, 7])
async def test_an_answer_in_small_pieces(server: ScriptedServer, client: Client, size: int) -> None:
    """An answer may arrive byte by byte."""

    def dribble(line: Line, start: int = 0) -> None:
        line.write(FEED[start : start + size])
        if start + size < len(FEED):
            reactor.callLater(0, dribble, line, start + size)

    server.play(dribble)
    assert (await client.read_feed()).title == "Greenhouse"


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01\x02\x00",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbroken\x00header: 1\r\n\r\n",
    ],
)
async def test_what_is_not_http(server: ScriptedServer, client: Client, garbage: bytes) -> None:
    """Rubbish, and framing that can be read in two ways, is an UnexpectedResponse, at once."""
    server.play(garbage)
    with pytest.raises(errors.UnexpectedResponse, match="not HTTP"):
        await client.read_feed()
    await server.lines[0].lost
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" + FEED, True),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + FEED, True),
        (
            CHUNKED + b'8\r\n{"id":50\r\n17;x=y\r\n4,"title":"Greenhouse"}\r\n0\r\nTrailer: 1\r\n\r\n',
            True,
        ),
        (FEED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), False),
        (FEED.replace(b"HTTP/1.1", b"HTTP/1.0"), False),
        (FEED + b"surplus", False),
        (FEED + FEED, False),
    ],
)
async def test_what_is_http(server: ScriptedServer, client: Client, reply: bytes, kept: bool) -> None:
    """Interim answers, chunks and old servers are fine; a connection in doubt is not used again."""
    server.play(reply, FEED)
    assert (await client.read_feed()).title == "Greenhouse"
    assert (await client.read_feed()).title == "Greenhouse"
    assert len(server.lines) == (1 if kept else 2)


async def test_an_answer_that_ends_with_the_connection(server: ScriptedServer, client: Client) -> None:
    """Without a length the body ends where the connection does."""
    server.play(cut(b'HTTP/1.0 200 OK\r\n\r\n{"id":504,"title":"Greenhouse"}'))
    assert (await client.read_feed()).title == "Greenhouse"
    assert len(server.requests) == 1


async def test_such_an_answer_that_breaks_off(server: ScriptedServer, client: Client) -> None:
    """A reset is not an end: the body may be half of it."""

    def half_then_reset(line: Line) -> None:
        line.write(b'HTTP/1.0 200 OK\r\n\r\n{"id":504')
        reactor.callLater(0, line.abort)

    server.play(half_then_reset, FEED)
    assert (await client.read_feed()).title == "Greenhouse"
    assert len(server.requests) == 2


async def test_an_answer_that_is_too_large(server: ScriptedServer) -> None:
    """An answer that never ends is cut off at the limit, in the body and in the head."""
    client = Client("k", 1, base_url=server.url, max_response_size=200_000, environ={})
    endless_body = CHUNKED + b"5\r\nhello\r\n" * 30_000
    server.play(answer(200, b" " * 200_000), endless_body)
    for _ in range(2):
        with pytest.raises(errors.UnexpectedResponse, match="larger than 200000 bytes") as caught:
            await client.read_feed()
        assert caught.value.status == 200
    server.play(b"HTTP/1.1 200 OK\r\n" + b"X-Header: y\r\n" * 8_000)
    with pytest.raises(errors.UnexpectedResponse, match="head is larger"):
        await client.read_feed()
    await DeferredList([line.lost for line in server.lines])
    await client.close()


# Connections that die between calls


async def test_a_connection_closed_while_idle_is_replaced(server: ScriptedServer, client: Client) -> None:
    """When the service closed the connection, the next call opens another, a POST too."""
    server.play(FEED, CREATED)
    await client.read_feed()
    server.lines[0].close()
    await server.lines[0].lost
    await until_idle()
    assert await client.create_feed(data="{}") == "1"
    assert len(server.requests) == 2


@pytest.mark.parametrize("end", [Line.close, Line.abort])
async def test_a_connection_closed_as_the_request_goes_out(
    server: ScriptedServer, timed: Client, end: Any
) -> None:
    """A request that meets the end of a kept connection is sent again at once, without waiting."""
    server.play(FEED, end, FEED)
    await timed.read_feed()
    assert (await timed.read_feed()).title == "Greenhouse"
    assert len(server.lines) == 2


async def test_a_post_that_meets_the_end_of_a_connection(server: ScriptedServer, client: Client) -> None:
    """It is not known whether the service did it, so it fails."""
    server.play(FEED, Line.close, CREATED)
    await client.read_feed()
    with pytest.raises(errors.ConnectionFailed):
        await client.create_feed(data="{}")
    assert len(server.requests) == 2


async def test_a_post_gets_a_connection_that_can_be_trusted(
    server: ScriptedServer, timed: Client, clock: Clock
) -> None:
    """A connection that was idle may be dying; a request that can't be repeated is not risked on it."""
    server.play(FEED, CREATED, FEED, CREATED)
    await timed.read_feed()
    clock.advance(TRUSTED_SECONDS / 2)
    await timed.create_feed(data="{}")
    assert len(server.lines) == 1
    clock.advance(TRUSTED_SECONDS * 2)
    await timed.read_feed()
    assert len(server.lines) == 1
    clock.advance(TRUSTED_SECONDS * 2)
    await timed.create_feed(data="{}")
    assert len(server.lines) == 2


async def test_data_that_nobody_asked_for(server: ScriptedServer, client: Client) -> None:
    """It could be taken for the answer to the next request, so that connection is dropped."""
    server.play(FEED, FEED)
    await client.read_feed()
    server.lines[0].write(answer(200, b'{"id":1,"title":"Evil"}'))
    await server.lines[0].lost
    assert (await client.read_feed()).title == "Greenhouse"


async def test_unused_connections_are_closed(server: ScriptedServer, timed: Client, clock: Clock) -> None:
    """What nobody has used for a while is closed, what somebody has is not."""
    server.play(silence, FEED)
    first, second = timed.read_feed(), timed.read_feed()
    await second
    clock.advance(IDLE_SECONDS / 3)
    server.lines[0].write(FEED)
    await first
    clock.advance(IDLE_SECONDS * 2 / 3)
    await server.lines[1].lost
    assert not server.lines[0].lost.called
    clock.advance(IDLE_SECONDS / 3)
    await server.lines[0].lost


# Time


async def test_one_deadline_for_everything(server: ScriptedServer, timed: Client, clock: Clock) -> None:
    """An answer that does not come, or not to its end, fails the call when its time is over."""
    for step in (silence, FEED[:50], FEED[:-1]):
        server.play(step)
        arrival = server.next_request()
        result = outcome(timed.read_feed())
        request = await arrival
        await until_idle()
        clock.advance(29.9)
        assert result == []
        clock.advance(0.2)
        assert result[0].check(errors.RequestTimeout)
        assert "no complete answer within 30 s" in result[0].getErrorMessage()
        await request.line.lost


async def test_the_deadline_covers_connecting(clock: Clock) -> None:
    """A connection that is never made ends with the call."""

    class Nowhere:
        cancelled = False

        def connect(self, factory: Any) -> Deferred[Any]:
            return Deferred(lambda _: setattr(self, "cancelled", True))

    endpoint: Any = Nowhere()
    client = Client(feed_id=1, endpoint=endpoint, reactor=clock, timeout=5, environ={})
    result = outcome(client.read_feed())
    clock.advance(5)
    assert result[0].check(errors.RequestTimeout)
    assert endpoint.cancelled


async def test_the_deadline_covers_all_attempts(server: ScriptedServer, timed: Client, clock: Clock) -> None:
    """Attempts share the time of the call; the error tells what the earlier ones met."""
    server.play(answer(503, b'{"title":"Service Unavailable","errors":"busy"}'), silence)
    result = outcome(timed.read_feed())
    await wait_for(clock.getDelayedCalls)
    await wait_for(lambda: len(clock.getDelayedCalls()) == 3)
    clock.advance(1)
    await wait_for(lambda: len(server.requests) == 2)
    clock.advance(29)
    assert result[0].check(errors.RequestTimeout)
    assert "503 Service Unavailable: busy" in result[0].getErrorMessage()


async def test_waits_between_attempts_grow(server: ScriptedServer, timed: Client, clock: Clock) -> None:
    """The client waits before it tries again, longer each time."""
    server.always = cut(b"")
    result = outcome(timed.read_feed())
    for number, wait in ((1, 1.0), (2, 2.0)):
        await wait_for(lambda: len(clock.getDelayedCalls()) == 2)
        assert len(server.requests) == number
        clock.advance(wait - 0.01)
        await until_idle()
        assert len(server.requests) == number
        clock.advance(0.02)
    await wait_for(lambda: result)
    assert result[0].check(errors.ConnectionFailed)
    assert len(server.requests) == 3


async def test_retry_after_is_honoured(server: ScriptedServer, timed: Client, clock: Clock) -> None:
    """A service that is overloaded says when to come back, and the client comes back then."""
    server.play(answer(503, headers={"Retry-After": "7"}), FEED)
    result = outcome(timed.read_feed())
    await wait_for(lambda: len(clock.getDelayedCalls()) == 3)
    clock.advance(6.9)
    await until_idle()
    assert len(server.requests) == 1
    clock.advance(0.2)
    await wait_for(lambda: result)
    assert result[0].title == "Greenhouse"


async def test_retry_after_the_deadline(server: ScriptedServer, timed: Client) -> None:
    """A wait that would end after the deadline is not begun: the caller learns at once why."""
    server.play(
        answer(503, b'{"title":"Service Unavailable","errors":"busy"}', headers={"Retry-After": "60"})
    )
    with pytest.raises(errors.ServiceUnavailable, match="busy"):
        await timed.read_feed()


async def test_a_post_is_not_repeated_after_503(server: ScriptedServer, timed: Client) -> None:
    """Who creates something decides himself whether to try again."""
    server.play(answer(503, headers={"Retry-After": "0"}))
    with pytest.raises(errors.ServiceUnavailable):
        await timed.create_feed(data="{}")
    assert len(server.requests) == 1


# No connection


async def test_a_service_that_is_down(server: ScriptedServer) -> None:
    """Nothing was sent, so any call is tried again; when nobody answers, ConnectionFailed says so."""
    url = server.url
    await server.stop()
    waits = []

    def no_luck() -> float:
        waits.append(1)
        return 0.0

    client = Client(
        "k", 1, base_url=url, retry=RetryPolicy(3, first_delay=0, longest_delay=0), random=no_luck, environ={}
    )
    for call in (client.read_feed(), client.create_feed(data="{}")):
        with pytest.raises(errors.ConnectionFailed, match=r"no connection: .*refused"):
            await call
    assert len(waits) == 6
    await client.close()


async def test_a_name_that_does_not_exist() -> None:
    """An unknown host is a ConnectionFailed."""
    client = Client("k", 1, base_url="http://nowhere.invalid", retry=NO_RETRIES, environ={})
    with pytest.raises(errors.ConnectionFailed, match=r"no connection: .*nowhere"):
        await client.read_feed()


# Cancelling, many at once, the end


async def test_cancelling_closes_the_connection(server: ScriptedServer, client: Client) -> None:
    """A cancelled call fails at once and its connection is really closed; the next call is fine."""
    for step in (silence, FEED[:50]):
        server.play(step, FEED)
        arrival = server.next_request()
        call = client.read_feed()
        request = await arrival
        await until_idle()
        result = outcome(call)
        call.cancel()
        assert result[0].check(CancelledError)
        await request.line.lost
        assert (await client.read_feed()).title == "Greenhouse"


async def test_cancelling_while_connecting(server: ScriptedServer, client: Client) -> None:
    """Nothing is sent for a call that was cancelled before its connection stood."""
    call = client.read_feed()
    result = outcome(call)
    call.cancel()
    assert result[0].check(CancelledError)
    await until_idle()
    assert server.requests == []


async def test_cancelling_while_waiting_to_try_again(
    server: ScriptedServer, timed: Client, clock: Clock
) -> None:
    """A call that waits for its next attempt never makes it."""
    server.play(answer(503))
    call = timed.read_feed()
    result = outcome(call)
    await wait_for(lambda: len(clock.getDelayedCalls()) == 3)
    call.cancel()
    assert result[0].check(CancelledError)
    clock.advance(20)
    await until_idle()
    assert len(server.requests) == 1


async def test_many_calls_share_a_bounded_number_of_connections(
    server: ScriptedServer, client: Client
) -> None:
    """A thousand calls at once do not open a thousand connections, and all are answered."""
    server.always = FEED
    results = await DeferredList([client.read_feed() for _ in range(1000)])
    assert all(success for success, _ in results)
    assert len(server.requests) == 1000
    assert len(server.lines) <= MAX_CONNECTIONS


async def test_a_call_in_line_can_be_cancelled(server: ScriptedServer, client: Client) -> None:
    """Who gives up waiting for a connection leaves the line, and those behind move up."""
    server.always = silence
    busy = [client.read_feed() for _ in range(MAX_CONNECTIONS)]
    await wait_for(lambda: len(server.requests) == MAX_CONNECTIONS)
    given_up, patient = client.read_feed(), client.read_feed()
    result = outcome(given_up)
    given_up.cancel()
    assert result[0].check(CancelledError)
    server.always = FEED
    failed = outcome(busy[0])
    busy[0].cancel()  # its connection is closed, which makes room
    assert failed[0].check(CancelledError)
    assert (await patient).title == "Greenhouse"
    for line in server.lines[:MAX_CONNECTIONS]:
        if not line.lost.called:
            line.write(FEED)
    await DeferredList(busy[1:])
    assert len(server.requests) == MAX_CONNECTIONS + 1


async def test_closing_fails_what_is_under_way(server: ScriptedServer, client: Client) -> None:
    """After close() calls fail, those that wait and those that come, and every connection is gone."""
    server.play(silence)
    arrival = server.next_request()
    result = outcome(client.read_feed())
    request = await arrival
    await client.close()
    assert result[0].check(errors.ConnectionFailed)
    await request.line.lost
    with pytest.raises(errors.ConnectionFailed, match="closed"):
        await client.read_feed()
