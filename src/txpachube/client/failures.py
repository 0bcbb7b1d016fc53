"""
Answers that say a call failed, turned into typed errors.

Services of different ages and the proxies before them word their errors in JSON, in XML, in plain text
or in HTML, and not always in the one that was asked for. So the body is looked at, not its declared type.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

import msgspec

from txpachube.api.messages import Response
from txpachube.codecs import xmlsafe
from txpachube.errors import DecodeError, ResponseError, UnexpectedResponse, error_for_status

__all__ = ["contradiction", "response_error"]

MAX_ERROR_BODY: Final = 64 * 1024
"""Bytes of an error body that are read; the errors of the API have a few hundred."""

MAX_MESSAGES: Final = 100
"""Messages taken from one error body: one for each field of a large document, not one for each byte."""

MAX_MESSAGE_LENGTH: Final = 1000
"""Characters of one message; the text ends up in logs and on screens."""


def response_error(response: Response, request: str, secrets: Iterable[str]) -> ResponseError:
    """
    Return the error that an answer stands for.

    Args:
        response: an answer whose status is not a success.
        request: the method and the URL without its query.
        secrets: texts that must not be shown although the service may have repeated them.
    """
    title, messages = _read(response.body)
    title = title or _phrase(response.status)
    return error_for_status(
        response.status,
        _without(secrets, title),
        [_without(secrets, message) for message in messages],
        request,
    )


def contradiction(
    response: Response, request: str, reason: str, secrets: Iterable[str] = ()
) -> UnexpectedResponse:
    """Return the error for an answer whose status says success and whose rest does not fit that."""
    return UnexpectedResponse(
        response.status, "the answer does not fit its status", [_without(secrets, reason)], request
    )


def _read(body: bytes) -> tuple[str, list[str]]:
    """Return the title and the messages of an error body; both may be empty."""
    body = body[: MAX_ERROR_BODY + 1].strip().removeprefix(b"\xef\xbb\xbf")
    if not body or len(body) > MAX_ERROR_BODY:
        return "", []
    if body.startswith((b"{", b"[", b'"')):
        return _from_json(body)
    if body.startswith(b"<"):
        return _from_xml(body)
    return "", _cleaned(body.decode("utf-8", "replace").splitlines())


def _from_json(body: bytes) -> tuple[str, list[str]]:
    try:
        document: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", _cleaned(body.decode("utf-8", "replace").splitlines())
    if not isinstance(document, dict):
        return "", _cleaned(document if isinstance(document, list) else [document])
    errors = document.get("errors", document.get("error", []))
    if isinstance(errors, dict):
        errors = [f"{name}: {value}" for name, value in errors.items()]
    titles = _cleaned([document.get("title", "")])
    return titles[0] if titles else "", _cleaned(errors if isinstance(errors, list) else [errors])


def _from_xml(body: bytes) -> tuple[str, list[str]]:
    try:
        root = xmlsafe.parse(body)
    except DecodeError:
        return "", []  # a proxy's HTML: its title is the status once more
    found: dict[str, list[str]] = {"title": [], "error": []}
    for name, texts in found.items():
        texts += [element.text for element in root.iter(f"{{*}}{name}") if element.text]
    titles = _cleaned(found["title"])
    return titles[0] if titles else "", _cleaned(found["error"])


def _cleaned(messages: list[Any]) -> list[str]:
    texts = [str(message).strip() for message in messages[:MAX_MESSAGES] if message is not None]
    return [text[:MAX_MESSAGE_LENGTH] for text in texts if text]


def _without(secrets: Iterable[str], text: str) -> str:
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
