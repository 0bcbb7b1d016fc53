"""``txpachube demo``, in a process of its own."""

from __future__ import annotations

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

from txpachube import Environment

SUMMARY = re.compile(r"Written: (\d+) datapoints of (\d+) datastreams\. Read back: (\d+)\.")
PATIENCE = 120
"""Seconds; on a busy machine everything takes long."""

COMMAND = [sys.executable, "-m", "txpachube.cli", "demo"]
ENVIRON = {
    **{name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")},
    # What a person has set for other services must not disturb the demo.
    "PACHUBE_API_KEY": "a-key-of-another-service",
    "PACHUBE_FEED_ID": "504",
    "PACHUBE_URL": "http://127.0.0.1:9",
}


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start the demo."""
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRON
    )


def counts(printed: str) -> tuple[int, int, int]:
    """Return what the summary says: written, datastreams, read back."""
    found = SUMMARY.search(printed)
    assert found is not None, printed
    written, streams, read = map(int, found.groups())
    return written, streams, read


def test_everything_written_is_read_back() -> None:
    """Three seconds of this machine's sensors go in and come out, and nothing stays on the disk."""
    printed, errors = start("--seconds", "3").communicate(timeout=PATIENCE)
    written, streams, read = counts(printed)
    assert written == read > 0
    assert streams >= 6
    assert written % streams == 0
    assert errors == ""
    (folder,) = re.findall(r"@(\S+)/key ", printed)
    assert not Path(folder).exists()


def test_ctrl_c_ends_it_with_the_summary() -> None:
    """Whoever has seen enough gets the count all the same, and status 0."""
    with start() as process:
        assert process.stdout is not None
        before = ""
        for line in process.stdout:
            before += line
            if line.startswith("cpu "):
                break
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=PATIENCE)
    written, _, read = counts(printed)
    assert written == read > 0
    assert errors == ""
    assert process.returncode == 0


def test_the_commands_it_prints_work(tmp_path: Path) -> None:
    """The address it tells gives the feed, with a key that stands in no command line and on no screen."""
    with start("--data", str(tmp_path / "data")) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("cpu "):
                break
        (command,) = [line for line in lines if line.strip().startswith("curl ")]
        fetched = subprocess.run(
            [*shlex.split(command), "--silent", "--fail"], capture_output=True, check=True, timeout=PATIENCE
        )
        [place] = [place for place, line in enumerate(lines) if line.startswith("  txpachube watch ")]
        name, *arguments = shlex.split("".join(lines[place : place + 2]).replace("\\\n", " "))
        assert name == "txpachube"
        watched = subprocess.run(
            [*COMMAND[:-1], *arguments, "--count", "3"],
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=PATIENCE)
    assert len(watched.stdout.splitlines()) == 3
    feed = Environment().decode(fetched.stdout)
    assert feed.title == "This machine"
    assert {"cpu", "memory_used", "net_in"} <= set(feed.datastreams or ())
    assert all(stream.unit is not None for stream in (feed.datastreams or {}).values())
    account = tomllib.loads((tmp_path / "data" / "admin.toml").read_text())
    assert account["api_key"] not in "".join(lines) + printed


def test_it_fits_a_terminal_of_80_columns() -> None:
    """No line is broken where it should not be, and the table stays up when the demo is over."""
    ours, theirs = pty.openpty()
    environ = {**ENVIRON, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen(
        [*COMMAND, "--seconds", "2"], stdin=theirs, stdout=theirs, stderr=theirs, env=environ
    )
    os.close(theirs)
    received = b""
    try:
        while chunk := os.read(ours, 65536):
            received += chunk
    except OSError:  # how a terminal tells that nobody holds its other end any more
        pass
    finally:
        os.close(ours)
    assert process.wait(PATIENCE) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", received.decode())
    written, _, read = counts(text)
    assert written == read > 0
    lines = re.split(r"[\r\n]+", text)
    assert max(map(len, lines)) <= 80
    last_table = "\n".join(lines[max(i for i, line in enumerate(lines) if "datastream " in line) :])
    for word in ("cpu", "GiB", "KiB/s", "▁"):
        assert word in last_table
    assert "Ctrl-C" not in last_table
