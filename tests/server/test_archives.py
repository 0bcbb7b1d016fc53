"""One account in one file: everything is in it, and comes back as it was, or nothing does."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import stat
import tempfile
import zipfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_twisted import blockon
from twisted.internet.defer import Deferred

from txpachube.server import archives
from txpachube.server.administration import DATABASE_FILE, first_start, open_administration
from txpachube.server.archivefile import LONGEST_LINE, BadArchive
from txpachube.server.archives import InTheWay, NoAccount, export_account, import_account
from txpachube.server.storage import importing
from txpachube.server.storage.accounts import key_hash
from txpachube.server.storage.database import connect
from txpachube.server.storage.exporting import find_account
from txpachube.server.storage.failures import AlreadyRunning, StorageFailed
from txpachube.server.storage.importing import import_lock
from txpachube.testing.inprocess import NOON, InProcess
from txpachube.times import EARLIEST, LATEST

WATCHED = """{"trigger": {"environment_id": 1, "stream_id": "temp", "trigger_type": "gt",
  "threshold_value": "30", "url": "http://receiver.example/"}}"""
OF_OTTO = WATCHED.replace(
    '"environment_id": 1, "stream_id": "temp"', '"environment_id": 3, "stream_id": "wind"'
)
MOVED = '{"location": {"disposition": "mobile", "lat": %s, "lon": 9.0, "ele": "41.0"}}'

READS = [
    f"GET /v2/feeds{path}"
    for path in (
        "/1.json?show_user=true",
        "/1.xml",
        "/1.csv",
        "/1.json?duration=6hours&interval=0&limit=1000",
        "/1/datastreams/temp.json?start=2013-06-01T07:00:00Z&end=2013-06-01T12:00:00Z&interval=0",
        "/1/datastreams/7.json",
        "/1/datastreams/log.csv.csv",
        "/2.json",
        "/2/datastreams/wine.xml",
        ".json?user=rosa&content=full&order=created_at",
        "/1.json?show_user=true&duration=1day",
    )
] + ["GET /v2/keys.json", "GET /v2/keys/greenhouse.json", "GET /v2/triggers.json", "GET /v2/triggers/1.xml"]


def quietly(done: int, total: int) -> None:
    """Show nothing."""


@pytest.fixture
def data(garden: InProcess, tmp_path: Path) -> Path:
    """Return the data directory of a service with accounts, feeds, history, waypoints, keys and triggers."""
    blockon(Deferred.fromCoroutine(grown(garden)))
    return tmp_path


async def grown(garden: InProcess) -> None:
    """Let some more happen in the garden."""
    assert (await garden.ask("POST /v2/triggers.json", WATCHED)).status == 201
    assert (await garden.ask("POST /v2/triggers.json", OF_OTTO)).status == 201
    for minute, body in enumerate(("temp,22.5", 'temp,"a ""text"", of two\nlines"', "7,0000017")):
        garden.now += 60_000_000 * minute
        assert (await garden.ask("PUT /v2/feeds/1.csv", body)).status == 200
    for lat in (52.25, 52.375, 52.5):
        garden.now += 1_000_000
        assert (await garden.ask("PUT /v2/feeds/1.json", MOVED % lat)).status == 200
    assert (
        await garden.ask("PUT /v2/feeds/1/datastreams/temp.json", '{"max_value": "99", "tags": ["a", "b"]}')
    ).status == 200
    points = [{"at": f"2013-06-01T0{hour}:00:00Z", "value": f"{hour}.50"} for hour in range(9)]
    body = json.dumps({"datapoints": points})
    assert (await garden.ask("POST /v2/feeds/2/datastreams/wine/datapoints.json", body)).status == 200


def exported(data: Path, login: str = "rosa") -> Path:
    """Return the archive of an account."""
    target = data / f"{login}.zip"
    export_account(data, login, target, NOON, replace=True, progress=quietly)
    return target


def imported(data: Path, file: Path, login: str | None = None) -> archives.Imported:
    """Bring an archive in."""
    return import_account(data, file, lambda: NOON, login=login, progress=quietly)


async def answers(service: InProcess) -> list[tuple[int, bytes]]:
    """Return what a service answers to all that can be asked about rosa."""
    found = [await service.ask(line) for line in READS]
    found.append(await service.ask("GET /v2/feeds/1.csv", key="thermometer"))
    return [(answer.status, bytes(answer.body)) for answer in found]


async def opened(folder: Path) -> InProcess:
    """Return a service on a data directory."""
    from twisted.internet import reactor

    service = InProcess(folder / DATABASE_FILE, reactor)
    await service.open()
    return service


def dump(data: Path) -> list[str]:
    """Return everything in a database that can be seen."""
    with closing(sqlite3.connect(data / DATABASE_FILE)) as database:
        return [line for line in database.iterdump() if "sqlite_sequence" not in line]


async def test_every_answer_is_the_same_after_a_move(garden: InProcess, data: Path, tmp_path: Path) -> None:
    """Values, history, waypoints, keys with their texts, triggers; with the journal not yet folded."""
    file = exported(data)
    before = await answers(garden)
    assert {status for status, _ in before} == {200}
    fresh = tmp_path / "fresh"
    done = imported(fresh, file)
    assert done.rows == {
        "feeds": 2,
        "datastreams": 5,
        "waypoints": 3,
        "keys": 9,
        "triggers": 2,
        "datapoints": 17,
    }
    service = await opened(fresh)
    service.now, service.key = garden.now, garden.key
    after = await answers(service)
    without_trigger_of_otto = json.loads(before[READS.index("GET /v2/triggers.json")][1])[:1]
    assert json.loads(after.pop(READS.index("GET /v2/triggers.json"))[1]) == without_trigger_of_otto
    before.pop(READS.index("GET /v2/triggers.json"))
    assert after == before
    assert done.left_out == ["trigger 2, which watches datastream wind of feed 3, which is not here"]
    # It goes on as any other.
    assert (await service.ask("PUT /v2/feeds/1.csv", "temp,23")).status == 200
    assert (await service.ask("GET /v2/feeds/1/datastreams/temp.csv")).body.endswith(b",23")
    await service.close()
    assert [row for row in dump(fresh) if "counters" in row and "import" in row] == []


def test_a_second_move_makes_the_same_archive(data: Path, tmp_path: Path) -> None:
    """What was imported and exported again is what was exported."""
    first = exported(data)
    imported(tmp_path / "fresh", first)
    second = exported(tmp_path / "fresh")
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as two:
        for name in one.namelist():
            if name in ("manifest.json", "triggers.jsonl"):
                continue
            for left, right in zip(one.read(name).splitlines(), two.read(name).splitlines(), strict=True):
                if name.endswith(".csv"):
                    assert left == right
                else:  # numbers that only link rows are given anew
                    numbers = ("id", "owner", "key", "permission") if name != "feeds.jsonl" else ("owner",)
                    rows = [json.loads(line) for line in (left, right)]
                    for row in rows:
                        for number in numbers:
                            row.pop(number, None)
                    assert rows[0] == rows[1]


def test_an_archive_can_be_read_without_this_program(data: Path) -> None:
    """ZIP, JSON and CSV; with one file for the history of each feed."""
    file = exported(data)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        feeds = [json.loads(line) for line in archive.read("feeds.jsonl").splitlines()]
        history = list(csv.reader(io.StringIO(archive.read("history/1.csv").decode(), newline="")))
        parts = {part["file"]: part["rows"] for part in manifest["parts"]}
        assert set(parts) | {"manifest.json"} == set(archive.namelist())
    assert (manifest["format"], manifest["version"], manifest["login"]) == ("txpachube account", 1, "rosa")
    assert [(feed["id"], feed["title"]) for feed in feeds] == [(1, "Greenhouse"), (2, "Cellar")]
    assert feeds[0]["tags"] == ["glass", "Tomato"]
    assert history[0] == ["datastream", "at", "value"]
    assert ["temp", "2013-06-01T09:00:00.000000Z", "19.0"] in history
    assert parts["history/1.csv"] == len(history) - 1


def test_what_is_in_journal_and_history_is_there_once(data: Path, tmp_path: Path) -> None:
    """Of two writes of one time the later counts, wherever they lie."""
    with closing(connect(data / DATABASE_FILE)) as database:
        pk = database.execute("SELECT id FROM datastreams WHERE name = 'wind'").fetchone()[0]
        database.execute(
            "INSERT INTO history VALUES (?, 5, 'old'), (?, 6, 'kept'), (?, 9, 'last')", (pk, pk, pk)
        )
        database.executemany(
            "INSERT INTO journal VALUES (?, ?, ?, ?, 1, 0)",
            [(9001, pk, 5, "new"), (9002, pk, 7, "first"), (9003, pk, 7, "second"), (9004, pk, 11, "end")],
        )
        database.execute("BEGIN")
        account = find_account(database, "otto")
        assert account is not None
        found = [point for point in account.points(pk) if point[0] < 100]
    assert found == [(5, "new"), (6, "kept"), (7, "second"), (9, "last"), (11, "end")]


VALUES = st.text(st.characters(codec="utf-8"), max_size=30)


@given(st.dictionaries(st.integers(EARLIEST, LATEST), VALUES, max_size=20))
def test_any_value_of_any_time_comes_back(points: dict[int, str]) -> None:
    """Quotes, line ends of all kinds, NUL; nothing in a value is taken for something else."""
    with tempfile.TemporaryDirectory() as folder:
        old, new = Path(folder) / "old", Path(folder) / "new"
        with open_administration(old, lambda: NOON) as administration:
            feed = administration.add_feed(administration.add_user("rosa", None), "Roof", ["wind"], 504)
            administration._txn.executemany(
                "INSERT INTO history VALUES (?, ?, ?)",
                [(feed.streams["wind"].pk, at, value) for at, value in points.items()],
            )
        imported(new, exported(old))
        with closing(sqlite3.connect(new / DATABASE_FILE)) as database:
            assert dict(database.execute("SELECT at, value FROM history").fetchall()) == points


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        ("INSERT INTO users (login, created) VALUES ('Rosa', 0)", "there is an account rosa"),
        (
            (
                "INSERT INTO feeds (id, owner, private, title, tags, location, created, updated, data_at)\n"
                " VALUES (2, 1, 0, 'x', '[]', '{}', 0, 0, 0)"
            ),
            "there is a feed 2",
        ),
        ("UPDATE keys SET hash = :hash", "there is a key with the text of the key 'a key'"),
        (
            (
                "INSERT INTO triggers (id, owner, datastream, url, type, base, changed)"
                " SELECT 1, 1, id, 'u', 'gt', 'b', 0 FROM datastreams LIMIT 1"
            ),
            "there is a trigger 1",
        ),
    ],
)
def test_what_is_in_the_way_is_named_and_nothing_changes(
    data: Path, tmp_path: Path, spoil: str, text: str
) -> None:
    """Login, ids, key texts; the text of the key itself is not told."""
    file = exported(data)
    fresh = tmp_path / "fresh"
    first_start(fresh, lambda: NOON)
    with open_administration(fresh, lambda: NOON) as administration:
        administration.add_feed(1, "Own", ["x"], 77)
        administration._txn.execute(spoil, {"hash": key_hash("greenhouse")})
    before = dump(fresh)
    with pytest.raises(InTheWay) as caught:
        imported(fresh, file)
    assert caught.value.conflicts == [text]
    assert dump(fresh) == before


async def test_another_login_may_be_given(data: Path, tmp_path: Path) -> None:
    """A name that is taken is no reason to stay away; feeds and triggers are the new name's."""
    fresh = tmp_path / "fresh"
    with open_administration(fresh, lambda: NOON) as administration:
        administration.add_user("rosa", None)
    assert imported(fresh, exported(data), "rosalind").login == "rosalind"
    service = await opened(fresh)
    service.key = "master-of-rosa"
    found = json.loads((await service.ask("GET /v2/feeds/1.json?show_user=true")).body)
    await service.close()
    assert found["user"]["login"] == "rosalind"


def test_two_accounts_find_each_other_again(data: Path, tmp_path: Path) -> None:
    """A trigger on another account's datastream is there when that account came first."""
    fresh = tmp_path / "fresh"
    imported(fresh, exported(data, "otto"))
    assert imported(fresh, exported(data)).left_out == []
    with closing(sqlite3.connect(fresh / DATABASE_FILE)) as database:
        assert database.execute("SELECT id FROM triggers ORDER BY id").fetchall() == [(1,), (2,)]


@pytest.mark.parametrize("at", ["while it is stored", "at the end"])
def test_an_import_that_fails_leaves_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Neither rows that are seen nor rows that are not."""
    file, fresh = exported(data), tmp_path / "fresh"
    first_start(fresh, lambda: NOON)
    before = dump(fresh)
    monkeypatch.setattr(archives, "SLICE", 2)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    if at == "at the end":
        monkeypatch.setattr(importing.Incoming, "finish", fail)
        progress: Any = quietly
    else:
        progress = fail
    with pytest.raises(KeyboardInterrupt):
        import_account(fresh, file, lambda: NOON, login=None, progress=progress)
    assert dump(fresh) == before
    monkeypatch.undo()
    assert imported(fresh, file).rows["feeds"] == 2


def test_what_a_power_cut_left_is_removed_and_was_never_seen(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a history waits for the next import, which removes it first."""
    file, fresh = exported(data), tmp_path / "fresh"
    first_start(fresh, lambda: NOON)
    before = dump(fresh)
    monkeypatch.setattr(archives, "SLICE", 2)
    with monkeypatch.context() as cut:
        cut.setattr(importing, "abandon", lambda connection: False)  # nobody is there to do it

        def power_cut(done: int, total: int) -> None:
            if done > 5:
                raise SystemExit

        with pytest.raises(SystemExit):
            import_account(fresh, file, lambda: NOON, login=None, progress=power_cut)
    assert dump(fresh) != before
    with open_administration(fresh, lambda: NOON) as administration:
        assert [login for _, login, _ in administration.users()] == ["admin"]
        made = administration.add_feed(1, "Own", ["x"])
    with closing(sqlite3.connect(fresh / DATABASE_FILE)) as database:
        pks = {pk for (pk,) in database.execute("SELECT datastream FROM history")}
        assert pks
        assert made.streams["x"].pk not in pks
    with closing(connect(fresh / DATABASE_FILE)) as database:
        assert importing.abandon(database)
        assert not importing.abandon(database)
        for table in ("history", "purges"):
            assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


async def test_a_start_of_the_service_removes_what_was_left_behind(data: Path, tmp_path: Path) -> None:
    """But not what an import that is still running has brought so far."""
    fresh = tmp_path / "fresh"
    first_start(fresh, lambda: NOON)
    path = fresh / DATABASE_FILE
    with closing(connect(path)) as database:
        with importing.transaction(database) as txn:
            first = importing.set_apart(txn, 2)
            importing.add_points(txn, [(first + 1, at, "x") for at in range(9)])
        for running, left in ((True, 9), (False, 0)):
            with ExitStack() as stack:
                if running:
                    stack.enter_context(import_lock(path))
                service = await opened(fresh)
                await service.close()
            assert database.execute("SELECT count(*) FROM history").fetchone() == (left,)


def test_only_one_import_at_a_time(data: Path, tmp_path: Path) -> None:
    """The second would take what the first has begun for something left behind."""
    file = exported(data)
    (tmp_path / "fresh").mkdir()
    with (
        import_lock(tmp_path / "fresh" / DATABASE_FILE),
        pytest.raises(AlreadyRunning, match="another import"),
    ):
        imported(tmp_path / "fresh", file)


def test_an_account_that_is_not_there(data: Path, tmp_path: Path) -> None:
    """Nothing is written, and the text says what is missing."""
    with pytest.raises(NoAccount, match="there is no account fritz"):
        export_account(data, "fritz", tmp_path / "x", NOON, replace=False, progress=quietly)
    with pytest.raises(NoAccount, match="there is no database"):
        export_account(tmp_path / "absent", "rosa", tmp_path / "x", NOON, replace=False, progress=quietly)
    assert not (tmp_path / "x").exists()


def changed(file: Path, name: str, content: bytes | None) -> Path:
    """Return a copy of an archive in which one file is another one, or missing."""
    copy = file.with_name("changed.zip")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(copy, "w") as new:
        manifest = json.loads(old.read("manifest.json"))
        for part in manifest["parts"]:
            if part["file"] == name and content:
                part["rows"] = content.count(b"\n") - name.endswith(".csv")
        for found in old.namelist():
            data = json.dumps(manifest).encode() if found == "manifest.json" else old.read(found)
            data = (content or b"") if found == name else data
            if found != name or content is not None:
                new.writestr(found, data)
    return copy


def line(**row: object) -> bytes:
    return json.dumps(row).encode() + b"\n"


FEED = {
    "id": 1, "owner": 1, "private": 0, "title": "x", "tags": [], "location": {}, "created": 0, "updated": 0,
    "data_at": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("manifest.json", None, "it is no archive of an account"),
        ("manifest.json", b"[]", "manifest.json is not that of an archive"),
        ("manifest.json", b"[" * 100_000, "manifest.json is not that of an archive"),
        ("keys.jsonl", None, "keys.jsonl is missing"),
        ("keys.jsonl", b"", "keys.jsonl has 0 rows"),
        ("keys.jsonl", b"not JSON\n", "keys.jsonl is not made of JSON objects"),
        ("keys.jsonl", b"\xff\n", "keys.jsonl is no text in UTF-8"),
        ("keys.jsonl", line(text="a b"), "a key has a text that no key can have"),
        ("keys.jsonl", line(text="ok", label="x"), "does not fit|incomplete"),
        ("feeds.jsonl", line(id="1"), "a feed has an id that no feed can have"),
        ("feeds.jsonl", line(**{**FEED, "title": 7}), "feeds: title is of the wrong type"),
        ("feeds.jsonl", line(**{**FEED, "owner": 9}), "belongs to one of users that is not there"),
        ("feeds.jsonl", line(**{**FEED, "colour": "red"}), "feeds has colour, which is unknown here"),
        ("feeds.jsonl", line(**{**FEED, "created": 1 << 70}), "created is too large"),
        ("datastreams.jsonl", line(id=1, feed=1), "a datastream has an id"),
        ("triggers.jsonl", line(id=1, owner=1, datastream=7), "of triggers is incomplete"),
        ("history/1.csv", b"a,b\n", "history/1.csv has another head"),
        ("history/1.csv", b"datastream,at,value\ntemp,now,1\n", "datapoint 1"),
        ("history/1.csv", b"datastream,at,value\nnone,2013-06-01T00:00:00Z,1\n", "datapoint 1"),
        ("history/1.csv", b"datastream,at,value\ntemp,1\n", "datapoint"),
        ("history/1.csv", b'datastream,at,value\n"temp', "datapoint 0"),
        ("history/1.csv", b"x" * (LONGEST_LINE + 1), "a line of history/1.csv is too long"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value,
)
def test_a_bad_archive_changes_nothing(
    data: Path, tmp_path: Path, name: str, content: bytes | None, text: str
) -> None:
    """Whatever is in it, the text says where, and there is no traceback."""
    file = changed(exported(data), name, content)
    fresh = tmp_path / "fresh"
    first_start(fresh, lambda: NOON)
    before = dump(fresh)
    with pytest.raises(BadArchive, match=text):
        imported(fresh, file)
    assert dump(fresh) == before


def test_what_the_service_could_not_load_is_not_imported(data: Path, tmp_path: Path) -> None:
    """A permission with an address that is none would fail with each use of its key."""
    file = exported(data)
    with zipfile.ZipFile(file) as archive:
        content = archive.read("permissions.jsonl").replace(b"198.51.100.0/24", b"my own house")
    with pytest.raises(BadArchive, match="is not as it must be"):
        imported(tmp_path / "fresh", changed(file, "permissions.jsonl", content))


@pytest.mark.parametrize("how", ["rubbish", "half", "damaged", "empty"])
def test_what_is_no_whole_archive_is_refused(data: Path, tmp_path: Path, how: str) -> None:
    """A transfer that broke off, or a disk that forgot some bits."""
    file = exported(data)
    content = file.read_bytes()
    if how == "damaged":
        at = content.index(b"history/1.csv") + 40
        content = content[:at] + bytes(byte ^ 0xFF for byte in content[at : at + 20]) + content[at + 20 :]
    else:
        content = {"rubbish": b"x" * 1000, "half": content[: len(content) // 2], "empty": b""}[how]
    file.write_bytes(content)
    with pytest.raises(BadArchive, match="is no whole archive"):
        imported(tmp_path / "fresh", file)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"version": 2}, "it has version 2 of the format"),
        ({"format": "holiday pictures"}, "it is no archive of an account"),
        ({"login": "a b"}, "the login of the account is none"),
        ({"parts": []}, "there is no account in it"),
    ],
)
def test_a_manifest_that_says_something_else(
    data: Path, tmp_path: Path, change: dict[str, object], text: str
) -> None:
    """A later format is not guessed at."""
    file = exported(data)
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    file = changed(file, "manifest.json", json.dumps({**manifest, **change}).encode())
    with pytest.raises(BadArchive, match=text):
        imported(tmp_path / "fresh", file)


def test_a_file_that_cannot_be_written(data: Path, tmp_path: Path) -> None:
    """The place is named."""
    with pytest.raises(StorageFailed, match=r"absent/x: No such file"):
        export_account(data, "rosa", tmp_path / "absent" / "x", NOON, replace=False, progress=quietly)
    with pytest.raises(FileExistsError):
        export_account(data, "rosa", data / DATABASE_FILE, NOON, replace=False, progress=quietly)
