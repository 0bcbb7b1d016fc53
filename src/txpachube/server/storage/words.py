"""
What a word is.

Texts are taken apart here and not by the database, whose tokenizers know neither blanks that are missing
nor letters that were invented lately. A word is a run of letters, digits and marks. Scripts that are
written without blanks have a word in every character, and so have symbols: 温度 is found in 室内温度, and
an emoji is something one can look for. Everything else stands between words.

Case, accents and ways of writing the same (full width, ligatures, composed or not) make no difference.
"""

from __future__ import annotations

import unicodedata
from typing import Final

__all__ = ["folded", "words"]

KNOWN_CHARACTERS: Final = 20_000
"""Characters of which it is remembered what becomes of them: all that are in use somewhere."""

_WITHOUT_BLANKS: Final = (
    range(0x0E00, 0x0F00),  # Thai, Lao
    range(0x1000, 0x10A0),  # Burmese
    range(0x1780, 0x1800),  # Khmer
    range(0x3040, 0x3100),  # the kana
    range(0x3400, 0xA000),  # the ideographs, here and below
    range(0xF900, 0xFB00),
    range(0x20000, 0x40000),
)
_WITHOUT_ACCENTS: Final = dict.fromkeys(range(0x0300, 0x0370))
_VARIATIONS: Final = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


def folded(text: str) -> str:
    """Return what two texts have in common that differ only in case, or in how the same is encoded."""
    return unicodedata.normalize("NFC", text.strip().casefold())


def words(text: str) -> list[str]:
    """
    Return the words of a text, in order.

    A word has letters, digits, marks or a symbol in it, and neither blanks nor ASCII punctuation.
    """
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        text = unicodedata.normalize("NFC", apart.translate(_WITHOUT_ACCENTS))
    return text.translate(_BECOMES).split()


class _Becomes(dict[int, str | None]):
    """What becomes of each character; asked by `str.translate`."""

    def __missing__(self, code: int) -> str | None:
        found = _fate(code)
        if len(self) < KNOWN_CHARACTERS:  # or a text could fill the memory with what nobody writes
            self[code] = found
        return found


_BECOMES: Final = _Becomes()


def _fate(code: int) -> str | None:
    character = chr(code)
    category = unicodedata.category(character)
    if category in ("Me", "Cf") or any(code in variations for variations in _VARIATIONS):
        return None
    if category[0] in "LNM":
        alone = any(code in script for script in _WITHOUT_BLANKS)
        return f" {character} " if alone else character.lower()
    if category[0] == "S" and code > 0x7F:
        return f" {character} "
    return " "
