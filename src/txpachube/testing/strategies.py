"""
Hypothesis strategies for all structures, to test programs that use them.

Each is a function with the argument ``format``, one of `DataFormats`. The structures it makes are such
that a document of that format carries all of them, so ``decode(encode(x)) == x`` holds:

- JSON carries any text but the character NUL;
- XML has no other control characters and no white space around texts. An empty tag says that there are
  no tags, and empty units and locations that there is none, so these have something in them;
- CSV carries values and their times alone.

Hypothesis must be installed; the package itself does without it::

    @given(environments())
    def test_it_is_understood(feed: Environment) -> None: ...

.. versionadded:: 1.0
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from txpachube.fields import DataFormats
from txpachube.structures import (
    Datapoint,
    Datastream,
    Environment,
    EnvironmentList,
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
from txpachube.structures.convert import moment

__all__ = [
    "datapoints",
    "datastream_ids",
    "datastreams",
    "environment_lists",
    "environments",
    "key_lists",
    "keys",
    "locations",
    "permissions",
    "resources",
    "texts",
    "timestamps",
    "trigger_lists",
    "triggers",
    "units",
    "user_lists",
    "users",
    "values",
    "waypoints",
]

_S = TypeVar("_S", bound=Structure)

_ID_LETTERS: Final = "abcxyzABCXYZ0123456789_-+.äßж"
_LONGEST: Final = 20  # longer texts find nothing more and make tests slow
_MOST: Final = 3
_NUMBERS: Final = st.integers(0, 2**40)
_FLAGS: Final = st.booleans()


def texts(format: str = DataFormats.JSON, min_size: int = 0) -> SearchStrategy[str]:  # noqa: A002 - as in encode
    """Return texts that a format carries."""
    if format == DataFormats.JSON:
        letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
        return st.text(letters, min_size=min_size, max_size=_LONGEST)
    letters = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff\ufeff")
    found = st.text(letters, min_size=min_size, max_size=_LONGEST).map(str.strip)
    return found.filter(lambda text: len(text) >= min_size)


def values(format: str = DataFormats.JSON) -> SearchStrategy[str]:  # noqa: A002 - as in encode
    """Return values: numbers in many spellings, words, and any text."""
    numbers = st.one_of(st.integers().map(str), st.floats(allow_nan=False, allow_infinity=False).map(repr))
    spelled = st.sampled_from(
        ["0000017", "1.50", "-0", "+3", "1E5", ".5", "JEBEL ALI", "open", "true", "null", "a,b"]
    )
    return st.one_of(numbers, spelled, texts(format))


def timestamps() -> SearchStrategy[str]:
    """Return timestamps of the years the service stores, with six fraction digits."""
    moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 12, 31))
    return moments.map(lambda found: str(moment(found)))


def datastream_ids() -> SearchStrategy[str]:
    """Return valid ids of datastreams."""
    return st.text(_ID_LETTERS, min_size=1, max_size=_LONGEST)


def _some(
    structure: Callable[..., _S],
    required: dict[str, SearchStrategy[Any]],
    optional: dict[str, SearchStrategy[Any]],
) -> SearchStrategy[_S]:
    fields = st.fixed_dictionaries(required, optional=optional)
    return fields.map(lambda given: structure(**given))


def _few(strategy: SearchStrategy[Any], least: int = 0) -> SearchStrategy[list[Any]]:
    return st.lists(strategy, min_size=least, max_size=_MOST)


def _tags(format: str) -> SearchStrategy[list[str]]:  # noqa: A002 - as in encode
    return st.lists(texts(format, min_size=_least(format)), max_size=_MOST)


def _least(format: str) -> int:  # noqa: A002 - as in encode
    """Return how long texts are where XML takes the empty one for nothing."""
    return 0 if format == DataFormats.JSON else 1


def _words(words: list[str], format: str) -> SearchStrategy[str]:  # noqa: A002 - as in encode
    return st.sampled_from([*words, ""] if format == DataFormats.JSON else words)


def units(format: str = DataFormats.JSON) -> SearchStrategy[Unit]:  # noqa: A002 - as in encode
    """Return units."""
    optional = {"type": _words(Unit.Valid_Unit_Types, format), "symbol": texts(format, _least(format))}
    label = {"label": texts(format, _least(format))}
    return _some(Unit, {}, optional | label) if format == DataFormats.JSON else _some(Unit, label, optional)


def _place(format: str) -> dict[str, SearchStrategy[Any]]:  # noqa: A002 - as in encode
    return {"lat": st.floats(-90, 90), "lon": st.floats(-180, 180), "ele": values(format).filter(bool)}


def waypoints(format: str = DataFormats.JSON) -> SearchStrategy[Waypoint]:  # noqa: A002 - as in encode
    """Return places where a feed has been."""
    return _some(Waypoint, {"at": timestamps()}, _place(format))


def locations(format: str = DataFormats.JSON) -> SearchStrategy[Location]:  # noqa: A002 - as in encode
    """Return locations."""
    optional = {
        "disposition": _words(Location.Valid_Disposition_Kinds, format),
        "exposure": _words(Location.Valid_Exposure_Kinds, format),
        **_place(format),
        "waypoints": _few(waypoints(format), least=_least(format)),
    }
    domain = {"domain": _words(Location.Valid_Domain_Kinds, format)}
    name = {"name": texts(format, _least(format))}
    return (
        _some(Location, {}, optional | domain | name)
        if format == DataFormats.JSON
        else _some(Location, domain, optional | name)
    )


def datapoints(format: str = DataFormats.JSON) -> SearchStrategy[Datapoint]:  # noqa: A002 - as in encode
    """Return single values with their times; in CSV, which has no place for it, without the time."""
    if format == DataFormats.CSV:
        return _some(Datapoint, {"value": values(format)}, {})
    return _some(Datapoint, {"value": values(format)}, {"at": timestamps()})


def _histories(format: str, least: int = 0) -> SearchStrategy[list[Datapoint]]:  # noqa: A002 - as in encode
    point = _some(Datapoint, {"at": timestamps(), "value": values(format)}, {})
    return st.lists(point, min_size=least, max_size=4, unique_by=lambda found: found.at)


def datastreams(format: str = DataFormats.JSON, *, inside: bool = False) -> SearchStrategy[Datastream]:  # noqa: A002 - as in encode
    """
    Return datastreams.

    Args:
        format: what the documents will be.
        inside: whether they will be parts of a feed, which in CSV makes their ids appear.
    """
    if format == DataFormats.CSV:
        name = {"id": datastream_ids()} if inside else {}
        now = _some(Datastream, {**name, "current_value": values(format), "at": timestamps()}, {})
        then = _histories(format, least=2).map(lambda found: sorted(found, key=lambda point: str(point.at)))
        return now | _some(Datastream, {**name, "datapoints": then}, {})
    text = values(format)
    valued = {"current_value": text}
    optional = {
        "at": timestamps(),
        "max_value": text,
        "min_value": text,
        "tags": _tags(format),
        "unit": units(format),
        "datapoints": _histories(format),
    }
    if format == DataFormats.JSON:
        optional["updated"] = timestamps()
    named = {"id": datastream_ids()}
    return _some(Datastream, named | valued, optional)


def environments(format: str = DataFormats.JSON) -> SearchStrategy[Environment]:  # noqa: A002 - as in encode
    """Return feeds."""
    streams = st.lists(datastreams(format, inside=True), max_size=_MOST, unique_by=lambda stream: stream.id)
    if format == DataFormats.CSV:
        return streams.filter(bool).map(lambda found: Environment(datastreams=found))
    text = texts(format)
    optional: dict[str, SearchStrategy[Any]] = {
        "id": _NUMBERS,
        "title": text,
        "private": _FLAGS,
        "tags": _tags(format),
        "updated": timestamps(),
        "created": timestamps(),
        "user": _some(User, {"login": texts(format, min_size=1)}, {}),
        "datastreams": streams if format == DataFormats.JSON else streams.filter(bool),
        "location": locations(format),
    }
    names = ("icon", "website", "description", "feed", "auto_feed_url", "status", "email")
    optional |= dict.fromkeys((*names, "product_id", "device_serial"), text)
    optional["creator"] = texts(format, _least(format))
    return _some(Environment, {}, optional)


def environment_lists(format: str = DataFormats.JSON) -> SearchStrategy[EnvironmentList]:  # noqa: A002 - as in encode
    """Return pages of feeds; in CSV each has an id, because that is what its lines begin with."""
    if format == DataFormats.CSV:
        current = _some(
            Datastream, {"id": datastream_ids(), "current_value": values(format), "at": timestamps()}, {}
        )
        streams = st.lists(current, min_size=1, max_size=_MOST, unique_by=lambda stream: stream.id)
        feed = _some(Environment, {"id": _NUMBERS, "datastreams": streams}, {})
        feeds = st.lists(feed, min_size=1, max_size=_MOST, unique_by=lambda found: found.id)
        return _some(EnvironmentList, {"feeds": feeds}, {})
    counts = dict.fromkeys(("total_results", "start_index", "items_per_page"), _NUMBERS)
    return _some(EnvironmentList, {"feeds": _few(environments(format))}, counts)


def triggers(format: str = DataFormats.JSON) -> SearchStrategy[Trigger]:  # noqa: A002 - as in encode
    """Return triggers; those that compare nothing have no threshold."""
    optional = {
        "id": _NUMBERS,
        "url": texts(format),
        "user": texts(format),
        "environment_id": _NUMBERS,
        "stream_id": datastream_ids(),
        "notified_at": st.just("") | timestamps(),
    }
    comparing = {
        "trigger_type": st.sampled_from(["gt", "gte", "lt", "lte", "eq"]),
        "threshold_value": values(format),
    }
    other = {"trigger_type": st.sampled_from(["change", "frozen", "live"])}
    return _some(Trigger, {}, optional | comparing) | _some(Trigger, other, optional)


def resources(format: str = DataFormats.JSON) -> SearchStrategy[Resource]:  # noqa: A002 - as in encode
    """Return what permissions are limited to."""
    optional = {"datastream_id": datastream_ids(), "datastream_trigger_id": _NUMBERS}
    return _some(Resource, {"feed_id": _NUMBERS}, optional)


def permissions(format: str = DataFormats.JSON) -> SearchStrategy[Permission]:  # noqa: A002 - as in encode
    """Return permissions."""
    methods = st.lists(st.sampled_from(["get", "put", "post", "delete"]), min_size=1, unique=True)
    text = texts(format)
    optional = {
        "referer": text,
        "source_ip": text,
        "minimum_interval": _NUMBERS,
        "label": text,
        "resources": _few(resources(format)),
    }
    return _some(Permission, {"access_methods": methods}, optional)


def keys(format: str = DataFormats.JSON) -> SearchStrategy[Key]:  # noqa: A002 - as in encode
    """Return keys."""
    optional = {
        "api_key": texts(format),
        "expires_at": timestamps(),
        "label": texts(format),
        "private_access": _FLAGS,
        "permissions": _few(permissions(format)),
    }
    return _some(Key, {}, optional)


def users(format: str = DataFormats.JSON) -> SearchStrategy[User]:  # noqa: A002 - as in encode
    """Return accounts."""
    roles = _few(texts(format))
    names = ("login", "email", "password", "full_name", "first_name", "last_name", "api_key", "about")
    flags = ("deliver_email", "display_activity", "display_information", "display_stats")
    counts = ("feeds_count", "datastreams_count", "datastreams_allowed")
    optional: dict[str, SearchStrategy[Any]] = {"roles": roles, "creatable_roles": roles}
    optional |= dict.fromkeys((*names, "organisation", "time_zone", "website"), texts(format))
    optional |= dict.fromkeys((*flags, "receive_forum_notifications", "subscribed_to_mailings"), _FLAGS)
    optional |= dict.fromkeys((*counts, "daily_api_access_count", "total_api_access_count"), _NUMBERS)
    return _some(User, {}, optional)


def _list_of(
    structure: Callable[..., _S],
    field: str,
    elements: Callable[[str], SearchStrategy[Any]],
    format: str,  # noqa: A002 - as in encode
) -> SearchStrategy[_S]:
    return _some(structure, {field: _few(elements(format))}, {})


def trigger_lists(format: str = DataFormats.JSON) -> SearchStrategy[TriggerList]:  # noqa: A002 - as in encode
    """Return lists of triggers."""
    return _list_of(TriggerList, "triggers", triggers, format)


def key_lists(format: str = DataFormats.JSON) -> SearchStrategy[KeyList]:  # noqa: A002 - as in encode
    """Return lists of keys."""
    return _list_of(KeyList, "keys", keys, format)


def user_lists(format: str = DataFormats.JSON) -> SearchStrategy[UserList]:  # noqa: A002 - as in encode
    """Return lists of accounts."""
    return _list_of(UserList, "users", users, format)
