"""The sensors of this machine: processor, memory, disk, network, and temperature where there is one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import attrs
import psutil

from txpachube.structures import Unit

__all__ = ["Reading", "Sensors"]

SHORTEST_TIME: Final = 1e-3
"""Seconds between two readings at the least, for rates."""


@attrs.frozen
class Reading:
    """
    One value of one sensor.

    Attributes:
        id: of the datastream.
        value: as it is sent.
        label: the unit in words.
        symbol: the unit's sign.
        kind: the kind of the unit, one of `Unit.Valid_Unit_Types`.
    """

    id: str
    value: str
    label: str
    symbol: str
    kind: str = Unit.Derived_Units


class Sensors:
    """
    Reads the sensors; rates are measured from one reading to the next.

    Args:
        folder: whose disk is measured.
        now: when that is, as for `read`.
    """

    def __init__(self, folder: Path, now: float) -> None:
        self._folder = folder
        self._last = (now, *_bytes_carried())
        psutil.cpu_percent()

    def read(self, now: float) -> list[Reading]:
        """
        Return a reading of every sensor this machine has.

        Args:
            now: seconds since any moment, always the same.
        """
        memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(self._folder))
        readings = [
            Reading("cpu", f"{psutil.cpu_percent():.1f}", "Percent", "%"),
            Reading("disk_free", f"{disk.free / 2**30:.2f}", "Gibibyte", "GiB"),
            Reading("load", f"{psutil.getloadavg()[0]:.2f}", "Processes", ""),
            Reading("memory_used", f"{memory.used / 2**20:.0f}", "Mebibyte", "MiB"),
        ]
        return readings + self._network(now) + _temperature()

    def _network(self, now: float) -> list[Reading]:
        last, self._last = self._last, (now, *_bytes_carried())
        seconds = max(now - last[0], SHORTEST_TIME)
        rates = {
            "net_in": (self._last[1] - last[1]) / seconds,
            "net_out": (self._last[2] - last[2]) / seconds,
        }
        return [
            Reading(stream_id, f"{rate / 1024:.1f}", "Kibibyte/s", "KiB/s")
            for stream_id, rate in rates.items()
        ]


def _bytes_carried() -> tuple[int, int]:
    """Return the bytes received and sent, without those that never left the machine."""
    cards = [c for name, c in psutil.net_io_counters(pernic=True).items() if not name.startswith("lo")]
    return sum(card.bytes_recv for card in cards), sum(card.bytes_sent for card in cards)


def _temperature() -> list[Reading]:
    # Not every system has this function, and virtual machines have no sensor.
    read = getattr(psutil, "sensors_temperatures", None)
    chips = read() if read is not None else {}
    for sensors in chips.values():
        for sensor in sensors:
            return [Reading("temperature", f"{sensor.current:.1f}", "Celsius", "°C", Unit.Derived_Si)]
    return []
