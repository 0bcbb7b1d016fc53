"""The real service in a child process, and a client of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_twisted import blockon, ensureDeferred

from txpachube.client import NO_RETRIES, Client
from txpachube.testing.service import LOOPBACK, ServiceProcess


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Return a service that all tests of the folder share; each makes feeds of its own."""
    doors = {"http": LOOPBACK, "device-http": LOOPBACK}
    with ServiceProcess(tmp_path_factory.mktemp("service"), doors) as running:
        yield running
    assert "Traceback" not in running.log


@pytest.fixture
def connect(service: ServiceProcess) -> Iterator[Callable[..., Client]]:
    """Return a function that makes clients of the service, with the master key unless another is given."""
    clients: list[Client] = []

    def make(api_key: str | None = None, feed_id: str | None = None, **arguments: Any) -> Client:
        key = service.api_key if api_key is None else api_key
        given = {"base_url": service.url, "timeout": 20, "retry": NO_RETRIES, "environ": {}, **arguments}
        clients.append(Client(key, feed_id, **given))
        return clients[-1]

    yield make
    for client in clients:
        blockon(client.close())


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    """Return a client with the master key."""
    return connect()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let tests that are coroutines run on the reactor."""
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
        item.obj = ensureDeferred(item.obj)
