"""
Keys, triggers and users in XML.

========  =========================  ===========================================
a key     ``key``                    list: ``<keys type="array">``
trigger   ``datastream-trigger``     list: ``<datastream-triggers type="array">``
a user    ``user``                   list: ``<users type="array">``
========  =========================  ===========================================

Names are written with dashes (``api-key``), a user's with underscores; either is read, and types are
not looked at. Bytes become dicts in the JSON spelling with ``decode_*``, dicts become bytes with
``encode_*``. For elements there are pairs of functions, lxml element to dict and back: ``key_dict`` and
``key_element``, and likewise ``permission_…``, ``resource_…``, ``trigger_…`` and ``user_…``.

Two times look different here than in JSON: a key expires at ``2013-03-27 01:23:45 UTC``, and a trigger's
last notification has no fraction. They are turned into the JSON form and back.

A key's text and a user's password pass through here; errors name only elements, never what is in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lxml import etree

from txpachube.codecs.records_xml_reader import (
    dashed,
    key_dict,
    list_of,
    permission_dict,
    resource_dict,
    trigger_dict,
    user_dict,
)
from txpachube.codecs.records_xml_writer import (
    listed,
    write_key,
    write_permission,
    write_resource,
    write_trigger,
    write_user,
)
from txpachube.codecs.xmlsafe import parse
from txpachube.codecs.xmltext import DECLARATION, element_of, local_name
from txpachube.errors import DecodeError

__all__ = [
    "decode_key",
    "decode_keys",
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
    "key_dict",
    "key_element",
    "permission_dict",
    "permission_element",
    "resource_dict",
    "resource_element",
    "trigger_dict",
    "trigger_element",
    "user_dict",
    "user_element",
]

_Fields = Mapping[str, Any]
_Dict = dict[str, Any]


# Documents


def _document(body: bytes, name: str) -> etree._Element:
    try:
        root = parse(body)
    except DecodeError as problem:
        if not problem.where:
            raise
        # The parser quotes the document, and what stands there may be a password with a "&" or "<" in it.
        raise DecodeError("xml", "The document is not well-formed", problem.where) from None
    if dashed(local_name(root)) != name:
        raise DecodeError("xml", f"Missing '{name}' node at the root of the document")
    return root


def decode_key(body: bytes) -> _Dict:
    """
    Read a key.

    Raises:
        DecodeError: it is not XML, or not a key.
    """
    return key_dict(_document(body, "key"))


def decode_keys(body: bytes) -> list[_Dict]:
    """
    Read a list of keys.

    Raises:
        DecodeError: it is not XML, or not such a list.
    """
    return list_of("key", key_dict)(_document(body, "keys"))


def encode_key(key: _Fields, *, keep_empty: bool = False) -> bytes:
    """
    Write a key.

    Args:
        key: what there is.
        keep_empty: keep empty texts and lists, for a request in which they clear something.
    """
    return (DECLARATION + write_key(key, "", keep_empty=keep_empty)).encode()


def encode_keys(keys: Sequence[_Fields], *, keep_empty: bool = False) -> bytes:
    """Write a list of keys; see `encode_key`."""
    return listed("keys", "".join(write_key(key, "  ", keep_empty=keep_empty) for key in keys))


def decode_trigger(body: bytes) -> _Dict:
    """
    Read a trigger.

    Raises:
        DecodeError: it is not XML, or not a trigger.
    """
    return trigger_dict(_document(body, "datastream-trigger"))


def decode_triggers(body: bytes) -> list[_Dict]:
    """
    Read a list of triggers.

    Raises:
        DecodeError: it is not XML, or not such a list.
    """
    return list_of("datastream-trigger", trigger_dict)(_document(body, "datastream-triggers"))


def encode_trigger(trigger: _Fields) -> bytes:
    """Write a trigger; ``notified_at`` is written even when it is empty, which says "never"."""
    return (DECLARATION + write_trigger(trigger, "")).encode()


def encode_triggers(triggers: Sequence[_Fields]) -> bytes:
    """Write a list of triggers."""
    return listed("datastream-triggers", "".join(write_trigger(trigger, "  ") for trigger in triggers))


def decode_user(body: bytes) -> _Dict:
    """
    Read a user.

    Raises:
        DecodeError: it is not XML, or not a user.
    """
    return user_dict(_document(body, "user"))


def decode_users(body: bytes) -> list[_Dict]:
    """
    Read a list of users.

    Raises:
        DecodeError: it is not XML, or not such a list.
    """
    return list_of("user", user_dict)(_document(body, "users"))


def encode_user(user: _Fields) -> bytes:
    """Write a user with everything that is given: settings show also when they are empty."""
    return (DECLARATION + write_user(user, "")).encode()


def encode_users(users: Sequence[_Fields]) -> bytes:
    """Write a list of users."""
    return listed("users", "".join(write_user(user, "  ") for user in users))


# Elements


def key_element(key: _Fields) -> etree._Element:
    """Make a ``key`` element."""
    return element_of(write_key(key, "", keep_empty=True))


def permission_element(permission: _Fields) -> etree._Element:
    """Make a ``permission`` element."""
    return element_of(write_permission(permission, "", keep_empty=True))


def resource_element(resource: _Fields) -> etree._Element:
    """Make a ``resource`` element."""
    return element_of(write_resource(resource, "", keep_empty=True))


def trigger_element(trigger: _Fields) -> etree._Element:
    """Make a ``datastream-trigger`` element."""
    return element_of(write_trigger(trigger, ""))


def user_element(user: _Fields) -> etree._Element:
    """Make a ``user`` element."""
    return element_of(write_user(user, ""))
