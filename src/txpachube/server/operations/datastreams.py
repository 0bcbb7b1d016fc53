"""Datastreams: create, read, update, delete. Only here can one be deleted."""

from __future__ import annotations

from typing import Final

from txpachube.api.messages import Response
from txpachube.api.problems import forbidden, unprocessable
from txpachube.api.routes import IMAGES
from txpachube.server.operations import changes, formats, graphs, reading
from txpachube.server.operations.call import Call, Operation
from txpachube.server.storage.failures import Conflict

__all__ = ["OPERATIONS", "create", "delete", "list_all", "read", "update"]


async def list_all(call: Call) -> Response:
    """Return the feed: its document is where clients look for all of its datastreams."""
    return await reading.read_feed(call)


async def create(call: Call) -> Response:
    """Make new datastreams, all or none; the answer names the first one."""
    entries = call.decode(formats.READ_NEW_STREAMS)
    change = changes.new_streams(entries, call.feed, call.now, call.zone)
    if call.streams is not None and not changes.touches_only(change, call.streams):
        raise forbidden()
    try:
        await call.store.change_feed(call.feed, change)
    except Conflict:  # somebody else made it in the meantime
        raise unprocessable(changes.STREAM_TAKEN) from None
    return call.created("datastreams.read", feed_id=call.feed.id, datastream_id=change.streams[0].id)


async def read(call: Call) -> Response:
    """Return the datastream with its present value, that of a moment, or its history; or a graph of that."""
    if call.format in IMAGES:
        return await graphs.read(call)
    return await reading.read_stream(call)


async def update(call: Call) -> Response:
    """Change what the body says and nothing else; a datastream that doesn't exist is not created."""
    stream = call.stream()
    change = changes.of_stream(call.decode(formats.READ_STREAM), stream, call.now, call.zone)
    await call.store.change_feed(call.feed, change)
    return call.done()


async def delete(call: Call) -> Response:
    """Remove the datastream and its datapoints."""
    await call.store.delete_stream(call.feed, call.stream())
    return call.done()


OPERATIONS: Final[dict[str, Operation]] = {
    "datastreams.list": list_all,
    "datastreams.create": create,
    "datastreams.read": read,
    "datastreams.update": update,
    "datastreams.delete": delete,
}
