"""
The archive of an account as a file: ZIP, JSON Lines and CSV.

=======================  =======================================================================
``manifest.json``        what this is, which version of this format, and how many rows each file has
``users.jsonl`` …        the rows of each table, a JSON object in a line, by the names of the columns;
                         times are microseconds since 1970. See `tables` for which there are
``history/504.csv``      the datapoints of feed 504: datastream, time, value, with a head
=======================  =======================================================================

Ids of feeds and triggers, and the texts of keys, stay what they are. Other numbers only link the rows
of one archive. Both directions go row by row, so the size of an account does not matter; what is kept in
memory is a number for each datastream and each key.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from txpachube.server.administration import is_key_text
from txpachube.server.storage import importing
from txpachube.server.storage.failures import StorageFailed
from txpachube.server.storage.importing import Unfit
from txpachube.server.storage.tables import TABLES, Row, Table
from txpachube.times import parse

__all__ = [
    "FORMAT",
    "SLICE",
    "VERSION",
    "BadArchive",
    "Manifest",
    "Part",
    "Progress",
    "ReadArchive",
    "open_archive",
    "write_history",
    "write_manifest",
    "write_rows",
]

FORMAT: Final = "txpachube account"
VERSION: Final = 1
"""Of the format; a later one is refused."""

MANIFEST: Final = "manifest.json"

LONGEST_LINE: Final = 4 * 1024 * 1024
"""Characters of one line at the most: the largest request is 1 MiB, and escapes make it longer."""

LARGEST_MANIFEST: Final = 16 * 1024 * 1024
"""Bytes: some 150 000 feeds."""

SLICE: Final = 5_000
"""Datapoints that are stored in one transaction: bounds how long a running service waits."""

MOST_CONFLICTS: Final = 20
"""How many of the things that stand in the way are named."""

_HEAD: Final = ["datastream", "at", "value"]
_LOGIN: Final = re.compile(r"[^\s/]{1,255}")

Progress = Callable[[int, int], None]
"""Gets how many datapoints are done, and how many there are."""


class BadArchive(StorageFailed):
    """The file is no archive of an account, or not a whole one; the text says why."""


class Part(msgspec.Struct, frozen=True):
    """A file of the archive."""

    file: str
    rows: int


class Manifest(msgspec.Struct, frozen=True):
    """What an archive says of itself."""

    format: str
    version: int
    program: str
    schema: int
    login: str
    made: str
    parts: list[Part]


class ReadArchive:
    """An archive that is read; every row is checked for what the database itself does not check."""

    def __init__(self, archive: zipfile.ZipFile, login: str | None) -> None:
        self._archive = archive
        self.manifest = _manifest(archive)
        self._rows = {part.file: part.rows for part in self.manifest.parts}
        self.login = login or self.manifest.login
        if _LOGIN.fullmatch(self.login) is None:
            raise Unfit("the login of the account is none")
        known = {f"{table.name}.jsonl" for table in TABLES}
        for name, rows in self._rows.items():
            if name not in known and not re.fullmatch(r"history/[0-9]{1,19}\.csv", name) and rows:
                raise Unfit(f"a later version has made the archive: {name} is unknown here")
        if self._rows.get("users.jsonl") != 1:
            raise Unfit("there is no account in it")

    @property
    def total_points(self) -> int:
        """How many datapoints there are."""
        return sum(rows for name, rows in self._rows.items() if name.startswith("history/"))

    def rows(self, table: Table) -> Iterator[Row]:
        """Yield the rows of a table."""
        name = f"{table.name}.jsonl"
        if name not in self._rows:
            return
        count = 0
        with self._lines(name) as lines:
            for line in lines:
                row = _decoded(name, line)
                _check(table.name, row)
                if table.name == "users":
                    row["login"] = self.login
                count += 1
                yield row
        self._agree(name, count)

    def conflicts(self, db: Any) -> list[str]:
        """Return what stands in the way of the import, in words, not more than a person reads."""
        found = (
            text
            for table in TABLES
            for row in self.rows(table)
            for text in importing.conflicts(db, table, row)
        )
        some = list(islice(found, MOST_CONFLICTS + 1))
        return some if len(some) <= MOST_CONFLICTS else [*some[:-1], "and more"]

    def streams(self) -> dict[tuple[int, str], int]:
        """Return (feed, name) of all datastreams, in their order."""
        (table,) = (table for table in TABLES if table.name == "datastreams")
        return {(row["feed"], row["name"]): 0 for row in self.rows(table)}

    def points(self, streams: Mapping[tuple[int, str], int]) -> Iterator[tuple[int, int, str]]:
        """Yield (number of the datastream, at, value) of all datapoints."""
        for name in self._rows:
            if not name.startswith("history/"):
                continue
            feed, count = int(Path(name).stem), 0
            with self._lines(name) as lines:
                reader = csv.reader(lines, strict=True)
                try:
                    if next(reader, None) != _HEAD:
                        raise Unfit(f"{name} has another head than {','.join(_HEAD)}")
                    for stream, at, value in reader:
                        count += 1
                        yield streams[feed, stream], parse(at), value
                except (csv.Error, KeyError, ValueError) as problem:
                    raise Unfit(f"{name}: datapoint {count}: {problem}") from None
            self._agree(name, count)

    @contextmanager
    def _lines(self, name: str) -> Iterator[Iterator[str]]:
        try:
            with self._archive.open(name) as raw:
                yield _lines(io.TextIOWrapper(raw, "utf-8", newline=""), name)
        except KeyError:
            raise Unfit(f"{name} is missing") from None
        except UnicodeDecodeError:
            raise Unfit(f"{name} is no text in UTF-8") from None

    def _agree(self, name: str, count: int) -> None:
        if count != self._rows[name]:
            raise Unfit(f"{name} has {count} rows, and {MANIFEST} says {self._rows[name]}")


def _lines(text: io.TextIOWrapper, name: str) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise Unfit(f"a line of {name} is too long")
        yield line


def _decoded(name: str, line: str) -> Row:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError):
        raise Unfit(f"{name} is not made of JSON objects") from None


def _check(table: str, row: Row) -> None:
    """
    Check what nothing behind the import checks.

    Raises:
        Unfit: it is not as it must be.
    """
    if table == "keys" and not is_key_text(str(row.get("text"))):
        raise Unfit("a key has a text that no key can have")
    if table == "feeds" and not (isinstance(row.get("id"), int) and 0 < row["id"] < 1 << 63):
        raise Unfit("a feed has an id that no feed can have")
    if table == "datastreams" and not (
        isinstance(row.get("feed"), int) and isinstance(row.get("name"), str) and 0 < len(row["name"]) <= 255
    ):
        raise Unfit("a datastream has an id that no datastream can have")


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    try:
        with archive.open(MANIFEST) as file:
            manifest = msgspec.json.decode(file.read(LARGEST_MANIFEST), type=Manifest)
    except KeyError:
        raise Unfit(f"there is no {MANIFEST}; it is no archive of an account") from None
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise Unfit(f"{MANIFEST} is not that of an archive of an account") from None
    if manifest.format != FORMAT:
        raise Unfit("it is no archive of an account")
    if manifest.version > VERSION:
        raise Unfit(f"it has version {manifest.version} of the format; this program knows {VERSION}")
    return manifest


def write_manifest(archive: zipfile.ZipFile, manifest: Manifest) -> None:
    """Write what the archive says of itself, when everything else is in it."""
    archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))


def write_rows(archive: zipfile.ZipFile, name: str, rows: Iterator[Row]) -> Part:
    """Write the rows of a table, a line each."""
    count = 0
    with archive.open(name, "w", force_zip64=True) as file:
        for row in rows:
            file.write(msgspec.json.encode(row) + b"\n")
            count += 1
    return Part(name, count)


def write_history(
    archive: zipfile.ZipFile,
    name: str,
    rows: Iterator[tuple[str, str, str]],
    done: int,
    total: int,
    progress: Progress,
) -> Part:
    """Write (datastream, time, value) of a feed; ``done`` of ``total`` datapoints are written already."""
    count = 0
    with (
        archive.open(name, "w", force_zip64=True) as file,
        io.TextIOWrapper(file, "utf-8", newline="") as text,
    ):
        writer = csv.writer(text)  # ends lines with CR LF, so it quotes both
        writer.writerow(_HEAD)
        while batch := list(islice(rows, SLICE)):
            writer.writerows(batch)
            count += len(batch)
            progress(min(done + count, total), total)
    return Part(name, count)


@contextmanager
def open_archive(file: Path) -> Iterator[zipfile.ZipFile]:
    """
    Open an archive for reading.

    Raises:
        BadArchive: it is none, or not a whole one.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as problem:
        raise BadArchive(f"{file} is no whole archive: {problem}") from None
