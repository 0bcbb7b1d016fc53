"""
Running a coroutine as far as it goes.

Most requests are answered without waiting for anything, and then a Deferred is not worth its price: the
coroutine is run here up to the first Deferred it awaits, and on from each of them when it fires. There is no
cancelling: a write that was begun is finished, also when its client is gone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["drive"]

T = TypeVar("T")


def drive(
    awaitable: Awaitable[T], finished: Callable[[T], None], failed: Callable[[BaseException], None]
) -> Deferred[Any] | None:
    """
    Run a coroutine; call one of the functions when it is through, at once if it waits for nothing.

    Args:
        awaitable: a coroutine that awaits nothing but Deferreds, or a Deferred.
        finished: gets what it returned.
        failed: gets what it raised.

    Returns:
        what it waits for at first, None when it waited for nothing.
    """
    # Of a coroutine as of a Deferred, this is something with `send` and `throw`.
    steps: Any = awaitable.__await__()
    return _step(steps.send, None, steps, finished, failed)


def _step(
    resume: Callable[[Any], Any],
    given: Any,
    steps: Any,
    finished: Callable[[Any], None],
    failed: Callable[[BaseException], None],
) -> Deferred[Any] | None:
    try:
        awaited = resume(given)
    except StopIteration as done:
        result = done.value
    except Exception as problem:
        failed(problem)
        return None
    else:
        if isinstance(awaited, Deferred):
            awaited.addBoth(_wake, steps, finished, failed)
            return awaited
        steps.close()
        failed(TypeError("what is no Deferred was awaited"))
        return None
    finished(result)
    return None


def _wake(
    result: Any, steps: Any, finished: Callable[[Any], None], failed: Callable[[BaseException], None]
) -> None:
    if isinstance(result, Failure):
        _step(result.throwExceptionIntoGenerator, steps, steps, finished, failed)
    else:
        _step(steps.send, result, steps, finished, failed)
