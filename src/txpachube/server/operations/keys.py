"""
API keys: list, create, read, update, delete, regenerate.

The id of a key in a path is the key's text. Somebody else's key doesn't exist as far as an answer
tells. Who may come here at all is decided before; a key that is only allowed to look at itself is
let in by `read`.
"""

from __future__ import annotations

from typing import Final

from txpachube.api.messages import Response
from txpachube.api.problems import bad_request, not_found, unprocessable
from txpachube.server.operations import formats
from txpachube.server.operations.call import Call, Operation
from txpachube.server.operations.keydocuments import Wish, feed_number, key_document, read_key
from txpachube.server.storage.records import Key

__all__ = ["OPERATIONS", "create", "delete", "list_all", "read", "regenerate", "update"]


async def list_all(call: Call) -> Response:
    """Return the account's keys, or those limited to a feed or its datastreams."""
    keys = await call.store.keys_of(call.key.owner_id)
    wanted = call.query.get("feed_id", "").strip()
    if wanted:
        feed_id = feed_number(wanted)
        if feed_id is None:
            raise bad_request("feed_id is not the id of a feed")
        keys = [key for key in keys if _is_limited_to(key, feed_id)]
    return call.answer(formats.WRITE_KEYS[call.format]([key_document(key, call.zone) for key in keys]))


def _is_limited_to(key: Key, feed_id: int) -> bool:
    return any(
        resource.feed_id == feed_id for permission in key.permissions for resource in permission.resources
    )


async def create(call: Call) -> Response:
    """Make a key; its text is chosen here and told in the answer's ``Location``."""
    wish = read_key(call.decode(formats.READ_KEY), None, call.zone)
    await _check(call, wish)
    key = await call.store.create_key(
        call.key.owner_id, wish.label, wish.private_access, wish.permissions, wish.expires_at
    )
    return call.created("keys.read", key=key.text)


async def read(call: Call) -> Response:
    """Return a key. Any key may read itself, the others only the master key."""
    key = await _key(call)
    return call.answer(formats.WRITE_KEY[call.format](key_document(key, call.zone)))


async def update(call: Call) -> Response:
    """Change what the body says of a key; its text stays."""
    key = await _key(call)
    wish = read_key(call.decode(formats.READ_KEY), key, call.zone)
    await _check(call, wish)
    await call.store.change_key(
        key,
        label=wish.label,
        private_access=wish.private_access,
        permissions=wish.permissions,
        expires_at=wish.expires_at,
    )
    return call.done()


async def delete(call: Call) -> Response:
    """Remove a key; it stops working at once."""
    await call.store.delete_key(await _key(call))
    return call.done()


async def regenerate(call: Call) -> Response:
    """Give a key a new text, told in the answer's ``Location``; the old one stops working at once."""
    key = await call.store.regenerate_key(await _key(call))
    response = call.done()
    response.location = call.url("keys.read", key=key.text)
    return response


async def _key(call: Call) -> Key:
    """Return the key in the path."""
    text = call.parameter("key")
    if text == call.key.text:
        return call.key
    key = await call.store.find_key(text)
    if key is None or key.owner_id != call.key.owner_id:
        raise not_found()
    return key


async def _check(call: Call, wish: Wish) -> None:
    """
    Refuse a key that is limited to a feed that isn't there.

    Nobody gets more rights here than the asking key has: that is a master key.
    """
    for feed_id in wish.feed_ids():
        feed = await call.store.find_feed(feed_id)
        # Whether somebody else's private feed exists is not told.
        if feed is None or (feed.private and feed.owner_id != call.key.owner_id):
            raise unprocessable("Feed must exist")


OPERATIONS: Final[dict[str, Operation]] = {
    "keys.list": list_all,
    "keys.create": create,
    "keys.read": read,
    "keys.update": update,
    "keys.delete": delete,
    "keys.regenerate": regenerate,
}
