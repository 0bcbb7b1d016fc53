"""
How many calls a second the client makes, one after the other, beside `requests` and `aiohttp`.

All ask the same server for the same datastream. The server runs in a process of its own and answers every
request with the same bytes; each client runs in a process of its own too, and reads the answer's JSON.
The rounds of all clients alternate, so that what else the machine does falls on all of them alike.

Run it with ``python bench/client.py``; it prints requests a second and the ratios that matter.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKL"
PATH: Final = "/v2/feeds/504/datastreams/temp.json"
HEADERS: Final = {"X-ApiKey": KEY, "User-Agent": "bench"}
BODY: Final = (
    b'{"id":"temp","current_value":"21.50","at":"2013-06-01T10:15:02.001200Z","max_value":"38.2",'
    b'"min_value":"-1.0","version":"1.0.0"}'
)
ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\nDate: Sat, 01 Jun 2013 10:00:00 GMT\r\n"
    b"Content-Type: application/json; charset=utf-8\r\n"
    b"Content-Length: %d\r\nX-Request-Id: 5bd0c1ab2f7e4d0f9a3c6612de08f7750bb41c92\r\n"
    b'Cache-Control: max-age=0\r\nETag: "0b1f2e3d4c5b6a79880f1e2d3c4b5a69"\r\n'
    b"Vary: Accept-Encoding\r\n\r\n%b"
) % (len(BODY), BODY)

TARGETS: Final = {"requests": 2.0, "aiohttp": 0.6}
"""How many times as fast as each of these the client has to be."""

WARM_UP: Final = 200


def serve() -> None:
    """Answer every request with the same bytes; print the port."""
    from httptools import HttpRequestParser
    from twisted.internet import reactor as installed
    from twisted.internet.protocol import Factory, Protocol

    reactor: Any = installed

    class Constant(Protocol):
        def connectionMade(self) -> None:
            transport: Any = self.transport
            transport.setTcpNoDelay(True)
            self._write = transport.write
            self._feed = HttpRequestParser(self).feed_data

        def dataReceived(self, data: bytes) -> None:
            self._feed(data)

        def on_message_complete(self) -> None:
            self._write(ANSWER)

    port = reactor.listenTCP(0, Factory.forProtocol(Constant), interface="127.0.0.1")
    print(port.getHost().port, flush=True)
    reactor.run()


def with_requests(url: str, seconds: float) -> float:
    """Return the calls a second of a `requests` session."""
    import requests

    session = requests.Session()

    def call() -> None:
        session.get(url + PATH, headers=HEADERS, timeout=30).json()

    for _ in range(WARM_UP):
        call()
    calls, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        call()
        calls += 1
    return calls / (time.perf_counter() - start)


async def _measured(call: Callable[[], Awaitable[object]], seconds: float) -> float:
    for _ in range(WARM_UP):
        await call()
    calls, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        await call()
        calls += 1
    return calls / (time.perf_counter() - start)


def with_aiohttp(url: str, seconds: float) -> float:
    """Return the calls a second of an `aiohttp` session."""
    import asyncio

    import aiohttp

    async def measure() -> float:
        async with aiohttp.ClientSession(headers=HEADERS) as session:

            async def call() -> None:
                async with session.get(url + PATH) as response:
                    await response.json()

            return await _measured(call, seconds)

    return asyncio.run(measure())


def _with_client(seconds: float, make: Callable[[Any], Any]) -> float:
    from twisted.internet.defer import Deferred
    from twisted.internet.task import react

    measured: list[float] = []

    async def measure(reactor: Any) -> None:
        client = make(reactor)
        measured.append(await _measured(lambda: client.read_datastream(datastream_id="temp"), seconds))
        await client.close()

    try:
        react(lambda reactor: Deferred.fromCoroutine(measure(reactor)))
    except SystemExit as end:
        if end.code:
            raise
    return measured[0]


def with_txpachube(url: str, seconds: float) -> float:
    """Return the calls a second of our client, which also makes a `Datastream` of each answer."""
    from txpachube.client import Client

    return _with_client(seconds, lambda _: Client(KEY, 504, base_url=url, environ={}))


def with_agent(url: str, seconds: float) -> float:
    """Return the calls a second of our client over Twisted's agent with a pool."""
    from twisted.web.client import Agent, HTTPConnectionPool

    from txpachube.client import Client

    return _with_client(
        seconds,
        lambda reactor: Client(
            KEY, 504, base_url=url, agent=Agent(reactor, pool=HTTPConnectionPool(reactor)), environ={}
        ),
    )


CLIENTS: Final[dict[str, Callable[[str, float], float]]] = {
    "requests": with_requests,
    "aiohttp": with_aiohttp,
    "agent": with_agent,
    "txpachube": with_txpachube,
}


@contextmanager
def constant_server() -> Iterator[str]:
    """Run the server in a child process; give its URL."""
    with subprocess.Popen(
        [sys.executable, __file__, "--role", "server"], stdout=subprocess.PIPE, text=True
    ) as child:
        output: IO[str] | None = child.stdout
        assert output is not None
        try:
            yield f"http://127.0.0.1:{int(output.readline())}"
        finally:
            child.terminate()


def compare(rounds: int, seconds: float) -> dict[str, float]:
    """Return the median of the calls a second of each client."""
    speeds: dict[str, list[float]] = {name: [] for name in CLIENTS}
    with constant_server() as url:
        for _ in range(rounds):
            for name, measured in speeds.items():
                command = [sys.executable, __file__, "--role", name, "--url", url, "--seconds", str(seconds)]
                output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                measured.append(float(json.loads(output)))
    return {name: statistics.median(measured) for name, measured in speeds.items()}


def report(speeds: dict[str, float]) -> bool:
    """Print speeds and ratios; return whether the targets are met."""
    print("sequential calls a second, one kept connection")
    for name, speed in speeds.items():
        print(f"  {name:<10} {speed:8.0f}")
    met = True
    for name, target in TARGETS.items():
        ratio = speeds["txpachube"] / speeds[name]
        met = met and ratio >= target
        print(
            f"txpachube / {name:<9} {ratio:5.2f}   target {target}   {'met' if ratio >= target else 'MISSED'}"
        )
    return met


def main() -> None:
    """Compare, or play one of the roles in that."""
    parser = argparse.ArgumentParser(description="Compare the client's speed with others.")
    parser.add_argument("--role", choices=["server", *CLIENTS], help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each client calls in each round")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    if chosen.role == "server":
        serve()
    elif chosen.role:
        print(json.dumps(CLIENTS[chosen.role](chosen.url, chosen.seconds)))
    elif not report(compare(chosen.rounds, chosen.seconds)):
        sys.exit(1)


if __name__ == "__main__":
    main()
