"""Doors on free ports of this machine, with the people, keys and feeds of `plant` behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_twisted import blockon
from twisted.internet import reactor as installed_reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import Clock

from txpachube.testing.inprocess import InProcess
from txpachube.testing.sockets import SocketClient


@pytest.fixture
def door(garden: InProcess) -> Iterator[Callable[..., Any]]:
    """
    Return a function that opens a door of a kind in front of ``garden``.

    What it returns has the door's ``factory``, ``port``, the ``clock`` of its timeouts, and a coroutine
    function ``client`` that connects.
    """
    opened: list[Any] = []
    clients: list[SocketClient] = []
    reactor: Any = installed_reactor

    def open_door(kind: Any, endpoint: str = "tcp:0:interface=127.0.0.1", **options: Any) -> Any:
        clock = Clock()
        factory = kind(
            garden.app.handle,
            garden.app.authorise,
            garden.events,
            reactor=clock,
            clock=lambda: garden.now,
            **options,
        )
        ports: list[Any] = []  # endpoints of these kinds listen at once
        serverFromString(reactor, endpoint).listen(factory).addCallback(ports.append)
        [listening] = ports

        async def client() -> SocketClient:
            clients.append(await SocketClient.connect(reactor, listening.getHost().port))
            return clients[-1]

        opened.append(
            SimpleNamespace(
                factory=factory,
                port=listening.getHost().port,
                clock=clock,
                client=client,
                listening=listening,
            )
        )
        return opened[-1]

    yield open_door
    for client in clients:
        client.close()
    for each in opened:
        blockon(each.listening.stopListening())
        finished = each.factory.shutdown()
        each.clock.advance(60)
        blockon(finished)
