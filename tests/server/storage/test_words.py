"""What a word is."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from txpachube.server.storage.filters import phrases
from txpachube.server.storage.words import folded, words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Living room, 2nd floor", ["living", "room", "2nd", "floor"]),
        ("log.csv room_temp it's a+b", ["log", "csv", "room", "temp", "it", "s", "a", "b"]),
        ("Zähler STRASSE straße", ["zahler", "strasse", "strasse"]),
        ("İstanbul ΣΊΣΥΦΟΣ", ["istanbul", "σισυφοσ"]),
        ("室内温度2", ["室", "内", "温", "度", "2"]),
        ("ガレージ が", ["ガ", "レ", "ー", "ジ", "が"]),
        ("한국어 도움", ["한국어", "도움"]),
        ("हिन्दी", ["हिन्दी"]),
        ("°C 20°C ℃", ["°", "c", "20", "°", "c", "°", "c"]),
        ("🌡️👍🏽 €", ["🌡", "👍", "🏽", "€"]),
        ("ﬁsh \uff26\uff35\uff2c\uff2c \U0001d518", ["fish", "full", "u"]),
        ("so\u00adft \u200bzero\u200dwidth", ["soft", "zerowidth"]),
        ("a\0b\ue000c\ud800d", ["a", "b", "c", "d"]),
        ("don\u2019t — “quote”", ["don", "t", "quote"]),
        ("* - + \" ' ( ) : ^ & \\ % _ \0", []),
        ("", []),
    ],
)
def test_texts_have_words(text: str, found: list[str]) -> None:
    """In any script, without case, accents, and what stands between them."""
    assert words(text) == found


@given(st.text())
@example("qͅ")
def test_words_are_made_of_nothing_but_words(text: str) -> None:
    """The words of words are the same words, and nothing in them means something to the database."""
    found = words(text)
    assert words(" ".join(found)) == found
    assert all(word.split() == [word] for word in found)
    assert all(character.isalnum() for word in found for character in word if character.isascii())


@given(st.text(st.characters(codec="utf-8")))
def test_encodings_of_a_text_have_the_same_words(text: str) -> None:
    """Composed or decomposed."""
    assert words(unicodedata.normalize("NFD", text)) == words(unicodedata.normalize("NFC", text))


def test_a_rare_character_is_known_without_being_remembered() -> None:
    """A text cannot fill the memory, and is read right all the same."""
    everything = "".join(map(chr, range(0x110000)))
    assert words(everything) == words(everything)


@pytest.mark.parametrize(("text", "other"), [(" Air ", "AIR"), ("Straße", "STRASSE"), ("a\u0308", "Ä")])
def test_folded_texts_differ_in_more_than_case(text: str, other: str) -> None:
    """Case, how the same is encoded, and blanks around it make no difference; accents do."""
    assert folded(text) == folded(other)
    assert folded("a") != folded("ä")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("greenhouse South", ("greenhouse", "south")),
        ("log.csv  log.CSV x", ("log csv", "x")),
        ("Tom & Jerry", ("tom", "jerry")),
        ("温度 a\u3000b", ("温 度", "a", "b")),
        ('"south bed"', ("south", "bed")),
        ("* -- ''", ()),
    ],
)
def test_what_has_to_occur(text: str, wanted: tuple[str, ...]) -> None:
    """What stands between blanks, once, without what is no word."""
    assert phrases(text) == wanted
