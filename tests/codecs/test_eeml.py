"""EEML 0.5.1, written and read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from txpachube.codecs import eeml
from txpachube.errors import DecodeError

UNHURRIED = settings(deadline=None)  # a thread may start late on a busy machine

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<eeml xmlns="http://www.eeml.org/xsd/0.5.1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' version="0.5.1" xsi:schemaLocation="http://www.eeml.org/xsd/0.5.1'
    ' http://www.eeml.org/xsd/0.5.1/0.5.1.xsd">\n'
)

FEED: dict[str, Any] = {
    "id": 2424,
    "title": "Greenhouse",
    "private": "false",
    "website": "http://garden.example/",
    "tags": ["glass", "Tomato"],
    "description": "South bed",
    "feed": "https://api.xively.com/v2/feeds/2424.xml",
    "status": "live",
    "updated": "2013-06-01T10:15:02.120034Z",
    "created": "2013-01-20T08:00:00.000000Z",
    "creator": "https://xively.com/users/rosa",
    "version": "1.0.0",
    "datastreams": [
        {"id": "door"},
        {
            "id": "temp",
            "current_value": "21.50",
            "at": "2013-06-01T10:15:02.001200Z",
            "max_value": "38.2",
            "min_value": "-1.0",
            "tags": ["air"],
            "unit": {"type": "derivedSI", "symbol": "C", "label": "Celsius"},
            "datapoints": [{"value": "20.1", "at": "2013-06-01T09:59:58.000000Z"}],
        },
    ],
    "location": {
        "disposition": "fixed",
        "name": "Hut 3",
        "exposure": "outdoor",
        "domain": "physical",
        "ele": "41.0",
        "lat": 52.1043,
        "lon": 9.3612,
    },
}

FEED_XML = (
    HEAD
    + """\
  <environment updated="2013-06-01T10:15:02.120034Z" created="2013-01-20T08:00:00.000000Z" id="2424" \
creator="https://xively.com/users/rosa">
    <title>Greenhouse</title>
    <feed>https://api.xively.com/v2/feeds/2424.xml</feed>
    <status>live</status>
    <description>South bed</description>
    <website>http://garden.example/</website>
    <private>false</private>
    <tag>glass</tag>
    <tag>Tomato</tag>
    <location domain="physical" exposure="outdoor" disposition="fixed">
      <name>Hut 3</name>
      <lat>52.1043</lat>
      <lon>9.3612</lon>
      <ele>41.0</ele>
    </location>
    <data id="door"/>
    <data id="temp">
      <tag>air</tag>
      <current_value at="2013-06-01T10:15:02.001200Z">21.50</current_value>
      <max_value>38.2</max_value>
      <min_value>-1.0</min_value>
      <unit type="derivedSI" symbol="C">Celsius</unit>
      <datapoints>
        <value at="2013-06-01T09:59:58.000000Z">20.1</value>
      </datapoints>
    </data>
  </environment>
</eeml>
"""
)

READ_FEED = {
    **{name: part for name, part in FEED.items() if name != "version"},
    "location": {**FEED["location"], "lat": "52.1043", "lon": "9.3612"},
}


def inside(written: bytes) -> str:
    """Return what stands between the head and the foot of a document."""
    text = written.decode()
    assert text.startswith(HEAD)
    assert text.endswith("</eeml>\n")
    return text.removeprefix(HEAD).removesuffix("</eeml>\n")


def wrapped(inner: str, attributes: str = "") -> bytes:
    return f"<eeml><environment{attributes}>{inner}</environment></eeml>".encode()


def reason(decode: Callable[[bytes], Any], body: bytes) -> str:
    with pytest.raises(DecodeError) as caught:
        decode(body)
    assert caught.value.format == "xml"
    assert str(caught.value) == caught.value.reason
    return caught.value.reason


# Feeds, written


def test_a_feed_is_written_to_the_letter() -> None:
    """Head, order, attributes, indentation and the line feed at the end are those of the API."""
    assert eeml.encode_feed(FEED).decode() == FEED_XML


def test_all_children_of_an_environment_stand_in_order() -> None:
    """What an environment holds comes in the order that old programs were written against."""
    feed = {
        **FEED,
        "user": {"login": "rosa"},
        "auto_feed_url": "http://a.example/",
        "icon": "i",
        "email": "e",
        "product_id": "p",
        "device_serial": "s",
    }
    environment = etree.fromstring(eeml.encode_feed(feed))[0]
    assert [child.tag.rpartition("}")[2] for child in environment] == [
        *("title", "feed", "auto_feed_url", "status", "description", "icon", "website", "email"),
        *("product_id", "device_serial", "private", "tag", "tag", "location", "user", "data", "data"),
    ]
    assert "    <user>\n      <login>rosa</login>\n    </user>\n" in inside(eeml.encode_feed(feed))


def test_what_is_empty_is_left_out_of_an_answer() -> None:
    """An answer has no empty elements and no empty attributes, but private and location are always there."""
    feed = {
        "id": 1,
        "title": "T",
        "description": "",
        "icon": None,
        "tags": [],
        "status": "frozen",
        "email": "",
    }
    streams = [{"id": "a", "max_value": "", "tags": [], "unit": {"type": "", "label": ""}, "datapoints": []}]
    assert inside(eeml.encode_feed({**feed, "updated": "", "datastreams": streams})) == (
        '  <environment id="1">\n'
        "    <title>T</title>\n"
        "    <status>frozen</status>\n"
        "    <private>false</private>\n"
        '    <location domain="physical" exposure="" disposition=""/>\n'
        '    <data id="a"/>\n'
        "  </environment>\n"
    )


@pytest.mark.parametrize(
    ("given", "written"), [(True, "true"), (False, "false"), ("true", "true"), ("false", "false")]
)
def test_private_is_a_word(given: Any, written: str) -> None:
    """``private`` holds true or false."""
    assert f"<private>{written}</private>" in inside(eeml.encode_feed({**FEED, "private": given}))


def test_a_location_has_all_three_attributes_and_no_empty_children() -> None:
    """Domain, exposure and disposition are there, possibly empty; a missing coordinate is left out."""
    place = {"lat": 0.0, "lon": None, "ele": "", "exposure": "indoor"}
    assert (
        '    <location domain="physical" exposure="indoor" disposition="">\n'
        "      <lat>0.0</lat>\n"
        "    </location>\n"
    ) in inside(eeml.encode_feed({**FEED, "location": place}))


def test_a_mobile_feed_has_its_waypoints_last() -> None:
    """The waypoints of a mobile feed stand at the end of its location."""
    place = {
        "disposition": "mobile",
        "lat": 24.9965,
        "ele": "5",
        "waypoints": [
            {"at": "2013-06-01T12:25:05.999502Z", "lat": 24.9966, "lon": 55.06608},
            {"at": "2013-06-01T12:40:04.876604Z", "lat": 24.99647, "lon": 55.06635, "ele": "3.0"},
        ],
    }
    assert inside(eeml.encode_feed({"location": place})) == (
        "  <environment>\n"
        '    <location domain="physical" exposure="" disposition="mobile">\n'
        "      <lat>24.9965</lat>\n"
        "      <ele>5</ele>\n"
        "      <waypoints>\n"
        '        <waypoint at="2013-06-01T12:25:05.999502Z">\n'
        "          <lat>24.9966</lat>\n"
        "          <lon>55.06608</lon>\n"
        "        </waypoint>\n"
        '        <waypoint at="2013-06-01T12:40:04.876604Z">\n'
        "          <lat>24.99647</lat>\n"
        "          <lon>55.06635</lon>\n"
        "          <ele>3.0</ele>\n"
        "        </waypoint>\n"
        "      </waypoints>\n"
        "    </location>\n"
        "  </environment>\n"
    )


def test_a_mobile_feed_without_waypoints_has_an_empty_element() -> None:
    """The waypoints of a mobile feed are always there; those of a fixed one are not."""
    assert "      <waypoints/>\n" in inside(eeml.encode_feed({"location": {"disposition": "mobile"}}))
    assert "waypoints" not in inside(eeml.encode_feed({"location": {"disposition": "fixed"}}))


@pytest.mark.parametrize(
    ("unit", "written"),
    [
        (
            {"type": "derivedSI", "symbol": "C", "label": "Celsius"},
            '<unit type="derivedSI" symbol="C">Celsius</unit>',
        ),
        ({"label": "Celsius", "type": ""}, "<unit>Celsius</unit>"),
        ({"symbol": "C"}, '<unit symbol="C"/>'),
    ],
)
def test_units_have_the_attributes_that_are_set(unit: Any, written: str) -> None:
    """Empty attributes of a unit are left out."""
    data = {"id": "a", "unit": unit}
    assert inside(eeml.encode_feed({"datastreams": [data]})).splitlines()[2].strip() == written


def test_a_stream_without_value_has_its_tags_and_unit_only() -> None:
    """A datastream that never got a value has no current_value."""
    written = inside(eeml.encode_feed({"datastreams": [{"id": "a", "tags": ["x"], "unit": {"label": "W"}}]}))
    assert '<data id="a">\n      <tag>x</tag>\n      <unit>W</unit>\n    </data>\n' in written


def test_an_empty_value_is_a_value() -> None:
    """The empty text is a legal value and is written."""
    written = inside(eeml.encode_feed({"datastreams": [{"id": "a", "current_value": "", "at": "T"}]}))
    assert '<current_value at="T"></current_value>' in written


def test_values_are_written_as_they_are() -> None:
    """A value that looks like a number keeps each of its characters."""
    for value in ("0000017", "1.50", "JEBEL ALI", "1e5", " x "):
        assert f">{value}</current_value>" in inside(
            eeml.encode_datastream({"id": "a", "current_value": value})
        )


def test_an_aggregate_is_named() -> None:
    """When an aggregate was asked for, the datapoints say which."""
    stream = {"id": "a", "datapoints_function": "average", "datapoints": [{"at": "T", "value": "1"}]}
    assert '      <datapoints function="average">\n' in inside(eeml.encode_datastream(stream))


# Requests, written


def test_a_request_has_exactly_what_was_given() -> None:
    """A document that changes something says nothing of what is to stay, and keeps what is to be cleared."""
    assert (
        inside(eeml.encode_feed({"title": "T"}))
        == "  <environment>\n    <title>T</title>\n  </environment>\n"
    )
    request = {
        "description": "",
        "tags": [],
        "private": False,
        "location": {"lat": 1, "exposure": "", "name": ""},
        "datastreams": [
            {"id": "a", "max_value": "", "unit": {"type": "", "symbol": "x"}, "datapoints": []},
            {"id": "b", "unit": {}, "tags": []},
        ],
    }
    assert inside(eeml.encode_feed(request, keep_empty=True)) == (
        "  <environment>\n"
        "    <description></description>\n"
        "    <private>false</private>\n"
        "    <tag/>\n"
        '    <location exposure="">\n'
        "      <name></name>\n"
        "      <lat>1</lat>\n"
        "    </location>\n"
        '    <data id="a">\n'
        "      <max_value></max_value>\n"
        '      <unit type="" symbol="x"/>\n'
        "      <datapoints/>\n"
        "    </data>\n"
        '    <data id="b">\n'
        "      <tag/>\n"
        "      <unit/>\n"
        "    </data>\n"
        "  </environment>\n"
    )


def test_an_empty_request_is_a_document() -> None:
    """Nothing given makes an update that changes nothing."""
    assert inside(eeml.encode_feed({}, keep_empty=True)) == "  <environment/>\n"
    assert eeml.decode_feed(eeml.encode_feed({}, keep_empty=True)) == {}


def test_a_request_is_read_as_it_was_meant() -> None:
    """What is written as empty is read as empty, and what was left out stays out."""
    request = {
        "description": "",
        "tags": [],
        "private": "true",
        "location": {"lat": "1", "exposure": "", "name": ""},
        "datastreams": [{"id": "a", "max_value": "", "unit": {"type": "", "symbol": "x"}, "datapoints": []}],
    }
    assert eeml.decode_feed(eeml.encode_feed(request, keep_empty=True)) == request


# Characters


def test_what_xml_gives_a_meaning_is_escaped() -> None:
    """Any character that XML has a meaning for comes back as it was, in texts and attributes."""
    text = "<&>\"'\u00e9\U0001f345]]>\x7f\x85\u2028"
    stream = {"id": text + "\t\n\r", "tags": [text + "\t\n\r x"], "current_value": text, "at": text}
    assert eeml.decode_datastream(eeml.encode_datastream(stream)) == {**stream, "id": text}
    element = etree.fromstring(eeml.encode_datastream(stream))[0][0]
    assert element.get("id") == text + "\t\n\r"


@pytest.mark.parametrize("code", [0, 0x0B, 0x1F, 0xD800, 0xDFFF, 0xFFFE, 0xFFFF])
def test_characters_that_xml_lacks_are_replaced(code: int) -> None:
    """A stored character that no XML document can hold is written as U+FFFD."""
    character = chr(code)
    stream = {"id": f"a{character}", "current_value": f"1{character}2"}
    assert eeml.decode_datastream(eeml.encode_datastream(stream)) == {
        "id": "a\ufffd",
        "current_value": "1\ufffd2",
    }


SCALARS = st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none())
ODD_STREAMS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(
            ("id", "current_value", "at", "max_value", "min_value", "datapoints_function"), SCALARS
        ),
        "tags": st.lists(st.text(), max_size=2) | st.none(),
        "unit": st.dictionaries(st.sampled_from(["type", "symbol", "label"]), SCALARS) | st.none(),
        "datapoints": st.lists(st.dictionaries(st.sampled_from(["at", "value"]), SCALARS), max_size=2)
        | st.none(),
    },
)
ODD_FEEDS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(
            ("id", "title", "private", "feed", "status", "updated", "creator", "icon", "email"), SCALARS
        ),
        "tags": st.lists(st.text(), max_size=2),
        "user": st.dictionaries(st.just("login"), SCALARS) | st.none(),
        "datastreams": st.lists(ODD_STREAMS, max_size=2) | st.none(),
        "location": st.dictionaries(
            st.sampled_from(["domain", "exposure", "disposition", "name", "lat", "lon", "ele"]), SCALARS
        )
        | st.none(),
    },
)


@UNHURRIED
@given(ODD_FEEDS, st.booleans())
def test_whatever_is_written_is_xml(feed: dict[str, Any], keep_empty: bool) -> None:
    """No dict, however odd what it holds, makes a document that cannot be read."""
    eeml.decode_feed(eeml.encode_feed(feed, keep_empty=keep_empty))
    eeml.decode_feed_list(
        eeml.encode_feed_list({"totalResults": 1, "results": [feed]}, keep_empty=keep_empty)
    )
    assert eeml.environment_element(feed).tag == "environment"


# Datastreams and datapoints, written


def test_a_datastream_is_wrapped_in_its_environment() -> None:
    """The document of a datastream says of its feed the attributes and nothing else."""
    written = inside(eeml.encode_datastream({"id": "temp", "current_value": "1", "at": "T"}, FEED))
    assert written == (
        '  <environment updated="2013-06-01T10:15:02.120034Z" created="2013-01-20T08:00:00.000000Z" id="2424"'
        ' creator="https://xively.com/users/rosa">\n'
        '    <data id="temp">\n'
        '      <current_value at="T">1</current_value>\n'
        "    </data>\n"
        "  </environment>\n"
    )
    assert (
        inside(eeml.encode_datastream({"id": "a"}))
        == '  <environment>\n    <data id="a"/>\n  </environment>\n'
    )


def test_a_datapoint_is_wrapped_without_attributes() -> None:
    """The document of a datapoint names neither its feed nor its datastream."""
    point = {"at": "2013-06-01T10:15:02.001200Z", "value": "21.50"}
    assert inside(eeml.encode_datapoint(point)) == (
        "  <environment>\n"
        "    <data>\n"
        "      <datapoints>\n"
        '        <value at="2013-06-01T10:15:02.001200Z">21.50</value>\n'
        "      </datapoints>\n"
        "    </data>\n"
        "  </environment>\n"
    )
    assert eeml.decode_datapoint(eeml.encode_datapoint(point)) == point


def test_datapoints_are_written_and_read_in_order() -> None:
    """A list of datapoints comes back as it was, an empty one too."""
    points = [{"at": "B", "value": "1"}, {"at": "A", "value": ""}, {"value": "3"}]
    assert eeml.decode_datapoints(eeml.encode_datapoints(points)) == points
    assert eeml.decode_datapoints(eeml.encode_datapoints([])) == []


# Lists


def test_a_search_result_has_counts_and_environments() -> None:
    """Three numbers of OpenSearch come first; each environment's creation time stands before its update."""
    page = {"totalResults": 2, "startIndex": 0, "itemsPerPage": 50, "results": [FEED]}
    written = eeml.encode_feed_list(page).decode()
    assert written.startswith(
        HEAD.replace(' version="0', ' xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" version="0')
        + "  <opensearch:totalResults>2</opensearch:totalResults>\n"
        "  <opensearch:startIndex>0</opensearch:startIndex>\n"
        "  <opensearch:itemsPerPage>50</opensearch:itemsPerPage>\n"
        '  <environment created="2013-01-20T08:00:00.000000Z" updated="2013-06-01T10:15:02.120034Z" id="2424"'
        ' creator="https://xively.com/users/rosa">\n'
        "    <title>Greenhouse</title>\n"
    )
    assert eeml.decode_feed_list(written.encode()) == {**page, "results": [READ_FEED]}


def test_an_empty_search_result_is_read() -> None:
    """A page without feeds has an empty list of results."""
    page = {"totalResults": 0, "startIndex": 0, "itemsPerPage": 50, "results": []}
    assert eeml.decode_feed_list(eeml.encode_feed_list(page)) == page
    assert reason(eeml.decode_feed_list, b"<rss/>") == "Missing 'eeml' node at the root of the document"


# Feeds, read


def test_a_feed_is_read() -> None:
    """What the service writes is read with every part, the id as a number, coordinates as texts."""
    assert eeml.decode_feed(FEED_XML.encode()) == READ_FEED


def test_namespace_version_and_schema_are_optional() -> None:
    """A bare document, without anything that says what it is, is an update."""
    body = b'<eeml><environment><data id="flow"><current_value>34</current_value></data></environment></eeml>'
    assert eeml.decode_feed(body) == {"datastreams": [{"id": "flow", "current_value": "34"}]}


@pytest.mark.parametrize(
    "root",
    [
        '<eeml xmlns="http://www.eeml.org/xsd/0.5.1" version="0.5.1">{}</eeml>',
        '<eeml xmlns="http://example.org/other" version="7">{}</eeml>',
        '<eeml xmlns="urn:x" xmlns:xsi="urn:y" xsi:schemaLocation="z">{}</eeml>',
        '<eeml xsi:schemaLocation="undeclared">{}</eeml>',
        "<eeml xmlns='http://www.eeml.org/xsd/0.5.1 http://www.eeml.org/xsd/0.5.1/0.5.1.xsd'>{}</eeml>",
    ],
)
def test_wrong_namespaces_and_versions_are_ignored(root: str) -> None:
    """Elements are found by their local names, whatever the root says of namespaces."""
    body = root.format("<environment><title>T</title></environment>").encode()
    assert eeml.decode_feed(body) == {"title": "T"}


@pytest.mark.parametrize(
    "declaration", ["", ' xmlns:eeml="http://www.eeml.org/xsd/0.5.1"', ' xmlns:eeml="urn:x"']
)
def test_odd_prefixes_are_ignored(declaration: str) -> None:
    """An old client puts a prefix before each name, sometimes without declaring it."""
    body = (
        f"<eeml:eeml{declaration}><eeml:environment><eeml:title>T</eeml:title><eeml:tag>x</eeml:tag>"
        '<eeml:location domain="virtual"><eeml:lat>1</eeml:lat></eeml:location>'
        '<eeml:data id="0"><eeml:current_value at="A">1</eeml:current_value>'
        '<eeml:unit symbol="C">Celsius</eeml:unit>'
        '<eeml:datapoints><eeml:value at="B">2</eeml:value></eeml:datapoints></eeml:data>'
        "</eeml:environment></eeml:eeml>"
    )
    assert eeml.decode_feed(body.encode()) == {
        "title": "T",
        "tags": ["x"],
        "location": {"domain": "virtual", "lat": "1"},
        "datastreams": [
            {
                "id": "0",
                "current_value": "1",
                "at": "A",
                "unit": {"symbol": "C", "label": "Celsius"},
                "datapoints": [{"at": "B", "value": "2"}],
            }
        ],
    }


@pytest.mark.parametrize(
    "decode",
    [
        eeml.decode_feed,
        eeml.decode_datastream,
        eeml.decode_new_datastreams,
        eeml.decode_datapoints,
        eeml.decode_datapoint,
    ],
)
@pytest.mark.parametrize(
    "body", [b"<eeml/>", b"<eeml><title/></eeml>", b"<environment/>", b"<x><environment/></x>"]
)
def test_an_environment_is_needed(decode: Callable[[bytes], Any], body: bytes) -> None:
    """A document whose root is not eeml, or has no environment in it, is refused."""
    assert reason(decode, body) == "Missing 'environment' node from base node"


def test_an_empty_environment_is_an_empty_update() -> None:
    """An environment with nothing in it changes nothing."""
    assert eeml.decode_feed(b"<eeml><environment/></eeml>") == {}


def test_present_and_empty_clears_and_absent_leaves() -> None:
    """Empty elements are read as empty, those that are not there as nothing at all."""
    body = wrapped(
        "<title/><description> \n </description><website></website><tag/><location/>"
        '<data id="a"><tag></tag><max_value/><min_value> </min_value><unit/><current_value/></data>'
    )
    assert eeml.decode_feed(body) == {
        "title": "",
        "description": "",
        "website": "",
        "tags": [],
        "location": None,
        "datastreams": [
            {"id": "a", "tags": [], "max_value": "", "min_value": "", "unit": None, "current_value": ""}
        ],
    }


def test_texts_are_trimmed() -> None:
    """White space and line feeds around a text, a tag, a value or an attribute are not part of it."""
    body = wrapped(
        "<title>\n  A  B\t</title><tag>\n   air\n  quality </tag>"
        '<data id=" 0 "><current_value at=" T ">\r\n 21.50 </current_value>'
        '<unit type=" derivedSI " symbol=" C "> Celsius\n</unit></data>'
    )
    assert eeml.decode_feed(body) == {
        "title": "A  B",
        "tags": ["air\n  quality"],
        "datastreams": [
            {
                "id": "0",
                "current_value": "21.50",
                "at": "T",
                "unit": {"type": "derivedSI", "symbol": "C", "label": "Celsius"},
            }
        ],
    }


def test_only_white_space_of_xml_is_trimmed() -> None:
    """A no-break space is a character like any other."""
    assert eeml.decode_feed(wrapped("<title> \u00a0x\u3000 </title>")) == {"title": "\u00a0x\u3000"}


def test_comments_and_cdata_in_texts() -> None:
    """A value may be cut by comments and wrapped in CDATA; elements in a text give their text."""
    body = wrapped("<title>a<!-- x -->b<![CDATA[<c>]]></title><description>d<b>e</b>f</description>")
    assert eeml.decode_feed(body) == {"title": "ab<c>", "description": "def"}


def test_commas_in_tags_are_kept() -> None:
    """Each element is one tag, commas and quotes in it are part of it."""
    assert eeml.decode_feed(wrapped('<tag>a, b</tag><tag>6" pipe</tag>'))["tags"] == ["a, b", '6" pipe']


def test_a_stream_may_be_called_datastream_id() -> None:
    """One client names a datastream by the attribute datastream_id."""
    assert eeml.decode_feed(wrapped('<data datastream_id="7"/>')) == {"datastreams": [{"id": "7"}]}
    assert eeml.decode_feed(wrapped('<data datastream_id="7" id="8"/>')) == {"datastreams": [{"id": "8"}]}
    assert eeml.decode_feed(wrapped("<data/>")) == {"datastreams": [{}]}


def test_the_attribute_updated_is_the_time_of_the_request() -> None:
    """The environment's attribute gives ``updated``; elements of such names are ignored."""
    body = wrapped(
        "<updated>X</updated><created>X</created><creator>X</creator><title>T</title>", ' updated=" U "'
    )
    assert eeml.decode_feed(body) == {"updated": "U", "title": "T"}


def test_empty_times_are_no_times() -> None:
    """An empty time attribute, as templates leave it behind, is as good as none."""
    body = wrapped(
        '<data id="a"><current_value at=" ">1</current_value></data>', ' updated="" id="" created=""'
    )
    assert eeml.decode_feed(body) == {"datastreams": [{"id": "a", "current_value": "1"}]}


def test_empty_parts_of_a_location_clear_in_a_request_only() -> None:
    """An answer's empty attributes mean that there is nothing, as in JSON; a request's clear."""
    place = (
        '<location domain="physical" exposure="" disposition=""><lat/><name>x</name><waypoints/></location>'
    )
    assert eeml.decode_feed(wrapped("<status>live</status>" + place))["location"] == {
        "domain": "physical",
        "name": "x",
    }
    assert eeml.decode_feed(wrapped(place))["location"] == {
        "domain": "physical",
        "exposure": "",
        "disposition": "",
        "lat": "",
        "name": "x",
        "waypoints": [],
    }


def test_waypoints_are_read() -> None:
    """The former places of a mobile feed are read with their times."""
    body = wrapped(
        '<location><waypoints><waypoint at="T"><lat>1</lat><lon>2</lon></waypoint></waypoints></location>'
    )
    assert eeml.decode_feed(body) == {"location": {"waypoints": [{"at": "T", "lat": "1", "lon": "2"}]}}


def test_the_name_of_an_aggregate_is_read() -> None:
    """Datapoints that are an aggregate say so."""
    body = wrapped('<data id="a"><datapoints function="sum"><value at="T">1</value></datapoints></data>')
    assert eeml.decode_datastream(body)["datapoints_function"] == "sum"


def test_unknown_elements_are_ignored() -> None:
    """What the API does not know is passed over, at every level."""
    body = wrapped(
        '<x><title>no</title></x><data id="a"><value>no</value><y/><datapoints><z/></datapoints></data>'
        "<location><q/></location><user><name>no</name></user>"
    )
    assert eeml.decode_feed(body) == {
        "datastreams": [{"id": "a", "datapoints": []}],
        "location": None,
        "user": {},
    }


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"<eeml>", b"<eeml><environment></eeml>", b"<!DOCTYPE eeml><eeml/>"]
)
def test_what_is_not_xml_is_refused(body: bytes) -> None:
    """A body that is not well-formed, or has a DOCTYPE, is a decoding error."""
    with pytest.raises(DecodeError):
        eeml.decode_feed(body)


def test_odd_ids_stay_texts() -> None:
    """An id that is no number of sane length is left for others to judge."""
    assert eeml.decode_feed(b'<eeml><environment id="x"/></eeml>') == {"id": "x"}
    assert eeml.decode_feed(b'<eeml><environment id="%s"/></eeml>' % (b"9" * 5000)) == {"id": "9" * 5000}


# Datastreams and datapoints, read


def test_a_datastream_document_has_exactly_one_data() -> None:
    """None or several datastreams, where there must be one, are refused by the texts programs know."""
    several = wrapped('<data id="a"/><data id="b"/>')
    assert reason(eeml.decode_datastream, wrapped("")) == "Missing 'data' node from source document"
    assert (
        reason(eeml.decode_datastream, several)
        == "Multiple 'data' nodes are not permitted for Datastream level XML"
    )
    assert (
        reason(eeml.decode_datapoints, several)
        == "Multiple 'data' nodes are not permitted for Datapoint level XML"
    )


def test_a_datapoint_document_has_exactly_one_value() -> None:
    """Likewise for the value of a datapoint."""
    data = "<data><datapoints>{}</datapoints></data>"
    two = data.format("<value>1</value><value>2</value>")
    assert reason(eeml.decode_datapoint, wrapped("")) == "Missing 'data' node from source document"
    assert (
        reason(eeml.decode_datapoint, wrapped("<data/>")) == "Missing 'datapoints' node from source document"
    )
    assert (
        reason(eeml.decode_datapoint, wrapped(data.format(""))) == "Missing 'value' node from source document"
    )
    assert (
        reason(eeml.decode_datapoint, wrapped(two))
        == "Multiple 'value' nodes are not permitted for Datapoint level XML"
    )
    assert eeml.decode_datapoint(wrapped(data.format("<value> 297 </value>"))) == {"value": "297"}


def test_a_feed_document_may_carry_datapoints() -> None:
    """Datapoints are found in the document of their datastream, whatever else it says."""
    assert eeml.decode_datapoints(FEED_XML.replace('<data id="door"/>', "").encode()) == [
        {"at": "2013-06-01T09:59:58.000000Z", "value": "20.1"}
    ]


def test_the_time_of_the_environment_is_that_of_values_without_one() -> None:
    """At datastream level, too, the environment's time stands in for a missing one."""
    body = wrapped('<data id="a"><current_value>1</current_value></data>', ' updated="U"')
    assert eeml.decode_datastream(body) == {"id": "a", "current_value": "1", "at": "U"}
    assert eeml.decode_new_datastreams(body) == [{"id": "a", "current_value": "1", "at": "U"}]
    timed = wrapped('<data id="a"><current_value at="T">1</current_value></data>', ' updated="U"')
    assert eeml.decode_datastream(timed)["at"] == "T"
    assert eeml.decode_datastream(wrapped('<data id="a"/>', ' updated="U"')) == {"id": "a"}


def test_new_datastreams_may_be_any_number() -> None:
    """Several datastreams can be created by one document; none is for others to judge."""
    assert eeml.decode_new_datastreams(wrapped('<data id="a"/><data id="b"/>')) == [{"id": "a"}, {"id": "b"}]
    assert eeml.decode_new_datastreams(wrapped("<title>x</title>")) == []


# Elements


@pytest.mark.parametrize(
    ("write", "read", "part", "name"),
    [
        (eeml.environment_element, eeml.environment_dict, READ_FEED, "environment"),
        (eeml.data_element, eeml.data_dict, FEED["datastreams"][1], "data"),
        (eeml.unit_element, eeml.unit_dict, {"type": "", "symbol": "C", "label": "L"}, "unit"),
        (eeml.unit_element, eeml.unit_dict, {}, "unit"),
        (eeml.location_element, eeml.location_dict, {"domain": "", "lat": "0", "waypoints": []}, "location"),
        (eeml.location_element, eeml.location_dict, {}, "location"),
        (
            eeml.waypoint_element,
            eeml.waypoint_dict,
            {"at": "T", "lat": "1", "lon": "", "ele": "3"},
            "waypoint",
        ),
        (eeml.value_element, eeml.value_dict, {"at": "T", "value": "1"}, "value"),
        (eeml.value_element, eeml.value_dict, {"value": ""}, "value"),
    ],
)
def test_elements_hold_exactly_what_the_dict_holds(write: Any, read: Any, part: Any, name: str) -> None:
    """Each structure becomes an element of its name and comes back from it."""
    element = write(part)
    assert element.tag == name
    assert read(element) == part


def test_elements_of_any_parser_are_read() -> None:
    """Comments, instructions and namespaces in an element that somebody else parsed do no harm."""
    element = etree.fromstring(
        '<data xmlns="urn:x" id="a"><!-- c --><?p q?><tag>x<!-- c -->y</tag><unit><?p?>C</unit></data>'
    )
    assert eeml.data_dict(element) == {"id": "a", "tags": ["xy"], "unit": {"label": "C"}}


def test_long_texts_become_elements() -> None:
    """An element can hold a text longer than any document's."""
    assert eeml.value_dict(eeml.value_element({"value": "x" * 11_000_000})) == {"value": "x" * 11_000_000}


# Properties

TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=20
).map(lambda text: text.strip(" ") or "x")
POINTS = st.lists(st.fixed_dictionaries({"value": TEXT}, optional={"at": TEXT}), max_size=3)
UNITS = st.fixed_dictionaries({"label": TEXT}, optional={"type": TEXT, "symbol": TEXT})
PLACES = st.fixed_dictionaries({}, optional=dict.fromkeys(("lat", "lon", "ele"), TEXT))
WAYPOINTS = st.lists(PLACES.map(lambda place: {**place, "at": "T"}), min_size=1, max_size=2)
LOCATIONS = st.fixed_dictionaries(
    {"domain": TEXT},
    optional={
        **dict.fromkeys(("exposure", "disposition", "name", "lat", "lon", "ele"), TEXT),
        "waypoints": WAYPOINTS,
    },
)
STREAMS = st.fixed_dictionaries(
    {"id": TEXT, "current_value": TEXT},
    optional={
        **dict.fromkeys(("at", "max_value", "min_value"), TEXT),
        "tags": st.lists(TEXT, max_size=3),
        "unit": UNITS,
        "datapoints": POINTS,
    },
)
FEEDS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(min_value=1, max_value=2**53),
        **dict.fromkeys(
            ("title", "description", "feed", "icon", "email", "website", "updated", "creator"), TEXT
        ),
        "status": st.sampled_from(["live", "frozen"]),
        "private": st.sampled_from(["true", "false"]),
        "tags": st.lists(TEXT, max_size=3),
        "user": st.fixed_dictionaries({"login": TEXT}),
        "location": LOCATIONS,
        "datastreams": st.lists(STREAMS, min_size=1, max_size=3),
    },
)


@UNHURRIED
@given(FEEDS)
def test_feeds_come_back(feed: dict[str, Any]) -> None:
    """A feed that is written as a request and read is the same feed, in a document and as an element."""
    assert eeml.decode_feed(eeml.encode_feed(feed, keep_empty=True)) == feed
    assert eeml.environment_dict(eeml.environment_element(feed)) == feed


@UNHURRIED
@given(STREAMS)
def test_datastreams_come_back(stream: dict[str, Any]) -> None:
    """A datastream that is written and read is the same datastream."""
    assert eeml.decode_datastream(eeml.encode_datastream(stream, keep_empty=True)) == stream


DECODERS: list[Callable[[bytes], object]] = [
    eeml.decode_feed,
    eeml.decode_feed_list,
    eeml.decode_datastream,
    eeml.decode_new_datastreams,
    eeml.decode_datapoints,
    eeml.decode_datapoint,
]


@UNHURRIED
@given(
    st.lists(
        st.tuples(st.integers(0, len(FEED_XML) - 1), st.integers(0, 40), st.binary(max_size=3)),
        min_size=1,
        max_size=4,
    )
)
def test_only_decode_errors_leave_for_damaged_documents(damage: list[tuple[int, int, bytes]]) -> None:
    """A document with pieces cut out and others put in is read or refused, and nothing else happens."""
    body = FEED_XML.encode()
    for at, length, piece in damage:
        body = body[:at] + piece + body[at + length :]
    for decode in DECODERS:
        with contextlib.suppress(DecodeError):
            decode(body)


NAMES = st.sampled_from(
    ["eeml", "environment", "data", "value", "datapoints", "current_value", "location", "waypoints",
     "waypoint", "unit", "tag", "user", "login", "lat", "p:data", "totalResults"]
)  # fmt: skip
TREES: st.SearchStrategy[str] = st.recursive(
    st.one_of(
        st.sampled_from(["", " ", "1", "<!-- -->", "<?p?>", "<![CDATA[x]]>"]), NAMES.map("<{}/>".format)
    ),
    lambda inner: st.builds(
        lambda name, attributes, parts: f"<{name}{attributes}>{''.join(parts)}</{name}>",
        NAMES,
        st.sampled_from(
            ["", ' id="1"', ' at=""', ' at="x"', ' version="5"', ' updated="y"', ' minValue="z"']
        ),
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
)


@UNHURRIED
@given(TREES)
def test_only_decode_errors_leave_for_documents_of_any_shape(tree: str) -> None:
    """The API's elements nested in any way are read or refused."""
    for body in (tree, f"<eeml>{tree}</eeml>", f"<eeml><environment>{tree}</environment></eeml>"):
        for decode in DECODERS:
            with contextlib.suppress(DecodeError):
                decode(body.encode())
