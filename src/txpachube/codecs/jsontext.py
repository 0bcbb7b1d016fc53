"""
JSON text: what every JSON codec does before and after it looks at names.

A body is checked once (`checked`): its size, the byte-order mark, UTF-8, the nesting. Then it is
read level by level, each level leaving its members unread as `msgspec.Raw`. That keeps the literal
text of every number, so that ``1.50``, ``-0``, ``1E5`` and integers of any length stay what they
were; no parser that makes numbers of them could give it back.

Whatever is wrong becomes a `DecodeError` that names the place in the manner of ``$.datastreams[0].at``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw

from txpachube.errors import DecodeError

__all__ = [
    "ABSENT",
    "MAX_DEPTH",
    "MAX_DOCUMENT",
    "Misfit",
    "Reader",
    "Readers",
    "broken",
    "checked",
    "elements",
    "encode",
    "fault",
    "integer_or_text",
    "kind_of",
    "members",
    "optional",
    "read",
    "read_elements",
    "read_members",
    "text",
    "text_or_none",
    "value",
]

MAX_DOCUMENT: Final = 64 * 1024 * 1024
"""Bytes of a document; the longest sensible answer, 1000 feeds with their datastreams, is a third of it."""

MAX_DEPTH: Final = 64
"""Levels of objects and arrays; the deepest document of the API, a list of feeds with history, has seven."""

ABSENT: Final[Any] = object()
"""What a reader returns for a member that counts as not given."""

Reader = Callable[[bytes], Any]
"""Reads one value out of its JSON text, which is known to be well formed."""

Readers = Mapping[str, Reader]
"""What an object may have; other members are ignored."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_KINDS: Final = {
    ord('"'): "a string",
    ord("{"): "an object",
    ord("["): "an array",
    ord("t"): "a boolean",
    ord("f"): "a boolean",
    ord("n"): "null",
}
_QUOTE, _OBJECT, _ARRAY = b'"{['
_NOT_TEXT: Final = b"{[n"
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_TRUNCATED: Final = "Input data was truncated"
_HALF_AT_END: Final = re.compile(rb'\\u[dD][89abAB][0-9a-fA-F]{2}"')
_LONGEST_INTEGER: Final = 18  # digits; more than any id or count has, and always a 64-bit number

_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_elements = msgspec.json.Decoder(list[Raw]).decode
_decode_string = msgspec.json.Decoder(str).decode
_decode_raw = msgspec.json.Decoder(Raw).decode

encode: Final = msgspec.json.Encoder().encode
"""Write an object as compact JSON, its members in the order in which they were put in."""


class Misfit(Exception):
    """
    A value that is not of the type it must have.

    Attributes:
        reason: what was expected and what came.
        where: the members it was in so far, such as ``.unit.label``.
    """

    def __init__(self, reason: str, where: str = "") -> None:
        super().__init__(reason, where)
        self.reason = reason
        self.where = where


def fault(reason: str, where: str = "") -> DecodeError:
    """Return the error that says what is wrong with a JSON body."""
    return DecodeError("json", reason, where)


def broken(problem: Exception, body: bytes) -> DecodeError:
    """Return the error that stands for whatever the parser raised about a body."""
    if isinstance(problem, RecursionError):
        return fault(f"JSON is nested deeper than {MAX_DEPTH} levels")
    if str(problem) == _TRUNCATED and _HALF_AT_END.search(body):
        # The parser takes the end of the string for the end of everything.
        return fault("JSON has an escape that is half of a surrogate pair")
    return fault(str(problem))


def checked(body: bytes) -> bytes:
    """
    Return a body without its byte-order mark, after looking at what no parser looks at.

    Raises:
        DecodeError: too long, not UTF-8, or nested too deeply.
    """
    if len(body) > MAX_DOCUMENT:
        raise fault(f"JSON is longer than {MAX_DOCUMENT} bytes")
    if body.startswith(_BYTE_ORDER_MARK):
        body = body[len(_BYTE_ORDER_MARK) :]
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as problem:
            raise fault(f"JSON is not UTF-8 text (byte {problem.start})") from None
    # A document can't be deeper than it has opening brackets; nearly all end here.
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _too_deep(body):
        raise fault(f"JSON is nested deeper than {MAX_DEPTH} levels")
    return body


def _too_deep(body: bytes) -> bool:
    """
    Take away the innermost pairs of brackets once per level and see whether that ends in time.

    Brackets inside strings are in the way, but leaving strings out costs more, so it comes second. A
    body made to fool the first look only gets as far as the parser, which has a guard of its own.
    """
    left = _peeled(body)
    if left and b'"' in body:
        left = _peeled(_STRING.sub(b"", body))
    # What is left of a balanced document is its deeper levels; of others also what is never closed.
    return b"[]" in left or left.count(b"[") > MAX_DEPTH


def _peeled(body: bytes) -> bytes:
    brackets = body.translate(_ONE_KIND, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        peeled = brackets.replace(b"[]", b"")
        if len(peeled) == len(brackets):
            break
        brackets = peeled
    return brackets


_T = TypeVar("_T")


def read(body: bytes, reader: Callable[[bytes], _T]) -> _T:
    """
    Read a checked body.

    Raises:
        DecodeError: it is not JSON, or the reader found something that does not fit.
    """
    try:
        return reader(bytes(_decode_raw(body)))
    except Misfit as misfit:
        raise fault(misfit.reason, f"${misfit.where}") from None
    except (msgspec.MsgspecError, RecursionError) as problem:
        raise broken(problem, body) from None


def kind_of(raw: bytes) -> str:
    """Say what a value is."""
    return _KINDS.get(raw[0], "a number")


def members(raw: bytes) -> dict[str, bytes]:
    """Return the members of an object, unread; of a name given twice the last."""
    if raw[0] != _OBJECT:
        raise Misfit(f"expected an object, got {kind_of(raw)}")
    return {name: bytes(member) for name, member in _decode_members(raw).items()}


def elements(raw: bytes) -> list[bytes]:
    """Return the elements of an array, unread."""
    if raw[0] != _ARRAY:
        raise Misfit(f"expected an array, got {kind_of(raw)}")
    return [bytes(element) for element in _decode_elements(raw)]


def read_members(given: Mapping[str, bytes], readers: Readers) -> dict[str, Any]:
    """Read the members that have a reader, in the order given; the others are ignored."""
    found = {}
    for name, raw in given.items():
        reader = readers.get(name)
        if reader is not None:
            try:
                result = reader(raw)
            except Misfit as misfit:
                raise Misfit(misfit.reason, f".{name}{misfit.where}") from None
            if result is not ABSENT:
                found[name] = result
    return found


def read_elements(raw: bytes, reader: Callable[[bytes], _T]) -> list[_T]:
    """Read the elements of an array, all alike."""
    found: list[_T] = []
    for element in elements(raw):
        try:
            found.append(reader(element))
        except Misfit as misfit:
            raise Misfit(misfit.reason, f"[{len(found)}]{misfit.where}") from None
    return found


def text(raw: bytes) -> str:
    """
    Read a text: a string as it is, a number as its literal text, a boolean as its word.

    Raises:
        Misfit: it is null, an array or an object, or it has a NUL character, which neither XML nor
            the databases can carry.
    """
    if raw[0] == _QUOTE:
        string = _decode_string(raw)
        if "\0" in string:
            raise Misfit("expected a string without NUL characters")
        return string
    if raw[0] in _NOT_TEXT:
        raise Misfit(f"expected a string, got {kind_of(raw)}")
    return raw.decode()


def text_or_none(raw: bytes) -> str | None:
    """Read a text that ``null`` clears."""
    return None if raw == b"null" else text(raw)


def value(raw: bytes) -> Any:
    """Read a text for which ``null`` says the same as leaving it out."""
    return ABSENT if raw == b"null" else text(raw)


def integer_or_text(raw: bytes) -> Any:
    """Read a count or an id: an integer when it is one, as a number or as text, else the text it was."""
    if raw == b"null":
        return None
    found = text(raw)
    if found.isascii() and found.isdigit() and len(found) <= _LONGEST_INTEGER:
        return int(found)
    return found


def optional(reader: Reader) -> Reader:
    """Make a reader to which ``null`` says the same as leaving the member out."""
    return lambda raw: ABSENT if raw == b"null" else reader(raw)
