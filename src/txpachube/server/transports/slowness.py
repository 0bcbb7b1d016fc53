"""
Messages that take too long to arrive.

A client that sends a byte now and then looks alive, and holds a connection and memory with a message that it
never finishes. So there is a limit on the whole time a message takes, which grows with what did arrive: a
slow line has its time. It is looked at with the listener's timer, so that an ordinary message, which
comes in one piece, costs nothing.
"""

from __future__ import annotations

__all__ = ["Slowness"]


class Slowness:
    """
    How long the present message of one connection takes.

    Args:
        timeout: seconds that any message may take ...
        rate: ... and one more for so many bytes of it that did arrive.
    """

    __slots__ = ("_finished", "_rate", "_since", "_timeout")

    def __init__(self, timeout: float, rate: int) -> None:
        self._timeout = timeout
        self._rate = rate
        self._since = 0.0
        self._finished: object = None

    def is_too_slow(self, now: float, finished: object, waiting: int) -> bool:
        """
        Return whether the client takes too long; to be asked now and then.

        Args:
            now: the time in seconds.
            finished: something that is another each time a message was finished.
            waiting: bytes of a message that is not complete.
        """
        if not waiting or finished != self._finished:
            self._finished = finished
            self._since = now
            return False
        return now - self._since > self._timeout + waiting / self._rate

    def start_again(self, now: float) -> None:
        """Count from now on: it was we who did not read."""
        self._since = now
