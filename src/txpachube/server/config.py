"""
Settings of the service, and where they come from.

Flags win over ``PACHUBE_*`` environment variables, those over the configuration file (TOML), and
that over the defaults.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from txpachube.errors import Error

__all__ = ["BadSettings", "Settings", "default_data_directory", "load_settings", "variable_of"]

CLOSED: Final = "off"
"""The endpoint text that closes a door."""

LOCAL: Final = "local"
"""Stands for the endpoint of the numbers when they are read at the doors of the API."""


class BadSettings(Error, ValueError):
    """A setting that does not exist or cannot have this value."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    Everything that can be set.

    Attributes:
        data: directory of the database, the account file and the lock.
        http: Twisted endpoint of the HTTP door, or ``off``.
        device_http: Twisted endpoint of the HTTP door for old devices, or ``off``.
        paws: Twisted endpoint of the socket door on TCP, or ``off``.
        websocket: Twisted endpoint of the socket door on WebSocket, or ``off``.
        mqtt: Twisted endpoint of the MQTT door, or ``off``.
        base_url: what URLs in answers start with; empty: scheme and host of each request.
        trust_forwarded: take the client's address from ``X-Forwarded-For``; only behind a proxy that
            sets it.
        requests_per_minute: how many requests a key may make, averaged over three minutes; 0: as many as
            it likes.
        feeds_per_account: how many feeds an account may have; 0: as many as it likes. The first account has
            no such limit, and others can be given limits of their own.
        datastreams_per_account: how many datastreams an account may have, over all its feeds; likewise.
        webhook_private_addresses: let triggers notify receivers at loopback and private addresses, too.
        metrics: who may read the numbers at ``/metrics``: ``local``, programs on this machine, at the HTTP
            doors; a Twisted endpoint, whoever reaches it, there alone; or ``off``.
        log: file that the log is appended to; empty: standard error.
        log_format: ``text`` for people, or ``json``, an object in a line for each event, for programs.
        access_log: log every request: its id, the label of its key, its route, its status and its time.
        commit_alone: commit each update by itself instead of in groups; for measuring.
    """

    data: str = msgspec.field(default_factory=lambda: str(default_data_directory(os.environ)))
    http: str = "tcp:8000:interface=127.0.0.1"
    device_http: str = CLOSED
    paws: str = "tcp:8081:interface=127.0.0.1"
    websocket: str = "tcp:8080:interface=127.0.0.1"
    mqtt: str = "tcp:1883:interface=127.0.0.1"
    base_url: str = ""
    trust_forwarded: bool = False
    webhook_private_addresses: bool = False
    requests_per_minute: Annotated[int, msgspec.Meta(ge=0)] = 0
    feeds_per_account: Annotated[int, msgspec.Meta(ge=0)] = 1_000
    datastreams_per_account: Annotated[int, msgspec.Meta(ge=0)] = 10_000
    metrics: str = LOCAL
    log: str = ""
    log_format: Literal["text", "json"] = "text"
    access_log: bool = False
    commit_alone: bool = False


def default_data_directory(environ: Mapping[str, str]) -> Path:
    """Return the user's data directory for this program, as the XDG specification places it."""
    base = environ.get("XDG_DATA_HOME") or str(Path(environ.get("HOME") or "~").expanduser() / ".local/share")
    return Path(base) / "txpachube"


def load_settings(
    flags: Mapping[str, Any], environ: Mapping[str, str], config_file: Path | None = None
) -> Settings:
    """
    Put the settings together.

    Args:
        flags: by name; None stands for "not given".
        environ: the environment variables.
        config_file: a TOML file whose keys are the names of the settings.

    Raises:
        BadSettings: naming the setting, where it came from, and what is wrong with it.
    """
    values: dict[str, Any] = {}
    if config_file is not None:
        values.update(_from_file(config_file))
    for name in Settings.__struct_fields__:
        variable = variable_of(name)
        if environ.get(variable):
            values.update(_checked(variable, {name: environ[variable]}))
    values.update({name: value for name, value in flags.items() if value is not None})
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as problem:
        raise BadSettings(str(problem)) from None


def variable_of(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"PACHUBE_{name.upper()}"


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return _checked(str(path), tomllib.loads(path.read_text("utf-8")))
    except OSError as problem:
        raise BadSettings(f"{path}: {problem.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise BadSettings(f"{path}: {problem}") from None


def _checked(source: str, values: dict[str, Any]) -> dict[str, Any]:
    try:
        msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as problem:
        raise BadSettings(f"{source}: {problem}") from None
    return values
