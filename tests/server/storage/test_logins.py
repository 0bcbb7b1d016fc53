"""Passwords are checked behind everything else, and guessing keeps nobody from anything."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from txpachube.server.storage import logins, passwords
from txpachube.server.storage.logins import WAITING, Logins, TooManyLogins


@pytest_twisted.async_yield_fixture
async def checked() -> AsyncIterator[Logins]:
    """Something that checks passwords."""
    from twisted.internet import reactor

    installed: Any = reactor
    made = Logins(installed, os.urandom)
    made.start()
    yield made
    made.stop()


async def test_only_the_right_password_is_right(checked: Logins) -> None:
    """Also the second time, when the right one is remembered, and not after it was changed."""
    stored, later = passwords.hash_password("tulips"), passwords.hash_password("roses")
    for _ in range(2):
        assert not await checked.check("rosa", stored, "roses")
        assert await checked.check("rosa", stored, "tulips")
    assert not await checked.check("rosa", later, "tulips")
    assert await checked.check("rosa", later, "roses")
    assert not await checked.check("otto", None, "roses")
    assert not await checked.check("rosa", None, "roses"), "she has no password any more"


async def test_who_guesses_is_turned_away_and_who_knows_is_not(checked: Logins) -> None:
    """While so many passwords wait, others are refused, except where the password is known already."""
    stored = passwords.hash_password("tulips")
    assert await checked.check("rosa", stored, "tulips")
    guesses = [Deferred.fromCoroutine(checked.check("rosa", stored, f"{n}")) for n in range(WAITING)]
    with pytest.raises(TooManyLogins):
        await checked.check("rosa", stored, "one more")
    with pytest.raises(TooManyLogins):
        checked.be_open_to("otto")
    checked.be_open_to("rosa")
    assert await checked.check("rosa", stored, "tulips")
    for guess in guesses:
        assert not await guess
    assert not await checked.check("rosa", stored, "one more"), "there is room again"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
async def test_passwords_are_checked_when_nobody_else_wants_the_processor(
    checked: Logins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their thread has the lowest priority, and the others keep theirs."""
    seen = []

    def verify(stored: str | None, password: str) -> bool:
        seen.append(os.getpriority(os.PRIO_PROCESS, 0))  # of the thread that asks
        return False

    monkeypatch.setattr(passwords, "verify", verify)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    assert not await checked.check("rosa", "x", "y")
    assert seen == [logins.LOWEST_PRIORITY]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


async def test_after_the_end_every_password_is_wrong() -> None:
    """Who still asks is answered."""
    from twisted.internet import reactor

    installed: Any = reactor
    made = Logins(installed, os.urandom)
    made.start()
    stored = passwords.hash_password("tulips")
    assert await made.check("rosa", stored, "tulips")
    made.stop()
    assert not await made.check("rosa", stored, "tulips")
