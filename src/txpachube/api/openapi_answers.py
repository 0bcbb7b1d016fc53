"""The shapes of what the API answers: exactly what is in them, since old programs fail on anything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from txpachube.api.openapi_parts import (
    DATASTREAM_ID,
    FEED_ID,
    INTEGER,
    LATITUDE,
    LONGITUDE,
    MOMENT,
    TAGS,
    TEXT,
    URL,
    VALUE,
    VERSION,
    WHOLE_SECOND,
    YES_OR_NO,
    Schema,
    Shape,
    array,
    closed,
    ref,
    words,
)
from txpachube.api.parameters import FUNCTIONS

__all__ = ["ANSWERS"]

_ERROR: Final = closed(
    {"title": TEXT, "errors": {"oneOf": [TEXT, array(TEXT, "One text for each thing that is wrong.")]}},
    *("title", "errors"),
)

_LIMIT: Final[Schema] = {
    "type": "string",
    "pattern": r"^-?[0-9]+\.[0-9]+(e[+-][0-9]+)?$",
    "examples": ["38.2"],
}
_UNIT: Final = closed(
    {
        "type": words(
            *("basicSI", "derivedSI", "conversionBasedUnits", "derivedUnits", "contextDependentUnits")
        ),
        "symbol": TEXT,
        "label": TEXT,
    }
)
_POINT: Final = closed({"at": MOMENT, "value": VALUE}, "at", "value")
_WAYPOINT: Final = closed({"at": MOMENT, "lat": LATITUDE, "lon": LONGITUDE, "ele": TEXT}, "at", "lat", "lon")
_PLACE: Final[Schema] = {
    "disposition": words("fixed", "mobile"),
    "name": TEXT,
    "exposure": words("indoor", "outdoor"),
    "domain": words("physical", "virtual"),
    "ele": TEXT,
    "lat": LATITUDE,
    "lon": LONGITUDE,
}
_LOCATION: Final = closed(
    {**_PLACE, "waypoints": array(ref("Waypoint"), "Former places of a mobile feed, oldest first.")},
    "domain",
)
_STREAM: Final[Schema] = {
    "id": DATASTREAM_ID,
    "current_value": VALUE,
    "at": MOMENT,
    "max_value": _LIMIT,
    "min_value": _LIMIT,
    "tags": TAGS,
    "unit": ref("Unit"),
    "datapoints_function": words(*FUNCTIONS),
    "datapoints": array(ref("Datapoint"), "Only where history was asked for."),
}
_TOGETHER: Final[Schema] = {"dependentRequired": {"current_value": ["at"], "at": ["current_value"]}}
_FEED_HEAD: Final[Schema] = {
    "id": FEED_ID,
    "title": TEXT,
    "private": YES_OR_NO,
    "icon": TEXT,
    "website": TEXT,
    "tags": TAGS,
    "description": TEXT,
    "feed": URL,
    "auto_feed_url": TEXT,
    "status": words("live", "frozen"),
    "updated": MOMENT,
    "created": MOMENT,
    "email": TEXT,
    "creator": URL,
    "user": closed({"login": TEXT}, "login"),
    "version": VERSION,
    "datastreams": array(ref("DatastreamOfFeed")),
    "location": ref("Location"),
    "product_id": TEXT,
    "device_serial": TEXT,
}
_ALWAYS: Final = (
    *("id", "title", "private", "feed", "status", "updated", "created", "creator", "version", "location"),
)


def _page(results: Schema) -> Schema:
    return closed(
        {"totalResults": INTEGER, "startIndex": INTEGER, "itemsPerPage": INTEGER, "results": results},
        *("totalResults", "startIndex", "itemsPerPage", "results"),
    )


_RESOURCE: Final = closed(
    {"feed_id": FEED_ID, "datastream_id": DATASTREAM_ID, "datastream_trigger_id": FEED_ID}
)
_PERMISSION: Final = closed(
    {
        "access_methods": array(words("get", "put", "post", "delete")),
        "referer": TEXT,
        "source_ip": TEXT,
        "minimum_interval": INTEGER,
        "label": TEXT,
        "resources": array(ref("Resource")),
    },
    "access_methods",
)
_KEY: Final = closed(
    {
        "api_key": TEXT,
        "expires_at": WHOLE_SECOND,
        "label": TEXT,
        "private_access": {"type": "boolean"},
        "permissions": array(ref("Permission")),
    },
    *("api_key", "label", "private_access", "permissions"),
)
_TRIGGER: Final = closed(
    {
        "id": FEED_ID,
        "url": URL,
        "trigger_type": words("gt", "gte", "lt", "lte", "eq", "change", "frozen", "live"),
        "user": TEXT,
        "environment_id": FEED_ID,
        "stream_id": DATASTREAM_ID,
        "threshold_value": VALUE,
        "notified_at": {"oneOf": [MOMENT, {"const": ""}], "description": "Empty: never yet."},
    },
    *("id", "url", "trigger_type", "user", "environment_id", "stream_id", "notified_at"),
)
_FLAG: Final[Schema] = {"type": "boolean"}
_USER: Final = closed(
    {
        "login": TEXT,
        "email": TEXT,
        "full_name": TEXT,
        "first_name": TEXT,
        "last_name": TEXT,
        "api_key": TEXT,
        "roles": array(TEXT),
        "creatable_roles": array(TEXT),
        "about": TEXT,
        "deliver_email": _FLAG,
        "display_activity": _FLAG,
        "display_information": _FLAG,
        "display_stats": _FLAG,
        "organisation": TEXT,
        "receive_forum_notifications": _FLAG,
        "subscribed_to_mailings": _FLAG,
        "time_zone": TEXT,
        "website": TEXT,
        "feeds_count": INTEGER,
        "datastreams_count": INTEGER,
        "datastreams_allowed": INTEGER,
        "daily_api_access_count": INTEGER,
        "total_api_access_count": INTEGER,
    },
    "login",
)
_PRODUCT: Final = closed(
    {
        "description": TEXT,
        "name": TEXT,
        "product_id": TEXT,
        "secret": {"type": "string", "pattern": "^[0-9a-f]{40}$"},
        "state": words("develop", "deploy"),
        "devices_count": INTEGER,
        "activated_devices_count": INTEGER,
        "feed_defaults": {
            "type": "object",
            "description": "What the feeds of activated devices begin with.",
        },
        "user": TEXT,
    },
    *("name", "product_id", "secret", "state", "devices_count", "activated_devices_count", "user"),
)
_DEVICE: Final = closed(
    {
        "serial": TEXT,
        "activation_code": TEXT,
        "created_at": WHOLE_SECOND,
        "activated_at": {"oneOf": [WHOLE_SECOND, {"type": "null"}]},
        "feed_id": {"oneOf": [FEED_ID, {"type": "null"}]},
        "api_key": TEXT,
    },
    *("serial", "activation_code", "created_at", "activated_at"),
)
_NO_MOMENT: Final[Schema] = {"oneOf": [MOMENT, {"type": "null"}]}
_NO_TEXT: Final[Schema] = {"type": ["string", "null"]}
_NO_NUMBER: Final[Schema] = {"type": ["integer", "null"]}
_ATTEMPT: Final = closed({"at": MOMENT, "status": _NO_NUMBER, "fault": _NO_TEXT}, *("at", "status", "fault"))
_WEBHOOK_FIELDS: Final[Schema] = {
    "trigger": FEED_ID,
    "feed": FEED_ID,
    "datastream": DATASTREAM_ID,
    "type": TEXT,
    "threshold_value": _NO_TEXT,
    "url": URL,
    "fired_at": _NO_MOMENT,
    "notified_at": _NO_MOMENT,
    "waiting": {"type": "integer", "description": "Notifications that are to be sent yet."},
    "next_attempt_at": _NO_MOMENT,
    "attempts": array(ref("Attempt"), "The newest ones, the oldest of them first."),
}
_WEBHOOK: Final = closed(_WEBHOOK_FIELDS, *_WEBHOOK_FIELDS)
_LOGGED_FIELDS: Final[Schema] = {
    "id": INTEGER,
    "at": MOMENT,
    "kind": words("written", "read", "refused", "from elsewhere", "to no feed"),
    "status": {"type": ["integer", "null"], "description": "Null: the client was gone before an answer."},
    "reason": {"type": ["string", "null"], "description": "Why it was refused, in words."},
    "times": {"type": "integer", "description": "How many like it came from there at about that time."},
    "door": TEXT,
    "peer": TEXT,
    "method": TEXT,
    "target": TEXT,
    "route": TEXT,
    "key": {"type": ["string", "null"], "description": "The label of the key."},
    "headers": {"type": "object", "additionalProperties": TEXT, "description": "Secrets are `***`."},
    "body": {"type": "string", "description": "Its beginning."},
    "body_bytes": INTEGER,
    "seconds": {"type": "number"},
    "request_id": {"type": "string", "description": "The `X-Request-Id` of the answer."},
}
_LOGGED: Final = closed(_LOGGED_FIELDS, *_LOGGED_FIELDS)
_DEBUG: Final = closed(
    {"feed": FEED_ID, "requests": array(ref("LoggedRequest")), "webhooks": array(ref("Webhook"))},
    *("feed", "requests", "webhooks"),
)
_HEALTH: Final = closed(
    {
        "alive": {"const": True},
        "ready": {"type": "boolean", "description": "The service can store what comes."},
        "schema": INTEGER,
        "disk_free": {"type": ["integer", "null"], "description": "Bytes."},
        "last_commit": words("ok", "failed"),
        "reasons": array(TEXT),
    },
    *("alive", "ready", "schema", "disk_free", "last_commit", "reasons"),
)


# Version 1

_OLD_VERSION: Final[Schema] = {"type": "string", "const": "0.6-alpha"}
_OLD_STREAM: Final[Schema] = {
    "id": DATASTREAM_ID,
    "values": array(
        closed({"recorded_at": WHOLE_SECOND, "value": VALUE, "max_value": _LIMIT, "min_value": _LIMIT})
    ),
    "tags": TAGS,
    "unit": ref("Unit"),
}
_OLD_FEED: Final = closed(
    {
        **{name: _FEED_HEAD[name] for name in ("id", "title", "icon", "website", "description", "feed")},
        **{name: _FEED_HEAD[name] for name in ("status", "updated", "email")},
        "version": _OLD_VERSION,
        "datastreams": array(closed(_OLD_STREAM, "id")),
        "location": closed(_PLACE),
    },
    *("id", "title", "feed", "status", "updated", "version"),
)

_EEML: Final = "EEML 0.5.1."
_OLD_EEML: Final = "EEML 5."

ANSWERS: Final[Mapping[str, Shape]] = {
    "Error": Shape(_ERROR, "`errors` with a `title` and an `error` for each text.", "The texts, one a line."),
    "Unit": Shape(_UNIT),
    "Datapoint": Shape(_POINT, "EEML with one `value` in `datapoints`.", "The value alone."),
    "Waypoint": Shape(_WAYPOINT),
    "Location": Shape(_LOCATION),
    "DatastreamOfFeed": Shape({**closed(_STREAM, "id"), **_TOGETHER}),
    "Datastream": Shape(
        {**closed({**_STREAM, "version": VERSION}, "id", "version"), **_TOGETHER},
        "EEML 0.5.1 with one `data`.",
        "Lines of a time and a value: those of the history, or the current ones.",
    ),
    "Feed": Shape(
        closed(_FEED_HEAD, *_ALWAYS),
        _EEML,
        "Lines of a datastream's id, a time and a value: those of the history, or the current ones.",
    ),
    "FeedList": Shape(
        _page(array(ref("Feed"))),
        "EEML 0.5.1 with several `environment`, and how many there are.",
        "Lines of a feed's number, a datastream's id, a time and a value.",
    ),
    "Resource": Shape(_RESOURCE),
    "Permission": Shape(_PERMISSION),
    "KeyFields": Shape(_KEY),
    "Key": Shape(closed({"key": ref("KeyFields")}, "key"), "`key`, with dashes in names."),
    "KeyList": Shape(closed({"keys": array(ref("KeyFields"))}, "keys"), "`keys`, with `key` in it."),
    "Trigger": Shape(_TRIGGER, "`datastream-trigger`, with dashes in names."),
    "TriggerList": Shape(array(ref("Trigger")), "`datastream-triggers`, with `datastream-trigger` in it."),
    "UserFields": Shape(_USER),
    "User": Shape(closed({"user": ref("UserFields")}, "user"), "`user`, with underscores in names."),
    "UserList": Shape(array(ref("User")), "`users`, with `user` in it."),
    "ProductFields": Shape(_PRODUCT),
    "Product": Shape(closed({"product": ref("ProductFields")}, "product")),
    "ProductList": Shape(
        closed(
            {
                "totalResults": INTEGER,
                "itemsPerPage": INTEGER,
                "startIndex": INTEGER,
                "products": array(ref("ProductFields")),
            },
            *("totalResults", "products"),
        )
    ),
    "DeviceFields": Shape(_DEVICE),
    "Device": Shape(closed({"device": ref("DeviceFields")}, "device")),
    "DeviceList": Shape(
        closed(
            {
                "totalResults": INTEGER,
                "itemsPerPage": INTEGER,
                "startIndex": INTEGER,
                "devices": array(ref("DeviceFields")),
            },
            *("totalResults", "itemsPerPage", "startIndex", "devices"),
        )
    ),
    "Activation": Shape(
        closed(
            {"apikey": TEXT, "feed_id": FEED_ID, "datastreams": array(DATASTREAM_ID)},
            *("apikey", "feed_id", "datastreams"),
        ),
        csv="One line: the key, the feed's number, how many datastreams there are, and their ids.",
    ),
    "OldFeed": Shape(_OLD_FEED, _OLD_EEML, "One line: the values of the datastreams, in order."),
    "OldFeedList": Shape(_page(array(ref("OldFeed"))), _OLD_EEML),
    "OldDatastream": Shape(
        closed({**_OLD_STREAM, "version": _OLD_VERSION}, "id", "version"), _OLD_EEML, "The value alone."
    ),
    "Lines": Shape({}, csv="Lines of a time and a value."),
    "FlashPolicy": Shape({}, "What Flash reads before it asks another host."),
    "Description": Shape({"type": "object", "description": "This document."}),
    "Attempt": Shape(_ATTEMPT),
    "Webhook": Shape(_WEBHOOK),
    "LoggedRequest": Shape(_LOGGED),
    "Debug": Shape(_DEBUG),
    "Health": Shape(_HEALTH),
    "Numbers": Shape({}, csv="The numbers, in the text format of Prometheus."),
}
"""The shapes of answers, by name. Those without a JSON Schema of their own are not there in JSON."""
