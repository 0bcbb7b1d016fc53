"""``txpachube doctor``: what is not as it should be on this machine, and what to do about it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import click

from txpachube.cli.directory import json_option
from txpachube.cli.output import counted
from txpachube.cli.serve import settings_of

if TYPE_CHECKING:
    from txpachube.server.checks.finding import Finding
    from txpachube.server.config import Settings

__all__ = ["doctor"]

SIGNS: Final = {"ok": "✓", "note": "·", "warning": "!", "trouble": "✗"}
COLOURS: Final = {"ok": "green", "note": None, "warning": "yellow", "trouble": "red"}


@click.command()
@click.option("--data", metavar="DIR", help="Directory of the database. [default: the user's data directory]")
@click.option(
    "--config",
    metavar="FILE",
    envvar="PACHUBE_CONFIG",
    type=click.Path(path_type=Path),
    help="Configuration file (TOML) of the service.",
)
@json_option
def doctor(config: Path | None, as_json: bool, **flags: Any) -> None:
    """
    Look for what is not as it should be, and say what to do about it.

    Looks at versions, clock, disk, files, database, ports, certificates, and at where the names lead that
    old devices call. It changes nothing, and can be run beside the service; run it as the same user and
    with the same settings. The exit status is 1 when something does not work, else 0.
    """
    settings = settings_of(config, flags)
    found = []
    for finding in findings(settings):
        found.append(finding)
        if not as_json:
            sign = click.style(SIGNS[finding.level], fg=COLOURS[finding.level], bold=True)
            click.echo(f"{sign} {finding.check}: {finding.text}")
            if finding.advice:
                click.echo(f"    {finding.advice}")
    if as_json:
        import json

        click.echo(json.dumps([attrs.asdict(finding) for finding in found], ensure_ascii=False))
    troubles = sum(finding.level == "trouble" for finding in found)
    if not as_json:
        click.echo(f"{counted(troubles, 'things')} to be put right." if troubles else "Nothing is wrong.")
    sys.exit(1 if troubles else 0)


def findings(settings: Settings) -> Iterator[Finding]:
    """Yield what all checks find."""
    from txpachube.server.checks import data, machine, network
    from txpachube.server.clock import now_in_microseconds

    folder = Path(settings.data)
    seen = data.Seen()
    yield from machine.versions()
    yield from data.directory(folder)
    yield from data.database(folder, seen)
    yield from data.leftovers(folder)
    yield from machine.clock(now_in_microseconds(), seen.newest, machine.is_synchronised())
    yield from machine.disk(folder, seen.size)
    if folder.is_dir() and os.access(folder, os.X_OK):
        yield from machine.sync(folder)
    yield from machine.files()
    yield from network.ports(settings, seen.running)
    yield from network.certificates(settings)
    yield from network.names(network.resolve())
