"""
How wide a text is, in the font that comes along.

The font is *Inter*, in two weights, as TrueType files beside this module. Two tables of such a file
tell all that is needed: ``cmap``, which glyph a character has, and ``hmtx``, how wide a glyph is. The
few pixels that kerning moves letters don't matter here.
"""

from __future__ import annotations

import struct
import unicodedata
from functools import lru_cache
from importlib import resources
from typing import Final

__all__ = ["FAMILY", "FILES", "SEMIBOLD", "covers", "shorten", "width_of"]

FAMILY: Final = "Inter"
"""The font's name."""

SEMIBOLD: Final = 600
"""The weight of what shall be seen first."""

FILES: Final = ("Inter-Regular.ttf", "Inter-SemiBold.ttf")
"""The files, in the folder ``fonts``: the ordinary weight and the semi-bold one."""

ELLIPSIS: Final = "…"

# What a glyph that the font does not have is taken to be wide, in ems: a Latin letter, or an
# ideograph or emoji, all of which fill a square.
_UNKNOWN: Final = 0.6
_SQUARE: Final = 1.0


@lru_cache(maxsize=len(FILES))
def _widths(file: str) -> dict[int, float]:
    """Return the widths of all characters of a font file, in ems."""
    data = (resources.files("txpachube.server.graphs") / "fonts" / file).read_bytes()
    tables = {
        data[at : at + 4]: struct.unpack_from(">II", data, at + 8)[0]
        for at in range(12, 12 + 16 * struct.unpack_from(">H", data, 4)[0], 16)
    }
    (em,) = struct.unpack_from(">H", data, tables[b"head"] + 18)
    (measured,) = struct.unpack_from(">H", data, tables[b"hhea"] + 34)
    advances = [
        advance / em for advance, _ in struct.iter_unpack(">Hh", data[tables[b"hmtx"] :][: 4 * measured])
    ]
    # All glyphs after the measured ones are as wide as the last of these.
    return {
        character: advances[min(glyph, measured - 1)]
        for character, glyph in _glyphs(data, tables[b"cmap"]).items()
    }


def _glyphs(data: bytes, table: int) -> dict[int, int]:
    """Return the glyph of each character; the files have a subtable of format 4, as nearly all do."""
    offset: int = struct.unpack_from(">I", data, table + 8)[0]
    at = table + offset
    kind, _, _, double = struct.unpack_from(">4H", data, at)
    assert kind == 4, "the fonts are made with such a table"
    segments = double // 2
    ends = struct.unpack_from(f">{segments}H", data, at + 14)
    starts = struct.unpack_from(f">{segments}H", data, at + 16 + double)
    deltas = struct.unpack_from(f">{segments}H", data, at + 16 + 2 * double)
    offsets_at = at + 16 + 3 * double
    offsets = struct.unpack_from(f">{segments}H", data, offsets_at)
    glyphs = {}
    for segment, (start, end, delta, shift) in enumerate(zip(starts, ends, deltas, offsets, strict=True)):
        for character in range(start, end + 1):
            glyph = character
            if shift:
                place = offsets_at + 2 * segment + shift + 2 * (character - start)
                (glyph,) = struct.unpack_from(">H", data, place)
            glyph = (glyph + delta) & 0xFFFF
            if glyph:
                glyphs[character] = glyph
    return glyphs


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """Return how many pixels wide a text is at a font size."""
    widths = _widths(FILES[bold])
    return size * sum(widths.get(ord(letter)) or _guess(letter) for letter in text)


def _guess(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    return _SQUARE if unicodedata.east_asian_width(letter) in "WF" else _UNKNOWN


def covers(text: str) -> bool:
    """Return whether the font has all characters of a text."""
    widths = _widths(FILES[0])
    return all(ord(letter) in widths for letter in text)


def shorten(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """Return as much of a text as there is room for; an ellipsis shows that something is missing."""
    if width_of(text, size, bold=bold) <= room:
        return text
    room -= width_of(ELLIPSIS, size, bold=bold)
    fitting = 0
    for letter in text:
        room -= width_of(letter, size, bold=bold)
        if room < 0:
            break
        fitting += 1
    return text[:fitting].rstrip() + ELLIPSIS if fitting else ""
