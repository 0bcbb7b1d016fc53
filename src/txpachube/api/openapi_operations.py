"""
What the OpenAPI document says of each route beyond what the route itself says.

That is a line about it, what is sent, what is answered, and how it can fail. An `Endpoint` is a path of the
document with a method. Most routes are one; where an extension of the path asks for something else than the
headers can, such as a graph, each extension is one of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs

from txpachube.api.parameters import QUERY, Parameter
from txpachube.api.routes import IMAGES, PREFIXES, Route

__all__ = ["OPERATIONS", "Endpoint", "Operation", "endpoints", "statuses"]


@attrs.frozen
class Operation:
    """
    What there is to say of a route.

    Attributes:
        summary: what it does, in a few words.
        body: name of the shape of what is sent, empty when nothing is.
        answer: name of the shape of what a success answers, empty when it is nothing.
        made: the success is 201.
        located: the success names something in ``Location``.
        open_to_all: it can be asked without a key.
        dated: its answer tells when it changed last.
        indispensable: it can be refused as not valid although nothing is sent, since the service needs it.
        maybe_absent: the service can be set up without it.
        tells_why_not: when it is unavailable it answers as ever.
    """

    summary: str
    body: str = ""
    answer: str = ""
    made: bool = False
    located: bool = False
    open_to_all: bool = False
    dated: bool = False
    indispensable: bool = False
    maybe_absent: bool = False
    tells_why_not: bool = False


def _making(summary: str, body: str) -> Operation:
    return Operation(summary, body, made=True, located=True)


_OLD: Final = {
    "feeds.list": Operation("List or search feeds", answer="OldFeedList"),
    "feeds.create": _making("Make a feed", "NewOldFeed"),
    "feeds.read": Operation("Read a feed", answer="OldFeed", dated=True),
    "feeds.update": Operation("Change a feed, and replace the set of its datastreams", "OldFeedChange"),
    "feeds.delete": Operation("Delete a feed"),
    "datastreams.list": Operation("Read a feed", answer="OldFeed", dated=True),
    "datastreams.create": _making("Make datastreams", "NewOldDatastreams"),
    "datastreams.read": Operation("Read a datastream", answer="OldDatastream", dated=True),
    "datastreams.update": Operation("Change a datastream", "OldDatastreamChange"),
    "datastreams.delete": Operation("Delete a datastream"),
}

_TRIGGERS: Final = {
    "triggers.list": Operation("List triggers", answer="TriggerList"),
    "triggers.create": _making("Make a trigger", "NewTrigger"),
    "triggers.read": Operation("Read a trigger", answer="Trigger"),
    "triggers.update": Operation("Change a trigger", "TriggerChange"),
    "triggers.delete": Operation("Delete a trigger"),
}

OPERATIONS: Final[Mapping[str, Operation]] = {
    "feeds.list": Operation("List or search feeds", answer="FeedList"),
    "feeds.create": _making("Make a feed", "NewFeed"),
    "feeds.read": Operation("Read a feed, or its history", answer="Feed", dated=True),
    "feeds.update": Operation("Change a feed, and write values of its datastreams", "FeedChange"),
    "feeds.delete": Operation("Delete a feed with everything that belongs to it"),
    "datastreams.list": Operation("Read the feed, or its history", answer="Feed", dated=True),
    "datastreams.create": _making("Make datastreams", "NewDatastreams"),
    "datastreams.read": Operation("Read a datastream, or its history", answer="Datastream", dated=True),
    "datastreams.graph": Operation("Draw a datastream", open_to_all=True),
    "datastreams.update": Operation("Change a datastream, and write its value", "DatastreamChange"),
    "datastreams.delete": Operation("Delete a datastream with its history"),
    "datapoints.list": Operation("Read the history of a datastream", answer="Datastream"),
    "datapoints.create": Operation("Write datapoints", "DatapointsChange"),
    "datapoints.delete_range": Operation("Delete the datapoints of a range"),
    "datapoint.read": Operation("Read a datapoint", answer="Datapoint"),
    "datapoint.update": Operation("Change a datapoint", "DatapointChange"),
    "datapoint.delete": Operation("Delete a datapoint"),
    "keys.list": Operation("List keys", answer="KeyList"),
    "keys.create": _making("Make a key", "NewKey"),
    "keys.read": Operation("Read a key", answer="Key"),
    "keys.update": Operation("Change a key", "KeyChange"),
    "keys.delete": Operation("Delete a key"),
    "keys.regenerate": Operation("Give a key a new text", located=True),
    **_TRIGGERS,
    "users.list": Operation("List the accounts that this one made", answer="UserList"),
    "users.create": _making("Make an account", "NewUser"),
    "users.read": Operation("Read an account", answer="User"),
    "users.update": Operation("Change an account", "UserChange"),
    "users.delete": Operation("Delete an account with its feeds, keys and triggers", indispensable=True),
    "products.list": Operation("List products", answer="ProductList"),
    "products.create": _making("Make a product", "NewProduct"),
    "products.read": Operation("Read a product", answer="Product"),
    "products.update": Operation("Change a product", "ProductChange"),
    "products.delete": Operation("Delete a product"),
    "devices.list": Operation("List the devices of a product", answer="DeviceList"),
    "devices.create": _making("Make devices of a product", "NewDevices"),
    "devices.read": Operation("Read a device", answer="Device"),
    "devices.update": Operation("Change a device", "DeviceChange"),
    "devices.delete": Operation("Delete a device"),
    "devices.activate": Operation(
        "Activate a device: it gets a feed and a key", answer="Activation", open_to_all=True
    ),
    **{f"{name}.v1": operation for name, operation in (_OLD | _TRIGGERS).items()},
    **{f"{name}.web": operation for name, operation in _OLD.items() if name.startswith("feeds")},
    "datastreams.history": Operation(
        "Read the last 24 hours of a datastream", answer="Lines", open_to_all=True
    ),
    "datastreams.history_graph": Operation("Draw the last 24 hours of a datastream", open_to_all=True),
    "datastreams.archive": Operation(
        "Read everything that is known of a datastream", answer="Lines", open_to_all=True
    ),
    "crossdomain.read": Operation("Let Flash read the API", answer="FlashPolicy", open_to_all=True),
    "openapi.read": Operation("Read this document", answer="Description", open_to_all=True),
    "feeds.debug": Operation("Read the newest requests to a feed, and why they were refused", answer="Debug"),
    "triggers.debug": Operation("Read what became of the webhooks of a trigger", answer="Webhook"),
    "health.read": Operation(
        "Ask whether the service can do its work", answer="Health", open_to_all=True, tells_why_not=True
    ),
    "metrics.read": Operation(
        "Read the numbers of the service, on its own machine",
        answer="Numbers",
        open_to_all=True,
        maybe_absent=True,
    ),
}
"""What there is to say of each route, by its name; and of the graphs, which share routes with documents."""


@attrs.frozen
class Endpoint:
    """
    A path of the document with a method.

    Attributes:
        route: which it leads to.
        path: with the version's prefix, and with the extension where it needs one.
        formats: the ones there are here.
        name: of the route, or of the graph that shares it.
        extension: what the path ends in, or empty.
    """

    route: Route
    path: str
    formats: tuple[str, ...]
    name: str
    extension: str = ""

    @property
    def operation(self) -> Operation:
        """What there is to say of it."""
        return OPERATIONS[self.name]

    @property
    def query(self) -> tuple[Parameter, ...]:
        """Its query parameters."""
        return QUERY.get(self.name, ())

    @property
    def id(self) -> str:
        """What programs that are made from the document call it."""
        name = self.name.replace(".", "_")
        return f"{name}_{self.extension}" if self.extension in IMAGES else name


# Below this the old web host had version 1.
_OLD_HOST: Final = "/api"

_GRAPHS: Final = {"datastreams.read": "datastreams.graph", "datastreams.history": "datastreams.history_graph"}


def endpoints(routes: Iterable[Route]) -> Iterator[Endpoint]:
    """Yield the endpoints of routes, in order."""
    for route in routes:
        path = (_OLD_HOST if route.name.endswith(".web") else PREFIXES[route.version]) + route.template
        # Pages of the web host and this document itself are known by the whole name of a file.
        always = route.name == "openapi.read" or not (route.version or route.ours)
        if not always:
            # A header can ask for one kind of images; the parameters that these have are told where they have
            # a path of their own.
            yield Endpoint(route, path, tuple(kind for kind in route.formats if kind != "svg"), route.name)
        for kind in route.formats:
            if kind in IMAGES:
                yield Endpoint(route, f"{path}.{kind}", (kind,), _GRAPHS[route.name], kind)
            elif always:
                yield Endpoint(route, f"{path}.{kind}", (kind,), route.name, kind)


_OF_ANY_REQUEST: Final = (400, 401, 403, 408, 413, 414, 431, 500, 503)


def statuses(endpoint: Endpoint) -> list[int]:
    """Return the statuses that the answers of an endpoint can have, in order."""
    route, operation = endpoint.route, endpoint.operation
    found = {201 if operation.made else 200, *_OF_ANY_REQUEST}
    if route.method == "GET":
        found.add(304)
    if "{" in route.template or operation.maybe_absent:
        found.add(404)
    if (route.formats and not endpoint.extension) or endpoint.extension in IMAGES:
        found.add(406)
    if operation.body or operation.indispensable:
        found.add(422)
    return sorted(found)
