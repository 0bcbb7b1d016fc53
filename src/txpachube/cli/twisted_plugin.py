"""
``twist pachube``: the service as a plugin of Twisted's own command, with the options of ``serve``.

``twist`` brings the reactor, the signals and the log, so ``--log`` has no effect here; its own options for
them stand before the word ``pachube``.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from txpachube.cli.serve import allow_connections, serve, settings_of

if TYPE_CHECKING:
    from txpachube.server.config import Settings

__all__ = ["Options", "PachubeService", "makeService"]


class Options(UsageOptions):
    """What may stand behind ``twist pachube``; read by the command that has these options, too."""

    settings: Settings

    def parseOptions(self, options: list[str] | None = None) -> None:
        """
        Read the options.

        Raises:
            UsageError: one of them does not exist, or a setting cannot have its value.
        """
        try:
            context = serve.make_context("twist pachube", list(options or ()))
            self.settings = settings_of(context.params.pop("config"), context.params)
        except click.exceptions.Exit:  # the help was printed
            sys.exit(0)
        except click.ClickException as problem:
            raise UsageError(problem.format_message()) from None

    def getUsage(self, width: int | None = None) -> str:
        """Return the help."""
        return serve.get_help(click.Context(serve, info_name="twist pachube"))


class PachubeService(Service):
    """
    The service as a part of a Twisted application.

    Args:
        settings: see there.
        reactor: a Twisted reactor; None for the installed one.
    """

    name = "pachube"
    _log = Logger()

    def __init__(self, settings: Settings, reactor: Any = None) -> None:
        self._settings = settings
        self._reactor = reactor
        self._running: Any = None

    def startService(self) -> None:
        """Open the doors, as soon as the reactor runs."""
        from twisted.internet import reactor as installed

        from txpachube.server.service import Service as Running
        from txpachube.server.supervision import Supervisor

        super().startService()  # type: ignore[no-untyped-call]  # Twisted's
        if self._reactor is None:
            self._reactor = installed
        allow_connections()
        self._supervisor = Supervisor(os.environ, self._reactor)
        self._running = Running(self._settings, self._reactor)
        Deferred.fromCoroutine(self._start()).addErrback(self._failed)

    async def _start(self) -> None:
        for door in await self._running.start():
            self._log.info("{name} {url}", name=door.name, url=door.url)
        if self._running.first_account is not None:
            self._log.info("admin {file}", file=self._running.first_account)
        self._log.info("ready")
        self._supervisor.ready()

    def _failed(self, failure: Failure) -> None:
        self._running = None
        self._log.critical("the service does not start: {reason}", reason=failure.getErrorMessage())
        # Whoever looks at the exit status must not take this for an end in peace.
        self._reactor.addSystemEventTrigger("after", "shutdown", _exit_as_failed)
        self._reactor.stop()

    def stopService(self) -> Deferred[None] | None:
        """Finish what is in flight and close everything."""
        running, self._running = self._running, None
        super().stopService()  # type: ignore[no-untyped-call]  # Twisted's
        if running is None:
            return None
        self._supervisor.stopping()
        return Deferred.fromCoroutine(running.stop())


def _exit_as_failed() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(1)


def makeService(options: Options) -> PachubeService:
    """Return the service that options describe; ``twist`` looks for this name."""
    return PachubeService(options.settings)
