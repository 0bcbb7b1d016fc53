"""What commands print: texts and tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

__all__ = ["counted", "emit", "human_size", "table"]


def emit(as_json: bool, facts: Mapping[str, Any], sentence: str | None = None) -> None:
    """
    Print what is known of one thing.

    Args:
        as_json: print the facts as a JSON object.
        facts: by name.
        sentence: what to tell a person instead of the facts.
    """
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
    elif sentence is not None:
        click.echo(sentence)
    else:
        width = max(map(len, facts))
        for name, value in facts.items():
            click.echo(f"{name.replace('_', ' '):<{width}}  {_text(value)}")


def table(as_json: bool, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """
    Print many things of a kind: one JSON array, or a line each under a head.

    Args:
        as_json: print an array of all facts.
        rows: the facts of each thing, by name.
        columns: the names of the facts that people see.
    """
    if as_json:
        click.echo(json.dumps(list(rows), ensure_ascii=False))
        return
    heads = [column.replace("_", " ").upper() for column in columns]
    lines = [heads, *([_text(row[column]) for column in columns] for row in rows)]
    widths = [max(map(len, texts)) for texts in zip(*lines, strict=True)]
    # What is numbers from top to bottom stands to the right, as in any table of numbers.
    numeric = [all(isinstance(row[column], int) for row in rows) for column in columns]
    for line in lines:
        cells = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        )
        click.echo("  ".join(cells).rstrip())


def counted(number: int, things: str) -> str:
    """Return a number of things, which are named in the plural: ``1 feed``, ``2 feeds``."""
    return f"{number} {things.removesuffix('s') if number == 1 else things}"


def human_size(count: float) -> str:
    """Return a number of bytes as people say it: ``4.2 MB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    return str(value)
