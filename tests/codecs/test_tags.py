"""Tags: the text form and the stored form."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.codecs import tags

some_tags = st.lists(st.text(min_size=1).filter(lambda tag: tag.strip(" \t\r\n\v\f") != ""))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  ", []),
        ("air", ["air"]),
        ("air,water", ["air", "water"]),
        (" air ,\twater\n", ["air", "water"]),
        ("air,,water,", ["air", "water"]),
        ("glass house, b", ["glass house", "b"]),
        ('"Lions, tigers", bears', ["Lions, tigers", "bears"]),
        ('" kept ", x', [" kept ", "x"]),
        (r'"6\" pipe"', ['6" pipe']),
        (r"6\" pipe", ['6" pipe']),
        (r'"back\\slash"', ["back\\slash"]),
        (r"C:\new", [r"C:\new"]),
        ('"", a', ["a"]),
        ('"a,b" c, d', ["a,b c", "d"]),
        ('"never closed, b', ['"never closed', "b"]),
        ('5" pipe, b', ['5" pipe', "b"]),
        ('"two\nlines"', ["two\nlines"]),
    ],
)
def test_split(text: str, expected: list[str]) -> None:
    r"""Commas separate, double quotes keep a comma, ``\"`` is a quote, blanks outside of quotes go."""
    assert tags.split(text) == expected


@pytest.mark.parametrize(
    ("given_tags", "text"),
    [
        ([], ""),
        (["air", "glass house"], "air,glass house"),
        (["a,b"], '"a,b"'),
        (['6" pipe'], r'"6\" pipe"'),
        ([" a"], '" a"'),
    ],
)
def test_join(given_tags: list[str], text: str) -> None:
    """A tag stands in quotes only where it must."""
    assert tags.join(given_tags) == text


@given(some_tags)
def test_split_undoes_join(given_tags: list[str]) -> None:
    """Tags written as text come back as they were."""
    assert tags.split(tags.join(given_tags)) == given_tags


@given(st.text(alphabet='ab,"\\ \n'))
def test_any_text_can_be_split(text: str) -> None:
    """Every text is some list of tags, and splitting what was joined changes nothing any more."""
    found = tags.split(text)
    assert all(found)
    assert tags.split(tags.join(found)) == found


def test_normalise_sorts_without_case() -> None:
    """Stored tags are sorted without regard to case."""
    assert tags.normalise(["Tomato", "glass", "apple", "Zoo"]) == ["apple", "glass", "Tomato", "Zoo"]


def test_normalise_drops_empty_tags_and_duplicates() -> None:
    """Empty tags are dropped, and so are duplicates; texts that differ in case are no duplicates."""
    assert tags.normalise(["b", "", " ", "a", "b", "B"]) == ["a", "B", "b"]


def test_normalise_removes_quotes_and_keeps_commas() -> None:
    """Quote characters are taken out of tags; a comma that survived inside quotes or an array stays."""
    assert tags.normalise(["it's", '6" pipe', "Lions, tigers", "''"]) == ["6 pipe", "its", "Lions, tigers"]


@given(st.lists(st.text()))
def test_normalise_is_stable(given_tags: list[str]) -> None:
    """What is normalised stays as it is, also by way of the text form."""
    once = tags.normalise(given_tags)
    assert tags.normalise(once) == once
    assert tags.normalise(tags.split(tags.join(once))) == once


@pytest.mark.parametrize(
    "text", ['"' * 200_000, '"\\' * 100_000, '",' * 100_000, ' "' * 100_000, " " * 200_000]
)
def test_hostile_text_is_quick(text: str) -> None:
    """Splitting takes time in proportion to the length, whatever the quotes are."""
    began = time.perf_counter()
    tags.split(text)
    assert time.perf_counter() - began < 2
