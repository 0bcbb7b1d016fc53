"""
The session of one socket client, whatever carries its messages.

Requests are handed to the app one after the other, each when the one before it has been answered, so
they see each other's effects. Only among writes that do nothing but add datapoints, and mean the same
whenever the one before is on the disk, the next one is begun while others wait for that; so a client that
sends many at once waits for the disk once. Answers come in the order of the requests in any case.

A subscription is judged by the app as a GET would be, and then hears
of events. What is pushed goes out at once as long as the client reads, and waits in the backlog
otherwise. Nothing a client sends ends the connection but what leaves nothing to go on with: an object
without end, HTTP.

While the way is blocked no further request is begun; what has come of them is held, and past a limit the
connection is not read any more, so the pressure is passed on to the client.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from twisted.logger import Logger

from txpachube.api.messages import Response
from txpachube.api.problems import Problem, internal_error
from txpachube.server.answers import of_problem
from txpachube.server.app import Grant
from txpachube.server.events import Events
from txpachube.server.storage.appended import Appended
from txpachube.server.transports.asking import Authorise, Handle
from txpachube.server.transports.backlog import Backlog
from txpachube.server.transports.driving import drive
from txpachube.server.transports.paws_limits import PawsLimits
from txpachube.server.transports.paws_subscriber import Subscriber
from txpachube.wire.paws import Call, Incoming, Refusal
from txpachube.wire.paws_answers import SUBSCRIBE_ERRORS, answer, plain_answer
from txpachube.wire.paws_subscriptions import Subscription, SubscriptionTable
from txpachube.wire.resources import Target

__all__ = ["Carrier", "PawsSession", "Surroundings"]

log = Logger()

_OVERLAPPING: Final = frozenset(("PUT", "POST"))


class Surroundings(Protocol):
    """
    What a session uses of the service; its listener's factory has it.

    Attributes:
        handle: answers requests.
        authorise: judges subscriptions.
        events: tells of updates.
        clock: the time of day in microseconds since 1970.
        limits: see there.
        now: the reactor's time, roughly.
        skipped: steps that slow clients did not get, so far.
    """

    handle: Handle
    authorise: Authorise
    events: Events
    clock: Callable[[], int]
    limits: PawsLimits
    now: float
    skipped: int


class Carrier(Protocol):
    """What a session needs of its connection."""

    @property
    def congested(self) -> bool:
        """Whether the client does not read what was sent already."""

    def send(self, message: bytes) -> None:
        """Send an answer."""

    def push(self, subscription: Subscription, document: bytes) -> None:
        """Send a document to a subscriber."""

    def hold_reading(self, hold: bool) -> None:
        """Stop to read, or go on with it."""

    def end(self, *, linger: bool) -> None:
        """Close the connection when all is sent; with ``linger``, let the client notice first."""


class _Answer:
    """The answer to a request that was begun; its message is there when the ones before it may not be yet."""

    __slots__ = ("call", "message")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.message: bytes | None = None


class PawsSession:
    """
    The session of one connection.

    Attributes:
        events: where subscriptions are made.
        authorise: judges them.
        clock: the time of day in microseconds since 1970.
        limits: see there.
        host: what requests that name no host are said to be for, such as ``192.0.2.1:8000``.
        active_at: when the client last asked something, in the reactor's time.
    """

    __slots__ = (
        "_backlog",
        "_begun",
        "_carrier",
        "_ending",
        "_going",
        "_handle",
        "_held",
        "_input_ended",
        "_open",
        "_pending",
        "_subscribers",
        "_surroundings",
        "_table",
        "active_at",
        "authorise",
        "clock",
        "events",
        "host",
        "limits",
    )

    def __init__(self, surroundings: Surroundings, carrier: Carrier, host: str) -> None:
        self.events = surroundings.events
        self.authorise = surroundings.authorise
        self.clock = surroundings.clock
        self.limits = surroundings.limits
        self.host = host
        self.active_at = surroundings.now
        self._surroundings = surroundings
        self._handle = surroundings.handle
        self._carrier = carrier
        self._pending: deque[Incoming] = deque()
        self._held = 0  # bytes that came while something was pending
        self._open: list[_Answer] = []  # of what was begun, in order
        self._begun: _Answer | None = None  # what the next request has to wait for in any case
        self._going = False
        self._ending = False
        self._input_ended = False
        self._table = SubscriptionTable(self.limits.subscriptions)
        self._subscribers: dict[Subscription, Subscriber] = {}
        self._backlog: Backlog[Subscriber] | None = None

    @property
    def subscription_count(self) -> int:
        """How many subscriptions there are."""
        return len(self._subscribers)

    @property
    def subscribed(self) -> bool:
        """Whether the client has any subscription."""
        return bool(self._subscribers)

    @property
    def idle(self) -> bool:
        """Whether nothing is being answered, nor waits for that."""
        return not self._open and not self._pending

    def abandoned(self) -> bool:
        """Return whether the client has asked nothing for long and has nothing to wait for."""
        now, limits = self._surroundings.now, self.limits
        return (
            now - self.active_at - limits.sweep_interval > limits.idle_timeout
            and not self._open
            and not self._subscribers
        )

    # --- requests ---------------------------------------------------------------------------------

    def take(self, incoming: Iterable[Incoming], size: int) -> None:
        """
        Answer messages, or keep them until that is possible.

        Args:
            incoming: the messages.
            size: how many bytes were received for them.
        """
        self.active_at = self._surroundings.now
        if self._ending:
            return
        self._pending.extend(incoming)
        self._go_on()
        if self._pending:
            self._held += size
            if self._held > self.limits.held_bytes:
                self._carrier.hold_reading(True)

    def way_is_free(self) -> None:
        """Go on: the client has read what was sent."""
        self._go_on()
        self._catch_up()

    def finish(self) -> None:
        """Answer what is being answered, nothing more, and end the connection."""
        self._pending.clear()
        self._ending = True
        if not self._open:
            self._carrier.end(linger=False)

    def input_ended(self) -> None:
        """Answer what was asked for. Who is subscribed still gets news; nobody else needs the connection."""
        self._input_ended = True
        self._end_if_deaf()

    def gone(self) -> None:
        """Forget everything: the connection has ended. What is being answered goes on without us."""
        self._ending = True
        self._pending.clear()
        self._backlog = None
        for subscriber in tuple(self._subscribers.values()):
            self._release(subscriber)
        self._table.clear()

    def _go_on(self) -> None:
        if self._going:
            return
        self._going = True
        pending, carrier = self._pending, self._carrier
        try:
            while (
                pending
                and not self._begun
                and not self._ending
                and not carrier.congested
                and (not self._open or self._may_overlap(pending[0]))
            ):
                message = pending.popleft()
                if isinstance(message, Refusal):
                    carrier.send(message.reply)
                    if message.close:
                        self._ending = True
                        pending.clear()
                        carrier.end(linger=True)
                else:
                    self._perform(message)
        finally:
            self._going = False
        if self._held and not pending:
            self._held = 0
            carrier.hold_reading(False)
        if self._input_ended:
            self._end_if_deaf()

    def _may_overlap(self, message: Incoming) -> bool:
        """Return whether a message may be acted on while datapoints wait for the disk."""
        return (
            isinstance(message, Call)
            and message.method in _OVERLAPPING
            and len(self._open) < self.limits.overlapping
        )

    def _end_if_deaf(self) -> None:
        if self.idle and not self.subscribed and not self._ending:
            self.finish()

    def _perform(self, call: Call) -> None:
        headers = call.request.headers
        if "host" not in headers and self.host:
            assert isinstance(headers, dict)  # made for this message alone
            headers["host"] = self.host
        if call.method == "UNSUBSCRIBE":
            self._unsubscribe(call)
            return
        begun = self._begun = _Answer(call)
        self._open.append(begun)
        if call.method == "SUBSCRIBE":
            drive(self.authorise(call.request), self._subscribe, self._refuse, begun, self.events.rights)
        else:
            waits_for = drive(self._handle(call.request), self._answer, self._failed, begun)
            if type(waits_for) is Appended and self._begun is begun:
                self._begun = None

    def _answer(self, begun: _Answer, response: Response) -> None:
        call = begun.call
        self._reply(begun, answer(call.envelope, call.method, response, self.clock()))

    def _failed(self, begun: _Answer, problem: BaseException) -> None:
        log.error("a request could not be answered: {kind}", kind=type(problem).__name__)
        self._answer(begun, of_problem(internal_error()))

    def _reply(self, begun: _Answer, message: bytes) -> None:
        begun.message = message
        if self._begun is begun:
            self._begun = None
        self.active_at = self._surroundings.now
        waiting = self._open
        while waiting and (ready := waiting[0].message) is not None:
            del waiting[0]
            self._carrier.send(ready)  # which nobody hears when the connection is gone
        if self._ending:
            if not waiting:
                self._carrier.end(linger=False)
        elif self._pending or self._held or self._input_ended:
            self._go_on()

    # --- subscriptions ----------------------------------------------------------------------------

    def _subscribe(self, begun: _Answer, checked: int, grant: Grant) -> None:
        call = begun.call
        if self._ending:
            self._reply(begun, plain_answer(call.envelope, 503, "Service Unavailable"))
            return
        target = Target(grant.feed.id, grant.stream_id)
        subscription = self._table.subscribe(target, call.envelope, grant.key.text)
        if subscription is None:
            text = f"Bad Request: a connection may have at most {self._table.limit} subscriptions"
            self._reply(begun, plain_answer(call.envelope, 400, text))
            return
        request = call.request
        request.body = b""
        subscriber = self._subscribers.get(subscription)
        if subscriber is None:
            subscriber = Subscriber(self, subscription, request, grant, checked)
            self._subscribers[subscription] = subscriber
            self.events.subscribe(target.feed_id, target.datastream_id, subscriber)
        else:
            subscriber.renew(request, grant, checked)
        self._reply(begun, plain_answer(call.envelope, 200))

    def _refuse(self, begun: _Answer, _: int, problem: BaseException) -> None:
        if isinstance(problem, Problem):
            status = problem.status
            text = SUBSCRIBE_ERRORS.get(status) or f"{problem.title}: {'; '.join(problem.messages)}"
        else:
            log.error("a subscription could not be judged: {kind}", kind=type(problem).__name__)
            status, text = 500, "Internal Server Error"
        self._reply(begun, plain_answer(begun.call.envelope, status, text))

    def _unsubscribe(self, call: Call) -> None:
        target = call.target
        if target is not None:
            # The text that looks like an extension may be part of the datastream's id.
            for name in dict.fromkeys((target.verbatim, target.datastream_id)):
                wanted = Target(target.feed_id, name if target.datastream_id is not None else None)
                subscription = self._table.find(wanted, call.envelope)
                if subscription is not None:
                    self.drop(self._subscribers[subscription])
                    break
        self._carrier.send(plain_answer(call.envelope, 200))

    def drop(self, subscriber: Subscriber) -> None:
        """End a subscription without a word."""
        if subscriber.active:
            self._table.end(subscriber.subscription)
            self._release(subscriber)

    def ended(self, subscriber: Subscriber) -> None:
        """Forget a subscription to something that was deleted."""
        self.drop(subscriber)

    def _release(self, subscriber: Subscriber) -> None:
        subscriber.active = False
        del self._subscribers[subscriber.subscription]
        target = subscriber.subscription.target
        self.events.unsubscribe(target.feed_id, target.datastream_id, subscriber)
        if self._backlog is not None:
            self._backlog.forget(subscriber)

    # --- pushes -----------------------------------------------------------------------------------

    def push(self, subscriber: Subscriber, document: bytes) -> None:
        """Send a document to a subscriber now, or when the client reads again."""
        if not subscriber.active:
            return  # it ended while the update was being told
        carrier = self._carrier
        if not carrier.congested and not self._backlog:
            carrier.push(subscriber.subscription, document)
            return
        backlog = self._backlog
        if backlog is None:
            backlog = self._backlog = Backlog(self.limits.steps, self.limits.step_bytes)
        skipped = backlog.skipped
        backlog.add(subscriber, document)
        self._surroundings.skipped += backlog.skipped - skipped

    def _catch_up(self) -> None:
        backlog = self._backlog
        if backlog is None:
            return
        while not self._carrier.congested:
            found = backlog.next()
            if found is None:
                self._backlog = None
                return
            subscriber, document = found
            if document is None:
                document = subscriber.present()
            if document is not None:
                self._carrier.push(subscriber.subscription, document)
