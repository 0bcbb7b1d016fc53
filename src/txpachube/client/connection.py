"""
One connection to the service: requests go out one after the other, each answer comes back whole.

::

    connecting ──> idle ──send──> waiting ──answer complete──> idle, or closing when it may not be used again
                    │                └──cut, garbage, cancelled──> lost
                    └──closed by the service, or data nobody asked for──> lost

The answer is read by llhttp (`httptools`), in strict mode. What stands here is what a parser does not do:
limits, the interim answers (100), answers that end with the connection, and the decision whether a
connection is fit for another request. No redirect is followed and no proxy is used: the key goes to the
service it was given for and to nobody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast
from typing import Protocol as Interface

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener, ISSLTransport, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from txpachube.api.messages import Request, Response
from txpachube.client.exchange import Interrupted, NotSent, Unreadable

if TYPE_CHECKING:
    from txpachube.client.address import ServiceAddress

__all__ = [
    "CANONICAL_NAMES",
    "HttpConnection",
    "KeepsConnections",
    "StaleConnection",
    "described",
    "request_bytes",
    "tls_reason",
]

MAX_HEAD_SIZE: Final = 64 * 1024
"""Bytes an answer may have before its body begins; answers of the API have less than 512."""

_KEPT_HEADERS: Final = frozenset(
    {b"content-type", b"location", b"retry-after", b"content-length", b"transfer-encoding"}
)

CANONICAL_NAMES: Final = {
    "accept": "Accept",
    "content-type": "Content-Type",
    "x-apikey": "X-ApiKey",
}


class StaleConnection(Interrupted):
    """
    A connection that had answered before was closed instead of answering again.

    Nearly always the service closed it for being idle while the request was on its way.
    """


class KeepsConnections(Interface):
    """Who is told when a connection can be used again and when it is gone."""

    def released(self, connection: HttpConnection) -> None:
        """Take back a connection whose answer is complete."""
        ...

    def retired(self, connection: HttpConnection) -> None:
        """Never use a connection again: it is being closed."""
        ...

    def lost(self, connection: HttpConnection) -> None:
        """Forget a connection: it is closed."""
        ...


def request_bytes(request: Request, address: ServiceAddress) -> bytes:
    """Return a request as it goes out: head and body in one piece, so that it leaves in one packet."""
    query = f"?{request.query_text}" if request.query_text else ""
    fields = "".join([f"{CANONICAL_NAMES[name]}: {value}\r\n" for name, value in request.headers.items()])
    length = (
        f"Content-Length: {len(request.body)}\r\n"
        if request.body or request.method in ("PUT", "POST")
        else ""
    )
    head = (
        f"{request.method} {address.prefix}{request.path}{query} HTTP/1.1\r\n"
        f"Host: {address.authority}\r\nUser-Agent: txpachube\r\n{fields}{length}\r\n"
    )
    return head.encode("ascii") + request.body


def described(problem: BaseException | None) -> str:
    """Return what a transport's exception says, as the end of a sentence."""
    return str(problem).strip().rstrip(".") or type(problem).__name__


@implementer(IHandshakeListener)
class HttpConnection(Protocol):
    """
    A Twisted protocol that sends requests and gives whole answers.

    Args:
        keeper: told when the connection is free again or lost.
        max_response_size: bytes an answer may have.

    Attributes:
        idle_since: the keeper's note of when the connection became free.
    """

    def __init__(self, keeper: KeepsConnections, max_response_size: int) -> None:
        self.idle_since = 0.0
        self._keeper = keeper
        self._limit = max_response_size
        self._parser = HttpResponseParser(self)
        self._waiting: Deferred[Response] | None = None
        self._handshake: Deferred[HttpConnection] | None = None
        self._open = True
        self._answered = False
        self._begin_answer()

    def _begin_answer(self) -> None:
        self._received = 0
        self._begun = 0
        self._head_complete = False
        self._complete = False
        self._keep_alive = False
        self._status = 0
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []

    # What the pool does with it

    def ready(self) -> Deferred[HttpConnection] | None:
        """Return a Deferred that fires when TLS stands; None when there is nothing to wait for."""
        return self._handshake

    def send(self, data: bytes) -> Deferred[Response]:
        """
        Send a request; fires with its answer.

        Cancelling closes the connection at once, since the answer would otherwise arrive at the next request.
        """
        answer: Deferred[Response] = Deferred(lambda _: self._fail(CancelledError()))
        self._waiting = answer
        self._transport.write(data)
        return answer

    def close(self) -> None:
        """Close in good order."""
        self._transport.loseConnection()

    def abort(self) -> None:
        """Close now, whatever is on its way."""
        self._transport.abortConnection()

    @property
    def _transport(self) -> ITCPTransport:
        # Every stream transport of Twisted has its methods, TLS and UNIX sockets included.
        return cast("ITCPTransport", self.transport)

    # What Twisted tells

    def connectionMade(self) -> None:
        """Wait for TLS before anything is sent, so that a refused certificate counts as nothing sent."""
        if ISSLTransport.providedBy(self.transport):
            self._handshake = Deferred(lambda _: self._give_up_handshake())
        elif ITCPTransport.providedBy(self.transport):
            self._transport.setTcpNoDelay(True)

    def _give_up_handshake(self) -> None:
        self._handshake = None
        self.abort()

    def handshakeCompleted(self) -> None:
        """TLS stands."""
        handshake, self._handshake = self._handshake, None
        if handshake is not None:
            handshake.callback(self)

    def dataReceived(self, data: bytes) -> None:
        """Feed the parser; hand out the answer when it is complete."""
        if self._waiting is None:
            # Nobody asked: what follows could be taken for the answer to the next request.
            self._keeper.retired(self)
            self.abort()
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as problem:
            if not self._complete:
                self._fail(Unreadable(self._status, f"the answer is not HTTP: {described(problem)}"))
                return
            self._keep_alive = False
        if self._received > self._limit:
            self._fail(Unreadable(self._status, f"the answer is larger than {self._limit} bytes"))
        elif self._complete:
            self._deliver()
        elif not self._head_complete and self._received > MAX_HEAD_SIZE:
            self._fail(Unreadable(self._status, f"the answer's head is larger than {MAX_HEAD_SIZE} bytes"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Whoever waits learns it; an answer without a length is complete now."""
        self._open = False
        self._keeper.retired(self)
        problem = reason.value
        handshake, self._handshake = self._handshake, None
        if handshake is not None:
            lasting = not isinstance(problem, ConnectionDone | ConnectionLost)
            handshake.errback(NotSent(f"no TLS connection: {tls_reason(problem)}", lasting=lasting))
        elif self._waiting is not None:
            self._end_of_line(problem)
        self._keeper.lost(self)  # last, so that who closes everything finds all calls failed

    def _end_of_line(self, problem: BaseException | None) -> None:
        if self._head_complete and self._ends_with_the_connection() and isinstance(problem, ConnectionDone):
            self._keep_alive = False
            self._deliver()
        elif self._answered and not self._received:
            self._fail(StaleConnection(described(problem)))
        else:
            what = "the connection broke before the answer was complete"
            self._fail(Interrupted(f"{what}: {described(problem)}"))

    # What the parser tells

    def on_message_begin(self) -> None:
        """Another head begins; more than one for one request is one too many."""
        self._begun += 1

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep what the API means something by."""
        name = name.lower()
        if name in _KEPT_HEADERS and not self._complete:
            self._headers[name] = value

    def on_headers_complete(self) -> None:
        """Note the status."""
        if not self._complete:
            self._status = self._parser.get_status_code()
            self._head_complete = True

    def on_body(self, data: bytes) -> None:
        """Collect."""
        if not self._complete:
            self._body.append(data)

    def on_message_complete(self) -> None:
        """Note the end of the answer; an interim answer (100 Continue) is not the answer."""
        if self._complete:
            return
        if 100 <= self._status < 200:
            self._begun -= 1
            self._head_complete = False
            self._headers.clear()
            return
        self._complete = True
        self._keep_alive = self._parser.should_keep_alive()

    # The end of an answer

    def _ends_with_the_connection(self) -> bool:
        return not {b"content-length", b"transfer-encoding"} & self._headers.keys()

    def _deliver(self) -> None:
        answer, self._waiting = self._waiting, None
        headers = self._headers
        retry_after = headers.get(b"retry-after")
        location = headers.get(b"location")
        response = Response(
            self._status,
            self._body[0] if len(self._body) == 1 else b"".join(self._body),
            headers.get(b"content-type", b"").decode("latin-1"),
            None if location is None else location.decode("latin-1"),
            extra=() if retry_after is None else (("Retry-After", retry_after.decode("latin-1")),),
        )
        reusable = self._open and self._keep_alive and self._begun == 1
        self._answered = True
        self._begin_answer()
        if reusable:
            self._keeper.released(self)  # first, so that whoever gets the answer finds the connection free
        elif self._open:
            self._keeper.retired(self)
            self.close()
        if answer is not None:
            answer.callback(response)

    def _fail(self, problem: Exception) -> None:
        answer, self._waiting = self._waiting, None
        if self._open:
            self._keeper.retired(self)
            self.abort()
        if answer is not None and not answer.called:
            answer.errback(problem)


def tls_reason(problem: BaseException | None) -> str:
    """Return the words in an OpenSSL error, whose own text is a list of tuples."""
    arguments = problem.args[0] if problem is not None and problem.args else None
    if isinstance(arguments, list) and arguments and isinstance(arguments[0], tuple):
        return str(arguments[0][-1])
    return described(problem)
