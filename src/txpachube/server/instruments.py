"""
The pages that show how the service is: ``/health`` and ``/metrics``.

Both are asked without a key. ``/health`` says nothing that an outsider may not know. The numbers in
``/metrics`` say who uses the service how much, so they are for its operator: by default for programs on the
same machine, or behind an endpoint of their own. A request that a proxy passed on, or a page in a browser,
comes from this machine as well, and is not meant by that.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

import attrs
import msgspec
from twisted.internet.defer import Deferred

from txpachube.api.messages import Request, Response
from txpachube.api.problems import Problem, forbidden, no_route
from txpachube.api.routes import match
from txpachube.server.answers import of_problem
from txpachube.server.health import Health
from txpachube.server.metrics import CONTENT_TYPE, Metrics
from txpachube.server.request_log import RequestLog

__all__ = ["Instruments"]

_PASSED_ON: Final = ("x-forwarded-for", "forwarded", "via", "origin")
"""Headers of a request that came from elsewhere, although its connection is from this machine."""


@attrs.frozen
class Instruments:
    """
    What can be asked about the service.

    Attributes:
        health: how it is.
        metrics: its numbers.
        in_thread: runs a function in a thread.
        request_log: what was sent to each feed; None where nothing is kept.
        local_metrics: the numbers are served at the doors of the API, to this machine.
        behind_proxy: what a proxy says of the client's address is believed, so the address is the client's.
    """

    health: Health
    metrics: Metrics
    in_thread: Callable[..., Deferred[bytes]]
    request_log: RequestLog | None = None
    local_metrics: bool = True
    behind_proxy: bool = False

    def health_page(self) -> Response:
        """Return how the service is: 200 when it can do its work, 503 when it can't."""
        state = self.health.state()
        body = {"alive": True, **attrs.asdict(state)}
        return Response(
            200 if state.ready else 503, msgspec.json.encode(body), extra=(("Cache-Control", "no-store"),)
        )

    async def metrics_page(self) -> Response:
        """Return the numbers."""
        text = await self.in_thread(self.metrics.text)
        return Response(200, text, CONTENT_TYPE, extra=(("Cache-Control", "no-store"),))

    async def metrics_for(self, request: Request) -> Response:
        """
        Return the numbers to a program on this machine.

        Raises:
            Problem: 403 for others; 404 where they are served elsewhere.
        """
        if not self.local_metrics:
            raise no_route(request.method, request.path)
        passed_on = not self.behind_proxy and any(name in request.headers for name in _PASSED_ON)
        if passed_on or "origin" in request.headers or not _is_this_machine(request.peer):
            raise forbidden("The numbers of the service are for programs on its own machine")
        return await self.metrics_page()

    async def handle(self, request: Request) -> Response:
        """Answer at the endpoint that is there for these pages alone. Whoever reaches it may read them."""
        route = match("GET" if request.method == "HEAD" else request.method, request.path).route
        try:
            if route is not None and route.name == "health.read":
                return self.health_page()
            if route is not None and route.name == "metrics.read":
                return await self.metrics_page()
            raise no_route(request.method, request.path)
        except Problem as problem:
            return of_problem(problem)


def _is_this_machine(peer: str) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)
