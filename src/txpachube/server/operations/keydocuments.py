"""Keys: records -> documents, and documents -> what a key shall be, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from ipaddress import ip_network
from typing import Any, Final

import attrs

from txpachube.api.parameters import MAX_ID
from txpachube.api.problems import unprocessable
from txpachube.server.operations.changes import moment
from txpachube.server.operations.metadata import read_boolean, stream_id_fault, text_fault
from txpachube.server.storage.records import Key, Permission, Resource
from txpachube.times import format_seconds

__all__ = ["ACCESS_METHODS", "Wish", "feed_number", "key_document", "read_key"]

Document = dict[str, Any]

ACCESS_METHODS: Final = ("get", "put", "post", "delete")

MAX_PERMISSIONS: Final = 50
"""Permissions of a key; every request with the key may have to look at each."""

MAX_RESOURCES: Final = 200
"""Resources of a permission, for the same reason."""

MAX_INTERVAL: Final = 1 << 31
"""Seconds of a ``minimum_interval``; a lifetime."""

_NO_METHODS: Final = "Permissions access_methods can't be blank"
_BAD_METHOD: Final = f"Permissions access_methods must be among {', '.join(ACCESS_METHODS)}"
_EMPTY_RESOURCE: Final = (
    "Resources must supply at least one of feed_id (with optional datastream_id) or datastream_trigger_id"
)
_NO_FEED: Final = "Feed can't be blank if we have supplied a datastream_id"


@attrs.frozen
class Wish:
    """
    What a key shall be.

    Attributes:
        expires_at: microseconds since 1970, or None.
    """

    label: str
    private_access: bool
    permissions: tuple[Permission, ...]
    expires_at: int | None

    def feed_ids(self) -> set[int]:
        """Return the feeds its permissions are limited to."""
        return {
            resource.feed_id
            for permission in self.permissions
            for resource in permission.resources
            if resource.feed_id is not None
        }


def key_document(key: Key, zone: tzinfo | None = None) -> Document:
    """Return a key as a document."""
    document: Document = {"api_key": key.text}
    if key.expires_at is not None:
        document["expires_at"] = format_seconds(key.expires_at, zone)
    document["label"] = key.label
    document["private_access"] = key.private_access
    document["permissions"] = [_permission_document(permission) for permission in key.permissions]
    return document


def _permission_document(permission: Permission) -> Document:
    document = {
        "access_methods": list(permission.access_methods),
        "referer": permission.referer,
        "source_ip": permission.source_ip,
        "minimum_interval": permission.minimum_interval,
        "label": permission.label,
        "resources": [_resource_document(resource) for resource in permission.resources],
    }
    return {name: part for name, part in document.items() if part not in (None, "", [])}


def _resource_document(resource: Resource) -> Document:
    return {name: part for name, part in attrs.asdict(resource).items() if part is not None}


def feed_number(value: object) -> int | None:
    """Return the number a feed's id stands for, None when it can't be one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = value.strip()
        if not (value.isascii() and value.isdigit() and len(value) < 20):
            return None
        value = int(value)
    return value if isinstance(value, int) and 0 < value <= MAX_ID else None


def read_key(document: Mapping[str, Any], old: Key | None, zone: tzinfo | None = None) -> Wish:
    """
    Return what the body of a request wants a key to be.

    Args:
        document: the decoded key.
        old: the key that is to be changed, whose parts stay where the document is silent; None for a new one.
        zone: where times without an offset belong.

    Raises:
        Problem: 422 with everything that is wrong.
    """
    faults: list[str] = []
    wish = Wish(
        label=_label(document, old, faults),
        private_access=_private_access(document, old, faults),
        permissions=_permissions(document, old, faults),
        expires_at=_expires_at(document, old, zone, faults),
    )
    if faults:
        raise unprocessable(*dict.fromkeys(faults))
    return wish


def _label(document: Mapping[str, Any], old: Key | None, faults: list[str]) -> str:
    if "label" not in document and old is not None:
        return old.label
    label = document.get("label")
    if label is None or (isinstance(label, str) and not label.strip()):
        faults.append("Label can't be blank")
        return ""
    return _text("Label", label, faults) or ""


def _private_access(document: Mapping[str, Any], old: Key | None, faults: list[str]) -> bool:
    given = document.get("private_access")
    if given in (None, ""):
        return False if old is None else old.private_access
    private = read_boolean(given)
    if private is None:
        faults.append("Private access must be true or false")
    return bool(private)


def _expires_at(
    document: Mapping[str, Any], old: Key | None, zone: tzinfo | None, faults: list[str]
) -> int | None:
    if "expires_at" not in document:
        return None if old is None else old.expires_at
    given = document["expires_at"]
    if given in (None, ""):
        return None
    if isinstance(given, str):  # one form that the service itself writes
        given = given.strip().removesuffix(" UTC")
    try:
        return moment(given, zone)
    except ValueError:
        faults.append("Expires at is invalid")
        return None


def _permissions(document: Mapping[str, Any], old: Key | None, faults: list[str]) -> tuple[Permission, ...]:
    if "permissions" not in document and old is not None:
        return old.permissions
    given: Sequence[Mapping[str, Any]] = document.get("permissions") or ()
    if not given:
        faults.append("Permissions can't be blank")
    if len(given) > MAX_PERMISSIONS:
        faults.append(f"Permissions is too long (maximum is {MAX_PERMISSIONS})")
        return ()
    return tuple(_permission(permission, faults) for permission in given)


def _permission(given: Mapping[str, Any], faults: list[str]) -> Permission:
    source_ip = _text("Permissions source_ip", given.get("source_ip"), faults)
    network = None
    if source_ip is not None:
        try:
            network = ip_network(source_ip.strip(), strict=False)
        except ValueError:
            faults.append("Permissions source_ip is invalid")
    return Permission(
        access_methods=_methods(given.get("access_methods"), faults),
        source_ip=source_ip and source_ip.strip(),
        source_network=network,
        referer=_text("Permissions referer", given.get("referer"), faults),
        minimum_interval=_interval(given.get("minimum_interval"), faults),
        label=_text("Permissions label", given.get("label"), faults),
        resources=_resources(given.get("resources") or (), faults),
    )


def _methods(given: Sequence[str] | None, faults: list[str]) -> tuple[str, ...]:
    methods = tuple(dict.fromkeys(method.strip().lower() for method in given or ()))
    if not methods:
        faults.append(_NO_METHODS)
    elif not set(methods) <= set(ACCESS_METHODS):
        faults.append(_BAD_METHOD)
    return methods


def _interval(given: object, faults: list[str]) -> int | None:
    if given in (None, ""):
        return None
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < 20:
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given < MAX_INTERVAL:
        faults.append("Permissions minimum_interval must be a number of seconds")
        return None
    return given or None


def _resources(given: Sequence[Mapping[str, Any]], faults: list[str]) -> tuple[Resource, ...]:
    if len(given) > MAX_RESOURCES:
        faults.append(f"Resources is too long (maximum is {MAX_RESOURCES})")
        return ()
    return tuple(_resource(resource, faults) for resource in given)


def _resource(given: Mapping[str, Any], faults: list[str]) -> Resource:
    feed, stream, trigger = (
        None if given.get(name) in (None, "") else given[name]
        for name in ("feed_id", "datastream_id", "datastream_trigger_id")
    )
    if feed is None and stream is not None:
        faults.append(_NO_FEED)
    elif feed is None and trigger is None:
        faults.append(_EMPTY_RESOURCE)
    feed_id = None if feed is None else feed_number(feed)
    if feed is not None and feed_id is None:
        faults.append("Feed must exist")
    trigger_id = None if trigger is None else feed_number(trigger)
    if trigger is not None and trigger_id is None:
        faults.append("Datastream trigger must exist")
    fault = None if stream is None else stream_id_fault(stream)
    if fault is not None:
        faults.append(fault)
    return Resource(feed_id, stream, trigger_id)


def _text(name: str, value: object, faults: list[str]) -> str | None:
    if value in (None, ""):
        return None
    fault = text_fault(name, value)
    if fault is not None:
        faults.append(fault)
        return None
    return str(value)
