"""How much an account may have."""

from __future__ import annotations

import pytest

from txpachube.server.storage import accounts, feeds
from txpachube.server.storage.failures import Gone, OverQuota
from txpachube.server.storage.quotas import NO_QUOTAS, UNLIMITED, Quotas, require_feed, require_streams
from txpachube.server.storage.records import FeedChange, StreamChange
from txpachube.server.storage.users import change_user
from txpachube.server.storage.writer import Transaction


def add(txn: Transaction, count: int, owner: int = 1) -> int:
    """Make a feed with so many datastreams and return its id."""
    streams = [StreamChange(str(number)) for number in range(count)]
    feed, _ = feeds.create_feed(txn, owner, FeedChange(0, True, {"title": "x"}, streams=streams), None)
    return feed.id


@pytest.mark.parametrize(
    ("usual", "own", "expected"),
    [
        (None, None, None),
        (5, None, 5),
        (0, None, 0),
        (5, 7, 7),
        (5, 0, 0),
        (5, UNLIMITED, None),
        (None, 7, 7),
    ],
)
def test_an_own_limit_goes_before_the_usual_one(
    usual: int | None, own: int | None, expected: int | None
) -> None:
    """Whatever the row of an account says counts, and else what is usual."""
    assert Quotas(feeds=usual).feeds_of(own) == expected
    assert Quotas(datastreams=usual).datastreams_of(own) == expected


def test_the_last_place_can_be_taken_and_no_more(txn: Transaction) -> None:
    """As many as allowed, over all feeds of the account, and nobody else's count."""
    txn.quotas = Quotas(2, 3)
    otto = accounts.add_user(txn, "otto", None, 0)
    add(txn, 3, otto)
    first = add(txn, 2)
    require_streams(txn, first, 1)
    with pytest.raises(OverQuota, match="no more than 3 datastreams") as caught:
        require_streams(txn, first, 2)
    assert (caught.value.what, caught.value.most) == ("datastreams", 3)
    add(txn, 1)
    with pytest.raises(OverQuota, match="no more than 2 feeds"):
        add(txn, 0)
    feeds.delete_feed(txn, first)
    add(txn, 2)


def test_who_has_more_than_allowed_keeps_it(txn: Transaction) -> None:
    """A limit that comes later takes nothing away; it only lets nothing more come."""
    feed_id = add(txn, 5)
    txn.quotas = Quotas(1, 2)
    require_streams(txn, feed_id, 0)
    change = FeedChange(1, True, streams=[StreamChange("3", points=[(1, "1")])])
    feeds.change_feed(txn, feed_id, change, {}, 0)
    with pytest.raises(OverQuota):
        feeds.change_feed(txn, feed_id, FeedChange(1, True, streams=[StreamChange("new")]), {}, 0)


def test_the_command_line_is_not_limited(txn: Transaction) -> None:
    """Without quotas in the transaction not even an account's own limits count."""
    change_user(txn, 1, {"feeds_allowed": 0, "datastreams_allowed": 0})
    assert txn.quotas is None
    add(txn, 3)
    txn.quotas = NO_QUOTAS
    with pytest.raises(OverQuota):
        add(txn, 0)


def test_what_is_gone_can_have_nothing(txn: Transaction) -> None:
    """A request of an account, or for a feed, that was deleted meanwhile makes nothing."""
    txn.quotas = NO_QUOTAS
    with pytest.raises(Gone):
        require_feed(txn, 99)
    with pytest.raises(Gone):
        require_streams(txn, 99, 1)
