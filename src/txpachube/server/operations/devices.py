"""Devices of a product: list, create, read, update, delete."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any, Final

from txpachube.api import params
from txpachube.api.messages import Response
from txpachube.api.parameters import DEVICES_PER_PAGE
from txpachube.api.problems import DEVICE_NOT_FOUND, not_found, unprocessable
from txpachube.codecs import products as codec
from txpachube.server.operations.call import Call, Operation
from txpachube.server.operations.products import product_in_path
from txpachube.server.storage.devices import Device, DeviceFilter, activation_code
from txpachube.server.storage.products import Product
from txpachube.times import format_seconds

__all__ = ["OPERATIONS", "create", "delete", "list_all", "read", "serial_fault", "update"]

MAX_NEW: Final = 1000
"""Devices made by one request; as many as a page of their list can have."""

MAX_SERIAL: Final = 128
"""Characters of a serial number; more than any label or bar code holds."""

_SERIAL: Final = re.compile(r"[A-Za-z0-9+_:,-]+")
_YES_AND_NO: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def serial_fault(serial: object) -> str | None:
    """Return what is wrong with a serial number: letters and digits of ASCII, ``+ - _ : ,``."""
    if serial is None or serial == "":
        return "Serial can't be blank"
    if not isinstance(serial, str):
        return "Serial is invalid"
    if len(serial) > MAX_SERIAL:
        return f"Serial is too long (maximum is {MAX_SERIAL} characters)"
    return None if _SERIAL.fullmatch(serial) else f"Serial is invalid: {serial}"


async def list_all(call: Call) -> Response:
    """Return a page of the product's devices; the first one of all has the number 1."""
    product = await product_in_path(call)
    query = call.query
    page = params.page(query, DEVICES_PER_PAGE)
    wanted = DeviceFilter(
        # No serial number has a blank, but a plus sign that is not escaped becomes one.
        query.get("serial", "").replace(" ", "+"),
        _YES_AND_NO.get(query.get("activated", "").strip().lower()),
    )
    total, found = await call.store.devices.of(product, wanted, page.size, page.offset)
    documents = [_document(product, device, call.zone) for device in found]
    return call.answer(codec.encode_devices(total, page.size, page.offset + 1, documents))


async def create(call: Call) -> Response:
    """Make devices, all or none."""
    product = await product_in_path(call)
    serials = _serials(call.decode({"json": codec.decode_devices}))
    taken = await call.store.devices.add(product, serials, call.now)
    if taken is None:
        raise unprocessable("Devices are too many")
    if taken:
        raise unprocessable(_taken(taken))
    return call.created("devices.list", product_id=product.id)


def _serials(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    """
    Return the serial numbers of devices that are to be made.

    Raises:
        Problem: 422 with everything that is wrong.
    """
    if not documents:
        raise unprocessable("Devices can't be blank")
    if len(documents) > MAX_NEW:
        raise unprocessable(f"Devices is too long (maximum is {MAX_NEW})")
    faults: dict[str, None] = {}
    serials: dict[str, None] = {}
    twice: dict[str, None] = {}
    for document in documents:
        serial = document.get("serial") or ""
        fault = serial_fault(serial)
        if fault is not None:
            faults[fault] = None
        elif serial in serials:
            twice[serial] = None
        else:
            serials[serial] = None
    if twice:
        faults[f"Devices can't have duplicate serials: {', '.join(twice)}"] = None
    if faults:
        raise unprocessable(*faults)
    return list(serials)


def _taken(serials: Sequence[str]) -> str:
    return f"Serial has already been taken: {', '.join(serials)}"


async def read(call: Call) -> Response:
    """Return a device with all that its maker needs to find its feed, the key included."""
    product, device = await _device(call)
    document = _document(product, device, call.zone)
    if device.key_text is not None:
        document["api_key"] = device.key_text
    return call.answer(codec.encode_device(document))


async def update(call: Call) -> Response:
    """Give a device that was not activated yet another serial number; nothing else of it can be changed."""
    product, device = await _device(call)
    document = call.decode({"json": codec.decode_device})
    serial = document.get("serial", device.serial)
    fault = serial_fault(serial)
    if fault is not None:
        raise unprocessable(fault)
    if serial != device.serial:
        if device.activated is not None:
            raise unprocessable("Serial can't be changed after the activation")
        if not await call.store.devices.rename(product, device, serial):
            raise unprocessable(_taken([serial]))
    return call.done()


async def delete(call: Call) -> Response:
    """Remove a device; its feed and its key stay."""
    _, device = await _device(call)
    await call.store.devices.delete(device)
    return call.done()


async def _device(call: Call) -> tuple[Product, Device]:
    """
    Return the device in the path and its product.

    Raises:
        Problem: 404.
    """
    product = await product_in_path(call)
    serial = call.parameter("serial")
    device = None
    if serial_fault(serial) is None:
        device = await call.store.devices.find(product, serial)
    if device is None:
        raise not_found(DEVICE_NOT_FOUND)
    return product, device


def _document(product: Product, device: Device, zone: tzinfo | None) -> dict[str, Any]:
    activated = device.activated
    document: dict[str, Any] = {
        "serial": device.serial,
        "activation_code": activation_code(product.secret, device.serial),
        "created_at": format_seconds(device.created, zone),
        "activated_at": None if activated is None else format_seconds(activated, zone),
    }
    if device.feed_id is not None:
        document["feed_id"] = device.feed_id
    return document


OPERATIONS: Final[dict[str, Operation]] = {
    "devices.list": list_all,
    "devices.create": create,
    "devices.read": read,
    "devices.update": update,
    "devices.delete": delete,
}
