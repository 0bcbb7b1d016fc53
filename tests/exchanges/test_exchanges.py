"""Every exchange in this folder, at every door that can carry it, each time with the garden as planted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from twisted.internet import reactor

from txpachube.testing.doors import BASE_URL, doors_of, open_door
from txpachube.testing.exchanges import Exchange, Placeholders, differences, read_exchanges
from txpachube.testing.inprocess import InProcess

FOLDER = Path(__file__).parent
EXCHANGES = [each for each in read_exchanges(FOLDER) if not each.name.startswith("gardens/")]
TRIED = [
    pytest.param(exchange, name, id=f"{exchange.name} {name}")
    for exchange in EXCHANGES
    for name in doors_of(exchange)
]


@pytest.mark.parametrize(("exchange", "name"), TRIED)
async def test_it_goes_as_it_is_written(
    service_for: Callable[[Exchange, str | None], Awaitable[InProcess]], exchange: Exchange, name: str
) -> None:
    """Each request gets the status, the headers and the body that its file says, whatever carries it."""
    service = await service_for(exchange, BASE_URL if name == "mqtt" else None)
    door = await open_door(name, service, reactor)
    placeholders = Placeholders()
    try:
        for step in exchange.steps:
            service.now = service.now if step.clock is None else step.clock
            asked = None if step.question is None else placeholders.asked(step.question)
            given = await door.ask(asked, step.answer)
            found = differences(step.answer, given, placeholders)
            assert found == [], "\n".join([f"{exchange.name}.http, line {step.line}:", *found])
    finally:
        await door.close()
