"""
What one connection of the socket server is subscribed to.

A subscription is known by what it is about and by the token its client chose; both together name it.
Asking twice for the same one changes nothing. The same resource under two tokens is two subscriptions,
and each gets its own push. Without a token there is one subscription for each resource.
What doesn't matter for this is how the resource was spelled: with an extension or parameters, with or
without the version. The spelling is given back in the pushes, because clients look for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from txpachube.wire.paws_answers import PUSH_START, Envelope
from txpachube.wire.resources import Target

__all__ = ["Subscription", "SubscriptionTable"]

MAX_SUBSCRIPTIONS: Final = 1000
"""Subscriptions of one connection; each costs memory for as long as the connection lives."""


class Subscription:
    """
    One resource that is pushed to a client under one token.

    Attributes:
        target: the feed or datastream.
        envelope: what the client is given back with each push.
        key: the key that it was subscribed with, to be looked at again when keys change.
        ending: what follows the document in a push; the same for each, so it is made only once.
    """

    __slots__ = ("ending", "envelope", "key", "target")

    def __init__(self, target: Target, envelope: Envelope, key: str) -> None:
        self.target = target
        self.envelope = envelope
        self.key = key
        self.ending = b",%b}" % envelope.members

    def push(self, document: bytes) -> bytes:
        """Write the message that carries a document, which is compact JSON, to the subscriber."""
        return b"".join((PUSH_START, document, self.ending))

    def __repr__(self) -> str:
        return f"<Subscription to {self.target} with token {self.envelope.token!r}>"


class SubscriptionTable:
    """
    All subscriptions of one connection.

    Attributes:
        limit: how many there can be.
    """

    __slots__ = ("_by_name", "limit")

    def __init__(self, limit: int = MAX_SUBSCRIPTIONS) -> None:
        self.limit = limit
        self._by_name: dict[tuple[Target, bytes], Subscription] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Subscription]:
        return iter(tuple(self._by_name.values()))

    def find(self, target: Target, envelope: Envelope) -> Subscription | None:
        """Return the subscription of this resource and token, if there is one."""
        return self._by_name.get((target, envelope.token))

    def subscribe(self, target: Target, envelope: Envelope, key: str) -> Subscription | None:
        """
        Enter a subscription.

        Returns:
            The new one, or the one that was there before, which stays as it was but takes the key.
            None when the table is full.
        """
        name = (target, envelope.token)
        present = self._by_name.get(name)
        if present is not None:
            present.key = key
            return present
        if len(self._by_name) >= self.limit:
            return None
        made = self._by_name[name] = Subscription(target, envelope, key)
        return made

    def unsubscribe(self, target: Target, envelope: Envelope) -> Subscription | None:
        """Take the subscription of this resource and token out and return it; None if there was none."""
        return self._by_name.pop((target, envelope.token), None)

    def end(self, subscription: Subscription) -> None:
        """Take a subscription out silently, because its key has lost the right to it."""
        self._by_name.pop((subscription.target, subscription.envelope.token), None)

    def clear(self) -> list[Subscription]:
        """Take all out, when the connection has ended; return them."""
        gone = list(self._by_name.values())
        self._by_name.clear()
        return gone

    def about(self, feed_id: int, datastream_id: str | None = None) -> list[Subscription]:
        """
        Return the subscriptions that an update concerns, in the order they were made.

        Args:
            feed_id: the feed that was updated.
            datastream_id: the datastream that was; None for the subscriptions of the feed as a whole.
        """
        wanted = Target(feed_id, datastream_id)
        return [subscription for (target, _), subscription in self._by_name.items() if target == wanted]
