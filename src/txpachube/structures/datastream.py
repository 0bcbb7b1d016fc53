"""A datastream: the values of one sensor, with the unit they are in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import attrs

from txpachube.structures import convert
from txpachube.structures.base import VERSION_MARK, Structure, converted, tolerant
from txpachube.structures.convert import Moment, Scalar

__all__ = ["Datapoint", "Datastream", "Unit"]


def _unit_type(value: str | None) -> str | None:
    return convert.word(value, Unit.Valid_Unit_Types, "type")


@tolerant
@attrs.define(kw_only=True, repr=False, on_setattr=converted)
class Unit(Structure):
    """
    What the values of a datastream are measured in.

    Attributes:
        type: one of `Valid_Unit_Types`, the kinds of the IFC standard, or empty.
        symbol: such as ``C``.
        label: such as ``Celsius``.

    Raises:
        InvalidValue: any other type.
    """

    Basic_Si: ClassVar[str] = "basicSI"
    Derived_Si: ClassVar[str] = "derivedSI"
    Conversion_Based_Units: ClassVar[str] = "conversionBasedUnits"
    Derived_Units: ClassVar[str] = "derivedUnits"
    Context_Dependent_Units: ClassVar[str] = "contextDependentUnits"
    Valid_Unit_Types: ClassVar[list[str]] = [
        Basic_Si,
        Derived_Si,
        Conversion_Based_Units,
        Derived_Units,
        Context_Dependent_Units,
    ]

    type: str | None = attrs.field(default=None, converter=_unit_type)
    symbol: str | None = attrs.field(default=None, converter=convert.text)
    label: str | None = attrs.field(default=None, converter=convert.text)


@tolerant
@attrs.define(kw_only=True, repr=False, on_setattr=converted)
class Datapoint(Structure):
    """
    One value at one moment.

    Attributes:
        at: when, as text; a ``datetime`` is converted. Without it the service uses the time of arrival.
        value: the text it was: ``"0000017"`` stays that, and a number given by a program becomes its text.
    """

    at: str | None = attrs.field(default=None, converter=convert.moment)
    value: str | None = attrs.field(default=None, converter=convert.text)


def _unit(value: Unit | Mapping[str, Any] | None) -> Unit | None:
    return convert.part(Unit, value)


def _datapoints(value: Iterable[Datapoint | Mapping[str, Any]] | None) -> list[Datapoint] | None:
    return convert.parts(Datapoint, value)


@tolerant
@attrs.define(kw_only=True, repr=False, on_setattr=converted)
class Datastream(Structure):
    """
    The values of one sensor.

    Attributes:
        id: its name within the feed; a number becomes its text.
        current_value: the newest value, as text.
        at: when that was, as text; a ``datetime`` is converted.
        max_value: the highest numeric value since the last reset, as text. Sending it is the reset.
        min_value: the lowest, likewise.
        tags: a list of texts; one comma-separated text is taken apart.
        unit: a `Unit` or a dict of its fields.
        datapoints_function: the aggregate the service computed the datapoints with, when asked for one.
        datapoints: a list of `Datapoint` or dicts of their fields.
        updated: a timestamp that some services send; JSON alone carries it.
        version: the document's own mark, not part of the datastream: it is ignored in comparisons.
    """

    id: str | None = attrs.field(default=None, converter=convert.text)
    current_value: str | None = attrs.field(default=None, converter=convert.text)
    at: str | None = attrs.field(default=None, converter=convert.moment)
    max_value: str | None = attrs.field(default=None, converter=convert.text)
    min_value: str | None = attrs.field(default=None, converter=convert.text)
    tags: list[str] | None = attrs.field(default=None, converter=convert.tag_list)
    unit: Unit | None = attrs.field(default=None, converter=_unit)
    datapoints_function: str | None = attrs.field(default=None, converter=convert.text)
    datapoints: list[Datapoint] | None = attrs.field(default=None, converter=_datapoints)
    updated: str | None = attrs.field(default=None, converter=convert.moment)
    version: str | None = attrs.field(
        default=None, converter=convert.version, eq=False, metadata=VERSION_MARK
    )

    def setCurrentValue(self, value: Scalar, at: Moment | None = None) -> None:
        """
        Make this the current value.

        A time that belonged to the value before is dropped: sent along, it would put the new value
        into the past.

        Args:
            value: a text, or a number, which becomes its text.
            at: when it was measured; without it the service uses the time of arrival.
        """
        self.current_value = convert.text(value)
        self.at = convert.moment(at)

    def addDatapoint(self, timestamp: Moment | None, value: Scalar) -> None:
        """Add a datapoint after those there are, for the history."""
        added = Datapoint(at=timestamp, value=value)
        if self.datapoints is None:
            self.datapoints = [added]
        else:
            self.datapoints.append(added)

    def clear(self) -> None:
        """Drop the current value with its time, and the datapoints; the description stays."""
        self.current_value = None
        self.at = None
        self.datapoints = None
