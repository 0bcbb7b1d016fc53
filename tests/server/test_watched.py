"""The triggers of one datastream, arranged so that few are asked."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from txpachube.server.storage.triggers import Trigger
from txpachube.server.triggers import NEEDS_THRESHOLD, QUIET_FOR, fulfils, may_fire
from txpachube.server.watched import Watched
from txpachube.times import SECOND

VALUES = st.sampled_from(("0", "1", "1.0", "2", "3", "1e0", "-1", "on", "off", "", "nan", "1e400", "007"))


def trigger(number: int, kind: str, threshold: str | None = None, fulfilled: bool = False) -> Trigger:
    return Trigger(
        id=number,
        owner_id=1,
        owner="rosa",
        feed_id=1,
        stream_id="a",
        url="http://receiver.example/",
        kind=kind,
        threshold=threshold,
        base="http://api.example",
        changed=0,
        fulfilled=fulfilled,
    )


def tell(turned: list[Trigger], now: int, hidden: set[int]) -> list[int]:
    """Do with triggers what is done with them, and return the numbers of those that fired."""
    for each in [t for t in turned if t.fulfilled]:
        each.fulfilled = False
        turned.remove(each)
    fired = [t for t in turned if may_fire(t.fired_at, now) and t.id not in hidden]
    for each in fired:
        each.fulfilled, each.fired_at = True, now
    return sorted(t.id for t in fired)


triggers = st.lists(
    st.tuples(st.sampled_from(sorted(NEEDS_THRESHOLD)), VALUES, st.booleans()), min_size=1, max_size=8
)
steps = st.lists(
    st.tuples(
        VALUES,
        # Mostly less than the time between two notifications, sometimes back.
        st.sampled_from(
            (0, 1, SECOND, 3 * SECOND, QUIET_FOR - 1, QUIET_FOR, 9 * SECOND, -SECOND, -60 * SECOND)
        ),
        st.sets(st.integers(0, 7), max_size=2),
        st.booleans(),
    ),
    max_size=20,
)


@given(triggers, steps)
def test_asking_few_is_as_good_as_asking_all(
    made: list[tuple[str, str, bool]], happens: list[tuple[str, int, set[int], bool]]
) -> None:
    """Whatever values come whenever, and whoever may not be told: the same triggers fire and grow calm."""
    few = [trigger(n, kind, threshold, told) for n, (kind, threshold, told) in enumerate(made)]
    every = [trigger(n, kind, threshold, told) for n, (kind, threshold, told) in enumerate(made)]
    watched = Watched()
    for each in few:
        watched.put(each)
    now = 1_000_000 * SECOND
    for value, passed, hidden, lost in happens:
        now += passed
        fired = tell(watched.turned(value, now), now, hidden)
        all_turned = [t for t in every if fulfils(t.kind, t.threshold or "", value) is not t.fulfilled]
        assert fired == tell(all_turned, now, hidden)
        assert [t.fulfilled for t in few] == [t.fulfilled for t in every]
        if lost:  # what fired could not be stored
            for each in (*few, *every):
                if each.id in fired:
                    each.fulfilled, each.fired_at = False, None
            watched.reconsider()


@given(steps)
def test_changes_are_told_as_often_as_they_may(happens: list[tuple[str, int, set[int], bool]]) -> None:
    """Nobody is passed over who could tell of a change now."""
    watched = Watched()
    for number in range(3):
        watched.put(trigger(number, "change"))
    now = 1_000_000 * SECOND
    for _, passed, hidden, _ in happens:
        now += passed
        could = [t for t in watched.by_id.values() if may_fire(t.fired_at, now)]
        offered = watched.changed(now)
        assert set(map(id, could)) <= set(map(id, offered))
        tell(list(offered), now, hidden)
        for each in offered:
            each.fulfilled = False
        watched.told()


def test_who_is_taken_out_is_asked_no_more() -> None:
    """And who is put in is asked at the next write, whatever the value was before."""
    watched = Watched()
    first, second = trigger(1, "gt", "5"), trigger(2, "gt", "5")
    watched.put(first)
    assert watched.turned("9", 1) == [first]
    watched.remove(1)
    watched.put(second)
    assert watched.turned("9", 1) == [second]
    watched.remove(2)
    watched.remove(3)
    assert watched.turned("9", 1) == []


def test_a_thousand_triggers_that_are_not_concerned_cost_nothing() -> None:
    """A write among them takes about as long as one among ten."""

    def cost(count: int) -> float:
        watched = Watched()
        for number in range(count):
            watched.put(trigger(number, "gt", str(1000 + number)))
        watched.turned("5", 1)
        times = []
        for turn in range(200):
            begun = time.perf_counter()
            watched.turned(str(turn % 7), 1)
            times.append(time.perf_counter() - begun)
        return min(times)

    assert cost(10_000) < 20 * cost(10)
