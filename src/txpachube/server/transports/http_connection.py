"""
One HTTP connection: bytes on one side, ``handle(request)`` on the other.

It is read by a `Reader`, its requests are handed one after the other to ``handle``, and
each answer leaves in one write before the next request begins, so pipelined requests are answered in
order and see each other's effects. What arrives meanwhile is held back unread, up to a limit; then
the socket is not read any more and TCP passes the pressure on to the client.

A connection is *open*; or *ending*, when its last answer is on the way; or *lingering*, when a refusal was
sent and the rest of what the client had begun to send is thrown away for a moment, because closing at once
would reset the connection and take the refusal with it; or *closing*; or *gone*. While it is open it
may be *busy* (a request is being answered) or *congested* (the client does not read), and then no
further request is begun.

A coroutine is run here up to its first Deferred, and most have answered by then. That costs a seventh of what
``Deferred.fromCoroutine`` does; the continuation of the others is a callback on the Deferred they wait
for. There is no cancelling: a write that was begun is finished, also when its client is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txpachube.api.messages import Response
from txpachube.api.problems import Problem, internal_error
from txpachube.server.transports.http_output import PIECE, Outlet
from txpachube.server.transports.http_request import BODY, CLOSE, HEAD, IDLE, Reader
from txpachube.server.transports.http_response import CONTINUE, problem_response

if TYPE_CHECKING:
    from txpachube.server.transports.http import HTTPFactory

__all__ = ["HTTPConnection"]

log = Logger()

OPEN, ENDING, LINGERING, CLOSING, GONE = range(5)


@implementer(IHalfCloseableProtocol)
class HTTPConnection(Protocol):
    """One connection; made by the factory of its listener."""

    factory: HTTPFactory
    transport: Any

    def __init__(self, factory: HTTPFactory) -> None:
        self.factory = factory
        self._handle = factory.handle
        self._encode = factory.writer.encode
        self._limits = factory.limits
        self._state = OPEN
        self._busy = False
        self._phase = IDLE
        self._since = 0.0  # when the present phase began, or the last progress in sending was made
        self._held = bytearray()
        self._reading_paused = False
        self._input_ended = False
        self._linger_wanted = False
        self._told = False
        self._lingered = 0
        self._reader: Reader
        self._outlet: Outlet
        self._write: Callable[[bytes], None]

    # What the transport calls.

    def connectionMade(self) -> None:
        """Begin to read."""
        transport = self.transport
        peer = transport.getPeer()
        scheme = "https" if ISSLTransport.providedBy(transport) else "http"
        self._outlet = Outlet(transport, self._sent_some, self._go_on, self._abort)
        self._write = self._outlet.write
        if ITCPTransport.providedBy(transport) and isinstance(peer, IPv4Address | IPv6Address):
            transport.setTcpNoDelay(True)
        self._reader = self.factory.reader(_address_text(peer), scheme)
        self.factory.opened(self)
        self._since = self.factory.now

    def dataReceived(self, data: bytes) -> None:
        """Read requests and answer them, or keep the data until that is possible."""
        if self._state != OPEN:
            self._throw_away(data)
        elif self._busy or self._outlet.congested:
            self._held += data
            if len(self._held) > self._limits.held_bytes and not self._reading_paused:
                self._reading_paused = True
                self.transport.pauseProducing()
        else:
            self._take(data)

    def readConnectionLost(self) -> None:
        """Answer what was asked for; nothing more will come, but the client may still be reading."""
        self._input_ended = True
        if self._state == LINGERING:
            self._close()
        elif self._may_begin():
            self._end()

    def writeConnectionLost(self) -> None:
        """Our half was closed, as we wished."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget everything; what is being answered goes on without us."""
        if self._state == OPEN and not self._busy and self._reader.phase != IDLE:
            self._tell_of_break()
        self._state = GONE
        self._held.clear()
        self._outlet.forget()
        self._reader.ready.clear()
        self._reader.end()
        self.factory.closed(self)

    # Reading and answering.

    def _take(self, data: bytes) -> None:
        reader = self._reader
        while data:
            data = reader.feed(data)
            if reader.ready and not self._answer_ready():
                self._held += data
                return
        self._settle()

    def _settle(self) -> None:
        """All that came has been answered: see what it leaves us in the middle of."""
        reader = self._reader
        if reader.phase != self._phase:
            self._phase = reader.phase
            self._since = self.factory.now
        if reader.wants_continue:
            reader.wants_continue = False
            self._write(CONTINUE)
        if self._input_ended:
            self._end()

    def _answer_ready(self) -> bool:
        """
        Answer what is ready, and write all the answers at once.

        Returns:
            whether the next request may be begun.
        """
        ready = self._reader.ready
        answers = b""
        while ready:
            request, keep = ready.popleft()
            if isinstance(request, Problem):
                self._tell_of_refusal(request)
                self._write(answers + self._answer(problem_response(request), keep))
                self._end(linger=True)
                return False
            try:
                # Of a coroutine as of a Deferred, this is something with `send` and `throw`.
                waiting: Any = self._handle(request).__await__()
                awaited = waiting.send(None)
            except StopIteration as done:
                response = done.value
            except Exception:
                response = _fault()
            else:
                if isinstance(awaited, Deferred):
                    if answers:
                        self._write(answers)
                    self._busy = True
                    awaited.addBoth(self._wake, waiting, keep, request.method == "HEAD")
                    return False
                response = _foreign(waiting)
            answers += self._answer(response, keep, request.method == "HEAD")
            if keep == CLOSE or self.factory.shutting_down:
                self._write(answers)
                self._end(linger=self._reader.surplus)
                return False
            if len(answers) > PIECE:
                self._write(answers)
                answers = b""
                if not self._may_begin():
                    return False
        self._phase = IDLE
        self._since = self.factory.now
        self._write(answers)
        return self._may_begin()

    def _may_begin(self) -> bool:
        return self._state == OPEN and not self._busy and not self._outlet.congested

    def _answer(self, response: Response, keep: int, without_body: bool = False) -> bytes:
        if self.factory.shutting_down:
            keep = CLOSE
        try:
            return self._encode(response, keep, without_body)
        except Exception:
            return self._encode(_fault(), keep, without_body)

    def _wake(self, result: Any, waiting: Any, keep: int, head: bool) -> None:
        """Go on with the coroutine ``waiting``: what it awaited has a result."""
        try:
            if isinstance(result, Failure):
                awaited = result.throwExceptionIntoGenerator(waiting)
            else:
                awaited = waiting.send(result)
        except StopIteration as done:
            response = done.value
        except Exception:
            response = _fault()
        else:
            if isinstance(awaited, Deferred):
                awaited.addBoth(self._wake, waiting, keep, head)
                return
            response = _foreign(waiting)
        self._busy = False
        if self._state != OPEN:
            return
        self._phase = IDLE
        self._since = self.factory.now
        self._write(self._answer(response, keep, head))
        if keep == CLOSE or self.factory.shutting_down:
            self._end(linger=self._reader.surplus or bool(self._held))
        elif not self._outlet.congested:
            self._go_on()

    def _go_on(self) -> None:
        """Take up what was left while we were busy or congested."""
        if self._state != OPEN:
            if self._state == ENDING:
                self._end()
            return
        if self._reader.ready and not self._answer_ready():
            return
        if self._held:
            data = bytes(self._held)
            self._held.clear()
            self._take(data)
        else:
            self._settle()
        if self._reading_paused and not self._held and self._state == OPEN:
            self._reading_paused = False
            self.transport.resumeProducing()

    def _sent_some(self) -> None:
        self._since = self.factory.now

    # Ending.

    def _end(self, linger: bool = False) -> None:
        """Close the connection when everything is sent; with ``linger``, wait for the client to notice."""
        if self._state not in (OPEN, ENDING):
            return
        if self._input_ended and self._state == OPEN and self._reader.phase != IDLE:
            self._tell_of_break()
        self._reader.end()
        self._held.clear()
        self._since = self.factory.now
        if self._reading_paused:
            self._reading_paused = False
            self.transport.resumeProducing()
        self._linger_wanted = self._linger_wanted or linger
        if self._outlet.congested:
            self._state = ENDING
        elif self._linger_wanted and self._outlet.direct and not self._input_ended:
            # The half-open state is for plain sockets; TLS has a farewell of its own.
            self._state = LINGERING
            self.transport.loseWriteConnection()
        else:
            self._close()

    def _tell_of(self, status: int, reason: str) -> None:
        """Tell of a request that was not read to its end, if so much is known of it as its path."""
        begun = self._reader.begun()
        if begun is not None and not self._told:
            self._told = True
            self.factory.abandoned(begun, status, reason)

    def _tell_of_refusal(self, problem: Problem) -> None:
        advice = self.factory.advice if problem.status == 400 else ""
        self._tell_of(problem.status, f"the request could not be read: {'; '.join(problem.messages)}{advice}")

    def _tell_of_break(self) -> None:
        so_far = self._so_far()
        self._tell_of(0, f"the client closed the connection before the request was complete{so_far}")

    def _so_far(self) -> str:
        """Say what has come of a request that is not complete."""
        reader = self._reader
        begun = reader.begun()
        if reader.phase != BODY or begun is None:
            return ": its head has no end, which is an empty line"
        announced = begun.headers.get("content-length", "")
        if not announced:
            return f": {reader.body_size} bytes of its body came"
        return f": Content-Length announced {announced[:20]} bytes of body, and {reader.body_size} came"

    def _throw_away(self, data: bytes) -> None:
        self._lingered += len(data)
        if self._lingered > self._limits.linger_bytes:
            self._close()

    def _close(self) -> None:
        if self._state in (CLOSING, GONE):
            return
        self._state = CLOSING
        self._since = self.factory.now
        self._outlet.let_go()
        self.transport.loseConnection()

    def _abort(self) -> None:
        if self._state != GONE:
            self._state = CLOSING
            self._since = self.factory.now
            self.transport.abortConnection()

    def close_if_idle(self) -> None:
        """Close the connection unless something was asked on it that has no answer yet."""
        if self._may_begin() and self._reader.phase == IDLE:
            self._close()

    def give_up(self) -> None:
        """Close the connection at once, whatever is under way."""
        self._abort()

    def look_at_clock(self) -> None:
        """Close the connection if it waited too long for its client."""
        waited = self.factory.now - self._since - self._limits.sweep_interval
        limits = self._limits
        if self._state == LINGERING:
            if waited > limits.linger_timeout:
                self._close()
        elif self._state != OPEN or self._outlet.congested:
            if waited > limits.write_timeout:
                self._abort()
        elif self._busy:
            pass  # not the client's fault, and the storage has limits of its own
        elif self._phase == IDLE:
            if waited > limits.idle_timeout:
                self._close()
        elif (self._phase == HEAD and waited > limits.head_timeout) or (
            self._phase == BODY and waited > limits.body_timeout + self._reader.body_size / limits.body_rate
        ):
            late = Problem(408, "Request Timeout", "The request was not complete in time")
            self._tell_of(408, f"the request was not complete in time{self._so_far()}")
            self._write(self._answer(problem_response(late), CLOSE))
            self._end(linger=True)


def _fault() -> Response:
    """Write down the exception being handled, and return the answer that says nothing about it."""
    log.failure("A request could not be answered")
    return problem_response(internal_error())


def _foreign(waiting: Any) -> Response:
    """Put an end to a coroutine that awaits what is no Deferred, and return the answer."""
    waiting.close()
    log.error("A request could not be answered: its handler awaited what is no Deferred")
    return problem_response(internal_error())


def _address_text(address: IAddress) -> str:
    """Return a client's address without zone, IPv4 in its own spelling; empty when there is none."""
    host: str = getattr(address, "host", "") or ""
    host = host.partition("%")[0]
    if host.startswith("::ffff:") and "." in host:
        return host.removeprefix("::ffff:")
    return host
