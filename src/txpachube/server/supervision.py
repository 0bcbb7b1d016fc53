"""
Telling the init system how we are: the notification protocol of systemd.

A datagram to the socket that is named in the environment says that the service is ready, that it ends,
or, where the unit asks for a watchdog, that the reactor still turns: if it hangs, the service is
started again. The protocol is this small and will not change, so a package for it would be more to look
after than these lines. Without the variable nothing is ever sent.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

__all__ = ["Supervisor"]

_VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Supervisor:
    """
    The init system that has started us, if it wants to hear from us.

    Args:
        environ: the environment variables; those of the protocol are taken out, so that children do not
            speak in our name.
        reactor: for the time.
    """

    _log = Logger()

    def __init__(self, environ: MutableMapping[str, str], reactor: IReactorTime) -> None:
        address, period, pid = (environ.pop(name, "") for name in _VARIABLES)
        # A name that begins with "@" is in the abstract namespace, which the system writes with a NUL.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watching: LoopingCall | None = None
        if period.isdigit() and int(period) and pid in ("", str(os.getpid())):
            self._watching = LoopingCall(self._tell, "WATCHDOG=1")
            self._watching.clock = reactor
            self._period = int(period) / 2e6  # twice as often as is asked for, as the manual recommends

    def ready(self) -> None:
        """Say that all doors are open, and go on to say that the reactor turns."""
        self._tell("READY=1")
        if self._watching is not None:
            self._watching.start(self._period)

    def stopping(self) -> None:
        """Say that the service ends."""
        if self._watching is not None and self._watching.running:
            self._watching.stop()
        self._tell("STOPPING=1")

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as way:
                way.setblocking(False)
                way.sendto(message.encode(), self._address)
        except OSError as problem:
            self._log.warn(
                "the init system does not hear {message}: {problem}", message=message, problem=problem
            )
