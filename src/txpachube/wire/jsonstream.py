r"""
Cuts a stream of bytes into JSON objects.

Clients of the socket server end an object with LF, with CRLF, or not at all; they print one object
over many lines, put several into one packet, or one into several packets.
So the end of an object is found by counting braces outside of strings, and nothing is parsed here.

Between objects white space is skipped. Whatever else stands there (some clients send the bare word
``keepalive``) is reported once and skipped up to the next ``{``.
An object can also be broken off: its sender ran out of memory and went on with the next one.
That shows in two places where valid JSON can't have a brace, and there a new object begins:

- outside of a string, after anything but ``:``, ``,`` or ``[`` (and white space);
- inside of a string, right after a line end, which JSON doesn't allow in strings.

States::

    FRESH ──"GET /"──> CLOSED      nothing but white space came yet: an HTTP request is recognised
      │
    BETWEEN ──"{"──> OBJECT ──"}"──> BETWEEN
                       └──more than the limit──> CLOSED

Complete, shallow objects, which is nearly all there are, are matched by one regular expression without
backtracking; everything else goes through a scanner that remembers where it was.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

import attrs

__all__ = ["Event", "Garbage", "HttpRequest", "JsonSplitter", "TooLong"]

MAX_OBJECT: Final = 1024 * 1024
"""Bytes of one object: the same as the body of an HTTP request may have."""

MAX_DEPTH: Final = 64
"""Braces inside braces: the deepest document of the API has six, a parser's stack has some hundreds."""


@attrs.frozen
class Garbage:
    """
    Something that isn't part of a JSON object; reported once until the next complete object.

    Attributes:
        reason: a sentence for the client, without anything the client sent but one character.
    """

    reason: str


@attrs.frozen
class TooLong:
    """
    An object has more bytes than the limit. Nothing that follows is looked at.

    Attributes:
        limit: how many bytes were allowed.
    """

    limit: int


@attrs.frozen
class HttpRequest:
    """The client speaks HTTP, to the wrong port. Nothing that follows is looked at."""


Event: TypeAlias = "bytes | Garbage | TooLong | HttpRequest"
"""What a splitter tells: the bytes of an object, or that there was none."""

_STRING = rb'"(?:[^"\\\r\n]++|\\[^\r\n])*+"'
_FLAT = rb'[^{}"]*+(?:' + _STRING + rb'[^{}"]*+)*+'


def _object_of(levels: int) -> bytes:
    """Return a pattern for an object with so many levels of objects inside, each scanned once."""
    if levels == 0:
        return rb"\{" + _FLAT + rb"\}"
    inner = rb"(?:(?<=[:,\[])|(?<=[:,\[] ))" + _object_of(levels - 1)
    return rb"\{" + _FLAT + rb"(?:" + inner + _FLAT + rb")*+\}"


_ORDINARY_DEPTH: Final = 7
_ORDINARY_OBJECT: Final = re.compile(_object_of(_ORDINARY_DEPTH - 1), re.DOTALL)
_OUTSIDE_STRING: Final = re.compile(rb'[{}"]')
_INSIDE_STRING: Final = re.compile(rb'["\\]|(?<=[\r\n])\{')

# Also the byte-order mark, the NUL that C programs send behind a text, and the Ctrl-Z of modems.
_NOT_SKIPPED: Final = re.compile(rb"[^ \t\r\n\v\f\x00\x1a\xef\xbb\xbf]")
_MAY_PRECEDE_BRACE: Final = frozenset(b":,[")
_WHITE: Final = frozenset(b" \t\r\n")

_HTTP_OPENINGS: Final = tuple(
    method + target
    for method in (b"GET", b"PUT", b"POST", b"HEAD", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE")
    for target in (b" /", b" http", b" *")
)
_HTTP_PREFIXES: Final = frozenset(
    opening[:length] for opening in _HTTP_OPENINGS for length in range(1, len(opening) + 1)
)

_OPENING_BRACE: Final = 0x7B
_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C

_UNFINISHED: Final = Garbage("an object was not finished before the next one began")


class JsonSplitter:
    """
    Finds the JSON objects in received bytes.

    What it returns as an object begins with ``{`` and ends with the brace that belongs to it;
    whether it is valid JSON is for the parser to say.

    Attributes:
        max_object: bytes one object may have.
        max_depth: braces inside braces an object may have.
    """

    __slots__ = ("_buffer", "_closed", "_depth", "_in_string", "_opening", "_position", "_reported",
                 "max_depth", "max_object")  # fmt: skip

    def __init__(self, max_object: int = MAX_OBJECT, max_depth: int = MAX_DEPTH) -> None:
        self.max_object = max_object
        self.max_depth = max_depth
        self._buffer = bytearray()  # the unfinished object, from its brace on
        self._position = 0  # how far the unfinished object has been scanned
        self._depth = 0
        self._in_string = False
        self._reported = False  # the present run of garbage has been told of
        self._opening: bytes | None = b""  # what came first, as long as it can become an HTTP request
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the stream is beyond repair: nothing that follows will be looked at."""
        return self._closed

    @property
    def waiting(self) -> int:
        """How many bytes of an unfinished object there are."""
        return len(self._buffer)

    def take_whole(self) -> bool:
        """
        Take note of a whole object that was received and found valid without our help.

        Returns:
            Whether it may be taken: nothing unfinished was before it.
        """
        if self._depth or self._closed or self._opening:
            return False
        self._opening = None
        self._reported = False
        return True

    def receive(self, data: bytes) -> list[Event]:
        """
        Take received bytes, return the objects completed by them and what was wrong, in order.

        A `TooLong` or `HttpRequest` is always the last event there is.
        """
        events: list[Event] = []
        if self._closed:
            return events
        at = 0  # where the present object, or what is still to be looked at, begins
        if self._opening is not None:
            at = self._compare_with_http(data, events)
        work: bytes | bytearray = data
        if self._depth:
            self._buffer += data
            work = self._buffer
        while not self._closed:
            if self._depth:
                at = self._scan_object(work, at, events)
                if self._depth:
                    break
                continue
            at = self._find_object(work, at, events)
            if at < 0:
                break
            if (end := self._whole_object(work, at)) > 0:
                events.append(bytes(work[at:end]))
                self._reported = False
                at = end
            else:
                self._depth, self._in_string, self._position = 1, False, at + 1
        if self._depth == 0 or self._closed:
            if self._buffer:
                self._buffer = bytearray()
        else:
            if work is data:
                self._buffer = bytearray(memoryview(data)[at:])
            else:
                del self._buffer[:at]
            self._position -= at
        return events

    def _compare_with_http(self, data: bytes, events: list[Event]) -> int:
        """Look at the first bytes of the connection; return where to go on."""
        at = 0
        opening = self._opening or b""
        if not opening:
            match = _NOT_SKIPPED.search(data)
            if match is None:
                return len(data)
            at = match.start()
        while at < len(data):
            opening += data[at : at + 1]
            if opening not in _HTTP_PREFIXES:
                self._opening = None
                if len(opening) > 1:
                    self._report(Garbage(_unexpected(opening[0])), events)
                return at
            at += 1
            if opening in _HTTP_OPENINGS:
                self._close(HttpRequest(), events)
                break
        self._opening = opening
        return at

    def _find_object(self, work: bytes | bytearray, at: int, events: list[Event]) -> int:
        """Return where the next object begins, or -1 when there is none in these bytes."""
        if not self._reported:
            match = _NOT_SKIPPED.search(work, at)
            if match is None:
                return -1
            at = match.start()
            if work[at] != _OPENING_BRACE:
                self._report(Garbage(_unexpected(work[at])), events)
        return work.find(b"{", at)

    def _whole_object(self, work: bytes | bytearray, start: int) -> int:
        """Return the end of an ordinary object that is complete, or -1: the scanner has to look."""
        match = _ORDINARY_OBJECT.match(work, start)
        if match is None or self.max_depth < _ORDINARY_DEPTH:
            return -1
        return match.end() if match.end() - start <= self.max_object else -1

    def _scan_object(self, work: bytes | bytearray, start: int, events: list[Event]) -> int:
        """
        Go on with an object that began at ``start``; return where the next thing begins.

        As long as the object is unfinished, `_depth` isn't zero and the result is where it began.
        """
        position = self._position
        while True:
            match = (_INSIDE_STRING if self._in_string else _OUTSIDE_STRING).search(work, position)
            if match is None:
                self._position = max(position, len(work))
                if len(work) - start > self.max_object:
                    self._close(TooLong(self.max_object), events)
                return start
            found = match.start()
            byte = work[found]
            position = found + 1
            stray = byte == _OPENING_BRACE and (self._in_string or _is_stray(work, found))
            if (found if stray else position) - start > self.max_object:
                self._close(TooLong(self.max_object), events)
                return start
            if stray:
                self._report(_UNFINISHED, events)
                self._depth = 0
                return found
            if byte == _QUOTE:
                self._in_string = not self._in_string
            elif byte == _BACKSLASH:
                position += 1
            elif byte == _OPENING_BRACE:
                self._depth += 1
                if self._depth > self.max_depth:
                    self._report(Garbage(f"more than {self.max_depth} objects inside each other"), events)
                    self._depth = 0
                    return position
            else:
                self._depth -= 1
                if self._depth == 0:
                    events.append(bytes(work[start:position]))
                    self._reported = False
                    return position

    def _report(self, garbage: Garbage, events: list[Event]) -> None:
        if not self._reported:
            self._reported = True
            events.append(garbage)

    def _close(self, last: TooLong | HttpRequest, events: list[Event]) -> None:
        self._closed = True
        events.append(last)


def _is_stray(work: bytes | bytearray, brace: int) -> bool:
    """Whether valid JSON can't have this opening brace inside of an object."""
    before = brace - 1
    while work[before] in _WHITE:
        before -= 1
    return work[before] not in _MAY_PRECEDE_BRACE


def _unexpected(byte: int) -> str:
    what = f"character {chr(byte)!r}" if 0x21 <= byte < 0x7F else f"byte 0x{byte:02x}"
    return f"unexpected {what} outside of an object"
