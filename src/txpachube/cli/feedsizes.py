"""``txpachube feed keep`` and ``txpachube feed size``: how long, and how much."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import Any, Final

import click

from txpachube.cli.arguments import feed_id as feed_id_type
from txpachube.cli.directory import data_directory, data_option, feed_of, json_option, opened
from txpachube.cli.output import counted, emit, human_size, table

__all__ = ["keep", "size"]

MOST_DAYS: Final = 36_500
"""As in the settings."""

usual_days_option = click.option(
    "--keep-days",
    "usual",
    type=click.IntRange(0, MOST_DAYS),
    metavar="N",
    envvar="PACHUBE_KEEP_DAYS",
    default=0,
    help="How long the service keeps feeds that say nothing else; 0: for ever. [default: 0]",
)


@click.command("keep")
@click.argument("feed_id", type=feed_id_type, metavar="ID")
@click.option("--days", type=click.IntRange(1, MOST_DAYS), metavar="N", help="Keep its datapoints so long.")
@click.option("--forever", is_flag=True, help="Keep them for ever, whatever the settings say.")
@click.option("--usual", is_flag=True, help="Keep them as long as the settings say.")
@data_option
@json_option
def keep(feed_id: int, days: int | None, forever: bool, usual: bool, data: str | None, as_json: bool) -> None:
    """
    Say for how long the datapoints of a feed are kept.

    The service removes older ones within the hour, but for the newest of each datastream, and they do
    not come back.
    """
    if (days is not None) + forever + usual != 1:
        raise click.UsageError("say one of --days, --forever and --usual")
    with opened(data) as administration:
        feed_of(administration, feed_id)
        administration.keep_feed(feed_id, None if usual else days or 0)
    how = f"for {counted(days, 'days')}" if days else "for ever" if forever else "as long as the settings say"
    emit(as_json, {"id": feed_id, "days": None if usual else days or 0}, f"Feed {feed_id} is kept {how}.")


@click.command("size")
@click.argument("feed_id", type=feed_id_type, metavar="[ID]", required=False)
@usual_days_option
@data_option
@json_option
def size(feed_id: int | None, usual: int, data: str | None, as_json: bool) -> None:
    """
    Show how much room feeds take, how quickly that grows, and when the disk is full.

    Counted by the growth of the last week; bytes are good to some percent. Works beside the service.
    """
    from txpachube.server.administration import DATABASE_FILE
    from txpachube.server.clock import now_in_microseconds
    from txpachube.server.storage.copying import open_existing
    from txpachube.server.storage.sizes import feed_sizes

    directory = data_directory(data)
    path = directory / DATABASE_FILE
    if not path.exists():
        raise click.ClickException(f"there is no database in {directory}")
    try:
        with closing(open_existing(path)) as db:
            db.execute("BEGIN")
            found = list(feed_sizes(db, now_in_microseconds(), feed_id))
    except sqlite3.Error as problem:
        raise click.ClickException(
            f"{path}: {problem}; a database of an earlier version is brought up to date by the service"
        ) from None
    if feed_id is not None and not found:
        raise click.ClickException(
            f"there is no feed {feed_id}; `txpachube feed list` shows those that exist"
        )
    disk = os.statvfs(directory)
    free, growth = disk.f_bavail * disk.f_frsize, sum(each.growth(usual) for each in found)
    full = None if not growth else free // growth
    rows: list[dict[str, Any]] = [
        {
            "id": each.id,
            "owner": each.owner,
            "title": each.title,
            "datapoints": each.datapoints,
            "bytes": each.bytes,
            "bytes_per_day": each.per_day,
            "days_kept": usual if each.days is None else each.days,
        }
        for each in found
    ]
    if as_json:
        emit(True, {"feeds": rows, "free": free, "growth_per_day": growth, "days_until_full": full})
        return
    shown = [
        {
            **row,
            "size": human_size(each.bytes),
            "a_day": human_size(each.per_day),
            "kept": counted(days, "days") if (days := row["days_kept"]) else "for ever",
        }
        for row, each in zip(rows, found, strict=True)
    ]
    table(False, shown, ("id", "owner", "title", "datapoints", "size", "a_day", "kept"))
    click.echo(f"{human_size(free)} are free; {_forecast(growth, full)}")


def _forecast(growth: int, full: int | None) -> str:
    if full is None:
        return "nothing grows."
    if full > MOST_DAYS:
        return f"with {human_size(growth)} more each day that is enough for a hundred years."
    return f"with {human_size(growth)} more each day the disk is full in {counted(full, 'days')}."
