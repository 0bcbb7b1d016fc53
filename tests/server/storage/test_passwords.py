"""Passwords and their hashes."""

from __future__ import annotations

import pytest

from txpachube.server.storage.passwords import hash_password, verify


def test_only_the_right_password_fits() -> None:
    """A hash fits its password and no other, and does not contain it."""
    stored = hash_password("correct horse")
    assert verify(stored, "correct horse")
    assert not verify(stored, "correct horse ")
    assert not verify(stored, "")
    assert "correct" not in stored
    assert stored != hash_password("correct horse"), "each has a salt of its own"


@pytest.mark.parametrize("stored", [None, "", "no hash at all", "$argon2id$v=19$broken"])
def test_who_has_no_password_cant_log_in(stored: str | None) -> None:
    """No password fits an account without one, not even that of the stand-in, nor a broken hash."""
    assert not verify(stored, "nobody")
    assert not verify(stored, "")
