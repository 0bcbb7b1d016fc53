"""
Version 1 of the API, for devices that were made before 2011 and never learned another.

It is version 2 with other documents and three differences of meaning:

- PUT on a feed *replaces* the set of its datastreams: those that the body does not name are deleted. A body
  that says nothing of datastreams at all leaves them alone. Since with a datastream its history goes, the
  key must be allowed to delete it.
- The ``Location`` of what was created keeps the extension of the request.
- Words that no list knows are ignored.

Documents are EEML 5 unless something else is asked for, JSON 0.6-alpha, or CSV version 1: one line with the
values of datastreams that are numbered from 0. What is sent without a version is read as these.
There is no history here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from txpachube.api.messages import Response
from txpachube.api.negotiation import CONTENT_TYPES
from txpachube.api.problems import forbidden, unprocessable
from txpachube.api.routes import build
from txpachube.codecs import csv_v1, eeml, eeml_5, json_v06
from txpachube.server import access
from txpachube.server.operations import changes, datastreams, feeds, lists, metadata, reading, triggers
from txpachube.server.operations.call import Call, Operation
from txpachube.server.operations.documents import Document, feed_document, stream_document, stream_environment
from txpachube.server.storage.failures import Conflict
from txpachube.server.storage.records import FeedChange

__all__ = [
    "OPERATIONS",
    "create_feed",
    "create_streams",
    "create_trigger",
    "list_feeds",
    "read_feed",
    "read_stream",
    "update_feed",
    "update_stream",
]

Reader = Mapping[str, Callable[[bytes], Document]]

_READ_FEED: Final[Reader] = {
    "json": json_v06.decode_feed,
    "xml": partial(eeml.decode_feed, unmarked=eeml_5.VERSION),
    "csv": csv_v1.decode_feed,
}
_READ_STREAM: Final[Reader] = {
    "json": json_v06.decode_datastream,
    "xml": partial(eeml.decode_datastream, unmarked=eeml_5.VERSION),
    "csv": csv_v1.decode_datastream,
}
_READ_NEW_STREAMS: Final[Mapping[str, Callable[[bytes], list[Document]]]] = {
    "json": json_v06.decode_new_datastreams,
    "xml": partial(eeml.decode_new_datastreams, unmarked=eeml_5.VERSION),
}
_WRITE_FEED: Final = {
    "json": json_v06.encode_feed,
    "xml": eeml_5.encode_feed,
    "csv": csv_v1.encode_feed,
}
_WRITE_STREAM: Final = {
    "json": json_v06.encode_datastream,
    "xml": eeml_5.encode_datastream,
    "csv": csv_v1.encode_datastream,
}
_WRITE_LIST: Final = {"json": json_v06.encode_feed_list, "xml": eeml_5.encode_feed_list}


# Feeds


async def list_feeds(call: Call) -> Response:
    """Return a page of feeds; the parameters are those of version 2."""
    return await lists.list_feeds(call, _write_list)


def _write_list(format: str, document: Document, *, depth: int | None) -> bytes:  # noqa: A002 - the field's own word
    return _WRITE_LIST[format](document)


async def create_feed(call: Call) -> Response:
    """Make a feed with everything that the body says; only a title is needed."""
    change = changes.of_feed(_forgiven_feed(call.decode(_READ_FEED)), None, call.now, call.zone)
    feed_id = await call.store.create_feed(call.key.owner_id, change)
    name = "feeds.read.web" if call.route_name.endswith(".web") else "feeds.read.v1"
    return _created(call, build(name, feed_id=feed_id))


async def read_feed(call: Call) -> Response:
    """Return the feed with its present values."""
    feed = call.feed
    streams = [stream_document(stream, call.spelling) for stream in reading.chosen(call, feed)]
    document = feed_document(feed, call.spelling, call.now, streams=streams)
    response = call.answer(_WRITE_FEED[call.format](document))
    reading.date(call, response)
    return response


async def update_feed(call: Call) -> Response:
    """Change what the body says, and delete the datastreams that it should name and does not."""
    feed = call.feed
    document = _forgiven_feed(call.decode(_READ_FEED))
    change = changes.of_feed(document, feed, call.now, call.zone)
    if call.streams is not None and not changes.touches_only(change, call.streams):
        raise forbidden()
    if document.get("datastreams") is not None:
        _replace_set(call, change)
    await call.store.change_feed(feed, change)
    return call.done()


def _replace_set(call: Call, change: FeedChange) -> None:
    named = {stream.id for stream in change.streams}
    dropped = [name for name in call.feed.streams if name not in named]
    for name in dropped:
        access.decide(call.key, "DELETE", call.feed, call.request, name).require()
    # Asked for only where it does something, since a device that just sends its values goes the fast way.
    change.drop_other_streams = bool(dropped)


# Datastreams


async def create_streams(call: Call) -> Response:
    """Make new datastreams, all or none; the answer names the first one."""
    entries = [_forgiven_stream(entry) for entry in call.decode(_READ_NEW_STREAMS)]
    change = changes.new_streams(entries, call.feed, call.now, call.zone)
    if call.streams is not None and not changes.touches_only(change, call.streams):
        raise forbidden()
    try:
        await call.store.change_feed(call.feed, change)
    except Conflict:  # somebody else made it in the meantime
        raise unprocessable(changes.STREAM_TAKEN) from None
    first = change.streams[0].id
    return _created(call, build("datastreams.read.v1", feed_id=call.feed.id, datastream_id=first))


async def read_stream(call: Call) -> Response:
    """Return the datastream with its present value."""
    document = stream_document(call.stream(), call.spelling)
    body = _WRITE_STREAM[call.format](document, stream_environment(call.feed, call.spelling))
    response = call.answer(body)
    reading.date(call, response)
    return response


async def update_stream(call: Call) -> Response:
    """Change what the body says; a datastream that doesn't exist is not created."""
    stream = call.stream()
    document = _forgiven_feed(_forgiven_stream(call.decode(_READ_STREAM)))
    change = changes.of_stream(document, stream, call.now, call.zone)
    await call.store.change_feed(call.feed, change)
    return call.done()


# Triggers


async def create_trigger(call: Call) -> Response:
    """Make a trigger; documents, and a location that ends in a number, are those of version 2."""
    made = await triggers.create(call)
    assert made.location is not None
    path = build("triggers.read.v1", trigger_id=made.location.rpartition("/")[2])
    return _created(call, path, extended=False)


# All of them


def _created(call: Call, path: str, *, extended: bool = True) -> Response:
    """Return the answer of a creation, which names what was made as the request was named."""
    if call.request.path.lstrip("/").startswith("api"):  # where the old web host had this version
        path = "/api" + path.removeprefix("/v1")
    if extended and call.match.extension is not None:
        path = f"{path}.{call.match.extension}"
    return Response(201, b"", CONTENT_TYPES[call.format], call.base + path)


def _forgiven_feed(document: Document) -> Document:
    """Return a document without the words in it that its lists don't know."""
    location = document.get("location")
    if isinstance(location, dict):
        words = metadata.LOCATION_WORDS
        known = {part: word for part, word in location.items() if _is_known(word, words.get(part))}
        document = {**document, "location": known}
    if document.get("datastreams"):
        document = {**document, "datastreams": [_forgiven_stream(s) for s in document["datastreams"]]}
    return document


def _forgiven_stream(document: Document) -> Document:
    unit = document.get("unit")
    if not isinstance(unit, dict) or _is_known(unit.get("type"), metadata.UNIT_TYPES):
        return document
    return {**document, "unit": {part: text for part, text in unit.items() if part != "type"}}


def _is_known(word: Any, words: tuple[str, ...] | None) -> bool:
    return words is None or word in words or word in (None, "")


OPERATIONS: Final[dict[str, Operation]] = {
    "feeds.list.v1": list_feeds,
    "feeds.create.v1": create_feed,
    "feeds.read.v1": read_feed,
    "feeds.update.v1": update_feed,
    "feeds.delete.v1": feeds.delete,
    "feeds.list.web": list_feeds,
    "feeds.create.web": create_feed,
    "feeds.read.web": read_feed,
    "feeds.update.web": update_feed,
    "feeds.delete.web": feeds.delete,
    "datastreams.list.v1": read_feed,
    "datastreams.create.v1": create_streams,
    "datastreams.read.v1": read_stream,
    "datastreams.update.v1": update_stream,
    "datastreams.delete.v1": datastreams.delete,
    "triggers.list.v1": triggers.list_all,
    "triggers.create.v1": create_trigger,
    "triggers.read.v1": triggers.read,
    "triggers.update.v1": triggers.update,
    "triggers.delete.v1": triggers.delete,
}
