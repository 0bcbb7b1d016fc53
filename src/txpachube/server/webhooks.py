"""
Sends what is in the outbox.

Any answer ends the matter, a success being 2xx; redirects are not followed. When there was no
answer because the connection failed, it is tried again: once soon, then with growing pauses, and then it
is given up. A receiver that takes the request and is silent for ten seconds is not asked twice, since it
may have got it. Every attempt is in the log of its trigger.

One receiver has only a few of the connections that there may be, so one that is slow, or silent,
delays its own notifications and nobody else's.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any, Final, cast
from urllib.parse import urlsplit

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITransport
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.web._newclient import ParseError
from twisted.web.client import FileBodyProducer, ResponseNeverReceived
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent

from txpachube.server.notifications import form
from txpachube.server.public_endpoint import ForbiddenAddress
from txpachube.server.storage.failures import StorageFailed
from txpachube.server.storage.triggers import Attempt, Notification, Triggers
from txpachube.times import SECOND

__all__ = ["Webhooks"]

TIMEOUT: Final = 10.0
"""Seconds a receiver has for everything."""

PAUSES: Final = (1.0, 10.0, 60.0, 300.0, 1800.0)
"""Seconds before each new attempt after a connection failed; after the last one it is given up."""

MAX_CONNECTIONS: Final = 128
"""Notifications that are being sent at the same time."""

MAX_PER_RECEIVER: Final = 4
"""Those of them that go to one host and port."""


class Webhooks:
    """
    Sends notifications.

    Args:
        triggers: has the outbox.
        agent: carries the requests; it must not follow redirects.
        reactor: keeps the time of pauses and timeouts.
        clock: returns the time in microseconds since 1970.
        timeout: see `TIMEOUT`.
        pauses: see `PAUSES`.

    Attributes:
        outcomes: how many attempts ended how: ``2xx`` and its like, or in words.
    """

    _log = Logger()

    def __init__(
        self,
        triggers: Triggers,
        agent: IAgent,
        reactor: IReactorTime,
        clock: Callable[[], int],
        timeout: float = TIMEOUT,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self._triggers = triggers
        self._agent = agent
        self._reactor = reactor
        self._clock = clock
        self._timeout = timeout
        self._pauses = pauses
        self._waiting: dict[str, deque[Notification]] = {}
        self._sending: dict[str, set[Deferred[None]]] = {}
        self._pausing: set[IDelayedCall] = set()
        self._open = 0
        self._stopped = False
        self.outcomes: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """How many notifications are due and wait for a connection."""
        return sum(map(len, tuple(self._waiting.values())))

    async def start(self) -> None:
        """Take up what the last run left in the outbox."""
        self.queued(await self._triggers.waiting())

    def stop(self) -> None:
        """Break off what is under way; it stays in the outbox, and the next start sends it."""
        self._stopped = True
        self._waiting.clear()
        for call in self._pausing:
            call.cancel()
        self._pausing.clear()
        for sending in [deferred for group in self._sending.values() for deferred in group]:
            sending.cancel()

    def queued(self, notifications: Sequence[Notification]) -> None:
        """Send what has come into the outbox, each when it is due."""
        for notification in notifications:
            self._schedule(notification)
        self._send_what_may_go()

    def _schedule(self, notification: Notification) -> None:
        pause = (notification.due - self._clock()) / SECOND
        if self._stopped:
            return
        if pause <= 0:
            self._waiting.setdefault(_receiver(notification.url), deque()).append(notification)
            return

        def due() -> None:
            self._pausing.discard(call)
            self._waiting.setdefault(_receiver(notification.url), deque()).append(notification)
            self._send_what_may_go()

        # A clock that was set back must not let anything wait longer than the longest pause.
        call = self._reactor.callLater(min(pause, max(self._pauses, default=0.0)), due)
        self._pausing.add(call)

    def _send_what_may_go(self) -> None:
        for receiver, queue in tuple(self._waiting.items()):
            sending = self._sending.setdefault(receiver, set())
            while queue and len(sending) < MAX_PER_RECEIVER and self._open < MAX_CONNECTIONS:
                self._send(receiver, sending, queue.popleft())
            if not queue:
                self._waiting.pop(receiver, None)
            if not sending:
                self._sending.pop(receiver, None)

    def _send(self, receiver: str, sending: set[Deferred[None]], notification: Notification) -> None:
        self._open += 1
        attempt = Deferred.fromCoroutine(self._attempt(notification))
        sending.add(attempt)

        def done(failure: object) -> None:
            self._open -= 1
            sending.discard(attempt)
            if not sending and self._sending.get(receiver) is sending:
                del self._sending[receiver]
            if failure is not None and not self._stopped:
                self._log.error("a notification could not be handled: {failure}", failure=failure)
            if not self._stopped:
                # In a turn of its own: a long queue must not become a deep stack.
                self._soon(self._send_what_may_go)

        attempt.addBoth(done)

    def _soon(self, function: Callable[[], None]) -> None:
        def now() -> None:
            self._pausing.discard(call)
            function()

        call = self._reactor.callLater(0, now)
        self._pausing.add(call)

    async def _attempt(self, notification: Notification) -> None:
        found = await self._triggers.notification(notification.id)
        if found is None:  # deleted, with its trigger or because too many waited
            return
        url, body = found
        status, fault, sent, again = await self._post(url, form(body))
        self.outcomes[f"{status // 100}xx" if status is not None else "silent" if sent else "not sent"] += 1
        now = self._clock()
        due = None
        if again and notification.tries < len(self._pauses):
            due = now + round(self._pauses[notification.tries] * SECOND)
        try:
            await self._triggers.record_attempt(notification, Attempt(now, status, fault), sent=sent, due=due)
        except StorageFailed as problem:
            # It stays in the outbox as it was: the next start sends it again.
            self._log.error("an attempt could not be recorded: {problem}", problem=problem)
            return
        if due is not None:
            self._schedule(
                Notification(notification.id, notification.trigger_id, url, due, notification.tries + 1)
            )

    async def _post(self, url: str, content: bytes) -> tuple[int | None, str | None, bool, bool]:
        """Return status or fault, whether the request went out, and whether to try again."""
        silent = False
        headers = Headers(
            {"Content-Type": ["application/x-www-form-urlencoded"], "User-Agent": ["txpachube"]}
        )
        try:
            request = self._agent.request(
                b"POST", url.encode("ascii"), headers, FileBodyProducer(BytesIO(content))
            )
        except Exception as problem:  # a URL that the agent doesn't understand
            return None, _told(problem), False, False

        def give_up() -> None:
            nonlocal silent
            silent = True
            request.cancel()

        timer = self._reactor.callLater(self._timeout, give_up)
        try:
            response = await request
        except ForbiddenAddress as problem:
            return None, str(problem), False, False
        except (ConnectError, ConnectTimeout, DNSLookupError) as problem:
            return None, _told(problem), False, True
        except Exception as problem:
            if silent:
                return None, f"no answer within {self._timeout:g} seconds", True, False
            if self._stopped or isinstance(problem, CancelledError):
                raise
            reasons = getattr(problem, "reasons", None) or []
            rubbish = any(reason.check(ParseError) for reason in reasons)
            again = isinstance(problem, ResponseNeverReceived) and not rubbish
            told = "the answer is no HTTP" if rubbish else _told(reasons[-1].value if reasons else problem)
            return None, told, True, again
        finally:
            if timer.active():
                timer.cancel()
        response.deliverBody(_Unread())
        return int(response.code), None, True, False


class _Unread(Protocol):
    """Closes the connection: nobody wants to know what a receiver says beyond the status."""

    def connectionMade(self) -> None:
        cast(ITransport, self.transport).loseConnection()


def _receiver(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{parts.port or ''}"


def _told(problem: Any) -> str:
    text = str(problem)
    return (text or type(problem).__name__)[:200]
