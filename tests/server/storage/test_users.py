"""Accounts as the API shows them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from txpachube.server.storage import accounts, database, users
from txpachube.server.storage.database import connect, upgrade
from txpachube.server.storage.failures import Conflict, Gone, OverQuota
from txpachube.server.storage.quotas import UNLIMITED
from txpachube.server.storage.store import Store
from txpachube.server.storage.users import (
    FLAGS,
    TEXTS,
    Indispensable,
    Users,
    change_user,
    create_user,
    find_user,
)
from txpachube.server.storage.writer import Transaction


def make(txn: Transaction, login: str, creator: int = 1, key: str | None = None) -> None:
    create_user(txn, creator, login, "hash", {"roles": ["device"]}, key or f"key-of-{login}", 5)


def test_an_account_from_before_gets_what_is_usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that exist when the database is upgraded keep everything, and the first one may make others."""
    file = tmp_path / "pachube.sqlite3"
    steps = database._steps()
    with monkeypatch.context() as patch:
        patch.setattr(database, "_steps", lambda: steps[:2])
        connection = connect(file)
        upgrade(connection, file)
    connection.execute(
        "INSERT INTO users (login, password_hash, created) VALUES ('admin', 'h', 1), ('rosa', NULL, 2)"
    )
    upgrade(connection, file)
    admin, rosa = find_user(connection, "admin"), find_user(connection, "rosa")
    assert admin is not None
    assert rosa is not None
    assert (admin.creatable_roles, admin.feeds_allowed, admin.datastreams_allowed) == (
        users.ROLES,
        UNLIMITED,
        UNLIMITED,
    )
    assert (rosa.creatable_roles, rosa.feeds_allowed, rosa.datastreams_allowed) == ((), None, None)
    assert (rosa.creator_id, rosa.roles, rosa.texts) == (None, ("default",), dict.fromkeys(TEXTS, ""))
    assert [name for name in FLAGS if rosa.flags[name]] == [
        "receive_forum_notifications",
        "subscribed_to_mailings",
    ]
    assert accounts.find_user(connection, "admin") == (1, "admin", "h")
    connection.close()


def test_every_field_is_kept(txn: Transaction) -> None:
    """What is changed is read again, and nothing else changes."""
    before = find_user(txn, "rosa")
    assert before is not None
    changed = {name: f"the {name}" for name in TEXTS} | {name: not before.flags[name] for name in FLAGS}
    change_user(txn, 1, {**changed, "roles": ["a", "b"], "creatable_roles": ["c"], "feeds_allowed": 4})
    after = find_user(txn, "rosa")
    assert after is not None
    assert {**after.texts, **after.flags} == changed
    assert (after.roles, after.creatable_roles) == (("a", "b"), ("c",))
    assert (after.feeds_allowed, after.datastreams_allowed) == (4, None)
    change_user(txn, 1, {})
    assert find_user(txn, "rosa") == after
    with pytest.raises(Gone):
        change_user(txn, 99, {"about": "x"})


def test_a_request_can_not_name_a_column(txn: Transaction) -> None:
    """Names of fields become part of a statement, so only known ones get there."""
    with pytest.raises(AssertionError):
        change_user(txn, 1, {"about = 'x' --": "y"})


def test_an_account_is_made_with_its_key_or_not_at_all(txn: Transaction) -> None:
    """A login that is taken, or a creator that is gone, makes nothing."""
    make(txn, "lena")
    lena = find_user(txn, "lena")
    assert lena is not None
    assert (lena.creator_id, lena.roles) == (1, ("device",))
    (key,) = accounts.keys_of(txn, lena.id)
    assert (key.text, key.is_master, key.label) == ("key-of-lena", True, "master key")
    for login in ("rosa", "LENA"):
        with pytest.raises(Conflict):
            make(txn, login)
    with pytest.raises(Gone):
        make(txn, "anna", creator=99)
    assert [user.login for user in users.users_of(txn, 1)] == ["lena"]


def test_an_account_makes_so_many(txn: Transaction, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that is shown at once has an end."""
    monkeypatch.setattr(users, "MAX_CREATED", 2)
    make(txn, "one")
    make(txn, "two")
    with pytest.raises(OverQuota, match="no more than 2 accounts"):
        make(txn, "three")


def test_the_last_one_that_makes_accounts_stays(txn: Transaction) -> None:
    """It can go when there is another one; the accounts it made have no creator then."""
    change_user(txn, 1, {"creatable_roles": ["default"]})
    make(txn, "lena")
    lena = find_user(txn, "lena")
    assert lena is not None
    with pytest.raises(Indispensable):
        users.delete_slice(txn, 1)
    change_user(txn, lena.id, {"creatable_roles": ["default"]})
    assert users.delete_slice(txn, 1) == ([], [], False)
    lena = find_user(txn, "lena")
    assert lena is not None
    assert lena.creator_id is None


def test_secrets_do_not_show(txn: Transaction) -> None:
    """A record that gets into a log has no key in it."""
    figures = users.Figures("the-key", 0, 0, None, 0, 0)
    assert "the-key" not in repr(figures)


async def test_passwords_are_hashed_off_the_reactor(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing takes a noticeable time, in which everybody else is served."""
    import threading

    from txpachube.server.storage import passwords

    threads = []
    real = passwords.hash_password

    def noted(password: str) -> str:
        threads.append(threading.current_thread())
        return real(password)

    monkeypatch.setattr(passwords, "hash_password", noted)
    await store.users.create(1, "lena", "tulips", {}, 0)
    lena = await store.users.find("lena")
    assert lena is not None
    await store.users.change(lena, {}, "roses")
    assert len(threads) == 2
    assert threading.main_thread() not in threads
    assert await store.check_password("lena", "tulips") is None
    key = await store.check_password("lena", "roses")
    assert key is not None
    assert key.owner == "lena"
    assert isinstance(store.users, Users)


async def test_a_deleted_account_is_forgotten(store: Store) -> None:
    """Its keys are unknown at once, also to a store that had them in memory."""
    await store.users.create(1, "lena", "tulips", {}, 0)
    lena = await store.users.find("lena")
    assert lena is not None
    (key,) = await store.keys_of(lena.id)
    assert await store.find_key(key.text) == key
    await store.users.delete(lena)
    assert await store.find_key(key.text) is None
    with pytest.raises(Gone):
        await store.users.change(lena, {"about": "x"})
    await store.users.delete(lena)
    assert await store.users.figures([lena], 0) == {}


def test_a_reader_is_enough_to_look(path: Path, txn: Transaction) -> None:
    """Lists are read through connections that can't write."""
    txn.execute("COMMIT")
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert [user.login for user in users.users_of(reader, 1)] == []
    assert find_user(reader, "rosa") is not None
    reader.close()
