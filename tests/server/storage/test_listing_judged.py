"""
Lists are judged by a program that knows no index: it looks at one feed after the other.

Everything the database decides, this module decides once more in plain Python, its own way: what words are,
what occurs, what is near, what comes first.
"""

from __future__ import annotations

import math
import sqlite3
import unicodedata
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any, Final

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from txpachube.server.storage import accounts, feeds, search
from txpachube.server.storage.database import upgrade
from txpachube.server.storage.filters import FeedFilter, Near, phrases
from txpachube.server.storage.listing import WEIGHTS, find_feeds
from txpachube.server.storage.records import Feed, FeedChange, StreamChange
from txpachube.server.storage.writer import Transaction

LOGINS: Final = {1: "rosa", 2: "otto"}
WORDS: Final = ("Mill", "mill", "brook", "Zähler", "zahler", "straße", "STRASSE", "水温", "温", "7")
PUNCTUATION: Final = (" ", " ", " ", " ", "-", ".", '"', "'", "*", "(", ":", "^", "+", "🌡", "\0", "°", "_")
OPERATORS: Final = ("AND", "NOT", "NEAR", "title")
TAGS: Final = ("Air", "air", "Straße", "STRASSE", "brook-mill")

texts = st.lists(st.sampled_from((*WORDS, *PUNCTUATION)), max_size=5).map("".join)
questions = st.one_of(
    st.sampled_from(WORDS),
    st.lists(st.sampled_from(WORDS), min_size=2, max_size=2).map(" ".join),
    st.lists(st.sampled_from((*WORDS, *PUNCTUATION, *OPERATORS)), min_size=1, max_size=4).map("".join),
)
tags = st.lists(st.sampled_from(TAGS), max_size=2)
symbols = st.sampled_from(("C", "c", "°C", "水"))
moments = st.integers(1, 6)
places = st.tuples(
    st.sampled_from((-90.0, -45.0, 0.0, 0.05, 45.0, 90.0)), st.sampled_from((-180.0, -0.05, 0.0, 90.0, 180.0))
)


@st.composite
def stream_changes(draw: st.DrawFn) -> StreamChange:
    """Return a change of one of three datastreams."""
    name = draw(st.sampled_from(("flow", "log.csv", "brook")))
    change = StreamChange(name)
    if draw(st.booleans()):
        change.tags = draw(tags)
    if draw(st.booleans()):
        change.unit = draw(st.dictionaries(st.sampled_from(("label", "symbol")), symbols))
    return change


@st.composite
def feed_changes(draw: st.DrawFn) -> FeedChange:
    """Return a change of anything of a feed."""
    change = FeedChange(draw(moments), True)
    change.fields = draw(st.fixed_dictionaries({"title": texts}, optional={"description": texts}))
    if draw(st.booleans()):
        change.tags = draw(tags)
    if draw(st.booleans()):
        change.private = draw(st.booleans())
    place = draw(st.none() | places)
    if place is not None:
        change.location = {"lat": place[0], "lon": place[1]}
    change.streams = draw(st.lists(stream_changes(), max_size=3, unique_by=lambda stream: stream.id))
    change.drop_other_streams = draw(st.booleans())
    return change


CONDITIONS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "ids": st.lists(st.integers(1, 7), min_size=2, max_size=7),
    "owner": st.sampled_from(("rosa", "otto")),
    "live_since": moments,
    "frozen_since": moments,
    "tag": st.sampled_from((*TAGS, "absent")),
    "unit": symbols,
    "mapped": st.booleans(),
    "near": st.builds(
        lambda place, turns, angle: Near(place[0], place[1] + 360 * turns, angle),
        places,
        st.integers(0, 1),
        st.sampled_from((-0.1, 0.0, 0.01, 0.8, 1.6, 4.0)),
    ),
    "phrases": questions.map(phrases),
}


@st.composite
def filters(draw: st.DrawFn) -> FeedFilter:
    """Return a filter with a few conditions: with all of them nothing would ever be found."""
    names = draw(st.sets(st.sampled_from(sorted(CONDITIONS)), max_size=3))
    some = {name: draw(CONDITIONS[name]) for name in sorted(names)}
    some["private_of"] = draw(st.sampled_from((None, 1, 2)))
    some["order"] = draw(st.sampled_from(("created_at", "retrieved_at", "id", "relevance")))
    return FeedFilter(**some)


class Judge:
    """
    Knows what a list must be.

    Args:
        stored: all feeds, as their rows have them.
        fresher: what the rows don't know yet.
    """

    def __init__(self, stored: list[Feed], fresher: dict[int, int]) -> None:
        self._feeds = stored
        self._fresher = fresher

    def found(self, wanted: FeedFilter) -> list[Feed]:
        """Return the feeds that a list must have."""
        return [feed for feed in self._feeds if all(fits(feed) for fits in self._conditions(wanted))]

    def data_at(self, feed: Feed) -> int:
        """Return when data came last."""
        return max(feed.data_at, self._fresher.get(feed.id, 0))

    def _conditions(self, wanted: FeedFilter) -> Iterator[Callable[[Feed], bool]]:
        yield lambda feed: not feed.private or feed.owner_id == wanted.private_of
        if wanted.ids is not None:
            yield lambda feed: feed.id in (wanted.ids or ())
        if wanted.owner is not None:
            yield lambda feed: feed.owner == wanted.owner
        if wanted.live_since is not None:
            yield lambda feed: self.data_at(feed) >= (wanted.live_since or 0)
        if wanted.frozen_since is not None:
            yield lambda feed: self.data_at(feed) < (wanted.frozen_since or 0)
        for phrase in wanted.phrases:
            yield partial(self._has, phrase)
        if wanted.tag is not None:
            yield lambda feed: same(wanted.tag or "", [*feed.tags, *stream_tags(feed)])
        if wanted.unit is not None:
            yield lambda feed: same(
                wanted.unit or "", [text for s in feed.streams.values() for text in s.unit.values()]
            )
        if wanted.mapped:
            yield lambda feed: "lat" in feed.location and "lon" in feed.location
        if wanted.near is not None:
            yield lambda feed: is_near(feed, wanted.near)

    def _has(self, phrase: str, feed: Feed) -> bool:
        return self.count(feed, phrase) > 0

    def count(self, feed: Feed, phrase: str, weights: dict[str, float] | None = None) -> float:
        """Return how often a phrase occurs, in parts of different weights."""
        asked = letters(phrase)
        total = 0.0
        for part, said in parts(feed).items():
            for text in said:
                known = letters(text)
                places_ = range(len(known) - len(asked) + 1)
                times = sum(known[place : place + len(asked)] == asked for place in places_)
                total += times * (1.0 if weights is None else weights[part])
        return total

    def relevance(self, feed: Feed, wanted: FeedFilter) -> float:
        """Return Okapi BM25 of a public feed among the public feeds."""
        public = [feed for feed in self._feeds if not feed.private]
        length = {each.id: sum(map(self._length, parts(each).values())) for each in public}
        average = sum(length.values()) / len(public)
        total = 0.0
        for phrase in wanted.phrases:
            have = sum(self.count(each, phrase) > 0 for each in public)
            rare = max(1e-6, math.log((len(public) - have + 0.5) / (have + 0.5)))
            often = self.count(feed, phrase, WEIGHTS)
            total += rare * often * 2.2 / (often + 1.2 * (0.25 + 0.75 * length[feed.id] / average))
        return total

    def _length(self, said: list[str]) -> int:
        return sum(len(letters(text)) for text in said) + max(0, len(said) - 1)


def parts(feed: Feed) -> dict[str, list[str]]:
    """Return the texts of a feed."""
    streams = feed.streams.values()
    return {
        "title": [feed.fields.get("title", "")],
        "tags": list(dict.fromkeys([*feed.tags, *stream_tags(feed)])),
        "streams": [s.id for s in streams] + list(dict.fromkeys(t for s in streams for t in s.unit.values())),
        "description": [feed.fields.get("description", "")],
        "creator": [feed.owner],
    }


def stream_tags(feed: Feed) -> list[str]:
    """Return the tags of a feed's datastreams."""
    return [tag for stream in feed.streams.values() for tag in stream.tags]


def letters(text: str) -> list[str]:
    """Return the words of a text, found by walking along it."""
    found = [""]
    for letter in unicodedata.normalize("NFD", text.casefold()):
        if unicodedata.combining(letter):
            continue
        if "\u4e00" <= letter <= "\u9fff" or letter in "🌡°":
            found += [letter, ""]
        elif letter.isalnum():
            found[-1] += letter
        else:
            found.append("")
    return [word for word in found if word]


def same(asked: str, known: list[str]) -> bool:
    """Return whether a text is among others, without regard to case."""
    return asked.casefold() in [text.casefold() for text in known]


def is_near(feed: Feed, near: Near | None) -> bool:
    """Return whether a feed is near a place, by the formula for great circles."""
    assert near is not None
    lat, lon = feed.location.get("lat"), feed.location.get("lon")
    if not isinstance(lat, float) or not isinstance(lon, float):
        return False
    a, b = math.radians(near.lat), math.radians(lat)
    half = (
        math.sin((b - a) / 2) ** 2
        + math.cos(a) * math.cos(b) * math.sin(math.radians(lon - near.lon) / 2) ** 2
    )
    # The angles asked for are far from all that there are, but for zero.
    return 2 * math.asin(math.sqrt(min(1.0, half))) <= near.angle + 1e-12


@attrs.frozen
class World:
    """Feeds that were made and changed, and what memory knows of their data."""

    db: sqlite3.Connection
    stored: list[Feed]
    fresher: dict[int, int]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """Return a database with two accounts and nothing else."""
    path = tmp_path_factory.mktemp("judged") / "empty"
    db = sqlite3.connect(path, isolation_level=None)
    upgrade(db, path)
    txn = Transaction(db)
    for login in LOGINS.values():
        accounts.add_user(txn, login, None, 0)
    yield db
    db.close()


def world(empty: sqlite3.Connection, data: st.DataObject) -> World:
    """Return a world in which something has happened."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    empty.backup(db)
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("BEGIN")
    txn = Transaction(db)
    owners = st.sampled_from((1, 2))
    made = st.lists(st.tuples(owners, feed_changes()), min_size=1, max_size=6)
    for owner, change in data.draw(made):
        feeds.create_feed(txn, owner, change, None)
        search.refresh(txn)
    ids = st.integers(1, 6)
    later: st.SearchStrategy[tuple[int, FeedChange | None]] = st.tuples(ids, st.none() | feed_changes())
    for feed_id, what in data.draw(st.lists(later, max_size=4)):
        if feeds.load_feed(txn, feed_id) is None:
            continue
        if what is None:
            feeds.delete_feed(txn, feed_id)
        else:
            feeds.change_feed(txn, feed_id, what, {}, 0)
        search.refresh(txn)
    dates = data.draw(st.dictionaries(ids, moments))
    txn.executemany(
        "UPDATE listed SET data_at = ? WHERE feed = ?", [(at, feed) for feed, at in dates.items()]
    )
    db.execute("COMMIT")
    return World(db, feeds.feeds_of(db, None), data.draw(st.dictionaries(ids, moments)))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_lists_are_what_the_judge_says(empty: sqlite3.Connection, data: st.DataObject) -> None:
    """Whatever was made, changed and deleted, and whatever is asked."""
    known = world(empty, data)
    judge = Judge(known.stored, known.fresher)
    for _ in range(5):
        wanted = data.draw(filters())
        expected = {feed.id: feed for feed in judge.found(wanted)}
        total, ids = find_feeds(known.db, wanted, known.fresher if wanted.asks_for_data else {})
        assert (total, sorted(ids)) == (len(expected), sorted(expected))
        assert_order(judge, wanted, [expected[feed_id] for feed_id in ids])
        size = data.draw(st.integers(1, 3))
        pages = [
            find_feeds(known.db, attrs.evolve(wanted, limit=size, offset=offset), known.fresher)
            for offset in range(0, total + 1, size)
        ]
        assert [feed_id for _, page in pages for feed_id in page] == ids
        assert {count for count, _ in pages} == {total}
    known.db.close()


def assert_order(judge: Judge, wanted: FeedFilter, found: list[Feed]) -> None:
    """Fail if the order is not the one wanted."""
    if wanted.order == "id":
        assert found == sorted(found, key=lambda feed: feed.id)
    elif wanted.order == "retrieved_at":
        assert found == sorted(found, key=lambda feed: (judge.data_at(feed), feed.id), reverse=True)
    elif wanted.order == "created_at" or not wanted.phrases:
        assert found == sorted(found, key=lambda feed: (feed.created, feed.id), reverse=True)
    else:
        private = [feed for feed in found if feed.private]
        public = found[len(private) :]
        assert not any(feed.private for feed in public)
        assert private == sorted(private, key=lambda feed: (in_title(feed, wanted), feed.id), reverse=True)
        for one, other in pairwise(public):
            more = judge.relevance(one, wanted) - judge.relevance(other, wanted)
            assert more > -1e-9
            assert one.id > other.id or more > 1e-12


def in_title(feed: Feed, wanted: FeedFilter) -> bool:
    """Return whether all words stand in the title."""
    said = " ".join(letters(feed.fields.get("title", "")))
    return all(f" {phrase} " in f" {said} " for phrase in wanted.phrases)
