"""The description of the API, as the service gives it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from txpachube.api import openapi
from txpachube.api.messages import Request
from txpachube.api.openapi_operations import endpoints
from txpachube.api.parameters import names
from txpachube.api.routes import ROUTES
from txpachube.server.operations import OPERATIONS
from txpachube.testing.inprocess import InProcess

ASKED = "GET /v2/openapi.json"
SERVED = [route for route in ROUTES if route.name in OPERATIONS]


@pytest.mark.parametrize("path", ["/v2/openapi.json", "/api/v2/openapi.json", "/v2/openapi"])
async def test_everybody_may_read_it(common_garden: InProcess, path: str) -> None:
    """It needs no key, and is there under the internal mount point as well."""
    answer = await common_garden.ask(f"GET {path}", key="", headers={"origin": "https://viewer.example"})
    assert (answer.status, answer.content_type) == (200, "application/json; charset=utf-8")
    assert ("Access-Control-Allow-Origin", "*") in answer.extra
    assert json.loads(answer.body)["openapi"] == "3.1.0"


async def test_it_tells_exactly_what_is_served(common_garden: InProcess) -> None:
    """Every operation of the service is in it, and no other; and it is valid."""
    told: dict[str, Any] = json.loads((await common_garden.ask(ASKED)).body)
    described = {(path, method.upper()) for path, item in told["paths"].items() for method in item}
    assert described == {(endpoint.path, endpoint.route.method) for endpoint in endpoints(SERVED)}
    assert list(OpenAPIV31SpecValidator(told).iter_errors()) == []


async def test_it_says_how_the_service_was_reached(common_garden: InProcess) -> None:
    """The address in it is the one the client used, and however many there are they cost no memory."""
    for host in ("a.example", "b.example:8000", "a.example", *(f"{n}.example" for n in range(20))):
        told = json.loads((await common_garden.ask(ASKED, headers={"host": host})).body)
        assert told == openapi.document(SERVED, f"http://{host}")


async def test_it_is_not_sent_again(common_garden: InProcess) -> None:
    """Who has it is told that it has not changed."""
    tag = (await common_garden.ask(ASKED)).etag
    assert tag is not None
    answer = await common_garden.ask(ASKED, headers={"if-none-match": tag})
    assert (answer.status, answer.body) == (304, b"")


async def test_there_is_no_other_format_of_it(common_garden: InProcess) -> None:
    """It is JSON; whoever wants something else is told so."""
    assert (await common_garden.ask("GET /v2/openapi.xml")).status == 406


class Noting(dict[str, str]):
    """Query parameters that note which of them are looked at."""

    def __init__(self) -> None:
        super().__init__(x="1")
        self.noted: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        """Note a question."""
        self.noted.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.noted.add(str(name))
        return super().__contains__(name)


# These belong to every request, not to a route; there is no CSV of lists in version 1, and nobody minds.
OF_ALL = {"key", "apikey", "api_key", "callback", "_method"}
OF_CSV = {"depth", "full"}

PATHS = {
    "{feed_id}": "1",
    "{datastream_id}": "temp",
    "{at}": "2013-06-01T12:00:00Z",
    "{key}": "master-of-rosa",
    "{trigger_id}": "1",
    "{login}": "rosa",
    "{product_id}": "p" * 20,
    "{serial}": "1",
    "{activation_code}": "0" * 40,
}


@pytest.mark.parametrize("endpoint", list(endpoints(SERVED)), ids=lambda endpoint: endpoint.id)
async def test_every_parameter_that_is_read_is_described(garden: InProcess, endpoint: Any) -> None:
    """What an operation looks for in the query stands in the document, at that operation."""
    path = endpoint.path
    for name, value in PATHS.items():
        path = path.replace(name, value)
    request = Request(endpoint.route.method, path, "timezone=&x=1", {"x-apikey": "master-of-rosa"}, b"{}")
    request._query = noting = Noting()
    assert (await garden.app.handle(request)).status < 500
    assert noting.noted - OF_ALL - (set() if "csv" in endpoint.formats else OF_CSV) <= names(endpoint.name)
