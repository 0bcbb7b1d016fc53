"""``txpachube feed keep`` and ``feed size``."""

from __future__ import annotations

from pathlib import Path

import pytest

from txpachube.testing.service import ServiceProcess


@pytest.fixture
def offline(tmp_path: Path) -> ServiceProcess:
    """Return a data directory with feed 7 and no service on it."""
    found = ServiceProcess(tmp_path / "data")
    assert found.run("feed", "add", "--id", "7", "--title", "Roof").returncode == 0
    return found


@pytest.mark.parametrize(
    ("arguments", "text", "days"),
    [
        (["--days", "30"], "Feed 7 is kept for 30 days.\n", 30),
        (["--days", "1"], "Feed 7 is kept for 1 day.\n", 1),
        (["--forever"], "Feed 7 is kept for ever.\n", 0),
        (["--usual"], "Feed 7 is kept as long as the settings say.\n", 5),
    ],
)
def test_how_long_a_feed_is_kept(offline: ServiceProcess, arguments: list[str], text: str, days: int) -> None:
    """Said in days, or left to the settings, which the other command is told."""
    assert offline.run("feed", "keep", "7", *arguments).stdout == text
    (found,) = offline.run_json("feed", "size", "--keep-days", "5")["feeds"]
    assert found["days_kept"] == days


@pytest.mark.parametrize("arguments", [[], ["--days", "3", "--forever"], ["--days", "0"], ["--days", "x"]])
def test_what_makes_no_sense_is_refused(offline: ServiceProcess, arguments: list[str]) -> None:
    """With a hint, and nothing changes."""
    assert offline.run("feed", "keep", "7", *arguments).returncode == 2
    assert offline.run("feed", "keep", "9", "--days", "3").returncode == 1


def test_sizes_are_shown_beside_a_running_service(tmp_path: Path) -> None:
    """As a table with a forecast, and for programs."""
    with ServiceProcess(tmp_path / "data") as service:
        assert service.run("feed", "add", "--id", "7", "--title", "Roof").returncode == 0
        shown = service.run("feed", "size")
        assert shown.stdout.splitlines()[0].split() == [
            *("ID", "OWNER", "TITLE", "DATAPOINTS", "SIZE", "A", "DAY", "KEPT")
        ]
        assert "are free; nothing grows." in shown.stdout
        facts = service.run_json("feed", "size", "7")
    assert (facts["growth_per_day"], facts["days_until_full"]) == (0, None)
    assert facts["free"] > 0
    assert facts["feeds"][0]["title"] == "Roof"


def test_what_is_not_there_has_no_size(offline: ServiceProcess, tmp_path: Path) -> None:
    """In words."""
    absent = offline.run("feed", "size", "9")
    assert (absent.returncode, "there is no feed 9" in absent.stderr) == (1, True)
    nowhere = ServiceProcess(tmp_path / "nowhere").run("feed", "size")
    assert (nowhere.returncode, "there is no database" in nowhere.stderr) == (1, True)
