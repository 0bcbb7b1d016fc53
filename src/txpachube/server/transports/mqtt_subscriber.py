"""
One subscription of an MQTT client: a listener to events that sends the body of a GET for each update.

What a plain GET of a feed or a datastream answers is encoded without asking anybody, once for an update
however many subscribers of that topic there are. A topic with query parameters, of version 1 or of a graph is
*shaped*: for each of its messages the request is made anew, one at a time, and what happens
meanwhile makes one more message with the newest state.

The right to a feed is judged as that of a GET, when the subscription begins and again when any key has
changed since or its own has expired. Updates wait for that. When the right is lost the subscription ends,
and so it does when its subject is deleted; MQTT has no word for either, so nothing is said.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol

from twisted.logger import Logger

from txpachube.api.messages import Request, Response
from txpachube.api.params import glued_extension
from txpachube.api.problems import Problem
from txpachube.server.app import Grant
from txpachube.server.events import Events, Update
from txpachube.server.operations.bodies import feed_body, stream_body
from txpachube.server.transports.driving import drive
from txpachube.server.transports.mqtt_outbox import Outbox
from txpachube.wire.mqtt_encode import encode_publish
from txpachube.wire.mqtt_events import SubscribeRequest
from txpachube.wire.resources import Target

__all__ = ["Authorise", "Handle", "Subscriber", "Surroundings"]

log = Logger()

Handle = Callable[[Request], Awaitable[Response]]
"""Answers a request; awaits nothing but Deferreds."""

Authorise = Callable[[Request], Awaitable[Grant]]
"""Returns the right to hear of what a request is about, or raises a `Problem`."""

_PLAIN_FORMATS: Final = frozenset(("json", "xml", "csv"))
_NOT_SHAPING: Final = frozenset(("key", "apikey", "api_key"))
_FAILED_FOR_NOW: Final = 500


class Surroundings(Protocol):
    """
    What subscriptions use of the service; the listener's factory has it.

    Attributes:
        handle: answers requests.
        authorise: judges subscriptions.
        events: tells of updates.
        clock: the time of day in microseconds since 1970.
        checked_pushes: see `MqttLimits`.
    """

    handle: Handle
    authorise: Authorise
    events: Events
    clock: Callable[[], int]

    @property
    def checked_pushes(self) -> int: ...


class Subscriber:
    """
    A listener to events.

    Args:
        surroundings: see there.
        wanted: what the client wishes, about a feed or a datastream.
        outbox: of the connection.
        ended: called when the subscription has ended by itself.

    Attributes:
        topic: of the messages, as the client wrote it.
        active: it has not ended.
    """

    __slots__ = (
        "_again",
        "_asking",
        "_ended",
        "_grant",
        "_held",
        "_outbox",
        "_overfull",
        "_place",
        "_plain_format",
        "_push",
        "_request",
        "_rights",
        "_sought",
        "_surroundings",
        "_target",
        "active",
        "topic",
    )

    def __init__(
        self,
        surroundings: Surroundings,
        wanted: SubscribeRequest,
        outbox: Outbox,
        ended: Callable[[Subscriber], None],
    ) -> None:
        assert wanted.target is not None, "other resources give one single message"
        self.topic = wanted.topic
        self.active = True
        self._surroundings = surroundings
        self._outbox = outbox
        self._push = outbox.push
        self._ended = ended
        self._request = wanted.request
        self._sought = _in_version_2(wanted.request)
        self._target: Target = wanted.target
        self._grant: Grant | None = None
        self._rights = surroundings.events.rights
        self._plain_format: str | None = None
        self._place: object = None
        self._held: list[bytes] | None = None  # messages that wait for the right to be judged again
        self._overfull = False
        self._asking = False
        self._again = False

    # --- beginning and ending ---------------------------------------------------------------------

    def begin(self, decided: Callable[[], None]) -> None:
        """
        Send the present state and hear of updates from then on, if that is allowed.

        Args:
            decided: called when it is clear whether it is, maybe at once.
        """
        rights = self._surroundings.events.rights
        drive(
            self._surroundings.authorise(self._sought),
            partial(self._admitted, decided, rights),
            partial(self._turned_away, decided),
        )

    def end(self) -> None:
        """Hear no more."""
        if self.active:
            self.active = False
            self._listen(False)
            self._outbox.forget(self)

    def ended(self) -> None:
        """End, because what was subscribed was deleted."""
        self._drop()

    def _drop(self) -> None:
        if self.active:
            self.end()
            self._ended(self)

    def _admitted(self, decided: Callable[[], None], rights: int, grant: Grant) -> None:
        if self.active:
            self._take(rights, grant)
            self.send_present()
        decided()

    def _turned_away(self, decided: Callable[[], None], problem: BaseException) -> None:
        self._refused(problem)
        decided()

    def _take(self, rights: int, grant: Grant) -> None:
        """Go by a right, in the place of the one before."""
        moved = self._grant is None or self._grant.stream_id != grant.stream_id
        if moved:
            self._listen(False)
        self._rights = rights
        self._grant = grant
        self._plain_format = self._format_of(grant)
        self._place = (self.topic, self._plain_format, grant.stream_id, grant.base, grant.only)
        if moved:
            self._listen(True)

    def _listen(self, wanted: bool) -> None:
        grant = self._grant
        if grant is not None:
            events = self._surroundings.events
            (events.subscribe if wanted else events.unsubscribe)(grant.feed.id, grant.stream_id, self)

    def _format_of(self, grant: Grant) -> str | None:
        """Return the format of a plain GET, None when the topic asks for something else."""
        request = self._request
        if not request.path.startswith("/v2/"):
            return None
        if request.query_text and (
            not _NOT_SHAPING.issuperset(request.query) or glued_extension(request) is not None
        ):
            return None
        target = self._target
        extension = target.extension
        if grant.stream_id is not None and grant.stream_id == target.verbatim:
            extension = None  # a datastream may be called "cellar.csv"
        if extension is None:
            return "json"
        return extension if extension in _PLAIN_FORMATS else None

    # --- updates ----------------------------------------------------------------------------------

    def updated(self, update: Update) -> None:
        """Send the new state."""
        grant = self._grant
        assert grant is not None, "it listens by virtue of it"
        surroundings = self._surroundings
        if (
            self._held is not None
            or self._rights != surroundings.events.rights
            or (grant.key.expires_at is not None and grant.expired(surroundings.clock()))
        ):
            shaped = self._plain_format is None
            self._judge_again(b"" if shaped else update.once(self._place, self._encode))
        elif self._plain_format is not None:
            self._push(self, update.once(self._place, self._encode))
        else:
            self._ask()

    def send_present(self) -> None:
        """Send the state as it is now."""
        grant = self._grant
        if not self.active or grant is None:
            return
        if self._plain_format is None:
            self._ask()
        elif grant.stream_id is None or grant.stream_id in grant.feed.streams:
            self._push(self, self._encode())

    def _encode(self) -> bytes:
        """Return a message with the state as it is now."""
        format_, grant = self._plain_format, self._grant
        assert format_ is not None, "it is not shaped"
        assert grant is not None, "it has begun"
        feed = grant.feed
        if grant.stream_id is None:
            body = feed_body(feed, format_, grant.base, self._surroundings.clock(), grant.only)
        else:
            body = stream_body(feed, feed.streams[grant.stream_id], format_, grant.base)
        return encode_publish(self.topic, body)

    # --- judging again ----------------------------------------------------------------------------

    def _judge_again(self, message: bytes) -> None:
        held = self._held
        if held is not None:
            if self._overfull or len(held) >= self._surroundings.checked_pushes:
                held.clear()
                self._overfull = True
            else:
                held.append(message)
            return
        self._held = [message]
        rights = self._surroundings.events.rights
        drive(self._surroundings.authorise(self._sought), partial(self._allowed, rights), self._refused)

    def _allowed(self, rights: int, grant: Grant) -> None:
        held, self._held = self._held or [], None
        overfull, self._overfull = self._overfull, False
        if not self.active:
            return
        place = self._place
        self._take(rights, grant)
        if overfull or self._place != place or self._plain_format is None:
            self.send_present()  # what was held shows what may no longer be seen, or only that there is news
        else:
            for message in held:
                self._push(self, message)

    def _refused(self, problem: BaseException) -> None:
        self._held = None
        self._overfull = False
        if not isinstance(problem, Problem):
            log.error("a subscription could not be judged: {kind}", kind=type(problem).__name__)
        elif problem.status >= _FAILED_FOR_NOW and self._grant is not None:
            return  # the storage fails: the next update asks again
        self._drop()

    # --- shaped messages --------------------------------------------------------------------------

    def _ask(self) -> None:
        if self._asking:
            self._again = True
            return
        self._asking = True
        drive(self._surroundings.handle(self._request), self._answered, self._failed)

    def _answered(self, response: Response) -> None:
        self._asking = False
        again, self._again = self._again, False
        if not self.active:
            return
        if response.status == 200:
            self._push(self, encode_publish(self.topic, response.body))
        elif response.status < _FAILED_FOR_NOW:
            self._drop()
            return
        if again:
            self._ask()

    def _failed(self, problem: BaseException) -> None:
        self._asking = self._again = False
        log.error("a message could not be made: {kind}", kind=type(problem).__name__)

    def __repr__(self) -> str:
        return f"<Subscriber to {self._target}>"  # a topic can hold a key


def _in_version_2(request: Request) -> Request:
    """Return a request for the same thing whose rights can be judged: there is one right to read a feed."""
    if request.path.startswith("/v2/"):
        return request
    path = "/v2" + request.path[3:]
    return Request("GET", path, request.query_text, request.headers, b"", request.peer, request.scheme)
