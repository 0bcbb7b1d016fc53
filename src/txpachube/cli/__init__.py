"""
The command line.

Commands import what they need when they run: ``--help`` must not wait for Twisted.
"""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["main"]

EXTRAS: Final = frozenset({"argon2", "click", "psutil", "rich"})
"""Modules that come with the extras ``server`` and ``cli``; the bare client does without."""


def main() -> None:
    """Run the ``txpachube`` command."""
    try:
        from txpachube.cli.commands import txpachube

        txpachube(prog_name="txpachube")
    except ModuleNotFoundError as problem:
        if problem.name not in EXTRAS:
            raise
        sys.exit(
            f"{problem.name} is missing. The command line is an extra;"
            " install it with:  pip install 'txpachube[server,cli]'"
        )
