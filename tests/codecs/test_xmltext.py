"""Pieces of XML text, and the vocabulary."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from txpachube.codecs import xmlnames
from txpachube.codecs.xmltext import (
    DECLARATION,
    attribute,
    element_of,
    elements,
    integer_or_text,
    line,
    local_name,
    text,
    text_of,
)

UNHURRIED = settings(deadline=None)  # a thread may start late on a busy machine

ANYTHING = st.text(st.characters())


@UNHURRIED
@given(ANYTHING)
def test_any_text_can_be_written(given: str) -> None:
    """Each character comes back as it was, or as U+FFFD when XML has none such, in both places."""
    expected = "".join("\ufffd" if _impossible(character) else character for character in given)
    element = etree.fromstring(f'<x a="{attribute(given)}">{text(given)}</x>')
    assert element.get("a") == expected
    assert (element.text or "") == expected


def _impossible(character: str) -> bool:
    code = ord(character)
    return (code < 32 and character not in "\t\n\r") or 0xD800 <= code < 0xE000 or code in {0xFFFE, 0xFFFF}


@pytest.mark.parametrize(
    ("given", "written"), [(True, "true"), (False, "false"), (7, "7"), (-1.5, "-1.5"), ("07", "07"), ("", "")]
)
def test_scalars_are_written_as_the_text_they_stand_for(given: object, written: str) -> None:
    """Booleans are words, numbers their shortest form, texts themselves."""
    assert text(given) == attribute(given) == written


def test_lines_are_indented_elements() -> None:
    """A line is one element with its text, between an indentation and a line feed."""
    assert line("  ", "title", "a<b") == "  <title>a&lt;b</title>\n"
    assert line("", "id", 14, ' type="integer"') == '<id type="integer">14</id>\n'


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("7", 7),
        ("007", 7),
        ("-7", "-7"),
        ("", ""),
        ("7.0", "7.0"),
        ("\u0667", "\u0667"),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, "9" * 19),
    ],
)
def test_plain_numbers_become_numbers(given: str, read: int | str) -> None:
    """Decimal digits of a sane length are a number; everything else stays the text it is."""
    assert integer_or_text(given) == read
    assert type(integer_or_text(given)) is type(read)


def test_elements_are_gone_through_by_local_name() -> None:
    """Namespaces do not count; comments and instructions are passed over."""
    root = element_of(
        '<a xmlns="http://www.eeml.org/xsd/0.5.1"><data/><!-- c --><?p q?>'
        '<x:tag xmlns:x="urn:y"/><b xmlns=""/></a>'
    )
    assert [name for name, _ in elements(root)] == ["data", "tag", "b"]
    assert local_name(root) == "a"
    assert local_name(root[1]) == ""


def test_texts_are_whole_and_trimmed() -> None:
    """The text of an element is all that is in it, without comments and surrounding white space."""
    assert text_of(element_of("<a> x <b>y</b><!-- c --> z\n</a>")) == "x y z"
    assert text_of(element_of("<a/>")) == ""


def test_the_declaration_names_the_encoding() -> None:
    """Every document begins with the same line."""
    assert DECLARATION == '<?xml version="1.0" encoding="UTF-8"?>\n'


def test_the_vocabulary_has_no_doubles() -> None:
    """Each name is listed once."""
    assert len(set(xmlnames.ELEMENTS)) == len(xmlnames.ELEMENTS)
    assert len(set(xmlnames.ATTRIBUTES)) == len(xmlnames.ATTRIBUTES)
