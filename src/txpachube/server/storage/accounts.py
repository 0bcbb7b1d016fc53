"""Accounts and their keys."""

from __future__ import annotations

import base64
import hashlib
import math
import sqlite3
from collections.abc import Callable, Iterable
from ipaddress import ip_network
from typing import Final

import msgspec

from txpachube.server.storage.failures import Conflict
from txpachube.server.storage.records import Key, Permission, Resource
from txpachube.server.storage.writer import Transaction

__all__ = [
    "MASTER",
    "Account",
    "add_key",
    "add_user",
    "change_key",
    "delete_key",
    "delete_user",
    "find_key",
    "find_key_by_pk",
    "find_user",
    "forget_feed",
    "is_taken",
    "key_hash",
    "keys_of",
    "master_keys",
    "new_key_text",
    "replace_key_text",
    "users",
]

KEY_BYTES: Final = 36
"""Random bytes of a new key: 48 characters of text."""

MASTER: Final = (Permission(("get", "put", "post", "delete")),)
"""The permissions of a key that may do everything its owner may; it has private access as well."""

Account = tuple[int, str, str | None]
"""Row number, login, and the argon2 hash of the password (None: there is none)."""


def new_key_text(random: Callable[[int], bytes]) -> str:
    """Return the text of a new key: 48 characters that can stand in a URL."""
    return base64.urlsafe_b64encode(random(KEY_BYTES)).decode()


def key_hash(text: str) -> bytes:
    """Return what a key is looked up by, so that no comparison takes longer the more of it is right."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def find_user(db: sqlite3.Connection | Transaction, login: str) -> Account | None:
    """Return the account of a login, or None."""
    row: Account | None = db.execute(
        "SELECT id, login, password_hash FROM users WHERE login = ?", (login,)
    ).fetchone()
    return row


def is_taken(db: sqlite3.Connection | Transaction, login: str) -> bool:
    """Return whether nobody else can have a login, because it could be taken for one that exists."""
    found = db.execute("SELECT 1 FROM users WHERE login = ? COLLATE NOCASE", (login,)).fetchone()
    return found is not None


def users(db: sqlite3.Connection | Transaction) -> list[tuple[int, str, int]]:
    """Return (row number, login, time of creation) of every account, by login."""
    return db.execute("SELECT id, login, created FROM users ORDER BY login").fetchall()


def add_user(txn: Transaction, login: str, password_hash: str | None, created: int) -> int:
    """
    Create an account.

    Raises:
        Conflict: the login is taken, or differs from another in nothing but its capitals.
    """
    if is_taken(txn, login):
        raise Conflict(f"account {login}")
    row = txn.execute(
        "INSERT INTO users (login, password_hash, created) VALUES (?, ?, ?) RETURNING id",
        (login, password_hash, created),
    ).fetchone()
    return int(row[0])


def delete_user(txn: Transaction, pk: int) -> None:
    """Delete an account with its keys. Its feeds must have been deleted before."""
    txn.execute("DELETE FROM users WHERE id = ?", (pk,))


def find_key(db: sqlite3.Connection | Transaction, text: str) -> Key | None:
    """Return the key with this text, or None."""
    return _one(db, "keys.hash = ?", (key_hash(text),))


def find_key_by_pk(db: sqlite3.Connection | Transaction, pk: int) -> Key | None:
    """Return the key in this row, or None."""
    return _one(db, "keys.id = ?", (pk,))


def keys_of(db: sqlite3.Connection | Transaction, owner_id: int) -> list[Key]:
    """Return the keys of an account in the order in which they were made."""
    return _many(db, "keys.owner = ?", (owner_id,))


def master_keys(db: sqlite3.Connection | Transaction, owner_ids: Iterable[int]) -> dict[int, Key]:
    """Return the master key of each of these accounts that has one; of several the one that lasts longest."""
    wanted = msgspec.json.encode(list(owner_ids)).decode()
    found: dict[int, Key] = {}
    for key in _many(db, "keys.owner IN (SELECT value FROM json_each(?))", (wanted,)):
        known = found.get(key.owner_id)
        if key.is_master and (known is None or _lasts(key) > _lasts(known)):
            found[key.owner_id] = key
    return found


def _lasts(key: Key) -> float:
    return math.inf if key.expires_at is None else key.expires_at


def add_key(
    txn: Transaction,
    owner_id: int,
    text: str,
    label: str,
    private_access: bool,
    permissions: Iterable[Permission],
    expires_at: int | None,
) -> Key:
    """
    Create a key.

    Raises:
        Conflict: there is a key with this text.
    """
    if find_key(txn, text) is not None:
        raise Conflict("key")
    pk = txn.execute(
        "INSERT INTO keys (hash, text, owner, label, private_access, expires_at) VALUES (?, ?, ?, ?, ?, ?)"
        " RETURNING id",
        (key_hash(text), text, owner_id, label, private_access, expires_at),
    ).fetchone()[0]
    _add_permissions(txn, pk, permissions)
    key = find_key_by_pk(txn, pk)
    assert key is not None
    return key


def change_key(
    txn: Transaction,
    pk: int,
    label: str,
    private_access: bool,
    permissions: Iterable[Permission],
    expires_at: int | None,
) -> Key | None:
    """Replace everything of a key but its text; None when the key was deleted meanwhile."""
    txn.execute(
        "UPDATE keys SET label = ?, private_access = ?, expires_at = ? WHERE id = ?",
        (label, private_access, expires_at, pk),
    )
    if find_key_by_pk(txn, pk) is None:
        return None
    txn.execute("DELETE FROM permissions WHERE key = ?", (pk,))
    _add_permissions(txn, pk, permissions)
    return find_key_by_pk(txn, pk)


def replace_key_text(txn: Transaction, pk: int, text: str) -> Key | None:
    """Give a key another text; the old one stops working. None when the key was deleted meanwhile."""
    txn.execute("UPDATE keys SET text = ?, hash = ? WHERE id = ?", (text, key_hash(text), pk))
    return find_key_by_pk(txn, pk)


def delete_key(txn: Transaction, pk: int) -> None:
    """Delete a key."""
    txn.execute("DELETE FROM keys WHERE id = ?", (pk,))


def forget_feed(txn: Transaction, feed_id: int) -> list[int]:
    """
    Take a deleted feed out of the keys limited to it.

    A permission that was limited to nothing else goes, or it would become unlimited; so does a key
    without permissions.

    Returns:
        The rows of the keys that changed or went.
    """
    touched = [
        pk
        for (pk,) in txn.execute(
            "SELECT DISTINCT key FROM permissions JOIN resources ON resources.permission = permissions.id"
            " WHERE feed_id = ?",
            (feed_id,),
        ).fetchall()
    ]
    emptied = txn.execute(
        "SELECT DISTINCT permission FROM resources WHERE feed_id = ?", (feed_id,)
    ).fetchall()
    txn.execute("DELETE FROM resources WHERE feed_id = ?", (feed_id,))
    txn.executemany(
        "DELETE FROM permissions WHERE id = ? AND NOT EXISTS"
        " (SELECT 1 FROM resources WHERE permission = permissions.id)",
        emptied,
    )
    txn.executemany(
        "DELETE FROM keys WHERE id = ? AND NOT EXISTS (SELECT 1 FROM permissions WHERE key = keys.id)",
        [(pk,) for pk in touched],
    )
    return touched


def _add_permissions(txn: Transaction, key: int, permissions: Iterable[Permission]) -> None:
    for permission in permissions:
        pk = txn.execute(
            "INSERT INTO permissions (key, access_methods, source_ip, referer, minimum_interval, label)"
            " VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
            (
                key,
                ",".join(permission.access_methods),
                permission.source_ip,
                permission.referer,
                permission.minimum_interval,
                permission.label,
            ),
        ).fetchone()[0]
        txn.executemany(
            "INSERT INTO resources (permission, feed_id, datastream_id, datastream_trigger_id)"
            " VALUES (?, ?, ?, ?)",
            [(pk, r.feed_id, r.datastream_id, r.datastream_trigger_id) for r in permission.resources],
        )


def _one(db: sqlite3.Connection | Transaction, where: str, arguments: tuple[object, ...]) -> Key | None:
    found = _many(db, where, arguments)
    return found[0] if found else None


def _many(db: sqlite3.Connection | Transaction, where: str, arguments: tuple[object, ...]) -> list[Key]:
    return [
        Key(pk, text, owner_id, owner, label, bool(private), _permissions(db, pk), expires_at)
        for pk, text, owner_id, owner, label, private, expires_at in db.execute(
            "SELECT keys.id, text, owner, login, label, private_access, expires_at"
            f" FROM keys JOIN users ON users.id = keys.owner WHERE {where} ORDER BY keys.id",
            arguments,
        ).fetchall()
    ]


def _permissions(db: sqlite3.Connection | Transaction, key: int) -> tuple[Permission, ...]:
    return tuple(
        Permission(
            access_methods=tuple(methods.split(",")),
            source_ip=source_ip,
            source_network=None if source_ip is None else ip_network(source_ip, strict=False),
            referer=referer,
            minimum_interval=minimum_interval,
            label=label,
            resources=tuple(
                Resource(*row)
                for row in db.execute(
                    "SELECT feed_id, datastream_id, datastream_trigger_id FROM resources"
                    " WHERE permission = ? ORDER BY id",
                    (pk,),
                ).fetchall()
            ),
        )
        for pk, methods, source_ip, referer, minimum_interval, label in db.execute(
            "SELECT id, access_methods, source_ip, referer, minimum_interval, label FROM permissions"
            " WHERE key = ? ORDER BY id",
            (key,),
        ).fetchall()
    )
