"""What the connections of a listener have in common, with connections that only count."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from txpachube.server.transports.listener import ListenerFactory


class Counting:
    """A connection that ends when it is told to give up, or at once."""

    def __init__(self, factory: ListenerFactory, ends_at_once: bool = False) -> None:
        self.factory = factory
        self.ends_at_once = ends_at_once
        self.looked: list[float] = []
        self.told: list[str] = []
        factory.opened(self)

    subscription_count = 2

    def look_at_clock(self) -> None:
        self.looked.append(self.factory.now)

    def finish(self) -> None:
        self.told.append("finish")
        if self.ends_at_once:
            self.factory.closed(self)

    def give_up(self) -> None:
        self.told.append("give up")
        self.factory.closed(self)


class Factory(ListenerFactory):
    """A factory of such connections."""

    def make(self) -> Any:
        return Counting(self)


def test_all_connections_are_looked_at_while_there_are_any() -> None:
    """One timer serves all of them, and none runs when there are none."""
    clock = Clock()
    factory = Factory(clock, 10, 2.0)
    first = factory.buildProtocol(None)
    clock.advance(1)
    second = factory.buildProtocol(None)
    assert len(clock.getDelayedCalls()) == 1
    clock.pump([1, 1, 1])
    assert (first.looked, second.looked) == ([2.0, 4.0], [2.0, 4.0])
    factory.closed(first)
    factory.closed(second)
    clock.advance(2)
    assert clock.getDelayedCalls() == []
    assert factory.connection_count == 0


def test_more_than_may_be_are_turned_away_and_counted() -> None:
    """When one has gone there is room again."""
    factory = Factory(Clock(), 2, 2.0)
    first, second = factory.buildProtocol(None), factory.buildProtocol(None)
    assert factory.buildProtocol(None) is None
    assert factory.refused == 1
    factory.closed(second)
    assert factory.buildProtocol(None) is not None
    assert first is not None


def test_the_end_waits_for_who_has_something_to_finish() -> None:
    """After the grace it is broken off; everybody who asked for the end hears of it."""
    clock = Clock()
    factory = Factory(clock, 10, 2.0)
    quick, slow = Counting(factory, ends_at_once=True), Counting(factory)
    heard: list[int] = []
    factory.shutdown(3.0).addCallback(lambda _: heard.append(1))
    factory.shutdown().addCallback(lambda _: heard.append(2))
    assert factory.buildProtocol(None) is None
    assert (quick.told, slow.told, heard) == (["finish"], ["finish"], [])
    clock.advance(2.9)
    assert heard == []
    clock.advance(0.2)
    assert slow.told == ["finish", "give up"]
    assert heard == [1, 2]
    assert clock.getDelayedCalls() == []


def test_the_end_of_nothing_is_at_once() -> None:
    """Without connections, or when all of them end when asked, there is nothing to wait for."""
    clock = Clock()
    for connections in (0, 2):
        factory = Factory(clock, 10, 2.0)
        for _ in range(connections):
            Counting(factory, ends_at_once=True)
        heard: list[None] = []
        factory.shutdown().addCallback(heard.append)
        assert heard == [None]
    assert clock.getDelayedCalls() == []


def test_subscriptions_are_those_of_all_connections() -> None:
    """The listener knows how many there are, for whoever counts."""
    factory = Factory(Clock(), 10, 2.0)
    assert factory.subscription_count == 0
    for _ in range(3):
        Counting(factory)
    assert factory.subscription_count == 6
