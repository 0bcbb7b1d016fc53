"""
What type checkers know of the structures.

This module is not run. It states types that must stay as they are; the ignored lines are mistakes
that a checker must find, and it complains when an ignore is no longer needed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, assert_type

from txpachube import (
    DataFormats,
    Datapoint,
    Datastream,
    Environment,
    EnvironmentList,
    Key,
    KeyList,
    Location,
    Permission,
    Trigger,
    TriggerList,
    Unit,
    User,
)


def attributes(feed: Environment, page: EnvironmentList, key: Key, keys: KeyList) -> None:
    """Attributes have the types that converters give them."""
    assert_type(feed.id, int | None)
    assert_type(feed.private, bool | None)
    assert_type(feed.datastreams, dict[str, Datastream] | None)
    assert_type(feed.location, Location | None)
    assert_type(feed.user, User | None)
    assert_type(page.feeds, list[Environment])
    assert_type(page.total_results, int | None)
    assert_type(key.permissions, list[Permission] | None)
    assert_type(keys.keys, list[Key])
    assert_type(TriggerList().triggers, list[Trigger])
    assert_type(Datastream().datapoints, list[Datapoint] | None)
    assert_type(Datastream().current_value, str | None)


def construction(document: dict[str, Any]) -> None:
    """Keywords take what converters take; a document is given with two asterisks."""
    Environment(**document)
    Environment(id="504", private="false", tags="a, b", updated=datetime(2013, 6, 1), location={"lat": 0})
    Environment(datastreams=[{"id": "temp"}, Datastream(id=1, current_value=21.5)])
    Environment(datastreams={"temp": Datastream()})
    Location(lat="52.1", lon=9, ele=41)
    Key(permissions=[{"access_methods": ["get"]}, Permission(access_methods=["put"])])
    Unit("derivedSI")  # type: ignore[call-arg] # structures are built from keywords
    Environment(titel="Office")  # type: ignore[call-arg] # misspelt
    Environment(location=5)  # type: ignore[arg-type] # not a location
    Datapoint(at=1370081702)  # type: ignore[arg-type] # not a timestamp


def documents(element: Any) -> None:
    """Reading gives the structure it is called on."""
    assert_type(Environment().decode(b"{}"), Environment)
    assert_type(Key().decode("<key/>", DataFormats.XML), Key)
    assert_type(Environment.fromDict({}), Environment)
    assert_type(Trigger().fromDict({}), Trigger)
    assert_type(Unit.fromXml(element), Unit)
    assert_type(Environment().encode(), str)
    assert_type(Environment().toDict(), dict[str, Any])
    assert_type(Location.Indoor, str)
    assert_type(Unit.Valid_Unit_Types, list[str])


def values(feed: Environment) -> None:
    """Values may be given as numbers or text, times as text or datetime."""
    feed.setCurrentValue("temp", 21.5)
    feed.setCurrentValue(0, b"00345")
    feed.addDatapoint("temp", datetime(2013, 6, 1), "0000017")
    feed.setLocation(latitude=0.0, longitude="9.3612", elevation=41)
    feed.setCurrentValue("temp", [1])  # type: ignore[arg-type] # not a value
