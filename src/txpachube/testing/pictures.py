"""Looking at a PNG: its size and its colours, for tests of graphs that nobody looks at."""

from __future__ import annotations

import struct
import zlib
from typing import Final

import attrs

__all__ = ["Picture", "read_png"]

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

_CHANNELS: Final = {2: 3, 6: 4}
_HEADER: Final = struct.Struct(">IIBBBBB")


@attrs.frozen
class Picture:
    """
    A picture.

    Attributes:
        width: in pixels.
        height: in pixels.
        rows: the colours as six hexadecimal digits, from the top to the bottom.
    """

    width: int
    height: int
    rows: tuple[tuple[str, ...], ...] = attrs.field(repr=False)

    @property
    def colours(self) -> frozenset[str]:
        """All colours that occur."""
        return frozenset(colour for row in self.rows for colour in row)


def read_png(data: bytes) -> Picture:
    """
    Return the picture in a PNG of eight bits a channel, with or without transparency (which is ignored).

    Raises:
        ValueError: it is no such PNG, or a broken one.
    """
    if data[: len(SIGNATURE)] != SIGNATURE:
        raise ValueError("no PNG: another signature")
    at, packed, header = len(SIGNATURE), b"", b""
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + length]
        if struct.unpack_from(">I", data, at + 8 + length)[0] != zlib.crc32(kind + content):
            raise ValueError(f"a broken PNG: the checksum of {kind!r} is wrong")
        header = content if kind == b"IHDR" else header
        packed += content if kind == b"IDAT" else b""
        at += 12 + length
    width, height, bits, colours, _, _, interlaced = _HEADER.unpack(header)
    if bits != 8 or colours not in _CHANNELS or interlaced:
        raise ValueError("a PNG of a kind that is not read here")
    channels = _CHANNELS[colours]
    unpacked = zlib.decompress(packed)
    rows, above, size = [], bytes(width * channels), width * channels + 1
    for begin in range(0, size * height, size):
        above = _unfiltered(unpacked[begin], unpacked[begin + 1 : begin + size], above, channels)
        rows.append(tuple(above[x : x + 3].hex() for x in range(0, len(above), channels)))
    return Picture(width, height, tuple(rows))


def _unfiltered(kind: int, line: bytes, above: bytes, channels: int) -> bytes:
    """Return a row's bytes, of which the differences to their neighbours are in the file."""
    row = bytearray(line)
    for place in range(len(row)):
        left = row[place - channels] if place >= channels else 0
        corner = above[place - channels] if place >= channels else 0
        guess = (0, left, above[place], (left + above[place]) // 2, _paeth(left, above[place], corner))[kind]
        row[place] = (row[place] + guess) & 255
    return bytes(row)


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda neighbour: abs(guess - neighbour))
