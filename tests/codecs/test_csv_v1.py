"""CSV version 1: one line of bare values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.codecs import csv_v1
from txpachube.codecs.csvtext import BLANKS
from txpachube.errors import DecodeError


def reason(body: bytes) -> str:
    with pytest.raises(DecodeError) as caught:
        csv_v1.decode_feed(body)
    return str(caught.value)


def test_feed_is_written() -> None:
    """A feed is the values of all its datastreams in order, in one line, without ids, without a line end."""
    streams = [
        {"id": "0", "current_value": "21.5", "at": "T"},
        {"id": "1", "current_value": "0"},
        {"id": "x", "current_value": "open"},
    ]
    assert csv_v1.encode_feed({"id": 1, "datastreams": streams}) == b"21.5,0,open"
    assert csv_v1.encode_feed({"id": 1}) == b""


def test_missing_and_odd_values() -> None:
    """A stream without value leaves its place empty; others are quoted where they must be."""
    values: list[str | None] = ["1", None, "", "a,b", None]
    assert (
        csv_v1.encode_feed({"datastreams": [{"current_value": value} for value in values]}) == b'1,,"","a,b",'
    )


def test_feed_is_read() -> None:
    """The n-th field goes to the datastream with the id n, counted from 0."""
    assert csv_v1.decode_feed(b" 21.5, 0 ,open\r\n") == {
        "datastreams": [
            {"id": "0", "current_value": "21.5"},
            {"id": "1", "current_value": "0"},
            {"id": "2", "current_value": "open"},
        ]
    }


def test_missing_fields_are_empty_values() -> None:
    """A field with nothing in it is the empty text."""
    assert [stream["current_value"] for stream in csv_v1.decode_feed(b"1,,3,")["datastreams"]] == [
        "1",
        "",
        "3",
        "",
    ]


def test_several_rows_are_refused() -> None:
    """Several rows are refused, with the text that says how many they were; blank lines don't count."""
    assert reason(b"1,2\n\n3,4\n5,6\n") == (
        "CSV is invalid. Currently we can only accept CSV for your most recent set of values."
        " You have submitted 3 rows of data."
    )


def test_empty_is_refused() -> None:
    """An empty body is refused."""
    assert reason(b"\r\n") == "Submitted CSV is empty."


def test_too_many_values_are_refused() -> None:
    """Each comma would make a datastream, so their number is limited."""
    assert len(csv_v1.decode_feed(b"," * (csv_v1.MAX_VALUES - 1))["datastreams"]) == csv_v1.MAX_VALUES
    assert "Too many values" in reason(b"," * csv_v1.MAX_VALUES)


def test_datastream() -> None:
    """A datastream is one bare value."""
    assert csv_v1.encode_datastream({"id": "0", "current_value": "21.5", "at": "T"}) == b"21.5"
    assert csv_v1.encode_datastream({"id": "0"}) == b""
    assert csv_v1.decode_datastream(b"21.5\n") == {"current_value": "21.5"}
    for body in (b"1,2", b"1\n2", b""):
        with pytest.raises(DecodeError, match="CSV is "):
            csv_v1.decode_datastream(body)


values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff")).map(
    lambda text: text.strip(BLANKS)
)


@given(st.lists(values, min_size=1, max_size=20))
def test_feeds_round_trip(given_values: list[str]) -> None:
    """Values come back as they were, whatever characters they are made of."""
    body = csv_v1.encode_feed({"datastreams": [{"current_value": value} for value in given_values]})
    assert [stream["current_value"] for stream in csv_v1.decode_feed(body)["datastreams"]] == given_values


@given(values)
def test_datastreams_round_trip(value: str) -> None:
    """The value of a datastream comes back as it was."""
    assert csv_v1.decode_datastream(csv_v1.encode_datastream({"current_value": value})) == {
        "current_value": value
    }
