"""Pictures made off the reactor's thread, once for all who want the same."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred, gatherResults

from txpachube.server.graphs.columns import Grid
from txpachube.server.graphs.drawing import Graph
from txpachube.server.graphs.look import Look
from txpachube.server.graphs.painter import Painter, PaintingFailed
from txpachube.server.graphs.studio import READS, Studio, TooBusy

GRAPH = Graph(Look(width=20, height=10), Grid(0, 100, 20))


class Asked:
    """Hands out the graph and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    async def __call__(self) -> Graph:
        """Return the graph."""
        self.times += 1
        return GRAPH


class ThreadPainter(Painter):
    """Paints nothing, and tells in which thread."""

    def paint(self, svg: str, *, system_fonts: bool = False) -> bytes:
        """Return the thread's name."""
        return threading.current_thread().name.encode()


@pytest.fixture
def reactor() -> Any:
    """Return the running reactor."""
    from twisted.internet import reactor as installed

    return installed


@pytest.fixture
def studio(reactor: Any) -> Iterator[Studio]:
    """Return a studio."""
    opened = Studio(reactor)
    yield opened
    opened.close()


@ensureDeferred
async def test_both_formats(studio: Studio) -> None:
    """The same graph comes as SVG and as PNG."""
    asked = Asked()
    assert (await studio.picture("a", "svg", asked)).startswith(b"<svg ")
    assert (await studio.picture("b", "png", asked)).startswith(b"\x89PNG")
    assert studio.paints


@ensureDeferred
async def test_pictures_are_kept(studio: Studio) -> None:
    """A second one with the same tag is neither read nor drawn."""
    asked = Asked()
    first = await studio.picture("a", "svg", asked)
    assert await studio.picture("a", "svg", asked) is first
    assert await studio.picture("b", "svg", asked) is not first
    assert (asked.times, studio.made) == (2, 2)


@ensureDeferred
async def test_the_oldest_go_first(reactor: Any) -> None:
    """Not more bytes are kept than allowed; what was asked for last stays longest."""
    size = len(await Studio(reactor).picture("a", "svg", Asked()))
    studio = Studio(reactor, max_kept=2 * size)
    for tag in "abac":
        await studio.picture(tag, "svg", Asked())
    asked = Asked()
    for tag in "ac":
        await studio.picture(tag, "svg", asked)
    assert asked.times == 0
    await studio.picture("b", "svg", asked)
    assert asked.times == 1
    studio.close()
    tiny = Studio(reactor, max_kept=1)
    for _ in range(2):
        await tiny.picture("a", "svg", asked)
    assert asked.times == 3
    tiny.close()


@ensureDeferred
async def test_the_same_picture_is_made_once(studio: Studio) -> None:
    """Who asks while a picture is being made gets that one."""
    asked = Asked()
    wanted = [Deferred.fromCoroutine(studio.picture("a", "png", asked)) for _ in range(5)]
    pictures = await gatherResults(wanted)
    assert len({id(picture) for picture in pictures}) == 1
    assert (asked.times, studio.made) == (1, 1)


@ensureDeferred
async def test_a_failure_reaches_all_who_wait(studio: Studio) -> None:
    """When a graph can't be read, all hear of it, and the next one tries again."""

    async def broken() -> Graph:
        await gatherResults([])
        raise LookupError("the disk")

    release: Deferred[None] = Deferred()

    async def waiting() -> Graph:
        await release
        return await broken()

    wanted = [Deferred.fromCoroutine(studio.picture("a", "svg", waiting)) for _ in range(3)]
    release.callback(None)
    for one in wanted:
        with pytest.raises(LookupError):
            await one
    assert (await studio.picture("a", "svg", Asked())).startswith(b"<svg ")


@ensureDeferred
async def test_there_is_a_limit_to_waiting(reactor: Any) -> None:
    """More different pictures at a time than allowed are refused; the same ones are not more."""
    studio = Studio(reactor, max_waiting=1)
    release: Deferred[None] = Deferred()

    async def waiting() -> Graph:
        await release
        return GRAPH

    wanted = [Deferred.fromCoroutine(studio.picture("a", "svg", waiting)) for _ in range(3)]
    with pytest.raises(TooBusy):
        await studio.picture("b", "svg", Asked())
    release.callback(None)
    assert len(await gatherResults(wanted)) == 3
    await studio.picture("b", "svg", Asked())
    studio.close()


@ensureDeferred
async def test_graphs_leave_room_for_other_readers(studio: Studio) -> None:
    """However many pictures are wanted, only a few histories are read at the same time."""
    release: Deferred[None] = Deferred()
    reading = 0

    async def waiting() -> Graph:
        nonlocal reading
        reading += 1
        await release
        reading -= 1
        return GRAPH

    wanted = [Deferred.fromCoroutine(studio.picture(tag, "svg", waiting)) for tag in "abcdef"]
    assert reading == READS
    release.callback(None)
    assert len(await gatherResults(wanted)) == 6
    assert reading == 0


@ensureDeferred
async def test_nothing_is_painted_on_the_reactors_thread(reactor: Any) -> None:
    """The reactor goes on while a picture is painted."""
    studio = Studio(reactor, ThreadPainter, paints=True)
    assert (await studio.picture("a", "png", Asked())).startswith(b"PoolThread-txpachube-graphs")
    studio.close()


@ensureDeferred
async def test_a_closed_studio_draws_nothing(studio: Studio) -> None:
    """After the end there are no new pictures, and nobody waits for ever."""
    studio.close()
    with pytest.raises(PaintingFailed):
        await studio.picture("a", "svg", Asked())
