"""
CSV text: what both CSV codecs do before and after they look at columns.

Reading is the standard library's, told to refuse stray quotes instead of guessing. Around it: the body
is trimmed, lines may end in LF, CRLF or CR, blank lines don't count, and fields are trimmed. A field of
more than `csv.field_size_limit` characters (131 072 unless the process changed it) is refused by the
library; no value is nearly as long.

Writing is done here, because the API quotes by rules of its own: also blanks at the ends, also the
empty value; and there is no line end after the last line.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Final

from txpachube.errors import DecodeError

__all__ = ["BLANKS", "MAX_DOCUMENT", "fault", "join_lines", "quoted", "rows"]

MAX_DOCUMENT: Final = 64 * 1024 * 1024
"""Bytes of a document; the longest sensible answer, the values of 1000 feeds, is a fraction of it."""

BLANKS: Final = " \t\r\n\v\f"
"""What is trimmed from bodies and fields."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_special_in: Final = re.compile(r"""[,"\r\n]""").search


def fault(reason: str, where: str = "") -> DecodeError:
    """Return the error that says what is wrong with a CSV body."""
    return DecodeError("csv", reason, where)


def rows(body: bytes) -> list[list[str]]:
    """
    Take a body apart.

    Returns:
        The rows that are not blank, their fields trimmed; none for an empty body.

    Raises:
        DecodeError: too long, not UTF-8, or not CSV.
    """
    if len(body) > MAX_DOCUMENT:
        raise fault(f"CSV is longer than {MAX_DOCUMENT} bytes")
    try:
        text = body.removeprefix(_BYTE_ORDER_MARK).decode().strip(BLANKS)
    except UnicodeDecodeError as problem:
        raise fault(f"CSV is not UTF-8 text (byte {problem.start})") from None
    if "\0" in text:
        raise fault(
            "CSV must not have NUL characters", f"line {text.count(chr(10), 0, text.index(chr(0))) + 1}"
        )
    source = _Lines(text)
    reader = csv.reader(source, strict=True, skipinitialspace=True)
    found = []
    try:
        for row in reader:
            if len(row) > 1 or (row and not source.was_blank):
                found.append([field.strip(BLANKS) for field in row])
    except csv.Error as problem:
        raise fault(f"CSV is malformed: {problem}", f"line {reader.line_num}") from None
    return found


class _Lines:
    """
    The lines of a text, remembering the last one.

    The reader gives the same row for a line of blanks and for a quoted empty field (``""``), which is
    a value; only the line tells them apart.
    """

    def __init__(self, text: str) -> None:
        # newline="" finds all three line ends and leaves them, for quoted fields may hold them.
        self._lines = io.StringIO(text, newline="")
        self._last = ""

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self._last = line
            yield line

    @property
    def was_blank(self) -> bool:
        return not self._last.strip(BLANKS)


def quoted(value: str) -> str:
    """Write one field; the empty text is written as two quotes, so that it is not taken for nothing."""
    if not value or value[0] in BLANKS or value[-1] in BLANKS or _special_in(value):
        return '"' + value.replace('"', '""') + '"'
    return value


def join_lines(lines: Iterable[str]) -> bytes:
    """Put lines together, without a line end after the last one."""
    return "\n".join(lines).encode()
