"""The README: what it tells people to do works, and what it says is there, is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from txpachube.api.routes import ROUTES
from txpachube.server.config import CLOSED, Settings
from txpachube.server.operations import OPERATIONS

if TYPE_CHECKING:
    from tests.conftest import Follower

REPOSITORY = Path(__file__).resolve().parent.parent
README = REPOSITORY / "README.md"


def section(title: str) -> str:
    """Return the text below a heading of the second level."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found.group(1)


def test_every_command_works(follower: Follower) -> None:
    """Somebody who does what the README says sees what the README promises."""
    follower.follow(README)
    assert {"make demo", "make test", "txpachube serve"} <= set(follower.done)
    assert '"current_value":"21.5"' in follower.printed
    assert re.search(r"^2\d\d\d-\S+Z 21\.75$", follower.printed, re.MULTILINE)


def test_no_command_escapes() -> None:
    """Every block of the README is one that is run."""
    languages = re.findall(r"^```(.*)$", README.read_text("utf-8"), re.MULTILINE)
    assert set(languages[::2]) == {"sh", "python"}
    assert set(languages[1::2]) == {""}


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_lead_somewhere(name: str) -> None:
    """A link to a file or a heading of this repository has a target."""
    text = (REPOSITORY / name).read_text("utf-8")
    headings = {
        re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif "://" not in target:
            assert (REPOSITORY / target.partition("#")[0]).exists(), target


def test_it_is_honest_about_the_doors() -> None:
    """Every door that can be opened has its flag in the table of doors, and the table has no other flag."""
    table = section("Bring an old device home").partition("| door |")[2]
    doors = {name for name, value in msgspec.structs.asdict(Settings(data="")).items() if is_door(str(value))}
    assert set(re.findall(r"`--([a-z-]+)`", table)) == {name.replace("_", "-") for name in doors}


def is_door(default: str) -> bool:
    """Say whether a setting is a door: it can be closed."""
    return default == CLOSED or default.startswith("tcp:")


def test_it_is_honest_about_the_routes() -> None:
    """What the service serves is not called missing, and what it does not serve is not called there."""
    resources = {route.name.partition(".")[0] for route in ROUTES}
    served = {name.partition(".")[0] for name in OPERATIONS}
    missing = section("What is not there yet")
    there = section("What is there")
    for resource in sorted(resources - {"datapoint"}):
        assert (resource in missing.lower()) == (resource not in served), (
            f"the README must say of {resource} what is true"
        )
        if resource in served:
            assert resource in there.lower(), f"the README must tell that there are {resource}"
