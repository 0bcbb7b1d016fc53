"""The socket client against the real service: the same results as over HTTP, and nothing missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from pytest_twisted import blockon
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from txpachube import (
    ConnectionFailed,
    Datapoint,
    Datastream,
    Environment,
    Error,
    Forbidden,
    Key,
    NotFound,
    ResponseError,
    Trigger,
    Unauthorized,
    User,
)
from txpachube.client import NO_RETRIES, Client, PAWSClient, RetryPolicy, is_replay
from txpachube.testing.proxy import Proxy
from txpachube.testing.service import LOOPBACK, ServiceProcess

DOORS = {"http": LOOPBACK, "paws": LOOPBACK, "websocket": LOOPBACK}
EARLY, LATE = "2013-06-01T10:00:00.000000Z", "2013-06-01T10:15:02.001200Z"
QUICK = RetryPolicy(first_delay=0, longest_delay=0.05)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Return a service with a socket door of each kind."""
    with ServiceProcess(tmp_path_factory.mktemp("sockets"), DOORS) as running:
        yield running
    assert "Traceback" not in running.log


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2].rstrip("/"))


def make(service: ServiceProcess, door: str = "paws", **arguments: Any) -> PAWSClient:
    given = {"url": service.urls[door], "timeout": 20, "retry": QUICK, "environ": {}, **arguments}
    return PAWSClient(service.api_key, **given)


@pytest.fixture
def writer(service: ServiceProcess) -> Iterator[Client]:
    """Return a client that writes over HTTP."""
    client = Client(service.api_key, base_url=service.url, timeout=20, environ={})
    yield client
    blockon(client.close())


async def turns(count: int = 10) -> None:
    """Let the reactor go round a few times."""
    for _ in range(count):
        await deferLater(reactor, 0.001)


async def until(condition: Callable[[], Any]) -> None:
    """Let the reactor go round until something is so; the test's own time limit ends it."""
    while not condition():
        await turns(1)


# The same as over HTTP


class Notes:
    """What calls gave, with that left out which differs from run to run."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, str] = {}

    async def take(self, call: Deferred[Any], *, changing: str = "") -> Any:
        """Note the result of a call, but for an attribute that changes, or all of it but its type."""
        try:
            result = await call
        except ResponseError as error:
            self._add(f"{type(error).__name__} {error.status} {error.title} {error.errors} {error.request}")
            return None
        except Error as error:
            self._add(f"{type(error).__name__} {error}")
            return None
        shown = result
        if changing:
            shown = "" if changing == "all" else attrs.evolve(result, **{changing: None})
        self._add(f"{type(result).__name__} {shown!r}")
        return result

    def hide(self, name: str, text: str) -> str:
        self.names[text] = name
        return text

    def _add(self, line: str) -> None:
        for text, name in self.names.items():
            line = line.replace(text, name)
        self.lines.append(line)


async def every_call(client: Any, base_url: str) -> list[str]:
    """Make every call in every format that it has, also such that fail, and return what came of them."""
    notes = Notes()
    notes.hide("URL", client.base_url)
    notes.hide("URL", base_url)  # URLs in documents are those of HTTP
    take = notes.take
    for form in ("json", "xml"):
        feed = Environment(
            title="x", private=True, datastreams=[Datastream(id="a", current_value="1", at=EARLY)]
        )
        feed_id = await client.create_feed(format=form, data=feed)
        notes.hide("feeds/N", f"feeds/{feed_id}")
        notes.hide("environment_id=N,", f"environment_id={feed_id},")
        stream = {"feed_id": feed_id, "datastream_id": "a"}
        point = {**stream, "timestamp": LATE}
        await take(client.create_datastream(feed_id=feed_id, format=form, data=Datastream(id="b ä")))
        await take(
            client.create_datastream(feed_id=feed_id, format=form, data=[Datastream(id="b"), {"id": "c"}])
        )
        await take(
            client.update_datastream(**stream, format=form, data=Datastream(current_value="2.50", at=LATE))
        )
        await take(client.update_feed(feed_id=feed_id, format=form, data=Environment(tags=["a, b", "ü"])))
        await take(client.update_feed(feed_id=feed_id, format="csv", data=f"b,{EARLY},3\r\na,{EARLY},9\r\n"))
        points = [Datapoint(at=EARLY, value="0"), Datapoint(at=LATE, value="02.50")]
        await take(client.create_datapoints(**stream, format=form, data=points))
        await take(client.create_datapoints(**stream, format="csv", data=f"{EARLY},5"))
        history = {"start": EARLY, "end": LATE, "interval": 0, "timezone": "+2"}
        for read in ("json", "xml", "csv"):
            await take(client.read_datastream(**stream, format=read, parameters=history))
            await take(client.read_datapoint(**point, format=read))
            await take(client.read_datapoint(**stream, timestamp="2001-01-01", format=read))
            document = await client.read_feed(feed_id=feed_id, format=read, parameters=history)
            document.id = document.updated = document.created = None
            notes._add(repr(document))
        page = await client.list_feeds(format=form, parameters={"per_page": 1, "order": "created_at"})
        notes._add(f"{page.start_index} {page.items_per_page} {len(page.feeds)}")
        await take(client.update_datapoint(**point, format=form, data=Datapoint(value="7")))
        await take(client.delete_datapoint(**point))
        await take(client.delete_datapoint(**point))
        await take(client.delete_datapoints(**stream, parameters={"start": EARLY}))
        await take(client.delete_datapoints(**stream))
        graph = await take(client.read_datastream(**stream, format="png", parameters={"width": 100}))
        assert graph is None or isinstance(graph, bytes)
        trigger = Trigger(
            url="http://127.0.0.1:1/",
            trigger_type="gt",
            threshold_value="5",
            environment_id=feed_id,
            stream_id="a",
        )
        made = await take(client.create_trigger(format=form, data=trigger), changing="all")
        notes.hide("triggers/N", f"triggers/{made}")
        await take(client.read_trigger(trigger_id=made or "1", format=form), changing="id")
        await take(client.update_trigger(trigger_id=made or "1", format=form, data=trigger))
        await take(client.delete_trigger(trigger_id=made or "1"))
        key = Key(label="door", permissions=[{"access_methods": ["get"]}])
        text = notes.hide("<key>", await client.create_api_key(format=form, data=key))
        await take(client.read_api_key(key_id=text, format=form))
        await take(client.update_api_key(key_id=text, format=form, data=Key(label="gate")))
        await take(client.read_feed(api_key=text, feed_id=feed_id))
        await take(client.update_feed(api_key=text, feed_id=feed_id, data="{}"))
        text = notes.hide("<key>", await client.regenerate_api_key(key_id=text))
        keys = await client.list_api_keys(format=form)
        notes._add(str([each.label for each in keys.keys if each.api_key == text]))
        await take(client.delete_api_key(key_id=text))
        await take(client.read_api_key(key_id=text, format=form))
        account = User(login=f"rosa-{form}", email="rosa@example.org", password="Geheim-123")
        await take(client.create_user(format=form, data=account))
        await take(client.create_user(format=form, data=account))
        for user in (
            await client.read_user(user_id=f"rosa-{form}", format=form),
            *(await client.list_users(format=form)).users,
        ):
            notes._add(repr(attrs.evolve(user, total_api_access_count=None, daily_api_access_count=None)))
        await take(client.update_user(user_id=f"rosa-{form}", format=form, data=User(about="me")))
        await take(client.update_user(user_id=f"rosa-{form}", format=form, data=User(roles=["unknown"])))
        await take(client.delete_user(user_id=f"rosa-{form}"))
        await take(client.read_user(user_id=f"rosa-{form}", format=form))
        await take(client.create_feed(format=form, data="{oops"))
        await take(client.create_feed(format=form, data=Environment(website="x" * 300)))
        await take(client.read_feed(api_key="unknown", feed_id=feed_id))
        await take(client.read_feed(feed_id="99999999"))
        await take(client.read_feed(feed_id=feed_id, parameters={"start": "x"}))
        await take(client.update_datastream(**stream, data=Datastream(current_value="x" * 256)))
        await take(client.update_datastream(**stream, format="csv", data="Grüße \U0001f321"))
        await take(client.read_datastream(**stream, format="csv"), changing="at")
        await take(client.delete_datastream(**stream))
        await take(client.delete_feed(feed_id=feed_id))
        await take(client.delete_feed(feed_id=feed_id))
    return notes.lines


@pytest.mark.parametrize("door", ["paws", "websocket"])
async def test_every_call_gives_what_it_gives_over_http(
    service: ServiceProcess, writer: Client, door: str
) -> None:
    """Every method, in every format and with the errors too, has the same result over a socket."""
    client = make(service, door)
    assert await client.connect() is True
    expected = await every_call(writer, writer.base_url)
    assert await every_call(client, writer.base_url) == expected
    assert len(expected) > 90
    assert await client.disconnect() is True


# Subscriptions


async def new_feed(writer: Client, *stream_ids: str) -> str:
    streams = [Datastream(id=stream_id) for stream_id in stream_ids]
    return await writer.create_feed(data=Environment(title="watched", datastreams=streams))


@pytest.mark.parametrize("door", ["paws", "websocket"])
async def test_subscribing(service: ServiceProcess, writer: Client, door: str) -> None:
    """What others write over HTTP is pushed, for a feed and for a datastream."""
    feed_id = await new_feed(writer, "a", "log.csv")
    client = make(service, door)
    await client.connect()
    feeds: list[Environment] = []
    streams: list[Datastream] = []
    files: list[Datastream] = []
    await client.subscribe(f"/feeds/{feed_id}", feeds.append)
    token, _ = await client.subscribe(f"/feeds/{feed_id}/datastreams/a", streams.append)
    await client.subscribe(f"/feeds/{feed_id}/datastreams/log.csv", files.append)
    await writer.update_datastream(feed_id=feed_id, datastream_id="a", data="0021.50", format="csv")
    await writer.update_datastream(feed_id=feed_id, datastream_id="log.csv", data="x", format="csv")
    await writer.update_feed(feed_id=feed_id, data=Environment(title="renamed"))
    await until(lambda: len(feeds) == 3 and streams and files)
    assert [each.title for each in feeds] == ["watched", "watched", "renamed"]
    assert (feeds[0].datastreams or {})["a"].current_value == "0021.50"
    assert [(each.id, each.current_value) for each in streams + files] == [("a", "0021.50"), ("log.csv", "x")]
    assert await client.unsubscribe(f"/feeds/{feed_id}/datastreams/a", token) is True
    await client.update_datastream(feed_id=feed_id, datastream_id="a", data="22", format="csv")
    await until(lambda: len(feeds) == 4)
    assert len(streams) == 1
    assert not any(map(is_replay, feeds))
    await client.disconnect()


@pytest.mark.parametrize("door", ["paws", "websocket"])
async def test_refused_subscriptions(service: ServiceProcess, writer: Client, door: str) -> None:
    """The service's refusals are typed errors."""
    feed_id = await writer.create_feed(data=Environment(title="x", private=True))
    key = await writer.create_api_key(data=Key(label="other", permissions=[{"access_methods": ["put"]}]))
    client = make(service, door)
    await client.connect()
    cases: list[tuple[type[ResponseError], dict[str, Any]]] = [
        (NotFound, {"resource": "/feeds/99999999"}),
        (NotFound, {"resource": f"/feeds/{feed_id}/datastreams/none"}),
        (Unauthorized, {"resource": f"/feeds/{feed_id}", "api_key": "unknown"}),
        (Unauthorized, {"resource": f"/feeds/{feed_id}", "api_key": ""}),
        (Forbidden, {"resource": f"/feeds/{feed_id}", "api_key": key}),
    ]
    for kind, arguments in cases:
        with pytest.raises(kind) as caught:
            await client.subscribe(**arguments)
        assert key not in str(caught.value)
    await client.disconnect()


class Watcher:
    """Collects the values that a subscriber sees, each as often as it sees it."""

    def __init__(self) -> None:
        self.values: dict[str, list[str]] = {}
        self.replays = 0
        self._times: dict[str, str | None] = {}

    def __call__(self, structure: Any) -> None:
        streams = [structure]
        if isinstance(structure, Environment):
            streams = list((structure.datastreams or {}).values())
        self.replays += is_replay(structure)
        for stream in streams:
            seen = self.values.setdefault(stream.id, [])
            if stream.datapoints:
                seen += [point.value for point in stream.datapoints]
            elif not is_replay(structure) and stream.current_value is not None:
                if stream is not structure and self._times.get(stream.id) == stream.at:
                    continue  # a feed is pushed with all its datastreams, also those that are as they were
                seen.append(stream.current_value)
            self._times[stream.id] = stream.at


@pytest.mark.parametrize("door", ["paws", "websocket"])
@pytest.mark.parametrize("kind", ["feed", "datastream"])
async def test_a_push_cut_at_every_byte(
    service: ServiceProcess, writer: Client, door: str, kind: str
) -> None:
    """Wherever the line breaks in a push, the subscriber sees every value once, in order."""
    feed_id = await new_feed(writer, "a", "b")
    proxy = Proxy(reactor, port_of(service.urls[door]))
    await proxy.start()
    scheme = "ws" if door == "websocket" else "tcp"
    client = make(service, door, url=f"{scheme}://127.0.0.1:{proxy.port}")
    await client.connect()
    watcher = Watcher()
    resource = f"/feeds/{feed_id}" + ("/datastreams/a" if kind == "datastream" else "")
    await client.subscribe(resource, watcher)
    written = 0

    async def write() -> None:
        nonlocal written
        written += 1
        await writer.update_datastream(
            feed_id=feed_id, datastream_id="a", data=Datastream(current_value=f"{written:06}")
        )

    for _ in range(2):
        before = proxy.passed
        await write()
        await until(lambda: len(watcher.values.get("a", ())) == written)
    length = proxy.passed - before
    assert 80 < length < 1000
    for cut_at in range(0, length + 1, 1 if kind == "datastream" else 3):
        proxy.cut_after(cut_at)
        await write()
        await until(lambda: len(watcher.values["a"]) >= written)
        await until(lambda: client.connected)
    await turns(20)
    assert watcher.values["a"] == [f"{number:06}" for number in range(1, written + 1)]
    await client.disconnect()
    await proxy.stop()


@pytest.mark.parametrize("door", ["paws", "websocket"])
async def test_an_answer_cut_at_every_byte(service: ServiceProcess, writer: Client, door: str) -> None:
    """Wherever the line breaks in an answer, a PUT is done in the end; so is a GET."""
    feed_id = await new_feed(writer, "a")
    proxy = Proxy(reactor, port_of(service.urls[door]))
    await proxy.start()
    scheme = "ws" if door == "websocket" else "tcp"
    client = make(service, door, url=f"{scheme}://127.0.0.1:{proxy.port}")
    await client.connect()
    for cut_at in range(120):
        proxy.cut_after(cut_at)
        assert await client.update_datastream(
            feed_id=feed_id, datastream_id="a", data=str(cut_at), format="csv"
        )
        stream = await client.read_datastream(feed_id=feed_id, datastream_id="a")
        assert stream.current_value == str(cut_at)
    await client.disconnect()
    await proxy.stop()


@pytest.mark.parametrize("door", ["paws", "websocket"])
async def test_a_request_cut_at_every_byte(service: ServiceProcess, writer: Client, door: str) -> None:
    """Wherever the line breaks in a request, what is safe to repeat is done; the rest fails and is not."""
    feed_id = await new_feed(writer, "a")
    proxy = Proxy(reactor, port_of(service.urls[door]))
    await proxy.start()
    scheme = "ws" if door == "websocket" else "tcp"
    client = make(service, door, url=f"{scheme}://127.0.0.1:{proxy.port}")
    await client.connect()

    async def put(value: int) -> None:
        point = Datapoint(value=f"{value:03}")
        await client.update_datapoint(feed_id=feed_id, datastream_id="a", timestamp=EARLY, data=point)

    await client.create_datapoints(
        feed_id=feed_id, datastream_id="a", data=[Datapoint(at=EARLY, value="000")]
    )
    before = proxy.sent
    await put(0)
    length = proxy.sent - before
    assert 100 < length < 400
    for cut_at in range(length + 1):
        proxy.cut_sent_after(cut_at)
        await put(cut_at)
        stream = await writer.read_datastream(feed_id=feed_id, datastream_id="a")
        assert stream.current_value == f"{cut_at:03}"
    await until(lambda: client.connected)
    title = f"made over {door}"
    for cut_at in range(0, length - 50, 3):
        proxy.cut_sent_after(cut_at)
        with pytest.raises(ConnectionFailed):
            await client.create_feed(data=Environment(title=title, description="x" * 100))
        await until(lambda: client.connected)
    await client.create_feed(data=Environment(title=title))
    found = await writer.list_feeds(parameters={"q": title})
    assert found.total_results == 1
    await client.disconnect()
    await proxy.stop()


@pytest.mark.slow
async def test_a_service_that_is_killed_under_its_subscribers(tmp_path: Path) -> None:
    """
    A service is killed and started again, twice, under a hundred subscribers, while ten writers go on.

    Afterwards each subscriber has seen every acknowledged value exactly once, in the order written.
    """
    service = ServiceProcess(tmp_path, DOORS)
    await deferToThread(service.start)
    proxies = {door: Proxy(reactor, port_of(service.urls[door])) for door in DOORS}
    for proxy in proxies.values():
        await proxy.start()
    stream_ids = [f"s{number}" for number in range(10)]
    base_url = f"http://127.0.0.1:{proxies['http'].port}"
    writers = [
        Client(service.api_key, base_url=base_url, timeout=10, retry=NO_RETRIES, environ={})
        for _ in stream_ids
    ]
    feed_id = await new_feed(writers[0], *stream_ids)
    clients = []
    watchers: list[tuple[list[str], Watcher]] = []
    for number in range(10):
        door, scheme = (("paws", "tcp"), ("websocket", "ws"))[number % 2]
        url = f"{scheme}://127.0.0.1:{proxies[door].port}"
        client = PAWSClient(service.api_key, url=url, retry=QUICK, environ={})
        assert await client.connect() is True
        clients.append(client)
        for each in range(10):
            whole = each < 2
            watchers.append((stream_ids if whole else [stream_ids[each]], Watcher()))
            resource = f"/feeds/{feed_id}" + ("" if whole else f"/datastreams/{stream_ids[each]}")
            await client.subscribe(resource, watchers[-1][1])
    acknowledged: dict[str, list[str]] = {stream_id: [] for stream_id in stream_ids}
    ending = False

    async def write(client: Client, stream_id: str) -> None:
        number = 0
        while not ending:
            number += 1
            try:
                await client.update_datastream(
                    feed_id=feed_id, datastream_id=stream_id, data=str(number), format="csv"
                )
            except Error:
                pass
            else:
                acknowledged[stream_id].append(str(number))
            await deferLater(reactor, 0.03)

    writing = gatherResults(
        [Deferred.fromCoroutine(write(*each)) for each in zip(writers, stream_ids, strict=True)]
    )
    for _ in range(2):
        await deferLater(reactor, 1)
        await deferToThread(service.kill)
        for proxy in proxies.values():
            proxy.target = 1
        await deferToThread(service.start)
        for door, proxy in proxies.items():
            proxy.target = port_of(service.urls[door])
    await until(lambda: all(client.connected for client in clients))
    await deferLater(reactor, 1)
    ending = True
    await writing

    def complete() -> bool:
        return all(
            set(acknowledged[stream_id]) <= set(watcher.values.get(stream_id, ()))
            for ids, watcher in watchers
            for stream_id in ids
        )

    await until(complete)
    await turns(50)
    assert all(len(values) > 20 for values in acknowledged.values())
    for ids, watcher in watchers:
        for stream_id in ids:
            seen = watcher.values[stream_id]
            assert seen == sorted(set(seen), key=int)
            assert set(acknowledged[stream_id]) <= set(seen)
        assert set(watcher.values) <= set(stream_ids)
    assert sum(watcher.replays for _, watcher in watchers) > 50
    for client in clients:
        assert await client.disconnect() is True
    await gatherResults([client.close() for client in writers])
    for proxy in proxies.values():
        await proxy.stop()
    await deferToThread(service.stop)
