"""
Ways to cut bytes into chunks, for testing what reads them from a network.

A reader is right when it says the same whatever the chunks were. The three that find most mistakes: the
whole at once, byte by byte, and the whole with something behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["byte_by_byte", "cut"]


def byte_by_byte(data: bytes) -> Iterator[bytes]:
    """Cut into single bytes."""
    for at in range(len(data)):
        yield data[at : at + 1]


def cut(data: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    """Cut into chunks of the given sizes; what is left when there are no more sizes is the last chunk."""
    at = 0
    for size in sizes:
        if at >= len(data):
            return
        if size > 0:
            yield data[at : at + size]
            at += size
    if at < len(data):
        yield data[at:]
