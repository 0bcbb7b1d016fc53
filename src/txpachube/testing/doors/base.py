"""What all doors have in common, and the app without one."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from email.utils import formatdate
from typing import Final, Protocol

from txpachube.testing.exchanges import Answer, Given, Question
from txpachube.testing.inprocess import InProcess
from txpachube.times import SECOND

__all__ = ["HOST", "OF_PACKING", "OF_TRANSPORT", "Direct", "Door", "unpacked"]

HOST: Final = "api.example"
"""The host that requests are for, unless they name one."""

OF_TRANSPORT: Final = frozenset(
    ["age", "cache-control", "connection", "content-length", "date", "vary", "x-request-id"]
)
"""Headers that only HTTP has."""

OF_PACKING: Final = frozenset(["accept-encoding", "content-encoding"])
"""Headers that say how a body is packed."""


def unpacked(body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return the body of an answer as it was before it was packed."""
    return zlib.decompress(body, 31) if body and headers.get("content-encoding") == "gzip" else body


class Door(Protocol):
    """One way to ask, for the length of one exchange."""

    @staticmethod
    def carries(question: Question, answer: Answer) -> bool:
        """Say whether the protocol has room for a request and its answer."""

    async def ask(self, question: Question | None, expected: Answer) -> Given:
        """
        Ask, and return the answer.

        Args:
            question: None for the next answer to the one before.
            expected: what the answer is where the protocol does not tell.
        """

    async def close(self) -> None:
        """End connections and close the door."""


class Direct:
    """The app without a door."""

    def __init__(self, service: InProcess) -> None:
        self._service = service

    @staticmethod
    def carries(question: Question, answer: Answer) -> bool:
        """Carry everything but what is wrong as bytes."""
        return question.raw is None

    async def ask(self, question: Question | None, expected: Answer) -> Given:
        """Hand a request to the app."""
        assert question is not None
        headers: dict[str, str] = {}
        for name, value in question.headers:
            known = headers.get(name.lower())
            headers[name.lower()] = value if known is None else f"{known}, {value}"
        response = await self._service.ask(
            f"{question.method} {question.target}", question.body, headers, key=""
        )
        found = {"content-type": response.content_type}
        found |= {name.lower(): value for name, value in response.extra}
        if response.location is not None:
            found["location"] = response.location
        if response.etag is not None:
            found["etag"] = response.etag
        if response.last_modified is not None:
            found["last-modified"] = formatdate(response.last_modified // SECOND, usegmt=True)
        body = b"" if question.method == "HEAD" else unpacked(response.body, found)
        return Given(response.status, found, body, OF_TRANSPORT)

    async def close(self) -> None:
        """Do nothing."""
