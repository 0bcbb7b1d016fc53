"""A store on a real SQLite file in a temporary directory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from txpachube.server.storage import accounts
from txpachube.server.storage.records import Permission
from txpachube.server.storage.store import Store

T = TypeVar("T")

MASTER = (Permission(("get", "put", "post", "delete")),)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "data" / "pachube.sqlite3"


@pytest_twisted.async_yield_fixture
async def store(path: Path) -> AsyncIterator[Store]:
    """An open store with the account ``rosa`` in row 1."""
    from twisted.internet import reactor

    opened = Store(path, reactor)  # type: ignore[arg-type]  # the module's type is that of no reactor
    await opened.open()
    await opened._write(accounts.add_user, "rosa", None, 0)
    yield opened
    await opened.close()
