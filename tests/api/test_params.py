"""Typed query parameters."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube import times
from txpachube.api import params
from txpachube.api.messages import Request
from txpachube.api.params import Duration, Page
from txpachube.api.problems import Problem

BERLIN = ZoneInfo("Europe/Berlin")


def get(query_text: str) -> Request:
    """A GET of a feed with this query."""
    return Request("GET", "/v2/feeds/504", query_text)


@pytest.mark.parametrize(
    ("query_text", "extension", "last"),
    [
        ("start=a&end=2013-06-01T10:00:00Z.csv", "csv", "2013-06-01T10:00:00Z"),
        ("end=2013-06-01T10:00:00Z.csv&", "csv", "2013-06-01T10:00:00Z"),
        ("duration=6hours.json", "json", "6hours"),
        ("key=abc.xml", "xml", "abc"),
        ("w=100.png", "png", "100"),
        ("interval=.json", "json", ""),
        ("end=2013-06-01T10:00:00.5Z", None, "2013-06-01T10:00:00.5Z"),
        ("end=x.html", None, "x.html"),
        ("end=x.CSV", None, "x.CSV"),
        ("q=read.csv", None, "read.csv"),
        ("datastreams=a,b.csv", None, "a,b.csv"),
        ("callback=go.json", None, "go.json"),
        ("end.csv", None, ""),
    ],
)
def test_extension_glued_to_the_query(query_text: str, extension: str | None, last: str) -> None:
    """Some libraries put the extension at the end of the query; free texts may end like that themselves."""
    request = get(query_text)
    assert params.glued_extension(request) == extension
    assert list(params.query_of(request).values())[-1] == last


def test_only_the_last_value_can_be_glued() -> None:
    """An extension in front of another parameter belongs to its value."""
    assert params.query_of(get("end=x.csv&limit=3")) == {"end": "x.csv", "limit": "3"}
    assert params.glued_extension(get("end=x.csv&limit=3")) is None


def test_ordinary_query_is_passed_on_as_it_is() -> None:
    """Without the quirk nothing is copied."""
    request = get("start=2013-06-01&limit=5")
    assert params.query_of(request) is request.query


@pytest.mark.parametrize("query_text", ["", "&", "?", ".csv"])
def test_query_without_values_has_no_extension(query_text: str) -> None:
    """A lone question mark or ampersand says nothing."""
    assert params.glued_extension(get(query_text)) is None
    params.query_of(get(query_text))


@pytest.mark.parametrize(
    ("method", "query_text", "headers", "meant"),
    [
        ("POST", "", {}, "POST"),
        ("POST", "_method=put", {}, "PUT"),
        ("POST", "_method=DELETE&x=1", {}, "DELETE"),
        ("POST", "_method=Get", {}, "GET"),
        ("POST", "_method=post", {}, "POST"),
        ("POST", "_method=patch", {}, "POST"),
        ("POST", "_method=", {"x-http-method-override": "PUT"}, "PUT"),
        ("POST", "", {"x-http-method-override": " delete "}, "DELETE"),
        ("POST", "", {"x-http-method-override": "OPTIONS"}, "POST"),
        ("POST", "_method=put.json", {}, "PUT"),
        ("GET", "_method=delete", {}, "GET"),
        ("PUT", "_method=delete", {"x-http-method-override": "DELETE"}, "PUT"),
    ],
)
def test_method_override(method: str, query_text: str, headers: dict[str, str], meant: str) -> None:
    """A POST can stand for another method; nothing else can."""
    assert params.method_of(Request(method, "/v2/feeds/1", query_text, headers)) == meant


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("true", True),
        ("True", True),
        ("1", True),
        ("yes", True),
        ("", True),
        (None, False),
        ("false", False),
        ("0", False),
        ("no", False),
        ("2", False),
    ],
)
def test_boolean(text: str | None, on: bool) -> None:
    """A switch is on when it says so, or is there without saying anything."""
    assert params.boolean(text) is on


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        ("1000", 1000),
        ("1001", 1000),
        ("2000", 1000),
        ("0007", 7),
        (" 7 ", 7),
        ("9" * 5000, 1000),
        ("0", 50),
        ("-1", 50),
        ("abc", 50),
        ("1.5", 50),
        ("", 50),
        (None, 50),
        ("٣", 50),
        ("²", 50),
    ],
)
def test_whole_number(text: str | None, number: int) -> None:
    """A number too large is cut to the maximum; what is no number from 1 on is the default."""
    assert params.whole_number(text, 50, 1000) == number


def test_endless_number_costs_nothing() -> None:
    """A number with a million digits is not converted."""
    begin = time.process_time()
    assert params.whole_number("9" * 1_000_000, 1, 10) == 10
    assert time.process_time() - begin < 0.5


def test_page() -> None:
    """The first page begins at 0; the size is the service's when none is asked for."""
    assert params.page({}, 50) == Page(1, 50)
    assert params.page({}, 50).offset == 0
    assert params.page({"page": "3", "per_page": "20"}, 50).offset == 40
    assert params.page({"page": "0", "per_page": "5000"}, 50) == Page(1, 1000)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("a,b", ["a", "b"]),
        (" a , b ", ["a", "b"]),
        ("[a, b]", ["a", "b"]),
        ("a", ["a"]),
        ("a,,b,", ["a", "b"]),
        ("a%2Cb", ["a", "b"]),
        ("temp.1", ["temp.1"]),
        ("", []),
        (None, []),
        (" , ", []),
    ],
)
def test_identifiers(text: str | None, ids: list[str]) -> None:
    """A list of ids is separated by commas, whatever a client printed around it."""
    assert params.identifiers(text) == ids


def test_identifiers_are_limited() -> None:
    """Nobody needs more ids than a long URL holds."""
    assert len(params.identifiers("a," * 5000)) == params.MAX_IDENTIFIERS


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({}, None),
        ({"datastreams": "a,b"}, ["a", "b"]),
        ({"datastream": "a"}, ["a"]),
        ({"datastreams": "a", "datastream": "b"}, ["a", "b"]),
        ({"datastreams": ""}, None),
    ],
)
def test_wanted_streams(query: dict[str, str], ids: list[str] | None) -> None:
    """The datastreams of an answer can be chosen, in the newer and in the older spelling."""
    assert params.wanted_streams(query) == ids


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({}, None),
        ({"callback": ""}, None),
        ({"callback": "show_1"}, "show_1"),
        ({"callback": "jQuery.x;alert(1)//"}, "jQueryxalert1"),
        ({"callback": "<>"}, None),
        ({"callback": "ünï"}, "n"),
    ],
)
def test_callback(query: dict[str, str], name: str | None) -> None:
    """Only letters, digits and the underline are kept in a callback's name."""
    assert params.callback(query) == name


@pytest.mark.parametrize(
    ("text", "micros", "months"),
    [
        ("6hours", 6 * 3600, 0),
        ("1second", 1, 0),
        ("30minutes", 1800, 0),
        ("1day", 86400, 0),
        ("2 Weeks", 14 * 86400, 0),
        ("1HOUR", 3600, 0),
        ("1800", 1800, 0),
        ("1.5hours", 5400, 0),
        ("0.5", 0.5, 0),
        ("1month", 0, 1),
        ("2years", 0, 24),
        ("2.0years", 0, 24),
        (" 5 minutes ", 300, 0),
        ("0seconds", 0, 0),
    ],
)
def test_duration(text: str, micros: float, months: int) -> None:
    """A duration is a number and a unit, in any case, singular or plural, or a number of seconds."""
    assert params.duration(text) == Duration(int(micros * times.SECOND), months)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hours",
        "-1hour",
        "6 fortnights",
        "1.5months",
        "six hours",
        "6hourss",
        "6s",
        "1e3",
        "9" * 13,
        "6hours ago",
        "1,5hours",
        "٣hours",
        "P1D",
        "1 2 hours",
    ],
)
def test_bad_duration(text: str) -> None:
    """What can't be read as a duration is refused, not guessed."""
    with pytest.raises(Problem) as caught:
        params.duration(text)
    assert caught.value.status == 400
    assert "duration" in str(caught.value.errors)


@pytest.mark.parametrize(
    ("start", "text", "end", "zone"),
    [
        ("2013-01-31", "1month", "2013-02-28", UTC),
        ("2012-01-31", "1month", "2012-02-29", UTC),
        ("2012-02-29", "1year", "2013-02-28", UTC),
        ("2013-11-30", "3months", "2014-02-28", UTC),
        ("2013-12-15", "1month", "2014-01-15", UTC),
        ("2013-03-30T12:00:00+01:00", "1day", "2013-03-31T13:00:00+02:00", BERLIN),
        ("2013-03-15T12:00:00+01:00", "1month", "2013-04-15T12:00:00+02:00", BERLIN),
        ("2013-01-31T23:30:00Z", "1month", "2013-03-01T00:30:00+01:00", BERLIN),
    ],
)
def test_duration_after_a_moment(start: str, text: str, end: str, zone: ZoneInfo) -> None:
    """Months are steps in the calendar of the zone, everything shorter has a fixed length."""
    assert params.duration(text).after(times.parse(start), zone) == times.parse(end)


@pytest.mark.parametrize(
    ("end", "text", "start"),
    [
        ("2013-03-31", "1month", "2013-02-28"),
        ("2013-01-15", "1month", "2012-12-15"),
        ("2013-01-15", "13months", "2011-12-15"),
        ("2013-01-15T06:00:00Z", "6hours", "2013-01-15"),
    ],
)
def test_duration_before_a_moment(end: str, text: str, start: str) -> None:
    """Steps back end on the last day of a shorter month too."""
    assert params.duration(text).before(times.parse(end), UTC) == times.parse(start)


@pytest.mark.parametrize("text", ["999999999999years", "9000years", "999999999999", "300000000000"])
def test_duration_beyond_the_calendar(text: str) -> None:
    """A duration that leads out of the calendar is refused."""
    with pytest.raises(Problem, match="400"):
        params.duration(text).after(times.parse("2013-01-01"), UTC)


@given(st.text(max_size=40))
def test_any_text_is_a_duration_or_a_problem(text: str) -> None:
    """No text does anything but give a duration or a 400."""
    with suppress(Problem):
        assert params.duration(text).before(times.parse("2013-01-01"), BERLIN) <= times.parse("2013-01-01")


def test_timestamp() -> None:
    """A time without an offset belongs to the zone of the request; an absent or empty one is none."""
    assert params.timestamp({"start": "2013-06-01T10:00:00"}, "start", BERLIN) == times.parse(
        "2013-06-01T08:00:00Z"
    )
    assert params.timestamp({"start": "2013-06-01T10:00:00Z"}, "start", BERLIN) == times.parse(
        "2013-06-01T10:00:00Z"
    )
    assert params.timestamp({"start": " "}, "start", UTC) is None
    assert params.timestamp({}, "start", UTC) is None


@pytest.mark.parametrize("text", ["yesterday", "2013-13-01", "0001-01-01", "1899-12-31", "9999-12-31", "1"])
def test_bad_timestamp(text: str) -> None:
    """What is no time, or one in a year that nobody stores, is refused with the parameter's name."""
    with pytest.raises(Problem) as caught:
        params.timestamp({"start": text}, "start", UTC)
    assert caught.value.status == 400
    assert str(caught.value.errors).startswith("start ")


def deletion(query_text: str = "", body: bytes = b"") -> dict[str, str]:
    """The parameters of a deletion with this query and body."""
    return dict(
        params.deletion_parameters(
            Request("DELETE", "/v2/feeds/1/datastreams/0/datapoints", query_text, body=body)
        )
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b"start=2013-06-01T10%3A00%3A00Z&duration=1hour",
            {"start": "2013-06-01T10:00:00Z", "duration": "1hour"},
        ),
        (b'{"start":"2013-06-01","x":[1]}', {"start": "2013-06-01"}),
        (b' \n{"duration":1800}', {"duration": "1800"}),
        (b'{"duration":null,"end":""}', {}),
        (b"{}", {}),
        (b"", {}),
        (b"\xff\xfe", {"\N{REPLACEMENT CHARACTER}" * 2: ""}),
    ],
)
def test_deletion_parameters_in_the_body(body: bytes, expected: dict[str, str]) -> None:
    """A browser library sends the range in the body, as form text or as JSON."""
    assert deletion(body=body) == expected


@pytest.mark.parametrize(
    ("query", "depth"),
    [
        ({}, None),
        ({"depth": "1"}, 1),
        ({"depth": " 4 "}, 4),
        ({"depth": "0"}, None),
        ({"depth": "5"}, None),
        ({"depth": "two"}, None),
        ({"depth": "²"}, None),
        ({"depth": ""}, None),
        ({"full": "true"}, 4),
        ({"full": "1", "depth": "1"}, 4),
        ({"full": "false", "depth": "2"}, 2),
        ({"full": "false"}, None),
    ],
)
def test_depth_of_csv(query: dict[str, str], depth: int | None) -> None:
    """Columns are counted from the right, one to four; what is no such number says nothing."""
    assert params.csv_depth(query) == depth


def test_deletion_parameters_in_the_query_win() -> None:
    """When the query has a range, the body isn't looked at."""
    assert deletion("end=2013-06-02", b"start=2013-06-01") == {"end": "2013-06-02"}
    assert deletion("key=K", b"start=2013-06-01") == {"key": "K", "start": "2013-06-01"}


@pytest.mark.parametrize("body", [b"{", b'{"start":[]}', b'{"start":"\xff"}', b'{"x":' + b"[" * 100_000])
def test_broken_json_in_a_deletion(body: bytes) -> None:
    """A body that begins like a JSON object must be one; nothing is deleted on a guess."""
    with pytest.raises(Problem) as caught:
        deletion(body=body)
    assert (caught.value.status, caught.value.title) == (400, "JSON Parser Error")


@given(st.dictionaries(st.sampled_from(["start", "end", "limit"]), st.text(max_size=10), max_size=3))
def test_query_survives_the_url(query: dict[str, str]) -> None:
    """Parameters arrive as they were meant, unless they end like a glued extension."""
    request = get("&".join(f"{name}={quote(value)}" for name, value in query.items()))
    if params.glued_extension(request) is None:
        assert params.query_of(request) == query
