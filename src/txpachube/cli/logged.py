"""What ``txpachube log`` prints of requests and webhooks: lines for people, JSON objects for programs."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from txpachube.cli.table import printable

__all__ = ["JsonObjects", "Told"]

_INDENT: Final = " " * 21
_UNNAMED: Final = "-"


class JsonObjects:
    """A JSON object in a line for each request, and for each attempt to send a webhook."""

    def __init__(self) -> None:
        self._attempts = _Attempts()

    def take(self, document: dict[str, Any]) -> None:
        """Print what is new."""
        for request in document["requests"]:
            click.echo(json.dumps({"feed": document["feed"], **request}, ensure_ascii=False))
        for webhook, attempt in self._attempts.new(document):
            facts = {name: webhook[name] for name in ("feed", "trigger", "datastream", "url")}
            click.echo(json.dumps({**facts, **attempt}, ensure_ascii=False))


class Told:
    """
    Lines for people: one for each request, and another one with the reason when it was refused.

    Args:
        feed: which it is about.
        full: show headers and bodies, too.
    """

    def __init__(self, feed: int, full: bool) -> None:
        self._feed = feed
        self._full = full
        self._attempts = _Attempts()
        self._begun = False

    def take(self, document: dict[str, Any]) -> None:
        """Print what is new."""
        requests = document["requests"]
        if not self._begun and not requests:
            click.echo(
                f"No request has come for feed {self._feed}: the device does not reach this service,"
                " or it names another feed."
            )
        for request in requests:
            self._request(request)
        for webhook, attempt in self._attempts.new(document):
            self._attempt(webhook, attempt)
        for webhook in document["webhooks"] if not self._begun else ():
            if webhook["waiting"]:
                click.echo(
                    f"{webhook['waiting']} notifications of trigger {webhook['trigger']} wait;"
                    f" the next attempt is at {_moment(webhook['next_attempt_at'])}"
                )
        self._begun = True

    def _request(self, request: dict[str, Any]) -> None:
        status = request["status"]
        refused = status is None or status >= 400
        door = " ".join(filter(None, (request["door"], request["peer"])))
        text = printable(
            f"{_moment(request['at'])}  {status or _UNNAMED!s:>3}  {request['method']} {request['target']}"
            f"  ({request['key'] or 'no known key'}; {door})"
        )
        click.secho(text, fg="red" if refused else None)
        if request["reason"]:
            times = request["times"]
            again = f" ({times} times)" if times > 1 else ""
            click.echo(f"{_INDENT}{printable(request['reason'])}{again}")
        if self._full:
            self._rest(request)

    def _rest(self, request: dict[str, Any]) -> None:
        for name, value in request["headers"].items():
            click.echo(f"{_INDENT}{printable(f'{name}: {value}')}")
        body = request["body"]
        if body:
            size = request["body_bytes"]
            click.echo(f"{_INDENT}{size} bytes of body:")
            for line in body.splitlines():
                click.echo(f"{_INDENT}| {printable(line)}")

    def _attempt(self, webhook: dict[str, Any], attempt: dict[str, Any]) -> None:
        status = attempt["status"]
        well = status is not None and status < 300
        text = f"{_moment(attempt['at'])}  {status or _UNNAMED!s:>3}  webhook of trigger {webhook['trigger']}"
        click.secho(printable(f"{text} to {webhook['url']}"), fg=None if well else "red")
        if attempt["fault"]:
            click.echo(f"{_INDENT}{printable(attempt['fault'])}")


class _Attempts:
    """Remembers which attempts were told already; they have no numbers, but their times only grow."""

    def __init__(self) -> None:
        self._last: dict[int, str] = {}

    def new(self, document: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Return the attempts that were not there before, each with its webhook."""
        found = []
        for webhook in document["webhooks"]:
            last = self._last.get(webhook["trigger"], "")
            found += [(webhook, attempt) for attempt in webhook["attempts"] if attempt["at"] > last]
            if webhook["attempts"]:
                self._last[webhook["trigger"]] = webhook["attempts"][-1]["at"]
        return sorted(found, key=lambda pair: str(pair[1]["at"]))


def _moment(at: str | None) -> str:
    """Return a time as a person reads it, in UTC."""
    return _UNNAMED if at is None else at[:19].replace("T", " ")
