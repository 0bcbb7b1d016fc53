"""Keys, triggers and users."""

from __future__ import annotations

import json
from typing import Any

import pytest

from txpachube import (
    Environment,
    Key,
    KeyList,
    Permission,
    Resource,
    Trigger,
    TriggerList,
    User,
    UserList,
)
from txpachube.structures.base import Structure

TRIGGER: dict[str, Any] = {
    "id": 14,
    "trigger_type": "lt",
    "environment_id": 2424,
    "stream_id": "temp",
    "threshold_value": "15.0",
}


@pytest.mark.parametrize(
    ("structure", "wrapper"),
    [
        (Key, "key"),
        (User, "user"),
        (Trigger, "trigger"),
        (Trigger, "datastream_trigger"),
        (Trigger, "datastream-trigger"),
    ],
)
def test_wrapped_fields_are_unwrapped(structure: type[Structure], wrapper: str) -> None:
    """The fields may stand under their root, in keywords, dicts and documents."""
    fields: dict[str, Any] = {"label": "x", "login": "rosa", "id": 3}
    plain = structure(**fields)
    wrapped: dict[str, Any] = {wrapper: fields}
    assert structure(**wrapped) == plain
    assert structure.fromDict(wrapped) == plain
    assert structure().decode(json.dumps(wrapped)) == plain
    assert structure().decode(json.dumps(fields)) == plain


def test_keys_and_users_are_written_with_their_root() -> None:
    """A single key or user has a root; a key in a list has none, a user in a list has."""
    assert Key(label="a").encode() == '{"key":{"label":"a"}}'
    assert Key(label="a").toDict() == {"label": "a"}
    assert KeyList(keys=[{"label": "a"}]).encode() == '{"keys":[{"label":"a"}]}'
    assert User(login="a").encode() == '{"user":{"login":"a"}}'
    assert UserList(users=[{"login": "a"}]).encode() == '[{"user":{"login":"a"}}]'


def test_a_key_has_permissions_with_resources() -> None:
    """The parts of a key are structures; ids are numbers and methods lower case."""
    key = Key(
        permissions=[
            {"access_methods": ["GET", "put"], "resources": [{"feed_id": "2424", "datastream_id": 0}]}
        ]
    )
    assert key.permissions == [
        Permission(access_methods=["get", "put"], resources=[Resource(feed_id=2424, datastream_id="0")])
    ]


def test_a_list_of_keys_takes_wrapped_and_unwrapped_ones() -> None:
    """Early documents wrapped the elements of the list, later ones do not."""
    expected = KeyList(keys=[Key(label="a"), Key(label="b")])
    assert KeyList(keys=[{"key": {"label": "a"}}, {"label": "b"}]) == expected
    mixed: list[Any] = [Key(label="a"), {"key": {"label": "b"}}]
    assert KeyList(keys=mixed) == expected
    assert KeyList().decode('{"keys":[{"key":{"label":"a"}},{"label":"b"}]}') == expected
    assert KeyList.fromDict([{"label": "a"}, {"label": "b"}]) == expected


def test_a_list_of_users_takes_wrapped_and_unwrapped_ones() -> None:
    """Users are read with and without their root, from a list and as keywords."""
    expected = UserList(users=[User(login="a"), User(login="b")])
    assert UserList(users=[{"user": {"login": "a"}}, {"login": "b"}]) == expected
    assert UserList().decode('[{"user":{"login":"a"}},{"login":"b"}]') == expected
    assert UserList.fromDict([{"user": {"login": "a"}}, {"login": "b"}]) == expected
    assert UserList.fromDict(expected.toDict()) == expected


@pytest.mark.parametrize(
    "name", ["triggers", "datastream-trigger", "datastream-triggers", "datastream_triggers"]
)
def test_a_list_of_triggers_goes_by_several_names(name: str) -> None:
    """The keyword may be the attribute's name or one of XML's; the JSON document is a bare array."""
    expected = TriggerList(triggers=[Trigger(**TRIGGER)])
    keywords: dict[str, Any] = {name: [TRIGGER]}
    assert TriggerList(**keywords) == expected
    assert TriggerList.fromDict(keywords) == expected
    assert TriggerList.fromDict([TRIGGER]) == expected
    assert json.loads(expected.encode()) == [TRIGGER]
    assert expected.toDict() == {"triggers": [TRIGGER]}


def test_a_trigger_has_numbers_for_ids_and_text_for_its_threshold() -> None:
    """Ids are the same number however they were given, a threshold stays the text it was."""
    trigger = Trigger(id="14", environment_id="2424", stream_id=7, threshold_value=44, trigger_type="gt")
    assert (trigger.id, trigger.environment_id, trigger.stream_id, trigger.threshold_value) == (
        14,
        2424,
        "7",
        "44",
    )


def test_the_time_zone_of_a_user_has_two_spellings() -> None:
    """The field is ``time_zone``; ``timezone``, as a constant of old programs says, is taken too."""
    document: dict[str, Any] = {"timezone": "London"}
    assert User(**document) == User(time_zone="London")


def test_a_user_inside_a_feed_is_not_wrapped() -> None:
    """The user of a feed stands directly under its name."""
    assert Environment(user=User(login="rosa")).encode() == '{"user":{"login":"rosa"}}'
