"""Subscriptions, against a server that plays a script."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from pytest_twisted import blockon
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import Clock, deferLater
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher

from txpachube import Datastream, Environment, errors
from txpachube.client import PAWSClient, RetryPolicy, is_replay
from txpachube.client.paws_connection import PROBE_SECONDS, SILENT_SECONDS
from txpachube.client.subscription import MAX_WAITING, MAX_WAITING_BYTES
from txpachube.testing.scripted import Line, cut, silence
from txpachube.testing.scripted_socket import ScriptedSocket, SocketLine, push, reply, says

RESOURCE = "/feeds/504"


class Service:
    """
    A service of one datastream that is told what to do.

    Attributes:
        points: the values, by the second.
        subscriptions: the messages that asked for one, with their lines.
        odd: steps for the next messages, in the place of the usual answers.
        refuse_history: the status of the answer to questions about the history.
    """

    def __init__(self, server: ScriptedSocket) -> None:
        self.server = server
        self.points: dict[int, str] = {}
        self.subscriptions: list[tuple[Line, dict[str, Any]]] = []
        self.odd: list[Any] = []
        self.refuse_history = 0
        server.always = self.answer

    def document(self) -> dict[str, Any]:
        if not self.points:
            return {"id": "temp"}
        newest = max(self.points)
        return {"id": "temp", "current_value": self.points[newest], "at": at(newest)}

    def answer(self, line: Line) -> None:
        if self.odd:
            self.odd.pop(0)(line)
            return
        message = cast("SocketLine", line).message
        resource, parameters = message["resource"], message["params"]
        if message["method"] == "subscribe":
            self.subscriptions.append((line, message))
            line.write(reply(message, 200))
        elif message["method"] == "unsubscribe":
            self.subscriptions = [each for each in self.subscriptions if each[1]["token"] != message["token"]]
            line.write(reply(message, 200))
        elif self.refuse_history and parameters:
            line.write(reply(message, self.refuse_history, {"title": "No", "errors": "no history for you"}))
        else:
            document = self.document()
            if "interval" in parameters:
                document["datapoints"] = [
                    {"at": at(second), "value": value}
                    for second, value in sorted(self.points.items())
                    if parameters["start"] <= at(second) <= parameters["end"]
                ][: int(parameters["limit"])]
            if resource.startswith("/feeds/504.json"):
                document = {"id": 504, "title": "Greenhouse", "datastreams": [document]}
            line.write(reply(message, 200, document))

    def write(self, second: int, value: str) -> None:
        """Store a point and tell the subscribers."""
        self.points[second] = value
        for line, message in self.subscriptions:
            if not line.lost.called:
                document = self.document()
                if "datastreams" not in message["resource"]:
                    document = {"id": 504, "title": "Greenhouse", "datastreams": [document]}
                line.write(push(message, document))

    def break_line(self) -> None:
        self.server.lines[-1].abort()


def at(second: int) -> str:
    return f"2013-06-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.000000Z"


def values(structures: list[Any]) -> list[str]:
    """Return the values that a subscriber was given, each as often as it was."""
    found: list[str] = []
    for structure in structures:
        stream = structure
        if isinstance(structure, Environment):
            assert structure.datastreams is not None
            stream = structure.datastreams["temp"]
        if stream.datapoints:
            found += [str(point.value) for point in stream.datapoints]
            assert stream.current_value == found[-1]
        else:
            found.append(str(stream.current_value))
    return found


@pytest.fixture
def server() -> Iterator[ScriptedSocket]:
    """Return a server that listens and has an empty script."""
    server = ScriptedSocket(reactor)
    blockon(Deferred.fromCoroutine(server.start()))
    yield server
    blockon(Deferred.fromCoroutine(server.stop()))


@pytest.fixture
def service(server: ScriptedSocket) -> Service:
    """Return a service of one datastream."""
    return Service(server)


def make_client(server: ScriptedSocket, **arguments: Any) -> PAWSClient:
    given = {
        "url": server.url,
        "timeout": 20,
        "retry": RetryPolicy(first_delay=0, longest_delay=0),
        "environ": {},
        **arguments,
    }
    return PAWSClient("the-key", 504, **given)


@pytest.fixture
def client(server: ScriptedSocket) -> Iterator[PAWSClient]:
    """Return a client that is connected and repeats without waiting."""
    client = make_client(server)
    assert blockon(client.connect()) is True
    yield client
    blockon(client.disconnect())


@pytest.fixture
def log() -> Iterator[list[LogEvent]]:
    """Return a list of what is logged."""
    events: list[LogEvent] = []

    observer = cast("ILogObserver", events.append)
    globalLogPublisher.addObserver(observer)
    yield events
    globalLogPublisher.removeObserver(observer)


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


# The ways to use it


async def test_with_a_handler(service: Service, client: PAWSClient) -> None:
    """A token, a Deferred with the status, and a handler that gets a structure for each push."""
    given: list[Environment] = []
    token, subscribed = client.subscribe(RESOURCE, given.append)
    assert await subscribed == 200
    service.write(1, "20.50")
    service.write(2, "21")
    await until(lambda: len(given) == 2)
    assert [type(each) for each in given] == [Environment, Environment]
    assert (given[0].title, values(given)) == ("Greenhouse", ["20.50", "21"])
    assert service.subscriptions[0][1]["token"] == token
    assert service.subscriptions[0][1]["headers"] == {"X-ApiKey": "the-key"}
    assert not any(map(is_replay, given))


async def test_a_datastream(service: Service, client: PAWSClient) -> None:
    """What is pushed for a datastream is a `Datastream`."""
    given: list[Datastream] = []
    await client.subscribe(f"{RESOURCE}/datastreams/temp", given.append, api_key="another-key")
    service.write(1, "0000017")
    await until(lambda: given)
    assert given == [Datastream(id="temp", current_value="0000017", at=at(1))]
    assert service.subscriptions[0][1]["headers"] == {"X-ApiKey": "another-key"}


async def test_awaiting_the_pair(service: Service, client: PAWSClient) -> None:
    """The pair can be awaited as a whole."""
    token, status = await client.subscribe(RESOURCE, print)
    assert (token, status) == (service.subscriptions[0][1]["token"], 200)


async def test_iterating(service: Service, client: PAWSClient) -> None:
    """Without a handler one iterates; the loop ends with the subscription."""
    subscription = client.subscribe(RESOURCE)
    given = []

    async def consume() -> None:
        async for environment in subscription:
            given.append(environment)

    done = outcome(Deferred.fromCoroutine(consume()))
    await subscription
    for second in range(5):
        service.write(second, str(second))
    await until(lambda: len(given) == 5)
    assert values(given) == list("01234")
    assert await client.unsubscribe(RESOURCE, subscription.token) is True
    assert done == [None]
    assert service.subscriptions == []


async def test_what_waits_is_given_before_the_end(service: Service, client: PAWSClient) -> None:
    """A loop that begins late gets what has arrived, also after the end."""
    subscription = client.subscribe(RESOURCE)
    await subscription
    service.write(1, "a")
    service.write(2, "b")
    await until(lambda: len(subscription._queue) == 2)
    await client.disconnect()
    assert values([each async for each in subscription]) == ["a", "b"]
    assert [each async for each in subscription] == []


async def test_a_loop_over_one_with_a_handler(service: Service, client: PAWSClient) -> None:
    """That is a mistake of the program."""
    subscription = client.subscribe(RESOURCE, print)
    with pytest.raises(TypeError, match="handler"):
        async for _ in subscription:
            pass
    await subscription


async def test_a_handler_that_raises(service: Service, client: PAWSClient, log: list[LogEvent]) -> None:
    """It is logged, and the next push comes all the same."""
    given: list[str] = []

    def handle(environment: Environment) -> None:
        given.append(values([environment])[0])
        raise RuntimeError("oops")

    await client.subscribe(RESOURCE, handle)
    service.write(1, "a")
    service.write(2, "b")
    await until(lambda: len(given) == 2)
    failures = [event["log_failure"] for event in log if "log_failure" in event]
    assert [str(failure.value) for failure in failures] == ["oops", "oops"]
    assert client.connected


async def test_a_handler_that_is_a_coroutine(
    service: Service, client: PAWSClient, log: list[LogEvent]
) -> None:
    """It is waited for before the next call; it may make calls, and its errors are logged."""
    given: list[str] = []
    gates: list[Deferred[None]] = []

    async def handle(environment: Environment) -> None:
        given.append(values([environment])[0])
        gate: Deferred[None] = Deferred()
        gates.append(gate)
        await gate
        assert (await client.read_feed()).id == 504
        raise RuntimeError("oops")

    await client.subscribe(RESOURCE, handle)
    for second, value in enumerate("abc"):
        service.write(second, value)
    for number in range(3):
        await until(lambda n=number: len(gates) == n + 1)  # type: ignore[misc] # mypy cannot see n's type
        await turns()
        assert given == list("abc")[: number + 1]
        gates[number].callback(None)
    await until(lambda: sum("log_failure" in event for event in log) == 3)


async def test_handlers_that_are_done_at_once(service: Service, client: PAWSClient) -> None:
    """A coroutine that does not wait is like a function, however much there is to give."""
    given: list[Environment] = []
    gate: Deferred[None] = Deferred()

    async def handle(environment: Environment) -> None:
        given.append(environment)
        if len(given) == 1:
            await gate

    subscription = client.subscribe(RESOURCE, handle)
    await subscription
    for second in range(MAX_WAITING):
        service.write(second, str(second))
    await until(lambda: len(subscription._queue) == MAX_WAITING - 1)
    gate.callback(None)
    assert values(given) == [str(second) for second in range(MAX_WAITING)]


async def test_ending_it_from_the_handler(service: Service, client: PAWSClient) -> None:
    """A handler may unsubscribe; what is behind in the same packet does not reach it."""
    given: list[Environment] = []
    ends: list[Any] = []

    def handle(environment: Environment) -> None:
        given.append(environment)
        client.unsubscribe(RESOURCE, subscription.token).addBoth(ends.append)

    subscription = client.subscribe(RESOURCE, handle)
    await subscription
    service.write(1, "a")
    service.write(2, "b")
    await until(lambda: ends)
    assert (values(given), ends) == (["a"], [True])


# Errors


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (401, "Unauthorized: You are not authorized", errors.Unauthorized),
        (403, "Forbidden: You are not authorized", errors.Forbidden),
        (404, "Not Found", errors.NotFound),
    ],
)
async def test_refused(
    server: ScriptedSocket, client: PAWSClient, status: int, text: str, kind: type[errors.ResponseError]
) -> None:
    """A refusal fails the Deferred with a typed error, and the loop too."""
    server.always = says(status, text)
    subscription = client.subscribe(RESOURCE)
    with pytest.raises(kind) as caught:
        await subscription
    assert caught.value.errors == [text]
    assert caught.value.request == f"SUBSCRIBE {server.url}/feeds/504"
    with pytest.raises(kind):
        async for _ in subscription:
            pass
    assert await client.unsubscribe(RESOURCE, subscription.token) is True


async def test_a_refusal_that_nobody_asks_for(
    server: ScriptedSocket, client: PAWSClient, log: list[LogEvent]
) -> None:
    """It is logged once, without the key, and is no unhandled error."""
    server.always = says(403, "Forbidden: the-key")
    client.subscribe(RESOURCE, print)
    await until(lambda: any("ended" in (event.get("log_format") or "") for event in log))
    gc.collect()
    assert not any(event.get("isError") for event in log)
    assert "the-key" not in str(log)


@pytest.mark.parametrize(
    "resource",
    [
        "/users/rosa",
        "/feeds",
        "/feeds/x",
        "",
        "/feeds/504/datastreams/temp/datapoints",
        "/feeds/504?key=S3cret",
    ],
)
async def test_what_cannot_be_subscribed(client: PAWSClient, resource: str) -> None:
    """Only feeds and datastreams can be, and a key does not belong there."""
    with pytest.raises(errors.InvalidValue) as caught:
        await client.subscribe(resource)
    assert "S3cret" not in str(caught.value)


async def test_a_service_that_is_busy(service: Service, client: PAWSClient) -> None:
    """A 503 is asked again."""
    service.odd += [silence, says(503), says(503)]
    assert (await client.subscribe(RESOURCE, print))[1] == 200


async def test_a_push_that_is_no_document(service: Service, client: PAWSClient) -> None:
    """It is skipped."""
    given: list[Environment] = []
    await client.subscribe(RESOURCE, given.append)
    line, message = service.subscriptions[0]
    line.write(push(message, {"datastreams": 5}) + push({**message, "token": "other"}, service.document()))
    service.write(1, "a")
    await until(lambda: given)
    assert values(given) == ["a"]


async def test_cancelling(service: Service, client: PAWSClient) -> None:
    """Cancelling the Deferred takes the subscription back."""
    service.odd += [silence, silence]
    subscription = client.subscribe(RESOURCE)
    _, subscribed = subscription
    result = outcome(subscribed)
    subscribed.cancel()
    assert result[0].check(CancelledError)
    assert [each async for each in subscription] == []
    await until(lambda: len(service.server.requests) == 3)
    assert service.server.messages[2] == f"UNSUBSCRIBE {RESOURCE}"


async def test_unsubscribing_what_is_not_there(service: Service, client: PAWSClient) -> None:
    """That is True, as the service has it; so is unsubscribing while there is no line."""
    assert await client.unsubscribe(RESOURCE, "nonsense") is True
    subscription = client.subscribe(RESOURCE, print)
    await subscription
    assert await client.unsubscribe("/feeds/505", subscription.token) is True
    assert len(service.subscriptions) == 1
    service.break_line()
    await until(lambda: not client.connected)
    assert await subscription.unsubscribe() is True
    assert await subscription.unsubscribe() is True


async def test_the_same_resource_twice(service: Service, client: PAWSClient) -> None:
    """Each subscription has its own token, and gets its own push."""
    first: list[Environment] = []
    second: list[Environment] = []
    a, _ = await client.subscribe(RESOURCE, first.append)
    b, _ = await client.subscribe(RESOURCE, second.append)
    assert a != b
    service.write(1, "x")
    await until(lambda: first and second)
    await client.unsubscribe(RESOURCE, a)
    service.write(2, "y")
    await until(lambda: len(second) == 2)
    assert (values(first), values(second)) == (["x"], ["x", "y"])


# Breaks


@pytest.mark.parametrize(
    "resource", [RESOURCE, f"{RESOURCE}/datastreams/temp", f"{RESOURCE}/datastreams/temp.json"]
)
async def test_nothing_is_missed(service: Service, client: PAWSClient, resource: str) -> None:
    """After a break what was written in between comes first, marked, and then the pushes go on."""
    if resource.endswith(".json"):  # no datastream has this as its whole id
        service.odd.append(says(404))
    given: list[Any] = []
    await client.subscribe(resource, given.append)
    for second in range(3):
        service.write(second, str(second))
    await until(lambda: len(given) == 3)
    for again in range(3):
        service.break_line()
        for missed in range(4):
            service.write(10 * (again + 1) + missed, f"{again}-{missed}")
        await until(lambda: len(service.subscriptions) == again + 2)  # noqa: B023 - it is called at once
        service.write(10 * (again + 1) + 9, f"{again}-live")
        await until(lambda: values(given)[-1] == f"{again}-live")  # noqa: B023 - likewise
    seen = values(given)
    assert seen == list("012") + [
        f"{again}-{what}" for again in range(3) for what in ("0", "1", "2", "3", "live")
    ]
    assert [is_replay(each) for each in given[:4]] == [False, False, False, True]


async def test_a_break_before_the_first_push(service: Service, client: PAWSClient) -> None:
    """Also what came right after subscribing is not missed, and what was before it is not given."""
    service.points = {1: "old", 2: "older"}
    given: list[Environment] = []
    await client.subscribe(RESOURCE, given.append)
    service.break_line()
    service.write(3, "new")
    await until(lambda: given)
    assert values(given) == ["new"]


async def test_a_push_cut_anywhere(service: Service, client: PAWSClient) -> None:
    """Wherever a push breaks off, its point is given once."""
    given: list[Environment] = []
    await client.subscribe(RESOURCE, given.append)
    expected: list[str] = []
    service.points[0] = "written without a push"
    line, message = service.subscriptions[-1]
    length = len(push(message, {"id": 504, "title": "Greenhouse", "datastreams": [service.document()]}))
    for cut_at in range(length + 1):
        line, message = service.subscriptions[-1]
        service.points[cut_at + 1] = "12345"
        text = push(message, {"id": 504, "title": "Greenhouse", "datastreams": [service.document()]})
        line.write(text[:cut_at])
        line.close()
        expected.append(at(cut_at + 1))
        await until(lambda: service.subscriptions[-1][0] is not line)  # noqa: B023 - it is called at once
        await until(lambda: len(given) == len(expected))
    streams: list[Any] = [each.datastreams["temp"] for each in given if each.datastreams]
    seen = [point.at for stream in streams for point in (stream.datapoints or [stream])]
    assert seen == [at(0), *expected]


async def test_a_break_while_catching_up(service: Service, client: PAWSClient) -> None:
    """A break in the middle of catching up begins it anew, without giving anything twice."""
    given: list[Environment] = []
    await client.subscribe(RESOURCE, given.append)
    service.write(1, "1")
    await until(lambda: given)
    for at_message in range(3):  # the subscription, the state, the history
        service.odd += [_usual(service)] * at_message + [cut(b"{")]
        service.break_line()
        service.write(at_message + 2, str(at_message + 2))
        await until(lambda: len(given) == at_message + 2)  # noqa: B023 - it is called at once
    assert values(given) == ["1", "2", "3", "4"]


def _usual(service: Service) -> Callable[[Line], None]:
    def step(line: Line) -> None:
        odd, service.odd = service.odd, []
        service.answer(line)
        service.odd = odd

    return step


@pytest.mark.parametrize("end", ["unsubscribe", "disconnect", "break"])
async def test_ending_it_while_catching_up(service: Service, client: PAWSClient, end: str) -> None:
    """A handler may end everything, also while it is given what was missed."""
    given: list[Environment] = []
    ends: list[Any] = []

    def handle(environment: Environment) -> None:
        given.append(environment)
        if len(given) == 2:
            if end == "unsubscribe":
                subscription.unsubscribe().addBoth(ends.append)
            elif end == "disconnect":
                client.disconnect().addBoth(ends.append)
            else:
                service.break_line()
                ends.append(True)

    subscription = client.subscribe(RESOURCE, handle)
    await subscription
    service.write(1, "1")
    await until(lambda: given)

    def two_pages(line: Line) -> None:
        _usual(service)(line)
        service.write(3, "3")

    service.odd += [_usual(service), _usual(service), two_pages]
    service.break_line()
    service.write(2, "2")
    await until(lambda: ends)
    assert ends == [True]
    if end == "break":
        await until(lambda: len(given) == 3)
        assert values(given) == ["1", "2", "3"]
    else:
        await turns(30)
        assert values(given) == ["1", "2"]
        assert client._followed == {}
    assert client.connected == (end != "disconnect")


@pytest.mark.parametrize("end", ["unsubscribe", "disconnect"])
async def test_ending_it_with_the_answer(service: Service, client: PAWSClient, end: str) -> None:
    """Who hears that a subscription stands may end it, or everything, at once."""
    ends: list[Any] = []
    subscription = client.subscribe(RESOURCE, print)

    def finish(status: int) -> None:
        ends.append(status)
        (subscription.unsubscribe() if end == "unsubscribe" else client.disconnect()).addBoth(ends.append)

    subscription.subscribed.addCallback(finish)
    await until(lambda: len(ends) == 2)
    assert ends == [200, True]
    assert client._followed == {}


async def test_pushes_while_catching_up(service: Service, client: PAWSClient) -> None:
    """What is pushed meanwhile comes after what was missed, and only if it is later."""
    given: list[Environment] = []
    await client.subscribe(RESOURCE, given.append)
    service.write(1, "1")
    await until(lambda: given)

    def push_around(line: Line) -> None:
        service.write(3, "3")  # it will be in the state as well
        _usual(service)(line)
        service.write(4, "4")

    service.odd += [_usual(service), push_around]
    service.break_line()
    service.write(2, "2")
    await until(lambda: len(values(given)) >= 4)
    service.write(5, "5")
    await until(lambda: values(given)[-1] == "5")
    assert values(given) == ["1", "2", "3", "4", "5"]


async def test_a_flood_while_catching_up(service: Service, client: PAWSClient) -> None:
    """When more is pushed meanwhile than is kept, catching up is done again."""
    given: list[Environment] = []
    await client.subscribe(RESOURCE, given.append)
    service.write(1, "1")
    await until(lambda: given)

    def flood(line: Line) -> None:
        _usual(service)(line)
        for second in range(10, 10 + 3 * MAX_WAITING):
            service.write(second, str(second))

    service.odd += [_usual(service), flood]
    service.break_line()
    service.write(2, "2")
    await until(lambda: len(values(given)) >= 2 + 3 * MAX_WAITING)
    assert values(given) == ["1", "2", *map(str, range(10, 10 + 3 * MAX_WAITING))]


async def test_metadata_that_changed_during_a_break(service: Service, client: PAWSClient) -> None:
    """A feed that was only described anew is given once, as a push would be."""
    given: list[Environment] = []
    feed = {"id": 504, "title": "Old", "updated": at(1), "datastreams": [{"id": "temp"}]}
    service.odd += [says(200, feed)]
    await client.subscribe(RESOURCE, given.append)
    service.odd += [says(200), says(200, {**feed, "title": "New", "updated": at(2)})]
    service.break_line()
    await until(lambda: given)
    assert [each.title for each in given] == ["New"]
    assert not is_replay(given[0])


async def test_without_replay(service: Service, server: ScriptedSocket, client: PAWSClient) -> None:
    """It can be switched off: then only pushes are given, and nothing else is asked."""
    given: list[Environment] = []
    await client.subscribe(RESOURCE, given.append, replay=False)
    service.write(1, "1")
    await until(lambda: given)
    service.break_line()
    service.write(2, "2")
    await until(lambda: len(service.subscriptions) == 2)
    service.write(3, "3")
    await until(lambda: len(given) == 2)
    assert values(given) == ["1", "3"]
    assert server.messages == [f"SUBSCRIBE {RESOURCE}"] * 2


async def test_a_key_that_may_not_read_the_history(
    service: Service, client: PAWSClient, log: list[LogEvent]
) -> None:
    """Then the present state is given, and it is said that points may be missing."""
    service.refuse_history = 403
    given: list[Environment] = []
    subscription = client.subscribe(RESOURCE, given.append)
    await subscription
    service.write(1, "1")
    await until(lambda: given)
    service.break_line()
    service.write(2, "2")
    service.write(3, "3")
    await until(lambda: len(given) == 2)
    service.write(4, "4")
    await until(lambda: len(given) == 3)
    assert values(given) == ["1", "3", "4"]
    assert subscription.incomplete == 1
    assert any("no history for you" in str(event.get("why")) for event in log)


async def test_a_history_that_comes_later(service: Service, client: PAWSClient) -> None:
    """A service that fails to give the history now is asked again, as long as the line stands."""
    given: list[Environment] = []
    await client.subscribe(RESOURCE, given.append)
    service.write(1, "1")
    await until(lambda: given)
    attempts = RetryPolicy().attempts
    service.odd += [_usual(service), _usual(service), says(500), _usual(service), *[says(503)] * attempts]
    service.break_line()
    service.write(2, "2")
    await until(lambda: len(given) == 2)
    assert values(given) == ["1", "2"]


async def test_a_right_that_was_lost_during_a_break(service: Service, client: PAWSClient) -> None:
    """When the service refuses to subscribe again, the loop ends with that error."""
    subscription = client.subscribe(RESOURCE)
    await subscription
    service.odd += [says(403, "Forbidden: You are not authorized")]
    service.break_line()
    with pytest.raises(errors.Forbidden):
        async for _ in subscription:
            pass
    assert client._followed == {}


async def test_many_breaks_before_the_answer(service: Service, client: PAWSClient) -> None:
    """A subscription that was not answered is asked for on the next line, until it is."""
    service.odd += [cut(b""), cut(b""), _usual(service), cut(b'{"status":2')]
    assert (await client.subscribe(RESOURCE, print))[1] == 200


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
        replay=False,
        random=lambda: 1.0,
    )
    blockon(client.connect())
    yield client
    blockon(client.disconnect())
    assert clock.getDelayedCalls() == []


async def test_an_answer_that_does_not_come(service: Service, timed: PAWSClient, clock: Clock) -> None:
    """The Deferred fails when the time of a call is over."""
    service.odd += [silence]
    subscription = timed.subscribe(RESOURCE)
    result = outcome(subscription.subscribed)
    clock.advance(29.9)
    assert result == []
    clock.advance(0.2)
    assert result[0].check(errors.RequestTimeout)
    assert timed._followed == {}


async def test_a_silent_line_is_asked(
    service: Service, server: ScriptedSocket, timed: PAWSClient, clock: Clock
) -> None:
    """A line on which nothing comes is asked whether it lives, and given up when it does not answer."""
    await timed.subscribe(RESOURCE, print)
    clock.advance(SILENT_SECONDS + 1)
    await until(lambda: len(server.requests) == 2)
    await turns()
    clock.advance(PROBE_SECONDS + 1)
    await turns()
    assert timed.connected
    service.odd += [silence]
    clock.advance(SILENT_SECONDS)
    await until(lambda: len(server.requests) == 3)
    clock.advance(PROBE_SECONDS + 1)
    await server.lines[0].lost
    await until(lambda: not timed.connected)
    clock.advance(1)
    await until(lambda: len(service.subscriptions) == 3)
    assert server.messages == [f"SUBSCRIBE {RESOURCE}"] * 4


async def test_a_line_without_subscriptions_is_left_alone(
    server: ScriptedSocket, timed: PAWSClient, clock: Clock
) -> None:
    """Who waits for nothing need not know whether the line lives."""
    clock.advance(SILENT_SECONDS * 3)
    await turns()
    assert server.requests == []


async def test_a_subscription_that_ended_silently(service: Service, timed: PAWSClient, clock: Clock) -> None:
    """A key that was deleted ends a subscription without a word; asking finds that out."""
    subscription = timed.subscribe(RESOURCE)
    await subscription
    service.odd += [says(401, "Unauthorized: You are not authorized")]
    clock.advance(SILENT_SECONDS + 1)
    with pytest.raises(errors.Unauthorized):
        async for _ in subscription:
            pass


# Consumers that lag


class Flood:
    """Writes to a line as long as it takes any; see `twisted.internet.interfaces.IPullProducer`."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.written = 0
        self.paused = False
        stream = service.subscriptions[-1][0]._stream
        stream.registerProducer(self, True)
        self.stream = stream
        self.resumeProducing()

    def resumeProducing(self) -> None:
        self.paused = False
        reactor.callLater(0, self._go_on)

    def _go_on(self) -> None:
        for _ in range(100):
            if self.paused or self.written >= 3000:
                return
            self.written += 1
            self.service.write(self.written, f"{self.written} " + "x" * 20_000)
        reactor.callLater(0, self._go_on)

    def pauseProducing(self) -> None:
        self.paused = True

    def stopProducing(self) -> None:
        self.paused = True


async def stands_still(flood: Flood) -> None:
    """Wait until nothing is written any more."""
    written = -1
    while flood.written != written:
        written = flood.written
        await deferLater(reactor, 0.05)
        await turns(50)


async def test_a_slow_loop_stops_the_reading(service: Service, client: PAWSClient) -> None:
    """The client reads no more than it may keep; when the loop goes on, everything comes, in order."""
    subscription = client.subscribe(RESOURCE)
    await subscription
    flood = Flood(service)
    await stands_still(flood)
    assert flood.written < 3000
    assert subscription._size <= 2 * MAX_WAITING_BYTES
    seen = 0
    async for environment in subscription:
        seen += 1
        assert values([environment])[0].startswith(f"{seen} ")
        if seen == 3000:
            break


async def test_a_service_that_only_pushes(service: Service, client: PAWSClient) -> None:
    """A service that does not tell the state at the beginning is read, or not read, all the same."""
    service.odd += [silence]
    subscription = client.subscribe(RESOURCE)
    await subscription
    flood = Flood(service)
    await stands_still(flood)
    assert flood.written < 3000
    seen = 0
    async for environment in subscription:
        seen += 1
        assert values([environment])[0].startswith(f"{seen} ")
        if seen == 3000:
            break


async def test_calls_go_on_meanwhile(service: Service, client: PAWSClient) -> None:
    """Who lags may make calls; what then is too much is read from the history afterwards."""
    subscription = client.subscribe(RESOURCE)
    await subscription
    flood = Flood(service)
    await stands_still(flood)
    seen: list[str] = []
    async for environment in subscription:
        seen += [value.partition(" ")[0] for value in values([environment])]
        if len(seen) % 20 == 1:
            assert (await client.read_feed()).id == 504
        assert len(subscription._queue) <= 2 * MAX_WAITING
        if len(seen) == 3000:
            break
    assert seen == [str(number) for number in range(1, 3001)]


async def test_a_loop_that_was_left(service: Service, client: PAWSClient) -> None:
    """Nobody is held up by a loop that was left; who begins another one misses nothing."""
    given: list[Environment] = []
    subscription = client.subscribe(RESOURCE)
    await client.subscribe(RESOURCE, given.append)
    await subscription
    service.write(0, "0")
    async for _ in subscription:
        break
    for second in range(1, 5 * MAX_WAITING):
        service.write(second, str(second))
    await until(lambda: len(given) == 5 * MAX_WAITING)
    assert len(subscription._queue) <= 2 * MAX_WAITING
    seen: list[str] = []
    async for environment in subscription:
        seen += values([environment])
        if len(seen) == 5 * MAX_WAITING - 1:
            break
    assert seen == [str(second) for second in range(1, 5 * MAX_WAITING)]


async def test_lagging_without_history(service: Service, client: PAWSClient) -> None:
    """Without replay the newest state takes the place of those before it, and that is counted."""
    subscription = client.subscribe(RESOURCE, replay=False)
    await subscription
    service.write(0, "0")
    async for _ in subscription:
        break
    count = 5 * MAX_WAITING
    for second in range(1, count):
        service.write(second, str(second))
    await until(lambda: subscription.skipped == count - 1 - 2 * MAX_WAITING)
    seen: list[str] = []
    async for environment in subscription:
        seen += values([environment])
        if seen[-1] == str(count - 1):
            break
    assert seen == [*map(str, range(1, 2 * MAX_WAITING)), str(count - 1)]


async def test_breaking_while_nothing_is_read(service: Service, client: PAWSClient) -> None:
    """A line that breaks while the client does not read is noticed when it does, and nothing is missed."""
    subscription = client.subscribe(RESOURCE)
    await subscription
    flood = Flood(service)
    await stands_still(flood)
    service.server.lines[-1].abort()
    flood.written = 3000
    seen: list[str] = []
    newest = max(service.points)
    async for environment in subscription:
        seen += [value.partition(" ")[0] for value in values([environment])]
        if seen[-1] == str(newest):
            break
    assert seen == [str(number) for number in range(1, newest + 1)]


async def test_disconnecting_while_nothing_is_read(service: Service, client: PAWSClient) -> None:
    """So does the end come."""
    subscription = client.subscribe(RESOURCE)
    await subscription
    flood = Flood(service)
    await stands_still(flood)
    assert await client.disconnect() is True
    await service.server.lines[-1].lost
