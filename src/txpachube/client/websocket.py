"""
A line to the socket server that speaks WebSocket (RFC 6455): one message in each text frame.

Framing and handshake are done by the half of ``websockets`` that does no input and output. It is wanted
by whoever connects to ``ws://`` or ``wss://``; a client that speaks TCP works without.

No compression is offered: a message has some hundred bytes, and a compressed connection costs the service
more memory than all the rest of it.
"""

from __future__ import annotations

import logging
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from txpachube.client.paws_line import CLOSE_SECONDS, Line
from txpachube.errors import Error
from txpachube.wire.paws_calls import MAX_REPLY, read_reply

try:
    from websockets.client import ClientProtocol
    from websockets.frames import Frame, Opcode
    from websockets.http11 import Response
    from websockets.protocol import State
    from websockets.uri import WebSocketURI
except ModuleNotFoundError as problem:
    if (problem.name or "").partition(".")[0] != "websockets":
        raise
    raise Error(
        "the address is that of a WebSocket, which is an extra of the client. Install it with:  "
        "pip install 'txpachube[websocket]'"
    ) from None

__all__ = ["WebSocketLine"]

_SILENT: Final = logging.getLogger("txpachube.client.websocket")
_SILENT.disabled = True  # it would log frames, and in the frames are keys

_GOING_AWAY: Final = 1001


class WebSocketLine(Line):
    """
    A connection that carries a message in each text frame.

    Args:
        clock: the reactor's.
        secure: whether the address is ``wss``.
        host: of the address.
        port: of the address.
        path: of the address.
        max_reply: bytes a message of the service may have.
    """

    def __init__(
        self,
        clock: IReactorTime,
        secure: bool,
        host: str,
        port: int,
        path: str = "/",
        max_reply: int = MAX_REPLY,
    ) -> None:
        super().__init__(clock, max_reply)
        uri = WebSocketURI(secure, host, port, path, "")
        self._machine = ClientProtocol(uri, max_size=max_reply, logger=_SILENT)
        self._parts: list[bytes] = []

    def send(self, message: bytes) -> None:
        """Send a message in a frame."""
        if self._connected and not self._closing and self._machine.state is State.OPEN:
            self._machine.send_text(message)
            self._flush()

    def dataReceived(self, data: bytes) -> None:
        """Feed the machine, hand over the replies in the frames it finds."""
        self._machine.receive_data(data)
        for event in self._machine.events_received():
            if isinstance(event, Frame):
                self._frame_received(event)
            elif isinstance(event, Response) and self._machine.handshake_exc is None:
                self.opened.callback(None)
        self._flush()
        if self._machine.handshake_exc is not None or self._machine.parser_exc is not None:
            self.abort()  # what could still come cannot be understood

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let go of what was half received."""
        self._parts.clear()
        super().connectionLost(reason)

    def _begin(self) -> None:
        self._machine.send_request(self._machine.connect())
        self._flush()

    def _say_goodbye(self) -> None:
        if self._machine.state is State.OPEN:
            self._machine.send_close(_GOING_AWAY)
            self._flush()
        else:
            self._stream.loseConnection()

    def _why_not_opened(self, problem: BaseException | None) -> str:
        refusal = self._machine.handshake_exc
        if refusal is None and self._machine.state is State.CONNECTING:
            self._machine.receive_eof()  # the body of a refusal may end with the connection
            refusal = self._machine.handshake_exc
            if refusal is not None and isinstance(refusal.__cause__, EOFError):
                refusal = None
        return super()._why_not_opened(problem) if refusal is None else f"no WebSocket there: {refusal}"

    def _flush(self) -> None:
        for data in self._machine.data_to_send():
            if data:
                self._stream.write(data)
            elif self._connected:
                self._stream.loseConnection()

    def _frame_received(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT or (frame.opcode is Opcode.CONT and self._parts):
            self._parts.append(bytes(frame.data))
            if frame.fin:
                message, self._parts = b"".join(self._parts), []
                self._deliver([read_reply(message)])
        elif frame.opcode is Opcode.CLOSE and not self._closing:
            self._closing = True
            # The service closes; if it does not, nobody would notice.
            self._grace = self._clock.callLater(CLOSE_SECONDS, self.abort)
