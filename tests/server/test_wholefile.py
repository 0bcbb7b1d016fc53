"""Files that are there and whole, or not there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from txpachube.server.wholefile import whole_file


def test_a_file_gets_its_name_at_the_end(tmp_path: Path) -> None:
    """Until it is complete there is no file of this name, and then there is nothing else."""
    path = tmp_path / "copy"
    umask = os.umask(0)
    try:
        with whole_file(path) as temporary:
            temporary.write_text("all of it")
            assert not path.exists()
    finally:
        os.umask(umask)
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("copy", "all of it")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    """Neither half a file nor what SQLite keeps beside one."""

    def fail() -> None:
        with whole_file(tmp_path / "copy") as temporary:
            temporary.write_text("half")
            temporary.with_name(f"{temporary.name}-journal").write_text("of it")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_stays_unless_it_may_go(tmp_path: Path) -> None:
    """It stays whole until the new one takes its place."""
    path = tmp_path / "copy"
    path.write_text("old")
    with pytest.raises(FileExistsError), whole_file(path):
        pass
    with whole_file(path, replace=True) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_a_file_that_came_meanwhile_stays(tmp_path: Path) -> None:
    """Two who write the same file do not overwrite each other."""
    path = tmp_path / "copy"

    def meet() -> None:
        with whole_file(path):
            path.write_text("faster")

    with pytest.raises(FileExistsError):
        meet()
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("copy", "faster")]


def test_a_link_that_leads_nowhere_is_a_file_too(tmp_path: Path) -> None:
    """What would be written through it could lie anywhere."""
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError), whole_file(tmp_path / "link"):
        pass
