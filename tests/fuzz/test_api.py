"""The service keeps to its own description, whatever it is asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_answers_are_as_described() -> None:
    """Hundreds of requests, most of them about what is there, find no fault; `make fuzz` makes many more."""
    done = subprocess.run(
        [sys.executable, "-m", "fuzz.api", "--cases", "720", "--seconds", "35", "--seed", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cases = int(done.stdout.split()[0])
    assert cases >= 100, done.stdout
