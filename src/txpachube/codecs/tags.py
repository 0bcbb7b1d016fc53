r"""
Tags: a set of short texts, also written as one text with commas.

In the text form a tag that has a comma (or quotes, or blanks at its ends) stands in double quotes,
and a quote inside of them is written ``\"``::

    aardvark, "Lions, tigers", "6\" pipe"

Stored tags have neither ``'`` nor ``"`` (`normalise`): the service has always taken them out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["join", "normalise", "split"]

_BLANKS: Final = " \t\r\n\v\f"
_QUOTED: Final = re.compile(
    r"""
    [ \t\r\n\v\f]* "(?P<inside> [^"\\]* (?: \\. [^"\\]* )* )"  # a backslash takes the next character along
    (?P<rest> [^,]* ) (?: ,|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN: Final = re.compile(r"(?P<inside>[^,]*)(?:,|\Z)")
_NEEDS_QUOTES: Final = re.compile(r"""[,"]|\A[ \t\r\n\v\f]|[ \t\r\n\v\f]\Z""")
_WITHOUT_QUOTES: Final = str.maketrans("", "", "'\"")


def split(text: str) -> list[str]:
    """
    Take the text form apart.

    Blanks outside of quotes are trimmed and empty tags dropped. A quote that is never closed is an
    ordinary character.

    Returns:
        The tags in the order given, not normalised.
    """
    tags = []
    position = 0
    while position < len(text):
        match = _QUOTED.match(text, position)
        if match is not None:
            tag = re.sub(r'\\(["\\])', r"\1", match["inside"]) + match["rest"].rstrip(_BLANKS)
        else:
            match = _PLAIN.match(text, position)
            assert match is not None, "a plain tag can be empty"
            tag = match["inside"].strip(_BLANKS).replace('\\"', '"')
        if tag:
            tags.append(tag)
        position = match.end()
    return tags


def join(tags: Iterable[str]) -> str:
    """Write tags in the text form, so that `split` gives them back."""
    return ",".join(_quoted(tag) if _NEEDS_QUOTES.search(tag) else tag for tag in tags)


def _quoted(tag: str) -> str:
    return '"' + tag.replace("\\", "\\\\").replace('"', '\\"') + '"'


def normalise(tags: Iterable[str]) -> list[str]:
    """
    Return tags as they are stored: without quote characters, empty ones and duplicates, sorted without case.

    Two tags are duplicates only when their texts are equal; such as differ in case both stay.
    """
    kept = {tag.translate(_WITHOUT_QUOTES).strip(_BLANKS) for tag in tags}
    kept.discard("")
    return sorted(kept, key=lambda tag: (tag.lower(), tag))
