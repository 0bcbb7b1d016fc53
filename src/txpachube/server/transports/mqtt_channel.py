"""
All subscriptions to one topic that are judged alike: a listener to events for as many clients as there are.

Who subscribes to the same topic with the same key from the same address gets the same messages, or none. So
those are one *channel*: its right is judged once, each of its messages is encoded once, and an update costs
every further subscriber no more than being sent it. Channels with the same topic share their messages too.

What a plain GET of a feed or a datastream answers is encoded without asking anybody. A topic with query
parameters, of version 1 or of a graph is *shaped*: for each of its messages the request is made anew, one at
a time, and what happens meanwhile makes one more message with the newest state.

The right to a feed is judged as that of a GET, when the first subscriber comes and again when any key has
changed since or its own has expired. Updates and further subscribers wait for that. When the right is lost
the channel ends, and so it does when its subject is deleted; MQTT has no word for either, so nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, Protocol

from twisted.logger import Logger

from txpachube.api.messages import Request, Response
from txpachube.api.params import glued_extension
from txpachube.api.problems import Problem
from txpachube.server.app import Grant
from txpachube.server.events import Events, Update
from txpachube.server.operations.bodies import feed_body, stream_body
from txpachube.server.transports.asking import Authorise, Handle
from txpachube.server.transports.driving import drive
from txpachube.server.transports.mqtt_outbox import Outbox
from txpachube.wire.mqtt_encode import encode_publish
from txpachube.wire.resources import Target

__all__ = ["Channel", "Channels", "Surroundings"]

log = Logger()

Identity = tuple[str, str, str, str, str]

_PLAIN_FORMATS: Final = frozenset(("json", "xml", "csv"))
_NOT_SHAPING: Final = frozenset(("key", "apikey", "api_key"))
_FAILED_FOR_NOW: Final = 500


class Surroundings(Protocol):
    """
    What channels use of the service; the listener's factory has it.

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


class Channels:
    """The channels of a listener."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._by_identity: dict[Identity, Channel] = {}

    def __len__(self) -> int:
        return len(self._by_identity)

    def join(
        self, topic: str, request: Request, target: Target, outbox: Outbox, decided: Callable[[], None]
    ) -> Channel:
        """
        Send the present state and every new one to a subscriber, if that is allowed.

        Args:
            topic: of the messages.
            request: the GET whose answer they are.
            target: the feed or the datastream.
            outbox: of the subscriber's connection.
            decided: called when it is clear whether it is allowed, maybe at once.
        """
        headers = request.headers
        identity = (
            topic,
            headers.get("x-apikey", ""),
            headers.get("host", ""),
            request.peer,
            request.scheme,
        )
        channel = self._by_identity.get(identity)
        if channel is None:
            channel = Channel(
                self._surroundings, topic, request, target, partial(self._by_identity.pop, identity)
            )
            self._by_identity[identity] = channel
        channel.join(outbox, decided)
        return channel


class Channel:
    """
    A listener to events.

    Args:
        surroundings: see there.
        topic: of the messages.
        request: the GET whose answer they are.
        target: the feed or the datastream.
        ended: called when the channel has ended.
    """

    __slots__ = (
        "_again_for",
        "_asked_for",
        "_ended",
        "_grant",
        "_held",
        "_joining",
        "_judging",
        "_makes_sense",
        "_overfull",
        "_place",
        "_plain_format",
        "_request",
        "_rights",
        "_says_status",
        "_sought",
        "_subscribers",
        "_surroundings",
        "_target",
        "_topic",
    )

    def __init__(
        self,
        surroundings: Surroundings,
        topic: str,
        request: Request,
        target: Target,
        ended: Callable[[], object],
    ) -> None:
        self._surroundings = surroundings
        self._topic = topic
        self._request = request
        self._sought = _in_version_2(request)
        self._target = target
        self._ended: Callable[[], object] | None = ended
        self._subscribers: dict[Outbox, None] = {}
        self._grant: Grant | None = None
        self._rights = 0
        self._plain_format: str | None = None
        self._place: object = None
        # What waits while the right is being judged.
        self._judging = False
        self._joining: list[tuple[Outbox, Callable[[], None]]] = []
        self._held: list[bytes] = []
        self._overfull = False
        # Who gets the answer of a shaped request that is under way, and who that of the next one.
        self._asked_for: dict[Outbox, None] | None = None
        self._again_for: dict[Outbox, None] = {}
        self._makes_sense = False
        # Small devices take each line of CSV for a value that was measured.
        self._says_status = (target.extension or glued_extension(request)) != "csv"

    # --- coming and going -------------------------------------------------------------------------

    def join(self, outbox: Outbox, decided: Callable[[], None]) -> None:
        """See `Channels.join`. Who has joined before is sent the present state again."""
        if not self._judging and self._grant is not None and self._is_valid(self._grant):
            self._let_in(outbox)
            decided()
        else:
            self._joining.append((outbox, decided))
            self._judge()

    def leave(self, outbox: Outbox) -> None:
        """Send nothing more to a subscriber."""
        self._subscribers.pop(outbox, None)
        outbox.forget(self)
        self._end_if_idle()

    def ended(self) -> None:
        """End, because what was subscribed was deleted."""
        self._end()

    def _let_in(self, outbox: Outbox) -> None:
        self._subscribers[outbox] = None
        self.send_present(outbox)

    def _end(self) -> None:
        if self._grant is not None:
            self._listen(self._grant, False)
            self._grant = None
        for outbox in self._subscribers:
            outbox.forget(self)
        self._subscribers.clear()
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        if not self._subscribers and not self._judging and self._ended is not None:
            if self._grant is not None:
                self._listen(self._grant, False)
                self._grant = None
            ended, self._ended = self._ended, None
            ended()

    # --- updates ----------------------------------------------------------------------------------

    def updated(self, update: Update) -> None:
        """Send the new state."""
        grant = self._grant
        assert grant is not None, "it listens by virtue of it"
        if update.status_only and not self._says_status:
            return
        if not self._is_valid(grant):
            self._hold(update)
            self._judge()
        elif self._plain_format is not None:
            packet = update.once(self._place, self._encode)
            for outbox in self._subscribers:
                outbox.push(self, packet)
        else:
            self._ask(self._subscribers)

    def send_present(self, outbox: Outbox) -> None:
        """Send a subscriber the state as it is now."""
        grant = self._grant
        if grant is None:
            return
        if self._plain_format is None:
            self._ask((outbox,))
        elif grant.stream_id is None or grant.stream_id in grant.feed.streams:
            outbox.push(self, self._encode())

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
        return encode_publish(self._topic, body)

    # --- judging ----------------------------------------------------------------------------------

    def _is_valid(self, grant: Grant) -> bool:
        """Say whether nothing can have changed since the right was judged."""
        surroundings = self._surroundings
        return self._rights == surroundings.events.rights and (
            grant.key.expires_at is None or not grant.expired(surroundings.clock())
        )

    def _judge(self) -> None:
        """Have the right judged, unless that is going on."""
        if not self._judging:
            self._judging = True
            surroundings = self._surroundings
            granted = surroundings.authorise(self._sought, again=self._grant is not None)
            drive(granted, partial(self._allowed, surroundings.events.rights), self._refused)

    def _hold(self, update: Update) -> None:
        held = self._held
        if self._overfull or len(held) >= self._surroundings.checked_pushes:
            held.clear()
            self._overfull = True
        else:
            held.append(b"" if self._plain_format is None else update.once(self._place, self._encode))

    def _allowed(self, rights: int, grant: Grant) -> None:
        place = self._place
        self._rights = rights
        self._take(grant)
        held, overfull = self._judged()
        if held or overfull:
            if overfull or self._place != place or self._plain_format is None:
                # What was held shows what may no longer be seen, or only that there is news.
                for outbox in self._subscribers:
                    self.send_present(outbox)
            else:
                for packet in held:
                    for outbox in self._subscribers:
                        outbox.push(self, packet)
        joining, self._joining = self._joining, []
        for outbox, decided in joining:
            if outbox.open:
                self._let_in(outbox)
            decided()
        self._end_if_idle()

    def _refused(self, problem: BaseException) -> None:
        self._judged()
        joining, self._joining = self._joining, []
        if not isinstance(problem, Problem):
            log.error("a subscription could not be judged: {kind}", kind=type(problem).__name__)
            self._end()
        elif problem.status < _FAILED_FOR_NOW:
            self._end()
        else:
            self._end_if_idle()  # the storage fails: if there are subscribers the next update asks again
        for _, decided in joining:
            decided()

    def _judged(self) -> tuple[list[bytes], bool]:
        """Note that there is a judgement; return what was held until it came."""
        held, overfull = self._held, self._overfull
        self._judging, self._held, self._overfull = False, [], False
        return held, overfull

    def _take(self, grant: Grant) -> None:
        """Go by a right, in the place of the one before."""
        before, self._grant = self._grant, grant
        self._plain_format = self._format_of(grant)
        self._place = (self._topic, self._plain_format, grant.stream_id, grant.base, grant.only)
        if before is None or before.stream_id != grant.stream_id:
            if before is not None:
                self._listen(before, False)
            self._listen(grant, True)

    def _listen(self, grant: Grant, wanted: bool) -> None:
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

    # --- shaped messages --------------------------------------------------------------------------

    def _ask(self, outboxes: Iterable[Outbox]) -> None:
        wanting = dict.fromkeys(outboxes)
        if self._asked_for is not None:
            self._again_for |= wanting
            return
        self._asked_for = wanting
        drive(self._surroundings.handle(self._request), self._answered, self._failed)

    def _answered(self, response: Response) -> None:
        asked_for, self._asked_for = self._asked_for or {}, None
        again_for, self._again_for = self._again_for, {}
        if response.status == 200:
            packet = encode_publish(self._topic, response.body)
            for outbox in asked_for:
                if outbox in self._subscribers:
                    outbox.push(self, packet)
            self._makes_sense = True
        elif response.status < _FAILED_FOR_NOW and not self._makes_sense:
            self._end()  # a GET of this never has an answer
            return
        if again_for and self._subscribers:
            self._ask(again_for)

    def _failed(self, problem: BaseException) -> None:
        self._asked_for = None
        self._again_for = {}
        log.error("a message could not be made: {kind}", kind=type(problem).__name__)

    def __repr__(self) -> str:
        return f"<Channel of {self._target}>"  # a topic can hold a key


def _in_version_2(request: Request) -> Request:
    """Return a request for the same thing whose rights can be judged: there is one right to read a feed."""
    if request.path.startswith("/v2/"):
        return request
    path = "/v2" + request.path[3:]
    return Request("GET", path, request.query_text, request.headers, b"", request.peer, request.scheme)
