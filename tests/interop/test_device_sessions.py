"""
What old devices do, from the first byte they send to the state of their feed afterwards.

Each session is written with a bare socket as the device's own program sends it, a packet for each of its
print statements, and is held with the real service. What comes back is compared byte for byte, except for
the time and the request's number.
"""

from __future__ import annotations

import hmac
import http.client
import json
import re
import select
import socket
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, Final

import attrs
import pytest

from txpachube.testing.chunks import byte_by_byte
from txpachube.testing.service import LOOPBACK, ServiceProcess
from txpachube.times import SECOND, format_micros, parse

PATIENCE: Final = 20.0
"""Seconds after which a socket gives up; never reached when all is well."""

CSV = "text/plain; charset=utf-8"
JSON = "application/json; charset=utf-8"


def answer(
    body: bytes = b"",
    kind: str = CSV,
    status: str = "200 OK",
    between: str = "",
    after: str = "",
) -> bytes:
    """Return the bytes of an answer, with its time and number left out."""
    return (
        f"HTTP/1.1 {status}\r\nDate: *\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        f"X-Request-Id: *\r\n{between}Cache-Control: max-age=0\r\n{after}Vary: Accept-Encoding\r\n\r\n"
    ).encode() + body


CLOSE = "Connection: close\r\n"
_DATE = re.compile(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n")
_NUMBER = re.compile(rb"X-Request-Id: [0-9a-f]{40}\r\n")


def told(data: bytes) -> bytes:
    """Return what came, with the time and number of each answer left out."""
    return _NUMBER.sub(b"X-Request-Id: *\r\n", _DATE.sub(b"Date: *\r\n", data))


class Device:
    """A device's socket."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def print(self, *packets: bytes) -> Device:
        """Send each text in a packet of its own."""
        for packet in packets:
            self.socket.sendall(packet)
        return self

    def read_to_the_end(self) -> bytes:
        """Read until the service closes, as sketches do."""
        data = self._rest
        while piece := self.socket.recv(1 << 16):
            data += piece
        self.socket.close()
        return data

    def read(self, count: int = 1) -> bytes:
        """Read some answers by their Content-Length, as those do that keep the connection."""
        data, end = self._rest, 0
        for _ in range(count):
            while (at := data.find(b"\r\n\r\n", end)) < 0:
                data += self._more()
            head = data[end : at + 4]
            length = re.search(rb"Content-Length: (\d+)", head)
            end = at + 4 + (int(length[1]) if length else 0)
            while len(data) < end:
                data += self._more()
        self._rest = data[end:]
        return data[:end]

    def _more(self) -> bytes:
        piece = self.socket.recv(1 << 16)
        assert piece, "the connection was closed"
        return piece


@attrs.frozen
class Feed:
    """A feed of the service, seen through the ordinary door."""

    service: ServiceProcess
    id: str

    def ask(self, method: str, path: str, body: str = "") -> Any:
        """Return the document that is answered to a program of today."""
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=PATIENCE)
        connection.request(method, path, body.encode(), {"X-ApiKey": self.service.api_key})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        assert response.status in (200, 201), text
        return json.loads(text) if text else response.headers

    @property
    def values(self) -> dict[str, str | None]:
        """The current values by datastream."""
        document = self.ask("GET", f"/v2/feeds/{self.id}.json")
        return {stream["id"]: stream.get("current_value") for stream in document.get("datastreams", [])}

    @property
    def status(self) -> str:
        status: str = self.ask("GET", f"/v2/feeds/{self.id}.json")["status"]
        return status

    def history(self, stream: str) -> list[str]:
        """Return the values of the last hours."""
        document = self.ask("GET", f"/v2/feeds/{self.id}/datastreams/{stream}/datapoints.json?limit=1000")
        return [point["value"] for point in document.get("datapoints", [])]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Return a service with a door for old devices beside the ordinary one."""
    doors = {"http": LOOPBACK, "device-http": LOOPBACK}
    with ServiceProcess(tmp_path_factory.mktemp("home"), doors) as running:
        yield running
    assert "Traceback" not in running.log


@pytest.fixture
def feed(home: ServiceProcess) -> Feed:
    """Return a new feed with two datastreams that have no values yet."""
    made = Feed(home, "").ask(
        "POST", "/v2/feeds.json", '{"title":"Home","datastreams":[{"id":"temp"},{"id":"door"}]}'
    )
    return Feed(home, made["Location"].rpartition("/")[2])


@pytest.fixture
def port(home: ServiceProcess) -> int:
    """Return the port of the door for old devices."""
    return int(home.urls["device-http"].rpartition(":")[2])


@pytest.fixture(params=["http", "device-http"])
def either_port(request: pytest.FixtureRequest, home: ServiceProcess) -> int:
    """Return the port of one of the two doors, for those who are served alike at both."""
    return int(home.urls[request.param].rpartition(":")[2])


def test_a_sketch_with_bare_line_feeds(feed: Feed, port: int, home: ServiceProcess) -> None:
    """An Arduino prints LF and println's CRLF, sends a line end too many, and reads until the end."""
    body = b"temp,21.57\ndoor,open"
    said = (
        Device(port)
        .print(b"PUT /v2/feeds/", feed.id.encode(), b".csv HTTP/1.1\n")
        .print(b"Host: api.pachube.com\n", b"X-PachubeApiKey: ", home.api_key.encode(), b"\n")
        .print(b"User Agent: Arduino\n", b"Content-Type: text/csv\n")
        .print(b"Content-Length: ", str(len(body)).encode(), b"\r\n", b"Connection: close", b"\r\n")
        .print(b"\n", body, b"\r\n", b"\r\n")
        .read_to_the_end()
    )
    assert told(said) == answer(after=CLOSE)
    assert said.endswith(b"Vary: Accept-Encoding\r\n\r\n")  # the end that sketches look for
    assert len(said) <= 512
    assert feed.values == {"temp": "21.57", "door": "open"}
    assert feed.status == "live"


def test_the_line_end_behind_the_body_does_not_reset_the_answer(
    feed: Feed, port: int, home: ServiceProcess
) -> None:
    """A packet that arrives when the last answer is sent is thrown away, not answered with a reset."""
    device = Device(port).print(
        f"PUT /v2/feeds/{feed.id}.csv HTTP/1.0\nX-ApiKey: {home.api_key}\n".encode()
        + b"Content-Length: 7\n\ntemp,15"
    )
    assert select.select([device.socket], [], [], PATIENCE)[0]
    device.print(b"\r\n", b"\x1a")
    assert told(device.read_to_the_end()) == answer(after=CLOSE)  # a reset would raise an exception here
    assert feed.values["temp"] == "15"


def test_an_ethernet_card_with_an_absolute_target(feed: Feed, port: int, home: ServiceProcess) -> None:
    """An EtherCard sends the whole URL under HTTP/1.0, in one packet, and wants the end of the connection."""
    said = (
        Device(port)
        .print(
            f"PUT http://api.pachube.com/v2/feeds/{feed.id}.csv HTTP/1.0\r\n"
            f"Host: api.pachube.com\r\nX-PachubeApiKey: {home.api_key}\r\nUser-Agent: JeeNode\r\n"
            "Content-Type: text/csv\r\nContent-Length: 10\r\n\r\ntemp,0017\n".encode()
        )
        .read_to_the_end()
    )
    assert told(said) == answer(after=CLOSE)
    assert feed.values == {"temp": "0017", "door": None}


def test_a_modem_with_a_wrong_length(feed: Feed, port: int, home: ServiceProcess) -> None:
    """A GPRS modem announces too little, ends with Ctrl-Z, and sends its next update on the same line."""
    device = Device(port)
    for value in (b"21.57", b"22.08", b"-3.40"):
        device.print(
            b"PUT /v2/feeds/" + feed.id.encode() + b".csv HTTP/1.1\r\n",
            b"Host: api.cosm.com\r\nX-ApiKey: " + home.api_key.encode() + b"\r\n",
            b"Content-Length: 9\r\n\r\n",
            b"temp," + value + b"\r\n",
            b"\x1a",
        )
        assert told(device.read()) == answer()
    device.socket.close()
    assert feed.values["temp"] == "-3.4"  # as many bytes as announced, and no more
    assert feed.history("temp") == ["21.5", "22.0", "-3.4"]


def test_a_script_that_waits_for_permission(feed: Feed, either_port: int, home: ServiceProcess) -> None:
    """A PHP script asks whether it may send its body, however short, and sends it when it may."""
    body = b'{"version":"1.0.0","datastreams":[{"id":"temp","current_value":21.50}]}'
    device = Device(either_port).print(
        f"PUT /v2/feeds/{feed.id} HTTP/1.1\r\nHost: api.cosm.com\r\nAccept: */*\r\n"
        f"X-ApiKey: {home.api_key}\r\n"
        f"Content-Length: {len(body)}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        "Expect: 100-continue\r\n\r\n".encode()
    )
    assert device.read() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert told(device.print(body).read()) == answer(kind=JSON)
    device.socket.close()
    assert feed.values == {"temp": "21.50", "door": None}


def test_a_page_of_another_origin(feed: Feed, either_port: int, home: ServiceProcess) -> None:
    """A browser asks before it sends the key, then writes, and reads through a script element."""
    origin = "Origin: http://garden.example\r\n"
    shared = "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: Location, X-Request-Id\r\n"
    device = Device(either_port).print(
        f"OPTIONS /v2/feeds/{feed.id}/datastreams/temp HTTP/1.1\r\nHost: api.cosm.com\r\n{origin}"
        "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: content-type, x-apikey\r\n"
        "Connection: keep-alive\r\nAccept: */*\r\nAccept-Encoding: gzip,deflate,sdch\r\n\r\n".encode()
    )
    assert told(device.read()) == answer(
        kind=JSON,
        after="Access-Control-Allow-Methods: GET, POST, PUT, DELETE, OPTIONS\r\n"
        "Access-Control-Allow-Headers: X-ApiKey, X-PachubeApiKey, Content-Type, Accept, X-Requested-With\r\n"
        f"Access-Control-Max-Age: 86400\r\n{shared}",
    )
    body = '{"current_value":"42"}'
    device.print(
        f"PUT /v2/feeds/{feed.id}/datastreams/temp HTTP/1.1\r\nHost: api.cosm.com\r\n{origin}"
        f"X-ApiKey: {home.api_key}\r\nContent-Type: application/json; charset=UTF-8\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    assert told(device.read()) == answer(kind=JSON, after=shared)
    device.print(
        f"GET /v2/feeds/{feed.id}/datastreams/door.json?callback=jQuery17&key={home.api_key}&_=1369"
        " HTTP/1.1\r\n"
        "Host: api.cosm.com\r\nReferer: http://garden.example/\r\nAccept: */*\r\n\r\n".encode()
    )
    head, _, script = device.read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nContent-Type: application/javascript; charset=utf-8\r\n" in head
    assert script == b'jQuery17({"id":"door","version":"1.0.0"})'
    device.socket.close()
    assert feed.values == {"temp": "42", "door": None}


def test_a_script_downloads_a_year(feed: Feed, either_port: int, home: ServiceProcess) -> None:
    """A script asks on from the last time it got, under HTTP/1.0 with a password, until there is no more."""
    hour, first = 3600 * SECOND, parse("2012-06-01T00:59:55Z")
    year = [f"{format_micros(first + number * hour)},{number % 40 - 10}" for number in range(365 * 24)]
    path = f"/v2/feeds/{feed.id}/datastreams/temp"
    for start in range(0, len(year), 500):
        feed.ask("POST", f"{path}/datapoints.csv", "\n".join(year[start : start + 500]))
    password = b64encode(f"{home.account['login']}:{home.account['password']}".encode()).decode()
    found: list[str] = []
    last, requests = "2012-06-01T00:00:00Z", 0
    while True:
        said = Device(either_port).print(
            f"GET {path}?interval=3600&duration=31days&limit=1000&start={last}.csv HTTP/1.0\r\n"
            f"Authorization: Basic {password}\r\nUser-Agent: lwp-request\r\n\r\n".encode()
        )
        head, _, body = said.read_to_the_end().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        requests += 1
        lines = body.decode().split("\n")
        new = lines[1:] if found and lines[0] == found[-1] else lines
        if not new:
            break
        found += new
        last = found[-1].partition(",")[0]
    assert found == year
    assert requests == 13  # 31 days in each, and one to learn that there is no more
    assert feed.values == {"temp": year[-1].partition(",")[2], "door": None}


def test_a_meter_that_writes_lines_of_values(home: ServiceProcess, port: int) -> None:
    """A meter from 2009 makes its feed once, then sends a line of values, and knows no ids but numbers."""
    xml = "application/xml; charset=utf-8"
    eeml = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<eeml xmlns="http://www.eeml.org/xsd/005" version="5">\n'
        "<environment><title>Meter</title><location domain='mobile'><lat>52.1</lat><lon>9.3</lon></location>"
        '<data id="0"><tag>power</tag><value minValue="0" maxValue="9000">230</value></data>'
        "</environment></eeml>"
    )
    key = f"X-PachubeApiKey: {home.api_key}\r\n"
    host = "Host: www.pachube.com\r\n"
    said = (
        Device(port)
        .print(f"POST /api.xml HTTP/1.0\r\n{host}{key}Content-Length: {len(eeml)}\r\n\r\n{eeml}".encode())
        .read_to_the_end()
    )
    found = re.search(rb"Location: http://www.pachube.com/api/(\d+)\.xml\r\n", said)
    assert found is not None
    number = found[1].decode()
    assert told(said) == answer(
        kind=xml,
        status="201 Created",
        after=f"Location: http://www.pachube.com/api/{number}.xml\r\n{CLOSE}",
    )
    meter = Feed(home, number)
    assert meter.values == {"0": "230"}

    device = Device(port)
    for line in (b"231,21.5,open", b"0233,21.75,"):
        device.print(
            f"PUT /api/{number}.csv HTTP/1.1\n".encode(),
            host.encode(),
            key.encode(),
            f"Content-Length: {len(line)}\n".encode(),
            b"\r\n",
            line,
            b"\r\n",
        )
        assert told(device.read()) == answer()
    device.socket.close()
    assert meter.values == {"0": "0233", "1": "21.75", "2": ""}
    assert meter.history("0") == ["230", "231", "0233"]
    document = meter.ask("GET", f"/v2/feeds/{number}.json")
    assert document["location"] == {"domain": "physical", "lat": 52.1, "lon": 9.3}  # a word nobody knows
    assert document["datastreams"][0]["tags"] == ["power"]
    assert (document["datastreams"][0]["max_value"], document["datastreams"][0]["min_value"]) == (
        "9000.0",
        "0.0",
    )

    said = Device(port).print(f"GET /api/{number}.csv HTTP/1.0\r\n{key}\r\n".encode()).read_to_the_end()
    assert told(said).startswith(b"HTTP/1.1 200 OK\r\nDate: *\r\nContent-Type: text/plain; charset=utf-8\r\n")
    assert said.endswith(b'\r\n\r\n0233,21.75,""')
    two = Device(port).print(f"PUT /api/{number}.csv HTTP/1.0\n{key}Content-Length: 3\n\n1\n2".encode())
    assert told(two.read_to_the_end()) == answer(
        b"CSV is invalid. Currently we can only accept CSV for your most recent set of values."
        b" You have submitted 2 rows of data.",
        status="400 Bad Request",
        after=CLOSE,
    )
    assert meter.values == {"0": "0233", "1": "21.75", "2": ""}


def test_a_program_that_replaces_its_datastreams(home: ServiceProcess, either_port: int) -> None:
    """A program in Java creates a feed, says no type, and sends other datastreams: the first ones go."""
    key = f"X-PachubeApiKey: {home.api_key}\r\n"
    body = "<eeml><environment><title>J</title><data id='a'><value>1</value></data></environment></eeml>"
    device = Device(either_port).print(
        f"POST /api/feeds HTTP/1.1\r\nHost: h\r\n{key}Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    said = device.read()
    assert said.startswith(b"HTTP/1.1 201 Created\r\n")
    number = said.partition(b"Location: http://h/api/feeds/")[2].partition(b"\r\n")[0].decode()
    made = Feed(home, number)
    assert made.values == {"a": "1"}
    body = body.replace("'a'", "'b'")
    device.print(
        f"PUT /api/feeds/{number}.xml HTTP/1.1\r\nHost: h\r\n{key}".encode(),
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode(),
    )
    assert told(device.read()) == answer(kind="application/xml; charset=utf-8")
    assert made.values == {"b": "1"}
    device.print(
        f"DELETE /api/feeds/{number}/ HTTP/1.1\r\nHost: h\r\n{key}Connection: close\r\n\r\n".encode()
    )
    assert told(device.read_to_the_end()) == answer(kind="application/xml; charset=utf-8", after=CLOSE)
    gone = Device(either_port).print(f"GET /api/{number}.xml HTTP/1.0\r\n{key}\r\n".encode())
    assert told(gone.read_to_the_end()) == answer(
        b'<?xml version="1.0" encoding="UTF-8"?>\n<errors>\n  <title>Not found</title>\n'
        b"  <error>I'm sorry we are unable to find the resource you are looking for.</error>\n</errors>\n",
        "application/xml; charset=utf-8",
        "404 Not Found",
        after=CLOSE,
    )


def test_one_byte_in_each_packet(feed: Feed, port: int, home: ServiceProcess) -> None:
    """A sketch that prints character by character sends a packet for each, and is understood."""
    sent = (
        f"PUT /v2/feeds/{feed.id}/datastreams/temp.csv HTTP/1.1\nX-ApiKey:{home.api_key}\n"
        "Content-Length: 4\n\r\n19.5\r\n"
    ).encode()
    device = Device(port).print(*byte_by_byte(sent), *byte_by_byte(sent.replace(b"19.5", b"20.1")))
    assert told(device.read(2)) == answer() * 2
    device.socket.close()
    assert feed.values["temp"] == "20.1"
    assert feed.history("temp") == ["19.5", "20.1"]


def test_several_requests_in_one_packet(feed: Feed, port: int, home: ServiceProcess) -> None:
    """Requests in one packet are answered in order, and each sees what those before it did."""
    key = f"X-ApiKey: {home.api_key}\n"
    path = f"/v2/feeds/{feed.id}/datastreams"
    said = (
        Device(port)
        .print(
            (
                f"POST {path}.csv HTTP/1.1\n{key}Content-Length: 6\n\nflow,7\r\n"
                f"\nGET {path}/flow/datapoints/2001-01-01.csv HTTP/1.1\n{key}\n"
                f"PUT {path}/flow.csv HTTP/1.1\n{key}Content-Length: 1\n\n8\x1a\n"
                f"GET {path}/nothing.json HTTP/1.1\n{key}\n"
                f"DELETE {path}/flow HTTP/1.0\n{key}\nGET /never/seen HTTP/1.1\n\n"
            ).encode()
        )
        .read_to_the_end()
    )
    assert told(said) == (
        answer(status="201 Created", after=f"Location: http://localhost{path}/flow\r\n")
        + answer(b"Not Found", status="404 Not Found")
        + answer()
        + answer(
            b'{"title":"Not found","errors":"I\'m sorry we are unable to find the resource you are looking'
            b' for."}',
            JSON,
            "404 Not Found",
        )
        + answer(kind=JSON, after=CLOSE)
    )
    assert feed.values == {"temp": None, "door": None}


def test_what_the_ordinary_door_says_to_a_sketch(feed: Feed, home: ServiceProcess) -> None:
    """The ordinary door refuses what only the device door forgives, and nothing of it is carried out."""
    said = (
        Device(home.port)
        .print(
            f"PUT /v2/feeds/{feed.id}.csv HTTP/1.1\nX-ApiKey: {home.api_key}\n".encode()
            + b"Content-Length: 7\n\ntemp,15"
        )
        .read_to_the_end()
    )
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert feed.values == {"temp": None, "door": None}


def test_doubt_about_the_length_is_refused_behind_all_answers(
    feed: Feed, port: int, home: ServiceProcess
) -> None:
    """Two different lengths leave open where the request ends: it gets 400, the one before its answer."""
    put = f"PUT /v2/feeds/{feed.id}.csv HTTP/1.1\nX-ApiKey: {home.api_key}\nContent-Length: 7\n"
    said = (
        Device(port)
        .print(f"{put}\ntemp,15\r\n{put}Content-Length: 9\n\ntemp,16{put}\ntemp,17".encode())
        .read_to_the_end()
    )
    assert told(said) == answer() + answer(
        b'{"title":"Bad Request","errors":"There are two different lengths of the body"}',
        JSON,
        "400 Bad Request",
        after=CLOSE,
    )
    assert feed.values["temp"] == "15"


def test_a_box_that_knows_nothing_but_its_code(home: ServiceProcess, port: int) -> None:
    """
    A box is switched on for the first time, activates itself, and sends its first value.

    Its sketch prints bare line feeds under HTTP/1.0, reads the line behind the head character by character,
    and throws away what stands before a line feed. Its maker finds feed and key on the box's page later.
    """
    maker = Feed(home, "")
    template = '{"title":"Box","private":true,"datastreams":[{"id":"rain"},{"id":"wind"}]}'
    made = maker.ask(
        "POST", "/v2/products.json", f'{{"product":{{"name":"Box","feed_defaults":{template}}}}}'
    )
    product = "/v2/products/" + made["Location"].rpartition("/")[2]
    maker.ask("POST", f"{product}/devices.json", '{"devices":[{"serial":"00:1b:44"},{"serial":"00:1b:45"}]}')
    secret = bytes.fromhex(maker.ask("GET", product)["product"]["secret"])
    code = hmac.new(secret, b"00:1b:44", "sha1").hexdigest().encode()

    def switched_on(*more: bytes) -> tuple[bytes, bytes]:
        said = (
            Device(port)
            .print(b"GET /v2/devices/", code, b"/activate.csv", b" HTTP/1.0\n")
            .print(b"Host: api.cosm.com\n", b"User Agent: Arduino\n", *more, b"\n")
            .read_to_the_end()
        )
        assert len(said) <= 512
        head, _, body = said.partition(b"\r\n\r\n")
        return head, body

    head, line = switched_on()
    assert head.startswith(b"HTTP/1.1 200 OK\r\nDate: ")
    assert b"\r\nContent-Type: text/plain; charset=utf-8\r\n" in head
    assert f"\r\nContent-Length: {len(line)}\r\n".encode() in head
    assert b"\n" not in line
    key, number, count, *ids = line.decode().split(",")
    assert len(key) > 32
    assert (int(count), ids) == (2, ["rain", "wind"])

    body = b"rain,0.25"
    said = (
        Device(port)
        .print(b"PUT /v2/feeds/", number.encode(), b".csv HTTP/1.0\n", b"Host: api.cosm.com\n")
        .print(
            b"X-ApiKey: ", key.encode(), b"\n", b"Content-Length: ", str(len(body)).encode(), b"\n\n", body
        )
        .print(b"\r\n")
        .read_to_the_end()
    )
    assert told(said) == answer(after=CLOSE)
    box = Feed(home, number)
    assert box.values == {"rain": "0.25", "wind": None}
    assert box.status == "live"

    page = maker.ask("GET", f"{product}/devices/00:1b:44")["device"]
    assert (page["feed_id"], page["api_key"]) == (int(number), key)
    assert page["activation_code"] == code.decode()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", page["activated_at"])
    document = box.ask("GET", f"/v2/feeds/{number}.json")
    assert (document["title"], document["private"]) == ("Box", "true")
    assert (document["product_id"], document["device_serial"]) == (product.rpartition("/")[2], "00:1b:44")

    head, text = switched_on()  # it has forgotten everything
    assert (head[:22], text) == (b"HTTP/1.1 403 Forbidden", b"This device has already been activated")
    head, again = switched_on(b"X-ApiKey: ", key.encode(), b"\n")
    assert (head[:15], again) == (b"HTTP/1.1 200 OK", line)
    others = maker.ask("GET", f"{product}/devices?activated=false")
    assert [device["serial"] for device in others["devices"]] == ["00:1b:45"]
    for trace in (key, code.decode(), secret.hex()):
        assert trace not in home.log
