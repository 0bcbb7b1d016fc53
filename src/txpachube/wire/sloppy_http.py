r"""
Lets old devices through: sloppy HTTP in, strict HTTP out.

Sketches, modems and half-finished libraries end lines with LF where CRLF belongs, send a line end or a
Ctrl-Z after the body, or a body longer than they said. A strict parser refuses that, and rightly: behind a
proxy that reads the same bytes differently it would let one client's request swallow another's.
So this stands in front of a strict parser, on a listener of its own for devices.

Its output is bytes and not events, because the parser behind it then keeps all that it does anyway: limits
on the body, timeouts, pipelining in order, back-pressure, ``100 Continue``, refusal of unknown methods.
Each head is held back until it is complete and comes out strict (see `txpachube.wire.sloppy_head`); bodies
pass through as they come; everything between the end of a body and the next request disappears.

States::

    START ──first byte──> HEAD ──empty line──> BODY ──all of it──> SURPLUS ──"PUT /"──> HEAD
                                    │                                  │
                                    └──> CHUNK_SIZE ⇄ CHUNK_DATA, CHUNK_END ──> TRAILER ──> SURPLUS

After the last request of a connection (HTTP/1.0, ``Connection: close``) all further bytes are ignored.
When it can't go on, `refused` says with which status to answer before closing.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

import attrs

from txpachube.wire.sloppy_head import BadHead, strict_head

__all__ = ["DeviceHttp", "Refused"]

MAX_HEAD: Final = 16 * 1024
"""Bytes of a head; devices send some hundreds, a browser with its cookies some thousands."""

MAX_LINES: Final = 100
"""Lines of a head: several times what any program sends."""

MAX_SURPLUS: Final = 64 * 1024
"""Bytes between two requests: the rest of a body whose length was given much too small."""

MAX_CHUNK_LINE: Final = 256
"""Bytes of the line in front of a chunk: a number, and extensions that nobody uses."""

_NOT_SKIPPED: Final = re.compile(rb"[^\r\n\t \x00\x1a]")
_REQUEST: Final = re.compile(rb"(?:GET|PUT|POST|HEAD|PATCH|DELETE|OPTIONS) {1,4}(?:/|https?://)")
_LATER_REQUEST: Final = re.compile(rb"(?<![A-Za-z])" + _REQUEST.pattern)
_LONGEST_OPENING: Final = 7 + 4 + 8
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{1,12}")


class _State(Enum):
    START = auto()
    HEAD = auto()
    BODY = auto()
    CHUNK_SIZE = auto()
    CHUNK_DATA = auto()
    CHUNK_END = auto()
    TRAILER = auto()
    SURPLUS = auto()


@attrs.frozen
class Refused:
    """
    Why nothing more can be read.

    Attributes:
        status: the HTTP status to answer with: 400 or 431.
        reason: a sentence that says why, without anything the client sent.
    """

    status: int
    reason: str


class DeviceHttp:
    """
    Turns what one device sends into what a strict parser takes.

    Attributes:
        refused: what was wrong, once something was; answer it after all that came before, and close.
        ended: whether all further bytes are ignored: it was refused, or the last request is complete.
        head_lines: the lines so far of a head that is not complete, or of one that was refused.
    """

    __slots__ = ("_buffer", "_last", "_lines", "_remaining", "_scanned", "_seen", "_state", "ended",
                 "head_lines", "refused")  # fmt: skip

    def __init__(self) -> None:
        self.refused: Refused | None = None
        self.ended = False
        self._state = _State.START
        self._buffer = bytearray()  # received and not yet used: less than a line, except while reading
        self._scanned = 0  # so much of the line was searched in vain for its end
        self._seen = 0  # bytes used in this state, where it has a limit
        self._lines: list[bytes] = []
        self.head_lines = self._lines
        self._remaining = 0  # of the body or chunk
        self._last = False

    @property
    def in_request(self) -> bool:
        """Whether a request has begun and isn't complete, so that a device is expected to send on."""
        return not self.ended and self._state not in (_State.START, _State.SURPLUS)

    def receive(self, data: bytes) -> bytes:
        """Take received bytes, return what the strict parser is to be given for them."""
        if self.ended:
            return b""
        self._buffer += data
        output: list[bytes] = []
        used = 0
        while (taken := self._step(used, output)) >= 0:
            used += taken
        self._forget(used)
        return b"".join(output)

    def _step(self, at: int, output: list[bytes]) -> int:
        """Use some bytes of the buffer from ``at`` on. Returns how many, or -1 when more are needed."""
        if self.ended:
            return -1
        if self._state in (_State.BODY, _State.CHUNK_DATA):
            return self._pass_through(at, output)
        if self._state is _State.START:
            return self._find_first(at)
        if self._state is _State.SURPLUS:
            return self._find_next(at)
        return self._take_line(at, output)

    def _forget(self, used: int) -> None:
        if self.ended:
            self._buffer = bytearray()
        else:
            del self._buffer[:used]

    def _find_first(self, at: int) -> int:
        match = _NOT_SKIPPED.search(self._buffer, at)
        skipped = (len(self._buffer) if match is None else match.start()) - at
        self._seen += skipped
        if self._seen > MAX_SURPLUS:
            return self._refuse(400, "there is nothing but white space")
        if match is not None:
            self._enter(_State.HEAD)
            return skipped
        return skipped or -1

    def _find_next(self, at: int) -> int:
        match = None if self._seen else _REQUEST.match(self._buffer, at)
        if match is None:
            match = _LATER_REQUEST.search(self._buffer, at + 1)
        end = len(self._buffer) if match is None else match.end()
        if self._seen + end - at > MAX_SURPLUS:
            return self._refuse(400, "there is no request where one is expected")
        if match is not None:
            self._enter(_State.HEAD)
            return match.start() - at
        # Keep what can be the beginning of a request, and one byte before it to look back at.
        done = max(0, end - at - _LONGEST_OPENING - 1)
        self._seen += done
        return done or -1

    def _take_line(self, at: int, output: list[bytes]) -> int:
        end = self._buffer.find(b"\n", at + self._scanned)
        length = (len(self._buffer) if end < 0 else end + 1) - at
        if self._state in (_State.HEAD, _State.TRAILER):
            if self._seen + length > MAX_HEAD:
                return self._refuse(431, f"the head has more than {MAX_HEAD} bytes")
        elif length > MAX_CHUNK_LINE:
            return self._refuse(400, "the line in front of a chunk is too long")
        if end < 0:
            self._scanned = length
            return -1
        self._scanned = 0
        self._seen += length
        line = bytes(self._buffer[at:end]).strip(b"\r")
        if self._state is _State.HEAD:
            self._read_head_line(line, output)
        elif self._state is _State.CHUNK_SIZE:
            self._read_chunk_size(line, output)
        elif self._state is _State.CHUNK_END:
            if line:
                self._refuse(400, "a chunk is longer than it said")
            else:
                output.append(b"\r\n")
                self._enter(_State.CHUNK_SIZE)
        elif not line:  # the end of the trailer, of which nothing is passed on
            output.append(b"0\r\n\r\n")
            self._end_request()
        return length

    def _read_head_line(self, line: bytes, output: list[bytes]) -> None:
        if line:
            self._lines.append(line)
            if len(self._lines) > MAX_LINES:
                self._refuse(431, f"the head has more than {MAX_LINES} lines")
            return
        lines, self._lines = self._lines, []
        # From here on they are those of the next head, unless this one is refused.
        try:
            head = strict_head(lines)
        except BadHead as problem:
            self._refuse(400, problem.reason)
            return
        self.head_lines = self._lines
        output.append(head.text)
        self._last = head.last
        if head.length is None:
            self._enter(_State.CHUNK_SIZE)
        elif head.length:
            self._remaining = head.length
            self._enter(_State.BODY)
        else:
            self._end_request()

    def _read_chunk_size(self, line: bytes, output: list[bytes]) -> None:
        text = line.partition(b";")[0].strip()
        if _HEX.fullmatch(text) is None:
            self._refuse(400, "the size of a chunk is not a number")
            return
        self._remaining = int(text, 16)
        if self._remaining:
            output.append(b"%x\r\n" % self._remaining)
            self._enter(_State.CHUNK_DATA)
        else:
            self._enter(_State.TRAILER)

    def _pass_through(self, at: int, output: list[bytes]) -> int:
        taken = min(self._remaining, len(self._buffer) - at)
        if not taken:
            return -1
        output.append(bytes(self._buffer[at : at + taken]))
        self._remaining -= taken
        if not self._remaining:
            if self._state is _State.CHUNK_DATA:
                self._enter(_State.CHUNK_END)
            else:
                self._end_request()
        return taken

    def _end_request(self) -> None:
        self.ended = self._last
        self._enter(_State.SURPLUS)

    def _enter(self, state: _State) -> None:
        self._state = state
        self._seen = self._scanned = 0

    def _refuse(self, status: int, reason: str) -> int:
        self.refused = Refused(status, reason)
        self.ended = True
        self._lines = []
        return 0
