"""``txpachube product`` and ``txpachube device``: series of devices that activate themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from txpachube.cli.directory import data_option, json_option, opened, owner_of, owner_option
from txpachube.cli.output import emit, table

if TYPE_CHECKING:
    from txpachube.server.administration import Administration
    from txpachube.server.storage.devices import Device
    from txpachube.server.storage.products import Product

__all__ = ["device", "product"]

product_option = click.option(
    "--product", "product_id", metavar="ID", required=True, help="Which product they are of."
)


@click.group()
def product() -> None:
    """Products: series of devices that are all alike."""


@product.command("add")
@click.argument("name")
@owner_option
@click.option("--private", is_flag=True, help="Only its owner's keys see the feeds.")
@click.option(
    "--datastream",
    "datastreams",
    multiple=True,
    metavar="ID",
    help="A datastream of each device's feed; can be repeated.",
)
@data_option
@json_option
def product_add(
    name: str, owner: str, private: bool, datastreams: tuple[str, ...], data: str | None, as_json: bool
) -> None:
    """Create a product."""
    from txpachube.api.problems import Problem
    from txpachube.server.operations.products import read_wish

    template = {"private": private, "datastreams": [{"id": stream_id} for stream_id in datastreams]}
    try:
        wish = read_wish({"name": name, "feed_defaults": template}, None)
    except Problem as problem:
        raise click.ClickException("; ".join(problem.messages)) from None
    with opened(data) as administration:
        made = administration.add_product(owner_of(administration, owner), wish)
    if made is None:
        raise click.ClickException(f"{owner} has as many products as an account may have")
    emit(as_json, _product_facts(made), f"Product {made.id} is ready.")


@product.command("list")
@owner_option
@data_option
@json_option
def product_list(owner: str, data: str | None, as_json: bool) -> None:
    """List an account's products."""
    with opened(data) as administration:
        facts = [_product_facts(p) for p in administration.products(owner_of(administration, owner))]
    table(as_json, facts, ("id", "name", "datastreams", "devices", "activated"))


@product.command("show")
@click.argument("product_id", metavar="ID")
@click.option("--secret", "only_secret", is_flag=True, help="Print the secret alone, for firmware.")
@data_option
@json_option
def product_show(product_id: str, only_secret: bool, data: str | None, as_json: bool) -> None:
    """Show one product."""
    with opened(data) as administration:
        found = _product_of(administration, product_id)
    if only_secret:
        click.echo(found.secret)
    else:
        emit(as_json, _product_facts(found))


@product.command("remove")
@click.argument("product_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Don't ask.")
@data_option
def product_remove(product_id: str, yes: bool, data: str | None) -> None:
    """Remove a product with its devices; their feeds and keys stay."""
    with opened(data) as administration:
        found = _product_of(administration, product_id)
        if not yes:
            click.confirm(f"Remove product {found.id} ({found.name}) with its devices?", abort=True)
        administration.remove_product(found)
    click.echo(f"Removed product {found.id}.")


@click.group()
def device() -> None:
    """Devices of a product."""


@device.command("add")
@product_option
@click.argument("serials", metavar="SERIAL...", nargs=-1, required=True)
@data_option
@json_option
def device_add(product_id: str, serials: tuple[str, ...], data: str | None, as_json: bool) -> None:
    """Create devices, and print what each is activated with."""
    wanted = _checked_serials(serials)
    with opened(data) as administration:
        found = _product_of(administration, product_id)
        administration.add_devices(found, wanted)
        facts = [
            _device_facts(found, d, show=True) for d in administration.devices(found) if d.serial in wanted
        ]
    table(as_json, facts, ("serial", "activation_code"))


@device.command("list")
@product_option
@click.option("--codes", is_flag=True, help="Show what they are activated with.")
@data_option
@json_option
def device_list(product_id: str, codes: bool, data: str | None, as_json: bool) -> None:
    """List a product's devices."""
    with opened(data) as administration:
        found = _product_of(administration, product_id)
        facts = [_device_facts(found, d, show=codes) for d in administration.devices(found)]
    columns = ("serial", "activated", "feed", *(["activation_code"] if codes else []))
    table(as_json, facts if as_json else [{**f, "feed": f["feed"] or "-"} for f in facts], columns)


@device.command("remove")
@product_option
@click.argument("serial")
@data_option
def device_remove(product_id: str, serial: str, data: str | None) -> None:
    """Remove a device; its feed and its key stay."""
    with opened(data) as administration:
        found = administration.find_device(_product_of(administration, product_id), serial)
        if found is None:
            raise click.ClickException(f"there is no device {serial} of this product")
        administration.remove_device(found)
    click.echo(f"Removed device {serial}.")


def _checked_serials(serials: tuple[str, ...]) -> list[str]:
    from txpachube.server.operations.devices import serial_fault

    for serial in serials:
        fault = serial_fault(serial)
        if fault is not None:
            raise click.BadParameter(fault, param_hint="'SERIAL'")
    return list(dict.fromkeys(serials))


def _product_of(administration: Administration, product_id: str) -> Product:
    found = administration.find_product(product_id)
    if found is None:
        raise click.ClickException(
            "there is no such product; `txpachube product list` shows those that exist"
        )
    return found


def _product_facts(product: Product) -> dict[str, Any]:
    return {
        "id": product.id,
        "owner": product.owner,
        "name": product.name,
        "state": product.state,
        "datastreams": [stream["id"] for stream in product.template.get("datastreams", [])],
        "devices": product.devices,
        "activated": product.activated,
    }


def _device_facts(product: Product, device: Device, show: bool = False) -> dict[str, Any]:
    from txpachube.server.storage.devices import activation_code

    facts = {"serial": device.serial, "activated": device.activated is not None, "feed": device.feed_id}
    return {**facts, "activation_code": activation_code(product.secret, device.serial)} if show else facts
