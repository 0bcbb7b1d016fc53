"""What can be said of an account on the command line, besides its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from txpachube.cli.arguments import ALLOWANCE_WORDS, allowance

if TYPE_CHECKING:
    from txpachube.server.administration import Administration

__all__ = ["given_fields", "given_password", "password_option", "profile_facts", "profile_options"]

Command = Callable[..., None]


def _allowance_option(name: str, what: str) -> Callable[[Command], Command]:
    return click.option(
        name,
        type=allowance,
        metavar="|".join(("NUMBER", *ALLOWANCE_WORDS)),
        help=f"How many {what}.",
    )


def password_option(default: str) -> Callable[[Command], Command]:
    """Return the option that names the file with a password; ``default`` says what holds without it."""
    return click.option(
        "--password-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help=f"File whose first line is the password. [default: {default}]",
    )


def profile_options(command: Command) -> Command:
    """Add the options that say what an account is and may have."""
    for option in (
        _allowance_option("--datastreams-allowed", "datastreams it may have, over all its feeds"),
        _allowance_option("--feeds-allowed", "feeds it may have"),
        click.option(
            "--creatable-role",
            "creatable_roles",
            metavar="ROLE",
            multiple=True,
            help="A role that it may give to accounts which it makes over the API, such as default; can be"
            " repeated. An empty one stands for none.",
        ),
        click.option("--email", metavar="ADDRESS", help="Where its owner is reached."),
    ):
        command = option(command)
    return command


def given_password(file: Path | None) -> str | None:
    """Return the password in a file, or None when no file is given."""
    from txpachube.server.operations.userdocuments import MAX_PASSWORD

    if file is None:
        return None
    lines = file.read_text("utf-8").splitlines()
    password = lines[0].strip() if lines else ""
    if not password:
        raise click.BadParameter("the file's first line is empty", param_hint="'--password-file'")
    if len(password) > MAX_PASSWORD:
        raise click.BadParameter(
            f"a password has at most {MAX_PASSWORD} characters", param_hint="'--password-file'"
        )
    return password


def given_fields(given: dict[str, Any]) -> dict[str, Any]:
    """Return what `profile_options` say of an account, as storage takes it, and nothing else."""
    from txpachube.server.operations.userdocuments import is_email, is_role
    from txpachube.server.storage.quotas import UNLIMITED

    fields: dict[str, Any] = {}
    for name in ("feeds_allowed", "datastreams_allowed"):
        if given[name] is not None:
            fields[name] = {"unlimited": UNLIMITED, "default": None}.get(given[name], given[name])
    if given["email"] is not None:
        if not is_email(given["email"]):
            raise click.BadParameter(f"{given['email']!r} can't be one", param_hint="'--email'")
        fields["email"] = given["email"]
    if given["creatable_roles"]:
        roles = [role for role in dict.fromkeys(given["creatable_roles"]) if role]
        for role in roles:
            if not is_role(role):
                raise click.BadParameter(
                    f"{role!r} can't be one: letters, digits, - and _, at most 40",
                    param_hint="'--creatable-role'",
                )
        fields["creatable_roles"] = roles
    return fields


def profile_facts(administration: Administration, login: str) -> dict[str, Any]:
    """Return what the commands print of an account, besides what it owns."""
    from txpachube.server.storage.quotas import UNLIMITED

    profile = administration.profile(login)
    assert profile is not None
    creator = next((name for pk, name, _ in administration.users() if pk == profile.creator_id), "")
    allowed = {
        "feeds_allowed": profile.feeds_allowed,
        "datastreams_allowed": profile.datastreams_allowed,
    }
    return {
        "email": profile.texts["email"],
        "creator": creator,
        "roles": list(profile.roles),
        "creatable_roles": list(profile.creatable_roles),
        **{name: {None: "default", UNLIMITED: "unlimited"}.get(n, n) for name, n in allowed.items()},
    }
