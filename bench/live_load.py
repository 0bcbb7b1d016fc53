"""
A load of one door, in a process of its own: plain sockets and one loop, which cost less than any server.

    python -m bench.live_load put DOOR PORT PID KEY SECONDS CONNECTIONS DEPTH FEEDS
    python -m bench.live_load fan-out DOOR PORT PID KEY SECONDS SUBSCRIBERS WINDOW [PAYLOAD-FILE]
    python -m bench.live_load hold DOOR PORT PID KEY COUNT

*put*: each connection keeps so many updates in flight, to one feed after the other, two values each; what is
counted are answers. Over MQTT these are publishes with quality of service 1 and their acknowledgements.

*fan-out*: one writer updates a feed, and all others are subscribed to it. There are as many updates in flight
as the window says: one counts as in flight until the last subscriber has it. With a payload the server
is a broker, and what is published is the payload itself; without one it is the service.

*hold*: so many connections are opened and left alone until the input ends; subscribed if the door's
name is followed by ``+``, and then they never read.

The first two print a line of JSON: what was counted, in how many seconds, the processor time that the server
with this process id used meanwhile, and delays by percentile. The last says ``ready``.
"""

from __future__ import annotations

import json
import os
import resource
import select
import socket
import sys
import time
from base64 import b64encode
from itertools import cycle
from pathlib import Path
from typing import Final

from websockets.frames import Frame, Opcode

from txpachube.wire.mqtt_decode import PacketReader
from txpachube.wire.mqtt_encode import encode
from txpachube.wire.mqtt_packets import Connack, Connect, Publish, Suback, Subscribe

PATIENCE = 20.0
FEED = "/feeds/1"
WARM_UP = 1.0


class Window:
    """
    The time in which is measured: some seconds after a warm-up.

    Attributes:
        over: it has ended.
    """

    def __init__(self, pid: int, seconds: float) -> None:
        self._pid = pid
        self._seconds = seconds
        self._start = time.perf_counter() + WARM_UP
        self._begun = self.over = False
        self._cpu = 0.0
        self._counted = 0
        self._report: dict[str, object] = {}

    def look(self, now: float, count: int, delays: list[float]) -> None:
        """Begin or end, if it is time to."""
        if not self._begun and now >= self._start:
            self._begun, self._start = True, now
            self._counted, self._cpu = count, cpu_seconds(self._pid)
            delays.clear()
        elif self._begun and not self.over and now >= self._start + self._seconds:
            self.over = True
            delays = sorted(delays)
            self._report = {
                "count": count - self._counted,
                "seconds": now - self._start,
                "cpu": cpu_seconds(self._pid) - self._cpu,
                "delays": {p: delays[len(delays) * p // 100] for p in (50, 99)} if delays else {},
            }

    def report(self, **more: object) -> None:
        """Print what was measured."""
        print(json.dumps({**self._report, **more}), flush=True)


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- what is said at which door ---------------------------------------------------------------------


class Http:
    """
    The language of a door.

    Attributes:
        mark: stands in the answer to each update, once.
        present: a subscriber is told the present state at once.
    """

    mark = b"HTTP/1.1 200"
    present = False

    def __init__(self, port: int, key: str) -> None:
        self.port = port
        self.key = key

    def connected(self, name: str) -> socket.socket:
        """Return a connection that has been let in."""
        made = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def put(self, feed: int, body: bytes) -> bytes:
        """Write an update."""
        head = (
            f"PUT /v2/feeds/{feed}.json HTTP/1.1\r\nHost: 127.0.0.1\r\nX-ApiKey: {self.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def subscribe(self) -> bytes:
        """Write a subscription to the feed."""
        raise NotImplementedError

    def is_subscribed(self, received: bytes) -> bool:
        """Say whether everything has come that answers a subscription."""
        return b'"status":200' in received


class Paws(Http):
    """JSON over TCP."""

    mark = b'"status":200'

    def put(self, feed: int, body: bytes) -> bytes:
        """Write an update."""
        return self._message("put", f"/feeds/{feed}", b',"body":' + body)

    def subscribe(self) -> bytes:
        """Write a subscription to the feed."""
        return self._message("subscribe", FEED)

    def _message(self, method: str, resource: str, more: bytes = b"") -> bytes:
        begin = f'{{"method":"{method}","resource":"{resource}","headers":{{"X-ApiKey":"{self.key}"}}'
        return begin.encode() + more + b"}"


class Websocket(Paws):
    """The same over WebSocket."""

    def connected(self, name: str) -> socket.socket:
        """Return a connection that has been let in."""
        made = super().connected(name)
        key = b64encode(bytes(16)).decode()
        made.sendall(
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n" % key.encode()
        )
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += made.recv(4096)
        assert b" 101 " in answer, answer
        return made

    def _message(self, method: str, resource: str, more: bytes = b"") -> bytes:
        return bytes(Frame(Opcode.TEXT, super()._message(method, resource, more)).serialize(mask=True))


class Mqtt(Http):
    """MQTT 3.1.1."""

    mark = b"\x40\x02"  # with packet ids below 16384 these bytes are nowhere else
    present = True

    def connected(self, name: str) -> socket.socket:
        """Return a connection that has been let in."""
        made = super().connected(name)
        made.sendall(encode(Connect(4, "MQTT", name, user_name=self.key, keep_alive=0)))
        answer = made.recv(100)
        assert PacketReader().receive(answer) == [Connack(0)], answer
        return made

    def put(self, feed: int, body: bytes) -> bytes:
        """Write an update."""
        return encode(Publish(f"/v2/feeds/{feed}.json", body, 1, packet_id=feed))

    def subscribe(self) -> bytes:
        """Write a subscription to the feed."""
        return encode(Subscribe(1, ((f"/v2{FEED}.json", 0),)))

    def is_subscribed(self, received: bytes) -> bool:
        """Say whether everything has come that answers a subscription."""
        packets = PacketReader().receive(received)
        return len(packets) > self.present and packets[0] == Suback(1, (0,))


DOORS: Final = {"http": Http, "paws": Paws, "websocket": Websocket, "mqtt": Mqtt}


# --- loads ------------------------------------------------------------------------------------------


def put(door: Http, pid: int, seconds: float, connections: int, depth: int, feeds: int) -> None:
    """Update as fast as the server answers."""
    messages = []
    for number in range(feeds):
        body = (
            f'{{"version":"1.0.0","datastreams":[{{"id":"temperature","current_value":"{number}.5"}},'
            '{"id":"humidity","current_value":"48"}]}'
        )
        messages.append(door.put(number + 1, body.encode()))
    messages += messages[:depth]  # so that a slice never ends before it should
    mark, kept = door.mark, len(door.mark) - 1
    epoll = select.epoll()
    lines: dict[int, socket.socket] = {}
    places: dict[int, int] = {}
    rests: dict[int, bytes] = {}
    begun: dict[int, float] = {}
    for number in range(connections):
        line = door.connected(f"load{number}")
        place = number * feeds // connections
        line.sendall(b"".join(messages[place : place + depth]))
        file = line.fileno()
        lines[file], places[file], rests[file] = line, (place + depth) % feeds, b""
        begun[file] = time.perf_counter()
        epoll.register(file, select.EPOLLIN)
    delays: list[float] = []
    count = 0
    window = Window(pid, seconds)
    while not window.over:
        ready = epoll.poll(PATIENCE)
        now = time.perf_counter()
        window.look(now, count, delays)
        for file, _ in ready:
            line, place = lines[file], places[file]
            data = rests[file] + line.recv(65536)
            rests[file] = data[-kept:]
            done = data.count(mark)
            count += done
            if depth == 1 and done:
                delays.append(now - begun[file])
                begun[file] = now
            line.sendall(b"".join(messages[place : place + done]))
            places[file] = (place + done) % feeds
    window.report()


def subscribed(door: Http, number: int) -> socket.socket:
    """Return a connection that hears of updates."""
    line = door.connected(f"subscriber{number}")
    line.sendall(door.subscribe())
    received = b""
    while not door.is_subscribed(received):
        received += line.recv(65536)
    return line


def fan_out(
    door: Http, pid: int, seconds: float, subscribers: int, in_flight: int, payload: bytes | None
) -> None:
    """Update one feed, with so many updates under way, and count what arrives at the subscribers."""
    door.present = door.present and payload is None
    lines: dict[int, socket.socket] = {}
    for number in range(subscribers):
        line = subscribed(door, number)
        lines[line.fileno()] = line
    writer = door.connected("writer")
    values = cycle(f"{n % 90 + 10}.{n % 10}" for n in range(900))

    def update() -> bytes:
        body = payload or b'{"datastreams":[{"id":"stream0","current_value":"%b"}]}' % next(values).encode()
        return door.put(1, body)

    # All messages have the same length, which the first one shows.
    writer.sendall(update())
    size = 0
    for line in lines.values():
        read = len(line.recv(65536))
        while size and read < size:
            read += len(line.recv(65536))
        if not size:
            line.settimeout(0.5)
            try:
                while True:
                    read += len(line.recv(65536))
            except TimeoutError:
                size = read
        assert read == size
    epoll = select.epoll()
    for file in lines:
        epoll.register(file, select.EPOLLIN)
    epoll.register(writer.fileno(), select.EPOLLIN)
    buffer = bytearray(1 << 20)
    received = dict.fromkeys(lines, 0)
    arrived: dict[int, int] = {}  # how many subscribers have it, by update
    sent_at: dict[int, float] = {}
    delays: list[float] = []
    sent = complete = deliveries = 0
    window = Window(pid, seconds)
    while complete < sent or not window.over:
        now = time.perf_counter()
        window.look(now, deliveries, delays)
        if not window.over and sent - complete < in_flight:
            new = range(sent, complete + in_flight)
            sent = complete + in_flight
            for number in new:
                arrived[number], sent_at[number] = 0, now
            writer.sendall(b"".join(update() for _ in new))
        for file, _ in epoll.poll(PATIENCE):
            if file == writer.fileno():
                writer.recv_into(buffer)
                continue
            before = received[file]
            received[file] = after = before + lines[file].recv_into(buffer)
            now = time.perf_counter()
            for number in range(before // size, after // size):
                delays.append(now - sent_at[number])
                arrived[number] += 1
                deliveries += 1
                if arrived[number] == subscribers:
                    del arrived[number], sent_at[number]
                    complete += 1
    assert set(received.values()) == {sent * size}, "not everybody has got everything"
    window.report(bytes=size)


def hold(door: Http, count: int, *, subscribe: bool) -> None:
    """Have connections, and do nothing with them."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    lines = []
    for number in range(count):
        lines.append(subscribed(door, number) if subscribe else door.connected(f"idle{number}"))
    print("ready", flush=True)
    sys.stdin.read()


def main() -> None:
    """Do what the arguments say."""
    kind, name, port, pid, key, *rest = sys.argv[1:]
    door = DOORS[name.removesuffix("+")](int(port), key)
    if kind == "put":
        seconds, connections, depth, feeds = rest
        put(door, int(pid), float(seconds), int(connections), int(depth), int(feeds))
    elif kind == "hold":
        hold(door, int(rest[0]), subscribe=name.endswith("+"))
    else:
        seconds, subscribers, in_flight, *file = rest
        payload = Path(file[0]).read_bytes() if file else None
        fan_out(door, int(pid), float(seconds), int(subscribers), int(in_flight), payload)


if __name__ == "__main__":
    main()
