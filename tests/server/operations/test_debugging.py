"""Looking for what is wrong: the requests to a feed, and the webhooks of triggers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from txpachube.api.messages import Response
from txpachube.server.storage.records import Permission, Resource
from txpachube.server.storage.triggers import Attempt, Firing
from txpachube.testing.inprocess import NOON, InProcess
from txpachube.times import SECOND

DEBUG = "GET /v2/feeds/1/debug"
TRIGGER = '{"url":"http://hooks.example/","trigger_type":"gt","threshold_value":"30","environment_id":%d,"stream_id":"%s"}'


def document(answer: Response) -> dict[str, Any]:
    """Return what was answered."""
    assert answer.status == 200, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


async def test_the_owner_sees_what_was_sent(garden: InProcess) -> None:
    """Newest last, each with its number, its status and its reason."""
    await garden.ask("PUT /v2/feeds/1.csv", "temp,1")
    garden.now += SECOND
    await garden.ask("PUT /v2/feeds/1.csv", "temp,1", key="nobodys")
    found = document(await garden.ask(DEBUG))
    assert found["feed"] == 1
    assert found["webhooks"] == []
    first, second = found["requests"][-2:]
    assert (first["kind"], first["status"], first["reason"], first["key"]) == ("written", 200, None, "a key")
    assert (second["kind"], second["status"], second["key"]) == ("from elsewhere", 401, None)
    assert second["reason"] == "the key in X-ApiKey, 7 characters long, is not known here"
    assert second["at"] == "2013-06-01T12:00:01.000000Z"
    assert set(first) == set(second)


async def test_who_follows_asks_for_what_is_new(garden: InProcess) -> None:
    """With the number of the last one nothing comes twice; times are in the zone that is asked for."""
    await garden.ask("PUT /v2/feeds/1.csv", '"')
    last = max(request["id"] for request in document(await garden.ask(DEBUG))["requests"])
    assert document(await garden.ask(f"{DEBUG}?after={last}"))["requests"] == []
    await garden.ask("PUT /v2/feeds/1.csv", '""')
    (found,) = document(await garden.ask(f"{DEBUG}.json?after={last}&timezone=%2B2"))["requests"]
    assert (found["body"], found["at"]) == ('""', "2013-06-01T14:00:00.000000+02:00")


@pytest.mark.parametrize("after", ["x", "-1", "1" * 19, "٣"])
async def test_a_number_that_is_none(garden: InProcess, after: str) -> None:
    """It is refused."""
    assert (await garden.ask(f"{DEBUG}?after={after}")).status == 400


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ("", 401),
        ("master-of-otto", 403),
        ("public-of-rosa", 403),
        ("greenhouse", 403),
        ("thermometer", 403),
        ("expired", 401),
        ("master-of-rosa", 200),
        ("reader-of-rosa", 200),
    ],
)
async def test_who_may_see_it(garden: InProcess, key: str, status: int) -> None:
    """Only the owner, also of a public feed, with a key that sees private things and all of the feed."""
    assert (await garden.ask(DEBUG, key=key)).status == status


async def test_what_named_no_feed_is_for_the_master_key(garden: InProcess) -> None:
    """A device with the number of another feed is told of beside the feeds of its account."""
    await garden.ask("PUT /v2/feeds/999.csv", "temp,1", key="greenhouse")
    found = document(await garden.ask(DEBUG))["requests"]
    assert [(entry["kind"], entry["reason"]) for entry in found if entry["kind"] == "to no feed"] == [
        ("to no feed", "there is no feed 999")
    ]
    limited = await garden.add_key(
        1, Permission(("get",), resources=(Resource(1),)), text="limited-to-1", private_access=True
    )
    found = document(await garden.ask(DEBUG, key=limited))["requests"]
    assert all(entry["kind"] != "to no feed" for entry in found)


async def test_another_feed_has_another_log(garden: InProcess) -> None:
    """A request is told where it belongs, and the owner of a private feed sees its own."""
    await garden.ask("PUT /v2/feeds/2.csv", '"')
    assert [entry["body"] for entry in document(await garden.ask("GET /v2/feeds/2/debug"))["requests"]][
        -1
    ] == '"'
    assert '"' not in [entry["body"] for entry in document(await garden.ask(DEBUG))["requests"]]
    assert (await garden.ask("GET /v2/feeds/999/debug")).status == 404


async def test_what_became_of_webhooks(garden: InProcess) -> None:
    """Attempts with status or fault, and what waits, are in the log of the feed, and of the trigger alone."""
    made = await garden.ask("POST /v2/triggers.json", TRIGGER % (1, "temp"))
    assert made.status == 201, made.body
    assert (await garden.ask("POST /v2/triggers.json", TRIGGER % (3, "wind"))).status == 201
    triggers = garden.store.triggers
    first, second = await triggers.record([], [Firing(1, NOON, False, "{}"), Firing(1, NOON, False, "{}")])
    await triggers.record_attempt(first, Attempt(NOON + 1, 500, None), sent=True, due=None)
    later = NOON + 60 * SECOND
    await triggers.record_attempt(second, Attempt(NOON + 2, None, "refused"), sent=False, due=later)
    expected = {
        "trigger": 1,
        "feed": 1,
        "datastream": "temp",
        "type": "gt",
        "threshold_value": "30",
        "url": "http://hooks.example/",
        "fired_at": "2013-06-01T12:00:00.000000Z",
        "notified_at": "2013-06-01T12:00:00.000001Z",
        "waiting": 1,
        "next_attempt_at": "2013-06-01T12:01:00.000000Z",
        "attempts": [
            {"at": "2013-06-01T12:00:00.000001Z", "status": 500, "fault": None},
            {"at": "2013-06-01T12:00:00.000002Z", "status": None, "fault": "refused"},
        ],
    }
    assert document(await garden.ask(DEBUG))["webhooks"] == [expected]
    assert document(await garden.ask("GET /v2/triggers/1/debug")) == expected
    assert document(await garden.ask("GET /v2/triggers/2/debug"))["attempts"] == []


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ("", 401),
        ("master-of-otto", 404),
        ("public-of-rosa", 403),
        ("thermometer", 403),
        ("reader-of-rosa", 200),
    ],
)
async def test_who_may_see_a_trigger(garden: InProcess, key: str, status: int) -> None:
    """Who may read it, with private access."""
    assert (await garden.ask("POST /v2/triggers.json", TRIGGER % (1, "temp"))).status == 201
    assert (await garden.ask("GET /v2/triggers/1/debug", key=key)).status == status
    assert (await garden.ask("GET /v2/triggers/99/debug", key=key)).status in (401, 404)
