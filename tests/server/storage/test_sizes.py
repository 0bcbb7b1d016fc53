"""How much room feeds take."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from txpachube.server.administration import DATABASE_FILE, open_administration
from txpachube.server.storage.database import connect
from txpachube.server.storage.retention import DAY
from txpachube.server.storage.sizes import FeedSize, feed_sizes

NOW = 15_000 * DAY


@pytest.fixture
def db(tmp_path: Path) -> sqlite3.Connection:
    """Return a database with two feeds: 100 000 values in a hundred days, and none."""
    with open_administration(tmp_path, lambda: NOW) as administration:
        owner = administration.add_user("rosa", None)
        pk = administration.add_feed(owner, "Roof", ["wind"], 7).streams["wind"].pk
        administration.add_feed(owner, "Cellar", ["wine"], 8)
        txn = administration._txn
        step = 100 * DAY // 100_000
        txn.executemany(
            "INSERT INTO history VALUES (?, ?, ?)",
            ((pk, NOW - number * step, f"{number % 1000 / 10}") for number in range(100_000)),
        )
        administration.keep_feed(8, 30)
    return connect(tmp_path / DATABASE_FILE)


def test_the_estimate_is_near_the_truth(db: sqlite3.Connection, tmp_path: Path) -> None:
    """Within a quarter of what the pages really take."""
    with closing(db):
        roof, cellar = feed_sizes(db, NOW)
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        real = (tmp_path / DATABASE_FILE).stat().st_size
    assert (roof.id, roof.owner, roof.title, roof.datapoints) == (7, "rosa", "Roof", 100_000)
    assert 0.75 < roof.bytes / real < 1.25
    assert roof.per_day == pytest.approx(roof.bytes / 100, rel=0.02)
    assert (cellar.datapoints, cellar.bytes, cellar.per_day, cellar.days) == (0, 0, 0, 30)


def test_what_is_not_folded_yet_counts(db: sqlite3.Connection) -> None:
    """The journal is part of it."""
    with closing(db):
        pk = db.execute("SELECT id FROM datastreams WHERE name = 'wine'").fetchone()[0]
        db.executemany(
            "INSERT INTO journal VALUES (?, ?, ?, '12', 0, 0)",
            [(seq, pk, NOW - seq) for seq in range(1, 101)],
        )
        (cellar,) = feed_sizes(db, NOW, 8)
    assert cellar.datapoints == 100
    assert cellar.per_day == cellar.bytes > 0


@pytest.mark.parametrize(
    ("size", "days", "usual", "growth"),
    [(1000, None, 0, 10), (1000, 0, 30, 10), (1000, None, 30, 0), (100, 30, 0, 10), (1000, 100, 0, 0)],
)
def test_what_has_as_much_as_it_keeps_does_not_grow(
    size: int, days: int | None, usual: int, growth: int
) -> None:
    """As much goes each day as comes."""
    assert FeedSize(1, "rosa", "x", 50, size, 10, days).growth(usual) == growth
