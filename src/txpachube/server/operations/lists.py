"""
The list of feeds: which ones a key may see, filtered, ordered, in pages.

What the database can filter by, it does. The other conditions of a search are asked of the
feeds in memory, one after the other; so that this takes a bounded time, such a search is refused
when there are more than `MAX_SEARCHED` feeds to look at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import attrs

from txpachube.api import params
from txpachube.api.messages import Response
from txpachube.api.parameters import DEFAULT_PER_PAGE
from txpachube.api.problems import bad_request
from txpachube.server import access
from txpachube.server.operations import formats, searching
from txpachube.server.operations.call import Call
from txpachube.server.operations.documents import (
    LIVE_FOR,
    Document,
    feed_document,
    feed_list_document,
    stream_document,
)
from txpachube.server.operations.keydocuments import feed_number
from txpachube.server.storage.listing import FeedFilter
from txpachube.server.storage.records import Feed, Stream

__all__ = ["list_feeds"]

MAX_SEARCHED: Final = 5000
"""Feeds one search looks at in memory: some milliseconds of work."""


class Writer(Protocol):
    """Writes a list of feeds."""

    def __call__(self, format: str, document: Document, *, depth: int | None) -> bytes:  # noqa: A002 - the field's own word
        """Return the document in a format, CSV with so many columns."""


async def list_feeds(call: Call, write: Writer = formats.write_feed_list) -> Response:
    """
    Return a page of the feeds that the key may see and that fit the parameters.

    Args:
        call: the request.
        write: how the list is written.
    """
    query = call.query
    page = params.page(query, DEFAULT_PER_PAGE)
    reach = access.reach(call.key, call.request)
    assert reach is not None, "a key that may not read any feed does not get here"
    wanted = _filter(call, query, reach)
    asked = searching.conditions(query)
    if asked:
        total, candidates = await call.store.list_feeds(attrs.evolve(wanted, limit=MAX_SEARCHED))
        if total > MAX_SEARCHED:
            raise bad_request(f"This search looks at {MAX_SEARCHED} feeds at the most, and there are more")
        found = [feed for feed in candidates if all(fits(feed, _visible(call, feed)) for fits in asked)]
        total, feeds = len(found), found[page.offset : page.offset + page.size]
    else:
        total, feeds = await call.store.list_feeds(attrs.evolve(wanted, limit=page.size, offset=page.offset))
    documents = [_document(call, query, feed) for feed in feeds]
    listed = feed_list_document(total, page.offset, page.size, documents)
    return call.answer(write(call.format, listed, depth=params.csv_depth(query)))


def _filter(call: Call, query: Mapping[str, str], reach: access.Reach) -> FeedFilter:
    status = query.get("status", "").strip().lower()
    # A feed is live while its data is younger than this.
    oldest_live = call.now - LIVE_FOR + 1
    newest_data = query.get("order", "").strip().lower() == "retrieved_at"
    ids = _ids(query)
    if reach.feed_ids is not None:
        ids = reach.feed_ids if ids is None else ids & reach.feed_ids
    return FeedFilter(
        private_of=reach.private_of,
        ids=None if ids is None else sorted(ids),
        owner=query.get("user", "").strip() or None,
        live_since=oldest_live if status == "live" else None,
        frozen_since=oldest_live if status == "frozen" else None,
        order="retrieved_at" if newest_data else "created_at",
    )


def _ids(query: Mapping[str, str]) -> frozenset[int] | None:
    """Return the feeds named by ``id`` or ``ids``, None when none are; what is no id names no feed."""
    named = params.identifiers(query.get("ids")) + params.identifiers(query.get("id"))
    if not named:
        return None
    numbers = (feed_number(text) for text in named)
    return frozenset(number for number in numbers if number is not None)


def _document(call: Call, query: Mapping[str, str], feed: Feed) -> Document:
    spelling = call.spelling
    streams = None
    if query.get("content", "").strip().lower() != "summary":
        named = params.wanted_streams(query)
        streams = [
            stream_document(stream, spelling)
            for stream in _visible(call, feed)
            if named is None or stream.id in named
        ]
    show_user = "show_user" in query and params.boolean(query["show_user"])
    return feed_document(feed, spelling, call.now, streams=streams, show_user=show_user)


def _visible(call: Call, feed: Feed) -> list[Stream]:
    permitted = access.decide(call.key, "GET", feed, call.request)
    return [stream for stream in feed.streams.values() if permitted.covers(stream.id)]
