"""
What a subscriber who reads slowly still has to get, and how little of it is kept.

While the way to a client is blocked, the news for it wait here. So many steps are kept as they are, in
their order. Past that only *who* has news is remembered, not what: when the way is free again each of
those gets the newest state of what it subscribed to, once. So a client that never reads costs the
same however many updates pass by, and one that falls behind catches up at the end.

A step is kept as the document that all subscribers share, not as a message of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

__all__ = ["MAX_STEPS", "MAX_STEP_BYTES", "Backlog"]

S = TypeVar("S", bound=Hashable)

MAX_STEPS: Final = 256
"""Steps that are kept for one client: some seconds of what a busy page of feeds has."""

MAX_STEP_BYTES: Final = 128 * 1024
"""Bytes of those steps. A client that is further behind than this has no use for the old ones."""


class Backlog(Generic[S]):
    """
    The news that wait for one client.

    Attributes:
        skipped: steps so far of which the client will not hear.
    """

    __slots__ = ("_behind", "_bytes", "_max_bytes", "_max_steps", "_steps", "skipped")

    def __init__(self, max_steps: int = MAX_STEPS, max_bytes: int = MAX_STEP_BYTES) -> None:
        self._max_steps = max_steps
        self._max_bytes = max_bytes
        self._steps: deque[tuple[S, bytes]] = deque()
        self._bytes = 0
        self._behind: dict[S, None] = {}
        self.skipped = 0

    def __bool__(self) -> bool:
        return bool(self._steps or self._behind)

    def add(self, subscriber: S, document: bytes) -> None:
        """Let a document wait for its turn, or remember that there is something new."""
        if self._behind:
            if subscriber in self._behind:
                self.skipped += 1
            self._behind[subscriber] = None
        elif len(self._steps) < self._max_steps and self._bytes + len(document) <= self._max_bytes:
            self._steps.append((subscriber, document))
            self._bytes += len(document)
        else:
            self._behind[subscriber] = None

    def next(self) -> tuple[S, bytes | None] | None:
        """
        Take out what is to be sent next.

        Returns:
            The subscriber and the document, None instead of it when it is to be the newest; None when
            nothing waits.
        """
        if self._steps:
            subscriber, document = self._steps.popleft()
            self._bytes -= len(document)
            return subscriber, document
        for subscriber in self._behind:
            del self._behind[subscriber]
            return subscriber, None
        return None

    def forget(self, subscriber: S) -> None:
        """Drop what waits for a subscriber."""
        self._behind.pop(subscriber, None)
        kept = deque(step for step in self._steps if step[0] != subscriber)
        if len(kept) != len(self._steps):
            self._steps = kept
            self._bytes = sum(len(document) for _, document in kept)

    def clear(self) -> None:
        """Drop everything: the client is gone."""
        self._steps.clear()
        self._behind.clear()
        self._bytes = 0
