"""
The state machines that read a connection.

What must hold for each: nothing is raised, and the result doesn't depend on how the bytes are cut
into chunks.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from fuzz.mutation import Target

from txpachube.api.problems import Problem
from txpachube.server.transports.http_limits import Limits
from txpachube.server.transports.http_request import RequestReader
from txpachube.testing.chunks import byte_by_byte, cut
from txpachube.wire.jsonstream import JsonSplitter
from txpachube.wire.mqtt_decode import PacketReader
from txpachube.wire.mqtt_encode import encode
from txpachube.wire.mqtt_packets import Connect, Publish, Subscribe, Unsubscribe, Will
from txpachube.wire.mqtt_session import Session
from txpachube.wire.paws import Call, MessageReader
from txpachube.wire.paws_calls import Answer, ReplyReader
from txpachube.wire.sloppy_http import DeviceHttp

__all__ = ["TARGETS"]

Reading = Callable[[Iterable[bytes]], object]

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


def read_requests(chunks: Iterable[bytes]) -> object:
    """The ordinary listener."""
    reader = RequestReader(Limits(target_bytes=200, head_bytes=400, header_count=8, body_bytes=300))
    for chunk in chunks:
        data = chunk
        while data and not reader.ended:
            data = reader.feed(data)
    # Which of two limits a head meets first may depend on the chunks.
    found = ["refused" if isinstance(it, Problem) else (repr(it), keep) for it, keep in reader.ready]
    reader.end()  # as the connection does: what is in C knows nothing of cycles
    return found


def _whatever_the_chunks(read: Reading) -> Callable[[bytes, random.Random], bool]:
    def check(data: bytes, chance: random.Random) -> bool:
        whole = read([data])
        assert read(byte_by_byte(data)) == whole, "the result depends on the chunks (byte by byte)"
        sizes = [chance.randint(1, 30) for _ in range(20)]
        assert read(cut(data, sizes)) == whole, f"the result depends on the chunks {sizes}"
        return bool(whole)

    return check


TARGETS = [
    Target(name, _whatever_the_chunks(read), seeds)
    for name, read, seeds in (
        ("wire/jsonstream", split_json, PAWS_SEEDS),
        ("wire/paws", read_paws, PAWS_SEEDS),
        ("wire/replies", read_replies, REPLY_SEEDS),
        ("wire/mqtt-packets", read_packets, MQTT_SEEDS),
        ("wire/mqtt-session", run_session, MQTT_SEEDS),
        ("wire/sloppy-http", pass_device, HTTP_SEEDS),
        ("wire/http", read_requests, HTTP_SEEDS),
    )
]
