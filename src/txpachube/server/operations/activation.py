"""
Activation: a device that has nothing but its code asks for a feed and a key.

The first time it needs no key. From then on it must show the key that it got, or its maker a master key,
and gets the same answer; so who finds out a code later learns nothing. What was deleted meanwhile, the feed
or the key, is made again for the master key only.
"""

from __future__ import annotations

import re
from typing import Final

from txpachube.api.messages import Response
from txpachube.api.problems import DEVICE_NOT_FOUND, forbidden, no_route, not_found
from txpachube.codecs.products import encode_activation, encode_activation_line
from txpachube.server.operations.call import Call, Operation
from txpachube.server.operations.products import feed_of
from txpachube.server.storage.failures import Gone

__all__ = ["OPERATIONS", "activate"]

ALREADY_ACTIVATED: Final = "This device has already been activated"

_CODE: Final = re.compile(r"[0-9a-f]{40}")
_WRITE: Final = {"json": encode_activation, "csv": encode_activation_line}


async def activate(call: Call) -> Response:
    """Give a device its feed and its key, and tell it both."""
    call.once = True
    if call.request.method == "HEAD":  # its answer would be lost on the way, and with it the key
        raise no_route("HEAD", call.request.path)
    # Firmware that computes its code may write hexadecimal digits either way.
    code = call.parameter("activation_code").lower()
    found = await call.store.devices.find_by_code(code) if _CODE.fullmatch(code) else None
    if found is None:
        raise not_found(DEVICE_NOT_FOUND)
    product, device = found
    key = call.known_key
    by_owner = key is not None and key.is_master and key.owner_id == product.owner_id
    by_device = key is not None and key.pk == device.key_pk
    if device.activated is not None and not (by_owner or by_device):
        raise forbidden(ALREADY_ACTIVATED)
    feed_id, text = device.feed_id, device.key_text
    if feed_id is None or text is None:
        change = feed_of(product, device.serial, call.now)
        try:
            done = await call.store.devices.activate(code, change, call.now, again=by_owner)
        except Gone:
            raise not_found(DEVICE_NOT_FOUND) from None
        if done is None:  # another request was faster
            raise forbidden(ALREADY_ACTIVATED)
        feed_id, text = done.feed_id, done.key_text
    feed = await call.store.find_feed(feed_id)
    if feed is None:  # deleted in this very moment
        raise not_found(DEVICE_NOT_FOUND)
    return call.answer(_WRITE[call.format](text, feed_id, list(feed.streams)))


OPERATIONS: Final[dict[str, Operation]] = {"devices.activate": activate}
