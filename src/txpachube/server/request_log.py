"""
Remembers for the owner of each feed what was sent to it, and why it was refused.

A visit that concerns a feed is kept in memory as it is, which costs next to nothing; what is told of it,
without secrets, is made when it is written down. What was refused is written after a few seconds. What
succeeded is written when somebody looks, once an hour and at the end, because there is much of it and it is
of little use after a crash, and a disk has better things to write.

What is kept is divided into rings, so that no kind of request pushes out another: successful writes and
reads with the owner's keys, what was refused to these keys, and everything that came from others. Of
others' requests those that are alike are one, with a number, and there may be few at a time for each feed,
for each address, and over all: a flood of strangers fills neither the memory nor the disk, and hides no
device. What carried a known key and named no feed that exists is kept for the account of the key: a device
with the number of another feed is the most silent of all.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_address
from itertools import islice
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from txpachube.api.messages import Request
from txpachube.server.access_log import path_shown
from txpachube.server.observe import Visit
from txpachube.server.reasons import MAX_REASON, explain
from txpachube.server.redaction import redacted, secrets_of, shown_headers, shown_target
from txpachube.server.storage.failures import StorageError
from txpachube.server.storage.records import Feed
from txpachube.server.storage.requests import (
    ASTRAY,
    READ,
    REFUSED,
    STRANGER,
    WRITTEN,
    LoggedRequest,
    Requests,
)

__all__ = ["KEPT", "RequestLog"]

KEPT: Final = 20
"""Requests in a ring: enough to see what a device does, also one that tries the same again and again."""

REFUSED_SECONDS: Final = 5.0
"""How long what was refused waits in memory."""

TAKEN_SECONDS: Final = 3600.0
"""How long what succeeded waits there when nobody looks."""

SAMPLED_MICROSECONDS: Final = 500_000
"""When a ring is full, a success that follows another one sooner than this is not kept: that would be work
for a picture that changes faster than anybody looks."""

MAX_TAKEN: Final = 5_000
"""Successful requests that wait, over all feeds: 5 MB of devices' requests, 80 MB of the largest. Where
there are many feeds each keeps fewer."""

MAX_REFUSED: Final = 1_000
"""Refused requests with keys of the owner that wait, over all feeds."""

MAX_STRANGERS: Final = 200
"""Requests of strangers that wait, over all feeds: what they can have written in `REFUSED_SECONDS`."""

MAX_STRANGERS_OF_FEED: Final = 10
"""Those of them that concern one feed."""

MAX_STRANGERS_OF_PEER: Final = 10
"""Those of them that come from one address."""

WRITTEN_AT_ONCE: Final = 100
"""Requests in one transaction: what an update waits for at the most."""

MAX_BODY: Final = 1024
"""Bytes that are kept of a body: a device's is smaller, and the beginning of a larger one tells enough."""

_BESIDES: Final = 512
"""Bytes of a body that are looked at beyond those, so that no secret is cut where nobody recognises it."""

_FEED_IN_PATH: Final = re.compile(r"/(?:feeds|api)/+([1-9][0-9]{0,18})(?![0-9])")
_KEY_HEADERS: Final = ("x-apikey", "x-pachubeapikey", "authorization")
_DEBUG: Final = "feeds.debug"


_Taken = tuple[Visit, int, int, float, str]
"""A visit, of whose body only the beginning is left, the size of the body, status, seconds, and the id."""


@attrs.define(slots=True, eq=False)
class _Refused:
    """A refused request that waits to be written down: when it came last, why it was refused, how often."""

    taken: _Taken
    at: int
    reason: str | None
    shows_key: bool = True
    times: int = 1


class RequestLog:
    """
    A witness that keeps what concerns a feed.

    Args:
        requests: where it goes.
        reactor: for the time.
        feed_in_memory: returns a feed without asking the disk, or None.
        kept: see `KEPT`.

    Attributes:
        kept: as given.
        omitted: how many requests were left out, by reason.
    """

    _log = Logger()

    def __init__(
        self,
        requests: Requests,
        reactor: IReactorTime,
        feed_in_memory: Callable[[int], Feed | None],
        kept: int = KEPT,
    ) -> None:
        self.kept = kept
        self.omitted: Counter[str] = Counter()
        self._requests = requests
        self._reactor = reactor
        self._feed_in_memory = feed_in_memory
        self._written: dict[int, deque[_Taken]] = {}
        self._read: dict[int, deque[_Taken]] = {}
        self._taken = 0
        self._room = kept  # of one feed, in each of the two
        self._refused: dict[int, deque[_Refused]] = {}
        self._refused_count = 0
        self._strangers: dict[int, dict[tuple[object, ...], _Refused]] = {}
        self._peers: Counter[str] = Counter()
        self._astray: dict[int, deque[_Refused]] = {}
        self._soon: IDelayedCall | None = None
        self._later: IDelayedCall | None = None
        self._stopped = False

    def __call__(self, visit: Visit, status: int, seconds: float, request_id: str) -> None:
        """Keep a request that concerns a feed, or a key."""
        if 0 < status < 400:
            feed, key = visit.feed, visit.key
            # What others read of a public feed is their own affair.
            if feed is not None and key is not None and key.owner_id == feed.owner_id:
                self._take(visit, feed.id, status, seconds, request_id)
        elif visit.request.method != "OPTIONS":
            self._refuse(visit, status, seconds, request_id)

    # --- keeping ----------------------------------------------------------------------------------

    def _take(self, visit: Visit, feed_id: int, status: int, seconds: float, request_id: str) -> None:
        rings = self._written
        if visit.method == "GET":
            if visit.route_name == _DEBUG:
                return  # who looks is not what is looked for
            rings = self._read
        ring = rings.get(feed_id)
        if ring is None:
            ring = deque()
        elif len(ring) >= self._room and 0 <= visit.now - ring[-1][0].now < SAMPLED_MICROSECONDS:
            return
        if self._taken >= MAX_TAKEN and len(ring) < self._room and self._room > 1:
            self._make_room()
        if len(ring) >= self._room:
            ring.popleft()
        elif self._taken < MAX_TAKEN:
            self._taken += 1
        else:
            self.omitted["too many at a time"] += 1
            return
        size = len(visit.request.body)
        if size > MAX_BODY + _BESIDES:
            visit.request = _shortened(visit.request)
        ring.append((visit, size, status, seconds, request_id))
        rings[feed_id] = ring
        if self._later is None and not self._stopped:
            self._later = self._reactor.callLater(TAKEN_SECONDS, self._write_later)

    def _make_room(self) -> None:
        """Let each feed keep half as many as before, so that others find room."""
        self._room = max(1, self._room // 2)
        self._taken = 0
        for ring in (*self._written.values(), *self._read.values()):
            while len(ring) > self._room:
                ring.popleft()
            self._taken += len(ring)

    def _refuse(self, visit: Visit, status: int, seconds: float, request_id: str) -> None:
        feed_id = _named_feed(visit)
        key = visit.key
        feed = visit.feed
        if feed is None and feed_id is not None:
            feed = self._feed_in_memory(feed_id)
        if feed is not None:
            feed_id = feed.id
        if feed is not None and key is not None and key.owner_id == feed.owner_id:
            self._keep(self._refused, feed_id, _explained(visit, status, seconds, request_id, feed))
        elif feed_id is not None and (key is None or feed is not None or status != 404):
            self._keep_stranger(feed_id, visit, status, seconds, request_id, feed)
        elif key is not None:
            self._keep(self._astray, key.owner_id, _explained(visit, status, seconds, request_id, feed))

    def _keep(self, rings: dict[int, deque[_Refused]], subject: int | None, noted: _Refused) -> None:
        assert subject is not None
        ring = rings.get(subject)
        if ring is None:
            ring = deque(maxlen=self.kept)
        if len(ring) < self.kept:
            if self._refused_count >= MAX_REFUSED:
                self.omitted["too many refused at a time"] += 1
                return
            self._refused_count += 1
        ring.append(noted)
        rings[subject] = ring
        self._write_soon()

    def _keep_stranger(
        self, feed_id: int, visit: Visit, status: int, seconds: float, request_id: str, feed: Feed | None
    ) -> None:
        peer = _network(visit.request.peer)
        headers = visit.request.headers
        alike = (
            *(peer, visit.door, status, visit.route_name, visit.method, visit.key is None, visit.reason),
            not visit.request.query_text,
            *(name in headers for name in _KEY_HEADERS),
        )
        of_feed = self._strangers.get(feed_id, {})
        before = of_feed.get(alike)
        if before is not None:
            before.times += 1
            before.at = visit.now
            return
        if (
            len(of_feed) >= MAX_STRANGERS_OF_FEED
            or self._peers[peer] >= MAX_STRANGERS_OF_PEER
            or self._peers.total() >= MAX_STRANGERS
        ):
            self.omitted["too many of strangers"] += 1
            return
        self._peers[peer] += 1
        noted = _explained(visit, status, seconds, request_id, feed)
        noted.shows_key = False  # the label is another account's
        self._strangers.setdefault(feed_id, {})[alike] = noted
        self._write_soon()

    # --- writing ----------------------------------------------------------------------------------

    def _write_soon(self) -> None:
        if self._soon is None and not self._stopped:
            self._soon = self._reactor.callLater(REFUSED_SECONDS, self._write_refused)

    def _write_refused(self) -> None:
        self._soon = None
        Deferred.fromCoroutine(self._write(self._waiting_refused()))

    def _write_later(self) -> None:
        self._later = None
        Deferred.fromCoroutine(self._write(self._waiting_taken()))

    async def flush(self) -> None:
        """Write down everything that waits."""
        await self._write(self._waiting_taken() + self._waiting_refused())

    async def stop(self) -> None:
        """Write down everything, and nothing from now on."""
        self._stopped = True
        for call in (self._soon, self._later):
            if call is not None and call.active():
                call.cancel()
        self._soon = self._later = None
        await self.flush()

    async def of(self, feed: Feed, *, astray: bool, after: int = 0) -> list[LoggedRequest]:
        """
        Return what is kept of a feed, oldest first.

        Args:
            feed: which.
            astray: also what came with keys of its owner and named no feed.
            after: only what has a larger number than this.

        Raises:
            StorageFailed: the disk or the database failed.
        """
        await self._write(self._waiting_of(feed))
        return await self._requests.of(feed.id, feed.owner_id if astray else None, after)

    def _waiting_taken(self) -> list[LoggedRequest]:
        rings = ((self._written, WRITTEN), (self._read, READ))
        self._written, self._read, self._taken = {}, {}, 0
        self._room = self.kept
        return [
            _logged(noted, feed_id, None, number)
            for ring, number in rings
            for feed_id, waiting in ring.items()
            for noted in waiting
        ]

    def _waiting_refused(self) -> list[LoggedRequest]:
        refused, self._refused = self._refused, {}
        astray, self._astray = self._astray, {}
        strangers, self._strangers = self._strangers, {}
        self._refused_count = 0
        self._peers.clear()
        return [
            *(_logged(noted, feed, None, REFUSED) for feed, ring in refused.items() for noted in ring),
            *(_logged(noted, None, owner, ASTRAY) for owner, ring in astray.items() for noted in ring),
            *(
                _logged(noted, feed, None, STRANGER)
                for feed, alike in strangers.items()
                for noted in alike.values()
            ),
        ]

    def _waiting_of(self, feed: Feed) -> list[LoggedRequest]:
        written = self._written.pop(feed.id, ())
        read = self._read.pop(feed.id, ())
        self._taken -= len(written) + len(read)
        refused = self._refused.pop(feed.id, ())
        astray = self._astray.pop(feed.owner_id, ())
        self._refused_count -= len(refused) + len(astray)
        strangers = self._strangers.pop(feed.id, {})
        for peer, *_ in strangers:
            self._peers[str(peer)] -= 1
        found = [
            *(_logged(noted, feed.id, None, WRITTEN) for noted in written),
            *(_logged(noted, feed.id, None, READ) for noted in read),
            *(_logged(noted, feed.id, None, REFUSED) for noted in refused),
            *(_logged(noted, None, feed.owner_id, ASTRAY) for noted in astray),
            *(_logged(noted, feed.id, None, STRANGER) for noted in strangers.values()),
        ]
        return sorted(found, key=lambda entry: entry.at)

    async def _write(self, entries: Iterable[LoggedRequest]) -> None:
        entries = iter(entries)
        while some := list(islice(entries, WRITTEN_AT_ONCE)):
            try:
                await self._requests.add(some, self.kept)
            except StorageError as problem:
                self.omitted["storage failed"] += len(some)
                self._log.warn("requests were not logged: {problem}", problem=problem)


def _shortened(request: Request) -> Request:
    """Return a request with the beginning of its body alone, so that the rest need not be kept."""
    return attrs.evolve(request, body=request.body[: MAX_BODY + _BESIDES])


def _explained(visit: Visit, status: int, seconds: float, request_id: str, feed: Feed | None) -> _Refused:
    reason = visit.reason
    if reason is None and visit.problem is not None:
        reason = explain(visit, visit.problem, feed)
    size = len(visit.request.body)
    visit.request = _shortened(visit.request)
    return _Refused((visit, size, status, seconds, request_id), visit.now, reason)


def _logged(
    waiting: _Taken | _Refused, feed_id: int | None, owner_id: int | None, ring: int
) -> LoggedRequest:
    """Return what is told of a request."""
    noted = waiting if isinstance(waiting, _Refused) else _Refused(waiting, waiting[0].now, None)
    visit, size, status, seconds, request_id = noted.taken
    request = visit.request
    secrets = secrets_of(request)
    body = redacted(request.body.decode("utf-8", "replace"), secrets)[:MAX_BODY]
    facts: dict[str, Any] = {
        "door": visit.door,
        "peer": request.peer,
        "method": visit.method,
        "target": shown_target(request, secrets),
        "route": path_shown(visit.match),
        "key": visit.key.label if visit.key is not None and noted.shows_key else None,
        "headers": shown_headers(request.headers, secrets),
        "body": body,
        "body_bytes": size,
        "seconds": round(seconds, 6),
        "request_id": request_id,
    }
    reason = None if noted.reason is None else redacted(noted.reason, secrets)[:MAX_REASON]
    return LoggedRequest(feed_id, owner_id, ring, noted.at, noted.times, status, reason, facts)


def _named_feed(visit: Visit) -> int | None:
    """Return the number of the feed that a path names, also a path that leads nowhere."""
    text = visit.match_parameters.get("feed_id")
    if text is None:
        found = _FEED_IN_PATH.search(visit.request.path)
        if found is None:
            return None
        text = found.group(1)
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or text.startswith("0"):
        return None
    number = int(text)
    return number if number < 1 << 63 else None


def _network(peer: str) -> str:
    """Return what one client can hardly have many of: an IPv4 address, or 64 bits of an IPv6 address."""
    try:
        address = ip_address(peer)
    except ValueError:
        return peer[:64]
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> 64 << 64))
    return peer
