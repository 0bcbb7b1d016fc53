"""The documentation: complete, and what its pages tell people to do works. ``make docs`` builds it."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
import pytest

import txpachube
from txpachube import client, testing
from txpachube.api.routes import PREFIXES, ROUTES
from txpachube.server.archivefile import Manifest
from txpachube.server.config import Settings, load_settings, variable_of
from txpachube.server.history import FUNCTIONS, INTERVALS
from txpachube.server.storage.tables import TABLES

if TYPE_CHECKING:
    from tests.conftest import Follower

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)
FOLLOWED = [DOCS / "tutorial.md", *sorted((DOCS / "howto").glob("*.md")), REPOSITORY / "CONTRIBUTING.md"]
PRINTED = {
    "tutorial": ["temperature Celsius\n", " 21.50\n", "load Processes\n"],
    "client": ["Roof\n" * 3, "['Roof', 'Roof', 'Roof']\n", "['temperature']\n", "there is no feed 505\n"],
    "graphs": ["Kitchen</text>"],
    "device": ["datastreams  rain, temperature\n", ",21.5"],
    "history": [",21.5", "1 values\n"],
    "products": ["2 ['rain', 'wind']\n", '"activated_at":null'],
    "accounts": ["rosa", "<full_name></full_name>", "Anna ['default'] 0\n"],
    "openapi": ["POST /v2/triggers Make a trigger 201"],
    "keys": ["my laptop", "door [['put'], ['get']]\n"],
    "subscribe": ["it is 21.5\n", "now it is 22.5\n"],
    "keep": ["504  admin", "are free; nothing grows.", "Feed 504 is kept for 30 days.\n"],
    "move": ["Exported 1 feed", "Imported 1 feed, 2 keys, 0 triggers and 0 datapoints of admin.\n"],
    "backup": ["the copy is sound.\n", "Restored 1 account"],
    "silent": [
        "No request has come for feed 504",
        "  200  PUT /v2/feeds/504.csv",
        "the key in X-ApiKey, 22 characters long, is not known here",
        "the body is not CSV: ",
        "feed 504 has no datastream 'temprature'; it has 'temperature'",
    ],
    "operate": ['"ready":true', "txpachube_commit_seconds_count"],
    "service": ["Account rosa is ready.", "rosa "],
}
"""Some of what is printed when a guide is followed."""

RUN = {"sh", "python"}
SHOWN = {"text", "ini", "json", "xml", "toml", "{eval-rst}", "{toctree}", "{include}"}


@pytest.fixture(scope="module")
def facts() -> Any:
    """Return the module that reads facts from the code for the documentation."""
    sys.path.insert(0, str(DOCS / "_ext"))
    try:
        return importlib.import_module("facts")
    finally:
        sys.path.pop(0)


def name_of(page: Path) -> str:
    """Return how a page is called in the toctree."""
    return str(page.relative_to(DOCS).with_suffix(""))


def documented(page: str) -> set[str]:
    """Return the names of what a page of the reference documents with autodoc, without their modules."""
    text = (DOCS / page).read_text("utf-8")
    found = re.findall(r"^\.\. auto(?:class|data|function):: (\S+)", text, re.MULTILINE)
    names = {name.rpartition(".")[2] for name in found}
    for module in re.findall(r"^\.\. automodule:: (\S+)", text, re.MULTILINE):
        names.update(importlib.import_module(module).__all__)
    return names


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.stem)
def test_what_a_guide_says_works(follower: Follower, page: Path) -> None:
    """Every command and every program of a guide runs, in order, from nothing."""
    follower.follow(page)
    assert follower.done
    for text in PRINTED.get(page.stem, []):
        assert text in follower.printed, text


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_stand_where_they_are_run(page: Path) -> None:
    """A guide has what a reader types in blocks that the tests run; other pages have no such blocks."""
    fences = re.findall(r"^```(\S*)", page.read_text("utf-8"), re.MULTILINE)
    assert set(fences[1::2]) <= {""}, "a block does not end"
    allowed = SHOWN | (RUN if page in FOLLOWED else set())
    assert set(fences[::2]) <= allowed


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """A link to another page has a target, and what is included exists."""
    text = page.read_text("utf-8")
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    for target in [*targets, *re.findall(r"\{include\} (\S+)", text)]:
        assert (page.parent / target.partition("#")[0]).exists(), target


def test_every_page_is_found() -> None:
    """Each page is in the contents, and the contents name no other."""
    listed = re.findall(r"^((?:\w+/)?\w+)$", (DOCS / "index.md").read_text("utf-8"), re.MULTILINE)
    assert sorted([*listed, "index"]) == sorted(map(name_of, PAGES))


@pytest.mark.parametrize("page", [*PAGES, REPOSITORY / "README.md"], ids=lambda page: page.name)
def test_one_sentence_a_line(page: Path) -> None:
    """Prose has one sentence a line, so that a change shows what it changes."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for line in prose.splitlines():
        if not line.startswith(("|", "- ", "#")):
            assert not re.search(r"[a-z`)]\. [A-Z][a-z]+ ", line), line


def test_every_command_and_option_is_there(facts: Any) -> None:
    """The reference has the help of each command, with all options that help shows."""
    page = facts.filled((DOCS / "reference/commands.md").read_text("utf-8"))
    found = list(facts.all_commands())
    assert len(found) > 15
    for path, command, _ in found:
        assert re.search(rf"^#+ {path}$", page, re.MULTILINE), path
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert all(flag in page for flag in option.opts), (path, option.opts)


def test_the_help_of_a_group_is_that_of_its_commands(facts: Any) -> None:
    """The list of commands, which is written apart so that it is quick, says of each what it does."""
    (_, group, context) = next(facts.all_commands())
    listed = dict(re.findall(r"^  ([a-z]+)  +(.*)$", group.get_help(context), re.MULTILINE))
    assert set(group.list_commands(context)) <= set(listed)


def test_every_setting_is_there(facts: Any) -> None:
    """Each setting has a description, a default and a variable."""
    page = facts.filled((DOCS / "reference/settings.md").read_text("utf-8"))
    for name in Settings.__struct_fields__:
        (row,) = re.findall(rf"^\| `{name}` \|.*$", page, re.MULTILINE)
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert all(cells), row
        assert f"`{variable_of(name)}`" in cells


def test_every_file_of_an_archive_is_there() -> None:
    """Whoever reads an archive with a program of their own finds what each of its files is."""
    page = (DOCS / "reference/archive.md").read_text("utf-8")
    for table in TABLES:
        assert f"| `{table.name}.jsonl` |" in page
    for name in Manifest.__struct_fields__:
        assert f"| `{name}` |" in page


def test_variables_of_the_client_are_there() -> None:
    """The variables that the client reads stand beside those of the service."""
    page = (DOCS / "reference/settings.md").read_text("utf-8")
    for module in ("address", "paws_address"):
        address = importlib.import_module(f"txpachube.client.{module}")
        for name in vars(address):
            if name.endswith("_VARIABLE"):
                assert f"`{getattr(address, name)}`" in page.partition("## Of the client")[2]


def test_every_route_is_there(facts: Any) -> None:
    """Each route has a row with its method, its path and its formats."""
    page = facts.filled((DOCS / "reference/routes.md").read_text("utf-8"))
    for route in ROUTES:
        path = PREFIXES[route.version] + route.template
        row = f"| `{route.method}` | `{path}` | {' '.join(route.formats) or '-'} |"
        assert row in page


def test_every_cell_is_counted(facts: Any) -> None:
    """The table of exchanges has a row for each route, and a number wherever the route has a format."""
    page = facts.filled((DOCS / "reference/exchanges.md").read_text("utf-8"))
    heads = re.findall(r"^\| method \| path \| (.*) \| refused \|$", page, re.MULTILINE)
    for route in ROUTES:
        path = re.escape(PREFIXES[route.version] + route.template)
        (row,) = re.findall(rf"^\| `{route.method}` \| `{path}` \| (.*) \| \d+ \|$", page, re.MULTILINE)
        cells = dict(zip(heads[0].split(" | "), (cell.strip() for cell in row.split("|")), strict=True))
        counted = {name for name, cell in cells.items() if cell.isdigit()}
        assert counted == set(route.formats or ("no body",)), row


def test_every_method_of_the_client_has_a_route(facts: Any) -> None:
    """The table of routes names each method that makes a call."""
    page = facts.filled((DOCS / "reference/routes.md").read_text("utf-8"))
    methods = [
        name
        for name in vars(importlib.import_module("txpachube.client.methods").Methods)
        if not name.startswith("_")
    ]
    assert len(methods) >= 30
    assert [name for name in methods if f"| `{name}` |" not in page] == []


def test_every_public_name_is_there() -> None:
    """What can be imported is described."""
    names = documented("reference/structures.md") | documented("reference/errors.md") | {"__version__"}
    assert set(txpachube.__all__) <= names
    assert set(client.__all__) <= documented("reference/client.md")


def test_every_tool_for_tests_is_there(facts: Any) -> None:
    """The modules of tools are described, except those that need the inside of the service."""
    page = facts.filled((DOCS / "reference/testing.md").read_text("utf-8"))
    for path in Path(testing.__file__).parent.glob("[a-z]*.py"):
        inside = "txpachube.server" in path.read_text("utf-8")
        assert inside != (f"automodule:: txpachube.testing.{path.stem}\n" in page), path


def test_intervals_and_functions_are_there(facts: Any) -> None:
    """The guide to the history has what the service really takes."""
    page = facts.filled((DOCS / "howto/history.md").read_text("utf-8"))
    for interval in INTERVALS:
        assert re.search(rf"^\| {interval} \| \d+ \w+ \|$", page, re.MULTILINE)
    for function in FUNCTIONS:
        assert f"`{function}`" in page


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_nothing_asked_for_is_missing(facts: Any, page: Path) -> None:
    """Each part that a page asks for is one that is generated."""
    assert "<!-- generated:" not in facts.filled(page.read_text("utf-8"))


def test_the_configuration_file_that_is_shown_is_one(tmp_path: Path) -> None:
    """The example of a configuration file is read without complaint."""
    text = (DOCS / "howto/service.md").read_text("utf-8")
    (content,) = re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    file = tmp_path / "pachube.toml"
    file.write_text(content)
    assert msgspec.structs.asdict(load_settings({}, {}, file))["http"] == "tcp:80"


@pytest.mark.parametrize(("format_", "fence"), [("json", "json"), ("xml", "xml"), ("csv", "text")])
def test_the_documents_that_are_shown_are_read(format_: str, fence: str) -> None:
    """The examples of the formats are documents of those formats, with the value as it stands there."""
    text = (DOCS / "explanation/formats.md").read_text("utf-8")
    (content,) = re.findall(rf"^```{fence}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    if format_ == "csv":
        content = content.splitlines()[1]
    feed = txpachube.Environment().decode(content, format_)
    assert (feed.datastreams or {})["temp"].current_value == "21.50"
