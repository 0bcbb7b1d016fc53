"""
XML elements of keys, triggers and users to dicts.

Elements are found by their local names, spelled with dashes or underscores; a ``type`` is not looked
at. Numbers and booleans become such where JSON has them; what is none stays a text, to be refused by
whoever checks values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from lxml import etree

from txpachube.codecs.xmltext import elements, integer_or_text, text_of

__all__ = [
    "UTC_TIME",
    "dashed",
    "key_dict",
    "list_of",
    "permission_dict",
    "resource_dict",
    "trigger_dict",
    "user_dict",
]

_Dict = dict[str, Any]
_Readers = Mapping[str, Callable[[etree._Element], Any]]

UTC_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d) ?(?:UTC|Z)", re.ASCII)
"""A time of whole seconds in UTC, in the form of JSON or in that of a key in XML."""

_NO_FRACTION: Final = re.compile(r"(T\d\d:\d\d:\d\d)(?=[Z+-]|\Z)", re.ASCII)

_YES_AND_NO: Final = {"true": True, "1": True, "false": False, "0": False}


def _boolean(element: etree._Element) -> Any:
    found = text_of(element)
    return _YES_AND_NO.get(found.lower(), found)


def _password(element: etree._Element) -> str:
    """Read a password as it is: a blank at its end is a part of it."""
    return text_of(element) if len(element) else str(element.text or "")


def _integer(element: etree._Element) -> int | str:
    return integer_or_text(text_of(element))


def _expiry(element: etree._Element) -> str:
    found = text_of(element)
    match = UTC_TIME.fullmatch(found)
    return f"{match[1]}T{match[2]}Z" if match else found


def _notification(element: etree._Element) -> str:
    return _NO_FRACTION.sub(r"\1.000000", text_of(element))


def list_of(name: str, read: Callable[[etree._Element], Any]) -> Callable[[etree._Element], list[Any]]:
    """Return a reader of elements that hold elements of one name."""
    return lambda element: [read(child) for kind, child in elements(element) if dashed(kind) == name]


def dashed(name: str) -> str:
    """Return the spelling of a name with dashes."""
    return name.replace("_", "-")


def _read(element: etree._Element, readers: _Readers) -> _Dict:
    record: _Dict = {}
    for name, child in elements(element):
        field = name.replace("-", "_")
        read = readers.get(field)
        if read is not None:
            record[field] = read(child)
    return record


_RESOURCE: Final[_Readers] = {
    "feed_id": _integer,
    "datastream_id": text_of,
    "datastream_trigger_id": _integer,
}


def resource_dict(element: etree._Element) -> _Dict:
    """Read a ``resource`` element."""
    return _read(element, _RESOURCE)


_PERMISSION: Final[_Readers] = {
    "referer": text_of,
    "source_ip": text_of,
    "minimum_interval": _integer,
    "label": text_of,
    "access_methods": list_of("access-method", lambda element: text_of(element).lower()),
    "resources": list_of("resource", resource_dict),
}


def permission_dict(element: etree._Element) -> _Dict:
    """Read a ``permission`` element; its methods come out in lower case."""
    return _read(element, _PERMISSION)


_KEY: Final[_Readers] = {
    "api_key": text_of,
    "expires_at": _expiry,
    "label": text_of,
    "private_access": _boolean,
    "permissions": list_of("permission", permission_dict),
}


def key_dict(element: etree._Element) -> _Dict:
    """Read a ``key`` element."""
    return _read(element, _KEY)


_TRIGGER: Final[_Readers] = {
    "id": _integer,
    "url": text_of,
    "trigger_type": text_of,
    "threshold_value": text_of,
    "notified_at": _notification,
    "user": text_of,
    "environment_id": _integer,
    "stream_id": text_of,
}


def trigger_dict(element: etree._Element) -> _Dict:
    """Read a ``datastream-trigger`` element; its threshold keeps the text that was sent."""
    return _read(element, _TRIGGER)


_USER: Final[_Readers] = {
    "login": text_of,
    "email": text_of,
    "password": _password,
    "full_name": text_of,
    "first_name": text_of,
    "last_name": text_of,
    "api_key": text_of,
    "roles": list_of("role", text_of),
    "creatable_roles": list_of("role", text_of),
    "about": text_of,
    "deliver_email": _boolean,
    "display_activity": _boolean,
    "display_information": _boolean,
    "display_stats": _boolean,
    "organisation": text_of,
    "receive_forum_notifications": _boolean,
    "subscribed_to_mailings": _boolean,
    "time_zone": text_of,
    "website": text_of,
    "feeds_count": _integer,
    "datastreams_count": _integer,
    "datastreams_allowed": _integer,
    "daily_api_access_count": _integer,
    "total_api_access_count": _integer,
}


def user_dict(element: etree._Element) -> _Dict:
    """Read a ``user`` element."""
    return _read(element, _USER)
