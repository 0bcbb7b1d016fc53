"""
Throws mutated bytes at everything that reads from a network.

    python fuzz/fuzz_wire.py [--seconds 10] [--seed 1] [TARGET …]

What must hold for each target: nothing is raised, the result doesn't depend on how the bytes are cut into
chunks, and no input takes long. On a failure the input is printed so that it can become a test.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterable

from txpachube.testing.chunks import byte_by_byte, cut
from txpachube.wire.jsonstream import JsonSplitter
from txpachube.wire.mqtt_decode import PacketReader
from txpachube.wire.mqtt_encode import encode
from txpachube.wire.mqtt_packets import Connect, Publish, Subscribe, Unsubscribe, Will
from txpachube.wire.mqtt_session import Session
from txpachube.wire.paws import Call, MessageReader
from txpachube.wire.paws_calls import Answer, ReplyReader
from txpachube.wire.sloppy_http import DeviceHttp

SLOWEST = 0.5
"""Seconds one input of some thousand bytes may take, one byte at a time, on a busy machine."""

Target = Callable[[Iterable[bytes]], object]

PAWS_SEEDS = (
    b'{"method":"put","resource":"/feeds/1","headers":{"X-ApiKey":"K"},"body":{"a":[{"b":1}]},"token":"T"}\n',
    b'{"method":"subscribe",\r\n "resource":"/feeds/1/datastreams/0?x=1","params":{"a":1},"token":5}',
    b'keepalive\n{"body":"\\"}{","method":"get","resource":"feeds"}',
    b"GET / HTTP/1.1\r\n\r\n",
)
REPLY_SEEDS = (
    b'{"body":{"id":1},"resource":"/feeds/1","token":"T"}\n',
    b'{"body":"Forbidden","headers":{"CONTENT_TYPE":"text/plain"},"status":403}\n',
    b'{"body":"iVBORw==","headers":{"CONTENT_TRANSFER_ENCODING":"base64"},"status":200}\n',
)
MQTT_SEEDS = (
    encode(Connect(3, "MQIsdp", "a", user_name="K", will=Will("/v2/feeds/1.csv", b"0,1"))),
    encode(Connect(4, "MQTT", "")),
    encode(Publish("/v2/feeds/1.csv", b"0,1", 2, packet_id=1)),
    encode(Subscribe(1, (("K/v2/feeds/1", 0), ("#", 1)))),
    encode(Unsubscribe(2, ("K/v2/feeds/1",))),
    b"\x62\x02\x00\x01",
    b"\xc0\x00",
    b"\xe0\x00",
)
HTTP_SEEDS = (
    b"PUT http://h/v2/feeds/1.csv HTTP/1.1 \nHost: h\nUser Agent: x\nContent-Length: 4\n\r\n0,21\r\n\x1a5",
    b"GET /v2/feeds/1.json?key=a b HTTP/1.0\n\n",
    b"POST /v2/feeds HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n3;x\nabc\r\n0\n\n",
)


def split_json(chunks: Iterable[bytes]) -> object:
    """The splitter of the JSON stream, with limits small enough to be met."""
    splitter = JsonSplitter(max_object=300, max_depth=6)
    return [event for chunk in chunks for event in splitter.receive(chunk)]


def read_paws(chunks: Iterable[bytes]) -> object:
    """What a client of the socket server sends."""
    reader = MessageReader()
    incoming = [message for chunk in chunks for message in reader.receive(chunk)]
    return [
        (message.method, message.envelope, message.request.path, message.request.query, message.request.body)
        if isinstance(message, Call)
        else message
        for message in incoming
    ]


def read_replies(chunks: Iterable[bytes]) -> object:
    """What the socket server sends to a client."""
    reader = ReplyReader()
    replies = [reply for chunk in chunks for reply in reader.receive(chunk)]
    return [
        (reply.token, reply.status, reply.response.body) if isinstance(reply, Answer) else reply
        for reply in replies
    ]


def read_packets(chunks: Iterable[bytes]) -> object:
    """MQTT packets alone."""
    reader = PacketReader(max_packet=500)
    return [packet for chunk in chunks for packet in reader.receive(chunk)]


def run_session(chunks: Iterable[bytes]) -> object:
    """An MQTT session that has accepted a client; what the client sends first is read by the other target."""
    session = Session()
    session.receive(MQTT_SEEDS[0])
    session.accept()
    events: list[str] = []
    for chunk in chunks:
        events += map(repr, session.receive(chunk))
    return events, session.closed


def pass_device(chunks: Iterable[bytes]) -> object:
    """The listener for old devices."""
    device = DeviceHttp()
    return b"".join(map(device.receive, chunks)), device.refused


TARGETS: dict[str, tuple[Target, tuple[bytes, ...]]] = {
    "jsonstream": (split_json, PAWS_SEEDS),
    "paws": (read_paws, PAWS_SEEDS),
    "replies": (read_replies, REPLY_SEEDS),
    "mqtt-packets": (read_packets, MQTT_SEEDS),
    "mqtt-session": (run_session, MQTT_SEEDS),
    "sloppy-http": (pass_device, HTTP_SEEDS),
}


def mutated(seeds: tuple[bytes, ...], chance: random.Random) -> bytes:
    """Return some seeds in a row with some bytes changed, doubled, moved or removed."""
    data = bytearray(b"".join(chance.choice(seeds) for _ in range(chance.randint(1, 4))))
    for _ in range(chance.choice((0, 1, 1, 2, 5, 20))):
        at = chance.randrange(len(data) + 1)
        length = chance.choice((1, 1, 2, 8, 40))
        action = chance.randrange(5)
        if action == 0:
            data[at : at + length] = b""
        elif action == 1:
            data[at:at] = chance.randbytes(length)
        elif action == 2:
            data[at:at] = data[at : at + length]
        elif action == 3:
            data[at : at + 1] = chance.choice(b'{}[]":,\\\r\n \x00\x1a09azAZ/').to_bytes()
        else:
            other = chance.choice(seeds)
            begin = chance.randrange(len(other))
            data[at:at] = other[begin : begin + length]
    return bytes(data)


def fuzz(name: str, seconds: float, chance: random.Random) -> int:
    """Run one target for a time. Returns how many inputs it withstood; exits at the first it doesn't."""
    target, seeds = TARGETS[name]
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        data = mutated(seeds, chance)
        sizes = [chance.randint(1, 30) for _ in range(20)]
        try:
            whole = target([data])
            began = time.process_time()
            assert target(byte_by_byte(data)) == whole, "the result depends on the chunks (byte by byte)"
            assert time.process_time() - began < SLOWEST, "it takes too long"
            assert target(cut(data, sizes)) == whole, f"the result depends on the chunks {sizes}"
        except BaseException as problem:
            print(f"{name}: {problem!r}\n{data!r}", file=sys.stderr)
            raise
        count += 1
    return count


def main() -> None:
    """Run the targets that were asked for, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=10.0, help="for each target (default: 10)")
    parser.add_argument("--seed", type=int, default=None, help="for the same inputs again")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    for name in options.targets or TARGETS:
        count = fuzz(name, options.seconds, random.Random(f"{seed} {name}"))
        print(f"{name}: {count} inputs, seed {seed}")


if __name__ == "__main__":
    main()
