"""The group of all commands; each lives in a module that is imported when the command is used."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

__all__ = ["txpachube"]

_COMMANDS: Final = {
    "adopt": "txpachube.cli.adopt",
    "demo": "txpachube.cli.demo",
    "feed": "txpachube.cli.feeds",
    "key": "txpachube.cli.keys",
    "serve": "txpachube.cli.serve",
    "user": "txpachube.cli.accounts",
}

_HELP: Final = {
    "adopt": "Bring an orphaned device home: its feed id and its key.",
    "demo": "Show everything at once, with this machine's own sensors.",
    "feed": "Feeds: add, list, show, remove.",
    "key": "Keys: add, list, show, remove.",
    "serve": "Run the service.",
    "user": "Accounts: add, list, show, remove.",
}


class _Lazy(click.Group):
    """A group that knows its commands' names and imports them when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(import_module(module), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_HELP.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="txpachube")
def txpachube() -> None:
    """
    The Pachube / Cosm / Xively API, alive again: a service for feeds of sensor data.

    Settings come from the flags, then from PACHUBE_* environment variables, then from the
    configuration file (--config, TOML), then from the defaults.
    """
