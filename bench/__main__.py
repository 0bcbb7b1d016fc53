"""
All measurements, one after the other.

    python -m bench [NAME ...]

Each runs in a process of its own and prints ratios against a baseline of the same run; single times
say little on a machine that does other things as well.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NOT_MEASUREMENTS = {"__main__", "load", "live_load", "http_constant"}


def main() -> None:
    """Run the measurements named, or all."""
    here = Path(__file__).parent
    names = sorted(path.stem for path in here.glob("*.py") if path.stem not in NOT_MEASUREMENTS)
    wanted = sys.argv[1:] or names
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        sys.exit(f"no measurement {', '.join(unknown)}; there are {', '.join(names)}")
    failed = []
    for name in wanted:
        print(f"\n{name}\n{'=' * len(name)}", flush=True)
        if subprocess.run([sys.executable, "-m", f"bench.{name}"], cwd=here.parent, check=False).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
