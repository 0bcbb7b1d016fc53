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
from txpachube.testing.exchanges import Exchange, Placeholders, differences, read_exchange
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


@pytest.fixture(scope="session")
def shared() -> Iterator[dict[tuple[str, str | None], InProcess]]:
    """Return the services that nobody changes, by garden and base URL."""
    opened: dict[tuple[str, str | None], InProcess] = {}
    yield opened
    for each in opened.values():
        blockon(Deferred.fromCoroutine(each.close()))


@pytest.fixture
def service_for(
    originals: Callable[[str], Awaitable[Path]],
    shared: dict[tuple[str, str | None], InProcess],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[Exchange, str | None], Awaitable[InProcess]]]:
    """
    Return a function that opens a service for an exchange, with a base URL: one of its own.

    Exchanges that only read share one, which takes half of the time.
    """
    opened: list[InProcess] = []

    async def service(exchange: Exchange, base_url: str | None) -> InProcess:
        kind = (exchange.garden, base_url)
        if exchange.only_reads and kind in shared:
            return shared[kind]
        copy = tmp_path_factory.mktemp("exchange") / DATABASE
        shutil.copy(await originals(exchange.garden), copy)
        reactor: Any = installed_reactor
        found = InProcess(copy, reactor, base_url, exchange.per_minute)
        await found.open()
        if exchange.only_reads:
            shared[kind] = found
        else:
            opened.append(found)
        return found

    yield service
    for each in opened:
        blockon(Deferred.fromCoroutine(each.close()))
