"""``txpachube backup`` and ``txpachube restore``: everything that is stored, in one file."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from txpachube.cli.directory import data_directory, data_option, json_option
from txpachube.cli.output import counted, emit, human_size

__all__ = ["backup", "finishing", "percentage", "restore"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="An older FILE may go.")
@data_option
@json_option
def backup(file: Path, replace: bool, data: str | None, as_json: bool) -> None:
    """
    Write everything that is stored into FILE.

    Works while the service runs, and holds it up in nothing. FILE is there when it is complete and was
    examined, and not before. Keys are in it, so only you can read it; keep it as safe as the original.
    """
    from txpachube.server.backups import TargetExists, back_up
    from txpachube.server.storage.failures import StorageError

    try:
        with finishing(), percentage("Copying") as progress:
            contents, size = back_up(data_directory(data), file, replace=replace, progress=progress)
    except TargetExists as problem:
        raise click.ClickException(f"{problem}; --replace replaces it") from None
    except StorageError as problem:
        raise click.ClickException(str(problem)) from None
    facts = {"file": str(file), "bytes": size, "schema": contents.version, **contents.facts()}
    emit(as_json, facts, f"Backed up {_summary(facts)} to {file} ({human_size(size)}); the copy is sound.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="There may be data; it is put aside.")
@data_option
@json_option
def restore(file: Path, replace: bool, data: str | None, as_json: bool) -> None:
    """
    Put the backup FILE into the data directory.

    The service must be stopped. FILE is examined first; what was in the directory before is put aside
    and not removed.
    """
    from txpachube.server import backups
    from txpachube.server.clock import now_in_microseconds
    from txpachube.server.storage.failures import StorageError

    directory = data_directory(data)
    try:
        with finishing(), percentage("Restoring") as progress:
            restored = backups.restore(
                file, directory, now_in_microseconds(), replace=replace, progress=progress
            )
    except backups.TargetExists as problem:
        raise click.ClickException(f"{problem}; --replace puts it aside") from None
    except StorageError as problem:
        raise click.ClickException(str(problem)) from None
    facts: dict[str, Any] = {
        "data": str(directory),
        "aside": None if restored.aside is None else str(restored.aside),
        "account_file_moved": restored.account_file_moved,
        "schema": restored.contents.version,
        **restored.contents.facts(),
    }
    text = f"Restored {_summary(facts)} to {directory}."
    if restored.aside is not None:
        text += f" What was there before is in {restored.aside}."
    if restored.account_file_moved:
        text += " The account file is there, too: its key opens nothing in the restored data."
    emit(as_json, facts, text)


def _summary(facts: dict[str, Any]) -> str:
    parts = [counted(facts[name], name) for name in ("accounts", "feeds", "datapoints")]
    return f"{parts[0]}, {parts[1]} and {parts[2]}"


@contextmanager
def finishing() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does: with what it has begun taken back."""

    def end(*_: object) -> None:
        sys.exit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def percentage(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal how much is done; show nothing elsewhere."""
    shown = -1

    def progress(done: int, total: int) -> None:
        nonlocal shown
        percent = 100 * done // total if total else 100
        if percent != shown:
            shown = percent
            click.echo(f"\r{label}: {percent} %", nl=False, err=True)

    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    try:
        yield progress
    finally:
        if shown >= 0:
            click.echo("\r" + " " * (len(label) + 8) + "\r", nl=False, err=True)
