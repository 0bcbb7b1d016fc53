"""
Asks a real service everything that its own description allows, and much that it does not.

    python -m fuzz.api [--cases 10000] [--seconds 1800] [--seed 1] [--only TEXT] [--table]

Schemathesis makes the requests out of ``/v2/openapi.json``; they are then aimed at feeds, keys and other
things that are there (`fuzz.world`). What must hold for each answer: it is no 5xx, its status is among those
described for the operation, and its content type, its headers and its body are as described. At the end the
service must still be there and have logged no traceback, and enough of the requests must have succeeded to be
worth it. For what goes wrong a curl command is printed.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import schemathesis
from fuzz.world import NOWHERE, TIMEOUT, World
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from lxml import etree
from requests.auth import _basic_auth_str
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from txpachube.api.routes import EXTENSIONS
from txpachube.testing.service import ServiceProcess
from txpachube.testing.strategies import (
    datapoints,
    datastream_ids,
    datastreams,
    environments,
    keys,
    timestamps,
    triggers,
    users,
)


def well_formed(_context: Any, response: Any, _case: Case[Any]) -> bool | None:
    """Check what is answered in formats that have no schema."""
    kind = response.headers.get("content-type", [""])[0].partition(";")[0]
    body: bytes = response.content
    if kind == "application/xml" and body:
        etree.fromstring(body)
    elif kind == "image/png":
        assert re.fullmatch(rb"\x89PNG.*IEND\xaeB`\x82", body, re.DOTALL), "no picture"
    elif kind in ("text/plain", "image/svg+xml"):
        body.decode()
    elif kind == "application/javascript":
        assert re.fullmatch(rb"\w+\(.*\)", body, re.DOTALL), "no call of a function"
    return None


CHECKS: Final = [
    well_formed,
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

AT_ONCE: Final = 25
"""Cases of an operation before the next one has its turn."""

MOST_FAILURES: Final = 20
"""Different failures, after which it is enough."""

LEAST_SUCCESSES: Final = 0.3
"""Share of the requests that must succeed; with fewer they are aimed badly."""

ACCEPTED: Final = (
    *("application/json", "application/xml", "text/csv", "text/plain", "image/png", "text/html"),
    "application/json;q=0.5, application/xml",
)

# How bodies call what paths call by another name.
BODY_IDS: Final = {
    "feed_id": "feed_id",
    "environment_id": "feed_id",
    "datastream_id": "datastream_id",
    "stream_id": "datastream_id",
    "datastream_trigger_id": "trigger_id",
}

# What is sent as XML and CSV, by the name of its shape in JSON: of these the description says only that they
# are texts.
DOCUMENTS: Final[dict[str, Any]] = {
    "Feed": environments,
    "OldFeed": environments,
    "Datastreams": environments,
    "OldDatastreams": environments,
    "Datastream": datastreams,
    "OldDatastream": datastreams,
    "Datapoints": datapoints,
    "Datapoint": datapoints,
    "Key": keys,
    "Trigger": triggers,
    "User": users,
}
WITHOUT_CSV: Final = (keys, triggers, users)

schemathesis.openapi.format("datastream-id", datastream_ids())
schemathesis.openapi.format("date-time", timestamps())


@schemathesis.serializer("text/csv")
def as_it_is(_context: Any, value: Any) -> bytes:
    """Send CSV as the text it is."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


class Fuzzer:
    """
    Asks a service.

    Args:
        world: what there is to be asked about.
        number: of which everything random is made.

    Attributes:
        statuses: how many answers had which status, by operation.
        failures: what went wrong, with how to do it again.
    """

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self._number = number
        self._chance = random.Random(number)
        described = world.ask("GET", "/v2/openapi.json").json()
        # Who asks is decided here; left to itself nearly every request would show a key that nobody knows.
        del described["security"], described["components"]["securitySchemes"]
        for item in described["paths"].values():
            for operation in item.values():
                operation.pop("security", None)
        schema = schemathesis.openapi.from_dict(described)
        self._operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
        self.statuses = {operation.label: Counter[int]() for operation in self._operations}
        self.failures: dict[str, str] = {}

    @property
    def total(self) -> Counter[int]:
        """How many answers had which status."""
        return sum(self.statuses.values(), Counter())

    def run(self, cases: int, seconds: float, only: str = "") -> None:
        """Make so many requests, as far as there is time for them."""
        operations = [operation for operation in self._operations if only in operation.label]
        at_once = min(AT_ONCE, -(-cases // len(operations)))
        end = time.monotonic() + seconds
        turn = 0
        while True:
            turn += 1
            for operation in operations:
                left = cases - self.total.total()
                if left <= 0 or time.monotonic() > end or len(self.failures) >= MOST_FAILURES:
                    return
                self._ask_about(operation, min(at_once, left), turn)

    def _ask_about(self, operation: Any, cases: int, turn: int) -> None:
        meant, broken = (operation.as_strategy(generation_mode=mode) for mode in GenerationMode)

        @seed(f"{self._number} {turn} {operation.label}")
        @settings(
            max_examples=cases,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=st.one_of(meant, meant, broken), document=documents(operation))
        def ask(case: Case[Any], document: dict[str, bytes]) -> None:
            self._world.restock()
            self._aim(case, document)
            self._ask(case)

        ask()

    def _aim(self, case: Case[Any], document: dict[str, bytes]) -> None:
        """Let a case be about something that is there, most of the time."""
        chance, headers = self._chance, case.headers
        if chance.random() < 0.85:
            case.path_parameters.update(self._world.parameters(set(case.path_parameters), chance))
        for name in list(case.query):  # all of them together contradict each other
            if chance.random() < 0.4:
                del case.query[name]
        if case.media_type in document and chance.random() < 0.9:
            case.body = document[case.media_type]
        elif chance.random() < 0.7:
            self._fill(case.body)
        keep_inside(case.body)
        if chance.random() < 0.15 and "." not in case.path:
            case.path += f".{chance.choice(EXTENSIONS)}"
        headers["Accept"] = chance.choice(ACCEPTED) if chance.random() < 0.5 else "*/*"
        if chance.random() < 0.1:
            headers["Accept-Encoding"] = "gzip"
        if chance.random() < 0.1:
            headers["Origin"] = "https://page.example"
        self._show_key(case)

    def _fill(self, body: Any) -> None:
        """Put ids of what is there into a body."""
        if isinstance(body, dict):
            known = self._world.parameters(set(BODY_IDS.values()), self._chance)
            for name, value in body.items():
                if BODY_IDS.get(name) in known:
                    body[name] = known[BODY_IDS[name]]
                else:
                    self._fill(value)
        elif isinstance(body, list):
            for value in body:
                self._fill(value)

    def _show_key(self, case: Case[Any]) -> None:
        account, way = self._world.account, self._chance.random()
        if way < 0.75:
            case.headers["X-ApiKey"] = account["api_key"]
        elif way < 0.87:
            case.headers["X-PachubeApiKey"] = self._chance.choice(self._world.keys)
        elif way < 0.91:
            case.query["key"] = account["api_key"]
        elif way < 0.94:
            case.headers["Authorization"] = _basic_auth_str(account["login"], account["password"])
        elif way < 0.97:
            case.headers["X-ApiKey"] = "nobody-knows-this"

    def _ask(self, case: Case[Any]) -> None:
        world = self._world
        answer = case.call(base_url=world.url, session=world.session, timeout=TIMEOUT)
        label = case.operation.label
        self.statuses[label][answer.status_code] += 1
        path = re.sub(r"^https?://[^/]+|[?].*$", "", str(answer.request.url))
        world.learn(case.method, path, answer.status_code, answer.headers.get("location", [None])[0])
        shown = case.headers.get("X-PachubeApiKey")
        if answer.status_code == 401 and shown in world.keys:
            world.keys.remove(shown)  # it went with the feed that it was for
        try:
            case.validate_response(answer, checks=CHECKS)
        except (FailureGroup, Failure, AssertionError, ValueError, etree.XMLSyntaxError) as found:
            for failure in found.exceptions if isinstance(found, FailureGroup) else [found]:
                name = " ".join(f"{label}: {answer.status_code} {failure}".split())[:300]
                self.failures.setdefault(name, f"{case.as_curl_command()}\n{answer.content[:500]!r}")


def keep_inside(body: Any) -> None:
    """Let no trigger send webhooks to the world outside."""
    if isinstance(body, dict):
        for name, value in body.items():
            if name == "url" and isinstance(value, str) and ":" in value:
                body[name] = NOWHERE
            else:
                keep_inside(value)
    elif isinstance(body, list):
        for value in body:
            keep_inside(value)


def documents(operation: Any) -> st.SearchStrategy[dict[str, bytes]]:
    """Return what an operation takes, in the formats that have no schema, by content type."""
    schemas = [body.definition.get("schema", {}) for body in operation.body]
    names = [str(schema.get("$ref", "")).rpartition("/")[2] for schema in schemas]
    shapes = [re.sub(r"^New|Change$", "", name) for name in names if name]
    make = DOCUMENTS.get(shapes[0]) if shapes else None
    if make is None:
        return st.just({})
    found = {"application/xml": spoiled(make("xml").map(lambda made: made.encode("xml")))}
    if make not in WITHOUT_CSV:
        found["text/csv"] = spoiled(make("csv").map(lambda made: made.encode("csv")))
    return st.fixed_dictionaries(found)


@st.composite
def spoiled(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> bytes:
    """Return a text as bytes, of which now and then something is missing or something else."""
    data = draw(texts).encode("utf-8", "replace")
    if draw(st.integers(0, 3)):
        return data
    start, length = draw(st.integers(0, len(data))), draw(st.integers(0, 8))
    marks = st.sampled_from([b"", b"<", b">", b"&", b'"', b",", b"\n", b"\0", b"\xff"])
    return data[:start] + draw(marks | st.binary(max_size=4)) + data[start + length :]


def main() -> None:
    """Fuzz a service in a child process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=1800.0, help="at most (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="for the same requests again, about")
    parser.add_argument("--only", default="", help="operations with this in their method and path")
    parser.add_argument("--table", action="store_true", help="show the statuses of each operation")
    options = parser.parse_args()
    number = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ServiceProcess(Path(folder) / "data") as service:
        world = World(service.url, service.account)
        fuzzer = Fuzzer(world, number)
        fuzzer.run(options.cases, options.seconds, options.only)
        world.session.close()
        alive, log = service.running, service.log
    sys.exit(not report(fuzzer, time.monotonic() - began, number, alive, log, options.table))


def report(fuzzer: Fuzzer, took: float, number: int, alive: bool, log: str, table: bool) -> bool:
    """Print what was found; return whether all is well."""
    total = fuzzer.total
    asked = [label for label, statuses in fuzzer.statuses.items() if statuses]
    print(f"{total.total()} cases of {len(asked)} operations in {took:.0f} seconds, seed {number}")
    print(_shown(total))
    if table:
        for label in asked:
            print(f"{label}: {_shown(fuzzer.statuses[label])}")
    for name, again in fuzzer.failures.items():
        print(f"\n{name}\n{again}")
    if not alive:
        print("\nThe service is gone")
    if "Traceback" in log:
        print(f"\nThe service logged:\n{log}")
    succeeded = sum(count for status, count in total.items() if status < 400)
    well_aimed = succeeded >= LEAST_SUCCESSES * total.total()
    if not well_aimed:
        print(f"\nOnly {succeeded} succeeded: the requests are aimed badly")
    return alive and well_aimed and not fuzzer.failures and "Traceback" not in log


def _shown(statuses: Counter[int]) -> str:
    return ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))


if __name__ == "__main__":
    main()
