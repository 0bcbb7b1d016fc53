"""The splitter of JSON objects says the same however the stream is cut."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.testing.chunks import byte_by_byte, cut
from txpachube.wire.jsonstream import Event, Garbage, HttpRequest, JsonSplitter, TooLong

UNFINISHED = Garbage("an object was not finished before the next one began")


def read(chunks: Iterable[bytes], max_object: int = 1000, max_depth: int = 64) -> list[Event]:
    splitter = JsonSplitter(max_object, max_depth)
    return [event for chunk in chunks for event in splitter.receive(chunk)]


def both_ways(data: bytes, max_object: int = 1000, max_depth: int = 64) -> list[Event]:
    whole = read([data], max_object, max_depth)
    assert read(byte_by_byte(data), max_object, max_depth) == whole
    return whole


def outside(character: str) -> Garbage:
    return Garbage(f"unexpected character {character!r} outside of an object")


OBJECTS = [
    b"{}",
    b'{"method":"get","resource":"/feeds/1"}',
    b'{"a":{"b":[{"c":{}},{"d":"}{"}]}}',
    b'{"a":"\\"}{\\\\","b":"\\u007b"}',
    b'{"nested": {"with blanks": [ {"x": 1},\r\n  {"y": 2} ]}}',
    b'{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{}}}}}}}}}}',
    '{"täg":"ünïcode"}'.encode(),
]


@pytest.mark.parametrize("document", OBJECTS)
def test_an_object_comes_out_as_it_went_in(document: bytes) -> None:
    """An object is returned as soon as its last brace is there, whatever follows or doesn't."""
    assert both_ways(document) == [document]
    assert both_ways(b" \r\n" + document + b"\r\n") == [document]
    assert both_ways(document + b'{"next":1}') == [document, b'{"next":1}']
    assert both_ways(document + b"{") == [document]


@pytest.mark.parametrize("document", OBJECTS)
def test_nothing_comes_out_early(document: bytes) -> None:
    """As long as the last brace is missing there is no event at all."""
    for length in range(len(document)):
        assert read([document[:length]]) == []


def test_many_objects_in_one_packet() -> None:
    """Objects need nothing between them, and line ends between them don't matter."""
    assert both_ways(b'{"a":1}{"b":2}\n\n{"c":3}\r\n \t{"d":4}') == [
        b'{"a":1}',
        b'{"b":2}',
        b'{"c":3}',
        b'{"d":4}',
    ]


def test_a_bare_word_is_reported_once_and_skipped() -> None:
    """A client that sends ``keepalive`` now and then is told once, and its next request is read."""
    assert both_ways(b'keepalive\n{"a":1}keepalive keepalive\n{"b":2}') == [
        outside("k"),
        b'{"a":1}',
        outside("k"),
        b'{"b":2}',
    ]


def test_garbage_is_reported_at_its_first_byte() -> None:
    """The answer to garbage doesn't wait for the garbage to end."""
    assert read([b"?"]) == [outside("?")]
    assert read([b"\x80"]) == [Garbage("unexpected byte 0x80 outside of an object")]


def test_what_programs_leave_behind_is_no_garbage() -> None:
    """A byte-order mark, the NUL of a C text and a Ctrl-Z aren't worth an error."""
    assert both_ways(b'\xef\xbb\xbf{"a":1}\x00{"b":2}\x1a\r\n') == [b'{"a":1}', b'{"b":2}']


@pytest.mark.parametrize(
    ("broken", "rest"),
    [
        (b'{"method":"put","body":{"x":"12"}', b'{"method":"get"}'),
        (b'{"method":"put","body":{"x":"12', b'\n{"method":"get"}'),
        (b'{"a":1  \r\n', b'{"b":{}}'),
        (b"{", b"{}"),
        (b'{"a"', b'{"b":1}'),
    ],
)
def test_an_object_that_was_broken_off_costs_only_itself(broken: bytes, rest: bytes) -> None:
    """The next object is found where valid JSON can't have a brace."""
    assert both_ways(broken + rest) == [UNFINISHED, rest.lstrip()]


def test_a_brace_after_a_line_end_outside_of_strings_is_ordinary() -> None:
    """Objects printed over many lines aren't mistaken for broken ones."""
    document = b'{"a":\r\n{\n"b":[\n{"c":1},\n{"d":2}\n]\n}\n}'
    assert both_ways(document) == [document]


def test_an_object_may_have_as_many_bytes_as_the_limit() -> None:
    """The limit is met exactly, and one byte more closes the stream."""
    exact = b'{"a":"' + b"x" * 12 + b'"}'
    assert both_ways(exact, max_object=len(exact)) == [exact]
    assert both_ways(exact + b'{"b":1}', max_object=len(exact) - 1) == [TooLong(len(exact) - 1)]


def test_a_stream_that_is_too_long_is_not_looked_at_any_more() -> None:
    """After the limit was passed nothing is kept and nothing is said."""
    splitter = JsonSplitter(10)
    assert splitter.receive(b'{"a":"0123456789') == [TooLong(10)]
    assert splitter.closed
    assert splitter.receive(b'"}{"b":1}') == []


def test_garbage_has_no_limit_but_takes_no_memory() -> None:
    """A client is never cut off for garbage, however much it is."""
    assert both_ways(b"x" * 5000 + b"{}", max_object=10) == [outside("x"), b"{}"]


def test_nesting_has_a_limit() -> None:
    """Braces in braces are counted, and what is nested too deeply is garbage."""
    assert both_ways(b'{"a":' * 3 + b"1" + b"}" * 3, max_depth=3) == [b'{"a":{"a":{"a":1}}}']
    assert both_ways(b'{"a":' * 4 + b"1" + b'}}}} {"b":1}', max_depth=3) == [
        Garbage("more than 3 objects inside each other"),
        b'{"b":1}',
    ]


@pytest.mark.parametrize(
    "line", [b"GET / HTTP/1.1\r\n", b"POST http://host/ HTTP/1.0\r\n", b"OPTIONS * HTTP/1.1\n"]
)
def test_an_http_request_is_recognised(line: bytes) -> None:
    """An HTTP client on the wrong port is told so at once, and only once."""
    assert both_ways(line) == [HttpRequest()]
    assert both_ways(b"\r\n" + line + b'\r\n{"a":1}') == [HttpRequest()]


def test_a_word_that_begins_like_http_is_only_garbage() -> None:
    """``GETAWAY`` is no request, and a request in the middle of a stream isn't one either."""
    assert both_ways(b'GETAWAY{"a":1}') == [outside("G"), b'{"a":1}']
    assert both_ways(b'{"a":1}GET / HTTP/1.1') == [b'{"a":1}', outside("G")]
    assert both_ways(b'G{"a":1}') == [outside("G"), b'{"a":1}']


FRAGMENTS = st.sampled_from(
    [
        b"{",
        b"}",
        b'"',
        b"\\",
        b"\n",
        b" ",
        b":",
        b",",
        b"[",
        b"a",
        b"GET /",
        b"\x00",
        b'{"a":{"b":[{}]}}',
        b'": {',
    ]
)


@given(st.lists(FRAGMENTS, max_size=40), st.lists(st.integers(1, 9)), st.integers(1, 30), st.integers(1, 9))
def test_chunks_never_matter(
    fragments: list[bytes], sizes: list[int], max_object: int, max_depth: int
) -> None:
    """Whatever comes, in whatever chunks, the events are the same, and every object is within the limit."""
    data = b"".join(fragments)
    events = both_ways(data, max_object, max_depth)
    assert read(cut(data, sizes), max_object, max_depth) == events
    for event in events:
        if isinstance(event, bytes):
            assert event[:1] == b"{"
            assert event[-1:] == b"}"
            assert len(event) <= max_object


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.lists(
        st.tuples(st.dictionaries(st.text(), JSON, max_size=4), st.sampled_from([None, 1]), st.booleans())
    ),
    st.lists(st.integers(1, 50)),
)
def test_every_json_object_gets_through(
    documents: list[tuple[dict[str, object], int | None, bool]], sizes: list[int]
) -> None:
    """A stream of valid objects, compact or indented, ASCII or not, is cut exactly at their ends."""
    texts = [
        json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        for document, indent, ascii_only in documents
    ]
    data = b"".join(texts)
    assert read(cut(data, sizes), max_object=10**6) == texts
    assert read([data], max_object=10**6) == texts


@pytest.mark.parametrize(
    "unit", [b'{"a":', b'{"\n', b"{ ", b'"', b"k", b'{"a":[' + b"{}," * 9, b"{" + b" " * 500]
)
def test_time_is_linear(unit: bytes) -> None:
    """Four times the bytes, one at a time, take nowhere near sixteen times as long."""

    def seconds(repeat: int) -> float:
        data = (unit * (repeat // len(unit) + 1))[:repeat]
        began = time.process_time()
        read(byte_by_byte(data), max_object=10**7)
        return time.process_time() - began

    small = min(seconds(20_000) for _ in range(3))
    assert min(seconds(80_000) for _ in range(2)) < 10 * small + 0.01
