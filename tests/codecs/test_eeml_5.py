"""EEML 5, the XML of API v1."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from txpachube.codecs import eeml, eeml_5
from txpachube.errors import DecodeError

UNHURRIED = settings(deadline=None)  # a thread may start late on a busy machine

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<eeml xmlns="http://www.eeml.org/xsd/005" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' version="5" xsi:schemaLocation="http://www.eeml.org/xsd/005 http://www.eeml.org/xsd/005/005.xsd">\n'
)

FEED: dict[str, Any] = {
    "id": 2424,
    "title": "Greenhouse",
    "private": "true",
    "tags": ["glass"],
    "description": "South bed",
    "feed": "http://api.pachube.com/v1/feeds/2424.xml",
    "status": "live",
    "updated": "2011-02-22T14:28:50.590716Z",
    "created": "2011-01-01T00:00:00.000000Z",
    "creator": "https://xively.com/users/rosa",
    "user": {"login": "rosa"},
    "location": {"domain": "physical", "exposure": "indoor", "name": "Hut <3>", "lat": 52.1, "waypoints": []},
    "datastreams": [
        {
            "id": "0",
            "current_value": "22.3",
            "at": "2011-02-22T14:28:50.590716Z",
            "max_value": "34.0",
            "min_value": "0.0",
            "tags": ["temperature"],
            "unit": {"type": "derivedSI", "symbol": "C", "label": "Celsius"},
            "datapoints": [{"at": "2011-02-22T14:28:50.590716Z", "value": "1"}],
        },
        {"id": "1"},
    ],
}

FEED_XML = (
    HEAD
    + """\
  <environment updated="2011-02-22T14:28:50Z" id="2424" creator="http://www.haque.co.uk">
    <title>Greenhouse</title>
    <feed>http://api.pachube.com/v1/feeds/2424.xml</feed>
    <status>live</status>
    <description>South bed</description>
    <location domain="physical" exposure="indoor">
      <name>Hut &lt;3&gt;</name>
      <lat>52.1</lat>
    </location>
    <data id="0">
      <tag>temperature</tag>
      <value minValue="0.0" maxValue="34.0">22.3</value>
      <unit symbol="C" type="derivedSI">Celsius</unit>
    </data>
    <data id="1"/>
  </environment>
</eeml>
"""
)


def test_a_feed_is_written_to_the_letter() -> None:
    """Neither privacy, feed tags, creation, user nor history; one creator; a value element with limits."""
    assert eeml_5.encode_feed(FEED).decode() == FEED_XML


def test_what_was_written_is_read_by_the_decoder_of_all_versions() -> None:
    """The parts that this version has come back in the common spelling."""
    assert eeml.decode_feed(FEED_XML.encode()) == {
        "id": 2424,
        "updated": "2011-02-22T14:28:50Z",
        "creator": "http://www.haque.co.uk",
        "title": "Greenhouse",
        "feed": "http://api.pachube.com/v1/feeds/2424.xml",
        "status": "live",
        "description": "South bed",
        "location": {"domain": "physical", "exposure": "indoor", "name": "Hut <3>", "lat": "52.1"},
        "datastreams": [
            {
                "id": "0",
                "tags": ["temperature"],
                "current_value": "22.3",
                "max_value": "34.0",
                "min_value": "0.0",
                "unit": {"symbol": "C", "type": "derivedSI", "label": "Celsius"},
            },
            {"id": "1"},
        ],
    }


@pytest.mark.parametrize(
    "root",
    [
        '<eeml version="5">',
        '<eeml version=" 5 ">',
        '<eeml xmlns="http://www.eeml.org/xsd/005">',
        '<eeml xmlns="http://www.eeml.org/xsd/005" version="0.5.1">',
        '<eeml xmlns="http://www.eeml.org/xsd/0.5.1" version="5">',
        '<eeml xmlns="http://www.eeml.org/xsd/005" version="5" xsi:schemaLocation="not declared">',
        '<eeml xmlns="http://example.org/x y" version="5">',
    ],
)
def test_either_mark_makes_a_document_version_5(root: str) -> None:
    """The version or the namespace decides; the path of a request does not matter."""
    data = '<data id="0"><value minValue="1" maxValue="3">2</value><current_value>9</current_value></data>'
    body = f"{root}<environment>{data}</environment></eeml>".encode()
    stream = {"id": "0", "current_value": "2", "min_value": "1", "max_value": "3"}
    assert eeml.decode_feed(body) == {"datastreams": [stream]}
    assert eeml.decode_datastream(body) == stream
    assert eeml.decode_new_datastreams(body) == [stream]
    assert eeml.decode_feed_list(body)["results"] == [{"datastreams": [stream]}]


@pytest.mark.parametrize(
    "root", ["<eeml>", '<eeml version="0.5.1">', '<eeml version="4">', '<eeml version="5.1">']
)
def test_everything_else_is_version_0_5_1(root: str) -> None:
    """Without a mark of version 5 the elements of 0.5.1 count."""
    data = '<data id="0"><value>2</value><current_value>9</current_value></data>'
    body = f"{root}<environment>{data}</environment></eeml>".encode()
    assert eeml.decode_datastream(body) == {"id": "0", "current_value": "9"}


def wrapped(inner: str, attributes: str = "") -> bytes:
    return f'<eeml version="5"><environment{attributes}>{inner}</environment></eeml>'.encode()


def test_what_the_version_does_not_have_is_not_read() -> None:
    """Privacy, feed tags, history and the like are passed over."""
    body = wrapped(
        "<title>T</title><private>true</private><tag>x</tag><user><login>y</login></user>"
        '<data id="0"><datapoints><value at="T">1</value></datapoints><max_value>3</max_value></data>',
        ' created="C"',
    )
    assert eeml.decode_feed(body) == {"title": "T", "datastreams": [{"id": "0"}]}


def test_unknown_words_of_a_location_are_ignored() -> None:
    """One program sends the domain "mobile"; here that is no error."""
    place = '<location domain="mobile" exposure="indoor" disposition=""><name>x</name><waypoints/></location>'
    assert eeml.decode_feed(wrapped(place)) == {
        "location": {"exposure": "indoor", "disposition": "", "name": "x"}
    }
    assert eeml.decode_feed(wrapped("<location/>")) == {"location": None}


def test_empty_elements_are_read() -> None:
    """Present and empty clears in this version, too; a value may be the empty text."""
    body = wrapped('<description/><data id=" 0 "><tag/><value minValue=""/><unit/></data><data/>')
    assert eeml.decode_feed(body) == {
        "description": "",
        "datastreams": [{"id": "0", "tags": [], "current_value": "", "min_value": "", "unit": None}, {}],
    }


def test_the_time_of_the_environment_is_that_of_values() -> None:
    """Values have no time of their own, so they have the environment's."""
    body = wrapped('<data id="0"><value>1</value></data>', ' updated="U"')
    assert eeml.decode_datastream(body) == {"id": "0", "current_value": "1", "at": "U"}


@pytest.mark.parametrize(
    "location", [None, {}, {"domain": "physical"}, {"domain": "physical", "name": "", "lat": None}]
)
def test_the_location_is_left_out_when_there_is_none(location: Any) -> None:
    """A feed without any place, and only the default domain, has no location."""
    assert b"location" not in eeml_5.encode_feed({"id": 1, "location": location})


def test_a_location_may_have_attributes_only() -> None:
    """Any part of a location makes it appear."""
    assert b'    <location domain="virtual" disposition="fixed"/>\n' in eeml_5.encode_feed(
        {"location": {"domain": "virtual", "disposition": "fixed"}}
    )


def test_limits_without_a_value_are_written() -> None:
    """A stream whose limits were set before it had a value shows them."""
    written = eeml_5.encode_feed(
        {"datastreams": [{"id": "0", "max_value": "3.0"}, {"id": "1", "current_value": ""}]}
    )
    assert b'      <value maxValue="3.0"/>\n' in written
    assert b"      <value></value>\n" in written


@pytest.mark.parametrize(
    ("unit", "written"),
    [
        ({"symbol": "C"}, b'<unit symbol="C"/>'),
        ({"label": "W"}, b"<unit>W</unit>"),
        ({"label": ""}, None),
        ({}, None),
    ],
)
def test_units_are_written_as_far_as_they_are_set(unit: Any, written: bytes | None) -> None:
    """An empty unit is left out, and so are its empty attributes."""
    body = eeml_5.encode_feed({"datastreams": [{"id": "0", "unit": unit}]})
    assert (b"<unit" not in body) if written is None else (written in body)


def test_times_have_no_fraction() -> None:
    """The update's time is cut to the second, in any zone."""
    feed = {**FEED, "updated": "2011-02-22T15:28:50.590716+01:00"}
    assert b'updated="2011-02-22T15:28:50+01:00"' in eeml_5.encode_feed(feed)


def test_a_datastream_is_wrapped_in_its_environment() -> None:
    """The document of a datastream says of its feed the attributes and nothing else."""
    assert eeml_5.encode_datastream({"id": "1"}, FEED).decode() == (
        HEAD + '  <environment updated="2011-02-22T14:28:50Z" id="2424" creator="http://www.haque.co.uk">\n'
        '    <data id="1"/>\n'
        "  </environment>\n"
        "</eeml>\n"
    )
    assert eeml.decode_datastream(eeml_5.encode_datastream({"id": "1"})) == {"id": "1"}


def test_a_search_result_has_counts() -> None:
    """A page of feeds has its numbers first, in every version."""
    page = {"totalResults": 1, "startIndex": 0, "itemsPerPage": 50, "results": [FEED]}
    root = etree.fromstring(eeml_5.encode_feed_list(page))
    assert [child.tag.rpartition("}")[2] for child in root] == [
        "totalResults",
        "startIndex",
        "itemsPerPage",
        "environment",
    ]
    assert eeml.decode_feed_list(eeml_5.encode_feed_list({**page, "results": []})) == {**page, "results": []}


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


@UNHURRIED
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "title": TEXT,
            "updated": TEXT,
            "location": st.dictionaries(st.sampled_from(["domain", "name", "lat"]), TEXT),
            "datastreams": st.lists(
                st.dictionaries(st.sampled_from(["id", "current_value", "max_value", "min_value"]), TEXT),
                max_size=2,
            ),
        },
    )
)
def test_whatever_is_written_is_xml(feed: dict[str, Any]) -> None:
    """No text in a feed makes a document that cannot be read."""
    assert "status" not in eeml.decode_feed(eeml_5.encode_feed(feed))


@UNHURRIED
@given(st.integers(0, len(FEED_XML) - 1), st.integers(0, 60), st.binary(max_size=4))
def test_only_decode_errors_leave_for_damaged_documents(at: int, length: int, piece: bytes) -> None:
    """A document with a piece exchanged is read or refused, and nothing else happens."""
    body = FEED_XML.encode()
    with contextlib.suppress(DecodeError):
        eeml.decode_feed(body[:at] + piece + body[at + length :])


MARKS = [
    ("<eeml>", "5"),
    ('<eeml xmlns="http://www.eeml.org/xsd/004" version="4">', "5"),
    ('<eeml version="5">', "5"),
    ('<eeml version=" 0.5.1 ">', "0.5.1"),
    ('<eeml xmlns="http://www.eeml.org/xsd/0.5.1">', "0.5.1"),
    ('<eeml xmlns="http://www.eeml.org/xsd/005" version="0.5.1">', "5"),
]


@pytest.mark.parametrize(("root", "version"), MARKS)
def test_who_expects_version_5_reads_it_where_nothing_else_is_said(root: str, version: str) -> None:
    """Where version 5 is at home, a document without a mark is one; a mark of 0.5.1 still counts."""
    body = (
        root
        + "<environment><title>x</title><private>true</private><data id='0'><value maxValue='9'>1</value>"
        + "<current_value>2</current_value></data></environment></eeml>"
    ).encode()
    old = {"id": "0", "current_value": "1", "max_value": "9"}
    stream = old if version == "5" else {"id": "0", "current_value": "2"}
    feed = {"title": "x", "datastreams": [stream]} | ({} if version == "5" else {"private": "true"})
    assert eeml.decode_feed(body, unmarked="5") == feed
    assert eeml.decode_datastream(body, unmarked="5") == stream
    assert eeml.decode_new_datastreams(body, unmarked="5") == [stream]
