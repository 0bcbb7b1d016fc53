"""Accounts and keys in the database."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from txpachube.server.storage import accounts, feeds
from txpachube.server.storage.accounts import forget_feed
from txpachube.server.storage.failures import Conflict
from txpachube.server.storage.records import FeedChange, Key, Permission, Resource
from txpachube.server.storage.writer import Transaction

ROSA = 1
GET = Permission(("get",))
FULL = Permission(
    access_methods=("put", "get"),
    source_ip="192.0.2.7/24",
    source_network=ip_network("192.0.2.0/24"),
    referer="garden.example",
    minimum_interval=300,
    label="a label",
    resources=(Resource(7), Resource(7, "temp"), Resource(8, None, 9)),
)


def add(txn: Transaction, text: str, *permissions: Permission, owner: int = ROSA) -> Key:
    return accounts.add_key(txn, owner, text, "label", True, permissions or (GET,), None)


def limited_to(*resources: Resource) -> Permission:
    return Permission(("get",), resources=resources)


def count(txn: Transaction, table: str) -> int:
    found: int = txn.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return found


def test_an_account_is_found_by_its_login(txn: Transaction) -> None:
    """Logins are compared exactly, and a login can be taken only once."""
    otto = accounts.add_user(txn, "otto", "hash", 12)
    assert accounts.find_user(txn, "otto") == (otto, "otto", "hash")
    assert accounts.find_user(txn, "Otto") is None
    assert accounts.users(txn) == [(otto, "otto", 12), (ROSA, "rosa", 0)]
    with pytest.raises(Conflict, match="otto"):
        accounts.add_user(txn, "otto", None, 13)


def test_a_key_comes_back_as_it_was_stored(txn: Transaction) -> None:
    """Every part of a key survives, with permissions and resources in their order."""
    stored = accounts.add_key(txn, ROSA, "the-text", "my label", False, (GET, FULL), 99)
    found = accounts.find_key(txn, "the-text")
    assert found == stored == Key(stored.pk, "the-text", ROSA, "rosa", "my label", False, (GET, FULL), 99)
    assert accounts.find_key_by_pk(txn, stored.pk) == stored
    assert not stored.is_master
    assert "the-text" not in repr(stored)


def test_a_key_is_looked_up_by_the_hash_of_its_text(txn: Transaction) -> None:
    """What a lookup compares is no part of the text, and any text can be asked for."""
    add(txn, "the-text")
    plan = txn.execute("EXPLAIN QUERY PLAN SELECT * FROM keys WHERE hash = ?", (b"",)).fetchall()
    assert "USING INDEX" in plan[0][3]
    stored = txn.execute("SELECT hash FROM keys").fetchone()[0]
    assert stored == accounts.key_hash("the-text")
    assert len(stored) == 32
    for other in ("", "The-text", "the-text ", "\ud800", "x" * 100_000, "the-text\x00"):
        assert accounts.find_key(txn, other) is None


def test_two_keys_cant_have_one_text(txn: Transaction) -> None:
    """Not even keys of different accounts."""
    add(txn, "the-text")
    otto = accounts.add_user(txn, "otto", None, 0)
    with pytest.raises(Conflict) as caught:
        add(txn, "the-text", owner=otto)
    assert "the-text" not in str(caught.value)


def test_an_account_lists_its_own_keys_in_the_order_they_were_made(txn: Transaction) -> None:
    """Keys of others are not among them."""
    otto = accounts.add_user(txn, "otto", None, 0)
    for text, owner in (("c", ROSA), ("a", otto), ("b", ROSA)):
        add(txn, text, owner=owner)
    assert [key.text for key in accounts.keys_of(txn, ROSA)] == ["c", "b"]
    assert [key.text for key in accounts.keys_of(txn, otto)] == ["a"]
    assert accounts.keys_of(txn, 99) == []


def test_changing_a_key_replaces_everything_but_its_text(txn: Transaction) -> None:
    """Old permissions and resources are gone, and other keys are not touched."""
    key, other = add(txn, "the-text", FULL, GET), add(txn, "other", FULL)
    changed = accounts.change_key(txn, key.pk, "new", False, (GET,), 5)
    assert changed == Key(key.pk, "the-text", ROSA, "rosa", "new", False, (GET,), 5)
    assert accounts.find_key(txn, "the-text") == changed
    assert accounts.find_key(txn, "other") == other
    assert (count(txn, "permissions"), count(txn, "resources")) == (2, 3)


def test_a_new_text_replaces_the_old_one(txn: Transaction) -> None:
    """The old text stops working, the new one has all rights of the key."""
    key = add(txn, "old", FULL)
    changed = accounts.replace_key_text(txn, key.pk, "new")
    assert accounts.find_key(txn, "old") is None
    assert accounts.find_key(txn, "new") == changed
    assert changed is not None
    assert (changed.pk, changed.permissions) == (key.pk, (FULL,))


def test_a_key_that_was_deleted_meanwhile_cant_be_changed(txn: Transaction) -> None:
    """Changing it finds nothing and makes nothing."""
    key = add(txn, "the-text", FULL)
    accounts.delete_key(txn, key.pk)
    assert accounts.change_key(txn, key.pk, "new", True, (GET,), None) is None
    assert accounts.replace_key_text(txn, key.pk, "new") is None
    accounts.delete_key(txn, key.pk)
    assert [count(txn, table) for table in ("keys", "permissions", "resources")] == [0, 0, 0]


def test_a_deleted_account_takes_its_keys_along(txn: Transaction) -> None:
    """With their permissions and resources; those of others stay."""
    otto = accounts.add_user(txn, "otto", None, 0)
    add(txn, "his", FULL, owner=otto)
    add(txn, "hers", FULL)
    accounts.delete_user(txn, otto)
    assert accounts.find_key(txn, "his") is None
    assert [count(txn, table) for table in ("users", "keys", "permissions", "resources")] == [1, 1, 1, 3]


def test_a_deleted_feed_leaves_every_key_limited_to_it(txn: Transaction) -> None:
    """A permission keeps what else it is limited to, and never becomes unlimited."""
    both = add(txn, "both", limited_to(Resource(1), Resource(2), Resource(1, "temp")))
    one = add(txn, "one", limited_to(Resource(1)), limited_to(Resource(2, "door")))
    open_ = add(txn, "open", GET, limited_to(Resource(1, "temp")))
    elsewhere = add(txn, "elsewhere", limited_to(Resource(2)), GET)
    assert sorted(forget_feed(txn, 1)) == [both.pk, one.pk, open_.pk]
    left = {key.text: key.permissions for key in accounts.keys_of(txn, ROSA)}
    assert left == {
        "both": (limited_to(Resource(2)),),
        "one": (limited_to(Resource(2, "door")),),
        "open": (GET,),
        "elsewhere": elsewhere.permissions,
    }


def test_a_key_that_was_limited_to_a_deleted_feed_goes_with_it(txn: Transaction) -> None:
    """Nothing is left that it could be for; and nobody else can take its rights over by accident."""
    gone = add(txn, "gone", limited_to(Resource(1)), limited_to(Resource(1, "temp"), Resource(1, "door")))
    trigger = add(txn, "trigger", limited_to(Resource(None, None, 5)))
    assert forget_feed(txn, 1) == [gone.pk]
    assert accounts.find_key(txn, "gone") is None
    assert accounts.find_key(txn, "trigger") == trigger
    assert forget_feed(txn, 1) == []
    assert [count(txn, table) for table in ("keys", "permissions", "resources")] == [1, 1, 1]


def test_deleting_a_feed_tells_which_keys_it_concerned(txn: Transaction) -> None:
    """The feed's deletion takes it out of the keys in the same transaction."""
    feed, _ = feeds.create_feed(txn, ROSA, FeedChange(1, True, fields={"title": "T"}), None)
    key = add(txn, "gone", limited_to(Resource(feed.id)))
    assert feeds.delete_feed(txn, feed.id) == [key.pk]
    assert accounts.find_key(txn, "gone") is None


def test_new_keys_look_like_those_of_old() -> None:
    """48 characters that need no escaping in a URL, all from the random bytes."""
    text = accounts.new_key_text(lambda count: bytes(range(256 - count, 256)))
    assert len(text) == 48
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert text != accounts.new_key_text(bytes)


@pytest.mark.parametrize(
    ("key", "master"),
    [
        (Permission(("get", "put", "post", "delete")), True),
        (Permission(("get", "put", "post")), False),
        (Permission(("get", "put", "post", "delete"), referer="a"), False),
        (Permission(("get", "put", "post", "delete"), source_ip="192.0.2.1"), False),
        (Permission(("get", "put", "post", "delete"), minimum_interval=0), False),
        (Permission(("get", "put", "post", "delete"), resources=(Resource(1),)), False),
    ],
)
def test_a_master_key_has_one_permission_for_everything(
    txn: Transaction, key: Permission, master: bool
) -> None:
    """All four methods without any restriction, and private access."""
    assert add(txn, "a", GET, key).is_master is master
    assert accounts.add_key(txn, ROSA, "b", "", False, (key,), None).is_master is False
