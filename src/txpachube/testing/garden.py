"""A service with a few people, keys and feeds in it, to try things on."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import Final

from txpachube.server.storage.products import ID_BYTES, ProductWish, add_product
from txpachube.server.storage.records import Permission, Resource
from txpachube.testing.inprocess import ALL_METHODS, NOON, InProcess
from txpachube.times import SECOND

__all__ = ["GREENHOUSE", "PRODUCT", "SECRET", "plant"]

GREENHOUSE: Final = """{
  "title": "Greenhouse", "description": "South bed", "tags": ["glass", "Tomato"],
  "location": {"name": "Hut 3", "lat": 52.1, "lon": 9.36, "ele": "41.0", "exposure": "outdoor"},
  "datastreams": [
    {"id": "temp", "current_value": "21.50", "at": "2013-06-01T10:00:00Z", "tags": ["air"],
     "unit": {"type": "derivedSI", "symbol": "C", "label": "Celsius"},
     "datapoints": [{"at": "2013-06-01T09:00:00Z", "value": "19.0"},
                    {"at": "2013-06-01T09:30:00Z", "value": "20"}]},
    {"id": "door"},
    {"id": "7", "current_value": "0000017", "at": "2013-06-01T11:00:00Z"},
    {"id": "log.csv", "current_value": "x", "at": "2013-06-01T11:00:00Z"}
  ]}"""
"""What feed 1 was made of."""

PRODUCT: Final = "Otto-s-box_012345678"
"""The id of otto's product."""

SECRET: Final = bytes.fromhex("00112233445566778899aabbccddeeff00112233")
"""The secret of otto's product."""


async def plant(service: InProcess) -> None:
    """
    Fill a service that has nothing in it; requests carry ``master-of-rosa`` from then on.

    Rosa may make other accounts, of the roles default and device; otto may not.

    ======  =======  ===========================================================
    feed 1  rosa     public, "Greenhouse" with datastreams 7, door, log.csv, temp
    feed 2  rosa     private, "Cellar" with the datastream wine
    feed 3  otto     public, "Roof" with the datastream wind
    feed 4  otto     private, "Attic"
    ======  =======  ===========================================================

    Keys are called what they are: ``master-of-rosa``, ``master-of-otto``, ``public-of-rosa`` (no private
    access), ``reader-of-rosa`` (GET only), ``greenhouse`` (limited to feed 1), ``thermometer`` (to its
    datastream temp), ``at-home`` (only from 198.51.100.0/24), ``page`` (only from garden.example),
    ``hourly`` (history of an hour's interval), ``expired``.

    Otto has a product, `PRODUCT`, with the devices ``box-1`` and ``box-2``, which were not activated yet.
    """
    everything = ALL_METHODS
    rosa = await service.add_user("rosa")
    service.key = await service.add_key(rosa, text="master-of-rosa", private_access=True)
    assert (rosa, await service.add_user("otto")) == (1, 2)
    account = await service.store.users.find("rosa")
    assert account is not None
    await service.store.users.change(account, {"creatable_roles": ["default", "device"]})
    otto = await service.add_key(2, text="master-of-otto", private_access=True)
    await service.add_key(1, text="public-of-rosa")
    await service.add_key(1, Permission(("get",)), text="reader-of-rosa", private_access=True)
    await service.add_key(1, text="expired", private_access=True, expires_at=NOON - SECOND)
    await service.add_key(1, Permission(everything, referer="garden.example"), text="page")
    await service.add_key(1, Permission(everything, source_ip="198.51.100.0/24"), text="at-home")
    await service.add_key(1, Permission(everything, minimum_interval=3600), text="hourly")
    for number, (key, body) in enumerate(
        [
            (service.key, GREENHOUSE),
            (service.key, '{"title": "Cellar", "private": true, "datastreams": [{"id": "wine"}]}'),
            (otto, '{"title": "Roof", "datastreams": [{"id": "wind", "current_value": "3"}]}'),
            (otto, '{"title": "Attic", "private": true}'),
        ],
        1,
    ):
        made = await service.ask("POST /v2/feeds.json", body, key=key)
        assert (made.status, made.location) == (201, f"http://api.example/v2/feeds/{number}")
    await _add_product(service)
    await service.add_key(1, Permission(everything, resources=(Resource(1),)), text="greenhouse")
    await service.add_key(1, Permission(everything, resources=(Resource(1, "temp"),)), text="thermometer")


async def _add_product(service: InProcess) -> None:
    def random(count: int) -> bytes:
        return urlsafe_b64decode(PRODUCT) if count == ID_BYTES else SECRET

    store = service.store
    wish = ProductWish("Box", "", "develop", {"datastreams": [{"id": "wind"}]})
    assert await store._write(add_product, 2, wish, random) == PRODUCT
    product = await store.products.find(PRODUCT)
    assert product is not None
    assert await store.devices.add(product, ["box-1", "box-2"], service.now) == []
