"""
A child process that answers every request with a constant: what the HTTP door itself costs.

    python bench/http_constant.py            # the real door in front of a constant
    python bench/http_constant.py --bare     # no HTTP at all: one write for each read

Prints ``http http://127.0.0.1:PORT/`` when it is ready, as the service does, and runs until it is killed.
The bare one is not a server, but the most that Twisted and this machine can do, so the ratio of the
two holds on any machine.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

from txpachube.api.messages import Request, Response
from txpachube.server.transports.http import HTTPFactory
from txpachube.server.transports.http_request import KEEP
from txpachube.server.transports.http_response import AnswerWriter

BODY = b'{"id":"0","current_value":"21.5","at":"2013-05-06T00:30:45.694188Z"}'
CONSTANT = Response(200, BODY)
reactor: Any = global_reactor


async def answer_at_once(request: Request) -> Response:
    """Answer without waiting for anything."""
    return CONSTANT


async def answer_later(request: Request) -> Response:
    """Answer in the next turn of the event loop, as a write does that waits for its group's commit."""
    committed: Deferred[None] = Deferred()
    reactor.callLater(0, committed.callback, None)
    await committed
    return CONSTANT


class Bare(Protocol):
    """Answers whatever comes, without looking at it."""

    answer = b""
    through_transport = False

    def connectionMade(self) -> None:
        """Find the quickest way out."""
        transport: Any = self.transport
        self.send: Callable[[bytes], object] = (
            transport.write if self.through_transport else transport.getHandle().send
        )

    def dataReceived(self, data: bytes) -> None:
        """Answer."""
        self.send(self.answer)


def main() -> None:
    """Listen, say where, and run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--bare", action="store_true", help="answer without HTTP, directly to the socket")
    parser.add_argument("--bare-transport", action="store_true", help="the same by way of transport.write")
    parser.add_argument("--later", action="store_true", help="let the handler wait for a Deferred")
    parser.add_argument("--profile", metavar="FILE", help="profile until SIGINT, write the statistics there")
    options = parser.parse_args()

    def clock() -> int:
        return time.time_ns() // 1000

    factory: Factory
    if options.bare or options.bare_transport:
        Bare.answer = AnswerWriter(clock, os.urandom).encode(CONSTANT, KEEP)
        Bare.through_transport = options.bare_transport
        factory = Factory.forProtocol(Bare)
        factory.noisy = False
    else:
        handle = answer_later if options.later else answer_at_once
        factory = HTTPFactory(handle, reactor=reactor, clock=clock, random=os.urandom)
    port = reactor.listenTCP(0, factory, backlog=1024, interface="127.0.0.1")
    print(f"http http://127.0.0.1:{port.getHost().port}/", flush=True)
    print("ready", flush=True)
    if options.profile:
        import cProfile

        cProfile.runctx("reactor.run()", {"reactor": reactor}, {}, options.profile)
    else:
        reactor.run()


if __name__ == "__main__":
    main()
