"""Which feeds a list shows."""

from __future__ import annotations

import pytest

from txpachube.server.storage import accounts, feeds
from txpachube.server.storage.filters import FeedFilter
from txpachube.server.storage.listing import find_feeds
from txpachube.server.storage.records import FeedChange
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
