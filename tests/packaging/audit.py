"""
Asks PyPI whether anything that is installed here has a known vulnerability.

    python tests/packaging/audit.py

The exit status is 1 when something has. Where PyPI's list of vulnerabilities can't be had, as behind a mirror
that passes on packages only, it says so, and that nothing was audited: silence must not look like safety.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

TIMEOUT = 300
"""Seconds for everything; each package is asked for by itself."""


def main() -> int:
    """Audit, say what was found, and return the exit status."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--format",
        "json",
        "--progress-spinner",
        "off",
        "--skip-editable",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, subprocess.TimeoutExpired):
        print("Nothing was audited: PyPI's list of vulnerabilities can't be reached from here")  # noqa: T201
        return 0
    audited = [package for package in found if "vulns" in package]
    bad = [(package, hole) for package in audited for hole in package["vulns"]]
    for package, hole in bad:
        fixed = ", ".join(hole["fix_versions"]) or "no version yet"
        print(f"{package['name']} {package['version']}: {hole['id']}, fixed in {fixed}")  # noqa: T201
    if not audited:
        print(  # noqa: T201
            f"Nothing was audited: where packages come from here, there is no list of vulnerabilities"
            f" of any of the {len(found)} that are installed"
        )
    elif not bad:
        print(f"No vulnerability is known of {len(audited)} packages; {len(found) - len(audited)} unknown")  # noqa: T201
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
