"""
One request and its answer, as the client sees whatever carries them.

A carrier (our own HTTP connections, or an injected agent) takes an `api.Request` and gives an
`api.Response`, or raises one of the three failures below. They differ in what the caller may do next,
and that is all the client needs to know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txpachube.api.messages import Request, Response

__all__ = ["MAX_RESPONSE_SIZE", "Carrier", "Interrupted", "NotSent", "Unreadable", "cancellable"]

_T = TypeVar("_T")

MAX_RESPONSE_SIZE: Final = 64 * 1024 * 1024
"""
Bytes of one answer, head and body. The largest page of feeds (1000 of them, 50 streams each) has about
15 MB; four times that leaves room, and a service gone mad cannot fill the memory of a small computer.
"""


class NotSent(Exception):
    """
    Nothing of the request has left: any call may be made again.

    Attributes:
        reason: what went wrong, in words without secrets.
        lasting: trying again now would fail in the same way, such as with a certificate that is not trusted.
    """

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lasting = lasting


class Interrupted(Exception):
    """
    The line broke after something of the request was sent: the service may or may not have acted on it.

    Attributes:
        reason: what went wrong, in words without secrets.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unreadable(Exception):
    """
    What came back is not an answer in HTTP, or is larger than an answer may be.

    Attributes:
        status: the status it began with; 0 when it did not get that far.
        reason: what is wrong with it.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


def cancellable(attempt: Deferred[_T], discard: Callable[[_T], object] | None = None) -> Deferred[_T]:
    """
    Return a Deferred like `attempt` that fails with `CancelledError` as soon as it is cancelled.

    Endpoints and agents that are cancelled fail with what their parts failed with, for instance with the
    name that could not be looked up. That would be taken for a failure of the line and tried again.

    Args:
        attempt: is cancelled together with the result.
        discard: gets rid of what `attempt` fires with all the same.
    """
    cancelled = False

    def cancel(_: Deferred[_T]) -> None:
        nonlocal cancelled
        cancelled = True
        attempt.cancel()

    result: Deferred[_T] = Deferred(cancel)

    def succeeded(value: _T) -> None:
        if not cancelled:
            result.callback(value)
        elif discard is not None:
            discard(value)

    def failed(reason: Failure) -> None:
        if not cancelled:
            result.errback(reason)

    attempt.addCallbacks(succeeded, failed)
    return result


class Carrier(Protocol):
    """What the client needs from a transport. Cancelling the Deferred of a call closes its connection."""

    async def exchange(self, request: Request) -> Response:
        """
        Send a request, return its answer.

        Raises:
            NotSent: no connection.
            Interrupted: the line broke.
            Unreadable: not an answer.
        """
        ...

    def close(self) -> Deferred[None]:
        """Close what is open; fires when it is closed."""
        ...
