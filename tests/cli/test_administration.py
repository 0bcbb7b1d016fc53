"""
The commands of administration, typed as a person would, beside a running service and without one.

A running service is never told directly: it must find out by itself, and within `NOTICED`.
"""

from __future__ import annotations

import http.client
import json
import os
import sqlite3
import stat
import subprocess
import sys
import time
from base64 import b64encode
from pathlib import Path

import pytest

from txpachube.testing.service import ServiceProcess

NOTICED = 2.0
"""Seconds within which a running service goes by what a command has changed."""

ALL = ["get", "put", "post", "delete"]


def ask(service: ServiceProcess, line: str, key: str = "", body: str = "", **headers: str) -> int:
    """Return the status of the answer to a request."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    try:
        method, _, path = line.partition(" ")
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body or None, {"X-ApiKey": key, **sent} if key else sent)
        return connection.getresponse().status
    finally:
        connection.close()


def becomes(
    service: ServiceProcess, status: int, line: str, key: str = "", body: str = "", **headers: str
) -> None:
    """Ask again and again until the service answers with a status, for as long as it may take."""
    deadline = time.monotonic() + NOTICED
    while (found := ask(service, line, key, body, **headers)) != status:
        assert time.monotonic() < deadline, f"{line} still answers {found}"
        time.sleep(0.02)


def stored(directory: ServiceProcess) -> list[str]:
    """Return everything in the database of a directory."""
    database = sqlite3.connect(f"file:{directory.data / 'pachube.sqlite3'}?mode=ro", uri=True)
    try:
        return list(database.iterdump())
    finally:
        database.close()


# Beside a running service


def test_a_device_is_adopted(service: ServiceProcess) -> None:
    """An orphaned device writes with the feed id and the key of its firmware as soon as it was adopted."""
    path = "/v2/feeds/5004.csv"
    assert ask(service, f"PUT {path}", "Firmware_key-1", "temp,1") == 401
    facts = service.run_json(
        "adopt", "--feed", "5004", "--key", "Firmware_key-1", "--title", "Meter", "--datastream", "temp"
    )
    assert facts == {
        "id": 5004,
        "owner": "admin",
        "title": "Meter",
        "private": False,
        "datastreams": ["temp"],
    }
    becomes(service, 200, f"PUT {path}", "Firmware_key-1", "temp,1")
    assert ask(service, f"GET {path}", "Firmware_key-1") == 200
    assert ask(service, "POST /v2/feeds.json", "Firmware_key-1", '{"title":"x"}') == 403
    assert (
        service.run("adopt", "--feed", "5004", "--key", "Firmware_key-1", "--datastream", "door").returncode
        == 0
    )
    becomes(service, 200, "GET /v2/feeds/5004/datastreams/door.csv", "Firmware_key-1")
    assert ask(service, "GET /v2/feeds/5004/datastreams/temp.csv", "Firmware_key-1") == 200
    shown = service.run_json("feed", "show", "5004")
    assert shown["datastreams"] == ["door", "temp"]


def test_a_device_with_several_feeds_is_adopted(service: ServiceProcess) -> None:
    """A key that is in the firmware for several feeds may write each of them, and no other."""
    for feed_id in ("5101", "5102", "5103"):
        adopted = service.run("adopt", "--feed", feed_id, "--key", "Gateway_key")
        assert adopted.returncode == 0, adopted.stderr
    other = str(service.run_json("feed", "add")["id"])
    for feed_id, status in (("5101", 200), ("5102", 200), ("5103", 200), (other, 403)):
        becomes(service, status, f"PUT /v2/feeds/{feed_id}.csv", "Gateway_key", "temp,1")
    (key,) = [key for key in service.run_json("key", "list") if 5101 in key["feeds"]]
    assert (key["feeds"], key["may"]) == ([5101, 5102, 5103], ALL)


def test_a_key_that_could_only_read_may_write_after_an_adoption(service: ServiceProcess) -> None:
    """What the command promises holds: the device's key may write the feed."""
    service.run_json("feed", "add", "--id", "5201")
    service.run_json("key", "add", "--feed", "5201", "--read-only", "--key", "Reader_key")
    becomes(service, 403, "PUT /v2/feeds/5201.csv", "Reader_key", "temp,1")
    assert service.run("adopt", "--feed", "5201", "--key", "Reader_key").returncode == 0
    becomes(service, 200, "PUT /v2/feeds/5201.csv", "Reader_key", "temp,1")


def test_a_feed_comes_and_goes(service: ServiceProcess) -> None:
    """A feed that is added or removed is there or gone, with its values and the keys for it alone."""
    service.run_json("feed", "add", "--id", "5301", "--title", "Roof", "--datastream", "wind")
    key = service.run_json("key", "add", "--feed", "5301", "--label", "vane")["api_key"]
    becomes(service, 200, "PUT /v2/feeds/5301.csv", key, "wind,9")
    removed = service.run("feed", "remove", "5301", "--yes")
    assert (removed.returncode, removed.stdout) == (0, "Removed feed 5301.\n")
    becomes(service, 404, "GET /v2/feeds/5301.csv", service.api_key)
    assert ask(service, "GET /v2/feeds/5301.csv", key) == 401
    service.run_json("feed", "add", "--id", "5301", "--datastream", "wind")
    becomes(service, 200, "GET /v2/feeds/5301/datastreams/wind.csv", service.api_key)
    assert service.run_json("feed", "show", "5301")["title"] == "Feed 5301"


def test_a_datastream_of_a_removed_feed_is_not_written_any_more(service: ServiceProcess) -> None:
    """Writes that go on while the feed is removed do not bring it back, nor stop the service."""
    service.run_json("feed", "add", "--id", "5302", "--datastream", "wind")
    becomes(service, 200, "PUT /v2/feeds/5302.csv", service.api_key, "wind,1")
    assert service.run("feed", "remove", "5302", "--yes").returncode == 0
    statuses = {ask(service, "PUT /v2/feeds/5302.csv", service.api_key, f"wind,{n}") for n in range(50)}
    assert statuses <= {200, 404}
    becomes(service, 404, "PUT /v2/feeds/5302.csv", service.api_key, "wind,1")
    assert all(feed["id"] != 5302 for feed in service.run_json("feed", "list"))


def test_a_key_comes_and_goes(service: ServiceProcess) -> None:
    """A key works after it was added and is void after it was removed."""
    facts = service.run_json("key", "add", "--master", "--label", "mine", "--key", "My-master_key")
    assert facts | {"number": 0} == {
        "number": 0,
        "owner": "admin",
        "label": "mine",
        "may": ALL,
        "feeds": [],
        "private_access": True,
        "api_key": "My-master_key",
    }
    becomes(service, 200, "GET /v2/keys.json", "My-master_key")
    number = str(facts["number"])
    assert service.run_json("key", "show", number) == facts
    removed = service.run("key", "remove", number)
    assert (removed.returncode, removed.stdout) == (0, f"Removed key {number} (mine).\n")
    becomes(service, 401, "GET /v2/keys.json", "My-master_key")


def test_an_account_comes_and_goes(service: ServiceProcess, tmp_path: Path) -> None:
    """An account can log in with its password, has a master key, and takes everything along when it goes."""
    password = tmp_path / "password"
    password.write_text("correct horse\nthe second line is no part of it\n")
    facts = service.run_json("user", "add", "rosa", "--password-file", str(password))
    assert set(facts) == {"login", "api_key"}
    becomes(service, 200, "GET /v2/keys.json", facts["api_key"])
    basic = "Basic " + b64encode(b"rosa:correct horse").decode()
    assert ask(service, "GET /v2/keys.json", Authorization=basic) == 200
    service.run_json("feed", "add", "--owner", "rosa", "--id", "5401")
    becomes(service, 200, "PUT /v2/feeds/5401.csv", facts["api_key"], "a,1")
    assert ask(service, "PUT /v2/feeds/5401.csv", service.api_key, "a,1") == 403
    shown = service.run_json("user", "show", "rosa")
    assert (shown["login"], shown["feeds"], shown["keys"]) == ("rosa", 1, 1)
    assert [user["login"] for user in service.run_json("user", "list")] == ["admin", "rosa"]
    removed = service.run("user", "remove", "rosa", "--yes")
    assert (removed.returncode, removed.stdout) == (0, "Removed rosa and 1 feeds.\n")
    becomes(service, 401, "GET /v2/keys.json", facts["api_key"])
    becomes(service, 401, "GET /v2/keys.json", Authorization=basic)
    becomes(service, 404, "GET /v2/feeds/5401.csv", service.api_key)


def test_an_account_is_changed(service: ServiceProcess, tmp_path: Path) -> None:
    """What is said of it is shown, and what is not said stays; a password of nothing is refused."""
    service.run_json("user", "add", "anna", "--email", "anna@example.org", "--feeds-allowed", "5")
    shown = service.run_json("user", "show", "anna")
    assert (shown["email"], shown["creator"], shown["roles"], shown["creatable_roles"]) == (
        "anna@example.org",
        "",
        ["default"],
        [],
    )
    assert (shown["feeds_allowed"], shown["datastreams_allowed"]) == (5, "default")
    changed = service.run(
        *("user", "change", "anna", "--creatable-role", "b", "--creatable-role", "a"),
        *("--feeds-allowed", "default", "--datastreams-allowed", "unlimited"),
    )
    assert (changed.returncode, changed.stdout) == (0, "Changed anna.\n")
    shown = service.run_json("user", "show", "anna")
    assert (shown["email"], shown["creatable_roles"]) == ("anna@example.org", ["b", "a"])
    assert (shown["feeds_allowed"], shown["datastreams_allowed"]) == ("default", "unlimited")
    service.run("user", "change", "anna", "--creatable-role", "").check_returncode()
    assert service.run_json("user", "show", "anna")["creatable_roles"] == []
    password = tmp_path / "password"
    for content, says in (("\n", "first line is empty"), ("x" * 256, "at most 255 characters")):
        password.write_text(content)
        failed = service.run("user", "change", "anna", "--password-file", str(password))
        assert failed.returncode == 2
        assert says in failed.stderr
        assert "xxx" not in failed.stderr


def test_an_account_without_a_password_cannot_log_in(service: ServiceProcess) -> None:
    """Without a password file nobody can log in as the account; its key works."""
    key = service.run_json("user", "add", "robot")["api_key"]
    becomes(service, 200, "GET /v2/keys.json", key)
    for password in ("", "None", "robot"):
        basic = "Basic " + b64encode(f"robot:{password}".encode()).decode()
        assert ask(service, "GET /v2/keys.json", Authorization=basic) == 401


def test_what_the_service_made_is_seen(service: ServiceProcess) -> None:
    """The commands show feeds and keys that were made through the API, and remove them."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    connection.request("POST", "/v2/feeds", '{"title":"By a program"}', {"X-ApiKey": service.api_key})
    location = connection.getresponse().headers["Location"]
    connection.close()
    number = location.rpartition("/")[2]
    assert service.run_json("feed", "show", number)["title"] == "By a program"
    assert service.run("feed", "remove", number, "--yes").returncode == 0
    becomes(service, 404, f"GET /v2/feeds/{number}", service.api_key)


def test_ids_made_here_and_there_do_not_collide(service: ServiceProcess) -> None:
    """A feed from the API gets another id than one a command has just made, and ids are not used again."""
    made = service.run_json("feed", "add")["id"]
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    connection.request("POST", "/v2/feeds", '{"title":"x"}', {"X-ApiKey": service.api_key})
    location = connection.getresponse().headers["Location"]
    connection.close()
    number = int(location.rpartition("/")[2])
    assert number > made
    assert service.run("feed", "remove", str(number), "--yes").returncode == 0
    assert service.run_json("feed", "add")["id"] > number


# Without a service


def test_everything_works_offline(offline: ServiceProcess) -> None:
    """What was set up before the first start is there when the service starts."""
    first = offline.run("adopt", "--feed", "504", "--key", "Firmware_key", "--datastream", "temp")
    assert first.returncode == 0
    assert "Feed 504 is ready" in first.stdout
    assert str(offline.data / "admin.toml") in first.stderr
    assert offline.api_key not in first.stdout + first.stderr
    assert stat.S_IMODE((offline.data / "admin.toml").stat().st_mode) == 0o600
    assert stat.S_IMODE(offline.data.stat().st_mode) == 0o700
    second = offline.run_json("feed", "add", "--id", "505", "--datastream", "a", "--datastream", "a")
    assert second["datastreams"] == ["a"]
    with offline as service:
        assert ask(service, "PUT /v2/feeds/504.csv", "Firmware_key", "temp,1") == 200
        assert ask(service, "GET /v2/feeds/505/datastreams/a.csv", service.api_key) == 200
    offline.run("feed", "remove", "505", "--yes")
    with offline as service:
        assert ask(service, "GET /v2/feeds/505.csv", service.api_key) == 404
        assert ask(service, "GET /v2/feeds/504.csv", service.api_key) == 200


def test_lists_for_people(offline: ServiceProcess) -> None:
    """Tables have a head and no key texts; JSON has the same facts."""
    offline.run("adopt", "--feed", "504", "--key", "Firmware_key", "--title", "Meter", "--datastream", "temp")
    assert offline.run("feed", "list").stdout.split() == [
        *("ID", "OWNER", "TITLE", "DATASTREAMS"),
        *("504", "admin", "Meter", "temp"),
    ]
    keys = offline.run("key", "list").stdout
    assert keys.split()[:4] == ["NUMBER", "LABEL", "MAY", "FEEDS"]
    assert "504" in keys.splitlines()[2]
    for printed in (keys, offline.run("key", "list", "--json").stdout):
        assert "Firmware_key" not in printed
        assert offline.api_key not in printed
    assert offline.run("user", "list").stdout.split()[:4] == ["LOGIN", "FEEDS", "KEYS", "CREATED"]
    assert [feed["id"] for feed in json.loads(offline.run("feed", "list", "--json").stdout)] == [504]
    assert offline.run("feed", "list", "--owner", "admin", "--json").stdout.count('"id"') == 1


def test_removing_asks_first(offline: ServiceProcess) -> None:
    """Without ``--yes`` a person is asked; anything but yes leaves everything as it was."""
    offline.run("feed", "add", "--id", "7", "--title", "Roof")
    for typed in ("", "n\n", "no\n"):
        kept = offline.run("feed", "remove", "7", text=typed)
        assert kept.returncode == 1
        assert "Remove feed 7 (Roof) with its history? [y/N]" in kept.stdout
    assert offline.run_json("feed", "show", "7")["id"] == 7
    assert offline.run("user", "remove", "admin", text="n\n").returncode == 1
    assert offline.run("feed", "remove", "7", text="y\n").returncode == 0
    assert offline.run("feed", "show", "7").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["feed", "add", "--id", "504"], 1, "feed 504 exists already"),
        (["feed", "add", "--id", "0"], 2, "'--id'"),
        (["feed", "add", "--id", "504x"], 2, "'504x'"),
        (["feed", "add", "--owner", "nobody"], 1, "there is no account nobody"),
        (["feed", "add", "--datastream", "two words"], 2, "'two words' can't be a datastream's id"),
        (["feed", "show", "9"], 1, "there is no feed 9"),
        (["feed", "remove", "9", "--yes"], 1, "there is no feed 9"),
        (["feed", "list", "--owner", "nobody"], 1, "there is no account nobody"),
        (["key", "add"], 2, "say what the key may do"),
        (["key", "add", "--master", "--read-only"], 2, "--master goes with neither"),
        (["key", "add", "--feed", "9"], 1, "there is no feed 9"),
        (["key", "add", "--master", "--key", "two words"], 2, "a key has letters, digits, - and _ only"),
        (["key", "add", "--master", "--key", "Firmware_key"], 1, "key exists already"),
        (["key", "show", "99"], 1, "there is no such key"),
        (["key", "remove", "99"], 1, "there is no such key"),
        (["user", "add", "x"], 2, "3 to 40 letters, digits, - and _"),
        (["user", "add", "admin"], 1, "account admin exists already"),
        (["user", "show", "nobody"], 1, "there is no account nobody"),
        (["user", "remove", "nobody", "--yes"], 1, "there is no account nobody"),
        (["user", "add", "rosa", "--password-file", "/nonexistent"], 2, "/nonexistent"),
        (["user", "add", "ADMIN"], 1, "account ADMIN exists already"),
        (["user", "add", "rosa", "--creator", "nobody"], 1, "there is no account nobody"),
        (["user", "add", "rosa", "--email", "rosa"], 2, "'rosa' can't be one"),
        (["user", "add", "rosa", "--creatable-role", "two words"], 2, "'two words' can't be one"),
        (["user", "add", "rosa", "--feeds-allowed", "-1"], 2, "not a whole number from 0 to"),
        (["user", "add", "rosa", "--datastreams-allowed", "many"], 2, "not a whole number from 0 to"),
        (["user", "change", "admin"], 2, "say what shall change"),
        (["user", "change", "nobody", "--feeds-allowed", "1"], 1, "there is no account nobody"),
        (["user", "change", "admin", "--password-file", "/nonexistent"], 2, "/nonexistent"),
        (["adopt", "--feed", "504"], 2, "'--key'"),
        (["adopt", "--key", "Firmware_key"], 2, "'--feed'"),
        (["adopt", "--feed", "504", "--key", "Firmware_key", "--owner", "rosa"], 1, "no account rosa"),
        (["adopt", "--feed", "504", "--key", "two words"], 2, "a key has letters, digits, - and _ only"),
        (["adopt", "--feed", "1", "--key", "K", "--datastream", "ä/b"], 2, "can't be a datastream's id"),
    ],
)
def test_what_cannot_be_is_said(
    prepared: ServiceProcess, arguments: list[str], status: int, says: str
) -> None:
    """A command that cannot do it says why on standard error, shows no key text, and changes nothing."""
    before = stored(prepared)
    failed = prepared.run(*arguments)
    assert (failed.returncode, failed.stdout) == (status, "")
    assert says in " ".join(failed.stderr.split())
    assert "Traceback" not in failed.stderr
    assert "Firmware_key" not in failed.stderr
    assert stored(prepared) == before


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> ServiceProcess:
    """Return a data directory with the feed 504 and a key for it."""
    directory = ServiceProcess(tmp_path_factory.mktemp("prepared"))
    directory.run("adopt", "--feed", "504", "--key", "Firmware_key").check_returncode()
    return directory


def test_a_feed_or_key_of_somebody_else_is_not_adopted(offline: ServiceProcess) -> None:
    """Adopting takes nothing away from another account."""
    offline.run("adopt", "--feed", "504", "--key", "Firmware_key")
    offline.run("user", "add", "rosa")
    for feed_id, key, says in (("504", "Other_key", "belongs to admin"), ("505", "Firmware_key", "--owner")):
        refused = offline.run("adopt", "--feed", feed_id, "--key", key, "--owner", "rosa")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert says in refused.stderr
    assert [feed["id"] for feed in offline.run_json("feed", "list")] == [504]


@pytest.mark.parametrize("place", ["a file", "below a file", "no database"])
def test_a_data_directory_that_cannot_be_one(tmp_path: Path, place: str) -> None:
    """The error names the directory and is no traceback."""
    if place == "no database":
        data = tmp_path
        (data / "pachube.sqlite3").write_text("this is not a database, although it has its name" * 10)
    else:
        (tmp_path / "file").touch()
        data = tmp_path / "file" if place == "a file" else tmp_path / "file" / "below"
    for arguments in (["feed", "list"], ["serve", "--http", "tcp:0:interface=127.0.0.1"]):
        command = [sys.executable, "-m", "txpachube.cli", *arguments, "--data", str(data)]
        failed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (failed.returncode, failed.stdout) == (1, "")
        assert str(data) in failed.stderr
        assert "Traceback" not in failed.stderr


def test_the_directory_comes_from_the_environment(tmp_path: Path) -> None:
    """``PACHUBE_DATA`` says where the data is; without it, it is in the user's data directory."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("PACHUBE_", "XDG_"))}
    for variables, directory in (
        ({"PACHUBE_DATA": str(tmp_path / "own")}, tmp_path / "own"),
        ({"XDG_DATA_HOME": str(tmp_path / "xdg")}, tmp_path / "xdg" / "txpachube"),
        ({"HOME": str(tmp_path / "home")}, tmp_path / "home" / ".local" / "share" / "txpachube"),
    ):
        command = [sys.executable, "-m", "txpachube.cli", "feed", "list"]
        subprocess.run(command, env={**bare, **variables}, capture_output=True, timeout=60, check=True)
        assert (directory / "pachube.sqlite3").exists()


# Help


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["adopt", "--help"], ["serve", "--help"]])
def test_help_is_quick_and_imports_no_twisted(arguments: list[str]) -> None:
    """A person who asks for help does not wait for libraries that help has no use for."""
    code = (
        "import sys, time; begun = time.perf_counter()\n"
        "from txpachube.cli import main\n"
        f"sys.argv = ['txpachube', *{arguments!r}]\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "took = time.perf_counter() - begun\n"
        "heavy = {'twisted', 'sqlite3', 'rich', 'psutil'} & set(sys.modules)\n"
        "print(took, *sorted(heavy), file=sys.stderr)\n"
    )
    told = []
    for _ in range(3):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout
        took, *heavy = done.stderr.split()
        assert heavy == []
        told.append(float(took))
    assert min(told) < 0.5, "the best of three, since the machine may be busy"


def test_the_command_itself_is_quick() -> None:
    """``txpachube --help`` is there in half a second, with the start of Python and all."""
    command = [str(Path(sys.executable).with_name("txpachube")), "--help"]
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        took.append(time.perf_counter() - begun)
        assert all(name in shown for name in ("adopt", "demo", "feed", "key", "serve", "user"))
    assert min(took) < 0.5
