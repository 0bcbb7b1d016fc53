"""Activation: from a code to a feed and a key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from twisted.internet.defer import Deferred, gatherResults

from txpachube.server.storage.records import Resource
from txpachube.server.storage.writer import Transaction
from txpachube.testing.garden import plant
from txpachube.testing.inprocess import ALL_METHODS, InProcess
from txpachube.times import SECOND

TEMPLATE: Final[dict[str, Any]] = {
    "title": "Weather box",
    "private": "true",
    "tags": ["box", "weather"],
    "location": {"exposure": "outdoor", "lat": 52.1, "ele": "41.0"},
    "datastreams": [
        {"id": "wind"},
        {
            "id": "rain",
            "tags": ["water"],
            "unit": {"type": "derivedSI", "symbol": "mm", "label": "Millimetre"},
        },
    ],
}
NO_DEVICE = "I'm sorry we are unable to find the device you are looking for."
ALREADY = "This device has already been activated"


class Box:
    """A device with the serial number ``box-1`` that was not activated yet, and its maker."""

    def __init__(self, garden: InProcess, product: str, code: str) -> None:
        self.garden = garden
        self.product = product
        self.code = code

    async def activate(self, end: str = "", key: str = "", **more: Any) -> Any:
        """Return the answer to the device."""
        return await self.garden.ask(f"GET /v2/devices/{self.code}/activate{end}", key=key, **more)

    async def page(self) -> dict[str, Any]:
        """Return what its maker sees of it."""
        answer = await self.garden.ask(f"GET {self.product}/devices/box-1")
        device: dict[str, Any] = json.loads(answer.body)["device"]
        return device

    async def feeds(self) -> int:
        """Return how many feeds its maker sees."""
        total: int = json.loads((await self.garden.ask("GET /v2/feeds?per_page=1")).body)["totalResults"]
        return total


async def box_of(garden: InProcess, **product: Any) -> Box:
    """Make a product with a device."""
    made = await garden.ask("POST /v2/products", json.dumps({"name": "Box", **product}))
    assert made.location is not None
    path = made.location.removeprefix("http://api.example")
    assert (await garden.ask(f"POST {path}/devices", '{"devices":[{"serial":"box-1"}]}')).status == 201
    box = Box(garden, path, "")
    box.code = (await box.page())["activation_code"]
    return box


async def test_a_device_gets_a_feed_and_a_key(garden: InProcess) -> None:
    """Without a key, the code gives a feed made of the template and a key for it and for nothing else."""
    box = await box_of(garden, feed_defaults=TEMPLATE)
    garden.now += 5 * SECOND
    answer = await box.activate()
    assert (answer.status, answer.content_type) == (200, "application/json; charset=utf-8")
    told = json.loads(answer.body)
    assert answer.body.decode() == (
        f'{{"apikey":"{told["apikey"]}","feed_id":{told["feed_id"]},"datastreams":["rain","wind"]}}'
    )
    feed = json.loads((await garden.ask(f"GET /v2/feeds/{told['feed_id']}.json", key=told["apikey"])).body)
    assert {part: feed[part] for part in TEMPLATE} == {
        **TEMPLATE,
        "location": {"domain": "physical", **TEMPLATE["location"]},
        "datastreams": sorted(TEMPLATE["datastreams"], key=lambda stream: stream["id"]),
    }
    assert feed["product_id"] == box.product.rpartition("/")[2]
    assert feed["device_serial"] == "box-1"
    assert feed["created"] == "2013-06-01T12:00:05.000000Z"
    assert feed["status"] == "frozen"
    assert feed["creator"].endswith("/rosa")
    page = await box.page()
    assert page == {
        "serial": "box-1",
        "activation_code": box.code,
        "created_at": "2013-06-01T12:00:00Z",
        "activated_at": "2013-06-01T12:00:05Z",
        "feed_id": told["feed_id"],
        "api_key": told["apikey"],
    }
    in_list = json.loads((await garden.ask(f"GET {box.product}/devices")).body)["devices"]
    assert in_list == [{name: part for name, part in page.items() if name != "api_key"}]


async def test_the_key_is_for_its_feed_and_nothing_else(garden: InProcess) -> None:
    """It is long enough for sketches, has all four methods and private access, and stops at the feed."""
    box = await box_of(garden, feed_defaults=TEMPLATE)
    told = json.loads((await box.activate()).body)
    text = told["apikey"]
    assert len(text) > 32
    key = await garden.store.find_key(text)
    assert key is not None
    assert (key.owner, key.private_access, key.expires_at, key.label) == ("rosa", True, None, "device box-1")
    assert [(set(p.access_methods), p.resources) for p in key.permissions] == [
        (set(ALL_METHODS), (Resource(told["feed_id"]),))
    ]
    assert (await garden.ask(f"PUT /v2/feeds/{told['feed_id']}.csv", "wind,3", key=text)).status == 200
    for line in (
        "GET /v2/feeds/1",
        "PUT /v2/feeds/1.csv",
        "POST /v2/feeds",
        "GET /v2/products",
        "GET /v2/keys",
    ):
        assert (await garden.ask(line, "{}", key=text)).status == 403


async def test_csv_is_one_line_without_an_end(garden: InProcess) -> None:
    """A sketch reads key, feed, number and ids, and would throw away what stands before a line end."""
    box = await box_of(garden, feed_defaults=TEMPLATE)
    answer = await box.activate(".csv")
    page = await box.page()
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.body.decode() == f"{page['api_key']},{page['feed_id']},2,rain,wind"
    again = await box.activate(key=page["api_key"], headers={"accept": "text/csv"})
    assert again.body == answer.body


async def test_a_condition_does_not_eat_the_key(garden: InProcess) -> None:
    """The answer comes once, so a client that claims to have it already gets it; it has no version."""
    box = await box_of(garden)
    answer = await box.activate(headers={"if-none-match": "*"})
    assert (answer.status, answer.etag) == (200, None)
    assert json.loads(answer.body)["apikey"]


@pytest.mark.parametrize(("end", "told"), [("", ',"datastreams":[]}'), (".csv", ",0")])
async def test_a_template_may_be_empty(garden: InProcess, end: str, told: str) -> None:
    """Then the feed is called as the product is, is public, and has no datastreams."""
    box = await box_of(garden, name="Bare box")
    answer = await box.activate(end)
    assert answer.body.decode().endswith(told)
    page = await box.page()
    feed = json.loads((await garden.ask(f"GET /v2/feeds/{page['feed_id']}", key="master-of-otto")).body)
    assert (feed["title"], feed["private"]) == ("Bare box", "false")
    assert "datastreams" not in feed


async def test_there_is_no_xml(garden: InProcess) -> None:
    """XML is refused before anything is done."""
    box = await box_of(garden)
    assert (await box.activate(".xml")).status == 406
    assert (await box.activate(headers={"accept": "text/xml"})).status == 406
    assert (await box.page())["activated_at"] is None


async def test_the_second_time_needs_a_key(garden: InProcess) -> None:
    """The device's key and its owner's master key get the same answer again, everybody else is refused."""
    box = await box_of(garden, feed_defaults=TEMPLATE)
    first = await box.activate()
    key = json.loads(first.body)["apikey"]
    feeds = await box.feeds()
    garden.now += 3600 * SECOND
    for other in (
        "",
        "nobody",
        "master-of-otto",
        "public-of-rosa",
        "reader-of-rosa",
        "greenhouse",
        "expired",
    ):
        refused = await box.activate(key=other)
        assert (refused.status, json.loads(refused.body)) == (403, {"title": "Forbidden", "errors": ALREADY})
        assert (await box.activate(".csv", key=other)).body.decode() == ALREADY
    for right in (key, "master-of-rosa"):
        again = await box.activate(key=right)
        assert (again.status, again.body) == (200, first.body)
    assert await box.feeds() == feeds
    assert (await box.page())["activated_at"] == "2013-06-01T12:00:00Z"


@pytest.mark.parametrize(
    "key", ["", "nobody", "expired", "reader-of-rosa", "master-of-otto", "master-of-rosa"]
)
async def test_the_first_time_any_key_will_do(garden: InProcess, key: str) -> None:
    """Firmware may send what it has in the place of a key; the feed is the maker's in any case."""
    box = await box_of(garden)
    assert (await box.activate(key=key)).status == 200
    feed = await garden.store.find_feed((await box.page())["feed_id"])
    assert feed is not None
    assert feed.owner == "rosa"


@pytest.mark.parametrize(
    "code", ["0" * 40, "x", "7b85", "%00", "ü", "box-1", "a" * 4000, "%ED%A0%80", "0" * 39 + "g"]
)
async def test_an_unknown_code(garden: InProcess, code: str) -> None:
    """It is answered as clients expect it, in JSON with a text of its own, in CSV with two words."""
    answer = await garden.ask(f"GET /v2/devices/{code}/activate", key="")
    assert (answer.status, json.loads(answer.body)) == (404, {"title": "Not found", "errors": NO_DEVICE})
    answer = await garden.ask(f"GET /v2/devices/{code}/activate.csv", key="")
    assert (answer.status, answer.body) == (404, b"Not Found")


async def test_a_code_may_be_in_capitals(garden: InProcess) -> None:
    """Firmware that computes its code writes hexadecimal digits as it likes."""
    box = await box_of(garden)
    box.code = box.code.upper()
    assert (await box.activate()).status == 200


async def test_only_a_get_activates(garden: InProcess) -> None:
    """Other methods lead nowhere, and neither does a question of which the answer would be lost."""
    box = await box_of(garden)
    for method in ("HEAD", "POST", "PUT", "DELETE"):
        assert (await garden.ask(f"{method} /v2/devices/{box.code}/activate", key="")).status == 404
    assert (await box.page())["activated_at"] is None


async def test_many_requests_at_once_make_one_feed(garden: InProcess) -> None:
    """Of requests that arrive together one gets the key; nothing is made twice."""
    box = await box_of(garden, feed_defaults=TEMPLATE)
    feeds, keys = await box.feeds(), len(await garden.store.keys_of(1))
    answers = await gatherResults([Deferred.fromCoroutine(box.activate()) for _ in range(20)])
    assert sorted(answer.status for answer in answers) == [200] + [403] * 19
    assert {json.loads(answer.body)["errors"] for answer in answers if answer.status == 403} == {ALREADY}
    assert (await box.feeds(), len(await garden.store.keys_of(1))) == (feeds + 1, keys + 1)
    product = json.loads((await garden.ask(f"GET {box.product}")).body)["product"]
    assert product["activated_devices_count"] == 1


async def test_requests_of_the_owner_at_once_get_one_feed(garden: InProcess) -> None:
    """With a master key all of them are answered, and alike."""
    box = await box_of(garden)
    answers = await gatherResults(
        [Deferred.fromCoroutine(box.activate(key="master-of-rosa")) for _ in range(10)]
    )
    assert [answer.status for answer in answers] == [200] * 10
    assert len({answer.body for answer in answers}) == 1


async def test_the_template_of_the_moment_counts(garden: InProcess) -> None:
    """A change of the template reaches devices that are activated later, and no others."""
    box = await box_of(garden, feed_defaults=TEMPLATE)
    await garden.ask(f"POST {box.product}/devices", '{"devices":[{"serial":"box-2"}]}')
    first = json.loads((await box.activate()).body)
    await garden.ask(f"PUT {box.product}", '{"name":"New","feed_defaults":{"datastreams":[{"id":"sun"}]}}')
    later = json.loads((await garden.ask(f"GET {box.product}/devices/box-2")).body)["device"]
    answer = await garden.ask(f"GET /v2/devices/{later['activation_code']}/activate", key="")
    second = json.loads(answer.body)
    assert (first["datastreams"], second["datastreams"]) == (["rain", "wind"], ["sun"])
    assert json.loads((await box.activate(key=first["apikey"])).body) == first
    feed = await garden.store.find_feed(second["feed_id"])
    assert feed is not None
    assert feed.fields["title"] == "New"


@pytest.mark.parametrize("what", ["device", "product"])
async def test_feed_and_key_outlive_device_and_product(garden: InProcess, what: str) -> None:
    """What a device has written stays, and it goes on writing; only its code leads nowhere."""
    box = await box_of(garden, feed_defaults=TEMPLATE)
    told = json.loads((await box.activate()).body)
    path = box.product if what == "product" else f"{box.product}/devices/box-1"
    assert (await garden.ask(f"DELETE {path}")).status == 200
    put = await garden.ask(f"PUT /v2/feeds/{told['feed_id']}.csv", "wind,3", key=told["apikey"])
    assert put.status == 200
    for key in ("", told["apikey"], "master-of-rosa"):
        assert (await box.activate(key=key)).status == 404


async def test_a_device_that_is_made_again_is_new(garden: InProcess) -> None:
    """Deleting a device and making it again gives the same code, and with it another feed."""
    box = await box_of(garden)
    told = json.loads((await box.activate()).body)
    await garden.ask(f"DELETE {box.product}/devices/box-1")
    await garden.ask(f"POST {box.product}/devices", '{"devices":[{"serial":"box-1"}]}')
    assert (await box.page())["activation_code"] == box.code
    again = json.loads((await box.activate()).body)
    assert again["feed_id"] != told["feed_id"]
    assert again["apikey"] != told["apikey"]


async def test_a_deleted_feed_is_not_made_again_by_the_device(garden: InProcess) -> None:
    """Who deletes a feed shuts its device out; the master key gives it another one."""
    box = await box_of(garden, feed_defaults=TEMPLATE)
    told = json.loads((await box.activate()).body)
    assert (await garden.ask(f"DELETE /v2/feeds/{told['feed_id']}")).status == 200
    page = await box.page()
    assert page["activated_at"] == "2013-06-01T12:00:00Z"
    assert not {"feed_id", "api_key"} & page.keys()
    for key in ("", told["apikey"]):
        assert (await box.activate(key=key)).status == 403
    garden.now += SECOND
    again = json.loads((await box.activate(key="master-of-rosa")).body)
    assert again["datastreams"] == ["rain", "wind"]
    assert again["feed_id"] != told["feed_id"]
    assert again["apikey"] != told["apikey"]
    page = await box.page()
    assert (page["feed_id"], page["api_key"]) == (again["feed_id"], again["apikey"])
    assert page["activated_at"] == "2013-06-01T12:00:00Z"
    product = json.loads((await garden.ask(f"GET {box.product}")).body)["product"]
    assert product["activated_devices_count"] == 1


async def test_a_deleted_key_is_made_again_for_the_master_key(garden: InProcess) -> None:
    """The feed stays the same, with its history; the device's page shows the new key."""
    box = await box_of(garden, feed_defaults=TEMPLATE)
    told = json.loads((await box.activate()).body)
    feeds = await box.feeds()
    assert (await garden.ask(f"DELETE /v2/keys/{told['apikey']}")).status == 200
    assert (await box.activate(key=told["apikey"])).status == 403
    again = json.loads((await box.activate(key="master-of-rosa")).body)
    assert again["feed_id"] == told["feed_id"]
    assert again["apikey"] != told["apikey"]
    assert (await box.page())["api_key"] == again["apikey"]
    assert await box.feeds() == feeds


async def test_a_key_for_more_feeds_does_not_make_one(garden: InProcess) -> None:
    """A device's key that was widened survives its feed, and gives no right to another one."""
    box = await box_of(garden)
    told = json.loads((await box.activate()).body)
    resources = [{"feed_id": told["feed_id"]}, {"feed_id": 1}]
    permissions = [{"access_methods": list(ALL_METHODS), "resources": resources}]
    body = json.dumps({"key": {"permissions": permissions}})
    assert (await garden.ask(f"PUT /v2/keys/{told['apikey']}", body)).status == 200
    await garden.ask(f"DELETE /v2/feeds/{told['feed_id']}")
    assert (await box.activate(key=told["apikey"])).status == 403
    again = json.loads((await box.activate(key="master-of-rosa")).body)
    assert again["apikey"] != told["apikey"]
    assert (await garden.ask(f"GET /v2/feeds/{again['feed_id']}", key=again["apikey"])).status == 200


async def test_a_regenerated_key_is_the_device_s(garden: InProcess) -> None:
    """After a lost key got another text, the new text is told and the old one is worth nothing."""
    box = await box_of(garden)
    told = json.loads((await box.activate()).body)
    made = await garden.ask(f"POST /v2/keys/{told['apikey']}/regenerate")
    assert made.location is not None
    text = made.location.rpartition("/")[2]
    assert (await box.activate(key=told["apikey"])).status == 403
    assert json.loads((await box.activate(key=text)).body)["apikey"] == text
    assert (await box.page())["api_key"] == text


async def test_a_wrong_login_counts_as_none(garden: InProcess) -> None:
    """A login that nobody has counts as no key: the first activation works with it, the second does not."""
    box = await box_of(garden)
    nobody = {"authorization": "Basic bm9ib2R5OngK"}
    assert (await box.activate(headers=nobody)).status == 200
    assert (await box.activate(headers=nobody)).status == 403


async def test_all_of_it_is_on_the_disk(tmp_path: Path) -> None:
    """A service that starts anew knows the device, its feed and its key."""
    from twisted.internet import reactor

    before, after = (InProcess(tmp_path / "pachube.sqlite3", reactor) for _ in range(2))
    await before.open()
    try:
        await plant(before)
        box = await box_of(before, feed_defaults=TEMPLATE)
        first = await box.activate()
    finally:
        await before.close()
    await after.open()
    try:
        box.garden, after.key = after, before.key
        assert (await box.activate(key=json.loads(first.body)["apikey"])).body == first.body
        assert (await box.page())["feed_id"] == json.loads(first.body)["feed_id"]
    finally:
        await after.close()


async def test_a_maker_without_room_for_feeds(garden: InProcess) -> None:
    """Where an account may have no more feeds nothing is made, and the device may try again later."""

    def allow(txn: Transaction, feeds: int) -> None:
        txn.execute("UPDATE users SET feeds_allowed = ? WHERE login = 'rosa'", (feeds,))

    box = await box_of(garden, feed_defaults=TEMPLATE)
    feeds, keys = await box.feeds(), len(await garden.store.keys_of(1))
    await garden.store._write(allow, 2)
    assert (await box.activate()).status == 403
    assert (await box.page())["activated_at"] is None
    assert (await box.feeds(), len(await garden.store.keys_of(1))) == (feeds, keys)
    await garden.store._write(allow, 3)
    assert (await box.activate()).status == 200
