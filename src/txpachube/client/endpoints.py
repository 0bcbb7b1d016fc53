"""Endpoints for a host and a port."""

from __future__ import annotations

from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.interfaces import IStreamClientEndpoint

__all__ = ["endpoint_to"]


def endpoint_to(reactor: Any, host: str, port: int, *, secure: bool) -> IStreamClientEndpoint:
    """
    Return an endpoint that connects to a host.

    Args:
        reactor: the one to use.
        host: a name or an address, an IPv6 address without its brackets.
        port: the TCP port.
        secure: use TLS, and trust whom the system trusts.
    """
    plain: IStreamClientEndpoint
    if isIPAddress(host):  # only names need the resolver, which takes a thread
        plain = TCP4ClientEndpoint(reactor, host, port)
    elif isIPv6Address(host):
        plain = TCP6ClientEndpoint(reactor, host, port)
    else:
        plain = HostnameEndpoint(reactor, host, port)
    if not secure:
        return plain
    from twisted.internet.ssl import optionsForClientTLS  # noqa: PLC0415 - OpenSSL is slow to import

    return wrapClientTLS(optionsForClientTLS(host), plain)
