"""
The process that paints: SVG in, PNG out, on its standard input and output.

It is started as a script, by its path, and imports nothing of this package. A request is its length as
four bytes, one byte that says whether the system's fonts may help out, and the SVG; an answer is its
length, one byte that says whether all is well, and the PNG, or the reason in words.

It ends with its input, and when it has had nothing to do for a while: then its memory is free for others.

Arguments: the font's family, and its files.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import sys

import resvg_py

REQUEST = struct.Struct(">I?")
ANSWER = struct.Struct(">I?")

IDLE_SECONDS = 300.0


def main(family: str, files: list[str]) -> None:
    """Answer requests until there are no more."""
    # Ctrl-C in a terminal reaches every process; the service decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Nobody but this loop writes to the pipe, whatever a library thinks of printing.
    out = os.dup(1)
    os.dup2(2, 1)
    while select.select([0], [], [], IDLE_SECONDS)[0]:
        head = read(REQUEST.size)
        if len(head) < REQUEST.size:
            return
        length, system_fonts = REQUEST.unpack(head)
        svg = read(length)
        try:
            answer = resvg_py.svg_to_bytes(
                svg_string=svg.decode(),
                skip_system_fonts=not system_fonts,
                font_files=files,
                font_family=family,
                sans_serif_family=family,
            )
            well = True
        except Exception as problem:
            answer, well = str(problem).encode(), False
        write(out, ANSWER.pack(len(answer), well) + answer)


def read(length: int) -> bytes:
    """Return so many bytes of the input, or fewer at its end."""
    parts = []
    while length and (part := os.read(0, min(length, 1 << 16))):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def write(file: int, data: bytes) -> None:
    """Write all of the data."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
