"""``txpachube user``: who owns feeds and keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from txpachube.cli.directory import (
    data_option,
    json_option,
    opened,
    owner_of,
)
from txpachube.cli.output import emit, table

if TYPE_CHECKING:
    from txpachube.server.administration import Administration

__all__ = ["user"]


@click.group()
def user() -> None:
    """Accounts: who owns feeds and keys."""


@user.command("add")
@click.argument("login")
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File whose first line is the password. [default: nobody can log in]",
)
@data_option
@json_option
def user_add(login: str, password_file: Path | None, data: str | None, as_json: bool) -> None:
    """Create an account with a master key."""
    password = None
    if password_file is not None:
        lines = password_file.read_text("utf-8").splitlines()
        password = lines[0].strip() if lines else ""
        if not password:
            raise click.BadParameter("the file's first line is empty", param_hint="'--password-file'")
    import re

    if re.fullmatch(r"[A-Za-z0-9_-]{3,40}", login) is None:
        raise click.BadParameter("3 to 40 letters, digits, - and _", param_hint="'LOGIN'")
    with opened(data) as administration:
        pk = administration.add_user(login, password)
        key = administration.add_master_key(pk, "master key")
    emit(
        as_json,
        {"login": login, "api_key": key.text},
        f"Account {login} is ready. Its master key: {key.text}",
    )


@user.command("list")
@data_option
@json_option
def user_list(data: str | None, as_json: bool) -> None:
    """List all accounts."""
    with opened(data) as administration:
        facts = [
            _user_facts(administration, pk, login, created) for pk, login, created in administration.users()
        ]
    table(as_json, facts, ("login", "feeds", "keys", "created"))


@user.command("show")
@click.argument("login")
@data_option
@json_option
def user_show(login: str, data: str | None, as_json: bool) -> None:
    """Show one account."""
    with opened(data) as administration:
        pk = owner_of(administration, login)
        created = next(created for number, _, created in administration.users() if number == pk)
        facts = _user_facts(administration, pk, login, created)
    emit(as_json, facts)


@user.command("remove")
@click.argument("login")
@click.option("--yes", is_flag=True, help="Don't ask.")
@data_option
def user_remove(login: str, yes: bool, data: str | None) -> None:
    """Remove an account with all its feeds and keys."""
    with opened(data) as administration:
        pk = owner_of(administration, login)
        count = len(administration.feeds(pk))
        if not yes:
            click.confirm(f"Remove {login} with {count} feeds and their history?", abort=True)
        administration.remove_user(pk)
    click.echo(f"Removed {login} and {count} feeds.")


def _user_facts(administration: Administration, pk: int, login: str, created: int) -> dict[str, Any]:
    from txpachube.times import format_seconds

    return {
        "login": login,
        "feeds": len(administration.feeds(pk)),
        "keys": len(administration.keys(pk)),
        "created": format_seconds(created),
    }
