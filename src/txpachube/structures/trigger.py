"""A trigger, which calls a URL when a datastream fulfils a condition, and a list of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import attrs

from txpachube.structures import convert
from txpachube.structures.base import Structure, converted, tolerant

__all__ = ["Trigger", "TriggerList"]


@tolerant
@attrs.define(kw_only=True, repr=False, on_setattr=converted)
class Trigger(Structure):
    """
    A call to a URL when a datastream fulfils a condition.

    Attributes:
        id: a number, given by the service.
        url: what is called, http or https.
        trigger_type: ``gt gte lt lte eq change frozen live``.
        user: the login of its owner.
        environment_id: the id of the feed, a number.
        stream_id: the id of the datastream, a text.
        threshold_value: what the value is compared with, as the text it was.
        notified_at: when it last fired, as text; empty when it never did.
    """

    _wrappers: ClassVar[tuple[str, ...]] = ("trigger", "datastream-trigger", "datastream_trigger")

    id: int | None = attrs.field(default=None, converter=convert.whole)
    url: str | None = attrs.field(default=None, converter=convert.text)
    trigger_type: str | None = attrs.field(default=None, converter=convert.text)
    user: str | None = attrs.field(default=None, converter=convert.text)
    environment_id: int | None = attrs.field(default=None, converter=convert.whole)
    stream_id: str | None = attrs.field(default=None, converter=convert.text)
    threshold_value: str | None = attrs.field(default=None, converter=convert.text)
    notified_at: str | None = attrs.field(default=None, converter=convert.moment)


def _triggers(value: Iterable[Trigger | Mapping[str, Any]] | None) -> list[Trigger]:
    return convert.parts(Trigger, value) or []


@tolerant
@attrs.define(kw_only=True, repr=False, on_setattr=converted)
class TriggerList(Structure):
    """
    A list of triggers.

    The JSON document is a bare array. As a keyword the list may be called ``triggers``,
    ``datastream-trigger`` or ``datastream-triggers``, as XML documents do; `fromDict` also takes the array.

    Attributes:
        triggers: a list of `Trigger`; empty when none were given, since the document is that list.
    """

    _aliases: ClassVar[Mapping[str, str]] = {
        "datastream-trigger": "triggers",
        "datastream-triggers": "triggers",
        "datastream_triggers": "triggers",
    }

    triggers: list[Trigger] = attrs.field(default=(), converter=_triggers)

    @classmethod
    def _fields_of(cls, source: Any) -> Mapping[str, Any]:
        return {"triggers": source} if isinstance(source, list | tuple) else super()._fields_of(source)

    def _root(self) -> Any:
        return self.toDict()["triggers"]
