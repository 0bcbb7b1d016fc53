"""
Triggers: list, create, read, update, delete.

A trigger belongs to the account that made it, and may watch a public feed of anybody. Somebody else's
trigger doesn't exist as far as an answer tells. Which of its account's triggers a key may touch,
`access.covers_trigger` says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from txpachube.api import params
from txpachube.api.messages import Response
from txpachube.api.problems import bad_request, forbidden, not_found, unprocessable
from txpachube.codecs import records_json, records_xml
from txpachube.codecs.values import numeric, plain_text
from txpachube.server import access
from txpachube.server.operations.call import Call, Operation
from txpachube.server.operations.keydocuments import feed_number
from txpachube.server.operations.metadata import text_fault
from txpachube.server.storage.records import Stream
from txpachube.server.storage.triggers import Trigger
from txpachube.server.triggers import COMPARING, KINDS, NEEDS_THRESHOLD
from txpachube.times import format_micros

__all__ = ["OPERATIONS", "create", "delete", "list_all", "read", "trigger_in_path", "update"]

MAX_URL: Final = 2048
"""Characters of a URL; what browsers and proxies of that time took."""

_READ: Final = {"json": records_json.decode_trigger, "xml": records_xml.decode_trigger}
_WRITE: Final = {"json": records_json.encode_trigger, "xml": records_xml.encode_trigger}
_WRITE_ALL: Final = {"json": records_json.encode_triggers, "xml": records_xml.encode_triggers}

# Printable ASCII without blanks; the rest has to be escaped by whoever writes the URL.
_PRINTABLE: Final = re.compile(r"[!-~]+")

_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", re.ASCII)


@attrs.define
class _Wish:
    """What a trigger shall be."""

    url: str
    kind: str
    threshold: str | None


async def list_all(call: Call) -> Response:
    """Return the account's triggers, or those of a feed."""
    triggers = await call.store.triggers.of(call.key.owner_id)
    wanted = call.query.get("feed_id", "").strip()
    if wanted:
        feed_id = feed_number(wanted)
        if feed_id is None:
            raise bad_request("feed_id is not the id of a feed")
        triggers = [trigger for trigger in triggers if trigger.feed_id == feed_id]
    shown = [_document(trigger, call) for trigger in triggers if await _admitted(call, trigger)]
    return call.answer(_WRITE_ALL[call.format](shown))


async def create(call: Call) -> Response:
    """Make a trigger."""
    document = call.decode(_READ)
    faults: list[str] = []
    wish = _read(document, None, faults)
    feed_id, stream = await _watched(call, document, faults)
    if feed_id is not None and not _covered(call, None, feed_id):
        raise forbidden()
    if faults or stream is None:
        raise unprocessable(*faults)
    trigger = await call.store.triggers.create(
        call.key.owner_id, stream, wish.url, wish.kind, wish.threshold, call.base, call.now
    )
    if trigger is None:
        raise unprocessable("Triggers are too many")
    return call.created("triggers.read", trigger_id=trigger.id)


async def read(call: Call) -> Response:
    """Return a trigger."""
    return call.answer(_WRITE[call.format](_document(await trigger_in_path(call), call)))


async def update(call: Call) -> Response:
    """Change what the body says of a trigger; what it watches stays. Its condition counts as not yet true."""
    trigger = await trigger_in_path(call)
    faults: list[str] = []
    wish = _read(call.decode(_READ), trigger, faults)
    if faults:
        raise unprocessable(*faults)
    await call.store.triggers.change(trigger, wish.url, wish.kind, wish.threshold, call.now)
    return call.done()


async def delete(call: Call) -> Response:
    """Remove a trigger, and what waits to be sent of it."""
    await call.store.triggers.delete(await trigger_in_path(call))
    return call.done()


async def trigger_in_path(call: Call) -> Trigger:
    """
    Return the trigger in the path.

    Raises:
        Problem: 403 or 404.
    """
    number = feed_number(call.parameter("trigger_id"))
    trigger = None if number is None else await call.store.triggers.find(number)
    if trigger is None or trigger.owner_id != call.key.owner_id:
        raise not_found()
    if not await _admitted(call, trigger):
        raise forbidden()
    return trigger


async def _admitted(call: Call, trigger: Trigger) -> bool:
    """
    Return whether the key may do to a trigger of its owner what is asked.

    Where the trigger sends a feed's values says as much as the values, and changing that sends them
    elsewhere; so a private feed's triggers need what the feed needs.
    """
    if not _covered(call, trigger.id, trigger.feed_id):
        return False
    if call.key.private_access:
        return True
    feed = await call.store.find_feed(trigger.feed_id)
    return feed is not None and not feed.private


def _covered(call: Call, trigger_id: int | None, feed_id: int) -> bool:
    method = call.request.method
    if method == "POST":
        method = params.method_of(call.request)
    return access.covers_trigger(call.key, method, call.request, trigger_id, feed_id)


async def _watched(
    call: Call, document: Mapping[str, Any], faults: list[str]
) -> tuple[int | None, Stream | None]:
    """Return what a new trigger shall watch, as far as it is there and may be seen."""
    given, stream_id = document.get("environment_id"), document.get("stream_id")
    if _blank(given):
        faults.append("Environment can't be blank")
    if _blank(stream_id):
        faults.append("Stream can't be blank")
    if _blank(given):
        return None, None
    feed_id = feed_number(given)
    feed = None if feed_id is None else await call.store.find_feed(feed_id)
    # Whether somebody else's private feed exists is not told.
    if feed is None or not access.visible(call.key, feed):
        faults.append("Environment must exist")
        return None, None
    if _blank(stream_id):
        return feed.id, None
    stream = feed.streams.get(str(stream_id).strip())
    if stream is None:
        faults.append("Stream must exist")
    return feed.id, stream


def _read(document: Mapping[str, Any], old: Trigger | None, faults: list[str]) -> _Wish:
    """Return what the body wants a trigger to be; parts of an old one stay where the body is silent."""
    url = document.get("url") if "url" in document or old is None else old.url
    kind = document.get("trigger_type") if "trigger_type" in document or old is None else old.kind
    given = "threshold_value" in document or old is None
    threshold = document.get("threshold_value") if given or old is None else old.threshold
    if _blank(url):
        faults.append("Url can't be blank")
    elif (fault := _url_fault(str(url).strip())) is not None:
        faults.append(fault)
    kind = "" if kind is None else str(kind).strip()
    if not kind:
        faults.append("Trigger type can't be blank")
    elif kind not in KINDS:
        faults.append("Trigger type is not included in the list")
    if kind not in NEEDS_THRESHOLD:
        return _Wish(str(url).strip(), kind, None)
    text = "" if threshold is None else plain_text(threshold)
    if not text.strip():
        faults.append("Threshold value can't be blank")
    elif (fault := text_fault("Threshold value", text)) is not None:
        faults.append(fault)
    elif kind in COMPARING and numeric(text) is None:
        faults.append("Threshold value is not a number")
    return _Wish(str(url).strip(), kind, text)


def _url_fault(url: str) -> str | None:
    if len(url) > MAX_URL:
        return f"Url is too long (maximum is {MAX_URL} characters)"
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        return "Url is invalid"
    if (
        parts.scheme not in ("http", "https")
        or not host
        or port == 0
        or "@" in parts.netloc
        or _HOST.fullmatch(host) is None
        or _PRINTABLE.fullmatch(url) is None
    ):
        return "Url is invalid"
    return None


def _blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _document(trigger: Trigger, call: Call) -> dict[str, Any]:
    sent = trigger.notified_at
    return {
        "id": trigger.id,
        "url": trigger.url,
        "trigger_type": trigger.kind,
        "user": trigger.owner,
        "environment_id": trigger.feed_id,
        "stream_id": trigger.stream_id,
        "threshold_value": trigger.threshold,
        # Whole seconds: XML then shows them without a fraction, and JSON with the six digits that
        # one client insists on.
        "notified_at": "" if sent is None else format_micros(sent // 1_000_000 * 1_000_000, call.zone),
    }


OPERATIONS: Final[dict[str, Operation]] = {
    "triggers.list": list_all,
    "triggers.create": create,
    "triggers.read": read,
    "triggers.update": update,
    "triggers.delete": delete,
}
