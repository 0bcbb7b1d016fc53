"""What the commands share that work on the data directory itself, whether or not the service runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from txpachube.server.administration import Administration
    from txpachube.server.storage.records import Feed

__all__ = [
    "checked_key",
    "checked_stream_ids",
    "data_directory",
    "data_option",
    "feed_facts",
    "feed_of",
    "json_option",
    "opened",
    "owner_of",
    "owner_option",
]

data_option = click.option(
    "--data",
    metavar="DIR",
    envvar="PACHUBE_DATA",
    help="Directory of the database. [default: the user's data directory]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
owner_option = click.option(
    "--owner", metavar="LOGIN", default="admin", show_default=True, help="Whose it is."
)


@contextmanager
def opened(data: str | None) -> Iterator[Administration]:
    """Open the data directory for one piece of administration, and put failures into words."""
    from txpachube.server.administration import ADMIN_FILE, first_start, open_administration
    from txpachube.server.clock import now_in_microseconds
    from txpachube.server.storage.failures import Conflict, StorageError

    directory = data_directory(data)
    try:
        if first_start(directory, now_in_microseconds):
            click.echo(f"Created the account admin; its secrets are in {directory / ADMIN_FILE}", err=True)
        with open_administration(directory, now_in_microseconds) as administration:
            yield administration
    except Conflict as problem:
        raise click.ClickException(f"{problem.what} exists already") from None
    except StorageError as problem:
        raise click.ClickException(str(problem)) from None


def data_directory(data: str | None) -> Path:
    """Return the data directory that was named, or the user's own."""
    from txpachube.server.config import default_data_directory

    return Path(data) if data else default_data_directory(os.environ)


def owner_of(administration: Administration, login: str) -> int:
    """Return the row number of an account, or say that there is none."""
    owner = administration.find_user(login)
    if owner is None:
        raise click.ClickException(
            f"there is no account {login}; `txpachube user list` shows those that exist,"
            f" `txpachube user add {login}` makes it"
        )
    return owner


def feed_of(administration: Administration, feed_id: int) -> Feed:
    """Return a feed, or say that there is none."""
    found = administration.find_feed(feed_id)
    if found is None:
        raise click.ClickException(
            f"there is no feed {feed_id}; `txpachube feed list` shows those that exist"
        )
    return found


def checked_stream_ids(values: tuple[str, ...]) -> list[str]:
    """Return the datastream ids given, each once, or say which can't be one."""
    from txpachube.server.operations.metadata import stream_id_fault

    for value in values:
        if stream_id_fault(value) is not None:
            raise click.BadParameter(
                f"{value!r} can't be a datastream's id: letters, digits and _ - + . only, at most 255",
                param_hint="'--datastream'",
            )
    return list(dict.fromkeys(values))


def checked_key(text: str | None) -> str | None:
    """Return the key text given, or say that it can't be one."""
    from txpachube.server.administration import is_key_text

    if text is not None and not is_key_text(text):
        raise click.BadParameter("a key has letters, digits, - and _ only, at most 255", param_hint="'--key'")
    return text


def feed_facts(feed: Feed) -> dict[str, Any]:
    """Return what the commands print of a feed."""
    return {
        "id": feed.id,
        "owner": feed.owner,
        "title": feed.fields.get("title", ""),
        "private": feed.private,
        "datastreams": list(feed.streams),
    }
