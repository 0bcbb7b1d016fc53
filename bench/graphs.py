"""
How long a graph of 100 000 datapoints takes.

- from the columns that were read to the PNG: target 60 ms;
- reading the columns, against fetching the datapoints and making them floats, which only then could be
  drawn: target at most 0.6 times as long, and without Python's global lock;
- the part of all this that keeps the lock, and with it everybody else waiting: drawing the SVG.

Run it with ``python bench/graphs.py``.
"""

from __future__ import annotations

import math
import random
import sqlite3
import statistics
import time
from collections.abc import Callable

from txpachube.codecs.values import numeric
from txpachube.server.graphs.columns import Grid
from txpachube.server.graphs.drawing import Graph, draw
from txpachube.server.graphs.look import Look
from txpachube.server.graphs.painter import Painter
from txpachube.server.storage.columns import samples
from txpachube.times import SECOND, parse

POINTS = 100_000
REPEATS = 15
DAY = 86400 * SECOND
LOOKS = (
    ("600 x 250", Look()),
    ("600 x 250 with everything", Look(title="Kitchen", legend="Celsius", labels=True, grid=True)),
    ("1200 x 600", Look(width=1200, height=600, labels=True)),
    ("2000 x 2000", Look(width=2000, height=2000, labels=True)),
)


def median(work: Callable[[], object]) -> float:
    """Return the median of the milliseconds that some work takes, of several tries after one."""
    work()
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1e3


def history(start: int) -> sqlite3.Connection:
    """Return a database with a day of a noisy temperature."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute(
        "CREATE TABLE history (datastream INTEGER NOT NULL, at INTEGER NOT NULL, value TEXT NOT NULL,"
        " PRIMARY KEY (datastream, at)) WITHOUT ROWID"
    )
    noise = random.Random(1)
    rows = (
        (1, start + n * DAY // POINTS, f"{18 + 5 * math.sin(n / POINTS * 6.28) + noise.gauss(0, 0.2):.2f}")
        for n in range(POINTS)
    )
    db.executemany("INSERT INTO history VALUES (?, ?, ?)", rows)
    return db


def all_numbers(db: sqlite3.Connection) -> list[float | None]:
    """Return every number of the history."""
    return [numeric(value) for _, value in db.execute("SELECT at, value FROM history WHERE datastream = 1")]


def main() -> None:
    """Measure and print."""
    start = parse("2013-06-01T00:00:00Z")
    db = history(start)
    every = median(lambda: all_numbers(db))
    painter = Painter()
    print(f"every number, for comparison  {every:7.1f} ms")
    missed = []
    for name, look in LOOKS:
        grid = Grid(start, start + DAY - 1, look.width)
        found = samples(db, 1, [], grid)
        graph = Graph(look, grid, found, unit="°C")
        reading = median(lambda: samples(db, 1, [], grid))  # noqa: B023 - called at once
        drawing = median(lambda: draw(graph))  # noqa: B023 - called at once
        both = median(lambda: painter.paint(draw(graph)))  # noqa: B023 - called at once
        print(
            f"{name:28}  read {reading:6.1f} ms = {reading / every:4.2f} x all"
            f"   draw {drawing:5.1f} ms   draw and paint {both:6.1f} ms"
        )
        if look.width == Look().width and (both > 60 or reading / every > 0.6):
            missed.append(name)
    painter.close()
    print(f"missed: {', '.join(missed)}" if missed else "all targets reached")


if __name__ == "__main__":
    main()
