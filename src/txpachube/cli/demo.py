"""
``txpachube demo``: the main job in one command, on real input.

A service in a process of its own, this machine's sensors uploaded by the client library once a
second, each update read back and shown, and at the end everything that was written read from the
history and counted.
"""

from __future__ import annotations

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

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from txpachube import Datastream, Environment
    from txpachube.cli.sensors import Reading, Sensors
    from txpachube.client import Client

__all__ = ["demo"]

PERIOD: Final = 1.0
"""Seconds between two updates."""

PAGE: Final = 1000
"""Datapoints one history query gives at the most."""

_BARS: Final = "▁▂▃▄▅▆▇█"


@click.command()
@click.option("--seconds", type=click.FloatRange(min=1), help="How long. [default: until Ctrl-C]")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of HTTP. [default: a free one]")
@click.option("--data", metavar="DIR", help="Where to keep the data. [default: a temporary directory]")
def demo(seconds: float | None, port: int, data: str | None) -> None:
    """
    Show everything at once, with this machine's own sensors.

    Starts a service, uploads the sensors' values as a feed, shows what the service gives back, and
    prints the addresses to open. Ends with Ctrl-C, or after --seconds, with a count of what was
    written and what was read back.
    """
    with ExitStack() as stack:
        folder = Path(data or stack.enter_context(tempfile.TemporaryDirectory(prefix="txpachube-demo-")))
        url = stack.enter_context(_Service(folder, port))
        account = tomllib.loads((folder / "admin.toml").read_text("utf-8"))
        key_file = folder / "key.header"
        key_file.touch(mode=0o600)
        key_file.write_text(f"X-ApiKey: {account['api_key']}\n", "utf-8")
        sys.exit(_run(url, account["api_key"], folder, seconds))


class _Service:
    """A service in a child process, for as long as the context lasts."""

    def __init__(self, folder: Path, port: int) -> None:
        self._command = [
            *(sys.executable, "-m", "txpachube.cli", "serve", "--data", str(folder)),
            *("--http", f"tcp:{port}:interface=127.0.0.1", "--log", str(folder / "service.log")),
        ]

    def __enter__(self) -> str:
        # In a session of its own, so that Ctrl-C in the terminal does not end it before we are done.
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            self._command, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._process.stdout is not None
        url = ""
        for line in self._process.stdout:
            name, _, rest = line.strip().partition(" ")
            if name == "http":
                url = rest
            if name == "ready":
                return url.rstrip("/")
        raise click.ClickException("the service did not start; the reason is above")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def _run(url: str, api_key: str, folder: Path, seconds: float | None) -> int:
    from rich.console import Console
    from twisted.internet import reactor as installed
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from txpachube.cli.sensors import Sensors
    from txpachube.client import Client

    reactor: Any = installed
    run = _Demo(Client(api_key, base_url=url, reactor=reactor), Sensors(folder), Console(), folder, reactor)
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
        Deferred.fromCoroutine(run.run(url, seconds)).addBoth(ended)

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
    sensors: Sensors
    console: Console
    folder: Path
    reactor: Any
    sent: Counter[str] = attrs.field(factory=Counter)
    seen: dict[str, list[str]] = attrs.field(factory=dict)
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

        first = self.sensors.read(time.monotonic())
        feed_id = await self.client.create_feed(data=self._feed(first))
        self._show_addresses(url, feed_id)
        begun = time.monotonic()
        with Live(console=self.console, transient=False, auto_refresh=False) as live:
            while not self._stopped and (seconds is None or time.monotonic() - begun < seconds):
                environment = await self._update(feed_id)
                if self.console.is_terminal:
                    live.update(self._table(environment), refresh=True)
                else:
                    self.console.print(_line(environment), highlight=False)
                await self._sleep(PERIOD)
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

    async def _update(self, feed_id: str) -> Environment:
        from txpachube import Environment

        update = Environment()
        for reading in self.sensors.read(time.monotonic()):
            update.setCurrentValue(reading.id, reading.value)
        await self.client.update_feed(feed_id=feed_id, data=update)
        self.sent.update(list(update.datastreams or ()))
        return await self.client.read_feed(feed_id=feed_id)

    def _sleep(self, seconds: float) -> Any:
        from twisted.internet.defer import Deferred

        woken: Deferred[None] = Deferred()
        call = self.reactor.callLater(seconds, lambda: woken.callback(None))

        def wake() -> None:
            if call.active():
                call.cancel()
                woken.callback(None)

        self._wake = wake
        return woken

    def _show_addresses(self, url: str, feed_id: str) -> None:
        key_file = self.folder / "key.header"
        self.console.print(f"[bold]Feed {feed_id}[/bold] of this machine's sensors. In another terminal:")
        for extension, what in (("json", "JSON"), ("xml", "EEML"), ("csv", "CSV")):
            self.console.print(
                f"  {what:<5} curl -H @{key_file} {url}/v2/feeds/{feed_id}.{extension}",
                highlight=False,
                soft_wrap=True,
            )
        self.console.print()

    def _table(self, environment: Environment) -> Table:
        from rich.table import Table

        table = Table("datastream", caption="Ctrl-C ends", caption_justify="left")
        table.add_column("now", justify="right")
        for column in ("unit", "min", "max"):
            table.add_column(column)
        table.add_column("last minute")
        for stream_id, stream in (environment.datastreams or {}).items():
            values = self.seen.setdefault(stream_id, [])
            if stream.current_value is not None:
                values.append(stream.current_value)
                del values[:-60]
            table.add_row(
                stream_id,
                stream.current_value or "-",
                _unit(stream),
                stream.min_value or "",
                stream.max_value or "",
                _bars(values),
            )
        return table

    async def _count(self, feed_id: str) -> bool:
        found: Counter[str] = Counter()
        for stream_id in self.sent:
            found[stream_id] = await self._read_back(feed_id, stream_id)
        sent, read = self.sent.total(), found.total()
        self.console.print(
            f"\nWritten: {sent} datapoints of {len(self.sent)} datastreams. Read back: {read}.",
            highlight=False,
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


def _unit(stream: Datastream) -> str:
    return "" if stream.unit is None else stream.unit.symbol or stream.unit.label or ""


def _line(environment: Environment) -> str:
    streams = (environment.datastreams or {}).items()
    return "  ".join(f"{i} {s.current_value}{_unit(s)}" for i, s in streams if s.current_value is not None)


def _bars(texts: list[str]) -> str:
    values = [float(text) for text in texts]
    low, high = min(values, default=0.0), max(values, default=0.0)
    span = (high - low) or 1.0
    return "".join(_BARS[int((value - low) / span * (len(_BARS) - 1))] for value in values[-30:])
