"""Products: list, create, read, update, delete."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest

from txpachube.server.operations import products
from txpachube.server.storage.products import Product, ProductWish
from txpachube.testing.garden import PRODUCT
from txpachube.testing.inprocess import InProcess

TEMPLATE: Final[dict[str, Any]] = {
    "title": "Weather box",
    "private": "true",
    "tags": ["box", "weather"],
    "description": "On a roof",
    "location": {"exposure": "outdoor", "ele": "41.0", "lat": 52.1},
    "datastreams": [
        {
            "id": "rain",
            "tags": ["water"],
            "unit": {"type": "derivedSI", "symbol": "mm", "label": "Millimetre"},
        },
        {"id": "wind"},
    ],
}


async def create(garden: InProcess, key: str | None = None, **product: Any) -> str:
    """Make a product and return its id."""
    body = json.dumps({"product": {"name": "Weather box", **product}})
    answer = await garden.ask("POST /v2/products.json", body, key=key)
    assert (answer.status, answer.body) == (201, b""), answer.body
    assert answer.location is not None
    begin, _, product_id = answer.location.rpartition("/")
    assert begin == "http://api.example/v2/products"
    return product_id


async def read(garden: InProcess, path: str, key: str | None = None) -> Any:
    """Return a JSON document."""
    answer = await garden.ask(f"GET {path}", key=key)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


async def test_a_product_needs_nothing_but_a_name(garden: InProcess) -> None:
    """The service chooses id and secret, of 20 characters and 40 hex digits; the fields have their order."""
    product_id = await create(garden)
    assert re.fullmatch("[A-Za-z0-9_-]{20}", product_id)
    answer = await garden.ask(f"GET /v2/products/{product_id}")
    product = json.loads(answer.body)["product"]
    assert re.fullmatch("[0-9a-f]{40}", product["secret"])
    assert answer.body.decode() == (
        f'{{"product":{{"description":"","name":"Weather box","product_id":"{product_id}",'
        f'"secret":"{product["secret"]}","state":"develop","devices_count":0,"activated_devices_count":0,'
        '"feed_defaults":{},"user":"rosa"}}'
    )
    other = await create(garden)
    assert other != product_id
    assert (await read(garden, f"/v2/products/{other}"))["product"]["secret"] != product["secret"]


async def test_a_body_without_the_root_is_taken(garden: InProcess) -> None:
    """The fields may stand alone; what only the service says is ignored."""
    body = json.dumps({"name": "Box", "secret": "00" * 20, "product_id": "x" * 20, "user": "otto"})
    made = await garden.ask("POST /v2/products", body)
    assert made.status == 201
    assert made.location is not None
    product = (await read(garden, made.location.removeprefix("http://api.example")))["product"]
    assert (product["name"], product["user"]) == ("Box", "rosa")
    assert product["secret"] != "00" * 20
    assert product["product_id"] != "x" * 20


async def test_the_template_comes_back_in_the_order_of_a_feed(garden: InProcess) -> None:
    """All that devices share is kept, ``private`` as a text, tags sorted; values are not taken over."""
    given = {
        "datastreams": [
            {**TEMPLATE["datastreams"][0], "current_value": "7", "max_value": 9, "datapoints": []},
            {"id": "wind", "unit": {}, "tags": ""},
        ],
        "location": {**TEMPLATE["location"], "name": "", "ele": 41.0},
        "description": "On a roof",
        "tags": "weather,box",
        "private": True,
        "title": "Weather box",
        "website": "",
        "updated": "no time",
        "id": 7,
    }
    product_id = await create(garden, feed_defaults=given)
    product = (await read(garden, f"/v2/products/{product_id}"))["product"]
    assert json.dumps(product["feed_defaults"]) == json.dumps(TEMPLATE)


async def test_a_list_is_paged(garden: InProcess) -> None:
    """Products stand in the order in which they were made, thirty on a page if nothing is said."""
    ids = [await create(garden, name=f"Box {number}") for number in range(32)]
    first = await read(garden, "/v2/products.json")
    assert list(first) == ["totalResults", "products"]
    assert first["totalResults"] == 32
    assert [product["product_id"] for product in first["products"]] == ids[:30]
    second = await read(garden, "/v2/products?page=2")
    assert [product["name"] for product in second["products"]] == ["Box 30", "Box 31"]
    assert second["totalResults"] == 32
    third = await read(garden, "/v2/products?page=3&per_page=10")
    assert [product["product_id"] for product in third["products"]] == ids[20:30]
    assert await read(garden, "/v2/products?page=9") == {"totalResults": 32, "products": []}
    assert len((await read(garden, "/v2/products?per_page=2000"))["products"]) == 32


async def test_an_account_sees_its_own_products_only(garden: InProcess) -> None:
    """Somebody else's product does not exist, whatever is asked of it."""
    product_id = await create(garden)
    others = await read(garden, "/v2/products", "master-of-otto")
    assert [product["product_id"] for product in others["products"]] == [PRODUCT]
    assert (await read(garden, "/v2/products"))["totalResults"] == 1
    path = f"/v2/products/{product_id}"
    for line, body in (
        (f"GET {path}", ""),
        (f"PUT {path}", '{"name":"Mine"}'),
        (f"DELETE {path}", ""),
        (f"GET {path}/devices", ""),
        (f"POST {path}/devices", '{"devices":[{"serial":"a"}]}'),
    ):
        assert (await garden.ask(line, body, key="master-of-otto")).status == 404
    assert (await read(garden, path))["product"]["name"] == "Weather box"


@pytest.mark.parametrize("key", ["public-of-rosa", "reader-of-rosa", "greenhouse", "at-home"])
async def test_only_a_master_key_will_do(garden: InProcess, key: str) -> None:
    """Who has a product's secret can activate all of its devices, so no lesser key sees it."""
    product_id = await create(garden)
    path = f"/v2/products/{product_id}"
    assert (await garden.ask(f"POST {path}/devices", '[{"serial":"a"}]')).status == 201
    for line in (
        "GET /v2/products",
        "POST /v2/products",
        *(f"{method} {path}" for method in ("GET", "PUT", "DELETE")),
        *(f"{method} {path}/devices" for method in ("GET", "POST")),
        *(f"{method} {path}/devices/a" for method in ("GET", "PUT", "DELETE")),
    ):
        assert (await garden.ask(line, key=key)).status == 403
        assert (await garden.ask(line, key="")).status == 401


async def test_an_update_changes_what_it_names(garden: InProcess) -> None:
    """What is absent stays, what is empty is cleared, and a template is replaced as a whole."""
    product_id = await create(garden, description="Old", state="deploy", feed_defaults=TEMPLATE)
    path = f"/v2/products/{product_id}"
    before = (await read(garden, path))["product"]
    answer = await garden.ask(f"PUT {path}.json", '{"product":{"name":"Rain box","secret":"x"}}')
    assert (answer.status, answer.body) == (200, b"")
    assert (await read(garden, path))["product"] == {**before, "name": "Rain box"}
    body = {"description": None, "state": "", "feed_defaults": {"datastreams": [{"id": "rain"}]}}
    assert (await garden.ask(f"PUT {path}", json.dumps(body))).status == 200
    assert (await read(garden, path))["product"] == {
        **before,
        "name": "Rain box",
        "description": "",
        "state": "develop",
        "feed_defaults": {"datastreams": [{"id": "rain"}]},
    }
    for cleared in ("null", '""', "{}"):
        assert (await garden.ask(f"PUT {path}", f'{{"feed_defaults":{cleared}}}')).status == 200
        assert (await read(garden, path))["product"]["feed_defaults"] == {}


async def test_a_refused_update_changes_nothing(garden: InProcess) -> None:
    """With one thing wrong, nothing of a body counts, and everything that is wrong is said."""
    product_id = await create(garden, feed_defaults=TEMPLATE)
    path = f"/v2/products/{product_id}"
    before = await read(garden, path)
    body = {
        "name": " ",
        "description": "New",
        "state": "sold",
        "feed_defaults": {"private": "maybe", "title": ""},
    }
    answer = await garden.ask(f"PUT {path}", json.dumps(body))
    assert answer.status == 422
    assert json.loads(answer.body)["errors"] == [
        "Name can't be blank",
        "State is not included in the list",
        "Feed defaults: Title can't be blank",
        "Feed defaults: Private must be true or false",
    ]
    assert await read(garden, path) == before


async def test_a_deleted_product_is_gone_with_its_devices(garden: InProcess) -> None:
    """Afterwards neither the product nor a device or its activation code is known."""
    product_id = await create(garden)
    path = f"/v2/products/{product_id}"
    await garden.ask(f"POST {path}/devices", '{"devices":[{"serial":"a"}]}')
    code = (await read(garden, f"{path}/devices/a"))["device"]["activation_code"]
    assert (await garden.ask(f"DELETE {path}")).status == 200
    for line in (
        f"GET {path}",
        f"DELETE {path}",
        f"PUT {path}",
        f"GET {path}/devices",
        f"GET {path}/devices/a",
    ):
        assert (await garden.ask(line, "{}")).status == 404
    assert (await garden.ask(f"GET /v2/devices/{code}/activate", key="")).status == 404
    assert (await read(garden, "/v2/products"))["totalResults"] == 0


async def test_products_are_json_only(garden: InProcess) -> None:
    """There is neither XML nor CSV of them, in either direction."""
    product_id = await create(garden)
    for line in ("GET /v2/products.xml", f"GET /v2/products/{product_id}.csv", "POST /v2/products.xml"):
        assert (await garden.ask(line, "<product/>")).status == 406
    assert (await garden.ask("POST /v2/products", "<product><name>x</name></product>")).status == 406


async def test_an_account_has_no_end_of_room_for_products(
    garden: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of an account's products is limited; those of others and deleted ones do not count."""
    monkeypatch.setattr("txpachube.server.storage.products.MAX_PRODUCTS", 2)
    first, _ = await create(garden), await create(garden)
    answer = await garden.ask("POST /v2/products", '{"name":"One more"}')
    assert answer.status == 422
    assert json.loads(answer.body)["errors"] == ["Products are too many"]
    await garden.ask(f"DELETE /v2/products/{first}")
    await create(garden)


def test_the_largest_template_is_taken() -> None:
    """A template may be as long as is said, and not a byte longer."""
    room = products.MAX_TEMPLATE - len('{"description":""}')
    wish = products.read_wish({"name": "x", "feed_defaults": {"description": "d" * room}}, None)
    assert len(wish.template["description"]) == room
    streams = [{"id": str(number)} for number in range(products.MAX_TEMPLATE_STREAMS)]
    wish = products.read_wish({"name": "x", "feed_defaults": {"datastreams": streams}}, None)
    assert wish.template["datastreams"] == streams


def test_a_secret_is_not_shown() -> None:
    """A product can be logged: its secret does not appear."""
    product = Product("Box", "", "develop", {}, 1, "p" * 20, 1, "rosa", "5ec7e7", 0, 0)
    assert "5ec7e7" not in repr(product)
    assert isinstance(product, ProductWish)
