"""
CSV version 1: one line with the values of all datastreams, in order and without their ids.

The n-th value belongs to the datastream whose id is ``n``, counted from 0. There are no times.
A datastream is one bare value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from txpachube.codecs.csvtext import fault, join_lines, quoted, rows
from txpachube.codecs.values import plain_text

__all__ = ["MAX_VALUES", "decode_datastream", "decode_feed", "encode_datastream", "encode_feed"]

MAX_VALUES: Final = 1000
"""Values in one line: each comma would make a datastream, and no feed of that time had nearly as many."""


def decode_feed(body: bytes) -> dict[str, Any]:
    """
    Read the line of a feed.

    Returns:
        A feed with only its ``datastreams``.

    Raises:
        DecodeError: it is empty, not CSV, has several rows, or more than `MAX_VALUES` values.
    """
    return {
        "datastreams": [
            {"id": str(index), "current_value": value} for index, value in enumerate(_only_row(body))
        ]
    }


def _only_row(body: bytes) -> list[str]:
    found = rows(body)
    if not found:
        raise fault("Submitted CSV is empty.")
    if len(found) > 1:
        raise fault(
            "CSV is invalid. Currently we can only accept CSV for your most recent set of values."
            f" You have submitted {len(found)} rows of data."
        )
    if len(found[0]) > MAX_VALUES:
        raise fault(f"CSV is invalid. Too many values; at most {MAX_VALUES} are accepted")
    return found[0]


def encode_feed(feed: Mapping[str, Any]) -> bytes:
    """Write the current values of a feed; between the commas is nothing where there was no value yet."""
    return join_lines([",".join(_field(stream) for stream in feed.get("datastreams") or ())])


def _field(stream: Mapping[str, Any]) -> str:
    value = stream.get("current_value")
    return "" if value is None else quoted(plain_text(value))


def decode_datastream(body: bytes) -> dict[str, Any]:
    """
    Read the bare value of a datastream.

    Raises:
        DecodeError: as for `decode_feed`; also for several values.
    """
    row = _only_row(body)
    if len(row) > 1:
        raise fault(f"CSV is invalid. Too many fields; must only be a single value, not {len(row)}")
    return {"current_value": row[0]}


def encode_datastream(stream: Mapping[str, Any], environment: Mapping[str, Any] | None = None) -> bytes:
    """
    Write the bare value of a datastream.

    Args:
        stream: what there is.
        environment: the feed it belongs to; of use in other formats only.
    """
    return join_lines([_field(stream)])
