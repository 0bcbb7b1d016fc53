"""The client over HTTP: its calls go over connections of its own, or through an agent."""

from __future__ import annotations

import os
import random as system_random
import time
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.iweb import IAgent

from txpachube.client.address import DEFAULT_URL, URL_VARIABLE, ServiceAddress
from txpachube.client.calling import DEFAULT_TIMEOUT, CallingClient, reactor_or_installed
from txpachube.client.endpoints import endpoint_to
from txpachube.client.exchange import MAX_RESPONSE_SIZE
from txpachube.client.pool import ConnectionPool
from txpachube.client.retry import RetryPolicy

__all__ = ["Client"]


class Client(CallingClient):
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
        reactor = reactor_or_installed(reactor)
        super().__init__(
            api_key,
            feed_id,
            timezone,
            clock=reactor,
            timeout=timeout,
            retry=retry,
            random=random,
            now=now,
            environ=environ,
        )
        address = ServiceAddress.from_url(
            base_url if base_url is not None else environ.get(URL_VARIABLE) or DEFAULT_URL, use_http=use_http
        )
        self.base_url = address.url
        if agent is not None:
            from txpachube.client.agent import AgentCarrier  # noqa: PLC0415 - twisted.web is slow to import

            self._carrier = AgentCarrier(agent, address, max_response_size)
        else:
            self._carrier = ConnectionPool(
                _endpoint(reactor, address, endpoint), address, self._clock, max_response_size
            )

    def close(self) -> Deferred[None]:
        """
        Close all connections; calls under way fail. Fires when everything is closed.

        A program that ends need not call it.
        """
        self._closed = True
        return self._carrier.close()


def _endpoint(
    reactor: Any, address: ServiceAddress, given: IStreamClientEndpoint | str | None
) -> IStreamClientEndpoint:
    if isinstance(given, str):
        endpoint: IStreamClientEndpoint = clientFromString(reactor, given)
        return endpoint
    if given is not None:
        return given
    return endpoint_to(reactor, address.host, address.port, secure=address.scheme == "https")
