"""When a feed was changed last."""

from __future__ import annotations

import gc

from txpachube.server.operations.documents import LIVE_FOR
from txpachube.server.operations.versions import Versions
from txpachube.server.storage.records import Feed
from txpachube.times import SECOND

T = 1_370_000_000 * SECOND


def _feed(updated: int = T, data_at: int = 0) -> Feed:
    return Feed(1, 1, "rosa", False, {"title": "T"}, created=T - 5, updated=updated, data_at=data_at)


def test_a_feed_was_changed_when_its_newest_time_says() -> None:
    """The last PUT or the last data, whichever is later; read again it is the same version."""
    versions, feed = Versions(), _feed(T, T + 7)
    assert versions.of(feed, T + 9).modified == T + 7
    assert versions.of(feed, T + 9) is versions.of(feed, T + 10)


def test_a_change_that_moves_no_time_is_noticed() -> None:
    """The emptied documents tell that something was changed, and then it was just now."""
    versions, feed = Versions(), _feed()
    assert versions.of(feed, T + SECOND).told_apart
    feed.documents.clear()
    version = versions.of(feed, T + 3 * SECOND)
    assert (version.modified, version.told_apart) == (T + 3 * SECOND, True)


def test_two_versions_within_a_second_can_not_be_told_apart() -> None:
    """Their dates are equal, so none of them is believed; the next second's is."""
    versions, feed = Versions(), _feed()
    versions.of(feed, T)
    for micros, told_apart in ((1, False), (SECOND, True)):
        feed.documents.clear()
        feed.updated = T + micros
        assert versions.of(feed, T + SECOND).told_apart is told_apart


def test_freezing_is_a_change() -> None:
    """Fifteen minutes after the last data the status flips without a write."""
    versions, feed = Versions(), _feed(T, T)
    assert versions.of(feed, T + LIVE_FOR - 1).modified == T
    assert versions.of(feed, T + LIVE_FOR).modified == T + LIVE_FOR
    feed.documents.clear()
    feed.updated = T + 2 * LIVE_FOR
    assert versions.of(feed, T + 2 * LIVE_FOR).modified == T + 2 * LIVE_FOR


def test_a_feed_that_nobody_holds_is_forgotten() -> None:
    """Memory of versions does not keep feeds alive."""
    versions, feed = Versions(), _feed()
    versions.of(feed, T)
    del feed
    gc.collect()
    assert len(versions._last) == 0
