"""How the service's log is written: lines for people, or a JSON object in a line for each event."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, TextIO

from twisted.logger import ILogObserver, LogEvent, eventAsText, textFileLogObserver
from zope.interface import implementer

__all__ = ["JsonLines", "observer_for"]


def observer_for(log_format: str, output: TextIO) -> ILogObserver:
    """Return what writes events to a file, in the format that a setting names."""
    return JsonLines(output) if log_format == "json" else textFileLogObserver(output)


@implementer(ILogObserver)
class JsonLines:
    """
    Writes each event as a JSON object in a line of its own.

    It has ``time``, ``level``, ``source`` and ``message``, and then what the event is about, by name.

    Args:
        output: where to.
    """

    def __init__(self, output: TextIO) -> None:
        self._output = output

    def __call__(self, event: LogEvent) -> None:
        """Write an event."""
        level = event.get("log_level")
        facts: dict[str, Any] = {
            "time": datetime.fromtimestamp(event.get("log_time", 0.0), UTC).isoformat(
                timespec="microseconds"
            ),
            "level": "info" if level is None else level.name,
            "source": event.get("log_namespace", ""),
            "message": eventAsText(event, includeTimestamp=False, includeSystem=False),
        }
        for name, value in event.items():
            if not name.startswith("log_") and (value is None or isinstance(value, str | int | float)):
                facts.setdefault(name, value)
        self._output.write(json.dumps(facts, ensure_ascii=False, separators=(",", ":")) + "\n")
        self._output.flush()
