"""``txpachube feed``: where datastreams live."""

from __future__ import annotations

import click

from txpachube.cli.arguments import feed_id as feed_id_type
from txpachube.cli.directory import (
    checked_stream_ids,
    data_option,
    feed_facts,
    feed_of,
    json_option,
    opened,
    owner_of,
    owner_option,
)
from txpachube.cli.feedsizes import keep, size
from txpachube.cli.output import emit, table

__all__ = ["feed"]


@click.group()
def feed() -> None:
    """Feeds: where datastreams live."""


feed.add_command(keep)
feed.add_command(size)


@feed.command("add")
@owner_option
@click.option("--id", "feed_id", type=feed_id_type, metavar="ID", help="Its id. [default: the next one]")
@click.option("--title", metavar="TEXT", help="Its title. [default: Feed ID]")
@click.option(
    "--datastream",
    "datastreams",
    multiple=True,
    metavar="ID",
    help="A datastream to create; can be repeated.",
)
@data_option
@json_option
def feed_add(
    owner: str,
    feed_id: int | None,
    title: str | None,
    datastreams: tuple[str, ...],
    data: str | None,
    as_json: bool,
) -> None:
    """Create a feed."""
    stream_ids = checked_stream_ids(datastreams)
    with opened(data) as administration:
        pk = owner_of(administration, owner)
        if feed_id is not None and administration.find_feed(feed_id) is not None:
            raise click.ClickException(f"feed {feed_id} exists already")
        made = administration.add_feed(pk, title, stream_ids, feed_id)
    emit(as_json, feed_facts(made), f"Feed {made.id} is ready.")


@feed.command("list")
@click.option("--owner", metavar="LOGIN", help="Only this account's.")
@data_option
@json_option
def feed_list(owner: str | None, data: str | None, as_json: bool) -> None:
    """List feeds."""
    with opened(data) as administration:
        pk = None if owner is None else owner_of(administration, owner)
        facts = [feed_facts(f) for f in administration.feeds(pk)]
    table(as_json, facts, ("id", "owner", "title", "datastreams"))


@feed.command("show")
@click.argument("feed_id", type=feed_id_type, metavar="ID")
@data_option
@json_option
def feed_show(feed_id: int, data: str | None, as_json: bool) -> None:
    """Show one feed."""
    with opened(data) as administration:
        found = feed_of(administration, feed_id)
    emit(as_json, feed_facts(found))


@feed.command("remove")
@click.argument("feed_id", type=feed_id_type, metavar="ID")
@click.option("--yes", is_flag=True, help="Don't ask.")
@data_option
def feed_remove(feed_id: int, yes: bool, data: str | None) -> None:
    """Remove a feed with its history."""
    with opened(data) as administration:
        found = feed_of(administration, feed_id)
        if not yes:
            click.confirm(
                f"Remove feed {feed_id} ({found.fields.get('title')}) with its history?", abort=True
            )
        administration.remove_feed(found)
    click.echo(f"Removed feed {feed_id}.")
