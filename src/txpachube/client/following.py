"""
Follows one subscribed resource from line to line, so that its subscriber misses nothing.

::

    NEW ──line──> ASKING ──200, the first time──────────────────────────> LIVE ──push──> the consumer
                    │  └──200 again──> CATCHING_UP ──all is read──> LIVE
                    │                     ^                          │
                    │                     └──drained── LAGGING <─────┘ the consumer is full
                    └──401, 403, 404──> over                 (a break leads back to NEW)

The service keeps nothing for a subscriber who is away, and a subscription begins with silence. So the state
at the beginning is read, in the same breath as subscribing, to know from which points on everything is owed.
After a break the client subscribes first and holds back what is pushed; reads the present state, and from
the history what lies between (`txpachube.client.catching_up`); and then goes on with those of the held pushes
that are later. The same is done when pushes had to be dropped because the consumer was too slow.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from enum import Enum, auto
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from txpachube.client._calls import READ_DATASTREAM, READ_FEED, Call, Prepared, build, interpret
from txpachube.client.catching_up import Marks, Owed, State, missed_points, streams_of
from txpachube.client.exchange import Interrupted
from txpachube.client.failures import response_error
from txpachube.client.methods import Methods
from txpachube.client.paws_session import Session
from txpachube.client.subscription import MAX_WAITING, Subscription
from txpachube.errors import CallFailed, ResponseError, ServerError
from txpachube.structures import Datapoint, Datastream, Environment
from txpachube.times import format_micros
from txpachube.wire.resources import Target

__all__ = ["Following"]

_BYTES_OF_A_POINT = 64  # roughly, as JSON

_log = Logger()


class _Phase(Enum):
    NEW = auto()
    ASKING = auto()
    LIVE = auto()
    CATCHING_UP = auto()
    LAGGING = auto()


class Following:
    """
    Keeps one subscription going.

    Args:
        subscription: what the program has of it.
        target: what it is about.
        key: the API key; empty for none.
        reader: reads states and history.
        clock: the reactor's.
        delay: gives the seconds to wait after so many failures.
        replay: whether what was missed is to be read.
        shown: how errors call the request.
    """

    def __init__(
        self,
        subscription: Subscription,
        target: Target,
        key: str,
        reader: Methods,
        clock: IReactorTime,
        delay: Callable[[int], float],
        *,
        replay: bool,
        shown: str,
    ) -> None:
        self.subscription = subscription
        self._key = key
        self._reader = reader
        self._clock = clock
        self._delay = delay
        self._replay = replay
        self._shown = shown
        self._feed_id = target.feed_id
        self._of_stream = target.datastream_id is not None
        # A datastream whose id is the whole text wins over the one without what looks like an extension.
        self._stream_id = target.verbatim
        self._other_stream_id = target.datastream_id if target.extension else None
        self._phase = _Phase.NEW
        self._marks = Marks()
        self._begun = False
        self._resuming = False
        self._held: list[tuple[State, int]] = []
        self._dropped = False
        self._work: Deferred[None] | None = None
        self._era = 0
        self._running = 0
        self._beginning: Deferred[None] | None = None

    # What happens to the line

    def opened(self, session: Session) -> None:
        """Subscribe on a new line."""
        self._phase = _Phase.ASKING
        self._do(self._follow(session))

    def broken(self) -> None:
        """Wait for a new line. What the consumer was not given is read again."""
        self._phase = _Phase.NEW
        self._held.clear()
        self._era += 1
        if self._beginning is not None:
            self._beginning.cancel()
        # Work that is running at this moment ends by itself, see `_outside`.
        if self._work is not None and not self._running:
            self._work.cancel()
        self._work = self._beginning = None

    def ask(self, session: Session) -> Deferred[Any]:
        """Subscribe once more, which changes nothing; so one hears whether it still holds."""
        return session.ask("subscribe", self.subscription.resource, self._key, self.subscription.token)

    def judge(self, answer: Any) -> None:
        """End it, when that answer says that it does not hold any more."""
        if 400 <= answer.status < 500:
            self._refused(answer)

    def leave(self, session: Session) -> Deferred[Any]:
        """Unsubscribe."""
        return session.ask("unsubscribe", self.subscription.resource, self._key, self.subscription.token)

    # What the consumer does

    def drained(self) -> None:
        """Catch up, when pushes had to be dropped."""
        if self._phase is _Phase.LAGGING:
            self._phase = _Phase.CATCHING_UP
            self._resuming = True
            self._do(self._catch_up())

    # What the service says

    def pushed(self, document: bytes) -> None:
        """Take news."""
        if self._phase is _Phase.LAGGING or self.subscription.over:
            return
        try:
            state: State = (Datastream() if self._of_stream else Environment()).decode(document)
        except ValueError as problem:
            _log.warn("{what} pushed what is no document: {why}", what=self.subscription, why=str(problem))
            return
        if isinstance(state, Datastream) and state.id is not None:
            self._stream_id = state.id
        size = len(document)
        if self._phase is _Phase.LIVE or not self._resuming:
            self._give_live(state, size)
        elif len(self._held) < MAX_WAITING:
            self._held.append((state, size))
        else:
            self._dropped = True

    def _give_live(self, state: State, size: int) -> None:
        if not self.subscription.full:
            self._give(state, size)
        elif self._replay:
            self._phase = _Phase.LAGGING
        else:
            self.subscription.replace_last(state, size)

    def _give(self, state: State, size: int) -> None:
        self._marks.note(state)
        self.subscription.deliver(state, size)

    # Subscribing

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        def failed(failure: Failure) -> None:
            if not failure.check(CancelledError, Interrupted):
                _log.failure("{what} cannot be followed", failure, what=self.subscription)
                self.subscription.finish(failure)

        era = self._era
        begun = Deferred.fromCoroutine(work)
        if era == self._era:
            self._work = begun
        begun.addErrback(failed)

    def _outside(self, call: Callable[..., object], *arguments: Any) -> None:
        """
        Call what may come back here with the end of the line, or of everything, while work is running.

        Raises:
            CancelledError: it did.
        """
        era = self._era
        self._running += 1
        try:
            call(*arguments)
        finally:
            self._running -= 1
        if era != self._era:
            raise CancelledError

    async def _follow(self, session: Session) -> None:
        self._resuming = self._marks.known and self._replay
        if self._replay and not self._resuming:
            if self._begun:
                self._not_complete("nothing was known of it when the line broke")
            self._beginning = Deferred.fromCoroutine(self._read_beginning(session))
            self._beginning.addErrback(lambda _: None)  # then points are owed from the first push on
        failures = 0
        while True:
            response = await self.ask(session)
            if response.status < 500:
                break
            failures += 1
            await deferLater(self._clock, self._delay(failures))
        if response.status != 200:
            self._outside(self._refused, response)
        self._begun = True
        self._phase = _Phase.CATCHING_UP if self._resuming else _Phase.LIVE
        self._outside(self.subscription.acknowledged, response.status)
        if self._phase is _Phase.CATCHING_UP:
            await self._catch_up()

    def _refused(self, response: Any) -> None:
        secrets = (self._key,) if self._key else ()
        self.subscription.finish(Failure(response_error(response, self._shown, secrets)))

    # Catching up

    async def _catch_up(self) -> None:
        failures = 0
        while True:
            self._dropped = False
            try:
                await self._give_missed()
            except CallFailed as problem:
                failures += 1
                await self._try_later(problem, failures)
                continue
            held, self._held = self._held, []
            for state, size in held:
                if self._marks.is_news(state):
                    self._outside(self._give, state, size)
            if not self._dropped:
                break
            await self.subscription.room()
        self._phase = _Phase.LIVE

    async def _try_later(self, problem: Exception, failures: int) -> None:
        _log.info("{what} waits with catching up: {why}", what=self.subscription, why=str(problem))
        await deferLater(self._clock, self._delay(failures))

    def _not_complete(self, reason: str) -> None:
        self.subscription.incomplete += 1
        _log.warn("{what} may have missed points: {why}", what=self.subscription, why=reason)

    async def _give_missed(self) -> None:
        """Give what is owed; when the service refuses that for good, give at least the present state."""
        state = await self._read_state()
        owed = self._marks.owed(state)
        try:
            async for page in missed_points(self._read_points, owed):
                await self.subscription.room()
                size = sum(map(len, page.values())) * _BYTES_OF_A_POINT
                self._outside(self._give, self._as_of(state, page, owed), size)
        except ServerError:
            raise
        except (ResponseError, ValueError) as problem:
            self._not_complete(str(problem))
        if self._marks.is_news(state):
            self._outside(self._give, state, 0)
        else:
            self._marks.note(state)

    def _as_of(self, state: State, page: Mapping[str, list[Datapoint]], owed: list[Owed]) -> State:
        """Return a state as it was at the end of a page, with the page as its datapoints."""
        copy = type(state).fromDict(state.toDict())
        behind = {each.id for each in owed}
        for stream in streams_of(copy):
            points = page.get(stream.id or "")
            if points:
                stream.datapoints = points
                stream.current_value, stream.at = points[-1].value, points[-1].at
            elif stream.id in behind:
                at, stream.current_value = self._marks.last(stream.id or "")
                stream.at = None if at is None else format_micros(at)
        return copy

    # Reading

    async def _read_beginning(self, session: Session) -> None:
        # On this very line and before anything else, and no reason to read on when the consumer lags.
        prepared = self._prepared_reading()
        response = await session.exchange(prepared.request, quiet=True)
        if response.status == 404 and self._other_stream_id is not None:
            self._stream_id, self._other_stream_id = self._other_stream_id, None
            prepared = self._prepared_reading()
            response = await session.exchange(prepared.request, quiet=True)
        self._marks.begin(interpret(prepared, response, ""))

    def _prepared_reading(self) -> Prepared[Any]:
        call: Call[Any] = READ_DATASTREAM if self._of_stream else READ_FEED
        ids: dict[str, Any] = {"datastream_id": self._stream_id} if self._of_stream else {}
        return build(call, api_key=self._key, format="json", feed_id=self._feed_id, **ids)

    def _read_state(self) -> Deferred[State]:
        return Deferred.fromCoroutine(self._read({}))

    async def _read_points(self, ids: list[str], parameters: dict[str, Any]) -> Mapping[str, list[Datapoint]]:
        if not self._of_stream:
            parameters = {"datastreams": ids, **parameters}
        state = await self._read(parameters)
        return {stream.id or "": stream.datapoints or [] for stream in streams_of(state)}

    async def _read(self, parameters: dict[str, Any]) -> State:
        parameters = {"timezone": None, **parameters}
        if not self._of_stream:
            return await self._reader.read_feed(self._key, self._feed_id, parameters=parameters)
        return await self._reader.read_datastream(
            self._key, self._feed_id, self._stream_id, parameters=parameters
        )
