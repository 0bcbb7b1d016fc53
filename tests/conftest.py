"""
Follows a document as its reader would: types its commands, runs its programs.

What stands in a document between ``sh`` or ``python`` fences is run, in the order of the document, in an
empty home, with a real service. Three things differ from what the reader does, and only these:

- the service takes free ports, through ``PACHUBE_HTTP`` and its like, and where the text says
  ``http://127.0.0.1:8000`` the address it got is put; the clients find it through ``PACHUBE_URL`` and
  ``PACHUBE_PAWS``;
- ``txpachube serve`` goes on in the background until the document ends, and curl takes an HTTP error for a
  failure;
- ``pip install`` is not run: that what it names exists is checked. Of ``make`` targets it is only shown what
  they would do, since one of them runs these tests.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, settings

from txpachube.server.config import Settings, variable_of

# How long making examples takes says something about the machine, which others may be using as well.
settings.register_profile("txpachube", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("txpachube")

REPOSITORY = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DEFAULT_URL = "http://127.0.0.1:8000"
PATIENCE = 120
"""Seconds a command may take on a busy machine."""


def free_ports() -> dict[str, str]:
    """Return the variables that let all doors of a service which are open by default take free ports."""
    return {
        variable_of(name): "tcp:0:interface=127.0.0.1"
        for name, value in msgspec.structs.asdict(Settings(data="")).items()
        if str(value).startswith("tcp:")
    }


class Follower:
    """
    Somebody who does what a document says.

    Attributes:
        done: the commands and programs that were run, as the document has them.
        printed: what they printed.
    """

    def __init__(self, home: Path) -> None:
        self.done: list[str] = []
        self.printed = ""
        self._home = home
        self._url = DEFAULT_URL
        self._services: list[subprocess.Popen[str]] = []
        self._environ = {
            "HOME": str(home),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "LANG": "C.UTF-8",
        }
        (home / ".curlrc").write_text("silent\nshow-error\nfail-with-body\n")

    def follow(self, document: Path) -> None:
        """Run everything that is to be run in a document."""
        for language, content in FENCE.findall(document.read_text("utf-8")):
            if language == "sh":
                for command in content.replace("\\\n", " ").splitlines():
                    if command.strip() and not command.startswith("#"):
                        self._type(command)
            elif language == "python":
                self._run([sys.executable, "-W", "error::RuntimeWarning", "-c", content], content)

    def close(self) -> None:
        """End what still runs."""
        for service in self._services:
            service.terminate()
            status = service.wait(PATIENCE)
            assert service.stdout is not None
            service.stdout.close()
            assert status == 0, "the service did not end well"

    def _type(self, command: str) -> None:
        words = shlex.split(command, comments=True)
        if words[:2] == ["pip", "install"]:
            self._check_requirement(words[2:])
        elif words[0] == "make":
            self._run(["make", "--dry-run", "--directory", str(REPOSITORY), *words[1:]], command)
        elif words[:2] == ["txpachube", "serve"]:
            self._serve(words, command)
        elif words[0] == "export":
            after = self._run(["bash", "-ec", f"{command}\nenv -0"], command)
            self._environ.update(dict(line.split("=", 1) for line in after.split("\0") if line))
        else:
            self._run(["bash", "-ec", command.replace(DEFAULT_URL, self._url)], command)

    def _check_requirement(self, words: list[str]) -> None:
        (requirement,) = [word for word in words if not word.startswith("-")]
        name, _, extras = requirement.rstrip("]").partition("[")
        assert name in ("txpachube", ".")
        known = metadata.metadata("txpachube").get_all("Provides-Extra") or []
        assert set(filter(None, extras.split(","))) <= set(known), requirement
        self.done.append(" ".join(["pip install", requirement]))

    def _serve(self, words: list[str], command: str) -> None:
        process = subprocess.Popen(
            words, cwd=self._home, env={**self._environ, **free_ports()}, stdout=subprocess.PIPE, text=True
        )
        self._services.append(process)
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if line.startswith("http "):
                self._url = line.split()[1].rstrip("/")
                self._environ["PACHUBE_URL"] = self._url
            elif line.startswith("paws "):
                self._environ["PACHUBE_PAWS"] = line.split()[1]
            if line == "ready\n":
                break
        assert lines[-1:] == ["ready"], f"{command!r} did not start: {lines}"
        self.done.append(command)

    def _run(self, arguments: list[str], shown: str) -> str:
        finished = subprocess.run(
            arguments,
            cwd=self._home,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert finished.returncode == 0, f"{shown}\n\n{finished.stdout}{finished.stderr}"
        self.done.append(shown)
        self.printed += finished.stdout
        return finished.stdout


@pytest.fixture(name="free_ports")
def free_ports_fixture() -> dict[str, str]:
    """Return the environment variables for a service that takes free ports."""
    return free_ports()


@pytest.fixture
def follower(tmp_path: Path) -> Iterator[Follower]:
    """Return somebody who follows documents."""
    home = tmp_path / "home"
    home.mkdir()
    found = Follower(home)
    yield found
    found.close()
