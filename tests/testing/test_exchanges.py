"""Exchanges as files: what a file means, what is different in an answer, and where it can be tried."""

from __future__ import annotations

import gzip

import pytest

from txpachube.testing.cells import cells_of
from txpachube.testing.doors import doors_of
from txpachube.testing.exchanges import (
    BadExchange,
    Given,
    Placeholders,
    Step,
    differences,
    read_exchange,
)
from txpachube.times import parse

FILE = """\
A key is made,
and used.
Garden: park
Doors: http paws
Requests-per-minute: 5

>>> POST /v2/keys
X-ApiKey: rosa

{"label":"x"}

<<< 201
Location: http://api.example/v2/keys/{key}
Retry-After:

@ 2013-06-01T12:05:00Z
>>> GET /v2/keys/{key}
<<< 200

{
  "key": {"api_key": "{key}", "label": "x"}
}
"""
KEY = "k" * 48


def answer(text: str) -> Step:
    """Return the only step of a file whose answer is the text."""
    (step,) = read_exchange(f"x\n\n>>> GET /\n<<< {text}").steps
    return step


def given(body: str = "", status: int = 200, **headers: str) -> Given:
    """Return an answer."""
    return Given(status, headers, body.encode())


def test_a_file_says_all_that_it_says() -> None:
    """The first lines, the requests, the answers and the clock are read; JSON is made compact."""
    exchange = read_exchange(FILE, "keys/x")
    assert (exchange.name, exchange.says) == ("keys/x", "A key is made, and used.")
    assert (exchange.garden, exchange.doors, exchange.per_minute) == ("park", frozenset(["http", "paws"]), 5)
    first, second = exchange.steps
    assert first.question is not None
    assert first.question.headers == (("X-ApiKey", "rosa"),)
    assert (first.question.method, first.question.target) == ("POST", "/v2/keys")
    assert first.question.body == b'{"label":"x"}'
    assert first.answer.headers == (("Location", "http://api.example/v2/keys/{key}"), ("Retry-After", ""))
    assert (first.clock, second.clock) == (None, parse("2013-06-01T12:05:00Z"))
    assert second.answer.body == '{"key":{"api_key":"{key}","label":"x"}}'
    assert (exchange.remembers, exchange.only_reads) == (True, False)


def test_a_placeholder_stands_for_what_it_met() -> None:
    """What a key was in one answer is asked for in the next request and wanted in the next answer."""
    first, second = read_exchange(FILE).steps
    known = Placeholders()
    assert (
        differences(first.answer, given(status=201, location=f"http://api.example/v2/keys/{KEY}"), known)
        == []
    )
    assert second.question is not None
    assert known.asked(second.question).target == f"/v2/keys/{KEY}"
    assert differences(second.answer, given(f'{{"key":{{"api_key":"{KEY}","label":"x"}}}}'), known) == []
    other = given(f'{{"key":{{"api_key":"{"o" * 48}","label":"x"}}}}')
    assert len(differences(second.answer, other, known)) == 1


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ("200\n\nabc", given("abc\n")),
        ("200\n\nabc", given("ab")),
        ("200\n\nabc", given("abc", status=201)),
        ("200", given(" ")),
        ("200\nETag: x", given()),
        ("200\nETag: x", given(etag="y")),
        ("200\nETag:", given(etag="y")),
        ('200\n\n{"a":1}', given('{"a": 1}')),
        ('200\n\n{"a":1,"b":2}', given('{"b":2,"a":1}')),
        ("200\n\n{time} {time}", given("2013-06-01T12:00:00.000000Z 2013-06-01T12:00:00.000001Z")),
        ("200\n\n{key}", given("short")),
        ("200\n\n{words}", given("")),
        ("200\n\n{json}", given("{")),
        ("200\n\n{text}", given("")),
        ("200\n\n{png 6x5}", given("no picture")),
        ("200\n\n{svg 6x5}", given('<svg width="5" height="6"/>')),
        ("200\n\nabc", Given(200, {}, b"\xff")),
    ],
)
def test_every_difference_is_told(expected: str, found: Given) -> None:
    """Status, headers and each byte of the body count."""
    assert len(differences(answer(expected).answer, found, Placeholders())) == 1


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ("200\n\nabc\n\n", given("abc")),
        ('200\n\n<?xml version="1.0"?>\n<a/>', given('<?xml version="1.0"?>\n<a/>\n')),
        ("200\nETag: {etag}", given(etag='"' + "0" * 32 + '"')),
        ("200\nETag: x", Given(200, None, b"")),
        ("200\nVary: x", Given(200, {}, b"", frozenset(["vary"]))),
        ("200\n\n{words}, {words}", given("one thing, another")),
        ("200\n\n{json}", given("[1, 2]")),
        ("200\n\n{text}", given("1")),
        ("200\n\n{svg 6x5}", given('<svg width="6" height="5"/>')),
    ],
)
def test_what_fits_fits(expected: str, found: Given) -> None:
    """What a door can't show is not asked for, and placeholders take what they stand for."""
    assert differences(answer(expected).answer, found, Placeholders()) == []


def test_bodies_are_written_with_escapes_and_packed() -> None:
    """Lines are joined, bytes are named, texts repeated, and the whole packed when the file says so."""
    text = "x\n\n>>> PUT /v2/feeds/1\nBody: escaped gzip\n\n3 * a,\nü\\xff\\r\\n\\\\\n<<< 200"
    (step,) = read_exchange(text).steps
    assert step.question is not None
    assert step.question.headers == ()
    assert gzip.decompress(step.question.body) == b"a,a,a," + "ü".encode() + b"\xff\r\n\\"


def test_bytes_may_be_answered_more_than_once() -> None:
    """A request in bytes is sent as it is; what it is about is seen where that is possible."""
    text = "x\n\n>>> bytes\nGET http://a/b HTTP/1.0\\n\\n\nGET /c HTTP/1.0\\n\\n\n<<< 200\n<<< 404\n\nno\n"
    first, second = read_exchange(text).steps
    assert first.question is not None
    assert first.question.raw == b"GET http://a/b HTTP/1.0\n\nGET /c HTTP/1.0\n\n"
    assert (first.question.method, first.question.target) == ("GET", "/b")
    assert (second.question, second.answer.body) == (None, "no")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("says", 1),
        (">>> GET /\n<<< 200", 1),
        ("says\n<<< 200", 2),
        ("says\n>>> GET /\n>>> GET /\n<<< 200", 3),
        ("says\n>>> GET /", 2),
        ("says\n>>> GET /\n<<< 200\n<<< 200", 4),
        ("says\n>>> GET /\n<<< fine", 3),
        ("says\n>>> get /\n<<< 200", 2),
        ("says\n>>> GET /\nno header\n<<< 200", 3),
        ("says\n>>> GET /\nBody: folded\n<<< 200", 2),
        ("says\n@ noon\n>>> GET /\n<<< 200", 2),
        ("says\n>>> GET /\n<<< 200\n@ 2013-06-01T12:00:00Z", 4),
        ('says\n>>> GET /\n<<< 200\n\n{\n"a": }', 3),
    ],
)
def test_a_file_that_is_none_says_where(text: str, line: int) -> None:
    """A mistake in a file is found when it is read, with its line."""
    with pytest.raises(BadExchange) as caught:
        read_exchange(text)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("step", "closed"),
    [
        (">>> GET /v2/feeds/1\n<<< 200", set()),
        (">>> GET /v2/feeds/1\n<<< 404", {"mqtt"}),
        (">>> GET /v1/feeds/1\n<<< 200", {"paws", "websocket"}),
        (">>> HEAD /v2/feeds/1\n<<< 200", {"paws", "websocket", "mqtt"}),
        (">>> GET /v2/feeds/1\nAccept-Encoding: gzip\n<<< 200", {"paws", "websocket", "mqtt"}),
        (">>> GET /v2/feeds/1\nAccept: text/csv\n<<< 200", {"mqtt"}),
        (">>> PUT /v2/feeds/1\n\nx\n<<< 200", set()),
        (">>> DELETE /v2/feeds/1\n<<< 200", {"mqtt"}),
        (">>> POST /v2/feeds\n\nx\n<<< 201", set()),
        (">>> POST /v2/feeds/1?_method=put\n\nx\n<<< 200", {"mqtt"}),
        (">>> PUT /v2/feeds/1\nBody: escaped\n\n\\xff\n<<< 200", {"paws", "websocket"}),
        (">>> bytes\nGET / HTTP/1.1\\n\\n\n<<< 200", {"in-process", "paws", "websocket", "mqtt"}),
    ],
)
def test_a_door_says_what_it_carries(step: str, closed: set[str]) -> None:
    """An exchange is tried wherever the protocol has room for it, and nowhere else."""
    everywhere = {"in-process", "http", "http-bytes", "device-http", "device-http-bytes"}
    everywhere |= {"paws", "websocket", "mqtt"}
    assert set(doors_of(read_exchange(f"x\n\n{step}"))) == everywhere - closed


def test_a_door_can_be_left_out() -> None:
    """A file says where it can be tried; the doors that get single bytes are meant with the others."""
    exchange = read_exchange("x\nDoors: http mqtt\n\n>>> GET /v2/feeds/1\n<<< 200")
    assert doors_of(exchange) == ["http", "http-bytes", "mqtt"]


def test_cells_are_counted_by_what_is_read_and_written() -> None:
    """The answer's format counts where something is read, the body's where something is written."""
    steps = [
        ">>> GET /v2/feeds/1.csv\n<<< 200",
        ">>> GET /v2/feeds/1\nAccept: text/xml\n<<< 200",
        ">>> GET /v2/feeds/1.png\n<<< 406",
        ">>> POST /v2/feeds/1?_method=put\nContent-Type: text/csv\n\nx\n<<< 200",
        ">>> DELETE /v2/feeds/1.xml\n<<< 200",
        ">>> GET /nowhere\n<<< 404",
        ">>> GET /v2/feeds/1\n<<< 304",
    ]
    cells = cells_of([read_exchange("x\n\n" + "\n".join(steps), "x")])
    assert cells.done == {
        ("feeds.read", "csv"): ["x"],
        ("feeds.read", "xml"): ["x"],
        ("feeds.update", "csv"): ["x"],
        ("feeds.delete", "-"): ["x"],
    }
    assert cells.refused == {"feeds.read": ["x"]}
