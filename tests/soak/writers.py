"""
Devices that write through each of the doors, one request at a time.

Each `Writer` says what it wrote as soon as the door acknowledged it: an answer 200, or MQTT's
acknowledgement. They are as simple as a device's program, and block as it does.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final

from tests.soak.services import DOORS, PATIENCE, port_of
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from txpachube.testing.service import ServiceProcess
from txpachube.times import format_micros
from txpachube.wire.mqtt_decode import PacketReader
from txpachube.wire.mqtt_encode import encode
from txpachube.wire.mqtt_packets import PUBACK, Acknowledgement, Connack, Connect, Publish

__all__ = ["GONE", "WRITERS", "Refused", "Writer", "document", "open_writer"]

Values = Mapping[str, str]
"""Values by datastream."""

GONE: Final = (OSError, EOFError, http.client.HTTPException, WebSocketException)
"""What a service that was killed looks like."""


class Refused(Exception):
    """The service answered something else than that it stored the values."""


def document(values: Values, at: int) -> dict[str, object]:
    """Return an update of a feed."""
    moment = format_micros(at)
    return {
        "version": "1.0.0",
        "datastreams": [{"id": name, "current_value": value, "at": moment} for name, value in values.items()],
    }


class Writer:
    """A device with a connection to one of the doors."""

    def __init__(self, service: ServiceProcess) -> None:
        self._key = service.api_key

    def write(self, feed: int, values: Values, at: int) -> None:
        """
        Give datastreams values, and return when that is acknowledged.

        Raises:
            Refused: it is refused.
            OSError: the connection is gone; so are all others of `GONE`.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Close the connection."""
        raise NotImplementedError


class HttpWriter(Writer):
    """PUTs JSON through the HTTP door."""

    def __init__(self, service: ServiceProcess) -> None:
        super().__init__(service)
        self._line = http.client.HTTPConnection("127.0.0.1", port_of(service, "http"), timeout=PATIENCE)

    def write(self, feed: int, values: Values, at: int) -> None:
        body = json.dumps(document(values, at))
        self._line.request("PUT", f"/v2/feeds/{feed}.json", body, {"X-ApiKey": self._key})
        answer = self._line.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise Refused(answer.status, text)

    def close(self) -> None:
        self._line.close()


class SocketWriter(Writer):
    """Has a plain connection."""

    door = ""

    def __init__(self, service: ServiceProcess) -> None:
        super().__init__(service)
        self._line = socket.create_connection(("127.0.0.1", port_of(service, self.door)), PATIENCE)
        self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._data = b""

    def _more(self) -> None:
        data = self._line.recv(65536)
        if not data:
            raise EOFError
        self._data += data

    def _until(self, end: bytes) -> bytes:
        while end not in self._data:
            self._more()
        text, _, self._data = self._data.partition(end)
        return text

    def close(self) -> None:
        self._line.close()


class DeviceHttpWriter(SocketWriter):
    """PUTs CSV through the door for old devices, with the bare line feeds that some send."""

    door = "device-http"

    def write(self, feed: int, values: Values, at: int) -> None:
        moment = format_micros(at)
        body = "".join(f"{name},{moment},{value}\n" for name, value in values.items()).encode()
        head = (
            f"PUT /v2/feeds/{feed}.csv HTTP/1.1\nHost: x\nX-PachubeApiKey: {self._key}\n"
            f"Content-Length: {len(body)}\n\n"
        )
        self._line.sendall(head.encode() + body)
        answer = self._until(b"\r\n\r\n")
        lengths = [int(line[15:]) for line in answer.split(b"\r\n") if line.lower().startswith(b"content-l")]
        while len(self._data) < lengths[0]:
            self._more()
        text, self._data = self._data[: lengths[0]], self._data[lengths[0] :]
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise Refused(answer, text)


class PawsWriter(SocketWriter):
    """Puts JSON through the socket door on TCP."""

    door = "paws"

    def write(self, feed: int, values: Values, at: int) -> None:
        self._line.sendall(_message(feed, values, at, self._key).encode())
        _check(self._until(b"\n"))


class WebSocketWriter(Writer):
    """Puts JSON through the socket door on WebSocket."""

    def __init__(self, service: ServiceProcess) -> None:
        super().__init__(service)
        port = port_of(service, "websocket")
        self._opened = ExitStack()
        url = f"ws://127.0.0.1:{port}/"
        self._line: ClientConnection = self._opened.enter_context(connect(url, open_timeout=PATIENCE))

    def write(self, feed: int, values: Values, at: int) -> None:
        self._line.send(_message(feed, values, at, self._key))
        _check(self._line.recv(PATIENCE))

    def close(self) -> None:
        self._opened.close()


class MqttWriter(SocketWriter):
    """Publishes JSON with quality of service 1 through the MQTT door."""

    door = "mqtt"

    def __init__(self, service: ServiceProcess) -> None:
        super().__init__(service)
        self._packets = PacketReader()
        self._count = 0
        self._line.sendall(encode(Connect(4, "MQTT", "", user_name=self._key, keep_alive=0)))
        if (answer := self._packet()) != Connack(0):
            raise Refused(answer)

    def write(self, feed: int, values: Values, at: int) -> None:
        self._count = self._count % 60_000 + 1
        body = json.dumps(document(values, at)).encode()
        self._line.sendall(encode(Publish(f"/v2/feeds/{feed}.json", body, 1, packet_id=self._count)))
        if (answer := self._packet()) != Acknowledgement(PUBACK, self._count):
            raise Refused(answer)

    def _packet(self) -> object:
        while True:
            found = self._packets.receive(self._data)
            self._data = b""
            if found:
                return found[0]
            self._more()


def _message(feed: int, values: Values, at: int, key: str) -> str:
    return json.dumps(
        {
            "method": "put",
            "resource": f"/feeds/{feed}",
            "headers": {"X-ApiKey": key},
            "body": document(values, at),
        }
    )


def _check(answer: str | bytes) -> None:
    if json.loads(answer)["status"] != 200:
        raise Refused(answer)


WRITERS: Final[Mapping[str, type[Writer]]] = dict(
    zip(DOORS, (HttpWriter, DeviceHttpWriter, PawsWriter, WebSocketWriter, MqttWriter), strict=True)
)


def open_writer(service: ServiceProcess, door: str) -> Writer:
    """Return a device that is connected to a door."""
    return WRITERS[door](service)
