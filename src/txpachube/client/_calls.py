"""
Every call of the API, described once, for whatever carries it.

A `Call` says which route it is, how its data becomes a body and how an answer becomes its result. `build`
makes the `api.Request` of a call, `interpret` the result, or the typed error, from its `api.Response`.
Both are plain functions: a carrier (HTTP connections, an agent, a socket) stands between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Generic, TypeVar, cast
from urllib.parse import quote, unquote, urlencode, urlsplit

import attrs

from txpachube.api import routes
from txpachube.api.messages import Request, Response
from txpachube.client import _bodies
from txpachube.client.address import hidden
from txpachube.client.failures import contradiction, response_error
from txpachube.errors import InvalidValue
from txpachube.fields import DataFormats
from txpachube.structures import (
    Datapoint,
    Datastream,
    Environment,
    EnvironmentList,
    Key,
    KeyList,
    Trigger,
    TriggerList,
    User,
    UserList,
)
from txpachube.structures.base import Structure
from txpachube.structures.convert import moment

__all__ = ["Call", "Parameters", "Prepared", "build", "interpret"]

Parameters = Mapping[str, object]
"""Query parameters by name. None is left out, a list is joined with commas, a ``datetime`` is written out."""

_T = TypeVar("_T")
_S = TypeVar("_S", bound=Structure)

_METHODS: Final = {route.name: route.method for route in routes.ROUTES}
_CONTENT_TYPES: Final = {
    DataFormats.JSON: "application/json",
    DataFormats.XML: "application/xml",
    DataFormats.CSV: "text/csv",
}
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

# What the arguments of the client's methods are called that stand for a route's parameters.
_ARGUMENTS: Final = {"at": "timestamp", "login": "user_id", "key": "key_id"}

_KEY_PARAMETERS: Final = frozenset({"key", "apikey", "api_key"})


@attrs.frozen
class Call(Generic[_T]):
    """
    One call.

    Attributes:
        route: the name of its route.
        result: makes the call's result from a successful answer in a format; raises ValueError when it can't.
        body: makes the body from the data in a format; None for calls without data.
        has_format: whether the path carries a format.
        none_when_absent: a 404 is a result, None, and not a failure.
    """

    route: str
    result: Callable[[Response, str], _T]
    body: Callable[[object, str], bytes] | None = None
    has_format: bool = True
    none_when_absent: bool = False

    @property
    def method(self) -> str:
        """The HTTP method, in capitals."""
        return _METHODS[self.route]


@attrs.define(eq=False, repr=False)
class Prepared(Generic[_T]):
    """
    A call with its arguments, ready to be carried.

    Attributes:
        call: what it is.
        format: of its documents.
        request: for the carrier.
        shown: the method and the path, fit for errors and logs.
        secrets: texts that no error may show.
    """

    call: Call[_T]
    format: str
    request: Request
    shown: str
    secrets: tuple[str, ...]


# How answers become results


def _done(response: Response, format: str) -> bool:  # noqa: A002 - as everywhere in the public API
    # Bodies of a single blank were sent for years; whatever the body is, it means nothing here.
    return True


def _new_id(response: Response, format: str) -> str:  # noqa: A002 - as above
    path = urlsplit(response.location or "").path
    new_id = unquote(path.rstrip("/").rpartition("/")[2])
    if not new_id:
        raise ValueError("it has no Location that names what was created")
    return new_id


def _document(structure: type[_S]) -> Callable[[Response, str], _S]:
    def read(response: Response, format: str) -> _S:  # noqa: A002 - as above
        return structure().decode(response.body, format)

    return read


def _image(response: Response, format: str) -> bytes:  # noqa: A002 - as above
    if not response.body.startswith(_PNG_SIGNATURE):
        raise ValueError("it is not a PNG image")
    return response.body


# The calls, in the order of the documentation

LIST_FEEDS: Final = Call("feeds.list", _document(EnvironmentList))
CREATE_FEED: Final = Call("feeds.create", _new_id, _bodies.document)
READ_FEED: Final = Call("feeds.read", _document(Environment))
UPDATE_FEED: Final = Call("feeds.update", _done, _bodies.document)
DELETE_FEED: Final = Call("feeds.delete", _done, has_format=False)
CREATE_DATASTREAM: Final = Call("datastreams.create", _new_id, _bodies.new_datastreams)
READ_DATASTREAM: Final = Call("datastreams.read", _document(Datastream))
READ_GRAPH: Final = Call("datastreams.read", _image)
UPDATE_DATASTREAM: Final = Call("datastreams.update", _done, _bodies.document)
DELETE_DATASTREAM: Final = Call("datastreams.delete", _done, has_format=False)
CREATE_DATAPOINTS: Final = Call("datapoints.create", _done, _bodies.datapoints)
READ_DATAPOINT: Final[Call[Datapoint | None]] = Call(
    "datapoint.read", _document(Datapoint), none_when_absent=True
)
UPDATE_DATAPOINT: Final = Call("datapoint.update", _done, _bodies.document)
DELETE_DATAPOINT: Final = Call("datapoint.delete", _done, has_format=False)
DELETE_DATAPOINTS: Final = Call("datapoints.delete_range", _done, has_format=False)
LIST_TRIGGERS: Final = Call("triggers.list", _document(TriggerList))
CREATE_TRIGGER: Final = Call("triggers.create", _new_id, _bodies.document)
READ_TRIGGER: Final = Call("triggers.read", _document(Trigger))
UPDATE_TRIGGER: Final = Call("triggers.update", _done, _bodies.document)
DELETE_TRIGGER: Final = Call("triggers.delete", _done, has_format=False)
LIST_USERS: Final = Call("users.list", _document(UserList))
CREATE_USER: Final = Call("users.create", _new_id, _bodies.document)
READ_USER: Final = Call("users.read", _document(User))
UPDATE_USER: Final = Call("users.update", _done, _bodies.document)
DELETE_USER: Final = Call("users.delete", _done, has_format=False)
LIST_API_KEYS: Final = Call("keys.list", _document(KeyList))
CREATE_API_KEY: Final = Call("keys.create", _new_id, _bodies.document)
READ_API_KEY: Final = Call("keys.read", _document(Key))
UPDATE_API_KEY: Final = Call("keys.update", _done, _bodies.document)
REGENERATE_API_KEY: Final = Call("keys.regenerate", _new_id, has_format=False)
DELETE_API_KEY: Final = Call("keys.delete", _done, has_format=False)


def build(
    call: Call[_T],
    *,
    api_key: str,
    format: str,  # noqa: A002 - as above
    data: object = None,
    parameters: Parameters | None = None,
    timezone: str | None = None,
    **ids: str | int | datetime | None,
) -> Prepared[_T]:
    """
    Return a call with its arguments, ready to be carried.

    Args:
        call: one of those above.
        api_key: goes into a header and nowhere else; empty for none.
        format: one of `DataFormats`; the service decides whether it has the resource in it.
        data: for calls that send something.
        parameters: of the query.
        timezone: for the times of an answer, unless the parameters name another.
        ids: the parameters of the call's route.

    Raises:
        InvalidValue: an argument is missing or impossible.
    """
    if call.has_format and format not in routes.EXTENSIONS:
        raise InvalidValue("format", format, routes.EXTENSIONS)
    extension = format if call.has_format else None
    path = routes.build(call.route, extension=extension, **_checked(ids))
    headers = {"x-apikey": api_key} if api_key else {}
    secrets: tuple[str, ...] = (api_key,) if api_key else ()
    body = b""
    if call.body is not None:
        body = call.body(data, format)
        secrets = (*secrets, *_bodies.secrets_in(data))
        headers["content-type"] = _CONTENT_TYPES.get(format, "application/octet-stream")
    if timezone is not None and call.method == "GET":
        parameters = {"timezone": timezone, **(parameters or {})}
    request = Request(call.method, path, _query_text(parameters) if parameters else "", headers, body)
    shown = path
    if "key" in ids:  # the id of a key is the key
        secret = str(ids["key"])
        secrets = (*secrets, secret, quote(secret, safe=""))
        shown = (
            path.partition("/keys/")[0]
            + "/keys/***"
            + ("/regenerate" if path.endswith("/regenerate") else "")
        )
    return Prepared(call, format, request, shown, secrets)


def interpret(prepared: Prepared[_T], response: Response, base_url: str) -> _T:
    """
    Return the result of a call.

    Args:
        prepared: the call.
        response: the service's answer.
        base_url: where the answer came from, for the text of an error.

    Raises:
        ResponseError: the service said that the call failed (by status, see `txpachube.errors`).
        UnexpectedResponse: it said that it succeeded, but the answer holds no result; what was wrong with a
            document is the error's ``__cause__``.
    """
    if 200 <= response.status < 300:
        try:
            return prepared.call.result(response, prepared.format)
        except ValueError as problem:
            request, reason = described(prepared, base_url), str(problem)
            shows_secret = any(secret in reason for secret in prepared.secrets)
            cause = None if shows_secret else problem
            raise contradiction(response, request, reason, prepared.secrets) from cause
    if response.status == 404 and prepared.call.none_when_absent:
        return cast("_T", None)
    raise response_error(response, described(prepared, base_url), prepared.secrets)


def described(prepared: Prepared[Any], base_url: str) -> str:
    """Return the method and the URL without its query and without any key."""
    return f"{prepared.request.method} {base_url}{prepared.shown}"


def _checked(ids: Mapping[str, str | int | datetime | None]) -> dict[str, str | int]:
    checked: dict[str, str | int] = {}
    for name, value in ids.items():
        text = moment(value) if isinstance(value, datetime) else value
        if text is None or text == "":
            argument = _ARGUMENTS.get(name, name)
            raise InvalidValue(argument, value, "given, in the call or to the client")
        checked[name] = text
    return checked


def _query_text(parameters: Parameters) -> str:
    pairs = []
    for name, value in parameters.items():
        if name in _KEY_PARAMETERS:
            # URLs end up in the logs of every machine on the way.
            raise InvalidValue(
                name, hidden, "given as api_key, which goes into a header, and not as a parameter"
            )
        if value is not None:
            pairs.append((name, _parameter_text(value)))
    return urlencode(pairs)


def _parameter_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return str(moment(value))
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(_parameter_text(each) for each in value)
    return str(value)
