"""
A load of MQTT, in a process of its own: plain sockets and one loop, nothing that costs more than the server.

    python -m bench.mqtt_load publish PORT PID KEY SECONDS CONNECTIONS DEPTH FEEDS
    python -m bench.mqtt_load fan-out PORT PID KEY SECONDS SUBSCRIBERS WINDOW [PAYLOAD-FILE]

*publish*: each connection keeps so many publishes with quality of service 1 in flight, to one feed after the
other, two values each; what is counted are acknowledgements.

*fan-out*: one writer updates a feed, and all others are subscribed to it. There are as many updates in flight
as the window says: one counts as in flight until the last subscriber has it. With a payload the server
is a broker, and what is published is the payload itself; without one it is the service.

Prints one line of JSON: what was counted, in how many seconds, the processor time that the server with this
process id used meanwhile, and delays by percentile.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import time
from itertools import cycle
from pathlib import Path

from txpachube.wire.mqtt_decode import PacketReader
from txpachube.wire.mqtt_encode import encode
from txpachube.wire.mqtt_packets import Connack, Connect, Publish, Suback, Subscribe

PATIENCE = 20.0
TOPIC = "/v2/feeds/1.json"
WARM_UP = 1.0
ACKNOWLEDGEMENT = 4
"""Bytes of a PUBACK."""


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
        self._delays: list[float] = []
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


def connected(port: int, key: str, name: str) -> socket.socket:
    """Return a connection that has been let in."""
    made = socket.create_connection(("127.0.0.1", port), PATIENCE)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.sendall(encode(Connect(4, "MQTT", name, user_name=key, keep_alive=0)))
    answer = made.recv(100)
    assert PacketReader().receive(answer) == [Connack(0)], answer
    return made


def publish(port: int, pid: int, key: str, seconds: float, connections: int, depth: int, feeds: int) -> None:
    """Publish as fast as the server acknowledges."""
    packets = []
    for number in range(feeds):
        body = (
            f'{{"version":"1.0.0","datastreams":[{{"id":"temperature","current_value":"{number}.5"}},'
            '{"id":"humidity","current_value":"48"}]}'
        )
        packets.append(
            encode(Publish(f"/v2/feeds/{number + 1}.json", body.encode(), 1, packet_id=number + 1))
        )
    packets += packets[:depth]  # so that a slice never ends before it should
    epoll = select.epoll()
    lines: dict[int, socket.socket] = {}
    places: dict[int, int] = {}
    rests: dict[int, int] = {}
    begun: dict[int, float] = {}
    for number in range(connections):
        line = connected(port, key, f"load{number}")
        place = number * feeds // connections
        line.sendall(b"".join(packets[place : place + depth]))
        file = line.fileno()
        lines[file], places[file], rests[file] = line, (place + depth) % feeds, 0
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
            done, rests[file] = divmod(rests[file] + len(line.recv(65536)), ACKNOWLEDGEMENT)
            count += done
            if depth == 1:
                delays.append(now - begun[file])
                begun[file] = now
            line.sendall(b"".join(packets[place : place + done]))
            places[file] = (place + done) % feeds
    window.report()


def subscribed(port: int, key: str, number: int, *, present: bool) -> socket.socket:
    """Return a connection that hears of updates; ``present`` says whether it is told the state at once."""
    line = connected(port, key, f"subscriber{number}")
    line.sendall(encode(Subscribe(1, ((TOPIC, 0),))))
    reader = PacketReader()
    packets = reader.receive(line.recv(65536))
    while len(packets) < 1 + present:
        packets += reader.receive(line.recv(65536))
    assert packets[0] == Suback(1, (0,))
    return line


def fan_out(
    port: int, pid: int, key: str, seconds: float, subscribers: int, in_flight: int, payload: bytes | None
) -> None:
    """Update one feed, with so many updates under way, and count what arrives at the subscribers."""
    lines: dict[int, socket.socket] = {}
    for number in range(subscribers):
        line = subscribed(port, key, number, present=payload is None)
        lines[line.fileno()] = line
    writer = connected(port, key, "writer")
    values = cycle(f"{n % 90 + 10}.{n % 10}" for n in range(900))

    def update(number: int) -> bytes:
        if payload is None:
            body = f'{{"datastreams":[{{"id":"stream0","current_value":"{next(values)}"}}]}}'.encode()
        else:
            body = payload
        return encode(Publish(TOPIC, body, 1, packet_id=number % 60_000 + 1))

    # All messages have the same length, which the first one shows.
    writer.sendall(update(0))
    size = 0
    for line in lines.values():
        reader = PacketReader()
        read = 0
        while not size or read < size:
            chunk = line.recv(65536)
            read += len(chunk)
            if reader.receive(chunk):
                size = size or read
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
            writer.sendall(b"".join(map(update, new)))
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


def main() -> None:
    """Do what the arguments say."""
    kind, port, pid, key, seconds, *rest = sys.argv[1:]
    if kind == "publish":
        connections, depth, feeds = map(int, rest)
        publish(int(port), int(pid), key, float(seconds), connections, depth, feeds)
    else:
        subscribers, in_flight, *file = rest
        payload = Path(file[0]).read_bytes() if file else None
        fan_out(int(port), int(pid), key, float(seconds), int(subscribers), int(in_flight), payload)


if __name__ == "__main__":
    main()
