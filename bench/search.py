"""
Searches among 100 000 feeds, through everything but the door: from a request to the bytes of its answer.

    python -m bench.search [FEEDS]

Each kind of search asks for one thing after the other, so that most feeds of its pages are not in memory.
A page has 50 feeds of three datastreams. It is compared with a GET of the same page by ids, which shows
what the searching costs, and with the bare question to the full-text index. The target is 20 ms, for what
leaves out nine feeds of ten.
"""

from __future__ import annotations

import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.service import Report
from twisted.internet.defer import Deferred

from txpachube.server.storage import accounts, feeds, search
from txpachube.server.storage.database import connect, upgrade
from txpachube.server.storage.records import FeedChange, StreamChange
from txpachube.server.storage.writer import Transaction
from txpachube.testing.inprocess import NOON, InProcess
from txpachube.times import SECOND

FEEDS = 100_000
OWNERS = 100
REPEATS = 31
TARGET = 20.0
UNITS = [("Celsius", "C"), ("Percent", "%"), ("Watt", "W"), ("Volt", "V"), ("Pascal", "Pa"), ("Lux", "lx")]
CITIES = 200


class Country:
    """Invents feeds: words as frequent as in a language, places around cities."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._words = [self._word() for _ in range(20_000)]
        self.cities = [(self._random.gauss(40, 15), self._random.uniform(-180, 180)) for _ in range(CITIES)]

    def _word(self) -> str:
        return "".join(self._random.choice("bcdfglmnprst") + self._random.choice("aeiou") for _ in range(4))

    def text(self, length: int) -> str:
        """Return some words."""
        chosen = (int(len(self._words) * self._random.random() ** 3) for _ in range(length))
        return " ".join(self._words[place] for place in chosen)

    def feed(self, number: int) -> FeedChange:
        """Return a feed, of which some words and tags tell how many have them."""
        some = self._random
        lat, lon = some.choice(self.cities)
        change = FeedChange(NOON - (FEEDS - number) * SECOND, True)
        frequent = f"hundredth{number % 100} tenth{number % 10}" + (" half" if number % 2 else "")
        change.fields = {"title": self.text(4), "description": f"{self.text(15)} {frequent}"}
        change.tags = [f"hundredth{number % 100}", f"tenth{number % 10}", self.text(1)]
        change.private = some.random() < 0.2
        change.location = {
            "lat": max(-90.0, min(90.0, some.gauss(lat, 0.5))),
            "lon": max(-180.0, min(180.0, some.gauss(lon, 0.5))),
        }
        change.location_at = change.arrived
        for name, (label, symbol) in zip("abc", some.sample(UNITS, 3), strict=True):
            stream = StreamChange(name, unit={"label": label, "symbol": symbol}, points=[(NOON, "21.5")])
            stream.tags = [self.text(1)]
            change.streams.append(stream)
        return change


def fill(path: Path, count: int) -> Country:
    """Make a database with so many feeds, and return what they are like."""
    country = Country(1)
    connection = connect(path)
    upgrade(connection, path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN IMMEDIATE")
    transaction = Transaction(connection)
    for owner in range(1, OWNERS + 1):
        accounts.add_user(transaction, f"owner{owner}", None, NOON)
    made = indexed = 0.0
    for number in range(count):
        begun = time.perf_counter()
        feeds.create_feed(transaction, number % OWNERS + 1, country.feed(number), None)
        between = time.perf_counter()
        search.refresh(transaction)
        made, indexed = made + between - begun, indexed + time.perf_counter() - between
    some = random.Random(3)
    transaction.executemany(
        "UPDATE listed SET data_at = ? WHERE feed = ?",
        [(NOON - some.randrange(86400) * SECOND, number + 1) for number in range(count)],
    )
    connection.execute("COMMIT")
    connection.close()
    print(
        f"{count:,} feeds: making one {made / count * 1e6:.0f} us,"
        f" indexing it {indexed / count * 1e6:.0f} us,"
        f" {path.stat().st_size / 1e6:.0f} MB"
    )
    return country


def kinds(country: Country) -> Iterator[tuple[str, Callable[[int], str], float | None]]:
    """Yield what is searched for: what to call it, the query of the n-th try, and its target."""
    yield "word in 1 of 100", lambda n: f"q=hundredth{n}", TARGET
    yield "word in 1 of 10", lambda n: f"q=tenth{n % 10}&page={n}", TARGET
    yield "word in every other feed", lambda n: f"q=half&page={n}", None
    yield "two words, 1 of 200", lambda n: f"q=half+hundredth{n * 2 + 1}", TARGET
    yield "some words of a title", lambda n: f"q={country.text(2).replace(' ', '+')}", TARGET
    yield "word in 1 of 10, the latest data first", lambda n: f"q=tenth{n % 10}&order=retrieved_at", TARGET
    yield "tag of 1 of 100", lambda n: f"tag=hundredth{n}", TARGET
    yield "tag of 1 of 10", lambda n: f"tag=tenth{n % 10}&page={n}", TARGET
    yield "unit of every other feed", lambda n: f"units={UNITS[n % 6][0]}&page={n}", None
    for distance in (10, 100, 1000):
        yield (
            f"{distance} km around a city",
            lambda n, distance=distance: (  # type: ignore[misc]  # the default binds the loop's value
                f"lat={country.cities[n][0]}&lon={country.cities[n][1]}&distance={distance}"
            ),
            TARGET,
        )
    yield (
        "all at once: word, tag, unit, radius",
        lambda n: (
            f"q=tenth{n % 10}&tag=tenth{n % 10}&units=watt&distance=500"
            f"&lat={country.cities[n][0]}&lon={country.cities[n][1]}"
        ),
        TARGET,
    )
    yield "everything of a user", lambda n: f"user=owner{n + 1}", None
    yield "everything, newest first", lambda n: f"page={n * 30 + 1}", None
    yield "everything, the latest data first", lambda n: f"order=retrieved_at&page={n + 1}", None
    yield "everything that is live", lambda n: f"status=live&page={n + 1}", None


async def measure(path: Path, count: int, report: Report) -> None:
    """Ask and print."""
    from twisted.internet import reactor

    country = fill(path, count)
    service = InProcess(path, reactor)
    await service.open()
    service.key = await service.add_key(1, private_access=True)

    async def median(query_of: Callable[[int], str], path: str = "/v2/feeds.json?") -> tuple[float, int]:
        times, size = [], 0
        for n in range(REPEATS):
            # What was asked before must not help.
            target = path + query_of(n)
            begun = time.perf_counter()
            answer = await service.ask(f"GET {target}")
            times.append(time.perf_counter() - begun)
            assert answer.status == 200, answer.body
            size = max(size, len(answer.body))
        return statistics.median(times) * 1e3, size

    some = random.Random(2)
    one, _ = await median(lambda _: f"{some.randrange(1, count, 100)}.json", "/v2/feeds/")
    print(f"{'GET of one feed, not in memory':45} {one:8.2f} ms")
    # Those of this owner are visible, so pages are full.
    by_ids, size = await median(
        lambda _: "ids=" + ",".join(str(some.randrange(1, count, OWNERS)) for _ in range(50))
    )
    print(f"{'GET of a page of 50 by ids: baseline':45} {by_ids:8.2f} ms  {size:,} bytes")
    bare = bare_word(path)
    print(f"{'the full-text index alone, word in 1 of 100':45} {bare:8.2f} ms")
    for what, query_of, target in kinds(country):
        full, size = await median(query_of)
        short, _ = await median(lambda n, query_of=query_of: query_of(n) + "&content=summary")  # type: ignore[misc]
        remark = f"{full / by_ids:5.1f} x by ids, {full / bare:6.1f} x bare; summaries {short:6.2f} ms"
        if target is None:
            print(f"{what:58} {full:8.2f} ms                   {remark}", flush=True)
        else:
            report.at_most(f"{what}, ms", full, target, remark)
    await service.close()


def bare_word(path: Path) -> float:
    """Return the milliseconds that SQLite takes to find a page of a word, and to count what there is."""
    db = sqlite3.connect(path)
    times = []
    for n in range(REPEATS):
        begun = time.perf_counter()
        for what in ("count(*)", "rowid"):
            db.execute(
                f"SELECT {what} FROM public_words WHERE public_words MATCH ? LIMIT 50", (f"hundredth{n}",)
            ).fetchall()
        times.append(time.perf_counter() - begun)
    db.close()
    return statistics.median(times) * 1e3


def main() -> None:
    """Measure everything; the exit status is 0 also when a target is missed: the machine may be busy."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else FEEDS
    from twisted.internet.task import react

    report = Report()
    with tempfile.TemporaryDirectory(prefix="txpachube-bench-") as folder:

        def run(_: object) -> Deferred[None]:
            return Deferred.fromCoroutine(measure(Path(folder) / "pachube.sqlite3", count, report))

        try:
            react(run)
        except SystemExit as end:
            if end.code:
                raise
    print(f"missed: {', '.join(report.missed)}" if report.missed else "all targets reached")


if __name__ == "__main__":
    main()
