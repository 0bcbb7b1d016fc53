"""The network: the doors' ports, certificates, and the names that old devices call."""

from __future__ import annotations

import errno
import http.client
import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final

from cryptography import x509

from txpachube.server.checks.finding import Finding, fine, note, trouble, warning
from txpachube.server.config import CLOSED, Settings

__all__ = ["OLD_HOSTS", "certificates", "names", "parts_of", "ports", "resolve"]

DOORS: Final = ("http", "device_http", "paws", "websocket", "mqtt")

OLD_HOSTS: Final = ("api.pachube.com", "api.cosm.com", "api.xively.com")
"""What is in the firmware of old devices."""

PATIENCE: Final = 3.0
"""Seconds for an answer of this machine, or of its DNS."""

SOON: Final = timedelta(days=21)
"""Before the end of a certificate: whoever renews it by hand should think of it now."""

_LOWEST_FREE_PORT: Final = 1024


def parts_of(endpoint: str) -> tuple[str, list[str], dict[str, str]]:
    """Return the kind of a Twisted endpoint, its values, and its named values."""
    pieces = [re.sub(r"\\(.)", r"\1", piece) for piece in re.split(r"(?<!\\):", endpoint)]
    named = dict(piece.split("=", 1) for piece in pieces[1:] if "=" in piece)
    return pieces[0], [piece for piece in pieces[1:] if "=" not in piece], named


def ports(settings: Settings, running: bool) -> Iterator[Finding]:
    """
    Look whether the doors' ports are free, or ours.

    Args:
        settings: of the service.
        running: a service has the data directory.
    """
    for door in DOORS:
        endpoint: str = getattr(settings, door)
        if endpoint != CLOSED:
            yield from _port(door.replace("_", "-"), endpoint, running)


def _port(door: str, endpoint: str, running: bool) -> Iterator[Finding]:
    kind, values, named = parts_of(endpoint)
    check = f"port of {door}"
    number = named.get("port", values[0] if values else "")
    if kind not in ("tcp", "tcp4", "tcp6", "ssl") or not number.isdigit():
        yield note(check, f"{endpoint} is not looked at")
        return
    port, host = int(number), named.get("interface", "")
    family = socket.AF_INET6 if ":" in host or kind == "tcp6" else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except PermissionError:
        yield trouble(
            check,
            f"this user may not open port {port}",
            f"ports below {_LOWEST_FREE_PORT} need a right: start by the systemd unit, or give it with"
            " `setcap cap_net_bind_service=+ep` to the Python of the service",
        )
    except OSError as problem:
        if problem.errno != errno.EADDRINUSE:
            yield trouble(
                check, f"{endpoint}: {problem.strerror}", f"set another address: PACHUBE_{door.upper()}"
            )
        elif running and _is_ours(door, host, port, kind == "ssl"):
            yield fine(check, f"port {port} is open, and the service answers there")
        else:
            yield trouble(
                check,
                f"another program has port {port}",
                f"`ss -ltnp sport = :{port}` tells which; end it, or give this door another port",
            )
    else:
        if running:
            yield warning(
                check,
                f"port {port} is not open, though a service runs",
                "the running service has other settings",
            )
        else:
            yield fine(check, f"port {port} is free")


def _is_ours(door: str, host: str, port: int, secure: bool) -> bool:
    if door not in ("http", "device-http"):
        return True  # the service runs, and these protocols do not say who speaks
    address = host if host not in ("", "0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 - it is compared, not bound
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # who answers is asked, not who says so
    connection = (
        http.client.HTTPSConnection(address, port, timeout=PATIENCE, context=context)
        if secure
        else http.client.HTTPConnection(address, port, timeout=PATIENCE)
    )
    try:
        connection.request("GET", "/v2/feeds.json")
        return connection.getresponse().headers.get("X-Request-Id") is not None
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def certificates(settings: Settings, now: datetime | None = None) -> Iterator[Finding]:
    """Look at the files that endpoints with TLS name."""
    now = now or datetime.now(UTC)
    for door in DOORS:
        kind, _, named = parts_of(getattr(settings, door))
        if kind != "ssl":
            continue
        check = f"certificate of {door.replace('_', '-')}"
        key = Path(named.get("privateKey", "server.pem"))
        chain = Path(named.get("certKey", str(key)))
        files = [key, chain] + ([Path(named["extraCertChain"])] if "extraCertChain" in named else [])
        unreadable = [path for path in files if not os.access(path, os.R_OK)]
        if unreadable:
            yield trouble(
                check, f"{unreadable[0]} cannot be read", "name a file that the user of the service can read"
            )
            continue
        if key.stat().st_mode & 0o007:
            yield trouble(check, f"everybody can read the key in {key}", f"chmod o= {key}")
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key)
            ends = x509.load_pem_x509_certificate(chain.read_bytes()).not_valid_after_utc
        except (ssl.SSLError, ValueError, OSError) as problem:
            yield trouble(
                check,
                f"{chain} and {key} do not fit: {problem}",
                "name the certificate and its own key, in PEM",
            )
            continue
        if ends < now:
            yield trouble(check, f"{chain} ended {ends:%Y-%m-%d}", "renew it, and start the service again")
        elif ends < now + SOON:
            yield warning(check, f"{chain} ends {ends:%Y-%m-%d}", "renew it, and start the service again")
        else:
            yield fine(check, f"{chain} is good until {ends:%Y-%m-%d}")


def names(found: dict[str, Sequence[str] | None]) -> Iterator[Finding]:
    """
    Look where the names lead that old devices call.

    Args:
        found: the addresses of each name; none when it leads nowhere, None when nobody answers.
    """
    advice = "if a device calls it, let your router's DNS answer with this machine's address"
    for name, addresses in found.items():
        if addresses is None:
            yield warning("names", f"nobody says where {name} leads", "look at the DNS of this machine")
        elif not addresses:
            yield note("names", f"{name} leads nowhere", advice)
        elif any(_is_own(address) for address in addresses):
            yield fine("names", f"{name} leads to this machine ({addresses[0]})")
        else:
            yield note("names", f"{name} leads to {addresses[0]}, which is not this machine", advice)


def resolve(
    wanted: Sequence[str] = OLD_HOSTS, lookup: Callable[..., Sequence[Any]] = socket.getaddrinfo
) -> dict[str, Sequence[str] | None]:
    """Return the addresses of names, all asked for at the same time; who takes too long is not waited for."""
    found: dict[str, Sequence[str] | None] = {}
    answers: SimpleQueue[tuple[str, Sequence[str] | None]] = SimpleQueue()

    def ask(name: str) -> None:
        try:
            answers.put((name, [str(entry[4][0]) for entry in lookup(name, None, 0, socket.SOCK_STREAM)]))
        except OSError as problem:
            answers.put((name, None if problem.errno == socket.EAI_AGAIN else []))

    for name in wanted:
        Thread(target=ask, args=(name,), daemon=True).start()
    end = time.monotonic() + PATIENCE
    try:
        while len(found) < len(wanted):
            name, addresses = answers.get(timeout=max(0, end - time.monotonic()))
            found[name] = addresses
    except Empty:
        pass
    return {name: found.get(name) for name in wanted}


def _is_own(address: str) -> bool:
    """Return whether this machine has an address: only then it can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.bind((address, 0))
    except OSError:
        return False
    return True
