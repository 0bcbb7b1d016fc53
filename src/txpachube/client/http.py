"""
The client over HTTP.

One call is: build the request, carry it, and, when that failed in a way that allows it, wait and carry it
again; then make the result of the answer. All of that, the waits included, has one deadline.

The methods of a call are in `txpachube.client.methods`; here is what makes them go.
"""

from __future__ import annotations

import os
import random as system_random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast

import attrs
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    clientFromString,
    wrapClientTLS,
)
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IAgent

from txpachube.client import _calls
from txpachube.client._calls import Call, Parameters, Prepared
from txpachube.client.address import (
    DEFAULT_URL,
    FEED_VARIABLE,
    KEY_VARIABLE,
    URL_VARIABLE,
    ServiceAddress,
    checked_key,
)
from txpachube.client.exchange import MAX_RESPONSE_SIZE, Carrier, Interrupted, NotSent, Unreadable
from txpachube.client.failures import response_error
from txpachube.client.methods import Methods
from txpachube.client.pool import ConnectionPool
from txpachube.client.retry import REPEATABLE_METHODS, RetryPolicy, seconds_from_retry_after
from txpachube.errors import CallFailed, ConnectionFailed, NotFound, RequestTimeout, UnexpectedResponse

__all__ = ["Client"]

DEFAULT_TIMEOUT: Final = 30.0
"""Seconds a call may take in all. A person waits that long; a sensor's next value comes later."""

_T = TypeVar("_T")

_log = Logger()


class Client(Methods):
    """
    Calls the API over HTTP.

    Every method returns a `Deferred`, so that it can be awaited, yielded by ``inlineCallbacks``, or turned
    into a future of asyncio with ``asFuture``. The call has begun when the method returns. Cancelling the
    Deferred closes the connection the call was on. A failure is always one of `txpachube.errors`.

    What is not given is taken from the environment variables ``PACHUBE_API_KEY``, ``PACHUBE_FEED_ID`` and
    ``PACHUBE_URL``, and the address from there is ``http://127.0.0.1:8000``, the service of this project.

    Args:
        api_key: for calls that name none. It is sent in a header and shown nowhere.
        feed_id: for calls that name none.
        use_http: turns an ``https`` base URL into ``http``.
        timezone: for the times in answers: a place such as ``London``, or hours such as ``-3.5``.
        base_url: of the service.
        reactor: the one to use; without it the installed one.
        agent: carries the requests instead of the client's own connections.
        endpoint: connects to the service instead of what the base URL says, as an endpoint or its string
            description, such as ``unix:/run/pachube.sock``.
        timeout: seconds a call may take, with connecting, all attempts and the whole answer.
        retry: when and how often a call is repeated; `NO_RETRIES` for never.
        max_response_size: bytes an answer may have.
        random: gives numbers from 0 to 1, for the waits between attempts.
        now: gives the seconds since 1970, for a service that says until when it is to be left alone.
        environ: the environment variables.

    Raises:
        InvalidValue: the base URL or the key can't be one.
    """

    def __init__(
        self,
        api_key: str | None = None,
        feed_id: int | str | None = None,
        use_http: bool = False,
        timezone: str | float | None = None,
        *,
        base_url: str | None = None,
        reactor: Any = None,
        agent: IAgent | None = None,
        endpoint: IStreamClientEndpoint | str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        retry: RetryPolicy | None = None,
        max_response_size: int = MAX_RESPONSE_SIZE,
        random: Callable[[], float] = system_random.random,
        now: Callable[[], float] = time.time,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._api_key = checked_key(api_key if api_key is not None else environ.get(KEY_VARIABLE, ""))
        self.feed_id = feed_id if feed_id is not None else environ.get(FEED_VARIABLE) or None
        self.timezone = None if timezone is None else str(timezone)
        self.timeout = timeout
        self._retry = RetryPolicy() if retry is None else retry
        self._random = random
        self._now = now
        if reactor is None:
            # Importing the reactor installs one; a program must have had its chance to choose another.
            from twisted.internet import reactor as installed  # noqa: PLC0415 - see above

            reactor = installed
        self._clock: IReactorTime = reactor
        address = ServiceAddress.from_url(
            base_url if base_url is not None else environ.get(URL_VARIABLE) or DEFAULT_URL, use_http=use_http
        )
        self.base_url = address.url
        self._closed = False
        self._carrier: Carrier
        if agent is not None:
            from txpachube.client.agent import AgentCarrier  # noqa: PLC0415 - twisted.web is slow to import

            self._carrier = AgentCarrier(agent, address, max_response_size)
        else:
            self._carrier = ConnectionPool(
                _endpoint(reactor, address, endpoint), address, self._clock, max_response_size
            )

    def __repr__(self) -> str:
        feed = "" if self.feed_id is None else f" feed {self.feed_id}"
        return f"<Client {self.base_url}{feed}>"

    def close(self) -> Deferred[None]:
        """
        Close all connections; calls under way fail. Fires when everything is closed.

        A program that ends need not call it.
        """
        self._closed = True
        return self._carrier.close()

    def _perform(
        self,
        call: Call[_T],
        api_key: str | None,
        format: str = "json",  # noqa: A002 - as in the public methods
        data: object = None,
        parameters: Parameters | None = None,
        **ids: Any,
    ) -> Deferred[_T]:
        progress = _Progress(self._clock.seconds() + self.timeout)

        async def perform() -> _T:
            if ids.get("feed_id", "") is None:
                ids["feed_id"] = self.feed_id
            prepared = _calls.build(
                call,
                api_key=self._api_key if api_key is None else checked_key(api_key),
                format=format,
                data=data,
                parameters=parameters,
                timezone=self.timezone,
                **ids,
            )
            progress.shown = _calls.described(prepared, self.base_url)
            return await self._result(prepared, progress)

        return Deferred.fromCoroutine(perform()).addTimeout(self.timeout, self._clock, progress.timed_out)

    async def _result(self, prepared: Prepared[_T], progress: _Progress) -> _T:
        """Carry a request, again if need be, and return its result."""
        request = prepared.request
        repeatable = request.method in REPEATABLE_METHODS
        failures = 0
        perhaps_done = False
        while True:
            error: CallFailed
            asked_wait: float | None = None
            try:
                response = await self._carrier.exchange(request)
                if response.status != 503 or not repeatable:
                    break
                may_repeat = True
                error = response_error(response, progress.shown, prepared.secrets)
                asked_wait = seconds_from_retry_after(dict(response.extra).get("Retry-After"), self._now())
            except NotSent as problem:
                may_repeat = not problem.lasting
                error = _caused(ConnectionFailed(progress.shown, problem.reason), problem)
            except Interrupted as problem:
                may_repeat = perhaps_done = repeatable
                error = _caused(ConnectionFailed(progress.shown, problem.reason), problem)
            except Unreadable as problem:
                raise UnexpectedResponse(problem.status, "", [problem.reason], progress.shown) from None
            failures += 1
            wait = max(asked_wait or 0.0, self._retry.delay(failures, self._random))
            in_time = self._clock.seconds() + wait < progress.deadline
            if self._closed or not (may_repeat and in_time and failures < self._retry.attempts):
                raise error
            progress.last_failure = str(error).removeprefix(f"{progress.shown}: ")
            _log.info("{error}; trying again in {wait:.2f} s", error=error, wait=wait)
            await deferLater(self._clock, wait)
        try:
            return _calls.interpret(prepared, response, self.base_url)
        except NotFound:
            if perhaps_done and request.method == "DELETE":
                return cast("_T", True)  # an earlier attempt did it, only its answer was lost
            raise


@attrs.define
class _Progress:
    """
    How far a call has come.

    Attributes:
        deadline: when it must be over, on the reactor's clock.
        shown: the method and the URL without its query; empty until that is known.
        last_failure: why the last attempt failed.
    """

    deadline: float
    shown: str = ""
    last_failure: str = ""

    def timed_out(self, _: object, seconds: float) -> Failure:
        """Return the failure of a call that took so long."""
        after = f" (before that: {self.last_failure})" if self.last_failure else ""
        error = RequestTimeout(self.shown, f"no complete answer within {seconds:g} s{after}")
        return Failure(error)


def _caused(error: ConnectionFailed, problem: NotSent | Interrupted) -> ConnectionFailed:
    error.__cause__ = problem
    return error


def _endpoint(
    reactor: Any, address: ServiceAddress, given: IStreamClientEndpoint | str | None
) -> IStreamClientEndpoint:
    if isinstance(given, str):
        endpoint: IStreamClientEndpoint = clientFromString(reactor, given)
        return endpoint
    if given is not None:
        return given
    plain: IStreamClientEndpoint
    if isIPAddress(address.host):  # only names need the resolver, which takes a thread
        plain = TCP4ClientEndpoint(reactor, address.host, address.port)
    elif isIPv6Address(address.host):
        plain = TCP6ClientEndpoint(reactor, address.host, address.port)
    else:
        plain = HostnameEndpoint(reactor, address.host, address.port)
    if address.scheme == "http":
        return plain
    from twisted.internet.ssl import optionsForClientTLS  # noqa: PLC0415 - OpenSSL is slow to import

    return wrapClientTLS(optionsForClientTLS(address.host), plain)
