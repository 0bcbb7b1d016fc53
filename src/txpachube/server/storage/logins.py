"""
Checks of passwords, behind everything else.

Whether a password is right takes a noticeable part of a second of several threads and 64 MiB of memory, which
is what argon2 is for, and anybody may ask. So that guessing costs devices nothing:

- one password is checked at a time, in a thread that the system runs when nobody else wants the processor
  (where the system knows priorities of threads: Linux);
- after one that was wrong the next one waits a little, which also makes guessing slow;
- only so many wait; whoever comes then is told to come again;
- a password that was right is remembered, so that programs which send theirs with each request are not
  behind those who guess. What is remembered is a hash of it under a secret that lives as long as the process,
  and it counts for as long as the account's stored hash is the same.
"""

from __future__ import annotations

import hmac
import os
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from txpachube.server.storage import passwords

__all__ = ["Logins", "TooManyLogins"]

PAUSE: Final = 0.5
"""Seconds between a wrong password and the next one that is checked: guessing takes little."""

WAITING: Final = 8
"""Passwords that are checked or wait for it, before others are turned away: the last one waits four seconds
when the others are wrong."""

REMEMBERED: Final = 1_000
"""Accounts whose password is remembered; each takes a few hundred bytes."""

LOWEST_PRIORITY: Final = 19

SECRET_BYTES: Final = 32


class TooManyLogins(Exception):
    """So many passwords wait to be checked that no more are taken."""


class _Patient(threading.Thread):
    """A thread that runs when nobody else wants to, and keeps no process alive."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named, daemon=True)

    def run(self) -> None:
        """Run, and so do the threads that are made here."""
        if sys.platform == "linux":  # elsewhere the number would be that of some process
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
        super().run()


class Logins:
    """
    Says whether passwords are right.

    Args:
        reactor: the reactor whose thread calls, and is called back.
        random: returns so many random bytes.
    """

    def __init__(self, reactor: IReactorFromThreads, random: Callable[[int], bytes]) -> None:
        self._reactor = reactor
        self._secret = random(SECRET_BYTES)
        self._pool = ThreadPool(0, 1, name="txpachube-logins")
        self._pool.threadFactory = _Patient
        self._waiting = 0
        self._ended = threading.Event()
        self._last_wrong = -PAUSE
        self._known: OrderedDict[str, tuple[bytes, str]] = OrderedDict()

    def start(self) -> None:
        """Be ready for passwords."""
        self._pool.start()

    def stop(self) -> None:
        """Check no more passwords; those that wait are wrong."""
        self._ended.set()
        self._pool.stop()

    def be_open_to(self, login: str, *, known: bool = True) -> None:
        """
        Be called before the account is looked up, so that those who guess cost not even that.

        Args:
            login: the account's.
            known: it is enough when the account's password is remembered.

        Raises:
            TooManyLogins: others wait.
        """
        if self._waiting >= WAITING and not (known and login in self._known):
            raise TooManyLogins

    async def check(self, login: str, stored: str | None, password: str) -> bool:
        """
        Return whether a password fits an account's stored hash; never when there is none.

        Raises:
            TooManyLogins: others wait.
        """
        if self._ended.is_set():
            return False
        digest = hmac.digest(self._secret, password.encode("utf-8", "surrogatepass"), "sha256")
        known = self._known.get(login)
        if known is not None and known[1] == stored and hmac.compare_digest(known[0], digest):
            return True
        self.be_open_to(login, known=False)
        self._waiting += 1
        try:
            right = await deferToThreadPool(self._reactor, self._pool, self._verify, stored, password)
        finally:
            self._waiting -= 1
        if right and stored is not None:
            self._known[login] = digest, stored
            self._known.move_to_end(login)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return right

    def _verify(self, stored: str | None, password: str) -> bool:
        if self._ended.wait(self._last_wrong + PAUSE - time.monotonic()):
            return False
        right = passwords.verify(stored, password)
        if not right:
            self._last_wrong = time.monotonic()
        return right
