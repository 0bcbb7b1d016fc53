"""JSON 1.0.0: what is written, in which order, and what is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.codecs import json_v1
from txpachube.errors import DecodeError

# The greenhouse: one of everything, in the order of the wire.
STREAM: dict[str, Any] = {
    "id": "temp",
    "current_value": "21.50",
    "at": "2013-06-01T10:15:02.001200Z",
    "max_value": "38.2",
    "min_value": "-1.0",
    "tags": ["air"],
    "unit": {"type": "derivedSI", "symbol": "C", "label": "Celsius"},
    "datapoints_function": "average",
    "datapoints": [
        {"value": "20.1", "at": "2013-06-01T09:59:58.000000Z"},
        {"value": "21.50", "at": "2013-06-01T10:15:02.001200Z"},
    ],
}
FEED: dict[str, Any] = {
    "id": 2424,
    "title": "Greenhouse",
    "private": "false",
    "icon": "http://garden.example/icon.png",
    "website": "http://garden.example/",
    "tags": ["glass", "Tomato"],
    "description": "South bed",
    "feed": "https://api.xively.com/v2/feeds/2424.json",
    "auto_feed_url": "http://garden.example/feed.xml",
    "status": "live",
    "updated": "2013-06-01T10:15:02.120034Z",
    "created": "2013-01-20T08:00:00.000000Z",
    "email": "rosa@garden.example",
    "creator": "https://xively.com/users/rosa",
    "user": {"login": "rosa"},
    "version": "1.0.0",
    "datastreams": [{"id": "door"}, STREAM],
    "location": {
        "disposition": "mobile",
        "name": "Hut 3",
        "exposure": "outdoor",
        "domain": "physical",
        "ele": "41.0",
        "lat": 52.1043,
        "lon": 9.3612,
        "waypoints": [
            {"at": "2013-06-01T12:25:05.999502Z", "lat": 24.9966, "lon": 55.06608},
            {"at": "2013-06-01T12:40:04.876604Z", "lat": 24.99647, "lon": 55.06635, "ele": "3.0"},
        ],
    },
    "product_id": "h5wT2IlOMrd09r_qd1jm",
    "device_serial": "abc123",
}


def compact(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def reversed_members(document: Any) -> Any:
    """Return the same document with the members of every object the other way round."""
    if isinstance(document, dict):
        return {name: reversed_members(document[name]) for name in reversed(document)}
    if isinstance(document, list):
        return [reversed_members(element) for element in document]
    return document


def refused(decode: Any, document: object) -> DecodeError:
    """Return the error with which a document is refused."""
    with pytest.raises(DecodeError) as caught:
        decode(document if isinstance(document, bytes) else compact(document))
    error: DecodeError = caught.value
    return error


# Writing feeds


def test_members_of_a_feed_are_in_order() -> None:
    """Members come in the order of the API, whatever the order in which they are given; output is compact."""
    assert json_v1.encode_feed(reversed_members(FEED)) == compact(FEED)


def test_empty_parts_of_a_feed_are_left_out() -> None:
    """A member that is missing, an empty text or an empty list is left out."""
    empty: dict[str, Any] = {
        "icon": "",
        "website": None,
        "tags": [],
        "description": "",
        "email": "",
        "user": {},
        "datastreams": [],
    }
    assert json_v1.encode_feed({"id": 1, "title": "x", **empty}) == b'{"id":1,"title":"x","version":"1.0.0"}'


def test_some_members_of_a_feed_are_always_there() -> None:
    """Title, privacy, URL, state, times, creator, version and location show even when they are empty."""
    always = {"id": 1, "title": "", "private": False, "feed": "", "status": "", "updated": "", "created": ""}
    assert json.loads(json_v1.encode_feed({**always, "creator": "", "location": {}})) == {
        **always,
        "private": "false",
        "creator": "",
        "version": "1.0.0",
        "location": {"domain": "physical"},
    }


@pytest.mark.parametrize(("private", "text"), [(True, "true"), (False, "false"), ("true", "true")])
def test_private_is_a_text(private: object, text: str) -> None:
    """Privacy is written as the string ``true`` or ``false``, not as a boolean."""
    assert json.loads(json_v1.encode_feed({"private": private}))["private"] == text


def test_the_id_is_a_number() -> None:
    """A feed's id is written as a number, also when it is given as text."""
    assert json_v1.encode_feed({"id": "2424"}) == b'{"id":2424,"version":"1.0.0"}'


def test_output_has_no_other_members() -> None:
    """Strict clients fail on members they don't know, so none but the listed ones are written."""
    feed = {
        "id": 1,
        "odd": 1,
        "datastreams": [{"id": "a", "odd": 1, "unit": {"odd": "x"}}],
        "location": {"odd": 1},
    }
    assert json_v1.encode_feed(feed) == (
        b'{"id":1,"version":"1.0.0","datastreams":[{"id":"a"}],"location":{"domain":"physical"}}'
    )


def test_text_is_utf8() -> None:
    """Characters are written as they are, in UTF-8."""
    assert json_v1.encode_feed({"title": "Gewächshaus 温室"}) == (
        '{"title":"Gewächshaus 温室","version":"1.0.0"}'.encode()
    )


# Writing locations


def test_coordinates_are_numbers_and_elevations_texts() -> None:
    """``lat`` and ``lon`` are numbers, ``ele`` is a string, however they are given."""
    location = {
        "lat": "52.1043",
        "lon": 9,
        "ele": 41.0,
        "waypoints": [{"at": "T", "lat": "1.5", "lon": 2, "ele": 3}],
    }
    assert json.loads(json_v1.encode_feed({"location": location}))["location"] == {
        "domain": "physical",
        "ele": "41.0",
        "lat": 52.1043,
        "lon": 9,
        "waypoints": [{"at": "T", "lat": 1.5, "lon": 2, "ele": "3"}],
    }


def test_zero_is_a_coordinate() -> None:
    """The equator and Greenwich are places; 0 is not left out."""
    assert b'"lat":0.0,"lon":0' in json_v1.encode_feed({"location": {"lat": 0.0, "lon": 0}})


@pytest.mark.parametrize("text", ["north", "nan", "inf", "1e999"])
def test_odd_coordinates_stay_texts(text: str) -> None:
    """What is no number that JSON has stays the text it was."""
    assert json.loads(json_v1.encode_feed({"location": {"lat": text}}))["location"]["lat"] == text


def test_empty_parts_of_a_location_are_left_out() -> None:
    """Empty parts and an empty list of waypoints are left out; the domain is physical by default."""
    location: dict[str, Any] = {
        "disposition": "",
        "name": None,
        "exposure": "",
        "domain": "",
        "ele": "",
        "waypoints": [],
    }
    assert json.loads(json_v1.encode_feed({"location": location}))["location"] == {"domain": "physical"}
    assert json.loads(json_v1.encode_feed({"location": {"domain": "virtual"}}))["location"] == {
        "domain": "virtual"
    }


def test_no_elevation_is_invented_for_waypoints() -> None:
    """A waypoint has an elevation only if it was given one; the official client fails on it."""
    waypoints = [
        {"at": "T", "lat": 1.0, "lon": 2.0, "ele": None},
        {"at": "T", "lat": 1.0, "lon": 2.0, "ele": ""},
    ]
    written = json.loads(json_v1.encode_feed({"location": {"waypoints": waypoints}}))
    assert written["location"]["waypoints"] == [{"at": "T", "lat": 1.0, "lon": 2.0}] * 2


# Writing datastreams and datapoints


def test_members_of_a_datastream_are_in_order() -> None:
    """Members come in order; the version is the last one and only in a document of its own."""
    assert json_v1.encode_datastream(reversed_members(STREAM)) == compact({**STREAM, "version": "1.0.0"})


def test_a_stream_without_value_is_only_its_id() -> None:
    """A datastream that never got a value is ``{"id":"door"}``, at the top with the version."""
    empty: dict[str, Any] = {
        "id": "door",
        "current_value": None,
        "at": None,
        "tags": [],
        "unit": {},
        "datapoints": [],
        "max_value": "",
    }
    assert json_v1.encode_datastream(empty) == b'{"id":"door","version":"1.0.0"}'
    assert (
        json_v1.encode_feed({"datastreams": [empty]}) == b'{"version":"1.0.0","datastreams":[{"id":"door"}]}'
    )


def test_the_empty_text_is_a_value() -> None:
    """The empty text is a legal value, of a datastream as of a datapoint, and is written like others."""
    stream = {"id": "a", "current_value": "", "at": "T", "datapoints": [{"at": "T", "value": ""}]}
    assert json_v1.encode_datastream(stream) == (
        b'{"id":"a","current_value":"","at":"T","datapoints":[{"value":"","at":"T"}],"version":"1.0.0"}'
    )


@pytest.mark.parametrize(
    "value", ["0000017", "0.28586252", "JEBEL ALI", "1.50", " padded ", "1E5", "-0", "é"]
)
def test_values_are_written_as_they_are(value: str) -> None:
    """A value is the text it was: no number is formatted, ever."""
    assert (
        json.loads(json_v1.encode_datastream({"id": "a", "current_value": value}))["current_value"] == value
    )


@pytest.mark.parametrize(
    ("unit", "written"),
    [
        ({"label": "Celsius", "symbol": "", "type": None}, {"label": "Celsius"}),
        ({"label": "", "symbol": "", "type": ""}, None),
        (None, None),
    ],
)
def test_empty_parts_of_a_unit_are_left_out(unit: Any, written: Any) -> None:
    """Empty parts of a unit are left out, and the whole unit when all are empty."""
    assert json.loads(json_v1.encode_datastream({"id": "a", "unit": unit})).get("unit") == written


def test_the_value_is_never_the_first_member() -> None:
    """In an answer something stands before ``current_value``: a sketch reads its text at a fixed place."""
    assert json_v1.encode_datastream({"current_value": "1", "id": "a"}).startswith(
        b'{"id":"a","current_value":"1"'
    )


def test_order_inside_datapoints() -> None:
    """In a datastream a datapoint's value comes before its time; alone, and in requests, after it."""
    point = {"value": "21.50", "at": "2013-06-01T10:15:02.001200Z"}
    assert json_v1.encode_datapoint(point) == b'{"at":"2013-06-01T10:15:02.001200Z","value":"21.50"}'
    assert json_v1.encode_datapoints([point]) == (
        b'{"datapoints":[{"at":"2013-06-01T10:15:02.001200Z","value":"21.50"}]}'
    )
    assert b'[{"value":"21.50","at":"2013-06-01T10:15:02.001200Z"}]' in json_v1.encode_datastream(
        {"id": "a", "datapoints": [point]}
    )


def test_datapoints_without_a_time_have_none() -> None:
    """A datapoint that was given no time is written without one."""
    assert json_v1.encode_datapoints([{"value": "1"}]) == b'{"datapoints":[{"value":"1"}]}'
    assert b'"datapoints":[{"value":"1"}]' in json_v1.encode_datastream({"datapoints": [{"value": "1"}]})


# Lists of feeds


def test_list_of_feeds() -> None:
    """A list has its numbers as numbers and its results even when there are none."""
    assert json_v1.encode_feed_list(
        {"results": [], "itemsPerPage": "50", "startIndex": 0, "totalResults": 0}
    ) == (b'{"totalResults":0,"startIndex":0,"itemsPerPage":50,"results":[]}')
    page = {"totalResults": 2, "startIndex": 0, "itemsPerPage": 50, "results": [FEED, FEED]}
    assert json_v1.encode_feed_list(page) == compact(page)


def test_counts_of_a_list_are_read_as_numbers() -> None:
    """Clients meet lists with their counts as texts; they are read as numbers."""
    page = json_v1.decode_feed_list(
        b'{"totalResults":"2","startIndex":"0","itemsPerPage":"50","results":[{"id":"7"}]}'
    )
    assert page == {"totalResults": 2, "startIndex": 0, "itemsPerPage": 50, "results": [{"id": 7}]}


def test_old_feeds_in_a_list() -> None:
    """A feed in the old layout is recognised inside a list as well."""
    old = {"version": "0.6-alpha", "datastreams": [{"id": "0", "values": [{"value": "3"}]}]}
    page = json_v1.decode_feed_list(compact({"results": [old, {"version": "1.0.0"}]}))
    assert page["results"][0]["datastreams"] == [{"id": "0", "current_value": "3"}]


# Reading feeds


def test_answers_are_read_back() -> None:
    """What the service writes is read back completely, with the same members."""
    assert json_v1.decode_feed(compact(FEED)) == FEED
    assert json_v1.decode_feed(json_v1.encode_feed(FEED)) == FEED
    page = {"totalResults": 1, "startIndex": 0, "itemsPerPage": 50, "results": [FEED]}
    assert json_v1.decode_feed_list(compact(page)) == page
    assert json_v1.decode_datastream(compact({**STREAM, "version": "1.0.0"})) == {
        **STREAM,
        "version": "1.0.0",
    }


def test_byte_order_mark() -> None:
    """A byte-order mark at the start of a body is skipped."""
    assert json_v1.decode_feed(b'\xef\xbb\xbf{"title":"x"}') == {"title": "x"}


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"7", b"null", b"true"])
def test_the_top_must_be_an_object(body: bytes) -> None:
    """The top level must be an object."""
    error = refused(json_v1.decode_feed, body)
    assert error.reason.startswith("expected an object, got ")
    assert error.where == "$"


@pytest.mark.parametrize("streams", [{}, {"id": "a"}, "a", 7, True])
def test_datastreams_must_be_an_array(streams: object) -> None:
    """``datastreams``, if present, must be an array; the error has the text that programs know."""
    for decode in (json_v1.decode_feed, json_v1.decode_datastream, json_v1.decode_new_datastreams):
        assert str(refused(decode, {"datastreams": streams})) == '"datastreams" must be an array'


def test_null_datastreams_are_absent() -> None:
    """A library that sends every field sends null for the datastreams it does not have."""
    assert json_v1.decode_feed(b'{"title":"x","datastreams":null}') == {"title": "x"}
    assert json_v1.decode_datastream(b'{"id":"x","datastreams":null}') == {"id": "x"}


@pytest.mark.parametrize("version", ["1.0.1", "0.0.3", "", ["1.0.0"], 1.0, None, {"a": 1}])
def test_other_versions_are_read_as_this_one(version: object) -> None:
    """The version is optional, and all but the old one's are read as 1.0.0, even a list."""
    feed = json_v1.decode_feed(
        compact({"version": version, "datastreams": [{"id": "a", "current_value": "1"}]})
    )
    assert feed["datastreams"] == [{"id": "a", "current_value": "1"}]
    assert feed.get("version", version) == version


@pytest.mark.parametrize("version", ["0.6-alpha", "0.6"])
def test_old_layout_is_recognised(version: str) -> None:
    """A body whose version is 0.6-alpha or 0.6 is read in the old layout, on whatever path it came."""
    old = {"version": version, "id": "a", "values": [{"value": "3", "recorded_at": "T"}]}
    read = {"id": "a", "current_value": "3", "at": "T"}
    assert json_v1.decode_feed(compact({"version": version, "datastreams": [old]}))["datastreams"] == [read]
    assert json_v1.decode_datastream(compact(old)) == {**read, "version": version}
    assert json_v1.decode_new_datastreams(compact({"version": version, "datastreams": [old]})) == [read]


def test_unknown_members_are_ignored() -> None:
    """Unknown members are ignored, at every level, whatever is in them."""
    body = {
        "x": {"y": [1, {}]},
        "location": {"x": 1, "waypoints": [{"x": None}]},
        "datastreams": [{"id": "a", "x": [], "unit": {"x": 1}, "datapoints": [{"value": "1", "x": {}}]}],
    }
    for title in ("x", 7):  # in both ways of reading
        assert json_v1.decode_feed(compact({**body, "title": title})) == {
            "location": {"waypoints": [{}]},
            "datastreams": [{"id": "a", "unit": {}, "datapoints": [{"value": "1"}]}],
            "title": str(title),
        }


def test_absent_members_are_absent() -> None:
    """What was not in the document is not in what is read: absent means leave as it is."""
    assert json_v1.decode_feed(b"{}") == {}
    assert json_v1.decode_feed(b'{"location":{},"datastreams":[{}]}') == {"location": {}, "datastreams": [{}]}


@pytest.mark.parametrize(
    "name", ["title", "icon", "website", "description", "email", "auto_feed_url", "private"]
)
def test_empty_metadata_clears(name: str) -> None:
    """Metadata that is present and empty, as text or null, is there to be cleared."""
    assert json_v1.decode_feed(compact({name: ""})) == {name: ""}
    assert json_v1.decode_feed(compact({name: None})) == {name: None}


def test_empty_tags_units_and_locations_clear() -> None:
    """Empty tags, units and locations are present and empty, in each of the forms that programs send."""
    empty: Any
    for empty in ([], "", None):
        assert json_v1.decode_feed(compact({"tags": empty})) == {"tags": []}
        assert json_v1.decode_feed(compact({"location": empty})) == {"location": None}
        assert json_v1.decode_datastream(compact({"unit": empty, "tags": empty})) == {
            "unit": None,
            "tags": [],
        }
    assert json_v1.decode_datastream(b'{"unit": [ ]}') == {"unit": None}
    assert json_v1.decode_feed(b'{"location":{"name":null,"ele":"","lat":null}}') == {
        "location": {"name": None, "ele": "", "lat": None}
    }


def test_null_values_are_absent() -> None:
    """For a value null says the same as leaving it out: some libraries send every field."""
    stream = {
        "id": "a",
        "current_value": None,
        "at": None,
        "max_value": None,
        "min_value": None,
        "datapoints": None,
    }
    assert json_v1.decode_datastream(compact(stream)) == {"id": "a"}
    assert json_v1.decode_feed(compact({"updated": None, "datastreams": [stream]})) == {
        "datastreams": [{"id": "a"}]
    }
    assert json_v1.decode_datapoint(b'{"at":null,"value":null}') == {}


@pytest.mark.parametrize(
    ("literal", "read"), [("true", True), ("false", False), ('"true"', "true"), ("1", "1"), ('"0"', "0")]
)
def test_private_comes_as_boolean_or_text(literal: str, read: object) -> None:
    """Privacy may be a boolean or one of the words; which words are allowed is not asked here."""
    assert json_v1.decode_feed(b'{"private":%s}' % literal.encode()) == {"private": read}
    assert json_v1.decode_feed(b'{"private":%s,"title":7}' % literal.encode())["private"] == read


def test_odd_privacy_is_left_to_validation() -> None:
    """Privacy that is neither is no unreadable document; it stays something that has no meaning."""
    assert json_v1.decode_feed(b'{"private":["yes"]}') == {"private": '["yes"]'}


@pytest.mark.parametrize(
    ("tags", "read"),
    [
        (["a", "b,c"], ["a", "b,c"]),
        ('a, "b,c"', ["a", "b,c"]),
        ([2013, True, None, "x"], ["2013", "true", "x"]),
        (["B", "a", "B"], ["B", "a", "B"]),
        (7, ["7"]),
    ],
)
def test_tags(tags: object, read: list[str]) -> None:
    """Tags come as an array or as one text with commas; they are not put in order yet."""
    assert json_v1.decode_feed(compact({"tags": tags})) == {"tags": read}
    assert json_v1.decode_datastream(compact({"tags": tags})) == {"tags": read}


@pytest.mark.parametrize(
    "literal", ["42", "1.50", "-0", "1E5", "1e-7", "0.10", "9" * 40, "9" * 5000, "1e999"]
)
def test_numbers_keep_their_text(literal: str) -> None:
    """A value sent as a number is stored as its literal text, digit for digit."""
    number = literal.encode()
    stream = (
        b'{"id":"a","current_value":%s,"max_value":%s,"min_value":%s,"datapoints":[{"at":"T","value":%s}]}'
    )
    read = {
        "id": "a",
        "current_value": literal,
        "max_value": literal,
        "min_value": literal,
        "datapoints": [{"at": "T", "value": literal}],
    }
    body = stream % (number, number, number, number)
    assert json_v1.decode_datastream(body) == read
    assert json_v1.decode_feed(b'{"datastreams":[%s]}' % body) == {"datastreams": [read]}
    patiently = b'{"title":1,"datastreams":[%s],"location":{"ele":%s}}' % (body, number)
    assert json_v1.decode_feed(patiently)["datastreams"] == [read]
    assert json_v1.decode_feed(patiently)["location"] == {"ele": literal}
    assert json_v1.decode_datapoint(b'{"value":%s}' % number) == {"value": literal}


@pytest.mark.parametrize(
    ("literal", "text"), [(b"true", "true"), (b"false", "false"), (b'" x "', " x "), (b'""', "")]
)
def test_booleans_and_blanks_in_values(literal: bytes, text: str) -> None:
    """Booleans are stored as their words; white space around a value is kept; the empty text is a value."""
    assert json_v1.decode_datastream(b'{"current_value":%s}' % literal) == {"current_value": text}


@pytest.mark.parametrize(("literal", "read"), [(b"0", "0"), (b'"0"', "0"), (b"007", None), (b"1.0", "1.0")])
def test_stream_ids_are_texts(literal: bytes, read: str | None) -> None:
    """The id of a datastream is a text; a number becomes its decimal text."""
    body = b'{"datastreams":[{"id":%s}]}' % literal
    if read is None:
        assert "malformed" in refused(json_v1.decode_feed, body).reason
    else:
        assert json_v1.decode_feed(body) == {"datastreams": [{"id": read}]}


@pytest.mark.parametrize(
    ("literal", "read"),
    [
        (b"52.5", 52.5),
        (b"52", 52),
        (b'"52.50"', "52.50"),
        (b'""', ""),
        (b"1e999", "1e999"),
        (b"9" * 5000, "9" * 5000),
    ],
)
def test_coordinates_stay_what_they_were(literal: bytes, read: object) -> None:
    """Coordinates come as numbers or texts and stay so; numbers beyond all numbers stay texts."""
    assert json_v1.decode_feed(b'{"location":{"lat":%s}}' % literal) == {"location": {"lat": read}}


def test_the_last_of_equal_names_counts() -> None:
    """Of a member given twice the last counts, in both ways of reading."""
    assert json_v1.decode_feed(b'{"title":"a","title":"b"}') == {"title": "b"}
    assert json_v1.decode_feed(b'{"title":1,"title":2}') == {"title": "2"}


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"title": []}, "$.title"),
        ({"description": {}}, "$.description"),
        ({"updated": [1]}, "$.updated"),
        ({"id": {}}, "$.id"),
        ({"tags": {}}, "$.tags"),
        ({"tags": ["a", []]}, "$.tags[1]"),
        ({"user": "rosa"}, "$.user"),
        ({"location": "here"}, "$.location"),
        ({"location": {"lat": []}}, "$.location.lat"),
        ({"location": {"waypoints": {}}}, "$.location.waypoints"),
        ({"location": {"waypoints": [{"at": {}}]}}, "$.location.waypoints[0].at"),
        ({"datastreams": [7]}, "$.datastreams[0]"),
        ({"datastreams": [{}, None]}, "$.datastreams[1]"),
        ({"datastreams": [{"id": []}]}, "$.datastreams[0].id"),
        ({"datastreams": [{"current_value": {}}]}, "$.datastreams[0].current_value"),
        ({"datastreams": [{}, {"at": []}]}, "$.datastreams[1].at"),
        ({"datastreams": [{"unit": "C"}]}, "$.datastreams[0].unit"),
        ({"datastreams": [{"unit": {"label": {}}}]}, "$.datastreams[0].unit.label"),
        ({"datastreams": [{"datapoints": {}}]}, "$.datastreams[0].datapoints"),
        ({"datastreams": [{"datapoints": [[]]}]}, "$.datastreams[0].datapoints[0]"),
        ({"datastreams": [{"datapoints": [{"value": []}]}]}, "$.datastreams[0].datapoints[0].value"),
        ({"title": "a\0b"}, "$.title"),
        ({"datastreams": [{"current_value": "\0"}]}, "$.datastreams[0].current_value"),
    ],
)
def test_wrong_types_say_where(document: object, where: str) -> None:
    """Something of the wrong type is refused with the place where it stands; so is a NUL character."""
    error = refused(json_v1.decode_feed, document)
    assert error.where == where
    assert error.reason.startswith("expected ")
    assert refused(json_v1.decode_feed_list, {"results": [{}, document]}).where == where.replace(
        "$", "$.results[1]"
    )


def test_backslash_before_u0000_is_no_nul() -> None:
    """An escaped backslash in front of ``u0000`` is text like any other."""
    assert json_v1.decode_feed(rb'{"title":"\\u0000"}') == {"title": r"\u0000"}


# Reading datastreams and datapoints


def test_a_datastream_may_be_wrapped() -> None:
    """A datastream comes bare, or in a feed, which is then returned to be looked at."""
    assert json_v1.decode_datastream(b'{"current_value":"294"}') == {"current_value": "294"}
    wrapped = {"version": "1.0.0", "updated": "T", "datastreams": [{"id": "a"}, {"id": "b"}]}
    assert json_v1.decode_datastream(compact(wrapped)) == wrapped


@pytest.mark.parametrize(
    ("document", "streams"),
    [
        (
            {"version": "1.0.0", "datastreams": [{"id": "flow", "current_value": "34"}]},
            [{"id": "flow", "current_value": "34"}],
        ),
        ({"id": "flow"}, [{"id": "flow"}]),
        ({"id": 7}, [{"id": "7"}]),
        ({"current_value": "1"}, [{"current_value": "1"}]),
        ({"datastreams": []}, []),
        ({"version": "1.0.0"}, []),
        ({}, []),
    ],
)
def test_new_datastreams(document: object, streams: list[object]) -> None:
    """New datastreams come in a feed, or a single one bare; an object that says nothing of any has none."""
    assert json_v1.decode_new_datastreams(compact(document)) == streams


def test_a_feeds_time_is_that_of_its_values() -> None:
    """The ``updated`` of a wrapper is the time of values that have none of their own."""
    wrapped = {
        "updated": "T",
        "datastreams": [
            {"id": "a", "current_value": "1"},
            {"id": "b", "current_value": "1", "at": "U"},
            {"id": "c"},
        ],
    }
    assert [stream.get("at") for stream in json_v1.decode_new_datastreams(compact(wrapped))] == [
        "T",
        "U",
        None,
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"datapoints": [{"at": "T", "value": "1"}, {"value": "2"}]},
        [{"at": "T", "value": "1"}, {"value": "2"}],
        {"datastreams": [{"id": "x", "datapoints": [{"at": "T", "value": "1"}, {"value": "2"}]}]},
        {"id": "x", "datapoints": [{"at": "T", "value": 1}, {"value": 2}], "datastreams": None},
        [{"at": "T", "value": 1}, {"value": 2, "at": None}],
    ],
)
def test_shapes_of_datapoints(document: object) -> None:
    """Datapoints come as an object with a list, as a bare list, or in a feed with one datastream."""
    assert json_v1.decode_datapoints(compact(document)) == [{"at": "T", "value": "1"}, {"value": "2"}]


def test_a_single_datapoint_among_the_shapes() -> None:
    """A single datapoint is a list of one, even if it lacks everything."""
    assert json_v1.decode_datapoints(b'{"at":"T","value":3}') == [{"at": "T", "value": "3"}]
    assert json_v1.decode_datapoints(b"{}") == [{}]


@pytest.mark.parametrize(
    "document", [{"datapoints": []}, {"datapoints": None}, [], {"datastreams": []}, {"datastreams": [{}]}]
)
def test_no_datapoints(document: object) -> None:
    """No datapoints are an empty list."""
    assert json_v1.decode_datapoints(compact(document)) == []


def test_datapoints_of_several_datastreams_are_refused() -> None:
    """Datapoints belong to one datastream; a body with several does not say which are meant."""
    error = refused(json_v1.decode_datapoints, {"datastreams": [{"id": "a"}, {"id": "b"}]})
    assert error.reason == "expected one datastream, got 2"


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"datapoints": {}}, "$.datapoints"),
        ({"datapoints": [{}, 7]}, "$.datapoints[1]"),
        ([{"value": {}}], "$[0].value"),
        ({"value": []}, "$.value"),
        ("x", "$"),
    ],
)
def test_wrong_types_in_datapoints(document: object, where: str) -> None:
    """Datapoints of the wrong type are refused with the place where they stand."""
    assert refused(json_v1.decode_datapoints, document).where == where


def test_one_datapoint() -> None:
    """One datapoint is an object with a value, and perhaps a time."""
    assert json_v1.decode_datapoint(b'{"value":"297"}') == {"value": "297"}
    assert json_v1.decode_datapoint(b'{"value":297,"at":"T","x":1}') == {"value": "297", "at": "T"}
    assert refused(json_v1.decode_datapoint, [{"value": "1"}]).where == "$"


# Parts


def test_parts_are_documents_for_programs() -> None:
    """Units, locations and waypoints are read alone with the same rules."""
    assert json_v1.decode_unit(b'{"label":5,"x":1}') == {"label": "5"}
    assert json_v1.decode_location(b'{"lat":1.5,"name":null}') == {"lat": 1.5, "name": None}
    assert json_v1.decode_waypoint(b'{"at":"T","lat":"1.5","ele":3}') == {"at": "T", "lat": "1.5", "ele": "3"}
    assert refused(json_v1.decode_unit, "C").where == "$"


# Round trips

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
words = texts.filter(bool)
points = st.fixed_dictionaries({"value": texts, "at": words})
units = st.dictionaries(st.sampled_from(["type", "symbol", "label"]), words, min_size=1)
streams = st.fixed_dictionaries(
    {},
    optional={
        "id": words,
        "current_value": texts,
        "at": words,
        "max_value": words,
        "min_value": words,
        "tags": st.lists(words, min_size=1),
        "unit": units,
        "datapoints": st.lists(points, min_size=1, max_size=4),
    },
)
coordinates = st.floats(-180, 180) | st.integers(-180, 180)
locations = st.fixed_dictionaries(
    {"domain": words},
    optional={"name": words, "ele": words, "lat": coordinates, "lon": coordinates, "exposure": words},
)
feeds = st.fixed_dictionaries(
    {"version": st.just("1.0.0")},
    optional={
        "id": st.integers(1, 10**12),
        "title": texts,
        "private": st.sampled_from(["true", "false"]),
        "tags": st.lists(words, min_size=1),
        "description": words,
        "updated": words,
        "datastreams": st.lists(streams, min_size=1, max_size=3),
        "location": locations,
    },
)


@given(feeds)
def test_feeds_round_trip(feed: dict[str, Any]) -> None:
    """Whatever texts a feed is made of, it comes back the same."""
    assert json_v1.decode_feed(json_v1.encode_feed(feed)) == feed


@given(streams)
def test_datastreams_round_trip(stream: dict[str, Any]) -> None:
    """Whatever texts a datastream is made of, it comes back the same."""
    assert json_v1.decode_datastream(json_v1.encode_datastream(stream)) == {**stream, "version": "1.0.0"}


@given(st.lists(points))
def test_datapoints_round_trip(given_points: list[dict[str, Any]]) -> None:
    """Whatever texts datapoints are made of, they come back the same."""
    assert json_v1.decode_datapoints(json_v1.encode_datapoints(given_points)) == given_points
    for point in given_points:
        assert json_v1.decode_datapoint(json_v1.encode_datapoint(point)) == point
