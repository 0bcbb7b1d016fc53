"""
Products and devices in JSON, and what a device is told when it is activated, in JSON or as one line.

==========  ============================  ========================================================
a product   ``{"product": {…}}``          list: ``{"totalResults": 1, "products": [{…}, …]}``
a device    ``{"device": {…}}``           list: ``{"totalResults": 1, "itemsPerPage": 30, "startIndex": 1,
                                          "devices": [{…}, …]}``
==========  ============================  ========================================================

That is what is written. What is read may have the word around it or not.

A sketch reads its activation as ``KEY,FEED,NUMBER,ID,ID…``. There is no line end behind it, because some
sketches throw away what came before one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from txpachube.codecs.jsonparts import STREAM, read_feed
from txpachube.codecs.jsontext import (
    Readers,
    checked,
    encode,
    kind_of,
    members,
    read,
    read_elements,
    read_members,
    text_or_none,
)

__all__ = [
    "decode_device",
    "decode_devices",
    "decode_product",
    "encode_activation",
    "encode_activation_line",
    "encode_device",
    "encode_devices",
    "encode_product",
    "encode_products",
]

Document = Mapping[str, Any]


def _template(raw: bytes) -> dict[str, Any] | None:
    """Read the template of a product's feeds, a feed; None clears it."""
    return None if raw in {b"null", b'""'} else read_feed(members(raw), STREAM)


_PRODUCT: Final[Readers] = {
    "name": text_or_none,
    "description": text_or_none,
    "state": text_or_none,
    "feed_defaults": _template,
}
_DEVICE: Final[Readers] = {"serial": text_or_none}


def _inside(raw: bytes, root: str, readers: Readers) -> dict[str, Any]:
    """Read an object that may be the only member of another one."""
    given = members(raw)
    if root not in given:
        return read_members(given, readers)
    inside: dict[str, Any] = read_members(given, {root: lambda inner: read_members(members(inner), readers)})
    found: dict[str, Any] = inside[root]
    return found


def decode_product(body: bytes) -> dict[str, Any]:
    """
    Read a product, wrapped or not; what only the service says of one is ignored.

    Raises:
        DecodeError: it is not JSON, or something in it is not of its type.
    """
    return read(checked(body), lambda raw: _inside(raw, "product", _PRODUCT))


def encode_product(product: Document) -> bytes:
    """Write a product."""
    return encode({"product": product})


def encode_products(total: int, products: Sequence[Document]) -> bytes:
    """Write a page of a list of products."""
    return encode({"totalResults": total, "products": products})


def decode_device(body: bytes) -> dict[str, Any]:
    """
    Read a device, wrapped or not; what only the service says of one is ignored.

    Raises:
        DecodeError: as for `decode_product`.
    """
    return read(checked(body), lambda raw: _inside(raw, "device", _DEVICE))


def decode_devices(body: bytes) -> list[dict[str, Any]]:
    """
    Read the devices that are to be made: ``{"devices": [{…}]}`` or the array alone.

    Raises:
        DecodeError: as for `decode_product`.
    """
    return read(checked(body), _read_devices)


def _read_devices(raw: bytes) -> list[dict[str, Any]]:
    if kind_of(raw) == "an array":
        return _list_of_devices(raw)
    found = read_members(members(raw), {"devices": _list_of_devices})
    devices: list[dict[str, Any]] = found.get("devices", [])
    return devices


def _list_of_devices(raw: bytes) -> list[dict[str, Any]]:
    if raw == b"null":
        return []
    return read_elements(raw, lambda element: read_members(members(element), _DEVICE))


def encode_device(device: Document) -> bytes:
    """Write a device."""
    return encode({"device": device})


def encode_devices(total: int, per_page: int, start: int, devices: Sequence[Document]) -> bytes:
    """Write a page of a list of devices, the first of which has the number ``start``, counted from 1."""
    return encode({"totalResults": total, "itemsPerPage": per_page, "startIndex": start, "devices": devices})


def encode_activation(api_key: str, feed_id: int, stream_ids: Sequence[str]) -> bytes:
    """Write what a device is told, in JSON; in this place a key is called ``apikey``."""
    return encode({"apikey": api_key, "feed_id": feed_id, "datastreams": list(stream_ids)})


def encode_activation_line(api_key: str, feed_id: int, stream_ids: Sequence[str]) -> bytes:
    """Write what a device is told, as one line without an end; no id has a comma."""
    return ",".join([api_key, str(feed_id), str(len(stream_ids)), *stream_ids]).encode()
