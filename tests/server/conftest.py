"""A service that is asked directly, with a few people, keys and feeds in it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_twisted import blockon, ensureDeferred
from twisted.internet.defer import Deferred

from txpachube.testing.garden import plant
from txpachube.testing.inprocess import InProcess


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let tests that are coroutines run on the reactor."""
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
        item.obj = ensureDeferred(item.obj)


@pytest.fixture
def garden(tmp_path: Path) -> Iterator[InProcess]:
    """Return a service with the feeds and keys of `plant` in it."""
    yield from _gardens(tmp_path)


@pytest.fixture(scope="module")
def common_garden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """Return such a service for all tests of a module, which must leave it as it is."""
    yield from _gardens(tmp_path_factory.mktemp("garden"))


def _gardens(folder: Path) -> Iterator[InProcess]:
    from twisted.internet import reactor

    opened = InProcess(folder / "pachube.sqlite3", reactor)
    blockon(Deferred.fromCoroutine(opened.open()))
    blockon(Deferred.fromCoroutine(plant(opened)))
    yield opened
    blockon(Deferred.fromCoroutine(opened.close()))
