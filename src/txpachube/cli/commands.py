"""The group of all commands; each lives in a module that is imported when the command is used."""

from __future__ import annotations

from importlib import import_module
from keyword import iskeyword
from typing import Final

import click

__all__ = ["txpachube"]

# In the order in which one gets to know them, which is the order of the help.
_COMMANDS: Final = {
    "demo": ("txpachube.cli.demo", "Show everything at once, with this machine's own sensors."),
    "serve": ("txpachube.cli.serve", "Run the service."),
    "adopt": ("txpachube.cli.adopt", "Bring an orphaned device home: its feed id and its key."),
    "watch": ("txpachube.cli.watch", "Show values as they are written."),
    "log": ("txpachube.cli.log", "Show the newest requests to FEED, and why they were refused."),
    "feed": ("txpachube.cli.feeds", "Feeds: add, list, show, remove, keep, size."),
    "key": ("txpachube.cli.keys", "Keys: add, list, show, remove."),
    "product": ("txpachube.cli.products", "Series of devices: add, list, show, remove."),
    "device": ("txpachube.cli.products", "Devices of such a series: add, list, remove."),
    "user": ("txpachube.cli.accounts", "Accounts: add, list, show, change, remove."),
    "doctor": ("txpachube.cli.doctor", "Look for what is wrong, and say what to do."),
    "backup": ("txpachube.cli.backups", "Write everything that is stored into a file."),
    "restore": ("txpachube.cli.backups", "Put such a file back."),
    "export": ("txpachube.cli.archives", "Write one account into a file."),
    "import": ("txpachube.cli.archives", "Bring such an account in."),
}

WIDEST_HELP: Final = 100
"""Characters of a line of help at most, on terminals that have them; longer ones are hard to read."""


class _Lazy(click.Group):
    """A group that knows its commands' names and imports them when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name][0]), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST_HELP},
)
@click.version_option(package_name="txpachube")
def txpachube() -> None:
    """
    The Pachube / Cosm / Xively API, alive again: a service for feeds of sensor data.

    Begin with the demo; then serve, and adopt a device.

    Settings come from the flags, then from PACHUBE_* environment variables, then from the
    configuration file (--config, TOML), then from the defaults.
    """
