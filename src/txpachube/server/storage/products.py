"""
Products: series of devices that are all alike.

A product has a template of its devices' feeds, and a secret that their activation codes are made of. It is
not kept in memory: its maker asks for it now and then, and a device once in its life.
"""

from __future__ import annotations

import sqlite3
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
import msgspec
from twisted.internet.defer import Deferred

from txpachube.server.storage.failures import Gone
from txpachube.server.storage.writer import Transaction

__all__ = ["MAX_PRODUCTS", "Product", "ProductWish", "Products", "add_product", "find_product", "products_of"]

MAX_PRODUCTS: Final = 1000
"""Products of one account; more kinds of devices than anybody makes."""

ID_BYTES: Final = 15
"""Random bytes of a product's id: 20 characters of text."""

SECRET_BYTES: Final = 20
"""Random bytes of a product's secret: 40 hex digits."""


@attrs.frozen
class ProductWish:
    """
    What a product shall be.

    Attributes:
        name: what people call it.
        description: any text.
        state: ``develop`` or ``deploy``.
        template: of its devices' feeds, a feed in the API's spelling.
    """

    name: str
    description: str
    state: str
    template: dict[str, Any]


@attrs.frozen
class Product(ProductWish):
    """
    A product.

    Attributes:
        pk: the row's number.
        id: what the API calls it.
        owner_id: the account's row number.
        owner: the account's login.
        secret: 40 hex digits; never shown in a repr.
        devices: how many devices it has.
        activated: how many of them have been activated.
    """

    pk: int
    id: str
    owner_id: int
    owner: str
    secret: str = attrs.field(repr=False)
    devices: int
    activated: int


_PRODUCT: Final = (
    "SELECT p.name, p.description, p.state, p.feed_defaults, p.id, p.public_id, p.owner, u.login, p.secret,"
    " p.devices_count, p.activated_devices_count FROM products p JOIN users u ON u.id = p.owner"
)


def _product(row: Sequence[Any]) -> Product:
    name, description, state, template, *rest = row
    return Product(name, description, state, msgspec.json.decode(template), *rest)


def find_product(db: sqlite3.Connection | Transaction, public_id: str) -> Product | None:
    """Return a product, or None when there is none with this id."""
    row = db.execute(f"{_PRODUCT} WHERE p.public_id = ?", (public_id,)).fetchone()
    return None if row is None else _product(row)


def product_in(db: sqlite3.Connection | Transaction, pk: int) -> Product | None:
    """Return the product in this row, or None."""
    row = db.execute(f"{_PRODUCT} WHERE p.id = ?", (pk,)).fetchone()
    return None if row is None else _product(row)


def products_of(
    db: sqlite3.Connection | Transaction, owner_id: int, limit: int, offset: int
) -> tuple[int, list[Product]]:
    """Return how many products an account has, and a page of them in the order in which they were made."""
    rows = db.execute(
        f"{_PRODUCT} WHERE p.owner = ? ORDER BY p.id LIMIT ? OFFSET ?", (owner_id, limit, offset)
    ).fetchall()
    return _count_of(db, owner_id), [_product(row) for row in rows]


def _count_of(db: sqlite3.Connection | Transaction, owner_id: int) -> int:
    count: int = db.execute("SELECT count(*) FROM products WHERE owner = ?", (owner_id,)).fetchone()[0]
    return count


def add_product(
    txn: Transaction, owner_id: int, wish: ProductWish, random: Callable[[int], bytes]
) -> str | None:
    """Add a product; return its id, or None when the account has as many as it may have."""
    if _count_of(txn, owner_id) >= MAX_PRODUCTS:
        return None
    public_id = urlsafe_b64encode(random(ID_BYTES)).decode()
    if public_id.startswith("-"):  # a command would take it for an option
        public_id = "A" + public_id[1:]
    txn.execute(
        "INSERT INTO products (public_id, owner, secret, name, description, state, feed_defaults)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (public_id, owner_id, random(SECRET_BYTES).hex(), *_columns(wish)),
    )
    return public_id


def change_product(txn: Transaction, pk: int, wish: ProductWish) -> None:
    """
    Make a product what it shall be; feeds that were made from it stay as they are.

    Raises:
        Gone: it was deleted meanwhile.
    """
    changed = txn.execute(
        "UPDATE products SET name = ?, description = ?, state = ?, feed_defaults = ? WHERE id = ?",
        (*_columns(wish), pk),
    )
    if not changed.rowcount:
        raise Gone


def _columns(wish: ProductWish) -> tuple[str, str, str, str]:
    return wish.name, wish.description, wish.state, msgspec.json.encode(wish.template).decode()


def delete_product(txn: Transaction, pk: int) -> None:
    """Delete a product with its devices."""
    txn.execute("DELETE FROM products WHERE id = ?", (pk,))


class Products:
    """
    The products of a store.

    Args:
        write: runs a function of a transaction, and what shall follow its commit.
        read: runs a function of a connection.
        random: gives random bytes, for ids and secrets.
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

    async def find(self, public_id: str) -> Product | None:
        """Return a product, or None when there is none with this id."""
        found: Product | None = await self._read(find_product, public_id)
        return found

    async def of(self, owner_id: int, limit: int, offset: int) -> tuple[int, list[Product]]:
        """Return how many products an account has, and a page of them; see `products_of`."""
        found: tuple[int, list[Product]] = await self._read(products_of, owner_id, limit, offset)
        return found

    async def create(self, owner_id: int, wish: ProductWish) -> str | None:
        """Make a product; return its id, or None when the account has as many as it may have."""
        made: str | None = await self._write(_as_it_is, add_product, owner_id, wish, self._random)
        return made

    async def change(self, product: Product, wish: ProductWish) -> None:
        """
        Make a product what it shall be.

        Raises:
            Gone: it was deleted meanwhile.
        """
        await self._write(_as_it_is, change_product, product.pk, wish)

    async def delete(self, product: Product) -> None:
        """Delete a product with its devices."""
        await self._write(_as_it_is, delete_product, product.pk)


def _as_it_is(result: Any) -> Any:
    return result
