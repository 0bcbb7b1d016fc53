"""
What a webhook's receiver gets: a form with one field, which holds JSON.

There were two shapes of the JSON, and receivers of both were written; so both are in it: ``value.value``
and ``value.current_value``, ``location.lon`` and ``location.lng``. The field is called ``body`` and comes
first and alone, since many receivers cut off five bytes and take the rest. Blanks are ``%20`` and never
``+``, which their decoders leave alone.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from txpachube.api.routes import build
from txpachube.server.storage.records import Feed, Stream
from txpachube.server.storage.triggers import Trigger
from txpachube.times import format_micros

__all__ = ["form", "notification"]


def notification(trigger: Trigger, feed: Feed, stream: Stream, base: str, now: int) -> str:
    """
    Return the JSON text that tells of a trigger that has just fired.

    Args:
        trigger: which one.
        feed: the feed it watches, as it is now.
        stream: the datastream.
        base: what URLs start with.
        now: the time, in microseconds since 1970.
    """
    place = feed.location
    document: dict[str, Any] = {
        "environment": {
            "description": feed.fields.get("description", ""),
            "feed": base + build("feeds.read", feed_id=feed.id),
            "id": feed.id,
            "location": {
                "lat": place.get("lat"),
                "lon": place.get("lon"),
                "lng": place.get("lon"),
                "name": place.get("name", ""),
            },
            "title": feed.fields.get("title", ""),
        },
        "id": trigger.id,
        "threshold_value": trigger.threshold,
        "timestamp": format_micros(now),
        "triggering_datastream": {
            "at": "" if stream.at is None else format_micros(stream.at),
            "id": stream.id,
            "units": {part: stream.unit.get(part, "") for part in ("label", "symbol", "type")},
            "url": base + build("datastreams.read", feed_id=feed.id, datastream_id=stream.id),
            "value": {
                "current_value": stream.value,
                "max_value": stream.max_value,
                "min_value": stream.min_value,
                "value": stream.value,
            },
        },
        "type": trigger.kind,
        "url": base + build("triggers.read", trigger_id=trigger.id),
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def form(body: str) -> bytes:
    """Return the JSON text as the form that is sent."""
    return b"body=" + quote(body, safe="").encode("ascii")
