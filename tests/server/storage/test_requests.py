"""The request log in the database, with a real one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from txpachube.server.storage import accounts, requests
from txpachube.server.storage.database import connect, upgrade
from txpachube.server.storage.requests import ASTRAY, REFUSED, STRANGER, WRITTEN, LoggedRequest
from txpachube.server.storage.writer import Transaction


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Return a database with an account, 1, that has the feeds 1 and 2."""
    path = tmp_path / "db"
    connection = connect(path)
    upgrade(connection, path)
    assert accounts.add_user(Transaction(connection), "rosa", None, 0) == 1
    for feed in (1, 2):
        connection.execute(
            "INSERT INTO feeds (id, owner, private, title, tags, location, created, updated, data_at)"
            " VALUES (?, 1, 0, 't', '[]', '{}', 0, 0, 0)",
            (feed,),
        )
    yield connection
    connection.close()


def entry(at: int, ring: int = REFUSED, feed: int | None = 1, owner: int | None = None) -> LoggedRequest:
    """Return a request that was refused."""
    return LoggedRequest(feed, owner, ring, at, 1, 400, "why", {"body": "ü"})


def add(db: sqlite3.Connection, *entries: LoggedRequest, kept: int = 3) -> None:
    """Add requests to rings that hold three."""
    requests.add(Transaction(db), entries, kept)


def times(db: sqlite3.Connection, feed: int = 1, owner: int | None = None, after: int = 0) -> list[int]:
    """Return when the requests came that are kept of a feed."""
    return [found.at for found in requests.requests_of(db, feed, owner, after)]


def test_what_is_added_comes_back(db: sqlite3.Connection) -> None:
    """With all that was said of it, and a number."""
    add(db, entry(5))
    (found,) = requests.requests_of(db, 1, None, 0)
    assert found == LoggedRequest(1, None, REFUSED, 5, 1, 400, "why", {"body": "ü"}, found.id)
    assert found.id > 0


def test_each_ring_forgets_its_oldest(db: sqlite3.Connection) -> None:
    """One that is full pushes out neither another ring's, nor another feed's."""
    add(db, entry(1, WRITTEN), entry(2, STRANGER), entry(3, feed=2))
    add(db, *(entry(at) for at in range(10, 20)))
    assert times(db) == [1, 2, 17, 18, 19]
    assert times(db, 2) == [3]


def test_only_what_is_newer(db: sqlite3.Connection) -> None:
    """Who follows asks for what has a larger number than the last; numbers never come again."""
    add(db, entry(1), entry(2), entry(3))
    numbers = [found.id for found in requests.requests_of(db, 1, None, 0)]
    assert times(db, after=numbers[1]) == [3]
    db.execute("DELETE FROM requests")
    add(db, entry(4))
    assert times(db, after=numbers[-1]) == [4]


def test_they_are_in_the_order_in_which_they_came(db: sqlite3.Connection) -> None:
    """Also when a later one was written down first."""
    add(db, entry(9), entry(4, WRITTEN))
    assert times(db) == [4, 9]


def test_what_named_no_feed_is_its_owners(db: sqlite3.Connection) -> None:
    """It is there for who may see it, and bounded like the others."""
    add(db, entry(1), *(entry(at, ASTRAY, None, 1) for at in range(2, 9)))
    assert times(db) == [1]
    assert times(db, owner=1) == [1, 6, 7, 8]


def test_what_does_not_exist_is_passed_over(db: sqlite3.Connection) -> None:
    """A feed or an account that is gone, or never was, has no log."""
    add(db, entry(1, feed=3), entry(2, ASTRAY, None, 2), entry(3))
    assert db.execute("SELECT count(*) FROM requests").fetchone() == (1,)


def test_strangers_have_a_bound_over_all_feeds(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest go, whichever feed they concern, and nothing else does."""
    monkeypatch.setattr(requests, "MAX_STRANGERS", 4)
    add(db, entry(1), *(entry(at, STRANGER, at % 2 + 1) for at in range(10, 17)), kept=99)
    assert times(db) == [1, 14, 16]
    assert times(db, 2) == [13, 15]


def test_a_deleted_account_takes_its_log_along(db: sqlite3.Connection) -> None:
    """With its feeds, and with what named none."""
    add(db, entry(1), entry(2, ASTRAY, None, 1))
    db.execute("DELETE FROM users WHERE id = 1")
    assert db.execute("SELECT count(*) FROM requests").fetchone() == (0,)
