"""How many requests the keys of each account have made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from txpachube.server.storage import accounts
from txpachube.server.storage.accesses import DAY, SAVE_SECONDS, Accesses, add_accesses
from txpachube.server.storage.failures import StorageFailed
from txpachube.server.storage.store import Store
from txpachube.server.storage.writer import Transaction

Until = Callable[[Callable[[], object]], Awaitable[None]]


def stored(txn: Transaction, account: int) -> tuple[int, int, int]:
    """Return what the row of an account says: all requests, those of the last day, and which day that was."""
    row: tuple[int, int, int] = txn.execute(
        "SELECT accesses, accesses_that_day, accesses_day FROM users WHERE id = ?", (account,)
    ).fetchone()
    return row


def test_rows_add_up(txn: Transaction) -> None:
    """Days follow each other, and what is told late of an earlier one counts in all and not for today."""
    otto = accounts.add_user(txn, "otto", None, 0)
    add_accesses(txn, [(1, 7, 2), (otto, 7, 1), (1, 7, 3)])
    assert (stored(txn, 1), stored(txn, otto)) == ((5, 5, 7), (1, 1, 7))
    add_accesses(txn, [(1, 8, 4)])
    assert stored(txn, 1) == (9, 4, 8)
    add_accesses(txn, [(1, 7, 1), (99, 8, 1)])
    assert stored(txn, 1) == (10, 4, 8)


class Disk:
    """Takes what is written, when it is told to."""

    def __init__(self) -> None:
        self.written: list[list[tuple[int, int, int]]] = []
        self.failing = False

    def write(self, settle: Callable[[None], Any], function: object, rows: Any) -> Deferred[Any]:
        assert function is add_accesses
        if self.failing:
            return fail(StorageFailed("the disk failed"))
        self.written.append(sorted(rows))
        return succeed(settle(None))


async def test_the_disk_is_asked_once_for_many() -> None:
    """Nothing is written while nothing happens, and what happened is written once, after a while."""
    disk, clock = Disk(), Clock()
    accesses = Accesses(disk.write, clock)
    clock.advance(10 * SAVE_SECONDS)
    for _ in range(3):
        accesses.count(1, 8 * DAY - 1)
    accesses.count(2, 8 * DAY - 1)
    accesses.count(1, 8 * DAY)
    assert (accesses.unsaved(1), accesses.unsaved(2), accesses.unsaved(3)) == ({7: 3, 8: 1}, {7: 1}, {})
    clock.advance(SAVE_SECONDS)
    assert disk.written == [[(1, 7, 3), (1, 8, 1), (2, 7, 1)]]
    assert accesses.unsaved(1) == {}
    clock.advance(10 * SAVE_SECONDS)
    assert len(disk.written) == 1
    accesses.count(1, 8 * DAY)
    await accesses.stop()
    assert disk.written[1:] == [[(1, 8, 1)]]
    assert clock.getDelayedCalls() == []
    accesses.count(1, 8 * DAY)
    assert clock.getDelayedCalls() == []


async def test_a_disk_that_fails_loses_no_number() -> None:
    """What could not be written is kept, added to, and written the next time."""
    disk, clock = Disk(), Clock()
    accesses = Accesses(disk.write, clock)
    accesses.count(1, 7 * DAY)
    disk.failing = True
    clock.advance(SAVE_SECONDS)
    assert accesses.unsaved(1) == {7: 1}
    accesses.count(1, 7 * DAY)
    disk.failing = False
    clock.advance(SAVE_SECONDS)
    assert disk.written == [[(1, 7, 2)]]
    accesses.count(1, 7 * DAY)
    disk.failing = True
    await accesses.stop()


async def test_a_store_writes_them_down_when_it_closes(path: Path) -> None:
    """The next start knows what the last one counted."""
    from twisted.internet import reactor

    for expected in (2, 4):
        store = Store(path, reactor)  # type: ignore[arg-type]  # the module's type is that of no reactor
        await store.open()
        if await store.users.find("rosa") is None:
            await store._write(accounts.add_user, "rosa", None, 0)
        user = await store.users.find("rosa")
        assert user is not None
        store.users.accesses.count(user.id, 7 * DAY)
        store.users.accesses.count(user.id, 7 * DAY + 1)
        figures = await store.users.figures([user], 7 * DAY)
        assert (figures[user.id].accesses, figures[user.id].accesses_today) == (expected, expected)
        await store.close()
