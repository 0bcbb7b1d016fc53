"""The list of feeds: which ones a key may see, filtered, ordered, in pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import attrs

from txpachube.api import params
from txpachube.api.messages import Response
from txpachube.api.parameters import DEFAULT_PER_PAGE
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
from txpachube.server.storage.filters import FeedFilter, Order
from txpachube.server.storage.records import Feed, Stream

__all__ = ["list_feeds"]

_ORDERS: Final[Mapping[str, Order]] = {"created_at": "created_at", "retrieved_at": "retrieved_at"}


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
    if reach.by_stream and wanted.looks_at_streams:
        total, feeds = await _sifted(call, wanted, page)
    else:
        total, feeds = await call.store.list_feeds(attrs.evolve(wanted, limit=page.size, offset=page.offset))
    # Meanwhile one of them may have become private.
    decided = [(feed, access.decide(call.key, "GET", feed, call.request)) for feed in feeds]
    documents = [_document(call, query, feed, permitted) for feed, permitted in decided if permitted.allowed]
    listed = feed_list_document(total, page.offset, page.size, documents)
    return call.answer(write(call.format, listed, depth=params.csv_depth(query)))


async def _sifted(call: Call, wanted: FeedFilter, page: params.Page) -> tuple[int, list[Feed]]:
    """Return how many feeds a key finds by what it may see of each, and those on the page."""
    assert wanted.ids is not None, "the key is limited to some feeds"
    by_relevance = wanted.order == "relevance"
    _, feeds = await call.store.list_feeds(
        attrs.evolve(wanted, order="created_at" if by_relevance else wanted.order, limit=len(wanted.ids))
    )
    described = [(feed, searching.description(feed, _visible(call, feed))) for feed in feeds]
    found = [(feed, known) for feed, known in described if searching.fits(wanted, known)]
    if by_relevance:
        found.sort(key=lambda pair: not searching.says_in_title(wanted, pair[1]))
    return len(found), [feed for feed, _ in found[page.offset : page.offset + page.size]]


def _visible(call: Call, feed: Feed) -> list[Stream]:
    permitted = access.decide(call.key, "GET", feed, call.request)
    return [stream for stream in feed.streams.values() if permitted.covers(stream.id)]


def _filter(call: Call, query: Mapping[str, str], reach: access.Reach) -> FeedFilter:
    status = query.get("status", "").strip().lower()
    # A feed is live while its data is younger than this.
    oldest_live = call.now - LIVE_FOR + 1
    ids = _ids(query)
    if reach.feed_ids is not None:
        ids = reach.feed_ids if ids is None else ids & reach.feed_ids
    phrases = searching.wanted_phrases(query)
    return FeedFilter(
        private_of=reach.private_of,
        ids=None if ids is None else sorted(ids),
        owner=query.get("user", "").strip() or None,
        live_since=oldest_live if status == "live" else None,
        frozen_since=oldest_live if status == "frozen" else None,
        phrases=phrases,
        tag=query.get("tag", "").strip() or None,
        unit=query.get("units", "").strip() or None,
        near=searching.near(query),
        mapped="mapped" in query and params.boolean(query["mapped"]),
        order=_order(query.get("order", "").strip().lower(), bool(phrases)),
    )


def _order(asked: str, for_words: bool) -> Order:
    return _ORDERS.get(asked) or ("relevance" if for_words else "created_at")


def _ids(query: Mapping[str, str]) -> frozenset[int] | None:
    """Return the feeds named by ``id`` or ``ids``, None when none are; what is no id names no feed."""
    named = params.identifiers(query.get("ids")) + params.identifiers(query.get("id"))
    if not named:
        return None
    numbers = (feed_number(text) for text in named)
    return frozenset(number for number in numbers if number is not None)


def _document(call: Call, query: Mapping[str, str], feed: Feed, permitted: access.Decision) -> Document:
    spelling = call.spelling
    streams = None
    if query.get("content", "").strip().lower() != "summary":
        named = params.wanted_streams(query)
        streams = [
            stream_document(stream, spelling)
            for stream in feed.streams.values()
            if permitted.covers(stream.id) and (named is None or stream.id in named)
        ]
    show_user = "show_user" in query and params.boolean(query["show_user"])
    return feed_document(feed, spelling, call.now, streams=streams, show_user=show_user)
