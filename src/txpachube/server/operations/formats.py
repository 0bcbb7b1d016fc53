"""
Which function reads and writes what in which format.

A route's formats say which of these can be met, so a missing entry is never looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from txpachube.codecs import csv_v2, eeml, json_v1, records_json, records_xml

__all__ = [
    "READ_DATAPOINT",
    "READ_DATAPOINTS",
    "READ_FEED",
    "READ_KEY",
    "READ_NEW_STREAMS",
    "READ_STREAM",
    "WRITE_DATAPOINT",
    "WRITE_FEED_LIST",
    "WRITE_KEY",
    "WRITE_KEYS",
    "write_feed",
    "write_stream",
]

Document = dict[str, Any]
Reader = Mapping[str, Callable[[bytes], Document]]
ListReader = Mapping[str, Callable[[bytes], list[Document]]]
Writer = Mapping[str, Callable[[Mapping[str, Any]], bytes]]

READ_FEED: Final[Reader] = {
    "json": json_v1.decode_feed,
    "xml": eeml.decode_feed,
    "csv": csv_v2.decode_feed,
}
READ_STREAM: Final[Reader] = {
    "json": json_v1.decode_datastream,
    "xml": eeml.decode_datastream,
    "csv": csv_v2.decode_datastream,
}
READ_NEW_STREAMS: Final[ListReader] = {
    "json": json_v1.decode_new_datastreams,
    "xml": eeml.decode_new_datastreams,
    "csv": csv_v2.decode_new_datastreams,
}
READ_DATAPOINTS: Final[ListReader] = {
    "json": json_v1.decode_datapoints,
    "xml": eeml.decode_datapoints,
    "csv": csv_v2.decode_datapoints,
}
READ_DATAPOINT: Final[Reader] = {
    "json": json_v1.decode_datapoint,
    "xml": eeml.decode_datapoint,
    "csv": csv_v2.decode_datapoint,
}
READ_KEY: Final[Reader] = {"json": records_json.decode_key, "xml": records_xml.decode_key}

WRITE_FEED_LIST: Final[Writer] = {
    "json": json_v1.encode_feed_list,
    "xml": eeml.encode_feed_list,
    "csv": csv_v2.encode_feed_list,
}
WRITE_DATAPOINT: Final[Writer] = {
    "json": json_v1.encode_datapoint,
    "xml": eeml.encode_datapoint,
    "csv": csv_v2.encode_datapoint,
}
WRITE_KEY: Final[Writer] = {"json": records_json.encode_key, "xml": records_xml.encode_key}
WRITE_KEYS: Final = {"json": records_json.encode_keys, "xml": records_xml.encode_keys}

_WRITE_FEED: Final[Writer] = {"json": json_v1.encode_feed, "xml": eeml.encode_feed}
_WRITE_STREAM: Final[dict[str, Callable[[Document, Document], bytes]]] = {
    "json": json_v1.encode_datastream,
    "xml": eeml.encode_datastream,
}


def write_feed(format: str, document: Document, *, history: bool = False) -> bytes:  # noqa: A002 - the field's own word
    """Write a feed; with ``history`` its datapoints were asked for, which CSV shows alone."""
    if format == "csv":
        return csv_v2.encode_feed(document, history=history)
    return _WRITE_FEED[format](document)


def write_stream(
    format: str,  # noqa: A002 - the field's own word
    document: Document,
    environment: Document,
    *,
    history: bool = False,
) -> bytes:
    """Write a datastream; XML also says something about its feed, the environment."""
    if format == "csv":
        return csv_v2.encode_datastream(document, history=history)
    return _WRITE_STREAM[format](document, environment)
