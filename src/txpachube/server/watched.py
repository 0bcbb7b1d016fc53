"""
The triggers of one datastream, arranged so that a write asks only those it may concern.

Thresholds stand in order: between two values only those can turn that lie between them. What has turned
true too soon after it was told last waits until it may be told again, and is not asked before. So a
thousand triggers cost a write little more than one does, unless it crosses their thresholds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from math import isnan
from operator import eq, ge, gt, le, lt
from typing import Any, Final

from txpachube.codecs.values import numeric
from txpachube.server.storage.triggers import Trigger
from txpachube.server.triggers import QUIET_FOR, comparable, may_fire

__all__ = ["Watched"]

# How to compare a value with a threshold, and where, among thresholds in order, the comparison turns.
_COMPARISONS: Final[dict[str, tuple[Callable[[float, float], bool], Callable[[list[float], float], int]]]] = {
    "gt": (gt, bisect_left),
    "gte": (ge, bisect_right),
    "lt": (lt, bisect_right),
    "lte": (le, bisect_left),
}
_NOTHING: Final = object()


class _Thresholds:
    """Triggers of one type in the order of their thresholds."""

    __slots__ = ("_find", "_numbers", "_place", "_triggers", "_without_number")

    def __init__(self, kind: str, triggers: Iterable[Trigger]) -> None:
        pairs = [(comparable(trigger.threshold or ""), trigger) for trigger in triggers]
        # Of a threshold that is no number nothing ever becomes true.
        pairs = sorted((pair for pair in pairs if not isnan(pair[0])), key=lambda pair: pair[0])
        self._numbers = [number for number, _ in pairs]
        self._triggers = [trigger for _, trigger in pairs]
        self._find = _COMPARISONS[kind][1]
        # Where a value that is no number belongs: no comparison is true of it.
        self._without_number = 0 if kind in ("gt", "gte") else len(pairs)
        self._place = self._without_number

    def crossed(self, number: float) -> Sequence[Trigger]:
        """Return the triggers whose thresholds lie between the value before and this one."""
        place = self._find(self._numbers, number) if not isnan(number) else self._without_number
        before, self._place = self._place, place
        if place == before:
            return ()
        return self._triggers[before:place] if before < place else self._triggers[place:before]


class Watched:
    """
    The triggers of one datastream.

    Attributes:
        by_id: all of them.
        data_at: when data arrived last.
        told_frozen: one of them may have told that the datastream is frozen.
    """

    __slots__ = (
        "_arranged",
        "_conditions",
        "_equal",
        "_key",
        "_now",
        "_ordered",
        "_others",
        "_quiet_from",
        "_quiet_until",
        "_waiting",
        "_waits",
        "by_id",
        "data_at",
        "told_frozen",
    )

    def __init__(self) -> None:
        self.by_id: dict[int, Trigger] = {}
        self.data_at = 0
        self.told_frozen = False
        self.reconsider()

    def put(self, trigger: Trigger) -> None:
        """Add a trigger, or take one as it is now."""
        self.by_id[trigger.id] = trigger
        self.told_frozen = True
        self.reconsider()

    def remove(self, trigger_id: int) -> None:
        """Take a trigger out."""
        self.by_id.pop(trigger_id, None)
        self.reconsider()

    def reconsider(self) -> None:
        """Ask every trigger at the next write: there are others, or something was not told after all."""
        # They are arranged when they are needed, since many are put here one after the other.
        self._arranged = False

    @property
    def others(self) -> dict[str, list[Trigger]]:
        """Those that compare with nothing, by type."""
        if not self._arranged:
            self._arrange()
        return self._others

    def _arrange(self) -> None:
        self._arranged = True
        by_kind: dict[str, list[Trigger]] = {}
        for trigger in self.by_id.values():
            by_kind.setdefault(trigger.kind, []).append(trigger)
        self._conditions: dict[int, tuple[Callable[[Any, Any], bool], object]] = {}
        self._ordered: list[_Thresholds] = []
        for kind, (compare, _) in _COMPARISONS.items():
            triggers = by_kind.pop(kind, [])
            if triggers:
                self._ordered.append(_Thresholds(kind, triggers))
                self._conditions |= {t.id: (compare, comparable(t.threshold or "")) for t in triggers}
        self._equal: dict[object, list[Trigger]] = {}
        for trigger in by_kind.pop("eq", []):
            key = _key(trigger.threshold or "")
            self._equal.setdefault(key, []).append(trigger)
            self._conditions[trigger.id] = eq, key
        self._key: object = _NOTHING
        # Whether they have told the truth is not known yet.
        self._waiting = [(0, trigger_id) for trigger_id in self._conditions]
        self._waits = set(self._conditions)
        self._now = 0
        self._quiet_from = self._quiet_until = 0
        self._others = by_kind

    def turned(self, value: str, now: int) -> list[Trigger]:
        """
        Return the triggers of which a value makes the condition something else than what was told.

        Those that would have to tell it too soon are kept back.
        """
        if not self._arranged:
            self._arrange()
        number, key = comparable(value), _key(value)
        asked: dict[int, Trigger] = {}
        for thresholds in self._ordered:
            for trigger in thresholds.crossed(number):
                asked[trigger.id] = trigger
        if key != self._key:
            for either in (self._key, key):
                for trigger in self._equal.get(either, ()):
                    asked[trigger.id] = trigger
            self._key = key
        if self._waiting:
            self._ask_who_waited(asked, now)
        self._now = now
        turned = []
        for trigger in asked.values():
            compare, operand = self._conditions[trigger.id]
            if compare(key if compare is eq else number, operand) is trigger.fulfilled:
                continue
            if trigger.fulfilled:
                turned.append(trigger)
            elif may_fire(trigger.fired_at, now):
                turned.append(trigger)
                self._wait(trigger, 0)  # to see whether it did
            else:
                self._wait(trigger, (trigger.fired_at or 0) + QUIET_FOR)
        return turned

    def _wait(self, trigger: Trigger, until: int) -> None:
        if trigger.id not in self._waits:
            self._waits.add(trigger.id)
            heappush(self._waiting, (until, trigger.id))

    def _ask_who_waited(self, asked: dict[int, Trigger], now: int) -> None:
        waiting = self._waiting
        everybody = now < self._now  # the clock was set back, and nobody has to wait for it
        while waiting and (everybody or waiting[0][0] <= now):
            trigger_id = heappop(waiting)[1]
            self._waits.discard(trigger_id)
            asked[trigger_id] = self.by_id[trigger_id]

    def changed(self, now: int) -> Sequence[Trigger]:
        """Return the triggers that tell of a change; none when all of them would tell it too soon."""
        triggers = self.others.get("change", ())
        return () if self._quiet_from <= now < self._quiet_until else triggers

    def told(self) -> None:
        """Note when triggers that tell of a change did so last."""
        times = [trigger.fired_at for trigger in self.others.get("change", ())]
        known = [at for at in times if at is not None]
        if known and len(known) == len(times):
            self._quiet_from, self._quiet_until = max(known), min(known) + QUIET_FOR


def _key(text: str) -> object:
    """Return what values and thresholds are equal by: the number, or the text of what is none."""
    number = numeric(text)
    return text if number is None else number
