"""
Accounts as the API shows them: what they say of themselves, who made them, and what they may have.

`accounts` knows who an account is; here is the rest. Everything is read from the disk each time it is
asked for, so what the command line changes counts at once; nothing on the way of an update asks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

import attrs
import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from txpachube.server.storage import accounts, feeds, passwords
from txpachube.server.storage.accesses import DAY, Accesses
from txpachube.server.storage.failures import Gone, OverQuota, StorageError
from txpachube.server.storage.quotas import Quotas
from txpachube.server.storage.readers import Readers
from txpachube.server.storage.writer import Transaction

__all__ = [
    "FLAGS",
    "MAX_CREATED",
    "ROLES",
    "TEXTS",
    "Figures",
    "Indispensable",
    "User",
    "Users",
    "change_user",
    "create_user",
    "find_user",
]

MAX_CREATED: Final = 10_000
"""Accounts that one account may make; a list shows them all at once."""

FEEDS_AT_ONCE: Final = 100
"""Feeds of an account that is deleted which go in one transaction, so that others are not held up."""

ROLES: Final = ("default", "basic", "device", "my_users")
"""The roles that the first account may give. They are names: what a role means is for programs to know."""

TEXTS: Final = (
    "email",
    "full_name",
    "first_name",
    "last_name",
    "about",
    "organisation",
    "website",
    "time_zone",
)
FLAGS: Final = (
    "deliver_email",
    "display_activity",
    "display_information",
    "display_stats",
    "receive_forum_notifications",
    "subscribed_to_mailings",
)
_LISTS: Final = ("roles", "creatable_roles")
_CHANGEABLE: Final = frozenset(
    (*TEXTS, *FLAGS, *_LISTS, "creator", "password_hash", "feeds_allowed", "datastreams_allowed")
)


class Indispensable(StorageError):
    """The account is the last that may make others."""


@attrs.frozen
class User:
    """
    An account.

    Attributes:
        id: the row's number.
        creator_id: the account that made it, or None when it was the command line.
        texts: what it says of itself, by name; empty where it says nothing.
        flags: its settings, by name.
        roles: what it is.
        creatable_roles: what it may make others.
        feeds_allowed: as in its row; see `Quotas`.
        datastreams_allowed: likewise.
    """

    id: int
    login: str
    creator_id: int | None
    texts: Mapping[str, str]
    flags: Mapping[str, bool]
    roles: tuple[str, ...]
    creatable_roles: tuple[str, ...]
    feeds_allowed: int | None
    datastreams_allowed: int | None


@attrs.frozen
class Figures:
    """
    What is counted of an account, and its key.

    Attributes:
        api_key: the text of its master key, or None.
        feeds: how many it has.
        datastreams: how many it has, over all feeds.
        datastreams_allowed: how many it may have; None: as many as it likes.
        accesses: requests of its keys.
        accesses_today: those of the day in UTC.
    """

    api_key: str | None = attrs.field(repr=False)
    feeds: int
    datastreams: int
    datastreams_allowed: int | None
    accesses: int
    accesses_today: int


_SELECT: Final = (
    f"SELECT id, login, creator, roles, creatable_roles, feeds_allowed, datastreams_allowed,"
    f" {', '.join((*TEXTS, *FLAGS))} FROM users"
)


def find_user(db: sqlite3.Connection | Transaction, login: str) -> User | None:
    """Return the account with a login, or None."""
    row = db.execute(f"{_SELECT} WHERE login = ?", (login,)).fetchone()
    return None if row is None else _user(row)


def find_user_by_id(db: sqlite3.Connection | Transaction, pk: int) -> User | None:
    """Return the account in a row, or None."""
    row = db.execute(f"{_SELECT} WHERE id = ?", (pk,)).fetchone()
    return None if row is None else _user(row)


def users_of(db: sqlite3.Connection | Transaction, creator_id: int) -> list[User]:
    """Return the accounts that an account made, in the order in which they were made."""
    return [_user(row) for row in db.execute(f"{_SELECT} WHERE creator = ? ORDER BY id", (creator_id,))]


def _user(row: tuple[Any, ...]) -> User:
    pk, login, creator, roles, creatable, feeds_allowed, datastreams_allowed, *rest = row
    return User(
        pk,
        login,
        creator,
        dict(zip(TEXTS, rest, strict=False)),
        {name: bool(flag) for name, flag in zip(FLAGS, rest[len(TEXTS) :], strict=True)},
        tuple(msgspec.json.decode(roles)),
        tuple(msgspec.json.decode(creatable)),
        feeds_allowed,
        datastreams_allowed,
    )


def figures_of(
    db: sqlite3.Connection,
    pks: Iterable[int],
    day: int,
    quotas: Quotas,
    unsaved: Mapping[int, Mapping[int, int]],
) -> dict[int, Figures]:
    """
    Return what is counted of some accounts, by row number.

    Args:
        db: the connection.
        pks: which accounts.
        day: today, counted from 1970.
        quotas: what they may have whose row says nothing else.
        unsaved: requests that their rows do not know yet, by row number and day.
    """
    wanted = list(pks)
    keys = accounts.master_keys(db, wanted)
    rows = db.execute(
        "SELECT id, datastreams_allowed, accesses, accesses_that_day, accesses_day,"
        " (SELECT count(*) FROM feeds WHERE owner = users.id),"
        " (SELECT count(*) FROM feeds JOIN datastreams ON datastreams.feed = feeds.id"
        " WHERE feeds.owner = users.id)"
        " FROM users WHERE id IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(wanted).decode(),),
    )
    found = {}
    for pk, allowed, accesses, that_day, counted_day, feed_count, stream_count in rows:
        key, more = keys.get(pk), unsaved.get(pk, {})
        found[pk] = Figures(
            None if key is None else key.text,
            feed_count,
            stream_count,
            quotas.datastreams_of(allowed),
            accesses + sum(more.values()),
            (that_day if counted_day == day else 0) + more.get(day, 0),
        )
    return found


def create_user(
    txn: Transaction,
    creator_id: int,
    login: str,
    password_hash: str,
    fields: Mapping[str, Any],
    key_text: str,
    now: int,
) -> None:
    """
    Make an account with a master key for another one.

    Raises:
        Conflict: the login is taken.
        OverQuota: the other account has made as many as it may.
        Gone: the other account was deleted meanwhile.
    """
    if find_user_by_id(txn, creator_id) is None:
        raise Gone
    count = txn.execute("SELECT count(*) FROM users WHERE creator = ?", (creator_id,)).fetchone()[0]
    if count >= MAX_CREATED:
        raise OverQuota("accounts of its own", MAX_CREATED)
    pk = accounts.add_user(txn, login, password_hash, now)
    change_user(txn, pk, {**fields, "creator": creator_id})
    accounts.add_key(txn, pk, key_text, "master key", True, accounts.MASTER, None)


def change_user(txn: Transaction, pk: int, fields: Mapping[str, Any]) -> None:
    """
    Change some fields of an account.

    Args:
        txn: the transaction.
        pk: its row.
        fields: the new values by name; besides those that documents show, ``password_hash``, ``creator``,
            ``feeds_allowed`` and ``datastreams_allowed``.

    Raises:
        Gone: it was deleted meanwhile.
    """
    assert fields.keys() <= _CHANGEABLE, "these are columns, and not a request's own words"
    values = [
        msgspec.json.encode(value).decode() if name in _LISTS else value for name, value in fields.items()
    ]
    columns = ", ".join(f"{name} = ?" for name in fields) or "id = id"
    if not txn.execute(f"UPDATE users SET {columns} WHERE id = ?", (*values, pk)).rowcount:
        raise Gone


def delete_slice(txn: Transaction, pk: int) -> tuple[list[int], list[int], bool]:
    """
    Delete some of an account's feeds, or what is left of it.

    Returns:
        The feeds that went, the rows of the keys that changed or went, and whether there is more to do.

    Raises:
        Indispensable: it is the last account that may make others.
    """
    if _is_last_maker(txn, pk):
        raise Indispensable
    feed_ids = [
        feed_id
        for (feed_id,) in txn.execute(
            "SELECT id FROM feeds WHERE owner = ? ORDER BY id LIMIT ?", (pk, FEEDS_AT_ONCE)
        ).fetchall()
    ]
    keys = [key for feed_id in feed_ids for key in feeds.delete_feed(txn, feed_id)]
    if len(feed_ids) == FEEDS_AT_ONCE:
        return feed_ids, keys, True
    keys += [key for (key,) in txn.execute("SELECT id FROM keys WHERE owner = ?", (pk,)).fetchall()]
    accounts.delete_user(txn, pk)
    return feed_ids, keys, False


def _is_last_maker(txn: Transaction, pk: int) -> bool:
    makers = txn.execute("SELECT id FROM users WHERE creatable_roles <> '[]' LIMIT 2").fetchall()
    return makers == [(pk,)]


class Users:
    """
    The accounts of a store.

    Args:
        write: runs a function of a transaction, and what shall follow its commit.
        readers: run functions of a connection, and whatever takes its time.
        clock: tells when it is time to write down how many requests there were.
        random: gives random bytes, for new keys.
        quotas: what an account may have whose row says nothing else.
        forget: is told which feeds and which keys are gone.
        ended: is told which account is gone.

    Attributes:
        accesses: counts the requests of each account.
    """

    def __init__(
        self,
        write: Callable[..., Deferred[Any]],
        readers: Readers,
        clock: IReactorTime,
        random: Callable[[int], bytes],
        quotas: Quotas,
        forget: Callable[[Collection[int], Collection[int]], None],
        ended: Callable[[int], None],
    ) -> None:
        self.accesses = Accesses(write, clock)
        self._write = write
        self._readers = readers
        self._random = random
        self._quotas = quotas
        self._forget = forget
        self._ended = ended

    async def find(self, login: str) -> User | None:
        """Return the account with a login, or None."""
        return await self._readers.read(find_user, login)

    async def find_by_id(self, pk: int) -> User | None:
        """Return the account in a row, or None."""
        return await self._readers.read(find_user_by_id, pk)

    async def of(self, creator_id: int) -> list[User]:
        """Return the accounts that an account made, in the order in which they were made."""
        return await self._readers.read(users_of, creator_id)

    async def is_taken(self, login: str) -> bool:
        """Return whether nobody else can have a login."""
        return await self._readers.read(accounts.is_taken, login)

    async def figures(self, users: Iterable[User], now: int) -> dict[int, Figures]:
        """Return what is counted of some accounts, by row number; ``now`` is in microseconds since 1970."""
        pks = [user.id for user in users]
        unsaved = {pk: self.accesses.unsaved(pk) for pk in pks}
        return await self._readers.read(figures_of, pks, now // DAY, self._quotas, unsaved)

    async def create(
        self, creator_id: int, login: str, password: str, fields: Mapping[str, Any], now: int
    ) -> None:
        """
        Make an account with a master key; see `create_user`.

        Raises:
            Conflict: the login is taken.
            OverQuota: its creator has made as many as it may.
            Gone: its creator was deleted meanwhile.
        """

        def settle(_: None) -> None:
            self._forget((), ())

        hashed = await self._readers.run(passwords.hash_password, password)
        key_text = accounts.new_key_text(self._random)
        await self._write(settle, create_user, creator_id, login, hashed, fields, key_text, now)

    async def change(self, user: User, fields: Mapping[str, Any], password: str | None = None) -> None:
        """
        Change some fields of an account, and its password if one is given; see `change_user`.

        Raises:
            Gone: it was deleted meanwhile.
        """
        if password is not None:
            fields = {**fields, "password_hash": await self._readers.run(passwords.hash_password, password)}
        await self._write(_done, change_user, user.id, fields)

    async def delete(self, user: User) -> None:
        """
        Delete an account with its feeds, keys and triggers.

        Raises:
            Indispensable: it is the last account that may make others.
        """

        def settle(gone: tuple[list[int], list[int], bool]) -> bool:
            feed_ids, keys, more = gone
            self._forget(feed_ids, keys)
            if not more:
                self._ended(user.id)
            return more

        while await self._write(settle, delete_slice, user.id):
            pass


def _done(_: None) -> None:
    """There is nothing to be taken into memory."""
