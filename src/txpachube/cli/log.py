"""
``txpachube log``: what was sent to a feed, and why it was refused.

It asks the running service, with a key of the feed's owner, as a device would ask; so it works from anywhere.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click

from txpachube.cli.arguments import feed_id
from txpachube.cli.logged import JsonObjects, Told
from txpachube.cli.watch import key_in

__all__ = ["log"]

POLL_SECONDS: Final = 1.0
"""Between two questions for what is new."""

PATIENCE: Final = 30.0
"""Seconds the service has to answer."""

LARGEST_ANSWER: Final = 64 * 1024 * 1024
"""Bytes of an answer that are read; a log is a small part of that."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows nobody to another place: the key is not for others."""

    def redirect_request(self, *_: object) -> None:
        """Make no other request."""


_opener: Final = urllib.request.build_opener(_NoRedirects)


@click.command()
@click.argument("feed", type=feed_id)
@click.option("--follow", is_flag=True, help="Go on, and show what comes, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each request, in a line.")
@click.option("--full", is_flag=True, help="Show headers and bodies as well.")
@click.option("--url", metavar="URL", help="The service. [default: PACHUBE_URL, or http://127.0.0.1:8000]")
@click.option(
    "--key-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the key. [default: the variable PACHUBE_API_KEY]",
)
def log(feed: int, follow: bool, as_json: bool, full: bool, url: str | None, key_file: Path | None) -> None:
    """
    Show the newest requests to FEED, and why they were refused.

    Also what became of the webhooks of its triggers. The key is one of the feed's owner with private access,
    such as the master key; what is secret in a request is not shown. The key file holds the key itself, a
    header X-ApiKey: KEY, or it is the service's admin.toml.
    """
    from txpachube.client.address import DEFAULT_URL, KEY_VARIABLE, URL_VARIABLE

    key = os.environ.get(KEY_VARIABLE, "").strip() if key_file is None else key_in(key_file)
    if not key:
        raise click.ClickException(f"no key: give --key-file, or the variable {KEY_VARIABLE}")
    base = (url or os.environ.get(URL_VARIABLE) or DEFAULT_URL).rstrip("/").removesuffix("/v2")
    told = JsonObjects() if as_json else Told(feed, full)
    try:
        for document in _documents(base, feed, key, follow):
            told.take(document)
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        # Whoever read has seen enough. Nothing may be written at the end of the program either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _documents(
    base: str, feed: int, key: str, follow: bool, pause: Callable[[float], None] = time.sleep
) -> Iterator[dict[str, Any]]:
    """
    Yield what the service tells, each time what is new.

    Raises:
        ClickException: it tells nothing.
    """
    after = 0
    answered = lost = False
    while True:
        try:
            document = _ask(f"{base}/v2/feeds/{feed}/debug.json?after={after}", key)
        except OSError as problem:
            if isinstance(problem, urllib.error.HTTPError):
                raise click.ClickException(f"{problem.code}: {_reason(problem)}") from None
            reason = getattr(problem, "reason", problem)
            if not follow or not answered:
                raise click.ClickException(f"no answer from {base}: {reason}") from None
            if not lost:
                click.echo(f"No answer from {base}: {reason}. Trying again.", err=True)
            lost = True
        else:
            answered, lost = True, False
            requests = document["requests"]
            after = max([after, *(request["id"] for request in requests)])
            yield document
            if not follow:
                return
        pause(POLL_SECONDS)


def _ask(url: str, key: str) -> dict[str, Any]:
    if not url.startswith(("http://", "https://")):
        raise click.ClickException(f"{url.partition('/v2/')[0]!r} is not an address of HTTP")
    try:
        request = urllib.request.Request(url, headers={"X-ApiKey": key, "Accept": "application/json"})  # noqa: S310 - the scheme is checked above
        with _opener.open(request, timeout=PATIENCE) as answer:
            document: dict[str, Any] = json.loads(answer.read(LARGEST_ANSWER))
    except ValueError:  # its text may have the key in it
        raise click.ClickException("the answer is not one of this service, or the key is not one") from None
    return document


def _reason(problem: urllib.error.HTTPError) -> str:
    with problem:
        try:
            errors = json.loads(problem.read(LARGEST_ANSWER))["errors"]
        except (ValueError, KeyError, TypeError):
            return str(problem.reason)
    return errors if isinstance(errors, str) else "; ".join(map(str, errors))
