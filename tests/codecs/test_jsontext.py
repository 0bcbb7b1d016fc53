"""JSON text: what is checked of every body, and how faults are named."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.codecs import jsontext
from txpachube.codecs.jsontext import MAX_DEPTH, Misfit, checked, read
from txpachube.errors import DecodeError


def nested(depth: int) -> bytes:
    """Return objects and arrays in turns, ``depth`` deep."""
    opened, closed = b"", b""
    for level in range(depth):
        opened += b'{"a":' if level % 2 else b"["
        closed = (b"}" if level % 2 else b"]") + closed
    return opened + b"1" + closed


def test_byte_order_mark_is_skipped() -> None:
    """A byte-order mark at the start of a body is skipped."""
    assert checked(b"\xef\xbb\xbf{}") == b"{}"


@pytest.mark.parametrize(
    "body", [b'{"title":"\xff"}', b"\xff\xfe{\x00}\x00", b'{"a":"\xed\xa0\x80"}', b'{"\xc0\x80":1}']
)
def test_bad_utf8_is_refused(body: bytes) -> None:
    """Text is UTF-8; anything else is refused wherever it stands, also where nobody looks."""
    with pytest.raises(DecodeError, match="not UTF-8"):
        checked(body)


def test_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document longer than the limit is refused before anything is read."""
    monkeypatch.setattr(jsontext, "MAX_DOCUMENT", 10)
    assert checked(b" " * 10)
    with pytest.raises(DecodeError, match="longer than 10 bytes"):
        checked(b" " * 11)


def test_depth_limit_is_exact() -> None:
    """As many levels as the limit says are read, one more is refused."""
    assert checked(nested(MAX_DEPTH))
    with pytest.raises(DecodeError, match=f"deeper than {MAX_DEPTH} levels"):
        checked(nested(MAX_DEPTH + 1))


def test_wide_documents_are_not_deep() -> None:
    """Many objects beside each other are fine, also with brackets in texts."""
    assert checked(json.dumps([{"a": [1]}] * 1000).encode())
    assert checked(json.dumps([{"a[": "]}{[", '"': '\\"['}] * 1000).encode())


@pytest.mark.parametrize("depth", [10_000, 300_000])
def test_deep_nesting_is_refused_quickly(depth: int) -> None:
    """A document nested absurdly deep is refused in milliseconds, closed or not."""
    began = time.perf_counter()
    for body in (nested(10_000), b"[" * depth, b"[" * depth + b"]" * depth, b'{"a":' * depth):
        with pytest.raises(DecodeError):
            read(checked(body), jsontext.members)
    assert time.perf_counter() - began < 2


def test_the_parser_guards_itself() -> None:
    """Depth hidden from the first look by brackets in texts ends in the same error."""
    depth = 60_000  # more than any Python's limit
    body = b'["]",' * depth + b"1" + b',"["]' * depth
    with pytest.raises(DecodeError, match="nested deeper"):
        read(checked(body), jsontext.members)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"a":1,}',
        b"{} x",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":01}',
        b'{"a":1.}',
        b'{"a":.5}',
        b'{"a":+1}',
        b'{"a":"\n"}',
        b'{"a":"\\x41"}',
        b"{'a':1}",
        b'{"a":"\x00"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\udc00\\ud800"}',
        b'{"a":"\\ud800\\u0041"}',
        b"// comment\n{}",
    ],
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    """Broken JSON is refused: also NaN, comments, control characters and halves of surrogate pairs."""
    with pytest.raises(DecodeError) as caught:
        read(checked(body), jsontext.members)
    assert caught.value.format == "json"
    assert caught.value.reason


@pytest.mark.parametrize(
    "literal", ["0", "-0", "1.50", "1E5", "1e+05", "-0.0", "0" + ".0" * 1, "9" * 5000, "1e999"]
)
def test_number_literals_are_kept(literal: str) -> None:
    """A number that stands for a text is the text it was, to the last zero."""
    assert read(literal.encode(), jsontext.text) == literal


@pytest.mark.parametrize(("body", "text"), [(b"true", "true"), (b"false", "false"), (b'"\\u00e9\\n"', "é\n")])
def test_words_and_strings_are_texts(body: bytes, text: str) -> None:
    """Booleans are the words; strings lose their escapes and nothing else."""
    assert read(body, jsontext.text) == text


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{}", "expected a string, got an object"),
        (b"[]", "expected a string, got an array"),
        (b"null", "expected a string, got null"),
        (b'"a\\u0000"', "expected a string without NUL characters"),
    ],
)
def test_what_cannot_be_a_text(body: bytes, reason: str) -> None:
    """Objects and arrays are never texts; a NUL character is refused, since it could not be passed on."""
    with pytest.raises(DecodeError) as caught:
        read(body, jsontext.text)
    assert caught.value.reason == reason
    assert caught.value.where == "$"


@pytest.mark.parametrize(
    ("body", "number"),
    [(b"7", 7), (b'"0042"', 42), (b"-5", "-5"), (b"1.0", "1.0"), (b"null", None), (b'"x"', "x")],
)
def test_integer_or_text(body: bytes, number: object) -> None:
    """Ids and counts are integers, whether they come as number or text; what is none stays a text."""
    assert read(body, jsontext.integer_or_text) == number


def test_faults_say_where() -> None:
    """An error names the place with all the members and elements that lead to it."""

    def misfit(raw: bytes) -> object:
        raise Misfit("no", f"<{raw.decode()}>")

    def inner(raw: bytes) -> object:
        return jsontext.read_members(jsontext.members(raw), {"b": misfit})

    readers = {"a": lambda raw: jsontext.read_elements(raw, inner)}
    with pytest.raises(DecodeError) as caught:
        read(b'{"a":[{},{"b":7}]}', lambda raw: jsontext.read_members(jsontext.members(raw), readers))
    assert caught.value.where == "$.a[1].b<7>"
    assert str(caught.value) == "no - at $.a[1].b<7>"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_members_are_the_documents_own(document: dict[str, object]) -> None:
    """An object taken apart is the same object: each member is the text that was between its commas."""
    body = json.dumps(document).encode()
    found = read(checked(body), jsontext.members)
    assert {name: json.loads(member) for name, member in found.items()} == document


@given(st.binary() | st.text().map(str.encode) | st.text(alphabet='[]{}",:0 e\\u').map(str.encode))
def test_only_decode_errors_leave(body: bytes) -> None:
    """Whatever the bytes are, they are read or refused with the documented error."""
    with suppress(DecodeError):
        read(checked(body), jsontext.members)
