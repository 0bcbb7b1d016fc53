"""
Looking for what is wrong: the newest requests to a feed, and what became of webhooks.

Both are for the owner alone, with a key that has private access and is not limited to parts of the feed,
since requests of other devices are among them.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from txpachube.api.messages import Response
from txpachube.api.parameters import MAX_AFTER_DIGITS
from txpachube.api.problems import bad_request, forbidden, no_route
from txpachube.server import access
from txpachube.server.operations.call import Call, Operation
from txpachube.server.operations.triggers import trigger_in_path
from txpachube.server.storage.requests import ASTRAY, READ, REFUSED, STRANGER, WRITTEN, LoggedRequest
from txpachube.server.storage.triggers import Trigger
from txpachube.times import format_micros

__all__ = ["OPERATIONS", "feed", "trigger"]

_KINDS: Final = {
    WRITTEN: "written",
    READ: "read",
    REFUSED: "refused",
    STRANGER: "from elsewhere",
    ASTRAY: "to no feed",
}


async def feed(call: Call) -> Response:
    """Return the newest requests that concern a feed, and what became of its webhooks."""
    key, record = call.key, call.feed
    if key.owner_id != record.owner_id or not key.private_access or call.streams is not None:
        raise forbidden("Only a key of the feed's owner with private access may see what was sent to it")
    log = None if call.instruments is None else call.instruments.request_log
    if log is None:
        raise no_route(call.request.method, call.request.path)
    requests = await log.of(record, astray=key.is_master, after=_after(call))
    triggers = [
        trigger for trigger in await call.store.triggers.of(key.owner_id) if trigger.feed_id == record.id
    ]
    document = {
        "feed": record.id,
        "requests": [_request(entry, call) for entry in requests],
        "webhooks": [await _webhook(trigger, call) for trigger in triggers if _covered(trigger, call)],
    }
    return call.answer(msgspec.json.encode(document))


async def trigger(call: Call) -> Response:
    """Return what became of the notifications of a trigger."""
    found = await trigger_in_path(call)
    if not call.key.private_access:
        raise forbidden()
    return call.answer(msgspec.json.encode(await _webhook(found, call)))


def _after(call: Call) -> int:
    text = call.query.get("after", "").strip() or "0"
    if not (text.isascii() and text.isdigit()) or len(text) > MAX_AFTER_DIGITS:
        raise bad_request("after is not a number")
    return int(text)


def _request(entry: LoggedRequest, call: Call) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": format_micros(entry.at, call.zone),
        "kind": _KINDS[entry.ring],
        "status": entry.status or None,
        "reason": entry.reason,
        "times": entry.times,
        **entry.facts,
    }


def _covered(found: Trigger, call: Call) -> bool:
    return access.covers_trigger(call.key, "GET", call.request, found.id, found.feed_id)


async def _webhook(found: Trigger, call: Call) -> dict[str, Any]:
    waiting, due = await call.store.triggers.waiting_for(found)
    return {
        "trigger": found.id,
        "feed": found.feed_id,
        "datastream": found.stream_id,
        "type": found.kind,
        "threshold_value": found.threshold,
        "url": found.url,
        "fired_at": _moment(found.fired_at, call),
        "notified_at": _moment(found.notified_at, call),
        "waiting": waiting,
        "next_attempt_at": _moment(due, call),
        "attempts": [
            {"at": _moment(attempt.at, call), "status": attempt.status, "fault": attempt.fault}
            for attempt in await call.store.triggers.attempts(found)
        ],
    }


def _moment(at: int | None, call: Call) -> str | None:
    return None if at is None else format_micros(at, call.zone)


OPERATIONS: Final[dict[str, Operation]] = {"feeds.debug": feed, "triggers.debug": trigger}
