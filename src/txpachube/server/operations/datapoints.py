"""
Datapoints: write many, read, correct and delete one, delete a range.

A datapoint is known by its time; the time in a path is compared as a moment, to the microsecond.
"""

from __future__ import annotations

from datetime import UTC
from typing import Final

from txpachube import times
from txpachube.api import params
from txpachube.api.messages import Response
from txpachube.api.problems import not_found
from txpachube.server import history
from txpachube.server.operations import changes, formats, reading
from txpachube.server.operations.call import Call, Operation
from txpachube.times import format_micros

__all__ = ["OPERATIONS", "create", "delete_one", "delete_range", "list_some", "read_one", "update_one"]


async def create(call: Call) -> Response:
    """Store datapoints, all or none; one of a time that is known already replaces it."""
    stream = call.stream()
    change = changes.of_datapoints(call.decode(formats.READ_DATAPOINTS), stream, call.now, call.zone)
    await call.store.change_feed(call.feed, change)
    return call.done()


async def list_some(call: Call) -> Response:
    """Return the datastream with its history, that of the last six hours when no range is asked for."""
    return await reading.read_stream(call, always_history=True)


async def read_one(call: Call) -> Response:
    """Return the datapoint of exactly that moment."""
    stream, at = call.stream(), _moment(call)
    found = await call.store.points(stream, at, at, 1)
    if not found:
        raise not_found()
    document = {"at": format_micros(at, call.zone), "value": found[0][1]}
    return call.answer(formats.WRITE_DATAPOINT[call.format](document))


async def update_one(call: Call) -> Response:
    """Give the datapoint another value; it must exist."""
    stream, at = call.stream(), _moment(call)
    value = changes.point_value(call.decode(formats.READ_DATAPOINT))
    if not await call.store.replace_point(call.feed, stream, at, value, call.now):
        raise not_found()
    return call.done()


async def delete_one(call: Call) -> Response:
    """Remove the datapoint of exactly that moment."""
    stream, at = call.stream(), _moment(call)
    if not await call.store.delete_points(call.feed, stream, at, at):
        raise not_found()
    return call.done()


async def delete_range(call: Call) -> Response:
    """Remove all datapoints of a range that must be given, so that nobody empties a datastream by mistake."""
    stream = call.stream()
    start, end = history.deletion_range(params.deletion_parameters(call.request), call.now, call.zone)
    await call.store.delete_points(call.feed, stream, start, end)
    return call.done()


def _moment(call: Call) -> int:
    try:
        return times.parse(call.parameter("at"), call.zone or UTC)
    except ValueError:
        raise not_found() from None


OPERATIONS: Final[dict[str, Operation]] = {
    "datapoints.create": create,
    "datapoints.list": list_some,
    "datapoints.delete_range": delete_range,
    "datapoint.read": read_one,
    "datapoint.update": update_one,
    "datapoint.delete": delete_one,
}
