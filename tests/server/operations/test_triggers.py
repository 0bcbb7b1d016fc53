"""Triggers: list, create, read, update, delete."""

from __future__ import annotations

import json
from typing import Any

import pytest

from txpachube.server.storage.records import Permission, Resource
from txpachube.server.storage.triggers import Attempt, Firing
from txpachube.testing.inprocess import ALL_METHODS, NOON, InProcess

HOOK = {
    "url": "http://hooks.example/a",
    "trigger_type": "lt",
    "environment_id": 1,
    "stream_id": "temp",
    "threshold_value": 15.0,
}


async def create(garden: InProcess, key: str | None = None, **changes: Any) -> int:
    """Make a trigger and return its id."""
    document = {name: part for name, part in {**HOOK, **changes}.items() if part is not None}
    answer = await garden.ask("POST /v2/triggers.json", json.dumps(document), key=key)
    assert (answer.status, answer.body) == (201, b""), answer.body
    assert answer.location is not None
    begin, _, number = answer.location.rpartition("/")
    assert begin == "http://api.example/v2/triggers"
    return int(number)


async def read(garden: InProcess, path: str, key: str | None = None) -> Any:
    """Return a JSON document."""
    answer = await garden.ask(f"GET {path}", key=key)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


async def test_what_is_created_is_read(garden: InProcess) -> None:
    """A new trigger has its fields in the documented order, the threshold's own text, and no notification."""
    number = await create(garden)
    answer = await garden.ask(f"GET /v2/triggers/{number}.json")
    assert answer.body.decode() == (
        f'{{"id":{number},"url":"http://hooks.example/a","trigger_type":"lt","user":"rosa",'
        '"environment_id":1,"stream_id":"temp","threshold_value":"15.0","notified_at":""}'
    )
    assert await read(garden, "/v2/triggers.json") == [json.loads(answer.body)]


async def test_xml(garden: InProcess) -> None:
    """XML is taken with underscores, and written with dashes and types."""
    body = (
        "<datastream-trigger><url>https://hooks.example/b</url><trigger_type>change</trigger_type>"
        "<environment_id>1</environment_id><stream_id>door</stream_id></datastream-trigger>"
    )
    made = await garden.ask("POST /v2/triggers.xml", body)
    assert made.status == 201, made.body
    assert made.location is not None
    text = (await garden.ask(f"GET /v2/triggers/{made.location.rpartition('/')[2]}.xml")).body.decode()
    assert "<trigger-type>change</trigger-type>" in text
    assert '<notified-at type="datetime"></notified-at>' in text
    assert '<environment-id type="integer">1</environment-id>' in text
    assert "threshold" not in text
    assert '<datastream-triggers type="array">' in (await garden.ask("GET /v2/triggers.xml")).body.decode()


@pytest.mark.parametrize("wrapper", ["trigger", "datastream_trigger"])
async def test_a_wrapped_object_is_taken(garden: InProcess, wrapper: str) -> None:
    """JSON may be wrapped, and ids may be texts."""
    body = json.dumps({wrapper: {**HOOK, "environment_id": "1"}})
    assert (await garden.ask("POST /v2/triggers.json", body)).status == 201


async def test_csv_is_not_offered(garden: InProcess) -> None:
    """There is no CSV of triggers."""
    assert (await garden.ask("GET /v2/triggers.csv")).status == 406


async def test_notified_at_has_two_forms(garden: InProcess) -> None:
    """After a notification JSON shows its time with six digits, XML without a fraction."""
    number = await create(garden)
    [waiting] = await garden.store.triggers.record([], [Firing(number, NOON, True, "{}")])
    sent = Attempt(NOON + 1_234_567, 200, None)
    await garden.store.triggers.record_attempt(waiting, sent, sent=True, due=None)
    assert (await read(garden, f"/v2/triggers/{number}"))["notified_at"] == "2013-06-01T12:00:01.000000Z"
    assert b">2013-06-01T12:00:01Z<" in (await garden.ask(f"GET /v2/triggers/{number}.xml")).body
    trigger = await garden.store.triggers.find(number)
    assert trigger is not None
    assert await garden.store.triggers.attempts(trigger) == [sent]
    assert await garden.store.triggers.waiting() == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"url": ""}, "Url can't be blank"),
        ({"url": None}, "Url can't be blank"),
        ({"url": "ftp://hooks.example/"}, "Url is invalid"),
        ({"url": "http:///a"}, "Url is invalid"),
        ({"url": "http://h.example:99999/"}, "Url is invalid"),
        ({"url": "http://user:secret@h.example/"}, "Url is invalid"),
        ({"url": "http://h.example/a b"}, "Url is invalid"),
        ({"url": "http://h.example/\r\nX: y"}, "Url is invalid"),
        ({"url": "http://h.example/" + "a" * 2048}, "Url is too long"),
        ({"trigger_type": None}, "Trigger type can't be blank"),
        ({"trigger_type": "above"}, "Trigger type is not included in the list"),
        ({"threshold_value": None}, "Threshold value can't be blank"),
        ({"threshold_value": "warm"}, "Threshold value is not a number"),
        ({"environment_id": ""}, "Environment can't be blank"),
        ({"environment_id": 999}, "Environment must exist"),
        ({"environment_id": 4}, "Environment must exist"),
        ({"stream_id": None}, "Stream can't be blank"),
        ({"stream_id": "rain"}, "Stream must exist"),
    ],
)
async def test_what_cannot_be(garden: InProcess, changes: dict[str, Any], text: str) -> None:
    """What is missing or wrong is said, and nothing is made."""
    document = {name: part for name, part in {**HOOK, **changes}.items() if part is not None}
    answer = await garden.ask("POST /v2/triggers.json", json.dumps(document))
    assert answer.status == 422
    assert text in answer.body.decode()
    assert await read(garden, "/v2/triggers") == []


async def test_some_types_need_no_threshold(garden: InProcess) -> None:
    """The types that compare with nothing neither need nor show a threshold."""
    for kind in ("change", "frozen", "live"):
        number = await create(garden, trigger_type=kind, threshold_value="3")
        assert "threshold_value" not in await read(garden, f"/v2/triggers/{number}")
    number = await create(garden, trigger_type="eq", threshold_value="open")
    assert (await read(garden, f"/v2/triggers/{number}"))["threshold_value"] == "open"


async def test_an_update_takes_any_part(garden: InProcess) -> None:
    """What is not named stays, and what it watches can't be changed."""
    number = await create(garden)
    body = json.dumps({"threshold_value": "0044", "stream_id": "door", "environment_id": 2, "id": 99})
    answer = await garden.ask(f"PUT /v2/triggers/{number}.json", body)
    assert (answer.status, answer.body) == (200, b"")
    found = await read(garden, f"/v2/triggers/{number}")
    assert (found["threshold_value"], found["stream_id"], found["environment_id"]) == ("0044", "temp", 1)
    assert (found["url"], found["trigger_type"]) == (HOOK["url"], "lt")
    assert (await garden.ask(f"PUT /v2/triggers/{number}.json", json.dumps(found))).status == 200
    assert (await garden.ask(f"PUT /v2/triggers/{number}.json", '{"url": ""}')).status == 422


async def test_delete(garden: InProcess) -> None:
    """A deleted trigger is gone, and its id doesn't come back."""
    number = await create(garden)
    assert (await garden.ask(f"DELETE /v2/triggers/{number}")).status == 200
    assert (await garden.ask(f"GET /v2/triggers/{number}")).status == 404
    assert (await garden.ask(f"DELETE /v2/triggers/{number}")).status == 404
    assert await create(garden) > number


@pytest.mark.parametrize("what", ["/v2/feeds/1/datastreams/temp", "/v2/feeds/1"])
async def test_it_goes_with_what_it_watches(garden: InProcess, what: str) -> None:
    """Deleting the datastream or the feed deletes its triggers."""
    number = await create(garden)
    await garden.store.triggers.record([], [Firing(number, NOON, True, "{}")])
    assert (await garden.ask(f"DELETE {what}")).status == 200
    assert (await garden.ask(f"GET /v2/triggers/{number}")).status == 404
    assert await garden.store.triggers.waiting() == []


async def test_the_list_of_a_feed(garden: InProcess) -> None:
    """A list can be limited to a feed."""
    first, second = await create(garden), await create(garden, environment_id=3, stream_id="wind")
    assert [trigger["id"] for trigger in await read(garden, "/v2/triggers")] == [first, second]
    assert [trigger["id"] for trigger in await read(garden, "/v2/triggers?feed_id=3")] == [second]
    assert (await garden.ask("GET /v2/triggers?feed_id=x")).status == 400


async def test_triggers_belong_to_accounts(garden: InProcess) -> None:
    """Somebody else's public feed can be watched, and the owner of that feed doesn't see it."""
    number = await create(garden, environment_id=3, stream_id="wind")
    assert await read(garden, "/v2/triggers", key="master-of-otto") == []
    for method in ("GET", "PUT", "DELETE"):
        answer = await garden.ask(f"{method} /v2/triggers/{number}", "{}", key="master-of-otto")
        assert answer.status == 404


async def test_what_keys_may(garden: InProcess) -> None:
    """A key limited to a feed may do everything with that feed's triggers, one to a trigger with that one."""
    here = await create(garden, key="greenhouse")
    there = await create(garden, environment_id=3, stream_id="wind")
    assert [trigger["id"] for trigger in await read(garden, "/v2/triggers", key="greenhouse")] == [here]
    assert (await garden.ask(f"GET /v2/triggers/{there}", key="greenhouse")).status == 403
    body = json.dumps({**HOOK, "environment_id": 3, "stream_id": "wind"})
    assert (await garden.ask("POST /v2/triggers", body, key="greenhouse")).status == 403
    await garden.add_key(
        1, Permission(ALL_METHODS, resources=(Resource(datastream_trigger_id=there),)), text="one"
    )
    assert (await garden.ask(f"PUT /v2/triggers/{there}", "{}", key="one")).status == 200
    assert (await garden.ask(f"GET /v2/triggers/{here}", key="one")).status == 403
    assert (await garden.ask("POST /v2/triggers", json.dumps(HOOK), key="one")).status == 403
    assert (await garden.ask("POST /v2/triggers", json.dumps(HOOK), key="reader-of-rosa")).status == 403
    assert (await garden.ask("GET /v2/triggers", key="")).status == 401
    private = json.dumps({**HOOK, "environment_id": 2, "stream_id": "wine"})
    assert (await garden.ask("POST /v2/triggers", private, key="public-of-rosa")).status == 422


async def test_a_private_feeds_triggers_need_what_the_feed_needs(garden: InProcess) -> None:
    """A key that may not see the values may not see where they go, and can't have them sent elsewhere."""
    on_private = await create(garden, environment_id=2, stream_id="wine")
    on_public = await create(garden)
    path = f"/v2/triggers/{on_private}.json"
    for line in (f"GET {path}", f"PUT {path}", f"DELETE {path}"):
        answer = await garden.ask(line, '{"url":"http://elsewhere.example/"}', key="public-of-rosa")
        assert answer.status == 403, line
    assert [found["id"] for found in await read(garden, "/v2/triggers.json", "public-of-rosa")] == [on_public]
    assert (await read(garden, path))["url"] == HOOK["url"]
