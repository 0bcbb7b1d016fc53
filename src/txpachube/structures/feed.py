"""A feed, which the protocol also calls an environment, and a page of a list of feeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import attrs

from txpachube.errors import InvalidValue
from txpachube.structures import convert
from txpachube.structures.base import AS_TEXT, VERSION_MARK, Structure, converted, named, tolerant
from txpachube.structures.convert import Moment, Scalar
from txpachube.structures.datastream import Datastream
from txpachube.structures.location import Location
from txpachube.structures.user import User

__all__ = ["Environment", "EnvironmentList"]


def _user(value: User | Mapping[str, Any] | str | None) -> User | None:
    return User(login=value) if isinstance(value, str) and value else convert.part(User, value)


def _location(value: Location | Mapping[str, Any] | None) -> Location | None:
    return convert.part(Location, value)


def _datastreams(
    value: Iterable[Datastream | Mapping[str, Any]] | Mapping[str, Datastream | Mapping[str, Any]] | None,
) -> dict[str, Datastream] | None:
    if isinstance(value, Mapping):
        found = convert.parts(Datastream, list(value.values()))
        for stream_id, stream in zip(value, found or (), strict=True):
            if stream.id is None:
                stream.id = convert.text(stream_id)
    else:
        found = convert.parts(Datastream, value)
    if found is None:
        return None
    by_id = {stream.id: stream for stream in found if stream.id is not None}
    if len(by_id) != len(found):
        ids = [stream.id for stream in found]
        raise InvalidValue("datastreams", ids, "datastreams that each have an id of their own")
    return by_id


@tolerant
@attrs.define(kw_only=True, repr=False, on_setattr=converted)
class Environment(Structure):
    """
    A feed: what is known of one place or device, and its datastreams.

    Attributes:
        id: a number, given by the service.
        title: required when a feed is created.
        private: True hides the feed; documents write it as text.
        icon: URL of a picture.
        website: URL.
        tags: a list of texts; one comma-separated text is taken apart.
        description: text.
        feed: URL of the feed itself.
        auto_feed_url: where an automatic feed is fetched from.
        status: ``live`` or ``frozen``.
        updated: when the feed was changed, as text; a ``datetime`` is converted.
        created: when the feed was made, likewise.
        email: text.
        creator: URL of the user who made it.
        user: a `User` that has a login, when the service was asked to show it.
        version: the document's own mark, not part of the feed: it is ignored in comparisons.
        datastreams: a dict of `Datastream` by their ids, in the order given. Given as a list of
            `Datastream` or dicts, or as such a dict.
        location: a `Location` or a dict of its fields.
        product_id: the product that an activated device is one of.
        device_serial: the serial number of that device.
    """

    id: int | None = attrs.field(default=None, converter=convert.whole)
    title: str | None = attrs.field(default=None, converter=convert.text)
    private: bool | None = attrs.field(default=None, converter=convert.flag, metadata=AS_TEXT)
    icon: str | None = attrs.field(default=None, converter=convert.text)
    website: str | None = attrs.field(default=None, converter=convert.text)
    tags: list[str] | None = attrs.field(default=None, converter=convert.tag_list)
    description: str | None = attrs.field(default=None, converter=convert.text)
    feed: str | None = attrs.field(default=None, converter=convert.text)
    auto_feed_url: str | None = attrs.field(default=None, converter=convert.text)
    status: str | None = attrs.field(default=None, converter=convert.text)
    updated: str | None = attrs.field(default=None, converter=convert.moment)
    created: str | None = attrs.field(default=None, converter=convert.moment)
    email: str | None = attrs.field(default=None, converter=convert.text)
    creator: str | None = attrs.field(default=None, converter=convert.text)
    user: User | None = attrs.field(default=None, converter=_user)
    version: str | None = attrs.field(
        default=None, converter=convert.version, eq=False, metadata=VERSION_MARK
    )
    datastreams: dict[str, Datastream] | None = attrs.field(default=None, converter=_datastreams)
    location: Location | None = attrs.field(default=None, converter=_location)
    product_id: str | None = attrs.field(default=None, converter=convert.text)
    device_serial: str | None = attrs.field(default=None, converter=convert.text)

    def setCurrentValue(self, datastream_id: str | int, value: Scalar, at: Moment | None = None) -> None:
        """
        Make this the current value of a datastream, which is created when it is not there yet.

        Without a time it is a value of now. In a feed that was read, `updated` says when the feed was
        changed last; sent along, it would be taken for the time of the value, so it is dropped.
        """
        self._stream(datastream_id).setCurrentValue(value, at)
        if at is None:
            self.updated = None

    def addDatapoint(self, datastream_id: str | int, at: Moment | None, value: Scalar) -> None:
        """Add a datapoint to the history of a datastream, which is created when it is not there yet."""
        self._stream(datastream_id).addDatapoint(at, value)

    def setLocation(
        self,
        name: str | None = None,
        exposure: str | None = None,
        domain: str | None = None,
        disposition: str | None = None,
        latitude: Scalar | None = None,
        longitude: Scalar | None = None,
        elevation: Scalar | None = None,
    ) -> None:
        """
        Put a new location in the place of the one there is. What is not given is left out.

        It is a place of now: `updated`, the time of something earlier, is dropped as in `setCurrentValue`.
        Set it afterwards to say when the feed came here.
        """
        self.updated = None
        self.location = Location(
            name=name,
            exposure=exposure,
            domain=domain,
            disposition=disposition,
            lat=latitude,
            lon=longitude,
            ele=elevation,
        )

    def _stream(self, datastream_id: str | int) -> Datastream:
        stream_id = str(datastream_id)
        if self.datastreams is None:
            self.datastreams = {}
        return self.datastreams.setdefault(stream_id, Datastream(id=stream_id))

    def _plain(self, attribute: str, value: Any) -> Any:
        if attribute != "datastreams":
            return super()._plain(attribute, value)
        # The key counts for a stream that was put into the dict without an id of its own.
        return [
            stream.toDict() if stream.id is not None else {"id": stream_id, **stream.toDict()}
            for stream_id, stream in value.items()
        ]


def _feeds(value: Iterable[Environment | Mapping[str, Any]] | None) -> list[Environment]:
    return convert.parts(Environment, value) or []


@tolerant
@attrs.define(kw_only=True, repr=False, on_setattr=converted)
class EnvironmentList(Structure):
    """
    One page of a list of feeds.

    Built from the names of the JSON document (``totalResults``, ``startIndex``, ``itemsPerPage``,
    ``results``) or from those of the attributes.

    Attributes:
        total_results: how many feeds there are on all pages.
        start_index: the place of this page's first feed among them.
        items_per_page: how many feeds a page has at most.
        feeds: a list of `Environment`; empty when none were given, since the document always has it.
    """

    _aliases: ClassVar[Mapping[str, str]] = {"environments": "feeds"}

    total_results: int | None = attrs.field(
        default=None, converter=convert.whole, metadata=named("totalResults")
    )
    start_index: int | None = attrs.field(default=None, converter=convert.whole, metadata=named("startIndex"))
    items_per_page: int | None = attrs.field(
        default=None, converter=convert.whole, metadata=named("itemsPerPage")
    )
    feeds: list[Environment] = attrs.field(default=(), converter=_feeds, metadata=named("results"))
