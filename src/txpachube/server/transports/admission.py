"""
Who may connect: how many connections an address may have, and how many new ones in a minute.

The doors share one `Admission`, or whoever finds one of them closed would go to the next. An address is
that of a machine with IPv4, and a network of 64 bits with IPv6, since that is what a household gets.
This machine itself is let in always, and so is what has no address: whoever connects from here, a proxy as
well, has better ways to do harm.

New connections are counted as in a bucket that fills up: an address that was quiet for a minute may open
as many at once as are allowed in a minute.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress

__all__ = ["Admission", "visitor"]

MOST_ADDRESSES: Final = 100_000
"""Addresses that are remembered; past that the one that was quiet for the longest time is forgotten."""

FORGOTTEN_AT_ONCE: Final = 2
"""Entries that may go with each that comes, so that there are ever fewer of those that tell nothing."""

_MINUTE: Final = 60.0


class Admission:
    """
    Counts the connections of each address.

    Args:
        connections: how many an address may have at a time; 0: as many as it likes.
        per_minute: how many new ones it may open in a minute; likewise.
        seconds: returns the time in seconds since some moment.
        exempt: says of an address, as `visitor` returns it, that it may do as it likes.

    Attributes:
        refused: connections that were turned away so far.
    """

    def __init__(
        self,
        connections: int,
        per_minute: int,
        seconds: Callable[[], float],
        exempt: Callable[[str], bool] | None = None,
    ) -> None:
        self.refused = 0
        self._connections = connections
        self._per_minute = per_minute
        self._seconds = seconds
        self._exempt = exempt or _is_this_machine
        self._open: dict[str, int] = {}
        # Of each address that opened one lately: how many it may open now, as of when.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admit(self, address: IAddress | None) -> str | None:
        """
        Decide about a new connection.

        Returns:
            What `leave` is to be told when it ends, "" when nothing; None: it is turned away.
        """
        who = visitor(address)
        if not who or self._exempt(who):
            return ""
        number = self._open.get(who, 0)
        if (self._connections and number >= self._connections) or not self._has_one_left(who):
            self.refused += 1
            return None
        self._open[who] = number + 1
        return who

    def leave(self, who: str) -> None:
        """Note the end of a connection."""
        number = self._open.get(who, 0)
        if number > 1:
            self._open[who] = number - 1
        else:
            self._open.pop(who, None)

    def _has_one_left(self, who: str) -> bool:
        if not self._per_minute:
            return True
        now = self._seconds()
        left, since = self._left.pop(who, (float(self._per_minute), now))
        left = min(self._per_minute, left + (now - since) * self._per_minute / _MINUTE)
        admitted = left >= 1
        self._left[who] = (left - 1 if admitted else left), now
        # Who was quiet for a minute needs no entry.
        for oldest, (_, when) in tuple(islice(self._left.items(), FORGOTTEN_AT_ONCE)):
            if now - when >= _MINUTE or len(self._left) > MOST_ADDRESSES:
                del self._left[oldest]
        return admitted


def visitor(address: object) -> str:
    """Return as whom a client counts: its IPv4 address, its IPv6 network, or "" when it has neither."""
    if not isinstance(address, IPv4Address | IPv6Address):
        return ""
    host: str = address.host.partition("%")[0]
    if host.startswith("::ffff:") and "." in host:
        return host.removeprefix("::ffff:")
    if ":" not in host or host == "::1":
        return host
    head, _, tail = host.partition("::")
    parts = head.split(":") if head else []
    if "::" in host:
        behind = tail.split(":") if tail else []
        parts += ["0"] * (8 - len(parts) - len(behind)) + behind
    return ":".join(part.lstrip("0") or "0" for part in parts[:4])


def _is_this_machine(who: str) -> bool:
    return who == "::1" or who.startswith("127.")
