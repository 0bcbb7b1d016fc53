"""The documents of the real service, as any JSON parser reads them, and the structures built from them."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

import pytest
from pytest_twisted import blockon

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
    Resource,
    Unit,
)
from txpachube.client import Client
from txpachube.structures.base import Structure
from txpachube.testing.service import ServiceProcess

AT = "2013-06-01T10:15:02.001200Z"

# What the strictest of the old programs takes: it fails on any other key.
KEYS: dict[str, set[str]] = {
    "feed": {
        *("id", "title", "private", "website", "tags", "description", "feed", "auto_feed_url", "status"),
        *("updated", "created", "email", "creator", "version", "datastreams", "location"),
    },
    "datastream": {
        *("id", "current_value", "at", "max_value", "min_value", "tags", "unit", "datapoints", "version")
    },
    "location": {"name", "domain", "exposure", "disposition", "lat", "lon", "ele", "waypoints"},
    "waypoint": {"at", "lat", "lon"},
    "unit": {"label", "type", "symbol"},
    "datapoint": {"at", "value"},
    "key": {"api_key", "label", "permissions", "expires_at", "private_access"},
    "permission": {"access_methods", "source_ip", "referer", "minimum_interval", "label", "resources"},
    "resource": {"feed_id", "datastream_id"},
    "page": {"totalResults", "startIndex", "itemsPerPage", "results"},
}
PARTS = {
    "datastreams": "datastream",
    "datapoints": "datapoint",
    "waypoints": "waypoint",
    "permissions": "permission",
    "resources": "resource",
    "results": "feed",
    "location": "location",
    "unit": "unit",
}


@pytest.fixture
def feed_id(client: Client) -> str:
    """Return a mobile feed with everything, that has been somewhere else before, and a key that is for it."""
    feed = Environment(
        title="Van",
        description="On the road",
        website="http://van.example",
        email="van@example.org",
        tags=["a", "b"],
        location=Location(
            name="Here", domain="physical", exposure="outdoor", disposition="mobile", lat=50, lon=8.5
        ),
        datastreams=[
            Datastream(
                id="speed",
                current_value="50",
                at=AT,
                tags=["wheel"],
                unit=Unit(label="Kilometres per hour", symbol="km/h", type="derivedUnits"),
                datapoints=[Datapoint(at="2013-06-01T10:00:00Z", value="40")],
            )
        ],
    )
    feed_id: str = blockon(client.create_feed(data=feed))
    blockon(client.update_feed(feed_id=feed_id, data=Environment(location={"lat": 51, "lon": 8.25})))
    permission = Permission(
        access_methods=["get"],
        source_ip="127.0.0.1",
        referer="van.example",
        minimum_interval=60,
        label="p",
        resources=[Resource(feed_id=int(feed_id), datastream_id="speed")],
    )
    key = Key(label="k", expires_at="2099-01-01T00:00:00Z", permissions=[permission])
    blockon(client.create_api_key(data=key))
    return feed_id


DOCUMENTS: list[tuple[type[Structure], str, str]] = [
    (Environment, "/v2/feeds/{feed}.json", "feed"),
    (Environment, "/v2/feeds/{feed}.json?start=2013-06-01T10:00:00Z&duration=1hour&interval=0", "feed"),
    (EnvironmentList, "/v2/feeds.json?ids={feed}", "page"),
    (Datastream, "/v2/feeds/{feed}/datastreams/speed.json", "datastream"),
    (Datastream, "/v2/feeds/{feed}/datastreams/speed.json?end=2013-06-01T11:00:00Z", "datastream"),
    (Datapoint, f"/v2/feeds/{{feed}}/datastreams/speed/datapoints/{AT}.json", "datapoint"),
    (KeyList, "/v2/keys.json?feed_id={feed}", "keys"),
]


def _read(service: ServiceProcess, path: str, feed_id: str) -> Any:
    request = Request(service.url + path.format(feed=feed_id), headers={"X-ApiKey": service.api_key})
    with urlopen(request, timeout=20) as answer:
        return json.load(answer)


@pytest.mark.parametrize(("structure", "path", "kind"), DOCUMENTS)
@pytest.mark.parametrize("format_", [DataFormats.JSON, DataFormats.XML])
def test_structures_are_built_from_answers(
    service: ServiceProcess, feed_id: str, structure: type[Structure], path: str, kind: str, format_: str
) -> None:
    """An answer's fields are a structure's keywords, and what was built survives both formats."""
    document = _read(service, path, feed_id)
    built = structure(**document)
    assert structure().decode(built.encode(format_), format_) == built
    assert json.loads(built.encode()) == document


@pytest.mark.parametrize(("structure", "path", "kind"), DOCUMENTS)
def test_answers_have_only_the_keys_that_strict_programs_take(
    service: ServiceProcess, feed_id: str, structure: type[Structure], path: str, kind: str
) -> None:
    """Nothing in an answer has a key that the official library of the time would fail on."""
    document = _read(service, path, feed_id)
    found = [(kind, document)] if kind != "keys" else [("key", key) for key in document["keys"]]
    seen = set()
    while found:
        name, fields = found.pop()
        assert fields.keys() <= KEYS[name], name
        seen.add(name)
        for field, inside in fields.items():
            if field in PARTS:
                parts = inside if isinstance(inside, list) else [inside]
                found += [(PARTS[field], part) for part in parts]
    if kind in ("feed", "page"):
        assert {"datastream", "location", "unit"} <= seen
    if path == "/v2/feeds/{feed}.json":
        assert "waypoint" in seen
