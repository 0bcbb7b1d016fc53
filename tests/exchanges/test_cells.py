"""The exchanges leave nothing of the table of routes out."""

from __future__ import annotations

from pathlib import Path

import pytest

from txpachube.api.routes import ROUTES, Route
from txpachube.testing.cells import cells_of, formats_of
from txpachube.testing.exchanges import Exchange, read_exchanges

FOLDER = Path(__file__).parent
EXCHANGES = [each for each in read_exchanges(FOLDER) if not each.name.startswith("gardens/")]
CELLS = cells_of(EXCHANGES)
FEWEST = 300
NOT_HERE: dict[tuple[str, str], str] = {}
"""Cells without an exchange, and why."""


@pytest.mark.parametrize(
    ("route", "format_"),
    [(route, format_) for route in ROUTES for format_ in formats_of(route)],
    ids=lambda part: part.name if isinstance(part, Route) else part,
)
def test_each_cell_has_an_exchange(route: Route, format_: str) -> None:
    """Every route is shown to work in each of its formats, except where there is a reason why not."""
    assert ((route.name, format_) in CELLS.done) != ((route.name, format_) in NOT_HERE)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_each_route_has_one_that_is_refused(route: Route) -> None:
    """Of every route it is shown what it says when something is wrong."""
    assert CELLS.refused.get(route.name)


def test_exceptions_are_cells() -> None:
    """What is excepted exists."""
    assert set(NOT_HERE) <= {(route.name, format_) for route in ROUTES for format_ in formats_of(route)}


def test_there_are_many_and_each_asks_something_else() -> None:
    """At least three hundred files, no two of which ask the same of the same garden."""
    assert len(EXCHANGES) >= FEWEST
    asked = [(each.garden, each.per_minute, each.doors, _requests(each)) for each in EXCHANGES]
    assert len(set(asked)) == len(asked)


def _requests(exchange: Exchange) -> tuple[object, ...]:
    return tuple((step.question, step.clock) for step in exchange.steps)
