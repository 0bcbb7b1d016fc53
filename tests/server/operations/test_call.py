"""One request on its way through an operation."""

from __future__ import annotations

import gzip

import pytest

from txpachube.api.messages import Request
from txpachube.api.problems import Problem
from txpachube.api.routes import match
from txpachube.server.operations.call import Call, base_of
from txpachube.server.operations.formats import READ_FEED
from txpachube.server.operations.versions import Versions
from txpachube.server.storage.records import Key
from txpachube.testing.inprocess import NOON, InProcess


def _call(garden: InProcess, request: Request, base_url: str | None = None) -> Call:
    key = Key(1, "text", 1, "rosa", "label", True, ())
    found = match(request.method, request.path)
    return Call(request, found, "feeds.update", "json", NOON, garden.store, key, None, base_url, Versions())


def test_urls_begin_with_the_base(common_garden: InProcess) -> None:
    """The configured one, or where the request went; parts of paths are escaped."""
    request = Request("PUT", "/v2/feeds/1", headers={"host": "h:8000"}, scheme="https")
    call = _call(common_garden, request)
    assert call.url("datastreams.read", feed_id=1, datastream_id="a+b") == (
        "https://h:8000/v2/feeds/1/datastreams/a%2Bb"
    )
    assert _call(common_garden, request, "http://b").url("feeds.read", feed_id=1) == "http://b/v2/feeds/1"


@pytest.mark.parametrize("host", ["x" * 256, "a b", "", "a/b", "[x]", "a:", "a\r\nb"])
def test_a_host_that_can_not_be_one_is_replaced(host: str) -> None:
    """Nothing a client invents gets into a header."""
    assert base_of("http", host) == "http://localhost"


def test_the_zone_is_none_unless_asked_for(common_garden: InProcess) -> None:
    """An unknown zone is as if there were none."""
    for query, known in (
        ("", False),
        ("timezone=Berlin", True),
        ("timezone=Mars", False),
        ("x=timezone", False),
    ):
        assert (_call(common_garden, Request("GET", "/v2/feeds/1", query)).zone is not None) is known


def test_a_body_is_unpacked_and_decoded_by_its_format(common_garden: InProcess) -> None:
    """The path's extension says which format it is."""
    body, headers = gzip.compress(b"temp,5"), {"content-encoding": "gzip"}
    call = _call(common_garden, Request("PUT", "/v2/feeds/1.csv", headers=headers, body=body))
    assert call.decode(READ_FEED) == {"datastreams": [{"id": "temp", "current_value": "5"}]}


def test_a_body_in_a_format_without_meaning_is_refused(common_garden: InProcess) -> None:
    """A feed is no picture."""
    call = _call(common_garden, Request("PUT", "/v2/feeds/1.png", body=b"x"))
    with pytest.raises(Problem) as refused:
        call.decode(READ_FEED)
    assert refused.value.status == 406
