"""A store, and a transaction, on a real SQLite file in a temporary directory."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from txpachube.server.storage import accounts
from txpachube.server.storage.database import connect, upgrade
from txpachube.server.storage.store import Store
from txpachube.server.storage.writer import Transaction

PATIENCE = 20.0
"""Seconds a condition may take to come true."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let tests that are coroutines run on the reactor, and fail when something is never answered."""
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
        item.obj = pytest_twisted.ensureDeferred(_bounded(item.obj))


def _bounded(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Coroutine[Any, Any, None]]:
    # The alarm of pytest-timeout would be raised inside the reactor, which goes on after it.
    @functools.wraps(test)
    async def run(**fixtures: Any) -> None:
        from twisted.internet import reactor

        clock: Any = reactor
        await Deferred.fromCoroutine(test(**fixtures)).addTimeout(2 * PATIENCE, clock)

    return run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "data" / "pachube.sqlite3"


@pytest.fixture
def txn(path: Path) -> Iterator[Transaction]:
    """An open transaction on a new database with the account ``rosa`` in row 1."""
    path.parent.mkdir()
    connection = connect(path)
    upgrade(connection, path)
    connection.execute("BEGIN IMMEDIATE")
    transaction = Transaction(connection)
    assert accounts.add_user(transaction, "rosa", None, 0) == 1
    yield transaction
    connection.close()


@pytest_twisted.async_yield_fixture
async def store(path: Path) -> AsyncIterator[Store]:
    """An open store with the account ``rosa`` in row 1."""
    from twisted.internet import reactor

    opened = Store(path, reactor)  # type: ignore[arg-type]  # the module's type is that of no reactor
    await opened.open()
    assert await opened._write(accounts.add_user, "rosa", None, 0) == 1
    yield opened
    await opened.close()


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Return a function that lets the reactor run until a condition is true, or fails after a while."""
    from twisted.internet import reactor

    clock: Any = reactor

    async def wait(condition: Callable[[], object]) -> None:
        end = clock.seconds() + PATIENCE
        while not condition():
            assert clock.seconds() < end, "it did not come true"
            await deferLater(clock, 0.005)

    return wait
