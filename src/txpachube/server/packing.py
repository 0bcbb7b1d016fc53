"""
gzip, in both directions.

Devices may pack their bodies and ask for packed answers. What arrives packed is unpacked a slice
at a time and refused as soon as it grows beyond `MAX_UNPACKED`: a kilobyte can unpack to a
gigabyte, and nobody sends that by accident.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Final

from txpachube.api.problems import bad_request, payload_too_large

__all__ = ["MAX_UNPACKED", "MIN_PACKED", "accepts_gzip", "pack", "unpack"]

MAX_UNPACKED: Final = 4 * 1024 * 1024
"""Bytes a packed body may unpack to."""

MIN_PACKED: Final = 1024
"""Smaller answers stay as they are: they fit into one network packet either way."""

# The fastest level: answers are packed on the reactor's thread, and the higher levels save
# little on number texts for several times the time.
_LEVEL: Final = 1

_GZIP_FRAMING: Final = 16 + zlib.MAX_WBITS
_GZIP_MAGIC: Final = b"\x1f\x8b"


def unpack(body: bytes, coding: str) -> bytes:
    """
    Undo the content coding of a request's body.

    Args:
        body: the bytes as they came.
        coding: the value of ``Content-Encoding``; empty and ``identity`` leave the body alone.

    Raises:
        Problem: 400 when it does not unpack or the coding is another one, 413 when it unpacks to
            more than `MAX_UNPACKED` bytes.
    """
    name = coding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in ("gzip", "x-gzip"):
        raise bad_request("The Content-Encoding of the body is not supported, only gzip is")
    parts: list[bytes] = []
    room = MAX_UNPACKED + 1
    rest = body
    while True:  # a gzip file may consist of several members, one after the other
        member = zlib.decompressobj(_GZIP_FRAMING)
        try:
            part = member.decompress(rest, room)
        except zlib.error:
            raise bad_request("The body can't be unpacked as gzip") from None
        parts.append(part)
        room -= len(part)
        if room <= 0:
            raise payload_too_large(MAX_UNPACKED)
        if not member.eof:
            raise bad_request("The body can't be unpacked as gzip, its end is missing")
        rest = member.unused_data
        if not rest.startswith(_GZIP_MAGIC):  # line ends and padding after the last member
            return b"".join(parts)


def pack(body: bytes) -> bytes:
    """Return a body as gzip; the same body always gives the same bytes."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_FRAMING)
    return packer.compress(body) + packer.flush()


_LONGEST_OFFERS: Final = 500  # characters; browsers send about thirty


def accepts_gzip(accept_encoding: str) -> bool:
    """Say whether the value of an ``Accept-Encoding`` header allows gzip; one that is too long does not."""
    return len(accept_encoding) <= _LONGEST_OFFERS and _accepts_gzip(accept_encoding)


@lru_cache(maxsize=256)
def _accepts_gzip(accept_encoding: str) -> bool:
    offers: dict[str, bool] = {}
    for offer in accept_encoding.lower().split(","):
        name, *parameters = (part.strip() for part in offer.split(";"))
        offers[name] = not any(_is_zero(parameter) for parameter in parameters)
    return offers.get("gzip", offers.get("x-gzip", offers.get("*", False)))


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().rstrip("0") in ("", "0.", ".")
