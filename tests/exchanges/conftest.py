"""Gardens for exchanges: what is there before the first request, planted once and copied for each."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import blockon, ensureDeferred
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred

from txpachube.testing.doors.base import Direct
from txpachube.testing.exchanges import Placeholders, differences, read_exchange
from txpachube.testing.garden import plant
from txpachube.testing.inprocess import InProcess

GARDENS = Path(__file__).parent / "gardens"
DATABASE = "pachube.sqlite3"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let tests that are coroutines run on the reactor."""
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
        item.obj = ensureDeferred(item.obj)


async def _planted(database: Path, name: str) -> None:
    """Make the garden `plant` describes, and then whatever the file of this name asks for."""
    service = InProcess(database, installed_reactor)
    await service.open()
    await plant(service)
    file = GARDENS / f"{name}.http"
    if file.exists():
        door, placeholders = Direct(service), Placeholders()
        for step in read_exchange(file.read_text("utf-8"), name).steps:
            service.now = service.now if step.clock is None else step.clock
            given = await door.ask(step.question, step.answer)
            assert differences(step.answer, given, placeholders) == [], f"{file}, line {step.line}"
    else:
        assert name == "garden", f"there is no garden called {name}"
    await service.close()


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Awaitable[Path]]:
    """Return a function that returns the database of a garden, which must be left as it is."""
    made: dict[str, Path] = {}

    async def original(name: str) -> Path:
        if name not in made:
            database = tmp_path_factory.mktemp(name) / DATABASE
            await _planted(database, name)
            made[name] = database
        return made[name]

    return original


@pytest.fixture
def fresh(
    originals: Callable[[str], Awaitable[Path]], tmp_path: Path
) -> Iterator[Callable[[str, str | None, int], Awaitable[InProcess]]]:
    """Return a function that opens a service with a garden of its own, by name, base URL and rate limit."""
    opened: list[InProcess] = []

    async def service(name: str, base_url: str | None, per_minute: int) -> InProcess:
        copy = tmp_path / f"{len(opened)}.sqlite3"
        shutil.copy(await originals(name), copy)
        reactor: Any = installed_reactor
        opened.append(InProcess(copy, reactor, base_url, per_minute))
        await opened[-1].open()
        return opened[-1]

    yield service
    for each in opened:
        blockon(Deferred.fromCoroutine(each.close()))
