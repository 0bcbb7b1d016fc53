"""
The vocabulary of the API's XML documents: namespaces, elements, attributes.

Reading goes by local names alone; this list is for `xmlsafe`, which treats documents that contain
other names with more care. Add a name here when a document gets a new element: nothing breaks
without it, but reading takes longer.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ATTRIBUTES", "COUNTS", "EEML", "EEML_5", "ELEMENTS", "NAMESPACES", "OPENSEARCH", "XSI"]

EEML: Final = "http://www.eeml.org/xsd/0.5.1"
EEML_5: Final = "http://www.eeml.org/xsd/005"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
OPENSEARCH: Final = "http://a9.com/-/spec/opensearch/1.1/"

NAMESPACES: Final = (("xmlns", EEML), ("xmlns", EEML_5), ("xmlns:xsi", XSI), ("xmlns:opensearch", OPENSEARCH))
"""Declarations as they are written; a document with others is still read."""

COUNTS: Final = ("totalResults", "startIndex", "itemsPerPage")
"""The numbers at the head of a search's results."""

# Frequent names stand first, because an expression made of these tries them in order.
_OF_STREAMS: Final = (
    "data",
    "tag",
    "current_value",
    "max_value",
    "min_value",
    "unit",
    "value",
    "datapoints",
)
_OF_FEEDS: Final = (
    "waypoint",
    "lat",
    "lon",
    "ele",
    "waypoints",
    "title",
    "feed",
    "auto_feed_url",
    "status",
    "description",
    "icon",
    "website",
    "email",
    "product_id",
    "device_serial",
    "private",
    "location",
    "name",
    "user",
    "login",
    "environment",
    "eeml",
    *(f"opensearch:{name}" for name in COUNTS),
)
_OF_KEYS: Final = (
    "key",
    "keys",
    "api-key",
    "expires-at",
    "label",
    "private-access",
    "permissions",
    "permission",
    "referer",
    "source-ip",
    "minimum-interval",
    "access-methods",
    "access-method",
    "resources",
    "resource",
    "feed-id",
    "datastream-id",
    "datastream-trigger-id",
)
_OF_TRIGGERS: Final = (
    "datastream-trigger",
    "datastream-triggers",
    "id",
    "url",
    "trigger-type",
    "threshold-value",
    "notified-at",
    "environment-id",
    "stream-id",
)
_OF_USERS: Final = (
    "users",
    "password",
    "full_name",
    "first_name",
    "last_name",
    "api_key",
    "roles",
    "role",
    "creatable_roles",
    "about",
    "deliver_email",
    "display_activity",
    "display_information",
    "display_stats",
    "organisation",
    "receive_forum_notifications",
    "subscribed_to_mailings",
    "time_zone",
    "feeds_count",
    "datastreams_count",
    "datastreams_allowed",
    "daily_api_access_count",
    "total_api_access_count",
)

ELEMENTS: Final = (*_OF_STREAMS, *_OF_FEEDS, *_OF_KEYS, *_OF_TRIGGERS, *_OF_USERS, "errors", "error")

ATTRIBUTES: Final = (
    "at",
    "id",
    "type",
    "symbol",
    "domain",
    "exposure",
    "disposition",
    "updated",
    "created",
    "creator",
    "version",
    "xsi:schemaLocation",
    "minValue",
    "maxValue",
    "function",
    "datastream_id",
)
