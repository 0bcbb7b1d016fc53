"""API keys: what they permit, on what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import attrs

from txpachube.structures import convert
from txpachube.structures.base import SECRET, Structure, converted, tolerant

__all__ = ["Key", "KeyList", "Permission", "Resource"]


@tolerant
@attrs.define(kw_only=True, repr=False, on_setattr=converted)
class Resource(Structure):
    """
    What a permission is limited to.

    Attributes:
        feed_id: a feed with everything in it.
        datastream_id: with `feed_id`, one datastream of it.
        datastream_trigger_id: one trigger.

    .. versionadded:: 1.0
    """

    feed_id: int | None = attrs.field(default=None, converter=convert.whole)
    datastream_id: str | None = attrs.field(default=None, converter=convert.text)
    datastream_trigger_id: int | None = attrs.field(default=None, converter=convert.whole)


def _resources(value: Iterable[Resource | Mapping[str, Any]] | None) -> list[Resource] | None:
    return convert.parts(Resource, value)


@tolerant
@attrs.define(kw_only=True, repr=False, on_setattr=converted)
class Permission(Structure):
    """
    One thing a key permits. A request is allowed when one permission of its key allows it.

    Attributes:
        referer: the host that a browser's ``Referer`` must name.
        source_ip: the address that requests must come from.
        minimum_interval: the finest interval of history that may be read, in seconds.
        label: text.
        access_methods: a list of ``get put post delete``; upper case becomes lower case.
        resources: a list of `Resource` or dicts of their fields; without it everything is permitted.
    """

    referer: str | None = attrs.field(default=None, converter=convert.text)
    source_ip: str | None = attrs.field(default=None, converter=convert.text)
    minimum_interval: int | None = attrs.field(default=None, converter=convert.whole)
    label: str | None = attrs.field(default=None, converter=convert.text)
    access_methods: list[str] | None = attrs.field(default=None, converter=convert.lower_texts)
    resources: list[Resource] | None = attrs.field(default=None, converter=_resources)


def _permissions(value: Iterable[Permission | Mapping[str, Any]] | None) -> list[Permission] | None:
    return convert.parts(Permission, value)


@tolerant
@attrs.define(kw_only=True, repr=False, on_setattr=converted)
class Key(Structure):
    """
    An API key.

    ``repr(key)`` hides the key's text. ``str(key)`` is the document, which has it: never log that.

    Read from documents and keywords with and without the root ``key``; written with it.

    Attributes:
        api_key: the text of the key, given by the service.
        expires_at: when it stops working, as text; a ``datetime`` is converted.
        label: what people call it.
        private_access: whether it may see private feeds.
        permissions: a list of `Permission` or dicts of their fields.
    """

    _wrappers: ClassVar[tuple[str, ...]] = ("key",)

    api_key: str | None = attrs.field(default=None, converter=convert.text, metadata=SECRET)
    expires_at: str | None = attrs.field(default=None, converter=convert.moment)
    label: str | None = attrs.field(default=None, converter=convert.text)
    private_access: bool | None = attrs.field(default=None, converter=convert.flag)
    permissions: list[Permission] | None = attrs.field(default=None, converter=_permissions)

    def _root(self) -> Any:
        return {"key": self.toDict()}


def _keys(value: Iterable[Key | Mapping[str, Any]] | None) -> list[Key]:
    return convert.parts(Key, value) or []


@tolerant
@attrs.define(kw_only=True, repr=False, on_setattr=converted)
class KeyList(Structure):
    """
    The keys of an account.

    Attributes:
        keys: a list of `Key`; empty when none were given, since the document always has it.
    """

    keys: list[Key] = attrs.field(default=(), converter=_keys)

    @classmethod
    def _fields_of(cls, source: Any) -> Mapping[str, Any]:
        return {"keys": source} if isinstance(source, list | tuple) else super()._fields_of(source)
