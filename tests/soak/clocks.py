"""The time of day of a service, which a test can set to anything."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["WrongClock"]


class WrongClock:
    """
    By how much a service's clock is wrong.

    Args:
        file: says it to the service.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.wrong = 0
        self.set_by(0)

    @property
    def odd(self) -> dict[str, str]:
        """What the service is told of it."""
        return {"ODD_CLOCK": str(self._file)}

    @property
    def now(self) -> int:
        """The time that the service believes, in microseconds since 1970."""
        return time.time_ns() // 1000 + self.wrong

    def set_by(self, microseconds: int) -> None:
        """Set it forward by so much, or back."""
        self.wrong += microseconds
        new = self._file.with_suffix(".new")
        new.write_text(str(self.wrong))
        os.replace(new, self._file)
