"""
What the service notices of its own work.

Every request is a `Visit` from the moment it comes to the app: whatever is found out about it on its way, who
asks, which feed, why not, is noted there. When it is answered, `Observations` counts it, gives the answer an
id, and shows the visit to those who want to see each one: the access log, the request log.

This stands in the way of every update, so counting is an addition in a list that a dictionary finds; all
that takes longer (names, text, redaction) is left to those who read the counts, or to the few visits that are
written down.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from twisted.logger import Logger

from txpachube.api.messages import Request, Response
from txpachube.api.problems import Problem
from txpachube.api.routes import Match
from txpachube.server.storage.records import Feed, Key

__all__ = ["BOUNDS", "UNROUTED", "Observations", "RequestIds", "Visit", "Witness"]

BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds that divide how long requests take: a read of memory is below the first, a disk that is in
trouble beyond the last."""

UNROUTED: Final = "none"
"""Stands for the route of a request that has none."""

_REQUEST_ID_BYTES: Final = 20
_REQUEST_IDS_AT_A_TIME: Final = 256
"""Asking the system for randomness costs more than making an id of it."""


class Visit:
    """
    A request on its way through the service.

    Attributes:
        request: as it came.
        door: the name of the door, empty when nobody said so.
        now: when it came, in microseconds since 1970.
        began: the same on a clock that is never set, in seconds.
        method: in capitals, after an override.
        match: what its path is about; None before that was looked at.
        key: who asks, as soon as that is known.
        feed: what it is about, if it is a feed and there is one.
        problem: why it was refused, or None.
        reason: the same in words, where a door said so.
    """

    __slots__ = ("began", "door", "feed", "key", "match", "method", "now", "problem", "reason", "request")

    def __init__(self, request: Request, door: str, now: int, began: float) -> None:
        self.request = request
        self.door = door
        self.now = now
        self.began = began
        self.method = request.method
        self.match: Match | None = None
        self.key: Key | None = None
        self.feed: Feed | None = None
        self.problem: Problem | None = None
        self.reason: str | None = None

    @property
    def match_parameters(self) -> Mapping[str, str]:
        """The parameters of its path by name, as far as there is a route."""
        return {} if self.match is None else self.match.parameters

    @property
    def route_name(self) -> str:
        """The name of its route."""
        match = self.match
        return UNROUTED if match is None or match.route is None else match.route.name

    def __repr__(self) -> str:
        return f"<Visit of {self.route_name}>"


class Witness(Protocol):
    """
    Sees every visit when it is over. Must be quick, and may not raise.

    It may keep the visit, which then forgets its feed and its problem.
    """

    def __call__(self, visit: Visit, status: int, seconds: float, request_id: str) -> None: ...


class Observations:
    """
    What was noticed so far.

    Args:
        random: returns so many random bytes, for the ids of requests.
        monotonic: returns seconds since some moment.

    Attributes:
        witnesses: who wants to see each visit.
        subscriptions: how often a subscription was judged, by the status of the judgement.
        unread: requests that a door could not read, by the status of the answer; 0: there was none.
    """

    _log = Logger()

    def __init__(
        self, random: Callable[[int], bytes], monotonic: Callable[[], float] = time.perf_counter
    ) -> None:
        self.witnesses: list[Witness] = []
        self.subscriptions: dict[int, int] = {}
        self.unread: dict[int, int] = {}
        self.monotonic = monotonic
        self._ids = RequestIds(random)
        self._tallies: dict[tuple[str, int], list[float]] = {}

    def answered(self, visit: Visit, response: Response) -> None:
        """Notice that a visit is over."""
        seconds = self.monotonic() - visit.began
        status = response.status
        match = visit.match
        name = UNROUTED if match is None or match.route is None else match.route.name
        tally = self._tallies.get((name, status))
        if tally is None:
            tally = self._tallies[name, status] = [0] * (len(BOUNDS) + 2)
        tally[bisect_left(BOUNDS, seconds)] += 1
        tally[-1] += seconds
        if self.witnesses:
            response.request_id = self._show(visit, status, seconds)

    def judged(self, visit: Visit, problem: Problem | None) -> None:
        """Notice that it was decided whether a client may subscribe, and why not."""
        status = 200 if problem is None else problem.status
        self.subscriptions[status] = self.subscriptions.get(status, 0) + 1
        if problem is not None:
            visit.problem = problem
            self._show(visit, status, self.monotonic() - visit.began)

    def abandoned(self, visit: Visit, status: int) -> None:
        """Notice that a request was not complete, or could not be read."""
        self.unread[status] = self.unread.get(status, 0) + 1
        self._show(visit, status, self.monotonic() - visit.began)

    def _show(self, visit: Visit, status: int, seconds: float) -> str:
        """Let the witnesses see a visit; return the id under which they know it."""
        request_id = self._ids.take()
        try:
            for witness in self.witnesses:
                witness(visit, status, seconds, request_id)
        except Exception:  # what is noticed is not worth an answer that has been earned
            self._log.failure("a request could not be taken note of")
        # Whoever keeps the visit must not keep the feed in memory, nor what hangs on an exception.
        visit.feed = visit.problem = None
        return request_id

    def tallies(self) -> dict[tuple[str, int], list[float]]:
        """
        Return what was counted by route name and status.

        Each tally is how many requests took no longer than each of `BOUNDS` and longer than the one before,
        how many took longer than all, and last the sum of the seconds.
        """
        return {place: list(tally) for place, tally in tuple(self._tallies.items())}


class RequestIds:
    """
    Makes ids for requests: 40 hexadecimal digits.

    Args:
        random: returns so many random bytes.
    """

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._ids: list[str] = []

    def take(self) -> str:
        """Return a new id."""
        if not self._ids:
            digits = self._random(_REQUEST_ID_BYTES * _REQUEST_IDS_AT_A_TIME).hex()
            width = 2 * _REQUEST_ID_BYTES
            self._ids = [digits[at : at + width] for at in range(0, len(digits), width)]
        return self._ids.pop()
