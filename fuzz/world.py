"""
What is really there in a service that is being fuzzed, so that requests can be about it.

Requests that are made of nothing but a description know no feed and no key: nearly all of them would end at
401 or 404. A `World` makes feeds with datastreams and datapoints, keys, triggers, accounts, products and
devices, and says which there are. It learns from the answers what the requests have made and deleted
themselves, and makes new things when few are left.
"""

from __future__ import annotations

import random
from typing import Any, Final

import requests

from txpachube.api.routes import build, match

__all__ = ["TIMEOUT", "World"]

FEWEST: Final = 3
"""Things of a kind that must be left; with fewer, new ones are made."""

MOST: Final = 30
"""Things of a kind that are remembered."""

TIMEOUT: Final = 30.0
"""Seconds for one request, on a busy machine."""

NOWHERE: Final = "http://127.0.0.1:9/hook"
"""Where webhooks go: the service sends none to its own machine."""

_MOMENTS: Final = tuple(f"2013-06-01T{hour:02}:00:00Z" for hour in range(8, 16))
_STREAMS: Final = ("temp", "door", "0", "ключ", "a.csv")

# A thing is what has the last of these among the parameters of its path.
_KINDS: Final = ("datastream_id", "feed_id", "key", "trigger_id", "login", "serial", "product_id")

Parameters = dict[str, str]


class World:
    """
    The things in a service.

    Args:
        url: of the service.
        account: ``login``, ``password`` and master key (``api_key``) of whom everything belongs to; neither
            the account nor this key is ever offered for deletion.

    Attributes:
        session: the connection to the service.
        keys: texts of keys that may do less than the master key.
    """

    def __init__(self, url: str, account: dict[str, str]) -> None:
        self.url = url
        self.account = account
        self.session = requests.Session()
        self.session.trust_env = False
        self.keys: list[str] = []
        self._things: dict[str, list[Parameters]] = {kind: [] for kind in _KINDS}
        self._made = 0

    def ask(self, method: str, path: str, document: Any = None) -> requests.Response:
        """Ask something with the master key."""
        headers = {"X-ApiKey": self.account["api_key"]}
        return self.session.request(method, self.url + path, json=document, headers=headers, timeout=TIMEOUT)

    def restock(self) -> None:
        """Make what there is too little of."""
        for kind, make in (
            ("datastream_id", self._make_feed),
            ("key", self._make_key),
            ("trigger_id", self._make_trigger),
            ("login", self._make_user),
            ("serial", self._make_device),
        ):
            for _ in range(FEWEST - len(self._things[kind])):
                self._made += 1
                self._remember(make())
        while len(self.keys) < FEWEST:
            self._made += 1
            self.keys.append(self._make_key()["key"])

    def parameters(self, names: set[str], chance: random.Random) -> Parameters:
        """Return parameters of a path that are about something that is there."""
        found: Parameters = {"at": chance.choice(_MOMENTS)}
        for kind in (*_KINDS, "activation_code"):
            if kind in names and kind not in found:
                there = [thing for things in self._things.values() for thing in things if kind in thing]
                found.update(chance.choice(there) if there else {})
        return {name: value for name, value in found.items() if name in names}

    def learn(self, method: str, path: str, status: int, location: str | None) -> None:
        """Note what a request made, or deleted, or found missing."""
        if location is not None:
            self._remember(_named(location))
        parameters = dict(match(method, path).parameters)
        deleted = method == "DELETE" or path.endswith("regenerate")
        # A datapoint that is missing says nothing of its datastream.
        if "datapoints" not in path and (status == 404 or (status == 200 and deleted)):
            self._forget(parameters)
            if "feed_id" in parameters:
                self._things["trigger_id"].clear()  # triggers go with what they watch

    def _remember(self, thing: Parameters) -> None:
        if not thing:
            return
        kind = next(kind for kind in _KINDS if kind in thing)
        things = self._things[kind]
        things.append(thing)
        del things[:-MOST]

    def _forget(self, thing: Parameters) -> None:
        if thing:
            for things in self._things.values():
                things[:] = [known for known in things if not thing.items() <= known.items()]

    def _make(self, name: str, document: Any, **parameters: str) -> Parameters:
        answer = self.ask("POST", build(name, **parameters), document)
        assert answer.status_code == 201, (name, answer.content)
        return _named(answer.headers["Location"])

    def _make_feed(self) -> Parameters:
        points = [{"at": at, "value": str(index)} for index, at in enumerate(_MOMENTS)]
        described = {
            "current_value": "21.5",
            "tags": ["air"],
            "unit": {"label": "Celsius"},
            "datapoints": points,
        }
        feed = self._make(
            "feeds.create",
            {
                "title": f"Feed {self._made}",
                "private": self._made % 2 == 0,
                "tags": ["fuzz"],
                "location": {"lat": 52.1, "lon": 9.4, "disposition": "mobile"},
                "datastreams": [{"id": name, **described} for name in _STREAMS],
            },
        )
        for name in _STREAMS[1:]:
            self._remember({**feed, "datastream_id": name})
        return {**feed, "datastream_id": _STREAMS[0]}

    def _make_key(self) -> Parameters:
        permissions: list[dict[str, Any]] = [
            {"access_methods": ["get", "put", "post", "delete"]},
            {"access_methods": ["get", "put"], "minimum_interval": 60},
            {"access_methods": ["get", "put", "delete"], "resources": [self._make_feed()]},
        ]
        chosen = permissions[self._made % 3]
        key = {"label": f"Key {self._made}", "private_access": self._made % 2 == 0, "permissions": [chosen]}
        return self._make("keys.create", {"key": key})

    def _make_trigger(self) -> Parameters:
        stream = self._make_feed()
        watching = {"environment_id": stream["feed_id"], "stream_id": stream["datastream_id"]}
        condition = {"trigger_type": "gt", "threshold_value": "15.0"}
        return self._make("triggers.create", {"url": NOWHERE, **condition, **watching})

    def _make_user(self) -> Parameters:
        login = f"fuzz{self._made}"
        return self._make(
            "users.create", {"login": login, "email": "fuzz@example.org", "password": "a password"}
        )

    def _make_device(self) -> Parameters:
        template = {"title": "Box", "datastreams": [{"id": "wind"}]}
        name = f"Box {self._made}"
        product = self._make("products.create", {"product": {"name": name, "feed_defaults": template}})
        serial = f"S{self._made}"
        self._make("devices.create", {"devices": [{"serial": serial}]}, **product)
        answer = self.ask("GET", build("devices.read", serial=serial, **product))
        return {"activation_code": answer.json()["device"]["activation_code"], **product, "serial": serial}


def _named(location: str) -> Parameters:
    """Return the parameters of the path in a ``Location``."""
    return dict(match("GET", "/" + location.split("/", 3)[-1]).parameters)
