"""How many connections an address may have, and how many new ones it may open."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor as installed_reactor
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import Clock, deferLater

from txpachube.api.messages import Request, Response
from txpachube.server.transports import admission
from txpachube.server.transports.admission import Admission, visitor
from txpachube.server.transports.device_http import DeviceHTTPFactory
from txpachube.server.transports.http import HTTPFactory
from txpachube.testing.sockets import SocketClient

reactor: Any = installed_reactor


def from_(host: str) -> IPv4Address | IPv6Address:
    """Return the address of a client."""
    return IPv6Address("TCP", host, 4711) if ":" in host else IPv4Address("TCP", host, 4711)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:7:1::9", "2001:db8:0:7"),
        ("2001:0db8:0000:0007:ffff:ffff:ffff:ffff", "2001:db8:0:7"),
        ("2001:db8::9", "2001:db8:0:0"),
        ("fe80::1%eth0", "fe80:0:0:0"),
        ("::1", "::1"),
        ("::2", "0:0:0:0"),
    ],
)
def test_as_whom_a_client_counts(host: str, expected: str) -> None:
    """Its machine, or its household's network, however the address is written."""
    assert visitor(from_(host)) == expected


def test_what_has_no_address_is_not_counted() -> None:
    """Sockets of this machine's file system."""
    assert visitor(UNIXAddress(b"/run/x")) == visitor(None) == ""


def test_so_many_connections_and_no_more() -> None:
    """One that ends makes room; others are not concerned."""
    door = Admission(2, 0, Clock().seconds)
    first, second = door.admit(from_("192.0.2.7")), door.admit(from_("::ffff:192.0.2.7"))
    assert (first, second) == ("192.0.2.7", "192.0.2.7")
    assert door.admit(from_("192.0.2.7")) is None
    assert door.admit(from_("192.0.2.8")) == "192.0.2.8"
    assert door.refused == 1
    door.leave("192.0.2.7")
    assert door.admit(from_("192.0.2.7")) == "192.0.2.7"
    assert door.admit(from_("192.0.2.7")) is None


def test_so_many_new_ones_in_a_minute() -> None:
    """After a quiet minute all at once; after that as they come up again, one by one."""
    clock = Clock()
    door = Admission(0, 6, clock.seconds)

    def opened() -> int:
        count = 0
        while (who := door.admit(from_("192.0.2.7"))) is not None:
            door.leave(who)
            count += 1
        return count

    assert opened() == 6
    clock.advance(9)
    assert opened() == 0
    clock.advance(1)
    assert opened() == 1
    clock.advance(30)
    assert opened() == 3
    clock.advance(3600)
    assert opened() == 6


@pytest.mark.parametrize("address", [from_("127.0.0.1"), from_("::1"), UNIXAddress(b"/run/x"), None])
def test_this_machine_may_do_as_it_likes(address: Any) -> None:
    """A proxy on it speaks for everybody."""
    door = Admission(1, 1, Clock().seconds)
    assert [door.admit(address) for _ in range(5)] == [""] * 5


def test_without_limits_all_may_come() -> None:
    """Zero is no limit."""
    door = Admission(0, 0, Clock().seconds)
    assert None not in [door.admit(from_("192.0.2.7")) for _ in range(5000)]


def test_a_flood_of_addresses_costs_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were quiet for a minute are forgotten, and of too many the oldest."""
    monkeypatch.setattr(admission, "MOST_ADDRESSES", 100)
    clock = Clock()
    door = Admission(1, 1, clock.seconds)
    for number in range(1000):
        assert door.admit(from_(f"2001:db8:1:{number:x}::1")) is not None
        door.leave(visitor(from_(f"2001:db8:1:{number:x}::1")))
    assert len(door._left) == 100
    clock.advance(61)
    for number in range(60):
        door.admit(from_(f"2001:db8:2:{number:x}::1"))
    assert len(door._left) == 60


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=200))
def test_what_comes_and_goes_is_counted_rightly(moves: list[tuple[str, bool]]) -> None:
    """Whatever the order, nobody has more than he may, and whoever has fewer is let in."""
    door = Admission(3, 0, Clock().seconds)
    there = {"a": 0, "b": 0, "c": 0}
    for who, comes in moves:
        address = from_(f"192.0.2.{ord(who)}")
        if comes:
            admitted = door.admit(address) is not None
            assert admitted == (there[who] < 3)
            there[who] += admitted
        elif there[who]:
            door.leave(visitor(address))
            there[who] -= 1
    assert sum(door._open.values()) == sum(there.values())


async def answer(request: Request) -> Response:
    return Response(200, b"hello\n", "text/plain")


async def test_the_doors_count_together() -> None:
    """On real sockets: who is turned away is closed at once, and let in when there is room again."""
    clock = Clock()
    shared = Admission(3, 0, clock.seconds, exempt=lambda who: False)
    factories = [
        kind(answer, reactor=clock, clock=lambda: 0, random=bytes)
        for kind in (HTTPFactory, DeviceHTTPFactory)
    ]
    ports = []
    for factory in factories:
        factory.admission = shared
        ports.append(await serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(factory))

    async def client(door: int) -> SocketClient:
        return await SocketClient.connect(reactor, ports[door].getHost().port)

    async def is_served(one: SocketClient) -> bool:
        one.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while not one.pieces and not one.closed:
            await deferLater(reactor, 0.005)
        return bool(one.pieces)

    first = [await client(door) for door in (0, 1, 0)]
    assert [await is_served(one) for one in first] == [True] * 3
    for door in (0, 1):
        assert not await is_served(await client(door))
    assert [factory.refused for factory in factories] == [1, 1]
    first[1].close()
    while factories[1].connection_count:
        await deferLater(reactor, 0.005)
    last = await client(0)
    assert await is_served(last)
    for one in (first[0], first[2], last):
        one.close()
    for port in ports:
        await port.stopListening()
    while any(factory.connection_count for factory in factories):
        await deferLater(reactor, 0.005)
    assert shared._open == {}
