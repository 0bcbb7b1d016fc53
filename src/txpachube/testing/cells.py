"""
What exchanges are about, told by the table of routes: each route in each of its formats is a cell.

So it can be counted how many exchanges stand behind a cell, and seen which cells have none.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from txpachube.api import negotiation, params, routes
from txpachube.api.messages import Request
from txpachube.api.problems import Problem
from txpachube.api.routes import Route
from txpachube.testing.exchanges import Exchange, Question

__all__ = ["NO_BODY", "Cells", "cells_of", "formats_of"]

NO_BODY = "-"
"""The format of a route whose requests and answers have no body."""


@attrs.frozen
class Cells:
    """
    Names of exchanges.

    Attributes:
        done: by the route's name and the format of what was read or written, where the answer is a success.
        refused: by the route's name, where it is an error.
    """

    done: dict[tuple[str, str], list[str]] = attrs.field(factory=dict)
    refused: dict[str, list[str]] = attrs.field(factory=dict)


def formats_of(route: Route) -> tuple[str, ...]:
    """Return the formats of a route's cells."""
    return route.formats or (NO_BODY,)


def cells_of(exchanges: Iterable[Exchange]) -> Cells:
    """Return which exchanges stand behind which cells."""
    cells = Cells()
    for exchange in exchanges:
        for step in exchange.steps:
            asked = step.question
            status = step.answer.status
            if asked is None or not asked.method:
                continue
            route, format_ = _cell(asked)
            if route is None:
                continue
            if status in (200, 201) and format_ is not None:
                _note(cells.done.setdefault((route.name, format_), []), exchange.name)
            elif status >= 400:
                _note(cells.refused.setdefault(route.name, []), exchange.name)
    return cells


def _note(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)


def _cell(asked: Question) -> tuple[Route | None, str | None]:
    """Return the route that a request has, and the format in which it is read or written."""
    path, _, query = asked.target.partition("?")
    headers = {name.lower(): value for name, value in asked.headers}
    request = Request(asked.method, path, query, headers, asked.body)
    match = routes.match(params.method_of(request), path)
    route = match.route
    if route is None or not route.formats:
        return route, NO_BODY
    try:
        if route.method == "GET":
            return route, negotiation.response_format(request, match)
        return route, negotiation.body_format(request, match)
    except Problem:
        return route, None
