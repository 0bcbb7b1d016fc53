"""Products: what is stored of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from txpachube.server.storage import accounts, products
from txpachube.server.storage.failures import Gone
from txpachube.server.storage.products import (
    ProductWish,
    add_product,
    change_product,
    delete_product,
    find_product,
    product_in,
    products_of,
)
from txpachube.server.storage.writer import Transaction

BOX = ProductWish("Box", "", "develop", {})


def counting(first: int = 0) -> Callable[[int], bytes]:
    """Return a source of bytes that gives ``first``, then the next number, and so on."""
    numbers = iter(range(first, 256))
    return lambda count: bytes([next(numbers)] * count)


def test_id_and_secret_come_from_the_source_of_randomness(txn: Transaction) -> None:
    """The id is 15 bytes as 20 characters that can stand in a path, the secret 20 bytes as 40 digits."""
    assert add_product(txn, 1, BOX, counting(0xFF - 1)) == "_v7-_v7-_v7-_v7-_v7-"
    product = find_product(txn, "_v7-_v7-_v7-_v7-_v7-")
    assert product is not None
    assert product.secret == "ff" * 20
    assert (product.owner_id, product.owner, product.devices, product.activated) == (1, "rosa", 0, 0)


def test_no_id_looks_like_an_option(txn: Transaction) -> None:
    """An id is an argument of commands, so that it does not begin with a dash."""
    assert add_product(txn, 1, BOX, counting(0xFB)) == "A_v7-_v7-_v7-_v7-_v7"


def test_a_product_is_as_it_was_made(txn: Transaction) -> None:
    """Every part comes back, the template with the types it had."""
    template = {
        "title": "ü",
        "tags": ["a,b"],
        "location": {"lat": 52.1, "ele": "41.0"},
        "datastreams": [{"id": "7"}],
    }
    wish = ProductWish("Näme", "Long\ntext", "deploy", template)
    product_id = add_product(txn, 1, wish, counting())
    assert product_id is not None
    product = find_product(txn, product_id)
    assert product is not None
    assert ProductWish(product.name, product.description, product.state, product.template) == wish
    assert product_in(txn, product.pk) == product
    change_product(txn, product.pk, BOX)
    changed = find_product(txn, product_id)
    assert changed is not None
    assert (changed.name, changed.template, changed.secret) == ("Box", {}, product.secret)


def test_pages_are_those_of_an_account(txn: Transaction) -> None:
    """Products of others neither are listed nor count."""
    otto = accounts.add_user(txn, "otto", None, 0)
    random = counting()
    ids = [add_product(txn, owner, BOX, random) for owner in (1, otto, 1, 1)]
    total, page = products_of(txn, 1, 2, 1)
    assert (total, [product.id for product in page]) == (3, [ids[2], ids[3]])
    assert products_of(txn, 7, 10, 0) == (0, [])


def test_what_is_gone_cannot_be_changed(txn: Transaction) -> None:
    """A product that was deleted meanwhile is told as such, and its row is never used again."""
    product_id = add_product(txn, 1, BOX, counting())
    assert product_id is not None
    product = find_product(txn, product_id)
    assert product is not None
    delete_product(txn, product.pk)
    with pytest.raises(Gone):
        change_product(txn, product.pk, BOX)
    assert (find_product(txn, product_id), product_in(txn, product.pk)) == (None, None)
    other = find_product(txn, add_product(txn, 1, BOX, counting(9)) or "")
    assert other is not None
    assert other.pk > product.pk


def test_products_go_with_their_account(txn: Transaction) -> None:
    """Nothing of an account that is deleted stays."""
    assert add_product(txn, 1, BOX, counting()) is not None
    accounts.delete_user(txn, 1)
    assert txn.execute("SELECT count(*) FROM products").fetchone() == (0,)


def test_the_limit_is_for_an_account(txn: Transaction, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that has as many as it may have gets no other one; the next account does."""
    monkeypatch.setattr(products, "MAX_PRODUCTS", 1)
    otto = accounts.add_user(txn, "otto", None, 0)
    random = counting()
    assert add_product(txn, 1, BOX, random) is not None
    assert add_product(txn, 1, BOX, random) is None
    assert add_product(txn, otto, BOX, random) is not None
