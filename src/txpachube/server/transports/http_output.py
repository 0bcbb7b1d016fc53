"""
The way out of a connection: as directly as the transport allows, and no further than the client reads.

A plain socket is offered the data at once and nearly always takes all of it. Going through the transport's
buffer instead costs a turn of the event loop and three system calls for each answer. What the socket
does not take goes through the buffer after all, piece by piece, as a pull producer; other transports
(TLS) always get their data that way, with us as a push producer.

From the moment that something is left over until it is gone the outlet is *congested*.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.tcp import Connection
from zope.interface import implementer

__all__ = ["PIECE", "Outlet"]

PIECE = 64 * 1024
"""Bytes given to a congested transport at a time; each piece that leaves counts as progress."""


@implementer(IPushProducer)
class Outlet:
    """
    Sends bytes to one transport.

    Args:
        transport: where to.
        moved: called when a congested transport has taken something.
        free: called when it is congested no longer.
        broken: called when the socket turns out to be dead.

    Attributes:
        direct: the transport is a plain socket.
        congested: what was written is not all on its way yet.
    """

    def __init__(
        self,
        transport: Any,
        moved: Callable[[], None],
        free: Callable[[], None],
        broken: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._moved = moved
        self._free = free
        self._broken = broken
        self._unsent = memoryview(b"")
        self._send: Callable[[bytes], int] | None = None
        self.direct = isinstance(transport, Connection)
        self.congested = False
        if self.direct:
            self._send = transport.getHandle().send
        else:
            transport.registerProducer(self, True)

    def write(self, data: bytes) -> None:
        """Send the data, after all that was given before."""
        if self._unsent:
            self._unsent = memoryview(bytes(self._unsent) + data)
        elif self._send is None:
            self._unsent = memoryview(data)
            self._write_pieces()
        elif self.congested:
            self._transport.write(data)
        else:
            try:
                sent = self._send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                self._broken()
                return
            if sent < len(data):
                self._unsent = memoryview(data)[sent:]
                self.congested = True
                self._moved()
                # Now we are asked for more whenever the transport has sent everything it had.
                self._transport.registerProducer(self, False)

    def let_go(self) -> None:
        """Allow the transport to close when it has sent what it has."""
        if not self.direct:
            self._transport.unregisterProducer()

    def forget(self) -> None:
        """The connection is gone: drop what is unsent, and all references."""
        self._unsent = memoryview(b"")
        self._send = self._transport = None
        self._moved = self._free = self._broken = _nothing

    def pauseProducing(self) -> None:
        """Note that the transport has more than enough to send."""
        self._moved()  # the time without progress begins
        self.congested = True

    def resumeProducing(self) -> None:
        """Give the transport more; when there is no more, say that the way is free."""
        self._moved()
        if not self.direct:
            self.congested = False
            self._write_pieces()
        elif self._unsent:
            self._write_piece()
        else:
            self._transport.unregisterProducer()
            self.congested = False
        if not self.congested:
            self._free()

    def stopProducing(self) -> None:
        """Do nothing: the connection learns of its end by itself."""

    def _write_piece(self) -> None:
        piece, self._unsent = self._unsent[:PIECE], self._unsent[PIECE:]
        self._transport.write(bytes(piece))

    def _write_pieces(self) -> None:
        while self._unsent and not self.congested:
            self._write_piece()


def _nothing() -> None:
    pass
