"""
The store against a naive model, through random histories of writes, deletions, folds and crashes.

The model keeps every datastream as a dict and does to it what the API promises; after each step the
store must show the same, in memory and when read back, and so must a store opened on a copy of the
files as a power cut would leave them.

A failing history is shown as it was found, up to 25 steps of which most don't matter: to make it short
takes minutes, because every step asks the disk. Add ``Phase.shrink`` to the settings for that.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import attrs
import pytest
import pytest_twisted
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.internet.defer import Deferred

from txpachube.codecs.values import numeric
from txpachube.server.administration import DATABASE_FILE, open_administration
from txpachube.server.storage import accounts, folding
from txpachube.server.storage.records import UNCHANGED, Feed, FeedChange, StreamChange
from txpachube.server.storage.store import Store

T = TypeVar("T")

NAMES = ["a", "b", "c"]
TIMES = st.integers(0, 12)
VALUES = st.sampled_from(["1", "-0.0", "-2.5", "0000017", "open", "", "30"])
POINTS = st.lists(st.tuples(TIMES, VALUES), max_size=4)
PATIENCE = 20.0
"""Seconds until something that did not finish counts as lost."""

LIMITS = st.one_of(st.just(UNCHANGED), st.none(), st.sampled_from([-7.0, 0.0, 99.0]))


@attrs.define
class Model:
    """One datastream as the API describes it."""

    points: dict[int, str] = attrs.field(factory=dict)
    max_value: float | None = None
    min_value: float | None = None

    def write(self, at: int, value: str) -> None:
        self.points[at] = value
        number = numeric(value)
        if number is not None:
            self.max_value = number if self.max_value is None else max(self.max_value, number)
            self.min_value = number if self.min_value is None else min(self.min_value, number)

    @property
    def current(self) -> tuple[int | None, str | None]:
        return max(self.points.items()) if self.points else (None, None)


def wait(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run the reactor until the coroutine is done."""
    return wait_for(Deferred.fromCoroutine(coroutine))


def wait_for(deferred: Deferred[T]) -> T:
    """Run the reactor until the Deferred has a result."""
    from twisted.internet import reactor

    clock: Any = reactor
    result: T = pytest_twisted.blockon(deferred.addTimeout(PATIENCE, clock))
    return result


class StoreMachine(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = Path(tempfile.mkdtemp(prefix="txpachube-model-"))
        self.copies = 0
        self.clock = 1000
        self.model: dict[str, Model] = {}
        self.store = self.opened(self.folder / DATABASE_FILE)
        wait(self.prepare())

    def opened(self, path: Path) -> Store:
        store = Store(path, self.reactor, fold_rows=15)
        wait(store.open())
        return store

    async def prepare(self) -> None:
        owner = await self.store._write(accounts.add_user, "rosa", None, 0)
        self.feed_id = await self.store.create_feed(owner, FeedChange(1, True, fields={"title": "T"}))

    def teardown(self) -> None:
        wait(self.store.close())
        shutil.rmtree(self.folder)

    def feed(self, store: Store | None = None) -> Feed:
        feed = wait((store or self.store).find_feed(self.feed_id))
        assert feed is not None
        return feed

    @rule(changes=st.dictionaries(st.sampled_from(NAMES), st.tuples(POINTS, LIMITS, LIMITS), min_size=1))
    def write(self, changes: dict[str, tuple[list[tuple[int, str]], Any, Any]]) -> None:
        self.clock += 1
        change = FeedChange(self.clock, True)
        for name, (points, max_value, min_value) in changes.items():
            change.streams.append(
                StreamChange(name, UNCHANGED, UNCHANGED, max_value, min_value, list(points))
            )
            model = self.model.setdefault(name, Model())
            if max_value is not UNCHANGED:
                model.max_value = max_value
            if min_value is not UNCHANGED:
                model.min_value = min_value
            for at, value in points:
                model.write(at, value)
        wait(self.store.change_feed(self.feed(), change))

    @rule(name=st.sampled_from(NAMES), at=TIMES, value=VALUES)
    def replace(self, name: str, at: int, value: str) -> None:
        if name in self.model:
            feed = self.feed()
            done = wait(self.store.replace_point(feed, feed.streams[name], at, value, self.clock))
            assert done == (at in self.model[name].points)
            if done:
                self.model[name].write(at, value)

    @rule(name=st.sampled_from(NAMES), ends=st.tuples(TIMES, TIMES))
    def delete_range(self, name: str, ends: tuple[int, int]) -> None:
        if name in self.model:
            start, end = sorted(ends)
            feed = self.feed()
            count = wait(self.store.delete_points(feed, feed.streams[name], start, end))
            gone = [at for at in self.model[name].points if start <= at <= end]
            assert count == len(gone)
            for at in gone:
                del self.model[name].points[at]

    @rule(name=st.sampled_from(NAMES))
    def delete_stream(self, name: str) -> None:
        if name in self.model:
            feed = self.feed()
            wait(self.store.delete_stream(feed, feed.streams[name]))
            del self.model[name]

    @rule(
        work=st.lists(
            st.one_of(
                st.tuples(st.just("write"), st.sampled_from(NAMES), POINTS, LIMITS),
                st.tuples(st.just("delete"), st.sampled_from(NAMES), TIMES, TIMES),
                st.tuples(st.just("replace"), st.sampled_from(NAMES), TIMES, VALUES),
                st.tuples(st.just("fold")),
            ),
            min_size=2,
            max_size=8,
        )
    )
    def work_that_waits_together(self, work: list[tuple[Any, ...]]) -> None:
        """What waits in the queue at the same time counts as if done one after the other."""
        feed = self.feed()
        waiting = []
        for kind, *arguments in work:
            if kind == "fold":
                self.store._folder.fold()
                continue
            name, first, second = arguments
            if name not in feed.streams:
                continue
            stream, model = feed.streams[name], self.model[name]
            coroutine: Coroutine[Any, Any, Any]
            if kind == "write":
                self.clock += 1
                wanted = StreamChange(name, max_value=second, points=list(first))
                coroutine = self.store.change_feed(feed, FeedChange(self.clock, False, streams=[wanted]))
                if second is not UNCHANGED:
                    model.max_value = second
                for at, value in first:
                    model.write(at, value)
            elif kind == "delete":
                start, end = sorted((first, second))
                coroutine = self.store.delete_points(feed, stream, start, end)
                for at in [at for at in model.points if start <= at <= end]:
                    del model.points[at]
            else:
                coroutine = self.store.replace_point(feed, stream, first, second, self.clock)
                if first in model.points:
                    model.write(first, second)
            waiting.append(Deferred.fromCoroutine(coroutine))
        for deferred in waiting:
            wait_for(deferred)

    @rule()
    def forget(self) -> None:
        """What memory has no room for is read from the rows the next time."""
        self.store._memory._recent.clear()

    @rule(name=st.sampled_from(NAMES))
    def administrate(self, name: str) -> None:
        """What another process changes is noticed, and no value suffers from it."""
        with open_administration(self.folder, lambda: self.clock) as administration:
            found = administration.find_feed(self.feed_id)
            assert found is not None
            administration.add_streams(found, [name])
        self.model.setdefault(name, Model())
        self.store._look_for_notices()
        wait_for(self.store._write(lambda _: None))

    @rule()
    def fold(self) -> None:
        self.store._folder.fold()

    @rule()
    def restart(self) -> None:
        wait(self.store.close())
        self.store = self.opened(self.folder / DATABASE_FILE)

    @rule()
    def crash(self) -> None:
        """What a power cut leaves is what was acknowledged."""
        self.copies += 1
        copy = self.folder / f"copy{self.copies}"
        for suffix in ("", "-wal"):
            shutil.copy(f"{self.folder / DATABASE_FILE}{suffix}", f"{copy}{suffix}")
        survivor = self.opened(copy)
        try:
            self.compare(survivor)
        finally:
            wait(survivor.close())

    @invariant()
    def memory_and_disk_agree_with_the_model(self) -> None:
        self.compare(self.store)

    def compare(self, store: Store) -> None:
        feed = self.feed(store)
        assert list(feed.streams) == sorted(self.model)
        for name, model in self.model.items():
            stream = feed.streams[name]
            assert (stream.at, stream.value) == model.current
            assert (stream.max_value, stream.min_value) == (model.max_value, model.min_value)
            expected = sorted(model.points.items())
            assert wait(store.points(stream, 0, 100, 1000)) == expected
            assert wait(store.points(stream, 2, 9, 3, 1)) == [p for p in expected if 2 <= p[0] <= 9][1:4]
            assert wait(store.last_point(stream, 6)) == max((p for p in expected if p[0] <= 6), default=None)
            lines = [1, 4, 5, 11]
            assert wait(store.points_at(stream, lines, None)) == [
                max((p for p in expected if floor < p[0] <= line), default=None)
                for floor, line in zip([-1, *lines], lines, strict=False)
            ]


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a fold have many steps, so that other work comes between them."""
    monkeypatch.setattr(folding, "SLICE_ROWS", 1)
    monkeypatch.setattr(folding, "FORGOTTEN_PER_MOVED", 3)


TestStoreAgainstModel = pytest.mark.timeout(120)(StoreMachine.TestCase)
TestStoreAgainstModel.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
    report_multiple_bugs=False,
)
