"""The socket door on WebSocket: with the client of ``websockets`` in a thread, and to the byte."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin
from websockets.uri import parse_uri

from txpachube.server.transports.paws_limits import PawsLimits
from txpachube.server.transports.paws_websocket import PACKED_FROM, PawsWebSocketFactory
from txpachube.testing.inprocess import InProcess

T = TypeVar("T")

reactor: Any = installed_reactor
KEY = "master-of-rosa"
TEMP = "/feeds/1/datastreams/temp"


def request(method: str, resource: str, *, key: str = KEY, **members: Any) -> str:
    """Write a request as a browser page does."""
    return json.dumps({"method": method, "resource": resource, "headers": {"X-ApiKey": key}, **members})


def subscribed(socket: ClientConnection, resource: str, **members: Any) -> None:
    """Subscribe and see that it is answered."""
    assert ask(socket, "subscribe", resource, **members)["status"] == 200


def ask(socket: ClientConnection, method: str, resource: str, **members: Any) -> Any:
    """Send a request and return the next message."""
    socket.send(request(method, resource, **members))
    return json.loads(socket.recv(timeout=30))


async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Run a client that blocks."""
    result: T = await deferToThread(function, *arguments)
    return result


async def write(garden: InProcess, value: Any, stream: str = "temp") -> None:
    """Give a datastream of feed 1 a value, through another door."""
    body = json.dumps({"current_value": value})
    assert (await garden.ask(f"PUT /v2/feeds/1/datastreams/{stream}.json", body)).status == 200


@pytest.fixture
def websocket(door: Callable[..., Any]) -> Any:
    """Return an open door."""
    opened = door(PawsWebSocketFactory, http_port=8000)
    opened.url = f"ws://127.0.0.1:{opened.port}/"
    return opened


async def test_requests_are_answered_in_order_one_message_each(garden: InProcess, websocket: Any) -> None:
    """The same texts as on TCP, in text frames without line ends."""

    def talk() -> list[str]:
        with connect(websocket.url) as socket:
            for number in range(20):
                socket.send(request("put", TEMP, body={"current_value": str(number)}, token=number))
                socket.send(request("get", TEMP + ".csv", token=f"r{number}"))
            return [str(socket.recv(timeout=30)) for _ in range(40)]

    texts = await in_thread(talk)
    assert texts[0] == f'{{"resource":"{TEMP}","token":0,"status":200}}'
    assert [json.loads(text)["body"].rpartition(",")[2] for text in texts[1::2]] == [
        str(number) for number in range(20)
    ]


@pytest.mark.parametrize("path", ["", "anything/at?all=1", "feeds/504", "%F0%9F%90%9D"])
async def test_any_path_and_any_origin(garden: InProcess, websocket: Any, path: str) -> None:
    """The address is not looked at beyond the host, which URLs in documents then have, with HTTP's port."""

    def talk() -> Any:
        url = f"ws://localhost:{websocket.port}/{path}"
        with connect(url, origin=Origin("https://evil.example")) as socket:
            return ask(socket, "get", "/feeds/1")

    assert (await in_thread(talk))["body"]["feed"] == "http://localhost:8000/v2/feeds/1.json"


async def test_updates_are_pushed_in_order_and_once(garden: InProcess, websocket: Any) -> None:
    """Of many writes at once every subscriber gets each; those of one commit come in one piece."""

    def listen(number: int) -> list[str]:
        with connect(websocket.url, compression=None if number % 2 else "deflate") as socket:
            subscribed(socket, TEMP, token="T")
            reactor.callFromThread(ready.append, number)
            return [json.loads(socket.recv(timeout=30))["body"]["current_value"] for _ in range(200)]

    ready: list[int] = []
    listeners = [in_thread(listen, number) for number in range(4)]
    running = gatherResults([Deferred.fromCoroutine(listener) for listener in listeners])
    while len(ready) < 4:
        await deferLater(reactor, 0.01, lambda: None)
    sent: list[int] = []
    for connection in websocket.factory._connections:

        def counted(data: bytes, written: Callable[[bytes], None] = connection._write) -> None:
            sent.append(len(data))
            written(data)

        connection._write = counted
    await gatherResults([Deferred.fromCoroutine(write(garden, str(number))) for number in range(200)])
    seen = await running
    assert seen == [[str(number) for number in range(200)]] * 4
    assert len(sent) < 400


async def test_a_push_has_no_status_and_the_token(garden: InProcess, websocket: Any) -> None:
    """To the byte as on TCP."""

    def talk() -> Any:
        with connect(websocket.url) as socket:
            subscribed(socket, TEMP, token="0xA")
            socket.send(request("put", TEMP, body={"current_value": "22.75"}, token="w"))
            return sorted(str(socket.recv(timeout=30)) for _ in range(2))

    assert await in_thread(talk) == [
        (
            '{"body":{"id":"temp","current_value":"22.75","at":"2013-06-01T12:00:00.000000Z",'
            '"max_value":"22.75","min_value":"19.0","tags":["air"],'
            '"unit":{"type":"derivedSI","symbol":"C","label":"Celsius"}},'
            f'"resource":"{TEMP}","token":"0xA"}}'
        ),
        f'{{"resource":"{TEMP}","token":"w","status":200}}',
    ]


async def test_old_pages_forget_the_last_brace(garden: InProcess, websocket: Any) -> None:
    """A message that is complete but for it is taken as meant; what is no message is answered with 400."""

    def talk() -> Any:
        with connect(websocket.url) as socket:
            socket.send(request("subscribe", TEMP)[:-1])
            answers = [json.loads(socket.recv(timeout=30))]
            for text in ("keepalive", "", '{"method":"get"', "[1]"):
                socket.send(text)
                answers.append(json.loads(socket.recv(timeout=30)))
            socket.send(request("get", TEMP).encode())  # as bytes
            answers.append(json.loads(socket.recv(timeout=30)))
            socket.send(iter([request("get", TEMP)[:9], request("get", TEMP)[9:], ""]))  # in fragments
            answers.append(json.loads(socket.recv(timeout=30)))
            return [answer["status"] for answer in answers]

    assert await in_thread(talk) == [200, 400, 400, 400, 400, 200, 200]


def handshake() -> tuple[ClientProtocol, bytes]:
    """Return the client half of the protocol and the bytes that open the connection."""
    protocol = ClientProtocol(parse_uri("ws://127.0.0.1/"))
    protocol.send_request(protocol.connect())
    return protocol, b"".join(protocol.data_to_send())


async def test_a_message_cut_at_every_byte(garden: InProcess, websocket: Any) -> None:
    """Wherever the network cuts the handshake or a frame, the answer is the same."""
    protocol, opening = handshake()
    protocol.state = protocol.state.OPEN
    protocol.send_text(request("get", TEMP, token="T").encode())
    data = opening + b"".join(protocol.data_to_send())
    for cut in range(1, len(data)):
        client = await websocket.client()
        client.send(data[:cut])
        await deferLater(reactor, 0, lambda: None)
        client.send(data[cut:])
        text = b""
        while not text.endswith(b',"status":200}'):
            await deferLater(reactor, 0, lambda: None)
            text = b"".join(client.pieces)
        head, _, frame = text.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b'"token":"T"' in frame
        client.close()


async def test_what_is_no_handshake_is_answered(websocket: Any) -> None:
    """A browser that opens the address gets an HTTP answer, and the connection ends."""
    client = await websocket.client()
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await client.end()).startswith(b"HTTP/1.1 426 ")
    noise = await websocket.client()
    noise.send(b"\x00\xff" * 40_000)
    assert (await noise.end())[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 414")

    def talk() -> int:
        with (
            pytest.raises(InvalidStatus) as raised,
            connect(websocket.url, additional_headers={"Upgrade": "x"}),
        ):
            pass
        return raised.value.response.status_code

    assert await in_thread(talk) == 426


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70000])
def test_frames_are_those_of_the_library(size: int) -> None:
    """What is framed without the library is the same to the byte."""
    message = b"x" * size
    wire = PawsWebSocketFactory.wire
    assert wire(None, message) == Frame(Opcode.TEXT, message).serialize(mask=False)  # type: ignore[arg-type]  # no need


async def test_big_answers_are_packed_and_pushes_are_not(garden: InProcess, websocket: Any) -> None:
    """A client that can unpack gets a long document packed; the texts are the same in the end."""
    body = {"title": "Long", "description": "x" * 2 * PACKED_FROM}
    assert (await garden.ask("PUT /v2/feeds/1.json", json.dumps(body))).status == 200

    def talk(compression: str | None) -> tuple[Any, bool]:
        with connect(websocket.url, compression=compression) as socket:
            answer = ask(socket, "get", "/feeds/1")
            return answer["body"], bool(socket.protocol.extensions)

    packed, plain = await in_thread(talk, "deflate"), await in_thread(talk, None)
    assert (packed[1], plain[1]) == (True, False)
    assert packed[0] == plain[0]


async def test_what_is_sent_packed_is_unpacked_to_the_limit_only(door: Callable[..., Any]) -> None:
    """A short frame that unpacks to megabytes is answered with 400, and the connection is closed."""
    websocket = door(PawsWebSocketFactory, limits=PawsLimits(message_bytes=10_000))

    def talk(text: str) -> list[Any]:
        answers = []
        with connect(f"ws://127.0.0.1:{websocket.port}/") as socket:
            socket.send(text)
            try:
                while True:
                    answers.append(json.loads(socket.recv(timeout=30)))
            except ConnectionClosed as closed:
                answers.append(closed.rcvd and closed.rcvd.code)
        return answers

    too_long = {"status": 400, "body": "Bad Request: a message may have at most 10000 bytes"}
    assert await in_thread(talk, '{"method":"' + "x" * 5_000_000) == [too_long, 1009]
    assert len(zlib.compress(b"x" * 5_000_000)) < 10_000


async def test_a_message_past_the_limit_without_packing(door: Callable[..., Any]) -> None:
    """Also in many fragments, of which each is short."""
    websocket = door(PawsWebSocketFactory, limits=PawsLimits(message_bytes=10_000))

    def talk(text: Any) -> list[Any]:
        answers = []
        with connect(f"ws://127.0.0.1:{websocket.port}/", compression=None) as socket:
            try:
                socket.send(text)
                while True:
                    answers.append(json.loads(socket.recv(timeout=30))["status"])
            except ConnectionClosed as closed:
                answers.append(closed.rcvd and closed.rcvd.code)
        return answers

    assert await in_thread(talk, "x" * 10_001) == [400, 1009]
    assert await in_thread(talk, ["x" * 3000] * 4) == [400, 1009]
    assert await in_thread(talk, "x" * 300_000) == [400, 1009]


async def test_pings_are_answered_and_sent(garden: InProcess, websocket: Any) -> None:
    """The client's are answered; a silent client gets one after a while, and is not closed for silence."""
    client = await websocket.client()
    protocol, opening = handshake()
    client.send(opening)
    protocol.receive_data(await received(client))
    for text in (request("subscribe", TEMP).encode(),):
        protocol.send_text(text)
    protocol.send_ping(b"hello")
    for data in protocol.data_to_send():
        client.send(data)
    protocol.events_received()
    frames: list[Any] = []
    while len(frames) < 2:
        protocol.receive_data(await received(client))
        frames += protocol.events_received()
    assert {frame.opcode for frame in frames} == {Opcode.TEXT, Opcode.PONG}
    for _ in range(1000):
        websocket.clock.advance(2)
    protocol.receive_data(await received(client))
    pings = [frame for frame in protocol.events_received() if isinstance(frame, Frame)]
    assert {frame.opcode for frame in pings} == {Opcode.PING}
    assert 30 < len(pings) < 50
    assert not client.closed


async def received(client: Any) -> bytes:
    """Return what has come since the last time, at least a byte."""
    while not client.pieces:
        await deferLater(reactor, 0.005, lambda: None)
    data = b"".join(client.pieces)
    client.pieces.clear()
    return data


async def test_an_idle_connection_ends_with_a_goodbye(garden: InProcess, websocket: Any) -> None:
    """Without subscription after ten minutes; one that never comes to speak WebSocket after one."""
    mute = await websocket.client()

    def talk() -> Any:
        with connect(websocket.url) as socket:
            ask(socket, "get", TEMP)
            reactor.callFromThread(pass_time)
            with pytest.raises(ConnectionClosed) as raised:
                socket.recv(timeout=30)
            return raised.value.rcvd and raised.value.rcvd.code

    def pass_time() -> None:
        for _ in range(305):
            websocket.clock.advance(2)

    assert await in_thread(talk) == 1001
    assert await mute.end() == b""


async def test_a_client_that_goes_leaves_nothing_behind(garden: InProcess, websocket: Any) -> None:
    """Whether it says goodbye or not."""

    def talk() -> None:
        with connect(websocket.url) as polite, connect(websocket.url) as rude:
            subscribed(polite, TEMP)
            subscribed(rude, "/feeds/1")
            rude.socket.close()

    await in_thread(talk)
    while websocket.factory.connection_count or garden.events.watched:
        await deferLater(reactor, 0.01, lambda: None)


async def test_a_client_that_does_not_read_is_not_read_either(
    garden: InProcess, door: Callable[..., Any]
) -> None:
    """Its pings pile up with it, its news are bounded, others get theirs, and it catches up in the end."""
    websocket = door(PawsWebSocketFactory, limits=PawsLimits(steps=10, step_bytes=10_000, joined_bytes=2000))
    client = await websocket.client()
    protocol, opening = handshake()
    client.send(opening)
    protocol.receive_data(await received(client))
    protocol.events_received()
    protocol.send_text(request("subscribe", TEMP).encode())
    [data] = protocol.data_to_send()
    client.send(data)
    protocol.receive_data(await received(client))
    client.stop_reading()
    [connection] = websocket.factory._connections
    pad = "x" * 200
    number = 0
    while websocket.factory.skipped < 1000:
        await gatherResults([
            Deferred.fromCoroutine(write(garden, f"{pad}{number + step}")) for step in range(100)
        ])  # fmt: skip
        number += 100
        assert number < 100_000
    protocol.send_ping(b"ping")
    client.send(b"".join(protocol.data_to_send()) * 1000)
    while not connection._reading_held:
        await deferLater(reactor, 0.01, lambda: None)
    assert len(connection._session._backlog._steps) <= 10
    assert not connection._joined
    client.go_on_reading()
    values: list[int] = []
    while not values or values[-1] != number - 1:
        protocol.receive_data(await received(client))
        for frame in protocol.events_received():
            if isinstance(frame, Frame) and frame.opcode is Opcode.TEXT and b'"body"' in bytes(frame.data):
                message = json.loads(bytes(frame.data))
                values.append(int(message["body"]["current_value"].removeprefix(pad)))
    assert values[:-1] == list(range(len(values) - 1))
    protocol.send_text(request("get", TEMP, token="end").encode())
    [data] = protocol.data_to_send()
    client.send(data)
    answer = b""
    while b'"end"' not in answer:
        protocol.receive_data(await received(client))
        answer = b"".join(
            bytes(frame.data) for frame in protocol.events_received() if isinstance(frame, Frame)
        )


async def test_the_service_says_goodbye(garden: InProcess, websocket: Any) -> None:
    """When it ends, clients are told that it goes away."""

    def talk() -> Any:
        with connect(websocket.url) as socket:
            subscribed(socket, TEMP)
            reactor.callFromThread(websocket.factory.shutdown)
            with pytest.raises(ConnectionClosed) as raised:
                socket.recv(timeout=30)
            return raised.value.rcvd and raised.value.rcvd.code

    assert await in_thread(talk) == 1001
    while websocket.factory.connection_count:
        await deferLater(reactor, 0.01, lambda: None)


async def test_lost_rights_end_pushes_here_as_well(garden: InProcess, websocket: Any) -> None:
    """A key that is deleted is worth nothing from the next update on."""

    def talk() -> Any:
        with connect(websocket.url) as socket:
            subscribed(socket, TEMP, key="greenhouse")
            subscribed(socket, TEMP, token="mine")
            ask(socket, "delete", "/keys/greenhouse", token="d")
            socket.send(request("put", TEMP, body={"current_value": "5"}, token="p"))
            socket.send(request("get", "/feeds/3/datastreams/wind", token="g"))
            return {json.loads(socket.recv(timeout=30)).get("token") for _ in range(3)}

    assert await in_thread(talk) == {"mine", "p", "g"}
