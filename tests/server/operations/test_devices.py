"""Devices of a product: list, create, read, update, delete."""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest

from txpachube.server.operations.devices import MAX_NEW, MAX_SERIAL
from txpachube.server.storage.devices import activation_code
from txpachube.testing.inprocess import InProcess
from txpachube.times import SECOND

NO_DEVICE = "I'm sorry we are unable to find the device you are looking for."


@pytest.fixture
def product(garden: InProcess) -> Any:
    """Return a coroutine function that makes a product with devices and returns its path."""

    async def make(*serials: str, key: str | None = None) -> str:
        made = await garden.ask("POST /v2/products", '{"name":"Box"}', key=key)
        assert made.location is not None
        path = made.location.removeprefix("http://api.example")
        if serials:
            assert (await add(garden, path, *serials, key=key)).status == 201
        return path

    return make


async def add(garden: InProcess, path: str, *serials: object, key: str | None = None) -> Any:
    """Make devices."""
    body = json.dumps({"devices": [{"serial": serial} for serial in serials]})
    return await garden.ask(f"POST {path}/devices.json", body, key=key)


async def listed(garden: InProcess, target: str) -> list[str]:
    """Return the serial numbers in a list."""
    answer = await garden.ask(f"GET {target}")
    assert answer.status == 200, answer.body
    return [device["serial"] for device in json.loads(answer.body)["devices"]]


async def test_what_is_made_is_listed(garden: InProcess, product: Any) -> None:
    """The answer names the collection; devices stand in the order given, each with its activation code."""
    path = await product()
    made = await add(garden, path, "abc123", "321cba")
    assert (made.status, made.body, made.location) == (201, b"", f"http://api.example{path}/devices")
    document = json.loads((await garden.ask(f"GET {path}")).body)["product"]
    secret = bytes.fromhex(document["secret"])
    codes = [hmac.new(secret, serial, "sha1").hexdigest() for serial in (b"abc123", b"321cba")]
    assert (await garden.ask(f"GET {path}/devices.json")).body.decode() == (
        '{"totalResults":2,"itemsPerPage":30,"startIndex":1,"devices":['
        f'{{"serial":"abc123","activation_code":"{codes[0]}","created_at":"2013-06-01T12:00:00Z",'
        '"activated_at":null},'
        f'{{"serial":"321cba","activation_code":"{codes[1]}","created_at":"2013-06-01T12:00:00Z",'
        '"activated_at":null}]}'
    )
    assert (document["devices_count"], document["activated_devices_count"]) == (2, 0)
    single = await garden.ask(f"GET {path}/devices/321cba")
    assert json.loads(single.body) == {
        "device": {
            "serial": "321cba",
            "activation_code": codes[1],
            "created_at": "2013-06-01T12:00:00Z",
            "activated_at": None,
        }
    }


def test_the_activation_code_is_the_one_that_openssl_makes() -> None:
    """The key of the HMAC is the secret as 20 bytes, not as 40 digits, and the code is lower-case."""
    assert (
        activation_code("00112233445566778899aabbccddeeff00112233", "abc123")
        == "c6a8307086d71b827a3474234dff48ac236c6f72"
    )


async def test_an_array_alone_is_taken(garden: InProcess, product: Any) -> None:
    """The list may stand alone, and a serial number that is a number keeps its digits."""
    path = await product()
    assert (await garden.ask(f"POST {path}/devices", '[{"serial":12345678901234567890123}]')).status == 201
    assert await listed(garden, f"{path}/devices") == ["12345678901234567890123"]


@pytest.mark.parametrize("serial", ["a", "Z9+-_:,", "+1", "00:0a:95:9d:68:16", "x" * MAX_SERIAL])
async def test_all_legal_characters_work_in_paths(garden: InProcess, product: Any, serial: str) -> None:
    """Whatever a serial number may have finds the device again, escaped or not."""
    path = await product(serial)
    escaped = "".join(f"%{ord(character):02X}" for character in serial)
    for written in (serial, escaped):
        answer = await garden.ask(f"GET {path}/devices/{written}.json")
        assert json.loads(answer.body)["device"]["serial"] == serial
        assert serial in await listed(garden, f"{path}/devices?serial={written}")
    assert (await garden.ask(f"DELETE {path}/devices/{serial}")).status == 200
    assert (await garden.ask(f"GET {path}/devices/{serial}")).status == 404


@pytest.mark.parametrize(
    ("serials", "errors"),
    [
        ([], ["Devices can't be blank"]),
        (["a", ""], ["Serial can't be blank"]),
        (["a", None], ["Serial can't be blank"]),
        (
            ["a", "b c", "ü", "b/c", "b.c"],
            [f"Serial is invalid: {bad}" for bad in ("b c", "ü", "b/c", "b.c")],
        ),
        (["a", "b\n"], ["Serial is invalid: b\n"]),
        (["x" * (MAX_SERIAL + 1)], [f"Serial is too long (maximum is {MAX_SERIAL} characters)"]),
        (["a", "b", "a", "a", "b"], ["Devices can't have duplicate serials: a, b"]),
        (["new", "old", "older"], ["Serial has already been taken: old, older"]),
        ([str(number) for number in range(MAX_NEW + 1)], [f"Devices is too long (maximum is {MAX_NEW})"]),
    ],
)
async def test_one_bad_device_refuses_all(
    garden: InProcess, product: Any, serials: list[Any], errors: list[str]
) -> None:
    """All devices are made or none, and what is wrong is said."""
    path = await product("old", "older")
    answer = await add(garden, path, *serials)
    assert (answer.status, json.loads(answer.body)["errors"]) == (422, errors)
    assert await listed(garden, f"{path}/devices") == ["old", "older"]
    assert json.loads((await garden.ask(f"GET {path}")).body)["product"]["devices_count"] == 2


@pytest.mark.parametrize(
    "body", ["{}", "[]", '{"devices":null}', '{"devices":[{}]}', '{"device":{"serial":"a"}}']
)
async def test_nothing_to_make_is_refused(garden: InProcess, product: Any, body: str) -> None:
    """A body without a serial number is not a success that makes nothing."""
    assert (await garden.ask(f"POST {await product()}/devices", body)).status == 422


async def test_products_do_not_share_serials(garden: InProcess, product: Any) -> None:
    """A serial number is unique within its product, and gives each product's device another code."""
    first, second = await product("a"), await product("a")
    codes = {
        json.loads((await garden.ask(f"GET {path}/devices/a")).body)["device"]["activation_code"]
        for path in (first, second)
    }
    assert len(codes) == 2
    await garden.ask(f"DELETE {first}/devices/a")
    assert (await garden.ask(f"GET {second}/devices/a")).status == 200


async def test_many_are_made_at_once_and_paged(garden: InProcess, product: Any) -> None:
    """As many as a request may have are made; pages count from 1."""
    serials = [f"s{number}" for number in range(MAX_NEW)]
    path = await product(*serials)
    page = json.loads((await garden.ask(f"GET {path}/devices?page=2")).body)
    assert (page["totalResults"], page["itemsPerPage"], page["startIndex"]) == (MAX_NEW, 30, 31)
    assert [device["serial"] for device in page["devices"]] == serials[30:60]
    page = json.loads((await garden.ask(f"GET {path}/devices?page=3&per_page=400")).body)
    assert (page["itemsPerPage"], page["startIndex"], len(page["devices"])) == (400, 801, 200)
    page = json.loads((await garden.ask(f"GET {path}/devices?page=2&per_page=2000")).body)
    assert (page["itemsPerPage"], page["startIndex"], page["devices"]) == (1000, 1001, [])


async def test_lists_are_filtered(garden: InProcess, product: Any) -> None:
    """``serial`` is a part of the serial number, ``activated`` says which; unknown words say nothing."""
    path = await product("alpha-1", "beta-1", "alpha-2", "Alpha+3", "beta%5F"[:4])
    code = json.loads((await garden.ask(f"GET {path}/devices/alpha-2")).body)["device"]["activation_code"]
    assert (await garden.ask(f"GET /v2/devices/{code}/activate", key="")).status == 200
    everything = ["alpha-1", "beta-1", "alpha-2", "Alpha+3", "beta"]
    for query, found in {
        "serial=alpha": ["alpha-1", "alpha-2"],
        "serial=-1": ["alpha-1", "beta-1"],
        "serial=a+3": ["Alpha+3"],
        "serial=a%2B3": ["Alpha+3"],
        "serial=_": [],
        "serial=%25": [],
        "serial=": everything,
        "activated=true": ["alpha-2"],
        "activated=false": ["alpha-1", "beta-1", "Alpha+3", "beta"],
        "activated=all": everything,
        "activated=perhaps": everything,
        "activated=False&serial=alpha": ["alpha-1"],
    }.items():
        assert await listed(garden, f"{path}/devices?{query}") == found, query
    page = json.loads((await garden.ask(f"GET {path}/devices?serial=beta&per_page=1")).body)
    assert (page["totalResults"], len(page["devices"])) == (2, 1)


async def test_a_serial_number_can_be_corrected(garden: InProcess, product: Any) -> None:
    """Before the activation a device may get another serial number, and a code with it, but nothing else."""
    path = await product("wrng", "other")
    before = json.loads((await garden.ask(f"GET {path}/devices/wrng")).body)["device"]
    body = '{"device":{"serial":"wrong","activation_code":"x","feed_id":1,"created_at":"2001-01-01"}}'
    assert (await garden.ask(f"PUT {path}/devices/wrng", body)).status == 200
    assert (await garden.ask(f"GET {path}/devices/wrng")).status == 404
    after = json.loads((await garden.ask(f"GET {path}/devices/wrong")).body)["device"]
    assert after["activation_code"] != before["activation_code"]
    assert {**after, "serial": "wrng", "activation_code": before["activation_code"]} == before
    old = await garden.ask(f"GET /v2/devices/{before['activation_code']}/activate", key="")
    assert old.status == 404
    for serial, errors in {
        "other": ["Serial has already been taken: other"],
        "": ["Serial can't be blank"],
        "a b": ["Serial is invalid: a b"],
    }.items():
        answer = await garden.ask(f"PUT {path}/devices/wrong", json.dumps({"serial": serial}))
        assert (answer.status, json.loads(answer.body)["errors"]) == (422, errors)
    for body in ("{}", '{"serial":"wrong"}'):
        assert (await garden.ask(f"PUT {path}/devices/wrong", body)).status == 200
    assert await listed(garden, f"{path}/devices") == ["wrong", "other"]


async def test_an_activated_device_keeps_its_serial_number(garden: InProcess, product: Any) -> None:
    """Its feed says the serial number too, so that it can't become another one any more."""
    path = await product("a")
    code = json.loads((await garden.ask(f"GET {path}/devices/a")).body)["device"]["activation_code"]
    await garden.ask(f"GET /v2/devices/{code}/activate", key="")
    answer = await garden.ask(f"PUT {path}/devices/a", '{"serial":"b"}')
    assert answer.status == 422
    assert json.loads(answer.body)["errors"] == ["Serial can't be changed after the activation"]
    assert (await garden.ask(f"PUT {path}/devices/a", '{"device":{"serial":"a"}}')).status == 200


async def test_an_unknown_device_has_a_text_of_its_own(garden: InProcess, product: Any) -> None:
    """Programs know that text; a missing product has the usual one."""
    path = await product("a")
    for method in ("GET", "PUT", "DELETE"):
        for serial in ("b", "A", "a.", "%FF", "x" * 200):
            answer = await garden.ask(f"{method} {path}/devices/{serial}", "{}")
            assert (answer.status, json.loads(answer.body)["errors"]) == (404, NO_DEVICE)
    answer = await garden.ask("GET /v2/products/nothing/devices/a")
    assert json.loads(answer.body)["errors"].endswith("the resource you are looking for.")


async def test_counts_follow(garden: InProcess, product: Any) -> None:
    """A product knows how many devices it has, and how many are activated, after every change."""
    path = await product("a", "b", "c")

    async def counts() -> tuple[int, int]:
        document = json.loads((await garden.ask(f"GET {path}")).body)["product"]
        return document["devices_count"], document["activated_devices_count"]

    devices = json.loads((await garden.ask(f"GET {path}/devices")).body)["devices"]
    for device in devices[:2]:
        await garden.ask(f"GET /v2/devices/{device['activation_code']}/activate", key="")
    assert await counts() == (3, 2)
    await garden.ask(f"GET /v2/devices/{devices[0]['activation_code']}/activate")
    assert await counts() == (3, 2)
    await garden.ask(f"DELETE {path}/devices/a")
    assert await counts() == (2, 1)
    await garden.ask(f"DELETE {path}/devices/c")
    assert await counts() == (1, 1)
    assert await listed(garden, f"{path}/devices") == ["b"]


async def test_times_are_shown_in_the_zone_asked_for(garden: InProcess, product: Any) -> None:
    """Times have no fraction, and the zone of the parameter ``timezone``."""
    garden.now += 2 * SECOND + 5
    path = await product("a")
    answer = await garden.ask(f"GET {path}/devices/a?timezone=8")
    assert json.loads(answer.body)["device"]["created_at"] == "2013-06-01T20:00:02+08:00"


async def test_a_product_has_no_end_of_room_for_devices(
    garden: InProcess, product: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of a product's devices is limited, and a request that would pass it makes none."""
    monkeypatch.setattr("txpachube.server.storage.devices.MAX_DEVICES", 3)
    path = await product("a", "b")
    answer = await add(garden, path, "c", "d")
    assert (answer.status, json.loads(answer.body)["errors"]) == (422, ["Devices are too many"])
    assert (await add(garden, path, "c")).status == 201
    assert await listed(garden, f"{path}/devices") == ["a", "b", "c"]
