"""
What can go wrong, as one tree::

    txpachube.Error
    ├── InvalidValue (also ValueError)     a field was given a value that is not allowed
    ├── DecodeError (also ValueError)      bytes that are not a document of the stated format
    └── CallFailed                         a call to the service did not succeed
        ├── ConnectionFailed               no answer: the line could not be made or broke
        ├── RequestTimeout                 no answer in time
        └── ResponseError                  the service answered, with an error
            ├── BadRequest           400
            ├── Unauthorized         401
            ├── Forbidden            403
            ├── NotFound             404
            ├── NotAcceptable        406
            ├── PayloadTooLarge      413
            ├── Unprocessable        422
            ├── UnexpectedResponse   any other status, or a body that contradicts its status
            └── ServerError          500 and above
                └── ServiceUnavailable  503

Every error carries what it knows as attributes and builds its text from them.
No text ever contains an API key or a password.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

__all__ = [
    "BadRequest",
    "CallFailed",
    "ConnectionFailed",
    "DecodeError",
    "Error",
    "Forbidden",
    "InvalidValue",
    "NotAcceptable",
    "NotFound",
    "PayloadTooLarge",
    "RequestTimeout",
    "ResponseError",
    "ServerError",
    "ServiceUnavailable",
    "Unauthorized",
    "UnexpectedResponse",
    "Unprocessable",
    "error_for_status",
]


class Error(Exception):
    """Base of everything this package raises on purpose."""


class InvalidValue(Error, ValueError):
    """
    A field was given a value that the protocol does not allow.

    Attributes:
        field: the field's name in the JSON spelling, such as ``exposure``.
        value: what was given.
        allowed: the values that are allowed, or a sentence that says which are.
    """

    def __init__(self, field: str, value: object, allowed: Sequence[str] | str) -> None:
        self.field = field
        self.value = value
        self.allowed = allowed
        super().__init__(field, value, allowed)

    def __str__(self) -> str:
        allowed = self.allowed if isinstance(self.allowed, str) else "one of " + ", ".join(self.allowed)
        return f"{self.field} must be {allowed}, not {_shortened(self.value)}"


class DecodeError(Error, ValueError):
    """
    A body could not be read as the format it was said to be in.

    Attributes:
        format: ``json``, ``xml`` or ``csv``.
        reason: what was expected and what came, in one sentence.
        where: the place, such as ``$.datastreams[0].at`` or ``line 3``; empty when it is the whole body.
    """

    def __init__(self, format: str, reason: str, where: str = "") -> None:  # noqa: A002 - the field's own word
        self.format = format
        self.reason = reason
        self.where = where
        super().__init__(format, reason, where)

    def __str__(self) -> str:
        return f"{self.reason} - at {self.where}" if self.where else self.reason


class CallFailed(Error):
    """
    A call to the service did not succeed.

    Attributes:
        request: the method and the URL without its query, such as ``GET http://127.0.0.1:8000/v2/feeds/1.json``.
    """

    def __init__(self, request: str = "", reason: str = "") -> None:
        self.request = request
        self.reason = reason
        super().__init__(request, reason)

    def __str__(self) -> str:
        return f"{self.request}: {self.reason}" if self.request else self.reason


class ConnectionFailed(CallFailed):
    """The service could not be reached, or the connection broke before the answer was complete."""


class RequestTimeout(CallFailed):
    """The answer was not complete before the deadline."""


class ResponseError(CallFailed):
    """
    The service answered, and the answer says that the call failed.

    Attributes:
        status: the HTTP status code.
        title: the short text of the error body, such as ``Not found``; empty when the body had none.
        errors: the messages of the error body.
        request: see `CallFailed`.
    """

    default_status: ClassVar[int] = 0

    def __init__(self, status: int, title: str = "", errors: Sequence[str] = (), request: str = "") -> None:
        self.status = status
        self.title = title
        self.errors = list(errors)
        super().__init__(request, title)
        self.args = (status, title, self.errors, request)

    def __str__(self) -> str:
        said = "; ".join(self.errors)
        # The socket server's own refusals begin with what is their title elsewhere.
        what = said if said.startswith(self.title) else ": ".join(filter(None, (self.title, said)))
        text = f"{self.status} {what}".rstrip()
        return f"{self.request}: {text}" if self.request else text


class BadRequest(ResponseError):
    """400: the body or a query parameter could not be understood."""

    default_status = 400


class Unauthorized(ResponseError):
    """401: no key, or one that the service does not know or that has expired."""

    default_status = 401


class Forbidden(ResponseError):
    """403: the key may not do this, or a quota or rate limit was exceeded."""

    default_status = 403


class NotFound(ResponseError):
    """404: no such feed, datastream, datapoint, key or path."""

    default_status = 404


class NotAcceptable(ResponseError):
    """406: the resource does not exist in the format that was asked for."""

    default_status = 406


class PayloadTooLarge(ResponseError):
    """413: the body is larger than the service takes."""

    default_status = 413


class Unprocessable(ResponseError):
    """422: the body was understood but is not valid."""

    default_status = 422


class UnexpectedResponse(ResponseError):
    """An answer the protocol does not know: an odd status, or a body that does not fit it."""


class ServerError(ResponseError):
    """500 and above: the fault is the service's."""

    default_status = 500


class ServiceUnavailable(ServerError):
    """503: the service cannot do it now; the same call may succeed later."""

    default_status = 503


_BY_STATUS: dict[int, type[ResponseError]] = {
    kind.default_status: kind
    for kind in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        NotAcceptable,
        PayloadTooLarge,
        Unprocessable,
        ServiceUnavailable,
    )
}


def error_for_status(
    status: int, title: str = "", errors: Sequence[str] = (), request: str = ""
) -> ResponseError:
    """Return the error that stands for an HTTP status, ready to be raised."""
    kind = _BY_STATUS.get(status)
    if kind is None:
        kind = ServerError if status >= 500 else UnexpectedResponse
    return kind(status, title, errors, request)


def _shortened(value: object, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
