"""What single parts of a request's head mean: the spelling of names, the target, what a proxy adds."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address

__all__ = ["forwarded", "known_names", "lowered", "origin_form"]

_FORWARDED_SCHEMES = ("http", "https")
_MAX_KNOWN_NAMES = 1000
"""Spellings of header names whose lower-case text is remembered; clients use a few dozen."""

known_names: dict[bytes, str] = {}
"""Lower-case texts by the bytes that were sent."""


def lowered(name: bytes) -> str:
    """Return a header name as lower-case text; the text of the usual ones is made once."""
    text = name.decode("ascii").lower()
    if len(known_names) < _MAX_KNOWN_NAMES and len(name) < 64:
        known_names[name] = text
    return text


def origin_form(target: str) -> str:
    """Return path and query of a target in absolute form; ``*`` stays as it is."""
    _, found, rest = target.partition("://")
    if not found:
        return target
    ends = [place for place in (rest.find("/"), rest.find("?")) if place >= 0]
    rest = rest[min(ends) :] if ends else "/"
    return rest if rest[0] == "/" else "/" + rest


def forwarded(headers: dict[str, str], peer: str, scheme: str) -> tuple[str, str]:
    """Return address and scheme of the client as the proxy in front of us tells them."""
    last = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    with suppress(ValueError):  # absent or rubbish: then the proxy itself is the client
        peer = str(ip_address(last))
    named = headers.get("x-forwarded-proto", "").strip().lower()
    return peer, named if named in _FORWARDED_SCHEMES else scheme
