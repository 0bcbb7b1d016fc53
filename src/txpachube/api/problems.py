"""
What an answer says when a request fails, and the exception that carries it there.

Operations raise a `Problem`; one place (the server's app) turns it into an answer in the
format the client asked for. The texts are those that old programs search for: do not edit them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = [
    "DEVICE_NOT_FOUND",
    "Problem",
    "bad_request",
    "broken_body",
    "forbidden",
    "internal_error",
    "no_route",
    "not_acceptable",
    "not_found",
    "payload_too_large",
    "too_many_requests",
    "unauthorized",
    "unavailable",
    "unprocessable",
]

RESOURCE_NOT_FOUND: Final = "I'm sorry we are unable to find the resource you are looking for."
DEVICE_NOT_FOUND: Final = "I'm sorry we are unable to find the device you are looking for."


class Problem(Exception):
    """
    A request that fails, with everything its answer needs.

    Attributes:
        status: the HTTP status code.
        title: the short text.
        errors: one message, or for validation a list of them.
    """

    def __init__(self, status: int, title: str, errors: str | Sequence[str]) -> None:
        self.status = status
        self.title = title
        self.errors = errors if isinstance(errors, str) else list(errors)
        super().__init__(status, title, errors)

    @property
    def messages(self) -> list[str]:
        """The errors as a list, however many there are."""
        return [self.errors] if isinstance(self.errors, str) else list(self.errors)


def not_found(text: str = RESOURCE_NOT_FOUND) -> Problem:
    """404: no such feed, datastream, datapoint, key, …"""
    return Problem(404, "Not found", text)


def no_route(method: str, path: str) -> Problem:
    """404: no such path, or not with this method. The text names the path with ``/api`` in front."""
    mounted = path if path.startswith("/api/") or path == "/api" else "/api" + path
    return Problem(404, "Not found", f'No route matches [{method}] "{mounted}"')


_PARSERS: Final = {"json": "JSON", "xml": "XML", "csv": "CSV"}


def broken_body(format: str, reason: str) -> Problem:  # noqa: A002 - the field's own word
    """400: the body is not a document of its format."""
    return Problem(400, f"{_PARSERS[format]} Parser Error", reason)


def bad_request(reason: str) -> Problem:
    """400: a query parameter is malformed or contradicts another."""
    return Problem(400, "Bad Request", reason)


def unauthorized() -> Problem:
    """401: no key, an unknown one, or one that has expired."""
    return Problem(401, "Unauthorized", "You must be authenticated to access this resource")


def forbidden(reason: str = "You do not have permission to access that resource") -> Problem:
    """403: the key may not do this."""
    return Problem(403, "Forbidden", reason)


def too_many_requests(version: int) -> Problem:
    """403, or in version 1 of the API 503: the key has made too many requests lately."""
    text = "You have exceeded the rate limit for this key"
    return unavailable(text) if version == 1 else forbidden(text)


def not_acceptable(reason: str) -> Problem:
    """406: the resource does not exist in that format."""
    return Problem(406, "Not Acceptable", reason)


def payload_too_large(limit: int) -> Problem:
    """413: the body has more than ``limit`` bytes."""
    return Problem(413, "Payload Too Large", f"The body may have at most {limit} bytes")


def unprocessable(*errors: str) -> Problem:
    """422: the body was understood but is not valid; one message per fault."""
    return Problem(422, "Unprocessable Entity", errors)


def internal_error() -> Problem:
    """500: the fault is ours; says nothing about what it was."""
    return Problem(500, "Internal Server Error", "The service failed to answer this request")


def unavailable(reason: str) -> Problem:
    """503: the service can't do it now."""
    return Problem(503, "Service Unavailable", reason)
