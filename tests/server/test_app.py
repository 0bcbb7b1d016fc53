"""From a request to its answer: the order of the questions, and what is common to all operations."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any, cast

import pytest
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher

from txpachube.api import routes
from txpachube.api.messages import Request, Response
from txpachube.api.routes import ROUTES
from txpachube.server.app import App
from txpachube.server.operations import OPERATIONS, Call
from txpachube.server.storage import passwords
from txpachube.server.storage.failures import Gone, StorageError, StorageFailed, StorageFull
from txpachube.testing.inprocess import NOON, InProcess
from txpachube.times import SECOND

FEED = "GET /v2/feeds/1.json"


def _errors(answer: Response) -> tuple[int, str, Any]:
    told = json.loads(answer.body)
    return answer.status, told["title"], told["errors"]


def test_every_operation_has_a_route() -> None:
    """Nothing is written for a route that does not exist."""
    assert OPERATIONS.keys() <= {route.name for route in ROUTES}


async def test_options_needs_no_key_and_no_route(garden: InProcess) -> None:
    """A browser's preflight is answered on any path."""
    answer = await garden.ask("OPTIONS /any/thing", key="")
    assert (answer.status, answer.body) == (200, b"")
    assert ("Access-Control-Max-Age", "86400") in answer.extra


async def test_the_route_is_asked_before_the_key(garden: InProcess) -> None:
    """A path that leads nowhere says so to everybody."""
    assert (await garden.ask("GET /v2/nothing", key="")).status == 404


async def test_the_key_is_asked_before_the_feed(garden: InProcess) -> None:
    """Without a key nobody learns which feeds exist."""
    assert (await garden.ask("GET /v2/feeds/999", key="")).status == 401


async def test_the_feed_is_asked_before_the_permission(garden: InProcess) -> None:
    """A limited key is told that a feed does not exist, and may not touch one that does."""
    assert (await garden.ask("GET /v2/feeds/999", key="greenhouse")).status == 404
    assert (await garden.ask("GET /v2/feeds/2", key="greenhouse")).status == 403


async def test_the_permission_is_asked_before_the_body(garden: InProcess) -> None:
    """A body of somebody who may not write is not even read."""
    assert (await garden.ask("PUT /v2/feeds/1.json", "{", key="reader-of-rosa")).status == 403


@pytest.mark.parametrize(
    "headers",
    [{"x-apikey": "master-of-rosa"}, {"x-pachubeapikey": "master-of-rosa"}, {"x-apikey": " master-of-rosa "}],
)
async def test_a_key_may_come_in_either_header(garden: InProcess, headers: dict[str, str]) -> None:
    """The old name of the header works as the new one does."""
    assert (await garden.ask(FEED, headers=headers, key="")).status == 200


async def test_a_key_may_come_in_the_query(garden: InProcess) -> None:
    """Pages that cannot set headers put the key into the address."""
    assert (await garden.ask(FEED + "?key=master-of-rosa", key="")).status == 200


def _basic(login: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()}


async def test_a_key_may_be_the_user_name_of_basic(garden: InProcess) -> None:
    """Download scripts use the key as user name, with any password."""
    assert (await garden.ask(FEED, headers=_basic("master-of-rosa", "X"), key="")).status == 200


async def test_login_and_password_have_the_rights_of_the_master_key(garden: InProcess) -> None:
    """HTTP Basic with an account's password may do what its master key may, private feeds included."""
    owner = await garden.add_user("lena", passwords.hash_password("tulips"))
    await garden.add_key(owner, private_access=True)
    body = '{"title":"Balcony","private":true}'
    made = await garden.ask("POST /v2/feeds.json", body, _basic("lena", "tulips"), key="")
    assert made.status == 201
    wrong = await garden.ask("GET /v2/feeds/5", headers=_basic("lena", "roses"), key="")
    assert wrong.status == 401


async def test_a_401_asks_for_a_password_only_after_one_was_sent(garden: InProcess) -> None:
    """Browsers would open a dialog for everybody else."""
    assert (await garden.ask(FEED, key="nobody")).extra == ()
    refused = await garden.ask(FEED, headers=_basic("rosa", "wrong"), key="")
    assert refused.extra == (("WWW-Authenticate", 'Basic realm="API"'),)


async def test_a_key_expires_at_its_moment(garden: InProcess) -> None:
    """Until its last microsecond a key works, and then it is unknown."""
    key = await garden.add_key(1, expires_at=NOON + SECOND)
    garden.now = NOON + SECOND - 1
    assert (await garden.ask(FEED, key=key)).status == 200
    garden.now = NOON + SECOND
    assert (await garden.ask(FEED, key=key)).status == 401


async def test_the_extension_decides_the_format(garden: InProcess) -> None:
    """An extension beats the header, and the content type says what came."""
    for extension, content_type in (
        ("json", "application/json; charset=utf-8"),
        ("xml", "application/xml; charset=utf-8"),
        ("csv", "text/plain; charset=utf-8"),
    ):
        answer = await garden.ask(f"GET /v2/feeds/1.{extension}", headers={"accept": "text/html, text/csv"})
        assert (answer.status, answer.content_type) == (200, content_type)


async def test_the_accept_header_decides_without_extension(garden: InProcess) -> None:
    """Without an extension the header chooses, and JSON is the default."""
    for accept, begin in (
        ("application/xml", b"<?xml"),
        ("text/csv", b"7,"),
        ("*/*", b"{"),
        ("text/html", b"{"),
    ):
        assert (await garden.ask("GET /v2/feeds/1", headers={"accept": accept})).body.startswith(begin)


async def test_a_datastream_may_be_called_like_a_file(garden: InProcess) -> None:
    """What looks like an extension is none when a datastream has the full text as its id."""
    named = await garden.ask("GET /v2/feeds/1/datastreams/log.csv")
    assert json.loads(named.body)["id"] == "log.csv"
    with_extension = await garden.ask("GET /v2/feeds/1/datastreams/log.csv.csv")
    assert with_extension.body == b"2013-06-01T11:00:00.000000Z,x"
    assert (await garden.ask("GET /v2/feeds/1/datastreams/temp.csv")).body.endswith(b",21.50")
    assert (await garden.ask("PUT /v2/feeds/1/datastreams/log.csv", '{"current_value":"y"}')).status == 200
    assert (await garden.ask("DELETE /v2/feeds/1/datastreams/log.csv")).status == 200
    assert (await garden.ask("GET /v2/feeds/1/datastreams/log.csv")).status == 404


async def test_errors_come_in_the_format_of_the_request(garden: InProcess) -> None:
    """XML for those who asked for it, text for CSV, and JSON when the format itself is the trouble."""
    assert (await garden.ask("GET /v2/feeds/9.xml")).body.startswith(b"<?xml")
    assert (await garden.ask("GET /v2/feeds/9.csv")).body == b"Not Found"
    assert (await garden.ask("GET /v2/keys.csv")).body.startswith(b'{"title":"Not Acceptable"')


async def test_a_post_can_stand_for_another_method(garden: InProcess) -> None:
    """Clients that cannot PUT or DELETE say it in the query or in a header."""
    assert (await garden.ask("POST /v2/feeds/1.csv?_method=put", "temp,7")).status == 200
    header = {"x-http-method-override": "GET"}
    assert (
        b"temp,2013-06-01T12:00:00.000000Z,7" in (await garden.ask("POST /v2/feeds/1.csv", "", header)).body
    )
    assert (await garden.ask("POST /v2/feeds/1?_method=delete")).status == 200
    assert (await garden.ask(FEED)).status == 404


async def test_head_is_answered_like_get(garden: InProcess) -> None:
    """HEAD has the answer of GET, of which the transport keeps the body."""
    head, get = await garden.ask("HEAD /v2/feeds/1.json"), await garden.ask(FEED)
    assert (head.status, head.body, head.etag) == (200, get.body, get.etag)


async def test_urls_begin_with_the_address_that_was_used(garden: InProcess) -> None:
    """Without configuration, links lead back to where the client came from."""
    for host, base in (
        ("api.pachube.com", "http://api.pachube.com"),
        ("192.0.2.1:8000", "http://192.0.2.1:8000"),
        ("[2001:db8::1]:80", "http://[2001:db8::1]:80"),
    ):
        feed = json.loads((await garden.ask(FEED, headers={"host": host})).body)
        assert feed["feed"] == base + "/v2/feeds/1.json"
        assert feed["creator"] == base + "/users/rosa"


@pytest.mark.parametrize(
    "host",
    ["", "a b", "evil.example/x", "x@evil.example", 'a"b', "<b>", "x" * 300, "h:123456", "[::1", "ü.example"],
)
async def test_a_host_that_is_none_does_not_get_into_urls(garden: InProcess, host: str) -> None:
    """A host name that cannot be one is replaced."""
    feed = json.loads((await garden.ask(FEED, headers={"host": host})).body)
    assert feed["feed"] == "http://localhost/v2/feeds/1.json"


async def test_a_configured_base_url_wins(garden: InProcess) -> None:
    """With a base URL the request's host means nothing; a slash at its end is no matter."""
    app = App(garden.store, lambda: NOON, "https://api.example/", lambda count: b"x" * count)
    headers = {"x-apikey": garden.key, "host": "elsewhere.example"}
    answer = await app.handle(Request("GET", "/v2/feeds/1.xml", headers=headers))
    assert b"<feed>https://api.example/v2/feeds/1.xml</feed>" in answer.body
    made = await app.handle(Request("POST", "/v2/feeds", headers=headers, body=b'{"title":"New"}'))
    assert made.location == "https://api.example/v2/feeds/5"


async def test_a_packed_body_is_unpacked(garden: InProcess) -> None:
    """A device may send its values as gzip."""
    answer = await garden.ask("PUT /v2/feeds/1.csv", gzip.compress(b"temp,99"), {"content-encoding": "gzip"})
    assert answer.status == 200
    assert b",99" in (await garden.ask("GET /v2/feeds/1.csv")).body


async def test_what_is_unchanged_is_not_sent_again(garden: InProcess) -> None:
    """With its entity tag a client gets 304 until the feed changes."""
    first = await garden.ask(FEED)
    known = {"if-none-match": first.etag or ""}
    assert (await garden.ask(FEED, headers=known)).status == 304
    await garden.ask("PUT /v2/feeds/1.csv", "temp,99")
    assert (await garden.ask(FEED, headers=known)).status == 200


async def test_a_wrapped_document_has_an_entity_tag_of_its_own(garden: InProcess) -> None:
    """Who has the bare document does not have the wrapped one, or one with another callback."""
    tags = [(await garden.ask(FEED + query)).etag for query in ("", "?callback=f", "?callback=g")]
    assert len(set(tags)) == 3


async def test_a_zone_in_the_query_changes_every_time(garden: InProcess) -> None:
    """With ``timezone`` an answer has local times with their offset, six digits all the same."""
    feed = json.loads((await garden.ask(FEED + "?timezone=Berlin")).body)
    assert feed["updated"] == "2013-06-01T14:00:00.000000+02:00"
    assert feed["created"] == "2013-06-01T14:00:00.000000+02:00"
    assert feed["datastreams"][3]["at"] == "2013-06-01T12:00:00.000000+02:00"
    unknown = json.loads((await garden.ask(FEED + "?timezone=Atlantis")).body)
    assert unknown["updated"] == "2013-06-01T12:00:00.000000Z"


async def test_times_without_offset_are_read_in_the_zone(garden: InProcess) -> None:
    """With ``timezone`` a body's times are local too."""
    await garden.ask("PUT /v2/feeds/1.csv?timezone=-3.5", "temp,2013-06-01T10:00:00,5")
    stream = json.loads((await garden.ask("GET /v2/feeds/1/datastreams/temp.json")).body)
    assert stream["at"] == "2013-06-01T13:30:00.000000Z"


@pytest.mark.parametrize(
    ("failure", "status"),
    [(StorageFull("full"), 503), (StorageFailed("broken"), 503), (Gone("gone"), 404)],
)
async def test_storage_that_fails_is_told_apart_from_our_mistakes(
    garden: InProcess, monkeypatch: pytest.MonkeyPatch, failure: StorageError, status: int
) -> None:
    """A full or broken disk is 503, and what was deleted meanwhile is 404."""

    async def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(garden.store, "change_feed", fail)
    answer = await garden.ask("PUT /v2/feeds/1.json", '{"title":"x"}')
    assert answer.status == status
    assert str(failure) not in answer.body.decode() or status == 404


async def test_an_unexpected_error_is_logged_and_not_told(
    garden: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of ours gives 500 without details; the log has them, but no key."""

    async def stumble(call: Call) -> Response:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setitem(OPERATIONS, "keys.read", stumble)
    events: list[LogEvent] = []
    observer = cast("ILogObserver", events.append)
    globalLogPublisher.addObserver(observer)
    try:
        answer = await garden.ask("GET /v2/keys/master-of-rosa")
    finally:
        globalLogPublisher.removeObserver(observer)
    assert _errors(answer) == (500, "Internal Server Error", "The service failed to answer this request")
    (event,) = [event for event in events if "log_failure" in event]
    assert "a mistake" in event["log_failure"].getErrorMessage()
    assert event["route"] == "keys.read"
    assert "master-of-rosa" not in repr(
        {name: value for name, value in event.items() if name != "log_failure"}
    )


async def test_a_mistake_before_the_route_is_known_is_answered_too(
    garden: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong, there is an answer."""

    def stumble(*_: object) -> None:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(routes, "match", stumble)
    assert (await garden.ask(FEED)).status == 500


async def test_surplus_slashes_and_unknown_parameters_are_no_matter(garden: InProcess) -> None:
    """Doubled and trailing slashes, a lone ``?`` and a number against caches change nothing."""
    plain = (await garden.ask(FEED)).body
    for line in (
        "GET //v2//feeds/1/",
        "GET /api/v2/feeds/1.json",
        "GET /v2/feeds/1?_=1369",
        "GET /v2/feeds/1?",
    ):
        assert (await garden.ask(line)).body == plain


async def test_what_is_not_served_leads_nowhere(garden: InProcess) -> None:
    """What the API has and this service does not serve is a missing route, not an error of ours."""
    for line in ("GET /v1/products.json", "GET /v1/feeds/1/datastreams/7/datapoints.csv", "PUT /api/1/temp"):
        assert (await garden.ask(line)).status == 404
