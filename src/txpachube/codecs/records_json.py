"""
Keys, triggers and users in JSON.

Each is an object in a shape of its own time:

========  ==========================  ==========================================
a key     ``{"key": {…}}``            list: ``{"keys": [{…}, …]}``, not wrapped inside
trigger   ``{…}``                     list: ``[{…}, …]``
a user    ``{"user": {…}}``           list: ``[{"user": {…}}, …]``
========  ==========================  ==========================================

That is what is written. What is read may have the wrapping or not, in all places.

A key's text and a user's password pass through here; errors name only places, never what was there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from txpachube.codecs.jsontext import (
    Reader,
    Readers,
    checked,
    encode,
    integer_or_text,
    kind_of,
    members,
    optional,
    read,
    read_elements,
    read_members,
    text,
    text_or_none,
    value,
)
from txpachube.codecs.values import plain_text

__all__ = [
    "decode_key",
    "decode_keys",
    "decode_permission",
    "decode_resource",
    "decode_trigger",
    "decode_triggers",
    "decode_user",
    "decode_users",
    "encode_key",
    "encode_keys",
    "encode_trigger",
    "encode_triggers",
    "encode_user",
    "encode_users",
]

_YES_AND_NO: Final = {"true": True, "1": True, "false": False, "0": False}


def _boolean(raw: bytes) -> Any:
    """Read a boolean, also as a word; what is neither is left for whoever checks values."""
    found = text(raw)
    return _YES_AND_NO.get(found.lower(), found)


def _texts(raw: bytes) -> list[str]:
    return [] if raw == b"null" else read_elements(raw, text)


def _methods(raw: bytes) -> list[str]:
    return [method.lower() for method in _texts(raw)]


def _objects(readers: Readers) -> Reader:
    def read_one(raw: bytes) -> dict[str, Any]:
        return read_members(members(raw), readers)

    return lambda raw: [] if raw == b"null" else read_elements(raw, read_one)


def _unwrapped(raw: bytes, roots: Sequence[str], readers: Readers) -> dict[str, Any]:
    given = members(raw)
    for root in roots:
        if root in given and kind_of(given[root]) == "an object":
            wrapped: dict[str, Any] = read_members(
                given, {root: lambda inner: read_members(members(inner), readers)}
            )[root]
            return wrapped
    return read_members(given, readers)


def _listed(raw: bytes, root: str, roots: Sequence[str], readers: Readers) -> list[dict[str, Any]]:
    def read_list(inner: bytes) -> list[dict[str, Any]]:
        return read_elements(inner, lambda element: _unwrapped(element, roots, readers))

    if kind_of(raw) == "an object":
        given = members(raw)
        if root in given:
            found: list[dict[str, Any]] = read_members(given, {root: read_list})[root]
            return found
    return read_list(raw)


def _without_empty(record: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {
        name: record[name] for name in names if record.get(name) is not None and record[name] not in ("", [])
    }


# Keys

_RESOURCE: Final[Readers] = {
    "feed_id": optional(integer_or_text),
    "datastream_id": value,
    "datastream_trigger_id": optional(integer_or_text),
}
_PERMISSION: Final[Readers] = {
    "access_methods": _methods,
    "referer": value,
    "source_ip": value,
    "minimum_interval": optional(integer_or_text),
    "label": value,
    "resources": _objects(_RESOURCE),
}
_KEY: Final[Readers] = {
    "api_key": value,
    "expires_at": text_or_none,
    "label": text_or_none,
    "private_access": optional(_boolean),
    "permissions": _objects(_PERMISSION),
}


def decode_key(body: bytes) -> dict[str, Any]:
    """
    Read a key, wrapped or not. Access methods come out in lower case.

    Raises:
        DecodeError: it is not JSON, or something in it is not of its type.
    """
    return read(checked(body), lambda raw: _unwrapped(raw, ("key",), _KEY))


def decode_keys(body: bytes) -> list[dict[str, Any]]:
    """
    Read a list of keys.

    Raises:
        DecodeError: as for `decode_key`.
    """
    return read(checked(body), lambda raw: _listed(raw, "keys", ("key",), _KEY))


def decode_permission(body: bytes) -> dict[str, Any]:
    """
    Read one permission of a key.

    Raises:
        DecodeError: as for `decode_key`.
    """
    return read(checked(body), lambda raw: read_members(members(raw), _PERMISSION))


def decode_resource(body: bytes) -> dict[str, Any]:
    """
    Read one resource of a permission.

    Raises:
        DecodeError: as for `decode_key`.
    """
    return read(checked(body), lambda raw: read_members(members(raw), _RESOURCE))


def encode_key(key: Mapping[str, Any]) -> bytes:
    """Write a key; empty optional parts are left out."""
    return encode({"key": _written_key(key)})


def encode_keys(keys: Sequence[Mapping[str, Any]]) -> bytes:
    """Write a list of keys."""
    return encode({"keys": [_written_key(key) for key in keys]})


def _written_key(key: Mapping[str, Any]) -> dict[str, Any]:
    written = _without_empty(key, ("api_key", "expires_at", "label"))
    if key.get("private_access") is not None:
        written["private_access"] = key["private_access"]
    if key.get("permissions") is not None:
        written["permissions"] = [_written_permission(permission) for permission in key["permissions"]]
    return written


def _written_permission(permission: Mapping[str, Any]) -> dict[str, Any]:
    written = _without_empty(
        permission, ("access_methods", "referer", "source_ip", "minimum_interval", "label")
    )
    if permission.get("resources"):
        written["resources"] = [
            _without_empty(resource, ("feed_id", "datastream_id", "datastream_trigger_id"))
            for resource in permission["resources"]
        ]
    return written


# Triggers

_TRIGGER: Final[Readers] = {
    "id": optional(integer_or_text),
    "url": text_or_none,
    "trigger_type": text_or_none,
    "user": value,
    "environment_id": integer_or_text,
    "stream_id": text_or_none,
    "threshold_value": value,
    "notified_at": value,
}
_TRIGGER_ROOTS: Final = ("trigger", "datastream_trigger", "datastream-trigger")
_WITHOUT_THRESHOLD: Final = frozenset({"change", "frozen", "live"})


def decode_trigger(body: bytes) -> dict[str, Any]:
    """
    Read a trigger, wrapped or not; its threshold keeps the text that was sent.

    Raises:
        DecodeError: it is not JSON, or something in it is not of its type.
    """
    return read(checked(body), lambda raw: _unwrapped(raw, _TRIGGER_ROOTS, _TRIGGER))


def decode_triggers(body: bytes) -> list[dict[str, Any]]:
    """
    Read a list of triggers.

    Raises:
        DecodeError: as for `decode_trigger`.
    """
    return read(checked(body), lambda raw: _listed(raw, "datastream-triggers", _TRIGGER_ROOTS, _TRIGGER))


def encode_trigger(trigger: Mapping[str, Any]) -> bytes:
    """Write a trigger; ``notified_at`` is written even when it is empty, which says "never"."""
    return encode(_written_trigger(trigger))


def encode_triggers(triggers: Sequence[Mapping[str, Any]]) -> bytes:
    """Write a list of triggers."""
    return encode([_written_trigger(trigger) for trigger in triggers])


def _written_trigger(trigger: Mapping[str, Any]) -> dict[str, Any]:
    written = {name: trigger[name] for name in _TRIGGER if trigger.get(name) is not None}
    if "threshold_value" in written:
        if written.get("trigger_type") in _WITHOUT_THRESHOLD:
            del written["threshold_value"]
        else:
            written["threshold_value"] = plain_text(written["threshold_value"])
    return written


# Users

_USER: Final[Readers] = {
    "login": text_or_none,
    "email": text_or_none,
    "password": value,
    "full_name": text_or_none,
    "first_name": text_or_none,
    "last_name": text_or_none,
    "api_key": value,
    "roles": _texts,
    "creatable_roles": _texts,
    "about": text_or_none,
    "deliver_email": optional(_boolean),
    "display_activity": optional(_boolean),
    "display_information": optional(_boolean),
    "display_stats": optional(_boolean),
    "organisation": text_or_none,
    "receive_forum_notifications": optional(_boolean),
    "subscribed_to_mailings": optional(_boolean),
    "time_zone": text_or_none,
    "website": text_or_none,
    "feeds_count": optional(integer_or_text),
    "datastreams_count": optional(integer_or_text),
    "datastreams_allowed": optional(integer_or_text),
    "daily_api_access_count": optional(integer_or_text),
    "total_api_access_count": optional(integer_or_text),
}


def decode_user(body: bytes) -> dict[str, Any]:
    """
    Read a user, wrapped or not.

    Raises:
        DecodeError: it is not JSON, or something in it is not of its type.
    """
    return read(checked(body), lambda raw: _unwrapped(raw, ("user",), _USER))


def decode_users(body: bytes) -> list[dict[str, Any]]:
    """
    Read a list of users.

    Raises:
        DecodeError: as for `decode_user`.
    """
    return read(checked(body), lambda raw: _listed(raw, "users", ("user",), _USER))


def encode_user(user: Mapping[str, Any]) -> bytes:
    """Write a user with everything that is given: settings show also when they are empty."""
    return encode({"user": _written_user(user)})


def encode_users(users: Sequence[Mapping[str, Any]]) -> bytes:
    """Write a list of users."""
    return encode([{"user": _written_user(user)} for user in users])


def _written_user(user: Mapping[str, Any]) -> dict[str, Any]:
    return {name: user[name] for name in _USER if user.get(name) is not None}
