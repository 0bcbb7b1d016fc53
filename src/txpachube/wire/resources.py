"""
The texts that name a resource outside of HTTP: ``resource`` of a socket message, an MQTT topic.

Both are what a URL has behind its host, but typed by people: the version may be missing, blanks and
umlauts are not encoded, slashes are doubled. Here they become what `txpachube.api.Request` wants, and
what can be subscribed to (one feed, one datastream) is told from what can't.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

import attrs

__all__ = ["Target", "is_collection", "segments", "split_resource", "subscription_target"]

MAX_RESOURCE: Final = 4096
"""Characters of a resource with its query; the longest path of the API has less than 600."""

_PLAIN: Final = re.compile(r"[!-~]*")
_KEPT_IN_PATH: Final = "/%:;=&~!$+,'()*@[]#?\"<>\\^`{|}"
_FORMATS: Final = frozenset(("json", "xml", "csv", "png"))
_MAX_ID_DIGITS: Final = 18  # what fits into 63 bits in any case


@attrs.frozen
class Target:
    """
    What a subscription is about.

    Attributes:
        feed_id: the feed.
        datastream_id: the datastream without extension, or None for the feed as a whole.
        verbatim: the last part of the path with what may be its extension, decoded. A datastream
            whose id is this whole text wins over the one without what looks like an extension.
        extension: ``json``, ``xml``, ``csv``, ``png``, or None.
    """

    feed_id: int
    datastream_id: str | None = None
    verbatim: str = attrs.field(default="", eq=False)
    extension: str | None = attrs.field(default=None, eq=False)


def split_resource(text: str) -> tuple[str, str]:
    """Return the path and the query text of a resource, both percent-encoded where they must be."""
    path, _, query = text.partition("?")
    return _encoded(path), _encoded(query)


def segments(path: str) -> list[str]:
    """Return the parts of an encoded path below its version, still encoded, without empty ones."""
    parts = [part for part in path.split("/") if part]
    if parts and parts[0] == "api":
        parts = parts[1:]
    if parts and parts[0] in ("v1", "v2"):
        parts = parts[1:]
    return parts


def is_collection(path: str) -> bool:
    """
    Whether a path names a collection, to which one adds, and not an item, which one updates.

    Names of collections and ids alternate in every path of the API: ``feeds``, ``feeds/504``,
    ``feeds/504/datastreams``.
    """
    return len(segments(path)) % 2 == 1


def subscription_target(path: str) -> Target | None:
    """Return the feed or datastream that an encoded path names, or None when it names neither."""
    parts = segments(path)
    if len(parts) not in (2, 4) or parts[0] != "feeds":
        return None
    if len(parts) == 4 and parts[2] != "datastreams":
        return None
    verbatim = unquote(parts[-1])
    stem, dot, extension = verbatim.rpartition(".")
    known = bool(dot and stem) and extension in _FORMATS
    last = stem if known else verbatim
    feed_text = last if len(parts) == 2 else unquote(parts[1])
    if not (feed_text.isascii() and feed_text.isdigit() and len(feed_text) <= _MAX_ID_DIGITS):
        return None
    datastream_id = last if len(parts) == 4 else None
    return Target(int(feed_text), datastream_id, verbatim, extension if known else None)


def _encoded(text: str) -> str:
    if _PLAIN.fullmatch(text) is not None:
        return text
    return quote(text, safe=_KEPT_IN_PATH, errors="replace")
