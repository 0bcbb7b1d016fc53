"""
Make the fonts of the graphs out of the variable font of the Inter project.

::

    pip install fonttools fontpkg-inter
    python tools/graph_fonts.py

The result is a modified version of Inter, which its licence (the SIL Open Font License, without reserved
names) allows: two weights at the optical size for small text; Latin, Greek and Cyrillic letters,
punctuation and signs; and all figures of one width, so that numbers below each other line up whatever
draws them. Nothing else of the project needs fontTools, so it is not among its requirements.
"""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

TARGET = Path(__file__).parent.parent / "src" / "txpachube" / "server" / "graphs" / "fonts"

WEIGHTS = {"Regular": 400, "SemiBold": 600}

SMALL_TEXT = 14
"""The optical size made for text on screens."""

CHARACTERS = [
    *range(0x20, 0x7F),  # ASCII
    *range(0xA0, 0x250),  # Latin
    *range(0x2B0, 0x300),  # accents that stand alone
    *range(0x300, 0x330),  # accents to be combined
    *range(0x370, 0x530),  # Greek and Cyrillic
    *range(0x1E00, 0x1F00),  # Latin with more accents, Vietnamese
    *range(0x2000, 0x2070),  # spaces, dashes, quotes
    *range(0x2070, 0x20D0),  # superscripts, subscripts, currencies
    *range(0x2100, 0x2150),  # letter-like signs
    *range(0x2190, 0x2200),  # arrows
    *range(0x2200, 0x2300),  # mathematics
    *range(0x25A0, 0x2600),  # shapes
    0xFFFD,
]

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def make(source: Path, weight: str) -> None:
    """Write one weight."""
    font = TTFont(source)
    instancer.instantiateVariableFont(
        font, {"opsz": SMALL_TEXT, "wght": WEIGHTS[weight]}, inplace=True, updateFontNames=True
    )
    for table in font["cmap"].tables:
        if table.isUnicode():
            table.cmap.update({0x30 + value: f"{name}.tf" for value, name in enumerate(DIGITS)})
    options = subset.Options()
    options.layout_features = ["kern", "mark", "mkmk", "ccmp", "locl"]
    options.hinting = False
    options.name_IDs = ["*"]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=CHARACTERS)
    subsetter.subset(font)
    font.save(TARGET / f"Inter-{weight}.ttf")


def main() -> None:
    """Write all weights and the licence."""
    package = resources.files("fontpkg_inter")
    with resources.as_file(package) as folder:
        for weight in WEIGHTS:
            make(folder / "files" / "Inter[opsz,wght].ttf", weight)
        shutil.copy(folder / "LICENSE", TARGET / "OFL.txt")


if __name__ == "__main__":
    main()
