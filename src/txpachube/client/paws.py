"""
The client of the socket server.

It makes the same calls as `txpachube.client.Client`, over one lasting connection, and subscribes to feeds
and datastreams. What makes calls is `txpachube.client.calling`, what connects again and again
`txpachube.client.paws_connection`, and what lets no subscriber miss anything `txpachube.client.following`.
"""

from __future__ import annotations

import os
import random as system_random
import time
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure

from txpachube.client.address import hidden
from txpachube.client.calling import DEFAULT_TIMEOUT, CallingClient, reactor_or_installed
from txpachube.client.following import Following
from txpachube.client.paws_address import DEFAULT_SOCKET, SOCKET_VARIABLE, SocketAddress
from txpachube.client.paws_connection import DISCONNECTED, LastingConnection
from txpachube.client.paws_line import Line, LineEndpoint
from txpachube.client.paws_session import Session
from txpachube.client.retry import RetryPolicy
from txpachube.client.subscription import Handler, Subscription
from txpachube.errors import ConnectionFailed, InvalidValue, RequestTimeout
from txpachube.wire.paws_calls import MAX_REPLY, Push
from txpachube.wire.resources import split_resource, subscription_target

__all__ = ["PAWSClient"]

_T = TypeVar("_T")


class PAWSClient(CallingClient):
    """
    Calls the API over a socket, and subscribes to what changes.

    It has every method of `Client`, with the same arguments, results and errors. Connect it first::

        client = PAWSClient("KEY", 504)
        await client.connect()
        async for environment in client.subscribe("/feeds/504"):
            ...

    When the connection breaks it makes a new one, subscribes again, and hands over what was missed
    (`txpachube.client.subscription`). Calls that were under way are sent again, within their time, if
    doing them twice does no harm (``GET``, ``PUT``, ``DELETE``); a ``POST`` fails with `ConnectionFailed`.
    A call made while there is no connection waits for the next one.

    What is not given is taken from the environment variables ``PACHUBE_API_KEY``, ``PACHUBE_FEED_ID`` and
    ``PACHUBE_PAWS``, and the address from there is ``tcp://127.0.0.1:8081``, the service of this project.

    Args:
        api_key: for calls and subscriptions that name none. It is sent in messages and shown nowhere.
        feed_id: for calls that name none.
        url: where the socket server is: ``tcp://``, ``tls://``, ``ws://``, ``wss://``, or the description of
            an endpoint such as ``tcp:127.0.0.1:8081``.
        endpoint: connects to the service instead of what the URL says, as an endpoint or its description; the
            URL then says only what is spoken. Without a URL that is lines of JSON.
        timezone: for the times in answers: a place such as ``London``, or hours such as ``-3.5``.
        replay: after a break, read what was missed from the history and hand it over first.
        reactor: the one to use; without it the installed one.
        timeout: seconds a call may take, with waiting for a connection, all attempts and the whole answer.
        retry: when and how often a call is repeated, and how long to wait between attempts to connect, which
            are made until `disconnect`.
        max_message_size: bytes a message of the service may have.
        random: gives numbers from 0 to 1, for the waits between attempts.
        now: gives the seconds since 1970, for a service that says until when it is to be left alone.
        environ: the environment variables.

    Raises:
        InvalidValue: the address or the key can't be one.
    """

    def __init__(
        self,
        api_key: str | None = None,
        feed_id: int | str | None = None,
        url: str | None = None,
        *,
        endpoint: IStreamClientEndpoint | str | None = None,
        timezone: str | float | None = None,
        replay: bool = True,
        reactor: Any = None,
        timeout: float = DEFAULT_TIMEOUT,
        retry: RetryPolicy | None = None,
        max_message_size: int = MAX_REPLY,
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
        if isinstance(endpoint, str):
            connects = SocketAddress.from_text(endpoint)
            spoken = connects if url is None else SocketAddress.from_text(url)
            endpoint = connects.endpoint(reactor)
        elif endpoint is not None:
            spoken = SocketAddress("socket:") if url is None else SocketAddress.from_text(url)
        else:
            spoken = SocketAddress.from_text(url or environ.get(SOCKET_VARIABLE) or DEFAULT_SOCKET)
            endpoint = spoken.endpoint(reactor)
        self.base_url = spoken.url
        self._replay = replay
        self._tokens = count(1)
        self._followed: dict[str, Following] = {}
        self._probed = 0
        make_line = _line_maker(spoken, self._clock, max_message_size)
        self._connection = LastingConnection(
            lambda: LineEndpoint(endpoint, make_line, self._clock, spoken.url),
            self._clock,
            lambda failures: self._retry.delay(failures, self._random),
            _News(self),
        )
        self._carrier = self._connection

    # The connection

    @property
    def connected(self) -> bool:
        """Whether there is a connection at this moment."""
        return self._connection.session is not None

    def connect(self) -> Deferred[bool]:
        """
        Connect; fires with True once that is done, or with False when the first attempt fails.

        Either way the client goes on connecting whenever there is no connection, until `disconnect`.
        Cancelling is like `disconnect`, as long as there is no connection.
        """
        self._closed = False
        return self._connection.connect()

    def disconnect(self) -> Deferred[bool]:
        """
        Close the connection; fires with True when nothing of it is left.

        Subscriptions end, and calls that are under way fail.
        """
        self._closed = True
        for following in list(self._followed.values()):
            error = ConnectionFailed(self._shown(following.subscription.resource), DISCONNECTED)
            self._forget(following, unanswered=Failure(error))
        return self._connection.close().addCallback(lambda _: True)

    def close(self) -> Deferred[None]:
        """Do the same as `disconnect`; fires with None, as with `Client`."""
        return self.disconnect().addCallback(lambda _: None)

    # Subscriptions

    def subscribe(
        self,
        resource: str,
        handler: Handler | None = None,
        *,
        api_key: str | None = None,
        replay: bool | None = None,
    ) -> Subscription:
        """
        Hear of every change of a feed or a datastream.

        Args:
            resource: ``/feeds/ID`` or ``/feeds/ID/datastreams/DATASTREAM``.
            handler: is called with an `Environment` or a `Datastream` each time. When it fails, that is
                logged and changes nothing. Without one, iterate over what this method returns.
            api_key: in place of the client's.
            replay: in place of the client's.

        Returns:
            A pair of a token and a Deferred that fires with the status, 200; and more, see `Subscription`.
        """
        subscription = Subscription(
            f"s{next(self._tokens)}", resource, handler, self._end, self._consumer_changed
        )
        following: Following | None = None
        try:
            following = self._following(subscription, api_key, self._replay if replay is None else replay)
        except InvalidValue:
            subscription.finish(Failure())
            return subscription
        if not self._connection.started:
            reason = "the client is not connected: call connect() first"
            subscription.finish(Failure(ConnectionFailed(self._shown(resource), reason)))
            return subscription
        self._followed[subscription.token] = following
        self._limit_time(following)
        if self._connection.session is not None:
            following.opened(self._connection.session)
        return subscription

    def unsubscribe(self, resource: str, token: str) -> Deferred[bool]:
        """
        End a subscription; fires with True, also when there was none.

        Args:
            resource: as it was given to `subscribe`.
            token: as `subscribe` returned it.
        """
        following = self._followed.get(token)
        if following is None or following.subscription.resource != resource:
            return succeed(True)
        return self._end(following.subscription)

    def _following(self, subscription: Subscription, api_key: str | None, replay: bool) -> Following:
        resource = subscription.resource
        path, query = split_resource(resource)
        target = subscription_target(path)
        if target is None or query:
            raise InvalidValue(
                "resource", hidden if query else resource, "/feeds/ID or /feeds/ID/datastreams/DATASTREAM"
            )
        return Following(
            subscription,
            target,
            self._key(api_key),
            self,
            self._clock,
            lambda failures: self._retry.delay(failures, self._random),
            replay=replay,
            shown=self._shown(resource),
        )

    def _shown(self, resource: str) -> str:
        return f"SUBSCRIBE {self.base_url}{resource.partition('?')[0]}"

    def _limit_time(self, following: Following) -> None:
        """End a subscription that the service does not answer in time."""
        subscription = following.subscription

        def too_late() -> None:
            obstacle = self._obstacle()
            after = f" ({obstacle})" if obstacle else ""
            reason = f"no answer within {self.timeout:g} s{after}"
            error = RequestTimeout(self._shown(subscription.resource), reason)
            session = self._connection.session
            if session is not None:
                following.leave(session).addErrback(lambda _: None)
            self._forget(following, Failure(error))

        timer = self._clock.callLater(self.timeout, too_late)

        def answered(_: object) -> None:
            if timer.active():
                timer.cancel()

        subscription.answered.addCallback(answered)

    def _end(self, subscription: Subscription) -> Deferred[bool]:
        following = self._followed.get(subscription.token)
        if following is None:
            subscription.finish()
            return succeed(True)
        self._forget(following)
        session = self._connection.session
        if session is None:
            return succeed(True)  # the service forgot it together with the line
        done: Deferred[Any] = following.leave(session).addTimeout(self.timeout, self._clock)
        return done.addBoth(_true_unless_cancelled)

    def _forget(
        self, following: Following, failure: Failure | None = None, unanswered: Failure | None = None
    ) -> None:
        self._followed.pop(following.subscription.token, None)
        following.broken()
        following.subscription.finish(failure, unanswered)

    def _consumer_changed(self, subscription: Subscription) -> None:
        following = self._followed.get(subscription.token)
        if following is None:
            return
        if subscription.over:
            del self._followed[subscription.token]
            following.broken()
        elif subscription.drained:
            following.drained()
        self._connection.set_congested(any(each.subscription.congested for each in self._followed.values()))

    def _obstacle(self) -> str:
        return self._connection.obstacle


class _News:
    """What the connection tells of, for the subscriptions of a client."""

    def __init__(self, client: PAWSClient) -> None:
        self._client = client

    def opened(self, session: Session) -> None:
        """Subscribe to everything."""
        for following in list(self._client._followed.values()):
            following.opened(session)

    def broken(self) -> None:
        """Let everything wait."""
        for following in list(self._client._followed.values()):
            following.broken()

    def pushed(self, push: Push) -> None:
        """Find out whom it concerns."""
        following = self._client._followed.get(push.token or "")
        if following is not None:
            following.pushed(push.document)

    def probe(self, session: Session) -> Deferred[Any] | None:
        """Ask for one of the subscriptions whether it still holds; another one each time."""
        followed = list(self._client._followed.values())
        if not followed:
            return None
        self._client._probed += 1
        following = followed[self._client._probed % len(followed)]
        return following.ask(session).addCallback(following.judge)


def _line_maker(address: SocketAddress, clock: Any, max_reply: int) -> Callable[[], Line]:
    if not address.is_websocket:
        return lambda: Line(clock, max_reply)
    from txpachube.client.websocket import WebSocketLine  # noqa: PLC0415 - it is an extra

    secure = address.scheme == "wss"
    return lambda: WebSocketLine(clock, secure, address.host, address.port, address.path, max_reply)


def _true_unless_cancelled(result: Any) -> Any:
    """Whatever the service says, the subscription is over."""
    return result if isinstance(result, Failure) and result.check(CancelledError) else True
