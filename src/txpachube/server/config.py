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


MIB: Final = 1024 * 1024

_Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
_CountOrNone = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
_Seconds = Annotated[float, msgspec.Meta(ge=1, le=86_400)]


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
        keep_days: for how many days the datapoints of feeds are kept that say nothing else; 0: for ever.
        metrics: who may read the numbers at ``/metrics``: ``local``, programs on this machine, at the HTTP
            doors; a Twisted endpoint, whoever reaches it, there alone; or ``off``.
        request_log: how many requests of each kind are kept of a feed, for its owner to see why a device does
            nothing; 0: none.
        log: file that the log is appended to; empty: standard error.
        log_format: ``text`` for people, or ``json``, an object in a line for each event, for programs.
        access_log: log every request: its id, the label of its key, its route, its status and its time.
        http_connections: how many connections each HTTP door may have at a time; each costs some 10
            kilobytes.
        socket_connections: how many each of the other doors may have.
        connections_per_address: how many connections an address may have at a time, over all doors; a network
            of 64 bits is one in IPv6, and this machine itself has no limit; 0: as many as it likes. Behind
            a proxy, whose address they all have, the HTTP door does not count them.
        new_connections_per_minute: how many new ones it may open in a minute; likewise.
        largest_body: bytes of a request's body, a message or an MQTT packet.
        largest_head: bytes of the request line and the headers of an HTTP request.
        most_headers: headers of an HTTP request.
        request_timeout: seconds that a request's head, its body, a message or a handshake may take to
            arrive, from its first byte to its last ...
        slowest_sender: ... and one second more for so many bytes that did arrive.
        idle_timeout: seconds that an HTTP connection may be silent between two requests.
        socket_idle_timeout: seconds that a client of the socket server may be silent that is not subscribed
            to anything.
        write_timeout: seconds without progress in sending an answer to a client that does not read.
        stalled_timeout: the same for updates, to subscribers of the socket server and of MQTT.
        subscriptions_per_connection: subscriptions of one connection of the socket server or of MQTT.
        waiting_updates: updates that wait, each by itself, for a subscriber that reads slowly ...
        waiting_update_bytes: ... and their bytes; past either it gets the newest state only.
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
    keep_days: Annotated[int, msgspec.Meta(ge=0, le=36_500)] = 0
    metrics: str = LOCAL
    request_log: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 20
    log: str = ""
    log_format: Literal["text", "json"] = "text"
    access_log: bool = False
    http_connections: _Count = 10_000
    socket_connections: _Count = 20_000
    connections_per_address: _CountOrNone = 256
    new_connections_per_minute: _CountOrNone = 1_200
    largest_body: Annotated[int, msgspec.Meta(ge=1024, le=64 * MIB)] = MIB
    largest_head: Annotated[int, msgspec.Meta(ge=1024, le=MIB)] = 16 * 1024
    most_headers: Annotated[int, msgspec.Meta(ge=10, le=10_000)] = 100
    request_timeout: _Seconds = 60.0
    slowest_sender: Annotated[int, msgspec.Meta(ge=1, le=MIB)] = 512
    idle_timeout: _Seconds = 120.0
    socket_idle_timeout: _Seconds = 600.0
    write_timeout: _Seconds = 60.0
    stalled_timeout: _Seconds = 600.0
    subscriptions_per_connection: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1_000
    waiting_updates: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 256
    waiting_update_bytes: Annotated[int, msgspec.Meta(ge=1024, le=64 * MIB)] = 128 * 1024
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
