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
    kept: list[bytes] = []

    def keeps(data: bytes, chance: random.Random) -> bool:
        kept.append(b"x" * (200_000 + len(data)))
        return True

    def gives_back(data: bytes, chance: random.Random) -> bool:
        return bool(b"x" * (200_000 + len(data)))

    fuzz(Target("fine", gives_back, SEEDS), 200, "1")
    with pytest.raises(Failed, match="memory grew"):
        fuzz(Target("leaky", keeps, SEEDS), 200, "1")
