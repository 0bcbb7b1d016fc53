"""How the service is, and its numbers: read without a key, for those who run it."""

from __future__ import annotations

from typing import Final

from txpachube.api.messages import Response
from txpachube.api.problems import no_route
from txpachube.server.instruments import Instruments
from txpachube.server.operations.call import Call, Operation

__all__ = ["OPERATIONS", "health", "metrics"]


async def health(call: Call) -> Response:
    """Return whether the service can do its work."""
    return _instruments(call).health_page()


async def metrics(call: Call) -> Response:
    """Return the service's numbers, to programs on its own machine."""
    return await _instruments(call).metrics_for(call.request)


def _instruments(call: Call) -> Instruments:
    found = call.instruments
    if found is None:
        raise no_route(call.request.method, call.request.path)
    return found


OPERATIONS: Final[dict[str, Operation]] = {"health.read": health, "metrics.read": metrics}
