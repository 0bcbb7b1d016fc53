"""The examples, each run as the program it is, against a server that plays the service."""

from __future__ import annotations

import os
import pty
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.utils import getProcessOutputAndValue
from twisted.python.failure import Failure

from txpachube.testing.scripted import ScriptedServer, answer

EXAMPLES = Path(__file__).parents[2] / "examples"

EARLY, LATE = "2013-06-01T10:00:00.000000Z", "2013-06-01T10:15:02.001200Z"
FEED = (
    b'{"id":504,"title":"Greenhouse","private":"false","status":"live","datastreams":['
    b'{"id":"door","current_value":"open","at":"2013-06-01T10:00:00.000000Z"},'
    b'{"id":"temp","current_value":"21.50","at":"2013-06-01T10:15:02.001200Z","unit":{"symbol":"C"},'
    b'"datapoints":[{"value":"20.1","at":"2013-06-01T10:00:00.000000Z"},'
    b'{"value":"21.50","at":"2013-06-01T10:15:02.001200Z"}]}]}'
)
KEYS = (
    b'{"keys":[{"api_key":"S3cret","label":"door","private_access":true,"permissions":['
    b'{"access_methods":["get"]},{"access_methods":["put","post"],"resources":[{"feed_id":2424}]}]}]}'
)
TRIGGERS = (
    b'[{"id":14,"url":"http://h/a","trigger_type":"lt","user":"rosa","environment_id":2424,'
    b'"stream_id":"temp","threshold_value":"15.0","notified_at":""},'
    b'{"id":15,"url":"http://h/b","trigger_type":"frozen","environment_id":2424,"stream_id":"door"}]'
)


def environ(server: ScriptedServer) -> dict[str, str]:
    """Return the environment of a program that uses the server."""
    return {
        **os.environ,
        "PACHUBE_URL": server.url,
        "PACHUBE_API_KEY": "the-key",
        "PACHUBE_FEED_ID": "504",
    }


CASES: list[tuple[str, list[str], bytes, str, str]] = [
    (
        "list_feeds",
        [],
        answer(200, b'{"totalResults":2,"startIndex":0,"itemsPerPage":20,"results":[%s]}' % FEED),
        "GET /v2/feeds.json?content=summary&per_page=20",
        "504  live  Greenhouse\n1 of 2 feeds\n",
    ),
    (
        "create_feed",
        [],
        answer(201, headers={"Location": "http://host/v2/feeds/2424"}),
        "POST /v2/feeds.json",
        "2424\n",
    ),
    ("update_feed", [], answer(200), "PUT /v2/feeds/504.xml", "updated\n"),
    (
        "read_feed",
        [],
        answer(200, FEED),
        "GET /v2/feeds/504.json",
        f"Greenhouse is live\ndoor: open  ({EARLY})\ntemp: 21.50 C ({LATE})\n",
    ),
    (
        "read_feed",
        ["temp", "door"],
        answer(200, b'{"id":504,"title":"Greenhouse","status":"frozen"}'),
        "GET /v2/feeds/504.json?datastreams=temp%2Cdoor",
        "Greenhouse is frozen\n",
    ),
    ("delete_feed", ["7"], answer(200), "DELETE /v2/feeds/7", "deleted feed 7\n"),
    (
        "view_datapoints",
        [],
        answer(200, FEED),
        "GET /v2/feeds/504.json?duration=10minutes&interval=0&limit=1000",
        f"door: 0 datapoints\ntemp: 2 datapoints\n  {EARLY}  20.1\n  {LATE}  21.50\n",
    ),
    (
        "view_keys",
        [],
        answer(200, KEYS),
        "GET /v2/keys.json",
        "door (private)\n  get  everything\n  put post  feed 2424\n",
    ),
    (
        "view_triggers",
        [],
        answer(200, TRIGGERS),
        "GET /v2/triggers.json",
        "14: feed 2424, temp lt 15.0 -> http://h/a\n15: feed 2424, door frozen -> http://h/b\n",
    ),
]


@pytest.mark.parametrize(("name", "arguments", "reply", "line", "printed"), CASES)
async def test_examples(
    server: ScriptedServer, name: str, arguments: list[str], reply: bytes, line: str, printed: str
) -> None:
    """Each example makes its one call with the key and feed of the environment, and prints what it got."""
    server.play(reply)
    output, problems, code = await getProcessOutputAndValue(
        sys.executable, [str(EXAMPLES / f"{name}.py"), *arguments], environ(server)
    )
    assert (code, problems.decode()) == (0, "")
    assert output.decode() == printed
    (request,) = server.requests
    assert f"{request.method} {request.target}" == line
    assert request.headers["x-apikey"] == "the-key"


def test_every_example_is_tried() -> None:
    """No example that speaks HTTP with our client is without its test."""
    tried = {name for name, *_ in CASES} | {"current_cost"}
    found = {path.stem for path in EXAMPLES.glob("*.py") if "import Client\n" in path.read_text("utf-8")}
    assert found == tried


async def test_a_deletion_of_nothing(server: ScriptedServer) -> None:
    """An example shows what an error looks like to a person."""
    server.play(answer(404, b'{"title":"Not found","errors":"no"}'))
    _, problems, code = await getProcessOutputAndValue(
        sys.executable, [str(EXAMPLES / "delete_feed.py"), "7"], environ(server)
    )
    assert code == 1
    assert "there is no feed 7" in problems.decode()


# The meter

READING = (
    b"<msg><src>CC128-v0.11</src><dsb>00089</dsb><time>13:02:39</time><tmpr>18.7</tmpr><sensor>0</sensor>"
    b"<id>01234</id><type>1</type><ch1><watts>00345</watts></ch1></msg>"
)
THREE_PHASES = READING.replace(
    b"</ch1>", b"</ch1><ch2><watts>02151</watts></ch2><ch3><watts>00000</watts></ch3>"
)
APPLIANCE = READING.replace(b"<sensor>0<", b"<sensor>2<").replace(b"00345", b"00040")
HISTORY = (
    b"<msg><src>CC128-v0.11</src><dsb>00089</dsb><time>13:10:50</time><hist><dsw>00032</dsw><type>1</type>"
    b"<units>kwhr</units><data><sensor>0</sensor><h024>001.1</h024><h022>000.9</h022></data>"
    b"<data><sensor>1</sensor><h024>000.0</h024><h022>000.0</h022></data></hist></msg>"
)
CLASSIC = (
    b"<msg><date><dsb>00030</dsb><hr>00</hr><min>20</min><sec>11</sec></date><src><name>CC02</name>"
    b"<id>00077</id><type>1</type><sver>1.06</sver></src><ch1><watts>00168</watts></ch1>"
    b"<ch2><watts>00000</watts></ch2><ch3><watts>00000</watts></ch3><tmpr>25.6</tmpr>"
    b"<hist><hrs><h02>000.0</h02></hrs></hist></msg>"
)


@cache
def load_meter() -> Any:
    """Return the module of the meter's example."""
    spec = spec_from_file_location("current_cost", EXAMPLES / "current_cost.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def meter() -> Any:
    """Return the module of the meter's example."""
    return load_meter()


@pytest.mark.parametrize(
    ("message", "values"),
    [
        (READING, {"temperature": "18.7", "watts": "345"}),
        (THREE_PHASES, {"temperature": "18.7", "watts": "2496"}),
        (APPLIANCE, {"temperature": "18.7", "watts-2": "40"}),
        (CLASSIC, {"temperature": "25.6", "watts": "168"}),
        (READING.replace(b"00345", b"-0345"), {"temperature": "18.7", "watts": "-345"}),
        (HISTORY, {}),
        (READING.replace(b"00345", b"0#345"), {}),
        (READING.replace(b"00345", b""), {}),
        (READING.replace(b"18.7", b"1\xff.7"), {}),
        (READING.replace(b"<tmpr>18.7</tmpr>", b""), {}),
        (READING.replace(b"<sensor>0", b"<sensor>x"), {}),
        (READING.replace(b"</ch1>", b""), {}),
        (b"<msg></msg>", {}),
        (b'<!DOCTYPE msg [<!ENTITY a "1">]><msg><tmpr>&a;</tmpr></msg>', {}),
    ],
)
def test_values_of_a_message(meter: Any, message: bytes, values: dict[str, str]) -> None:
    """Real readings have values; history and garbled messages have none."""
    assert meter.values_of(message) == values


@given(st.binary(max_size=300))
def test_no_message_is_an_error(data: bytes) -> None:
    """Whatever arrives on the line, reading it does not fail."""
    for message in (data, b"<msg>" + data + b"</msg>", READING[:120] + data[:20] + READING[140:]):
        load_meter().values_of(message)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_messages_are_found_in_pieces(meter: Any, size: int) -> None:
    """Messages arrive in any pieces, with rubbish between them; one that was cut off is dropped."""
    stream = b"</msg>x" + READING + b"\r\n" + READING[:100] + HISTORY + READING[50:] + CLASSIC + READING[:30]
    messages = meter.Messages()
    found = [
        message
        for start in range(0, len(stream), size)
        for message in messages.receive(stream[start : start + size])
    ]
    assert found == [READING, HISTORY, CLASSIC]


def test_a_message_without_end_is_forgotten(meter: Any) -> None:
    """A line that never ends a message does not fill the memory."""
    messages = meter.Messages()
    for _ in range(100):
        assert messages.receive(b"<msg>" + b"x" * 10_000) == []
    assert len(messages._rest) <= meter.MAX_MESSAGE
    assert messages.receive(READING) == [READING]


class Program(ProcessProtocol):
    """A program that is running."""

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()
        self.printed = b""
        self._expected: list[tuple[bytes, Deferred[None]]] = []

    def prints(self, text: bytes) -> Deferred[None]:
        """Return a Deferred that fires when the program has printed a text, which counts once."""
        said: Deferred[None] = Deferred()
        self._expected.append((text, said))
        self.childDataReceived(1, b"")
        return said

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Collect both outputs."""
        self.printed += data
        for text, said in list(self._expected):
            if text in self.printed:
                self.printed = self.printed.replace(text, b"", 1)
                self._expected.remove((text, said))
                said.callback(None)

    def processEnded(self, reason: Failure) -> None:
        """Fail what is still expected."""
        for text, said in self._expected:
            said.errback(AssertionError(f"ended without printing {text!r}, but {self.printed!r}"))
        self.ended.callback(None)


@pytest.fixture
def serial_port() -> Iterator[tuple[int, str]]:
    """Return the meter's end of a serial line, and the path of the other."""
    meters_end, programs_end = pty.openpty()
    yield meters_end, os.ttyname(programs_end)
    for descriptor in (meters_end, programs_end):
        try:
            os.close(descriptor)
        except OSError:
            continue


async def test_a_meter_on_a_serial_line(server: ScriptedServer, serial_port: tuple[int, str]) -> None:
    """The monitor uploads each reading, and goes on after history, cut and garbled messages and errors."""
    meters_end, path = serial_port
    server.always = answer(200)
    program = Program()
    arguments = [sys.executable, str(EXAMPLES / "current_cost.py"), path]
    process: Any = reactor.spawnProcess(program, sys.executable, arguments, environ(server))
    await program.prints(b"listening on " + path.encode())
    for sent, printed in (
        (READING, b"temperature=18.7 watts=345\n"),
        (HISTORY + CLASSIC, b"temperature=25.6 watts=168\n"),
        (READING[:100] + THREE_PHASES, b"temperature=18.7 watts=2496\n"),
        (READING.replace(b"00345", b"\xff\x00345") + APPLIANCE, b"temperature=18.7 watts-2=40\n"),
        (READING + APPLIANCE, b"temperature=18.7 watts=345 watts-2=40\n"),
    ):
        os.write(meters_end, sent + b"\r\n")
        await program.prints(printed)
    server.always = answer(403, b'{"title":"Forbidden","errors":"no"}')
    os.write(meters_end, READING)
    await program.prints(b"403 Forbidden: no\n")
    server.always = answer(200)
    os.write(meters_end, READING.replace(b"00345", b"00999"))
    await program.prints(b"temperature=18.7 watts=999\n")
    process.signalProcess("TERM")
    await program.ended
    assert b"Traceback" not in program.printed
    assert [f"{request.method} {request.target}" for request in server.requests] == [
        "PUT /v2/feeds/504.json"
    ] * 7
    assert server.requests[1].body == (
        b'{"datastreams":[{"id":"temperature","current_value":"25.6"},{"id":"watts","current_value":"168"}]}'
    )


async def test_a_meter_that_is_unplugged(server: ScriptedServer, serial_port: tuple[int, str]) -> None:
    """When the line is gone the monitor says so and ends."""
    meters_end, path = serial_port
    program = Program()
    arguments = [sys.executable, str(EXAMPLES / "current_cost.py"), path]
    reactor.spawnProcess(program, sys.executable, arguments, environ(server))
    await program.prints(b"listening")
    os.close(meters_end)
    await program.prints(b"the meter is gone")
    await program.ended
