"""
The documents and elements of each structure: which codec writes and reads them.

JSON is written here, exactly as the structure says, and not by the codec that writes the service's
answers: those leave out what is empty, while in a request an empty field means "clear this".

XML is written by the codecs, told to keep what is empty. CSV has a module of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from lxml import etree

from txpachube.codecs import eeml, eeml_5, json_v1, records_json, records_xml
from txpachube.codecs.xmlsafe import parse
from txpachube.codecs.xmltext import local_name
from txpachube.errors import DecodeError, InvalidValue
from txpachube.fields import DataFormats
from txpachube.structures import values_csv

__all__ = ["Document", "ElementForm", "Forms", "forms_of"]


class Document(NamedTuple):
    """How a structure becomes a document of one format, and such a document the fields of a structure."""

    write: Callable[[Any], bytes]
    read: Callable[[bytes], Any]


class ElementForm(NamedTuple):
    """How a structure becomes an XML element, and such an element the fields of a structure."""

    write: Callable[[Any], etree._Element]
    read: Callable[[etree._Element], Any]


class Forms(NamedTuple):
    """The documents of a structure by their formats, and its element."""

    documents: Mapping[str, Document]
    element: ElementForm


# JSON


def _json(read: Callable[[bytes], Any]) -> Document:
    return Document(lambda structure: msgspec.json.encode(structure._root()), read)


def _single_datastream(body: bytes) -> dict[str, Any]:
    document = json_v1.decode_datastream(body)
    if "datastreams" not in document:
        return document
    streams: list[dict[str, Any]] = document["datastreams"]
    if len(streams) != 1:
        raise DecodeError("json", f"expected one datastream, got {len(streams)}", "$.datastreams")
    return streams[0]


# XML

# The codecs replace these, because an answer must go out; in what a program sends nothing is changed quietly.
_NOT_IN_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def _xml(write: Callable[[Any], bytes], read: Callable[[bytes], Any]) -> Document:
    return Document(lambda structure: write(_for_xml(structure.toDict())), read)


def _xml_part(name: str, element: ElementForm) -> Document:
    """Return the XML form of a part that is no document of the API: its element alone."""

    def read_alone(body: bytes) -> Any:
        return element.read(_element_called(name, parse(body)))

    return _xml(
        lambda fields: etree.tostring(element.write(fields), encoding="utf-8", pretty_print=True), read_alone
    )


def _for_xml(fields: Any) -> Any:
    if any(map(_NOT_IN_XML.search, _all_texts(fields))):
        raise InvalidValue("text", str, "free of control characters, which XML cannot carry")
    return fields


def _all_texts(plain: Any) -> Iterator[str]:
    if isinstance(plain, str):
        yield plain
    elif isinstance(plain, dict):
        for value in plain.values():
            yield from _all_texts(value)
    elif isinstance(plain, list):
        for value in plain:
            yield from _all_texts(value)


def _element_called(name: str, element: etree._Element) -> etree._Element:
    """Return the element itself, or the first one inside it, that has a name."""
    if local_name(element) == name:
        return element
    for found in element.iter(f"{{*}}{name}"):
        return found
    raise DecodeError("xml", f"Missing '{name}' node")


def _element(
    name: str, write: Callable[[Any], etree._Element], read: Callable[[etree._Element], Any]
) -> ElementForm:
    return ElementForm(
        lambda fields: write(_for_xml(fields)), lambda element: read(_element_called(name, element))
    )


def _by_version(
    read: Callable[[etree._Element], Any], read_version_5: Callable[[etree._Element], Any]
) -> Callable[[etree._Element], Any]:
    """Choose the reader by the mark at the root of the document that an element belongs to."""
    return lambda element: (
        read_version_5(element) if eeml_5.is_version_5(element.getroottree().getroot()) else read(element)
    )


_UNIT: Final = _element("unit", eeml.unit_element, eeml.unit_dict)
_LOCATION: Final = _element("location", eeml.location_element, eeml.location_dict)
_WAYPOINT: Final = _element("waypoint", eeml.waypoint_element, eeml.waypoint_dict)
_VALUE: Final = _element("value", eeml.value_element, eeml.value_dict)
_DATA: Final = _element("data", eeml.data_element, _by_version(eeml.data_dict, eeml_5.data_dict))
_ENVIRONMENT: Final = _element(
    "environment",
    eeml.environment_element,
    _by_version(eeml.environment_dict, eeml_5.environment_dict),
)
_RESOURCE: Final = _element("resource", records_xml.resource_element, records_xml.resource_dict)
_PERMISSION: Final = _element("permission", records_xml.permission_element, records_xml.permission_dict)
_KEY: Final = _element("key", records_xml.key_element, records_xml.key_dict)
_TRIGGER: Final = _element("datastream-trigger", records_xml.trigger_element, records_xml.trigger_dict)
_USER: Final = _element("user", records_xml.user_element, records_xml.user_dict)


def _whole(document: Document) -> ElementForm:
    """Return the element of a list: the root of its document."""
    return ElementForm(
        lambda fields: parse(document.write(_Plain(fields))),
        lambda element: document.read(etree.tostring(element)),
    )


class _Plain(NamedTuple):
    """Fields in the place of a structure."""

    fields: Any

    def toDict(self) -> Any:
        """Return the fields."""
        return self.fields


_XML_PAGE: Final = _xml(lambda fields: eeml.encode_feed_list(fields, keep_empty=True), eeml.decode_feed_list)
_XML_KEYS: Final = _xml(
    lambda fields: records_xml.encode_keys(fields["keys"], keep_empty=True), records_xml.decode_keys
)
_XML_TRIGGERS: Final = _xml(
    lambda fields: records_xml.encode_triggers(fields["triggers"]), records_xml.decode_triggers
)
_XML_USERS: Final = _xml(lambda fields: records_xml.encode_users(fields["users"]), records_xml.decode_users)


def _forms(json: Document, xml: Document, element: ElementForm, csv: Document | None = None) -> Forms:
    documents = {DataFormats.JSON: json, DataFormats.XML: xml}
    return Forms(documents if csv is None else documents | {DataFormats.CSV: csv}, element)


_FORMS: Final[Mapping[str, Forms]] = {
    "Unit": _forms(_json(json_v1.decode_unit), _xml_part("unit", _UNIT), _UNIT),
    "Location": _forms(_json(json_v1.decode_location), _xml_part("location", _LOCATION), _LOCATION),
    "Waypoint": _forms(_json(json_v1.decode_waypoint), _xml_part("waypoint", _WAYPOINT), _WAYPOINT),
    "Datapoint": _forms(
        _json(json_v1.decode_datapoint),
        _xml(eeml.encode_datapoint, eeml.decode_datapoint),
        _VALUE,
        Document(values_csv.write_datapoint, values_csv.read_datapoint),
    ),
    "Datastream": _forms(
        _json(_single_datastream),
        _xml(lambda fields: eeml.encode_datastream(fields, keep_empty=True), eeml.decode_datastream),
        _DATA,
        Document(values_csv.write_datastream, values_csv.read_datastream),
    ),
    "Environment": _forms(
        _json(json_v1.decode_feed),
        _xml(lambda fields: eeml.encode_feed(fields, keep_empty=True), eeml.decode_feed),
        _ENVIRONMENT,
        Document(values_csv.write_feed, values_csv.read_feed),
    ),
    "EnvironmentList": _forms(
        _json(json_v1.decode_feed_list),
        _XML_PAGE,
        _whole(_XML_PAGE),
        Document(values_csv.write_feed_list, values_csv.read_feed_list),
    ),
    "Resource": _forms(_json(records_json.decode_resource), _xml_part("resource", _RESOURCE), _RESOURCE),
    "Permission": _forms(
        _json(records_json.decode_permission), _xml_part("permission", _PERMISSION), _PERMISSION
    ),
    "Key": _forms(
        _json(records_json.decode_key),
        _xml(lambda fields: records_xml.encode_key(fields, keep_empty=True), records_xml.decode_key),
        _KEY,
    ),
    "KeyList": _forms(_json(records_json.decode_keys), _XML_KEYS, _whole(_XML_KEYS)),
    "Trigger": _forms(
        _json(records_json.decode_trigger),
        _xml(records_xml.encode_trigger, records_xml.decode_trigger),
        _TRIGGER,
    ),
    "TriggerList": _forms(_json(records_json.decode_triggers), _XML_TRIGGERS, _whole(_XML_TRIGGERS)),
    "User": _forms(
        _json(records_json.decode_user), _xml(records_xml.encode_user, records_xml.decode_user), _USER
    ),
    "UserList": _forms(_json(records_json.decode_users), _XML_USERS, _whole(_XML_USERS)),
}


def forms_of(structure: str) -> Forms:
    """Return the forms of a structure, by its name."""
    return _FORMS[structure]
