"""
What legitimate devices keep of their throughput while the service is attacked.

    python -m bench.attacks [SECONDS]

The service has one core. The legitimate load (wrk, durable PUTs of two values over 32 connections) and the
attackers share the other one; the attackers have the lowest priority there, so that they take what the
load leaves over and not what it needs: an attacker who slows the load generator down proves nothing of the
service. What the service is kept from is seen all the same, since each request of theirs takes it time of its
core. Two attacks have no such limit as their connections are what counts, not their speed: slow
senders, who send a byte now and then, and crowds that open connections and stop.

Measured is the throughput with each attack alone and with all of them together, as a share of the throughput
without any. A flood is as fast as ``FLOOD`` requests a second, or as the service answers; how many there were
is printed. Without the limit on speed a service on one core gives to a flood what it gives to devices.
"""

from __future__ import annotations

import os
import random
import selectors
import socket
import statistics
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

from bench.load import LOAD_CORE, NoLoadGenerator, Server, binder, run_wrk
from bench.service import Report, service, update

KEPT: Final = 0.8
"""Share of the throughput that legitimate devices must keep."""

SLOW: Final = 500
"""Connections of slow senders, each sending a byte a second."""

CROWD: Final = 50
"""Connections a second that are opened and left."""

FLOOD: Final = 300
"""Requests a second of each flood: more than three thousand devices make that report every ten seconds."""

PAIRS: Final = 5
"""Measurements with and without an attack, of which the median counts."""

BODY: Final = 2 * 1024 * 1024
"""Bytes that an oversize request says it has; twice of what is taken."""

_HEAD = "PUT /v2/feeds/1.json HTTP/1.1\r\nHost: x\r\n"


class Attack:
    """
    An attack, in a process of its own.

    Args:
        port: of the HTTP door.

    Attributes:
        counted: what it has done.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.counted = 0

    def step(self) -> None:
        """Do a little, and return soon."""
        raise NotImplementedError

    def run(self, rate: float) -> None:
        """Take so many steps a second until the process is ended; say each second how many there were."""
        began = told = time.monotonic()
        while True:
            now = time.monotonic()
            if now - told >= 1:
                told = now
                print(self.counted, flush=True)
            if self.counted < (now - began) * rate:
                with suppress(OSError):
                    self.step()
                self.counted += 1
            else:
                time.sleep(1 / rate)

    def connect(self) -> socket.socket:
        """Return a connection from an address that is one of very many."""
        line = socket.socket()
        line.settimeout(5)
        line.bind((f"127.2.{random.randrange(256)}.{random.randrange(1, 255)}", 0))
        line.connect(("127.0.0.1", self._port))
        return line


class Slow(Attack):
    """Sends heads and bodies a byte at a time."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._lines: list[socket.socket] = []

    def step(self) -> None:
        if len(self._lines) < SLOW:
            line = self.connect()
            body = len(self._lines) % 2
            line.sendall((_HEAD + ("Content-Length: 100000\r\n\r\n" if body else "X-A: ")).encode())
            self._lines.append(line)
            return
        line = self._lines[self.counted % SLOW]
        try:
            line.sendall(b"a")
        except OSError:  # cut off
            line.close()
            self._lines.remove(line)


class Crowd(Attack):
    """Opens connections, begins to ask on some, and leaves a second later without a word."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._lines: list[socket.socket] = []

    def step(self) -> None:
        line = self.connect()
        if self.counted % 2:
            line.sendall(_HEAD[:20].encode())
        self._lines.append(line)
        if len(self._lines) > CROWD:
            self._lines.pop(0).close()


class Flood(Attack):
    """Sends requests on connections that are kept as long as the service keeps them."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._line: socket.socket | None = None

    def request(self) -> bytes:
        raise NotImplementedError

    def step(self) -> None:
        if self._line is None:
            self._line = self.connect()
        try:
            self._line.sendall(self.request())
            if not self._line.recv(65536):
                raise ConnectionError
        except OSError:
            self._line.close()
            self._line = None


class UnknownKeys(Flood):
    """Shows a key that nobody has, another one each time."""

    def request(self) -> bytes:
        body = '{"current_value":"1"}'
        key = random.getrandbits(192)
        return f"{_HEAD}X-ApiKey: {key:048x}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


class Passwords(Attack):
    """Guesses the password of the first account, many at a time."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._selector = selectors.DefaultSelector()
        self._open = 0

    def step(self) -> None:
        if self._open < 64:
            line = self.connect()
            guess = b64encode(f"admin:{random.getrandbits(64)}".encode()).decode()
            line.sendall(
                f"GET /v2/feeds.json HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {guess}\r\n\r\n".encode()
            )
            self._selector.register(line, selectors.EVENT_READ)
            self._open += 1
        for key, _ in self._selector.select(0):
            self._selector.unregister(key.fileobj)
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
            self._open -= 1


class Oversize(Attack):
    """Announces more than is taken and sends what the connection takes."""

    def step(self) -> None:
        line = self.connect()
        try:
            line.sendall(f"{_HEAD}Content-Length: {BODY}\r\n\r\n".encode() + b"x" * 65536)
            line.recv(65536)
        finally:
            line.close()


class Garbage(Attack):
    """Sends bytes that mean nothing."""

    def step(self) -> None:
        line = self.connect()
        try:
            line.sendall(random.randbytes(random.randrange(1, 4000)) + b"\r\n\r\n")
            line.recv(65536)
        finally:
            line.close()


class BrokenBodies(Flood):
    """Sends deep, long and broken documents without a valid key."""

    def request(self) -> bytes:
        body = random.choice(("[" * 20_000, '{"a":' * 5000, "<a>" * 5000, '"' + "x" * 20_000))
        return f"{_HEAD}X-ApiKey: no\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


ATTACKS: Final[dict[str, tuple[type[Attack], float]]] = {
    "slow senders": (Slow, SLOW),
    "crowds that leave": (Crowd, CROWD),
    "unknown keys": (UnknownKeys, FLOOD),
    "wrong passwords": (Passwords, FLOOD),
    "oversize bodies": (Oversize, FLOOD / 5),
    "garbage": (Garbage, FLOOD / 2),
    "broken bodies": (BrokenBodies, FLOOD / 5),
}
"""What is tried, and how many steps a second each takes at the most."""


@contextmanager
def under(names: list[str], port: int) -> Iterator[Callable[[], str]]:
    """Attack for as long as a ``with`` block lasts; hand out what tells how often each attack struck."""

    def weak() -> None:
        binder(LOAD_CORE)()
        os.nice(19)

    command = [sys.executable, "-m", "bench.attacks", "--attack"]
    attackers = {
        name: subprocess.Popen(
            [*command, name, str(port)],
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=weak,  # noqa: PLW1509 - this program has no threads
        )
        for name in names
    }
    for attacker in attackers.values():
        assert attacker.stdout is not None
        attacker.stdout.readline()

    def told() -> str:
        parts = []
        for name, attacker in attackers.items():
            attacker.terminate()
            assert attacker.stdout is not None
            counts = [1, *map(int, attacker.stdout.read().split())]
            parts.append(f"{name} {counts[-1] / len(counts):.0f}/s")
        return ", ".join(parts)

    try:
        yield told
    finally:
        for attacker in attackers.values():
            attacker.kill()
            attacker.wait()
            assert attacker.stdout is not None
            attacker.stdout.close()


def measure(server: Server, key: str, seconds: float, names: list[str]) -> tuple[float, str]:
    """Return legitimate requests a second under attacks, and how these went."""
    port = urlsplit(server.url).port
    assert port is not None
    with under(names, port) as told:
        measured = run_wrk(server.url, update(key, 32, seconds), server=server)
        struck = told()
    if measured.wrong or measured.socket_errors:
        raise RuntimeError(f"legitimate requests were refused: {measured}")
    return measured.rate, f"{measured}  {struck}"


def main() -> None:
    """Measure everything; the exit status is 0 also when a target is missed: the machine may be busy."""
    if sys.argv[1:2] == ["--attack"]:
        kind, rate = ATTACKS[sys.argv[2]]
        kind(int(sys.argv[3])).run(rate)
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    report = Report()
    try:
        with service() as (server, key):
            alone = []
            for names in [[name] for name in ATTACKS] + [list(ATTACKS)]:
                # What a machine does changes by the second, so many short measurements alternate.
                kept = []
                for _ in range(PAIRS):
                    before, _ = measure(server, key, seconds / PAIRS, [])
                    rate, remark = measure(server, key, seconds / PAIRS, names)
                    alone.append(before)
                    kept.append(rate / before)
                what = names[0] if len(names) == 1 else "all of them"
                remark = f"{min(kept):.2f} to {max(kept):.2f}  {remark}"
                report.at_least(f"PUTs kept under: {what}", statistics.median(kept), KEPT, remark)
            print(f"undisturbed: {statistics.median(alone):,.0f}/s, {min(alone):,.0f} to {max(alone):,.0f}")
    except NoLoadGenerator as missing:
        print(missing)
    print(f"missed: {', '.join(report.missed)}" if report.missed else "all targets reached")


if __name__ == "__main__":
    main()
