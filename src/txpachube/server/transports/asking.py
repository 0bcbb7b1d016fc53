"""What the doors ask of the service, as types: each door is handed functions, and knows no more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from txpachube.api.messages import Request, Response

if TYPE_CHECKING:
    from txpachube.server.app import Grant

__all__ = ["Authorise", "Handle"]

Handle = Callable[[Request], Awaitable[Response]]
"""Answers a request; awaits nothing but Deferreds."""


class Authorise(Protocol):
    """
    Returns the right to hear of what a request is about, or raises a `Problem`.

    With ``again`` it is the service that asks, because rights have changed: the key is not charged for it.
    """

    def __call__(self, request: Request, *, again: bool = False) -> Awaitable[Grant]: ...
