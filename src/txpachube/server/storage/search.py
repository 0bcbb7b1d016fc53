"""
The index that searches use: kept true inside the transactions that change what is searched.

The database itself notes what has changed of which feed (see the schema); `refresh`, at the end of
each piece of work that may change more than values, brings the index up to date. What did not change
is not written again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

import attrs
import msgspec

from txpachube.server.storage.words import folded, words
from txpachube.server.storage.writer import Transaction

__all__ = ["BOUNDARY", "COLUMNS", "Description", "describe", "direction", "refresh"]

COLUMNS: Final = ("title", "tags", "streams", "description", "creator")
"""What the words of a feed are divided into."""

BOUNDARY: Final = "\ue000"
"""Stands between texts, as a word that no text has, so that words of two of them never stand side by side."""

_TABLES: Final = {False: "public_words", True: "private_words"}


def refresh(txn: Transaction) -> None:
    """Bring the index up to date with what the transaction changed."""
    marks = txn.execute("SELECT feed, part FROM unindexed").fetchall()
    if not marks:
        return
    for feed_id, part in marks:
        if part == "words":
            _refresh_words(txn, feed_id)
        else:
            _refresh_place(txn, feed_id)
    txn.execute("DELETE FROM unindexed")


@attrs.frozen
class Description:
    """
    What searches know of a feed.

    Attributes:
        texts: its words, one text for each of `COLUMNS`.
        tags: its own and those of its datastreams, folded.
        units: labels and symbols of its datastreams' units, folded.
    """

    texts: tuple[str, ...]
    tags: frozenset[str]
    units: frozenset[str]


def describe(
    title: str,
    about: str,
    creator: str,
    tags: Iterable[str],
    streams: Iterable[tuple[str, Iterable[str], Mapping[str, str]]],
) -> Description:
    """
    Return what searches know of a feed.

    Args:
        title: its title.
        about: its description, or nothing.
        creator: login of its owner.
        tags: its own tags.
        streams: id, tags and unit of each datastream.
    """
    names: list[str] = []
    all_tags = list(tags)
    units: list[tuple[str, str]] = []
    for name, own_tags, unit in streams:
        names.append(name)
        all_tags += own_tags
        units += unit.items()
    texts = (
        [title],
        dict.fromkeys(all_tags),
        [*names, *dict.fromkeys(text for _, text in units)],
        [about],
        [creator],
    )
    return Description(
        tuple(map(_joined, texts)),
        frozenset(map(folded, all_tags)),
        frozenset(folded(text) for part, text in units if part in ("label", "symbol")),
    )


def _joined(texts: Iterable[str]) -> str:
    """Return the words of texts as one text, with blanks between words."""
    return f" {BOUNDARY} ".join(" ".join(words(text)) for text in texts)


def direction(lat: float, lon: float) -> tuple[float, float, float]:
    """Return where a place is on a ball of radius 1 around the middle of the Earth."""
    upwards, eastwards = math.radians(lat), math.radians(lon)
    level = math.cos(upwards)
    return level * math.cos(eastwards), level * math.sin(eastwards), math.sin(upwards)


def _refresh_words(txn: Transaction, feed_id: int) -> None:
    row = txn.execute(
        "SELECT private, title, feeds.tags, description, login FROM feeds JOIN users ON users.id = owner"
        " WHERE feeds.id = ?",
        (feed_id,),
    ).fetchone()
    if row is None:  # deleted, and with it what the index had of it
        return
    private, title, tags, about, login = row
    streams = txn.execute("SELECT name, tags, unit FROM datastreams WHERE feed = ?", (feed_id,)).fetchall()
    described = describe(
        title,
        about or "",
        login,
        msgspec.json.decode(tags),
        [
            (name, msgspec.json.decode(own_tags), msgspec.json.decode(unit))
            for name, own_tags, unit in streams
        ],
    )
    _write_words(txn, feed_id, bool(private), described.texts)
    _write_set(txn, "search_tags", "tag", feed_id, described.tags)
    _write_set(txn, "search_units", "unit", feed_id, described.units)


def _write_words(txn: Transaction, feed_id: int, private: bool, texts: tuple[str, ...]) -> None:
    table = _TABLES[private]
    txn.execute(f"DELETE FROM {_TABLES[not private]} WHERE rowid = ?", (feed_id,))
    known = txn.execute(f"SELECT {', '.join(COLUMNS)} FROM {table} WHERE rowid = ?", (feed_id,)).fetchone()
    if known == texts:
        return
    if known is not None:
        txn.execute(f"DELETE FROM {table} WHERE rowid = ?", (feed_id,))
    txn.execute(
        f"INSERT INTO {table} (rowid, {', '.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?)", (feed_id, *texts)
    )


def _write_set(txn: Transaction, table: str, column: str, feed_id: int, wanted: frozenset[str]) -> None:
    rows = txn.execute(f"SELECT {column} FROM {table} WHERE feed = ?", (feed_id,)).fetchall()
    known = {text for (text,) in rows}
    if known != wanted:
        txn.executemany(
            f"DELETE FROM {table} WHERE {column} = ? AND feed = ?",
            [(text, feed_id) for text in known - wanted],
        )
        txn.executemany(
            f"INSERT INTO {table} ({column}, feed) VALUES (?, ?)",
            [(text, feed_id) for text in wanted - known],
        )


def _refresh_place(txn: Transaction, feed_id: int) -> None:
    txn.execute("DELETE FROM search_places WHERE feed = ?", (feed_id,))
    row = txn.execute("SELECT location FROM feeds WHERE id = ?", (feed_id,)).fetchone()
    location = {} if row is None else msgspec.json.decode(row[0])
    if "lat" in location and "lon" in location:
        txn.execute(
            "INSERT INTO search_places (feed, x, y, z) VALUES (?, ?, ?, ?)",
            (feed_id, *direction(location["lat"], location["lon"])),
        )
