"""The files with which others start the service: they name nothing that does not exist."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import msgspec
import pytest

from txpachube.cli.commands import txpachube
from txpachube.server.config import Settings, load_settings, variable_of

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
VARIABLES = {variable_of(name) for name in Settings.__struct_fields__}


def unit(name: str) -> dict[str, list[str]]:
    """Return the entries of a unit by name."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "systemd" / name).read_text("utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the container's file, in their order."""
    text = re.sub(r"\\\n", " ", (DEPLOY / "Containerfile").read_text("utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in lines]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    """No entry is misspelled, and none contradicts another."""
    program = tmp_path / "txpachube"
    program.write_text(f"#!{sys.executable}\n")
    program.chmod(0o755)
    for name in ("pachube.service", "pachube.socket"):
        text = (DEPLOY / "systemd" / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace("/opt/pachube/bin/txpachube", str(program)))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "pachube.service", tmp_path / "pachube.socket"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_unit_starts_the_service_as_it_wants_to_be_started() -> None:
    """The command exists, it waits for the word that all is ready, and the user owns nothing else."""
    entries = unit("pachube.service")
    (command,) = entries["ExecStart"]
    words = shlex.split(command)
    assert Path(words[0]).name == "txpachube"
    assert txpachube.get_command(click.Context(txpachube), words[1]) is not None
    assert entries["Type"] == ["notify"]
    assert entries["User"] != ["root"]
    (variable, _, directory) = entries["Environment"][0].partition("=")
    assert variable in VARIABLES
    assert directory == f"/var/lib/{entries['StateDirectory'][0]}"


def test_the_socket_fits_the_endpoint_that_is_written_beside_it() -> None:
    """The setting that the file recommends is one, of the first and only socket."""
    text = (DEPLOY / "systemd/pachube.socket").read_text("utf-8")
    (setting,) = re.findall(r"PACHUBE_\w+=\S+", text)
    name, _, value = setting.partition("=")
    assert load_settings({}, {name: value}).http == "systemd:domain=INET6:index=0"
    assert len(unit("pachube.socket")["ListenStream"]) == 1


def test_the_container_runs_as_nobody_in_particular_and_keeps_its_data() -> None:
    """Not as root, with the data in a volume, and every variable a setting with a value that it may have."""
    found = instructions()
    by_name = dict(found)
    assert by_name["USER"].split(":")[0] not in ("0", "root")
    variables = dict(word.split("=", 1) for word in by_name["ENV"].split() if word.startswith("PACHUBE_"))
    assert set(variables) <= VARIABLES
    settings = msgspec.structs.asdict(load_settings({}, variables))
    assert by_name["VOLUME"] == settings["data"]
    ports = {value.split(":")[1] for value in variables.values() if value.startswith("tcp:")}
    assert set(by_name["EXPOSE"].split()) == ports
    order = [name for name, _ in found]
    assert order.index("USER") < order.index("VOLUME")
    command = msgspec.json.decode(by_name["CMD"], type=list[str])
    assert txpachube.get_command(click.Context(txpachube), command[0]) is not None


def test_every_extra_that_the_container_installs_exists() -> None:
    """What is built is what this repository has."""
    pyproject = (DEPLOY.parent / "pyproject.toml").read_text("utf-8")
    (extras,) = re.findall(r"/source\[([\w,]+)\]", (DEPLOY / "Containerfile").read_text("utf-8"))
    for extra in extras.split(","):
        assert re.search(rf"^{extra} = \[", pyproject, re.MULTILINE)


def test_the_check_of_the_container_is_a_program() -> None:
    """It fails when nobody answers, and doesn't fail by itself."""
    (text,) = [value for name, value in instructions() if name == "HEALTHCHECK"]
    program = msgspec.json.decode(text.partition("CMD ")[2], type=list[str])
    assert program[0] == "python"
    compile(program[2], "HEALTHCHECK", "exec")
