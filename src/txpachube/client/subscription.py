"""
A subscription as the program that made it sees it.

`PAWSClient.subscribe` returns one. It can be used in three ways::

    token, d = client.subscribe("/feeds/504", handler)      # d fires with the status, 200
    token, status = await client.subscribe("/feeds/504", handler)
    async for environment in client.subscribe("/feeds/504"):
        ...

What arrives is an `Environment` or a `Datastream`. After a break of the line, what was missed comes first,
read from the history: then ``datapoints`` of the datastreams hold it, oldest first, and the current value is
the last of them. A push never has ``datapoints``; `is_replay` tells the two apart. A long break comes in
several of these.

Nothing is read from the line while a loop, or a handler that is a coroutine, lags far behind. The service
then keeps what it has to say for a while; after that it says only the newest state, so who has to see every
value must keep up, or read the history.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Any, Final, TypeAlias

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txpachube.client.catching_up import State, streams_of

__all__ = ["Handler", "Subscription", "is_replay"]

Handler: TypeAlias = Callable[[Any], object]
"""
Is called with each `Environment` or `Datastream`.

When it is a coroutine function, or returns a Deferred, the next one waits until it is done.
"""

MAX_WAITING: Final = 64
"""Structures that may wait for a consumer before the client stops reading from the line."""

MAX_WAITING_BYTES: Final = 1024 * 1024
"""Bytes of their documents, likewise. Large feeds have some ten thousand."""

_log = Logger()


def is_replay(structure: State) -> bool:
    """Whether a structure holds what was missed during a break, in the ``datapoints`` of its datastreams."""
    return any(stream.datapoints for stream in streams_of(structure))


class Subscription:
    """
    What `PAWSClient.subscribe` returns; see the module.

    Attributes:
        token: names the subscription, for `PAWSClient.unsubscribe`.
        resource: as it was given.
        incomplete: breaks after which the service did not give the history, so that points may be missing.
        skipped: states that were not kept because the consumer was too slow and there is no history of them.
        answered: fires when the service has answered, or nobody waits for that any more.
    """

    def __init__(
        self,
        token: str,
        resource: str,
        handler: Handler | None,
        end: Callable[[Subscription], Deferred[bool]],
        changed: Callable[[Subscription], object],
    ) -> None:
        self.token = token
        self.resource = resource
        self.incomplete = 0
        self.skipped = 0
        self.answered: Deferred[None] = Deferred()
        self._handler = handler
        self._end = end
        self._changed = changed
        self._status: int | Failure | None = None
        self._asked: list[Deferred[int]] = []
        self._queue: deque[tuple[State, int]] = deque()
        self._size = 0
        self._congested = False
        self._consumers = 0
        self._abandoned = False
        self._handling = False
        self._waiting: deque[Deferred[None]] = deque()
        self._for_room: list[Deferred[None]] = []
        self._over = False
        self._failure: Failure | None = None

    def __repr__(self) -> str:
        return f"<Subscription {self.token} of {self.resource.partition('?')[0]}>"

    # The pair

    @property
    def subscribed(self) -> Deferred[int]:
        """A Deferred that fires with the status, 200, or fails with the error the service gave."""
        answer: Deferred[int] = Deferred(self._cancelled)
        if self._status is None:
            self._asked.append(answer)
        elif isinstance(self._status, Failure):
            answer.errback(self._status)
        else:
            answer.callback(self._status)
        return answer

    def __iter__(self) -> Iterator[Any]:
        return iter((self.token, self.subscribed))

    def __await__(self) -> Generator[Any, Any, tuple[str, int]]:
        return self._pair().__await__()

    async def _pair(self) -> tuple[str, int]:
        return self.token, await self.subscribed

    def unsubscribe(self) -> Deferred[bool]:
        """End it; fires with True."""
        return self._end(self)

    def _cancelled(self, answer: Deferred[int]) -> None:
        if answer in self._asked:
            self._asked.remove(answer)
            self._end(self).addErrback(lambda _: None)

    # Iteration

    def __aiter__(self) -> Consumption:
        """
        Iterate over what arrives, until the subscription ends.

        The client stops reading from the line while more than a few dozen structures wait here. Breaking out
        of the loop does not end the subscription; go on with another loop, or unsubscribe.
        """
        if self._handler is not None:
            raise TypeError("a subscription with a handler cannot be iterated")
        return Consumption(self)

    async def _next(self) -> State:
        while not self._queue:
            if self._over:
                failure, self._failure = self._failure, None
                if failure is not None:
                    failure.raiseException()
                raise StopAsyncIteration
            arrival: Deferred[None] = Deferred(self._waiting.remove)
            self._waiting.append(arrival)
            await arrival
        return self._take()

    def _consumers_changed(self, step: int) -> None:
        self._consumers += step
        self._abandoned = self._consumers == 0
        self._note_congestion()

    # What the client does with it

    @property
    def congested(self) -> bool:
        """Whether the client had better stop reading: a consumer is there, and lags."""
        return self._congested

    @property
    def full(self) -> bool:
        """Whether nothing more is taken in, not even while the client must go on reading."""
        return len(self._queue) >= 2 * MAX_WAITING or self._size >= 2 * MAX_WAITING_BYTES

    @property
    def drained(self) -> bool:
        """Whether the consumer has caught up."""
        return not self._queue

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._over

    def room(self) -> Deferred[None]:
        """Return a Deferred that fires when there is room for more."""
        room: Deferred[None] = Deferred(self._for_room.remove)
        if len(self._queue) < MAX_WAITING and self._size < MAX_WAITING_BYTES:
            room.callback(None)
        else:
            self._for_room.append(room)
        return room

    def acknowledged(self, status: int) -> None:
        """Tell that the service has agreed."""
        self._answer(status)

    def deliver(self, structure: State, size: int) -> None:
        """Give a structure to the consumer, after those that wait for it."""
        if self._over:
            return
        self._queue.append((structure, size))
        self._size += size
        if self._handler is not None:
            self._handle()
        elif self._waiting:
            self._waiting.popleft().callback(None)
        self._note_congestion()

    def replace_last(self, structure: State, size: int) -> None:
        """Give a structure in the place of the last one that waits."""
        _, replaced = self._queue.pop()
        self._size += size - replaced
        self._queue.append((structure, size))
        self.skipped += 1

    def finish(self, failure: Failure | None = None, unanswered: Failure | None = None) -> None:
        """
        End it. What waits is still given to a loop, and not to a handler.

        Args:
            failure: why, unless the program wanted it.
            unanswered: what those are told who still wait for the service's answer, when it did.
        """
        if self._over:
            return
        self._over = True
        self._failure = failure
        self._congested = False
        if self._handler is not None:
            self._queue.clear()
            self._size = 0
        told = failure is None or bool(self._asked) or bool(self._waiting)
        self._changed(self)
        self._answer(failure or unanswered or Failure(CancelledError()))
        if failure is not None and not told and (self._handler is not None or self._abandoned):
            _log.warn("{subscription} ended: {reason}", subscription=self, reason=failure.getErrorMessage())
        waiting, self._waiting = list(self._waiting), deque()
        for arrival in waiting:
            arrival.callback(None)

    # The queue

    def _take(self) -> State:
        structure, size = self._queue.popleft()
        self._size -= size
        self._note_congestion()
        while self._for_room and len(self._queue) < MAX_WAITING and self._size < MAX_WAITING_BYTES:
            self._for_room.pop(0).callback(None)
        if not self._queue:
            self._changed(self)
        return structure

    def _note_congestion(self) -> None:
        enough = 0.5 if self._congested else 1.0  # not to change one's mind with each structure
        lags = len(self._queue) >= MAX_WAITING * enough or self._size >= MAX_WAITING_BYTES * enough
        congested = lags and not self._over and not self._abandoned
        if congested != self._congested:
            self._congested = congested
            self._changed(self)

    def _handle(self) -> None:
        """Call the handler for all that waits, once for each structure and one after the other."""
        if self._handling:
            return
        self._handling = True
        while self._queue:
            done = self._call_handler(self._take())
            if done is not None and self._is_under_way(done):
                return
        self._handling = False

    def _is_under_way(self, done: Deferred[Any]) -> bool:
        """Whether a handler is not done yet; then go on when it is."""
        finished = waited_for = False

        def note(_: object) -> None:
            nonlocal finished
            finished = True
            if waited_for:
                self._handling = False
                self._handle()

        done.addBoth(note)
        waited_for = not finished
        return waited_for

    def _call_handler(self, structure: State) -> Deferred[Any] | None:
        assert self._handler is not None
        try:
            done = self._handler(structure)
        except Exception:
            self._complain(Failure())
            return None
        if inspect.iscoroutine(done) or isinstance(done, Deferred):
            return ensureDeferred(done).addErrback(self._complain)
        return None

    def _complain(self, failure: Failure) -> None:
        # A program's own mistake, which must not cost it the news that follow.
        _log.failure("the handler of {subscription} failed", failure, subscription=self)

    def _answer(self, status: int | Failure) -> None:
        if self._status is not None:
            return
        self._status = status
        self.answered.callback(None)
        asked, self._asked = self._asked, []
        for answer in asked:
            if isinstance(status, Failure):
                answer.errback(status)
            else:
                answer.callback(status)


class Consumption:
    """One loop over a subscription. When it is left and forgotten, nobody is waited for any more."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        subscription._consumers_changed(+1)

    def __aiter__(self) -> Consumption:
        return self

    async def __anext__(self) -> Any:  # the text of the resource decides which structure it is
        """Return the next `Environment` or `Datastream`."""
        return await self._subscription._next()

    def __del__(self) -> None:
        self._subscription._consumers_changed(-1)
