"""
From SVG to PNG.

The library that does it, resvg, keeps Python's global lock while it paints, up to half a second for the
largest picture, and nothing else of the service would run meanwhile. So it paints in a process of its
own, which `child` is the program of. A picture that makes it crash or hang harms nobody else either.

A `Painter` has one such process. It is started for the first picture, ends itself when it has had none for
a while, and is started again for the next.
"""

from __future__ import annotations

import importlib.util
import os
import select
import subprocess
import sys
from importlib import resources
from typing import Final

from txpachube.errors import Error
from txpachube.server.graphs import letters

__all__ = ["Painter", "PaintingFailed", "can_paint"]

PATIENCE: Final = 20.0
"""Seconds without a byte after which a painting process is given up. The largest picture takes half a
second on a desk and some ten seconds on the slowest boards."""

MAX_ANSWER: Final = 64 << 20
"""Bytes of a PNG; four bytes for each pixel of the largest picture are 16 MB before they are packed."""

_HEAD: Final = 5


class PaintingFailed(Error):
    """A picture could not be painted."""


class _Ended(Exception):
    """The process was not there any more."""


def can_paint() -> bool:
    """Return whether the library that paints is installed."""
    return importlib.util.find_spec("resvg_py") is not None


class Painter:
    """
    A process that paints. Used by one thread at a time, but for `close`.

    Args:
        command: what to run instead of our program.
        patience: see `PATIENCE`.
    """

    def __init__(self, command: list[str] | None = None, patience: float = PATIENCE) -> None:
        self._command = command
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def paint(self, svg: str, *, system_fonts: bool = False) -> bytes:
        """
        Return a picture as PNG. Blocks until it is painted.

        Args:
            svg: the picture.
            system_fonts: let the fonts that are installed help out where ours has no letters.

        Raises:
            PaintingFailed: it is no picture, or painting took too long, or the process crashed.
        """
        data = svg.encode()
        request = len(data).to_bytes(4, "big") + bytes([system_fonts]) + data
        fresh = self._process is None
        try:
            try:
                return self._exchange(request)
            except _Ended:
                self._end()
                if fresh or self._closed:
                    raise
                # It had ended itself while it had nothing to do.
                return self._exchange(request)
        except _Ended:
            self._end()
            raise PaintingFailed("the painting process ended without an answer") from None
        except BaseException:
            # Half of an answer may be left in the pipe, and must not be taken for the next one.
            self._end()
            raise

    def close(self) -> None:
        """End the process; who waits for a picture of it gets `PaintingFailed`."""
        self._closed = True
        if self._process is not None:
            self._process.kill()

    def _exchange(self, request: bytes) -> bytes:
        process = self._started()
        assert process.stdin is not None
        try:
            process.stdin.write(request)
            process.stdin.flush()
        except OSError:
            raise _Ended from None
        head = self._read(process, _HEAD)
        length, well = int.from_bytes(head[:4], "big"), head[4]
        if length > MAX_ANSWER:
            raise PaintingFailed("the painting process answers nonsense")
        answer = self._read(process, length)
        if not well:
            raise PaintingFailed(answer.decode("utf-8", "replace"))
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise _Ended
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 - nothing in the command comes from outside
                self._command or _command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        return self._process

    def _read(self, process: subprocess.Popen[bytes], length: int) -> bytes:
        assert process.stdout is not None
        file = process.stdout.fileno()
        parts = []
        while length:
            if not select.select([file], [], [], self._patience)[0]:
                raise PaintingFailed("painting took too long")
            part = os.read(file, min(length, 1 << 20))
            if not part:
                raise _Ended
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def _command() -> list[str]:
    package = resources.files("txpachube.server.graphs")
    fonts = [str(package / "fonts" / file) for file in letters.FILES]
    # -P: a file in the current directory must not stand in for a library.
    return [sys.executable, "-P", str(package / "child.py"), letters.FAMILY, *fonts]
