"""
The corpus of broken requests: each is refused as it should be, and nothing is stored.

The files under ``corpus/`` hold the requests by what is wrong with them. A case says ``ask`` (method and
target) and ``answer`` (the status), and may say

- ``body``, ``hex`` (a body in hexadecimal), or ``repeat``: ``[before, piece, times, after]``;
- ``gzip = true`` (pack the body), ``cut`` (leave so many bytes off its end), ``headers``, ``key``;
- ``title`` and ``errors`` of the answer: a text or a list; or ``begins``, how a parser's message begins
  (empty where its words are those of a library);
- ``text``: the whole body instead, for formats without structure.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from txpachube.testing.inprocess import InProcess
from txpachube.times import EARLIEST, LATEST

CORPUS = Path(__file__).parent / "corpus"
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    406: "Not Acceptable",
    413: "Payload Too Large",
    422: "Unprocessable Entity",
}
NOT_FOUND = "I'm sorry we are unable to find the resource you are looking for."
ERRORS = {
    401: "You must be authenticated to access this resource",
    403: "You do not have permission to access that resource",
    404: NOT_FOUND,
}
FEWEST = 200
TIDIED = (
    *(
        f'INSERT INTO "{name}"'
        for name in ("feeds", "datastreams", "journal", "history", "counters", "purges")
    ),
    # What was refused is remembered for the owner of the feed.
    'INSERT INTO "requests"',
    "INSERT INTO \"sqlite_sequence\" VALUES('requests'",
)


def _cases() -> Iterator[Any]:
    for file in sorted(CORPUS.glob("*.toml")):
        for case in tomllib.loads(file.read_text())["case"]:
            yield pytest.param(case, id=f"{file.stem}: {case['says']}")


CASES = list(_cases())


async def _state(garden: InProcess) -> list[str]:
    """
    Return everything the service holds.

    Rows that say how far storage has tidied up, or what was refused, may change at any time. So feeds,
    values and datapoints are told as the service knows them, and the rest as it is on the disk.
    """
    database = sqlite3.connect(f"file:{garden.store.path}?mode=ro", uri=True)
    try:
        rows = list(database.iterdump())
    finally:
        database.close()
    state = [row for row in rows if not row.startswith(TIDIED)]
    for feed_id in range(1, 7):
        feed = await garden.store.find_feed(feed_id)
        state.append(repr(feed))
        for stream in feed.streams.values() if feed else ():
            state.append(repr(await garden.store.points(stream, EARLIEST, LATEST, 10_000)))
    return state


def _body(case: dict[str, Any]) -> bytes:
    if "hex" in case:
        body = bytes.fromhex(case["hex"])
    elif "repeat" in case:
        before, piece, times, after = case["repeat"]
        body = (before + piece * times + after).encode()
    else:
        body = case.get("body", "").encode()
    if case.get("gzip"):
        body = gzip.compress(body, mtime=0)
    return body[: len(body) - case.get("cut", 0)]


def _told(body: bytes) -> tuple[str, list[str]]:
    """Return title and errors of an error body in JSON or XML."""
    if body.startswith(b"<"):
        root = etree.fromstring(body)
        assert [child.tag for child in root] == ["title"] + ["error"] * (len(root) - 1)
        return root[0].text or "", [child.text or "" for child in list(root)[1:]]
    told = json.loads(body)
    assert list(told) == ["title", "errors"]
    errors = told["errors"]
    return told["title"], [errors] if isinstance(errors, str) else errors


@pytest.mark.parametrize("case", CASES)
async def test_a_broken_request_is_refused_and_changes_nothing(
    common_garden: InProcess, case: dict[str, Any]
) -> None:
    """A broken request gets the status and the error body that programs expect, and is not carried out."""
    before = await _state(common_garden)
    answer = await common_garden.ask(case["ask"], _body(case), case.get("headers"), key=case.get("key"))
    status = case["answer"]
    assert (answer.status, answer.location) == (status, None), answer.body
    if "text" in case:
        assert answer.body.decode() == case["text"]
        assert answer.content_type == "text/plain; charset=utf-8"
    else:
        title, errors = _told(answer.body)
        assert title == case.get("title", TITLES[status])
        if "begins" in case:  # the words of a parser
            assert len(errors) == 1
            assert errors[0]
            assert errors[0].startswith(case["begins"])
        else:
            wanted = case.get("errors", ERRORS.get(status))
            assert errors == (wanted if isinstance(wanted, list) else [wanted])
            if answer.body.startswith(b"{"):  # only validation tells a list
                assert isinstance(json.loads(answer.body)["errors"], list) == (status == 422)
    assert await _state(common_garden) == before


def test_the_corpus_is_large_and_says_each_thing_once() -> None:
    """There are at least two hundred broken requests, all different."""
    assert len(CASES) >= FEWEST
    asked = [json.dumps({**case.values[0], "says": ""}, sort_keys=True) for case in CASES]
    assert len(set(asked)) == len(asked)
    assert len({case.id for case in CASES}) == len(CASES)
