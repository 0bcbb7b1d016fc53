"""Running coroutines as far as they go."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from txpachube.server.transports.driving import drive


def outcome(awaitable: Any, *context: Any) -> tuple[list[Any], Any]:
    """Drive something; return what was called, and what it waits for."""
    called: list[Any] = []

    def finished(*arguments: Any) -> None:
        called.append(("finished", *arguments))

    def failed(*arguments: Any) -> None:
        called.append(("failed", *arguments[:-1], type(arguments[-1])))

    return called, drive(awaitable, finished, failed, *context)


async def waiting_for(*deferreds: Any) -> list[Any]:
    """Wait for each and return what they brought."""
    return [await deferred for deferred in deferreds]


def test_what_waits_for_nothing_is_through_at_once() -> None:
    """The result comes with the context before `drive` returns."""
    assert outcome(waiting_for(), "c", 7) == ([("finished", "c", 7, [])], None)


def test_each_deferred_brings_it_on() -> None:
    """Also one that has fired before; what it waits for at first is returned."""
    first, second, third = (Deferred[int]() for _ in range(3))
    third.callback(3)
    called, waits_for = outcome(waiting_for(first, second, third), "c")
    assert waits_for is first
    first.callback(1)
    assert called == []
    second.callback(2)
    assert called == [("finished", "c", [1, 2, 3])]


def test_what_it_raises_is_handed_over() -> None:
    """At once, or after a Deferred has failed."""

    async def fail() -> None:
        raise ZeroDivisionError

    assert outcome(fail(), 1)[0] == [("failed", 1, ZeroDivisionError)]
    deferred: Deferred[None] = Deferred()
    called, _ = outcome(waiting_for(deferred))
    deferred.errback(KeyError("x"))
    assert called == [("failed", KeyError)]


def test_a_failure_that_it_copes_with_is_none() -> None:
    """It goes on where it caught the exception."""
    deferred: Deferred[None] = Deferred()

    async def cope() -> str:
        with pytest.raises(KeyError):
            await deferred
        return "coped"

    called, _ = outcome(cope())
    deferred.errback(KeyError("x"))
    assert called == [("finished", "coped")]


def test_what_is_no_deferred_cannot_be_awaited() -> None:
    """The coroutine is closed, and that is a failure."""

    class Strange:
        def __await__(self) -> Any:
            yield "strange"

    called, waits_for = outcome(waiting_for(Strange()))
    assert (called, waits_for) == ([("failed", TypeError)], None)


def test_a_deferred_itself_can_be_driven() -> None:
    """It need not be a coroutine."""
    deferred: Deferred[int] = Deferred()
    called, _ = outcome(deferred)
    deferred.callback(5)
    assert called == [("finished", 5)]
