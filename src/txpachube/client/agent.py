"""
Requests carried by an agent that the program brings along.

Anything that provides `twisted.web.iweb.IAgent` will do: one that goes through a proxy, one that counts,
or the in-memory one of a test. Connections are then the agent's business, and so is their number. The
client's own connections (`txpachube.client.pool`) need about half the time for a call.
"""

from __future__ import annotations

from typing import cast

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IConsumer, ITransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from txpachube.api.messages import Request, Response
from txpachube.client.address import ServiceAddress
from txpachube.client.connection import CANONICAL_NAMES, described
from txpachube.client.exchange import MAX_RESPONSE_SIZE, Interrupted, NotSent, Unreadable, cancellable

__all__ = ["AgentCarrier"]


class AgentCarrier:
    """
    Carries requests through an agent; see `Carrier`.

    Args:
        agent: provides `IAgent`.
        address: of the service.
        max_response_size: bytes the body of an answer may have.
    """

    def __init__(
        self, agent: IAgent, address: ServiceAddress, max_response_size: int = MAX_RESPONSE_SIZE
    ) -> None:
        self._agent = agent
        self._url = address.url
        self._max_response_size = max_response_size

    async def exchange(self, request: Request) -> Response:
        """Send a request, return its answer; see `Carrier`."""
        query = f"?{request.query_text}" if request.query_text else ""
        headers = Headers({"User-Agent": ["txpachube"]})
        for name, value in request.headers.items():
            headers.setRawHeaders(CANONICAL_NAMES[name], [value])
        has_body = bool(request.body) or request.method in {"PUT", "POST"}
        body = _BytesProducer(request.body) if has_body else None
        url = f"{self._url}{request.path}{query}"
        try:
            answer = await cancellable(
                self._agent.request(request.method.encode("ascii"), url.encode("ascii"), headers, body)
            )
            content = await _body_of(answer, self._max_response_size)
        except (Unreadable, CancelledError):
            raise
        except (ConnectError, DNSLookupError) as problem:
            raise NotSent(f"no connection: {described(problem)}") from problem
        except Exception as problem:
            raise Interrupted(
                f"the connection broke before the answer was complete: {_innermost(problem)}"
            ) from problem
        return _response(answer, content)

    def close(self) -> Deferred[None]:
        """Do nothing: who made the agent closes it."""
        return succeed(None)


def _response(answer: IResponse, content: bytes) -> Response:
    fields = cast("Headers", answer.headers)
    location, retry_after = fields.getRawHeaders("location"), fields.getRawHeaders("retry-after")
    return Response(
        int(answer.code),
        content,
        fields.getRawHeaders("content-type", [""])[0],
        location[0] if location else None,
        extra=(("Retry-After", retry_after[0]),) if retry_after else (),
    )


def _innermost(problem: BaseException) -> str:
    if isinstance(problem, ResponseFailed) and problem.reasons:
        return described(problem.reasons[-1].value)
    return described(problem)


def _body_of(answer: IResponse, limit: int) -> Deferred[bytes]:
    collector = _Collector(limit)
    answer.deliverBody(collector)
    return collector.body


class _Collector(Protocol):
    """Takes a body, up to a limit. Cancelling closes the connection, which Twisted's own reader does not."""

    def __init__(self, limit: int) -> None:
        self.body: Deferred[bytes] = Deferred(lambda _: self._close())
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= self._limit:
            self._pieces.append(data)
        elif not self.body.called:
            self.body.errback(Unreadable(0, f"the answer is larger than {self._limit} bytes"))
            self._close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.body.called:
            return
        # Without a stated length the end of the connection is the end of the body.
        if isinstance(reason.value, ResponseDone | PotentialDataLoss):
            self.body.callback(b"".join(self._pieces))
        else:
            self.body.errback(reason)

    def _close(self) -> None:
        cast("ITransport", self.transport).loseConnection()


@implementer(IBodyProducer)
class _BytesProducer:
    """Hands a body over at once; Twisted's own takes a turn of the reactor for each piece."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Nothing: everything is already handed over."""

    def resumeProducing(self) -> None:
        """Nothing, likewise."""

    def stopProducing(self) -> None:
        """Nothing, likewise."""
