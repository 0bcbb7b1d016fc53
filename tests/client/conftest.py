"""A server that plays a script, and a client of it, for the tests of the client."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest
from pytest_twisted import blockon, ensureDeferred
from twisted.internet.defer import Deferred

from txpachube.client import Client, RetryPolicy
from txpachube.testing.scripted import ScriptedServer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Return a server that listens and has an empty script."""
    from twisted.internet import reactor

    server = ScriptedServer(reactor)
    blockon(Deferred.fromCoroutine(server.start()))
    yield server
    blockon(Deferred.fromCoroutine(server.stop()))


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Client]:
    """Return a client of the server that repeats without waiting."""
    client = Client(
        "the-key",
        504,
        base_url=server.url,
        timeout=20,
        retry=RetryPolicy(first_delay=0, longest_delay=0),
        environ={},
    )
    yield client
    blockon(client.close())


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let tests that are coroutines run on the reactor."""
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
        item.obj = ensureDeferred(item.obj)
