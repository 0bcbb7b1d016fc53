"""CSV text: rows, fields and quotes."""

from __future__ import annotations

import csv
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.codecs import csvtext
from txpachube.codecs.csvtext import BLANKS, join_lines, quoted, rows
from txpachube.errors import DecodeError


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end: str) -> None:
    """LF, CRLF or CR end a line; the last line may have one or not."""
    assert rows(f"a,1{end}b,2{end}".encode()) == rows(f"a,1{end}b,2".encode()) == [["a", "1"], ["b", "2"]]


def test_mixed_line_ends() -> None:
    """All kinds of line ends may stand in one body."""
    assert rows(b"a\rb\nc\r\nd\n\re") == [["a"], ["b"], ["c"], ["d"], ["e"]]


def test_no_other_line_ends() -> None:
    """Characters that Unicode calls line separators are text."""
    assert rows("a\u2028b,c\x85d\x0be".encode()) == [["a\u2028b", "c\x85d\x0be"]]


@pytest.mark.parametrize("body", [b"", b" ", b"\n\r\n \t\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
def test_nothing(body: bytes) -> None:
    """A body of nothing but blanks has no rows."""
    assert rows(body) == []


def test_blank_lines_are_skipped() -> None:
    """Blank lines, also such as hold blanks, are skipped wherever they stand."""
    assert rows(b"\n  \na,1\n\n \t \r\nb,2\n\n") == [["a", "1"], ["b", "2"]]


def test_fields_are_trimmed() -> None:
    """Blanks around fields are removed, also inside quotes."""
    assert rows(b' example, 333 \n\t b\t," c " ') == [["example", "333"], ["b", "c"]]


def test_the_body_is_trimmed_before_quotes_are_read() -> None:
    """Blanks after the last quote don't make it a stray one."""
    assert rows(b'a,"1" \r\n') == [["a", "1"]]


def test_quotes() -> None:
    """A field in quotes may hold commas, line ends and doubled quotes; blanks may precede it."""
    assert rows(b'a,"1,5"\nb, "say ""hi"""\nc,"two\r\nlines"') == [
        ["a", "1,5"],
        ["b", 'say "hi"'],
        ["c", "two\r\nlines"],
    ]


def test_a_quote_inside_a_field_is_text() -> None:
    """A quote that does not begin a field is a character like any other."""
    assert rows(b'pipe,5"') == [["pipe", '5"']]


def test_an_empty_quoted_field_is_a_row() -> None:
    """Two quotes on a line are an empty value, not a blank line."""
    assert rows(b'""') == [[""]]
    assert rows(b'a\n""\nb') == [["a"], [""], ["b"]]


def test_only_commas_separate() -> None:
    """Semicolons and tabs are no separators."""
    assert rows(b"a;1\tx") == [["a;1\tx"]]


@pytest.mark.parametrize("body", [b'a,"1', b'a,"1"2', b'"a"b,1', b'a,"1" ,2', b'a,"', b'a,"1""'])
def test_stray_quotes_are_refused(body: bytes) -> None:
    """A quote that is not closed, or closed before the end of its field, makes the body malformed."""
    with pytest.raises(DecodeError, match="CSV is malformed") as caught:
        rows(body)
    assert caught.value.format == "csv"


def test_the_line_of_a_fault_is_named() -> None:
    """An error names the line it was found in."""
    with pytest.raises(DecodeError) as caught:
        rows(b'a,1\nb,2\nc,"3"x\nd,4')
    assert caught.value.where == "line 3"


@pytest.mark.parametrize("body", [b"a,\xff", b"a,1\n\xc0\x80", b"a,\xed\xa0\x80"])
def test_bad_utf8_is_refused(body: bytes) -> None:
    """Text is UTF-8."""
    with pytest.raises(DecodeError, match="not UTF-8"):
        rows(body)


def test_nul_is_refused() -> None:
    """A NUL character is refused, with its line."""
    with pytest.raises(DecodeError, match="NUL") as caught:
        rows(b"a,1\nb,\x00")
    assert caught.value.where == "line 2"


def test_a_huge_field_is_refused() -> None:
    """A field longer than the library takes is the documented error as well."""
    with pytest.raises(DecodeError, match="field larger than field limit"):
        rows(b"a," + b"x" * (csv.field_size_limit() + 1))


def test_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document longer than the limit is refused before anything is read."""
    monkeypatch.setattr(csvtext, "MAX_DOCUMENT", 10)
    with pytest.raises(DecodeError, match="longer than 10 bytes"):
        rows(b"a" * 11)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("21.5", "21.5"),
        ("", '""'),
        ("a,b", '"a,b"'),
        ('5"', '"5"""'),
        ("a\nb", '"a\nb"'),
        ("a\rb", '"a\rb"'),
        (" a", '" a"'),
        ("a ", '"a "'),
        ("\ta", '"\ta"'),
        ("a b", "a b"),
        ("a;b", "a;b"),
        ("é", "é"),
    ],
)
def test_quoting(value: str, written: str) -> None:
    """A field is quoted when it is empty, has a comma, quote or line end, or begins or ends with a blank."""
    assert quoted(value) == written


def test_lines_are_joined() -> None:
    """Lines are joined by LF, and there is none after the last."""
    assert join_lines(["a", "b"]) == b"a\nb"
    assert join_lines([]) == b""


fields = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff")).map(
    lambda text: text.strip(BLANKS)
)


@given(st.lists(st.lists(fields, min_size=1)))
def test_what_is_quoted_is_read_back(given_rows: list[list[str]]) -> None:
    """Any trimmed fields come back as they were, whatever characters they are made of."""
    assert rows(join_lines(",".join(map(quoted, row)) for row in given_rows)) == given_rows


@given(st.binary() | st.text(alphabet='a1,"\r\n \t').map(str.encode))
def test_only_decode_errors_leave(body: bytes) -> None:
    """Whatever the bytes are, they are read or refused with the documented error."""
    with suppress(DecodeError):
        for row in rows(body):
            assert row
            assert all(field == field.strip(BLANKS) for field in row)


@pytest.mark.parametrize("unit", [b",", b"\n", b'"', b'"",', b'""\n', b"a\r", b' "'])
def test_hostile_bodies_are_quick(unit: bytes) -> None:
    """A body as long as a request may be is read in well under a second or two, whatever it is made of."""
    body = unit * (1024 * 1024 // len(unit))
    began = time.perf_counter()
    with suppress(DecodeError):
        rows(body)
    assert time.perf_counter() - began < 5
