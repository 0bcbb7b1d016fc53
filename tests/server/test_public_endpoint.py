"""Connections to addresses that somebody else has named."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory, Protocol
from twisted.web.client import URI

from txpachube.server.public_endpoint import ForbiddenAddress, PublicEndpoints, is_public


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses(address: str) -> None:
    """Addresses of the Internet are public, however they are written."""
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "fec0::1",
        "3fff::1",
        "192.88.99.1",
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "somewhere",
    ],
)
def test_other_addresses(address: str) -> None:
    """Loopback, private, link-local, shared and multicast addresses are not, nor what stands for them."""
    assert not is_public(address)


class Names:
    """A resolver that says something else each time."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    def resolveHostName(self, receiver: Any, hostName: str, portNumber: int = 0, *_: Any) -> Any:
        """Tell the next answer."""
        receiver.resolutionBegan(self)
        receiver.addressResolved(IPv4Address("TCP", self.answers.pop(0), portNumber))
        receiver.resolutionComplete()
        return self


async def connect(url: bytes, names: Names | None = None, *, private: bool = False) -> Any:
    """Connect to where a URL leads."""
    from twisted.internet import reactor

    endpoints = PublicEndpoints(reactor, private_addresses=private, resolver=names)  # type: ignore[arg-type]  # enough of one
    return await endpoints.endpointForURI(URI.fromBytes(url)).connect(Factory.forProtocol(Protocol))


@pytest.mark.parametrize(
    "url",
    [b"http://127.0.0.1/", b"http://[::1]/", b"https://10.0.0.1/", b"http://localhost/", b"http://127.1/"],
)
async def test_private_receivers_are_refused(url: bytes) -> None:
    """No connection is tried to this machine or its network, by address or by name."""
    with pytest.raises(ForbiddenAddress):
        await connect(url)


async def test_a_name_is_asked_once() -> None:
    """The address that is looked at is the one that is connected to, so a name can't change in between."""
    names = Names("127.0.0.1", "8.8.8.8")
    with pytest.raises(ForbiddenAddress):
        await connect(b"http://rebinding.example/", names)
    assert names.answers == ["8.8.8.8"]


async def test_they_can_be_allowed() -> None:
    """With the permission for it a private address is like any other."""
    from twisted.internet import reactor

    running: Any = reactor
    port = running.listenTCP(0, Factory.forProtocol(Protocol), interface="127.0.0.1")
    names = Names("127.0.0.1")
    url = f"http://here.example:{port.getHost().port}/".encode()
    protocol = await connect(url, names, private=True)
    assert protocol.transport.getPeer().port == port.getHost().port
    protocol.transport.abortConnection()
    await port.stopListening()
