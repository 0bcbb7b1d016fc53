"""
Connections to addresses that somebody else has named.

Whoever may make a trigger makes the service send requests. So that this does not open the doors of
the network the service stands in, it connects to public addresses only, unless it is allowed
otherwise. A name is resolved once, and the connection goes to the very address that was looked at: a name
that means something else a moment later gains nothing by it.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final, cast

from twisted.internet import address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IHostnameResolver, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import URI, BrowserLikePolicyForHTTPS
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

__all__ = ["ForbiddenAddress", "PublicEndpoints", "is_public"]

CONNECT_TIMEOUT: Final = 4.0
"""Seconds a connection may take to come up; two addresses can be tried within the time of a request."""

MAX_ADDRESSES: Final = 4
"""Addresses of a name that are tried."""

MAX_RECEIVED: Final = 256 * 1024
"""Bytes taken from the other side: a handshake and the head of an answer, of which only the status counts."""

LIFETIME: Final = 15.0
"""Seconds after which a connection is cut, however it got so old."""

_KINDS: Final = [address.IPv4Address, address.IPv6Address]
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
_NOT_PUBLIC: Final = (
    ip_network("fec0::/10"),  # site-local, given up but still in use
    ip_network("3fff::/20"),  # documentation
    ip_network("192.88.99.0/24"),  # relays into 6to4
)
"""What some releases of Python take for public."""


class ForbiddenAddress(Exception):
    """The host is at an address that nobody may let the service connect to."""


def is_public(text: str) -> bool:
    """Return whether an address belongs to a host on the public Internet."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    inside: IPv4Address | None = None
    if isinstance(found, IPv6Address):
        # Addresses that stand for an IPv4 address are as public as that.
        teredo = found.teredo
        inside = found.ipv4_mapped or found.sixtofour or (teredo[1] if teredo else None)
        if found in _TRANSLATED:
            inside = IPv4Address(int(found) & 0xFFFFFFFF)
    if inside is not None:
        return is_public(str(inside))
    if any(found in network for network in _NOT_PUBLIC):
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved


@implementer(IAgentEndpointFactory)
class PublicEndpoints:
    """
    Makes the endpoints of an agent.

    Args:
        reactor: connects.
        private_addresses: connect to all addresses.
        resolver: finds the addresses of names; without it the reactor's.
    """

    def __init__(
        self, reactor: Any, *, private_addresses: bool, resolver: IHostnameResolver | None = None
    ) -> None:
        self._reactor = reactor
        self._private_addresses = private_addresses
        self._resolver = resolver
        self._policy = BrowserLikePolicyForHTTPS()

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Return the endpoint of a URL."""
        host = uri.host.decode("ascii").strip("[]")
        plain = _PublicEndpoint(
            self._reactor,
            self._resolver or self._reactor.nameResolver,
            host,
            uri.port,
            self._private_addresses,
        )
        if uri.scheme != b"https":
            return plain
        return wrapClientTLS(self._policy.creatorForNetloc(host.encode("ascii"), uri.port), plain)


@implementer(IStreamClientEndpoint)
class _PublicEndpoint:
    def __init__(
        self, reactor: Any, resolver: IHostnameResolver, host: str, port: int, private_addresses: bool
    ) -> None:
        self._reactor = reactor
        self._resolver = resolver
        self._host = host
        self._port = port
        self._private_addresses = private_addresses

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> Any:
        addresses = await self._addresses()
        allowed = [host for host in addresses if self._private_addresses or is_public(host)]
        if not allowed:
            raise ForbiddenAddress("the receiver is at a private address")
        problem: Exception | None = None
        for host in allowed[:MAX_ADDRESSES]:
            kind = TCP6ClientEndpoint if ":" in host else TCP4ClientEndpoint
            endpoint = kind(self._reactor, host, self._port, timeout=CONNECT_TIMEOUT)
            try:
                wrapper: Any = await endpoint.connect(_Bounded(self._reactor, cast(Factory, factory)))
            except Exception as found:
                problem = found
            else:
                return wrapper.wrappedProtocol
        assert problem is not None
        raise problem

    async def _addresses(self) -> list[str]:
        try:
            return [str(ip_address(self._host.partition("%")[0]))]
        except ValueError:
            pass
        collected = _Collected()
        self._resolver.resolveHostName(cast(Any, collected), self._host, self._port, _KINDS)
        addresses = await collected.complete
        if not addresses:
            raise DNSLookupError(f"no address of {self._host} is known")
        return addresses


class _Collected:
    """Receives the addresses of a name."""

    def __init__(self) -> None:
        self.complete: Deferred[list[str]] = Deferred()
        self._found: list[str] = []

    def resolutionBegan(self, resolutionInProgress: object) -> None:
        """Wait."""

    def addressResolved(self, address: Any) -> None:
        """Take an address."""
        self._found.append(str(address.host))

    def resolutionComplete(self) -> None:
        """Hand over what was found, unless nobody waits any more."""
        if not self.complete.called:
            self.complete.callback(self._found)


class _BoundedConnection(ProtocolWrapper):
    """Cuts a connection that says too much or lasts too long."""

    _received = 0
    _end: Any = None

    def connectionMade(self) -> None:
        reactor = cast(_Bounded, self.factory).reactor
        self._end = reactor.callLater(LIFETIME, self.abortConnection)
        super().connectionMade()  # type: ignore[no-untyped-call]  # Twisted does not say

    def dataReceived(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > MAX_RECEIVED:
            self.abortConnection()
            return
        super().dataReceived(data)  # type: ignore[no-untyped-call]  # Twisted does not say

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._end is not None and self._end.active():
            self._end.cancel()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]  # Twisted does not say


class _Bounded(WrappingFactory):
    protocol = _BoundedConnection
    noisy = False

    def __init__(self, reactor: Any, wrapped: Factory) -> None:
        super().__init__(wrapped)  # type: ignore[no-untyped-call]  # Twisted does not say
        self.reactor = reactor
