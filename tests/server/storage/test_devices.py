"""Devices: what is stored of them, and what an activation makes."""

from __future__ import annotations

import os

import pytest

from txpachube.server.storage import accounts, devices, feeds
from txpachube.server.storage.devices import (
    Activation,
    Device,
    DeviceFilter,
    activate,
    activation_code,
    add_devices,
    delete_device,
    devices_of,
    find_by_code,
    find_device,
    rename_device,
)
from txpachube.server.storage.failures import Gone
from txpachube.server.storage.products import Product, ProductWish, add_product, delete_product, product_in
from txpachube.server.storage.records import FeedChange, StreamChange
from txpachube.server.storage.writer import Transaction


@pytest.fixture
def product(txn: Transaction) -> Product:
    """Return a product without devices."""
    assert add_product(txn, 1, ProductWish("Box", "", "develop", {}), os.urandom) is not None
    found = product_in(txn, 1)
    assert found is not None
    return found


def feed(now: int = 7) -> FeedChange:
    """Return what a device's feed shall be."""
    return FeedChange(now, True, fields={"title": "Box"}, streams=[StreamChange("wind")])


def code_of(product: Product, serial: str = "a") -> str:
    return activation_code(product.secret, serial)


def started(txn: Transaction, product: Product, *, again: bool = False, now: int = 7) -> Activation | None:
    """Activate the device with the serial number ``a``."""
    return activate(txn, code_of(product), feed(now), f"key-{now}", now, again)


def device_of(txn: Transaction, product: Product, serial: str = "a") -> Device:
    found = find_device(txn, product.pk, serial)
    assert found is not None
    return found


def count(txn: Transaction, table: str) -> int:
    number: int = txn.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return number


def test_devices_are_found_by_serial_and_code(txn: Transaction, product: Product) -> None:
    """The database has no code in it, only what one is looked up by."""
    assert add_devices(txn, product, ["a", "b"], 5) == []
    device = device_of(txn, product)
    assert (device.created, device.activated, device.feed_id, device.key_pk, device.key_text) == (
        5,
        *[None] * 4,
    )
    found = find_by_code(txn, code_of(product))
    assert found is not None
    assert (found[0].id, found[1]) == (product.id, device)
    assert find_by_code(txn, code_of(product, "c")) is None
    assert find_by_code(txn, "\ud800") is None
    row = txn.execute("SELECT * FROM devices WHERE serial = 'a'").fetchone()
    assert code_of(product) not in map(str, row)


def test_all_are_added_or_none(txn: Transaction, product: Product) -> None:
    """What is taken is told in the order asked for."""
    add_devices(txn, product, ["a", "b"], 5)
    assert add_devices(txn, product, ["c", "b", "d", "a"], 6) == ["b", "a"]
    total, found = devices_of(txn, product.pk, DeviceFilter(), 10, 0)
    assert (total, [device.serial for device in found]) == (2, ["a", "b"])


def test_the_limit_counts_what_is_there(
    txn: Transaction, product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last place can be taken, and one that was given up."""
    monkeypatch.setattr(devices, "MAX_DEVICES", 2)
    assert add_devices(txn, product, ["a", "b", "c"], 5) is None
    assert add_devices(txn, product, ["a", "b"], 5) == []
    assert add_devices(txn, product, ["c"], 5) is None
    delete_device(txn, device_of(txn, product).pk)
    assert add_devices(txn, product, ["c"], 5) == []


def test_an_activation_makes_feed_and_key_once(txn: Transaction, product: Product) -> None:
    """The second one is refused unless it may be repeated, and then tells the same and makes nothing."""
    add_devices(txn, product, ["a"], 5)
    first = started(txn, product)
    assert first is not None
    assert "key-7" not in repr(first)
    assert started(txn, product, now=8) is None
    again = started(txn, product, again=True, now=9)
    assert again is not None
    assert again == first
    device = device_of(txn, product)
    assert (device.activated, device.feed_id, device.key_text) == (7, first.feed_id, "key-7")
    assert "key-7" not in repr(device)
    assert (count(txn, "feeds"), count(txn, "keys")) == (1, 1)
    now = product_in(txn, product.pk)
    assert now is not None
    assert (now.devices, now.activated) == (1, 1)


def test_what_was_deleted_is_made_again_on_purpose_only(txn: Transaction, product: Product) -> None:
    """A device whose feed or key is gone is still one that was activated."""
    add_devices(txn, product, ["a"], 5)
    first = started(txn, product)
    assert first is not None
    key_pk = device_of(txn, product).key_pk
    assert key_pk is not None
    accounts.delete_key(txn, key_pk)
    device = device_of(txn, product)
    assert (device.activated, device.feed_id, device.key_pk) == (7, first.feed_id, None)
    assert started(txn, product, now=8) is None
    second = started(txn, product, again=True, now=8)
    assert second is not None
    assert second == Activation(first.feed_id, "key-8")
    feeds.delete_feed(txn, first.feed_id)
    device = device_of(txn, product)
    assert (device.activated, device.feed_id, device.key_pk) == (7, None, None)
    assert started(txn, product, now=9) is None
    third = started(txn, product, again=True, now=9)
    assert third is not None
    assert third.feed_id != first.feed_id
    assert device_of(txn, product).activated == 7


def test_what_is_gone_cannot_be_activated(txn: Transaction, product: Product) -> None:
    """Neither with its device deleted nor with its product, and nothing is made."""
    add_devices(txn, product, ["a", "b"], 5)
    delete_device(txn, device_of(txn, product).pk)
    with pytest.raises(Gone):
        started(txn, product)
    delete_product(txn, product.pk)
    with pytest.raises(Gone):
        activate(txn, code_of(product, "b"), feed(), "key", 7, False)
    with pytest.raises(Gone):
        add_devices(txn, product, ["c"], 5)
    assert (count(txn, "feeds"), count(txn, "keys"), count(txn, "devices")) == (0, 0, 0)


def test_a_serial_number_changes_before_the_activation_only(txn: Transaction, product: Product) -> None:
    """Whoever was faster is not overruled, and a taken number stays with its device."""
    add_devices(txn, product, ["a", "b"], 5)
    device = device_of(txn, product)
    assert not rename_device(txn, product, device, "b")
    assert rename_device(txn, product, device, "c")
    assert find_by_code(txn, code_of(product)) is None
    assert find_by_code(txn, code_of(product, "c")) is not None
    assert rename_device(txn, product, device, "a")
    started(txn, product)
    assert not rename_device(txn, product, device, "d")
    delete_device(txn, device.pk)
    delete_device(txn, device.pk)
    with pytest.raises(Gone):
        rename_device(txn, product, device, "d")
    now = product_in(txn, product.pk)
    assert now is not None
    assert (now.devices, now.activated) == (1, 0)


def test_filters_take_their_text_as_it_is(txn: Transaction, product: Product) -> None:
    """What means something in a pattern means itself."""
    add_devices(txn, product, ["a_1", "a1", "A_1", "b,+"], 5)

    def serials(wanted: DeviceFilter, limit: int = 10, offset: int = 0) -> tuple[int, list[str]]:
        total, found = devices_of(txn, product.pk, wanted, limit, offset)
        return total, [device.serial for device in found]

    assert serials(DeviceFilter("_")) == (2, ["a_1", "A_1"])
    assert serials(DeviceFilter("%")) == (0, [])
    assert serials(DeviceFilter(",+")) == (1, ["b,+"])
    assert serials(DeviceFilter(), 2, 1) == (4, ["a1", "A_1"])
    assert serials(DeviceFilter(activated=True)) == (0, [])
    activate(txn, code_of(product, "a1"), feed(), "key", 7, False)
    assert serials(DeviceFilter(activated=True)) == (1, ["a1"])
    assert serials(DeviceFilter("a", activated=False)) == (1, ["a_1"])


@pytest.mark.parametrize("column", ["feed", "key"])
def test_deleting_looks_at_no_other_device(txn: Transaction, column: str) -> None:
    """What belongs to a feed or a key is found by an index, however many devices there are."""
    (plan,) = txn.execute(f"EXPLAIN QUERY PLAN SELECT 1 FROM devices WHERE {column} = 1").fetchall()
    assert f"devices_by_{column}" in plan[3]
