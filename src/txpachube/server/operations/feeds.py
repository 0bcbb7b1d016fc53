"""Feeds: list, create, read, update, delete."""

from __future__ import annotations

from typing import Final

from txpachube.api.messages import Response
from txpachube.api.problems import forbidden
from txpachube.server.operations import changes, formats, lists, reading
from txpachube.server.operations.call import Call, Operation

__all__ = ["OPERATIONS", "create", "delete", "read", "update"]


async def create(call: Call) -> Response:
    """Make a feed with everything that the body says; only a title is needed."""
    change = changes.of_feed(call.decode(formats.READ_FEED), None, call.now, call.zone)
    feed_id = await call.store.create_feed(call.key.owner_id, change)
    return call.created("feeds.read", feed_id=feed_id)


async def read(call: Call) -> Response:
    """Return the feed with its present values, those of a moment, or its history."""
    return await reading.read_feed(call)


async def update(call: Call) -> Response:
    """Change what the body says and nothing else; datastreams that are missing are created."""
    feed = call.feed
    change = changes.of_feed(call.decode(formats.READ_FEED), feed, call.now, call.zone)
    if call.streams is not None and not changes.touches_only(change, call.streams):
        raise forbidden()
    await call.store.change_feed(feed, change)
    return call.done()


async def delete(call: Call) -> Response:
    """Remove the feed with everything that belongs to it."""
    await call.store.delete_feed(call.feed)
    return call.done()


OPERATIONS: Final[dict[str, Operation]] = {
    "feeds.list": lists.list_feeds,
    "feeds.create": create,
    "feeds.read": read,
    "feeds.update": update,
    "feeds.delete": delete,
}
