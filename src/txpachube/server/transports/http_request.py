"""
Bytes of an HTTP connection in, whole requests out: no socket, no clock.

The grammar is llhttp's in its strict mode; this module adds the limits and what llhttp lets through.
Strict is everything that decides where a request ends, because a proxy in front of us may read
the same bytes differently: refused with 400, and the connection is over, are

- by llhttp: line ends that are not CR LF, folded header lines, blanks before the colon, names with
  characters that are no token, control characters in values and targets, a ``Content-Length`` that is
  not digits alone or comes twice, ``Content-Length`` beside ``Transfer-Encoding``, a ``Transfer-Encoding``
  where ``chunked`` is not last or comes twice, any flaw in the chunks, bytes after a request that said
  ``Connection: close`` (these are only dropped);
- by us: every ``Transfer-Encoding`` that is not ``chunked`` alone, and any under HTTP/1.0; ``Host`` twice;
  versions other than 1.0 and 1.1; ``CONNECT``.

Taken as they come, since they move no boundary: no ``Host`` under HTTP/1.1, the target in absolute form,
several blanks around the target, empty lines before a request, other headers sent twice, trailers
(dropped), a fragment on the target (dropped), a wish to upgrade (not granted).

About that wish: llhttp believes that whatever follows such a head speaks another protocol, also when
the head announced a body. Taking the body for the next request would be a hole, so the parser is replaced
there by a fresh one that is told of a body with the same framing.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from txpachube.api.messages import Request
from txpachube.api.problems import Problem, bad_request, payload_too_large
from txpachube.server.transports.http_head import forwarded, known_names, lowered, origin_form
from txpachube.server.transports.http_limits import Limits

__all__ = ["BODY", "CLOSE", "HEAD", "IDLE", "KEEP", "KEEP_OLD", "PIECE", "Reader", "RequestReader"]

IDLE, HEAD, BODY = range(3)
"""What the reader is in the middle of: nothing, a head, a body."""

CLOSE, KEEP, KEEP_OLD = range(3)
"""What becomes of the connection after a request; KEEP_OLD is a HTTP/1.0 client that must be told so."""

PIECE = 4096
"""
Bytes given to the parser at a time.

The parser can't be stopped in the middle, so this bounds how many pipelined requests wait behind one that
is being answered, and how far a head overshoots its limit before that is noticed.
"""

_METHODS = {
    name.encode(): name for name in ("GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE")
}


class Reader(Protocol):
    """What a connection reads its requests with; see `RequestReader` for the meaning of all of it."""

    ready: deque[tuple[Request | Problem, int]]
    wants_continue: bool

    @property
    def phase(self) -> int:
        """What the reader is in the middle of."""

    @property
    def body_size(self) -> int:
        """Bytes received of the body so far."""

    @property
    def surplus(self) -> bool:
        """Whether something may still come that nobody reads."""

    def feed(self, data: bytes) -> bytes:
        """Read on; return what was not read yet."""

    def begun(self) -> Request | None:
        """Return what has come of the request that is not complete, or of the one that was refused."""

    def end(self) -> None:
        """Read nothing more."""


class RequestReader:
    """
    Splits what one connection sends into requests.

    Args:
        limits: see there.
        peer: the client's address as text.
        scheme: ``http`` or ``https``.
        trust_forwarded: believe ``X-Forwarded-For`` (its last entry, the one that our own proxy added)
            and ``X-Forwarded-Proto``.

    Attributes:
        ready: what is complete and waits for its answer, in order: a `Request`, or the `Problem`
            that ends the connection, with CLOSE, KEEP or KEEP_OLD.
        phase: IDLE, HEAD or BODY.
        wants_continue: the client waits for ``100 Continue`` before it sends the body.
        body_size: bytes received of the body so far.
        ended: nothing that comes from now on is read.
        surplus: something did come after that.
    """

    def __init__(
        self, limits: Limits, peer: str = "", scheme: str = "http", trust_forwarded: bool = False
    ) -> None:
        self._limits = limits
        self._peer = peer
        self._scheme = scheme
        self._trust_forwarded = trust_forwarded
        self.ready: deque[tuple[Request | Problem, int]] = deque()
        self.phase = IDLE
        self.wants_continue = False
        self.body_size = 0
        self.ended = False
        self.surplus = False
        self._headers: dict[str, str] = {}
        self._target = b""
        self._method = ""
        self._keep = KEEP
        self._body: list[bytes] = []
        self._doubled = 0
        self._since_progress = 0
        self._problem: Problem | None = None
        self._target_before = b""
        self._begun: Request | None = None
        self._reframing: bytes | None = None
        self._body_length = -1  # as announced; -1 where it can't be foretold
        self._repeat_length = -1
        self._repeat_head = b""
        self._repeat_request: Request | None = None
        self._repeat_keep = KEEP
        self._parser: HttpRequestParser | None = HttpRequestParser(self)

    def feed(self, data: bytes) -> bytes:
        """
        Read on, until something is ready or the data is used up.

        Returns:
            what was not read yet: give it back after what is ready has been answered.
        """
        if len(data) == self._repeat_length and self.phase == IDLE and data.startswith(self._repeat_head):
            self._repeat(data)
            return b""
        if len(data) <= PIECE:
            alone = self.phase == IDLE and not self.ready
            self._feed_piece(data)
            if alone and self.phase == IDLE and len(self.ready) == 1 and not self.ended:
                self._remember(data)
            return b""
        view = memoryview(data)
        for start in range(0, len(data), PIECE):
            self._feed_piece(view[start : start + PIECE])
            if self.ready or self.ended:
                rest = data[start + PIECE :]
                self.surplus = self.surplus or (self.ended and bool(rest))
                return rest
        return b""

    def _remember(self, data: bytes) -> None:
        """
        Note a head that may come again, byte for byte, as it does from nearly every program.

        The data held one request and began where the parser stood between two. If its first empty
        line is where the body begins, then the head is known to the byte, and the same head at such a
        place, followed by as many bytes as it announces, can only mean the same.
        """
        request = self.ready[0][0]
        body = self._body_length
        start = len(data) - body
        if body < 0 or not isinstance(request, Request) or data.find(b"\r\n\r\n") + 4 != start:
            self._repeat_length = -1
            return
        self._repeat_length = len(data)
        self._repeat_head = data[:start]
        self._repeat_request = request
        self._repeat_keep = self._keep

    def _repeat(self, data: bytes) -> None:
        """Make a request of data that begins with the head noted, and is as long."""
        last = self._repeat_request
        assert last is not None
        request = Request(
            last.method,
            last.path,
            last.query_text,
            last.headers,
            data[len(self._repeat_head) :],
            last.peer,
            last.scheme,
        )
        self.ready.append((request, self._repeat_keep))

    def begun(self) -> Request | None:
        """
        Return what has come of the request that is not complete, or of the one that was refused.

        What came behind a body that was longer than announced is no request; then it is the one before.
        """
        if self._begun is not None or self.phase == IDLE:
            return self._begun
        target = self._target or self._target_before
        if not target:
            return None
        if self.phase == HEAD and self._target and self._parser is not None:
            self._method = self._parser.get_method().decode("ascii")
        path, _, query = origin_form(target.decode("latin-1")).partition("?")
        body = b"".join(self._body) if self.phase == BODY else b""
        return Request(self._method, path, query, self._headers, body, self._peer, self._scheme)

    def end(self) -> None:
        """Read nothing more, and let go of the parser, which holds on to this object."""
        self.ended = True
        self.wants_continue = False
        self._repeat_length = -1
        self._parser = None

    def _feed_piece(self, piece: bytes | memoryview) -> None:
        if self.ended or self._parser is None:
            self.surplus = True
            return
        self._since_progress += len(piece)
        try:
            self._parser.feed_data(piece)
        except HttpParserUpgrade as upgrade:
            if self._reframing is not None:
                self._expect_body_again(self._reframing)
            if rest := piece[upgrade.args[0] :]:
                self._feed_piece(rest)
            return
        except HttpParserError as error:
            self._stopped(error)
            return
        if self.phase != IDLE and self._since_progress > self._limits.head_bytes + PIECE:
            self._refuse(_head_too_large(self._limits.head_bytes))

    def _stopped(self, error: HttpParserError) -> None:
        if self.ended:
            self.surplus = True  # the request before was the last
        else:
            self._refuse(self._problem or bad_request(str(error)))

    def _refuse(self, problem: Problem) -> None:
        problem.__traceback__ = self._problem = None  # both would keep this object alive
        self._begun = self.begun()
        self.ready.append((problem, CLOSE))
        self.phase = IDLE
        self.end()

    def _expect_body_again(self, framing: bytes) -> None:
        """Put a parser in place that stands right behind a head with this framing header."""
        kept = (self._headers, self._target, self._method, self._keep, self.wants_continue)
        self._reframing = None
        self._parser = HttpRequestParser(self)
        if self._keep == CLOSE:
            framing += b"\r\nConnection: close"
        self._parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")
        self._headers, self._target, self._method, self._keep, self.wants_continue = kept

    # What llhttp calls. An exception in one of these makes it stop there.

    def on_message_begin(self) -> None:
        """Take the first byte of a request."""
        self.phase = HEAD
        self._headers = {}
        self._target_before = self._target
        self._target = b""
        self._since_progress = 0

    def on_url(self, part: bytes) -> None:
        """Take the target, or a part of it."""
        self._target = self._target + part if self._target else part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer, which is dropped."""
        if self.phase != HEAD:
            return
        key = known_names.get(name) or lowered(name)
        text = value.rstrip().decode("latin-1")
        headers = self._headers
        if key in headers:
            self._doubled += 1
            if key == "host":
                self._stop(bad_request("Host comes twice"))
            headers[key] += ", " + text
        else:
            headers[key] = text

    def on_headers_complete(self) -> None:
        """Judge the head, before any of the body is taken."""
        headers = self._headers
        limits = self._limits
        parser = self._parser
        assert parser is not None
        if len(self._target) > limits.target_bytes:
            self._stop(
                Problem(414, "URI Too Long", f"The target may have at most {limits.target_bytes} bytes")
            )
        count, self._doubled = len(headers) + self._doubled, 0
        if count > limits.header_count:
            self._stop(
                Problem(
                    431,
                    "Request Header Fields Too Large",
                    f"There may be at most {limits.header_count} headers",
                )
            )
        if self._since_progress > limits.head_bytes - PIECE and self._head_size() > limits.head_bytes:
            self._stop(_head_too_large(limits.head_bytes))
        method = parser.get_method()
        self._method = _METHODS.get(method) or method.decode("ascii")

        old = False
        if parser.should_keep_alive():
            # Without one of these headers, this is said of HTTP/1.1 alone; asking for the version costs more.
            if "connection" in headers or "proxy-connection" in headers:
                old = self._is_old(parser.get_http_version())
            self._keep = KEEP_OLD if old else KEEP
        else:
            old = self._is_old(parser.get_http_version())
            self._keep = CLOSE

        length = 0
        if "content-length" in headers:
            length = int(headers["content-length"])
            if length > limits.body_bytes:
                self._stop(payload_too_large(limits.body_bytes))
        elif "transfer-encoding" in headers:
            if old or headers["transfer-encoding"].lower() != "chunked":
                self._stop(bad_request("Transfer-Encoding must be chunked alone, under HTTP/1.1"))
            length = -1
        if "expect" in headers and length and not old:
            self.wants_continue = headers["expect"].lower() == "100-continue"
            length = -1
        if parser.should_upgrade():
            if self._method == "CONNECT":
                self._stop(bad_request("This is not a proxy"))
            if "transfer-encoding" in headers:
                self._reframing = b"Transfer-Encoding: chunked"
            elif length:
                self._reframing = b"Content-Length: " + headers["content-length"].encode("ascii")
            length = -1
        self._body_length = length
        self._body = []
        self.body_size = 0
        self._since_progress = 0
        self.phase = BODY

    def on_body(self, part: bytes) -> None:
        """Take a part of the body."""
        self._since_progress = 0
        self.wants_continue = False
        self.body_size += len(part)
        if self.body_size > self._limits.body_bytes:
            self._stop(payload_too_large(self._limits.body_bytes))
        self._body.append(part)

    def on_message_complete(self) -> None:
        """Put the request where it waits for its answer."""
        if self._reframing is not None:
            return  # llhttp thinks so, but the body is still to come
        target = self._target.decode("ascii")
        if "#" in target:
            target = target.partition("#")[0]
        if target[0] != "/":
            target = origin_form(target)
        path, _, query = target.partition("?")
        headers = self._headers
        peer, scheme = self._peer, self._scheme
        if self._trust_forwarded:
            peer, scheme = forwarded(headers, peer, scheme)
        body = self._body
        request = Request(self._method, path, query, headers, b"".join(body) if body else b"", peer, scheme)
        self.phase = IDLE
        self.wants_continue = False
        self._body = []
        self.ready.append((request, self._keep))
        if self._keep == CLOSE:
            self.ended = True
            self._repeat_length = -1

    def _stop(self, problem: Problem) -> None:
        self._problem = problem
        raise problem

    def _is_old(self, version: str) -> bool:
        if version not in ("1.0", "1.1"):
            self._stop(bad_request("The version must be HTTP/1.1 or HTTP/1.0"))
        return version == "1.0"

    def _head_size(self) -> int:
        lines = sum(len(name) + len(value) + 4 for name, value in self._headers.items())
        return len(self._target) + lines


def _head_too_large(limit: int) -> Problem:
    return Problem(
        431, "Request Header Fields Too Large", f"Request line and headers may have at most {limit} bytes"
    )
