"""The index that searches use."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import pytest

from txpachube.server.storage import accounts, database, feeds, search
from txpachube.server.storage.database import connect, upgrade
from txpachube.server.storage.filters import FeedFilter, phrases
from txpachube.server.storage.listing import find_feeds
from txpachube.server.storage.records import FeedChange, StreamChange
from txpachube.server.storage.writer import Transaction

ROSA = 1


def make(txn: Transaction, title: str = "Brook", private: bool = False, **streams: StreamChange) -> int:
    change = FeedChange(1, True, fields={"title": title}, private=private, streams=list(streams.values()))
    feed, _ = feeds.create_feed(txn, ROSA, change, None)
    search.refresh(txn)
    return feed.id


def change(txn: Transaction, feed_id: int, **parts: object) -> None:
    feeds.change_feed(txn, feed_id, FeedChange(2, True, **parts), {}, 0)  # type: ignore[arg-type]
    search.refresh(txn)


def found(txn: Transaction, words: str = "", private_of: int | None = None, **wanted: object) -> list[int]:
    db: sqlite3.Connection = txn.execute("SELECT 1").connection
    db.execute("COMMIT")
    try:
        wanted_feeds = FeedFilter(phrases=phrases(words), private_of=private_of, order="id", **wanted)  # type: ignore[arg-type]
        total, ids = find_feeds(db, wanted_feeds, {})
    finally:
        db.execute("BEGIN IMMEDIATE")
    assert total == len(ids)
    return ids


def written(txn: Transaction) -> int:
    """Return how many rows were written so far."""
    db: sqlite3.Connection = txn.execute("SELECT 1").connection
    return db.total_changes


def test_a_change_is_found_and_what_was_before_is_not(txn: Transaction) -> None:
    """Title, description, tags, datastreams with their tags and units, the place."""
    feed = make(txn)
    assert found(txn, "brook rosa") == [feed]
    change(txn, feed, fields={"title": "Rill", "description": "at the mill"}, tags=["Wet"])
    assert found(txn, "rill mill wet") == [feed]
    assert found(txn, "brook") == []
    change(txn, feed, streams=[StreamChange("flow", tags=["Fast"], unit={"label": "Litre", "symbol": "l"})])
    assert found(txn, "flow fast litre l") == [feed]
    assert found(txn, tag="FAST", unit="litre") == [feed]
    change(txn, feed, streams=[StreamChange("flow", tags=[], unit={"label": "Gallon"})])
    assert found(txn, "fast") == found(txn, "litre") == found(txn, tag="fast") == found(txn, unit="l") == []
    assert found(txn, "wet gallon", tag="wet", unit="gallon") == [feed]
    assert found(txn, mapped=True) == []
    change(txn, feed, location={"lat": 1.0, "lon": 2.0})
    assert found(txn, mapped=True) == [feed]
    change(txn, feed, location={"lat": None})
    assert found(txn, mapped=True) == []


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"fields": {"title": "new"}}, "new"),
        ({"fields": {"description": "new"}}, "new"),
        ({"tags": ["new"]}, "new"),
        ({"streams": [StreamChange("new")]}, "new"),
        ({"streams": [StreamChange("flow", tags=["new"])]}, "new"),
        ({"streams": [StreamChange("flow", unit={"label": "new"})]}, "new"),
        ({"streams": [StreamChange("other")], "drop_other_streams": True}, "other"),
    ],
)
def test_every_change_alone_is_noticed(txn: Transaction, parts: dict[str, object], words: str) -> None:
    """Whatever it is that a request changes."""
    feed = make(txn, flow=StreamChange("flow"))
    assert found(txn, words) == []
    change(txn, feed, **parts)
    assert found(txn, words) == [feed]
    assert found(txn, "flow") == ([] if "drop_other_streams" in parts else [feed])


def test_a_deleted_datastream_is_not_found_by(txn: Transaction) -> None:
    """Deleted by itself, or because an update names it no more."""
    feed = make(txn, a=StreamChange("flow", tags=["fast"]), b=StreamChange("level", unit={"symbol": "m"}))
    (flow,) = txn.execute("SELECT id FROM datastreams WHERE name = 'flow'").fetchone()
    feeds.delete_stream(txn, flow)
    search.refresh(txn)
    assert found(txn, "flow") == found(txn, tag="fast") == []
    assert found(txn, "level", unit="m") == [feed]
    change(txn, feed, streams=[StreamChange("other")], drop_other_streams=True)
    assert found(txn, "level") == found(txn, unit="m") == []


@pytest.mark.parametrize("private", [False, True])
def test_nothing_is_left_of_a_deleted_feed(txn: Transaction, private: bool) -> None:
    """No row of the index has its number any more, whoever deletes it."""
    feed = make(txn, private=private, a=StreamChange("flow", tags=["fast"], unit={"symbol": "m"}))
    change(txn, feed, location={"lat": 1.0, "lon": 2.0})
    txn.execute("DELETE FROM feeds WHERE id = ?", (feed,))
    tables = ("listed", "search_tags", "search_units", "search_places", "public_words", "private_words")
    for table in tables:
        assert txn.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
    search.refresh(txn)
    assert txn.execute("SELECT count(*) FROM unindexed").fetchone() == (0,)


def test_private_feeds_have_their_words_elsewhere(txn: Transaction) -> None:
    """What becomes private is hidden at once, and what becomes public is shown."""
    feed = make(txn)
    change(txn, feed, private=True)
    assert found(txn, "brook") == found(txn, "brook", private_of=2) == []
    assert found(txn, "brook", private_of=ROSA) == [feed]
    assert txn.execute("SELECT count(*) FROM public_words").fetchone() == (0,)
    change(txn, feed, private=False)
    assert found(txn, "brook") == [feed]
    assert txn.execute("SELECT count(*) FROM private_words").fetchone() == (0,)


def test_a_renamed_creator_is_found_by_the_new_name(txn: Transaction) -> None:
    """All feeds of an account are found by its login."""
    feed = make(txn)
    txn.execute("UPDATE users SET login = 'rosalind' WHERE id = ?", (ROSA,))
    search.refresh(txn)
    assert found(txn, "rosalind") == [feed]
    assert found(txn, "rosa") == []


def test_what_is_not_new_is_not_written(txn: Transaction) -> None:
    """Values cost the index nothing, and texts that have the same words, tags and units cost little."""
    feed = make(txn, "Brook", a=StreamChange("flow", tags=["fast"], unit={"symbol": "m"}))
    before = written(txn)
    search.refresh(txn)
    assert written(txn) == before
    points = FeedChange(3, True, streams=[StreamChange("flow", points=[(3, "7")])])
    feeds.change_feed(txn, feed, points, {}, 0)
    assert txn.execute("SELECT count(*) FROM unindexed").fetchone() == (0,)
    feeds.change_feed(txn, feed, FeedChange(3, True, fields={"title": "Brook!"}), {}, 0)
    stored = txn.execute("SELECT * FROM public_words_data ORDER BY id").fetchall()
    search.refresh(txn)
    assert txn.execute("SELECT * FROM public_words_data ORDER BY id").fetchall() == stored
    assert found(txn, "brook") == [feed]


def test_a_place_that_moves_leaves_the_words_alone(txn: Transaction) -> None:
    """A mobile feed changes its place all the time."""
    feed = make(txn)
    feeds.change_feed(txn, feed, FeedChange(2, True, location={"lat": 1.0, "lon": 2.0}), {}, 0)
    assert txn.execute("SELECT * FROM unindexed").fetchall() == [(feed, "place")]


@pytest.mark.parametrize(
    ("lat", "lon", "expected"),
    [(0, 0, (1, 0, 0)), (0, 90, (0, 1, 0)), (90, 5, (0, 0, 1)), (-90, 5, (0, 0, -1)), (0, -180, (-1, 0, 0))],
)
def test_places_are_on_a_ball(lat: float, lon: float, expected: tuple[float, float, float]) -> None:
    """From the middle of the Earth: Africa, India, the poles, the date line."""
    for one, other in zip(search.direction(lat, lon), expected, strict=True):
        assert math.isclose(one, other, abs_tol=1e-12)


def test_an_upgrade_finds_what_was_there_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Feeds of a database that had no index are found after the first piece of work."""
    path = tmp_path / "pachube.sqlite3"
    steps = database._steps()
    monkeypatch.setattr(database, "_steps", lambda: steps[:4])
    connection = connect(path)
    upgrade(connection, path)
    connection.execute("INSERT INTO users (login, created) VALUES ('rosa', 0)")
    insert = (
        "INSERT INTO feeds"
        " (id, owner, private, title, description, tags, location, created, updated, data_at)"
        " VALUES (?, 1, ?, 'Old brook', ?, '[\"wet\"]', ?, 5, 6, 7)"
    )
    connection.execute(insert, (504, 0, "at the mill", '{"lat": 1.0, "lon": 2.0}'))
    connection.execute(insert, (505, 1, None, "{}"))
    connection.execute(
        "INSERT INTO datastreams (feed, name, tags, unit, data_at, state_seq)"
        " VALUES (504, 'flow', '[\"fast\"]', '{\"symbol\": \"l\"}', 0, 0)"
    )
    monkeypatch.undo()
    upgrade(connection, path)
    connection.execute("BEGIN IMMEDIATE")
    txn = Transaction(connection)
    search.refresh(txn)
    assert found(txn, "old") == [504]
    assert found(txn, "old wet", private_of=1) == [504, 505]
    assert found(txn, "mill flow rosa", tag="fast", unit="L", mapped=True) == [504]
    feed = feeds.load_feed(txn, 504)
    assert feed is not None
    assert (feed.created, feed.updated, feed.data_at) == (5, 6, 7)
    connection.close()


def test_accounts_know_nothing_of_the_index(txn: Transaction) -> None:
    """An account that goes with its feeds takes along what was found by them."""
    otto = accounts.add_user(txn, "otto", None, 0)
    feed, _ = feeds.create_feed(txn, otto, FeedChange(1, True, fields={"title": "Roof"}), None)
    search.refresh(txn)
    assert found(txn, "roof") == [feed.id]
    txn.execute("DELETE FROM users WHERE id = ?", (otto,))
    assert found(txn, "roof") == []
    assert txn.execute("SELECT count(*) FROM public_words").fetchone() == (0,)
