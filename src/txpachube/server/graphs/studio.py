"""
Where graphs are made: off the reactor's thread, a few at a time, and kept for the next one who asks.

A picture's tag says what it was made of. As long as nothing of that changes, the picture made
for one is good for all, also for those who ask while it is being made.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from txpachube.server.graphs import letters
from txpachube.server.graphs.drawing import Graph, draw
from txpachube.server.graphs.painter import Painter, PaintingFailed, can_paint

__all__ = ["READS", "Studio", "TooBusy"]

PAINTERS: Final = 2
"""Pictures painted at the same time: each takes a processor and up to 40 MB of memory."""

READS: Final = 2
"""Histories read at the same time: half of the storage's threads, so that others get to read, too. A year of
a busy datastream takes about a second."""

MAX_WAITING: Final = 64
"""Pictures being made or waiting for it; with more, the last one would wait longer than its browser."""

MAX_KEPT: Final = 16 << 20
"""Bytes of pictures that are kept: about a thousand of the ordinary size."""


class TooBusy(Exception):
    """So many pictures are being made that one more would have to wait too long."""


class _Thread(threading.Thread):
    """A thread that may be broken off at any moment: a studio that nobody closed keeps no process alive."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named, daemon=True)


class Studio:
    """
    Makes pictures of graphs.

    Args:
        reactor: whose thread asks, and is answered.
        painter: makes a painter, for each thread one.
        paints: whether there can be pictures as PNG.
        max_kept: see `MAX_KEPT`.
        max_waiting: see `MAX_WAITING`.

    Attributes:
        paints: see the argument.
        made: how many pictures were made.
    """

    def __init__(
        self,
        reactor: IReactorFromThreads,
        painter: Callable[[], Painter] = Painter,
        paints: bool | None = None,
        max_kept: int = MAX_KEPT,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self.paints = can_paint() if paints is None else paints
        self.made = 0
        self._reactor = reactor
        self._new_painter = painter
        self._max_kept = max_kept
        self._max_waiting = max_waiting
        self._pool = ThreadPool(0, PAINTERS, name="txpachube-graphs")
        self._pool.threadFactory = _Thread
        self._started = self._closed = False
        self._local = threading.local()
        self._painters: list[Painter] = []
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._reading = DeferredSemaphore(READS)
        self._under_way: dict[str, list[Deferred[bytes]]] = {}

    async def picture(self, tag: str, format: str, graph: Callable[[], Coroutine[Any, Any, Graph]]) -> bytes:  # noqa: A002 - the field's own word
        """
        Return a picture.

        Args:
            tag: what tells it from all others.
            format: ``svg`` or ``png``.
            graph: gets what is to be drawn; only called when there is no such picture yet.

        Raises:
            TooBusy: one more picture would have to wait too long.
            PaintingFailed: it could not be painted.
        """
        kept = self._kept.get(tag)
        if kept is not None:
            self._kept.move_to_end(tag)
            return kept
        waiting = self._under_way.get(tag)
        if waiting is not None:
            mine: Deferred[bytes] = Deferred()
            waiting.append(mine)
            return await mine
        if len(self._under_way) >= self._max_waiting:
            raise TooBusy
        others = self._under_way[tag] = []
        try:
            read = await self._reading.run(lambda: Deferred.fromCoroutine(graph()))
            made = await self._make(read, format)
        except BaseException:
            self._tell(self._under_way.pop(tag), Failure())
            raise
        self._keep(tag, made)
        del self._under_way[tag]
        self._tell(others, made)
        return made

    def close(self) -> None:
        """Stop; what is being painted fails."""
        self._closed = True
        for painter in self._painters:
            painter.close()
        if self._started:
            self._pool.stop()

    async def _make(self, graph: Graph, format: str) -> bytes:  # noqa: A002 - the field's own word
        if self._closed:
            raise PaintingFailed("the studio is closed")
        if not self._started:
            self._started = True
            self._pool.start()
        self.made += 1
        make = self._draw if format == "svg" else self._paint
        return await deferToThreadPool(self._reactor, self._pool, make, graph)

    @staticmethod
    def _tell(waiting: list[Deferred[bytes]], result: bytes | Failure) -> None:
        for one in waiting:
            one.callback(result)  # a Failure starts the errbacks

    def _keep(self, tag: str, made: bytes) -> None:
        if len(made) > self._max_kept:
            return
        self._kept[tag] = made
        self._size += len(made)
        while self._size > self._max_kept:
            self._size -= len(self._kept.popitem(last=False)[1])

    # --- in the threads ---------------------------------------------------------------------------

    @staticmethod
    def _draw(graph: Graph) -> bytes:
        return draw(graph).encode()

    def _paint(self, graph: Graph) -> bytes:
        painter: Painter | None = getattr(self._local, "painter", None)
        if painter is None:
            painter = self._local.painter = self._new_painter()
            self._painters.append(painter)
            if self._closed:  # in the meantime
                painter.close()
        return painter.paint(
            draw(graph), system_fonts=not letters.covers(graph.look.title + graph.look.legend + graph.unit)
        )
