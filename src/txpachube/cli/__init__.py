"""
The command line.

Commands import what they need when they run: ``--help`` must not wait for Twisted.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the ``txpachube`` command."""
    try:
        from txpachube.cli.commands import txpachube
    except ModuleNotFoundError as problem:
        if problem.name != "click":
            raise
        sys.exit("The command line is an extra. Install it with:  pip install 'txpachube[server,cli]'")
    txpachube(prog_name="txpachube")
