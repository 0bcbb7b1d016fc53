"""
Small pieces for writing and reading XML: escaped text out, trimmed text in.

Documents are written as text and not as trees: that takes a fraction of the time, and the layout
is under our hands. Whoever needs an element has it made from that text (`element_of`), so there
is one place that knows how a thing is written.

XML has no way to carry most control characters, not even escaped, while JSON carries all. A value
that holds one is written with U+FFFD in its place, for an answer that can't be read helps nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lxml import etree

from txpachube.codecs.values import plain_text
from txpachube.codecs.xmlnames import EEML, EEML_5, ELEMENTS

__all__ = [
    "BLANKS",
    "DECLARATION",
    "KNOWN_TAGS",
    "attribute",
    "element_of",
    "elements",
    "integer_or_text",
    "line",
    "local_name",
    "text",
    "text_of",
]

DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
"""The first line of every document."""

BLANKS: Final = " \t\r\n"
"""What XML calls white space; nothing else is trimmed."""

# What XML cannot carry at all, and lone surrogates, which no encoding can.
_IMPOSSIBLE: Final = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_IN_TEXT: Final = re.compile(f"[&<>\r{_IMPOSSIBLE}]")
_IN_ATTRIBUTE: Final = re.compile(f'[&<>"\t\r\n{_IMPOSSIBLE}]')
_ESCAPES: Final = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
}
_REPLACEMENT: Final = "\ufffd"

# Reads only what was written here; a text of any length is fine.
_FRAGMENTS: Final = etree.XMLParser(
    remove_blank_text=True, resolve_entities=False, collect_ids=False, huge_tree=True
)

KNOWN_TAGS: Final = {
    form: name
    for name in ELEMENTS
    for form in (name, f"{{{EEML}}}{name}", f"{{{EEML_5}}}{name}")
    if ":" not in name
}
"""Local names by lxml's tags: quicker than taking a tag apart. Tags that are not in it take that way."""


def text(value: object) -> str:
    """Write a scalar as the content of an element."""
    written = value if isinstance(value, str) else plain_text(value)
    return written if _IN_TEXT.search(written) is None else _IN_TEXT.sub(_escaped, written)


def attribute(value: object) -> str:
    """Write a scalar as the value of an attribute, to stand between double quotes."""
    written = value if isinstance(value, str) else plain_text(value)
    return written if _IN_ATTRIBUTE.search(written) is None else _IN_ATTRIBUTE.sub(_escaped, written)


def _escaped(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[0], _REPLACEMENT)


def line(pad: str, name: str, value: object, attributes: str = "") -> str:
    """Write an element with a text in it, on a line of its own; attributes begin with a blank."""
    return f"{pad}<{name}{attributes}>{text(value)}</{name}>\n"


def element_of(written: str) -> etree._Element:
    """Return the element of a text that this package has written."""
    return etree.fromstring(written, _FRAGMENTS)


def local_name(element: etree._Element) -> str:
    """Return an element's name without its namespace; empty for a comment and the like."""
    tag: object = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def elements(parent: etree._Element) -> Iterator[tuple[str, etree._Element]]:
    """Go through the elements in an element with their local names; comments are passed over."""
    for child in parent:
        name = KNOWN_TAGS.get(child.tag) or local_name(child)
        if name:
            yield name, child


def text_of(element: etree._Element) -> str:
    """Return the trimmed text of an element, including that of elements inside it."""
    content = "".join(map(str, element.itertext("*"))) if len(element) else element.text
    return content.strip(BLANKS) if content else ""


def integer_or_text(given: str) -> int | str:
    """Return the number a text stands for when it is a plain one of sane length, else the text."""
    return int(given) if given.isdecimal() and given.isascii() and len(given) <= 18 else given
