"""
One request on its way through an operation.

An operation is a coroutine function of a `Call`. It reads from it what the request is about (the
feed is found and may be touched, as far as that can be told without the body), decodes the body, and
returns a `Response` or raises a `Problem`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import tzinfo
from functools import lru_cache
from typing import Final, TypeVar

import attrs

from txpachube.api import params, timezones
from txpachube.api.messages import Request, Response
from txpachube.api.negotiation import CONTENT_TYPES, body_format
from txpachube.api.problems import not_found
from txpachube.api.routes import PREFIXES, Match, build
from txpachube.server.graphs.studio import Studio
from txpachube.server.instruments import Instruments
from txpachube.server.operations.documents import Spelling
from txpachube.server.operations.versions import Versions
from txpachube.server.packing import unpack
from txpachube.server.storage.records import Feed, Key, Stream
from txpachube.server.storage.store import Store

__all__ = ["Call", "Operation", "base_of"]

T = TypeVar("T")

Operation = Callable[["Call"], Awaitable[Response]]
"""What a request with a certain route means."""

MAX_HOST: Final = 255
"""Characters of a host name with its port; the longest name the DNS allows has 253."""

_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


@attrs.define(slots=True, eq=False)
class Call:
    """
    A request that has been routed and authenticated.

    Attributes:
        request: as it came.
        match: what its path is about.
        route_name: of the route that its path has.
        format: of the answer: ``json``, ``xml``, ``csv``, ``png`` or ``svg``.
        now: when it arrived.
        store: where everything is.
        known_key: who asks; None where nobody has to say so.
        feed_in_path: None when the path is not about a feed.
        base_url: what URLs start with, or None to take the request's own host.
        versions: tells when feeds were changed.
        streams: ids of the datastreams the key is limited to within the feed, or None when to none.
        minimum_interval: seconds between the points of a history the key may read, or None.
        studio: draws graphs; None where none are drawn.
        instruments: how the service is; None where nobody can ask.
        by_date: set by a reading operation whose ``last_modified`` may be compared with a client's.
        once: set by an operation whose answer is not given again, whatever version the client claims to have.
    """

    request: Request
    match: Match
    route_name: str
    format: str
    now: int
    store: Store
    known_key: Key | None
    feed_in_path: Feed | None
    base_url: str | None
    versions: Versions
    streams: Collection[str] | None = None
    minimum_interval: int | None = None
    studio: Studio | None = None
    instruments: Instruments | None = None
    by_date: bool = False
    once: bool = False

    @property
    def key(self) -> Key:
        """Who asks, for operations that nobody can ask for without a key."""
        key = self.known_key
        assert key is not None, "the route needs a key"
        return key

    @property
    def feed(self) -> Feed:
        """The feed in the path, for operations of paths that have one."""
        feed = self.feed_in_path
        assert feed is not None, "the route has a feed"
        return feed

    @property
    def query(self) -> Mapping[str, str]:
        """The query parameters by name."""
        return params.query_of(self.request) if self.request.query_text else {}

    @property
    def zone(self) -> tzinfo | None:
        """The zone of the ``timezone`` parameter, or None for UTC."""
        if "timezone" not in self.request.query_text:
            return None
        name = self.query.get("timezone")
        return None if name is None else timezones.find(name)

    @property
    def base(self) -> str:
        """What URLs in the answer start with."""
        request = self.request
        return self.base_url or base_of(request.scheme, request.headers.get("host", ""))

    @property
    def spelling(self) -> Spelling:
        """How the answer's documents are written."""
        extension = "xml" if self.format == "xml" else "json"
        return Spelling(self.base, extension, self.zone, PREFIXES[self.match.version])

    def parameter(self, name: str) -> str:
        """Return a parameter of the path."""
        return self.match.parameters[name]

    def stream(self) -> Stream:
        """
        Return the datastream in the path.

        Raises:
            Problem: 404.
        """
        stream = self.feed.streams.get(self.match.parameters["datastream_id"])
        if stream is None:
            raise not_found()
        return stream

    def body(self) -> bytes:
        """
        Return the request's body, unpacked.

        Raises:
            Problem: 400 when it does not unpack, 413 when it is too long then.
        """
        request = self.request
        coding = request.headers.get("content-encoding")
        return request.body if coding is None else unpack(request.body, coding)

    def decode(self, decoders: Mapping[str, Callable[[bytes], T]]) -> T:
        """
        Return the body as a document.

        Args:
            decoders: by format.

        Raises:
            Problem: 406 when the body is in a format that has no meaning here.
            DecodeError: it is not a document of its format.
        """
        return decoders[body_format(self.request, self.match)](self.body())

    def done(self) -> Response:
        """Return the answer of a success that has nothing to tell."""
        return Response(200, b"", CONTENT_TYPES[self.format])

    def created(self, name: str, **parameters: str | int) -> Response:
        """Return the answer of a creation; name and parameters are those of the route that reads it."""
        return Response(201, b"", CONTENT_TYPES[self.format], self.url(name, **parameters))

    def url(self, name: str, **parameters: str | int) -> str:
        """Return the URL of something, without an extension."""
        return self.base + build(name, extension=None, **parameters)

    def answer(self, body: bytes, modified: int | None = None) -> Response:
        """Return the answer that carries a document."""
        return Response(200, body, CONTENT_TYPES[self.format], last_modified=modified)


def base_of(scheme: str, host: str) -> str:
    """
    Return what URLs start with when nothing is configured: the address the client used.

    A host that isn't one (or none, as devices send under HTTP/1.0) must not get into URLs.
    """
    return _base_of(scheme, host if len(host) <= MAX_HOST else "")


@lru_cache(maxsize=256)
def _base_of(scheme: str, host: str) -> str:
    if _HOST.fullmatch(host) is None:
        host = "localhost"
    return f"{scheme}://{host}"
