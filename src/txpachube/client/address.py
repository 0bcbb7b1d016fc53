"""
Where the service is: a base URL taken apart and checked once, when the client is made.

What is not given comes from the environment (``PACHUBE_URL``, ``PACHUBE_API_KEY``,
``PACHUBE_FEED_ID``), and what is not there either is the service this project ships, on this machine.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

import attrs

from txpachube.errors import InvalidValue

__all__ = ["DEFAULT_URL", "ServiceAddress", "checked_key", "hidden"]

DEFAULT_URL: Final = "http://127.0.0.1:8000"
"""The service this project ships, started without any option."""

URL_VARIABLE: Final = "PACHUBE_URL"
KEY_VARIABLE: Final = "PACHUBE_API_KEY"
FEED_VARIABLE: Final = "PACHUBE_FEED_ID"

MAX_KEY_LENGTH: Final = 1024
"""Characters of a key; the longest the API ever gave out has 86, and a header must stay a header."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class _Hidden:
    """Stands in an error for a text that must not be shown."""

    def __repr__(self) -> str:
        return "<hidden>"


hidden: Final = _Hidden()
"""The one `InvalidValue` shows for a value that must not be shown."""


@attrs.frozen
class ServiceAddress:
    """
    The parts of a base URL.

    Attributes:
        scheme: ``http`` or ``https``.
        host: a name or an address, in ASCII, an IPv6 address without its brackets.
        port: the TCP port.
        prefix: what stands before ``/v2`` in every path, without a slash at its end; mostly empty.
    """

    scheme: str
    host: str
    port: int
    prefix: str = ""

    @classmethod
    def from_url(cls, url: str, *, use_http: bool = False) -> ServiceAddress:
        """
        Take a base URL apart.

        Args:
            url: such as ``https://pachube.example``; a ``/v2`` at its end is forgiven.
            use_http: turn ``https`` into ``http``.

        Raises:
            InvalidValue: not such a URL, or one with a password, a query or a fragment in it.
        """
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname or "", parts.port
            ascii_host = host.encode("ascii" if ":" in host else "idna").decode("ascii") if host else ""
        except ValueError:
            raise _refused(url) from None
        if "@" in parts.netloc:
            raise InvalidValue("base_url", hidden, "without a login or password; give the key as api_key")
        if parts.scheme not in _DEFAULT_PORTS or not ascii_host or _unfit_for_a_request_line(parts):
            raise _refused(url)
        scheme = "http" if use_http else parts.scheme
        prefix = parts.path.rstrip("/").removesuffix("/v2")
        return cls(scheme, ascii_host, _DEFAULT_PORTS[scheme] if port is None else port, prefix)

    @property
    def authority(self) -> str:
        """Host and port as they stand in a URL and in the ``Host`` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return f"{self.scheme}://{self.authority}{self.prefix}"


def _unfit_for_a_request_line(parts: SplitResult) -> bool:
    printable = parts.path.isascii() and parts.path.isprintable() and " " not in parts.path
    return bool(parts.query or parts.fragment or not printable)


def _refused(url: str) -> InvalidValue:
    # A query or a password in a URL that is wrong for another reason must not be shown either.
    shown = url if not {"@", "?"} & set(url) else hidden
    return InvalidValue("base_url", shown, "a URL such as http://127.0.0.1:8000")


def checked_key(key: str) -> str:
    """
    Return the key without surrounding white space, if it can stand in a header.

    Raises:
        InvalidValue: it has characters that no key has. The error does not show the key.
    """
    stripped = key.strip()
    if (
        len(stripped) > MAX_KEY_LENGTH
        or not (stripped.isascii() and stripped.isprintable())
        or " " in stripped
    ):
        raise InvalidValue("api_key", hidden, "printable ASCII without blanks")
    return stripped
