"""Graphs by URL: who may see them, what is drawn, and when nothing needs to be."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from lxml import etree

from txpachube.api.messages import Request, Response
from txpachube.api.problems import Problem
from txpachube.server.graphs.painter import Painter, PaintingFailed
from txpachube.server.graphs.studio import Studio
from txpachube.testing.inprocess import NOON, InProcess
from txpachube.testing.pictures import Picture, read_png
from txpachube.times import SECOND, format_micros

PNG = "GET /v2/feeds/1/datastreams/temp.png"
SVG = "GET /v2/feeds/1/datastreams/temp.svg"
HOUR = 3600 * SECOND


def picture(answer: Response) -> Picture:
    """Return the picture of an answer that has one."""
    assert (answer.status, answer.content_type) == (200, "image/png")
    return read_png(answer.body)


def written(answer: Response) -> list[str]:
    """Return what is written in the drawing of an answer."""
    assert (answer.status, answer.content_type) == (200, "image/svg+xml")
    return [element.text or "" for element in etree.fromstring(answer.body).iter("{*}text")]


async def put_points(garden: InProcess, stream: str, *points: tuple[int, str]) -> None:
    """Store datapoints of a datastream of feed 1."""
    body = "".join(f"{format_micros(at)},{value}\n" for at, value in points)
    answer = await garden.ask(f"POST /v2/feeds/1/datastreams/{stream}/datapoints.csv", body)
    assert answer.status == 200, answer.body


# --- the picture --------------------------------------------------------------------------------------


async def test_a_graph_has_its_size_and_its_colour(common_garden: InProcess) -> None:
    """A PNG has the size asked for, and the colour asked for occurs in it."""
    default = picture(await common_garden.ask(PNG))
    assert (default.width, default.height) == (600, 250)
    assert {"f15a24", "ffffff"} <= default.colours
    other = picture(await common_garden.ask(f"{PNG}?w=120&h=80&c=%23FFCC33"))
    assert (other.width, other.height) == (120, 80)
    assert "ffcc33" in other.colours
    assert "f15a24" not in other.colours
    for query in ("s=0.25&w=301&h=97", "s=1&w=50&h=50", "s=50", "w=20&h=20"):
        assert "f15a24" in picture(await common_garden.ask(f"{PNG}?{query}")).colours


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (7, 5), (30, 30), (2000, 3)])
async def test_a_graph_of_any_size(common_garden: InProcess, size: tuple[int, int]) -> None:
    """However small a picture is, it is painted, with everything asked for and with nothing."""
    for more in ("", "&b=1&g=1&t=Kitchen&l=Celsius"):
        found = picture(await common_garden.ask(f"{PNG}?w={size[0]}&h={size[1]}{more}"))
        assert (found.width, found.height) == size


async def test_sizes_are_cut(common_garden: InProcess) -> None:
    """Nobody gets a picture larger than the largest."""
    found = (await common_garden.ask(f"{SVG}?w=99999999999&h=-3")).body
    assert b'width="2000" height="1"' in found


async def test_the_long_names(common_garden: InProcess) -> None:
    """A URL of the old graph builder is understood, and says the same as the short one."""
    long = "width=300&height=200&colour=%2300ff00&duration=6hours&show_axis_labels=true&detailed_grid=true"
    short = "w=300&h=200&c=00ff00&duration=6hours&b=true&g=true"
    answers = [
        await common_garden.ask(f"{SVG}?{query}&{rest}")
        for query, rest in ((long, "title=T&legend=L&stroke_size=2"), (short, "t=%22T%22&l=L&s=2"))
    ]
    assert answers[0].body == answers[1].body
    assert answers[0].etag == answers[1].etag
    assert {"T", "L", "10:00"} <= set(written(answers[0]))


async def test_the_last_day_unless_told_otherwise(common_garden: InProcess) -> None:
    """Without a range a graph shows the last 24 hours, in the zone asked for."""
    found = written(await common_garden.ask(f"{SVG}?b=true"))
    assert [text for text in found if ":" in text] == [
        *("12:00", "15:00", "18:00", "21:00", "03:00", "06:00", "09:00", "12:00")
    ]
    assert {"1 Jun", "UTC", "31 May \N{EN DASH} 1 Jun 2013"} <= set(found)
    found = written(await common_garden.ask(f"{SVG}?b=true&timezone=Copenhagen&duration=3hours"))
    assert {"12:00", "14:00", "CEST", "1 Jun 2013"} <= set(found)
    only_end = await common_garden.ask(f"{SVG}?b=true&end=2013-06-01T12:00:00Z")
    assert only_end.body == (await common_garden.ask(f"{SVG}?b=true")).body


async def test_texts_are_skipped_and_ends_are_reached(garden: InProcess) -> None:
    """Values that are no numbers are not drawn; the number before the range begins the line."""
    points = [(NOON - 20 * HOUR, "4"), (NOON - 3 * HOUR, "8"), (NOON - 2 * HOUR, "off"), (NOON - HOUR, "6")]
    await put_points(garden, "door", *points)
    answer = await garden.ask("GET /v2/feeds/1/datastreams/door.svg?duration=6hours")
    line = next(path for path in etree.fromstring(answer.body).iter("{*}path") if path.get("stroke-linejoin"))
    pairs = [pair.split() for pair in re.split("[ML]", line.get("d", ""))[1:]]
    xs, ys = [float(pair[0]) for pair in pairs], [float(pair[1]) for pair in pairs]
    assert xs == pytest.approx([10, 300, 493.3], abs=1)
    assert ys[1] < ys[2] < ys[0]


async def test_no_data_is_an_empty_frame(common_garden: InProcess) -> None:
    """A datastream without values, with texts only, or with none in the range has an empty graph."""
    for line in (
        "GET /v2/feeds/1/datastreams/door.png",
        "GET /v2/feeds/1/datastreams/log.csv.png",
        f"{PNG}?start=2013-01-01&end=2013-01-02&b=1&g=1",
    ):
        assert "f15a24" not in picture(await common_garden.ask(line)).colours


async def test_scales(garden: InProcess) -> None:
    """The values' axis fits the data, or the datastream's limits, or those that are asked for."""
    await put_points(
        garden,
        "door",
        *[(NOON - hours * HOUR, value) for hours, value in ((30, "-100"), (3, "8"), (1, "8"), (0, "9"))],
    )
    line = "GET /v2/feeds/1/datastreams/door.svg?b=1&duration=2hours"
    for query, lowest in (
        ("", "8.0"),
        ("&scale=DataStream", "\N{MINUS SIGN}100"),
        ("&scale=manual&min=0&max=1e3", "0"),
    ):
        assert written(await garden.ask(line + query))[0] == lowest


async def test_the_units_symbol_is_shown(common_garden: InProcess) -> None:
    """With labels, the unit stands above the values."""
    assert "C" in written(await common_garden.ask(f"{SVG}?b=1"))


async def test_a_datastream_called_like_a_picture(garden: InProcess) -> None:
    """An id that ends in .png or .svg wins over the format, which then needs a key as ever."""
    for name in ("roof.png", "roof.svg"):
        body = f'{{"datastreams": [{{"id": "{name}", "current_value": "1"}}]}}'
        assert (await garden.ask("POST /v2/feeds/1/datastreams.json", body)).status == 201
        found = await garden.ask(f"GET /v2/feeds/1/datastreams/{name}")
        assert found.content_type.startswith("application/json")
        assert (await garden.ask(f"GET /v2/feeds/1/datastreams/{name}", key="")).status == 401
        assert (await garden.ask(f"GET /v2/feeds/1/datastreams/{name}.svg")).content_type == "image/svg+xml"
        assert (
            await garden.ask(f"PUT /v2/feeds/1/datastreams/{name}", '{"current_value": "2"}')
        ).status == 200
        assert garden.store._memory.feed(1).streams[name].value == "2"  # type: ignore[union-attr]  # it exists


# --- leniency and hostility ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "w=NaN&h=inf&s=-1&c=red&scale=x&min=q",
        f"w={'9' * 5000}&h=1e999&s=1e999",
        "t=" + quote("<script>alert(1)</script>]]>&\x00\x1b\u202e\ufffe"),
        "t=" + quote("温度 🌡 نور") + "&l=" + "%F0%28%8C%28",
        "scale=manual&min=-1e308&max=1e308",
        "scale=manual&min=5&max=5",
        "scale=manual&min=9&max=-9",
        "timezone=Nowhere&b=1",
        "duration=1second&b=1",
        "start=2013-06-01T10:00:00Z&end=2013-06-01T10:00:00Z&b=1&g=1",
        "start=2012-06-01T12:00:00Z&b=1&g=1",
        "end=2014-06-01T12:00:00Z&duration=1year&b=1",
        "interval=30&limit=5&function=average&find_previous=true",
        "&&=&b&g&t&l",
    ],
)
async def test_what_is_not_understood_has_its_default(common_garden: InProcess, query: str) -> None:
    """A picture comes whatever the parameters of its look are, in both formats."""
    small = "" if query.startswith("w=") else "w=200&h=100&"
    assert picture(await common_garden.ask(f"{PNG}?{small}{query}")).height > 0
    drawn = await common_garden.ask(f"{SVG}?{query}&h=300")
    assert {etree.QName(e).localname for e in etree.fromstring(drawn.body).iter()} <= {
        *("svg", "title", "g", "path", "rect", "circle", "text", "clipPath")
    }
    assert ("Content-Security-Policy", "default-src 'none'") in drawn.extra


@pytest.mark.parametrize(
    "query",
    [
        "duration=forever",
        "start=yesterday",
        "start=2013-06-01T12:00:00Z&end=2013-06-01T10:00:00Z",
        "start=2013-06-01&end=2013-06-02&duration=1day",
        "start=2011-06-01",
        "duration=400days",
        "interval=-1",
    ],
)
async def test_wrong_ranges_are_told(common_garden: InProcess, query: str) -> None:
    """A range that can't be read, contradicts itself or is longer than a year is a bad request."""
    for line in (PNG, SVG):
        assert (await common_garden.ask(f"{line}?{query}")).status == 400


# --- who may see it -----------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["png", "svg"])
async def test_who_may_see_a_graph(common_garden: InProcess, ending: str) -> None:
    """Public feeds need no key, private ones one that may see them; a wrong key is always wrong."""
    public, private = (f"GET /v2/feeds/{n}.{ending}" for n in ("1/datastreams/temp", "2/datastreams/wine"))
    for line, key, status in (
        (public, "", 200),
        (public, "greenhouse", 200),
        (public, "master-of-otto", 200),
        (public, "unknown", 401),
        (public, "expired", 401),
        (public, "page", 403),
        (private, "", 401),
        (private, "public-of-rosa", 403),
        (private, "master-of-otto", 403),
        (private, "greenhouse", 403),
        (private, "reader-of-rosa", 200),
        (f"GET /v2/feeds/99/datastreams/temp.{ending}", "", 404),
        (f"GET /v2/feeds/1/datastreams/nothing.{ending}", "", 404),
        (f"DELETE /v2/feeds/1/datastreams/temp.{ending}", "", 401),
        (f"PUT /v2/feeds/1/datastreams/temp.{ending}", "", 401),
        (f"POST /v2/feeds/1/datastreams/temp.{ending}?_method=PUT", "", 401),
    ):
        assert (await common_garden.ask(line, key=key)).status == status, (line, key)
    assert (await common_garden.ask(f"{private}?key=master-of-rosa", key="")).status == 200


async def test_other_formats_need_a_key_as_ever(common_garden: InProcess) -> None:
    """Only the picture is free; a header that asks for one is as good as the ending."""
    plain = "GET /v2/feeds/1/datastreams/temp"
    for line in (
        plain,
        f"{plain}.json",
        "GET /v2/feeds/1/datastreams/temp/datapoints.png",
        "GET /v2/feeds/1.png",
    ):
        assert (await common_garden.ask(line, key="")).status == 401
    found = await common_garden.ask(plain, headers={"accept": "image/png"}, key="")
    assert found.content_type == "image/png"
    browser = {"accept": "image/avif,image/webp,image/svg+xml,image/*,*/*;q=0.8"}
    assert (await common_garden.ask(plain, headers=browser)).content_type.startswith("application/json")


@pytest.mark.parametrize("path", ["/v2/feeds/1.png", "/v2/feeds.png", "/v2/feeds/1/datastreams.png"])
async def test_feeds_have_no_graph(common_garden: InProcess, path: str) -> None:
    """Only a single datastream is drawn."""
    assert (await common_garden.ask(f"GET {path}")).status == 406


@pytest.mark.parametrize(
    "path", ["/v2/feeds/1.svg", "/v2/feeds/1/datastreams/temp/datapoints.svg", "/v2/keys.svg"]
)
async def test_svg_is_an_ending_of_datastreams_only(common_garden: InProcess, path: str) -> None:
    """Elsewhere it is a part of the name, or of no path at all."""
    assert (await common_garden.ask(f"GET {path}")).status == 404


async def test_a_graph_opens_no_other_door(common_garden: InProcess) -> None:
    """Who subscribes to a datastream by the path of its graph needs a key."""
    request = Request("SUBSCRIBE", "/v2/feeds/1/datastreams/temp.png")
    with pytest.raises(Problem) as problem:
        await common_garden.app.authorise(request)
    assert problem.value.status == 401


async def test_a_key_with_an_interval_sees_no_more_than_that(garden: InProcess) -> None:
    """A key that may read one value an hour gets a line of one point an hour."""
    points = [(NOON - n * 60 * SECOND, str(n % 10)) for n in range(24 * 60)]
    for begin in range(0, len(points), 400):
        await put_points(garden, "door", *points[begin : begin + 400])
    counts = []
    for key in ("hourly", "master-of-rosa"):
        answer = await garden.ask("GET /v2/feeds/1/datastreams/door.svg", key=key)
        line = next(
            path for path in etree.fromstring(answer.body).iter("{*}path") if path.get("stroke-linejoin")
        )
        counts.append(line.get("d", "").count("L") + 1)
    assert counts[0] == 24
    assert counts[1] > 1000
    assert (
        await garden.ask("GET /v2/feeds/1/datastreams/door.svg?duration=1minute", key="hourly")
    ).status == 200


# --- caching ------------------------------------------------------------------------------------------


async def test_what_a_browser_has_is_not_drawn_again(garden: InProcess) -> None:
    """With the tag of what is there, the answer is 304, without reading or drawing anything."""
    first = await garden.ask(PNG)
    assert first.etag is not None
    made = garden.studio.made
    again = await garden.ask(PNG, headers={"if-none-match": f'"x", {first.etag}'})
    assert (again.status, again.body, again.etag) == (304, b"", first.etag)
    assert (await garden.ask(PNG)).body == first.body
    assert garden.studio.made == made
    garden.studio._kept.clear()  # as if others had needed the room
    assert (await garden.ask(PNG, headers={"if-none-match": first.etag})).status == 304
    assert garden.studio.made == made


async def test_what_has_changed_is_drawn_again(garden: InProcess) -> None:
    """New data, corrected data, deleted data and another unit all make another picture."""
    tags = {(await garden.ask(PNG)).etag}
    at = format_micros(NOON - HOUR)
    for line, body in (
        ("PUT /v2/feeds/1/datastreams/temp.json", f'{{"current_value": "25", "at": "{at}"}}'),
        (f"PUT /v2/feeds/1/datastreams/temp/datapoints/{at}.json", '{"value": "26"}'),
        (f"DELETE /v2/feeds/1/datastreams/temp/datapoints/{at}", ""),
        ("PUT /v2/feeds/1/datastreams/temp.json", '{"unit": {"symbol": "K"}}'),
    ):
        assert (await garden.ask(line, body)).status == 200
        answer = await garden.ask(PNG, headers={"if-none-match": ", ".join(tag for tag in tags if tag)})
        assert answer.status == 200
        assert answer.etag not in tags
        tags.add(answer.etag)


async def test_a_picture_stays_good_until_it_would_look_different(garden: InProcess) -> None:
    """A graph of the last day moves by whole columns, each 144 seconds in an ordinary one."""
    tags = []
    for seconds in (1, 60, 143, 145):
        garden.now = NOON + seconds * SECOND
        tags.append((await garden.ask(SVG)).etag)
    assert tags[0] == tags[1] == tags[2] != tags[3]
    fixed = f"{SVG}?start=2013-06-01T06:00:00Z&duration=6hours"
    before = (await garden.ask(fixed)).etag
    garden.now = NOON + 5 * HOUR
    assert (await garden.ask(fixed)).etag == before


async def test_svg_is_packed_and_png_is_not(common_garden: InProcess) -> None:
    """What is packed already is not packed again."""
    for line, packed in ((SVG, True), (PNG, False)):
        answer = await common_garden.ask(f"{line}?b=1&g=1&w=900", headers={"accept-encoding": "gzip"})
        assert (("Content-Encoding", "gzip") in answer.extra) is packed


# --- when it can't be drawn ---------------------------------------------------------------------------


async def test_without_the_extra_there_is_svg(garden: InProcess) -> None:
    """Where the painting library is not installed, the operator is told what to install."""
    garden.app._studio = studio = Studio(garden.studio._reactor, paints=False)
    answer = await garden.ask(PNG)
    assert answer.status == 406
    assert b"txpachube[graphs]" in answer.body
    assert (await garden.ask(SVG)).status == 200
    studio.close()


async def test_an_app_without_a_studio_draws_nothing(garden: InProcess) -> None:
    """Graphs are a part that can be left out."""
    garden.app._studio = None
    for line in (PNG, SVG):
        assert (await garden.ask(line)).status == 406


class _BrokenPainter(Painter):
    def paint(self, svg: str, *, system_fonts: bool = False) -> bytes:
        raise PaintingFailed("no ink")


@pytest.mark.parametrize("more", [{"painter": _BrokenPainter}, {"max_waiting": 0}])
async def test_failures_are_temporary(garden: InProcess, more: dict[str, Any]) -> None:
    """When painting fails or too many want a picture, the answer is 503."""
    garden.app._studio = studio = Studio(garden.studio._reactor, **more)
    assert (await garden.ask(PNG)).status == 503
    studio.close()
