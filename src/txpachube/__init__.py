"""
The Pachube / Cosm / Xively v2 API on Twisted: data structures, client and service.

Here are the data structures, the names of fields and formats, and the errors. They do without Twisted.
The clients are in `txpachube.client`, the service is started by the command ``txpachube serve``.
"""

from __future__ import annotations

from typing import Final

from txpachube.errors import (
    BadRequest,
    CallFailed,
    ConnectionFailed,
    DecodeError,
    Error,
    Forbidden,
    InvalidValue,
    NotAcceptable,
    NotFound,
    PayloadTooLarge,
    RequestTimeout,
    ResponseError,
    ServerError,
    ServiceUnavailable,
    Unauthorized,
    UnexpectedResponse,
    Unprocessable,
)
from txpachube.fields import DataFields, DataFormats
from txpachube.structures import (
    Datapoint,
    Datastream,
    Environment,
    EnvironmentList,
    Key,
    KeyList,
    Location,
    Permission,
    Resource,
    Trigger,
    TriggerList,
    Unit,
    User,
    UserList,
    Waypoint,
)

__all__ = [
    "BadRequest",
    "CallFailed",
    "ConnectionFailed",
    "DataFields",
    "DataFormats",
    "Datapoint",
    "Datastream",
    "DecodeError",
    "Environment",
    "EnvironmentList",
    "Error",
    "Forbidden",
    "InvalidValue",
    "Key",
    "KeyList",
    "Location",
    "NotAcceptable",
    "NotFound",
    "PayloadTooLarge",
    "Permission",
    "RequestTimeout",
    "Resource",
    "ResponseError",
    "ServerError",
    "ServiceUnavailable",
    "Trigger",
    "TriggerList",
    "Unauthorized",
    "UnexpectedResponse",
    "Unit",
    "Unprocessable",
    "User",
    "UserList",
    "Waypoint",
    "__version__",
]

__version__: Final = "1.0.0.dev0"
