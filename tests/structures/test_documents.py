"""The documents of the protocol's description, read and written by the structures."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lxml import etree

from txpachube import (
    DataFormats,
    Datapoint,
    Datastream,
    DecodeError,
    Environment,
    EnvironmentList,
    InvalidValue,
    Key,
    KeyList,
    Location,
    Permission,
    Resource,
    Trigger,
    TriggerList,
    Unit,
    User,
    UserList,
    Waypoint,
)
from txpachube.structures.base import Structure

FEED = """
{
  "id": 2424,
  "title": "Greenhouse",
  "private": "false",
  "website": "http://garden.example/",
  "tags": ["glass", "Tomato"],
  "description": "South bed",
  "feed": "https://api.xively.com/v2/feeds/2424.json",
  "status": "live",
  "updated": "2013-06-01T10:15:02.120034Z",
  "created": "2013-01-20T08:00:00.000000Z",
  "creator": "https://xively.com/users/rosa",
  "version": "1.0.0",
  "datastreams": [
    {
      "id": "door"
    },
    {
      "id": "temp",
      "current_value": "21.50",
      "at": "2013-06-01T10:15:02.001200Z",
      "max_value": "38.2",
      "min_value": "-1.0",
      "tags": ["air"],
      "unit": {"type": "derivedSI", "symbol": "C", "label": "Celsius"}
    }
  ],
  "location": {
    "disposition": "fixed",
    "name": "Hut 3",
    "exposure": "outdoor",
    "domain": "physical",
    "ele": "41.0",
    "lat": 52.1043,
    "lon": 9.3612
  }
}
"""
DATASTREAM = (
    '{"id":"temp","current_value":"21.50","at":"2013-06-01T10:15:02.001200Z","max_value":"38.2",'
    '"min_value":"-1.0","tags":["air"],"unit":{"type":"derivedSI","symbol":"C","label":"Celsius"},"datapoints":'
    '[{"value":"20.1","at":"2013-06-01T09:59:58.000000Z"},{"value":"21.50","at":"2013-06-01T10:15:02.001200Z"}],'
    '"version":"1.0.0"}'
)
LOCATION = (
    '{"disposition":"mobile","exposure":"outdoor","domain":"physical","lat":24.9965,"lon":55.0663,"waypoints":'
    '[{"at":"2013-06-01T12:25:05.999502Z","lat":24.9966,"lon":55.06608},'
    '{"at":"2013-06-01T12:40:04.876604Z","lat":24.99647,"lon":55.06635,"ele":"3.0"}]}'
)
KEY = (
    '{"key":{"api_key":"S0meKey_aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789-_ab","label":"door","private_access":true,'
    '"permissions":[{"access_methods":["get"]},{"access_methods":["put"],"source_ip":"192.0.2.7","resources":'
    '[{"feed_id":2424,"datastream_id":"door"}]}]}}'
)
TRIGGERS = (
    '[{"id":14,"url":"http://hooks.example/a","trigger_type":"lt","user":"rosa","environment_id":2424,'
    '"stream_id":"temp","threshold_value":"15.0","notified_at":""}]'
)
USERS = (
    '[{"user":{"login":"rosa","email":"rosa@example.org","full_name":"Rosa","api_key":"…","roles":["default"],'
    '"creatable_roles":[],"about":"","deliver_email":false,"display_activity":false,"display_information":false,'
    '"display_stats":false,"organisation":"","receive_forum_notifications":true,"subscribed_to_mailings":true,'
    '"time_zone":"London","website":""}}]'
)

EXAMPLES: list[tuple[type[Structure], str]] = [
    (Environment, FEED),
    (Environment, '{"title":"Greenhouse","datastreams":[{"id":"temp"},{"id":"7"}]}'),
    (
        Environment,
        '{"version":"1.0.0","datastreams":[{"id":"door","current_value":"open","at":"2013-06-01T10:00:00Z"}]}',
    ),
    (Environment, '{"id":1,"title":"x","location":{"domain":"physical"}}'),
    (Environment, f'{{"location":{LOCATION}}}'),
    (EnvironmentList, f'{{"totalResults":2,"startIndex":0,"itemsPerPage":50,"results":[{FEED}]}}'),
    (EnvironmentList, '{"totalResults":0,"startIndex":0,"itemsPerPage":50,"results":[]}'),
    (Datastream, DATASTREAM),
    (Datastream, '{"id":"door","version":"1.0.0"}'),
    (Datapoint, '{"at":"2013-06-01T10:15:02.001200Z","value":"21.50"}'),
    (Location, LOCATION),
    (Waypoint, '{"at":"2013-06-01T12:40:04.876604Z","lat":24.99647,"lon":55.06635,"ele":"3.0"}'),
    (Unit, '{"type":"derivedSI","symbol":"C","label":"Celsius"}'),
    (Key, KEY),
    (KeyList, '{"keys":[{"api_key":"…","label":"door","private_access":true,"permissions":[]}]}'),
    (Permission, '{"access_methods":["put"],"source_ip":"192.0.2.7","resources":[{"feed_id":2424}]}'),
    (Resource, '{"feed_id":2424,"datastream_id":"door"}'),
    (Trigger, TRIGGERS[1:-1]),
    (TriggerList, TRIGGERS),
    (User, USERS[1:-1]),
    (UserList, USERS),
]


@pytest.mark.parametrize(("structure", "document"), EXAMPLES)
def test_examples_are_read_and_written_as_they_are(structure: type[Structure], document: str) -> None:
    """Each JSON document of the description is read and written again, nothing lost and nothing added."""
    read = structure().decode(document)
    assert json.loads(read.encode()) == json.loads(document)
    assert json.loads(str(read)) == json.loads(document)
    assert structure().decode(document.encode()) == read
    assert structure().decode(b"\xef\xbb\xbf" + document.encode()) == read


@pytest.mark.parametrize(("structure", "document"), EXAMPLES)
@pytest.mark.parametrize("format_", [DataFormats.JSON, DataFormats.XML])
def test_examples_survive_both_formats(structure: type[Structure], document: str, format_: str) -> None:
    """What any JSON parser makes of a document builds a structure that is equal after either format."""
    fields: Any = json.loads(document)
    built = structure.fromDict(fields) if isinstance(fields, list) else structure(**fields)
    assert built == structure().decode(document)
    assert structure().decode(built.encode(format_), format_) == built
    assert structure.fromXml(built.toXml()) == built


def test_the_attributes_of_an_example() -> None:
    """The parts of a feed are structures, its datastreams a dict by id in the order of the document."""
    feed = Environment(**json.loads(FEED))
    assert (feed.id, feed.title, feed.private, feed.tags) == (2424, "Greenhouse", False, ["glass", "Tomato"])
    assert feed.datastreams is not None
    assert list(feed.datastreams) == ["door", "temp"]
    assert feed.datastreams["door"] == Datastream(id="door")
    assert feed.datastreams["temp"].unit == Unit(type=Unit.Derived_Si, symbol="C", label="Celsius")
    assert feed.datastreams["temp"].current_value == "21.50"
    assert feed.location == Location(
        name="Hut 3",
        exposure=Location.Outdoor,
        domain=Location.Physical,
        disposition=Location.Fixed,
        ele="41.0",
        lat=52.1043,
        lon=9.3612,
    )


EEML = """<?xml version="1.0" encoding="UTF-8"?>
<eeml xmlns="http://www.eeml.org/xsd/0.5.1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
version="0.5.1" \
xsi:schemaLocation="http://www.eeml.org/xsd/0.5.1 http://www.eeml.org/xsd/0.5.1/0.5.1.xsd">
  <environment updated="2013-06-01T10:15:02.120034Z" created="2013-01-20T08:00:00.000000Z" id="2424" \
creator="https://xively.com/users/rosa">
    <title>Greenhouse</title>
    <feed>https://api.xively.com/v2/feeds/2424.json</feed>
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
    </data>
  </environment>
</eeml>
"""


def test_the_xml_example_is_the_same_feed() -> None:
    """The same feed in both formats makes equal structures, and is written as the description shows it."""
    feed = Environment().decode(EEML, DataFormats.XML)
    assert feed == Environment().decode(FEED)
    assert feed == Environment().decode(EEML.encode(), DataFormats.XML)
    assert feed.encode(DataFormats.XML) == EEML.replace(' encoding="UTF-8"', "")


def test_an_element_is_found_inside_a_document() -> None:
    """A program that has parsed a document may give its root or the element itself."""
    root = etree.fromstring(EEML.encode())
    feed = Environment().decode(FEED)
    assert Environment.fromXml(root) == feed == Environment().fromXml(root[0])
    assert Datastream.fromXml(root) == Datastream(id="door")
    assert feed.datastreams is not None
    assert Datastream.fromXml(root[0][-1]) == feed.datastreams["temp"]
    assert Location.fromXml(root) == feed.location
    with pytest.raises(DecodeError, match="Missing 'key' node"):
        Key.fromXml(root)


def test_a_request_in_xml_has_only_what_was_given() -> None:
    """An update says nothing about the privacy or the place of a feed that the program did not mention."""
    feed = Environment()
    feed.setCurrentValue("temp", 21.5)
    written = feed.encode(DataFormats.XML)
    assert "private" not in written
    assert "location" not in written
    assert '<data id="temp">\n      <current_value>21.5</current_value>\n    </data>' in written


def test_what_is_given_empty_clears_in_xml_too() -> None:
    """Empty text and empty lists are written, since they clear what is stored."""
    given = Environment(title="", private=False, tags=[], location={"name": "", "exposure": ""}, icon="")
    written = given.encode(DataFormats.XML)
    assert Environment().decode(written, DataFormats.XML) == given
    for element in (
        "<title></title>",
        "<tag/>",
        "<icon></icon>",
        "<private>false</private>",
        '<location exposure="">',
    ):
        assert element in written
    key = Key(label="", expires_at="", private_access=False, permissions=[{"referer": "", "resources": []}])
    assert Key().decode(key.encode(DataFormats.XML), DataFormats.XML) == key
    trigger = Trigger(id=0, threshold_value="", notified_at="", trigger_type="")
    assert Trigger().decode(trigger.encode(DataFormats.XML), DataFormats.XML) == trigger
    user = User(about="", roles=[], deliver_email=False)
    assert User().decode(user.encode(DataFormats.XML), DataFormats.XML) == user


def test_characters_that_xml_has_not_are_refused() -> None:
    """A control character is refused and not replaced, so that what arrives is what was given."""
    for given in (
        Environment(title="\x01"),
        Key(label="\x0b"),
        Unit(symbol="\ufffe"),
        UserList(users=[{"about": "\x00"}]),
    ):
        with pytest.raises(InvalidValue, match="control characters"):
            given.encode(DataFormats.XML)
        with pytest.raises(InvalidValue, match="control characters"):
            given.toXml()
    assert (
        Environment().decode(Environment(title="\t\u0085").encode(DataFormats.XML), DataFormats.XML).title
        == "\u0085"
    )


def test_an_encoding_declared_in_text_is_ignored() -> None:
    """Text is not bytes: what its declaration says about bytes does not matter."""
    document = '<?xml version="1.0" encoding="ISO-8859-1"?><unit symbol="°C">Grad</unit>'
    assert Unit().decode(document, DataFormats.XML).symbol == "°C"
    assert Unit().decode(document.encode("iso-8859-1"), DataFormats.XML).symbol == "°C"
    assert Unit().decode("\ufeff" + document, DataFormats.XML).label == "Grad"


@pytest.mark.parametrize(
    "structure", [Environment, Datastream, Datapoint, Unit, Location, Key, KeyList, Trigger, User]
)
def test_attacks_are_refused(structure: type[Structure]) -> None:
    """No document type is read, so no entity can be declared in one."""
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><eeml><environment><title>&a;&a;</title></environment></eeml>'
    with pytest.raises(DecodeError, match="DOCTYPE"):
        structure().decode(bomb, DataFormats.XML)


def test_old_layouts_are_read() -> None:
    """JSON 0.6-alpha and EEML 5 give the same structures; what is written is of the new layout."""
    values = '"values":[{"value":"21.5","max_value":"38.2"}]'
    old = f'{{"id":2424,"version":"0.6-alpha","datastreams":[{{"id":"0",{values}}}]}}'
    feed = Environment().decode(old)
    assert feed == Environment(
        id=2424, datastreams=[{"id": "0", "current_value": "21.5", "max_value": "38.2"}]
    )
    assert feed.version == "0.6-alpha"
    assert json.loads(feed.encode())["version"] == "1.0.0"
    assert Environment().decode(feed.encode()) == feed
    data = '<data id="0"><value maxValue="38.2">21.5</value></data>'
    eeml_5 = f'<eeml version="5"><environment>{data}</environment></eeml>'
    read = Environment().decode(eeml_5, DataFormats.XML)
    assert read.datastreams == feed.datastreams
    assert Environment.fromXml(etree.fromstring(eeml_5)) == read
    assert Datastream.fromXml(etree.fromstring(eeml_5)[0][0]) == Datastream(
        id="0", current_value="21.5", max_value="38.2"
    )


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ('{"datastreams":[{"id":"a","datapoints":[{"at":[]}]}]}', "$.datastreams[0].datapoints[0].at"),
        ('{"title":{}}', "$.title"),
    ],
)
def test_a_decoding_error_says_where(body: str, where: str) -> None:
    """The error of a document that can't be read names the place."""
    with pytest.raises(DecodeError) as caught:
        Environment().decode(body)
    assert caught.value.where == where
    assert caught.value.format == "json"


def test_a_datastream_may_come_wrapped_in_a_feed() -> None:
    """A feed with one datastream is read as that datastream; several are refused."""
    assert Datastream().decode('{"datastreams":[{"id":"a"}]}') == Datastream(id="a")
    with pytest.raises(DecodeError, match="expected one datastream, got 2"):
        Datastream().decode('{"datastreams":[{"id":"a"},{"id":"b"}]}')


@pytest.mark.parametrize("structure", [Unit, Location, Waypoint, Permission, Resource])
@pytest.mark.parametrize("body", ["null", '""', "[]", "1", "{}{}", '{"a":1},{"b":2}', "{}]}, {"])
def test_parts_are_single_objects(structure: type[Structure], body: str) -> None:
    """A part that is read alone is one JSON object and nothing else."""
    with pytest.raises(DecodeError):
        structure().decode(body)


def test_number_literals_keep_their_text() -> None:
    """A number in a document is kept as it is written there."""
    stream = Datastream().decode('{"id":7,"current_value":1.50,"max_value":1E5,"min_value":-0}')
    assert stream == Datastream(id="7", current_value="1.50", max_value="1E5", min_value="-0")
    assert Location().decode('{"ele":041}'.replace("041", "41.00")).ele == "41.00"
    assert Trigger().decode('{"threshold_value":15.0}').threshold_value == "15.0"
    assert Unit().decode('{"symbol":1.0}').symbol == "1.0"
