"""What is remembered of requests, for the owners of feeds: the reasons, the rings and their bounds."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from txpachube.api.messages import Request
from txpachube.server import request_log
from txpachube.server.observe import Visit
from txpachube.server.reasons import MAX_REASON
from txpachube.server.request_log import KEPT, RequestLog
from txpachube.server.storage.failures import StorageFailed
from txpachube.server.storage.records import Feed
from txpachube.server.storage.requests import ASTRAY, READ, REFUSED, STRANGER, WRITTEN, LoggedRequest
from txpachube.testing.inprocess import NOON, InProcess

UPDATE = "PUT /v2/feeds/1.csv"
KINDS = {"refused": REFUSED, "from elsewhere": STRANGER, "to no feed": ASTRAY}
CASES = tomllib.loads((Path(__file__).parent / "refusals.toml").read_text())["case"]


async def logged(garden: InProcess, feed_id: int = 1, *, astray: bool = True) -> list[LoggedRequest]:
    """Return what is kept of a feed that is there."""
    feed = await garden.store.find_feed(feed_id)
    assert feed is not None
    return await garden.request_log.of(feed, astray=astray)


async def last(garden: InProcess, feed_id: int = 1) -> LoggedRequest:
    """Return the newest that is kept of a feed."""
    return max(await logged(garden, feed_id), key=lambda entry: entry.id)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["reason"])
async def test_a_refusal_is_told_in_words(garden: InProcess, case: dict[str, Any]) -> None:
    """The owner of the feed reads why, and what was sent, without any secret."""
    line, body, key = case["ask"], case.get("body", ""), case.get("key", garden.key)
    answer = await garden.ask(line, body, case.get("headers"), key=key)
    assert answer.status >= 400
    entry = await last(garden, 2 if "/feeds/2" in line else 1)
    assert (entry.reason or "").startswith(case["reason"]), entry.reason
    kind = case.get("kind", "refused")
    assert (entry.ring, entry.status, entry.at, entry.times) == (KINDS[kind], answer.status, NOON, 1)
    facts = entry.facts
    assert facts["method"] == line.partition(" ")[0]
    assert facts["peer"] == "192.0.2.7"
    assert facts["request_id"] == answer.request_id
    assert facts["body_bytes"] == len(body)
    assert facts["key"] == (None if kind == "from elsewhere" else "a key")
    if key:
        assert facts["headers"]["x-apikey"] == "***"
        assert len(key) < 6 or key not in json.dumps(facts) + str(entry.reason)


async def test_a_success_is_remembered_with_what_was_sent(garden: InProcess) -> None:
    """Writes and reads of the owner are there, with headers and body; the reader of the log is not."""
    written = await garden.ask(UPDATE, "temp,21.5", {"user-agent": "sketch"})
    await garden.ask("GET /v2/feeds/1.csv")
    await garden.ask("GET /v2/feeds/1/debug")
    await garden.ask("GET /v2/feeds/1.csv", key="master-of-otto")
    entries = [entry for entry in await logged(garden) if entry.facts["target"] != "/v2/feeds.json"]
    assert [(entry.ring, entry.status, entry.reason) for entry in entries] == [
        (WRITTEN, 200, None),
        (READ, 200, None),
    ]
    facts = entries[0].facts
    assert facts["request_id"] == written.request_id
    assert (facts["body"], facts["key"], facts["route"]) == ("temp,21.5", "a key", "/v2/feeds/{feed_id}")
    assert facts["headers"]["user-agent"] == "sketch"


async def test_a_long_body_is_cut(garden: InProcess) -> None:
    """Its beginning is kept, and its size; a key at the cut is not cut in half."""
    body = "x" * (request_log.MAX_BODY - 10) + "master-of-rosa" + "y" * 5000
    await garden.ask("PUT /v2/feeds/1.json", body)
    entry = await last(garden)
    assert entry.facts["body_bytes"] == len(body)
    assert entry.facts["body"] == "x" * (request_log.MAX_BODY - 10) + "***" + "y" * 7


async def test_refused_subscriptions_are_told(garden: InProcess) -> None:
    """A subscription that is refused has its reason like any request; one that is not is no news."""
    from txpachube.api.problems import Problem

    request = Request("GET", "/v2/feeds/1", headers={"x-apikey": "nobodys"})
    with pytest.raises(Problem):
        await garden.app.authorise(request, door="paws")
    await garden.app.authorise(Request("GET", "/v2/feeds/1", headers={"x-apikey": garden.key}))
    (entry,) = await logged(garden, astray=False)
    assert (entry.facts["method"], entry.facts["door"], entry.status) == ("SUBSCRIBE", "paws", 401)
    assert entry.reason == "the key in X-ApiKey, 7 characters long, is not known here"


async def test_strangers_do_not_push_out_the_device(garden: InProcess) -> None:
    """However much comes from elsewhere, what was refused to the owner's device stays, and few of theirs."""
    await garden.ask(UPDATE, "'", key="master-of-rosa")
    await garden.ask(UPDATE, 'temp,"', key="master-of-rosa")
    for number in range(300):
        await garden.ask(UPDATE, "temp,1", key=f"guess-{number}", peer=f"192.0.2.{number % 50}")
    entries = await logged(garden)
    own = [entry for entry in entries if entry.ring == REFUSED]
    others = [entry for entry in entries if entry.ring == STRANGER]
    assert len(own) >= 1
    assert len(others) == request_log.MAX_STRANGERS_OF_FEED
    assert {entry.times for entry in others} == {6}
    assert garden.request_log.omitted["too many of strangers"] == 240


async def test_one_address_can_have_little_remembered(garden: InProcess) -> None:
    """A host that tries all feeds, or all of its IPv6 addresses, has no more than one address has."""
    for number in range(1, 60):
        await garden.ask(f"PUT /v2/feeds/{number}.csv", "1", key="guess", peer=f"2001:db8::{number:x}")
    assert garden.request_log.omitted["too many of strangers"] == 59 - request_log.MAX_STRANGERS_OF_PEER


async def test_a_ring_forgets_the_oldest(garden: InProcess) -> None:
    """Of what a device was refused the last ones are kept, in memory and in the database."""
    for number in range(KEPT + 5):
        garden.now += 1
        await garden.ask(UPDATE, f'"{number}')
        if number == 10:
            await garden.request_log.flush()
    entries = [entry for entry in await logged(garden) if entry.ring == REFUSED]
    assert [entry.facts["body"] for entry in entries] == [f'"{number}' for number in range(5, KEPT + 5)]


async def test_many_successes_are_sampled(garden: InProcess) -> None:
    """When a ring is full, successes that come close together are not all kept."""
    for _ in range(KEPT):
        await garden.ask(UPDATE, "temp,1")
    await garden.ask(UPDATE, "temp,2")
    garden.now += request_log.SAMPLED_MICROSECONDS
    await garden.ask(UPDATE, "temp,3")
    bodies = [entry.facts["body"] for entry in await logged(garden) if entry.ring == WRITTEN]
    assert bodies == ["temp,1"] * (KEPT - 1) + ["temp,3"]


async def test_the_log_goes_with_its_feed(garden: InProcess) -> None:
    """When the feed is deleted nothing of it is left, not even what waited."""
    await garden.ask(UPDATE, '"')
    await logged(garden)
    await garden.ask(UPDATE, '"')
    assert (await garden.ask("DELETE /v2/feeds/1")).status == 200
    await garden.request_log.flush()
    left = await garden.store._readers.read(
        lambda db: db.execute("SELECT count(*) FROM requests WHERE feed = 1").fetchone()[0]
    )
    assert left == 0


class Memory:
    """Takes what a log writes, or fails."""

    def __init__(self, failing: bool = False) -> None:
        self.taken: list[LoggedRequest] = []
        self.calls = 0
        self._failing = failing

    def add(self, entries: list[LoggedRequest], kept: int) -> Deferred[None]:
        """Take some."""
        self.calls += 1
        if self._failing:
            return fail(StorageFailed("broken"))
        self.taken += entries
        return succeed(None)


def visit_of(feed_id: int, key: object = None, peer: str = "192.0.2.1", path: str = "") -> Visit:
    """Return a visit that names a feed, by its path alone."""
    visit = Visit(Request("PUT", path or f"/v2/feeds/{feed_id}", peer=peer), "http", 0, 0.0)
    visit.reason = "because"
    visit.key = key  # type: ignore[assignment]  # the log asks for its owner alone
    return visit


def log_with(memory: Memory, clock: Clock) -> RequestLog:
    """Return a log that knows no feed by itself."""
    return RequestLog(memory, clock, lambda feed_id: None)  # type: ignore[arg-type]  # all that it uses


def test_what_is_refused_is_written_soon_and_all_at_once() -> None:
    """One timer serves all; it runs only while something waits, and writes in slices."""
    clock, memory = Clock(), Memory()
    log = log_with(memory, clock)
    assert clock.getDelayedCalls() == []
    for number in range(1, 151):
        log(visit_of(number, peer=f"192.0.{number}.1"), 401, 0.0, "id")
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(request_log.REFUSED_SECONDS)
    assert (len(memory.taken), memory.calls) == (150, 2)
    assert clock.getDelayedCalls() == []


def test_strangers_have_a_bound_over_all_feeds() -> None:
    """What all of them together can have written between two times is limited."""
    memory = Memory()
    clock = Clock()
    log = log_with(memory, clock)
    for number in range(1, 1000):
        log(visit_of(number, peer=f"192.{number % 250}.{number // 250}.1"), 401, 0.0, "id")
    clock.advance(request_log.REFUSED_SECONDS)
    assert len(memory.taken) == request_log.MAX_STRANGERS
    log(visit_of(1), 401, 0.0, "id")
    clock.advance(request_log.REFUSED_SECONDS)
    assert len(memory.taken) == request_log.MAX_STRANGERS + 1


class Owner:
    """As much of a key or a feed as says whose it is."""

    def __init__(self, owner_id: int, number: int = 0) -> None:
        self.owner_id = owner_id
        self.id = number
        self.label = "k"
        self.expires_at = None


def test_owners_have_bounds_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither successes nor refusals with good keys can fill the memory; what is left out is counted."""
    monkeypatch.setattr(request_log, "MAX_TAKEN", 30)
    monkeypatch.setattr(request_log, "MAX_REFUSED", 30)
    clock, memory = Clock(), Memory()
    log = log_with(memory, clock)
    for status in (200, 400):
        for number in range(1, 101):
            visit = visit_of(number, Owner(1))
            visit.feed = Owner(1, number)  # type: ignore[assignment]  # the log asks for owner and number
            log(visit, status, 0.0, "id")
    assert dict(log.omitted) == {"too many at a time": 70, "too many refused at a time": 70}
    clock.advance(request_log.TAKEN_SECONDS)
    assert len(memory.taken) == 60
    assert clock.getDelayedCalls() == []


def test_many_feeds_share_what_room_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Feeds that come late find room as well: the others keep fewer then, and their newest."""
    monkeypatch.setattr(request_log, "MAX_TAKEN", 64)
    clock, memory = Clock(), Memory()
    log = log_with(memory, clock)
    for number in range(1, 31):
        for moment in range(20):
            visit = visit_of(number, Owner(1))
            visit.now = moment
            visit.feed = Owner(1, number)  # type: ignore[assignment]  # the log asks for owner and number
            log(visit, 200, 0.0, "id")
    clock.advance(request_log.TAKEN_SECONDS)
    kept: dict[int | None, list[int]] = {}
    for entry in memory.taken:
        kept.setdefault(entry.feed_id, []).append(entry.at)
    assert len(kept) == 30
    assert sum(map(len, kept.values())) <= 64
    assert kept[1] == [18, 19]
    assert not log.omitted


def test_a_disk_that_fails_loses_what_waited_and_says_so() -> None:
    """The service goes on, and the number is told."""
    clock = Clock()
    log = log_with(Memory(failing=True), clock)
    log(visit_of(1), 401, 0.0, "id")
    clock.advance(request_log.REFUSED_SECONDS)
    assert log.omitted["storage failed"] == 1


@pytest.mark.parametrize(
    ("path", "feed_id"),
    [
        ("/v2/feed/504", None),
        ("/v2/feeds/504x", 504),
        ("/v2/feeds/0504", None),
        ("/v2/feeds/99999999999999999999", None),
        ("/v2/feeds//504/nowhere", 504),
        ("/api/504.csv", 504),
        ("/v2/feeds/504/a/b/c", 504),
        ("/v2/feeds/9223372036854775808/a", None),
    ],
)
def test_a_path_that_leads_nowhere_may_name_a_feed(path: str, feed_id: int | None) -> None:
    """A slip behind the number of the feed is told to its owner."""
    clock, memory = Clock(), Memory()
    log = log_with(memory, clock)
    log(visit_of(0, path=path), 404, 0.0, "id")
    clock.advance(request_log.REFUSED_SECONDS)
    assert [entry.feed_id for entry in memory.taken] == ([] if feed_id is None else [feed_id])


@given(
    st.binary(max_size=3000), st.text(), st.dictionaries(st.text(), st.text()), st.text(), st.text(max_size=9)
)
def test_anything_can_be_logged(
    body: bytes, path: str, headers: dict[str, str], peer: str, method: str
) -> None:
    """Whatever bytes came, an entry is made of them that JSON can carry, within its bounds."""
    clock, memory = Clock(), Memory()
    log = log_with(memory, clock)
    request = Request(method, f"/v2/feeds/1/{path}", path, headers, body, peer)
    visit = Visit(request, "http", 0, 0.0)
    visit.reason = "r" * 9999
    log(visit, 400, 0.0, "id")
    clock.advance(request_log.REFUSED_SECONDS)
    for entry in memory.taken:
        assert len(json.dumps(entry.facts)) < 60_000
        assert len(entry.reason or "") <= MAX_REASON


def test_preflights_are_nothing_to_tell() -> None:
    """What a browser asks by itself is not logged."""
    clock = Clock()
    log = log_with(Memory(), clock)
    log(Visit(Request("OPTIONS", "/v2/feeds/1"), "http", 0, 0.0), 400, 0.0, "id")
    assert clock.getDelayedCalls() == []


async def test_nothing_is_written_after_the_end(garden: InProcess) -> None:
    """What comes while the service ends waits for nothing any more."""
    feed: Feed | None = await garden.store.find_feed(1)
    assert feed is not None
    await garden.ask(UPDATE, "temp,1")
    await garden.request_log.stop()
    found: list[Any] = await garden.store.requests.of(1, None)
    assert [entry.ring for entry in found] == [WRITTEN]
    await garden.ask(UPDATE, '"')
    assert garden.request_log._soon is None
