"""
Running a coroutine as far as it goes.

Most requests are answered without waiting for anything, and then a Deferred is not worth its price: the
coroutine is run here up to the first Deferred it awaits, and on from each of them when it fires. There is no
cancelling: a write that was begun is finished, also when its client is gone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["drive"]


def drive(
    awaitable: Awaitable[Any],
    finished: Callable[..., None],
    failed: Callable[..., None],
    *context: Any,
) -> Deferred[Any] | None:
    """
    Run a coroutine; call one of the functions when it is through, at once if it waits for nothing.

    Args:
        awaitable: a coroutine that awaits nothing but Deferreds, or a Deferred.
        finished: gets the context and what the coroutine returned.
        failed: gets the context and what it raised.
        context: whatever the functions need to know.

    Returns:
        what it waits for at first, None when it waited for nothing.
    """
    # Of a coroutine as of a Deferred, this is something with `send` and `throw`.
    steps: Any = awaitable.__await__()
    try:
        awaited = steps.send(None)
    except StopIteration as done:
        result = done.value
    except Exception as problem:
        failed(*context, problem)
        return None
    else:
        _await(awaited, steps, finished, failed, context)
        return awaited if isinstance(awaited, Deferred) else None
    finished(*context, result)
    return None


def _await(
    awaited: object,
    steps: Any,
    finished: Callable[..., None],
    failed: Callable[..., None],
    context: tuple[Any, ...],
) -> None:
    if isinstance(awaited, Deferred):
        awaited.addBoth(_wake, steps, finished, failed, context)
    else:
        steps.close()
        failed(*context, TypeError("what is no Deferred was awaited"))


def _wake(
    outcome: Any,
    steps: Any,
    finished: Callable[..., None],
    failed: Callable[..., None],
    context: tuple[Any, ...],
) -> None:
    try:
        if isinstance(outcome, Failure):
            awaited = outcome.throwExceptionIntoGenerator(steps)
        else:
            awaited = steps.send(outcome)
    except StopIteration as done:
        result = done.value
    except Exception as problem:
        failed(*context, problem)
        return
    else:
        _await(awaited, steps, finished, failed, context)
        return
    finished(*context, result)
