"""What an administrator does to the database, with nobody else about and under a running store."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from txpachube.server import administration
from txpachube.server.administration import (
    ADMIN_FILE,
    DATABASE_FILE,
    FIRST_LOGIN,
    Administration,
    first_start,
    is_key_text,
    open_administration,
)
from txpachube.server.storage import accounts, passwords
from txpachube.server.storage.database import connect, latest_version, lock
from txpachube.server.storage.failures import Conflict, DatabaseTooNew, StorageFailed
from txpachube.server.storage.quotas import UNLIMITED
from txpachube.server.storage.records import FeedChange, Permission, Resource, StreamChange
from txpachube.server.storage.store import Store
from txpachube.server.storage.triggers import Trigger

T = TypeVar("T")

ALL_METHODS = ("get", "put", "post", "delete")
NOW = 1_000_000
PATIENCE = 20.0


def clock() -> int:
    return NOW


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory that does not exist yet."""
    return tmp_path / "new" / "data"


@pytest_twisted.async_yield_fixture
async def store(data: Path) -> AsyncIterator[Store]:
    """An open store on the data directory, with the first account in row 1."""
    from twisted.internet import reactor

    first_start(data, clock)
    opened = Store(data / DATABASE_FILE, reactor)  # type: ignore[arg-type]  # the module's type is that of no reactor
    await opened.open()
    yield opened
    await opened.close()


def administer(data: Path, work: Callable[[Administration], T]) -> T:
    """Do one piece of administration."""
    with open_administration(data, clock) as administration:
        return work(administration)


async def until(condition: Callable[[], Awaitable[object] | Coroutine[Any, Any, object]]) -> None:
    """Let the reactor run until a condition is true, or fail after a while."""
    from twisted.internet import reactor

    timer: Any = reactor
    end = timer.seconds() + PATIENCE
    while not await condition():
        assert timer.seconds() < end, "it was not noticed"
        await deferLater(timer, 0.01)


# --- by itself --------------------------------------------------------------------------------------


def test_the_first_start_makes_an_account_and_says_its_secrets_once(data: Path) -> None:
    """They stand in a file for the owner only, and they work; a second start changes nothing."""
    umask = os.umask(0)
    try:
        assert first_start(data, clock)
    finally:
        os.umask(umask)
    file = data / ADMIN_FILE
    assert data.stat().st_mode & 0o777 == 0o700
    assert {found.stat().st_mode & 0o777 for found in data.iterdir()} == {0o600}
    content = file.read_bytes()
    secrets = tomllib.loads(content.decode())
    assert sorted(secrets) == ["api_key", "login", "password"]
    assert secrets["login"] == FIRST_LOGIN
    assert (len(secrets["api_key"]), len(secrets["password"])) == (48, 24)
    assert not first_start(data, clock)
    assert file.read_bytes() == content
    key = administer(data, lambda admin: admin.find_key(secrets["api_key"]))
    assert key is not None
    assert (key.owner, key.is_master) == (FIRST_LOGIN, True)
    connection = connect(data / DATABASE_FILE)
    (stored,) = connection.execute("SELECT password_hash FROM users").fetchone()
    connection.close()
    assert passwords.verify(stored, secrets["password"])


def test_the_secrets_replace_those_of_a_database_that_is_gone(data: Path) -> None:
    """An old file is not written into: whoever has it open does not get the new secrets."""
    data.mkdir(parents=True)
    old = data / ADMIN_FILE
    old.write_text("old", "utf-8")
    old.chmod(0o644)
    with old.open("rb") as still_open:
        assert first_start(data, clock)
        assert still_open.read() == b"old"
    assert old.stat().st_mode & 0o777 == 0o600
    assert tomllib.loads(old.read_text("utf-8"))["login"] == FIRST_LOGIN


def test_without_a_file_for_its_secrets_there_is_no_account(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the file can't be written, the next start tries again."""

    def fail(_: Path, __: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(administration, "_write_private", fail)
        with pytest.raises(StorageFailed, match="full"):
            first_start(data, clock)
    assert administer(data, Administration.users) == []
    assert first_start(data, clock)


def test_a_piece_of_administration_is_done_wholly_or_not_at_all(data: Path) -> None:
    """What fails in the middle leaves nothing."""

    def half(admin: Administration) -> None:
        admin.add_user("rosa", None)
        raise Conflict("no")

    with pytest.raises(Conflict):
        administer(data, half)
    assert administer(data, Administration.users) == []


def test_failures_of_the_disk_are_failures_of_storage(data: Path) -> None:
    """Commands need not know SQLite."""
    data.mkdir(parents=True)
    (data / DATABASE_FILE).write_bytes(b"something else " * 100)
    with pytest.raises(StorageFailed, match="not a database"):
        administer(data, Administration.users)
    (data / DATABASE_FILE).unlink()
    (data / DATABASE_FILE).mkdir()
    with pytest.raises(StorageFailed):
        administer(data, Administration.users)


def test_accounts_are_made_found_and_listed(data: Path) -> None:
    """A login is had once."""
    rosa = administer(data, lambda admin: admin.add_user("rosa", "secret"))
    assert administer(data, lambda admin: admin.find_user("rosa")) == rosa
    assert administer(data, lambda admin: admin.find_user("otto")) is None
    assert administer(data, Administration.users) == [(rosa, "rosa", NOW)]
    with pytest.raises(Conflict):
        administer(data, lambda admin: admin.add_user("rosa", None))


def test_accounts_are_made_and_changed_with_what_is_said_of_them(data: Path) -> None:
    """What they may have and make, who may change them, and a new password that ends the old one."""
    with open_administration(data, clock) as admin:
        rosa = admin.add_user("rosa", "first", creatable_roles=["default"], feeds_allowed=3)
        admin.add_user("otto", None, rosa, email="otto@example.org")
        admin.change_user(rosa, "second", datastreams_allowed=UNLIMITED)
        profile, other = admin.profile("rosa"), admin.profile("otto")
        assert profile is not None
        assert other is not None
        assert admin.profile("nobody") is None
    assert (profile.creatable_roles, profile.feeds_allowed, profile.datastreams_allowed) == (
        ("default",),
        3,
        UNLIMITED,
    )
    assert (other.creator_id, other.texts["email"]) == (rosa, "otto@example.org")
    connection = connect(data / DATABASE_FILE)
    (stored,) = connection.execute("SELECT password_hash FROM users WHERE login = 'rosa'").fetchone()
    connection.close()
    assert passwords.verify(stored, "second")
    assert not passwords.verify(stored, "first")


def test_the_first_account_is_not_limited_and_makes_others(data: Path) -> None:
    """What it may have is for the machine to say."""
    first_start(data, clock)
    profile = administer(data, lambda admin: admin.profile(FIRST_LOGIN))
    assert profile is not None
    assert (profile.feeds_allowed, profile.datastreams_allowed) == (UNLIMITED, UNLIMITED)
    assert "default" in profile.creatable_roles


def test_keys_are_made_with_the_rights_asked_for(data: Path) -> None:
    """For everything, or for some feeds and methods; a text can be chosen."""
    with open_administration(data, clock) as admin:
        rosa = admin.add_user("rosa", None)
        master = admin.add_master_key(rosa, "all")
        reader = admin.add_key(rosa, "some", [4, 5], ("get",), "chosen")
        open_ = admin.add_key(rosa, "any", [], ("get", "put"), None)
        assert master.is_master
        assert len(master.text) == 48
        assert reader.permissions == (Permission(("get",), resources=(Resource(4), Resource(5))),)
        assert open_.permissions == (Permission(("get", "put")),)
        assert all(key.private_access for key in (master, reader, open_))
        assert admin.keys(rosa) == [master, reader, open_]
        with pytest.raises(Conflict):
            admin.add_master_key(rosa, "again", "chosen")


def test_keys_are_found_by_text_or_number(data: Path) -> None:
    """A text of digits is a text first; and numbers that no row can have find nothing."""
    with open_administration(data, clock) as admin:
        rosa = admin.add_user("rosa", None)
        first = admin.add_master_key(rosa, "", "first")
        digits = admin.add_master_key(rosa, "", str(first.pk))
        assert admin.find_key("first") == first
        assert admin.find_key(str(first.pk)) == digits
        assert admin.find_key(str(digits.pk)) == digits
        for text in ("", "no", "99", "-1", "\u0661", str(1 << 63), "9" * 255, "0" * 30):
            assert admin.find_key(text) is None
        admin.remove_key(digits)
        assert admin.find_key(str(first.pk)) == first


def test_feeds_are_made_with_the_id_that_is_in_a_device(data: Path) -> None:
    """Or with the next free one; each has its datastreams in order."""
    with open_administration(data, clock) as admin:
        rosa = admin.add_user("rosa", None)
        feed = admin.add_feed(rosa, "Office", ["temp", "10", "9"], 504)
        assert (feed.id, feed.owner, feed.fields, feed.created) == (504, "rosa", {"title": "Office"}, NOW)
        assert list(feed.streams) == ["9", "10", "temp"]
        assert admin.add_feed(rosa, "Next", []).id == 505
        with pytest.raises(Conflict):
            admin.add_feed(rosa, "Again", [], 504)
        admin.add_streams(feed, ["temp", "new"])
        again = admin.find_feed(504)
        assert again is not None
        assert list(again.streams) == ["9", "10", "new", "temp"]
        assert again.streams["temp"].pk == feed.streams["temp"].pk
        assert [found.id for found in admin.feeds(rosa)] == [504, 505]
        for number in (0, -1, 7, 1 << 63, 1 << 80):
            assert admin.find_feed(number) is None


def test_a_feed_without_a_title_is_called_by_its_number(data: Path) -> None:
    """A title is required, and the number is what people know."""
    with open_administration(data, clock) as admin:
        rosa = admin.add_user("rosa", None)
        assert admin.add_feed(rosa, None, [], 504).fields == {"title": "Feed 504"}
        assert admin.add_feed(rosa, None, []).fields == {"title": "Feed 505"}


def test_a_key_can_be_allowed_one_more_feed(data: Path) -> None:
    """With what it may do already left alone; where it says the same of another feed, that is extended."""
    with open_administration(data, clock) as admin:
        rosa = admin.add_user("rosa", None)
        everything = Permission(ALL_METHODS, resources=(Resource(1),))
        device = admin.add_key(rosa, "device", [1], ALL_METHODS, "device")
        reader = admin.add_key(rosa, "reader", [1], ("get",), "reader")
        for key in (device, reader):
            admin.allow_feed(key, 2)
        found = admin.find_key("device")
        assert found is not None
        assert found.permissions == (Permission(ALL_METHODS, resources=(Resource(1), Resource(2))),)
        found = admin.find_key("reader")
        assert found is not None
        assert found.permissions == (
            Permission(("get",), resources=(Resource(1),)),
            Permission(ALL_METHODS, resources=(Resource(2),)),
        )
        assert (found.label, found.private_access, found.expires_at) == ("reader", True, None)
        assert device.permissions == (everything,)


def test_removing_an_account_removes_what_belongs_to_it(data: Path) -> None:
    """Its feeds and keys, and its feeds out of the keys of others."""
    with open_administration(data, clock) as admin:
        rosa, otto = admin.add_user("rosa", None), admin.add_user("otto", None)
        mine, his = admin.add_feed(rosa, "Mine", ["a"]), admin.add_feed(otto, "His", ["b"])
        admin.add_master_key(rosa, "", "mine")
        admin.add_key(otto, "", [mine.id, his.id], ("get",), "his")
        assert admin.remove_user(rosa) == [mine.id]
        assert [login for _, login, _ in admin.users()] == ["otto"]
        assert admin.find_key("mine") is None
        assert [feed.id for feed in admin.feeds()] == [his.id]
        (key,) = admin.keys(otto)
        assert key.permissions[0].resources == (Resource(his.id),)


@pytest.mark.parametrize(
    ("text", "can_be_one"),
    [
        ("a", True),
        ("A-b_9" * 51, True),
        ("", False),
        ("x" * 256, False),
        ("a b", False),
        ("ä", False),
        ("a\n", False),
        ("a/b", False),
    ],
)
def test_a_key_text_can_stand_in_a_url(text: str, can_be_one: bool) -> None:
    """Letters, digits, dash and underscore, up to the length that old firmware has room for."""
    assert is_key_text(text) is can_be_one


# --- versions ---------------------------------------------------------------------------------------


def test_commands_may_all_come_at_once_on_a_new_directory(data: Path) -> None:
    """Each does its work, whichever of them makes the database."""
    program = (
        "import sys, pathlib\n"
        "from txpachube.server.administration import first_start, open_administration\n"
        "data = pathlib.Path(sys.argv[1])\n"
        "print(flush=True)\n"
        "input()\n"
        "first_start(data, lambda: 1)\n"
        "with open_administration(data, lambda: 1) as admin: admin.add_user(sys.argv[2], None)\n"
    )
    names = [f"user{number}" for number in range(8)]
    command = [sys.executable, "-c", program, str(data)]
    children = [
        subprocess.Popen(
            [*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for name in names
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == b"\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"\n")
        child.stdin.flush()
    for child in children:
        _, said = child.communicate(timeout=60)
        assert (child.returncode, said) == (0, b"")
    users = administer(data, Administration.users)
    assert [login for _, login, _ in users] == [FIRST_LOGIN, *names]


def older(data: Path) -> None:
    """Let the database look like that of an earlier version."""
    connection = connect(data / DATABASE_FILE)
    connection.execute("PRAGMA user_version = 0")
    connection.close()


def test_a_running_service_is_not_upgraded_under_its_feet(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer command asks for the service to be stopped first."""
    administer(data, Administration.users)
    older(data)
    monkeypatch.setattr(administration, "LOCK_TRIES", 2)
    held = lock(data / DATABASE_FILE)
    assert held is not None
    with pytest.raises(StorageFailed, match="stop the service first"):
        administer(data, Administration.users)
    os.close(held)


def test_a_running_service_of_the_same_version_is_no_hindrance(data: Path) -> None:
    """Administration and service share the database."""
    administer(data, Administration.users)
    held = lock(data / DATABASE_FILE)
    assert held is not None
    assert administer(data, lambda admin: admin.add_user("rosa", None)) == 1
    os.close(held)


def test_a_database_from_the_future_is_not_touched(data: Path) -> None:
    """Not even read."""
    administer(data, Administration.users)
    connection = connect(data / DATABASE_FILE)
    connection.execute(f"PRAGMA user_version = {latest_version() + 1}")
    connection.close()
    with pytest.raises(DatabaseTooNew):
        administer(data, Administration.users)


# --- under a running store --------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_running_store_notices_keys(data: Path, store: Store) -> None:
    """A text that was nobody's works soon after it was made, and no longer soon after it is removed."""
    assert await store.find_key("chosen") is None
    key = administer(data, lambda admin: admin.add_key(1, "", [], ALL_METHODS, "chosen"))

    async def works() -> bool:
        return await store.find_key("chosen") == key

    async def fails() -> bool:
        return not await works()

    await until(works)
    administer(data, lambda admin: admin.remove_key(key))
    await until(fails)


@pytest_twisted.ensureDeferred
async def test_a_running_store_notices_datastreams(data: Path, store: Store) -> None:
    """They can be written, and the values of the others stay, also those that only memory knows."""
    made = FeedChange(5, True, fields={"title": "T"}, streams=[StreamChange("a", points=[(1, "7")])])
    feed = await store.find_feed(await store.create_feed(1, made))
    assert feed is not None
    kept = feed.streams["a"]

    def add(admin: Administration) -> None:
        found = admin.find_feed(feed.id)
        assert found is not None
        assert found.streams["a"].value is None, "what waits in the journal is not in the rows"
        admin.add_streams(found, ["b"])

    async def there() -> bool:
        return "b" in feed.streams

    administer(data, add)
    await until(there)
    assert feed.streams["a"] is kept
    assert kept.value == "7"
    await store.change_feed(feed, FeedChange(6, False, streams=[StreamChange("b", points=[(2, "8")])]))
    assert await store.points(feed.streams["b"], 0, 9, 9) == [(2, "8")]


@pytest_twisted.ensureDeferred
async def test_a_running_store_notices_that_a_feed_is_gone(data: Path, store: Store) -> None:
    """The record is emptied, its history removed, keys limited to it stop working."""
    made = FeedChange(5, True, fields={"title": "T"}, streams=[StreamChange("a", points=[(1, "7")])])
    feed = await store.find_feed(await store.create_feed(1, made))
    assert feed is not None
    only = (Permission(("get",), resources=(Resource(feed.id),)),)
    await store.create_key(1, "", True, only, None, "only")
    assert await store.find_key("only") is not None
    store._folder.fold()

    def remove(admin: Administration) -> None:
        found = admin.find_feed(feed.id)
        assert found is not None
        admin.remove_feed(found)

    async def gone() -> bool:
        return await store.find_feed(feed.id) is None and await store.find_key("only") is None

    async def forgotten() -> bool:
        (left,) = await store._write(lambda txn: txn.execute("SELECT count(*) FROM history").fetchone())
        return bool(left == 0)

    administer(data, remove)
    await until(gone)
    assert feed.streams == {}
    await until(forgotten)


@pytest_twisted.ensureDeferred
async def test_a_running_store_notices_that_an_account_is_gone(data: Path, store: Store) -> None:
    """Its feeds and keys are, and whoever watches for its triggers is told."""
    ended: list[int] = []

    class Watch:
        def changed(self, trigger: Trigger, data_at: int) -> None:
            pass

        def removed(self, trigger: Trigger) -> None:
            pass

        def owner_removed(self, owner_id: int) -> None:
            ended.append(owner_id)

    rosa = administer(data, lambda admin: admin.add_user("rosa", None))
    key = await store.create_key(rosa, "", True, accounts.MASTER, None, "master-of-rosa")
    feed_id = await store.create_feed(rosa, FeedChange(5, True, fields={"title": "T"}))
    assert await store.find_key(key.text) == key
    store.triggers.observer = Watch()
    administer(data, lambda admin: admin.remove_user(rosa))

    async def gone() -> bool:
        return (
            await store.find_key(key.text) is None
            and await store.find_feed(feed_id) is None
            and ended == [rosa]
        )

    await until(gone)
    store.triggers.observer = None


@pytest_twisted.ensureDeferred
async def test_a_feed_made_anew_is_another_feed(data: Path, store: Store) -> None:
    """Removed and adopted again before the store looked: nothing of the old one is left in memory."""
    made = FeedChange(5, True, fields={"title": "Old"}, streams=[StreamChange("a", points=[(1, "7")])])
    old = await store.find_feed(await store.create_feed(1, made, 504))
    assert old is not None

    def replace(admin: Administration) -> None:
        found = admin.find_feed(504)
        assert found is not None
        admin.remove_feed(found)
        admin.add_feed(1, "New", ["a"], 504)

    async def renewed() -> bool:
        return await store.find_feed(504) is not old

    administer(data, replace)
    await until(renewed)
    new = await store.find_feed(504)
    assert new is not None
    assert (new.fields, new.created, new.data_at) == ({"title": "New"}, NOW, 0)
    assert new.streams["a"].value is None
    assert await store.points(new.streams["a"], 0, 9, 9) == []


@pytest_twisted.ensureDeferred
async def test_a_store_does_not_look_at_notices_from_before_its_start(data: Path, store: Store) -> None:
    """What was done while no service ran needs no noticing."""
    assert store._last_notice > 0
    found = await store._write(lambda txn: txn.execute("SELECT max(id) FROM notices").fetchone()[0])
    assert store._last_notice == found


@pytest_twisted.ensureDeferred
async def test_a_store_goes_on_while_an_administrator_takes_his_time(data: Path, store: Store) -> None:
    """A write waits for the other's transaction, reads don't."""
    made = FeedChange(5, True, fields={"title": "T"}, streams=[StreamChange("a")])
    feed = await store.find_feed(await store.create_feed(1, made))
    assert feed is not None
    other = connect(data / DATABASE_FILE)
    other.execute("BEGIN IMMEDIATE")
    change = FeedChange(6, False, streams=[StreamChange("a", points=[(1, "1")])])
    writing = Deferred.fromCoroutine(store.change_feed(feed, change))
    assert await store.points(feed.streams["a"], 0, 9, 9) == []
    assert not writing.called
    await deferToThread(sqlite3.Connection.execute, other, "COMMIT")
    await writing
    other.close()
    assert feed.streams["a"].value == "1"
