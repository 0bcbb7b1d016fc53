"""What all structures have in common."""

from __future__ import annotations

import copy
import json
from typing import Any

import attrs
import pytest

import txpachube
from txpachube import DataFormats, Environment, InvalidValue, Key, Location, Trigger, Unit, User
from txpachube.structures.base import Structure

STRUCTURES: list[type[Structure]] = [
    getattr(txpachube, name)
    for name in txpachube.__all__
    if isinstance(getattr(txpachube, name), type) and issubclass(getattr(txpachube, name), Structure)
]
LISTS = {"EnvironmentList": "feeds", "TriggerList": "triggers", "KeyList": "keys", "UserList": "users"}


def attributes(structure: type[Any]) -> list[str]:
    """Return the names of a structure's attributes."""
    return [field.name for field in attrs.fields(structure)]


def test_there_are_fifteen_structures() -> None:
    """The tests below look at every structure."""
    assert len(STRUCTURES) == 15


@pytest.mark.parametrize("structure", STRUCTURES)
def test_what_was_not_given_is_none_and_left_out(structure: type[Structure]) -> None:
    """An attribute that was not given is None; only the elements of a list are always there."""
    empty = structure()
    for name in attributes(structure):
        expected: Any = [] if LISTS.get(structure.__name__) == name else None
        assert getattr(empty, name) == expected
    always: dict[str, Any] = {"results": []} if structure.__name__ == "EnvironmentList" else {}
    if structure.__name__ in LISTS and not always:
        always = {LISTS[structure.__name__]: []}
    assert empty.toDict() == always


@pytest.mark.parametrize("structure", STRUCTURES)
def test_unknown_fields_are_ignored(structure: type[Structure]) -> None:
    """A service may add fields; old programs must not notice."""
    assert structure(brand_new=1) == structure()
    assert structure.fromDict({"brand new": [], "x-y": 2}) == structure()


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_dict_is_read_by_the_class_and_by_an_object(structure: type[Structure]) -> None:
    """``Unit.fromDict(d)`` makes a new object, ``unit.fromDict(d)`` fills the one there is."""
    filled = structure()
    assert filled.fromDict(structure().toDict()) is filled
    assert structure.fromDict(filled.toDict()) == filled
    assert structure(**filled.toDict()) == filled


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_dict_is_needed(structure: type[Structure]) -> None:
    """Something else than fields is refused with an error that says what is needed."""
    with pytest.raises(InvalidValue, match=f"{structure.__name__} must be"):
        structure.fromDict(5)


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("format_", [DataFormats.PNG, "yaml", "", None, []])
def test_an_unknown_format_is_refused(structure: type[Structure], format_: Any) -> None:
    """PNG is an image and not a document; the error says which formats there are."""
    with pytest.raises(InvalidValue, match=r"format must be one of json, xml"):
        structure().encode(format_)
    with pytest.raises(InvalidValue, match=r"format must be one of json, xml"):
        structure().decode("", format_)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_csv_exists_where_there_are_values(structure: type[Structure]) -> None:
    """CSV carries values; what has none has no CSV."""
    with_values = structure.__name__ in {"Environment", "EnvironmentList", "Datastream", "Datapoint"}
    assert ("csv" in structure._forms.documents) is with_values


@pytest.mark.parametrize("structure", STRUCTURES)
def test_the_text_is_the_document_indented_and_sorted(structure: type[Structure]) -> None:
    """``str(x)`` is the JSON document for people to read."""
    given = structure(id="7", label="grün", title="t", login="rosa")
    assert str(given) == json.dumps(json.loads(given.encode()), indent=4, sort_keys=True, ensure_ascii=False)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_structures_are_values(structure: type[Structure]) -> None:
    """Equal attributes make equal structures; a copy is equal, another kind is not."""
    given = structure(id="7", label="x", title="t", login="rosa", total_results=3)
    assert copy.deepcopy(given) == given
    assert copy.copy(given) == given
    assert (given == structure()) is (attributes(structure) in [["triggers"], ["keys"], ["users"]]) or (
        structure.__name__ in {"Location", "Waypoint", "Datapoint", "Resource"}
    )
    other: Any = given.toDict()
    assert given != other


def test_a_repr_shows_what_was_given() -> None:
    """A repr is as long as what was given, and reads like the call that makes it."""
    shown = "Environment(title='Office', tags=[], location=Location(lat=0.0))"
    assert repr(Environment(title="Office", tags=[], location={"lat": 0})) == shown
    assert repr(Unit()) == "Unit()"


def test_falsy_values_that_were_given_are_kept() -> None:
    """Zero, False, the empty text and the empty list are values; only what was not given is left out."""
    feed = Environment(
        id=0, title="", private=False, tags=[], datastreams=[{"id": 0, "current_value": 0, "datapoints": []}]
    )
    assert feed.toDict() == {
        "id": 0,
        "title": "",
        "private": "false",
        "tags": [],
        "datastreams": [{"id": "0", "current_value": "0", "datapoints": []}],
    }
    assert json.loads(feed.encode()) == feed.toDict()
    assert Environment().decode(feed.encode()) == feed
    assert json.loads(Key(private_access=False, permissions=[]).encode()) == {
        "key": {"private_access": False, "permissions": []}
    }
    assert json.loads(Location(lat=0.0, lon=0, name="").encode()) == {"name": "", "lat": 0.0, "lon": 0.0}


@pytest.mark.parametrize(
    ("structure", "given", "field"),
    [
        (Unit, {"type": "metric"}, "type"),
        (Location, {"exposure": "inside"}, "exposure"),
        (Location, {"domain": "mobile"}, "domain"),
        (Location, {"disposition": "indoor"}, "disposition"),
        (Location, {"lat": "north"}, "lat"),
        (Location, {"waypoints": 5}, "waypoints"),
        (Environment, {"private": "maybe"}, "private"),
        (Environment, {"id": "abc"}, "id"),
        (Environment, {"datastreams": "temp"}, "datastreams"),
        (Environment, {"datastreams": [{"unit": {"type": "metric"}}]}, "type"),
        (Environment, {"location": {"exposure": "inside"}}, "exposure"),
        (Environment, {"updated": 5}, "updated"),
        (Trigger, {"environment_id": "x"}, "environment_id"),
        (Key, {"permissions": [None]}, "permissions"),
        (Key, {"key": {"permissions": {}}}, "permissions"),
        (User, {"roles": 5}, "roles"),
    ],
)
def test_an_invalid_value_names_its_field(structure: type[Structure], given: Any, field: str) -> None:
    """The error of an invalid value names the field, shows the value and says what is allowed."""
    with pytest.raises(InvalidValue) as caught:
        structure(**given)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field} must be ")
    assert caught.value.allowed
    assert isinstance(caught.value, ValueError)


def test_an_invalid_word_is_shown_with_those_allowed() -> None:
    """The error holds the value and the list of words that are allowed."""
    with pytest.raises(InvalidValue, match="exposure must be one of indoor, outdoor, not 'inside'") as caught:
        Location(exposure="inside")
    assert caught.value.value == "inside"
    assert caught.value.allowed == Location.Valid_Exposure_Kinds


def test_assignments_are_checked_too() -> None:
    """What can't be given at the beginning can't be assigned later, and numbers become texts there too."""
    location = Location()
    location.exposure = Location.Indoor
    with pytest.raises(InvalidValue, match="exposure must be"):
        location.exposure = "inside"
    with pytest.raises(InvalidValue, match="lat must be"):
        location.lat = 91
    assert location == Location(exposure="indoor")
    location.ele = 41.0  # type: ignore[assignment] # a program without types may do it
    assert location.ele == "41.0"


def test_a_misspelt_attribute_is_noticed() -> None:
    """Assigning to a name that is no attribute fails instead of being forgotten in the upload."""
    with pytest.raises(AttributeError):
        Environment().titel = "x"  # type: ignore[attr-defined] # misspelt on purpose


SECRETS = [
    Key(api_key="s3cret-text", label="door"),
    User(login="rosa", api_key="s3cret-text", password="s3cret-text"),
    txpachube.KeyList(keys=[{"key": {"api_key": "s3cret-text"}}]),
    txpachube.UserList(users=[{"user": {"password": "s3cret-text"}}]),
    Environment(user={"login": "rosa", "api_key": "s3cret-text"}),
]


@pytest.mark.parametrize("holder", SECRETS)
def test_secrets_are_not_shown(holder: Structure) -> None:
    """The repr of a key or user shows that there is a secret, not which."""
    assert "s3cret-text" not in repr(holder)
    assert "=***" in repr(holder)
    assert "s3cret-text" in str(holder)


@pytest.mark.parametrize(
    ("structure", "given"),
    [
        (Key, {"permissions": "s3cret-text"}),
        (txpachube.KeyList, {"keys": ["s3cret-text"]}),
        (Key, {"api_key": ["s3cret-text"]}),
    ],
)
def test_errors_do_not_show_secrets(structure: type[Structure], given: Any) -> None:
    """A key in a wrong place is not repeated by the error."""
    with pytest.raises(InvalidValue) as caught:
        structure(**given)
    assert "s3cret-text" not in repr(caught.value) + str(caught.value)


def test_text_that_no_format_can_carry_is_refused() -> None:
    """Half a character has no bytes; the error says so and does not show the document."""
    key = Key(api_key="s3cret-text", label="\ud800")
    with pytest.raises(InvalidValue, match="text that json can carry") as caught:
        key.encode()
    assert "s3cret-text" not in str(caught.value)
    with pytest.raises(txpachube.DecodeError, match="not text"):
        Key().decode('{"label": "\ud800"}')


@pytest.mark.parametrize(
    "structure", [s for s in STRUCTURES if s.__name__ not in {"Datapoint", "Datastream"}]
)
def test_nothing_changes_when_a_document_cannot_be_read(structure: type[Structure]) -> None:
    """An object is filled after its whole document was understood, or not at all."""
    given = structure(label="x", title="t", login="rosa", lat=1)
    before = copy.deepcopy(given)
    for body in ("", "{", "[}", "\xff", '"text"', "5"):
        with pytest.raises(txpachube.DecodeError):
            given.decode(body)
        with pytest.raises(txpachube.DecodeError):
            given.decode(body, DataFormats.XML)
    assert given == before


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_dict_and_its_keywords_make_the_same(structure: type[Structure]) -> None:
    """The quick way of reading a dict converts and refuses like the ordinary one."""
    for field in attrs.fields(structure):  # type: ignore[arg-type] # every structure is an attrs class
        name = field.metadata.get("json", field.name)
        for given in (None, "", "7", 7, 7.5, True, [], ["a"], {}, [{"id": 1}], "fixed", object()):
            fields: dict[str, Any] = {name: given, "unknown": 1}
            outcomes: list[Any] = []
            for make in (structure.fromDict, lambda document: structure(**document)):
                try:
                    outcomes.append(make(fields))
                except InvalidValue as problem:
                    outcomes.append((problem.field, str(problem)))
            assert outcomes[0] == outcomes[1]
