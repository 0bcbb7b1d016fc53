"""``txpachube serve``: run the service until it is told to stop."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from txpachube.server.config import Settings

__all__ = ["allow_connections", "serve", "settings_of"]


@click.command(context_settings={"show_default": False})
@click.option("--data", metavar="DIR", help="Directory of the database. [default: the user's data directory]")
@click.option(
    "--http",
    metavar="ENDPOINT",
    help="Where HTTP listens, as a Twisted endpoint. [default: tcp:8000:interface=127.0.0.1]",
)
@click.option("--no-http", is_flag=True, help="Close the HTTP door.")
@click.option(
    "--device-http",
    metavar="ENDPOINT",
    help="Where HTTP listens that forgives what old devices send. [default: off]",
)
@click.option("--no-device-http", is_flag=True, help="Close the HTTP door for old devices.")
@click.option(
    "--paws",
    metavar="ENDPOINT",
    help="Where the socket server listens. [default: tcp:8081:interface=127.0.0.1]",
)
@click.option("--no-paws", is_flag=True, help="Close the door of the socket server.")
@click.option(
    "--websocket",
    metavar="ENDPOINT",
    help="Where the socket server listens for WebSocket. [default: tcp:8080:interface=127.0.0.1]",
)
@click.option("--no-websocket", is_flag=True, help="Close the WebSocket door.")
@click.option(
    "--mqtt", metavar="ENDPOINT", help="Where MQTT listens. [default: tcp:1883:interface=127.0.0.1]"
)
@click.option("--no-mqtt", is_flag=True, help="Close the MQTT door.")
@click.option("--base-url", metavar="URL", help="What URLs in answers start with. [default: as asked]")
@click.option(
    "--trust-forwarded/--no-trust-forwarded",
    default=None,
    help="Take clients' addresses from X-Forwarded-For; only behind a proxy that sets it.",
)
@click.option(
    "--requests-per-minute",
    metavar="NUMBER",
    type=int,
    help="How many requests a key may make, averaged over three minutes. [default: no limit]",
)
@click.option(
    "--feeds-per-account",
    metavar="NUMBER",
    type=int,
    help="How many feeds an account may have, but for the first; 0: no limit. [default: 1000]",
)
@click.option(
    "--datastreams-per-account",
    metavar="NUMBER",
    type=int,
    help="How many datastreams an account may have, but for the first; 0: no limit. [default: 10000]",
)
@click.option(
    "--webhook-private-addresses/--no-webhook-private-addresses",
    default=None,
    help="Let triggers notify receivers at loopback and private addresses, too.",
)
@click.option("--commit-alone/--no-commit-alone", default=None, hidden=True)
@click.option(
    "--config",
    metavar="FILE",
    envvar="PACHUBE_CONFIG",
    type=click.Path(path_type=Path),
    help="Configuration file (TOML).",
)
@click.option(
    "--metrics",
    metavar="ENDPOINT",
    help="Where the service's numbers are read. [default: local, at the HTTP doors, from this machine only]",
)
@click.option("--no-metrics", is_flag=True, help="Show the numbers to nobody.")
@click.option(
    "--request-log",
    metavar="NUMBER",
    type=int,
    help="How many requests of each kind are kept of a feed, for its owner. 0 keeps none. [default: 20]",
)
@click.option("--log", metavar="FILE", help="Where the log goes. [default: standard error]")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    help="Lines for people, or JSON for programs. [default: text]",
)
@click.option("--access-log/--no-access-log", default=None, help="Log every request, without any key.")
def serve(config: Path | None, **flags: Any) -> None:
    """
    Run the service.

    Prints one line per open door when it is open, its name and its URL, and last the line "ready".
    The first start creates the account "admin" and says in which file its password and key are.
    SIGTERM and Ctrl-C finish what is in flight, then end.

    Every option can be given as a PACHUBE_* environment variable (PACHUBE_HTTP, PACHUBE_DATA, …) and in
    the configuration file, which the flags and the variables override. Limits of sizes, times and
    numbers are set only there; the documentation of the settings has them.
    """
    sys.exit(_run(settings_of(config, flags)))


def settings_of(config: Path | None, flags: dict[str, Any]) -> Settings:
    """Return the settings that the options of this command make, with the environment and the file."""
    from txpachube.server.config import CLOSED, BadSettings, load_settings

    for name in [name for name in flags if name.startswith("no_")]:
        if flags.pop(name):
            flags[name.removeprefix("no_")] = CLOSED
    try:
        return load_settings(flags, os.environ, config)
    except BadSettings as problem:
        raise click.ClickException(str(problem)) from None


def allow_connections() -> None:
    """Allow as many open files, which connections are, as the system lets us; the usual 1024 are few."""
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _run(settings: Settings) -> int:
    from twisted.internet import reactor as installed
    from twisted.internet.defer import Deferred
    from twisted.internet.error import CannotListenError
    from twisted.logger import (
        FilteringLogObserver,
        LogLevel,
        LogLevelFilterPredicate,
        globalLogBeginner,
    )
    from twisted.python.failure import Failure

    from txpachube.cli.logs import observer_for
    from txpachube.server.config import BadSettings
    from txpachube.server.service import Service
    from txpachube.server.storage.failures import StorageError
    from txpachube.server.supervision import Supervisor

    reactor: Any = installed
    # The time of day is set, by a lot on a small computer that finds the network: timers must not care, and
    # connections not count as idle for years.
    reactor.seconds = time.monotonic
    allow_connections()
    try:
        output = open(settings.log, "a", encoding="utf-8") if settings.log else sys.stderr  # noqa: SIM115 - open until the end
    except OSError as problem:
        raise click.ClickException(f"log: {settings.log}: {problem.strerror}") from None
    levels = LogLevelFilterPredicate(defaultLogLevel=LogLevel.info)
    for namespace in ("log_legacy", "twisted.internet"):  # every port and timer, which tell people nothing
        levels.setLogLevelForNamespace(namespace, LogLevel.warn)
    globalLogBeginner.beginLoggingTo(
        [FilteringLogObserver(observer_for(settings.log_format, output), [levels])], redirectStandardIO=False
    )
    supervisor = Supervisor(os.environ, reactor)
    service = Service(settings, reactor)
    status = 0

    ending = False

    def end(*_: object) -> None:
        nonlocal ending
        # Whoever is impatient and says it twice must not disturb what the first time began.
        if not ending:
            ending = True
            reactor.callFromThread(reactor.stop)

    def stop() -> Deferred[None]:
        supervisor.stopping()
        return Deferred.fromCoroutine(service.stop())

    async def start() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):  # in the place of the reactor's own
            signal.signal(number, end)
        doors = await service.start()
        reactor.addSystemEventTrigger("before", "shutdown", stop)
        if service.first_account is not None:
            click.echo(f"admin {service.first_account}")
        for door in doors:
            click.echo(f"{door.name} {door.url}")
        # What lives from now until the end need not be looked through again and again: with all modules
        # loaded one such look takes 20 ms, and every device waits for it.
        gc.collect()
        gc.freeze()
        click.echo("ready")
        supervisor.ready()

    def failed(failure: Failure) -> None:
        nonlocal status, ending
        status, ending = 1, True
        if failure.check(BadSettings, StorageError, CannotListenError, OSError):
            click.echo(f"Error: {failure.getErrorMessage()}", err=True)
        else:
            failure.printTraceback(file=sys.stderr)
        reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(start()).addErrback(failed))
    reactor.run()
    return status
