"""
The socket door on WebSocket: one JSON object in each message, in both directions.

The protocol itself is that of the `websockets` library, without its input and output. Any path is taken,
and pages of any origin, because the key decides and not the page. Old pages send text without its last
brace, which is forgiven; text that is no JSON at all is answered, not punished.

Messages may be packed in both directions; what a client sends is unpacked up to the limit of a message and
no further. Neither side keeps its dictionary from one message to the next: that would cost each idle
connection some 40 KiB. So small messages gain nothing by packing and are sent as they are, and so are
pushes, which go to many at a time.

The pushes of one commit leave in one write. While a client does not read, it is not read either.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from websockets.exceptions import PayloadTooBig
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.protocol import SEND_EOF, State
from websockets.server import ServerProtocol
from websockets.typing import ExtensionParameter

from txpachube.server.transports.http_output import Outlet
from txpachube.server.transports.paws_session import PawsSession
from txpachube.server.transports.paws_tcp import PawsFactory, address_text, tune_socket
from txpachube.server.transports.slowness import Slowness
from txpachube.wire.paws import Incoming, read_message
from txpachube.wire.paws_answers import statement
from txpachube.wire.paws_subscriptions import Subscription

__all__ = ["PawsWebSocketConnection", "PawsWebSocketFactory"]

PACKED_FROM: Final = 2048
"""Bytes of a message from which on it is packed: lists of feeds and histories, not single values."""

_TEXT_FRAME: Final = 0x81  # the first byte: all of a text message

_SILENT: Final = logging.getLogger("txpachube.websocket")
"""What the library has to say of broken connections; it would quote what clients sent."""
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False
_SILENT.setLevel(logging.CRITICAL)


class _SparingDeflate(PerMessageDeflate):
    """Packs what is worth it."""

    def encode(self, frame: Frame) -> Frame:
        return frame if len(frame.data) < PACKED_FROM else super().encode(frame)


class _SparingDeflateFactory(ServerPerMessageDeflateFactory):
    def process_request_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> tuple[list[ExtensionParameter], PerMessageDeflate]:
        answered, found = super().process_request_params(params, accepted_extensions)
        return answered, _SparingDeflate(
            found.remote_no_context_takeover,
            found.local_no_context_takeover,
            found.remote_max_window_bits,
            found.local_max_window_bits,
            found.compress_settings,
        )


_DEFLATE: Final = _SparingDeflateFactory(
    server_no_context_takeover=True,
    client_no_context_takeover=True,
    server_max_window_bits=12,
    client_max_window_bits=12,
    compress_settings={"memLevel": 5},
)


class PawsWebSocketFactory(PawsFactory):
    """Makes the connections of a listener for WebSocket."""

    def make(self) -> PawsWebSocketConnection:
        """Return the protocol of a new connection."""
        return PawsWebSocketConnection(self)

    def wire(self, message: bytes) -> bytes:
        """Return a message as a frame that is not packed."""
        # Frame.serialize would do, ten times as slowly; this much of RFC 6455 is no secret.
        size = len(message)
        if size < 126:
            return bytes((_TEXT_FRAME, size)) + message
        if size < 1 << 16:
            return b"%c%c%b%b" % (_TEXT_FRAME, 126, size.to_bytes(2, "big"), message)
        return b"%c%c%b%b" % (_TEXT_FRAME, 127, size.to_bytes(8, "big"), message)


class PawsWebSocketConnection(Protocol):
    """One connection; made by the factory of its listener."""

    factory: PawsWebSocketFactory
    transport: Any

    def __init__(self, factory: PawsWebSocketFactory) -> None:
        self.factory = factory
        self._socket = ServerProtocol(
            extensions=[_DEFLATE], max_size=factory.limits.message_bytes, logger=_SILENT
        )
        self._session: PawsSession | None = None  # once there is a WebSocket
        self._peer = ""
        self._scheme = "http"
        self._parts: list[bytes] = []  # of a message that comes in several frames
        self._joined: list[bytes] = []  # frames of pushes, until the end of the commit
        self._joined_bytes = 0
        self._reading_held = False
        self._pending_held = False
        self._lingered = 0
        self._closing = False
        self._gone = False
        self._since = 0.0  # when the connection began, began to end, or was last heard of
        self._began = 0.0
        self._unread = 0  # bytes of a frame that is not complete
        self._finished = 0  # how often messages were complete
        self._slowness = Slowness(factory.limits.message_timeout, factory.limits.message_rate)
        self._outlet: Outlet
        self._write: Callable[[bytes], None]

    # --- what the transport calls -----------------------------------------------------------------

    def connectionMade(self) -> None:
        """Wait for the handshake."""
        transport = self.transport
        self._outlet = Outlet(transport, self._moved, self._free, self.give_up)
        self._write = self._outlet.write
        tune_socket(transport, self.factory.limits.probe_interval)
        self._scheme = self.factory.scheme(transport)
        self._peer = address_text(transport.getPeer())
        self.factory.opened(self)
        self._since = self._began = self.factory.now

    def dataReceived(self, data: bytes) -> None:
        """Read messages and answer them."""
        if self._closing:
            self._lingered += len(data)
            if self._lingered > self.factory.limits.linger_bytes:
                self.give_up()
            return
        self._since = self.factory.now
        websocket = self._socket
        websocket.receive_data(data)
        incoming: list[Incoming] = []
        self._unread += len(data)
        for event in websocket.events_received():
            self._unread = 0
            if isinstance(event, Frame):
                self._take_frame(event, incoming)
            elif isinstance(event, Handshake):
                self._open(event)
        if incoming and self._session is not None:
            self._finished += 1
            self._session.take(incoming, len(data))
        if isinstance(websocket.parser_exc, PayloadTooBig) and not self._closing:
            limit = self.factory.limits.message_bytes
            text = statement(400, f"Bad Request: a message may have at most {limit} bytes")
            self._flush()
            self._write(self.factory.wire(text))
        self._send_protocol()
        self._hold()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget everything."""
        self._gone = self._closing = True
        if self._session is not None:
            self._session.gone()
        self._joined.clear()
        self._outlet.forget()
        self.factory.closed(self)

    # --- reading ----------------------------------------------------------------------------------

    def _open(self, handshake: Handshake) -> None:
        websocket = self._socket
        websocket.send_response(websocket.accept(handshake))
        self._send_protocol()  # before any answer
        if websocket.state is State.OPEN:
            name = _host_name(handshake) or address_text(self.transport.getHost())
            self._session = PawsSession(self.factory, self, self.factory.host(name))

    def _take_frame(self, frame: Frame, incoming: list[Incoming]) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            if not frame.fin:
                self._parts.append(bytes(frame.data))
                return
            text = bytes(frame.data)
            if self._parts:
                text = b"".join((*self._parts, text))
                self._parts.clear()
            incoming.append(
                read_message(
                    text,
                    self._peer,
                    self._scheme,
                    forgiving=True,
                    max_object=self.factory.limits.message_bytes,
                )
            )

    def _send_protocol(self) -> None:
        """Send what the protocol itself has to say: the handshake, pongs, the end."""
        for data in self._socket.data_to_send():
            if data != SEND_EOF:
                self._write(data)
            else:
                self._close()

    # --- what the session calls -------------------------------------------------------------------

    @property
    def congested(self) -> bool:
        """Whether the client does not read what was sent already."""
        return self._outlet.congested

    def send(self, message: bytes) -> None:
        """Send an answer."""
        if self._socket.state is State.OPEN and not self._closing:
            self._flush()
            if len(message) < PACKED_FROM:
                self._write(self.factory.wire(message))
            else:
                self._socket.send_text(message)
                self._send_protocol()

    def push(self, subscription: Subscription, document: bytes) -> None:
        """Send a document to a subscriber, together with the others of the same commit."""
        if self._socket.state is not State.OPEN or self._closing:
            return
        events = self.factory.events
        if not self._joined and events.telling:
            events.at_end_of_commit(self._flush)
        frame = self.factory.pushed(subscription, document)
        self._joined.append(frame)
        self._joined_bytes += len(frame)
        if not events.telling or self._joined_bytes >= self.factory.limits.joined_bytes:
            self._flush()

    def _flush(self) -> None:
        joined = self._joined
        if joined:
            data = joined[0] if len(joined) == 1 else b"".join(joined)
            self._joined = []
            self._joined_bytes = 0
            self._write(data)

    def hold_reading(self, hold: bool) -> None:
        """Stop to read, or go on with it."""
        self._pending_held = hold
        self._hold()

    def _hold(self) -> None:
        hold = self._pending_held or self._outlet.congested
        if hold != self._reading_held and not self._closing:
            self._reading_held = hold
            if hold:
                self.transport.pauseProducing()
            else:
                self._slowness.start_again(self.factory.now)
                self.transport.resumeProducing()

    def end(self, *, linger: bool) -> None:
        """Say goodbye; the client closes the connection then."""
        self._say_goodbye(CloseCode.GOING_AWAY)

    def _say_goodbye(self, code: CloseCode) -> None:
        self._since = self.factory.now
        if self._socket.state is State.OPEN and not self._closing:
            self._flush()
            self._socket.send_close(code)
            self._send_protocol()

    # --- housekeeping -----------------------------------------------------------------------------

    @property
    def subscription_count(self) -> int:
        """How many subscriptions the client has."""
        session = self._session
        return 0 if session is None else session.subscription_count

    def look_at_clock(self) -> None:
        """Send a sign of life, or close the connection if it waited too long for its client."""
        limits, factory = self.factory.limits, self.factory
        waited = factory.now - self._since - limits.sweep_interval
        session = self._session
        if self._closing or (session is not None and self._socket.state is not State.OPEN):
            if waited > (limits.write_timeout if self._outlet.congested else limits.linger_timeout):
                self.give_up()
        elif session is None:
            if factory.now - self._began - limits.sweep_interval > limits.handshake_timeout:
                self.give_up()
        elif self._outlet.congested:
            if waited > limits.stalled_timeout:
                self.give_up()
        elif (
            not self._reading_held
            and self._slowness.is_too_slow(
                factory.now - limits.sweep_interval,
                self._finished,
                self._unread + sum(map(len, self._parts)),
            )
        ) or session.abandoned():
            self.finish()
        elif waited > limits.ping_interval:
            self._since = factory.now
            self._socket.send_ping(b"")
            self._send_protocol()

    def finish(self) -> None:
        """Close when what is being answered has been answered."""
        if self._session is not None and self._socket.state is State.OPEN:
            self._session.finish()
        else:
            self._close()

    def give_up(self) -> None:
        """Close at once."""
        if not self._gone:
            self._closing = True
            self.transport.abortConnection()

    def _moved(self) -> None:
        self._since = self.factory.now

    def _free(self) -> None:
        if self._closing:
            self._end_transport()
            return
        if self._session is not None:
            self._session.way_is_free()
            self._flush()
        self._hold()

    def _close(self) -> None:
        if not self._closing:
            self._closing = True
            self._since = self.factory.now
            if not self._outlet.congested:
                self._end_transport()

    def _end_transport(self) -> None:
        if self._socket.parser_exc is not None and self._outlet.direct:
            # The client may still be sending what we didn't like; closing at once would reset the
            # connection and take the reason along.
            self.transport.loseWriteConnection()
        else:
            self._outlet.let_go()
            self.transport.loseConnection()


def _host_name(handshake: Handshake) -> str:
    """Return the name under which a client reached us, without the port; empty when it doesn't say."""
    try:
        return urlsplit(f"//{handshake.headers.get('Host', '')}").hostname or ""
    except (ValueError, LookupError):  # a port that is none, or several of them
        return ""
