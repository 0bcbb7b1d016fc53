"""
``txpachube demo``: the main job in one command, on real input.

A service in a process of its own, this machine's sensors uploaded by the client library once a
second, each update shown as it comes back through a subscription, and at the end everything that was
written read from the history and counted.
"""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import click

from txpachube.cli.arguments import port as port_type
from txpachube.cli.arguments import seconds as seconds_type
from txpachube.cli.table import FeedTable, unit_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    from txpachube import Environment
    from txpachube.cli.sensors import Reading, Sensors
    from txpachube.client import Client, PAWSClient

__all__ = ["demo"]

PERIOD: Final = 1.0
"""Seconds between two updates."""

PAGE: Final = 1000
"""Datapoints one history query gives at the most."""

KEY_FILE: Final = "key"
"""Name of a file with the header that carries the key, so that no command line has to show it."""

_FREE_PORT: Final = "tcp:0:interface=127.0.0.1"


@click.command()
@click.option("--seconds", type=seconds_type, metavar="N", help="How long. [default: until Ctrl-C]")
@click.option("--port", type=port_type, metavar="N", default=0, help="Port of HTTP. [default: a free one]")
@click.option("--data", metavar="DIR", help="Where to keep the data. [default: a directory that is removed]")
def demo(seconds: float | None, port: int, data: str | None) -> None:
    """
    Show everything at once, with this machine's own sensors.

    Starts a service, uploads the sensors' values as a feed, shows each update as it is pushed, and
    prints the addresses to open. Ends with Ctrl-C, or after --seconds, with a count of what was
    written and what was read back.
    """
    from txpachube.cli.sensors import Sensors

    with ExitStack() as stack:
        folder = Path(data or stack.enter_context(tempfile.TemporaryDirectory(prefix="pachube-")))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The start of the service is what the first rates are measured over.
        sensors = Sensors(folder, time.monotonic())
        urls = stack.enter_context(_Service(folder, port))
        account = tomllib.loads((folder / "admin.toml").read_text("utf-8"))
        key_file = folder / KEY_FILE
        key_file.touch(mode=0o600)
        key_file.write_text(f"X-ApiKey: {account['api_key']}\n", "utf-8")
        sys.exit(_run(urls, account["api_key"], sensors, key_file, seconds))


class _Service:
    """A service in a child process, for as long as the context lasts."""

    def __init__(self, folder: Path, port: int) -> None:
        self._command = [
            *(sys.executable, "-m", "txpachube.cli", "serve", "--data", str(folder)),
            *("--http", f"tcp:{port}:interface=127.0.0.1", "--log", str(folder / "service.log")),
            *("--paws", _FREE_PORT, "--websocket", _FREE_PORT, "--mqtt", _FREE_PORT),
        ]

    def __enter__(self) -> dict[str, str]:
        # In a session of its own, so that Ctrl-C in the terminal does not end it before we are done.
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            self._command, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._process.stdout is not None
        urls: dict[str, str] = {}
        for line in self._process.stdout:
            name, _, rest = line.strip().partition(" ")
            if name == "ready":
                return urls
            urls[name] = rest.rstrip("/")
        raise click.ClickException("the service did not start; the reason is above")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def _run(urls: dict[str, str], api_key: str, sensors: Sensors, key_file: Path, seconds: float | None) -> int:
    from rich.console import Console
    from twisted.internet import reactor as installed
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from txpachube.client import Client, PAWSClient

    reactor: Any = installed
    # A feed id or another key in the environment is not meant for the demo.
    client = Client(api_key, base_url=urls["http"], reactor=reactor, environ={})
    watcher = PAWSClient(api_key, url=urls["paws"], reactor=reactor, environ={})
    run = _Demo(client, watcher, sensors, Console(highlight=False), key_file, reactor)
    status = 1

    def ended(result: bool | Failure) -> None:
        nonlocal status
        if isinstance(result, Failure):
            click.echo(f"Error: {result.getErrorMessage()}", err=True)
        else:
            status = 0 if result else 1
        reactor.stop()

    def started() -> None:
        # The reactor's own handler would end the program before the count.
        signal.signal(signal.SIGINT, lambda *_: reactor.callFromThread(run.stop))
        Deferred.fromCoroutine(run.run(urls["http"], seconds)).addBoth(ended)

    reactor.callWhenRunning(started)
    reactor.run()
    return status


@attrs.define
class _Demo:
    """
    One run of the demo.

    Attributes:
        sent: how many datapoints were written, by datastream.
    """

    client: Client
    watcher: PAWSClient
    sensors: Sensors
    console: Console
    key_file: Path
    reactor: Any
    sent: Counter[str] = attrs.field(factory=Counter)
    _drawer: FeedTable = attrs.field(factory=lambda: FeedTable(times=False))
    _shown: Table | None = None
    _stopped: bool = False
    _wake: Callable[[], None] | None = None

    def stop(self) -> None:
        """End after the update that is under way."""
        self._stopped = True
        if self._wake is not None:
            self._wake()

    async def run(self, url: str, seconds: float | None) -> bool:
        """Create the feed, update it until told to stop, and count; return whether nothing is missing."""
        from rich.live import Live

        readings = self.sensors.read(time.monotonic())
        feed_id = await self.client.create_feed(data=self._feed(readings))
        self._show_addresses(url, feed_id)
        begun = time.monotonic()
        with Live(console=self.console, auto_refresh=False) as live:
            await self.watcher.connect()
            await self.watcher.subscribe(f"/feeds/{feed_id}", lambda feed: self._show(feed, live))
            while True:
                await self._update(feed_id, readings)
                await self._sleep(PERIOD)
                if self._stopped or (seconds is not None and time.monotonic() - begun >= seconds):
                    break
                readings = self.sensors.read(time.monotonic())
            await self.watcher.disconnect()
            if self._shown is not None:
                self._shown.caption = None
                live.refresh()
        return await self._count(feed_id)

    def _feed(self, readings: list[Reading]) -> Environment:
        from txpachube import Datastream, Environment, Unit

        return Environment(
            title="This machine",
            description="Made by the demo",
            tags=["demo"],
            datastreams=[
                Datastream(id=r.id, unit=Unit(label=r.label, symbol=r.symbol, type=r.kind)) for r in readings
            ],
        )

    def _show(self, environment: Environment, live: Live) -> None:
        """Show the feed as an update has left it."""
        if self.console.is_terminal:
            streams = (environment.datastreams or {}).values()
            for stream in streams:
                self._drawer.note(stream.id or "", stream.current_value)
            self._shown = self._drawer.draw(streams, self.console.width, caption="Ctrl-C ends.")
            live.update(self._shown, refresh=True)
        else:
            self.console.print(_line(environment), soft_wrap=True)

    async def _update(self, feed_id: str, readings: list[Reading]) -> None:
        from txpachube import Environment

        update = Environment()
        for reading in readings:
            update.setCurrentValue(reading.id, reading.value)
        await self.client.update_feed(feed_id=feed_id, data=update)
        self.sent.update(list(update.datastreams or ()))

    def _sleep(self, seconds: float) -> Any:
        from twisted.internet.defer import Deferred

        woken: Deferred[None] = Deferred()
        if self._stopped:
            seconds = 0
        call = self.reactor.callLater(seconds, lambda: woken.callback(None))

        def wake() -> None:
            if call.active():
                call.cancel()
                woken.callback(None)

        self._wake = wake
        return woken

    def _show_addresses(self, url: str, feed_id: str) -> None:
        command = shlex.quote(sys.argv[0]) if Path(sys.argv[0]).name == "txpachube" else "txpachube"
        # A command that is broken over two lines cannot be copied.
        self.console.print(
            f"This machine's sensors are [bold]feed {feed_id}[/bold]. Read it in another terminal:\n\n"
            f"  curl -H @{self.key_file} {url}/v2/feeds/{feed_id}.json\n\n"
            "The same with .xml gives EEML, with .csv CSV. Or watch it change:\n\n"
            f"  {command} watch {feed_id} --url {self.watcher.base_url} \\\n    --key-file {self.key_file}\n",
            soft_wrap=True,
        )

    async def _count(self, feed_id: str) -> bool:
        found: Counter[str] = Counter()
        for stream_id in self.sent:
            found[stream_id] = await self._read_back(feed_id, stream_id)
        sent, read = self.sent.total(), found.total()
        self.console.print(
            f"\nWritten: {sent} datapoints of {len(self.sent)} datastreams. Read back: {read}.",
            soft_wrap=True,
        )
        if found == self.sent:
            return True
        missing = ", ".join(f"{s}: {self.sent[s] - found[s]}" for s in self.sent if self.sent[s] != found[s])
        self.console.print(f"[red]They differ: {missing}[/red]")
        return False

    async def _read_back(self, feed_id: str, stream_id: str) -> int:
        """Count the datapoints as a program would that downloads them: from the last timestamp on."""
        times: set[str] = set()
        parameters: dict[str, str | int] = {"duration": "6hours", "interval": 0, "limit": PAGE}
        while True:
            stream = await self.client.read_datastream(
                feed_id=feed_id, datastream_id=stream_id, parameters=parameters
            )
            page = [str(point.at) for point in stream.datapoints or ()]
            known = len(times)
            times.update(page)
            if len(page) < PAGE or len(times) == known:
                return len(times)
            parameters = {"start": page[-1], "interval": 0, "limit": PAGE}


def _line(environment: Environment) -> str:
    streams = (environment.datastreams or {}).items()
    return ", ".join(
        f"{stream_id} {stream.current_value} {unit_of(stream)}".rstrip()
        for stream_id, stream in streams
        if stream.current_value is not None
    )
