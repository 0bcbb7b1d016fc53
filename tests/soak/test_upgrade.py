"""
A database that any earlier version wrote answers as before.

For each schema there ever was, a database is made by the numbered files up to it, with rows as that version
wrote them, in all of its tables. The service upgrades it. What it answers then is compared with what it
answers to the same rows in a database made by all files at once, and with what the rows say.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any, Final

import pytest
from tests.soak.databases import DATABASE
from tests.soak.services import AllDoors, ask

from txpachube.server.storage import database
from txpachube.server.storage.database import latest_version
from txpachube.times import SECOND, parse

NOON: Final = parse("2013-06-01T12:00:00Z")
HASH: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
)


def key_row(number: int, text: str, label: str, private: int) -> tuple[str, tuple[object, ...]]:
    return (
        "INSERT INTO keys VALUES (?, ?, ?, 1, ?, ?, NULL)",
        (number, hashlib.sha256(text.encode()).digest(), text, label, private),
    )


ROWS: Final[dict[int, list[tuple[str, tuple[object, ...]]]]] = {
    1: [
        ("INSERT INTO users (id, login, password_hash, created) VALUES (1, 'admin', ?, ?)", (HASH, NOON)),
        ("INSERT INTO users (id, login, password_hash, created) VALUES (2, 'rosa', NULL, ?)", (NOON,)),
        key_row(1, "master-key", "master key", 1),
        key_row(2, "limited-key", "of the hut", 1),
        ("INSERT INTO permissions VALUES (1, 1, 'get,put,post,delete', NULL, NULL, NULL, NULL)", ()),
        ("INSERT INTO permissions VALUES (2, 2, 'get,put', '127.0.0.0/8', NULL, NULL, 'p')", ()),
        ("INSERT INTO resources VALUES (1, 2, 1, 'temp', NULL)", ()),
        (
            (
                "INSERT INTO feeds (id, owner, private, title, description, email, tags, location,"
                " location_at, created, updated, data_at)"
                " VALUES (1, 1, 0, 'Hut', 'A \u00e9 hut', 'a@example.org', ?, ?, ?, ?, ?, ?)"
            ),
            ('["a","b c"]', '{"name":"x","lat":52.5,"lon":1.25}', NOON, NOON, NOON + SECOND, NOON + SECOND),
        ),
        (
            (
                "INSERT INTO feeds (id, owner, private, title, tags, location, created, updated, data_at)"
                " VALUES (2, 1, 1, 'Attic', '[]', '{}', ?, ?, ?)"
            ),
            (NOON, NOON, NOON),
        ),
        ("INSERT INTO waypoints VALUES (1, ?, 52.5, 1.25, NULL)", (NOON,)),
        (
            "INSERT INTO datastreams VALUES (1, 1, 'temp', '[\"t\"]', ?, '21.50', ?, 30.0, -5.0, ?, 2)",
            ('{"type":"derivedSI","symbol":"C","label":"Celsius"}', NOON + SECOND, NOON + SECOND),
        ),
        ("INSERT INTO datastreams VALUES (2, 1, 'door', '[]', '{}', NULL, NULL, NULL, NULL, ?, 0)", (NOON,)),
        ("INSERT INTO history VALUES (1, ?, '0021')", (NOON,)),
        ("INSERT INTO history VALUES (1, ?, '21.50')", (NOON + SECOND,)),
        # It was killed before these were folded.
        ("INSERT INTO journal VALUES (3, 1, ?, '1e3', ?, 1)", (NOON + 2 * SECOND, NOON + 2 * SECOND)),
        ("INSERT INTO journal VALUES (4, 2, ?, 'open', ?, 0)", (NOON + 2 * SECOND, NOON + 2 * SECOND)),
        ("UPDATE counters SET value = 4 WHERE name = 'journal'", ()),
    ],
    2: [
        (
            "INSERT INTO triggers VALUES (1, 1, 1, 'http://x.example', 'gt', '15.0', 'http:', ?, 1, ?, ?)",
            (NOON, NOON + SECOND, NOON + SECOND),
        ),
        ("INSERT INTO attempts VALUES (1, 1, ?, 200, NULL)", (NOON + SECOND,)),
    ],
    3: [("UPDATE users SET email = 'rosa@example.org', about = 'Me' WHERE login = 'rosa'", ())],
    4: [
        (
            "INSERT INTO products VALUES (1, 'box_0123456789012345', 1, 'Box', '', ?, 'develop', '{}', 1, 0)",
            ("ab" * 20,),
        ),
        ("INSERT INTO devices VALUES (1, 1, 'box-1', ?, ?, NULL, NULL, NULL)", (b"x" * 32, NOON)),
    ],
    5: [],  # what it added is kept by the database itself
    6: [
        (
            "INSERT INTO requests VALUES (1, 1, 1, 1, ?, 1, 200, NULL, '{}')",
            (NOON,),
        ),
    ],
    7: [("INSERT INTO retention VALUES (2, 0)", ())],
}
"""What each version added to what can be stored."""

QUESTIONS: Final = (
    "/v2/feeds.json",
    "/v2/feeds/1.json",
    "/v2/feeds/1.xml",
    "/v2/feeds/1.csv",
    "/v2/feeds/2.json",
    "/v2/feeds/1/datastreams/temp.json?start=2013-06-01T11:00:00Z&end=2013-06-01T13:00:00Z&interval=0",
    "/v2/feeds/1/datastreams/door.json",
    "/v2/keys.json",
    "/v2/keys/limited-key.json",
    "/v2/triggers.json",
    "/v2/users.json",
    "/v2/users/admin.json",
    "/v2/users/rosa.json",
    "/v2/products.json",
    "/v2/products/box_0123456789012345/devices.json",
)

VERSIONS: Final = range(1, latest_version() + 1)


def write(file: Path, made_by: int, rows_of: int) -> None:
    """Make a database by the first files of the schema, with the rows of a version that was no later."""
    connection = sqlite3.connect(file, isolation_level=None)
    for number, script in database._steps():
        if number <= made_by:
            connection.executescript(script)
            connection.execute(f"PRAGMA user_version = {number}")
    for number in range(1, rows_of + 1):
        for statement, values in ROWS.get(number, []):
            connection.execute(statement, values)
    # What a file says about rows that are there when it is applied, it says about these as well.
    if rows_of < 3 <= made_by:
        script = dict(database._steps())[3]
        connection.execute(script[script.rindex("UPDATE users") :])
    connection.close()


def answers(folder: Path) -> dict[str, Any]:
    """Return what the service says to every question, after it has upgraded the database if it must."""
    found: dict[str, Any] = {}
    with AllDoors(folder) as service:
        for question in QUESTIONS:
            status, text, _ = ask(service, "GET", question, key="master-key")
            shown = text.replace(service.url.encode(), b"URL").decode()
            found[question] = status, json.loads(shown) if ".json" in question else shown
        for method, path, body in (
            ("PUT", "/v2/feeds/1/datastreams/temp.json", {"current_value": "5"}),
            ("PUT", "/v2/feeds/1.json", {"title": "No"}),
        ):
            found[f"{method} {path}"] = ask(service, method, path, body, key="limited-key")[0]
        assert "Traceback" not in service.log
        assert service.stop() == 0
    return found


def without_counts(found: dict[str, Any]) -> Any:
    """Leave out how often was asked, which the questions themselves change."""
    return json.loads(json.dumps(found).replace("total_api_access_count", "count"))


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_a_database_of_any_version_answers_as_before(version: int, tmp_path: Path) -> None:
    """Nothing of it is lost or changed by the upgrade, and a copy of what it was stays beside it."""
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir(mode=0o700)
    write(old / DATABASE, version, version)
    write(new / DATABASE, latest_version(), version)
    before = sqlite3.connect(old / DATABASE).execute("SELECT count(*) FROM history").fetchone()
    upgraded = answers(old)
    assert without_counts(upgraded) == without_counts(answers(new))
    status, feed = upgraded["/v2/feeds/1.json"]
    assert status == 200
    assert (feed["title"], feed["description"], feed["tags"]) == ("Hut", "A \u00e9 hut", ["a", "b c"])
    assert [(stream["id"], stream["current_value"]) for stream in feed["datastreams"]] == [
        ("door", "open"),
        ("temp", "1e3"),
    ]
    _, stream = upgraded[QUESTIONS[5]]
    assert [point["value"] for point in stream["datapoints"]] == ["0021", "21.50", "1e3"]
    assert upgraded["PUT /v2/feeds/1/datastreams/temp.json"] == 200
    assert upgraded["PUT /v2/feeds/1.json"] == 403
    if version >= 2:
        _, triggers = upgraded["/v2/triggers.json"]
        assert triggers[0]["threshold_value"] == "15.0"
    if version < latest_version():
        copy = sqlite3.connect(old / f"{DATABASE}.v{version}-before-v{latest_version()}")
        assert copy.execute("PRAGMA user_version").fetchone() == (version,)
        assert copy.execute("SELECT count(*) FROM history").fetchone() == before
        copy.close()


def test_every_version_adds_something_here() -> None:
    """A schema that is new needs rows in this test, if it has tables that can have some."""
    assert set(ROWS) <= set(VERSIONS)
    for number, script in database._steps():
        assert number in ROWS or "CREATE TABLE" not in script, f"schema {number} has no rows here"
