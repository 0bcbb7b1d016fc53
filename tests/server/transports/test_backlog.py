"""What waits for a client that reads slowly."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from txpachube.server.transports.backlog import Backlog


def drained(backlog: Backlog[str]) -> Iterator[tuple[str, bytes | None]]:
    """Take everything out."""
    while (found := backlog.next()) is not None:
        yield found


def test_what_fits_comes_out_as_it_went_in() -> None:
    """Within the limits every step is kept, in order, and none is skipped."""
    backlog: Backlog[str] = Backlog(max_steps=3, max_bytes=100)
    assert not backlog
    steps = [("a", b"1"), ("b", b"2"), ("a", b"3")]
    for step in steps:
        backlog.add(*step)
    assert backlog
    assert list(drained(backlog)) == steps
    assert (bool(backlog), backlog.skipped) == (False, 0)


def test_past_the_limit_there_is_one_newest_state_for_each() -> None:
    """After the steps that fit, whoever had more news is named once, in the order of their first."""
    backlog: Backlog[str] = Backlog(max_steps=2, max_bytes=100)
    for number, subscriber in enumerate("aabcabc"):
        backlog.add(subscriber, b"%d" % number)
    assert backlog.skipped == 2
    assert list(drained(backlog)) == [("a", b"0"), ("a", b"1"), ("b", None), ("c", None), ("a", None)]


def test_bytes_are_limited_as_well() -> None:
    """A document that does not fit any more, even the first, is not kept."""
    backlog: Backlog[str] = Backlog(max_steps=10, max_bytes=5)
    backlog.add("a", b"1234")
    backlog.add("b", b"12")
    backlog.add("c", b"1")
    assert list(drained(backlog)) == [("a", b"1234"), ("b", None), ("c", None)]
    backlog.add("a", b"123456")
    assert list(drained(backlog)) == [("a", None)]
    backlog.add("a", b"12345")
    assert list(drained(backlog)) == [("a", b"12345")]


def test_nothing_waits_for_who_has_gone() -> None:
    """What was kept for a subscriber makes room when it is forgotten."""
    backlog: Backlog[str] = Backlog(max_steps=2, max_bytes=100)
    for subscriber in "abab":
        backlog.add(subscriber, b"1")
    backlog.forget("a")
    backlog.forget("nobody")
    assert list(drained(backlog)) == [("b", b"1"), ("b", None)]
    backlog.add("a", b"1")
    backlog.clear()
    assert list(drained(backlog)) == []


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)) | st.none(), max_size=60),
    st.integers(0, 5),
    st.integers(0, 30),
)
def test_nobody_misses_the_end_nor_hears_things_out_of_order(
    events: list[tuple[str, int] | None], steps: int, size: int
) -> None:
    """Whatever is added and taken out, everybody ends with the newest, never after something newer."""
    backlog: Backlog[str] = Backlog(steps, size)
    newest: dict[str, int] = {}
    heard: dict[str, list[int]] = {"a": [], "b": [], "c": []}

    def take() -> bool:
        found = backlog.next()
        if found is not None:
            subscriber, document = found
            heard[subscriber].append(newest[subscriber] if document is None else len(document))
        return found is not None

    for number, event in enumerate(events, 1):
        if event is None:
            take()
        else:
            newest[event[0]] = number
            backlog.add(event[0], b"x" * number)
    while take():
        pass
    for subscriber, numbers in heard.items():
        assert numbers == sorted(set(numbers))
        assert numbers[-1:] == ([newest[subscriber]] if subscriber in newest else [])
