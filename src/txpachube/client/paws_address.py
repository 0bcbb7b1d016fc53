"""
Where the socket server is: a URL or an endpoint's description, taken apart when the client is made.

::

    tcp://HOST:PORT  tls://HOST:PORT    a line of JSON messages; without a port 8081 and 8091
    ws://HOST:PORT/  wss://HOST:PORT/   a WebSocket; without a port 80 and 443, as URLs have it
    tcp:HOST:PORT  tls:HOST:PORT        the same lines, as Twisted describes endpoints
    unix:PATH, …                        a line over anything else that Twisted can connect to
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IStreamClientEndpoint

from txpachube.client.address import hidden
from txpachube.client.endpoints import endpoint_to
from txpachube.errors import InvalidValue

__all__ = ["DEFAULT_SOCKET", "SOCKET_VARIABLE", "SocketAddress"]

DEFAULT_SOCKET: Final = "tcp://127.0.0.1:8081"
"""The service this project ships, started without any option."""

SOCKET_VARIABLE: Final = "PACHUBE_PAWS"

_DEFAULT_PORTS: Final = {"tcp": 8081, "tls": 8091, "ws": 80, "wss": 443}
_SIMPLE_ENDPOINT: Final = re.compile(r"(?:(tcp|tls):)(?:host=)?([\w.-]+):(?:port=)?(\d{1,5})", re.ASCII)


@attrs.frozen
class SocketAddress:
    """
    Where the socket server is.

    Attributes:
        url: as errors show it.
        scheme: ``tcp``, ``tls``, ``ws``, ``wss``; empty for an endpoint that is only described.
        host: a name or an address.
        port: the TCP port.
        path: of a WebSocket.
        description: of an endpoint that is not one of the above.
    """

    url: str
    scheme: str = ""
    host: str = ""
    port: int = 0
    path: str = "/"
    description: str = ""

    @classmethod
    def from_text(cls, text: str) -> SocketAddress:
        """
        Take a URL or an endpoint's description apart.

        Raises:
            InvalidValue: it is neither, or a URL with a password, a query or a fragment in it.
        """
        text = text.strip()
        if "://" in text:
            return cls._from_url(text)
        simple = _SIMPLE_ENDPOINT.fullmatch(text)
        if simple is not None:
            scheme, host, port = simple.groups()
            return cls._from_url(f"{scheme}://{host}:{port}")
        if ":" not in text:
            raise _refused(text)
        return cls(text, description=text)

    @classmethod
    def _from_url(cls, url: str) -> SocketAddress:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
            ascii_host = host.encode("ascii" if ":" in host else "idna").decode("ascii") if host else ""
        except ValueError:
            raise _refused(url) from None
        if "@" in parts.netloc:
            raise InvalidValue("url", hidden, "without a login or password; give the key as api_key")
        path = parts.path or "/"
        web = parts.scheme in ("ws", "wss")
        if (
            parts.scheme not in _DEFAULT_PORTS
            or not ascii_host
            or parts.query
            or parts.fragment
            or not (path.isascii() and path.isprintable() and " " not in path)
            or not (web or path == "/")
        ):
            raise _refused(url)
        port = _DEFAULT_PORTS[parts.scheme] if port is None else port
        shown = f"[{ascii_host}]" if ":" in ascii_host else ascii_host
        rest = path if web and path != "/" else ""
        return cls(f"{parts.scheme}://{shown}:{port}{rest}", parts.scheme, ascii_host, port, path)

    @property
    def is_websocket(self) -> bool:
        """Whether the messages travel in WebSocket frames."""
        return self.scheme in ("ws", "wss")

    def endpoint(self, reactor: Any) -> IStreamClientEndpoint:
        """
        Return what connects to it.

        Raises:
            InvalidValue: Twisted cannot make an endpoint of the description.
        """
        if not self.description:
            return endpoint_to(reactor, self.host, self.port, secure=self.scheme in ("tls", "wss"))
        try:
            endpoint: IStreamClientEndpoint = clientFromString(reactor, self.description)
        except (ValueError, TypeError, KeyError, IndexError):
            raise _refused(self.description) from None
        return endpoint


def _refused(text: str) -> InvalidValue:
    shown = text if not {"@", "?"} & set(text) else hidden
    return InvalidValue(
        "url", shown, "a URL such as tcp://127.0.0.1:8081 or an endpoint such as tcp:host:8081"
    )
