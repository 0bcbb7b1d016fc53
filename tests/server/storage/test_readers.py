"""The threads that read."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_twisted

from txpachube.server.storage.database import connect, upgrade
from txpachube.server.storage.failures import Conflict, StorageFailed
from txpachube.server.storage.readers import READER_THREADS, Readers


@pytest_twisted.async_yield_fixture
async def readers(tmp_path: Path) -> AsyncIterator[Readers]:
    """Readers of a new database."""
    from twisted.internet import reactor

    connection = connect(tmp_path / "db")
    upgrade(connection, tmp_path / "db")
    made = Readers(tmp_path / "db", reactor)  # type: ignore[arg-type]  # the module's type is that of no reactor
    made.start()
    yield made
    made.stop()
    connection.close()


def feeds(db: sqlite3.Connection, added: int) -> int:
    found: int = db.execute("SELECT count(*) FROM feeds").fetchone()[0]
    return found + added


def fail(problem: Exception) -> None:
    raise problem


async def test_a_read_runs_elsewhere_and_its_result_comes_back(readers: Readers) -> None:
    """The reactor's thread is free meanwhile."""
    assert await readers.read(feeds, 5) == 5
    assert await readers.run(threading.get_ident) != threading.get_ident()


async def test_reads_dont_wait_for_each_other(readers: Readers) -> None:
    """As many as there are threads run at the same time."""
    meeting = threading.Barrier(READER_THREADS)
    running = [readers.run(meeting.wait, 20) for _ in range(READER_THREADS)]
    assert sorted([await one for one in running]) == list(range(READER_THREADS))


async def test_what_the_database_says_is_translated(readers: Readers) -> None:
    """Callers hear of failures of storage, and of everything else as it is."""
    with pytest.raises(StorageFailed, match="no such table: nowhere"):
        await readers.read(sqlite3.Connection.execute, "SELECT * FROM nowhere")
    with pytest.raises(StorageFailed):
        await readers.run(fail, OSError("broken"))
    with pytest.raises(Conflict):
        await readers.run(fail, Conflict("x"))


async def test_who_asks_after_the_end_is_told(tmp_path: Path) -> None:
    """A read that can't be made any more fails instead of staying away."""
    from twisted.internet import reactor

    readers = Readers(tmp_path / "db", reactor)  # type: ignore[arg-type]
    readers.start()
    readers.stop()
    with pytest.raises(StorageFailed, match="the store is closed"):
        await readers.read(feeds, 0)


def test_a_process_ends_although_nobody_stopped_the_readers(tmp_path: Path) -> None:
    """A program that forgot to close the store, or failed before, is not kept alive by it."""
    program = (
        "import sys, pathlib\n"
        "from twisted.internet import reactor\n"
        "from txpachube.server.storage.readers import Readers\n"
        "readers = Readers(pathlib.Path(sys.argv[1]), reactor)\n"
        "readers.start()\n"
        "done = lambda _: reactor.stop()\n"
        "reactor.callWhenRunning(lambda: readers.run(lambda: None).addCallback(done))\n"
        "reactor.run()\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "db")], check=True, timeout=30)
