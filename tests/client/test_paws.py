"""Calls over a socket, and the life of the connection, against a server that plays a script."""

from __future__ import annotations

import gc
import socket
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_twisted import blockon
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredList, inlineCallbacks
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import Clock, deferLater

from txpachube import Environment, errors
from txpachube.client import NO_RETRIES, PAWSClient, RetryPolicy
from txpachube.client.paws_line import CLOSE_SECONDS, HANDSHAKE_SECONDS
from txpachube.testing.scripted import Line, cut, silence
from txpachube.testing.scripted_socket import ScriptedSocket, SocketLine, reply, says

FEED = {"id": 504, "title": "Greenhouse"}
CREATED = says(201, headers={"LOCATION": "http://host/v2/feeds/2424"})


@pytest.fixture
def server() -> Iterator[ScriptedSocket]:
    """Return a server that listens and has an empty script."""
    server = ScriptedSocket(reactor)
    blockon(Deferred.fromCoroutine(server.start()))
    yield server
    blockon(Deferred.fromCoroutine(server.stop()))


@pytest.fixture
def client(server: ScriptedSocket) -> Iterator[PAWSClient]:
    """Return a client that is connected and repeats without waiting."""
    client = make_client(server)
    assert blockon(client.connect()) is True
    yield client
    blockon(client.disconnect())


def make_client(server: ScriptedSocket, **arguments: Any) -> PAWSClient:
    given = {
        "url": server.url,
        "timeout": 20,
        "retry": RetryPolicy(first_delay=0, longest_delay=0),
        "environ": {},
        **arguments,
    }
    return PAWSClient("the-key", 504, **given)


async def turns(count: int = 10) -> None:
    """Let the reactor go round a few times."""
    for _ in range(count):
        await deferLater(reactor, 0)


async def until(condition: Callable[[], Any]) -> None:
    """Let the reactor go round until something is so; the test's own time limit ends it."""
    while not condition():
        await turns(1)


def outcome(call: Deferred[Any]) -> list[Any]:
    """Return a list that the call's result or failure will be put into."""
    results: list[Any] = []
    call.addBoth(results.append)
    return results


# Calls


async def test_a_call_and_its_answer(server: ScriptedSocket, client: PAWSClient) -> None:
    """A call is a message with the resource, the key and the parameters; its answer becomes the result."""
    server.play(says(200, FEED, {"CONTENT_TYPE": "application/json"}))
    feed = await client.read_feed(parameters={"limit": 3, "start": "2013-06-01T10:00:00+02:00"})
    assert feed.title == "Greenhouse"
    line = server.lines[0]
    assert isinstance(line, SocketLine)
    assert line.message == {
        "method": "get",
        "resource": "/feeds/504.json",
        "params": {"limit": "3", "start": "2013-06-01T10:00:00+02:00"},
        "headers": {"X-ApiKey": "the-key"},
        "token": line.message["token"],
    }


async def test_data_of_a_call(server: ScriptedSocket, client: PAWSClient) -> None:
    """JSON travels as JSON, and everything else, also what only claims to be JSON, as text."""
    server.always = says(200)
    update = Environment()
    update.setCurrentValue("temp", "0021.50")
    sent: list[Any] = []
    cases: list[tuple[Any, str]] = [
        (update, "json"),
        ("temp,1", "csv"),
        ("{oops", "json"),
        ("<eeml/>", "xml"),
    ]
    for data, document_format in cases:
        assert await client.update_feed(format=document_format, data=data) is True
        line = server.lines[0]
        assert isinstance(line, SocketLine)
        sent.append((line.message["body"], line.message["headers"]["Content-Type"]))
    assert sent == [
        ({"datastreams": [{"id": "temp", "current_value": "0021.50"}]}, "application/json"),
        ("temp,1", "text/csv"),
        ("{oops", "application/json"),
        ("<eeml/>", "application/xml"),
    ]


async def test_answers_in_any_order(server: ScriptedSocket, client: PAWSClient) -> None:
    """Each answer finds its call, whatever the order is."""
    held: list[bytes] = []

    def hold(line: Line) -> None:
        assert isinstance(line, SocketLine)
        held.append(reply(line.message, 200, {"id": len(held)}))

    server.play(hold, hold, hold)
    calls = [client.read_feed(feed_id=number) for number in range(3)]
    await until(lambda: len(held) == 3)
    server.lines[0].write(b"".join(reversed(held)))
    assert [(await call).id for call in calls] == [0, 1, 2]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequest),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (422, errors.Unprocessable),
        (500, errors.ServerError),
        (302, errors.UnexpectedResponse),
    ],
)
async def test_errors(
    server: ScriptedSocket, client: PAWSClient, status: int, kind: type[errors.ResponseError]
) -> None:
    """An answer with an error fails the call with the same types as over HTTP."""
    server.play(says(status, {"title": "No", "errors": ["because"]}))
    with pytest.raises(kind) as caught:
        await client.read_feed()
    assert (caught.value.status, caught.value.title, caught.value.errors) == (status, "No", ["because"])
    assert caught.value.request == f"GET {server.url}/v2/feeds/504.json"


async def test_none_for_a_datapoint_that_is_not_there(server: ScriptedSocket, client: PAWSClient) -> None:
    """Results are those of the HTTP client, also where a 404 is one."""
    server.play(says(404, {"title": "Not Found"}), CREATED)
    assert await client.read_datapoint(datastream_id="t", timestamp="2013-06-01T10:00:00Z") is None
    assert await client.create_feed(data="{}") == "2424"


async def test_a_document_that_is_too_large(server: ScriptedSocket, client: PAWSClient) -> None:
    """What the service would close the line for is refused before it is sent."""
    with pytest.raises(errors.PayloadTooLarge):
        await client.update_feed(data="x" * 1024 * 1024)
    assert server.requests == []


async def test_bytes_that_are_no_text(server: ScriptedSocket, client: PAWSClient) -> None:
    """A socket carries text; bytes in another encoding are refused and not changed."""
    with pytest.raises(errors.InvalidValue, match="UTF-8"):
        await client.update_feed(format="xml", data=b"<a>\xe4</a>")
    assert server.requests == []


async def test_what_is_not_a_message(server: ScriptedSocket, client: PAWSClient) -> None:
    """Rubbish between messages, and answers that nobody waits for, are survived."""

    def noisy(noise: bytes) -> Callable[[Line], None]:
        def step(line: Line) -> None:
            assert isinstance(line, SocketLine)
            line.write(noise + reply(line.message, 200, FEED))

        return step

    for noise in (b"hello\n", b'{"status":400,"body":"Syntax Error: x"}\n', b'{"status":200,"token":"?"}\n'):
        server.play(noisy(noise))
        assert (await client.read_feed()).id == 504
    assert len(server.lines) == 1


async def test_all_ways_to_wait(server: ScriptedSocket, client: PAWSClient) -> None:
    """Calls and subscriptions work with inlineCallbacks as well."""
    server.play(says(200, FEED), says(200, FEED), says(200))

    @inlineCallbacks
    def old_style() -> Any:
        feed = yield client.read_feed()
        token, subscribed = client.subscribe("/feeds/504", print)
        status = yield subscribed
        return feed.title, token, status

    assert await old_style() == ("Greenhouse", "s1", 200)


# Faults on the line


async def test_an_answer_cut_anywhere_is_asked_for_again(server: ScriptedSocket, client: PAWSClient) -> None:
    """Wherever the answer to a GET, PUT or DELETE breaks off, the call is sent again on the next line."""
    calls: list[Callable[[], Deferred[Any]]] = [
        client.read_feed,
        client.delete_feed,
        lambda: client.update_feed(data="{}"),
    ]
    whole = len(reply({"resource": "/feeds/504.json", "token": "c1"}, 200, FEED))

    def cut_off(length: int) -> Callable[[Line], None]:
        def step(line: Line) -> None:
            assert isinstance(line, SocketLine)
            line.write(reply(line.message, 200, FEED)[: -1 - length])  # the line end is not needed
            line.close()

        return step

    for length in range(1, whole):
        server.play(cut_off(length), says(200, FEED))
        assert await calls[length % 3]()
    assert len(server.requests) == 2 * (whole - 1)


async def test_a_post_is_never_sent_twice(server: ScriptedSocket, client: PAWSClient) -> None:
    """Wherever the answer to a POST breaks off, the call fails: the service may have done it already."""
    whole = b'{"headers":{"LOCATION":"/v2/feeds/1"},"resource":"/feeds.json","token":"c1","status":201}'
    for length in range(0, len(whole), 7):
        server.play(cut(whole[:length]))
        with pytest.raises(errors.ConnectionFailed) as caught:
            await client.create_feed(data="{}")
        assert caught.value.request == f"POST {server.url}/v2/feeds.json"
        await until(lambda: client.connected)
    assert len(server.requests) == len(range(0, len(whole), 7))


@pytest.mark.parametrize("size", [1, 3])
async def test_an_answer_in_small_pieces(server: ScriptedSocket, client: PAWSClient, size: int) -> None:
    """An answer may arrive byte by byte."""

    def dribble(line: Line, rest: bytes | None = None) -> None:
        assert isinstance(line, SocketLine)
        rest = reply(line.message, 200, FEED) if rest is None else rest
        line.write(rest[:size])
        if rest[size:]:
            reactor.callLater(0, dribble, line, rest[size:])

    server.play(dribble)
    assert (await client.read_feed()).title == "Greenhouse"


async def test_calls_wait_for_a_line(server: ScriptedSocket) -> None:
    """A call made while the line is being made is sent when it stands, a POST too."""
    client = make_client(server)
    connecting = client.connect()
    server.play(CREATED)
    assert await client.create_feed(data="{}") == "2424"
    assert await connecting is True
    await client.disconnect()


async def test_many_calls_on_a_line_that_breaks(server: ScriptedSocket, client: PAWSClient) -> None:
    """All calls that were under way are sent again, except those that must not be."""
    server.play(silence, silence, lambda line: line.abort())
    server.always = says(200, FEED)
    calls: list[Deferred[Any]] = [
        client.read_feed(),
        client.create_feed(data="{}"),
        client.update_feed(data="{}"),
    ]
    results: Any = await DeferredList(calls, consumeErrors=True)
    assert [success for success, _ in results] == [True, False, True]
    assert results[1][1].check(errors.ConnectionFailed)


async def test_repeating_can_be_switched_off(server: ScriptedSocket) -> None:
    """With NO_RETRIES a call that met the end of a line fails, and the next one is made on a new line."""
    client = make_client(server, retry=NO_RETRIES, random=lambda: 0.0)
    await client.connect()
    server.play(cut(b""), says(200, FEED))
    with pytest.raises(errors.ConnectionFailed):
        await client.read_feed()
    assert (await client.read_feed()).id == 504
    await client.disconnect()


async def test_a_cancelled_call(server: ScriptedSocket, client: PAWSClient) -> None:
    """Cancelling a call leaves the line to the others; a late answer is nobody's."""
    server.play(silence, says(200, {"id": 2}))
    first = client.read_feed()
    result = outcome(first)
    await until(lambda: server.requests)
    first.cancel()
    assert result[0].check(CancelledError)
    token = server.lines[0].message["token"]  # type: ignore[attr-defined] # it is a SocketLine
    server.lines[0].write(reply({"token": token}, 200, FEED))
    assert (await client.read_feed()).id == 2
    assert len(server.lines) == 1


async def test_a_service_that_is_busy(server: ScriptedSocket, client: PAWSClient) -> None:
    """A 503 is asked again, as over HTTP."""
    server.play(says(503, headers={"RETRY_AFTER": "0"}), says(200, FEED))
    assert (await client.read_feed()).id == 504


# Time


@pytest.fixture
def clock() -> Clock:
    """Return the clock of `timed`."""
    return Clock()


@pytest.fixture
def timed(server: ScriptedSocket, clock: Clock) -> Iterator[PAWSClient]:
    """Return a client whose time stands still unless the test moves it."""
    client = make_client(
        server,
        endpoint=TCP4ClientEndpoint(reactor, "127.0.0.1", server.port),
        reactor=clock,
        timeout=30,
        retry=RetryPolicy(first_delay=1, longest_delay=8),
        random=lambda: 1.0,
        now=clock.seconds,
    )
    blockon(client.connect())
    yield client
    blockon(client.disconnect())
    assert clock.getDelayedCalls() == []


async def test_a_call_has_one_deadline(server: ScriptedSocket, timed: PAWSClient, clock: Clock) -> None:
    """An answer that does not come fails the call; a line on which nothing comes at all is given up."""
    server.play(silence)
    result = outcome(timed.read_feed())
    await until(lambda: server.requests)
    clock.advance(29.9)
    assert result == []
    clock.advance(0.2)
    assert result[0].check(errors.RequestTimeout)
    await server.lines[0].lost
    await until(lambda: not timed.connected)


async def test_a_slow_call_on_a_line_that_lives(
    server: ScriptedSocket, timed: PAWSClient, clock: Clock
) -> None:
    """One answer that does not come is no reason to drop the line on which others do."""
    server.play(silence, says(200, FEED))
    result = outcome(timed.read_feed())
    await until(lambda: server.requests)
    clock.advance(20)
    await timed.read_feed()
    clock.advance(11)
    assert result[0].check(errors.RequestTimeout)
    await turns()
    assert timed.connected


async def test_waits_between_attempts_grow(server: ScriptedSocket, timed: PAWSClient, clock: Clock) -> None:
    """A service that accepts and closes at once is left alone for longer and longer."""

    def next_wait() -> float:
        (call,) = clock.getDelayedCalls()
        return float(call.getTime() - clock.seconds())

    waits = []
    for number in range(5):
        await until(lambda: timed.connected)
        await turns()
        assert len(server.lines) == number + 1
        server.lines[-1].abort()
        await until(lambda: not timed.connected)
        waits.append(next_wait())
        clock.advance(waits[-1])
    assert waits == [1, 2, 4, 8, 8]
    await until(lambda: timed.connected)
    server.play(says(200, FEED))
    await timed.read_feed()
    server.lines[-1].abort()
    await until(lambda: not timed.connected)
    assert next_wait() == 1


async def test_a_call_without_a_line_in_time(server: ScriptedSocket, timed: PAWSClient, clock: Clock) -> None:
    """When no line is made in time the error says why."""
    port = server.port
    await server.stop()
    await until(lambda: not timed.connected)
    result = outcome(timed.read_feed())
    for _ in range(4):
        clock.advance(8)
        await turns()
    assert result[0].check(errors.RequestTimeout)
    assert f"tcp://127.0.0.1:{port}/v2/feeds/504.json" in result[0].getErrorMessage()
    assert "no connection: " in result[0].getErrorMessage()
    assert "refused" in result[0].getErrorMessage()


# The life of the connection


def unused_port() -> int:
    """Return a port that nobody listens on, at least a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        number: int = listener.getsockname()[1]
        return number


async def test_connecting_where_nobody_is() -> None:
    """The first attempt fails: False, and nothing is left after `disconnect`."""
    client = PAWSClient(url=f"tcp:127.0.0.1:{unused_port()}", environ={})
    assert await client.connect() is False
    assert not client.connected
    assert await client.disconnect() is True


async def test_it_goes_on_trying(server: ScriptedSocket) -> None:
    """After False the client connects as soon as there is a service."""
    port = server.port
    client = make_client(server, retry=RetryPolicy(first_delay=0.01))
    await server.stop()
    assert await client.connect() is False
    call = client.read_feed()
    again = ScriptedSocket(reactor, f"tcp:{port}:interface=127.0.0.1")
    again.play(says(200, FEED))
    await again.start()
    assert (await call).id == 504
    assert client.connected
    assert await client.connect() is True
    await client.disconnect()
    await again.stop()


async def test_calls_before_connect(server: ScriptedSocket) -> None:
    """Calls and subscriptions of a client that nobody connected fail at once, with a hint."""
    client = make_client(server)
    with pytest.raises(errors.ConnectionFailed, match="call connect"):
        await client.read_feed()
    with pytest.raises(errors.ConnectionFailed, match="call connect"):
        await client.subscribe("/feeds/504")
    assert await client.disconnect() is True


async def test_disconnect(server: ScriptedSocket, client: PAWSClient) -> None:
    """It fires when the line is closed; what was under way fails, and nothing stays in the reactor."""
    server.always = silence
    result = outcome(client.read_feed())
    subscription = client.subscribe("/feeds/504")
    subscribed = outcome(subscription.subscribed)
    await until(lambda: len(server.requests) == 3)
    assert await client.disconnect() is True
    assert not client.connected
    for outcomes in (result, subscribed):
        assert outcomes[0].check(errors.ConnectionFailed)
        assert "disconnected" in outcomes[0].getErrorMessage()
    assert [item async for item in subscription] == []
    await server.lines[0].lost
    assert await client.disconnect() is True
    with pytest.raises(errors.ConnectionFailed):
        await client.read_feed()


async def test_connecting_again(server: ScriptedSocket, client: PAWSClient) -> None:
    """A client that was disconnected can be connected again."""
    for number in range(3):
        assert await client.disconnect() is True
        assert await client.connect() is True
        server.play(says(200, FEED))
        assert (await client.read_feed()).id == 504
        assert len(server.lines) == number + 2


async def test_disconnecting_and_connecting_at_once(server: ScriptedSocket, client: PAWSClient) -> None:
    """Nobody has to wait for the end of the old connection."""
    first, second = client.disconnect(), client.connect()
    assert (await first, await second) == (True, True)
    server.play(says(200, FEED))
    assert (await client.read_feed()).id == 504


class Nowhere:
    """An endpoint that never connects."""

    def __init__(self) -> None:
        self.cancelled = 0

    def connect(self, factory: Any) -> Deferred[Any]:
        return Deferred(self._cancel)

    def _cancel(self, _: Any) -> None:
        self.cancelled += 1


@pytest.mark.parametrize("ending", ["disconnect", "cancel"])
async def test_ending_while_connecting(ending: str) -> None:
    """An attempt that is under way ends with the client, or when it is cancelled."""
    clock, nowhere = Clock(), Nowhere()
    endpoint: Any = nowhere
    client = PAWSClient(endpoint=endpoint, reactor=clock, environ={})
    connecting = client.connect()
    result = outcome(connecting)
    call = outcome(client.read_feed(feed_id=1))
    if ending == "disconnect":
        assert await client.disconnect() is True
        assert result == [False]
    else:
        connecting.cancel()
        assert result[0].check(CancelledError)
    assert nowhere.cancelled == 1
    assert call[0].check(errors.ConnectionFailed)
    assert clock.getDelayedCalls() == []


async def test_ending_while_waiting_for_the_next_attempt(
    server: ScriptedSocket, timed: PAWSClient, clock: Clock
) -> None:
    """So does the wait for the next attempt."""
    server.lines[0].abort()
    await until(lambda: not timed.connected)
    assert len(clock.getDelayedCalls()) == 1
    assert await timed.disconnect() is True
    assert clock.getDelayedCalls() == []


async def test_a_service_that_does_not_let_go(
    server: ScriptedSocket, timed: PAWSClient, clock: Clock
) -> None:
    """Closing takes its time when the service does not read; then the line is cut."""
    server.lines[0]._stream.pauseProducing()
    server.always = silence
    for _ in range(50):
        timed.update_feed(data="x" * 500_000).addErrback(lambda _: None)
    await turns()
    done = outcome(timed.disconnect())
    await turns()
    assert done == []
    clock.advance(CLOSE_SECONDS)
    await until(lambda: done == [True])


async def test_a_handshake_that_never_ends(server: ScriptedSocket, clock: Clock) -> None:
    """A WebSocket that is never agreed upon is a failed attempt, and so is giving up before that."""
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", server.port)
    client = PAWSClient(url="ws://127.0.0.1/", endpoint=endpoint, reactor=clock, environ={})
    result = outcome(client.connect())
    await until(lambda: server.lines)
    server.lines[0].dataReceived = lambda data: None  # type: ignore[method-assign] # it says nothing
    clock.advance(HANDSHAKE_SECONDS)
    await until(lambda: result)
    assert result == [False]
    await server.lines[0].lost
    await until(lambda: len(clock.getDelayedCalls()) == 1)
    clock.advance(10)
    await until(lambda: len(server.lines) == 2)
    server.lines[1].dataReceived = lambda data: None  # type: ignore[method-assign] # likewise
    assert await client.disconnect() is True
    await server.lines[1].lost
    assert clock.getDelayedCalls() == []


# What is shown


async def test_no_key_is_shown(server: ScriptedSocket, client: PAWSClient) -> None:
    """Neither the client nor anything it is made of shows the key; nor does an error, if the service does."""
    server.play(
        says(403, {"title": "No the-key", "errors": "the-key"}), says(403, "the-key"), says(403, "the-key")
    )
    with pytest.raises(errors.Forbidden) as caught:
        await client.read_api_key(key_id="another-key")
    assert "key" not in str(caught.value).replace("/keys/", "")
    with pytest.raises(errors.Forbidden) as caught:
        await client.subscribe("/feeds/504", replay=False)
    assert "the-key" not in str(caught.value)
    assert repr(client) == f"<PAWSClient {server.url} feed 504>"
    seen: list[Any] = [client._connection, client._connection.session, client._connection._endpoint]
    assert "the-key" not in repr(seen) + repr([vars(each) for each in seen])


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1",
        "ws://u:secret@host/",
        "ws://host/?key=secret",
        "tcp://host/path",
        "nonsense",
        "tcp:x:y:z=1",
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    """What is no address of a socket server is refused when the client is made, without showing secrets."""
    with pytest.raises(errors.InvalidValue) as caught:
        PAWSClient(url=url, environ={})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, "tcp://127.0.0.1:8081"),
        ({"environ": {"PACHUBE_PAWS": "ws://pachube.example/socket"}}, "ws://pachube.example:80/socket"),
        ({"url": "tls://pachube.example"}, "tls://pachube.example:8091"),
        ({"url": "wss://pachube.example"}, "wss://pachube.example:443"),
        ({"url": "tcp:pachube.example:9"}, "tcp://pachube.example:9"),
        ({"url": "tcp://[::1]:9"}, "tcp://[::1]:9"),
        ({"endpoint": "unix:/run/pachube.sock"}, "unix:/run/pachube.sock"),
        ({"endpoint": "ws://h:1", "environ": {"PACHUBE_PAWS": "tcp://x:1"}}, "ws://h:1"),
    ],
)
def test_addresses(given: dict[str, Any], shown: str) -> None:
    """A URL, an endpoint's description or the environment say where the service is."""
    assert PAWSClient(**{"environ": {}, **given}).base_url == shown


async def test_nothing_refers_to_a_client_that_is_gone(server: ScriptedSocket) -> None:
    """After `disconnect` a client, its subscriptions and its lines can be collected."""
    server.always = says(200, FEED)
    client = make_client(server)
    await client.connect()
    token, subscribed = client.subscribe("/feeds/504", print)
    await subscribed
    await client.disconnect()
    left = weakref.ref(client)
    del client, token, subscribed
    await turns()
    gc.collect()
    assert left() is None
