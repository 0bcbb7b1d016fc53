"""
From a request to its answer, whichever door it came through.

The order decides what an answer may give away::

    OPTIONS           answered at once: a browser asks before it may send the key
    route             404 "No route matches"
    key               401; 403 when it has made too many requests
    feed in the path  404
    permission        403
    format            406
    body              400 broken, 413 too large, 422 not valid
    operation         404 for what is missing inside of the feed; 503 when storage fails

Every failure becomes an answer in one place, `App._answer`. What nobody expected is logged, and
told to the client as 500 without details.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from functools import lru_cache
from typing import Final

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from txpachube.api import credentials, negotiation, params, problems, routes
from txpachube.api.messages import Request, Response
from txpachube.api.problems import Problem
from txpachube.api.routes import Match, Route
from txpachube.errors import DecodeError
from txpachube.server import access, answers, history
from txpachube.server.graphs.studio import Studio
from txpachube.server.instruments import Instruments
from txpachube.server.observe import Observations, Visit
from txpachube.server.operations import OPERATIONS, Call
from txpachube.server.operations.call import base_of
from txpachube.server.operations.keydocuments import feed_number
from txpachube.server.operations.versions import Versions
from txpachube.server.ratelimit import RateLimit
from txpachube.server.storage.failures import Gone, OverQuota, StorageFailed, StorageFull
from txpachube.server.storage.logins import TooManyLogins
from txpachube.server.storage.records import Feed, Key
from txpachube.server.storage.store import Store

__all__ = ["App", "Grant"]

_NO_ROOM = "There is no room left to store anything; nothing of this request was stored"
_DISK_FAILED = "Storage does not work at the moment; nothing of this request was stored"

_TOO_MANY_LOGINS = "Too many passwords are being checked at the moment; keys are not concerned"


@attrs.frozen(eq=False)
class Grant:
    """
    The right to hear of a feed or a datastream, as of the moment it was asked for.

    Attributes:
        key: by virtue of which.
        feed: the feed; holding it keeps it in memory.
        stream_id: the datastream, or None when it is the feed.
        only: ids of the feed's datastreams that may be shown, or None for all.
        base: what URLs in documents start with.
    """

    key: Key
    feed: Feed
    stream_id: str | None
    only: Collection[str] | None
    base: str

    def expired(self, now: int) -> bool:
        """Say whether the key has expired."""
        return self.key.expires_at is not None and now >= self.key.expires_at


class App:
    """
    The service behind its doors.

    Args:
        store: where everything is.
        clock: returns the time in microseconds since 1970.
        base_url: what URLs in answers start with, such as ``https://api.example``; None takes the
            address that the client used.
        random: returns so many random bytes.
        studio: draws graphs; without one there are none.
        rate_limit: how many requests a key may make; without one as many as it likes.
        observations: notice every request; without them nobody does.
        instruments: show how the service is; without them nobody can ask.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        clock: Callable[[], int],
        base_url: str | None,
        random: Callable[[int], bytes],
        studio: Studio | None = None,
        rate_limit: RateLimit | None = None,
        observations: Observations | None = None,
        instruments: Instruments | None = None,
    ) -> None:
        self._store = store
        self._count = store.users.accesses.count
        self._clock = clock
        self._base_url = base_url.rstrip("/") if base_url else None
        self._random = random
        self._versions = Versions()
        self._studio = studio
        self._rate_limit = rate_limit
        self._observations = observations or Observations(random)
        self._instruments = instruments

    async def handle(self, request: Request, door: str = "") -> Response:
        """
        Return the answer to a request. Never raises.

        Args:
            request: as it came.
            door: the name of the door that it came through.
        """
        observations = self._observations
        visit = Visit(request, door, self._clock(), observations.monotonic())
        try:
            if request.method == "OPTIONS":
                response = answers.preflight(request)
            else:
                response = await self._answer(request, visit)
        except Exception:
            self._log.failure("failed to answer a request")
            response = answers.of_problem(problems.internal_error())
        observations.answered(visit, response)
        return response

    def abandoned(self, request: Request, status: int, reason: str, door: str = "") -> None:
        """
        Take note of a request that a door could not read to its end.

        Args:
            request: what is known of it.
            status: of the answer; 0 when there was none, because the client was gone.
            reason: what was wrong with it.
            door: the name of the door.
        """
        visit = Visit(request, door, self._clock(), self._observations.monotonic())
        visit.match = routes.match(request.method, request.path)
        visit.reason = reason
        Deferred.fromCoroutine(self._seen_to_the_end(visit, status))

    async def _seen_to_the_end(self, visit: Visit, status: int) -> None:
        # Who sent it matters when it is about a feed, and only the key is looked up: a password takes long.
        found = credentials.find(visit.request)
        if "feed_id" in visit.match_parameters and isinstance(found, credentials.Credentials):
            with suppress(StorageFailed):
                visit.key = await self._store.find_key(found.key)
        self._observations.abandoned(visit, status)

    async def _answer(self, request: Request, visit: Visit) -> Response:
        method = request.method
        if method == "POST":
            method = params.method_of(request)
        elif method == "HEAD":  # a GET of which the transport keeps the body
            method = "GET"
        visit.method = method
        match = visit.match = routes.match(method, request.path)
        by_date = once = False
        try:
            call = await self._accepted(visit, method, match)
            response = await OPERATIONS[call.route_name](call)
            by_date, once = call.by_date, call.once
        except Problem as problem:
            response = _failure(visit, match, problem)
        except DecodeError as error:
            response = _failure(visit, match, problems.broken_body(error.format, str(error)))
        except Gone:  # deleted while this request was under way
            response = _failure(visit, match, problems.not_found())
        except OverQuota as over:
            response = _failure(visit, match, problems.forbidden(str(over)))
        except StorageFull:
            response = _failure(visit, match, problems.unavailable(_NO_ROOM))
        except StorageFailed:
            response = _failure(visit, match, problems.unavailable(_DISK_FAILED))
        except Exception:
            # The path may hold a key and the body anything, so the log names only the route.
            self._log.failure("failed to answer {route}", route=match.route and match.route.name)
            response = _failure(visit, match, problems.internal_error())
        return answers.finish(request, response, reading=method == "GET", by_date=by_date, once=once)

    async def authorise(self, request: Request, *, again: bool = False, door: str = "") -> Grant:
        """
        Return the right to hear of what a GET request is about, as a GET would be judged.

        The answers' documents can be encoded without asking the disk from then on.

        Args:
            request: a GET.
            again: it is the service that asks, because rights have changed, and not the client; that is not
                one of the requests a key may make.
            door: the name of the door that it came through.

        Raises:
            Problem: 401, 403 or 404; 400 when it is neither a feed nor a datastream; 503.
        """
        observations = self._observations
        visit = Visit(request, door, self._clock(), observations.monotonic())
        visit.method = "SUBSCRIBE"
        try:
            grant = await self._granted(visit, counted=not again)
        except Problem as problem:
            if not again:
                observations.judged(visit, problem)
            raise
        if not again:
            observations.judged(visit, None)
        return grant

    async def _granted(self, visit: Visit, *, counted: bool) -> Grant:
        request = visit.request
        match = visit.match = routes.match("GET", request.path)
        route = match.route
        if route is None or route.name not in ("feeds.read", "datastreams.read"):
            raise problems.bad_request("Only feeds and datastreams can be subscribed")
        try:
            key, feed, match, decision = await self._admitted(visit, "GET", route, match, counted=counted)
            decision.require()
            assert feed is not None
            assert key is not None
            stream_id = match.parameters.get("datastream_id")
            if stream_id is None:
                await self._store.keep_waypoints(feed)
            elif stream_id not in feed.streams:
                raise problems.not_found()
        except StorageFull:
            raise problems.unavailable(_NO_ROOM) from None
        except StorageFailed:
            raise problems.unavailable(_DISK_FAILED) from None
        base = self._base_url or base_of(request.scheme, request.headers.get("host", ""))
        return Grant(key, feed, stream_id, decision.streams, base)

    async def knows(self, key: str) -> bool:
        """
        Say whether a key exists and has not expired, for clients that show it before they ask anything.

        Raises:
            Problem: 503.
        """
        try:
            found = await self._store.find_key(key)
        except StorageFull:
            raise problems.unavailable(_NO_ROOM) from None
        except StorageFailed:
            raise problems.unavailable(_DISK_FAILED) from None
        return found is not None and (found.expires_at is None or self._clock() < found.expires_at)

    async def _accepted(self, visit: Visit, method: str, match: Match) -> Call:
        """
        Return a request as a call, once it is clear that it may be made.

        Raises:
            Problem: 401, 403, 404 or 406.
        """
        request = visit.request
        route = match.route
        if route is None or route.name not in OPERATIONS:
            raise problems.no_route(method, request.path)
        shown = (
            not route.version
            or route.name == "openapi.read"
            or (method == "GET" and negotiation.asks_for_image(request, match))
        )
        key, feed, match, decision = await self._admitted(visit, method, route, match, shown=shown)
        if decision.status != 200:
            decision.require()
        return Call(
            request,
            match,
            route.name,
            negotiation.response_format(request, match),
            visit.now,
            self._store,
            key,
            feed,
            self._base_url,
            self._versions,
            decision.streams,
            decision.minimum_interval,
            self._studio,
            self._instruments,
        )

    async def _admitted(
        self,
        visit: Visit,
        method: str,
        route: Route,
        match: Match,
        *,
        shown: bool = False,
        counted: bool = True,
    ) -> tuple[Key | None, Feed | None, Match, access.Decision]:
        """
        Return who asks, the feed that is asked about, what the path means now, and what may be done.

        Args:
            visit: the request; what is found out is noted in it.
            method: in capitals, after an override.
            route: what is asked.
            match: what the path is about.
            shown: a graph is asked for, or another part of somebody's page, which needs no key where the
                feed is public; then it can be that nobody says who asks.
            counted: it is one of the requests that a key may make.

        Raises:
            Problem: 401 or 404; 403 or 503 when the key has made too many requests.
        """
        request = visit.request
        if route.name == "devices.activate":
            key = await self._recognised(visit)
        elif not route.version and route.ours:  # whoever sends a key there, sends it everywhere
            key = None
        else:
            key = None if shown and credentials.find(request) is None else await self._authenticated(visit)
        limit = self._rate_limit
        if limit is not None and counted and key is not None and not limit.admit(key.pk, visit.now):
            raise problems.too_many_requests(match.version)
        if counted and key is not None:
            self._count(key.owner_id, visit.now)
        parameters = match.parameters
        feed_id = parameters.get("feed_id")
        if feed_id is None:
            decision = access.decide_elsewhere(key, route.name, method, request, parameters.get("key"))
            return key, None, match, decision
        feed = visit.feed = await self._feed(feed_id)
        if match.extension is not None and match.verbatim in feed.streams and _names_stream(route):
            # A datastream may be called "cellar.csv".
            match = match.without_extension()
            parameters = match.parameters
            shown = shown and negotiation.asks_for_image(request, match)
        interval = None
        if method == "GET" and "interval" in request.query_text:
            interval = history.asked_interval(params.query_of(request))
        decision = access.decide(
            key, method, feed, request, parameters.get("datastream_id"), interval=interval, graph=shown
        )
        return key, feed, match, decision

    async def _authenticated(self, visit: Visit) -> Key:
        """
        Return who asks.

        Raises:
            Problem: 401; 503 when too many passwords are being checked.
        """
        found = credentials.find(visit.request)
        key = None
        if isinstance(found, credentials.Credentials):
            key = await self._store.find_key(found.key)
        elif isinstance(found, credentials.Basic):
            # As the cheaper question, whether the user name is a key comes first.
            key = await self._store.find_key(found.login)
            if key is None:
                try:
                    key = await self._store.check_password(found.login, found.password)
                except TooManyLogins:
                    raise problems.unavailable(_TOO_MANY_LOGINS) from None
        visit.key = key
        return access.authenticated(key, visit.now)

    async def _recognised(self, visit: Visit) -> Key | None:
        """Return who asks, or None: to be activated one needs no key, so a wrong one counts as none."""
        try:
            return await self._authenticated(visit)
        except Problem:
            return None

    async def _feed(self, text: str) -> Feed:
        """
        Return the feed whose id stands in a path.

        Raises:
            Problem: 404.
        """
        feed_id = _feed_id(text) if len(text) <= _LONGEST_ID else None
        feed = None if feed_id is None else await self._store.find_feed(feed_id)
        if feed is None:
            raise problems.not_found()
        return feed


_LONGEST_ID: Final = 20  # characters: what is remembered must not grow with what strangers send


@lru_cache(maxsize=4096)
def _feed_id(text: str) -> int | None:
    """Return the id that a text is, None when it is none: an id has one spelling, without zeros in front."""
    number = feed_number(text)
    return number if number is not None and str(number) == text else None


@lru_cache(maxsize=len(routes.ROUTES))
def _names_stream(route: Route) -> bool:
    return route.template.endswith("{datastream_id}")


def _failure(visit: Visit, match: Match, problem: Problem) -> Response:
    request = visit.request
    # Its traceback holds what is being done here, the visit as well, and nobody reads it.
    visit.problem = problem.with_traceback(None)
    # Programs of that time read what is said of an overload as XML, whatever they asked for.
    as_ever = match.version == 1 and problem.status == 503
    response = answers.of_problem(problem, "xml" if as_ever else negotiation.error_format(request, match))
    if problem.status == 401 and "authorization" in request.headers:
        # Only then: browsers would open a dialog for everybody else.
        response.extra = (("WWW-Authenticate", 'Basic realm="API"'),)
    return response
