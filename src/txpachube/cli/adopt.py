"""``txpachube adopt``: bring an orphaned device home."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from txpachube.cli.arguments import feed_id as feed_id_type
from txpachube.cli.directory import (
    checked_key,
    checked_stream_ids,
    data_option,
    feed_facts,
    feed_of,
    json_option,
    opened,
    owner_of,
    owner_option,
)
from txpachube.cli.output import emit

if TYPE_CHECKING:
    from txpachube.server.storage.records import Key

__all__ = ["adopt"]


@click.command()
@click.option(
    "--feed", "feed_id", type=feed_id_type, metavar="ID", required=True, help="The feed id in the firmware."
)
@click.option("--key", "key_text", metavar="TEXT", required=True, help="The key in the firmware.")
@click.option("--title", metavar="TEXT", help="The feed's title. [default: Feed ID]")
@click.option(
    "--datastream",
    "datastreams",
    multiple=True,
    metavar="ID",
    help="A datastream it writes; can be repeated.",
)
@owner_option
@data_option
@json_option
def adopt(
    feed_id: int,
    key_text: str,
    title: str | None,
    datastreams: tuple[str, ...],
    owner: str,
    data: str | None,
    as_json: bool,
) -> None:
    """
    Bring an orphaned device home.

    Makes a feed with the id and a key with the text that are in the device's firmware. The key may
    do everything with this feed, and nothing else. Can be repeated, to add datastreams, and with the
    same key for each feed of a device that writes several.
    """
    checked_key(key_text)
    stream_ids = checked_stream_ids(datastreams)
    with opened(data) as administration:
        pk = owner_of(administration, owner)
        found = administration.find_feed(feed_id)
        if found is not None and found.owner_id != pk:
            raise click.ClickException(f"feed {feed_id} exists already and belongs to {found.owner}")
        if found is None:
            found = administration.add_feed(pk, title, stream_ids, feed_id)
        elif stream_ids:
            administration.add_streams(found, stream_ids)
        key = administration.find_key(key_text)
        if key is None or key.text != key_text:
            administration.add_key(
                pk, f"feed {feed_id}", [feed_id], ("get", "put", "post", "delete"), key_text
            )
        elif key.owner_id != pk:
            raise click.ClickException(
                "this key exists already and belongs to another account; say which with --owner"
            )
        elif not _may_write(key, feed_id):
            administration.allow_feed(key, feed_id)
        made = feed_of(administration, feed_id)
    emit(as_json, feed_facts(made), f"Feed {feed_id} is ready; the device's key may write it.")


def _may_write(key: Key, feed_id: int) -> bool:
    from txpachube.server.administration import ALL_METHODS
    from txpachube.server.storage.records import Resource

    return any(
        set(permission.access_methods) >= set(ALL_METHODS)
        and permission.source_ip is None
        and permission.referer is None
        and permission.minimum_interval is None
        and (not permission.resources or Resource(feed_id=feed_id) in permission.resources)
        for permission in key.permissions
    )
