"""
What the documentation says about the code, read from the code: nothing here is copied by hand.

A page asks for a part with a comment of its own, ``<!-- generated: settings -->``; `filled` puts it there.
The parts are Markdown. Building the documentation and testing it both come here, so this does without Sphinx.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

import click
import msgspec

from txpachube import DataFields, DataFormats, testing
from txpachube.api.routes import PREFIXES, ROUTES, Route
from txpachube.cli.commands import txpachube
from txpachube.client import Client, _calls
from txpachube.client.methods import Methods
from txpachube.server.config import Settings, variable_of
from txpachube.server.history import FUNCTIONS, INTERVALS
from txpachube.server.operations import OPERATIONS
from txpachube.server.transports.http_limits import Limits
from txpachube.testing.cells import NO_BODY, cells_of, formats_of
from txpachube.testing.exchanges import read_exchanges
from txpachube.times import SECOND

__all__ = ["PARTS", "all_commands", "filled"]

HELP_WIDTH: Final = 80
"""Characters of a line of the help texts."""

EXCHANGES: Final = Path(__file__).resolve().parents[2] / "tests" / "exchanges"
"""Where the exchanges are that the table of routes is tested with."""

_PLACE: Final = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)


def filled(page: str) -> str:
    """Return a page with its generated parts."""
    return _PLACE.sub(lambda found: PARTS[found.group(1)](), page)


def all_commands(
    command: click.Command = txpachube, parent: click.Context | None = None, name: str = "txpachube"
) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Yield each command, groups before what is in them, with its full name and a context of its own."""
    width = {"terminal_width": HELP_WIDTH, "max_content_width": HELP_WIDTH}
    context = click.Context(command, info_name=name, parent=parent, **{**command.context_settings, **width})
    yield context.command_path, command, context
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from all_commands(found, context, below)


def _commands() -> str:
    parts = []
    for path, command, context in all_commands():
        mark = "#" * (1 + len(path.split()))
        parts.append(f"{mark} {path}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def _settings() -> str:
    texts = _attributes(Settings)
    serve = next(command for path, command, _ in all_commands() if path == "txpachube serve")
    options = {option.name: option for option in serve.params if isinstance(option, click.Option)}
    rows = []
    for field in msgspec.structs.fields(Settings):
        option = options.get(field.encode_name)
        if field.default_factory is not msgspec.NODEFAULT and option is not None:
            # What depends on the machine cannot be computed here; the option's help has it in words.
            default = re.findall(r"\[default: (.*)\]", option.help or "")[0]
        else:
            default = _written(field.default)
        flags = " ".join(f"`{flag}`" for flag in (*option.opts, *option.secondary_opts)) if option else "-"
        rows.append(
            (
                f"`{field.encode_name}`",
                texts[field.encode_name],
                default,
                flags,
                f"`{variable_of(field.name)}`",
            )
        )
    return _table(("setting", "what it is", "default", "flag", "variable"), rows)


def _routes() -> str:
    methods = {
        call.route: name.lower()
        for name, call in vars(_calls).items()
        if isinstance(call, _calls.Call) and hasattr(Client, name.lower())
    }
    parts = []
    for resource, group in groupby(ROUTES, key=_resource):
        rows = [
            (
                f"`{route.method}`",
                f"`{PREFIXES[route.version]}{route.template}`",
                " ".join(route.formats) or "-",
                f"`{methods[route.name]}`" if route.name in methods else "-",
                "yes" if route.name in OPERATIONS else "not yet",
            )
            for route in group
        ]
        table = _table(("method", "path", "formats", "the client's method", "served"), rows)
        parts.append(f"### {resource}\n\n{table}")
    return "\n".join(parts)


def _cells() -> str:
    cells = cells_of(
        exchange for exchange in read_exchanges(EXCHANGES) if not exchange.name.startswith("gardens/")
    )
    columns = (*dict.fromkeys(format_ for route in ROUTES for format_ in route.formats), NO_BODY)
    heads = ("method", "path", *("no body" if column == NO_BODY else column for column in columns), "refused")
    parts = []
    for resource, group in groupby(ROUTES, key=_resource):
        rows = []
        for route in group:
            counts = [
                str(len(cells.done.get((route.name, column), ()))) if column in formats_of(route) else ""
                for column in columns
            ]
            refused = str(len(cells.refused.get(route.name, ())))
            rows.append(
                (f"`{route.method}`", f"`{PREFIXES[route.version]}{route.template}`", *counts, refused)
            )
        parts.append(f"### {resource}\n\n{_table(heads, rows)}")
    return "\n".join(parts)


def _resource(route: Route) -> str:
    name = route.name.partition(".")[0]
    resource = (name if name.endswith("s") else f"{name}s").capitalize()
    if route.ours:
        return "Additions of this service"
    if not route.version:
        return "Beside the API"
    return resource if route.version == 2 else f"{resource}, version {route.version}"


def _fields() -> str:
    rows = [
        (f"`DataFields.{name}`", f"`{value}`")
        for name, value in vars(DataFields).items()
        if not name.startswith("_")
    ]
    return _table(("constant", "field"), rows)


def _formats() -> str:
    rows = [
        (f"`DataFormats.{name}`", f"`{value}`")
        for name, value in vars(DataFormats).items()
        if not name.startswith("_")
    ]
    return _table(("constant", "format"), rows)


def _limits() -> str:
    texts = _attributes(Limits)
    values = {name: getattr(Limits(), name) for name in texts}
    return _table(
        ("limit", "value", "what it limits, and why"),
        [(f"`{name}`", f"{value:,}".replace(",", " "), texts[name]) for name, value in values.items()],
    )


def _calls_of_clients() -> str:
    # Sphinx sorts inherited methods by name; people look for them by resource.
    names = [name for name in vars(Methods) if not name.startswith("_")]
    return _directives(
        ["currentmodule:: txpachube.client", *(f"automethod:: Client.{name}" for name in names)]
    )


def _tools() -> str:
    folder = Path(testing.__file__).parent
    names = [
        path.stem
        for path in sorted(folder.glob("[a-z]*.py"))
        if "txpachube.server"
        not in path.read_text("utf-8")  # the inside of the service is nobody's interface
    ]
    return "\n".join(
        f"## {name}\n\n" + _directives([f"automodule:: txpachube.testing.{name}\n   :members:"])
        for name in names
    )


def _directives(directives: list[str]) -> str:
    return "```{eval-rst}\n" + "".join(f".. {directive}\n" for directive in directives) + "```\n"


def _intervals() -> str:
    rows = [(str(interval), _duration(longest // SECOND)) for interval, longest in INTERVALS.items()]
    return _table(("interval in seconds", "longest range"), rows)


def _duration(seconds: int) -> str:
    return f"{seconds // 3600} hours" if seconds <= 86400 else f"{seconds // 86400} days"


def _functions() -> str:
    return ", ".join(f"`{name}`" for name in FUNCTIONS) + "\n"


def _attributes(kind: type) -> dict[str, str]:
    """Return the attributes that a class's docstring describes, with their descriptions."""
    docstring = inspect.getdoc(kind) or ""
    section = docstring.partition("Attributes:\n")[2].partition("\n\n")[0]
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        entry = re.match(r"    (\w+): (.*)", line)
        if entry is not None:
            name = entry.group(1)
            found[name] = entry.group(2)
        else:
            found[name] += f" {line.strip()}"
    # Docstrings mark code with two backquotes, or with one where it is a name; Markdown has one for both.
    return {name: text.replace("``", "`") for name, text in found.items()}


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"`{value}`" if value != "" else "empty"


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)


PARTS: Final[dict[str, Callable[[], str]]] = {
    "calls": _calls_of_clients,
    "cells": _cells,
    "commands": _commands,
    "fields": _fields,
    "formats": _formats,
    "functions": _functions,
    "intervals": _intervals,
    "limits": _limits,
    "routes": _routes,
    "settings": _settings,
    "tools": _tools,
}
"""What can be asked for, by name."""
