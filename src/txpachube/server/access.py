"""
May this key do this? Pure: everything asked about is an argument.

A key acts for its owner and never has more rights than the owner: it reads the owner's feeds and the
public ones of others, and writes the owner's only; private feeds need a key with private access.
Within that, one of the key's permissions must allow the request: its method, the address and the page
it comes from, the feed or datastream it is about, the interval of its history.

What a permission without resources allows, it allows everywhere. One limited to datastreams still
lets its holder read and write *the feed*, as official device libraries do, but only these
datastreams of it; so a decision about a feed says which ones, and whoever writes must ask
`Decision.require_write` when the body is known.

Requests that are not about a feed are judged by the name of their route, in `decide_elsewhere`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

import attrs

from txpachube.api import problems
from txpachube.api.messages import Request
from txpachube.server.storage.records import Feed, Key, Permission

__all__ = [
    "ALLOWED",
    "FORBIDDEN",
    "UNAUTHORIZED",
    "Decision",
    "Reach",
    "authenticated",
    "covers_trigger",
    "decide",
    "decide_elsewhere",
    "reach",
    "visible",
]

MAX_REFERER: Final = 512
"""Characters of a referer that are looked at: its host, of at most 255, stands at the beginning."""

# What a request's method needs among a permission's.
_METHODS: Final = {
    "GET": "get",
    "HEAD": "get",
    "PUT": "put",
    "POST": "post",
    "DELETE": "delete",
    "SUBSCRIBE": "get",
    "UNSUBSCRIBE": "get",
}


@attrs.frozen
class Decision:
    """
    What a key may do.

    Attributes:
        status: 200; 401 when nobody asks whom we know; 403 when the key may not.
        streams: ids of the datastreams the key is limited to within the feed, or None when to none.
        minimum_interval: seconds between the points of a history the key may read, or None.
    """

    status: int
    streams: frozenset[str] | None = None
    minimum_interval: int | None = None

    @property
    def allowed(self) -> bool:
        """Whether there is anything the key may do."""
        return self.status == 200

    def require(self) -> Decision:
        """
        Return this decision if it allows anything.

        Raises:
            Problem: 401 or 403.
        """
        if self.status == 200:
            return self
        raise problems.unauthorized() if self.status == 401 else problems.forbidden()

    def covers(self, stream_id: str) -> bool:
        """Return whether the key may touch a datastream of the feed."""
        return self.status == 200 and (self.streams is None or stream_id in self.streams)

    def require_write(self, stream_ids: Iterable[str], *, metadata: bool) -> None:
        """
        Refuse a write that touches more than the key may.

        Args:
            stream_ids: the datastreams that the body names.
            metadata: whether the body changes anything of the feed itself.

        Raises:
            Problem: 401 or 403.
        """
        self.require()
        if self.streams is not None and (metadata or not self.streams.issuperset(stream_ids)):
            raise problems.forbidden()


ALLOWED: Final = Decision(200)
"""The key may do all of it."""

FORBIDDEN: Final = Decision(403)
"""The key may do nothing of it."""

UNAUTHORIZED: Final = Decision(401)
"""Nobody asks whom we know."""


def authenticated(key: Key | None, now: int) -> Key:
    """
    Return the key when it is one that is valid.

    Raises:
        Problem: 401, there is none or it has expired.
    """
    if key is None or (key.expires_at is not None and now >= key.expires_at):
        raise problems.unauthorized()
    return key


def visible(key: Key, feed: Feed) -> bool:
    """Return whether a key's owner may see a feed with it, leaving the permissions aside."""
    return not feed.private or (feed.owner_id == key.owner_id and key.private_access)


def decide(
    key: Key | None,
    method: str,
    feed: Feed,
    request: Request,
    stream_id: str | None = None,
    *,
    interval: int | None = None,
    graph: bool = False,
) -> Decision:
    """
    Return what a key may do with a feed or one of its datastreams.

    Args:
        key: a valid one, or None.
        method: in capitals, after an override; also SUBSCRIBE and UNSUBSCRIBE.
        feed: what the request is about.
        request: where it comes from.
        stream_id: the datastream it is about, or None when it is the feed.
        interval: seconds between the points of a history, when the request names them. An interval that
            is chosen for it is raised to the decision's minimum instead.
        graph: the request reads an image, which needs no key as long as the feed is public.
    """
    if key is None:
        return ALLOWED if graph and method == "GET" and not feed.private else UNAUTHORIZED
    wanted = _METHODS.get(method)
    if key.owner_id != feed.owner_id:
        if feed.private or wanted != "get":
            return FORBIDDEN
    elif feed.private and not key.private_access:
        return FORBIDDEN
    everywhere: int | None = None
    by_stream: dict[str, int] = {}
    for permission in key.permissions:
        if wanted not in permission.access_methods:
            continue
        minimum = permission.minimum_interval or 0
        if interval is not None and interval < minimum:
            continue
        if not _admits(permission, request):
            continue
        if not permission.resources:
            if not minimum:
                return ALLOWED
            everywhere = minimum if everywhere is None else min(everywhere, minimum)
            continue
        for resource in permission.resources:
            if resource.feed_id != feed.id or resource.datastream_trigger_id is not None:
                continue
            if resource.datastream_id is None:
                everywhere = minimum if everywhere is None else min(everywhere, minimum)
            else:
                known = by_stream.get(resource.datastream_id, minimum)
                by_stream[resource.datastream_id] = min(known, minimum)
    if stream_id is not None:
        by_stream = {stream_id: by_stream[stream_id]} if stream_id in by_stream else {}
        if everywhere is not None:
            everywhere = min([everywhere, *by_stream.values()])
    if everywhere is not None:
        return Decision(200, None, everywhere) if everywhere else ALLOWED
    # Deleting a feed takes all of its datastreams along.
    if not by_stream or (stream_id is None and wanted == "delete"):
        return FORBIDDEN
    return Decision(200, frozenset(by_stream), max(by_stream.values()) or None)


def _admits(permission: Permission, request: Request) -> bool:
    """Return whether a request comes from where a permission wants it to come from."""
    if permission.source_ip is not None:
        address = _address(request.peer)
        network = permission.source_network
        if address is None or network is None or address not in network:
            return False
    if permission.referer is not None:
        referer = request.headers.get("referer", "")
        host = _host(referer[:MAX_REFERER])
        # Sub-domains are different hosts.
        return host is not None and host == _host(permission.referer[:MAX_REFERER])
    return True


@lru_cache(maxsize=4096)
def _address(peer: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(peer)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        # How a socket that listens on both kinds names an IPv4 client.
        return address.ipv4_mapped
    return address


# A stored referer may be a bare domain.
_BEFORE_HOST: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.ASCII | re.IGNORECASE)


@lru_cache(maxsize=4096)
def _host(text: str) -> str | None:
    text = text.strip()
    try:
        return urlsplit(text if _BEFORE_HOST.match(text) else "//" + text).hostname
    except ValueError:
        return None


@attrs.frozen
class Reach:
    """
    Which feeds a list shows to a key.

    Attributes:
        feed_ids: only these, or None when the key is not limited to any.
        private_of: the account whose private feeds are among them, or None.
        by_stream: there may be datastreams in these feeds that the key may not see.
    """

    feed_ids: frozenset[int] | None
    private_of: int | None
    by_stream: bool = False


def reach(key: Key, request: Request) -> Reach | None:
    """Return which feeds a list shows to a key, or None when it may not read any."""
    private_of = key.owner_id if key.private_access else None
    feed_ids: set[int] = set()
    may_read = by_stream = False
    for permission in key.permissions:
        if "get" in permission.access_methods and _admits(permission, request):
            if not permission.resources:
                return Reach(None, private_of)
            may_read = True
            for resource in permission.resources:
                if resource.feed_id is not None and resource.datastream_trigger_id is None:
                    feed_ids.add(resource.feed_id)
                    by_stream = by_stream or resource.datastream_id is not None
    return Reach(frozenset(feed_ids), private_of, by_stream) if may_read else None


def covers_trigger(key: Key, method: str, request: Request, trigger_id: int | None, feed_id: int) -> bool:
    """
    Return whether a key of a trigger's owner may do something with it.

    Args:
        key: a valid one of the trigger's owner.
        method: in capitals, after an override.
        request: where it comes from.
        trigger_id: which one; None for one that is being made.
        feed_id: the feed it watches.
    """
    for permission in key.permissions:
        if _METHODS.get(method) in permission.access_methods and _admits(permission, request):
            if not permission.resources:
                return True
            for resource in permission.resources:
                if resource.datastream_trigger_id is not None:
                    if resource.datastream_trigger_id == trigger_id:
                        return True
                elif resource.feed_id == feed_id and resource.datastream_id is None:
                    return True
    return False


def _everywhere(key: Key, method: str, request: Request) -> bool:
    """Return whether a permission without resources allows the method."""
    return any(
        not permission.resources
        and _METHODS.get(method) in permission.access_methods
        and _admits(permission, request)
        for permission in key.permissions
    )


def _anywhere(key: Key, method: str, request: Request) -> bool:
    """Return whether any permission allows the method on something."""
    return any(
        _METHODS.get(method) in permission.access_methods and _admits(permission, request)
        for permission in key.permissions
    )


def _master(key: Key, _method: str, _request: Request) -> bool:
    return key.is_master


def _any_key(_key: Key, _method: str, _request: Request) -> bool:
    return True


_RULES: Final[dict[str, Callable[[Key, str, Request], bool]]] = {
    "feeds.list": _anywhere,
    "feeds.list.v1": _anywhere,
    "feeds.list.web": _anywhere,
    "feeds.create": _everywhere,
    "feeds.create.v1": _everywhere,
    "feeds.create.web": _everywhere,
    "keys.list": _master,
    "keys.create": _master,
    "keys.read": _master,
    "keys.update": _master,
    "keys.delete": _master,
    "keys.regenerate": _master,
    # Triggers of a permitted feed are allowed; which ones those are, `covers_trigger` says.
    "triggers.list": _anywhere,
    "triggers.create": _anywhere,
    "triggers.read": _anywhere,
    "triggers.update": _anywhere,
    "triggers.delete": _anywhere,
    "triggers.debug": _anywhere,
    "triggers.list.v1": _anywhere,
    "triggers.create.v1": _anywhere,
    "triggers.read.v1": _anywhere,
    "triggers.update.v1": _anywhere,
    "triggers.delete.v1": _anywhere,
    "users.list": _everywhere,
    "users.create": _master,
    # How much of a user is shown is another question.
    "users.read": _any_key,
    "users.update": _everywhere,
    "users.delete": _everywhere,
    "products.list": _master,
    "products.create": _master,
    "products.read": _master,
    "products.update": _master,
    "products.delete": _master,
    "devices.list": _master,
    "devices.create": _master,
    "devices.read": _master,
    "devices.update": _master,
    "devices.delete": _master,
}


# A device asks to be activated without a key; whether it must have one is known when the device is.
_FOR_ALL: Final = frozenset(
    ["devices.activate", "crossdomain.read", "openapi.read", "health.read", "metrics.read"]
)


def decide_elsewhere(
    key: Key | None, route_name: str, method: str, request: Request, key_text: str | None = None
) -> Decision:
    """
    Return what a key may do where no feed stands in the path.

    Any key may read itself. A key that may POST everywhere may regenerate itself; regenerating another
    one is for the master key, since the answer holds the new text and with it the other's rights.

    Args:
        key: a valid one, or None.
        route_name: what is asked.
        method: in capitals, after an override.
        request: where it comes from.
        key_text: the key in the path, when there is one.
    """
    if route_name in _FOR_ALL:
        return ALLOWED
    if key is None:
        return UNAUTHORIZED
    if key_text is not None and key_text == key.text:
        if route_name == "keys.read":
            return ALLOWED
        if route_name == "keys.regenerate":
            return ALLOWED if _everywhere(key, method, request) else FORBIDDEN
    return ALLOWED if _RULES[route_name](key, method, request) else FORBIDDEN
