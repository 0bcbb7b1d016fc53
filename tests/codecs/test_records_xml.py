"""Keys, triggers and users in XML."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from txpachube.codecs import records_xml
from txpachube.errors import DecodeError

UNHURRIED = settings(deadline=None)  # a thread may start late on a busy machine

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

KEY: dict[str, Any] = {
    "api_key": "S0meKey_aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789-_ab",
    "label": "door",
    "private_access": True,
    "permissions": [
        {"access_methods": ["put"], "source_ip": "192.0.2.7", "resources": [{"feed_id": 2424}]},
    ],
}

KEY_XML = """\
<?xml version="1.0" encoding="UTF-8"?>
<key>
  <api-key>S0meKey_aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789-_ab</api-key>
  <label>door</label>
  <private-access>true</private-access>
  <permissions>
    <permission>
      <source-ip>192.0.2.7</source-ip>
      <access-methods>
        <access-method>put</access-method>
      </access-methods>
      <resources>
        <resource>
          <feed-id>2424</feed-id>
        </resource>
      </resources>
    </permission>
  </permissions>
</key>
"""

TRIGGER: dict[str, Any] = {
    "id": 14,
    "url": "http://hooks.example/a",
    "trigger_type": "lt",
    "user": "rosa",
    "environment_id": 2424,
    "stream_id": "temp",
    "threshold_value": "15.0",
    "notified_at": "",
}

TRIGGERS_XML = """\
<?xml version="1.0" encoding="UTF-8"?>
<datastream-triggers type="array">
  <datastream-trigger>
    <id type="integer">14</id>
    <url>http://hooks.example/a</url>
    <trigger-type>lt</trigger-type>
    <threshold-value type="float">15.0</threshold-value>
    <notified-at type="datetime"></notified-at>
    <user>rosa</user>
    <environment-id type="integer">2424</environment-id>
    <stream-id>temp</stream-id>
  </datastream-trigger>
</datastream-triggers>
"""

USER: dict[str, Any] = {
    "login": "rosa",
    "email": "rosa@example.org",
    "full_name": "Rosa",
    "roles": ["default", "device"],
    "creatable_roles": [],
    "about": "",
    "deliver_email": False,
    "receive_forum_notifications": True,
    "time_zone": "London",
    "datastreams_allowed": 10,
    "total_api_access_count": 0,
}


# Keys


def test_a_key_is_written_to_the_letter() -> None:
    """Names have dashes, parts stand in the API's order, empty ones are left out."""
    assert records_xml.encode_key(KEY).decode() == KEY_XML
    assert records_xml.decode_key(KEY_XML.encode()) == KEY


def test_all_parts_of_a_key_stand_in_order() -> None:
    """Every part of a key, a permission and a resource has its place."""
    key = {
        "permissions": [
            {
                "resources": [{"datastream_trigger_id": 3, "datastream_id": "a", "feed_id": 1}],
                "access_methods": ["get", "put"],
                "label": "L",
                "minimum_interval": 60,
                "source_ip": "192.0.2.0/24",
                "referer": "example.org",
            }
        ],
        "private_access": False,
        "label": "<door>",
        "expires_at": "2013-03-27T01:23:45Z",
        "api_key": "K",
    }
    assert records_xml.encode_key(key).decode() == DECLARATION + (
        "<key>\n"
        "  <api-key>K</api-key>\n"
        "  <expires-at>2013-03-27 01:23:45 UTC</expires-at>\n"
        "  <label>&lt;door&gt;</label>\n"
        "  <private-access>false</private-access>\n"
        "  <permissions>\n"
        "    <permission>\n"
        "      <referer>example.org</referer>\n"
        "      <source-ip>192.0.2.0/24</source-ip>\n"
        "      <minimum-interval>60</minimum-interval>\n"
        "      <label>L</label>\n"
        "      <access-methods>\n"
        "        <access-method>get</access-method>\n"
        "        <access-method>put</access-method>\n"
        "      </access-methods>\n"
        "      <resources>\n"
        "        <resource>\n"
        "          <feed-id>1</feed-id>\n"
        "          <datastream-id>a</datastream-id>\n"
        "          <datastream-trigger-id>3</datastream-trigger-id>\n"
        "        </resource>\n"
        "      </resources>\n"
        "    </permission>\n"
        "  </permissions>\n"
        "</key>\n"
    )
    assert records_xml.decode_key(records_xml.encode_key(key)) == key


def test_empty_parts_of_a_key_are_left_out_unless_they_are_kept() -> None:
    """An answer has no empty parts; a request may keep them to clear something."""
    key = {
        "label": "",
        "expires_at": "",
        "permissions": [
            {"label": "", "source_ip": None, "access_methods": [], "resources": []},
            {"resources": [{"feed_id": None, "datastream_id": ""}]},
        ],
    }
    assert records_xml.encode_key(key).decode() == DECLARATION + (
        "<key>\n"
        "  <permissions>\n"
        "    <permission/>\n"
        "    <permission>\n"
        "      <resources>\n"
        "        <resource/>\n"
        "      </resources>\n"
        "    </permission>\n"
        "  </permissions>\n"
        "</key>\n"
    )
    kept = records_xml.decode_key(records_xml.encode_key(key, keep_empty=True))
    assert kept == {
        "label": "",
        "expires_at": "",
        "permissions": [
            {"label": "", "access_methods": [], "resources": []},
            {"resources": [{"datastream_id": ""}]},
        ],
    }


def test_a_list_of_keys_is_an_array() -> None:
    """The list's root says that it is an array; an empty list is a list."""
    written = records_xml.encode_keys([KEY, {"label": "x"}]).decode()
    assert written.startswith(DECLARATION + '<keys type="array">\n  <key>\n    <api-key>')
    assert written.endswith("  <key>\n    <label>x</label>\n  </key>\n</keys>\n")
    assert records_xml.decode_keys(written.encode()) == [KEY, {"label": "x"}]
    assert records_xml.encode_keys([]).decode() == DECLARATION + '<keys type="array"/>\n'
    assert records_xml.decode_keys(records_xml.encode_keys([])) == []


def test_names_of_keys_may_have_underscores() -> None:
    """Either spelling is read, also mixed."""
    body = KEY_XML.replace("api-key", "api_key").replace("access-method", "access_method")
    body = body.replace("source-ip", "source_ip").replace("feed-id", "feed_id")
    assert records_xml.decode_key(body.encode()) == KEY


def test_methods_may_be_upper_case() -> None:
    """The case of access methods does not matter; they are read as lower case."""
    body = KEY_XML.replace(">put<", "> PUT\n<")
    assert records_xml.decode_key(body.encode()) == KEY


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2013-03-27 01:23:45 UTC", "2013-03-27T01:23:45Z"),
        ("2013-03-27T01:23:45Z", "2013-03-27T01:23:45Z"),
        ("2013-03-27T01:23:45.5+02:00", "2013-03-27T01:23:45.5+02:00"),
        ("soon", "soon"),
        ("", ""),
    ],
)
def test_expiry_times_are_read_in_their_own_form(text: str, read: str) -> None:
    """A key's expiry looks different in XML and becomes the form of JSON; other texts stay."""
    assert records_xml.decode_key(f"<key><expires-at>{text}</expires-at></key>".encode()) == {
        "expires_at": read
    }
    assert records_xml.key_dict(records_xml.key_element({"expires_at": read})) == {"expires_at": read}


@pytest.mark.parametrize(
    ("text", "read"), [("true", True), ("1", True), (" False ", False), ("0", False), ("x", "x")]
)
def test_private_access_is_a_boolean(text: str, read: Any) -> None:
    """Words for true and false are understood; others are left for others to judge."""
    assert records_xml.decode_key(f"<key><private-access>{text}</private-access></key>".encode()) == {
        "private_access": read
    }


def test_numbers_of_permissions_are_numbers() -> None:
    """Intervals and ids become numbers where they are such."""
    body = (
        b"<key><permissions><permission><minimum-interval> 60 </minimum-interval><resources><resource>"
        b"<feed-id>x</feed-id><datastream-trigger-id>5</datastream-trigger-id></resource></resources>"
        b"</permission></permissions></key>"
    )
    assert records_xml.decode_key(body)["permissions"] == [
        {"minimum_interval": 60, "resources": [{"feed_id": "x", "datastream_trigger_id": 5}]}
    ]


# Triggers


def test_a_list_of_triggers_is_written_to_the_letter() -> None:
    """Names have dashes and types; a trigger that never fired has an empty time."""
    assert records_xml.encode_triggers([TRIGGER]).decode() == TRIGGERS_XML
    assert records_xml.decode_triggers(TRIGGERS_XML.encode()) == [TRIGGER]
    assert records_xml.decode_triggers(records_xml.encode_triggers([])) == []


def test_a_trigger_alone_is_the_root() -> None:
    """A single trigger is a document of its own."""
    written = records_xml.encode_trigger(TRIGGER).decode()
    assert written.startswith(DECLARATION + '<datastream-trigger>\n  <id type="integer">14</id>\n')
    assert records_xml.decode_trigger(written.encode()) == TRIGGER


def test_names_of_triggers_may_have_underscores() -> None:
    """A client writes stream_id and the like; the root may have one as well."""
    inner = b"<stream_id>a</stream_id><threshold_value>44</threshold_value>"
    body = b"<datastream_trigger>" + inner + b"</datastream_trigger>"
    assert records_xml.decode_trigger(body) == {"stream_id": "a", "threshold_value": "44"}


def test_thresholds_keep_their_text() -> None:
    """A threshold is not reformatted."""
    for text in ("15.0", "44", "-0.10", "open"):
        trigger = {"threshold_value": text}
        assert records_xml.decode_trigger(records_xml.encode_trigger(trigger)) == trigger


@pytest.mark.parametrize("kind", ["change", "frozen", "live"])
def test_triggers_without_threshold_show_none(kind: str) -> None:
    """Where a threshold means nothing it is left out."""
    assert b"threshold" not in records_xml.encode_trigger({**TRIGGER, "trigger_type": kind})


@pytest.mark.parametrize(
    ("time", "written"),
    [
        ("2013-05-06T20:08:17.000000Z", "2013-05-06T20:08:17Z"),
        ("2013-05-06T20:08:17.000000+02:00", "2013-05-06T20:08:17+02:00"),
        ("2013-05-06T20:08:17.123456Z", "2013-05-06T20:08:17.123456Z"),
        ("", ""),
    ],
)
def test_notification_times_are_short_in_xml(time: str, written: str) -> None:
    """The time of the last notification has no fraction in XML and six digits of it in JSON."""
    body = records_xml.encode_trigger({"notified_at": time})
    assert f'<notified-at type="datetime">{written}</notified-at>'.encode() in body
    assert records_xml.decode_trigger(body) == {"notified_at": time}


# Users


def test_a_user_is_written_with_underscores() -> None:
    """Names have underscores, roles are lists of their own, settings show when they are empty."""
    assert records_xml.encode_user(USER).decode() == DECLARATION + (
        "<user>\n"
        "  <login>rosa</login>\n"
        "  <email>rosa@example.org</email>\n"
        "  <full_name>Rosa</full_name>\n"
        "  <roles>\n"
        "    <role>default</role>\n"
        "    <role>device</role>\n"
        "  </roles>\n"
        "  <creatable_roles/>\n"
        "  <about></about>\n"
        "  <deliver_email>false</deliver_email>\n"
        "  <receive_forum_notifications>true</receive_forum_notifications>\n"
        "  <time_zone>London</time_zone>\n"
        "  <datastreams_allowed>10</datastreams_allowed>\n"
        "  <total_api_access_count>0</total_api_access_count>\n"
        "</user>\n"
    )
    assert records_xml.decode_user(records_xml.encode_user(USER)) == USER


def test_a_list_of_users_is_an_array() -> None:
    """The list's root says that it is an array."""
    written = records_xml.encode_users([USER, {"login": "x"}])
    assert written.startswith((DECLARATION + '<users type="array">\n  <user>\n    <login>').encode())
    assert records_xml.decode_users(written) == [USER, {"login": "x"}]
    assert records_xml.decode_users(records_xml.encode_users([])) == []


def test_names_of_users_may_have_dashes() -> None:
    """Either spelling is read."""
    body = b"<user><time-zone>London</time-zone><creatable-roles><role>x</role></creatable-roles></user>"
    assert records_xml.decode_user(body) == {"time_zone": "London", "creatable_roles": ["x"]}


# All


@pytest.mark.parametrize(
    ("decode", "name"),
    [
        (records_xml.decode_key, "key"),
        (records_xml.decode_keys, "keys"),
        (records_xml.decode_trigger, "datastream-trigger"),
        (records_xml.decode_triggers, "datastream-triggers"),
        (records_xml.decode_user, "user"),
        (records_xml.decode_users, "users"),
    ],
)
def test_the_root_must_be_the_right_one(decode: Any, name: str) -> None:
    """A document of another kind is refused, naming what was expected; unknown elements are ignored."""
    with pytest.raises(DecodeError) as caught:
        decode(b"<eeml><key/></eeml>")
    assert str(caught.value) == f"Missing '{name}' node at the root of the document"
    assert not decode(f"<{name}><unknown>x</unknown></{name}>".encode())
    with pytest.raises(DecodeError):
        decode(b"<!DOCTYPE x>")


@pytest.mark.parametrize("character", ["&", "<", "&secret;", "<secret ", "</secret>", "\x00", "\x0b"])
def test_errors_show_nothing_of_keys_and_passwords(character: str) -> None:
    """A password with a character that should have been escaped is refused, by its line and not its text."""
    with pytest.raises(DecodeError) as caught:
        records_xml.decode_user(f"<user>\n<password>secret{character}secret</password></user>".encode())
    assert str(caught.value) == "The document is not well-formed - at line 2"


@pytest.mark.parametrize(
    ("write", "read", "part", "name"),
    [
        (records_xml.key_element, records_xml.key_dict, {**KEY, "label": ""}, "key"),
        (
            records_xml.permission_element,
            records_xml.permission_dict,
            {"label": "", "resources": []},
            "permission",
        ),
        (
            records_xml.resource_element,
            records_xml.resource_dict,
            {"feed_id": 1, "datastream_id": "a"},
            "resource",
        ),
        (records_xml.trigger_element, records_xml.trigger_dict, TRIGGER, "datastream-trigger"),
        (records_xml.user_element, records_xml.user_dict, USER, "user"),
    ],
)
def test_elements_hold_exactly_what_the_dict_holds(write: Any, read: Any, part: Any, name: str) -> None:
    """Each structure becomes an element of its name and comes back from it."""
    element = write(part)
    assert element.tag == name
    assert read(element) == part


TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=10
).map(lambda text: text.strip(" "))
NUMBER = st.integers(0, 10**18 - 1)
RESOURCES = st.lists(
    st.fixed_dictionaries(
        {}, optional={"feed_id": NUMBER, "datastream_id": TEXT, "datastream_trigger_id": NUMBER}
    ),
    max_size=2,
)
PERMISSIONS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "access_methods": st.lists(st.sampled_from(["get", "put", "post", "delete"]), max_size=4),
            **dict.fromkeys(("referer", "source_ip", "label"), TEXT),
            "minimum_interval": NUMBER,
            "resources": RESOURCES,
        },
    ),
    max_size=2,
)
KEYS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("api_key", "label"), TEXT),
        "expires_at": st.sampled_from(["", "2013-03-27T01:23:45Z", "2013-03-27T01:23:45+02:00"]),
        "private_access": st.booleans(),
        "permissions": PERMISSIONS,
    },
)
TRIGGERS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("id", "environment_id"), NUMBER),
        **dict.fromkeys(("url", "user", "stream_id", "threshold_value"), TEXT),
        "trigger_type": st.sampled_from(["lt", "eq", ""]),
    },
)


@UNHURRIED
@given(st.lists(KEYS, max_size=3))
def test_keys_come_back(keys: list[dict[str, Any]]) -> None:
    """Keys that are written as a request and read are the same keys."""
    assert records_xml.decode_keys(records_xml.encode_keys(keys, keep_empty=True)) == keys


@UNHURRIED
@given(st.lists(TRIGGERS, max_size=3))
def test_triggers_come_back(triggers: list[dict[str, Any]]) -> None:
    """Triggers that are written and read are the same triggers."""
    assert records_xml.decode_triggers(records_xml.encode_triggers(triggers)) == triggers


@UNHURRIED
@given(
    st.sampled_from([KEY_XML, TRIGGERS_XML, records_xml.encode_user(USER).decode()]),
    st.integers(0, 400),
    st.integers(0, 60),
    st.binary(max_size=4),
)
def test_only_decode_errors_leave_for_damaged_documents(
    document: str, at: int, length: int, piece: bytes
) -> None:
    """A document with a piece exchanged is read or refused, and nothing else happens."""
    body = document.encode()
    body = body[:at] + piece + body[at + length :]
    for decode in (
        records_xml.decode_key,
        records_xml.decode_triggers,
        records_xml.decode_user,
    ):
        with contextlib.suppress(DecodeError):
            decode(body)
