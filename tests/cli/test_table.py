"""The table of a feed, as a terminal shows it."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from txpachube import Datastream, Unit
from txpachube.cli.table import BARS, MOST_BARS, FeedTable, bars, local_time, printable, unit_of

NOON = datetime(2013, 6, 1, 12).astimezone()
HALF_PAST_TEN = f"{NOON.replace(hour=10, minute=30).isoformat()}"

STREAMS = [
    Datastream(
        id="temp",
        current_value="21.5",
        at=HALF_PAST_TEN,
        min_value="1183.0",
        max_value="1.5",
        unit=Unit(symbol="C"),
    ),
    Datastream(id="door"),
    Datastream(id="log", current_value="[red]a device can write a text as long as it likes, and \x1b[2J"),
]


def drawn(table: FeedTable, width: int = 100, **options: Any) -> list[str]:
    """Return the lines of a table, without blanks at their ends."""
    console = Console(file=io.StringIO(), width=width)
    console.print(table.draw(STREAMS, width, **options))
    file: Any = console.file
    return [line.rstrip() for line in file.getvalue().splitlines() if line.strip()]


def new(**options: Any) -> FeedTable:
    return FeedTable(NOON.timestamp, **options)


def test_a_row_for_each_datastream() -> None:
    """What it is now, in what, within which limits, and since when; long texts are cut."""
    lines = drawn(new(), title="Hut [3]", caption="one, two")
    assert [line.split() for line in lines if "─" not in line] == [
        ["Hut", "[3]"],
        ["datastream", "now", "unit", "min", "max", "at"],
        ["temp", "21.5", "C", "1183", "1.5", "10:30:00"],
        ["door", "-"],
        ["log", "[red]a", "device", "can", "write…"],
        ["one,", "two"],
    ]
    assert drawn(new(times=False))[0].split() == ["datastream", "now", "unit", "min", "max"]


@pytest.mark.parametrize("width", [30, 50, 60, 80, 200])
def test_it_fits_the_line(width: int) -> None:
    """However narrow the terminal, each datastream has one line; long texts give way before anything else."""
    table = new()
    for number in range(100):
        table.note("temp", str(number))
    lines = drawn(table, width)
    assert len(lines) == 2 + len(STREAMS)
    assert max(map(len, lines)) <= width
    if width >= 60:
        assert "…" not in lines[2]
        assert "10:30:00" in lines[2]


def test_bars_show_what_was_written() -> None:
    """Numbers are drawn as far as there is room, the last ones; texts and strangers are not."""
    table = new()
    assert "lately" not in drawn(table)[0]
    for value in ("1", "8", "x", None, "1e999", "4.5"):
        table.note("temp", value)
    table.note("gone", "1")
    lines = drawn(table)
    assert lines[0].endswith("lately")
    assert lines[2].endswith("  ▁█▄")
    for number in range(200):
        table.note("temp", str(number))
    assert len(drawn(table, 300)[2].split()[-1]) == MOST_BARS


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_there_is_a_bar_for_each_number(values: list[float]) -> None:
    """The greatest has the highest bar that is drawn and the least the lowest, however large they are."""
    drawn_bars = bars(values)
    assert len(drawn_bars) == len(values)
    assert set(drawn_bars) <= set(BARS)
    if values:
        assert drawn_bars[values.index(min(values))] == min(drawn_bars) == BARS[0]
        assert drawn_bars[values.index(max(values))] == max(drawn_bars)


@pytest.mark.parametrize(
    ("timestamp", "shown"),
    [
        (None, ""),
        (HALF_PAST_TEN, "10:30:00"),
        (NOON.replace(month=5, hour=23).isoformat(), "2013-05-01 23:00"),
        ("yesterday\n", "yesterday\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_times(timestamp: str | None, shown: str) -> None:
    """Times are local ones; the day is told when it is another one."""
    assert local_time(timestamp, NOON.timestamp()) == shown


def test_units() -> None:
    """The sign of a unit, or else its name."""
    units = [Unit(symbol="C", label="Celsius"), Unit(label="Celsius"), Unit(), None]
    assert [unit_of(Datastream(unit=unit)) for unit in units] == ["C", "Celsius", "", ""]


def test_texts_for_a_terminal() -> None:
    """What would move the cursor is not printed."""
    assert printable("21.5 °C\x1b[2J\n\x9b") == "21.5 °C\ufffd[2J\ufffd\ufffd"
