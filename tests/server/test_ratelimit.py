"""The limit on the requests of a key, alone and through the app."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_twisted import blockon
from twisted.internet.defer import Deferred

from txpachube.api.messages import Request
from txpachube.api.problems import Problem
from txpachube.server.ratelimit import WINDOW, RateLimit
from txpachube.testing.garden import plant
from txpachube.testing.inprocess import NOON, InProcess
from txpachube.times import SECOND

TOO_FAST = "You have exceeded the rate limit for this key"


def test_three_minutes_worth_at_once_and_then_no_more() -> None:
    """A key may use up the whole window at once; then it waits until its requests are three minutes old."""
    limit = RateLimit(10)
    assert [limit.admit(1, NOON) for _ in range(31)] == [True] * 30 + [False]
    assert not limit.admit(1, NOON + (WINDOW - 1) * SECOND)
    assert limit.admit(1, NOON + WINDOW * SECOND)


def test_a_steady_key_is_never_refused() -> None:
    """As many requests as are allowed, evenly, go on for ever; twice as many get in half of the time."""
    limit, fast = RateLimit(6), RateLimit(6)
    assert all(limit.admit(1, NOON + number * 10 * SECOND) for number in range(1000))
    admitted = [fast.admit(1, NOON + number * 5 * SECOND) for number in range(1000)]
    assert sum(admitted[-720:]) == 360  # an hour


def test_refused_requests_do_not_count() -> None:
    """Who asks on while he is refused is let in as soon as he would be had he waited."""
    limit = RateLimit(1)
    answers = [limit.admit(1, NOON + second * SECOND) for second in range(WINDOW + 3)]
    assert answers == [True] * 3 + [False] * (WINDOW - 3) + [True] * 3


def test_keys_have_limits_of_their_own() -> None:
    """One key's requests are nothing to another."""
    limit = RateLimit(1)
    assert [limit.admit(key, NOON) for key in (1, 1, 1, 1, 2)] == [True, True, True, False, True]


def test_a_clock_that_is_set_back_locks_nobody_out() -> None:
    """After the clock was set back an hour a key is not refused until that hour is over."""
    limit = RateLimit(1)
    assert [limit.admit(1, NOON) for _ in range(4)][-1] is False
    assert limit.admit(1, NOON - 3600 * SECOND)


def test_silent_keys_are_forgotten() -> None:
    """What is remembered is bounded by the keys of the last minutes and the seconds of the window."""
    limit = RateLimit(1000)
    for key in range(500):
        limit.admit(key, NOON)
    assert len(limit._records) == 500
    for second in range(3 * WINDOW):
        for _ in range(3):
            limit.admit(7, NOON + second * SECOND)
    assert list(limit._records) == [7]
    assert len(limit._records[7].seconds) == WINDOW


@given(st.integers(1, 5), st.lists(st.integers(0, 60), max_size=200))
def test_no_window_holds_more_than_its_share(per_minute: int, pauses: list[int]) -> None:
    """Whatever the pauses, no three minutes see more than their share, and nobody is refused for less."""
    limit, now, admitted = RateLimit(per_minute), NOON, list[int]()
    for pause in pauses:
        now += pause * SECOND
        recent = sum(at > now - WINDOW * SECOND for at in admitted)
        assert limit.admit(1, now) == (recent < 3 * per_minute)
        if recent < 3 * per_minute:
            admitted.append(now)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[InProcess]:
    """Return a service that takes one request a minute of each key."""
    from twisted.internet import reactor

    opened = InProcess(tmp_path / "pachube.sqlite3", reactor, requests_per_minute=1)
    opened.now -= 3600 * SECOND  # planting takes requests, too
    blockon(Deferred.fromCoroutine(opened.open()))
    blockon(Deferred.fromCoroutine(plant(opened)))
    opened.now = NOON
    yield opened
    blockon(Deferred.fromCoroutine(opened.close()))


async def test_too_many_requests_are_refused_until_the_average_falls(slow: InProcess) -> None:
    """403 says that it is the rate, whatever was asked; other keys go on; later all is well again."""
    for line in ("GET /v2/feeds/1.csv", "GET /v2/feeds/99", "PUT /v2/feeds/1.json"):
        assert (await slow.ask(line, "{}")).status in (200, 404)
    refused = await slow.ask("PUT /v2/feeds/1.json", '{"title":"Glasshouse"}')
    assert (refused.status, json.loads(refused.body)) == (403, {"title": "Forbidden", "errors": TOO_FAST})
    assert (await slow.ask("GET /v2/feeds/1.csv")).body.decode() == TOO_FAST
    assert (await slow.ask("GET /v2/nothing")).status == 404
    assert (await slow.ask("OPTIONS /v2/feeds/1")).status == 200
    other = await slow.ask("GET /v2/feeds/1.json", key="reader-of-rosa")
    assert json.loads(other.body)["title"] == "Greenhouse"
    slow.now += WINDOW * SECOND
    assert (await slow.ask("GET /v2/feeds/1.json")).status == 200


@pytest.mark.parametrize("path", ["/v1/feeds/1", "/api/1.csv", "/api/1.json", "/api.xml"])
async def test_version_1_says_503_in_xml(slow: InProcess, path: str) -> None:
    """Programs of that time know the limit by this status, and its body is XML whatever they asked for."""
    for _ in range(3):
        assert (await slow.ask(f"GET {path}")).status == 200
    refused = await slow.ask(f"GET {path}")
    assert (refused.status, refused.content_type) == (503, "application/xml; charset=utf-8")
    assert refused.body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<errors>\n  <title>Service Unavailable</title>\n'
        f"  <error>{TOO_FAST}</error>\n</errors>\n"
    )


async def test_subscriptions_are_requests(slow: InProcess) -> None:
    """Asking for the right to hear of a feed counts, and is refused like everything else."""
    request = Request("GET", "/v2/feeds/1", headers={"x-apikey": slow.key})
    for _ in range(3):
        await slow.app.authorise(request)
    with pytest.raises(Problem) as caught:
        await slow.app.authorise(request)
    assert (caught.value.status, caught.value.errors) == (403, TOO_FAST)


async def test_who_needs_no_key_has_no_limit(slow: InProcess) -> None:
    """The limit belongs to keys."""
    for _ in range(10):
        assert (await slow.ask("GET /feeds/1/datastreams/temp/history.csv", key="")).status == 200


async def test_there_is_no_limit_unless_one_is_set(garden: InProcess) -> None:
    """A service that was not told otherwise counts nothing."""
    for _ in range(200):
        assert (await garden.ask("GET /v2/feeds/1.json")).status == 200
