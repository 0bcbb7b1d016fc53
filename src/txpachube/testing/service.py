"""
The real service in a child process, for the tests of programs that use it.

`ServiceProcess` starts ``txpachube serve`` on free ports of this machine, waits until its doors are open,
and knows the key of its first account::

    with ServiceProcess(tmp_path) as service:
        client = Client(service.api_key, base_url=service.url)

It can be stopped, killed in the middle of its work and started again on the same data, and
administrated with the commands that a person would type (`ServiceProcess.run`). Starting takes about a
second and blocks, so one service for many tests is a good habit; each can make feeds of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any, Final, Self

__all__ = ["LOG_FILE", "LOOPBACK", "ServiceNotReady", "ServiceProcess"]

LOOPBACK: Final = "tcp:0:interface=127.0.0.1"
"""Endpoint of a door on a free port that only this machine reaches."""

LOG_FILE: Final = "service.log"
"""Name of the file in the data directory that holds what the service logged, of all its starts."""

START_TIMEOUT: Final = 60.0
"""Seconds until the doors must be open: a start takes one, on a slow and busy machine twenty."""

STOP_TIMEOUT: Final = 30.0
"""Seconds until a service that was told to stop must be gone; it promises to take five at the most."""

COMMAND_TIMEOUT: Final = 60.0
"""Seconds a command of administration may take; the slowest hashes a password."""

_ACCOUNT_FILE: Final = "admin.toml"


class ServiceNotReady(Exception):
    """The service ended, or was ended, before its doors were open; the text is what it logged."""


class ServiceProcess:
    """
    The service in a child process, for as long as a ``with`` block lasts, or from `start` to `stop`.

    Args:
        data: the data directory; it is created when it does not exist.
        doors: the doors to open, by the names of their options, with their endpoints; all others stay closed.
        arguments: further arguments of ``txpachube serve``.
        environ: environment variables of the child; the ``PACHUBE_*`` among them are left out.

    Attributes:
        data: as given.
        urls: where the doors are that are open, by name, such as ``{"http": "http://127.0.0.1:41231"}``.
        process: the child, or None before the start.
    """

    def __init__(
        self,
        data: Path,
        doors: Mapping[str, str] | None = None,
        arguments: tuple[str, ...] = (),
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.data = data
        self.urls: dict[str, str] = {}
        self.process: subprocess.Popen[str] | None = None
        self._doors = {"http": LOOPBACK} if doors is None else dict(doors)
        self._arguments = arguments
        # A service that a person set up in this shell is none of our business.
        self._environ = {name: value for name, value in environ.items() if not name.startswith("PACHUBE_")}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.running:
            self.stop()

    @property
    def running(self) -> bool:
        """Whether the child is there."""
        return self.process is not None and self.process.poll() is None

    @property
    def url(self) -> str:
        """The base URL of the HTTP door, for a `Client`."""
        return self.urls["http"]

    @property
    def port(self) -> int:
        """The port of the HTTP door."""
        return int(self.url.rpartition(":")[2])

    @property
    def log(self) -> str:
        """What the service has logged, in all its starts."""
        return (self.data / LOG_FILE).read_text("utf-8", "replace")

    @property
    def account(self) -> dict[str, str]:
        """The first account: ``login``, ``password`` and ``api_key``, its master key."""
        return {
            name: str(value)
            for name, value in tomllib.loads((self.data / _ACCOUNT_FILE).read_text("utf-8")).items()
        }

    @property
    def api_key(self) -> str:
        """The master key of the first account."""
        return self.account["api_key"]

    def start(self) -> None:
        """
        Start the service and wait until all its doors are open.

        Raises:
            ServiceNotReady: it did not come that far.
        """
        assert not self.running, "it is running already"
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.urls = {}
        with open(self.data / LOG_FILE, "a", encoding="utf-8") as log:
            process = subprocess.Popen(  # noqa: S603 - our own program
                self._command(), stdout=subprocess.PIPE, stderr=log, text=True, env=self._environ
            )
        self.process = process
        assert process.stdout is not None
        alarm = Timer(START_TIMEOUT, process.kill)
        alarm.start()
        try:
            for line in process.stdout:
                name, _, rest = line.strip().partition(" ")
                if name == "ready":
                    return
                if name in self._doors:
                    self.urls[name] = rest.rstrip("/")
        finally:
            alarm.cancel()
        self._ended()
        raise ServiceNotReady(self.log)

    def stop(self) -> int:
        """Tell the service to finish, wait until it has, and return its exit status."""
        assert self.process is not None, "it was never started"
        self.process.terminate()
        return self._ended()

    def kill(self) -> None:
        """End the service at once, as a power cut would."""
        assert self.process is not None, "it was never started"
        self.process.kill()
        self._ended()

    def run(
        self, *arguments: str, text: str | None = None, data: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """
        Run a ``txpachube`` command on the data directory, while the service runs or while it does not.

        Args:
            arguments: of the command, such as ``"feed", "list"``.
            text: what is typed into it.
            data: the command takes ``--data``.
        """
        command = [sys.executable, "-m", "txpachube.cli", *arguments]
        if data:
            command += ["--data", str(self.data)]
        return subprocess.run(  # noqa: S603 - our own program
            command,
            input=text or "",
            capture_output=True,
            text=True,
            env=self._environ,
            timeout=COMMAND_TIMEOUT,
            check=False,
        )

    def run_json(self, *arguments: str) -> Any:
        """
        Run a ``txpachube`` command with ``--json`` on the data directory and return what it tells.

        Raises:
            CalledProcessError: the command failed.
        """
        completed = self.run(*arguments, "--json")
        completed.check_returncode()
        return json.loads(completed.stdout)

    def _command(self) -> list[str]:
        # The options tell which doors there are; those that nobody asked for must not take their usual ports.
        from txpachube.cli.serve import serve  # noqa: PLC0415 - the command line is an extra

        options = [option for parameter in serve.params for option in parameter.opts]
        closable = [option.removeprefix("--no-") for option in options if option.startswith("--no-")]
        command = [sys.executable, "-m", "txpachube.cli", "serve", "--data", str(self.data)]
        for name, endpoint in self._doors.items():
            command += [f"--{name}", endpoint]
        command += [f"--no-{name}" for name in closable if name not in self._doors]
        return [*command, *self._arguments]

    def _ended(self) -> int:
        process = self.process
        assert process is not None
        try:
            status = process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            if process.stdout is not None:
                process.stdout.close()
        return status
