"""
Which rows of which tables make up an account, for taking it elsewhere.

This list is all that export and import know of the schema. Columns are not listed: whatever a table has is
taken along, and what a later version adds is taken along by itself. A new table of things that belong to
an account needs one entry, after those of the tables that it refers to.

Two kinds of numbers are told apart. Ids that the outside knows (of feeds, of triggers) are kept. Numbers that
only link rows with each other are given anew at the import.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from txpachube.server.storage.accounts import key_hash

__all__ = ["TABLES", "Row", "Table"]

Row = dict[str, Any]
"""A row, by the names of the columns."""


@attrs.frozen(kw_only=True)
class Table:
    """
    A table of which an account has rows.

    Attributes:
        name: of the table.
        where: which rows are the account's, as SQL with ``:account``, the account's row number.
        order: the order in which they are read, and made again.
        numbered: the table has a column ``id`` that is given anew.
        links: columns with such a number of another table, by that table's name.
        json: columns whose text is JSON.
        left_out: columns that are not taken along.
        made: columns that are made of the others at the import.
        unique: columns whose value must not be there yet, each with what tells people of a row that stands
            in the way, filled in from its columns.
    """

    name: str
    where: str
    order: str = "id"
    numbered: bool = False
    links: Mapping[str, str] = attrs.field(factory=dict)
    json: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    made: Mapping[str, Callable[[Row], object]] = attrs.field(factory=dict)
    unique: Mapping[str, str] = attrs.field(factory=dict)


_OWN_FEEDS: Final = "(SELECT id FROM feeds WHERE owner = :account)"
_OWN_KEYS: Final = "(SELECT id FROM keys WHERE owner = :account)"

TABLES: Final = (
    Table(
        name="users",
        where="id = :account",
        numbered=True,
        json=frozenset({"roles", "creatable_roles"}),
        left_out=frozenset({"creator"}),  # another account
        unique={"login": "there is an account {login}"},
    ),
    Table(
        name="keys",
        where="owner = :account",
        numbered=True,
        links={"owner": "users"},
        made={"hash": lambda row: key_hash(row["text"])},
        unique={"hash": "there is a key with the text of the key {label!r}"},
    ),
    Table(
        name="permissions",
        where=f"key IN {_OWN_KEYS}",
        numbered=True,
        links={"key": "keys"},
    ),
    Table(
        name="resources",
        where=f"permission IN (SELECT id FROM permissions WHERE key IN {_OWN_KEYS})",
        numbered=True,
        links={"permission": "permissions"},
    ),
    Table(
        name="feeds",
        where="owner = :account",
        links={"owner": "users"},
        json=frozenset({"tags", "location"}),
        unique={"id": "there is a feed {id}"},
    ),
    Table(name="retention", where=f"feed IN {_OWN_FEEDS}", order="feed"),
    Table(name="waypoints", where=f"feed IN {_OWN_FEEDS}", order="feed, at"),
    Table(
        name="datastreams",
        where=f"feed IN {_OWN_FEEDS}",
        order="feed, id",
        numbered=True,
        json=frozenset({"tags", "unit"}),
        left_out=frozenset({"state_seq"}),
    ),
    Table(
        name="triggers",
        where="owner = :account",
        links={"owner": "users", "datastream": "datastreams"},
        unique={"id": "there is a trigger {id}"},
    ),
    Table(
        name="attempts",
        where="trigger_id IN (SELECT id FROM triggers WHERE owner = :account)",
        numbered=True,
    ),
    Table(
        name="products",
        where="owner = :account",
        numbered=True,
        links={"owner": "users"},
        json=frozenset({"feed_defaults"}),
        unique={"public_id": "there is a product {public_id}"},
    ),
    Table(
        name="devices",
        where="product IN (SELECT id FROM products WHERE owner = :account)",
        numbered=True,
        links={"product": "products", "key": "keys"},
        unique={"code_hash": "there is a device with the activation code of the device {serial}"},
    ),
)
