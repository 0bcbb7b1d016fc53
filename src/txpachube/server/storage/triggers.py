"""
Triggers, the notifications that wait to be sent, and what became of the attempts to send them.

A notification is in the outbox from the moment its trigger fired until its receiver answered, or
until it is given up; so it survives the end of the process. If that comes between the sending and its
record, the notification is sent again at the next start: a receiver may hear twice, but not never.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

import attrs
from twisted.internet.defer import Deferred

from txpachube.server.storage.failures import Gone
from txpachube.server.storage.records import Stream
from txpachube.server.storage.writer import Transaction

__all__ = ["Attempt", "Firing", "Notification", "Trigger", "TriggerObserver", "Triggers"]

MAX_TRIGGERS: Final = 10_000
"""Triggers of one account; all of them are kept in memory while the service runs."""

MAX_WAITING: Final = 100
"""Notifications of one trigger that wait; when its receiver is away for longer the oldest are given up."""

MAX_ATTEMPTS: Final = 100
"""Attempts of one trigger that are remembered."""


@attrs.define(eq=False)
class Trigger:
    """
    A trigger.

    Attributes:
        kind: its type: ``gt gte lt lte eq change frozen live``.
        threshold: the text that was sent, or None.
        base: what URLs in its notifications start with.
        changed: when it was made or changed, in microseconds since 1970.
        fulfilled: its condition is true and has been told.
        fired_at: when it fired last, or None.
        notified_at: when a notification was sent last, or None.
    """

    id: int
    owner_id: int
    owner: str
    feed_id: int
    stream_id: str
    url: str
    kind: str
    threshold: str | None
    base: str
    changed: int
    fulfilled: bool = attrs.field(default=False, converter=bool)
    fired_at: int | None = None
    notified_at: int | None = None


@attrs.frozen
class Firing:
    """A trigger that has just fired: when, whether its condition stays true, and what to send."""

    trigger_id: int
    at: int
    lasting: bool
    body: str


@attrs.frozen
class Notification:
    """
    Something that waits to be sent.

    Attributes:
        url: where to, as of the moment it was put there.
        due: when to try next, in microseconds since 1970.
        tries: how often it was tried.
    """

    id: int
    trigger_id: int
    url: str
    due: int
    tries: int


@attrs.frozen
class Attempt:
    """
    What became of an attempt to send something.

    Attributes:
        at: when, in microseconds since 1970.
        status: of the answer; None when there was none.
        fault: why there was none.
    """

    at: int
    status: int | None
    fault: str | None


_SELECT: Final = (
    "SELECT t.id, t.owner, u.login, d.feed, d.name, t.url, t.type, t.threshold, t.base, t.changed,"
    " t.fulfilled, t.fired_at, t.notified_at FROM triggers t"
    " JOIN users u ON u.id = t.owner JOIN datastreams d ON d.id = t.datastream"
)


def _trigger(row: Sequence[Any]) -> Trigger:
    return Trigger(*row)


def find_trigger(db: sqlite3.Connection | Transaction, trigger_id: int) -> Trigger | None:
    """Return a trigger, or None when there is none with this id."""
    row = db.execute(f"{_SELECT} WHERE t.id = ?", (trigger_id,)).fetchone()
    return None if row is None else _trigger(row)


def triggers_of(db: sqlite3.Connection, owner_id: int) -> list[Trigger]:
    """Return the triggers of an account in the order in which they were made."""
    return [_trigger(row) for row in db.execute(f"{_SELECT} WHERE t.owner = ? ORDER BY t.id", (owner_id,))]


def all_triggers(db: sqlite3.Connection | Transaction) -> list[Trigger]:
    """Return all triggers there are."""
    return [_trigger(row) for row in db.execute(f"{_SELECT} ORDER BY t.id")]


def _trigger_and_data_at(txn: Transaction, trigger_id: int) -> tuple[Trigger, int] | None:
    trigger = find_trigger(txn, trigger_id)
    if trigger is None:
        return None
    data_at: int = txn.execute(
        "SELECT data_at FROM datastreams WHERE feed = ? AND name = ?", (trigger.feed_id, trigger.stream_id)
    ).fetchone()[0]
    return trigger, data_at


def add_trigger(
    txn: Transaction,
    owner_id: int,
    stream_pk: int,
    url: str,
    kind: str,
    threshold: str | None,
    base: str,
    now: int,
) -> Trigger | None:
    """
    Add a trigger; return it, or None when the account has as many as it may have.

    Raises:
        Gone: the datastream was deleted meanwhile.
    """
    if (
        txn.execute("SELECT count(*) FROM triggers WHERE owner = ?", (owner_id,)).fetchone()[0]
        >= MAX_TRIGGERS
    ):
        return None
    if txn.execute("SELECT 1 FROM datastreams WHERE id = ?", (stream_pk,)).fetchone() is None:
        raise Gone
    row = txn.execute(
        "INSERT INTO triggers (owner, datastream, url, type, threshold, base, changed)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (owner_id, stream_pk, url, kind, threshold, base, now),
    ).fetchone()
    return find_trigger(txn, row[0])


def change_trigger(
    txn: Transaction, trigger_id: int, url: str, kind: str, threshold: str | None, now: int
) -> Trigger:
    """
    Change a trigger, and let it forget that its condition was true.

    Raises:
        Gone: it was deleted meanwhile.
    """
    txn.execute(
        "UPDATE triggers SET url = ?, type = ?, threshold = ?, changed = ?, fulfilled = 0 WHERE id = ?",
        (url, kind, threshold, now, trigger_id),
    )
    trigger = find_trigger(txn, trigger_id)
    if trigger is None:
        raise Gone
    return trigger


def delete_trigger(txn: Transaction, trigger_id: int) -> None:
    """Delete a trigger with what waits of it."""
    txn.execute("DELETE FROM triggers WHERE id = ?", (trigger_id,))


def record(txn: Transaction, calm: Sequence[int], fired: Iterable[Firing]) -> list[Notification]:
    """
    Write down which conditions are no longer true, and put what fired into the outbox.

    What was deleted meanwhile is passed over.
    """
    txn.executemany("UPDATE triggers SET fulfilled = 0 WHERE id = ?", [(trigger,) for trigger in calm])
    waiting = []
    for firing in fired:
        row = txn.execute(
            "UPDATE triggers SET fulfilled = ?, fired_at = ? WHERE id = ? RETURNING url",
            (firing.lasting, firing.at, firing.trigger_id),
        ).fetchone()
        if row is None:
            continue
        number = txn.execute(
            "INSERT INTO notifications (trigger_id, due, body) VALUES (?, ?, ?) RETURNING id",
            (firing.trigger_id, firing.at, firing.body),
        ).fetchone()[0]
        waiting.append(Notification(number, firing.trigger_id, row[0], firing.at, 0))
        _give_up_the_oldest(txn, firing.trigger_id, firing.at)
    return waiting


def _give_up_the_oldest(txn: Transaction, trigger_id: int, at: int) -> None:
    given_up = txn.execute(
        "DELETE FROM notifications WHERE id IN (SELECT id FROM notifications WHERE trigger_id = ?"
        " ORDER BY id DESC LIMIT -1 OFFSET ?)",
        (trigger_id, MAX_WAITING),
    ).rowcount
    if given_up:
        _remember(txn, trigger_id, at, None, "given up: too many notifications wait for this receiver")


def waiting_notifications(db: sqlite3.Connection | Transaction) -> list[Notification]:
    """Return all that waits to be sent, the oldest first."""
    rows = db.execute(
        "SELECT n.id, n.trigger_id, t.url, n.due, n.tries FROM notifications n"
        " JOIN triggers t ON t.id = n.trigger_id ORDER BY n.id"
    )
    return [Notification(*row) for row in rows]


def read_notification(db: sqlite3.Connection, notification_id: int) -> tuple[str, str] | None:
    """Return URL and body of a notification; None when it need not be sent any more."""
    row: tuple[str, str] | None = db.execute(
        "SELECT t.url, n.body FROM notifications n JOIN triggers t ON t.id = n.trigger_id WHERE n.id = ?",
        (notification_id,),
    ).fetchone()
    return row


def record_attempt(
    txn: Transaction, notification: Notification, attempt: Attempt, sent: bool, due: int | None
) -> None:
    """
    Write down what became of an attempt.

    Args:
        txn: the transaction.
        notification: what was to be sent.
        attempt: what became of it.
        sent: the request went out.
        due: when to try again; None when it is done with.
    """
    if find_trigger(txn, notification.trigger_id) is None:
        return
    if sent:
        txn.execute("UPDATE triggers SET notified_at = ? WHERE id = ?", (attempt.at, notification.trigger_id))
    if due is None:
        txn.execute("DELETE FROM notifications WHERE id = ?", (notification.id,))
    else:
        txn.execute(
            "UPDATE notifications SET due = ?, tries = tries + 1 WHERE id = ?", (due, notification.id)
        )
    _remember(txn, notification.trigger_id, attempt.at, attempt.status, attempt.fault)


def _remember(txn: Transaction, trigger_id: int, at: int, status: int | None, fault: str | None) -> None:
    txn.execute(
        "INSERT INTO attempts (trigger_id, at, status, fault) VALUES (?, ?, ?, ?)",
        (trigger_id, at, status, fault),
    )
    txn.execute(
        "DELETE FROM attempts WHERE id IN (SELECT id FROM attempts WHERE trigger_id = ?"
        " ORDER BY id DESC LIMIT -1 OFFSET ?)",
        (trigger_id, MAX_ATTEMPTS),
    )


def attempts_of(db: sqlite3.Connection, trigger_id: int) -> list[Attempt]:
    """Return what became of the newest attempts of a trigger, the oldest first."""
    rows = db.execute(
        "SELECT at, status, fault FROM attempts WHERE trigger_id = ? ORDER BY id", (trigger_id,)
    )
    return [Attempt(*row) for row in rows]


def waiting_of(db: sqlite3.Connection, trigger_id: int) -> tuple[int, int | None]:
    """Return how many notifications of a trigger wait, and when the next of them is tried."""
    row: tuple[int, int | None] = db.execute(
        "SELECT count(*), min(due) FROM notifications WHERE trigger_id = ?", (trigger_id,)
    ).fetchone()
    return row


class TriggerObserver(Protocol):
    """Is told which triggers there are, in the order of the commits. No method may raise."""

    def changed(self, trigger: Trigger, data_at: int) -> None:
        """
        Hear that a trigger was made or changed.

        Args:
            trigger: as it is now.
            data_at: when data arrived last for its datastream, 0 for never.
        """

    def removed(self, trigger: Trigger) -> None:
        """Hear that a trigger was deleted."""

    def owner_removed(self, owner_id: int) -> None:
        """Hear that the triggers of an account were deleted with it."""


class Triggers:
    """
    The triggers of a store.

    Args:
        write: runs a function of a transaction, and what shall follow its commit.
        read: runs a function of a connection.

    Attributes:
        observer: is told which triggers there are; None while nobody wants to know.
    """

    def __init__(self, write: Callable[..., Deferred[Any]], read: Callable[..., Deferred[Any]]) -> None:
        self.observer: TriggerObserver | None = None
        self._write = write
        self._read = read

    async def find(self, trigger_id: int) -> Trigger | None:
        """Return a trigger, or None when there is none with this id."""
        found: Trigger | None = await self._read(find_trigger, trigger_id)
        return found

    async def of(self, owner_id: int) -> list[Trigger]:
        """Return the triggers of an account in the order in which they were made."""
        found: list[Trigger] = await self._read(triggers_of, owner_id)
        return found

    async def all(self) -> list[Trigger]:
        """Return all triggers there are."""
        found: list[Trigger] = await self._write(_as_it_is, all_triggers)
        return found

    async def create(
        self, owner_id: int, stream: Stream, url: str, kind: str, threshold: str | None, base: str, now: int
    ) -> Trigger | None:
        """
        Make a trigger; return it, or None when the account has as many as it may have.

        Raises:
            Gone: the datastream was deleted meanwhile.
        """

        def settle(trigger: Trigger | None) -> Trigger | None:
            if trigger is not None and self.observer is not None:
                self.observer.changed(trigger, stream.data_at)
            return trigger

        made: Trigger | None = await self._write(
            settle, add_trigger, owner_id, stream.pk, url, kind, threshold, base, now
        )
        return made

    async def change(self, trigger: Trigger, url: str, kind: str, threshold: str | None, now: int) -> None:
        """
        Change a trigger.

        Raises:
            Gone: it was deleted meanwhile.
        """

        def settle(changed: Trigger) -> None:
            if self.observer is not None:
                self.observer.changed(changed, 0)

        await self._write(settle, change_trigger, trigger.id, url, kind, threshold, now)

    async def delete(self, trigger: Trigger) -> None:
        """Delete a trigger with what waits of it."""

        def settle(_: None) -> None:
            if self.observer is not None:
                self.observer.removed(trigger)

        await self._write(settle, delete_trigger, trigger.id)

    def owner_removed(self, owner_id: int) -> None:
        """Tell the observer that an account is gone, and its triggers with it."""
        if self.observer is not None:
            self.observer.owner_removed(owner_id)

    async def noticed(self, trigger_id: int) -> None:
        """Hear that another process has made or changed a trigger."""

        def settle(found: tuple[Trigger, int] | None) -> None:
            if found is not None and self.observer is not None:
                self.observer.changed(*found)

        await self._write(settle, _trigger_and_data_at, trigger_id)

    async def record(self, calm: Sequence[int], fired: Sequence[Firing]) -> list[Notification]:
        """Write down what conditions did; return what was put into the outbox. See `record`."""
        waiting: list[Notification] = await self._write(_as_it_is, record, calm, fired)
        return waiting

    async def waiting(self) -> list[Notification]:
        """Return all that waits to be sent, the oldest first."""
        found: list[Notification] = await self._write(_as_it_is, waiting_notifications)
        return found

    async def notification(self, notification_id: int) -> tuple[str, str] | None:
        """Return URL and body of a notification; None when it need not be sent any more."""
        found: tuple[str, str] | None = await self._read(read_notification, notification_id)
        return found

    async def record_attempt(
        self, notification: Notification, attempt: Attempt, *, sent: bool, due: int | None
    ) -> None:
        """Write down what became of an attempt; see `record_attempt`."""
        await self._write(_as_it_is, record_attempt, notification, attempt, sent, due)

    async def waiting_for(self, trigger: Trigger) -> tuple[int, int | None]:
        """Return how many notifications of a trigger wait, and when the next of them is tried."""
        found: tuple[int, int | None] = await self._read(waiting_of, trigger.id)
        return found

    async def attempts(self, trigger: Trigger) -> list[Attempt]:
        """Return what became of the newest attempts of a trigger, the oldest first."""
        found: list[Attempt] = await self._read(attempts_of, trigger.id)
        return found


def _as_it_is(result: Any) -> Any:
    return result
