"""Which feeds a list shows."""

from __future__ import annotations

import pytest

from txpachube.server.storage import accounts, feeds, listing, search
from txpachube.server.storage.filters import FeedFilter, Near, phrases
from txpachube.server.storage.listing import find_feeds
from txpachube.server.storage.records import FeedChange, StreamChange
from txpachube.server.storage.writer import Transaction

ROSA = 1
OTTO = 2


@pytest.fixture
def five(txn: Transaction) -> Transaction:
    """
    Five feeds, whose creation and last data have different orders.

    ======  =======  =========  =========
    feed    owner    created    last data
    ======  =======  =========  =========
    1       rosa     10         500
    2       rosa     20         300, private
    3       otto     20         100
    4       otto     5          never, private
    5       rosa     40         200
    ======  =======  =========  =========
    """
    assert accounts.add_user(txn, "otto", None, 0) == OTTO
    for owner, created, data_at, private in (
        (ROSA, 10, 500, False),
        (ROSA, 20, 300, True),
        (OTTO, 20, 100, False),
        (OTTO, 5, 0, True),
        (ROSA, 40, 200, False),
    ):
        feed, _ = feeds.create_feed(
            txn, owner, FeedChange(created, True, fields={"title": "T"}, private=private), None
        )
        txn.execute("UPDATE listed SET data_at = ? WHERE feed = ?", (data_at, feed.id))
    txn.execute("COMMIT")
    return txn


def found(txn: Transaction, fresher: dict[int, int] | None = None, **wanted: object) -> tuple[int, list[int]]:
    return find_feeds(txn, FeedFilter(**wanted), fresher or {})  # type: ignore[arg-type]


def test_strangers_see_public_feeds(five: Transaction) -> None:
    """Newest first; of two created at once, the higher id is the newer."""
    assert found(five) == (3, [5, 3, 1])


def test_owners_see_their_private_feeds_too(five: Transaction) -> None:
    """And nobody else's."""
    assert found(five, private_of=ROSA) == (4, [5, 3, 2, 1])
    assert found(five, private_of=OTTO) == (4, [5, 3, 1, 4])


def test_a_list_can_be_limited_to_feeds(five: Transaction) -> None:
    """Those that are private or don't exist are left out without a word."""
    assert found(five, ids=[1, 2, 99, 5, 5]) == (2, [5, 1])
    assert found(five, ids=[1, 2], private_of=ROSA) == (2, [2, 1])
    assert found(five, ids=[]) == (0, [])


def test_a_list_can_be_limited_to_an_owner(five: Transaction) -> None:
    """By login, exactly."""
    assert found(five, owner="rosa") == (2, [5, 1])
    assert found(five, owner="otto", private_of=OTTO) == (2, [3, 4])
    assert found(five, owner="nobody") == (0, [])


@pytest.mark.parametrize(
    ("order", "expected"),
    [("created_at", [5, 3, 2, 1]), ("retrieved_at", [1, 2, 5, 3]), ("id", [1, 2, 3, 5])],
)
def test_a_list_has_an_order(five: Transaction, order: str, expected: list[int]) -> None:
    """By creation or last data, the newest first, or by id."""
    assert found(five, order=order, private_of=ROSA) == (4, expected)


def test_pages_follow_each_other(five: Transaction) -> None:
    """The total counts all pages; a page after the last is empty."""
    assert found(five, limit=2) == (3, [5, 3])
    assert found(five, limit=2, offset=2) == (3, [1])
    assert found(five, limit=2, offset=4) == (3, [])


def test_live_and_frozen_divide_the_feeds(five: Transaction) -> None:
    """A feed with data at the moment itself is live; one that never had any is frozen."""
    assert found(five, live_since=200, private_of=OTTO) == (2, [5, 1])
    assert found(five, frozen_since=200, private_of=OTTO) == (2, [3, 4])


def test_data_that_the_rows_dont_know_yet_counts(five: Transaction) -> None:
    """What waits in the journal makes a feed live, and comes first in the order."""
    fresher = {3: 900, 5: 150}
    assert found(five, fresher, live_since=250) == (2, [3, 1])
    assert found(five, fresher, order="retrieved_at") == (3, [3, 1, 5])


def test_all_conditions_hold_at_once(five: Transaction) -> None:
    """Each one takes away what it does not fit."""
    assert found(five, {1: 1000}, owner="rosa", ids=[1, 2, 3], live_since=400, private_of=ROSA) == (1, [1])


def make(txn: Transaction, owner: int, title: str, **parts: object) -> int:
    """Make a feed that searches find, and return its id."""
    change = FeedChange(1, True, fields={"title": title, "description": "brook"}, **parts)  # type: ignore[arg-type]
    feed, _ = feeds.create_feed(txn, owner, change, None)
    search.refresh(txn)
    return feed.id


def searched(txn: Transaction, words: str = "", **wanted: object) -> list[int]:
    total, ids = found(txn, phrases=phrases(words), **wanted)  # type: ignore[arg-type]  # as above
    assert total == len(ids)
    return ids


def test_relevance_begins_with_what_is_ones_own(txn: Transaction) -> None:
    """Private feeds with the words in the title, other private ones, public ones; of equals the newer."""
    accounts.add_user(txn, "otto", None, 0)
    plain = [make(txn, ROSA, "Roof", private=True) for _ in range(2)]
    titled = [make(txn, ROSA, "Brook", private=True) for _ in range(2)]
    public = [make(txn, OTTO, "Roof") for _ in range(2)]
    best = make(txn, OTTO, "Brook")
    make(txn, OTTO, "Brook", private=True)
    txn.execute("COMMIT")
    expected = [*titled[::-1], *plain[::-1], best, *public[::-1]]
    assert searched(txn, "brook", private_of=ROSA, order="relevance") == expected


def test_among_too_many_feeds_the_title_says_what_is_relevant(
    txn: Transaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does when there are too many words."""
    titled = [
        make(txn, ROSA, "Brook"),
        make(txn, ROSA, "Brook Brook"),
        make(txn, ROSA, "Brook and much more"),
    ]
    plain = make(txn, ROSA, "Roof")
    txn.execute("COMMIT")
    assert searched(txn, "brook", order="relevance") == [titled[1], titled[0], titled[2], plain]
    for limit in ("MAX_RANKED", "MAX_RANKING"):
        with monkeypatch.context() as patched:
            patched.setattr(listing, limit, 0)
            assert searched(txn, "brook", order="relevance") == [*titled[::-1], plain]


def test_every_condition_with_an_index_counts(txn: Transaction) -> None:
    """Whichever of them feeds are taken from."""
    place = {"lat": 1.0, "lon": 2.0}
    stream = StreamChange("a", unit={"symbol": "C"})
    all_of_it = make(txn, ROSA, "Mill", tags=["wet"], location=place, streams=[stream])
    make(txn, ROSA, "Mill", location=place, streams=[StreamChange("a", unit={"symbol": "C"})])
    make(txn, ROSA, "Mill", tags=["wet"], location=place)
    make(txn, ROSA, "Mill", tags=["wet"], streams=[StreamChange("a", unit={"symbol": "C"})])
    make(txn, ROSA, "Roof", tags=["wet"], location=place, streams=[StreamChange("a", unit={"symbol": "C"})])
    txn.execute("COMMIT")
    near = Near(1.0, 2.0, 0.001)
    for order in ("created_at", "retrieved_at", "relevance", "id"):
        assert searched(txn, "mill", tag="wet", unit="c", near=near, order=order) == [all_of_it]
        assert len(searched(txn, tag="wet", unit="c", near=near, order=order)) == 2
        assert len(searched(txn, unit="c", mapped=True, order=order)) == 3


@pytest.mark.parametrize(
    ("lat", "lon", "kilometres", "near"),
    [
        (0, 0, 0, True),
        (0, 0, -0.001, False),
        (0, 0, -45000, False),
        (0, 1, 111.3, True),
        (0, 1, 111.1, False),
        (0, 360, 0, True),
        (0, -719.9, 11.2, True),
        (90, 77, 10008, True),
        (90, 77, 10007, False),
        (0, 180, 20016, True),
        (0, 180, 20015, False),
        (0, 180, 1e300, True),
        (1e300, 1e300, 20016, True),
    ],
)
def test_the_radius_is_a_great_circle(
    txn: Transaction, lat: float, lon: float, kilometres: float, near: bool
) -> None:
    """Over poles and the date line, to the millimetre."""
    feed = make(txn, ROSA, "Null Island", location={"lat": 0.0, "lon": 0.0})
    txn.execute("COMMIT")
    assert searched(txn, near=Near(lat, lon, kilometres / 6371.0088)) == ([feed] if near else [])
