"""Writing SVG: elements with attributes, numbers as short as they may be, texts that stay texts."""

from __future__ import annotations

import re
from typing import Final
from xml.sax.saxutils import escape, quoteattr

__all__ = ["element", "group", "number"]


# Not to be written in XML, not even escaped; a unit may hold them, as anything that a device sends.
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def number(value: float) -> str:
    """Return a number of pixels as a text, to the hundredth."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def element(name: str, content: str | None = None, **attributes: str | float | None) -> str:
    """
    Return an element.

    Args:
        name: its name.
        content: a text that stands in it, as far as it can.
        attributes: with ``_`` for ``-`` in their names; the ones that are None are left out.
    """
    return _tagged(name, None if content is None else escape(_UNWRITABLE.sub("", content)), attributes)


def group(name: str, children: list[str], **attributes: str | float | None) -> str:
    """Return an element with other elements in it."""
    return _tagged(name, "".join(children), attributes)


def _tagged(tag: str, inside: str | None, attributes: dict[str, str | float | None]) -> str:
    texts = {
        name.replace("_", "-"): value if isinstance(value, str) else number(value)
        for name, value in attributes.items()
        if value is not None
    }
    written = "".join(f" {name}={quoteattr(text)}" for name, text in texts.items())
    return f"<{tag}{written}/>" if inside is None else f"<{tag}{written}>{inside}</{tag}>"
