"""
Why a request was refused, in words for the person whose device does nothing. Pure.

An answer tells a stranger little, and programs search in its texts, so they stay as they are. The owner of
the feed is told more: which of the places had a key, what the key may do, where the address or the path
differs from what it should be. The label of a key is told to its own account only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from txpachube.api import credentials
from txpachube.api.messages import Request
from txpachube.api.problems import Problem, forbidden
from txpachube.server.observe import Visit
from txpachube.server.storage.records import Feed, Key, Permission, Resource
from txpachube.times import format_micros

__all__ = ["MAX_REASON", "explain"]

MAX_REASON: Final = 500
"""Characters of a reason; messages of a parser may quote what was sent."""

MAX_NAMES: Final = 8
"""Datastreams that are named in a reason."""

_OF_DOORS: Final = ("host", "content-length")
"""Headers that the door for old devices adds where a device sends none."""

_READING: Final = ("GET", "SUBSCRIBE", "UNSUBSCRIBE")
_FORBIDDEN: Final = forbidden().messages
_FORMATS: Final = {"JSON Parser Error": "JSON", "XML Parser Error": "XML", "CSV Parser Error": "CSV"}


def explain(visit: Visit, problem: Problem, feed: Feed | None) -> str:
    """
    Return why a request was refused.

    Args:
        visit: what was found out about it.
        problem: how it was refused.
        feed: the feed it names, as far as that is known; it may not have been looked for.
    """
    return _explained(visit, problem, feed)[:MAX_REASON]


def _explained(visit: Visit, problem: Problem, feed: Feed | None) -> str:
    told = "; ".join(problem.messages)
    status = problem.status
    if status == 401:
        return _not_known(visit, feed)
    if status == 403:
        if problem.messages == _FORBIDDEN and visit.key is not None and feed is not None:
            return _not_allowed(visit, visit.key, feed)
        return told
    if status == 404:
        return _not_there(visit, feed) or told
    if problem.title in _FORMATS:
        return f"the body is not {_FORMATS[problem.title]}: {told}"
    if status == 422:
        return f"the body was understood, but is not valid: {told}"
    if status == 400:
        return f"the request was not understood: {told}"
    if status == 500:
        return "the service is at fault; its own log has the reason"
    return told


# --- who asks --------------------------------------------------------------------------------------


def _not_known(visit: Visit, feed: Feed | None) -> str:
    request = visit.request
    key = visit.key
    if key is not None:
        when = "" if key.expires_at is None else f" at {format_micros(key.expires_at)}"
        own = feed is not None and feed.owner_id == key.owner_id
        return f"the key {key.label!r} has expired{when}" if own else f"the key has expired{when}"
    found = credentials.find(request)
    if isinstance(found, credentials.Credentials):
        return f"the key in {_place(request)}, {_length(found.key)}, is not known here"
    if isinstance(found, credentials.Basic):
        return "HTTP Basic carried a login that is no key, and no account has it with this password"
    empty = [name for name in ("X-ApiKey", "X-PachubeApiKey") if name.lower() in request.headers]
    if empty:
        return f"no key came with the request: {empty[0]} is there, but empty"
    if "authorization" in request.headers:
        return "no key came with the request: the header Authorization is not HTTP Basic, or cannot be read"
    body = request.body[:200].lower()
    if b"apikey:" in body or b"pachubeapikey" in body:
        return "no key came with the request: X-ApiKey is in the body, so there is an empty line too early"
    if all(name in _OF_DOORS and not value.strip("0") for name, value in request.headers.items()):
        return "no key came with the request, nor any other header: there may be an empty line too early"
    return "no key came with the request: none in X-ApiKey, X-PachubeApiKey, the parameter key or HTTP Basic"


def _place(request: Request) -> str:
    for name in ("X-ApiKey", "X-PachubeApiKey"):
        if request.headers.get(name.lower()):
            return name
    for name in ("key", "apikey", "api_key"):
        if request.query.get(name, "").strip():
            return f"the parameter {name}"
    return "the request"


def _length(key: str) -> str:
    if len(key) > credentials.MAX_LENGTH:
        return f"more than {credentials.MAX_LENGTH} characters long"
    return f"{len(key)} characters long"


# --- what the key may ------------------------------------------------------------------------------


def _not_allowed(visit: Visit, key: Key, feed: Feed) -> str:
    name = f"the key {key.label!r}"
    reads = visit.method in _READING
    if key.owner_id != feed.owner_id:
        if reads:
            return f"the key is of another account, and feed {feed.id} is private"
        return f"the key is of another account than feed {feed.id}, so it can only read it"
    if feed.private and not key.private_access:
        return f"feed {feed.id} is private, and {name} has no private access"
    wanted = "get" if reads else visit.method.lower()
    able = [permission for permission in key.permissions if wanted in permission.access_methods]
    if not able:
        methods = sorted({method for permission in key.permissions for method in permission.access_methods})
        return f"{name} may {', '.join(methods).upper()}, and not {wanted.upper()}"
    stream_id = None if visit.match is None else visit.match.parameters.get("datastream_id")
    faults = dict.fromkeys(_fault(permission, visit.request, feed, stream_id) for permission in able)
    return f"{name} {', or it '.join(faults)}"


def _fault(permission: Permission, request: Request, feed: Feed, stream_id: str | None) -> str:
    """Return what of a permission keeps it from allowing a request, as it continues a sentence."""
    resources = permission.resources
    if resources and not any(_is_about(resource, feed.id, stream_id) for resource in resources):
        return f"is limited to {_named(map(_resource, resources))}"
    from_where = []
    if permission.source_ip is not None:
        from_where.append(f"from {permission.source_ip}, and this came from {request.peer or 'elsewhere'}")
    if permission.referer is not None:
        referer = request.headers.get("referer")
        told = "this has no Referer" if referer is None else "the Referer of this is another"
        from_where.append(f"from pages of {permission.referer}, and {told}")
    if from_where:
        return f"may only be used {' and '.join(from_where)}"
    if permission.minimum_interval is not None:
        return f"may only read history with an interval of {permission.minimum_interval} seconds or more"
    if resources:
        return f"is limited to {_named(map(_resource, resources))}, and this is about more than that"
    return "may not do this"


def _is_about(resource: Resource, feed_id: int, stream_id: str | None) -> bool:
    if resource.feed_id != feed_id or resource.datastream_trigger_id is not None:
        return False
    return resource.datastream_id is None or stream_id is None or resource.datastream_id == stream_id


def _resource(resource: Resource) -> str:
    if resource.datastream_trigger_id is not None:
        return f"trigger {resource.datastream_trigger_id}"
    if resource.datastream_id is not None:
        return f"datastream {resource.datastream_id!r} of feed {resource.feed_id}"
    return f"feed {resource.feed_id}"


# --- what is not there -----------------------------------------------------------------------------


def _not_there(visit: Visit, feed: Feed | None) -> str | None:
    match = visit.match
    if match is None or match.route is None:
        return f"there is no such path, or not with the method {visit.method}"
    feed_id = match.parameters.get("feed_id")
    if feed_id is None:
        return None
    if feed is None:
        return f"there is no feed {feed_id[:20] if feed_id.isdigit() else repr(feed_id[:20])}"
    stream_id = match.parameters.get("datastream_id")
    if stream_id is not None and stream_id not in feed.streams:
        there = _named(map(repr, feed.streams)) if feed.streams else "none"
        return f"feed {feed.id} has no datastream {stream_id[:60]!r}; it has {there}"
    if "at" in match.parameters:
        return f"datastream {stream_id!r} has no datapoint at that time"
    return None


def _named(names: Iterable[str]) -> str:
    every = list(names)
    more = len(every) - MAX_NAMES
    return ", ".join(every[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
