"""API keys: list, create, read, update, delete, regenerate."""

from __future__ import annotations

import json
from typing import Any

import pytest

from txpachube.api.messages import Response
from txpachube.testing.inprocess import InProcess

DOOR = {
    "label": "door",
    "private_access": True,
    "permissions": [
        {"access_methods": ["get"]},
        {
            "access_methods": ["PUT", "post"],
            "referer": "garden.example",
            "source_ip": "192.0.2.7",
            "minimum_interval": 60,
            "label": "writing",
            "resources": [{"feed_id": 1, "datastream_id": "door"}, {"feed_id": "2"}],
        },
    ],
}


def _text(answer: Response) -> str:
    """Return the key text in the location of an answer."""
    assert answer.location is not None
    begin, _, text = answer.location.rpartition("/")
    assert begin == "http://api.example/v2/keys"
    return text


async def _create(garden: InProcess, document: dict[str, Any]) -> str:
    answer = await garden.ask("POST /v2/keys.json", json.dumps({"key": document}))
    assert (answer.status, answer.body) == (201, b""), answer.body
    return _text(answer)


async def _read(garden: InProcess, text: str, key: str | None = None) -> dict[str, Any]:
    answer = await garden.ask(f"GET /v2/keys/{text}.json", key=key)
    assert answer.status == 200, answer.body
    document: dict[str, Any] = json.loads(answer.body)["key"]
    return document


async def test_a_key_is_created_with_a_text_of_the_services_choice(garden: InProcess) -> None:
    """The location ends with the new key of 48 characters; methods come back in lower case."""
    text = await _create(
        garden, {**DOOR, "api_key": "my-own-choice", "expires_at": "2013-12-31T23:59:59.5+01:00"}
    )
    assert len(text) == 48
    wanted = json.loads(json.dumps(DOOR))
    wanted["permissions"][1]["access_methods"] = ["put", "post"]
    wanted["permissions"][1]["resources"][1]["feed_id"] = 2
    assert await _read(garden, text) == {"api_key": text, "expires_at": "2013-12-31T22:59:59Z", **wanted}


async def test_a_key_is_created_without_its_root_and_from_xml(garden: InProcess) -> None:
    """The root may be left out in JSON; XML has dashes, or underscores."""
    answer = await garden.ask("POST /v2/keys", '{"label":"x","permissions":[{"access_methods":["get"]}]}')
    assert (await _read(garden, _text(answer)))["private_access"] is False
    xml = """<key><label>x</label><private_access>true</private_access><permissions><permission>
        <access-methods><access-method>GET</access-method></access-methods></permission></permissions></key>"""
    answer = await garden.ask("POST /v2/keys.xml", xml)
    key = await _read(garden, _text(answer))
    assert (key["private_access"], key["permissions"]) == (True, [{"access_methods": ["get"]}])


async def test_a_new_key_works_at_once(garden: InProcess) -> None:
    """With exactly the rights it was given."""
    text = await _create(garden, {"label": "x", "permissions": [{"access_methods": ["get"]}]})
    assert (await garden.ask("GET /v2/feeds/1", key=text)).status == 200
    assert (await garden.ask("PUT /v2/feeds/1", "{}", key=text)).status == 403
    assert (await garden.ask("GET /v2/feeds/2", key=text)).status == 403


async def test_the_list_has_all_keys_of_the_account_and_no_others(garden: InProcess) -> None:
    """Not paged, its elements not wrapped."""
    listed = json.loads((await garden.ask("GET /v2/keys.json?per_page=1")).body)
    texts = [key["api_key"] for key in listed["keys"]]
    assert len(texts) == 9
    assert "master-of-rosa" in texts
    assert "master-of-otto" not in texts


async def test_the_list_can_be_of_one_feed(garden: InProcess) -> None:
    """``feed_id`` leaves only keys limited to the feed or its datastreams."""
    for feed_id, texts in ((1, ["greenhouse", "thermometer"]), (2, [])):
        listed = json.loads((await garden.ask(f"GET /v2/keys.json?feed_id={feed_id}")).body)
        assert [key["api_key"] for key in listed["keys"]] == texts


async def test_any_key_may_read_itself(common_garden: InProcess) -> None:
    """Whatever its permissions are."""
    for text in ("greenhouse", "thermometer", "reader-of-rosa", "page"):
        assert (await _read(common_garden, text, key=text))["api_key"] == text


async def test_a_key_in_xml(garden: InProcess) -> None:
    """Times of keys look different in XML."""
    text = await _create(garden, {**DOOR, "expires_at": "2013-12-31T22:59:59Z"})
    body = (await garden.ask(f"GET /v2/keys/{text}.xml")).body.decode()
    assert "<expires-at>2013-12-31 22:59:59 UTC</expires-at>" in body
    assert "<feed-id>1</feed-id>" in body


async def test_an_update_changes_what_it_says_and_works_at_once(garden: InProcess) -> None:
    """What is absent stays; the text stays in any case."""
    before = await _read(garden, "reader-of-rosa")
    body = '{"key":{"permissions":[{"access_methods":["put"]}],"api_key":"other"}}'
    assert (await garden.ask("PUT /v2/keys/reader-of-rosa.json", body)).status == 200
    after = await _read(garden, "reader-of-rosa")
    assert after == {**before, "permissions": [{"access_methods": ["put"]}]}
    assert (await garden.ask("GET /v2/feeds/1", key="reader-of-rosa")).status == 403
    assert (await garden.ask("PUT /v2/feeds/1", "{}", key="reader-of-rosa")).status == 200
    await garden.ask("PUT /v2/keys/reader-of-rosa.json", '{"label":"writer","private_access":"false"}')
    assert (await garden.ask("GET /v2/feeds/2", key="reader-of-rosa")).status == 403


async def test_an_expiry_is_set_and_cleared(garden: InProcess) -> None:
    """An empty time means that the key never expires; the XML spelling is read too."""
    for body, expires in (
        ('{"expires_at":"2013-06-01 11:59:59 UTC"}', "2013-06-01T11:59:59Z"),
        ('{"label":"still"}', "2013-06-01T11:59:59Z"),
        ('{"expires_at":""}', None),
    ):
        assert (await garden.ask("PUT /v2/keys/greenhouse.json", body)).status == 200
        assert (await _read(garden, "greenhouse")).get("expires_at") == expires
        status = 401 if expires else 200
        assert (await garden.ask("GET /v2/feeds/1", key="greenhouse")).status == status


async def test_a_deleted_key_stops_working_at_once(garden: InProcess) -> None:
    """And cannot be deleted twice."""
    assert (await garden.ask("DELETE /v2/keys/greenhouse.json")).status == 200
    assert (await garden.ask("GET /v2/feeds/1", key="greenhouse")).status == 401
    assert (await garden.ask("DELETE /v2/keys/greenhouse")).status == 404


async def test_a_regenerated_key_has_a_new_text_and_the_old_rights(garden: InProcess) -> None:
    """The answer is 200 with a location and no body; the old text stops working at once."""
    answer = await garden.ask("POST /v2/keys/greenhouse/regenerate")
    assert (answer.status, answer.body) == (200, b"")
    text = _text(answer)
    assert (await garden.ask("GET /v2/feeds/1", key="greenhouse")).status == 401
    assert (await garden.ask("GET /v2/feeds/1", key=text)).status == 200
    assert (await garden.ask("GET /v2/feeds/2", key=text)).status == 403


async def test_a_key_may_regenerate_itself_when_it_may_post_everywhere(garden: InProcess) -> None:
    """``public-of-rosa`` has no resources and may POST."""
    answer = await garden.ask("POST /v2/keys/public-of-rosa/regenerate", key="public-of-rosa")
    assert (await garden.ask("GET /v2/feeds/1", key=_text(answer))).status == 200


@pytest.mark.parametrize("private", ["true", '"true"', "1", '"1"'])
async def test_private_access_is_a_boolean_or_a_word_for_one(garden: InProcess, private: str) -> None:
    """Official clients send texts."""
    body = f'{{"label":"x","private_access":{private},"permissions":[{{"access_methods":["get"]}}]}}'
    answer = await garden.ask("POST /v2/keys", body)
    assert (await _read(garden, _text(answer)))["private_access"] is True


async def test_a_network_may_stand_for_an_address(garden: InProcess) -> None:
    """A key can be bound to a whole network."""
    for peer, status in (("198.51.100.9", 200), ("198.51.101.9", 403)):
        assert (await garden.ask("GET /v2/feeds/1", key="at-home", peer=peer)).status == status
