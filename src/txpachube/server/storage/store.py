"""
Storage as the rest of the service sees it: records in memory, and everything durable.

All methods are called on the reactor's thread. Keys, feeds and current values are answered from
memory. Writes go through the writer's queue; when one is committed, memory is brought up to date
on the reactor's thread, in the order of the commits, and then the caller goes on. So nobody ever
sees in memory what is not on the disk, and who was told "done" sees it in memory.

A feed is loaded through the same queue as the writes, so its rows are read exactly between two of
them. A feed with rows in the journal stays in memory until they are folded.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorThreads, IReactorTime
from twisted.logger import Logger

from txpachube.server.graphs.columns import Grid, Samples
from txpachube.server.storage import (
    accounts,
    columns,
    datapoints,
    disk,
    feeds,
    journal,
    listing,
    search,
)
from txpachube.server.storage.appended import Appended
from txpachube.server.storage.database import LOCK_PAUSE, LOCK_TRIES, connect, lock, upgrade
from txpachube.server.storage.devices import Devices
from txpachube.server.storage.failures import AlreadyRunning, Gone, StorageFailed
from txpachube.server.storage.filters import FeedFilter
from txpachube.server.storage.folding import FOLD_ROWS, Folder
from txpachube.server.storage.importing import abandon_at_start
from txpachube.server.storage.logins import Logins
from txpachube.server.storage.memory import (
    KEPT_WAYPOINTS,
    Memory,
    adds_points_only,
    state_of,
    without_idle_parts,
)
from txpachube.server.storage.observer import SILENCE, Observer, states_before, tell_change, tell_point
from txpachube.server.storage.products import Products
from txpachube.server.storage.quotas import NO_QUOTAS, Quotas
from txpachube.server.storage.readers import Readers
from txpachube.server.storage.records import (
    Feed,
    FeedChange,
    Key,
    Permission,
    Stream,
    StreamState,
    Waypoint,
)
from txpachube.server.storage.requests import Requests
from txpachube.server.storage.retention import Retention
from txpachube.server.storage.triggers import Triggers
from txpachube.server.storage.users import Users
from txpachube.server.storage.writer import LARGEST_GROUP, Append, Call, Transaction, Work, Writer

__all__ = ["IStoreReactor", "Store"]

T = TypeVar("T")
R = TypeVar("R")

LOADED_TOGETHER: Final = 100
"""Feeds that are loaded in one piece of work: a millisecond or two, for which the writes behind it wait."""


class IStoreReactor(IReactorThreads, IReactorTime):
    """What the store needs of a reactor: threads and time."""


class Store:
    """
    The service's memory and its disk.

    Args:
        path: the database file; it is created when it does not exist.
        reactor: provides the threads and the time.
        random: gives random bytes, for new keys.
        largest_group: pieces of work in one transaction; 1 commits each update alone.
        fold_rows: journal rows that are folded together.
        quotas: what an account may have whose row says nothing else.

    Attributes:
        observer: is told what was stored; see `Observer`.
        triggers: the triggers, and what they want to be sent.
        requests: the newest requests that concern each feed.
        retention: what is kept for some days only.
        users: what accounts are besides the owners of feeds and keys.
        products: series of devices.
        devices: those devices, and their activation.
    """

    _log = Logger()

    def __init__(
        self,
        path: Path,
        reactor: IStoreReactor,
        random: Callable[[int], bytes] = secrets.token_bytes,
        largest_group: int = LARGEST_GROUP,
        fold_rows: int = FOLD_ROWS,
        quotas: Quotas = NO_QUOTAS,
    ) -> None:
        self.path = path
        self.observer: Observer = SILENCE
        self._reactor = reactor
        self._random = random
        self._largest_group = largest_group
        self._fold_rows = fold_rows
        self._readers = Readers(path, reactor)
        self._logins = Logins(reactor, random)
        self._quotas = quotas
        self.triggers = Triggers(self._write_and_settle, self._readers.read)
        self.requests = Requests(self._write_and_settle, self._readers.read)
        self.users = Users(
            self._write_and_settle,
            self._readers,
            reactor,
            random,
            quotas,
            self._forget,
            self.triggers.owner_removed,
        )
        self.retention = Retention(self._write_and_settle)
        self.products = Products(self._write_and_settle, self._readers.read, random)
        self.devices = Devices(self._write_and_settle, self._readers.read, random)
        self._memory = Memory()
        self._outbox: list[Work] = []
        self._last_notice = 0
        self._lock: int | None = None

    # --- life -------------------------------------------------------------------------------------

    async def open(self) -> None:
        """
        Open the database, bring its schema up to date, and fold what a crash left in the journal.

        Raises:
            AlreadyRunning: another service has it open.
            DatabaseTooNew: it was written by a later version.
            StorageFailed: the disk or the database does not work.
        """
        self._readers.start()
        self._logins.start()
        try:
            connection, seq, recovered, self._last_notice = await self._readers.run(self._prepare)
        except BaseException:
            self._release()
            raise
        if recovered:
            self._log.info("took {rows} datapoints over from the journal", rows=recovered)
        self._memory = Memory(seq)
        self._connection = connection
        self._writer = Writer(
            connection,
            seq,
            partial(self._reactor.callFromThread, self._settle),
            partial(self._reactor.callFromThread, self._look_for_notices),
            self._largest_group,
            quotas=self._quotas,
        )
        self._writer.start()
        self._purge()
        self._folder = Folder(self._memory, self._write_apart, self._reactor, self._fold_rows)
        self._folder.start()

    def _prepare(self) -> tuple[sqlite3.Connection, int, int, int]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._take_lock()
        connection = connect(self.path)
        try:
            upgrade(connection, self.path)
            abandon_at_start(connection, self.path)
            connection.execute("BEGIN IMMEDIATE")
            transaction = Transaction(connection)
            recovered = journal.recover(transaction)
            search.refresh(transaction)
            notice: int = connection.execute("SELECT coalesce(max(id), 0) FROM notices").fetchone()[0]
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection, transaction.seq, recovered, notice

    def _take_lock(self) -> None:
        for _ in range(LOCK_TRIES):
            self._lock = lock(self.path)
            if self._lock is not None:
                return
            time.sleep(LOCK_PAUSE)  # in a thread of its own
        raise AlreadyRunning(f"another service is running on {self.path}")

    async def close(self) -> None:
        """Finish what is under way, fold the journal, and close the database."""
        with suppress(StorageFailed):
            await self.users.accesses.stop()
            await self._write(_nothing)  # what waits is to be folded as well
        # What can't be folded stays in the journal, and the next start does it.
        await self._folder.stop()
        self._hand_over()
        self._writer.stop()
        self._logins.stop()
        await self._readers.run(self._writer.join)
        # The last connection to close takes the write-ahead log away, and readers can't.
        self._readers.stop()
        self._connection.close()
        self._unlock()

    def _release(self) -> None:
        self._logins.stop()
        self._readers.stop()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def waiting(self) -> int:
        """Return about how many batches of work wait for the writer."""
        return self._writer.waiting()

    def figures(self) -> disk.Figures:
        """Return numbers about the store that cost nothing to read."""
        return disk.Figures(
            self._writer.counts,
            len(self._outbox),
            self._writer.waiting(),
            self._readers.waiting,
            self._memory.journal_rows,
            self._folder.folds,
            self._folder.seconds,
        )

    def look_at_disk(self) -> Deferred[disk.DiskState]:
        """Return how much is on the disk, and how much room is left."""
        return self._readers.run(disk.look, self.path)

    def try_to_write(self) -> Deferred[None]:
        """Write something that changes nothing."""
        return self._write(disk.try_to_write)

    # --- feeds ------------------------------------------------------------------------------------

    async def find_feed(self, feed_id: int) -> Feed | None:
        """Return a feed, or None when there is none with this id."""
        feed = self._memory.feed(feed_id)
        if feed is not None or not 0 < feed_id < 1 << 63:
            return feed
        return await self._write_and_settle(self._loaded, feeds.load_feed, feed_id)

    def feed_in_memory(self, feed_id: int) -> Feed | None:
        """Return a feed without asking the disk: None also when it is only there."""
        return self._memory.feed(feed_id)

    def _loaded(self, feed: Feed | None) -> Feed | None:
        return None if feed is None else self._memory.enter(feed)

    async def list_feeds(self, wanted: FeedFilter) -> tuple[int, list[Feed]]:
        """Return how many feeds pass a filter, and those on its page."""
        fresher = self._memory.last_data() if wanted.asks_for_data else {}
        total, ids = await self._readers.read(listing.find_feeds, wanted, fresher)
        return total, await self._find_feeds(ids)

    async def _find_feeds(self, feed_ids: list[int]) -> list[Feed]:
        """Return those of some feeds that there are, in the same order."""

        def settle(loaded: list[Feed]) -> None:
            found.update((feed.id, self._memory.enter(feed)) for feed in loaded)

        found = {feed_id: feed for feed_id in feed_ids if (feed := self._memory.feed(feed_id)) is not None}
        missing = [feed_id for feed_id in feed_ids if feed_id not in found]
        for begin in range(0, len(missing), LOADED_TOGETHER):
            some = missing[begin : begin + LOADED_TOGETHER]
            await self._write_and_settle(settle, feeds.load_feeds, some)
        return [found[feed_id] for feed_id in feed_ids if feed_id in found]

    async def create_feed(self, owner_id: int, change: FeedChange, feed_id: int | None = None) -> int:
        """
        Create a feed and return its id.

        Raises:
            Conflict: there is a feed with the id asked for.
        """

        def settle(created: tuple[Feed, feeds.Changed]) -> int:
            feed = self._memory.enter(created[0])
            self._take_over(feed, change, created[1])
            return feed.id

        return await self._write_and_settle(settle, feeds.create_feed, owner_id, change, feed_id)

    async def change_feed(self, feed: Feed, change: FeedChange) -> None:
        """
        Do to a feed what a request wants: all of it, or nothing and an error.

        Raises:
            Gone: the feed, or a datastream that must exist, was deleted meanwhile.
            Conflict: a datastream that must be new exists.
            StorageFailed: the disk or the database failed.
        """
        without_idle_parts(feed, change)
        if adds_points_only(feed, change):
            streams = [feed.streams[wanted.id] for wanted in change.streams]
            rows = [
                (stream.pk, at, value)
                for stream, wanted in zip(streams, change.streams, strict=True)
                for at, value in wanted.points
            ]
            if rows:
                await self._append(feed, streams, change, rows)
                return
            if not change.through_feed:
                return
        known = {
            stream.pk: state_of(stream)
            for stream in (feed.streams.get(wanted.id) for wanted in change.streams)
            if stream is not None
        }

        await self._write_and_settle(
            partial(self._take_over, feed, change),
            feeds.change_feed,
            feed.id,
            change,
            known,
            self._memory.applied_seq,
        )

    def _take_over(self, feed: Feed, change: FeedChange, done: feeds.Changed) -> None:
        watched = feed.id in self.observer.watched
        before = states_before(feed, change) if watched else {}
        self._memory.changed(feed, change, done)
        self._folder.fold_if_long()
        if watched:
            tell_change(self.observer, feed, change, before, done.dropped)
        if done.dropped:
            self._purge()

    def _append(
        self, feed: Feed, streams: list[Stream], change: FeedChange, rows: list[tuple[int, int, str]]
    ) -> Deferred[None]:
        fired = Appended()

        def done(work: Append) -> None:
            if work.failure is not None:
                fired.errback(work.failure)
                return
            watched = feed.id in self.observer.watched
            before = states_before(feed, change) if watched else {}
            self._memory.appended(feed, streams, change, work.first_seq)
            self._folder.fold_if_long()
            if watched:
                tell_change(self.observer, feed, change, before)
            fired.callback(None)

        self._submit(Append(rows, change.arrived, change.through_feed, done))
        return fired

    async def delete_feed(self, feed: Feed) -> None:
        """Delete a feed with everything that belongs to it."""

        def settle(limited_keys: list[int]) -> None:
            self._memory.drop(feed)
            self._memory.forget_keys(limited_keys)
            self.observer.gone(feed)

        await self._write_and_settle(settle, feeds.delete_feed, feed.id)
        self._purge()

    async def delete_stream(self, feed: Feed, stream: Stream) -> None:
        """Delete a datastream with its history."""

        def settle(_: None) -> None:
            there = feed.streams.get(stream.id) is stream
            self._memory.drop_stream(feed, stream)
            if there:
                self.observer.dropped(feed, [stream.id])
                self.observer.changed(feed, 0, [], described=True)

        await self._write_and_settle(settle, feeds.delete_stream, stream.pk)
        self._purge()

    def _purge(self) -> None:
        def done(call: Call) -> None:
            if call.failure is None and call.result:
                self._purge()

        self._submit(Call(feeds.purge_slice, (), done))

    async def waypoints(self, feed: Feed, start: int | None, end: int | None, limit: int) -> list[Waypoint]:
        """Return a feed's former locations as (at, lat, lon, ele), oldest first; see `feeds.waypoints`."""
        return await self._readers.read(feeds.waypoints, feed.id, start, end, limit)

    async def keep_waypoints(self, feed: Feed) -> None:
        """Have `Feed.waypoints` in memory from now on, for as long as the record is there."""
        if feed.waypoints is None:

            def settle(places: list[Waypoint]) -> None:
                feed.waypoints = places

            # Through the queue of the writes, so that none is missed and none counted twice.
            await self._write_and_settle(settle, feeds.waypoints, feed.id, None, None, KEPT_WAYPOINTS)

    # --- datapoints -------------------------------------------------------------------------------

    async def replace_point(self, feed: Feed, stream: Stream, at: int, value: str, arrived: int) -> bool:
        """Give the datapoint at a time another value; False when there is none at that time."""

        def settle(seq: int | None) -> bool:
            if seq is None:
                return False
            before = state_of(stream)
            self._memory.replaced(feed, stream, seq, at, value, arrived)
            self._folder.fold_if_long()
            tell_point(self.observer, feed, stream, before, arrived, current=at == stream.at)
            return True

        return await self._write_and_settle(settle, datapoints.replace_point, stream.pk, at, value, arrived)

    async def delete_points(self, feed: Feed, stream: Stream, start: int, end: int) -> int:
        """
        Delete the datapoints of a range, both ends inclusive.

        A long range goes in several transactions, so that others are not held up.

        Returns:
            How many there were.
        """
        before: StreamState | None = None  # with the current value that went

        def settle(slice_: tuple[int, int, StreamState]) -> tuple[int, int]:
            nonlocal before
            count, upto, state = slice_
            was = state_of(stream)
            self._memory.deleted(feed, stream, start, upto, state)
            if before is None and (stream.at, stream.value) != (was.at, was.value):
                before = was
            if before is not None and upto == end:
                tell_point(self.observer, feed, stream, before, 0, current=True)
            return count, upto

        total = 0
        while start <= end:
            count, upto = await self._write_and_settle(
                settle,
                datapoints.delete_points,
                stream.pk,
                start,
                end,
                state_of(stream),
                self._memory.applied_seq,
            )
            total += count
            start = upto + 1
        return total

    async def points(
        self, stream: Stream, start: int, end: int, limit: int, offset: int = 0
    ) -> list[tuple[int, str]]:
        """Return (at, value) of a range, both ends inclusive, ascending; ``offset`` are skipped first."""
        return await self._read_points(stream, datapoints.points, start, end, limit, offset)

    async def last_point(self, stream: Stream, at: int, after: int | None = None) -> tuple[int, str] | None:
        """Return the newest (at, value) not after ``at`` and later than ``after``, or None."""
        return await self._read_points(stream, datapoints.last_point, at, after)

    async def points_at(
        self, stream: Stream, lines: Sequence[int], first_after: int | None
    ) -> list[tuple[int, str] | None]:
        """Return for each moment the newest datapoint not after it; see `datapoints.points_at`."""
        return await self._read_points(stream, datapoints.points_at, lines, first_after)

    async def samples(self, stream: Stream, grid: Grid) -> Samples:
        """Return what a graph of a range is drawn from; see `columns.samples`."""
        return await self._read_points(stream, columns.samples, grid)

    async def _read_points(self, stream: Stream, function: Callable[..., T], *arguments: Any) -> T:
        while True:
            epoch = stream.epoch
            result = await self._readers.read(function, stream.pk, stream.pending[:], *arguments)
            if stream.epoch == epoch:
                return result

    # --- keys and accounts ------------------------------------------------------------------------

    async def find_key(self, text: str) -> Key | None:
        """Return the key with this text, or None; expired ones too."""
        hashed = accounts.key_hash(text)
        try:
            return self._memory.key(hashed)
        except KeyError:
            key = await self._write(accounts.find_key, text)
            self._memory.keep_key(hashed, key)
            return key

    async def keys_of(self, owner_id: int) -> list[Key]:
        """Return the keys of an account in the order in which they were made."""
        return await self._readers.read(accounts.keys_of, owner_id)

    async def create_key(
        self,
        owner_id: int,
        label: str,
        private_access: bool,
        permissions: tuple[Permission, ...],
        expires_at: int | None,
        text: str | None = None,
    ) -> Key:
        """
        Create a key; its text is random unless one is given.

        Raises:
            Conflict: there is a key with this text.
        """
        text = text or accounts.new_key_text(self._random)
        key = await self._write(
            accounts.add_key, owner_id, text, label, private_access, permissions, expires_at
        )
        self._memory.forget_keys([])
        return key

    async def change_key(
        self,
        key: Key,
        *,
        label: str,
        private_access: bool,
        permissions: tuple[Permission, ...],
        expires_at: int | None,
    ) -> Key:
        """
        Replace everything of a key but its text.

        Raises:
            Gone: it was deleted meanwhile.
        """
        changed = await self._write(
            accounts.change_key, key.pk, label, private_access, permissions, expires_at
        )
        return self._key_changed(key, changed)

    async def regenerate_key(self, key: Key) -> Key:
        """
        Give a key another text; the old one stops working.

        Raises:
            Gone: it was deleted meanwhile.
        """
        changed = await self._write(accounts.replace_key_text, key.pk, accounts.new_key_text(self._random))
        return self._key_changed(key, changed)

    def _key_changed(self, key: Key, changed: Key | None) -> Key:
        self._forget_key(key.pk)
        if changed is None:
            raise Gone
        return changed

    def _forget_key(self, pk: int) -> None:
        self._forget((), [pk])

    def _forget(self, feed_ids: Collection[int], key_pks: Collection[int]) -> None:
        for feed in filter(None, map(self._memory.feed, feed_ids)):
            self._memory.drop(feed)
            self.observer.gone(feed)
        self._memory.forget_keys(key_pks)
        if key_pks or feed_ids:
            self.observer.rights_changed()
        if feed_ids:
            self._purge()

    async def delete_key(self, key: Key) -> None:
        """Delete a key."""
        await self._write(accounts.delete_key, key.pk)
        self._forget_key(key.pk)

    async def check_password(self, login: str, password: str) -> Key | None:
        """
        Return the account's master key if the password is right and there is one, else None.

        Raises:
            TooManyLogins: so many are checked already that this one can't wait.
        """
        self._logins.be_open_to(login)
        account = await self._readers.read(accounts.find_user, login)
        right = await self._logins.check(login, account[2] if account else None, password)
        if account is None or not right:
            return None
        keys = await self._readers.read(accounts.master_keys, [account[0]])
        return keys.get(account[0])

    # --- the machinery ----------------------------------------------------------------------------

    def _write(self, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        """Run a function of a transaction in the writer's thread."""
        return self._write_and_settle(_as_it_is, function, *arguments)

    def _write_and_settle(
        self, settle: Callable[[T], R], function: Callable[..., T], *arguments: Any
    ) -> Deferred[R]:
        """
        Run a function of a transaction in the writer's thread, and take its result into memory.

        ``settle`` runs in the order of the commits; what comes after the returned Deferred has fired
        may not.
        """
        return self._call(settle, _indexed, (function, *arguments))

    def _write_apart(self, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        """Run a function of a transaction in the writer's thread, in a transaction of its own."""
        return self._call(_as_it_is, function, arguments, apart=True)

    def _call(
        self,
        settle: Callable[[T], R],
        function: Callable[..., T],
        arguments: tuple[Any, ...],
        apart: bool = False,
    ) -> Deferred[R]:
        fired: Deferred[R] = Deferred()

        def done(call: Call) -> None:
            if call.failure is not None:
                fired.errback(call.failure)
            else:
                fired.callback(settle(call.result))

        self._submit(Call(function, arguments, done, apart))
        return fired

    def _submit(self, work: Work) -> None:
        # What comes up in one turn of the reactor goes to the writer together: see there.
        if not self._outbox:
            self._reactor.callLater(0, self._hand_over)
        self._outbox.append(work)

    def _hand_over(self) -> None:
        batch, self._outbox = self._outbox, []
        if batch:
            self._writer.submit(batch)

    def _settle(self, group: list[Work]) -> None:
        for work in group:
            try:
                work.done(work)
            except Exception:  # one request's trouble must not keep the others waiting
                self._log.failure("a committed change was not taken over")
        self.observer.settled()

    def _look_for_notices(self) -> None:
        def done(call: Call) -> None:
            for notice, kind, subject, fresh in call.result or ():
                self._last_notice = max(self._last_notice, notice)
                if kind == "key":
                    self._forget_key(subject)
                elif kind == "user":
                    self.triggers.owner_removed(subject)
                elif kind == "trigger":
                    Deferred.fromCoroutine(self.triggers.noticed(subject)).addErrback(self._not_noticed)
                elif kind == "feed" and (feed := self._memory.feed(subject)) is not None:
                    if fresh is None or fresh.created != feed.created:  # gone, or gone and made anew
                        self._memory.drop(feed)
                        self.observer.gone(feed)
                    else:
                        self._refresh(feed, fresh)
            if call.result:
                self._purge()

        self._submit(Call(_read_notices, (self._last_notice,), done))

    def _not_noticed(self, failure: object) -> None:
        self._log.warn("a change of another process was not taken over: {failure}", failure=failure)

    def _refresh(self, feed: Feed, fresh: Feed) -> None:
        old = feed.streams
        self._memory.refresh(feed, fresh)
        self.observer.rights_changed()
        if dropped := [name for name, stream in old.items() if feed.streams.get(name) is not stream]:
            self.observer.dropped(feed, dropped)
        self.observer.changed(feed, 0, [], described=True)


def _as_it_is(result: T) -> T:
    return result


def _indexed(txn: Transaction, function: Callable[..., T], *arguments: Any) -> T:
    """Run a function of a transaction, and let searches find what it changed."""
    result = function(txn, *arguments)
    search.refresh(txn)
    return result


def _nothing(txn: Transaction) -> None:
    """Wait one's turn."""


def _read_notices(txn: Transaction, after: int) -> list[tuple[int, str, int, Feed | None]]:
    return [
        (notice, kind, subject, feeds.load_feed(txn, subject) if kind == "feed" else None)
        for notice, kind, subject in txn.execute(
            "SELECT id, kind, subject FROM notices WHERE id > ? ORDER BY id", (after,)
        ).fetchall()
    ]
