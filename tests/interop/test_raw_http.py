"""
What goes over the wire, byte for byte, as old devices and programs need it.

Everything here is said and heard with a bare socket, because a client library would put right what is wrong.
Each docstring is the rule.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import socket
from base64 import b64encode
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import attrs
import pytest
from lxml import etree

from txpachube.testing.service import ServiceProcess

PATIENCE = 20.0
"""Seconds after which a socket gives up; never reached when all is well."""

NOT_FOUND = "I'm sorry we are unable to find the resource you are looking for."
JSON, XML, PLAIN = (
    "application/json; charset=utf-8",
    "application/xml; charset=utf-8",
    "text/plain; charset=utf-8",
)
AT = "2013-06-01T10:15:02.001200Z"
FEED = (
    '{"title":"Gewächshaus","datastreams":[{"id":"temp","current_value":"21.50","at":"' + AT + '",'
    '"datapoints":[{"at":"2013-06-01T09:00:00Z","value":"0000017"}]},{"id":"door"}]}'
)

EEML = '<eeml><environment><data id="temp"><current_value>99</current_value></data></environment></eeml>'


@attrs.frozen
class Answer:
    """One answer: its first line, its headers in their order, its body, and how many receives it took."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes
    raw: bytes
    pieces: int

    def __getitem__(self, name: str) -> str:
        (value,) = [value for header, value in self.headers if header == name]
        return value

    def __contains__(self, name: str) -> bool:
        return any(header == name for header, _ in self.headers)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.headers]

    @property
    def status(self) -> int:
        return int(self.line.split(" ")[1])

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Line:
    """A connection to the service."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, without_body: bool = False) -> Answer:
        """Read one answer as a device does: up to the empty line, then by Content-Length."""
        data, pieces = self._rest, 0
        while b"\r\n\r\n" not in data:
            data, pieces = data + self._more(data), pieces + 1
        head, _, body = data.partition(b"\r\n\r\n")
        line, *lines = head.decode("ascii").split("\r\n")
        headers = [(name, value) for name, _, value in (header.partition(": ") for header in lines)]
        length = 0 if without_body else int(dict(headers).get("Content-Length", "0"))
        while len(body) < length:
            body, pieces = body + self._more(body), pieces + 1
        body, self._rest = body[:length], body[length:]
        return Answer(line, headers, body, head + b"\r\n\r\n" + body, pieces)

    def _more(self, seen: bytes) -> bytes:
        data = self.socket.recv(1 << 20)
        assert data, f"the connection was closed after {seen!r}"
        return data

    def is_closed(self) -> bool:
        """Wait for the other side to close, or prove that it does not by asking something."""
        return self.socket.recv(100) == b""


@attrs.frozen
class Wire:
    """The service as a device sees it: a port, a key, a feed."""

    port: int
    key: str
    feed: str

    def connect(self) -> Line:
        return Line(self.port)

    def head(
        self, line: str, *headers: str, body: bytes = b"", key: bool = True, version: str = "1.1"
    ) -> bytes:
        """Return a request; ``{feed}`` in its line is the feed's id."""
        lines = [f"{line.replace('{feed}', self.feed)} HTTP/{version}", f"Host: 127.0.0.1:{self.port}"]
        lines += [f"X-ApiKey: {self.key}"] * key
        lines += headers
        lines += [f"Content-Length: {len(body)}"] * bool(body)
        return "\r\n".join([*lines, "", ""]).encode() + body

    def ask(
        self, line: str, *headers: str, body: str | bytes = b"", key: bool = True, version: str = "1.1"
    ) -> Answer:
        """Return the answer to one request on a connection of its own."""
        data = body.encode() if isinstance(body, str) else body
        connection = self.connect()
        try:
            connection.send(self.head(line, *headers, body=data, key=key, version=version))
            return connection.answer(without_body=line.startswith("HEAD"))
        finally:
            connection.socket.close()


@pytest.fixture(params=["http", "device-http"])
def wire(service: ServiceProcess, request: pytest.FixtureRequest) -> Wire:
    """
    Return the service with a fresh feed that has the datastreams ``temp`` and ``door``.

    Both doors obey the same rules; the one for old devices also takes what the other refuses.
    """
    door: str = request.param
    bare = Wire(int(service.urls[door].rpartition(":")[2]), service.api_key, "")
    created = bare.ask("POST /v2/feeds.json", body=FEED)
    assert created.status == 201
    return attrs.evolve(bare, feed=created["Location"].rpartition("/")[2])


@pytest.fixture
def line(wire: Wire) -> Iterator[Line]:
    """Return a connection."""
    connection = wire.connect()
    yield connection
    connection.socket.close()


# Answers: the first line, the headers, the size


CALLS: list[tuple[str, str, str]] = [
    ("GET /v2/feeds/{feed}.json", "", "HTTP/1.1 200 OK"),
    ("PUT /v2/feeds/{feed}.csv", "temp,1", "HTTP/1.1 200 OK"),
    ("POST /v2/feeds.json", '{"title":"x"}', "HTTP/1.1 201 Created"),
    ("PUT /v2/feeds/{feed}.json", "{", "HTTP/1.1 400 Bad Request"),
    ("GET /v2/feeds/999999999.json", "", "HTTP/1.1 404 Not Found"),
    ("GET /v2/keys.csv", "", "HTTP/1.1 406 Not Acceptable"),
    ("POST /v2/feeds.json", "{}", "HTTP/1.1 422 Unprocessable Entity"),
    ("DELETE /v2/feeds/{feed}/datastreams/door", "", "HTTP/1.1 200 OK"),
    ("POST /v2/feeds/{feed}/datastreams/temp/datapoints.csv", f"{AT},1", "HTTP/1.1 200 OK"),
]


@pytest.mark.parametrize(("request_line", "body", "first"), CALLS)
def test_the_first_line_is_exactly_so(wire: Wire, request_line: str, body: str, first: str) -> None:
    """The status line has the version 1.1 and the standard phrase: programs compare the whole line."""
    assert wire.ask(request_line, body=body).line == first
    assert wire.ask(request_line, body=body, version="1.0").line.startswith("HTTP/1.1 ")


def test_refused_keys_have_their_phrases(wire: Wire) -> None:
    """401 and 403 have their standard phrases, too."""
    assert wire.ask("GET /v2/feeds/{feed}.json", key=False).line == "HTTP/1.1 401 Unauthorized"
    key = wire.ask("POST /v2/keys.json", body='{"label":"k","permissions":[{"access_methods":["put"]}]}')
    text = key["Location"].rpartition("/")[2]
    other = attrs.evolve(wire, key=text)
    assert other.ask("GET /v2/feeds/{feed}.json").line == "HTTP/1.1 403 Forbidden"


@pytest.mark.parametrize(("request_line", "body", "first"), CALLS)
def test_headers_fit_the_buffers_of_devices(wire: Wire, request_line: str, body: str, first: str) -> None:
    """
    At most 16 headers, names at most 31 bytes in canonical capitals, values at most 63 bytes, one space
    after the colon; ``Date`` is first, ``Vary`` last.
    """
    answer = wire.ask(request_line, body=body)
    assert len(answer.headers) <= 16
    assert (answer.names[0], answer.names[-1]) == ("Date", "Vary")
    for name, value in answer.headers:
        assert name == "-".join("ETag" if part == "ETag" else part.capitalize() for part in name.split("-"))
        assert 0 < len(name) <= 31
        assert 0 < len(value) <= 63
        assert value == value.strip()
    assert len(set(answer.names)) == len(answer.names)
    for name in ("Server", "Set-Cookie", "Transfer-Encoding", "Connection", "WWW-Authenticate"):
        assert name not in answer


@pytest.mark.parametrize(("request_line", "body", "first"), CALLS)
def test_headers_of_every_answer(wire: Wire, request_line: str, body: str, first: str) -> None:
    """Date, Content-Type (of nothing, too), Content-Length, X-Request-Id, Cache-Control, Vary always come."""
    answer = wire.ask(request_line, body=body)
    assert parsedate_to_datetime(answer["Date"]).tzinfo is not None
    assert answer["Date"].endswith(" GMT")
    assert re.fullmatch("[0-9a-f]{40}", answer["X-Request-Id"])
    assert answer["X-Request-Id"] != wire.ask(request_line, body=body)["X-Request-Id"]
    assert answer["Cache-Control"] == "max-age=0"
    assert answer["Vary"] == "Accept-Encoding"
    assert answer.names.index("Content-Length") < answer.names.index("Vary")
    assert answer["Content-Type"] in (JSON, XML, PLAIN)


@pytest.mark.parametrize(("request_line", "body", "first"), CALLS)
def test_an_answer_comes_in_one_piece_of_512_bytes(
    wire: Wire, request_line: str, body: str, first: str
) -> None:
    """First line, headers and a device's body are one packet of at most 512 bytes."""
    if request_line.startswith("GET /v2/feeds/{feed}"):
        request_line = "GET /v2/feeds/{feed}/datastreams/temp.csv"
    answer = wire.ask(request_line, body=body)
    assert answer.pieces == 1
    assert len(answer.raw) <= 512


def test_larger_answers_are_one_write(wire: Wire) -> None:
    """A whole feed document still arrives at once, with its exact length and without any coding."""
    answer = wire.ask("GET /v2/feeds/{feed}.json")
    assert answer.pieces == 1
    assert int(answer["Content-Length"]) == len(answer.body)


def test_successes_without_content_are_empty_200s(wire: Wire) -> None:
    """Updates and deletions answer 200 with ``Content-Length: 0``, never 204."""
    for request_line, body in (
        ("PUT /v2/feeds/{feed}.csv", "temp,1"),
        ("PUT /v2/feeds/{feed}/datastreams/temp.json", '{"current_value":"2"}'),
        ("PUT /v2/feeds/{feed}/datastreams/temp/datapoints/2013-06-01T09:00:00Z.json", '{"value":"3"}'),
        ("DELETE /v2/feeds/{feed}/datastreams/temp/datapoints/2013-06-01T09:00:00Z", ""),
        ("DELETE /v2/feeds/{feed}/datastreams/temp", ""),
        ("DELETE /v2/feeds/{feed}", ""),
    ):
        answer = wire.ask(request_line, body=body)
        assert (answer.line, answer["Content-Length"], answer.body) == ("HTTP/1.1 200 OK", "0", b"")


@pytest.mark.parametrize(
    ("request_line", "body", "kind"),
    [
        ("GET /v2/feeds/{feed}", "", JSON),
        ("GET /v2/feeds/{feed}.json", "", JSON),
        ("GET /v2/feeds/{feed}.xml", "", XML),
        ("GET /v2/feeds/{feed}.csv", "", PLAIN),
        ("PUT /v2/feeds/{feed}.csv", "temp,1", PLAIN),
        ("PUT /v2/feeds/{feed}.json", "{}", JSON),
        ("PUT /v2/feeds/{feed}.xml", "<eeml><environment/></eeml>", XML),
    ],
)
def test_content_types(wire: Wire, request_line: str, body: str, kind: str) -> None:
    """JSON, XML and CSV have these types, CSV the one of plain text, and UTF-8 as their encoding."""
    assert wire.ask(request_line, body=body)["Content-Type"] == kind


# Connections


def test_a_connection_is_kept(wire: Wire, line: Line) -> None:
    """HTTP/1.1 keeps the connection without saying so."""
    for _ in range(3):
        line.send(wire.head("GET /v2/feeds/{feed}.csv"))
        answer = line.answer()
        assert answer.status == 200
        assert "Connection" not in answer


def test_close_is_honoured(wire: Wire, line: Line) -> None:
    """After ``Connection: close`` the service answers, says close, and closes."""
    line.send(wire.head("PUT /v2/feeds/{feed}.csv", "Connection: close", body=b"temp,1"))
    assert line.answer()["Connection"] == "close"
    assert line.is_closed()


def test_http_1_0_closes(wire: Wire, line: Line) -> None:
    """HTTP/1.0 is answered and closed: devices read until the end. It needs no Host."""
    line.send(f"GET /v2/feeds/{wire.feed}.csv HTTP/1.0\r\nX-ApiKey: {wire.key}\r\n\r\n".encode())
    answer = line.answer()
    assert answer.line == "HTTP/1.1 200 OK"
    assert answer["Connection"] == "close"
    assert line.is_closed()


def test_http_1_0_that_wants_to_stay(wire: Wire, line: Line) -> None:
    """HTTP/1.0 with ``Connection: keep-alive`` is kept and told so."""
    for _ in range(2):
        line.send(wire.head("GET /v2/feeds/{feed}.csv", "Connection: keep-alive", version="1.0"))
        assert line.answer()["Connection"] == "keep-alive"


def test_http_1_1_without_host(wire: Wire, line: Line) -> None:
    """Devices forget the Host; nothing is decided by it."""
    line.send(f"GET /v2/feeds/{wire.feed}.csv HTTP/1.1\r\nX-ApiKey: {wire.key}\r\n\r\n".encode())
    assert line.answer().status == 200


@pytest.mark.parametrize("host", ["api.pachube.com", "www.pachube.com", "app.xively.com", "nonsense"])
def test_any_host_will_do(wire: Wire, line: Line, host: str) -> None:
    """Old programs name the hosts of their time."""
    line.send(
        f"GET /v2/feeds/{wire.feed}.csv HTTP/1.1\r\nHost: {host}\r\nX-ApiKey: {wire.key}\r\n\r\n".encode()
    )
    assert line.answer().status == 200


def test_pipelined_requests(wire: Wire, line: Line) -> None:
    """Requests sent ahead are answered in their order."""
    line.send(b"".join(wire.head("PUT /v2/feeds/{feed}.csv", body=b"temp,%d" % n) for n in range(20)))
    line.send(wire.head("GET /v2/feeds/{feed}/datastreams/temp.csv"))
    assert [line.answer().status for _ in range(20)] == [200] * 20
    assert line.answer().body.endswith(b",19")


def test_a_request_byte_by_byte(wire: Wire, line: Line) -> None:
    """A request may arrive in any pieces."""
    for byte in wire.head("PUT /v2/feeds/{feed}.csv", body=b"temp,77"):
        line.send(bytes([byte]))
    assert line.answer().status == 200


def test_expect_is_answered_at_once(wire: Wire, line: Line) -> None:
    """``Expect: 100-continue`` is answered before the body, even for a body of four bytes."""
    request = wire.head("PUT /v2/feeds/{feed}/datastreams/temp.csv", "Expect: 100-continue", body=b"12.5")
    line.send(request[:-4])
    go_on = line.answer()
    assert go_on.raw == b"HTTP/1.1 100 Continue\r\n\r\n"
    line.send(request[-4:])
    assert line.answer().status == 200
    assert wire.ask("GET /v2/feeds/{feed}/datastreams/temp.csv").body.endswith(b",12.5")


def test_expect_with_the_body_behind_it(wire: Wire, line: Line) -> None:
    """Who does not wait for the 100 is served as well."""
    line.send(wire.head("PUT /v2/feeds/{feed}/datastreams/temp.csv", "Expect: 100-continue", body=b"12.6"))
    answer = line.answer()
    if answer.status == 100:
        answer = line.answer()
    assert answer.status == 200


def test_blank_lines_between_requests(wire: Wire, line: Line) -> None:
    """Empty lines before a request on a kept connection are skipped."""
    line.send(wire.head("GET /v2/feeds/{feed}.csv") + b"\r\n\r\n" + wire.head("GET /v2/feeds/{feed}.csv"))
    assert [line.answer().status, line.answer().status] == [200, 200]


def test_a_head_request(wire: Wire, line: Line) -> None:
    """HEAD tells what GET would, without the body; the connection goes on."""
    line.send(wire.head("HEAD /v2/feeds/{feed}.csv") + wire.head("GET /v2/feeds/{feed}.csv"))
    head, answer = line.answer(without_body=True), line.answer()
    assert head["Content-Length"] == answer["Content-Length"]
    assert head["ETag"] == answer["ETag"]


@pytest.mark.parametrize(
    "broken",
    [
        b"GET /v2/feeds.json\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"PUT /v2/feeds/1.csv HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PUT /v2/feeds/1.csv HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"GET /v2/feeds.json HTTP/1.1\r\nUser Agent: me\r\n\r\n",
        b"GET /v2/feeds.json HTTP/1.1\nX-ApiKey: k\n\n",
        b"GET /v2/feeds.json HTTP/2.0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("wire", ["http"], indirect=True)
def test_broken_framing_is_refused(line: Line, broken: bytes) -> None:
    """The ordinary listener is strict about where requests end: 400 in JSON, then it closes."""
    line.send(broken)
    answer = line.answer()
    assert answer.line == "HTTP/1.1 400 Bad Request"
    assert (answer["Connection"], answer.document["title"]) == ("close", "Bad Request")
    assert line.is_closed()


def test_a_chunked_body(wire: Wire, line: Line) -> None:
    """A body may be sent in chunks; an answer never is."""
    head = wire.head("PUT /v2/feeds/{feed}.csv", "Transfer-Encoding: chunked")
    line.send(head + b"5\r\ntemp,\r\n3\r\n9.5\r\n0\r\n\r\n")
    assert line.answer().status == 200
    assert wire.ask("GET /v2/feeds/{feed}/datastreams/temp.csv").body.endswith(b",9.5")


def test_a_body_beyond_the_limit(wire: Wire, line: Line) -> None:
    """A body of more than a mebibyte gets 413, before it was sent."""
    line.send(wire.head("PUT /v2/feeds/{feed}.json", "Content-Length: 1048577"))
    answer = line.answer()
    assert answer.line == "HTTP/1.1 413 Payload Too Large"
    assert answer.document["title"] == "Payload Too Large"


# What only the door for old devices takes


PUT = b"PUT /v2/feeds/{feed}.csv HTTP/1.1"
KEY = b"X-ApiKey: {key}"
DEVICE_REQUESTS = [
    PUT + b"\nHost: api.pachube.com\nX-PachubeApiKey: {key}\nContent-Length: 7\n\ntemp,42",
    PUT + b"\r\nX-PachubeApiKey: {key}\nContent-Length: 7\n\r\ntemp,42",
    PUT + b"\nX-PachubeApiKey: {key}\r\nContent-Length: 7\r\n\ntemp,42",
    PUT + b" \r\n" + KEY + b"\r\nContent-Length: 7\r\n\r\ntemp,42",
    PUT[:-1] + b"0\nX-ApiKey:{key}\nContent-Length:   7  \n\ntemp,42",
    PUT + b"\r\nUser Agent: My Arduino\r\n" + KEY + b"\r\nContent-Length: 7\r\n\r\ntemp,42",
    PUT.replace(b"/v2", b"http://api.xively.com/v2") + b"\n" + KEY + b"\nContent-Length: 7\n\ntemp,42",
    b"\r\n\n\r\n" + PUT + b"\n" + KEY + b"\nContent-Length: 7\n\ntemp,42",
    *(
        PUT + b"\r\n" + KEY + b"\r\nContent-Length: 7\r\n\r\ntemp,42" + surplus
        for surplus in (b"\n", b"\r\n", b"\x1a", b"99", b"\r\n\r\n", b".500\r\n")
    ),
]


@pytest.mark.parametrize("wire", ["device-http"], indirect=True)
@pytest.mark.parametrize("request_bytes", DEVICE_REQUESTS)
@pytest.mark.parametrize("piece", [1, 1000])
def test_requests_of_old_devices(wire: Wire, line: Line, request_bytes: bytes, piece: int) -> None:
    """
    Line ends of any kind, names with blanks, a blank after the version, and bytes beyond the body are
    no matter, whether they come at once or one by one.
    """
    data = request_bytes.replace(b"{feed}", wire.feed.encode()).replace(b"{key}", wire.key.encode())
    for start in range(0, len(data), piece):
        line.send(data[start : start + piece])
    answer = line.answer()
    assert (answer.line, answer.body) == ("HTTP/1.1 200 OK", b"")
    assert wire.ask("GET /v2/feeds/{feed}/datastreams/temp.csv").body.endswith(b",42")


@pytest.mark.parametrize("wire", ["device-http"], indirect=True)
def test_a_sketch_that_ends_its_body_with_a_line(wire: Wire, line: Line) -> None:
    """A sketch that prints a line end behind every body keeps its connection through all of its updates."""
    for number in range(5):
        body = b"temp,%d" % number
        line.send(wire.head("PUT /v2/feeds/{feed}.csv", body=body) + b"\r\n")
        assert line.answer().status == 200
    assert wire.ask("GET /v2/feeds/{feed}/datastreams/temp.csv").body.endswith(b",4")


# Targets


@pytest.mark.parametrize(
    "target",
    [
        "/v2/feeds/{feed}.csv",
        "/api/v2/feeds/{feed}.csv",
        "http://api.xively.com/v2/feeds/{feed}.csv",
        "HTTP://API.xively.com:80/v2/feeds/{feed}.csv",
        "//v2//feeds///{feed}.csv",
        "/v2/feeds/{feed}.csv/",
        "/v2/feeds/{feed}.csv?",
        "/v2/feeds/{feed}.csv?&",
        "/v2/feeds/{feed}.csv?_=1369",
        "/v2/feeds/{feed}.csv?unknown",
        "/v2/feeds/{feed}.csv#top",
        "/v2/feeds/{feed}/datastreams.csv",
        "/v2/feeds/{feed}/datastreams.csv/",
    ],
)
def test_targets_as_they_come(wire: Wire, target: str) -> None:
    """Absolute targets, doubled and trailing slashes, a lone ``?``, and unknown parameters are no matter."""
    answer = wire.ask(f"GET {target}")
    assert answer.status == 200, answer.body
    assert answer.body == f'door,,""\ntemp,{AT},21.50'.encode()


def test_blanks_around_the_target_and_after_the_version(wire: Wire, line: Line) -> None:
    """Several blanks after the method, and blanks around header values, change nothing."""
    line.send(f"GET  /v2/feeds/{wire.feed}.csv HTTP/1.1\r\nX-ApiKey:   {wire.key}   \r\n\r\n".encode())
    assert line.answer().status == 200


def test_a_header_sent_twice(wire: Wire) -> None:
    """Java and Arduino clients send ``User-Agent`` twice."""
    assert wire.ask("GET /v2/feeds/{feed}.csv", "User-Agent: a", "User-Agent: b").status == 200


def test_a_body_on_a_deletion(wire: Wire) -> None:
    """A body on DELETE is no matter; where a range is deleted it may be the parameters."""
    path = "/v2/feeds/{feed}/datastreams/temp/datapoints"
    body = "start=2013-06-01T09%3A00%3A00Z&end=2013-06-01T09%3A00%3A00Z"
    assert wire.ask(f"DELETE {path}", "Content-Type: application/json", body=body).status == 200
    assert wire.ask(f"GET {path}/2013-06-01T09:00:00Z.csv").status == 404
    assert wire.ask(f"GET {path}/{AT}.csv").body == b"21.50"
    assert wire.ask("DELETE /v2/feeds/{feed}/datastreams/temp", body="x").status == 200


@pytest.mark.parametrize(
    "query",
    [
        "start=2013-06-01T09:00:00Z&end=2013-06-01T09:30:00Z&interval=0",
        "amp;start=2013-06-01T09:00:00Z&amp;end=2013-06-01T09:30:00Z&amp;interval=0",
        "start=2013-06-01T09:00:00Z&interval=0&end=2013-06-01T09:30:00Z.csv",
        "start=2013-06-01T14:30:00+05:30&end=2013-06-01T15:00:00+05:30&interval=0",
        "start=2013-06-01T14:30:00%2B05:30&end=2013-06-01T15:00:00%2B0530&interval=0",
        "start=20130601T090000Z&duration=30minutes&interval=0&",
        "start=2013-06-01T09:00Z&duration=1800&interval=0&key2=x",
        "start=2013-06-01T09:00:00Z&duration=30+Minutes&interval=0",
    ],
)
def test_history_queries_of_old_programs(wire: Wire, query: str) -> None:
    """
    ``amp;`` before a name, ``.csv`` glued to the last value, an unescaped ``+``, and short forms of
    times and durations mean what their authors meant.
    """
    extension = "" if query.endswith(".csv") else ".csv"
    answer = wire.ask(f"GET /v2/feeds/{{feed}}/datastreams/temp{extension}?{query}")
    assert (answer.line, answer["Content-Type"]) == ("HTTP/1.1 200 OK", PLAIN)
    assert answer.body == b"2013-06-01T09:00:00.000000Z,0000017"


def test_unknown_paths_and_methods(wire: Wire) -> None:
    """There is no 405: a path that does not exist for a method is 404, named as it was asked."""
    for method, path, named in (
        ("POST", f"/v2/feeds/{wire.feed}.csv", f"/api/v2/feeds/{wire.feed}.csv"),
        ("GET", "/v2/nonsense", "/api/v2/nonsense"),
        ("PATCH", f"/v2/feeds/{wire.feed}", f"/api/v2/feeds/{wire.feed}"),
    ):
        answer = wire.ask(f"{method} {path}", "Accept: application/json")
        text = "Not Found" if path.endswith(".csv") else f'No route matches [{method}] "{named}"'
        assert answer.line == "HTTP/1.1 404 Not Found"
        if path.endswith(".csv"):
            assert answer.body.decode() == text
        else:
            assert answer.document == {"title": "Not found", "errors": text}


# Overridden methods


def test_a_post_can_stand_for_another_method(wire: Wire) -> None:
    """``_method`` in the query, in any case, or ``X-HTTP-Method-Override`` make a POST another method."""
    assert wire.ask("POST /v2/feeds/{feed}.csv?_method=put", body="temp,31").status == 200
    assert wire.ask("POST /v2/feeds/{feed}.csv?_method=PUT", body="temp,32").status == 200
    override = "X-HTTP-Method-Override: PUT"
    assert wire.ask("POST /v2/feeds/{feed}.csv", override, body="door,33").status == 200
    assert wire.ask("POST /v2/feeds/{feed}.csv?_method=get").body.startswith(b"door,")
    stream = "/v2/feeds/{feed}/datastreams/door"
    assert wire.ask(f"POST {stream}?_method=delete").status == 200
    assert wire.ask(f"GET {stream}.csv").status == 404


def test_only_a_post_can_be_overridden(wire: Wire) -> None:
    """A GET stays a GET whatever it says."""
    assert wire.ask("GET /v2/feeds/{feed}.csv?_method=delete", "X-HTTP-Method-Override: DELETE").status == 200
    assert wire.ask("GET /v2/feeds/{feed}.csv").status == 200


# Keys


@pytest.mark.parametrize(
    "way",
    [
        lambda w: (("X-ApiKey: " + w.key,), ""),
        lambda w: (("x-apikey:  " + w.key + " ",), ""),
        lambda w: (("X-PachubeApiKey: " + w.key,), ""),
        lambda w: (("x-pachubeapikey: " + w.key,), ""),
        lambda w: ((), "?key=" + w.key),
        lambda w: ((), "?a=b&amp;key=" + w.key),
        lambda w: (("Authorization: Basic " + b64encode(f"{w.key}:x".encode()).decode(),), ""),
        lambda w: (("Authorization: basic " + b64encode(f"{w.key}:".encode()).decode(),), ""),
    ],
)
def test_ways_to_send_a_key(wire: Wire, way: Callable[[Wire], tuple[tuple[str, ...], str]]) -> None:
    """A key comes in either header, whose name has any case, in the query, or as the user name of Basic."""
    headers, query = way(wire)
    assert wire.ask(f"GET /v2/feeds/{{feed}}.csv{query}", *headers, key=False).status == 200


def test_login_and_password(wire: Wire, service: ServiceProcess) -> None:
    """Login and password in Basic have the rights of the account's master key, also for making a key."""
    account = service.account
    good = b64encode(f"{account['login']}:{account['password']}".encode()).decode()
    bad = b64encode(f"{account['login']}:wrong".encode()).decode()
    body = '{"key":{"label":"made by a page","permissions":[{"access_methods":["get"]}]}}'
    made = wire.ask("POST /v2/keys", f"Authorization: Basic {good}", body=body, key=False)
    assert made.status == 201
    refused = wire.ask("POST /v2/keys", f"Authorization: Basic {bad}", body=body, key=False)
    assert refused.status == 401
    assert refused["WWW-Authenticate"].startswith("Basic")


def test_a_401_opens_no_dialog(wire: Wire) -> None:
    """``WWW-Authenticate`` only comes when ``Authorization`` was sent: browsers would ask for a password."""
    assert "WWW-Authenticate" not in wire.ask("GET /v2/feeds/{feed}.json", key=False)
    for broken in ("Basic !!!", "Basic", "Bearer x"):
        answer = wire.ask("GET /v2/feeds/{feed}.json", f"Authorization: {broken}", key=False)
        assert answer.status == 401
        assert "WWW-Authenticate" in answer


def test_the_first_of_several_keys_counts(wire: Wire) -> None:
    """``X-ApiKey`` comes before ``X-PachubeApiKey``, and headers before the query."""
    path = "GET /v2/feeds/{feed}.csv"
    good, bad = wire.key, "nobody"
    assert wire.ask(path, f"X-PachubeApiKey: {bad}", f"X-ApiKey: {good}", key=False).status == 200
    assert wire.ask(path, f"X-PachubeApiKey: {good}", f"X-ApiKey: {bad}", key=False).status == 401
    assert wire.ask(f"{path}?key={good}", f"X-ApiKey: {bad}", key=False).status == 401


# Formats


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", JSON),
        ("text/json", JSON),
        ("text/javascript", JSON),
        ("application/xml", XML),
        ("text/xml", XML),
        ("text/csv", PLAIN),
        ("text/plain", PLAIN),
        ("application/csv", PLAIN),
        ("text/csv;q=0.5, application/xml", XML),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", XML),
        ("*/*", JSON),
        ("text/html", JSON),
        ("text/html, */*", JSON),
        ("image/webp", JSON),
        ("nonsense", JSON),
        ("", JSON),
    ],
)
def test_the_accept_header(wire: Wire, accept: str, kind: str) -> None:
    """Without an extension the best type that is known counts; with none of them JSON comes, and no 406."""
    assert wire.ask("GET /v2/feeds/{feed}", f"Accept: {accept}")["Content-Type"] == kind
    assert wire.ask("GET /v2/feeds/{feed}.csv", f"Accept: {accept}")["Content-Type"] == PLAIN


@pytest.mark.parametrize(
    ("target", "headers", "body"),
    [
        ("/v2/feeds/{feed}.csv", ("Content-Type: application/json",), "temp,99"),
        (
            "/v2/feeds/{feed}.json",
            ("Content-Type: text/csv",),
            '{"datastreams":[{"id":"temp","current_value":99}]}',
        ),
        (
            "/v2/feeds/{feed}.json",
            ("Content-Type: application/x-www-form-urlencoded",),
            '{"datastreams":[{"id":"temp","current_value":"99"}]}',
        ),
        ("/v2/feeds/{feed}", ("Content-Type: text/csv",), "temp,99"),
        ("/v2/feeds/{feed}", ("Content-Type: text/csv; charset=utf-8",), "temp,99"),
        (
            "/v2/feeds/{feed}",
            ("Content-Type: text/plain",),
            '{"datastreams":[{"id":"temp","current_value":"99"}]}',
        ),
        ("/v2/feeds/{feed}", (), '{"datastreams":[{"id":"temp","current_value":"99"}]}'),
        (
            "/v2/feeds/{feed}",
            ("Content-Type: application/x-www-form-urlencoded",),
            "\n " + EEML,
        ),
        (
            "/v2/feeds/{feed}",
            ("Content-Type: text/xml",),
            EEML,
        ),
    ],
)
def test_the_format_of_a_body(wire: Wire, target: str, headers: tuple[str, ...], body: str) -> None:
    """The extension wins over the type; types that say nothing are ignored; ``<`` at the beginning is XML."""
    answer = wire.ask(f"PUT {target}", *headers, body=body)
    assert answer.status == 200, answer.body
    assert wire.ask("GET /v2/feeds/{feed}/datastreams/temp.csv").body.endswith(b",99")


def test_json_is_compact_utf_8(wire: Wire) -> None:
    """No blank after ``:`` or ``,``, characters as UTF-8, keys in their order, ``private`` a text."""
    body = wire.ask("GET /v2/feeds/{feed}.json").body.decode()
    base = f"http://127.0.0.1:{wire.port}"
    pattern = (
        rf'{{"id":{wire.feed},"title":"Gewächshaus","private":"false","feed":"{base}/v2/feeds/{wire.feed}\.json",'
        r'"status":"live","updated":"[0-9T:.-]{26}Z","created":"[0-9T:.-]{26}Z",'
        rf'"creator":"{base}/users/admin","version":"1\.0\.0","datastreams":\[{{"id":"door"}},'
        rf'{{"id":"temp","current_value":"21\.50","at":"{AT}","max_value":"21\.5","min_value":"17\.0"}}\],'
        r'"location":{"domain":"physical"}}'
    )
    assert re.fullmatch(pattern, body), body


def test_a_datastream_in_json(wire: Wire) -> None:
    """``version`` is the last key of a datastream alone, and a point of a history has its value first."""
    body = wire.ask("GET /v2/feeds/{feed}/datastreams/temp.json?end=2013-06-01T09:30:00Z&duration=1hour").body
    assert body.decode() == (
        '{"id":"temp","current_value":"21.50","at":"' + AT + '","max_value":"21.5","min_value":"17.0",'
        '"datapoints":[{"value":"0000017","at":"2013-06-01T09:00:00.000000Z"}],"version":"1.0.0"}'
    )
    point = wire.ask("GET /v2/feeds/{feed}/datastreams/temp/datapoints/2013-06-01T09:00:00Z.json").body
    assert point == b'{"at":"2013-06-01T09:00:00.000000Z","value":"0000017"}'


def test_eeml_has_its_head(wire: Wire) -> None:
    """EEML begins with its declaration and the attributes of its root, and ends with a line end."""
    lines = wire.ask("GET /v2/feeds/{feed}.xml").body.decode().split("\n")
    assert lines[:2] == [
        '<?xml version="1.0" encoding="UTF-8"?>',
        (
            '<eeml xmlns="http://www.eeml.org/xsd/0.5.1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
            ' version="0.5.1" xsi:schemaLocation="http://www.eeml.org/xsd/0.5.1'
            ' http://www.eeml.org/xsd/0.5.1/0.5.1.xsd">'
        ),
    ]
    assert lines[-2:] == ["</eeml>", ""]
    assert '    <location domain="physical" exposure="" disposition=""/>' in lines
    assert "    <private>false</private>" in lines
    assert '    <data id="door"/>' in lines
    assert f'      <current_value at="{AT}">21.50</current_value>' in lines


def test_csv_has_no_last_line_end(wire: Wire) -> None:
    """Lines of CSV are joined by LF, with no line end after the last; a stream without value is ``,,""``."""
    assert wire.ask("GET /v2/feeds/{feed}.csv").body == f'door,,""\ntemp,{AT},21.50'.encode()
    assert wire.ask("GET /v2/feeds/{feed}/datastreams/temp.csv").body == f"{AT},21.50".encode()
    assert wire.ask("GET /v2/feeds/{feed}/datastreams/door.csv").body == b',""'


def test_a_key_in_xml_says_when_it_ends(wire: Wire) -> None:
    """The end of a key has no fraction in JSON and its old form in XML; the list is not wrapped."""
    permissions = '"permissions":[{"access_methods":["GET"]}]'
    body = f'{{"key":{{"label":"k","expires_at":"2099-03-27T01:23:45.678Z",{permissions}}}}}'
    path = "/v2/keys/" + wire.ask("POST /v2/keys.json", body=body)["Location"].rpartition("/")[2]
    assert wire.ask(f"GET {path}.json").document["key"]["expires_at"] == "2099-03-27T01:23:45Z"
    assert b"<expires-at>2099-03-27 01:23:45 UTC</expires-at>" in wire.ask(f"GET {path}.xml").body
    listed = wire.ask("GET /v2/keys.json").document["keys"]
    assert {"api_key", "label", "private_access", "permissions"} <= set(listed[-1])
    assert all("key" not in key and "id" not in key for key in listed)


# Created things


@pytest.mark.parametrize("extension", ["", ".json", ".xml"])
def test_location_has_no_extension(wire: Wire, extension: str) -> None:
    """``Location`` is an absolute URL without extension; its last part is the id."""
    body = (
        "<eeml><environment><title>x</title></environment></eeml>" if extension == ".xml" else '{"title":"x"}'
    )
    answer = wire.ask(f"POST /v2/feeds{extension}", body=body)
    assert answer.status == 201
    assert re.fullmatch(rf"http://127\.0\.0\.1:{wire.port}/v2/feeds/\d+", answer["Location"])
    assert answer["Content-Length"] == "0"
    body = '{"version":"1.0.0","datastreams":[{"id":"ä+b"}]}'
    stream = wire.ask("POST /v2/feeds/{feed}/datastreams.json", body=body)
    assert stream["Location"] in (
        f"http://127.0.0.1:{wire.port}/v2/feeds/{wire.feed}/datastreams/%C3%A4+b",
        f"http://127.0.0.1:{wire.port}/v2/feeds/{wire.feed}/datastreams/%C3%A4%2Bb",
    )


def test_regenerating_a_key_is_a_200_with_location(wire: Wire) -> None:
    """Regeneration answers 200 with an empty body; the new text is the end of ``Location``."""
    body = '{"label":"k","permissions":[{"access_methods":["get","post","put","delete"]}]}'
    old = wire.ask("POST /v2/keys", body=body)["Location"]
    answer = wire.ask(f"POST {old.partition(str(wire.port))[2]}/regenerate")
    assert (answer.line, answer.body) == ("HTTP/1.1 200 OK", b"")
    assert answer["Location"].rpartition("/")[0] == old.rpartition("/")[0]
    assert answer["Location"] != old


# Conditional requests


@pytest.mark.parametrize(
    "target", ["/v2/feeds/{feed}.json", "/v2/feeds/{feed}/datastreams/temp.csv", "/v2/feeds.xml"]
)
def test_the_entity_tag_is_the_md5_of_the_body(wire: Wire, target: str) -> None:
    """A GET has an ``ETag``, quoted, with 32 hexadecimal digits; nothing else has one."""
    answer = wire.ask(f"GET {target}")
    assert answer["ETag"] == f'"{hashlib.md5(answer.body).hexdigest()}"'
    assert "ETag" not in wire.ask("PUT /v2/feeds/{feed}.csv", body="temp,1")
    assert "ETag" not in wire.ask("GET /v2/feeds/999999999")


def test_what_did_not_change_is_not_sent(wire: Wire) -> None:
    """``If-None-Match`` gives 304 without a body until something is written."""
    path = "GET /v2/feeds/{feed}.json"
    tag = wire.ask(path)["ETag"]
    for tags in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        unchanged = wire.ask(path, f"If-None-Match: {tags}")
        assert (unchanged.line, unchanged.body) == ("HTTP/1.1 304 Not Modified", b"")
        assert unchanged["Content-Length"] == "0"
    assert wire.ask(path, 'If-None-Match: "other"').status == 200
    wire.ask("PUT /v2/feeds/{feed}.csv", body="temp,1")
    assert wire.ask(path, f"If-None-Match: {tag}").status == 200


def test_a_304_leaves_the_connection_usable(wire: Wire, line: Line) -> None:
    """After a 304 the next answer on the connection is read as usual."""
    tag = wire.ask("GET /v2/feeds/{feed}.json")["ETag"]
    line.send(
        wire.head("GET /v2/feeds/{feed}.json", f"If-None-Match: {tag}")
        + wire.head("GET /v2/feeds/{feed}.csv")
    )
    assert [line.answer().status, line.answer().status] == [304, 200]


def test_if_modified_since(wire: Wire) -> None:
    """``Last-Modified`` is the time of the newest change; a date never hides a change of the same second."""
    path = "GET /v2/feeds/{feed}/datastreams/temp.json"
    modified = wire.ask(path)["Last-Modified"]
    assert parsedate_to_datetime(modified).year >= 2024
    assert wire.ask(path, "If-Modified-Since: Sat, 01 Jun 2013 10:00:00 GMT").status == 200
    assert wire.ask(path, "If-Modified-Since: nonsense").status == 200
    wire.ask("PUT /v2/feeds/{feed}.csv", body="temp,1")
    assert wire.ask(path, f"If-Modified-Since: {modified}").status == 200


# Compression


def test_a_packed_body(wire: Wire) -> None:
    """``Content-Encoding: gzip`` is unpacked; what does not unpack is 400, a bomb is 413."""
    packed = gzip.compress(b"temp,4.5")
    assert wire.ask("PUT /v2/feeds/{feed}.csv", "Content-Encoding: gzip", body=packed).status == 200
    assert wire.ask("GET /v2/feeds/{feed}/datastreams/temp.csv").body.endswith(b",4.5")
    assert wire.ask("PUT /v2/feeds/{feed}.json", "Content-Encoding: gzip", body=packed[:-9]).status == 400
    assert wire.ask("PUT /v2/feeds/{feed}.json", "Content-Encoding: gzip", body=b"temp,4.5").status == 400
    bomb = gzip.compress(bytes(5 << 20))
    assert wire.ask("PUT /v2/feeds/{feed}.json", "Content-Encoding: gzip", body=bomb).status == 413


def test_a_packed_answer(wire: Wire) -> None:
    """Large answers are packed for who accepts it, with the type of what is inside; small ones are not."""
    points = "\n".join(f"2013-06-02T10:{n // 60:02}:{n % 60:02}Z,{n}" for n in range(500))
    path = "/v2/feeds/{feed}/datastreams/temp"
    assert wire.ask(f"POST {path}/datapoints.csv", body=points).status == 200
    history = f"GET {path}.json?start=2013-06-02T10:00:00Z&duration=1hour&interval=0&limit=1000"
    plain, packed = wire.ask(history), wire.ask(history, "Accept-Encoding: gzip, deflate")
    assert "Content-Encoding" not in plain
    assert (packed["Content-Encoding"], packed["Content-Type"]) == ("gzip", JSON)
    assert int(packed["Content-Length"]) == len(packed.body) < len(plain.body)
    assert gzip.decompress(packed.body) == plain.body
    assert "Content-Encoding" not in wire.ask(f"GET {path}.csv", "Accept-Encoding: gzip")
    assert "Content-Encoding" not in wire.ask(history, "Accept-Encoding: gzip;q=0")
    assert packed.names[-1] == "Vary"


# Browsers


def test_a_preflight_needs_no_key(wire: Wire) -> None:
    """OPTIONS on any path is answered with what is allowed, without a key."""
    for path in ("/v2/feeds/{feed}.json", "/v2/nonsense"):
        answer = wire.ask(f"OPTIONS {path}", "Origin: http://page.example", key=False)
        assert (answer.line, answer.body) == ("HTTP/1.1 200 OK", b"")
        assert answer["Access-Control-Allow-Origin"] == "*"
        assert answer["Access-Control-Allow-Methods"] == "GET, POST, PUT, DELETE, OPTIONS"
        assert answer["Access-Control-Allow-Headers"] == (
            "X-ApiKey, X-PachubeApiKey, Content-Type, Accept, X-Requested-With"
        )
        assert answer["Access-Control-Max-Age"] == "86400"


def test_other_origins_may_read(wire: Wire) -> None:
    """Requests with an ``Origin`` get the headers that let a page read the answer, errors too."""
    for status, target in ((200, "/v2/feeds/{feed}.json"), (404, "/v2/feeds/999999999.json")):
        answer = wire.ask(f"GET {target}", "Origin: http://page.example")
        assert answer.status == status
        assert answer["Access-Control-Allow-Origin"] == "*"
        assert answer["Access-Control-Expose-Headers"] == "Location, X-Request-Id"
        assert answer.names[-1] == "Vary"
        assert "Access-Control-Allow-Origin" not in wire.ask(f"GET {target}")


def test_jsonp(wire: Wire) -> None:
    """``callback`` wraps JSON; of the name letters, digits and ``_`` are kept, without any nothing wraps."""
    path = "GET /v2/feeds/{feed}/datastreams/door.json"
    answer = wire.ask(f"{path}?callback=show_1")
    assert answer.body == b'show_1({"id":"door","version":"1.0.0"})'
    assert answer["Content-Type"] == "application/javascript; charset=utf-8"
    assert wire.ask(f"{path}?callback=a.b%28c%29").body.startswith(b"abc({")
    assert wire.ask(f"{path}?callback=%3C%3E").body == b'{"id":"door","version":"1.0.0"}'
    by_query = wire.ask(f"{path}?callback=f&key={wire.key}", key=False)
    assert by_query.body.startswith(b"f(")
    error = wire.ask("GET /v2/feeds/999999999.json?callback=f")
    assert error.status == 404
    assert json.loads(error.body.removeprefix(b"f(").removesuffix(b")")) == {
        "title": "Not found",
        "errors": NOT_FOUND,
    }
    assert wire.ask("GET /v2/feeds/{feed}.xml?callback=f").body.startswith(b"<?xml")


# Times


@pytest.mark.parametrize(
    ("zone", "local"),
    [
        ("UTC", "2013-06-01T10:15:02.001200+00:00"),
        ("0", "2013-06-01T10:15:02.001200+00:00"),
        ("-3.5", "2013-06-01T06:45:02.001200-03:30"),
        ("%2B8", "2013-06-01T18:15:02.001200+08:00"),
        ("+8", "2013-06-01T18:15:02.001200+08:00"),
        ("8", "2013-06-01T18:15:02.001200+08:00"),
        ("Eastern+Time+%28US+%26+Canada%29", "2013-06-01T06:15:02.001200-04:00"),
        ("London", "2013-06-01T11:15:02.001200+01:00"),
        ("Kathmandu", "2013-06-01T16:00:02.001200+05:45"),
        ("Europe/Berlin", "2013-06-01T12:15:02.001200+02:00"),
        ("nonsense", AT),
        ("99", AT),
    ],
)
def test_time_zones(wire: Wire, zone: str, local: str) -> None:
    """``timezone`` takes hours, places and zones; times get an offset instead of ``Z``; nonsense is UTC."""
    path = "/v2/feeds/{feed}"
    assert wire.ask(f"GET {path}/datastreams/temp.csv?timezone={zone}").body == f"{local},21.50".encode()
    feed = wire.ask(f"GET {path}.json?timezone={zone}").document
    assert feed["datastreams"][1]["at"] == local
    assert feed["created"][26:] == feed["updated"][26:]
    assert f'at="{local}"' in wire.ask(f"GET {path}.xml?timezone={zone}").body.decode()


def test_a_time_without_offset_belongs_to_the_zone(wire: Wire) -> None:
    """Times in the query that have no offset are read in the zone asked for."""
    query = "timezone=-3.5&start=2013-06-01T05:30:00&duration=1second&interval=0"
    answer = wire.ask(f"GET /v2/feeds/{{feed}}/datastreams/temp.csv?{query}")
    assert answer.body == b"2013-06-01T05:30:00.000000-03:30,0000017"


@pytest.mark.parametrize(
    "at",
    [
        "2013-06-01T09:00:00Z",
        "2013-06-01T09:00:00.000000Z",
        "2013-06-01T09:00:00.0000001Z",
        "2013-06-01T18:30:00+09:30",
        "2013-06-01T18:30:00%2B0930",
        "2013-06-01T18:30:00%2009:30",
        "20130601T090000Z",
        "2013-06-01T09:00Z",
        "2013-06-01%2009:00:00",
    ],
)
def test_forms_of_a_time_in_a_path(wire: Wire, at: str) -> None:
    """A datapoint is found by any form of its time; a blank counts as plus."""
    assert wire.ask(f"GET /v2/feeds/{{feed}}/datastreams/temp/datapoints/{at}.csv").body == b"0000017"


# Errors


@pytest.mark.parametrize("extension", ["json", "xml", "csv"])
def test_errors_in_every_format(wire: Wire, extension: str) -> None:
    """JSON has title and errors, XML an element for each, CSV the bare text; validation tells a list."""
    answer = wire.ask(f"GET /v2/feeds/999999999.{extension}")
    if extension == "json":
        assert answer.body.decode() == f'{{"title":"Not found","errors":"{NOT_FOUND}"}}'
    elif extension == "xml":
        assert answer.body.decode() == (
            '<?xml version="1.0" encoding="UTF-8"?>\n<errors>\n  <title>Not found</title>\n'
            f"  <error>{NOT_FOUND}</error>\n</errors>\n"
        )
    else:
        assert answer.body == b"Not Found"
    assert answer["Content-Type"] == {"json": JSON, "xml": XML, "csv": PLAIN}[extension]


def test_validation_tells_everything(wire: Wire) -> None:
    """422 has one message for each fault, as a list in JSON and as elements in XML."""
    body = '{"title":"","datastreams":[{"id":"a b"},{"id":"x","current_value":"%s"}]}' % ("9" * 256)
    messages = [
        "Title can't be blank",
        "Stream ID is invalid",
        "Current value is too long (maximum is 255 characters)",
    ]
    answer = wire.ask("PUT /v2/feeds/{feed}.json", body=body)
    assert answer.document == {"title": "Unprocessable Entity", "errors": messages}
    answer = wire.ask("PUT /v2/feeds/{feed}", "Content-Type: application/json", "Accept: text/xml", body=body)
    assert [element.text for element in etree.fromstring(answer.body).iter("error")] == messages
    assert wire.ask("GET /v2/feeds/{feed}.csv").body == f'door,,""\ntemp,{AT},21.50'.encode()


def test_the_format_itself_being_wrong_is_told_in_json(wire: Wire) -> None:
    """406 is told in JSON, whatever was asked for."""
    for line in ("GET /v2/keys.csv", "GET /v2/feeds/{feed}.png", "POST /v2/feeds.csv"):
        answer = wire.ask(line, body="" if line.startswith("GET") else "a,1")
        assert (answer.line, answer["Content-Type"]) == ("HTTP/1.1 406 Not Acceptable", JSON)
        assert answer.document["title"] == "Not Acceptable"


@pytest.mark.parametrize(
    ("target", "body", "errors"),
    [
        ("/v2/feeds/{feed}.csv", "", "Submitted CSV is empty."),
        ("/v2/feeds/{feed}.csv", "a,b,c,d", "CSV is invalid. Incorrect number of fields"),
        (
            "/v2/feeds/{feed}.csv",
            "a,1\na,2",
            "CSV is invalid. If multiple values given they must include a timestamp for all values",
        ),
        (
            "/v2/feeds/{feed}/datastreams/temp.csv",
            "a,b,c",
            "CSV is invalid. Too many fields; must only be a single value, or a timestamp and a value",
        ),
        (
            "/v2/feeds/{feed}/datastreams/temp.csv",
            "1\n2",
            (
                "CSV is invalid. If multiple values are included, then a timestamp and value must be"
                " submitted for every row"
            ),
        ),
        (
            "/v2/feeds/{feed}/datastreams/temp.csv",
            "",
            "CSV is invalid. Submitted data appears to be empty",
        ),
    ],
)
def test_texts_of_broken_csv(wire: Wire, target: str, body: str, errors: str) -> None:
    """The texts for broken CSV are the ones that programs know."""
    answer = wire.ask(f"PUT {target}", body=body)
    assert (answer.status, answer.body.decode()) == (400, errors)


@pytest.mark.parametrize(
    ("body", "title", "errors"),
    [
        ('{"datastreams":{}}', "JSON Parser Error", '"datastreams" must be an array'),
        ("<eeml/>", "XML Parser Error", "Missing 'environment' node from base node"),
    ],
)
def test_texts_of_broken_documents(wire: Wire, body: str, title: str, errors: str) -> None:
    """The texts for documents of a wrong shape are the ones that programs know."""
    answer = wire.ask("PUT /v2/feeds/{feed}", "Accept: application/json", body=body)
    assert answer.status == 400
    assert answer.document["title"] == title
    assert answer.document["errors"].startswith(errors)
