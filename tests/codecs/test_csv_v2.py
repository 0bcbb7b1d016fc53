"""CSV version 2: rows of feeds, datastreams and datapoints."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.codecs import csv_v2
from txpachube.codecs.csvtext import BLANKS
from txpachube.errors import DecodeError

FEED: dict[str, Any] = {
    "id": 2424,
    "title": "Greenhouse",
    "datastreams": [
        {"id": "door"},
        {"id": "temp", "current_value": "21.50", "at": "2013-06-01T10:15:02.001200Z", "max_value": "38.2"},
    ],
}
HISTORY: dict[str, Any] = {
    "id": 2424,
    "datastreams": [
        {"id": "door"},
        {
            "id": "temp",
            "current_value": "21.50",
            "at": "2013-06-01T10:15:02.001200Z",
            "datapoints": [
                {"value": "20.1", "at": "2013-06-01T09:59:58.000000Z"},
                {"value": "21.50", "at": "2013-06-01T10:15:02.001200Z"},
            ],
        },
        {"id": "wind", "datapoints": [{"value": "N", "at": "2013-06-01T10:00:00.000000Z"}]},
    ],
}


def reason(decode: Any, body: bytes) -> str:
    """Return the whole text of the error with which a body is refused."""
    with pytest.raises(DecodeError) as caught:
        decode(body)
    assert caught.value.format == "csv"
    return str(caught.value)


# Writing


def test_feed_of_current_values() -> None:
    """A feed is a line ``ID,AT,VALUE`` per datastream, joined by LF, without a last one, and no header."""
    assert csv_v2.encode_feed(FEED) == b'door,,""\ntemp,2013-06-01T10:15:02.001200Z,21.50'


def test_stream_without_value() -> None:
    """A datastream without a value has an empty time and a quoted empty value."""
    assert csv_v2.encode_feed({"datastreams": [{"id": "temp"}]}) == b'temp,,""'
    assert csv_v2.encode_datastream({"id": "temp"}) == b',""'


def test_history_of_a_feed() -> None:
    """The history of a feed has all datapoints of all streams by time; streams without any don't appear."""
    assert csv_v2.encode_feed(HISTORY, history=True) == (
        b"temp,2013-06-01T09:59:58.000000Z,20.1\n"
        b"wind,2013-06-01T10:00:00.000000Z,N\n"
        b"temp,2013-06-01T10:15:02.001200Z,21.50"
    )
    assert csv_v2.encode_feed(FEED, history=True) == b""


def test_history_in_local_times_is_sorted_by_moment() -> None:
    """With a time zone, points are sorted by moment and not by text, even where clocks change."""
    streams = [
        {"id": "a", "datapoints": [{"at": "2013-10-27T02:10:00.000000+01:00", "value": "2"}]},
        {"id": "b", "datapoints": [{"at": "2013-10-27T02:50:00.000000+02:00", "value": "1"}]},
    ]
    assert csv_v2.encode_feed({"datastreams": streams}, history=True).startswith(b"b,")


def test_current_values_are_not_history() -> None:
    """Without history the current values are written, also when there are datapoints."""
    assert csv_v2.encode_feed(HISTORY).startswith(b'door,,""\ntemp,2013-06-01T10:15:02.001200Z,21.50\nwind')


def test_datastream() -> None:
    """A datastream is one line ``AT,VALUE``."""
    assert csv_v2.encode_datastream(FEED["datastreams"][1]) == b"2013-06-01T10:15:02.001200Z,21.50"


def test_history_of_a_datastream() -> None:
    """The history of a datastream is a line per datapoint; if there is none, the current line."""
    assert csv_v2.encode_datastream(HISTORY["datastreams"][1], history=True) == (
        b"2013-06-01T09:59:58.000000Z,20.1\n2013-06-01T10:15:02.001200Z,21.50"
    )
    assert (
        csv_v2.encode_datastream(FEED["datastreams"][1], history=True) == b"2013-06-01T10:15:02.001200Z,21.50"
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [("21.50", b"21.50"), ("", b'""'), ("a,b", b'"a,b"'), (" x", b'" x"'), ('"', b'""""')],
)
def test_datapoint(value: str, written: bytes) -> None:
    """One datapoint is its value only, quoted like any field."""
    assert csv_v2.encode_datapoint({"at": "T", "value": value}) == written


def test_list_of_feeds() -> None:
    """A list is a line ``FEED,ID,AT,VALUE`` per datastream of each feed."""
    page = {
        "totalResults": 2,
        "results": [FEED, {"id": 7, "datastreams": []}, {"id": 8, "datastreams": [{"id": "a"}]}],
    }
    assert csv_v2.encode_feed_list(page) == (
        b'2424,door,,""\n2424,temp,2013-06-01T10:15:02.001200Z,21.50\n8,a,,""'
    )


@pytest.mark.parametrize(("depth", "line"), [(1, b"1"), (2, b"T,1"), (3, b"a,T,1"), (4, b"7,a,T,1")])
def test_depth(depth: int, line: bytes) -> None:
    """The depth is the number of columns, counted from the right."""
    stream = {"id": "a", "current_value": "1", "at": "T", "datapoints": [{"value": "1", "at": "T"}]}
    feed = {"id": 7, "datastreams": [stream]}
    assert csv_v2.encode_feed(feed, depth=depth) == line
    assert csv_v2.encode_feed(feed, depth=depth, history=True) == line
    assert csv_v2.encode_datastream(stream, feed, depth=depth) == line
    assert csv_v2.encode_datastream(stream, feed, depth=depth, history=True) == line
    assert csv_v2.encode_feed_list({"results": [feed]}, depth=depth) == line


def test_datapoints_of_a_request() -> None:
    """Datapoints to be stored are lines ``AT,VALUE``."""
    assert csv_v2.encode_datapoints([{"at": "T", "value": "1"}, {"at": "U", "value": ""}]) == b'T,1\nU,""'


# Reading feeds


def test_values_of_a_feed() -> None:
    """Rows are ``ID,VALUE`` or ``ID,AT,VALUE``; a row by itself is a current value."""
    assert csv_v2.decode_feed(b"temp,21.50\ndoor,2013-06-01T10:00:00Z,open") == {
        "datastreams": [
            {"id": "temp", "current_value": "21.50"},
            {"id": "door", "current_value": "open", "at": "2013-06-01T10:00:00Z"},
        ]
    }


def test_two_fields_are_id_and_value() -> None:
    """One row with two fields is an id and a value, even if both are numbers."""
    assert csv_v2.decode_feed(b"0,1") == {"datastreams": [{"id": "0", "current_value": "1"}]}


def test_fields_of_a_feed_are_trimmed() -> None:
    """Body and fields are trimmed; values are the texts they were otherwise."""
    assert csv_v2.decode_feed(b"\n example, 333 \r\n a ,\t0000017\n") == {
        "datastreams": [{"id": "example", "current_value": "333"}, {"id": "a", "current_value": "0000017"}]
    }


@pytest.mark.parametrize("body", [b"0,", b"0,,", b'0,""', b'0,,""', b"0 , , "])
def test_a_missing_value_is_the_empty_text(body: bytes) -> None:
    """A missing value is the empty text, which is a value."""
    assert csv_v2.decode_feed(body) == {"datastreams": [{"id": "0", "current_value": ""}]}


def test_several_rows_of_one_stream_are_its_history() -> None:
    """Rows are grouped by id: several rows give datapoints, one row a value, mixed as they come."""
    assert csv_v2.decode_feed(b"a,T,1\nb,5\na,U,2") == {
        "datastreams": [
            {"id": "a", "datapoints": [{"at": "T", "value": "1"}, {"at": "U", "value": "2"}]},
            {"id": "b", "current_value": "5"},
        ]
    }


@pytest.mark.parametrize("body", [b"a,1\na,2", b"a,T,1\na,2", b"a,T,1\na,,2", b"b,1\na,1\na,T,2"])
def test_history_needs_times(body: bytes) -> None:
    """Each of several rows of a datastream needs a time."""
    assert reason(csv_v2.decode_feed, body) == (
        "CSV is invalid. If multiple values given they must include a timestamp for all values"
    )


@pytest.mark.parametrize("body", [b"", b" \r\n ", b"\n\n"])
def test_empty_feed(body: bytes) -> None:
    """An empty body is refused."""
    assert reason(csv_v2.decode_feed, body) == "Submitted CSV is empty."
    assert reason(csv_v2.decode_new_datastreams, body) == "Submitted CSV is empty."


@pytest.mark.parametrize("body", [b"a", b"a,b,c,d", b"a,1\nb", b"a;1"])
def test_wrong_number_of_fields(body: bytes) -> None:
    """A row with fewer than two or more than three fields is refused."""
    assert reason(csv_v2.decode_feed, body) == "CSV is invalid. Incorrect number of fields"


def test_malformed_feed() -> None:
    """A body that is not CSV is refused."""
    assert reason(csv_v2.decode_feed, b'a,"1').startswith("CSV is malformed: ")


def test_new_datastreams() -> None:
    """New datastreams are rows as for a feed, or an id alone."""
    assert csv_v2.decode_new_datastreams(b"flow,34\nwind\nrain,T,0\nhail,T,1\nhail,U,2") == [
        {"id": "flow", "current_value": "34"},
        {"id": "wind"},
        {"id": "rain", "current_value": "0", "at": "T"},
        {"id": "hail", "datapoints": [{"at": "T", "value": "1"}, {"at": "U", "value": "2"}]},
    ]
    assert "timestamp for all values" in reason(csv_v2.decode_new_datastreams, b"a\na")
    assert "Incorrect number" in reason(csv_v2.decode_new_datastreams, b"a,b,c,d")


def test_list_is_read() -> None:
    """A list of feeds is read back as far as the format carries it; an empty body is an empty list."""
    assert csv_v2.decode_feed_list(b'2424,door,,""\n2424,temp,T,21.50\n8,a,,""') == {
        "results": [
            {
                "id": 2424,
                "datastreams": [
                    {"id": "door", "current_value": ""},
                    {"id": "temp", "current_value": "21.50", "at": "T"},
                ],
            },
            {"id": 8, "datastreams": [{"id": "a", "current_value": ""}]},
        ]
    }
    assert csv_v2.decode_feed_list(b"") == {"results": []}
    assert "Incorrect number" in reason(csv_v2.decode_feed_list, b"a,T,1")


# Reading datastreams and datapoints


@pytest.mark.parametrize(
    ("body", "stream"),
    [
        (b"21.5", {"current_value": "21.5"}),
        (b" 21.5\r\n", {"current_value": "21.5"}),
        (b"2013-06-01T10:00:00Z,21.5", {"current_value": "21.5", "at": "2013-06-01T10:00:00Z"}),
        (b",21.5", {"current_value": "21.5"}),
        (b'""', {"current_value": ""}),
        (b"T,", {"current_value": "", "at": "T"}),
        (b'"1,5"', {"current_value": "1,5"}),
        (b"T,1\nU,2", {"datapoints": [{"at": "T", "value": "1"}, {"at": "U", "value": "2"}]}),
    ],
)
def test_datastream_is_read(body: bytes, stream: object) -> None:
    """A datastream is ``VALUE`` or ``AT,VALUE``; several lines of the latter are datapoints."""
    assert csv_v2.decode_datastream(body) == stream


def test_too_many_fields_for_a_datastream() -> None:
    """More than two fields in a row are refused."""
    for body in (b"a,T,1", b"T,1\na,U,2"):
        assert reason(csv_v2.decode_datastream, body) == (
            "CSV is invalid. Too many fields; must only be a single value, or a timestamp and a value"
        )


@pytest.mark.parametrize("body", [b"1\n2", b"T,1\n2", b"T,1\n,2"])
def test_several_values_need_times(body: bytes) -> None:
    """Several lines of a datastream need a time in each."""
    assert reason(csv_v2.decode_datastream, body) == (
        "CSV is invalid. If multiple values are included, then a timestamp and value must be submitted"
        " for every row"
    )


@pytest.mark.parametrize(
    "decode", [csv_v2.decode_datastream, csv_v2.decode_datapoints, csv_v2.decode_datapoint]
)
def test_empty_datastream(decode: Any) -> None:
    """An empty body is refused."""
    assert reason(decode, b"\n") == "CSV is invalid. Submitted data appears to be empty"


def test_datapoints_are_read() -> None:
    """Datapoints are rows ``AT,VALUE``; a single value without a time is one that came just now."""
    assert csv_v2.decode_datapoints(b"T,294\nU,295") == [
        {"at": "T", "value": "294"},
        {"at": "U", "value": "295"},
    ]
    assert csv_v2.decode_datapoints(b"T,294") == [{"at": "T", "value": "294"}]
    assert csv_v2.decode_datapoints(b"294") == [{"value": "294"}]


def test_datapoint_is_read() -> None:
    """One datapoint is a value; a time in front of it is understood, several rows are refused."""
    assert csv_v2.decode_datapoint(b"297\n") == {"value": "297"}
    assert csv_v2.decode_datapoint(b"T,297") == {"at": "T", "value": "297"}
    assert reason(csv_v2.decode_datapoint, b"T,1\nU,2") == "expected one value, got 2 rows"


# Round trips

values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff")).map(
    lambda text: text.strip(BLANKS)
)
names = values.filter(bool)
points = st.fixed_dictionaries({"value": values, "at": names})


@given(
    st.dictionaries(
        names, st.fixed_dictionaries({"current_value": values}, optional={"at": names}), min_size=1
    )
)
def test_feeds_round_trip(streams: dict[str, dict[str, str]]) -> None:
    """Values come back as they were, whatever characters they are made of."""
    feed = {"datastreams": [{"id": stream_id, **stream} for stream_id, stream in streams.items()]}
    assert csv_v2.decode_feed(csv_v2.encode_feed(feed)) == feed


@given(st.dictionaries(names, st.lists(points, min_size=2, max_size=5), min_size=1, max_size=3))
def test_histories_round_trip(streams: dict[str, list[dict[str, str]]]) -> None:
    """The points of a history come back, each with the stream it belongs to."""
    feed = {"datastreams": [{"id": stream_id, "datapoints": found} for stream_id, found in streams.items()]}
    read = csv_v2.decode_feed(csv_v2.encode_feed(feed, history=True))

    def pairs(found: list[dict[str, str]]) -> list[tuple[str, str]]:
        return sorted((point["at"], point["value"]) for point in found)

    assert {stream["id"]: pairs(stream["datapoints"]) for stream in read["datastreams"]} == {
        stream_id: pairs(found) for stream_id, found in streams.items()
    }


@given(st.lists(points, min_size=1))
def test_datapoints_round_trip(given_points: list[dict[str, str]]) -> None:
    """Datapoints come back as they were, in their order."""
    assert csv_v2.decode_datapoints(csv_v2.encode_datapoints(given_points)) == given_points
    stream = {"id": "a", "datapoints": given_points}
    assert csv_v2.decode_datapoints(csv_v2.encode_datastream(stream, history=True)) == given_points
    assert csv_v2.decode_datapoint(csv_v2.encode_datapoint(given_points[0])) == {
        "value": given_points[0]["value"]
    }
