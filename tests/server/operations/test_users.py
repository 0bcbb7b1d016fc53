"""Accounts: who may make, see, change and delete them, and what stops working when."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import blockon
from twisted.internet.defer import Deferred

from txpachube.server.storage.quotas import Quotas
from txpachube.server.storage.records import Permission, Resource
from txpachube.server.storage.triggers import Trigger
from txpachube.testing.garden import plant
from txpachube.testing.inprocess import ALL_METHODS, InProcess

LENA = {"login": "lena", "email": "lena@example.org", "password": "tulips & roses"}
SETTINGS = {
    "deliver_email": False,
    "display_activity": False,
    "display_information": False,
    "display_stats": False,
    "receive_forum_notifications": True,
    "subscribed_to_mailings": True,
}


def basic(login: str, password: str) -> dict[str, str]:
    """Return the header of HTTP Basic."""
    return {"authorization": "Basic " + b64encode(f"{login}:{password}".encode()).decode()}


async def create(garden: InProcess, key: str | None = None, **changes: Any) -> str:
    """Make an account and return its master key."""
    document = {name: part for name, part in {**LENA, **changes}.items() if part is not None}
    answer = await garden.ask("POST /v2/users.json", json.dumps(document), key=key)
    assert (answer.status, answer.body) == (201, b""), answer.body
    assert answer.location == f"http://api.example/v2/users/{document['login']}"
    return str((await read(garden, f"/v2/users/{document['login']}", key=key))["api_key"])


async def read(garden: InProcess, path: str, **arguments: Any) -> Any:
    """Return an account, or the accounts of a list."""
    answer = await garden.ask(f"GET {path}", **arguments)
    assert answer.status == 200, answer.body
    document = json.loads(answer.body)
    return [each["user"] for each in document] if isinstance(document, list) else document["user"]


async def change(garden: InProcess, login: str, document: object, key: str | None = None) -> int:
    """Change an account and return the status of the answer."""
    answer = await garden.ask(f"PUT /v2/users/{login}.json", json.dumps(document), key=key)
    return answer.status


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[InProcess]:
    """Return a garden whose accounts may have three feeds and six datastreams each."""
    from twisted.internet import reactor

    opened = InProcess(tmp_path / "pachube.sqlite3", reactor, quotas=Quotas(3, 6))
    blockon(Deferred.fromCoroutine(opened.open()))
    blockon(Deferred.fromCoroutine(plant(opened)))
    yield opened
    blockon(Deferred.fromCoroutine(opened.close()))


# Documents


async def test_a_new_account_has_what_was_said_and_what_is_usual(garden: InProcess) -> None:
    """All fields come in the documented order; a password never comes out."""
    key = await create(garden, full_name="Lena", about="", time_zone="London", website="http://lena.example/")
    answer = await garden.ask("GET /v2/users/lena.json")
    assert list(json.loads(answer.body)["user"].items()) == [
        ("login", "lena"),
        ("email", "lena@example.org"),
        ("full_name", "Lena"),
        ("api_key", key),
        ("roles", ["default"]),
        ("creatable_roles", []),
        ("about", ""),
        ("deliver_email", False),
        ("display_activity", False),
        ("display_information", False),
        ("display_stats", False),
        ("organisation", ""),
        ("receive_forum_notifications", True),
        ("subscribed_to_mailings", True),
        ("time_zone", "London"),
        ("website", "http://lena.example/"),
        ("feeds_count", 0),
        ("datastreams_count", 0),
        ("daily_api_access_count", 0),
        ("total_api_access_count", 0),
    ]
    assert (len(key), b"tulips" in answer.body, b"argon2" in answer.body) == (48, False, False)


async def test_every_field_is_changed_and_kept(garden: InProcess) -> None:
    """Whatever can be said of an account is said, told again, and left alone by the next change."""
    await create(garden)
    said: dict[str, Any] = {
        "email": "new@example.org",
        "full_name": "Lena <&> Löwe",
        "first_name": "Lena",
        "last_name": "Löwe",
        "about": "x" * 4000,
        "organisation": "Garten",
        "website": "http://lena.example/",
        "time_zone": "Eastern Time (US & Canada)",
        "roles": ["device"],
        "creatable_roles": ["default", "device"],
        **{name: not flag for name, flag in SETTINGS.items()},
    }
    assert await change(garden, "lena", {"user": said}) == 200
    shown = await read(garden, "/v2/users/lena")
    assert {name: shown[name] for name in said} == said
    assert await change(garden, "lena", {"about": ""}) == 200
    said["about"] = ""
    shown = await read(garden, "/v2/users/lena")
    assert {name: shown[name] for name in said} == said


async def test_xml(garden: InProcess) -> None:
    """XML has underscores, and lists of roles; a blank around a password belongs to it."""
    body = (
        "<user><login>lena</login><email>l@x.example</email><password> a&amp;b </password>"
        "<roles><role>device</role></roles><display_stats>true</display_stats></user>"
    )
    assert (await garden.ask("POST /v2/users.xml", body)).status == 201
    text = (await garden.ask("GET /v2/users/lena.xml")).body.decode()
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<user>\n  <login>lena</login>\n')
    assert "  <roles>\n    <role>device</role>\n  </roles>\n  <creatable_roles/>\n" in text
    assert "  <display_stats>true</display_stats>\n" in text
    assert "  <total_api_access_count>" in text
    assert "password" not in text
    listed = (await garden.ask("GET /v2/users.xml")).body.decode()
    assert '<users type="array">\n  <user>\n    <login>lena</login>\n' in listed
    assert (await garden.ask("GET /v2/users/lena", headers=basic("lena", " a&b "), key="")).status == 200
    assert (await garden.ask("GET /v2/users/lena", headers=basic("lena", "a&b"), key="")).status == 401


@pytest.mark.parametrize("line", ["GET /v2/users.csv", "GET /v2/users/rosa.csv", "POST /v2/users.csv"])
async def test_csv_is_not_offered(garden: InProcess, line: str) -> None:
    """There is no CSV of accounts."""
    assert (await garden.ask(line)).status == 406


async def test_what_is_counted(limited: InProcess) -> None:
    """Feeds and datastreams, how many may be had, and requests, those of a day in UTC apart."""
    shown = await read(limited, "/v2/users/rosa")
    counted = ("feeds_count", "datastreams_count", "datastreams_allowed")
    assert [shown[name] for name in counted] == [2, 5, 6]
    before = shown["total_api_access_count"]
    assert shown["daily_api_access_count"] == before
    for key in ("public-of-rosa", "thermometer", "master-of-otto"):
        await limited.ask("GET /v2/feeds/1", key=key)
    shown = await read(limited, "/v2/users/rosa")
    assert (shown["total_api_access_count"], shown["daily_api_access_count"]) == (before + 3, before + 3)
    limited.now += 86_400_000_000
    shown = await read(limited, "/v2/users/rosa")
    assert (shown["total_api_access_count"], shown["daily_api_access_count"]) == (before + 4, 1)


# Who sees what


async def test_strangers_see_what_an_account_shows(garden: InProcess) -> None:
    """Others see the login, and what the account says of itself if it wants that."""
    await create(garden, full_name="Lena", about="me", organisation="Garten", website="w", first_name="L")
    assert await read(garden, "/v2/users/lena", key="master-of-otto") == {"login": "lena"}
    await change(garden, "lena", {"display_information": True})
    shown = await read(garden, "/v2/users/lena", key="master-of-otto")
    assert list(shown) == ["login", "full_name", "about", "organisation", "website"]
    assert (await garden.ask("GET /v2/users/nobody")).status == 404
    assert (await garden.ask("GET /v2/users/LENA")).status == 404
    assert (await garden.ask("GET /v2/users/lena", key="")).status == 401


async def test_a_key_shows_as_much_of_its_account_as_it_may(garden: InProcess) -> None:
    """Settings need private access, and the master key is shown to a master key only."""
    shown = await read(garden, "/v2/users/rosa")
    assert (shown["api_key"], "email" in shown) == ("master-of-rosa", True)
    for key in ("reader-of-rosa", "greenhouse-private"):
        if key == "greenhouse-private":
            await garden.add_key(
                1, Permission(("put",), resources=(Resource(1),)), text=key, private_access=True
            )
        shown = await read(garden, "/v2/users/rosa", key=key)
        assert ("api_key" in shown, "email" in shown) == (False, True)
    for key in ("public-of-rosa", "greenhouse", "thermometer"):
        assert await read(garden, "/v2/users/rosa", key=key) == {"login": "rosa"}


async def test_the_list_is_of_the_accounts_one_made(garden: InProcess) -> None:
    """Everybody sees his own, with their keys if a master key asks."""
    keys = [await create(garden, login=login) for login in ("lena", "Anna-1", "b_b")]
    listed = await read(garden, "/v2/users")
    assert [(user["login"], user["api_key"]) for user in listed] == list(
        zip(["lena", "Anna-1", "b_b"], keys, strict=True)
    )
    listed = await read(garden, "/v2/users", key="reader-of-rosa")
    assert [("email" in user, "api_key" in user) for user in listed] == [(True, False)] * 3
    assert await read(garden, "/v2/users", key="public-of-rosa") == [
        {"login": "lena"},
        {"login": "Anna-1"},
        {"login": "b_b"},
    ]
    assert await read(garden, "/v2/users", key="master-of-otto") == []
    assert (await garden.ask("GET /v2/users", key="greenhouse")).status == 403


async def test_the_key_that_is_shown_is_one_that_works(garden: InProcess) -> None:
    """Of several master keys the one that lasts longest is shown, and HTTP Basic stands for it."""
    old = await create(garden)
    user = await garden.store.users.find("lena")
    assert user is not None
    await garden.add_key(user.id, text="short-lived", private_access=True, expires_at=garden.now + 1)
    assert (await read(garden, "/v2/users/lena"))["api_key"] == old
    assert (await garden.ask(f"DELETE /v2/keys/{old}", key=old)).status == 200
    assert (await read(garden, "/v2/users/lena"))["api_key"] == "short-lived"
    new = await garden.add_key(user.id, private_access=True)
    garden.now += 1
    assert (await read(garden, "/v2/users/lena"))["api_key"] == new
    password = basic("lena", LENA["password"])
    assert (await garden.ask("GET /v2/keys", headers=password, key="")).status == 200


# Making accounts


async def test_a_new_account_can_do_everything_at_once(garden: InProcess) -> None:
    """Its master key and its password work as soon as it is made, and it owns what it makes."""
    assert (await garden.ask("GET /v2/keys", headers=basic("lena", LENA["password"]), key="")).status == 401
    key = await create(garden)
    password = basic("lena", LENA["password"])
    made = await garden.ask("POST /v2/feeds", '{"title":"Balcony","private":true}', password, key="")
    assert made.status == 201
    assert (await garden.ask("GET /v2/feeds/5", key=key)).status == 200
    assert (await garden.ask("GET /v2/feeds/5")).status == 403, "it is not its creator's"
    listed = json.loads((await garden.ask("GET /v2/keys", key=key)).body)["keys"]
    assert [(each["label"], each["api_key"]) for each in listed] == [("master key", key)]


async def test_only_accounts_with_roles_to_give_make_others(garden: InProcess) -> None:
    """It takes a master key of an account that has creatable roles; the body is not even read."""
    for key in ("master-of-otto", "public-of-rosa", "reader-of-rosa", "at-home"):
        assert (await garden.ask("POST /v2/users", "{broken", key=key)).status == 403
    assert (await garden.ask("POST /v2/users", "{broken")).status == 400
    assert (await garden.ask("POST /v2/users", "{}", key="")).status == 401


async def test_roles_are_handed_down(garden: InProcess) -> None:
    """Nobody gives a role that he may not give, and who got some to give hands those on."""
    key = await create(garden, roles=["device"], creatable_roles=["device"])
    await create(garden, key=key, login="box")
    shown = await read(garden, "/v2/users/box", key=key)
    assert (shown["roles"], shown["creatable_roles"]) == (["device"], [])
    for roles in ({"roles": ["default"]}, {"creatable_roles": ["default"]}):
        assert await change(garden, "box", roles, key) == 422
    assert await change(garden, "lena", {"creatable_roles": ["device", "default"]}, key) == 422, "not itself"
    assert await change(garden, "lena", {"creatable_roles": ["device", "default"]}) == 200
    assert await change(garden, "box", {"roles": ["device", "default"]}, key) == 200
    assert await change(garden, "lena", {"creatable_roles": []}, key) == 200
    assert (await garden.ask("POST /v2/users", json.dumps({**LENA, "login": "bag"}), key=key)).status == 403
    # What somebody has he keeps, whoever sends it back.
    assert await change(garden, "box", {"roles": ["device", "default"]}, key) == 200


async def test_a_login_is_had_once(garden: InProcess) -> None:
    """Also one that differs in capitals only could be taken for another."""
    await create(garden)
    for login in ("lena", "LENA", "Rosa"):
        answer = await garden.ask("POST /v2/users", json.dumps({**LENA, "login": login}))
        assert (answer.status, json.loads(answer.body)["errors"]) == (422, ["Login has already been taken"])


async def test_two_at_once_do_not_get_the_same_login(garden: InProcess) -> None:
    """Of two requests that arrive together one makes the account and the other is told."""
    body = json.dumps(LENA)
    waiting = [Deferred.fromCoroutine(garden.ask("POST /v2/users", body)) for _ in range(3)]
    assert sorted([(await each).status for each in waiting]) == [201, 422, 422]
    assert len(await read(garden, "/v2/users")) == 1


# Changing accounts


async def test_a_password_that_is_changed_is_void(garden: InProcess) -> None:
    """The old one stops working with the answer, and keys go on."""
    key = await create(garden)
    assert await change(garden, "lena", {"password": "roses"}, key) == 200
    for password, status in ((LENA["password"], 401), ("roses", 200)):
        assert (await garden.ask("GET /v2/keys", headers=basic("lena", password), key="")).status == status
    assert (await garden.ask("GET /v2/keys", key=key)).status == 200


async def test_what_was_read_can_be_sent_back(garden: InProcess) -> None:
    """Fields that only come out are ignored, and what is the same changes nothing, in JSON and XML."""
    await create(garden)
    for login in ("lena", "rosa"):  # rosa has no address, which nobody may clear
        for extension in ("json", "xml"):
            path = f"/v2/users/{login}.{extension}"
            before = await read(garden, f"/v2/users/{login}")
            body = (await garden.ask(f"GET {path}")).body
            assert (await garden.ask(f"PUT {path}", body)).status == 200
            after = await read(garden, f"/v2/users/{login}")
            for document in (before, after):
                del document["daily_api_access_count"], document["total_api_access_count"]
            assert after == before


async def test_null_is_as_good_as_nothing(garden: InProcess) -> None:
    """A program that sends every field it knows clears texts with null, and nothing that must be there."""
    await create(garden, about="me")
    nulls = dict.fromkeys(["login", "email", "password", "about", "display_stats", "api_key", "feeds_count"])
    assert await change(garden, "lena", nulls) == 200
    shown = await read(garden, "/v2/users/lena")
    assert (shown["login"], shown["email"], shown["about"]) == ("lena", "lena@example.org", "")
    assert (await garden.ask("GET /v2/keys", headers=basic("lena", LENA["password"]), key="")).status == 200


async def test_who_changes_an_account(garden: InProcess) -> None:
    """Itself and its creator; a password or roles only with a master key."""
    await create(garden)
    writer = await garden.add_key(1, Permission(("put",)), private_access=True)
    for login in ("lena", "rosa"):
        assert await change(garden, login, {"about": "x"}, writer) == 200
        assert await change(garden, login, {"password": "x"}, writer) == 403
        assert await change(garden, login, {"creatable_roles": ["device"]}, writer) == 403
        for key in ("public-of-rosa", "reader-of-rosa", "greenhouse", "master-of-otto"):
            assert await change(garden, login, {"about": "y"}, key) == 403
        assert (await read(garden, f"/v2/users/{login}"))["about"] == "x"
    assert await change(garden, "nobody", {"about": "x"}) == 404


# Deleting accounts


async def test_an_account_takes_everything_along(garden: InProcess) -> None:
    """Its feeds, its keys, its password and its place in the keys of others are gone with the answer."""
    key = await create(garden)
    made = await garden.ask(
        "POST /v2/feeds", '{"title":"B","datastreams":[{"id":"a","current_value":"1"}]}', key=key
    )
    assert made.status == 201
    await garden.add_key(2, Permission(("get",), resources=(Resource(5), Resource(1))), text="both")
    await garden.add_key(2, Permission(("get",), resources=(Resource(5),)), text="only")
    assert (await garden.ask("GET /v2/feeds/5", key="only")).status == 200
    assert (await garden.ask("DELETE /v2/users/lena.json")).status == 200
    assert (await garden.ask("GET /v2/users/lena")).status == 404
    assert (await garden.ask("GET /v2/feeds/5", key="both")).status == 404
    assert (await garden.ask("GET /v2/feeds/1", key="both")).status == 200
    for gone in (key, "only"):
        assert (await garden.ask("GET /v2/feeds/1", key=gone)).status == 401
    assert (
        await garden.ask("GET /v2/feeds/1", headers=basic("lena", LENA["password"]), key="")
    ).status == 401
    assert await read(garden, "/v2/users") == []
    await create(garden)


async def test_an_account_with_many_feeds(garden: InProcess) -> None:
    """More feeds than go in one transaction go as well, and nobody else's."""
    key = await create(garden)
    for number in range(205):
        await garden.ask("POST /v2/feeds", json.dumps({"title": str(number)}), key=key)
    assert (await read(garden, "/v2/users/lena"))["feeds_count"] == 205
    assert (await garden.ask("DELETE /v2/users/lena", key=key)).status == 200
    assert [number for number in range(1, 215) if await garden.store.find_feed(number)] == [1, 2, 3, 4]
    listed = json.loads((await garden.ask("GET /v2/feeds?per_page=1000")).body)
    assert sorted(feed["id"] for feed in listed["results"]) == [1, 2, 3]


async def test_who_deletes_an_account(garden: InProcess) -> None:
    """Itself and its creator, with a master key."""
    await create(garden)
    deleter = await garden.add_key(1, Permission(ALL_METHODS[1:]), private_access=True)
    for key in (deleter, "public-of-rosa", "greenhouse", "master-of-otto"):
        assert (await garden.ask("DELETE /v2/users/lena", key=key)).status == 403
    assert (await garden.ask("DELETE /v2/users/nobody")).status == 404
    assert (await garden.ask("DELETE /v2/users/otto", key="master-of-otto")).status == 200
    assert (await garden.ask("GET /v2/feeds/3", key="master-of-otto")).status == 401


async def test_somebody_remains_who_makes_accounts(garden: InProcess) -> None:
    """The last account that may make others stays; accounts outlive the one that made them."""
    answer = await garden.ask("DELETE /v2/users/rosa")
    assert (answer.status, (await garden.ask("GET /v2/feeds/1")).status) == (422, 200)
    key = await create(garden, creatable_roles=["device"])
    assert (await garden.ask("DELETE /v2/users/rosa")).status == 200
    shown = await read(garden, "/v2/users/lena", key=key)
    assert shown["api_key"] == key
    assert (await garden.ask("DELETE /v2/users/lena", key=key)).status == 422


async def test_triggers_of_an_account_end_with_it(garden: InProcess) -> None:
    """What it let watch other people's feeds is watched no more, and whoever watches is told."""
    ended: list[int] = []

    class Watch:
        def changed(self, trigger: Trigger, data_at: int) -> None:
            pass

        def removed(self, trigger: Trigger) -> None:
            pass

        def owner_removed(self, owner_id: int) -> None:
            ended.append(owner_id)

    key = await create(garden)
    hook = {
        "url": "http://hooks.example/a",
        "trigger_type": "change",
        "environment_id": 1,
        "stream_id": "temp",
    }
    assert (await garden.ask("POST /v2/triggers", json.dumps(hook), key=key)).status == 201
    user = await garden.store.users.find("lena")
    assert user is not None
    garden.store.triggers.observer = Watch()
    assert (await garden.ask("DELETE /v2/users/lena")).status == 200
    garden.store.triggers.observer = None
    assert (ended, await garden.store.triggers.all()) == ([user.id], [])


# Quotas


FEEDS = "This account may have no more than 3 feeds"
STREAMS = "This account may have no more than 6 datastreams"


async def refused(garden: InProcess, line: str, body: str, text: str, key: str | None = None) -> None:
    """Check that a request is refused because of a quota, which CSV tells in bare words."""
    answer = await garden.ask(line, body, key=key)
    told = json.dumps({"title": "Forbidden", "errors": text}, separators=(",", ":"))
    assert (answer.status, answer.body.decode()) == (403, text if ".csv" in line else told)


async def test_no_more_feeds_than_allowed(limited: InProcess) -> None:
    """A feed too many is refused, also in version 1; one that is deleted makes room."""
    assert (await limited.ask("POST /v2/feeds", '{"title":"Third"}')).status == 201
    await refused(limited, "POST /v2/feeds", '{"title":"Fourth"}', FEEDS)
    await refused(limited, "POST /v1/feeds.json", '{"title":"Fourth"}', FEEDS)
    assert (await limited.ask("POST /v2/feeds", '{"title":"Otto"}', key="master-of-otto")).status == 201
    assert (await limited.ask("DELETE /v2/feeds/2")).status == 200
    assert (await limited.ask("POST /v2/feeds", '{"title":"Fourth"}')).status == 201


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("PUT /v2/feeds/1.csv", "temp,99\nn1,1\nn2,2\n"),
        (
            "PUT /v2/feeds/1.json",
            '{"datastreams":[{"id":"n1"},{"id":"temp","current_value":"99"},{"id":"n2"}]}',
        ),
        ("POST /v2/feeds/1/datastreams.json", '{"datastreams":[{"id":"n1"},{"id":"n2"}]}'),
        ("POST /v2/feeds", '{"title":"x","datastreams":[{"id":"n1"},{"id":"n2"}]}'),
        ("PUT /v1/feeds/2.json", '{"datastreams":[{"id":"wine"},{"id":"n1"},{"id":"n2"}]}'),
    ],
)
async def test_no_more_datastreams_than_allowed(limited: InProcess, line: str, body: str) -> None:
    """Whatever would make one too many is refused as a whole: nothing of it is stored."""
    await refused(limited, line, body, STREAMS)
    feed = await limited.store.find_feed(1)
    assert feed is not None
    assert (len(feed.streams), feed.streams["temp"].value) == (4, "21.50")
    assert (await read(limited, "/v2/users/rosa"))["feeds_count"] == 2


async def test_who_has_all_he_may_goes_on(limited: InProcess) -> None:
    """Updates of what exists are no matter of quotas, and the last place can be taken."""
    assert (await limited.ask("PUT /v2/feeds/1.csv", "last,1\ntemp,2\n")).status == 200
    assert (await limited.ask("PUT /v2/feeds/1.csv", "last,2\ntemp,3\n")).status == 200
    assert (await limited.ask("PUT /v2/feeds/1", '{"title":"T","datastreams":[{"id":"door"}]}')).status == 200
    await refused(limited, "PUT /v2/feeds/2.csv", "more,1", STREAMS)
    assert (await limited.ask("DELETE /v2/feeds/1/datastreams/last")).status == 200
    assert (await limited.ask("PUT /v2/feeds/2.csv", "more,1")).status == 200


async def test_version_1_replaces_within_the_quota(limited: InProcess) -> None:
    """What a PUT of version 1 deletes makes room for what it makes."""
    body = json.dumps({"datastreams": [{"id": str(n), "values": [{"value": "1"}]} for n in range(5)]})
    assert (await limited.ask("PUT /v1/feeds/1.json", body)).status == 200
    assert (await read(limited, "/v2/users/rosa"))["datastreams_count"] == 6


async def test_two_requests_at_once_do_not_pass_together(limited: InProcess) -> None:
    """Of many that arrive together as many are carried out as there is room for."""
    waiting = [
        Deferred.fromCoroutine(limited.ask("POST /v2/feeds", '{"title":"x","datastreams":[{"id":"a"}]}'))
        for _ in range(5)
    ]
    assert sorted([(await each).status for each in waiting]) == [201, 403, 403, 403, 403]


async def test_an_account_can_have_limits_of_its_own(limited: InProcess) -> None:
    """The row of an account goes before the service's settings, upwards and downwards."""
    rosa = await limited.store.users.find("rosa")
    assert rosa is not None
    await limited.store.users.change(rosa, {"feeds_allowed": 2, "datastreams_allowed": -1})
    await refused(limited, "POST /v2/feeds", '{"title":"x"}', FEEDS.replace("3", "2"))
    assert (await limited.ask("PUT /v2/feeds/1.csv", "a,1\nb,1\nc,1\nd,1")).status == 200
    assert "datastreams_allowed" not in await read(limited, "/v2/users/rosa")
    await limited.store.users.change(rosa, {"feeds_allowed": None, "datastreams_allowed": 0})
    assert (await limited.ask("POST /v2/feeds", '{"title":"x"}')).status == 201
    assert (await read(limited, "/v2/users/rosa"))["datastreams_allowed"] == 0
