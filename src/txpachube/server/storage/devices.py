"""
Devices of a product, and what one gets when it is activated.

A device has an activation code: the HMAC-SHA1 of its serial number, made with its product's secret. The
maker burns it in, or lets the firmware compute it. With the code, and without any key, the device activates
itself once: it gets a feed of its own and a key for it.

Deleting a device or its product takes the code back and leaves the feed and the key. Deleting the feed or
the key leaves the device, which is still one that was activated.
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred

from txpachube.server.storage import accounts, feeds
from txpachube.server.storage.failures import Gone
from txpachube.server.storage.products import Product, product_in
from txpachube.server.storage.records import FeedChange, Permission, Resource
from txpachube.server.storage.writer import Transaction

__all__ = [
    "MAX_DEVICES",
    "Activation",
    "Device",
    "DeviceFilter",
    "Devices",
    "activation_code",
    "add_devices",
    "devices_of",
]

MAX_DEVICES: Final = 100_000
"""Devices of one product: a search for a part of a serial number looks at all of them, and a deletion of
the product keeps other writes waiting while they go."""

_ALL_METHODS: Final = ("get", "put", "post", "delete")


@attrs.frozen
class Device:
    """
    A device.

    Attributes:
        pk: the row's number.
        created: when it was registered, in microseconds since 1970.
        activated: when it was activated; None when it wasn't yet.
        feed_id: its feed; None also when that was deleted.
        key_pk: the row of the key it got; None also when that was deleted.
        key_text: the text of that key.
    """

    pk: int
    serial: str
    created: int
    activated: int | None
    feed_id: int | None
    key_pk: int | None
    key_text: str | None = attrs.field(repr=False)


@attrs.frozen
class DeviceFilter:
    """
    Which devices of a product are wanted.

    Attributes:
        serial: what the serial number must contain; empty for any.
        activated: whether they must, or must not, have been activated; None for all.
    """

    serial: str = ""
    activated: bool | None = None


@attrs.frozen
class Activation:
    """
    What a device got.

    Attributes:
        feed_id: its feed.
        key_text: the text of its key.
    """

    feed_id: int
    key_text: str = attrs.field(repr=False)


def activation_code(secret: str, serial: str) -> str:
    """Return a device's activation code: 40 hex digits. The key is the secret as bytes, not its digits."""
    return hmac.new(bytes.fromhex(secret), serial.encode(), hashlib.sha1).hexdigest()


def code_hash(code: str) -> bytes:
    """Return what an activation code is looked up by, so that comparing tells nothing."""
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).digest()


_DEVICE: Final = (
    "SELECT d.id, d.serial, d.created, d.activated, d.feed, k.id, k.text"
    " FROM devices d LEFT JOIN keys k ON k.id = d.key"
)


def devices_of(
    db: sqlite3.Connection | Transaction, product_pk: int, wanted: DeviceFilter, limit: int, offset: int
) -> tuple[int, list[Device]]:
    """Return how many devices pass a filter, and a page of them in the order of registration."""
    where = "d.product = ?"
    values: list[str | int] = [product_pk]
    if wanted.serial:
        where += " AND instr(d.serial, ?) > 0"
        values.append(wanted.serial)
    if wanted.activated is not None:
        where += f" AND d.activated IS {'NOT ' if wanted.activated else ''}NULL"
    total: int = db.execute(f"SELECT count(*) FROM devices d WHERE {where}", values).fetchone()[0]
    rows = db.execute(
        f"{_DEVICE} WHERE {where} ORDER BY d.id LIMIT ? OFFSET ?", (*values, limit, offset)
    ).fetchall()
    return total, [Device(*row) for row in rows]


def find_device(db: sqlite3.Connection | Transaction, product_pk: int, serial: str) -> Device | None:
    """Return the device of a product with this serial number, or None."""
    row = db.execute(f"{_DEVICE} WHERE d.product = ? AND d.serial = ?", (product_pk, serial)).fetchone()
    return None if row is None else Device(*row)


def find_by_code(db: sqlite3.Connection | Transaction, code: str) -> tuple[Product, Device] | None:
    """Return the device with this activation code and its product, or None."""
    row = db.execute("SELECT product, serial FROM devices WHERE code_hash = ?", (code_hash(code),)).fetchone()
    product = None if row is None else product_in(db, row[0])
    device = None if product is None else find_device(db, product.pk, row[1])
    return None if product is None or device is None else (product, device)


def add_devices(txn: Transaction, product: Product, serials: Sequence[str], now: int) -> list[str] | None:
    """
    Add devices, all or none.

    Args:
        txn: the transaction.
        product: which they are of.
        serials: their serial numbers, all different.
        now: when they are registered.

    Returns:
        Those of the serial numbers that are taken, so that nothing was added; None when the product would
        have more devices than it may have.

    Raises:
        Gone: the product was deleted meanwhile.
    """
    row = txn.execute("SELECT devices_count FROM products WHERE id = ?", (product.pk,)).fetchone()
    if row is None:
        raise Gone
    taken = [serial for serial in serials if find_device(txn, product.pk, serial) is not None]
    if taken:
        return taken
    if row[0] + len(serials) > MAX_DEVICES:
        return None
    txn.executemany(
        "INSERT INTO devices (product, serial, code_hash, created) VALUES (?, ?, ?, ?)",
        [(product.pk, serial, code_hash(activation_code(product.secret, serial)), now) for serial in serials],
    )
    txn.execute(
        "UPDATE products SET devices_count = devices_count + ? WHERE id = ?", (len(serials), product.pk)
    )
    return []


def rename_device(txn: Transaction, product: Product, device: Device, serial: str) -> bool:
    """
    Give a device that was not activated yet another serial number, and with it another activation code.

    Returns:
        False when it has been activated meanwhile, or the serial number is taken.

    Raises:
        Gone: it was deleted meanwhile.
    """
    row = txn.execute("SELECT activated FROM devices WHERE id = ?", (device.pk,)).fetchone()
    if row is None:
        raise Gone
    if row[0] is not None or find_device(txn, product.pk, serial) is not None:
        return False
    txn.execute(
        "UPDATE devices SET serial = ?, code_hash = ? WHERE id = ?",
        (serial, code_hash(activation_code(product.secret, serial)), device.pk),
    )
    return True


def delete_device(txn: Transaction, pk: int) -> None:
    """Delete a device; its feed and its key stay."""
    row = txn.execute("DELETE FROM devices WHERE id = ? RETURNING product, activated", (pk,)).fetchone()
    if row is not None:
        product, activated = row
        txn.execute(
            "UPDATE products SET devices_count = devices_count - 1,"
            " activated_devices_count = activated_devices_count - ? WHERE id = ?",
            (activated is not None, product),
        )


def activate(
    txn: Transaction, code: str, change: FeedChange, key_text: str, now: int, again: bool
) -> Activation | None:
    """
    Give a device its feed and its key, as far as it has none.

    Of several requests for one device that come at the same time the first one makes both: each sees what
    those before it did, since there is only one who writes.

    Args:
        txn: the transaction.
        code: the device's activation code.
        change: what its feed shall be.
        key_text: the text of its key.
        now: the time.
        again: whether it may be told, and what was deleted made again, when it was activated before.

    Returns:
        None when it was activated before and this may not be repeated.

    Raises:
        Gone: it was deleted meanwhile.
    """
    found = find_by_code(txn, code)
    if found is None:
        raise Gone
    product, device = found
    if device.activated is not None and not again:
        return None
    feed_id, text = device.feed_id, device.key_text
    if feed_id is None:
        # It has no values, so the rows say all of it, and it is loaded when it is asked for.
        feed_id, text = feeds.create_feed(txn, product.owner_id, change, None)[0].id, None
    key_pk = device.key_pk
    if text is None:
        permission = Permission(_ALL_METHODS, resources=(Resource(feed_id),))
        key = accounts.add_key(
            txn, product.owner_id, key_text, f"device {device.serial}", True, [permission], None
        )
        key_pk, text = key.pk, key.text
    txn.execute(
        "UPDATE devices SET activated = coalesce(activated, ?), feed = ?, key = ? WHERE id = ?",
        (now, feed_id, key_pk, device.pk),
    )
    if device.activated is None:
        txn.execute(
            "UPDATE products SET activated_devices_count = activated_devices_count + 1 WHERE id = ?",
            (product.pk,),
        )
    return Activation(feed_id, text)


class Devices:
    """
    The devices of a store.

    Args:
        write: runs a function of a transaction, and what shall follow its commit.
        read: runs a function of a connection.
        random: gives random bytes, for keys.
    """

    def __init__(
        self,
        write: Callable[..., Deferred[Any]],
        read: Callable[..., Deferred[Any]],
        random: Callable[[int], bytes],
    ) -> None:
        self._write = write
        self._read = read
        self._random = random

    async def of(
        self, product: Product, wanted: DeviceFilter, limit: int, offset: int
    ) -> tuple[int, list[Device]]:
        """Return how many devices of a product pass a filter, and a page of them; see `devices_of`."""
        found: tuple[int, list[Device]] = await self._read(devices_of, product.pk, wanted, limit, offset)
        return found

    async def find(self, product: Product, serial: str) -> Device | None:
        """Return the device of a product with this serial number, or None."""
        found: Device | None = await self._read(find_device, product.pk, serial)
        return found

    async def find_by_code(self, code: str) -> tuple[Product, Device] | None:
        """Return the device with this activation code and its product, or None."""
        found: tuple[Product, Device] | None = await self._read(find_by_code, code)
        return found

    async def add(self, product: Product, serials: Sequence[str], now: int) -> list[str] | None:
        """
        Add devices to a product, all or none; see `add_devices`.

        Raises:
            Gone: the product was deleted meanwhile.
        """
        taken: list[str] | None = await self._write(_as_it_is, add_devices, product, serials, now)
        return taken

    async def rename(self, product: Product, device: Device, serial: str) -> bool:
        """
        Give a device another serial number; see `rename_device`.

        Raises:
            Gone: it was deleted meanwhile.
        """
        done: bool = await self._write(_as_it_is, rename_device, product, device, serial)
        return done

    async def delete(self, device: Device) -> None:
        """Delete a device; its feed and its key stay."""
        await self._write(_as_it_is, delete_device, device.pk)

    async def activate(self, code: str, change: FeedChange, now: int, *, again: bool) -> Activation | None:
        """
        Give a device its feed and its key; see `activate`.

        Raises:
            Gone: it was deleted meanwhile.
        """
        done: Activation | None = await self._write(
            _as_it_is, activate, code, change, accounts.new_key_text(self._random), now, again
        )
        return done


def _as_it_is(result: Any) -> Any:
    return result
