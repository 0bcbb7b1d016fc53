"""``txpachube export`` and ``txpachube import``: one account in one file."""

from __future__ import annotations

from pathlib import Path

import click

from txpachube.cli.backups import finishing, percentage
from txpachube.cli.directory import data_directory, data_option, json_option
from txpachube.cli.output import counted, emit

__all__ = ["export", "import_"]


@click.command()
@click.argument("login")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="An older FILE may go.")
@data_option
@json_option
def export(login: str, file: Path, replace: bool, data: str | None, as_json: bool) -> None:
    """
    Write everything that belongs to the account LOGIN into the archive FILE.

    Feeds, datastreams with their complete history, waypoints, keys with their texts, triggers; and the
    hash of the password, so keep FILE as safe as the keys themselves. Works while the service runs.
    """
    from txpachube.server.archives import export_account
    from txpachube.server.clock import now_in_microseconds
    from txpachube.server.storage.failures import StorageError

    try:
        with finishing(), percentage("Exporting") as progress:
            facts = export_account(
                data_directory(data), login, file, now_in_microseconds(), replace=replace, progress=progress
            )
    except FileExistsError as problem:
        raise click.ClickException(f"{problem}; --replace replaces it") from None
    except StorageError as problem:
        raise click.ClickException(str(problem)) from None
    emit(as_json, {"login": login, "file": str(file), **facts}, f"Exported {_summary(facts)} to {file}.")


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--as", "login", metavar="LOGIN", help="Call the account so. [default: as it was called]")
@data_option
@json_option
def import_(file: Path, login: str | None, data: str | None, as_json: bool) -> None:
    """
    Bring the account in the archive FILE in.

    All of it or nothing: if its login, one of its feeds' ids or one of its keys is there already, nothing
    is changed. Works while the service runs, which notices it within a second.
    """
    import re

    from txpachube.server.archives import InTheWay, import_account
    from txpachube.server.clock import now_in_microseconds
    from txpachube.server.storage.failures import StorageError

    if login is not None and re.fullmatch(r"[A-Za-z0-9_-]{3,40}", login) is None:
        raise click.BadParameter("3 to 40 letters, digits, - and _", param_hint="'--as'")
    try:
        with finishing(), percentage("Importing") as progress:
            done = import_account(
                data_directory(data), file, now_in_microseconds, login=login, progress=progress
            )
    except InTheWay as problem:
        text = "".join(f"\n  {conflict}" for conflict in problem.conflicts)
        raise click.ClickException(f"nothing was imported, because this is in the way:{text}") from None
    except StorageError as problem:
        raise click.ClickException(f"nothing was imported: {problem}") from None
    for text in done.left_out:
        click.echo(f"Left out: {text}", err=True)
    facts = {"login": done.login, **done.rows, "left_out": done.left_out}
    emit(as_json, facts, f"Imported {_summary(done.rows)} of {done.login}.")


def _summary(facts: dict[str, int]) -> str:
    return " and ".join(
        [
            ", ".join(counted(facts[kind], kind) for kind in ("feeds", "keys", "triggers")),
            counted(facts["datapoints"], "datapoints"),
        ]
    )
