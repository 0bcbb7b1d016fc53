r"""
Turns the lines of a sloppy HTTP request head into a strict one.

What is forgiven, and what becomes of it:

=============================================  ====================================================
blanks before, between and after the parts     one blank between them, none elsewhere
of the request line
a blank or an umlaut in the target             percent-encoded
``PUT http://host/v2/feeds/1``                 ``PUT /v2/feeds/1``, the host becomes the ``Host``
no version, or an odd one                      ``HTTP/1.0`` below 1.0, else ``HTTP/1.1``
no ``Host``                                    an empty one, which is the strict way to say that
blanks around names and values                 removed
a name with a blank inside, no colon           the line is ignored
a line that begins with a blank                belongs to the line before
the same header twice                          the first one counts
control characters in values                   blanks
``Expect``, other than ``100-continue``        left out; also under HTTP/1.0, as its rules say
``Upgrade``                                    left out: there is nothing to upgrade to
=============================================  ====================================================

What is not forgiven is doubt about where the body ends: two different lengths, a length that isn't a number,
a length together with chunks, or another transfer coding.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

__all__ = ["BadHead", "Head", "strict_head"]

_WORD: Final = re.compile(rb"[A-Z]{1,20}")
_VERSION: Final = re.compile(rb"HTTP/([0-9])(?:\.([0-9]))?", re.IGNORECASE)
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*)", re.IGNORECASE)
_HOST: Final = re.compile(rb"[0-9A-Za-z.:_\[\]-]{1,255}")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_TARGET: Final = re.compile(rb"[^!-~]")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")

# Written by ourselves, or of no use behind this.
_LEFT_OUT: Final = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"http2-settings")
)


class BadHead(Exception):
    """
    The head can't be understood.

    Attributes:
        reason: a sentence that says why, without anything the client sent.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@attrs.frozen
class Head:
    """
    A request head as a strict parser wants it.

    Attributes:
        text: the bytes, including the empty line.
        length: how many bytes of body follow, or None when they come in chunks.
        last: whether the client expects the connection to be closed after the answer.
    """

    text: bytes = attrs.field(repr=False)  # holds the key
    length: int | None
    last: bool


def strict_head(lines: list[bytes]) -> Head:
    """
    Build a strict head.

    Args:
        lines: the request line and the header lines, without their ends.

    Raises:
        BadHead: it isn't clear what is asked or where the body ends.
    """
    method, target, version = _read_request_line(lines[0])
    headers = _read_headers(lines[1:])
    host = _first(headers, b"host")
    absolute = _ABSOLUTE.match(target)
    if absolute is not None:
        host = absolute[1].rpartition(b"@")[2]
        target = target[absolute.end() :]
    if not target.startswith(b"/") and target != b"*":
        target = b"/" + target
    length = _read_length(headers, version)
    strict = [b"%b %b HTTP/1.%d" % (method, target, version)]
    if host or version == 1:
        strict.append(b"Host: " + (host if _HOST.fullmatch(host) else b""))
    seen: set[bytes] = set()
    for name, value in headers:
        lowered = name.lower()
        if lowered not in _LEFT_OUT and lowered not in seen:
            seen.add(lowered)
            strict.append(name + b": " + value)
    if length is None:
        strict.append(b"Transfer-Encoding: chunked")
    elif length or method in (b"PUT", b"POST"):
        strict.append(b"Content-Length: %d" % length)
        if version == 1 and _first(headers, b"expect").lower() == b"100-continue":
            strict.append(b"Expect: 100-continue")
    wishes = {wish.strip().lower() for wish in _first(headers, b"connection").split(b",")}
    last = b"close" in wishes or (version == 0 and b"keep-alive" not in wishes)
    return Head(b"\r\n".join(strict) + b"\r\n\r\n", length, last)


def _read_request_line(line: bytes) -> tuple[bytes, bytes, int]:
    words = line.split()
    if len(words) < 2:
        raise BadHead("the request line has no target")
    method = words[0].upper()
    if _WORD.fullmatch(method) is None:
        raise BadHead("the request line does not begin with a method")
    version = 0
    match = _VERSION.fullmatch(words[-1]) if len(words) > 2 else None
    if match is not None:
        del words[-1]
        version = 0 if match[1] == b"0" or (match[1] == b"1" and match[2] == b"0") else 1
    target = b"%20".join(words[1:])
    return method, _NOT_IN_TARGET.sub(lambda found: b"%%%02X" % found[0][0], target), version


def _read_headers(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = []
    belongs_to_header = False
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            if belongs_to_header and (more := _cleaned(line)):
                name, value = headers[-1]
                headers[-1] = (name, value + b" " + more if value else more)
            continue
        name, colon, value = line.partition(b":")
        name = name.strip()
        belongs_to_header = bool(colon) and _NAME.fullmatch(name) is not None
        if belongs_to_header:
            headers.append((name, _cleaned(value)))
    return headers


def _cleaned(value: bytes) -> bytes:
    return _CONTROL.sub(b" ", value).strip()


def _first(headers: list[tuple[bytes, bytes]], wanted: bytes) -> bytes:
    for name, value in headers:
        if name.lower() == wanted:
            return value
    return b""


def _read_length(headers: list[tuple[bytes, bytes]], version: int) -> int | None:
    lengths: set[bytes] = set()
    codings: list[bytes] = []
    for name, value in headers:
        lowered = name.lower()
        if lowered == b"content-length":
            lengths.update(part.strip() for part in value.split(b","))
        elif lowered == b"transfer-encoding":
            codings.append(value.lower())
    codings = [coding for coding in codings if coding not in (b"", b"identity")]
    lengths.discard(b"")
    if codings:
        if codings != [b"chunked"] or version == 0:
            raise BadHead("the transfer coding is not the chunked one of HTTP/1.1")
        if lengths:
            raise BadHead("there is a length of the body and a transfer coding")
        return None
    if not all(_LENGTH.fullmatch(text) for text in lengths):
        raise BadHead("the length of the body is not a number")
    numbers = {int(text) for text in lengths}
    if len(numbers) > 1:
        raise BadHead("there are two different lengths of the body")
    return numbers.pop() if numbers else 0
