"""The client in a program that runs on asyncio."""

from __future__ import annotations

import sys

from twisted.internet.utils import getProcessOutputAndValue

from txpachube.testing.scripted import ScriptedServer, answer

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
