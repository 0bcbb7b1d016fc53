"""Passwords, as argon2 hashes. Both functions take a noticeable part of a second: call them in a thread."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

__all__ = ["hash_password", "verify"]

_HASHER = PasswordHasher()


@cache
def _nobody() -> str:
    """
    Return what is checked when there is no such account, so that the time does not tell whether there is one.

    Made when it is needed first: most commands never check a password, and none shall wait for this.
    """
    return _HASHER.hash("nobody")


def hash_password(password: str) -> str:
    """Return the hash to store for a password."""
    return _HASHER.hash(password)


def verify(stored: str | None, password: str) -> bool:
    """Return whether a password fits a stored hash; never when there is none."""
    try:
        _HASHER.verify(_nobody() if stored is None else stored, password)
    except (Argon2Error, InvalidHashError):
        return False
    return stored is not None
