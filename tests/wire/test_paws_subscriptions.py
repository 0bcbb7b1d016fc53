"""A subscription is known by what it is about and by its token."""

from __future__ import annotations

from txpachube.wire.paws_answers import Envelope, push
from txpachube.wire.paws_subscriptions import SubscriptionTable
from txpachube.wire.resources import Target

FEED = Target(504)
STREAM = Target(504, "temp", "temp.json", "json")


def envelope(resource: str = "/feeds/504", token: str = "") -> Envelope:
    return Envelope(f'"{resource}"'.encode(), f'"{token}"'.encode() if token else b"")


def test_subscribing_twice_is_subscribing_once() -> None:
    """The same resource and token again changes nothing but the key that is checked."""
    table = SubscriptionTable()
    first = table.subscribe(FEED, envelope(token="T"), "old")
    assert table.subscribe(FEED, envelope("/feeds/504.json", "T"), "new") is first
    assert len(table) == 1
    assert first is not None
    assert first.key == "new"
    assert first.envelope.resource == b'"/feeds/504"'


def test_each_token_gets_its_own_push() -> None:
    """Two tokens, or a token and none, are two subscriptions of the same resource."""
    table = SubscriptionTable()
    for token in ("A", "B", ""):
        table.subscribe(FEED, envelope(token=token), "k")
    assert [subscription.envelope.token for subscription in table.about(504)] == [b'"A"', b'"B"', b""]


def test_feed_and_datastream_are_different_things() -> None:
    """An update asks for the subscribers of the feed and of the stream separately."""
    table = SubscriptionTable()
    of_feed = table.subscribe(FEED, envelope(), "k")
    of_stream = table.subscribe(STREAM, envelope("/feeds/504/datastreams/temp"), "k")
    assert table.about(504) == [of_feed]
    assert table.about(504, "temp") == [of_stream]
    assert table.about(504, "other") == []
    assert table.about(505) == []


def test_unsubscribing_needs_the_token() -> None:
    """Another token ends nothing; without one the subscription without one ends."""
    table = SubscriptionTable()
    with_token = table.subscribe(FEED, envelope(token="T"), "k")
    without = table.subscribe(FEED, envelope(), "k")
    assert table.unsubscribe(FEED, envelope(token="other")) is None
    assert table.unsubscribe(FEED, envelope("/feeds/504.json")) is without
    assert table.unsubscribe(FEED, envelope()) is None
    assert list(table) == [with_token]


def test_the_table_has_a_limit() -> None:
    """Beyond the limit nothing is entered, and what is there can still be asked for again."""
    table = SubscriptionTable(limit=1)
    first = table.subscribe(FEED, envelope(), "k")
    assert table.subscribe(STREAM, envelope(), "k") is None
    assert table.subscribe(FEED, envelope(), "k") is first
    assert len(table) == 1


def test_a_subscription_can_end_from_this_side() -> None:
    """When its key loses the right it is taken out, also while one walks through the table."""
    table = SubscriptionTable()
    for token in "ABC":
        table.subscribe(FEED, envelope(token=token), "k")
    for subscription in table:
        table.end(subscription)
    assert len(table) == 0
    assert table.find(FEED, envelope(token="A")) is None


def test_clearing_returns_what_was_there() -> None:
    """At the end of a connection everything it was subscribed to is known."""
    table = SubscriptionTable()
    first = table.subscribe(FEED, envelope(), "k")
    assert table.clear() == [first]
    assert len(table) == 0


def test_a_subscription_writes_the_same_push() -> None:
    """What is prepared once for each subscription gives the message of `push`."""
    table = SubscriptionTable()
    subscription = table.subscribe(FEED, envelope(token="T"), "secret-key")
    assert subscription is not None
    assert subscription.push(b'{"id":504}') == push(envelope(token="T"), b'{"id":504}')
    assert "secret-key" not in repr(subscription)
