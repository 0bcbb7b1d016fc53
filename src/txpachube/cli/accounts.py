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
from txpachube.cli.profiles import (
    given_fields,
    given_password,
    password_option,
    profile_facts,
    profile_options,
)

if TYPE_CHECKING:
    from txpachube.server.administration import Administration

__all__ = ["user"]


@click.group()
def user() -> None:
    """Accounts: who owns feeds and keys."""


@user.command("add")
@click.argument("login")
@password_option("nobody can log in")
@click.option(
    "--creator", metavar="LOGIN", help="Account that may change it over the API. [default: only itself]"
)
@profile_options
@data_option
@json_option
def user_add(
    login: str, password_file: Path | None, creator: str | None, data: str | None, as_json: bool, **given: Any
) -> None:
    """Create an account with a master key."""
    from txpachube.server.operations.userdocuments import is_login

    if not is_login(login):
        raise click.BadParameter("3 to 40 letters, digits, - and _", param_hint="'LOGIN'")
    password, fields = given_password(password_file), given_fields(given)
    with opened(data) as administration:
        made_by = None if creator is None else owner_of(administration, creator)
        pk = administration.add_user(login, password, made_by, **fields)
        key = administration.add_master_key(pk, "master key")
    emit(
        as_json,
        {"login": login, "api_key": key.text},
        f"Account {login} is ready. Its master key: {key.text}",
    )


@user.command("change")
@click.argument("login")
@password_option("it stays")
@profile_options
@data_option
def user_change(login: str, password_file: Path | None, data: str | None, **given: Any) -> None:
    """Change an account: its password, what it may have, which roles it may give."""
    password, fields = given_password(password_file), given_fields(given)
    if password is None and not fields:
        raise click.UsageError("say what shall change; --help shows what can")
    with opened(data) as administration:
        administration.change_user(owner_of(administration, login), password, **fields)
    click.echo(f"Changed {login}.")


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
        facts = {**_user_facts(administration, pk, login, created), **profile_facts(administration, login)}
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
