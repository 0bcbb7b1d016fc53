"""
Doors in front of a service in this process, each asked by a bare client of its protocol.

A door carries what its protocol can carry and says so (`Door.carries`); what comes back is brought into one
form, so that the same exchange can be tried everywhere:

================= ====================================================================================
in-process        the app itself, without a door
http              the HTTP door, on a socket
device-http       the door for old devices, on a socket
http-bytes        the HTTP door in memory, byte by byte
device-http-bytes the same for the device door
paws              JSON messages on TCP
websocket         the same on WebSocket
mqtt              a write is published, and acknowledged without saying what became of it; what is read is
                  subscribed to, and the first message is it
================= ====================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from twisted.internet.task import Clock

from txpachube.server.transports.device_http import DeviceHTTPFactory
from txpachube.server.transports.http import HTTPFactory
from txpachube.server.transports.mqtt import MqttFactory
from txpachube.server.transports.paws_tcp import PawsTCPFactory
from txpachube.server.transports.paws_websocket import PawsWebSocketFactory
from txpachube.testing.doors.base import HOST, Direct, Door
from txpachube.testing.doors.http import HttpBytes, HttpSocket
from txpachube.testing.doors.lines import Listening
from txpachube.testing.doors.mqtt import Mqtt
from txpachube.testing.doors.paws import Frames, Lines, Paws
from txpachube.testing.exchanges import Exchange
from txpachube.testing.inprocess import InProcess

__all__ = ["BASE_URL", "DOORS", "Door", "doors_of", "open_door"]

BASE_URL: Final = f"http://{HOST}"
"""What URLs begin with in answers to requests for the usual host."""


async def _http(
    kind: type[HTTPFactory], service: InProcess, reactor: Any, *, in_memory: bool = False
) -> HttpSocket | HttpBytes:
    clock = Clock()
    factory = kind(
        service.app.handle,
        reactor=clock,
        clock=lambda: service.now,
        random=lambda count: b"\x5a" * count,
    )
    listening = Listening(factory, reactor, clock)
    if in_memory:
        return HttpBytes(factory, reactor, listening.close)
    await listening.open()
    return HttpSocket(await listening.connect(), listening.connect, listening.close)


async def _paws(service: InProcess, reactor: Any, *, web: bool = False) -> Paws:
    clock = Clock()
    kind = PawsWebSocketFactory if web else PawsTCPFactory
    factory = kind(
        service.app.handle,
        service.app.authorise,
        service.events,
        reactor=clock,
        clock=lambda: service.now,
    )
    listening = await Listening(factory, reactor, clock).open()
    line = await listening.connect()
    if not web:
        return Paws(line, Lines(), listening.close)
    frames = Frames(listening.port)
    line.write(frames.greeting())
    await line.until(frames.opened)
    return Paws(line, frames, listening.close)


async def _mqtt(service: InProcess, reactor: Any) -> Mqtt:
    factory = MqttFactory(
        service.app.handle,
        service.app.authorise,
        service.app.knows,
        service.events,
        reactor=reactor,  # what is sent goes out at the end of its turn
        clock=lambda: service.now,
    )
    listening = await Listening(factory, reactor).open()
    door = Mqtt(await listening.connect(), service, listening.close)
    await door.start()
    return door


async def open_door(name: str, service: InProcess, reactor: Any) -> Door:
    """
    Open a door and connect to it.

    Args:
        name: one of `DOORS`.
        service: what is behind it; for ``mqtt``, whose messages name no host, it needs a base URL.
        reactor: a running Twisted reactor.
    """
    if name == "in-process":
        return Direct(service)
    if name == "mqtt":
        return await _mqtt(service, reactor)
    if name in ("paws", "websocket"):
        return await _paws(service, reactor, web=name == "websocket")
    kind = DeviceHTTPFactory if name.startswith("device") else HTTPFactory
    return await _http(kind, service, reactor, in_memory=name.endswith("-bytes"))


DOORS: Final[Mapping[str, type[Door]]] = {
    "in-process": Direct,
    "http": HttpSocket,
    "http-bytes": HttpBytes,
    "device-http": HttpSocket,
    "device-http-bytes": HttpBytes,
    "paws": Paws,
    "websocket": Paws,
    "mqtt": Mqtt,
}
"""Their names, and what asks at them."""


def doors_of(exchange: Exchange) -> list[str]:
    """
    Return the names of the doors at which an exchange can be tried.

    Everything in it must be carried there. At ``mqtt``, where little can be asked, it is enough when
    something is, but no request may need what was in an answer before.
    """
    found = []
    for name, door in DOORS.items():
        if exchange.doors is not None and name.removesuffix("-bytes") not in exchange.doors:
            continue
        carried = [
            step.question is None or door.carries(step.question, step.answer) for step in exchange.steps
        ]
        if any(carried) and not exchange.remembers if name == "mqtt" else all(carried):
            found.append(name)
    return found
