"""
Dicts of keys, triggers and users to XML text.

Each function returns whole lines, beginning with ``pad`` and ending with a line feed. Of a key, what
is empty is left out unless it is to be kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from txpachube.codecs.records_xml_reader import UTC_TIME, dashed
from txpachube.codecs.xmltext import DECLARATION, line

__all__ = ["listed", "write_key", "write_permission", "write_resource", "write_trigger", "write_user"]

_Fields = Mapping[str, Any]

_WHOLE_SECONDS: Final = re.compile(r"(\d\d:\d\d:\d\d)\.000000(?=\D|\Z)", re.ASCII)


def write_resource(resource: _Fields, pad: str, *, keep_empty: bool = False) -> str:
    """Write what a permission is limited to."""
    names = ("feed_id", "datastream_id", "datastream_trigger_id")
    return _element(pad, "resource", _lines(resource, names, pad, keep_empty))


def write_permission(permission: _Fields, pad: str, *, keep_empty: bool = False) -> str:
    """Write a permission."""
    names = ("referer", "source_ip", "minimum_interval", "label")
    inner = _lines(permission, names, pad, keep_empty)
    methods = permission.get("access_methods")
    if methods or (keep_empty and methods is not None):
        written = "".join(line(pad + "    ", "access-method", method) for method in methods)
        inner += _element(pad + "  ", "access-methods", written)
    resources = permission.get("resources")
    if resources or (keep_empty and resources is not None):
        written = "".join(
            write_resource(resource, pad + "    ", keep_empty=keep_empty) for resource in resources
        )
        inner += _element(pad + "  ", "resources", written)
    return _element(pad, "permission", inner)


def write_key(key: _Fields, pad: str, *, keep_empty: bool = False) -> str:
    """Write a key."""
    match = UTC_TIME.fullmatch(str(key.get("expires_at")))
    if match:
        key = {**key, "expires_at": f"{match[1]} {match[2]} UTC"}
    inner = _lines(key, ("api_key", "expires_at", "label", "private_access"), pad, keep_empty)
    permissions = key.get("permissions")
    if permissions is not None:
        written = "".join(
            write_permission(permission, pad + "    ", keep_empty=keep_empty) for permission in permissions
        )
        inner += _element(pad + "  ", "permissions", written)
    return _element(pad, "key", inner)


# Fields of a trigger in order, with the types that Rails wrote and some clients look at.
_TRIGGER_TYPES: Final = {
    "id": ' type="integer"',
    "url": "",
    "trigger_type": "",
    "threshold_value": ' type="float"',
    "notified_at": ' type="datetime"',
    "user": "",
    "environment_id": ' type="integer"',
    "stream_id": "",
}
_WITHOUT_THRESHOLD: Final = frozenset({"change", "frozen", "live"})


def write_trigger(trigger: _Fields, pad: str) -> str:
    """Write a trigger; ``notified_at`` is written even when it is empty, which says "never"."""
    inner = ""
    for name, kind in _TRIGGER_TYPES.items():
        given = trigger.get(name)
        if given is None or (name == "threshold_value" and trigger.get("trigger_type") in _WITHOUT_THRESHOLD):
            continue
        if name == "notified_at":
            given = _WHOLE_SECONDS.sub(r"\1", str(given))
        inner += line(pad + "  ", dashed(name), given, kind)
    return _element(pad, "datastream-trigger", inner)


_OF_USERS: Final = (
    "login",
    "email",
    "password",
    "full_name",
    "first_name",
    "last_name",
    "api_key",
    "roles",
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
    "website",
    "feeds_count",
    "datastreams_count",
    "datastreams_allowed",
    "daily_api_access_count",
    "total_api_access_count",
)


def write_user(user: _Fields, pad: str) -> str:
    """Write a user with everything that is given: settings show also when they are empty."""
    inner = ""
    for name in _OF_USERS:
        given = user.get(name)
        if given is None:
            continue
        if name in {"roles", "creatable_roles"}:
            roles = "".join(line(pad + "    ", "role", role) for role in given)
            inner += _element(pad + "  ", name, roles)
        else:
            inner += line(pad + "  ", name, given)
    return _element(pad, "user", inner)


def _lines(given: _Fields, names: Sequence[str], pad: str, keep_empty: bool) -> str:
    parts = ((name, given.get(name)) for name in names)
    return "".join(
        line(pad + "  ", dashed(name), part)
        for name, part in parts
        if part is not None and (keep_empty or part != "")
    )


def _element(pad: str, name: str, inner: str) -> str:
    return f"{pad}<{name}>\n{inner}{pad}</{name}>\n" if inner else f"{pad}<{name}/>\n"


def listed(name: str, inner: str) -> bytes:
    """Write a document that is a list."""
    end = f">\n{inner}</{name}>\n" if inner else "/>\n"
    return f'{DECLARATION}<{name} type="array"{end}'.encode()
