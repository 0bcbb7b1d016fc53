"""
One subscription of one socket client, between the events of the service and the client's session.

It makes the document of each update, which all subscribers to the same thing share, and sees to it
that nobody gets what they may not see any more: when keys or the privacy of feeds have changed, or the
key has expired, the subscription is judged again before the next push, as if it was made then. What comes
while that takes its time waits. If the right is gone, the subscription ends without a word. If it cannot be
told, because the storage fails, what waited is not pushed, and the next update asks again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from twisted.logger import Logger

from txpachube.api.messages import Request
from txpachube.api.problems import Problem
from txpachube.server.app import Grant
from txpachube.server.events import Update
from txpachube.server.operations.bodies import feed_body, pushed_stream
from txpachube.server.transports.driving import drive
from txpachube.wire.paws_subscriptions import Subscription

if TYPE_CHECKING:
    from txpachube.server.transports.paws_session import PawsSession

__all__ = ["Subscriber"]

log = Logger()

_FAILED_FOR_NOW: Final = 500


class Subscriber:
    """
    A listener to events.

    Attributes:
        subscription: its name and how its messages are written.
        grant: the right to it, and what it is about.
        active: it has not ended.
    """

    __slots__ = ("_checked", "_held", "_overfull", "_request", "_session", "active", "grant", "subscription")

    def __init__(
        self, session: PawsSession, subscription: Subscription, request: Request, grant: Grant, checked: int
    ) -> None:
        self.subscription = subscription
        self.active = True
        self._session = session
        self._held: list[bytes] | None = None
        self._overfull = False
        self.renew(request, grant, checked)

    def renew(self, request: Request, grant: Grant, checked: int) -> None:
        """Take over the request and the right of somebody who subscribed to the same again."""
        self._request = request
        self.grant = grant
        self._checked = checked

    def updated(self, update: Update) -> None:
        """Push the new state."""
        session = self._session
        grant = self.grant
        stream_id = grant.stream_id
        if stream_id is None:
            feed, base, only = update.feed, grant.base, grant.only
            document = update.once((base, only), lambda: feed_body(feed, "json", base, session.clock(), only))
        else:
            document = update.once(stream_id, partial(_stream_document, update, stream_id))
        if self._held is not None:
            self._hold(document)
        elif self._checked != session.events.rights or (
            grant.key.expires_at is not None and grant.expired(session.clock())
        ):
            self._held = [document]
            checked = session.events.rights
            drive(session.authorise(self._request, again=True), self._allowed, self._refused, checked)
        else:
            session.push(self, document)

    def ended(self) -> None:
        """End, because what was subscribed was deleted."""
        self._session.ended(self)

    def present(self) -> bytes | None:
        """Return the document as it is now, None when there is none any more."""
        grant = self.grant
        if grant.stream_id is None:
            return feed_body(grant.feed, "json", grant.base, self._session.clock(), grant.only)
        stream = grant.feed.streams.get(grant.stream_id)
        return None if stream is None else pushed_stream(stream)

    def _hold(self, document: bytes) -> None:
        assert self._held is not None
        if self._overfull or len(self._held) >= self._session.limits.checked_pushes:
            self._held.clear()
            self._overfull = True
        else:
            self._held.append(document)

    def _allowed(self, checked: int, grant: Grant) -> None:
        held, self._held = self._held or [], None
        overfull, self._overfull = self._overfull, False
        if not self.active:
            return
        self.grant = grant
        self._checked = checked
        if overfull and (document := self.present()) is not None:
            held = [document]
        for document in held:
            self._session.push(self, document)

    def _refused(self, checked: int, problem: BaseException) -> None:
        self._held = None
        self._overfull = False
        if not isinstance(problem, Problem):
            log.error("a subscription could not be judged: {kind}", kind=type(problem).__name__)
        elif problem.status >= _FAILED_FOR_NOW:
            return
        self._session.drop(self)

    def __repr__(self) -> str:
        return f"<Subscriber {self.subscription!r}>"


def _stream_document(update: Update, stream_id: str) -> bytes:
    return pushed_stream(update.feed.streams[stream_id])
