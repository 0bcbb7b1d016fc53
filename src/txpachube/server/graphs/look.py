"""
What a graph shall look like, as the parameters of its URL say.

Each parameter has a short name, made for URLs in e-mails, and a long one, which the web site's graph
builder wrote; the long one counts when both are there. Nobody reads an error message in the place
of a picture, so what can't be understood has its default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, get_args

import attrs

from txpachube.api.parameters import MAX_SIDE
from txpachube.api.params import boolean
from txpachube.codecs.values import numeric

__all__ = ["Look", "read"]

MAX_STROKE: Final = 100.0
"""Pixels of the line's width; more would be an area."""

MIN_STROKE: Final = 0.25
"""Thinner lines can't be seen."""

MAX_TEXT: Final = 200
"""Characters of the title and of the legend; no picture is wide enough for more."""

ScaleName = Literal["auto", "datastream", "manual"]

_SCALES: Final[tuple[ScaleName, ...]] = get_args(ScaleName)
_COLOUR: Final = re.compile(r"#?([0-9A-Fa-f]{6})", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d*)?", re.ASCII)
# Control characters and what can't be written in XML.
_UNWRITABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")


@attrs.frozen
class Look:
    """
    What a graph shall look like.

    Attributes:
        width: of the picture, in pixels.
        height: likewise.
        colour: of the line, six hexadecimal digits.
        title: above the graph; empty for none.
        legend: inside of it; empty for none.
        stroke: the line's width in pixels.
        labels: whether the axes have labels.
        grid: whether the grid is a detailed one.
        scale: where the values' axis ends: ``auto`` where the data in the picture do, ``datastream`` at the
            datastream's minimum and maximum, ``manual`` at ``low`` and ``high``.
        low: the lower end, or None for the datastream's minimum.
        high: the upper end, or None for the datastream's maximum.
    """

    width: int = 600
    height: int = 250
    colour: str = "f15a24"
    title: str = ""
    legend: str = ""
    stroke: float = 4.0
    labels: bool = False
    grid: bool = False
    scale: ScaleName = "auto"
    low: float | None = None
    high: float | None = None


_DEFAULT: Final = Look()


def read(query: Mapping[str, str]) -> Look:
    """Return what the query parameters of a graph ask for."""
    scale = _scale(query.get("scale", ""))
    manual = scale == "manual"
    return Look(
        width=_pixels(_given(query, "width", "w"), _DEFAULT.width),
        height=_pixels(_given(query, "height", "h"), _DEFAULT.height),
        colour=_colour(_given(query, "colour", "color", "c")),
        title=_text(_unquoted(_given(query, "title", "t"))),
        legend=_text(_given(query, "legend", "l")),
        stroke=_stroke(_given(query, "stroke_size", "stroke", "s")),
        labels=_switch(query, "show_axis_labels", "b"),
        grid=_switch(query, "detailed_grid", "g"),
        scale=scale,
        low=numeric(query.get("min", "")) if manual else None,
        high=numeric(query.get("max", "")) if manual else None,
    )


def _given(query: Mapping[str, str], *names: str) -> str:
    """Return the value of the first of the names that has one; a form sends its empty fields, too."""
    return next((text for name in names if (text := query.get(name, "").strip())), "")


def _switch(query: Mapping[str, str], long: str, short: str) -> bool:
    # Here an empty value says something: that the switch is on.
    return boolean(query.get(long, query.get(short)))


def _pixels(text: str, default: int) -> int:
    if _NUMBER.fullmatch(text) is None:
        return default
    whole = text.partition(".")[0]
    # Compared by length first: converting a million digits would take minutes.
    digits = whole.lstrip("+-0")
    number = MAX_SIDE if len(digits) > len(str(MAX_SIDE)) else int(digits or "0")
    return 1 if whole.startswith("-") else min(max(number, 1), MAX_SIDE)


def _stroke(text: str) -> float:
    number = numeric(text) or 0.0
    return min(max(number, MIN_STROKE), MAX_STROKE) if number > 0 else _DEFAULT.stroke


def _colour(text: str) -> str:
    match = _COLOUR.fullmatch(text)
    return match[1].lower() if match else _DEFAULT.colour


def _scale(text: str) -> ScaleName:
    name = text.strip().lower()
    return next((known for known in _SCALES if known == name), _DEFAULT.scale)


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _text(text: str) -> str:
    return " ".join(_UNWRITABLE.sub(" ", text[:MAX_TEXT]).split())
