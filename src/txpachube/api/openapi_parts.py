"""
What JSON Schemas of the API are put together from.

A `Shape` is a kind of document: its JSON Schema, and in words what it is in the other formats, for which
there is no schema that a tool would read. Shapes refer to each other by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from txpachube.api.parameters import PATH

__all__ = [
    "DATASTREAM_ID",
    "FEED_ID",
    "INTEGER",
    "LATITUDE",
    "LONGITUDE",
    "MOMENT",
    "TAGS",
    "TEXT",
    "URL",
    "VALUE",
    "VERSION",
    "WHOLE_SECOND",
    "YES_OR_NO",
    "Schema",
    "Shape",
    "array",
    "closed",
    "ref",
    "words",
]

Schema = dict[str, Any]
"""A JSON Schema, or any other part of the document."""


@attrs.frozen
class Shape:
    """
    A kind of document.

    Attributes:
        json: its JSON Schema.
        xml: what it is in XML; empty where there is no XML of it.
        csv: what it is in CSV; empty where there is no CSV of it.
    """

    json: Mapping[str, Any] = attrs.field(hash=False)
    xml: str = ""
    csv: str = ""


def ref(name: str) -> Schema:
    """Return the reference to a shape's JSON Schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Mapping[str, Any], description: str = "") -> Schema:
    """Return the schema of a list."""
    schema: Schema = {"type": "array", "items": items}
    return {**schema, "description": description} if description else schema


def words(*allowed: str) -> Schema:
    """Return the schema of a text that is one of a few words."""
    return {"type": "string", "enum": list(allowed)}


def closed(properties: Mapping[str, Any], *required: str, description: str = "") -> Schema:
    """Return the schema of an object in an answer: nothing else is in it, and some of it always."""
    schema: Schema = {"type": "object", "additionalProperties": False, "properties": dict(properties)}
    if required:
        schema["required"] = list(required)
    return {**schema, "description": description} if description else schema


TEXT: Final[Schema] = {"type": "string"}
INTEGER: Final[Schema] = {"type": "integer"}
URL: Final[Schema] = {"type": "string", "format": "uri"}
YES_OR_NO: Final = words("true", "false")
TAGS: Final = array(TEXT, "In order, without regard to capitals.")
VERSION: Final[Schema] = {"type": "string", "const": "1.0.0"}
FEED_ID: Final = PATH["feed_id"].schema
DATASTREAM_ID: Final = PATH["datastream_id"].schema

VALUE: Final[Schema] = {
    "type": "string",
    "maxLength": 255,
    "description": "A value is the text that was sent, whether it is a number or not.",
}
LATITUDE: Final[Schema] = {"type": "number", "minimum": -90, "maximum": 90}
LONGITUDE: Final[Schema] = {"type": "number", "minimum": -180, "maximum": 180}

_DATE_AND_TIME: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
_ZONE: Final = r"(Z|[+-][0-9]{2}:[0-9]{2})$"

MOMENT: Final[Schema] = {
    "type": "string",
    "pattern": rf"{_DATE_AND_TIME}\.[0-9]{{6}}{_ZONE}",
    "examples": ["2013-06-01T10:15:02.001200Z"],
}
"""A time in an answer."""

WHOLE_SECOND: Final[Schema] = {
    "type": "string",
    "pattern": _DATE_AND_TIME + _ZONE,
    "examples": ["2013-06-01T10:15:02Z"],
}
"""A time in those answers that have no fraction."""
