"""
One MQTT connection: bytes on one side, requests to the app on the other.

Its session reads packets and says what is to be done; that is done here, in the order in which it came. The
next thing is begun when the one before is through, so that each sees the effects of those before it; or when
all that the one before does is to wait for the disk, since a device that sends a value every millisecond
must not be held up by a disk that takes five. How many may wait together is limited, and what
comes behind them stays unread.

A connection is *open*; or *ending*, when it is to be closed and the client has not yet read everything; or
*closing*; or *lost*, when there is no way to the client any more but there are messages of it to be carried
out, of which the last is its will; or *done*.

Nothing here ends the connection of a client that reads slowly. Who promised signs of life and gives none,
breaks the rules, or is taken over by a second connection of the same client is closed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from txpachube.api.messages import Request, Response
from txpachube.api.problems import Problem
from txpachube.server.storage.appended import Appended
from txpachube.server.transports.driving import drive
from txpachube.server.transports.http_output import Outlet
from txpachube.server.transports.mqtt_channel import Channel
from txpachube.server.transports.mqtt_outbox import Outbox
from txpachube.server.transports.paws_tcp import address_text, tune_socket
from txpachube.server.transports.slowness import Slowness
from txpachube.wire.mqtt_encode import encode_publish
from txpachube.wire.mqtt_events import (
    ConnectRequest,
    Event,
    Ignored,
    SubscribeRequest,
    UnsubscribeRequest,
    WriteRequest,
)
from txpachube.wire.mqtt_packets import Violation
from txpachube.wire.mqtt_session import BAD_USER_NAME, SERVER_UNAVAILABLE, Session

if TYPE_CHECKING:
    from txpachube.server.transports.mqtt import MqttFactory

__all__ = ["MqttConnection"]

log = Logger()

OPEN, ENDING, CLOSING, LOST, DONE = range(5)


class MqttConnection(Protocol):
    """One connection; made by the factory of its listener."""

    factory: MqttFactory
    transport: Any

    def __init__(self, factory: MqttFactory) -> None:
        self.factory = factory
        self._limits = factory.limits
        self._state = OPEN
        self._finishing = False
        self._given_up = False
        self._input: bytes | bytearray = b""  # not read yet
        self._reading_held = False
        self._events: deque[Event] = deque()  # read, and not begun yet
        self._begun: object = None  # what the next one has to wait for
        self._going = False
        self._overlapping = 0
        self._overlapping_bytes = 0
        self._channels: dict[str, Channel] = {}  # by topic, ended ones too
        self._identity: tuple[str, str] | None = None
        self._when_done: list[Callable[[], None]] = []
        self._patience: float | None = factory.limits.connect_timeout
        self._since = 0.0  # when the client was last heard of, or the last progress in ending was made
        self._began = 0.0
        self._moved_at = 0.0  # when the last progress in sending was made
        self._slowness = Slowness(factory.limits.packet_timeout, factory.limits.packet_rate)
        self._host = ""
        self._outlet: Outlet
        self._outbox: Outbox
        self._session: Session

    # --- what the transport calls -----------------------------------------------------------------

    def connectionMade(self) -> None:
        """Begin to read."""
        transport, factory = self.transport, self.factory
        tune_socket(transport, self._limits.probe_interval)
        self._outlet = Outlet(transport, self._moved, self._free, self._abort)
        self._outbox = Outbox(self._outlet, factory.turn, self._limits)
        self._host = factory.host(address_text(transport.getHost()))
        self._session = Session(
            address_text(transport.getPeer()),
            factory.scheme(transport),
            self._limits.packet_bytes,
            self._limits.subscriptions,
        )
        factory.opened(self)
        self._since = self._began = factory.now

    def dataReceived(self, data: bytes) -> None:
        """Do what the client wants, or keep it until that is possible."""
        if self._state != OPEN:
            return
        self._since = self.factory.now
        if not self._input:
            self._input = data
            self._go_on()
        else:
            if isinstance(self._input, bytes):
                self._input = bytearray(self._input)
            self._input += data
        if self._outbox.packets:
            self._outbox.flush()
        if self._input and self._state == OPEN:
            self._hold_reading(len(self._input) > self._limits.held_bytes)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Carry out what had come, then the will."""
        self._outlet.forget()
        self._outbox.close()
        self._end_subscriptions()
        self._state = LOST
        self._go_on()

    # --- order ------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Begin what can be begun."""
        if self._going:
            return
        self._going = True
        events = self._events
        try:
            while (events or self._input) and self._may_begin():
                if events:
                    self._begin(events.popleft())
                else:
                    events.extend(self._session.receive(self._slice()))
        finally:
            self._going = False
        self._answer()
        if self._state == LOST:
            self._see_whether_done()
            return
        if self._reading_held and not self._input:
            self._hold_reading(False)
        if self._finishing and self._state == OPEN and not (events or self._input or self._waiting):
            self._end()

    def _may_begin(self) -> bool:
        limits = self._limits
        state = self._state
        return (
            (state == LOST or (state == OPEN and (self._finishing or not self._outlet.congested)))
            and self._begun is None
            and self._overlapping < limits.overlapping
            and self._overlapping_bytes < limits.overlapping_bytes
        )

    @property
    def _waiting(self) -> bool:
        """Whether anything that was begun is not through."""
        return self._begun is not None or self._overlapping > 0

    def _slice(self) -> bytes:
        """Take some of the input."""
        size = self._limits.slice_bytes
        data = self._input
        if len(data) <= size:
            self._input = b""
            return bytes(data)
        if isinstance(data, bytes):
            data = self._input = bytearray(data)
        taken = bytes(data[:size])
        del data[:size]
        return taken

    def _begin(self, event: Event) -> None:
        if isinstance(event, WriteRequest):
            self._write(event)
        elif isinstance(event, SubscribeRequest):
            self._subscribe(event)
        elif isinstance(event, UnsubscribeRequest):
            channel = self._channels.pop(event.topic, None)
            if channel is not None:
                channel.leave(self._outbox)
        elif isinstance(event, ConnectRequest):
            self._look_up(event)
        elif isinstance(event, Ignored):
            self.factory.count(event.reason)
        else:
            if isinstance(event, Violation):
                self.factory.count("violation")
                log.debug("an MQTT client broke the rules: {reason}", reason=event.reason)
            if self._state == OPEN:
                self._end()

    def _through(self, what: object) -> None:
        """Go on, if it was this that everything had to wait for."""
        if self._begun is what:
            self._begun = None
        if self._state != DONE:
            self._go_on()

    def _answer(self) -> None:
        """Send what the session has to say, unless the client does not read; then the session keeps it."""
        if self._state >= CLOSING or not self._outbox.congested:
            packets = self._session.data_to_send()
            if packets:
                self._outbox.post(packets)

    # --- letting in -------------------------------------------------------------------------------

    def _look_up(self, event: ConnectRequest) -> None:
        self._begun = event
        if event.key is None:
            self._let_in(event)
        else:
            drive(
                self.factory.knows(event.key),
                partial(self._known, event),
                partial(self._not_known, event),
            )

    def _known(self, event: ConnectRequest, valid: bool) -> None:
        if not valid:
            self._refuse(event, BAD_USER_NAME)
            return
        identity = self._session.identity
        if identity is None or self._state != OPEN:
            self._let_in(event)
            return
        self._identity = identity
        before = self.factory.take_place(identity, self)
        if before is None:
            self._let_in(event)
        else:
            self.factory.count("taken over")
            before.displace(partial(self._let_in, event))

    def _not_known(self, event: ConnectRequest, problem: BaseException) -> None:
        if not isinstance(problem, Problem):
            log.error("a key could not be looked up: {kind}", kind=type(problem).__name__)
        self._refuse(event, SERVER_UNAVAILABLE)

    def _let_in(self, event: ConnectRequest) -> None:
        self._events.extend(self._session.accept())
        self._patience = self._session.keep_alive_timeout
        self._through(event)

    def _refuse(self, event: ConnectRequest, code: int) -> None:
        self.factory.count("refused connection")
        self._session.refuse(code)
        if self._state == OPEN:
            self._end()
        self._through(event)

    # --- messages of the client -------------------------------------------------------------------

    def _write(self, write: WriteRequest) -> None:
        size = len(write.request.body)
        self._begun = write
        self._overlapping += 1
        self._overlapping_bytes += size
        waits_for = drive(self.factory.handle(write.request), self._written, self._not_written, write, size)
        if type(waits_for) is Appended and self._begun is write:
            self._begun = None

    def _written(self, write: WriteRequest, size: int, response: Response) -> None:
        if response.status >= 400:
            self.factory.count(str(response.status))
        self._carried_out(write, size)

    def _not_written(self, write: WriteRequest, size: int, problem: BaseException) -> None:
        log.error("a message could not be carried out: {kind}", kind=type(problem).__name__)
        self.factory.count("500")
        self._carried_out(write, size)

    def _carried_out(self, write: WriteRequest, size: int) -> None:
        self._overlapping -= 1
        self._overlapping_bytes -= size
        self._session.acknowledge(write)
        if self._begun is write:
            self._begun = None
        if self._going:
            return  # it was through at once
        if self._events or self._input or self._state != OPEN or self._finishing:
            if self._state != DONE:
                self._go_on()
        else:
            self._answer()

    # --- subscriptions ----------------------------------------------------------------------------

    def _subscribe(self, event: SubscribeRequest) -> None:
        if self._state != OPEN:
            return
        self._answer()  # the SUBACK goes before the first message
        request = event.request
        request.headers = {**request.headers, "host": self._host}
        self._begun = event
        if event.target is None:
            drive(self.factory.handle(request), partial(self._read, event), partial(self._not_read, event))
            return
        self._channels[event.topic] = self.factory.channels.join(
            event.topic, request, event.target, self._outbox, partial(self._through, event)
        )

    def _read(self, event: SubscribeRequest, response: Response) -> None:
        if response.status == 200:
            self._outbox.post(encode_publish(event.topic, response.body))
        self._through(event)

    def _not_read(self, event: SubscribeRequest, problem: BaseException) -> None:
        log.error("a message could not be made: {kind}", kind=type(problem).__name__)
        self._through(event)

    # --- ending -----------------------------------------------------------------------------------

    def displace(self, done: Callable[[], None]) -> None:
        """Close, because the client has another connection; ``done`` is called when the will is through."""
        if self._state == DONE:
            done()
        else:
            self._when_done.append(done)
            self._abort()

    def finish(self) -> None:
        """Close when all that has come has been carried out."""
        self._finishing = True
        if self._state == OPEN:
            self.transport.pauseProducing()
            self._go_on()

    def give_up(self) -> None:
        """Close at once; the will is begun, but not waited for."""
        self._given_up = True
        if self._state == LOST:
            self._done()
        else:
            self._abort()

    @property
    def subscription_count(self) -> int:
        """How many topics the client is subscribed to."""
        return len(self._channels)

    def look_at_clock(self) -> None:
        """Close the connection if nothing has been heard for longer than the client promised."""
        now, limits = self.factory.now - self._limits.sweep_interval, self._limits
        waited = now - self._since
        if self._state == OPEN:
            if (self._session.connect is None and now - self._began > limits.connect_timeout) or (
                self._patience is not None and waited > self._patience and not self._reading_held
            ):
                self.factory.count("silent client")
                self._abort()
            elif self._outlet.congested:
                if now - self._moved_at > limits.stalled_timeout:
                    self.factory.count("client that does not read")
                    self._abort()
            elif not (self._reading_held or self._waiting or self._events) and self._slowness.is_too_slow(
                now, self._session.packets, self._session.waiting
            ):
                self.factory.count("slow client")
                self._abort()
        elif self._state in (ENDING, CLOSING) and waited > limits.write_timeout:
            self._abort()

    def _end(self) -> None:
        """Close when everything is sent."""
        self._since = self.factory.now
        self._state = ENDING
        self._input = b""
        self._events.clear()
        self._end_subscriptions()
        if not self._outbox.congested:
            self._answer()
            self._outbox.flush()
        if not self._outbox.congested:
            self._close()

    def _close(self) -> None:
        self._state = CLOSING
        self._outbox.close()
        if self._reading_held or self._finishing:
            self.transport.resumeProducing()  # the farewell of TLS has to be read
        self._outlet.let_go()
        self.transport.loseConnection()

    def _abort(self) -> None:
        if self._state < LOST:
            self._state = CLOSING
            self._outbox.close()
            self.transport.abortConnection()

    def _end_subscriptions(self) -> None:
        for channel in self._channels.values():
            channel.leave(self._outbox)
        self._channels.clear()

    def _see_whether_done(self) -> None:
        if (self._events or self._input or self._waiting) and not self._given_up:
            return
        will = self._session.connection_lost()
        if will is None:
            self._done()
            return
        self._begun = will
        drive(self.factory.handle(will), partial(self._will_is_through, will), partial(self._no_will, will))
        if self._given_up:
            self._done()

    def _will_is_through(self, will: Request, response: Response) -> None:
        if response.status >= 400:
            self.factory.count(str(response.status))
        self._through(will)

    def _no_will(self, will: Request, problem: BaseException) -> None:
        log.error("a will could not be carried out: {kind}", kind=type(problem).__name__)
        self._through(will)

    def _done(self) -> None:
        if self._state == DONE:
            return
        self._state = DONE
        self._events.clear()
        self._input = b""
        if self._identity is not None:
            self.factory.leave_place(self._identity, self)
        self.factory.closed(self)
        waiting, self._when_done = self._when_done, []
        for done in waiting:
            done()

    # --- pressure ---------------------------------------------------------------------------------

    def _hold_reading(self, hold: bool) -> None:
        if hold != self._reading_held and self._state == OPEN and not self._finishing:
            self._reading_held = hold
            if hold:
                self.transport.pauseProducing()
            else:
                self._since = self.factory.now
                self._slowness.start_again(self.factory.now)
                self.transport.resumeProducing()

    def _moved(self) -> None:
        self._moved_at = self.factory.now
        if self._state != OPEN:
            self._since = self.factory.now

    def _free(self) -> None:
        """Send what has waited; the client has read what was sent."""
        if self._state == OPEN:
            self._outbox.catch_up(self._answer)
            if not self._outbox.congested:
                self._go_on()
        elif self._state == ENDING:
            self._answer()
            self._outbox.flush()
            if not self._outbox.congested:
                self._close()
