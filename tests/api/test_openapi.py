"""The description of the API: valid, complete, and nothing in it that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from txpachube.api import openapi
from txpachube.api.openapi_answers import ANSWERS
from txpachube.api.openapi_bodies import BODIES
from txpachube.api.openapi_operations import OPERATIONS, endpoints
from txpachube.api.parameters import PATH, QUERY
from txpachube.api.routes import IMAGES, ROUTES, Route, match

BASE = "https://api.example"
DOCUMENT = openapi.document(ROUTES, BASE)
METHODS = {"get", "put", "post", "delete"}
TYPES = {"json": "application/json", "xml": "application/xml", "png": "image/png", "svg": "image/svg+xml"}
TRIGGERS = {"Trigger", "TriggerList", "NewTrigger", "TriggerChange"}
GRAPHS = {"datastreams.graph", "datastreams.history_graph"}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each operation of the document with its path and its method."""
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


ALL = [pytest.param(*found, id=found[2]["operationId"]) for found in operations()]


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference leads to, or the part itself."""
    while "$ref" in part:
        place: Any = DOCUMENT
        for name in part["$ref"].removeprefix("#/").split("/"):
            place = place[name]
        part = place
    return part


def references(part: Any) -> Iterator[str]:
    """Yield every reference in a part of the document."""
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def test_it_is_valid() -> None:
    """A validator of OpenAPI 3.1 has nothing to say against it."""
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_it_describes_every_route() -> None:
    """Each route has its methods and formats in it, and nothing else is in it."""
    described: dict[str, set[str]] = {}
    for path, method, operation in operations():
        found = match(method.upper(), re.sub(r"\{\w+\}", "1", path))
        assert found.route is not None, path
        types = described.setdefault(found.route.name, set())
        types.update(operation["responses"].get("200", {}).get("content", ()))
        types.update(operation.get("requestBody", {}).get("content", ()))
    assert described.keys() == {route.name for route in ROUTES}
    for route in ROUTES:
        csv = "text/plain" if route.method == "GET" else "text/csv"
        assert described[route.name] - {"application/javascript"} == {
            TYPES.get(kind, csv) for kind in route.formats
        }


def test_it_describes_only_what_is_served() -> None:
    """Of routes that are not served it says nothing, nor of what only they would answer."""
    some = openapi.document([route for route in ROUTES if route.name.startswith("triggers.")], BASE)
    assert set(some["paths"]) == {
        "/v2/triggers",
        "/v2/triggers/{trigger_id}",
        "/v2/triggers/{trigger_id}/debug",
        "/v1/triggers",
        "/v1/triggers/{trigger_id}",
    }
    assert set(some["components"]["schemas"]) == {"Error", *TRIGGERS, "Webhook", "Attempt"}


def test_it_says_where_the_service_is() -> None:
    """A program that is made from the document knows where to ask."""
    assert DOCUMENT["servers"] == [{"url": BASE}]


@pytest.mark.parametrize(("path", "method", "operation"), ALL)
def test_the_parameters_of_a_path_are_described(path: str, method: str, operation: dict[str, Any]) -> None:
    """What stands in braces in a path has a description and a schema."""
    found = [resolved(parameter) for parameter in operation.get("parameters", ())]
    in_path = [parameter for parameter in found if parameter["in"] == "path"]
    assert [parameter["name"] for parameter in in_path] == re.findall(r"\{(\w+)\}", path)
    assert all(parameter["required"] and parameter["schema"] for parameter in in_path)
    names = [parameter["name"] for parameter in found]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("path", "method", "operation"), ALL)
def test_every_failure_has_an_error(path: str, method: str, operation: dict[str, Any]) -> None:
    """Each status that an operation can have is there, and each failure says what its body is."""
    statuses = set(operation["responses"])
    assert {"400", "401", "403", "408", "413", "414", "431", "500", "503"} < statuses
    assert ("404" in statuses) == ("{" in path or path == "/metrics")
    assert ("304" in statuses) == (method == "get")
    assert ("422" in statuses) == ("requestBody" in operation or operation["operationId"] == "users_delete")
    assert len(statuses & {"200", "201"}) == 1
    for status, response in operation["responses"].items():
        if int(status) >= 400:
            schema = resolved(response)["content"]["application/json"]["schema"]
            name = "Health" if (path, status) == ("/health", "503") else "Error"
            assert schema == {"$ref": f"#/components/schemas/{name}"}


def test_operations_have_names_of_their_own() -> None:
    """Programs that are made from the document can call each operation by a name."""
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in ids)


def test_nothing_is_left_over() -> None:
    """Each component is used somewhere, and each description belongs to something that exists."""
    used = set(references(DOCUMENT))
    components = DOCUMENT["components"]
    for kind in ("schemas", "parameters", "responses", "headers"):
        for name in components[kind]:
            assert f"#/components/{kind}/{name}" in used, name
    assert {*components["schemas"]} == {name for name, shape in {**ANSWERS, **BODIES}.items() if shape.json}
    names = {route.name for route in ROUTES} | GRAPHS
    assert OPERATIONS.keys() == names
    assert QUERY.keys() <= names
    assert PATH.keys() == {name for route in ROUTES for name in re.findall(r"\{(\w+)\}", route.template)}


@pytest.mark.parametrize(
    ("name", "open_to_all"),
    [("feeds_read", False), ("keys_list", False), ("datastreams_graph_png", True), ("openapi_read", True)],
)
def test_it_says_what_needs_a_key(name: str, open_to_all: bool) -> None:
    """There are four ways to show a key, and some operations do without."""
    assert DOCUMENT["security"] == [
        {"ApiKey": []},
        {"PachubeApiKey": []},
        {"KeyParameter": []},
        {"Account": []},
    ]
    (found,) = [operation for _, _, operation in operations() if operation["operationId"] == name]
    assert found.get("security", DOCUMENT["security"]) == [{}] * open_to_all + DOCUMENT["security"]


def test_graphs_have_paths_of_their_own() -> None:
    """The parameters of graphs are not told where documents are read."""
    route = Route(
        "datastreams.read", "GET", "/feeds/{feed_id}/datastreams/{datastream_id}", ("json", *IMAGES)
    )
    found = list(endpoints([route]))
    assert [(endpoint.path.rpartition("}")[2], endpoint.formats) for endpoint in found] == [
        ("", ("json", "png")),
        (".png", ("png",)),
        (".svg", ("svg",)),
    ]
    named = [{parameter.name for parameter in endpoint.query} for endpoint in found]
    assert "width" not in named[0]
    assert {"width", "w"} <= named[1] == named[2]
