"""What leaves an MQTT connection, and when: joined by turns, shared, and bounded while nobody reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from txpachube.server.transports.mqtt_limits import MqttLimits
from txpachube.server.transports.mqtt_outbox import Outbox, Turn


class Line:
    """An outlet that remembers what was written, and is congested when the test says so."""

    def __init__(self, clock: Clock, turn: Turn, **limits: int) -> None:
        self.congested = False
        self.writes: list[bytes] = []
        self.clock = clock
        outlet: Any = self
        self.outbox = Outbox(outlet, turn, MqttLimits(**limits))

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def taken(self) -> list[bytes]:
        """Return what was written by the end of the turn, since the last time."""
        self.clock.advance(0)
        writes, self.writes = self.writes, []
        return writes


class News:
    """What a connection is subscribed to."""

    def __init__(self, present: bytes = b"present") -> None:
        self.present = present

    def send_present(self, outbox: Outbox) -> None:
        outbox.push(self, self.present)


@pytest.fixture
def clock() -> Clock:
    """Return the time."""
    return Clock()


@pytest.fixture
def turn(clock: Clock) -> Iterator[Turn]:
    """Return the turn of a listener."""
    made = Turn(clock)
    yield made
    assert clock.getDelayedCalls() == []


class TestTurns:
    """One write for each connection and turn."""

    def test_joined(self, clock: Clock, turn: Turn) -> None:
        """All that a turn has for a connection leaves in one write, in its order."""
        line = Line(clock, turn)
        line.outbox.post(b"a")
        line.outbox.push(News(), b"b")
        line.outbox.post(b"c")
        assert line.writes == []
        assert line.taken() == [b"abc"]
        line.outbox.post(b"d")
        assert line.taken() == [b"d"]
        assert line.taken() == []

    def test_shared(self, clock: Clock, turn: Turn) -> None:
        """Connections with the same messages get the very same bytes; others get theirs."""
        lines = [Line(clock, turn) for _ in range(4)]
        for line in lines:
            line.outbox.push(News(), b"one")
        for line in lines[:3]:
            line.outbox.push(News(), b"two")
        first, second, third, other = [line.taken() for line in lines]
        assert first == second == third == [b"onetwo"]
        assert first[0] is second[0] is third[0]
        assert other == [b"one"]

    def test_not_too_much_at_once(self, clock: Clock, turn: Turn) -> None:
        """Past a limit it leaves before the turn is over."""
        line = Line(clock, turn, joined_bytes=10)
        for packet in (b"12345", b"67890", b"a", b"b"):
            line.outbox.post(packet)
        assert line.writes == [b"1234567890a"]
        assert line.taken() == [b"1234567890a", b"b"]

    def test_at_once(self, clock: Clock, turn: Turn) -> None:
        """A connection that has just been read is answered without waiting for the end of the turn."""
        line = Line(clock, turn)
        line.outbox.post(b"a")
        line.outbox.flush()
        assert line.writes == [b"a"]
        assert line.taken() == [b"a"]

    def test_closed(self, clock: Clock, turn: Turn) -> None:
        """Nothing leaves any more, not even what was to leave at the end of the turn."""
        line = Line(clock, turn)
        line.outbox.post(b"a")
        line.outbox.close()
        line.outbox.post(b"b")
        line.outbox.push(News(), b"c")
        line.congested = True
        line.outbox.push(News(), b"d")
        line.congested = False
        line.outbox.catch_up(lambda: None)
        assert line.taken() == []


class TestSlowReaders:
    """While the client does not read, its messages wait, and past a limit only the newest state."""

    def test_steps(self, clock: Clock, turn: Turn) -> None:
        """Some steps are kept, each by itself; what answers the client goes first."""
        line = Line(clock, turn, steps=3)
        line.congested = True
        for packet in (b"1", b"2", b"3"):
            line.outbox.push(News(), packet)
        assert line.taken() == []
        line.congested = False
        line.outbox.push(News(), b"4")  # not before those that wait
        line.outbox.catch_up(lambda: line.outbox.post(b"ack"))
        assert b"".join(line.taken()) == b"ack123present"
        line.outbox.push(News(), b"5")
        assert line.taken() == [b"5"]

    def test_the_newest_state(self, clock: Clock, turn: Turn) -> None:
        """Of what came after that each topic sends what it is now, once; the rest is counted."""
        line = Line(clock, turn, steps=1)
        line.congested = True
        one, two = News(b"one"), News(b"two")
        line.outbox.push(one, b"1")
        for _ in range(100):
            line.outbox.push(two, b"x")
            line.outbox.push(one, b"y")
        assert turn.skipped == 198
        line.congested = False
        line.outbox.catch_up(lambda: None)
        assert b"".join(line.taken()) == b"1twoone"

    def test_congested_again(self, clock: Clock, turn: Turn) -> None:
        """It stops when the client does, and goes on where it stopped."""
        line = Line(clock, turn, joined_bytes=1)
        line.congested = True
        for packet in (b"11", b"22", b"33"):
            line.outbox.push(News(), packet)
        line.congested = False

        def write(data: bytes) -> None:
            line.writes.append(data)
            line.congested = True

        line.write = write  # type: ignore[method-assign] # one that takes one write
        for expected in (b"11", b"22", b"33"):
            line.congested = False
            line.outbox.catch_up(lambda: None)
            assert line.taken() == [expected]

    def test_forgotten(self, clock: Clock, turn: Turn) -> None:
        """What a topic has waiting is dropped when the client unsubscribes from it."""
        line = Line(clock, turn, steps=2)
        line.congested = True
        kept, dropped = News(b"kept"), News(b"dropped")
        for news in (kept, dropped, kept, dropped):
            line.outbox.push(news, b"step of " + news.present)
        line.outbox.forget(dropped)
        line.congested = False
        line.outbox.catch_up(lambda: None)
        assert b"".join(line.taken()) == b"step of keptkept"


@given(st.lists(st.tuples(st.sampled_from("prw"), st.integers(0, 3)), max_size=60), st.integers(0, 5))
def test_the_last_message_is_the_newest_state(events: list[tuple[str, int]], steps: int) -> None:
    """However reading and pushing alternate, each topic is heard in order and ends with its newest state."""
    clock = Clock()
    line = Line(clock, Turn(clock), steps=steps, joined_bytes=2)
    heard: dict[int, list[int]] = {}
    counts = dict.fromkeys(range(4), 0)

    class Topic:
        def __init__(self, number: int) -> None:
            self.number = number

        def send_present(self, outbox: Outbox) -> None:
            outbox.push(self, bytes((self.number, counts[self.number])))

    topics = [Topic(number) for number in range(4)]

    def read() -> None:
        line.congested = False
        line.outbox.catch_up(lambda: None)
        data = b"".join(line.taken())
        for at in range(0, len(data), 2):
            heard.setdefault(data[at], []).append(data[at + 1])

    for event, number in events:
        if event == "p":
            counts[number] += 1
            line.outbox.push(topics[number], bytes((number, counts[number])))
        elif event == "r":
            read()
        else:
            line.congested = True
    read()
    for number, count in counts.items():
        values = heard.get(number, [])
        assert values == sorted(set(values))
        assert values[-1:] == ([count] if count else [])
