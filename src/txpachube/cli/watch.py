"""
``txpachube watch``: see values change, in a terminal or in another program.

It shows each value that is written once, and after a break of the connection those that were missed.
"""

from __future__ import annotations

import os
import signal
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from txpachube.cli.arguments import feed_id as checked_feed_id
from txpachube.cli.watched import JsonLines, LiveTable, Shown, TextLines

if TYPE_CHECKING:
    from txpachube import Datastream, Environment
    from txpachube.client import PAWSClient

__all__ = ["watch"]

LARGEST_KEY_FILE: Final = 64 * 1024
"""Bytes of a file with a key; more is some other file."""


def resource(text: str) -> str:
    """Return the resource that FEED or FEED/STREAM names."""
    feed, slash, stream = text.removeprefix("/feeds/").partition("/")
    stream = stream.removeprefix("datastreams/")
    if slash and not stream:
        raise click.BadParameter(f"{text!r} does not name a datastream behind the slash")
    number = checked_feed_id(feed)
    return f"/feeds/{number}/datastreams/{stream}" if stream else f"/feeds/{number}"


@click.command()
@click.argument("what", metavar="FEED[/STREAM]", type=resource)
@click.option(
    "--url", metavar="URL", help="The socket server. [default: PACHUBE_PAWS, or tcp://127.0.0.1:8081]"
)
@click.option(
    "--key-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the key. [default: the variable PACHUBE_API_KEY]",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each value, in a line.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after so many values.")
def watch(what: str, url: str | None, key_file: Path | None, as_json: bool, count: int | None) -> None:
    """
    Show the values of a feed, or of one of its datastreams, as they are written.

    Ends with Ctrl-C. When the connection breaks it makes another one and begins with what was missed.
    The key file holds the key itself, a header X-ApiKey: KEY, or it is the service's admin.toml.
    """
    from twisted.internet import reactor as installed
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from txpachube.client import PAWSClient
    from txpachube.errors import Error

    reactor: Any = installed
    key = os.environ.get("PACHUBE_API_KEY") if key_file is None else key_in(key_file)
    if not key:
        raise click.ClickException("there is no key: set PACHUBE_API_KEY, or name a file with --key-file")
    try:
        client = PAWSClient(key, url=url, reactor=reactor)
    except Error as problem:
        raise click.ClickException(str(problem)) from None
    if as_json:
        shown: Shown = JsonLines(count)
    elif sys.stdout.isatty():
        shown = LiveTable(count, reactor, what, lambda: client.connected)
    else:
        shown = TextLines(count)
    status = 1

    def ended(result: Any) -> None:
        nonlocal status
        if not isinstance(result, Failure):
            status = 0
        elif result.check(BrokenPipeError):
            # Whoever read has seen enough. Nothing may be written at the end of the program either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        else:
            click.echo(f"Error: {_explained(result.value, what, client)}", err=True)
        reactor.stop()

    def started() -> None:
        watching = Deferred.fromCoroutine(_watch(client, what, shown))
        watching.addErrback(lambda failure: None if stopped else failure)
        watching.addBoth(ended)
        signal.signal(signal.SIGINT, lambda *_: reactor.callFromThread(stop))
        signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(stop))

        def stop() -> None:
            stopped.append(True)
            watching.cancel()

    stopped: list[bool] = []
    reactor.callWhenRunning(started)
    reactor.run()
    sys.exit(status)


def _explained(problem: BaseException | None, what: str, client: PAWSClient) -> str:
    """Return what went wrong, in the words of somebody who watches."""
    from txpachube.errors import Forbidden, NotFound, Unauthorized

    feed, _, stream = what.removeprefix("/feeds/").partition("/datastreams/")
    named = f"datastream {stream} of feed {feed}" if stream else f"feed {feed}"
    if isinstance(problem, Unauthorized):
        return f"{client.base_url} does not know this key (401)"
    if isinstance(problem, Forbidden):
        return f"this key may not read {named} (403)"
    if isinstance(problem, NotFound):
        return f"there is no {named} at {client.base_url} (404)"
    return str(problem)


def key_in(path: Path) -> str:
    """Return the key that is in a file."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_KEY_FILE).decode("utf-8").strip()
        if text.lower().startswith("x-apikey:"):
            text = text.partition(":")[2].strip()
        elif "=" in text.partition("\n")[0]:
            text = str(tomllib.loads(text)["api_key"])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError):
        raise click.ClickException(f"there is no key in {path}") from None
    return text


async def _watch(client: PAWSClient, what: str, shown: Shown) -> None:
    from txpachube.errors import ConnectionFailed, RequestTimeout

    try:
        if not await client.connect():
            click.echo(f"No service at {client.base_url} yet. Trying again.", err=True)
        while True:
            try:
                subscription = client.subscribe(what)
                await subscription
                state = await _state(client, what)
                break
            except (ConnectionFailed, RequestTimeout):
                await subscription.unsubscribe()
        with shown:
            shown.begin(state)
            async for structure in subscription:
                shown.take(structure)
                if shown.complete:
                    return
    finally:
        await client.disconnect()


async def _state(client: PAWSClient, what: str) -> Environment | Datastream:
    feed, _, stream = what.removeprefix("/feeds/").partition("/datastreams/")
    if stream:
        return await client.read_datastream(feed_id=feed, datastream_id=stream)
    return await client.read_feed(feed_id=feed)
