"""
Accounts: records -> documents, and documents -> what an account shall be, checked.

What is shown of an account depends on who looks:

========  ==========================================================================================
anybody   ``login``; and ``full_name about organisation website`` if its ``display_information`` is set
its own   everything but the key
master    everything
========  ==========================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import attrs

from txpachube.api import timezones
from txpachube.api.problems import unprocessable
from txpachube.server.operations.metadata import MAX_TEXT, read_boolean, text_fault
from txpachube.server.storage.users import FLAGS, TEXTS, Figures, User

__all__ = [
    "MAX_ABOUT",
    "MAX_PASSWORD",
    "Wish",
    "is_email",
    "is_login",
    "is_role",
    "public_document",
    "read_user",
    "user_document",
]

MAX_PASSWORD: Final = 255
"""Characters of a password; HTTP Basic looks at no more, and hashing takes the longer the more there are."""

MAX_ABOUT: Final = 4000
"""Characters of what an account tells about itself; lists show it of many accounts."""

MAX_ROLES: Final = 50
"""Roles of an account, and roles that it may give."""

_LOGIN: Final = re.compile(r"[A-Za-z0-9_-]{3,40}")

_ROLE: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")

# A mail server knows what an address is; here only what can be none is refused.
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")

_PUBLIC: Final = ("full_name", "about", "organisation", "website")

_DEFAULT_ROLE: Final = "default"

Document = dict[str, Any]


@attrs.define
class Wish:
    """
    What an account shall be.

    Attributes:
        login: its name.
        password: a new one; None leaves the old one.
        fields: what else is new, by name.
    """

    login: str
    password: str | None = attrs.field(default=None, repr=False)
    fields: dict[str, Any] = attrs.field(factory=dict)

    @property
    def gives_rights(self) -> bool:
        """Whether somebody may do more than before: a password opens the account, and roles are rights."""
        return self.password is not None or "roles" in self.fields or "creatable_roles" in self.fields


def is_login(text: str) -> bool:
    """Return whether an account can have this login."""
    return _LOGIN.fullmatch(text) is not None


def is_role(text: str) -> bool:
    """Return whether a role can be called like this."""
    return _ROLE.fullmatch(text) is not None


def is_email(text: str) -> bool:
    """Return whether an account can have this address."""
    return len(text) <= MAX_TEXT and _EMAIL.fullmatch(text) is not None


def public_document(user: User) -> Document:
    """Return of an account what anybody may see."""
    document: Document = {"login": user.login}
    if user.flags["display_information"]:
        document.update({name: user.texts[name] for name in _PUBLIC})
    return document


def user_document(user: User, figures: Figures, *, with_key: bool) -> Document:
    """Return an account with everything that it and its creator may see."""
    document: Document = {
        "login": user.login,
        **user.texts,
        **user.flags,
        "api_key": figures.api_key if with_key else None,
        "roles": list(user.roles),
        "creatable_roles": list(user.creatable_roles),
        "feeds_count": figures.feeds,
        "datastreams_count": figures.datastreams,
        "datastreams_allowed": figures.datastreams_allowed,
        "daily_api_access_count": figures.accesses_today,
        "total_api_access_count": figures.accesses,
    }
    for name in ("first_name", "last_name"):
        document[name] = document[name] or None
    return document


def read_user(document: Mapping[str, Any], old: User | None, asker: User) -> Wish:
    """
    Return what the body of a request wants an account to be.

    Args:
        document: the decoded account.
        old: the account that is to be changed, whose parts stay where the document is silent; None for a new
            one.
        asker: who asks, and gives no other roles than it may.

    Raises:
        Problem: 422 with everything that is wrong.
    """
    faults: list[str] = []
    wish = Wish(_login(document, old, faults), _password(document, old, faults))
    for name in TEXTS:
        _read_text(name, document, old, wish, faults)
    for name in FLAGS:
        _read_flag(name, document, wish, faults)
    if old is None:
        roles = [_DEFAULT_ROLE] if _DEFAULT_ROLE in asker.creatable_roles else asker.creatable_roles[:1]
        wish.fields["roles"] = list(roles)
    _read_roles("roles", document, () if old is None else old.roles, asker, wish, faults)
    _read_roles("creatable_roles", document, () if old is None else old.creatable_roles, asker, wish, faults)
    if faults:
        raise unprocessable(*dict.fromkeys(faults))
    return wish


def _login(document: Mapping[str, Any], old: User | None, faults: list[str]) -> str:
    given = document.get("login")
    login = "" if given is None else str(given).strip()
    if old is not None:
        if login not in ("", old.login):
            faults.append("Login can't be changed")
        return old.login
    if not login:
        faults.append("Login can't be blank")
    elif not is_login(login):
        faults.append("Login is invalid (3 to 40 letters, digits, - and _)")
    return login


def _password(document: Mapping[str, Any], old: User | None, faults: list[str]) -> str | None:
    given = document.get("password")
    if given is None and old is not None:
        return None
    password = "" if given is None else str(given)
    if not password.strip():
        faults.append("Password can't be blank")
    elif len(password) > MAX_PASSWORD:
        faults.append(f"Password is too long (maximum is {MAX_PASSWORD} characters)")
    return password


def _read_text(
    name: str, document: Mapping[str, Any], old: User | None, wish: Wish, faults: list[str]
) -> None:
    given = document.get(name)
    if name not in document or (name == "email" and given is None and old is not None):
        if name == "email" and old is None:
            faults.append("Email can't be blank")
        return
    text = "" if given is None else str(given).strip()
    if old is not None and text == old.texts[name]:
        return  # a program that sends back what it read
    shown = name.replace("_", " ").capitalize()
    fault = None
    if name == "about":
        if len(text) > MAX_ABOUT:
            fault = f"{shown} is too long (maximum is {MAX_ABOUT} characters)"
    elif len(text) > MAX_TEXT:
        fault = text_fault(shown, text)
    elif name == "email" and not text:
        fault = "Email can't be blank"
    elif name == "email" and not is_email(text):
        fault = "Email is invalid"
    elif name == "time_zone" and text and timezones.find(text) is None:
        fault = "Time zone is not included in the list"
    if fault is not None:
        faults.append(fault)
    else:
        wish.fields[name] = text


def _read_flag(name: str, document: Mapping[str, Any], wish: Wish, faults: list[str]) -> None:
    given = document.get(name)
    if given in (None, ""):  # blank clears other fields; here there is nothing that is clear
        return
    flag = read_boolean(given)
    if flag is None:
        faults.append(f"{name.replace('_', ' ').capitalize()} must be true or false")
    else:
        wish.fields[name] = flag


def _read_roles(
    name: str,
    document: Mapping[str, Any],
    old: Collection[str],
    asker: User,
    wish: Wish,
    faults: list[str],
) -> None:
    """Read a list of roles: whoever has one keeps it, and the asker gives no other than those it may."""
    if name not in document:
        return
    given: Sequence[str] = [role.strip() for role in document[name] if role.strip()]
    roles = list(dict.fromkeys(given))
    shown = name.replace("_", " ").capitalize()
    if len(roles) > MAX_ROLES:
        faults.append(f"{shown} is too long (maximum is {MAX_ROLES})")
    elif not set(roles) <= {*old, *asker.creatable_roles}:
        known = ", ".join(asker.creatable_roles)
        faults.append(
            f"{shown} must be among {known}" if known else f"{shown} can't be given by this account"
        )
    elif set(roles) != set(old):
        wish.fields[name] = roles
