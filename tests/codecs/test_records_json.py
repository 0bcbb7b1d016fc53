"""Keys, triggers and users in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.codecs import records_json
from txpachube.errors import DecodeError

SECRET = "S0meKey_aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789-_ab"

KEY: dict[str, Any] = {
    "api_key": SECRET,
    "expires_at": "2013-03-27T01:23:45Z",
    "label": "door",
    "private_access": True,
    "permissions": [
        {"access_methods": ["get"]},
        {
            "access_methods": ["put", "post"],
            "referer": "garden.example",
            "source_ip": "192.0.2.7",
            "minimum_interval": 60,
            "label": "greenhouse",
            "resources": [
                {"feed_id": 2424, "datastream_id": "door"},
                {"feed_id": 7, "datastream_trigger_id": 3},
            ],
        },
    ],
}
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
USER: dict[str, Any] = {
    "login": "rosa",
    "email": "rosa@example.org",
    "full_name": "Rosa",
    "api_key": SECRET,
    "roles": ["default"],
    "creatable_roles": [],
    "about": "",
    "deliver_email": False,
    "display_activity": False,
    "display_information": False,
    "display_stats": False,
    "organisation": "",
    "receive_forum_notifications": True,
    "subscribed_to_mailings": True,
    "time_zone": "London",
    "website": "",
    "feeds_count": 3,
    "datastreams_count": 0,
    "datastreams_allowed": 100,
}


def compact(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def reversed_members(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: reversed_members(document[name]) for name in reversed(document)}
    if isinstance(document, list):
        return [reversed_members(element) for element in document]
    return document


def refused(decode: Callable[[bytes], Any], document: object) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        decode(compact(document))
    return caught.value


# Keys


def test_key_is_written() -> None:
    """A key has a root, and its members, its permissions' and their resources' in the order of the API."""
    assert records_json.encode_key(reversed_members(KEY)) == compact({"key": KEY})


def test_keys_are_written() -> None:
    """A list of keys has a root, and its elements have none."""
    assert records_json.encode_keys([KEY, KEY]) == compact({"keys": [KEY, KEY]})
    assert records_json.encode_keys([]) == b'{"keys":[]}'


def test_keys_have_no_other_members() -> None:
    """Neither an id nor the user is written, since strict clients fail on them."""
    odd = {**KEY, "id": 7, "user": "rosa"}
    assert records_json.encode_key(odd) == compact({"key": KEY})


def test_empty_parts_of_a_key_are_left_out() -> None:
    """Empty optional parts of the key and its permissions are left out; private access is always there."""
    empty: dict[str, Any] = {
        "referer": "",
        "source_ip": None,
        "minimum_interval": None,
        "label": "",
        "resources": [],
    }
    key = {
        "api_key": "k",
        "label": "x",
        "expires_at": None,
        "private_access": False,
        "permissions": [{"access_methods": ["get"], **empty}],
    }
    assert records_json.encode_key(key) == (
        b'{"key":{"api_key":"k","label":"x","private_access":false,"permissions":[{"access_methods":["get"]}]}}'
    )


def test_an_interval_of_nothing_is_written() -> None:
    """An interval of 0 seconds is not an empty part."""
    key = {"permissions": [{"access_methods": ["get"], "minimum_interval": 0}]}
    assert b'"minimum_interval":0' in records_json.encode_key(key)


@pytest.mark.parametrize("wrapped", [True, False])
def test_key_is_read_with_or_without_its_root(wrapped: bool) -> None:
    """A key is read with its root and without; unknown members are ignored."""
    key = {**KEY, "id": 7, "user": "rosa"}
    assert records_json.decode_key(compact({"key": key} if wrapped else key)) == KEY


@pytest.mark.parametrize(
    "document",
    [{"keys": [KEY]}, {"keys": [{"key": KEY}]}, [KEY], [{"key": KEY}]],
    ids=["keys", "early", "bare", "both"],
)
def test_keys_are_read(document: object) -> None:
    """Lists of keys are read in the form of all eras: with the root, and with wrapped elements."""
    assert records_json.decode_keys(compact(document)) == [KEY]


def test_access_methods_are_lower_case() -> None:
    """The case of access methods is ignored."""
    key = records_json.decode_key(b'{"permissions":[{"access_methods":["GET","Put"]}]}')
    assert key == {"permissions": [{"access_methods": ["get", "put"]}]}


@pytest.mark.parametrize(
    ("literal", "read"),
    [
        ("true", True),
        ('"true"', True),
        ('"False"', False),
        ("1", True),
        ('"0"', False),
        ('"maybe"', "maybe"),
        ('""', ""),
    ],
)
def test_private_access_is_a_boolean(literal: str, read: object) -> None:
    """Private access may come as a word; what is none stays, to be refused by whoever checks meanings."""
    assert records_json.decode_key(b'{"private_access":%s}' % literal.encode()) == {"private_access": read}


def test_ids_of_resources_are_numbers() -> None:
    """Feed ids come as number or string and are numbers; ids of datastreams are texts."""
    body = {
        "permissions": [{"minimum_interval": "60", "resources": [{"feed_id": "504", "datastream_id": 7}, {}]}]
    }
    assert records_json.decode_key(compact(body)) == {
        "permissions": [{"minimum_interval": 60, "resources": [{"feed_id": 504, "datastream_id": "7"}, {}]}]
    }


def test_null_parts_of_keys() -> None:
    """Null leaves out what is optional, and clears the label and the end."""
    body = {
        "label": None,
        "expires_at": None,
        "private_access": None,
        "api_key": None,
        "permissions": [
            {"access_methods": None, "referer": None, "minimum_interval": None, "resources": None}
        ],
    }
    assert records_json.decode_key(compact(body)) == {
        "label": None,
        "expires_at": None,
        "permissions": [{"access_methods": [], "resources": []}],
    }
    assert records_json.decode_key(b'{"permissions":null}') == {"permissions": []}


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ([], "$"),
        ({"key": {"label": []}}, "$.key.label"),
        ({"permissions": {}}, "$.permissions"),
        ({"permissions": [7]}, "$.permissions[0]"),
        ({"permissions": [{"access_methods": "get"}]}, "$.permissions[0].access_methods"),
        ({"permissions": [{"access_methods": [None]}]}, "$.permissions[0].access_methods[0]"),
        ({"key": {"permissions": [{"resources": [7]}]}}, "$.key.permissions[0].resources[0]"),
        ({"permissions": [{"resources": [{}, {"feed_id": []}]}]}, "$.permissions[0].resources[1].feed_id"),
    ],
)
def test_wrong_types_in_keys(document: object, where: str) -> None:
    """Something of the wrong type is refused with the place where it stands."""
    assert refused(records_json.decode_key, document).where == where


def test_faults_in_lists_say_where() -> None:
    """An error in a list names the element, and its root if it has one."""
    assert (
        refused(records_json.decode_keys, {"keys": [KEY, {"key": {"label": []}}]}).where
        == "$.keys[1].key.label"
    )
    assert refused(records_json.decode_keys, {"keys": "x"}).where == "$.keys"
    assert refused(records_json.decode_keys, {"key": KEY}).where == "$"
    assert refused(records_json.decode_users, [{"user": {"roles": 7}}]).where == "$[0].user.roles"


def test_errors_never_show_secrets() -> None:
    """Errors name places, never what was there: it could be a key or a password."""
    for decode, document in (
        (records_json.decode_key, {"api_key": [SECRET]}),
        (records_json.decode_key, {"api_key": SECRET + "\0"}),
        (records_json.decode_user, {"password": {SECRET: SECRET}}),
    ):
        assert SECRET not in str(refused(decode, document))
    with pytest.raises(DecodeError) as caught:
        records_json.decode_key(b'{"api_key":"%s' % SECRET.encode())
    assert SECRET not in str(caught.value)


def test_parts_of_keys_are_documents_for_programs() -> None:
    """Permissions and resources are read alone with the same rules."""
    assert records_json.decode_permission(compact(KEY["permissions"][1])) == KEY["permissions"][1]
    assert records_json.decode_resource(b'{"feed_id":"7","x":1}') == {"feed_id": 7}


# Triggers


def test_trigger_is_written() -> None:
    """A trigger is a bare object with its members in order; never notified is the empty text."""
    assert records_json.encode_trigger(reversed_members(TRIGGER)) == compact(TRIGGER)


def test_triggers_are_written() -> None:
    """A list of triggers is a bare array."""
    assert records_json.encode_triggers([TRIGGER, TRIGGER]) == compact([TRIGGER, TRIGGER])
    assert records_json.encode_triggers([]) == b"[]"


@pytest.mark.parametrize("kind", ["change", "frozen", "live"])
def test_thresholds_are_left_out_where_there_is_none(kind: str) -> None:
    """Triggers that compare with nothing have no threshold in the output."""
    written = json.loads(records_json.encode_trigger({**TRIGGER, "trigger_type": kind}))
    assert "threshold_value" not in written
    assert written["notified_at"] == ""


@pytest.mark.parametrize(
    ("literal", "text"), [("15.0", "15.0"), ("44", "44"), ('"1E5"', "1E5"), ("-0", "-0")]
)
def test_thresholds_keep_their_text(literal: str, text: str) -> None:
    """A threshold keeps the text that was sent, number or not, and is written as a string."""
    trigger = records_json.decode_trigger(b'{"threshold_value":%s}' % literal.encode())
    assert trigger == {"threshold_value": text}
    assert records_json.encode_trigger(trigger) == compact({"threshold_value": text})


@pytest.mark.parametrize("root", [None, "trigger", "datastream_trigger", "datastream-trigger"])
def test_trigger_is_read_wrapped_or_not(root: str | None) -> None:
    """A trigger is read bare, and wrapped in the ways that programs wrap it."""
    assert records_json.decode_trigger(compact({root: TRIGGER} if root else TRIGGER)) == TRIGGER
    assert records_json.decode_triggers(compact([{root: TRIGGER} if root else TRIGGER])) == [TRIGGER]


def test_trigger_in_other_types() -> None:
    """The feed comes as number or text; null is no threshold, and clears what is required."""
    body = {"environment_id": "2424", "stream_id": 0, "threshold_value": None, "url": None, "id": "14"}
    assert records_json.decode_trigger(compact(body)) == {
        "environment_id": 2424,
        "stream_id": "0",
        "url": None,
        "id": 14,
    }
    assert refused(records_json.decode_trigger, {"trigger": {"url": {}}}).where == "$.trigger.url"
    assert refused(records_json.decode_triggers, {"url": "x"}).where == "$"


# Users


def test_user_is_written() -> None:
    """A user has a root; settings are written even when they are empty or false."""
    assert records_json.encode_user(reversed_members(USER)) == compact({"user": USER})


def test_users_are_written() -> None:
    """A list of users is an array of wrapped ones."""
    assert records_json.encode_users([USER, USER]) == compact([{"user": USER}, {"user": USER}])


def test_user_is_read_wrapped_or_not() -> None:
    """A user is read with its root or without, alone and in lists."""
    for document in ({"user": USER}, {**USER, "odd": 1}):
        assert records_json.decode_user(compact(document)) == USER
        assert records_json.decode_users(compact([document])) == [USER]
        assert records_json.decode_users(compact({"users": [document]})) == [USER]


def test_user_in_other_types() -> None:
    """Booleans come as words as well, counts as texts; null clears texts and leaves out the rest."""
    body = {"deliver_email": "true", "feeds_count": "3", "about": None, "password": None, "roles": None}
    assert records_json.decode_user(compact(body)) == {
        "deliver_email": True,
        "feeds_count": 3,
        "about": None,
        "roles": [],
    }


# Round trips

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
words = texts.filter(bool)
ids = st.integers(0, 10**12)
resources = st.fixed_dictionaries(
    {"feed_id": ids}, optional={"datastream_id": words, "datastream_trigger_id": ids}
)
permissions = st.fixed_dictionaries(
    {"access_methods": st.lists(st.sampled_from(["get", "put", "post", "delete"]), min_size=1)},
    optional={
        "referer": words,
        "source_ip": words,
        "minimum_interval": ids,
        "label": words,
        "resources": st.lists(resources, min_size=1, max_size=2),
    },
)
keys = st.fixed_dictionaries(
    {},
    optional={
        "api_key": words,
        "expires_at": words,
        "label": words,
        "private_access": st.booleans(),
        "permissions": st.lists(permissions, max_size=3),
    },
)
triggers = st.fixed_dictionaries(
    {},
    optional={
        "id": ids,
        "url": texts,
        "trigger_type": st.sampled_from(["gt", "eq"]),
        "environment_id": ids,
        "stream_id": texts,
        "threshold_value": texts,
        "notified_at": texts,
    },
)
users = st.fixed_dictionaries(
    {}, optional={"login": texts, "roles": st.lists(texts), "about": texts, "display_stats": st.booleans()}
)


@given(st.lists(keys, max_size=3))
def test_keys_round_trip(given_keys: list[dict[str, Any]]) -> None:
    """Keys come back as they were, alone and in lists."""
    assert records_json.decode_keys(records_json.encode_keys(given_keys)) == given_keys
    assert [records_json.decode_key(records_json.encode_key(key)) for key in given_keys] == given_keys


@given(st.lists(triggers, max_size=3))
def test_triggers_round_trip(given_triggers: list[dict[str, Any]]) -> None:
    """Triggers come back as they were, alone and in lists."""
    assert records_json.decode_triggers(records_json.encode_triggers(given_triggers)) == given_triggers
    for trigger in given_triggers:
        assert records_json.decode_trigger(records_json.encode_trigger(trigger)) == trigger


@given(st.lists(users, max_size=3))
def test_users_round_trip(given_users: list[dict[str, Any]]) -> None:
    """Users come back as they were, alone and in lists."""
    assert records_json.decode_users(records_json.encode_users(given_users)) == given_users
    for user in given_users:
        assert records_json.decode_user(records_json.encode_user(user)) == user
