"""Where a feed is: a place, and for a mobile feed the places it has been to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import attrs

from txpachube.structures import convert
from txpachube.structures.base import Structure, converted, tolerant
from txpachube.structures.convert import Coordinate

__all__ = ["Location", "Waypoint"]


@tolerant
@attrs.define(kw_only=True, repr=False, on_setattr=converted)
class Waypoint(Structure):
    """
    A place where a mobile feed has been; made by the service alone.

    Attributes:
        at: when, as text; a ``datetime`` is converted.
        lat: degrees north, -90 to 90.
        lon: degrees east, -180 to 180.
        ele: elevation in metres, as the text it was.

    .. versionadded:: 1.0
    """

    at: str | None = attrs.field(default=None, converter=convert.moment)
    lat: Coordinate | None = attrs.field(default=None, converter=convert.latitude)
    lon: Coordinate | None = attrs.field(default=None, converter=convert.longitude)
    ele: str | None = attrs.field(default=None, converter=convert.text)


def _disposition(value: str | None) -> str | None:
    return convert.word(value, Location.Valid_Disposition_Kinds, "disposition")


def _exposure(value: str | None) -> str | None:
    return convert.word(value, Location.Valid_Exposure_Kinds, "exposure")


def _domain(value: str | None) -> str | None:
    return convert.word(value, Location.Valid_Domain_Kinds, "domain")


def _waypoints(value: Iterable[Waypoint | Mapping[str, Any]] | None) -> list[Waypoint] | None:
    return convert.parts(Waypoint, value)


@tolerant
@attrs.define(kw_only=True, repr=False, on_setattr=converted)
class Location(Structure):
    """
    Where a feed is.

    Attributes:
        disposition: `Fixed` or `Mobile`.
        name: what people call the place.
        exposure: `Indoor` or `Outdoor`.
        domain: `Physical` or `Virtual`.
        ele: elevation in metres, as the text it was (``"41.0"``).
        lat: degrees north as a number, -90 to 90; ``0.0`` is a place like any other, ``""`` clears.
        lon: degrees east as a number, -180 to 180; likewise.
        waypoints: where a mobile feed has been, oldest first.

    Raises:
        InvalidValue: an exposure, domain, disposition or coordinate that is not allowed; empty text
            always is, and clears what is stored.
    """

    Indoor: ClassVar[str] = "indoor"
    Outdoor: ClassVar[str] = "outdoor"
    Physical: ClassVar[str] = "physical"
    Virtual: ClassVar[str] = "virtual"
    Fixed: ClassVar[str] = "fixed"
    Mobile: ClassVar[str] = "mobile"
    Valid_Exposure_Kinds: ClassVar[list[str]] = [Indoor, Outdoor]
    Valid_Domain_Kinds: ClassVar[list[str]] = [Physical, Virtual]
    Valid_Disposition_Kinds: ClassVar[list[str]] = [Fixed, Mobile]

    disposition: str | None = attrs.field(default=None, converter=_disposition)
    name: str | None = attrs.field(default=None, converter=convert.text)
    exposure: str | None = attrs.field(default=None, converter=_exposure)
    domain: str | None = attrs.field(default=None, converter=_domain)
    ele: str | None = attrs.field(default=None, converter=convert.text)
    lat: Coordinate | None = attrs.field(default=None, converter=convert.latitude)
    lon: Coordinate | None = attrs.field(default=None, converter=convert.longitude)
    waypoints: list[Waypoint] | None = attrs.field(default=None, converter=_waypoints)
