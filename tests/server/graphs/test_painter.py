"""From SVG to PNG, in a real process; what happens when that process fails."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from txpachube.server.graphs.painter import Painter, PaintingFailed, can_paint
from txpachube.testing.pictures import read_png

RED = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="3" height="2">'
    '<rect width="3" height="2" fill="#ff0000"/></svg>'
)
WRITTEN = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20" font-family="Inter, sans-serif">'
    '<rect width="40" height="20" fill="#ffffff"/><text x="2" y="16" font-size="16" {}>24.5</text></svg>'
)

MakePainter = Callable[..., Painter]


@pytest.fixture
def make_painter(tmp_path: Path) -> Iterator[MakePainter]:
    """Return a function that makes painters, with a program of their own if one is given."""
    made: list[Painter] = []

    def make(program: str | None = None, patience: float = 20.0) -> Painter:
        command = None
        if program is not None:
            file = tmp_path / f"painter{len(made)}.py"
            file.write_text(program)
            command = [sys.executable, str(file)]
        made.append(Painter(command, patience))
        return made[-1]

    yield make
    for painter in made:
        painter.close()
        painter._end()


def test_an_svg_becomes_a_png(make_painter: MakePainter) -> None:
    """One painter paints picture after picture."""
    painter = make_painter()
    for _ in range(3):
        picture = read_png(painter.paint(RED))
        assert (picture.width, picture.height) == (3, 2)
        assert picture.colours == {"ff0000"}
    assert can_paint()


def test_letters_are_painted_with_our_own_font(make_painter: MakePainter) -> None:
    """Without any font of the system there are letters, in two weights."""
    painter = make_painter()
    plain, bold = (
        sum(row.count("000000") for row in read_png(painter.paint(WRITTEN.format(weight))).rows)
        for weight in ("", 'font-weight="600"')
    )
    assert 20 < plain < bold


def test_the_fonts_of_the_system_may_help_out(make_painter: MakePainter) -> None:
    """Letters that the font lacks do no harm, whether the system has a font for them or not."""
    svg = WRITTEN.replace("24.5", "温度").format("")
    painter = make_painter()
    assert read_png(painter.paint(svg, system_fonts=True)).width == 40
    assert read_png(painter.paint(svg)).width == 40


@pytest.mark.parametrize(
    "svg", ["", "<svg", "no picture", '<svg xmlns="http://www.w3.org/2000/svg" width="0"/>']
)
def test_what_is_no_picture_fails_alone(make_painter: MakePainter, svg: str) -> None:
    """A broken picture is an error, and the next one is painted."""
    painter = make_painter()
    with pytest.raises(PaintingFailed):
        painter.paint(svg)
    assert read_png(painter.paint(RED)).width == 3


ECHO = """
import os, sys
def answer(data):
    os.write(1, len(data).to_bytes(4, "big") + b"\\1" + data)
def request():
    head = sys.stdin.buffer.read(5)
    return sys.stdin.buffer.read(int.from_bytes(head[:4], "big")) if head else sys.exit()
"""


def test_a_process_that_has_ended_is_started_again(make_painter: MakePainter) -> None:
    """A painter whose process ended itself after a picture starts another for the next."""
    painter = make_painter(ECHO + "answer(request() + str(os.getpid()).encode())")
    assert len({painter.paint("a") for _ in range(3)}) == 3


def test_a_process_that_ends_at_once_is_an_error(make_painter: MakePainter) -> None:
    """Starting again and again would not help."""
    with pytest.raises(PaintingFailed, match="ended"):
        make_painter("").paint(RED)


def test_a_crash_in_the_middle_is_an_error(make_painter: MakePainter) -> None:
    """Half an answer is none, and is not taken for the beginning of the next."""
    painter = make_painter(ECHO + "request(); os.write(1, b'\\0\\0\\0\\x09\\1half'); os._exit(3)")
    for _ in range(2):
        with pytest.raises(PaintingFailed):
            painter.paint(RED)


def test_nonsense_is_an_error(make_painter: MakePainter) -> None:
    """An answer longer than any picture is not waited for."""
    with pytest.raises(PaintingFailed, match="nonsense"):
        make_painter(ECHO + "request(); os.write(1, b'\\xff' * 5); request()").paint(RED)


def test_a_process_that_hangs_is_given_up(make_painter: MakePainter) -> None:
    """Who waits is told after the painter's patience, and the process is gone."""
    painter = make_painter(ECHO + "request(); request()", patience=0.1)
    with pytest.raises(PaintingFailed, match="too long"):
        painter.paint(RED)
    assert painter._process is None


def test_closing_ends_what_is_under_way(make_painter: MakePainter) -> None:
    """A thread that waits for a picture does not hold up the end of the service."""
    painter = make_painter(ECHO + "request(); request()")
    failures: list[BaseException] = []

    def paint() -> None:
        try:
            painter.paint(RED)
        except PaintingFailed as problem:
            failures.append(problem)

    thread = threading.Thread(target=paint)
    thread.start()
    while painter._process is None:
        time.sleep(0)
    painter.close()
    thread.join(10)
    assert len(failures) == 1
    with pytest.raises(PaintingFailed):
        painter.paint(RED)
