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
    "WRITE_KEY",
    "WRITE_KEYS",
    "write_feed",
    "write_feed_list",
    "write_stream",
]

STREAM_COLUMNS: Final = 2
FEED_COLUMNS: Final = 3
LIST_COLUMNS: Final = 4

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

WRITE_DATAPOINT: Final[Writer] = {
    "json": json_v1.encode_datapoint,
    "xml": eeml.encode_datapoint,
    "csv": csv_v2.encode_datapoint,
}
WRITE_KEY: Final[Writer] = {"json": records_json.encode_key, "xml": records_xml.encode_key}
WRITE_KEYS: Final = {"json": records_json.encode_keys, "xml": records_xml.encode_keys}

_WRITE_FEED: Final[Writer] = {"json": json_v1.encode_feed, "xml": eeml.encode_feed}
_WRITE_FEED_LIST: Final[Writer] = {"json": json_v1.encode_feed_list, "xml": eeml.encode_feed_list}
_WRITE_STREAM: Final[dict[str, Callable[[Document, Document], bytes]]] = {
    "json": json_v1.encode_datastream,
    "xml": eeml.encode_datastream,
}


def write_feed(
    format: str,  # noqa: A002 - the field's own word
    document: Document,
    *,
    history: bool = False,
    depth: int | None = None,
) -> bytes:
    """
    Write a feed.

    Args:
        format: ``json``, ``xml`` or ``csv``.
        document: the feed.
        history: its datapoints were asked for, which CSV shows alone.
        depth: how many columns CSV shall have, counted from the right; None for the usual ones.
    """
    if format == "csv":
        return csv_v2.encode_feed(document, history=history, depth=depth or FEED_COLUMNS)
    return _WRITE_FEED[format](document)


def write_feed_list(format: str, document: Document, *, depth: int | None = None) -> bytes:  # noqa: A002 - likewise
    """Write a list of feeds; ``depth`` as in `write_feed`."""
    if format == "csv":
        return csv_v2.encode_feed_list(document, depth=depth or LIST_COLUMNS)
    return _WRITE_FEED_LIST[format](document)


def write_stream(
    format: str,  # noqa: A002 - the field's own word
    document: Document,
    environment: Document,
    *,
    history: bool = False,
    depth: int | None = None,
) -> bytes:
    """Write a datastream, for which XML and wide CSV need its feed, the environment; see `write_feed`."""
    if format == "csv":
        return csv_v2.encode_datastream(document, environment, history=history, depth=depth or STREAM_COLUMNS)
    return _WRITE_STREAM[format](document, environment)
