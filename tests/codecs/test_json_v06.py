"""JSON 0.6-alpha: the old layout."""

from __future__ import annotations

import json
from typing import Any

import pytest

from txpachube.codecs import json_v06, json_v1
from txpachube.errors import DecodeError

FEED: dict[str, Any] = {
    "id": 2424,
    "title": "Greenhouse",
    "icon": "http://garden.example/icon.png",
    "website": "http://garden.example/",
    "description": "South bed",
    "feed": "http://api.pachube.com/v1/feeds/2424.json",
    "status": "live",
    "updated": "2011-02-22T14:28:50.590716Z",
    "email": "rosa@garden.example",
    "version": "0.6-alpha",
    "datastreams": [
        {
            "id": "0",
            "values": [
                {
                    "recorded_at": "2011-02-22T14:28:50Z",
                    "value": "21.5",
                    "max_value": "38.2",
                    "min_value": "-1.0",
                }
            ],
            "tags": ["air"],
            "unit": {"type": "derivedSI", "symbol": "C", "label": "Celsius"},
        },
        {"id": "1"},
    ],
    "location": {"disposition": "fixed", "name": "Hut 3", "domain": "physical", "lat": 52.1, "lon": 9.3},
}

SPELT_NEWLY: dict[str, Any] = {
    **FEED,
    "datastreams": [
        {
            "id": "0",
            "current_value": "21.5",
            "at": "2011-02-22T14:28:50Z",
            "max_value": "38.2",
            "min_value": "-1.0",
            "tags": ["air"],
            "unit": {"type": "derivedSI", "symbol": "C", "label": "Celsius"},
        },
        {"id": "1"},
    ],
}


def compact(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def reversed_members(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: reversed_members(document[name]) for name in reversed(document)}
    if isinstance(document, list):
        return [reversed_members(element) for element in document]
    return document


def test_members_are_in_order() -> None:
    """Members come in the order of the old API; values stand in an array of one object."""
    assert json_v06.encode_feed(reversed_members(SPELT_NEWLY)) == compact(FEED)


def test_newer_members_are_left_out() -> None:
    """What came with 1.0.0 is not written: privacy, tags of feeds, creation, creator, history, waypoints."""
    newer = {"private": "false", "tags": ["a"], "created": "T", "creator": "C", "user": {"login": "x"}}
    stream = {"id": "0", "datapoints": [{"at": "T", "value": "1"}], "datapoints_function": "sum"}
    location = {"waypoints": [{"at": "T", "lat": 1.0, "lon": 2.0}]}
    feed = {"id": 1, "title": "x", **newer, "datastreams": [stream], "location": location}
    assert (
        json_v06.encode_feed(feed) == b'{"id":1,"title":"x","version":"0.6-alpha","datastreams":[{"id":"0"}]}'
    )


@pytest.mark.parametrize(
    ("at", "written"),
    [
        ("2011-02-22T14:28:50.590716Z", "2011-02-22T14:28:50Z"),
        ("2011-02-22T14:28:50Z", "2011-02-22T14:28:50Z"),
        ("2011-02-22T20:58:50.590716+06:30", "2011-02-22T20:58:50+06:30"),
    ],
)
def test_times_of_values_have_no_fraction(at: str, written: str) -> None:
    """The time of a value is written without a fraction, that of the feed with it."""
    feed = json.loads(
        json_v06.encode_feed({"updated": at, "datastreams": [{"id": "0", "current_value": "1", "at": at}]})
    )
    assert feed["updated"] == at
    assert feed["datastreams"][0]["values"] == [{"recorded_at": written, "value": "1"}]


def test_empty_parts_are_left_out() -> None:
    """Empty parts, units and locations are left out, and values of a stream that never got one."""
    stream: dict[str, Any] = {"id": "0", "current_value": None, "tags": [], "unit": {"label": ""}}
    feed = {"id": 1, "title": "", "icon": "", "datastreams": [stream], "location": {"name": ""}}
    assert (
        json_v06.encode_feed(feed) == b'{"id":1,"title":"","version":"0.6-alpha","datastreams":[{"id":"0"}]}'
    )
    assert json_v06.encode_feed({"datastreams": [], "location": None}) == b'{"version":"0.6-alpha"}'


def test_the_empty_text_is_a_value() -> None:
    """The empty text is a legal value and is written."""
    assert b'"values":[{"value":""}]' in json_v06.encode_datastream({"id": "0", "current_value": ""})


def test_one_datastream() -> None:
    """A datastream as a document ends in the version."""
    stream = SPELT_NEWLY["datastreams"][0]
    assert json_v06.encode_datastream(stream) == compact({**FEED["datastreams"][0], "version": "0.6-alpha"})


def test_list_of_feeds() -> None:
    """A list has its counts and its results, even when there are none."""
    page = {"totalResults": 1, "startIndex": 0, "itemsPerPage": 50, "results": [SPELT_NEWLY]}
    assert json_v06.encode_feed_list(page) == compact({**page, "results": [FEED]})
    assert json_v06.encode_feed_list({"totalResults": 0}) == b'{"totalResults":0,"results":[]}'


def test_answers_are_read_back() -> None:
    """What is written in this layout is read into the spelling of 1.0.0, here and where it is recognised."""
    assert json_v06.decode_feed(compact(FEED)) == SPELT_NEWLY
    assert json_v1.decode_feed(compact(FEED)) == SPELT_NEWLY


@pytest.mark.parametrize("values", [None, {}, [], [None], [{}]])
def test_values_may_be_missing(values: object) -> None:
    """``values`` may be missing, an empty object or an empty array."""
    assert json_v06.decode_feed(compact({"datastreams": [{"id": "0", "values": values}, {"id": "1"}]})) == {
        "datastreams": [{"id": "0"}, {"id": "1"}]
    }


def test_only_the_first_value_counts() -> None:
    """Of several values only the first counts; a single one may come without the array."""
    body = {"id": "0", "values": [{"value": "1"}, {"value": "2", "recorded_at": "T"}]}
    assert json_v06.decode_datastream(compact(body)) == {"id": "0", "current_value": "1"}
    assert json_v06.decode_datastream(b'{"values":{"value":"3"}}') == {"current_value": "3"}


def test_values_keep_their_text() -> None:
    """Numbers are the texts they were, and null is absent, as in the newer layout."""
    body = b'{"id":0,"values":[{"value":1.50,"max_value":-0,"min_value":1E5,"recorded_at":null}]}'
    assert json_v06.decode_datastream(body) == {
        "id": "0",
        "current_value": "1.50",
        "max_value": "-0",
        "min_value": "1E5",
    }


def test_the_newer_spelling_is_understood() -> None:
    """A stream that has no ``values`` but the newer members is understood as well."""
    assert json_v06.decode_datastream(b'{"id":"0","current_value":"1","at":"T"}') == {
        "id": "0",
        "current_value": "1",
        "at": "T",
    }


def test_a_datastream_may_be_wrapped() -> None:
    """A datastream comes bare or in a feed, which is then returned."""
    assert json_v06.decode_datastream(b'{"datastreams":[{"id":"0","values":[{"value":"1"}]}]}') == {
        "datastreams": [{"id": "0", "current_value": "1"}]
    }


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ([], "$"),
        ({"datastreams": [7]}, "$.datastreams[0]"),
        ({"datastreams": [{"values": "x"}]}, "$.datastreams[0].values"),
        ({"datastreams": [{"values": [7]}]}, "$.datastreams[0].values[0]"),
        ({"datastreams": [{"values": [{"value": []}]}]}, "$.datastreams[0].values[0].value"),
        ({"datastreams": [{"values": [{}, {"recorded_at": {}}]}]}, "$.datastreams[0].values[1].recorded_at"),
    ],
)
def test_wrong_types_say_where(document: object, where: str) -> None:
    """Something of the wrong type is refused with the place where it stands in this layout."""
    with pytest.raises(DecodeError) as caught:
        json_v06.decode_feed(compact(document))
    assert caught.value.where == where


def test_datastreams_must_be_an_array() -> None:
    """The error for datastreams that are no array has the text that programs know."""
    with pytest.raises(DecodeError) as caught:
        json_v06.decode_feed(b'{"datastreams":{}}')
    assert str(caught.value) == '"datastreams" must be an array'


@pytest.mark.parametrize(
    ("body", "streams"),
    [
        (
            b'{"datastreams":[{"id":"0","values":[{"value":"1"}]},{"id":1}],"updated":"2011-02-22T14:28:50Z"}',
            [{"id": "0", "current_value": "1", "at": "2011-02-22T14:28:50Z"}, {"id": "1"}],
        ),
        (b'{"id":"0","values":{"value":1.50}}', [{"id": "0", "current_value": "1.50"}]),
        (b'{"datastreams":[]}', []),
        (b'{"title":"x"}', []),
    ],
)
def test_new_datastreams_come_wrapped_or_alone(body: bytes, streams: list[dict[str, Any]]) -> None:
    """Datastreams that are to be created stand in a feed, or one of them for itself."""
    assert json_v06.decode_new_datastreams(body) == streams
