"""
The parameters of the API as data: what they are called, what they may be, and which route has which.

This is the only place that describes them. The service reads them with `api.params` and takes names, limits
and words from here; the OpenAPI document is made of what stands here. Query parameters that a route does not
know are ignored, and most of those it knows are forgiving: a schema below tells what is *meant*, not all that
is taken.

Three parameters belong to all routes and are told elsewhere: ``callback``, which wraps any JSON, and ``key``
and ``_method``, which are other spellings of a header and of the method.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from txpachube.api.params import MAX_CALLBACK, MAX_CSV_DEPTH, MAX_DURATION_DIGITS, MAX_PAGE, MAX_PER_PAGE

__all__ = [
    "CALLBACK",
    "DEFAULT_LIMIT",
    "DEFAULT_PER_PAGE",
    "DEVICES_PER_PAGE",
    "FUNCTIONS",
    "MAX_AFTER_DIGITS",
    "MAX_ID",
    "MAX_LIMIT",
    "MAX_SIDE",
    "PATH",
    "QUERY",
    "Parameter",
    "names",
]

DEFAULT_PER_PAGE: Final = 50
"""Feeds on a page of a list whose request names no number."""

DEVICES_PER_PAGE: Final = 30
"""Products or devices on such a page."""

DEFAULT_LIMIT: Final = 100
"""Points of one datastream in an answer whose request names no limit."""

MAX_LIMIT: Final = 1000
"""Points of one datastream in one answer."""

MAX_SIDE: Final = 2000
"""Pixels of a side of a graph. A picture of this size takes 16 MB while it is painted."""

MAX_ID: Final = (1 << 63) - 1
"""The largest number a feed or a trigger can have: the database's."""

MAX_AFTER_DIGITS: Final = 18
"""Digits of the number after which a request log is wanted; as many as fit into the database's numbers."""

FUNCTIONS: Final = ("average", "sum", "min", "max", "count")
"""The aggregates a history query can ask for."""

Schema = Mapping[str, Any]


@attrs.frozen
class Parameter:
    """
    A parameter of a path or a query.

    Attributes:
        name: as it is sent.
        description: one or two sentences, in Markdown.
        schema: what is meant to be sent, in JSON Schema.
        key: tells it from other parameters of the same name.
    """

    name: str
    description: str
    schema: Schema = attrs.field(hash=False)
    key: str = attrs.field(default=attrs.Factory(lambda self: self.name, takes_self=True))


_TEXT: Final[Schema] = {"type": "string"}
_SWITCH: Final[Schema] = {"type": "string", "enum": ["true", "false"]}
_NUMBER: Final[Schema] = {"type": "number"}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_IDS: Final[Schema] = {"type": "string", "examples": ["temperature,humidity"]}
_PAGE: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 1}


def _up_to(maximum: int, default: int | None = None) -> Schema:
    schema = {"type": "integer", "minimum": 1, "maximum": maximum}
    return schema if default is None else {**schema, "default": default}


def _also(parameter: Parameter, *others: str) -> tuple[Parameter, ...]:
    """Return a parameter and its other names."""
    same = f"The same as `{parameter.name}`, which counts when both are given."
    return (parameter, *(Parameter(name, same, parameter.schema) for name in others))


def _word(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


# What stands in paths

_NUMBER_ID: Final[Schema] = {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_ID}

# "Letters and digits of any script" is written differently in each language of patterns.
_NO_OTHER_PUNCTUATION: Final = r"^[^\x00-\x2a\x2c\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]+$"

_PATH: Final = (
    Parameter("feed_id", "The feed's number.", _NUMBER_ID),
    Parameter(
        "datastream_id",
        "The datastream's id: letters and digits of any script, `_`, `-`, `+` and `.`; capitals count.",
        {
            "type": "string",
            "format": "datastream-id",
            "minLength": 1,
            "maxLength": 255,
            "pattern": _NO_OTHER_PUNCTUATION,
        },
    ),
    Parameter(
        "at",
        "The datapoint's time, compared as a moment to the microsecond: `2013-06-01T10:15:02.001200Z`.",
        _TIME,
    ),
    Parameter(
        "key",
        "The text of the key.",
        {"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[A-Za-z0-9_-]+$"},
    ),
    Parameter("trigger_id", "The trigger's number.", _NUMBER_ID),
    Parameter("login", "The account's login.", {"type": "string", "pattern": "^[A-Za-z0-9_-]{3,40}$"}),
    Parameter("product_id", "The product's id.", {"type": "string", "pattern": "^[A-Za-z0-9_-]{20}$"}),
    Parameter(
        "serial",
        "The device's serial: letters, digits, `+`, `-`, `_`, `:` and `,`.",
        {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9+_:,-]+$"},
        "device_serial",
    ),
    Parameter(
        "activation_code",
        "HMAC-SHA1 of the device's serial with the product's secret (decoded from hexadecimal), in "
        "lower-case hexadecimal.",
        {"type": "string", "pattern": "^[0-9a-f]{40}$"},
    ),
)

PATH: Final[Mapping[str, Parameter]] = {parameter.name: parameter for parameter in _PATH}
"""The parameters of paths, by the names they have in the templates of routes."""


# What stands in queries

CALLBACK: Final = Parameter(
    "callback",
    "Wraps JSON as a call of this function, for pages without CORS. Only letters, digits and `_` are kept.",
    {"type": "string", "maxLength": MAX_CALLBACK, "pattern": "^[A-Za-z0-9_]*$"},
)

_ZONE: Final = Parameter(
    "timezone",
    "Times in the answer are written in this zone, and times without an offset in the request are read in "
    "it: a number of hours such as `-3.5`, a place such as `Copenhagen`, or `Europe/Copenhagen`. Anything "
    "else is UTC.",
    {"type": "string", "examples": ["Copenhagen", "+8"]},
)

_RANGE: Final = (
    Parameter("start", "The first moment of the range.", _TIME),
    Parameter("end", "The last moment of the range.", _TIME),
    Parameter(
        "duration",
        "The length of the range: a number and a unit from `second` to `year`; a bare number is seconds. "
        "With `start` it goes on from there, else it ends at `end` or now. All three together are refused.",
        {
            "type": "string",
            "pattern": rf"^[0-9]{{1,{MAX_DURATION_DIGITS}}} ?((second|minute|hour|day|week|month|year)s?)?$",
            "examples": ["6hours"],
        },
    ),
)

_SAMPLING: Final = (
    Parameter(
        "interval",
        "Seconds between points; 0 gives every stored one. Rounded up to the next interval there is, and "
        "refused when the range is too long for it. Without one it is chosen by the length of the range.",
        {"type": "number", "minimum": 0, "examples": [0, 60, 3600]},
    ),
    Parameter("interval_type", "`discrete` puts the points on the lines of the interval.", _word("discrete")),
    Parameter("find_previous", "Begin with the last point before the range.", _SWITCH),
    Parameter("function", "An aggregate of each interval instead of its last point.", _word(*FUNCTIONS)),
    Parameter("limit", "Points of each datastream in the answer.", _up_to(MAX_LIMIT, DEFAULT_LIMIT)),
    Parameter(
        "per_page",
        "The older name of `limit`, which counts when both are given.",
        _up_to(MAX_LIMIT, DEFAULT_LIMIT),
        "history_per_page",
    ),
    Parameter("page", "Skips the points of the pages before.", _PAGE, "history_page"),
)

_HISTORY: Final = (*_RANGE, *_SAMPLING)

_MOMENT: Final = Parameter("time", "Show the values of this moment instead of the present ones.", _TIME)

_COLUMNS: Final = (
    Parameter(
        "depth",
        "Columns of CSV, counted from the right: the value, its time, the datastream, the feed.",
        _up_to(MAX_CSV_DEPTH),
    ),
    Parameter("full", "All columns of CSV.", _SWITCH),
)

_STREAMS: Final = (
    Parameter("datastreams", "Show only these datastreams: ids with commas between.", _IDS),
    Parameter("datastream", "Show only this datastream.", _TEXT),
)
_SHOWN: Final = (
    *_STREAMS,
    Parameter("content", "`summary` leaves the datastreams out.", _word("full", "summary")),
    Parameter("show_user", "Show the login of the feed's creator.", _SWITCH),
)

_NUMBER_OF_PAGE: Final = Parameter("page", "Which page of the list.", _PAGE)

_SEARCH: Final = (
    _NUMBER_OF_PAGE,
    Parameter("per_page", "Feeds on a page.", _up_to(MAX_PER_PAGE, DEFAULT_PER_PAGE)),
    Parameter(
        "q",
        "Words that all have to occur in the title, the description, the tags, the units, the ids of "
        "datastreams or the creator's login; whole, without regard to case and accents.",
        _TEXT,
    ),
    Parameter("tag", "Feeds that have this tag, or a datastream with it.", _TEXT),
    Parameter("user", "Feeds of this creator: the login.", _TEXT),
    Parameter("units", "Feeds with a datastream of this unit: its label or its symbol.", _TEXT),
    Parameter(
        "status", "Feeds with data of the last 15 minutes, or without.", _word("live", "frozen", "all")
    ),
    Parameter(
        "order",
        "What comes first: the newest feed, the latest data, or what fits `q` best, the default with `q`.",
        _word("created_at", "retrieved_at", "relevance"),
    ),
    Parameter("lat", "Latitude of a place to search around.", {**_NUMBER, "minimum": -90, "maximum": 90}),
    Parameter("lon", "Longitude of that place.", {**_NUMBER, "minimum": -180, "maximum": 180}),
    Parameter("distance", "How far from that place a feed may be.", {**_NUMBER, "minimum": 0, "default": 10}),
    *_also(
        Parameter("distance_units", "The unit of `distance`.", _word("kms", "miles")),
        "distance_unit",
    ),
    Parameter("mapped", "Only feeds that say where they are.", _SWITCH),
    Parameter(
        "id", "Only these feeds: numbers with commas between.", {"type": "string", "examples": ["504"]}
    ),
    Parameter("ids", "The same as `id`.", {"type": "string", "examples": ["504,7021"]}),
)

_SIDE: Final = _up_to(MAX_SIDE)
_LOOK: Final = (
    *_also(Parameter("width", "Pixels from left to right.", {**_SIDE, "default": 600}), "w"),
    *_also(Parameter("height", "Pixels from top to bottom.", {**_SIDE, "default": 250}), "h"),
    *_also(
        Parameter(
            "colour",
            "Of the line: six hexadecimal digits.",
            {"type": "string", "pattern": "^#?[0-9A-Fa-f]{6}$", "default": "f15a24"},
        ),
        *("color", "c"),
    ),
    *_also(Parameter("title", "Above the graph.", _TEXT), "t"),
    *_also(Parameter("legend", "Inside of the graph.", _TEXT), "l"),
    *_also(
        Parameter(
            "stroke_size", "Pixels of the line's width.", {**_NUMBER, "exclusiveMinimum": 0, "default": 4}
        ),
        *("stroke", "s"),
    ),
    *_also(Parameter("show_axis_labels", "Label the axes.", _SWITCH), "b"),
    *_also(Parameter("detailed_grid", "Draw a detailed grid.", _SWITCH), "g"),
    Parameter(
        "scale",
        "Where the values' axis ends: where the data do, at the datastream's minimum and maximum, or at "
        "`min` and `max`.",
        _word("auto", "datastream", "manual"),
    ),
    Parameter("min", "The lower end of the values' axis when `scale` is `manual`.", _NUMBER),
    Parameter("max", "The upper end of the values' axis when `scale` is `manual`.", _NUMBER),
)

_OF_FEED: Final = Parameter("feed_id", "Only those of this feed.", _NUMBER_ID, "of_feed")

_READ_FEED: Final = (*_SHOWN, *_HISTORY, _MOMENT, _ZONE, *_COLUMNS)
_READ_STREAM: Final = (*_HISTORY, _MOMENT, _ZONE, *_COLUMNS)
_LIST_FEEDS: Final = (*_SEARCH, *_SHOWN, _ZONE)
_WRITE: Final = (_ZONE,)
_GRAPH: Final = (*_LOOK, *_RANGE, _ZONE)

QUERY: Final[Mapping[str, tuple[Parameter, ...]]] = {
    "feeds.list": (*_LIST_FEEDS, *_COLUMNS),
    "feeds.create": _WRITE,
    "feeds.read": _READ_FEED,
    "feeds.update": _WRITE,
    "datastreams.list": _READ_FEED,
    "datastreams.create": _WRITE,
    "datastreams.read": _READ_STREAM,
    "datastreams.graph": _GRAPH,
    "datastreams.update": _WRITE,
    "datapoints.list": (*_HISTORY, _ZONE, *_COLUMNS),
    "datapoints.create": _WRITE,
    "datapoints.delete_range": (*_RANGE, _ZONE),
    "datapoint.read": _WRITE,
    "datapoint.update": _WRITE,
    "datapoint.delete": _WRITE,
    "keys.list": (_OF_FEED, _ZONE),
    "keys.create": _WRITE,
    "keys.read": _WRITE,
    "keys.update": _WRITE,
    "triggers.list": (_OF_FEED, _ZONE),
    "triggers.read": _WRITE,
    "triggers.debug": _WRITE,
    "feeds.debug": (
        Parameter(
            "after",
            "Only requests with a larger `id` than this.",
            {"type": "integer", "minimum": 0, "maximum": 10**MAX_AFTER_DIGITS - 1, "default": 0},
        ),
        _ZONE,
    ),
    "products.list": (
        _NUMBER_OF_PAGE,
        Parameter(
            "per_page", "Products on a page.", _up_to(MAX_PER_PAGE, DEVICES_PER_PAGE), "products_per_page"
        ),
    ),
    "devices.list": (
        _NUMBER_OF_PAGE,
        Parameter(
            "per_page", "Devices on a page.", _up_to(MAX_PER_PAGE, DEVICES_PER_PAGE), "devices_per_page"
        ),
        Parameter("serial", "Devices whose serial has this part.", _TEXT),
        Parameter("activated", "Devices that were activated, or were not.", _word("true", "false", "all")),
        _ZONE,
    ),
    "devices.read": _WRITE,
    "feeds.list.v1": _LIST_FEEDS,
    "feeds.create.v1": _WRITE,
    "feeds.read.v1": (*_STREAMS, _ZONE),
    "feeds.update.v1": _WRITE,
    "feeds.list.web": _LIST_FEEDS,
    "feeds.create.web": _WRITE,
    "feeds.read.web": (*_STREAMS, _ZONE),
    "feeds.update.web": _WRITE,
    "datastreams.list.v1": (*_STREAMS, _ZONE),
    "datastreams.create.v1": _WRITE,
    "datastreams.read.v1": (_ZONE,),
    "datastreams.update.v1": _WRITE,
    "triggers.list.v1": (_OF_FEED, _ZONE),
    "triggers.read.v1": _WRITE,
    "datastreams.history": (_ZONE,),
    "datastreams.history_graph": (*_LOOK, _ZONE),
    "datastreams.archive": (*_RANGE[:2], _ZONE),
}
"""
The query parameters of routes, by the routes' names; those that are missing have none.

Where one path gives documents and graphs, the parameters of the graphs have a name of their own.
"""


def names(route: str) -> frozenset[str]:
    """Return what the query parameters of a route are called."""
    return frozenset(parameter.name for parameter in QUERY.get(route, ()))
