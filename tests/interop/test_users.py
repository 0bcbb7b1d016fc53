"""Accounts, through the client and the real service: what they see, what they may, how they come and go."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import publish
from twisted.internet.threads import deferToThread

from txpachube import (
    BadRequest,
    DataFormats,
    Environment,
    Forbidden,
    InvalidValue,
    Key,
    NotAcceptable,
    NotFound,
    ResponseError,
    Unauthorized,
    Unprocessable,
    User,
    UserList,
)
from txpachube.client import NO_RETRIES, Client, PAWSClient
from txpachube.testing.service import LOOPBACK, ServiceProcess

FORMATS = [DataFormats.JSON, DataFormats.XML]
Connect = Callable[..., Client]
_numbers = count(1)

COUNTED = ("total_api_access_count", "daily_api_access_count")


def new_user(**fields: Any) -> User:
    """Return an account that nobody has made yet."""
    login = f"user-{next(_numbers)}"
    usual: dict[str, Any] = {"login": login, "email": f"{login}@example.org", "password": "tulips & roses"}
    return User(**{**usual, **fields})


def without_counts(user: User) -> User:
    """Return an account without the numbers that reading it changes."""
    for name in COUNTED:
        assert getattr(user, name) is not None
        setattr(user, name, None)
    return user


@pytest.mark.parametrize("written", FORMATS)
@pytest.mark.parametrize("read", FORMATS)
async def test_everything_said_of_an_account_comes_back(client: Client, written: str, read: str) -> None:
    """An account made in one format is the same account read in the other, and in the list."""
    said = new_user(
        full_name="Lena <&> Löwe",
        first_name="Lena",
        last_name="Löwe",
        about="Two\nlines",
        organisation="Garten & Söhne",
        website="http://lena.example/?a=1&b=2",
        time_zone="Eastern Time (US & Canada)",
        roles=["default", "device"],
        creatable_roles=["device"],
        deliver_email=True,
        display_activity=True,
        display_information=True,
        display_stats=True,
        receive_forum_notifications=False,
        subscribed_to_mailings=False,
    )
    login = await client.create_user(format=written, data=said)
    assert login == said.login
    user = without_counts(await client.read_user(user_id=login, format=read))
    assert len(user.api_key or "") == 48
    said.password = None
    said.api_key = user.api_key
    said.feeds_count = said.datastreams_count = 0
    said.datastreams_allowed = 10_000
    assert user == said
    listed = await client.list_users(format=read)
    assert isinstance(listed, UserList)
    assert [without_counts(each) for each in listed.users if each.login == login] == [said]


@pytest.mark.parametrize("format_", FORMATS)
async def test_an_account_is_changed(client: Client, format_: str) -> None:
    """A change says what is new, clears what is empty, and leaves the rest."""
    login = await client.create_user(format=format_, data=new_user(about="old", full_name="Lena"))
    assert await client.update_user(user_id=login, format=format_, data=User(about="", website="w")) is True
    user = await client.read_user(user_id=login, format=format_)
    assert (user.about, user.website, user.full_name) == ("", "w", "Lena")
    user.organisation = "Garten"
    assert await client.update_user(user_id=login, format=format_, data=user) is True
    assert (await client.read_user(user_id=login)).organisation == "Garten"


@pytest.mark.parametrize("format_", FORMATS)
async def test_a_new_account_works_at_once(
    client: Client, connect: Connect, service: ServiceProcess, format_: str
) -> None:
    """Its key does, and its password over HTTP Basic; a new password ends the old one."""
    login = await client.create_user(format=format_, data=new_user())
    user = await client.read_user(user_id=login, format=format_)
    own = connect(user.api_key)
    feed_id = await own.create_feed(data=Environment(title="mine", private=True, datastreams=[{"id": "a"}]))
    with pytest.raises(Forbidden):
        await client.read_feed(feed_id=feed_id)
    user = await own.read_user(user_id=login, format=format_)
    assert (user.feeds_count, user.datastreams_count) == (1, 1)
    assert (user.total_api_access_count or 0) >= 2
    assert status_of(service, login, "tulips & roses") == 200
    assert await own.update_user(user_id=login, format=format_, data=User(password="né à Été")) is True
    assert status_of(service, login, "tulips & roses") == 401
    assert status_of(service, login, "né à Été") == 200


def status_of(service: ServiceProcess, login: str, password: str) -> int:
    """Return what HTTP Basic is answered that asks for the account's keys."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    credentials = b64encode(f"{login}:{password}".encode()).decode()
    connection.request("GET", "/v2/keys.json", headers={"Authorization": f"Basic {credentials}"})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("format_", FORMATS)
async def test_a_deleted_account_is_gone(
    client: Client, connect: Connect, service: ServiceProcess, format_: str
) -> None:
    """Its feeds, its keys and its password are, with the answer."""
    login = await client.create_user(data=new_user())
    own = connect((await client.read_user(user_id=login)).api_key)
    feed_id = await own.create_feed(data=Environment(title="mine"))
    assert await client.delete_user(user_id=login) is True
    with pytest.raises(Unauthorized):
        await own.read_user(user_id=login, format=format_)
    with pytest.raises(NotFound):
        await client.read_user(user_id=login, format=format_)
    with pytest.raises(NotFound):
        await client.read_feed(feed_id=feed_id)
    assert status_of(service, login, "tulips & roses") == 401
    assert login not in [user.login for user in (await client.list_users(format=format_)).users]


@pytest.mark.parametrize("format_", FORMATS)
async def test_what_others_see(client: Client, connect: Connect, format_: str) -> None:
    """Another account sees the login, and the rest if it is to be shown; never what is settings or secret."""
    shown = new_user(full_name="Lena", about="me", display_information=True)
    hidden = new_user(full_name="Anna")
    for user in (shown, hidden):
        await client.create_user(data=user)
    stranger = connect((await client.read_user(user_id=hidden.login)).api_key)
    found = await stranger.read_user(user_id=shown.login, format=format_)
    assert found == User(login=shown.login, full_name="Lena", about="me", organisation="", website="")
    assert (await stranger.list_users(format=format_)).users == []
    other = connect((await client.read_user(user_id=shown.login)).api_key)
    assert await other.read_user(user_id=hidden.login, format=format_) == User(login=hidden.login)


async def test_a_key_does_not_find_its_masters_key(client: Client, connect: Connect) -> None:
    """A key that may only read shows what it may of its account, and not the key that may do everything."""
    login = await client.create_user(data=new_user())
    own = connect((await client.read_user(user_id=login)).api_key)
    reader = Key(label="r", private_access=True, permissions=[{"access_methods": ["get"]}])
    user = await connect(await own.create_api_key(data=reader)).read_user(user_id=login)
    assert (user.email, user.api_key) == (f"{login}@example.org", None)


@pytest.mark.parametrize("format_", FORMATS)
async def test_failures(client: Client, connect: Connect, format_: str) -> None:
    """Each way to fail has its type and says why, in both formats."""
    login = await client.create_user(data=new_user())
    own = connect((await client.read_user(user_id=login)).api_key)
    invalid: list[tuple[dict[str, Any], list[str]]] = [
        (
            {"login": "x", "email": "y"},
            ["Login is invalid (3 to 40 letters, digits, - and _)", "Email is invalid"],
        ),
        ({"login": login.upper()}, ["Login has already been taken"]),
        ({"password": ""}, ["Password can't be blank"]),
        ({"roles": ["admin"]}, ["Roles must be among default, basic, device, my_users"]),
    ]
    for fields, errors in invalid:
        with pytest.raises(Unprocessable) as caught:
            await client.create_user(format=format_, data=new_user(**fields))
        assert (caught.value.status, caught.value.title) == (422, "Unprocessable Entity")
        assert caught.value.errors == errors
    with pytest.raises(BadRequest):
        await client.create_user(format=format_, data="<broken" if format_ == "xml" else "{broken")
    with pytest.raises(Unprocessable):
        await own.update_user(user_id=login, format=format_, data=User(login="another"))
    refused: list[Callable[[], object]] = [
        lambda: own.create_user(format=format_, data=new_user()),
        lambda: own.update_user(user_id="admin", format=format_, data=User(about="x")),
        lambda: own.delete_user(user_id="admin"),
    ]
    for call in refused:
        with pytest.raises(Forbidden):
            await call()  # type: ignore[misc] # each returns a Deferred
    for problem, ask in (
        (NotFound, lambda: client.read_user(user_id="nobody", format=format_)),
        (NotFound, lambda: client.update_user(user_id="nobody", format=format_, data=User(about="x"))),
        (NotFound, lambda: client.delete_user(user_id="nobody")),
        (NotAcceptable, lambda: client.read_user(user_id=login, format="csv")),
        (Unauthorized, lambda: connect("unknown").list_users(format=format_)),
        (InvalidValue, lambda: client.read_user(format=format_)),
    ):
        with pytest.raises(problem):
            await ask()


@pytest.mark.parametrize("format_", FORMATS)
async def test_errors_do_not_tell_passwords(client: Client, format_: str) -> None:
    """Whatever is wrong with an account, its password is in no text of the error."""
    for data in (
        new_user(login="x", password="s3cret&<word>"),
        "<user><password>s3cret&<word></user>" if format_ == "xml" else '{"password":"s3cret" word}',
    ):
        with pytest.raises(ResponseError) as caught:
            await client.create_user(format=format_, data=data)
        assert "s3cret" not in f"{caught.value} {caught.value!r} {caught.value.errors}"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Return a service whose accounts may have two feeds and three datastreams."""
    limits = ("--feeds-per-account", "2", "--datastreams-per-account", "3")
    doors = {"http": LOOPBACK, "paws": LOOPBACK, "mqtt": LOOPBACK}
    with ServiceProcess(tmp_path_factory.mktemp("small"), doors, limits) as running:
        yield running
    assert "Traceback" not in running.log


async def test_limits_of_accounts(small: ServiceProcess) -> None:
    """The settings hold for everybody but the first account, until the command line says something else."""
    key = small.run_json("user", "add", "rosa")["api_key"]
    admin = Client(small.api_key, base_url=small.url, retry=NO_RETRIES, environ={})
    rosa = Client(key, base_url=small.url, retry=NO_RETRIES, environ={})
    three = [{"id": "a"}, {"id": "b"}, {"id": "c"}]
    for _ in range(4):
        await admin.create_feed(data=Environment(title="x", datastreams=three))
    feed_id = await rosa.create_feed(data=Environment(title="x", datastreams=three[:2]))
    await rosa.create_feed(data=Environment(title="y"))
    with pytest.raises(Forbidden) as caught:
        await rosa.create_feed(data=Environment(title="z"))
    assert caught.value.errors == ["This account may have no more than 2 feeds"]
    with pytest.raises(Forbidden) as caught:
        await rosa.update_feed(feed_id=feed_id, format="csv", data="a,1\nc,1\nd,1\n")
    assert caught.value.errors == ["This account may have no more than 3 datastreams"]
    assert list((await rosa.read_feed(feed_id=feed_id)).datastreams or {}) == ["a", "b"]
    assert (await rosa.read_user(user_id="rosa")).datastreams_allowed == 3
    assert (await admin.read_user(user_id="admin")).datastreams_allowed is None
    allowed = ("--feeds-allowed", "3", "--datastreams-allowed", "unlimited")
    assert small.run("user", "change", "rosa", *allowed).returncode == 0
    await rosa.create_feed(data=Environment(title="z"))
    await rosa.update_feed(feed_id=feed_id, format="csv", data="a,1\nc,1\nd,1\n")
    assert (await rosa.read_user(user_id="rosa")).datastreams_allowed is None
    assert small.run("user", "change", "rosa", "--feeds-allowed", "default").returncode == 0
    with pytest.raises(Forbidden):
        await rosa.create_feed(data=Environment(title="z"))
    await admin.close()
    await rosa.close()


async def test_every_door_keeps_to_the_limits(small: ServiceProcess) -> None:
    """Sockets and MQTT make no more datastreams than HTTP would, and take what is allowed."""
    key = small.run_json("user", "add", "robot")["api_key"]
    rosa = Client(key, base_url=small.url, retry=NO_RETRIES, environ={})
    feed_id = await rosa.create_feed(data=Environment(title="x", datastreams=[{"id": "a"}, {"id": "b"}]))
    socket = PAWSClient(key, url=small.urls["paws"], retry=NO_RETRIES, environ={})
    assert await socket.connect() is True
    with pytest.raises(Forbidden) as caught:
        await socket.update_feed(feed_id=feed_id, format="csv", data="a,1\nc,1\nd,1\n")
    assert caught.value.errors == ["This account may have no more than 3 datastreams"]
    assert await socket.update_feed(feed_id=feed_id, format="csv", data="a,1\nc,1\n") is True
    await socket.disconnect()
    port = int(small.urls["mqtt"].rpartition(":")[2])
    for value in ("d,1", "a,2"):  # one that is refused, and one that is not
        await deferToThread(
            publish.single,
            f"{key}/v2/feeds/{feed_id}.csv",
            value,
            qos=1,
            hostname="127.0.0.1",
            port=port,
            client_id=value[0],
        )
    streams = (await rosa.read_feed(feed_id=feed_id)).datastreams or {}
    assert {name: stream.current_value for name, stream in streams.items()} == {"a": "2", "b": None, "c": "1"}
    await rosa.close()


async def test_what_the_command_line_does_counts_at_once(small: ServiceProcess, tmp_path: Path) -> None:
    """Passwords, creators and roles that it changes count with the next request of a running service."""
    password = tmp_path / "password"
    password.write_text("first\n")
    small.run_json("user", "add", "lena", "--password-file", str(password), "--creator", "admin")
    assert status_of(small, "lena", "first") == 200
    password.write_text("second\n")
    small.run(
        "user", "change", "lena", "--password-file", str(password), "--creatable-role", "device"
    ).check_returncode()
    assert (status_of(small, "lena", "first"), status_of(small, "lena", "second")) == (401, 200)
    admin = Client(small.api_key, base_url=small.url, retry=NO_RETRIES, environ={})
    (lena,) = (await admin.list_users()).users
    assert (lena.login, lena.creatable_roles) == ("lena", ["device"])
    shown = small.run_json("user", "show", "lena")
    assert (shown["creator"], shown["creatable_roles"], shown["keys"]) == ("admin", ["device"], 1)
    assert await admin.delete_user(user_id="lena") is True
    assert small.run("user", "show", "lena").returncode == 1
    await admin.close()
