"""What stood on the old web host beside the API."""

from __future__ import annotations

import json

import pytest
from lxml import etree

from txpachube.server.operations import webhost
from txpachube.testing.inprocess import NOON, InProcess
from txpachube.testing.pictures import read_png
from txpachube.times import SECOND, format_micros

TEMP = "/feeds/1/datastreams/temp"
EARLIER = "2013-05-30T12:00:00.000000Z,18"
TODAY = "2013-06-01T09:00:00.000000Z,19.0\n2013-06-01T09:30:00.000000Z,20\n2013-06-01T10:00:00.000000Z,21.50"


async def _more(garden: InProcess) -> None:
    body = "2013-05-30T12:00:00Z,18\n2013-07-01T00:00:00Z,30"
    assert (await garden.ask("POST /v2" + TEMP + "/datapoints.csv", body)).status == 200


async def test_history_is_the_last_day(garden: InProcess) -> None:
    """Every datapoint of the last 24 hours, a time and a value in each line, without a key."""
    await _more(garden)
    for path in (f"{TEMP}/history.csv", f"{TEMP}/history", f"{TEMP}/history.csv?duration=1year"):
        answer = await garden.ask(f"GET {path}", key="")
        assert (answer.status, answer.content_type) == (200, "text/plain; charset=utf-8")
        assert answer.body.decode() == TODAY
        assert answer.etag is not None


async def test_archive_is_everything(garden: InProcess) -> None:
    """Everything that was ever written, in order, also what lies in the future."""
    await _more(garden)
    answer = await garden.ask(f"GET {TEMP}/archive.csv", key="")
    assert answer.body.decode() == f"{EARLIER}\n{TODAY}\n2013-07-01T00:00:00.000000Z,30"
    ranged = await garden.ask(
        f"GET {TEMP}/archive.csv?start=2013-06-01T09:30:00Z&end=2013-06-02&timezone=%2B1", key=""
    )
    assert ranged.body.decode() == (
        "2013-06-01T10:30:00.000000+01:00,20\n2013-06-01T11:00:00.000000+01:00,21.50"
    )


async def test_a_long_archive_is_read_in_slices(garden: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read in several slices is one text, cut at the limit; the last time leads on from there."""
    monkeypatch.setattr(webhost, "LINES_AT_ONCE", 50)
    monkeypatch.setattr(webhost, "MAX_LINES", 320)
    lines = [f"{format_micros(NOON - number * SECOND)},{number}" for number in range(400, 0, -1)]
    assert (
        await garden.ask("POST /v2/feeds/2/datastreams/wine/datapoints.csv", "\n".join(lines))
    ).status == 200
    path = "GET /feeds/2/datastreams/wine/archive.csv"
    first = (await garden.ask(path)).body.decode().split("\n")
    assert first == lines[:320]
    rest = (await garden.ask(f"{path}?start={first[-1].partition(',')[0]}")).body.decode().split("\n")
    assert rest == lines[319:]
    monkeypatch.setattr(webhost, "MAX_LINES", 400)
    assert (await garden.ask(path)).body.decode().split("\n") == lines


async def test_the_picture_is_that_of_the_last_day(garden: InProcess) -> None:
    """The graph of the old web host is the API's, of 24 hours whatever is asked for, with its parameters."""
    wanted = await garden.ask(f"GET /v2{TEMP}.png?duration=24hours&w=200&h=100", key="")
    for query in ("w=200&h=100", "w=200&h=100&duration=1year"):
        answer = await garden.ask(f"GET {TEMP}/history.png?{query}", key="")
        assert (answer.status, answer.content_type) == (200, "image/png")
        assert read_png(answer.body).width == 200
        assert answer.body == wanted.body


async def test_nothing_is_an_empty_text(garden: InProcess) -> None:
    """A datastream without datapoints has a history without lines."""
    answer = await garden.ask("GET /feeds/1/datastreams/door/history.csv", key="")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("page", ["history.csv", "archive.csv", "history.png"])
@pytest.mark.parametrize(
    ("feed", "stream", "key", "status"),
    [
        (1, "temp", "unknown", 401),
        (2, "wine", "", 401),
        (2, "wine", "master-of-otto", 403),
        (2, "wine", "public-of-rosa", 403),
        (1, "door", "thermometer", 403),
        (1, "nothing", "", 404),
        (99, "temp", "", 404),
    ],
)
async def test_only_public_feeds_are_shown_to_all(
    garden: InProcess, page: str, feed: int, stream: str, key: str, status: int
) -> None:
    """Private feeds need a key of their owner, and a key that is sent must be one and allow it."""
    answer = await garden.ask(f"GET /feeds/{feed}/datastreams/{stream}/{page}", key=key)
    assert answer.status == status


async def test_a_private_history_is_shown_to_its_owner(garden: InProcess) -> None:
    """The key usually stands in the URL."""
    answer = await garden.ask("GET /feeds/2/datastreams/wine/archive.csv?key=master-of-rosa", key="")
    assert answer.status == 200


async def test_a_key_for_coarse_history_does_not_see_each_datapoint(garden: InProcess) -> None:
    """A key that may only read a point an hour gets no raw lines."""
    assert (await garden.ask(f"GET {TEMP}/archive.csv", key="hourly")).status == 403


@pytest.mark.parametrize("query", ["start=yesterday", "end=x", "start=2013-06-02&end=2013-06-01"])
async def test_a_wrong_range_is_refused(garden: InProcess, query: str) -> None:
    """Guessing a time could give the wrong data."""
    assert (await garden.ask(f"GET {TEMP}/archive.csv?{query}", key="")).status == 400


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (f"GET {TEMP}/history.json", 406),
        (f"GET {TEMP}/archive.png", 406),
        (f"PUT {TEMP}/history.csv", 404),
        (f"GET {TEMP}", 404),
        ("GET /feeds/1.csv", 404),
        ("GET /v2" + TEMP + "/history.csv", 404),
        ("POST /crossdomain.xml", 404),
    ],
)
async def test_there_is_nothing_else(garden: InProcess, line: str, status: int) -> None:
    """The pages have their formats, are only read, and stand where they stood."""
    answer = await garden.ask(line)
    assert answer.status == status


async def test_no_route_is_told_as_ever(garden: InProcess) -> None:
    """A path without a prefix that leads nowhere is answered like one of version 2."""
    answer = await garden.ask("GET /feeds/1")
    assert json.loads(answer.body)["errors"] == 'No route matches [GET] "/api/feeds/1"'


async def test_widgets_of_all_hosts_may_read(garden: InProcess) -> None:
    """The policy allows every host and both headers that carry a key."""
    answer = await garden.ask("GET /crossdomain.xml", key="")
    assert (answer.status, answer.content_type) == (200, "application/xml; charset=utf-8")
    policy = etree.fromstring(answer.body)
    assert policy.tag == "cross-domain-policy"
    assert [(child.tag, child.get("domain"), child.get("headers")) for child in policy] == [
        ("allow-access-from", "*", None),
        ("allow-http-request-headers-from", "*", "X-ApiKey,X-PachubeApiKey"),
    ]
