"""
The ``txpachube`` command with a service that is odd in ways which a test asks for by environment variables.

================== =====================================================================================
ODD_FOLD_ROWS      rows of the journal after which it is folded
ODD_CHECKPOINT     pages of the write-ahead log after which they move to the database file
ODD_SYNCHRONOUS    how much SQLite waits for the disk: OFF makes what is acknowledged a lie
ODD_CLOCK          file with a number of microseconds by which the clock is wrong
================== =====================================================================================
"""

from __future__ import annotations

import os
import sqlite3
from functools import partial
from pathlib import Path

from txpachube.cli import main
from txpachube.server import service
from txpachube.server.clock import now_in_microseconds
from txpachube.server.service import Service
from txpachube.server.storage import database, store
from txpachube.server.storage.store import Store


def careless(path: Path) -> sqlite3.Connection:
    """Open a database in the way that was asked for."""
    connection = database.connect(path)
    connection.execute(f"PRAGMA synchronous = {os.environ['ODD_SYNCHRONOUS']}")
    return connection


def wrong_clock() -> int:
    """Return the time of day, and by how much it is wrong."""
    return now_in_microseconds() + int(Path(os.environ["ODD_CLOCK"]).read_text() or 0)


if __name__ == "__main__":
    if "ODD_FOLD_ROWS" in os.environ:
        vars(service)["Store"] = partial(Store, fold_rows=int(os.environ["ODD_FOLD_ROWS"]))
    if "ODD_CHECKPOINT" in os.environ:
        vars(database)["CHECKPOINT_PAGES"] = int(os.environ["ODD_CHECKPOINT"])
    if "ODD_SYNCHRONOUS" in os.environ:
        vars(store)["connect"] = careless
    if "ODD_CLOCK" in os.environ:
        vars(service)["Service"] = partial(Service, clock=wrong_clock)
    main()
