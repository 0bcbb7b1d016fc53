"""
Reading a feed or a datastream: as it is now, as it was at a moment, or with its history.

Without parameters that shape the answer, the encoded document of a feed is kept with the feed until
it changes, one for when it is live and one for when it is frozen, so that a page that polls costs
next to nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from txpachube.api import parameters, params
from txpachube.api.messages import Response
from txpachube.api.negotiation import CONTENT_TYPES
from txpachube.api.problems import not_found
from txpachube.server import history
from txpachube.server.history import HistoryQuery
from txpachube.server.operations import bodies, formats, histories
from txpachube.server.operations.call import Call
from txpachube.server.operations.documents import (
    Document,
    feed_document,
    stream_document,
    stream_environment,
    waypoint_documents,
)
from txpachube.server.storage.memory import KEPT_WAYPOINTS
from txpachube.server.storage.records import Feed, Stream

__all__ = ["chosen", "date", "read_feed", "read_stream", "stream_documents"]

SHAPING: Final = parameters.names("feeds.read")
"""The parameters that decide what a document holds."""


async def read_feed(call: Call) -> Response:
    """Answer a GET of a feed, or of its collection of datastreams, which reads the same."""
    query = call.query
    if call.streams is None and SHAPING.isdisjoint(query):
        return await _plain_feed(call)
    zone = call.zone
    wanted = history.resolve(query, call.now, zone, call.minimum_interval)
    moment = history.snapshot_time(query, zone) if wanted is None else None
    streams = await stream_documents(call, call.feed, chosen(call, call.feed), wanted, moment)
    document = feed_document(
        call.feed,
        call.spelling,
        call.now,
        streams=None if query.get("content") == "summary" else streams,
        waypoints=await _waypoints(call, wanted),
        show_user=params.boolean(query.get("show_user")) if "show_user" in query else False,
    )
    depth = params.csv_depth(query)
    response = call.answer(formats.write_feed(call.format, document, history=wanted is not None, depth=depth))
    if wanted is None and moment is None:
        date(call, response)
    return response


async def _plain_feed(call: Call) -> Response:
    feed = call.feed
    encoded = bodies.kept(feed, call.format, call.base, call.now)
    if encoded is None:
        mark = call.versions.mark(feed, call.now)
        waypoints = await _waypoints(call, None)
        encoded = bodies.encode_plain_feed(feed, call.format, call.base, call.now, waypoints)
        if call.versions.mark(feed, call.now) is mark:  # nothing was written while waypoints were read
            bodies.keep(feed, call.format, call.base, call.now, encoded)
    response = Response(200, encoded.body, CONTENT_TYPES[call.format], etag=encoded.etag)
    date(call, response)
    return response


async def read_stream(call: Call, *, always_history: bool = False) -> Response:
    """
    Answer a GET of a datastream.

    Args:
        call: the request.
        always_history: read the last hours when no range is asked for.
    """
    feed, stream, query = call.feed, call.stream(), call.query
    zone = call.zone
    wanted = moment = None
    if query or always_history:
        wanted = history.resolve(query, call.now, zone, call.minimum_interval, always=always_history)
        moment = history.snapshot_time(query, zone) if wanted is None else None
    documents = await stream_documents(call, feed, [stream], wanted, moment)
    if not documents:
        raise not_found()
    environment = stream_environment(feed, call.spelling)
    depth = params.csv_depth(query)
    body = formats.write_stream(
        call.format, documents[0], environment, history=wanted is not None, depth=depth
    )
    response = call.answer(body)
    if wanted is None and moment is None:
        date(call, response)
    return response


async def stream_documents(
    call: Call, feed: Feed, streams: Sequence[Stream], wanted: HistoryQuery | None, moment: int | None
) -> list[Document]:
    """
    Return the documents of datastreams.

    Args:
        call: the request.
        feed: whose datastreams they are.
        streams: which ones.
        wanted: the history to go with them.
        moment: show the values of this moment instead of the present ones, and leave out datastreams
            that had none then.
    """
    spelling = call.spelling
    if wanted is not None:
        return [
            stream_document(
                stream,
                spelling,
                points=await histories.read(call.store, stream, wanted),
                function=wanted.function,
            )
            for stream in streams
        ]
    if moment is None:
        return [stream_document(stream, spelling) for stream in streams]
    documents = []
    for stream in streams:
        point = await call.store.last_point(stream, moment)
        if point is not None:
            documents.append(stream_document(stream, spelling, current=point))
    return documents


def chosen(call: Call, feed: Feed) -> list[Stream]:
    """Return the datastreams that are asked for and that the key may see, in the feed's order."""
    named = params.wanted_streams(call.query)
    limits: list[Collection[str]] = [ids for ids in (named and set(named), call.streams) if ids is not None]
    return [stream for stream in feed.streams.values() if all(stream.id in ids for ids in limits)]


async def _waypoints(call: Call, wanted: HistoryQuery | None) -> list[Document]:
    if call.feed.location.get("disposition") != "mobile":
        return []
    if wanted is None:
        places = await call.store.waypoints(call.feed, None, None, KEPT_WAYPOINTS)
    else:
        places = await call.store.waypoints(call.feed, wanted.start, wanted.end, wanted.limit)
    return waypoint_documents(places, call.zone)


def date(call: Call, response: Response) -> None:
    """Give an answer that shows the present state of a feed the time of its last change."""
    version = call.versions.of(call.feed, call.now)
    response.last_modified = version.modified
    call.by_date = version.told_apart
