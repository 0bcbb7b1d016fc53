"""``txpachube key``: what devices and programs write and read with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from txpachube.cli.arguments import feed_id as feed_id_type
from txpachube.cli.directory import (
    checked_key,
    data_option,
    feed_of,
    json_option,
    opened,
    owner_of,
    owner_option,
)
from txpachube.cli.output import emit, table

if TYPE_CHECKING:
    from txpachube.server.administration import Administration
    from txpachube.server.storage.records import Key

__all__ = ["key"]

ALL_METHODS: Final = ("get", "put", "post", "delete")


@click.group()
def key() -> None:
    """Keys: what devices and programs write and read with."""


@key.command("add")
@owner_option
@click.option("--key", "text", metavar="TEXT", help="The key's text. [default: a new one]")
@click.option("--label", metavar="TEXT", help="What it is for. [default: key]")
@click.option("--master", is_flag=True, help="May do everything its owner may.")
@click.option(
    "--feed",
    "feed_ids",
    type=feed_id_type,
    multiple=True,
    metavar="ID",
    help="Limit it to this feed; can be repeated.",
)
@click.option("--read-only", is_flag=True, help="May only read.")
@data_option
@json_option
def key_add(
    owner: str,
    text: str | None,
    label: str | None,
    master: bool,
    feed_ids: tuple[int, ...],
    read_only: bool,
    data: str | None,
    as_json: bool,
) -> None:
    """Create a key."""
    if master and (feed_ids or read_only):
        raise click.UsageError("--master goes with neither --feed nor --read-only")
    if not (master or feed_ids or read_only):
        raise click.UsageError("say what the key may do: --feed ID, --read-only, or --master for everything")
    checked_key(text)
    with opened(data) as administration:
        pk = owner_of(administration, owner)
        for feed_id in feed_ids:
            feed_of(administration, feed_id)
        methods = ("get",) if read_only else ALL_METHODS
        made = administration.add_key(
            pk, label or ("master key" if master else "key"), feed_ids, methods, text
        )
    emit(as_json, _key_facts(made, show=True), f"Key {made.pk} is ready: {made.text}")


@key.command("list")
@owner_option
@data_option
@json_option
def key_list(owner: str, data: str | None, as_json: bool) -> None:
    """List an account's keys, without their texts."""
    with opened(data) as administration:
        facts = [_key_facts(k) for k in administration.keys(owner_of(administration, owner))]
    table(as_json, facts if as_json else [_for_people(f) for f in facts], ("number", "label", "may", "feeds"))


@key.command("show")
@click.argument("key_text", metavar="NUMBER")
@click.option("--text", "only_text", is_flag=True, help="Print the text alone, for scripts.")
@data_option
@json_option
def key_show(key_text: str, only_text: bool, data: str | None, as_json: bool) -> None:
    """Show one key with its text."""
    with opened(data) as administration:
        facts = _key_facts(_key_of(administration, key_text), show=True)
    if only_text:
        click.echo(facts["api_key"])
    else:
        emit(as_json, facts if as_json else _for_people(facts))


@key.command("remove")
@click.argument("key_text", metavar="NUMBER")
@data_option
def key_remove(key_text: str, data: str | None) -> None:
    """Remove a key; whatever uses it is shut out at once."""
    with opened(data) as administration:
        found = _key_of(administration, key_text)
        administration.remove_key(found)
    click.echo(f"Removed key {found.pk} ({found.label}).")


def _key_of(administration: Administration, key_text: str) -> Key:
    found = administration.find_key(key_text)
    if found is None:
        raise click.ClickException("there is no such key; `txpachube key list` shows the numbers")
    return found


def _key_facts(key: Key, show: bool = False) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "number": key.pk,
        "owner": key.owner,
        "label": key.label,
        "may": [m for m in ALL_METHODS if any(m in p.access_methods for p in key.permissions)],
        "feeds": sorted({r.feed_id for p in key.permissions for r in p.resources if r.feed_id is not None}),
        "private_access": key.private_access,
    }
    return {**facts, "api_key": key.text} if show else facts


def _for_people(facts: dict[str, Any]) -> dict[str, Any]:
    # No limits is an empty list for programs; people take that for "none".
    return {**facts, "feeds": facts["feeds"] or "all"}
