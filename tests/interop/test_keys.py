"""Keys, through the client and the real service, and what they allow."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytest_twisted import blockon

from txpachube import (
    DataFormats,
    Datapoint,
    Datastream,
    Environment,
    Forbidden,
    Key,
    NotFound,
    Permission,
    Resource,
    Unauthorized,
)
from txpachube.client import Client
from txpachube.testing.service import ServiceProcess

FORMATS = [DataFormats.JSON, DataFormats.XML]
EVERYTHING = ["get", "put", "post", "delete"]
Connect = Callable[..., Client]


@pytest.fixture
def feed_id(client: Client) -> str:
    """Return a private feed with the datastreams ``a`` and ``b``."""
    streams = [{"id": "a", "current_value": "1"}, {"id": "b", "current_value": "2"}]
    return str(blockon(client.create_feed(data=Environment(title="f", private=True, datastreams=streams))))


@pytest.mark.parametrize("written", FORMATS)
@pytest.mark.parametrize("read", FORMATS)
async def test_everything_said_of_a_key_comes_back(
    client: Client, feed_id: str, written: str, read: str
) -> None:
    """A key created in one format is the same key read in the other, and in the list of keys."""
    said = Key(
        label="door <&>",
        private_access=True,
        expires_at="2099-12-31T23:59:59Z",
        permissions=[
            Permission(
                access_methods=["GET", "put"],
                source_ip="192.0.2.7",
                referer="garden.example",
                minimum_interval=30,
                label="one",
                resources=[Resource(feed_id=int(feed_id), datastream_id="a"), {"feed_id": feed_id}],
            ),
            Permission(access_methods=["delete"]),
        ],
    )
    text = await client.create_api_key(format=written, data=said)
    assert len(text) == 48
    said.api_key = text
    said.permissions[0].access_methods = ["get", "put"]  # type: ignore[index] # it has two
    key = await client.read_api_key(key_id=text, format=read)
    assert key == said
    listed = await client.list_api_keys(format=read)
    assert said in listed.keys
    of_feed = await client.list_api_keys(format=read, parameters={"feed_id": feed_id})
    assert of_feed.keys == [said]


@pytest.mark.parametrize("format_", FORMATS)
async def test_a_key_is_changed(client: Client, format_: str) -> None:
    """A change says what is new; the rest and the text stay."""
    text = await client.create_api_key(data=Key(label="old", permissions=[{"access_methods": ["get"]}]))
    assert await client.update_api_key(key_id=text, format=format_, data=Key(label="new")) is True
    key = await client.read_api_key(key_id=text, format=format_)
    assert key == Key(
        api_key=text, label="new", private_access=False, permissions=[{"access_methods": ["get"]}]
    )
    key.permissions = [Permission(access_methods=["put"])]
    await client.update_api_key(key_id=text, format=format_, data=key)
    assert await client.read_api_key(key_id=text, format=format_) == key


async def test_a_key_gets_a_new_text(client: Client, connect: Connect) -> None:
    """The new text has the rights of the old one, which is void."""
    old = await client.create_api_key(data=Key(label="k", permissions=[{"access_methods": EVERYTHING}]))
    own = connect(old)
    await own.read_api_key(key_id=old)
    new = await own.regenerate_api_key(key_id=old)
    assert new not in ("", old)
    with pytest.raises(Unauthorized):
        await own.read_api_key(key_id=new)
    assert (await connect(new).read_api_key(key_id=new)).label == "k"
    with pytest.raises(NotFound):
        await client.read_api_key(key_id=old)


async def test_a_deleted_key_opens_nothing(client: Client, connect: Connect, feed_id: str) -> None:
    """A key stops working at once, on connections that are open, too."""
    text = await client.create_api_key(
        data=Key(label="k", private_access=True, permissions=[{"access_methods": ["get"]}])
    )
    own = connect(text, feed_id)
    await own.read_feed()
    assert await client.delete_api_key(key_id=text) is True
    with pytest.raises(Unauthorized):
        await own.read_feed()
    with pytest.raises(NotFound):
        await client.delete_api_key(key_id=text)


async def test_a_call_can_name_another_key(client: Client, service: ServiceProcess, feed_id: str) -> None:
    """``api_key`` of a call goes before the client's."""
    nobody = Client("nobody", feed_id, base_url=service.url, environ={})
    with pytest.raises(Unauthorized):
        await nobody.read_feed()
    assert (await nobody.read_feed(api_key=service.api_key)).title == "f"
    await nobody.close()


async def test_methods_of_a_permission(client: Client, connect: Connect, feed_id: str) -> None:
    """Each method is allowed by its own word and by no other."""
    at = "2013-06-01T10:00:00Z"
    calls: dict[str, Callable[[Client], object]] = {
        "get": lambda c: c.read_feed(),
        "put": lambda c: c.update_feed(data=Environment(datastreams=[{"id": "a", "current_value": "1"}])),
        "post": lambda c: c.create_datapoints(datastream_id="a", data=[Datapoint(at=at, value="1")]),
        "delete": lambda c: c.delete_datapoints(datastream_id="a", parameters={"end": at}),
    }
    for method in EVERYTHING:
        text = await client.create_api_key(
            data=Key(label=method, private_access=True, permissions=[{"access_methods": [method]}])
        )
        own = connect(text, feed_id)
        for name, call in calls.items():
            if name == method:
                assert await call(own)  # type: ignore[misc] # each returns a Deferred
            else:
                with pytest.raises(Forbidden):
                    await call(own)  # type: ignore[misc] # as above


async def test_a_key_of_one_datastream(client: Client, connect: Connect, feed_id: str) -> None:
    """Such a key writes and reads its datastream through the feed, and sees no other."""
    text = await client.create_api_key(
        data=Key(
            label="k",
            private_access=True,
            permissions=[
                Permission(
                    access_methods=EVERYTHING, resources=[Resource(feed_id=int(feed_id), datastream_id="a")]
                )
            ],
        )
    )
    own = connect(text, feed_id)
    change = Environment()
    change.setCurrentValue("a", "10")
    await own.update_feed(data=change)
    feed = await own.read_feed()
    assert {s.id: s.current_value for s in (feed.datastreams or {}).values()} == {"a": "10"}
    assert [str(found.id) for found in (await own.list_feeds()).feeds] == [feed_id]
    change.setCurrentValue("b", "20")
    for call in (
        own.update_feed(data=change),
        own.update_feed(data=Environment(title="mine")),
        own.read_datastream(datastream_id="b"),
        own.create_datastream(data=Datastream(id="c")),
        own.delete_feed(),
        own.create_feed(data=Environment(title="another")),
        own.list_api_keys(),
    ):
        with pytest.raises(Forbidden):
            await call


async def test_private_feeds_need_private_access(client: Client, connect: Connect, feed_id: str) -> None:
    """A key without private access neither reads nor lists its owner's private feeds."""
    text = await client.create_api_key(data=Key(label="k", permissions=[{"access_methods": EVERYTHING}]))
    own = connect(text, feed_id)
    with pytest.raises(Forbidden):
        await own.read_feed()
    with pytest.raises(Forbidden):
        await own.update_feed(data=Environment(title="x"))
    assert (await own.list_feeds(parameters={"ids": feed_id})).feeds == []
    await client.update_feed(feed_id=feed_id, data=Environment(private=False))
    assert (await own.read_feed()).private is False


async def test_a_key_limited_to_a_feed_goes_with_it(client: Client, connect: Connect, feed_id: str) -> None:
    """A key that is good for one feed alone is removed with the feed."""
    permission = Permission(access_methods=["get"], resources=[Resource(feed_id=int(feed_id))])
    text = await client.create_api_key(data=Key(label="k", private_access=True, permissions=[permission]))
    await connect(text, feed_id).read_feed()
    await client.delete_feed(feed_id=feed_id)
    with pytest.raises(Unauthorized):
        await connect(text, feed_id).read_feed()
