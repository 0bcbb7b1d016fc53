"""
The shapes of what is sent to the API: what is meant to be sent, which is less than all that is taken.

In a change, what is absent stays as it is, and what is there and empty is cleared. Unknown members are
ignored, so that what was read can be sent back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from txpachube.api.openapi_parts import DATASTREAM_ID, FEED_ID, TEXT, URL, Schema, Shape, array, ref, words
from txpachube.api.parameters import PATH

__all__ = ["BODIES"]

MAX_TEXT: Final = 255
"""Characters of a title, a name and the like."""

MAX_POINTS: Final = 500
"""Datapoints of one request."""


def _opened(properties: Mapping[str, Any], *required: str, description: str = "") -> Schema:
    schema: Schema = {"type": "object", "properties": dict(properties)}
    if required:
        schema["required"] = list(required)
    return {**schema, "description": description} if description else schema


_SHORT: Final[Schema] = {"type": ["string", "null"], "maxLength": MAX_TEXT}
_LONG: Final[Schema] = {"type": ["string", "null"]}
_GIVEN: Final[Schema] = {"type": ["string", "number", "boolean", "null"], "maxLength": MAX_TEXT}
_NUMBER: Final[Schema] = {
    "type": ["number", "string", "null"],
    "pattern": r"^([+-]?([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]+)?)?$",
}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_TAGS: Final[Schema] = {"type": ["array", "string", "null"], "items": TEXT}
_FLAG: Final[Schema] = {"oneOf": [{"type": "boolean"}, words("true", "false", "1", "0")]}


def _or_blank(*allowed: str) -> Schema:
    return {"enum": [*allowed, "", None]}


_UNIT: Final = _opened(
    {
        "type": _or_blank(
            *("basicSI", "derivedSI", "conversionBasedUnits", "derivedUnits", "contextDependentUnits")
        ),
        "symbol": _SHORT,
        "label": _SHORT,
    }
)
_POINT: Final = _opened({"at": _TIME, "value": {**_GIVEN, "type": ["string", "number", "boolean"]}}, "value")
_LOCATION: Final = _opened(
    {
        "disposition": _or_blank("fixed", "mobile"),
        "name": _SHORT,
        "exposure": _or_blank("indoor", "outdoor"),
        "domain": _or_blank("physical", "virtual"),
        "ele": _NUMBER,
        "lat": {**_NUMBER, "minimum": -90, "maximum": 90},
        "lon": {**_NUMBER, "minimum": -180, "maximum": 180},
    },
    description="Merged with the place that is known.",
)
_POINTS: Final[Schema] = {"type": "array", "items": ref("DatapointChange"), "maxItems": MAX_POINTS}
_STREAM: Final[Schema] = {
    "current_value": _GIVEN,
    "at": {**_TIME, "description": "Of the current value; without it, the time of arrival."},
    "max_value": _NUMBER,
    "min_value": _NUMBER,
    "tags": _TAGS,
    "unit": ref("UnitChange"),
    "datapoints": _POINTS,
}
_IN_FEED: Final = _opened({"id": DATASTREAM_ID, **_STREAM}, "id")
_FEED: Final[Schema] = {
    "title": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT},
    "private": _FLAG,
    "icon": _SHORT,
    "website": _SHORT,
    "tags": _TAGS,
    "description": _LONG,
    "auto_feed_url": _LONG,
    "updated": {**_TIME, "description": "Of values that have no time of their own."},
    "email": _SHORT,
    "version": {"type": "string", "description": "`0.6-alpha` is read in the layout of that time."},
    "location": ref("LocationChange"),
    "datastreams": array(ref("DatastreamOfFeedChange"), "New ones are made, others stay."),
}
_RESOURCE: Final[Schema] = {
    **_opened({"feed_id": FEED_ID, "datastream_id": DATASTREAM_ID, "datastream_trigger_id": FEED_ID}),
    "anyOf": [{"required": ["feed_id"]}, {"required": ["datastream_trigger_id"]}],
    "dependentRequired": {"datastream_id": ["feed_id"]},
}
_PERMISSION: Final = _opened(
    {
        "access_methods": {
            "type": "array",
            "items": words("get", "put", "post", "delete"),
            "minItems": 1,
        },
        "referer": {**_SHORT, "description": "The host of the pages that may use the key."},
        "source_ip": {
            "anyOf": [
                {"type": "string", "format": "ipv4"},
                {"type": "string", "format": "ipv6"},
                {"type": "string", "pattern": r"^[0-9]{1,2}(\.[0-9]{1,2}){3}/([0-9]|[12][0-9]|3[0-2])$"},
            ],
            "description": "The address, or the network, that may use the key.",
        },
        "minimum_interval": {"type": "integer", "minimum": 0, "maximum": (1 << 31) - 1},
        "label": _SHORT,
        "resources": array(ref("ResourceChange"), "What it is for; without any, everything."),
    },
    "access_methods",
)
_KEY: Final = _opened(
    {
        "label": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT},
        "private_access": _FLAG,
        "expires_at": {"oneOf": [_TIME, {"enum": ["", None]}]},
        "permissions": {"type": "array", "items": ref("PermissionChange"), "minItems": 1, "maxItems": 50},
    }
)
_TRIGGER: Final = _opened(
    {
        "url": {**URL, "maxLength": 2048},
        "trigger_type": words("gt", "gte", "lt", "lte", "eq", "change", "frozen", "live"),
        "environment_id": FEED_ID,
        "stream_id": DATASTREAM_ID,
        "threshold_value": _GIVEN,
    }
)
_SETTINGS: Final = (
    *("deliver_email", "display_activity", "display_information", "display_stats"),
    *("receive_forum_notifications", "subscribed_to_mailings"),
)
_ROLE: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,40}$"}
_USER: Final = _opened(
    {
        "login": PATH["login"].schema,
        "email": {"type": "string", "maxLength": MAX_TEXT, "pattern": r"^[^@\s]+@[^@\s]+$"},
        "password": {"type": "string", "format": "password", "minLength": 1, "maxLength": MAX_TEXT},
        **dict.fromkeys(("full_name", "first_name", "last_name", "organisation", "website"), _SHORT),
        "about": _LONG,
        "time_zone": _SHORT,
        "roles": array(_ROLE),
        "creatable_roles": array(_ROLE, "Only those that the account which makes it may give."),
        **dict.fromkeys(_SETTINGS, _FLAG),
    }
)
_PRODUCT: Final = _opened(
    {
        "name": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT},
        "description": _LONG,
        "state": words("develop", "deploy"),
        "feed_defaults": ref("FeedChange"),
    }
)
_DEVICE: Final = _opened({"serial": PATH["serial"].schema}, "serial")
_OLD_STREAM: Final[Schema] = {
    "id": DATASTREAM_ID,
    "values": array(
        _opened({"recorded_at": _TIME, "value": _GIVEN, "max_value": _NUMBER, "min_value": _NUMBER})
    ),
    "tags": _TAGS,
    "unit": ref("UnitChange"),
}
_OLD_FEED: Final[Schema] = {
    **{name: _FEED[name] for name in ("title", "icon", "website", "description", "updated", "email")},
    "version": {"type": "string"},
    "location": ref("LocationChange"),
    "datastreams": array(_opened(_OLD_STREAM, "id")),
}

_WRAPPED: Final = "With or without the member around it."
_EEML: Final = "EEML 0.5.1; EEML 5 is recognised."
_OLD_EEML: Final = 'EEML 5; with `version="0.5.1"`, EEML 0.5.1.'
_KEY_IN_XML: Final = "`key`; names with dashes or underscores."
_TRIGGER_IN_XML: Final = "`datastream-trigger`; names with dashes or underscores."
_USER_IN_XML: Final = "`user`; names with underscores."
_ROWS: Final = "Lines of a datastream's id and a value, or of its id, a time and a value."


def _making(schema: Schema, *required: str) -> Schema:
    """Return the schema of something new out of that of its change."""
    return {**schema, "required": list(required)}


def _wrapped(root: str, name: str) -> Schema:
    return {"anyOf": [_opened({root: ref(name)}, root), ref(name)], "description": _WRAPPED}


BODIES: Final[Mapping[str, Shape]] = {
    "UnitChange": Shape(_UNIT),
    "DatapointChange": Shape(_POINT, "EEML with one `value` in `datapoints`.", "The value alone."),
    "DatapointsChange": Shape(
        {
            "oneOf": [
                _opened({"datapoints": _POINTS}, "datapoints"),
                {"type": "array", "items": ref("DatapointChange"), "maxItems": MAX_POINTS},
            ]
        },
        "EEML with `datapoints` in one `data`.",
        "Lines of a time and a value.",
    ),
    "LocationChange": Shape(_LOCATION),
    "DatastreamOfFeedChange": Shape(_IN_FEED),
    "DatastreamChange": Shape(
        _opened(_STREAM),
        "EEML with one `data`.",
        "A value, a time and a value, or lines of a time and a value.",
    ),
    "NewDatastreams": Shape(
        _opened({"datastreams": {**array(ref("DatastreamOfFeedChange")), "minItems": 1}}, "datastreams"),
        "EEML with the new `data`.",
        "Lines of an id, of an id and a value, or of an id, a time and a value.",
    ),
    "NewFeed": Shape(_opened(_FEED, "title"), _EEML),
    "FeedChange": Shape(_opened(_FEED), _EEML, _ROWS),
    "ResourceChange": Shape(_RESOURCE),
    "PermissionChange": Shape(_PERMISSION),
    "NewKeyFields": Shape(_making(_KEY, "label", "permissions")),
    "NewKey": Shape(_wrapped("key", "NewKeyFields"), _KEY_IN_XML),
    "KeyFieldsChange": Shape(_KEY),
    "KeyChange": Shape(_wrapped("key", "KeyFieldsChange"), _KEY_IN_XML),
    "NewTrigger": Shape(
        _making(_TRIGGER, "url", "trigger_type", "environment_id", "stream_id"), _TRIGGER_IN_XML
    ),
    "TriggerChange": Shape(_TRIGGER, _TRIGGER_IN_XML),
    "NewUserFields": Shape(_making(_USER, "login", "email", "password")),
    "NewUser": Shape(_wrapped("user", "NewUserFields"), _USER_IN_XML),
    "UserFieldsChange": Shape(_USER),
    "UserChange": Shape(_wrapped("user", "UserFieldsChange"), _USER_IN_XML),
    "NewProductFields": Shape(_making(_PRODUCT, "name")),
    "NewProduct": Shape(_wrapped("product", "NewProductFields")),
    "ProductFieldsChange": Shape(_PRODUCT),
    "ProductChange": Shape(_wrapped("product", "ProductFieldsChange")),
    "NewDevices": Shape(_opened({"devices": {**array(_DEVICE), "minItems": 1}}, "devices")),
    "DeviceFieldsChange": Shape(_DEVICE),
    "DeviceChange": Shape(_wrapped("device", "DeviceFieldsChange")),
    "NewOldFeed": Shape(_opened(_OLD_FEED, "title"), _OLD_EEML),
    "OldFeedChange": Shape(
        _opened(_OLD_FEED), _OLD_EEML, "One line: the values of the datastreams `0`, `1`, `2` and so on."
    ),
    "NewOldDatastreams": Shape(
        _opened({"datastreams": {**array(_opened(_OLD_STREAM, "id")), "minItems": 1}}, "datastreams"),
        _OLD_EEML,
    ),
    "OldDatastreamChange": Shape(_opened(_OLD_STREAM), _OLD_EEML, "The value alone."),
}
"""The shapes of bodies, by name."""
