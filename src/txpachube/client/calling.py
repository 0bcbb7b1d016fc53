"""
What every client does, whatever carries its requests.

One call is: build the request, carry it, and, when that failed in a way that allows it, wait and carry it
again; then make the result of the answer. All of that, the waits included, has one deadline.

The methods of a call are in `txpachube.client.methods`; here is what makes them go. A subclass brings the
carrier.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from txpachube.client import _calls
from txpachube.client._calls import Call, Parameters, Prepared
from txpachube.client.address import FEED_VARIABLE, KEY_VARIABLE, checked_key
from txpachube.client.exchange import Carrier, Interrupted, NotSent, Unreadable
from txpachube.client.failures import response_error
from txpachube.client.methods import Methods
from txpachube.client.retry import REPEATABLE_METHODS, RetryPolicy, seconds_from_retry_after
from txpachube.errors import CallFailed, ConnectionFailed, NotFound, RequestTimeout, UnexpectedResponse

__all__ = ["DEFAULT_TIMEOUT", "CallingClient", "reactor_or_installed"]

DEFAULT_TIMEOUT: Final = 30.0
"""Seconds a call may take in all. A person waits that long; a sensor's next value comes later."""

_T = TypeVar("_T")

_log = Logger()


def reactor_or_installed(reactor: Any) -> Any:
    """Return the reactor, or the installed one in place of None."""
    if reactor is None:
        # Importing the reactor installs one; a program must have had its chance to choose another.
        from twisted.internet import reactor as installed  # noqa: PLC0415 - see above

        return installed
    return reactor


class CallingClient(Methods):
    """
    Makes the calls. The arguments are described with the clients.

    Attributes:
        feed_id: for calls that name none.
        timezone: for the times in answers, or None.
        timeout: seconds a call may take.
        base_url: of the service, as errors show it.
    """

    # The subclass sets both before the first call.
    base_url: str
    _carrier: Carrier

    def __init__(
        self,
        api_key: str | None,
        feed_id: int | str | None,
        timezone: str | float | None,
        *,
        clock: IReactorTime,
        timeout: float,
        retry: RetryPolicy | None,
        random: Callable[[], float],
        now: Callable[[], float],
        environ: Mapping[str, str],
    ) -> None:
        self._api_key = checked_key(api_key if api_key is not None else environ.get(KEY_VARIABLE, ""))
        self.feed_id = feed_id if feed_id is not None else environ.get(FEED_VARIABLE) or None
        self.timezone = None if timezone is None else str(timezone)
        self.timeout = timeout
        self._retry = RetryPolicy() if retry is None else retry
        self._random = random
        self._now = now
        self._clock = clock
        self._closed = False

    def __repr__(self) -> str:
        feed = "" if self.feed_id is None else f" feed {self.feed_id}"
        return f"<{type(self).__name__} {self.base_url}{feed}>"

    def _key(self, api_key: str | None) -> str:
        """Return the key of a call that was given this one."""
        return self._api_key if api_key is None else checked_key(api_key)

    def _obstacle(self) -> str:
        """Return what keeps all calls from going on at present, for the text of an error; or nothing."""
        return ""

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
                api_key=self._key(api_key),
                format=format,
                data=data,
                parameters=parameters,
                timezone=self.timezone,
                **ids,
            )
            progress.shown = _calls.described(prepared, self.base_url)
            return await self._result(prepared, progress)

        def timed_out(_: object, seconds: float) -> Failure:
            return Failure(progress.timed_out(seconds, self._obstacle()))

        return Deferred.fromCoroutine(perform()).addTimeout(self.timeout, self._clock, timed_out)

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

    def timed_out(self, seconds: float, obstacle: str) -> RequestTimeout:
        """
        Return the error of a call that took so long.

        Args:
            seconds: how long.
            obstacle: what was in its way; without any, why the last attempt failed is told.
        """
        before = f"before that: {self.last_failure}" if self.last_failure else ""
        reason = obstacle or before
        after = f" ({reason})" if reason else ""
        return RequestTimeout(self.shown, f"no complete answer within {seconds:g} s{after}")


def _caused(error: ConnectionFailed, problem: NotSent | Interrupted) -> ConnectionFailed:
    error.__cause__ = problem
    return error
