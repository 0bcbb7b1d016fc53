"""
What fuzzing means here: a target, inputs it knows, and ways to spoil them.

An input is made of seeds, real documents and messages, by changes of two kinds. Some know nothing:
bytes are dropped, doubled, moved, made up. Others know what such texts are made of: a whole value,
element or field is taken out, repeated or put elsewhere, or becomes one of those that readers have
trouble with (an enormous number, a time that is none, half a character).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Final

import attrs

__all__ = ["Target", "mutated"]


@attrs.frozen
class Target:
    """
    Something that reads what strangers send.

    Attributes:
        name: what it is called on the command line.
        check: gives it an input; returns whether it was taken for good, and raises when anything
            happens that may not.
        seeds: inputs that are fine.
        longest: seeds that are put one after the other at the most.
    """

    name: str
    check: Callable[[bytes, random.Random], bool]
    seeds: Sequence[bytes]
    longest: int = 4


LONGEST: Final = 16_384
"""Bytes of an input: repetitions of repetitions would else make it as long as memory."""

TROUBLE: Final = (
    *(b"", b"null", b"true", b"[]", b"{}", b'""', b"0", b"-0.0", b"1e999", b"-1E-400", b"NaN", b"Infinity"),
    *(b"9" * 400, b"1" + b"0" * 5000, b"0x10", b"1_000", b"\xd9\xa3", b"+5", b".5", b"5."),
    *(
        b'"\\ud800"',
        b'"\\u0000"',
        b"\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x8c\xb1",
    ),
    *(b"2013-02-30T25:61:61Z", b"0000-00-00", b"99999-01-01T00:00:00Z", b"2013-01-01T00:00:00+99:99"),
    *(b"1969-12-31T23:59:59.9999999999Z", b"9999-12-31T23:59:59-14:00", b"-1", b"9223372036854775808"),
    *(b"<![CDATA[", b"]]>", b"<!DOCTYPE x>", b"&#0;", b"&#xD800;", b"&amp;", b"&x;", b"<!--", b"<?xml?>"),
    *(b"\r\n", b"\n", b"\r", b"\t", b" ", b",", b'"', b"'", b"\\", b"%00", b"%", b"../", b";", b"=", b"&"),
    *(b"[" * 70, b'{"a":' * 70, b"<a>" * 40, b"a" * 300, b"a" * 5000),
)
"""Fragments that readers of texts have had trouble with."""

_PARTS: Final = re.compile(
    rb'"[^"]*"|<[^<>]*>|-?[0-9][0-9.eE+-]*|\[[^\[\]]*\]|\{[^{}]*\}|[^,\n]+,|[A-Za-z_:-]+', re.DOTALL
)


def mutated(seeds: Sequence[bytes], chance: random.Random, longest: int = 4) -> bytes:
    """Return some seeds in a row, spoilt in some places."""
    data = bytearray(b"".join(chance.choice(seeds) for _ in range(chance.randint(1, longest))))
    for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3, 10))):
        change = _of_a_part if chance.random() < 0.5 else _of_bytes
        change(data, seeds, chance)
        del data[LONGEST:]
    return bytes(data)


def _of_bytes(data: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
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
        data[at : at + 1] = chance.choice(b'{}[]":,\\\r\n \x00\x1a09azAZ/<>&=').to_bytes()
    else:
        other = chance.choice(seeds)
        begin = chance.randrange(len(other))
        data[at:at] = other[begin : begin + length]


def _of_a_part(data: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    begin, end = _some_part(data, chance)
    action = chance.randrange(5)
    if action == 0:
        data[begin:end] = chance.choice(TROUBLE)
    elif action == 1:
        data[begin:end] = b""
    elif action == 2:
        data[begin:begin] = data[begin:end] * chance.choice((1, 1, 2, 50))
    elif action == 3:
        other = chance.choice(seeds)
        first, last = _some_part(other, chance)
        data[begin:end] = other[first:last]
    else:
        data[end:end] = chance.choice(TROUBLE)


def _some_part(data: bytes | bytearray, chance: random.Random) -> tuple[int, int]:
    found = _PARTS.search(data, chance.randrange(len(data) + 1))
    return found.span() if found else (len(data), len(data))
