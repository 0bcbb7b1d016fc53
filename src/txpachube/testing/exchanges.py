r"""
Exchanges as files: requests with the exact answers that they must get.

A file says in its first lines what it shows, and then holds requests (``>>>``) and their answers (``<<<``) in
the clothes of HTTP::

    A value that is written in CSV becomes the current value.

    >>> PUT /v2/feeds/1/datastreams/door.csv
    X-ApiKey: master-of-rosa

    open
    <<< 200
    Content-Type: text/plain; charset=utf-8

    >>> GET /v2/feeds/1/datastreams/door.csv
    X-ApiKey: master-of-rosa
    <<< 200

    2013-06-01T12:00:00.000000Z,open

Of an answer the status and the whole body are compared, byte by byte, and those headers that the file
names; one that is named without a value must not be there. Empty lines before the next mark don't belong to a
body, nor does its last line end, except that a document in XML is answered with one. JSON in several lines is
made compact before it is compared.

Between requests ``@ 2013-06-01T12:20:00Z`` moves the clock. Before the first one ``Garden: NAME`` chooses
what is there beforehand, and ``Doors: NAME...`` limits where the exchange is tried. An answer may hold words
in braces for what nobody can know beforehand, see `PLACEHOLDERS`; from then on such a word stands for the
text it met, in requests as well.

A request with the line ``Body: escaped`` writes its body with the escapes of C, line ends of the file do
not count, and ``500 * TEXT`` repeats one; ``Body: gzip`` packs it. ``>>> bytes`` gives, escaped in the same
way, all that is sent, head and body, so that it can be wrong; more than one answer may follow.

Nothing here knows how to ask: programs that test another service or a client can read the same files.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs
import msgspec

from txpachube.times import parse

__all__ = [
    "PLACEHOLDERS",
    "Answer",
    "BadExchange",
    "Exchange",
    "Given",
    "Placeholders",
    "Question",
    "Step",
    "differences",
    "read_exchange",
    "read_exchanges",
]

PLACEHOLDERS: Final[Mapping[str, str]] = {
    "key": r"[A-Za-z0-9_-]{48}",
    "etag": r'"[0-9a-f]{32}"',
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "number": r"\d+",
    "product": r"[A-Za-z0-9_-]{20}",
    "secret": r"[0-9a-f]{40}",
    "code": r"[0-9a-f]{40}",
    "words": r'(?:[^"\\<>\r\n]|\\.)+',
}
"""
What words in braces stand for: a new key, an entity tag, a time, a number, the id of a product, its secret,
the activation code of a device, and the words of an error of which nothing more is promised.

Instead of a whole body stand ``{png 600x250}`` and ``{svg 600x250}``, any picture of that size, ``{json}``,
any JSON, and ``{text}``, anything at all.
"""

FORGOTTEN: Final = frozenset(["words"])
"""Placeholders that may stand for another text each time."""

SUFFIX: Final = ".http"
"""What the name of a file with an exchange ends with."""

_BRACES: Final = re.compile(r"\{(" + "|".join(PLACEHOLDERS) + r")\}")
_PICTURE: Final = re.compile(r"\{(png|svg) (\d+)x(\d+)\}")
_PNG_HEAD: Final = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_SVG_HEAD: Final = 400
"""Bytes of a drawing that name its size."""

_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES: Final = {"r": "\r", "n": "\n", "t": "\t", "\\": "\\"}
_REPEATED: Final = re.compile(r"(\d+) \* (.*)")
_HEADER: Final = re.compile(r"([A-Za-z0-9-]+):(?: (.*))?")
_READING: Final = frozenset(["GET", "HEAD", "OPTIONS"])
_BODY_KINDS: Final = frozenset(["escaped", "gzip"])


class BadExchange(ValueError):
    """
    A file that is not an exchange.

    Attributes:
        line: where, counted from 1.
    """

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


@attrs.frozen
class Question:
    """
    A request.

    Attributes:
        method: in capitals.
        target: path and query.
        headers: as they stand in the file.
        body: as it is sent.
        raw: everything that is sent, when the file gives it byte by byte; the rest is read from it then.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    raw: bytes | None = None

    def header(self, name: str) -> str | None:
        """Return a header's value; the name is in small letters."""
        return next((value for known, value in self.headers if known.lower() == name), None)


@attrs.frozen
class Answer:
    """
    What is to be answered.

    Attributes:
        status: the status code.
        headers: which must be there; an empty one must not.
        body: with placeholders.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str


@attrs.frozen
class Step:
    """
    A request and its answer.

    Attributes:
        question: None when it is another answer to what was sent before.
        answer: to it.
        clock: what the clock shows from now on, in microseconds, or None when it isn't touched.
        line: of the file, counted from 1.
    """

    question: Question | None
    answer: Answer
    clock: int | None
    line: int


@attrs.frozen
class Exchange:
    """
    A file.

    Attributes:
        name: of the file, with its folder.
        says: what it shows.
        garden: the name of what is there beforehand.
        doors: where it can be tried, or None for everywhere.
        per_minute: requests that a key may make in a minute, 0 for any number.
        steps: in order.
    """

    name: str
    says: str
    garden: str
    doors: frozenset[str] | None
    per_minute: int
    steps: tuple[Step, ...]

    @property
    def only_reads(self) -> bool:
        """Whether nothing in it can change what is there, so that others can find it as it was."""
        return not self.per_minute and all(
            step.clock is None and step.question is not None and step.question.method in _READING
            for step in self.steps
        )

    @property
    def remembers(self) -> bool:
        """Whether a request holds what stood in an answer before."""
        asked = [step.question for step in self.steps if step.question is not None]
        texts = [text for each in asked for text in (each.target, *(value for _, value in each.headers))]
        texts += [each.body.decode("latin-1") for each in asked]
        return any(_BRACES.search(text) for text in texts)


@attrs.frozen
class Given:
    """
    An answer that was given.

    Attributes:
        status: the status code.
        headers: by name in small letters; None when the door shows none for this answer.
        body: as it was, but unpacked.
        hidden: headers, in small letters, that this door has no place for.
    """

    status: int
    headers: Mapping[str, str] | None
    body: bytes
    hidden: frozenset[str] = frozenset()


class Placeholders:
    """What the words in braces have stood for so far, in one exchange."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def filled(self, text: str) -> str:
        """Return a text with the placeholders that are known replaced."""
        return _BRACES.sub(lambda found: self._known.get(found[1], found[0]), text)

    def asked(self, question: Question) -> Question:
        """Return a request with the placeholders that are known replaced."""
        if not self._known:
            return question
        return attrs.evolve(
            question,
            target=self.filled(question.target),
            headers=tuple((name, self.filled(value)) for name, value in question.headers),
            body=self.filled(question.body.decode("latin-1")).encode("latin-1"),
        )

    def fits(self, expected: str, given: str) -> bool:
        """Say whether a text is the one that is expected, and remember what its placeholders were."""
        expected = self.filled(expected)
        if "{" not in expected:
            return expected == given
        seen: set[str] = set()
        parts = []
        at = 0
        for found in _BRACES.finditer(expected):
            name = found[1]
            parts.append(re.escape(expected[at : found.start()]))
            again = name in seen and name not in FORGOTTEN
            parts.append(
                f"(?P={name})"
                if again
                else f"(?P<{name}>{PLACEHOLDERS[name]})"
                if name not in seen
                else PLACEHOLDERS[name]
            )
            seen.add(name)
            at = found.end()
        parts.append(re.escape(expected[at:]))
        match = re.fullmatch("".join(parts), given, re.DOTALL)
        if match is None:
            return False
        self._known.update({name: text for name, text in match.groupdict().items() if name not in FORGOTTEN})
        return True


def differences(answer: Answer, given: Given, placeholders: Placeholders) -> list[str]:
    """Return what is different from what is expected, a sentence each."""
    found = []
    if given.status != answer.status:
        found.append(f"the status is {given.status}, not {answer.status}")
    for name, value in answer.headers if given.headers is not None else ():
        lowered = name.lower()
        if lowered in given.hidden:
            continue
        there = given.headers.get(lowered) if given.headers is not None else None
        if not value and there is not None:
            found.append(f"there is a header {name}: {there}")
        elif value and there is None:
            found.append(f"there is no header {name}")
        elif value and there is not None and not placeholders.fits(value, there):
            found.append(f"the header {name} is {there!r}, not {value!r}")
    if not _body_fits(answer.body, given.body, placeholders):
        found.append(f"the body is\n{given.body.decode('utf-8', 'replace')[:4000]}\nnot\n{answer.body}")
    return found


def _body_fits(expected: str, given: bytes, placeholders: Placeholders) -> bool:
    picture = _PICTURE.fullmatch(expected)
    if picture is not None:
        return _is_picture(given, picture[1], int(picture[2]), int(picture[3]))
    if expected == "{json}":
        return _is_json(given)
    if expected == "{text}":
        return bool(given.strip())
    try:
        return placeholders.fits(expected, given.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _is_picture(data: bytes, kind: str, width: int, height: int) -> bool:
    if kind == "png":
        size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
        return data.startswith(_PNG_HEAD + size) and data.endswith(b"IEND\xaeB`\x82")
    head = data[:_SVG_HEAD].decode("utf-8", "replace")
    return "<svg" in head and f'width="{width}"' in head and f'height="{height}"' in head


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def read_exchanges(folder: Path) -> Iterator[Exchange]:
    """
    Read all files of a folder and of those in it, in the order of their names.

    Raises:
        BadExchange: one is none.
    """
    for path in sorted(folder.rglob("*" + SUFFIX)):
        yield read_exchange(path.read_bytes().decode("utf-8"), str(path.relative_to(folder).with_suffix("")))


def read_exchange(text: str, name: str = "") -> Exchange:
    """
    Read a file.

    Raises:
        BadExchange: it is none.
    """
    lines = text.removesuffix("\n").split("\n")
    marks = [at for at, line in enumerate(lines) if line.startswith((">>> ", "<<< ", "@ "))]
    if not marks:
        raise BadExchange("there is no request", len(lines))
    says, garden, doors, per_minute = _read_beginning(lines[: marks[0]])
    steps: list[Step] = []
    question: Question | None = None
    waiting = False
    clock: int | None = None
    for at, end in zip(marks, [*marks[1:], len(lines)], strict=True):
        line, part = lines[at], lines[at + 1 : end]
        if line.startswith("<<< "):
            if not waiting and (not steps or _raw_before(steps) is None):
                raise BadExchange("an answer without a request", at + 1)
            steps.append(Step(question, _read_answer(line, part, at + 1), clock, at + 1))
            question, clock, waiting = None, None, False
            continue
        if waiting:
            raise BadExchange("the request before has no answer", at + 1)
        if line.startswith("@ "):
            clock = _read_clock(line, at + 1)
        else:
            question, waiting = _read_question(line, part, at + 1), True
    if waiting or clock is not None:
        raise BadExchange("the last request has no answer", len(lines))
    return Exchange(name, says, garden, doors, per_minute, tuple(steps))


def _raw_before(steps: list[Step]) -> bytes | None:
    asked = next((step.question for step in reversed(steps) if step.question is not None), None)
    return None if asked is None else asked.raw


def _read_beginning(lines: list[str]) -> tuple[str, str, frozenset[str] | None, int]:
    says, garden, doors, per_minute = [], "garden", None, 0
    for line in lines:
        name, colon, value = line.partition(": ")
        if colon and name == "Garden":
            garden = value
        elif colon and name == "Doors":
            doors = frozenset(value.split())
        elif colon and name == "Requests-per-minute" and value.isdecimal():
            per_minute = int(value)
        elif line:
            says.append(line)
    if not says:
        raise BadExchange("the file does not say what it shows", 1)
    return " ".join(says), garden, doors, per_minute


def _read_clock(line: str, at: int) -> int:
    try:
        return parse(line[2:])
    except ValueError:
        raise BadExchange("not a time", at) from None


def _read_head(lines: list[str], at: int) -> tuple[list[tuple[str, str]], str]:
    """Return the headers and the body of a request or an answer."""
    headers: list[tuple[str, str]] = []
    for number, line in enumerate(lines):
        if not line:
            return headers, "\n".join(lines[number + 1 :]).rstrip("\n")
        found = _HEADER.fullmatch(line)
        if found is None:
            raise BadExchange("not a header; an empty line goes before the body", at + number + 1)
        headers.append((found[1], found[2] or ""))
    return headers, ""


def _read_question(line: str, lines: list[str], at: int) -> Question:
    method, _, target = line[4:].partition(" ")
    if line[4:] == "bytes":
        return _read_raw(_unescaped("\n".join(lines)).encode("latin-1"), at)
    if not method.isupper() or not target.startswith(("/", "*", "?")):
        raise BadExchange("not a method and a target", at)
    headers, text = _read_head(lines, at)
    kinds = {kind for name, value in headers if name == "Body" for kind in value.split()}
    if not kinds <= _BODY_KINDS:
        raise BadExchange(f"a body can be {' or '.join(sorted(_BODY_KINDS))}", at)
    body = _unescaped(text).encode("latin-1") if "escaped" in kinds else text.encode()
    if "gzip" in kinds:
        body = gzip.compress(body, mtime=0)
    return Question(method, target, tuple(pair for pair in headers if pair[0] != "Body"), body)


def _read_raw(raw: bytes, at: int) -> Question:
    """Return what a request in bytes is about, as far as that can be seen."""
    found = re.match(r"\s*([A-Z]+) (\S+)", raw.decode("latin-1"))
    if found is None:  # the rest of one
        return Question("", "", (), b"", raw)
    target = re.sub(r"https?://[^/]*", "", found[2])
    return Question(found[1], target, (), b"", raw)


def _read_answer(line: str, lines: list[str], at: int) -> Answer:
    status = line[4:]
    if not (status.isdigit() and len(status) == 3):
        raise BadExchange("not a status", at)
    headers, body = _read_head(lines, at)
    if body.startswith("<?xml"):
        body += "\n"
    if "\n" in body and body.startswith(("{", "[")):
        try:
            body = msgspec.json.format(body, indent=-1)
        except msgspec.DecodeError as problem:
            raise BadExchange(f"the body is not JSON: {problem}", at) from None
    return Answer(int(status), tuple(headers), body)


def _unescaped(text: str) -> str:
    """Return a text without its line ends, with what the escapes in it mean, a character for each byte."""
    pieces = []
    for line in text.split("\n"):
        repeated = _REPEATED.fullmatch(line)
        times, piece = (int(repeated[1]), repeated[2]) if repeated else (1, line)
        plain = piece.encode().decode("latin-1")  # a character for each byte, as escapes give them
        pieces.append(_ESCAPE.sub(_meaning, plain) * times)
    return "".join(pieces)


def _meaning(found: re.Match[str]) -> str:
    letter = found[1]
    return chr(int(letter[1:], 16)) if len(letter) == 3 else _ESCAPES.get(letter, letter)
