"""
The present state of feeds and datastreams, encoded: what a plain GET answers, and what a push carries.

The document of a feed is kept with the feed until the next change, one for when it is live and one for
when it is frozen. So it is encoded once however many ask for it and however many it is pushed to.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import attrs

from txpachube.codecs import json_v1
from txpachube.server.answers import entity_tag
from txpachube.server.operations import formats
from txpachube.server.operations.documents import (
    Document,
    Spelling,
    feed_document,
    is_live,
    stream_document,
    stream_environment,
    waypoint_documents,
)
from txpachube.server.storage.records import Feed, Stream

__all__ = ["EncodedFeed", "encode_plain_feed", "feed_body", "keep", "kept", "pushed_stream", "stream_body"]

MAX_KEPT: Final = 8
"""Encoded documents kept with a feed: each format under a few names of the service. More names than
that are somebody inventing them."""

_NO_ENVIRONMENT: Final[Document] = {}
_UTC: Final = Spelling("")


@attrs.frozen
class EncodedFeed:
    """
    An encoded feed.

    Attributes:
        body: its bytes.
        etag: its entity tag.
    """

    body: bytes
    etag: str


def kept(feed: Feed, format: str, base: str, now: int) -> EncodedFeed | None:  # noqa: A002 - the field's own word
    """Return the encoded document of a feed with all its datastreams, if there is one that is still true."""
    found = feed.documents.get((format, base, is_live(feed, now)))
    return found if isinstance(found, EncodedFeed) else None


def keep(feed: Feed, format: str, base: str, now: int, encoded: EncodedFeed) -> None:  # noqa: A002 - likewise
    """Keep an encoded document with its feed until the feed changes."""
    documents = feed.documents
    others = [place for place, document in documents.items() if isinstance(document, EncodedFeed)]
    if len(others) >= MAX_KEPT:
        for other in others:
            del documents[other]
    documents[(format, base, is_live(feed, now))] = encoded


def encode_plain_feed(
    feed: Feed,
    format: str,  # noqa: A002 - the field's own word
    base: str,
    now: int,
    places: Sequence[Document],
) -> EncodedFeed:
    """Encode a feed with all its datastreams and, when it is mobile, its former places."""
    body = _feed(feed, feed.streams.values(), format, base, now, places)
    return EncodedFeed(body, entity_tag(body))


def feed_body(
    feed: Feed,
    format: str,  # noqa: A002 - the field's own word
    base: str,
    now: int,
    only: Collection[str] | None = None,
) -> bytes:
    """
    Return a feed's document as it is to be pushed, without asking the disk.

    Args:
        feed: the record; its former places are in the document if `Store.keep_waypoints` was called.
        format: ``json``, ``xml`` or ``csv``.
        base: what URLs start with.
        now: decides between live and frozen.
        only: the datastreams that the subscriber may see, or None for all.
    """
    if only is None:
        encoded = kept(feed, format, base, now)
        if encoded is None:
            encoded = encode_plain_feed(feed, format, base, now, _places(feed))
            keep(feed, format, base, now, encoded)
        return encoded.body
    streams = [stream for stream in feed.streams.values() if stream.id in only]
    return _feed(feed, streams, format, base, now, _places(feed))


def stream_body(
    feed: Feed,
    stream: Stream,
    format: str,  # noqa: A002 - the field's own word
    base: str,
) -> bytes:
    """Return a datastream's document as a plain GET answers it."""
    spelling = _spelling(format, base)
    return formats.write_stream(format, stream_document(stream, spelling), stream_environment(feed, spelling))


def pushed_stream(stream: Stream) -> bytes:
    """Return a datastream's document as socket pushes carry it: JSON, without the version."""
    return json_v1.encode_datastream(stream_document(stream, _UTC), _NO_ENVIRONMENT, versioned=False)


def _feed(
    feed: Feed,
    streams: Collection[Stream],
    format: str,  # noqa: A002 - the field's own word
    base: str,
    now: int,
    places: Sequence[Document],
) -> bytes:
    spelling = _spelling(format, base)
    documents = [stream_document(stream, spelling) for stream in streams]
    return formats.write_feed(format, feed_document(feed, spelling, now, streams=documents, waypoints=places))


def _spelling(format: str, base: str) -> Spelling:  # noqa: A002 - likewise
    return Spelling(base, "xml" if format == "xml" else "json")


def _places(feed: Feed) -> list[Document]:
    if not feed.waypoints or feed.location.get("disposition") != "mobile":
        return []
    return waypoint_documents(feed.waypoints, None)
