"""
Pages that stood on the old web host beside the API, and that people put into other pages.

``history.png`` and ``history.csv`` are the last 24 hours of a datastream, ``archive.csv`` is all of it. Those
of public feeds need no key. ``crossdomain.xml`` let widgets in Flash read the API from every host.
"""

from __future__ import annotations

from datetime import UTC
from typing import Final

from txpachube.api import params
from txpachube.api.messages import Response
from txpachube.api.negotiation import CONTENT_TYPES
from txpachube.api.problems import bad_request, forbidden
from txpachube.codecs import csv_v2
from txpachube.server.operations import documents, graphs
from txpachube.server.operations.call import Call, Operation
from txpachube.times import EARLIEST, LATEST, SECOND

__all__ = ["MAX_LINES", "OPERATIONS", "archive", "crossdomain", "history"]

MAX_LINES: Final = 100_000
"""Datapoints in one answer: some three megabytes, a point every five minutes for a year. Whoever wants more
goes on from the last time, with ``start``."""

LINES_AT_ONCE: Final = 2000
"""Datapoints read and written at a time: a few milliseconds, then others have their turn."""

_DAY: Final = 24 * 3600 * SECOND

_POLICY: Final = b"""\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE cross-domain-policy SYSTEM "http://www.adobe.com/xml/dtds/cross-domain-policy.dtd">
<cross-domain-policy>
  <allow-access-from domain="*" secure="false"/>
  <allow-http-request-headers-from domain="*" headers="X-ApiKey,X-PachubeApiKey" secure="false"/>
</cross-domain-policy>
"""


async def history(call: Call) -> Response:
    """Return the last 24 hours of a datastream, as lines of a time and a value or as a graph."""
    if call.format == "png":
        return await graphs.read(call, last_day=True)
    return await _lines(call, call.now - _DAY, call.now)


async def archive(call: Call) -> Response:
    """Return everything that is known of a datastream, or what lies between ``start`` and ``end``."""
    zone = call.zone or UTC
    start = params.timestamp(call.query, "start", zone)
    end = params.timestamp(call.query, "end", zone)
    if start is not None and end is not None and start > end:
        raise bad_request("start must not be after end")
    return await _lines(call, EARLIEST if start is None else start, LATEST if end is None else end)


async def _lines(call: Call, start: int, end: int) -> Response:
    if call.minimum_interval is not None:  # every datapoint is more than such a key may see
        raise forbidden()
    stream, zone = call.stream(), call.zone
    pieces: list[bytes] = []
    room = MAX_LINES
    while room:
        points = await call.store.points(stream, start, end, min(room, LINES_AT_ONCE))
        if points:
            pieces.append(csv_v2.encode_datapoints(documents.datapoints(points, zone)))
            start = points[-1][0] + 1
        room -= len(points)
        if len(points) < LINES_AT_ONCE:
            break
    return call.answer(b"\n".join(pieces))


async def crossdomain(call: Call) -> Response:
    """Return the policy that lets every page ask everything here, as the API's other answers do."""
    return Response(200, _POLICY, CONTENT_TYPES["xml"])


OPERATIONS: Final[dict[str, Operation]] = {
    "datastreams.history": history,
    "datastreams.archive": archive,
    "crossdomain.read": crossdomain,
}
