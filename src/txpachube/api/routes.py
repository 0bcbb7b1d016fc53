"""
The paths of the API, written once and used in both directions.

The server asks `match` what a request is about; the client, and every ``Location`` the server
sends, ask `build` for the path of something. A route is a name, a method and a template::

    datapoint.read   GET   /feeds/{feed_id}/datastreams/{datastream_id}/datapoints/{at}

Templates stand below the prefix of their version: ``/v2``, also reachable as ``/api/v2``, and ``/v1``, also
reachable as ``/api``, where the old web host had it. Some pages of that host were no part of any version and
have no prefix. Around the templates the reading is lenient, because old programs are careless: doubled
slashes count as one, a slash at the end as none, and any path may end in an extension that names a format.

An extension is taken off the last segment whenever it is one of the four known ones. A
datastream's id may end like that too (``sensor.csv``); the full text of the segment is kept as
`Match.verbatim`, so that an operation that knows the datastreams can prefer it. ``.svg`` is an addition of
ours and taken off only where it means something: where a datastream is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

import attrs

from txpachube.errors import InvalidValue

__all__ = ["EXTENSIONS", "IMAGES", "PREFIXES", "ROUTES", "Match", "Route", "build", "match"]

EXTENSIONS: Final = ("json", "xml", "csv", "png")
"""The endings of a path that name a format."""

IMAGES: Final = ("png", "svg")
"""The formats in which a datastream is drawn. The second is named by the ending of a path only."""

PREFIXES: Final = {0: "", 1: "/v1", 2: "/v2"}
"""What the paths of a version begin with."""

MAX_REMEMBERED_PATHS: Final = 8192
"""
Matches kept in memory; more than a busy service's datastreams in one period of their updates,
and at most a few megabytes.
"""

MAX_REMEMBERED_LENGTH: Final = 200
"""Longer paths are matched afresh each time, so that nobody can fill the memory with them."""

_ALL: Final = ("json", "xml", "csv")
_DOCUMENT: Final = ("json", "xml")
_OLD: Final = ("xml", "json", "csv")
_OLD_DOCUMENT: Final = ("xml", "json")


@attrs.frozen
class Route:
    """
    One thing that can be asked of the API.

    Attributes:
        name: the resource and the action, ``feeds.read``; of version 1 ``feeds.read.v1``, and
            ``feeds.read.web`` in the short form that the old web host had.
        method: in capitals.
        template: the path below the version's prefix, with parameters in braces.
        formats: the ones in which the resource is read or written, the default first. Empty when the
            request and its answer have no body; then an extension is accepted and means nothing.
        version: of the API; 0 for the pages beside it.
        ours: it is an addition of this service, which the old ones did not have.
    """

    name: str
    method: str
    template: str
    formats: tuple[str, ...]
    version: int = 2
    ours: bool = False


ROUTES: Final = (
    Route("feeds.list", "GET", "/feeds", _ALL),
    Route("feeds.create", "POST", "/feeds", _DOCUMENT),
    Route("feeds.read", "GET", "/feeds/{feed_id}", _ALL),
    Route("feeds.update", "PUT", "/feeds/{feed_id}", _ALL),
    Route("feeds.delete", "DELETE", "/feeds/{feed_id}", ()),
    Route("datastreams.list", "GET", "/feeds/{feed_id}/datastreams", _ALL),
    Route("datastreams.create", "POST", "/feeds/{feed_id}/datastreams", _ALL),
    Route("datastreams.read", "GET", "/feeds/{feed_id}/datastreams/{datastream_id}", (*_ALL, *IMAGES)),
    Route("datastreams.update", "PUT", "/feeds/{feed_id}/datastreams/{datastream_id}", _ALL),
    Route("datastreams.delete", "DELETE", "/feeds/{feed_id}/datastreams/{datastream_id}", ()),
    Route("datapoints.list", "GET", "/feeds/{feed_id}/datastreams/{datastream_id}/datapoints", _ALL),
    Route("datapoints.create", "POST", "/feeds/{feed_id}/datastreams/{datastream_id}/datapoints", _ALL),
    Route("datapoints.delete_range", "DELETE", "/feeds/{feed_id}/datastreams/{datastream_id}/datapoints", ()),
    Route("datapoint.read", "GET", "/feeds/{feed_id}/datastreams/{datastream_id}/datapoints/{at}", _ALL),
    Route("datapoint.update", "PUT", "/feeds/{feed_id}/datastreams/{datastream_id}/datapoints/{at}", _ALL),
    Route("datapoint.delete", "DELETE", "/feeds/{feed_id}/datastreams/{datastream_id}/datapoints/{at}", ()),
    Route("keys.list", "GET", "/keys", _DOCUMENT),
    Route("keys.create", "POST", "/keys", _DOCUMENT),
    Route("keys.read", "GET", "/keys/{key}", _DOCUMENT),
    Route("keys.update", "PUT", "/keys/{key}", _DOCUMENT),
    Route("keys.delete", "DELETE", "/keys/{key}", ()),
    Route("keys.regenerate", "POST", "/keys/{key}/regenerate", ()),
    Route("triggers.list", "GET", "/triggers", _DOCUMENT),
    Route("triggers.create", "POST", "/triggers", _DOCUMENT),
    Route("triggers.read", "GET", "/triggers/{trigger_id}", _DOCUMENT),
    Route("triggers.update", "PUT", "/triggers/{trigger_id}", _DOCUMENT),
    Route("triggers.delete", "DELETE", "/triggers/{trigger_id}", ()),
    Route("users.list", "GET", "/users", _DOCUMENT),
    Route("users.create", "POST", "/users", _DOCUMENT),
    Route("users.read", "GET", "/users/{login}", _DOCUMENT),
    Route("users.update", "PUT", "/users/{login}", _DOCUMENT),
    Route("users.delete", "DELETE", "/users/{login}", ()),
    Route("products.list", "GET", "/products", ("json",)),
    Route("products.create", "POST", "/products", ("json",)),
    Route("products.read", "GET", "/products/{product_id}", ("json",)),
    Route("products.update", "PUT", "/products/{product_id}", ("json",)),
    Route("products.delete", "DELETE", "/products/{product_id}", ()),
    Route("devices.list", "GET", "/products/{product_id}/devices", ("json",)),
    Route("devices.create", "POST", "/products/{product_id}/devices", ("json",)),
    Route("devices.read", "GET", "/products/{product_id}/devices/{serial}", ("json",)),
    Route("devices.update", "PUT", "/products/{product_id}/devices/{serial}", ("json",)),
    Route("devices.delete", "DELETE", "/products/{product_id}/devices/{serial}", ()),
    Route("devices.activate", "GET", "/devices/{activation_code}/activate", ("json", "csv")),
    Route("feeds.list.v1", "GET", "/feeds", _OLD_DOCUMENT, 1),
    Route("feeds.create.v1", "POST", "/feeds", _OLD_DOCUMENT, 1),
    Route("feeds.read.v1", "GET", "/feeds/{feed_id}", _OLD, 1),
    Route("feeds.update.v1", "PUT", "/feeds/{feed_id}", _OLD, 1),
    Route("feeds.delete.v1", "DELETE", "/feeds/{feed_id}", (), 1),
    Route("feeds.list.web", "GET", "", _OLD_DOCUMENT, 1),
    Route("feeds.create.web", "POST", "", _OLD_DOCUMENT, 1),
    Route("feeds.read.web", "GET", "/{feed_id}", _OLD, 1),
    Route("feeds.update.web", "PUT", "/{feed_id}", _OLD, 1),
    Route("feeds.delete.web", "DELETE", "/{feed_id}", (), 1),
    Route("datastreams.list.v1", "GET", "/feeds/{feed_id}/datastreams", _OLD, 1),
    Route("datastreams.create.v1", "POST", "/feeds/{feed_id}/datastreams", _OLD_DOCUMENT, 1),
    Route("datastreams.read.v1", "GET", "/feeds/{feed_id}/datastreams/{datastream_id}", _OLD, 1),
    Route("datastreams.update.v1", "PUT", "/feeds/{feed_id}/datastreams/{datastream_id}", _OLD, 1),
    Route("datastreams.delete.v1", "DELETE", "/feeds/{feed_id}/datastreams/{datastream_id}", (), 1),
    Route("triggers.list.v1", "GET", "/triggers", _OLD_DOCUMENT, 1),
    Route("triggers.create.v1", "POST", "/triggers", _OLD_DOCUMENT, 1),
    Route("triggers.read.v1", "GET", "/triggers/{trigger_id}", _OLD_DOCUMENT, 1),
    Route("triggers.update.v1", "PUT", "/triggers/{trigger_id}", _OLD_DOCUMENT, 1),
    Route("triggers.delete.v1", "DELETE", "/triggers/{trigger_id}", (), 1),
    Route(
        "datastreams.history",
        "GET",
        "/feeds/{feed_id}/datastreams/{datastream_id}/history",
        ("csv", "png"),
        0,
    ),
    Route("datastreams.archive", "GET", "/feeds/{feed_id}/datastreams/{datastream_id}/archive", ("csv",), 0),
    Route("crossdomain.read", "GET", "/crossdomain", ("xml",), 0),
    Route("openapi.read", "GET", "/openapi", ("json",), ours=True),
    Route("feeds.debug", "GET", "/feeds/{feed_id}/debug", ("json",), ours=True),
    Route("triggers.debug", "GET", "/triggers/{trigger_id}/debug", ("json",), ours=True),
    Route("health.read", "GET", "/health", ("json",), 0, ours=True),
    Route("metrics.read", "GET", "/metrics", ("csv",), 0, ours=True),
)
"""Every route, in the order of the documentation."""


# The path of a key holds the key, so neither it nor the parameters are shown.
@attrs.frozen
class Match:
    """
    What a path is about. Shared between requests: nobody changes it.

    Attributes:
        route: None when there is no such path, or not with this method.
        version: of the API the path belongs to, also when there is no route; paths without a prefix
            are answered in the manner of version 2.
        parameters: the route's parameters by name, percent-decoded, the last one without its extension.
        extension: one of `EXTENSIONS`, ``svg``, or None.
        verbatim: the path's last segment, percent-decoded, its extension kept.
    """

    route: Route | None
    version: int
    parameters: Mapping[str, str] = attrs.field(repr=False)
    extension: str | None
    verbatim: str = attrs.field(repr=False)

    def without_extension(self) -> Match:
        """
        Return the same match with what looked like an extension read as part of the id.

        Only for a route whose path ends with a parameter.
        """
        if self.extension is None or self.route is None or not self.route.template.endswith("}"):
            return self
        parameters = {**self.parameters, _last_parameter(self.route): self.verbatim}
        return attrs.evolve(self, parameters=parameters, extension=None)


def _last_parameter(route: Route) -> str:
    return route.template.rpartition("{")[2].rstrip("}")


@attrs.define
class _Branch:
    """The routes whose templates begin with the same segments."""

    literals: dict[str, _Branch] = attrs.field(factory=dict)
    parameter: str = ""
    other: _Branch | None = None
    routes: dict[str, Route] = attrs.field(factory=dict)

    def at(self, segment: str) -> _Branch:
        """Return the branch below this one for a segment of a template, grown when it is new."""
        if not segment.startswith("{"):
            return self.literals.setdefault(segment, _Branch())
        name = segment.strip("{}")
        if self.other is None:
            self.parameter, self.other = name, _Branch()
        # A place in the path has one name; `match` relies on it.
        assert self.parameter == name, segment
        return self.other


def _grow(routes: tuple[Route, ...]) -> dict[int, _Branch]:
    trees: dict[int, _Branch] = {version: _Branch() for version in PREFIXES}
    for route in routes:
        branch = trees[route.version]
        for segment in route.template.split("/")[1:]:
            branch = branch.at(segment)
        assert route.method not in branch.routes, route
        branch.routes[route.method] = route
    return trees


_TREES: Final = _grow(ROUTES)
_BY_NAME: Final = {route.name: route for route in ROUTES}
_NOTHING: Final[Mapping[str, str]] = {}


def match(method: str, path: str) -> Match:
    """
    Return what a request is about.

    Args:
        method: in capitals; an override is already applied.
        path: as sent, percent-encoded, without the query.
    """
    if len(path) > MAX_REMEMBERED_LENGTH:
        return _match(method, path)
    return _remembered_match(method, path)


def _match(method: str, path: str) -> Match:
    segments = [unquote(segment) for segment in path.split("/") if segment]
    verbatim = segments[-1] if segments else ""
    extension = None
    stem, dot, ending = verbatim.rpartition(".")
    if dot and stem and ending in EXTENSIONS:
        extension = ending
        segments[-1] = stem
    version, depth = _version_of(segments)
    parameters: dict[str, str] = {}
    branch = _TREES[version if depth else 0]
    for segment in segments[depth:]:
        known = branch.literals.get(segment)
        if known is None:
            if branch.other is None:
                return Match(None, version, _NOTHING, extension, verbatim)
            parameters[branch.parameter] = segment
            known = branch.other
        branch = known
    route = branch.routes.get(method)
    if extension is None and route is not None and "svg" in route.formats and stem and ending == "svg":
        extension = ending
        parameters[_last_parameter(route)] = stem
    return Match(route, version, parameters, extension, verbatim)


_remembered_match = lru_cache(maxsize=MAX_REMEMBERED_PATHS)(_match)


def _version_of(segments: list[str]) -> tuple[int, int]:
    """Return the version of a path and how many segments its prefix has, 0 when it has none."""
    first = segments[0] if segments else ""
    if first == "v2":
        return 2, 1
    if first == "v1":
        return 1, 1
    if first == "api":
        # The old web host had version 1 below /api; version 2 was mounted there inside the service.
        return (2, 2) if segments[1:2] == ["v2"] else (1, 1)
    return 2, 0


def build(name: str, *, extension: str | None = None, **parameters: str | int) -> str:
    """
    Return the path of something, percent-encoded, beginning with the version's prefix.

    Args:
        name: of the route.
        extension: one of `EXTENSIONS`, or None.
        parameters: the route's parameters, neither more nor less.

    Raises:
        InvalidValue: a parameter is empty; the path would be that of the collection around it.
        TypeError: the parameters are not those of the route.
    """
    route = _BY_NAME[name]
    wanted = _parameter_names(route.template)
    if parameters.keys() != wanted:
        raise TypeError(f"{name} takes {sorted(wanted)}, not {sorted(parameters)}")
    escaped = {parameter: _escape(parameter, str(value)) for parameter, value in parameters.items()}
    path = PREFIXES[route.version] + route.template.format_map(escaped)
    return f"{path}.{extension}" if extension else path


@lru_cache(maxsize=len(ROUTES))
def _parameter_names(template: str) -> frozenset[str]:
    return frozenset(re.findall(r"\{(\w+)\}", template))


def _escape(parameter: str, value: str) -> str:
    if not value:
        raise InvalidValue(parameter, value, "a text that is not empty")
    if value in {".", ".."}:
        # Legal ids; written plainly they would be taken for steps in the path.
        return value.replace(".", "%2E")
    return quote(value, safe=":")
