"""
The door for old devices: the HTTP door with `txpachube.wire.sloppy_http` in front of its parser.

What a device sends becomes strict HTTP first, and from there on everything is as it is at the ordinary
door: one grammar, the same limits, answers in order, each in one write. Two things differ:

- The head of a request is held back until it is complete, so only the machine in front knows that one has
  begun; it is asked, so that the time for a head runs from its first byte.
- What follows the last request of a connection is thrown away until the device closes as well. A sketch
  prints a line end after the body, in a packet of its own; were the connection closed by then, that packet
  would be answered with a reset, which can destroy the answer before the sketch has read it.

This door must not stand behind a proxy: a proxy that reads the same bytes in another way would let one
client's request hide in another's. Hence it is a listener of its own, and never believes what a proxy
would say about the client's address.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IReactorTime

from txpachube.api.messages import Request
from txpachube.api.problems import Problem
from txpachube.server.transports.asking import Abandoned, Handle, nobody_cares
from txpachube.server.transports.http import HTTPFactory
from txpachube.server.transports.http_head import origin_form
from txpachube.server.transports.http_limits import Limits
from txpachube.server.transports.http_request import CLOSE, HEAD, IDLE, PIECE, RequestReader
from txpachube.wire.sloppy_http import DeviceHttp, Refused

__all__ = ["DeviceHTTPFactory", "DeviceReader"]

_TITLES: Final = {400: "Bad Request", 431: "Request Header Fields Too Large"}


class DeviceReader:
    """
    Splits what one device sends into requests: a `RequestReader` behind a `DeviceHttp`.

    Args:
        limits: see there.
        peer: the device's address as text.
        scheme: ``http`` or ``https``.

    Attributes:
        ready: as in `RequestReader`.
        surplus: always: devices go on sending after their last request.
    """

    surplus = True

    def __init__(self, limits: Limits, peer: str = "", scheme: str = "http") -> None:
        self._device = DeviceHttp()
        self._peer = peer
        self._scheme = scheme
        self._begun: Request | None = None
        self._strict = RequestReader(limits, peer, scheme)
        self.ready: deque[tuple[Request | Problem, int]] = self._strict.ready

    @property
    def phase(self) -> int:
        """IDLE, HEAD or BODY."""
        return self._strict.phase or (HEAD if self._device.in_request else IDLE)

    @property
    def body_size(self) -> int:
        """Bytes received of the body so far."""
        return self._strict.body_size

    @property
    def wants_continue(self) -> bool:
        """The device waits for ``100 Continue`` before it sends the body."""
        return self._strict.wants_continue

    @wants_continue.setter
    def wants_continue(self, wanted: bool) -> None:
        self._strict.wants_continue = wanted

    def feed(self, data: bytes) -> bytes:
        """
        Read on, a piece at a time.

        Returns:
            what was not read yet: give it back after what is ready has been answered.
        """
        strict = self._device.receive(data[:PIECE])
        while strict:
            strict = self._strict.feed(strict)
        refused = self._device.refused
        if refused is not None and not self._strict.ended:
            self._begun = self.begun()
            self.ready.append((_problem(refused), CLOSE))
            self._strict.end()
        return data[PIECE:]

    def begun(self) -> Request | None:
        """Return what has come of the request that is not complete, or of the one that was refused."""
        if self._begun is not None:
            return self._begun
        lines = self._device.head_lines
        if not lines:
            return self._strict.begun()
        method, _, rest = lines[0].decode("latin-1").strip().partition(" ")
        path, _, query = origin_form(rest.strip().partition(" ")[0]).partition("?")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, _, value = line.decode("latin-1").partition(":")
            headers.setdefault(name.strip().lower(), value.strip())
        return Request(method.upper(), path, query, headers, b"", self._peer, self._scheme)

    def end(self) -> None:
        """Read nothing more."""
        self._strict.end()


class DeviceHTTPFactory(HTTPFactory):
    """Makes the connections of a listener for devices; the arguments are those of `HTTPFactory`."""

    advice = ""

    def __init__(
        self,
        handle: Handle,
        *,
        reactor: IReactorTime,
        clock: Callable[[], int],
        random: Callable[[int], bytes],
        limits: Limits | None = None,
        abandoned: Abandoned = nobody_cares,
    ) -> None:
        super().__init__(
            handle, reactor=reactor, clock=clock, random=random, limits=limits, abandoned=abandoned
        )

    def reader(self, peer: str, scheme: str) -> DeviceReader:
        """Return what reads the requests of a new connection."""
        return DeviceReader(self.limits, peer, scheme)


def _problem(refused: Refused) -> Problem:
    return Problem(refused.status, _TITLES[refused.status], refused.reason[0].upper() + refused.reason[1:])
