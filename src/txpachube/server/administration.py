"""
What an administrator does to the database directly: accounts, keys, feeds, products.

Everything works on the file itself, with or without a running service. A running service is left a
notice, finds it within a second, and goes on with what is new.
"""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import msgspec

from txpachube.server.storage import accounts, devices, feeds, passwords, products, retention, search, users
from txpachube.server.storage.accounts import new_key_text
from txpachube.server.storage.database import (
    LOCK_PAUSE,
    LOCK_TRIES,
    connect,
    latest_version,
    lock,
    upgrade,
    version_of,
)
from txpachube.server.storage.devices import Device, DeviceFilter
from txpachube.server.storage.failures import Conflict, StorageFailed, translated
from txpachube.server.storage.products import Product, ProductWish
from txpachube.server.storage.quotas import UNLIMITED
from txpachube.server.storage.records import Feed, FeedChange, Key, Permission, Resource, StreamChange
from txpachube.server.storage.users import User
from txpachube.server.storage.writer import Transaction
from txpachube.server.wholefile import sync_directory

__all__ = [
    "ADMIN_FILE",
    "ALL_METHODS",
    "DATABASE_FILE",
    "FIRST_LOGIN",
    "Administration",
    "first_start",
    "is_key_text",
    "open_administration",
    "upgrade_unless_running",
]

DATABASE_FILE: Final = "pachube.sqlite3"
"""Name of the database in the data directory."""

ADMIN_FILE: Final = "admin.toml"
"""Name of the file with the first account's login, password and key."""

FIRST_LOGIN: Final = "admin"
"""Login of the account that the first start creates."""

PASSWORD_BYTES: Final = 18
"""Random bytes of a password made here: 24 characters."""

_KEY_TEXT: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")

ALL_METHODS: Final = ("get", "put", "post", "delete")
"""What a permission without limits allows."""


@contextmanager
def open_administration(data: Path, clock: Callable[[], int]) -> Iterator[Administration]:
    """
    Open the database of a data directory for one piece of administration: one transaction.

    Args:
        data: the data directory; it is created when it does not exist.
        clock: returns the time in microseconds since 1970.

    Raises:
        StorageFailed: the disk or the database failed, or the schema is older than this program's
            and a service is running on it.
        DatabaseTooNew: the database was written by a later version.
    """
    path = data / DATABASE_FILE
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = connect(path)
        try:
            upgrade_unless_running(connection, path)
            connection.execute("BEGIN IMMEDIATE")
            try:
                transaction = Transaction(connection)
                yield Administration(transaction, clock)
                search.refresh(transaction)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        finally:
            connection.close()
    except (sqlite3.Error, OSError) as problem:
        failure = translated(problem)
        raise type(failure)(f"{data}: {failure}") from problem


def upgrade_unless_running(connection: sqlite3.Connection, path: Path) -> None:
    """
    Bring the schema of an open database up to date.

    Raises:
        StorageFailed: it is older than this program's, and a service is running on it.
        DatabaseTooNew: it was written by a later version.
    """
    for _ in range(LOCK_TRIES):
        if version_of(connection) == latest_version():
            return
        locked = lock(path)
        if locked is not None:
            try:
                upgrade(connection, path)
            finally:
                os.close(locked)
            return
        time.sleep(LOCK_PAUSE)  # it may be another command that makes the same upgrade
    raise StorageFailed(
        f"{path} has another schema version than this program, and a service is running on it; "
        "stop the service first"
    )


@attrs.define
class Administration:
    """
    Accounts, keys, feeds and products inside one transaction.

    Nothing here asks who may: whoever can write the file can do everything.
    """

    _txn: Transaction
    _clock: Callable[[], int]

    # --- accounts ---------------------------------------------------------------------------------

    def add_user(self, login: str, password: str | None, creator: int | None = None, **fields: object) -> int:
        """
        Create an account and return its row number.

        Args:
            login: its name.
            password: None lets nobody log in.
            creator: the account that may read and change it over the API, besides itself.
            fields: what else it shall be; see `users.change_user`.

        Raises:
            Conflict: the login is taken, or differs from another in nothing but its capitals.
        """
        hashed = None if password is None else passwords.hash_password(password)
        pk = accounts.add_user(self._txn, login, hashed, self._clock())
        users.change_user(self._txn, pk, {**fields, "creator": creator})
        return pk

    def change_user(self, pk: int, password: str | None = None, **fields: object) -> None:
        """Change some fields of an account, and its password if one is given; see `users.change_user`."""
        if password is not None:
            fields["password_hash"] = passwords.hash_password(password)
        users.change_user(self._txn, pk, fields)

    def profile(self, login: str) -> User | None:
        """Return what an account says of itself and may have, or None when there is none."""
        return users.find_user(self._txn, login)

    def find_user(self, login: str) -> int | None:
        """Return the row number of an account, or None."""
        found = accounts.find_user(self._txn, login)
        return None if found is None else found[0]

    def users(self) -> list[tuple[int, str, int]]:
        """Return (row number, login, time of creation) of every account."""
        return accounts.users(self._txn)

    def remove_user(self, pk: int) -> list[int]:
        """Remove an account with its keys and feeds; return the ids of the feeds."""
        owned = self.feeds(pk)
        for feed in owned:
            self.remove_feed(feed)
        for key in self.keys(pk):
            self.remove_key(key)
        accounts.delete_user(self._txn, pk)
        self._notice("user", pk)
        return [feed.id for feed in owned]

    # --- keys -------------------------------------------------------------------------------------

    def add_master_key(self, owner: int, label: str, text: str | None = None) -> Key:
        """
        Create a key that may do everything its owner may.

        Raises:
            Conflict: there is a key with this text.
        """
        return self._add_key(owner, label, accounts.MASTER, text)

    def add_key(
        self, owner: int, label: str, feed_ids: Sequence[int], methods: Sequence[str], text: str | None
    ) -> Key:
        """
        Create a key, limited to some feeds unless ``feed_ids`` is empty.

        Raises:
            Conflict: there is a key with this text.
        """
        resources = tuple(Resource(feed_id=feed_id) for feed_id in feed_ids)
        return self._add_key(owner, label, (Permission(tuple(methods), resources=resources),), text)

    def _add_key(self, owner: int, label: str, permissions: tuple[Permission, ...], text: str | None) -> Key:
        key = accounts.add_key(
            self._txn, owner, text or new_key_text(secrets.token_bytes), label, True, permissions, None
        )
        self._notice("key", key.pk)
        return key

    def allow_feed(self, key: Key, feed_id: int) -> None:
        """Let a key do everything with one more feed, besides what it may already."""
        added = Resource(feed_id=feed_id)
        for place, permission in enumerate(key.permissions):
            if permission.resources and permission == Permission(
                ALL_METHODS, resources=permission.resources
            ):  # it says the same of other feeds
                more = attrs.evolve(permission, resources=(*permission.resources, added))
                permissions = (*key.permissions[:place], more, *key.permissions[place + 1 :])
                break
        else:
            permissions = (*key.permissions, Permission(ALL_METHODS, resources=(added,)))
        accounts.change_key(self._txn, key.pk, key.label, key.private_access, permissions, key.expires_at)
        self._notice("key", key.pk)

    def find_key(self, text_or_number: str) -> Key | None:
        """Return the key with this text or, for what is all digits, this row number."""
        found = accounts.find_key(self._txn, text_or_number)
        if found is None and text_or_number.isascii() and text_or_number.isdigit():
            number = int(text_or_number[:20])  # a longer one is no row's number
            found = accounts.find_key_by_pk(self._txn, number) if number < 1 << 63 else None
        return found

    def keys(self, owner: int) -> list[Key]:
        """Return the keys of an account."""
        return accounts.keys_of(self._txn, owner)

    def remove_key(self, key: Key) -> None:
        """Remove a key."""
        accounts.delete_key(self._txn, key.pk)
        self._notice("key", key.pk)

    # --- feeds ------------------------------------------------------------------------------------

    def add_feed(
        self, owner: int, title: str | None, stream_ids: Sequence[str], feed_id: int | None = None
    ) -> Feed:
        """
        Create a feed, with the id it must have or the next free one; without a title it is "Feed ID".

        Raises:
            Conflict: there is a feed with this id.
        """
        change = FeedChange(
            arrived=self._clock(),
            through_feed=True,
            fields={"title": title or ""},
            streams=[StreamChange(id=stream_id) for stream_id in stream_ids],
        )
        feed, _ = feeds.create_feed(self._txn, owner, change, feed_id)
        if not title:
            named = FeedChange(arrived=change.arrived, through_feed=True, fields={"title": f"Feed {feed.id}"})
            feeds.change_feed(self._txn, feed.id, named, {}, 0)
        self._notice("feed", feed.id)
        made = feeds.load_feed(self._txn, feed.id)
        assert made is not None
        return made

    def add_streams(self, feed: Feed, stream_ids: Sequence[str]) -> None:
        """Create those of the datastreams that do not exist yet."""
        change = FeedChange(
            arrived=self._clock(),
            through_feed=False,
            streams=[StreamChange(id=stream_id) for stream_id in stream_ids],
        )
        feeds.change_feed(self._txn, feed.id, change, {}, 0)
        self._notice("feed", feed.id)

    def find_feed(self, feed_id: int) -> Feed | None:
        """Return a feed; its current values may lag behind those of a running service."""
        return feeds.load_feed(self._txn, feed_id) if 0 < feed_id < 1 << 63 else None

    def feeds(self, owner: int | None = None) -> list[Feed]:
        """Return the feeds of an account, or all."""
        return feeds.feeds_of(self._txn, owner)

    def keep_feed(self, feed_id: int, days: int | None) -> None:
        """Keep a feed's datapoints for so many days, for ever (0), or (None) as long as the settings say."""
        retention.keep(self._txn, feed_id, days)

    def remove_feed(self, feed: Feed) -> None:
        """Remove a feed with everything that belongs to it."""
        for pk in feeds.delete_feed(self._txn, feed.id):
            self._notice("key", pk)
        self._notice("feed", feed.id)

    # --- products and devices ---------------------------------------------------------------------

    def add_product(self, owner: int, wish: ProductWish) -> Product | None:
        """Create a product; None when the account has as many as it may have."""
        product_id = products.add_product(self._txn, owner, wish, secrets.token_bytes)
        return None if product_id is None else self.find_product(product_id)

    def find_product(self, product_id: str) -> Product | None:
        """Return a product, or None."""
        return products.find_product(self._txn, product_id)

    def products(self, owner: int) -> list[Product]:
        """Return the products of an account."""
        return products.products_of(self._txn, owner, products.MAX_PRODUCTS, 0)[1]

    def remove_product(self, product: Product) -> None:
        """Remove a product with its devices; their feeds and keys stay."""
        products.delete_product(self._txn, product.pk)

    def add_devices(self, product: Product, serials: Sequence[str]) -> None:
        """
        Create devices, all or none.

        Raises:
            Conflict: there are devices with some of these serial numbers.
            StorageFailed: the product would have more devices than it may have.
        """
        taken = devices.add_devices(self._txn, product, serials, self._clock())
        if taken is None:
            raise StorageFailed(f"a product may have at most {devices.MAX_DEVICES} devices")
        if taken:
            raise Conflict(f"device {', '.join(taken)}")

    def devices(self, product: Product) -> list[Device]:
        """Return the devices of a product."""
        return devices.devices_of(self._txn, product.pk, DeviceFilter(), devices.MAX_DEVICES, 0)[1]

    def find_device(self, product: Product, serial: str) -> Device | None:
        """Return the device of a product with this serial number, or None."""
        return devices.find_device(self._txn, product.pk, serial)

    def remove_device(self, device: Device) -> None:
        """Remove a device; its feed and its key stay."""
        devices.delete_device(self._txn, device.pk)

    def _notice(self, kind: str, subject: int) -> None:
        self._txn.execute("INSERT INTO notices (kind, subject) VALUES (?, ?)", (kind, subject))


def is_key_text(text: str) -> bool:
    """Return whether a key can have this text: letters, digits, ``-`` and ``_``, at most 255."""
    return _KEY_TEXT.fullmatch(text) is not None


def first_start(data: Path, clock: Callable[[], int]) -> bool:
    """
    Create the first account when there is none, and write its secrets to a file of its own.

    The file, `ADMIN_FILE` in the data directory, has ``login``, ``password`` and ``api_key`` and can
    be read by its owner only. It is on the disk before the account is.

    Returns:
        Whether the account was created.
    """
    with open_administration(data, clock) as administration:
        if administration.users():
            return False
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        pk = administration.add_user(
            FIRST_LOGIN,
            password,
            creatable_roles=users.ROLES,
            feeds_allowed=UNLIMITED,
            datastreams_allowed=UNLIMITED,
        )
        key = administration.add_master_key(pk, "master key")
        _write_private(
            data / ADMIN_FILE,
            msgspec.toml.encode({"login": FIRST_LOGIN, "password": password, "api_key": key.text}),
        )
        return True


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    # Its name has to be there as well, and the directory's own, which may be new.
    sync_directory(path.parent)
    sync_directory(path.parent.parent)
