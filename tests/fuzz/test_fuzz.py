"""The fuzzers find what may not be, and find nothing in what is ours."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # the folder is a program of its own, not part of what is installed

from fuzz.__main__ import Failed, fuzz  # noqa: E402 - after the path
from fuzz.mutation import Target  # noqa: E402

SEEDS = (b'{"id": 7}', b"temp,21.5")


def test_nothing_undocumented_leaves_what_reads_strangers_texts() -> None:
    """A short run over everything; `make fuzz` is the long one."""
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", "--inputs", "20000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "nothing that may not be" in done.stdout


def test_an_error_that_is_not_documented_is_found() -> None:
    """The input is shown, and running the same seed finds the same one."""

    def breaks(data: bytes, chance: random.Random) -> bool:
        if b"7" not in data:
            raise KeyError("id")
        return True

    messages = []
    for _ in range(2):
        with pytest.raises(Failed, match="KeyError") as caught:
            fuzz(Target("broken", breaks, SEEDS), 1000, "1")
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_memory_that_is_never_given_back_is_found() -> None:
    """Only what is kept counts, not what a large input takes for a moment."""
    # In a process of its own: one that has run other tests has room left that nobody sees filling.
    program = """
from fuzz.__main__ import Failed, fuzz
from fuzz.mutation import Target

kept = []
SEEDS = [b"temp,21.5"]
fuzz(Target("fine", lambda data, chance: bool(b"x" * 200_000), SEEDS), 200, "1")
try:
    fuzz(Target("leaky", lambda data, chance: bool(kept.append(b"x" * 200_000 + data)), SEEDS), 200, "1")
except Failed as failure:
    print(failure)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert "leaky: memory grew" in done.stdout
