"""
One event in the log for each request, for programs that gather logs.

An event names who asked by the label of the key and what was asked by the template of the route: keys,
passwords, activation codes and queries never get into it. The id is the one in the answer's
``X-Request-Id``, and in the request log of the feed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from twisted.logger import Logger

from txpachube.api.routes import PREFIXES, Match
from txpachube.server.observe import UNROUTED, Visit

__all__ = ["AccessLog", "path_shown"]

_MAX_LABEL: Final = 255
"""Characters of a label that are told; it may be as long as its owner likes."""


class AccessLog:
    """A witness that logs each request."""

    log = Logger()

    def __call__(self, visit: Visit, status: int, seconds: float, request_id: str) -> None:
        """Log a request that has been answered."""
        key = visit.key
        feed = visit.feed
        self.log.info(
            "{method} {route} {status} in {milliseconds:.2f} ms, door={door} feed={feed} key={key!r}"
            " from {peer} id={request_id}",
            request_id=request_id,
            method=visit.method if visit.method.isascii() and visit.method.isalpha() else "?",
            route=path_shown(visit.match),
            status=status,
            milliseconds=seconds * 1000,
            door=visit.door,
            feed=None if feed is None else feed.id,
            key=None if key is None else key.label[:_MAX_LABEL],
            peer=visit.request.peer,
        )


def path_shown(match: Match | None) -> str:
    """Return the template of a path, which holds no secret as the path itself may."""
    if match is None or match.route is None:
        return UNROUTED
    return _template(match.route.version, match.route.template)


@lru_cache(maxsize=256)
def _template(version: int, template: str) -> str:
    return PREFIXES[version] + template
