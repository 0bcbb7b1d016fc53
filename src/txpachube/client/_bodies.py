"""
The ``data`` of a call, turned into the bytes of its body.

Text and bytes go out as they are, so that hand-written documents and those of old programs work. Structures
are encoded; where the API wants more around a thing than the thing itself, that is put around it here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from txpachube.codecs import csv_v2, eeml, json_v1
from txpachube.errors import InvalidValue
from txpachube.fields import DataFormats
from txpachube.structures import Datapoint, Datastream, Environment, Key, User
from txpachube.structures.base import SECRET, Structure

__all__ = ["Data", "datapoints", "document", "new_datastreams", "secrets_in"]

Data = str | bytes | Structure
"""What a call takes as its data."""

_POINT_CODECS: Final[dict[str, Any]] = {
    DataFormats.JSON: json_v1,
    DataFormats.XML: eeml,
    DataFormats.CSV: csv_v2,
}


def secrets_in(data: object) -> list[str]:
    """Return the texts in a structure that nobody may read in an error: the text of a key, a password."""
    if not isinstance(data, Key | User):
        return []
    fields = [field.name for field in attrs.fields(type(data)) if field.metadata.keys() & SECRET.keys()]
    return [str(value) for value in (getattr(data, name) for name in fields) if value]


def document(data: object, format: str) -> bytes:  # noqa: A002 - the public API's own word
    """
    Return the body for a document that the API takes as it is.

    Raises:
        InvalidValue: not text, bytes or a structure, or one that the format cannot carry.
    """
    if isinstance(data, Structure):
        data = data.encode(format)
    if isinstance(data, str):
        try:
            return data.encode("utf-8")
        except UnicodeEncodeError:
            raise InvalidValue("data", type(data), "text that UTF-8 can carry") from None
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    # The type alone: a value may hold a key or a password.
    raise InvalidValue("data", type(data), "text, bytes or a structure")


def new_datastreams(data: object, format: str) -> bytes:  # noqa: A002 - as above
    """Return the body that creates datastreams: the API wants them inside a feed."""
    if isinstance(data, Datastream):
        data = [data]
    if isinstance(data, Sequence) and not isinstance(data, str | bytes | bytearray):
        data = Environment(datastreams=data)
    return document(data, format)


def datapoints(data: object, format: str) -> bytes:  # noqa: A002 - as above
    """Return the body that adds datapoints: those of a datastream, a list of them, or one."""
    if isinstance(data, Datastream):
        data = data.datapoints or []
    if isinstance(data, Datapoint):
        data = [data]
    if isinstance(data, Sequence) and not isinstance(data, str | bytes | bytearray):
        points = [Datapoint(**point) if isinstance(point, dict) else point for point in data]
        if not all(isinstance(point, Datapoint) for point in points):
            raise InvalidValue("data", type(data), "a list of datapoints")
        encoded: bytes = _POINT_CODECS[format].encode_datapoints([point.toDict() for point in points])
        return encoded
    return document(data, format)
