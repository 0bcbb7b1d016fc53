"""The client in a program that runs on asyncio."""

from __future__ import annotations

import sys

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue

from txpachube.testing.scripted import Line, ScriptedServer, answer
from txpachube.testing.scripted_socket import ScriptedSocket, SocketLine, push, reply, says

PROGRAM = """
import asyncio, sys
from twisted.internet import asyncioreactor

loop = asyncio.new_event_loop()
asyncioreactor.install(loop)

from twisted.internet import reactor
from txpachube import NotFound
from txpachube.client import Client

async def main():
    client = Client("the-key", 504, base_url=sys.argv[1])
    feeds = await asyncio.gather(*[client.read_feed().asFuture(loop) for _ in range(3)])
    print(*[feed.title for feed in feeds])
    try:
        await client.delete_feed().asFuture(loop)
    except NotFound as error:
        print(error.status)
    await client.close().asFuture(loop)

task = loop.create_task(main())
task.add_done_callback(lambda done: reactor.stop())
reactor.run()
task.result()
"""


async def test_futures(server: ScriptedServer) -> None:
    """Under the asyncio reactor a call's Deferred becomes a future, with the same results and errors."""
    feed = answer(200, b'{"id":504,"title":"Greenhouse"}')
    server.play(feed, feed, feed, answer(404, b"{}"))
    output, problems, code = await getProcessOutputAndValue(
        sys.executable, ["-W", "error::RuntimeWarning", "-c", PROGRAM, server.url]
    )
    assert (code, problems.decode()) == (0, "")
    assert output.decode().split() == ["Greenhouse"] * 3 + ["404"]


SOCKET_PROGRAM = """
import asyncio, sys
from twisted.internet import asyncioreactor

loop = asyncio.new_event_loop()
asyncioreactor.install(loop)

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from txpachube import NotFound
from txpachube.client import PAWSClient

async def watch(client):
    async for feed in client.subscribe("/feeds/504"):
        print(feed.title)
        return

async def main():
    client = PAWSClient("the-key", 504, sys.argv[1], replay=False)
    print(await client.connect().asFuture(loop))
    feeds = await asyncio.gather(*[client.read_feed().asFuture(loop) for _ in range(3)])
    print(*[feed.title for feed in feeds])
    try:
        await client.delete_feed().asFuture(loop)
    except NotFound as error:
        print(error.status)
    given = asyncio.Queue()
    token, subscribed = client.subscribe("/feeds/504", given.put_nowait)
    print(await subscribed.asFuture(loop), (await given.get()).title)
    await Deferred.fromCoroutine(watch(client)).asFuture(loop)
    print(await client.disconnect().asFuture(loop))

task = loop.create_task(main())
task.add_done_callback(lambda done: reactor.stop())
reactor.run()
task.result()
"""


async def test_the_socket_client() -> None:
    """Calls, subscriptions and loops over them work under the asyncio reactor as well."""
    server = ScriptedSocket(reactor)
    await server.start()
    feed = {"id": 504, "title": "Greenhouse"}

    def subscribe(line: Line) -> None:
        assert isinstance(line, SocketLine)
        line.write(reply(line.message, 200) + push(line.message, feed))

    server.play(*[says(200, feed)] * 3, says(404, {}), subscribe, subscribe)
    output, problems, code = await getProcessOutputAndValue(
        sys.executable, ["-W", "error::RuntimeWarning", "-c", SOCKET_PROGRAM, server.url]
    )
    assert (code, problems.decode()) == (0, "")
    expected = ["True", *["Greenhouse"] * 3, "404", "200", "Greenhouse", "Greenhouse", "True"]
    assert output.decode().split() == expected
    await server.stop()
