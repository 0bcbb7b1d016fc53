"""
Lets the system calls of a service that runs fail, as they do on a disk that fails.

strace comes between the running service and its kernel and answers certain calls with an error, until it
leaves again; nothing of the service is replaced, and nothing of it knows. A file system that is mounted
read-only under an open database can't be had for real: the kernel refuses to remount it as long as a file is
open for writing. What a forced remount does, by an emergency or by a file system that found errors, is the
error EROFS for everything that writes, and that is done here.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.soak.services import PATIENCE

from txpachube.testing.service import ServiceProcess

__all__ = ["CAN_FAIL", "FAULTS", "failing"]

WRITING: Final = "pwrite64,ftruncate,fdatasync,fsync"

FAULTS: Final = {
    "writing": ("inject=pwrite64:error=EIO",),
    "syncing": ("inject=fdatasync,fsync:error=EIO",),
    "every-third": (f"inject={WRITING}:error=EIO:when=1+3",),
    "full": ("inject=pwrite64,ftruncate:error=ENOSPC",),
    "read-only": (f"inject={WRITING}:error=EROFS",),
    "reading": ("inject=pread64:error=EIO",),
}
"""What fails, by name, as strace is told."""


def _can_fail() -> bool:
    strace = shutil.which("strace")
    command = [strace or "", "-o", "/dev/null", "-e", "inject=fsync:error=EIO", "true"]
    return bool(strace) and subprocess.run(command, capture_output=True, check=False).returncode == 0


CAN_FAIL: Final = _can_fail()
"""Whether faults can be had here."""


@contextmanager
def failing(service: ServiceProcess, fault: str) -> Iterator[None]:
    """Let system calls of a service fail for as long as a ``with`` block lasts."""
    assert service.process is not None
    pid = service.process.pid
    calls = ["trace=pwrite64,ftruncate,fdatasync,fsync,pread64", *FAULTS[fault]]
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(pid)]
    strace = subprocess.Popen([*command, *(word for call in calls for word in ("-e", call))])
    try:
        end = time.monotonic() + PATIENCE
        while not _watched(pid, strace.pid):
            assert strace.poll() is None, "strace may not watch the service"
            assert time.monotonic() < end
        yield
    finally:
        strace.send_signal(signal.SIGINT)
        strace.wait(PATIENCE)


def _watched(pid: int, by: int) -> bool:
    """Say whether strace holds all threads of a process."""
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        try:
            if f"\nTracerPid:\t{by}\n" not in status.read_text():
                return False
        except OSError:  # a thread that has ended meanwhile
            pass
    return True
