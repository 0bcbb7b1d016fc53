"""
Products: list, create, read, update, delete.

A product is a series of devices that are all alike. Its ``feed_defaults`` are the template of their feeds;
they are checked as a feed is, and what can't be the same for all devices, such as values, is not taken
over. Somebody else's product doesn't exist as far as an answer tells.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from txpachube.api import params
from txpachube.api.messages import Response
from txpachube.api.parameters import DEVICES_PER_PAGE
from txpachube.api.problems import Problem, not_found, unprocessable
from txpachube.codecs import products as codec
from txpachube.server.operations import changes
from txpachube.server.operations.call import Call, Operation
from txpachube.server.operations.metadata import text_fault
from txpachube.server.storage.products import Product, ProductWish
from txpachube.server.storage.records import UNCHANGED, FeedChange, Unchanged

__all__ = [
    "OPERATIONS",
    "create",
    "delete",
    "feed_of",
    "list_all",
    "product_in_path",
    "read",
    "read_wish",
    "update",
]

MAX_DESCRIPTION: Final = 4000
"""Characters of a description; a list shows a thousand of them."""

MAX_TEMPLATE: Final = 16 * 1024
"""Bytes of a template; a list shows a thousand of them, and every device gets a copy."""

MAX_TEMPLATE_STREAMS: Final = 100
"""Datastreams of a template; a device with a few hundred bytes of memory is told the ids of all."""

STATES: Final = ("develop", "deploy")
"""What its maker says of a product, the default first. It changes nothing."""

_TEXTS: Final = ("title", "icon", "website", "description", "email")
_FEED_PARTS: Final = ("title", "private", "icon", "website", "tags", "description", "email", "location")
_STREAM_PARTS: Final = ("id", "tags", "unit")

_PRODUCT_ID: Final = re.compile(r"[A-Za-z0-9_-]{20}")


async def list_all(call: Call) -> Response:
    """Return a page of the account's products."""
    page = params.page(call.query, DEVICES_PER_PAGE)
    total, found = await call.store.products.of(call.key.owner_id, page.size, page.offset)
    return call.answer(codec.encode_products(total, [_document(product) for product in found]))


async def create(call: Call) -> Response:
    """Make a product; its id and its secret are chosen here."""
    product_id = await call.store.products.create(call.key.owner_id, read_wish(call.decode(_READ), None))
    if product_id is None:
        raise unprocessable("Products are too many")
    return call.created("products.read", product_id=product_id)


async def read(call: Call) -> Response:
    """Return a product."""
    return call.answer(codec.encode_product(_document(await product_in_path(call))))


async def update(call: Call) -> Response:
    """Change what the body says of a product; the feeds that its devices have already stay as they are."""
    product = await product_in_path(call)
    await call.store.products.change(product, read_wish(call.decode(_READ), product))
    return call.done()


async def delete(call: Call) -> Response:
    """Remove a product with its devices; their feeds and keys stay."""
    await call.store.products.delete(await product_in_path(call))
    return call.done()


async def product_in_path(call: Call) -> Product:
    """
    Return the product in the path.

    Raises:
        Problem: 404.
    """
    product_id = call.parameter("product_id")
    known = _PRODUCT_ID.fullmatch(product_id) is not None
    product = await call.store.products.find(product_id) if known else None
    if product is None or product.owner_id != call.key.owner_id:
        raise not_found()
    return product


def _document(product: Product) -> dict[str, Any]:
    return {
        "description": product.description,
        "name": product.name,
        "product_id": product.id,
        "secret": product.secret,
        "state": product.state,
        "devices_count": product.devices,
        "activated_devices_count": product.activated,
        "feed_defaults": product.template,
        "user": product.owner,
    }


def read_wish(document: Mapping[str, Any], old: Product | None) -> ProductWish:
    """
    Return what the body of a request wants a product to be.

    Args:
        document: the decoded product.
        old: the product that is to be changed, whose parts stay where the document is silent; None for a
            new one.

    Raises:
        Problem: 422 with everything that is wrong.
    """
    faults: list[str] = []
    name = document.get("name") if "name" in document or old is None else old.name
    description = document.get("description") if "description" in document or old is None else old.description
    state = document.get("state") if "state" in document or old is None else old.state
    name, description, state = name or "", description or "", state or STATES[0]
    if not name.strip():
        faults.append("Name can't be blank")
    elif (fault := text_fault("Name", name)) is not None:
        faults.append(fault)
    if len(description) > MAX_DESCRIPTION:
        faults.append(f"Description is too long (maximum is {MAX_DESCRIPTION} characters)")
    if state not in STATES:
        faults.append("State is not included in the list")
    if "feed_defaults" in document:
        template = _template(document["feed_defaults"] or {}, faults)
    else:
        template = {} if old is None else old.template
    if faults:
        raise unprocessable(*faults)
    return ProductWish(name, description, state, template)


def _template(given: Mapping[str, Any], faults: list[str]) -> dict[str, Any]:
    """Return the template of a product's feeds as it is kept and shown, and note what is wrong with it."""
    document = {part: given[part] for part in _FEED_PARTS if part in given}
    titled = document.get("title") is not None
    if not titled:
        document["title"] = "-"  # the product's name stands for it when the feed is made
    streams = given.get("datastreams") or ()
    if len(streams) > MAX_TEMPLATE_STREAMS:
        faults.append(f"Feed defaults: Datastreams is too long (maximum is {MAX_TEMPLATE_STREAMS})")
        return {}
    document["datastreams"] = [
        {part: stream[part] for part in _STREAM_PARTS if part in stream} for stream in streams
    ]
    try:
        change = changes.of_feed(document, None, 0)
    except Problem as problem:
        faults += [f"Feed defaults: {message}" for message in problem.messages]
        return {}
    if not titled:
        del change.fields["title"]
    template = _kept(change)
    if len(msgspec.json.encode(template)) > MAX_TEMPLATE:
        faults.append(f"Feed defaults is too long (maximum is {MAX_TEMPLATE} bytes)")
    return template


def _kept(change: FeedChange) -> dict[str, Any]:
    """Return a feed that is to be made as a document in the API's order, only the parts that are set."""
    parts: dict[str, Any] = dict(change.fields)
    if change.private is not UNCHANGED:
        parts["private"] = "true" if change.private else "false"
    parts["tags"] = change.tags
    if not isinstance(change.location, Unchanged):
        parts["location"] = {part: value for part, value in change.location.items() if value is not None}
    template = {part: parts[part] for part in _FEED_PARTS if _is_set(parts.get(part))}
    streams = [
        {part: getattr(stream, part) for part in _STREAM_PARTS if _is_set(getattr(stream, part))}
        for stream in change.streams
    ]
    return {**template, "datastreams": streams} if streams else template


def _is_set(part: object) -> bool:
    return part is not UNCHANGED and bool(part)


def feed_of(product: Product, serial: str, now: int) -> FeedChange:
    """Return the feed of a device that is activated now."""
    change = changes.of_feed({"title": product.name, **product.template}, None, now)
    change.fields.update(product_id=product.id, device_serial=serial)
    return change


_READ: Final = {"json": codec.decode_product}

OPERATIONS: Final[dict[str, Operation]] = {
    "products.list": list_all,
    "products.create": create,
    "products.read": read,
    "products.update": update,
    "products.delete": delete,
}
