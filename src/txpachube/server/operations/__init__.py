"""
What the requests of the API mean.

Each module holds the coroutine functions of one resource; `OPERATIONS` finds them by the names of
the routes. A route without an operation is one that the service does not serve.
"""

from __future__ import annotations

from typing import Final

from txpachube.server.operations import (
    activation,
    datapoints,
    datastreams,
    debugging,
    devices,
    feeds,
    instruments,
    keys,
    openapi,
    products,
    triggers,
    users,
    version1,
    webhost,
)
from txpachube.server.operations.call import Call, Operation

__all__ = ["OPERATIONS", "Call", "Operation"]

OPERATIONS: Final[dict[str, Operation]] = {
    **feeds.OPERATIONS,
    **datastreams.OPERATIONS,
    **datapoints.OPERATIONS,
    **keys.OPERATIONS,
    **triggers.OPERATIONS,
    **users.OPERATIONS,
    **products.OPERATIONS,
    **devices.OPERATIONS,
    **activation.OPERATIONS,
    **version1.OPERATIONS,
    **webhost.OPERATIONS,
    **instruments.OPERATIONS,
    **debugging.OPERATIONS,
    "openapi.read": openapi.describing(lambda route: route.name in OPERATIONS),
}
"""The operation of each route, by its name."""
