"""
One open line to the socket server, and the calls that are under way on it.

Answers may come in any order; each call has a token of its own, and the answer brings it back. When the line
is lost, all calls that still wait fail with `Interrupted`: the service may or may not have acted on them.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import Final, cast
from typing import Protocol as Interface

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from txpachube.api.messages import Request, Response
from txpachube.client.connection import described
from txpachube.client.exchange import Interrupted
from txpachube.client.paws_line import Line
from txpachube.errors import InvalidValue
from txpachube.wire.jsonstream import MAX_OBJECT
from txpachube.wire.paws_calls import Answer, Push, Reply, encode_call

__all__ = ["Session", "SessionOwner"]

DEAD_SECONDS: Final = 10.0
"""A call that is given up after so long, while nothing at all came in, has shown that the line is dead."""

_log = Logger()


class SessionOwner(Interface):
    """Who is told what happens on a line."""

    def session_opened(self, session: Session) -> None:
        """Hear that calls can be made on it."""
        ...

    def session_lost(self, session: Session, reason: str) -> None:
        """Hear that it has ended; its calls fail right after."""
        ...

    def pushed(self, push: Push) -> None:
        """Take news of something subscribed."""
        ...

    def calls_changed(self, session: Session) -> None:
        """Hear that calls have begun or that none is under way any more."""
        ...


class Session(Protocol):
    """
    The calls on one line.

    Args:
        owner: told of everything that is no answer.
        clock: the reactor's.

    Attributes:
        heard_at: when something last came in.
        productive: whether anything ever came in.
    """

    def __init__(self, owner: SessionOwner, clock: IReactorTime) -> None:
        self.heard_at = 0.0
        self.productive = False
        self._owner = owner
        self._clock = clock
        self._tokens = count(1)
        # Of one token there can be several: to subscribe, to ask whether that still holds, to unsubscribe.
        self._waiting: dict[str, deque[tuple[Deferred[Response], int]]] = {}
        self._under_way = 0
        self._held = False
        self._line: Line | None = None

    @property
    def busy(self) -> bool:
        """Whether calls are under way that somebody waits for, so that one must read on."""
        return self._under_way > 0

    def exchange(self, request: Request, *, quiet: bool = False) -> Deferred[Response]:
        """Make a call of the API; fires with its answer. See `ask`."""
        return self.ask(
            request.method,
            request.path.removeprefix("/v2"),
            request.headers.get("x-apikey", ""),
            parameters=request.query,
            body=request.body,
            content_type=request.headers.get("content-type", ""),
            quiet=quiet,
        )

    def ask(
        self,
        method: str,
        resource: str,
        key: str,
        token: str | None = None,
        *,
        parameters: dict[str, str] | None = None,
        body: bytes = b"",
        content_type: str = "",
        quiet: bool = False,
    ) -> Deferred[Response]:
        """
        Send a message; fires with its answer. Cancelling forgets it: its answer is not looked at.

        Args:
            method: one of HTTP's, ``subscribe`` or ``unsubscribe``.
            resource: the path below the version.
            key: the API key; empty for none.
            token: of a subscription; other calls get one of their own.
            parameters: of the query.
            body: a document.
            content_type: of the document.
            quiet: it is no reason to read on, see `busy`.

        Raises:
            InvalidValue: the document cannot be carried, since it is not in UTF-8.
        """
        own = token is None
        token = f"c{next(self._tokens)}" if token is None else token
        try:
            message = encode_call(
                method,
                resource,
                key=key,
                token=token,
                parameters=parameters,
                body=body,
                content_type=content_type,
            )
        except ValueError:
            raise InvalidValue("data", type(body), "in UTF-8, since a socket carries text") from None
        answer: Deferred[Response] = Deferred()
        if len(message) > MAX_OBJECT:
            # The service would close the line, with all that is under way on it.
            answer.callback(_too_large())
            return answer
        if self._line is None:
            answer.errback(Interrupted("the connection has been closed"))
            return answer
        asked_at = self._clock.seconds()
        answer = Deferred(lambda _: self._give_up(token if own else None, asked_at, weight))
        weight = 0 if quiet else 1
        self._waiting.setdefault(token, deque()).append((answer, weight))
        self._count(weight)
        self._line.send(message)
        return answer

    def hold(self, held: bool) -> None:
        """Stop reading, or go on."""
        self._held = held
        self.heard_at = self._clock.seconds()  # nothing can be heard without listening
        if self._line is not None:
            self._line.hold(held)

    def abort(self) -> None:
        """Cut the line."""
        if self._line is not None:
            self._line.abort()

    def fail(self, reason: str) -> None:
        """End all calls that are under way."""
        self._line = None
        self._under_way = 0
        waiting, self._waiting = self._waiting, {}
        for answer in [answer for answers in waiting.values() for answer, _ in answers]:
            if not answer.called:
                answer.errback(Interrupted(reason))

    # What the line tells

    def connectionMade(self) -> None:
        """Be open."""
        self._line = cast("Line", self.transport)
        self.heard_at = self._clock.seconds()
        self._owner.session_opened(self)

    def received(self, reply: Reply) -> None:
        """Give an answer to who waits for it, and news to the owner."""
        self.heard_at = self._clock.seconds()
        self.productive = True
        if isinstance(reply, Push):
            self._owner.pushed(reply)
        elif isinstance(reply, Answer):
            self._answered(reply)
        else:
            _log.warn("the service sent something that is no message: {reason}", reason=reply.reason)
            if reply.fatal:
                self.abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End."""
        text = f"the connection broke: {described(reason.value)}"
        self._owner.session_lost(self, text)
        self.fail(text)

    # Answers

    def _answered(self, answer: Answer) -> None:
        waiting = self._waiting.get(answer.token) if answer.token is not None else None
        if waiting is None:
            if answer.token is None:
                # The service did not understand a message so thoroughly that it cannot say which one.
                _log.warn("the service answers no call of ours with status {status}", status=answer.status)
            return
        assert answer.token is not None
        asked, weight = waiting.popleft()
        if not waiting:
            del self._waiting[answer.token]
        if not asked.called:
            self._count(-weight)
            asked.callback(answer.response)

    def _give_up(self, token: str | None, asked_at: float, weight: int) -> None:
        if token is not None:
            self._waiting.pop(token, None)
        # That of a subscription's token stays, so that its answer is not taken for that of the next.
        self._count(-weight)
        silent = self._clock.seconds() - max(asked_at, self.heard_at)
        if silent >= DEAD_SECONDS and self.heard_at <= asked_at and not self._held:
            self.abort()

    def _count(self, step: int) -> None:
        before = self.busy
        self._under_way += step
        if self.busy != before:
            self._owner.calls_changed(self)


def _too_large() -> Response:
    reason = f"a message of the socket server may have at most {MAX_OBJECT} bytes"
    return Response(413, msgspec.json.encode({"title": "Payload Too Large", "errors": reason}))
