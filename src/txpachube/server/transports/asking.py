"""What the doors ask of the service, as types: each door is handed functions, and knows no more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from txpachube.api.messages import Request, Response

if TYPE_CHECKING:
    from txpachube.server.app import Grant

__all__ = ["Abandoned", "Authorise", "Handle", "nobody_cares"]

Handle = Callable[[Request], Awaitable[Response]]
"""Answers a request; awaits nothing but Deferreds."""


Abandoned = Callable[[Request, int, str], None]
"""
Is told of a request that could not be read to its end: what is known of it, the status of the answer (0 when
there was none, because the client was gone), and what was wrong, in words.
"""


def nobody_cares(request: Request, status: int, reason: str) -> None:
    """Is told, and does nothing."""


class Authorise(Protocol):
    """
    Returns the right to hear of what a request is about, or raises a `Problem`.

    With ``again`` it is the service that asks, because rights have changed: the key is not charged for it.
    """

    def __call__(self, request: Request, *, again: bool = False) -> Awaitable[Grant]: ...
