"""
Which feeds a list shows: visibility, filters, words, order, pages.

Only the short rows of ``listed`` and the index that `search` keeps are read, never the feeds themselves.

Nothing that somebody may not see has a part in what is found, in the number of it, or in its order. How
relevant a feed is depends on how common the words are; so public feeds have a table of words to
themselves, and of an owner's private feeds, which come first, only the title says how relevant they are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from txpachube.server.storage.conditions import VISIBLE, Conditions, as_json
from txpachube.server.storage.filters import FeedFilter
from txpachube.server.storage.search import BOUNDARY, COLUMNS

__all__ = ["find_feeds"]

WEIGHTS: Final = {"title": 8.0, "tags": 4.0, "streams": 4.0, "description": 1.0, "creator": 2.0}
"""How much a word counts for a feed's relevance, by where it stands."""

MAX_RANKED: Final = 10_000
"""Feeds that relevance is worked out for, a microsecond each. When more of them have the words, those that
have them in the title come first, and of two the newer."""

MAX_RANKING: Final = 32
"""Words by which relevance is worked out: each costs a look at all feeds that have it."""

_ORDERS: Final = {
    "created_at": "created DESC, feed DESC",
    "id": "feed",
}
# One's own private feeds come first: what is one's own is likelier what one means.
_SHELF: Final = (
    "CASE WHEN {table}.rowid IN (SELECT rowid FROM {table} WHERE {table} MATCH :title)"
    " THEN {first} ELSE {last} END"
)
_MINE: Final = _SHELF.format(table="private_words", first=0, last=1)
_OF_ALL: Final = _SHELF.format(table="public_words", first=2, last=3)
_SCORE: Final = f"bm25(public_words, {', '.join(str(WEIGHTS[column]) for column in COLUMNS)})"


def find_feeds(
    db: sqlite3.Connection, wanted: FeedFilter, fresher: Mapping[int, int]
) -> tuple[int, list[int]]:
    """
    Return how many feeds pass the filter, and the ids of the page.

    Args:
        db: the connection.
        wanted: the filter.
        fresher: time of the last data of the feeds whose rows don't know it yet, by id; needed only
            when the filter `asks_for_data`.
    """
    question = _Question(wanted, fresher)
    # One state of the database for all of it.
    db.execute("BEGIN")
    try:
        total: int = question.ask(db, f"SELECT count(*) FROM ({question.fitting('listed.feed')})")[0][0]
        if wanted.offset >= total:
            return total, []
        if wanted.order == "retrieved_at":
            return total, question.by_data(db, fresher)
        if wanted.order == "relevance" and wanted.phrases:
            return total, question.by_relevance(db, total)
        return total, question.by(db, _ORDERS["id" if wanted.order == "id" else "created_at"])
    finally:
        db.execute("ROLLBACK")


class _Question:
    """A filter as SQL."""

    def __init__(self, wanted: FeedFilter, fresher: Mapping[int, int]) -> None:
        self._wanted = wanted
        self._conditions = Conditions(wanted, fresher)
        self._values = self._conditions.values
        if wanted.phrases:
            words = " AND ".join(f'"{phrase}"' for phrase in wanted.phrases)
            assert words.count('"') == 2 * len(wanted.phrases), "no word has a quote in it"
            assert BOUNDARY not in words, "nor this"
            self._values |= {"words": words, "title": f"{{title}} : ({words})"}

    def ask(self, db: sqlite3.Connection, statement: str) -> list[Any]:
        """Return the rows that a statement finds."""
        return db.execute(statement, self._values).fetchall()

    def fitting(self, columns: str, of_mine: str = "", of_all: str = "") -> str:
        """
        Return a statement for the feeds that fit.

        Args:
            columns: of ``listed``.
            of_mine: further columns for private feeds that are found by words.
            of_all: the same for public ones.
        """
        found = self._conditions
        if not self._wanted.phrases:
            return f"SELECT {columns} FROM {found.source} WHERE {' AND '.join(found.source_tests)}"
        if found.tests or columns != "listed.feed":
            statement = f"SELECT {columns}{of_all} FROM {self._hits('public_words')}"
        else:
            statement = f"SELECT rowid AS feed{of_all} FROM public_words WHERE public_words MATCH :words"
        if self._wanted.private_of is None:
            return statement
        mine = f"{self._hits('private_words')} AND listed.owner = :private_of"
        return f"{statement} UNION ALL SELECT {columns}{of_mine} FROM {mine}"

    def _hits(self, table: str) -> str:
        tests = [f"{table} MATCH :words", *self._conditions.tests]
        return f"{table} CROSS JOIN listed ON listed.feed = {table}.rowid WHERE {' AND '.join(tests)}"

    def by(self, db: sqlite3.Connection, order: str) -> list[int]:
        """Return the ids of the page, in the order of what the rows say."""
        fitting = self.fitting("listed.feed, listed.created")
        return _ids(
            self.ask(db, f"SELECT feed FROM ({fitting}) ORDER BY {order} LIMIT :limit OFFSET :offset")
        )

    def by_relevance(self, db: sqlite3.Connection, total: int) -> list[int]:
        """Return the ids of the page, the most relevant of so many feeds first, and of two the newer."""
        worth_it = total <= MAX_RANKED and len(self._wanted.phrases) <= MAX_RANKING
        of_all = f", 2 AS shelf, {_SCORE} AS score" if worth_it else f", {_OF_ALL} AS shelf, 0 AS score"
        fitting = self.fitting("listed.feed", f", {_MINE}, 0", of_all)
        order = "shelf, score, feed DESC"
        return _ids(
            self.ask(db, f"SELECT feed FROM ({fitting}) ORDER BY {order} LIMIT :limit OFFSET :offset")
        )

    def by_data(self, db: sqlite3.Connection, fresher: Mapping[int, int]) -> list[int]:
        """Return the ids of the page, the latest data first."""
        fitting = self.fitting("listed.feed, listed.data_at AS at")
        newest = "ORDER BY at DESC, feed DESC LIMIT :limit + :offset"
        rows = self.ask(db, f"SELECT at, feed FROM ({fitting}) {newest}")
        if fresher:
            # What is among the newest of both is so by what the rows say or by what memory knows.
            self._values["fresher"] = as_json(fresher)
            if self._wanted.phrases:
                fits = f"listed.feed IN (SELECT feed FROM ({self.fitting('listed.feed')}))"
            else:
                fits = " AND ".join([VISIBLE, *self._conditions.tests])
            rows += self.ask(
                db,
                "SELECT fresher.at AS at, listed.feed AS feed FROM"
                " (SELECT CAST(key AS INTEGER) AS feed, value AS at FROM json_each(:fresher)) AS fresher"
                f" CROSS JOIN listed ON listed.feed = fresher.feed WHERE {fits} {newest}",
            )
            rows.sort(reverse=True)
        first, last = self._wanted.offset, self._wanted.offset + self._wanted.limit
        # Where a feed comes twice the second time is what the row says, which is older.
        return list(dict.fromkeys(feed_id for _, feed_id in rows))[first:last]


def _ids(rows: list[Any]) -> list[int]:
    return [feed_id for (feed_id,) in rows]
