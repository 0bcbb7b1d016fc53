"""
Upload the temperature and the watts of a Current Cost energy meter.

The meter is on a serial port (57600 baud) and sends a message every six seconds, and now and then its
history, which the service has already. The line is not reliable: messages arrive cut or garbled, and
such a message is dropped, since the next one is never far.

    PACHUBE_API_KEY=... PACHUBE_FEED_ID=504 python examples/current_cost.py /dev/ttyUSB0
"""

from __future__ import annotations

import os
import re
import sys
import termios
import tty
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.fdesc import readFromFD
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.task import react
from twisted.python.failure import Failure
from zope.interface import implementer

from txpachube import DecodeError, Environment, Error
from txpachube.client import Client
from txpachube.codecs import xmlsafe

MAX_MESSAGE = 64 * 1024  # the longest message of history has about 4 KiB
DEGREES = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
WATTS = re.compile(r"[+-]?\d+", re.ASCII)
CHANNELS = ("ch1", "ch2", "ch3")


class Messages:
    """Cuts what arrives from the meter into messages, ``<msg>`` to ``</msg>``."""

    def __init__(self) -> None:
        self._rest = b""

    def receive(self, data: bytes) -> list[bytes]:
        """Return the messages that are complete now. One that was cut off ends where the next begins."""
        *complete, rest = (self._rest + data).split(b"</msg>")
        self._rest = rest[-MAX_MESSAGE:]
        return [piece[piece.rindex(b"<msg>") :] + b"</msg>" for piece in complete if b"<msg>" in piece]


def values_of(message: bytes) -> dict[str, str]:
    """
    Return the values of a message by datastream: ``temperature``, and ``watts`` of all its channels together.

    Appliances with sensors of their own, numbered from 1, get datastreams of their own: ``watts-1``.
    A message of history, or one that is garbled, has no values.
    """
    try:
        root = xmlsafe.parse(message)
    except DecodeError:
        return {}
    temperature, sensor = root.findtext("tmpr", "").strip(), root.findtext("sensor", "0").strip()
    watts = [channel.findtext("watts", "").strip() for channel in root if channel.tag in CHANNELS]
    if not (watts and DEGREES.fullmatch(temperature) and all(map(WATTS.fullmatch, [sensor, *watts]))):
        return {}
    stream = f"watts-{int(sensor)}" if int(sensor) else "watts"
    return {"temperature": temperature, stream: str(sum(map(int, watts)))}


@implementer(IReadDescriptor)
class SerialLine:
    """Reads a serial port without blocking."""

    def __init__(self, path: str, receive: Callable[[bytes], object]) -> None:
        self.lost: Deferred[None] = Deferred()
        self._receive = receive
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._descriptor)
        settings = termios.tcgetattr(self._descriptor)
        settings[4] = settings[5] = termios.B57600
        termios.tcsetattr(self._descriptor, termios.TCSANOW, settings)

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "meter"

    def doRead(self) -> Any:
        return readFromFD(self._descriptor, self._receive)

    def connectionLost(self, reason: Failure) -> None:
        os.close(self._descriptor)
        self.lost.callback(None)


async def main(reactor: Any, port: str) -> None:
    client, messages = Client(reactor=reactor), Messages()
    newest: dict[str, str] = {}
    uploading = False

    async def upload() -> None:
        nonlocal uploading
        uploading = True
        while newest:  # there may be newer values when the service took its time
            house = Environment()
            for stream, value in newest.items():
                house.setCurrentValue(stream, value)
            printed = " ".join(f"{stream}={value}" for stream, value in newest.items())
            newest.clear()
            try:
                await client.update_feed(data=house)
                print(printed, flush=True)
            except Error as problem:
                print(problem, file=sys.stderr, flush=True)
        uploading = False

    def receive(data: bytes) -> None:
        for message in messages.receive(data):
            newest.update(values_of(message))
        if not uploading:
            Deferred.fromCoroutine(upload())

    line = SerialLine(port, receive)
    reactor.addReader(line)
    print(f"listening on {port}", flush=True)
    await line.lost
    print("the meter is gone", file=sys.stderr)


if __name__ == "__main__":
    react(main, sys.argv[1:2] or ["/dev/ttyUSB0"])
