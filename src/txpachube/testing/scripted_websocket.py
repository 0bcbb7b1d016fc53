"""A `ScriptedSocket` whose connections speak WebSocket; steps write messages, not bytes on the line."""

from __future__ import annotations

from twisted.internet.interfaces import IAddress
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from txpachube.testing.scripted import Line
from txpachube.testing.scripted_socket import ScriptedSocket, SocketLine

__all__ = ["ScriptedWebSocket", "WebSocketServerLine"]


class WebSocketServerLine(SocketLine):
    """
    One WebSocket, seen from the server.

    Attributes:
        path: what the client asked for.
        frames: those that arrived and are no messages: pings, pongs, the end.
    """

    def __init__(self, server: ScriptedSocket, number: int) -> None:
        super().__init__(server, number)
        self.path = ""
        self.frames: list[Frame] = []
        self._machine = ServerProtocol(max_size=None)

    def dataReceived(self, data: bytes) -> None:
        """Read messages."""
        self._machine.receive_data(data)
        for event in self._machine.events_received():
            if isinstance(event, Request):
                self.path = event.path
                self._machine.send_response(self._machine.accept(event))
                self.flush()
            elif isinstance(event, Frame):
                if event.opcode is Opcode.TEXT:
                    self.message_received(bytes(event.data))
                else:
                    self.frames.append(event)
        self.flush()

    def write(self, data: bytes) -> None:
        """Send a message in a frame, without its line end."""
        self._machine.send_text(data.removesuffix(b"\n"))
        self.flush()

    def write_raw(self, data: bytes) -> None:
        """Send bytes that are no frame."""
        self._stream.write(data)

    def ping(self) -> None:
        """Send a ping."""
        self._machine.send_ping(b"?")
        self.flush()

    def say_goodbye(self) -> None:
        """Begin to close in good order."""
        self._machine.send_close(1001)
        self.flush()

    def flush(self) -> None:
        """Send what there is to send."""
        for data in self._machine.data_to_send():
            if data:
                self._stream.write(data)
            else:
                self._stream.loseConnection()


class ScriptedWebSocket(ScriptedSocket):
    """Plays a script over WebSocket."""

    @property
    def url(self) -> str:
        """The URL for a client."""
        return f"ws://127.0.0.1:{self.port}"

    def buildProtocol(self, addr: IAddress | None) -> Line:
        """Take a connection."""
        return WebSocketServerLine(self, len(self.lines) + 1)
